//! `TRY(x)`: NULL where the evaluation of `x` fails because of a row's values.
//!
//! The parser makes `x` the body of a lambda, so that it is evaluated within the call. A batch that
//! fails is halved until the rows that fail are alone.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::take_function_args;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda,
    Volatility,
};
use lakegate_engine::stop;
use lakegate_error::{Code, Error};

use crate::entry::{Entry, Function, Known};

/// The name that the parser gives to the function.
const NAME: &str = "$try";

pub(crate) fn entries() -> Vec<Entry> {
    vec![Entry {
        function: Function::HigherOrder(Arc::new(HigherOrderUDF::new_from_impl(Try {
            signature: HigherOrderSignature::exact(
                vec![ValueOrLambda::Lambda(())],
                Volatility::Immutable,
            ),
        }))),
        known: Known::Everywhere,
        page: None,
    }]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Try {
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for Try {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        if !matches!(fields, [ValueOrLambda::Lambda(_)]) {
            return Err(arguments());
        }
        // The parameter says how many rows there are.
        let parameter = Arc::new(Field::new("$", DataType::Boolean, true));
        Ok(LambdaParametersProgress::Complete(vec![vec![parameter]]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [ValueOrLambda::Lambda(field)] => Ok(Arc::new(
                field.as_ref().clone().with_name(NAME).with_nullable(true),
            )),
            _ => Err(arguments()),
        }
    }

    /// What two calls have in common must not be evaluated before them.
    fn short_circuits(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = take_function_args(NAME, &args.args)?;
        let ValueOrLambda::Lambda(lambda) = argument else {
            return Err(arguments());
        };
        let data_type = args.return_field.data_type();
        let mut parts = Vec::new();
        // Ranges of rows to evaluate, the first one last.
        let all = 0..args.number_rows;
        let mut ranges = vec![all];
        while let Some(range) = ranges.pop() {
            stop::check()?;
            match evaluated(lambda, range.clone()) {
                Ok(array) => parts.push(array),
                Err(error) if !is_of_data(&error) => return Err(error),
                Err(_) if range.len() <= 1 => parts.push(new_null_array(data_type, range.len())),
                Err(_) => {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
            }
        }
        if let [part] = parts.as_slice() {
            return Ok(ColumnarValue::Array(Arc::clone(part)));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

/// Evaluates the lambda for some rows.
fn evaluated(lambda: &LambdaArgument, rows: Range<usize>) -> Result<ArrayRef> {
    let count = rows.len();
    let marks = || Ok(Arc::new(BooleanArray::from(vec![true; count])) as ArrayRef);
    let value = lambda.evaluate(&[&marks], |captures| {
        let sliced = captures
            .iter()
            .map(|column| column.slice(rows.start, count));
        Ok(sliced.collect())
    })?;
    value.into_array(count)
}

/// Whether an error is one of a row's values. Others, such as a cancelled query or a damaged file,
/// are not caught.
fn is_of_data(error: &DataFusionError) -> bool {
    let code = match lakegate_error::find(error) {
        Some(error) => error.code(),
        None => match error.find_root() {
            DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => Code::DataException,
            _ => Code::Internal,
        },
    };
    code.is_of_data()
}

fn arguments() -> DataFusionError {
    Error::invalid("TRY takes one expression").into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn rows_that_fail_are_null_and_others_are_not() {
        let query = "SELECT TRY(CAST(x AS integer)) FROM (VALUES ('1'), ('x'), (NULL), ('4')) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1", "NULL", "NULL", "4"]);
        let query = "SELECT TRY(12 / x + y) FROM (VALUES (1, 1), (0, 1), (4, 2)) t(x, y)";
        assert_eq!(rows(query).await.unwrap(), ["13", "NULL", "5"]);
        // Twice in the plan, as coalesce becomes a CASE.
        let query = "SELECT coalesce(TRY(12 / x), 7) FROM (VALUES 4, 0) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["3", "7"]);
    }

    #[tokio::test]
    async fn constants_and_aggregates_can_be_tried() {
        assert_eq!(value("TRY(1 / 0)").await.unwrap(), "NULL");
        assert_eq!(
            value("coalesce(TRY(CAST('x' AS bigint)), 7)")
                .await
                .unwrap(),
            "7"
        );
        let query = "SELECT TRY(sum(x) / sum(y)) FROM (VALUES (1, 0), (2, 0)) t(x, y)";
        assert_eq!(rows(query).await.unwrap(), ["NULL"]);
        assert_eq!(value("TRY(TRY(1 / 0) + 1)").await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn errors_of_planning_are_not_caught() {
        assert!(error("TRY(nothing)").await.contains("nothing"));
    }
}
