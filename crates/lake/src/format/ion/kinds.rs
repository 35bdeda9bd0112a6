//! The types of Ion that columns are written as: `ion.<column>.serialize_as`.
//!
//! | column | its own type | another one |
//! |---|---|---|
//! | string, varchar, char | string | symbol |
//! | binary | blob | clob |
//! | array | list | sexp |
//! | decimal | decimal | int, of numbers without a fraction |
//!
//! Values of other columns, and those inside of arrays, maps and structs, have one type.

use arrow::datatypes::DataType;
use ion_rs::IonType;
use lakegate_error::{Code, Error, Result};

/// A type that a column is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IonKind {
    Bool,
    Int,
    Float,
    Decimal,
    Timestamp,
    String,
    Symbol,
    Blob,
    Clob,
    List,
    SExpression,
    Struct,
}

const ALL: [IonKind; 12] = [
    IonKind::Bool,
    IonKind::Int,
    IonKind::Float,
    IonKind::Decimal,
    IonKind::Timestamp,
    IonKind::String,
    IonKind::Symbol,
    IonKind::Blob,
    IonKind::Clob,
    IonKind::List,
    IonKind::SExpression,
    IonKind::Struct,
];

impl IonKind {
    /// By the name of Ion, in any case. `None`: there is no such type.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let mut all = ALL.into_iter();
        all.find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::Timestamp => "timestamp",
            Self::String => "string",
            Self::Symbol => "symbol",
            Self::Blob => "blob",
            Self::Clob => "clob",
            Self::List => "list",
            Self::SExpression => "sexp",
            Self::Struct => "struct",
        }
    }

    pub(super) fn ion_type(self) -> IonType {
        match self {
            Self::Bool => IonType::Bool,
            Self::Int => IonType::Int,
            Self::Float => IonType::Float,
            Self::Decimal => IonType::Decimal,
            Self::Timestamp => IonType::Timestamp,
            Self::String => IonType::String,
            Self::Symbol => IonType::Symbol,
            Self::Blob => IonType::Blob,
            Self::Clob => IonType::Clob,
            Self::List => IonType::List,
            Self::SExpression => IonType::SExp,
            Self::Struct => IonType::Struct,
        }
    }

    /// The types that values of a column can have, its own first.
    fn of(data_type: &DataType) -> &'static [Self] {
        match data_type {
            DataType::Boolean => &[Self::Bool],
            DataType::Float32 | DataType::Float64 => &[Self::Float],
            DataType::Decimal128(..) => &[Self::Decimal, Self::Int],
            DataType::Date32 | DataType::Timestamp(..) => &[Self::Timestamp],
            DataType::Utf8 => &[Self::String, Self::Symbol],
            DataType::Binary => &[Self::Blob, Self::Clob],
            DataType::List(_) => &[Self::List, Self::SExpression],
            DataType::Map(..) | DataType::Struct(_) => &[Self::Struct],
            _ => &[Self::Int],
        }
    }

    /// # Errors
    /// Values of the column are not written as this type.
    pub(super) fn check(self, column: &str, data_type: &DataType) -> Result<()> {
        let kinds = Self::of(data_type);
        if kinds.contains(&self) {
            return Ok(());
        }
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        Err(Error::new(
            Code::InvalidTable,
            format!(
                "property 'ion.{}.serialize_as' is '{}', and column \"{}\" is written as {}",
                column.escape_default(),
                self.name(),
                column.escape_default(),
                names.join(" or ")
            ),
        ))
    }
}
