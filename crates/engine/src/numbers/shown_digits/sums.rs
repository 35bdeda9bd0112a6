//! The sums that averages and variances are calculated from.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, Operator, cast,
};

use super::exact::is_exact;
use super::place::{Functions, is_costly};
use crate::expressions;
use crate::sum::numeric_sum;

/// Digits of numbers whose sum never needs more than a decimal has: there are 10^10 rows at most.
const SUMMED_DIGITS: u8 = 28;
/// The same of numbers whose squares are summed.
const SQUARED_DIGITS: u8 = 14;
/// Digits of an integer of 32 bits.
const INTEGER_DIGITS: u8 = 10;

/// What an aggregate function returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Statistic {
    Average,
    Spread(Spread),
}

/// A variance, or its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Spread {
    /// Of a population, and not of a sample.
    pub(super) population: bool,
    /// The root of the variance.
    pub(super) deviation: bool,
}

impl Statistic {
    fn of(name: &str) -> Option<Self> {
        let spread = |population, deviation| {
            Self::Spread(Spread {
                population,
                deviation,
            })
        };
        Some(match name {
            "avg" => Self::Average,
            "var" => spread(false, false),
            "var_pop" => spread(true, false),
            "stddev" => spread(false, true),
            "stddev_pop" => spread(true, true),
            _ => return None,
        })
    }
}

/// The columns of a plan that a statistic is calculated from.
pub(super) struct Sums {
    pub(super) plan: LogicalPlan,
    pub(super) statistic: Statistic,
    pub(super) count: Column,
    pub(super) sum: Column,
    /// The sum of the squares, of a variance.
    pub(super) squares: Option<Column>,
}

/// Returns a plan with the sums that the column at a place is calculated from. `None` of other columns.
pub(super) fn with_sums(plan: &LogicalPlan, place: usize, functions: &Functions) -> Option<Sums> {
    match plan {
        LogicalPlan::Filter(filter) => {
            let sums = with_sums(&filter.input, place, functions)?;
            let filter = Filter::new(filter.predicate.clone(), Arc::new(sums.plan));
            Some(Sums {
                plan: LogicalPlan::Filter(filter),
                ..sums
            })
        }
        LogicalPlan::Aggregate(aggregate) => in_aggregate(aggregate, place, functions),
        _ => None,
    }
}

fn in_aggregate(aggregate: &Aggregate, place: usize, functions: &Functions) -> Option<Sums> {
    let keys = aggregate
        .schema
        .fields()
        .len()
        .checked_sub(aggregate.aggr_expr.len())?;
    let known = aggregate.aggr_expr.get(place.checked_sub(keys)?)?;
    let Expr::AggregateFunction(known) = expressions::without_alias(known) else {
        return None;
    };
    let statistic = Statistic::of(known.func.name())?;
    let [of] = known.params.args.as_slice() else {
        return None;
    };
    let is_plain = !known.params.distinct && known.params.order_by.is_empty();
    let mut parts = std::iter::once(of).chain(known.params.filter.as_deref());
    if !is_plain || parts.any(is_costly) || !is_exact(of, &aggregate.input) {
        return None;
    }
    let call = |function: &Arc<AggregateUDF>, of: Expr| {
        let (function, filter) = (Arc::clone(function), known.params.filter.clone());
        let call = AggregateFunction::new_udf(function, vec![of], false, filter, vec![], None);
        Expr::AggregateFunction(call)
    };
    let (plain_sum, plain_count) = (functions.get("sum")?, functions.get("count")?);
    let mut exprs = aggregate.aggr_expr.clone();
    let sum = call(&sum_of(of, &aggregate.input, plain_sum)?, of.clone());
    let sum = keys + place_of(&mut exprs, sum, aggregate);
    let count = keys + place_of(&mut exprs, call(plain_count, of.clone()), aggregate);
    let squares = match statistic {
        Statistic::Average => None,
        Statistic::Spread(_) => {
            let square = square(of, &aggregate.input)?;
            Some(keys + place_of(&mut exprs, call(plain_sum, square), aggregate))
        }
    };
    let input = Arc::clone(&aggregate.input);
    let aggregate = Aggregate::try_new(input, aggregate.group_expr.clone(), exprs).ok()?;
    let column = |place: usize| {
        let known = place < aggregate.schema.fields().len();
        known.then(|| Column::from(aggregate.schema.qualified_field(place)))
    };
    let (count, sum) = (column(count)?, column(sum)?);
    let squares = match squares {
        Some(squares) => Some(column(squares)?),
        None => None,
    };
    Some(Sums {
        plan: LogicalPlan::Aggregate(aggregate),
        statistic,
        count,
        sum,
        squares,
    })
}

/// Returns the place of a function among those of an operator. It is added if it is none of them.
fn place_of(exprs: &mut Vec<Expr>, call: Expr, aggregate: &Aggregate) -> usize {
    let known = exprs
        .iter()
        .position(|expr| *expressions::without_alias(expr) == call);
    known.unwrap_or_else(|| {
        let place = exprs.len();
        let name = call.schema_name().to_string();
        let mut columns = aggregate.schema.fields().iter();
        // Names leave out casts.
        let is_taken = columns.any(|column| *column.name() == name)
            || exprs
                .iter()
                .any(|expr| expr.schema_name().to_string() == name);
        exprs.push(match is_taken {
            true => call.alias(format!("$digits:{name}:{place}")),
            false => call,
        });
        place
    })
}

/// Returns whether an integer has 32 bits at most.
fn is_narrow(of: &Expr, input: &LogicalPlan) -> bool {
    match of {
        Expr::Cast(cast) => matches!(
            cast.expr.get_type(input.schema()),
            Ok(DataType::Int8 | DataType::Int16 | DataType::Int32)
        ),
        _ => false,
    }
}

/// Returns the function that sums an argument and is not exceeded.
fn sum_of(of: &Expr, input: &LogicalPlan, sum: &Arc<AggregateUDF>) -> Option<Arc<AggregateUDF>> {
    match of.get_type(input.schema()).ok()? {
        DataType::Decimal128(..=SUMMED_DIGITS, _) => Some(Arc::clone(sum)),
        DataType::Int64 if !is_narrow(of, input) => numeric_sum(sum),
        data_type if data_type.is_integer() => Some(Arc::clone(sum)),
        _ => None,
    }
}

/// Returns the square of an argument, whose sum is not exceeded.
fn square(of: &Expr, input: &LogicalPlan) -> Option<Expr> {
    let number = match of.get_type(input.schema()).ok()? {
        DataType::Decimal128(..=SQUARED_DIGITS, _) => of.clone(),
        data_type if data_type.is_integer() && is_narrow(of, input) => {
            cast(of.clone(), DataType::Decimal128(INTEGER_DIGITS, 0))
        }
        _ => return None,
    };
    let square = BinaryExpr::new(
        Box::new(number.clone()),
        Operator::Multiply,
        Box::new(number),
    );
    Some(Expr::BinaryExpr(square))
}
