//! The fields that the type of an interval may have, such as those of `INTERVAL DAY TO MINUTE`: what is
//! below the last field is cut off.
//!
//! ```text
//! x::INTERVAL DAY                date_trunc('day', x::INTERVAL)
//! x::INTERVAL DAY TO MINUTE      date_trunc('minute', x::INTERVAL)
//! x::INTERVAL SECOND(1)          x::INTERVAL(1)
//! ```
//!
//! Fields also say what a number without a unit counts, but only in literals, which `times` reads.

use datafusion::sql::sqlparser::ast::{DataType, DateTimeField, Expr, IntervalFields};
use lakegate_engine::time::LastField;

use super::calls;

/// Takes the fields from the type that an expression is cast to, unless it is a literal. Returns the
/// unit to whose multiples it is cut off then, if that is not the second.
pub(super) fn take(expr: &mut Expr) -> Option<&'static str> {
    let Expr::Cast {
        expr: value,
        data_type: DataType::Interval { fields, precision },
        ..
    } = expr
    else {
        return None;
    };
    if calls::text_of(value).is_some() {
        return None;
    }
    let unit = match last_of_type(&fields.take()?) {
        LastField::Year => "year",
        LastField::Month => "month",
        LastField::Day => "day",
        LastField::Hour => "hour",
        LastField::Minute => "minute",
        LastField::Second | LastField::MinuteToSecond => return None,
    };
    *precision = None;
    Some(unit)
}

/// Returns the last of the fields of a type.
pub(super) fn last_of_type(fields: &IntervalFields) -> LastField {
    match fields {
        IntervalFields::Year => LastField::Year,
        IntervalFields::Month | IntervalFields::YearToMonth => LastField::Month,
        IntervalFields::Day => LastField::Day,
        IntervalFields::Hour | IntervalFields::DayToHour => LastField::Hour,
        IntervalFields::Minute | IntervalFields::DayToMinute | IntervalFields::HourToMinute => {
            LastField::Minute
        }
        IntervalFields::Second | IntervalFields::DayToSecond | IntervalFields::HourToSecond => {
            LastField::Second
        }
        IntervalFields::MinuteToSecond => LastField::MinuteToSecond,
    }
}

/// Returns the last of the fields that are written after a literal; `None` if no type has such fields.
pub(super) fn last_written(
    first: &DateTimeField,
    last: Option<&DateTimeField>,
) -> Option<LastField> {
    use DateTimeField as Field;
    Some(match (first, last) {
        (Field::Year, None) => LastField::Year,
        (Field::Month, None) | (Field::Year, Some(Field::Month)) => LastField::Month,
        (Field::Day, None) => LastField::Day,
        (Field::Hour, None) | (Field::Day, Some(Field::Hour)) => LastField::Hour,
        (Field::Minute, None) | (Field::Day | Field::Hour, Some(Field::Minute)) => {
            LastField::Minute
        }
        (Field::Second, None) | (Field::Day | Field::Hour, Some(Field::Second)) => {
            LastField::Second
        }
        (Field::Minute, Some(Field::Second)) => LastField::MinuteToSecond,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn parsed(sql: &str) -> Expr {
        let parser = Parser::new(&PostgreSqlDialect {});
        parser.try_with_sql(sql).unwrap().parse_expr().unwrap()
    }

    #[test]
    fn fields_are_taken_from_casts() {
        for (sql, expected, unit) in [
            ("x::INTERVAL YEAR", "x::INTERVAL", Some("year")),
            ("x::INTERVAL YEAR TO MONTH", "x::INTERVAL", Some("month")),
            ("x::INTERVAL DAY", "x::INTERVAL", Some("day")),
            ("x::INTERVAL DAY TO HOUR", "x::INTERVAL", Some("hour")),
            ("x::INTERVAL DAY TO MINUTE", "x::INTERVAL", Some("minute")),
            ("x::INTERVAL MINUTE TO SECOND", "x::INTERVAL", None),
            ("x::INTERVAL SECOND(1)", "x::INTERVAL(1)", None),
        ] {
            let mut expr = parsed(sql);
            assert_eq!(take(&mut expr), unit, "{sql}");
            assert_eq!(expr.to_string(), expected, "{sql}");
        }
    }

    #[test]
    fn other_expressions_stay() {
        for sql in ["1", "x::INTERVAL", "x::INTERVAL(1)", "'5'::INTERVAL DAY"] {
            let mut expr = parsed(sql);
            let before = expr.to_string();
            assert_eq!(take(&mut expr), None, "{sql}");
            assert_eq!(expr.to_string(), before, "{sql}");
        }
    }
}
