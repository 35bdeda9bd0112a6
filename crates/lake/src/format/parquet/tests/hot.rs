//! Files that are read again and again: the rows and the bytes scanned are those of the first time.

use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, ListArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Fields, Int64Type};
use datafusion::physical_plan::collect;
use futures::StreamExt;

use super::*;
use crate::meter::Cutoff;

/// What a query returned, and what it read.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    /// Sorted.
    pub(super) rows: Vec<Vec<String>>,
    pub(super) scanned: u64,
    pub(super) fetched: u64,
}

pub(super) async fn read(lake: &Lake, sql: &str) -> Result<Read, Error> {
    read_within(lake, sql, None).await.0
}

/// As [`read`], and the bytes scanned, also of a query that fails.
async fn read_within(lake: &Lake, sql: &str, cutoff: Option<Cutoff>) -> (Result<Read, Error>, u64) {
    let meter = Arc::new(QueryMeter::new(cutoff));
    let read = async {
        let (context, _) = lake.context(&meter, Vec::new()).await?;
        let frame = context.sql(sql).await.map_err(from_engine)?;
        let plan = frame.create_physical_plan().await.map_err(from_engine)?;
        let batches = collect(plan, context.task_ctx()).await;
        let batches = batches.map_err(from_engine)?;
        let mut rows: Vec<Vec<String>> = batches.iter().flat_map(text).collect();
        rows.sort();
        Ok::<_, Error>(Read {
            rows,
            scanned: meter.scanned(),
            fetched: meter.fetched(),
        })
    };
    let read = read.await;
    (read, meter.scanned())
}

/// Reads several times, and returns what was fetched each time.
pub(super) async fn same_each_time(lake: &Lake, sql: &str) -> Vec<u64> {
    let plain = Lake {
        store: Arc::clone(&lake.store),
        roots: Arc::clone(&lake.roots),
        footers: lake.footers.clone(),
        hot: ColumnCache::none(),
        table: Arc::clone(&lake.table),
        max_statistics_files: lake.max_statistics_files,
    };
    let expected = read(&plain, sql).await.unwrap();
    let mut fetched = Vec::new();
    for time in 0..4 {
        let again = read(lake, sql).await.unwrap();
        assert_eq!(again.rows, expected.rows, "{sql}, {time}");
        assert_eq!(again.scanned, expected.scanned, "{sql}, {time}");
        fetched.push(again.fetched);
    }
    fetched
}

/// The same numbers for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit).cast_signed()
    }

    fn maybe(&mut self, limit: u64) -> Option<i64> {
        (self.below(6) > 0).then(|| self.below(limit))
    }
}

pub(super) const COLUMNS: [(&str, &str); 11] = [
    ("id", "bigint"),
    ("small", "int"),
    ("flag", "boolean"),
    ("ratio", "double"),
    ("price", "decimal(12,2)"),
    ("day", "date"),
    ("at", "timestamp"),
    ("word", "string"),
    ("bytes", "binary"),
    ("items", "array<bigint>"),
    ("pair", "struct<x:bigint,y:string>"),
];

/// A row of each type, NULLs among them. `id` numbers the rows.
pub(super) fn mixed(random: &mut Random, rows: std::ops::Range<i64>) -> RecordBatch {
    let count = rows.clone().count();
    let mut numbers =
        |limit: u64| -> Vec<Option<i64>> { (0..count).map(|_| random.maybe(limit)).collect() };
    let words = numbers(50).into_iter().map(|word| {
        // Long and short, few distinct ones.
        word.map(|word| format!("{word}{}", "-word".repeat((word % 9) as usize)))
    });
    let bytes = numbers(1 << 40).into_iter();
    let bytes: Vec<Option<Vec<u8>>> = bytes
        .map(|bytes| bytes.map(|bytes| format!("bytes {bytes:>20}").into_bytes()))
        .collect();
    let items = numbers(4).into_iter();
    let items = items.map(|items| items.map(|items| (0..items).map(Some).collect::<Vec<_>>()));
    let x: ArrayRef = Arc::new(Int64Array::from(numbers(100)));
    let y = numbers(5).into_iter().map(|y| y.map(|y| y.to_string()));
    let y: ArrayRef = Arc::new(y.collect::<StringArray>());
    let fields = [("x", DataType::Int64), ("y", DataType::Utf8)];
    let fields: Fields = fields
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .collect();
    let price = Decimal128Array::from_iter(
        numbers(1 << 30)
            .into_iter()
            .map(|price| price.map(i128::from)),
    );
    let small = numbers(1 << 20).into_iter();
    let day = numbers(20_000).into_iter();
    let ratio = numbers(1000).into_iter();
    let flag = numbers(2).into_iter();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", ints(rows)),
        (
            "small",
            Arc::new(small.map(|n| n.map(|n| n as i32)).collect::<Int32Array>()) as _,
        ),
        (
            "flag",
            Arc::new(flag.map(|n| n.map(|n| n == 1)).collect::<BooleanArray>()) as _,
        ),
        (
            "ratio",
            Arc::new(
                ratio
                    .map(|n| n.map(|n| n as f64 / 8.0))
                    .collect::<Float64Array>(),
            ) as _,
        ),
        (
            "price",
            Arc::new(price.with_precision_and_scale(12, 2).unwrap()) as _,
        ),
        (
            "day",
            Arc::new(day.map(|n| n.map(|n| n as i32)).collect::<Date32Array>()) as _,
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(numbers(1 << 50))) as _,
        ),
        ("word", Arc::new(words.collect::<StringArray>()) as _),
        (
            "bytes",
            Arc::new(bytes.into_iter().collect::<BinaryArray>()) as _,
        ),
        (
            "items",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(items)) as _,
        ),
        (
            "pair",
            Arc::new(StructArray::new(fields, vec![x, y], None)) as _,
        ),
    ];
    batch(columns)
}

