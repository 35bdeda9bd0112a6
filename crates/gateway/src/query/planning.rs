//! A query whose names are resolved: what its plan is made in, and the plan.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::pg_catalog::PgCatalog;
use lakegate_dialect::postgres::sorts_by_number;
use lakegate_engine::{PlanSettings, check_names, with_shown_names};
use lakegate_error::{Result, from_engine};
use lakegate_lake::meter::QueryStores;
use lakegate_lake::scan::QueryLake;
use sqlparser::ast;

use crate::query::column_names::ColumnNames;
use crate::query::rewording;
use crate::query::source::QuerySource;
use crate::workgroup::WorkgroupLimits;

/// What planning a query takes, and running it then.
#[derive(Debug)]
pub(crate) struct Planning {
    /// The statement as it was rewritten, or the plan as it was sent.
    pub source: QuerySource<Box<ast::Statement>>,
    /// Commits of writes before the first name was resolved.
    pub commits: u64,
    /// What the query may use.
    pub limits: WorkgroupLimits,
    pub state: SessionState,
    /// The stores that the plan may read.
    pub stores: Arc<QueryStores>,
    pub lake: Arc<QueryLake>,
    pub settings: PlanSettings,
    /// The current database, for the history.
    pub database: String,
    pub system: PgCatalog,
    /// It is a part of a statement, planned for the names of its columns alone.
    pub is_part: bool,
    pub names: ColumnNames,
}

/// A plan with what it was planned in, and its columns as the client sees them.
#[derive(Debug)]
pub(crate) struct Planned {
    pub plan: LogicalPlan,
    pub columns: SchemaRef,
    pub planning: Planning,
}

impl Planning {
    /// # Errors
    /// Those of [`Self::plan`].
    pub async fn described(self) -> Result<Planned> {
        let plan = self.plan().await?;
        Ok(Planned {
            columns: self.columns(&plan),
            plan,
            planning: self,
        })
    }

    /// # Errors
    /// Names that do not resolve, types that do not fit, syntax that the engine does not plan.
    pub async fn plan(&self) -> Result<LogicalPlan> {
        match &self.source {
            QuerySource::Sql(statement) => {
                let plan = Box::pin(rewording::planned(&self.state, statement)).await?;
                check_names(&plan, sorts_by_number(statement))?;
                let plan = match self.is_part {
                    true => with_shown_names(plan).map_err(from_engine)?,
                    false => plan,
                };
                self.system.finish(plan).map_err(from_engine)
            }
            QuerySource::Substrait(plan) => self.plan_substrait(plan).await,
        }
    }

    /// The columns as the client sees them.
    fn columns(&self, plan: &LogicalPlan) -> SchemaRef {
        // A parameter without a type keeps a plan from being analysed: the planner's types are used then.
        let analyzed = self.analyzed(plan);
        let plan = analyzed.as_ref().unwrap_or(plan);
        self.names.schema(plan.schema().inner())
    }

    /// The plan with the final types of its columns: of a UNION, the planner knows those of the first
    /// SELECT alone.
    pub fn analyzed(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        self.state
            .analyzer()
            .execute_and_check(plan.clone(), self.state.config_options(), |_, _| {})
            .map_err(from_engine)
    }
}
