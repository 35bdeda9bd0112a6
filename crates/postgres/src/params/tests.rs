#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Values as drivers send them, and malformed ones.

mod arrays;

use bytes::BytesMut;
use datafusion::arrow::datatypes::{IntervalUnit, TimeUnit, i256};
use postgres_types::{ToSql, Type};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::*;

const US: TimeUnit = TimeUnit::Microsecond;

fn read(value: &[u8], code: i16, declared: u32, inferred: DataType) -> Result<ScalarValue> {
    let parameters = [Parameter { declared, inferred }];
    bind(
        &[Some(Bytes::copy_from_slice(value))],
        &[code],
        &parameters,
        Zone::parse("Europe/Berlin"),
    )
    .map(|mut v| v.remove(0))
}

fn text(value: &str, inferred: DataType) -> Result<ScalarValue> {
    read(value.as_bytes(), 0, 0, inferred)
}

fn sent(value: impl ToSql, pg: Type, inferred: DataType) -> ScalarValue {
    let mut bytes = BytesMut::new();
    value.to_sql_checked(&pg, &mut bytes).unwrap();
    read(&bytes, 1, pg.oid(), inferred).unwrap()
}

#[test]
fn text_is_read_as_the_inferred_type() {
    assert_eq!(
        text(" 42 ", DataType::Int32).unwrap(),
        ScalarValue::Int32(Some(42))
    );
    assert_eq!(
        text("yes", DataType::Boolean).unwrap(),
        ScalarValue::Boolean(Some(true))
    );
    assert_eq!(
        text("-1.5e3", DataType::Float64).unwrap(),
        ScalarValue::Float64(Some(-1500.0))
    );
    assert_eq!(
        text("Infinity", DataType::Float64).unwrap(),
        ScalarValue::Float64(Some(f64::INFINITY))
    );
    assert_eq!(
        text("x", DataType::Utf8View).unwrap(),
        ScalarValue::Utf8View(Some("x".into()))
    );
    assert_eq!(
        text("x", DataType::Null).unwrap(),
        ScalarValue::Utf8(Some("x".into()))
    );
    assert_eq!(
        text("2024-02-29", DataType::Date32).unwrap(),
        ScalarValue::Date32(Some(19_782))
    );
    assert_eq!(
        text("0044-03-15 BC", DataType::Date32).unwrap(),
        ScalarValue::Date32(Some(-735_160))
    );
    assert_eq!(
        text("04:05:06.5", DataType::Time64(US)).unwrap(),
        ScalarValue::Time64Microsecond(Some(14_706_500_000))
    );
    assert_eq!(
        text("\\x6100ff", DataType::Binary).unwrap(),
        ScalarValue::Binary(Some(vec![0x61, 0, 0xff]))
    );
    assert_eq!(
        text("a\\\\\\001", DataType::Binary).unwrap(),
        ScalarValue::Binary(Some(vec![b'a', b'\\', 1]))
    );
    assert_eq!(
        text("18446744073709551615", DataType::UInt64).unwrap(),
        ScalarValue::UInt64(Some(u64::MAX))
    );
}

#[test]
fn text_of_another_type_is_an_error_that_names_it() {
    for (value, inferred) in [
        ("4x", DataType::Int32),
        ("maybe", DataType::Boolean),
        ("1e999", DataType::Float64),
        ("2023-02-29", DataType::Date32),
        ("2024-01-01x", DataType::Date32),
        ("25:00", DataType::Time64(US)),
        ("2024-01-01 10:00 Mars", DataType::Timestamp(US, None)),
        ("\\x6", DataType::Binary),
        ("1..2", DataType::Decimal128(10, 2)),
        ("{1,2", DataType::new_list(DataType::Int32, true)),
    ] {
        let error = text(value, inferred).unwrap_err();
        assert_eq!(error.context(), Some("parameter $1"), "{error}");
    }
    for (value, inferred, code, message) in [
        ("300", DataType::Int8, "22003", None),
        (
            "3000000000",
            DataType::Int32,
            "22003",
            Some("value \"3000000000\" is out of range for type integer"),
        ),
        (
            "-9223372036854775809",
            DataType::Int64,
            "22003",
            Some("value \"-9223372036854775809\" is out of range for type bigint"),
        ),
        (
            "2023-02-29",
            DataType::Date32,
            "22008",
            Some("date/time field value out of range: \"2023-02-29\""),
        ),
        (
            "noon",
            DataType::Time64(US),
            "22007",
            Some("invalid input syntax for type time: \"noon\""),
        ),
        (
            "1 eon",
            DataType::Interval(IntervalUnit::MonthDayNano),
            "22007",
            Some("invalid input syntax for type interval: \"1 eon\""),
        ),
    ] {
        let error = text(value, inferred).unwrap_err();
        assert_eq!(error.code().sqlstate(), code, "{error}");
        assert!(
            message.is_none_or(|message| error.message() == message),
            "{error}"
        );
    }
}

