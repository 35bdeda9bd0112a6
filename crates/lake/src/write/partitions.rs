//! A batch of a table's columns, split by the values of its partition keys and by its buckets.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lakegate_catalog::partition::{HIVE_DEFAULT_PARTITION, PartitionKey, canonical_value};
use lakegate_error::{Code, Error, Result};

use super::buckets::Buckets;
use super::columns::compact;

/// As Hive writes timestamps.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

#[derive(Debug)]
pub(super) struct Splitter {
    keys: Arc<[PartitionKey]>,
    /// The columns before the keys.
    data: usize,
    buckets: Option<Buckets>,
}

/// Rows of one partition, and of one bucket if there are buckets.
#[derive(Debug)]
pub(super) struct Part {
    /// The values of the keys as they are written.
    pub values: Box<[String]>,
    pub bucket: Option<u32>,
    /// Without the keys.
    pub rows: RecordBatch,
}

impl Splitter {
    /// `data`: the number of columns before the keys.
    pub(super) fn new(
        keys: impl Into<Arc<[PartitionKey]>>,
        data: usize,
        buckets: Option<Buckets>,
    ) -> Self {
        Self {
            keys: keys.into(),
            data,
            buckets,
        }
    }

    pub(super) fn has_buckets(&self) -> bool {
        self.buckets.is_some()
    }

    /// Whether there is one part only, whatever the rows are.
    pub(super) fn is_whole(&self) -> bool {
        self.keys.is_empty() && self.buckets.is_none()
    }

    /// As [`Splitter::split`], of several batches as if they were one.
    ///
    /// # Errors
    /// As of [`Splitter::split`].
    pub(super) fn split_all(&self, batches: &[RecordBatch]) -> Result<Vec<Part>> {
        match batches {
            [] => Ok(Vec::new()),
            [one] => self.split(one),
            [first, ..] => {
                let all = concat_batches(&first.schema(), batches);
                self.split(&all.map_err(|error| Error::internal(error.to_string()))?)
            }
        }
    }

    /// The rows of each partition and bucket. They keep their order.
    ///
    /// # Errors
    /// A value that cannot be one of a partition, with its key's name.
    pub(super) fn split(&self, batch: &RecordBatch) -> Result<Vec<Part>> {
        let internal = |error: ArrowError| Error::internal(error.to_string());
        let columns: Vec<usize> = (0..self.data).collect();
        let data = batch.project(&columns).map_err(internal)?;
        if self.is_whole() {
            return Ok(vec![Part {
                values: Box::default(),
                bucket: None,
                rows: data,
            }]);
        }
        let buckets = self.buckets.as_ref();
        let buckets = buckets.map(|buckets| buckets.of_rows(batch)).transpose()?;
        let keys: Vec<ArrayRef> = batch.columns().iter().skip(self.data).cloned().collect();
        let mut grouped = keys.clone();
        grouped.extend(buckets.iter().map(|of| Arc::new(of.clone()) as ArrayRef));
        let sort = grouped
            .iter()
            .map(|column| SortField::new(column.data_type().clone()))
            .collect();
        let converter = RowConverter::new(sort).map_err(internal)?;
        let rows = converter.convert_columns(&grouped).map_err(internal)?;
        let mut groups: HashMap<&[u8], usize> = HashMap::new();
        let mut members: Vec<Vec<u32>> = Vec::new();
        let mut last: Option<(&[u8], usize)> = None;
        for index in 0..batch.num_rows() {
            let row = rows.row(index).data();
            // Neighbours are often of one partition.
            let group = match last {
                Some((same, group)) if same == row => group,
                _ => *groups.entry(row).or_insert_with(|| {
                    members.push(Vec::new());
                    members.len() - 1
                }),
            };
            last = Some((row, group));
            if let Some(members) = members.get_mut(group) {
                members.push(u32::try_from(index).map_err(|_| too_long())?);
            }
        }
        let mut parts = Vec::with_capacity(members.len());
        for members in members {
            let first = members.first().copied().unwrap_or_default() as usize;
            let values = self.values(&keys, first)?;
            let rows = if members.len() == batch.num_rows() {
                data.clone()
            } else {
                let rows = take_record_batch(&data, &UInt32Array::from(members));
                compacted(rows.map_err(internal)?).map_err(internal)?
            };
            let bucket = buckets.as_ref().and_then(|of| of.values().get(first));
            parts.push(Part {
                values,
                bucket: bucket.copied(),
                rows,
            });
        }
        Ok(parts)
    }

