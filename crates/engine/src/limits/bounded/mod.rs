//! Functions whose result may be larger than their arguments. Their result size is checked
//! against a limit in bytes before they run.
//!
//! A result is built whole before its memory is counted: batches are bounded in rows, not in
//! bytes, and constants are folded while a query is planned. `growth` classifies each function of
//! the engine. A function that grows is wrapped wherever a plan gets it from:
//!
//! ```text
//! the session's registry    functions by name, and constants of table functions
//! an analyzer rule          functions that the planner puts in for operators, and `||` of texts
//! simplify()                functions that a function rewrites itself to
//! ```

mod growth;
mod joined;
mod measure;
mod series;
mod sizes;

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan, Operator,
    ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use growth::{Growth, growth};
use lakegate_error::{Code, Error};
use measure::Argument;
pub(crate) use measure::value_bytes;

use crate::limits::stop;
use crate::numbers::digits;
use crate::plans::expressions;
use crate::plans::scalars::as_the_inner;

/// Returns whether the function is classified by how large its results may be.
pub fn is_classified(name: &str) -> bool {
    growth(name).is_some()
}

/// Maximum bytes that one call may produce for all rows of a batch.
const MAX_BATCH_BYTES: u64 = 256 * 1024 * 1024;

/// Maximum bytes that a call with constant arguments may produce. The result is one value.
const MAX_VALUE_BYTES: u64 = 64 * 1024 * 1024;

/// Wraps a session's functions that grow, and adds the rule for those not looked up by name.
///
/// `measures_itself`: whether a function checks its result as it builds it, so that it must not be
/// measured as the engine's function of the same name is.
///
/// # Errors
///
/// Returns an error if the session cannot register a function.
pub fn bound(state: &mut SessionState, measures_itself: fn(&ScalarUDF) -> bool) -> Result<()> {
    let functions: Vec<Arc<ScalarUDF>> = state.scalar_functions().values().cloned().collect();
    for function in functions {
        if let Some(bounded) = bounded(&function) {
            state.register_udf(bounded)?;
        }
    }
    state.add_analyzer_rule(Arc::new(BoundedResults { measures_itself }));
    Ok(())
}

/// Returns the wrapped function; `None` if it does not grow or is already wrapped.
fn bounded(function: &Arc<ScalarUDF>) -> Option<Arc<ScalarUDF>> {
    if function.inner().is::<Bounded>() {
        return None;
    }
    let Some(Growth::Grows(measure)) = growth(function.name()) else {
        return None;
    };
    Some(Arc::new(ScalarUDF::new_from_impl(Bounded {
        inner: Arc::clone(function),
        measure,
    })))
}

/// The estimated result size of a call, before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estimate {
    bytes: u64,
    /// Whether this is the size of one value rather than of a batch.
    one_value: bool,
}

/// Bytes of a batch above which the next calls should get fewer rows. The limit of a batch is meant
/// for large values, not for an operator that passes more and more rows at once on a fast machine.
const MUCH_FOR_A_BATCH: u64 = MAX_BATCH_BYTES / 8;

