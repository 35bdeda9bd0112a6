//! Rows that are filtered while a file is decoded: a join has the same rows, and what must not be
//! evaluated on all rows is not.

use arrow::array::{Float64Array, Int32Array};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_plan::collect;

use super::super::{FilterRows, KeyFilter, ParquetFiles};
use super::*;
use crate::scanned::files_of;

/// Filters the rows of all scans.
#[derive(Debug)]
pub(super) struct Filtering {
    /// If the dynamic filter of a scan has few of so many keys, with this range.
    pub(super) few_of: Option<(f64, Option<(i64, i64)>)>,
}

impl PhysicalOptimizerRule for Filtering {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(scan) = node.downcast_ref::<DataSourceExec>() else {
                return Ok(Transformed::no(node));
            };
            let Some(config) = files_of(scan) else {
                return Ok(Transformed::no(node));
            };
            let Some(files) = config.file_source().downcast_ref::<ParquetFiles>() else {
                return Ok(Transformed::no(node));
            };
            let mut config = config.clone();
            let condition = files.filter();
            let parts = condition.iter().flat_map(split_conjunction);
            let ids = parts.filter_map(|part| part.expression_id());
            let when = match self.few_of {
                Some((keys, range)) => FilterRows::IfFewKeys(
                    ids.map(|id| KeyFilter {
                        id,
                        keys,
                        range,
                        share: 1.0,
                    })
                    .collect(),
                ),
                None => FilterRows::Always,
            };
            config.file_source = Arc::new(files.with_rows_filtered(when));
            let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
            Ok(Transformed::yes(scan))
        })
        .data()
    }

    fn name(&self) -> &str {
        "filtering"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A lake of which all files are read by DataFusion's decoder.
fn decoded(columns: &[(&str, &str)]) -> Lake {
    Lake {
        hot: ColumnCache::none(),
        ..Lake::new(columns)
    }
}

/// The rows of a query, sorted, and how many rows the decoder left out.
async fn run(
    lake: &Lake,
    sql: &str,
    filtering: Option<Filtering>,
) -> Result<(Vec<Vec<String>>, usize), Error> {
    let meter = Arc::new(QueryMeter::new(None));
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = Vec::new();
    if let Some(filtering) = filtering {
        rules.push(Arc::new(filtering));
    }
    let (context, _) = lake.context(&meter, rules).await?;
    let frame = context.sql(sql).await.map_err(from_engine)?;
    let plan = frame.create_physical_plan().await.map_err(from_engine)?;
    let batches = collect(Arc::clone(&plan), context.task_ctx()).await;
    let batches = batches.map_err(from_engine)?;
    let mut rows: Vec<Vec<String>> = batches.iter().flat_map(text).collect();
    rows.sort();
    let mut left_out = 0;
    plan.apply(|node| {
        let metrics = node.metrics();
        let pruned = metrics.and_then(|all| all.sum_by_name("pushdown_rows_pruned"));
        left_out += pruned.map_or(0, |pruned| pruned.as_usize());
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    Ok((rows, left_out))
}

/// The rows that the decoder left out, after a check that the query has the same rows without.
async fn left_out(lake: &Lake, sql: &str) -> usize {
    left_out_if(lake, sql, None).await
}

async fn left_out_if(lake: &Lake, sql: &str, few_of: Option<(f64, Option<(i64, i64)>)>) -> usize {
    let (plain, none) = run(lake, sql, None).await.unwrap();
    let filtering = Some(Filtering { few_of });
    let (filtered, some) = run(lake, sql, filtering).await.unwrap();
    assert_eq!(filtered, plain, "{sql}");
    assert_eq!(none, 0, "{sql}");
    some
}

/// Two files of several row groups. `k` is one of 40 keys or NULL, `v` numbers the rows, `w` is
/// wide, and `z` is 0 for half of them.
async fn keyed() -> Lake {
    let lake = decoded(&[
        ("k", "bigint"),
        ("v", "bigint"),
        ("w", "string"),
        ("z", "bigint"),
    ]);
    for (name, rows) in [("a", 0..3000_i64), ("b", 3000..4000)] {
        let keys = rows.clone().map(|row| {
            let key = row.wrapping_mul(7919) % 41;
            (key != 40).then_some(key)
        });
        let keys: Int64Array = keys.collect();
        let columns = vec![
            ("k", Arc::new(keys) as ArrayRef),
            ("v", ints(rows.clone())),
            ("w", texts(rows.clone().map(|row| format!("row {row:>30}")))),
            ("z", ints(rows.map(|row| row % 2))),
        ];
        lake.put(name, file(&batch(columns), 700)).await;
    }
    lake
}

#[tokio::test]
async fn joins_have_the_same_rows() {
    // The key of row 34 is NULL.
    const FEW: &str = "(SELECT k, v FROM t WHERE v IN (3, 5, 34, 2999))";
    const NONE: &str = "(SELECT k, v FROM t WHERE v < 100 AND z = 7)";
    const VALUES: &str = "(VALUES (CAST(3 AS BIGINT)), (7), (NULL)) f(k)";
    let lake = keyed().await;
    for sql in [
        format!("SELECT t.v, t.w FROM t JOIN {FEW} f ON t.k = f.k"),
        format!("SELECT t.v, t.w FROM {FEW} f LEFT JOIN t ON t.k = f.k AND t.z = 1"),
        format!("SELECT v, w FROM t WHERE k IN (SELECT k FROM {FEW} f)"),
        format!(
            "SELECT f.k, s.n, s.w FROM {VALUES} JOIN (SELECT k, count(*) AS n, max(w) AS w FROM t GROUP BY k) s ON s.k = f.k"
        ),
    ] {
        // The conditions of the few rows alone leave out fewer.
        assert!(left_out(&lake, &sql).await > 3000, "{sql}");
    }
    for sql in [
        format!("SELECT v, w FROM t WHERE k IN (SELECT k FROM {NONE} n)"),
        format!("SELECT v FROM t WHERE NOT EXISTS (SELECT 1 FROM {FEW} f WHERE f.k = t.k)"),
        format!("SELECT v FROM t WHERE k NOT IN (SELECT k FROM {FEW} f WHERE k IS NOT NULL)"),
        format!("SELECT t.v, t.w FROM t FULL JOIN {FEW} f ON t.k = f.k"),
        format!("SELECT t.v, t.w FROM t JOIN {FEW} f ON t.k IS NOT DISTINCT FROM f.k"),
        format!("SELECT f.v, t.w FROM {NONE} f LEFT JOIN t ON t.k = f.k"),
    ] {
        left_out(&lake, &sql).await;
    }
}

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit).cast_signed()
    }

    fn key(&mut self, limit: u64) -> Option<i64> {
        (self.below(6) > 0).then(|| self.below(limit))
    }
}

