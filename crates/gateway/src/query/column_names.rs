//! The column names of a query's result: columns that the query does not name are named as in the
//! session's dialect, and names may repeat.
//!
//! The engine requires distinct names in a SELECT list and names expressions by their own text. So
//! equal names are made distinct while a query is planned, and the result shows the names of the
//! dialect.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::{OutputNames, OutputType, output_types, shown};
use lakegate_error::{Error, Result};
use sqlparser::ast;

/// The names to show, and the types of columns that are shown as others than the engine's. Columns without
/// an entry, such as those of `*`, keep the engine's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ColumnNames(OutputNames, Vec<Option<OutputType>>);

impl ColumnNames {
    /// Finds the names of a query. Expects the statement as written, before it is rewritten for the
    /// planner.
    pub(crate) fn of(dialect: Dialect, statement: &ast::Statement) -> Self {
        let names = match statement {
            ast::Statement::Query(query) => dialect.output_names(query),
            _ => None,
        };
        Self(names.unwrap_or_default(), Vec::new())
    }

    /// Adds what the casts of a query of PostgreSQL's dialect say about its columns. Expects the
    /// statement as for [`Self::of`].
    pub(crate) fn with_types(self, statement: &ast::Statement) -> Self {
        let types = match statement {
            ast::Statement::Query(query) => output_types(query),
            _ => Vec::new(),
        };
        Self(self.0, types)
    }

    pub(crate) fn schema(&self, schema: &SchemaRef) -> SchemaRef {
        let count = schema.fields().len();
        let fits = self.0.fit(count);
        let mut changes = false;
        let fields = schema.fields().iter().enumerate().map(|(place, field)| {
            let name = self.0.get(place, count).filter(|_| fits);
            let name = name.unwrap_or_else(|| shown(field.name()).to_owned());
            let types = Some(&self.1).filter(|types| types.len() == count);
            let shown_type = types.and_then(|types| *types.get(place)?);
            if name == *field.name() && shown_type.is_none() {
                return Arc::clone(field);
            }
            changes = true;
            let named = field.as_ref().clone().with_name(name);
            Arc::new(match shown_type {
                Some(shown_type) => shown_type.of(named),
                None => named,
            })
        });
        let fields: Vec<_> = fields.collect();
        match changes {
            true => Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
            false => Arc::clone(schema),
        }
    }
}

/// Renames the columns of a batch to those of `schema`.
///
/// # Errors
/// The renamed batch is not valid, which is an internal error.
pub(crate) fn renamed(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema || batch.num_columns() != schema.fields().len() {
        return Ok(batch);
    }
    // The types stay the batch's own.
    let fields: Vec<_> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(schema.fields())
        .map(|(own, named)| own.as_ref().clone().with_name(named.name()))
        .collect();
    let rows = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let (_, columns, _) = batch.into_parts();
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)
        .map_err(|e| Error::internal(format!("the columns of a batch cannot be named: {e}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn names(sql: &str) -> ColumnNames {
        let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
        let lakegate_sql::Statement::Query(query) = parsed.statement else {
            panic!("no query: {sql}")
        };
        ColumnNames::of(Dialect::Postgres, &ast::Statement::Query(query))
    }

    #[test]
    fn columns_are_named_as_postgres_names_them() {
        let names = names(
            "SELECT count(*), SUM(x) + 1, a.b, 1::int, DATE '2024-01-01', x AS \"Y\", NULL FROM t a",
        );
        assert_eq!(
            names.0.first,
            ["count", "?column?", "b", "int4", "date", "Y", "?column?"]
        );
        assert!(names.0.last.is_none());
    }

    // PostgreSQL 15.
    #[test]
    fn casts_are_named_as_their_types_are_in_the_catalog() {
        let names = names(
            "SELECT 'a'::char(3), 'a'::character, 'a'::character varying(2), '1'::float(24), '1'::float(25), 'a'::char[]",
        );
        assert_eq!(
            names.0.first,
            ["bpchar", "bpchar", "varchar", "float4", "float8", "bpchar"]
        );
    }

    #[test]
    fn columns_are_shown_as_their_casts_say() {
        use arrow::datatypes::{DataType, Field};
        let parsed = lakegate_sql::parse("SELECT a::varchar(2), b").unwrap();
        let lakegate_sql::Statement::Query(query) = parsed.into_iter().next().unwrap().statement
        else {
            panic!("no query")
        };
        let statement = ast::Statement::Query(query);
        let names = ColumnNames::of(Dialect::Postgres, &statement).with_types(&statement);
        let fields = ["a", "b"].map(|name| Field::new(name, DataType::Utf8, true));
        let shown = names.schema(&Arc::new(Schema::new(fields.to_vec())));
        let marks = shown.field(0).metadata();
        assert_eq!(marks["pg.type"], "varchar");
        assert_eq!(marks["pg.typmod"], "6");
        assert!(shown.field(1).metadata().is_empty());
    }

    #[test]
    fn columns_that_are_alike_are_shown_alike() {
        let names = names("SELECT NULL, NULL, a AS x, b AS x FROM t UNION SELECT 1, 1, 2, 2");
        assert_eq!(names.0.first, ["?column?", "?column?", "x", "x"]);
    }

    #[test]
    fn star_keeps_the_names_of_the_table() {
        use arrow::datatypes::{DataType, Field};
        let names = names("SELECT a AS x, t.*, *, upper(b) AS b, 1 FROM t");
        let fields = ["x", "a", "b", "c", "b:3", "Int64(1)"];
        let schema = |names: [&str; 6]| {
            let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
            Arc::new(Schema::new(fields.to_vec()))
        };
        assert_eq!(
            names.schema(&schema(fields)),
            schema(["x", "a", "b", "c", "b", "?column?"])
        );
        let few = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
        assert_eq!(names.schema(&few), few);
    }
}
