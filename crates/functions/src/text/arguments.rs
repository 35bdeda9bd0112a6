//! Arguments as Trino takes them: a text is neither a number nor bytes, and the planner must not make
//! one of the other. Texts and bytes are read as they are, views too.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, Int64Array, StringArray,
    StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::display::FormatOptions;
use datafusion::common::types::{
    NativeType, logical_binary, logical_float64, logical_int64, logical_string,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Coercion, TypeSignature, TypeSignatureClass};
use lakegate_error::Error;

use crate::columns::Column;
use crate::kernel::Call;

/// A `varchar`.
pub(crate) fn text() -> Coercion {
    Coercion::new_exact(TypeSignatureClass::Native(logical_string()))
}

/// A `varbinary`.
pub(crate) fn bytes() -> Coercion {
    Coercion::new_exact(TypeSignatureClass::Native(logical_binary()))
}

/// A `bigint`, or a smaller integer.
pub(crate) fn bigint() -> Coercion {
    Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int64()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int64,
    )
}

/// A `double`, or another number.
pub(crate) fn double() -> Coercion {
    Coercion::new_implicit(
        TypeSignatureClass::Native(logical_float64()),
        vec![TypeSignatureClass::Numeric],
        NativeType::Float64,
    )
}

/// A list of arguments.
pub(crate) fn takes<const N: usize>(arguments: [Coercion; N]) -> TypeSignature {
    TypeSignature::Coercible(arguments.into())
}

/// The error of an argument's value.
pub(crate) fn invalid(message: impl Into<String>) -> DataFusionError {
    Error::invalid(message.into()).into()
}

/// A value in quotes, shortened if it is long.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        None => format!("'{text}'"),
        Some((end, _)) => format!("'{}…'", text.get(..end).unwrap_or_default()),
    }
}

/// The argument at `index`.
///
/// # Errors
///
/// The call has fewer arguments.
pub(crate) fn argument<'a>(call: &'a Call<'_>, index: usize) -> Result<&'a Column> {
    call.columns.get(index).ok_or_else(|| {
        Error::internal(format!("{} has no argument {}", call.name, index + 1)).into()
    })
}

/// An array as another type.
///
/// # Errors
///
/// A value does not fit.
pub(crate) fn as_type(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(array.clone());
    }
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    Ok(cast_with_options(array, data_type, &options)?)
}

/// The most bytes that are reserved for a result before it is built.
const RESERVED: usize = 1 << 20;

/// An argument of texts, read by row.
#[derive(Debug)]
pub(crate) struct Texts {
    array: TextArray,
    pub constant: bool,
}

#[derive(Debug)]
enum TextArray {
    Plain(StringArray),
    View(StringViewArray),
}

impl Texts {
    /// # Errors
    ///
    /// The call has no such argument, or it cannot be text.
    pub(crate) fn of(call: &Call<'_>, index: usize) -> Result<Self> {
        Self::from(argument(call, index)?)
    }

    /// The argument if the call has it.
    ///
    /// # Errors
    ///
    /// The argument cannot be text.
    pub(crate) fn optional(call: &Call<'_>, index: usize) -> Result<Option<Self>> {
        call.optional(index).map(Self::from).transpose()
    }

    /// # Errors
    ///
    /// The column cannot be text.
    pub(crate) fn from(column: &Column) -> Result<Self> {
        let array = match column.array.as_string_view_opt() {
            Some(view) => TextArray::View(view.clone()),
            None => TextArray::Plain(
                as_type(&column.array, &DataType::Utf8)?
                    .as_string::<i32>()
                    .clone(),
            ),
        };
        Ok(Self {
            array,
            constant: column.constant,
        })
    }

