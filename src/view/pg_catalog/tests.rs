//! The SQL that clients send, as captured from them, over a small lake.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::*;
use crate::view::visible::*;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{Ident, Select, SelectItem, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use parking_lot::Mutex;

fn column(name: &str, data_type: DataType, comment: Option<&str>) -> VisibleColumn {
    VisibleColumn {
        name: name.to_owned(),
        hive_type: data_type.to_string(),
        data_type,
        comment: comment.map(str::to_owned),
        partition_key: name == "order_date",
        selectable: true,
    }
}

fn table(id: i64, name: &str, columns: Vec<VisibleColumn>) -> VisibleTable {
    VisibleTable {
        id,
        name: name.to_owned(),
        columns,
        privileges: TablePrivileges {
            select: true,
            ..TablePrivileges::default()
        },
        ..VisibleTable::default()
    }
}

fn sample() -> VisibleCatalog {
    let decimal = DataType::Decimal128(10, 2);
    let orders = VisibleTable {
        comment: Some("All orders".to_owned()),
        ..table(
            1,
            "orders",
            vec![
                column("order_id", DataType::Utf8, Some("the key")),
                column("quantity", DataType::Int32, None),
                column("price", decimal.clone(), None),
                column(
                    "created_at",
                    DataType::Timestamp(TimeUnit::Microsecond, None),
                    None,
                ),
                column("tags", DataType::new_list(DataType::Utf8, true), None),
                column(
                    "extra",
                    DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into()),
                    None,
                ),
                column("order_date", DataType::Date32, None),
            ],
        )
    };
    let view = VisibleTable {
        kind: TableKind::View,
        definition: Some("SELECT sale_date FROM analytics.daily_sales".to_owned()),
        ..table(3, "v", vec![column("sale_date", DataType::Date32, None)])
    };
    let sales = table(
        4,
        "daily_sales",
        vec![
            column("sale_date", DataType::Date32, None),
            column("total", decimal, None),
        ],
    );
    VisibleCatalog {
        catalog: "awsdatacatalog".to_owned(),
        principal: "analyst".to_owned(),
        is_admin: false,
        roles: vec![
            VisibleRole {
                oid: 16_400,
                name: "analyst".to_owned(),
                is_user: true,
                can_login: true,
                member_of: vec![16_401],
                ..VisibleRole::default()
            },
            VisibleRole {
                oid: 16_401,
                name: "data_analysts".to_owned(),
                ..VisibleRole::default()
            },
        ],
        databases: vec![
            VisibleDatabase {
                id: 1,
                name: "curated".to_owned(),
                comment: Some("Curated zone".to_owned()),
                can_create: false,
                tables: vec![
                    orders,
                    table(2, "users", vec![column("user_id", DataType::Utf8, None)]),
                ],
            },
            VisibleDatabase {
                id: 2,
                name: "analytics".to_owned(),
                tables: vec![view, sales],
                ..VisibleDatabase::default()
            },
        ],
        settings: vec![Setting {
            name: "workgroup".to_owned(),
            value: "primary".to_owned(),
            ..Setting::default()
        }],
        activity: vec![Backend {
            pid: 7,
            user: "analyst".to_owned(),
            state: "active".to_owned(),
            ..Backend::default()
        }],
    }
}

/// A source that gives columns only where they are asked for, and remembers what was asked.
#[derive(Debug, Default)]
struct Sample {
    asked: Mutex<Vec<Needs>>,
}

#[async_trait]
impl CatalogSource for Sample {
    async fn visible(&self, needs: &Needs) -> Result<Arc<VisibleCatalog>> {
        self.asked.lock().push(needs.clone());
        let mut catalog = sample();
        for database in &mut catalog.databases {
            for table in &mut database.tables {
                if !needs.columns.wants(&database.name, &table.name, table.id) {
                    table.columns.clear();
                    table.definition = None;
                }
            }
        }
        if !needs.activity {
            catalog.activity.clear();
        }
        Ok(Arc::new(catalog))
    }
}

fn session() -> SessionInfo {
    SessionInfo {
        user: "analyst".to_owned(),
        database: "awsdatacatalog".to_owned(),
        search_path: vec!["curated".to_owned()],
        backend_pid: 7,
        version: "PostgreSQL 16.4 (Lakegate 0.1.0)".to_owned(),
        ..SessionInfo::default()
    }
}

/// Rows as text; NULL is `NULL`.
type Rows = Vec<Vec<String>>;

