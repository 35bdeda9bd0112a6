//! Calls that name their arguments.
//!
//! ```text
//! make_date(2024, day => 2, month => 1)     make_date(2024, 1, 2)
//! ```

use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::folded;

/// The parameters of PostgreSQL's functions that are called so, besides `make_interval`.
const PARAMETERS: [(&str, &[&str]); 4] = [
    ("make_date", &["year", "month", "day"]),
    ("make_time", &["hour", "min", "sec"]),
    (
        "make_timestamp",
        &["year", "month", "mday", "hour", "min", "sec"],
    ),
    (
        "make_timestamptz",
        &["year", "month", "mday", "hour", "min", "sec", "timezone"],
    ),
];

/// Puts the arguments in the order of the parameters. A call in which one is missing, given twice or
/// unknown stays, and is refused by the engine.
pub(super) fn by_place(function: &str, arguments: &mut FunctionArguments) {
    let FunctionArguments::List(list) = arguments else {
        return;
    };
    if list.args.iter().all(is_unnamed) {
        return;
    }
    let Some((_, parameters)) = PARAMETERS.iter().find(|(known, _)| *known == function) else {
        return;
    };
    let mut placed: Vec<Option<FunctionArgExpr>> = vec![None; parameters.len()];
    for (position, argument) in list.args.iter().enumerate() {
        let (name, value) = match argument {
            FunctionArg::Unnamed(value) => (None, value),
            FunctionArg::Named { name, arg, .. }
            | FunctionArg::ExprNamed {
                name: Expr::Identifier(name),
                arg,
                ..
            } => (Some(folded(name)), arg),
            FunctionArg::ExprNamed { .. } => return,
        };
        let place = match name {
            None => Some(position),
            Some(name) => parameters.iter().position(|known| *known == name),
        };
        match place.and_then(|place| placed.get_mut(place)) {
            Some(free) if free.is_none() => *free = Some(value.clone()),
            _ => return,
        }
    }
    // The last ones may be left out.
    while matches!(placed.last(), Some(None)) {
        placed.pop();
    }
    if let Some(values) = placed.into_iter().collect::<Option<Vec<_>>>() {
        list.args = values.into_iter().map(FunctionArg::Unnamed).collect();
    }
}

fn is_unnamed(argument: &FunctionArg) -> bool {
    matches!(argument, FunctionArg::Unnamed(_))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn placed(call: &str) -> String {
        let dialect = PostgreSqlDialect {};
        let mut parser = Parser::new(&dialect).try_with_sql(call).unwrap();
        let Expr::Function(mut function) = parser.parse_expr().unwrap() else {
            panic!("{call}")
        };
        by_place(&function.name.to_string(), &mut function.args);
        function.to_string()
    }

    #[test]
    fn arguments_are_in_the_order_of_the_parameters() {
        for (call, expected) in [
            (
                "make_date(2024, day => 2, month => 1)",
                "make_date(2024, 1, 2)",
            ),
            (
                "make_time(sec => x, MIN => 2, hour => 1)",
                "make_time(1, 2, x)",
            ),
            ("make_date(1, 2, 3)", "make_date(1, 2, 3)"),
            ("f(a => 1)", "f(a => 1)"),
        ] {
            assert_eq!(placed(call), expected);
        }
    }

    #[test]
    fn calls_that_do_not_fit_stay() {
        for call in [
            "make_date(2024, day => 2)",
            "make_date(2024, year => 2, month => 1)",
            "make_date(years => 2024)",
            "make_date(1, 2, 3, day => 4)",
        ] {
            assert_eq!(placed(call), call);
        }
    }
}
