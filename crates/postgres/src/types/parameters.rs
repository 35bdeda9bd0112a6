//! The types that declared parameters have in the engine.

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use super::known::{element_oid, is_value, oid, oid_like};

/// Returns the Arrow type of a parameter declared with a type OID, or `None` if the type is unknown
/// and must be inferred.
pub(crate) fn arrow_of(type_oid: u32) -> Option<DataType> {
    Some(match type_oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 | oid::XID8 => DataType::Int64,
        // The precision of a numeric is known only when its value is bound; this type leaves 28
        // digits before the point and 10 after it.
        oid::NUMERIC => DataType::Decimal128(38, 10),
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::REFCURSOR
        | oid::CHAR
        | oid::UUID
        | oid::TIMETZ
        | oid::INET
        | oid::CIDR
        | oid::MACADDR
        | oid::BIT
        | oid::VARBIT
        | oid::PG_LSN
        | oid::INT4RANGE
        | oid::INT8RANGE
        | oid::NUMRANGE
        | oid::TSRANGE
        | oid::TSTZRANGE
        | oid::DATERANGE
        | oid::TID
        | oid::JSON
        | oid::JSONB => DataType::Utf8,
        oid::BYTEA => DataType::Binary,
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        other if is_value(other) => DataType::Utf8,
        other if oid_like(other) => DataType::Int64,
        other => DataType::List(Field::new_list_field(arrow_of(element_oid(other)?)?, true).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_parameter_types_have_an_arrow_type() {
        assert_eq!(
            arrow_of(1007),
            Some(DataType::new_list(DataType::Int32, true))
        );
        assert_eq!(arrow_of(oid::POINT), Some(DataType::Utf8));
        assert_eq!(arrow_of(oid::UNKNOWN), None);
        assert_eq!(arrow_of(0), None);
        assert_eq!(arrow_of(999_999), None);
    }
}
