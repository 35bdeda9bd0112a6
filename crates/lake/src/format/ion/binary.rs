//! Ion 1.0 binary: a value's type, its length and its bytes.
//!
//! | high half of the first byte | | low half |
//! |---|---|---|
//! | 0 null, 1 bool, 2 and 3 int, 4 float, 5 decimal, 6 timestamp, 7 symbol | scalars | the length; 14: it follows; 15: NULL |
//! | 8 string, 9 clob, 10 blob | | |
//! | 11 list, 12 S-expression, 13 struct | containers | of a struct 1: the length follows |
//! | 14 | annotations, and the value that has them | |
//!
//! Null with another low half than 15 is padding.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::cursor::{Item, MAX_DEPTH, Role, Value, too_deep};
use super::numbers::{Number, micros};
use super::symbols::{Symbols, TABLE};
use super::{Result, broken};
use crate::format::text::times::Moment;

/// The mark of a stream, and of a version within one.
pub(super) const MARK: [u8; 4] = [0xE0, 0x01, 0x00, 0xEA];

/// A place between the values of a slice that ends with one.
#[derive(Debug, Clone)]
pub(super) struct Binary<'a> {
    bytes: &'a [u8],
    at: usize,
    levels: Vec<Level>,
    /// The container that was returned last.
    pending: Option<Level>,
    symbols: &'a Symbols,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    start: usize,
    end: usize,
    is_struct: bool,
}

/// The beginning of a value.
#[derive(Debug, Clone, Copy)]
struct Head {
    kind: u8,
    low: u8,
    start: usize,
    end: usize,
}

impl Head {
    fn is_padding(self) -> bool {
        self.kind == 0 && self.low != 15
    }
}

/// The length of a value with what is before its content. `None`: more bytes are needed to say it.
///
/// # Errors
/// There is no such value.
pub(super) fn length(bytes: &[u8]) -> Result<Option<u64>> {
    let Some((first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let (kind, low) = (first >> 4, first & 15);
    if kind == 15 {
        return Err(broken("it has a value of no type"));
    }
    if !has_length(kind, low) {
        return Ok(Some(1 + short_length(kind, low)));
    }
    let Some((length, taken)) = var_uint(rest)? else {
        return Ok(None);
    };
    Ok(Some(length.saturating_add(1 + taken as u64)))
}

/// Whether the length follows the first byte.
fn has_length(kind: u8, low: u8) -> bool {
    match kind {
        1 => false,
        13 if low == 1 => true,
        _ => low == 14,
    }
}

/// Of a value whose first byte says its length.
fn short_length(kind: u8, low: u8) -> u64 {
    match (kind, low) {
        (1, _) | (_, 15) => 0,
        _ => u64::from(low),
    }
}

/// A number without a sign in bytes of seven bits, and how many they are. `None`: it is cut short.
fn var_uint(bytes: &[u8]) -> Result<Option<(u64, usize)>> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        if value >> 57 != 0 {
            return Err(broken("a number is too large"));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            return Ok(Some((value, index + 1)));
        }
        // Zeros in front may be many; what is longer than this is not a number of any writer.
        if index > 15 {
            return Err(broken("a number is too long"));
        }
    }
    Ok(None)
}

