//! The sums that averages and variances are calculated from.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, Operator,
    Window, WindowFunctionDefinition, cast,
};

use super::exact::has_exact_values;
use super::place::{Functions, is_costly};
use crate::aggregation::sum::numeric_sum;
use crate::plans::expressions;

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
        LogicalPlan::Window(window) => in_window(window, place, functions),
        _ => None,
    }
}

fn in_aggregate(aggregate: &Aggregate, place: usize, functions: &Functions) -> Option<Sums> {
    let width = aggregate.schema.fields().len();
    let keys = width.checked_sub(aggregate.aggr_expr.len())?;
    let known = aggregate.aggr_expr.get(place.checked_sub(keys)?)?;
    let Expr::AggregateFunction(known) = expressions::without_alias(known) else {
        return None;
    };
    let (name, params) = (known.func.name(), &known.params);
    let [of] = params.args.as_slice() else {
        return None;
    };
    let filter = params.filter.as_deref();
    if params.distinct || !params.order_by.is_empty() || filter.is_some_and(is_costly) {
        return None;
    }
    let mut exprs = aggregate.aggr_expr.clone();
    let places = places(
        name,
        of,
        &aggregate.input,
        functions,
        &mut |function, of| {
            let (args, filter) = (vec![of], params.filter.clone());
            let call = AggregateFunction::new_udf(function, args, false, filter, vec![], None);
            keys + place_of(&mut exprs, Expr::AggregateFunction(call), &aggregate.schema)
        },
    )?;
    let input = Arc::clone(&aggregate.input);
    let aggregate = Aggregate::try_new(input, aggregate.group_expr.clone(), exprs).ok()?;
    places.columns(LogicalPlan::Aggregate(aggregate))
}

fn in_window(window: &Window, place: usize, functions: &Functions) -> Option<Sums> {
    let width = window.input.schema().fields().len();
    let Some(at) = place.checked_sub(width) else {
        let sums = with_sums(&window.input, place, functions)?;
        let window = Window::try_new(window.window_expr.clone(), Arc::new(sums.plan)).ok()?;
        return Some(Sums {
            plan: LogicalPlan::Window(window),
            ..sums
        });
    };
    let known = expressions::without_alias(window.window_expr.get(at)?);
    let Expr::WindowFunction(known) = known else {
        return None;
    };
    let WindowFunctionDefinition::AggregateUDF(function) = &known.fun else {
        return None;
    };
    let (name, params) = (function.name(), &known.params);
    let [of] = params.args.as_slice() else {
        return None;
    };
    if params.distinct || params.filter.as_deref().is_some_and(is_costly) {
        return None;
    }
    let mut exprs = window.window_expr.clone();
    let places = places(name, of, &window.input, functions, &mut |function, of| {
        let call = WindowFunction {
            fun: WindowFunctionDefinition::AggregateUDF(function),
            params: WindowFunctionParams {
                args: vec![of],
                ..params.clone()
            },
        };
        width
            + place_of(
                &mut exprs,
                Expr::WindowFunction(Box::new(call)),
                &window.schema,
            )
    })?;
    let window = Window::try_new(exprs, Arc::clone(&window.input)).ok()?;
    places.columns(LogicalPlan::Window(window))
}

/// The places of the columns that a statistic is calculated from.
struct Places {
    statistic: Statistic,
    count: usize,
    sum: usize,
    squares: Option<usize>,
}

impl Places {
    fn columns(self, plan: LogicalPlan) -> Option<Sums> {
        let schema = plan.schema();
        let column = |place: usize| {
            let is_known = place < schema.fields().len();
            is_known.then(|| Column::from(schema.qualified_field(place)))
        };
        let (count, sum) = (column(self.count)?, column(self.sum)?);
        let squares = match self.squares {
            Some(squares) => Some(column(squares)?),
            None => None,
        };
        Some(Sums {
            plan,
            statistic: self.statistic,
            count,
            sum,
            squares,
        })
    }
}

/// Adds the functions that another one is calculated from. `add`: adds a function of an argument, and
/// returns the place of its column. `None` of other functions.
fn places(
    name: &str,
    of: &Expr,
    input: &LogicalPlan,
    functions: &Functions,
    add: &mut dyn FnMut(Arc<AggregateUDF>, Expr) -> usize,
) -> Option<Places> {
    let statistic = Statistic::of(name)?;
    if is_costly(of) || !has_exact_values(of, input) {
        return None;
    }
    let (sum, count) = (functions.get("sum")?, functions.get("count")?);
    let square = match statistic {
        Statistic::Average => None,
        Statistic::Spread(_) => Some(square(of, input)?),
    };
    Some(Places {
        statistic,
        sum: add(sum_of(of, input, sum)?, of.clone()),
        count: add(Arc::clone(count), of.clone()),
        squares: square.map(|square| add(Arc::clone(sum), square)),
    })
}

/// Returns the place of a function among those of an operator with these columns. It is added if it is
/// none of them.
fn place_of(exprs: &mut Vec<Expr>, call: Expr, columns: &DFSchema) -> usize {
    let known = exprs
        .iter()
        .position(|expr| *expressions::without_alias(expr) == call);
    known.unwrap_or_else(|| {
        let place = exprs.len();
        let name = call.schema_name().to_string();
        let mut columns = columns.fields().iter();
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
