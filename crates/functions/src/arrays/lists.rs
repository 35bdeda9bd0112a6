//! Arrays and maps of an argument, read by row, and arrays built from the items of others.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, MapArray, NullBufferBuilder, StructArray,
    UInt32Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

use super::types::{conformed, list_type, map_type};
use crate::columns::Column;
use crate::work::Work;

/// Items of an array that are looked at without a look at the query's stop.
const STRIDE: usize = 4096;

/// Which items each row has, of values that hold those of all rows.
#[derive(Debug)]
pub(crate) struct Spans {
    offsets: OffsetBuffer<i32>,
    first: i32,
    nulls: Option<NullBuffer>,
    constant: bool,
}

impl Spans {
    /// The values that the spans are of, without those before the first and after the last item.
    fn cut(
        offsets: &OffsetBuffer<i32>,
        nulls: Option<&NullBuffer>,
        constant: bool,
    ) -> (Self, Range<usize>) {
        let first = offsets.first().copied().unwrap_or(0);
        let last = offsets.last().copied().unwrap_or(0);
        let spans = Self {
            offsets: offsets.clone(),
            first,
            nulls: nulls.cloned(),
            constant,
        };
        (spans, index(first)..index(last))
    }

    /// The arrays that are NULL.
    pub(crate) fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    /// Whether each array has a value among its items, which are those of all arrays. What it says
    /// of a NULL means nothing.
    pub(crate) fn having<T: PartialEq>(&self, items: &[T], value: &T) -> BooleanBuffer {
        let start = |at: usize| {
            let offset = self.offsets.get(at).copied().unwrap_or(self.first);
            index(offset.wrapping_sub(self.first))
        };
        let mut from = start(0);
        BooleanBuffer::collect_bool(self.offsets.len() - 1, |at| {
            let to = start(at + 1);
            let own = items.get(from..to);
            from = to;
            own.is_some_and(|own| own.contains(value))
        })
    }

    /// The items of a row; `None` if the row is NULL.
    #[inline]
    pub(crate) fn range(&self, row: usize) -> Option<Range<usize>> {
        let at = if self.constant { 0 } else { row };
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(at)) {
            return None;
        }
        let start = self.offsets.get(at)?.wrapping_sub(self.first);
        let end = self.offsets.get(at + 1)?.wrapping_sub(self.first);
        Some(index(start)..index(end))
    }
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

/// The arrays of an argument.
#[derive(Debug)]
pub(crate) struct Lists {
    pub spans: Spans,
    /// The items of all rows.
    pub values: ArrayRef,
}

impl Lists {
    /// The arrays of an argument, with items of this type.
    ///
    /// # Errors
    ///
    /// An item cannot be cast.
    pub(crate) fn of(column: &Column, item: &DataType) -> Result<Self> {
        let array = conformed(&column.array, &list_type(item.clone()))?;
        let list = array.as_list::<i32>();
        let (spans, visible) = Spans::cut(list.offsets(), list.nulls(), column.constant);
        let values = list.values().slice(visible.start, visible.len());
        Ok(Self { spans, values })
    }

    pub(crate) fn range(&self, row: usize) -> Option<Range<usize>> {
        self.spans.range(row)
    }
}

/// The maps of an argument.
#[derive(Debug)]
pub(crate) struct Maps {
    pub spans: Spans,
    pub keys: ArrayRef,
    pub values: ArrayRef,
}

impl Maps {
    /// The maps of an argument, with keys and values of these types.
    ///
    /// # Errors
    ///
    /// A key or a value cannot be cast.
    pub(crate) fn of(column: &Column, key: &DataType, value: &DataType) -> Result<Self> {
        let array = conformed(&column.array, &map_type(key.clone(), value.clone()))?;
        let maps = array.as_map();
        let (spans, visible) = Spans::cut(maps.offsets(), maps.nulls(), column.constant);
        Ok(Self {
            spans,
            keys: maps.keys().slice(visible.start, visible.len()),
            values: maps.values().slice(visible.start, visible.len()),
        })
    }

    pub(crate) fn range(&self, row: usize) -> Option<Range<usize>> {
        self.spans.range(row)
    }
}

/// Integers of an argument.
#[derive(Debug)]
pub(crate) struct Integers {
    array: Int64Array,
    constant: bool,
}

impl Integers {
    /// # Errors
    ///
    /// An integer is larger than a `bigint`.
    pub(crate) fn of(column: &Column) -> Result<Self> {
        let array = conformed(&column.array, &DataType::Int64)?;
        Ok(Self {
            array: array.as_primitive::<Int64Type>().clone(),
            constant: column.constant,
        })
    }

    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        let at = if self.constant { 0 } else { row };
        self.array.is_valid(at).then(|| self.array.value(at))
    }
}

