//! Builds columns of any type from JSON, for casts.

mod rows;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder,
    Int64Builder, ListArray, MapArray, StringBuilder, StructArray, new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion::error::Result;

use super::canonical::{Members, Writer};
use super::convert::{Failure, boolean, expected, number_text, text_of, whole, wrong};
use super::numbers::{self, Decimal};
use super::scan::{Number, Scalar, Scanner};
use super::types;
use crate::work::Work;

const CASTABLE: &str = "json can be cast to booleans, numbers, varchar, and arrays, maps and rows \
                        of these; other types take a varchar, such as json_extract_scalar returns";

/// What all columns of one cast share.
#[derive(Debug)]
pub(super) struct Context<'w> {
    pub work: &'w Work,
    pub scratch: String,
    pub writer: Writer,
}

/// A column that grows by a value at a time.
#[derive(Debug)]
pub(super) struct Sink {
    field: FieldRef,
    kind: Kind,
    /// Bytes that each value takes, NULL too.
    pub width: usize,
}

#[derive(Debug)]
enum Kind {
    Boolean(BooleanBuilder),
    /// Integers of all widths.
    Whole(Int64Builder, RangeInclusive<i64>),
    Double(Float64Builder),
    Real(Float32Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Json(StringBuilder),
    List(Box<Sink>, Runs),
    Map(Box<[Sink; 2]>, Runs),
    Row(Row),
}

/// Where the values of arrays or maps end, and which of these are NULL.
#[derive(Debug)]
struct Runs {
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Runs {
    fn new() -> Self {
        Self {
            ends: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }

    fn len(&self) -> usize {
        self.nulls.len()
    }

    fn end(&mut self, items: usize, valid: bool) {
        // Each item was counted as bytes, of which there are fewer.
        self.ends.push(i32::try_from(items).unwrap_or(i32::MAX));
        self.nulls.append(valid);
    }

    fn finish(mut self) -> (OffsetBuffer<i32>, Option<arrow::buffer::NullBuffer>) {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        (ends, self.nulls.finish())
    }
}

#[derive(Debug)]
struct Row {
    fields: Fields,
    sinks: Vec<Sink>,
    /// Fields by name, in lower case.
    names: HashMap<String, usize>,
    nulls: NullBufferBuilder,
    /// Which fields the current row has.
    present: Vec<bool>,
}

impl Sink {
    /// # Errors
    ///
    /// JSON cannot be cast to the field's type.
    pub(super) fn of(field: &FieldRef) -> Result<Self> {
        let whole = |min: i64, max: i64| Kind::Whole(Int64Builder::new(), min..=max);
        let kind = match field.data_type() {
            _ if types::is_json(field) => Kind::Json(StringBuilder::new()),
            DataType::Boolean => Kind::Boolean(BooleanBuilder::new()),
            DataType::Int8 => whole(i8::MIN.into(), i8::MAX.into()),
            DataType::Int16 => whole(i16::MIN.into(), i16::MAX.into()),
            DataType::Int32 => whole(i32::MIN.into(), i32::MAX.into()),
            DataType::Int64 => whole(i64::MIN, i64::MAX),
            DataType::Float32 => Kind::Real(Float32Builder::new()),
            DataType::Float64 => Kind::Double(Float64Builder::new()),
            DataType::Decimal128(precision, scale) => Kind::Decimal(
                Decimal128Builder::new().with_data_type(field.data_type().clone()),
                *precision,
                *scale,
            ),
            DataType::List(item) => Kind::List(Box::new(Self::of(item)?), Runs::new()),
            DataType::Map(entries, _) => match types::entry_fields(entries) {
                Some((key, value)) if types::is_key(key.data_type()) && !types::is_json(key) => {
                    let sinks = [Self::of(key)?, Self::of(value)?];
                    Kind::Map(Box::new(sinks), Runs::new())
                }
                _ => return Err(types::mismatch("json", &types::name(field), CASTABLE)),
            },
            DataType::Struct(fields) => {
                let sinks = fields.iter().map(Self::of).collect::<Result<Vec<_>>>()?;
                let names = fields.iter().enumerate();
                let names = names.map(|(index, field)| (field.name().to_lowercase(), index));
                Kind::Row(Row {
                    fields: fields.clone(),
                    present: vec![false; sinks.len()],
                    sinks,
                    names: names.collect(),
                    nulls: NullBufferBuilder::new(0),
                })
            }
            other if types::is_text(other) => Kind::Text(StringBuilder::new()),
            _ => return Err(types::mismatch("json", &types::name(field), CASTABLE)),
        };
        let width = match &kind {
            Kind::Decimal(..) => 16,
            Kind::Row(row) => row.sinks.iter().map(|sink| sink.width).sum(),
            _ => 8,
        };
        Ok(Self {
            field: Arc::clone(field),
            kind,
            width,
        })
    }

    pub(super) fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.kind {
            Kind::Boolean(builder) => builder.len(),
            Kind::Whole(builder, _) => builder.len(),
            Kind::Double(builder) => builder.len(),
            Kind::Real(builder) => builder.len(),
            Kind::Decimal(builder, ..) => builder.len(),
            Kind::Text(builder) | Kind::Json(builder) => builder.len(),
            Kind::List(_, runs) | Kind::Map(_, runs) => runs.len(),
            Kind::Row(row) => row.nulls.len(),
        }
    }

    /// Appends a NULL. Values of an unfinished one belong to it, and are not shown.
    pub(super) fn append_null(&mut self) {
        match &mut self.kind {
            Kind::Boolean(builder) => builder.append_null(),
            Kind::Whole(builder, _) => builder.append_null(),
            Kind::Double(builder) => builder.append_null(),
            Kind::Real(builder) => builder.append_null(),
            Kind::Decimal(builder, ..) => builder.append_null(),
            Kind::Text(builder) | Kind::Json(builder) => builder.append_null(),
            Kind::List(item, runs) => {
                item.settle();
                runs.end(item.len(), false);
            }
            Kind::Map(entry, runs) => {
                let [key, value] = entry.as_mut();
                key.settle();
                value.settle();
                while value.len() < key.len() {
                    value.append_null();
                }
                runs.end(key.len(), false);
            }
            Kind::Row(row) => {
                let length = row.nulls.len() + 1;
                for sink in &mut row.sinks {
                    sink.fill(length);
                }
                row.nulls.append(false);
            }
        }
    }

    /// Whether a failure left a value unfinished.
    fn is_unfinished(&self) -> bool {
        match &self.kind {
            Kind::List(item, runs) => last(&runs.ends) < item.parts(),
            Kind::Map(entry, runs) => {
                let [key, value] = entry.as_ref();
                last(&runs.ends) < key.parts().max(value.parts())
            }
            Kind::Row(row) => row.sinks.iter().any(|sink| sink.parts() > row.nulls.len()),
            _ => false,
        }
    }

    /// The length, with an unfinished value.
    fn parts(&self) -> usize {
        self.len() + usize::from(self.is_unfinished())
    }

    /// Ends a value that a failure left unfinished.
    fn settle(&mut self) {
        if self.is_unfinished() {
            self.append_null();
        }
    }

    /// Appends NULLs up to a length.
    pub(super) fn fill(&mut self, length: usize) {
        self.settle();
        while self.len() < length {
            self.append_null();
        }
    }

    /// Appends the value at the scanner's place, and moves past it.
    pub(super) fn append(
        &mut self,
        scanner: &mut Scanner<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Json(builder) => {
                context.work.builds(4)?;
                context.scratch.clear();
                let out = &mut context.scratch;
                context
                    .writer
                    .write(scanner, Members::AsWritten, out, context.work)?;
                context.work.builds(out.len())?;
                builder.append_value(out);
                return Ok(());
            }
            Kind::List(..) | Kind::Map(..) | Kind::Row(_) => (),
            _ => {
                return match scanner.peek() {
                    Some(b'{' | b'[') => expected("it is not a scalar"),
                    _ => {
                        let scalar = scanner.scalar()?;
                        self.append_scalar(scalar, context)
                    }
                };
            }
        }
        if scanner.peek() == Some(b'n') {
            scanner.scalar()?;
            context.work.builds(self.width)?;
            self.append_null();
            return Ok(());
        }
        context.work.builds(4)?;
        match &mut self.kind {
            Kind::List(item, runs) => {
                if scanner.peek() != Some(b'[') {
                    return expected("an array is expected");
                }
                let mut more = scanner.enter(b']');
                while more {
                    item.append(scanner, context)?;
                    more = scanner.next(b']')?;
                }
                runs.end(item.len(), true);
            }
            Kind::Map(entry, runs) => {
                if scanner.peek() != Some(b'{') {
                    return expected("an object is expected");
                }
                let [key, value] = entry.as_mut();
                let from = key.len();
                let mut more = scanner.enter(b'}');
                while more {
                    let name = scanner.key()?;
                    key.append_scalar(Scalar::String(name), context)?;
                    value.append(scanner, context)?;
                    more = scanner.next(b'}')?;
                }
                if key.repeats(from) {
                    return expected("an object must have each name once");
                }
                runs.end(key.len(), true);
            }
            Kind::Row(row) => row.append(scanner, context)?,
            _ => (),
        }
        Ok(())
    }

