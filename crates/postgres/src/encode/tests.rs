#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Whole rows against bytes captured from PostgreSQL 15.18, and binary values read back by
//! `postgres-types`.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{
    DataType, Field, Float16Type, Int8Type, Int16Type, Int32Type, IntervalDayTime,
    IntervalMonthDayNano, Schema, TimeUnit, UInt64Type, UnionFields, i256,
};
use postgres_types::{FromSql, Type};

use super::super::types::PG_TYPE;
use super::*;

mod lines;
mod nested;

fn batch(field: Field, array: ArrayRef) -> RecordBatch {
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()
}

/// Returns the only column's value in each row, `None` for NULL.
fn values_styled(batch: &RecordBatch, format: Format, style: Style) -> Vec<Option<Vec<u8>>> {
    let encoder = RowEncoder::new(&batch.schema(), &[format], style);
    let rows = encoder.batch(batch).unwrap();
    (0..batch.num_rows())
        .map(|row| {
            let mut out = BytesMut::new();
            rows.put_data_row(&mut out, row).unwrap();
            assert_eq!(out[0], b'D');
            assert_eq!(
                u32::from_be_bytes(out[1..5].try_into().unwrap()) as usize,
                out.len() - 1
            );
            assert_eq!(&out[5..7], [0, 1]);
            let length = i32::from_be_bytes(out[7..11].try_into().unwrap());
            if length == -1 {
                assert_eq!(out.len(), 11);
                return None;
            }
            assert_eq!(length as usize, out.len() - 11);
            Some(out[11..].to_vec())
        })
        .collect()
}

fn texts_of(field: Field, array: ArrayRef) -> Vec<String> {
    values_styled(&batch(field, array), Format::Text, Style::default())
        .into_iter()
        .map(|v| v.map_or("<null>".to_owned(), |v| String::from_utf8(v).unwrap()))
        .collect()
}

fn texts(array: impl Array + 'static) -> Vec<String> {
    texts_of(
        Field::new("c", array.data_type().clone(), true),
        Arc::new(array),
    )
}

fn binaries(array: impl Array + 'static) -> Vec<Option<Vec<u8>>> {
    let field = Field::new("c", array.data_type().clone(), true);
    values_styled(
        &batch(field, Arc::new(array)),
        Format::Binary,
        Style::default(),
    )
}

/// Returns the first value in binary format, as a driver decodes it.
fn decoded<T: for<'a> FromSql<'a>>(array: impl Array + 'static, pg: &Type) -> T {
    assert_eq!(crate::types::of_data_type(array.data_type()).oid, pg.oid());
    assert!(T::accepts(pg));
    let bytes = binaries(array).remove(0).unwrap();
    T::from_sql(pg, &bytes).unwrap()
}

#[test]
fn a_row_is_one_message_with_lengths_and_nulls() {
    let schema = Schema::new(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8, true),
        Field::new("c", DataType::Int32, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![7])),
        Arc::new(StringArray::from(vec![None::<&str>])),
        Arc::new(Int32Array::from(vec![-1])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let encoder = RowEncoder::new(
        &batch.schema(),
        &[Format::Text, Format::Text, Format::Binary],
        Style::default(),
    );
    let mut out = BytesMut::new();
    encoder
        .batch(&batch)
        .unwrap()
        .put_data_row(&mut out, 0)
        .unwrap();
    assert_eq!(
        &out[..],
        b"D\0\0\0\x17\0\x03\0\0\0\x017\xff\xff\xff\xff\0\0\0\x04\xff\xff\xff\xff"
    );
}

#[test]
fn scalars_in_text() {
    assert_eq!(
        texts(BooleanArray::from(vec![Some(true), Some(false), None])),
        ["t", "f", "<null>"]
    );
    assert_eq!(texts(Int8Array::from(vec![i8::MIN])), ["-128"]);
    assert_eq!(
        texts(Int64Array::from(vec![i64::MIN, 0, i64::MAX])),
        ["-9223372036854775808", "0", "9223372036854775807"]
    );
    assert_eq!(
        texts(UInt64Array::from(vec![u64::MAX])),
        ["18446744073709551615"]
    );
    assert_eq!(
        texts(Float64Array::from(vec![0.1, 1e20, f64::NEG_INFINITY])),
        ["0.1", "1e+20", "-Infinity"]
    );
    assert_eq!(texts(Float32Array::from(vec![0.1, 1e6])), ["0.1", "1e+06"]);
    assert_eq!(
        texts(PrimitiveArray::<Float16Type>::from(vec![half(1.5)])),
        ["1.5"]
    );
    assert_eq!(texts(LargeStringArray::from(vec!["ä"])), ["ä"]);
    assert_eq!(
        texts(StringViewArray::from(vec![
            "a string longer than twelve bytes"
        ])),
        ["a string longer than twelve bytes"]
    );
    assert_eq!(
        texts(BinaryArray::from(vec![&b"ab\0\xff"[..]])),
        ["\\x616200ff"]
    );
    assert_eq!(
        texts(FixedSizeBinaryArray::try_from_iter([[1u8, 2]].iter()).unwrap()),
        ["\\x0102"]
    );
    assert_eq!(texts(NullArray::new(1)), ["<null>"]);
}

