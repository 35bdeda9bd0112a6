#![allow(clippy::unwrap_used)]
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;

use super::*;

/// Returns the sums of 1, 2, 4, 8 over a frame with these values of `$1` and `$2`.
async fn sums(frame: &str, values: &[ScalarValue]) -> Result<String> {
    let is_range = frame.starts_with("RANGE");
    let mark = |number| match is_range {
        true => format!("INTERVAL '{}'", range_mark(number).unwrap()),
        false => offset_mark(number).unwrap().to_string(),
    };
    let frame = frame.replace("$1", &mark(1)).replace("$2", &mark(2));
    let sql = format!(
        "SELECT x, sum(x) OVER (ORDER BY x {frame}) FROM (VALUES (1), (2), (4), (8)) t(x) ORDER BY x"
    );
    let context = SessionContext::new();
    let plan = context.state().create_logical_plan(&sql).await?;
    let plan = with_offsets(plan, values)?;
    let mut found = Vec::new();
    for batch in context.execute_logical_plan(plan).await?.collect().await? {
        for row in 0..batch.num_rows() {
            found.push(array_value_to_string(batch.column(1), row)?);
        }
    }
    Ok(found.join(","))
}

#[tokio::test]
async fn frames_have_the_values_of_parameters() {
    let number = |number: i64| ScalarValue::Int64(Some(number));
    for (frame, values, expected) in [
        ("ROWS $1 PRECEDING", [1, 0], "1,3,6,12"),
        ("ROWS $1 PRECEDING", [i64::MAX, 0], "1,3,7,15"),
        (
            "ROWS BETWEEN $1 PRECEDING AND $2 FOLLOWING",
            [0, 1],
            "3,6,12,8",
        ),
        (
            "ROWS BETWEEN $2 PRECEDING AND $1 PRECEDING",
            [1, 2],
            ",1,3,6",
        ),
        ("ROWS BETWEEN $1 PRECEDING AND $2 PRECEDING", [1, 2], ",,,"),
        ("ROWS BETWEEN $1 FOLLOWING AND $2 FOLLOWING", [2, 1], ",,,"),
        (
            "GROUPS BETWEEN CURRENT ROW AND $2 FOLLOWING",
            [9, 1],
            "3,6,12,8",
        ),
        ("RANGE $1 PRECEDING", [2, 0], "1,3,6,8"),
        (
            "RANGE BETWEEN $2 PRECEDING AND $1 FOLLOWING",
            [4, 1],
            "7,7,12,8",
        ),
    ] {
        let values = values.map(number);
        let found = sums(frame, &values).await.unwrap();
        assert_eq!(found, expected, "{frame}");
    }
    let text = [ScalarValue::from("1")];
    assert_eq!(sums("ROWS $1 PRECEDING", &text).await.unwrap(), "1,3,6,12");
}

#[tokio::test]
async fn offsets_are_numbers_that_are_not_negative() {
    for (frame, value, expected) in [
        (
            "ROWS $1 PRECEDING",
            ScalarValue::Int64(None),
            "frame starting offset must not be null",
        ),
        (
            "ROWS BETWEEN CURRENT ROW AND $1 FOLLOWING",
            ScalarValue::Int32(Some(-1)),
            "frame ending offset must not be negative",
        ),
        (
            "RANGE $1 PRECEDING",
            ScalarValue::Utf8(None),
            "frame starting offset must not be null",
        ),
        (
            "RANGE $1 PRECEDING",
            ScalarValue::from("-0.5"),
            "invalid preceding or following size",
        ),
        (
            "RANGE $1 PRECEDING",
            ScalarValue::from("soon"),
            "the offset of a RANGE frame",
        ),
    ] {
        let error = sums(frame, &[value]).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn distances_of_times_are_intervals() {
    let interval = |months, days, nanoseconds| {
        let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
        ScalarValue::IntervalMonthDayNano(Some(interval))
    };
    for (value, expected) in [
        (interval(0, 1, 0), "0 months 1 days 0.000000000 seconds"),
        (interval(1, 0, -500), "1 months 0 days -0.000000500 seconds"),
        (
            ScalarValue::from("2 hours"),
            "0 months 0 days 7200.000000000 seconds",
        ),
    ] {
        let found = distance(&value, &DataType::Date32).unwrap();
        assert_eq!(found, ScalarValue::from(expected));
    }
    assert!(distance(&interval(0, -1, 0), &DataType::Date32).is_err());
    assert!(distance(&ScalarValue::from(1_i64), &DataType::Date32).is_err());
    assert!(distance(&interval(0, 1, 0), &DataType::Int64).is_err());
    assert!(distance(&ScalarValue::from("1"), &DataType::Utf8).is_err());
}

#[test]
fn parameters_have_marks() {
    assert_eq!(range_mark(0), None);
    assert_eq!(marked(&ScalarValue::from("$7")), Some(7));
    assert_eq!(marked(&ScalarValue::from("$0")), None);
    assert_eq!(marked(&ScalarValue::from("7")), None);
    assert_eq!(offset_mark(0), None);
    assert_eq!(offset_mark(65_536), None);
    for number in [1, 65_535] {
        let mark = ScalarValue::UInt64(offset_mark(number));
        assert_eq!(marked(&mark), Some(number));
    }
    let bigint = i64::MAX.unsigned_abs();
    assert_eq!(marked(&ScalarValue::UInt64(Some(bigint))), None);
    assert_eq!(marked(&ScalarValue::UInt64(Some(u64::MAX))), None);
    assert_eq!(marked(&ScalarValue::UInt64(None)), None);
}
