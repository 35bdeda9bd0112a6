//! Name resolution: from a session's statement to a query that can be planned, with the principal's
//! view of the catalog, the limits of the workgroup, and the system tables.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lakegate_catalog::model::Table;
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::pg_catalog::{PgCatalog, oids};
use lakegate_dialect::postgres::{CatalogReferences, SessionControl, SessionInfo, enclose_joins};
use lakegate_engine::time::DateOrder;
use lakegate_engine::{CATALOG, Names, PlanSettings, StatementState};
use lakegate_error::{Result, from_engine};
use lakegate_lake::meter::QueryStores;
use lakegate_lake::scan::QueryLake;
use lakegate_policy::{PolicyCatalogs, TEMPORARY_DATABASE};
use sqlparser::ast;

use crate::moment::Moment;
use crate::query::column_names::ColumnNames;
use crate::query::planning::Planning;
use crate::query::relations::Relations;
use crate::query::rewrites::joined_columns::{ColumnsOf, Lookups, resolve_joins};
use crate::query::source::QuerySource;
use crate::query::views::SessionViews;
use crate::session::Session;
use crate::session::catalog_source::SessionCatalog;
use crate::session::control::QueryControl;
use crate::telemetry::system::SystemSchema;

/// Where and how the names of a statement are looked up.
#[derive(Debug, Clone)]
pub(crate) struct NameScope {
    pub dialect: Dialect,
    /// The databases in which unqualified names are looked up, as they are named.
    pub path: Vec<String>,
    /// The views whose queries the statement is part of, outermost first.
    pub views: Vec<Arc<Table>>,
}

/// The state in which a statement is planned for a principal.
pub(crate) struct NameState {
    pub state: StatementState,
    pub settings: PlanSettings,
    /// The current database, for the history.
    pub database: String,
    pub system: PgCatalog,
}

impl Session {
    /// Returns the scope of the session's statements.
    pub(crate) fn scope(&self) -> NameScope {
        NameScope {
            dialect: self.dialect(),
            path: self.named_path(),
            views: Vec::new(),
        }
    }

    /// Resolves a statement: creates an engine session in which it can be planned for the
    /// principal.
    ///
    /// # Errors
    /// The workgroup is dropped, disabled or not granted; the rewrite rejects the statement.
    pub(crate) async fn resolve(
        &self,
        moment: &Moment,
        statement: ast::Statement,
    ) -> Result<Planning> {
        Box::pin(self.resolve_in(moment, &self.scope(), statement)).await
    }

    /// Resolves a statement in a scope of its own. As [`Self::resolve`].
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub(crate) async fn resolve_in(
        &self,
        moment: &Moment,
        scope: &NameScope,
        statement: ast::Statement,
    ) -> Result<Planning> {
        let names = ColumnNames::of(scope.dialect, &statement);
        let relations = Relations {
            session: self,
            moment,
            scope,
            apart: true,
        };
        let mut lookups = Lookups::default();
        let (statement, references) = relations.rewritten(statement, &mut lookups).await?;
        let source = QuerySource::Sql(Arc::new(statement));
        self.resolve_source(moment, scope, source, names, &references)
            .await
    }

    /// Resolves a source, which may be a Substrait plan.
    ///
    /// `names`: the names of its columns. `references`: what it refers to in the system catalogs,
    /// in PostgreSQL's own syntax.
    ///
    /// # Errors
    /// The workgroup is dropped, disabled or not granted; the catalog cannot be read.
    pub(crate) async fn resolve_source(
        &self,
        moment: &Moment,
        scope: &NameScope,
        source: QuerySource<Arc<ast::Statement>>,
        names: ColumnNames,
        references: &CatalogReferences,
    ) -> Result<Planning> {
        let limits = moment.query_limits(&self.settings().workgroup())?;
        let meter = Arc::new(limits.meter());
        let lake = Arc::new(QueryLake {
            roots: Arc::clone(&self.gateway.roots),
            meter: Arc::clone(&meter),
            footers: self.gateway.footers.clone(),
            hot: self.gateway.hot.clone(),
            max_statistics_files: self.gateway.max_statistics_files,
            max_row_bytes: self.gateway.max_row_bytes,
        });
        let stores = QueryStores::new(Arc::clone(&self.gateway.roots), meter);
        let NameState {
            state,
            settings,
            database,
            system,
        } = self.name_state(moment, scope, references).await?;
        Ok(Planning {
            source,
            commits: moment.commits,
            draft: moment.draft.clone(),
            block_began: moment.block_began,
            limits,
            state: Arc::new(state),
            stores: Arc::new(stores),
            lake,
            settings,
            database,
            system: Arc::new(system),
            names,
            origins: OnceLock::new(),
            analysis: OnceLock::new(),
            shows_digits: false,
            assigned: None,
            localized: OnceLock::new(),
        })
    }

