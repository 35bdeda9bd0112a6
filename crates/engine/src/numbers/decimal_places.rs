//! `round(x, n)` and `trunc(x, n)` of a decimal or an integer have n fractional digits in PostgreSQL.
//! The engine keeps those of `x`, as Trino does.
//!
//! ```text
//! round(x, 2), x a DECIMAL(10,4)       CAST(round(x, 2) AS DECIMAL(38,2))
//! round(x, 2), x an INT                the same
//! ```
//!
//! An analyzer rule that runs before type coercion, which hides the literal in a cast.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Gives the results their fractional digits. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct DecimalPlaces;

impl AnalyzerRule for DecimalPlaces {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has(&plan, |expr| rounded(expr).is_some())? {
            return Ok(plan);
        }
        let rewrite = |expr: Expr, schema: &DFSchema| {
            let target = rounded(&expr).and_then(|(value, places)| {
                let data_type = value.get_type(schema).ok()?;
                with_places(&data_type, places)
            });
            Ok(match target {
                Some(target) => Transformed::yes(cast(expr, target)),
                None => Transformed::no(expr),
            })
        };
        expressions::retyped(plan, &rewrite, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "decimal_places"
    }
}

/// Returns the number and the places of a call of `round` or `trunc`, if the places are a literal.
fn rounded(expr: &Expr) -> Option<(&Expr, i64)> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    if !matches!(call.func.name(), "round" | "trunc") {
        return None;
    }
    match call.args.as_slice() {
        [value, Expr::Literal(ScalarValue::Int64(Some(places)), _)] => Some((value, *places)),
        _ => None,
    }
}

/// Returns the type that a call of `round` or `trunc` of a decimal gets from the rule; `None` for other
/// expressions, and if it keeps its own.
pub(crate) fn type_of_call(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    let (value, places) = rounded(expr)?;
    let of_value = value.get_type(schema).ok().filter(DataType::is_decimal)?;
    with_places(&of_value, places)
}

/// Fractional digits that every integer has room for in a decimal, beside its own.
const OF_INTEGERS: i64 = 19;

/// Returns the type of the result; `None` if it is not a decimal, or has no room for the places. It is
/// as wide as possible: types that are coerced later, such as those of CASE, may be wider than they
/// seem, and the engine's results may have a digit more than it says, also where the places are
/// those of the number.
fn with_places(data_type: &DataType, places: i64) -> Option<DataType> {
    let (precision, scale) = match data_type {
        DataType::Decimal128(precision, scale) => (precision, scale),
        of if of.is_integer() && places > 0 => {
            let places = i8::try_from(places.min(OF_INTEGERS)).ok()?;
            return Some(DataType::Decimal128(DECIMAL128_MAX_PRECISION, places));
        }
        _ => return None,
    };
    let places = i8::try_from(places.max(0)).ok()?;
    let digits = i16::from(*precision) - i16::from(*scale) + i16::from(places);
    let fits = places < *scale || digits <= i16::from(DECIMAL128_MAX_PRECISION);
    fits.then_some(DataType::Decimal128(DECIMAL128_MAX_PRECISION, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_as_many_places_as_the_literal_says() {
        let decimal = DataType::Decimal128;
        for (of, places, expected) in [
            (decimal(10, 4), 2, Some(decimal(38, 2))),
            (decimal(10, 4), 0, Some(decimal(38, 0))),
            (decimal(10, 4), -2, Some(decimal(38, 0))),
            (decimal(10, 4), 4, Some(decimal(38, 4))),
            (decimal(10, 4), 6, Some(decimal(38, 6))),
            (decimal(38, 10), 2, Some(decimal(38, 2))),
            (decimal(38, 0), 2, None),
            (decimal(10, 4), 1000, None),
            (DataType::Float64, 2, None),
            (DataType::Int64, 2, Some(decimal(38, 2))),
            (DataType::Int16, 1000, Some(decimal(38, 19))),
            (DataType::Int32, 0, None),
            (DataType::Int32, -1, None),
        ] {
            assert_eq!(with_places(&of, places), expected, "{of} {places}");
        }
    }
}
