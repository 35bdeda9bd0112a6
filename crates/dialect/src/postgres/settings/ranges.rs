//! The numbers and words that PostgreSQL accepts for its settings (`guc_tables.c`).

use lakegate_error::{Error, Result};

/// The least and the greatest value of a setting, in its unit. Not of settings whose unit is a page.
const RANGES: &[(&str, f64, f64)] = &[
    ("cpu_index_tuple_cost", 0.0, f64::MAX),
    ("cpu_operator_cost", 0.0, f64::MAX),
    ("cpu_tuple_cost", 0.0, f64::MAX),
    ("cursor_tuple_fraction", 0.0, 1.0),
    ("default_statistics_target", 1.0, 10_000.0),
    ("effective_io_concurrency", 0.0, 1_000.0),
    ("extra_float_digits", -15.0, 3.0),
    ("from_collapse_limit", 1.0, MAX_WHOLE),
    ("geqo_effort", 1.0, 10.0),
    ("geqo_generations", 0.0, MAX_WHOLE),
    ("geqo_pool_size", 0.0, MAX_WHOLE),
    ("geqo_seed", 0.0, 1.0),
    ("geqo_selection_bias", 1.5, 2.0),
    ("geqo_threshold", 2.0, MAX_WHOLE),
    ("gin_fuzzy_search_limit", 0.0, MAX_WHOLE),
    ("gin_pending_list_limit", 64.0, MAX_WHOLE),
    ("hash_mem_multiplier", 1.0, 1_000.0),
    ("jit_above_cost", -1.0, f64::MAX),
    ("jit_inline_above_cost", -1.0, f64::MAX),
    ("jit_optimize_above_cost", -1.0, f64::MAX),
    ("join_collapse_limit", 1.0, MAX_WHOLE),
    ("log_parameter_max_length_on_error", -1.0, 1_073_741_823.0),
    ("logical_decoding_work_mem", 64.0, MAX_WHOLE),
    ("maintenance_io_concurrency", 0.0, 1_000.0),
    ("maintenance_work_mem", 1_024.0, MAX_WHOLE),
    ("max_parallel_maintenance_workers", 0.0, 1_024.0),
    ("max_parallel_workers", 0.0, 1_024.0),
    ("max_parallel_workers_per_gather", 0.0, 1_024.0),
    ("parallel_setup_cost", 0.0, f64::MAX),
    ("parallel_tuple_cost", 0.0, f64::MAX),
    ("random_page_cost", 0.0, f64::MAX),
    ("recursive_worktable_factor", 0.001, 1_000_000.0),
    ("seq_page_cost", 0.0, f64::MAX),
    ("tcp_keepalives_count", 0.0, MAX_WHOLE),
    ("tcp_keepalives_idle", 0.0, MAX_WHOLE),
    ("tcp_keepalives_interval", 0.0, MAX_WHOLE),
    ("tcp_user_timeout", 0.0, MAX_WHOLE),
    ("work_mem", 64.0, MAX_WHOLE),
];

/// The greatest whole number of a setting.
const MAX_WHOLE: f64 = 2_147_483_647.0;
const MIN_WHOLE: f64 = -2_147_483_648.0;

/// What a setting's number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Whole,
    /// Of a unit, not negative.
    Amount(&'static str),
    Real,
}

impl Number {
    /// Returns the least and the greatest value of a setting.
    fn range(self, name: &str) -> (f64, f64) {
        let found = RANGES.iter().find(|(known, ..)| *known == name);
        match (found, self) {
            (Some((_, least, greatest)), _) => (*least, *greatest),
            (None, Self::Whole) => (MIN_WHOLE, MAX_WHOLE),
            (None, Self::Amount(_)) => (0.0, MAX_WHOLE),
            (None, Self::Real) => (f64::MIN, f64::MAX),
        }
    }

