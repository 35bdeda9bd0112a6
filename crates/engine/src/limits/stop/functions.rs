//! Functions whose time is not linear in the length of their arguments. Some compare each part of
//! one argument with each part of the other within one call, for minutes if both have a megabyte;
//! others build a key for each item of a list.
//!
//! They are called for a few rows at a time and check in between whether to stop. Work that is too
//! long for one row is an error.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::length::length;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, FieldRef, UInt64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use lakegate_error::{Code, Error};

use super::check;
use super::linear::{LINEAR, linear};
use super::matches::{BoundedMatches, is_small};
use super::patterns::{self, SEARCHES};
use crate::arrays::containment;
use crate::plans::scalars::as_the_inner;

/// Functions whose time is the product of the lengths of their first two arguments, texts or lists.
const PRODUCTS: [&str; 3] = ["levenshtein", "array_has_all", "array_has_any"];

/// Functions that build a key for each item of their lists.
const SETS: [&str; 5] = [
    "array_distinct",
    "array_except",
    "array_intersect",
    "array_sort",
    "array_union",
];

/// Comparisons in one call, some tenths of a second.
const STEPS_OF_CALL: u64 = 20_000_000;

/// Comparisons allowed for one row; more is an error.
const STEPS_OF_ROW: u64 = 100_000_000;

/// Comparisons that take as long as building the key of one text.
const STEPS_OF_KEY: u64 = 50;

/// Makes these functions, and searches for patterns, stoppable.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub fn stoppable_functions(state: &mut SessionState) -> Result<()> {
    let searches = SEARCHES.map(|name| (name, Kind::Search));
    let products = PRODUCTS.map(|name| (name, Kind::Product));
    let sets = SETS.map(|name| (name, Kind::Set));
    for (name, kind) in products.into_iter().chain(sets).chain(searches) {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(InParts { inner, kind })))?;
        }
    }
    for name in LINEAR {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            state.register_udf(linear(inner))?;
        }
    }
    if let Some(search) = state.scalar_functions().get("regexp_like").cloned() {
        state.add_analyzer_rule(Arc::new(BoundedMatches { search }));
    }
    Ok(())
}

/// Makes a call stoppable that the planner puts in place of an operator, such as `@>`.
pub(super) fn stoppable_call(mut call: ScalarFunction) -> Transformed<Expr> {
    let is_product = PRODUCTS.contains(&call.func.name()) && !call.func.inner().is::<InParts>();
    if is_product {
        call.func = Arc::new(ScalarUDF::new_from_impl(InParts {
            inner: call.func,
            kind: Kind::Product,
        }));
    }
    Transformed::new_transformed(Expr::ScalarFunction(call), is_product)
}

/// What the work of a function consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Comparing each part of one argument with each part of the other.
    Product,
    /// Building a key for each item of the lists.
    Set,
    /// Searching a text for a pattern.
    Search,
}

#[derive(Debug)]
struct InParts {
    inner: Arc<ScalarUDF>,
    kind: Kind,
}

impl PartialEq for InParts {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for InParts {}

impl Hash for InParts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for InParts {
    as_the_inner!();

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // DataFusion turns searches into operators, which are not measured.
        let search = self.kind == Kind::Search;
        if search && !args.get(1).is_some_and(is_small) {
            return Ok(ExprSimplifyResult::Original(args));
        }
        self.inner.simplify(args, info)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        check()?;
        let steps = match self.kind {
            Kind::Product => products(&args)?,
            Kind::Set => keys(&args)?,
            Kind::Search => return self.searches(args),
        };
        self.counted(args, steps)
    }
}

impl InParts {
    /// Evaluates a call in parts. `steps` has the comparisons of each row, if known.
    fn counted(&self, args: ScalarFunctionArgs, steps: Option<Vec<u64>>) -> Result<ColumnarValue> {
        let Some(steps) = steps else {
            return self.called(args);
        };
        if let Some(most) = steps.iter().max().filter(|most| **most > STEPS_OF_ROW) {
            return Err(Error::new(
                Code::InvalidParameter,
                format!(
                    "{} would take {most} comparisons for one row; {STEPS_OF_ROW} are the most",
                    self.inner.name()
                ),
            )
            .with_hint("pass shorter values, such as left(…, 5000)")
            .into());
        }
        if steps.iter().fold(0u64, |all, row| all.saturating_add(*row)) <= STEPS_OF_CALL {
            return self.called(args);
        }
        self.in_parts(&args, steps.len(), |first| {
            rows_of_part(steps.get(first..).unwrap_or_default())
        })
    }

    fn called(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.inner.name() {
            name @ ("array_has_all" | "array_has_any") => {
                containment::of_lists(name, args, |args| self.inner.invoke_with_args(args))
            }
            _ => self.inner.invoke_with_args(args),
        }
    }