    /// Appends a scalar, or a member's name, to a column of scalars.
    pub(super) fn append_scalar(
        &mut self,
        scalar: Scalar<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let work = context.work;
        work.builds(8)?;
        if scalar == Scalar::Null {
            self.append_null();
            return Ok(());
        }
        let scratch = &mut context.scratch;
        scratch.clear();
        match &mut self.kind {
            Kind::Boolean(builder) => builder.append_value(boolean(scalar, scratch)?),
            Kind::Whole(builder, range) => {
                let whole = whole(scalar, scratch)?;
                if !range.contains(&whole) {
                    return expected("it is out of range");
                }
                builder.append_value(whole);
            }
            Kind::Double(builder) => {
                let text = number_text(scalar, scratch);
                builder.append_value(numbers::read_double(text).map_or_else(wrong, Ok)?);
            }
            Kind::Real(builder) => {
                let text = number_text(scalar, scratch);
                builder.append_value(numbers::read_real(text).map_or_else(wrong, Ok)?);
            }
            Kind::Decimal(builder, precision, scale) => {
                work.builds(8)?;
                let limit = 10i128.checked_pow(u32::from(*precision));
                let text = number_text(scalar, scratch);
                match numbers::read_decimal(text, *scale) {
                    Some(Decimal::Value(value))
                        if limit.is_none_or(|limit| value.abs() < limit) =>
                    {
                        builder.append_value(value);
                    }
                    Some(_) => return expected("it is out of range"),
                    None => return wrong(),
                }
            }
            Kind::Text(builder) => {
                let text: &str = match scalar {
                    Scalar::Boolean(true) => "true",
                    Scalar::Boolean(false) => "false",
                    Scalar::Number(Number { text, whole: true }) => text,
                    Scalar::Number(number) => {
                        numbers::push_scientific(number.text.parse().unwrap_or(0.0), scratch);
                        scratch
                    }
                    Scalar::String(raw) => text_of(raw, scratch),
                    Scalar::Null => "",
                };
                work.builds(text.len())?;
                builder.append_value(text);
            }
            _ => return wrong(),
        }
        Ok(())
    }

