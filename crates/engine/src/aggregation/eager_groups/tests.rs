#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use lakegate_error::{Code, from_engine};

use super::*;
use crate::numbers::checked::CheckedIntegers;
use crate::optimize::physical_rules;
use crate::testing::{Random, sorted_lines};

/// Stands in the place of the rule. Groups at a place of this number, whatever estimates say; or not
/// at all.
#[derive(Debug)]
struct Instead {
    choice: Option<usize>,
    /// Plans that changed.
    moved: Arc<AtomicUsize>,
}

impl PhysicalOptimizerRule for Instead {
    fn optimize(&self, plan: Operator, _: &ConfigOptions) -> Result<Operator> {
        let shown = |plan: &Operator| displayable(plan.as_ref()).indent(false).to_string();
        let before = shown(&plan);
        let choose = |way: &Way<'_>| {
            let places: Vec<usize> = way.candidates().collect();
            let choice = self.choice?.checked_rem(places.len())?;
            places.get(choice).copied()
        };
        let plan = each_aggregation(plan, &choose)?;
        let is_moved = shown(&plan) != before;
        self.moved
            .fetch_add(usize::from(is_moved), Ordering::Relaxed);
        Ok(plan)
    }

    fn name(&self) -> &str {
        "instead_of_eager_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Rows of a batch where tables are small, so that several partitions have some.
const FEW: usize = 4;

/// Rows of a batch where tables are files.
const MANY: usize = 8192;

/// A session with the rule, or with what stands in its place.
fn session(partitions: usize, batch: usize, instead: Option<Instead>) -> SessionContext {
    let mut rules = physical_rules();
    let place = rules.iter().position(|rule| rule.name() == "eager_groups");
    if let Some(instead) = instead {
        rules[place.unwrap()] = Arc::new(instead);
    }
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch);
    let execution = &mut config.options_mut().execution;
    execution.collect_statistics = true;
    if batch == FEW {
        // Partial aggregates let rows pass.
        execution.skip_partial_aggregation_probe_rows_threshold = 1;
    }
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_analyzer_rule(Arc::new(CheckedIntegers))
        .with_physical_optimizer_rules(rules)
        .build();
    crate::aggregation::sum::register(&mut state).unwrap();
    crate::aggregation::sum::register_spreads(&mut state).unwrap();
    SessionContext::new_with_state(state)
}

/// A session that groups at a place of this number, and the count of plans that changed.
fn chosen(partitions: usize, choice: Option<usize>) -> (SessionContext, Arc<AtomicUsize>) {
    let moved = Arc::new(AtomicUsize::new(0));
    let instead = Instead {
        choice,
        moved: Arc::clone(&moved),
    };
    (session(partitions, FEW, Some(instead)), moved)
}

async fn run(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let batches = context.sql(sql).await?.collect().await?;
    Ok(sorted_lines(&batches))
}

/// A table of random keys, numbers and texts, some of them NULL.
fn table(random: &mut Random, number: usize) -> String {
    let count = 1 + random.below(12);
    let rows = (0..count).map(|row| {
        let mut whole = |most: usize| match random.below(5) {
            0 => "CAST(NULL AS BIGINT)".to_owned(),
            _ => format!("CAST({} AS BIGINT)", random.below(most)),
        };
        let numbers = [whole(4), whole(4), whole(20)].join(", ");
        let text = match random.below(5) {
            0 => "CAST(NULL AS VARCHAR)".to_owned(),
            text => format!("'text {text}'"),
        };
        format!("({numbers}, {text}, CAST({row}.25 AS DECIMAL(9, 2)))")
    });
    let rows: Vec<String> = rows.collect();
    let rows = rows.join(", ");
    format!("(VALUES {rows}) t{number}(a, b, v, w, m)")
}

