//! The types of a new file's columns: how values are encoded, and what its footer says of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Error, Result};

use super::wire::Message;
use crate::type_name;

/// The column as it is encoded.
///
/// # Errors
/// Values of its type are not written.
pub(super) fn encoded(field: &Field) -> Result<Field> {
    let data_type = encoded_type(field.data_type()).ok_or_else(|| {
        Error::not_supported(format!(
            "column '{}' has type {}, which is not written as ORC",
            field.name(),
            type_name(field.data_type())
        ))
        .with_hint("write the table as PARQUET, or cast the column to double or string")
    })?;
    Ok(Field::new(field.name(), data_type, true))
}

fn encoded_type(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    let inner = |field: &FieldRef| {
        let data_type = encoded_type(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    };
    Some(match data_type {
        simple @ (T::Boolean
        | T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::Float32
        | T::Float64
        | T::Date32) => simple.clone(),
        T::Decimal128(precision, scale) if *scale >= 0 => T::Decimal128(*precision, *scale),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Timestamp(_, None) => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(_, Some(_)) => T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        T::List(item) => T::List(inner(item)?),
        T::Map(entries, sorted) => T::Map(inner(entries)?, *sorted),
        T::Struct(fields) if !fields.is_empty() => {
            T::Struct(fields.iter().map(inner).collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

/// The type of a part of a column, by its place, as the table declares it.
fn child_of(declared: Option<&HiveType>, place: usize) -> Option<&HiveType> {
    match (declared?, place) {
        (HiveType::Array(item), 0) => Some(item),
        (HiveType::Map(key, _), 0) => Some(key),
        (HiveType::Map(_, value), 1) => Some(value),
        (HiveType::Struct(fields), _) => fields.get(place).map(|field| &field.data_type),
        _ => None,
    }
}

/// The messages of the types of rows, that of the row first. `fields`: as of [`encoded`]; `declared`:
/// the types that the table has for them.
pub(super) fn messages(fields: &Fields, declared: &[Option<HiveType>]) -> Vec<Vec<u8>> {
    let mut types = Vec::new();
    let row = DataType::Struct(fields.clone());
    let of_column = |place: usize| declared.get(place).and_then(Option::as_ref);
    describe(&row, None, &of_column, &mut types);
    types
}

/// Appends the messages of a type and of all below it. `varchar`: the characters that a text has at
/// most, if the table declares it such. `children_of`: the types that it declares for the parts.
///
/// In files, `char` is `string`: the format's own has spaces up to the length, which readers take for
/// characters or for bytes, and Hive's converts from `string`.
fn describe<'a>(
    data_type: &DataType,
    varchar: Option<u32>,
    children_of: &dyn Fn(usize) -> Option<&'a HiveType>,
    into: &mut Vec<Vec<u8>>,
) {
    use DataType as T;
    let mut message = Message::default();
    let children: Vec<&FieldRef> = match data_type {
        T::List(item) => vec![item],
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(pair) => pair.iter().collect(),
            _ => Vec::new(),
        },
        T::Struct(fields) => fields.iter().collect(),
        _ => Vec::new(),
    };
    message.number(
        1,
        match data_type {
            T::Boolean => 0,
            T::Int8 => 1,
            T::Int16 => 2,
            T::Int32 => 3,
            T::Int64 => 4,
            T::Float32 => 5,
            T::Float64 => 6,
            T::Utf8 if varchar.is_some() => 16,
            T::Utf8 => 7,
            T::Binary => 8,
            T::Timestamp(_, None) => 9,
            T::List(_) => 10,
            T::Map(..) => 11,
            T::Struct(_) => 12,
            T::Decimal128(..) => 14,
            T::Date32 => 15,
            // Times with a zone.
            _ => 18,
        },
    );
    let id = into.len();
    into.push(Vec::new());
    let mut numbers = Vec::with_capacity(children.len());
    for (place, child) in children.iter().enumerate() {
        numbers.push(into.len() as u64);
        let declared = children_of(place);
        let inner = |place: usize| child_of(declared, place);
        let varchar = match declared {
            Some(HiveType::Varchar(most)) => Some(*most),
            _ => None,
        };
        describe(child.data_type(), varchar, &inner, into);
    }
    if !numbers.is_empty() {
        message.packed(2, &numbers);
    }
    if let T::Struct(fields) = data_type {
        for field in fields {
            message.bytes(3, field.name().as_bytes());
        }
    }
    if let (T::Utf8, Some(most)) = (data_type, varchar) {
        message.number(4, u64::from(most));
    }
    if let T::Decimal128(precision, scale) = data_type {
        message.number(5, u64::from(*precision));
        message.number(6, u64::from(scale.unsigned_abs()));
    }
    if let Some(place) = into.get_mut(id) {
        *place = message.0;
    }
}
