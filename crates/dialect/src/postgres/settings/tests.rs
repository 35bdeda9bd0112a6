#![allow(clippy::unwrap_used)]

use std::time::Duration;

use lakegate_error::Code;

use super::*;

#[test]
fn values_are_checked_and_normalised() {
    let mut settings = Settings::default();
    settings.set("statement_timeout", Some("2s")).unwrap();
    assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(2)));
    settings.set("statement_timeout", Some("60000")).unwrap();
    assert_eq!(settings.get("statement_timeout").unwrap(), "1min");
    assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(60)));
    settings.set("TIMEZONE", Some("europe/berlin")).unwrap();
    assert_eq!(settings.get("TimeZone").unwrap(), "Europe/Berlin");
    assert_eq!(Settings::spelling("TIMEZONE"), Some("TimeZone"));
    assert_eq!(Settings::spelling("app.x"), None);
    settings.set("timezone", Some("-3:30")).unwrap();
    assert_eq!(settings.time_zone(), "-03:30");
    settings.set("client_encoding", Some("'utf-8'")).unwrap();
    assert_eq!(settings.get("client_encoding").unwrap(), "UTF8");
    assert_eq!(settings.client_encoding(), None);
    settings.set("client_encoding", Some("latin1")).unwrap();
    assert_eq!(settings.get("client_encoding").unwrap(), "LATIN1");
    assert_eq!(settings.client_encoding().unwrap().name(), "LATIN1");
    settings.set("client_encoding", Some("UNICODE")).unwrap();
    assert_eq!(settings.get("client_encoding").unwrap(), "UNICODE");
    assert_eq!(settings.client_encoding(), None);
    assert!(settings.set("result_reuse", Some("sometimes")).is_err());
    assert!(settings.set("statement_timeout", Some("-1")).is_err());
    assert_eq!(settings.staleness(), Duration::ZERO);
    assert!(settings.keeps_plans());
    settings
        .set("plan_cache_mode", Some("force_custom_plan"))
        .unwrap();
    assert!(!settings.keeps_plans());
    settings.set("staleness", Some("90s")).unwrap();
    assert_eq!(settings.staleness(), Duration::from_secs(90));
}

#[test]
fn settings_without_a_use_are_known_once_and_accept_their_own_values() {
    let mut settings = Settings::default();
    let shown = settings.all();
    let names: Vec<String> = shown.iter().map(|one| one.name.to_lowercase()).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for one in shown {
        settings.set(one.name, Some(&one.value)).unwrap();
        // The only one that is shown with quotes.
        if one.name != "search_path" {
            assert_eq!(settings.get(one.name).unwrap(), one.value, "{}", one.name);
        }
    }
    settings.set("WORK_MEM", Some("131072")).unwrap();
    assert_eq!(settings.get("work_mem").unwrap(), "128MB");
    let all = settings.all();
    let memory = all.iter().find(|one| one.name == "work_mem").unwrap();
    assert_eq!(memory.in_unit(&memory.value), "131072");
    let bounds = memory.range.clone().unwrap();
    assert_eq!(bounds, ("64".to_owned(), "2147483647".to_owned()));
    settings.set("synchronous_commit", Some("false")).unwrap();
    assert_eq!(settings.get("synchronous_commit").unwrap(), "off");
    settings.set("lc_time", Some("posix")).unwrap();
    assert_eq!(settings.get("lc_time").unwrap(), "POSIX");
    for (name, value) in [
        ("lc_time", "de_DE.UTF-8"),
        ("random_page_cost", "NaN"),
        ("random_page_cost", "-1"),
        ("extra_float_digits", "99"),
        ("synchronous_commit", "maybe"),
        ("work_mem", "much"),
        ("work_mem", "1kB"),
        ("password_encryption", "md5"),
        ("server_version_num", "1"),
        ("max_connections", "1"),
    ] {
        assert!(settings.set(name, Some(value)).is_err(), "{name}");
    }
}

// Expected texts: PostgreSQL 15.
#[test]
fn refused_values_have_the_texts_of_postgres() {
    let mut settings = Settings::default();
    for (name, value, sqlstate, message, more) in [
        (
            "client_encoding",
            "foo",
            "22023",
            "invalid value for parameter \"client_encoding\": \"foo\"",
            None,
        ),
        (
            "client_encoding",
            "mule_internal",
            "0A000",
            "invalid value for parameter \"client_encoding\": \"mule_internal\"",
            Some("Conversion between MULE_INTERNAL and UTF8 is not supported."),
        ),
        (
            "datestyle",
            "foo",
            "22023",
            "invalid value for parameter \"DateStyle\": \"foo\"",
            Some("Unrecognized key word: \"foo\"."),
        ),
        (
            "bytea_output",
            "foo",
            "22023",
            "invalid value for parameter \"bytea_output\": \"foo\"",
            Some("Available values: escape, hex."),
        ),
        (
            "statement_timeout",
            "-1",
            "22023",
            "-1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
            None,
        ),
        (
            "statement_timeout",
            "1 foo",
            "22023",
            "invalid value for parameter \"statement_timeout\": \"1 foo\"",
            Some(
                "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
            ),
        ),
        (
            "work_mem",
            "64TB",
            "22023",
            "invalid value for parameter \"work_mem\": \"64TB\"",
            Some("Value exceeds integer range."),
        ),
        (
            "random_page_cost",
            "inf",
            "22023",
            "Infinity is outside the valid range for parameter \"random_page_cost\" (0 .. 1.79769e+308)",
            None,
        ),
        (
            "default_transaction_isolation",
            "foo",
            "22023",
            "invalid value for parameter \"default_transaction_isolation\": \"foo\"",
            Some(
                "Available values: serializable, repeatable read, read committed, read uncommitted.",
            ),
        ),
        (
            "client_min_messages",
            "fatal",
            "22023",
            "invalid value for parameter \"client_min_messages\": \"fatal\"",
            Some(
                "Available values: debug5, debug4, debug3, debug2, debug1, log, notice, warning, error.",
            ),
        ),
        (
            "timezone",
            "200",
            "22023",
            "invalid value for parameter \"TimeZone\": \"200\"",
            Some("UTC timezone offset is out of range."),
        ),
        (
            "max_connections",
            "5",
            "55P02",
            "parameter \"max_connections\" cannot be changed without restarting the server",
            None,
        ),
        (
            "foo bar.x",
            "1",
            "42602",
            "invalid configuration parameter name \"foo bar.x\"",
            Some(
                "Custom parameter names must be two or more simple identifiers separated by dots.",
            ),
        ),
    ] {
        let error = settings.set(name, Some(value)).unwrap_err();
        assert_eq!(error.message(), message);
        assert_eq!(error.code().sqlstate(), sqlstate, "{message}");
        if more.is_some() {
            let said = error.detail().or_else(|| error.hint());
            assert_eq!(said, more, "{message}");
        }
    }
    settings.set("client_min_messages", Some("info")).unwrap();
    assert_eq!(settings.get("client_min_messages").unwrap(), "info");
    settings.set("work_mem", Some("1e3")).unwrap();
    assert_eq!(settings.get("work_mem").unwrap(), "1000kB");
    settings.set("seq_page_cost", Some("0.1234567")).unwrap();
    assert_eq!(settings.get("seq_page_cost").unwrap(), "0.123457");
    assert!(settings.set("server_version", None).is_err());
    settings.set("max_connections", None).unwrap();
}

