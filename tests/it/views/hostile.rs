//! A reader that tries to learn which rows and columns a view leaves out.

use regex::Regex;

use super::{BROKEN, Lake, WHOLE};
use crate::harness::Door;
use crate::hidden::{Mask, answer};

/// Expressions over a view with the columns `id` and `divisor`. Most of them fail for the hidden
/// row of one of the lakes.
const EXPRESSIONS: [&str; 4] = [
    "1 / divisor",
    "CAST(10 / divisor AS smallint)",
    "10 % divisor",
    "CASE WHEN divisor = 0 THEN 1 / divisor ELSE id END",
];

/// As [`EXPRESSIONS`], with `amount` and `doc`.
const OF_TEXTS: [&str; 6] = [
    "CAST(amount AS int)",
    "CAST(amount AS double)",
    "CAST(amount AS date)",
    "json_parse(doc)",
    "json_extract_scalar(doc, '$.a')",
    "chr(CAST(amount AS int))",
];

/// Conditions without columns, which fail for every row. Beside a comparison that goes below the
/// view, they would tell whether a hidden row satisfies it.
const WITHOUT_COLUMNS: [&str; 3] = [
    "1 / 0 = 1",
    "CAST(current_user AS int) = 1",
    "json_parse('{') IS NOT NULL",
];

const COMPARISONS: [&str; 8] = [
    "amount = 'alpha'",
    "amount = '40'",
    "amount > 'a'",
    "amount BETWEEN '3' AND '5'",
    "divisor = 0",
    "divisor = 7",
    "divisor IN (0, 6)",
    "region = 'atlantis'",
];

