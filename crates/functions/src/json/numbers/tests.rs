#![allow(clippy::unwrap_used)]
use super::*;

fn canonical(text: &str) -> String {
    let number = Number {
        text,
        whole: !text.contains(['.', 'e', 'E']),
    };
    let mut canonical = String::new();
    rewrite(number, &mut canonical).unwrap_or(text).to_owned()
}

#[test]
fn doubles_are_written_as_in_java() {
    let written = |number| {
        let mut text = String::new();
        push_double(number, &mut text);
        text
    };
    for (number, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (100.0, "100.0"),
        (1234567.0, "1234567.0"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (123456789012.5, "1.234567890125E11"),
        (0.001, "0.001"),
        (0.00123, "0.00123"),
        (0.000999, "9.99E-4"),
        (-1.5e-10, "-1.5E-10"),
        (f64::MAX, "1.7976931348623157E308"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(written(number), text);
    }
    let mut real = String::new();
    push_real(2.72, &mut real);
    assert_eq!(real, "2.72");
}

#[test]
fn numbers_become_canonical_without_losing_digits() {
    for (text, expected) in [
        ("0", "0"),
        ("-0", "0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.10", "1.1"),
        ("1.0", "1.0"),
        ("1e2", "100.0"),
        ("1E2", "100.0"),
        ("-0.0", "-0.0"),
        ("0.000", "0.0"),
        ("0e1000", "0.0"),
        ("0.0005", "5.0E-4"),
        ("0.001", "0.001"),
        ("12345678.5", "1.23456785E7"),
        ("123456789012.5", "1.234567890125E11"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        (
            "123456789012345678901234567890.12345678",
            "123456789012345678901234567890.12345678",
        ),
        ("1e400", "1e400"),
        ("1e-400", "1e-400"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn scientific_notation_is_that_of_casts() {
    for (number, text) in [
        (0.0, "0E0"),
        (-0.0, "-0E0"),
        (1.0, "1.0E0"),
        (128.9, "1.289E2"),
        (0.1, "1.0E-1"),
        (f64::INFINITY, "Infinity"),
    ] {
        let mut written = String::new();
        push_scientific(number, &mut written);
        assert_eq!(written, text);
    }
}

#[test]
fn doubles_are_read_as_in_java() {
    assert_eq!(read_double(" 1.5 "), Some(1.5));
    assert_eq!(read_double("+.5e1"), Some(5.0));
    assert_eq!(read_double("5."), Some(5.0));
    assert_eq!(read_double("1e999"), Some(f64::INFINITY));
    assert_eq!(read_double("1d"), Some(1.0));
    assert_eq!(read_double("-Infinity"), Some(f64::NEG_INFINITY));
    assert!(read_double("NaN").unwrap().is_nan());
    for text in [
        "",
        " ",
        "inf",
        "infinity",
        "nan",
        "true",
        "1e",
        "--1",
        "+-Infinity",
        ".",
    ] {
        assert_eq!(read_double(text), None, "{text}");
    }
}

#[test]
fn halves_are_rounded_away_from_zero() {
    assert_eq!(rounded(2.5), Some(3));
    assert_eq!(rounded(-2.5), Some(-3));
    assert_eq!(rounded(9.3e18), None);
    assert_eq!(rounded(-9223372036854775808.0), Some(i64::MIN));
    assert_eq!(rounded(9223372036854775807.0), None);
    assert_eq!(rounded(f64::NAN), None);
}

#[test]
fn decimals_are_exact() {
    for (text, scale, value) in [
        ("128", 3, 128_000),
        ("1.2345", 3, 1_235),
        ("-1.2345", 3, -1_235),
        ("0.0005", 3, 1),
        ("0.00049", 3, 0),
        ("0.9995", 3, 1_000),
        ("12e2", 0, 1_200),
        ("1e-400", 5, 0),
        ("0e999999999999999999999", 2, 0),
        ("50", -2, 1),
        (
            "99999999999999999999999999999999999999",
            0,
            99999999999999999999999999999999999999,
        ),
    ] {
        assert_eq!(
            read_decimal(text, scale),
            Some(Decimal::Value(value)),
            "{text}"
        );
    }
    assert_eq!(read_decimal("1e38", 0), Some(Decimal::TooLarge));
    assert_eq!(
        read_decimal("1e99999999999999999999", 0),
        Some(Decimal::TooLarge)
    );
    assert_eq!(read_decimal("abc", 0), None);
    assert_eq!(read_decimal(" 1", 0), None);
}

#[test]
fn decimals_are_written_as_in_java() {
    for (unscaled, scale, text) in [
        (314, 2, "3.14"),
        (-5, 3, "-0.005"),
        (0, 0, "0"),
        (0, 3, "0.000"),
        (1, 7, "1E-7"),
        (12, 8, "1.2E-7"),
        (1, 6, "0.000001"),
        (7, -2, "7E+2"),
        (100, 2, "1.00"),
    ] {
        let mut written = String::new();
        push_decimal(unscaled, scale, &mut written);
        assert_eq!(written, text);
    }
}
