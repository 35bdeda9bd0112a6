//! Settings that are amounts of memory, in PostgreSQL's format.

use super::units::Units;

const UNITS: Units = Units {
    whole: &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)],
    fraction: ("B", 1.0 / 1024.0),
};

/// Parses `4096`, `4096kB`, `1.5GB` as kB; fractions are rounded up. `None` if the text is not an
/// amount, or is larger than PostgreSQL accepts.
pub(super) fn kilobytes(value: &str) -> Option<u64> {
    UNITS.parse(value)
}

/// Formats an amount in the largest unit that divides it: `4MB`; `0` has no unit.
pub(super) fn shown_memory(kilobytes: u64) -> String {
    UNITS.shown(kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_the_largest_unit_that_fits() {
        for (text, shown) in [
            ("0", "0"),
            ("4096", "4MB"),
            ("100kB", "100kB"),
            ("1536MB", "1536MB"),
            ("1.5GB", "1536MB"),
            ("1024 MB", "1GB"),
            ("1TB", "1TB"),
            ("2048B", "2kB"),
        ] {
            assert_eq!(
                kilobytes(text).map(shown_memory).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for text in ["", "x", "-1", "1 mb", "3TB", "1PB"] {
            assert_eq!(kilobytes(text), None, "{text}");
        }
    }
}
