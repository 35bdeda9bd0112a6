#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;

fn decimal(value: i128, scale: i8) -> String {
    let mut digits = Digits::default();
    digits.push_u128(value.unsigned_abs());
    let mut out = BytesMut::new();
    put_decimal(&mut out, value < 0, digits.as_slice(), scale);
    String::from_utf8(out.to_vec()).unwrap()
}

fn numeric(value: i128, scale: i8) -> Vec<u16> {
    let mut digits = Digits::default();
    digits.push_u128(value.unsigned_abs());
    let mut out = BytesMut::new();
    put_numeric_binary(&mut out, value < 0, digits.as_slice(), scale);
    out.chunks(2)
        .map(|c| u16::from_be_bytes([c[0], c[1]]))
        .collect()
}

/// Values of all lengths, with digits at both ends and without.
fn short() -> impl Iterator<Item = (bool, u64, u8)> {
    let powers = (0..20).map(|power| 10u64.pow(power));
    let near = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(7)]);
    let values = near.chain([u64::MAX, 12_345, 1_234_567_890_123_456_789]);
    values.flat_map(|value| {
        (0..=MAX_SHORT_SCALE).flat_map(move |scale| [(false, value, scale), (true, value, scale)])
    })
}

#[test]
fn short_decimals_are_written_as_long_ones() {
    for (negative, value, scale) in short() {
        let mut digits = Digits::default();
        digits.push_u128(u128::from(value));
        let (mut short, mut long) = (BytesMut::new(), BytesMut::new());
        put_short_decimal(&mut short, negative, value, scale);
        put_decimal(&mut long, negative, digits.as_slice(), scale as i8);
        assert_eq!(short, long, "{negative} {value} {scale}");
        short.clear();
        long.clear();
        put_numeric_binary(&mut long, negative, digits.as_slice(), scale as i8);
        if put_short_numeric(&mut short, negative, value, scale) {
            assert_eq!(short, long, "{negative} {value} {scale}");
        } else {
            assert!(short.is_empty() && value > u64::MAX / 1000);
        }
    }
    assert_eq!(short_scale(-1), None);
    assert_eq!(short_scale(19), Some(19));
    assert_eq!(short_scale(20), None);
}

#[test]
fn eight_digits_are_those_of_the_number() {
    for value in (0..100_000_000u32).step_by(997).chain([99_999_999]) {
        let text = (eight_digits(value) | ASCII_ZEROS).to_le_bytes();
        assert_eq!(text, format!("{value:08}").as_bytes());
    }
    // All halves.
    for value in 0..10_000 {
        let text = (eight_digits(value * 10_000 + 9_999 - value) | ASCII_ZEROS).to_le_bytes();
        assert_eq!(text, format!("{value:04}{:04}", 9_999 - value).as_bytes());
    }
}

#[test]
fn floats_of_few_decimals_are_written_as_all_floats() {
    let mut random = 1u64;
    let mut values = vec![0.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE];
    values.extend([
        1e-4,
        9e-5,
        1e-5,
        0.1 + 0.2,
        1e10,
        99_999_999_999.999_9,
        1e11,
        1e15,
        1e23,
    ]);
    values.extend((0..200u32).map(|n| f64::from(n) / 100.0));
    for _ in 0..50_000 {
        // Knuth's MMIX.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        values.push(f64::from_bits(random));
        let whole = (random >> (12 + random % 48)) as f64;
        values.extend([
            whole,
            whole / 10.0,
            whole / 100.0,
            whole / 10_000.0,
            whole / 1e6,
        ]);
    }
    for value in values.iter().flat_map(|value| [*value, -*value]) {
        for digits in [1, 0, -3] {
            let (mut short, mut long) = (BytesMut::new(), BytesMut::new());
            put_f64(&mut short, value, digits);
            lakegate_gateway::values::put_f64(&mut long, value, digits);
            assert_eq!(short, long, "{value:e} {digits}");
        }
    }
    assert_eq!(few_decimals(16.58), Some((1658, 2)));
    assert_eq!(few_decimals(-3.0), Some((3, 0)));
    assert_eq!(few_decimals(0.12345), None);
}

#[test]
fn integers_are_written_as_rust_writes_them() {
    let powers = (0..20).map(|power| 10u64.pow(power));
    let near = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(9)]);
    for value in near.chain([u64::MAX]) {
        let mut out = BytesMut::from(&b"before"[..]);
        put_uint(&mut out, value);
        assert_eq!(out, format!("before{value}").as_bytes());
        for value in [value as i64, (value as i64).wrapping_neg()] {
            let mut out = BytesMut::new();
            put_int(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}

#[test]
fn decimals_keep_their_scale() {
    assert_eq!(decimal(0, 2), "0.00");
    assert_eq!(decimal(-5, 2), "-0.05");
    assert_eq!(decimal(12345, 2), "123.45");
    assert_eq!(decimal(-12345, 0), "-12345");
    assert_eq!(decimal(12, -3), "12000");
    assert_eq!(
        decimal(99999999999999999999999999999999999999, 38),
        "0.99999999999999999999999999999999999999"
    );
    assert_eq!(
        decimal(i128::MAX, 10),
        "17014118346046923173168730371.5884105727"
    );
}

// Expected digits: `numeric_send` of PostgreSQL 15.18.
#[test]
fn numerics_are_base_ten_thousand() {
    assert_eq!(numeric(0, 2), [0, 0, 0, 2]);
    assert_eq!(numeric(1, 0), [1, 0, 0, 0, 1]);
    assert_eq!(numeric(12345, 2), [2, 0, 0, 2, 123, 4500]);
    assert_eq!(numeric(-12345, 2), [2, 0, 0x4000, 2, 123, 4500]);
    assert_eq!(numeric(10000, 0), [1, 1, 0, 0, 1]);
    assert_eq!(numeric(1, 4), [1, 0xffff, 0, 4, 1]);
    assert_eq!(numeric(1, 5), [1, 0xfffe, 0, 5, 1000]);
    assert_eq!(numeric(12, -3), [2, 1, 0, 0, 1, 2000]);
    assert_eq!(numeric(123456789, 4), [3, 1, 0, 4, 1, 2345, 6789]);
}
