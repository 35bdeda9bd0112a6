//! Arguments of window functions, which the engine takes where the dialects report an error.
//!
//! ```text
//! first_value() OVER w      nth_value(x) OVER w            an error
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
use datafusion::sql::sqlparser::tokenizer::Location;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;

use crate::postgres::UNDEFINED;

/// Functions whose number of arguments the engine does not check, and this number.
const TAKES: [(&str, usize); 3] = [("first_value", 1), ("last_value", 1), ("nth_value", 2)];

/// Checks the arguments of the window functions in a statement. `in_postgres`: offsets that are NULL
/// are rewritten, and calls with another number of arguments become calls that no function fits.
///
/// # Errors
///
/// An offset is out of range; in Trino's dialects, a call has another number of arguments.
pub(crate) fn offsets(statement: &mut Statement, in_postgres: bool) -> Result<()> {
    match walk_mut(statement, &mut Offsets { in_postgres }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Offsets {
    in_postgres: bool,
}

impl VisitorMut for Offsets {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        if let Some((name, count)) = wrong_count(function) {
            if !self.in_postgres {
                let arguments = if count == 1 { "argument" } else { "arguments" };
                let message = format!("function {name} takes {count} {arguments}");
                return ControlFlow::Break(Error::new(Code::FunctionNotFound, message));
            }
            *expr = undefined(function, name);
            return ControlFlow::Continue(());
        }
        match check(function, self.in_postgres) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// Returns the name of a window function and the number of its arguments, if a call has another
/// number of them.
fn wrong_count(function: &Function) -> Option<(&'static str, usize)> {
    function.over.as_ref()?;
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let name = &name.as_ident()?.value;
    let mut known = TAKES.into_iter();
    let (name, count) = known.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let given = match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        _ => 0,
    };
    (given != count).then_some((name, count))
}

/// Returns the call whose error has the types of the arguments of another call.
fn undefined(function: &Function, name: &str) -> Expr {
    let begins = match function.name.0.first().and_then(|part| part.as_ident()) {
        Some(name) => name.span.start,
        None => Location::empty(),
    };
    let number = |number: u64| Expr::value(Value::Number(number.to_string(), false));
    let mut arguments = vec![
        Expr::value(Value::SingleQuotedString(name.to_owned())),
        number(begins.line),
        number(begins.column),
    ];
    if let FunctionArguments::List(list) = &function.args {
        arguments.extend(list.args.iter().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
            _ => None,
        }));
    }
    call(UNDEFINED, arguments)
}

fn check(function: &mut Function, in_postgres: bool) -> Result<()> {
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
        (Some("lag" | "lead"), Offset::Null) if in_postgres => {
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

    #[test]
    fn numbers_of_arguments_are_checked() {
        for (sql, expected) in [
            ("first_value() OVER ()", "'first_value', 1, 8"),
            ("last_value(x, 1) OVER w", "'last_value', 1, 8, x, 1"),
            ("NTH_VALUE(x) OVER w", "'nth_value', 1, 8, x"),
        ] {
            let expected = format!("\"$undefined\"({expected})");
            assert_eq!(rewritten(sql).unwrap(), expected);
            let mut statement = Statement::Query(query(&format!("SELECT {sql}")));
            assert!(offsets(&mut statement, false).is_err(), "{sql}");
        }
        assert!(rewritten("first_value(x) OVER ()").is_ok());
        assert_eq!(rewritten("first_value(x, y)").unwrap(), "first_value(x, y)");
    }
}
