//! Rows that are chosen of hot columns, by pages and by conditions: they are charged as pages that are
//! read.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::collect;

use super::hot::{COLUMNS, Random, Read, lake, mixed, read, same_each_time};
use super::row_filters::Filtering;
use super::*;

/// A file of many pages.
pub(super) fn paged(rows: &RecordBatch, group: usize, page: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(page)
        .set_write_batch_size(page)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    bytes
}

pub(super) type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// What a query reads where rows are filtered, and how many rows were left out.
async fn filtered(lake: &Lake, sql: &str) -> (Read, usize) {
    let filtering: Rule = Arc::new(Filtering { few_of: None });
    measured(lake, sql, vec![filtering]).await
}

/// What a query reads with these rules, and how many rows its scans left out.
pub(super) async fn measured(lake: &Lake, sql: &str, rules: Vec<Rule>) -> (Read, usize) {
    let meter = Arc::new(QueryMeter::new(None));
    let (context, _) = lake.context(&meter, rules).await.unwrap();
    let frame = context.sql(sql).await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    let batches = collect(Arc::clone(&plan), context.task_ctx()).await;
    let mut rows: Vec<Vec<String>> = batches.unwrap().iter().flat_map(text).collect();
    rows.sort();
    let mut left_out = 0;
    plan.apply(|node| {
        let metrics = node.metrics();
        let pruned = metrics.and_then(|all| all.sum_by_name("pushdown_rows_pruned"));
        left_out += pruned.map_or(0, |pruned| pruned.as_usize());
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    let read = Read {
        rows,
        scanned: meter.scanned(),
        fetched: meter.fetched(),
    };
    (read, left_out)
}

#[tokio::test]
async fn rows_of_hot_columns_are_filtered_for_the_same_charge() {
    let mut lake = lake().await;
    lake.hot = ColumnCache::none();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let rows = mixed(&mut random, 30_000..60_000);
    lake.put("d", paged(&rows, 25_000, 500)).await;
    let queries = [
        "SELECT word FROM t WHERE id = 17",
        "SELECT word, bytes FROM t WHERE id IN (3, 2999, 3000, 45000, 59999)",
        "SELECT bytes, price FROM t WHERE small < 2000 AND ratio > 50",
        "SELECT bytes FROM t WHERE ratio = 3.5 AND small > 100 AND flag AND word <> '1-word'",
        "SELECT id, word FROM t WHERE small IS NULL AND flag IS NULL",
        "SELECT bytes FROM t WHERE id >= 44000 AND id < 44010 AND small IS NOT NULL",
        "SELECT word, at FROM t WHERE NOT (price < 10000000) OR id = 5",
        "SELECT id FROM t WHERE id < 0",
        "SELECT id, flag FROM t WHERE id < 60001",
        "SELECT count(*) FROM t WHERE day < DATE '2020-01-01' AND small = 12345",
    ];
    // Footers are read once.
    read(&lake, "SELECT count(*) FROM t").await.unwrap();
    let mut expected = Vec::new();
    for sql in queries {
        expected.push(filtered(&lake, sql).await);
    }
    lake.hot = ColumnCache::new(64 << 20);
    for _ in 0..2 {
        let all = "SELECT id, small, flag, ratio, price, day, at, word, bytes FROM t";
        read(&lake, all).await.unwrap();
    }
    let before = lake.hot.hits();
    for (sql, (cold, left_out)) in queries.iter().zip(expected) {
        let (hot, of_hot) = filtered(&lake, sql).await;
        assert_eq!(hot.rows, cold.rows, "{sql}");
        assert_eq!(hot.scanned, cold.scanned, "{sql}");
        assert_eq!(of_hot, left_out, "{sql}");
        assert!(hot.fetched <= cold.fetched, "{sql}");
    }
    assert!(lake.hot.hits() > before);
    let all = "SELECT id, flag FROM t WHERE id < 60001";
    assert_eq!(filtered(&lake, all).await.0.fetched, 0);
}

#[tokio::test]
async fn rows_that_fail_are_not_made_of_kept_columns() {
    let mut lake = lake().await;
    lake.hot = ColumnCache::none();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let rows = mixed(&mut random, 30_000..60_000);
    lake.put("d", paged(&rows, 25_000, 500)).await;
    let queries = [
        "SELECT word, bytes FROM t WHERE small < 2000",
        "SELECT small, ratio FROM t WHERE small > 1000 AND small <= 5000 AND ratio > 50",
        "SELECT id, bytes FROM t WHERE word = '1-word'",
        "SELECT id, at FROM t WHERE word IN ('1-word', '11-word-word', 'none')",
        "SELECT id FROM t WHERE word LIKE '4%' AND word NOT LIKE '%-word-word%'",
        "SELECT price, id FROM t WHERE price < CAST(10000 AS DECIMAL(12, 2))",
        "SELECT id, flag FROM t WHERE small IS NULL AND at IS NULL",
        "SELECT count(*), max(word) FROM t WHERE day = DATE '2001-02-03' OR bytes IS NULL",
        "SELECT id, word FROM t WHERE id IN (5, 2999, 30001) AND upper(word) <> ''",
        "SELECT id FROM t WHERE small = 500000 AND word IS NOT NULL",
        "SELECT id FROM t WHERE id >= 44000 AND id < 44010 AND small > 7",
    ];
    read(&lake, "SELECT count(*) FROM t").await.unwrap();
    let mut expected = Vec::new();
    for sql in queries {
        let (cold, left_out) = measured(&lake, sql, Vec::new()).await;
        assert_eq!(left_out, 0, "{sql}");
        expected.push(cold);
    }
    lake.hot = ColumnCache::new(64 << 20);
    for _ in 0..2 {
        let all = "SELECT id, small, flag, ratio, price, day, at, word, bytes FROM t";
        read(&lake, all).await.unwrap();
    }
    let mut none_left_out = Vec::new();
    for (sql, cold) in queries.iter().zip(expected) {
        let (hot, left_out) = measured(&lake, sql, Vec::new()).await;
        assert_eq!(hot.rows, cold.rows, "{sql}");
        assert_eq!(hot.scanned, cold.scanned, "{sql}");
        assert!(hot.fetched <= cold.fetched, "{sql}");
        none_left_out.extend((left_out == 0).then_some(*sql));
    }
    assert!(none_left_out.len() <= 1, "{none_left_out:?}");
    same_each_time(&lake, "SELECT items, id FROM t WHERE small < 2000").await;
    // Most rows pass, or the condition is none of columns.
    for sql in [
        "SELECT id, word FROM t WHERE small >= 0",
        "SELECT id, word FROM t WHERE upper(word) = '1-WORD'",
    ] {
        assert_eq!(measured(&lake, sql, Vec::new()).await.1, 0, "{sql}");
        same_each_time(&lake, sql).await;
    }
}

/// What is scanned depends on when a join knows its keys.
#[tokio::test]
async fn rows_without_a_partner_are_not_made_of_kept_columns() {
    let lake = lake().await;
    for sql in [
        "SELECT b.word, b.id FROM t a JOIN t b ON a.id = b.id WHERE a.small < 5000",
        "SELECT b.word FROM t a JOIN t b ON a.small = b.small WHERE a.id < 50",
        "SELECT b.id FROM t a JOIN t b ON a.word = b.word AND a.id = b.id WHERE a.id < 900",
        "SELECT id, word FROM t WHERE id IN (SELECT small FROM t WHERE ratio = 3.5)",
        "SELECT count(*) FROM t WHERE id NOT IN (SELECT id FROM t WHERE small > 500)",
        "SELECT a.id, b.word FROM t a LEFT JOIN t b ON a.id = b.small WHERE a.id < 3000",
    ] {
        let first = read(&lake, sql).await.unwrap().rows;
        for time in 1..4 {
            let again = read(&lake, sql).await.unwrap().rows;
            assert_eq!(again, first, "{sql}, {time}");
        }
    }
    assert!(lake.hot.hits() > 0);
}

#[tokio::test]
async fn pages_that_a_condition_rules_out_are_not_read_of_hot_columns() {
    let mut lake = Lake::new(&COLUMNS);
    lake.hot = ColumnCache::new(64 << 20);
    let rows = mixed(&mut Random(0x2545_F491_4F6C_DD1D), 0..30_000);
    lake.put("f", paged(&rows, 11_000, 500)).await;
    for warm in [false, true] {
        if warm {
            for _ in 0..2 {
                read(&lake, "SELECT id, word, bytes FROM t").await.unwrap();
            }
        }
        for sql in [
            "SELECT id, word FROM t WHERE id >= 14000 AND id < 14010",
            "SELECT word FROM t WHERE id > 250 AND id < 29750",
            "SELECT id, bytes FROM t WHERE id IN (5, 12345, 29999)",
            "SELECT id, bytes FROM t WHERE id < 10999 OR id = 20000",
            "SELECT word, ratio FROM t WHERE id BETWEEN 5000 AND 17000",
            "SELECT items, id FROM t WHERE id < 100",
        ] {
            let hits = lake.hot.hits();
            let fetched = same_each_time(&lake, sql).await;
            let is_kept = !sql.contains("items") && !sql.contains("ratio");
            if warm && is_kept {
                assert!(lake.hot.hits() > hits, "{sql}");
                assert_eq!(fetched[1..], [0, 0, 0], "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn rows_are_filtered_where_not_all_columns_are_hot() {
    let lake = lake().await;
    let sql = "SELECT word, ratio FROM t WHERE small < 2000";
    let (cold, left_out) = filtered(&lake, sql).await;
    for _ in 0..3 {
        read(&lake, "SELECT word FROM t").await.unwrap();
        let (again, of_again) = filtered(&lake, sql).await;
        assert_eq!((&again.rows, again.scanned), (&cold.rows, cold.scanned));
        assert_eq!(of_again, left_out);
    }
}

/// Rows and charge of a query whose rows are filtered are the same each time. Returns what was fetched
/// each time.
async fn same_filtered_each_time(lake: &Lake, sql: &str, times: usize) -> Vec<u64> {
    let plain = Lake {
        store: Arc::clone(&lake.store),
        roots: Arc::clone(&lake.roots),
        footers: lake.footers.clone(),
        hot: ColumnCache::none(),
        table: Arc::clone(&lake.table),
        max_statistics_files: lake.max_statistics_files,
    };
    let (expected, expected_out) = filtered(&plain, sql).await;
    let mut fetched = Vec::new();
    for time in 0..times {
        let (again, left_out) = filtered(lake, sql).await;
        assert_eq!(again.rows, expected.rows, "{sql}, {time}");
        assert_eq!(again.scanned, expected.scanned, "{sql}, {time}");
        // Kept columns are tested where the decoder tests none.
        assert!(left_out >= expected_out, "{sql}, {time}");
        fetched.push(again.fetched);
    }
    fetched
}

const CONDITIONS: [&str; 8] = [
    "SELECT id, price FROM t WHERE small < 100000",
    "SELECT word, bytes FROM t WHERE small < 100000 AND ratio > 50",
    "SELECT word FROM t WHERE small > 100 AND flag AND word <> '1-word' AND ratio = 3.5",
    "SELECT id, at FROM t WHERE word = '1-word' AND small > 5",
    "SELECT bytes FROM t WHERE (small IS NULL OR id < 500) AND id > 100",
    "SELECT flag, day FROM t WHERE flag IS NULL OR small IS NULL",
    "SELECT items, id FROM t WHERE day < DATE '2000-01-01' AND ratio IS NOT NULL",
    "SELECT word FROM t WHERE bytes IS NULL AND small IS NULL AND flag IS NULL",
];

#[tokio::test]
async fn columns_of_conditions_are_kept() {
    let lake = lake().await;
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let rows = mixed(&mut random, 30_000..60_000);
    lake.put("d", paged(&rows, 25_000, 500)).await;
    read(&lake, "SELECT count(*) FROM t").await.unwrap();
    for sql in CONDITIONS {
        let fetched = same_filtered_each_time(&lake, sql, 4).await;
        assert!(fetched[3] <= fetched[0], "{sql}: {fetched:?}");
    }
    let hits = lake.hot.hits();
    let fetched = same_filtered_each_time(&lake, CONDITIONS[0], 1).await;
    assert_eq!(fetched, [0]);
    assert!(lake.hot.hits() > hits);
}

#[tokio::test]
async fn any_columns_may_be_kept_when_rows_are_filtered() {
    let all = ["id", "small", "flag", "ratio", "day", "at", "word", "bytes"];
    for seed in 1..=3_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut lake = lake().await;
        lake.hot = ColumnCache::new(64 << 20);
        let rows = mixed(&mut random, 30_000..50_000);
        lake.put("d", paged(&rows, 9_000, 700)).await;
        let kept = all.iter().enumerate();
        let kept = kept.filter(|(place, _)| ((seed * 37) >> place) & 1 == 1);
        let kept: Vec<&str> = kept.map(|(_, name)| *name).collect();
        if !kept.is_empty() {
            let sql = format!("SELECT {} FROM t", kept.join(", "));
            for _ in 0..2 {
                read(&lake, &sql).await.unwrap();
            }
        }
        for sql in CONDITIONS {
            same_filtered_each_time(&lake, sql, 3).await;
        }
    }
}

#[tokio::test]
async fn cache_that_is_too_small_for_conditions_changes_nothing() {
    let mut lake = lake().await;
    for capacity in [1, 4 << 10, 200 << 10, 2 << 20] {
        lake.hot = ColumnCache::new(capacity);
        for sql in CONDITIONS {
            same_filtered_each_time(&lake, sql, 3).await;
            assert!(lake.hot.bytes() <= capacity);
        }
    }
}
