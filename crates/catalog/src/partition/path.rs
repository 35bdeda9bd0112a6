//! `year=2024/month=07`: partition values as folders, escaped as Hive's `FileUtils.escapePathName`
//! does.

use super::value::{HIVE_DEFAULT_PARTITION, PartitionKey, canonical_value};

/// Whether Hive writes a character as `%XX` in a folder name.
fn is_escaped(c: char) -> bool {
    c <= '\u{1f}'
        || matches!(
            c,
            '"' | '#'
                | '%'
                | '\''
                | '*'
                | '/'
                | ':'
                | '='
                | '?'
                | '\\'
                | '\u{7f}'
                | '{'
                | '['
                | ']'
                | '^'
        )
}

/// A key or value as a part of a folder name; an empty one is the name for NULL, as in Hive.
pub fn escape_path_name(name: &str) -> String {
    if name.is_empty() {
        return HIVE_DEFAULT_PARTITION.to_owned();
    }
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if is_escaped(c) {
            escaped.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The inverse of [`escape_path_name`]. As in Hive, `%XX` is the character with that number, and a
/// `%` without two hexadecimal digits after it stands for itself. Hive escapes ASCII characters
/// only; other writers (DuckDB, pyarrow) escape each byte of UTF-8, and bytes that are valid UTF-8
/// together are decoded as that text.
pub fn unescape_path_name(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    // A run of escaped bytes that are not ASCII.
    let mut coded: Vec<u8> = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = rest
            .strip_prefix('%')
            .and_then(|after| after.get(..2))
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (character, length) = match code {
            Some(code) if !code.is_ascii() => {
                coded.push(code);
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            Some(code) => (char::from(code), 3),
            None => (first, first.len_utf8()),
        };
        push_coded(&mut plain, &mut coded);
        plain.push(character);
        rest = rest.get(length..).unwrap_or_default();
    }
    push_coded(&mut plain, &mut coded);
    plain
}

fn push_coded(plain: &mut String, coded: &mut Vec<u8>) {
    match std::str::from_utf8(coded) {
        Ok(text) => plain.push_str(text),
        Err(_) => plain.extend(coded.iter().copied().map(char::from)),
    }
    coded.clear();
}

/// The folder of a partition below its table's location: `k=v/k2=v2`, no slash at the ends. Values
/// are written as they are, `07` as `07`.
pub fn partition_path<S: AsRef<str>>(keys: &[PartitionKey], values: &[S]) -> String {
    let parts: Vec<String> = keys
        .iter()
        .zip(values)
        .map(|(key, value)| {
            format!(
                "{}={}",
                escape_path_name(&key.name),
                escape_path_name(value.as_ref())
            )
        })
        .collect();
    parts.join("/")
}

/// Why a folder is not a partition of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathMismatch {
    #[error("folder \"{segment}\" is not of the form key=value; \"{key}=…\" was expected")]
    NotKeyValue { segment: String, key: String },

    #[error("folder \"{path}\" has no value for partition key \"{key}\"")]
    MissingKey { path: String, key: String },

    #[error(
        "folder \"{segment}\" is in the place of partition key \"{expected}\"; keys are expected in the table's order"
    )]
    WrongOrder { segment: String, expected: String },

    #[error(
        "folder \"{segment}\" names no partition key of the table; \"{expected}=…\" was expected"
    )]
    UnknownKey { segment: String, expected: String },

    #[error("folder \"{segment}\" lies below a complete partition")]
    TooDeep { segment: String },

    /// The value is not of the key's type; the text says how.
    #[error("{0}")]
    Unparsable(String),
}