impl<'a> Binary<'a> {
    pub(super) fn new(bytes: &'a [u8], symbols: &'a Symbols) -> Self {
        Self {
            bytes,
            at: 0,
            levels: Vec::new(),
            pending: None,
            symbols,
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn enter(&mut self) -> Result<()> {
        let level = self.pending.take();
        let level = level.ok_or_else(|| broken("a value is not a container"))?;
        if self.levels.len() >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.at = level.start;
        self.levels.push(level);
        Ok(())
    }

    pub(super) fn leave_to(&mut self, depth: usize) {
        self.pending = None;
        if let Some(level) = self.levels.get(depth) {
            self.at = level.end;
            self.levels.truncate(depth);
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>> {
        self.pending = None;
        let symbols = self.symbols;
        loop {
            let level = self.levels.last().copied();
            let end = level.map_or(self.bytes.len(), |level| level.end);
            if self.at >= end {
                return Ok(None);
            }
            let field = match level {
                Some(level) if level.is_struct => {
                    let id = self.var_uint(end)?;
                    symbols.text(id)?
                }
                _ => None,
            };
            let head = self.head(end)?;
            if head.is_padding() {
                self.at = head.end;
                continue;
            }
            let (head, role) = match head.kind {
                14 => self.annotated(head)?,
                _ => (head, Role::Data),
            };
            let value = self.value(head)?;
            self.at = head.end;
            return Ok(Some(Item {
                field: field.map(Cow::Borrowed),
                role,
                value,
            }));
        }
    }

    /// The value behind annotations.
    fn annotated(&mut self, outer: Head) -> Result<(Head, Role)> {
        if outer.low == 15 || outer.start == outer.end {
            return Err(broken("annotations have no value"));
        }
        let length = self.var_uint(outer.end)?;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length))
            .filter(|end| *end < outer.end && length > 0)
            .ok_or_else(|| broken("annotations are longer than what they are in"))?;
        let mut role = None;
        while self.at < end {
            let id = self.var_uint(end)?;
            let text = self.symbols.text(id)?;
            role.get_or_insert(match text {
                Some(TABLE) => Role::Table,
                _ => Role::Data,
            });
        }
        let head = self.head(outer.end)?;
        if head.kind == 14 || head.is_padding() || head.end != outer.end {
            return Err(broken("annotations do not go with their value"));
        }
        Ok((head, role.unwrap_or(Role::Data)))
    }

    /// Reads the first bytes of a value that ends before `limit`.
    fn head(&mut self, limit: usize) -> Result<Head> {
        let byte = self.bytes.get(self.at).filter(|_| self.at < limit);
        let byte = *byte.ok_or_else(|| broken("a value is cut short"))?;
        self.at += 1;
        let (kind, low) = (byte >> 4, byte & 15);
        if kind == 15 {
            return Err(broken("it has a value of no type"));
        }
        let length = match has_length(kind, low) {
            true => self.var_uint(limit)?,
            false => short_length(kind, low),
        };
        if kind == 13 && low == 1 && length == 0 {
            return Err(broken("a struct in order is empty"));
        }
        let start = self.at;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| start.checked_add(length))
            .filter(|end| *end <= limit)
            .ok_or_else(|| broken("a value is longer than what it is in"))?;
        Ok(Head {
            kind,
            low,
            start,
            end,
        })
    }

    fn var_uint(&mut self, limit: usize) -> Result<u64> {
        let bytes = self.bytes.get(self.at..limit).unwrap_or_default();
        let (value, taken) = var_uint(bytes)?.ok_or_else(|| broken("a number is cut short"))?;
        self.at += taken;
        Ok(value)
    }

    fn value(&mut self, head: Head) -> Result<Value<'a>> {
        let Head {
            kind,
            low,
            start,
            end,
        } = head;
        if low == 15 {
            return Ok(Value::Null);
        }
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        Ok(match kind {
            1 => match low {
                0 => Value::Boolean(false),
                1 => Value::Boolean(true),
                _ => return Err(broken("a bool is neither true nor false")),
            },
            2 | 3 => {
                let number = Number {
                    is_negative: kind == 3,
                    magnitude: magnitude(bytes),
                    exponent: 0,
                };
                if number.is_negative && number.magnitude == Some(0) {
                    return Err(broken("an int is zero with a sign"));
                }
                Value::Number(number)
            }
            4 => Value::Float(float(bytes)?),
            5 => Value::Number(decimal(bytes)?),
            6 => Value::Timestamp(timestamp(bytes)?),
            7 => {
                let id = magnitude(bytes).and_then(|id| u64::try_from(id).ok());
                let id = id.ok_or_else(|| broken("a symbol has too large a number"))?;
                let symbols = self.symbols;
                let text = symbols.text(id)?;
                text.map_or(Value::Unknown, |text| Value::Text(text.into()))
            }
            8 => {
                let text = str::from_utf8(bytes).map_err(|_| broken("a string is not UTF-8"))?;
                Value::Text(text.into())
            }
            9 | 10 => Value::Bytes(bytes.into()),
            11..=13 => {
                let is_struct = kind == 13;
                self.pending = Some(Level {
                    start,
                    end,
                    is_struct,
                });
                match is_struct {
                    true => Value::Struct,
                    false => Value::List,
                }
            }
            _ => return Err(broken("it has a value of no type")),
        })
    }
}

