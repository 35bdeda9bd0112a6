//! Files of which nothing is kept: conditions are tested before other columns are decoded, with the rows and
//! the charge of DataFusion's decoder.

use arrow::array::{Decimal128Array, StructArray};
use arrow::datatypes::{DataType, Fields};

use super::hot::{COLUMNS, Random, lake, mixed};
use super::hot_rows::{measured, paged};
use super::*;

/// The rows that a scan left out, after a check that rows and charge are those of DataFusion's decoder.
async fn left_out(lake: &mut Lake, sql: &str) -> usize {
    lake.hot = ColumnCache::none();
    // Footers are read once.
    lake.rows("SELECT count(*) FROM t").await;
    let (expected, none) = measured(lake, sql, Vec::new()).await;
    assert_eq!(none, 0, "{sql}");
    lake.hot = ColumnCache::new(0);
    let (found, some) = measured(lake, sql, Vec::new()).await;
    assert_eq!(found, expected, "{sql}");
    some
}

/// Files of few and of many pages.
async fn mixed_lake() -> Lake {
    let lake = lake().await;
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let rows = mixed(&mut random, 30_000..60_000);
    lake.put("d", paged(&rows, 25_000, 500)).await;
    lake
}

#[tokio::test]
async fn rows_that_fail_are_not_decoded_of_other_columns() {
    let mut lake = mixed_lake().await;
    for sql in [
        "SELECT word, bytes FROM t WHERE small < 2000",
        "SELECT word, bytes, price, flag FROM t WHERE small < 100000",
        "SELECT small, ratio, id FROM t WHERE small > 1000 AND small <= 5000 AND ratio > 50",
        "SELECT id, bytes FROM t WHERE word = '1-word'",
        "SELECT id, at FROM t WHERE word IN ('1-word', '11-word-word', 'none')",
        "SELECT id, word FROM t WHERE word LIKE '4%' AND small < 100000",
        "SELECT price, id, day FROM t WHERE price < CAST(10000 AS DECIMAL(12, 2))",
        "SELECT id, flag FROM t WHERE small IS NULL AND at IS NULL",
        "SELECT word, id FROM t WHERE day = DATE '2001-02-03' OR (bytes IS NULL AND flag)",
        "SELECT id, word FROM t WHERE id IN (5, 2999, 30001) AND upper(word) <> ''",
        "SELECT id, word FROM t WHERE small = 500000",
        "SELECT id, word FROM t WHERE id >= 44000 AND id < 44010 AND small > 7",
        "SELECT items, id FROM t WHERE small < 2000",
        "SELECT items, word FROM t WHERE id >= 14000 AND id < 15010 AND small < 90000",
        "SELECT flag, items FROM t WHERE flag IS NULL AND ratio > 80",
    ] {
        assert!(left_out(&mut lake, sql).await > 0, "{sql}");
    }
}

#[tokio::test]
async fn no_row_is_left_out_where_nothing_is_spared() {
    let mut lake = mixed_lake().await;
    for sql in [
        // Many pass.
        "SELECT id, word FROM t WHERE small >= 0",
        "SELECT items, word FROM t WHERE ratio > 60",
        // The operator above tests all columns that are read.
        "SELECT small FROM t WHERE small < 2000",
        // What is costly for each row is tested once.
        "SELECT id, word FROM t WHERE word LIKE '%9-word%'",
        "SELECT id, word FROM t WHERE upper(word) = '1-WORD'",
        // Structs are read in part.
        "SELECT pair['x'], id FROM t WHERE small < 2000",
        "SELECT id, word FROM t",
    ] {
        assert_eq!(left_out(&mut lake, sql).await, 0, "{sql}");
    }
}

