//! The catalog of a small lake, queried in SQL.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod clients;
mod empty;
mod narrow;
mod objects;
mod relations;
mod syntax;
mod system_columns;

use std::collections::{BTreeSet, HashMap};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use lakegate_engine::{DependentJoins, MarkedLiterals, quantified, untyped_texts};
use parking_lot::Mutex;

use super::*;
use crate::visible::*;

fn column(name: &str, data_type: DataType, comment: Option<&str>) -> VisibleColumn {
    VisibleColumn {
        name: name.to_owned(),
        hive_type: data_type.to_string(),
        data_type,
        comment: comment.map(str::to_owned),
        partition_key: name == "order_date",
        required: false,
        selectable: true,
        measured: None,
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
        privileges: TablePrivileges {
            select: true,
            insert: true,
            ..TablePrivileges::default()
        },
        ..table(3, "v", vec![column("sale_date", DataType::Date32, None)])
    };
    // All privileges are granted on it, except that SELECT is on one column only.
    let sales = VisibleTable {
        privileges: TablePrivileges {
            select: true,
            insert: true,
            update: true,
            delete: true,
        },
        ..table(
            4,
            "daily_sales",
            vec![
                column("sale_date", DataType::Date32, None),
                VisibleColumn {
                    selectable: false,
                    ..column("total", decimal, None)
                },
                column("visits", DataType::Int64, None),
                column("bytes", DataType::UInt64, None),
                column("rank", DataType::Int16, None),
                column("share", DataType::Float32, None),
                column("ratio", DataType::Float64, None),
            ],
        )
    };
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
                member_of: vec![16_402],
                ..VisibleRole::default()
            },
            VisibleRole {
                oid: 16_402,
                name: "everyone".to_owned(),
                // A cycle, which the store does not allow.
                member_of: vec![16_401],
                ..VisibleRole::default()
            },
        ],
        databases: vec![
            VisibleDatabase {
                id: 1,
                name: "curated".to_owned(),
                comment: Some("Curated zone".to_owned()),
                can_create: false,
                temporary: false,
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
        activity: vec![Backend {
            pid: 7,
            user: "analyst".to_owned(),
            state: "active".to_owned(),
            ..Backend::default()
        }],
        prepared: Vec::new(),
        cursors: Vec::new(),
    }
}

/// A source that returns columns only where requested, and records the requests.
#[derive(Debug, Default)]
struct Sample {
    asked: Mutex<Vec<Needs>>,
    /// The tables that were returned.
    loaded: Mutex<BTreeSet<String>>,
    /// The tables that were returned with their columns.
    described: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl CatalogSource for Sample {
    async fn visible(&self, needs: &Needs) -> Result<Arc<VisibleCatalog>> {
        self.asked.lock().push(needs.clone());
        let mut catalog = sample();
        for database in &mut catalog.databases {
            database
                .tables
                .retain(|table| needs.tables.admit(&database.name, &table.name, table.id));
            for table in &mut database.tables {
                self.loaded.lock().insert(table.name.clone());
                if needs.columns.wants(&database.name, &table.name, table.id) {
                    self.described.lock().insert(table.name.clone());
                } else {
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
        transaction: 9,
        ..SessionInfo::default()
    }
}

/// Rows as text; NULL is `NULL`.
type Rows = Vec<Vec<String>>;

/// Builds a session that treats each statement as one that reads the catalog.
fn state_of(system: &PgCatalog, references: &CatalogReferences) -> Result<SessionState> {
    let references = CatalogReferences {
        system_relations: true,
        ..references.clone()
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
        .with_expr_planners(vec![Arc::new(MarkedLiterals)])
        .with_default_features()
        .with_analyzer_rule(crate::postgres::array_casts())
        .with_analyzer_rule(Arc::new(untyped_texts::UntypedTexts))
        .with_analyzer_rule(Arc::new(DependentJoins))
        .build();
    state
        .catalog_list()
        .register_catalog("awsdatacatalog".to_owned(), Arc::new(catalog));
    quantified::register(&mut state)?;
    untyped_texts::register(&mut state)?;
    lakegate_engine::arrays::register(&mut state)?;
    register_shared(&mut state, Names::Postgres)?;
    let additions = system.additions(&state, &references, Names::Postgres);
    additions.install(&mut state)?;
    Ok(state)
}

/// Plans a query as the gateway does. Returns the optimised plan, its state, and the names of its
/// columns.
async fn planned_with(
    source: &Arc<Sample>,
    sql: &str,
    parameters: &[&str],
) -> Result<(LogicalPlan, SessionState, Vec<String>)> {
    let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .unwrap_or_else(|e| panic!("{e}: {sql}"))
        .remove(0);
    let references = rewrite(&mut statement, Names::Postgres)?;
    let system = PgCatalog::open(Arc::new(session()), Arc::clone(source) as _, &references).await?;
    let state = state_of(&system, &references)?;
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
    system.read_constants(&plan).await?;
    let analyzer = state.analyzer();
    let analyzed = analyzer.execute_and_check(plan, state.config_options(), |_, _| {})?;
    let known = without_empty_relations(analyzed)?;
    let plan = narrowed(state.optimizer().optimize(known, &state, |_, _| {})?)?;
    system.read_tables(&plan).await?;
    Ok((plan, state, names))
}

async fn run_with(
    source: &Arc<Sample>,
    sql: &str,
    parameters: &[&str],
) -> Result<(Vec<String>, Rows)> {
    let (plan, state, names) = planned_with(source, sql, parameters).await?;
    let planner = state.query_planner();
    let physical = planner.create_physical_plan(&plan, &state).await?;
    let batches = collect(physical, state.task_ctx()).await?;
    Ok((names, batches.iter().flat_map(rows_of).collect()))
}

/// Runs a query as the gateway does. Returns its rows, and the tables whose columns it asked for.
async fn columns_asked(sql: &str, parameters: &[&str]) -> (Rows, Vec<Columns>) {
    let source: Arc<Sample> = Arc::default();
    let (_, rows) = run_with(&source, sql, parameters).await.unwrap();
    let asked = source.asked.lock();
    let columns = asked.iter().map(|needs| needs.columns.clone());
    (
        rows,
        columns
            .filter(|columns| *columns != Columns::None)
            .collect(),
    )
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