#[tokio::test]
async fn random_joins_have_the_same_rows() {
    for seed in 1..=8_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let lake = decoded(&[("k", "bigint"), ("v", "bigint"), ("w", "string")]);
        let limit = 1 + random.below(80).cast_unsigned();
        for name in ["a", "b", "c"] {
            let count = 1 + random.below(900);
            let keys: Int64Array = (0..count).map(|_| random.key(limit)).collect();
            let columns = vec![
                ("k", Arc::new(keys) as ArrayRef),
                ("v", ints((0..count).map(|_| random.below(50)))),
                ("w", texts((0..count).map(|row| format!("{name} {row}")))),
            ];
            let rows = 1 + random.below(400);
            lake.put(name, file(&batch(columns), usize::try_from(rows).unwrap()))
                .await;
        }
        let keys: Vec<String> = (0..random.below(6))
            .map(|_| match random.key(limit + 3) {
                Some(key) => format!("({key})"),
                None => "(NULL)".to_owned(),
            })
            .collect();
        let few = match keys.is_empty() {
            true => "(SELECT v AS k FROM t WHERE v < 0)".to_owned(),
            false => format!(
                "(SELECT CAST(k AS BIGINT) AS k FROM (VALUES {}) x(k))",
                keys.join(", ")
            ),
        };
        for sql in [
            format!("SELECT t.* FROM t JOIN {few} f ON t.k = f.k"),
            format!("SELECT t.* FROM t JOIN {few} f ON t.k = f.k AND t.v % 3 <> 1 AND t.v < 40"),
            format!("SELECT * FROM t LEFT JOIN {few} f ON t.k = f.k"),
            format!("SELECT * FROM t RIGHT JOIN {few} f ON t.k = f.k"),
            format!("SELECT * FROM t FULL JOIN {few} f ON t.k = f.k"),
            format!("SELECT * FROM t WHERE k IN (SELECT k FROM {few} f)"),
            format!("SELECT * FROM t WHERE k NOT IN (SELECT k FROM {few} f)"),
            format!("SELECT * FROM {few} f WHERE k NOT IN (SELECT k FROM t)"),
            format!("SELECT * FROM {few} f WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.k = f.k)"),
            format!("SELECT * FROM t JOIN {few} f ON t.k IS NOT DISTINCT FROM f.k"),
            format!(
                "SELECT * FROM {few} f JOIN (SELECT k, v, count(*) AS n FROM t GROUP BY k, v) s ON s.k = f.k"
            ),
            format!(
                "SELECT f.k, lv, w FROM {few} f JOIN (SELECT k AS lk, v AS lv FROM t) l ON lk = f.k JOIN (SELECT k AS rk, v AS rv, w FROM t) r ON rv = lv AND rk = lk"
            ),
        ] {
            left_out(&lake, &sql).await;
        }
    }
}

