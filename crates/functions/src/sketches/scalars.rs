//! Functions of sketches: the values at quantiles of a digest, the cardinality of a HyperLogLog.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Float64Array, Float64Builder, Int64Array,
    Int64Builder, ListArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};
use lakegate_error::Error;

use super::digest::Digest;
use super::digests::in_type;
use super::hll::HyperLogLog;
use super::set_digests::SetDigest;
use super::sets::SET_BITS;
use super::sketch::Sketch;
use super::{HLL, SET_DIGEST, is_quantile_digest, marked, number_type};
use crate::aggregates::function::{invalid, wrong_types};
use crate::aggregates::gathered::{list_of, offsets};
use crate::columns::Column;
use crate::kernel::Call;
use crate::work::Work;

/// Bytes of a row's result of a fixed size.
const NUMBER: usize = 8;

fn quantile(value: f64) -> Result<f64> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(value),
        false => Err(invalid(format!(
            "a quantile must be from 0 to 1, not {value}"
        ))),
    }
}

/// Reads the digest of a row; the last one is kept, as rows of a constant have the same.
fn digest<'a>(
    last: &'a mut Option<(usize, Digest)>,
    column: &Column,
    row: usize,
) -> Result<Option<&'a mut Digest>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let at = column.at(row);
    if last.as_ref().is_none_or(|(index, _)| *index != at) {
        let read = Digest::read(column.array.as_binary::<i32>().value(at))?;
        *last = Some((at, read));
    }
    Ok(last.as_mut().map(|(_, digest)| digest))
}

/// The type of the values of the digest in the first argument.
pub(crate) fn value_type(fields: &[FieldRef]) -> DataType {
    fields.first().map_or(DataType::Float64, number_type)
}

pub(crate) fn value_at_quantile(call: &Call<'_>) -> Result<ArrayRef> {
    let quantiles = call.columns[1].primitives::<Float64Type>();
    let mut last = None;
    let mut values = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(NUMBER)?;
        let digest = digest(&mut last, &call.columns[0], row)?;
        values.push(match (digest, quantiles.get(row)) {
            (Some(digest), Some(at)) => Some(digest.value_at(quantile(at)?)),
            _ => None,
        });
    }
    in_type(values, call.returns)
}

pub(crate) fn values_at_quantiles(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::List(item) = call.returns else {
        return Err(Error::internal("values_at_quantiles returns lists").into());
    };
    let lists = Column {
        array: cast(&call.columns[1].array, &list_of(&DataType::Float64))?,
        constant: call.columns[1].constant,
    };
    let mut last = None;
    let (mut values, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let list = lists.lists().and_then(|lists| lists.get(row));
        let digest = digest(&mut last, &call.columns[0], row)?;
        let before = values.len();
        match (digest, &list) {
            (Some(digest), Some(list)) => {
                call.work.builds(NUMBER * (1 + list.len()))?;
                for at in list.as_primitive::<Float64Type>() {
                    let at = at.ok_or_else(|| invalid("a quantile must not be null"))?;
                    values.push(Some(digest.value_at(quantile(at)?)));
                }
                valid.push(true);
            }
            _ => {
                call.work.builds(NUMBER)?;
                valid.push(false);
            }
        }
        lengths.push((values.len() - before) as u32);
    }
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        offsets(call.name, &lengths)?,
        in_type(values, item.data_type())?,
        Some(NullBuffer::from(valid)),
    )?))
}

pub(crate) fn quantile_at_value(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.columns[1].primitives::<Float64Type>();
    let mut last = None;
    let mut quantiles = Float64Builder::with_capacity(call.rows);
    // A quantile digest has no quantile of a value out of its range.
    let exact = call.fields.first().is_some_and(is_quantile_digest);
    for row in 0..call.rows {
        call.work.builds(NUMBER)?;
        let digest = digest(&mut last, &call.columns[0], row)?;
        quantiles.append_option(match (digest, numbers.get(row)) {
            (Some(digest), Some(number)) => {
                let (min, max) = digest.range();
                let within = !exact || (min..=max).contains(&number);
                within.then(|| digest.quantile_of(number))
            }
            _ => None,
        });
    }
    Ok(Arc::new(quantiles.finish()))
}

/// The fields of a digest's parts.
pub(crate) fn parts_type() -> DataType {
    let doubles = || list_of(&DataType::Float64);
    DataType::Struct(Fields::from(vec![
        Field::new("centroid_means", doubles(), true),
        Field::new("centroid_weights", doubles(), true),
        Field::new("compression", DataType::Float64, true),
        Field::new("min", DataType::Float64, true),
        Field::new("max", DataType::Float64, true),
        Field::new("sum", DataType::Float64, true),
        Field::new("count", DataType::Int64, true),
    ]))
}

