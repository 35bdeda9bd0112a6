//! Numbers with a number of fractional digits of their own, calculated as PostgreSQL's `numeric`.

use arrow::datatypes::i256;

/// The least number of significant digits of a quotient (`NUMERIC_MIN_SIG_DIGITS`).
const MIN_SIGNIFICANT: i64 = 16;
/// The most fractional digits of a quotient (`NUMERIC_MAX_DISPLAY_SCALE`).
const MAX_PLACES: i64 = 1000;
/// The digits of a group of those that a `numeric` of PostgreSQL consists of.
const GROUP: i64 = 4;
/// Digits that 256 bits always hold.
const MAX_DIGITS: u32 = 76;
/// The most bytes of the text of a number, if it is not written with as many digits.
const MAX_TEXT: usize = 1000;

/// `value` units of 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) value: i256,
    /// How many digits are shown after the point.
    pub(super) scale: u32,
}

fn power(exponent: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(exponent)
}

/// Returns the power of ten of the first digit; `None` of 0.
fn log10(value: i256) -> Option<u32> {
    match value.to_i128() {
        Some(small) => small.unsigned_abs().checked_ilog10(),
        None => value.wrapping_abs().checked_ilog10(),
    }
}

impl Digits {
    pub(super) fn new(value: i128, scale: u32) -> Self {
        Self {
            value: i256::from_i128(value),
            scale,
        }
    }

    fn scaled(self, scale: u32) -> Option<i256> {
        match scale.checked_sub(self.scale)? {
            0 => Some(self.value),
            more => self.value.checked_mul(power(more)?),
        }
    }

    /// Returns the result of an operation on both numbers with as many fractional digits.
    fn aligned(self, other: Self, of: impl Fn(i256, i256) -> Option<i256>) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let value = of(self.scaled(scale)?, other.scaled(scale)?)?;
        Some(Self { value, scale })
    }

    /// Returns `None` if the sum has too many digits, as the other operations.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.aligned(other, i256::checked_add)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.aligned(other, i256::checked_sub)
    }

    /// Returns the rest of a division by a number that is not 0.
    pub(super) fn rest(self, other: Self) -> Option<Self> {
        self.aligned(other, i256::checked_rem)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            value: self.value.checked_mul(other.value)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    pub(super) fn negated(self) -> Option<Self> {
        Some(Self {
            value: self.value.checked_neg()?,
            ..self
        })
    }

    /// Returns the quotient by a number that is not 0, with as many digits as PostgreSQL calculates
    /// (`select_div_scale` of `numeric.c`), rounded half away from zero.
    pub(super) fn divided(self, other: Self) -> Option<Self> {
        let (weight, first) = self.first_group();
        let (other_weight, other_first) = other.first_group();
        let quotient_weight = weight - other_weight - i64::from(first <= other_first);
        let places = (MIN_SIGNIFICANT - quotient_weight * GROUP).clamp(0, MAX_PLACES);
        let places = u32::try_from(places).ok()?;
        let places = places.max(self.scale).max(other.scale);
        // Not negative: the quotient has the places of both.
        let shift = (places - self.scale) + other.scale;
        let room = MAX_DIGITS - log10(self.value).map_or(0, |log| (log + 1).min(MAX_DIGITS));
        let missing = shift.saturating_sub(room);
        let places = places.checked_sub(missing)?;
        let dividend = self.value.checked_mul(power(shift - missing)?)?;
        Some(Self {
            value: nearest(dividend, other.value)?,
            scale: places,
        })
    }

    /// Returns the root of a number that is not negative, with as many fractional digits, rounded half away
    /// from zero.
    pub(super) fn root(self) -> Option<Self> {
        let digits = log10(self.value).map_or(0, |log| log + 1);
        // Twice the root is rounded down, and needs a digit more.
        let room = MAX_DIGITS.checked_sub(1)?.checked_sub(digits)?;
        let missing = self.scale.saturating_sub(room);
        // The shift and the scale make an even number of digits.
        let missing = missing + missing % 2;
        let shift = self.scale.checked_sub(missing)?;
        let scaled = self.value.checked_mul(power(shift)?)?;
        let doubled = square_root(scaled.checked_mul(i256::from_i128(4))?)?;
        let value = doubled
            .checked_add(i256::ONE)?
            .checked_div(i256::from_i128(2))?;
        Some(Self {
            value,
            scale: self.scale - missing / 2,
        })
    }

    /// Returns the place of the first group of four digits that is not zero, counted from that before
    /// the point, and the group. Both are 0 if the number is.
    fn first_group(self) -> (i64, i64) {
        let Some(log) = log10(self.value) else {
            return (0, 0);
        };
        let exponent = i64::from(log) - i64::from(self.scale);
        let in_group = exponent.rem_euclid(GROUP);
        let dropped = i64::from(log) - in_group;
        let unit = u32::try_from(dropped.unsigned_abs()).ok().and_then(power);
        let first = unit.and_then(|unit| match dropped >= 0 {
            true => self.value.checked_div(unit),
            false => self.value.checked_mul(unit),
        });
        // At most four digits.
        let first = first.and_then(i256::to_i128).unwrap_or_default();
        let first = i64::try_from(first.unsigned_abs()).unwrap_or_default();
        (exponent.div_euclid(GROUP), first)
    }

    /// Returns all digits.
    pub(super) fn text(self) -> String {
        let digits = match self.value.to_i128() {
            Some(small) => small.unsigned_abs().to_string(),
            None => self.value.wrapping_abs().to_string(),
        };
        pointed(self.value.is_negative(), &digits, self.scale as usize)
    }
}

