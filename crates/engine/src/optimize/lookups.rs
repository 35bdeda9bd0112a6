//! Set operations look up each of the rows of their other side once.
//!
//! DataFusion plans `a INTERSECT b` and `a EXCEPT b` as semi and anti joins with all rows of `b`
//! (`LogicalPlanBuilder::intersect_or_except` of `datafusion-expr`, 55.2), each of which finds all
//! rows of `a` that are equal to it. These may be many, as such a join also moves above another one:
//! in query 14 of TPC-DS, 448 thousand rows with 700 different values find 60 rows each.
//!
//! ```text
//! semi join                      semi join
//!   a                              a
//!   b: x y x x …                   partial aggregate: x y …
//!                                    b: x y x x …
//! ```
//!
//! A partial aggregate lets rows pass where few are equal or memory is short, so it costs little if
//! nothing is gained. Rows that it lets pass twice are found twice, as without it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::joins::{HashJoinExec, HashJoinExecBuilder, JoinOn};
use datafusion::physical_plan::projection::ProjectionExec;

use super::rules::{EachOperator, Operator};

/// Groups the rows that set operations look up by their values.
pub(super) const GROUP_LOOKUPS: EachOperator = EachOperator {
    name: "group_lookups",
    rewrite: grouped,
};

fn grouped(node: Operator) -> Result<Transformed<Operator>> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else {
        return Ok(Transformed::no(node));
    };
    let is_left = match join.join_type() {
        JoinType::LeftSemi | JoinType::LeftAnti => false,
        JoinType::RightSemi | JoinType::RightAnti => true,
        _ => return Ok(Transformed::no(node)),
    };
    let looked_up = match is_left {
        true => join.left(),
        false => join.right(),
    };
    let keys = join.on().iter().map(|(left, right)| match is_left {
        true => left,
        false => right,
    });
    let keys: Vec<PhysicalExprRef> = keys.cloned().collect();
    let is_set_operation =
        join.null_equality() == NullEquality::NullEqualsNull && join.filter().is_none();
    if !is_set_operation || is_grouped(looked_up) || !are_plain(&keys, looked_up)? {
        return Ok(Transformed::no(node));
    }
    let names = keys.iter().enumerate();
    let names: Vec<_> = names
        .map(|(number, key)| (Arc::clone(key), format!("key_{number}")))
        .collect();
    let columns = names
        .iter()
        .enumerate()
        .map(|(number, (_, name))| Arc::new(Column::new(name, number)) as PhysicalExprRef);
    let sides = join.on().iter().zip(columns);
    let on: JoinOn = sides
        .map(|((left, right), column)| match is_left {
            true => (column, Arc::clone(right)),
            false => (Arc::clone(left), column),
        })
        .collect();
    let groups: Operator = Arc::new(AggregateExec::try_new(
        AggregateMode::Partial,
        PhysicalGroupBy::new_single(names),
        Vec::new(),
        Vec::new(),
        Arc::clone(looked_up),
        looked_up.schema(),
    )?);
    let children = match is_left {
        true => vec![groups, Arc::clone(join.right())],
        false => vec![Arc::clone(join.left()), groups],
    };
    let join = HashJoinExecBuilder::from(join)
        .with_new_children(children)?
        .with_on(on);
    Ok(Transformed::yes(join.build_exec()?))
}

/// Returns whether the rows of an operator are groups already.
fn is_grouped(plan: &Operator) -> bool {
    let mut plan = plan;
    while let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        plan = projection.input();
    }
    plan.downcast_ref::<AggregateExec>().is_some()
}

/// Returns whether groups have one value of each key, as a join compares them: not numbers with a
/// point, and not intervals, of which different ones are equal.
fn are_plain(keys: &[PhysicalExprRef], rows: &Operator) -> Result<bool> {
    let schema = rows.schema();
    for key in keys {
        if !is_plain(&key.data_type(&schema)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns whether values of a type that are equal are the same.
pub(crate) fn is_plain(of: &DataType) -> bool {
    match of {
        DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..) => true,
        of => of.is_integer() || of.is_decimal() || of.is_string(),
    }
}
