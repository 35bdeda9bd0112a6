#![allow(clippy::unwrap_used)]
use super::*;

fn one(bytes: &[u8]) -> Result<Value<'_>> {
    static NONE: std::sync::LazyLock<Symbols> = std::sync::LazyLock::new(Symbols::default);
    let mut binary = Binary::new(bytes, &NONE);
    let item = binary.next()?.ok_or_else(|| broken("nothing"))?;
    match binary.next()? {
        None => Ok(item.value),
        Some(_) => Err(broken("two")),
    }
}

fn whole(value: i128, exponent: i64) -> Value<'static> {
    Value::Number(Number {
        is_negative: value < 0,
        magnitude: Some(value.unsigned_abs()),
        exponent,
    })
}

#[test]
fn scalars_are_read_as_the_specification_has_them() {
    let cases: &[(&[u8], Value<'_>)] = &[
        (&[0x0F], Value::Null),
        (&[0x2F], Value::Null),
        (&[0xDF], Value::Null),
        (&[0x10], Value::Boolean(false)),
        (&[0x11], Value::Boolean(true)),
        (&[0x20], whole(0, 0)),
        (&[0x21, 0x7B], whole(123, 0)),
        (&[0x32, 0x01, 0x00], whole(-256, 0)),
        (&[0x40], Value::Float(0.0)),
        (&[0x44, 0x3F, 0xC0, 0, 0], Value::Float(1.5)),
        (&[0x50], whole(0, 0)),
        // 1.23: exponent -2, coefficient 123.
        (&[0x52, 0xC2, 0x7B], whole(123, -2)),
        (&[0x52, 0xC2, 0xFB], whole(-123, -2)),
        (&[0x71, 0x04], Value::Text("name".into())),
        (&[0x70], Value::Unknown),
        (&[0x82, 0xC3, 0xA9], Value::Text("é".into())),
        (&[0x8E, 0x81, b'a'], Value::Text("a".into())),
        (&[0xA1, 0xFF], Value::Bytes(vec![0xFF].into())),
        (&[0xB0], Value::List),
        (&[0xD0], Value::Struct),
        // 2000-01-01T00:00:00.5Z, and the year alone.
        (
            &[
                0x6A, 0x80, 0x0F, 0xD0, 0x81, 0x81, 0x80, 0x80, 0x80, 0xC1, 0x05,
            ],
            Value::Timestamp(946_684_800_500_000),
        ),
        (
            &[0x63, 0xC0, 0x0F, 0xD0],
            Value::Timestamp(946_684_800_000_000),
        ),
        // Padding before and behind.
        (&[0x01, 0xFF, 0x11, 0x00], Value::Boolean(true)),
        // Annotated with `name`.
        (&[0xE3, 0x81, 0x84, 0x11], Value::Boolean(true)),
    ];
    for (bytes, value) in cases {
        assert_eq!(one(bytes).unwrap(), *value, "{bytes:02X?}");
        // Padding is a value of its own here.
        if bytes.first() != Some(&0x01) {
            let measured = Some(bytes.len() as u64);
            assert_eq!(length(bytes).unwrap(), measured, "{bytes:02X?}");
        }
    }
}

#[test]
fn broken_values_are_refused() {
    for bytes in [
        &[0x12][..],
        &[0x30],
        &[0x31, 0x00],
        &[0x42, 0, 0],
        &[0x61, 0x80],
        &[0x64, 0x80, 0x0F, 0xD0, 0x8D],
        &[0x71, 0x0A],
        &[0x81, 0xFF],
        &[0x82, b'a'],
        &[
            0x8E, 0x7F, 0x7F, 0x7F, 0x7F, 0x7F, 0x7F, 0x7F, 0x7F, 0x7F, 0xFF,
        ],
        &[0xD1, 0x80],
        &[0xE0],
        &[0xE3, 0x80, 0x84, 0x11],
        &[0xE3, 0x81, 0x84, 0x00],
        &[0xE4, 0x81, 0x84, 0x11, 0x11],
        &[0xF0],
    ] {
        assert!(one(bytes).is_err(), "{bytes:02X?}: {:?}", one(bytes));
    }
}

#[test]
fn large_numbers_are_known_as_such() {
    let mut bytes = vec![0x2E, 0x91];
    bytes.extend([0xFF; 17]);
    let Value::Number(number) = one(&bytes).unwrap() else {
        unreachable!("an int")
    };
    assert_eq!(number.magnitude, None);
    bytes[2] = 0;
    let Value::Number(number) = one(&bytes).unwrap() else {
        unreachable!("an int")
    };
    assert_eq!(number.magnitude, Some(u128::MAX));
}
