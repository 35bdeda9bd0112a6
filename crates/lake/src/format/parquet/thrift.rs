//! Thrift's compact encoding, walked without building anything.
//!
//! The Parquet crate allocates what a footer or a page header claims before it has read it, and
//! descends as deep as a schema says. So what comes from a file is walked here first: a list has as
//! many items as it claims, what is known has the type that the crate will read it as, and nothing
//! nests without end.
//!
//! Source: the compact protocol's specification in apache/thrift,
//! `doc/specs/thrift-compact-protocol.md`.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use parquet::errors::{ParquetError, Result};

use super::shapes::ELEMENT_CONVERTED;

/// The annotations of the enumeration `ConvertedType`.
const CONVERTED_TYPES: RangeInclusive<i64> = 0..=21;

/// The most items of a list, far above what a footer has: columns, row groups, entries of its
/// metadata.
const MAX_ITEMS: usize = 1 << 20;

/// How deep fields that are not known may nest.
const MAX_SKIP_DEPTH: usize = 32;

/// The type of a field as the reader takes it.
pub(super) enum Kind {
    Bool,
    Byte,
    /// Integers of 16 to 64 bits and enumerations, which are written alike.
    Int,
    Double,
    Binary,
    List(&'static Kind),
    Struct(&'static Shape),
}

/// A struct: which one, and its fields by id. Fields that are not listed are skipped.
pub(super) struct Shape {
    pub part: Part,
    pub fields: &'static [(i16, Kind)],
}

/// The structs whose numbers a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    SchemaElement,
    PageHeader,
    DictionaryPage,
    DataPageV2,
    Other,
}

/// Sees a walk's numbers as they come, and may end it.
pub(super) trait Watch {
    fn int(&mut self, part: Part, field: i16, value: i64) -> Result<()>;

    fn flag(&mut self, _part: Part, _field: i16, _value: bool) {}

    /// The struct whose numbers came last is over.
    fn end(&mut self, part: Part) -> Result<()>;
}

/// A place in some bytes.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The number that was walked last.
    number: i64,
    /// What is to be other in the bytes, in their order. None: a field that does not fit is an
    /// error.
    edits: Option<Vec<Edit>>,
}