/// Returns the root of an integer that is not negative, rounded down.
fn square_root(value: i256) -> Option<i256> {
    let Some(log) = log10(value) else {
        return Some(i256::ZERO);
    };
    // Newton's method from above: a power of ten that is not smaller than the root.
    let two = i256::from_i128(2);
    let mut root = power(log / 2 + 1)?;
    loop {
        let next = root
            .checked_add(value.checked_div(root)?)?
            .checked_div(two)?;
        if next >= root {
            return Some(root);
        }
        root = next;
    }
}

/// Returns the quotient of integers, rounded half away from zero. `divisor` is not 0.
fn nearest(dividend: i256, divisor: i256) -> Option<i256> {
    let quotient = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?.wrapping_abs();
    if rest < divisor.wrapping_abs().checked_sub(rest)? {
        return Some(quotient);
    }
    match dividend.is_negative() == divisor.is_negative() {
        true => quotient.checked_add(i256::ONE),
        false => quotient.checked_sub(i256::ONE),
    }
}

/// Returns digits with a point before the last ones.
fn pointed(negative: bool, digits: &str, scale: usize) -> String {
    let sign = if negative { "-" } else { "" };
    // The widths that `format!` takes have 16 bits.
    let zeros = "0".repeat((scale + 1).saturating_sub(digits.len()));
    let digits = format!("{zeros}{digits}");
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// A number that is written in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Number {
        negative: bool,
        /// Without zeros in front and without the point; 0 has none.
        digits: String,
        /// How many of them, and of zeros before them, follow the point.
        scale: usize,
    },
    /// `NaN`, `Infinity` or `-Infinity`.
    Word(&'static str),
}

/// What is wrong with a text of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no number.
    Syntax,
    /// It has more digits than are held.
    Range,
}

