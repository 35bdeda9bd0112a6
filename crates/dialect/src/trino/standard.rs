//! Standard SQL that the engine's planner does not take, in every dialect.
//!
//! ```text
//! INTERVAL '1-2' YEAR TO MONTH            INTERVAL '1 years 2 months', in Trino
//! INTERVAL '1 02:03' DAY TO MINUTE        INTERVAL '1 days 2 hours 3 minutes', in Trino
//! current_timestamp(3)                    CAST(current_timestamp AS TIMESTAMP(3) WITH TIME ZONE)
//! current_timestamp, now()                the same, in Trino
//! normalize(x, NFD)                       normalize(x, 'NFD')
//! listagg(x, ',' ON OVERFLOW ERROR)       listagg(x, ',')
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, Ident, Interval, ListAggOnOverflow, ObjectName,
    Statement, TimezoneInfo, UnaryOperator, Value, ValueWithSpan, VisitorMut,
};
use lakegate_sql::walk::walk_mut;

/// Rewrites a statement in place. In Trino, the sign of a period applies to all of its fields, and the
/// clock has milliseconds where no precision is written. PostgreSQL's periods have a reader of their
/// own.
pub(crate) fn spell_out(statement: &mut Statement, in_trino: bool) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Standard { in_trino });
}

struct Standard {
    in_trino: bool,
}

/// The digits of a second that Trino's clock shows.
const MILLISECONDS: u64 = 3;

impl VisitorMut for Standard {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Interval(interval) if self.in_trino => {
                if let Some(words) = words(interval) {
                    *interval.value =
                        Expr::Value(Value::SingleQuotedString(words).with_empty_span());
                    (interval.leading_field, interval.last_field) = (None, None);
                }
            }
            Expr::Function(function) => {
                if let Some(now) = clock(function, self.in_trino) {
                    *expr = now;
                } else if let FunctionArguments::List(list) = &mut function.args {
                    // The other form cuts the result.
                    list.clauses.retain(|clause| {
                        !matches!(
                            clause,
                            FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Error)
                        )
                    });
                    if function.name.to_string().eq_ignore_ascii_case("normalize")
                        && let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(form))] =
                            list.args.as_mut_slice()
                    {
                        named_form(form);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Makes the name of a normal form a text.
fn named_form(form: &mut Expr) {
    if let Expr::Identifier(name) = form
        && name.quote_style.is_none()
        && ["NFC", "NFD", "NFKC", "NFKD"]
            .iter()
            .any(|form| name.value.eq_ignore_ascii_case(form))
    {
        let name = Value::SingleQuotedString(name.value.to_uppercase());
        *form = Expr::Value(name.with_empty_span());
    }
}

/// `current_timestamp(3)` and the like as casts of what the clock shows. Times of day have no
/// precision of their own.
fn clock(function: &Function, in_trino: bool) -> Option<Expr> {
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let arguments = match &function.args {
        FunctionArguments::None => &[][..],
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::Subquery(_) => return None,
    };
    let precision = match arguments {
        [] if in_trino => MILLISECONDS,
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] => match &value.value {
            Value::Number(precision, _) => precision.parse().ok()?,
            _ => return None,
        },
        _ => return None,
    };
    let precision = Some(precision);
    let name = name.as_ident().filter(|name| name.quote_style.is_none())?;
    let now = |name: &str| {
        Expr::Function(Function {
            name: ObjectName::from(vec![Ident::new(name)]),
            args: FunctionArguments::None,
            ..function.clone()
        })
    };
    let cast = |expr: Expr, data_type: DataType| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    };
    let local = DataType::Timestamp(precision, TimezoneInfo::None);
    Some(match name.value.to_ascii_lowercase().as_str() {
        "now" if !arguments.is_empty() => return None,
        // It has a zone in PostgreSQL, and a precision of its own.
        "current_time" if !in_trino => return None,
        "current_timestamp" | "now" => cast(
            now("current_timestamp"),
            DataType::Timestamp(precision, TimezoneInfo::WithTimeZone),
        ),
        "localtimestamp" => cast(now("localtimestamp"), local),
        "current_time" | "localtime" => cast(
            cast(now("localtimestamp"), local),
            DataType::Time(None, TimezoneInfo::None),
        ),
        _ => return None,
    })
}

