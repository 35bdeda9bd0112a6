//! Aggregate functions whose accumulators can be stopped and report the memory that they hold.

use std::any::Any;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, WindowFunctionParams,
};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};

use super::distinct::Distinct;
use super::distinct_texts::DistinctTexts;
use super::kept::{Reach, made, made_for_all, within_window};
use super::lists::{GroupedLists, Lists};
use super::sorted_lists::SortedList;
use crate::aggregation::aggregates::as_the_inner;
use crate::limits::stop::check;

/// Rows passed to an accumulator at once.
const ROWS: usize = 8192;

/// Returns the function with its accumulators wrapped in ours.
pub(super) fn gathered(inner: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    if inner.inner().is::<Gathered>() {
        return inner;
    }
    let lists = inner.name() == "array_agg";
    Arc::new(AggregateUDF::new_from_impl(Gathered {
        inner,
        lists,
        filtered: false,
    }))
}

/// Returns the function whose accumulators these are around.
pub(super) fn plain(function: &Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    match function.inner().downcast_ref::<Gathered>() {
        Some(gathered) => Arc::clone(&gathered.inner),
        None => Arc::clone(function),
    }
}

/// Returns the accumulator that these are around. A function that was wrapped before another one
/// replaced it has several around each other.
pub(super) fn plain_accumulator<'a>(
    accumulator: &'a (dyn Accumulator + 'static),
) -> &'a (dyn Accumulator + 'static) {
    let mut plain = accumulator;
    loop {
        let any: &dyn Any = plain;
        match any.downcast_ref::<Asking>() {
            Some(asking) => plain = &*asking.inner,
            None => return plain,
        }
    }
}

/// Returns the function for a window whose FILTER removes rows before they reach it.
pub(super) fn filtered(function: &AggregateUDF) -> Option<Arc<AggregateUDF>> {
    let gathered = function.inner().downcast_ref::<Gathered>()?;
    (!gathered.filtered).then(|| {
        Arc::new(AggregateUDF::new_from_impl(Gathered {
            inner: Arc::clone(&gathered.inner),
            lists: gathered.lists,
            filtered: true,
        }))
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Gathered {
    inner: Arc<AggregateUDF>,
    /// Whether the accumulator keeps its input arrays, unless the call has DISTINCT or ORDER BY.
    lists: bool,
    /// Whether the accumulator sees fewer rows than it produces values for.
    filtered: bool,
}

impl Gathered {
    fn asking(
        &self,
        inner: Box<dyn Accumulator>,
        kind: (bool, bool),
        reach: Option<Reach>,
    ) -> Result<Box<dyn Accumulator>> {
        let (distinct, ordered) = kind;
        let inner: Box<dyn Accumulator> = match self.lists && !distinct && !ordered {
            true => Box::new(Lists::around(inner)),
            false => inner,
        };
        Ok(Box::new(Asking {
            inner,
            filtered: self.filtered,
            rows: 0,
            evaluated: false,
            reach,
        }))
    }
}

/// Returns whether the call has DISTINCT, and whether it has ORDER BY.
fn kind(args: &AccumulatorArgs<'_>) -> (bool, bool) {
    (args.is_distinct, !args.order_bys.is_empty())
}

impl AggregateUDFImpl for Gathered {
    as_the_inner!(description);

    as_the_inner!(names of calls);

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let kind = kind(&args);
        if let Some(distinct) = Distinct::of(self.inner.name(), &args) {
            return self.asking(Box::new(distinct), kind, None);
        }
        if let Some(distinct) = DistinctTexts::of(self.inner.name(), &args) {
            return self.asking(Box::new(distinct), kind, None);
        }
        if let Some(sorted) = SortedList::of(self.inner.name(), &args) {
            return self.asking(Box::new(sorted), kind, None);
        }
        self.asking(self.inner.accumulator(args)?, kind, None)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let inner = self.inner.create_groups_accumulator(args)?;
        Ok(match self.lists {
            true => Box::new(GroupedLists::around(inner)),
            false => inner,
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let kind = kind(&args);
        let inner = self.inner.create_sliding_accumulator(args)?;
        self.asking(inner, kind, Some(Reach::default()))
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        beneficial_ordering: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let inner = AggregateUDF::clone(&self.inner);
        let ordered = inner.with_beneficial_ordering(beneficial_ordering)?;
        Ok(ordered.map(|inner| {
            Arc::new(Self {
                inner: Arc::new(inner),
                lists: self.lists,
                filtered: self.filtered,
            }) as Arc<dyn AggregateUDFImpl>
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    /// In a window, array_agg has the order of the frame, which DataFusion would reverse with the order
    /// of its input (`window/aggregate.rs` of `datafusion-physical-expr`, 55.2).
    fn reverse_expr(&self) -> ReversedUDAF {
        if self.lists {
            return ReversedUDAF::NotSupported;
        }
        match self.inner.reverse_udf() {
            ReversedUDAF::Reversed(reversed) => ReversedUDAF::Reversed(gathered(reversed)),
            other => other,
        }
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.supports_within_group_clause()
    }
}

/// An accumulator that checks whether its query is still wanted, and counts the values that it
/// produces for a window.
#[derive(Debug)]
struct Asking {
    inner: Box<dyn Accumulator>,
    filtered: bool,
    /// Rows in the current frame.
    rows: usize,
    evaluated: bool,
    /// Set if the frame moves: the operator then keeps the rows of the frame.
    reach: Option<Reach>,
}

impl Asking {
    fn has_rows(&mut self, rows: usize) {
        self.rows = rows;
        if let Some(reach) = &mut self.reach {
            reach.set(rows);
        }
    }
}

fn rows_of(values: &[ArrayRef]) -> usize {
    values.first().map_or(0, |array| array.len())
}

impl Accumulator for Asking {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        check()?;
        let rows = rows_of(values);
        self.has_rows(self.rows + rows);
        if rows <= ROWS {
            return self.inner.update_batch(values);
        }
        for first in (0..rows).step_by(ROWS) {
            check()?;
            let rows = ROWS.min(rows - first);
            let part: Vec<ArrayRef> = values
                .iter()
                .map(|array| array.slice(first, rows))
                .collect();
            self.inner.update_batch(&part)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        check()?;
        let value = self.inner.evaluate()?;
        let first = !std::mem::replace(&mut self.evaluated, true);
        if within_window() && !value.data_type().is_primitive() {
            match first {
                true if self.filtered => made_for_all(value.size())?,
                // If all rows share one frame, there is one value for all of them.
                true => made(value.size(), self.rows)?,
                false => made(value.size(), 1)?,
            }
        }
        Ok(value)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        check()?;
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        check()?;
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        check()?;
        self.has_rows(self.rows.saturating_sub(rows_of(values)));
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}