impl Written {
    /// Reads a text as `numeric_in` does.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let (sign, number) = match text.strip_prefix(['-', '+']) {
            Some(number) => (text.get(..1), number),
            None => (None, text),
        };
        let negative = sign == Some("-");
        if number.eq_ignore_ascii_case("infinity") || number.eq_ignore_ascii_case("inf") {
            return Ok(Self::Word(match negative {
                true => "-Infinity",
                false => "Infinity",
            }));
        }
        if sign.is_none() && number.eq_ignore_ascii_case("nan") {
            return Ok(Self::Word("NaN"));
        }
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (number, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut all = whole.bytes().chain(fraction.bytes());
        if whole.len() + fraction.len() == 0 || !all.all(|digit| digit.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        let digits = format!("{whole}{fraction}");
        Self::of_digits(negative, &digits, fraction.len(), exponent)
    }

    /// Reads a floating-point number that is written as `{:e}`, of which zeros at the end of the
    /// fraction are left out, as `%g` does.
    pub(super) fn of_float(scientific: &str) -> Result<Self, Fault> {
        let (mantissa, exponent) = match scientific.split_once('e') {
            Some(parts) => parts,
            // NaN, inf and -inf.
            None => return Self::read(scientific),
        };
        let mantissa = match mantissa.contains('.') {
            true => mantissa.trim_end_matches('0').trim_end_matches('.'),
            false => mantissa,
        };
        Self::read(&format!("{mantissa}e{exponent}"))
    }

    fn of_digits(
        negative: bool,
        digits: &str,
        places: usize,
        exponent: i64,
    ) -> Result<Self, Fault> {
        let written = digits.len();
        let digits = digits.trim_start_matches('0');
        let shift = i64::try_from(places).map_err(|_| Fault::Range)? - exponent;
        let zeros = usize::try_from(shift.min(0).unsigned_abs()).map_err(|_| Fault::Range)?;
        let scale = usize::try_from(shift.max(0)).map_err(|_| Fault::Range)?;
        let zeros = if digits.is_empty() { 0 } else { zeros };
        let length = digits.len().saturating_add(zeros).max(scale);
        if length > MAX_TEXT.max(written) {
            return Err(Fault::Range);
        }
        Ok(Self::Number {
            negative: negative && !digits.is_empty(),
            digits: format!("{digits}{}", "0".repeat(zeros)),
            scale,
        })
    }

    /// Returns the text that PostgreSQL shows.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Number {
                negative,
                digits,
                scale,
            } => pointed(*negative, digits, *scale),
        }
    }

    /// Returns the number to calculate with; `None` if it has too many digits, and of a word.
    pub(super) fn number(&self) -> Option<Digits> {
        let Self::Number {
            negative,
            digits,
            scale,
        } = self
        else {
            return None;
        };
        let most = usize::try_from(MAX_DIGITS).ok()?;
        if digits.len() > most || *scale > most {
            return None;
        }
        let value = match digits.as_str() {
            "" => i256::ZERO,
            digits => i256::from_string(digits)?,
        };
        let value = match negative {
            true => value.checked_neg()?,
            false => value,
        };
        let scale = u32::try_from(*scale).ok()?;
        Some(Digits { value, scale })
    }
}

