use super::*;
use crate::time::calendar::DAY;

#[test]
fn texts_are_read_as_templates_say() {
    let day = days_of(2024, 3, 5) * DAY;
    let time = day + (13 * 3600 + 4 * 60 + 5) * SECOND;
    for (text, template, expected) in [
        ("2024-03-05", "YYYY-MM-DD", day),
        ("20240305", "YYYYMMDD", day),
        ("5/3/24", "DD/MM/YY", day),
        ("Mar 5, 2024", "Mon DD, YYYY", day),
        ("05 march 2024 rest", "DD Month YYYY", day),
        ("2024 065", "YYYY DDD", day),
        ("2024-03-05T13:04:05", "YYYY-MM-DD\"T\"HH24:MI:SS", time),
        ("2024-03-05 01:04:05 pm", "YYYY-MM-DD HH:MI:SS AM", time),
        (
            "2024-03-05 13:04:05.25",
            "YYYY-MM-DD HH24:MI:SS.MS",
            time + 250_000,
        ),
        ("20240305130405", "YYYYMMDDHH24MISS", time),
        ("2024-03", "YYYY-MM-DD", days_of(2024, 3, 1) * DAY),
        ("2024/3/5 13_04_05", "YYYY-MM-DD HH24:MI:SS", time),
        ("  2024  3  5", "YYYY MM DD", day),
        ("5th Mar 2024", "DDth MON YYYY", day),
        ("2024,03,05", "YYYY/MM/DD", day),
        ("Tuesday 5-Mar-2024", "Day DD-Mon-YYYY", day),
        ("2024-10-2", "IYYY-IW-ID", day),
        ("2024-10", "IYYY-IW", days_of(2024, 3, 4) * DAY),
        ("2024065", "IYYYIDDD", day),
        ("2460375", "J", day),
        ("1 2024 5 III", "Q YYYY DD RM", day),
        ("2,024 03 05", "Y,YYY MM DD", day),
        ("024-3-5", "YYY-MM-DD", day),
        ("21 24 3 5", "CC YY MM DD", day),
        ("2024-03-05 47045", "YYYY-MM-DD SSSSS", time),
        ("44 B.C. 3", "YYYY B.C. MM", days_of(-43, 3, 1) * DAY),
        ("-44-03", "YYYY-MM", days_of(-43, 3, 1) * DAY),
    ] {
        let said = Said {
            time: expected,
            offset: None,
        };
        assert_eq!(read(text, template), Ok(said), "{text}");
    }
    let said = read(
        "2024-03-05 13:04:05 -05:30",
        "YYYY-MM-DD HH24:MI:SS TZH:TZM",
    );
    assert_eq!(
        said,
        Ok(Said {
            time,
            offset: Some(-19_800)
        })
    );
    for (text, template, offset) in [
        ("2000 -10", "YYYY TZH", -36_000),
        ("2000 10", "YYYY TZH", 36_000),
        ("2000 20", "YYYY TZM", 1200),
    ] {
        let said = read(text, template).map(|said| said.offset);
        assert_eq!(said, Ok(Some(offset)), "{text}");
    }
    let long = "Y".repeat(MAX_TEMPLATE + 1);
    for (text, template, fault) in [
        ("2024x03x05", "YYYY-MM-DD", Fault::Differs),
        ("2024-05-06", "YYYY-DD-DD", Fault::Conflict("DD")),
        ("2024-03-xx", "YYYY-MM-DD", Fault::Differs),
        ("x", "YYYY", Fault::Differs),
        ("2024", long.as_str(), Fault::Long),
        ("2024-02-30", "YYYY-MM-DD", Fault::Range),
        ("2024-01-01 24:00", "YYYY-MM-DD HH24:MI", Fault::Range),
        ("2024 13", "YYYY HH", Fault::Hour(13)),
        ("60", "DDD", Fault::NoYear),
        ("5", "WW", Fault::NoYear),
        ("25:00", "HH24:MI", Fault::Range),
        ("2024-01", "YYYY-IW", Fault::Calendars),
        ("2024-02-Mar", "YYYY-MM-Mon", Fault::Conflict("MON")),
        ("2024-01-01 86400", "YYYY-MM-DD SSSSS", Fault::Range),
        ("10000000000", "YYYY", Fault::Range),
        ("2024 UTC", "YYYY TZ", Fault::Pattern("TZ")),
    ] {
        assert_eq!(read(text, template), Err(fault), "{text}");
    }
}

#[test]
fn missing_fields_are_those_of_the_first_day_of_1_bc() {
    let first = days_of(0, 1, 1) * DAY;
    for (text, template, expected) in [
        ("", "YYYY", first),
        ("0000-00-00", "YYYY-MM-DD", first),
        ("12:34", "HH24:MI", first + (12 * 60 + 34) * 60 * SECOND),
        ("3 pm", "HH pm", first + 15 * 3600 * SECOND),
        ("II", "RM", days_of(0, 2, 1) * DAY),
        ("29th", "DDth", days_of(0, 1, 29) * DAY),
        ("2000-00-01", "YYYY-MM-DD", days_of(2000, 1, 1) * DAY),
        ("2024y02", "YYYY\"x\"MM", days_of(2024, 2, 1) * DAY),
        ("2024-02-29", "YYYYMMDD", days_of(2024, 1, 2) * DAY),
        ("2024-54-1", "IYYY-IW-ID", days_of(2025, 1, 6) * DAY),
        ("2024-09-8", "IYYY-IW-ID", days_of(2024, 3, 3) * DAY),
    ] {
        let said = read(text, template).map(|said| said.time);
        assert_eq!(said, Ok(expected), "{text}");
    }
}

// This takes minutes if each field counts all digits that follow.
#[test]
fn long_texts_of_digits_are_read_once() {
    let (text, template) = ("1".repeat(MAX_TEMPLATE), "Y".repeat(MAX_TEMPLATE));
    assert!(read(&text, &template).is_ok());
    assert_eq!(read(&"1".repeat(1 << 20), "YYYY"), Err(Fault::Range));
}

#[test]
fn a_stopped_query_reads_no_further() {
    let stop = std::sync::Arc::new(stop::Stop::default());
    let _entered = stop.enter();
    assert!(read("2024", "YYYY").is_ok());
    stop.stop(Error::internal("stopped"));
    assert_eq!(read("2024", "YYYY"), Err(Fault::Differs));
}
