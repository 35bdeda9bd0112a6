//! The settings of a session: the PostgreSQL ones that clients set or read, and Lakegate's own.
//!
//! One table serves SET, SHOW, `pg_settings`, `current_setting` and the parameters that a
//! connection starts with.

mod ranges;
mod unused;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use lakegate_error::{Code, Error, Result};

use self::ranges::Number;
use crate::Dialect;
use crate::postgres::memory_setting::{kilobytes, shown_memory};
use crate::postgres::{milliseconds, quote_ident, shown_time};

/// The PostgreSQL release whose protocol and catalog Lakegate implements, followed by Lakegate's
/// own version.
macro_rules! server_version {
    () => {
        concat!("16.6 (Lakegate ", env!("CARGO_PKG_VERSION"), ")")
    };
}

/// The result of `version()`.
pub const VERSION: &str = concat!("PostgreSQL ", server_version!());

/// How a query uses stored results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultReuse {
    /// Use an identical query's result, if nothing that it read has changed.
    On,
    /// Neither use nor store a result.
    Off,
    /// Run the query, and store the result for others.
    Fresh,
    /// Use a stored result, or fail without one; no session can set this.
    Only,
}

/// The definition of a setting.
#[derive(Debug)]
struct Known {
    /// In Postgres' spelling; looked up case-insensitively.
    name: &'static str,
    default: &'static str,
    kind: Kind,
    description: &'static str,
}

#[derive(Debug)]
enum Kind {
    Text,
    Boolean,
    Integer,
    Real,
    Milliseconds,
    /// Kilobytes.
    Memory,
    TimeZone,
    /// Only these values, in any case.
    OneOf(&'static [&'static str]),
    /// Cannot be changed.
    Constant,
    /// Databases, separated by commas.
    SearchPath,
    /// Set through the session, which knows the grants.
    Workgroup,
}

const ISOLATION: &[&str] = &[
    "read uncommitted",
    "read committed",
    "repeatable read",
    "serializable",
];

