//! `array_agg(x ORDER BY x)` of numbers, dates and times.
//!
//! DataFusion keeps each value twice, as a `ScalarValue` and as the key of its order
//! (`OrderSensitiveArrayAggAccumulator` of `datafusion-functions-aggregate`, 55.2): hundreds of bytes
//! for a number. Here values are kept as they come, and sorted at the end. Delete this when the engine
//! does so.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{SortOptions, concat, filter, is_not_null, sort};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::AccumulatorArgs;

/// The number of arrays that are joined to one, if they are short.
const PARTS: usize = 64;

/// The rows of an array that is not short.
const ROWS_OF_PART: usize = 256;

/// The bytes of an array beside its values.
const PART_BYTES: usize = 256;

/// The values of one group, in any order.
#[derive(Debug)]
pub(super) struct SortedList {
    data_type: DataType,
    order: SortOptions,
    ignores_nulls: bool,
    /// The type of the key of one value, in a state of the engine's accumulator.
    key: DataType,
    parts: Vec<ArrayRef>,
    rows: usize,
    /// Bytes of the values.
    bytes: usize,
}

impl SortedList {
    /// Returns the accumulator of `array_agg(x ORDER BY x)` if `x` is a number, a date or a time.
    pub(super) fn of(function: &str, args: &AccumulatorArgs<'_>) -> Option<Self> {
        if function != "array_agg" || args.is_distinct || args.is_reversed {
            return None;
        }
        let ([value], [field], [order]) = (args.exprs, args.expr_fields, args.order_bys) else {
            return None;
        };
        let data_type = field.data_type();
        // Intervals have an order of their own.
        let has_plain_order =
            data_type.is_primitive() && !matches!(data_type, DataType::Interval(_));
        if !has_plain_order || !order.expr.eq(value) {
            return None;
        }
        let key = Field::new(order.expr.to_string(), data_type.clone(), true);
        Some(Self {
            data_type: data_type.clone(),
            order: order.options,
            ignores_nulls: args.ignore_nulls,
            key: DataType::Struct(Fields::from(vec![key])),
            parts: Vec::new(),
            rows: 0,
            bytes: 0,
        })
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let values = match self.ignores_nulls && values.null_count() > 0 {
            true => filter(values, &is_not_null(values)?)?,
            false => ArrayRef::clone(values),
        };
        if values.is_empty() {
            return Ok(());
        }
        self.rows += values.len();
        let bytes = values.to_data().get_slice_memory_size();
        self.bytes += bytes.unwrap_or_else(|_| values.get_array_memory_size());
        self.parts.push(values);
        if self.parts.len() >= PARTS && self.rows < self.parts.len() * ROWS_OF_PART {
            self.parts = self.joined()?.into_iter().collect();
        }
        Ok(())
    }

    /// Returns all values in the order in which they came; `None` if there are none.
    fn joined(&self) -> Result<Option<ArrayRef>> {
        let parts: Vec<&dyn Array> = self.parts.iter().map(AsRef::as_ref).collect();
        Ok(match parts.is_empty() {
            true => None,
            false => Some(concat(&parts)?),
        })
    }

    fn listed(&self, values: Option<ArrayRef>) -> ScalarValue {
        match values {
            Some(values) => SingleRowListArrayBuilder::new(values).build_list_scalar(),
            None => ScalarValue::new_null_list(self.data_type.clone(), true, 1),
        }
    }
}

impl Accumulator for SortedList {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values.first() {
            Some(values) => self.add(values),
            None => Ok(()),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = match self.joined()? {
            Some(values) => Some(sort(&values, Some(self.order))?),
            None => None,
        };
        Ok(self.listed(sorted))
    }

    /// Returns the bytes held, with the list that is built at the end.
    fn size(&self) -> usize {
        let values = self.bytes.saturating_mul(2);
        size_of_val(self) + values.saturating_add(self.parts.len() * PART_BYTES)
    }

    /// Returns the values in any order, and no keys: they are sorted when they are merged.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.listed(self.joined()?);
        let keys = ScalarValue::new_list_nullable(&[], &self.key);
        Ok(vec![values, ScalarValue::List(keys)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states.first().and_then(|state| state.as_list_opt::<i32>());
        for list in lists.into_iter().flat_map(|lists| lists.iter()).flatten() {
            self.add(&list)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// Returns the rows of a query, one per line.
    async fn rows(sql: &str, partitions: usize) -> Vec<String> {
        let config = SessionConfig::new().with_target_partitions(partitions);
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .build();
        crate::limits::gathered::register(&mut state).unwrap();
        let frame = SessionContext::new_with_state(state)
            .sql(sql)
            .await
            .unwrap();
        let mut rows = Vec::new();
        for batch in frame.collect().await.unwrap() {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter();
                let cells = cells.map(|column| array_value_to_string(column, row).unwrap());
                rows.push(cells.collect::<Vec<_>>().join(" "));
            }
        }
        rows
    }

    #[tokio::test]
    async fn values_are_sorted_with_their_nulls() {
        let of = "FROM (VALUES (1, 5), (2, 3), (1, NULL), (1, -2), (2, 3), (3, NULL)) t(g, x)";
        for partitions in [1, 3] {
            let sql = format!(
                "SELECT g, array_agg(x ORDER BY x NULLS LAST), array_agg(x ORDER BY x DESC NULLS LAST), array_agg(x ORDER BY x NULLS LAST) FILTER (WHERE x > 3) {of} GROUP BY g ORDER BY g"
            );
            assert_eq!(
                rows(&sql, partitions).await,
                ["1 [-2, 5, ] [5, -2, ] [5]", "2 [3, 3] [3, 3] ", "3 [] [] ",],
                "{partitions}"
            );
            let sql = format!(
                "SELECT array_agg(x ORDER BY x DESC NULLS LAST), array_agg(x ORDER BY x NULLS FIRST), array_agg(x ORDER BY x) FILTER (WHERE x > 9) {of}"
            );
            assert_eq!(
                rows(&sql, partitions).await,
                ["[5, 3, 3, -2, , ] [, , -2, 3, 3, 5] "],
                "{partitions}"
            );
        }
    }

    #[tokio::test]
    async fn rows_of_all_partitions_are_sorted() {
        let sql = "SELECT g, cardinality(a), a[1], a[2], a[50000] FROM (
            SELECT value % 2 AS g, array_agg(value ORDER BY value DESC) AS a FROM generate_series(1, 100000) GROUP BY 1) ORDER BY g";
        for partitions in [1, 4] {
            assert_eq!(
                rows(sql, partitions).await,
                ["0 50000 100000 99998 2", "1 50000 99999 99997 1"]
            );
        }
    }
}
