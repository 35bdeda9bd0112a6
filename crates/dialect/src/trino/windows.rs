//! Offsets of window functions, which the engine takes where the dialects report an error.
//!
//! ```text
//! lag(x, NULL) OVER w       nth_value(x, NULL) OVER w      NULL in PostgreSQL; the engine's offset would be 0
//! nth_value(x, 0)           an error
//! ```
//!
//! `lag(x, -1)` and `lag(x, NULL)` are errors of the functions of Trino's sessions; the first is
//! `lead(x, 1)` in PostgreSQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    Statement, UnaryOperator, Value, VisitorMut,
};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::walk::walk_mut;

/// Checks the offsets in a statement, and rewrites those that are NULL if `nulls` is true.
///
/// # Errors
///
/// An offset is out of range.
pub(crate) fn offsets(statement: &mut Statement, nulls: bool) -> Result<()> {
    match walk_mut(statement, &mut Offsets { nulls }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Offsets {
    /// Whether an offset may be NULL.
    nulls: bool,
}

impl VisitorMut for Offsets {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        match check(function, self.nulls) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn check(function: &mut Function, nulls: bool) -> Result<()> {
    if function.over.is_none() {
        return Ok(());
    }
    let name = match function.name.0.as_slice() {
        [name] => name.as_ident().map(|name| name.value.to_lowercase()),
        _ => None,
    };
    let FunctionArguments::List(list) = &mut function.args else {
        return Ok(());
    };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(offset))) = list.args.get(1) else {
        return Ok(());
    };
    match (name.as_deref(), constant(offset)) {
        (Some("nth_value"), Offset::Number(number)) if number < 1 => Err(Error::new(
            Code::InvalidNthValue,
            format!("the offset of nth_value must be at least 1, not {number}"),
        )),
        (Some("lag" | "lead"), Offset::Null) if nulls => {
            let null = Expr::Value(Value::Null.with_empty_span());
            list.args.truncate(1);
            list.args
                .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(null)));
            function.name = ObjectName::from(vec![Ident::new("nth_value")]);
            Ok(())
        }
        _ => Ok(()),
    }
}

enum Offset {
    Null,
    Number(i64),
    Other,
}

fn constant(expr: &Expr) -> Offset {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Null => Offset::Null,
            Value::Number(number, _) => number.parse().map_or(Offset::Other, Offset::Number),
            _ => Offset::Other,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match constant(expr) {
            Offset::Number(number) => number.checked_neg().map_or(Offset::Other, Offset::Number),
            other => other,
        },
        Expr::Nested(expr) => constant(expr),
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            ..
        } => match constant(expr) {
            Offset::Null => Offset::Null,
            _ => Offset::Other,
        },
        _ => Offset::Other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trino::testing::query;

    fn rewritten(sql: &str) -> Result<String> {
        let mut statement = Statement::Query(query(&format!("SELECT {sql}")));
        offsets(&mut statement, true)?;
        let sql = statement.to_string();
        Ok(sql.trim_start_matches("SELECT ").to_owned())
    }

    #[test]
    fn offsets_are_checked() {
        for sql in [
            "lag(x, 0) OVER ()",
            "lead(x) OVER ()",
            "nth_value(x, 1) OVER ()",
            "nth_value(x, n) OVER ()",
        ] {
            assert_eq!(rewritten(sql).unwrap(), sql);
        }
        assert_eq!(
            rewritten("lag(x, CAST(NULL AS bigint), 7) IGNORE NULLS OVER w").unwrap(),
            "nth_value(x, NULL) IGNORE NULLS OVER w"
        );
        assert!(rewritten("nth_value(x, 0) OVER ()").is_err());
        assert!(rewritten("lead(x, -1) OVER ()").is_ok());
    }
}
