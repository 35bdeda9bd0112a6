//! Arrays of kept columns in as few bytes as their values need.
//!
//! | values | kept as |
//! |---|---|
//! | whole numbers, decimals, dates and times | distances from the least, of 1, 2, 3, 4 or 8 bytes |
//! | texts and bytes that repeat | the place of each among the distinct ones, of 1 or 2 bytes |
//! | long ones that do not | one after the other, and where each ends (`listed.rs`) |
//! | others | as they were decoded |
//!
//! A decimal of 16 bytes takes 4, a text of a few kinds 1 of 16. Making the values anew takes about
//! as long as fetching the wide ones from memory. Numbers that need all of their bytes are kept as
//! distances too, so that they are in pieces of memory (`packed.rs`), and rows that are
//! returned hold no more than themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::filter;
use arrow::datatypes::{ArrowNativeType, BinaryViewType, DataType, StringViewType};
use arrow::error::ArrowError;

use super::between::Between;
use super::flags;
use super::packed::{PIECE, Small, Threes, Values, joined, pack};
use super::texts::{Texts, texts};

/// Some rows of a column.
#[derive(Debug)]
pub(super) enum Chunk {
    Plain(ArrayRef),
    Numbers(Numbers),
    Texts(Texts),
}

impl Chunk {
    /// Keeps an array, without memory that it shares with others.
    ///
    /// # Errors
    /// 4 GiB of texts.
    pub(super) fn of(array: &ArrayRef) -> Result<Self, ArrowError> {
        if let Some(numbers) = Numbers::of(array) {
            return Ok(Self::Numbers(numbers));
        }
        Ok(match array.data_type() {
            DataType::Utf8View => texts::<StringViewType>(array.as_string_view())?,
            DataType::BinaryView => texts::<BinaryViewType>(array.as_binary_view())?,
            _ => Self::Plain(Arc::clone(array)),
        })
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(array) => array.len(),
            Self::Numbers(numbers) => numbers.distances.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let held = match self {
            Self::Plain(array) => array.get_array_memory_size(),
            Self::Numbers(numbers) => numbers.distances.bytes(),
            Self::Texts(texts) => texts.bytes(),
        };
        held + size_of::<Self>()
    }

    /// Rows from `from` on, as many as `count`.
    ///
    /// # Errors
    /// There are fewer rows.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        self.check(from, count)?;
        match self {
            Self::Plain(array) if count == array.len() => Ok(Arc::clone(array)),
            Self::Plain(array) => Ok(array.slice(from, count)),
            Self::Numbers(numbers) => numbers.rows(from, count),
            Self::Texts(texts) => texts.rows(from, count),
        }
    }

    /// Of the rows from `from` on, those for which `chosen`, which has no NULLs, is true.
    ///
    /// # Errors
    /// There are fewer rows.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        let count = chosen.len();
        self.check(from, count)?;
        match self {
            Self::Plain(array) => filter(&array.slice(from, count), chosen),
            Self::Numbers(numbers) => numbers.chosen(from, chosen.values()),
            Self::Texts(texts) => texts.chosen(from, chosen),
        }
    }

    /// The values that rows may have, where rows are kept as places among them and there are no more
    /// than `most`. Not NULL.
    pub(super) fn kinds(&self, most: usize) -> Option<Result<ArrayRef, ArrowError>> {
        match self {
            Self::Plain(_) => None,
            Self::Numbers(numbers) => numbers.kinds(most),
            Self::Texts(texts) => {
                let distinct = texts.distinct()?;
                (distinct.len() <= most).then(|| Ok(Arc::clone(distinct)))
            }
        }
    }

    /// For each of the rows from `from` on, as many as `count`: the flag of its value among
    /// [`Chunk::kinds`], or that of NULL.
    ///
    /// # Errors
    /// There are fewer rows, or they are not kept as places.
    pub(super) fn flags(
        &self,
        from: usize,
        count: usize,
        of_kinds: &BooleanBuffer,
        of_null: bool,
    ) -> Result<BooleanBuffer, ArrowError> {
        self.check(from, count)?;
        let small = self.small().ok_or_else(too_few)?;
        let flags = flags::of_table(small.values(), from..from + count, of_kinds);
        let flags = flags.ok_or_else(too_few)?;
        Ok(match small.nulls(from, count) {
            None => flags,
            Some(valid) if of_null => &flags | &!valid.inner(),
            Some(valid) => &flags & valid.inner(),
        })
    }

    fn check(&self, from: usize, count: usize) -> Result<(), ArrowError> {
        match from.checked_add(count) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(too_few()),
        }
    }

    /// Moves what a column keeps of numbers and places into pieces of memory, one after the other.
    pub(super) fn pack(mut column: &mut [Self]) {
        while !column.is_empty() {
            let mut bytes = 0;
            let last = column.iter().position(|chunk| {
                bytes += chunk.bytes();
                bytes >= PIECE
            });
            let count = last.map_or(column.len(), |last| last + 1);
            let (of_piece, others) = std::mem::take(&mut column).split_at_mut(count);
            pack(of_piece, Self::small, Self::small_mut);
            column = others;
        }
    }

    fn small(&self) -> Option<&Small> {
        match self {
            Self::Plain(_) => None,
            Self::Numbers(numbers) => Some(&numbers.distances),
            Self::Texts(texts) => texts.places(),
        }
    }

    fn small_mut(&mut self) -> Option<&mut Small> {
        match self {
            Self::Plain(_) => None,
            Self::Numbers(numbers) => Some(&mut numbers.distances),
            Self::Texts(texts) => texts.places_mut(),
        }
    }
}