    /// Whether a key from this one on is there twice.
    fn repeats(&self, from: usize) -> bool {
        match &self.kind {
            Kind::Text(builder) => {
                let ends = builder.offsets_slice().get(from..).unwrap_or_default();
                let place = |at: i32| usize::try_from(at).unwrap_or(0);
                let texts = ends.windows(2).map(|ends| match ends {
                    [from, to] => builder.values_slice().get(place(*from)..place(*to)),
                    _ => None,
                });
                repeated(texts.collect())
            }
            Kind::Boolean(builder) => {
                let bit = |at: usize| {
                    let byte = builder.values_slice().get(at / 8).copied();
                    byte.unwrap_or(0) >> (at % 8) & 1
                };
                match self.len().saturating_sub(from) {
                    0 | 1 => false,
                    2 => bit(from) == bit(from + 1),
                    _ => true,
                }
            }
            Kind::Whole(builder, _) => repeated(after(builder.values_slice(), from).to_vec()),
            Kind::Decimal(builder, ..) => repeated(after(builder.values_slice(), from).to_vec()),
            Kind::Double(builder) => {
                let values = after(builder.values_slice(), from).iter();
                repeated(values.map(|value| (value + 0.0).to_bits()).collect())
            }
            Kind::Real(builder) => {
                let values = after(builder.values_slice(), from).iter();
                repeated(values.map(|value| (value + 0.0).to_bits()).collect())
            }
            _ => false,
        }
    }

