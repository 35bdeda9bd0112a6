//! A text literal has no type of its own in PostgreSQL: it takes that of the values beside it. The
//! engine makes the other values texts, which are ordered otherwise, or refuses them.
//!
//! The dialect writes such a literal as a call of [`TYPED_TEXT`] with some of the values, since the
//! engine asks for types while it plans; `postgres/rewrite/untyped.rs` of the dialect crate does.
//!
//! ```text
//! typed_text('2024-01-01', date)     CAST('2024-01-01' AS date)
//! typed_text('9', number)            CAST('9' AS bigint)
//! typed_text('9', number, price)     9 as a DECIMAL(1,0), if price is a DECIMAL
//! typed_text('{}', array)            an empty array
//! typed_text('{a,b}', array)         what a rule of the dialect reads, see [`array_text`]
//! typed_text('x', number)            'x'
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};
use datafusion::optimizer::AnalyzerRule;

use crate::numbers::decimal_texts;
use crate::plans::expressions;
use crate::time::is_infinite;

/// A function of a text literal and values that returns the literal as a value of their common type,
/// or as it is if it is none.
pub const TYPED_TEXT: &str = "typed_text";

/// Texts that are booleans in PostgreSQL.
const BOOLEANS: [&str; 8] = ["t", "f", "true", "false", "yes", "no", "on", "off"];

/// Returns whether a text may be a value of a type other than text.
pub fn may_have_type(text: &str) -> bool {
    text.contains(|part: char| part.is_ascii_digit())
        || text.trim_start().starts_with('{')
        || text.starts_with("\\x")
        || is_boolean(text.trim())
        || is_unbounded(text.trim())
}

/// Returns whether a text is a floating-point number without digits.
fn is_unbounded(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    let words = ["nan", "inf", "infinity"];
    words.iter().any(|word| unsigned.eq_ignore_ascii_case(word))
}

fn is_boolean(text: &str) -> bool {
    BOOLEANS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Registers [`TYPED_TEXT`].
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    let function = TypedText {
        signature: Signature::variadic_any(Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypedText {
    signature: Signature,
}

impl ScalarUDFImpl for TypedText {
    fn name(&self) -> &str {
        TYPED_TEXT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let text = args.scalar_arguments.first().copied().flatten();
        let text = text.and_then(|value| value.try_as_str().flatten());
        let beside = args.arg_fields.iter().skip(1);
        let beside = common(beside.map(|field| field.data_type().clone()));
        let made = text.zip(beside).and_then(|(text, data_type)| {
            if matches!(data_type, DataType::List(_)) && has_items(text) {
                return Some(data_type);
            }
            let value = literal(text, &data_type, zone_of(&data_type))?;
            value.get_type(&DFSchema::empty()).ok()
        });
        let data_type = made.unwrap_or(DataType::Utf8);
        Ok(Arc::new(Field::new(TYPED_TEXT, data_type, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(
            "a text literal has no type yet".to_owned(),
        ))
    }
}

fn zone_of(data_type: &DataType) -> Option<&Arc<str>> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.as_ref(),
        _ => None,
    }
}

/// Replaces the calls of [`TYPED_TEXT`] by values.
#[derive(Debug)]
pub struct UntypedTexts;

impl AnalyzerRule for UntypedTexts {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has(&plan, |expr| call_of(expr).is_some())? {
            return Ok(plan);
        }
        let zone = config.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone: Arc<str> = zone.into();
        let rewrite = |expr: Expr, schema: &DFSchema| {
            let value = call_of(&expr).and_then(|call| typed(call, schema, &zone));
            Ok(value.map_or_else(|| Transformed::no(expr), Transformed::yes))
        };
        expressions::retyped(plan, &rewrite, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "untyped_texts"
    }
}

/// Returns the arguments of a call of [`TYPED_TEXT`].
fn call_of(expr: &Expr) -> Option<(&Expr, &[Expr])> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    call.func.inner().downcast_ref::<TypedText>()?;
    call.args.split_first()
}

/// Returns the text of a call's arguments, and the type that the values beside it have together.
fn told<'a>((text, beside): (&'a Expr, &[Expr]), schema: &DFSchema) -> Option<(&'a str, DataType)> {
    let Expr::Literal(value, _) = text else {
        return None;
    };
    let written = value.try_as_str().flatten()?;
    let types = beside
        .iter()
        .filter_map(|value| value.get_type(schema).ok());
    Some((written, common(types)?))
}