    /// Returns what was resolved before for another run, with limits and counters of its own.
    ///
    /// # Errors
    /// The workgroup is dropped, disabled or not granted.
    pub(crate) fn renewed(&self, moment: &Moment, planning: Planning) -> Result<Planning> {
        let limits = moment.query_limits(&self.settings().workgroup())?;
        Ok(Planning {
            commits: moment.commits,
            ..planning.unread(limits)
        })
    }

    /// Creates the state in which names are those of the moment's principal.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn name_state(
        &self,
        moment: &Moment,
        scope: &NameScope,
        references: &CatalogReferences,
    ) -> Result<NameState> {
        let settings = self.settings();
        // A view means what it meant where it was made, whatever its reader sets.
        let date_order = match (scope.dialect.names(), scope.views.is_empty()) {
            (Names::Postgres, true) => settings.date_order(),
            (Names::Postgres, false) => DateOrder::Mdy,
            (Names::Trino, _) => DateOrder::Unknown,
        };
        let view = moment.view.clone();
        let path = view.search_path(&scope.path).await?;
        let plan_settings = PlanSettings {
            time_zone: settings.time_zone(),
            search_path: path.visible.clone(),
            names: scope.dialect.names(),
        };
        let catalog = SessionCatalog {
            session: self.me.clone(),
            gateway: Arc::clone(&self.gateway),
            moment: moment.clone(),
            names: OnceLock::new(),
        };
        let info = Arc::new(SessionInfo {
            user: self.user.clone(),
            database: CATALOG.to_owned(),
            search_path: path.visible.clone(),
            temporary_schema: (!moment.view.temporary.is_empty())
                .then(|| oids::namespace(TEMPORARY_DATABASE)),
            backend_pid: self.backend_pid(),
            // A view is written by one user and read by another, whose sessions and settings are
            // not the writer's to change.
            control: scope
                .views
                .is_empty()
                .then(|| Arc::new(QueryControl(self.me.clone())) as Arc<dyn SessionControl>),
            settings,
            server_start: self.gateway.started_at.timestamp_micros(),
            server_addr: None,
            server_port: None,
            client_addr: Some(self.client_addr().ip().to_string()),
            client_port: Some(i32::from(self.client_addr().port())),
            transaction: SessionInfo::transaction_after(moment.changes),
        });
        let system = PgCatalog::open(info, Arc::new(catalog), references)
            .await
            .map_err(from_engine)?;
        let is_administrator = moment.access().is_administrator();
        let shown = (!is_administrator).then(|| moment.owner(self.principal()));
        let own = SystemSchema::new(Arc::clone(&self.gateway.history), shown);
        let mut built_in = HashMap::from([("system".to_owned(), Arc::new(own) as _)]);
        built_in.extend(system.schemas());

        let database = path.shown();
        let views = SessionViews {
            session: self.me.clone(),
            moment: moment.clone(),
            views: scope.views.clone(),
        };
        let zone = references
            .hidden_columns
            .then(|| plan_settings.time_zone.clone());
        let catalogs = PolicyCatalogs::new(view, Arc::new(views), built_in, path, zone);
        let engine = &self.gateway.engine;
        let mut state = engine.session(&plan_settings, Arc::new(catalogs))?;
        let additions = system.additions(&state, references, plan_settings.names);
        if !additions.is_empty() {
            additions.install(state.own()).map_err(from_engine)?;
        }
        if plan_settings.names == Names::Postgres && moment.block_began.is_some() {
            state.begin(moment.block_began);
        }
        state.read_dates(date_order);
        Ok(NameState {
            state,
            settings: plan_settings,
            database,
            system,
        })
    }
}

/// Writes out the joins of a statement by common columns.
///
/// # Errors
/// A join is not valid; a relation whose columns are needed cannot be planned.
pub(crate) async fn joined(
    mut statement: ast::Statement,
    relations: &impl ColumnsOf,
    lookups: &mut Lookups,
    limit: Duration,
) -> Result<ast::Statement> {
    enclose_joins(&mut statement)?;
    let resolving = resolve_joins(statement, relations, lookups, limit);
    Box::pin(resolving).await
}

/// Rewrites a statement for the engine's planner. Returns it with what it uses of the system
/// catalogs.
///
/// # Errors
/// The rewrite rejects the statement.
pub(crate) fn rewritten(
    dialect: Dialect,
    mut statement: ast::Statement,
) -> Result<(ast::Statement, CatalogReferences)> {
    let references = dialect.rewrite(&mut statement)?;
    Ok((statement, references))
}
