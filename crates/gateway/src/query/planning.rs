//! From a session to a query that can be planned and run: its view, its limits, its system tables.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use chrono::Utc;
use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use futures::FutureExt;
use lakegate_catalog::access::{Access, PRIMARY_WORKGROUP, WorkgroupState};
use lakegate_dialect::postgres::pg_catalog::{self, PgCatalog};
use lakegate_dialect::postgres::{Mentions, SessionInfo, enclose_joins, sorts_by_number};
use lakegate_engine::{CATALOG, PlanSettings};
use lakegate_engine::{check_names, with_shown_names};
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_lake::meter::{Cutoff, QueryMeter};
use lakegate_lake::metered_store::QueryStores;
use lakegate_lake::scan::QueryLake;
use lakegate_policy::{PolicyCatalogs, View};
use lakegate_sql::ast::{self as sql, Statement};
use lakegate_sql::redact;
use lakegate_statement::{self, BeforeCommit, Output, StatementContext};
use sqlparser::ast;

use crate::auth::logins::session_is_over;
use crate::query::column_names::ColumnNames;
use crate::query::explain::{explain, explain_schema};
use crate::query::joined_columns::Lookups;
use crate::query::life::{CancelOnDrop, Phase, Query, Submission};
use crate::query::limits::Limits;
use crate::query::rewording;
use crate::query::run::{QueryContext, Unfinished};
use crate::session::Session;
use crate::session::catalog_source::SessionCatalog;
use crate::session::dispatch::{command, rows};
use crate::session::prepared::{Prepared, check_parameters, declare_types};
use crate::session::settings::ResultReuse;
use crate::telemetry::history::Owner;
use crate::telemetry::system::SystemSchema;
use crate::{Execution, Rows};

/// What planning needs, and running on.
#[derive(Debug)]
pub(crate) struct Planning {
    source: Source,
    /// Of [`OpenWrites`](lakegate_catalog::store::OpenWrites), before the first name was resolved.
    pub(crate) commits: u64,
    pub(crate) state: SessionState,
    /// Those that the plan may read.
    pub(crate) stores: Arc<QueryStores>,
    pub(crate) lake: Arc<QueryLake>,
    pub(crate) settings: PlanSettings,
    /// The current database, for the record.
    pub(crate) database: String,
    system: PgCatalog,
    /// Only the names of the columns are asked for, as a statement around it has them.
    is_part: bool,
    pub(crate) names: ColumnNames,
}

/// What a query is planned from.
#[derive(Debug)]
pub(crate) enum Source {
    /// As it was rewritten.
    Statement(Box<ast::Statement>),
    Substrait(Bytes),
}

/// How a query is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    Sql(&'a ast::Query),
    Substrait(&'a Bytes),
}

/// A plan with what it was planned in, and the columns that a client is told of.
#[derive(Debug)]
pub(crate) struct Planned {
    pub plan: LogicalPlan,
    pub columns: SchemaRef,
    pub planning: Planning,
}

impl Planning {
    /// # Errors
    /// As those of [`Self::plan`].
    pub(crate) async fn described(self) -> Result<Planned> {
        let plan = self.plan().await?;
        Ok(Planned {
            columns: self.columns(&plan),
            plan,
            planning: self,
        })
    }

    /// Errors: names that do not resolve, types that do not fit, syntax the engine does not plan.
    pub(crate) async fn plan(&self) -> Result<LogicalPlan> {
        match &self.source {
            Source::Statement(statement) => {
                let plan = Box::pin(rewording::planned(&self.state, statement)).await?;
                check_names(&plan, sorts_by_number(statement))?;
                let plan = match self.is_part {
                    true => with_shown_names(plan).map_err(from_engine)?,
                    false => plan,
                };
                self.system.finish(plan).map_err(from_engine)
            }
            Source::Substrait(plan) => self.plan_substrait(plan).await,
        }
    }

    /// The columns that a client is told of.
    fn columns(&self, plan: &LogicalPlan) -> SchemaRef {
        // A parameter without a type keeps a plan from being analysed: then the planner's types are the best there are.
        let analyzed = self.analyzed(plan);
        let plan = analyzed.as_ref().unwrap_or(plan);
        self.names.schema(plan.schema().inner())
    }

