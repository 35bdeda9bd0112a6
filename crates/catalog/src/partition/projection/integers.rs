//! The values of an integer key: from a least to a most, in steps, perhaps padded with zeros.

use std::ops::Range;

use super::candidates::ProjectedValue;
use super::value_set::KeyValue;

/// A sequence of whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Integers {
    pub min: i64,
    pub max: i64,
    /// At least 1.
    pub interval: u64,
    /// Zeros are put before the number until the text has so many characters; 0 for none.
    pub digits: usize,
    /// Whether the key is a number; else it is a text.
    pub is_number: bool,
}

/// A part of a sequence whose values ascend or descend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub span: Range<u128>,
    pub descends: bool,
}

impl Integers {
    pub(super) fn len(&self) -> u128 {
        let width = i128::from(self.max) - i128::from(self.min);
        u128::try_from(width).map_or(0, |width| width / u128::from(self.interval.max(1)) + 1)
    }

    fn number(&self, at: u128) -> Option<i64> {
        let offset = at.checked_mul(u128::from(self.interval))?;
        let number = i128::from(self.min).checked_add(i128::try_from(offset).ok()?)?;
        i64::try_from(number)
            .ok()
            .filter(|number| *number <= self.max)
    }

    pub(super) fn text(&self, at: u128) -> Option<String> {
        let digits = self.digits;
        self.number(at).map(|number| format!("{number:0digits$}"))
    }

    pub(super) fn value(&self, at: u128) -> Option<ProjectedValue> {
        let text = self.text(at)?;
        Some(match self.is_number {
            true => ProjectedValue::new(&text, &self.number(at)?.to_string()),
            false => ProjectedValue::same(&text),
        })
    }

    pub(super) fn key(&self, at: u128) -> Option<KeyValue> {
        match self.is_number {
            true => self.number(at).map(KeyValue::Int),
            false => self.text(at).map(KeyValue::text),
        }
    }

    /// Where a value is; `None` if it is not in the sequence.
    pub(super) fn position(&self, value: &KeyValue) -> Option<u128> {
        match value {
            KeyValue::Int(number) => self.place(*number),
            KeyValue::Text(text) => {
                let place = self.place(text.parse().ok()?)?;
                (self.text(place)? == **text).then_some(place)
            }
        }
    }

    fn place(&self, number: i64) -> Option<u128> {
        let offset = u128::try_from(i128::from(number) - i128::from(self.min)).ok()?;
        let interval = u128::from(self.interval.max(1));
        (number <= self.max && offset % interval == 0).then_some(offset / interval)
    }

    /// The parts in which the values ascend or descend: of texts, those of one sign and length.
    pub(super) fn runs(&self) -> Vec<Run> {
        let all = 0..self.len();
        if self.is_number {
            return vec![Run {
                span: all,
                descends: false,
            }];
        }
        // The numbers with which texts of another sign or length begin.
        let mut starts: Vec<(i128, bool)> = vec![(0, false), (i128::MIN, true)];
        for power in 1..=19 {
            let bound = 10i128.pow(power);
            let length = usize::try_from(power).unwrap_or_default();
            if length >= self.digits {
                starts.push((bound, false));
            }
            if length + 1 >= self.digits {
                starts.push((1 - bound, true));
            }
        }
        starts.sort_unstable();
        let places: Vec<(u128, bool)> = starts
            .into_iter()
            .map(|(start, descends)| (self.first_from(start).min(all.end), descends))
            .collect();
        let ends = places.iter().skip(1).map(|(place, _)| *place);
        let runs = places.iter().zip(ends.chain([all.end]));
        runs.filter(|((start, _), end)| start < end)
            .map(|((start, descends), end)| Run {
                span: *start..end,
                descends: *descends,
            })
            .collect()
    }

    /// The place of the first number that is not below this one.
    fn first_from(&self, number: i128) -> u128 {
        let offset = number.saturating_sub(i128::from(self.min));
        u128::try_from(offset).map_or(0, |offset| {
            offset.div_ceil(u128::from(self.interval.max(1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(min: i64, max: i64, interval: u64, digits: usize) -> Integers {
        Integers {
            min,
            max,
            interval,
            digits,
            is_number: false,
        }
    }

    fn texts(integers: &Integers) -> Vec<String> {
        (0..integers.len())
            .map_while(|at| integers.text(at))
            .collect()
    }

    #[test]
    fn numbers_are_padded_and_stepped() {
        assert_eq!(texts(&integers(8, 11, 1, 0)), ["8", "9", "10", "11"]);
        assert_eq!(texts(&integers(-6, 13, 6, 3)), ["-06", "000", "006", "012"]);
        assert_eq!(texts(&integers(5, 4, 1, 0)), [""; 0]);
        let widest = integers(i64::MIN, i64::MAX, 1, 0);
        assert_eq!(widest.len(), 1 << 64);
        let last = widest.len() - 1;
        assert_eq!(widest.text(last), Some(i64::MAX.to_string()));
        assert_eq!(widest.text(last + 1), None);
        assert_eq!(
            widest.position(&KeyValue::text(i64::MAX.to_string())),
            Some(last)
        );
        let sparse = integers(i64::MIN, i64::MAX, u64::MAX, 0);
        assert_eq!(sparse.len(), 2);
    }

    #[test]
    fn only_texts_as_they_are_written_are_found() {
        let padded = integers(1, 100, 3, 3);
        assert_eq!(padded.position(&KeyValue::text("004")), Some(1));
        for other in ["4", "0004", "005", "+04", "101", "x", ""] {
            assert_eq!(padded.position(&KeyValue::text(other)), None, "{other}");
        }
    }

    #[test]
    fn runs_cover_the_sequence_in_the_order_of_texts() {
        for (min, max, interval, digits) in [
            (-1_200, 1_200, 1, 0),
            (-1_200, 1_200, 7, 0),
            (-1_200, 1_200, 7, 3),
            (0, 99, 1, 2),
            (-5, 5, 1, 1),
            (95, 1_005, 1, 2),
            (-20, -1, 1, 0),
        ] {
            let integers = integers(min, max, interval, digits);
            let mut next = 0;
            for run in integers.runs() {
                assert_eq!(run.span.start, next);
                next = run.span.end;
                let texts: Vec<_> = run.span.map_while(|at| integers.text(at)).collect();
                let sorted = texts
                    .windows(2)
                    .all(|pair| (pair[0] < pair[1]) != run.descends && pair[0] != pair[1]);
                assert!(sorted, "{texts:?}");
            }
            assert_eq!(next, integers.len());
        }
        assert_eq!(integers(0, 999, 1, 3).runs().len(), 1);
        assert!(integers(i64::MIN, i64::MAX, 1, 0).runs().len() <= 40);
    }
}