#[test]
fn timestamps_mind_their_zone() {
    let plain = DataType::Timestamp(US, None);
    let zoned = DataType::Timestamp(US, Some("UTC".into()));
    let noon = 1_719_835_200_000_000;
    // Without a zone the offset is dropped, as in Postgres.
    assert_eq!(
        text("2024-07-01 12:00:00+05", plain.clone()).unwrap(),
        ScalarValue::TimestampMicrosecond(Some(noon), None)
    );
    assert_eq!(
        text("2024-07-01T12:00:00.0000001Z", zoned.clone()).unwrap(),
        ScalarValue::TimestampMicrosecond(Some(noon), Some("UTC".into()))
    );
    // With a time zone type, text without a zone is in the session's zone.
    assert_eq!(
        text("2024-07-01 14:00", zoned.clone()).unwrap(),
        ScalarValue::TimestampMicrosecond(Some(noon), Some("UTC".into()))
    );
    // A declared timestamptz for a column without zone is that instant in the session's zone.
    assert_eq!(
        read(
            b"2024-07-01 12:00:00+00",
            0,
            oid::TIMESTAMPTZ,
            plain.clone()
        )
        .unwrap(),
        ScalarValue::TimestampMicrosecond(Some(noon + 7_200_000_000), None)
    );
    assert_eq!(
        text("2024-07-01", plain).unwrap(),
        ScalarValue::TimestampMicrosecond(Some(noon - 43_200_000_000), None)
    );
    assert_eq!(
        text(
            "2024-07-01 12:00",
            DataType::Timestamp(TimeUnit::Nanosecond, None)
        )
        .unwrap(),
        ScalarValue::TimestampNanosecond(Some(noon * 1000), None)
    );
    // A value finer than the unit keeps its microseconds.
    assert_eq!(
        text(
            "2024-07-01 12:00:00.5",
            DataType::Timestamp(TimeUnit::Second, None)
        )
        .unwrap(),
        ScalarValue::TimestampMicrosecond(Some(noon + 500_000), None)
    );
}

#[test]
fn the_end_of_a_day_is_no_time_of_day() {
    let time = DataType::Time64(TimeUnit::Microsecond);
    assert_eq!(
        text("23:59:59.999999", time.clone()).unwrap(),
        ScalarValue::Time64Microsecond(Some(86_399_999_999))
    );
    assert_eq!(
        text("24:00", time.clone()).unwrap_err().code(),
        Code::DatetimeOutOfRange
    );
    let end = 86_400_000_000i64.to_be_bytes();
    let error = read(&end, 1, oid::TIME, time).unwrap_err();
    assert_eq!(error.code(), Code::DatetimeOutOfRange);
}

#[test]
fn decimals_are_never_rounded() {
    let price = DataType::Decimal128(10, 2);
    assert_eq!(
        text("10.5", price.clone()).unwrap(),
        ScalarValue::Decimal128(Some(1050), 10, 2)
    );
    assert_eq!(
        text("-0.0100", price.clone()).unwrap(),
        ScalarValue::Decimal128(Some(-1), 10, 2)
    );
    assert_eq!(
        text("1e3", price.clone()).unwrap(),
        ScalarValue::Decimal128(Some(100_000), 10, 2)
    );
    assert_eq!(
        text("0", price.clone()).unwrap(),
        ScalarValue::Decimal128(Some(0), 10, 2)
    );
    assert_eq!(
        text("10.005", price.clone()).unwrap(),
        ScalarValue::Decimal128(Some(10_005), 38, 3)
    );
    assert_eq!(
        text("123456789012", price.clone()).unwrap(),
        ScalarValue::Decimal128(Some(123_456_789_012), 38, 0)
    );
    assert_eq!(
        text(&format!("{}.5", "9".repeat(40)), price).unwrap(),
        ScalarValue::Decimal256(
            Some(i256::from_string(&format!("{}5", "9".repeat(40))).unwrap()),
            76,
            1
        )
    );
    assert_eq!(
        read(b"1.5", 0, oid::NUMERIC, DataType::Int64).unwrap(),
        ScalarValue::Decimal128(Some(15), 38, 1)
    );
    assert_eq!(
        read(b"2.0", 0, oid::NUMERIC, DataType::Int64).unwrap(),
        ScalarValue::Int64(Some(2))
    );
    assert!(text("NaN", DataType::Decimal128(10, 2)).is_err());
    assert!(text(&"9".repeat(80), DataType::Decimal128(10, 2)).is_err());
    assert!(text("1e2147483647", DataType::Decimal128(10, 2)).is_err());
}

