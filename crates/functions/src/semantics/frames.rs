//! RANGE frames with a distance: of numbers a number, of dates and times an interval. The engine
//! compares texts with it.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::{ExprSchemable, WindowFrameBound, WindowFrameUnits};
use lakegate_error::{Code, Error};

use super::names;

/// Checks the distances of a window's frame.
///
/// # Errors
///
/// The rows are in an order without distances, or a distance is of another type.
pub(super) fn check(window: &WindowFunctionParams, schema: &DFSchema) -> Result<()> {
    let frame = &window.window_frame;
    let distances = [&frame.start_bound, &frame.end_bound].map(distance);
    if frame.units != WindowFrameUnits::Range || distances.iter().all(Option::is_none) {
        return Ok(());
    }
    // The engine refuses several items, and a parameter has no type yet.
    let [order] = window.order_by.as_slice() else {
        return Ok(());
    };
    let Ok((_, field)) = order.expr.to_field(schema) else {
        return Ok(());
    };
    let of = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        plain => plain,
    };
    if of.is_null() {
        return Ok(());
    }
    if !of.is_numeric() && !of.is_temporal() {
        return Err(mismatch(format!(
            "Window frame of type RANGE PRECEDING or FOLLOWING requires that sort item type be \
             numeric, datetime or interval (actual: {})",
            names::of_expr(&order.expr, &field)
        )));
    }
    for distance in distances.into_iter().flatten() {
        let is_number = distance.trim().parse::<f64>().is_ok();
        if is_number != of.is_numeric() {
            let value = if is_number { "number" } else { "interval" };
            return Err(mismatch(format!(
                "Window frame RANGE value type ({value}) not compatible with sort item type ({})",
                names::of_expr(&order.expr, &field)
            )));
        }
    }
    Ok(())
}

/// Returns the distance of a bound, which the engine keeps as a text; `None` if there is none.
fn distance(bound: &WindowFrameBound) -> Option<&str> {
    match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => {
            value.try_as_str().flatten()
        }
        WindowFrameBound::CurrentRow => None,
    }
}

fn mismatch(message: String) -> datafusion::error::DataFusionError {
    Error::new(Code::TypeMismatch, message)
        .with_hint("ROWS counts rows, and GROUPS values, in any order")
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::rows;

    fn query(bound: &str, value: &str) -> String {
        format!(
            "SELECT count(*) OVER (ORDER BY x RANGE BETWEEN {bound} PRECEDING AND CURRENT ROW)
             FROM (VALUES {value}) t (x)"
        )
    }

    #[tokio::test]
    async fn distances_are_of_the_type_of_the_order() {
        for (bound, value, expected) in [
            ("INTERVAL '1' DAY", "'a'", "numeric, datetime or interval"),
            ("1", "'a'", "numeric, datetime or interval"),
            ("1", "true", "numeric, datetime or interval"),
            ("INTERVAL '1' DAY", "1", "value type (interval)"),
            ("1", "DATE '2020-01-01'", "value type (number)"),
        ] {
            let error = rows(&query(bound, value)).await.unwrap_err();
            let error = error.strip_backtrace();
            assert!(error.contains(expected), "{bound}, {value}: {error}");
        }
        for (bound, value) in [
            ("UNBOUNDED", "'a'"),
            ("1", "1"),
            ("1.5", "CAST(2 AS DOUBLE)"),
            ("INTERVAL '1' DAY", "DATE '2020-01-01'"),
        ] {
            assert_eq!(rows(&query(bound, value)).await.unwrap(), ["1"], "{bound}");
        }
    }
}
