//! `generate_series` of decimals in PostgreSQL's sessions; the engine's is of integers and times. All
//! numbers of a series have as many fractional digits as the argument that has the most.

use std::sync::Arc;

use arrow::array::builder::{Decimal128Builder, ListBuilder};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef};
use datafusion::common::types::NativeType;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature, TypeSignatureClass,
};
use lakegate_error::{Code, Error};

use crate::{bounded, expressions, stop};

/// Digits of the largest integer.
const DIGITS: u8 = 20;

/// Elements between two checks whether the query is still wanted.
const PIECE: usize = 100_000;

/// Replaces a session's function with this one.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.scalar_functions().get("generate_series").cloned() {
        let function = DecimalSeries::new(inner);
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// The session's function, which takes decimals, too.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DecimalSeries {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl DecimalSeries {
    fn new(inner: Arc<ScalarUDF>) -> Self {
        let number = Coercion::new_implicit(
            TypeSignatureClass::Decimal,
            vec![TypeSignatureClass::Integer],
            NativeType::Decimal(DIGITS, 0),
        );
        let mut signature = inner.signature().clone();
        let mut forms = match signature.type_signature {
            TypeSignature::OneOf(forms) => forms,
            one => vec![one],
        };
        // Integers fit the forms before, which come first.
        for count in [2, 3] {
            forms.push(TypeSignature::Coercible(vec![number.clone(); count]));
        }
        signature.type_signature = TypeSignature::OneOf(forms);
        Self { inner, signature }
    }
}

/// Returns the type of a series of numbers of these types, if they are decimals.
fn series_of<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
    let mut most = 0;
    for of in types {
        match of {
            DataType::Decimal128(_, scale) => most = most.max(*scale),
            _ => return None,
        }
    }
    let item = DataType::Decimal128(DECIMAL128_MAX_PRECISION, most);
    Some(DataType::List(Arc::new(Field::new_list_field(item, true))))
}

/// Returns how many numbers a series has.
///
/// # Errors
///
/// The step is zero.
fn length(first: i128, last: i128, step: i128) -> Result<i128> {
    if step == 0 {
        return Err(Error::new(Code::InvalidParameter, "step size cannot equal zero").into());
    }
    let turns_back = (step > 0 && first > last) || (step < 0 && first < last);
    Ok(match turns_back {
        true => 0,
        false => {
            let steps = last.saturating_sub(first).checked_div(step);
            steps.unwrap_or(i128::MAX).saturating_add(1)
        }
    })
}

/// Returns the lists of a call whose result has this item.
fn lists(args: &ScalarFunctionArgs, item: &FieldRef) -> Result<ColumnarValue> {
    let DataType::Decimal128(_, scale) = item.data_type() else {
        return Err(Error::internal("a series of other numbers than decimals").into());
    };
    let constants = expressions::are_constants(&args.args);
    let rows = if constants { 1 } else { args.number_rows };
    let mut columns: Vec<Decimal128Array> = Vec::with_capacity(args.args.len());
    for arg in &args.args {
        let column = arg.cast_to(item.data_type(), None)?.to_array(rows)?;
        columns.push(column.as_primitive::<Decimal128Type>().clone());
    }
    let unit = 10_i128.saturating_pow(u32::from(scale.unsigned_abs()));
    let at = |place: usize, row: usize| match columns.get(place) {
        Some(column) => column.is_valid(row).then(|| column.value(row)),
        None => Some(unit),
    };
    let numbers = Decimal128Builder::new().with_data_type(item.data_type().clone());
    let mut lists = ListBuilder::new(numbers).with_field(Arc::clone(item));
    let mut total = 0_i128;
    for row in 0..rows {
        let (Some(first), Some(last), Some(step)) = (at(0, row), at(1, row), at(2, row)) else {
            lists.append_null();
            continue;
        };
        let length = length(first, last, step)?;
        total = total.saturating_add(length);
        bounded::check_elements(total)?;
        let mut number = first;
        for place in 0..usize::try_from(length).unwrap_or_default() {
            if place.is_multiple_of(PIECE) {
                stop::check()?;
            }
            lists.values().append_value(number);
            number = number.saturating_add(step);
        }
        lists.append(true);
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    expressions::made(lists, constants)
}

impl ScalarUDFImpl for DecimalSeries {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match series_of(types.iter()) {
            Some(series) => Ok(series),
            None => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args.arg_fields.iter().map(|field| field.data_type());
        match series_of(types) {
            Some(series) => Ok(Arc::new(Field::new(self.name(), series, true))),
            None => self.inner.return_field_from_args(args),
        }
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.return_field.data_type() {
            DataType::List(item) if item.data_type().is_decimal() => lists(&args, item),
            _ => self.inner.invoke_with_args(args),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Result<Vec<String>> {
        let mut state = SessionContext::new().state();
        register(&mut state)?;
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            let column = batch.column(0);
            for row in 0..column.len() {
                values.push(array_value_to_string(column, row)?);
            }
        }
        Ok(values)
    }

    #[tokio::test]
    async fn series_of_decimals_have_the_digits_of_all_arguments() {
        for (call, expected) in [
            (
                "0, 1, CAST('0.25' AS DECIMAL(3,2))",
                vec!["0.00", "0.25", "0.50", "0.75", "1.00"],
            ),
            ("CAST('1.5' AS DECIMAL(2,1)), 4", vec!["1.5", "2.5", "3.5"]),
            (
                "CAST('1.0' AS DECIMAL(2,1)), CAST('0.3' AS DECIMAL(2,1)), CAST('-0.3' AS DECIMAL(2,1))",
                vec!["1.0", "0.7", "0.4"],
            ),
            (
                "CAST('1.0' AS DECIMAL(2,1)), CAST('0.3' AS DECIMAL(2,1))",
                vec![],
            ),
            ("1, 3", vec!["1", "2", "3"]),
        ] {
            let sql = format!("SELECT unnest(generate_series({call}))");
            assert_eq!(values(&sql).await.unwrap(), expected, "{call}");
        }
        let of_rows = "SELECT unnest(generate_series(x, y)) FROM (VALUES
            (CAST('0.5' AS DECIMAL(2,1)), 2), (NULL, 1), (CAST('7.5' AS DECIMAL(2,1)), 8)) t(x, y)";
        assert_eq!(values(of_rows).await.unwrap(), ["0.5", "1.5", "7.5"]);
    }

    #[tokio::test]
    async fn series_that_do_not_end_are_errors() {
        for (call, code) in [
            ("CAST('0.5' AS DECIMAL(2,1)), 1, 0", Code::InvalidParameter),
            (
                "0, 100000000, CAST('0.1' AS DECIMAL(2,1))",
                Code::ResultTooLarge,
            ),
        ] {
            let sql = format!("SELECT generate_series({call})");
            let error = lakegate_error::from_engine(values(&sql).await.unwrap_err());
            assert_eq!(error.code(), code, "{call}");
        }
    }
}