// Bytes: `numeric_send` of PostgreSQL 15.18.
#[test]
fn binary_numerics_are_exact() {
    for (bytes, value) in [
        (&b"\0\x02\0\x01\0\0\0\x02\0\x01\x09\x29"[..], 1_234_500),
        (b"\0\x02\0\0\x40\0\0\x02\0\x7b\x11\x94", -12_345),
        (b"\0\0\0\0\0\0\0\x02", 0),
        (b"\0\x01\0\x01\0\0\0\0\0\x01", 1_000_000),
    ] {
        assert_eq!(
            read(bytes, 1, oid::NUMERIC, DataType::Decimal128(10, 2)).unwrap(),
            ScalarValue::Decimal128(Some(value), 10, 2)
        );
    }
    assert_eq!(
        read(
            b"\0\x01\xff\xfe\0\0\0\x05\x03\xe8",
            1,
            oid::NUMERIC,
            DataType::Decimal128(10, 2)
        )
        .unwrap(),
        ScalarValue::Decimal128(Some(1), 38, 5)
    );
}

#[test]
fn binary_values_of_drivers_are_read() {
    use chrono::{DateTime, NaiveDate, NaiveTime};
    assert_eq!(
        sent(true, Type::BOOL, DataType::Boolean),
        ScalarValue::Boolean(Some(true))
    );
    assert_eq!(
        sent(-7i16, Type::INT2, DataType::Int64),
        ScalarValue::Int64(Some(-7))
    );
    assert_eq!(
        sent(7i32, Type::INT4, DataType::Decimal128(5, 1)),
        ScalarValue::Decimal128(Some(70), 5, 1)
    );
    assert_eq!(
        sent(7u32, Type::OID, DataType::Int64),
        ScalarValue::Int64(Some(7))
    );
    assert_eq!(
        sent(1.5f32, Type::FLOAT4, DataType::Float64),
        ScalarValue::Float64(Some(1.5))
    );
    assert_eq!(
        sent("ü", Type::TEXT, DataType::Utf8),
        ScalarValue::Utf8(Some("ü".into()))
    );
    assert_eq!(
        sent("2024-02-29", Type::VARCHAR, DataType::Date32),
        ScalarValue::Date32(Some(19_782))
    );
    let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    assert_eq!(
        sent(date, Type::DATE, DataType::Date32),
        ScalarValue::Date32(Some(19_782))
    );
    let time = NaiveTime::from_hms_opt(0, 0, 1).unwrap();
    assert_eq!(
        sent(time, Type::TIME, DataType::Time64(US)),
        ScalarValue::Time64Microsecond(Some(1_000_000))
    );
    let moment = DateTime::from_timestamp(1_719_835_200, 0).unwrap();
    assert_eq!(
        sent(
            moment,
            Type::TIMESTAMPTZ,
            DataType::Timestamp(US, Some("UTC".into()))
        ),
        ScalarValue::TimestampMicrosecond(Some(1_719_835_200_000_000), Some("UTC".into()))
    );
    let uuid = read(&[0x11; 16], 1, oid::UUID, DataType::Utf8).unwrap();
    assert_eq!(
        uuid,
        ScalarValue::Utf8(Some("11111111-1111-1111-1111-111111111111".into()))
    );
    let mut zoned = 43_200_500_000i64.to_be_bytes().to_vec();
    zoned.extend((-7200i32).to_be_bytes());
    assert_eq!(
        read(&zoned, 1, oid::TIMETZ, DataType::Utf8).unwrap(),
        ScalarValue::Utf8(Some("12:00:00.5+02".into()))
    );
    assert_eq!(
        read(b"\x01{}", 1, oid::JSONB, DataType::Utf8).unwrap(),
        ScalarValue::Utf8(Some("{}".into()))
    );
}

