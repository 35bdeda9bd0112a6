//! `ROWS FROM (…)`: the rows of several functions side by side, with NULLs where one has fewer.
//!
//! ```text
//! "$rows_from"(unnest(a), upper(b)) AS x (a, b)
//!     LATERAL (SELECT unnest(a) AS a, unnest(ARRAY[upper(b)]) AS b) AS x
//! "$rows_from"(unnest(a), unnest(b)) WITH ORDINALITY AS x (a, b, n)
//!     LATERAL (SELECT unnest(a) AS a, unnest(b) AS b, unnest(generate_series(1,
//!         greatest(array_length(a, 1), array_length(b, 1)))) AS n) AS x
//! "$rows_from"(unnest("$json_entries"(j)), unnest(a)) AS x (key, value, a)
//!     LATERAL (SELECT unnest(json_object_keys(j)) AS key, "$json_kept"(unnest("$json_values"(j))) AS value, …
//! "$rows_from"(named_struct('grantor', unnest("$acl_grantor"(l)), …)) AS x (…)
//!     LATERAL (SELECT unnest("$acl_grantor"(l)) AS grantor, …) AS x
//! "$rows_from"(json_to_recordset(j, 'a'), unnest(b)) AS x (a int, b)
//!     LATERAL (SELECT unnest("$json_column"(j, 'a'))::int AS a, unnest(b) AS b) AS x
//! ```

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, Ident, ObjectName, SelectItem, TableAlias, TableAliasColumnDef,
    TableFactor, Value,
};
use lakegate_engine::apart_in_relation;
use lakegate_error::Error;
use lakegate_sql::ROWS_FROM;

use super::{acl, build, copies, folded, json, last_part, tables};

/// Makes a subquery of the functions, whose calls are rewritten already. The parser has named all
/// columns.
///
/// # Errors
///
/// A function that is written more than once has too many parts, or its columns are not supported.
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
    let Some(items) = items else {
        return Ok(());
    };
    let uses = 1 + usize::from(ordinality);
    let mut types = alias.columns.iter().map(|column| column.data_type.clone());
    let (mut columns, mut lengths) = (Vec::new(), Vec::new());
    for item in items {
        let of = match Row::of(&item) {
            Some(row) => {
                copies::check(&item, uses * row.names.len())?;
                let types = types.by_ref().take(row.names.len()).collect();
                row.columns(types)?
            }
            None => {
                copies::check(&item, uses)?;
                types.next();
                match list_of(&item) {
                    Some(list) => vec![(item, length_of(list))],
                    // Any other function has one row.
                    None => vec![(one_row(item), build::integer(1))],
                }
            }
        };
        let (of, counts): (Vec<Expr>, Vec<Expr>) = of.into_iter().unzip();
        columns.extend(of);
        // All columns of a function have as many rows.
        lengths.extend(counts.into_iter().next());
    }
    if ordinality {
        let length = match lengths.len() {
            1 => lengths.remove(0),
            _ => build::call("greatest", lengths),
        };
        let numbers = build::call("generate_series", vec![build::bigint(1), length]);
        columns.push(build::call("unnest", vec![numbers]));
    }
    let names = different(&alias);
    let columns = columns
        .into_iter()
        .zip(names)
        .map(|(column, name)| build::aliased(column, name));
    let columns = columns.collect();
    *factor = tables::derived(columns, Some(alias), ROWS_FROM)?;
    Ok(())
}

/// A function that returns rows of several columns.
struct Row {
    function: String,
    /// Its argument.
    value: Expr,
    names: Vec<String>,
}

impl Row {
    /// Returns the function of rows that a call is.
    fn of(item: &Expr) -> Option<Self> {
        let Expr::Function(called) = item else {
            return None;
        };
        let function = last_part(&called.name)?;
        let mut args = build::arguments(&called.args)?.into_iter();
        let value = args.next()?;
        if function == "named_struct" {
            return Some(Self {
                function: "aclexplode".to_owned(),
                value: acl::of_first(&args.next()?)?,
                names: acl::COLUMNS.map(|(name, _)| name.to_owned()).into(),
            });
        }
        if function == "unnest" {
            let (Expr::Function(entries), None) = (&value, args.next()) else {
                return None;
            };
            return Some(Self {
                function: json::each_of(&last_part(&entries.name)?)?.to_owned(),
                value: build::arguments(&entries.args)?.into_iter().next()?,
                names: ["key", "value"].map(str::to_owned).into(),
            });
        }
        let records = [
            "json_to_record",
            "json_to_recordset",
            "jsonb_to_record",
            "jsonb_to_recordset",
        ];
        if !records.contains(&function.as_str()) {
            return None;
        }
        let names = args.map(|name| match name {
            Expr::Value(name) => match name.value {
                Value::SingleQuotedString(name) => Some(name),
                _ => None,
            },
            _ => None,
        });
        let names: Vec<String> = names.collect::<Option<_>>()?;
        (!names.is_empty()).then_some(Self {
            function,
            value,
            names,
        })
    }

