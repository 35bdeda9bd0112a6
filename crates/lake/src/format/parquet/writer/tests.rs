#![allow(clippy::unwrap_used, clippy::panic)]
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::*;
use crate::roots::Location;

struct Lake(Arc<InMemory>, Location);

fn lake() -> Lake {
    let (store, roots) = crate::testing::lake();
    let folder = roots.locate("s3://lake/t/").unwrap();
    Lake(store, folder)
}

/// Texts that do not compress, lists of one to three numbers, and NULLs among both.
fn rows(numbers: Range<i64>) -> RecordBatch {
    let texts = numbers.clone().map(|n| {
        let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let long: String = (1..=12u64)
            .map(|i| format!("{:016x}", mixed.wrapping_mul(2 * i + 1)))
            .collect();
        (n % 7 != 0).then_some(long)
    });
    let lists = numbers.clone().map(|n| {
        let n = i32::try_from(n).unwrap();
        (n % 5 != 0).then(|| (0..n % 3 + 1).map(move |i| (i != 1).then_some(n)))
    });
    let columns: [(&str, ArrayRef); 3] = [
        ("n", Arc::new(Int64Array::from_iter_values(numbers.clone()))),
        ("text", Arc::new(StringArray::from_iter(texts))),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn create(lake: &Lake) -> Box<ParquetFileWriter> {
    let file = NewFile {
        folder: &lake.1,
        name: "f.parquet",
        schema: rows(0..1).schema(),
        declared: &[],
        codec: Codec::Uncompressed,
        sorted_by: &[],
    };
    Box::new(ParquetFileWriter::create(file).unwrap())
}

/// The rows of each row group.
async fn read(lake: &Lake) -> (Vec<i64>, RecordBatch) {
    let got = lake.0.get(&"t/f.parquet".into()).await.unwrap();
    let bytes = got.bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let row_groups = reader.metadata().row_groups();
    let groups = row_groups.iter().map(|group| group.num_rows()).collect();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    (groups, concat_batches(&schema, &batches).unwrap())
}

#[tokio::test]
async fn row_groups_end_at_their_rows_and_large_files_go_in_parts() {
    let lake = lake();
    let mut file = create(&lake);
    let all = 150_000;
    let mut from = 0;
    // Batches of many sizes: gathered, larger than what is gathered, and over the end of row
    // groups.
    for step in [1, 10, 99_000, 500, 20_000].into_iter().cycle() {
        let until = all.min(from + step);
        file.append(&rows(from..until), usize::MAX, 40_000)
            .await
            .unwrap();
        assert!(file.memory() > 0);
        from = until;
        if from == all {
            break;
        }
    }
    assert!(file.bytes() > 2 * PART_BYTES, "{}", file.bytes());
    file.close().await.unwrap();
    let (groups, written) = read(&lake).await;
    assert_eq!(groups, [40_000, 40_000, 40_000, 30_000]);
    let expected = rows(0..all);
    for column in 0..3 {
        // A list's field has a name of its own in files.
        assert_eq!(written.num_rows(), expected.num_rows());
        if column < 2 {
            assert_eq!(written.column(column), expected.column(column));
        } else {
            let (written, expected) = (written.column(2).as_list::<i32>(), expected.column(2));
            let expected = expected.as_list::<i32>();
            assert_eq!(written.values(), expected.values());
            assert_eq!(written.offsets(), expected.offsets());
            assert_eq!(written.nulls(), expected.nulls());
        }
    }
}

#[tokio::test]
async fn row_groups_end_at_their_bytes_and_what_is_encoded_early_is_not_lost() {
    let lake = lake();
    let mut file = create(&lake);
    for from in (0..40_000).step_by(1_000) {
        file.append(&rows(from..from + 1_000), 2 << 20, usize::MAX)
            .await
            .unwrap();
        if from % 3_000 == 0 {
            file.encode().await.unwrap();
        }
    }
    file.close().await.unwrap();
    let (groups, written) = read(&lake).await;
    assert!((2..10).contains(&groups.len()), "{groups:?}");
    assert_eq!(written.column(0), rows(0..40_000).column(0));
}

#[tokio::test]
async fn files_have_statistics_and_page_indexes() {
    let lake = lake();
    let mut file = create(&lake);
    file.append(&rows(0..50_000), usize::MAX, usize::MAX)
        .await
        .unwrap();
    let closed = file.close().await.unwrap();
    let got = lake.0.get(&"t/f.parquet".into()).await.unwrap();
    let bytes = got.bytes().await.unwrap();
    assert_eq!(closed.bytes, bytes.len() as u64);
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&bytes)
        .unwrap();
    let statistics = metadata.row_group(0).column(0).statistics().unwrap();
    assert_eq!(statistics.min_bytes_opt(), Some(&0i64.to_le_bytes()[..]));
    assert_eq!(
        statistics.max_bytes_opt(),
        Some(&49_999i64.to_le_bytes()[..])
    );
    let pages = metadata.offset_index().unwrap()[0][0].page_locations();
    assert!(pages.len() > 1, "{pages:?}");
    let ColumnIndexMetaData::INT64(index) = &metadata.column_index().unwrap()[0][0] else {
        panic!("the first column has no index");
    };
    assert_eq!(index.min_value(0), Some(&0));
    assert_eq!(index.max_value(pages.len() - 1), Some(&49_999));
}

#[tokio::test]
async fn order_of_rows_is_recorded_by_leaf_and_flushed_rows_are_a_row_group() {
    let lake = lake();
    // The last column is a leaf behind two of a struct.
    let of_struct = Fields::from(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Int32, true),
    ]);
    let schema = Arc::new(Schema::new(vec![
        Field::new("s", DataType::Struct(of_struct.clone()), true),
        Field::new("n", DataType::Int64, true),
    ]));
    let key = |column, descending| SortKey { column, descending };
    let mut file = ParquetFileWriter::create(NewFile {
        folder: &lake.1,
        name: "f.parquet",
        schema: Arc::clone(&schema),
        declared: &[],
        codec: Codec::Uncompressed,
        sorted_by: &[key(1, true)],
    })
    .unwrap();
    let batch = RecordBatch::try_new(
        schema,
        vec![
            Arc::new(StructArray::new_null(of_struct, 50_000)),
            Arc::new(Int64Array::from_iter_values((0..50_000).rev())),
        ],
    )
    .unwrap();
    file.write(&batch).await.unwrap();
    file.flush().await.unwrap();
    file.flush().await.unwrap();
    file.write(&batch).await.unwrap();
    Box::new(file).close().await.unwrap();
    let got = lake.0.get(&"t/f.parquet".into()).await.unwrap();
    let bytes = got.bytes().await.unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes);
    let metadata = metadata.unwrap();
    assert_eq!(metadata.num_row_groups(), 2);
    for group in metadata.row_groups() {
        let sorting = group.sorting_columns().unwrap();
        assert_eq!(sorting.len(), 1);
        assert_eq!(sorting[0].column_idx, 2);
        assert!(sorting[0].descending && !sorting[0].nulls_first);
    }
}

#[tokio::test]
async fn file_that_is_given_up_is_not_there() {
    let lake = lake();
    let mut file = create(&lake);
    file.append(&rows(0..100_000), usize::MAX, 30_000)
        .await
        .unwrap();
    file.abort().await;
    assert!(lake.0.get(&"t/f.parquet".into()).await.is_err());
}
