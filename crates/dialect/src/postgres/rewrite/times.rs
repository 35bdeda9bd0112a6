//! Time expressions and functions, rewritten for the engine.
//!
//! ```text
//! INTERVAL '1-2 3 04:05'         INTERVAL '14 months 3 days 14700.000000 seconds'     the engine reads fewer forms
//! t AT TIME ZONE 'x'             timezone('x', t)                                     the engine makes a cast of it
//! age(a, b)                      age_between(a, b)                                    age(x) is of a transaction
//! localtimestamp                 CAST(now() AS timestamp)
//! ```

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, TimezoneInfo, Value};
use lakegate_engine::time::{AGE, AT_TIME_ZONE, interval_in_words};
use lakegate_error::Error;

use super::build;

/// Rewrites a literal interval, or `AT TIME ZONE`.
///
/// # Errors
///
/// The text is not an interval.
pub(super) fn rewrite(expr: &mut Expr) -> Result<(), Error> {
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

/// Returns the replacement of a call, or `None` if it stays unchanged.
pub(super) fn call(name: &str, args: &[Expr]) -> Option<Expr> {
    match (name, args) {
        ("age", [to, from]) => Some(build::call(AGE, vec![to.clone(), from.clone()])),
        // Each statement is its own transaction for these functions.
        ("transaction_timestamp" | "statement_timestamp" | "clock_timestamp", []) => {
            Some(build::call("now", vec![]))
        }
        ("timeofday", []) => {
            let template = build::text("Dy Mon DD HH24:MI:SS.US YYYY TZ");
            Some(build::call(
                "to_char",
                vec![build::call("now", vec![]), template],
            ))
        }
        ("localtimestamp", []) => Some(now_as(DataType::Timestamp(None, TimezoneInfo::None))),
        ("localtime", []) => Some(now_as(DataType::Time(None, TimezoneInfo::None))),
        _ => None,
    }
}

fn now_as(data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(build::call("now", vec![])),
        data_type,
        array: false,
        format: None,
    }
}