    /// The values of the keys in one row, as a folder's name has them.
    fn values(&self, columns: &[ArrayRef], row: usize) -> Result<Box<[String]>> {
        let options = FormatOptions::new().with_timestamp_format(Some(TIMESTAMP));
        let value = |(key, column): (&PartitionKey, &ArrayRef)| {
            if column.is_null(row) {
                return Ok(HIVE_DEFAULT_PARTITION.to_owned());
            }
            let text = match bytes(column, row) {
                // As they are read again.
                Some(bytes) => std::str::from_utf8(bytes)
                    .map_err(|_| no_text(key))?
                    .to_owned(),
                None => ArrayFormatter::try_new(column.as_ref(), &options)
                    .and_then(|formatter| formatter.value(row).try_to_string())
                    .map_err(|error| Error::internal(error.to_string()))?,
            };
            if text.is_empty() || text == HIVE_DEFAULT_PARTITION {
                return Err(Error::new(
                    Code::DataException,
                    format!(
                        "partition key \"{}\" is '{text}' in a row, which in a folder's name means NULL",
                        key.name
                    ),
                )
                .with_hint("send NULL, or another value"));
            }
            Ok(canonical_value(key, &text)?.into_owned())
        };
        self.keys.iter().zip(columns).map(value).collect()
    }
}

/// The value of a row in a column of bytes.
fn bytes(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    match column.as_binary_opt::<i32>() {
        Some(bytes) => Some(bytes.value(row)),
        None => Some(column.as_binary_view_opt()?.value(row)),
    }
}

fn no_text(key: &PartitionKey) -> Error {
    Error::new(
        Code::DataException,
        format!(
            "partition key \"{}\" has bytes in a row that are no UTF-8, and a folder's name is a text",
            key.name
        ),
    )
    .with_hint("write the bytes as a text, such as to_hex gives, in a key of type varchar")
}

/// The rows, without the values of other rows of their batch.
fn compacted(rows: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().map(compact).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(rows.schema(), columns, &options)
}

