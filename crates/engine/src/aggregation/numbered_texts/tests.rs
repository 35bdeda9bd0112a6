#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fmt;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::datasource::MemTable;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{
    MemoryLimit, MemoryPool, MemoryReservation, UnboundedMemoryPool,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::limits::stop::{PlanRun, stoppable};
use crate::testing::{physical_plan, sorted_lines};

const ROWS: i64 = 80_000;

/// A session with a table of two partitions, in batches of this many rows.
fn context(batch: i64) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    let partition = |from: i64| -> Vec<RecordBatch> {
        let end = from + ROWS / 2;
        let starts = (from..end).step_by(batch as usize);
        let batches = starts.map(|start| {
            let rows = || start..(start + batch).min(end);
            let texts = |text: &dyn Fn(i64) -> Option<String>| -> ArrayRef {
                Arc::new(rows().map(text).collect::<StringViewArray>())
            };
            let ints = |int: &dyn Fn(i64) -> Option<i64>| -> ArrayRef {
                Arc::new(rows().map(int).collect::<Int64Array>())
            };
            let columns = [
                // The same kinds in both partitions, in another order.
                (
                    "kind",
                    texts(&|n| (n % 11 != 0).then(|| format!("kind {} of many", n * 7 % 37))),
                ),
                ("short", texts(&|n| Some(format!("{}", (n + 3) / 2 % 5)))),
                // Of few kinds at first.
                (
                    "later",
                    texts(&|n| {
                        Some(format!(
                            "later {}",
                            if n % (ROWS / 2) < 20_000 { n % 50 } else { n }
                        ))
                    }),
                ),
                ("own", texts(&|n| Some(format!("text {n}")))),
                ("none", texts(&|_| None)),
                ("even", texts(&|n| Some((n % 2 == 0).to_string()))),
                (
                    "tens",
                    texts(&|n| (n % 5 != 0).then(|| (n / 10 % 10).to_string())),
                ),
                ("year", ints(&|n| (n % 13 != 0).then_some(2000 + n % 3))),
                ("x", ints(&|n| (n % 7 != 0).then_some(n * 31 % 1009))),
            ];
            let columns = columns.map(|(name, values)| (name, values, true));
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        });
        batches.collect()
    };
    let partitions = vec![partition(0), partition(ROWS / 2)];
    let schema = partitions[0][0].schema();
    let table = MemTable::try_new(schema, partitions).unwrap();
    context.register_table("rows", Arc::new(table)).unwrap();
    context
}

/// A pool that has no memory for the numbers of texts.
#[derive(Debug, Default)]
struct Refusing(UnboundedMemoryPool);

impl fmt::Display for Refusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refusing")
    }
}

impl MemoryPool for Refusing {
    fn name(&self) -> &str {
        "refusing"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if reservation.consumer().name().starts_with("NumberedTexts") {
            let what = "refused".to_owned();
            return Err(datafusion::error::DataFusionError::ResourcesExhausted(what));
        }
        self.0.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Infinite
    }
}

/// Returns the rows of a plan in order.
async fn rows(context: &SessionContext, plan: Operator, pool: Arc<dyn MemoryPool>) -> Vec<String> {
    let task = TaskContext::from(context);
    let run = PlanRun::new(Arc::default(), ());
    let config = task.session_config().clone().with_extension(run);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
    let context = SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap());
    let batches = collect(plan, Arc::new(TaskContext::from(&context))).await;
    sorted_lines(&batches.unwrap())
}

fn roomy() -> Arc<dyn MemoryPool> {
    Arc::new(UnboundedMemoryPool::default())
}

const FUNCTIONS: &str = "count(*), count(x), sum(x), min(own), max(short), avg(x), count(kind),
    sum(x) FILTER (WHERE short = '1')";

const KEYS: [(&str, bool); 11] = [
    ("kind", true),
    ("short", true),
    ("kind, year", true),
    ("year, short, kind", true),
    ("later", true),
    ("later, kind, year", true),
    ("kind, own", true),
    ("none, short", true),
    ("even, tens, year, none, short", true),
    ("even, x, tens, kind, none, year, short, later", true),
    ("own", false),
];

#[tokio::test]
async fn groups_by_numbers_of_texts_are_the_same() {
    for batch in [5000, 8192, 700] {
        let context = context(batch);
        for (keys, is_numbered) in KEYS {
            let sql = format!("SELECT {keys}, {FUNCTIONS} FROM rows GROUP BY {keys}");
            let plain = physical_plan(&context, &sql).await;
            let shown = displayable(plain.as_ref()).indent(true).to_string();
            let expected = rows(&context, plain, roomy()).await;
            let numbered = stoppable(physical_plan(&context, &sql).await).unwrap();
            assert!(format!("{numbered:?}").contains("NumberedTexts"), "{sql}");
            let displayed = displayable(numbered.as_ref()).indent(true).to_string();
            assert_eq!(displayed, shown);
            let found = rows(&context, Arc::clone(&numbered), roomy()).await;
            assert_eq!(found, expected, "{sql}, {batch}");
            let made = format!("{numbered:?}");
            assert_eq!(made.contains("(numbers of keys"), is_numbered, "{sql}");
        }
    }
}

#[tokio::test]
async fn groups_are_the_same_without_memory_for_numbers() {
    let context = context(5000);
    for (keys, _) in KEYS {
        let sql = format!("SELECT {keys}, {FUNCTIONS} FROM rows GROUP BY {keys}");
        let expected = rows(&context, physical_plan(&context, &sql).await, roomy()).await;
        let numbered = stoppable(physical_plan(&context, &sql).await).unwrap();
        let found = rows(&context, numbered, Arc::new(Refusing::default())).await;
        assert_eq!(found, expected, "{sql}");
    }
}

#[tokio::test]
async fn groups_of_other_forms_are_the_same() {
    let context = context(8192);
    for sql in [
        "SELECT kind FROM rows GROUP BY kind",
        "SELECT DISTINCT kind, short FROM rows",
        "SELECT kind, sum(x) FROM rows WHERE x < 0 GROUP BY kind",
        "SELECT kind, short, sum(x) FROM rows WHERE x = 5 GROUP BY kind, short",
        "SELECT kind, short, year, sum(x) FROM rows GROUP BY ROLLUP (kind, short, year)",
        "SELECT kind, upper(short) AS u, sum(x) FROM rows GROUP BY kind, upper(short) HAVING sum(x) > 9",
    ] {
        let expected = rows(&context, physical_plan(&context, sql).await, roomy()).await;
        let numbered = stoppable(physical_plan(&context, sql).await).unwrap();
        assert_eq!(rows(&context, numbered, roomy()).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn other_aggregations_stay() {
    let context = context(8192);
    for sql in [
        "SELECT year, count(*) FROM rows GROUP BY year",
        "SELECT count(kind) FROM rows",
        "SELECT kind, array_agg(x) FROM rows GROUP BY kind",
    ] {
        let other = stoppable(physical_plan(&context, sql).await).unwrap();
        assert!(!format!("{other:?}").contains("NumberedTexts"), "{sql}");
    }
}
