//! `ceil`, `floor` and `trunc` of decimals return integer decimals, as in Athena and PostgreSQL.
//!
//! DataFusion keeps the number of fractional digits, and fails if the result needs one more digit
//! before the point (`ceil.rs` of `datafusion-functions`, 55.2). Delete this when `ceil` of 99.99,
//! a decimal with 4 digits, is 100.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::plans::expressions;

/// Replaces DataFusion's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    for name in ["ceil", "floor", "trunc"] {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(Whole { inner })))?;
        }
    }
    Ok(())
}

/// DataFusion's function, with our result for a single decimal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    inner: Arc<ScalarUDF>,
}

/// Returns the type of the result, if the only argument is a decimal with fractional digits.
fn whole(types: &[DataType]) -> Option<DataType> {
    let [DataType::Decimal128(precision, scale @ 1..)] = types else {
        return None;
    };
    let before = precision.saturating_sub(scale.unsigned_abs());
    Some(DataType::Decimal128(
        (before + 1).min(DECIMAL128_MAX_PRECISION),
        0,
    ))
}

impl Whole {
    fn array(&self, values: &ArrayRef, returns: &DataType) -> Result<ArrayRef> {
        let (DataType::Decimal128(_, scale), DataType::Decimal128(precision, _)) =
            (values.data_type(), returns)
        else {
            return Ok(Arc::clone(values));
        };
        let unit =
            10i128.pow(u32::from(scale.unsigned_abs()).min(u32::from(DECIMAL128_MAX_PRECISION)));
        let name = self.inner.name();
        let values = values.as_primitive::<Decimal128Type>();
        let made: Decimal128Array = values.unary(|value| match name {
            "floor" => value.div_euclid(unit),
            "ceil" => value.div_euclid(unit) + i128::from(value.rem_euclid(unit) > 0),
            _ => value / unit,
        });
        Ok(Arc::new(made.with_precision_and_scale(*precision, 0)?))
    }
}

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match whole(types) {
            Some(whole) => Ok(whole),
            None => self.inner.return_type(types),
        }
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        let types: Vec<DataType> = inputs.iter().map(|input| input.data_type()).collect();
        match whole(&types) {
            Some(whole) => Interval::make_unbounded(&whole),
            None => self.inner.evaluate_bounds(inputs),
        }
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        match literal {
            Expr::Literal(value, _) if value.data_type().is_floating() => {
                self.inner.preimage(args, literal, info)
            }
            _ => Ok(PreimageResult::None),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        match whole(&types) {
            Some(whole) => {
                expressions::applied(args.args.first(), |values| self.array(values, &whole))
            }
            None => self.inner.invoke_with_args(args),
        }
    }
}
