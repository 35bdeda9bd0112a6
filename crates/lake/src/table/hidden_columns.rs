//! The hidden columns of a table: what is known of the file that a row comes from, without reading
//! the file.
//!
//! | column | type | value |
//! |---|---|---|
//! | `$path` | string | the URL of the file |
//! | `$file_size` | bigint | its bytes |
//! | `$file_modified_time` | timestamp with time zone | when it was written last, in whole milliseconds |
//! | `$partition` | string | `key=value/key=value`; the column of partitioned tables only |
//! | `$bucket` | integer | its bucket, if the name of the file has one; the column of bucketed tables only |
//!
//! They follow the partition keys, and are constants of a file as these are: a filter on them is
//! decided before a file is opened.

pub(super) mod buckets;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use lakegate_error::{Error, Result};

use super::prune;
use super::{DataFile, SnapshotPartition};

/// Files and partitions whose values are in memory at once while filters are evaluated.
const CHUNK: usize = 8192;

/// A column of every table that only queries which name it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenColumn {
    Path,
    FileSize,
    FileModifiedTime,
    Partition,
    Bucket,
}

impl HiddenColumn {
    const ALL: [Self; 5] = [
        Self::Path,
        Self::FileSize,
        Self::FileModifiedTime,
        Self::Partition,
        Self::Bucket,
    ];

    /// The name in SQL, which begins with `$`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "$path",
            Self::FileSize => "$file_size",
            Self::FileModifiedTime => "$file_modified_time",
            Self::Partition => "$partition",
            Self::Bucket => "$bucket",
        }
    }

    /// Returns the column of a name in lower case.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

/// The hidden columns of one table.
#[derive(Debug, Clone)]
pub struct HiddenColumns {
    columns: Vec<HiddenColumn>,
    fields: Vec<FieldRef>,
    /// The partition keys and then the hidden columns.
    constants: SchemaRef,
    /// The session's time zone.
    zone: Arc<str>,
    /// How many buckets the table has.
    buckets: i32,
}

