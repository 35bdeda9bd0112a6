//! The numbers of JSON: as Java writes them, as Trino's casts read them, and exact decimals.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::scan::Number;

/// Digits that a double always keeps.
const SAFE_DIGITS: usize = 15;

/// A decimal number: 0.`digits` times ten to the power of `point`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits<'a> {
    negative: bool,
    /// Before the point, without leading zeros; empty for zero.
    whole: &'a str,
    /// After the point, without trailing zeros, and without leading ones if `whole` is empty.
    part: &'a str,
    point: i64,
}

impl<'a> Digits<'a> {
    /// Reads `[+-]digits[.digits][e[+-]digits]`, with digits before or after the point.
    fn read(text: &'a str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() + part.len() == 0 {
            return None;
        }
        let exponent = match exponent {
            None => 0,
            Some(exponent) => {
                let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
                if unsigned.is_empty() || !digits(unsigned) {
                    return None;
                }
                // An exponent that is too large for any number may as well be this.
                let limit = i64::from(i32::MAX);
                let exponent = exponent.parse().unwrap_or(match exponent.as_bytes() {
                    [b'-', ..] => -limit,
                    _ => limit,
                });
                exponent.clamp(-limit, limit)
            }
        };
        let whole = whole.trim_start_matches('0');
        let part = part.trim_end_matches('0');
        let places = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
        if !whole.is_empty() {
            let point = places(whole) + exponent;
            let whole = match part.is_empty() {
                true => whole.trim_end_matches('0'),
                false => whole,
            };
            return Some(Self {
                negative,
                whole,
                part,
                point,
            });
        }
        let significant = part.trim_start_matches('0');
        let point = exponent - places(part) + places(significant);
        Some(Self {
            negative,
            whole,
            part: significant,
            point: if significant.is_empty() { 0 } else { point },
        })
    }

    fn len(&self) -> usize {
        self.whole.len() + self.part.len()
    }

    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.whole.bytes().chain(self.part.bytes())
    }

    fn same_value(&self, other: &Digits<'_>) -> bool {
        self.negative == other.negative
            && self.point == other.point
            && self.len() == other.len()
            && self.bytes().eq(other.bytes())
    }
}

/// Appends a number as Java's `Double.toString` writes it, of the text that Rust's `{:e}` makes.
fn java(shortest: &str, into: &mut String) {
    let Some(digits) = Digits::read(shortest) else {
        return;
    };
    if digits.negative {
        into.push('-');
    }
    let mut bytes = digits.bytes().map(char::from);
    if digits.len() == 0 {
        into.push_str("0.0");
    } else if (-2..=7).contains(&digits.point) {
        if digits.point <= 0 {
            into.push_str("0.");
            (digits.point..0).for_each(|_| into.push('0'));
        } else {
            (0..digits.point).for_each(|_| into.push(bytes.next().unwrap_or('0')));
            into.push('.');
        }
        let after = into.len();
        into.extend(bytes);
        if into.len() == after {
            into.push('0');
        }
    } else {
        into.push(bytes.next().unwrap_or('0'));
        into.push('.');
        let after = into.len();
        into.extend(bytes);
        if into.len() == after {
            into.push('0');
        }
        let _ = write!(into, "E{}", digits.point - 1);
    }
}

/// A short text on the stack.
#[derive(Debug)]
struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl Short {
    fn of(number: impl std::fmt::LowerExp) -> Self {
        let mut short = Self {
            bytes: [0; 32],
            length: 0,
        };
        let _ = write!(short, "{number:e}");
        short
    }

    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let to = self.length + text.len();
        let free = self.bytes.get_mut(self.length..to).ok_or(std::fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.length = to;
        Ok(())
    }
}

/// Appends a double as Java writes it, such as `1.5` and `1.0E10`.
pub(crate) fn push_double(number: f64, into: &mut String) {
    match number.is_finite() {
        true => java(Short::of(number).text(), into),
        false => into.push_str(not_finite(number)),
    }
}

/// Appends a real as Java writes it.
pub(super) fn push_real(number: f32, into: &mut String) {
    match number.is_finite() {
        true => java(Short::of(number).text(), into),
        false => into.push_str(not_finite(number.into())),
    }
}

/// Java's name of a number that is not finite.
pub(crate) fn not_finite(number: f64) -> &'static str {
    match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (_, true) => "Infinity",
        _ => "-Infinity",
    }
}

/// Appends a double as a cast to varchar writes it, such as `1.5E0`.
pub(crate) fn push_scientific(number: f64, into: &mut String) {
    match number.is_finite() {
        true => scientific(Short::of(number), into),
        false => into.push_str(not_finite(number)),
    }
}

/// Appends a real as a cast to varchar writes it.
pub(crate) fn push_scientific_real(number: f32, into: &mut String) {
    match number.is_finite() {
        true => scientific(Short::of(number), into),
        false => into.push_str(not_finite(number.into())),
    }
}

