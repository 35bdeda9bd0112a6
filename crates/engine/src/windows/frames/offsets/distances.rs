//! The types of RANGE frames with offsets. Numbers have numbers as distances, and dates and times
//! intervals; other keys have none. The engine adds an offset to the text of any key.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, WindowFrameBound, WindowFrameUnits,
};
use lakegate_error::{Code, Error};

use crate::plans::expressions::has_operator;
use crate::sessions::functions::type_name;
use crate::time::interval_of_text;

/// Checks the offsets of all RANGE frames, which are texts.
///
/// # Errors
///
/// Keys have no distances, or an offset is of another type.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    has_operator(plan, |node| {
        if let LogicalPlan::Window(window) = node {
            let schema = window.input.schema();
            for expr in &window.window_expr {
                expr.exists(|part| match part {
                    Expr::WindowFunction(function) => {
                        check_frame(&function.params, schema).map(|()| false)
                    }
                    _ => Ok(false),
                })?;
            }
        }
        Ok(false)
    })?;
    Ok(())
}

fn check_frame(window: &WindowFunctionParams, schema: &DFSchema) -> Result<()> {
    let frame = &window.window_frame;
    // The engine refuses several keys, and a parameter has no type yet.
    let [key] = window.order_by.as_slice() else {
        return Ok(());
    };
    if frame.units != WindowFrameUnits::Range {
        return Ok(());
    }
    let Ok(of) = key.expr.get_type(schema) else {
        return Ok(());
    };
    let of = match &of {
        DataType::Dictionary(_, values) => values.as_ref(),
        plain => plain,
    };
    let bounds = [&frame.start_bound, &frame.end_bound];
    for offset in bounds.into_iter().filter_map(offset) {
        check_offset(offset, of)?;
    }
    Ok(())
}

/// Returns the offset of a bound; `None` if there is none.
fn offset(bound: &WindowFrameBound) -> Option<&str> {
    match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => {
            value.try_as_str().flatten()
        }
        WindowFrameBound::CurrentRow => None,
    }
}

fn check_offset(offset: &str, of: &DataType) -> Result<()> {
    let is_number = offset.trim().parse::<f64>().is_ok();
    let wrong = match (of.is_numeric(), of.is_temporal()) {
        (true, _) => (!is_number && interval_of_text(offset).is_some()).then_some("interval"),
        (_, true) if !is_number => None,
        (_, true) if offset.contains('.') => Some("numeric"),
        (_, true) => Some("integer"),
        _ if of.is_null() => None,
        _ => return Err(refused(&shown(of))),
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(refused(&format!("{} and offset type {wrong}", shown(of)))),
    }
}

fn refused(types: &str) -> datafusion::error::DataFusionError {
    let message =
        format!("RANGE with offset PRECEDING/FOLLOWING is not supported for column type {types}");
    Error::new(Code::NotSupported, message)
        .with_hint("ROWS counts rows, and GROUPS values, in any order")
        .into()
}

/// Returns the name of a type in PostgreSQL.
fn shown(of: &DataType) -> String {
    let name = match of {
        text if text.is_string() => "text",
        number if number.is_decimal() => "numeric",
        DataType::Int32 => "integer",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytea",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "anyarray",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone",
        other => return type_name(other),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn offsets_are_distances_of_their_keys() {
        use DataType as T;
        let moment = T::Timestamp(TimeUnit::Microsecond, None);
        for (offset, of) in [
            ("1", T::Int64),
            ("1.5", T::Float64),
            ("$1", T::Int32),
            ("x", T::Int32),
            ("1 day", T::Date32),
            ("0 months 1 days 0.000000 seconds", moment.clone()),
            ("$1", moment.clone()),
            ("1", T::Null),
        ] {
            assert!(check_offset(offset, &of).is_ok(), "{offset} {of}");
        }
        for (offset, of, expected) in [
            ("1", T::Utf8View, "text"),
            ("1", T::Boolean, "boolean"),
            ("1", T::new_list(T::Int32, true), "anyarray"),
            ("1", T::Date32, "date and offset type integer"),
            (
                "1.5",
                moment,
                "timestamp without time zone and offset type numeric",
            ),
            ("1 day", T::Int64, "bigint and offset type interval"),
        ] {
            let error = check_offset(offset, &of).unwrap_err().to_string();
            let expected = format!("not supported for column type {expected}");
            assert!(error.contains(&expected), "{offset} {of}: {error}");
        }
    }
}