/// The offsets and the NULLs of arrays or maps that are being built.
#[derive(Debug)]
pub(crate) struct Ends {
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Ends {
    pub(crate) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            offsets,
            nulls: NullBufferBuilder::new(rows),
        }
    }

    /// Ends a row's array; `items` is the number of items of all rows so far.
    ///
    /// # Errors
    ///
    /// There are more items than the offsets of an array can count.
    pub(crate) fn end(&mut self, items: usize) -> Result<()> {
        self.offsets.push(i32::try_from(items).map_err(|_| many())?);
        self.nulls.append_non_null();
        Ok(())
    }

    /// Ends a row that is NULL.
    pub(crate) fn end_null(&mut self) {
        let last = self.offsets.last().copied().unwrap_or(0);
        self.offsets.push(last);
        self.nulls.append_null();
    }

    /// The arrays of these items; `returns` is their type.
    ///
    /// # Errors
    ///
    /// The items cannot be cast to those of the type.
    pub(crate) fn lists(mut self, values: &ArrayRef, returns: &DataType) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        let list = ListArray::try_new(
            Arc::new(arrow::datatypes::Field::new_list_field(
                values.data_type().clone(),
                true,
            )),
            OffsetBuffer::new(self.offsets.into()),
            Arc::clone(values),
            nulls,
        )?;
        conformed(&(Arc::new(list) as ArrayRef), returns)
    }

    /// The maps of these entries; `returns` is their type.
    ///
    /// # Errors
    ///
    /// A key is NULL, or the entries cannot be cast to those of the type.
    pub(crate) fn maps(
        mut self,
        keys: ArrayRef,
        values: ArrayRef,
        returns: &DataType,
    ) -> Result<ArrayRef> {
        let own = map_type(keys.data_type().clone(), values.data_type().clone());
        let DataType::Map(entries, sorted) = &own else {
            return Err(DataFusionError::Internal("no map".to_owned()));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(DataFusionError::Internal("no entries".to_owned()));
        };
        let of = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
        let offsets = OffsetBuffer::new(self.offsets.into());
        let nulls = self.nulls.finish();
        let maps = MapArray::try_new(Arc::clone(entries), offsets, of, nulls, *sorted)?;
        conformed(&(Arc::new(maps) as ArrayRef), returns)
    }
}

fn many() -> DataFusionError {
    Error::new(
        Code::ResultTooLarge,
        "the arrays of a batch of rows have more items than can be counted",
    )
    .with_hint("make smaller arrays, or fewer rows")
    .into()
}

/// Arrays built from items of others.
#[derive(Debug)]
pub(crate) struct Picked {
    indexes: Vec<u32>,
    ends: Ends,
}

impl Picked {
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            indexes: Vec::new(),
            ends: Ends::new(rows),
        }
    }

    /// Adds the item at an index. Offsets have 31 bits, so that indexes of two arrays fit.
    pub(crate) fn push(&mut self, index: usize) {
        self.indexes.push(index as u32);
    }

    pub(crate) fn extend(&mut self, indexes: Range<usize>) {
        self.indexes.extend(indexes.map(|index| index as u32));
    }

    /// The indexes so far, of all rows.
    pub(crate) fn indexes(&mut self) -> &mut Vec<u32> {
        &mut self.indexes
    }

    /// # Errors
    ///
    /// There are too many items.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.ends.end(self.indexes.len())
    }

    pub(crate) fn end_null(&mut self) {
        self.ends.end_null();
    }

    /// # Errors
    ///
    /// The items cannot be cast to those of the type.
    pub(crate) fn finish(self, values: &ArrayRef, returns: &DataType) -> Result<ArrayRef> {
        let values = take(values, &UInt32Array::from(self.indexes), None)?;
        self.ends.lists(&values, returns)
    }
}

/// The bytes of some values, as a result would hold them.
pub(crate) fn size(array: &dyn Array, start: usize, length: usize) -> usize {
    let between = |offsets: &[i32]| -> Range<usize> {
        let at = |place: usize| offsets.get(place).map_or(0, |offset| index(*offset));
        at(start)..at(start + length)
    };
    match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => length,
        DataType::Utf8 => 4 * length + between(array.as_string::<i32>().value_offsets()).len(),
        DataType::Binary => 4 * length + between(array.as_binary::<i32>().value_offsets()).len(),
        DataType::Utf8View => {
            let views = array.as_string_view().views();
            16 * length + viewed(views.get(start..start + length))
        }
        DataType::BinaryView => {
            let views = array.as_binary_view().views();
            16 * length + viewed(views.get(start..start + length))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let range = between(list.value_offsets());
            4 * length + size(list.values(), range.start, range.len())
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            let range = between(maps.value_offsets());
            let keys = size(maps.keys(), range.start, range.len());
            4 * length + keys + size(maps.values(), range.start, range.len())
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| size(column, start, length)).sum()
        }
        other => match other.primitive_width() {
            Some(width) => width * length,
            None => array.slice(start, length).get_array_memory_size(),
        },
    }
}

/// The bytes of views' texts. The lower half of a view's first eight bytes is the length.
fn viewed(views: Option<&[u128]>) -> usize {
    let lengths = views.unwrap_or_default().iter();
    lengths.map(|view| (*view as u32) as usize).sum()
}

/// Looks at the query's stop as often as a walk over so many items should.
///
/// # Errors
///
/// The query was stopped.
pub(crate) fn walked(work: &Work, items: usize) -> Result<()> {
    for _ in 0..=items / STRIDE {
        work.step()?;
    }
    Ok(())
}
