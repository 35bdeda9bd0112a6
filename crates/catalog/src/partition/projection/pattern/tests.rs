#![allow(clippy::unwrap_used)]
use super::*;

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap()
}

#[test]
fn moments_are_written_and_read_back() {
    let moment = at("2024-03-05 06:07:08.091");
    for (pattern, text, truncated) in [
        ("yyyy-MM-dd", "2024-03-05", "2024-03-05 00:00:00"),
        ("uuuu/MM/dd/HH", "2024/03/05/06", "2024-03-05 06:00:00"),
        ("yyyyMMdd", "20240305", "2024-03-05 00:00:00"),
        ("yyyyMMddHHmmss", "20240305060708", "2024-03-05 06:07:08"),
        ("yyyy", "2024", "2024-01-01 00:00:00"),
        ("yyyy-MM", "2024-03", "2024-03-01 00:00:00"),
        ("y/M/d", "2024/3/5", "2024-03-05 00:00:00"),
        ("yy.MM", "24.03", "2024-03-01 00:00:00"),
        ("dd MMM yyyy", "05 Mar 2024", "2024-03-05 00:00:00"),
        ("MMMM d, yyyy", "March 5, 2024", "2024-03-05 00:00:00"),
        ("yyyy-DDD", "2024-065", "2024-03-05 00:00:00"),
        (
            "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
            "2024-03-05T06:07:08.091Z",
            "2024-03-05 06:07:08.091",
        ),
        (
            "'year='yyyy'/day='yyyy-MM-dd",
            "year=2024/day=2024-03-05",
            "2024-03-05 00:00:00",
        ),
        ("yyyy''MM", "2024'03", "2024-03-01 00:00:00"),
        ("yyyy'o''clock'", "2024o'clock", "2024-01-01 00:00:00"),
        (
            "yyyyMMddHHmmssSSSSSSSSS",
            "20240305060708091000000",
            "2024-03-05 06:07:08.091",
        ),
    ] {
        let compiled = DatePattern::parse(pattern).unwrap();
        assert_eq!(compiled.format(moment), text, "{pattern}");
        assert_eq!(compiled.read(text), Some(at(truncated)), "{pattern}");
        assert_eq!(compiled.truncated(moment), Some(at(truncated)), "{pattern}");
    }
}

#[test]
fn texts_of_another_form_are_not_read() {
    for (pattern, text) in [
        ("yyyy-MM-dd", "2024-3-05"),
        ("yyyy-MM-dd", "2024-02-30"),
        ("yyyy-MM-dd", "2024-03-05x"),
        ("yyyy-MM-dd", "0000-01-01"),
        ("yyyyMMdd", "2024030"),
        ("yyyy-MM-dd HH", "2024-03-05 24"),
        ("yyyy-MM-dd HH:mm:ss", "2024-03-05 00:00:60"),
        ("yyyy-DDD", "2023-366"),
        ("MMM yyyy", "MAR 2024"),
        ("yyyy/yyyy", "2024/2025"),
        ("yyyy", "+024"),
        ("yyyy", ""),
    ] {
        let compiled = DatePattern::parse(pattern).unwrap();
        assert_eq!(compiled.read(text), None, "{pattern} {text}");
    }
}

#[test]
fn patterns_that_are_not_supported_are_refused_by_name() {
    for (pattern, why) in [
        ("YYYY-MM-dd", "'YYYY'"),
        ("yyyy-MM-dd hh a", "'hh'"),
        ("yyyy-MM-ddTHH", "'T'"),
        ("yyyy-MM-dd'T", "not closed"),
        ("yyyy-MM-dd'T'HHX", "UTC"),
        ("yyyy[-MM]", "'['"),
        ("MM-dd", "not the year"),
        ("yyyy-dd", "not the month"),
        ("yyyy-MM HH", "not the day"),
        ("yyyy-MM-dd ss", "not the minute"),
        ("yMM", "ambiguous"),
        ("yyyyyMM", "'yyyyy'"),
        ("", "no letter"),
        ("'x'", "no letter"),
    ] {
        let error = DatePattern::parse(pattern).unwrap_err();
        assert!(error.contains(why), "{pattern}: {error}");
    }
    assert!(DatePattern::parse(&"-".repeat(1_000)).is_err());
}

#[test]
fn texts_sort_where_larger_fields_come_first() {
    for (pattern, sorts) in [
        ("yyyy-MM-dd", true),
        ("yyyyMMddHH", true),
        ("yy/MM", true),
        ("yyyy/DDD/HH", true),
        ("'y='yyyy'/d='yyyy-MM", true),
        ("dd-MM-yyyy", false),
        ("yyyy-M", false),
        ("yyyy MMM", false),
    ] {
        assert_eq!(
            DatePattern::parse(pattern).unwrap().sorts(),
            sorts,
            "{pattern}"
        );
    }
}