#[tokio::test]
async fn conditions_leave_rows_out_before_other_columns_are_decoded() {
    let lake = keyed().await;
    for sql in [
        "SELECT w FROM t WHERE k = 7",
        "SELECT w FROM t WHERE k IN (7, 8) AND z <> 0",
        "SELECT w FROM t WHERE k IS NULL",
        "SELECT w FROM t WHERE NOT (k < 38)",
        "SELECT w FROM t WHERE k = 7 OR v = 1",
    ] {
        assert!(left_out(&lake, sql).await > 3000, "{sql}");
    }
}

#[tokio::test]
async fn few_keys_are_known_when_a_file_is_opened() {
    let lake = keyed().await;
    // Three keys are listed in the filter.
    let sql =
        "SELECT t.v, t.w FROM (VALUES (CAST(3 AS BIGINT)), (7), (9)) f(k) JOIN t ON t.k = f.k";
    assert!(left_out_if(&lake, sql, Some((15.0, None))).await > 3000);
    assert_eq!(left_out_if(&lake, sql, Some((14.0, None))).await, 0);
    // 400 keys are looked up: a tenth of the keys from 0 to 3999, and half of those from 0 to 799.
    let sql = "SELECT s.v, s.w FROM (SELECT v AS k FROM t WHERE v < 400) f JOIN t s ON s.v = f.k";
    for (keys, range, is_few) in [
        (4000.0, None, false),
        (4000.0, Some((0, 3999)), true),
        (1e9, Some((0, 799)), false),
        (4000.0, Some((0, i64::MAX)), true),
        (4000.0, Some((i64::MIN, i64::MAX)), false),
        (4000.0, Some((5, 4)), false),
    ] {
        let left_out = left_out_if(&lake, sql, Some((keys, range))).await;
        assert_eq!(left_out > 0, is_few, "{range:?}: {left_out}");
    }
}

#[tokio::test]
async fn what_may_fail_is_not_evaluated_on_rows_that_a_filter_leaves_out() {
    let lake = keyed().await;
    for sql in [
        "SELECT v FROM t WHERE abs(z) > 0 AND k = 3",
        "SELECT s.v FROM (VALUES (CAST(10 AS BIGINT))) f(v) JOIN (SELECT 10 / z AS q, v FROM t WHERE z <> 0) s ON s.q = f.v",
    ] {
        assert_eq!(left_out(&lake, sql).await, 0, "{sql}");
    }
}

#[tokio::test]
async fn files_with_other_types_are_read_as_before() {
    let lake = decoded(&[("k", "int"), ("v", "double")]);
    let keys = ints((0..500).map(|row| row % 50));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..500).map(f64::from)));
    let wide = batch(vec![("k", keys), ("v", Arc::clone(&values))]);
    lake.put("wide", file(&wide, 100)).await;
    let sql = "SELECT v FROM t WHERE k = 7";
    assert_eq!(left_out(&lake, sql).await, 0);
    let keys: ArrayRef = Arc::new(Int32Array::from_iter_values((0..500).map(|row| row % 50)));
    lake.put("same", file(&batch(vec![("k", keys), ("v", values)]), 100))
        .await;
    assert_eq!(left_out(&lake, sql).await, 490);
    // A file without the column has NULLs.
    let other = batch(vec![(
        "v",
        Arc::new(Float64Array::from(vec![0.5])) as ArrayRef,
    )]);
    lake.put("other", file(&other, 100)).await;
    assert_eq!(left_out(&lake, sql).await, 490);
    let nulls = "SELECT v FROM t WHERE k IS NULL";
    let always = Some(Filtering { few_of: None });
    let (rows, _) = run(&lake, nulls, always).await.unwrap();
    assert_eq!(rows, [["0.5"]]);
}

#[tokio::test]
async fn large_row_groups_are_read_as_before() {
    const ROWS: i64 = (2 << 20) + 1;
    let lake = decoded(&[("k", "bigint"), ("v", "bigint")]);
    let columns = |rows: i64| {
        vec![
            ("k", ints((0..rows).map(|row| row % 50))),
            ("v", ints((0..rows).map(|row| row % 3))),
        ]
    };
    lake.put("large", file(&batch(columns(ROWS)), 3 << 20))
        .await;
    let sql = "SELECT count(v) FROM t WHERE k = 7";
    assert_eq!(left_out(&lake, sql).await, 0);
    lake.put("small", file(&batch(columns(500)), 500)).await;
    assert_eq!(left_out(&lake, sql).await, 490);
}
