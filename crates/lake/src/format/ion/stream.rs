//! A stream of values, cut out of the pieces of a file one by one, with the symbols that it defines.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::binary::{self, Binary, MARK};
use super::cursor::{Cursor, Item, Role, Stop, Value};
use super::symbols::{MAX_BYTES, MAX_SYMBOLS, Symbols, too_many};
use super::text::Text;
use super::{Fault, Result, broken};

/// Bytes that the texts of a table may have beyond the table's own: an entry that is a symbol is short,
/// and many tables of such entries would copy its text without end.
const MAX_NAMED_BYTES: usize = 64 * 1024;

/// UTF-8's byte order mark, at the start of text.
const BYTE_ORDER: &[u8] = b"\xEF\xBB\xBF";

/// The bytes of a file as they come. No more are kept than the longest value has, and a piece.
#[derive(Debug)]
pub(super) struct Stream {
    bytes: BytesMut,
    /// Where in them the next value begins.
    at: usize,
    /// `None`: the first bytes are not there yet.
    encoding: Option<Encoding>,
    symbols: Symbols,
    is_ended: bool,
    /// Bytes that are waited for before text is looked at again: a value of many pieces is not read
    /// anew with each of them.
    enough: usize,
    /// Values that were handed out.
    number: u64,
    /// The longest value, in bytes.
    limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Binary,
    Text,
}

/// What was found at the place.
struct Found {
    length: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Value,
    Table,
    Marker,
    /// What is none of these.
    Space,
}

impl What {
    fn of(item: &Item<'_>) -> Self {
        match (item.role, &item.value) {
            (Role::Table, Value::Struct) => Self::Table,
            (Role::Marker, _) => Self::Marker,
            _ => Self::Value,
        }
    }
}

