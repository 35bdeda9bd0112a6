//! The order of day, month and year in dates of numbers, which PostgreSQL's `DateStyle` has.

use datafusion::config::ConfigOptions;
use datafusion::execution::SessionState;

use super::hidden_options::hidden_option;

/// What the numbers of a date such as `01/02/2003` are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// There is none, as in Trino's dialects: only numbers of which the order is clear are read, with a
    /// year of four digits at the end.
    #[default]
    Unknown,
    /// January 2.
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

/// The order in texts that a statement casts.
#[derive(Debug, Clone)]
struct ReadDates(DateOrder);

hidden_option!(ReadDates, "dates");

/// Sets the order in which a state reads dates of numbers.
pub(crate) fn read_dates(state: &mut SessionState, order: DateOrder) {
    if order_of(state.config_options()) != order {
        let options = state.config_mut().options_mut();
        options.extensions.insert(ReadDates(order));
    }
}

/// Returns the order of a state's options.
pub fn order_of(options: &ConfigOptions) -> DateOrder {
    let known = options.extensions.get::<ReadDates>();
    known.map_or(DateOrder::default(), |known| known.0)
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