    /// The plan with the types that its columns will have: of a UNION, the planner knows only those of its first SELECT.
    pub(crate) fn analyzed(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        self.state
            .analyzer()
            .execute_and_check(plan.clone(), self.state.config_options(), |_, _| {})
            .map_err(from_engine)
    }
}

impl Session {
    /// Errors: the session is over.
    pub(crate) fn access(&self) -> Result<Arc<Access>> {
        self.gateway
            .access_of(self.principal())
            .ok_or_else(|| session_is_over(&self.user))
    }

    pub(crate) fn view(&self) -> Result<View> {
        Ok(View {
            access: self.access()?,
            metastore: Arc::clone(&self.gateway.metastore),
            control: Arc::clone(&self.gateway.control),
            tables: self.gateway.tables.clone(),
            folders: self.gateway.folders.clone(),
        })
    }

    /// The databases of unqualified names as the session names them; `$user` is that of the user.
    pub(crate) fn named_path(&self) -> Vec<String> {
        let path = self.state.lock().settings.search_path();
        path.into_iter()
            .map(|name| match name.as_str() {
                "$user" => self.user.clone(),
                _ => name,
            })
            .collect()
    }

    fn session_info(&self, search_path: Vec<String>) -> SessionInfo {
        let settings = self.state.lock().settings.all();
        SessionInfo {
            user: self.user.clone(),
            database: CATALOG.to_owned(),
            search_path,
            backend_pid: self.backend_pid(),
            settings: settings
                .into_iter()
                .map(|(name, value, _)| (name.to_lowercase(), value))
                .collect(),
            version: format!("PostgreSQL 16.6 (Lakegate {})", env!("CARGO_PKG_VERSION")),
            server_start: self.gateway.started_at.timestamp_micros(),
            server_addr: None,
            server_port: None,
            client_addr: Some(self.client_addr().ip().to_string()),
            client_port: Some(i32::from(self.client_addr().port())),
        }
    }

    /// Makes an engine session in which this statement can be planned for the principal.
    ///
    /// Errors: the workgroup is gone, disabled, or no longer granted; what the rewrite refuses.
    pub(crate) async fn planning(&self, statement: ast::Statement) -> Result<Planning> {
        let mut lookups = Lookups::default();
        self.planning_of(statement, &mut lookups).await
    }

    /// The same for a part of a statement, for which something was looked up already.
    pub(crate) async fn planning_with(
        &self,
        statement: ast::Statement,
        lookups: &mut Lookups,
    ) -> Result<Planning> {
        let mut planning = self.planning_of(statement, lookups).await?;
        planning.is_part = true;
        Ok(planning)
    }

    async fn planning_of(
        &self,
        mut statement: ast::Statement,
        lookups: &mut Lookups,
    ) -> Result<Planning> {
        let names = ColumnNames::of(&statement);
        enclose_joins(&mut statement)?;
        statement = self.resolve_joins(statement, lookups).await?;
        let mentions = pg_catalog::rewrite(&mut statement)?;
        let source = Source::Statement(Box::new(statement));
        self.planning_for(source, names, &mentions).await
    }

    /// The same for what may be no SQL.
    ///
    /// `names`: of its columns. `mentions`: what it asks of the system catalogs by Postgres' own syntax.
    pub(crate) async fn planning_for(
        &self,
        source: Source,
        names: ColumnNames,
        mentions: &Mentions,
    ) -> Result<Planning> {
        let commits = self.gateway.write_log.open_writes().commits();
        let view = self.view()?;
        let path = view.search_path(&self.named_path()).await?;
        let (workgroup, time_zone, settings) = {
            let state = self.state.lock();
            (
                state.settings.workgroup(),
                state.settings.time_zone(),
                state.settings.all(),
            )
        };
        let plan_settings = PlanSettings {
            time_zone,
            search_path: path.visible.clone(),
        };
        let meter = Arc::new(QueryMeter::new(self.cutoff(&workgroup)?));
        let lake = Arc::new(QueryLake {
            roots: Arc::clone(&self.gateway.roots),
            meter: Arc::clone(&meter),
            footers: self.gateway.footers.clone(),
            max_statistics_files: self.gateway.max_statistics_files,
            max_row_bytes: self.gateway.max_row_bytes,
        });

        let catalog = SessionCatalog {
            session: self.me.clone(),
            gateway: Arc::clone(&self.gateway),
            view: view.clone(),
            settings,
        };
        let info = Arc::new(self.session_info(path.visible.clone()));
        let system = PgCatalog::open(info, Arc::new(catalog), mentions)
            .await
            .map_err(from_engine)?;
        let shown = (!view.access.is_administrator()).then(|| self.owner());
        let own = SystemSchema::new(Arc::clone(&self.gateway.history), shown);
        let mut built_in = HashMap::from([("system".to_owned(), Arc::new(own) as _)]);
        built_in.extend(system.schemas());

        let stores = QueryStores::new(Arc::clone(&self.gateway.roots), meter);
        let database = path.shown();
        let catalogs = Arc::new(PolicyCatalogs::new(view, built_in, path));
        let mut state = self.gateway.engine.session(&plan_settings, catalogs);
        system.install(&mut state, mentions).map_err(from_engine)?;
        Ok(Planning {
            source,
            commits,
            state,
            stores: Arc::new(stores),
            lake,
            settings: plan_settings,
            database,
            system,
            is_part: false,
            names,
        })
    }