fn too_long() -> Error {
    Error::invalid("a batch has more than 4,294,967,295 rows; send smaller ones")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{
        BinaryArray, BinaryViewArray, Date32Array, Int32Array, StringArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::{DataType, Field, Schema};
    use lakegate_catalog::hive_type::HiveType;

    use super::*;

    fn batch(cities: Vec<Option<&str>>) -> RecordBatch {
        let rows = cities.len();
        RecordBatch::try_new(
            Arc::new(Schema::new(vec![
                Field::new("n", DataType::Int32, true),
                Field::new("day", DataType::Date32, true),
                Field::new("city", DataType::Utf8, true),
            ])),
            vec![
                Arc::new(Int32Array::from_iter_values(0..rows as i32)),
                Arc::new(Date32Array::from_iter_values(
                    (0..rows).map(|n| 19_700 + (n / 3) as i32),
                )),
                Arc::new(StringArray::from(cities)),
            ],
        )
        .unwrap()
    }

    fn splitter() -> Splitter {
        let keys = vec![
            PartitionKey::new("day", HiveType::Date),
            PartitionKey::new("city", HiveType::String),
        ];
        Splitter::new(keys, 1, None)
    }

    #[test]
    fn rows_go_to_the_partition_of_their_values_in_their_order() {
        let parts = splitter()
            .split(&batch(vec![Some("a"), Some("b/c"), Some("a"), None]))
            .unwrap();
        let shown: Vec<(Vec<&str>, Vec<i32>)> = parts
            .iter()
            .map(|part| {
                assert_eq!((part.rows.num_columns(), part.bucket), (1, None));
                let n: &Int32Array = part.rows.column(0).as_any().downcast_ref().unwrap();
                (
                    part.values.iter().map(String::as_str).collect(),
                    n.values().to_vec(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (vec!["2023-12-09", "a"], vec![0, 2]),
                (vec!["2023-12-09", "b/c"], vec![1]),
                (vec!["2023-12-10", HIVE_DEFAULT_PARTITION], vec![3]),
            ]
        );
    }

    #[test]
    fn rows_of_a_partition_are_divided_by_bucket() {
        let n = [("n", 0, HiveType::Int)];
        let split = |keys: Vec<PartitionKey>, data: usize| {
            let buckets = Buckets::new("d.t", &n, 2).unwrap();
            let splitter = Splitter::new(keys, data, Some(buckets));
            let batch = batch(vec![Some("a"), Some("a"), Some("b"), Some("a")]);
            let parts = splitter.split(&batch).unwrap().into_iter();
            let shown = parts.map(|part| {
                let n: &Int32Array = part.rows.column(0).as_any().downcast_ref().unwrap();
                let values = part.values.join("/");
                (values, part.bucket, n.values().to_vec())
            });
            shown.collect::<Vec<_>>()
        };
        let even = ("a".to_owned(), Some(0), vec![0]);
        let odd = ("a".to_owned(), Some(1), vec![1, 3]);
        let other = ("b".to_owned(), Some(0), vec![2]);
        let keys = vec![PartitionKey::new("city", HiveType::String)];
        assert_eq!(split(keys, 2), [even, odd, other]);
        let even = (String::new(), Some(0), vec![0, 2]);
        let odd = (String::new(), Some(1), vec![1, 3]);
        assert_eq!(split(Vec::new(), 3), [even, odd]);
    }

    #[test]
    fn value_that_would_be_read_as_null_is_refused() {
        for bad in ["", HIVE_DEFAULT_PARTITION] {
            let error = splitter().split(&batch(vec![Some(bad)])).unwrap_err();
            assert!(error.message().contains("\"city\""), "{error}");
        }
    }

    #[test]
    fn bytes_are_written_as_the_text_that_they_are() {
        let keys = vec![PartitionKey::new("b", HiveType::Binary)];
        let splitter = Splitter::new(keys, 0, None);
        let values = |column: ArrayRef| splitter.values(&[column], 0);
        let arrays: [ArrayRef; 2] = [
            Arc::new(BinaryArray::from(vec!["a/é".as_bytes()])),
            Arc::new(BinaryViewArray::from(vec!["a/é".as_bytes()])),
        ];
        for array in arrays {
            assert_eq!(values(array).unwrap().as_ref(), ["a/é"]);
        }
        for bad in [&b"\xff"[..], b""] {
            let error = values(Arc::new(BinaryArray::from(vec![bad]))).unwrap_err();
            assert!(error.message().contains("\"b\""), "{error}");
        }
    }

    #[test]
    fn timestamps_are_written_as_they_are_read() {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![
            1_700_000_000_250_000,
            1_700_000_000_000_000,
        ]));
        let keys = vec![PartitionKey::new("at", HiveType::Timestamp)];
        let splitter = Splitter::new(keys, 0, None);
        let values = |row| splitter.values(std::slice::from_ref(&column), row).unwrap();
        for row in 0..2 {
            let text = values(row);
            let array: ArrayRef = Arc::new(StringArray::from(vec![text[0].clone()]));
            let back = arrow::compute::cast(&array, column.data_type()).unwrap();
            assert_eq!(back.as_ref(), column.slice(row, 1).as_ref(), "{text:?}");
        }
    }
}