pub(super) fn too_few() -> ArrowError {
    ArrowError::InvalidArgumentError("a kept column has too few rows".to_owned())
}

/// Numbers of at most 128 bits.
#[derive(Debug)]
pub(super) struct Numbers {
    data_type: DataType,
    least: i128,
    /// What is added to the least for the greatest.
    span: u64,
    /// What is added to the least.
    distances: Small,
}

/// Calls a function with the type of the numbers that arrays of a type hold: `None` for types that
/// hold no whole numbers, or whose numbers may be wider than 128 bits.
macro_rules! with_numbers {
    ($data_type:expr, $call:ident($($argument:expr),*)) => {{
        use DataType as T;
        match $data_type {
            T::Int16 => Some($call::<i16>($($argument),*)),
            T::UInt16 => Some($call::<u16>($($argument),*)),
            T::Int32 | T::Date32 | T::Time32(_) | T::Decimal32(..) => {
                Some($call::<i32>($($argument),*))
            }
            T::UInt32 => Some($call::<u32>($($argument),*)),
            T::Int64
            | T::Date64
            | T::Time64(_)
            | T::Timestamp(..)
            | T::Duration(_)
            | T::Decimal64(..) => Some($call::<i64>($($argument),*)),
            T::UInt64 => Some($call::<u64>($($argument),*)),
            T::Decimal128(..) => Some($call::<i128>($($argument),*)),
            _ => None,
        }
    }};
}

/// A number of an array.
trait Number: ArrowNativeType + Ord {
    fn wide(self) -> i128;
    /// The inverse of [`Number::wide`].
    fn narrow(wide: i128) -> Self;
    fn plus(self, distance: u64) -> Self;
    /// How much it is more than another one.
    fn minus(self, least: Self) -> u64;
    /// The least and the greatest of some numbers. `None`: there are none.
    fn bounds(values: &[Self]) -> Option<(Self, Self)>;
}

macro_rules! numbers {
    ($bounds:ident: $($native:ty),*) => {$(
        impl Number for $native {
            fn wide(self) -> i128 {
                self as i128
            }
            fn narrow(wide: i128) -> Self {
                wide as Self
            }
            #[inline]
            fn plus(self, distance: u64) -> Self {
                self.wrapping_add(distance as Self)
            }
            #[inline]
            fn minus(self, least: Self) -> u64 {
                self.wrapping_sub(least) as u64
            }
            fn bounds(values: &[Self]) -> Option<(Self, Self)> {
                $bounds(values)
            }
        }
    )*};
}

numbers!(bounds: i16, u16, i32, u32, i64, u64);
numbers!(bounds_of_decimals: i128);

/// Numbers that are compared beside each other, as each waits for the one before.
const LANES: usize = 4;

/// The least and the greatest number.
fn bounds<N: Copy + Ord>(values: &[N]) -> Option<(N, N)> {
    bounds_of(values, |value| value)
}

