#![allow(clippy::unwrap_used)]
use super::*;

// PostgreSQL 15's answers.
#[test]
fn texts_are_read_by_templates() {
    for (text, template, shown, type_name) in [
        ("12:34", "HH24:MI", "12:34:00", "time without time zone"),
        (
            "12:34:56",
            "hh24:mi:ss",
            "12:34:56",
            "time without time zone",
        ),
        ("10-03-2017", "dd-mm-yyyy", "2017-03-10", "date"),
        ("2017-3-1", "YYYY-MM-DD", "2017-03-01", "date"),
        ("20170310", "YYYYMMDD", "2017-03-10", "date"),
        ("2017031", "YYYYMMDD", "2017-03-01", "date"),
        ("12017-03-10", "YYYY-MM-DD", "12017-03-10", "date"),
        ("0000-03-10", "YYYY-MM-DD", "0001-03-10 BC", "date"),
        (" 2017-03-10 ", "YYYY-MM-DD", "2017-03-10", "date"),
        (
            "12:34 +5",
            "HH24:MI TZH",
            "12:34:00+05:00",
            "time with time zone",
        ),
        ("12+05", "HH24TZH", "12:00:00+05:00", "time with time zone"),
        (
            "12 -05:30",
            "HH24 TZH:TZM",
            "12:00:00-05:30",
            "time with time zone",
        ),
        (
            "10-03-2017 12:34 +5:30",
            "dd-mm-yyyy HH24:MI TZH:TZM",
            "2017-03-10T12:34:00+05:30",
            "timestamp with time zone",
        ),
        (
            "2017-03-10T12:34",
            "YYYY-MM-DD\"T\"HH24:MI",
            "2017-03-10T12:34:00",
            "timestamp without time zone",
        ),
        (
            "2017-03-10  12:34",
            "YYYY-MM-DD HH24:MI",
            "2017-03-10T12:34:00",
            "timestamp without time zone",
        ),
        (
            "11:30 PM",
            "HH12:MI PM",
            "23:30:00",
            "time without time zone",
        ),
        ("11:30 pm", "HH:MI AM", "23:30:00", "time without time zone"),
        (
            "12:30 A.M.",
            "HH12:MI P.M.",
            "00:30:00",
            "time without time zone",
        ),
        (
            "12:34:56.789",
            "HH24:MI:SS.MS",
            "12:34:56.789",
            "time without time zone",
        ),
        (
            "12:34:56.7",
            "HH24:MI:SS.FF3",
            "12:34:56.7",
            "time without time zone",
        ),
        (
            "12:34:56.789123",
            "HH24:MI:SS.US",
            "12:34:56.789123",
            "time without time zone",
        ),
    ] {
        let read = Template::of(template).unwrap().read(text).unwrap();
        assert_eq!(read.shown(), shown, "{text} {template}");
        assert_eq!(read.type_name(), type_name, "{text} {template}");
    }
}

#[test]
fn texts_of_other_forms_are_misread() {
    let form = |what: &str| Misread::Form(what.to_owned());
    let trailing = "trailing characters remain in input string after datetime format";
    let short = "input string is too short for datetime format";
    for (text, template, misread) in [
        ("2017-03-10x", "YYYY-MM-DD", form(trailing)),
        (
            "2017/03/10",
            "YYYY-MM-DD",
            form("unmatched format separator \"-\""),
        ),
        ("12:34", "HH24:MI:SS", form(short)),
        ("", "YYYY-MM-DD", form(short)),
        (
            "13:30 pm",
            "HH12:MI AM",
            form("hour \"13\" is invalid for the 12-hour clock"),
        ),
        ("2017-02-30", "YYYY-MM-DD", Misread::Range),
        ("2017-03-10 24:00", "YYYY-MM-DD HH24:MI", Misread::Range),
        ("12:60", "HH24:MI", Misread::Range),
        ("99999999999999999999-01-01", "YYYY-MM-DD", Misread::Range),
        ("12:34 +16", "HH24:MI TZH", Misread::Range),
    ] {
        let read = Template::of(template).unwrap().read(text);
        assert_eq!(read, Err(misread), "{text} {template}");
    }
    for (text, template) in [
        ("x", "YYYY-MM-DD"),
        ("201-03", "YYYYMMDD"),
        ("12:34 xm", "HH12:MI PM"),
        ("12:34:56.1234", "HH24:MI:SS.FF3"),
        ("é", "HH24"),
    ] {
        assert!(
            Template::of(template).unwrap().read(text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn other_templates_are_refused() {
    for template in [
        "",
        "x",
        "YY-MM-DD",
        "YYYY-MM",
        "YYYY-DDD",
        "SSSSS",
        "Mon DD YYYY",
        "Yyyy-MM-DD",
        "DDth-MM-YYYY",
        "HH12:MI",
        "HH24:MI AM",
        "MI:SS",
        "TZH",
        "HH24:TZM",
        "YYYY-MM-DD TZH",
        "HH24 HH12 AM",
        "HH24\"x",
        "FMHH24",
    ] {
        assert!(Template::of(template).is_err(), "{template}");
    }
}