/// Bytes that others take the place of.
struct Edit {
    place: Range<usize>,
    by: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            number: 0,
            edits: None,
        }
    }

    /// Leaves out, as other readers do, fields of another type than their shape says and
    /// annotations that are not known: [`mended`](Self::mended) has the bytes without them.
    pub(super) fn mending(bytes: &'a [u8]) -> Self {
        Self {
            edits: Some(Vec::new()),
            ..Self::new(bytes)
        }
    }

    /// The bytes without what was left out.
    pub(super) fn mended(self) -> Cow<'a, [u8]> {
        let edits = self.edits.unwrap_or_default();
        if edits.is_empty() {
            return Cow::Borrowed(self.bytes);
        }
        let mut mended = Vec::with_capacity(self.bytes.len());
        let mut from = 0;
        for edit in edits {
            mended.extend_from_slice(self.bytes.get(from..edit.place.start).unwrap_or_default());
            mended.extend(edit.by);
            from = edit.place.end;
        }
        mended.extend_from_slice(self.bytes.get(from..).unwrap_or_default());
        Cow::Owned(mended)
    }

    /// Bytes walked so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Walks one struct to its end.
    ///
    /// # Errors
    /// The bytes end before it, a field of another type than its shape says, a claim that cannot be
    /// true.
    pub(super) fn structure(&mut self, shape: &Shape, watch: &mut impl Watch) -> Result<()> {
        let mut last = 0;
        let mut left_out = false;
        loop {
            let start = self.at;
            let Some((id, code)) = self.field(last)? else {
                break;
            };
            last = id;
            // A field's number may be stored as the distance to the one before, which may be left
            // out.
            if left_out {
                let place = start..self.at;
                self.edit(place, header(id, code));
            }
            let kind = shape.fields.iter().find(|(known, _)| *known == id);
            left_out = match kind {
                Some((_, kind)) if self.edits.is_some() && !kind.is_written_as(code) => {
                    self.skip(code, MAX_SKIP_DEPTH)?;
                    true
                }
                Some((_, kind)) => {
                    self.value(code, kind, shape.part, id, watch)?;
                    shape.part == Part::SchemaElement
                        && id == ELEMENT_CONVERTED
                        && !CONVERTED_TYPES.contains(&self.number)
                }
                None => {
                    self.skip(code, MAX_SKIP_DEPTH)?;
                    false
                }
            };
            if left_out {
                self.leave_out(start);
            }
        }
        watch.end(shape.part)
    }

    fn edit(&mut self, place: Range<usize>, by: Vec<u8>) {
        if let Some(edits) = &mut self.edits {
            edits.push(Edit { place, by });
        }
    }

    /// Leaves out what was walked since `start`.
    fn leave_out(&mut self, start: usize) {
        let place = start..self.at;
        if let Some(edits) = &mut self.edits {
            edits.retain(|edit| edit.place.start < start);
        }
        self.edit(place, Vec::new());
    }

    /// The id and the type of the next field; none at the struct's end.
    fn field(&mut self, last: i16) -> Result<Option<(i16, u8)>> {
        let header = self.byte()?;
        let (delta, code) = (header >> 4, header & 0x0f);
        if code == STOP {
            return Ok(None);
        }
        let id = match delta {
            0 => i16::try_from(self.int()?).ok(),
            _ => last.checked_add(i16::from(delta)),
        };
        let id = id.ok_or_else(|| broken("a field's number is out of range"))?;
        Ok(Some((id, code)))
    }

    fn value(
        &mut self,
        code: u8,
        kind: &Kind,
        part: Part,
        field: i16,
        watch: &mut impl Watch,
    ) -> Result<()> {
        if !kind.is_written_as(code) {
            return Err(broken("a field has another type than it should have"));
        }
        match kind {
            // A struct's booleans are in the type itself.
            Kind::Bool => {
                watch.flag(part, field, code == TRUE);
                Ok(())
            }
            Kind::Int => {
                let value = self.int()?;
                self.number = value;
                watch.int(part, field, value)
            }
            Kind::Struct(shape) => self.structure(shape, watch),
            Kind::List(item) => {
                let Some((code, items)) = self.list()? else {
                    return Ok(());
                };
                for _ in 0..items {
                    self.value(code, item, part, field, watch)?;
                }
                Ok(())
            }
            Kind::Byte | Kind::Double | Kind::Binary => self.skip(code, 1),
        }
    }

    /// The items' type and number; none for an empty list, whose type some writers leave out.
    fn list(&mut self) -> Result<Option<(u8, usize)>> {
        let header = self.byte()?;
        let (short, code) = (header >> 4, header & 0x0f);
        let items = match short {
            0 => return Ok(None),
            15 => self.count()?,
            short => usize::from(short),
        };
        Ok(Some((code, items)))
    }

    /// How many items follow: each takes a byte or more.
    fn count(&mut self) -> Result<usize> {
        let claimed = self.unsigned()?;
        usize::try_from(claimed)
            .ok()
            .filter(|items| *items <= MAX_ITEMS && *items <= self.bytes.len() - self.at)
            .ok_or_else(|| broken(format!("a list claims {claimed} items")))
    }

    fn skip(&mut self, code: u8, depth: usize) -> Result<()> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(broken("its fields nest too deep"));
        };
        match code {
            TRUE | FALSE => Ok(()),
            BYTE => self.forward(1),
            I16 | I32 | I64 => self.unsigned().map(|_| ()),
            DOUBLE => self.forward(8),
            UUID => self.forward(16),
            BINARY => {
                let length = self.unsigned()?;
                self.forward(usize::try_from(length).unwrap_or(usize::MAX))
            }
            STRUCT => {
                while let Some((_, code)) = self.field(0)? {
                    self.skip(code, below)?;
                }
                Ok(())
            }
            LIST | SET => {
                let Some((code, items)) = self.list()? else {
                    return Ok(());
                };
                self.skip_items(&[code], items, below)
            }
            MAP => {
                let items = self.count()?;
                if items == 0 {
                    return Ok(());
                }
                let codes = self.byte()?;
                self.skip_items(&[codes >> 4, codes & 0x0f], items, below)
            }
            _ => Err(broken("a field has a type that there is not")),
        }
    }

    fn skip_items(&mut self, codes: &[u8], items: usize, depth: usize) -> Result<()> {
        // The crate takes no byte for a boolean in a list, and would go on at another byte than this
        // reader.
        if codes.contains(&TRUE) || codes.contains(&FALSE) {
            return Err(broken("a list has items of another type than it should"));
        }
        for _ in 0..items {
            for code in codes {
                self.skip(*code, depth)?;
            }
        }
        Ok(())
    }

    fn int(&mut self) -> Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn unsigned(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(broken("a number does not end"))
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = self.bytes.get(self.at).copied().ok_or_else(ended)?;
        self.at += 1;
        Ok(byte)
    }

    fn forward(&mut self, length: usize) -> Result<()> {
        if length > self.bytes.len() - self.at {
            return Err(ended());
        }
        self.at += length;
        Ok(())
    }
}

const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Where in a struct's bytes the number of a field is; none if it has no such field.
pub(super) fn place_of(bytes: &[u8], wanted: i16) -> Option<Range<usize>> {
    let mut walk = Walk::new(bytes);
    let mut last = 0;
    while let Some((id, code)) = walk.field(last).ok()? {
        let start = walk.at;
        walk.skip(code, MAX_SKIP_DEPTH).ok()?;
        if id == wanted {
            return Some(start..walk.at);
        }
        last = id;
    }
    None
}

/// The header of a field with its number in full.
fn header(id: i16, code: u8) -> Vec<u8> {
    let id = i64::from(id);
    let mut number = ((id << 1) ^ (id >> 63)).cast_unsigned();
    let mut header = vec![code];
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            header.push(low);
            return header;
        }
        header.push(low | 0x80);
    }
}

impl Kind {
    fn is_written_as(&self, code: u8) -> bool {
        match self {
            Kind::Bool => matches!(code, TRUE | FALSE),
            Kind::Byte => code == BYTE,
            Kind::Int => matches!(code, I16 | I32 | I64),
            Kind::Double => code == DOUBLE,
            Kind::Binary => code == BINARY,
            Kind::List(_) => code == LIST,
            Kind::Struct(_) => code == STRUCT,
        }
    }
}

fn ended() -> ParquetError {
    broken("it ends in the middle of a field")
}

pub(super) fn broken(what: impl Into<String>) -> ParquetError {
    ParquetError::General(what.into())
}
