//! The reader's filters that may be evaluated below a barrier.
//!
//! Such a filter compares a column of a table with constants: it cannot fail, it takes the same
//! time for each row, and partitions, row groups and pages can be pruned by it. Everything else
//! stays above, conditions without columns too: below, `b = 'x' AND 1 / 0 = 1` would fail if a row
//! that the view leaves out has `x`.
//!
//! DataFusion keeps only conditions with columns above an extension (`push_down_filter.rs` of
//! `datafusion-optimizer`, 55.2), so its rule does not see filters above a barrier.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Extension, Filter, LogicalPlan, Operator};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::Barrier;
use crate::plans::expressions::is_comparison;

/// Moves such filters below the barrier. Comes before `push_down_filter`, which moves them on.
#[derive(Debug)]
pub(crate) struct SafeFilters;

impl OptimizerRule for SafeFilters {
    fn name(&self) -> &str {
        "safe_filters_below_barriers"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let Some((barrier, conjuncts)) = filtered_barrier(&plan) else {
            return Ok(Transformed::no(plan));
        };
        let (safe, rest): (Vec<Expr>, Vec<Expr>) = conjuncts
            .into_iter()
            .partition(|conjunct| is_safe(conjunct, &barrier.input));
        let Some(safe) = conjunction(safe) else {
            return Ok(Transformed::no(plan));
        };
        let input = Filter::try_new(safe, Arc::new(barrier.input.clone()))?;
        let below = LogicalPlan::Extension(Extension {
            node: Arc::new(Barrier {
                view: Arc::clone(&barrier.view),
                input: LogicalPlan::Filter(input),
            }),
        });
        Ok(Transformed::yes(match conjunction(rest) {
            Some(rest) => LogicalPlan::Filter(Filter::try_new(rest, Arc::new(below))?),
            None => below,
        }))
    }
}

/// Returns whether the plan is one or several filters right above a barrier.
pub(crate) fn filters_a_barrier(plan: &LogicalPlan) -> bool {
    filtered_barrier(plan).is_some()
}

/// Returns the barrier that is right below one or several filters, with their conditions, in the
/// order in which they are evaluated.
fn filtered_barrier(plan: &LogicalPlan) -> Option<(&Barrier, Vec<Expr>)> {
    let LogicalPlan::Filter(filter) = plan else {
        return None;
    };
    let (barrier, mut conjuncts) = match Barrier::of(&filter.input) {
        Some(barrier) => (barrier, Vec::new()),
        None => filtered_barrier(&filter.input)?,
    };
    conjuncts.extend(split_conjunction_owned(filter.predicate.clone()));
    Some((barrier, conjuncts))
}

/// Returns whether a condition of one column and constants can be evaluated below a barrier.
fn is_safe(condition: &Expr, input: &LogicalPlan) -> bool {
    compares(condition, &|expr| is_column(expr, input))
}

/// Returns whether a condition only compares what `is_column` accepts with constants. Such a
/// condition never fails.
pub(crate) fn compares(condition: &Expr, is_column: &dyn Fn(&Expr) -> bool) -> bool {
    match condition {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => {
                compares(&binary.left, is_column) && compares(&binary.right, is_column)
            }
            op if is_comparison(op) => {
                (is_column(&binary.left) && is_constant(&binary.right))
                    || (is_constant(&binary.left) && is_column(&binary.right))
            }
            _ => false,
        },
        Expr::Not(negated) => compares(negated, is_column),
        Expr::IsNull(of) | Expr::IsNotNull(of) => is_column(of),
        Expr::InList(list) => is_column(&list.expr) && list.list.iter().all(is_constant),
        Expr::Between(between) => {
            is_column(&between.expr) && is_constant(&between.low) && is_constant(&between.high)
        }
        _ => false,
    }
}

fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

/// Returns whether an expression is a column whose values the view does not compute from others
/// row by row.
fn is_column(expr: &Expr, input: &LogicalPlan) -> bool {
    let Expr::Column(column) = expr else {
        return false;
    };
    let Some(index) = input.schema().maybe_index_of_column(column) else {
        return false;
    };
    let data_type = input.schema().field(index).data_type();
    !data_type.is_nested() && passes_on(input, index)
}

fn passes_on(plan: &LogicalPlan, index: usize) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            let mut expr = projection.expr.get(index);
            while let Some(Expr::Alias(alias)) = expr {
                expr = Some(&alias.expr);
            }
            let Some(Expr::Column(column)) = expr else {
                return matches!(expr, Some(Expr::Literal(..)));
            };
            let inner = projection.input.schema().maybe_index_of_column(column);
            inner.is_some_and(|index| passes_on(&projection.input, index))
        }
        LogicalPlan::SubqueryAlias(alias) => passes_on(&alias.input, index),
        LogicalPlan::Filter(filter) => passes_on(&filter.input, index),
        LogicalPlan::Sort(sort) => passes_on(&sort.input, index),
        LogicalPlan::Limit(limit) => passes_on(&limit.input, index),
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| passes_on(input, index)),
        // A filter on a key goes below, as one on the key's expression.
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.get(index) {
            Some(Expr::Column(column)) => {
                let inner = aggregate.input.schema().maybe_index_of_column(column);
                inner.is_some_and(|index| passes_on(&aggregate.input, index))
            }
            Some(Expr::GroupingSet(_)) | None => true,
            Some(_) => false,
        },
        LogicalPlan::Window(window) => {
            index >= window.input.schema().fields().len() || passes_on(&window.input, index)
        }
        // Filters end at these, or are about what these make.
        LogicalPlan::TableScan(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Distinct(distinct) => passes_on(distinct.input(), index),
        LogicalPlan::Join(join) => {
            // The columns of a semi join are those of one side.
            let left = join.left.schema().fields().len();
            if join.schema.fields().len() != left + join.right.schema().fields().len() {
                return false;
            }
            match index.checked_sub(left) {
                Some(right) => passes_on(&join.right, right),
                None => passes_on(&join.left, index),
            }
        }
        _ => false,
    }
}
