//! The functions of a window that are evaluated here.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_window::rank::Rank;
use datafusion::functions_window::row_number::RowNumber;
use datafusion::logical_expr::{Accumulator, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::window::{PlainAggregateWindowExpr, StandardWindowExpr, WindowExpr};
use datafusion::physical_plan::windows::WindowUDFExpr;

use super::Frame;
use super::values::{Counted, Number, Numbered, Running, Stepwise, extreme};
use crate::{aggregation::sum, limits::gathered};

/// Aggregate functions whose accumulators are small, and may be asked for their value at any time.
/// A session may have its own functions of these names.
const AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "max",
    "min",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
    "var_pop",
];

/// A function of a window.
#[derive(Debug)]
pub(super) struct Function {
    kind: Kind,
    pub(super) frame: Frame,
    pub(super) arguments: Vec<Arc<dyn PhysicalExpr>>,
}

#[derive(Debug)]
enum Kind {
    Number(Number),
    Aggregate(Arc<AggregateFunctionExpr>),
}

impl Function {
    /// Returns `None` for a function that is not evaluated here.
    pub(super) fn of(expr: &Arc<dyn WindowExpr>) -> Option<Self> {
        if let Some(standard) = expr.as_any().downcast_ref::<StandardWindowExpr>() {
            return Some(Self {
                kind: Kind::Number(number(standard)?),
                frame: Frame::Row,
                arguments: Vec::new(),
            });
        }
        let window = expr.as_any().downcast_ref::<PlainAggregateWindowExpr>()?;
        let function = window.get_aggregate_expr();
        let is_plain = AGGREGATES.contains(&function.fun().name())
            && !function.is_distinct()
            && !function.ignore_nulls()
            && function.order_bys().is_empty()
            && function.field().data_type().is_primitive()
            && !may_have_filter(window);
        if !is_plain {
            return None;
        }
        Some(Self {
            kind: Kind::Aggregate(Arc::new(function.clone())),
            frame: frame(window)?,
            arguments: function.expressions(),
        })
    }

    /// Returns whether the values depend on which rows are peers.
    pub(super) fn needs_peers(&self) -> bool {
        match self.kind {
            Kind::Number(number) => number != Number::Row,
            Kind::Aggregate(_) => self.frame == Frame::Peers,
        }
    }

    /// Returns what computes the values, at the beginning of the input.
    ///
    /// # Errors
    ///
    /// Returns an error if the function has no accumulator.
    pub(super) fn start(&self, input: &SchemaRef) -> Result<Box<dyn Running>> {
        let function = match &self.kind {
            Kind::Number(number) => return Ok(Box::new(Numbered::new(*number))),
            Kind::Aggregate(function) => function,
        };
        let accumulator = function.create_accumulator()?;
        if let [argument] = self.arguments.as_slice() {
            let (of, field) = (argument.data_type(input)?, function.field());
            let plain = gathered::plain_accumulator(&*accumulator);
            let known = sum::running(plain, &of, field.data_type())
                .or_else(|| extreme(plain, &of, field.data_type()));
            if let Some(known) = known {
                return Ok(known);
            }
            if counts(plain, function, input)? {
                return Ok(Box::new(Counted::default()));
            }
        }
        Ok(Box::new(Stepwise::new(Arc::clone(function), accumulator)))
    }
}

/// Returns which number a function gives rows; `None` for other functions.
pub(crate) fn number_of(expr: &Arc<dyn WindowExpr>) -> Option<Number> {
    number(expr.as_any().downcast_ref::<StandardWindowExpr>()?)
}

fn number(window: &StandardWindowExpr) -> Option<Number> {
    let function = window.get_standard_func_expr().as_any();
    let function = gathered::plain_window(function.downcast_ref::<WindowUDFExpr>()?.fun());
    let (name, inner) = (function.name(), function.inner());
    match name {
        "row_number" if inner.is::<RowNumber>() => Some(Number::Row),
        "rank" if inner.is::<Rank>() => Some(Number::Rank),
        "dense_rank" if inner.is::<Rank>() => Some(Number::DenseRank),
        _ => None,
    }
}

fn frame(window: &PlainAggregateWindowExpr) -> Option<Frame> {
    let frame = window.get_window_frame();
    if !matches!(&frame.start_bound, WindowFrameBound::Preceding(rows) if rows.is_null()) {
        return None;
    }
    match (frame.units, &frame.end_bound) {
        (_, WindowFrameBound::Following(rows)) if rows.is_null() => Some(Frame::Partition),
        (WindowFrameUnits::Rows, WindowFrameBound::CurrentRow) => Some(Frame::Row),
        (WindowFrameUnits::Range, WindowFrameBound::CurrentRow) => {
            Some(match window.order_by().is_empty() {
                true => Frame::Partition,
                false => Frame::Peers,
            })
        }
        _ => None,
    }
}

/// Returns whether the call may have FILTER. Its condition is not among the expressions of a window,
/// and the trait with its accessor is private (`AggregateWindowExpr` of `datafusion-physical-expr`,
/// 55.2). It is the last field of the debug form, whose text ends in a parenthesis if there is one.
fn may_have_filter(window: &PlainAggregateWindowExpr) -> bool {
    !format!("{window:?}").ends_with(", filter: None }")
}

/// Returns whether an accumulator is DataFusion's for `count`, whose type has no public name.
fn counts(
    accumulator: &(dyn Accumulator + 'static),
    function: &AggregateFunctionExpr,
    input: &SchemaRef,
) -> Result<bool> {
    if function.fun().name() != "count" {
        return Ok(false);
    }
    let count = AggregateExprBuilder::new(count_udaf(), function.expressions())
        .schema(Arc::clone(input))
        .alias(function.name())
        .build()?
        .create_accumulator()?;
    let count: &dyn Any = &*count;
    let accumulator: &dyn Any = accumulator;
    Ok(accumulator.type_id() == count.type_id())
}
