//! Set-returning functions in CASE and COALESCE, which evaluate some of their operands only:
//! PostgreSQL refuses them there.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Function};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::walk_own_expressions;

/// Checks an expression whose calls of set-returning functions are calls of `unnest` already.
///
/// # Errors
///
/// The expression is a CASE or a COALESCE of a set-returning function.
pub(super) fn check(expr: &Expr) -> Result<(), Error> {
    let place = match expr {
        Expr::Case { .. } => "CASE",
        Expr::Function(function) if is_named(function, "coalesce") => "COALESCE",
        _ => return Ok(()),
    };
    let found = walk_own_expressions(expr, |part| match part {
        Expr::Function(function) if is_named(function, "unnest") => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::new(
            Code::NotSupported,
            format!("set-returning functions are not allowed in {place}"),
        )
        .with_hint("call the function in FROM, with LATERAL if it reads columns")),
    }
}

/// Returns whether a function is called by this name, without quotes and a schema.
fn is_named(function: &Function, expected: &str) -> bool {
    let [name] = function.name.0.as_slice() else {
        return false;
    };
    let name = name.as_ident().filter(|name| name.quote_style.is_none());
    name.is_some_and(|name| name.value.eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn sets_are_refused_outside_of_subqueries() {
        for (sql, refused) in [
            ("CASE WHEN a THEN unnest(b) END", true),
            ("CASE unnest(b) WHEN 1 THEN 2 END", true),
            ("Coalesce(1 + UNNEST(b), 0)", true),
            ("CASE WHEN a THEN (SELECT unnest(b)) END", false),
            ("coalesce((SELECT max(x) FROM unnest(b) x), 0)", false),
            ("unnest(coalesce(b, c))", false),
            ("abs(unnest(b))", false),
        ] {
            let mut parser = Parser::new(&PostgreSqlDialect {});
            parser = parser.try_with_sql(sql).unwrap();
            let expr = parser.parse_expr().unwrap();
            assert_eq!(check(&expr).is_err(), refused, "{sql}");
        }
    }
}