    fn searches(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(lengths) = patterns::lengths(self.inner.name(), &args)? else {
            return self.inner.invoke_with_args(args);
        };
        if patterns::rows_of_part(&lengths) >= lengths.len() {
            return self.called(args);
        }
        self.in_parts(&args, lengths.len(), |first| {
            patterns::rows_of_part(lengths.get(first..).unwrap_or_default())
        })
    }

    /// Calls the function for some rows at a time, and checks in between whether to stop.
    /// `rows_from` returns how many rows one call takes, starting at the given row.
    fn in_parts(
        &self,
        args: &ScalarFunctionArgs,
        all: usize,
        rows_from: impl Fn(usize) -> usize,
    ) -> Result<ColumnarValue> {
        let mut parts = Vec::new();
        let mut first = 0;
        while first < all {
            check()?;
            let rows = rows_from(first).max(1);
            let part = ScalarFunctionArgs {
                args: args
                    .args
                    .iter()
                    .map(|arg| sliced(arg, first, rows))
                    .collect(),
                arg_fields: args.arg_fields.clone(),
                number_rows: rows,
                return_field: Arc::clone(&args.return_field),
                config_options: Arc::clone(&args.config_options),
            };
            parts.push(self.called(part)?.into_array(rows)?);
            first += rows;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

/// Returns how many of these rows one call takes, at least one.
fn rows_of_part(steps: &[u64]) -> usize {
    let mut all = 0u64;
    let within = steps.iter().take_while(|row| {
        all = all.saturating_add(**row);
        all <= STEPS_OF_CALL
    });
    within.count().max(1)
}

fn sliced(arg: &ColumnarValue, first: usize, rows: usize) -> ColumnarValue {
    match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(first, rows)),
        scalar => scalar.clone(),
    }
}

/// Returns the number of rows; 1 if all arguments are constant.
fn rows(args: &ScalarFunctionArgs) -> usize {
    let is_array = |arg: &ColumnarValue| matches!(arg, ColumnarValue::Array(_));
    if args.args.iter().any(is_array) {
        args.number_rows
    } else {
        1
    }
}

/// Returns the comparisons that take as long as the keys of each row's lists.
fn keys(args: &ScalarFunctionArgs) -> Result<Option<Vec<u64>>> {
    let mut steps = vec![0u64; rows(args)];
    for arg in &args.args {
        // Text arguments are the options of sorting.
        if arg.data_type().is_string() {
            continue;
        }
        let Some(lengths) = lengths(arg, steps.len())? else {
            return Ok(None);
        };
        for (steps, length) in steps.iter_mut().zip(lengths) {
            *steps = steps.saturating_add(length.saturating_mul(STEPS_OF_KEY));
        }
    }
    Ok(Some(steps))
}

/// Returns the comparisons of each row; `None` if the arguments are not two texts or two lists.
fn products(args: &ScalarFunctionArgs) -> Result<Option<Vec<u64>>> {
    let [one, other, ..] = args.args.as_slice() else {
        return Ok(None);
    };
    let rows = rows(args);
    let (Some(one), Some(other)) = (lengths(one, rows)?, lengths(other, rows)?) else {
        return Ok(None);
    };
    let pairs = one.iter().zip(&other);
    Ok(Some(
        pairs
            .map(|(one, other)| one.saturating_mul(*other))
            .collect(),
    ))
}

fn lengths(value: &ColumnarValue, rows: usize) -> Result<Option<Vec<u64>>> {
    let (array, repeated): (ArrayRef, bool) = match value {
        ColumnarValue::Array(array) => (Arc::clone(array), false),
        ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
    };
    let Ok(lengths) = length(&array) else {
        return Ok(None);
    };
    let lengths = cast(&lengths, &DataType::UInt64)?;
    let lengths = lengths.as_primitive::<UInt64Type>();
    let of = |row: usize| {
        if lengths.is_null(row) {
            0
        } else {
            lengths.value(row)
        }
    };
    Ok(Some(match repeated {
        true if lengths.is_empty() => Vec::new(),
        true => vec![of(0); rows],
        false => (0..lengths.len()).map(of).collect(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, Instant};

    use datafusion::prelude::SessionContext;

    use super::*;

    fn context() -> SessionContext {
        let mut state = SessionContext::new().state();
        crate::text::posix::register(&mut state).unwrap();
        stoppable_functions(&mut state).unwrap();
        SessionContext::new_with_state(state)
    }

    async fn shown(sql: &str) -> Result<String> {
        let batches = context().sql(sql).await?.collect().await?;
        Ok(arrow::util::pretty::pretty_format_batches(&batches)?.to_string())
    }

    #[tokio::test]
    async fn values_are_as_without_parts() {
        for sql in [
            "SELECT levenshtein('kitten', 'sitting'), levenshtein(NULL, 'a')",
            "SELECT value, levenshtein(repeat('ab', 3000 + CAST(value AS int)), repeat('ac', 3000)) FROM generate_series(1, 9) ORDER BY value",
            "SELECT array_has_all([1, 2, 3], [1, 3]), array_has_any([1], [2, 3])",
            "SELECT value, array_has_all(range(0, 8000 + value), range(value, 8000)) FROM generate_series(1, 4) ORDER BY value",
            "SELECT value, range(0, 8000 + value) @> range(value, 8000), range(value, value + 2) <@ range(0, 4) FROM generate_series(1, 4) ORDER BY value",
            "SELECT value, cardinality(array_union(range(0, 200000 + value), range(value, 200000))), cardinality(array_except(range(0, 200000), range(value, 200000))), array_distinct(make_array(value, 1, NULL)) FROM generate_series(1, 4) ORDER BY value",
            "SELECT value, array_sort(make_array(value, 3, NULL), 'DESC', 'NULLS LAST'), array_sort(CASE WHEN value < 3 THEN make_array(3, value) END), array_intersect(range(0, 300000), range(299998, 400000)) FROM generate_series(1, 4) ORDER BY value",
        ] {
            let plain = SessionContext::new().sql(sql).await.unwrap();
            let plain = plain.collect().await.unwrap();
            let plain = arrow::util::pretty::pretty_format_batches(&plain).unwrap();
            assert_eq!(shown(sql).await.unwrap(), plain.to_string(), "{sql}");
        }
    }

    /// Long values take another path than short ones, and return the same.
    #[tokio::test]
    async fn searches_are_as_the_engines() {
        let context = context();
        let text = "repeat('ab cä\nd', 9000)";
        for sql in [
            "SELECT md5(regexp_replace({}, '(a)(b)?', '[\\2\\1]', 'g')), regexp_count({}, 'a|c'), regexp_like({}, '(ab ){1,3}\\w{1,10}z')",
            "SELECT md5(regexp_replace({}, 'A', 'x', 'gi')), md5(regexp_replace({}, 'A', 'x', 'i')), regexp_count({}, 'A', 5, 'i')",
            "SELECT regexp_match({}, '(b)\\s+(\\w)'), {} ~ '\\w{3,20}', {} !~* 'B C', {} LIKE '%b c%b%', {} NOT SIMILAR TO '\\w{20}'",
            "SELECT value, regexp_count(repeat('ab', 3000 * CAST(value AS int)), 'ab'), regexp_replace(repeat('ab', 9000 * CAST(value AS int)), '(ab)+', CAST(value AS varchar), 'g') FROM generate_series(0, 5) ORDER BY value",
            "SELECT value, 'aXb' ~ concat('X', CASE WHEN value = 1 THEN 'b' ELSE '$' END), 'aXb' LIKE concat('%', CAST(value AS varchar)) FROM generate_series(0, 5) ORDER BY value",
            "SELECT regexp_replace(NULL, 'a', 'b', 'g'), regexp_count(NULL, 'a'), regexp_like({}, NULL), NULL ~ 'a'",
        ] {
            let sql = sql.replace("{}", text);
            let plain = SessionContext::new().sql(&sql).await.unwrap();
            let plain = plain.collect().await.unwrap();
            let plain = arrow::util::pretty::pretty_format_batches(&plain).unwrap();
            let ours = context.sql(&sql).await.unwrap().collect().await.unwrap();
            let ours = arrow::util::pretty::pretty_format_batches(&ours).unwrap();
            assert_eq!(ours.to_string(), plain.to_string(), "{sql}");
        }
    }

    #[tokio::test]
    async fn what_would_take_minutes_is_an_error_at_once() {
        let before = Instant::now();
        for sql in [
            "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))",
            "SELECT array_has_all(range(0, 1000000), range(1, 1000000))",
            "SELECT range(0, 1000000) @> range(1, 1000000)",
            "SELECT range(0, 1000000) <@ range(1, 1000000)",
            "SELECT array_sort(range(0, 2100000))",
            "SELECT array_union(range(0, 1100000), range(1, 1100000))",
            "SELECT regexp_like(repeat('ab', 2000000), '(\\w{1,50}\\s?){1,40}\\d')",
            "SELECT repeat('ab', 2000000) ~* '(\\w{1,50}\\s?){1,40}\\d'",
            "SELECT regexp_match(repeat('ab', 2000000), '(([ab]{1,250})+x?){1,10}c')",
            "SELECT repeat('a', 5000000) LIKE repeat('%a', 20000) || 'b'",
        ] {
            let error = shown(sql).await.unwrap_err().to_string();
            let refused = error.contains("are the most") || error.contains("would take too long");
            assert!(refused, "{sql}: {error}");
        }
        // Far less than it would take to the end, even on a busy machine.
        assert!(before.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn searches_stop_within_one_text() {
        let stop = Arc::new(super::super::Stop::default());
        let stopping = Arc::clone(&stop);
        let timer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            stopping.stop(Error::new(Code::QueryCancelled, "stopped"));
        });
        let entered = stop.enter();
        let before = Instant::now();
        let sql = "SELECT length(regexp_replace(repeat('ab', 900000), '.*c|a', '', 'g'))";
        let error = shown(sql).await.unwrap_err().to_string();
        drop(entered);
        timer.join().unwrap();
        assert!(error.contains("stopped"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(3));
    }
}
