//! Pruning by buckets: the files of a bucketed table that can hold rows for conditions on all of
//! its bucketing columns, by the buckets in their names.
//!
//! Files are left out only where the catalog records Hive's first hash function, which is the one
//! that Lakegate, Athena and Trino write buckets with, and where each file of a partition has a
//! bucket. Floating-point numbers do not prune: 0 and -0 are equal and have other hashes. ALTER TABLE
//! takes the function out of the catalog if it changes what the files say of a bucketing column.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::Expr;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{BUCKETING_VERSION, Column, StorageDescriptor, Table};
use lakegate_catalog::store::MAX_BUCKETS;

use super::hidden_columns::buckets::of_file;
use super::key_sets::key_sets;
use super::{PartitionSource, SnapshotPartition};
use crate::write::buckets::{bucket, possible_hashes, with_hash};

/// The property that names the writer of a table's buckets: `spark`, or `hive`, which is the default.
const BUCKETING_FORMAT: &str = "bucketing_format";

/// The most combinations of values whose buckets are looked for.
const MAX_HASHES: usize = 4096;

/// The buckets that can hold matching rows.
#[derive(Debug)]
pub(super) struct WantedBuckets {
    /// How many the table has.
    count: i32,
    wanted: BTreeSet<i32>,
}

impl WantedBuckets {
    /// `None`: every bucket can.
    pub(super) fn of(
        table: &Table,
        partitions: &PartitionSource,
        filters: &[Expr],
    ) -> Option<Self> {
        let storage = &table.storage_descriptor;
        let known = u32::try_from(storage.number_of_buckets).ok();
        let count = known.filter(|count| (2..=MAX_BUCKETS).contains(count))?;
        let version = table.parameters.get(BUCKETING_VERSION);
        if version.is_none_or(|version| version != "1") || storage.bucket_columns.is_empty() {
            return None;
        }
        // Spark divides rows by another function.
        let writer = table.parameters.get(BUCKETING_FORMAT);
        if writer.is_some_and(|writer| !writer.eq_ignore_ascii_case("hive")) {
            return None;
        }
        let columns = storage.bucketing_columns();
        let fields = columns.map(|found| field(found?.1));
        let keys = Schema::new(fields.collect::<Option<Vec<Field>>>()?);
        let mut hashes = BTreeSet::from([0]);
        for set in key_sets(filters, &keys) {
            let values = set.listed(MAX_HASHES)?;
            let of_column: BTreeSet<i32> = values.into_iter().flat_map(possible_hashes).collect();
            if hashes.len().saturating_mul(of_column.len()) > MAX_HASHES {
                return None;
            }
            let sums = hashes.iter().flat_map(|sum| {
                let hashes = of_column.iter();
                hashes.map(move |hash| with_hash(*sum, *hash))
            });
            hashes = sums.collect();
        }
        if !have_buckets_of(partitions, storage) {
            return None;
        }
        let wanted = hashes.into_iter().map(|hash| bucket(hash, count));
        Some(Self {
            count: storage.number_of_buckets,
            wanted: wanted
                .filter_map(|bucket| i32::try_from(bucket).ok())
                .collect(),
        })
    }

    /// Leaves out the files of other buckets, in partitions each of whose files has one.
    pub(super) fn retain_files(&self, partitions: &mut [SnapshotPartition]) {
        for partition in partitions {
            let files = partition.files.iter();
            let buckets = files.map(|file| of_file(file.path.filename()?, self.count));
            let Some(buckets) = buckets.collect::<Option<Vec<i32>>>() else {
                continue;
            };
            let mut wanted = buckets.iter().map(|bucket| self.wanted.contains(bucket));
            partition.files.retain(|_| wanted.next().unwrap_or(true));
        }
    }
}

/// A bucketing column, of a type by which conditions on it are understood. `None`: there is none.
fn field(column: &Column) -> Option<Field> {
    let hive: HiveType = column.data_type.parse().ok()?;
    let data_type = match &hive {
        HiveType::TinyInt
        | HiveType::SmallInt
        | HiveType::Int
        | HiveType::BigInt
        | HiveType::Date => hive.to_arrow(),
        HiveType::String | HiveType::Varchar(_) => DataType::Utf8,
        _ => return None,
    };
    Some(Field::new(&column.name, data_type, true))
}

