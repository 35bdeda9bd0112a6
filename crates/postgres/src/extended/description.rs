//! The description of a statement's columns, kept for later executions: libpq asks for it each time.

use std::sync::OnceLock;

use crate::encode::Style;

/// The longest message that is kept, in bytes.
const MAX_BYTES: usize = 4096;

/// The message that describes columns in text format, once it is known.
#[derive(Debug, Default)]
pub(super) struct Description(OnceLock<Known>);

#[derive(Debug)]
struct Known {
    /// The settings that types depend on: see [`Style::type_of`].
    records: bool,
    flat_arrays: bool,
    message: Box<[u8]>,
}

impl Description {
    /// Returns the message, if it is known for the settings.
    pub(super) fn get(&self, style: &Style) -> Option<&[u8]> {
        let known = self.0.get()?;
        let is_same = known.records == style.records && known.flat_arrays == style.flat_arrays;
        is_same.then_some(&known.message[..])
    }

    /// Keeps a message, unless it is long or there is one.
    pub(super) fn keep(&self, style: &Style, message: &[u8]) {
        if message.len() > MAX_BYTES {
            return;
        }
        self.0.get_or_init(|| Known {
            records: style.records,
            flat_arrays: style.flat_arrays,
            message: message.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_of_their_settings() {
        let description = Description::default();
        let style = Style::default();
        assert_eq!(description.get(&style), None);
        description.keep(&style, &[0; MAX_BYTES + 1]);
        assert_eq!(description.get(&style), None);
        description.keep(&style, b"T");
        assert_eq!(description.get(&style), Some(&b"T"[..]));
        let other = Style {
            records: true,
            ..style
        };
        assert_eq!(description.get(&other), None);
        description.keep(&other, b"other");
        assert_eq!(description.get(&style), Some(&b"T"[..]));
    }
}
