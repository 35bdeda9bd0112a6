//! `sum` of `real` is a `real` in PostgreSQL's sessions; the engine's is a `double precision`. The
//! numbers are added up as `double precision`, and the sum is rounded once, so that it does not
//! depend on the order of rows. PostgreSQL's rounds after each row.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::common::types::logical_float32;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Coercion, Documentation, EmitTo, Expr,
    GroupsAccumulator, Operator, ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
    TypeSignature, TypeSignatureClass,
};

use super::checked::overflow;
use crate::aggregation::aggregates::as_the_inner;

/// Replaces a session's `sum` with this one.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.aggregate_functions().get("sum").cloned() {
        let function = RealSum::new(inner);
        state.register_udaf(Arc::new(AggregateUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// Returns whether a function is the `sum` of PostgreSQL's sessions.
pub(crate) fn is_sum_of_postgres(function: &AggregateUDF) -> bool {
    function.inner().is::<RealSum>()
}

/// The session's `sum`, whose sum of `real` is a `real`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RealSum {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl RealSum {
    fn new(inner: Arc<AggregateUDF>) -> Self {
        let real = TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Native(
            logical_float32(),
        ))]);
        let mut signature = inner.signature().clone();
        let mut all = match signature.type_signature {
            TypeSignature::OneOf(all) => all,
            one => vec![one],
        };
        // What fits several of them becomes the first one.
        all.push(real);
        signature.type_signature = TypeSignature::OneOf(all);
        Self { inner, signature }
    }
}

fn is_real(field: Option<&FieldRef>) -> bool {
    field.is_some_and(|field| field.data_type() == &DataType::Float32)
}

/// Returns a field as one of `double precision`.
fn as_double(field: &FieldRef) -> FieldRef {
    let field = Field::clone(field);
    Arc::new(field.with_data_type(DataType::Float64))
}

/// Returns what the inner function is asked for.
fn widened<'a>(args: &'a AccumulatorArgs<'_>, fields: &'a [FieldRef]) -> AccumulatorArgs<'a> {
    AccumulatorArgs {
        return_field: as_double(&args.return_field),
        schema: args.schema,
        ignore_nulls: args.ignore_nulls,
        order_bys: args.order_bys,
        is_reversed: args.is_reversed,
        name: args.name,
        is_distinct: args.is_distinct,
        exprs: args.exprs,
        expr_fields: fields,
    }
}

fn doubles(columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let columns = columns.iter();
    columns
        .map(|column| Ok(cast(column, &DataType::Float64)?))
        .collect()
}

/// Returns a sum as a `real`.
///
/// # Errors
///
/// The sum is too large.
fn narrowed(sum: f64) -> Result<f32> {
    let real = sum as f32;
    match real.is_infinite() && sum.is_finite() {
        true => Err(overflow().into()),
        false => Ok(real),
    }
}