pub(crate) fn destructured(call: &Call<'_>) -> Result<ArrayRef> {
    let mut last = None;
    let (mut means, mut weights, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    let mut numbers: [Vec<Option<f64>>; 4] = Default::default();
    let mut counts = Int64Builder::with_capacity(call.rows);
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let digest = digest(&mut last, &call.columns[0], row)?;
        let before = means.len();
        valid.push(digest.is_some());
        let mut of = [None; 4];
        if let Some(digest) = digest {
            let (mut sum, mut count) = (0.0, 0);
            for (mean, weight) in digest.centroids() {
                means.push(mean);
                weights.push(weight);
                sum += mean * weight;
                count += 1;
            }
            call.work.builds(2 * NUMBER * (count + 4))?;
            let (min, max) = digest.range();
            of = [digest.compression(), min, max, sum].map(Some);
            counts.append_value(digest.count() as i64);
        } else {
            call.work.builds(NUMBER)?;
            counts.append_null();
        }
        for (column, number) in numbers.iter_mut().zip(of) {
            column.push(number);
        }
        lengths.push((means.len() - before) as u32);
    }
    let offsets = offsets(call.name, &lengths)?;
    let item = || Arc::new(Field::new_list_field(DataType::Float64, true));
    let list = |values: Vec<f64>| -> Result<ArrayRef> {
        let values = Arc::new(Float64Array::from(values));
        Ok(Arc::new(ListArray::try_new(
            item(),
            offsets.clone(),
            values,
            None,
        )?))
    };
    let mut columns = vec![list(means)?, list(weights)?];
    for column in numbers {
        columns.push(Arc::new(Float64Array::from(column)));
    }
    columns.push(Arc::new(counts.finish()));
    let DataType::Struct(fields) = parts_type() else {
        return Err(Error::internal("a digest's parts are a row").into());
    };
    let nulls = Some(NullBuffer::from(valid));
    Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?))
}

pub(crate) fn empty_set(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = HyperLogLog::new(SET_BITS).write();
    let mut sets = BinaryBuilder::new();
    for _ in 0..call.rows {
        call.work.builds(bytes.len())?;
        sets.append_value(&bytes);
    }
    Ok(Arc::new(sets.finish()))
}

/// `cardinality`, of a HyperLogLog and of a set digest too.
#[derive(Debug)]
pub(crate) struct Cardinality {
    /// The function of arrays and maps.
    pub inner: Arc<ScalarUDF>,
}

impl PartialEq for Cardinality {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Cardinality {}

impl Hash for Cardinality {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

impl ScalarUDFImpl for Cardinality {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [sketch] if is_bytes(sketch) => Ok(DataType::Int64),
            _ => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [field] if is_bytes(field.data_type()) => {
                let other = field.metadata().get(super::EXTENSION);
                if other.is_some_and(|name| name != HLL && name != SET_DIGEST) {
                    let types = [field.data_type().clone()];
                    return Err(wrong_types(
                        self.name(),
                        "a HyperLogLog, a set digest, an array or a map",
                        &types,
                    ));
                }
                Ok(Arc::new(Field::new(self.name(), DataType::Int64, true)))
            }
            _ => self.inner.return_field_from_args(args),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [sketches] = args.args.as_slice() else {
            return self.inner.invoke_with_args(args);
        };
        if !is_bytes(&sketches.data_type()) {
            return self.inner.invoke_with_args(args);
        }
        let column = Column::of(sketches.clone())?;
        let work = Work::new("cardinality", column.constant);
        let bytes = cast(&column.array, &DataType::Binary)?;
        let bytes = bytes.as_binary::<i32>();
        let marks = args.arg_fields.first().map(|field| field.metadata());
        let mark = marks.and_then(|marks| marks.get(super::EXTENSION));
        let cardinality = |bytes: &[u8]| -> Result<i64> {
            Ok(match mark.is_some_and(|mark| mark == SET_DIGEST) {
                true => SetDigest::read(bytes)?.cardinality(),
                false => HyperLogLog::read(bytes)?.cardinality(),
            })
        };
        let mut counts = Vec::with_capacity(bytes.len());
        for row in 0..bytes.len() {
            work.builds(NUMBER)?;
            counts.push(match bytes.is_valid(row) {
                true => Some(cardinality(bytes.value(row))?),
                false => None,
            });
        }
        let counts: ArrayRef = Arc::new(Int64Array::from(counts));
        Ok(match column.constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&counts, 0)?),
            false => ColumnarValue::Array(counts),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// The field of an empty HyperLogLog.
pub(crate) fn set_field(_: &[FieldRef]) -> Result<FieldRef> {
    Ok(Arc::new(marked(HLL, None)))
}
