//! Aggregates over HyperLogLog sketches: `approx_set` and `approx_distinct`.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use lakegate_error::Error;

use super::hll::HyperLogLog;
use super::sketch::{Sketches, Summary, written};
use crate::aggregates::function::{Call, invalid, wrong_types};
use crate::aggregates::hashes::hashes;
use crate::aggregates::is_number;
use crate::aggregates::state::State;

/// The buckets of `approx_set`, as a power of two.
pub(crate) const SET_BITS: u8 = 12;

/// The standard error of `approx_distinct` without another one.
const ERROR: f64 = 0.023;

#[derive(Debug)]
struct Sets {
    name: &'static str,
    bits: u8,
    /// Whether the result is the number of distinct values.
    counted: bool,
}

/// The types of an aggregate whose values [`murmur`] hashes.
pub(super) fn number_or_text(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::Null] => Ok(types.to_vec()),
        [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View] => Ok(vec![DataType::Utf8]),
        [whole] if whole.is_integer() => Ok(vec![DataType::Int64]),
        [number] if is_number(number) => Ok(vec![DataType::Float64]),
        _ => Err(wrong_types(name, "a number or a text", types)),
    }
}

/// `approx_set(x)`.
pub(crate) fn approx_set(call: &Call) -> Result<Box<dyn State>> {
    Ok(Sketches::boxed(Sets {
        name: call.name,
        bits: SET_BITS,
        counted: false,
    }))
}

/// `approx_distinct(x[, e])`.
pub(crate) fn approx_distinct(call: &Call) -> Result<Box<dyn State>> {
    let error = match call.fields.len() {
        1 => ERROR,
        _ => match call.constant(1)? {
            ScalarValue::Float64(Some(error)) => *error,
            _ => {
                return Err(invalid(
                    "the standard error of approx_distinct must not be null",
                ));
            }
        },
    };
    if !(0.004_062_5..=0.26).contains(&error) {
        return Err(invalid(format!(
            "the standard error of approx_distinct must be from 0.0040625 to 0.26, not {error}"
        )));
    }
    let buckets = (1.0816 / (error * error)).ceil() as u32;
    Ok(Sketches::boxed(Sets {
        name: call.name,
        bits: buckets.next_power_of_two().trailing_zeros().min(16) as u8,
        counted: true,
    }))
}

/// The hashes of `approx_set`: MurmurHash3 of a value's bytes.
pub(super) fn murmur(array: &ArrayRef) -> Result<Vec<u64>> {
    let of = |bytes: &[u8]| -> Result<u64> {
        let hash = murmur3::murmur3_x64_128(&mut Cursor::new(bytes), 0);
        let hash = hash.map_err(|e| Error::internal(format!("a hash failed: {e}")))?;
        Ok(hash as u64)
    };
    match array.data_type() {
        DataType::Null => Ok(vec![0; array.len()]),
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>().values().iter();
            values.map(|value| of(&value.to_le_bytes())).collect()
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values().iter();
            let values = values.map(|x| if x.is_nan() { f64::NAN } else { *x });
            values
                .map(|value| of(&value.to_bits().to_le_bytes()))
                .collect()
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            (0..texts.len())
                .map(|row| of(texts.value(row).as_bytes()))
                .collect()
        }
        other => Err(Error::internal(format!("a hash of {other}")).into()),
    }
}

impl Summary for Sets {
    type Sketch = HyperLogLog;
    type Input = (Vec<u64>, Option<NullBuffer>);

    fn name(&self) -> &'static str {
        self.name
    }

    fn input(&self, args: &[ArrayRef]) -> Result<Self::Input> {
        let values = args.first();
        let values = values.ok_or_else(|| Error::internal("a sketch without values"))?;
        let hashes = match self.counted {
            true => hashes(values)?,
            false => murmur(values)?,
        };
        Ok((hashes, values.logical_nulls()))
    }

    fn add(
        &self,
        sketch: &mut Option<HyperLogLog>,
        (hashes, nulls): &Self::Input,
        row: usize,
    ) -> Result<()> {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            let sketch = sketch.get_or_insert_with(|| HyperLogLog::new(self.bits));
            sketch.add(hashes[row]);
        }
        Ok(())
    }

    fn results(&self, sketches: &mut [Option<HyperLogLog>]) -> Result<ArrayRef> {
        if !self.counted {
            return written(self.name, sketches);
        }
        let counts = sketches.iter_mut().map(|sketch| {
            let sketch = sketch.as_mut();
            sketch.map_or(0, HyperLogLog::cardinality)
        });
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sets_hash_with_murmur() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 0]));
        let hashes = murmur(&numbers).unwrap();
        // Trino has the first one as a constant, for true.
        assert_eq!(hashes, [19_144_387_141_682_250, 0x28DF_63B7_CC57_C3CB]);
    }
}
