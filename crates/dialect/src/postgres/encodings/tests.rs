#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

fn encoding(name: &str) -> &'static Encoding {
    match encoding_named(name) {
        Some(Named::Converted(encoding)) => encoding,
        other => panic!("{name}: {other:?}"),
    }
}

// Expected bytes: PostgreSQL 15's `convert_to`.
#[test]
fn characters_have_the_bytes_of_postgres() {
    for (name, text, bytes) in [
        ("LATIN1", "aé\u{80}ÿ", &b"a\xe9\x80\xff"[..]),
        ("LATIN9", "€œ", b"\xa4\xbd"),
        ("WIN1252", "€ “ü”", b"\x80 \x93\xfc\x94"),
        ("WIN1251", "Привет", b"\xcf\xf0\xe8\xe2\xe5\xf2"),
        ("KOI8R", "Привет", b"\xf0\xd2\xc9\xd7\xc5\xd4"),
        ("WIN1250", "žluť", b"\x9elu\x9d"),
        ("ISO_8859_7", "Ωμ", b"\xd9\xec"),
        ("WIN874", "ไทย", b"\xe4\xb7\xc2"),
        ("SJIS", "表ｱ日", b"\x95\x5c\xb1\x93\xfa"),
        ("EUC_JP", "日本ｱ～", b"\xc6\xfc\xcb\xdc\x8e\xb1\xa1\xc1"),
        ("EUC_JP", "丂", b"\x8f\xb0\xa1"),
        ("EUC_KR", "한글", b"\xc7\xd1\xb1\xdb"),
        ("UHC", "똠", b"\x8c\x63"),
        ("EUC_CN", "中文", b"\xd6\xd0\xce\xc4"),
        ("GBK", "中國", b"\xd6\xd0\x87\xf8"),
        ("BIG5", "中文", b"\xa4\xa4\xa4\xe5"),
        ("SJIS", "", b""),
    ] {
        let encoding = encoding(name);
        assert_eq!(&*encoding.encode(text).unwrap(), bytes, "{name}: {text}");
        assert_eq!(encoding.decode(bytes).unwrap(), text, "{name}");
    }
}

#[test]
fn every_character_of_a_byte_goes_both_ways() {
    let single = ALL.iter().filter(|one| one.data.is_none());
    for encoding in single {
        let mut count = 0;
        for byte in 0x80..=0xff_u8 {
            let Ok(text) = encoding.decode(&[byte]) else {
                continue;
            };
            count += 1;
            assert_eq!(&*encoding.encode(&text).unwrap(), [byte], "{encoding:?}");
        }
        assert!(count > 80, "{encoding:?}: {count}");
    }
    // Numbers of characters beside ASCII, counted in PostgreSQL 15.
    for (name, count) in [
        ("BIG5", 13_717),
        ("EUC_CN", 7_445),
        ("EUC_JP", 13_197),
        ("EUC_KR", 8_227),
        ("GBK", 21_791),
        ("SJIS", 7_787),
        ("UHC", 17_237),
    ] {
        let encoding = encoding(name);
        let two = (0x8000..=0xffff_u32).map(|code| code.to_be_bytes()[2..].to_vec());
        let three = (0x8f_a1a1..=0x8f_fefe_u32).map(|code| code.to_be_bytes()[1..].to_vec());
        let one = (0x80..=0xff_u8).map(|byte| vec![byte]);
        let all = one.chain(two).chain(three);
        let characters = all.filter(|bytes| {
            let text = encoding.decode(bytes);
            text.is_ok_and(|text| text.chars().count() == 1 && !text.is_ascii())
        });
        assert_eq!(characters.count(), count, "{name}");
    }
}

// Expected texts: PostgreSQL 15.
#[test]
fn what_has_no_equivalent_is_named() {
    for (name, text, message) in [
        (
            "LATIN1",
            "a€",
            "character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
        ),
        (
            "WIN1252",
            "😀",
            "character with byte sequence 0xf0 0x9f 0x98 0x80 in encoding \"UTF8\" has no equivalent in encoding \"WIN1252\"",
        ),
    ] {
        let error = encoding(name).encode(text).unwrap_err();
        assert_eq!(error.message(), message);
        assert_eq!(error.code().sqlstate(), "22P05");
    }
    for (name, bytes, sqlstate, message) in [
        (
            "WIN1252",
            &b"a\x81"[..],
            "22P05",
            "character with byte sequence 0x81 in encoding \"WIN1252\" has no equivalent in encoding \"UTF8\"",
        ),
        (
            "SJIS",
            b"\x81\xad",
            "22P05",
            "character with byte sequence 0x81 0xad in encoding \"SJIS\" has no equivalent in encoding \"UTF8\"",
        ),
        (
            "SJIS",
            b"\x81 ",
            "22021",
            "invalid byte sequence for encoding \"SJIS\": 0x81 0x20",
        ),
        (
            "EUC_JP",
            b"ab\xa4",
            "22021",
            "invalid byte sequence for encoding \"EUC_JP\": 0xa4",
        ),
        (
            "LATIN1",
            b"a\0b",
            "22021",
            "invalid byte sequence for encoding \"LATIN1\": 0x00",
        ),
    ] {
        let error = encoding(name).decode(bytes).unwrap_err();
        assert_eq!(error.message(), message);
        assert_eq!(error.code().sqlstate(), sqlstate);
    }
}

#[test]
fn beginnings_of_characters_wait_for_the_rest() {
    let sjis = encoding("SJIS");
    let decoded = sjis.decode_start(b"\x93\xfa\x95");
    assert_eq!((decoded.text.as_str(), decoded.length), ("日", 2));
    assert!(decoded.error.is_none());
    let decoded = sjis.decode_start(b"x\x81 y");
    assert_eq!((decoded.text.as_str(), decoded.length), ("x", 1));
    assert!(decoded.error.is_some());
}

#[test]
fn hostile_bytes_are_text_or_an_error() {
    // Of a linear congruential generator.
    let mut state = 42_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    for encoding in &ALL {
        for _ in 0..2_000 {
            let length = usize::from(random() % 24);
            let bytes: Vec<u8> = (0..length).map(|_| random()).collect();
            let decoded = encoding.decode_start(&bytes);
            assert!(decoded.length <= bytes.len(), "{encoding:?} {bytes:?}");
            let read = encoding.decode(&bytes[..decoded.length]).unwrap();
            assert_eq!(read, decoded.text, "{encoding:?} {bytes:?}");
            // What can be read can be written, perhaps in other bytes.
            let written = encoding.encode(&read).unwrap();
            assert_eq!(encoding.decode(&written).unwrap(), read, "{encoding:?}");
        }
    }
}
