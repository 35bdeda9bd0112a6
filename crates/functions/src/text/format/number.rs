//! Numbers as Java writes them: rounded half up, from the shortest digits that mean a double.

use super::parse::{Flags, Spec};

/// A number as digits `d1 d2 …`, of which `point` are before the decimal point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digits {
    pub negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Digits {
    /// The digits of a finite number.
    pub(super) fn of_double(value: f64) -> Self {
        Self::of_scientific(&format!("{value:e}"))
    }

    /// The digits of a finite number.
    pub(super) fn of_real(value: f32) -> Self {
        Self::of_scientific(&format!("{value:e}"))
    }

    /// From Rust's `-1.5e3`.
    fn of_scientific(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        Self {
            negative: mantissa.starts_with('-'),
            digits: mantissa.bytes().filter(u8::is_ascii_digit).collect(),
            point: exponent.parse::<i64>().unwrap_or(0) + 1,
        }
    }

    pub(super) fn of_decimal(unscaled: i128, scale: i8) -> Self {
        let digits = unscaled.unsigned_abs().to_string().into_bytes();
        let point = digits.len() as i64 - i64::from(scale);
        Self {
            negative: unscaled < 0,
            digits,
            point,
        }
    }

    fn is_zero(&self) -> bool {
        self.digits.iter().all(|digit| *digit == b'0')
    }

    /// Without zeros before the first digit that is none.
    fn normal(&self) -> Self {
        let zeros = self
            .digits
            .iter()
            .take_while(|digit| **digit == b'0')
            .count();
        match zeros == self.digits.len() {
            true => Self {
                negative: self.negative,
                digits: vec![b'0'],
                point: 1,
            },
            false => Self {
                negative: self.negative,
                digits: self.digits.get(zeros..).unwrap_or_default().to_vec(),
                point: self.point - zeros as i64,
            },
        }
    }

    /// Rounds half up to the first `keep` digits.
    fn rounded(&self, keep: i64) -> Self {
        let keep = match usize::try_from(keep) {
            Ok(keep) if keep >= self.digits.len() => return self.clone(),
            Ok(keep) => keep,
            Err(_) => {
                return Self {
                    negative: self.negative,
                    digits: Vec::new(),
                    point: self.point,
                };
            }
        };
        let (kept, dropped) = self.digits.split_at(keep);
        let mut digits = kept.to_vec();
        let mut point = self.point;
        if dropped.first().is_some_and(|digit| *digit >= b'5') {
            let mut carried = true;
            for digit in digits.iter_mut().rev() {
                if *digit != b'9' {
                    *digit += 1;
                    carried = false;
                    break;
                }
                *digit = b'0';
            }
            if carried {
                digits.insert(0, b'1');
                point += 1;
            }
        }
        Self {
            negative: self.negative,
            digits,
            point,
        }
    }

    /// The digits from one place to another, with zeros beyond those that there are.
    fn slice(&self, from: i64, to: i64, out: &mut String) {
        for place in from..to {
            let digit = usize::try_from(place)
                .ok()
                .and_then(|place| self.digits.get(place));
            out.push(char::from(*digit.unwrap_or(&b'0')));
        }
    }

    /// `123.46`
    pub(super) fn fixed(&self, precision: usize, flags: Flags) -> String {
        let precision = precision as i64;
        let number = self.rounded(self.point.saturating_add(precision));
        let mut text = String::new();
        match number.point > 0 {
            true => number.slice(0, number.point, &mut text),
            false => text.push('0'),
        }
        if flags.group {
            text = grouped(&text);
        }
        if precision > 0 || flags.alternate {
            text.push('.');
        }
        number.slice(
            number.point,
            number.point.saturating_add(precision),
            &mut text,
        );
        text
    }

    /// `1.2346e+02`
    pub(super) fn scientific(&self, precision: usize, flags: Flags) -> String {
        let number = self.normal().rounded(precision as i64 + 1);
        let mut text = String::new();
        number.slice(0, 1, &mut text);
        if precision > 0 || flags.alternate {
            text.push('.');
        }
        number.slice(1, precision as i64 + 1, &mut text);
        let exponent = match self.is_zero() {
            true => 0,
            false => number.point - 1,
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        text.push_str(&format!("e{sign}{:02}", exponent.abs()));
        text
    }

    /// One of the two, by the size of the number; the precision counts all digits.
    pub(super) fn general(&self, precision: usize, flags: Flags) -> String {
        let precision = precision.max(1);
        if self.is_zero() {
            return self.fixed(precision - 1, flags);
        }
        let rounded = self.normal().rounded(precision as i64);
        // From 10^-4 to 10^precision.
        match rounded.point > -4 && rounded.point <= precision as i64 {
            true => {
                let places = precision as i64 - rounded.point;
                rounded.fixed(usize::try_from(places).unwrap_or(0), flags)
            }
            false => self.scientific(precision - 1, flags),
        }
    }

    /// As `Double.toString` writes it, without the sign.
    pub(super) fn plain(&self) -> String {
        let number = self.normal();
        let count = number.digits.len() as i64;
        let mut text = String::new();
        if number.is_zero() {
            return "0.0".to_owned();
        }
        if number.point > -3 && number.point <= 7 {
            match number.point > 0 {
                true => number.slice(0, number.point, &mut text),
                false => text.push('0'),
            }
            text.push('.');
            let end = count.max(number.point + 1);
            number.slice(number.point, end, &mut text);
            return text;
        }
        number.slice(0, 1, &mut text);
        text.push('.');
        number.slice(1, count.max(2), &mut text);
        text.push_str(&format!("E{}", number.point - 1));
        text
    }

    /// As `BigDecimal.toString` writes it, without the sign.
    pub(super) fn decimal(&self, scale: i8) -> String {
        let mut text = String::new();
        let adjusted = self.point - 1;
        if scale == 0 {
            self.slice(0, self.point, &mut text);
        } else if scale > 0 && adjusted >= -6 {
            match self.point > 0 {
                true => self.slice(0, self.point, &mut text),
                false => text.push('0'),
            }
            text.push('.');
            let end = self.point + i64::from(scale);
            self.slice(self.point, end, &mut text);
        } else {
            self.slice(0, 1, &mut text);
            if self.digits.len() > 1 {
                text.push('.');
                self.slice(1, self.digits.len() as i64, &mut text);
            }
            let sign = if adjusted < 0 { "" } else { "+" };
            text.push_str(&format!("E{sign}{adjusted}"));
        }
        text
    }
}

/// Puts commas between groups of three digits.
pub(super) fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its sign, and zeros up to the width if the flags say so.
pub(super) fn signed(magnitude: &str, negative: bool, spec: &Spec) -> String {
    let flags = spec.flags;
    let mut text = String::with_capacity(magnitude.len() + 2);
    let (before, after) = match negative {
        true if flags.parentheses => ("(", ")"),
        true => ("-", ""),
        false if flags.plus => ("+", ""),
        false if flags.space => (" ", ""),
        false => ("", ""),
    };
    text.push_str(before);
    if flags.zero {
        let length = before.len() + magnitude.len() + after.len();
        let missing = spec.width.unwrap_or(0).saturating_sub(length);
        text.extend(std::iter::repeat_n('0', missing));
    }
    text.push_str(magnitude);
    text.push_str(after);
    text
}

/// Rounds half up, as `format_number` does, and writes no zeros at the end.
pub(super) fn rounded(value: f64, precision: usize) -> String {
    // All digits of the double.
    let exact = format!("{:.1$}", value.abs(), 64);
    let (whole, fraction) = exact.split_once('.').unwrap_or((exact.as_str(), ""));
    let digits = Digits {
        negative: value < 0.0,
        digits: [whole, fraction].concat().into_bytes(),
        point: whole.len() as i64,
    };
    let text = digits.fixed(precision, Flags::default());
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    let sign = if digits.negative { "-" } else { "" };
    format!("{sign}{text}")
}
