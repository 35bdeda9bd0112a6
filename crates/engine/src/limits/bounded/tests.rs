#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

use super::growth::{Growth, growth};
use super::*;
use crate::testing::small_engine;

fn context() -> SessionContext {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    bound(&mut state, |_| false).unwrap();
    SessionContext::new_with_state(state)
}

async fn run(sql: &str) -> Result<String> {
    let batches = context().sql(sql).await?.collect().await?;
    Ok(arrow::util::pretty::pretty_format_batches(&batches)?.to_string())
}

/// The functions that a query may call, by name: DataFusion's, and the engine's own.
fn functions_of_queries() -> HashMap<String, Arc<ScalarUDF>> {
    let directory = tempfile::tempdir().unwrap();
    let engine = small_engine(directory.path());
    engine.base.scalar_functions().clone()
}

/// A function that is not classified may be the next one through which a query takes all memory.
#[test]
fn every_scalar_function_is_classified() {
    let functions = functions_of_queries();
    let mut unknown: Vec<String> = functions
        .values()
        .map(|function| function.name().to_owned())
        .filter(|name| growth(name).is_none())
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    assert!(
        unknown.is_empty(),
        "say in growth.rs how large their results may be: {unknown:?}"
    );
}

#[test]
fn functions_that_grow_are_wrapped_by_all_their_names() {
    let functions = functions_of_queries();
    let mut unwrapped: Vec<&str> = functions
        .iter()
        .filter(|(_, function)| {
            matches!(growth(function.name()), Some(Growth::Grows(_)))
                && !function.inner().is::<Bounded>()
        })
        .map(|(name, _)| name.as_str())
        .collect();
    unwrapped.sort_unstable();
    // These call `check_series` themselves.
    assert_eq!(unwrapped, ["generate_series", "range"]);
}

/// Functions that take lambdas do not grow by themselves: the functions in a lambda make its
/// results.
#[test]
fn functions_of_lambdas_are_those_that_were_looked_at() {
    let state = context().state();
    let mut names: Vec<&str> = state
        .higher_order_functions()
        .values()
        .map(|function| function.name())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        [
            "array_any_match",
            "array_filter",
            "array_first",
            "array_transform"
        ]
    );
}

#[test]
fn aggregates_that_gather_values_are_those_whose_state_is_counted() {
    let state = context().state();
    let mut names: Vec<&str> = state
        .aggregate_functions()
        .values()
        .map(|function| function.name())
        .filter(|name| name.contains("agg") || name.contains("percentile"))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        [
            "approx_percentile_cont",
            "approx_percentile_cont_with_weight",
            "array_agg",
            "percentile_cont",
            "string_agg",
        ]
    );
}

const TABLE: &str =
    "(SELECT 'abcdefgh' || CAST(v AS varchar) AS x, v FROM generate_series(1, 8000) t(v)) t";

/// Each call is an error that says how large a result may be.
async fn are_refused(calls: impl IntoIterator<Item = String>) {
    for call in calls {
        let error = lakegate_error::from_engine(run(&format!("SELECT {call}")).await.unwrap_err());
        assert_eq!(error.code(), Code::ResultTooLarge, "{call}: {error}");
        assert!(error.message().contains("are the most"), "{call}: {error}");
    }
}

// The constants of the first two tests are folded while planning.
#[tokio::test]
async fn constants_that_explode_are_refused_before_they_are_made() {
    are_refused([
        "repeat('x', 1500000000)".to_owned(),
        "repeat('x', 2000000000)".to_owned(),
        "repeat('x', 9223372036854775807)".to_owned(),
        "lpad('x', 2000000000)".to_owned(),
        "rpad('x', 2000000000, 'ab')".to_owned(),
        "lpad('x', 50000000, 'ü')".to_owned(),
        "array_repeat(1, 2147483647)".to_owned(),
        "array_repeat(array_repeat(1, 100000), 100000)".to_owned(),
        "array_repeat(NULL, 2000000000)".to_owned(),
        "list_repeat(1, 2147483647)".to_owned(),
        "array_resize([1], 2000000000, 0)".to_owned(),
        "list_resize([1], 2000000000)".to_owned(),
        "replace(repeat('x', 1000000), 'x', repeat('y', 1000000))".to_owned(),
        "replace(repeat('x', 1000000), '', repeat('y', 1000000))".to_owned(),
        "regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000000), 'g')".to_owned(),
        "regexp_replace(repeat('x', 1000000), '(x+)', repeat('\\1', 1000), 'g')".to_owned(),
        "translate(repeat('x', 30000000), 'x', '😀')".to_owned(),
        "array_to_string(array_repeat('x', 1000000), repeat('y', 1000000))".to_owned(),
        "array_to_string([[1, 2], [3, 4]], repeat('y', 34000000))".to_owned(),
        "array_join(array_repeat(NULL, 1000000), ',', repeat('y', 1000000))".to_owned(),
    ])
    .await;
}