fn statements() -> Vec<String> {
    let mut queries = Vec::new();
    for (view, condition) in [
        ("v.open", "true"),
        ("v.nested", "true"),
        ("v.some", "id < 100"),
        ("v.ranked", "place < 10"),
        ("v.first", "divisor < 100"),
    ] {
        for expression in EXPRESSIONS {
            queries.push(format!(
                "SELECT {expression} FROM {view} WHERE {condition} ORDER BY 1"
            ));
            queries.push(format!(
                "SELECT id FROM {view} WHERE {condition} AND {expression} >= 0 ORDER BY 1"
            ));
        }
        queries.push(format!("SELECT * FROM {view} ORDER BY id"));
        queries.push(format!("SELECT count(*), max(divisor) FROM {view}"));
        queries.push(format!("SELECT max(1 / divisor) FROM {view}"));
        queries.push(format!(
            "SELECT id FROM {view} ORDER BY 1 / divisor DESC, id LIMIT 1"
        ));
        queries.push(format!(
            "SELECT DISTINCT 1 / divisor FROM {view} ORDER BY 1"
        ));
        queries.push(format!(
            "SELECT a.id FROM {view} a JOIN {view} b ON 10 / a.divisor = 5 * b.divisor ORDER BY 1"
        ));
        queries.push(format!(
            "SELECT id, (SELECT max(1 / b.divisor) FROM {view} b WHERE b.id >= a.id) FROM {view} a ORDER BY id"
        ));
        queries.push(format!(
            "SELECT id FROM {view} a WHERE EXISTS (SELECT 1 FROM {view} b WHERE 2 / b.divisor = a.id) ORDER BY 1"
        ));
        queries.push(format!(
            "SELECT sum(1 / divisor) OVER (ORDER BY id) FROM {view} ORDER BY 1"
        ));
        queries.push(format!(
            "SELECT count(*) FILTER (WHERE 1 / divisor = 1) FROM {view}"
        ));
        queries.push(format!(
            "WITH w AS (SELECT id, 1 / divisor AS q FROM {view}) SELECT q FROM w WHERE q >= 0 ORDER BY q"
        ));
        queries.push(format!(
            "SELECT id FROM {view} UNION ALL SELECT 1 / divisor FROM {view} ORDER BY 1"
        ));
    }
    for expression in OF_TEXTS {
        queries.push(format!("SELECT {expression} FROM v.open ORDER BY id"));
        queries.push(format!(
            "SELECT id FROM v.open WHERE {expression} IS NOT NULL ORDER BY id"
        ));
        queries.push(format!("SELECT count({expression}) FROM v.open"));
    }
    // How a query with comparisons is planned depends on how many files they rule out.
    let mut asked = Vec::new();
    for query in queries.iter().step_by(5) {
        for explain in [
            "EXPLAIN",
            "EXPLAIN VERBOSE",
            "EXPLAIN (FORMAT JSON)",
            "EXPLAIN (TYPE DISTRIBUTED)",
            "EXPLAIN (TYPE IO)",
        ] {
            asked.push(format!("{explain} {query}"));
        }
    }
    for comparison in COMPARISONS {
        queries.push(format!(
            "SELECT id FROM v.everywhere WHERE {comparison} ORDER BY id"
        ));
        for failing in WITHOUT_COLUMNS {
            queries.push(format!(
                "SELECT id FROM v.everywhere WHERE {comparison} AND {failing}"
            ));
        }
        queries.push(format!(
            "SELECT count(*) FROM v.everywhere a LEFT JOIN v.everywhere b ON 1 / 0 = 1 AND b.{comparison}"
        ));
        queries.push(format!(
            "SELECT id FROM (SELECT * FROM v.everywhere WHERE {comparison}) t WHERE 1 / 0 = 1"
        ));
        queries.push(format!(
            "SELECT id FROM (SELECT * FROM v.everywhere WHERE 1 / 0 = 1) t WHERE {comparison}"
        ));
    }
    for query in [
        "SELECT tenth, n FROM v.grouped WHERE tenth = 10",
        "SELECT tenth FROM v.grouped WHERE tenth IN (1, 5) ORDER BY 1",
        "SELECT tenth FROM v.grouped WHERE region = 'atlantis'",
        "SELECT id FROM v.either WHERE amount = '10'",
        "SELECT count(*) FROM v.either WHERE CAST(amount AS int) > 1",
        "SELECT region, count(*) FROM v.everywhere GROUP BY region HAVING 1 / 0 = 1 AND region = 'atlantis'",
        "SELECT DISTINCT region FROM v.everywhere",
        "SELECT id FROM v.open TABLESAMPLE BERNOULLI (100) WHERE 1 / divisor >= 0 ORDER BY id",
    ] {
        queries.push(query.to_owned());
    }
    for query in [
        "SELECT id FROM v.open WHERE amount = 'alpha'",
        "SELECT * FROM v.open",
    ] {
        asked.push(format!("EXPLAIN ANALYZE {query}"));
        asked.push(format!("EXPLAIN ANALYZE VERBOSE {query}"));
    }
    asked.append(&mut queries);
    asked.extend(about_the_views());
    asked
}

