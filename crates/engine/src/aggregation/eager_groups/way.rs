//! The way from an aggregation down to where its rows can be grouped: through joins, on the side
//! that the arguments of its functions are of, and through projections.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{JoinSide, JoinType};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{HigherOrderFunctionExpr, PhysicalExprRef};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};

use super::Operator;
use super::failures::never_fails;
use super::rebuild::{column, moved};
use crate::optimize::is_plain;
use crate::plans::estimates::Estimate;

/// How far down an aggregation is followed.
const MOST_PLACES: usize = 64;

/// Digits of numbers, of which 2^64 squares have less than 256 bits together.
const MOST_DIGITS_OF_SQUARES: u8 = 28;

/// An operator on the way.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub plan: &'a Operator,
    /// For each column of the aggregation's input, what it is of the columns of this operator: one
    /// of them, or what a projection above computes of them.
    pub origins: Vec<Option<PhysicalExprRef>>,
    /// The columns of this operator that joins above and the keys of the groups read.
    pub needed: BTreeSet<usize>,
}

/// What is between an operator on the way and the next one.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Projection(&'a ProjectionExec),
    /// A join, of which the way follows this side.
    Join(&'a HashJoinExec, JoinSide),
}

/// The way down from an aggregation.
#[derive(Debug)]
pub(super) struct Way<'a> {
    /// The first phase of the aggregation.
    pub partial: &'a AggregateExec,
    /// The columns of the aggregation's input that are in keys of the groups.
    pub grouped: BTreeSet<usize>,
    /// The columns of the aggregation's input that are in arguments and filters of functions.
    pub read: BTreeSet<usize>,
    /// From the aggregation's input down.
    pub places: Vec<Place<'a>>,
    /// What leads from each place to the next one.
    pub steps: Vec<Step<'a>>,
}

impl<'a> Way<'a> {
    /// Returns the way down from the second phase of an aggregation; `None` if it is not one whose
    /// rows can be grouped earlier.
    pub(super) fn of(aggregate: &'a AggregateExec) -> Option<Self> {
        let partial = first_phase(aggregate)?;
        let input = partial.input();
        let schema = input.schema();
        let mut grouped = BTreeSet::new();
        for (key, _) in partial.group_expr().expr() {
            if !is_movable(key) {
                return None;
            }
            grouped.extend(columns(key));
        }
        let mut read = BTreeSet::new();
        for function in partial.aggr_expr() {
            if !is_merged(function, &schema) {
                return None;
            }
            for argument in function.expressions() {
                read.extend(columns_if_safe(&argument, input)?);
            }
        }
        for filter in partial.filter_expr().iter().flatten() {
            read.extend(columns_if_safe(filter, input)?);
        }
        let mut place = Place {
            plan: input,
            origins: (0..schema.fields().len())
                .map(|place| column(input, place))
                .collect(),
            needed: grouped.clone(),
        };
        let mut places = Vec::new();
        let mut steps = Vec::new();
        while places.len() < MOST_PLACES
            && let Some((step, below)) = place.below(&read)
        {
            steps.push(step);
            places.push(place);
            place = below;
        }
        places.push(place);
        Some(Self {
            partial,
            grouped,
            read,
            places,
            steps,
        })
    }

    /// Returns the places that are right below a join and whose rows can be grouped, the highest
    /// first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = usize> {
        let below = self.steps.iter().zip(self.places.iter().skip(1));
        let places = below
            .enumerate()
            .filter(|(_, (step, place))| matches!(step, Step::Join(..)) && place.has_plain_keys());
        places.map(|(step, _)| step + 1)
    }
}

