//! `numeric_histogram`: the histogram of Ben-Haim and Tom-Tov ("A streaming parallel decision tree
//! algorithm"), which merges the two buckets that lie nearest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, MapArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use lakegate_error::Error;

use super::reader::Reader;
use super::sketch::{Sketch, Sketches, Summary};
use crate::aggregates::function::{Call, invalid};
use crate::aggregates::gathered::offsets;
use crate::aggregates::state::State;

/// Values that are gathered before buckets are merged.
const BUFFER: usize = 100;

/// The buckets of one group.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    most: usize,
    /// Values with their weights; sorted and distinct after [`Histogram::tidy`].
    buckets: Vec<(f64, f64)>,
}

/// A merge of a bucket with the next one: its penalty, the place, and the versions of both.
#[derive(Debug, PartialEq)]
struct Merge(f64, usize, u32, usize, u32);

impl Eq for Merge {}

impl PartialOrd for Merge {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Merge {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

impl Histogram {
    fn add(&mut self, value: f64, weight: f64) {
        if self.buckets.len() >= self.most.saturating_add(BUFFER) {
            self.tidy();
        }
        self.buckets.push((value, weight));
    }

    /// Sorts the buckets, and merges neighbours until there are few enough.
    fn tidy(&mut self) {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0 || (next.0.is_nan() && kept.0.is_nan());
            if same {
                kept.1 += next.1;
            }
            same
        });
        if self.buckets.len() <= self.most {
            return;
        }
        let count = self.buckets.len();
        // A bucket that was merged into its left neighbour has version 0.
        let mut versions = vec![1u32; count];
        let mut next: Vec<usize> = (1..=count).collect();
        let mut before: Vec<Option<usize>> = (0..count).map(|at| at.checked_sub(1)).collect();
        let mut merges = BinaryHeap::with_capacity(count);
        for left in 0..count - 1 {
            let penalty = penalty(self.buckets[left], self.buckets[left + 1]);
            merges.push(Reverse(Merge(penalty, left, 1, left + 1, 1)));
        }
        let mut left_over = count;
        while left_over > self.most {
            let Some(Reverse(Merge(_, left, version, right, right_version))) = merges.pop() else {
                break;
            };
            if versions[left] != version || versions[right] != right_version {
                continue;
            }
            let ((a, v), (b, w)) = (self.buckets[left], self.buckets[right]);
            let weight = v + w;
            self.buckets[left] = ((a * v + b * w) / weight, weight);
            versions[left] += 1;
            versions[right] = 0;
            left_over -= 1;
            next[left] = next[right];
            if let Some(after) = before.get_mut(next[left]) {
                *after = Some(left);
            }
            let mut offer = |left: usize, right: usize| {
                if right < count {
                    let penalty = penalty(self.buckets[left], self.buckets[right]);
                    let (a, b) = (versions[left], versions[right]);
                    merges.push(Reverse(Merge(penalty, left, a, right, b)));
                }
            };
            offer(left, next[left]);
            if let Some(other) = before[left] {
                offer(other, left);
            }
        }
        let mut at = 0;
        self.buckets.retain(|_| {
            at += 1;
            versions[at - 1] > 0
        });
    }
}

/// What a merge of two buckets costs.
fn penalty((a, v): (f64, f64), (b, w): (f64, f64)) -> f64 {
    (a - b) * (a - b) * v * w / (v + w)
}

impl Sketch for Histogram {
    fn merge(&mut self, other: Self) -> Result<()> {
        self.buckets.extend(other.buckets);
        self.tidy();
        Ok(())
    }

    fn write(&mut self) -> Vec<u8> {
        self.tidy();
        let mut bytes = Vec::with_capacity(8 + 16 * self.buckets.len());
        bytes.extend((self.most as u64).to_le_bytes());
        for (value, weight) in &self.buckets {
            bytes.extend(value.to_le_bytes());
            bytes.extend(weight.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("a histogram", bytes);
        let most = reader.long()? as usize;
        let mut buckets = Vec::with_capacity(reader.left() / 16);
        while reader.left() > 0 {
            buckets.push((reader.double()?, reader.double()?));
        }
        Ok(Self { most, buckets })
    }

    fn size(&self) -> usize {
        self.buckets.capacity() * size_of::<(f64, f64)>()
    }
}

#[derive(Debug)]
struct NumericHistogram {
    name: &'static str,
    most: usize,
    returns: DataType,
}

/// `numeric_histogram(buckets, value[, weight])`.
pub(crate) fn make(call: &Call) -> Result<Box<dyn State>> {
    let most = call.whole(0)?;
    if most < 2 {
        return Err(invalid(format!(
            "{} takes at least 2 buckets, not {most}",
            call.name
        )));
    }
    Ok(Sketches::boxed(NumericHistogram {
        name: call.name,
        most: usize::try_from(most).unwrap_or(usize::MAX),
        returns: call.returns.data_type().clone(),
    }))
}

impl Summary for NumericHistogram {
    type Sketch = Histogram;
    type Input = (Float64Array, Option<Float64Array>);

    fn name(&self) -> &'static str {
        self.name
    }

    fn input(&self, args: &[ArrayRef]) -> Result<Self::Input> {
        let of = |array: &ArrayRef| array.as_primitive::<Float64Type>().clone();
        let values = args.get(1).map(of);
        let values = values.ok_or_else(|| Error::internal("a histogram without values"))?;
        Ok((values, args.get(2).map(of)))
    }

    fn add(
        &self,
        sketch: &mut Option<Histogram>,
        (values, weights): &Self::Input,
        row: usize,
    ) -> Result<()> {
        let weight = match weights {
            Some(weights) if weights.is_null(row) => return Ok(()),
            Some(weights) => weights.value(row),
            None => 1.0,
        };
        if values.is_valid(row) {
            let sketch = sketch.get_or_insert_with(|| Histogram {
                most: self.most,
                buckets: Vec::new(),
            });
            sketch.add(values.value(row), weight);
        }
        Ok(())
    }

    fn results(&self, sketches: &mut [Option<Histogram>]) -> Result<ArrayRef> {
        let mut lengths = Vec::with_capacity(sketches.len());
        let (mut values, mut weights) = (Vec::new(), Vec::new());
        for sketch in sketches.iter_mut() {
            let buckets: &[(f64, f64)] = match sketch {
                Some(sketch) => {
                    sketch.tidy();
                    &sketch.buckets
                }
                None => &[],
            };
            lengths.push(buckets.len() as u32);
            values.extend(buckets.iter().map(|(value, _)| *value));
            weights.extend(buckets.iter().map(|(_, weight)| *weight));
        }
        let nulls: NullBuffer = sketches.iter().map(Option::is_some).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from(values)),
            Arc::new(Float64Array::from(weights)),
        ];
        maps(self.name, &self.returns, columns, &lengths, nulls)
    }
}

/// Returns maps of these lengths with these columns of keys and values.
pub(crate) fn maps(
    name: &str,
    data_type: &DataType,
    columns: Vec<ArrayRef>,
    lengths: &[u32],
    nulls: NullBuffer,
) -> Result<ArrayRef> {
    let DataType::Map(field, sorted) = data_type else {
        return Err(Error::internal(format!("{name} returns maps")).into());
    };
    let DataType::Struct(fields) = field.data_type() else {
        return Err(Error::internal("a map without entries").into());
    };
    let entries = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(field),
        offsets(name, lengths)?,
        entries,
        Some(nulls),
        *sorted,
    )?))
}
