//! Catalog statements: definitions, grants, SHOW and DESCRIBE.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use lakegate_catalog::model::ViewSyntax;
use lakegate_dialect::Dialect;
use lakegate_error::{Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_sql::Parsed;
use lakegate_sql::ast::{CreateView, Statement};
use lakegate_statement::{self, BeforeCommit, Notices, Output, StatementContext};
use sqlparser::ast;

use crate::Execution;
use crate::moment::Moment;
use crate::query::ending::{CancelOnDrop, Unfinished};
use crate::query::life::Phase;
use crate::query::parameters::check_parameters;
use crate::query::planners::PlannedText;
use crate::query::resolve::NameScope;
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
            control: Arc::clone(&view.control),
            view,
            coordinator: Arc::clone(&moment.coordinator),
            write_log: Arc::clone(&self.gateway.write_log),
            roots: Arc::clone(&self.gateway.roots),
            path,
            before_commit: BeforeCommit::default(),
            notices: Notices::default(),
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
        let view = match statement {
            Statement::CreateView(create) => {
                let planning = self.view_columns(moment, &context, create);
                let planned = query.step(Phase::Planning, planning.boxed()).await;
                Some(planned.inspect_err(|error| query.finish(0, Err(error)))?)
            }
            _ => None,
        };
        let notices = context.notices.clone();
        let syntax = self.view_syntax();
        let (running, executed) = (Arc::clone(&query), statement.clone());
        let gateway = Arc::clone(&self.gateway);
        // Runs in its own task, so a commit that has begun completes even if the client
        // disconnects.
        let execution = tokio::spawn(async move {
            let _unfinished = Unfinished::guard(&running);
            let work = async {
                match (functions, &view, &executed) {
                    (Some(functions), ..) => functions,
                    (None, Some(columns), Statement::CreateView(create)) => {
                        lakegate_statement::create_view(&context, create, columns, syntax).await
                    }
                    _ => lakegate_statement::execute(&context, &executed).await,
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
        self.tell_of_indexes(statement);
        for message in notices.take() {
            self.notice(message);
        }
        match outcome {
            Output::Command => Ok(command(statement.tag())),
            Output::Rows { batch } => Ok(rows(statement.tag(), batch.schema(), vec![batch])),
        }
    }

    /// Tells a client that sent a statement on indexes what it has not done.
    fn tell_of_indexes(&self, statement: &Statement) {
        match statement {
            Statement::CreateIndex(create) => self.warn(
                "01000",
                format!(
                    "no index was created on \"{}\": tables of files have none",
                    create.table
                ),
            ),
            Statement::DropIndex(drop) => {
                for name in &drop.names {
                    self.notice(format!("index \"{name}\" does not exist, skipping"));
                }
            }
            _ => {}
        }
    }

    /// Plans the query of a new view and returns its columns.
    ///
    /// # Errors
    /// The query cannot be planned, has parameters, or reads the view that it replaces.
    async fn view_columns(
        &self,
        moment: &Moment,
        context: &StatementContext,
        create: &CreateView,
    ) -> Result<SchemaRef> {
        // The name may be of another database, or taken: creating the view reports it.
        let database = create.name.database.as_deref();
        let database = database.or_else(|| context.path.current().ok());
        let replaced = match database {
            Some(database) => context.view.table(database, &create.name.table).await?,
            None => None,
        };
        let replaced = replaced.filter(|visible| visible.table.is_view());
        let scope = NameScope {
            views: replaced.map(|visible| visible.table).into_iter().collect(),
            ..self.scope()
        };
        // Others, and later sessions, would not find what belongs to this one.
        let moment = moment.with_temporary(Arc::default());
        Box::pin(self.columns_of_view(&moment, &scope, &create.query)).await
    }

    /// Plans the query of a new view in a scope, and returns its columns.
    ///
    /// # Errors
    /// The query cannot be planned, or has parameters.
    pub(super) async fn columns_of_view(
        &self,
        moment: &Moment,
        scope: &NameScope,
        query: &ast::Query,
    ) -> Result<SchemaRef> {
        check_parameters(query, 0)?;
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let planning = Box::pin(self.resolve_in(moment, scope, statement)).await?;
        let text = PlannedText::Query(query, planning.database.clone());
        let planned = self
            .plan(moment, text, planning.described().boxed())
            .await?;
        Ok(planned.columns)
    }

    /// Returns the language in which the query of a new view is kept.
    pub(super) fn view_syntax(&self) -> ViewSyntax {
        match self.dialect() {
            Dialect::Postgres => ViewSyntax::Session(self.dialect().name().to_owned()),
            Dialect::Athena | Dialect::Trino => ViewSyntax::Trino,
        }
    }
}