    /// Returns the least and the greatest value of a setting, as `pg_settings` shows them.
    pub(super) fn shown_range(self, name: &str) -> (String, String) {
        let (least, greatest) = self.range(name);
        (self.shown(least), self.shown(greatest))
    }

    /// Checks that a number is in the range of a setting.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(super) fn check(self, name: &str, number: f64) -> Result<()> {
        let (least, greatest) = self.range(name);
        if (least..=greatest).contains(&number) {
            return Ok(());
        }
        let number = self.shown(number);
        let number = match self {
            Self::Amount(unit) => format!("{number} {unit}"),
            _ => number,
        };
        let (least, greatest) = self.shown_range(name);
        Err(Error::invalid(format!(
            "{number} is outside the valid range for parameter \"{name}\" ({least} .. {greatest})"
        )))
    }

    /// Formats a number as C's `%d` and `%g` do.
    fn shown(self, number: f64) -> String {
        match self {
            Self::Real => shown_real(number),
            Self::Whole | Self::Amount(_) => number.to_string(),
        }
    }
}

/// Formats a number as C's `%g` does: six digits at most.
pub(super) fn shown_real(number: f64) -> String {
    if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        return format!("{sign}Infinity");
    }
    let text = format!("{number:.5e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        false => digits.to_owned(),
    };
    match exponent.parse::<i32>().unwrap_or_default() {
        plain @ -4..=5 => {
            let places = usize::try_from(5 - plain).unwrap_or_default();
            trimmed(&format!("{number:.places$}"))
        }
        _ => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{}e{sign}{digits:0>2}", trimmed(mantissa))
        }
    }
}

/// Parses a Boolean value: `on`, `off`, `1`, `0`, or the beginning of `true`, `false`, `yes`, `no` or
/// `off`, in any case. `None` if the text is none.
pub(super) fn boolean(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    if value == "on" || value == "1" || begins("true", 1) || begins("yes", 1) {
        return Some(true);
    }
    let is_off = value == "0" || begins("off", 2) || begins("false", 1) || begins("no", 1);
    is_off.then_some(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named_with_the_range() {
        for (number, name, value, message) in [
            (
                Number::Whole,
                "extra_float_digits",
                99.0,
                "99 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
            ),
            (
                Number::Amount("kB"),
                "work_mem",
                1.0,
                "1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)",
            ),
            (
                Number::Real,
                "recursive_worktable_factor",
                1e7,
                "1e+07 is outside the valid range for parameter \"recursive_worktable_factor\" (0.001 .. 1e+06)",
            ),
            (
                Number::Real,
                "jit_above_cost",
                -2.0,
                "-2 is outside the valid range for parameter \"jit_above_cost\" (-1 .. 1.79769e+308)",
            ),
        ] {
            let error = number.check(name, value).unwrap_err();
            assert_eq!(error.message(), message);
        }
        Number::Whole.check("extra_float_digits", -15.0).unwrap();
        Number::Amount("kB").check("work_mem", 64.0).unwrap();
    }

    // Expected texts: PostgreSQL 15.
    #[test]
    fn numbers_are_shown_with_six_digits() {
        for (number, shown) in [
            (0.0, "0"),
            (16.0, "16"),
            (0.1234567, "0.123457"),
            (123_456_789.0, "1.23457e+08"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (999_999.5, "1e+06"),
            (-2.5, "-2.5"),
            (100.0, "100"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(shown_real(number), shown);
        }
    }

    #[test]
    fn beginnings_of_words_are_booleans() {
        for (text, expected) in [
            ("on", Some(true)),
            ("TRU", Some(true)),
            ("y", Some(true)),
            ("1", Some(true)),
            ("of", Some(false)),
            ("n", Some(false)),
            ("f", Some(false)),
            ("0", Some(false)),
            ("o", None),
            ("", None),
            ("truee", None),
            ("2", None),
        ] {
            assert_eq!(boolean(text), expected, "{text}");
        }
    }
}
