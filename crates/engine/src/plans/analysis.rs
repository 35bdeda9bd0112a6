//! Analyses plans with the rules that may change them.
//!
//! Each of some sixty rules searches the plan for what it is about, which takes longer than everything
//! else for a small plan. So a small plan is searched once for the kinds of its operators and
//! expressions, and again after each rule that has run:
//!
//! ```text
//! Projection: Int64(1)        no calls, no casts, no windows, …: most rules have nothing to do
//!   EmptyRelation
//! ```
//!
//! With debug assertions, larger plans are analysed so, too, and each rule that is left out runs all the
//! same: it is an error if it changes the plan.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::common::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::logical_plan::InvariantLevel;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

use crate::limits::stop;
use crate::plans::expressions;

/// Operators and parts of expressions of a small plan.
const MAX_PARTS: usize = match cfg!(debug_assertions) {
    true => 4096,
    false => 128,
};

/// Any operator in an expression.
const BINARY: u32 = 1 << 0;
const ARITHMETIC: u32 = 1 << 1;
/// AND and OR.
const LOGIC: u32 = 1 << 2;
const NEGATIVE: u32 = 1 << 3;
const CAST: u32 = 1 << 4;
/// Calls of scalar functions.
const CALL: u32 = 1 << 5;
const AGGREGATE_CALL: u32 = 1 << 6;
const WINDOW_CALL: u32 = 1 << 7;
const CASE: u32 = 1 << 8;
const IN_LIST: u32 = 1 << 9;
const BETWEEN: u32 = 1 << 10;
/// LIKE and SIMILAR TO.
const PATTERN: u32 = 1 << 11;
/// Subqueries of expressions.
const SUBQUERY: u32 = 1 << 12;
/// Columns of the query outside.
const OUTER: u32 = 1 << 13;
const AGGREGATE: u32 = 1 << 14;
const WINDOW: u32 = 1 << 15;
const SORT: u32 = 1 << 16;
const LIMIT: u32 = 1 << 17;
const DISTINCT: u32 = 1 << 18;
const JOIN: u32 = 1 << 19;
const UNION: u32 = 1 << 20;
const VALUES: u32 = 1 << 21;
const RECURSION: u32 = 1 << 22;
/// Subqueries in FROM.
const LATERAL: u32 = 1 << 23;

/// The kinds of which a rule needs one to change a plan, or to refuse it. Rules that are not listed
/// also look at types of columns or at constants.
const NEEDED: [(&str, u32); 53] = [
    ("array_casts", CAST | CALL | UNION),
    ("bounded_digits", CAST),
    ("bounded_matches", BINARY | PATTERN | CALL),
    ("bounded_results", BINARY | CALL),
    ("byte_texts", CAST),
    (
        "canonical_floats",
        ARITHMETIC
            | NEGATIVE
            | CALL
            | AGGREGATE_CALL
            | WINDOW_CALL
            | CASE
            | IN_LIST
            | SORT
            | DISTINCT,
    ),
    ("cell_types", VALUES),
    ("checked_floats", ARITHMETIC | CAST),
    ("checked_integers", ARITHMETIC | NEGATIVE),
    ("computed_limits", LIMIT),
    ("counted_set_operations", JOIN),
    ("decimal_literals", BINARY | BETWEEN | IN_LIST),
    ("decimal_places", CALL),
    ("dependent_joins", SUBQUERY | LATERAL),
    ("divisors", CALL),
    ("empty_nulls", CASE | CALL),
    ("existence", SUBQUERY),
    ("filtered_windows", WINDOW_CALL),
    ("float_digits", CAST),
    ("grouping_keys", AGGREGATE),
    ("guarded_cases", CASE),
    ("guarded_filters", AGGREGATE_CALL | WINDOW_CALL),
    ("guarded_logic", LOGIC),
    ("halves_to_even", CAST | CALL),
    ("inner_names", OUTER),
    ("input_order", SORT | DISTINCT),
    ("joined_booleans", CALL),
    ("json_casts", CAST | CALL),
    ("mixed_unions", UNION),
    ("nearest_casts", CAST),
    ("nested_are_no_texts", CAST | CALL | AGGREGATE_CALL),
    ("nullable_xors", BINARY),
    ("nullif_types", CALL),
    ("numeric_sums", AGGREGATE_CALL | WINDOW_CALL),
    ("optional_values", SUBQUERY),
    ("period_sums", AGGREGATE_CALL | WINDOW_CALL),
    ("plain_columns", CALL),
    ("plain_extremes", AGGREGATE_CALL),
    ("plain_fallbacks", CALL),
    ("posix_patterns", BINARY | CALL),
    ("range_offsets", WINDOW_CALL),
    ("recursive_types", RECURSION),
    ("refused_casts", CAST | CALL),
    ("rounding_casts", CAST),
    ("separate_in_lists", LOGIC | IN_LIST),
    ("shifted_sums", AGGREGATE),
    ("sorted_distinct", AGGREGATE_CALL),
    ("three_valued_subqueries", SUBQUERY),
    ("untyped_bounds", IN_LIST | BETWEEN),
    ("untyped_columns", UNION | JOIN),
    ("untyped_texts", CALL),
    ("window_inputs", WINDOW),
    ("windows_by_length", WINDOW_CALL),
];

