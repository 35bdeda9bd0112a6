#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

#[tokio::test]
async fn dates_have_three_forms() {
    for (text, expected) in [
        ("2024", "2024-01-01"),
        ("2024-02", "2024-02-01"),
        ("2024-02-29", "2024-02-29"),
        ("2024-2-9", "2024-02-09"),
        ("2024-060", "2024-02-29"),
        ("2025-W01", "2024-12-30"),
        ("2024-W09-4", "2024-02-29"),
        ("0001-01-01", "0001-01-01"),
    ] {
        let call = format!("from_iso8601_date('{text}')");
        assert_eq!(value(&call).await.unwrap(), expected, "{text}");
    }
    for text in [
        "",
        "x",
        "2024-",
        "2023-02-29",
        "2024-13",
        "2024-W54",
        "2024-367",
        "2024-02-29T00",
        "99999999999",
        "2024-W",
        "é",
        "2024-02-é",
    ] {
        let call = format!("from_iso8601_date('{text}')");
        assert!(value(&call).await.is_err(), "{text}");
    }
    let query = "SELECT from_iso8601_date(x) FROM (VALUES ('2024'), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["2024-01-01", "NULL"]);
}

#[tokio::test]
async fn timestamps_have_offsets_and_fractions() {
    for (text, expected) in [
        ("2024-02-29", "2024-02-29 00:00:00.000 +00:00"),
        ("2024-02-29T", "2024-02-29 00:00:00.000 +00:00"),
        ("2024-02-29T15", "2024-02-29 15:00:00.000 +00:00"),
        ("2024-02-29T15:04", "2024-02-29 15:04:00.000 +00:00"),
        ("2024-02-29T15:04:05Z", "2024-02-29 15:04:05.000 +00:00"),
        (
            "2024-02-29T15:04:05.6789999+02:00",
            "2024-02-29 13:04:05.678 +00:00",
        ),
        (
            "2024-02-29T15:04:05,5-0530",
            "2024-02-29 20:34:05.500 +00:00",
        ),
        ("2024-02-29T15.5", "2024-02-29 15:30:00.000 +00:00"),
        ("2024-02-29T15:04.25Z", "2024-02-29 15:04:15.000 +00:00"),
        ("2024-060T15:04", "2024-02-29 15:04:00.000 +00:00"),
        ("2024-W09-4TZ", "2024-02-29 00:00:00.000 +00:00"),
        ("T10:30+01:00", "1970-01-01 09:30:00.000 +00:00"),
    ] {
        let call = format!("from_iso8601_timestamp('{text}')");
        assert_eq!(value(&call).await.unwrap(), expected, "{text}");
    }
    for text in [
        "",
        "T",
        "2024-02-29 15:04",
        "2024-02-29T24:00",
        "2024-02-29T15:04:05+25:00",
        "2024-02-29T15:04:05+15:00",
        "2024-02-29T15:04:05.",
        "2024-02-29Z",
        "2024-02-29T15:04:05.1234567891",
    ] {
        let call = format!("from_iso8601_timestamp('{text}')");
        assert!(value(&call).await.is_err(), "{text}");
    }
    let message = error("from_iso8601_timestamp('2024-02-29 15:04')").await;
    assert!(message.contains("at ' 15:04'"), "{message}");
    assert_eq!(value("from_iso8601_timestamp(NULL)").await.unwrap(), "NULL");
}

#[tokio::test]
async fn exact_timestamps_are_complete() {
    for (text, expected) in [
        ("2024-02-29T15:04", "2024-02-29 15:04:00.000 +00:00"),
        ("2024-02-29T15:04:05.5Z", "2024-02-29 15:04:05.500 +00:00"),
        (
            "2024-02-29T15:04:05+02:00",
            "2024-02-29 13:04:05.000 +00:00",
        ),
        (
            "2024-07-01T12:00:00[Europe/Berlin]",
            "2024-07-01 10:00:00.000 +00:00",
        ),
        (
            "2024-03-31T02:30:00[Europe/Berlin]",
            "2024-03-31 01:30:00.000 +00:00",
        ),
        (
            "2024-02-29T23:59:59.9999999",
            "2024-03-01 00:00:00.000 +00:00",
        ),
    ] {
        let call = format!("from_iso8601_timestamp_nanos('{text}')");
        assert_eq!(value(&call).await.unwrap(), expected, "{text}");
    }
    for text in [
        "",
        "2024-02-29",
        "2024-2-29T15:04",
        "2023-02-29T15:04",
        "2024-02-29T15",
        "12345-01-01T00:00",
        "2024-02-29T15:04[Nowhere]",
        "2024-02-29T15:60",
    ] {
        let call = format!("from_iso8601_timestamp_nanos('{text}')");
        assert!(value(&call).await.is_err(), "{text}");
    }
}

#[tokio::test]
async fn times_are_written_with_their_offset() {
    for (call, expected) in [
        ("to_iso8601(DATE '0001-02-03')", "0001-02-03"),
        (
            "to_iso8601(TIMESTAMP '2024-02-29 00:00:00')",
            "2024-02-29T00:00:00.000",
        ),
        (
            "to_iso8601(TIMESTAMP '2024-02-29 00:00:00.123456')",
            "2024-02-29T00:00:00.123456",
        ),
        (
            "to_iso8601(with_timezone(TIMESTAMP '2024-07-01 12:00:00', 'Europe/Berlin'))",
            "2024-07-01T12:00:00.000+02:00",
        ),
        (
            "to_iso8601(with_timezone(TIMESTAMP '2024-07-01 12:00:00', 'UTC'))",
            "2024-07-01T12:00:00.000Z",
        ),
        ("to_iso8601(NULL)", "NULL"),
    ] {
        assert_eq!(value(call).await.unwrap(), expected, "{call}");
    }
    let early = "with_timezone(TIMESTAMP '1800-01-01 00:00:00', 'Europe/Berlin')";
    assert!(
        error(&format!("to_iso8601({early})"))
            .await
            .contains("has seconds")
    );
}
