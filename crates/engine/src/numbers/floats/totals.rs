//! `sum` and `avg` of floating-point numbers that fail where PostgreSQL's do: a total that is
//! infinite or NaN is an error, unless one of the numbers is. The engine's are infinite there, as
//! Trino's are.
//!
//! ```text
//! 1e308, 1e308               22003, overflow
//! 1e308, 1e308, Infinity     Infinity; PostgreSQL fails if the infinite number comes last
//! ```
//!
//! What a step of an aggregation passes on is checked as its result is. So an infinite number that
//! the next step gets is one of the rows'.

use std::slice;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, Expr, GroupsAccumulator,
    Operator, ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};

use super::checked::overflow;
use super::reals;
use crate::aggregation::aggregates::{as_the_inner, rows_of};

/// Replaces a session's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register_totals(state: &mut SessionState) -> Result<()> {
    for name in ["sum", "avg"] {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let function = FiniteTotal { inner };
            state.register_udaf(Arc::new(AggregateUDF::new_from_impl(function)))?;
        }
    }
    reals::register(state)
}

/// A function of the session whose totals of floating-point numbers are checked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FiniteTotal {
    inner: Arc<AggregateUDF>,
}

/// Returns whether floating-point numbers are totalled.
fn is_of_floats(args: &AccumulatorArgs<'_>) -> bool {
    let of = args.expr_fields.first().map(|field| field.data_type());
    of == Some(&DataType::Float64) && *args.return_type() == DataType::Float64
}

impl AggregateUDFImpl for FiniteTotal {
    as_the_inner!(except accumulator);

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.schema_name(params)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let is_checked = is_of_floats(&args);
        let inner = self.inner.accumulator(args)?;
        Ok(match is_checked {
            true => Box::new(Total::around(inner)),
            false => inner,
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let is_checked = is_of_floats(&args);
        let inner = self.inner.create_sliding_accumulator(args)?;
        Ok(match is_checked {
            true => Box::new(Total::around(inner)),
            false => inner,
        })
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let is_checked = is_of_floats(&args);
        let inner = self.inner.create_groups_accumulator(args)?;
        Ok(match is_checked {
            true => Box::new(Totals {
                inner,
                unbounded: Vec::new(),
            }),
            false => inner,
        })
    }
}

/// Returns whether a number is infinite or NaN.
fn is_unbounded(number: Option<f64>) -> bool {
    number.is_some_and(|number| !number.is_finite())
}

fn are_finite(numbers: &[f64]) -> bool {
    let all = |finite: bool, number: &f64| finite & number.is_finite();
    numbers.iter().fold(true, all)
}

/// Returns whether some number is infinite or NaN. The slots of NULLs may hold any.
fn has_unbounded(numbers: &Float64Array) -> bool {
    !are_finite(numbers.values()) && numbers.iter().any(is_unbounded)
}

/// Returns whether some number of a column, or of its lists, is infinite or NaN.
fn is_unbounded_in(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Float64 => has_unbounded(column.as_primitive::<Float64Type>()),
        DataType::List(_) => is_unbounded_in(column.as_list::<i32>().values()),
        _ => false,
    }
}

/// The total of all rows, or of a window's frame.
#[derive(Debug)]
struct Total {
    inner: Box<dyn Accumulator>,
    /// Whether a row had a number that is infinite or NaN.
    unbounded: bool,
}

impl Total {
    fn around(inner: Box<dyn Accumulator>) -> Self {
        Self {
            inner,
            unbounded: false,
        }
    }

    fn see(&mut self, columns: &[ArrayRef]) {
        self.unbounded = self.unbounded || columns.iter().any(is_unbounded_in);
    }

    fn check(&self, value: &ScalarValue) -> Result<()> {
        match value {
            ScalarValue::Float64(number) if is_unbounded(*number) && !self.unbounded => {
                Err(overflow().into())
            }
            _ => Ok(()),
        }
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.see(values);
        self.inner.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.see(states);
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.inner.state()?;
        state.iter().try_for_each(|value| self.check(value))?;
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        self.check(&value)?;
        Ok(value)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}

/// The totals of many groups.
struct Totals {
    inner: Box<dyn GroupsAccumulator>,
    /// Whether a row of a group had a number that is infinite or NaN. Groups behind the end have
    /// none.
    unbounded: Vec<bool>,
}

impl Totals {
    fn see(&mut self, columns: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) {
        for column in columns {
            let Some(numbers) = column.as_primitive_opt::<Float64Type>() else {
                continue;
            };
            if !has_unbounded(numbers) {
                continue;
            }
            let kept = filter.map(rows_of);
            for (row, (group, number)) in groups.iter().zip(numbers).enumerate() {
                let is_kept = kept.as_ref().is_none_or(|kept| kept.is_valid(row));
                if is_kept && is_unbounded(number) {
                    if self.unbounded.len() <= *group {
                        self.unbounded.resize(*group + 1, false);
                    }
                    if let Some(unbounded) = self.unbounded.get_mut(*group) {
                        *unbounded = true;
                    }
                }
            }
        }
    }

