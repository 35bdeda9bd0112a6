//! Literals whose value depends on the day.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, TimezoneInfo, Value};
use lakegate_engine::time::time_of_text;

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
    let word = word.trim().to_ascii_lowercase();
    let moment = match word.split_once(|c: char| c.is_ascii_whitespace()) {
        None if word == "now" => build::call("now", vec![]),
        None => day(&word)?,
        Some((word, time)) => {
            let is_timestamp = matches!(data_type, DataType::Timestamp(..));
            let time = time_of_day(time).filter(|_| is_timestamp)?;
            build::nested(build::binary(day(word)?, BinaryOperator::Plus, time))
        }
    };
    Some(build::cast(moment, data_type))
}

/// Returns the day that a word names.
fn day(word: &str) -> Option<Expr> {
    let today = build::call("current_date", vec![]);
    let op = match word {
        "today" => return Some(today),
        "tomorrow" => BinaryOperator::Plus,
        "yesterday" => BinaryOperator::Minus,
        _ => return None,
    };
    Some(build::nested(build::binary(today, op, build::integer(1))))
}

/// Returns a time of day that has no zone.
fn time_of_day(text: &str) -> Option<Expr> {
    let digits = text.trim_end_matches(['a', 'p', 'm']);
    let is_time = digits.contains(':')
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || ":. ".contains(c))
        && time_of_text(text).is_ok();
    let time = || DataType::Time(None, TimezoneInfo::None);
    is_time.then(|| build::cast(build::text(text), time()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn words_are_days() {
        for (sql, expected) in [
            ("'today'::DATE", Some("current_date()::DATE")),
            (
                "' Tomorrow '::TIMESTAMP",
                Some("(current_date() + 1)::TIMESTAMP"),
            ),
            ("'now'::DATE", Some("now()::DATE")),
            (
                "'yesterday 04:05 PM'::TIMESTAMP",
                Some("((current_date() - 1) + '04:05 pm'::TIME)::TIMESTAMP"),
            ),
            ("'today 10:00'::DATE", None),
            ("'today 10:00+02'::TIMESTAMP", None),
            ("'today 25:00'::TIMESTAMP", None),
            ("'now 10:00'::TIMESTAMP", None),
            ("'today'::TEXT", None),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
            let time = relative_time(&expr).map(|time| time.to_string());
            assert_eq!(time.as_deref(), expected, "{sql}");
        }
    }
}
