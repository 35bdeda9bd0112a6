//! DoPut: updates, bulk ingestion, and the parameters of prepared statements.

use std::pin::Pin;

use arrow_flight::PutResult;
use arrow_flight::sql::{
    Command, CommandStatementQuery, DoPutPreparedStatementResult, DoPutUpdateResult,
};
use lakegate_error::{Code, Error, Result};
use prost::Message;
use tonic::Status;

use super::auth::Caller;
use super::incoming::Incoming;
use super::status::to_status;
use super::{Door, info, ingest};

impl Door {
    /// Answers DoPut.
    ///
    /// # Errors
    ///
    /// There is no command, the command is not one of DoPut, or running it fails.
    pub(crate) async fn put(
        &self,
        caller: &Caller,
        mut incoming: Incoming,
    ) -> Result<PutResult, Status> {
        let first = match Pin::new(&mut incoming).peek().await {
            Some(Ok(first)) => first,
            Some(Err(status)) => return Err(status.clone()),
            None => return Err(to_status(no_command())),
        };
        let descriptor = first
            .flight_descriptor
            .as_ref()
            .ok_or_else(no_command)
            .map_err(to_status)?;
        if descriptor.cmd.is_empty() && !descriptor.path.is_empty() {
            let request = ingest::appended(&descriptor.path).map_err(to_status)?;
            let rows = ingest::ingest(caller, &request, incoming).await?;
            return Ok(PutResult {
                app_metadata: updated(rows).into(),
            });
        }
        let command = info::described(descriptor).map_err(to_status)?;
        let app_metadata = match command {
            Command::CommandStatementUpdate(update) => {
                let query = CommandStatementQuery {
                    query: update.query,
                    transaction_id: update.transaction_id,
                };
                let bound = self
                    .bind_text(&caller.session, &query)
                    .await
                    .map_err(to_status)?;
                updated(Box::pin(bound.update()).await.map_err(to_status)?)
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let handle = &update.prepared_statement_handle;
                let bound = self.bind_for_update(caller, handle, incoming).await?;
                updated(Box::pin(bound.update()).await.map_err(to_status)?)
            }
            Command::CommandPreparedStatementQuery(query) => {
                let handle = query.prepared_statement_handle;
                self.bind(caller, &handle, incoming).await?;
                DoPutPreparedStatementResult {
                    prepared_statement_handle: Some(handle),
                }
                .encode_to_vec()
            }
            Command::CommandStatementIngest(command) => {
                let request = ingest::requested(&command).map_err(to_status)?;
                updated(ingest::ingest(caller, &request, incoming).await?)
            }
            Command::CommandStatementSubstraitPlan(plan) => {
                let bound = self
                    .bind_plan(&caller.session, &plan)
                    .await
                    .map_err(to_status)?;
                updated(Box::pin(bound.update()).await.map_err(to_status)?)
            }
            other => {
                return Err(to_status(Error::new(
                    Code::ProtocolViolation,
                    format!("{} is not a DoPut command", other.type_url()),
                )));
            }
        };
        Ok(PutResult {
            app_metadata: app_metadata.into(),
        })
    }
}

fn updated(record_count: i64) -> Vec<u8> {
    DoPutUpdateResult { record_count }.encode_to_vec()
}

fn no_command() -> Error {
    Error::new(
        Code::ProtocolViolation,
        "the first message of a DoPut must hold a descriptor with a command",
    )
}