/// What is hidden, and the statements that show definitions and change them.
fn about_the_views() -> Vec<String> {
    let mut asked = Vec::new();
    for column in [
        "nickname",
        "clearance",
        "open.nickname",
        "\"$path\"",
        "\"$file_size\"",
        "\"$file_modified_time\"",
        "\"$partition\"",
    ] {
        asked.push(format!("SELECT {column} FROM v.open"));
        asked.push(format!("SELECT *, {column} FROM v.open"));
        asked.push(format!("SELECT id FROM v.open WHERE {column} = 'alpha'"));
        asked.push(format!("SELECT id FROM v.open ORDER BY {column}"));
        asked.push(format!("DESCRIBE v.open {column}"));
        asked.push(format!("GRANT SELECT ({column}) ON TABLE v.open TO eve"));
    }
    asked.push("SELECT amount FROM v.some".to_owned());
    for relation in [
        "v.personnel",
        "v.secret",
        "v.\"personnel$partitions\"",
        "v.\"open$partitions\"",
        "v.\"everywhere$partitions\"",
    ] {
        asked.push(format!("SELECT * FROM {relation}"));
        asked.push(format!("DESCRIBE FORMATTED {relation}"));
        asked.push(format!("SHOW GRANTS ON TABLE {relation}"));
        asked.push(format!("CREATE VIEW {relation} AS SELECT 1 AS x"));
        asked.push(format!(
            "CREATE OR REPLACE VIEW {relation} AS SELECT 1 AS x"
        ));
        asked.push(format!("DROP VIEW {relation}"));
        asked.push(format!(
            "SELECT has_table_privilege('{relation}', 'SELECT')"
        ));
        asked.push(format!("CREATE VIEW v.mine AS SELECT * FROM {relation}"));
    }
    for rest in [
        "SHOW CREATE VIEW v.open",
        "SHOW CREATE TABLE v.open",
        "SHOW TBLPROPERTIES v.open",
        "SHOW COLUMNS IN v.open",
        "SHOW COLUMNS IN v.some",
        "SHOW PARTITIONS v.everywhere",
        "DESCRIBE v.open",
        "DESCRIBE EXTENDED v.open",
        "DESCRIBE FORMATTED v.open",
        "SHOW TABLES IN v",
        "SHOW VIEWS IN v",
        "SHOW GRANTS",
        "CREATE OR REPLACE VIEW v.open AS SELECT 1 AS x",
        "DROP VIEW v.open",
        "ALTER TABLE v.open RENAME TO v.other",
        "ALTER TABLE v.open SET TBLPROPERTIES ('a' = 'b')",
        "GRANT SELECT ON TABLE v.open TO ann",
        "MSCK REPAIR TABLE v.open",
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'v' ORDER BY 1",
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'v' ORDER BY 1, ordinal_position",
        "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = 'v' ORDER BY 1",
        "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE table_schema = 'v' ORDER BY 1, 2",
        "SELECT table_name, column_name FROM information_schema.column_privileges WHERE table_schema = 'v' ORDER BY 1, 2",
        "SELECT count(*) FROM information_schema.view_table_usage",
        "SELECT relname, relkind, relnatts, reltuples, relpages FROM pg_class WHERE relnamespace = 'v'::regnamespace ORDER BY 1",
        "SELECT relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = 'v'::regnamespace ORDER BY 1",
        "SELECT viewname, definition FROM pg_views WHERE schemaname = 'v' ORDER BY 1",
        "SELECT tablename FROM pg_tables WHERE schemaname = 'v'",
        "SELECT attname FROM pg_attribute WHERE attrelid = 'v.open'::regclass ORDER BY attnum",
        "SELECT count(*) FROM pg_attribute",
        "SELECT count(*) FROM pg_depend",
        "SELECT count(*) FROM pg_rewrite",
        "SELECT count(*) FROM pg_stats",
        "SELECT pg_total_relation_size('v.open'), pg_relation_size('v.everywhere')",
        "SELECT pg_get_viewdef('v.open'), pg_get_viewdef('v.open'::regclass, true)",
        "SELECT col_description('v.open'::regclass, 1)",
        "SELECT has_column_privilege('v.open', 'nickname', 'SELECT')",
        "SELECT pg_describe_object(1259, 'v.open'::regclass, 1)",
        "SELECT o.* FROM generate_series(1, 9) n, LATERAL pg_identify_object(1259, 'v.open'::regclass, n) o ORDER BY n",
        "SELECT has_column_privilege('v.some', 'amount', 'SELECT')",
        "SELECT query, state, rows, error_code, error_message FROM system.queries ORDER BY query, error_message",
    ] {
        asked.push(rest.to_owned());
    }
    asked
}

/// The words that only the hidden parts of a lake have.
const SECRETS: [&str; 7] = [
    "alpha",
    "omega",
    "atlantis",
    "elbonia",
    "nickname",
    "clearance",
    "personnel",
];