impl<'a> Place<'a> {
    /// Returns the next operator on the way. `read`: the columns of the aggregation's input that
    /// arguments read.
    fn below(&self, read: &BTreeSet<usize>) -> Option<(Step<'a>, Self)> {
        let plan: &'a Operator = self.plan;
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            let place = self.projected(projection, read)?;
            return Some((Step::Projection(projection), place));
        }
        let join = plan.downcast_ref::<HashJoinExec>()?;
        let side = self.followed(join, read)?;
        let input = match side {
            JoinSide::Left => join.left(),
            _ => join.right(),
        };
        let mut place = self.through(input, |column| {
            let (of, column) = origin(join, column)?;
            (of == side).then_some(column)
        });
        for (left, right) in join.on() {
            place.needed.insert(match side {
                JoinSide::Left => index(left)?,
                _ => index(right)?,
            });
        }
        let of_filter = join.filter().map(|filter| filter.column_indices());
        let of_side = of_filter.unwrap_or_default().iter();
        let of_side = of_side.filter(|column| column.side == side);
        place.needed.extend(of_side.map(|column| column.index));
        Some((Step::Join(join, side), place))
    }

    /// Returns the input of a projection as the next place; `None` if arguments read what it
    /// computes, and this may fail or is computed of what another projection computes.
    fn projected(&self, projection: &'a ProjectionExec, read: &BTreeSet<usize>) -> Option<Self> {
        let input = projection.input();
        let shown = |column: usize| {
            let shown = projection.expr().get(column);
            shown.map(|shown| &shown.expr)
        };
        let to = |column: usize| shown(column).map(Arc::clone);
        // What is computed stays one level deep: written out, many levels may be very long.
        let only_columns = |column: usize| to(column).filter(|shown| index(shown).is_some());
        let origins = self.origins.iter().map(|origin| {
            let origin = origin.as_ref()?;
            match index(origin) {
                Some(column) => to(column),
                None => replaced(origin, &only_columns),
            }
        });
        let origins: Vec<Option<PhysicalExprRef>> = origins.collect();
        for column in read {
            let origin = origins.get(*column)?.as_ref()?;
            if !never_fails(origin, input) {
                return None;
            }
        }
        let mut needed = BTreeSet::new();
        for column in &self.needed {
            let shown = shown(*column)?;
            if !is_movable(shown) {
                return None;
            }
            needed.extend(columns(shown));
        }
        Some(Self {
            plan: input,
            origins,
            needed,
        })
    }

    /// Returns an input of a join as the next place. `to`: its column for a column of this operator.
    fn through(&self, input: &'a Operator, to: impl Fn(usize) -> Option<usize>) -> Self {
        let of_input = |before: usize| column(input, to(before)?);
        let origins = self.origins.iter();
        let origins = origins.map(|origin| replaced(origin.as_ref()?, &of_input));
        let needed = self.needed.iter().filter_map(|column| to(*column));
        Self {
            plan: input,
            origins: origins.collect(),
            needed: needed.collect(),
        }
    }

    /// Returns the side of a join whose rows can be grouped before the join: each row of it is
    /// joined by itself, and arguments read no other.
    fn followed(&self, join: &HashJoinExec, read: &BTreeSet<usize>) -> Option<JoinSide> {
        use JoinType as J;
        let filter = join.filter().map(|filter| filter.expression());
        if join.fetch().is_some() || join.null_aware || filter.is_some_and(is_volatile) {
            return None;
        }
        let sides: &[JoinSide] = match join.join_type() {
            J::Inner => &[JoinSide::Left, JoinSide::Right],
            J::Left | J::LeftSemi | J::LeftAnti => &[JoinSide::Left],
            J::Right | J::RightSemi | J::RightAnti => &[JoinSide::Right],
            J::Full | J::LeftMark | J::RightMark => &[],
        };
        let is_on = |column: usize, side: JoinSide| {
            let found = origin(join, column);
            found.is_some_and(|(of, _)| of == side)
        };
        let is_of = |column: &usize, side: JoinSide| {
            let known = self.origins.get(*column).and_then(Option::as_ref);
            known.is_some_and(|known| columns(known).into_iter().all(|column| is_on(column, side)))
        };
        let has_all = |side: &JoinSide| read.iter().all(|column| is_of(column, *side));
        let sides: Vec<JoinSide> = sides.iter().copied().filter(has_all).collect();
        match sides[..] {
            [one] => Some(one),
            // No argument reads a column, as in `count(*)`.
            [_, _] => larger(join),
            _ => None,
        }
    }

    /// Returns whether all rows of a group have the same values in the columns that are read above.
    fn has_plain_keys(&self) -> bool {
        let schema = self.plan.schema();
        let mut needed = self.needed.iter();
        needed.all(|column| {
            let field = schema.fields().get(*column);
            field.is_some_and(|field| is_plain(field.data_type()))
        })
    }
}