/// Returns a plan after the rules of analysis.
///
/// # Errors
///
/// Returns an error if a rule fails or refuses the plan, or if the plan is not valid.
pub fn analyzed(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let (analyzer, options) = (state.analyzer(), state.config_options());
    let found = Found::of(&plan)?;
    if found.parts > MAX_PARTS || !analyzer.function_rewrites().is_empty() {
        return analyzer.execute_and_check(plan, options, |_, _| {});
    }
    plan.check_invariants(InvariantLevel::Always)
        .map_err(|error| error.context("Invalid input plan passed to Analyzer"))?;
    let plan = by_kinds(&analyzer.rules, plan, found, options)?;
    plan.check_invariants(InvariantLevel::Executable)
        .map_err(|error| error.context("Invalid (non-executable) plan after Analyzer"))?;
    Ok(plan)
}

/// Runs the rules that a plan has the kinds for. `found`: what the plan has.
fn by_kinds(
    rules: &[Arc<dyn AnalyzerRule + Send + Sync>],
    mut plan: LogicalPlan,
    found: Found,
    options: &ConfigOptions,
) -> Result<LogicalPlan> {
    let mut known = Some(found);
    for rule in rules {
        if let Some(needed) = needed_by(rule.name()) {
            let found = match known {
                Some(found) => found,
                None => Found::of(&plan)?,
            };
            known = Some(found);
            if found.kinds & needed == 0 {
                check_unchanged(rule.as_ref(), &plan, options)?;
                continue;
            }
        }
        plan = rule
            .analyze(plan, options)
            .map_err(|error| error.context(rule.name()))?;
        known = None;
    }
    Ok(plan)
}

/// Returns the kinds of which a rule needs one; `None` if it looks at more than kinds.
fn needed_by(rule: &str) -> Option<u32> {
    static BY_NAME: LazyLock<HashMap<&str, u32>> = LazyLock::new(|| HashMap::from(NEEDED));
    BY_NAME.get(rule).copied()
}

/// Checks, where the crate has debug assertions, that a rule neither changes nor refuses a plan that
/// it is left out for. The tests' builds have them (`tests/profile.toml`).
fn check_unchanged(
    rule: &dyn AnalyzerRule,
    plan: &LogicalPlan,
    options: &ConfigOptions,
) -> Result<()> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    let made = rule.analyze(plan.clone(), options);
    // The rule may have failed because the planning is stopped.
    stop::check()?;
    let found = match made {
        Ok(made) if made == *plan => return Ok(()),
        Ok(made) => format!("changes a plan to\n{}", made.display_indent_schema()),
        Err(error) => format!("refuses a plan: {error}"),
    };
    Err(DataFusionError::Internal(format!(
        "the analyzer rule {0} {found}\nThe plan has none of the kinds that NEEDED has for {0}:\n{1}",
        rule.name(),
        plan.display_indent_schema()
    )))
}

/// What a plan and its subqueries have.
#[derive(Debug, Clone, Copy)]
struct Found {
    kinds: u32,
    /// Operators and parts of expressions.
    parts: usize,
}

impl Found {
    fn of(plan: &LogicalPlan) -> Result<Self> {
        let (kinds, parts) = (Cell::new(0), Cell::new(0));
        let add = |kind: u32| {
            kinds.set(kinds.get() | kind);
            parts.set(parts.get() + 1);
            false
        };
        expressions::has_any(
            plan,
            &|node: &LogicalPlan| add(kind_of_operator(node)),
            &|expr: &Expr| add(kind_of(expr)),
        )?;
        Ok(Self {
            kinds: kinds.get(),
            parts: parts.get(),
        })
    }
}

fn kind_of_operator(node: &LogicalPlan) -> u32 {
    match node {
        LogicalPlan::Aggregate(_) => AGGREGATE,
        LogicalPlan::Window(_) => WINDOW,
        LogicalPlan::Sort(_) => SORT,
        LogicalPlan::Limit(_) => LIMIT,
        LogicalPlan::Distinct(_) => DISTINCT,
        LogicalPlan::Join(_) => JOIN,
        LogicalPlan::Union(_) => UNION,
        LogicalPlan::Values(_) => VALUES,
        LogicalPlan::RecursiveQuery(_) => RECURSION,
        LogicalPlan::Subquery(_) => LATERAL,
        _ => 0,
    }
}

fn kind_of(expr: &Expr) -> u32 {
    match expr {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => BINARY | LOGIC,
            op if expressions::is_arithmetic(op) => BINARY | ARITHMETIC,
            _ => BINARY,
        },
        Expr::Negative(_) => NEGATIVE,
        Expr::Cast(_) | Expr::TryCast(_) => CAST,
        Expr::ScalarFunction(_) => CALL,
        Expr::AggregateFunction(_) => AGGREGATE_CALL,
        Expr::WindowFunction(_) => WINDOW_CALL,
        Expr::Case(_) => CASE,
        Expr::InList(_) => IN_LIST,
        Expr::Between(_) => BETWEEN,
        Expr::Like(_) | Expr::SimilarTo(_) => PATTERN,
        Expr::OuterReferenceColumn(..) => OUTER,
        expr if expressions::subquery_of(expr).is_some() => SUBQUERY,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
