//! [`HiveType`] ⇄ Arrow.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};

use super::{HiveType, MAX_DEPTH, StructField, TypeError};

impl HiveType {
    /// The Arrow type in which values of this type are computed.
    ///
    /// Text is `Utf8`, a timestamp `Timestamp(Microsecond, None)`, a decimal `Decimal128`. A list's
    /// item is named `item`; a map's entries are named `entries`, with `key` (never null) and
    /// `value`. Everything else may be null.
    pub fn to_arrow(&self) -> DataType {
        match self {
            HiveType::Boolean => DataType::Boolean,
            HiveType::TinyInt => DataType::Int8,
            HiveType::SmallInt => DataType::Int16,
            HiveType::Int => DataType::Int32,
            HiveType::BigInt => DataType::Int64,
            HiveType::Float => DataType::Float32,
            HiveType::Double => DataType::Float64,
            HiveType::Decimal(precision, scale) => {
                DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
            }
            HiveType::Char(_) | HiveType::Varchar(_) | HiveType::String => DataType::Utf8,
            HiveType::Binary => DataType::Binary,
            HiveType::Date => DataType::Date32,
            HiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            HiveType::Array(item) => {
                DataType::List(Arc::new(Field::new("item", item.to_arrow(), true)))
            }
            HiveType::Map(key, value) => {
                let key = Field::new("key", key.to_arrow(), false);
                let value = Field::new("value", value.to_arrow(), true);
                let entries = DataType::Struct(Fields::from(vec![key, value]));
                DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
            HiveType::Struct(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|field| Field::new(&field.name, field.data_type.to_arrow(), true))
                    .collect(),
            ),
        }
    }

    /// The narrowest Hive type that holds every value of an Arrow type: views and large types are
    /// their plain ones, dictionaries and runs their values, unsigned integers the next wider
    /// signed ones (`UInt64` is `decimal(20,0)`), a timestamp's unit and zone are dropped.
    ///
    /// # Errors
    /// An Arrow type that Hive has no type for: null, times of day, durations, intervals, unions,
    /// and decimals wider than 38 digits.
    pub fn from_arrow(data_type: &DataType) -> Result<HiveType, TypeError> {
        convert(data_type, 1)
    }
}

fn convert(data_type: &DataType, depth: usize) -> Result<HiveType, TypeError> {
    if depth > MAX_DEPTH {
        return Err(TypeError::new(format!(
            "the Arrow type nests deeper than {MAX_DEPTH} levels"
        )));
    }
    Ok(match data_type {
        DataType::Boolean => HiveType::Boolean,
        DataType::Int8 => HiveType::TinyInt,
        DataType::Int16 | DataType::UInt8 => HiveType::SmallInt,
        DataType::Int32 | DataType::UInt16 => HiveType::Int,
        DataType::Int64 | DataType::UInt32 => HiveType::BigInt,
        DataType::UInt64 => HiveType::Decimal(20, 0),
        DataType::Float16 | DataType::Float32 => HiveType::Float,
        DataType::Float64 => HiveType::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => decimal(*precision, *scale)?,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => HiveType::String,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => HiveType::Binary,
        DataType::Date32 | DataType::Date64 => HiveType::Date,
        DataType::Timestamp(_, _) => HiveType::Timestamp,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            HiveType::Array(Box::new(convert(item.data_type(), depth + 1)?))
        }
        DataType::Map(entries, _) => map(entries, depth)?,
        DataType::Struct(fields) => structure(fields, depth)?,
        DataType::Dictionary(_, values) => convert(values, depth + 1)?,
        DataType::RunEndEncoded(_, values) => convert(values.data_type(), depth + 1)?,
        DataType::Null
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::Union(_, _) => {
            return Err(TypeError::new(format!(
                "no Hive type holds the Arrow type {data_type}; cast the column, for example to varchar"
            )));
        }
    })
}

fn decimal(precision: u8, scale: i8) -> Result<HiveType, TypeError> {
    // A negative scale means trailing zeros before the point.
    let (digits, scale) = match u8::try_from(scale) {
        Ok(scale) => (precision.max(scale), scale),
        Err(_) => (precision.saturating_add(scale.unsigned_abs()), 0),
    };
    if digits == 0 || digits > 38 {
        return Err(TypeError::new(format!(
            "a decimal of {digits} digits does not fit Hive's 38; cast the column to a narrower decimal"
        )));
    }
    Ok(HiveType::Decimal(digits, scale))
}

