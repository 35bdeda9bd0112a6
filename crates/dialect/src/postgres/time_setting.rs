//! Settings that are durations, in PostgreSQL's format.

use super::units::Units;

const UNITS: Units = Units {
    whole: &[
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ],
    fraction: ("us", 0.001),
};

/// Parses `500`, `500ms`, `2.5s` or `5min` as milliseconds; fractions are rounded up. `None` if the
/// text is not a duration, or is longer than PostgreSQL accepts.
pub fn milliseconds(value: &str) -> Option<u64> {
    UNITS.parse(value)
}

/// Formats a duration in the longest unit that divides it: `30s`, `1min`; `0` has no unit.
pub fn shown_time(milliseconds: u64) -> String {
    UNITS.shown(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_longest_unit_that_fits() {
        for (text, shown) in [
            ("0", "0"),
            ("500", "500ms"),
            ("1500", "1500ms"),
            ("2500us", "3ms"),
            ("30s", "30s"),
            ("60000", "1min"),
            ("90s", "90s"),
            ("2.5min", "150s"),
            ("3600s", "1h"),
            ("48h", "2d"),
        ] {
            assert_eq!(
                milliseconds(text).map(shown_time).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for text in ["", "x", "-1", "1 week", "30d 1h", "25d"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
