//! Types of settings, and the form of their values in TOML.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// Returns a size in bytes, or the largest that this machine can address.
pub fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// A type that a setting can have.
pub trait Value {
    /// A word for the type, in the documentation.
    const KIND: &'static str;

    /// The possible values, if they are few.
    const CHOICES: &'static [&'static str] = &[];

    /// Returns the value as it is written in the file, or `None` if it is absent.
    fn toml(&self) -> Option<String>;
}

impl Value for bool {
    const KIND: &'static str = "true or false";

    fn toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for usize {
    const KIND: &'static str = "number";

    fn toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for String {
    const KIND: &'static str = "text";

    fn toml(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl Value for PathBuf {
    const KIND: &'static str = "path";

    fn toml(&self) -> Option<String> {
        self.to_string_lossy().into_owned().toml()
    }
}

impl Value for ByteSize {
    const KIND: &'static str = "size";

    /// Uses the largest unit that divides the value.
    fn toml(&self) -> Option<String> {
        let bytes = self.as_u64();
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        let text = units
            .into_iter()
            .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
            .map_or_else(
                || bytes.to_string(),
                |(name, unit)| format!("{}{name}", bytes / unit),
            );
        text.toml()
    }
}

impl Value for Duration {
    const KIND: &'static str = "time";

    /// Uses the largest unit that divides the value.
    fn toml(&self) -> Option<String> {
        let milliseconds = self.as_millis();
        let units = [
            ("days", 86_400_000),
            ("h", 3_600_000),
            ("min", 60_000),
            ("s", 1_000),
        ];
        let text = units
            .into_iter()
            .find(|(_, unit)| milliseconds.is_multiple_of(*unit))
            .map_or_else(
                || format!("{milliseconds}ms"),
                |(name, unit)| format!("{}{name}", milliseconds / unit),
            );
        text.toml()
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: &'static str = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn toml(&self) -> Option<String> {
        self.as_ref().and_then(Value::toml)
    }
}

impl<T: Value> Value for Vec<T> {
    const KIND: &'static str = "list";

    fn toml(&self) -> Option<String> {
        let items: Option<Vec<String>> = self.iter().map(Value::toml).collect();
        Some(format!("[{}]", items?.join(", ")))
    }
}

/// A text that is neither logged nor written out.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text. It may not be logged.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl Value for Secret {
    const KIND: &'static str = "text";

    fn toml(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_and_times_are_written_in_their_largest_whole_unit() {
        for (bytes, text) in [
            (0, "\"0\""),
            (1000, "\"1000\""),
            (64 << 10, "\"64KiB\""),
            (512 << 20, "\"512MiB\""),
            (2 << 30, "\"2GiB\""),
        ] {
            assert_eq!(ByteSize::b(bytes).toml().unwrap(), text);
        }
        for (seconds, text) in [
            (90, "\"90s\""),
            (600, "\"10min\""),
            (43_200, "\"12h\""),
            (45 * 86_400, "\"45days\""),
        ] {
            assert_eq!(Duration::from_secs(seconds).toml().unwrap(), text);
        }
        assert_eq!(Duration::from_millis(1500).toml().unwrap(), "\"1500ms\"");
    }

    #[test]
    fn lists_and_absent_values() {
        let names = vec!["a".to_owned(), "b\"c".to_owned()];
        assert_eq!(names.toml().unwrap(), r#"["a", "b\"c"]"#);
        assert_eq!(Vec::<String>::new().toml().unwrap(), "[]");
        assert_eq!(Option::<usize>::None.toml(), None);
        assert_eq!(Some(3_usize).toml().unwrap(), "3");
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(secret.expose(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter"));
        assert_eq!(secret.toml(), None);
    }
}
