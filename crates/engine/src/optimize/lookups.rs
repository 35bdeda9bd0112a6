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
    let Some(sides) = Sides::of(join) else {
        return Ok(Transformed::no(node));
    };
    let looked_up = sides.looked_up;
    let is_set_operation =
        join.null_equality() == NullEquality::NullEqualsNull && join.filter().is_none();
    if !is_set_operation || is_grouped(looked_up) || !are_plain(&sides.keys, looked_up)? {
        return Ok(Transformed::no(node));
    }
    let keys = sides.keys.iter().enumerate();
    let names: Vec<_> = keys
        .map(|(number, key)| (Arc::clone(key), format!("key_{number}")))
        .collect();
    let columns = names
        .iter()
        .enumerate()
        .map(|(number, (_, name))| Arc::new(Column::new(name, number)) as PhysicalExprRef)
        .collect();
    let groups: Operator = Arc::new(AggregateExec::try_new(
        AggregateMode::Partial,
        PhysicalGroupBy::new_single(names),
        Vec::new(),
        Vec::new(),
        Arc::clone(looked_up),
        looked_up.schema(),
    )?);
    let (children, on) = sides.with_groups(groups, columns);
    let join = HashJoinExecBuilder::from(join)
        .with_new_children(children)?
        .with_on(on);
    Ok(Transformed::yes(join.build_exec()?))
}

/// The two inputs of a semi or anti join, with the values by which their rows are joined.
struct Sides<'a> {
    /// The input whose rows are kept or removed.
    kept: &'a Operator,
    kept_keys: Vec<PhysicalExprRef>,
    /// The input whose rows are only looked up.
    looked_up: &'a Operator,
    keys: Vec<PhysicalExprRef>,
    /// Whether the rows that are looked up are those of the left input.
    looks_up_left: bool,
}

impl<'a> Sides<'a> {
    /// `None`: the join is neither a semi nor an anti join.
    fn of(join: &'a HashJoinExec) -> Option<Self> {
        let looks_up_left = match join.join_type() {
            JoinType::LeftSemi | JoinType::LeftAnti => false,
            JoinType::RightSemi | JoinType::RightAnti => true,
            _ => return None,
        };
        let (left_keys, right_keys) = join.on().iter().cloned().unzip();
        let (left, right) = ((join.left(), left_keys), (join.right(), right_keys));
        let ((kept, kept_keys), (looked_up, keys)) = match looks_up_left {
            true => (right, left),
            false => (left, right),
        };
        Some(Self {
            kept,
            kept_keys,
            looked_up,
            keys,
            looks_up_left,
        })
    }

    /// Returns the inputs and the conditions of the join that looks up groups. `columns`: the columns
    /// of the groups, one per key.
    fn with_groups(
        self,
        groups: Operator,
        columns: Vec<PhysicalExprRef>,
    ) -> (Vec<Operator>, JoinOn) {
        let kept = Arc::clone(self.kept);
        match self.looks_up_left {
            true => (
                vec![groups, kept],
                columns.into_iter().zip(self.kept_keys).collect(),
            ),
            false => (
                vec![kept, groups],
                self.kept_keys.into_iter().zip(columns).collect(),
            ),
        }
    }
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
