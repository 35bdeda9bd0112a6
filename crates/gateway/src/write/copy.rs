//! COPY .. FROM STDIN: bulk ingestion as a statement, also in a transaction block.

use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Error, Result};
use lakegate_sql::ast::{CopyFrom, Statement};
use lakegate_statement::StatementContext;

use crate::moment::Moment;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::transaction::aborted;
use crate::write::ingest::Ingestion;

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
    /// granted; a column that the table does not have; files of its format are not written; the
    /// condition cannot be planned.
    pub fn copy_in<'a>(&'a self, prepared: &'a Prepared) -> BoxFuture<'a, Result<CopyIn>> {
        async move {
            let begun = self.begun_copy(prepared).await;
            begun.map_err(|error| match prepared.source.sql() {
                Some(parsed) => self.told(error, parsed),
                None => error,
            })
        }
        .boxed()
    }

    async fn begun_copy(&self, prepared: &Prepared) -> Result<CopyIn> {
        let statement = prepared.statement();
        let Some(Statement::CopyFrom(copy)) = statement else {
            return Err(Error::internal("the statement is not COPY FROM STDIN"));
        };
        let moment = self.begin_statement(statement).await?;
        self.check_transaction(statement)?;
        let text = prepared.source.text();
        self.begin_copy(&moment, copy, &text).await
    }

    async fn begin_copy(&self, moment: &Moment, copy: &CopyFrom, text: &str) -> Result<CopyIn> {
        let changes = self.changes();
        if moment.draft.is_some() && changes.is_none() {
            // The block failed meanwhile: it commits nothing.
            return Err(aborted());
        }
        let workgroup = self.settings().workgroup();
        let catalog = self.statement_context(moment).await?;
        let condition = match Box::pin(self.condition(moment, &catalog, copy)).await {
            Ok(condition) => condition,
            Err(error) => return Err(self.refused(moment, catalog.path.shown(), text, error)),
        };
        let copy = copy.clone();
        let plan = |context: StatementContext| {
            async move {
                let (columns, write) = context.plan_copy(&copy).await?;
                let filter = condition
                    .map(|condition| condition.of(&write))
                    .transpose()?;
                Ok((columns, write, filter))
            }
            .boxed()
        };
        let begins = self.begin_ingestion(moment, &workgroup, text, changes, plan);
        let (columns, ingestion) = begins.await?;
        Ok(CopyIn { columns, ingestion })
    }
}
