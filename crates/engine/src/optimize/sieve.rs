//! Keeps physical filters above operators in which their column names are ambiguous.
//!
//! DataFusion pushes a filter through an operator by column name, and takes the first column of
//! that name (`FilterRemapper` of `datafusion-physical-plan`, 55.2). Above a join of tables that
//! share column names, that may be the wrong column:
//!
//! ```text
//! FilterExec: a.x < 5 OR b.x = 7                becomes, below the join, on b's side:
//!   ProjectionExec: a.x as x, b.x as x            FilterExec: x < 5 OR x = 7
//!     HashJoinExec: LEFT
//! ```
//!
//! While filters are pushed, a [`Sieve`] is on every operator whose output has a duplicate name.
//! It stops all filters that use such a name. Delete this when DataFusion maps columns by index.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, ChildPushdownResult, FilterDescription, FilterPushdownPhase,
    FilterPushdownPropagation,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::rules::Operator;

/// Runs the rule with sieves in the plan.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    let sieved = plan.transform_up(|node| {
        let names = repeated(&node.schema());
        Ok(if names.is_empty() {
            Transformed::no(node)
        } else {
            Transformed::yes(Arc::new(Sieve { input: node, names }) as Operator)
        })
    })?;
    let pushed = rule.optimize(sieved.data, config)?;
    if !sieved.transformed {
        return Ok(pushed);
    }
    pushed
        .transform_up(|node| {
            let input = node
                .downcast_ref::<Sieve>()
                .map(|sieve| Arc::clone(&sieve.input));
            Ok(input.map_or(Transformed::no(node), Transformed::yes))
        })
        .data()
}

/// Returns the names that several columns have.
fn repeated(schema: &Schema) -> HashSet<String> {
    let mut seen = HashSet::new();
    let fields = schema.fields().iter();
    fields
        .filter(|field| !seen.insert(field.name()))
        .map(|field| field.name().clone())
        .collect()
}

/// An operator on top of another one while filters are pushed. It is never run.
#[derive(Debug)]
struct Sieve {
    input: Arc<dyn ExecutionPlan>,
    /// Names that the input has more than once.
    names: HashSet<String>,
}

impl DisplayAs for Sieve {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sieve")
    }
}

impl ExecutionPlan for Sieve {
    fn name(&self) -> &str {
        "Sieve"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("a sieve has one input".to_owned()))?;
        Ok(Arc::new(Self {
            input,
            names: self.names.clone(),
        }))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Err(DataFusionError::Internal("a sieve is not run".to_owned()))
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let fields = self.input.schema();
        let places = fields.fields().iter().enumerate();
        let clear = places.filter(|(_, field)| !self.names.contains(field.name()));
        let child = ChildFilterDescription::from_child_with_allowed_indices(
            &parent_filters,
            clear.map(|(place, _)| place).collect(),
            &self.input,
        )?;
        Ok(FilterDescription::new().with_child(child))
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}
