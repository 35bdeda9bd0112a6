//! The values of a key that a query's filters leave: sorted ranges.

use std::cmp::Ordering;
use std::ops::Bound;

/// A value of a partition key, for comparisons within one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue {
    /// A whole number; of a date, the days since 1970; of a timestamp, the microseconds.
    Int(i64),
    /// Compared by its bytes.
    Text(Box<str>),
}

impl KeyValue {
    /// A text.
    pub fn text(text: impl Into<Box<str>>) -> KeyValue {
        KeyValue::Text(text.into())
    }
}

/// The lower and the upper end of a range.
type Range = (Bound<KeyValue>, Bound<KeyValue>);

/// A set of values of one key, and whether NULL is in it.
///
/// The ranges are in order and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSet {
    ranges: Vec<Range>,
    null: bool,
}

impl ValueSet {
    /// Every value, and NULL.
    pub fn all() -> ValueSet {
        ValueSet {
            null: true,
            ..ValueSet::range(Bound::Unbounded, Bound::Unbounded)
        }
    }

    /// Nothing.
    pub fn none() -> ValueSet {
        ValueSet {
            ranges: Vec::new(),
            null: false,
        }
    }

    /// NULL alone.
    pub fn null() -> ValueSet {
        ValueSet {
            null: true,
            ..ValueSet::none()
        }
    }

    /// The values between two ends.
    pub fn range(low: Bound<KeyValue>, high: Bound<KeyValue>) -> ValueSet {
        let range = (low, high);
        let holds_some = !is_empty(&range);
        ValueSet {
            ranges: holds_some.then_some(range).into_iter().collect(),
            null: false,
        }
    }

    /// Some single values.
    pub fn points(values: impl IntoIterator<Item = KeyValue>) -> ValueSet {
        let mut values: Vec<KeyValue> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup();
        let point = |value: KeyValue| (Bound::Included(value.clone()), Bound::Included(value));
        ValueSet {
            ranges: values.into_iter().map(point).collect(),
            null: false,
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &ValueSet) -> ValueSet {
        let (mut left, mut right) = (
            self.ranges.iter().peekable(),
            other.ranges.iter().peekable(),
        );
        let mut ranges = Vec::new();
        while let (Some(one), Some(two)) = (left.peek(), right.peek()) {
            let low = match by_low(&one.0, &two.0) {
                Ordering::Less => &two.0,
                Ordering::Equal | Ordering::Greater => &one.0,
            };
            let order = by_high(&one.1, &two.1);
            let high = match order {
                Ordering::Greater => &two.1,
                Ordering::Equal | Ordering::Less => &one.1,
            };
            let both = (low.clone(), high.clone());
            if !is_empty(&both) {
                ranges.push(both);
            }
            match order {
                Ordering::Greater => right.next(),
                Ordering::Equal | Ordering::Less => left.next(),
            };
        }
        ValueSet {
            ranges,
            null: self.null && other.null,
        }
    }

    /// What is in either.
    #[must_use]
    pub fn or(&self, other: &ValueSet) -> ValueSet {
        let mut all: Vec<Range> = self.ranges.iter().chain(&other.ranges).cloned().collect();
        all.sort_by(|one, two| by_low(&one.0, &two.0));
        let mut ranges: Vec<Range> = Vec::with_capacity(all.len());
        for range in all {
            match ranges.last_mut() {
                Some(last) if touches(&last.1, &range.0) => {
                    if by_high(&range.1, &last.1).is_gt() {
                        last.1 = range.1;
                    }
                }
                _ => ranges.push(range),
            }
        }
        ValueSet {
            ranges,
            null: self.null || other.null,
        }
    }

    /// Whether nothing is in it.
    pub fn is_none(&self) -> bool {
        self.ranges.is_empty() && !self.null
    }

    /// Whether it is every value.
    pub(super) fn has_all_values(&self) -> bool {
        matches!(
            self.ranges.as_slice(),
            [(Bound::Unbounded, Bound::Unbounded)]
        )
    }

    pub(super) fn has_null(&self) -> bool {
        self.null
    }

    pub(super) fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The values, with `None` for NULL, if they are single ones and at most `max`.
    pub fn listed(&self, max: usize) -> Option<Vec<Option<&KeyValue>>> {
        if self.ranges.len() > max {
            return None;
        }
        let values = self.ranges.iter().map(|range| single(range).map(Some));
        let null = self.null.then_some(Some(None));
        values.chain(null).collect()
    }

    /// Whether a value is in the set.
    pub fn contains(&self, value: &KeyValue) -> bool {
        let above = self
            .ranges
            .partition_point(|(_, high)| is_above(value, high));
        self.ranges
            .get(above)
            .is_some_and(|(low, _)| !is_below(value, low))
    }
}

/// The value of a range that holds one.
pub(super) fn single(range: &Range) -> Option<&KeyValue> {
    match range {
        (Bound::Included(low), Bound::Included(high)) if low == high => Some(low),
        _ => None,
    }
}

/// Whether a value is below a lower end.
pub(super) fn is_below(value: &KeyValue, low: &Bound<KeyValue>) -> bool {
    match low {
        Bound::Unbounded => false,
        Bound::Included(low) => value < low,
        Bound::Excluded(low) => value <= low,
    }
}

/// Whether a value is above an upper end.
pub(super) fn is_above(value: &KeyValue, high: &Bound<KeyValue>) -> bool {
    match high {
        Bound::Unbounded => false,
        Bound::Included(high) => value > high,
        Bound::Excluded(high) => value >= high,
    }
}

fn is_empty(range: &Range) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (
            Bound::Included(low) | Bound::Excluded(low),
            Bound::Included(high) | Bound::Excluded(high),
        ) => low >= high,
    }
}