/// Settings that are used, or that tell what Lakegate is. Sorted by name, ignoring case.
const KNOWN: &[Known] = &[
    Known {
        name: "application_name",
        default: "",
        kind: Kind::Text,
        description: "Name of the client",
    },
    Known {
        name: "array_output",
        default: "array",
        kind: Kind::OneOf(&["array", "json"]),
        description: "What arrays of arrays are shown as over PostgreSQL's protocol: array or json",
    },
    Known {
        name: "block_size",
        default: "8192",
        kind: Kind::Constant,
        description: "Bytes of a page in PostgreSQL; Lakegate has no pages",
    },
    Known {
        name: "bytea_output",
        default: "hex",
        kind: Kind::OneOf(&["hex"]),
        description: "Text form of bytea",
    },
    Known {
        name: "client_encoding",
        default: "UTF8",
        kind: Kind::OneOf(&["utf8", "utf-8", "unicode"]),
        description: "The client's character set",
    },
    Known {
        name: "client_min_messages",
        default: "notice",
        kind: Kind::OneOf(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
        ]),
        description: "Messages that the client gets beside errors: error hides warnings",
    },
    Known {
        name: "data_checksums",
        default: "off",
        kind: Kind::Constant,
        description: "Lakegate has no pages to check",
    },
    Known {
        name: "DateStyle",
        default: "ISO, MDY",
        kind: Kind::OneOf(&[
            "iso", "iso, mdy", "iso, dmy", "iso, ymd", "iso,mdy", "iso,dmy", "iso,ymd", "mdy",
            "dmy", "ymd",
        ]),
        description: "Text form of dates",
    },
    Known {
        name: "default_table_access_method",
        default: "heap",
        kind: Kind::Constant,
        description: "The one access method of PostgreSQL's own tables",
    },
    Known {
        name: "default_tablespace",
        default: "",
        kind: Kind::Constant,
        description: "Lakegate has no tablespaces",
    },
    Known {
        name: "default_transaction_isolation",
        default: "read committed",
        kind: Kind::OneOf(ISOLATION),
        description: "Accepted and without effect",
    },
    Known {
        name: "default_transaction_read_only",
        default: "off",
        kind: Kind::Boolean,
        description: "Whether transactions change nothing",
    },
    Known {
        name: "dialect",
        default: "postgres",
        kind: Kind::OneOf(&["postgres", "athena", "trino"]),
        description: "Whose words queries are in: postgres, athena or trino",
    },
    Known {
        name: "extra_float_digits",
        default: "1",
        kind: Kind::Integer,
        description: "Accepted: floats are always shown exactly",
    },
    Known {
        name: "idle_in_transaction_session_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Longest wait for the client in a transaction; 0 is no limit",
    },
    Known {
        name: "idle_session_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Longest wait for the client outside of a transaction; 0 is no limit",
    },
    Known {
        name: "in_hot_standby",
        default: "off",
        kind: Kind::Constant,
        description: "Lakegate has no standby",
    },
    Known {
        name: "integer_datetimes",
        default: "on",
        kind: Kind::Constant,
        description: "Times are whole microseconds on the wire",
    },
    Known {
        name: "IntervalStyle",
        default: "postgres",
        kind: Kind::OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        description: "Text form of intervals",
    },
    Known {
        name: "is_superuser",
        default: "off",
        kind: Kind::Constant,
        description: "Whether the user is an administrator",
    },
    Known {
        name: "jit",
        default: "off",
        kind: Kind::Boolean,
        description: "Accepted and without effect: queries run vectorised",
    },
    Known {
        name: "lc_collate",
        default: "C",
        kind: Kind::Constant,
        description: "Texts are ordered by their bytes",
    },
    Known {
        name: "lc_ctype",
        default: "C",
        kind: Kind::Constant,
        description: "Classes of characters",
    },
    Known {
        name: "lock_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Accepted and without effect",
    },
    Known {
        name: "max_identifier_length",
        default: "255",
        kind: Kind::Constant,
        description: "Characters of a name",
    },
    Known {
        name: "max_index_keys",
        default: "32",
        kind: Kind::Constant,
        description: "Lakegate has no indexes",
    },
    Known {
        name: "plan_cache_mode",
        default: "auto",
        kind: Kind::OneOf(&["auto", "force_generic_plan", "force_custom_plan"]),
        description: "Whether a session keeps its plans: force_custom_plan plans each time",
    },
    Known {
        name: "result_reuse",
        default: "on",
        kind: Kind::OneOf(&["on", "off", "fresh"]),
        description: "Use of stored results: on, off, or fresh",
    },
    Known {
        name: "row_security",
        default: "on",
        kind: Kind::OneOf(&["on"]),
        description: "Row filters cannot be turned off",
    },
    Known {
        name: "search_path",
        default: "default",
        kind: Kind::SearchPath,
        description: "Databases of unqualified names, in order",
    },
    Known {
        name: "server_encoding",
        default: "UTF8",
        kind: Kind::Constant,
        description: "The server's character set",
    },
    Known {
        name: "server_version",
        default: server_version!(),
        kind: Kind::Constant,
        description: "Release of PostgreSQL whose protocol and catalog Lakegate speaks",
    },
    Known {
        name: "server_version_num",
        default: "160006",
        kind: Kind::Constant,
        description: "server_version as a number",
    },
    Known {
        name: "session_authorization",
        default: "",
        kind: Kind::Constant,
        description: "The user",
    },
    Known {
        name: "staleness",
        default: "0",
        kind: Kind::Milliseconds,
        description: "How old a stored result may be that is used although files have changed",
    },
    Known {
        name: "standard_conforming_strings",
        default: "on",
        kind: Kind::OneOf(&["on"]),
        description: "Backslashes in strings are plain characters",
    },
    Known {
        name: "statement_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Longest run of a statement; 0 is no limit",
    },
    Known {
        name: "struct_output",
        default: "json",
        kind: Kind::OneOf(&["json", "composite"]),
        description: "What structs are shown as over PostgreSQL's protocol: json or composite",
    },
    Known {
        name: "synchronous_commit",
        default: "on",
        kind: Kind::OneOf(&["local", "remote_write", "remote_apply", "on", "off"]),
        description: "Accepted and without effect",
    },
    Known {
        name: "TimeZone",
        default: "UTC",
        kind: Kind::TimeZone,
        description: "Time zone of the session",
    },
    Known {
        name: "transaction_isolation",
        default: "read committed",
        kind: Kind::OneOf(ISOLATION),
        description: "Accepted and without effect",
    },
    Known {
        name: "transaction_read_only",
        default: "off",
        kind: Kind::Boolean,
        description: "Whether the transaction block changes nothing",
    },
    Known {
        name: "workgroup",
        default: "primary",
        kind: Kind::Workgroup,
        description: "The workgroup that queries run in",
    },
];

