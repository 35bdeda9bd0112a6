//! Casts that map different values to one result, or change their order, although the engine
//! treats every cast as reversible.
//!
//! A filter's bounds are worked out backwards, through its casts, into the columns
//! (`CastExpr::propagate_constraints` of `datafusion-physical-expr`, 55.2). A column that has many
//! values is then treated as a constant, and is left out of sorts and groups:
//!
//! ```text
//! SELECT ts FROM t WHERE CAST(ts AS DATE) = DATE '2024-02-29' ORDER BY ts      was not sorted
//! ```
//!
//! In conditions such casts get an [`opaque`] argument, which the engine does not look through.
//! Scans prune forwards, by evaluating conditions, which is correct for casts that keep the order, so
//! they remove it again: [`transparent`]. Delete this when the engine knows which casts are reversible.
//!
//! Casts that [change the order](reorders) get a [`lasting`] argument, in scans too. The engine takes
//! each cast between times for one that keeps the order (`is_order_preserving_cast_family` of the
//! crate), prunes by the bounds of its argument, and takes the cast bounds of a column for the bounds
//! of its cast (`project_column_statistics_through_expr`):
//!
//! ```text
//! SELECT count(*) FROM t WHERE ts::time >= '10:00'                      left out files
//! SELECT min(text::int), max(text::int) FROM t                          was 1 and 9 of 1 to 60
//! SELECT ts::time FROM (SELECT ts FROM t ORDER BY ts LIMIT 9) ORDER BY 1      was not sorted
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

/// Whether different values of a type stay different in another, and in order.
pub fn is_reversible(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (from, to) if from == to => true,
        (from, to) if from.is_integer() => match to {
            T::Float64 => !matches!(from, T::Int64 | T::UInt64),
            T::Float32 => matches!(from, T::Int8 | T::UInt8 | T::Int16 | T::UInt16),
            to => to.is_integer(),
        },
        (T::Float32, T::Float64) | (T::Date32, T::Date64 | T::Timestamp(_, None)) => true,
        // Where clocks are set back, two instants are one local time.
        (T::Timestamp(from, zone), T::Timestamp(to, other)) => {
            zone.is_some() == other.is_some() && resolution(from) <= resolution(to)
        }
        (from, to) => from.is_string() && to.is_string(),
    }
}

/// Whether a greater value of a type may become a smaller one of another: the bounds of a column are
/// then not the bounds of its cast, and its order is not that of its cast.
pub fn reorders(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (from, to) if from == to => false,
        (T::Dictionary(_, from), to) => reorders(from, to),
        (from, T::Dictionary(_, to)) => reorders(from, to),
        (T::Timestamp(..) | T::Interval(_), T::Time32(_) | T::Time64(_)) => true,
        // Where clocks are set forwards, a time that they skip is after the next one that exists.
        (T::Timestamp(_, from), T::Timestamp(_, to)) => match (from, to) {
            (Some(zone), None) | (None, Some(zone)) => !is_fixed(zone),
            _ => false,
        },
        (T::Timestamp(_, Some(zone)), T::Date32 | T::Date64)
        | (T::Date32 | T::Date64, T::Timestamp(_, Some(zone))) => !is_fixed(zone),
        // -1 and 1 are true, and 0 is false.
        (from, T::Boolean) if from.is_numeric() => true,
        (from, to) => from.is_string() != to.is_string(),
    }
}

/// Whether a zone has the same offset at all times.
fn is_fixed(zone: &str) -> bool {
    zone.starts_with(['+', '-']) || ["UTC", "GMT", "Etc/UTC"].contains(&zone)
}

/// Parts of a second.
fn resolution(unit: &TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The value itself, which nothing is concluded through.
pub fn opaque(expr: Expr) -> Expr {
    hidden(expr, false)
}

/// The value itself, which nothing is concluded through, in scans neither.
pub fn lasting(expr: Expr) -> Expr {
    hidden(expr, true)
}

/// The argument of a cast, and the type that it is cast to. `None`: of other expressions.
pub fn parts(cast: &Expr) -> Option<(&Expr, &DataType)> {
    match cast {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            Some((expr, field.data_type()))
        }
        _ => None,
    }
}

/// The cast of what `argument` makes of its argument. Other expressions stay as they are.
pub fn with_argument(cast: Expr, argument: impl FnOnce(Expr) -> Expr) -> Expr {
    match cast {
        Expr::Cast(Cast { expr, field }) => Expr::Cast(Cast {
            expr: Box::new(argument(*expr)),
            field,
        }),
        Expr::TryCast(TryCast { expr, field }) => Expr::TryCast(TryCast {
            expr: Box::new(argument(*expr)),
            field,
        }),
        other => other,
    }
}

