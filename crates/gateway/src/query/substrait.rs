//! Substrait plans in the place of SQL. They are planned in the principal's own view of the catalog, and go the way of a query from there:
//! what is not granted is not there for them either.

use bytes::Bytes;
use datafusion::logical_expr::LogicalPlan;
use futures::FutureExt;
use lakegate_dialect::postgres::Mentions;
use lakegate_error::Result;
use lakegate_sql::Parsed;
use lakegate_sql::ast::{Statement, Unsupported};

use crate::query::column_names::ColumnNames;
use crate::query::planners::PlannedText;
use crate::query::planning::{Planning, Source};
use crate::session::Session;
use crate::session::prepared::{Prepared, inferred_types, parameter_types};

/// The oldest and the newest release of Substrait whose plans are run; `None`: this server was built without them.
pub fn substrait_versions() -> Option<(String, String)> {
    #[cfg(feature = "substrait")]
    return Some(lakegate_engine::substrait::versions());
    #[cfg(not(feature = "substrait"))]
    None
}

impl Session {
    /// Prepares a `substrait.Plan`. Its dynamic parameters are those of a prepared statement: number 0 is `$1`.
    ///
    /// Errors: the server was built without Substrait; bytes that are no plan, or one that does more than read; names that do not resolve.
    pub async fn prepare_substrait(&self, plan: Bytes) -> Result<Prepared> {
        let basis = self.basis();
        let planning = Box::pin(self.planning_of_plan(plan.clone())).await?;
        let shown = PlannedText::Substrait(planning.database.clone());
        let planned = self.plan(shown, planning.described().boxed()).await?;
        let statement = Statement::Unsupported(Unsupported {
            what: "a Substrait plan in the place of SQL".to_owned(),
            nearest: None,
        });
        let mut prepared = Prepared::undescribed(Parsed {
            statement,
            text: format!("substrait plan, {} bytes", plan.len()),
            position: 1,
        });
        prepared.substrait = Some(plan);
        prepared.parameters = parameter_types(inferred_types(&planned.plan)?, &[])?;
        prepared.columns = Some(planned.columns);
        prepared.plan = Some(self.keep_plan(basis, planned.plan, planned.planning));
        Ok(prepared)
    }

    /// As [`Session::planning`], for a plan that came as one.
    pub(crate) async fn planning_of_plan(&self, plan: Bytes) -> Result<Planning> {
        let source = Source::Substrait(plan);
        self.planning_for(source, ColumnNames::default(), &Mentions::default())
            .await
    }
}

impl Planning {
    #[cfg(feature = "substrait")]
    pub(crate) async fn plan_substrait(&self, plan: &Bytes) -> Result<LogicalPlan> {
        lakegate_engine::substrait::plan(&self.state, plan).await
    }

    #[cfg(not(feature = "substrait"))]
    pub(crate) async fn plan_substrait(&self, _: &Bytes) -> Result<LogicalPlan> {
        Err(
            lakegate_error::Error::not_supported("this server was built without Substrait plans")
                .with_hint("send SQL, or build the server with its feature \"substrait\""),
        )
    }
}
