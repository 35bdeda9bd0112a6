//! Functions of bytes: their text forms, encodings of text, lengths, single bytes and bits, and
//! what PostgreSQL has for texts and for bytes.

mod beside;
mod forms;
mod like;
mod parts;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::{bounded, stop};
use lakegate_error::{Code, Error};

pub(crate) use self::beside::{planner as operators, rule};
use self::forms::{Charset, Form};
pub(crate) use self::parts::planner as keywords;
use super::keyed::is_bits;
use crate::postgres::hinted_field;

/// The name that calls of `bit_count` with one argument are rewritten to.
pub(in crate::postgres) const BIT_COUNT: &str = "$bit_count";

/// The name that calls of `bit_length` are rewritten to.
pub(in crate::postgres) const BIT_LENGTH: &str = "$bit_length";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `encode(bytes, form)`
    Encode,
    /// `decode(text, form)`
    Decode,
    /// `convert_from(bytes, encoding)`
    ConvertFrom,
    /// `convert_to(text, encoding)`
    ConvertTo,
    /// `get_byte(bytes, n)`
    GetByte,
    /// `set_byte(bytes, n, value)`
    SetByte,
    /// `get_bit(bytes, n)`
    GetBit,
    /// `set_bit(bytes, n, value)`
    SetBit,
    /// `octet_length(bytes)`
    OctetLength,
    /// `bit_length(bytes)`
    BitLength,
    /// `bit_count(bytes)`; Athena's function of this name counts the bits of an integer.
    BitCount,
}

const ALL: [Kind; 11] = [
    Kind::Encode,
    Kind::Decode,
    Kind::ConvertFrom,
    Kind::ConvertTo,
    Kind::GetByte,
    Kind::SetByte,
    Kind::GetBit,
    Kind::SetBit,
    Kind::OctetLength,
    Kind::BitLength,
    Kind::BitCount,
];

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfBytes {
    kind: Kind,
    signature: Signature,
}

