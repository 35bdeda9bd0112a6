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
//! A grouping takes its keys for the columns of its input that have their names (`AggregateExec`,
//! 55.2). A rule that rewrites a key, such as `x` to `canonical(x)`, keeps its name, and a filter of
//! keys would become one of other values.
//!
//! A semi join passes a filter of its keys on to what it looks rows up in, too, where it takes the
//! column of the key's name for the equal one (`HashJoinExec`, 55.2):
//!
//! ```text
//! filter of a.k, from a join above             becomes one of b.k
//!   HashJoinExec: LeftSemi, a.k = b.j AND a.x < b.k
//! ```
//!
//! While filters are pushed, a [`Sieve`] is on every operator whose output has a duplicate name, or
//! the name of such a key. It stops all filters that use such a name. Delete this when DataFusion
//! maps columns by index.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::JoinType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, ChildPushdownResult, FilterDescription, FilterPushdownPhase,
    FilterPushdownPropagation,
};
use datafusion::physical_plan::joins::HashJoinExec;
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
        let mut names = repeated(&node.schema());
        names.extend(computed(&node));
        let node = with_lookup_sieved(node)?;
        Ok(if names.is_empty() {
            node
        } else {
            let input = node.data;
            Transformed::yes(Arc::new(Sieve { input, names }) as Operator)
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

/// Returns the keys of a grouping that are computed and have the name of a column of its input.
fn computed(node: &Operator) -> HashSet<String> {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else {
        return HashSet::new();
    };
    let input = aggregate.input().schema();
    let keys = aggregate.group_expr().expr().iter();
    let computed = keys.filter(|(key, name)| {
        let column = key.downcast_ref::<Column>();
        let is_itself = column.is_some_and(|column| column.name() == name);
        !is_itself && input.index_of(name).is_ok()
    });
    computed.map(|(_, name)| name.clone()).collect()
}

/// Returns a semi join with a sieve on what it looks rows up in, if that has columns with the names
/// of other keys. Returns other operators unchanged.
fn with_lookup_sieved(node: Operator) -> Result<Transformed<Operator>> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else {
        return Ok(Transformed::no(node));
    };
    let join_type = *join.join_type();
    let (place, names) = match join_type {
        JoinType::LeftSemi => {
            let pairs = join.on().iter().map(|(left, right)| (left, right));
            (1, mistaken(pairs, &join.right().schema()))
        }
        JoinType::RightSemi => {
            let pairs = join.on().iter().map(|(left, right)| (right, left));
            (0, mistaken(pairs, &join.left().schema()))
        }
        _ => return Ok(Transformed::no(node)),
    };
    if names.is_empty() {
        return Ok(Transformed::no(node));
    }
    let inputs = node.children().into_iter().enumerate();
    let inputs = inputs.map(|(input, operator)| {
        let operator = Arc::clone(operator);
        match input == place {
            true => Arc::new(Sieve {
                input: operator,
                names: names.clone(),
            }) as Operator,
            false => operator,
        }
    });
    let inputs: Vec<Operator> = inputs.collect();
    let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    node.replace_children(inputs, recompute)
        .map(Transformed::yes)
}

/// Returns the names of keys that a looked-up column has which is not equal to that key.
///
/// `pairs`: the keys, and what they are equal to. `looked_up`: the columns of the latter.
fn mistaken<'a>(
    pairs: impl Iterator<Item = (&'a Arc<dyn PhysicalExpr>, &'a Arc<dyn PhysicalExpr>)>,
    looked_up: &Schema,
) -> HashSet<String> {
    let pairs: Vec<_> = pairs
        .filter_map(|(key, other)| Some((key.downcast_ref::<Column>()?, other)))
        .collect();
    let is_other = |key: &&Column| {
        let Ok(found) = looked_up.index_of(key.name()) else {
            return false;
        };
        !pairs.iter().any(|(one, other)| {
            let other = other.downcast_ref::<Column>();
            one.index() == key.index() && other.is_some_and(|other| other.index() == found)
        })
    };
    let keys = pairs.iter().map(|(key, _)| *key);
    keys.filter(is_other)
        .map(|key| key.name().to_owned())
        .collect()
}