/// The order of lower ends.
fn by_low(one: &Bound<KeyValue>, two: &Bound<KeyValue>) -> Ordering {
    match (one, two) {
        (Bound::Unbounded, Bound::Unbounded) => Ordering::Equal,
        (Bound::Unbounded, _) => Ordering::Less,
        (_, Bound::Unbounded) => Ordering::Greater,
        (
            Bound::Included(left) | Bound::Excluded(left),
            Bound::Included(right) | Bound::Excluded(right),
        ) => left
            .cmp(right)
            .then_with(|| is_excluded(one).cmp(&is_excluded(two))),
    }
}

/// The order of upper ends.
fn by_high(one: &Bound<KeyValue>, two: &Bound<KeyValue>) -> Ordering {
    match (one, two) {
        (Bound::Unbounded, Bound::Unbounded) => Ordering::Equal,
        (Bound::Unbounded, _) => Ordering::Greater,
        (_, Bound::Unbounded) => Ordering::Less,
        (
            Bound::Included(left) | Bound::Excluded(left),
            Bound::Included(right) | Bound::Excluded(right),
        ) => left
            .cmp(right)
            .then_with(|| is_excluded(two).cmp(&is_excluded(one))),
    }
}

fn is_excluded(bound: &Bound<KeyValue>) -> bool {
    matches!(bound, Bound::Excluded(_))
}

/// Whether nothing lies between an upper end and a lower end of a later range.
fn touches(high: &Bound<KeyValue>, low: &Bound<KeyValue>) -> bool {
    match (high, low) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Excluded(high), Bound::Excluded(low)) => low < high,
        (
            Bound::Included(high) | Bound::Excluded(high),
            Bound::Included(low) | Bound::Excluded(low),
        ) => low <= high,
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    /// A random set of numbers from 0 to 15.
    fn random(rng: &mut impl Rng) -> ValueSet {
        let mut set = match rng.random_range(0..8) {
            0 => ValueSet::all(),
            1 => ValueSet::null(),
            _ => ValueSet::none(),
        };
        for _ in 0..rng.random_range(0..4) {
            let mut end = || match rng.random_range(0..7) {
                0 => Bound::Unbounded,
                n if n % 2 == 0 => Bound::Included(KeyValue::Int(rng.random_range(0..16))),
                _ => Bound::Excluded(KeyValue::Int(rng.random_range(0..16))),
            };
            let (low, high) = (end(), end());
            set = set.or(&ValueSet::range(low, high));
        }
        if rng.random_range(0..3) == 0 {
            let values: Vec<KeyValue> = (0..rng.random_range(0..6))
                .map(|_| KeyValue::Int(rng.random_range(0..16)))
                .collect();
            set = set.or(&ValueSet::points(values));
        }
        set
    }

    #[test]
    fn sets_of_ranges_are_sets() {
        let mut rng = rand::rng();
        for _ in 0..2_000 {
            let (one, two) = (random(&mut rng), random(&mut rng));
            let (both, either) = (one.and(&two), one.or(&two));
            for value in (-1..17).map(KeyValue::Int) {
                let (left, right) = (one.contains(&value), two.contains(&value));
                assert_eq!(
                    both.contains(&value),
                    left && right,
                    "{one:?} {two:?} {value:?}"
                );
                assert_eq!(
                    either.contains(&value),
                    left || right,
                    "{one:?} {two:?} {value:?}"
                );
            }
            assert_eq!(both.has_null(), one.has_null() && two.has_null());
            assert_eq!(either.has_null(), one.has_null() || two.has_null());
        }
    }

    #[test]
    fn empty_ranges_are_nothing() {
        let five = || KeyValue::Int(5);
        let empty = ValueSet::range(Bound::Included(five()), Bound::Excluded(five()));
        assert!(empty.is_none());
        assert!(ValueSet::points([]).is_none());
        let one = ValueSet::range(Bound::Included(five()), Bound::Included(five()));
        assert_eq!(one, ValueSet::points([five(), five()]));
    }
}
