//! Arguments of a call, read by row: a constant is one row that all rows read.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, ListArray, MapArray, PrimitiveArray, StringArray,
    StringViewArray,
};
use arrow::datatypes::ArrowPrimitiveType;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// An argument of a call.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub array: ArrayRef,
    /// Whether all rows have the value of row 0.
    pub constant: bool,
}

impl Column {
    /// # Errors
    ///
    /// A constant cannot be made an array.
    pub(crate) fn of(value: ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Self {
                array,
                constant: false,
            },
            ColumnarValue::Scalar(scalar) => Self {
                array: scalar.to_array_of_size(1)?,
                constant: true,
            },
        })
    }

    /// Returns the index in `array` of the value of a row.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.at(row))
    }

    /// The column as texts: `Utf8` or `Utf8View`, whichever the function's signature asked for.
    pub(crate) fn texts(&self) -> Texts<'_> {
        match self.array.as_string_view_opt() {
            Some(array) => Texts::View(Values {
                array,
                constant: self.constant,
            }),
            None => Texts::Plain(Values {
                array: self.array.as_string::<i32>(),
                constant: self.constant,
            }),
        }
    }

    /// The column as `Binary`.
    pub(crate) fn bytes(&self) -> Values<'_, BinaryArray> {
        Values {
            array: self.array.as_binary::<i32>(),
            constant: self.constant,
        }
    }

    /// The column as numbers, dates or times of one type.
    pub(crate) fn primitives<T: ArrowPrimitiveType>(&self) -> Values<'_, PrimitiveArray<T>> {
        Values {
            array: self.array.as_primitive::<T>(),
            constant: self.constant,
        }
    }

    /// The column as `List`; `None` if its type is `Null`.
    pub(crate) fn lists(&self) -> Option<Values<'_, ListArray>> {
        Some(Values {
            array: self.array.as_list_opt::<i32>()?,
            constant: self.constant,
        })
    }

    /// The column as `Map`; `None` if its type is `Null`.
    pub(crate) fn maps(&self) -> Option<Values<'_, MapArray>> {
        Some(Values {
            array: self.array.as_map_opt()?,
            constant: self.constant,
        })
    }
}

/// A column of a known type, read by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a, A> {
    pub array: &'a A,
    pub constant: bool,
}

impl<A: Array> Values<'_, A> {
    /// Returns the index in `array` of the value of a row; `None` if the value is NULL.
    #[inline]
    pub(crate) fn index(&self, row: usize) -> Option<usize> {
        let index = if self.constant { 0 } else { row };
        let valid = self.array.nulls().is_none_or(|nulls| nulls.is_valid(index));
        valid.then_some(index)
    }
}

/// A column of texts, read by row.
#[derive(Debug)]
pub(crate) enum Texts<'a> {
    Plain(Values<'a, StringArray>),
    View(Values<'a, StringViewArray>),
}

impl<'a> Texts<'a> {
    /// Whether all rows have the same text.
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Self::Plain(texts) => texts.constant,
            Self::View(texts) => texts.constant,
        }
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(texts) => texts.index(row).map(|index| texts.array.value(index)),
            Self::View(texts) => texts.index(row).map(|index| texts.array.value(index)),
        }
    }
}

impl<'a> Values<'a, BinaryArray> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        self.index(row).map(|index| self.array.value(index))
    }
}

impl<T: ArrowPrimitiveType> Values<'_, PrimitiveArray<T>> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        self.index(row).map(|index| self.array.value(index))
    }
}

impl Values<'_, ListArray> {
    /// Returns the items of a row's list.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<ArrayRef> {
        self.index(row).map(|index| self.array.value(index))
    }
}