    /// The text of a row; `None` for NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        let index = if self.constant { 0 } else { row };
        match &self.array {
            TextArray::Plain(array) => is_valid(array, index).then(|| array.value(index)),
            TextArray::View(array) => is_valid(array, index).then(|| array.value(index)),
        }
    }

    /// The text that all rows have; `None` if it is NULL, or if each row has its own.
    pub(crate) fn only(&self) -> Option<&str> {
        match self.constant {
            true => self.get(0),
            false => None,
        }
    }

    /// Calls `each` with the rows from 0 and their texts, `None` for NULL: faster than [`Self::get`]
    /// for each of them.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    #[inline]
    pub(crate) fn each<'a>(
        &'a self,
        rows: usize,
        mut each: impl FnMut(usize, Option<&'a str>) -> Result<()>,
    ) -> Result<()> {
        if self.constant {
            let text = self.get(0);
            return (0..rows).try_for_each(|row| each(row, text));
        }
        match &self.array {
            TextArray::Plain(array) => {
                let mut texts = array.iter().take(rows).enumerate();
                texts.try_for_each(|(row, text)| each(row, text))
            }
            TextArray::View(array) => {
                let mut texts = array.iter().take(rows).enumerate();
                texts.try_for_each(|(row, text)| each(row, text))
            }
        }
    }

    /// Which of so many rows are NULL.
    pub(crate) fn nulls(&self, rows: usize) -> Option<NullBuffer> {
        let nulls = match &self.array {
            TextArray::Plain(array) => array.nulls(),
            TextArray::View(array) => array.nulls(),
        };
        match self.constant {
            true => nulls.and_then(|nulls| nulls.is_null(0).then(|| NullBuffer::new_null(rows))),
            false => nulls.cloned(),
        }
    }

    /// The bytes to reserve for a result that is as large as the texts.
    pub(crate) fn reserve(&self) -> usize {
        let bytes = match &self.array {
            _ if self.constant => 0,
            TextArray::Plain(array) => array.value_data().len(),
            // Texts may share their bytes.
            TextArray::View(array) => array.lengths().map(|length| length as usize).sum(),
        };
        bytes.min(RESERVED)
    }

    /// The whole array, if its texts are in one buffer and of ASCII.
    pub(crate) fn as_ascii(&self) -> Option<&StringArray> {
        match &self.array {
            TextArray::Plain(array) if !self.constant => {
                array.value_data().is_ascii().then_some(array)
            }
            _ => None,
        }
    }
}

#[inline]
fn is_valid(array: &impl Array, index: usize) -> bool {
    array.nulls().is_none_or(|nulls| nulls.is_valid(index))
}

/// An argument of bytes, read by row.
#[derive(Debug)]
pub(crate) struct Bytes {
    array: ByteArray,
    constant: bool,
}

#[derive(Debug)]
enum ByteArray {
    Plain(BinaryArray),
    View(BinaryViewArray),
}

impl Bytes {
    /// Texts are read as their UTF-8.
    ///
    /// # Errors
    ///
    /// The call has no such argument, or it cannot be bytes.
    pub(crate) fn of(call: &Call<'_>, index: usize) -> Result<Self> {
        let column = argument(call, index)?;
        let as_view = matches!(
            column.array.data_type(),
            DataType::Utf8View | DataType::BinaryView
        );
        let array = match as_view {
            true => {
                let array = as_type(&column.array, &DataType::BinaryView)?;
                ByteArray::View(array.as_binary_view().clone())
            }
            false => {
                let array = as_type(&column.array, &DataType::Binary)?;
                ByteArray::Plain(array.as_binary::<i32>().clone())
            }
        };
        Ok(Self {
            array,
            constant: column.constant,
        })
    }

    /// The bytes of a row; `None` for NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        let index = if self.constant { 0 } else { row };
        match &self.array {
            ByteArray::Plain(array) => is_valid(array, index).then(|| array.value(index)),
            ByteArray::View(array) => is_valid(array, index).then(|| array.value(index)),
        }
    }
}

/// An argument of integers, read by row.
#[derive(Debug)]
pub(crate) struct Bigints {
    array: Int64Array,
    pub constant: bool,
}

impl Bigints {
    /// # Errors
    ///
    /// The call has no such argument, or it is not an integer.
    pub(crate) fn of(call: &Call<'_>, index: usize) -> Result<Self> {
        Self::from(argument(call, index)?)
    }

    /// The argument if the call has it.
    ///
    /// # Errors
    ///
    /// The argument is not an integer.
    pub(crate) fn optional(call: &Call<'_>, index: usize) -> Result<Option<Self>> {
        call.optional(index).map(Self::from).transpose()
    }

    fn from(column: &Column) -> Result<Self> {
        let array = as_type(&column.array, &DataType::Int64)?;
        Ok(Self {
            array: array.as_primitive::<Int64Type>().clone(),
            constant: column.constant,
        })
    }

    /// The integer of a row; `None` for NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        let index = if self.constant { 0 } else { row };
        is_valid(&self.array, index).then(|| self.array.value(index))
    }
}
