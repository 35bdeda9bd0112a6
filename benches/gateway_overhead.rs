//! The overhead of the Gateway: TPC-H through it, without result reuse, against bare DataFusion in
//! the same process on the same files with the same settings, column types and nullability. Runs
//! are interleaved pairs; the result is the median of the pairs' ratios.
//!
//! ```text
//! cargo bench --bench gateway_overhead                  # SF 1, 7 pairs per query
//! LAKEGATE_BENCH_SF=0.1 LAKEGATE_BENCH_PAIRS=3 LAKEGATE_BENCH_QUERIES=1,6 cargo bench --bench gateway_overhead
//! ```
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::large_futures
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{Field, Schema};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use lakegate_catalog::access::{ADMINISTRATORS, ScramVerifier};
use lakegate_catalog::store::SqliteStore;
use lakegate_demo::DemoOptions;
use lakegate_engine::{Engine, EngineOptions};
use lakegate_gateway::results::ResultCache;
use lakegate_gateway::telemetry::history::History;
use lakegate_gateway::workgroup::AdmissionLimits;
use lakegate_gateway::{
    ConnectionLimits, DetachedLimits, Execution, Gateway, GatewayParts, Login, Prepared, Protocol,
    Session,
};
use lakegate_lake::format::parquet::{ColumnCache, FooterCache};
use lakegate_lake::roots::{Backing, Roots};

/// The same as the server's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_SIZE: usize = 8192;
const MEMORY: usize = 12 << 30;

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn main() {
    let scale: f64 = setting("LAKEGATE_BENCH_SF", 1.0);
    let pairs: usize = setting("LAKEGATE_BENCH_PAIRS", 7);
    let lake = lake(scale);
    let threads = std::thread::available_parallelism().map_or(2, Into::into);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let state = tempfile::tempdir().unwrap();
        let session = session(&lake, state.path(), threads).await;
        let bare = bare(&lake, threads).await;
        println!(
            "TPC-H SF {scale}, {pairs} pairs a query, {threads} threads, medians in milliseconds"
        );
        println!("query   gateway      bare   ratio");
        let mut ratios = Vec::new();
        let wanted = std::env::var("LAKEGATE_BENCH_QUERIES").unwrap_or_default();
        let wanted: Vec<usize> = wanted.split(',').filter_map(|n| n.parse().ok()).collect();
        for number in (1..=22).filter(|n| wanted.is_empty() || wanted.contains(n)) {
            let sql = query(number);
            let rows = (
                through_gateway(&session, &sql).await,
                through_bare(&bare, &sql).await,
            );
            assert_eq!(
                rows.0, rows.1,
                "q{number:02}: rows of the gateway and of bare DataFusion"
            );
            let mut times: Vec<(Duration, Duration)> = Vec::with_capacity(pairs);
            for pair in 0..pairs {
                // The order alternates, so that both sides benefit equally from warm caches.
                times.push(if pair % 2 == 0 {
                    let gateway = timed(through_gateway(&session, &sql)).await;
                    (gateway, timed(through_bare(&bare, &sql)).await)
                } else {
                    let bare = timed(through_bare(&bare, &sql)).await;
                    (timed(through_gateway(&session, &sql)).await, bare)
                });
            }
            let ratio = median(
                times
                    .iter()
                    .map(|(gateway, bare)| gateway.as_secs_f64() / bare.as_secs_f64())
                    .collect(),
            );
            let gateway = median(
                times
                    .iter()
                    .map(|(gateway, _)| gateway.as_secs_f64() * 1e3)
                    .collect(),
            );
            let bare = median(
                times
                    .iter()
                    .map(|(_, bare)| bare.as_secs_f64() * 1e3)
                    .collect(),
            );
            println!("q{number:02}   {gateway:9.2} {bare:9.2}   {ratio:.3}");
            ratios.push(ratio);
        }
        println!("median ratio {:.3}", median(ratios));
    });
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

async fn timed(run: impl Future<Output = usize>) -> Duration {
    let start = Instant::now();
    run.await;
    start.elapsed()
}

/// Returns the lake of a scale factor, which is made once and kept.
fn lake(scale: f64) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-sf{scale}"));
    let mut options = DemoOptions::new(&dir);
    options.scale = 0.0001;
    options.tpch = Some(scale);
    lakegate_demo::generate(&options, &mut |_| ()).unwrap();
    dir
}

fn query(number: usize) -> String {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/tpc/tpch/q{number:02}.sql"));
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n")
        .trim_end_matches(';')
        .to_owned()
}

