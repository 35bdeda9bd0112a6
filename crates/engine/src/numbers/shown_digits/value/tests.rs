#![allow(clippy::unwrap_used)]
use super::*;

fn number(text: &str) -> Digits {
    Written::read(text).unwrap().number().unwrap()
}

// PostgreSQL 15.
#[test]
fn quotients_have_the_digits_of_postgres() {
    for (left, right, expected) in [
        ("7", "2.0", "3.5000000000000000"),
        ("1", "3.0", "0.33333333333333333333"),
        ("7.0", "7", "1.00000000000000000000"),
        ("100.00", "3", "33.3333333333333333"),
        ("10000.00", "3", "3333.3333333333333333"),
        ("100000.00", "3", "33333.333333333333"),
        ("123456789.5", "2", "61728394.750000000000"),
        ("0.00", "3", "0.00000000000000000000"),
        ("-1", "8.0", "-0.12500000000000000000"),
        ("2", "-3.0", "-0.66666666666666666667"),
        ("0.0001", "7", "0.000014285714285714285714"),
        (
            "1.000000000000000000000000000000",
            "4",
            "0.250000000000000000000000000000",
        ),
    ] {
        let quotient = number(left).divided(number(right)).unwrap();
        assert_eq!(quotient.text(), expected, "{left} / {right}");
    }
}

#[test]
fn other_operations_have_the_digits_of_their_operands() {
    let (a, b) = (number("-7.50"), number("2.125"));
    assert_eq!(a.plus(b).unwrap().text(), "-5.375");
    assert_eq!(a.minus(b).unwrap().text(), "-9.625");
    assert_eq!(a.times(b).unwrap().text(), "-15.93750");
    assert_eq!(a.rest(b).unwrap().text(), "-1.125");
    assert_eq!(a.negated().unwrap().text(), "7.50");
    assert_eq!(number("0.00").negated().unwrap().text(), "0.00");
}

#[test]
fn roots_are_rounded() {
    for (number, expected) in [
        ("0", "0"),
        ("2.0000000000000000", "1.4142135623730950"),
        ("0.28125000000000000000", "0.53033008588991064330"),
        ("26.6041666666666667", "5.1579227084812609"),
        ("15241578750190521.00", "123456789.00"),
        ("0.25", "0.50"),
        ("8.2400000000000000", "2.8705400188814647"),
    ] {
        assert_eq!(number_root(number), expected, "{number}");
    }
}

fn number_root(text: &str) -> String {
    number(text).root().unwrap().text()
}

#[test]
fn large_numbers_lose_digits_or_are_too_large() {
    let large = number(&"9".repeat(76));
    let two = large.plus(large).unwrap();
    let four = two.plus(two).unwrap();
    assert_eq!(four.plus(four), None);
    assert_eq!(large.times(large), None);
    let small = number(&format!("0.{}", "3".repeat(60)));
    let most = number(&"9".repeat(30));
    let sum = format!("{}.{}", "9".repeat(30), "3".repeat(45));
    assert_eq!(most.plus(small).unwrap().text(), sum);
    assert_eq!(large.plus(small), None);
    let product = small.times(small).unwrap();
    assert_eq!(product.scale, 76);
    assert!(product.text().starts_with(&format!("0.{}", "1".repeat(37))));
    let product = number("-123.45").times(number(&format!("2.{}", "0".repeat(73))));
    assert_eq!(
        product.unwrap().text(),
        format!("-246.90{}", "0".repeat(70))
    );
    let long = number(&"9".repeat(40));
    assert_eq!(long.times(long), None);
    let few = number(&format!("0.{}9", "0".repeat(69)));
    assert_eq!(large.times(few), None);
    assert_eq!(
        large.divided(number("3")).unwrap().text(),
        "3".repeat(76).as_str()
    );
    assert_eq!(large.divided(number("0.3")), None);
    assert_eq!(Written::read(&"9".repeat(77)).unwrap().number(), None);
    let tiny = Digits::new(1, 38).divided(Digits::new(10_i128.pow(37), 0));
    let expected = format!("0.{}1{}", "0".repeat(74), "0".repeat(17));
    assert_eq!(tiny.unwrap().text(), expected);
}

#[test]
fn texts_are_read_as_postgres_reads_them() {
    for (text, expected) in [
        ("1.50", "1.50"),
        (" 2 ", "2"),
        ("-0.00", "0.00"),
        ("007.5", "7.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+1.5e3", "1500"),
        ("1.500e1", "15.00"),
        ("1e-5", "0.00001"),
        ("0e10", "0"),
        ("nan", "NaN"),
        ("-inf", "-Infinity"),
        ("Infinity", "Infinity"),
    ] {
        assert_eq!(Written::read(text).unwrap().text(), expected, "{text}");
    }
    let long = "1".repeat(2000);
    assert_eq!(Written::read(&long).unwrap().text(), long);
    for text in [
        "", " ", "x", "1x", "1.2.3", "1e", "e5", "-nan", "--1", "1 2", "é",
    ] {
        assert_eq!(Written::read(text), Err(Fault::Syntax), "{text}");
    }
    for text in ["1e1000", "1e-1001", "1e99999999999", "1e2147483647"] {
        assert_eq!(Written::read(text), Err(Fault::Range), "{text}");
    }
}

#[test]
fn floats_have_fifteen_digits() {
    for (value, expected) in [
        (1.5, "1.5"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.3"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (1.23e-7, "0.000000123"),
        (1.0 / 3.0, "0.333333333333333"),
        (-0.0, "0"),
        (123_456_789.123_457, "123456789.123457"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let text = format!("{value:.14e}");
        assert_eq!(Written::of_float(&text).unwrap().text(), expected);
    }
}

#[test]
fn many_digits_are_shown() {
    let many = "9".repeat(70_000);
    for (text, expected) in [
        (format!("0.{many}"), format!("0.{many}")),
        (format!("-.0{many}"), format!("-0.0{many}")),
        (many.clone(), many.clone()),
    ] {
        assert_eq!(Written::read(&text).unwrap().text(), expected);
    }
    let zeros = "0".repeat(70_000);
    let read = Written::read(&format!("0.{zeros}")).unwrap();
    assert_eq!(read.text(), format!("0.{zeros}"));
}