impl Stream {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: BytesMut::new(),
            at: 0,
            encoding: None,
            symbols: Symbols::default(),
            is_ended: false,
            enough: 0,
            number: 0,
            limit,
        }
    }

    /// Adds the next piece. Values that were handed out are gone then.
    pub(super) fn push(&mut self, piece: &Bytes) {
        self.bytes.advance(self.at);
        self.at = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// No more pieces follow.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Of the last value that was handed out, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where the next whole value is; [`Stream::cursor`] reads it. `None`: more pieces are needed, or
    /// there are no more values.
    ///
    /// # Errors
    /// What follows is no Ion, is too long, or needs what is not supported.
    pub(super) fn advance(&mut self) -> Result<Option<Range<usize>>> {
        loop {
            let Some(found) = self.measure()? else {
                return Ok(None);
            };
            let range = self.at..self.at + found.length;
            self.at = range.end;
            match found.what {
                What::Value => {
                    self.number += 1;
                    return Ok(Some(range));
                }
                What::Table => self.read_table(range)?,
                What::Marker => self.symbols.reset(),
                What::Space => {}
            }
        }
    }

    /// A place before the value.
    pub(super) fn cursor(&self, range: Range<usize>) -> Cursor<'_> {
        let bytes = self.bytes.get(range).unwrap_or_default();
        match self.encoding {
            Some(Encoding::Binary) => Cursor::Binary(Binary::new(bytes, &self.symbols)),
            _ => Cursor::Text(Text::new(bytes, false, &self.symbols)),
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn measure(&mut self) -> Result<Option<Found>> {
        if self.encoding.is_none() {
            let rest = self.rest();
            if rest.len() < MARK.len() && !self.is_ended {
                return Ok(None);
            }
            let is_binary = rest.first() == MARK.first();
            let order = match rest.starts_with(BYTE_ORDER) {
                true => BYTE_ORDER.len(),
                false => 0,
            };
            self.encoding = Some(match is_binary {
                true => Encoding::Binary,
                false => Encoding::Text,
            });
            self.at += order;
        }
        match self.encoding {
            Some(Encoding::Binary) => self.measure_binary(),
            _ => self.measure_text(),
        }
    }

    fn measure_binary(&self) -> Result<Option<Found>> {
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.first() == MARK.first() {
            return match rest.get(..MARK.len()) {
                Some(mark) if mark == MARK => Ok(Some(Found {
                    length: MARK.len(),
                    what: What::Marker,
                })),
                Some([_, major, minor, 0xEA]) => Err(Fault::NotSupported(format!(
                    "is of Ion {major}.{minor}; Ion 1.0 is read"
                ))),
                Some(_) => Err(broken("its version marker is none")),
                None => self.incomplete(),
            };
        }
        let Some(length) = binary::length(rest)? else {
            return self.incomplete();
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.limit)
            .ok_or_else(|| self.too_long())?;
        let Some(bytes) = rest.get(..length) else {
            return self.incomplete();
        };
        let mut cursor = Cursor::Binary(Binary::new(bytes, &self.symbols));
        let item = cursor.next().map_err(Stop::fault)?;
        let what = item.as_ref().map_or(What::Space, What::of);
        if item.is_some_and(|item| item.value.is_container()) {
            cursor.enter().map_err(Stop::fault)?;
            check(&mut cursor).map_err(Stop::fault)?;
        }
        Ok(Some(Found { length, what }))
    }

    fn measure_text(&mut self) -> Result<Option<Found>> {
        let space = self.rest().iter();
        let space = space.take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += space;
        let rest = self.rest();
        if rest.is_empty() || (rest.len() < self.enough && !self.is_ended) {
            return Ok(None);
        }
        let mut text = Text::new(rest, !self.is_ended, &self.symbols);
        let what = text.next().and_then(|item| {
            let what = item.as_ref().map_or(What::Space, What::of);
            text.leave_to(0)?;
            Ok(what)
        });
        let length = text.position();
        match what {
            Ok(_) if length > self.limit => Err(self.too_long()),
            Ok(what) => {
                self.enough = 0;
                Ok(Some(Found { length, what }))
            }
            Err(Stop::Fault(fault)) => Err(fault),
            Err(Stop::More) if rest.len() > self.limit => Err(self.too_long()),
            Err(Stop::More) => {
                self.enough = rest
                    .len()
                    .saturating_mul(2)
                    .min(self.limit.saturating_add(1));
                self.incomplete()
            }
        }
    }

    fn incomplete(&self) -> Result<Option<Found>> {
        match self.is_ended {
            true => Err(broken("its last value is cut short")),
            false => Ok(None),
        }
    }

    fn too_long(&self) -> Fault {
        broken(format!(
            "a value has at most {} bytes, one has more (lake.max_row_size)",
            self.limit
        ))
    }

    fn read_table(&mut self, range: Range<usize>) -> Result<()> {
        let longest = range.len().saturating_add(MAX_NAMED_BYTES).min(MAX_BYTES);
        let table = table(self.cursor(range), longest).map_err(Stop::fault)?;
        if !table.appends {
            self.symbols.reset();
        }
        for symbol in table.symbols {
            self.symbols.add(symbol)?;
        }
        Ok(())
    }
}

/// Reads all that is in the container that was entered, and leaves it.
fn check(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    loop {
        match cursor.next()? {
            Some(item) if item.value.is_container() => cursor.enter()?,
            Some(_) => {}
            None => {
                let Some(depth) = cursor.depth().checked_sub(1) else {
                    return Ok(());
                };
                cursor.leave_to(depth)?;
                if depth == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// Symbols that a stream adds.
#[derive(Debug, Default)]
struct Table {
    /// To those that it has.
    appends: bool,
    symbols: Vec<Option<String>>,
    /// Of the texts of `symbols`.
    bytes: usize,
}

/// `longest`: bytes that the texts may have.
fn table(mut cursor: Cursor<'_>, longest: usize) -> Result<Table, Stop> {
    let mut table = Table::default();
    cursor.next()?;
    cursor.enter()?;
    while let Some(item) = cursor.next()? {
        match (item.field.as_deref(), item.value) {
            (Some("imports"), Value::Text(text)) => {
                table.appends = text == super::symbols::TABLE;
            }
            (Some("imports"), Value::List) => check_imports(&mut cursor)?,
            (Some("symbols"), Value::List) => {
                let depth = cursor.depth();
                cursor.enter()?;
                while let Some(item) = cursor.next()? {
                    let text = match item.value {
                        Value::Text(text) => Some(text),
                        _ => None,
                    };
                    // An entry of two bytes may be a symbol, with a long text.
                    table.bytes += text.as_ref().map_or(0, |text| text.len());
                    if table.symbols.len() >= MAX_SYMBOLS || table.bytes > longest {
                        return Err(too_many().into());
                    }
                    table.symbols.push(text.map(Cow::into_owned));
                }
                cursor.leave_to(depth)?;
            }
            _ => {}
        }
    }
    Ok(table)
}

/// There is no catalog that tables of other files could be looked up in.
fn check_imports(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let depth = cursor.depth();
    cursor.enter()?;
    while let Some(item) = cursor.next()? {
        if item.value != Value::Struct {
            continue;
        }
        let inner = cursor.depth();
        cursor.enter()?;
        while let Some(item) = cursor.next()? {
            if let (Some("name"), Value::Text(name)) = (item.field.as_deref(), &item.value)
                && name != "$ion"
            {
                let name: String = name.chars().take(80).collect();
                return Err(Stop::Fault(Fault::NotSupported(format!(
                    "imports the shared symbol table '{}', and there is none to import from; write it with symbols of its own",
                    name.escape_default()
                ))));
            }
        }
        cursor.leave_to(inner)?;
    }
    cursor.leave_to(depth)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn symbols_that_name_symbols_do_not_grow_beyond_the_bound() {
        let long = "x".repeat(1 << 20);
        let names = "$10,".repeat(40);
        let text = format!(
            "$ion_1_0 $ion_symbol_table::{{symbols:[\"{long}\"]}} $ion_symbol_table::{{symbols:[{names}]}} 1"
        );
        let error = values(text.as_bytes(), text.len(), 1 << 22).unwrap_err();
        assert!(error.to_string().contains("symbols"), "{error}");
        for (length, is_read) in [(1000, true), (1 << 17, false)] {
            let long = "x".repeat(length);
            let text = format!(
                "$ion_symbol_table::{{symbols:[\"{long}\"]}} $ion_symbol_table::{{symbols:[$10]}} 1"
            );
            let read = values(text.as_bytes(), text.len(), 1 << 22);
            assert_eq!(read.is_ok(), is_read, "{length}");
        }
    }

    /// The values of a stream that comes in pieces of a size: their fields, or themselves.
    fn values(bytes: &[u8], size: usize, limit: usize) -> Result<Vec<String>> {
        let mut stream = Stream::new(limit);
        let mut pieces = bytes.chunks(size);
        let mut all = Vec::new();
        loop {
            while let Some(range) = stream.advance()? {
                let mut cursor = stream.cursor(range);
                let item = cursor.next().map_err(Stop::fault)?.unwrap();
                let mut shown = format!("{:?}", item.value);
                if item.value.is_container() {
                    cursor.enter().map_err(Stop::fault)?;
                    while let Some(item) = cursor.next().map_err(Stop::fault)? {
                        shown.push_str(&format!(" {}", item.field.unwrap_or_default()));
                    }
                }
                all.push(shown);
            }
            if stream.is_ended() {
                return Ok(all);
            }
            match pieces.next() {
                Some(piece) => stream.push(&Bytes::copy_from_slice(piece)),
                None => stream.end(),
            }
        }
    }

    #[test]
    fn values_are_cut_however_the_pieces_are() {
        let text =
            "\u{feff}$ion_1_0 $ion_symbol_table::{symbols:['a b', \"c\"]} {$10:1,$11:[2]} /**/
            $ion_symbol_table::{imports:$ion_symbol_table, symbols:[\"d\"]} {$10:1,$12:2} \"x\" 12";
        let expected = ["Struct a b c", "Struct a b d", "Text(\"x\")"];
        for size in 1..text.len() {
            let found = values(text.as_bytes(), size, 1000).unwrap();
            assert_eq!(found[..3], expected, "{size}");
            assert_eq!(found.len(), 4);
        }
        // The table adds `a`; then a struct, a reset, and a bool.
        let binary = [
            &MARK[..],
            &[0xE7, 0x81, 0x83, 0xD4, 0x87, 0xB2, 0x81, b'a'],
            &[0xD2, 0x8A, 0x11],
            &MARK,
            &[0x00, 0x11],
        ]
        .concat();
        for size in 1..binary.len() {
            let found = values(&binary, size, 1000).unwrap();
            assert_eq!(found, ["Struct a", "Boolean(true)"], "{size}");
        }
        assert_eq!(values(b"", 1, 10).unwrap(), Vec::<String>::new());
        assert_eq!(values(b" \n", 1, 10).unwrap(), Vec::<String>::new());
        // The reset forgot the symbol.
        let forgotten = [&binary[..], &[0xD2, 0x8A, 0x11]].concat();
        assert!(values(&forgotten, 5, 1000).is_err());
    }

    #[test]
    fn what_is_not_read_is_named() {
        let cases: &[(&[u8], &str)] = &[
            (b"\xE0\x01\x01\xEA", "Ion 1.1"),
            (b"\xE0\x01\x00\xEB", "version marker"),
            (b"\xE0\x01\x00\xEA\xD5\x84", "cut short"),
            (b"$ion_1_1 {a:1}", "$ion_1_1"),
            (b"{a:1", "cut short"),
            (b"\xE0\x01\x00\xEA\xBE\x7F\x7F\x7F\xFF", "lake.max_row_size"),
            (
                b"$ion_symbol_table::{imports:[{name:\"com.example\",version:1}]}",
                "'com.example'",
            ),
            (b"$ion_symbol_table::{symbols:[\"a\"]} {$11:1}", "symbol 11"),
        ];
        for (bytes, part) in cases {
            let error = values(bytes, 7, 80).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        let long = format!("\"{}", "x".repeat(1000));
        let error = values(long.as_bytes(), 10, 80).unwrap_err();
        assert!(error.to_string().contains("lake.max_row_size"), "{error}");
    }

    #[test]
    fn all_of_a_value_is_checked() {
        let nested = [&MARK[..], &[0xB4, 0xB3, 0xB2, 0x81, 0xFF]].concat();
        assert!(values(&nested, 100, 1000).is_err());
        let mut deep = MARK.to_vec();
        // Lists of one list, by hand: each is a byte longer than the next.
        deep.extend((0..13_u8).rev().map(|length| 0xB0 | length));
        assert!(values(&deep, 100, 1000).is_ok());
    }
}
