//! Number literals, and what operators make of them.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, ExactNumberInfo, Expr, UnaryOperator, Value,
};

use lakegate_engine::LITERAL;

use super::super::build;

/// The maximum number of digits of a decimal.
const MAX_DIGITS: u32 = 38;
/// The maximum number of digits after the point of a quotient that has an end, and the least number of
/// significant digits of any other.
const MAX_QUOTIENT_DIGITS: u32 = 16;
/// The digits of a group of those that a `numeric` of PostgreSQL consists of.
const GROUP: i64 = 4;

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// The digits without the point.
    value: i128,
    /// How many digits follow the point.
    scale: u32,
    /// Whether it is written with a point.
    pub(super) is_decimal: bool,
    /// Whether it is part of a result, where it has its exact value.
    pub(super) is_shown: bool,
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl Written {
    /// Returns a number without an exponent.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.replace('_', "");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}");
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = Self {
            value: is_number.then(|| digits.parse().ok()).flatten()?,
            scale: u32::try_from(fraction.len()).ok()?,
            is_decimal: text.contains('.'),
            is_shown: false,
        };
        number.within_bounds()
    }

    /// Returns a number with an exponent, which is a decimal.
    pub(super) fn of_exponent(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E'])?;
        let exponent: i32 = exponent.parse().ok()?;
        let places = exponent.unsigned_abs();
        if places > 2 * MAX_DIGITS {
            return None;
        }
        let mantissa = Self::of(mantissa)?;
        let (factor, scale) = match exponent < 0 {
            true => (1, mantissa.scale + places),
            false => (
                power_of_ten(places.saturating_sub(mantissa.scale))?,
                mantissa.scale.saturating_sub(places),
            ),
        };
        let number = Self {
            value: mantissa.value.checked_mul(factor)?,
            scale,
            is_decimal: true,
            is_shown: false,
        };
        number.within_bounds()
    }

    pub(super) fn shown(self, is_shown: bool) -> Self {
        Self { is_shown, ..self }
    }

    fn within_bounds(self) -> Option<Self> {
        (self.precision() <= MAX_DIGITS).then_some(self)
    }

    /// Returns whether it has 32 bits.
    pub(super) fn fits_integer(self) -> bool {
        i32::try_from(self.value).is_ok()
    }

    /// Returns whether it has no more digits after the point than quotients of the engine.
    pub(super) fn has_places_of_quotients(self) -> bool {
        self.scale <= MAX_QUOTIENT_DIGITS
    }

    /// Returns whether its last digit after the point is zero.
    pub(super) fn ends_in_zero(self) -> bool {
        self.scale > 0 && self.value % 10 == 0
    }

    /// Returns an expression that the planner reads as an integer of 32 bits, or as a decimal.
    pub(super) fn marked(self) -> Expr {
        if self.is_decimal && self.scale == 0 {
            return self.decimal();
        }
        let literal = Expr::Value(Value::Number(self.text(), false).into());
        build::binary(
            build::null(),
            BinaryOperator::Custom(LITERAL.to_owned()),
            literal,
        )
    }

    pub(super) fn signed(self, op: UnaryOperator) -> Self {
        let value = match op {
            UnaryOperator::Minus => -self.value,
            _ => self.value,
        };
        Self { value, ..self }
    }

    /// Returns how many digits it has; those after the point count, be they zero.
    fn precision(self) -> u32 {
        let digits = self
            .value
            .unsigned_abs()
            .checked_ilog10()
            .map_or(1, |log| log + 1);
        digits.max(self.scale)
    }

    pub(super) fn combined(self, op: &BinaryOperator, other: Self) -> Option<Self> {
        let is_decimal = self.is_decimal || other.is_decimal;
        let (value, scale) = match op {
            BinaryOperator::Multiply => (
                self.value.checked_mul(other.value)?,
                self.scale + other.scale,
            ),
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Modulo => {
                let scale = self.scale.max(other.scale);
                let left = self.value.checked_mul(power_of_ten(scale - self.scale)?)?;
                let right = other
                    .value
                    .checked_mul(power_of_ten(scale - other.scale)?)?;
                let value = match op {
                    BinaryOperator::Plus => left.checked_add(right)?,
                    BinaryOperator::Minus => left.checked_sub(right)?,
                    _ => left.checked_rem(right)?,
                };
                (value, scale)
            }
            BinaryOperator::Divide if !is_decimal => (self.value.checked_div(other.value)?, 0),
            BinaryOperator::Divide => return self.quotient(other),
            _ => return None,
        };
        let number = Self {
            value,
            scale,
            is_decimal,
            is_shown: self.is_shown || other.is_shown,
        };
        number.within_bounds()
    }

    /// Returns the quotient with as many digits as PostgreSQL calculates: at least 16 significant ones, by
    /// the groups of four digits that a `numeric` consists of (`select_div_scale` of `numeric.c`). `None`
    /// if the divisor is zero or the quotient has too many digits.
    fn quotient(self, other: Self) -> Option<Self> {
        let (weight, first) = self.first_group();
        let (other_weight, other_first) = other.first_group();
        let quotient_weight = weight - other_weight - i64::from(first <= other_first);
        let places = i64::from(MAX_QUOTIENT_DIGITS) - quotient_weight * GROUP;
        let places = u32::try_from(places.max(0)).ok()?;
        let places = places.max(self.scale).max(other.scale);
        let dividend = self
            .value
            .checked_mul(power_of_ten(other.scale + places)?)?;
        let divisor = other.value.checked_mul(power_of_ten(self.scale)?)?;
        let whole = dividend.checked_div(divisor)?;
        let rest = dividend.checked_rem(divisor)?.unsigned_abs();
        let is_up = rest >= divisor.unsigned_abs() - rest;
        let away = match (self.value < 0) == (other.value < 0) {
            true => 1,
            false => -1,
        };
        let number = Self {
            value: whole + if is_up { away } else { 0 },
            scale: places,
            is_decimal: true,
            is_shown: self.is_shown || other.is_shown,
        };
        number.within_bounds()
    }

    /// Returns the place of the first group of four digits that is not zero, counted from that before
    /// the point, and the group. Both are 0 if the number is.
    fn first_group(self) -> (i64, u128) {
        let value = self.value.unsigned_abs();
        let Some(log) = value.checked_ilog10() else {
            return (0, 0);
        };
        let exponent = i64::from(log) - i64::from(self.scale);
        let in_group = exponent.rem_euclid(GROUP);
        let dropped = i64::from(log) - in_group;
        let power = |exponent: i64| {
            let exponent = u32::try_from(exponent).unwrap_or_default();
            10_u128.checked_pow(exponent).unwrap_or(u128::MAX)
        };
        let first = match dropped >= 0 {
            true => value / power(dropped),
            false => value.saturating_mul(power(-dropped)),
        };
        (exponent.div_euclid(GROUP), first)
    }

    /// Returns the quotient, if it has an end.
    pub(super) fn divided(self, other: Self) -> Option<Self> {
        let dividend = self.value.checked_mul(power_of_ten(other.scale)?)?;
        let divisor = other.value.checked_mul(power_of_ten(self.scale)?)?;
        (1..=MAX_QUOTIENT_DIGITS).find_map(|scale| {
            let dividend = dividend.checked_mul(power_of_ten(scale)?)?;
            let number = Self {
                value: dividend.checked_div(divisor)?,
                scale,
                is_decimal: true,
                is_shown: self.is_shown || other.is_shown,
            };
            let is_exact = dividend.checked_rem(divisor) == Some(0);
            number.within_bounds().filter(|_| is_exact)
        })
    }

    /// Returns the number as text, with all its digits.
    fn text(self) -> String {
        let sign = if self.value < 0 { "-" } else { "" };
        format!("{sign}{}", self.digits())
    }

    fn digits(self) -> String {
        let scale = usize::try_from(self.scale).unwrap_or_default();
        let digits = format!("{:0>1$}", self.value.unsigned_abs(), scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        match fraction {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }

    /// Returns the number as a decimal of its digits.
    pub(super) fn decimal(self) -> Expr {
        let size =
            ExactNumberInfo::PrecisionAndScale(u64::from(self.precision()), i64::from(self.scale));
        build::cast(build::text(self.text()), DataType::Numeric(size))
    }

    /// Returns a literal of the number, which has a point. A decimal without digits after it has a
    /// type instead.
    pub(super) fn expr(self) -> Expr {
        if self.scale == 0 {
            return self.decimal();
        }
        let digits = self.digits();
        let literal = Expr::Value(Value::Number(digits, self.is_shown).into());
        match self.value < 0 {
            true => build::nested(Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(literal),
            }),
            false => literal,
        }
    }
}
