//! `UNNEST` of maps and of arrays of rows, which have more columns than arguments.
//!
//! ```text
//! UNNEST(m) AS u (k, v)     UNNEST("$unnested"(m, 0, 2), "$unnested"(m, 1, 2)) AS u (k, v)
//! ```
//!
//! The number of names says how many columns the one argument has; the function fails if its type
//! has another number.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Statement, TableFactor, Value, VisitorMut};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;

/// Returns the array of one column of an unnested value.
const UNNESTED: &str = "$unnested";

/// Rewrites the UNNESTs of a statement that name more than one column of their argument.
pub(crate) fn widen(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Unnests);
}

struct Unnests;

impl VisitorMut for Unnests {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::UNNEST {
            alias: Some(alias),
            array_exprs,
            with_ordinality,
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let names = alias
            .columns
            .len()
            .saturating_sub(usize::from(*with_ordinality));
        if let [argument] = array_exprs.as_slice()
            && names > 1
        {
            let number = |number: usize| {
                let number = Value::Number(number.to_string(), false);
                Expr::Value(number.with_empty_span())
            };
            let column = |index| {
                call(
                    UNNESTED,
                    vec![argument.clone(), number(index), number(names)],
                )
            };
            *array_exprs = (0..names).map(column).collect();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    #[test]
    fn names_say_how_many_columns_an_argument_has() {
        for (sql, expected) in [
            (
                "SELECT * FROM UNNEST(m) AS u(k, v)",
                "SELECT * FROM UNNEST(\"$unnested\"(m, 0, 2), \"$unnested\"(m, 1, 2)) AS u (k, v)",
            ),
            (
                "SELECT * FROM UNNEST(a) WITH ORDINALITY AS u(x, n)",
                "SELECT * FROM UNNEST(a) WITH ORDINALITY AS u (x, n)",
            ),
            (
                "SELECT * FROM UNNEST(a, b) AS u(x, y)",
                "SELECT * FROM UNNEST(a, b) AS u (x, y)",
            ),
        ] {
            let mut statement = Statement::Query(query(sql));
            widen(&mut statement);
            assert_eq!(statement.to_string(), expected);
        }
    }
}
