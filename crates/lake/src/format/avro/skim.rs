//! Walks over the values of a block: where records end, and how many values they have.

use super::schema::{Node, Shape};
use super::{Result, broken};

/// Values of one record at most, those of its arrays and maps counted.
const MAX_VALUES: u64 = 16 * 1024 * 1024;

/// A walk over the records of a block.
#[derive(Debug)]
pub(super) struct Skim<'a> {
    rest: &'a [u8],
    /// Values of the record so far.
    values: u64,
}

impl<'a> Skim<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            values: 0,
        }
    }

    /// Bytes that are not walked over.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Walks over a record and returns how many values it has.
    ///
    /// # Errors
    /// The bytes are no such record; it has too many values.
    pub(super) fn record(&mut self, schema: &Node) -> Result<u64> {
        self.values = 0;
        self.value(schema)?;
        Ok(self.values)
    }

    fn value(&mut self, node: &Node) -> Result<()> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(broken(format!(
                "a record has more than {MAX_VALUES} values"
            )));
        }
        match &node.shape {
            Shape::Null => Ok(()),
            Shape::Boolean => self.skip(1),
            Shape::Int => self.int().map(|_| ()),
            Shape::Long => self.long().map(|_| ()),
            Shape::Float => self.skip(4),
            Shape::Double => self.skip(8),
            Shape::Bytes | Shape::String => {
                let length = self.length()?;
                self.skip(length)
            }
            Shape::Fixed(_, size) => self.skip(*size as u64),
            Shape::Enum(_, symbols, _) => {
                let symbol = self.int()?;
                match usize::try_from(symbol).is_ok_and(|symbol| symbol < symbols.len()) {
                    true => Ok(()),
                    false => Err(broken(format!("an enum has no symbol {symbol}"))),
                }
            }
            Shape::Array(item) => self.blocks(|skim| skim.value(item)),
            Shape::Map(value) => self.blocks(|skim| {
                let length = skim.length()?;
                skim.skip(length)?;
                skim.value(value)
            }),
            Shape::Record(_, fields) => fields.iter().try_for_each(|field| self.value(&field.node)),
            Shape::Union(branches) => {
                let branch = self.long()?;
                let found = usize::try_from(branch).ok();
                let found = found.and_then(|branch| branches.get(branch));
                let found = found.ok_or_else(|| broken(format!("a union has no type {branch}")))?;
                self.value(found)
            }
        }
    }

    /// The items of an array or a map. A count below zero is followed by the bytes of its items.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            let claimed = match count < 0 {
                true => Some(self.length()?),
                false => None,
            };
            let before = self.rest.len();
            for _ in 0..count.unsigned_abs() {
                item(self)?;
            }
            // Items that are not wanted are skipped by what is claimed.
            let walked = (before - self.rest.len()) as u64;
            if claimed.is_some_and(|claimed| claimed != walked) {
                return Err(broken(
                    "items of an array or a map have other bytes than claimed",
                ));
            }
        }
    }

    fn length(&mut self) -> Result<u64> {
        u64::try_from(self.long()?).map_err(|_| broken("a length is below zero"))
    }

    fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| broken("an int is out of range"))
    }

    fn long(&mut self) -> Result<i64> {
        let (value, rest) = long(self.rest).ok_or_else(|| broken("a number is cut short"))?;
        self.rest = rest;
        Ok(value)
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        let rest = usize::try_from(bytes).ok();
        let rest = rest.and_then(|bytes| self.rest.get(bytes..));
        self.rest = rest.ok_or_else(|| broken("a value is longer than its block"))?;
        Ok(())
    }
}

/// A number of at most ten bytes, in zigzag encoding, and what follows it.
pub(super) fn long(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        if index == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Appends a number.
pub(super) fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut value = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::schema::Schema;
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for value in [0, 1, -1, 63, 64, -65, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_long(value, &mut bytes);
            assert_eq!(long(&bytes), Some((value, &[][..])));
            assert_eq!(long(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(long(&[0xff; 11]), None);
    }

    fn walked(fields: &str, bytes: &[u8]) -> Result<u64> {
        let json = format!("{{\"type\":\"record\",\"name\":\"r\",\"fields\":[{fields}]}}");
        let schema = Schema::parse(json.as_bytes()).unwrap();
        let mut skim = Skim::new(bytes);
        let values = skim.record(&schema.root)?;
        match skim.left() {
            0 => Ok(values),
            left => Err(broken(format!("{left} bytes are left"))),
        }
    }

    #[test]
    fn claims_are_checked_against_what_is_there() {
        let array = r#"{"name":"a","type":{"type":"array","items":"int"}}"#;
        // Two items, then three in a block of three bytes.
        let items = [4, 2, 4, 5, 6, 1, 2, 3, 0];
        assert_eq!(walked(array, &items).unwrap(), 7);
        let mut other = items;
        other[4] = 4;
        assert!(walked(array, &other).is_err());
        let nulls = r#"{"name":"a","type":{"type":"array","items":"null"}}"#;
        let mut many = Vec::new();
        put_long(i64::MAX, &mut many);
        many.push(0);
        assert!(walked(nulls, &many).is_err());
        let text = r#"{"name":"a","type":"string"}"#;
        assert_eq!(walked(text, &[4, b'a', b'b']).unwrap(), 2);
        assert!(walked(text, &[6, b'a', b'b']).is_err());
        assert!(walked(text, &[1]).is_err());
        let union = r#"{"name":"a","type":["null","int"]}"#;
        assert_eq!(walked(union, &[2, 2]).unwrap(), 3);
        assert!(walked(union, &[4, 2]).is_err());
    }
}
