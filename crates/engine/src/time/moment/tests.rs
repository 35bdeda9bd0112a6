#![allow(clippy::unwrap_used)]
use super::*;

fn timestamp(text: &str) -> Result<i64, Fault> {
    Moment::read(text, MAX_DIGITS, DateOrder::Mdy)?.timestamp()
}

fn time(text: &str) -> Result<i64, Fault> {
    Moment::read(text, MAX_DIGITS, DateOrder::Mdy)?.time_of_day()
}

#[test]
fn forms_of_one_time_are_one_value() {
    let expected = timestamp("2024-02-29 00:10:11.5").unwrap();
    for text in [
        "2024-02-29T00:10:11.5",
        " 2024-2-29 0:10:11.50 ",
        "20240229 001011.5",
        "20240229T001011.5Z",
        "2024-Feb-29 12:10:11.5 am",
        "2024/02/29 00:10:11.5 Europe/Berlin",
        "2024.02.29 AD 00:10:11.499999999",
        "2024-02-29 00:10:11.5+02:00",
        "Feb 29 00:10:11.5 2024 PST",
        "29 February, 2024 12:10:11.5 am",
        "2/29/2024 00:10:11.5",
        "02-29-2024 12:10:11.5 am +02",
    ] {
        assert_eq!(timestamp(text), Ok(expected), "{text}");
    }
    assert_eq!(timestamp("2024-01-01 23:59:60"), timestamp("2024-01-02"));
    assert_eq!(timestamp("2024-01-01 24:00:00"), timestamp("2024-01-02"));
    assert_eq!(timestamp("0001-01-01 BC"), Ok(-62_167_219_200 * SECOND));
    for text in ["200000/12/20", "200000.12.20", "200000-Dec-20 00:00"] {
        assert_eq!(timestamp(text), timestamp("200000-12-20"), "{text}");
    }
    assert_eq!(timestamp("200000-12-20"), Ok(6_249_253_766_400 * SECOND));
    assert_eq!(timestamp("epoch"), Ok(0));
}

#[test]
fn what_is_no_moment_is_an_error() {
    for text in [
        "",
        "now",
        "today",
        "infinity",
        "2024",
        "2024-01",
        "2024-01-01x",
        "2024-01-01 x",
        "2024-01-01 10",
        "2024-01-01T",
        "10:11:12",
        "-0001-01-01",
        "2024-1-1-1",
        "01/02/123",
        "2024-W01-1",
        "2024-01-01 10:11:12,5",
        "20240229101112",
        "Feb 29 2024 x",
        "29-Feb",
        "240229 10:00",
        "200000-12",
        "2024-01-01 10:00 10:00",
        "2024-01-01 10:00+02+02",
        "2024-01-01 10:00-",
        "2024–01–01",
        "🦀",
    ] {
        assert_eq!(timestamp(text), Err(Fault::Syntax), "{text}");
    }
    for text in [
        "29/2/2024",
        "0000-01-01",
        "2024-02-30",
        "2023-02-29",
        "Feb 29 2023",
        "99-Jan-08",
        "2024-13-01",
        "2024-01-01 25:00",
        "2024-01-01 24:00:01",
        "2024-01-01 10:60",
        "2024-01-01 23:59:60.5",
        "2024-01-01 13:00 pm",
        "294277-01-01",
        "4714-11-23 BC",
        "99999999-01-01",
    ] {
        assert_eq!(timestamp(text), Err(Fault::Range), "{text}");
    }
}

#[test]
fn times_of_day_are_read_alone_or_after_a_date() {
    assert_eq!(time("10:11"), Ok((10 * 3600 + 11 * 60) * SECOND));
    assert_eq!(time("101112"), Ok((10 * 3600 + 11 * 60 + 12) * SECOND));
    assert_eq!(time("101112-08"), time("101112"));
    assert_eq!(time("101112.5"), time("10:11:12.5"));
    assert_eq!(time("10:11 pm +02"), Ok((22 * 3600 + 11 * 60) * SECOND));
    assert_eq!(time("2024-01-01 10:11 Europe/Berlin"), time("10:11"));
    for text in [
        "2024-01-01T10:11",
        "2024-01-01 1011",
        "20240229 10:11",
        "2024-01-01-10:00",
    ] {
        assert_eq!(time(text), Err(Fault::Syntax), "{text}");
    }
    for text in [
        "20240229",
        "2024-01-01",
        "10",
        "10.5",
        "10:00 Europe/Berlin",
        "-10:00",
    ] {
        assert!(time(text).is_err(), "{text}");
    }
}

#[test]
fn minutes_may_have_a_leap_second() {
    assert_eq!(time("10:11:60"), time("10:12"));
    assert_eq!(time("10:11:60.5"), time("10:12:00.5"));
    assert_eq!(time("23:59:60"), Ok(DAY));
    for text in ["23:59:60.5", "24:00:00.000001", "10:11:61", "25:00"] {
        assert_eq!(time(text), Err(Fault::Range), "{text}");
    }
}

#[test]
fn half_a_microsecond_is_rounded_to_even_in_postgres() {
    let read = |text: &str, order: DateOrder| {
        Moment::read(text, MAX_DIGITS, order).and_then(Moment::time_of_day)
    };
    for (digits, to_even, up) in [
        ("0000005", 0, 1),
        ("0000015", 2, 2),
        ("0000025", 2, 3),
        ("00000250000001", 3, 3),
        ("1234565", 123_456, 123_457),
        ("9999994", 999_999, 999_999),
        ("9999995", 1_000_000, 1_000_000),
        ("123456", 123_456, 123_456),
    ] {
        let text = format!("00:00:00.{digits}");
        assert_eq!(read(&text, DateOrder::Mdy), Ok(to_even), "{text}");
        assert_eq!(read(&text, DateOrder::Unknown), Ok(up), "{text}");
    }
}

#[test]
fn offsets_may_be_out_of_range() {
    for text in ["10:00+16", "10:00-167", "10:00+2:60"] {
        assert_eq!(time(text), Err(Fault::Zone), "{text}");
    }
    for text in ["10:00+", "10:00+:30", "10:00+1:2:3:4"] {
        assert_eq!(time(text), Err(Fault::Syntax), "{text}");
    }
}

#[test]
fn long_texts_are_no_times() {
    let spaces = " ".repeat(LONGEST);
    assert_eq!(timestamp(&format!("{spaces}epoch{spaces}")), Ok(0));
    assert!(timestamp(&format!("2024-02-29{}12:00", " ".repeat(100))).is_ok());
    let long = "1".repeat(20 << 20);
    assert_eq!(timestamp(&long), Err(Fault::Syntax));
    assert_eq!(time(&long), Err(Fault::Syntax));
}
