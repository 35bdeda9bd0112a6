//! Filters of several conditions evaluate each only for the rows that are left.
//!
//! DataFusion evaluates AND as an expression. If at most a fifth of the rows pass the left side, it
//! copies these rows of all columns of the batch, evaluates the right side for them, and scatters
//! the results back run by run; it does so at every AND (`expressions/binary.rs`, `PreSelection`
//! and `pre_selection_scatter`, of `datafusion-physical-expr`, 55.2). In TPC-H 6 this takes a sixth
//! of the time of the filter.
//!
//! In a plan that is ready to run, a [`Conjunction`] takes the place of a filter's predicate. NULL
//! is as good as false there, so the remaining rows are one bit mask. Only the columns that the
//! later conditions read are copied, and the results are scattered once:
//!
//! ```text
//!   a > 1       all rows of the batch            ▏10110100…
//!   b < 5       all rows, while many are left    ▏00010000…
//!   c = 7       columns b and c of the rows left     ▏1…
//! ```
//!
//! Conditions are evaluated in the order in which they are written. One that may fail, such as
//! `x / y > 1` behind `y <> 0`, is evaluated for the rows only that are left, however many these
//! are, as in PostgreSQL and Trino; DataFusion evaluates it for all rows while many are left. Delete
//! this when `BinaryExpr` or `FilterExec` does the same.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, IsNotNullExpr, IsNullExpr, LambdaExpr,
    LambdaVariable, Literal,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{
    HigherOrderFunctionExpr, PhysicalExpr, ScalarFunctionExpr, split_conjunction,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};

use super::quick_texts::with_quick_texts;

use crate::plans::conditions::as_written;

/// Rows are copied if at most one in so many is left: DataFusion's limit too.
const FEW: usize = 5;

/// Returns the same filter with a [`Conjunction`]; `None` for other operators, and for filters of
/// one condition that compares no texts.
///
/// The properties and statistics of the filter that this returns are not those of the given one,
/// because DataFusion derives them from the predicate. Only the run may use it.
///
/// # Errors
///
/// Returns an error if the filter cannot be rebuilt.
pub(crate) fn with_conjunction(plan: &dyn ExecutionPlan) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    let Some(conjunction) = Conjunction::of(filter.predicate())? else {
        return Ok(None);
    };
    // The properties are derived from an input without files, whose statistics cost nothing.
    let nothing = Arc::new(EmptyExec::new(filter.input().schema()));
    let quick: Arc<dyn ExecutionPlan> = Arc::new(
        FilterExecBuilder::from(filter)
            .with_predicate(Arc::new(conjunction))
            .with_input(nothing)
            .build()?,
    );
    let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    let quick = quick.replace_children(vec![Arc::clone(filter.input())], keep)?;
    Ok(Some(quick))
}

/// The predicate of a filter. To everything but evaluation it is the expression that it was.
#[derive(Debug)]
struct Conjunction {
    written: Arc<dyn PhysicalExpr>,
    conditions: Vec<Condition>,
    /// The columns that the conditions after the first read, in ascending order.
    columns: Vec<usize>,
}

#[derive(Debug)]
struct Condition {
    /// Over all columns.
    wide: Arc<dyn PhysicalExpr>,
    /// Over [`Conjunction::columns`]. The first condition is not evaluated over these.
    narrow: Arc<dyn PhysicalExpr>,
    /// Whether it fails for no row, and costs less than copying the rows.
    is_plain: bool,
    /// Whether it may fail for some row.
    may_fail: bool,
}

impl Conjunction {
    /// Returns `None` for an expression that is one condition without comparisons of texts, or cannot
    /// be moved to other columns.
    fn of(written: &Arc<dyn PhysicalExpr>) -> Result<Option<Self>> {
        let quick = with_quick_texts(written)?;
        let parts = split_conjunction(&quick.data);
        if (parts.len() < 2 && !quick.transformed) || !is_movable(written)? {
            return Ok(None);
        }
        let written_parts = split_conjunction(written);
        let later = parts.iter().skip(1);
        let read = later.flat_map(|condition| collect_columns(condition));
        let mut columns: Vec<usize> = read.map(|column| column.index()).collect();
        columns.sort_unstable();
        columns.dedup();
        let mut conditions = Vec::with_capacity(parts.len());
        for (place, (wide, written)) in parts.into_iter().zip(written_parts).enumerate() {
            let narrow = match place {
                0 => Arc::clone(wide),
                _ => moved(Arc::clone(wide), &columns)?,
            };
            conditions.push(Condition {
                wide: Arc::clone(wide),
                narrow,
                is_plain: is_plain(written),
                may_fail: may_fail(written)?,
            });
        }
        Ok(Some(Self {
            written: Arc::clone(written),
            conditions,
            columns,
        }))
    }
}

/// Returns whether all columns that an expression reads are its [`Column`]s. A dynamic filter,
/// whose expression changes during the run, is not moved either.
fn is_movable(expression: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    let others = expression.exists(|part| {
        Ok(part.is::<DynamicFilterPhysicalExpr>()
            || part.is::<HigherOrderFunctionExpr>()
            || part.is::<LambdaExpr>()
            || part.is::<LambdaVariable>())
    })?;
    Ok(!others)
}

