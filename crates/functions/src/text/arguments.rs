//! Arguments as Trino takes them: a text is no number and no bytes, and the planner must not make
//! one of the other. Texts and bytes are read as they are, views too.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, Int64Array, StringArray,
    StringViewArray,
};
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
            TextArray::Plain(array) => array.is_valid(index).then(|| array.value(index)),
            TextArray::View(array) => array.is_valid(index).then(|| array.value(index)),
        }
    }

    /// The whole array, with its texts in one buffer.
    ///
    /// # Errors
    ///
    /// The texts take more than 2 GiB.
    pub(crate) fn into_plain(self) -> Result<StringArray> {
        match self.array {
            TextArray::Plain(array) => Ok(array),
            TextArray::View(array) => {
                let array: ArrayRef = std::sync::Arc::new(array);
                Ok(as_type(&array, &DataType::Utf8)?.as_string::<i32>().clone())
            }
        }
    }
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
            ByteArray::Plain(array) => array.is_valid(index).then(|| array.value(index)),
            ByteArray::View(array) => array.is_valid(index).then(|| array.value(index)),
        }
    }
}

/// An argument of integers, read by row.
#[derive(Debug)]
pub(crate) struct Bigints {
    array: Int64Array,
    constant: bool,
}

impl Bigints {
    /// # Errors
    ///
    /// The call has no such argument, or it is no integer.
    pub(crate) fn of(call: &Call<'_>, index: usize) -> Result<Self> {
        Self::from(argument(call, index)?)
    }

    /// The argument if the call has it.
    ///
    /// # Errors
    ///
    /// The argument is no integer.
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
        self.array.is_valid(index).then(|| self.array.value(index))
    }
}