thread_local! {
    /// Whether a call on this thread exceeded [`MUCH_FOR_A_BATCH`] since the last [`made_much`].
    static MUCH: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a function call on this thread was estimated to produce a large result for its
/// number of rows, since the last call of `made_much`.
pub fn made_much() -> bool {
    MUCH.replace(false)
}

/// Checks an estimate against the limit of a value or of a batch.
///
/// # Errors
///
/// Returns an error if the estimate exceeds the limit.
#[inline]
fn check(name: &str, estimate: Estimate) -> Result<()> {
    match estimate.bytes <= MUCH_FOR_A_BATCH.min(MAX_VALUE_BYTES).min(MAX_BATCH_BYTES) {
        true => Ok(()),
        false => check_large(name, estimate),
    }
}

#[cold]
fn check_large(name: &str, estimate: Estimate) -> Result<()> {
    if estimate.bytes > MUCH_FOR_A_BATCH && !estimate.one_value {
        MUCH.set(true);
    }
    let (most, what) = match estimate.one_value {
        true => (MAX_VALUE_BYTES, "a value"),
        false => (MAX_BATCH_BYTES, "a batch of rows"),
    };
    if estimate.bytes <= most {
        return Ok(());
    }
    let bytes = estimate.bytes;
    Err(Error::new(
        Code::ResultTooLarge,
        format!("{name} would make {what} of {bytes} bytes; {most} are the most"),
    )
    .with_hint("make smaller values, or fewer rows of large ones: LIMIT within a subquery")
    .into())
}

/// Checks the arguments of a function that copies them for each row.
///
/// # Errors
///
/// Returns an error if the copies would exceed the limit of a call.
pub fn check_arguments(name: &str, args: &[ColumnarValue], rows: usize) -> Result<()> {
    let mut bytes = 0u64;
    for arg in args {
        bytes = bytes.saturating_add(Argument::of(arg)?.total(rows));
    }
    let estimate = Estimate {
        bytes,
        one_value: expressions::are_constants(args),
    };
    check(name, estimate)
}

/// Checks a value that a function builds piece by piece; `bytes` is the size so far.
///
/// # Errors
///
/// Returns an error if the value exceeds the limit.
#[inline]
pub fn check_value(name: &str, bytes: usize) -> Result<()> {
    let estimate = Estimate {
        bytes: bytes as u64,
        one_value: true,
    };
    check(name, estimate)
}

/// Checks a batch of rows that a function builds piece by piece; `bytes` is the size so far.
///
/// # Errors
///
/// Returns an error if the rows exceed the limit of a batch.
#[inline]
pub fn check_batch(name: &str, bytes: usize) -> Result<()> {
    let estimate = Estimate {
        bytes: bytes as u64,
        one_value: false,
    };
    check(name, estimate)
}

/// Checks a call of `generate_series` or `range`.
///
/// # Errors
///
/// Returns an error if the lists have more elements than a call may make.
pub(crate) fn check_series(args: &ScalarFunctionArgs) -> Result<()> {
    series::measure(args).map(|_| ())
}

/// Checks how many elements a call of `generate_series` makes for all rows of a batch together.
///
/// # Errors
///
/// Returns an error if they are more than a call may make.
pub(crate) fn check_elements(elements: i128) -> Result<()> {
    series::check(elements)
}

/// Wraps functions that a plan does not get from the registry, and replaces `||` by functions.
#[derive(Debug)]
struct BoundedResults {
    measures_itself: fn(&ScalarUDF) -> bool,
}

impl AnalyzerRule for BoundedResults {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let grows = |expr: &Expr| match expr {
            Expr::BinaryExpr(binary) => binary.op == Operator::StringConcat,
            Expr::ScalarFunction(call) => !(self.measures_itself)(&call.func),
            _ => false,
        };
        expressions::rewritten(plan, grows, |expr, schema| match grows(&expr) {
            true => bounded_expr(expr, schema),
            false => Transformed::no(expr),
        })
    }

    fn name(&self) -> &str {
        "bounded_results"
    }
}

fn bounded_expr(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(call) => wrapped(call),
        Expr::BinaryExpr(operation) => joined::joined(operation, schema),
        expr => Transformed::no(expr),
    }
}

fn wrapped(call: ScalarFunction) -> Transformed<Expr> {
    match bounded(&call.func) {
        Some(func) => Transformed::yes(Expr::ScalarFunction(ScalarFunction {
            func,
            args: call.args,
        })),
        None => Transformed::no(Expr::ScalarFunction(call)),
    }
}

/// A function that is measured before each call, and otherwise delegates to the wrapped function.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    measure: growth::Measure,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    as_the_inner!();

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.inner().with_updated_config(config)?;
        Some(ScalarUDF::new_from_impl(Self {
            inner: Arc::new(inner),
            measure: self.measure,
        }))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // One step of the planner may evaluate many calls with constants.
        stop::check()?;
        check(self.name(), (self.measure)(&args)?)?;
        if let ("lpad" | "rpad", Some(length)) = (self.name(), args.args.get_mut(1)) {
            sizes::not_negative(length);
        }
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // DataFusion drops NULLs, and then needs one of them (`concat_ws.rs`, 55.2).
        let is_null = |arg: &Expr| matches!(arg, Expr::Literal(value, _) if value.is_null());
        if self.name() == "concat_ws" && args.iter().skip(1).all(is_null) {
            return Ok(ExprSimplifyResult::Original(args));
        }
        Ok(match self.inner.simplify(args, info)? {
            ExprSimplifyResult::Simplified(expr) => {
                if let Expr::Cast(cast) = &expr {
                    // The result of a cast is not measured: a batch of its type must fit.
                    let bytes = sizes::width(cast.field.data_type()).saturating_mul(8192);
                    let one_value = false;
                    check(self.name(), Estimate { bytes, one_value })?;
                }
                let expr = expr.transform_up(|expr| {
                    Ok(match expr {
                        Expr::ScalarFunction(call) => wrapped(call),
                        Expr::Cast(cast) => digits::bounded(cast),
                        expr => Transformed::no(expr),
                    })
                });
                ExprSimplifyResult::Simplified(expr.data()?)
            }
            original => original,
        })
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.inner.preimage(args, literal, info)
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn propagate_constraints(
        &self,
        interval: &Interval,
        inputs: &[&Interval],
    ) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }
}

#[cfg(test)]
mod tests;
