//! Time expressions and functions, rewritten for the engine.
//!
//! ```text
//! INTERVAL '1-2 3 04:05'         INTERVAL '14 months 3 days 14700.000000 seconds'     the engine reads fewer forms
//! '1.25 s'::INTERVAL(1)          INTERVAL '0 months 0 days 1.300000 seconds'
//! INTERVAL '1.25' SECOND(1)      the same
//! INTERVAL '2:03' HOUR TO SECOND INTERVAL '0 months 0 days 7380.000000 seconds'
//! '1 day 2:03'::INTERVAL DAY     INTERVAL '0 months 1 days 0.000000 seconds'
//! x::INTERVAL DAY                see interval_fields.rs
//! t AT TIME ZONE 'x'             timezone('x', t)                                     the engine makes a cast of it
//! age(a, b), age(b)              age_between(a, b), age_between(current_date, b)
//! make_interval(days => n)       INTERVAL '0 seconds' + n * INTERVAL '1 day'
//! localtimestamp                 CAST(now() AS timestamp)
//! ```

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    Interval, TimezoneInfo, Value,
};
use lakegate_engine::time::{
    AGE, AT_TIME_ZONE, LastField, interval_in_words, rounded_interval_in_words,
};
use lakegate_error::Error;

use super::{build, calls, folded, interval_fields};

/// A literal interval, as its type says that it is read.
pub(super) struct Typed<'a> {
    text: &'a str,
    /// The last field of the type; `None` if it has all.
    last: Option<LastField>,
    /// The digits that seconds are rounded to.
    digits: u64,
}

/// Rewrites a literal interval, or `AT TIME ZONE`. `is_postgres`: fields are those of PostgreSQL's types.
///
/// # Errors
///
/// The text is not an interval.
pub(super) fn rewrite(expr: &mut Expr, is_postgres: bool) -> Result<(), Error> {
    let typed = match &*expr {
        Expr::Interval(interval) => of_fields(interval, is_postgres),
        other => typed_interval(other, is_postgres),
    };
    if let Some(typed) = typed {
        let words = rounded_interval_in_words(typed.text, typed.last, typed.digits)?;
        *expr = build::interval(&words)?;
        return Ok(());
    }
    match expr {
        Expr::Interval(interval) if interval.leading_field.is_none() => {
            if let Expr::Value(value) = interval.value.as_mut()
                && let Value::SingleQuotedString(text) = &mut value.value
            {
                *text = interval_in_words(text)?;
            }
        }
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => {
            let args = vec![time_zone.as_ref().clone(), timestamp.as_ref().clone()];
            *expr = build::call(AT_TIME_ZONE, args);
        }
        _ => {}
    }
    Ok(())
}

/// Digits of the fraction of a second that every time and interval has.
pub(super) const MICROSECONDS: u64 = 6;

/// Returns a literal with fields or digits; `None` for others. In other dialects than PostgreSQL's, only
/// one whose last field is the second.
fn of_fields(interval: &Interval, is_postgres: bool) -> Option<Typed<'_>> {
    let text = calls::text_of(&interval.value)?;
    let (first, last) = (
        interval.leading_field.as_ref(),
        interval.last_field.as_ref(),
    );
    let digits = interval.fractional_seconds_precision;
    let (last, digits) = match (first, last, interval.leading_precision) {
        (None, None, None) => (None, digits?),
        (Some(DateTimeField::Second), None, Some(digits)) => (Some(LastField::Second), digits),
        (Some(first), last, None) => {
            let is_known = is_postgres || last == Some(&DateTimeField::Second);
            let last = interval_fields::last_written(first, last).filter(|_| is_known)?;
            (Some(last), digits.unwrap_or(MICROSECONDS))
        }
        _ => return None,
    };
    Some(Typed { text, last, digits })
}

/// Returns a literal that is cast to an interval with fields or digits; `None` for any other expression.
pub(super) fn typed_interval(expr: &Expr, is_postgres: bool) -> Option<Typed<'_>> {
    let Expr::Cast {
        expr,
        data_type: DataType::Interval { fields, precision },
        ..
    } = expr
    else {
        return None;
    };
    let last = match fields {
        None => None,
        Some(fields) => Some(interval_fields::last_of_type(fields)).filter(|_| is_postgres),
    };
    let digits = match last {
        None => (*precision).filter(|_| fields.is_none())?,
        Some(_) => precision.unwrap_or(MICROSECONDS),
    };
    let text = calls::text_of(expr)?;
    Some(Typed { text, last, digits })
}

/// Returns the replacement of a call, or `None` if it stays unchanged.
pub(super) fn call(name: &str, args: &[Expr]) -> Option<Expr> {
    match (name, args) {
        ("age", [to, from]) => Some(build::call(AGE, vec![to.clone(), from.clone()])),
        ("age", [since]) => {
            let today = build::call("current_date", vec![]);
            Some(build::call(AGE, vec![today, since.clone()]))
        }
        ("transaction_timestamp", []) => Some(build::call("now", vec![])),
        ("timeofday", []) => {
            let template = build::text("Dy Mon DD HH24:MI:SS.US YYYY TZ");
            Some(build::call(
                "to_char",
                vec![build::call("clock_timestamp", vec![]), template],
            ))
        }
        ("localtimestamp", []) => Some(now_as(DataType::Timestamp(None, TimezoneInfo::None))),
        ("localtime", []) => Some(now_as(DataType::Time(None, TimezoneInfo::None))),
        _ => None,
    }
}

/// The parameters of `make_interval`, with an interval of one of each.
const PARTS: [(&str, &str); 7] = [
    ("years", "1 year"),
    ("months", "1 month"),
    ("weeks", "7 days"),
    ("days", "1 day"),
    ("hours", "1 hour"),
    ("mins", "1 minute"),
    ("secs", "1 second"),
];

/// Returns the replacement of `make_interval(…)`, whose arguments may be named; `None` if one is
/// not known.
///
/// # Errors
///
/// The parser does not read an interval.
pub(super) fn made_interval(args: &FunctionArguments) -> Result<Option<Expr>, Error> {
    let FunctionArguments::List(list) = args else {
        return Ok(None);
    };
    let mut sum = build::interval("0 seconds")?;
    for (place, argument) in list.args.iter().enumerate() {
        let (part, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (PARTS.get(place), value),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                let name = folded(name);
                (PARTS.iter().find(|(known, _)| *known == name), value)
            }
            _ => return Ok(None),
        };
        let Some((part, unit)) = part else {
            return Ok(None);
        };
        let data_type = match *part {
            "secs" => DataType::DoublePrecision,
            _ => DataType::Integer(None),
        };
        let value = Expr::Nested(Box::new(calls::typed(value, data_type)));
        let product = build::binary(value, BinaryOperator::Multiply, build::interval(unit)?);
        sum = build::binary(sum, BinaryOperator::Plus, product);
    }
    Ok(Some(Expr::Nested(Box::new(sum))))
}

fn now_as(data_type: DataType) -> Expr {
    build::cast(build::call("now", vec![]), data_type)
}