/// Returns the first phase of an aggregation that has keys.
fn first_phase(aggregate: &AggregateExec) -> Option<&AggregateExec> {
    let is_second = matches!(
        aggregate.mode(),
        AggregateMode::Final | AggregateMode::FinalPartitioned
    );
    let partial = aggregate.input().downcast_ref::<AggregateExec>()?;
    let is_possible = is_second
        && *partial.mode() == AggregateMode::Partial
        && *partial.input_order_mode() == InputOrderMode::Linear
        && !partial.group_expr().is_empty()
        && !partial.aggr_expr().is_empty()
        && aggregate.limit_options().is_none()
        && partial.limit_options().is_none();
    is_possible.then_some(partial)
}

/// Returns whether the states of a function may be merged in any order, and never fail.
fn is_merged(function: &AggregateFunctionExpr, schema: &Schema) -> bool {
    if function.is_distinct() || !function.order_bys().is_empty() {
        return false;
    }
    let arguments = function.expressions();
    // Functions of these names and more arguments have other states.
    let [argument] = arguments.as_slice() else {
        return false;
    };
    let Ok(of) = argument.data_type(schema) else {
        return false;
    };
    match function.fun().name() {
        "count" => true,
        "sum" | "avg" => of.is_integer() || matches!(of, DataType::Decimal128(..)),
        "min" | "max" => is_plain(&of) && !of.is_string(),
        // Of these types they are exact.
        "stddev" | "stddev_pop" | "var" | "var_pop" => match of {
            DataType::Int64 => true,
            DataType::Decimal128(digits, _) => digits <= MOST_DIGITS_OF_SQUARES,
            _ => false,
        },
        "bool_and" | "bool_or" => of == DataType::Boolean,
        _ => false,
    }
}

/// Returns the columns of an expression that fails for no row; `None` for others. `rows`: what it
/// reads.
fn columns_if_safe(expression: &PhysicalExprRef, rows: &Operator) -> Option<Vec<usize>> {
    never_fails(expression, rows).then(|| columns(expression))
}

/// Returns whether an expression has the same value for rows with the same values in its columns.
fn is_movable(expression: &PhysicalExprRef) -> bool {
    !is_volatile(expression) && !has_lambda(expression)
}

/// Returns an expression with its columns replaced; `None` if there is nothing in the place of one of
/// them.
fn replaced(
    expression: &PhysicalExprRef,
    to: &dyn Fn(usize) -> Option<PhysicalExprRef>,
) -> Option<PhysicalExprRef> {
    moved(expression, to).ok()
}

/// Returns the indices of the columns of an expression.
fn columns(expression: &PhysicalExprRef) -> Vec<usize> {
    let columns = collect_columns(expression);
    columns.iter().map(Column::index).collect()
}

/// Returns whether an expression has a lambda, whose body numbers its columns in another way.
fn has_lambda(expression: &PhysicalExprRef) -> bool {
    let found = expression.exists(|part| Ok(part.is::<HigherOrderFunctionExpr>()));
    found.unwrap_or(true)
}

/// Returns the index of an expression that is a column.
fn index(expression: &PhysicalExprRef) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

/// Returns the side of a join that a column of its output is of, and the column of this side.
pub(super) fn origin(join: &HashJoinExec, column: usize) -> Option<(JoinSide, usize)> {
    use JoinType as J;
    let column = match join.projection.as_deref() {
        Some(columns) => columns.get(column).copied()?,
        None => column,
    };
    match join.join_type() {
        J::Inner | J::Left | J::Right | J::Full => {
            let of_left = join.left().schema().fields().len();
            Some(match column.checked_sub(of_left) {
                Some(column) => (JoinSide::Right, column),
                None => (JoinSide::Left, column),
            })
        }
        J::LeftSemi | J::LeftAnti => Some((JoinSide::Left, column)),
        J::RightSemi | J::RightAnti => Some((JoinSide::Right, column)),
        J::LeftMark | J::RightMark => None,
    }
}

/// Returns the side of a join with more rows; `None` if they are not known.
fn larger(join: &HashJoinExec) -> Option<JoinSide> {
    let (left, right) = (Estimate::of(join.left())?, Estimate::of(join.right())?);
    Some(match left.rows >= right.rows {
        true => JoinSide::Left,
        false => JoinSide::Right,
    })
}