#[test]
fn custom_parameters_are_empty_after_a_reset() {
    let mut settings = Settings::default();
    assert!(settings.get("my.one").is_err());
    settings.set("my.one", Some("1")).unwrap();
    settings.set("my.one", None).unwrap();
    assert_eq!(settings.get("my.one").unwrap(), "");
    settings.set("my.two", None).unwrap();
    assert_eq!(settings.get("my.two").unwrap(), "");
    settings.start_with("my.three", "3");
    settings.set("my.three", Some("4")).unwrap();
    settings.set("my.one", Some("5")).unwrap();
    settings.reset_all();
    assert_eq!(settings.get("my.one").unwrap(), "");
    assert_eq!(settings.get("my.three").unwrap(), "3");
    settings.restore("my.one", None);
    assert_eq!(settings.get("my.one").unwrap(), "");
    for name in ["a.", ".a", "a..b", "a.1b", "1a.b", "a.b-c", "datafusion.x"] {
        assert!(settings.set(name, Some("1")).is_err(), "{name}");
    }
    settings.set("a.b.c", Some("1")).unwrap();
    settings.set("_é.x1$", Some("1")).unwrap();
}

#[test]
fn search_path_is_shown_with_the_quotes_it_needs() {
    let mut settings = Settings::default();
    assert_eq!(settings.search_path(), ["default"]);
    settings
        .set("search_path", Some("\"$user\",Curated , two words"))
        .unwrap();
    assert_eq!(
        settings.get("search_path").unwrap(),
        "\"$user\", curated, \"two words\""
    );
    assert_eq!(settings.search_path(), ["$user", "curated", "two words"]);
    settings.set("search_path", Some("")).unwrap();
    assert!(settings.search_path().is_empty());
}

#[test]
fn unknown_parameter_is_named_and_dotted_ones_are_kept() {
    let mut settings = Settings::default();
    assert_eq!(
        settings.set("no_such", Some("1")).unwrap_err().code(),
        Code::UndefinedObject
    );
    assert_eq!(
        settings.get("no_such").unwrap_err().code(),
        Code::UndefinedObject
    );
    settings.set("my.setting", Some("1")).unwrap();
    assert_eq!(settings.get("my.setting").unwrap(), "1");
}

#[test]
fn parameters_of_a_session_are_bounded_in_bytes() {
    let mut settings = Settings::default();
    let mut kept = 0;
    let error = loop {
        match settings.set(&format!("my.s{kept}"), Some(&"x".repeat(1000))) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(kept > 50 && kept < 66, "{kept}");
    assert_eq!(error.code(), Code::TooManyQueries);
    assert!(error.hint().unwrap().contains("RESET"));
    settings.set("my.s0", Some("short")).unwrap();
    settings.set("my.s1", None).unwrap();
    settings.set("timezone", Some("UTC")).unwrap();
    let large = "x".repeat(100_000);
    assert!(settings.set("application_name", Some(&large)).is_err());
}

#[test]
fn reset_goes_back_to_what_the_session_started_with() {
    let mut settings = Settings::default();
    settings.start_with("application_name", "psql");
    settings.set("application_name", Some("x")).unwrap();
    settings.set("application_name", None).unwrap();
    assert_eq!(settings.application_name(), "psql");
}

#[test]
fn copies_are_the_same_until_one_is_changed() {
    let mut settings = Settings::default();
    settings.set("timezone", Some("UTC")).unwrap();
    let before = settings.clone();
    assert!(settings.is_same(&before));
    assert!(settings.set("timezone", Some("nowhere")).is_err());
    assert!(settings.is_same(&before));
    settings.set("timezone", Some("Europe/Berlin")).unwrap();
    assert!(!settings.is_same(&before));
    let set = settings.clone();
    settings.set("timezone", None).unwrap();
    assert!(!settings.is_same(&set));
    let reset = settings.clone();
    settings.start_with("application_name", "psql");
    assert!(!settings.is_same(&reset));
    let started = settings.clone();
    settings.reset_all();
    assert!(!settings.is_same(&started));
    settings = before.clone();
    assert!(settings.is_same(&before));
}
