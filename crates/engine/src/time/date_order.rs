//! The order of day, month and year in dates of numbers, which PostgreSQL's `DateStyle` has.

use std::any::Any;

use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;

/// What the numbers of a date such as `01/02/2003` are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// January 2.
    #[default]
    Mdy,
    /// February 1.
    Dmy,
    /// The year is the first number, in two digits too.
    Ymd,
}

impl DateOrder {
    /// Returns the order of a value of `DateStyle`, such as `ISO, DMY`.
    pub fn of_setting(value: &str) -> Self {
        match value.rsplit(',').next().unwrap_or_default().trim() {
            "DMY" => Self::Dmy,
            "YMD" => Self::Ymd,
            _ => Self::Mdy,
        }
    }
}

/// The order in texts that a statement casts. It is no setting: nothing lists it.
#[derive(Debug, Clone)]
struct ReadDates(DateOrder);

impl ConfigExtension for ReadDates {
    const PREFIX: &'static str = "dates";
}

impl ExtensionOptions for ReadDates {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        Err(DataFusionError::Configuration(format!(
            "dates.{key} cannot be set"
        )))
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Sets the order in which a state reads dates of numbers, also where a plan that it analyzes becomes
/// a part of one that another state analyzes.
pub fn read_dates(state: &mut SessionState, order: DateOrder) {
    let options = state.config_mut().options_mut();
    options.extensions.insert(ReadDates(order));
}

/// Returns the order that is set in a state's options.
pub(super) fn order_of(options: &ConfigOptions) -> Option<DateOrder> {
    let set = options.extensions.get::<ReadDates>();
    set.map(|set| set.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_those_of_the_setting() {
        for (value, order) in [
            ("ISO, MDY", DateOrder::Mdy),
            ("SQL, DMY", DateOrder::Dmy),
            ("German,YMD", DateOrder::Ymd),
            ("", DateOrder::Mdy),
        ] {
            assert_eq!(DateOrder::of_setting(value), order, "{value}");
        }
    }
}