/// The least and the greatest of the numbers that values are taken for.
#[inline]
fn bounds_of<V: Copy, N: Copy + Ord>(values: &[V], number: impl Fn(V) -> N) -> Option<(N, N)> {
    let first = number(*values.first()?);
    let (mut least, mut greatest) = ([first; LANES], [first; LANES]);
    let (lanes, rest) = values.as_chunks::<LANES>();
    for values in lanes {
        for lane in 0..LANES {
            let value = number(values[lane]);
            least[lane] = least[lane].min(value);
            greatest[lane] = greatest[lane].max(value);
        }
    }
    let rest = || rest.iter().map(|value| number(*value));
    let least = least.into_iter().chain(rest()).min()?;
    let greatest = greatest.into_iter().chain(rest()).max()?;
    Some((least, greatest))
}

/// As [`bounds`]: most decimals of 128 bits fit 64, which are compared faster.
fn bounds_of_decimals(values: &[i128]) -> Option<(i128, i128)> {
    let lost = values
        .iter()
        .fold(0, |lost, value| lost | (value ^ i128::from(*value as i64)));
    if lost != 0 {
        return bounds(values);
    }
    let (least, greatest) = bounds_of(values, |value| value as i64)?;
    Some((least.into(), greatest.into()))
}

impl Numbers {
    /// `None`: the array holds no numbers, or their distances take more than 8 bytes.
    fn of(array: &ArrayRef) -> Option<Self> {
        let data = array.to_data();
        let narrow = with_numbers!(array.data_type(), distances_of(&data)).flatten()?;
        let (least, span, distances) = narrow;
        Some(Self {
            data_type: array.data_type().clone(),
            least,
            span,
            distances: Small::new(distances, array.nulls()),
        })
    }

    /// The least and the greatest number.
    fn bounds(&self) -> (i128, i128) {
        let greatest = self.least.saturating_add(self.span.into());
        (self.least, greatest)
    }

    /// Whether a number may be between these, both included.
    pub(super) fn may_be(&self, between: &Between) -> bool {
        let (least, greatest) = self.bounds();
        between.least <= greatest && between.greatest >= least
    }

    /// For each of the rows from `from` on, as many as `count`: whether its number is among these.
    ///
    /// # Errors
    /// There are fewer rows.
    pub(super) fn among(
        &self,
        between: &Between,
        from: usize,
        count: usize,
    ) -> Result<BooleanBuffer, ArrowError> {
        let end = from.checked_add(count);
        if end.is_none_or(|end| end > self.distances.len()) {
            return Err(too_few());
        }
        let (least, greatest) = self.bounds();
        let (first, last) = (between.least.max(least), between.greatest.min(greatest));
        let inside = if first > last {
            BooleanBuffer::new_unset(count)
        } else if (first, last) == (least, greatest) {
            BooleanBuffer::new_set(count)
        } else {
            let rows = from..from + count;
            // Distances are no greater than the span.
            let (first, last) = ((first - least) as u64, (last - least) as u64);
            let inside = flags::between(self.distances.values(), rows, first, last);
            inside.ok_or_else(too_few)?
        };
        let among = if between.is_outside { !&inside } else { inside };
        Ok(match self.distances.nulls(from, count) {
            Some(valid) => &among & valid.inner(),
            None => among,
        })
    }

    /// As [`Chunk::kinds`]: all numbers between the least and the greatest.
    fn kinds(&self, most: usize) -> Option<Result<ArrayRef, ArrowError>> {
        let last = u8::try_from(self.span).ok()?;
        let count = usize::from(last) + 1;
        if !matches!(self.distances.values(), Values::Bytes1(_)) || count > most {
            return None;
        }
        let distances = Values::Bytes1((0..=last).collect());
        let all = Self {
            data_type: self.data_type.clone(),
            least: self.least,
            span: self.span,
            distances: Small::new(distances, None),
        };
        Some(all.rows(0, count))
    }

    fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        let values = with_numbers!(&self.data_type, values(self, from, count)).flatten();
        self.array(values, count, self.distances.nulls(from, count))
    }

    fn chosen(&self, from: usize, chosen: &BooleanBuffer) -> Result<ArrayRef, ArrowError> {
        let values = with_numbers!(&self.data_type, chosen_values(self, from, chosen)).flatten();
        let nulls = self.distances.has_nulls().then(|| {
            let of_rows = chosen.set_indices();
            of_rows
                .map(|row| self.distances.is_valid(from + row))
                .collect()
        });
        self.array(values, chosen.count_set_bits(), nulls)
    }

    fn array(
        &self,
        values: Option<Buffer>,
        count: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        let data = ArrayData::builder(self.data_type.clone())
            .len(count)
            .add_buffer(values.ok_or_else(too_few)?)
            .nulls(nulls.filter(|nulls| nulls.null_count() > 0));
        Ok(make_array(data.build()?))
    }
}