impl HiddenColumns {
    /// The hidden columns of a table, except those whose name is that of an ordinary column.
    ///
    /// `schema`: all columns of the table. `keys`: its partition keys. `buckets`: how many it has.
    /// `zone`: the time zone of `$file_modified_time`.
    pub(super) fn of(schema: &SchemaRef, keys: &SchemaRef, buckets: i32, zone: &str) -> Self {
        let zone: Arc<str> = zone.into();
        let is_partitioned = !keys.fields().is_empty();
        let columns: Vec<HiddenColumn> = HiddenColumn::ALL
            .into_iter()
            .filter(|column| match column {
                HiddenColumn::Partition => is_partitioned,
                HiddenColumn::Bucket => buckets > 0,
                _ => true,
            })
            .filter(|column| schema.field_with_name(column.name()).is_err())
            .collect();
        let field = |column: &HiddenColumn| {
            let data_type = match column {
                HiddenColumn::Path | HiddenColumn::Partition => DataType::Utf8,
                HiddenColumn::FileSize => DataType::Int64,
                HiddenColumn::Bucket => DataType::Int32,
                HiddenColumn::FileModifiedTime => {
                    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&zone)))
                }
            };
            Arc::new(Field::new(column.name(), data_type, true))
        };
        let fields: Vec<FieldRef> = columns.iter().map(field).collect();
        let constants = keys.fields().iter().chain(&fields).cloned();
        let constants = Arc::new(Schema::new(constants.collect::<Vec<_>>()));
        Self {
            columns,
            fields,
            constants,
            zone,
            buckets,
        }
    }

    pub fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.name())
    }

    /// The columns that are constant within a file: the partition keys and the hidden columns.
    pub(super) fn constants(&self) -> &SchemaRef {
        &self.constants
    }

    /// The values of the columns for the rows of a file.
    pub(crate) fn values(
        &self,
        partition: &SnapshotPartition,
        file: &DataFile,
    ) -> impl Iterator<Item = ScalarValue> {
        self.columns.iter().map(move |column| match column {
            HiddenColumn::Path => ScalarValue::Utf8(Some(path(partition, file))),
            HiddenColumn::FileSize => ScalarValue::Int64(Some(size(file))),
            HiddenColumn::FileModifiedTime => ScalarValue::TimestampMicrosecond(
                Some(modified_time(file)),
                Some(Arc::clone(&self.zone)),
            ),
            HiddenColumn::Partition => ScalarValue::Utf8(Some(partition.name.to_string())),
            HiddenColumn::Bucket => ScalarValue::Int32(bucket(file, self.buckets)),
        })
    }

    /// Of the rows of `values`, those whose partition can hold matching rows. `name`: the name of
    /// the partition in a row of `values`.
    ///
    /// # Errors
    /// A filter that fails, as the query itself would.
    pub(super) fn matching_partitions(
        &self,
        filters: &[Expr],
        values: &RecordBatch,
        rows: Vec<usize>,
        name: impl Fn(usize) -> String,
    ) -> Result<Vec<usize>> {
        if !self.names_any(filters, &[HiddenColumn::Partition]) {
            return Ok(rows);
        }
        let field = Field::new(HiddenColumn::Partition.name(), DataType::Utf8, true);
        let fields = values.schema();
        let fields = fields.fields().iter().cloned();
        let schema: Vec<FieldRef> = fields.chain([Arc::new(field)]).collect();
        let schema = Arc::new(Schema::new(schema));
        let mut kept = Vec::new();
        for rows in rows.chunks(CHUNK) {
            let places: UInt64Array = rows.iter().map(|row| u64::try_from(*row).ok()).collect();
            let taken = arrow::compute::take_record_batch(values, &places).map_err(not_a_batch)?;
            let names = StringArray::from_iter_values(rows.iter().map(|row| name(*row)));
            let mut columns = taken.columns().to_vec();
            columns.push(Arc::new(names));
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(not_a_batch)?;
            let matching = prune::matching(filters, &batch)?.into_iter();
            kept.extend(matching.filter_map(|place| rows.get(place)));
        }
        Ok(kept)
    }

    /// Leaves out the files that the filters rule out by the constants of the file.
    ///
    /// # Errors
    /// A filter that fails, as the query itself would.
    pub(super) async fn retain_files(
        &self,
        filters: &[Expr],
        partitions: &mut [SnapshotPartition],
    ) -> Result<()> {
        if !self.names_any(filters, &HiddenColumn::ALL) {
            return Ok(());
        }
        let places = partitions
            .iter()
            .enumerate()
            .flat_map(|(place, partition)| {
                (0..partition.files.len()).map(move |file| (place, file))
            });
        let places: Vec<(usize, usize)> = places.collect();
        let mut kept: Vec<Vec<bool>> = partitions
            .iter()
            .map(|partition| vec![false; partition.files.len()])
            .collect();
        for places in places.chunks(CHUNK) {
            let files: Vec<(&SnapshotPartition, &DataFile)> = places
                .iter()
                .map(|(partition, file)| {
                    let partition = &partitions[*partition];
                    (partition, &partition.files[*file])
                })
                .collect();
            for row in prune::matching(filters, &self.batch(&files)?)? {
                let (partition, file) = places[row];
                kept[partition][file] = true;
            }
            // The query may be stopped between two chunks.
            tokio::task::yield_now().await;
        }
        for (partition, kept) in partitions.iter_mut().zip(kept) {
            let mut kept = kept.into_iter();
            partition.files.retain(|_| kept.next().unwrap_or(true));
        }
        Ok(())
    }

    /// The constants of files, a row each.
    fn batch(&self, files: &[(&SnapshotPartition, &DataFile)]) -> Result<RecordBatch> {
        let keys = self.constants.fields().len() - self.fields.len();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.constants.fields().len());
        for key in 0..keys {
            let values = files
                .iter()
                .filter_map(|(partition, _)| partition.values.get(key).cloned());
            arrays.push(ScalarValue::iter_to_array(values).map_err(|e| {
                Error::internal(format!("partition values do not form an array: {e}"))
            })?);
        }
        arrays.extend(self.columns.iter().map(|column| -> ArrayRef {
            match column {
                HiddenColumn::Path => {
                    let paths = files.iter().map(|(partition, file)| path(partition, file));
                    Arc::new(StringArray::from_iter_values(paths))
                }
                HiddenColumn::FileSize => {
                    let sizes = files.iter().map(|(_, file)| size(file));
                    Arc::new(Int64Array::from_iter_values(sizes))
                }
                HiddenColumn::FileModifiedTime => {
                    let times = files.iter().map(|(_, file)| modified_time(file));
                    let times = TimestampMicrosecondArray::from_iter_values(times);
                    Arc::new(times.with_timezone(Arc::clone(&self.zone)))
                }
                HiddenColumn::Partition => {
                    let names = files.iter().map(|(partition, _)| partition.name.as_ref());
                    Arc::new(StringArray::from_iter_values(names))
                }
                HiddenColumn::Bucket => {
                    let buckets = files.iter().map(|(_, file)| bucket(file, self.buckets));
                    Arc::new(buckets.collect::<Int32Array>())
                }
            }
        }));
        let options = RecordBatchOptions::new().with_row_count(Some(files.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.constants), arrays, &options)
            .map_err(not_a_batch)
    }

    /// Whether a filter names one of `wanted`, as far as the table has it.
    fn names_any(&self, filters: &[Expr], wanted: &[HiddenColumn]) -> bool {
        filters.iter().any(|filter| {
            let mut columns = filter.column_refs().into_iter();
            columns.any(|column| {
                HiddenColumn::of_name(&column.name)
                    .is_some_and(|named| self.columns.contains(&named) && wanted.contains(&named))
            })
        })
    }
}

fn path(partition: &SnapshotPartition, file: &DataFile) -> String {
    partition.location.root.display_path(&file.path)
}

fn bucket(file: &DataFile, buckets: i32) -> Option<i32> {
    buckets::of_file(file.path.filename()?, buckets)
}

fn size(file: &DataFile) -> i64 {
    i64::try_from(file.size).unwrap_or(i64::MAX)
}

/// Microseconds since 1970, cut off to milliseconds: the type is `timestamp(3)` in Trino, and stores
/// differ in what they keep below.
fn modified_time(file: &DataFile) -> i64 {
    file.modified.timestamp_millis().saturating_mul(1000)
}

fn not_a_batch(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("values of files do not form a batch: {error}"))
}

#[cfg(test)]
mod tests;
