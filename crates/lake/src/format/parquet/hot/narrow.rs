//! Arrays of kept columns in as few bytes as their values need.
//!
//! | values | kept as |
//! |---|---|
//! | whole numbers, decimals, dates and times | distances from the least, of 1, 2, 4 or 8 bytes |
//! | texts and bytes of at most 256 distinct values | the place of each among these, of 1 byte |
//! | others | as they were decoded |
//!
//! A decimal of 16 bytes takes 4, a text of a few kinds 1 of 16. Making the values anew takes about
//! as long as fetching the wide ones from memory.

mod texts;

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::filter;
use arrow::datatypes::{ArrowNativeType, BinaryViewType, DataType, StringViewType};
use arrow::error::ArrowError;

use self::texts::{Texts, texts};

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
    /// A text of more than 4 GiB.
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
            Self::Texts(texts) => texts.places.len(),
        }
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let held = match self {
            Self::Plain(array) => array.get_array_memory_size(),
            Self::Numbers(numbers) => numbers.bytes(),
            Self::Texts(texts) => {
                texts.places.get_array_memory_size() + texts.distinct.get_array_memory_size()
            }
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
            Self::Texts(texts) => texts.at(&texts.places.slice(from, count)),
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
            Self::Texts(texts) => {
                let places = filter(&texts.places.slice(from, count), chosen)?;
                texts.at(places.as_primitive())
            }
        }
    }

    fn check(&self, from: usize, count: usize) -> Result<(), ArrowError> {
        match from.checked_add(count) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(too_few()),
        }
    }
}

fn too_few() -> ArrowError {
    ArrowError::InvalidArgumentError("a kept column has too few rows".to_owned())
}

/// Numbers of at most 128 bits.
#[derive(Debug)]
pub(super) struct Numbers {
    data_type: DataType,
    least: i128,
    /// What is added to the least; anything for NULLs.
    distances: Distances,
    nulls: Option<NullBuffer>,
}

#[derive(Debug)]
enum Distances {
    Bytes1(Vec<u8>),
    Bytes2(Vec<u16>),
    Bytes4(Vec<u32>),
    Bytes8(Vec<u64>),
}

impl Distances {
    fn len(&self) -> usize {
        match self {
            Self::Bytes1(distances) => distances.len(),
            Self::Bytes2(distances) => distances.len(),
            Self::Bytes4(distances) => distances.len(),
            Self::Bytes8(distances) => distances.len(),
        }
    }
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

    /// The least and the greatest of a number and of others.
    fn bounds(first: Self, others: &[Self]) -> (Self, Self) {
        bounds_of(first, others)
    }
}

fn bounds_of<N: Number>(first: N, others: &[N]) -> (N, N) {
    let (mut least, mut greatest) = (first, first);
    for other in others {
        least = least.min(*other);
        greatest = greatest.max(*other);
    }
    (least, greatest)
}

macro_rules! numbers {
    ($($native:ty $(, $bounds:ident)?;)*) => {$(
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
            $(fn bounds(first: Self, others: &[Self]) -> (Self, Self) {
                $bounds(first, others)
            })?
        }
    )*};
}

numbers!(i16; u16; i32; u32; i64; u64; i128, bounds_of_wide;);

/// [`Number::bounds`] of numbers of 128 bits, most of which have 64.
fn bounds_of_wide(first: i128, others: &[i128]) -> (i128, i128) {
    let start = first as i64;
    let (mut least, mut greatest) = (start, start);
    let mut fits = i128::from(start) == first;
    for other in others {
        let narrow = *other as i64;
        fits &= i128::from(narrow) == *other;
        least = least.min(narrow);
        greatest = greatest.max(narrow);
    }
    match fits {
        true => (least.into(), greatest.into()),
        false => bounds_of(first, others),
    }
}

impl Numbers {
    /// `None`: the array holds no numbers, or they would take as many bytes.
    fn of(array: &ArrayRef) -> Option<Self> {
        let data = array.to_data();
        let (least, distances) = with_numbers!(array.data_type(), distances_of(&data)).flatten()?;
        Some(Self {
            data_type: array.data_type().clone(),
            least,
            distances,
            nulls: array.nulls().cloned(),
        })
    }

