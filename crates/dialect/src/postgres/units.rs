//! Amounts with a unit, as PostgreSQL's settings have them: `30s`, `1.5GB`.

/// The units of a kind of setting.
#[derive(Debug)]
pub(super) struct Units {
    /// Each with its size in the base unit, the largest first.
    pub whole: &'static [(&'static str, u64)],
    /// The unit that is smaller than the base unit, and its size.
    pub fraction: (&'static str, f64),
}

impl Units {
    /// Parses an amount as base units, which it has if it names none; fractions are rounded up.
    /// `None` if the text is not an amount, or is larger than PostgreSQL accepts.
    pub(super) fn parse(&self, value: &str) -> Option<u64> {
        let value = value.trim();
        let split = value
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(value.len());
        let (number, unit) = value.split_at_checked(split)?;
        let number: f64 = number.parse().ok()?;
        let factor = match unit.trim() {
            "" => 1.0,
            unit if unit == self.fraction.0 => self.fraction.1,
            unit => self.whole.iter().find(|(name, _)| *name == unit)?.1 as f64,
        };
        let result = number * factor;
        // PostgreSQL's bound.
        (0.0..=f64::from(i32::MAX))
            .contains(&result)
            .then_some(result.ceil() as u64)
    }

    /// Formats an amount in the largest unit that divides it; `0` has no unit.
    pub(super) fn shown(&self, amount: u64) -> String {
        let fits = |(_, size): &&(&str, u64)| amount.is_multiple_of(*size);
        match self.whole.iter().find(fits) {
            Some((unit, size)) if amount > 0 => format!("{}{unit}", amount / size),
            _ => amount.to_string(),
        }
    }
}
