//! The bucket of a row: Hive's hash of some of its columns, as Athena and Trino write it
//! (`bucketing_version` 1).
//!
//! | type | hash |
//! |---|---|
//! | boolean | 1 or 0 |
//! | tinyint, smallint, int, date | the value; of a date, its days since 1970 |
//! | bigint, double | the upper half of the bits XOR the lower; all NaN are one |
//! | float | the bits; all NaN are one |
//! | string, varchar | `h = 31 * h + byte` over the signed bytes of UTF-8, from 0, of varchar from 1 |
//!
//! NULL has the hash 0, and several columns `h = 31 * h + hash`, all in 32 bits that wrap. The bucket
//! is the hash without its sign modulo the number of buckets. Queries use the same functions to
//! find the buckets of values.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::partition::projection::KeyValue;
use lakegate_catalog::store::MAX_BUCKETS;
use lakegate_error::{Code, Error, Result};

/// The types of columns that tables can be bucketed by, for messages.
const TYPES: &str =
    "boolean, tinyint, smallint, int, bigint, float, double, date, string or varchar";
/// Bits of a NaN as Java has it.
const NAN_32: u32 = 0x7fc0_0000;
const NAN_64: u64 = 0x7ff8_0000_0000_0000;

/// How the rows of a table are divided among its buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buckets {
    columns: Vec<BucketColumn>,
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BucketColumn {
    place: usize,
    /// What the hash of a text begins with.
    initial: i32,
}

