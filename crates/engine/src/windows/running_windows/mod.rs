//! Window functions over frames that begin with the partition, evaluated for many rows at once.
//!
//! DataFusion copies each partition into a batch of its own, and evaluates row by row: it searches
//! the end of the frame, slices the arguments, and collects the values as scalars
//! (`bounded_window_agg_exec.rs` and `window_agg_exec.rs` of `datafusion-physical-plan`,
//! `window_expr.rs` of `datafusion-physical-expr`, 55.2). Sorts and windows take 72 % of the time
//! of TPC-DS 51.
//!
//! In a plan that is ready to run, [`RunningWindows`] takes the place of a
//! window operator whose input is sorted by its keys, if all of its functions are of these kinds:
//!
//! ```text
//!  row_number, rank, dense_rank
//!  count, sum, avg, min, max,     ROWS  UNBOUNDED PRECEDING … CURRENT ROW
//!  var, stddev                    RANGE UNBOUNDED PRECEDING … CURRENT ROW: up to the last peer
//!                                 … UNBOUNDED FOLLOWING: the whole partition
//! ```
//!
//! A row is compared with the one before it, for whole batches, to find where partitions and groups
//! of peers begin. Values are computed with the session's accumulators, so they are the same; those
//! of integers, decimals and times in a loop without them ([`Fold`]), for accumulators that are known
//! to do the same. Calls with FILTER, DISTINCT, IGNORE NULLS or ORDER BY, results that are not of a
//! primitive type, and keys of nested types are left to DataFusion. Plans, their properties and
//! `EXPLAIN` do not change.
//!
//! ```text
//!  functions.rs   the functions of a window, as DataFusion states them
//!  values.rs      their values for some rows
//!  stream.rs      which rows have values already
//!  exec.rs        the operator
//! ```
//!
//! Delete this when DataFusion's operators are as fast.

mod exec;
mod functions;
mod stream;
mod values;

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};

use self::exec::RunningWindows;
use self::functions::Function;
pub(crate) use self::functions::number_of;
pub(crate) use self::values::{Fold, Number, Running, folded};

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Where the frame of a row ends. Frames begin with the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Frame {
    Row,
    /// With the last row that has the same keys of ORDER BY.
    Peers,
    Partition,
}

/// The functions of a window, and its keys.
#[derive(Debug)]
struct Windows {
    functions: Vec<Function>,
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
    /// Empty if no function depends on peers.
    order_by: Vec<Arc<dyn PhysicalExpr>>,
    /// The widest frame. Rows have values when this frame has ended.
    widest: Frame,
}

/// Returns the same window as an operator that evaluates many rows at once; `None` for other
/// operators, and for windows that have another function.
///
/// # Errors
///
/// Returns an error if a key has no type.
pub(crate) fn with_running_windows(plan: &Operator) -> Result<Option<Operator>> {
    let (functions, sorted) = if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
        if window.input_order_mode != InputOrderMode::Sorted || window.state_observer().is_some() {
            return Ok(None);
        }
        (window.window_expr(), window.partition_by_sort_keys())
    } else if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        (window.window_expr(), window.partition_by_sort_keys())
    } else {
        return Ok(None);
    };
    let Some(input) = plan.children().into_iter().next() else {
        return Ok(None);
    };
    let Some(windows) = windows(functions, &input.schema())? else {
        return Ok(None);
    };
    // DataFusion's operator fails where it does not find its keys in the order of the input.
    if !sorted.is_ok_and(|keys| keys.len() == windows.partition_by.len()) {
        return Ok(None);
    }
    Ok(Some(Arc::new(RunningWindows::new(
        Arc::clone(plan),
        Arc::clone(input),
        windows,
    ))))
}

fn windows(exprs: &[Arc<dyn WindowExpr>], input: &Schema) -> Result<Option<Windows>> {
    let Some(first) = exprs.first() else {
        return Ok(None);
    };
    let (partition_by, order_by) = (first.partition_by(), first.order_by());
    let have_same_keys = exprs
        .iter()
        .all(|expr| expr.partition_by() == partition_by && expr.order_by() == order_by);
    let functions: Option<Vec<Function>> = exprs.iter().map(Function::of).collect();
    let (true, Some(functions)) = (have_same_keys, functions) else {
        return Ok(None);
    };
    let need_peers = functions.iter().any(Function::needs_peers);
    let order_by = order_by.iter().filter(|_| need_peers);
    let windows = Windows {
        widest: (functions.iter().map(|function| function.frame))
            .max()
            .unwrap_or(Frame::Row),
        functions,
        partition_by: partition_by.to_vec(),
        order_by: order_by.map(|key| Arc::clone(&key.expr)).collect(),
    };
    for key in windows.partition_by.iter().chain(&windows.order_by) {
        if !is_compared(&key.data_type(input)?) {
            return Ok(None);
        }
    }
    Ok(Some(windows))
}

/// Returns whether two values are equal for a comparison of columns if they are for one of scalars.
fn is_compared(of: &DataType) -> bool {
    use DataType as T;
    of.is_numeric()
        || of.is_string()
        || matches!(
            of,
            T::Boolean
                | T::Binary
                | T::LargeBinary
                | T::BinaryView
                | T::Date32
                | T::Date64
                | T::Time32(_)
                | T::Time64(_)
                | T::Timestamp(..)
                | T::Duration(_)
        )
}

#[cfg(test)]
mod tests;
