//! Numbers with a unit, as PostgreSQL's `parse_int` and `parse_real` read them for settings.
//!
//! ```text
//! 16  0x10  020  1.6e1    sixteen, in the setting's unit
//! 64MB  '1.5 GB'  2min    in a unit of memory or of time
//! ```

/// The units that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    /// Kilobytes.
    Memory,
    /// Milliseconds.
    Time,
}

/// Why a text is not the number of a setting: a hint, if PostgreSQL has one.
pub(super) type NoNumber = Option<&'static str>;

const MEMORY: &[(&str, f64)] = &[
    ("B", 1.0 / 1024.0),
    ("kB", 1.0),
    ("MB", 1024.0),
    ("GB", 1024.0 * 1024.0),
    ("TB", 1024.0 * 1024.0 * 1024.0),
];

const TIME: &[(&str, f64)] = &[
    ("us", 0.001),
    ("ms", 1.0),
    ("s", 1_000.0),
    ("min", 60_000.0),
    ("h", 3_600_000.0),
    ("d", 86_400_000.0),
];

impl Unit {
    /// Returns a number of a unit in the setting's own.
    fn converted(self, number: f64, name: &str) -> Result<f64, NoNumber> {
        let (units, hint) = match self {
            Self::None => return Err(None),
            Self::Memory => (
                MEMORY,
                "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
            ),
            Self::Time => (
                TIME,
                "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
            ),
        };
        let found = units.iter().find(|(unit, _)| *unit == name);
        found.map(|(_, size)| number * size).ok_or(Some(hint))
    }
}

/// Reads a whole number of 32 bits; a fraction is rounded, to the even number if it is a half.
///
/// # Errors
///
/// The text is not a number, or out of range.
pub(super) fn whole(text: &str, unit: Unit) -> Result<f64, NoNumber> {
    let (number, rest) = leading(text, true).ok_or(NoNumber::None)?;
    // Not -0.
    let number = in_unit(number, rest, unit)?.round_ties_even() + 0.0;
    match (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number) {
        true => Ok(number),
        false => Err(Some("Value exceeds integer range.")),
    }
}

/// Reads a number, which may be infinite.
///
/// # Errors
///
/// The text is not a number.
pub(super) fn real(text: &str) -> Result<f64, NoNumber> {
    let plain = text.trim_matches(is_space);
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    if ["inf", "infinity"]
        .iter()
        .any(|word| unsigned.eq_ignore_ascii_case(word))
    {
        return Ok(match plain.starts_with('-') {
            true => f64::NEG_INFINITY,
            false => f64::INFINITY,
        });
    }
    let (number, rest) = leading(text, false).ok_or(NoNumber::None)?;
    in_unit(number, rest, Unit::None)
}

/// `rest`: what follows the number.
fn in_unit(number: f64, rest: &str, unit: Unit) -> Result<f64, NoNumber> {
    match rest.trim_matches(is_space) {
        "" => Ok(number),
        name => unit.converted(number, name),
    }
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

/// Returns the finite number that a text begins with, as C reads it, and what follows. `octal`:
/// digits after a 0 are octal.
fn leading(text: &str, octal: bool) -> Option<(f64, &str)> {
    let text = text.trim_start_matches(is_space);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let hex = unsigned
        .strip_prefix("0x")
        .or_else(|| unsigned.strip_prefix("0X"));
    if let Some(hex) = hex {
        let (digits, rest) = hex.split_at_checked(count(hex, |byte| byte.is_ascii_hexdigit()))?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        return Some((sign * number as f64, rest));
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let whole = count(unsigned, is_digit);
    let mut end = whole;
    if let Some(fraction) = unsigned.get(end..)?.strip_prefix('.') {
        end += 1 + count(fraction, is_digit);
    }
    if let Some(exponent) = unsigned.get(end..)?.strip_prefix(['e', 'E']) {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = count(digits, is_digit);
        if length > 0 {
            end += 1 + (exponent.len() - digits.len()) + length;
        }
    }
    let (digits, rest) = unsigned.split_at_checked(end)?;
    let number = match octal && end == whole && whole > 1 && digits.starts_with('0') {
        true => u64::from_str_radix(digits, 8).ok()? as f64,
        false => digits.parse::<f64>().ok()?,
    };
    number.is_finite().then_some((sign * number, rest))
}

/// Returns how many bytes at the beginning of a text are of a kind.
fn count(text: &str, is: impl Fn(&u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn whole_numbers_are_read_as_c_reads_them() {
        for (text, unit, expected) in [
            ("3", Unit::None, 3.0),
            (" -3 ", Unit::None, -3.0),
            ("2.7", Unit::None, 3.0),
            ("2.5", Unit::None, 2.0),
            ("1e1", Unit::None, 10.0),
            ("0x10", Unit::Time, 16.0),
            ("010", Unit::Time, 8.0),
            (".5s", Unit::Time, 500.0),
            ("  5  s ", Unit::Time, 5_000.0),
            ("0.0001s", Unit::Time, 0.0),
            ("1.5min", Unit::Time, 90_000.0),
            ("65537B", Unit::Memory, 64.0),
            ("1e3", Unit::Memory, 1_000.0),
            ("1.5GB", Unit::Memory, 1_572_864.0),
        ] {
            assert_eq!(whole(text, unit), Ok(expected), "{text}");
        }
    }

    // Expected hints: PostgreSQL 15.
    #[test]
    fn what_is_no_number_has_the_hint_of_postgres() {
        let range = Some("Value exceeds integer range.");
        let memory =
            Some("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".");
        let time = Some(
            "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
        );
        for (text, unit, hint) in [
            ("", Unit::None, None),
            ("x", Unit::Time, None),
            ("-", Unit::None, None),
            (".", Unit::None, None),
            ("089", Unit::None, None),
            ("1kB", Unit::None, None),
            ("1 2", Unit::None, None),
            ("1 foo", Unit::Time, time),
            ("5S", Unit::Time, time),
            ("100PB", Unit::Memory, memory),
            ("64TB", Unit::Memory, range),
            ("30d", Unit::Time, range),
            ("99999999999", Unit::None, range),
            ("0xffffffffffffffffff", Unit::None, None),
        ] {
            assert_eq!(whole(text, unit), Err(hint), "{text}");
        }
    }

    #[test]
    fn reals_may_be_infinite_but_are_numbers() {
        assert_eq!(real("1.25e1"), Ok(12.5));
        assert_eq!(real("0x10"), Ok(16.0));
        assert_eq!(real(" -inf "), Ok(f64::NEG_INFINITY));
        for text in ["NaN", "1e400", "1.5ms", "", "infinite", "e5"] {
            assert_eq!(real(text), Err(None), "{text}");
        }
    }
}
