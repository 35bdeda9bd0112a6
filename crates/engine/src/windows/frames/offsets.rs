//! Offsets of window frames that are parameters. The engine's frames have numbers only, so that a plan
//! has a mark in place of a parameter until its values are known:
//!
//! ```text
//! ROWS BETWEEN $1 PRECEDING AND CURRENT ROW
//! ROWS BETWEEN <a mark with 1> PRECEDING AND CURRENT ROW      the plan
//! ROWS BETWEEN 5 PRECEDING AND CURRENT ROW                    with values
//! ```
//!
//! The engine's planner keeps the offsets of RANGE as texts, which type coercion reads as values of
//! the key's type. There the mark is a text too, until [`RangeOffsets`] makes it a number, which
//! coercion leaves. It also refuses negative offsets, which the engine subtracts, and those that are
//! no distance between the keys ([`distances`]).

mod distances;

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, Window, WindowFrame, WindowFrameBound, WindowFrameUnits,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

use crate::plans::expressions::{has, has_operator, rewritten};
use crate::time::{interval_of_text, length_of};

/// An offset beyond all rows. The engine adds offsets to places of rows.
pub const BEYOND_ALL_ROWS: u64 = (1 << 62) - 1;

/// The mark of parameter 0, which does not exist. The others follow. They are greater than every
/// `bigint`, which an offset is.
const MARK: u64 = 1 << 63;

/// The highest number of a parameter that has a mark.
const MAX_NUMBER: u64 = 65_535;

/// Returns the offset that stands for a parameter, from 1, in a frame of ROWS or GROUPS; `None` if
/// no parameter has the number.
pub fn offset_mark(number: usize) -> Option<u64> {
    let number = u64::try_from(number).ok()?;
    (1..=MAX_NUMBER).contains(&number).then_some(MARK + number)
}

/// Returns the text that stands for a parameter, from 1, in a frame of RANGE; `None` if no parameter
/// has the number.
pub fn range_mark(number: usize) -> Option<String> {
    offset_mark(number).map(|_| format!("${number}"))
}

/// Makes the marks of RANGE frames numbers, in a plan that is analysed without values, and refuses
/// offsets that are negative.
#[derive(Debug)]
pub(crate) struct RangeOffsets;

impl AnalyzerRule for RangeOffsets {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !has(&plan, |expr| any_text(expr, |_| true))? {
            return Ok(plan);
        }
        let is_negative = |text: &str| interval_of_text(text).is_some_and(|by| length_of(by) < 0);
        if has(&plan, |expr| any_text(expr, is_negative))? {
            return Err(negative());
        }
        distances::check(&plan)?;
        rewritten(plan, is_range_mark, |expr, _| match expr {
            Expr::WindowFunction(mut function) if is_marked(&function.params.window_frame) => {
                let frame = &mut function.params.window_frame;
                let numbered = |bound: &WindowFrameBound| match bound {
                    WindowFrameBound::Preceding(offset) => {
                        WindowFrameBound::Preceding(as_number(offset))
                    }
                    WindowFrameBound::Following(offset) => {
                        WindowFrameBound::Following(as_number(offset))
                    }
                    WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
                };
                let (start, end) = (numbered(&frame.start_bound), numbered(&frame.end_bound));
                *frame = WindowFrame::new_bounds(frame.units, start, end);
                Transformed::yes(Expr::WindowFunction(function))
            }
            expr => Transformed::no(expr),
        })
    }

    fn name(&self) -> &str {
        "range_offsets"
    }
}

/// Returns whether an expression is a window with an offset of RANGE that is a text which `is` so.
fn any_text(expr: &Expr, is: impl Fn(&str) -> bool) -> bool {
    let Expr::WindowFunction(function) = expr else {
        return false;
    };
    let frame = &function.params.window_frame;
    let mut bounds = [&frame.start_bound, &frame.end_bound].into_iter();
    frame.units == WindowFrameUnits::Range
        && bounds.any(|bound| match bound {
            WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset) => {
                offset.try_as_str().flatten().is_some_and(&is)
            }
            WindowFrameBound::CurrentRow => false,
        })
}

fn negative() -> DataFusionError {
    let message = "invalid preceding or following size in window function";
    Error::new(Code::InvalidFrameOffset, message).into()
}

