//! The values that the settings of a session have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lakegate_engine::time::DateOrder;
use lakegate_error::{Code, Error, Result};

use super::zones::engine_zone;
use super::{Kind, Known, contexts, databases, every, known, lowered};
use crate::Dialect;
use crate::postgres::encodings::{Encoding, Named, encoding_named};
use crate::postgres::memory_setting::kilobytes;
use crate::postgres::milliseconds;

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
    /// `pg_settings.context`: `user`, or when PostgreSQL would let it change.
    pub context: &'static str,
}

impl ShownSetting {
    /// Converts a value to the unit of the setting, as in `pg_settings`, such as a duration to
    /// milliseconds or an amount of memory to kilobytes.
    pub(crate) fn in_unit(&self, value: &str) -> String {
        let Some(unit) = self.unit else {
            return value.to_owned();
        };
        // 0, and -1 for no amount, are written without a unit.
        if value.parse::<i64>().is_ok() {
            return value.to_owned();
        }
        let amount = match unit {
            "ms" => milliseconds(value),
            "s" => milliseconds(value).map(|amount| amount / 1_000),
            "min" => milliseconds(value).map(|amount| amount / 60_000),
            "B" => kilobytes(value).map(|amount| amount.saturating_mul(1_024)),
            "8kB" => kilobytes(value).map(|amount| amount / 8),
            "MB" => kilobytes(value).map(|amount| amount / 1_024),
            _ => kilobytes(value),
        };
        amount.unwrap_or(0).to_string()
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
            "transaction_deferrable" => self.find("default_transaction_deferrable"),
            _ => known(key).map(|known| known.default),
        }
    }

    /// Returns whether no value was set or reset between the two, without comparing the values. May
    /// be false for equal settings.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.values, &other.values) && Arc::ptr_eq(&self.initial, &other.initial)
    }

    /// Returns whether SET accepts several values of a parameter, by its name in lower case.
    pub fn takes_list(name: &str) -> bool {
        matches!(
            name,
            "createrole_self_grant"
                | "datestyle"
                | "debug_io_direct"
                | "listen_addresses"
                | "local_preload_libraries"
                | "log_destination"
                | "search_path"
                | "session_preload_libraries"
                | "shared_preload_libraries"
                | "synchronous_standby_names"
                | "temp_tablespaces"
                | "unix_socket_directories"
                | "wal_consistency_checking"
        )
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
            let Some(known) = known(&key) else {
                check_custom(name)?;
                return self.forget_custom(key);
            };
            if known.kind.is_constant() && contexts::is_internal(known.name) {
                return Err(contexts::fixed(known.name));
            }
            if self.values.contains_key(&key) {
                Arc::make_mut(&mut self.values).remove(&key);
            }
            return Ok(());
        };
        let Some(known) = known(&key) else {
            // Names with a dot belong to extensions and are kept, as in Postgres. The engine's own
            // settings are not available to users.
            check_custom(name)?;
            return self.keep(key, value.to_owned());
        };
        // Scripts set what cannot be set to the value that it has.
        if known.kind.is_constant() && self.value(known.name) == value {
            return Ok(());
        }
        let value = known.check(value, self)?;
        self.keep(key, value)
    }

    /// Resets a custom parameter, which from then on is known: it has the value that the session
    /// started with, or is empty.
    ///
    /// # Errors
    ///
    /// The values would exceed the bytes that a session may set.
    fn forget_custom(&mut self, key: String) -> Result<()> {
        if self.initial.contains_key(&key) {
            self.restore(&key, None);
            return Ok(());
        }
        self.keep(key, String::new())
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
            // A custom parameter stays known.
            None if key.contains('.') && !self.initial.contains_key(&key) => {
                values.insert(key, String::new())
            }
            None => values.remove(&key),
        };
    }

    pub fn reset_all(&mut self) {
        let custom = self.values.keys().filter(|name| name.contains('.'));
        let custom = custom.filter(|name| !self.initial.contains_key(*name));
        let kept: BTreeMap<String, String> =
            custom.map(|name| (name.clone(), String::new())).collect();
        self.values = Arc::new(kept);
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
                context: match known.kind.is_constant() {
                    true => contexts::context(known.name),
                    false => "user",
                },
            })
            .collect()
    }

    /// Returns the value to which RESET returns.
    pub(super) fn initial_value(&self, known: &Known) -> String {
        let initial = self.initial.get(&known.name.to_lowercase());
        initial.map_or_else(|| known.default.to_owned(), Clone::clone)
    }

    pub(super) fn value(&self, name: &str) -> &str {
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

    /// Returns the age up to which cached results may be returned; 0 for none.
    pub fn staleness(&self) -> Duration {
        Duration::from_millis(milliseconds(self.value("staleness")).unwrap_or(0))
    }

    /// Returns the dialect of the statements.
    pub fn dialect(&self) -> Dialect {
        Dialect::of_name(self.value("dialect"))
    }

    /// Returns the time zone as the engine has it: an IANA name, or an offset such as `+05:30`.
    pub fn time_zone(&self) -> String {
        engine_zone(self.value("timezone")).into_owned()
    }

    /// Returns the encoding that texts are converted to and from; `None` if they stay UTF8.
    pub fn client_encoding(&self) -> Option<&'static Encoding> {
        match self.value("client_encoding") {
            "UTF8" => None,
            other => match encoding_named(other) {
                Some(Named::Converted(encoding)) => Some(encoding),
                Some(Named::Same(_) | Named::Unsupported(_)) | None => None,
            },
        }
    }

    /// Returns the order of day, month and year in dates of numbers.
    pub fn date_order(&self) -> DateOrder {
        DateOrder::of_setting(self.value("datestyle"))
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

/// Checks the name of a parameter that is not known: those with a dot belong to extensions and are
/// kept, as in PostgreSQL. The engine's own settings are not available to users.
///
/// # Errors
///
/// There is no such parameter, or it cannot be one.
fn check_custom(name: &str) -> Result<()> {
    if !name.contains('.') || name.to_ascii_lowercase().starts_with("datafusion.") {
        return Err(unrecognized(name));
    }
    let is_identifier = |part: &str| {
        let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        let is_rest = |c: char| is_start(c) || c.is_ascii_digit() || c == '$';
        part.starts_with(is_start) && part.chars().all(is_rest)
    };
    if name.split('.').all(is_identifier) {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidName,
        format!("invalid configuration parameter name \"{name}\""),
    )
    .with_detail(
        "Custom parameter names must be two or more simple identifiers separated by dots.",
    ))
}

fn unrecognized(name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("unrecognized configuration parameter \"{name}\""),
    )
    .with_hint("SHOW ALL lists the parameters")
}
