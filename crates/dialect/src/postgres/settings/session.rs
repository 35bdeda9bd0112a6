//! The values that the settings of a session have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lakegate_error::{Code, Error, Result};

use super::{Kind, Known, databases, every, known, lowered};
use crate::Dialect;
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
    /// Whether the setting cannot be changed.
    pub is_constant: bool,
}

impl ShownSetting {
    /// Converts a value to the unit of the setting, as in `pg_settings`, such as a duration to
    /// milliseconds or an amount of memory to kilobytes.
    pub fn in_unit(&self, value: &str) -> String {
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
        if known.kind.is_constant() && self.value(known.name) == value {
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
                is_constant: known.kind.is_constant(),
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

fn unrecognized(name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("unrecognized configuration parameter \"{name}\""),
    )
    .with_hint("SHOW ALL lists the parameters")
}
