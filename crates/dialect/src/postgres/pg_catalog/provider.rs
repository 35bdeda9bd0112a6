//! The system schemas as schemas of the engine, and each relation as a table that is filled when it
//! is scanned.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lakegate_engine::{is_internal_function, stop};

use super::functions::{KEYWORDS_TABLE, keywords};
use super::made;
use super::oids;
use super::pins::{self, RelationPins};
use super::relations::{self, Input};
use super::shape::{INFORMATION_SCHEMA, PG_CATALOG, Shape, Shapes, called};
use crate::postgres::{SessionInfo, TableColumns};
use crate::visible::{CatalogSource, Columns, Needs};

/// Rows of a batch.
const BATCH: usize = 8192;

/// Tables whose columns are read at once. Tests have few tables.
const TABLES: usize = if cfg!(test) { 2 } else { 200 };

/// Tables that have few rows in all relations.
const FEW_TABLES: usize = 10;

/// Relations whose rows are not about tables.
const FEW_ROWS: &[&str] = &[
    "pg_am",
    "pg_auth_members",
    "pg_authid",
    "pg_collation",
    "pg_database",
    "pg_language",
    "pg_namespace",
    "pg_range",
    "pg_roles",
    "pg_tablespace",
    "pg_user",
    "schemata",
];

/// `pg_catalog` or `information_schema` for one session.
pub(super) struct SystemSchema {
    pub(super) shapes: &'static Shapes,
    pub(super) source: Arc<dyn CatalogSource>,
    pub(super) session: Arc<SessionInfo>,
    /// Whether the tables have system columns.
    pub(super) system_columns: bool,
}

impl fmt::Debug for SystemSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemSchema")
            .field("namespace", &self.shapes.namespace)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        self.shapes
            .relations
            .iter()
            .map(|shape| shape.name.to_owned())
            .collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.shapes.namespace == "pg_catalog" && name == KEYWORDS_TABLE {
            return keywords().map(Some);
        }
        let shape = self.shapes.get(&name.to_lowercase());
        let of_call = || match self.shapes.namespace {
            "pg_catalog" => called(name),
            _ => None,
        };
        Ok(shape.or_else(of_call).map(|shape| {
            Arc::new(SystemTable {
                shapes: self.shapes,
                shape,
                source: Arc::clone(&self.source),
                session: Arc::clone(&self.session),
                system_columns: self.system_columns,
                known: RelationPins::default(),
            }) as _
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.shapes.get(&name.to_lowercase()).is_some()
    }
}

/// A relation of the system, filled when it is scanned.
#[derive(Clone)]
pub(super) struct SystemTable {
    shapes: &'static Shapes,
    shape: &'static Shape,
    source: Arc<dyn CatalogSource>,
    session: Arc<SessionInfo>,
    system_columns: bool,
    /// What the plan says of the rows that are needed, beyond the filters of the scan.
    known: RelationPins,
}

impl SystemTable {
    /// Returns the relation's name.
    pub(super) fn relation(&self) -> &'static str {
        self.shape.name
    }

    pub(super) fn is_always_empty(&self) -> bool {
        self.shapes.namespace == "pg_catalog" && relations::is_always_empty(self.shape.name)
    }

    /// Returns whether few rows are needed of the relation with these filters.
    pub(super) fn has_few_rows(&self, filters: &[Expr]) -> bool {
        let relation = self.shape.name;
        let mut pins = RelationPins::of(relation, filters);
        pins.meet(&self.known);
        match relation {
            // They also list the functions of the session.
            "pg_proc" | "routines" => false,
            "pg_type" if pins.without_row_types || self.known.without_row_types => true,
            _ => {
                FEW_ROWS.contains(&relation)
                    || self.is_always_empty()
                    || pins.are_of_few(FEW_TABLES)
            }
        }
    }

    /// Returns the relation, of which only these rows are needed.
    pub(super) fn narrowed_to(&self, known: RelationPins) -> Self {
        Self {
            known,
            ..self.clone()
        }
    }
}