/// A query that groups joined tables, of which one has the arguments of the functions.
fn query(random: &mut Random) -> String {
    let count = 2 + random.below(3);
    let mut from = table(random, 0);
    for number in 1..count {
        let kind = ["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN"][random.below(4)];
        let other = random.below(number);
        let (one, two) = (["a", "b"][random.below(2)], ["a", "b"][random.below(2)]);
        let next = table(random, number);
        write!(from, " {kind} {next} ON t{other}.{one} = t{number}.{two}").unwrap();
        if random.below(3) == 0 {
            write!(from, " AND t{other}.v <= t{number}.v").unwrap();
        }
    }
    let mut conditions = Vec::new();
    if random.below(2) == 0 {
        let not = ["", "NOT "][random.below(2)];
        let looked_up = table(random, count);
        let of = random.below(count);
        conditions.push(format!(
            "{not}EXISTS (SELECT 1 FROM {looked_up} WHERE t{count}.a = t{of}.b)"
        ));
    }
    if random.below(3) == 0 {
        conditions.push(format!("t{}.v < 15", random.below(count)));
    }
    let filter = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let mut keys = vec![format!("t{}.w", random.below(count))];
    for _ in 0..random.below(3) {
        keys.push(match random.below(3) {
            0 => format!("t{}.a", random.below(count)),
            1 => format!("t{}.w", random.below(count)),
            _ => format!("t{}.a + t{}.b", random.below(count), random.below(count)),
        });
    }
    keys.sort();
    keys.dedup();
    let keys = keys.join(", ");
    let grouped = match random.below(6) {
        0 => format!("ROLLUP ({keys})"),
        1 => format!("CUBE ({keys})"),
        2 => format!("GROUPING SETS (({keys}), (), ())"),
        _ => keys.clone(),
    };
    let f = format!("t{}", random.below(count));
    let functions = match random.below(5) {
        0 => "count(*)".to_owned(),
        1 => format!("sum({f}.v), avg({f}.m), stddev({f}.v), var_pop({f}.m)"),
        // A projection computes what they have in common.
        2 => format!(
            "sum({f}.m * {f}.m), max({f}.m * {f}.m), count(CASE WHEN {f}.m * {f}.m > 9 THEN 1 END)"
        ),
        _ => format!(
            "count(*), count({f}.v), sum({f}.v), min({f}.v), max({f}.m), sum({f}.m), avg({f}.m),
             sum(CASE WHEN {f}.v > 5 THEN {f}.m END), count({f}.v) FILTER (WHERE {f}.v > 3)"
        ),
    };
    format!("SELECT {keys}, {functions} FROM {from}{filter} GROUP BY {grouped}")
}

#[tokio::test]
async fn rows_are_the_same_wherever_they_are_grouped() {
    let (mut moved, mut found) = (0, 0);
    for seed in 1..80 {
        let sql = query(&mut Random::new(seed));
        let (plain, _) = chosen(2, None);
        let expected = run(&plain, &sql).await.unwrap();
        found += expected.len();
        for choice in 0..3 {
            for partitions in [1, 3] {
                let (context, changes) = chosen(partitions, Some(choice));
                let rows = run(&context, &sql).await.unwrap();
                assert_eq!(rows, expected, "{choice}: {sql}");
                moved += changes.load(Ordering::Relaxed);
            }
        }
    }
    assert!(found > 150, "{found} rows");
    assert!(moved > 150, "{moved} plans changed");
}

#[tokio::test]
async fn sums_fail_only_where_a_group_of_the_result_does_not_fit() {
    let rows = |others: &str, names: &str| {
        format!(
            "SELECT n.w, sum(f.v) FROM (VALUES (1, 9223372036854775807), (1, 1), (2, 5){others}) f(k, v)
             JOIN (VALUES {names}) n(k, w) ON f.k = n.k GROUP BY n.w"
        )
    };
    let dropped = rows("", "(2, 'two'), (3, 'three')");
    let fits = rows(", (1, -1)", "(1, 'one'), (2, 'two')");
    let fails = rows("", "(1, 'one'), (2, 'two')");
    // Each of the rows is there twice.
    let doubled = rows(", (1, -1)", "(1, 'one'), (1, 'one')");
    for choice in [None, Some(0)] {
        let (context, moved) = chosen(2, choice);
        assert_eq!(run(&context, &dropped).await.unwrap(), ["two|5|"]);
        let largest = "one|9223372036854775807|";
        assert_eq!(run(&context, &fits).await.unwrap(), [largest, "two|5|"]);
        for sql in [&fails, &doubled] {
            let error = from_engine(run(&context, sql).await.unwrap_err());
            assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}: {error}");
        }
        let expected = if choice.is_some() { 4 } else { 0 };
        assert_eq!(moved.load(Ordering::Relaxed), expected);
    }
}

