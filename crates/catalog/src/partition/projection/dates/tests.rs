#![allow(clippy::unwrap_used)]
use super::*;

fn now() -> DateTime<Utc> {
    "2024-03-31T13:45:10.123456789Z".parse().unwrap()
}

fn dates(pattern: &str, range: [&str; 2], step: (u32, &str)) -> Dates {
    let pattern = DatePattern::parse(pattern).unwrap();
    let step = Unit::of_name(step.1).unwrap().times(step.0).unwrap();
    let [first, last] = range.map(|end| End::parse(end, &pattern).unwrap());
    Dates {
        first,
        last,
        step: distinct_step(step, &pattern).unwrap(),
        pattern,
        kind: DateKind::Text,
    }
}

fn texts(dates: &Dates) -> Vec<String> {
    let sequence = dates.at(now());
    (0..sequence.len())
        .map(|at| sequence.value(at).unwrap().folder_text().to_owned())
        .collect()
}

#[test]
fn ranges_are_stepped_through_from_their_start() {
    for (pattern, range, step, expected) in [
        (
            "yyyy-MM-dd",
            ["2024-02-28", "2024-03-01"],
            (1, "DAYS"),
            "2024-02-28 2024-02-29 2024-03-01",
        ),
        (
            "yyyy/MM",
            ["2023/11", "2024/02"],
            (1, "MONTHS"),
            "2023/11 2023/12 2024/01 2024/02",
        ),
        ("yyyy", ["2000", "2010"], (5, "YEARS"), "2000 2005 2010"),
        (
            "yyyy-MM-dd",
            ["2024-01-01", "2024-01-20"],
            (1, "WEEKS"),
            "2024-01-01 2024-01-08 2024-01-15",
        ),
        (
            "yyyyMMddHH",
            ["2024010122", "2024010207"],
            (4, "HOURS"),
            "2024010122 2024010202 2024010206",
        ),
        (
            "yyyy-MM-dd",
            ["NOW-2DAYS", "NOW"],
            (1, "DAYS"),
            "2024-03-29 2024-03-30 2024-03-31",
        ),
        (
            "yyyy-MM-dd",
            [" now - 1 day ", "2024-04-01"],
            (1, "DAYS"),
            "2024-03-30 2024-03-31 2024-04-01",
        ),
        (
            "yyyy-MM-dd",
            ["NOW-1MONTH", "2024-03-02"],
            (1, "DAYS"),
            "2024-02-29 2024-03-01 2024-03-02",
        ),
        (
            "yyyy-MM",
            ["2024-03", "NOW+2MONTHS"],
            (1, "MONTHS"),
            "2024-03 2024-04 2024-05",
        ),
        (
            "yyyy-MM-dd'T'HH",
            ["NOW", "NOW+1HOURS"],
            (1, "HOURS"),
            "2024-03-31T13 2024-03-31T14",
        ),
        ("yyyy-MM-dd", ["2024-01-02", "2024-01-01"], (1, "DAYS"), ""),
        // Steps that the pattern does not write.
        ("yyyy", ["2023", "2024"], (1, "MONTHS"), "2023 2024"),
        (
            "yyyy-MM",
            ["2024-01", "2024-03"],
            (1, "DAYS"),
            "2024-01 2024-02 2024-03",
        ),
        (
            "yyyy-MM-dd",
            ["2024-01-01", "2024-01-05"],
            (36, "HOURS"),
            "2024-01-01 2024-01-02 2024-01-04",
        ),
        (
            "yyyy-MM-dd",
            ["2024-01-01", "2024-01-02"],
            (1, "SECONDS"),
            "2024-01-01 2024-01-02",
        ),
        ("yyyy", ["2000", "2004"], (18, "MONTHS"), "2000 2001 2003"),
        (
            "dd MMM yyyy",
            ["31 Jan 2024", "31 May 2024"],
            (1, "MONTHS"),
            "31 Jan 2024 29 Feb 2024 31 Mar 2024 30 Apr 2024 31 May 2024",
        ),
    ] {
        assert_eq!(
            texts(&dates(pattern, range, step)).join(" "),
            expected,
            "{pattern} {range:?}"
        );
    }
}