    /// Returns its columns, of which those of records have types, and how many rows each has.
    fn columns(self, types: Vec<Option<DataType>>) -> Result<Vec<(Expr, Expr)>, Error> {
        let names = self.names.into_iter().zip(types);
        let columns = names.map(|(name, data_type)| TableAliasColumnDef {
            name: Ident::with_quote('"', name),
            data_type,
        });
        let alias = TableAlias {
            explicit: true,
            name: Ident::new(&self.function),
            columns: columns.collect(),
            at: None,
        };
        let args = [self.value];
        if let Some(of_row) = tables::record(&self.function, &args, Some(&alias)) {
            let arrays = alias.columns.iter().map(|column| &column.data_type);
            if arrays.flatten().any(|of| matches!(of, DataType::Array(_))) {
                return Err(Error::not_supported(format!(
                    "arrays of {}() in ROWS FROM are not supported",
                    self.function
                ))
                .with_hint("call it in FROM, beside the other functions"));
            }
            let columns = of_row.into_iter().filter_map(|column| match column {
                SelectItem::ExprWithAlias { expr, .. } => Some(expr),
                _ => None,
            });
            let typed = columns.zip(&alias.columns);
            let columns = typed.map(|(column, of)| match of.data_type {
                Some(DataType::JSON) => build::call("$json_kept", vec![one_row(column)]),
                Some(DataType::JSONB) => build::call("$jsonb_kept", vec![one_row(column)]),
                _ => one_row(column),
            });
            return Ok(columns.map(|column| (column, build::integer(1))).collect());
        }
        let Some(columns) = tables::json_columns(&self.function, &args, Some(&alias)) else {
            return Err(Error::internal(format!(
                "{}() has no columns in ROWS FROM",
                self.function
            )));
        };
        let columns = columns.lists.into_iter().zip(columns.items);
        let columns = columns.map(|(list, item)| (item.of(list.clone()), length_of(list)));
        Ok(columns.collect())
    }
}

fn length_of(list: Expr) -> Expr {
    build::call("array_length", vec![list, build::integer(1)])
}

/// Returns the row of a value as an unnested list.
fn one_row(value: Expr) -> Expr {
    build::call("unnest", vec![build::array(vec![value])])
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
            "SELECT * FROM LATERAL (SELECT unnest(t.a) AS a, unnest(ARRAY[upper('c')]) AS b, unnest(generate_series(1::BIGINT, greatest(array_length(t.a, 1), 1))) AS n) AS x"
        );
        assert_eq!(
            rewritten(
                r#"SELECT * FROM "$rows_from"(unnest("$jsonb_entries"(t.j)), unnest(t.a)) WITH ORDINALITY AS x (k, value, a, n)"#
            ),
            r#"SELECT * FROM LATERAL (SELECT unnest(jsonb_object_keys(t.j)) AS k, "$jsonb_kept"(unnest("$jsonb_values"(t.j))) AS value, unnest(t.a) AS a, unnest(generate_series(1::BIGINT, greatest(array_length(jsonb_object_keys(t.j), 1), array_length(t.a, 1)))) AS n) AS x"#
        );
        assert_eq!(
            rewritten(
                r#"SELECT * FROM "$rows_from"(json_to_recordset(t.j, 'b', 'C'), unnest(t.a)) AS x (p TEXT, "C" BIGINT, a)"#
            ),
            r#"SELECT * FROM LATERAL (SELECT unnest("$json_column"(t.j, 'b'))::TEXT AS p, unnest("$json_column"(t.j, 'C'))::BIGINT AS "C", unnest(t.a) AS a) AS x"#
        );
        let list = datafusion::sql::sqlparser::ast::Expr::Identifier(Ident::new("l"));
        assert_eq!(
            rewritten(&format!(
                r#"SELECT * FROM "$rows_from"({}) AS x (a, b, c, d)"#,
                acl::exploded(&list)
            )),
            r#"SELECT * FROM LATERAL (SELECT unnest("$acl_grantor"(l)) AS a, unnest("$acl_grantee"(l)) AS b, unnest("$acl_privilege"(l)) AS c, unnest("$acl_is_grantable"(l)) AS d) AS x"#
        );
        let same = "SELECT * FROM f(a) AS x (a)";
        assert_eq!(rewritten(same), same);
    }
}
