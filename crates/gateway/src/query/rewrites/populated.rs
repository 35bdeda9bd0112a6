//! `json_populate_record` and its like in FROM, whose columns are those of a table.
//!
//! ```text
//! json_populate_recordset(NULL::d.t, x) AS r
//!     json_to_recordset(x) AS r (a int, b text), where the columns of d.t are a int, b text
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use arrow::datatypes::Schema;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Statement;
use lakegate_sql::walk::{walk, walk_mut};
use sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, TableAlias, TableAliasColumnDef,
    TableFactor, Value, Visitor, VisitorMut,
};

use crate::query::parameters::sql_type;
use crate::query::relations::Relations;
use crate::query::rewrites::joined_columns::Lookups;

/// The functions, and those that take their place.
const FUNCTIONS: [(&str, &str); 4] = [
    ("json_populate_record", "json_to_record"),
    ("json_populate_recordset", "json_to_recordset"),
    ("jsonb_populate_record", "jsonb_to_record"),
    ("jsonb_populate_recordset", "jsonb_to_recordset"),
];

/// The maximum number of tables that are looked up for one statement.
const MAX_TABLES: usize = 100;

/// The columns of a table with their types.
type Columns = Vec<(String, ast::DataType)>;

/// Replaces the calls whose first argument is a NULL of a table's row type.
///
/// # Errors
/// A table cannot be planned; a column has a type that no value of JSON becomes.
pub(crate) async fn expanded(
    relations: &Relations<'_>,
    mut statement: ast::Statement,
    lookups: &mut Lookups,
) -> Result<ast::Statement> {
    let mut calls = Calls::default();
    // The visitor never breaks.
    let _: ControlFlow<()> = walk(&statement, &mut calls);
    if calls.tables.is_empty() {
        return Ok(statement);
    }
    if calls.tables.len() > MAX_TABLES {
        return Err(Error::new(
            Code::TooComplex,
            format!("the statement names the row types of more than {MAX_TABLES} tables"),
        ));
    }
    let mut tables = BTreeMap::new();
    for table in calls.tables {
        let query = query_of(&format!("SELECT * FROM {table}"))?;
        let schema = relations.schema_of(&query, lookups).await?;
        tables.insert(table, columns(&schema)?);
    }
    let _: ControlFlow<()> = walk_mut(&mut statement, &mut Replaced { tables });
    Ok(statement)
}

/// # Errors
/// The text is not a query.
fn query_of(sql: &str) -> Result<ast::Query> {
    let parsed = lakegate_sql::parse(sql).map_err(|error| Error::invalid(error.said()))?;
    match parsed.into_iter().next().map(|parsed| parsed.statement) {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(Error::internal("a query was not read as one")),
    }
}

fn columns(schema: &Schema) -> Result<Columns> {
    let fields = schema.fields().iter();
    let columns = fields.map(|field| {
        let data_type = sql_type(field.data_type()).ok_or_else(|| {
            Error::not_supported(format!(
                "column \"{}\" has a type that is not read from JSON",
                field.name()
            ))
        })?;
        Ok((field.name().clone(), data_type))
    });
    columns.collect()
}

/// A call that is replaced.
struct Call<'a> {
    /// Its own name.
    name: &'a str,
    instead: &'static str,
    table: &'a ObjectName,
    value: &'a FunctionArg,
}

fn called(factor: &TableFactor) -> Option<Call<'_>> {
    let (name, arguments) = match factor {
        TableFactor::Table {
            name,
            args: Some(arguments),
            ..
        } => (name, arguments.args.as_slice()),
        TableFactor::Function { name, args, .. } => (name, args.as_slice()),
        _ => return None,
    };
    let name = name.0.last()?.as_ident()?.value.as_str();
    let &(_, instead) = FUNCTIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(base)), value] = arguments else {
        return None;
    };
    let Expr::Cast {
        expr,
        data_type: ast::DataType::Custom(table, modifiers),
        ..
    } = base
    else {
        return None;
    };
    let is_null = matches!(expr.as_ref(), Expr::Value(null) if null.value == Value::Null);
    (is_null && modifiers.is_empty()).then_some(Call {
        name,
        instead,
        table,
        value,
    })
}

/// The tables of such calls, as they are written.
#[derive(Default)]
struct Calls {
    tables: BTreeSet<String>,
}

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let Some(call) = called(factor) {
            self.tables.insert(call.table.to_string());
        }
        ControlFlow::Continue(())
    }
}

struct Replaced {
    tables: BTreeMap<String, Columns>,
}

impl VisitorMut for Replaced {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let Some(call) = called(factor) else {
            return ControlFlow::Continue(());
        };
        let Some(columns) = self.tables.get(&call.table.to_string()) else {
            return ControlFlow::Continue(());
        };
        let (own, instead, value) = (call.name.to_owned(), call.instead, call.value.clone());
        let named = match factor {
            TableFactor::Table {
                name,
                args: Some(arguments),
                alias,
                ..
            } => {
                arguments.args = vec![value];
                *name = ObjectName::from(vec![Ident::new(instead)]);
                alias
            }
            TableFactor::Function {
                name, args, alias, ..
            } => {
                *args = vec![value];
                *name = ObjectName::from(vec![Ident::new(instead)]);
                alias
            }
            _ => return ControlFlow::Continue(()),
        };
        *named = Some(with_columns(named.take(), &own, columns));
        ControlFlow::Continue(())
    }
}

/// Returns an alias with the columns, whose own names take the place of those of the first ones.
/// `own`: the name without an alias.
fn with_columns(
    alias: Option<TableAlias>,
    own: &str,
    columns: &[(String, ast::DataType)],
) -> TableAlias {
    let mut alias = alias.unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::with_quote('"', own.to_lowercase()),
        columns: Vec::new(),
        at: None,
    });
    let mut given = std::mem::take(&mut alias.columns).into_iter();
    let columns = columns.iter().map(|(name, data_type)| TableAliasColumnDef {
        name: match given.next() {
            Some(given) => given.name,
            None => Ident::with_quote('"', name),
        },
        data_type: Some(data_type.clone()),
    });
    alias.columns = columns.collect();
    alias
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn replaced(sql: &str) -> String {
        let fields = vec![
            Field::new("a", DataType::Int32, true),
            Field::new("b", DataType::Utf8, true),
        ];
        let columns = columns(&Schema::new(fields)).unwrap();
        let mut statement = ast::Statement::Query(Box::new(query_of(sql).unwrap()));
        let mut calls = Calls::default();
        let _: ControlFlow<()> = walk(&statement, &mut calls);
        let tables = calls.tables.into_iter();
        let tables = tables.map(|table| (table, columns.clone())).collect();
        let _: ControlFlow<()> = walk_mut(&mut statement, &mut Replaced { tables });
        statement.to_string()
    }

    #[test]
    fn the_columns_are_those_of_the_table() {
        for (sql, expected) in [
            (
                "SELECT * FROM json_populate_record(NULL::d.t, x)",
                "SELECT * FROM json_to_record(x) AS \"json_populate_record\" (\"a\" INT, \"b\" VARCHAR)",
            ),
            (
                "SELECT * FROM jsonb_populate_recordset(NULL::t, $1) AS r (c)",
                "SELECT * FROM jsonb_to_recordset($1) AS r (c INT, \"b\" VARCHAR)",
            ),
        ] {
            assert_eq!(replaced(sql), expected);
        }
        let other = "SELECT * FROM json_populate_record(ROW(1, 2), x) AS r";
        assert_eq!(replaced(other), other);
    }
}
