//! Small numbers of the rows of a column, and the memory that they are in.
//!
//! What is kept stays for long, what a query works with does not. Where both lie side by side in a
//! page of the allocator, the page stays too. So the numbers of a column are copied into pieces of
//! memory once the column is complete. Only those of one piece are in memory twice.

use arrow::array::{PrimitiveArray, UInt8Array, UInt16Array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::ArrowPrimitiveType;

/// What parts of a piece begin at a multiple of, in bytes: enough for numbers of any type, and a line
/// of a processor's cache.
const ALIGNED: usize = 64;

/// Bytes of a piece, about: more than what the allocator has pages with several blocks for, which are
/// of 512 KiB at most.
pub(super) const PIECE: usize = 1 << 20;

/// Numbers of 1, 2, 4 or 8 bytes, one for each row.
#[derive(Debug)]
pub(super) enum Values {
    Bytes1(ScalarBuffer<u8>),
    Bytes2(ScalarBuffer<u16>),
    Bytes4(ScalarBuffer<u32>),
    Bytes8(ScalarBuffer<u64>),
}

impl Values {
    fn buffer(&self) -> &Buffer {
        match self {
            Self::Bytes1(values) => values.inner(),
            Self::Bytes2(values) => values.inner(),
            Self::Bytes4(values) => values.inner(),
            Self::Bytes8(values) => values.inner(),
        }
    }

    /// Rows.
    fn len(&self) -> usize {
        match self {
            Self::Bytes1(values) => values.len(),
            Self::Bytes2(values) => values.len(),
            Self::Bytes4(values) => values.len(),
            Self::Bytes8(values) => values.len(),
        }
    }

    /// The same values in other memory. `buffer`: begins at a multiple of [`ALIGNED`].
    fn moved(&self, buffer: Buffer) -> Self {
        match self {
            Self::Bytes1(_) => Self::Bytes1(buffer.into()),
            Self::Bytes2(_) => Self::Bytes2(buffer.into()),
            Self::Bytes4(_) => Self::Bytes4(buffer.into()),
            Self::Bytes8(_) => Self::Bytes8(buffer.into()),
        }
    }
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
        aligned(self.values.buffer().len()) + aligned(of_nulls)
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
        append(self.values.buffer(), piece);
        if let Some(nulls) = &self.nulls {
            append(nulls.buffer(), piece);
        }
    }

    /// Takes the numbers, which were appended, from a piece, and returns the place of the next ones.
    fn move_to(&mut self, piece: &Buffer, at: usize) -> usize {
        let length = self.values.buffer().len();
        let values = piece.slice_with_length(at, length);
        self.values = self.values.moved(values);
        let mut at = at + aligned(length);
        if let Some(nulls) = &mut self.nulls {
            let length = nulls.buffer().len();
            let bits = piece.slice_with_length(at, length);
            *nulls = NullBuffer::new(BooleanBuffer::new(bits, 0, nulls.len()));
            at += aligned(length);
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