fn function(kind: Kind) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(OfBytes {
        kind,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut all: Vec<Arc<ScalarUDF>> = ALL.map(function).into();
    all.extend(parts::functions());
    all
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidParameter, message.into())
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

impl OfBytes {
    /// Returns how many of the arguments are numbers; they are the last ones.
    fn numbers(&self) -> usize {
        match self.kind {
            Kind::GetByte | Kind::GetBit => 1,
            Kind::SetByte | Kind::SetBit => 2,
            _ => 0,
        }
    }

    fn arity(&self) -> usize {
        match self.kind {
            Kind::SetByte | Kind::SetBit => 3,
            Kind::OctetLength | Kind::BitLength | Kind::BitCount => 1,
            _ => 2,
        }
    }
}

impl ScalarUDFImpl for OfBytes {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Encode => "encode",
            Kind::Decode => "decode",
            Kind::ConvertFrom => "convert_from",
            Kind::ConvertTo => "convert_to",
            Kind::GetByte => "get_byte",
            Kind::SetByte => "set_byte",
            Kind::GetBit => "get_bit",
            Kind::SetBit => "set_bit",
            Kind::OctetLength => "octet_length",
            Kind::BitLength => BIT_LENGTH,
            Kind::BitCount => BIT_COUNT,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Text that is an argument for bytes stands for its own bytes.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let first_number = self.arity() - self.numbers();
        let coerced = types.iter().enumerate().map(|(place, given)| {
            let is_text = given.is_string() || given.is_null();
            if place >= first_number {
                return (given.is_integer() || given.is_null()).then_some(DataType::Int64);
            }
            match place {
                0 if self.kind == Kind::BitCount && given.is_string() => Some(DataType::Utf8),
                0 if is_text || is_bytes(given) => Some(DataType::Binary),
                0 => None,
                _ => is_text.then_some(DataType::Utf8),
            }
        });
        let coerced = match types.len() == self.arity() {
            true => coerced.collect::<Option<Vec<_>>>(),
            false => None,
        };
        coerced.ok_or_else(|| {
            let takes = match self.kind {
                Kind::Encode => "bytes and the name of a form",
                Kind::Decode => "a text and the name of its form",
                Kind::ConvertFrom => "bytes and the name of an encoding",
                Kind::ConvertTo => "a text and the name of an encoding",
                Kind::GetByte | Kind::GetBit => "bytes and a place",
                Kind::SetByte | Kind::SetBit => "bytes, a place and a value",
                Kind::OctetLength | Kind::BitLength => "a text or bytes",
                Kind::BitCount => "bytes",
            };
            Error::new(
                Code::FunctionNotFound,
                format!("{} takes {takes}", self.name().trim_start_matches('$')),
            )
            .into()
        })
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Encode | Kind::ConvertFrom => DataType::Utf8,
            Kind::Decode | Kind::ConvertTo | Kind::SetByte | Kind::SetBit => DataType::Binary,
            Kind::GetByte | Kind::GetBit | Kind::OctetLength | Kind::BitLength => DataType::Int32,
            Kind::BitCount => DataType::Int64,
        })
    }

    /// Calls of bit strings are those of other functions once they are analyzed.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let first = args.arg_fields.first();
        let is_of_bits = first.is_some_and(|field| is_bits(field));
        let is_text = first.is_some_and(|field| field.data_type().is_string());
        let missing = match self.kind {
            Kind::BitCount => (is_text && !is_of_bits).then_some("takes bytes"),
            Kind::GetBit | Kind::SetBit | Kind::OctetLength | Kind::BitLength => None,
            // Those of texts take the text as bytes.
            _ => is_of_bits.then_some("takes no bit strings"),
        };
        if let Some(missing) = missing {
            let message = format!("{} {missing}", self.name().trim_start_matches('$'));
            return Err(Error::new(Code::FunctionNotFound, message).into());
        }
        if self.kind == Kind::SetBit && is_of_bits {
            return Ok(Arc::new(hinted_field(self.name(), DataType::Utf8, "bit")));
        }
        let types = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone());
        let returns = self.return_type(&types.collect::<Vec<_>>())?;
        Ok(Arc::new(Field::new(self.name(), returns, true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluated(self.name(), &args, |columns, _| {
            let Some((bytes, others)) = columns.split_first() else {
                return Err(Error::internal(format!("{} without an argument", self.name())).into());
            };
            let bytes = cast(bytes, &DataType::Binary)?;
            let call = Call {
                kind: self.kind,
                name: self.name(),
                bytes: bytes.as_binary::<i32>(),
                others,
            };
            call.made()
        })
    }
}

/// Returns what `made` makes of the arguments of a call, in so many rows; of constants, one value.
///
/// # Errors
///
/// Returns the error of `made`, or an error if the arguments take too much memory.
fn evaluated(
    name: &str,
    args: &ScalarFunctionArgs,
    made: impl FnOnce(&[ArrayRef], usize) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let mut all = args.args.iter();
    let constant = all.all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    // Each row has its own copy of each argument.
    bounded::check_arguments(name, &args.args, rows)?;
    let columns = args.args.iter().map(|arg| arg.to_array(rows));
    let values = made(&columns.collect::<Result<Vec<_>>>()?, rows)?;
    Ok(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
        false => ColumnarValue::Array(values),
    })
}

/// The arguments of a call.
struct Call<'a> {
    kind: Kind,
    name: &'a str,
    bytes: &'a BinaryArray,
    others: &'a [ArrayRef],
}