fn every() -> impl Iterator<Item = &'static Known> {
    KNOWN.iter().chain(unused::ACCEPTED).chain(unused::FIXED)
}

fn known(name: &str) -> Option<&'static Known> {
    static BY_NAME: LazyLock<HashMap<String, &'static Known>> = LazyLock::new(|| {
        let named = every().map(|known| (known.name.to_ascii_lowercase(), known));
        named.collect()
    });
    BY_NAME.get(&*lowered(name)).copied()
}

/// Returns a name in lower case. Most are.
fn lowered(name: &str) -> Cow<'_, str> {
    let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    match name.bytes().all(is_lower) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.to_lowercase()),
    }
}

fn unrecognized(name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("unrecognized configuration parameter \"{name}\""),
    )
    .with_hint("SHOW ALL lists the parameters")
}

/// A setting of a session with its value.
#[derive(Debug, Clone)]
pub struct ShownSetting {
    /// In PostgreSQL's spelling.
    pub name: &'static str,
    pub value: String,
    pub description: &'static str,
    /// The value after RESET.
    pub reset_value: String,
    pub default: &'static str,
    /// `pg_settings.vartype`.
    pub var_type: &'static str,
    /// `pg_settings.unit`.
    pub unit: Option<&'static str>,
    /// The least and the greatest value of a setting that is a number, as in `pg_settings`.
    pub range: Option<(String, String)>,
    /// The values of a setting that has only some.
    pub choices: Option<&'static [&'static str]>,
    /// Whether the setting cannot be changed.
    pub is_constant: bool,
}

impl ShownSetting {
    /// Converts a value to the unit of the setting, as in `pg_settings`: a duration as
    /// milliseconds, an amount of memory as kilobytes.
    pub fn in_unit(&self, value: &str) -> String {
        let amount = match self.unit {
            Some("ms") => milliseconds(value),
            Some(_) => kilobytes(value),
            None => return value.to_owned(),
        };
        amount.unwrap_or(0).to_string()
    }
}

impl Kind {
    fn var_type(&self, default: &str) -> &'static str {
        match self {
            Kind::Boolean => "bool",
            Kind::Integer | Kind::Milliseconds | Kind::Memory => "integer",
            Kind::Real => "real",
            Kind::OneOf(_) => "enum",
            Kind::Constant => match default {
                "on" | "off" => "bool",
                number if number.parse::<i64>().is_ok() => "integer",
                _ => "string",
            },
            Kind::Text | Kind::TimeZone | Kind::SearchPath | Kind::Workgroup => "string",
        }
    }

    fn unit(&self) -> Option<&'static str> {
        match self.number()? {
            Number::Amount(unit) => Some(unit),
            Number::Whole | Number::Real => None,
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Kind::Integer => Some(Number::Whole),
            Kind::Real => Some(Number::Real),
            Kind::Milliseconds => Some(Number::Amount("ms")),
            Kind::Memory => Some(Number::Amount("kB")),
            _ => None,
        }
    }
}

