//! Casts to intervals of some fields: what is below the last field is cut off, and a number without a
//! unit is one of the last field.
//!
//! ```text
//! '5'::INTERVAL DAY               date_trunc('day', '5 day'::INTERVAL)
//! x::INTERVAL DAY TO MINUTE       date_trunc('minute', x::INTERVAL)
//! '1.26'::INTERVAL SECOND(1)      '1.26 second'::INTERVAL(1)
//! INTERVAL '1 day 2 hours' DAY    date_trunc('day', '1 day 2 hours'::INTERVAL)
//! ```
//!
//! Literals whose text has no unit, such as `INTERVAL '5' DAY`, are the engine's and those of `times`.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, DateTimeField, Expr, Interval, IntervalFields,
};

use super::{build, calls};

/// Takes the fields from the type of an interval. Returns the unit to whose multiples it is cut off
/// then, if that is not the second.
pub(super) fn take(expr: &mut Expr) -> Option<&'static str> {
    if let Some(cast) = written_with_units(expr) {
        *expr = cast;
    }
    let Expr::Cast {
        expr: value,
        data_type: DataType::Interval { fields, precision },
        ..
    } = expr
    else {
        return None;
    };
    let taken = fields.take()?;
    let unit = last_field(taken);
    if let Some(text) = calls::text_of(value) {
        let text = with_unit(text.trim(), taken);
        **value = build::text(text);
    }
    if unit == "second" {
        return None;
    }
    *precision = None;
    Some(unit)
}

/// Returns a literal with fields whose text has units as a cast; `None` for any other expression.
fn written_with_units(expr: &Expr) -> Option<Expr> {
    let Expr::Interval(Interval {
        value,
        leading_field: Some(first),
        leading_precision: None,
        last_field,
        fractional_seconds_precision: None,
    }) = expr
    else {
        return None;
    };
    let text = calls::text_of(value)?;
    let fields = fields_of(first, last_field.as_ref())?;
    let has_units = text.chars().any(|c| c.is_ascii_alphabetic());
    has_units.then(|| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(build::text(text)),
        data_type: DataType::Interval {
            fields: Some(fields),
            precision: None,
        },
        array: false,
        format: None,
    })
}

fn fields_of(first: &DateTimeField, last: Option<&DateTimeField>) -> Option<IntervalFields> {
    use DateTimeField as Field;
    use IntervalFields as Fields;
    Some(match (first, last) {
        (Field::Year, None) => Fields::Year,
        (Field::Month, None) => Fields::Month,
        (Field::Day, None) => Fields::Day,
        (Field::Hour, None) => Fields::Hour,
        (Field::Minute, None) => Fields::Minute,
        (Field::Second, None) => Fields::Second,
        (Field::Year, Some(Field::Month)) => Fields::YearToMonth,
        (Field::Day, Some(Field::Hour)) => Fields::DayToHour,
        (Field::Day, Some(Field::Minute)) => Fields::DayToMinute,
        (Field::Day, Some(Field::Second)) => Fields::DayToSecond,
        (Field::Hour, Some(Field::Minute)) => Fields::HourToMinute,
        (Field::Hour, Some(Field::Second)) => Fields::HourToSecond,
        (Field::Minute, Some(Field::Second)) => Fields::MinuteToSecond,
        _ => return None,
    })
}

fn last_field(fields: IntervalFields) -> &'static str {
    use IntervalFields as Fields;
    match fields {
        Fields::Year => "year",
        Fields::Month | Fields::YearToMonth => "month",
        Fields::Day => "day",
        Fields::Hour | Fields::DayToHour => "hour",
        Fields::Minute | Fields::DayToMinute | Fields::HourToMinute => "minute",
        Fields::Second | Fields::DayToSecond | Fields::HourToSecond | Fields::MinuteToSecond => {
            "second"
        }
    }
}

/// Returns the text of an interval, in which a number at the end without a unit has that of the last
/// field, and two numbers of minutes and seconds have hours before them.
fn with_unit(text: &str, fields: IntervalFields) -> String {
    let start = text.rfind(char::is_whitespace).map_or(0, |space| space + 1);
    let (before, word) = text.split_at_checked(start).unwrap_or(("", text));
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let sign = word.strip_suffix(digits).unwrap_or_default();
    let is_number = |part: &str| {
        part.bytes().any(|byte| byte.is_ascii_digit())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    if is_number(digits) {
        return format!("{text} {}", last_field(fields));
    }
    match digits.split_once(':') {
        Some((minutes, seconds))
            if fields == IntervalFields::MinuteToSecond
                && is_number(minutes)
                && is_number(seconds) =>
        {
            format!("{before}{sign}0:{digits}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(text: &str, fields: IntervalFields, precision: Option<u64>) -> Expr {
        Expr::Cast {
            kind: CastKind::DoubleColon,
            expr: Box::new(build::text(text)),
            data_type: DataType::Interval {
                fields: Some(fields),
                precision,
            },
            array: false,
            format: None,
        }
    }

    #[test]
    fn fields_are_taken_from_casts() {
        use IntervalFields as Fields;
        for (text, fields, precision, expected, unit) in [
            ("5", Fields::Day, None, "'5 day'::INTERVAL", Some("day")),
            (
                "-1.5",
                Fields::Hour,
                None,
                "'-1.5 hour'::INTERVAL",
                Some("hour"),
            ),
            (
                "1-2",
                Fields::YearToMonth,
                None,
                "'1-2'::INTERVAL",
                Some("month"),
            ),
            (
                "1 day 2",
                Fields::DayToHour,
                None,
                "'1 day 2 hour'::INTERVAL",
                Some("hour"),
            ),
            (
                "1 2:03",
                Fields::DayToMinute,
                None,
                "'1 2:03'::INTERVAL",
                Some("minute"),
            ),
            (
                "2:03",
                Fields::MinuteToSecond,
                None,
                "'0:2:03'::INTERVAL",
                None,
            ),
            (
                "1 day -2:03.5",
                Fields::MinuteToSecond,
                None,
                "'1 day -0:2:03.5'::INTERVAL",
                None,
            ),
            (
                "1.26",
                Fields::Second,
                Some(1),
                "'1.26 second'::INTERVAL(1)",
                None,
            ),
            ("", Fields::Day, None, "''::INTERVAL", Some("day")),
        ] {
            let mut expr = cast(text, fields, precision);
            assert_eq!(take(&mut expr), unit, "{text}");
            assert_eq!(expr.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn other_expressions_stay() {
        let mut number = build::integer(1);
        assert_eq!(take(&mut number), None);
        let mut plain = build::cast(
            build::text("1 day"),
            DataType::Interval {
                fields: None,
                precision: None,
            },
        );
        let before = plain.to_string();
        assert_eq!(take(&mut plain), None);
        assert_eq!(plain.to_string(), before);
    }
}