fn half(value: f32) -> <Float16Type as datafusion::arrow::datatypes::ArrowPrimitiveType>::Native {
    <Float16Type as datafusion::arrow::datatypes::ArrowPrimitiveType>::Native::from_f32(value)
}

#[test]
fn decimals_of_every_width_are_exact() {
    let d128 = Decimal128Array::from(vec![
        i128::from(-12_345),
        99_999_999_999_999_999_999_999_999_999_999_999_999,
    ]);
    assert_eq!(
        texts(d128.with_precision_and_scale(38, 2).unwrap()),
        ["-123.45", "999999999999999999999999999999999999.99"]
    );
    assert_eq!(
        texts(
            Decimal32Array::from(vec![5])
                .with_precision_and_scale(9, 3)
                .unwrap()
        ),
        ["0.005"]
    );
    assert_eq!(
        texts(
            Decimal64Array::from(vec![-50])
                .with_precision_and_scale(18, 1)
                .unwrap()
        ),
        ["-5.0"]
    );
    let wide = i256::from_string(&"9".repeat(76)).unwrap();
    let d256 = Decimal256Array::from(vec![wide, -wide])
        .with_precision_and_scale(76, 70)
        .unwrap();
    assert_eq!(
        texts(d256),
        [
            format!("999999.{}", "9".repeat(70)),
            format!("-999999.{}", "9".repeat(70))
        ]
    );
    let bytes = binaries(
        Decimal128Array::from(vec![1_234_500])
            .with_precision_and_scale(10, 2)
            .unwrap(),
    );
    assert_eq!(
        bytes[0].as_deref(),
        Some(&b"\0\x02\0\x01\0\0\0\x02\0\x01\x09\x29"[..])
    );
}

#[test]
fn scalars_in_binary_are_read_by_drivers() {
    assert!(decoded::<bool>(BooleanArray::from(vec![true]), &Type::BOOL));
    assert_eq!(
        decoded::<i16>(UInt8Array::from(vec![255]), &Type::INT2),
        255
    );
    assert_eq!(
        decoded::<i32>(UInt16Array::from(vec![65_535]), &Type::INT4),
        65_535
    );
    assert_eq!(
        decoded::<i64>(UInt32Array::from(vec![u32::MAX]), &Type::INT8),
        i64::from(u32::MAX)
    );
    assert_eq!(
        decoded::<i64>(Int64Array::from(vec![i64::MIN]), &Type::INT8),
        i64::MIN
    );
    assert_eq!(
        decoded::<f32>(
            PrimitiveArray::<Float16Type>::from(vec![half(-2.5)]),
            &Type::FLOAT4
        ),
        -2.5
    );
    assert_eq!(
        decoded::<f64>(Float64Array::from(vec![1e300]), &Type::FLOAT8),
        1e300
    );
    assert_eq!(
        decoded::<String>(StringArray::from(vec!["grüße"]), &Type::TEXT),
        "grüße"
    );
    assert_eq!(
        decoded::<Vec<u8>>(BinaryViewArray::from(vec![&b"\0\x01"[..]]), &Type::BYTEA),
        [0, 1]
    );
    assert_eq!(
        binaries(UInt64Array::from(vec![u64::MAX]))[0]
            .as_deref()
            .map(|b| &b[..8]),
        Some(&b"\0\x05\0\x04\0\0\0\0"[..])
    );
}