/// Bytes of names and values that one session may set.
const MAX_BYTES: usize = 64 * 1024;

/// Values by lower-case name; settings without a value here have their default. Copies share the
/// values until one is changed: savepoints are copies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    values: Arc<BTreeMap<String, String>>,
    /// The values that a session starts with, and to which RESET returns.
    initial: Arc<BTreeMap<String, String>>,
}

impl Settings {
    /// Sets a value that the session starts with, without checking whether it may be set.
    pub fn start_with(&mut self, name: &str, value: impl Into<String>) {
        Arc::make_mut(&mut self.initial).insert(name.to_lowercase(), value.into());
    }

    /// Returns the value, as SHOW displays it.
    ///
    /// # Errors
    ///
    /// There is no such parameter.
    pub fn get(&self, name: &str) -> Result<String> {
        self.find(&lowered(name))
            .map(str::to_owned)
            .ok_or_else(|| unrecognized(name))
    }

    /// Returns the value of a parameter by its name in lower case; `None` if there is none.
    fn find(&self, key: &str) -> Option<&str> {
        if let Some(value) = self.values.get(key).or_else(|| self.initial.get(key)) {
            return Some(value.as_str());
        }
        // A transaction is as the session's are, unless it says otherwise.
        match key {
            "transaction_isolation" => self.find("default_transaction_isolation"),
            "transaction_read_only" => self.find("default_transaction_read_only"),
            _ => known(key).map(|known| known.default),
        }
    }