fn is_range_mark(expr: &Expr) -> bool {
    match expr {
        Expr::WindowFunction(function) => {
            let frame = &function.params.window_frame;
            frame.units == WindowFrameUnits::Range && is_marked(frame)
        }
        _ => false,
    }
}

fn as_number(offset: &ScalarValue) -> ScalarValue {
    match marked(offset) {
        Some(number) => ScalarValue::UInt64(offset_mark(number)),
        None => offset.clone(),
    }
}

/// Returns the number of a mark's parameter.
fn marked(offset: &ScalarValue) -> Option<usize> {
    match offset {
        ScalarValue::Utf8(Some(text)) => {
            let number = text.strip_prefix('$')?.parse().ok()?;
            offset_mark(number).map(|_| number)
        }
        ScalarValue::UInt64(Some(offset)) => {
            let number = offset.checked_sub(MARK)?;
            let number = (1..=MAX_NUMBER).contains(&number).then_some(number)?;
            usize::try_from(number).ok()
        }
        _ => None,
    }
}

/// Returns a plan with the values of parameters in place of the marks in its frames.
///
/// `values`: those of `$1`, `$2` …
///
/// # Errors
///
/// A value is NULL, negative or of another type.
pub fn with_offsets(plan: LogicalPlan, values: &[ScalarValue]) -> Result<LogicalPlan> {
    let is_window = |node: &LogicalPlan| Ok(matches!(node, LogicalPlan::Window(_)));
    if values.is_empty() || !has_operator(&plan, is_window)? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Window(window) if window.window_expr.iter().any(has_mark) => {
            of_window(window, values)
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

/// Returns whether a frame in the expression has a mark.
fn has_mark(expr: &Expr) -> bool {
    let found = expr.exists(|part| {
        Ok(match part {
            Expr::WindowFunction(function) => is_marked(&function.params.window_frame),
            _ => false,
        })
    });
    found.unwrap_or(false)
}

fn is_marked(frame: &WindowFrame) -> bool {
    [&frame.start_bound, &frame.end_bound]
        .into_iter()
        .any(|bound| match bound {
            WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset) => {
                marked(offset).is_some()
            }
            WindowFrameBound::CurrentRow => false,
        })
}

fn of_window(window: Window, values: &[ScalarValue]) -> Result<Transformed<LogicalPlan>> {
    // The name of a window has its frame, and the operators above know it by that name.
    let names = NamePreserver::new_for_projection();
    let schema = window.input.schema();
    let exprs = window.window_expr.into_iter().map(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|part| of_expr(part, schema, values));
        Ok(name.restore(expr.data()?))
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    let window = Window::try_new(exprs, window.input)?;
    Ok(Transformed::yes(LogicalPlan::Window(window)))
}

fn of_expr(expr: Expr, schema: &DFSchema, values: &[ScalarValue]) -> Result<Transformed<Expr>> {
    match expr {
        Expr::WindowFunction(mut function) if is_marked(&function.params.window_frame) => {
            let offsets = match function.params.window_frame.units {
                WindowFrameUnits::Rows | WindowFrameUnits::Groups => Offsets::Counts,
                WindowFrameUnits::Range => {
                    let key = function.params.order_by.first();
                    let of = key.and_then(|key| key.expr.get_type(schema).ok());
                    Offsets::Distances(of.unwrap_or(DataType::Null))
                }
            };
            let frame = filled(&function.params.window_frame, &offsets, values)?;
            function.params.window_frame = frame;
            Ok(Transformed::yes(Expr::WindowFunction(function)))
        }
        expr => Ok(Transformed::no(expr)),
    }
}

/// What the offsets of a frame are.
enum Offsets {
    /// Numbers of rows or groups.
    Counts,
    /// Distances between values of the key, which is of this type.
    Distances(DataType),
}

/// Returns the frame with values. One that begins after its end has no rows.
fn filled(frame: &WindowFrame, offsets: &Offsets, values: &[ScalarValue]) -> Result<WindowFrame> {
    use WindowFrameBound as B;
    let start = bound(&frame.start_bound, "starting", offsets, values)?;
    let end = bound(&frame.end_bound, "ending", offsets, values)?;
    let is_empty = match (&start, &end) {
        (B::Preceding(ScalarValue::UInt64(start)), B::Preceding(ScalarValue::UInt64(end)))
        | (B::Following(ScalarValue::UInt64(end)), B::Following(ScalarValue::UInt64(start))) => {
            start.zip(*end).is_some_and(|(start, end)| start < end)
        }
        _ => false,
    };
    let of_rows = matches!(
        frame.units,
        WindowFrameUnits::Rows | WindowFrameUnits::Groups
    );
    let beyond = || B::Preceding(ScalarValue::UInt64(Some(BEYOND_ALL_ROWS)));
    Ok(match of_rows && is_empty {
        true => WindowFrame::new_bounds(frame.units, beyond(), beyond()),
        false => WindowFrame::new_bounds(frame.units, start, end),
    })
}

/// Returns a bound with its value. `which`: as errors name it.
fn bound(
    bound: &WindowFrameBound,
    which: &str,
    offsets: &Offsets,
    values: &[ScalarValue],
) -> Result<WindowFrameBound> {
    Ok(match bound {
        WindowFrameBound::Preceding(offset) => {
            WindowFrameBound::Preceding(valued(offset, which, offsets, values)?)
        }
        WindowFrameBound::Following(offset) => {
            WindowFrameBound::Following(valued(offset, which, offsets, values)?)
        }
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
    })
}

fn valued(
    offset: &ScalarValue,
    which: &str,
    offsets: &Offsets,
    values: &[ScalarValue],
) -> Result<ScalarValue> {
    let Some(number) = marked(offset) else {
        return Ok(offset.clone());
    };
    let value = values
        .get(number - 1)
        .ok_or_else(|| DataFusionError::Internal(format!("a frame needs ${number}")))?;
    if value.is_null() {
        let message = format!("frame {which} offset must not be null");
        return Err(Error::new(Code::NullNotAllowed, message).into());
    }
    match offsets {
        Offsets::Counts => count(value, which),
        Offsets::Distances(of) => distance(value, of),
    }
}

/// Returns a number of rows or groups.
fn count(value: &ScalarValue, which: &str) -> Result<ScalarValue> {
    let ScalarValue::Int64(Some(value)) = value.cast_to(&DataType::Int64)? else {
        return Err(DataFusionError::Internal(
            "a cast to another type".to_owned(),
        ));
    };
    match u64::try_from(value) {
        Ok(value) => Ok(ScalarValue::UInt64(Some(value.min(BEYOND_ALL_ROWS)))),
        Err(_) => {
            let message = format!("frame {which} offset must not be negative");
            Err(Error::new(Code::InvalidFrameOffset, message).into())
        }
    }
}

/// Returns the distance between values of a key as the engine's planner has one that is written: as a
/// text.
fn distance(value: &ScalarValue, key: &DataType) -> Result<ScalarValue> {
    let (text, is_negative) = match key {
        DataType::Date32 | DataType::Timestamp(..) => {
            let interval = match value {
                ScalarValue::IntervalMonthDayNano(interval) => *interval,
                text => text.try_as_str().flatten().and_then(interval_of_text),
            };
            let interval = interval.ok_or_else(|| no_distance(key, value))?;
            (words(interval), length_of(interval) < 0)
        }
        key if key.is_numeric() => {
            let text = match value.cast_to(&DataType::Utf8)? {
                ScalarValue::Utf8(Some(text)) => text,
                _ => return Err(no_distance(key, value)),
            };
            let number: Option<f64> = text.trim().parse().ok();
            let number = number.ok_or_else(|| no_distance(key, value))?;
            (text, number.is_nan() || number < 0.0)
        }
        key => return Err(no_distance(key, value)),
    };
    if is_negative {
        return Err(negative());
    }
    Ok(ScalarValue::Utf8(Some(text)))
}

/// Returns an interval as the engine reads it.
fn words(interval: IntervalMonthDayNano) -> String {
    let (months, days) = (interval.months, interval.days);
    let sign = if interval.nanoseconds < 0 { "-" } else { "" };
    let nanoseconds = interval.nanoseconds.unsigned_abs();
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    format!("{months} months {days} days {sign}{seconds}.{rest:09} seconds")
}

fn no_distance(key: &DataType, value: &ScalarValue) -> DataFusionError {
    let wanted = match key {
        DataType::Date32 | DataType::Timestamp(..) => "an interval",
        _ => "a number, and the key one too",
    };
    Error::new(
        Code::TypeMismatch,
        format!(
            "the offset of a RANGE frame has the type {}",
            value.data_type()
        ),
    )
    .with_hint(format!("beside this key it is {wanted}"))
    .into()
}

#[cfg(test)]
mod tests;
