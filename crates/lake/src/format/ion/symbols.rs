//! The symbols of a stream: those that Ion has itself, and those that its tables add.

use super::{Result, broken};

/// Symbols that Ion 1.0 has, from 1 on.
const SYSTEM: [&str; 9] = [
    "$ion",
    "$ion_1_0",
    TABLE,
    "name",
    "version",
    "imports",
    "symbols",
    "max_id",
    "$ion_shared_symbol_table",
];

/// The annotation of a table of symbols.
pub(super) const TABLE: &str = "$ion_symbol_table";

/// Symbols that a stream may have at once.
pub(super) const MAX_SYMBOLS: usize = 1 << 20;

/// Bytes of their texts.
pub(super) const MAX_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// After those of Ion itself. `None`: the text is not known.
    texts: Vec<Option<Box<str>>>,
    bytes: usize,
}

impl Symbols {
    /// Forgets all but those of Ion itself.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// # Errors
    /// There are too many.
    pub(super) fn add(&mut self, text: Option<String>) -> Result<()> {
        self.bytes += text.as_ref().map_or(0, String::len);
        if self.texts.len() >= MAX_SYMBOLS || self.bytes > MAX_BYTES {
            return Err(too_many());
        }
        self.texts.push(text.map(String::into_boxed_str));
        Ok(())
    }

    /// The text of a symbol. `None`: it has none that is known.
    ///
    /// # Errors
    /// There is no such symbol.
    pub(super) fn text(&self, id: u64) -> Result<Option<&str>> {
        let Some(index) = usize::try_from(id).ok().filter(|index| *index > 0) else {
            return match id {
                0 => Ok(None),
                _ => Err(unknown(id)),
            };
        };
        if let Some(text) = SYSTEM.get(index - 1).copied() {
            return Ok(Some(text));
        }
        let found = self.texts.get(index - 1 - SYSTEM.len());
        found.map(Option::as_deref).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: u64) -> super::Fault {
    broken(format!("it uses symbol {id}, which its tables do not have"))
}

pub(super) fn too_many() -> super::Fault {
    broken(format!(
        "it has more than {MAX_SYMBOLS} symbols, or more than {MAX_BYTES} bytes of them"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn symbols_are_found_by_their_numbers() {
        let mut symbols = Symbols::default();
        symbols.add(Some("a".to_owned())).unwrap();
        symbols.add(None).unwrap();
        assert_eq!(symbols.text(0).unwrap(), None);
        assert_eq!(symbols.text(3).unwrap(), Some(TABLE));
        assert_eq!(symbols.text(10).unwrap(), Some("a"));
        assert_eq!(symbols.text(11).unwrap(), None);
        assert!(symbols.text(12).is_err());
        assert!(symbols.text(u64::MAX).is_err());
        symbols.reset();
        assert!(symbols.text(10).is_err());
    }

    #[test]
    fn their_number_and_their_bytes_are_bounded() {
        let mut symbols = Symbols::default();
        assert!((0..MAX_SYMBOLS).all(|_| symbols.add(None).is_ok()));
        assert!(symbols.add(None).is_err());
        let mut symbols = Symbols::default();
        let long = "x".repeat(MAX_BYTES / 4);
        assert!((0..4).all(|_| symbols.add(Some(long.clone())).is_ok()));
        assert!(symbols.add(Some("x".to_owned())).is_err());
    }
}
