//! Aggregates over t-digests: `tdigest_agg`, `qdigest_agg`, `approx_percentile` and the merge of
//! digests.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use lakegate_error::Error;

use super::digest::Digest;
use super::sketch::{Sketch, Sketches, Summary, written};
use crate::aggregates::function::{Call, invalid};
use crate::aggregates::gathered::offsets;
use crate::aggregates::state::State;

/// What becomes of a digest.
#[derive(Debug)]
enum Output {
    Bytes,
    /// The number at a quantile, of this type.
    Value(f64, DataType),
    /// An array of the numbers at quantiles.
    Values(Vec<f64>, DataType),
}

#[derive(Debug)]
struct Digests {
    name: &'static str,
    weighted: bool,
    output: Output,
}

fn digests(call: &Call, weighted: bool, output: Output) -> Box<dyn State> {
    Sketches::boxed(Digests {
        name: call.name,
        weighted,
        output,
    })
}

/// `tdigest_agg(x[, weight])` and `qdigest_agg(x[, weight[, accuracy]])`.
pub(crate) fn bytes(call: &Call) -> Result<Box<dyn State>> {
    if call.fields.len() > 2 {
        check_accuracy(call, 2)?;
    }
    Ok(digests(call, call.fields.len() > 1, Output::Bytes))
}

/// `approx_percentile(x[, weight], percentage)`.
pub(crate) fn percentile(call: &Call) -> Result<Box<dyn State>> {
    let weighted = call.fields.len() > 2;
    let index = 1 + usize::from(weighted);
    if call.fields.len() > 3 {
        check_accuracy(call, 3)?;
    }
    let of = call.data_type(0);
    let output = match call.constant(index)? {
        ScalarValue::List(list) => {
            let list = list.value(0);
            let values = list.as_primitive::<Float64Type>();
            let quantiles: Result<Vec<f64>> = values.iter().map(percentage).collect();
            Output::Values(quantiles?, of)
        }
        ScalarValue::Float64(quantile) => Output::Value(percentage(*quantile)?, of),
        other => {
            let message = format!("the percentage is of type {}", other.data_type());
            return Err(Error::internal(message).into());
        }
    };
    Ok(digests(call, weighted, output))
}

fn percentage(quantile: Option<f64>) -> Result<f64> {
    match quantile {
        Some(quantile) if (0.0..=1.0).contains(&quantile) => Ok(quantile),
        Some(quantile) => Err(invalid(format!(
            "a percentage must be from 0 to 1, not {quantile}"
        ))),
        None => Err(invalid("a percentage must not be null")),
    }
}

/// The accuracy changes nothing: a t-digest has its own.
fn check_accuracy(call: &Call, index: usize) -> Result<()> {
    match call.constant(index)? {
        ScalarValue::Float64(Some(accuracy)) if *accuracy > 0.0 && *accuracy < 1.0 => Ok(()),
        _ => Err(invalid(format!(
            "the accuracy of {} must be a number between 0 and 1",
            call.name
        ))),
    }
}

/// Returns numbers as doubles.
fn doubles(array: &ArrayRef) -> Result<Float64Array> {
    if let Some(wholes) = array.as_primitive_opt::<Int64Type>() {
        let exact = |whole: i64| (whole as f64) as i64 == whole;
        if let Some(whole) = wholes.iter().flatten().find(|whole| !exact(*whole)) {
            return Err(invalid(format!(
                "the number {whole} is not exact as a double"
            )));
        }
    }
    let numbers = cast(array, &DataType::Float64)?;
    Ok(numbers.as_primitive::<Float64Type>().clone())
}

/// Returns doubles in another type of numbers.
pub(crate) fn in_type(numbers: Vec<Option<f64>>, data_type: &DataType) -> Result<ArrayRef> {
    Ok(match data_type {
        // Like Java's `Math.round`: halves up.
        DataType::Int64 => {
            Arc::new(Int64Array::from_iter(numbers.into_iter().map(|number| {
                number.map(|number| (number + 0.5).floor() as i64)
            })))
        }
        _ => {
            let numbers: ArrayRef = Arc::new(Float64Array::from(numbers));
            cast(&numbers, data_type)?
        }
    })
}

