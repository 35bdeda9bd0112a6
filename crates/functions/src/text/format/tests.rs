#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

async fn shows(cases: &[(&str, &str)]) {
    for (arguments, expected) in cases {
        let shown = value(&format!("format({arguments})")).await;
        let shown = shown.unwrap_or_else(|error| error.strip_backtrace());
        assert_eq!(shown, *expected, "{arguments}");
    }
}

#[tokio::test]
async fn integers_are_written() {
    shows(&[
        ("'%d', 42", "42"),
        ("'%5d|', 42", "   42|"),
        ("'%-5d|', 42", "42   |"),
        ("'%05d', -42", "-0042"),
        ("'%+d %+d', 1, -1", "+1 -1"),
        ("'% d', 1", " 1"),
        ("'%(d', -1", "(1)"),
        ("'%(06d', -1", "(0001)"),
        ("'%,d', 1234567", "1,234,567"),
        ("'%,d', -123", "-123"),
        ("'%,012d', 1234567", "0001,234,567"),
        ("'%x %X %o', 255, 255, 8", "ff FF 10"),
        ("'%#x %#o %08x', 255, 8, 255", "0xff 010 000000ff"),
        ("'%x', -1", "ffffffffffffffff"),
        ("'%d', CAST(NULL AS bigint)", "null"),
        ("'%d', CAST(7 AS smallint)", "7"),
        ("'%d', -9223372036854775807 - 1", "-9223372036854775808"),
    ])
    .await;
}

#[tokio::test]
async fn fractions_are_rounded_half_up() {
    shows(&[
        ("'%f', 3.14159265e0", "3.141593"),
        ("'%.2f', 1.005e0", "1.01"),
        ("'%.1f', 0.05e0", "0.1"),
        ("'%.0f', 0.5e0", "1"),
        ("'%.0f', 2.5e0", "3"),
        ("'%.2f', 9.999e0", "10.00"),
        ("'%.3f', 1e-9", "0.000"),
        ("'%08.2f', -1.5e0", "-0001.50"),
        ("'%,.2f', 1234567.891e0", "1,234,567.89"),
        ("'%#.0f', 2e0", "2."),
        ("'%.2f', CAST(1.005 AS decimal(10, 3))", "1.01"),
        ("'%f', CAST('NaN' AS double)", "NaN"),
        ("'%+f', CAST('Infinity' AS double)", "+Infinity"),
        ("'%e', 12345.678e0", "1.234568e+04"),
        ("'%.0e', 0.00015e0", "2e-04"),
        ("'%E', 1e100", "1.000000E+100"),
        ("'%e', 0e0", "0.000000e+00"),
        ("'%g', 12345.678e0", "12345.7"),
        ("'%g', 0.0001e0", "0.000100000"),
        ("'%g', 0.00001e0", "1.00000e-05"),
        ("'%g', 1e6", "1.00000e+06"),
        ("'%g', 0e0", "0.00000"),
        ("'%.3g', 999.9e0", "1.00e+03"),
    ])
    .await;
}

#[tokio::test]
async fn any_value_is_written_as_java_shows_it() {
    shows(&[
        ("'%s%%', 123", "123%"),
        ("'%s', 'é😀'", "é😀"),
        ("'%10.2s|%-4s|', 'abc', 'é'", "        ab|é   |"),
        ("'%S', 'straße'", "STRASSE"),
        (
            "'%s %s %s %s', 1e0, 1e7, 0.001e0, 1e-5",
            "1.0 1.0E7 0.001 1.0E-5",
        ),
        ("'%s', CAST(1.50 AS decimal(5, 2))", "1.50"),
        ("'%s', true", "true"),
        ("'%b %b %b', true, NULL, 1", "true false true"),
        ("'%B', false", "FALSE"),
        ("'%s', NULL", "null"),
        ("'%h', 'abc'", "17862"),
        ("'%s', date '2020-01-31'", "2020-01-31"),
        ("'%s', timestamp '2020-01-31 10:15:00'", "2020-01-31T10:15"),
        (
            "'%s', timestamp '2020-01-31 10:15:30.5'",
            "2020-01-31T10:15:30.500",
        ),
        ("'a%nb'", "a\nb"),
        ("'%%|%5%|%-3%|'", "%|    %|%  |"),
        ("'%c', NULL", "null"),
    ])
    .await;
}

#[tokio::test]
async fn arguments_are_addressed() {
    shows(&[
        ("'%2$s %1$s %s %s', 'a', 'b'", "b a a b"),
        ("'%s %<s %s', 'a', 'b'", "a a b"),
        (
            "'%1$tA, %1$tB %1$te, %1$tY', date '2006-07-04'",
            "Tuesday, July 4, 2006",
        ),
        (
            "'%tT.%<tL %<tp', timestamp '2006-07-04 13:05:09.25'",
            "13:05:09.250 pm",
        ),
        ("'%Tb %<tj %<ty', date '2006-07-04'", "JUL 185 06"),
        ("'plain'", "plain"),
        ("''", ""),
    ])
    .await;
    let query =
        "SELECT format(f, x) FROM (VALUES ('%s', 1), ('%03d', 2), (NULL, 3), ('%d', NULL)) t(f, x)";
    assert_eq!(rows(query).await.unwrap(), ["1", "002", "NULL", "null"]);
}

#[tokio::test]
async fn wrong_formats_are_errors() {
    for (arguments, expected) in [
        ("'%d', 1.5e0", "a double"),
        ("'%d', 'a'", "a text"),
        ("'%f', 1", "an integer"),
        ("'%c', 65", "an integer"),
        ("'%s'", "more values"),
        ("'%2$s', 1", "more values"),
        ("'%<s', 1", "more values"),
        ("'%q', 1", "not known"),
        ("'%', 1", "missing"),
        ("'%D', 1", "not known"),
        ("'%-d', 1", "width"),
        ("'%05-d', 1", "not known"),
        ("'%-05d', 1", "exclude"),
        ("'%++d', 1", "twice"),
        ("'%.2d', 1", "no precision"),
        ("'%,x', 1", "flags"),
        ("'%+x', 1", "flags"),
        ("'%#s', 'a'", "flags"),
        ("'%0$s', 1", "from 1"),
        ("'%99999999999d', 1", "too large"),
        ("'%2000000000d', 1", "bytes"),
        ("'%.2000000000f', 1e0", "bytes"),
        ("'%tH', date '2020-01-01'", "a date"),
        ("'%s', ARRAY[1]", "CAST"),
        ("1, 1", "must be a text"),
    ] {
        let message = error(&format!("format({arguments})")).await;
        assert!(message.contains(expected), "{arguments}: {message}");
    }
}

#[tokio::test]
async fn numbers_have_units() {
    let query = "SELECT format_number(x) FROM (VALUES (0), (999), (1000), (123456), (1999), (-1234), (-123456), (1000000000), (9223372036854775807), (NULL)) t(x)";
    let expected = [
        "0", "999", "1K", "123K", "2K", "-1.23K", "-123.46K", "1B", "9223Q", "NULL",
    ];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert_eq!(value("format_number(1234.9e0)").await.unwrap(), "1.23K");
    assert_eq!(value("format_number(1125)").await.unwrap(), "1.13K");
    assert_eq!(value("format_number(12550)").await.unwrap(), "12.6K");
}