    fn bytes(&self) -> usize {
        let of_nulls = self
            .nulls
            .as_ref()
            .map_or(0, |nulls| nulls.buffer().capacity());
        of_nulls
            + match &self.distances {
                Distances::Bytes1(distances) => distances.capacity(),
                Distances::Bytes2(distances) => distances.capacity() * 2,
                Distances::Bytes4(distances) => distances.capacity() * 4,
                Distances::Bytes8(distances) => distances.capacity() * 8,
            }
    }

    fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        let values = with_numbers!(&self.data_type, values(self, from, count)).flatten();
        let nulls = self.nulls.as_ref();
        let nulls = nulls.map(|nulls| nulls.slice(from, count));
        self.array(values, count, nulls)
    }

    fn chosen(&self, from: usize, chosen: &BooleanBuffer) -> Result<ArrayRef, ArrowError> {
        let values = with_numbers!(&self.data_type, chosen_values(self, from, chosen)).flatten();
        let nulls = self.nulls.as_ref().map(|nulls| {
            let of_rows = chosen.set_indices();
            of_rows.map(|row| nulls.is_valid(from + row)).collect()
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

/// The least value, and how much each value is more.
fn distances_of<N: Number>(data: &ArrayData) -> Option<(i128, Distances)> {
    let values: &[N] = data.buffers().first()?.typed_data();
    let end = data.offset().checked_add(data.len())?;
    let values = values.get(data.offset()..end)?;
    let mut bounds: Option<(N, N)> = None;
    let mut extend = |run: &[N]| {
        if let Some(first) = run.first() {
            let (least, greatest) = N::bounds(*first, run);
            bounds = Some(match bounds {
                Some(others) => (others.0.min(least), others.1.max(greatest)),
                None => (least, greatest),
            });
        }
    };
    match data.nulls() {
        None => extend(values),
        Some(nulls) => {
            for (from, to) in nulls.valid_slices() {
                extend(values.get(from..to)?);
            }
        }
    }
    let zero = N::narrow(0);
    let (least, greatest) = bounds.unwrap_or((zero, zero));
    let span = u64::try_from(greatest.wide().checked_sub(least.wide())?).ok()?;
    let fits = |bytes: usize| bytes < size_of::<N>() && span <= u64::MAX >> (64 - 8 * bytes);
    // Loops over slices, as chains of closures take several times as long if they are not inlined.
    macro_rules! narrowed {
        ($narrow:ty) => {{
            let mut narrowed: Vec<$narrow> = vec![0; values.len()];
            for (narrow, value) in narrowed.iter_mut().zip(values) {
                *narrow = value.minus(least) as $narrow;
            }
            narrowed
        }};
    }
    let distances = if fits(1) {
        Distances::Bytes1(narrowed!(u8))
    } else if fits(2) {
        Distances::Bytes2(narrowed!(u16))
    } else if fits(4) {
        Distances::Bytes4(narrowed!(u32))
    } else if fits(8) {
        Distances::Bytes8(narrowed!(u64))
    } else {
        return None;
    };
    Some((least.wide(), distances))
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
    let values = match &numbers.distances {
        Distances::Bytes1(distances) => sums(least, distances.get(rows)),
        Distances::Bytes2(distances) => sums(least, distances.get(rows)),
        Distances::Bytes4(distances) => sums(least, distances.get(rows)),
        Distances::Bytes8(distances) => sums(least, distances.get(rows)),
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
    let values = match &numbers.distances {
        Distances::Bytes1(distances) => sums(least, distances.get(rows), chosen),
        Distances::Bytes2(distances) => sums(least, distances.get(rows), chosen),
        Distances::Bytes4(distances) => sums(least, distances.get(rows), chosen),
        Distances::Bytes8(distances) => sums(least, distances.get(rows), chosen),
    };
    values.map(Buffer::from_vec)
}

#[cfg(test)]
mod tests;
