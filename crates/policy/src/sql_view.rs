//! A view of the catalog as the engine sees it: the plan of its query, with the granted columns.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, TableReference};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lakegate_error::{Error, Result, from_engine};

use super::{Visible, no_column_is_granted};

/// Plans the queries of views. Planning SQL needs a session, which is above this crate.
#[async_trait]
pub trait ViewQueries: Debug + Send + Sync {
    /// Plans the query of a view. Returns all columns of the view, by name and in its order.
    ///
    /// # Errors
    ///
    /// The definition cannot be read, or its query cannot be planned any more.
    async fn plan(&self, view: &Visible) -> Result<LogicalPlan>;
}

/// A view as its principal may query it. The engine puts its plan in its place.
#[derive(Debug)]
pub struct PolicyView {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl PolicyView {
    /// Restricts the plan of a view to the granted columns.
    ///
    /// # Errors
    ///
    /// The principal may see the view but select no column of it.
    pub fn new(view: &Visible, plan: LogicalPlan) -> Result<Self> {
        let selected = view.access.selected_columns();
        let fields = plan.schema().iter();
        let granted: Vec<Expr> = fields
            .filter(|(_, field)| selected.contains(field.name().as_str()))
            .map(|(qualifier, field)| {
                let column = Column::new(qualifier.cloned(), field.name());
                Expr::Column(column).alias_qualified(None::<TableReference>, field.name())
            })
            .collect();
        if granted.is_empty() {
            return Err(no_column_is_granted(&view.table.full_name()));
        }
        let plan = LogicalPlanBuilder::from(plan)
            .project(granted)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_engine)?;
        let schema = Arc::clone(plan.schema().inner());
        Ok(Self { plan, schema })
    }
}

#[async_trait]
impl TableProvider for PolicyView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_logical_plan(&self) -> Option<std::borrow::Cow<'_, LogicalPlan>> {
        Some(std::borrow::Cow::Borrowed(&self.plan))
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Err(Error::internal("a view is scanned instead of its query").into())
    }
}
