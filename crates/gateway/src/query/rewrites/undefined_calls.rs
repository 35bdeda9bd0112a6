//! Calls that no function fits, whose error in PostgreSQL has the types of their arguments.
//!
//! ```text
//! SELECT f(1, 'x')      SELECT "$undefined"('f', 1, 8, 1, 'x')
//! ```

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use lakegate_dialect::postgres::{UNDEFINED, call_names, folded};
use lakegate_error::{Code, Error};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Value, VisitorMut,
};

use crate::query::logical_plan::plan_statement;

/// Returns an error about a call with the types of its arguments, if PostgreSQL has no function that
/// takes them.
pub(crate) async fn with_types(
    state: &SessionState,
    statement: &ast::Statement,
    error: Error,
) -> Error {
    let Some(name) = function_of(&error) else {
        return error;
    };
    for name in call_names(&name) {
        let Some(marked) = marked(statement, name) else {
            continue;
        };
        let planned = Box::pin(plan_statement(state, marked)).await;
        if let Err(typed) = planned
            && typed.code() == Code::FunctionNotFound
            && typed.operands().is_some()
        {
            return typed;
        }
    }
    error
}

/// Returns the name of the function that an error is about: `f` of `function f(bigint) does not exist`
/// and of `f takes an array`.
fn function_of(error: &Error) -> Option<String> {
    let is_of_call = matches!(
        error.code(),
        Code::FunctionNotFound | Code::InvalidQuery | Code::InvalidParameter
    );
    if !is_of_call || error.operands().is_some() {
        return None;
    }
    let message = error.message();
    let rest = message.strip_prefix("function ").unwrap_or(message);
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.$".contains(c)));
    let name = rest.get(..end.unwrap_or(rest.len()))?;
    let name = name.rsplit('.').next().unwrap_or(name);
    let name = name.to_lowercase();
    (!name.is_empty() && !name.starts_with('$')).then_some(name)
}

/// Returns the statement with the calls of a function marked; `None` if it has none.
fn marked(statement: &ast::Statement, name: &str) -> Option<ast::Statement> {
    let mut statement = statement.clone();
    let mut marks = Marks { name, found: false };
    let _ = walk_mut(&mut statement, &mut marks);
    marks.found.then_some(statement)
}

struct Marks<'a> {
    name: &'a str,
    found: bool,
}

impl VisitorMut for Marks<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(marked) = mark(function, self.name)
        {
            *expr = marked;
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

/// Returns what stands for a call of a function; `None` for a call of another one.
fn mark(function: &mut Function, name: &str) -> Option<Expr> {
    let parts: Vec<&Ident> = function
        .name
        .0
        .iter()
        .filter_map(|part| part.as_ident())
        .collect();
    if folded(parts.last()?) != name {
        return None;
    }
    let begins = parts.first()?.span.start;
    let shown: Vec<String> = parts.iter().map(|part| folded(part)).collect();
    let FunctionArguments::List(list) = &mut function.args else {
        return None;
    };
    let is_plain = |argument: &FunctionArg| {
        matches!(
            argument,
            FunctionArg::Unnamed(FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard)
        )
    };
    if !list.args.iter().all(is_plain) {
        return None;
    }
    let number = |number: u64| Expr::value(Value::Number(number.to_string(), false));
    let mut arguments = vec![
        Expr::value(Value::SingleQuotedString(shown.join("."))),
        number(begins.line),
        number(begins.column),
    ];
    for argument in std::mem::take(&mut list.args) {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = argument {
            arguments.push(value);
        }
    }
    Some(call(UNDEFINED, arguments))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn errors_name_functions() {
        for (code, message, expected) in [
            (
                Code::FunctionNotFound,
                "function f(bigint) does not exist",
                Some("f"),
            ),
            (
                Code::FunctionNotFound,
                "function d.f does not exist",
                Some("f"),
            ),
            (Code::InvalidQuery, "f takes an array", Some("f")),
            (Code::ColumnNotFound, "column \"f\" does not exist", None),
            (Code::FunctionNotFound, "function $f does not exist", None),
            (Code::InvalidQuery, "\"f\" is wrong", None),
        ] {
            let found = function_of(&Error::new(code, message));
            assert_eq!(found.as_deref(), expected, "{message}");
        }
    }

    #[test]
    fn calls_are_marked_with_their_places() {
        let statements = |sql: &str| {
            let mut parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
            parsed.remove(0)
        };
        let changed = marked(&statements("SELECT 1, D.f(x, 'a') OVER (), g(f(*))"), "f");
        assert_eq!(
            changed.unwrap().to_string(),
            "SELECT 1, \"$undefined\"('d.f', 1, 11, x, 'a'), g(\"$undefined\"('f', 1, 34))"
        );
        assert_eq!(marked(&statements("SELECT g(x)"), "f"), None);
    }
}