fn typed(call: (&Expr, &[Expr]), schema: &DFSchema, zone: &Arc<str>) -> Option<Expr> {
    let (written, data_type) = told(call, schema)?;
    Some(literal(written, &data_type, Some(zone)).unwrap_or_else(|| call.0.clone()))
}

/// Returns the text of an array with items and its type, where an expression is a call of
/// [`TYPED_TEXT`] with one beside arrays; `None` for others. The text may be malformed.
///
/// The engine does not read such texts: a rule that runs before [`UntypedTexts`] does.
pub fn array_text(expr: &Expr, schema: &DFSchema) -> Option<(String, DataType)> {
    let (written, data_type) = told(call_of(expr)?, schema)?;
    let is_array = matches!(data_type, DataType::List(_)) && has_items(written);
    is_array.then(|| (written.to_owned(), data_type))
}

/// Returns whether a text looks like an array with items.
fn has_items(text: &str) -> bool {
    let written = text.trim();
    written.starts_with('{') && written != "{}"
}

/// Returns the type that the values of a number of types have together: the widest number or time,
/// or the first type.
fn common(types: impl Iterator<Item = DataType>) -> Option<DataType> {
    let types = types.filter(|of| !of.is_null());
    let common = types.reduce(|one, other| match is_wider(&other, &one) {
        true => other,
        false => one,
    });
    common.map(unmarked)
}

/// Returns a type of lists without what is known of the items besides their type: the items of a text
/// have none of it.
fn unmarked(data_type: DataType) -> DataType {
    match data_type {
        DataType::List(item) => {
            let of = unmarked(item.data_type().clone());
            let item = Field::clone(&item).with_data_type(of);
            DataType::List(Arc::new(item.with_metadata(HashMap::new())))
        }
        other => other,
    }
}

/// Returns whether a type of numbers or times holds the values of another one of its kind, and more.
pub(crate) fn is_wider(of: &DataType, than: &DataType) -> bool {
    match (rank(of), rank(than)) {
        (Some((kind, rank)), Some((other_kind, other_rank))) => {
            kind == other_kind && rank > other_rank
        }
        _ => false,
    }
}

/// Returns the kind of a type, and how wide it is among those of its kind.
fn rank(of: &DataType) -> Option<(u8, u8)> {
    Some(match of {
        DataType::Int8 => (0, 0),
        DataType::Int16 => (0, 1),
        DataType::Int32 => (0, 2),
        DataType::Int64 => (0, 3),
        DataType::Decimal128(..) => (0, 4),
        DataType::Float32 => (0, 5),
        DataType::Float64 => (0, 6),
        DataType::Date32 => (1, 0),
        DataType::Timestamp(_, None) => (1, 1),
        DataType::Timestamp(_, Some(_)) => (1, 2),
        _ => return None,
    })
}

