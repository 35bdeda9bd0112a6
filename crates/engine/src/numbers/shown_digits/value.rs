//! Numbers with a number of fractional digits of their own, calculated as PostgreSQL's `numeric`.

use std::cmp::Ordering;

use arrow::datatypes::i256;

/// The least number of significant digits of a quotient (`NUMERIC_MIN_SIG_DIGITS`).
const MIN_SIGNIFICANT: i64 = 16;
/// The most fractional digits of a quotient (`NUMERIC_MAX_DISPLAY_SCALE`).
const MAX_PLACES: i64 = 1000;
/// The digits of a group of those that a `numeric` of PostgreSQL consists of.
const GROUP: i64 = 4;
/// Digits that 256 bits always hold.
const MAX_DIGITS: u32 = 76;
/// The digits that are left of an operand at least, where a product has no room for all of them.
const LEAST_KEPT: u32 = 20;
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

    /// Returns the number without fractional digits after so many, rounded half away from zero.
    fn rounded(self, scale: u32) -> Option<Self> {
        let Some(dropped) = self.scale.checked_sub(scale).filter(|dropped| *dropped > 0) else {
            return Some(self);
        };
        let value = match power(dropped) {
            Some(unit) => nearest(self.value, unit)?,
            None => i256::ZERO,
        };
        Some(Self { value, scale })
    }

    /// Returns how many digits the number has without its point.
    fn length(self) -> u32 {
        log10(self.value).map_or(0, |log| log + 1)
    }

    /// Does what [`Digits::aligned`] does. Where there is no room for all fractional digits, the last ones
    /// are rounded.
    fn summed(self, other: Self, of: impl Fn(i256, i256) -> Option<i256>) -> Option<Self> {
        if let Some(exact) = self.aligned(other, &of) {
            return Some(exact);
        }
        let whole = |number: Self| number.length().saturating_sub(number.scale);
        // The result may have a digit more.
        let scale = MAX_DIGITS.checked_sub(whole(self).max(whole(other)) + 1)?;
        self.rounded(scale)?.aligned(other.rounded(scale)?, of)
    }

    /// Returns `None` if the sum has too many digits before the point, as the other operations.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.summed(other, i256::checked_add)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.summed(other, i256::checked_sub)
    }

    /// Returns the rest of a division by a number that is not 0.
    pub(super) fn rest(self, other: Self) -> Option<Self> {
        self.aligned(other, i256::checked_rem)
    }

    /// Returns the product. Where there is no room for all fractional digits, the last ones of the longer
    /// operand are rounded.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        if let Some(value) = self.value.checked_mul(other.value) {
            let scale = self.scale.checked_add(other.scale)?;
            return Some(Self { value, scale });
        }
        let mut scales = (self.scale, other.scale);
        let mut lengths = (self.length(), other.length());
        while lengths.0 + lengths.1 > MAX_DIGITS {
            let is_first = scales.1 == 0 || (scales.0 > 0 && lengths.0 >= lengths.1);
            let (scale, length) = match is_first {
                true => (&mut scales.0, &mut lengths.0),
                false => (&mut scales.1, &mut lengths.1),
            };
            *scale = scale.checked_sub(1)?;
            *length = length.checked_sub(1).filter(|left| *left >= LEAST_KEPT)?;
        }
        let (one, two) = (self.rounded(scales.0)?, other.rounded(scales.1)?);
        Some(Self {
            value: one.value.checked_mul(two.value)?,
            scale: one.scale.checked_add(two.scale)?,
        })
    }

    /// Returns whether the number is less than another one, equal or greater; `None` if they have too many
    /// digits.
    pub(super) fn compared(self, other: Self) -> Option<Ordering> {
        let scale = self.scale.max(other.scale);
        Some(self.scaled(scale)?.cmp(&other.scaled(scale)?))
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
        let room = MAX_DIGITS.saturating_sub(self.length());
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
        // Twice the root is rounded down, and needs a digit more.
        let room = MAX_DIGITS.checked_sub(1)?.checked_sub(self.length())?;
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
    /// It is not a number.
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
mod tests;
