//! Floating-point keys of hash joins, with one zero.
//!
//! A hash join treats -0 and 0 as one key. The filter that it makes of the smaller side's keys for
//! the scan of the larger side, `x IN (0)`, compares bits and loses the rows with the other zero
//! (apache/datafusion, dynamic filters, 55.2). A physical rule that runs before filters are pushed
//! puts [`Canonical`] around such keys, and the filter then contains the canonical keys.
//!
//! Delete this when the engine's lists of floating-point numbers are compared as its `=` compares.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

use super::canonical::Canonical;

/// Puts [`Canonical`] around the keys of hash joins.
#[derive(Debug)]
pub(crate) struct CanonicalJoinKeys;

impl PhysicalOptimizerRule for CanonicalJoinKeys {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = Arc::new(config.clone());
        plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            let (left, right) = (join.left().schema(), join.right().schema());
            let mut changed = false;
            let mut on = Vec::with_capacity(join.on().len());
            for (left_key, right_key) in join.on() {
                let is_float = floating(left_key, &left)? && floating(right_key, &right)?;
                changed |= is_float;
                on.push(match is_float {
                    true => (
                        canonical(left_key, &left, &options)?,
                        canonical(right_key, &right, &options)?,
                    ),
                    false => (Arc::clone(left_key), Arc::clone(right_key)),
                });
            }
            Ok(match changed {
                true => Transformed::yes(join.builder().with_on(on).build_exec()?),
                false => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "canonical_join_keys"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn floating(key: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<bool> {
    Ok(key.data_type(schema)?.is_floating())
}

fn canonical(
    key: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
    options: &Arc<ConfigOptions>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let function = Arc::new(ScalarUDF::new_from_impl(Canonical::new(true)));
    Ok(Arc::new(ScalarFunctionExpr::try_new(
        function,
        vec![Arc::clone(key)],
        schema,
        Arc::clone(options),
    )?))
}
