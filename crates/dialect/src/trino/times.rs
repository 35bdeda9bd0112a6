//! Literals of Trino, `AT TIME ZONE`, and the fields of zones.
//!
//! ```text
//! TIMESTAMP '2020-01-01 10:00 Asia/Tokyo'   with_timezone(TIMESTAMP '2020-01-01 10:00', 'Asia/Tokyo')
//! x AT TIME ZONE 'Asia/Tokyo'               at_timezone(x, 'Asia/Tokyo')      the same instant
//! EXTRACT(TIMEZONE_HOUR FROM x)             timezone_hour(x)
//! from_iso8601_timestamp('…+02:00')         at_timezone(from_iso8601_timestamp('…+02:00'), '+02:00')
//! DECIMAL '1.50'                            CAST('1.50' AS DECIMAL(3,2))
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Interval, Statement, TimezoneInfo, TypedString,
    UnaryOperator, Value, ValueWithSpan, VisitorMut,
};
use lakegate_error::{Error, Result};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;

/// Rewrites a statement in place.
///
/// # Errors
///
/// A literal is a time of day with a zone.
pub(crate) fn zoned(statement: &mut Statement) -> Result<()> {
    match walk_mut(statement, &mut Times) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Times;

impl VisitorMut for Times {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let rewritten = match expr {
            Expr::TypedString(typed) => match literal(typed) {
                Ok(rewritten) => rewritten,
                Err(error) => return ControlFlow::Break(error),
            },
            Expr::AtTimeZone {
                timestamp,
                time_zone,
            } => {
                let zone = offset(time_zone).map_or_else(|| time_zone.as_ref().clone(), text);
                Some(call("at_timezone", vec![timestamp.as_ref().clone(), zone]))
            }
            Expr::Extract { field, expr, .. } => {
                let function = match field {
                    DateTimeField::TimezoneHour => Some("timezone_hour"),
                    DateTimeField::TimezoneMinute => Some("timezone_minute"),
                    _ => None,
                };
                function.map(|function| call(function, vec![expr.as_ref().clone()]))
            }
            Expr::Function(function) => {
                iso_zone(function).map(|zone| call("at_timezone", vec![expr.clone(), text(zone)]))
            }
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

fn text(text: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).with_empty_span())
}

fn string(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

/// A literal with a zone.
fn literal(typed: &TypedString) -> Result<Option<Expr>> {
    let Some(written) = string(&typed.value.value) else {
        return Ok(None);
    };
    match &typed.data_type {
        DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Ok(zone_of(written).map(|(local, zone)| {
                let local = TypedString {
                    value: Value::SingleQuotedString(local.to_owned()).with_empty_span(),
                    ..typed.clone()
                };
                call("with_timezone", vec![Expr::TypedString(local), text(zone)])
            }))
        }
        DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            let mut rest = Rest(written.trim());
            match rest.clock() && !rest.0.trim().is_empty() {
                true => Err(Error::not_supported(format!(
                    "the time of day with a zone '{written}' is not supported"
                ))
                .with_hint("use a timestamp with a zone, or a time without one")),
                false => Ok(None),
            }
        }
        DataType::Decimal(ExactNumberInfo::None) => {
            Ok(digits_of(written).map(|(precision, scale)| Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(typed.value.clone())),
                data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)),
                array: false,
                format: None,
            }))
        }
        _ => Ok(None),
    }
}