/// Reads an exponent, which may have a sign.
fn read_exponent(text: &str) -> Result<i64, Fault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    text.parse::<i32>().map(i64::from).map_err(|_| Fault::Range)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(text: &str) -> Digits {
        Written::read(text).unwrap().number().unwrap()
    }

    // PostgreSQL 15.
    #[test]
    fn quotients_have_the_digits_of_postgres() {
        for (left, right, expected) in [
            ("7", "2.0", "3.5000000000000000"),
            ("1", "3.0", "0.33333333333333333333"),
            ("7.0", "7", "1.00000000000000000000"),
            ("100.00", "3", "33.3333333333333333"),
            ("10000.00", "3", "3333.3333333333333333"),
            ("100000.00", "3", "33333.333333333333"),
            ("123456789.5", "2", "61728394.750000000000"),
            ("0.00", "3", "0.00000000000000000000"),
            ("-1", "8.0", "-0.12500000000000000000"),
            ("2", "-3.0", "-0.66666666666666666667"),
            ("0.0001", "7", "0.000014285714285714285714"),
            (
                "1.000000000000000000000000000000",
                "4",
                "0.250000000000000000000000000000",
            ),
        ] {
            let quotient = number(left).divided(number(right)).unwrap();
            assert_eq!(quotient.text(), expected, "{left} / {right}");
        }
    }

    #[test]
    fn other_operations_have_the_digits_of_their_operands() {
        let (a, b) = (number("-7.50"), number("2.125"));
        assert_eq!(a.plus(b).unwrap().text(), "-5.375");
        assert_eq!(a.minus(b).unwrap().text(), "-9.625");
        assert_eq!(a.times(b).unwrap().text(), "-15.93750");
        assert_eq!(a.rest(b).unwrap().text(), "-1.125");
        assert_eq!(a.negated().unwrap().text(), "7.50");
        assert_eq!(number("0.00").negated().unwrap().text(), "0.00");
    }

    #[test]
    fn roots_are_rounded() {
        for (number, expected) in [
            ("0", "0"),
            ("2.0000000000000000", "1.4142135623730950"),
            ("0.28125000000000000000", "0.53033008588991064330"),
            ("26.6041666666666667", "5.1579227084812609"),
            ("15241578750190521.00", "123456789.00"),
            ("0.25", "0.50"),
            ("8.2400000000000000", "2.8705400188814647"),
        ] {
            assert_eq!(number_root(number), expected, "{number}");
        }
    }

    fn number_root(text: &str) -> String {
        number(text).root().unwrap().text()
    }

    #[test]
    fn large_numbers_lose_digits_or_are_too_large() {
        let large = number(&"9".repeat(76));
        assert_eq!(large.plus(large), None);
        assert_eq!(large.times(large), None);
        assert_eq!(
            large.divided(number("3")).unwrap().text(),
            "3".repeat(76).as_str()
        );
        assert_eq!(large.divided(number("0.3")), None);
        assert_eq!(Written::read(&"9".repeat(77)).unwrap().number(), None);
        let tiny = Digits::new(1, 38).divided(Digits::new(10_i128.pow(37), 0));
        let expected = format!("0.{}1{}", "0".repeat(74), "0".repeat(17));
        assert_eq!(tiny.unwrap().text(), expected);
    }

    #[test]
    fn texts_are_read_as_postgres_reads_them() {
        for (text, expected) in [
            ("1.50", "1.50"),
            (" 2 ", "2"),
            ("-0.00", "0.00"),
            ("007.5", "7.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+1.5e3", "1500"),
            ("1.500e1", "15.00"),
            ("1e-5", "0.00001"),
            ("0e10", "0"),
            ("nan", "NaN"),
            ("-inf", "-Infinity"),
            ("Infinity", "Infinity"),
        ] {
            assert_eq!(Written::read(text).unwrap().text(), expected, "{text}");
        }
        let long = "1".repeat(2000);
        assert_eq!(Written::read(&long).unwrap().text(), long);
        for text in [
            "", " ", "x", "1x", "1.2.3", "1e", "e5", "-nan", "--1", "1 2", "é",
        ] {
            assert_eq!(Written::read(text), Err(Fault::Syntax), "{text}");
        }
        for text in ["1e1000", "1e-1001", "1e99999999999", "1e2147483647"] {
            assert_eq!(Written::read(text), Err(Fault::Range), "{text}");
        }
    }

    #[test]
    fn many_digits_are_shown() {
        let many = "9".repeat(70_000);
        for (text, expected) in [
            (format!("0.{many}"), format!("0.{many}")),
            (format!("-.0{many}"), format!("-0.0{many}")),
            (many.clone(), many.clone()),
        ] {
            assert_eq!(Written::read(&text).unwrap().text(), expected);
        }
        let zeros = "0".repeat(70_000);
        let read = Written::read(&format!("0.{zeros}")).unwrap();
        assert_eq!(read.text(), format!("0.{zeros}"));
    }

    #[test]
    fn floats_have_fifteen_digits() {
        for (value, expected) in [
            (1.5, "1.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.3"),
            (100.0, "100"),
            (1e20, "100000000000000000000"),
            (1.23e-7, "0.000000123"),
            (1.0 / 3.0, "0.333333333333333"),
            (-0.0, "0"),
            (123_456_789.123_457, "123456789.123457"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let text = format!("{value:.14e}");
            assert_eq!(Written::of_float(&text).unwrap().text(), expected);
        }
    }
}
