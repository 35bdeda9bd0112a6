//! The names of a query's columns: PostgreSQL's where the query gives none, and as many alike as it asks for.
//!
//! The engine wants the names of a SELECT list to differ and shows expressions as their own text. So
//! columns that are alike are told apart while a query is planned (`engine/pg`), and shown as PostgreSQL would name them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use sqlparser::ast::{self, Expr, SelectItem, SetExpr};

use crate::engine::pg::folded;
use crate::error::{Error, Result};

/// What an expression is called that has no name.
const UNNAMED: &str = "?column?";

/// The names to show; the engine's own are right where there are none, as of the columns of `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnNames {
    /// Of the first columns: up to the first `*`.
    first: Vec<String>,
    /// Of the last ones: from the last `*` on, if there is one.
    last: Option<Vec<String>>,
}

impl ColumnNames {
    /// Finds the names of a query, as it is written: the rewrite for the planner comes after.
    pub fn of(statement: &ast::Statement) -> Self {
        let Some(items) = items_of_query(statement) else {
            return Self::default();
        };
        let names: Vec<Option<String>> = items.iter().map(item_name).collect();
        let first: Vec<String> = names.iter().map_while(Clone::clone).collect();
        let has_star = first.len() < names.len();
        let last = names.iter().rev().map_while(Clone::clone);
        let last = has_star.then(|| last.collect::<Vec<_>>().into_iter().rev().collect());
        Self { first, last }
    }

    /// Adds those of the columns that the first `*` begins with, once they are written out.
    pub fn learn(&mut self, resolved: &ast::Statement) {
        if self.last.is_some()
            && let Some(items) = items_of_query(resolved)
        {
            let items = items.iter().skip(self.first.len());
            self.first.extend(items.map_while(item_name));
        }
    }

    pub fn schema(&self, schema: &SchemaRef) -> SchemaRef {
        let count = schema.fields().len();
        let last = self.last.as_deref().unwrap_or_default();
        let fits = match &self.last {
            None => self.first.len() == count,
            Some(last) => self.first.len() + last.len() <= count,
        };
        if !fits || self.first.is_empty() && last.is_empty() {
            return Arc::clone(schema);
        }
        let behind = count - last.len();
        let fields = schema.fields().iter().enumerate().map(|(place, field)| {
            let name = match place.checked_sub(behind) {
                Some(place) => last.get(place),
                None => self.first.get(place),
            };
            match name {
                Some(name) => Arc::new(field.as_ref().clone().with_name(name)),
                None => Arc::clone(field),
            }
        });
        let fields: Vec<_> = fields.collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

/// The same columns under other names.
pub fn renamed(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
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

fn items_of_query(statement: &ast::Statement) -> Option<&[SelectItem]> {
    match statement {
        ast::Statement::Query(query) => items_of(&query.body),
        _ => None,
    }
}

/// The list of the first SELECT, whose names are those of a UNION too.
fn items_of(body: &SetExpr) -> Option<&[SelectItem]> {
    match body {
        SetExpr::Select(select) => Some(&select.projection),
        SetExpr::SetOperation { left, .. } => items_of(left),
        SetExpr::Query(query) => items_of(&query.body),
        _ => None,
    }
}

/// The name of a column; `None` of `*`.
fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(name_of(expr)),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// PostgreSQL's name of an expression (FigureColname of its parse_target.c).
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(ident) => folded(ident),
        Expr::CompoundIdentifier(parts) => parts.last().map_or_else(|| UNNAMED.to_owned(), folded),
        Expr::Function(function) => function
            .name
            .0
            .last()
            .and_then(|part| part.as_ident())
            .map_or_else(|| UNNAMED.to_owned(), |ident| ident.value.to_lowercase()),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => name_of(inner),
        Expr::Cast {
            expr, data_type, ..
        } => match name_of(expr) {
            unnamed if unnamed == UNNAMED => type_name(data_type),
            name => name,
        },
        Expr::TypedString(typed) => type_name(&typed.data_type),
        Expr::Case { .. } => "case".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        Expr::Subquery(query) => items_of(&query.body)
            .and_then(|items| items.first())
            .and_then(item_name)
            .unwrap_or_else(|| UNNAMED.to_owned()),
        Expr::Array(_) => "array".to_owned(),
        Expr::Interval(_) => "interval".to_owned(),
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Substring { .. } => "substring".to_owned(),
        Expr::Position { .. } => "position".to_owned(),
        Expr::Trim { .. } => "btrim".to_owned(),
        Expr::Floor { .. } => "floor".to_owned(),
        Expr::Ceil { .. } => "ceil".to_owned(),
        Expr::Value(value) => match &value.value {
            ast::Value::Boolean(_) => "bool".to_owned(),
            _ => UNNAMED.to_owned(),
        },
        _ => UNNAMED.to_owned(),
    }
}

fn type_name(data_type: &ast::DataType) -> String {
    use ast::DataType as T;
    match data_type {
        T::Int(_) | T::Integer(_) | T::Int4(_) => "int4".to_owned(),
        T::BigInt(_) | T::Int8(_) => "int8".to_owned(),
        T::SmallInt(_) | T::Int2(_) => "int2".to_owned(),
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float(_) => "float8".to_owned(),
        T::Real | T::Float4 => "float4".to_owned(),
        T::Boolean | T::Bool => "bool".to_owned(),
        T::Decimal(_) | T::Numeric(_) => "numeric".to_owned(),
        T::Timestamp(..) => "timestamp".to_owned(),
        other => other
            .to_string()
            .split(['(', ' '])
            .next()
            .unwrap_or(UNNAMED)
            .to_lowercase(),
    }
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
        ColumnNames::of(&ast::Statement::Query(query))
    }

    #[test]
    fn columns_are_named_as_postgres_names_them() {
        let names = names(
            "SELECT count(*), SUM(x) + 1, a.b, 1::int, DATE '2024-01-01', x AS \"Y\", NULL FROM t a",
        );
        assert_eq!(
            names.first,
            ["count", "?column?", "b", "int4", "date", "Y", "?column?"]
        );
        assert!(names.last.is_none());
    }

    #[test]
    fn columns_that_are_alike_are_shown_alike() {
        let names = names("SELECT NULL, NULL, a AS x, b AS x FROM t UNION SELECT 1, 1, 2, 2");
        assert_eq!(names.first, ["?column?", "?column?", "x", "x"]);
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