/// Facts, their names and their days in files, whose bounds are known. Each of 1000 keys has 40
/// facts, and each of 101 days about 400.
async fn files(context: &SessionContext, directory: &tempfile::TempDir) {
    let facts = "SELECT value % 1000 AS k, value % 3 AS y, value AS n, value / 400 AS t,
        CAST(value % 100 AS DECIMAL(7, 2)) AS d, CAST(value % 7 AS DECIMAL(7, 2)) AS e
        FROM generate_series(1, 40000)";
    let names = "SELECT value AS k, 'name ' || CAST(value / 2 AS VARCHAR) AS w, value % 10 AS p,
        value % 20 AS q, value % 30 AS r FROM generate_series(0, 999)";
    let days = "SELECT value AS t, value / 10 AS year FROM generate_series(0, 100)";
    let extremes = "SELECT value % 1000 AS k, value AS n FROM generate_series(1, 40000)
        UNION ALL SELECT -1, 9223372036854775807";
    for (name, sql) in [
        ("facts", facts),
        ("names", names),
        ("days", days),
        ("extremes", extremes),
    ] {
        let path = directory.path().join(format!("{name}.parquet"));
        let path = path.to_str().unwrap();
        let frame = context.sql(sql).await.unwrap();
        let written = frame.write_parquet(path, DataFrameWriteOptions::new(), None);
        written.await.unwrap();
        let registered = context.register_parquet(name, path, ParquetReadOptions::default());
        registered.await.unwrap();
    }
}

async fn plan(context: &SessionContext, sql: &str) -> String {
    let plan = context.sql(sql).await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(false).to_string()
}

/// Returns whether a first phase of an aggregation is below a join.
fn is_eager(plan: &str) -> bool {
    let join = plan.find("HashJoinExec");
    join.zip(plan.rfind("mode=Partial"))
        .is_some_and(|(join, partial)| join < partial)
}

const JOINED: &str = "FROM facts f JOIN names c ON f.k = c.k";

#[tokio::test]
async fn many_facts_of_few_keys_are_grouped_before_they_get_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let context = session(2, MANY, None);
    files(&context, &directory).await;
    let never = Instead {
        choice: None,
        moved: Arc::default(),
    };
    let plain = session(2, MANY, Some(never));
    files(&plain, &directory).await;
    for sql in [
        format!("SELECT c.w, sum(f.n) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, count(*) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, f.y, avg(f.d), min(f.n), max(f.d) {JOINED} GROUP BY c.w, f.y"),
        format!("SELECT c.w, sum(f.d - f.e) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, stddev(f.n), var_pop(f.d), var(f.y) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, sum(CASE WHEN f.y = 1 THEN f.d END) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, count(f.n) FILTER (WHERE f.y > 1) {JOINED} GROUP BY c.w"),
        format!("SELECT c.p, c.q, c.r, sum(f.n) {JOINED} GROUP BY c.p, c.q, c.r"),
        format!("SELECT upper(c.w), sum(f.n) {JOINED} GROUP BY upper(c.w)"),
        // Numbers from 1 to 40,000 and from 0 to 100.
        format!("SELECT c.w, sum(f.n - f.t), max(2 * f.n + f.t) {JOINED} GROUP BY c.w"),
        format!(
            "SELECT c.w, sum(CASE WHEN f.n - f.t <= 900 THEN 1 ELSE 0 END),
             sum(CASE WHEN f.n - f.t > 900 THEN 1 END), min(f.n - f.t) {JOINED} GROUP BY c.w"
        ),
        format!(
            "SELECT u, y, count(*), sum(v), max(v) FROM (SELECT upper(c.w) AS u, f.y + c.p AS y,
             f.n * f.t AS v {JOINED}) GROUP BY u, y"
        ),
        "SELECT c.w, sum(f.n) FROM facts f LEFT JOIN names c ON f.k = c.k GROUP BY c.w".to_owned(),
        format!("SELECT c.w, f.y, sum(f.n), avg(f.d) {JOINED} GROUP BY ROLLUP (c.w, f.y)"),
        format!(
            "SELECT c.w, c.p, count(*), min(f.n) {JOINED} GROUP BY GROUPING SETS ((c.w), (c.p))"
        ),
        // No facts are left.
        format!(
            "SELECT c.w, count(*), count(f.n), sum(f.n), sum(f.d), avg(f.n), avg(f.d), min(f.n),
             bool_and(f.y = 1) {JOINED} WHERE f.k % 7 <> (f.k + 7) % 7 GROUP BY ROLLUP (c.w)"
        ),
    ] {
        let eager = plan(&context, &sql).await;
        assert!(is_eager(&eager), "{sql}\n{eager}");
        assert!(!is_eager(&plan(&plain, &sql).await), "{sql}");
        let rows = run(&context, &sql).await.unwrap();
        assert_eq!(rows, run(&plain, &sql).await.unwrap(), "{sql}");
    }
}