/// A session that takes each statement for one that asks the catalog.
fn state_of(system: &PgCatalog) -> Result<SessionState> {
    let mentions = Mentions {
        system_relations: true,
        ..Mentions::default()
    };
    let catalog = MemoryCatalogProvider::new();
    for (name, schema) in system.schemas() {
        catalog.register_schema(&name, schema)?;
    }
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema("awsdatacatalog", "curated");
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .build();
    state
        .catalog_list()
        .register_catalog("awsdatacatalog".to_owned(), Arc::new(catalog));
    system.install(&mut state, &mentions)?;
    Ok(state)
}

/// Gives an alias to what a SELECT list names twice, as sessions do before they plan.
fn tell_apart(statement: &mut Statement) {
    struct TellApart;
    impl VisitorMut for TellApart {
        type Break = ();
        fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            let mut seen = HashSet::new();
            for (index, item) in select.projection.iter_mut().enumerate() {
                if let SelectItem::UnnamedExpr(expr) = item
                    && !seen.insert(expr.to_string())
                {
                    let alias = Ident::new(format!("column{index}"));
                    *item = SelectItem::ExprWithAlias {
                        expr: expr.clone(),
                        alias,
                    };
                }
            }
            ControlFlow::Continue(())
        }
    }
    let _ = statement.visit(&mut TellApart);
}

async fn run_with(
    source: &Arc<Sample>,
    sql: &str,
    parameters: &[&str],
) -> Result<(Vec<String>, Rows)> {
    let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .unwrap_or_else(|e| panic!("{e}: {sql}"))
        .remove(0);
    tell_apart(&mut statement);
    let mentions = rewrite(&mut statement)?;
    let system = PgCatalog::open(Arc::new(session()), Arc::clone(source) as _, &mentions).await?;
    let state = state_of(&system)?;
    let plan = state
        .statement_to_plan(EngineStatement::Statement(Box::new(statement)))
        .await?;
    let mut plan = system.finish(plan)?;
    if !parameters.is_empty() {
        let types: HashMap<String, Option<DataType>> = plan.get_parameter_types()?;
        let values: Vec<ScalarValue> = parameters
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let text = ScalarValue::from(*text);
                match types.get(&format!("${}", index + 1)).cloned().flatten() {
                    Some(data_type) if data_type != DataType::Null => {
                        text.cast_to(&data_type).unwrap()
                    }
                    _ => text,
                }
            })
            .collect();
        plan = plan.with_param_values(ParamValues::from(values))?;
    }
    let names = plan.schema().field_names();
    let batches = SessionContext::new_with_state(state)
        .execute_logical_plan(plan)
        .await?
        .collect()
        .await?;
    Ok((names, batches.iter().flat_map(rows_of).collect()))
}

fn rows_of(batch: &RecordBatch) -> Rows {
    let options = FormatOptions::default().with_null("NULL");
    let cell = |array: &ArrayRef, row| {
        ArrayFormatter::try_new(array, &options)
            .unwrap()
            .value(row)
            .to_string()
    };
    (0..batch.num_rows())
        .map(|row| {
            batch
                .columns()
                .iter()
                .map(|array| cell(array, row))
                .collect()
        })
        .collect()
}

async fn run(sql: &str) -> Rows {
    match run_with(&Arc::default(), sql, &[]).await {
        Ok((_, rows)) => rows,
        Err(error) => panic!("{error}\n{sql}"),
    }
}

struct Captured {
    title: String,
    sql: String,
    parameters: Vec<String>,
}

fn captured(text: &str) -> Vec<Captured> {
    text.split("\n--- ")
        .skip(1)
        .map(|part| {
            let (title, rest) = part.split_once('\n').unwrap();
            let (parameters, sql) = match rest.strip_prefix("-- parameters: ") {
                Some(rest) => {
                    let (line, sql) = rest.split_once('\n').unwrap();
                    (line.split('|').map(str::to_owned).collect(), sql)
                }
                None => (vec![], rest),
            };
            Captured {
                title: title.to_owned(),
                sql: sql.trim().to_owned(),
                parameters,
            }
        })
        .collect()
}

/// Runs all that a client sends; gives the answers by title.
async fn all_of(text: &str, unsupported: &[&str]) -> HashMap<String, Vec<Rows>> {
    let mut failures = Vec::new();
    let mut answers: HashMap<String, Vec<Rows>> = HashMap::new();
    for captured in captured(text) {
        let parameters: Vec<&str> = captured.parameters.iter().map(String::as_str).collect();
        let expected_failure = unsupported.contains(&captured.title.as_str());
        match run_with(&Arc::default(), &captured.sql, &parameters).await {
            Ok((_, rows)) => {
                assert!(
                    !expected_failure,
                    "{} is supported now: take it off the list",
                    captured.title
                );
                answers.entry(captured.title).or_default().push(rows);
            }
            Err(_) if expected_failure => {}
            Err(error) => failures.push(format!(
                "## {}\n{}\n-> {error}",
                captured.title, captured.sql
            )),
        }
    }
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    answers
}

