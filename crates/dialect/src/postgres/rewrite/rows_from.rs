//! `ROWS FROM (…)`: the rows of several functions side by side, with NULLs where one has fewer.
//!
//! ```text
//! "$rows_from"(unnest(a), upper(b)) AS x (a, b)
//!     LATERAL (SELECT unnest(a) AS a, unnest(ARRAY[upper(b)]) AS b) AS x
//! "$rows_from"(unnest(a), unnest(b)) WITH ORDINALITY AS x (a, b, n)
//!     LATERAL (SELECT unnest(a) AS a, unnest(b) AS b, unnest(generate_series(1,
//!         greatest(array_length(a, 1), array_length(b, 1)))) AS n) AS x
//! ```

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, Ident, ObjectName, TableAlias, TableFactor,
};
use lakegate_engine::apart_in_relation;
use lakegate_error::Error;
use lakegate_sql::ROWS_FROM;

use super::{build, copies, folded, last_part, tables};

/// Makes a subquery of the functions, whose calls are rewritten already. The parser has named all
/// columns.
///
/// # Errors
///
/// A function that is written twice, to count the rows, has too many parts.
pub(super) fn rewrite(factor: &mut TableFactor) -> Result<(), Error> {
    let (items, ordinality, alias) = match factor {
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality,
            alias: Some(alias),
            ..
        } if is_rows_from(name) => (calls(&args.args), *with_ordinality, alias.clone()),
        TableFactor::Function {
            name,
            args,
            with_ordinality,
            alias: Some(alias),
            ..
        } if is_rows_from(name) => (calls(args), *with_ordinality, alias.clone()),
        _ => return Ok(()),
    };
    let Some(mut items) = items else {
        return Ok(());
    };
    if ordinality {
        copies::check(&items, 2)?;
    }
    let mut lengths = Vec::with_capacity(items.len());
    for item in &mut items {
        match list_of(item) {
            Some(list) => lengths.push(build::call("array_length", vec![list, build::integer(1)])),
            // Any other function has one row.
            None => {
                let row = build::array(vec![build::taken(item)]);
                *item = build::call("unnest", vec![row]);
                lengths.push(build::integer(1));
            }
        }
    }
    if ordinality {
        let length = match lengths.len() {
            1 => lengths.remove(0),
            _ => build::call("greatest", lengths),
        };
        let numbers = build::call("generate_series", vec![build::integer(1), length]);
        items.push(build::call("unnest", vec![numbers]));
    }
    let names = different(&alias);
    let items = items
        .into_iter()
        .zip(names)
        .map(|(item, name)| build::aliased(item, name));
    let columns = items.collect();
    *factor = tables::derived(columns, Some(alias), ROWS_FROM, &[])?;
    Ok(())
}

fn is_rows_from(name: &ObjectName) -> bool {
    last_part(name).is_some_and(|name| name == ROWS_FROM)
}

fn calls(args: &[FunctionArg]) -> Option<Vec<Expr>> {
    args.iter().map(build::argument).collect()
}

/// Returns the names of the columns, which are different for the planner.
fn different(alias: &TableAlias) -> Vec<Ident> {
    let mut taken = BTreeSet::new();
    let columns = alias.columns.iter().enumerate();
    columns
        .map(|(place, column)| match taken.insert(folded(&column.name)) {
            true => column.name.clone(),
            false => Ident::with_quote('"', apart_in_relation(&folded(&column.name), place)),
        })
        .collect()
}

/// Returns the list whose items are the rows of a set-returning function: the argument of `unnest`,
/// around which a function of each item may be.
fn list_of(expr: &Expr) -> Option<Expr> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let mut args = build::arguments(&function.args)?;
    let (Some(arg), true) = (args.pop(), args.is_empty()) else {
        return None;
    };
    match last_part(&function.name)?.as_str() {
        "unnest" => Some(arg),
        _ => list_of(&arg),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::with_select;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_select(sql, |select| {
            for table in &mut select.from {
                rewrite(&mut table.relation).unwrap();
            }
        })
    }

    #[test]
    fn functions_are_columns_of_a_subquery() {
        assert_eq!(
            rewritten(
                r#"SELECT * FROM "$rows_from"(unnest(t.a), "$m"(unnest(b)), upper('c')) AS x (a, b, c)"#
            ),
            r#"SELECT * FROM LATERAL (SELECT unnest(t.a) AS a, "$m"(unnest(b)) AS b, unnest(ARRAY[upper('c')]) AS c) AS x"#
        );
        assert_eq!(
            rewritten(
                r#"SELECT * FROM "$rows_from"(unnest(t.a), upper('c')) WITH ORDINALITY AS x (a, b, n)"#
            ),
            "SELECT * FROM LATERAL (SELECT unnest(t.a) AS a, unnest(ARRAY[upper('c')]) AS b, unnest(generate_series(1, greatest(array_length(t.a, 1), 1))) AS n) AS x"
        );
        let same = "SELECT * FROM f(a) AS x (a)";
        assert_eq!(rewritten(same), same);
    }
}