/// The first rows of a row group do not tell of the last ones.
#[tokio::test]
async fn share_of_rows_may_change_within_a_row_group() {
    const ROWS: i64 = 90_000;
    for (name, pages) in [("one", 1 << 20), ("many", 3000)] {
        let mut lake = Lake::new(&[("n", "bigint"), ("k", "bigint"), ("w", "string")]);
        let key = |n: i64| match n {
            40_000..60_000 => 0,
            _ => n % 7,
        };
        let columns = vec![
            ("n", ints(0..ROWS)),
            ("k", ints((0..ROWS).map(key))),
            (
                "w",
                texts((0..ROWS).map(|n| format!("text {:>20}", n % 999))),
            ),
        ];
        lake.put(name, paged(&batch(columns), 80_000, pages)).await;
        for (sql, is_left_out) in [
            ("SELECT w, n FROM t WHERE k = 0", true),
            ("SELECT w, n FROM t WHERE k = 3", true),
            ("SELECT w, n FROM t WHERE k <> 3", false),
            ("SELECT w FROM t WHERE k = 0 OR n > 45000", true),
            ("SELECT w, k FROM t WHERE n = 32767 OR n = 32768", true),
            (
                "SELECT w, k FROM t WHERE n = 0 OR n = 79999 OR n = 80000",
                true,
            ),
        ] {
            let some = left_out(&mut lake, sql).await;
            assert_eq!(some > 0, is_left_out, "{name}: {sql}");
        }
    }
}

/// A scan holds few bytes of the rows that pass: those behind them are left to the operator above.
#[tokio::test]
async fn rows_behind_many_large_values_are_not_tested() {
    let mut lake = Lake::new(&[("n", "bigint"), ("w", "string")]);
    let text = |n: i64| match n {
        // No page is left out by its bounds.
        n if n % 500 == 0 => "c".to_owned(),
        33_000..70_000 => format!("b{n:>3000}"),
        _ => format!("a{n}"),
    };
    let columns = vec![("n", ints(0..75_000)), ("w", texts((0..75_000).map(text)))];
    lake.put("f", paged(&batch(columns), 75_000, 1000)).await;
    let sql = "SELECT n FROM t WHERE w >= 'b'";
    assert_eq!(left_out(&mut lake, sql).await, 33_000 - 66);
}

/// Decimals that the file has in 32, 64 and more bits.
#[tokio::test]
async fn decimals_are_tested_with_the_bits_of_the_file() {
    let mut lake = Lake::new(&[
        ("a", "decimal(7,2)"),
        ("b", "decimal(15,2)"),
        ("c", "decimal(30,2)"),
        ("n", "bigint"),
    ]);
    let decimals = |precision, values: &dyn Fn(i64) -> Option<i64>| -> ArrayRef {
        let values = (0..50_000).map(|n| values(n).map(i128::from));
        let values: Decimal128Array = values.collect();
        Arc::new(values.with_precision_and_scale(precision, 2).unwrap())
    };
    let signed = |n: i64| (n * 7919) % 19_999 - 9_999;
    let some = |n: i64| (n % 11 != 0).then(|| signed(n));
    let columns = vec![
        ("a", decimals(7, &some)),
        ("b", decimals(15, &|n| some(n + 5))),
        ("c", decimals(30, &|n| some(n + 9))),
        ("n", ints(0..50_000)),
    ];
    lake.put("f", paged(&batch(columns), 30_000, 4000)).await;
    let decimal = |number: &str, precision| format!("CAST({number} AS DECIMAL({precision}, 2))");
    for (name, precision) in [("a", 7), ("b", 15), ("c", 30)] {
        let number = |number| decimal(number, precision);
        for condition in [
            format!("{name} > {}", number("95.5")),
            format!("{name} <= {} AND n > 3", number("-90.01")),
            format!("{name} BETWEEN {} AND {}", number("-1"), number("1.25")),
            format!("{name} IN ({}, {})", number("5"), number("-7.3")),
            format!("{name} = {} OR n = 77", number("0")),
            format!("{name} IS NULL AND n < 9000"),
            format!("{name} <> {}", number("3")),
            format!("{name} < {}", number("-99999")),
            "a = b".to_owned(),
            "b > c AND n % 2 = 0 AND n < 5000".to_owned(),
        ] {
            for columns in ["*", "a, n", "c, b"] {
                let sql = format!("SELECT {columns} FROM t WHERE {condition}");
                left_out(&mut lake, &sql).await;
            }
        }
        let few = format!("SELECT * FROM t WHERE {name} > {}", number("95.5"));
        assert!(left_out(&mut lake, &few).await > 0, "{name}");
    }
}

