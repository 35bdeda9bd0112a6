//! A limit for the length of texts that are cast to decimals, and the digits of those with an
//! exponent: the engine's cast does not read `1.5e3`.
//!
//! `i256::from_string` (`arrow-buffer`, 59.3), which casts texts to decimals, calls itself once for
//! each 36 digits: a text of some megabytes overflows the stack and ends the process. Delete the
//! limit when it loops.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
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

use crate::plans::expressions;

/// Maximum bytes of a text that is cast to a decimal.
const MOST: usize = 10_000;

/// Largest exponent that is read. No decimal holds more digits.
const MAX_EXPONENT: i32 = 100;

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
        (Expr::Literal(value, _), _) => {
            let text = value.try_as_str().flatten();
            value.size() > MOST || text.is_some_and(|text| spelled_out(text).is_some())
        }
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

/// Returns the texts that the check is added to; other expressions as they are.
pub(super) fn unchecked(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(call) if is_checked(expr) => call.args.first().unwrap_or(expr),
        expr => expr,
    }
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
            return match without_exponents(&array)? {
                Some(texts) => expressions::made(texts, constant),
                None => Ok(value),
            };
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

/// Returns texts without exponents; `None` if none has one.
fn without_exponents(texts: &ArrayRef) -> Result<Option<ArrayRef>> {
    if !texts.data_type().is_string() {
        return Ok(None);
    }
    let plain = cast(texts, &DataType::Utf8)?;
    let plain = plain.as_string::<i32>();
    if !plain.iter().flatten().any(|text| text.contains(['e', 'E'])) {
        return Ok(None);
    }
    let spelled: StringArray = plain
        .iter()
        .map(|text| text.map(|text| spelled_out(text).map_or(Cow::Borrowed(text), Cow::Owned)))
        .collect();
    Ok(Some(cast(&spelled, texts.data_type())?))
}

/// Returns a number with the digits that its exponent stands for; `None` if it has no exponent, has
/// a very large one, or is not a number.
fn spelled_out(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.trim().split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, number) = match mantissa.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number || !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let Ok(point) = usize::try_from(point) else {
        let zeros = "0".repeat(usize::try_from(point.unsigned_abs()).ok()?);
        return Some(format!("{sign}0.{zeros}{digits}"));
    };
    let digits = format!("{digits:0<point$}");
    let (whole, fraction) = digits.split_at_checked(point)?;
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn shown(sql: &str) -> Result<String> {
        let mut state = SessionContext::new().state();
        crate::limits::bounded::bound(&mut state, |_| false)?;
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

    #[tokio::test]
    async fn exponents_are_read() {
        for (text, expected) in [
            ("1e3", Some("1000")),
            (" -1.5E-2 ", Some("-0.015")),
            ("+1.e+2", Some("100")),
            (".5e1", Some("5")),
            ("12.345e1", Some("123.45")),
            ("12e-2", Some("0.12")),
            ("1", None),
            ("1e", None),
            ("e5", None),
            ("1e5x", None),
            ("true", None),
            ("1e2000000000", None),
            ("-e1", None),
        ] {
            assert_eq!(spelled_out(text).as_deref(), expected, "{text}");
        }
        let column = "SELECT CAST(concat('1.5e', value) AS decimal(10, 1)) AS n, CAST('2.5e1' AS decimal(10, 1)) AS c FROM generate_series(2, 2)";
        let shown = shown(column).await.unwrap();
        assert!(shown.contains("150.0") && shown.contains("25.0"), "{shown}");
    }
}
