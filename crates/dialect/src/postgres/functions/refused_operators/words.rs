//! The words that an expression begins and ends with, as they are written.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use lakegate_engine::shown;

/// Returns the first word or value of an expression as it is written, in lower case unless it is a
/// text; `None` if that is not known.
pub(super) fn first_word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Alias(alias) => first_word(&alias.expr),
        Expr::BinaryExpr(binary) => first_word(&binary.left),
        Expr::Cast(cast) => first_word(&cast.expr),
        Expr::Negative(_) => Some("-".to_owned()),
        Expr::Not(_) => Some("not".to_owned()),
        Expr::Case(_) => Some("case".to_owned()),
        Expr::ScalarFunction(call) => of_call(call.func.name()),
        Expr::AggregateFunction(call) => of_call(call.func.name()),
        other => last_word(other),
    }
}

fn of_call(name: &str) -> Option<String> {
    (!name.starts_with('$')).then(|| name.to_owned())
}

/// Returns the last word or value of an expression, likewise.
pub(super) fn last_word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Alias(alias) => last_word(&alias.expr),
        Expr::BinaryExpr(binary) => last_word(&binary.right),
        Expr::Negative(value) | Expr::Not(value) => last_word(value),
        Expr::Column(column) => Some(shown(&column.name).to_owned()),
        Expr::OuterReferenceColumn(_, column) => Some(shown(&column.name).to_owned()),
        Expr::Literal(ScalarValue::Null, _) => Some("null".to_owned()),
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(text) => text.map(str::to_owned),
            None => {
                let is_plain =
                    value.data_type().is_numeric() || matches!(value, ScalarValue::Boolean(_));
                is_plain.then(|| value.to_string())
            }
        },
        Expr::Placeholder(parameter) => Some(parameter.id.clone()),
        _ => None,
    }
}