fn scientific(short: Short, into: &mut String) {
    let (mantissa, exponent) = short.text().split_once('e').unwrap_or_default();
    into.push_str(mantissa);
    let is_zero = matches!(mantissa, "0" | "-0");
    if !is_zero && !mantissa.contains('.') {
        into.push_str(".0");
    }
    into.push('E');
    into.push_str(exponent);
}

/// Returns another text for a number, if its canonical one is not what is written; it goes into
/// `canonical`, which must be empty. A number is written as Java writes its double, unless that
/// has another value: then it is kept, so that no digit is lost.
pub(super) fn rewrite<'a>(number: Number<'_>, canonical: &'a mut String) -> Option<&'a str> {
    let text = number.text;
    if number.whole {
        return (text == "-0").then_some("0");
    }
    if is_canonical(text) {
        return None;
    }
    let double: f64 = text
        .parse()
        .ok()
        .filter(|double: &f64| double.is_finite())?;
    let shortest = Short::of(double);
    let exact = Digits::read(text)?.same_value(&Digits::read(shortest.text())?);
    if !exact {
        return None;
    }
    java(shortest.text(), canonical);
    (canonical.as_str() != text).then_some(canonical.as_str())
}

/// Whether a number is surely written as Java would write it: a fraction without an exponent.
fn is_canonical(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let Some((whole, part)) = unsigned.split_once('.') else {
        return false;
    };
    let digits = whole.len() + part.len();
    digits <= SAFE_DIGITS
        && whole.len() <= 7
        && (part.len() == 1 || !part.ends_with('0'))
        && part.bytes().all(|byte| byte.is_ascii_digit())
        // Smaller than 0.001, there is an exponent.
        && (whole != "0" || !part.starts_with("000"))
}

/// Reads a double as Java's `Double.parseDouble` does, but for its hexadecimal numbers.
pub(crate) fn read_double(text: &str) -> Option<f64> {
    float(text)?.parse().ok()
}

/// Reads a real as Java's `Float.parseFloat` does.
pub(crate) fn read_real(text: &str) -> Option<f32> {
    float(text)?.parse().ok()
}

/// Returns the text of a number as Rust reads it.
fn float(text: &str) -> Option<&str> {
    let text = text.trim_matches(|char| char <= ' ');
    if matches!(text.trim_start_matches(['-', '+']), "NaN" | "Infinity") {
        let signs = text.len() - text.trim_start_matches(['-', '+']).len();
        return (signs <= 1).then_some(text);
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    Digits::read(number).map(|_| number)
}

/// Rounds a double to a whole number, halves away from zero; `None` if it is out of range.
pub(super) fn rounded(number: f64) -> Option<i64> {
    let whole = number.round();
    // Both bounds are exact doubles.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&whole)
        .then_some(whole as i64)
}

/// Reads a decimal with a scale, rounding halves away from zero.
pub(crate) fn read_decimal(text: &str, scale: i8) -> Option<Decimal> {
    let digits = Digits::read(text)?;
    let count = digits.point.saturating_add(i64::from(scale));
    if digits.len() == 0 || count < 0 {
        return Some(Decimal::Value(0));
    }
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= 38) else {
        return Some(Decimal::TooLarge);
    };
    let mut bytes = digits.bytes().map(|byte| i128::from(byte - b'0'));
    let kept = bytes.by_ref().take(count);
    let (value, taken) = kept.fold((0i128, 0), |(value, taken), digit| {
        (value * 10 + digit, taken + 1)
    });
    let value = (taken..count).fold(value, |value, _| value * 10);
    let up = bytes.next().is_some_and(|next| next >= 5);
    let value = value + i128::from(up);
    Some(Decimal::Value(if digits.negative { -value } else { value }))
}

/// What a text is as a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// Without its point.
    Value(i128),
    TooLarge,
}

/// Appends a decimal as Java's `BigDecimal.toString` writes it.
pub(super) fn push_decimal(unscaled: i128, scale: i8, into: &mut String) {
    let digits = unscaled.unsigned_abs().to_string();
    if unscaled < 0 {
        into.push('-');
    }
    let scale = i64::from(scale);
    let length = i64::try_from(digits.len()).unwrap_or(0);
    let exponent = length - 1 - scale;
    if scale == 0 {
        into.push_str(&digits);
    } else if scale > 0 && exponent >= -6 {
        match usize::try_from(length - scale) {
            Ok(whole) if whole > 0 => {
                let (whole, part) = digits.split_at(whole);
                into.push_str(whole);
                into.push('.');
                into.push_str(part);
            }
            _ => {
                into.push_str("0.");
                (length..scale).for_each(|_| into.push('0'));
                into.push_str(&digits);
            }
        }
    } else {
        let (first, rest) = digits.split_at(1);
        into.push_str(first);
        if !rest.is_empty() {
            into.push('.');
            into.push_str(rest);
        }
        if exponent != 0 {
            let _ = write!(into, "E{exponent:+}");
        }
    }
}
