//! `UNNEST` of maps and of arrays of rows, which have more columns than arguments.
//!
//! ```text
//! UNNEST(m) AS u (k, v)     UNNEST("$unnested"(m, 0, 2), "$unnested"(m, 1, 2)) AS u (k, v)
//! ```
//!
//! The number of names says how many columns the one argument has; the function fails if its type
//! has another number. A cast to an array of rows says it itself.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Query, SelectItem, SetExpr, Statement, TableFactor, Value, VisitorMut,
};
use lakegate_sql::trino::{CAST, call};
use lakegate_sql::walk::walk_mut;

use super::rewrite::is_named;

/// Returns the array of one column of an unnested value.
const UNNESTED: &str = "$unnested";
/// Marks a relation whose columns the planner finds by the types of the arguments.
const ROWS: &str = "$unnest_rows";

/// Returns whether a call stands for the columns of an UNNEST.
pub(crate) fn is_unnest(call: &Function) -> bool {
    is_named(call, ROWS)
}

/// Marks the UNNESTs of a statement that do not name each of their arguments: in Trino, a map and an
/// array of rows have several columns even without names.
///
/// ```text
/// UNNEST(x, y) AS t     LATERAL (SELECT "$unnest_rows"(false, x, y)) AS t
/// ```
pub(crate) fn by_type(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut ByType);
}

struct ByType;

impl VisitorMut for ByType {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::UNNEST {
            alias,
            array_exprs,
            with_ordinality,
            with_offset: false,
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let names = alias.as_ref().map_or(0, |alias| alias.columns.len());
        let named = names == array_exprs.len() + usize::from(*with_ordinality);
        if named && !array_exprs.iter().any(is_rows) {
            return ControlFlow::Continue(());
        }
        let Some(mut subquery) = one_row() else {
            return ControlFlow::Continue(());
        };
        let ordinality = Value::Boolean(*with_ordinality).with_empty_span();
        let mut arguments = vec![Expr::Value(ordinality)];
        arguments.append(array_exprs);
        if let SetExpr::Select(select) = subquery.body.as_mut() {
            select.projection = vec![SelectItem::UnnamedExpr(call(ROWS, arguments))];
        }
        *factor = TableFactor::Derived {
            lateral: true,
            subquery,
            alias: alias.take(),
            sample: None,
        };
        ControlFlow::Continue(())
    }
}

/// Whether an expression is a cast to an array of rows.
fn is_rows(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else {
        return false;
    };
    let FunctionArguments::List(list) = &function.args else {
        return false;
    };
    let is_cast = matches!(function.name.0.as_slice(), [name]
        if name.as_ident().is_some_and(|name| name.value == CAST));
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { data_type, .. }))) =
        list.args.last()
    else {
        return false;
    };
    let DataType::Array(ArrayElemTypeDef::AngleBracket(item)) = data_type else {
        return false;
    };
    is_cast && matches!(item.as_ref(), DataType::Struct(..))
}

/// A query without a table.
fn one_row() -> Option<Box<Query>> {
    let parsed = lakegate_sql::parse("SELECT 1").ok()?;
    match parsed.into_iter().next()?.statement {
        lakegate_sql::Statement::Query(query) => Some(query),
        _ => None,
    }
}

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
            && !is_rows(argument)
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

    #[test]
    fn unnamed_columns_are_found_by_type() {
        for (sql, expected) in [
            (
                "SELECT * FROM UNNEST(a) AS u(x)",
                "SELECT * FROM UNNEST(a) AS u (x)",
            ),
            (
                "SELECT * FROM UNNEST(CAST(a AS ARRAY(ROW(x BIGINT)))) AS u(x)",
                "SELECT * FROM LATERAL (SELECT \"$unnest_rows\"(false, \"$cast\"(a, CAST(NULL AS ARRAY<STRUCT(x BIGINT)>)))) AS u (x)",
            ),
            (
                "SELECT * FROM UNNEST(a, b) WITH ORDINALITY AS u",
                "SELECT * FROM LATERAL (SELECT \"$unnest_rows\"(true, a, b)) AS u",
            ),
            (
                "SELECT * FROM UNNEST(a, b) AS u(x, y, z)",
                "SELECT * FROM LATERAL (SELECT \"$unnest_rows\"(false, a, b)) AS u (x, y, z)",
            ),
        ] {
            let mut statement = Statement::Query(query(sql));
            widen(&mut statement);
            by_type(&mut statement);
            assert_eq!(statement.to_string(), expected);
        }
    }
}