    /// Returns whether no value was set or reset between the two, without comparing the values. May
    /// be false for equal settings.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.values, &other.values) && Arc::ptr_eq(&self.initial, &other.initial)
    }

    /// Returns a parameter's name in PostgreSQL's spelling, such as `TimeZone`; `None` if it is not
    /// known.
    pub fn spelling(name: &str) -> Option<&'static str> {
        known(name).map(|known| known.name)
    }

    /// Checks a value and stores it in its normal form. `None` is DEFAULT.
    ///
    /// # Errors
    ///
    /// There is no such parameter, it cannot be set, it does not accept the value, or the values
    /// exceed what a session may set.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let key = name.to_lowercase();
        let Some(value) = value else {
            if known(&key).is_none() && !key.contains('.') {
                return Err(unrecognized(name));
            }
            if self.values.contains_key(&key) {
                Arc::make_mut(&mut self.values).remove(&key);
            }
            return Ok(());
        };
        let Some(known) = known(&key) else {
            // Names with a dot belong to extensions and are kept, as in Postgres. The engine's own
            // settings are not available to users.
            if !key.contains('.') || key.starts_with("datafusion.") {
                return Err(unrecognized(name));
            }
            return self.keep(key, value.to_owned());
        };
        // Scripts set what cannot be set to the value that it has.
        if matches!(known.kind, Kind::Constant) && self.value(known.name) == value {
            return Ok(());
        }
        let value = known.check(value)?;
        self.keep(key, value)
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// The values would exceed the bytes that a session may set.
    fn keep(&mut self, key: String, value: String) -> Result<()> {
        let others = self.values.iter().filter(|(name, _)| **name != key);
        let others: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if others + key.len() + value.len() > MAX_BYTES {
            return Err(Error::new(
                Code::TooManyQueries,
                format!("the parameters of a session have more than {MAX_BYTES} bytes"),
            )
            .with_hint("RESET those that are not needed any more"));
        }
        Arc::make_mut(&mut self.values).insert(key, value);
        Ok(())
    }

    /// Returns the value that SET assigned to this parameter, if any.
    pub fn explicit(&self, name: &str) -> Option<String> {
        self.values.get(&name.to_lowercase()).cloned()
    }

    /// Restores a value that [`Settings::explicit`] returned.
    pub fn restore(&mut self, name: &str, value: Option<String>) {
        let key = name.to_lowercase();
        let values = Arc::make_mut(&mut self.values);
        match value {
            Some(value) => values.insert(key, value),
            None => values.remove(&key),
        };
    }

    pub fn reset_all(&mut self) {
        self.values = Arc::default();
    }

    /// Returns every parameter with its value, by name, as SHOW ALL and `pg_settings` list them.
    /// Parameters with a dot in their name are not listed.
    pub fn all(&self) -> Vec<ShownSetting> {
        let mut all: Vec<&Known> = every().collect();
        all.sort_by_cached_key(|known| known.name.to_lowercase());
        all.into_iter()
            .map(|known| ShownSetting {
                name: known.name,
                value: self.value(known.name).to_owned(),
                description: known.description,
                reset_value: self.initial_value(known),
                default: known.default,
                var_type: known.kind.var_type(known.default),
                unit: known.kind.unit(),
                range: known.kind.number().map(|of| of.shown_range(known.name)),
                choices: match known.kind {
                    Kind::OneOf(choices) => Some(choices),
                    _ => None,
                },
                is_constant: matches!(known.kind, Kind::Constant),
            })
            .collect()
    }

    /// Returns the value to which RESET returns.
    fn initial_value(&self, known: &Known) -> String {
        let initial = self.initial.get(&known.name.to_lowercase());
        initial.map_or_else(|| known.default.to_owned(), Clone::clone)
    }

    fn value(&self, name: &str) -> &str {
        self.find(&lowered(name)).unwrap_or_default()
    }

    /// Returns the timeout, or `None` for no limit.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.time_limit("statement_timeout")
    }

    /// Returns a time limit by its name, or `None` for no limit.
    pub fn time_limit(&self, name: &str) -> Option<Duration> {
        let milliseconds = milliseconds(self.value(name)).unwrap_or(0);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    pub fn result_reuse(&self) -> ResultReuse {
        match self.value("result_reuse") {
            "off" => ResultReuse::Off,
            "fresh" => ResultReuse::Fresh,
            _ => ResultReuse::On,
        }
    }

    /// Returns whether statements that run again use the plans that the session keeps.
    pub fn keeps_plans(&self) -> bool {
        self.value("plan_cache_mode") != "force_custom_plan"
    }

    pub fn staleness(&self) -> Duration {
        Duration::from_millis(milliseconds(self.value("staleness")).unwrap_or(0))
    }

    pub fn dialect(&self) -> Dialect {
        Dialect::of_name(self.value("dialect"))
    }

    pub fn time_zone(&self) -> String {
        self.value("timezone").to_owned()
    }

    pub fn workgroup(&self) -> String {
        self.value("workgroup").to_owned()
    }

    pub fn application_name(&self) -> String {
        self.value("application_name").to_owned()
    }

    /// Returns the databases in which unqualified names are looked up, in order; `$user` means the
    /// database with the user's name.
    pub fn search_path(&self) -> Vec<String> {
        databases(self.value("search_path")).collect()
    }
}