/// The least value, how much the greatest is more, and how much each value is more.
fn distances_of<N: Number>(data: &ArrayData) -> Option<(i128, u64, Values)> {
    let values: &[N] = data.buffers().first()?.typed_data();
    let end = data.offset().checked_add(data.len())?;
    let values = values.get(data.offset()..end)?;
    let bounds = match data.nulls() {
        None => N::bounds(values),
        Some(nulls) => {
            let runs = nulls.valid_slices();
            let bounds = runs.filter_map(|(from, to)| N::bounds(values.get(from..to)?));
            bounds.reduce(|(least, greatest), run| (least.min(run.0), greatest.max(run.1)))
        }
    };
    let (least, greatest) = bounds.unwrap_or((N::narrow(0), N::narrow(0)));
    let span = u64::try_from(greatest.wide().checked_sub(least.wide())?).ok()?;
    let distances = values.iter().map(|value| value.minus(least));
    let fits = |bytes: usize| bytes <= size_of::<N>() && span <= u64::MAX >> (64 - 8 * bytes);
    let distances = if fits(1) {
        Values::Bytes1(distances.map(|distance| distance as u8).collect())
    } else if fits(2) {
        Values::Bytes2(distances.map(|distance| distance as u16).collect())
    } else if fits(3) {
        Values::Bytes3(Threes::of(distances.map(|distance| distance as u32)))
    } else if fits(4) {
        Values::Bytes4(distances.map(|distance| distance as u32).collect())
    } else if fits(8) {
        Values::Bytes8(distances.collect())
    } else {
        return None;
    };
    Some((least.wide(), span, distances))
}

/// The values of rows.
fn values<N: Number>(numbers: &Numbers, from: usize, count: usize) -> Option<Buffer> {
    fn sums<N: Number, D: Copy + Into<u64>>(least: N, distances: Option<&[D]>) -> Option<Vec<N>> {
        let distances = distances?.iter();
        Some(
            distances
                .map(|distance| least.plus((*distance).into()))
                .collect(),
        )
    }
    let least = N::narrow(numbers.least);
    let rows = from..from + count;
    let values = match numbers.distances.values() {
        Values::Bytes1(distances) => sums(least, distances.get(rows)),
        Values::Bytes2(distances) => sums(least, distances.get(rows)),
        Values::Bytes3(distances) => distances.parts(rows).map(|(low, high)| {
            let distances = low.iter().zip(high);
            let values = distances.map(|(low, high)| least.plus(joined(*low, *high).into()));
            values.collect::<Vec<N>>()
        }),
        Values::Bytes4(distances) => sums(least, distances.get(rows)),
        Values::Bytes8(distances) => sums(least, distances.get(rows)),
    };
    values.map(Buffer::from_vec)
}

/// The values of chosen rows.
fn chosen_values<N: Number>(
    numbers: &Numbers,
    from: usize,
    chosen: &BooleanBuffer,
) -> Option<Buffer> {
    fn sums<N: Number, D: Copy + Into<u64>>(
        least: N,
        distances: Option<&[D]>,
        chosen: &BooleanBuffer,
    ) -> Option<Vec<N>> {
        let distances = distances?;
        let mut values = Vec::with_capacity(chosen.count_set_bits());
        for row in chosen.set_indices() {
            values.push(least.plus((*distances.get(row)?).into()));
        }
        Some(values)
    }
    let least = N::narrow(numbers.least);
    let rows = from..from + chosen.len();
    let values = match numbers.distances.values() {
        Values::Bytes1(distances) => sums(least, distances.get(rows), chosen),
        Values::Bytes2(distances) => sums(least, distances.get(rows), chosen),
        Values::Bytes3(distances) => distances.parts(rows).and_then(|(low, high)| {
            let distance = |row: usize| Some(joined(*low.get(row)?, *high.get(row)?));
            let values = chosen.set_indices().map(distance);
            values
                .map(|distance| Some(least.plus(distance?.into())))
                .collect::<Option<Vec<N>>>()
        }),
        Values::Bytes4(distances) => sums(least, distances.get(rows), chosen),
        Values::Bytes8(distances) => sums(least, distances.get(rows), chosen),
    };
    values.map(Buffer::from_vec)
}

#[cfg(test)]
mod tests;
