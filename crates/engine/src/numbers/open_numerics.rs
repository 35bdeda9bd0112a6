//! `x::numeric` in PostgreSQL's sessions: a `numeric` without a precision has the digits of the number
//! that is cast. The planner's type has ten after the point.
//!
//! ```text
//! NULL $numeric x     $numeric(x), a DECIMAL(10,0), if x is an INT
//! NULL $numeric x     $numeric(x) of the type of x, if that is a decimal
//! NULL $numeric x     CAST(x AS DECIMAL(38,10)), if x is a text or a floating-point number; the name
//!                     of its field is that of the operator. shown_digits has more about it
//! ```
//!
//! The engine asks planners about operators, and not about casts. So the dialect writes the cast as an
//! operator of NULL and the value.
//!
//! A number may get another type after it is planned: `CASE WHEN a THEN 1 ELSE 2.5 END` is an integer
//! until the types of its results are compared. So the planner makes a call whose type is that of its
//! argument, which becomes a cast when types are settled.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility, cast, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::{decimal_texts, float_decimals};
use crate::plans::expressions;
use crate::types::operand_types::is_short;

/// The operator that the dialect writes before a value. No statement can have it.
pub const OPEN_NUMERIC: &str = "$numeric";

/// The type of a value that does not tell how many digits it has.
const ANY: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 10);

pub(crate) fn is_mark(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Custom(name) if name == OPEN_NUMERIC)
}

/// Returns a value as a decimal of its digits.
pub(crate) fn planned(value: Expr, schema: &DFSchema) -> Expr {
    let known = is_short(&value).then(|| value.get_type(schema).ok());
    match known.flatten().and_then(|of| of_digits(&of)) {
        Some(_) => {
            let function = OpenNumeric {
                signature: Signature::any(1, Volatility::Immutable),
            };
            expressions::call(function, vec![value])
        }
        None => {
            let target = Arc::new(Field::new(OPEN_NUMERIC, ANY, true));
            Expr::Cast(Cast::new_from_field(Box::new(value), target))
        }
    }
}

/// Returns the plan with a `double precision` in place of each literal that no decimal has room for, for
/// protocols that do not show its digits.
///
/// # Errors
///
/// Returns an error if the plan has no schema then.
pub fn without_long_literals(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let node = node.map_expressions(|expr| {
            expr.transform_up(|expr| {
                Ok(match long_literal(&expr) {
                    Some(number) => Transformed::yes(lit(number)),
                    None => Transformed::no(expr),
                })
            })
        })?;
        match node.transformed {
            true => node.map_data(LogicalPlan::recompute_schema),
            false => Ok(node),
        }
    });
    changed.data()
}

/// Returns the number of a literal with more digits than a decimal has, of which the dialect makes an open cast
/// of a text that begins with a blank.
fn long_literal(expr: &Expr) -> Option<f64> {
    let Expr::Cast(Cast { expr, field }) = expr else {
        return None;
    };
    let Expr::Literal(text, _) = expr.as_ref() else {
        return None;
    };
    let text = text
        .try_as_str()
        .flatten()
        .filter(|_| field.name() == OPEN_NUMERIC)?;
    let text = text.strip_prefix(' ')?;
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())?;
    decimal_texts::number(text).is_none().then_some(number)
}

/// Returns the value that a call of [`planned`] makes a decimal; `None` for other calls.
pub(crate) fn value_of(call: &ScalarFunction) -> Option<&Expr> {
    let is_call = call.func.inner().is::<OpenNumeric>();
    call.args.first().filter(|_| is_call)
}

/// Returns the decimal that has the digits of a type; `None` if these are not known.
fn of_digits(data_type: &DataType) -> Option<DataType> {
    let digits = match data_type {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        DataType::Decimal128(_, 0..) => return Some(data_type.clone()),
        _ => return None,
    };
    Some(DataType::Decimal128(digits, 0))
}

/// A number as a decimal of its digits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OpenNumeric {
    signature: Signature,
}

impl ScalarUDFImpl for OpenNumeric {
    fn name(&self) -> &str {
        OPEN_NUMERIC
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(expressions::name_of_first(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of] if !of.is_string() => Ok(of_digits(of).unwrap_or(ANY)),
            _ => Err(DataFusionError::Internal(format!(
                "{OPEN_NUMERIC} of a value that is no number"
            ))),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let fields = args.arg_fields.iter();
        let types: Vec<DataType> = fields.map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let returns = self.return_type(&types)?;
        Ok(Arc::new(Field::new(self.name(), returns, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let [value] = args.as_slice() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        Ok(match of_digits(&info.get_data_type(value)?) {
            Some(target) => ExprSimplifyResult::Simplified(cast(value.clone(), target)),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let target = self.return_type(&types)?;
        expressions::applied(args.args.first(), |values| {
            float_decimals::cast_to(values, &target, false)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::Schema;
    use datafusion::prelude::col;

    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        let decimal = DataType::Decimal128;
        for (of, expected) in [
            (DataType::Int16, decimal(5, 0)),
            (DataType::Int32, decimal(10, 0)),
            (DataType::Int64, decimal(19, 0)),
            (DataType::UInt64, decimal(20, 0)),
            (decimal(10, 2), decimal(10, 2)),
            (decimal(38, 20), decimal(38, 20)),
            (DataType::Float64, decimal(38, 10)),
            (DataType::Utf8, decimal(38, 10)),
            (DataType::Null, decimal(38, 10)),
        ] {
            let schema = Schema::new(vec![Field::new("x", of.clone(), true)]);
            let schema = DFSchema::try_from(schema).unwrap();
            let numeric = planned(col("x"), &schema);
            assert_eq!(numeric.get_type(&schema).unwrap(), expected, "{of}");
            assert_eq!(numeric.schema_name().to_string(), "x");
        }
    }

    #[test]
    fn value_of_no_known_type_has_ten_places() {
        let target = Arc::new(Field::new(OPEN_NUMERIC, ANY, true));
        let expected = Cast::new_from_field(Box::new(col("x")), target);
        assert_eq!(planned(col("x"), &DFSchema::empty()), Expr::Cast(expected));
    }

    #[test]
    fn type_is_that_of_the_argument_when_it_is_settled() {
        let function = OpenNumeric {
            signature: Signature::any(1, Volatility::Immutable),
        };
        let returned = |of| function.return_type(&[of]).unwrap();
        assert_eq!(returned(DataType::Int32), DataType::Decimal128(10, 0));
        assert_eq!(returned(DataType::Float64), DataType::Decimal128(38, 10));
        assert_eq!(returned(DataType::Null), DataType::Decimal128(38, 10));
        assert!(function.return_type(&[DataType::Utf8]).is_err());
    }
}
