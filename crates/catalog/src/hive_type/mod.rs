//! Hive's types: as text (`array<struct<a:int>>`), as Arrow, as Trino writes them.
//!
//! ```
//! use lakegate_catalog::hive_type::HiveType;
//!
//! let hive: HiveType = "MAP< string, array<Decimal(10, 2)> >".parse()?;
//! assert_eq!(hive.to_string(), "map<string,array<decimal(10,2)>>");
//! assert_eq!(hive.to_trino(), "map(varchar, array(decimal(10,2)))");
//! # Ok::<(), lakegate_catalog::hive_type::TypeError>(())
//! ```

mod arrow;
mod parse;

use std::fmt;

/// How deep types may nest: `array<int>` is 2.
pub const MAX_DEPTH: usize = 32;

/// The longest type text, in bytes (Glue's bound).
pub(crate) const MAX_TEXT_BYTES: usize = 131_072;

/// A Hive type. [`Display`](fmt::Display) writes it as Hive does, [`FromStr`](std::str::FromStr)
/// reads that and the usual other spellings (`integer`, `long`, `real`, `dec`, `numeric`, `double
/// precision`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HiveType {
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    /// Precision 1 to 38, scale 0 to the precision.
    Decimal(u8, u8),
    /// 1 to 255 characters.
    Char(u32),
    /// 1 to 65,535 characters.
    Varchar(u32),
    String,
    Binary,
    /// Days.
    Date,
    /// Microseconds, without a zone.
    Timestamp,
    Array(Box<HiveType>),
    /// Key and value.
    Map(Box<HiveType>, Box<HiveType>),
    /// Fields in order, lower-cased names, none twice.
    Struct(Vec<StructField>),
}

/// A field of a [`HiveType::Struct`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    pub name: String,
    pub data_type: HiveType,
}

/// Why a text or an Arrow type is not a Hive type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeError {
    message: String,
}

impl TypeError {
    fn new(message: impl Into<String>) -> Self {
        TypeError {
            message: message.into(),
        }
    }
}

impl From<TypeError> for crate::error::CatalogError {
    fn from(error: TypeError) -> Self {
        crate::error::CatalogError::InvalidInput(error.message)
    }
}

impl HiveType {
    /// The types within an array, map or struct, in their order; none of another type.
    pub fn parts(&self) -> Vec<&HiveType> {
        match self {
            Self::Array(item) => vec![item.as_ref()],
            Self::Map(key, value) => vec![key.as_ref(), value.as_ref()],
            Self::Struct(fields) => fields.iter().map(|field| &field.data_type).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether this is an array, a map or a struct.
    pub fn is_nested(&self) -> bool {
        matches!(
            self,
            HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_)
        )
    }

    /// Whether values are whole numbers (tinyint to bigint).
    pub fn is_integer(&self) -> bool {
        matches!(
            self,
            HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt
        )
    }

    /// Whether values are text (string, varchar, char).
    pub fn is_text(&self) -> bool {
        matches!(
            self,
            HiveType::String | HiveType::Varchar(_) | HiveType::Char(_)
        )
    }

    /// The type as Trino and Athena's DML write it: `varchar`, `integer`, `array(bigint)`, `row(a
    /// integer)`.
    pub fn to_trino(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_trino(&mut text);
        text
    }

    fn write_trino(&self, out: &mut String) -> fmt::Result {
        use fmt::Write;
        match self {
            HiveType::Int => out.write_str("integer"),
            HiveType::Float => out.write_str("real"),
            HiveType::String => out.write_str("varchar"),
            HiveType::Binary => out.write_str("varbinary"),
            HiveType::Timestamp => out.write_str("timestamp(6)"),
            HiveType::Array(item) => {
                out.write_str("array(")?;
                item.write_trino(out)?;
                out.write_char(')')
            }
            HiveType::Map(key, value) => {
                out.write_str("map(")?;
                key.write_trino(out)?;
                out.write_str(", ")?;
                value.write_trino(out)?;
                out.write_char(')')
            }
            HiveType::Struct(fields) => {
                out.write_str("row(")?;
                for (position, field) in fields.iter().enumerate() {
                    if position > 0 {
                        out.write_str(", ")?;
                    }
                    if is_plain(&field.name) {
                        write!(out, "{} ", field.name)?;
                    } else {
                        write!(out, "\"{}\" ", field.name.replace('"', "\"\""))?;
                    }
                    field.data_type.write_trino(out)?;
                }
                out.write_char(')')
            }
            same => write!(out, "{same}"),
        }
    }
}

impl fmt::Display for HiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HiveType::Boolean => f.write_str("boolean"),
            HiveType::TinyInt => f.write_str("tinyint"),
            HiveType::SmallInt => f.write_str("smallint"),
            HiveType::Int => f.write_str("int"),
            HiveType::BigInt => f.write_str("bigint"),
            HiveType::Float => f.write_str("float"),
            HiveType::Double => f.write_str("double"),
            HiveType::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            HiveType::Char(length) => write!(f, "char({length})"),
            HiveType::Varchar(length) => write!(f, "varchar({length})"),
            HiveType::String => f.write_str("string"),
            HiveType::Binary => f.write_str("binary"),
            HiveType::Date => f.write_str("date"),
            HiveType::Timestamp => f.write_str("timestamp"),
            HiveType::Array(item) => write!(f, "array<{item}>"),
            HiveType::Map(key, value) => write!(f, "map<{key},{value}>"),
            HiveType::Struct(fields) => {
                f.write_str("struct<")?;
                for (position, field) in fields.iter().enumerate() {
                    if position > 0 {
                        f.write_str(",")?;
                    }
                    if is_plain(&field.name) {
                        write!(f, "{}:{}", field.name, field.data_type)?;
                    } else {
                        write!(f, "`{}`:{}", field.name.replace('`', "``"), field.data_type)?;
                    }
                }
                f.write_str(">")
            }
        }
    }
}

/// Whether a field name needs no quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

/// A character of an unquoted field name. Hive takes nearly all; those with a meaning in a type are
/// excluded.
fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.' | '@' | '#')
}