    /// Checks the totals of the first groups, and forgets what was seen of groups that are emitted.
    fn check(&mut self, columns: &[ArrayRef], emit_to: EmitTo) -> Result<()> {
        for column in columns {
            let Some(totals) = column.as_primitive_opt::<Float64Type>() else {
                continue;
            };
            if !has_unbounded(totals) {
                continue;
            }
            for (group, total) in totals.iter().enumerate() {
                let is_seen = self
                    .unbounded
                    .get(group)
                    .is_some_and(|unbounded| *unbounded);
                if is_unbounded(total) && !is_seen {
                    return Err(overflow().into());
                }
            }
        }
        match emit_to {
            EmitTo::All => self.unbounded.clear(),
            EmitTo::First(groups) => {
                let emitted = groups.min(self.unbounded.len());
                self.unbounded.drain(..emitted);
            }
        }
        Ok(())
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.see(values, groups, filter);
        self.inner
            .update_batch(values, groups, filter, total_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.see(states, groups, None);
        self.inner.merge_batch(states, groups, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let totals = self.inner.evaluate(emit_to)?;
        self.check(slice::from_ref(&totals), emit_to)?;
        Ok(totals)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.inner.state(emit_to)?;
        self.check(&states, emit_to)?;
        Ok(states)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.inner.size() + self.unbounded.capacity()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use lakegate_error::Code;

    use super::*;

    const ROWS: &str = "(SELECT g, CAST(x AS DOUBLE) AS x FROM (VALUES (1, '1e308'), (1, '1e308'),
        (2, '1e308'), (2, 'Infinity'), (2, '1e308'), (3, NULL), (4, 'NaN'), (4, '1.5'),
        (5, 'Infinity'), (5, '-Infinity'), (6, '1.5'), (6, '2.5')) t(g, x)) t";

    /// Returns the values of the only column, in order; with several partitions, states are merged.
    async fn values(sql: &str, partitions: usize) -> Result<String> {
        let config = SessionConfig::new().with_target_partitions(partitions);
        let mut state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .build();
        register_totals(&mut state)?;
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values: Vec<Option<f64>> = Vec::new();
        for batch in frame.collect().await? {
            values.extend(batch.column(0).as_primitive::<Float64Type>().iter());
        }
        Ok(format!("{values:?}"))
    }

    #[tokio::test]
    async fn totals_of_infinite_numbers_are_infinite() {
        for partitions in [1, 4] {
            for (function, expected) in [
                ("sum", "[Some(inf), None, Some(NaN), Some(NaN), Some(4.0)]"),
                ("avg", "[Some(inf), None, Some(NaN), Some(NaN), Some(2.0)]"),
            ] {
                let sql =
                    format!("SELECT {function}(x) FROM {ROWS} WHERE g > 1 GROUP BY g ORDER BY g");
                assert_eq!(values(&sql, partitions).await.unwrap(), expected);
            }
            let sql = format!("SELECT sum(DISTINCT x) FROM {ROWS} WHERE g = 2");
            assert_eq!(values(&sql, partitions).await.unwrap(), "[Some(inf)]");
        }
    }

    #[tokio::test]
    async fn totals_of_finite_numbers_are_finite_or_errors() {
        for sql in [
            format!("SELECT sum(x) FROM {ROWS} WHERE g = 1"),
            format!("SELECT avg(x) FROM {ROWS} WHERE g = 1"),
            format!("SELECT sum(x) FROM {ROWS} GROUP BY g"),
            format!("SELECT avg(x) FROM {ROWS} GROUP BY g"),
            format!("SELECT sum(x) FILTER (WHERE x <= 1e308) FROM {ROWS} WHERE g = 2"),
            format!("SELECT sum(x) FILTER (WHERE x <= 1e308) FROM {ROWS} WHERE g = 2 GROUP BY g"),
            format!(
                "SELECT sum(DISTINCT x) FROM (SELECT x + i * 1e307 AS x FROM {ROWS} CROSS JOIN (VALUES (0), (1)) u(i) WHERE g = 1) v"
            ),
            format!("SELECT sum(x) OVER (ORDER BY g ROWS 1 PRECEDING) FROM {ROWS} WHERE g = 1"),
        ] {
            for partitions in [1, 4] {
                let error = values(&sql, partitions).await.unwrap_err();
                let error = lakegate_error::from_engine(error);
                assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}");
                assert_eq!(error.message(), "value out of range: overflow", "{sql}");
            }
        }
    }
}