/// Three files of several row groups each.
pub(super) async fn lake() -> Lake {
    let mut lake = Lake::new(&COLUMNS);
    lake.hot = ColumnCache::new(64 << 20);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (name, rows, group) in [
        ("a", 0..3000, 700),
        ("b", 3000..3500, 500),
        ("c", 3500..30_000, 12_000),
    ] {
        let rows = mixed(&mut random, rows);
        lake.put(name, file(&rows, group)).await;
    }
    lake
}

#[tokio::test]
async fn rows_and_bytes_scanned_are_the_same_each_time() {
    let lake = lake().await;
    for sql in [
        "SELECT * FROM t",
        "SELECT word, id FROM t",
        "SELECT id, word FROM t",
        "SELECT word FROM t WHERE id = 17",
        "SELECT count(*), count(word), sum(small), max(price), min(at) FROM t",
        "SELECT flag, day, ratio, bytes FROM t WHERE ratio > 100 AND word LIKE '1%'",
        "SELECT id + small AS s, upper(word) AS w FROM t WHERE id >= 2500 AND id < 15000",
        "SELECT items, id FROM t WHERE items IS NOT NULL",
        "SELECT pair, id FROM t WHERE id < 100",
        "SELECT id FROM t WHERE flag IS NULL OR small < 5",
        "SELECT count(*) FROM t",
        "SELECT 1 FROM t WHERE id > 29000",
        "SELECT id FROM t LIMIT 30000",
        "SELECT word, count(*) FROM t GROUP BY word",
        "SELECT id FROM t WHERE id < 0",
    ] {
        same_each_time(&lake, sql).await;
    }
    assert!(lake.hot.hits() > 0);
}

/// What is scanned depends on when a sort or a join knows its bounds.
#[tokio::test]
async fn rows_are_the_same_where_bounds_are_found_while_files_are_read() {
    let lake = lake().await;
    for sql in [
        "SELECT id, word FROM t ORDER BY id DESC LIMIT 5",
        "SELECT small, id FROM t ORDER BY small, id LIMIT 7",
        "SELECT a.id, b.word FROM t a JOIN t b ON a.id = b.id WHERE a.id IN (5, 700, 29999)",
        "SELECT b.word FROM t a JOIN t b ON a.small = b.small WHERE a.id < 50",
        "SELECT max(id), min(small) FROM t WHERE flag",
    ] {
        let first = read(&lake, sql).await.unwrap().rows;
        assert!(!first.is_empty());
        for time in 1..4 {
            let again = read(&lake, sql).await.unwrap().rows;
            assert_eq!(again, first, "{sql}, {time}");
        }
    }
    assert!(lake.hot.hits() > 0);
}

#[tokio::test]
async fn hot_columns_are_not_fetched_again() {
    let lake = lake().await;
    let sql = "SELECT id, word, price, bytes, at FROM t";
    let fetched = same_each_time(&lake, sql).await;
    // Read, kept, and found twice.
    assert!(fetched[0] > 0);
    assert_eq!(fetched[1], fetched[0]);
    assert_eq!(fetched[2..], [0, 0]);
    // One more column is read beside those that are kept.
    let more = same_each_time(&lake, "SELECT id, word, ratio FROM t").await;
    assert!(more[0] > 0 && more[0] < fetched[0], "{more:?}");
    assert_eq!(more[3], 0);
    // An index of pages is read once, and nested columns are each time.
    let index = same_each_time(&lake, "SELECT id, price FROM t WHERE price > 5").await;
    assert!(index[0] > 0 && index[0] < fetched[0] / 4, "{index:?}");
    assert_eq!(index[1..], [0, 0, 0]);
    let without = same_each_time(&lake, "SELECT id, price FROM t").await;
    assert_eq!(without, [0, 0, 0, 0]);
    let nested = same_each_time(&lake, "SELECT id, items FROM t").await;
    assert!(nested[3] > 0 && nested[3] == nested[2]);
}

