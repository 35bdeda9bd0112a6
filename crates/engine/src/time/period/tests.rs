use super::*;

#[test]
fn intervals_are_read_as_postgres_reads_them() {
    let micro = 1000;
    let second = 1_000_000 * micro;
    for (text, months, days, nanos) in [
        ("1", 0, 0, second),
        ("1.5", 0, 0, second * 3 / 2),
        ("1 2:03", 0, 1, 7380 * second),
        ("2:03.5", 0, 0, 123 * second + second / 2),
        ("1-2", 14, 0, 0),
        ("-1-2", -14, 0, 0),
        ("1 day ago", 0, -1, 0),
        ("@ 1 day -1 hour", 0, 1, -3600 * second),
        ("P1Y2M3DT4H5M6S", 14, 3, 14_706 * second),
        ("PT1.5H", 0, 0, 5400 * second),
        ("P-1Y1W", -12, 7, 0),
        ("PT", 0, 0, 0),
        ("P1DT", 0, 1, 0),
        ("P8.6M7.3WT6.66H", 8, 68, 119_016 * second),
        ("P-1.5M", -1, -15, 0),
        ("1.5 years 1.5 months", 19, 15, 0),
        ("-1.5 months", -1, -15, 0),
        ("1.5 weeks", 0, 10, 43_200 * second),
        ("-0.5 days", 0, 0, -43_200 * second),
        (".5 days", 0, 0, 43_200 * second),
        (
            "1y 2mon 3w 4d 5h 6m 7s 8ms 9us",
            14,
            25,
            18_367_008_009 * micro,
        ),
        ("1 decade 1 century 1 millennium", 13_320, 0, 0),
        ("0.0000005 sec", 0, 0, 0),
        ("0.0000015 secs", 0, 0, micro),
        ("1 month 2", 1, 0, 2 * second),
        ("-3 4:05:06", 0, -3, 14_706 * second),
        ("1-2 3 4:05:06", 14, 3, 14_706 * second),
        (" -36:00:00 ", 0, 0, -129_600 * second),
        ("1 day, 2 HOURS", 0, 1, 7200 * second),
        ("- 1 day", 0, -1, 0),
        ("1:2:60", 0, 0, 3780 * second),
        ("1:2:60.5", 0, 0, 3780 * second + second / 2),
    ] {
        let expected = IntervalMonthDayNano::new(months, days, nanos);
        assert_eq!(read(text), Ok(expected), "{text}");
    }
    let wrong = "|day|1 fortnight|1day2hours|1w2d|1us2d|1 day1 hour|1 1|1 day 1 day|1 quarter|1e3 days|infinity|1,000 days|P|2:-03|5.year|100 ago|p1d|36:00:00 25 us|36:00:00 -0.5 day|1.5 sec 3 us|1 hour 2:03|1 day x|ago|P+4D|P1DT+4H|-.5|+.5 s|- .5 h|1 day -.5| P1D|P1D |🦀";
    for text in wrong.split('|') {
        assert_eq!(read(text), Err(Fault::Syntax), "{text}");
    }
    for text in [
        "1:60",
        "1:2:61",
        "2147483648 days",
        "9999999999 hours",
        "99999999999999999999 days",
        "1-12",
    ] {
        assert_eq!(read(text), Err(Fault::Range), "{text}");
    }
}

#[test]
fn letters_of_iso_8601_have_any_order() {
    let day = 24 * HOUR;
    for (text, expected) in [
        ("P12D100Y", Some((1200, 12, 0))),
        ("P1Y1Y", Some((24, 0, 0))),
        ("PTT", Some((0, 0, 0))),
        ("PT1M1H", Some((0, 0, HOUR + MINUTE))),
        ("PT1HT1M", Some((0, 0, HOUR + MINUTE))),
        ("P1YT", Some((12, 0, 0))),
        ("P1e2D", Some((0, 100, 0))),
        ("P.5D", Some((0, 0, day / 2))),
        ("P-1.5Y", Some((-18, 0, 0))),
        ("P1D1W", Some((0, 8, 0))),
        ("P1Y2", None),
        ("PT1H2:3", None),
        ("P1H", None),
        ("PT1D", None),
        ("P+1D", None),
        ("P1 D", None),
        ("P.D", None),
        ("PeD", None),
        ("P1e999D", None),
        ("P1🦀", None),
    ] {
        let read = read(text).ok();
        let parts = read.map(|read| (read.months, read.days, read.nanoseconds / 1000));
        assert_eq!(parts, expected, "{text}");
    }
    for text in ["P1e16D", "P2147483648D", "P-9999999999M"] {
        assert_eq!(read(text), Err(Fault::Range), "{text}");
    }
}