#[test]
fn every_value_is_found_at_its_place() {
    for (pattern, range, step) in [
        ("yyyy-MM-dd", ["2019-12-30", "2024-03-01"], (1, "DAYS")),
        ("yyyy-MM-dd", ["2019-12-30", "2024-03-01"], (36, "HOURS")),
        ("yyyy-MM-dd", ["2019-12-31", "2024-03-01"], (1, "MONTHS")),
        ("yyyy", ["1990", "2024"], (18, "MONTHS")),
        (
            "dd.MM.yyyy HH",
            ["01.01.2024 00", "03.01.2024 00"],
            (5, "HOURS"),
        ),
        ("yyyy-MM-dd HH:mm", ["NOW-3HOURS", "NOW"], (7, "MINUTES")),
    ] {
        for kind in [DateKind::Text, DateKind::Date, DateKind::Timestamp] {
            if kind == DateKind::Date && pattern.contains('H') {
                continue;
            }
            let dates = Dates {
                kind,
                ..dates(pattern, range, step)
            };
            let sequence = dates.at(now());
            assert!(sequence.len() > 1);
            for at in 0..sequence.len() {
                let key = sequence.key(at).unwrap();
                assert_eq!(sequence.position(&key), Some(at), "{pattern} {key:?}");
            }
            assert_eq!(sequence.key(sequence.len()), None);
        }
    }
    let weeks = dates("yyyy-MM-dd", ["2024-01-01", "2024-12-31"], (1, "WEEKS")).at(now());
    for other in ["2024-01-02", "2023-12-25", "2025-01-06", "2024-1-8", "NOW"] {
        assert_eq!(weeks.position(&KeyValue::text(other)), None, "{other}");
    }
    let far = Dates {
        kind: DateKind::Date,
        ..dates("yyyy-MM-dd", ["2024-01-01", "2024-12-31"], (1, "DAYS"))
    };
    for days in [i64::MIN, i64::MAX, 0] {
        assert_eq!(far.at(now()).position(&KeyValue::Int(days)), None);
    }
}

#[test]
fn ends_that_are_no_dates_are_refused() {
    let pattern = DatePattern::parse("yyyy-MM-dd").unwrap();
    for end in [
        "",
        "2024",
        "2024-02-30",
        "NOWADAYS",
        "NOW-",
        "NOW-DAYS",
        "NOW-1",
        "NOW*2DAYS",
        "NOW-1DECADES",
        "NOW-1DAYSS",
        "NOW-99999999999DAYS",
        "NOW+4000000000YEARS",
        "NOW-5MILLISECONDS",
    ] {
        assert!(End::parse(end, &pattern).is_err(), "{end}");
    }
}

#[test]
fn far_ends_are_bounded_by_what_texts_can_say() {
    let wide = dates(
        "yyyy-MM-dd",
        ["NOW-9000YEARS", "NOW+9000YEARS"],
        (1, "DAYS"),
    );
    let sequence = wide.at(now());
    assert_eq!(sequence.value(0).unwrap().folder_text(), "0001-01-01");
    let last = sequence.len() - 1;
    assert_eq!(sequence.value(last).unwrap().folder_text(), "9999-12-31");
    let short = dates("yy", ["NOW-100YEARS", "NOW+100YEARS"], (1, "YEARS"));
    assert_eq!(texts(&short).len(), 100);
    for days in [29, 30] {
        let pattern = DatePattern::parse("yyyy-MM").unwrap();
        assert!(distinct_step(Unit::Micros(days * DAY), &pattern).is_err());
    }
}

#[test]
fn timestamps_are_written_in_canonical_form() {
    let dates = Dates {
        kind: DateKind::Timestamp,
        ..dates(
            "yyyy-MM-dd-HH-mm-ss-SSS",
            ["2024-01-01-00-00-00-000", "2024-01-01-00-00-01-000"],
            (500, "MILLISECONDS"),
        )
    };
    let sequence = dates.at(now());
    let texts: Vec<String> = (0..sequence.len())
        .map(|at| sequence.value(at).unwrap().text().to_owned())
        .collect();
    assert_eq!(
        texts,
        [
            "2024-01-01 00:00:00",
            "2024-01-01 00:00:00.5",
            "2024-01-01 00:00:01"
        ]
    );
}
