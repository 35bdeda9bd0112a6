//! Runs of plans that are made again where a join does not fit into memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lakegate_engine::{Joins, PlanRun};
use lakegate_error::{Code, Result};
use lakegate_lake::write::RowOrder;

use super::life::BatchStream;
use super::run::QueryContext;

impl QueryContext {
    /// Runs a plan on the caller's runtime. If the pool has no room for its joins before it has
    /// returned a row, the query is planned again with joins that spill, and read again from the
    /// start: what it reads twice counts twice.
    ///
    /// `snapshot`, `order`: what the plan was made of.
    ///
    /// # Errors
    /// The plan cannot be started. Later errors are part of the stream.
    pub(crate) fn execute_or_spill(
        self,
        plan: &Arc<dyn ExecutionPlan>,
        run: Arc<PlanRun>,
        snapshot: LogicalPlan,
        order: Option<RowOrder>,
    ) -> Result<BatchStream> {
        let first = self.execute(plan, Arc::clone(&run))?.boxed();
        if !self.gateway.engine.can_spill(plan) {
            return Ok(first);
        }
        let again = async move {
            let plan = self
                .physical_in_order(&snapshot, order, Joins::Spilling)
                .await?;
            Ok(self.execute(&plan, run)?.boxed())
        };
        Ok(stream::once(or_again(first, again)).try_flatten().boxed())
    }
}

/// Returns the rows of a plan, or if it runs out of memory before it has returned one, other rows.
async fn or_again(
    mut first: BatchStream,
    again: impl Future<Output = Result<BatchStream>>,
) -> Result<BatchStream> {
    let begun: Option<Result<RecordBatch>> = loop {
        match first.next().await {
            Some(Ok(batch)) if batch.num_rows() == 0 => {}
            Some(Err(error)) if error.code() == Code::OutOfMemory => {
                // Its memory is free for the plan that replaces it.
                drop(first);
                return again.await;
            }
            next => break next,
        }
    };
    Ok(stream::iter(begun).chain(first).boxed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{ArrayRef, Int64Array};
    use lakegate_error::Error;

    use super::*;

    fn batch(values: Vec<i64>) -> Result<RecordBatch> {
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        Ok(RecordBatch::try_from_iter([("x", column)]).unwrap())
    }

    async fn read(first: Vec<Result<RecordBatch>>) -> (Vec<usize>, Option<Code>, usize) {
        let made = AtomicUsize::new(0);
        let again = async {
            made.fetch_add(1, Ordering::Relaxed);
            Ok(stream::iter([batch(vec![7; 7])]).boxed())
        };
        let mut stream = or_again(stream::iter(first).boxed(), again).await.unwrap();
        let (mut rows, mut code) = (Vec::new(), None);
        while let Some(next) = stream.next().await {
            match next {
                Ok(batch) => rows.push(batch.num_rows()),
                Err(error) => code = Some(error.code()),
            }
        }
        (rows, code, made.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn plans_that_run_out_of_memory_before_a_row_are_replaced() {
        let exhausted = || Err(Error::new(Code::OutOfMemory, "no room"));
        let other = || Err(Error::new(Code::DivisionByZero, "division by zero"));
        let empty = || batch(Vec::new());
        assert_eq!(read(vec![exhausted()]).await, (vec![7], None, 1));
        assert_eq!(read(vec![empty(), exhausted()]).await, (vec![7], None, 1));
        assert_eq!(
            read(vec![batch(vec![1]), exhausted()]).await,
            (vec![1], Some(Code::OutOfMemory), 0)
        );
        assert_eq!(
            read(vec![other()]).await,
            (vec![], Some(Code::DivisionByZero), 0)
        );
        assert_eq!(
            read(vec![batch(vec![1]), batch(vec![2, 3])]).await,
            (vec![1, 2], None, 0)
        );
        assert_eq!(read(Vec::new()).await, (vec![], None, 0));
    }
}