#[tokio::test]
async fn psql_gets_an_answer_to_all_that_it_sends() {
    let answers = all_of(include_str!("fixtures/psql.sql"), &[]).await;
    assert_eq!(
        answers["\\d"][0],
        [
            ["curated", "orders", "table", "lakegate"],
            ["curated", "users", "table", "lakegate"]
        ]
    );
}

#[tokio::test]
async fn sqlalchemy_gets_an_answer_to_all_that_it_sends() {
    all_of(include_str!("fixtures/sqlalchemy.sql"), &[]).await;
}

#[tokio::test]
async fn pgjdbc_gets_an_answer_to_all_that_it_sends() {
    all_of(include_str!("fixtures/pgjdbc.sql"), &[]).await;
}

#[tokio::test]
async fn psycopg_gets_an_answer_to_all_that_it_sends() {
    // 2: `coalesce` of an array with a literal in quotes (CompositeInfo).
    all_of(include_str!("fixtures/psycopg.sql"), &["2"]).await;
}

#[tokio::test]
async fn d_of_a_table_shows_its_columns_with_the_wires_types() {
    let answers = all_of(include_str!("fixtures/psql.sql"), &[]).await;
    let shown: Vec<(String, String)> = answers["\\d curated.orders"][2]
        .iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let expected = [
        ("order_id", "text"),
        ("quantity", "integer"),
        ("price", "numeric(10,2)"),
        ("created_at", "timestamp without time zone"),
        ("tags", "text[]"),
        ("extra", "json"),
        ("order_date", "date"),
    ];
    assert_eq!(
        shown,
        expected.map(|(name, of)| (name.to_owned(), of.to_owned()))
    );
}

#[tokio::test]
async fn a_query_for_one_table_asks_for_one_tables_columns() {
    let source: Arc<Sample> = Arc::default();
    let sql = "SELECT attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a \
               WHERE a.attrelid = '100003' AND a.attnum > 0 ORDER BY attnum";
    let (_, rows) = run_with(&source, sql, &[]).await.unwrap();
    assert_eq!(rows[0], ["order_id", "the key"]);
    assert_eq!(rows[6], ["order_date", "partition key"]);
    let asked = source.asked.lock();
    let one = Columns::Of(Pins {
        table_ids: Some([1].into()),
        ..Pins::default()
    });
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|needs| needs.columns == one), "{asked:?}");
}

#[tokio::test]
async fn names_are_asked_for_without_columns() {
    let source: Arc<Sample> = Arc::default();
    run_with(
        &source,
        "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid)",
        &[],
    )
    .await
    .unwrap();
    let asked = source.asked.lock();
    assert!(
        asked.iter().all(|needs| *needs == Needs::default()),
        "{asked:?}"
    );
}