/// Returns the same expression over these columns of its input.
fn moved(expression: Arc<dyn PhysicalExpr>, columns: &[usize]) -> Result<Arc<dyn PhysicalExpr>> {
    expression
        .transform_up(|part| {
            let Some(column) = part.downcast_ref::<Column>() else {
                return Ok(Transformed::no(part));
            };
            let place = columns.binary_search(&column.index()).map_err(|_| {
                DataFusionError::Internal(format!("condition reads unknown column {column}"))
            })?;
            let moved: Arc<dyn PhysicalExpr> = Arc::new(Column::new(column.name(), place));
            Ok(Transformed::yes(moved))
        })
        .data()
}

/// Returns whether an expression compares columns and constants.
fn is_plain(expression: &Arc<dyn PhysicalExpr>) -> bool {
    use Operator as O;
    if let Some(test) = expression.downcast_ref::<IsNullExpr>() {
        return test.arg().is::<Column>();
    }
    if let Some(test) = expression.downcast_ref::<IsNotNullExpr>() {
        return test.arg().is::<Column>();
    }
    let Some(binary) = expression.downcast_ref::<BinaryExpr>() else {
        return false;
    };
    let compares = matches!(
        binary.op(),
        O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq
    );
    let mut sides = [binary.left(), binary.right()].into_iter();
    compares && sides.all(|side| side.is::<Column>() || side.is::<Literal>())
}

/// Returns whether an expression divides, casts or calls a function.
fn may_fail(expression: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    expression.exists(|part| {
        let divides = part
            .downcast_ref::<BinaryExpr>()
            .is_some_and(|binary| matches!(binary.op(), Operator::Divide | Operator::Modulo));
        Ok(divides || part.is::<CastExpr>() || part.is::<ScalarFunctionExpr>())
    })
}

as_written!(Conjunction);

impl PhysicalExpr for Conjunction {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if batch.num_rows() == 0 {
            return Ok(none());
        }
        // The rows of the batch that were copied, if any were.
        let mut copied: Option<BooleanBuffer> = None;
        let mut rows = batch.clone();
        // Which of `rows` are left; all, if not set.
        let mut left: Option<BooleanBuffer> = None;
        for condition in &self.conditions {
            if let Some(mask) = left.take() {
                let count = mask.count_set_bits();
                if count == 0 {
                    return Ok(none());
                }
                // Once rows are copied, DataFusion evaluates no condition for others than those
                // left.
                let is_strict = condition.may_fail || (copied.is_some() && !condition.is_plain);
                let is_few = count.saturating_mul(FEW) <= mask.len();
                if is_few || (is_strict && count < mask.len()) {
                    if copied.is_none() {
                        rows = rows.project(&self.columns)?;
                    }
                    rows = filter_record_batch(&rows, &BooleanArray::new(mask.clone(), None))?;
                    copied = Some(match &copied {
                        Some(before) => scattered(before, &mask),
                        None => mask,
                    });
                } else {
                    left = Some(mask);
                }
            }
            let expression = match copied {
                Some(_) => &condition.narrow,
                None => &condition.wide,
            };
            let passed = match expression.evaluate(&rows)? {
                ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => continue,
                ColumnarValue::Scalar(ScalarValue::Boolean(_) | ScalarValue::Null) => {
                    return Ok(none());
                }
                value => truths(&value.into_array(rows.num_rows())?)?,
            };
            left = Some(match left {
                Some(before) => &before & &passed,
                None => passed,
            });
        }
        let kept = match (copied, left) {
            (None, None) => {
                let all = ScalarValue::Boolean(Some(true));
                return Ok(ColumnarValue::Scalar(all));
            }
            (Some(only), None) | (None, Some(only)) => only,
            (Some(copied), Some(left)) => scattered(&copied, &left),
        };
        let kept: ArrayRef = Arc::new(BooleanArray::new(kept, None));
        Ok(ColumnarValue::Array(kept))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.written]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(written) = children.into_iter().next() else {
            return Ok(self);
        };
        Ok(match Self::of(&written)? {
            Some(conjunction) => Arc::new(conjunction),
            None => written,
        })
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt_sql(f)
    }
}

/// Returns the result that keeps no row.
fn none() -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::Boolean(Some(false)))
}

/// Returns which rows are true, and not NULL or false.
fn truths(values: &ArrayRef) -> Result<BooleanBuffer> {
    let values = as_boolean_array(values)?;
    Ok(match values.nulls() {
        Some(nulls) => values.values() & nulls.inner(),
        None => values.values().clone(),
    })
}

/// Returns which rows are left of all, where `left` says so of the rows that `copied` selects.
fn scattered(copied: &BooleanBuffer, left: &BooleanBuffer) -> BooleanBuffer {
    let mut all = BooleanBufferBuilder::new(copied.len());
    all.append_n(copied.len(), false);
    for (row, is_left) in copied.set_indices().zip(left.iter()) {
        if is_left {
            all.set_bit(row, true);
        }
    }
    all.finish()
}

#[cfg(test)]
mod tests;
