#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

async fn all(calls: &[(&str, &str)]) {
    for (call, expected) in calls {
        assert_eq!(value(call).await.unwrap(), *expected, "{call}");
    }
}

#[tokio::test]
async fn integers_keep_their_type() {
    all(&[
        ("ceil(3)", "3"),
        ("floor(-3)", "-3"),
        ("round(3)", "3"),
        ("sign(-9)", "-1"),
        ("sign(0)", "0"),
        ("round(1250, -2)", "1300"),
        ("round(-1250, -2)", "-1300"),
        ("round(1249, -2)", "1200"),
        ("round(7, -30)", "0"),
        ("round(7, 30)", "7"),
        ("truncate(-1299, -2)", "-1200"),
        ("truncate(7)", "7"),
        ("round(NULL)", "NULL"),
        ("round(5, NULL)", "NULL"),
        ("arrow_typeof(ceiling(CAST(3 AS SMALLINT)))", "Int16"),
        ("arrow_typeof(sign(CAST(3 AS TINYINT)))", "Int8"),
    ])
    .await;
    assert!(
        error("round(CAST(127 AS TINYINT), -1)")
            .await
            .contains("out of range")
    );
    assert!(
        error("round(9223372036854775807, -1)")
            .await
            .contains("out of range")
    );
    assert!(error("round('1')").await.contains("takes numbers"));
    assert!(error("round(1, 'a')").await.contains("number of digits"));
    let query = "SELECT floor(x) FROM (VALUES (1), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["1", "NULL"]);
    let query = "SELECT round(15, x) FROM (VALUES (0), (-1), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["15", "20", "NULL"]);
}

#[tokio::test]
async fn doubles_round_half_away_from_zero() {
    all(&[
        ("round(2.5e0)", "3.0"),
        ("round(-2.5e0)", "-3.0"),
        ("round(0.49999999999999994e0)", "0.0"),
        ("round(-0.3e0)", "-0.0"),
        ("round(123.456e0, 2)", "123.46"),
        ("round(123.456e0, -2)", "100.0"),
        ("round(1.5e300)", "1.5e300"),
        ("round(1.5e300, 300)", "1.5e300"),
        ("round(1e0, 400)", "1.0"),
        ("round(1e0, -400)", "0.0"),
        ("round(9007199254740993e0, 2)", "9007199254740992.0"),
        ("round(nan())", "NaN"),
        ("round(infinity(), 2)", "inf"),
        ("round(CAST(2.35 AS REAL), 1)", "2.3"),
        ("ceil(1.2e0)", "2.0"),
        ("floor(-1.2e0)", "-2.0"),
        ("truncate(-1.9e0)", "-1.0"),
        ("truncate(2.3e0, 1)", "2.3"),
        ("truncate(4.35e0, 2)", "4.35"),
        ("truncate(-2.39e0, 1)", "-2.3"),
        ("truncate(1234.5e0, -2)", "1200.0"),
        ("sign(-0e0)", "-0.0"),
        ("sign(nan())", "NaN"),
        ("sign(-infinity())", "-1.0"),
    ])
    .await;
    let query = "SELECT round(x, d) FROM (VALUES (1.25e0, 1), (NULL, 1), (3e0, NULL)) t(x, d)";
    assert_eq!(rows(query).await.unwrap(), ["1.3", "NULL", "NULL"]);
}

#[tokio::test]
async fn decimals_are_exact() {
    let decimal = |text: &str, of: &str| format!("CAST('{text}' AS DECIMAL({of}))");
    for (call, expected) in [
        (format!("ceil({})", decimal("99.01", "4,2")), "100"),
        (format!("ceil({})", decimal("-99.99", "4,2")), "-99"),
        (format!("floor({})", decimal("-99.01", "4,2")), "-100"),
        (format!("floor({})", decimal("0.99", "2,2")), "0"),
        (format!("round({})", decimal("99.50", "4,2")), "100"),
        (format!("round({})", decimal("-99.49", "4,2")), "-99"),
        (format!("round({}, 1)", decimal("9.95", "3,2")), "10.00"),
        (format!("round({}, -1)", decimal("94.95", "4,2")), "90.00"),
        (format!("round({}, -2)", decimal("99.00", "4,2")), "100.00"),
        (format!("round({}, -3)", decimal("99.00", "4,2")), "0.00"),
        (format!("round({}, 5)", decimal("9.95", "3,2")), "9.95"),
        (
            format!("round({}, -9223372036854775807)", decimal("9.95", "3,2")),
            "0.00",
        ),
        (format!("truncate({})", decimal("-9.95", "3,2")), "-9"),
        (format!("truncate({})", decimal("0.95", "2,2")), "0"),
        (format!("truncate({}, 1)", decimal("-9.95", "3,2")), "-9.90"),
        (
            format!("truncate({}, -1)", decimal("19.95", "4,2")),
            "10.00",
        ),
        (format!("sign({})", decimal("-0.01", "4,2")), "-1"),
        (
            format!("arrow_typeof(round({}, 1))", decimal("1", "4,2")),
            "Decimal128(5, 2)",
        ),
        (
            format!("arrow_typeof(round({}))", decimal("1", "4,2")),
            "Decimal128(3, 0)",
        ),
        (
            format!("arrow_typeof(truncate({}))", decimal("1", "4,2")),
            "Decimal128(2, 0)",
        ),
        (
            format!("arrow_typeof(sign({}))", decimal("1", "4,2")),
            "Decimal128(1, 0)",
        ),
    ] {
        assert_eq!(value(&call).await.unwrap(), expected, "{call}");
    }
    let nines = decimal(&"9".repeat(38), "38,0");
    assert!(
        error(&format!("round({nines}, -1)"))
            .await
            .contains("out of range")
    );
    assert_eq!(
        value(&format!("truncate({nines}, -37)")).await.unwrap(),
        format!("9{}", "0".repeat(37))
    );
    assert_eq!(value(&format!("round({nines}, -39)")).await.unwrap(), "0");
}
