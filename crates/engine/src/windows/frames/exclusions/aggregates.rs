//! Aggregate functions over frames without some of their rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{
    AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, Documentation, PartitionEvaluator, Signature, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use super::{Exclusion, Left, split};
use crate::limits::gathered;

/// Returns a window function that is an aggregate function over frames without some of their rows.
///
/// `is_filtered`: whether its last argument is not one of the aggregate function, but a condition
/// for the rows to be aggregated, as after FILTER.
pub fn excluding(
    function: &Arc<AggregateUDF>,
    exclusion: Exclusion,
    is_filtered: bool,
) -> Arc<WindowUDF> {
    let inner = gathered::plain(function);
    let name = exclusion.named(inner.name());
    let volatility = inner.signature().volatility;
    gathered::of_window(Arc::new(WindowUDF::new_from_impl(Excluding {
        inner,
        exclusion,
        name,
        filtered: is_filtered.then(|| Signature::user_defined(volatility)),
    })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Excluding {
    inner: Arc<AggregateUDF>,
    exclusion: Exclusion,
    name: String,
    /// The signature of a function whose last argument is a condition.
    filtered: Option<Signature>,
}

impl Excluding {
    /// Returns the arguments of the aggregate function among all arguments.
    fn aggregated<'a, T>(&self, arguments: &'a [T]) -> &'a [T] {
        match arguments {
            [aggregated @ .., _] if self.filtered.is_some() => aggregated,
            arguments => arguments,
        }
    }
}

impl WindowUDFImpl for Excluding {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        self.filtered
            .as_ref()
            .unwrap_or_else(|| self.inner.signature())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if self.filtered.is_none() {
            return self.inner.coerce_types(types);
        }
        let fields = self.aggregated(types).iter();
        let fields: Vec<FieldRef> = fields
            .map(|of| Arc::new(Field::new("argument", of.clone(), true)))
            .collect();
        let coerced = fields_with_udf(&fields, self.inner.as_ref())?;
        let coerced = coerced.iter().map(|field| field.data_type().clone());
        Ok(coerced.chain([DataType::Boolean]).collect())
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let field = self
            .inner
            .return_field(self.aggregated(args.input_fields()))?;
        let field = Field::clone(&field).with_name(args.name());
        Ok(Arc::new(field.with_nullable(true)))
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let fields = self.aggregated(args.input_fields());
        Ok(Box::new(Rows {
            inner: Arc::clone(&self.inner),
            exprs: self.aggregated(args.input_exprs()).to_vec(),
            fields: fields.to_vec(),
            returns: self.inner.return_field(fields)?,
            ignores_nulls: args.ignore_nulls(),
            is_filtered: self.filtered.is_some(),
            left: Left::of(self.exclusion),
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
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<FieldRef>,
    returns: FieldRef,
    ignores_nulls: bool,
    /// Whether a condition follows the arguments.
    is_filtered: bool,
    left: Left,
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
}

impl PartitionEvaluator for Rows {
    /// `values`: the arguments, the condition if there is one, then the keys of the order.
    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let rows = values.first().map_or(0, |column| column.len());
        let (arguments, keys) = split(values, self.exprs.len())?;
        let (conditions, keys) = split(keys, usize::from(self.is_filtered))?;
        let condition = match conditions.first() {
            Some(condition) => Some(condition.as_boolean_opt().ok_or_else(|| {
                DataFusionError::Internal("a condition that is no boolean".to_owned())
            })?),
            None => None,
        };
        let parts = self.left.next(keys, rows, frame)?;
        let mut accumulator = self.accumulator()?;
        for part in parts {
            if part.is_empty() {
                continue;
            }
            let kept = condition.map(|condition| condition.slice(part.start, part.len()));
            let slices = arguments.iter().map(|column| -> Result<ArrayRef> {
                let slice = column.slice(part.start, part.len());
                match &kept {
                    Some(kept) => Ok(filter(&slice, kept)?),
                    None => Ok(slice),
                }
            });
            let slices = slices.collect::<Result<Vec<ArrayRef>>>()?;
            if slices.first().is_some_and(|slice| !slice.is_empty()) {
                accumulator.update_batch(&slices)?;
            }
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
    use arrow::array::{BooleanArray, Int64Array};
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
        let window = excluding(function, exclusion, false);
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

    #[test]
    fn rows_that_do_not_meet_the_condition_are_left_out_too() {
        let window = excluding(&sum_udaf(), Exclusion::CurrentRow, true);
        let types = [DataType::Int32, DataType::Null];
        let coerced = window.coerce_types(&types).unwrap();
        assert_eq!(coerced, [DataType::Int64, DataType::Boolean]);

        let column = |place| Arc::new(Column::new("x", place)) as Arc<dyn PhysicalExpr>;
        let exprs = [column(0), column(1)];
        let fields: [FieldRef; 2] = [
            Arc::new(Field::new("x", DataType::Int64, true)),
            Arc::new(Field::new("b", DataType::Boolean, true)),
        ];
        let args = PartitionEvaluatorArgs::new(&exprs, &fields, false, false);
        let mut evaluator = window.partition_evaluator_factory(args).unwrap();
        let columns: [ArrayRef; 2] = [
            Arc::new(Int64Array::from(vec![1, 2, 4, 8])),
            Arc::new(BooleanArray::from(vec![
                Some(true),
                None,
                Some(false),
                Some(true),
            ])),
        ];
        let values = (0..4).map(|_| evaluator.evaluate(&columns, &(0..4)).unwrap());
        let values: Vec<String> = values.map(|value| value.to_string()).collect();
        assert_eq!(values, ["8", "9", "9", "1"]);
    }
}
