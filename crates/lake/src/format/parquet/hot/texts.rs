//! Kept texts and bytes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, GenericByteViewArray, GenericByteViewBuilder, UInt8Array,
    UInt16Array,
};
use arrow::buffer::Buffer;
use arrow::compute::{filter, take};
use arrow::datatypes::ByteViewType;
use arrow::error::ArrowError;

use super::narrow::{Chunk, too_few};
use super::packed::{Small, Values};

/// Bytes of a value that is in its view, at most.
const IN_VIEW: usize = 12;

/// Distinct values whose places have one byte.
const FEW: usize = 1 << 8;

/// The share of rows, as a divisor, that distinct values are at most where places of two bytes are
/// kept. A place and such a share of a view take less than half of a view.
const REPEATED: usize = 4;

/// Distinct values whose places have two bytes.
const MANY: usize = 1 << 16;

/// Texts of which few are distinct.
#[derive(Debug)]
pub(super) struct Texts {
    /// For each row its place among the distinct texts, of one or two bytes.
    places: Small,
    distinct: ArrayRef,
}

impl Texts {
    pub(super) fn places(&self) -> &Small {
        &self.places
    }

    pub(super) fn places_mut(&mut self) -> &mut Small {
        &mut self.places
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.bytes() + self.distinct.get_array_memory_size()
    }

    /// Rows from `from` on; there are as many as `count`.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        take(&self.distinct, &self.places_from(from, count)?, None)
    }

    /// Of the rows from `from` on, those for which `chosen`, which has no NULLs, is true.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        let places = self.places_from(from, chosen.len())?;
        take(&self.distinct, &filter(&places, chosen)?, None)
    }

    fn places_from(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        let of_one_byte: Option<UInt8Array> = self.places.bytes_from(from, count);
        if let Some(places) = of_one_byte {
            return Ok(Arc::new(places));
        }
        let of_two_bytes: Option<UInt16Array> = self.places.pairs_from(from, count);
        Ok(Arc::new(of_two_bytes.ok_or_else(too_few)?))
    }
}

/// Keeps texts that may point into pages of a file.
///
/// # Errors
/// 4 GiB of texts.
pub(super) fn texts<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Result<Chunk, ArrowError> {
    let (distinct, places) = counted(array);
    let repeat = distinct.len() <= (array.len() / REPEATED).min(MANY);
    if distinct.len() <= FEW || repeat {
        let places = places.iter();
        let values = if distinct.len() <= FEW {
            Values::Bytes1(places.map(|place| *place as u8).collect())
        } else {
            Values::Bytes2(places.map(|place| *place as u16).collect())
        };
        let each = (0..distinct.len()).map(Some);
        return Ok(Chunk::Texts(Texts {
            places: Small::new(values, array.nulls()),
            distinct: exact::<T>(&distinct, each)?,
        }));
    }
    let rows = places.iter().enumerate();
    let rows = rows.map(|(row, place)| array.is_valid(row).then_some(*place as usize));
    // Values that repeat take their memory once.
    Ok(Chunk::Plain(exact::<T>(&distinct, rows)?))
}

/// The distinct values of an array, and for each row the place of its value among them; 0 for NULLs.
fn counted<T: ByteViewType>(array: &GenericByteViewArray<T>) -> (Vec<&T::Native>, Vec<u32>) {
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut distinct: Vec<&T::Native> = Vec::new();
    let mut places = Vec::with_capacity(array.len());
    for value in array.iter() {
        let Some(value) = value else {
            places.push(0);
            continue;
        };
        let bytes: &[u8] = value.as_ref();
        let place = *known.entry(bytes).or_insert_with(|| {
            distinct.push(value);
            // An array has fewer rows.
            (distinct.len() - 1) as u32
        });
        places.push(place);
    }
    (distinct, places)
}

/// An array with as much memory as it needs. `rows`: for each row the place of its value among
/// `values`; `None` for NULL.
fn exact<T: ByteViewType>(
    values: &[&T::Native],
    rows: impl ExactSizeIterator<Item = Option<usize>>,
) -> Result<ArrayRef, ArrowError> {
    let bytes = values.iter().filter_map(|value| long::<T>(value));
    let all: usize = bytes.map(<[u8]>::len).sum();
    if all >= u32::MAX as usize {
        let what = format!("a kept column has {all} bytes of texts in one batch");
        return Err(ArrowError::InvalidArgumentError(what));
    }
    let mut texts: Vec<u8> = Vec::with_capacity(all);
    // Where each value begins.
    let mut starts: Vec<u32> = Vec::with_capacity(values.len());
    for value in values {
        starts.push(texts.len() as u32);
        texts.extend_from_slice(long::<T>(value).unwrap_or_default());
    }
    let mut views = GenericByteViewBuilder::<T>::with_capacity(rows.len());
    let block = match all {
        0 => 0,
        _ => views.append_block(Buffer::from_vec(texts)),
    };
    for row in rows {
        let Some(place) = row else {
            views.append_null();
            continue;
        };
        let value = values.get(place).zip(starts.get(place));
        let (value, start) = value.ok_or_else(too_few)?;
        match long::<T>(value) {
            Some(bytes) => views.try_append_view(block, *start, bytes.len() as u32)?,
            None => views.try_append_value(value)?,
        }
    }
    Ok(Arc::new(views.finish()))
}

/// The bytes of a value that are not in its view.
fn long<T: ByteViewType>(value: &T::Native) -> Option<&[u8]> {
    let bytes: &[u8] = value.as_ref();
    (bytes.len() > IN_VIEW).then_some(bytes)
}
