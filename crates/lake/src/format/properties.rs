//! SERDEPROPERTIES and TBLPROPERTIES, as all formats read them.

use lakegate_catalog::model::Parameters;
use lakegate_error::{Code, Error, Result};

/// The three places where a table's properties are written; the SerDe's own come first.
#[derive(Debug, Clone, Copy)]
pub struct Properties<'a> {
    pub serde: &'a Parameters,
    pub descriptor: &'a Parameters,
    pub table: &'a Parameters,
}

impl<'a> Properties<'a> {
    pub fn get(&self, key: &str) -> Option<&'a str> {
        [self.serde, self.descriptor, self.table]
            .into_iter()
            .find_map(|place| place.get(key))
            .map(String::as_str)
    }

    /// # Errors
    /// The value is neither `true` nor `false`.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key).map(str::trim) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(invalid(key, value, "'true' or 'false'")),
        }
    }
}

pub(super) fn invalid(key: &str, value: &str, right: &str) -> Error {
    Error::new(
        Code::InvalidTable,
        format!(
            "property '{key}' is '{}'; it must be {right}",
            value.escape_default()
        ),
    )
}
