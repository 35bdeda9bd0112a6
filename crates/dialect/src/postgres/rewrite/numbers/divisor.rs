//! `gcd` and `lcm` of literals.

use datafusion::sql::sqlparser::ast::{Expr, Function};

use super::super::{build, last_part};

/// A function of two integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Divisor {
    GreatestCommon,
    LeastMultiple,
}

impl Divisor {
    /// Returns the function that an expression calls, with its arguments.
    pub(super) fn called(expr: &Expr) -> Option<(Self, Vec<Expr>)> {
        let function = match expr {
            Expr::Nested(inner) => return Self::called(inner),
            Expr::Function(function) => function,
            _ => return None,
        };
        let Function {
            name,
            args,
            filter: None,
            over: None,
            ..
        } = function
        else {
            return None;
        };
        let divisor = match last_part(name)?.as_str() {
            "gcd" => Self::GreatestCommon,
            "lcm" => Self::LeastMultiple,
            _ => return None,
        };
        Some((divisor, build::arguments(args)?))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GreatestCommon => "gcd",
            Self::LeastMultiple => "lcm",
        }
    }

    pub(super) fn of(self, one: i128, other: i128) -> Option<i128> {
        let (mut divisor, mut rest) = (one.checked_abs()?, other.checked_abs()?);
        while rest != 0 {
            (divisor, rest) = (rest, divisor.checked_rem(rest)?);
        }
        match self {
            Self::GreatestCommon => Some(divisor),
            Self::LeastMultiple if divisor == 0 => Some(0),
            Self::LeastMultiple => one.checked_div(divisor)?.checked_mul(other)?.checked_abs(),
        }
    }
}
