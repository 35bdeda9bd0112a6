//! Refusals of comparisons, groups and orders of types that have none here.
//!
//! ```text
//! p = q, p IN (q)              operator does not exist: point = point
//! DISTINCT p, GROUP BY p       could not identify an equality operator for type point
//! ORDER BY p                   could not identify an ordering operator for type point
//! ```

use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use lakegate_error::{Code, Error};

use super::{Keyed, is_parameter, of_expr, type_name, written};

const EQUALITY: &str = "an equality operator";
const ORDERING: &str = "an ordering operator";

/// Checks a comparison of two operands, one of which is of the type.
///
/// # Errors
///
/// Values of the type do not compare.
pub(super) fn check(
    of: Keyed,
    operands: [&Expr; 2],
    symbol: &str,
    schema: &DFSchema,
) -> Result<(), Error> {
    let Keyed::Value(of) = of else {
        return Ok(());
    };
    let names = operands.map(|operand| match written(operand) {
        Expr::Literal(value, _) if value.is_null() || value.try_as_str().is_some() => "unknown",
        operand if is_parameter(operand) => "unknown",
        operand => type_name(operand, schema),
    });
    of.refusal(symbol, names).map_or(Ok(()), Err)
}

/// Checks a comparison of values of the type.
///
/// # Errors
///
/// They do not compare.
pub(super) fn check_named(of: Keyed, symbol: &str) -> Result<(), Error> {
    match of {
        Keyed::Value(of) => of.refusal(symbol, [of.name, of.name]).map_or(Ok(()), Err),
        _ => Ok(()),
    }
}

/// Checks what needs comparisons of a type. `what`: how PostgreSQL names what it needs.
///
/// # Errors
///
/// Values of the type do not compare.
pub(super) fn check_has(of: Keyed, what: &str) -> Result<(), Error> {
    match of {
        Keyed::Value(of) => of.without(what).map_or(Ok(()), Err),
        _ => Ok(()),
    }
}

/// Returns the error of a function of values that do not compare.
pub(super) fn without_function(of: Keyed, function: &str) -> Error {
    let name = of.name();
    match function {
        "min" | "max" => {
            let message = format!("function {function}({name}) does not exist");
            Error::new(Code::FunctionNotFound, message)
        }
        _ => Error::not_supported(format!("{function} of {name} is not supported"))
            .with_hint("cast it to text"),
    }
}

/// Checks the values that a function compares, groups or sorts by.
///
/// # Errors
///
/// They do not compare.
pub(super) fn check_order(expr: &Expr, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::AggregateFunction(call) => {
            if call.params.distinct {
                check_values(&call.params.args, EQUALITY, schema)?;
            }
            let keys = call.params.order_by.iter().map(|key| &key.expr);
            check_values(keys, ORDERING, schema)
        }
        Expr::WindowFunction(call) => {
            check_values(&call.params.partition_by, EQUALITY, schema)?;
            let keys = call.params.order_by.iter().map(|key| &key.expr);
            check_values(keys, ORDERING, schema)
        }
        _ => Ok(()),
    }
}

/// Checks the values that an operator compares, groups or sorts by.
///
/// # Errors
///
/// They do not compare.
pub(super) fn check_operator(node: &LogicalPlan) -> Result<()> {
    match node {
        LogicalPlan::Distinct(Distinct::All(input)) => {
            for field in input.schema().fields() {
                if let Some(of) = Keyed::of_field(field) {
                    check_has(of, EQUALITY)?;
                }
            }
            Ok(())
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            check_values(&on.on_expr, EQUALITY, on.input.schema())
        }
        LogicalPlan::Aggregate(aggregate) => {
            let schema = aggregate.input.schema();
            for group in &aggregate.group_expr {
                match group {
                    Expr::GroupingSet(sets) => {
                        check_values(sets.distinct_expr(), EQUALITY, schema)?;
                    }
                    group => check_values([group], EQUALITY, schema)?,
                }
            }
            Ok(())
        }
        LogicalPlan::Sort(sort) => {
            let keys = sort.expr.iter().map(|key| &key.expr);
            check_values(keys, ORDERING, sort.input.schema())
        }
        LogicalPlan::Join(join) => {
            for (left, _) in &join.on {
                if let Some(of) = of_expr(left, join.left.schema()) {
                    check_named(of, "=")?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_values<'e>(
    values: impl IntoIterator<Item = &'e Expr>,
    what: &str,
    schema: &DFSchema,
) -> Result<()> {
    for value in values {
        if let Some(of) = of_expr(value, schema) {
            check_has(of, what)?;
        }
    }
    Ok(())
}