/// The values in a folder below a table's location; slashes at the ends do not matter, nor does the
/// case of keys. Every value is one of its key's type.
///
/// # Errors
/// Says what in the folder's name does not fit.
pub fn parse_partition_path(
    keys: &[PartitionKey],
    path: &str,
) -> Result<Vec<String>, PathMismatch> {
    let trimmed = path.trim_matches('/');
    let mut segments = trimmed.split('/').filter(|segment| !segment.is_empty());
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        let Some(segment) = segments.next() else {
            return Err(PathMismatch::MissingKey {
                path: trimmed.to_owned(),
                key: key.name.clone(),
            });
        };
        let Some((name, value)) = segment.split_once('=') else {
            return Err(PathMismatch::NotKeyValue {
                segment: segment.to_owned(),
                key: key.name.clone(),
            });
        };
        let name = unescape_path_name(name).to_lowercase();
        if name != key.name {
            let (segment, expected) = (segment.to_owned(), key.name.clone());
            let known = keys.iter().any(|key| key.name == name);
            return Err(if known {
                PathMismatch::WrongOrder { segment, expected }
            } else {
                PathMismatch::UnknownKey { segment, expected }
            });
        }
        let value = unescape_path_name(value);
        canonical_value(key, &value)
            .map_err(|error| PathMismatch::Unparsable(error.to_string()))?;
        values.push(value);
    }
    match segments.next() {
        Some(segment) => Err(PathMismatch::TooDeep {
            segment: segment.to_owned(),
        }),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::hive_type::HiveType;

    fn keys() -> Vec<PartitionKey> {
        vec![
            PartitionKey::new("year", HiveType::Int),
            PartitionKey::new("city", HiveType::String),
        ]
    }

    #[test]
    fn values_become_folders_and_come_back() {
        let path = partition_path(&keys(), &["07", "a/b: 100% 'x'=ä"]);
        assert_eq!(path, "year=07/city=a%2Fb%3A 100%25 %27x%27%3Dä");
        assert_eq!(
            parse_partition_path(&keys(), &format!("/{path}/")).unwrap(),
            ["07", "a/b: 100% 'x'=ä"]
        );
        let null = partition_path(&keys(), &[HIVE_DEFAULT_PARTITION, HIVE_DEFAULT_PARTITION]);
        assert_eq!(
            parse_partition_path(&keys(), &null).unwrap(),
            [HIVE_DEFAULT_PARTITION, HIVE_DEFAULT_PARTITION]
        );
    }

    #[test]
    fn a_stray_percent_stands_for_itself() {
        assert_eq!(unescape_path_name("100%"), "100%");
        assert_eq!(unescape_path_name("%zz%2"), "%zz%2");
        assert_eq!(unescape_path_name("%+1%ä1"), "%+1%ä1");
        assert_eq!(unescape_path_name("%3a%3A"), "::");
    }

    #[test]
    fn coded_bytes_of_utf8_are_text() {
        assert_eq!(
            unescape_path_name("Z%C3%BCrich%20%F0%9F%98%80!"),
            "Zürich 😀!"
        );
        assert_eq!(unescape_path_name("%E9t%E9"), "été");
        assert_eq!(unescape_path_name("%C3x%BC"), "Ãx¼");
    }

    #[test]
    fn a_folder_that_does_not_fit_says_why() {
        let why = |path: &str| parse_partition_path(&keys(), path).unwrap_err();
        assert!(matches!(why("year=2024"), PathMismatch::MissingKey { key, .. } if key == "city"));
        assert!(matches!(why(""), PathMismatch::MissingKey { key, .. } if key == "year"));
        assert!(
            matches!(why("city=x/year=2024"), PathMismatch::WrongOrder { expected, .. } if expected == "year")
        );
        assert!(matches!(
            why("month=1/city=x"),
            PathMismatch::UnknownKey { .. }
        ));
        assert!(matches!(
            why("2024/city=x"),
            PathMismatch::NotKeyValue { .. }
        ));
        assert!(matches!(
            why("year=2024/city=x/more"),
            PathMismatch::TooDeep { .. }
        ));
        assert!(
            why("year=now/city=x")
                .to_string()
                .contains("\"now\" is not a value of type int")
        );
        assert!(matches!(
            why("year=2024/city="),
            PathMismatch::Unparsable(_)
        ));
        assert!(parse_partition_path(&keys(), "YEAR=2024/City=x").is_ok());
    }
}