/// How many bytes a query reads depends on the file as a whole: comparisons with constants rule out
/// files and row groups, with hidden rows in them.
fn without_bytes(text: &str) -> String {
    let bytes = Regex::new(r"(?i)bytes( scanned)?: \d+").unwrap();
    bytes.replace_all(text, "BYTES").into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_leave_out_different_rows_answer_alike() {
    let (a, b) = tokio::join!(Lake::with(&BROKEN), Lake::with(&WHOLE));
    let mask = Mask::new();
    let masked = |text: &str| without_bytes(&mask.apply(text));
    let mut differ = Vec::new();
    for door in [Door::Postgres, Door::Flight] {
        let (left, right) = (a.eve(door).await, b.eve(door).await);
        // The doors share the code that answers. At the second door, every third statement and the
        // history are enough.
        let every = if door == Door::Postgres { 1 } else { 3 };
        let asked = statements();
        let last = asked.len() - 1;
        let asked = asked.into_iter().enumerate();
        for (_, sql) in asked.filter(|(at, _)| at % every == 0 || *at == last) {
            let (one, other) = tokio::join!(answer(&left, &sql), answer(&right, &sql));
            let (one, other) = (masked(&one), masked(&other));
            if one != other {
                differ.push(format!("{door}: {sql}\n{one}\n----\n{other}"));
                continue;
            }
            // The history repeats the statements.
            let told = SECRETS.iter().find(|secret| {
                one.contains(**secret) && !sql.contains(**secret) && !sql.contains("system.queries")
            });
            if let Some(secret) = told {
                differ.push(format!("{door}: {sql}\ntells {secret}\n{one}"));
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{} answers:\n{}",
        differ.len(),
        differ.join("\n\n")
    );
    for door in [Door::Postgres, Door::Flight] {
        shows_what_it_should(&a, door).await;
    }
}

/// What the reader sees, so that two equal errors are not taken for two equal answers.
async fn shows_what_it_should(lake: &Lake, door: Door) {
    let eve = lake.eve(door).await;
    for (sql, rows) in [
        ("SELECT id FROM v.open ORDER BY id", "1\n2"),
        ("SELECT 10 / divisor FROM v.open ORDER BY 1", "5\n10"),
        (
            "SELECT sum(CAST(amount AS int)) FROM v.open WHERE 10 / divisor >= 0",
            "30",
        ),
        (
            "SELECT id FROM v.open WHERE json_extract_scalar(doc, '$.a') = '2'",
            "2",
        ),
        (
            "SELECT count(*) FROM v.everywhere WHERE region = 'atlantis'",
            "0",
        ),
        (
            "SELECT id FROM v.open WHERE amount = 'alpha' AND 1 / 0 = 1",
            "",
        ),
        (
            "SELECT id FROM v.open WHERE divisor = 0 AND CAST(id || 'x' AS int) = 1",
            "",
        ),
        ("SELECT tenth FROM v.grouped WHERE tenth = 10", "10"),
        ("SELECT * FROM v.some ORDER BY id", "1|1\n2|2"),
        (
            "SHOW VIEWS IN v",
            "either\neverywhere\nfirst\ngrouped\nnested\nopen\nranked\nsome",
        ),
        ("SELECT pg_get_viewdef('v.open') IS NULL AS hidden", "t"),
        (
            "SELECT count(*) FROM information_schema.views WHERE table_schema = 'v' AND view_definition IS NOT NULL",
            "0",
        ),
        ("SELECT DISTINCT user_name FROM system.queries", "eve"),
    ] {
        assert_eq!(eve.text(sql).await, rows, "{door}: {sql}");
    }
    // Without columns once its parameter is known.
    let sql = "SELECT id FROM v.everywhere WHERE amount = 'alpha' AND 1 / length($1) = 1";
    let prepared = eve.prepare(sql).await;
    assert_eq!(eve.try_execute(&prepared, "").await.unwrap(), 0, "{door}");
    let failing = eve.fails("SELECT id FROM v.open WHERE 1 / 0 = 1").await;
    assert_eq!(failing.message, "division by zero");
    for (sql, code) in [
        ("SELECT nickname FROM v.open", "42703"),
        ("SELECT \"$path\" FROM v.open", "42703"),
        ("SELECT amount FROM v.some", "42703"),
        ("SELECT * FROM v.personnel", "42P01"),
        ("SELECT * FROM v.secret", "42P01"),
        ("SELECT * FROM v.\"open$partitions\"", "42P01"),
        ("SHOW CREATE VIEW v.open", "42501"),
        ("DROP VIEW v.open", "42501"),
        ("CREATE OR REPLACE VIEW v.open AS SELECT 1 AS x", "42501"),
        ("GRANT SELECT ON TABLE v.open TO ann", "42501"),
    ] {
        assert_eq!(eve.fails(sql).await.code, code, "{door}: {sql}");
    }
    let query = "SELECT id FROM v.open WHERE amount = 'alpha' AND 1 / id = 1";
    let shown = match door {
        Door::Postgres => "Subquery Scan on v.open",
        Door::Flight => "ViewExec: v.open",
    };
    for (explain, shown) in [
        ("EXPLAIN VERBOSE", shown),
        ("EXPLAIN VERBOSE (TYPE DISTRIBUTED)", "ViewExec: v.open"),
    ] {
        let plan = eve.text(&format!("{explain} {query}")).await;
        assert!(plan.contains(shown), "{plan}");
        for below in ["DataSource", "Seq Scan", "personnel"] {
            assert!(!plan.contains(below), "{plan}");
        }
    }
    // Neither how many tables a view reads, nor what it sorts by.
    let plan = eve.text("EXPLAIN VERBOSE SELECT * FROM v.either").await;
    assert_eq!(plan.matches("view v.either: bytes").count(), 1, "{plan}");
    if matches!(door, Door::Postgres) {
        let plan = eve
            .text("EXPLAIN VERBOSE SELECT array_agg(divisor) FROM v.first")
            .await;
        assert!(!plan.contains("__order"), "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_a_views_query_are_told_without_values() {
    let lake = Lake::with(&BROKEN).await;
    for (view, query) in [
        (
            "casting",
            "SELECT id, CAST(amount AS int) AS n FROM v.personnel",
        ),
        ("dividing", "SELECT id, 1 / divisor AS n FROM v.personnel"),
        (
            "parsing",
            "SELECT id, json_parse(doc) AS n FROM v.personnel",
        ),
    ] {
        lake.admin
            .run(&format!("CREATE VIEW v.{view} AS {query}"))
            .await;
        lake.admin
            .run(&format!("GRANT SELECT ON TABLE v.{view} TO eve"))
            .await;
    }
    for door in [Door::Postgres, Door::Flight] {
        let eve = lake.eve(door).await;
        for view in ["casting", "dividing", "parsing"] {
            let sql = format!("SELECT max(n) AS {door} FROM v.{view}");
            let failure = eve.fails(&sql).await;
            failure.names(&[&format!("view v.{view}: ")]);
            let recorded = eve
                .text(&format!(
                    "SELECT query_id, error_message FROM system.queries WHERE query = '{sql}'"
                ))
                .await;
            let (id, recorded) = recorded.split_once('|').unwrap();
            for text in [failure.text(), recorded.to_owned()] {
                for secret in SECRETS {
                    assert!(!text.contains(secret), "{door}: {sql}: {text}");
                }
            }
            // The administrator finds the whole error by the query's id.
            assert!(lake.server.log().contains(id), "{sql}");
        }
        let shown = lake.admin.fails("SELECT max(n) FROM v.casting").await;
        shown.names(&["alpha"]);
    }
}
