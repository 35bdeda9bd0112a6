//! Statistics of the columns that are written: of a group of rows, a stripe and the file.

use arrow::datatypes::{Decimal128Type, DecimalType};

use super::wire::Message;

/// Bytes of a text that is kept as a bound.
const MAX_TEXT: usize = 1024;

/// What is said of a column's values.
#[derive(Debug, Clone, Default)]
pub(super) struct Summary {
    /// Values that are not NULL.
    pub values: u64,
    pub has_null: bool,
    pub bounds: Bounds,
}

/// The least and the greatest value, and what else the format has for a type.
#[derive(Debug, Clone, Default)]
pub(super) enum Bounds {
    /// There are no values.
    #[default]
    Empty,
    /// There are values of which nothing is said.
    Unknown,
    /// With the number of those that are true.
    Booleans(u64),
    /// With the sum; `None`: it overflows.
    Integers(i64, i64, Option<i64>),
    Floats(f64, f64),
    /// With the bytes of all texts; `None`: there are too many.
    Texts(Vec<u8>, Vec<u8>, Option<i64>),
    /// Bytes of all values; `None`: there are too many.
    Bytes(Option<i64>),
    Days(i64, i64),
    /// With the digits of the type, and those behind the point.
    Decimals(i128, i128, (u8, i8)),
    /// Microseconds.
    Times(i64, i64),
    /// Lengths of lists and maps, and their sum.
    Lengths(u64, u64, u64),
}

fn sum(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    left?.checked_add(right?)
}

impl Bounds {
    pub(super) fn add(&mut self, other: Self) {
        let this = std::mem::take(self);
        *self = match (this, other) {
            (Self::Empty, bounds) | (bounds, Self::Empty) => bounds,
            (Self::Booleans(left), Self::Booleans(right)) => Self::Booleans(left + right),
            (Self::Integers(min, max, left), Self::Integers(least, most, right)) => {
                Self::Integers(min.min(least), max.max(most), sum(left, right))
            }
            (Self::Floats(min, max), Self::Floats(least, most)) => {
                Self::Floats(min.min(least), max.max(most))
            }
            (Self::Texts(min, max, left), Self::Texts(least, most, right)) => {
                Self::Texts(min.min(least), max.max(most), sum(left, right))
            }
            (Self::Bytes(left), Self::Bytes(right)) => Self::Bytes(sum(left, right)),
            (Self::Days(min, max), Self::Days(least, most)) => {
                Self::Days(min.min(least), max.max(most))
            }
            (Self::Decimals(min, max, digits), Self::Decimals(least, most, _)) => {
                Self::Decimals(min.min(least), max.max(most), digits)
            }
            (Self::Times(min, max), Self::Times(least, most)) => {
                Self::Times(min.min(least), max.max(most))
            }
            (Self::Lengths(min, max, left), Self::Lengths(least, most, right)) => {
                Self::Lengths(min.min(least), max.max(most), left.saturating_add(right))
            }
            _ => Self::Unknown,
        };
    }

    pub(super) fn add_integer(&mut self, value: i64) {
        match self {
            Self::Integers(min, max, total) => {
                (*min, *max) = ((*min).min(value), (*max).max(value));
                *total = sum(*total, Some(value));
            }
            _ => self.add(Self::Integers(value, value, Some(value))),
        }
    }

    /// Bounds of NaN, which all values would have to be compared with, are not known.
    pub(super) fn add_float(&mut self, value: f64) {
        match value.is_nan() {
            true => *self = Self::Unknown,
            false => self.add(Self::Floats(value, value)),
        }
    }

    /// The texts are copied only where they are bounds.
    pub(super) fn add_text(&mut self, text: &[u8]) {
        let length = i64::try_from(text.len()).ok();
        match self {
            Self::Texts(min, max, total) => {
                if text < min.as_slice() {
                    *min = text.to_vec();
                }
                if text > max.as_slice() {
                    *max = text.to_vec();
                }
                *total = sum(*total, length);
            }
            Self::Unknown => {}
            _ => self.add(Self::Texts(text.to_vec(), text.to_vec(), length)),
        }
    }
}

