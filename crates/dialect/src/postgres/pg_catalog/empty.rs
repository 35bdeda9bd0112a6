//! Relations that are always empty are taken out of a plan before it is optimised, with what is
//! joined with them.
//!
//! ```text
//! pg_class c JOIN pg_inherits i            no rows
//! pg_attribute a LEFT JOIN pg_attrdef d    a, with NULLs of the types of d's columns
//! ```
//!
//! The optimizer would do the same, but its NULLs do not have the columns' types of PostgreSQL.

use std::mem;
use std::sync::Arc;

use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, EmptyRelation, Expr, Join, LogicalPlan, Projection};
use lakegate_engine::has_operator;

use super::provider::SystemTable;

/// Replaces the relations that are always empty.
///
/// # Errors
///
/// The engine rejects the changed plan.
pub fn without_empty_relations(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan.exists(|node| Ok(is_always_empty(node)))? {
        true => emptied(plan).data(),
        false => Ok(plan),
    }
}

fn emptied(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let parts = with_empty_parts(plan)?;
    Ok(match parts.transformed && is_empty(&parts.data) {
        true => Transformed::yes(empty(&parts.data)),
        false => parts,
    })
}

fn empty(plan: &LogicalPlan) -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::clone(plan.schema()),
    })
}

fn with_empty_parts(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        plan if is_always_empty(&plan) => Ok(Transformed::yes(empty(&plan))),
        LogicalPlan::Join(mut join) => {
            // Of a join whose other side is filled with NULLs, a part may be empty.
            let (fills_left, fills_right) = match join.join_type {
                JoinType::LeftMark => (false, true),
                JoinType::RightMark => (true, false),
                JoinType::Full => (true, true),
                _ => (false, false),
            };
            let mut changed = false;
            for (side, is_filled) in [(&mut join.left, fills_left), (&mut join.right, fills_right)]
            {
                if !is_filled {
                    let replaced = emptied(Arc::unwrap_or_clone(mem::take(side)))?;
                    changed |= replaced.transformed;
                    *side = Arc::new(replaced.data);
                }
            }
            Ok(match join.join_type {
                JoinType::Left if is_empty(&join.right) => {
                    Transformed::yes(with_nulls(&join, &join.left)?)
                }
                JoinType::Right if is_empty(&join.left) => {
                    Transformed::yes(with_nulls(&join, &join.right)?)
                }
                _ => Transformed::new_transformed(LogicalPlan::Join(join), changed),
            })
        }
        // A LATERAL subquery whose empty parts were all that was about other relations is an ordinary
        // one. The optimizer would leave this node in the plan, which cannot be run.
        LogicalPlan::Subquery(lateral) => {
            let parts = emptied(LogicalPlan::clone(&lateral.subquery))?;
            Ok(match parts.transformed {
                true if !is_correlated(&parts.data)? => parts,
                changed => Transformed::new_transformed(
                    LogicalPlan::Subquery(lateral.with_plan(Arc::new(parts.data))),
                    changed,
                ),
            })
        }
        // What an operator of the engine's own does with its inputs is not known here.
        LogicalPlan::Extension(_) => Ok(Transformed::no(plan)),
        plan => plan.map_children(emptied),
    }
}

/// Returns whether a plan has columns of relations outside of it.
fn is_correlated(plan: &LogicalPlan) -> Result<bool> {
    has_operator(plan, |node| Ok(node.contains_outer_reference()))
}

fn is_always_empty(node: &LogicalPlan) -> bool {
    let LogicalPlan::TableScan(scan) = node else {
        return false;
    };
    source_as_provider(&scan.source).is_ok_and(|provider| {
        provider
            .downcast_ref::<SystemTable>()
            .is_some_and(SystemTable::is_always_empty)
    })
}

/// Returns whether a plan whose empty parts are replaced has no rows.
fn is_empty(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::Projection(projection) => is_empty(&projection.input),
        LogicalPlan::Filter(filter) => is_empty(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => is_empty(&alias.input),
        LogicalPlan::Sort(sort) => is_empty(&sort.input),
        LogicalPlan::Limit(limit) => is_empty(&limit.input),
        LogicalPlan::Window(window) => is_empty(&window.input),
        LogicalPlan::Distinct(Distinct::All(input)) => is_empty(input),
        // Without keys, there is one group of no rows; some sets of keys have none.
        LogicalPlan::Aggregate(aggregate) => {
            let is_set = |key: &Expr| matches!(key, Expr::GroupingSet(_));
            let keys = &aggregate.group_expr;
            !keys.is_empty() && !keys.iter().any(is_set) && is_empty(&aggregate.input)
        }
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_empty(input)),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => {
                is_empty(&join.left) || is_empty(&join.right)
            }
            JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => is_empty(&join.left),
            JoinType::Right | JoinType::RightAnti | JoinType::RightMark => is_empty(&join.right),
            JoinType::Full => is_empty(&join.left) && is_empty(&join.right),
        },
        _ => false,
    }
}

/// Returns the kept side of an outer join whose other side is empty, with NULLs for the columns of
/// that side.
fn with_nulls(join: &Join, kept: &Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let of_left = join.left.schema().fields().len();
    let keeps_left = Arc::ptr_eq(kept, &join.left);
    let columns = join.schema.iter().enumerate();
    let columns = columns.map(|(index, (qualifier, field))| -> Result<Expr> {
        if (index < of_left) == keeps_left {
            return Ok(Expr::Column(Column::new(qualifier.cloned(), field.name())));
        }
        let null = ScalarValue::try_new_null(field.data_type())?;
        let metadata = FieldMetadata::new_from_field(field);
        let null = Expr::Literal(null, (!metadata.is_empty()).then_some(metadata));
        Ok(null.alias_qualified(qualifier.cloned(), field.name()))
    });
    let projection = Projection::try_new_with_schema(
        columns.collect::<Result<_>>()?,
        Arc::clone(kept),
        Arc::clone(&join.schema),
    )?;
    Ok(LogicalPlan::Projection(projection))
}
