//! Dates and times, as in Trino's "Date and time functions and operators".
//!
//! ```text
//! function      a function whose types depend on the session's time zone
//! values        arguments read as a day and a time of day, by the clock of their zone
//! calendar      days, months and weeks; zones: what a clock shows, and when it shows that
//! parts         year(x) … timezone_minute(x), last_day_of_month
//! units         date_trunc, date_add;  differences: date_diff
//! pattern       a format: how it is written, and read into fields (fields)
//! digits        the same for most formats, which are of numbers alone, faster
//! mysql, joda   date_format, date_parse;  format_datetime, parse_datetime
//! teradata      to_char, to_date, to_timestamp
//! iso           from_iso8601_…, to_iso8601
//! unix          seconds and nanoseconds since 1970
//! in_zones      at_timezone, with_timezone, current_timezone, localtime, localtimestamp, date
//! casts         times as casts write and read them
//! durations     parse_duration, human_readable_seconds, to_milliseconds
//! ```
//!
//! A time with a zone is an instant here: its zone is that of its type, the session's unless a
//! function names another one. Trino keeps a zone in each value.

mod calendar;
pub(crate) mod casts;
mod differences;
mod digits;
mod durations;
mod fields;
mod function;
mod in_zones;
mod iso;
mod joda;
mod mysql;
mod parts;
mod pattern;
mod pattern_reading;
mod teradata;
mod units;
mod unix;
mod values;
mod zones;

use crate::entry::Entry;

const SECTION: &str = "Dates and times";

pub(crate) fn entries() -> Vec<Entry> {
    let subjects: [fn() -> Vec<Entry>; 10] = [
        differences::entries,
        durations::entries,
        in_zones::entries,
        iso::entries,
        joda::entries,
        mysql::entries,
        parts::entries,
        teradata::entries,
        units::entries,
        unix::entries,
    ];
    subjects.iter().flat_map(|subject| subject()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;
    use lakegate_engine::Names;

    use crate::register;

    #[tokio::test]
    async fn functions_follow_the_sessions_time_zone() {
        let mut state = SessionContext::new().state();
        register(&mut state, Names::Trino).unwrap();
        let mut config = state.config().clone();
        config.options_mut().execution.time_zone = Some("Europe/Berlin".to_owned());
        let state = SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .build();
        let context = SessionContext::new_with_state(state);
        for (call, expected) in [
            ("current_timezone()", "Europe/Berlin"),
            (
                "to_iso8601(from_unixtime(0))",
                "1970-01-01T01:00:00.000+01:00",
            ),
            (
                "to_iso8601(parse_datetime('2024-07-01 12', 'yyyy-MM-dd HH'))",
                "2024-07-01T12:00:00.000+02:00",
            ),
            (
                "to_iso8601(from_iso8601_timestamp('2024-07-01T12:00:00Z'))",
                "2024-07-01T14:00:00.000+02:00",
            ),
            (
                "to_iso8601(at_timezone(DATE '2024-07-01', 'UTC'))",
                "2024-06-30T22:00:00.000Z",
            ),
            (
                "date_diff('hour', DATE '2024-03-31', with_timezone(DATE '2024-04-01', 'UTC'))",
                "25",
            ),
            ("hour(from_unixtime(0))", "1"),
            (
                "to_iso8601(date_parse('2024-07-01', '%Y-%m-%d'))",
                "2024-07-01T00:00:00.000",
            ),
            (
                "date_diff('minute', localtimestamp, from_unixtime(to_unixtime(now())))",
                "0",
            ),
        ] {
            let query = format!("SELECT {call}");
            let batches = context.sql(&query).await.unwrap().collect().await.unwrap();
            let found = array_value_to_string(batches[0].column(0), 0).unwrap();
            assert_eq!(found, expected, "{call}");
        }
    }
}