impl Summary {
    /// Ends the summary of a group of rows: bounds that are too long are not kept.
    pub(super) fn end(&mut self) {
        if let Bounds::Texts(min, max, _) = &self.bounds
            && (min.len() > MAX_TEXT || max.len() > MAX_TEXT)
        {
            self.bounds = Bounds::Unknown;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.has_null |= other.has_null;
        self.bounds.add(other.bounds.clone());
    }

    /// As the format has it.
    pub(super) fn message(&self) -> Vec<u8> {
        let mut message = Message::default();
        message.number(1, self.values);
        let mut inner = Message::default();
        let total = |inner: &mut Message, total: &Option<i64>| {
            if let Some(total) = total {
                inner.signed(3, *total);
            }
        };
        let field = match &self.bounds {
            Bounds::Empty | Bounds::Unknown => None,
            Bounds::Integers(min, max, sum) => {
                inner.signed(1, *min).signed(2, *max);
                total(&mut inner, sum);
                Some(2)
            }
            Bounds::Floats(min, max) => {
                // Of the two zeros, which are equal, the wider bounds.
                let min = if *min == 0.0 { -0.0 } else { *min };
                let max = if *max == 0.0 { 0.0 } else { *max };
                inner.double(1, min).double(2, max);
                Some(3)
            }
            Bounds::Texts(min, max, sum) => {
                inner.bytes(1, min).bytes(2, max);
                total(&mut inner, sum);
                Some(4)
            }
            Bounds::Booleans(count) => {
                inner.packed(1, &[*count]);
                Some(5)
            }
            Bounds::Decimals(min, max, (precision, scale)) => {
                let text = |value| Decimal128Type::format_decimal(value, *precision, *scale);
                inner.bytes(1, text(*min).as_bytes());
                inner.bytes(2, text(*max).as_bytes());
                Some(6)
            }
            Bounds::Days(min, max) => {
                inner.signed(1, *min).signed(2, *max);
                Some(7)
            }
            Bounds::Bytes(sum) => sum.map(|sum| {
                inner.signed(1, sum);
                8
            }),
            Bounds::Times(min, max) => {
                // Milliseconds, rounded down: readers take the greatest to the end of its own.
                inner.signed(3, min.div_euclid(1000));
                inner.signed(4, max.div_euclid(1000));
                Some(9)
            }
            Bounds::Lengths(min, max, sum) => {
                inner.number(1, *min).number(2, *max).number(3, *sum);
                Some(12)
            }
        };
        if let Some(field) = field.filter(|field| *field < 10) {
            message.bytes(field, &inner.0);
        }
        message.number(10, u64::from(self.has_null));
        if let Some(field) = field.filter(|field| *field > 10) {
            message.bytes(field, &inner.0);
        }
        message.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_least_and_the_greatest() {
        let mut bounds = Bounds::default();
        for value in [3, -5, i64::MAX, 7] {
            bounds.add_integer(value);
        }
        assert!(matches!(bounds, Bounds::Integers(-5, i64::MAX, None)));
        let mut texts = Bounds::default();
        for text in ["b", "", "é", "a"] {
            texts.add_text(text.as_bytes());
        }
        assert!(matches!(
            texts,
            Bounds::Texts(min, max, Some(4)) if min.is_empty() && max == "é".as_bytes()
        ));
    }

    #[test]
    fn what_is_not_known_stays_so() {
        let mut bounds = Bounds::default();
        bounds.add_float(1.0);
        bounds.add_float(f64::NAN);
        bounds.add_float(2.0);
        assert!(matches!(bounds, Bounds::Unknown));
        let mut long = Summary::default();
        long.bounds.add_text(&[b'a'; MAX_TEXT + 1]);
        long.end();
        let mut all = Summary::default();
        all.bounds.add_text(b"b");
        all.add(&long);
        assert!(matches!(all.bounds, Bounds::Unknown));
    }
}
