//! Texts and bytes of kept columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, GenericByteViewArray, GenericByteViewBuilder, UInt8Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{filter, take};
use arrow::datatypes::ByteViewType;
use arrow::error::ArrowError;

use super::Chunk;

/// Texts of which few are distinct.
#[derive(Debug)]
pub(in super::super) struct Texts {
    /// For each row its place among the distinct texts.
    places: UInt8Array,
    distinct: ArrayRef,
}

impl Texts {
    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.get_array_memory_size() + self.distinct.get_array_memory_size()
    }

    /// Rows from `from` on, as many as `count`, which exist.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        take(&self.distinct, &self.places.slice(from, count), None)
    }

    /// Of the rows from `from` on, which exist, those for which `chosen` is true.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        let places = filter(&self.places.slice(from, chosen.len()), chosen)?;
        take(&self.distinct, &places, None)
    }
}

/// Keeps texts that may point into pages of a file.
///
/// # Errors
/// A text of more than 4 GiB.
pub(super) fn kept<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Result<Chunk, ArrowError> {
    let repeats = match few(array)? {
        Kinds::Few(texts) => return Ok(Chunk::Texts(texts)),
        Kinds::Many { repeats } => repeats,
    };
    let mut copied = GenericByteViewBuilder::<T>::with_capacity(array.len());
    if repeats {
        // Values that repeat were one value of a dictionary.
        copied = copied.with_deduplicate_strings();
    }
    for value in array.iter() {
        match value {
            Some(value) => copied.try_append_value(value)?,
            None => copied.append_null(),
        }
    }
    Ok(Chunk::Plain(Arc::new(copied.finish())))
}

enum Kinds {
    Few(Texts),
    /// `repeats`: some of the first values are equal.
    Many {
        repeats: bool,
    },
}

/// The distinct texts, if they are few.
fn few<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Result<Kinds, ArrowError> {
    let mut seen = SeenViews::new();
    let mut known: HashMap<&[u8], u8> = HashMap::new();
    let mut distinct = GenericByteViewBuilder::<T>::new();
    let mut places = Vec::with_capacity(array.len());
    let mut values = 0;
    for (row, view) in array.views().iter().enumerate() {
        if array.is_null(row) {
            places.push(0);
            continue;
        }
        values += 1;
        if let Some(place) = seen.place(*view) {
            places.push(place);
            continue;
        }
        let value = array.value(row);
        let bytes: &[u8] = value.as_ref();
        let place = match known.get(bytes) {
            Some(place) => *place,
            None => {
                let Ok(place) = u8::try_from(known.len()) else {
                    let repeats = values > known.len() + 1;
                    return Ok(Kinds::Many { repeats });
                };
                known.insert(bytes, place);
                distinct.try_append_value(value)?;
                place
            }
        };
        seen.add(*view, place);
        places.push(place);
    }
    let places = UInt8Array::new(ScalarBuffer::from(places), array.nulls().cloned());
    Ok(Kinds::Few(Texts {
        places,
        distinct: Arc::new(distinct.finish()),
    }))
}

/// The places of views. Equal views of an array are of equal values: they hold a short value, or
/// point to the same bytes. Other views may be of equal values, too.
struct SeenViews {
    views: Vec<u128>,
    /// One more than the place of each view; 0: the slot is free.
    places: Vec<u16>,
    taken: usize,
}

impl SeenViews {
    const SLOTS: usize = 512;
    /// Views beyond these are not added, so that a free slot ends each search.
    const MOST: usize = Self::SLOTS / 2;

    fn new() -> Self {
        Self {
            views: vec![0; Self::SLOTS],
            places: vec![0; Self::SLOTS],
            taken: 0,
        }
    }

    /// The slot that has the view, or the free one for it.
    fn slot(&self, view: u128) -> usize {
        let folded = (view as u64) ^ ((view >> 64) as u64).rotate_left(23);
        let hash = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut slot = hash as usize % Self::SLOTS;
        while self.places[slot] != 0 && self.views[slot] != view {
            slot = (slot + 1) % Self::SLOTS;
        }
        slot
    }

    fn place(&self, view: u128) -> Option<u8> {
        let place = self.places[self.slot(view)].checked_sub(1)?;
        Some(place as u8)
    }

    fn add(&mut self, view: u128, place: u8) {
        if self.taken < Self::MOST {
            let slot = self.slot(view);
            self.views[slot] = view;
            self.places[slot] = u16::from(place) + 1;
            self.taken += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{AsArray, StringViewArray};

    use super::*;

    fn rows(values: &StringViewArray) -> ArrayRef {
        let chunk = kept(values).unwrap();
        chunk.rows(0, values.len()).unwrap()
    }

    #[test]
    fn equal_texts_at_many_places_are_one_kind() {
        // Each row has bytes of its own, as in pages without a dictionary.
        let plain = (0..2000).map(|row| format!("a text that is not short {}", row % 200));
        let plain = StringViewArray::from_iter_values(plain);
        assert!(matches!(kept(&plain).unwrap(), Chunk::Texts(_)));
        assert_eq!(rows(&plain).as_string_view(), &plain);
    }

    #[test]
    fn texts_that_repeat_are_copied_once() {
        let texts = (0..1000).map(|kind| format!("{kind} {}", "x".repeat(100)));
        let dictionary = StringViewArray::from_iter_values(texts);
        let repeated: UInt8Array = (0..8000).map(|row| Some((row % 250) as u8)).collect();
        let repeated = take(&dictionary, &repeated, None).unwrap();
        let tail = dictionary.slice(0, 300);
        let many = arrow::compute::concat(&[repeated.as_ref(), &tail]).unwrap();
        let chunk = kept(many.as_string_view()).unwrap();
        assert!(matches!(chunk, Chunk::Plain(_)));
        assert!(chunk.bytes() < 300_000, "{}", chunk.bytes());
        assert_eq!(&rows(many.as_string_view()), &many);
    }

    #[test]
    fn search_ends_when_no_view_can_be_added() {
        let mut seen = SeenViews::new();
        for view in 0..2000 {
            assert_eq!(seen.place(view), None);
            seen.add(view, view as u8);
        }
        let known: Vec<u128> = (0..2000)
            .filter(|view| seen.place(*view).is_some())
            .collect();
        assert_eq!(known, (0..SeenViews::MOST as u128).collect::<Vec<_>>());
        assert!(
            known
                .iter()
                .all(|view| seen.place(*view) == Some(*view as u8))
        );
    }
}
