//! Literals of integers among values of one type. The engine would make all of the values `bigint`.
//!
//! ```text
//! CASE WHEN c THEN x ELSE 0 END       CASE WHEN c THEN x ELSE (0)::int END
//! coalesce(x, 0), nullif(x, 0)        coalesce(x, (0)::int), nullif(x, (0)::int)
//! greatest(x, 1), least(x, 1)         greatest(x, (1)::int), least(x, (1)::int)
//! gcd(x, 12), lcm(x, 12)              gcd(x, (12)::int), lcm(x, (12)::int)
//! ```
//!
//! Beside a value of another type, a literal has the type of that value all the same.

use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::super::last_part;
use super::to_integers;

/// Functions whose arguments have one type.
const OF_ONE_TYPE: [&str; 8] = [
    "coalesce", "gcd", "greatest", "ifnull", "lcm", "least", "nullif", "nvl",
];

/// Gives the literals of integers among the values of an expression a type.
pub(in super::super) fn of_one_type(expr: &mut Expr) {
    match expr {
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter_mut().map(|when| &mut when.result);
            let mut results: Vec<&mut Expr> = results.chain(else_result.as_deref_mut()).collect();
            to_integers(&mut results);
        }
        Expr::Function(function) => {
            let name = last_part(&function.name);
            if name.is_some_and(|name| OF_ONE_TYPE.contains(&name.as_str()))
                && let FunctionArguments::List(list) = &mut function.args
            {
                let args = list.args.iter_mut().filter_map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
                    _ => None,
                });
                let mut args: Vec<&mut Expr> = args.collect();
                to_integers(&mut args);
            }
        }
        _ => {}
    }
}
