//! Small numbers of the rows of a column, and the memory that they are in.
//!
//! What is kept stays for long, what a query works with does not. Where both lie side by side in a
//! page of the allocator, the page stays too. So the numbers of a column are copied into pieces of
//! memory once the column is complete. Only those of one piece are in memory twice.

use std::ops::Range;

use arrow::array::{PrimitiveArray, UInt8Array, UInt16Array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::ArrowPrimitiveType;

/// What parts of a piece begin at a multiple of, in bytes: enough for numbers of any type, and a line
/// of a processor's cache.
const ALIGNED: usize = 64;

/// Bytes of a piece, about: more than what the allocator has pages with several blocks for, which are
/// of 512 KiB at most.
pub(super) const PIECE: usize = 1 << 20;

/// Numbers of 1, 2, 3, 4 or 8 bytes, one for each row.
#[derive(Debug)]
pub(super) enum Values {
    Bytes1(ScalarBuffer<u8>),
    Bytes2(ScalarBuffer<u16>),
    Bytes3(Threes),
    Bytes4(ScalarBuffer<u32>),
    Bytes8(ScalarBuffer<u64>),
}

impl Values {
    /// The memory that the numbers are in.
    fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        let (first, second) = match self {
            Self::Bytes1(values) => (values.inner(), None),
            Self::Bytes2(values) => (values.inner(), None),
            Self::Bytes3(threes) => (threes.low.inner(), Some(threes.high.inner())),
            Self::Bytes4(values) => (values.inner(), None),
            Self::Bytes8(values) => (values.inner(), None),
        };
        std::iter::once(first).chain(second)
    }

    /// Rows.
    fn len(&self) -> usize {
        match self {
            Self::Bytes1(values) => values.len(),
            Self::Bytes2(values) => values.len(),
            Self::Bytes3(threes) => threes.low.len(),
            Self::Bytes4(values) => values.len(),
            Self::Bytes8(values) => values.len(),
        }
    }

    /// The same values in other memory. `next`: returns copies of the buffers, in order, that begin at a
    /// multiple of [`ALIGNED`].
    fn moved(&self, mut next: impl FnMut(&Buffer) -> Buffer) -> Self {
        match self {
            Self::Bytes1(values) => Self::Bytes1(next(values.inner()).into()),
            Self::Bytes2(values) => Self::Bytes2(next(values.inner()).into()),
            Self::Bytes3(threes) => Self::Bytes3(Threes {
                low: next(threes.low.inner()).into(),
                high: next(threes.high.inner()).into(),
            }),
            Self::Bytes4(values) => Self::Bytes4(next(values.inner()).into()),
            Self::Bytes8(values) => Self::Bytes8(next(values.inner()).into()),
        }
    }
}

/// Numbers of 3 bytes. Two bytes and one lie apart, so that the compiler makes vectors of loops over both:
/// keys and amounts of a large table take a quarter less than in 4 bytes, and little more time.
#[derive(Debug)]
pub(super) struct Threes {
    low: ScalarBuffer<u16>,
    /// As many.
    high: ScalarBuffer<u8>,
}

impl Threes {
    /// Numbers below 2<sup>24</sup>.
    pub(super) fn of(numbers: impl Iterator<Item = u32> + Clone) -> Self {
        Self {
            low: numbers.clone().map(|number| number as u16).collect(),
            high: numbers.map(|number| (number >> 16) as u8).collect(),
        }
    }

    /// The lower two bytes of rows, and the third ones, which [`joined`] puts together.
    pub(super) fn parts(&self, rows: Range<usize>) -> Option<(&[u16], &[u8])> {
        self.low.get(rows.clone()).zip(self.high.get(rows))
    }
}

/// A number of 3 bytes.
#[inline]
pub(super) fn joined(low: u16, high: u8) -> u32 {
    u32::from(low) | (u32::from(high) << 16)
}

/// A number for each row, or NULL.
#[derive(Debug)]
pub(super) struct Small {
    values: Values,
    /// Begins with the first bit of its buffer. `None`: there are no NULLs.
    nulls: Option<NullBuffer>,
}

