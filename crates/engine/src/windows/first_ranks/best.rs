//! The keys of the first rows of each partition.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Schema};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::First;

/// Keys that are kept, at most.
const MOST_KEYS: usize = 1 << 17;

/// Partitions, at most.
const MOST_PARTITIONS: usize = 1 << 16;

/// Bytes of keys that are kept, at most.
const MOST_BYTES: usize = 1 << 24;

/// Bytes of a key beside its own, about: its place in a heap that may have grown, and what the allocator
/// adds.
const BESIDE: usize = 48;

/// The first rows of each partition, so far.
pub(super) struct Best {
    most: usize,
    /// `None`: all rows are of one partition.
    partitions: Option<Box<dyn GroupValues>>,
    converter: RowConverter,
    /// The keys of the first rows of each partition, the last of them on top.
    first: Vec<BinaryHeap<Box<[u8]>>>,
    /// Keys in all heaps, and their bytes.
    kept: usize,
    bytes: usize,
    /// The keys of the last rows, and the places of their partitions.
    keys: Rows,
    places: Vec<usize>,
}

impl Best {
    /// `rows`: the columns.
    ///
    /// # Errors
    ///
    /// A key has a type that is not compared here.
    pub(super) fn new(first: &First, rows: &Schema) -> Result<Self> {
        let fields = first.order_by.iter().map(|key| -> Result<SortField> {
            let of = key.expr.data_type(rows)?;
            Ok(SortField::new_with_options(of, key.options))
        });
        let converter = RowConverter::new(fields.collect::<Result<_>>()?)?;
        let partitions = match first.partition_by.is_empty() {
            true => None,
            false => {
                let fields = first.partition_by.iter().map(|key| key.return_field(rows));
                let schema = Schema::new(fields.collect::<Result<Vec<_>>>()?);
                Some(new_group_values(Arc::new(schema), &GroupOrdering::None)?)
            }
        };
        Ok(Self {
            most: first.most,
            partitions,
            keys: converter.empty_rows(0, 0),
            converter,
            first: Vec::new(),
            kept: 0,
            bytes: 0,
            places: Vec::new(),
        })
    }

    /// Returns which rows may be among the first ones of their partitions; `None` if there are too many
    /// partitions, or values whose order is not known.
    ///
    /// # Errors
    ///
    /// Returns those of the keys.
    pub(super) fn kept(
        &mut self,
        first: &First,
        rows: &RecordBatch,
    ) -> Result<Option<BooleanArray>> {
        let value = |key: &Arc<dyn PhysicalExpr>| key.evaluate(rows)?.into_array(rows.num_rows());
        let order = first.order_by.iter().map(|key| value(&key.expr));
        let order = order
            .map(|key| key.map(ordered))
            .collect::<Result<Vec<_>>>()?;
        let Some(order) = order.into_iter().collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let count = match &mut self.partitions {
            Some(partitions) => {
                let keys = first.partition_by.iter().map(value);
                let keys = keys.collect::<Result<Vec<_>>>()?;
                partitions.intern(&keys, &mut self.places)?;
                partitions.len()
            }
            None => {
                self.places.clear();
                self.places.resize(rows.num_rows(), 0);
                1
            }
        };
        if count > MOST_PARTITIONS {
            return Ok(None);
        }
        self.first.resize_with(count, BinaryHeap::new);
        self.keys.clear();
        self.converter.append(&mut self.keys, &order)?;
        let mut kept = BooleanBufferBuilder::new(rows.num_rows());
        for (place, key) in self.places.iter().zip(&self.keys) {
            let heap = self.first.get_mut(*place);
            let what = || DataFusionError::Internal("a row is of no partition".to_owned());
            let heap = heap.ok_or_else(what)?;
            let key = key.data();
            if heap.len() < self.most {
                heap.push(Box::from(key));
                self.kept += 1;
                self.bytes += key.len();
                kept.append(true);
                continue;
            }
            let Some(mut last) = heap.peek_mut() else {
                kept.append(false);
                continue;
            };
            let order = key.cmp(&**last);
            if order == Ordering::Less {
                self.bytes = (self.bytes + key.len()).saturating_sub(last.len());
                *last = Box::from(key);
            }
            // Peers of the last one have its rank.
            kept.append(order != Ordering::Greater);
        }
        if self.kept > MOST_KEYS || self.bytes > MOST_BYTES {
            return Ok(None);
        }
        Ok(Some(BooleanArray::new(kept.finish(), None)))
    }

    /// Returns the memory that is taken, in bytes, about.
    pub(super) fn size(&self) -> usize {
        let partitions = self.partitions.as_ref().map_or(0, |known| known.size());
        let heaps = self.first.capacity() * size_of::<BinaryHeap<Box<[u8]>>>();
        let places = self.places.capacity() * size_of::<usize>();
        partitions + heaps + places + self.keys.size() + self.bytes + self.kept * BESIDE
    }
}

/// Returns a column of which rows with equal values have equal bytes; `None` if it has a NaN, which may be
/// first or last, or a negative zero, which may be a peer of zero or come before it.
fn ordered(column: ArrayRef) -> Option<ArrayRef> {
    macro_rules! has_order {
        ($of:ty) => {{
            let floats = column.as_primitive::<$of>().values().iter();
            let mut unclear =
                floats.map(|value| value.is_nan() || (*value == 0.0 && value.is_sign_negative()));
            !unclear.any(|is_unclear| is_unclear)
        }};
    }
    let has_order = match column.data_type() {
        DataType::Float32 => has_order!(Float32Type),
        DataType::Float64 => has_order!(Float64Type),
        _ => true,
    };
    has_order.then_some(column)
}