/// An operator on top of another one while filters are pushed. It is never run.
#[derive(Debug)]
struct Sieve {
    input: Arc<dyn ExecutionPlan>,
    /// Names of two columns: of the operator, of it and its input, or of the sides of a join.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field};
    use datafusion::common::NullEquality;
    use datafusion::logical_expr::Operator as Comparison;
    use datafusion::physical_expr::expressions::{BinaryExpr, IsNotNullExpr, NegativeExpr, lit};
    use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
    use datafusion::physical_plan::aggregates::{AggregateMode, PhysicalGroupBy};
    use datafusion::physical_plan::displayable;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::filter::FilterExec;
    use datafusion::physical_plan::joins::PartitionMode;

    use super::*;

    /// Returns the plan of `x = 1` above a grouping by this key, after filters are pushed. Its input
    /// is filtered, too, and the lower filter takes what comes down to it.
    fn pushed(key: Arc<dyn PhysicalExpr>) -> String {
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]));
        let x: Arc<dyn PhysicalExpr> = Arc::new(Column::new("x", 0));
        let rows = Arc::new(EmptyExec::new(Arc::clone(&schema)));
        let is_present = Arc::new(IsNotNullExpr::new(Arc::clone(&x)));
        let present: Operator = Arc::new(FilterExec::try_new(is_present, rows).unwrap());
        let by = PhysicalGroupBy::new_single(vec![(key, "x".to_owned())]);
        let mode = AggregateMode::Single;
        let grouped = AggregateExec::try_new(mode, by, vec![], vec![], present, schema).unwrap();
        let is_one = Arc::new(BinaryExpr::new(x, Comparison::Eq, lit(1_i64)));
        let plan = Arc::new(FilterExec::try_new(is_one, Arc::new(grouped)).unwrap());
        let pushed = guard(&FilterPushdown::new(), plan, &ConfigOptions::new()).unwrap();
        displayable(pushed.as_ref()).indent(false).to_string()
    }

    #[test]
    fn a_filter_of_a_computed_key_stays_above_the_grouping() {
        let x: Arc<dyn PhysicalExpr> = Arc::new(Column::new("x", 0));
        let above = pushed(Arc::new(NegativeExpr::new(Arc::clone(&x))));
        assert!(above.starts_with("FilterExec: x@0 = 1"), "{above}");
        let below = pushed(x);
        assert!(below.starts_with("AggregateExec"), "{below}");
        assert!(below.contains("x@0 = 1 AND x@0 IS NOT NULL"), "{below}");
    }

    /// Returns the plan of `k = 1` above a semi join of keys `k` with this column of a relation of
    /// columns `j` and `k`, after filters are pushed.
    fn looked_up(join_type: JoinType, by: &str) -> String {
        let present = |names: &[&str], filtered: &str| {
            let fields = names
                .iter()
                .map(|name| Field::new(*name, DataType::Int64, true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let column = Column::new_with_schema(filtered, &schema).unwrap();
            let is_present = Arc::new(IsNotNullExpr::new(Arc::new(column)));
            let rows = Arc::new(EmptyExec::new(schema));
            Arc::new(FilterExec::try_new(is_present, rows).unwrap()) as Operator
        };
        let (own, other) = (present(&["k"], "k"), present(&["j", "k"], by));
        let key: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 0));
        let equal = Column::new_with_schema(by, &other.schema()).unwrap();
        let equal: Arc<dyn PhysicalExpr> = Arc::new(equal);
        let (left, right, on) = match join_type {
            JoinType::LeftSemi => (own, other, (Arc::clone(&key), equal)),
            _ => (other, own, (equal, Arc::clone(&key))),
        };
        let join = HashJoinExec::try_new(
            left,
            right,
            vec![on],
            None,
            &join_type,
            None,
            PartitionMode::CollectLeft,
            NullEquality::NullEqualsNothing,
            false,
        );
        let is_one = Arc::new(BinaryExpr::new(key, Comparison::Eq, lit(1_i64)));
        let plan = Arc::new(FilterExec::try_new(is_one, Arc::new(join.unwrap())).unwrap());
        let pushed = guard(&FilterPushdown::new(), plan, &ConfigOptions::new()).unwrap();
        displayable(pushed.as_ref()).indent(false).to_string()
    }

    #[test]
    fn a_filter_of_a_key_goes_to_no_other_column_that_is_looked_up() {
        for join_type in [JoinType::LeftSemi, JoinType::RightSemi] {
            let by_key = looked_up(join_type, "k");
            assert!(by_key.contains("k@0 = 1"), "{by_key}");
            assert!(by_key.contains("k@1 = 1"), "{by_key}");
            let by_other = looked_up(join_type, "j");
            assert!(by_other.contains("k@0 = 1"), "{by_other}");
            assert!(!by_other.contains("k@1 = 1"), "{by_other}");
        }
    }
}