/// Returns the text as a value of a type; `None` if it is none, or the type has no such form.
/// `zone`: where a time with a zone is if it names none.
pub(crate) fn literal(text: &str, data_type: &DataType, zone: Option<&Arc<str>>) -> Option<Expr> {
    let written = text.trim();
    let begins_with_digit = written.starts_with(|first: char| first.is_ascii_digit());
    let is_value = match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            written.parse::<i64>().is_ok()
        }
        DataType::Float32 | DataType::Float64 => written.parse::<f64>().is_ok(),
        // The digits decide the type, and those of other decimals are kept.
        DataType::Decimal128(..) => {
            let number = decimal_texts::number(written)?;
            return Some(Expr::Literal(number, None));
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = ScalarValue::Binary(Some(bytes(text)?));
            return Some(cast(Expr::Literal(bytes, None), data_type.clone()));
        }
        DataType::Boolean => is_boolean(written),
        DataType::Time64(_) => begins_with_digit,
        DataType::Date32 | DataType::Timestamp(..) => begins_with_digit || is_infinite(written),
        DataType::Interval(_) => written.contains(|part: char| part.is_ascii_digit()),
        DataType::List(item) if written == "{}" => {
            let empty = ScalarValue::new_list_nullable(&[], item.data_type());
            return Some(cast(
                Expr::Literal(ScalarValue::List(empty), None),
                data_type.clone(),
            ));
        }
        _ => false,
    };
    if !is_value {
        return None;
    }
    let data_type = match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, zone.cloned()),
        other => other.clone(),
    };
    let text = ScalarValue::Utf8(Some(text.to_owned()));
    Some(cast(Expr::Literal(text, None), data_type))
}

/// Returns the bytes of a text such as `\x01ff`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<u8>>>();
    bytes.filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn a_text_is_a_value_of_the_types_whose_form_it_has() {
        let zone: Arc<str> = "UTC".into();
        let item = DataType::new_list(DataType::Int64, true);
        for (text, data_type, expected) in [
            ("7", DataType::Int32, true),
            (" 7 ", DataType::Int64, true),
            ("7.5", DataType::Int64, false),
            ("", DataType::Int64, false),
            ("none", DataType::Float64, false),
            ("-Infinity", DataType::Float32, true),
            ("nan", DataType::Float64, true),
            ("7.5", DataType::Decimal128(5, 2), true),
            ("F", DataType::Boolean, true),
            ("2024-01-01", DataType::Date32, true),
            ("never", DataType::Date32, false),
            ("-Infinity", DataType::Date32, true),
            ("infinity", DataType::Time64(TimeUnit::Microsecond), false),
            ("{}", item.clone(), true),
            ("{1}", item, false),
            ("a", DataType::Utf8, false),
            ("\\x01fF", DataType::Binary, true),
            ("\\x", DataType::Binary, true),
            ("\\x1", DataType::Binary, false),
            ("\\x+1", DataType::Binary, false),
            ("01", DataType::Binary, false),
        ] {
            let made = literal(text, &data_type, Some(&zone));
            assert_eq!(made.is_some(), expected, "{text} as {data_type}");
        }
    }

    #[test]
    fn arrays_with_items_are_told_by_arrays() {
        for (text, expected) in [
            ("{1,NULL}", true),
            (" {a", true),
            ("{}", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(has_items(text), expected, "{text}");
        }
        assert!(may_have_type("{a,NULL}"));
        assert!(array_text(&Expr::Literal("{a}".into(), None), &DFSchema::empty()).is_none());
    }

    #[test]
    fn several_values_tell_the_widest_type() {
        let moment =
            |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        for (types, expected) in [
            (
                vec![DataType::Date32, moment(Some("UTC"))],
                moment(Some("UTC")),
            ),
            (vec![moment(None), DataType::Date32], moment(None)),
            (
                vec![DataType::Null, DataType::Int32, DataType::Float64],
                DataType::Float64,
            ),
            (vec![DataType::Utf8, DataType::Int32], DataType::Utf8),
        ] {
            assert_eq!(common(types.into_iter()), Some(expected));
        }
        assert_eq!(common(std::iter::empty()), None);
        let marks = HashMap::from([("pg.type".to_owned(), "oid".to_owned())]);
        let item = Field::new_list_field(DataType::Int64, true).with_metadata(marks);
        let marked = DataType::List(Arc::new(item));
        let plain = DataType::new_list(DataType::Int64, true);
        assert_eq!(common([marked].into_iter()), Some(plain));
    }
}
