//! Protocol buffers, as far as the metadata of ORC files needs them.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use super::{Fault, Result};

/// A field's value, not interpreted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Of four or eight bytes, which none of the fields that are read has.
    Fixed,
}

impl<'a> Value<'a> {
    /// # Errors
    /// The value is not a number.
    pub(super) fn number(self) -> Result<u64> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(broken("a number of its metadata is none")),
        }
    }

    /// # Errors
    /// The value is not a number, or out of the range of four bytes.
    pub(super) fn small(self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| broken("a number of its metadata is too large"))
    }

    /// A signed number in zigzag encoding.
    ///
    /// # Errors
    /// The value is not a number.
    pub(super) fn signed(self) -> Result<i64> {
        self.number().map(zigzag)
    }

    /// # Errors
    /// The value is a number.
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(broken("a message of its metadata is none")),
        }
    }

    /// # Errors
    /// The value is a number, or is not UTF-8.
    pub(super) fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| broken("a name of its metadata is no UTF-8"))
    }
}

pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// A signed number in zigzag encoding.
pub(super) fn folded(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The fields of a message, in their order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The number and the value of the next field.
    ///
    /// # Errors
    /// The message is cut short.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.fixed(8)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.fixed(4)?,
            _ => return Err(broken("its metadata has a field of an unknown kind")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn fixed(&mut self, length: u64) -> Result<Value<'a>> {
        self.take(length).map(|_| Value::Fixed)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let parts = usize::try_from(length)
            .ok()
            .and_then(|length| self.0.split_at_checked(length));
        let (taken, rest) = parts.ok_or_else(|| broken("its metadata is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64> {
        let (value, rest) = varint(self.0).ok_or_else(|| broken("its metadata is cut short"))?;
        self.0 = rest;
        Ok(value)
    }
}

/// A varint of at most ten bytes, and what follows it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The numbers of a repeated field, packed or one by one.
///
/// # Errors
/// The list is cut short.
pub(super) fn numbers(value: Value<'_>, into: &mut Vec<u32>) -> Result<()> {
    let Value::Bytes(packed) = value else {
        into.push(value.small()?);
        return Ok(());
    };
    let mut packed = Fields(packed);
    while !packed.0.is_empty() {
        into.push(Value::Varint(packed.varint()?).small()?);
    }
    Ok(())
}

fn broken(what: &str) -> Fault {
    Fault::Damaged(what.to_owned())
}

/// A message that is written.
#[derive(Debug, Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    pub(super) fn number(&mut self, field: u64, value: u64) -> &mut Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    /// A signed number in zigzag encoding.
    pub(super) fn signed(&mut self, field: u64, value: i64) -> &mut Self {
        self.number(field, folded(value))
    }

    /// Numbers of a repeated field, packed.
    pub(super) fn packed(&mut self, field: u64, values: &[u64]) -> &mut Self {
        let mut packed = Self::default();
        values.iter().for_each(|value| packed.varint(*value));
        self.bytes(field, &packed.0)
    }

    pub(super) fn double(&mut self, field: u64, value: f64) -> &mut Self {
        self.varint((field << 3) | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.varint((field << 3) | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = Message::default();
        message.number(1, 300).bytes(3, b"abc").number(2, u64::MAX);
        let mut fields = Fields(&message.0);
        assert!(matches!(fields.next(), Ok(Some((1, Value::Varint(300))))));
        let (field, value) = fields.next().unwrap().unwrap();
        assert_eq!((field, value.text().unwrap()), (3, "abc"));
        let (field, value) = fields.next().unwrap().unwrap();
        assert_eq!((field, value.number().unwrap()), (2, u64::MAX));
        assert!(fields.next().unwrap().is_none());
        for end in 1..message.0.len() {
            let mut fields = Fields(&message.0[..end]);
            while let Ok(Some(_)) = fields.next() {}
        }
    }

    #[test]
    fn signs_are_folded_into_the_last_bit() {
        assert_eq!([0, 1, 2, 3].map(zigzag), [0, -1, 1, -2]);
        assert_eq!(zigzag(u64::MAX), i64::MIN);
        assert_eq!([0, -1, 1, i64::MIN].map(folded), [0, 1, 2, u64::MAX]);
        let mut message = Message::default();
        message.signed(1, -2).double(2, 1.5).packed(3, &[1, 300]);
        let mut fields = Fields(&message.0);
        let (_, value) = fields.next().unwrap().unwrap();
        assert_eq!(value.signed().unwrap(), -2);
        assert!(matches!(fields.next(), Ok(Some((2, Value::Fixed)))));
        let (_, value) = fields.next().unwrap().unwrap();
        let mut found = Vec::new();
        numbers(value, &mut found).unwrap();
        assert_eq!(found, [1, 300]);
    }
}
