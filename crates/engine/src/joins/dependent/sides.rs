//! Joins within a subquery, for each value of its domain.

use std::sync::Arc;

use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::{
    Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr,
};

use super::bind::{Binder, Bound, bind, own_columns, refs};
use super::refused;

/// Binds one side of a join, or both.
///
/// A side without outer columns needs no domain, unless its rows without a partner are in the
/// result: then they are there for each value.
///
/// # Errors
///
/// Returns an error for a join by NOT IN, and for a mark join.
pub(super) fn bind_join(binder: &mut Binder<'_>, join: Join) -> Result<Bound> {
    if join.null_aware {
        return refused("NOT IN within a correlated subquery is not supported here");
    }
    let reads = (
        binder.reads_domain(&join.left)?,
        binder.reads_domain(&join.right)?,
    );
    let in_condition = !reads.0 && !reads.1;
    let (bind_left, bind_right) = match join.join_type {
        JoinType::Inner => (reads.0 || in_condition, reads.1),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => (true, reads.1),
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => (reads.0, true),
        JoinType::Full => (true, true),
        JoinType::LeftMark | JoinType::RightMark => {
            return refused("a correlated subquery over a mark join is not supported");
        }
    };
    let own = own_columns(&LogicalPlan::Join(join.clone()));
    let left = side(binder, join.left, bind_left)?;
    let right = side(binder, join.right, bind_right)?;
    let (left_keys, right_keys) = (left.columns, right.columns);
    let known = match bind_left {
        true => &left_keys,
        false => &right_keys,
    };
    let mut conditions = Vec::new();
    for (left, right) in join.on {
        let (left, right) = (binder.unnamed(left, known)?, binder.unnamed(right, known)?);
        let equal = match join.null_equality {
            NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
            NullEquality::NullEqualsNothing => Operator::Eq,
        };
        conditions.push(binary_expr(left, equal, right));
    }
    if let Some(filter) = join.filter {
        conditions.push(binder.unnamed(filter, known)?);
    }
    // A join has one kind of equality for its keys. The domain's keys are therefore added as
    // conditions, which the engine makes keys.
    if bind_left && bind_right {
        let pairs = refs(&left_keys).zip(refs(&right_keys));
        conditions.extend(
            pairs.map(|(left, right)| binary_expr(left, Operator::IsNotDistinctFrom, right)),
        );
    }
    let builder = LogicalPlanBuilder::from(left.plan);
    let joined = match (conditions.is_empty(), join.join_type) {
        (true, JoinType::Inner) => builder.cross_join(right.plan)?,
        _ => builder.join_on(right.plan, join.join_type, conditions)?,
    };
    // The domain's columns once, from the side that has them in all rows.
    let names: Vec<String> = left_keys
        .iter()
        .chain(&right_keys)
        .take(binder.domain.outer.len())
        .map(|_| "joined")
        .map(|what| binder.next(what))
        .collect();
    let values: Vec<Expr> = match join.join_type {
        JoinType::Full => refs(&left_keys)
            .zip(refs(&right_keys))
            .map(|(left, right)| datafusion::functions::core::expr_fn::coalesce(vec![left, right]))
            .collect(),
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => refs(&right_keys).collect(),
        _ => refs(known).collect(),
    };
    let columns: Vec<Column> = names.iter().map(Column::new_unqualified).collect();
    let first = columns.len();
    let keys = values.into_iter().zip(&names);
    let exprs: Vec<Expr> = keys
        .map(|(value, name)| value.alias(name))
        .chain(own)
        .collect();
    Ok(Bound {
        plan: joined.project(exprs)?.build()?,
        columns,
        first,
    })
}

/// Binds a side if `is_bound`. The domain's columns get names that the other side does not have.
fn side(binder: &mut Binder<'_>, plan: Arc<LogicalPlan>, is_bound: bool) -> Result<Bound> {
    let plan = Arc::unwrap_or_clone(plan);
    if !is_bound {
        return Ok(Bound {
            plan,
            columns: vec![],
            first: 0,
        });
    }
    let own = own_columns(&plan);
    let bound = bind(binder, plan)?;
    let places = 0..bound.columns.len();
    let names: Vec<String> = places.map(|_| binder.next("side")).collect();
    let keys = refs(&bound.columns).zip(&names);
    let exprs: Vec<Expr> = keys.map(|(key, name)| key.alias(name)).chain(own).collect();
    let columns: Vec<Column> = names.iter().map(Column::new_unqualified).collect();
    Ok(Bound {
        plan: LogicalPlanBuilder::from(bound.plan)
            .project(exprs)?
            .build()?,
        first: columns.len(),
        columns,
    })
}
