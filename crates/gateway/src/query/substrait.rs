//! Substrait plans in place of SQL. They are planned in the principal's own view of the catalog and
//! then run like any query, so what is not granted does not exist for them either.

use bytes::Bytes;
use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::CatalogReferences;
use lakegate_error::Result;

use crate::moment::Moment;
use crate::query::column_names::ColumnNames;
use crate::query::planning::Planning;
use crate::query::source::QuerySource;
use crate::session::Session;

/// Returns the oldest and the newest supported release of Substrait, or `None` if this server was
/// built without support for it.
pub fn substrait_versions() -> Option<(String, String)> {
    #[cfg(feature = "substrait")]
    return Some(lakegate_engine::substrait::versions());
    #[cfg(not(feature = "substrait"))]
    None
}

impl Session {
    /// Resolves a Substrait plan; see [`Session::resolve`].
    ///
    /// # Errors
    /// As of [`Session::resolve`].
    pub(crate) async fn resolve_substrait(&self, moment: &Moment, plan: Bytes) -> Result<Planning> {
        let source = QuerySource::Substrait(plan);
        let names = ColumnNames::default();
        self.resolve_source(
            moment,
            &self.scope(),
            source,
            names,
            &CatalogReferences::default(),
        )
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
