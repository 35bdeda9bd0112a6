//! Tables whose columns are those of a file at the same places, whatever they are called there.

use arrow::array::StructArray;

use super::*;

fn by_place(columns: &[(&str, &str)]) -> Lake {
    let lake = Lake::new(columns);
    let mut definition = Table::clone(&lake.table.table);
    let access = "parquet.column.index.access".to_owned();
    definition.parameters.insert(access, "true".to_owned());
    Lake {
        table: Arc::new(typed(&Arc::new(definition), None).unwrap()),
        ..lake
    }
}

/// Rows 0 to 9999. The file calls its second column what the table calls its first.
fn other_names() -> RecordBatch {
    let inner: ArrayRef = ints((0..10_000).map(|i| i * 2));
    let field = Arc::new(Field::new("Inner", inner.data_type().clone(), true));
    batch(vec![
        ("x", ints(0..10_000)),
        ("id", texts((0..10_000).map(|i| format!("n{i:04}")))),
        ("pair", Arc::new(StructArray::from(vec![(field, inner)]))),
    ])
}

const TABLE: [(&str, &str); 4] = [
    ("id", "bigint"),
    ("name", "string"),
    ("x", "struct<missing:int,inner:bigint>"),
    ("later", "int"),
];

#[tokio::test]
async fn values_are_those_at_the_place_of_a_column() {
    for bytes in [
        file(&other_names(), 1000),
        foreign_file(&other_names(), 1000),
    ] {
        let mut lake = by_place(&TABLE);
        lake.put("f.parquet", bytes).await;
        for max_statistics_files in [0, 4096] {
            lake.max_statistics_files = max_statistics_files;
            assert_eq!(
                lake.rows("SELECT * FROM t WHERE id = 7").await,
                [["7", "n0007", "{missing: NULL, inner: 14}", "NULL"]]
            );
            assert_eq!(
                lake.rows("SELECT x['inner'] FROM t WHERE name = 'n0999' AND later IS NULL")
                    .await,
                [["1998"]]
            );
            assert_eq!(
                lake.rows("SELECT count(id), min(id), max(id), min(name), count(later) FROM t")
                    .await,
                [["10000", "0", "9999", "n0000", "0"]]
            );
        }
    }
}

#[tokio::test]
async fn row_groups_are_pruned_by_the_columns_at_their_places() {
    let mut lake = by_place(&TABLE);
    lake.put("f.parquet", file(&other_names(), 1000)).await;
    for max_statistics_files in [0, 4096] {
        lake.max_statistics_files = max_statistics_files;
        let query = async |sql: &str| lake.query(sql).await.unwrap();
        let one = query("SELECT name FROM t WHERE id = 555").await;
        assert_eq!(one.rows, [["n0555"]]);
        let all = query("SELECT name, id FROM t").await;
        assert_eq!(all.rows.len(), 10_000);
        assert!(one.scanned * 2 < all.scanned);
    }
}

#[tokio::test]
async fn a_granted_column_has_its_own_place_whatever_the_file_calls_the_others() {
    let lake = by_place(&[("hidden", "string"), ("name", "string"), ("more", "int")]);
    let columns = batch(vec![
        ("name", texts(["secret"])),
        ("hidden", texts(["shown"])),
        ("more", ints([1])),
    ]);
    lake.put("f.parquet", file(&columns, 1000)).await;
    for granted in [vec![1], vec![1, 2]] {
        let lake = Lake {
            store: Arc::clone(&lake.store),
            roots: Arc::clone(&lake.roots),
            footers: lake.footers.clone(),
            hot: lake.hot.clone(),
            table: Arc::new(lake.table.granted(&granted).unwrap()),
            max_statistics_files: lake.max_statistics_files,
        };
        assert_eq!(lake.rows("SELECT name FROM t").await, [["shown"]]);
        let secret = lake.rows("SELECT name FROM t WHERE name = 'secret'").await;
        assert!(secret.is_empty());
    }
}

#[tokio::test]
async fn one_file_serves_tables_that_find_columns_by_name_and_by_place() {
    let placed = by_place(&[("b", "bigint"), ("a", "bigint")]);
    let columns = batch(vec![("a", ints([1])), ("b", ints([2]))]);
    placed.put("f.parquet", file(&columns, 1000)).await;
    let named = Lake::new(&[("b", "bigint"), ("a", "bigint")]);
    let named = Lake {
        store: Arc::clone(&placed.store),
        roots: Arc::clone(&placed.roots),
        footers: placed.footers.clone(),
        ..named
    };
    for _ in 0..2 {
        assert_eq!(placed.rows("SELECT a, b FROM t").await, [["2", "1"]]);
        assert_eq!(named.rows("SELECT a, b FROM t").await, [["1", "2"]]);
    }
}

#[tokio::test]
async fn a_hot_file_serves_tables_that_find_columns_by_name_and_by_place() {
    let columns = [("b", "string"), ("a", "string")];
    let placed = Lake {
        hot: ColumnCache::new(1 << 20),
        ..by_place(&columns)
    };
    let rows = batch(vec![("a", texts(["1", "3"])), ("b", texts(["2", "4"]))]);
    placed.put("f.parquet", file(&rows, 1000)).await;
    let named = Lake {
        store: Arc::clone(&placed.store),
        roots: Arc::clone(&placed.roots),
        footers: placed.footers.clone(),
        hot: placed.hot.clone(),
        ..Lake::new(&columns)
    };
    // The index of pages is read for the condition.
    let sql = "SELECT a, b FROM t WHERE b >= '3'";
    for _ in 0..3 {
        assert_eq!(placed.rows(sql).await, [["4", "3"]]);
        assert_eq!(named.rows(sql).await, [["3", "4"]]);
    }
    assert!(placed.hot.hits() > 0);
}

#[tokio::test]
async fn a_column_of_another_type_at_its_place_is_an_error_by_the_name_of_the_table() {
    let lake = by_place(&[("name", "string"), ("id", "bigint")]);
    lake.put("f.parquet", file(&other_names(), 1000)).await;
    let error = lake.query("SELECT id FROM t").await.unwrap_err();
    assert_eq!(error.code(), lakegate_error::Code::TypeMismatch);
    assert!(error.message().contains("column 'id'"), "{error}");
}