/// Returns the columns of a relation of the system that has system columns; `None` for any other
/// table.
pub fn system_columns(table: &dyn TableProvider) -> Option<TableColumns> {
    let table = table.downcast_ref::<SystemTable>()?;
    let hidden: Vec<&'static str> = table.shape.system_columns().collect();
    (table.system_columns && !hidden.is_empty()).then_some(TableColumns {
        shown: table.shape.columns.len(),
        hidden,
    })
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemTable")
            .field("name", &self.shape.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(match self.system_columns {
            true => &self.shape.with_system_columns,
            false => &self.shape.schema,
        })
    }

    fn table_type(&self) -> TableType {
        if self.shape.kind == "v" {
            TableType::View
        } else {
            TableType::Base
        }
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match pins::is_useful(self.shape.name, filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projection = projection
            .cloned()
            .unwrap_or_else(|| (0..self.schema().fields().len()).collect());
        let columns: Vec<&str> = projection
            .iter()
            .filter_map(|index| self.shape.column(*index))
            .map(|(name, _)| name)
            .collect();
        let mut pins = RelationPins::of(self.shape.name, filters);
        pins.meet(&self.known);
        pins.without_row_types |= self.known.without_row_types;
        let functions = match self.shape.name {
            "pg_proc" | "routines" => functions(state),
            _ => Vec::new(),
        };
        let mut batches = Vec::new();
        for pins in self.parts(&columns, pins).await? {
            stop::check()?;
            let needs = relations::needs(self.shapes, self.shape.name, &columns, &pins);
            let input = Input {
                catalog: self.source.visible(&needs).await?,
                session: Arc::clone(&self.session),
                pins,
                functions: functions.clone(),
            };
            let batch = relations::fill(self.shapes, self.shape, &projection, &input)?;
            batches.extend(sliced(&batch));
        }
        let schema = Arc::new(self.shape.with_system_columns.project(&projection)?);
        Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?)
    }
}

impl SystemTable {
    /// Returns what is known of the rows of each part of the relation, in their order. The parts are
    /// read one after the other, so that of the columns of many tables only those that the query
    /// reads are held for all tables.
    ///
    /// # Errors
    ///
    /// The source fails.
    async fn parts(&self, columns: &[&str], pins: RelationPins) -> Result<Vec<RelationPins>> {
        if !relations::has_rows_of_columns(self.shape.name) || pins.are_of_few(TABLES) {
            return Ok(vec![pins]);
        }
        let needs = relations::needs(self.shapes, self.shape.name, columns, &pins);
        let names = Needs {
            columns: Columns::None,
            ..needs
        };
        let names = self.source.visible(&names).await?;
        let tables = names.databases.iter().flat_map(|database| &database.tables);
        let tables: Vec<i64> = tables.map(|table| oids::table(table.id)).collect();
        // Without conditions, all tables would be looked through again for those that are visible.
        if tables.len() <= TABLES && !pins.tables().is_empty() {
            return Ok(vec![pins]);
        }
        let system = [&PG_CATALOG, &INFORMATION_SCHEMA].into_iter();
        let system = system.flat_map(|shapes| shapes.relations.iter().map(|shape| shape.oid));
        let system: Vec<i64> = system.collect();
        let parts = std::iter::once(system.as_slice()).chain(tables.chunks(TABLES));
        let parts = parts.map(|oids| {
            let mut part = pins.clone();
            part.meet(&RelationPins::of_oids(oids.iter().copied().collect()));
            part
        });
        Ok(parts.collect())
    }
}

fn sliced(batch: &RecordBatch) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    (0..rows)
        .step_by(BATCH)
        .map(|offset| batch.slice(offset, BATCH.min(rows - offset)))
        .collect()
}

/// Returns the functions that a client may call by name, with the letter of their kind in `pg_proc`.
fn functions(state: &dyn Session) -> Vec<(String, &'static str)> {
    let scalar = state
        .scalar_functions()
        .keys()
        .map(|name| (name.clone(), "f"));
    let made = made::names().map(|name| (name.to_owned(), "f"));
    let aggregate = state
        .aggregate_functions()
        .keys()
        .map(|name| (name.clone(), "a"));
    let window = state
        .window_functions()
        .keys()
        .map(|name| (name.clone(), "w"));
    let all = scalar.chain(made).chain(aggregate).chain(window);
    let mut all: Vec<_> = all
        .filter(|(name, _)| !is_internal_function(name))
        .collect();
    all.sort_unstable();
    all.dedup_by(|a, b| a.0 == b.0);
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn rows_are_sliced_without_loss() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2 * 8192 + 5));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let slices = sliced(&batch);
        let rows: Vec<usize> = slices.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [8192, 8192, 5]);
    }
}
