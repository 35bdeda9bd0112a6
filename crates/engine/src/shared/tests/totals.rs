//! Aggregates without keys that differ in conditions of joins.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_of_all_rows_of_a_join_are_computed_once() {
    let functions = "count(*) AS n, count(t.a) AS m, sum(t.a) AS s, min(u.a) AS l, max(u.a) AS v";
    let joined = "FROM t JOIN u ON t.b = u.b WHERE u.k > 0";
    let of = |functions: &str, conditions: &[&str]| {
        let each = conditions.iter().enumerate();
        let each = each.map(|(number, condition)| {
            format!("(SELECT {functions} {joined} AND {condition}) r{number}")
        });
        let each: Vec<String> = each.collect();
        format!("SELECT * FROM {}", each.join(", "))
    };
    let outer = |k: i32| {
        format!("(SELECT count(u.a) AS n FROM t LEFT JOIN u ON t.b = u.b WHERE t.k = {k}) r{k}")
    };
    let queries = [
        // No row meets one of the conditions.
        (3, of(functions, &["t.k = 1", "t.k IN (2, 3)", "t.k = 99"])),
        (
            2,
            of(
                functions,
                &["t.k = 1 AND t.a < 9", "t.k = 1 AND t.a > 3 AND t.a < 12"],
            ),
        ),
        (
            2,
            of(
                "count(*) AS n",
                &["t.k = 1 AND t.a < 9", "t.k = 2 AND t.a > 3"],
            ),
        ),
        // One has all rows, and the functions differ.
        (2, of(functions, &["t.k = 1", "true"])),
        (
            2,
            format!(
                "SELECT * FROM (SELECT count(*) AS n {joined} AND t.k = 1) x, (SELECT sum(t.a) AS s {joined} AND t.k = 2) y"
            ),
        ),
        (2, format!("SELECT * FROM {}, {}", outer(1), outer(2))),
        (
            2,
            format!(
                "SELECT t.k FROM t WHERE t.a > (SELECT min(t.a) {joined} AND t.k = 1) AND t.a < (SELECT max(t.a) {joined} AND t.k = 2)"
            ),
        ),
        // Rows of two conditions would meet.
        (
            0,
            of(functions, &["t.k = 1 AND u.a = 3", "t.k = 2 AND u.a = 4"]),
        ),
        // Calls and conditions that may fail, and values that count once.
        (0, of("sum(t.a / u.k) AS s", &["t.k = 1", "t.k = 2"])),
        (0, of(functions, &["10 / (t.k + 1) = 2", "t.k = 2"])),
        (
            0,
            of(
                "count(DISTINCT t.a) AS n, sum(t.a) AS s",
                &["t.k = 1", "t.k = 2"],
            ),
        ),
    ];
    let context = session();
    for (count, sql) in queries {
        let expected = apart(&context, &sql).await;
        let plan = physical(&context, &sql, LARGE).await;
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        assert_eq!(readers(&plan), count, "{sql}\n{shown}");
        let rows = try_rows(&context, plan).await.unwrap();
        assert_eq!(rows, expected, "{sql}\n{shown}");
    }
}