#[test]
fn null_has_the_inferred_type() {
    let parameters = [
        Parameter {
            declared: oid::INT4,
            inferred: DataType::Int32,
        },
        Parameter {
            declared: 0,
            inferred: DataType::Null,
        },
    ];
    let scalars = bind(&[None, None], &[], &parameters, Zone::UTC).unwrap();
    assert_eq!(scalars, [ScalarValue::Int32(None), ScalarValue::Utf8(None)]);
}

#[test]
fn format_codes_are_none_one_or_one_each() {
    use Format::{Binary, Text};
    assert_eq!(formats(&[], 2, "column").unwrap(), [Text, Text]);
    assert_eq!(formats(&[1], 2, "column").unwrap(), [Binary, Binary]);
    assert_eq!(formats(&[1, 0], 2, "column").unwrap(), [Binary, Text]);
    assert_eq!(formats(&[1], 0, "column").unwrap(), []);
    for (codes, count) in [
        (&[1i16, 0][..], 3),
        (&[0, 0, 0], 2),
        (&[2], 1),
        (&[-1, 0], 2),
    ] {
        assert_eq!(
            formats(codes, count, "column").unwrap_err().code(),
            Code::ProtocolViolation
        );
    }
}

#[test]
fn wrong_counts_and_lengths_are_protocol_errors() {
    let int = || Parameter {
        declared: oid::INT4,
        inferred: DataType::Int32,
    };
    let error = bind(&[], &[], &[int()], Zone::UTC).unwrap_err();
    assert_eq!(error.code(), Code::ProtocolViolation);
    for (bytes, declared) in [
        (&b"\0\0\x01"[..], oid::INT4),
        (b"", oid::BOOL),
        (b"\0\0\0\0\0", oid::FLOAT4),
        (b"\0\x02\0\0\0\0\0\0\0\x01", oid::NUMERIC),
        (b"\0\x01\0\0\0\0\0\0\xff\xff", oid::NUMERIC),
        (
            b"\0\0\0\x01\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01",
            1007,
        ),
        (b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\0\0\0\0\x01", 1007),
        (b"short", oid::UUID),
        (b"\0\0\0\0\0\0\0\0", oid::TIMETZ),
        (b"\x02{}", oid::JSONB),
    ] {
        assert_eq!(
            read(bytes, 1, declared, DataType::Int32)
                .unwrap_err()
                .code(),
            Code::ProtocolViolation,
            "{declared} {bytes:?}"
        );
    }
}

#[test]
fn random_values_never_panic() {
    let mut random = StdRng::seed_from_u64(7);
    let oids = [
        16, 17, 20, 21, 23, 25, 26, 700, 701, 1007, 1009, 1042, 1082, 1083, 1114, 1184, 1186, 1231,
        1700, 2950, 3802, 0, 705, 4711,
    ];
    let targets = [
        DataType::Int32,
        DataType::Utf8,
        DataType::Float32,
        DataType::Decimal32(9, 9),
        DataType::Decimal128(38, 10),
        DataType::Decimal256(76, 0),
        DataType::Date64,
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
        DataType::Interval(datafusion::arrow::datatypes::IntervalUnit::MonthDayNano),
        DataType::new_list(DataType::Decimal128(5, 2), true),
        DataType::Null,
    ];
    let letters = b"0123456789-+.:{}\",\\ eETNULLnaif xZ";
    for _ in 0..60_000 {
        let mut bytes = vec![0u8; random.random_range(0..40)];
        random.fill_bytes(&mut bytes);
        if random.random_bool(0.5) {
            for byte in &mut bytes {
                *byte = letters[random.random_range(0..letters.len())];
            }
        } else {
            for byte in &mut bytes {
                if random.random_bool(0.5) {
                    *byte = random.random_range(0..3);
                }
            }
        }
        let oid = oids[random.random_range(0..oids.len())];
        let target = targets[random.random_range(0..targets.len())].clone();
        let _ = read(&bytes, random.random_range(0..2), oid, target);
    }
}
