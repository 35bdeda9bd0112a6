//! A limit for the length of texts that are cast to decimals.
//!
//! `i256::from_string` (`arrow-buffer`, 59.3), which casts texts to decimals, calls itself once for
//! each 36 digits: a text of some megabytes overflows the stack and ends the process. Delete this
//! when it loops.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, TryCast, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

use super::expressions;

/// Maximum bytes of a text that is cast to a decimal.
const MOST: usize = 10_000;

/// Adds a check to casts of texts to decimals.
#[derive(Debug)]
pub(crate) struct BoundedDigits;

impl AnalyzerRule for BoundedDigits {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(
            plan,
            |expr| matches!(expr, Expr::Cast(_) | Expr::TryCast(_)),
            rewritten,
        )
    }

    fn name(&self) -> &str {
        "bounded_digits"
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let has_texts = |expr: &Expr| match (expr, expr.get_type(schema)) {
        (Expr::Literal(value, _), _) => value.size() > MOST,
        (_, Ok(from)) => holds(&from, &DataType::is_string),
        (_, Err(_)) => true,
    };
    match expr {
        Expr::Cast(cast) if has_texts(&cast.expr) => bounded(cast),
        Expr::TryCast(TryCast { expr, field })
            if holds(field.data_type(), &DataType::is_decimal)
                && has_texts(&expr)
                && !is_checked(&expr) =>
        {
            let expr = Box::new(checked(*expr, true));
            Transformed::yes(Expr::TryCast(TryCast { expr, field }))
        }
        expr => Transformed::no(expr),
    }
}

/// Adds the check to a cast of values that may hold texts, if it is a cast to decimals.
pub(crate) fn bounded(Cast { expr, field }: Cast) -> Transformed<Expr> {
    if !holds(field.data_type(), &DataType::is_decimal) || is_checked(&expr) {
        return Transformed::no(Expr::Cast(Cast { expr, field }));
    }
    let expr = Box::new(checked(*expr, false));
    Transformed::yes(Expr::Cast(Cast { expr, field }))
}

fn is_checked(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().is::<Digits>())
}

fn checked(expr: Expr, or_null: bool) -> Expr {
    let function = Digits {
        or_null,
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

/// Returns whether a type is `one`, or nests a type that is.
fn holds(data_type: &DataType, one: &impl Fn(&DataType) -> bool) -> bool {
    use DataType as T;
    match data_type {
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::Map(item, _) => {
            holds(item.data_type(), one)
        }
        T::Struct(fields) => fields.iter().any(|field| holds(field.data_type(), one)),
        T::Dictionary(_, values) => holds(values, one),
        other => one(other),
    }
}

/// Returns the values as they are, if no text among them is longer than a decimal may be.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Digits {
    /// Whether a longer text becomes NULL, for TRY_CAST. A longer text in an array, struct or map
    /// is an error in either case.
    or_null: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Digits {
    fn name(&self) -> &str {
        "digits"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect();
        Ok(names.join(", "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let (array, constant): (ArrayRef, bool) = match &value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let Some(length) = too_long(&array) else {
            return Ok(value);
        };
        if !self.or_null || !array.data_type().is_string() {
            return Err(Error::new(
                Code::NumericOutOfRange,
                format!("a text of {length} bytes is no decimal: {MOST} bytes are the most"),
            )
            .into());
        }
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(
                array.data_type(),
            )?));
        }
        let lengths = arrow::compute::kernels::length::length(&array)?;
        let lengths = arrow::compute::cast(&lengths, &DataType::Int64)?;
        let lengths = lengths.as_primitive::<arrow::datatypes::Int64Type>();
        let long = arrow::array::BooleanArray::from_unary(lengths, |length| {
            usize::try_from(length).is_ok_and(|length| length > MOST)
        });
        Ok(ColumnarValue::Array(arrow::compute::nullif(&array, &long)?))
    }
}

/// Returns the length of a text that is too long to be a decimal, if there is one.
fn too_long(array: &dyn Array) -> Option<usize> {
    let mut lengths: Box<dyn Iterator<Item = usize>> = match array.data_type() {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter().flatten().map(str::len)),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().iter().flatten().map(str::len)),
        DataType::Utf8View => Box::new(array.as_string_view().iter().flatten().map(str::len)),
        _ => {
            let data = array.to_data();
            let mut children = data.child_data().iter();
            return children.find_map(|child| too_long(&arrow::array::make_array(child.clone())));
        }
    };
    lengths.find(|length| *length > MOST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn shown(sql: &str) -> Result<String> {
        let mut state = SessionContext::new().state();
        super::super::bounded::bound(&mut state, |_| false)?;
        state.add_analyzer_rule(Arc::new(BoundedDigits));
        let context = SessionContext::new_with_state(state);
        let batches = context.sql(sql).await?.collect().await?;
        Ok(arrow::util::pretty::pretty_format_batches(&batches)?.to_string())
    }

    #[tokio::test]
    async fn long_texts_are_no_decimals() {
        let digits = "repeat('1', 20000000)";
        for sql in [
            format!("SELECT CAST({digits} AS decimal(38, 0))"),
            format!("SELECT arrow_cast({digits}, 'Decimal256(76, 0)')"),
            format!("SELECT {digits} = CAST(1 AS decimal(10, 2))"),
            format!("SELECT CAST(make_array({digits}) AS decimal(10, 2)[])"),
            "SELECT CAST(repeat(CAST(value AS varchar), 10001) AS decimal(38, 0)) FROM generate_series(1, 3)".to_owned(),
        ] {
            let error = shown(&sql).await.unwrap_err().to_string();
            assert!(error.contains("is no decimal"), "{sql}: {error}");
        }
        let null = format!("SELECT TRY_CAST({digits} AS decimal(38, 0)) IS NULL AS n");
        assert!(shown(&null).await.unwrap().contains("true"));
        let column = "SELECT TRY_CAST(repeat('1', CAST(value AS int)) AS decimal(38, 0)) AS n FROM generate_series(10000, 10001) WHERE value > 10000";
        assert!(shown(column).await.unwrap().contains("|   |"));
        let short = "SELECT CAST(concat('000', value, '.5') AS decimal(10, 1)) AS n FROM generate_series(1, 1)";
        assert!(shown(short).await.unwrap().contains("1.5"));
    }
}
