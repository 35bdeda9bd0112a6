//! Window functions whose evaluators can be stopped and count the values that they produce.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::window_state::WindowAggState;
use datafusion::logical_expr::{
    Documentation, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;

use super::kept::{Reach, made};
use crate::limits::stop::check;

/// Returns the function with its evaluators wrapped in ours.
pub(super) fn gathered(inner: Arc<WindowUDF>) -> Arc<WindowUDF> {
    if inner.inner().is::<Gathered>() {
        return inner;
    }
    Arc::new(WindowUDF::new_from_impl(Gathered(inner)))
}

/// Returns the function whose evaluators these are around.
pub(super) fn plain(function: &Arc<WindowUDF>) -> Arc<WindowUDF> {
    match function.inner().downcast_ref::<Gathered>() {
        Some(gathered) => Arc::clone(&gathered.0),
        None => Arc::clone(function),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Gathered(Arc<WindowUDF>);

impl WindowUDFImpl for Gathered {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn expressions(&self, args: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        self.0.expressions(args)
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let literals = args
            .input_exprs()
            .iter()
            .filter_map(|expr| expr.downcast_ref::<Literal>());
        let constants = literals
            .map(|literal| literal.value())
            .filter(|value| !value.data_type().is_primitive())
            .map(ScalarValue::size)
            .sum();
        Ok(Box::new(Asking {
            inner: self.0.partition_evaluator_factory(args)?,
            constants,
            reach: Reach::default(),
        }))
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        self.0.simplify()
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.0.field(args)
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.0.sort_options()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.0.coerce_types(types)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        match self.0.reverse_expr() {
            ReversedUDWF::Reversed(reversed) => ReversedUDWF::Reversed(gathered(reversed)),
            other => other,
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.0.inner().limit_effect(args)
    }
}

#[derive(Debug)]
struct Asking {
    inner: Box<dyn PartitionEvaluator>,
    /// Bytes of constants, any of which may be the value of a row.
    constants: usize,
    reach: Reach,
}

impl PartitionEvaluator for Asking {
    fn memoize(&mut self, state: &mut WindowAggState) -> Result<()> {
        self.inner.memoize(state)
    }

    fn get_range(&self, row: usize, rows: usize) -> Result<Range<usize>> {
        self.inner.get_range(row, rows)
    }

    fn is_causal(&self) -> bool {
        self.inner.is_causal()
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        check()?;
        made(self.constants, rows)?;
        self.inner.evaluate_all(values, rows)
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        check()?;
        let value = self.inner.evaluate(values, range)?;
        self.reach.set(range.len());
        if !value.data_type().is_primitive() {
            made(value.size(), 1)?;
        }
        Ok(value)
    }

    fn evaluate_all_with_rank(&self, rows: usize, ranks: &[Range<usize>]) -> Result<ArrayRef> {
        check()?;
        self.inner.evaluate_all_with_rank(rows, ranks)
    }

    fn supports_bounded_execution(&self) -> bool {
        self.inner.supports_bounded_execution()
    }

    fn uses_window_frame(&self) -> bool {
        self.inner.uses_window_frame()
    }

    fn include_rank(&self) -> bool {
        self.inner.include_rank()
    }
}
