//! `time with time zone`, whose values are texts to the engine.
//!
//! ```text
//! x::timetz, TIMETZ '12:00+02'     $timetz_in(x::text), $timetz_in('12:00+02'::text)
//! x::timetz(3)                     $timetz_in(x::text, 3)
//! current_time, current_time(3)    $timetz_in(now()::text), $timetz_in(now()::text, 3)
//! ```

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, TimezoneInfo};

use super::build;
use crate::postgres::functions::TIMETZ_IN;

/// Returns whether a type is `time with time zone`.
pub(super) fn is_zoned(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)
    )
}

/// Rewrites a cast to the type. Returns whether it was one.
pub(super) fn rewrite(expr: &mut Expr) -> bool {
    let (operand, digits) = match expr {
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr: operand,
            data_type,
            ..
        } if is_zoned(data_type) => (build::taken(operand), digits_of(data_type)),
        Expr::TypedString(typed) if is_zoned(&typed.data_type) => (
            Expr::Value(typed.value.clone()),
            digits_of(&typed.data_type),
        ),
        _ => return false,
    };
    *expr = read(operand, digits);
    true
}

/// Returns the digits of the seconds, if the type says how many.
fn digits_of(data_type: &DataType) -> Option<i64> {
    match data_type {
        DataType::Time(digits, _) => digits.and_then(|digits| i64::try_from(digits).ok()),
        _ => None,
    }
}

fn read(operand: Expr, digits: Option<i64>) -> Expr {
    let mut args = vec![build::cast(operand, DataType::Text)];
    args.extend(digits.map(build::integer));
    build::call(TIMETZ_IN, args)
}

/// Returns the replacement of `current_time`, with its precision if it has one.
pub(super) fn current_time(precision: Vec<Expr>) -> Expr {
    let now = build::cast(build::call("now", vec![]), DataType::Text);
    let args = std::iter::once(now).chain(precision);
    build::call(TIMETZ_IN, args.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(sql: &str) -> String {
        let parser = Parser::new(&PostgreSqlDialect {});
        let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
        rewrite(&mut expr);
        expr.to_string()
    }

    #[test]
    fn casts_and_literals_are_read() {
        for (sql, expected) in [
            ("x::TIMETZ", "\"$timetz_in\"(x::TEXT)"),
            ("CAST(x AS TIME WITH TIME ZONE)", "\"$timetz_in\"(x::TEXT)"),
            ("TIMETZ '12:00+02'", "\"$timetz_in\"('12:00+02'::TEXT)"),
            ("x::TIMETZ(3)", "\"$timetz_in\"(x::TEXT, 3)"),
            ("x::TIME", "x::TIME"),
            ("TRY_CAST(x AS TIMETZ)", "TRY_CAST(x AS TIMETZ)"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        assert_eq!(
            current_time(vec![build::integer(0)]).to_string(),
            "\"$timetz_in\"(now()::TEXT, 0)"
        );
    }
}