/// The condition with a [`lasting`] argument in each cast that [changes the order](reorders).
///
/// # Errors
/// The type of a cast's argument is not known.
pub fn with_lasting_casts(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    condition
        .transform_up(|expr| {
            let Some((inner, to)) = parts(&expr) else {
                return Ok(Transformed::no(expr));
            };
            if is_settled(inner) || !reorders(&inner.get_type(schema)?, to) {
                return Ok(Transformed::no(expr));
            }
            Ok(Transformed::yes(with_argument(expr, lasting)))
        })
        .data()
}

/// Whether the argument of a cast needs no [`lasting`]: it is a literal, or opaque already.
pub fn is_settled(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(..)) || is_opaque(argument)
}

fn hidden(expr: Expr, lasts: bool) -> Expr {
    let func = Arc::new(ScalarUDF::new_from_impl(Opaque {
        signature: Signature::any(1, Volatility::Immutable),
        lasts,
    }));
    let args = vec![expr];
    Expr::ScalarFunction(ScalarFunction { func, args })
}

/// The condition without its opaque expressions, except those that last.
///
/// # Errors
/// Those of the engine's expressions that are built anew.
pub fn transparent(condition: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    condition
        .transform_up(|expr| {
            let call = expr.downcast_ref::<ScalarFunctionExpr>();
            let inner = call
                .filter(|call| opaque_function(call.fun()).is_some_and(|it| !it.lasts))
                .and_then(|call| call.args().first())
                .map(Arc::clone);
            Ok(inner.map_or(Transformed::no(expr), Transformed::yes))
        })
        .data()
}

/// Whether a physical expression only passes its argument on.
pub fn passes_on(call: &ScalarFunctionExpr) -> bool {
    is(call.fun())
}

/// Whether an expression only passes its argument on.
pub fn is_opaque(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if is(&call.func))
}

fn is(function: &ScalarUDF) -> bool {
    opaque_function(function).is_some()
}

fn opaque_function(function: &ScalarUDF) -> Option<&Opaque> {
    function.inner().downcast_ref::<Opaque>()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Opaque {
    signature: Signature,
    /// Whether scans keep it.
    lasts: bool,
}

impl ScalarUDFImpl for Opaque {
    fn name(&self) -> &str {
        "opaque"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let null = || Arc::new(arrow::datatypes::Field::new("opaque", DataType::Null, true));
        Ok(args.arg_fields.first().map_or_else(null, Arc::clone))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value = args.args.into_iter().next();
        Ok(value.unwrap_or(ColumnarValue::Scalar(ScalarValue::Null)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_that_merge_or_reorder_values_are_not_reversible() {
        use DataType as T;
        let timestamp = |unit, zone: Option<&str>| T::Timestamp(unit, zone.map(Into::into));
        let micros = timestamp(TimeUnit::Microsecond, None);
        for (from, to) in [
            (T::Int64, T::Float64),
            (T::Int32, T::Float32),
            (T::Float64, T::Float32),
            (T::Float64, T::Int64),
            // '-99' is after '-2'.
            (T::Int32, T::Utf8),
            (T::Utf8View, T::Int64),
            (micros.clone(), T::Date32),
            (micros.clone(), timestamp(TimeUnit::Second, None)),
            (
                micros.clone(),
                timestamp(TimeUnit::Microsecond, Some("UTC")),
            ),
        ] {
            assert!(!is_reversible(&from, &to), "{from} to {to}");
        }
        for (from, to) in [
            (T::Int32, T::Int64),
            (T::Int32, T::Float64),
            (T::Float32, T::Float64),
            (T::Utf8, T::Utf8View),
            (T::Date32, micros.clone()),
            (micros.clone(), timestamp(TimeUnit::Nanosecond, None)),
            (micros.clone(), micros),
        ] {
            assert!(is_reversible(&from, &to), "{from} to {to}");
        }
    }

    #[test]
    fn casts_whose_results_have_another_order_are_known() {
        use DataType as T;
        let micros = |zone: Option<&str>| T::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        let time = T::Time64(TimeUnit::Microsecond);
        for (from, to) in [
            (micros(None), time.clone()),
            (micros(Some("UTC")), time.clone()),
            (micros(None), micros(Some("Europe/Berlin"))),
            (micros(Some("Europe/Berlin")), T::Date32),
            (T::Utf8View, T::Int32),
            (T::Int32, T::Utf8),
            (T::Int32, T::Boolean),
        ] {
            assert!(reorders(&from, &to), "{from} to {to}");
        }
        for (from, to) in [
            (micros(None), micros(None)),
            (micros(None), T::Date32),
            (T::Date32, micros(None)),
            (micros(None), micros(Some("UTC"))),
            (micros(Some("+00:00")), T::Date32),
            (T::Float64, T::Int64),
            (T::Int64, T::Float64),
            (T::Boolean, T::Int32),
            (T::Utf8, T::Utf8View),
            (time.clone(), time),
        ] {
            assert!(!reorders(&from, &to), "{from} to {to}");
        }
    }
}