fn map(entries: &FieldRef, depth: usize) -> Result<HiveType, TypeError> {
    let DataType::Struct(pair) = entries.data_type() else {
        return Err(TypeError::new("an Arrow map's entries are not a struct"));
    };
    let [key, value] = pair.as_ref() else {
        return Err(TypeError::new(format!(
            "an Arrow map's entries have {} fields; they must have 2",
            pair.len()
        )));
    };
    let key = convert(key.data_type(), depth + 1)?;
    if key.is_nested() {
        return Err(TypeError::new(format!(
            "a map key has type {key}; it must be primitive"
        )));
    }
    Ok(HiveType::Map(
        Box::new(key),
        Box::new(convert(value.data_type(), depth + 1)?),
    ))
}

fn structure(fields: &Fields, depth: usize) -> Result<HiveType, TypeError> {
    let mut names = HashSet::new();
    let mut converted = Vec::with_capacity(fields.len());
    for field in fields {
        let name = field.name().to_lowercase();
        if name.is_empty() || !names.insert(name.clone()) {
            return Err(TypeError::new(format!(
                "struct field \"{name}\" is empty or given twice (names do not differ by case)"
            )));
        }
        converted.push(StructField {
            name,
            data_type: convert(field.data_type(), depth + 1)?,
        });
    }
    if converted.is_empty() {
        return Err(TypeError::new("a struct without fields has no Hive type"));
    }
    Ok(HiveType::Struct(converted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_type_survives_the_way_to_arrow_and_back() {
        for text in [
            "boolean",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "decimal(38,38)",
            "string",
            "binary",
            "date",
            "timestamp",
            "array<array<int>>",
            "map<string,array<decimal(10,2)>>",
            "struct<a:int,b:struct<c:map<date,string>>>",
        ] {
            let hive: HiveType = text.parse().unwrap();
            assert_eq!(
                HiveType::from_arrow(&hive.to_arrow()).unwrap(),
                hive,
                "{text}"
            );
        }
        let text: HiveType = "varchar(10)".parse().unwrap();
        assert_eq!(text.to_arrow(), DataType::Utf8);
    }

    #[test]
    fn maps_and_lists_have_the_usual_field_names() {
        let DataType::Map(entries, false) =
            "map<string,int>".parse::<HiveType>().unwrap().to_arrow()
        else {
            panic!("a map")
        };
        assert_eq!(
            (entries.name().as_str(), entries.is_nullable()),
            ("entries", false)
        );
        let DataType::Struct(pair) = entries.data_type() else {
            panic!("a struct")
        };
        let names: Vec<_> = pair
            .iter()
            .map(|f| (f.name().as_str(), f.is_nullable()))
            .collect();
        assert_eq!(names, [("key", false), ("value", true)]);
        let DataType::List(item) = "array<int>".parse::<HiveType>().unwrap().to_arrow() else {
            panic!("a list")
        };
        assert_eq!(item.name(), "item");
    }

    #[test]
    fn other_arrow_types_take_the_hive_type_that_holds_them() {
        let item = |t: DataType| Arc::new(Field::new("item", t, true));
        for (arrow, hive) in [
            (DataType::Utf8View, "string"),
            (DataType::LargeUtf8, "string"),
            (DataType::BinaryView, "binary"),
            (DataType::FixedSizeBinary(16), "binary"),
            (DataType::UInt8, "smallint"),
            (DataType::UInt16, "int"),
            (DataType::UInt32, "bigint"),
            (DataType::UInt64, "decimal(20,0)"),
            (DataType::Date64, "date"),
            (
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
                "timestamp",
            ),
            (DataType::Decimal256(20, 2), "decimal(20,2)"),
            (DataType::Decimal128(3, -2), "decimal(5,0)"),
            (DataType::Decimal128(2, 4), "decimal(4,4)"),
            (
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                "string",
            ),
            (
                DataType::LargeListView(item(DataType::UInt8)),
                "array<smallint>",
            ),
            (
                DataType::FixedSizeList(item(DataType::Float16), 4),
                "array<float>",
            ),
        ] {
            assert_eq!(
                HiveType::from_arrow(&arrow).unwrap().to_string(),
                hive,
                "{arrow}"
            );
        }
    }

    #[test]
    fn arrow_types_without_a_hive_type_are_named() {
        let error = HiveType::from_arrow(&DataType::Time64(TimeUnit::Nanosecond)).unwrap_err();
        assert!(error.to_string().contains("Time64"), "{error}");
        assert!(HiveType::from_arrow(&DataType::Decimal256(76, 0)).is_err());
        assert!(HiveType::from_arrow(&DataType::Null).is_err());
    }
}
