//! Casts that are written as calls of the names of types, of types that the engine casts otherwise.
//!
//! ```text
//! timestamptz(x), jsonb(x), inet(x)     x::timestamptz, x::jsonb, x::inet
//! int4range(x)                          x::int4range
//! ```

use datafusion::sql::sqlparser::ast::{DataType, Ident, ObjectName, TimezoneInfo};

/// Returns the type of a name; `None` for the types that are the engine's, too.
pub(super) fn read(name: &str) -> Option<DataType> {
    Some(match name {
        "json" => DataType::JSON,
        "jsonb" => DataType::JSONB,
        "timestamp" => DataType::Timestamp(None, TimezoneInfo::None),
        "timestamptz" => DataType::Timestamp(None, TimezoneInfo::Tz),
        "uuid" => DataType::Uuid,
        "daterange" | "int4range" | "int8range" | "numrange" | "tsrange" | "tstzrange" | "cidr"
        | "inet" | "name" | "oid" | "regnamespace" | "regrole" | "regtype" => {
            DataType::Custom(ObjectName::from(vec![Ident::new(name)]), Vec::new())
        }
        _ => return None,
    })
}