#[test]
fn moments_in_binary_are_read_by_drivers() {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
    let date = decoded::<NaiveDate>(Date32Array::from(vec![19_782]), &Type::DATE);
    assert_eq!(date.to_string(), "2024-02-29");
    let date = decoded::<NaiveDate>(Date64Array::from(vec![-86_400_000]), &Type::DATE);
    assert_eq!(date.to_string(), "1969-12-31");
    let time = decoded::<NaiveTime>(Time32SecondArray::from(vec![86_399]), &Type::TIME);
    assert_eq!(time.to_string(), "23:59:59");
    let time = decoded::<NaiveTime>(
        Time64NanosecondArray::from(vec![1_500_000_000]),
        &Type::TIME,
    );
    assert_eq!(time.to_string(), "00:00:01.500");
    let moment = decoded::<NaiveDateTime>(
        TimestampNanosecondArray::from(vec![1_704_067_199_500_000_999]),
        &Type::TIMESTAMP,
    );
    assert_eq!(moment.to_string(), "2023-12-31 23:59:59.500");
    let moment = decoded::<DateTime<Utc>>(
        TimestampSecondArray::from(vec![-1]).with_timezone("Europe/Berlin"),
        &Type::TIMESTAMPTZ,
    );
    assert_eq!(moment.to_rfc3339(), "1969-12-31T23:59:59+00:00");
}

#[test]
fn timestamps_out_of_range_are_errors_and_leave_the_buffer_alone() {
    let array = TimestampSecondArray::from(vec![i64::MAX]);
    let batch = batch(
        Field::new("c", array.data_type().clone(), true),
        Arc::new(array),
    );
    for format in [Format::Text, Format::Binary] {
        let encoder = RowEncoder::new(&batch.schema(), &[format], Style::default());
        let mut out = BytesMut::from(&b"before"[..]);
        let error = encoder
            .batch(&batch)
            .unwrap()
            .put_data_row(&mut out, 0)
            .unwrap_err();
        assert_eq!(error.code(), Code::DatetimeOutOfRange);
        assert_eq!(&out[..], b"before");
    }
}

#[test]
fn zoned_timestamps_are_shown_in_the_sessions_zone() {
    let array = TimestampMicrosecondArray::from(vec![1_719_835_200_000_000]).with_timezone("UTC");
    let batch = batch(
        Field::new("c", array.data_type().clone(), true),
        Arc::new(array),
    );
    let style = Style {
        zone: Zone::parse("America/New_York"),
        ..Style::default()
    };
    let shown = values_styled(&batch, Format::Text, style)
        .remove(0)
        .unwrap();
    assert_eq!(shown, b"2024-07-01 08:00:00-04");
}

#[test]
fn intervals_of_every_unit() {
    assert_eq!(
        texts(IntervalYearMonthArray::from(vec![14])),
        ["1 year 2 mons"]
    );
    assert_eq!(
        texts(IntervalDayTimeArray::from(vec![IntervalDayTime::new(
            3, 4500
        )])),
        ["3 days 00:00:04.5"]
    );
    let nanos = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, -2, 3_000_000)]);
    assert_eq!(texts(nanos.clone()), ["1 mon -2 days +00:00:00.003"]);
    assert_eq!(
        texts(DurationMillisecondArray::from(vec![
            -1500,
            129_600_000,
            -129_600_000
        ])),
        ["-00:00:01.5", "1 day 12:00:00", "-1 days -12:00:00"]
    );
    assert_eq!(
        binaries(nanos)[0].as_deref(),
        Some(&b"\0\0\0\0\0\0\x0b\xb8\xff\xff\xff\xfe\0\0\0\x01"[..])
    );
}

#[test]
fn encoded_columns_show_their_values() {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("a"), None, Some("b"), Some("a")]
        .into_iter()
        .collect();
    assert_eq!(texts(dictionary), ["a", "<null>", "b", "a"]);
    let values = StringArray::from(vec![None, Some("x")]);
    let dictionary = DictionaryArray::new(Int32Array::from(vec![1, 0]), Arc::new(values));
    assert_eq!(texts(dictionary), ["x", "<null>"]);
    let empty: DictionaryArray<Int16Type> = vec![None::<&str>].into_iter().collect();
    assert_eq!(texts(empty), ["<null>"]);
    let wide = DictionaryArray::<UInt64Type>::new(
        UInt64Array::from(vec![0]),
        Arc::new(Int32Array::from(vec![5])),
    );
    assert_eq!(texts(wide), ["5"]);
    let runs = RunArray::<Int32Type>::try_new(
        &Int32Array::from(vec![2, 3, 4]),
        &Int64Array::from(vec![Some(10), None, Some(30)]),
    )
    .unwrap();
    assert_eq!(texts(runs.clone()), ["10", "10", "<null>", "30"]);
    assert_eq!(texts(runs.slice(1, 2)), ["10", "<null>"]);
}
