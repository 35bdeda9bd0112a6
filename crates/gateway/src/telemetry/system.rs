//! The `system` schema: what Lakegate reports about itself. Each user sees only what they may know.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;

use super::history::History;
use super::record::{Owner, QueryRecord};

/// The maximum number of rows that one scan of `system.queries` returns.
const MAX_QUERIES: usize = 100_000;

/// The schema `system` as visible to one user.
#[derive(Debug)]
pub struct SystemSchema {
    queries: Arc<QueriesTable>,
}

impl SystemSchema {
    /// Creates the schema. `owner`: the user whose queries are shown; `None` shows all queries.
    pub fn new(history: Arc<History>, owner: Option<Owner>) -> Self {
        Self {
            queries: Arc::new(QueriesTable {
                history,
                owner,
                schema: queries_schema(),
            }),
        }
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        vec!["queries".to_owned()]
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        Ok(name
            .eq_ignore_ascii_case("queries")
            .then(|| Arc::clone(&self.queries) as _))
    }

    fn table_exist(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("queries")
    }
}

struct QueriesTable {
    history: Arc<History>,
    owner: Option<Owner>,
    schema: SchemaRef,
}

impl fmt::Debug for QueriesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueriesTable")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Returns the columns of `system.queries`. Durations are in milliseconds.
pub(crate) fn queries_schema() -> SchemaRef {
    let timestamp = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("query_id", DataType::Utf8),
        field("user_name", DataType::Utf8),
        field("workgroup", DataType::Utf8),
        field("database_name", DataType::Utf8),
        field("state", DataType::Utf8),
        field("query", DataType::Utf8),
        field("submitted_at", timestamp()),
        field("completed_at", timestamp()),
        field("planning_ms", DataType::Float64),
        field("queued_ms", DataType::Float64),
        field("execution_ms", DataType::Float64),
        field("total_ms", DataType::Float64),
        field("bytes_scanned", DataType::Int64),
        field("bytes_fetched", DataType::Int64),
        field("rows", DataType::Int64),
        field("cache_hit", DataType::Boolean),
        field("error_code", DataType::Utf8),
        field("error_message", DataType::Utf8),
        field("protocol", DataType::Utf8),
        field("application_name", DataType::Utf8),
        field("cpu_time_ms", DataType::Float64),
        field("bytes_written", DataType::Int64),
    ]))
}

fn queries_batch(schema: &SchemaRef, records: &[QueryRecord]) -> EngineResult<RecordBatch> {
    let text = |value: &dyn Fn(&QueryRecord) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(records.iter().map(value)))
    };
    let millis = |value: &dyn Fn(&QueryRecord) -> std::time::Duration| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(
            records.iter().map(|r| value(r).as_secs_f64() * 1000.0),
        ))
    };
    let count = |value: &dyn Fn(&QueryRecord) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            records
                .iter()
                .map(|r| i64::try_from(value(r)).unwrap_or(i64::MAX)),
        ))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|r| Some(r.query_id.to_string())),
        text(&|r| Some(r.user_name.clone())),
        text(&|r| Some(r.workgroup.clone())),
        text(&|r| Some(r.database.clone())),
        text(&|r| Some(r.state.name().to_owned())),
        text(&|r| Some(r.query.clone())),
        Arc::new(TimestampMicrosecondArray::from_iter_values(
            records.iter().map(|r| r.submitted_at.timestamp_micros()),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter(
            records
                .iter()
                .map(|r| r.completed_at.map(|at| at.timestamp_micros())),
        )),
        millis(&|r| r.planning),
        millis(&|r| r.queued),
        millis(&|r| r.execution),
        millis(&|r| r.total),
        count(&|r| r.bytes_scanned),
        count(&|r| r.bytes_fetched),
        count(&|r| r.rows),
        Arc::new(BooleanArray::from_iter(
            records.iter().map(|r| Some(r.cache_hit)),
        )),
        text(&|r| r.error_code.clone()),
        text(&|r| r.error_message.clone()),
        text(&|r| Some(r.protocol.clone())),
        text(&|r| r.application_name.clone()),
        millis(&|r| r.cpu),
        count(&|r| r.bytes_written),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)
}

#[async_trait]
impl TableProvider for QueriesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let queries = QueriesTable {
            history: Arc::clone(&self.history),
            owner: self.owner.clone(),
            schema: Arc::clone(&self.schema),
        };
        let limit = limit.map_or(MAX_QUERIES, |limit| limit.min(MAX_QUERIES));
        let scan = StreamingTableExec::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(queries)],
            projection,
            [],
            false,
            Some(limit),
        )?;
        Ok(Arc::new(scan))
    }
}

impl PartitionStream for QueriesTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Streams the pages, of which one is in memory at a time.
    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batches = self
            .history
            .pages(self.owner.clone())
            .map(move |page| queries_batch(&schema, &page?));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}