#[tokio::test]
async fn replaced_file_is_another_file() {
    let mut lake = Lake::new(&[("n", "bigint"), ("s", "string")]);
    lake.hot = ColumnCache::new(1 << 20);
    for first in [0, 1000, 5000] {
        let rows = batch(vec![
            ("n", ints(first..first + 500)),
            ("s", texts((first..first + 500).map(|n| format!("{n:>20}")))),
        ]);
        lake.put("f", file(&rows, 200)).await;
        for _ in 0..4 {
            let found = read(
                &lake,
                "SELECT min(n), max(n), min(s) FROM t WHERE n + 0 >= 0",
            );
            let found = found.await.unwrap().rows;
            let expected = [first.to_string(), (first + 499).to_string()];
            assert_eq!(found[0][..2], expected);
            assert_eq!(found[0][2].trim(), first.to_string());
        }
    }
    assert!(lake.hot.hits() > 0);
}

#[tokio::test]
async fn cutoff_applies_to_what_is_kept() {
    let lake = lake().await;
    let sql = "SELECT id, word, bytes, items FROM t";
    for time in 0..4 {
        let all = read(&lake, sql).await.unwrap().scanned;
        for limit in [all, all - 1, all / 2, 1000] {
            let workgroup = "small".to_owned();
            let cutoff = Some(Cutoff { workgroup, limit });
            let (read, scanned) = read_within(&lake, sql, cutoff).await;
            assert_eq!(read.is_ok(), limit == all, "{time}, {limit}");
            assert!(scanned <= limit);
        }
    }
}

#[tokio::test]
async fn one_file_is_charged_alike_up_to_the_cutoff() {
    let mut lake = Lake::new(&[("n", "bigint"), ("s", "string")]);
    let rows = batch(vec![
        ("n", ints(0..5000)),
        ("s", texts((0..5000).map(|n| format!("{n:>30}")))),
    ]);
    lake.put("f", file(&rows, 500)).await;
    let sql = "SELECT n, s FROM t";
    let all = read(&lake, sql).await.unwrap().scanned;
    let mut charged = Vec::new();
    for capacity in [0, 1 << 20] {
        lake.hot = ColumnCache::new(capacity);
        for _ in 0..3 {
            read(&lake, sql).await.unwrap();
        }
        let workgroup = "small".to_owned();
        let limit = all / 2;
        let (read, scanned) = read_within(&lake, sql, Some(Cutoff { workgroup, limit })).await;
        charged.push((read.unwrap_err().to_string(), scanned));
    }
    assert!(lake.hot.hits() > 0);
    assert_eq!(charged[0], charged[1]);
}

#[tokio::test]
async fn cache_that_is_too_small_changes_nothing() {
    let mut lake = lake().await;
    for capacity in [1, 4 << 10, 200 << 10, 2 << 20] {
        lake.hot = ColumnCache::new(capacity);
        for sql in [
            "SELECT * FROM t",
            "SELECT id, word FROM t WHERE small > 7",
            "SELECT bytes FROM t",
        ] {
            same_each_time(&lake, sql).await;
            assert!(lake.hot.bytes() <= capacity);
        }
    }
}

#[tokio::test]
async fn file_that_is_not_read_to_its_end_is_read_right_afterwards() {
    let lake = lake().await;
    let sql = "SELECT id, word FROM t";
    read(&lake, sql).await.unwrap();
    for _ in 0..3 {
        let meter = Arc::new(QueryMeter::new(None));
        let (context, _) = lake.context(&meter, Vec::new()).await.unwrap();
        let frame = context.sql(sql).await.unwrap();
        let mut stream = frame.execute_stream().await.unwrap();
        assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    }
    same_each_time(&lake, sql).await;
}

#[tokio::test]
async fn files_with_other_types_are_converted_each_time() {
    let mut lake = Lake::new(&[("n", "bigint"), ("at", "timestamp"), ("s", "string")]);
    lake.hot = ColumnCache::new(1 << 20);
    let narrow: ArrayRef = Arc::new(Int32Array::from_iter_values(0..500));
    let nanos = (0..500).map(|n| n * 1_500);
    let nanos = arrow::array::TimestampNanosecondArray::from_iter_values(nanos);
    let other = batch(vec![("at", Arc::new(nanos) as ArrayRef), ("n", narrow)]);
    lake.put("other", file(&other, 100)).await;
    for sql in [
        "SELECT n, at, s FROM t",
        "SELECT at, n FROM t WHERE n >= 250",
        "SELECT s FROM t WHERE n = 3",
        "SELECT max(at), sum(n) FROM t",
    ] {
        same_each_time(&lake, sql).await;
    }
    assert!(lake.hot.hits() > 0);
}
