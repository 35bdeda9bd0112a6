//! Substrait plans in the place of SQL. They are planned in the principal's own view of the catalog, and go the way of a query from there:
//! what is not granted is not there for them either.

use bytes::Bytes;
use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::CatalogReferences;
use lakegate_error::Result;

use crate::moment::Moment;
use crate::query::column_names::ColumnNames;
use crate::query::planning::Planning;
use crate::query::source::QuerySource;
use crate::session::Session;

/// The oldest and the newest release of Substrait whose plans are run; `None`: this server was built without them.
pub fn substrait_versions() -> Option<(String, String)> {
    #[cfg(feature = "substrait")]
    return Some(lakegate_engine::substrait::versions());
    #[cfg(not(feature = "substrait"))]
    None
}

impl Session {
    /// As [`Session::resolve`], for a plan in place of SQL.
    pub(crate) async fn resolve_substrait(&self, moment: &Moment, plan: Bytes) -> Result<Planning> {
        let source = QuerySource::Substrait(plan);
        let names = ColumnNames::default();
        self.resolve_source(moment, source, names, &CatalogReferences::default())
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