    /// # Errors
    ///
    /// The parts do not make an array of the field's type.
    pub(super) fn finish(self) -> Result<ArrayRef> {
        let data_type = self.field.data_type();
        let array: ArrayRef = match self.kind {
            Kind::Boolean(mut builder) => Arc::new(builder.finish()),
            Kind::Whole(mut builder, _) => Arc::new(builder.finish()),
            Kind::Double(mut builder) => Arc::new(builder.finish()),
            Kind::Real(mut builder) => Arc::new(builder.finish()),
            Kind::Decimal(mut builder, ..) => Arc::new(builder.finish()),
            Kind::Text(mut builder) | Kind::Json(mut builder) => Arc::new(builder.finish()),
            Kind::List(item, runs) => {
                let (ends, nulls) = runs.finish();
                let field = match data_type {
                    DataType::List(field) => Arc::clone(field),
                    _ => Arc::clone(&item.field),
                };
                Arc::new(ListArray::try_new(field, ends, item.finish()?, nulls)?)
            }
            Kind::Map(entry, runs) => {
                let (ends, nulls) = runs.finish();
                let DataType::Map(entries, sorted) = data_type else {
                    return Ok(new_null_array(
                        data_type,
                        nulls.map_or(0, |nulls| nulls.len()),
                    ));
                };
                let DataType::Struct(fields) = entries.data_type() else {
                    return Ok(new_null_array(
                        data_type,
                        nulls.map_or(0, |nulls| nulls.len()),
                    ));
                };
                let [key, value] = *entry;
                let columns = vec![key.finish()?, value.finish()?];
                let columns = StructArray::try_new(fields.clone(), columns, None)?;
                let entries = Arc::clone(entries);
                Arc::new(MapArray::try_new(entries, ends, columns, nulls, *sorted)?)
            }
            Kind::Row(mut row) => {
                let length = row.nulls.len();
                let columns = row.sinks.into_iter().map(Self::finish);
                let columns = columns.collect::<Result<Vec<_>>>()?;
                let nulls = row.nulls.finish();
                let fields = row.fields;
                Arc::new(StructArray::try_new_with_length(
                    fields, columns, nulls, length,
                )?)
            }
        };
        match array.data_type() == data_type {
            true => Ok(array),
            false => Ok(cast(&array, data_type)?),
        }
    }
}

fn last(ends: &[i32]) -> usize {
    let last = ends.last().copied().unwrap_or(0);
    usize::try_from(last).unwrap_or(0)
}

fn after<T>(values: &[T], from: usize) -> &[T] {
    values.get(from..).unwrap_or_default()
}

/// Whether a value is there twice.
fn repeated<T: Ord>(mut values: Vec<T>) -> bool {
    if values.is_sorted_by(|a, b| a < b) {
        return false;
    }
    values.sort_unstable();
    !values.is_sorted_by(|a, b| a < b)
}
