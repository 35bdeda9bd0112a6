//! The length that the texts of a column's type have.

use lakegate_catalog::hive_type::HiveType;

/// The length of the texts of a column, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextLength {
    /// `char(n)`
    Char(u32),
    /// `varchar(n)`
    Varchar(u32),
}

impl TextLength {
    /// Returns the length that a Hive type has.
    pub fn of_type(data_type: &str) -> Option<Self> {
        if !data_type.ends_with(')') {
            return None;
        }
        match data_type.parse::<HiveType>().ok()? {
            HiveType::Char(length) => Some(Self::Char(length)),
            HiveType::Varchar(length) => Some(Self::Varchar(length)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_have_a_length() {
        for (data_type, expected) in [
            ("varchar(10)", Some(TextLength::Varchar(10))),
            ("char(4)", Some(TextLength::Char(4))),
            ("string", None),
            ("decimal(10,2)", None),
            ("varchar(x)", None),
            ("", None),
        ] {
            assert_eq!(TextLength::of_type(data_type), expected, "{data_type}");
        }
    }
}