#[tokio::test]
async fn filters_below_other_joins_tell_how_many_rows_and_groups_there_are() {
    let directory = tempfile::tempdir().unwrap();
    let context = session(2, MANY, None);
    files(&context, &directory).await;
    let grouped = |condition: &str| {
        format!(
            "SELECT c.w, d.year, sum(f.n) FROM facts f JOIN days d ON f.t = d.t
             JOIN names c ON f.k = c.k WHERE {condition} GROUP BY c.w, d.year"
        )
    };
    // Five of eleven years: 18,000 facts, of 5000 groups.
    for condition in [
        "d.year IN (3, 4, 5, 6, 7)",
        "(d.year = 3 OR d.year = 4 OR d.year = 5 OR d.year = 6 OR d.year = 7)",
    ] {
        let sql = grouped(condition);
        let plan = plan(&context, &sql).await;
        assert!(is_eager(&plan), "{plan}");
        assert_eq!(run(&context, &sql).await.unwrap().len(), 2500);
    }
    // Two years: 7000 facts.
    let plan = plan(&context, &grouped("d.year IN (3, 4)")).await;
    assert!(!is_eager(&plan), "{plan}");
}

#[tokio::test]
async fn what_may_overflow_for_dropped_rows_is_computed_above_the_join() {
    let directory = tempfile::tempdir().unwrap();
    let context = session(2, MANY, None);
    files(&context, &directory).await;
    for (argument, expected) in [("f.n", true), ("f.n - 1", true), ("f.n + 1", false)] {
        let sql = format!(
            "SELECT c.w, sum({argument}), max({argument}) FROM extremes f JOIN names c ON f.k = c.k
             GROUP BY c.w"
        );
        let plan = plan(&context, &sql).await;
        assert_eq!(is_eager(&plan), expected, "{sql}\n{plan}");
        assert_eq!(run(&context, &sql).await.unwrap().len(), 500, "{sql}");
    }
}

#[tokio::test]
async fn filters_of_joins_reach_the_scan_below_the_groups() {
    let directory = tempfile::tempdir().unwrap();
    let context = session(2, MANY, None);
    files(&context, &directory).await;
    let sql = format!("SELECT c.w, sum(f.n) {JOINED} GROUP BY c.w");
    let plan = plan(&context, &sql).await;
    let scan = plan.lines().find(|line| line.contains("facts.parquet"));
    assert!(scan.unwrap().contains("DynamicFilter"), "{plan}");
}

#[tokio::test]
async fn other_aggregations_stay() {
    let directory = tempfile::tempdir().unwrap();
    let context = session(2, MANY, None);
    files(&context, &directory).await;
    for sql in [
        // No key comes from the other table, or one that is as fast as the key of the join.
        format!("SELECT f.y, sum(f.n) {JOINED} GROUP BY f.y"),
        format!("SELECT c.p, sum(f.n) {JOINED} GROUP BY c.p"),
        // Arguments of both tables, and such as may fail.
        format!("SELECT c.w, sum(f.n), sum(c.p) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, sum(f.n / f.y) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, sum(CAST(f.n AS SMALLINT)) {JOINED} GROUP BY c.w"),
        format!(
            "SELECT c.w, sum(f.n * 230584300921370), max(f.n * 230584300921370) {JOINED} GROUP BY c.w"
        ),
        format!("SELECT c.w, sum(f.n - c.p), max(f.n - c.p) {JOINED} GROUP BY c.w"),
        // States that depend on the order of rows, and no states.
        format!("SELECT c.w, sum(CAST(f.n AS DOUBLE)) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, stddev(CAST(f.n AS DOUBLE)) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, var(CAST(f.d AS DECIMAL(31, 4))) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, array_agg(f.n) {JOINED} GROUP BY c.w"),
        format!("SELECT c.w, count(DISTINCT f.n), sum(f.n) {JOINED} GROUP BY c.w"),
        format!("SELECT sum(f.n) {JOINED}"),
        // Rows of a side that has none.
        "SELECT c.w, sum(f.n) FROM facts f RIGHT JOIN names c ON f.k = c.k GROUP BY c.w".to_owned(),
        "SELECT c.w, sum(f.n) FROM facts f FULL JOIN names c ON f.k = c.k GROUP BY c.w".to_owned(),
        // Each fact has a key of its own, the join drops most of them, or they are few.
        "SELECT c.w, sum(f.y) FROM facts f JOIN names c ON f.n = c.k GROUP BY c.w".to_owned(),
        format!("SELECT c.w, sum(f.n) {JOINED} AND f.n <= c.k GROUP BY c.w"),
        format!("SELECT c.w, sum(f.n) {JOINED} WHERE c.k < 100 GROUP BY c.w"),
        format!("SELECT c.w, sum(f.n) {JOINED} WHERE f.n <= 4000 GROUP BY c.w"),
    ] {
        let plan = plan(&context, &sql).await;
        assert!(!is_eager(&plan), "{sql}\n{plan}");
    }
}