impl Summary for Digests {
    type Sketch = Digest;
    type Input = (Float64Array, Option<Float64Array>);

    fn name(&self) -> &'static str {
        self.name
    }

    fn input(&self, args: &[ArrayRef]) -> Result<Self::Input> {
        let values = args.first();
        let values = values.ok_or_else(|| Error::internal("a digest without values"))?;
        let weights = match (self.weighted, args.get(1)) {
            (true, Some(weights)) => Some(doubles(weights)?),
            _ => None,
        };
        Ok((doubles(values)?, weights))
    }

    fn add(
        &self,
        sketch: &mut Option<Digest>,
        (values, weights): &Self::Input,
        row: usize,
    ) -> Result<()> {
        let weight = match weights {
            Some(weights) if weights.is_null(row) => return Ok(()),
            Some(weights) => weights.value(row),
            None => 1.0,
        };
        match values.is_valid(row) {
            true => sketch
                .get_or_insert_default()
                .add(values.value(row), weight),
            false => Ok(()),
        }
    }

    fn results(&self, sketches: &mut [Option<Digest>]) -> Result<ArrayRef> {
        sketches.iter_mut().flatten().for_each(Digest::settle);
        match &self.output {
            Output::Bytes => written(self.name, sketches),
            Output::Value(quantile, data_type) => {
                let values = sketches.iter_mut().map(|sketch| {
                    let sketch = sketch.as_mut();
                    sketch.map(|sketch| sketch.value_at(*quantile))
                });
                in_type(values.collect(), data_type)
            }
            Output::Values(quantiles, data_type) => {
                let mut values = Vec::new();
                let mut lengths = Vec::with_capacity(sketches.len());
                for sketch in sketches.iter_mut() {
                    let before = values.len();
                    if let Some(sketch) = sketch {
                        values.extend(quantiles.iter().map(|q| Some(sketch.value_at(*q))));
                    }
                    lengths.push((values.len() - before) as u32);
                }
                let nulls = sketches.iter().map(Option::is_some).collect();
                Ok(Arc::new(arrow::array::ListArray::try_new(
                    Arc::new(arrow::datatypes::Field::new_list_field(
                        data_type.clone(),
                        true,
                    )),
                    offsets(self.name, &lengths)?,
                    in_type(values, data_type)?,
                    Some(nulls),
                )?))
            }
        }
    }
}

/// The merge of sketches, which are bytes.
#[derive(Debug)]
pub(crate) struct Merged<T> {
    name: &'static str,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: Sketch> Merged<T> {
    pub(crate) fn make(call: &Call) -> Box<dyn State> {
        Sketches::boxed(Self {
            name: call.name,
            kind: std::marker::PhantomData,
        })
    }
}

impl<T: Sketch> Summary for Merged<T> {
    type Sketch = T;
    type Input = ArrayRef;

    fn name(&self) -> &'static str {
        self.name
    }

    fn input(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        let sketches = args.first();
        let sketches = sketches.ok_or_else(|| Error::internal("a merge without sketches"))?;
        Ok(cast(sketches, &DataType::Binary)?)
    }

    fn add(&self, sketch: &mut Option<T>, input: &ArrayRef, row: usize) -> Result<()> {
        let input = input.as_binary::<i32>();
        if input.is_null(row) {
            return Ok(());
        }
        let read = T::read(input.value(row))?;
        match sketch {
            Some(merged) => merged.merge(read),
            none => {
                *none = Some(read);
                Ok(())
            }
        }
    }

    fn results(&self, sketches: &mut [Option<T>]) -> Result<ArrayRef> {
        written(self.name, sketches)
    }
}