/// Whether the registered partitions have the buckets of their table.
fn have_buckets_of(partitions: &PartitionSource, storage: &StorageDescriptor) -> bool {
    let PartitionSource::Registered { partitions, .. } = partitions else {
        return true;
    };
    let bucketing = storage.bucketing();
    let mut last: Option<&Arc<StorageDescriptor>> = None;
    partitions.items.iter().all(|partition| {
        // Most partitions share one descriptor.
        let own = &partition.storage_descriptor;
        if last.is_some_and(|last| Arc::ptr_eq(last, own)) {
            return true;
        }
        last = Some(own);
        own.number_of_buckets == storage.number_of_buckets
            && own.bucket_columns == storage.bucket_columns
            && own.bucketing() == bucketing
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray};
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::{col, lit};
    use lakegate_catalog::model::TableInput;

    use super::*;
    use crate::write::buckets::Buckets;

    const COUNT: i32 = 7;

    fn table(columns: &[(&str, &str)], version: Option<&str>) -> Table {
        let version = version.map(|version| (BUCKETING_VERSION.to_owned(), version.to_owned()));
        let input = TableInput {
            name: "t".to_owned(),
            storage_descriptor: StorageDescriptor {
                columns: columns
                    .iter()
                    .map(|(name, data_type)| Column::new(*name, *data_type))
                    .collect(),
                number_of_buckets: COUNT,
                bucket_columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
                ..StorageDescriptor::default()
            },
            parameters: version.into_iter().collect(),
            ..TableInput::default()
        };
        Table::of_input(input, "d", chrono::Utc::now())
    }

    fn wanted(table: &Table, filter: Expr) -> Option<Vec<i32>> {
        let found = WantedBuckets::of(table, &PartitionSource::Unpartitioned, &[filter]);
        found.map(|found| found.wanted.into_iter().collect())
    }

    /// Checks that the bucket which a row is written to is among those of conditions on its values.
    fn check(data_type: &str, values: ArrayRef) {
        let table = table(&[("a", data_type)], Some("1"));
        let hive: HiveType = data_type.parse().unwrap();
        let buckets = Buckets::new("d.t", &[("a", 0, hive)], COUNT).unwrap();
        let rows = RecordBatch::try_from_iter_with_nullable([("a", values, true)]).unwrap();
        let written = buckets.of_rows(&rows).unwrap();
        for row in 0..rows.num_rows() {
            let value = ScalarValue::try_from_array(rows.column(0), row).unwrap();
            let filter = match value.is_null() {
                true => col("a").is_null(),
                false => col("a").eq(lit(value.clone())),
            };
            let found = wanted(&table, filter).unwrap();
            let bucket = i32::try_from(written.value(row)).unwrap();
            assert!(found.contains(&bucket), "{data_type} {value}: {found:?}");
            // One of each type that the column may have had.
            assert!(found.len() <= 2, "{data_type} {value}: {found:?}");
        }
    }

    #[test]
    fn rows_are_in_the_buckets_that_their_values_want() {
        let mut state: u64 = 7;
        let mut numbers: Vec<i64> = (0..500)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 13).cast_signed() - (1 << 50)
            })
            .collect();
        numbers.extend([
            0,
            1,
            -1,
            i64::MIN,
            i64::MAX,
            i64::from(i32::MIN),
            i64::from(i32::MAX),
        ]);
        let narrow = || {
            numbers
                .iter()
                .map(|number| Some(*number as i32))
                .chain([None])
        };
        let texts = numbers.iter().map(|number| Some(format!("é{number}")));
        let texts: StringArray = texts.chain([Some(String::new()), None]).collect();
        check("int", Arc::new(narrow().collect::<Int32Array>()));
        check("date", Arc::new(narrow().collect::<Date32Array>()));
        let wide = numbers.iter().copied().map(Some).chain([None]);
        check("bigint", Arc::new(wide.collect::<Int64Array>()));
        check("string", Arc::new(texts.clone()));
        check("varchar(40)", Arc::new(texts));
    }

    #[test]
    fn all_bucketing_columns_need_a_condition() {
        let two = table(&[("a", "int"), ("b", "string")], Some("1"));
        assert_eq!(wanted(&two, col("a").eq(lit(1))), None);
        let both = col("a").eq(lit(1)).and(col("b").eq(lit("x")));
        let rows = RecordBatch::try_from_iter([
            ("a", Arc::new(Int32Array::from(vec![1])) as ArrayRef),
            ("b", Arc::new(StringArray::from(vec!["x"])) as ArrayRef),
        ])
        .unwrap();
        let columns = [("a", 0, HiveType::Int), ("b", 1, HiveType::String)];
        let buckets = Buckets::new("d.t", &columns, COUNT).unwrap();
        let written = buckets.of_rows(&rows).unwrap().value(0);
        let found = wanted(&two, both).unwrap();
        assert!(
            found.contains(&i32::try_from(written).unwrap()),
            "{found:?}"
        );
        let nothing = col("a").eq(lit(ScalarValue::Int32(None)));
        assert_eq!(
            wanted(&two, nothing.and(col("b").eq(lit("x")))),
            Some(vec![])
        );
    }

    #[test]
    fn nothing_is_left_out_by_other_hashes_types_and_conditions() {
        let one = |data_type: &str| table(&[("a", data_type)], Some("1"));
        let equal = || col("a").eq(lit(5));
        assert_eq!(wanted(&one("int"), equal()), Some(vec![5]));
        assert_eq!(wanted(&table(&[("a", "int")], None), equal()), None);
        assert_eq!(wanted(&table(&[("a", "int")], Some("2")), equal()), None);
        for (writer, found) in [("spark", None), ("Hive", Some(vec![5]))] {
            let mut table = one("int");
            let property = (BUCKETING_FORMAT.to_owned(), writer.to_owned());
            table.parameters.extend([property]);
            assert_eq!(wanted(&table, equal()), found, "{writer}");
        }
        assert_eq!(wanted(&one("double"), col("a").eq(lit(5.0))), None);
        assert_eq!(wanted(&one("int"), col("a").gt(lit(5))), None);
        assert_eq!(wanted(&one("int"), equal().or(col("b").eq(lit(1)))), None);
        let list = vec![lit(5), lit(6), lit(12)];
        assert_eq!(
            wanted(&one("int"), col("a").in_list(list, false)),
            Some(vec![5, 6])
        );
        let many = (0..5_000).map(lit).collect();
        assert_eq!(wanted(&one("int"), col("a").in_list(many, false)), None);
    }
}
