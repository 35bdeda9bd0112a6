//! `count(DISTINCT x)` of arrays, maps, rows and bytes.
//!
//! DataFusion keeps each value as a slice of its batch, and counts the memory of the whole batch for
//! each (`DistinctCountAccumulator::full_size` of `datafusion-functions-aggregate`, 55.2): gigabytes
//! for ten thousand rows. Here a value is kept by itself. For bytes, see `distinct_texts.rs`. Delete
//! this when the engine does so.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::AccumulatorArgs;

/// The distinct values of nested types, or of bytes.
#[derive(Debug)]
pub(super) struct Distinct {
    values: HashSet<ScalarValue>,
    data_type: DataType,
    /// Bytes of the values beyond those of the set.
    bytes: usize,
}

impl Distinct {
    /// Returns the accumulator of `count(DISTINCT x)` if `x` is nested, or bytes.
    pub(super) fn of(function: &str, args: &AccumulatorArgs<'_>) -> Option<Self> {
        if function != "count" || !args.is_distinct {
            return None;
        }
        let [field] = args.expr_fields else {
            return None;
        };
        let data_type = field.data_type();
        let is_kept = matches!(
            data_type,
            DataType::List(_)
                | DataType::Map(..)
                | DataType::Struct(_)
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        );
        is_kept.then(|| Self {
            values: HashSet::new(),
            data_type: data_type.clone(),
            bytes: 0,
        })
    }

    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        for row in 0..array.len() {
            if array.is_null(row) {
                continue;
            }
            let value = ScalarValue::try_from_array(array, row)?;
            if self.values.contains(&value) {
                continue;
            }
            let value = value.compacted();
            let held = value.size().saturating_sub(size_of_val(&value));
            self.bytes = self.bytes.saturating_add(held);
            self.values.insert(value);
        }
        Ok(())
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values.first() {
            Some(array) => self.add(array),
            None => Ok(()),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let count = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        Ok(ScalarValue::Int64(Some(count)))
    }

    fn size(&self) -> usize {
        let places = self.values.capacity() * (size_of::<ScalarValue>() + 1);
        size_of_val(self) + places.saturating_add(self.bytes)
    }

    /// Returns a list of the values, as the engine's accumulator does.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.values.iter().cloned().collect();
        let list = ScalarValue::new_list_nullable(&values, &self.data_type);
        Ok(vec![ScalarValue::List(list)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states.first().and_then(|state| state.as_list_opt::<i32>());
        for list in lists.into_iter().flat_map(|lists| lists.iter()).flatten() {
            self.add(&list)?;
        }
        Ok(())
    }
}
