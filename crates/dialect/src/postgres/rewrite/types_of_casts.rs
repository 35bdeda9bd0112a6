//! `pg_typeof` of values of types that the engine has as others.
//!
//! ```text
//! pg_typeof(x::varchar(2))     pg_typeof("$of_varchar"(x::varchar(2)))
//! pg_typeof(x::oid[])          pg_typeof("$oid_list"(x::oid[]))
//! ```

use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::{build, folded};
use crate::postgres::output_types::shown_as;

/// Gives the argument of `pg_typeof` the type that its casts say.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    let name = function.name.0.last().and_then(|name| name.as_ident());
    if name.is_none_or(|name| folded(name) != "pg_typeof") {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] = list.args.as_mut_slice()
        && let Some(marks) = marks_as(value)
    {
        let marked = build::taken(value);
        *value = build::call(marks, vec![marked]);
    }
}

/// Returns the function that marks a value with its type.
fn marks_as(value: &Expr) -> Option<&'static str> {
    Some(match shown_as(value)? {
        "bpchar" => "$of_bpchar",
        "bpchar[]" => "$of_bpchars",
        "oid[]" => "$oid_list",
        "varchar" => "$of_varchar",
        "varchar[]" => "$of_varchars",
        _ => return None,
    })
}
