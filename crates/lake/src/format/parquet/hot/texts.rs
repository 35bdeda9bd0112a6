//! Kept texts and bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, GenericByteViewArray, GenericByteViewBuilder, UInt8Array,
    UInt16Array,
};
use arrow::buffer::Buffer;
use arrow::compute::{filter, take};
use arrow::datatypes::ByteViewType;
use arrow::error::ArrowError;
use datafusion::common::HashMap;

use super::listed::Listed;
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

/// Values of which it is seen whether some repeat.
const TRIED: usize = 1024;

/// Texts in less memory than views of them take.
#[derive(Debug)]
pub(super) enum Texts {
    /// Of which few are distinct.
    Placed(Placed),
    /// Most of which are distinct and long.
    Listed(Listed),
}

/// Texts of which few are distinct.
#[derive(Debug)]
pub(super) struct Placed {
    /// For each row its place among the distinct texts, of one or two bytes.
    places: Small,
    distinct: ArrayRef,
}

impl Texts {
    /// Rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Placed(placed) => placed.places.len(),
            Self::Listed(listed) => listed.len(),
        }
    }

    /// The places of the rows among the distinct texts, if few are distinct.
    pub(super) fn places(&self) -> Option<&Small> {
        match self {
            Self::Placed(placed) => Some(&placed.places),
            Self::Listed(_) => None,
        }
    }

    pub(super) fn places_mut(&mut self) -> Option<&mut Small> {
        match self {
            Self::Placed(placed) => Some(&mut placed.places),
            Self::Listed(_) => None,
        }
    }

    /// The distinct texts, if they are few.
    pub(super) fn distinct(&self) -> Option<&ArrayRef> {
        match self {
            Self::Placed(placed) => Some(&placed.distinct),
            Self::Listed(_) => None,
        }
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Placed(placed) => placed.places.bytes() + placed.distinct.get_array_memory_size(),
            Self::Listed(listed) => listed.bytes(),
        }
    }

    /// Rows from `from` on; there are as many as `count`.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Placed(placed) => take(&placed.distinct, &placed.places_from(from, count)?, None),
            Self::Listed(listed) => Ok(listed.rows(from, count)),
        }
    }

    /// Of the rows from `from` on, those for which `chosen`, which has no NULLs, is true.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Placed(placed) => {
                let places = placed.places_from(from, chosen.len())?;
                take(&placed.distinct, &filter(&places, chosen)?, None)
            }
            Self::Listed(listed) => listed.chosen(from, chosen),
        }
    }
}

impl Placed {
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
        return Ok(Chunk::Texts(Texts::Placed(Placed {
            places: Small::new(values, array.nulls()),
            distinct: exact::<T>(&distinct, each)?,
        })));
    }
    let long = distinct.iter().filter_map(|value| long::<T>(value));
    if let Some(listed) = Listed::of(array, long.map(<[u8]>::len).sum())? {
        return Ok(Chunk::Texts(Texts::Listed(listed)));
    }
    let rows = places.iter().enumerate();
    let rows = rows.map(|(row, place)| array.is_valid(row).then_some(*place as usize));
    // Values that repeat take their memory once.
    Ok(Chunk::Plain(exact::<T>(&distinct, rows)?))
}

/// The distinct values of an array, and for each row the place of its value among them; 0 for NULLs.
/// If none of the first values repeats, few of the others do: all are taken for distinct.
fn counted<T: ByteViewType>(array: &GenericByteViewArray<T>) -> (Vec<&T::Native>, Vec<u32>) {
    let mut seen = SeenViews::new();
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut distinct: Vec<&T::Native> = Vec::new();
    let mut places = Vec::with_capacity(array.len());
    let mut values = 0;
    for (row, view) in array.views().iter().enumerate() {
        if array.is_null(row) {
            places.push(0);
            continue;
        }
        if let Some(place) = seen.place(*view) {
            places.push(place);
            values += 1;
            continue;
        }
        let value = array.value(row);
        // An array has fewer rows.
        let next = distinct.len() as u32;
        let place = if values >= TRIED && distinct.len() == values {
            next
        } else {
            *known.entry(value.as_ref()).or_insert(next)
        };
        if place == next {
            distinct.push(value);
        }
        seen.note(*view, place);
        places.push(place);
        values += 1;
    }
    (distinct, places)
}

/// The places of views that were seen lately, each at the slot that its bits give. Equal views of an
/// array are of equal values: they hold a short value, or point to the same bytes. Others may be, too.
struct SeenViews {
    slots: Vec<Option<(u128, u32)>>,
}

impl SeenViews {
    const SLOTS: usize = 1024;

    fn new() -> Self {
        Self {
            slots: vec![None; Self::SLOTS],
        }
    }

    fn slot(view: u128) -> usize {
        let folded = (view as u64) ^ ((view >> 64) as u64).rotate_left(23);
        (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % Self::SLOTS
    }

    fn place(&self, view: u128) -> Option<u32> {
        let (known, place) = self.slots[Self::slot(view)]?;
        (known == view).then_some(place)
    }

    fn note(&mut self, view: u128, place: u32) {
        self.slots[Self::slot(view)] = Some((view, place));
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{AsArray, StringViewArray};
    use arrow::compute::concat;

    use super::*;

    fn rows(values: &StringViewArray) -> ArrayRef {
        let chunk = texts(values).unwrap();
        chunk.rows(0, values.len()).unwrap()
    }

    #[test]
    fn equal_texts_at_many_places_are_one() {
        // Each row has bytes of its own, as in pages without a dictionary.
        let plain = (0..2000).map(|row| format!("a text that is not short {}", row % 200));
        let plain = StringViewArray::from_iter_values(plain);
        assert_eq!(counted(&plain).0.len(), 200);
        assert_eq!(rows(&plain).as_string_view(), &plain);
    }

    #[test]
    fn texts_that_repeat_late_are_kept() {
        let name = |row: usize| format!("a text that is not short {row}");
        let first = StringViewArray::from_iter_values((0..1500).map(name));
        let both = concat(&[&first.slice(0, 1300), &first.slice(5, 1495)]).unwrap();
        let (distinct, places) = counted(both.as_string_view());
        assert!(distinct.len() > 1500);
        assert_eq!(places.len(), both.len());
        assert_eq!(&rows(both.as_string_view()), &both);
        let early = concat(&[&first.slice(0, 300), &first]).unwrap();
        assert_eq!(counted(early.as_string_view()).0.len(), 1500);
        assert_eq!(&rows(early.as_string_view()), &early);
    }
}
