//! The values that settings accept, in the form in which they are shown.

use lakegate_error::{Code, Error, Result};

use super::amounts::{Unit, real, whole};
use super::ranges::{Number, boolean, shown_real};
use super::zones::time_zone;
use super::{Kind, Known, Settings, contexts, databases, date_style};
use crate::postgres::encodings::{Named, encoding_named};
use crate::postgres::memory_setting::shown_memory;
use crate::postgres::{quote_ident, shown_time};

/// Values that are accepted and not named among the others.
const UNNAMED: &[(&str, &str, &str)] = &[
    ("client_min_messages", "info", "info"),
    ("client_min_messages", "debug", "debug2"),
];

impl Known {
    /// Returns a value in its normal form. `of`: the settings that it is for.
    ///
    /// # Errors
    ///
    /// The setting does not accept the value, or cannot be set.
    pub(super) fn check(&self, value: &str, of: &Settings) -> Result<String> {
        match self.kind {
            Kind::Text => Ok(value.to_owned()),
            Kind::Workgroup => Ok(value.to_lowercase()),
            Kind::Constant | Kind::Amount(_) => Err(contexts::fixed(self.name)),
            Kind::Boolean => match boolean(value) {
                Some(true) => Ok("on".to_owned()),
                Some(false) => Ok("off".to_owned()),
                None => Err(Error::invalid(format!(
                    "parameter \"{}\" requires a Boolean value",
                    self.name
                ))),
            },
            Kind::Integer => {
                let number = self.whole(value, Unit::None, "a whole number")?;
                Number::Whole.check(self.name, number)?;
                Ok(number.to_string())
            }
            Kind::Real => {
                let number = real(value).map_err(|hint| {
                    self.invalid(value)
                        .with_hint(hint.unwrap_or("it takes a number"))
                })?;
                Number::Real.check(self.name, number)?;
                Ok(shown_real(number))
            }
            Kind::Memory => {
                let takes = "an amount such as 4096, '64MB' or '1GB'";
                let amount = self.whole(value, Unit::Memory, takes)?;
                Number::Amount("kB").check(self.name, amount)?;
                Ok(shown_memory(amount as u64))
            }
            Kind::Milliseconds => {
                let takes = "a time such as 500, '500ms', '30s' or '5min'";
                let amount = self.whole(value, Unit::Time, takes)?;
                Number::Amount("ms").check(self.name, amount)?;
                Ok(shown_time(amount as u64))
            }
            Kind::TimeZone => time_zone(value).map_err(|detail| match detail {
                Some(detail) => self.invalid(value).with_detail(detail),
                None => self.invalid(value).with_hint(
                    "it takes a name such as 'Europe/Berlin' or an offset such as '+02:00'",
                ),
            }),
            Kind::Encoding => self.encoding(value),
            Kind::DateStyle => {
                let (current, initial) = (of.value(self.name), of.initial_value(self));
                date_style::checked(value, current, &initial)
                    .map_err(|detail| self.invalid(value).with_detail(detail))
            }
            // As Postgres displays it: names are quoted only where necessary. That of Athena's first
            // database is what the setting's own default says.
            Kind::SearchPath => {
                let names = databases(value).map(|name| match name.as_str() {
                    "default" => name,
                    _ => quote_ident(&name),
                });
                Ok(names.collect::<Vec<String>>().join(", "))
            }
            Kind::OneOf(allowed) => self.one_of(value, allowed),
        }
    }

    /// Returns the error of a value that the setting does not accept.
    fn invalid(&self, value: &str) -> Error {
        Error::invalid(format!(
            "invalid value for parameter \"{}\": \"{value}\"",
            self.name
        ))
    }

    /// `takes`: what the setting takes, for errors.
    fn whole(&self, value: &str, unit: Unit, takes: &str) -> Result<f64> {
        whole(value, unit).map_err(|hint| match hint {
            Some(hint) => self.invalid(value).with_hint(hint),
            None => self.invalid(value).with_hint(format!("it takes {takes}")),
        })
    }

    fn encoding(&self, value: &str) -> Result<String> {
        match encoding_named(value) {
            // Drivers of before PostgreSQL 8 look for this name.
            Some(Named::Same(_)) if value == "UNICODE" => Ok(value.to_owned()),
            Some(Named::Same(name)) => Ok(name.to_owned()),
            Some(Named::Converted(encoding)) => Ok(encoding.name().to_owned()),
            Some(Named::Unsupported(name)) => {
                let message = self.invalid(value).message().to_owned();
                Err(Error::new(Code::NotSupported, message).with_detail(format!(
                    "Conversion between {name} and UTF8 is not supported."
                )))
            }
            None => Err(self
                .invalid(value)
                .with_hint("it takes the name of an encoding, such as UTF8, LATIN1 or WIN1252")),
        }
    }

    fn one_of(&self, value: &str, allowed: &'static [&'static str]) -> Result<String> {
        let plain = value.trim_matches('\'');
        let find = |word: &str| allowed.iter().find(|one| one.eq_ignore_ascii_case(word));
        // Other words for on and off are accepted too.
        let switch = || match plain.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => find("on"),
            "false" | "no" | "0" => find("off"),
            _ => None,
        };
        if let Some(chosen) = find(plain).or_else(switch) {
            return Ok((*chosen).to_owned());
        }
        let unnamed = UNNAMED
            .iter()
            .find(|(name, word, _)| *name == self.name && word.eq_ignore_ascii_case(plain));
        match unnamed {
            Some((_, _, shown)) => Ok((*shown).to_owned()),
            None => Err(self
                .invalid(value)
                .with_hint(format!("Available values: {}.", allowed.join(", ")))),
        }
    }
}
