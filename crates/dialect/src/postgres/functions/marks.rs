//! Functions that mark a value with its type, which is a number or a text to the engine.
//!
//! ```text
//! x::oid, x::xid, x::cid     $oid_in(x::bigint), …      -1 is 4294967295
//! x::xid8                    $xid8_in(x::bigint)
//! x::name                    $name_in(x::text)          at most 63 bytes
//! x::"char"                  $char_in(x)                the first byte, or that of a number
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use crate::postgres::cell::PG_TYPE;

/// The functions of casts, with the marks of their results.
pub(in crate::postgres) const INPUTS: [(&str, &str); 6] = [
    ("$char_in", "char"),
    ("$cid_in", "cid"),
    ("$name_in", "name"),
    ("$oid_in", "oid"),
    ("$xid8_in", "xid8"),
    ("$xid_in", "xid"),
];

/// The bytes of a name without the zero at its end.
const NAME_BYTES: usize = 63;

/// Returns the functions of casts.
pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    INPUTS
        .into_iter()
        .map(|(name, mark)| Input::udf(name, mark))
}

/// Reads its argument as a value of a type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Input {
    name: &'static str,
    mark: &'static str,
    signature: Signature,
}

impl Input {
    fn udf(name: &'static str, mark: &'static str) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self {
            name,
            mark,
            signature: Signature::any(1, Volatility::Immutable),
        }))
    }

    /// Returns the type of what values become.
    fn returns(&self, of: &DataType) -> DataType {
        match self.mark {
            "char" if !of.is_string() => DataType::Utf8,
            _ => of.clone(),
        }
    }

    /// Returns the values as the type has them.
    fn read(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let of = values.data_type().clone();
        match self.mark {
            "name" if of.is_string() => texts(values, cut),
            "char" if of.is_string() => texts(values, first_byte),
            "char" if of.is_integer() => {
                let numbers = cast(values, &DataType::Int64)?;
                let numbers = numbers.as_primitive::<Int64Type>().iter();
                let read = numbers.map(|number| number.map(character).transpose());
                let read = read.collect::<Result<StringArray, Error>>()?;
                Ok(Arc::new(read))
            }
            "char" => texts(&cast(values, &DataType::Utf8)?, first_byte),
            "oid" | "xid" | "cid" if of.is_integer() => {
                let numbers = cast(values, &DataType::Int64)?;
                let numbers = numbers.as_primitive::<Int64Type>();
                let numbers = numbers
                    .iter()
                    .map(|number| number.map(object_id).transpose());
                let numbers = numbers.collect::<Result<Int64Array, Error>>()?;
                Ok(cast(&(Arc::new(numbers) as ArrayRef), &of)?)
            }
            _ => Ok(Arc::clone(values)),
        }
    }
}

/// Returns the texts that others become.
fn texts(values: &ArrayRef, read: impl Fn(&str) -> String) -> Result<ArrayRef> {
    let of = values.data_type().clone();
    let texts = cast(values, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter();
    let read: StringArray = texts.map(|text| text.map(&read)).collect();
    Ok(cast(&(Arc::new(read) as ArrayRef), &of)?)
}

/// Returns the start of a text that a name has room for.
fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(NAME_BYTES))
        .unwrap_or_default()
        .to_owned()
}

/// Returns the first byte of a text; one that is not a character of its own as an octal number.
fn first_byte(text: &str) -> String {
    match text.as_bytes().first() {
        Some(b'\\') if is_octal(text) => text.to_owned(),
        Some(byte) => shown(*byte),
        None => String::new(),
    }
}

fn shown(byte: u8) -> String {
    match byte.is_ascii() {
        true => char::from(byte).to_string(),
        false => format!("\\{byte:03o}"),
    }
}

/// Returns the `"char"` of a number, whose byte is signed. That of 0 is empty.
///
/// # Errors
///
/// The number needs more than a byte.
fn character(number: i64) -> Result<String, Error> {
    match i8::try_from(number).map(i8::cast_unsigned) {
        Ok(0) => Ok(String::new()),
        Ok(byte) => Ok(shown(byte)),
        Err(_) => Err(Error::new(Code::NumericOutOfRange, "\"char\" out of range")),
    }
}

/// Returns whether a text shows a byte, as in `\303`.
fn is_octal(text: &str) -> bool {
    text.len() == 4
        && text
            .bytes()
            .skip(1)
            .all(|digit| (b'0'..=b'7').contains(&digit))
}

/// Returns the number of an object. A negative number of four bytes has the same bytes.
///
/// # Errors
///
/// The number needs more than four bytes.
fn object_id(number: i64) -> Result<i64, Error> {
    let signed = i32::try_from(number).map(i32::cast_unsigned);
    let found = u32::try_from(number).or(signed);
    let found = found.map_err(|_| Error::new(Code::NumericOutOfRange, "OID out of range"))?;
    Ok(i64::from(found))
}

impl ScalarUDFImpl for Input {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(self.returns(args.first().unwrap_or(&DataType::Null)))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = args.arg_fields.first().map(|field| field.data_type());
        let of = self.returns(of.unwrap_or(&DataType::Null));
        let field = crate::postgres::hinted_field(self.name, of, self.mark);
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(field.with_nullable(is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(match args.args.into_iter().next() {
            Some(ColumnarValue::Array(values)) => ColumnarValue::Array(self.read(&values)?),
            Some(ColumnarValue::Scalar(value)) => {
                let read = self.read(&value.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&read, 0)?)
            }
            None => ColumnarValue::Scalar(ScalarValue::Null),
        })
    }

    /// A value that has the mark already stays what it is, so that a filter of a column is one.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let [value] = args.as_slice() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let schema: &DFSchema = info.schema();
        let of = value.get_type(schema)?;
        let inner = match value {
            Expr::Cast(cast) => cast.expr.as_ref(),
            value => value,
        };
        if matches!(inner, Expr::Literal(..)) {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let (_, field) = inner.to_field(schema)?;
        let is_marked = field
            .metadata()
            .get(PG_TYPE)
            .is_some_and(|mark| mark == self.mark);
        match is_marked && *field.data_type() == of {
            true => Ok(ExprSimplifyResult::Simplified(inner.clone())),
            false => Ok(ExprSimplifyResult::Original(args)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_are_cut() {
        assert_eq!(cut(&"é".repeat(40)), "é".repeat(31));
        assert_eq!(cut(&"a".repeat(64)), "a".repeat(63));
        assert_eq!(cut(""), "");
        for (text, expected) in [
            ("abc", "a"),
            ("", ""),
            ("é", "\\303"),
            ("\\303", "\\303"),
            ("\\x", "\\"),
        ] {
            assert_eq!(first_byte(text), expected);
        }
    }

    // PostgreSQL 15.
    #[test]
    fn numbers_are_signed_bytes() {
        for (number, expected) in [
            (65, Some("A")),
            (0, Some("")),
            (127, Some("\u{7f}")),
            (-3, Some("\\375")),
            (-128, Some("\\200")),
            (128, None),
            (-129, None),
            (i64::MAX, None),
        ] {
            assert_eq!(character(number).ok().as_deref(), expected, "{number}");
        }
    }

    #[test]
    fn numbers_of_objects_have_four_bytes() {
        for (number, expected) in [
            (0, Some(0)),
            (4_294_967_295, Some(4_294_967_295)),
            (-1, Some(4_294_967_295)),
            (-2_147_483_648, Some(2_147_483_648)),
            (4_294_967_296, None),
            (-2_147_483_649, None),
            (i64::MIN, None),
        ] {
            assert_eq!(object_id(number).ok(), expected, "{number}");
        }
    }
}
