//! Grouping sets have no order of their input's.
//!
//! A grouping set has NULL where it leaves a key out. The engine takes a key that is constant or sorted in the input for constant
//! or sorted in the output all the same, and leaves it out of the sort for ORDER BY (`AggregateExec::compute_properties` of
//! `datafusion-physical-plan`, 55.2):
//!
//! ```text
//! SELECT x, y FROM (SELECT 7 AS x, y FROM t) GROUP BY CUBE (x, y) ORDER BY x, y      was sorted by y alone
//! ```
//!
//! [`Forgetful`] below such an aggregate says nothing of order. Delete this when the aggregate says nothing of it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// Puts [`Forgetful`] below aggregates with grouping sets.
#[derive(Debug)]
pub struct ForgetOrder;

impl PhysicalOptimizerRule for ForgetOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let has_sets = node.downcast_ref::<AggregateExec>().is_some_and(leaves_out);
            if !has_sets {
                return Ok(Transformed::no(node));
            }
            let inputs = node.children().into_iter();
            let inputs = inputs
                .map(|input| Arc::new(Forgetful::new(Arc::clone(input))) as Arc<dyn ExecutionPlan>)
                .collect();
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(node.replace_children(inputs, options)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "forget_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a set leaves a key out.
fn leaves_out(aggregate: &AggregateExec) -> bool {
    let sets = aggregate.group_expr().groups();
    sets.iter()
        .any(|keys_are_null| keys_are_null.contains(&true))
}

/// Its input, without a word of its order.
#[derive(Debug)]
struct Forgetful {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl Forgetful {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let known = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            known.partitioning.clone(),
            known.emission_type,
            known.boundedness,
        )
        .with_evaluation_type(known.evaluation_type)
        .with_scheduling_type(known.scheduling_type);
        Self {
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for Forgetful {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unordered")
    }
}

impl ExecutionPlan for Forgetful {
    fn name(&self) -> &str {
        "Unordered"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
            .map_err(|_| DataFusionError::Internal("one input is forgotten".to_owned()))?;
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
