//! Columns under construction. Unlike Arrow's builders they can be truncated, so that a row that
//! fails halfway leaves nothing behind.

mod typed;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Decimal128Array, ListArray,
    MapArray, NullBufferBuilder, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, FieldRef, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use base64::Engine;
use lakegate_error::{Error, Result};

pub(in crate::format) use self::typed::Typed;
use super::scalars::{self, BinaryText, Misfit, ScalarRules};
use crate::type_name;

/// One column, or one level of a nested one.
#[derive(Debug)]
pub(in crate::format) struct Column {
    pub data_type: DataType,
    nulls: NullBufferBuilder,
    pub data: Data,
    /// Values without children at and below this level: what one more value may cost.
    pub leaves: usize,
}

#[derive(Debug)]
pub(in crate::format) enum Data {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>, u8, i8),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Text(Bytes),
    Binary(Bytes),
    List(Box<List>),
    Map(Box<Map>),
    Struct(Fields, Vec<Column>),
}

/// Values of varying length, one after the other.
#[derive(Debug, Default)]
pub(in crate::format) struct Bytes {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(in crate::format) struct List {
    ends: Vec<i32>,
    field: FieldRef,
    pub item: Column,
}

#[derive(Debug)]
pub(in crate::format) struct Map {
    ends: Vec<i32>,
    entries: FieldRef,
    fields: Fields,
    pub key: Column,
    pub value: Column,
}

impl Bytes {
    fn push(&mut self, value: &[u8]) -> Result<(), Misfit> {
        let end = i32::try_from(self.bytes.len() + value.len()).map_err(|_| Misfit::OutOfRange)?;
        self.bytes.extend_from_slice(value);
        self.ends.push(end);
        Ok(())
    }

    fn push_empty(&mut self) {
        self.ends.push(self.ends.last().copied().unwrap_or(0));
    }

    fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.bytes.truncate(last(&self.ends));
    }

    fn finish(&mut self) -> Result<(OffsetBuffer<i32>, Buffer), ArrowError> {
        Ok((
            offsets(std::mem::take(&mut self.ends))?,
            Buffer::from_vec(std::mem::take(&mut self.bytes)),
        ))
    }
}

fn last(ends: &[i32]) -> usize {
    ends.last()
        .and_then(|end| usize::try_from(*end).ok())
        .unwrap_or(0)
}

fn offsets(ends: Vec<i32>) -> Result<OffsetBuffer<i32>, ArrowError> {
    let mut all = Vec::with_capacity(ends.len() + 1);
    all.push(0);
    all.extend(ends);
    if !all.is_sorted() {
        return Err(ArrowError::InvalidArgumentError(
            "the ends of a column's values are not in order".to_owned(),
        ));
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(all)))
}

fn end_of(child: usize) -> Result<i32, Misfit> {
    i32::try_from(child).map_err(|_| Misfit::OutOfRange)
}

