//! Catalog statements: definitions, grants, SHOW and DESCRIBE.

use std::sync::Arc;

use futures::FutureExt;
use lakegate_error::{Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_sql::Parsed;
use lakegate_sql::ast::Statement;
use lakegate_statement::{self, BeforeCommit, Output, StatementContext};

use crate::Execution;
use crate::moment::Moment;
use crate::query::life::{CancelOnDrop, Phase, Unfinished};
use crate::session::Session;
use crate::session::results::{command, rows};

impl Session {
    /// Returns the context that a catalog statement runs in.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn statement_context(&self, moment: &Moment) -> Result<StatementContext> {
        let view = moment.view.clone();
        let path = view.search_path(&self.named_path()).await?;
        Ok(StatementContext {
            view,
            control: Arc::clone(&self.gateway.control),
            coordinator: Arc::clone(&self.gateway.coordinator),
            write_log: Arc::clone(&self.gateway.write_log),
            roots: Arc::clone(&self.gateway.roots),
            path,
            before_commit: BeforeCommit::default(),
        })
    }

    /// Runs a catalog statement.
    ///
    /// # Errors
    /// The statement fails; [`Code::NotSupported`](lakegate_error::Code) if it is not a catalog
    /// statement.
    pub(crate) async fn run_catalog_statement(
        &self,
        moment: &Moment,
        parsed: &Parsed,
    ) -> Result<Execution> {
        let statement = &parsed.statement;
        let mut context = self.statement_context(moment).await?;
        let limits = moment.statement_limits(&self.settings().workgroup());
        let meter = Arc::new(QueryMeter::new(None));
        let query = self.submit(&parsed.text, context.path.shown(), limits, meter)?;
        query.runs();
        let committing = Arc::clone(&query);
        context.before_commit = BeforeCommit::asking(move || committing.commits());
        let functions = match statement {
            Statement::ShowFunctions(show) => Some(lakegate_statement::show_functions(
                statement,
                show,
                self.gateway.engine.functions(self.dialect().names())?,
            )),
            _ => None,
        };
        let (running, executed) = (Arc::clone(&query), statement.clone());
        let gateway = Arc::clone(&self.gateway);
        // Runs in its own task, so a commit that has begun completes even if the client
        // disconnects.
        let execution = tokio::spawn(async move {
            let _unfinished = Unfinished::guard(&running);
            let work = async {
                match functions {
                    Some(functions) => functions,
                    None => lakegate_statement::execute(&context, &executed).await,
                }
            };
            let outcome = running.step(Phase::Execution, work.boxed()).await;
            match &outcome {
                Ok(Output::Command) => running.finish(0, Ok(())),
                Ok(Output::Rows { batch }) => running.finish(batch.num_rows() as u64, Ok(())),
                Err(error) => running.finish(0, Err(error)),
            }
            let ends_sessions =
                matches!(executed, Statement::DropUser(_) | Statement::AlterUser(_));
            if ends_sessions && outcome.is_ok() {
                gateway.end_what_is_over();
            }
            outcome
        });
        let _unwanted = CancelOnDrop(query);
        let outcome = match execution.await {
            Ok(outcome) => outcome?,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => return Err(Error::internal(error.to_string())),
        };
        match outcome {
            Output::Command => Ok(command(statement.tag())),
            Output::Rows { batch } => Ok(rows(statement.tag(), batch.schema(), vec![batch])),
        }
    }
}
