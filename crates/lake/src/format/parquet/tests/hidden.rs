//! Columns that are hidden and cannot be read do not keep the others from being read, and are not
//! mentioned.

use super::forged::*;
use super::*;

/// The lake as a principal meets it that may select the column `name` alone.
fn granted(lake: &Lake) -> Lake {
    Lake {
        store: Arc::clone(&lake.store),
        roots: Arc::clone(&lake.roots),
        footers: FooterCache::new(1 << 20),
        hot: ColumnCache::new(0),
        table: Arc::new(lake.table.granted(&[1]).unwrap()),
        max_statistics_files: lake.max_statistics_files,
    }
}

fn faulty() -> Vec<(&'static str, Vec<u8>)> {
    let honest = honest();
    let wide = footer(&[
        group("schema", 2),
        leaf("id", 7, 1 << 20),
        leaf("name", 7, 16),
    ]);
    vec![
        (
            "offset",
            with_column(&honest, |c| c.set_data_page_offset(1 << 40)),
        ),
        (
            "negative",
            with_column(&honest, |c| c.set_dictionary_page_offset(Some(-7))),
        ),
        (
            "size",
            with_column(&honest, |c| c.set_total_uncompressed_size(i64::MAX)),
        ),
        ("values", with_column(&honest, |c| c.set_num_values(7))),
        (
            "index",
            with_column(&honest, |c| c.set_column_index_offset(Some(1 << 40))),
        ),
        ("wide", with_footer(&honest, &wide)),
    ]
}

#[tokio::test]
async fn hidden_columns_that_are_damaged_or_too_wide_leave_the_others_readable() {
    for (what, bytes) in faulty() {
        for max_statistics_files in [4096, 0] {
            let mut lake = Lake::new(&[("id", "bigint"), ("name", "string")]);
            lake.max_statistics_files = max_statistics_files;
            lake.put("f.parquet", bytes.as_slice()).await;
            let restricted = granted(&lake);
            let rows = if what == "wide" { "0" } else { "100" };
            assert_eq!(
                restricted.rows("SELECT count(*) FROM t").await,
                [[rows]],
                "{what}"
            );
            let names = restricted
                .rows("SELECT name FROM t WHERE name >= 'name' ORDER BY name")
                .await;
            assert_eq!(names.len().to_string(), rows, "{what}");
            // For all others it is what it was: a damaged file.
            let error = lake.query("SELECT name FROM t").await.unwrap_err();
            assert!(error.message().contains("f.parquet"), "{what}: {error}");
        }
    }
}

#[tokio::test]
async fn file_that_cannot_be_read_at_all_is_not_named_where_columns_are_hidden() {
    let lake = Lake::new(&[("id", "bigint"), ("name", "string")]);
    lake.put("key=secret.parquet", b"PAR1 nothing PAR1".as_slice())
        .await;
    let error = granted(&lake)
        .query("SELECT name FROM t")
        .await
        .unwrap_err();
    assert_eq!(error.message(), "a file of raw.t cannot be read as Parquet");
    assert!(error.full().is_some_and(|full| full.contains("key=secret")));
}
