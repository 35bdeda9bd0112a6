//! `approx_most_frequent`: the algorithm "Space-Saving" of Metwally, Agrawal and El Abbadi ("Efficient
//! computation of frequent and top-k elements in data streams").

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::Result;
use lakegate_error::Error;

use super::histogram::maps;
use super::reader::Reader;
use super::sketch::{Sketch, Sketches, Summary};
use crate::aggregates::function::{Call, invalid, too_large};
use crate::aggregates::kept::{canonical, of_types};
use crate::aggregates::state::State;

/// The values that were most frequent so far, with upper bounds of their counts.
#[derive(Debug)]
pub(crate) struct Frequent {
    capacity: usize,
    /// The count of each value, and when it came.
    counts: HashMap<Arc<[u8]>, (u64, u64)>,
    /// The values by count; of equal counts, the latest is given up first.
    by_count: BTreeSet<(u64, Reverse<u64>, Arc<[u8]>)>,
    came: u64,
    bytes: usize,
}

/// The bytes of a value besides its own, in both collections.
const VALUE_BYTES: usize = 160;

impl Frequent {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            counts: HashMap::new(),
            by_count: BTreeSet::new(),
            came: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, value: &[u8], times: u64) {
        if let Some((key, &(count, came))) = self.counts.get_key_value(value) {
            let key = Arc::clone(key);
            self.by_count
                .remove(&(count, Reverse(came), Arc::clone(&key)));
            self.put(key, count.saturating_add(times), came);
            return;
        }
        let mut count = times;
        if self.counts.len() >= self.capacity
            && let Some((least, _, key)) = self.by_count.pop_first()
        {
            self.counts.remove(&key);
            self.bytes -= key.len() + VALUE_BYTES;
            count = count.saturating_add(least);
        }
        self.came += 1;
        self.bytes += value.len() + VALUE_BYTES;
        self.put(Arc::from(value), count, self.came);
    }

    fn put(&mut self, key: Arc<[u8]>, count: u64, came: u64) {
        self.by_count
            .insert((count, Reverse(came), Arc::clone(&key)));
        self.counts.insert(key, (count, came));
    }

    /// The most frequent values first.
    fn best(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let values = self.by_count.iter().rev();
        values.map(|(count, _, value)| (value.as_ref(), *count))
    }
}

impl Sketch for Frequent {
    fn merge(&mut self, other: Self) -> Result<()> {
        for (value, count) in other.best() {
            self.add(value, count);
        }
        Ok(())
    }

    fn write(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes);
        bytes.extend((self.capacity as u64).to_le_bytes());
        for (value, count) in self.best() {
            bytes.extend(count.to_le_bytes());
            bytes.extend((value.len() as u64).to_le_bytes());
            bytes.extend(value);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("a summary of frequent values", bytes);
        let mut frequent = Self::new(reader.long()? as usize);
        while reader.left() > 0 {
            let count = reader.long()?;
            let length = reader.long()? as usize;
            frequent.add(reader.take(length)?, count);
        }
        Ok(frequent)
    }

    fn size(&self) -> usize {
        self.bytes
    }
}

#[derive(Debug)]
struct MostFrequent {
    name: &'static str,
    buckets: usize,
    capacity: usize,
    key: DataType,
    returns: DataType,
    converter: RowConverter,
}

/// `approx_most_frequent(buckets, value, capacity)`.
pub(crate) fn make(call: &Call) -> Result<Box<dyn State>> {
    let (buckets, capacity) = (call.whole(0)?, call.whole(2)?);
    if buckets < 2 {
        return Err(invalid(format!(
            "{} takes at least 2 buckets, not {buckets}",
            call.name
        )));
    }
    if capacity < 1 {
        return Err(invalid(format!(
            "the capacity of {} must be at least 1, not {capacity}",
            call.name
        )));
    }
    let key = call.data_type(1);
    Ok(Sketches::boxed(MostFrequent {
        name: call.name,
        buckets: usize::try_from(buckets).unwrap_or(usize::MAX),
        capacity: usize::try_from(capacity).unwrap_or(usize::MAX),
        converter: RowConverter::new(vec![SortField::new(key.clone())])?,
        key,
        returns: call.returns.data_type().clone(),
    }))
}

impl Summary for MostFrequent {
    type Sketch = Frequent;
    type Input = (Rows, Option<NullBuffer>);

    fn name(&self) -> &'static str {
        self.name
    }

    fn input(&self, args: &[ArrayRef]) -> Result<Self::Input> {
        let values = args.get(1);
        let values = values.ok_or_else(|| Error::internal("an aggregate without values"))?;
        let rows = self.converter.convert_columns(&[canonical(values)?])?;
        Ok((rows, values.logical_nulls()))
    }

    fn add(
        &self,
        sketch: &mut Option<Frequent>,
        (rows, nulls): &Self::Input,
        row: usize,
    ) -> Result<()> {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            let sketch = sketch.get_or_insert_with(|| Frequent::new(self.capacity));
            sketch.add(rows.row(row).data(), 1);
        }
        Ok(())
    }

    fn results(&self, sketches: &mut [Option<Frequent>]) -> Result<ArrayRef> {
        let (mut values, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0usize;
        for sketch in sketches.iter() {
            let before = values.len();
            for (value, count) in sketch.iter().flat_map(|s| s.best().take(self.buckets)) {
                bytes = bytes.saturating_add(value.len());
                values.push(value);
                counts.push(i64::try_from(count).unwrap_or(i64::MAX));
            }
            lengths.push((values.len() - before) as u32);
        }
        if i32::try_from(bytes).is_err() {
            return Err(too_large(self.name));
        }
        let parser = self.converter.parser();
        let rows = values.iter().map(|value| parser.parse(value));
        let keys = self.converter.convert_rows(rows)?;
        let mut columns = of_types(keys, std::slice::from_ref(&self.key))?;
        columns.push(Arc::new(Int64Array::from(counts)));
        let nulls: NullBuffer = sketches.iter().map(Option::is_some).collect();
        maps(self.name, &self.returns, columns, &lengths, nulls)
    }
}