impl AggregateUDFImpl for RealSum {
    as_the_inner!(apart from types);

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.schema_name(params)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Float32] => Ok(DataType::Float32),
            types => self.inner.return_type(types),
        }
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        match fields.first() {
            field if is_real(field) => {
                let field = Field::new(self.name(), DataType::Float32, self.is_nullable());
                Ok(Arc::new(field))
            }
            _ => self.inner.return_field(fields),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !is_real(args.expr_fields.first()) {
            return self.inner.accumulator(args);
        }
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(as_double).collect();
        let inner = self.inner.accumulator(widened(&args, &fields))?;
        Ok(Box::new(Real { inner }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if !is_real(args.expr_fields.first()) {
            return self.inner.create_sliding_accumulator(args);
        }
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(as_double).collect();
        let inner = self
            .inner
            .create_sliding_accumulator(widened(&args, &fields))?;
        Ok(Box::new(Real { inner }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !is_real(args.input_fields.first()) {
            return self.inner.state_fields(args);
        }
        let fields: Vec<FieldRef> = args.input_fields.iter().map(as_double).collect();
        self.inner.state_fields(StateFieldsArgs {
            name: args.name,
            input_fields: &fields,
            return_field: as_double(&args.return_field),
            ordering_fields: args.ordering_fields,
            is_distinct: args.is_distinct,
        })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        if !is_real(args.expr_fields.first()) {
            return self.inner.groups_accumulator_supported(args);
        }
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(as_double).collect();
        self.inner
            .groups_accumulator_supported(widened(&args, &fields))
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_real(args.expr_fields.first()) {
            return self.inner.create_groups_accumulator(args);
        }
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(as_double).collect();
        let inner = self
            .inner
            .create_groups_accumulator(widened(&args, &fields))?;
        Ok(Box::new(Reals { inner }))
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        op: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        match literal {
            // A product with the number of rows would be rounded to a `real`.
            Expr::Literal(value, _) if value.data_type() == DataType::Float32 => Ok(None),
            literal => self.inner.simplify_expr_op_literal(
                function,
                argument,
                op,
                literal,
                argument_is_left,
            ),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn value_from_stats(&self, statistics: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        match statistics.return_type {
            DataType::Float32 => None,
            _ => self.inner.value_from_stats(statistics),
        }
    }
}

/// The sum of all rows, or of a window's frame.
#[derive(Debug)]
struct Real {
    inner: Box<dyn Accumulator>,
}

impl Accumulator for Real {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&doubles(values)?)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&doubles(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.inner.evaluate()? {
            ScalarValue::Float64(sum) => Ok(ScalarValue::Float32(sum.map(narrowed).transpose()?)),
            other => other.cast_to(&DataType::Float32),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}

/// The sums of many groups.
struct Reals {
    inner: Box<dyn GroupsAccumulator>,
}

impl GroupsAccumulator for Reals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.inner
            .update_batch(&doubles(values)?, groups, filter, total_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.inner.merge_batch(states, groups, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = cast(&self.inner.evaluate(emit_to)?, &DataType::Float64)?;
        let sums = sums.as_primitive::<Float64Type>();
        let reals: Float32Array = sums.try_unary::<_, Float32Type, DataFusionError>(narrowed)?;
        Ok(Arc::new(reals))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&doubles(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use lakegate_error::Code;

    use super::*;

    const ROWS: &str = "(SELECT g, CAST(x AS REAL) AS x FROM (VALUES (1, '3e38'), (1, '3e38'),
        (2, '0.5'), (2, '0.5'), (2, '0.25'), (3, NULL), (4, 'Infinity'), (4, '1.5'),
        (5, '3e38'), (5, '3e38'), (5, '-3e38')) t(g, x)) t";

    /// Returns the values of the only column with their type, in order.
    async fn values(sql: &str, partitions: usize) -> Result<Vec<String>> {
        let config = SessionConfig::new().with_target_partitions(partitions);
        let mut state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .build();
        crate::windows::frames::register(&mut state)?;
        super::super::register_totals(&mut state)?;
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            let column = batch.column(0);
            for row in 0..column.len() {
                let value = array_value_to_string(column, row)?;
                values.push(format!("{value} {}", column.data_type()));
            }
        }
        Ok(values)
    }

    #[tokio::test]
    async fn sums_of_reals_are_reals() {
        for (select, expected) in [
            (
                "sum(x) FROM rows WHERE g > 1 GROUP BY g ORDER BY g",
                vec!["1.25 Float32", " Float32", "inf Float32", "3e38 Float32"],
            ),
            // Only the sum of all rows has to be a `real`.
            ("sum(x) FROM rows WHERE g = 5", vec!["3e38 Float32"]),
            (
                "sum(DISTINCT x) FROM rows WHERE g = 2",
                vec!["0.75 Float32"],
            ),
            (
                "sum(x) FILTER (WHERE x < 0.5) FROM rows WHERE g = 2",
                vec!["0.25 Float32"],
            ),
            ("avg(x) FROM rows WHERE g = 3", vec![" Float64"]),
            (
                "sum(CAST(x AS DOUBLE)) FROM rows WHERE g = 2",
                vec!["1.25 Float64"],
            ),
            ("sum(g) FROM rows WHERE g = 2", vec!["6 Int64"]),
        ] {
            let sql = format!("SELECT {}", select.replace("rows", ROWS));
            for partitions in [1, 4] {
                assert_eq!(values(&sql, partitions).await.unwrap(), expected, "{sql}");
            }
        }
    }

    #[tokio::test]
    async fn frames_have_sums_of_reals() {
        let sql = "SELECT sum(x) OVER (ORDER BY i ROWS 1 PRECEDING)
            FROM (SELECT i, CAST(x AS REAL) AS x FROM (VALUES (1, '1.5'), (2, '2.25'), (3, 'Infinity'), (4, '1'), (5, '2')) t(i, x)) t
            ORDER BY i";
        let shown = values(sql, 1).await.unwrap();
        let expected = ["1.5", "3.75", "inf", "inf", "3.0"];
        assert_eq!(shown, expected.map(|number| format!("{number} Float32")));
    }

    #[tokio::test]
    async fn sums_that_are_no_reals_are_errors() {
        for sql in [
            format!("SELECT sum(x) FROM {ROWS} WHERE g = 1"),
            format!("SELECT sum(x) FROM {ROWS} GROUP BY g"),
        ] {
            for partitions in [1, 4] {
                let error = values(&sql, partitions).await.unwrap_err();
                let error = lakegate_error::from_engine(error);
                assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}");
            }
        }
    }
}
