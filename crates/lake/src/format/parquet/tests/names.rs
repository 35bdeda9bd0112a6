//! A file's columns are the table's whatever their case, for values, statistics and pruning alike.

use arrow::array::{Array, FixedSizeListArray, Float32Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;

use super::*;

const ROWS: i64 = 10_000;

/// Rows 0 to 9999, with every name in another case than the table's.
fn shouting() -> RecordBatch {
    let part = |name: &str, array: ArrayRef| {
        (
            Arc::new(Field::new(name, array.data_type().clone(), true)),
            array,
        )
    };
    let inner = StructArray::from(vec![part("Deep", ints(0..ROWS))]);
    let pair = StructArray::from(vec![
        part("A", ints((0..ROWS).map(|i| i * 2))),
        part("Inner", Arc::new(inner)),
    ]);
    let sku = StructArray::from(vec![part("SKU", ints(0..ROWS))]);
    let item = Arc::new(Field::new("Element", sku.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(vec![1; usize::try_from(ROWS).unwrap()]);
    let items = ListArray::new(item, offsets, Arc::new(sku), None);
    batch(vec![
        ("ID", ints(0..ROWS)),
        ("Name", texts((0..ROWS).map(|i| format!("n{i:04}")))),
        ("Pair", Arc::new(pair)),
        ("ITEMS", Arc::new(items)),
    ])
}

const TABLE: [(&str, &str); 5] = [
    ("items", "array<struct<sku:bigint>>"),
    ("name", "string"),
    ("pair", "struct<inner:struct<deep:bigint>,a:bigint>"),
    ("id", "bigint"),
    ("other", "int"),
];

#[tokio::test]
async fn values_are_found_whatever_the_case_of_their_columns_and_fields() {
    for bytes in [file(&shouting(), 1000), foreign_file(&shouting(), 1000)] {
        let lake = Lake::new(&TABLE);
        lake.put("f.parquet", bytes).await;
        assert_eq!(
            lake.rows("SELECT id, name, other, pair, items FROM t WHERE id = 7")
                .await,
            [[
                "7",
                "n0007",
                "NULL",
                "{inner: {deep: 7}, a: 14}",
                "[{sku: 7}]"
            ]]
        );
        assert_eq!(
            lake.rows("SELECT pair['inner']['deep'], items[1]['sku'] FROM t WHERE name = 'n0999'")
                .await,
            [["999", "999"]]
        );
    }
}

#[tokio::test]
async fn row_groups_are_pruned_by_columns_of_another_case() {
    let mut lake = Lake::new(&TABLE);
    lake.put("f.parquet", file(&shouting(), 1000)).await;
    // With and without statistics while planning: either way the scan prunes for itself.
    for max_statistics_files in [0, 4096] {
        lake.max_statistics_files = max_statistics_files;
        let one = lake
            .query("SELECT name FROM t WHERE id = 555")
            .await
            .unwrap();
        assert_eq!(one.rows, [["n0555"]]);
        let all = lake.query("SELECT name, id FROM t").await.unwrap();
        assert_eq!(all.rows.len(), 10_000);
        let footer = lake
            .query("SELECT name FROM t WHERE id = -1")
            .await
            .unwrap();
        assert!(footer.rows.is_empty());
        let pages = |answer: &Answer| answer.scanned - footer.scanned;
        assert!(
            pages(&one) > 0 && pages(&one) * 5 < pages(&all),
            "{} of {} bytes, {} of them the footer",
            one.scanned,
            all.scanned,
            footer.scanned
        );
    }
}

#[tokio::test]
async fn statistics_are_those_of_the_columns_of_another_case() {
    let lake = Lake::new(&TABLE);
    let part = |from: usize| file(&shouting().slice(from, 500), 100);
    lake.put("1.parquet", part(0)).await;
    lake.put("2.parquet", part(500)).await;
    // Answered from footers alone.
    let answer = lake
        .query("SELECT count(*), count(id), min(id), max(id) FROM t")
        .await
        .unwrap();
    assert_eq!(answer.rows, [["1000", "1000", "0", "999"]]);
    let one = lake.query("SELECT id FROM t WHERE id = 555").await.unwrap();
    assert_eq!((one.rows.len(), one.opened.files), (1, 1));
    assert_eq!(one.opened.bytes, part(500).len() as u64);
    let none = lake.query("SELECT id FROM t WHERE id = -5").await.unwrap();
    assert_eq!((none.rows.len(), none.opened.files), (0, 0));
    let all = lake.query("SELECT id FROM t WHERE id >= 0").await.unwrap();
    assert_eq!((all.rows.len(), all.opened.files), (1000, 2));
}

#[tokio::test]
async fn charge_of_a_file_does_not_depend_on_the_case_of_its_columns() {
    let scanned = async |name: &str| {
        let lake = Lake::new(&[("id", "bigint"), ("name", "string")]);
        let rows = batch(vec![
            (name, ints(0..100)),
            ("name", texts((0..100).map(|i| i.to_string()))),
        ]);
        lake.put("f.parquet", foreign_file(&rows, 10)).await;
        let cold = lake.query("SELECT sum(id) FROM t").await.unwrap();
        assert_eq!(cold.rows, [["4950"]]);
        let warm = lake.query("SELECT sum(id) FROM t").await.unwrap();
        assert_eq!(cold.scanned, warm.scanned);
        cold.scanned
    };
    assert_eq!(scanned("ID").await, scanned("id").await);
}

#[tokio::test]
async fn first_of_the_columns_of_one_name_is_read() {
    let lake = Lake::new(&[("id", "bigint")]);
    let rows = batch(vec![
        ("ID", ints([1])),
        ("Id", ints([2])),
        ("id", ints([3])),
    ]);
    lake.put("f.parquet", file(&rows, 10)).await;
    assert_eq!(lake.rows("SELECT id FROM t").await, [["1"]]);

    let rows = batch(vec![("x", ints([0])), ("Id", ints([1])), ("ID", ints([2]))]);
    for bytes in [file(&rows, 10), foreign_file(&rows, 10)] {
        lake.put("f.parquet", bytes).await;
        assert_eq!(lake.rows("SELECT id FROM t").await, [["1"]]);
        assert_eq!(
            lake.rows("SELECT min(id), max(id) FROM t").await,
            [["1", "1"]]
        );
    }
}

#[tokio::test]
async fn column_of_another_case_and_another_type_is_reported_by_the_tables_name() {
    let lake = Lake::new(&[("id", "bigint")]);
    let rows = batch(vec![("ID", texts(["x"]))]);
    lake.put("f.parquet", file(&rows, 10)).await;
    let error = lake.query("SELECT id FROM t").await.unwrap_err();
    assert_eq!(error.code(), lakegate_error::Code::TypeMismatch);
    for part in ["column 'id'", "raw.t", "s3://lake/t/f.parquet", "string"] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[tokio::test]
async fn list_of_fixed_length_is_a_list() {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let values = Arc::new(Float32Array::from(vec![1.5, 2.5, 3.5, 4.5]));
    let vectors = FixedSizeListArray::new(item, 2, values, None);
    let lake = Lake::new(&[("vector", "array<float>")]);
    let rows = batch(vec![("Vector", Arc::new(vectors))]);
    lake.put("f.parquet", file(&rows, 10)).await;
    assert_eq!(
        lake.rows("SELECT vector FROM t").await,
        [["[1.5, 2.5]"], ["[3.5, 4.5]"]]
    );
}

#[tokio::test]
async fn field_of_a_struct_is_read_without_the_others() {
    use arrow::array::Float64Array;

    let part = |name: &str, array: ArrayRef| {
        (
            Arc::new(Field::new(name, array.data_type().clone(), true)),
            array,
        )
    };
    let nan = -f64::NAN;
    let numbers = Float64Array::from_iter_values((0..ROWS).map(|i| if i == 0 { nan } else { 0.5 }));
    let pair = StructArray::from(vec![
        part("X", Arc::new(numbers)),
        part("Long", texts((0..ROWS).map(|i| format!("a long text {i}")))),
    ]);
    let lake = Lake::new(&[("s", "struct<x:double,long:string,none:double>")]);
    let bytes = file(&batch(vec![("s", Arc::new(pair))]), 5000);
    lake.put("f.parquet", bytes).await;
    let all = lake.query("SELECT s FROM t").await.unwrap();
    let x = lake
        .query("SELECT s['x'], s['none'] FROM t WHERE s['x'] > 1")
        .await
        .unwrap();
    assert_eq!(x.rows, [["NaN", "NULL"]]);
    assert_eq!(all.rows[0], ["{x: NaN, long: a long text 0, none: NULL}"]);
    assert!(
        x.scanned * 4 < all.scanned,
        "{} of {}",
        x.scanned,
        all.scanned
    );
}