    /// What the workgroup allows one query to scan.
    ///
    /// Errors: the workgroup is gone, disabled, or no longer granted.
    fn cutoff(&self, name: &str) -> Result<Option<Cutoff>> {
        self.check_workgroup(name)?;
        let control = self.gateway.control.snapshot();
        let workgroup = control.workgroups.get(name).ok_or_else(|| {
            Error::new(
                Code::UndefinedObject,
                format!("workgroup \"{name}\" does not exist"),
            )
        })?;
        if workgroup.state == WorkgroupState::Disabled {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("workgroup \"{name}\" is disabled"),
            )
            .with_hint(format!(
                "SET workgroup = '{PRIMARY_WORKGROUP}', or ask an administrator to enable it"
            )));
        }
        let limit = workgroup.bytes_scanned_cutoff_per_query;
        Ok(limit.map(|limit| Cutoff {
            workgroup: name.to_owned(),
            limit,
        }))
    }

    /// Puts a statement into the history; from here on it can be cancelled.
    pub(crate) fn submit(
        &self,
        text: &str,
        database: String,
        meter: Arc<QueryMeter>,
    ) -> Result<Arc<Query>> {
        if self.gateway.is_shutting_down() {
            return Err(Error::new(
                Code::ShuttingDown,
                "the server is shutting down and takes no new queries",
            ));
        }
        let submission = {
            let state = self.state.lock();
            let settings = &state.settings;
            let workgroup = settings.workgroup();
            let control = self.gateway.control.snapshot();
            let known = control.workgroups.get(&workgroup);
            Submission {
                principal: self.principal().clone(),
                limits: Limits {
                    most: known.map(|known| known.limits).unwrap_or_default(),
                    workgroup: workgroup.clone(),
                },
                workgroup,
                database,
                text: redact(text),
                protocol: self.protocol.name().to_owned(),
                application_name: Some(settings.application_name()).filter(|name| !name.is_empty()),
                timeout: settings.statement_timeout(),
            }
        };
        let (history, running) = (
            Arc::clone(&self.gateway.history),
            Arc::clone(&self.gateway.running),
        );
        let query = Query::submit(submission, meter, history, running);
        self.state.lock().active = Some(Arc::clone(&query));
        // What ends sessions looks for queries after the change: one that it did not find yet sees the change here.
        if let Err(error) = self.access() {
            query.finish(0, Err(&error));
            return Err(error);
        }
        Ok(query)
    }

    /// Whose queries the session's user sees.
    fn owner(&self) -> Owner {
        let control = self.gateway.control.snapshot();
        let known = control.users.get(&self.user);
        Owner {
            user_id: self.principal().id(),
            user_name: self.user.clone(),
            since: known.map_or_else(Utc::now, |user| user.created),
        }
    }

    /// Everything that a query runs with; the query is in the history from here on.
    fn query_context(&self, text: &str, planning: Planning) -> Result<QueryContext> {
        let (reuse, asked, workgroup) = {
            let settings = &self.state.lock().settings;
            (
                settings.result_reuse(),
                settings.staleness(),
                settings.workgroup(),
            )
        };
        let staleness = asked.min(self.max_staleness(&workgroup));
        let meter = Arc::clone(&planning.lake.meter);
        let query = self.submit(text, planning.database.clone(), meter)?;
        Ok(QueryContext {
            gateway: Arc::clone(&self.gateway),
            query,
            planning: Arc::new(planning),
            reuse,
            staleness,
        })
    }

    /// How old a workgroup lets results be that are reused although files have changed.
    pub(crate) fn max_staleness(&self, workgroup: &str) -> Duration {
        let control = self.gateway.control.snapshot();
        let workgroup = control.workgroups.get(workgroup);
        workgroup.map_or(Duration::ZERO, |workgroup| workgroup.max_staleness)
    }

    pub(crate) async fn query(
        &self,
        query: &ast::Query,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
        tag: &'static str,
    ) -> Result<Execution> {
        let asked = Asked::Sql(query);
        let mut rows = self.rows_of(asked, prepared, parameters, None).await?;
        rows.tag = tag;
        Ok(Execution::Rows(rows))
    }

    /// Runs a query. `reuse`: in the place of the session's own.
    pub(crate) async fn rows_of(
        &self,
        asked: Asked<'_>,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
        reuse: Option<ResultReuse>,
    ) -> Result<Rows> {
        self.access()?;
        let (planned, planning) = match (self.take_plan(prepared), asked) {
            (Some((plan, planning)), _) => (Some(plan), planning),
            (None, Asked::Substrait(plan)) => {
                (None, Box::pin(self.planning_of_plan(plan.clone())).await?)
            }
            (None, Asked::Sql(query)) => {
                let mut statement = ast::Statement::Query(Box::new(query.clone()));
                check_parameters(&statement, parameters.len())?;
                let types: Vec<Option<DataType>> =
                    prepared.parameters.iter().cloned().map(Some).collect();
                declare_types(&mut statement, &types);
                (None, Box::pin(self.planning(statement)).await?)
            }
        };
        let mut context = self.query_context(&prepared.parsed.text, planning)?;
        context.reuse = reuse.unwrap_or(context.reuse);
        let expected = prepared.columns.as_ref();
        context.run(planned, &parameters, expected).boxed().await
    }

    pub(crate) async fn explain(
        &self,
        explained: &sql::Explain,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let query = match explained.statement.as_ref() {
            Statement::Query(query) => query,
            Statement::DeclareCursor(declare) => &declare.query,
            Statement::Unsupported(unsupported) => {
                return Err(Error::not_supported(unsupported.message()));
            }
            other => {
                return Err(Error::not_supported(format!(
                    "EXPLAIN of {} is not supported; use it on a query",
                    other.tag()
                )));
            }
        };
        let statement = ast::Statement::Query(query.clone());
        check_parameters(&statement, parameters.len())?;
        let planning = Box::pin(self.planning(statement)).await?;
        let mut context = self.query_context(&prepared.parsed.text, planning)?;
        context.reuse = ResultReuse::Off;
        let _unfinished = Unfinished::guard(&context.query);
        let result = explain(&context, &parameters, explained.analyze, explained.verbose)
            .boxed()
            .await;
        match result {
            Ok(batch) => {
                context.query.finish(batch.num_rows() as u64, Ok(()));
                Ok(rows("EXPLAIN", explain_schema(), vec![batch]))
            }
            Err(error) => {
                context.query.finish(0, Err(&error));
                Err(error)
            }
        }
    }

    /// What a statement of the catalog runs with, for the session's principal as of now.
    pub(crate) async fn statement_context(&self) -> Result<StatementContext> {
        let view = self.view()?;
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

    pub(crate) async fn run_statement(
        &self,
        statement: &Statement,
        prepared: &Prepared,
    ) -> Result<Execution> {
        let mut context = self.statement_context().await?;
        let meter = Arc::new(QueryMeter::new(None));
        let query = self.submit(&prepared.parsed.text, context.path.shown(), meter)?;
        query.runs();
        let committing = Arc::clone(&query);
        context.before_commit = BeforeCommit::asking(move || committing.commits());
        let functions = match statement {
            Statement::ShowFunctions(show) => Some(lakegate_statement::show_functions(
                statement,
                show,
                self.gateway.engine.functions(),
            )),
            _ => None,
        };
        let (running, executed) = (Arc::clone(&query), statement.clone());
        let gateway = Arc::clone(&self.gateway);
        // A task of its own: what has begun to commit is done also when the client goes.
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
