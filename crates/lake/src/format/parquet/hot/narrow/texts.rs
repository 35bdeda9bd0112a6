//! Texts that are kept by their places among few distinct ones.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, GenericByteViewArray, GenericByteViewBuilder, UInt8Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::ByteViewType;
use arrow::error::ArrowError;

use super::Chunk;

/// Texts of which few are distinct.
#[derive(Debug)]
pub(in super::super) struct Texts {
    /// For each row its place among the distinct texts.
    pub places: UInt8Array,
    pub distinct: ArrayRef,
}

impl Texts {
    /// The texts at these places.
    ///
    /// # Errors
    /// There is no such place.
    pub fn at(&self, places: &UInt8Array) -> Result<ArrayRef, ArrowError> {
        take(&self.distinct, places, None)
    }
}

/// Keeps texts that may point into pages of a file.
///
/// # Errors
/// A text of more than 4 GiB.
pub(super) fn texts<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Result<Chunk, ArrowError> {
    if let Some(texts) = few_texts(array)? {
        return Ok(Chunk::Texts(texts));
    }
    // Values that repeat were one value of a dictionary.
    let copied = GenericByteViewBuilder::<T>::with_capacity(array.len());
    let mut copied = copied.with_deduplicate_strings();
    for value in array.iter() {
        match value {
            Some(value) => copied.try_append_value(value)?,
            None => copied.append_null(),
        }
    }
    Ok(Chunk::Plain(Arc::new(copied.finish())))
}

/// The places of views that were found lately, each at the slot that its bits give. Equal views of an
/// array are of equal texts, so that most rows are found without a look at their texts.
struct Views {
    slots: Vec<Option<(u128, u8)>>,
}

impl Views {
    const SLOTS: usize = 256;

    fn new() -> Self {
        Self {
            slots: vec![None; Self::SLOTS],
        }
    }

    /// The slot of a view: the length and the first bytes of a text, and what follows them.
    fn slot(view: u128) -> usize {
        let mixed = (view as u64) ^ ((view >> 64) as u64).rotate_left(32);
        let mixed = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 32) as usize % Self::SLOTS
    }

    fn place(&self, view: u128) -> Option<u8> {
        let (known, place) = (*self.slots.get(Self::slot(view))?)?;
        (known == view).then_some(place)
    }

    fn note(&mut self, view: u128, place: u8) {
        if let Some(slot) = self.slots.get_mut(Self::slot(view)) {
            *slot = Some((view, place));
        }
    }
}

/// `None`: there are too many distinct texts.
fn few_texts<T: ByteViewType>(
    array: &GenericByteViewArray<T>,
) -> Result<Option<Texts>, ArrowError> {
    let mut known: HashMap<&[u8], u8> = HashMap::new();
    let mut views = Views::new();
    let mut distinct = GenericByteViewBuilder::<T>::new();
    let mut places = Vec::with_capacity(array.len());
    for (row, view) in array.views().iter().enumerate() {
        if array.is_null(row) {
            places.push(0);
            continue;
        }
        if let Some(place) = views.place(*view) {
            places.push(place);
            continue;
        }
        let value = array.value(row);
        let bytes: &[u8] = value.as_ref();
        let place = match known.get(bytes) {
            Some(place) => *place,
            None => {
                let Ok(place) = u8::try_from(known.len()) else {
                    return Ok(None);
                };
                known.insert(bytes, place);
                distinct.try_append_value(value)?;
                place
            }
        };
        views.note(*view, place);
        places.push(place);
    }
    let places = UInt8Array::new(ScalarBuffer::from(places), array.nulls().cloned());
    Ok(Some(Texts {
        places,
        distinct: Arc::new(distinct.finish()),
    }))
}
