//! The types of ranges, and those of their bounds.

use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::postgres::PG_TYPE;

/// A type of ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeType {
    Int4,
    Int8,
    Num,
    Ts,
    Tstz,
    Date,
}

impl RangeType {
    pub(in crate::postgres) const ALL: [Self; 6] = [
        Self::Int4,
        Self::Int8,
        Self::Num,
        Self::Ts,
        Self::Tstz,
        Self::Date,
    ];

    /// Returns its name, which is the mark of its fields, too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int4 => "int4range",
            Self::Int8 => "int8range",
            Self::Num => "numrange",
            Self::Ts => "tsrange",
            Self::Tstz => "tstzrange",
            Self::Date => "daterange",
        }
    }

    /// Returns the type of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }

    /// Returns the type of a field.
    pub(in crate::postgres::functions) fn of_field(field: &Field) -> Option<Self> {
        let mark = field.metadata().get(PG_TYPE)?;
        Self::named(mark).filter(|_| field.data_type().is_string())
    }

    /// Returns the name of the type of its bounds in messages.
    pub(in crate::postgres::functions) fn bound_name(self) -> &'static str {
        match self {
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Num => "numeric",
            Self::Ts => "timestamp without time zone",
            Self::Tstz => "timestamp with time zone",
            Self::Date => "date",
        }
    }

    /// Returns the engine's type of its bounds. That of numbers does not tell how many digits they have.
    pub(in crate::postgres::functions) fn bound_type(self) -> DataType {
        match self {
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Num => DataType::Decimal128(38, 10),
            Self::Ts => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Tstz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
        }
    }

    /// Returns whether each value has a next one, so that bounds have one form.
    pub(super) fn is_discrete(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Date)
    }

    /// Returns whether settings of the session decide what its texts mean.
    pub(in crate::postgres::functions) fn is_of_times(self) -> bool {
        matches!(self, Self::Ts | Self::Tstz | Self::Date)
    }
}