/// A number without a sign. `None`: it has more than 128 bits.
fn magnitude(bytes: &[u8]) -> Option<u128> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    if bytes.len() > size_of::<u128>() {
        return None;
    }
    let value = bytes
        .iter()
        .fold(0, |value: u128, byte| (value << 8) | u128::from(*byte));
    Some(value)
}

/// A NaN is the one without a sign, as everywhere in the engine, which orders by bits.
fn float(bytes: &[u8]) -> Result<f64> {
    let value = match *bytes {
        [] => 0.0,
        [a, b, c, d] => f64::from(f32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => return Err(broken("a float has neither 0 nor 4 nor 8 bytes")),
    };
    Ok(if value.is_nan() { f64::NAN } else { value })
}

fn decimal(bytes: &[u8]) -> Result<Number> {
    if bytes.is_empty() {
        return Ok(Number {
            is_negative: false,
            magnitude: Some(0),
            exponent: 0,
        });
    }
    let (exponent, coefficient) = var_int(bytes)?;
    let (is_negative, magnitude) = signed(coefficient);
    Ok(Number {
        is_negative,
        magnitude,
        exponent,
    })
}

/// A sign, and a number in the bits behind it.
fn signed(bytes: &[u8]) -> (bool, Option<u128>) {
    let Some((first, rest)) = bytes.split_first() else {
        return (false, Some(0));
    };
    let high = u128::from(first & 0x7f);
    let value = match high {
        0 => magnitude(rest),
        _ if rest.len() >= size_of::<u128>() => None,
        _ => magnitude(rest).map(|low| (high << (8 * rest.len())) | low),
    };
    (first & 0x80 != 0, value)
}

/// A number with a sign in bytes of seven bits, and what follows it.
fn var_int(bytes: &[u8]) -> Result<(i64, &[u8])> {
    let cut = || broken("a number is cut short");
    let first = *bytes.first().ok_or_else(cut)?;
    let mut value = i64::from(first & 0x3f);
    let is_negative = first & 0x40 != 0;
    let mut index = 0;
    let mut byte = first;
    while byte & 0x80 == 0 {
        index += 1;
        byte = *bytes.get(index).ok_or_else(cut)?;
        if value >> 55 != 0 {
            return Err(broken("a number is too large"));
        }
        value = (value << 7) | i64::from(byte & 0x7f);
    }
    let value = if is_negative { -value } else { value };
    Ok((value, bytes.get(index + 1..).unwrap_or_default()))
}

/// The fields are in UTC; the offset says only where the clock was.
fn timestamp(bytes: &[u8]) -> Result<i64> {
    let (_offset, mut rest) = var_int(bytes)?;
    let mut fields = [0, 1, 1, 0, 0, 0];
    let mut count = 0;
    for field in &mut fields {
        if rest.is_empty() {
            break;
        }
        let (value, taken) = var_uint(rest)?.ok_or_else(|| broken("a timestamp is cut short"))?;
        *field = u32::try_from(value).map_err(|_| no_time())?;
        rest = rest.get(taken..).unwrap_or_default();
        count += 1;
    }
    // An hour does not go without its minutes.
    if count == 0 || count == 4 {
        return Err(no_time());
    }
    let fraction = match rest.is_empty() {
        true => 0,
        false => {
            let (exponent, coefficient) = var_int(rest)?;
            let (is_negative, magnitude) = signed(coefficient);
            let magnitude = magnitude.filter(|magnitude| !is_negative || *magnitude == 0);
            let found = magnitude.and_then(|magnitude| micros(magnitude, exponent));
            found.ok_or_else(no_time)?
        }
    };
    let [year, month, day, hour, minute, second] = fields;
    let moment = Moment {
        year: i32::try_from(year).map_err(|_| no_time())?,
        month,
        day,
        hour,
        minute,
        second,
        micros: fraction,
        offset: 0,
    };
    moment.to_micros().ok_or_else(no_time)
}

fn no_time() -> super::Fault {
    broken("a timestamp is none, or has more digits than are read")
}