/// Returns the zone of a constant that `from_iso8601_timestamp` reads, whose result is in it.
fn iso_zone(function: &Function) -> Option<String> {
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let name = name.as_ident()?.value.to_ascii_lowercase();
    if !["from_iso8601_timestamp", "from_iso8601_timestamp_nanos"].contains(&name.as_str()) {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_slice()
    else {
        return None;
    };
    let (_, clock) = string(&value.value)?.split_once(['T', 't'])?;
    if clock.ends_with(['Z', 'z']) {
        return Some("UTC".to_owned());
    }
    let (clock, offset) = clock.split_at(clock.rfind(['+', '-'])?);
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "00"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let sign = offset.get(..1)?;
    (!clock.is_empty()).then(|| format!("{sign}{hours}:{minutes}"))
}

/// Returns the precision and the scale of a decimal number, if they are possible.
fn digits_of(written: &str) -> Option<(u64, i64)> {
    let unsigned = written.strip_prefix(['-', '+']).unwrap_or(written);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let precision = whole.trim_start_matches('0').len() + fraction.len();
    let precision = u64::try_from(precision.max(1)).ok()?;
    let scale = i64::try_from(fraction.len()).ok()?;
    (precision <= 38).then_some((precision, scale))
}

/// Returns the offset of an interval of hours or minutes, such as `+02:00`.
fn offset(zone: &Expr) -> Option<String> {
    let Expr::Interval(Interval {
        value,
        leading_field,
        last_field: None,
        ..
    }) = zone
    else {
        return None;
    };
    let (negated, value) = match value.as_ref() {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => (true, expr.as_ref()),
        value => (false, value),
    };
    let Expr::Value(ValueWithSpan { value, .. }) = value else {
        return None;
    };
    let count: i32 = string(value)?.trim().parse().ok()?;
    let minutes = match leading_field {
        Some(DateTimeField::Hour | DateTimeField::Hours) => count.checked_mul(60)?,
        Some(DateTimeField::Minute | DateTimeField::Minutes) => count,
        _ => return None,
    };
    let minutes = if negated {
        minutes.checked_neg()?
    } else {
        minutes
    };
    let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
    Some(format!("{sign}{:02}:{:02}", size / 60, size % 60))
}

/// Splits a timestamp from the zone after it; `None` if there is no zone, or no timestamp.
fn zone_of(written: &str) -> Option<(&str, &str)> {
    let written = written.trim();
    let mut rest = Rest(written);
    if !rest.date() {
        return None;
    }
    let date = rest;
    let separated = rest.one(|char| char == ' ' || char == 'T');
    if !separated || !rest.clock() {
        rest = date;
    }
    let local = written.get(..written.len() - rest.0.len())?;
    let zone = rest.0.trim();
    (!zone.is_empty()).then_some((local, zone))
}

/// What is still to be read of a text.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn one(&mut self, is: impl Fn(char) -> bool) -> bool {
        let mut chars = self.0.chars();
        let found = chars.next().is_some_and(is);
        if found {
            self.0 = chars.as_str();
        }
        found
    }

    /// Consumes digits if there are so many.
    fn digits(&mut self, least: usize, most: usize) -> bool {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let fits = (least..=most).contains(&count);
        if fits {
            self.0 = self.0.get(count..).unwrap_or_default();
        }
        fits
    }

    /// `2020-01-31`.
    fn date(&mut self) -> bool {
        self.one(|char| char == '-' || char == '+');
        self.digits(4, 9)
            && self.one(|char| char == '-')
            && self.digits(1, 2)
            && self.one(|char| char == '-')
            && self.digits(1, 2)
    }

    /// `10:00`, `10:00:00` or `10:00:00.123`. Consumes what it found of them.
    fn clock(&mut self) -> bool {
        self.0 = self.0.trim_start();
        let minutes = self.digits(1, 2) && self.one(|char| char == ':') && self.digits(1, 2);
        if minutes {
            let before = *self;
            if !(self.one(|char| char == ':') && self.digits(1, 2)) {
                *self = before;
                return true;
            }
            let before = *self;
            if !(self.one(|char| char == '.') && self.digits(1, 12)) {
                *self = before;
            }
        }
        minutes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trino::testing::query;

    fn rewritten(sql: &str) -> Result<String> {
        let mut statement = Statement::Query(query(&format!("SELECT {sql}")));
        zoned(&mut statement)?;
        Ok(statement
            .to_string()
            .trim_start_matches("SELECT ")
            .to_owned())
    }

    #[test]
    fn zones_become_arguments() {
        for (sql, expected) in [
            (
                "TIMESTAMP '2020-01-01 10:00:00 Europe/Berlin'",
                "with_timezone(TIMESTAMP '2020-01-01 10:00:00', 'Europe/Berlin')",
            ),
            (
                "TIMESTAMP '2020-01-01 10:00:00.123+02:00'",
                "with_timezone(TIMESTAMP '2020-01-01 10:00:00.123', '+02:00')",
            ),
            (
                "TIMESTAMP '2020-01-01T10:00Z'",
                "with_timezone(TIMESTAMP '2020-01-01T10:00', 'Z')",
            ),
            (
                "TIMESTAMP '-2020-01-01 UTC'",
                "with_timezone(TIMESTAMP '-2020-01-01', 'UTC')",
            ),
            (
                "TIMESTAMP '2020-01-01 10:00:00'",
                "TIMESTAMP '2020-01-01 10:00:00'",
            ),
            ("TIMESTAMP 'now'", "TIMESTAMP 'now'"),
            ("DECIMAL '-01.50'", "CAST('-01.50' AS DECIMAL(3,2))"),
            ("DECIMAL '0.0'", "CAST('0.0' AS DECIMAL(1,1))"),
            ("DECIMAL 'x'", "DECIMAL 'x'"),
            ("TIME '10:00:00.5'", "TIME '10:00:00.5'"),
            (
                "x AT TIME ZONE 'Asia/Tokyo' AT TIME ZONE INTERVAL -'90' MINUTE",
                "at_timezone(at_timezone(x, 'Asia/Tokyo'), '-01:30')",
            ),
            (
                "x AT TIME ZONE INTERVAL '2' HOUR",
                "at_timezone(x, '+02:00')",
            ),
            (
                "from_iso8601_timestamp('2020-01-01T10:00:00-0230')",
                "at_timezone(from_iso8601_timestamp('2020-01-01T10:00:00-0230'), '-02:30')",
            ),
            (
                "from_iso8601_timestamp('2020-01-01T10Z') = from_iso8601_timestamp('2020-01-01T10')",
                "at_timezone(from_iso8601_timestamp('2020-01-01T10Z'), 'UTC') = from_iso8601_timestamp('2020-01-01T10')",
            ),
            (
                "extract(timezone_hour FROM x) + extract(hour FROM x)",
                "timezone_hour(x) + EXTRACT(HOUR FROM x)",
            ),
        ] {
            assert_eq!(rewritten(sql).unwrap(), expected, "{sql}");
        }
    }

    #[test]
    fn a_time_of_day_has_no_zone() {
        assert!(rewritten("TIME '10:00:00+02:00'").is_err());
        assert!(rewritten("TIME '10:00 UTC'").is_err());
    }
}
