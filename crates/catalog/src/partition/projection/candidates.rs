//! The partitions that filters leave, enumerated lazily.

use std::ops::Range;
use std::sync::Arc;

use super::domain::Sequence;

/// An injected key whose values no filter lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unbounded {
    /// The position of the key.
    pub key: usize,
}

/// The value of one key of a projected partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedValue {
    /// As it is in the name of a folder.
    folder: Arc<str>,
    /// As a value of the key's type; `None` if that is the same text.
    value: Option<Arc<str>>,
}

impl ProjectedValue {
    /// A value with the same text in folders.
    pub(super) fn same(text: &str) -> ProjectedValue {
        ProjectedValue {
            folder: text.into(),
            value: None,
        }
    }

    /// A value with another text in folders.
    pub(super) fn new(folder: &str, value: &str) -> ProjectedValue {
        ProjectedValue {
            folder: folder.into(),
            value: (folder != value).then(|| value.into()),
        }
    }

    /// As it is in the name of a folder.
    pub(crate) fn folder_text(&self) -> &str {
        &self.folder
    }

    /// As a value of the key's type.
    pub fn text(&self) -> &str {
        self.value.as_ref().unwrap_or(&self.folder)
    }
}

/// As [`ProjectedValue::text`].
impl AsRef<str> for ProjectedValue {
    fn as_ref(&self) -> &str {
        self.text()
    }
}

/// The values of one key that a set selects: parts of a sequence.
#[derive(Debug, Clone)]
pub(super) struct KeyCandidates {
    sequence: Sequence,
    /// Parts of the sequence, in order, none of which is empty, and how many values are before
    /// each.
    spans: Vec<(u128, Range<u128>)>,
    count: u128,
    /// How many values the sequence has.
    total: u128,
}

impl KeyCandidates {
    /// `spans`: parts of the sequence, which may overlap, in any order.
    pub(super) fn new(sequence: Sequence, mut spans: Vec<Range<u128>>) -> KeyCandidates {
        spans.sort_unstable_by_key(|span| span.start);
        let mut apart: Vec<Range<u128>> = Vec::with_capacity(spans.len());
        for span in spans.into_iter().filter(|span| !span.is_empty()) {
            match apart.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => apart.push(span),
            }
        }
        let mut count = 0;
        let counted = apart.into_iter().map(|span| {
            let before = count;
            count += span.end - span.start;
            (before, span)
        });
        let spans: Vec<(u128, Range<u128>)> = counted.collect();
        KeyCandidates {
            total: sequence.len(),
            sequence,
            spans,
            count,
        }
    }

    /// The value at a place below the count.
    fn value(&self, place: u128) -> Option<ProjectedValue> {
        let after = self.spans.partition_point(|(before, _)| *before <= place);
        let (before, span) = self.spans.get(after.checked_sub(1)?)?;
        self.sequence.value(span.start + (place - before))
    }
}

/// The partitions whose values are in the sets of a query: a product of the values of each key.
#[derive(Debug, Clone)]
pub struct Candidates {
    keys: Vec<KeyCandidates>,
}

impl Candidates {
    pub(super) fn new(keys: Vec<KeyCandidates>) -> Candidates {
        Candidates { keys }
    }

    /// How many; `u128::MAX` for more.
    pub fn len(&self) -> u128 {
        product(self.keys.iter().map(|key| key.count))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.iter().any(|key| key.count == 0)
    }

    /// How many values of a key are left.
    pub fn len_of_key(&self, key: usize) -> u128 {
        self.keys.get(key).map_or(0, |key| key.count)
    }

    /// How many partitions the table has, whatever the sets are; `u128::MAX` for more. Of an
    /// injected key, only the values of its set count.
    pub fn total(&self) -> u128 {
        product(self.keys.iter().map(|key| key.total))
    }

    /// The partitions, a value for each key; the values of the last key change first.
    pub fn rows(self) -> Rows {
        Rows {
            places: vec![0; self.keys.len()],
            current: None,
            ended: self.is_empty(),
            keys: self.keys,
        }
    }
}

fn product(counts: impl Iterator<Item = u128>) -> u128 {
    let mut product = 1u128;
    for count in counts {
        if count == 0 {
            return 0;
        }
        product = product.saturating_mul(count);
    }
    product
}

/// Enumerates [`Candidates`].
#[derive(Debug)]
pub struct Rows {
    keys: Vec<KeyCandidates>,
    /// The place of the current value of each key.
    places: Vec<u128>,
    /// `None`: before the first row.
    current: Option<Vec<ProjectedValue>>,
    ended: bool,
}

impl Rows {
    fn advance(&mut self) -> Option<Vec<ProjectedValue>> {
        let Some(current) = &mut self.current else {
            let first: Option<Vec<ProjectedValue>> =
                self.keys.iter().map(|key| key.value(0)).collect();
            self.current.clone_from(&first);
            return first;
        };
        let places = self
            .keys
            .iter()
            .zip(&mut self.places)
            .zip(current.iter_mut());
        for ((key, place), value) in places.rev() {
            *place += 1;
            let carries = *place >= key.count;
            if carries {
                *place = 0;
            }
            *value = key.value(*place)?;
            if !carries {
                return Some(current.clone());
            }
        }
        None
    }
}

impl Iterator for Rows {
    type Item = Vec<ProjectedValue>;

    fn next(&mut self) -> Option<Vec<ProjectedValue>> {
        if self.ended {
            return None;
        }
        let row = self.advance();
        self.ended = row.is_none();
        row
    }
}
