//! COPY .. FROM STDIN: bulk ingestion as a statement, also in a transaction block.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_sql::ast::{CopyFrom, Statement};
use lakegate_statement::QueryWrite;

use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::life::Phase;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::transaction::aborted;
use crate::write::ingest::Ingestion;
use crate::write::job::WriteJob;

/// A COPY that waits for its client's rows.
#[derive(Debug)]
pub struct CopyIn {
    /// The columns of the rows that the client sends, in order.
    pub columns: SchemaRef,
    pub ingestion: Ingestion,
}

impl Session {
    /// Begins COPY .. FROM STDIN. In a transaction block the rows become visible with its COMMIT.
    ///
    /// # Errors
    /// The transaction block has failed; the table does not exist, or is a view; INSERT is not
    /// granted; a column that the table does not have; files of its format are not written.
    pub fn copy_in<'a>(&'a self, prepared: &'a Prepared) -> BoxFuture<'a, Result<CopyIn>> {
        async move {
            let statement = prepared.statement();
            let Some(Statement::CopyFrom(copy)) = statement else {
                return Err(Error::internal("the statement is not COPY FROM STDIN"));
            };
            let moment = self.begin_statement(statement).await?;
            self.check_transaction(statement)?;
            let text = prepared.source.text();
            self.begin_copy(&moment, copy, &text).await
        }
        .boxed()
    }

    async fn begin_copy(&self, moment: &Moment, copy: &CopyFrom, text: &str) -> Result<CopyIn> {
        let changes = self.changes();
        if moment.draft.is_some() && changes.is_none() {
            // The block failed meanwhile: it commits nothing.
            return Err(aborted());
        }
        let workgroup = self.settings().workgroup();
        moment.check_workgroup(&workgroup)?;
        let context = self.statement_context(moment).await?;
        let limits = moment.statement_limits(&workgroup);
        let meter = Arc::new(QueryMeter::new(None));
        let query = self.submit(text, context.path.shown(), limits, meter)?;
        let unfinished = Unfinished::guard(&query);
        let planned = async {
            // Planned on a planner thread, because a schema with many columns takes long.
            let copy = copy.clone();
            let planning = async move { context.plan_copy(&copy).await };
            let planning = self.gateway.plan_for(&query, planning.boxed());
            query.step(Phase::Planning, planning).await
        };
        let (columns, plan) = match planned.await {
            Ok(planned) => planned,
            Err(error) => {
                query.finish(0, Err(&error));
                return Err(error.with_query(query.id));
            }
        };
        unfinished.disarm();
        let job = WriteJob {
            gateway: Arc::clone(&self.gateway),
            query,
            write: QueryWrite::Table(Box::new(plan)),
            is_ordered: false,
            changes,
        };
        let ingestion = Ingestion::begin(job, Arc::clone(&columns));
        Ok(CopyIn { columns, ingestion })
    }
}
