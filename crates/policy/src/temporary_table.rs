//! The rows of a temporary table, and the table as the engine sees it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lakegate_engine::HeldMemory;

/// Parts with fewer rows and bytes are put together: a client may send each row by itself.
const SMALL_ROWS: usize = 1024;
const SMALL_BYTES: usize = 1 << 20;

/// Rows that were added together.
#[derive(Debug)]
pub struct TemporaryPart {
    pub batches: Vec<RecordBatch>,
    pub rows: usize,
    /// The memory of the batches. Given back when no state and no query has the rows any more.
    pub memory: HeldMemory,
}

/// The rows of a temporary table in one state. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct TemporaryRows(Arc<[Arc<TemporaryPart>]>);

impl TemporaryPart {
    /// Estimated bytes of a part, or of a batch in it, besides its values.
    pub const FIXED_BYTES: usize = 1024;
}

impl TemporaryRows {
    pub(crate) fn of(part: Option<TemporaryPart>) -> Self {
        let part = part.filter(|part| part.rows > 0);
        Self(part.map(Arc::new).into_iter().collect())
    }

    /// Returns no rows but those of a part.
    pub fn only(part: TemporaryPart) -> Self {
        Self::of(Some(part))
    }

    /// Returns the rows with those of another part.
    pub fn and(&self, mut part: TemporaryPart) -> Self {
        if part.rows == 0 {
            return self.clone();
        }
        let mut parts: Vec<Arc<TemporaryPart>> = self.0.to_vec();
        if let Some(last) = parts.pop_if(|last| is_small(last, &part)) {
            match joined(&last, &mut part) {
                Some(batch) => {
                    part.rows = batch.num_rows();
                    part.batches = vec![batch];
                }
                None => parts.push(last),
            }
        }
        parts.push(Arc::new(part));
        Self(parts.into())
    }

    /// Returns the number of rows.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|part| part.rows as u64).sum()
    }

    /// Returns whether these are the rows of the same state, which no write has changed since.
    pub fn are(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn batches(&self) -> Vec<RecordBatch> {
        let batches = self.0.iter().flat_map(|part| &part.batches);
        batches.cloned().collect()
    }
}

fn is_small(last: &TemporaryPart, part: &TemporaryPart) -> bool {
    let bytes = last.memory.bytes().saturating_add(part.memory.bytes());
    last.rows.saturating_add(part.rows) <= SMALL_ROWS && bytes <= SMALL_BYTES
}

/// Returns the rows of both as one batch, for which the memory of the second part suffices; `None`
/// if there is not enough memory.
fn joined(last: &TemporaryPart, part: &mut TemporaryPart) -> Option<RecordBatch> {
    part.memory.grow(last.memory.bytes()).ok()?;
    let schema = part.batches.first()?.schema();
    let batches = last.batches.iter().chain(&part.batches);
    let batch = concat_batches(&schema, batches).ok()?;
    part.memory
        .shrink_to(TemporaryPart::FIXED_BYTES.saturating_add(batch.get_array_memory_size()));
    Some(batch)
}

/// A temporary table as the engine sees it.
#[derive(Debug)]
pub(crate) struct TemporaryTable {
    schema: SchemaRef,
    rows: TemporaryRows,
}

impl TemporaryTable {
    pub(crate) fn new(schema: SchemaRef, rows: TemporaryRows) -> Self {
        Self { schema, rows }
    }

    /// Returns the rows, which hold their memory for as long as they are read.
    pub(crate) fn rows(&self) -> &TemporaryRows {
        &self.rows
    }
}

#[async_trait]
impl TableProvider for TemporaryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let schema = Arc::clone(&self.schema);
        let batches = self.rows.batches();
        Ok(MemorySourceConfig::try_new_exec(
            &[batches],
            schema,
            projection.cloned(),
        )?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};
    use lakegate_catalog::model::{Column, StorageDescriptor, TableInput};
    use lakegate_engine::{Engine, EngineOptions, Library, SessionMemory, SessionsMemory};
    use tempfile::TempDir;

    use super::super::temporary::{AtCommit, Temporary};
    use super::*;

    fn memory() -> (Arc<SessionsMemory>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let options = EngineOptions {
            memory_limit: 64 << 20,
            spill_dir: folder.path().join("spill"),
            spill_limit: 1 << 20,
            threads: 1,
            batch_size: 8192,
        };
        let engine = Engine::open(&options, Library::none()).unwrap();
        (SessionsMemory::new(engine.space(), 8 << 20), folder)
    }

    fn part(session: &Arc<SessionMemory>, rows: std::ops::Range<i64>) -> TemporaryPart {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        let batch = RecordBatch::try_from_iter([("n", values)]).unwrap();
        let mut memory = session.hold();
        memory.grow(100).unwrap();
        TemporaryPart {
            rows: batch.num_rows(),
            batches: vec![batch],
            memory,
        }
    }

    #[test]
    fn rows_of_one_by_one_are_put_together_and_their_memory_is_given_back() {
        let (all, _folder) = memory();
        let session = all.open();
        let mut rows = TemporaryRows::default();
        for row in 0..10 {
            rows = rows.and(part(&session, row..row + 1));
        }
        assert_eq!((rows.count(), rows.0.len()), (10, 1));
        assert_eq!(all.used(), 1000);
        let before = rows.clone();
        let many = rows.and(part(&session, 0..2000));
        assert_eq!((many.count(), many.0.len()), (2010, 2));
        assert_eq!(before.count(), 10, "a state does not change");
        assert_eq!(all.used(), 1100);
        let emptied = TemporaryRows::only(part(&session, 0..0));
        assert_eq!((emptied.count(), emptied.0.len()), (0, 0));
        drop((rows, many));
        assert_eq!(all.used(), 1000);
        drop(before);
        assert_eq!(all.used(), 0);
    }

    #[test]
    fn rows_fit_a_table_of_their_columns_only() {
        let (all, _folder) = memory();
        let rows = part(&all.open(), 0..3);
        for (name, data_type, fits) in [
            ("n", "bigint", true),
            ("m", "bigint", false),
            ("n", "int", false),
        ] {
            let input = TableInput {
                name: "t".to_owned(),
                storage_descriptor: StorageDescriptor {
                    columns: vec![Column::new(name, data_type)],
                    ..StorageDescriptor::default()
                },
                ..TableInput::default()
            };
            let state = Temporary::default().with_table(input, None, AtCommit::Keep);
            let state = state.unwrap();
            let table = state.relation("t").unwrap();
            assert_eq!(table.takes(&rows).unwrap(), fits, "{name} {data_type}");
            let known = table.rows.as_ref().unwrap();
            assert!(known.are(&known.clone()));
            assert!(!known.are(&known.and(part(&all.open(), 0..1))));
        }
    }
}
