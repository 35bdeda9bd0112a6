//! Settings that are amounts of memory, in Postgres' format.

/// Units and their size in kB, the largest first.
const UNITS: [(&str, u64); 4] = [("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)];

/// Parses `4096`, `4096kB`, `1.5GB` as kB; fractions are rounded up. `None` if the text is not an
/// amount, or is larger than Postgres accepts.
pub(super) fn kilobytes(value: &str) -> Option<u64> {
    let value = value.trim();
    let split = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(split)?;
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "" => 1.0,
        "B" => 1.0 / 1024.0,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1 as f64,
    };
    let result = number * factor;
    // Postgres' bound.
    (0.0..=f64::from(i32::MAX))
        .contains(&result)
        .then_some(result.ceil() as u64)
}

/// Formats an amount in the largest unit that divides it: `4MB`; `0` has no unit.
pub(super) fn shown_memory(kilobytes: u64) -> String {
    let fits = |(_, size): &&(&str, u64)| kilobytes.is_multiple_of(*size);
    match UNITS.iter().find(fits) {
        Some((unit, size)) if kilobytes > 0 => format!("{}{unit}", kilobytes / size),
        _ => kilobytes.to_string(),
    }
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