impl Column {
    /// # Errors
    /// A type that no text format has.
    pub(in crate::format) fn new(data_type: &DataType) -> Result<Self> {
        let data = match data_type {
            DataType::Boolean => Data::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Data::Int8(Vec::new()),
            DataType::Int16 => Data::Int16(Vec::new()),
            DataType::Int32 => Data::Int32(Vec::new()),
            DataType::Int64 => Data::Int64(Vec::new()),
            DataType::Float32 => Data::Float32(Vec::new()),
            DataType::Float64 => Data::Float64(Vec::new()),
            DataType::Decimal128(precision, scale) => Data::Decimal(Vec::new(), *precision, *scale),
            DataType::Date32 => Data::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Data::Timestamp(Vec::new()),
            DataType::Utf8 => Data::Text(Bytes::default()),
            DataType::Binary => Data::Binary(Bytes::default()),
            DataType::List(field) => Data::List(Box::new(List {
                ends: Vec::new(),
                field: Arc::clone(field),
                item: Column::new(field.data_type())?,
            })),
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(no_text_type(data_type));
                };
                let [key, value] = fields.as_ref() else {
                    return Err(no_text_type(data_type));
                };
                Data::Map(Box::new(Map {
                    ends: Vec::new(),
                    entries: Arc::clone(entries),
                    fields: fields.clone(),
                    key: Column::new(key.data_type())?,
                    value: Column::new(value.data_type())?,
                }))
            }
            DataType::Struct(fields) => {
                let children = fields
                    .iter()
                    .map(|field| Column::new(field.data_type()))
                    .collect::<Result<_>>()?;
                Data::Struct(fields.clone(), children)
            }
            other => return Err(no_text_type(other)),
        };
        let leaves = match &data {
            Data::Struct(_, children) => children
                .iter()
                .map(|child| child.leaves)
                .sum::<usize>()
                .max(1),
            _ => 1,
        };
        Ok(Self {
            data_type: data_type.clone(),
            nulls: NullBufferBuilder::new(1024),
            data,
            leaves,
        })
    }

    pub(in crate::format) fn len(&self) -> usize {
        self.nulls.len()
    }

    pub(in crate::format) fn append_null(&mut self) {
        match &mut self.data {
            Data::Boolean(values) => values.append(false),
            Data::Int8(values) => values.push(0),
            Data::Int16(values) => values.push(0),
            Data::Int32(values) | Data::Date(values) => values.push(0),
            Data::Int64(values) | Data::Timestamp(values) => values.push(0),
            Data::Float32(values) => values.push(0.0),
            Data::Float64(values) => values.push(0.0),
            Data::Decimal(values, ..) => values.push(0),
            Data::Text(values) | Data::Binary(values) => values.push_empty(),
            Data::List(list) => list.ends.push(list.ends.last().copied().unwrap_or(0)),
            Data::Map(map) => map.ends.push(map.ends.last().copied().unwrap_or(0)),
            Data::Struct(_, children) => children.iter_mut().for_each(Column::append_null),
        }
        self.nulls.append_null();
    }

    /// Ends a list, a map or a struct whose children have been appended. A struct's child without a
    /// value is NULL.
    pub(in crate::format) fn close(&mut self) -> Result<(), Misfit> {
        let parents = self.nulls.len() + 1;
        match &mut self.data {
            Data::List(list) => list.ends.push(end_of(list.item.len())?),
            Data::Map(map) => map.ends.push(end_of(map.key.len())?),
            Data::Struct(_, children) => {
                for child in children.iter_mut().filter(|child| child.len() < parents) {
                    child.append_null();
                }
            }
            _ => return Err(Misfit::NotA),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Cuts back to the first `len` values, and whatever was appended below an unfinished one.
    pub(in crate::format) fn truncate(&mut self, len: usize) {
        match &mut self.data {
            Data::Boolean(values) => values.truncate(len),
            Data::Int8(values) => values.truncate(len),
            Data::Int16(values) => values.truncate(len),
            Data::Int32(values) | Data::Date(values) => values.truncate(len),
            Data::Int64(values) | Data::Timestamp(values) => values.truncate(len),
            Data::Float32(values) => values.truncate(len),
            Data::Float64(values) => values.truncate(len),
            Data::Decimal(values, ..) => values.truncate(len),
            Data::Text(values) | Data::Binary(values) => values.truncate(len),
            Data::List(list) => {
                list.ends.truncate(len);
                list.item.truncate(last(&list.ends));
            }
            Data::Map(map) => {
                map.ends.truncate(len);
                map.key.truncate(last(&map.ends));
                map.value.truncate(last(&map.ends));
            }
            Data::Struct(_, children) => children.iter_mut().for_each(|child| child.truncate(len)),
        }
        self.nulls.truncate(len);
    }

    /// Appends a value without children. On an error nothing is appended.
    pub(in crate::format) fn append_text(
        &mut self,
        text: &str,
        rules: &ScalarRules,
    ) -> Result<(), Misfit> {
        let integer = || scalars::integer(text, rules.fractions);
        match &mut self.data {
            Data::Text(values) => values.push(text.as_bytes())?,
            Data::Boolean(values) => values.append(scalars::boolean(text)?),
            Data::Int8(values) => values.push(narrow(integer()?)?),
            Data::Int16(values) => values.push(narrow(integer()?)?),
            Data::Int32(values) => values.push(narrow(integer()?)?),
            Data::Int64(values) => values.push(integer()?),
            Data::Float32(values) => values.push(scalars::float(text)?),
            Data::Float64(values) => values.push(scalars::float(text)?),
            Data::Decimal(values, precision, scale) => {
                values.push(scalars::decimal(text, *precision, *scale)?)
            }
            Data::Date(values) => values.push(rules.date(text)?),
            Data::Timestamp(values) => values.push(rules.timestamp(text)?),
            Data::Binary(values) => {
                let decode = || base64::engine::general_purpose::STANDARD.decode(text);
                match rules.binary {
                    BinaryText::Raw => values.push(text.as_bytes())?,
                    BinaryText::Base64 => values.push(&decode().map_err(|_| Misfit::NotA)?)?,
                    BinaryText::Base64OrRaw => match decode() {
                        Ok(bytes) => values.push(&bytes)?,
                        Err(_) => values.push(text.as_bytes())?,
                    },
                }
            }
            Data::List(_) | Data::Map(_) | Data::Struct(..) => return Err(Misfit::NotA),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Hands out what was appended and starts anew.
    pub(in crate::format) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let len = self.nulls.len();
        let nulls = self.nulls.finish();
        Ok(match &mut self.data {
            Data::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Data::Int8(values) => primitive::<Int8Type>(values, nulls)?,
            Data::Int16(values) => primitive::<Int16Type>(values, nulls)?,
            Data::Int32(values) => primitive::<Int32Type>(values, nulls)?,
            Data::Int64(values) => primitive::<Int64Type>(values, nulls)?,
            Data::Float32(values) => primitive::<Float32Type>(values, nulls)?,
            Data::Float64(values) => primitive::<Float64Type>(values, nulls)?,
            Data::Date(values) => primitive::<Date32Type>(values, nulls)?,
            Data::Timestamp(values) => primitive::<TimestampMicrosecondType>(values, nulls)?,
            Data::Decimal(values, precision, scale) => Arc::new(
                Decimal128Array::try_new(take(values), nulls)?
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            Data::Text(values) => {
                let (offsets, bytes) = values.finish()?;
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Data::Binary(values) => {
                let (offsets, bytes) = values.finish()?;
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
            Data::List(list) => {
                let offsets = offsets(std::mem::take(&mut list.ends))?;
                Arc::new(ListArray::try_new(
                    Arc::clone(&list.field),
                    offsets,
                    list.item.finish()?,
                    nulls,
                )?)
            }
            Data::Map(map) => {
                let offsets = offsets(std::mem::take(&mut map.ends))?;
                let pairs = StructArray::try_new(
                    map.fields.clone(),
                    vec![map.key.finish()?, map.value.finish()?],
                    None,
                )?;
                Arc::new(MapArray::try_new(
                    Arc::clone(&map.entries),
                    offsets,
                    pairs,
                    nulls,
                    false,
                )?)
            }
            Data::Struct(fields, children) => {
                let arrays = children
                    .iter_mut()
                    .map(Column::finish)
                    .collect::<Result<_, _>>()?;
                Arc::new(StructArray::try_new_with_length(
                    fields.clone(),
                    arrays,
                    nulls,
                    len,
                )?)
            }
        })
    }
}

fn no_text_type(data_type: &DataType) -> Error {
    Error::not_supported(format!(
        "a text file cannot hold a column of type {}",
        type_name(data_type)
    ))
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Misfit> {
    T::try_from(value).map_err(|_| Misfit::OutOfRange)
}

/// Keeps the room that the last batch needed for the next one.
fn take<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let next = Vec::with_capacity(values.len());
    ScalarBuffer::from(std::mem::replace(values, next))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(PrimitiveArray::<T>::try_new(take(values), nulls)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::Array;
    use lakegate_catalog::hive_type::HiveType;

    use super::*;
    use crate::format::text::scalars::{Epoch, Fractions};

    fn column(hive: &str) -> Column {
        Column::new(&hive.parse::<HiveType>().unwrap().to_arrow()).unwrap()
    }

    fn rules() -> ScalarRules {
        ScalarRules {
            fractions: Fractions::Refuse,
            epoch: Epoch::Refuse,
            binary: BinaryText::Base64,
            patterns: Vec::new(),
        }
    }

    #[test]
    fn every_primitive_type_takes_text_and_null() {
        for (hive, text) in [
            ("boolean", "TRUE"),
            ("tinyint", "-128"),
            ("smallint", "7"),
            ("int", "7"),
            ("bigint", "7"),
            ("float", "1.5"),
            ("double", "NaN"),
            ("decimal(5,2)", "123.45"),
            ("date", "2024-01-02"),
            ("timestamp", "2024-01-02 03:04:05"),
            ("string", "é"),
            ("binary", "aGk="),
            ("varchar(3)", "abc"),
        ] {
            let mut column = column(hive);
            column.append_text(text, &rules()).unwrap();
            column.append_null();
            let array = column.finish().unwrap();
            assert_eq!((array.len(), array.null_count()), (2, 1), "{hive}");
            assert_eq!(array.data_type(), &column.data_type);
            assert_eq!(column.len(), 0);
        }
    }

    #[test]
    fn value_that_does_not_fit_appends_nothing() {
        for (hive, text, why) in [
            ("tinyint", "128", Misfit::OutOfRange),
            ("int", "x", Misfit::NotA),
            ("int", "2147483648", Misfit::OutOfRange),
            ("decimal(3,2)", "10", Misfit::OutOfRange),
            ("boolean", "yes", Misfit::NotA),
            ("date", "soon", Misfit::NotA),
            ("binary", "!", Misfit::NotA),
            ("array<int>", "1", Misfit::NotA),
        ] {
            let mut column = column(hive);
            assert_eq!(column.append_text(text, &rules()), Err(why), "{hive}");
            column.append_null();
            assert_eq!(column.finish().unwrap().len(), 1);
        }
    }

    #[test]
    fn unfinished_nested_value_is_cut_back() {
        let mut column = column("array<struct<a:int,b:map<string,string>>>");
        let Data::List(list) = &mut column.data else {
            panic!("a list")
        };
        list.item.append_null();
        column.close().unwrap();
        let Data::List(list) = &mut column.data else {
            panic!("a list")
        };
        let Data::Struct(_, children) = &mut list.item.data else {
            panic!("a struct")
        };
        let Data::Map(map) = &mut children[1].data else {
            panic!("a map")
        };
        map.key.append_text("k", &rules()).unwrap();
        column.truncate(1);
        column.append_null();
        let array = column.finish().unwrap();
        assert_eq!((array.len(), array.null_count()), (2, 1));
        array.to_data().validate_full().unwrap();
    }

    #[test]
    fn struct_child_without_a_value_is_null() {
        let mut column = column("struct<a:int,b:int>");
        let Data::Struct(_, children) = &mut column.data else {
            panic!("a struct")
        };
        children[1].append_text("1", &rules()).unwrap();
        column.close().unwrap();
        let array = column.finish().unwrap();
        let pair = array.as_any().downcast_ref::<StructArray>().unwrap();
        assert!(pair.column(0).is_null(0) && pair.column(1).is_valid(0));
    }

    #[test]
    fn type_that_no_text_has_is_named() {
        let error = Column::new(&DataType::Time64(TimeUnit::Nanosecond)).unwrap_err();
        assert!(error.message().contains("Time64"), "{error}");
    }
}
