//! Frames of windows that exclude rows, which the engine does not have:
//!
//! ```text
//! sum(x) OVER (ORDER BY y ROWS 2 PRECEDING EXCLUDE TIES)
//! ```
//!
//! The function is evaluated anew for each row, over the parts of its frame that are left, as in
//! PostgreSQL. Peers are rows with the same keys; without keys, all rows of a partition are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::partition;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{
    AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, Documentation, PartitionEvaluator, Signature, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use crate::gathered;

/// What a frame leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exclusion {
    CurrentRow,
    /// The row and its peers.
    Group,
    /// The peers of the row.
    Ties,
}

impl Exclusion {
    fn name(self) -> &'static str {
        match self {
            Self::CurrentRow => "current row",
            Self::Group => "group",
            Self::Ties => "ties",
        }
    }
}

/// Returns a window function that is an aggregate function over frames without some of their rows.
pub fn excluding(function: &Arc<AggregateUDF>, exclusion: Exclusion) -> Arc<WindowUDF> {
    let inner = gathered::plain(function);
    // Not the name of the function: windows that differ in this only are two columns.
    let name = format!("{} excluding {}", inner.name(), exclusion.name());
    gathered::of_window(Arc::new(WindowUDF::new_from_impl(Excluding {
        inner,
        exclusion,
        name,
    })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Excluding {
    inner: Arc<AggregateUDF>,
    exclusion: Exclusion,
    name: String,
}

impl WindowUDFImpl for Excluding {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.inner.return_field(args.input_fields())?;
        let field = Field::clone(&field).with_name(args.name());
        Ok(Arc::new(field.with_nullable(true)))
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Rows {
            inner: Arc::clone(&self.inner),
            exclusion: self.exclusion,
            exprs: args.input_exprs().to_vec(),
            fields: args.input_fields().to_vec(),
            returns: self.inner.return_field(args.input_fields())?,
            ignores_nulls: args.ignore_nulls(),
            row: 0,
            peers: Vec::new(),
            group: 0,
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// The rows of one partition, which are evaluated in their order.
#[derive(Debug)]
struct Rows {
    inner: Arc<AggregateUDF>,
    exclusion: Exclusion,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<FieldRef>,
    returns: FieldRef,
    ignores_nulls: bool,
    /// The row that comes next.
    row: usize,
    /// The groups of peers, once they are known.
    peers: Vec<Range<usize>>,
    /// The group of that row, or one before it.
    group: usize,
}

impl Rows {
    fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(AccumulatorArgs {
            return_field: Arc::clone(&self.returns),
            schema: &Schema::empty(),
            ignore_nulls: self.ignores_nulls,
            order_bys: &[],
            is_reversed: false,
            name: self.inner.name(),
            is_distinct: false,
            exprs: &self.exprs,
            expr_fields: &self.fields,
        })
    }

    /// Returns the peers of a row, itself among them.
    fn peers_of(&mut self, row: usize, keys: &[ArrayRef], rows: usize) -> Result<Range<usize>> {
        if self.peers.is_empty() {
            self.peers = match keys {
                [] => vec![Range {
                    start: 0,
                    end: rows,
                }],
                keys => partition(keys)?.ranges(),
            };
        }
        while self
            .peers
            .get(self.group)
            .is_some_and(|peers| peers.end <= row)
        {
            self.group += 1;
        }
        let peers = self.peers.get(self.group).cloned();
        peers.ok_or_else(|| DataFusionError::Internal("a row without peers".to_owned()))
    }
}

impl PartitionEvaluator for Rows {
    /// `values`: the arguments, then the keys of the order.
    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let row = self.row;
        self.row += 1;
        let rows = values.first().map_or(0, |column| column.len());
        let Some((arguments, keys)) = values.split_at_checked(self.exprs.len()) else {
            return Err(DataFusionError::Internal(
                "a window without its arguments".to_owned(),
            ));
        };
        let own = row..row + 1;
        let excluded = match self.exclusion {
            Exclusion::CurrentRow => own.clone(),
            Exclusion::Group | Exclusion::Ties => self.peers_of(row, keys, rows)?,
        };
        let kept = match self.exclusion {
            Exclusion::Ties => own,
            Exclusion::CurrentRow | Exclusion::Group => 0..0,
        };
        let parts = [
            frame.start..frame.end.min(excluded.start),
            frame.start.max(kept.start)..frame.end.min(kept.end),
            frame.start.max(excluded.end)..frame.end,
        ];
        let mut accumulator = self.accumulator()?;
        for part in parts {
            if part.is_empty() {
                continue;
            }
            let arguments = arguments.iter();
            let slices: Vec<ArrayRef> = arguments
                .map(|column| column.slice(part.start, part.len()))
                .collect();
            accumulator.update_batch(&slices)?;
        }
        accumulator.evaluate()
    }

    fn uses_window_frame(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Int64Array;
    use datafusion::functions_aggregate::array_agg::array_agg_udaf;
    use datafusion::functions_aggregate::sum::sum_udaf;
    use datafusion::physical_expr::expressions::Column;

    use super::*;

    /// Returns the value of each row of a partition.
    fn values(
        function: &Arc<AggregateUDF>,
        exclusion: Exclusion,
        columns: &[ArrayRef],
        frames: &[Range<usize>],
    ) -> Vec<String> {
        let window = excluding(function, exclusion);
        let exprs: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Column::new("x", 0))];
        let fields = vec![Arc::new(Field::new("x", DataType::Int64, true))];
        let args = PartitionEvaluatorArgs::new(&exprs, &fields, false, false);
        let mut evaluator = window.partition_evaluator_factory(args).unwrap();
        assert!(evaluator.uses_window_frame() && !evaluator.supports_bounded_execution());
        frames
            .iter()
            .map(|frame| evaluator.evaluate(columns, frame).unwrap().to_string())
            .collect()
    }

    #[test]
    fn rows_are_left_out_of_their_frames() {
        let column = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
        let columns = [column(vec![1, 2, 4, 8, 16]), column(vec![1, 1, 2, 3, 3])];
        let all = vec![0..5; 5];
        for (exclusion, expected) in [
            (Exclusion::CurrentRow, ["30", "29", "27", "23", "15"]),
            (Exclusion::Group, ["28", "28", "27", "7", "7"]),
            (Exclusion::Ties, ["29", "30", "31", "15", "23"]),
        ] {
            let shown = values(&sum_udaf(), exclusion, &columns, &all);
            assert_eq!(shown, expected, "{exclusion:?}");
        }
        let near = [0..1, 0..2, 1..3, 4..5, 0..0];
        for (exclusion, expected) in [
            (Exclusion::CurrentRow, ["NULL", "1", "2", "16", "NULL"]),
            (Exclusion::Group, ["NULL", "NULL", "2", "NULL", "NULL"]),
            (Exclusion::Ties, ["1", "2", "6", "NULL", "NULL"]),
        ] {
            let shown = values(&sum_udaf(), exclusion, &columns, &near);
            assert_eq!(shown, expected, "{exclusion:?}");
        }
    }

    #[test]
    fn the_order_of_a_frame_stays() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![3, 1, 2]));
        let all = vec![0..3; 3];
        // Without keys, all rows are peers.
        for (exclusion, expected) in [
            (Exclusion::CurrentRow, ["[1, 2]", "[3, 2]", "[3, 1]"]),
            (Exclusion::Ties, ["[3]", "[1]", "[2]"]),
        ] {
            let shown = values(&array_agg_udaf(), exclusion, &[Arc::clone(&column)], &all);
            assert_eq!(shown, expected, "{exclusion:?}");
        }
    }
}