#[test]
fn alternative_forms_of_iso_8601_have_no_letters() {
    for (text, expected) in [
        ("P0001-02-03T04:05:06", Some((14, 3, 14_706_000_000))),
        ("P0001-02-03", Some((14, 3, 0))),
        ("P1-2", Some((14, 0, 0))),
        ("P1", Some((12, 0, 0))),
        ("P1T2", Some((12, 0, 2 * HOUR))),
        ("P1-2T3", Some((14, 0, 3 * HOUR))),
        ("P20200102", Some((2020 * 12 + 1, 2, 0))),
        ("P20200102T030405", Some((2020 * 12 + 1, 2, 11_045_000_000))),
        ("PT040506", Some((0, 0, 14_706_000_000))),
        ("PT4:5", Some((0, 0, 4 * HOUR + 5 * MINUTE))),
        ("PT4:5:6.7", Some((0, 0, 14_706_700_000))),
        ("P-1-2", Some((-10, 0, 0))),
        ("P1.5", Some((18, 0, 0))),
        ("P1-2-3.5", Some((14, 3, 12 * HOUR))),
        ("PT1.5:2", Some((0, 0, HOUR + 32 * MINUTE))),
        ("P0001-02-03T-04:05:06", Some((14, 3, -14_094_000_000))),
        ("PT030405.5", Some((0, 0, 11_045_000_000))),
        ("P0001-02-03T", Some((14, 3, 0))),
        ("P1-2-3-4", None),
        ("P1-2T3:4:5:6", None),
        ("P1Y2M3", None),
        ("P-", None),
        ("PT:", None),
        ("P999999999999999999999", None),
        ("PT4:5:6T", None),
    ] {
        let read = read(text).ok();
        let parts = read.map(|read| (read.months, read.days, read.nanoseconds / 1000));
        assert_eq!(parts, expected, "{text}");
    }
}

#[test]
fn fields_of_a_type_say_what_numbers_are() {
    use LastField as Last;
    for (text, last, expected) in [
        ("5", Last::Hour, Some((0, 0, 5 * HOUR))),
        ("-5", Last::Month, Some((-5, 0, 0))),
        ("1.5", Last::Year, Some((12, 0, 0))),
        ("5.5", Last::Day, Some((0, 5, 0))),
        ("3 4", Last::Hour, Some((0, 3, 4 * HOUR))),
        ("3 4", Last::Minute, None),
        ("5 ago", Last::Hour, None),
        ("1:30", Last::Hour, Some((0, 0, HOUR))),
        (
            "4:05",
            Last::MinuteToSecond,
            Some((0, 0, 4 * MINUTE + 5_000_000)),
        ),
        (
            "3 -4:05",
            Last::MinuteToSecond,
            Some((0, 3, -4 * MINUTE - 5_000_000)),
        ),
        (
            "1 year 2 mons 3 days 4:05:06.7",
            Last::Year,
            Some((12, 0, 0)),
        ),
        (
            "1 year 2 mons 3 days 4:05:06.7",
            Last::Month,
            Some((14, 0, 0)),
        ),
        (
            "1 year 2 mons 3 days 4:05:06.7",
            Last::Day,
            Some((14, 3, 0)),
        ),
        (
            "3 days -4:05:06.7",
            Last::Minute,
            Some((0, 3, -4 * HOUR - 5 * MINUTE)),
        ),
        (
            "3 days 4:05:06.7",
            Last::Second,
            Some((0, 3, 14_706_700_000)),
        ),
        ("P1", Last::Day, Some((12, 0, 0))),
    ] {
        let read = read_to(text, Some(last)).ok();
        let parts = read.map(|read| (read.months, read.days, read.nanoseconds / 1000));
        assert_eq!(parts, expected, "{text} {last:?}");
    }
}

#[test]
fn units_end_where_the_next_number_begins() {
    for (text, expected) in [
        ("1d2h3m4s", Some((0, 1, 2 * HOUR + 3 * MINUTE + 4_000_000))),
        ("1mon2d", Some((1, 2, 0))),
        ("1d2", Some((0, 1, 2_000_000))),
        ("1d+2H3m", Some((0, 1, 2 * HOUR + 3 * MINUTE))),
        ("1D2:03", Some((0, 1, 2 * HOUR + 3 * MINUTE))),
        ("1d2-3", Some((27, 1, 0))),
        ("1dec2d", Some((120, 2, 0))),
        ("1d-2h", None),
        ("1day2:03", None),
        ("1day2h", None),
        ("1sec2h", None),
        ("1yr2mon", None),
    ] {
        let read = read(text).ok();
        let parts = read.map(|read| (read.months, read.days, read.nanoseconds / 1000));
        assert_eq!(parts, expected, "{text}");
    }
}
