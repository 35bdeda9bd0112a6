//! Literals whose value depends on the day.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Value};

use super::super::build;
use super::{Target, target};

/// Returns the replacement of a literal whose value depends on the day, such as `date 'today'`;
/// `None` for any other expression.
pub(in super::super) fn relative_time(expr: &Expr) -> Option<Expr> {
    let (data_type, value) = match expr {
        Expr::TypedString(typed) => (&typed.data_type, &typed.value.value),
        Expr::Cast {
            expr, data_type, ..
        } => match expr.as_ref() {
            Expr::Value(value) => (data_type, &value.value),
            _ => return None,
        },
        _ => return None,
    };
    let data_type = match target(data_type) {
        Target::Engine(engine) => engine,
        _ => data_type.clone(),
    };
    let (DataType::Date | DataType::Timestamp(..), Value::SingleQuotedString(word)) =
        (&data_type, value)
    else {
        return None;
    };
    let today = || build::call("current_date", vec![]);
    let time = match word.trim().to_ascii_lowercase().as_str() {
        "now" => build::call("now", vec![]),
        "today" => today(),
        "tomorrow" => build::nested(build::binary(
            today(),
            BinaryOperator::Plus,
            build::integer(1),
        )),
        "yesterday" => build::nested(build::binary(
            today(),
            BinaryOperator::Minus,
            build::integer(1),
        )),
        _ => return None,
    };
    Some(build::cast(time, data_type))
}