#[tokio::test]
async fn rows_without_a_partner_are_not_decoded() {
    let mut lake = mixed_lake().await;
    for sql in [
        "SELECT b.word, b.id FROM t a JOIN t b ON a.id = b.id WHERE a.small < 5000",
        "SELECT b.word FROM t a JOIN t b ON a.small = b.small WHERE a.id < 50",
        "SELECT id, word FROM t WHERE id IN (SELECT small FROM t WHERE ratio = 3.5)",
        "SELECT count(*) FROM t WHERE id NOT IN (SELECT id FROM t WHERE small > 500)",
        "SELECT a.id, b.word FROM t a LEFT JOIN t b ON a.id = b.small WHERE a.id < 3000",
        "SELECT id, word FROM t ORDER BY small, id LIMIT 7",
    ] {
        lake.hot = ColumnCache::none();
        let (expected, _) = measured(&lake, sql, Vec::new()).await;
        for capacity in [0, 64 << 20] {
            lake.hot = ColumnCache::new(capacity);
            let (found, _) = measured(&lake, sql, Vec::new()).await;
            assert_eq!(found.rows, expected.rows, "{sql}");
        }
    }
}

#[tokio::test]
async fn random_conditions_leave_the_same_rows() {
    for seed in 1..=4_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut lake = Lake::new(&COLUMNS);
        let rows = mixed(&mut random, 0..20_000);
        let group = 500 + random.below(20_000) as usize;
        let page = 20 + random.below(3000) as usize;
        lake.put("f", paged(&rows, group, page)).await;
        for _ in 0..6 {
            let small = random.below(1 << 20);
            let width = 1 << random.below(20);
            let ratio = random.below(125);
            let (first, count) = (random.below(20_000), random.below(9000));
            let last = first + count;
            for condition in [
                format!("small BETWEEN {small} AND {}", small + width),
                format!("ratio > {ratio} AND small < {small}"),
                format!("id >= {first} AND id < {last} AND ratio <= {ratio}"),
                format!("flag AND word = '{ratio}' OR id = {first}"),
            ] {
                for columns in ["word, price", "id, bytes, items", "flag, at, day, small"] {
                    let sql = format!("SELECT {columns} FROM t WHERE {condition}");
                    left_out(&mut lake, &sql).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_are_fetched_do_not_tell_which_rows_pass() {
    let mut fetched = Vec::new();
    for hidden in [1, 2] {
        let lake = Lake::new(&[("n", "bigint"), ("k", "bigint"), ("w", "string")]);
        // Bounds say nothing: the least and the greatest key are the same.
        let key = |n: i64| match n % 100 {
            0 => 0,
            1 => 1_000_000,
            _ => hidden,
        };
        let columns = vec![
            ("n", ints(0..20_000)),
            ("k", ints((0..20_000).map(key))),
            ("w", texts((0..20_000).map(|n| format!("{n:>20}")))),
        ];
        lake.put("f", paged(&batch(columns), 20_000, 500)).await;
        let sql = "SELECT w FROM t WHERE k = 1";
        let (read, _) = measured(&lake, sql, Vec::new()).await;
        fetched.push((read.scanned, read.fetched));
    }
    assert_eq!(fetched[0], fetched[1]);
}

#[tokio::test]
async fn structs_beside_the_columns_of_conditions_are_read_as_before() {
    let mut lake = Lake::new(&[("n", "bigint"), ("s", "struct<x:bigint>")]);
    let fields = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
    let pairs = StructArray::new(fields, vec![ints(0..1000)], None);
    let columns = vec![("n", ints(0..1000)), ("s", Arc::new(pairs) as ArrayRef)];
    lake.put("f", file(&batch(columns), 300)).await;
    let sql = "SELECT s FROM t WHERE n = 500";
    assert_eq!(left_out(&mut lake, sql).await, 0);
}