impl Known {
    fn check(&self, value: &str) -> Result<String> {
        let invalid = |expected: &str| {
            Error::invalid(format!(
                "invalid value for parameter \"{}\": \"{value}\"",
                self.name
            ))
            .with_hint(format!("it takes {expected}"))
        };
        match self.kind {
            Kind::Text => Ok(value.to_owned()),
            Kind::Workgroup => Ok(value.to_lowercase()),
            Kind::Constant => Err(Error::new(
                Code::FixedParameter,
                format!("parameter \"{}\" cannot be changed", self.name),
            )),
            Kind::Boolean => match ranges::boolean(value) {
                Some(true) => Ok("on".to_owned()),
                Some(false) => Ok("off".to_owned()),
                None => Err(Error::invalid(format!(
                    "parameter \"{}\" requires a Boolean value",
                    self.name
                ))),
            },
            Kind::Integer => {
                let number = ranges::whole(value).ok_or_else(|| invalid("a whole number"))?;
                Number::Whole.check(self.name, number)?;
                Ok(number.to_string())
            }
            Kind::Real => {
                let number = ranges::real(value).ok_or_else(|| invalid("a number"))?;
                Number::Real.check(self.name, number)?;
                Ok(number.to_string())
            }
            Kind::Memory => {
                let amount = kilobytes(value)
                    .ok_or_else(|| invalid("an amount such as 4096, '64MB' or '1GB'"))?;
                Number::Amount("kB").check(self.name, amount as f64)?;
                Ok(shown_memory(amount))
            }
            Kind::Milliseconds => milliseconds(value)
                .map(shown_time)
                .ok_or_else(|| invalid("a time such as 500, '500ms', '30s' or '5min'")),
            Kind::TimeZone => time_zone(value).ok_or_else(|| {
                invalid("a name such as 'Europe/Berlin' or an offset such as '+02:00'")
            }),
            // As Postgres displays it: names are quoted only where necessary.
            Kind::SearchPath => {
                let names: Vec<String> = databases(value).map(|name| quote_ident(&name)).collect();
                Ok(names.join(", "))
            }
            Kind::OneOf(allowed) => {
                let plain = value.trim_matches('\'');
                let find = |word: &str| allowed.iter().find(|one| one.eq_ignore_ascii_case(word));
                // Other words for on and off are accepted too.
                let switch = || match plain.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "1" => find("on"),
                    "false" | "no" | "0" => find("off"),
                    _ => None,
                };
                let Some(chosen) = find(plain).or_else(switch) else {
                    return Err(invalid(&allowed.join(", ")));
                };
                Ok(match self.name {
                    "client_encoding" => "UTF8".to_owned(),
                    "DateStyle" => "ISO, MDY".to_owned(),
                    _ => (*chosen).to_owned(),
                })
            }
        }
    }
}

/// Splits a search path into names, quoted or not.
fn databases(path: &str) -> impl Iterator<Item = String> {
    path.split(',')
        .map(|name| name.trim().trim_matches('"').to_lowercase())
        .filter(|name| !name.is_empty())
}

/// Returns an IANA name in its canonical spelling, or an offset as `+hh:mm`.
fn time_zone(value: &str) -> Option<String> {
    let value = value.trim().trim_matches('\'');
    if value.eq_ignore_ascii_case("local") || value.eq_ignore_ascii_case("default") {
        return Some("UTC".to_owned());
    }
    if let Some(zone) = chrono_tz::TZ_VARIANTS
        .iter()
        .find(|zone| zone.name().eq_ignore_ascii_case(value))
    {
        return Some(zone.name().to_owned());
    }
    // As POSIX writes zones, with the sign of those to the west: `GMT-01:00` is an hour ahead.
    let posix = value.get(..3).filter(|name| {
        ["GMT", "UTC"]
            .iter()
            .any(|zone| zone.eq_ignore_ascii_case(name))
    });
    if posix.is_some() {
        let (sign, hours) = value.get(3..)?.split_at_checked(1)?;
        if !hours.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        return match sign {
            "+" => time_zone(&format!("-{hours}")),
            "-" => time_zone(&format!("+{hours}")),
            _ => None,
        };
    }
    let (sign, rest) = match value.split_at_checked(1)? {
        ("+", rest) => ('+', rest),
        ("-", rest) => ('-', rest),
        _ => ('+', value),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 15 && minutes < 60).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
        assert!(settings.set("client_encoding", Some("latin1")).is_err());
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

    #[test]
    fn zones_of_java_and_posix_have_the_opposite_sign() {
        for (text, zone) in [
            ("GMT-01:00", "+01:00"),
            ("gmt+3", "-03:00"),
            ("UTC+05:30", "-05:30"),
            ("GMT", "GMT"),
        ] {
            assert_eq!(time_zone(text).as_deref(), Some(zone), "{text}");
        }
        for text in ["GMTx", "UTC+", "GMT--1", "GMT-+1", "UTC+16"] {
            assert_eq!(time_zone(text), None, "{text}");
        }
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
}