/// Builds the Gateway as the server does, and an administrator's session on the database `tpch`.
async fn session(lake: &Path, state: &Path, threads: usize) -> Arc<Session> {
    let stores = SqliteStore::open(state.join("catalog.db"))
        .unwrap()
        .stores();
    let control = Arc::clone(&stores.control);
    control
        .create_user(
            "admin",
            ScramVerifier::from_password("only for this bench").unwrap(),
            true,
        )
        .await
        .unwrap();
    control.grant_role(ADMINISTRATORS, "admin").await.unwrap();
    let directory = Backing::Directory {
        path: lake.to_owned(),
        excluded: Vec::new(),
    };
    let gateway = Gateway::new(GatewayParts {
        engine: Engine::open(
            &EngineOptions {
                memory_limit: MEMORY,
                spill_dir: state.join("spill"),
                spill_limit: 1 << 30,
                threads,
                batch_size: BATCH_SIZE,
            },
            lakegate_gateway::library(),
        )
        .unwrap(),
        roots: Arc::new(
            Roots::open(vec![(
                format!("s3://{}/", lakegate_demo::BUCKET),
                directory,
            )])
            .unwrap(),
        ),
        footers: FooterCache::new(256 << 20),
        hot: ColumnCache::new(0),
        stores,
        results: ResultCache::new(0, 0),
        admission: AdmissionLimits::shared(threads * 4, 1000),
        history: History::open(&state.join("history.db"), Duration::from_secs(3600)).unwrap(),
        jwt: None,
        connections: ConnectionLimits {
            all: 10,
            reserved: 0,
            per_user: 10,
        },
        detached: DetachedLimits {
            runs_per_user: DetachedLimits::RUNS_PER_USER,
            runs: DetachedLimits::RUNS,
            memory_per_result: 16 << 20,
            memory_per_user: 64 << 20,
            bytes_per_result: 1 << 30,
            bytes_per_user: 4 << 30,
        },
        max_stall: Duration::from_secs(600),
        max_statistics_files: 4096,
        max_planning_time: std::time::Duration::from_secs(30),
        max_row_bytes: lakegate_lake::format::MAX_ROW_BYTES,
        temporary_memory: 64 << 20,
        process_memory_limit: u64::MAX,
    });
    let principal = gateway.principal("admin").unwrap();
    let login = Login {
        principal: &principal,
        database: None,
        application_name: Some("gateway_overhead"),
        client_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        encryption: None,
        protocol: Protocol::Postgres,
        cancel_key_bytes: 0,
        stateful: true,
    };
    let session = gateway.connect(login).await.unwrap();
    let mut options = DemoOptions::new(lake);
    options.tpch = Some(1.0);
    for statement in lakegate_demo::setup_sql(&options) {
        if statement.contains(" tpch") && !statement.starts_with("GRANT") {
            session
                .run_to_end(&statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
    for statement in ["SET result_reuse = off", "USE tpch"] {
        session.run_to_end(statement).await.unwrap();
    }
    session
}

/// Builds DataFusion with the engine's settings and its own listing tables.
async fn bare(lake: &Path, threads: usize) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_batch_size(BATCH_SIZE);
    config.options_mut().sql_parser.default_null_ordering = "nulls_max".to_owned();
    let context = SessionContext::new_with_config(config);
    for entry in std::fs::read_dir(lake.join("tpch")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Columns of Hive tables are nullable, whatever the files say, so bare DataFusion gets the
        // same schema.
        let path = path.to_str().unwrap();
        let files = context
            .read_parquet(path, ParquetReadOptions::default())
            .await
            .unwrap();
        let fields: Vec<Field> = files
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let schema = Schema::new(fields);
        context
            .register_parquet(name, path, ParquetReadOptions::default().schema(&schema))
            .await
            .unwrap();
    }
    context
}

async fn through_gateway(session: &Session, sql: &str) -> usize {
    let parsed = session.parse(sql).await.unwrap().remove(0);
    let prepared = Prepared::undescribed(parsed);
    let Execution::Rows(mut rows) = session.execute(&prepared, Vec::new()).await.unwrap() else {
        panic!("a query gives rows");
    };
    let mut count = 0;
    while let Some(batch) = rows.stream.next().await {
        count += batch.unwrap().num_rows();
    }
    count
}

async fn through_bare(context: &SessionContext, sql: &str) -> usize {
    let mut stream = context
        .sql(sql)
        .await
        .unwrap()
        .execute_stream()
        .await
        .unwrap();
    let mut count = 0;
    while let Some(batch) = stream.next().await {
        count += batch.unwrap().num_rows();
    }
    count
}