impl Call<'_> {
    /// Calls `of` for the bytes of each row whose arguments are not NULL.
    fn each(&self, mut of: impl FnMut(Option<(&[u8], usize)>) -> Result<()>) -> Result<()> {
        for row in 0..self.bytes.len() {
            stop::check()?;
            let is_null = self.bytes.is_null(row) || self.others.iter().any(|arg| arg.is_null(row));
            match is_null {
                true => of(None)?,
                false => of(Some((self.bytes.value(row), row)))?,
            }
        }
        Ok(())
    }

    /// Returns the text of the second argument.
    fn word(&self, row: usize) -> Result<&str> {
        let words = self
            .others
            .first()
            .and_then(|arg| arg.as_string_opt::<i32>());
        match words {
            Some(words) => Ok(words.value(row)),
            None => Err(Error::internal(format!("{} without a text", self.name)).into()),
        }
    }

    fn number(&self, place: usize, row: usize) -> Result<i64> {
        let numbers = self.others.get(place);
        match numbers.and_then(|arg| arg.as_primitive_opt::<Int64Type>()) {
            Some(numbers) => Ok(numbers.value(row)),
            None => Err(Error::internal(format!("{} without a number", self.name)).into()),
        }
    }

    fn made(&self) -> Result<ArrayRef> {
        let mut size = 0usize;
        let mut grows = |by: usize| {
            size = size.saturating_add(by);
            bounded::check_batch(self.name, size)
        };
        Ok(match self.kind {
            Kind::Encode | Kind::ConvertFrom => {
                let mut texts = StringBuilder::new();
                self.each(|row| {
                    let text = match row {
                        None => None,
                        Some((bytes, row)) if self.kind == Kind::Encode => {
                            Some(Form::named(self.word(row)?)?.encode(bytes))
                        }
                        Some((bytes, row)) => Some(Charset::named(self.word(row)?)?.text(bytes)?),
                    };
                    grows(text.as_ref().map_or(0, String::len))?;
                    texts.append_option(text);
                    Ok(())
                })?;
                Arc::new(texts.finish())
            }
            Kind::Decode | Kind::ConvertTo | Kind::SetByte | Kind::SetBit => {
                let mut values = BinaryBuilder::new();
                self.each(|row| {
                    let value = match row {
                        None => None,
                        Some((bytes, row)) => Some(self.changed(bytes, row)?),
                    };
                    grows(value.as_ref().map_or(0, Vec::len))?;
                    values.append_option(value);
                    Ok(())
                })?;
                Arc::new(values.finish())
            }
            Kind::BitCount => {
                let mut counts = Int64Builder::new();
                self.each(|row| {
                    counts.append_option(row.map(|(bytes, _)| ones(bytes)));
                    Ok(())
                })?;
                Arc::new(counts.finish())
            }
            _ => {
                let mut numbers = Int32Builder::new();
                self.each(|row| {
                    numbers.append_option(match row {
                        None => None,
                        Some((bytes, row)) => Some(self.part(bytes, row)?),
                    });
                    Ok(())
                })?;
                Arc::new(numbers.finish())
            }
        })
    }

    fn changed(&self, bytes: &[u8], row: usize) -> Result<Vec<u8>> {
        // What was a text is valid UTF-8.
        let text = || {
            std::str::from_utf8(bytes)
                .map_err(|_| wrong(format!("{} takes a text, not bytes", self.name)))
        };
        Ok(match self.kind {
            Kind::Decode => Form::named(self.word(row)?)?.decode(text()?)?,
            Kind::ConvertTo => Charset::named(self.word(row)?)?.bytes(text()?)?,
            Kind::SetByte => {
                let place = place(self.number(0, row)?, bytes.len())?;
                let mut changed = bytes.to_vec();
                if let Some(byte) = changed.get_mut(place) {
                    // As in PostgreSQL, the lowest eight bits count.
                    *byte = self.number(1, row)?.to_le_bytes()[0];
                }
                changed
            }
            _ => {
                let (place, mask) = bit(self.number(0, row)?, bytes.len())?;
                let mut changed = bytes.to_vec();
                if let Some(byte) = changed.get_mut(place) {
                    *byte = match self.number(1, row)? {
                        0 => *byte & !mask,
                        1 => *byte | mask,
                        _ => return Err(wrong("new bit must be 0 or 1").into()),
                    };
                }
                changed
            }
        })
    }

    /// Returns a byte, a bit or a length.
    fn part(&self, bytes: &[u8], row: usize) -> Result<i32> {
        if matches!(self.kind, Kind::OctetLength | Kind::BitLength) {
            let each = if self.kind == Kind::BitLength { 8 } else { 1 };
            return i32::try_from(bytes.len().saturating_mul(each))
                .map_err(|_| Error::new(Code::NumericOutOfRange, "integer out of range").into());
        }
        let index = self.number(0, row)?;
        if self.kind == Kind::GetByte {
            let place = place(index, bytes.len())?;
            return Ok(bytes.get(place).map_or(0, |byte| i32::from(*byte)));
        }
        let (place, mask) = bit(index, bytes.len())?;
        let byte = bytes.get(place).copied().unwrap_or(0);
        Ok(i32::from(byte & mask != 0))
    }
}

/// Returns the number of bits that are set.
fn ones(bytes: &[u8]) -> i64 {
    bytes.iter().map(|byte| i64::from(byte.count_ones())).sum()
}

fn outside(index: i64, length: usize) -> Error {
    let last = i64::try_from(length).unwrap_or(i64::MAX) - 1;
    Error::new(
        Code::ArraySubscript,
        format!("index {index} out of valid range, 0..{last}"),
    )
}

fn place(index: i64, length: usize) -> Result<usize, Error> {
    let place = usize::try_from(index).ok().filter(|place| *place < length);
    place.ok_or_else(|| outside(index, length))
}

/// Returns the byte of a bit, and the bit as a mask. The first bit is the lowest of the first byte.
fn bit(index: i64, length: usize) -> Result<(usize, u8), Error> {
    let bits = length.saturating_mul(8);
    let place = place(index, bits)?;
    Ok((place / 8, 1 << (place % 8)))
}