#[tokio::test]
async fn numbers_of_objects_are_shown_as_their_names() {
    let rows = run(
        "SELECT 'orders'::regclass, 'analytics.v'::regclass::text, 'orders'::regclass::oid AS number, 25::regtype, \
         'curated'::regnamespace, to_regclass('nosuch'), '_int4'::regtype::text",
    )
    .await;
    assert_eq!(
        rows,
        [[
            "orders",
            "analytics.v",
            "100003",
            "text",
            "curated",
            "NULL",
            "integer[]"
        ]]
    );
    let error = run_with(&Arc::default(), "SELECT 'nosuch'::regclass", &[])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("relation \"nosuch\" does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn privileges_are_the_truth() {
    let rows = run(
        "SELECT has_table_privilege('orders', 'SELECT'), has_table_privilege('analyst', 'curated.orders', 'INSERT'), \
         has_schema_privilege('curated', 'CREATE'), has_schema_privilege('curated', 'USAGE'), \
         pg_has_role('data_analysts', 'USAGE'), has_table_privilege('somebody', 'orders', 'SELECT'), \
         has_column_privilege('orders', 'price', 'SELECT')",
    )
    .await;
    assert_eq!(
        rows,
        [["true", "false", "false", "true", "true", "NULL", "true"]]
    );
}

#[tokio::test]
async fn a_correlated_subquery_gives_its_value_nothing_or_an_error() {
    let counts = "SELECT nspname, (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'v') \
                  FROM pg_namespace n WHERE nspname IN ('curated', 'analytics') ORDER BY 1";
    assert_eq!(run(counts).await, [["analytics", "1"], ["curated", "0"]]);
    let inequality = "SELECT a.typname, (SELECT b.typname FROM pg_type b WHERE b.oid > a.oid AND b.oid < 22 ORDER BY b.oid LIMIT 1) AS next \
                      FROM pg_type a WHERE a.oid IN (19, 20, 21) ORDER BY a.oid";
    assert_eq!(
        run(inequality).await,
        [["name", "int8"], ["int8", "int2"], ["int2", "NULL"]]
    );
    let exists = "SELECT typname, EXISTS (SELECT 1 FROM pg_type e WHERE e.typelem = t.oid), oid IN (SELECT typelem FROM pg_type) \
                  FROM pg_type t WHERE oid IN (25, 1009) ORDER BY oid";
    assert_eq!(
        run(exists).await,
        [["text", "true", "true"], ["_text", "false", "false"]]
    );
    let arrays = "SELECT nspname, ARRAY(SELECT relname FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' ORDER BY 1 DESC) \
                  FROM pg_namespace n WHERE nspname LIKE 'curat%'";
    assert_eq!(run(arrays).await, [["curated", "[users, orders]"]]);
    let many = "SELECT (SELECT relname FROM pg_class c WHERE c.relnamespace = n.oid) FROM pg_namespace n WHERE nspname = 'curated'";
    let error = run_with(&Arc::default(), many, &[]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("more than one row returned by a subquery"),
        "{error}"
    );
}

#[tokio::test]
async fn functions_in_from_see_the_tables_before_them() {
    let rows = run(
        "SELECT t.oid, u.word, u.n FROM (SELECT 1 AS oid, ARRAY['a', 'b'] AS words UNION ALL SELECT 2, ARRAY['c']) t, \
         unnest(t.words) WITH ORDINALITY AS u(word, n) ORDER BY 1, 3",
    )
    .await;
    assert_eq!(rows, [["1", "a", "1"], ["1", "b", "2"], ["2", "c", "1"]]);
    assert_eq!(
        run("SELECT s, s * 2 FROM generate_series(1, 2) s").await,
        [["1", "2"], ["2", "4"]]
    );
    assert_eq!(run("SELECT (k).x, (k).n FROM (SELECT information_schema._pg_expandarray(ARRAY[7, 8]) AS k) q ORDER BY 2").await, [["7", "1"], ["8", "2"]]);
}

#[tokio::test]
async fn literals_in_quotes_take_the_type_they_are_compared_with() {
    assert_eq!(
        run("SELECT typname FROM pg_type WHERE oid = '25'").await,
        [["text"]]
    );
    assert_eq!(
        run("SELECT ARRAY[1, 2] = '{1,2}', 'a' = ANY('{a,b}'), 'c' <> ALL('{a,b}'::text[])").await,
        [["true", "true", "true"]]
    );
    let error = run_with(
        &Arc::default(),
        "SELECT 1 FROM pg_type WHERE oid = 'x'",
        &[],
    )
    .await
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("invalid input syntax for type integer"),
        "{error}"
    );
}

#[tokio::test]
async fn information_schema_has_athenas_columns() {
    let rows = run(
        "SELECT column_name, data_type, udt_name, extra_info, comment FROM information_schema.columns \
         WHERE table_schema = 'curated' AND table_name = 'orders' AND ordinal_position IN (1, 5, 7) ORDER BY ordinal_position",
    )
    .await;
    let expected = [
        ["order_id", "text", "text", "NULL", "the key"],
        ["tags", "ARRAY", "_text", "NULL", "NULL"],
        ["order_date", "date", "date", "partition key", "NULL"],
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn every_relation_can_be_read_whole() {
    for shapes in [&PG_CATALOG, &INFORMATION_SCHEMA] {
        for shape in &shapes.relations {
            run(&format!(
                "SELECT * FROM {}.{}",
                shapes.namespace, shape.name
            ))
            .await;
        }
    }
}

#[tokio::test]
async fn how_a_value_is_shown_does_not_survive_a_cast() {
    let mut statement = Parser::parse_sql(
        &PostgreSqlDialect {},
        "SELECT oid, oid::text AS t, oid::regtype::text AS r FROM pg_type",
    )
    .unwrap()
    .remove(0);
    let mentions = rewrite(&mut statement).unwrap();
    let system = PgCatalog::open(
        Arc::new(session()),
        Arc::<Sample>::default() as _,
        &mentions,
    )
    .await
    .unwrap();
    let state = state_of(&system).unwrap();
    let plan = state
        .statement_to_plan(EngineStatement::Statement(Box::new(statement)))
        .await
        .unwrap();
    let plan = system.finish(plan).unwrap();
    let optimized = state.optimize(&plan).unwrap();
    for schema in [plan.schema(), optimized.schema()] {
        let shown: Vec<Option<&str>> = schema
            .fields()
            .iter()
            .map(|field| field.metadata().get(pg::PG_TYPE).map(String::as_str))
            .collect();
        assert_eq!(shown, [Some("oid"), None, None]);
    }
}
