//! GetXdbcTypeInfo: the types of columns, as JDBC and ODBC number them.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetXdbcTypeInfo, Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode,
};
use lakegate_error::{Error, Result};

/// Describes a type that has only a name.
fn named(name: &str, data_type: XdbcDataType) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        sql_data_type: data_type,
        local_type_name: Some(name.to_owned()),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        ..XdbcTypeInfo::default()
    }
}

/// Describes an integer type. `digits`: decimal digits.
fn integer(name: &str, data_type: XdbcDataType, digits: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        column_size: Some(digits),
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        num_prec_radix: Some(10),
        searchable: Searchable::Basic,
        ..named(name, data_type)
    }
}

/// Describes a float type. `bits`: bits of the mantissa.
fn float(name: &str, data_type: XdbcDataType, bits: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        column_size: Some(bits),
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        num_prec_radix: Some(2),
        searchable: Searchable::Basic,
        ..named(name, data_type)
    }
}

/// Describes a text type. `length`: the maximum number of characters, if there is a limit.
fn text(name: &str, data_type: XdbcDataType, length: Option<i32>) -> XdbcTypeInfo {
    XdbcTypeInfo {
        column_size: length,
        literal_prefix: Some("'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        create_params: length.map(|_| vec!["length".to_owned()]),
        case_sensitive: true,
        ..named(name, data_type)
    }
}

/// Describes a type of dates or times. `length`: characters as text.
fn time(
    name: &str,
    data_type: XdbcDataType,
    length: i32,
    subcode: XdbcDatetimeSubcode,
) -> XdbcTypeInfo {
    XdbcTypeInfo {
        column_size: Some(length),
        literal_prefix: Some(format!("{} '", name.to_uppercase())),
        literal_suffix: Some("'".to_owned()),
        sql_data_type: XdbcDataType::XdbcDatetime,
        datetime_subcode: Some(subcode),
        searchable: Searchable::Basic,
        ..named(name, data_type)
    }
}

fn all() -> Result<XdbcTypeInfoData> {
    use XdbcDataType as X;
    let mut types = XdbcTypeInfoDataBuilder::new();
    types.append(XdbcTypeInfo {
        column_size: Some(1),
        searchable: Searchable::Basic,
        ..named("boolean", X::XdbcBit)
    });
    types.append(integer("tinyint", X::XdbcTinyint, 3));
    types.append(integer("smallint", X::XdbcSmallint, 5));
    types.append(integer("int", X::XdbcInteger, 10));
    types.append(integer("bigint", X::XdbcBigint, 19));
    types.append(float("float", X::XdbcReal, 24));
    types.append(float("double", X::XdbcDouble, 53));
    types.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
        maximum_scale: Some(38),
        ..integer("decimal", X::XdbcDecimal, 38)
    });
    types.append(text("string", X::XdbcVarchar, None));
    types.append(text("varchar", X::XdbcVarchar, Some(65_535)));
    types.append(text("char", X::XdbcChar, Some(255)));
    types.append(XdbcTypeInfo {
        literal_prefix: Some("X'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        searchable: Searchable::Basic,
        ..named("binary", X::XdbcVarbinary)
    });
    types.append(time(
        "date",
        X::XdbcDate,
        10,
        // Equal to XDBC_SUBCODE_DATE.
        XdbcDatetimeSubcode::XdbcSubcodeYear,
    ));
    types.append(XdbcTypeInfo {
        minimum_scale: Some(6),
        maximum_scale: Some(6),
        ..time(
            "timestamp",
            X::XdbcTimestamp,
            26,
            XdbcDatetimeSubcode::XdbcSubcodeTimestamp,
        )
    });
    for nested in ["array", "map", "struct"] {
        types.append(XdbcTypeInfo {
            searchable: Searchable::None,
            ..named(nested, X::XdbcUnknownType)
        });
    }
    types
        .build()
        .map_err(|e| Error::internal(format!("the types cannot be shown: {e}")))
}

pub(super) fn schema() -> SchemaRef {
    XdbcTypeInfoDataBuilder::new().schema()
}

pub(super) fn batch(asked: CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
    asked
        .into_builder(&all()?)
        .build()
        .map_err(|e| Error::internal(format!("the types cannot be shown: {e}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_are_listed_all_or_by_number() {
        let of = |data_type| batch(CommandGetXdbcTypeInfo { data_type }).unwrap();
        assert_eq!(of(None).schema(), schema());
        assert_eq!(of(None).num_rows(), 17);
        assert_eq!(of(Some(XdbcDataType::XdbcVarchar as i32)).num_rows(), 2);
        assert_eq!(of(Some(1234)).num_rows(), 0);
    }
}