/// Returns the words of an interval with two fields; `None` if it is no such interval.
fn words(interval: &Interval) -> Option<String> {
    use DateTimeField as Field;
    let last = interval.last_field.as_ref()?;
    let (mut negated, text) = match interval.value.as_ref() {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }) => (false, text.as_str()),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(ValueWithSpan {
                value: Value::SingleQuotedString(text),
                ..
            }) => (true, text.as_str()),
            _ => return None,
        },
        _ => return None,
    };
    let text = text.trim();
    let unsigned = match text.strip_prefix('-') {
        Some(rest) => {
            negated = !negated;
            rest
        }
        None => text.strip_prefix('+').unwrap_or(text),
    };
    let fields: &[(&str, char)] = match (interval.leading_field.as_ref()?, last) {
        (Field::Year, Field::Month) => &[("years", '-'), ("months", ' ')],
        (Field::Day, Field::Hour) => &[("days", ' '), ("hours", ' ')],
        (Field::Day, Field::Minute) => &[("days", ' '), ("hours", ':'), ("minutes", ' ')],
        (Field::Day, Field::Second) => &[
            ("days", ' '),
            ("hours", ':'),
            ("minutes", ':'),
            ("seconds", ' '),
        ],
        (Field::Hour, Field::Minute) => &[("hours", ':'), ("minutes", ' ')],
        (Field::Hour, Field::Second) => &[("hours", ':'), ("minutes", ':'), ("seconds", ' ')],
        (Field::Minute, Field::Second) => &[("minutes", ':'), ("seconds", ' ')],
        _ => return None,
    };
    let mut rest = unsigned;
    let mut words = Vec::new();
    for (at, (name, separator)) in fields.iter().enumerate() {
        let number = if at + 1 == fields.len() {
            std::mem::take(&mut rest)
        } else {
            let (number, after) = rest.split_once(*separator)?;
            rest = after.trim_start();
            number
        };
        let number = number.trim_end();
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if *name == "seconds" => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let sign = if negated { "-" } else { "" };
        words.push(format!("{sign}{number} {name}"));
    }
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    fn rewritten(sql: &str, in_trino: bool) -> String {
        let mut statement = Statement::Query(query(&format!("SELECT {sql}")));
        spell_out(&mut statement, in_trino);
        let sql = statement.to_string();
        sql.trim_start_matches("SELECT ").to_owned()
    }

    #[test]
    fn fields_and_precisions_are_spelled_out() {
        for (sql, expected) in [
            (
                "INTERVAL '1-2' YEAR TO MONTH",
                "INTERVAL '1 years 2 months'",
            ),
            (
                "INTERVAL -'1-2' YEAR TO MONTH",
                "INTERVAL '-1 years -2 months'",
            ),
            (
                "INTERVAL '1 02:03:04.5' DAY TO SECOND",
                "INTERVAL '1 days 02 hours 03 minutes 04.5 seconds'",
            ),
            (
                "INTERVAL '-1 02' DAY TO HOUR",
                "INTERVAL '-1 days -02 hours'",
            ),
            (
                "INTERVAL '90:30' MINUTE TO SECOND",
                "INTERVAL '90 minutes 30 seconds'",
            ),
            ("INTERVAL '3' DAY", "INTERVAL '3' DAY"),
            (
                "INTERVAL '1:2:3' HOUR TO MINUTE",
                "INTERVAL '1:2:3' HOUR TO MINUTE",
            ),
            (
                "current_timestamp(3)",
                "CAST(current_timestamp AS TIMESTAMP(3) WITH TIME ZONE)",
            ),
            (
                "localtime(0)",
                "CAST(CAST(localtimestamp AS TIMESTAMP(0)) AS TIME)",
            ),
            (
                "current_timestamp, now(), now(3)",
                "CAST(current_timestamp AS TIMESTAMP(3) WITH TIME ZONE), CAST(current_timestamp AS TIMESTAMP(3) WITH TIME ZONE), now(3)",
            ),
            (
                "localtimestamp, localtimestamp(6)",
                "CAST(localtimestamp AS TIMESTAMP(3)), CAST(localtimestamp AS TIMESTAMP(6))",
            ),
            (
                "normalize(x, nfd), normalize(x, y)",
                "normalize(x, 'NFD'), normalize(x, y)",
            ),
            ("listagg(x, ',' ON OVERFLOW ERROR)", "listagg(x, ',')"),
        ] {
            assert_eq!(rewritten(sql, true), expected, "{sql}");
        }
    }

    #[test]
    fn the_clock_of_postgres_has_microseconds() {
        let sql = "current_timestamp, now(), localtimestamp";
        assert_eq!(rewritten(sql, false), sql);
    }

    #[test]
    fn intervals_of_postgres_stay() {
        for sql in [
            "INTERVAL '-1 02' DAY TO HOUR",
            "INTERVAL '1-2' YEAR TO MONTH",
        ] {
            assert_eq!(rewritten(sql, false), sql);
        }
    }
}