#[tokio::test]
async fn large_constants_are_not_put_together() {
    let big = "repeat('x', 34000000)";
    are_refused([
        format!("concat({big}, {big})"),
        format!("concat_ws({big}, 'a', 'b', 'c')"),
        format!("{big} || {big}"),
        format!("'a' || 'b' || {big} || {big}"),
        format!("encode({big}, 'hex')"),
        format!("overlay({big} placing {big} from 1)"),
        format!("make_array({big}, {big})"),
        format!("[{big}, {big}]"),
        format!("array_append([{big}], {big})"),
        format!("array_concat([{big}], [{big}])"),
        format!("[{big}] || [{big}]"),
        "string_to_array(repeat('x', 6000000), 'x')".to_owned(),
        format!("regexp_match({big}, '((((((x+))))))')"),
        format!("struct({big}, {big})"),
        format!("map([1, 2], [{big}, {big}])"),
        "to_char(DATE '2024-01-01', repeat('%c', 20000000))".to_owned(),
    ])
    .await;
}

#[tokio::test]
async fn columns_that_explode_are_refused_before_they_are_made() {
    are_refused([
        format!("sum(length(repeat(x, 100000))) FROM {TABLE}"),
        format!("sum(length(lpad(x, 100000))) FROM {TABLE}"),
        format!("sum(length(replace(x, 'a', repeat('y', 100000)))) FROM {TABLE}"),
        format!("sum(length(regexp_replace(repeat(x, 3), '[a-h]', repeat('y', 5000), 'g'))) FROM {TABLE}"),
        format!(
            "sum(length(regexp_replace(repeat(x, 400), '(.*)', repeat('\\1', 20)))) FROM {TABLE}"
        ),
        format!(
            "sum(length(regexp_replace(repeat(x, 400), '(.*)', repeat('\\1', 20) || left(x, 0)))) FROM {TABLE}"
        ),
        format!("sum(length(x || repeat('y', 100000))) FROM {TABLE}"),
        format!("sum(length(concat(x, repeat('y', 100000)))) FROM {TABLE}"),
        format!("sum(cardinality(array_repeat(x, CAST(v AS bigint)))) FROM {TABLE}"),
        format!("sum(cardinality(array_resize([x], 100000, x))) FROM {TABLE}"),
        format!("sum(length(array_to_string([x, x, x], repeat('y', 100000)))) FROM {TABLE}"),
    ])
    .await;
}

#[tokio::test]
async fn values_do_not_double_without_end() {
    let mut sql = format!("WITH a0 AS (SELECT x FROM {TABLE})");
    for level in 1..40 {
        sql += &format!(
            ", a{level} AS (SELECT x || x AS x FROM a{} LIMIT 8000)",
            level - 1
        );
    }
    sql += " SELECT max(length(x)) FROM a39";
    let error = lakegate_error::from_engine(run(&sql).await.unwrap_err());
    assert_eq!(error.code(), Code::ResultTooLarge, "{error}");
}

#[tokio::test]
async fn honest_values_are_made_as_before() {
    for (sql, shown) in [
        ("SELECT repeat('ab', 3)", "ababab"),
        ("SELECT length(repeat('x', 60000000))", "60000000"),
        ("SELECT lpad('7', 3, '0') || rpad('a', 2, 'é')", "007aé"),
        ("SELECT 'a' || NULL || 'c' IS NULL", "true"),
        ("SELECT 'a' || 1 || 'c'", "a1c"),
        ("SELECT concat('a', NULL, 'c')", "ac"),
        ("SELECT concat_ws('-', 'a', NULL, 'c')", "a-c"),
        ("SELECT replace('aXbX', 'X', 'yy')", "ayybyy"),
        (
            "SELECT regexp_replace('foobar', 'o(.)', '<\\1>')",
            "f<o>bar",
        ),
        ("SELECT [1] || 2 || [3]", "[1, 2, 3]"),
        ("SELECT array_repeat(NULL, 2)", "[, ]"),
        ("SELECT array_resize([1], 3, 9)", "[1, 9, 9]"),
        (
            "SELECT array_to_string([[1], [2, NULL]], '-', '?')",
            "1-2-?",
        ),
        ("SELECT encode('ab', 'hex')", "6162"),
        ("SELECT string_to_array('a,b', ',')", "[a, b]"),
        (
            "SELECT sum(length(repeat(x, 100))) FROM (SELECT 'abcdefgh' AS x FROM generate_series(1, 8000)) t",
            "6400000",
        ),
        (
            "SELECT y FROM (SELECT x || '-' || x AS y, count(*) FROM (VALUES ('a'), (NULL)) t(x) GROUP BY x || '-' || x HAVING count(*) > 0) s WHERE y IS NOT NULL",
            "a-a",
        ),
    ] {
        let found = run(sql).await.unwrap_or_else(|error| error.to_string());
        assert!(found.contains(shown), "{sql}: {found}");
    }
}

#[tokio::test]
async fn columns_keep_the_names_of_their_operators() {
    let shown = run("SELECT x || 'a' || x FROM (VALUES ('b')) t(x)")
        .await
        .unwrap();
    assert!(shown.contains("t.x || Utf8(\"a\") || t.x"), "{shown}");
}