impl Small {
    /// `values`: of vectors without spare room; anything for NULLs. `nulls`: for as many rows.
    pub(super) fn new(values: Values, nulls: Option<&NullBuffer>) -> Self {
        Self {
            values,
            nulls: nulls.and_then(|nulls| copied(nulls, 0, nulls.len())),
        }
    }

    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Memory that the numbers take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let of_nulls = self.nulls.as_ref().map_or(0, |nulls| nulls.buffer().len());
        let of_values = self.values.buffers().map(|buffer| aligned(buffer.len()));
        of_values.sum::<usize>() + aligned(of_nulls)
    }

    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    pub(super) fn has_nulls(&self) -> bool {
        self.nulls.is_some()
    }

    /// Which of the rows from `from` on are NULL, in memory of its own, so that rows which are returned
    /// do not hold the column.
    pub(super) fn nulls(&self, from: usize, count: usize) -> Option<NullBuffer> {
        copied(self.nulls.as_ref()?, from, count)
    }

    /// The numbers of the rows from `from` on, if they have one byte.
    pub(super) fn bytes_from(&self, from: usize, count: usize) -> Option<UInt8Array> {
        match &self.values {
            Values::Bytes1(values) => Some(self.array(values, from, count)),
            _ => None,
        }
    }

    /// As [`Small::bytes_from`], if they have two bytes.
    pub(super) fn pairs_from(&self, from: usize, count: usize) -> Option<UInt16Array> {
        match &self.values {
            Values::Bytes2(values) => Some(self.array(values, from, count)),
            _ => None,
        }
    }

    fn array<T: ArrowPrimitiveType>(
        &self,
        values: &ScalarBuffer<T::Native>,
        from: usize,
        count: usize,
    ) -> PrimitiveArray<T> {
        PrimitiveArray::new(values.slice(from, count), self.nulls(from, count))
    }

    /// Appends the numbers to a piece.
    fn append(&self, piece: &mut MutableBuffer) {
        for buffer in self.values.buffers() {
            append(buffer, piece);
        }
        if let Some(nulls) = &self.nulls {
            append(nulls.buffer(), piece);
        }
    }

    /// Takes the numbers, which were appended, from a piece, and returns the place of the next ones.
    fn move_to(&mut self, piece: &Buffer, at: usize) -> usize {
        let mut at = at;
        let mut next = |buffer: &Buffer| {
            let copy = piece.slice_with_length(at, buffer.len());
            at += aligned(buffer.len());
            copy
        };
        self.values = self.values.moved(&mut next);
        if let Some(nulls) = &mut self.nulls {
            let bits = next(nulls.buffer());
            *nulls = NullBuffer::new(BooleanBuffer::new(bits, 0, nulls.len()));
        }
        at
    }
}

/// Which of the rows from `from` on are NULL, with memory for these only. `None`: none is.
fn copied(nulls: &NullBuffer, from: usize, count: usize) -> Option<NullBuffer> {
    let nulls = nulls.slice(from, count);
    if nulls.null_count() == 0 {
        return None;
    }
    let bits = Buffer::from(nulls.inner().sliced().as_slice());
    Some(NullBuffer::new(BooleanBuffer::new(bits, 0, count)))
}

fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNED)
}

fn append(buffer: &Buffer, piece: &mut MutableBuffer) {
    piece.extend_from_slice(buffer.as_slice());
    piece.extend_zeros(aligned(piece.len()) - piece.len());
}

/// Moves the numbers of parts of a column into one piece of memory. `read` and `write` return those of
/// a part, if it has any.
pub(super) fn pack<C>(
    parts: &mut [C],
    read: impl Fn(&C) -> Option<&Small>,
    write: impl Fn(&mut C) -> Option<&mut Small>,
) {
    let bytes: usize = parts.iter().filter_map(&read).map(Small::bytes).sum();
    let mut piece = MutableBuffer::with_capacity(bytes);
    for small in parts.iter().filter_map(&read) {
        small.append(&mut piece);
    }
    let piece = Buffer::from(piece);
    let mut at = 0;
    for small in parts.iter_mut().filter_map(&write) {
        at = small.move_to(&piece, at);
    }
}
