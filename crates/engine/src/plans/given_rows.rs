//! Operators over rows that no plan made, such as those that a client sends.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use lakegate_error::{Error, Result, from_engine};
use lakegate_lake::meter::QueryStores;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{Engine, PlanRun, limits::stop};

impl Engine {
    /// Runs operators over rows, with the memory and the spill of a query, until `run` is stopped.
    ///
    /// `above`: puts the operators on top of a plan that returns the rows. `schema`: of the rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the operators cannot be started. Later errors are part of the stream.
    pub fn over_rows(
        &self,
        query: Uuid,
        schema: SchemaRef,
        rows: BoxStream<'static, Result<RecordBatch>>,
        above: impl FnOnce(Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan>,
        run: Arc<PlanRun>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let given: Arc<dyn PartitionStream> = Arc::new(GivenRows {
            schema: Arc::clone(&schema),
            rows: Mutex::new(Some(rows)),
        });
        let plan = StreamingTableExec::try_new(schema, vec![given], None, [], false, None);
        let plan = above(Arc::new(plan.map_err(from_engine)?));
        let plan = stop::stoppable(plan).map_err(from_engine)?;
        let stores = Arc::new(QueryStores::none());
        let task = self.task(&self.base, stores, query, &plan, run)?;
        let stream = execute_stream(plan, task).map_err(from_engine)?;
        Ok(stream.map_err(from_engine).boxed())
    }
}

/// Rows that are read once.
struct GivenRows {
    schema: SchemaRef,
    rows: Mutex<Option<BoxStream<'static, Result<RecordBatch>>>>,
}

impl fmt::Debug for GivenRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenRows").finish_non_exhaustive()
    }
}

impl PartitionStream for GivenRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().take().unwrap_or_else(|| {
            let again = Error::internal("rows that are read once are read again");
            stream::once(async move { Err(again) }).boxed()
        });
        let rows = rows.map_err(DataFusionError::from);
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}
