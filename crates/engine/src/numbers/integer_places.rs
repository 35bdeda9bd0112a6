//! `round(x, n)` and `trunc(x, n)` of integers are `numeric` in PostgreSQL's sessions, so that their
//! quotients have fractions; the engine's are integers, and `double precision` for `trunc`. `round(x)`
//! of integers is a `double precision`.
//!
//! ```text
//! round(15, -1), trunc(19, -1)     20, 10
//! round(7, 2)                      7, of a DECIMAL(38,0); see decimal_places.rs for its fraction
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Int64Type,
};
use datafusion::common::ScalarValue;
use datafusion::common::types::{NativeType, logical_int64};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature, TypeSignatureClass,
};

use crate::plans::scalars::named_as_the_inner;

/// The type of the results.
const NUMERIC: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// A decimal that holds all integers.
const INTEGERS: DataType = DataType::Decimal128(20, 0);

/// Replaces a session's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    for (name, rounds) in [("round", true), ("trunc", false)] {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            let function = OfIntegers::new(inner, rounds);
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
        }
    }
    Ok(())
}

/// The session's function, except of integers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfIntegers {
    inner: Arc<ScalarUDF>,
    /// Whether halves and more are rounded away from zero.
    rounds: bool,
    signature: Signature,
}

impl OfIntegers {
    fn new(inner: Arc<ScalarUDF>, rounds: bool) -> Self {
        let integer = Coercion::new_exact(TypeSignatureClass::Integer);
        let places = Coercion::new_implicit(
            TypeSignatureClass::Native(logical_int64()),
            vec![TypeSignatureClass::Integer],
            NativeType::Int64,
        );
        let mut signature = inner.signature().clone();
        let others = match signature.type_signature {
            TypeSignature::OneOf(all) => all,
            one => vec![one],
        };
        // Arguments that fit several of them become those of the first one.
        let own = TypeSignature::Coercible(vec![integer, places]);
        let all = std::iter::once(own).chain(others);
        signature.type_signature = TypeSignature::OneOf(all.collect());
        Self {
            inner,
            rounds,
            signature,
        }
    }

    /// Returns the type of the result of an integer, or of an integer and places; `None` for other
    /// arguments.
    fn result_of<'a>(&self, types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
        let types: Vec<&DataType> = types.collect();
        match types.as_slice() {
            [value, _] if value.is_integer() => Some(NUMERIC),
            // The argument of `trunc` is converted.
            [value] if value.is_integer() && self.rounds => Some(DataType::Float64),
            _ => None,
        }
    }
}

/// Returns a number without its last digits. `places`: negative ones are before the point.
fn shortened(value: i128, places: i64, rounds: bool) -> i128 {
    if places >= 0 {
        return value;
    }
    let digits = u32::try_from(places.unsigned_abs()).ok();
    // An integer has fewer digits than the largest power.
    let unit = digits.and_then(|digits| 10_i128.checked_pow(digits));
    let Some(unit) = unit else {
        return 0;
    };
    let rest = value % unit;
    let whole = value - rest;
    match rounds && rest.abs() >= unit - rest.abs() {
        true if value < 0 => whole - unit,
        true => whole + unit,
        false => whole,
    }
}

impl ScalarUDFImpl for OfIntegers {
    named_as_the_inner!();

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match self.result_of(types.iter()) {
            Some(result) => Ok(result),
            None => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args.arg_fields.iter().map(|field| field.data_type());
        let Some(result) = self.result_of(types) else {
            return self.inner.return_field_from_args(args);
        };
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), result, nullable)))
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types = args.arg_fields.iter().map(|field| field.data_type());
        if self.result_of(types).is_none() {
            return self.inner.invoke_with_args(args);
        }
        let (values, places) = match args.args.as_slice() {
            [value] => return value.cast_to(&DataType::Float64, None),
            [values, places] => (values, places),
            _ => {
                return Err(DataFusionError::Internal(format!(
                    "{} without its arguments",
                    self.name()
                )));
            }
        };
        let arguments = [values, places];
        let is_constant = arguments
            .iter()
            .all(|of| matches!(of, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let values = cast(&values.to_array(rows)?, &INTEGERS)?;
        let places = cast(&places.to_array(rows)?, &DataType::Int64)?;
        let values = values.as_primitive::<Decimal128Type>().iter();
        let rows = values.zip(places.as_primitive::<Int64Type>());
        let results: Decimal128Array = rows
            .map(|(value, places)| Some(shortened(value?, places?, self.rounds)))
            .collect();
        let results: ArrayRef = Arc::new(results.with_data_type(NUMERIC));
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&results, 0)?),
            false => ColumnarValue::Array(results),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Array;
    use arrow::util::display::array_value_to_string;
    use datafusion::prelude::SessionContext;

    use super::*;

    // PostgreSQL 15.
    #[tokio::test]
    async fn digits_before_the_point_are_rounded_or_cut_off() {
        let mut state = SessionContext::new().state();
        register(&mut state).unwrap();
        let context = SessionContext::new_with_state(state);
        const MAX: i64 = i64::MAX;
        for (call, expected) in [
            ("round(5, 2)".to_owned(), "5"),
            ("round(15, -1)".to_owned(), "20"),
            ("round(-15, -1)".to_owned(), "-20"),
            ("round(-14, -1)".to_owned(), "-10"),
            ("trunc(19, -1)".to_owned(), "10"),
            ("trunc(-19, -1)".to_owned(), "-10"),
            ("trunc(7, 3)".to_owned(), "7"),
            (format!("round({MAX}, -1)"), "9223372036854775810"),
            (format!("round({MAX}, -19)"), "10000000000000000000"),
            (format!("round({MAX}, -20)"), "0"),
            (format!("trunc({MAX}, -18)"), "9000000000000000000"),
            (format!("round({MAX}, -{MAX})"), "0"),
            (format!("round({MAX}, {MAX})"), "9223372036854775807"),
            ("round(x, -1)".to_owned(), "30"),
            ("trunc(x, y)".to_owned(), "20"),
            ("round(25, y)".to_owned(), "30"),
            ("round(x, CAST(NULL AS INT))".to_owned(), ""),
            ("round(CAST(NULL AS INT), 1)".to_owned(), ""),
        ] {
            let sql = format!("SELECT {call} FROM (VALUES (25, -1)) t(x, y)");
            let frame = context.sql(&sql).await.unwrap();
            let batches = frame.collect().await.unwrap();
            let column = batches.first().unwrap().column(0);
            assert_eq!(column.data_type(), &NUMERIC, "{call}");
            let value = array_value_to_string(column, 0).unwrap();
            assert_eq!(value, expected, "{call}");
        }
        for (call, expected) in [
            ("round(7)", "7.0"),
            ("round(2.5e0, 0)", "3.0"),
            ("trunc(2.75e0, 1)", "2.7"),
        ] {
            let frame = context.sql(&format!("SELECT {call}")).await.unwrap();
            let batches = frame.collect().await.unwrap();
            let column = batches.first().unwrap().column(0);
            assert_eq!(column.data_type(), &DataType::Float64, "{call}");
            let value = array_value_to_string(column, 0).unwrap();
            assert_eq!(value, expected, "{call}");
        }
    }
}