impl Buckets {
    /// `table`: its name, for messages. `columns`: the names, places and types of the bucketing
    /// columns, in their order.
    ///
    /// # Errors
    /// There are no columns, or too many buckets; rows are not bucketed by the type of a column.
    pub(crate) fn new(
        table: &str,
        columns: &[(&str, usize, HiveType)],
        count: i32,
    ) -> Result<Self> {
        let known = u32::try_from(count).ok();
        let known = known.filter(|count| (1..=MAX_BUCKETS).contains(count));
        let Some(count) = known.filter(|_| !columns.is_empty()) else {
            return Err(Error::new(
                Code::InvalidTable,
                format!(
                    "table {table} has {count} buckets by {} columns; there can be 1 to {MAX_BUCKETS} buckets, by one column or more",
                    columns.len()
                ),
            ));
        };
        let mut bucketed = Vec::with_capacity(columns.len());
        for (name, place, data_type) in columns {
            use HiveType as T;
            let initial = match data_type {
                T::Boolean
                | T::TinyInt
                | T::SmallInt
                | T::Int
                | T::BigInt
                | T::Float
                | T::Double
                | T::Date
                | T::String => 0,
                T::Varchar(_) => 1,
                other => {
                    return Err(Error::not_supported(format!(
                        "table {table} is bucketed by column \"{name}\" of type {other}, which has no bucket"
                    ))
                    .with_hint(format!("bucket by a column of type {TYPES}, or cast it")));
                }
            };
            bucketed.push(BucketColumn {
                place: *place,
                initial,
            });
        }
        Ok(Self {
            columns: bucketed,
            count,
        })
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The bucket of each row, from 0. `rows`: with the columns of the table.
    ///
    /// # Errors
    /// A column is not there, or not of its type.
    pub(crate) fn of_rows(&self, rows: &RecordBatch) -> Result<UInt32Array> {
        let mut hashes = vec![0_i32; rows.num_rows()];
        for column in &self.columns {
            let hashed = rows
                .columns()
                .get(column.place)
                .and_then(|values| add(&mut hashes, values, column.initial));
            hashed.ok_or_else(|| Error::internal("a bucketing column is not of its type"))?;
        }
        let buckets = hashes.into_iter().map(|hash| bucket(hash, self.count));
        Ok(buckets.collect::<Vec<u32>>().into())
    }
}

/// Every hash that a value may have been written with. The type of its column may have been widened
/// since, which changes the hash of a negative number and of a text.
pub(crate) fn possible_hashes(value: Option<&KeyValue>) -> Vec<i32> {
    match value {
        None => vec![0],
        Some(KeyValue::Int(number)) => {
            let narrow = i32::try_from(*number).ok();
            let wide = of_bits(number.cast_unsigned());
            narrow.into_iter().chain([wide]).collect()
        }
        Some(KeyValue::Text(text)) => vec![of_text(0, text), of_text(1, text)],
    }
}

/// The hash of columns with that of one more column.
pub(crate) fn with_hash(sum: i32, hash: i32) -> i32 {
    sum.wrapping_mul(31).wrapping_add(hash)
}

/// `count`: not 0.
pub(crate) fn bucket(hash: i32, count: u32) -> u32 {
    (hash & i32::MAX).unsigned_abs() % count
}

/// Adds the values of a column to the hashes of the rows. `None`: they have no hash.
fn add(hashes: &mut [i32], values: &ArrayRef, initial: i32) -> Option<()> {
    use DataType as T;
    match values.data_type() {
        T::Boolean => add_each(hashes, values.as_boolean_opt()?.iter(), i32::from),
        T::Int8 => add_each(
            hashes,
            values.as_primitive_opt::<Int8Type>()?.iter(),
            i32::from,
        ),
        T::Int16 => add_each(
            hashes,
            values.as_primitive_opt::<Int16Type>()?.iter(),
            i32::from,
        ),
        T::Int32 => add_each(
            hashes,
            values.as_primitive_opt::<Int32Type>()?.iter(),
            |value| value,
        ),
        T::Date32 => add_each(
            hashes,
            values.as_primitive_opt::<Date32Type>()?.iter(),
            |value| value,
        ),
        T::Int64 => add_each(
            hashes,
            values.as_primitive_opt::<Int64Type>()?.iter(),
            |value| of_bits(value.cast_unsigned()),
        ),
        T::Float32 => add_each(
            hashes,
            values.as_primitive_opt::<Float32Type>()?.iter(),
            of_float,
        ),
        T::Float64 => add_each(
            hashes,
            values.as_primitive_opt::<Float64Type>()?.iter(),
            of_double,
        ),
        T::Utf8 => add_each(hashes, values.as_string_opt::<i32>()?.iter(), |text| {
            of_text(initial, text)
        }),
        T::Utf8View => add_each(hashes, values.as_string_view_opt()?.iter(), |text| {
            of_text(initial, text)
        }),
        _ => return None,
    }
    Some(())
}

fn add_each<T>(
    hashes: &mut [i32],
    values: impl Iterator<Item = Option<T>>,
    hash: impl Fn(T) -> i32,
) {
    for (sum, value) in hashes.iter_mut().zip(values) {
        *sum = with_hash(*sum, value.map_or(0, &hash));
    }
}

fn of_bits(bits: u64) -> i32 {
    ((bits >> 32) ^ bits) as i32
}

fn of_float(value: f32) -> i32 {
    let bits = if value.is_nan() {
        NAN_32
    } else {
        value.to_bits()
    };
    bits.cast_signed()
}

fn of_double(value: f64) -> i32 {
    of_bits(if value.is_nan() {
        NAN_64
    } else {
        value.to_bits()
    })
}

fn of_text(initial: i32, text: &str) -> i32 {
    let bytes = text.bytes();
    bytes.fold(initial, |hash, byte| {
        hash.wrapping_mul(31)
            .wrapping_add(i32::from(byte.cast_signed()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
        Int64Array, StringArray,
    };

    use super::*;

    fn hashes(values: ArrayRef, initial: i32) -> Vec<i32> {
        let mut hashes = vec![0; values.len()];
        add(&mut hashes, &values, initial).unwrap();
        hashes
    }

    /// The values that Hive's own function and Trino's give, by Trino's tests.
    #[test]
    fn hashes_are_those_of_hive_and_trino() {
        let cases: [(ArrayRef, &[i32]); 9] = [
            (
                Arc::new(BooleanArray::from(vec![None, Some(true), Some(false)])),
                &[0, 1, 0],
            ),
            (
                Arc::new(Int8Array::from(vec![
                    None,
                    Some(5),
                    Some(i8::MIN),
                    Some(i8::MAX),
                ])),
                &[0, 5, -128, 127],
            ),
            (
                Arc::new(Int16Array::from(vec![300, i16::MIN, i16::MAX])),
                &[300, -32_768, 32_767],
            ),
            (
                Arc::new(Int32Array::from(vec![300_000, i32::MIN, i32::MAX])),
                &[300_000, i32::MIN, i32::MAX],
            ),
            (
                Arc::new(Int64Array::from(vec![
                    None,
                    Some(300_000_000_000),
                    Some(i64::MIN),
                    Some(i64::MAX),
                ])),
                &[0, -647_710_651, i32::MIN, i32::MIN],
            ),
            (
                Arc::new(Float32Array::from(vec![
                    12.34,
                    -f32::MAX,
                    f32::from_bits(1),
                    f32::INFINITY,
                    f32::NEG_INFINITY,
                    f32::from_bits(0xffc0_1234),
                ])),
                &[
                    1_095_069_860,
                    -8_388_609,
                    1,
                    2_139_095_040,
                    -8_388_608,
                    2_143_289_344,
                ],
            ),
            (
                Arc::new(Float64Array::from(vec![
                    12.34,
                    -f64::MAX,
                    f64::from_bits(1),
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    f64::from_bits(0xfff8_1234_1234_1234),
                ])),
                &[
                    986_311_098,
                    1_048_576,
                    1,
                    2_146_435_072,
                    -1_048_576,
                    2_146_959_360,
                ],
            ),
            (
                Arc::new(StringArray::from(vec![
                    None,
                    Some(""),
                    Some("Trino rocks"),
                    Some("test string"),
                    Some("\u{5f3a}\u{5927}\u{7684}Trino\u{5f15}\u{64ce}"),
                    Some("\u{20ffc}\u{20ffd}\u{20ffe}\u{20fff}"),
                ])),
                &[
                    0,
                    0,
                    1_132_136_730,
                    -318_923_937,
                    1_688_501_507,
                    -1_810_797_254,
                ],
            ),
            (
                Arc::new(Date32Array::from(vec![
                    Some(0),
                    Some(16_758),
                    Some(-6_983),
                    None,
                ])),
                &[0, 16_758, -6_983, 0],
            ),
        ];
        for (values, expected) in cases {
            assert_eq!(hashes(Arc::clone(&values), 0), expected, "{values:?}");
        }
        let texts = vec!["", "test string"];
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        assert_eq!(hashes(texts, 1), [1, -189_841_218]);
        assert_eq!(bucket(1_132_136_730, 4), 2);
        assert_eq!(bucket(-399_107_423, 4), 1);
        assert_eq!(bucket(i32::MIN, 7), 0);
    }

    #[test]
    fn several_columns_make_one_bucket() {
        let n = Int32Array::from(vec![Some(1), Some(10), None]);
        let text = StringArray::from(vec![Some("b"), None, Some("ab")]);
        let batch = RecordBatch::try_from_iter([
            ("text", Arc::new(text) as ArrayRef),
            ("n", Arc::new(n) as ArrayRef),
        ])
        .unwrap();
        let columns = [("n", 1, HiveType::Int), ("text", 0, HiveType::Varchar(9))];
        let buckets = Buckets::new("d.t", &columns, 8).unwrap();
        let of = |n: i32, text: i32| bucket(n.wrapping_mul(31).wrapping_add(text), 8);
        // A varchar begins with 1: "b" is 31 + 98, "ab" (31 + 97) * 31 + 98.
        assert_eq!(
            buckets.of_rows(&batch).unwrap().values(),
            &[of(1, 129), of(10, 0), of(0, 4_066)]
        );
    }

    #[test]
    fn columns_without_a_bucket_are_named() {
        let new = |data_type, count| Buckets::new("d.t", &[("c", 0, data_type)], count);
        for data_type in [
            HiveType::Timestamp,
            HiveType::Decimal(10, 2),
            HiveType::Char(3),
            HiveType::Binary,
            HiveType::Array(Box::new(HiveType::Int)),
        ] {
            let shown = data_type.to_string();
            let error = new(data_type, 4).unwrap_err();
            assert_eq!(error.code(), Code::NotSupported);
            assert!(error.message().contains("\"c\""), "{error}");
            assert!(error.message().contains(&shown), "{error}");
        }
        for count in [0, -1, 100_001] {
            let error = new(HiveType::Int, count).unwrap_err();
            assert_eq!(error.code(), Code::InvalidTable);
        }
        assert_eq!(new(HiveType::Int, 100_000).unwrap().count(), 100_000);
    }
}
