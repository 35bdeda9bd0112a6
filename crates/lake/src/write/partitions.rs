//! A batch of a table's columns, split by the values of its partition keys and by its buckets.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::HashMap;
use lakegate_catalog::partition::{HIVE_DEFAULT_PARTITION, PartitionKey, canonical_value};
use lakegate_error::{Code, Error, Result};

use super::buckets::Buckets;
use super::gather::{self, Place, gather};
use crate::sizes::{bytes_in, held_by};

/// As Hive writes timestamps.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
/// Bytes that are split at once; more are split in parts, so that the texts of a column take fewer
/// than an array of them can.
const MOST_BYTES: usize = 1024 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Splitter {
    keys: Arc<[PartitionKey]>,
    /// The columns before the keys.
    data: usize,
    buckets: Option<Buckets>,
    /// As of [`gather::schema`].
    narrow: bool,
}

/// Rows of one partition, and of one bucket if there are buckets.
#[derive(Debug)]
pub(super) struct Part {
    /// The values of the keys as they are written.
    pub values: Box<[String]>,
    pub bucket: Option<u32>,
    /// Without the keys.
    pub rows: RecordBatch,
    /// As of [`held_by`].
    pub bytes: usize,
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
            narrow: false,
        }
    }

    /// Lets the decimals of parts have no more bits than they need.
    pub(super) fn narrow(self, narrow: bool) -> Self {
        Self { narrow, ..self }
    }

    pub(super) fn has_buckets(&self) -> bool {
        self.buckets.is_some()
    }

    /// Whether there is one part only, whatever the rows are.
    pub(super) fn is_whole(&self) -> bool {
        self.keys.is_empty() && self.buckets.is_none()
    }

    /// The rows of each partition and bucket, of all batches. They keep their order. Parts of
    /// several are slices of the same columns.
    ///
    /// # Errors
    /// A value that cannot be one of a partition, with its key's name; batches of different
    /// columns.
    pub(super) fn split(&self, batches: &[RecordBatch]) -> Result<Vec<Part>> {
        let Some(first) = batches.first() else {
            return Ok(Vec::new());
        };
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let bytes: usize = batches.iter().map(bytes_in).sum();
        if bytes > MOST_BYTES && rows > 1 {
            let (first, second) = halves(batches, rows / 2);
            let mut parts = self.split(&first)?;
            parts.extend(self.split(&second)?);
            return Ok(parts);
        }
        let keys: Vec<Vec<ArrayRef>> = batches
            .iter()
            .map(|batch| batch.columns().iter().skip(self.data).cloned().collect())
            .collect();
        let buckets = self.buckets.as_ref().map(|buckets| {
            let of_batches = batches.iter().map(|batch| buckets.of_rows(batch));
            of_batches.collect::<Result<Vec<_>>>()
        });
        let buckets = buckets.transpose()?;
        let groups = Groups::new(&keys, buckets.as_deref()).map_err(internal)?;
        let order = groups.order();
        let schema = Arc::new(self.schema(first.schema_ref()));
        let all = gather(&schema, batches, &order).map_err(internal)?;
        let mut parts = Vec::with_capacity(groups.sizes.len());
        let mut from = 0;
        for rows in groups.sizes {
            let Some((batch, row)) = order.get(from).copied() else {
                break;
            };
            let bucket = buckets.as_ref().and_then(|of| of.get(batch));
            let keys = keys.get(batch).map(Vec::as_slice).unwrap_or_default();
            let part = all.slice(from, rows);
            parts.push(Part {
                values: self.values(keys, row)?,
                bucket: bucket.and_then(|of| of.values().get(row).copied()),
                bytes: held_by(&part),
                rows: part,
            });
            from += rows;
        }
        Ok(parts)
    }

    /// The columns of parts, of batches with these.
    pub(super) fn schema(&self, columns: &Schema) -> Schema {
        let fields = columns.fields().iter().take(self.data);
        let fields: Vec<_> = fields.cloned().collect();
        gather::schema(
            &Schema::new_with_metadata(fields, columns.metadata().clone()),
            self.narrow,
        )
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

/// The rows of each partition and bucket. These are numbered in the order of their first rows.
struct Groups {
    /// Of each row of each batch.
    numbers: Vec<Vec<u32>>,
    /// The rows of each.
    sizes: Vec<usize>,
}

impl Groups {
    /// `keys`: of each batch. `buckets`: of each batch, of each row.
    fn new(keys: &[Vec<ArrayRef>], buckets: Option<&[UInt32Array]>) -> Result<Self, ArrowError> {
        let mut grouped = keys.to_vec();
        for (columns, buckets) in grouped.iter_mut().zip(buckets.unwrap_or_default()) {
            columns.push(Arc::new(buckets.clone()));
        }
        let types = grouped.first().map(Vec::as_slice).unwrap_or_default();
        let types = types.iter().map(|column| column.data_type().clone());
        let converter = RowConverter::new(types.map(SortField::new).collect())?;
        let converted = grouped
            .iter()
            .map(|columns| converter.convert_columns(columns))
            .collect::<Result<Vec<_>, _>>()?;
        let mut known: HashMap<&[u8], u32> = HashMap::new();
        let mut sizes: Vec<usize> = Vec::new();
        let mut numbers = Vec::with_capacity(converted.len());
        let mut last: Option<(&[u8], u32)> = None;
        for rows in &converted {
            let mut of_batch = Vec::with_capacity(rows.num_rows());
            for row in rows {
                let values = row.data();
                // Neighbours are often of one partition.
                let number = match last {
                    Some((same, number)) if same == values => number,
                    _ => {
                        let next = u32::try_from(known.len());
                        let next = next.map_err(|_| many_groups())?;
                        *known.entry(values).or_insert(next)
                    }
                };
                last = Some((values, number));
                match sizes.get_mut(number as usize) {
                    Some(size) => *size += 1,
                    None => sizes.push(1),
                }
                of_batch.push(number);
            }
            numbers.push(of_batch);
        }
        Ok(Self { numbers, sizes })
    }

    /// The rows of one group after those of another. They keep their order.
    fn order(&self) -> Vec<Place> {
        let mut all = 0;
        let starts = self.sizes.iter().map(|size| {
            let start = all;
            all += size;
            start
        });
        let mut next: Vec<usize> = starts.collect();
        let mut order = vec![(0, 0); all];
        for (batch, numbers) in self.numbers.iter().enumerate() {
            for (row, number) in numbers.iter().enumerate() {
                if let Some(next) = next.get_mut(*number as usize)
                    && let Some(place) = order.get_mut(*next)
                {
                    *place = (batch, row);
                    *next += 1;
                }
            }
        }
        order
    }
}

fn many_groups() -> ArrowError {
    ArrowError::ComputeError("rows are of more than 4,294,967,295 partitions".to_owned())
}

/// The first rows, and the others.
fn halves(batches: &[RecordBatch], first: usize) -> (Vec<RecordBatch>, Vec<RecordBatch>) {
    let (mut one, mut other, mut left) = (Vec::new(), Vec::new(), first);
    for batch in batches {
        let taken = left.min(batch.num_rows());
        left -= taken;
        let (before, after) = (
            batch.slice(0, taken),
            batch.slice(taken, batch.num_rows() - taken),
        );
        one.extend((taken > 0).then_some(before));
        other.extend((after.num_rows() > 0).then_some(after));
    }
    (one, other)
}

fn internal(error: ArrowError) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{
        BinaryArray, BinaryViewArray, Date32Array, Int32Array, StringArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::{DataType, Field};
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
            .split(&[batch(vec![Some("a"), Some("b/c"), Some("a"), None])])
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
            let parts = splitter.split(&[batch]).unwrap().into_iter();
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
            let error = splitter().split(&[batch(vec![Some(bad)])]).unwrap_err();
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
