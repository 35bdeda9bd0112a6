//! The items that a path finds, their numbers, and how they are compared.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::datetime::Datetime;
use super::eval::{Failure, JsonMisfit};
use super::{Comparison, Operator};
use crate::json::numbers::{self, Decimal};
use crate::json::scan::Number;
use crate::json::strings;

/// Digits of a decimal.
const MAX_DIGITS: u32 = 38;

/// An item. Those of the input are slices of its text.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::json) enum Item<'a> {
    Null,
    Boolean(bool),
    /// A number of the input.
    Written(Number<'a>),
    Number(Num),
    Text(Cow<'a, str>),
    Array(&'a str),
    Object(&'a str),
    /// What `keyvalue()` makes of a member.
    Entry(Box<Entry<'a>>),
    /// What `datetime()` makes of a text.
    Time(Datetime),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::json) struct Entry<'a> {
    pub name: Cow<'a, str>,
    pub value: Item<'a>,
    pub id: i64,
}

impl<'a> Entry<'a> {
    /// The members of the entry as an object, of which `name` has its name.
    pub(super) fn members(&self, name: &'static str) -> [(&'static str, Item<'a>); 3] {
        [
            (name, Item::Text(self.name.clone())),
            ("value", self.value.clone()),
            ("id", Item::Number(Num::Whole(self.id, false))),
        ]
    }
}

/// A number of SQL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::json) enum Num {
    /// An integer, or a bigint if the flag is set.
    Whole(i64, bool),
    /// Without its point, and the digits after the point.
    Decimal(i128, u32),
    Double(f64),
}

fn out_of_range() -> Failure {
    Failure::value("a number is out of range")
}

fn by_zero() -> Failure {
    Failure::Value("division by zero".into(), JsonMisfit::DivisionByZero)
}

fn power(exponent: u32) -> Result<i128, Failure> {
    10i128.checked_pow(exponent).ok_or_else(out_of_range)
}

impl Num {
    pub(super) fn whole(text: &str) -> Option<Self> {
        let number = text.parse().ok()?;
        Some(Self::Whole(number, i32::try_from(number).is_err()))
    }

    pub(super) fn decimal(text: &str) -> Option<Self> {
        let (_, part) = text.split_once('.')?;
        let scale = u32::try_from(part.len()).ok()?;
        match numbers::read_decimal(text, i8::try_from(scale).ok()?)? {
            Decimal::Value(value) if scale <= MAX_DIGITS => Some(Self::Decimal(value, scale)),
            _ => None,
        }
    }

    /// Returns a double as PostgreSQL's cast to `numeric` does, with 15 digits; `None` if no decimal
    /// holds it.
    pub(super) fn of_double(number: f64) -> Option<Self> {
        let text = format!("{number:.14e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let exponent: i32 = exponent.parse().ok()?;
        let mut digits: i128 = mantissa.replace('.', "").parse().ok()?;
        let mut scale = 14_i32.checked_sub(exponent)?;
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        match u32::try_from(scale) {
            Ok(scale) if scale > 0 => (scale <= MAX_DIGITS).then_some(Self::Decimal(digits, scale)),
            _ => {
                let whole = digits.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?;
                i64::try_from(whole)
                    .ok()
                    .map(|whole| Self::Whole(whole, true))
            }
        }
    }

    pub(super) fn double(self) -> f64 {
        match self {
            Self::Whole(number, _) => number as f64,
            Self::Decimal(value, scale) => {
                let mut text = String::new();
                numbers::push_decimal(value, i8::try_from(scale).unwrap_or(0), &mut text);
                text.parse().unwrap_or(f64::NAN)
            }
            Self::Double(number) => number,
        }
    }

    fn exact(self) -> Option<(i128, u32)> {
        match self {
            Self::Whole(number, _) => Some((number.into(), 0)),
            Self::Decimal(value, scale) => Some((value, scale)),
            Self::Double(_) => None,
        }
    }

    /// Appends the number as JSON.
    pub(in crate::json) fn write(self, out: &mut String) {
        match self {
            Self::Whole(number, _) => out.push_str(&number.to_string()),
            Self::Decimal(value, scale) => {
                numbers::push_decimal(value, i8::try_from(scale).unwrap_or(0), out);
            }
            Self::Double(number) if number.is_finite() => numbers::push_double(number, out),
            Self::Double(number) => strings::encode(numbers::not_finite(number), out),
        }
    }

    pub(super) fn negated(self) -> Result<Self, Failure> {
        match self {
            Self::Whole(number, big) => checked(number.checked_neg(), big),
            Self::Decimal(value, scale) => Ok(Self::Decimal(-value, scale)),
            Self::Double(number) => Ok(Self::Double(-number)),
        }
    }

    pub(super) fn abs(self) -> Result<Self, Failure> {
        let negative = match self {
            Self::Whole(number, _) => number < 0,
            Self::Decimal(value, _) => value < 0,
            Self::Double(number) => return Ok(Self::Double(number.abs())),
        };
        if negative { self.negated() } else { Ok(self) }
    }

    /// The next whole number, up or down.
    pub(super) fn rounded(self, up: bool) -> Result<Self, Failure> {
        Ok(match self {
            Self::Whole(..) => self,
            Self::Double(number) => Self::Double(if up { number.ceil() } else { number.floor() }),
            Self::Decimal(value, scale) => {
                let unit = power(scale)?;
                let down = value.div_euclid(unit);
                let more = up && value.rem_euclid(unit) != 0;
                Self::Decimal(down + i128::from(more), 0)
            }
        })
    }

    /// The number as an index of an array.
    pub(super) fn index(self) -> Result<i64, Failure> {
        match self {
            Self::Whole(number, _) => Ok(number),
            Self::Double(number) => numbers::rounded(number).ok_or_else(out_of_range),
            Self::Decimal(value, scale) => {
                let rounded = divide(value, power(scale)?).ok_or_else(out_of_range)?;
                i64::try_from(rounded).map_err(|_| out_of_range())
            }
        }
    }

    /// The number as an index of an array in PostgreSQL, which drops what is after the point.
    pub(super) fn whole_index(self) -> Result<i64, Failure> {
        let whole = match self {
            Self::Whole(number, _) => Some(number),
            Self::Double(number) => numbers::rounded(number.trunc()),
            Self::Decimal(value, scale) => i64::try_from(value / power(scale)?).ok(),
        };
        whole
            .filter(|index| i32::try_from(*index).is_ok())
            .ok_or_else(|| {
                let what = "jsonpath array subscript is out of integer range";
                Failure::Value(what.into(), JsonMisfit::Subscript)
            })
    }

    /// Computes as PostgreSQL's `numeric`: a quotient of whole numbers is not whole.
    pub(super) fn apply_exactly(self, operator: Operator, other: Self) -> Result<Self, Failure> {
        let divides = matches!(operator, Operator::Divide | Operator::Modulo);
        match (self.exact(), other.exact()) {
            (Some(_), Some((0, _))) if divides => Err(by_zero()),
            (Some(a), Some(b)) if operator == Operator::Divide => quotient(a, b),
            (Some(a), Some(b)) => decimals(a, operator, b),
            _ => self.apply(operator, other),
        }
    }

    pub(super) fn apply(self, operator: Operator, other: Self) -> Result<Self, Failure> {
        let divides = matches!(operator, Operator::Divide | Operator::Modulo);
        match (self, other) {
            (Self::Whole(a, a_big), Self::Whole(b, b_big)) => {
                if divides && b == 0 {
                    return Err(by_zero());
                }
                let result = match operator {
                    Operator::Add => a.checked_add(b),
                    Operator::Subtract => a.checked_sub(b),
                    Operator::Multiply => a.checked_mul(b),
                    Operator::Divide => a.checked_div(b),
                    // The smallest number modulo -1 is 0.
                    Operator::Modulo => Some(a.wrapping_rem(b)),
                };
                checked(result, a_big || b_big)
            }
            (a, b) => match (a.exact(), b.exact()) {
                (Some(_), Some((0, _))) if divides => Err(by_zero()),
                (Some(a), Some(b)) => decimals(a, operator, b),
                _ => {
                    let (a, b) = (a.double(), b.double());
                    Ok(Self::Double(match operator {
                        Operator::Add => a + b,
                        Operator::Subtract => a - b,
                        Operator::Multiply => a * b,
                        Operator::Divide => a / b,
                        Operator::Modulo => a % b,
                    }))
                }
            },
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        if let (Some((a, a_scale)), Some((b, b_scale))) = (self.exact(), other.exact()) {
            let scale = a_scale.max(b_scale);
            let rescaled = |value: i128, from: u32| {
                let factor = power(scale - from).ok()?;
                value.checked_mul(factor)
            };
            if let (Some(a), Some(b)) = (rescaled(a, a_scale), rescaled(b, b_scale)) {
                return Some(a.cmp(&b));
            }
        }
        self.double().partial_cmp(&other.double())
    }
}

/// The result of integers, or of bigints if `big`.
fn checked(result: Option<i64>, big: bool) -> Result<Num, Failure> {
    match result {
        Some(number) if big || i32::try_from(number).is_ok() => Ok(Num::Whole(number, big)),
        _ => Err(out_of_range()),
    }
}

/// Divides, and rounds halves away from zero.
fn divide(a: i128, b: i128) -> Option<i128> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let up = rest.unsigned_abs() >= b.unsigned_abs() - rest.unsigned_abs();
    let step = if (a < 0) == (b < 0) { 1 } else { -1 };
    quotient.checked_add(if up && rest != 0 { step } else { 0 })
}

/// Divides decimals to as many digits as PostgreSQL's `numeric` does (`select_div_scale`): sixteen
/// that count, or more.
fn quotient((a, a_scale): (i128, u32), (b, b_scale): (i128, u32)) -> Result<Num, Failure> {
    let (a_weight, a_first) = first_group(a, a_scale)?;
    let (b_weight, b_first) = first_group(b, b_scale)?;
    let weight = a_weight - b_weight - i64::from(a_first <= b_first);
    let least = u32::try_from(16 - weight * 4).unwrap_or(0);
    let scale = least.max(a_scale).max(b_scale);
    let scaled = a.checked_mul(power(scale + b_scale - a_scale)?);
    let result = scaled.and_then(|a| divide(a, b)).ok_or_else(out_of_range)?;
    match scale <= MAX_DIGITS && result.unsigned_abs() < power(MAX_DIGITS)?.unsigned_abs() {
        true => Ok(Num::Decimal(result, scale)),
        false => Err(out_of_range()),
    }
}

/// Returns the first group of four digits that is not zero, and its place before the point, from 0.
fn first_group(value: i128, scale: u32) -> Result<(i64, u128), Failure> {
    let missing = (4 - scale % 4) % 4;
    let aligned = value
        .checked_mul(power(missing)?)
        .ok_or_else(out_of_range)?;
    let mut first = aligned.unsigned_abs();
    if first == 0 {
        return Ok((0, 0));
    }
    let mut groups = 0i64;
    while first >= 10_000 {
        first /= 10_000;
        groups += 1;
    }
    Ok((groups - i64::from((scale + missing) / 4), first))
}

fn decimals(
    (a, a_scale): (i128, u32),
    operator: Operator,
    (b, b_scale): (i128, u32),
) -> Result<Num, Failure> {
    let scale = a_scale.max(b_scale);
    let rescaled = |value: i128, by: u32| value.checked_mul(power(by).ok()?);
    let aligned = || {
        let a = rescaled(a, scale - a_scale)?;
        Some((a, rescaled(b, scale - b_scale)?))
    };
    let (result, scale) = match operator {
        Operator::Add => (aligned().and_then(|(a, b)| a.checked_add(b)), scale),
        Operator::Subtract => (aligned().and_then(|(a, b)| a.checked_sub(b)), scale),
        Operator::Modulo => (aligned().and_then(|(a, b)| a.checked_rem(b)), scale),
        Operator::Multiply => (a.checked_mul(b), a_scale + b_scale),
        Operator::Divide => {
            let scaled = rescaled(a, scale + b_scale - a_scale);
            (scaled.and_then(|a| divide(a, b)), scale)
        }
    };
    let limit = power(MAX_DIGITS)?;
    match result {
        Some(value) if scale <= MAX_DIGITS && value.unsigned_abs() < limit.unsigned_abs() => {
            Ok(Num::Decimal(value, scale))
        }
        _ => Err(out_of_range()),
    }
}

impl<'a> Item<'a> {
    /// The item as a number of SQL; `None` if it is none.
    ///
    /// # Errors
    ///
    /// It is larger than SQL's numbers.
    pub(super) fn number(&self) -> Result<Option<Num>, Failure> {
        match self {
            Self::Number(number) => Ok(Some(*number)),
            Self::Written(number) if number.whole => {
                let number = Num::whole(number.text);
                number.map(Some).ok_or_else(out_of_range)
            }
            Self::Written(number) => Ok(number.text.parse().ok().map(Num::Double)),
            _ => Ok(None),
        }
    }

    /// The item as a number.
    ///
    /// # Errors
    ///
    /// It is none, or too large.
    pub(super) fn expect_number(&self) -> Result<Num, Failure> {
        self.number()?.ok_or_else(|| {
            Failure::value(format!(
                "a number is expected instead of {}",
                self.type_name()
            ))
        })
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_scalar(&self) -> bool {
        !matches!(
            self,
            Self::Null | Self::Array(_) | Self::Object(_) | Self::Entry(_)
        )
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Written(_) | Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) | Self::Entry(_) => "object",
            Self::Time(time) => time.type_name(),
        }
    }

    /// Compares two items; `None` if they cannot be compared.
    pub(super) fn compare(&self, comparison: Comparison, other: &Item<'_>) -> Option<bool> {
        let order = match (self, other) {
            // Null equals null, and is neither less nor greater than anything.
            (Self::Null, Item::Null) => return Some(comparison == Comparison::Equal),
            (Self::Null, _) | (_, Item::Null) => {
                return Some(comparison == Comparison::NotEqual);
            }
            (Self::Boolean(a), Item::Boolean(b)) => Some(a.cmp(b)),
            (Self::Text(a), Item::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => {
                let (a, b) = (self.number().ok()??, other.number().ok()??);
                a.compare(b)
            }
        };
        Some(comparison.holds(order))
    }
}

impl Comparison {
    /// Whether it holds for values in this order; `None` if they have none, as NaN has.
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        let is = |orders: &[Ordering]| order.is_some_and(|order| orders.contains(&order));
        match self {
            Self::Equal => is(&[Ordering::Equal]),
            Self::NotEqual => !is(&[Ordering::Equal]),
            Self::Less => is(&[Ordering::Less]),
            Self::LessOrEqual => is(&[Ordering::Less, Ordering::Equal]),
            Self::Greater => is(&[Ordering::Greater]),
            Self::GreaterOrEqual => is(&[Ordering::Greater, Ordering::Equal]),
        }
    }
}

#[cfg(test)]
mod tests;
