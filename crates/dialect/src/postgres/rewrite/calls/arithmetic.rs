//! Functions of numbers.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, ExactNumberInfo, Expr};
use lakegate_error::Error;

use super::super::build::{self, binary, cast, nested};
use super::super::{copies, numbers};
use super::{text_of, typed};

/// Returns the replacement of a call; `None` if it stays unchanged, or is not about numbers.
///
/// # Errors
///
/// The function is not supported, or its arguments are too long to be read twice.
pub(super) fn call(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    Ok(match (name, args) {
        ("ceiling", [x]) => {
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            Some(build::call("ceil", vec![x]))
        }
        // Of a literal such as 2.5, which is exact.
        (
            "abs" | "ceil" | "exp" | "floor" | "ln" | "log" | "log10" | "round" | "sqrt" | "trunc",
            [x],
        ) => numbers::exact(x).map(|x| build::call(name, vec![x])),
        ("div", [x, y]) => {
            copies::check(x, 2)?;
            copies::check(y, 2)?;
            let (x, y) = (nested(x.clone()), nested(y.clone()));
            // Literals such as 0.005 are exact.
            let calculated = |left, op, right| {
                let mut result = binary(left, op, right);
                numbers::fold(&mut result);
                nested(result)
            };
            let rest = calculated(x.clone(), BinaryOperator::Modulo, y.clone());
            let whole = calculated(x, BinaryOperator::Minus, rest);
            let quotient = calculated(whole, BinaryOperator::Divide, y);
            let whole_decimal = ExactNumberInfo::PrecisionAndScale(38, 0);
            Some(cast(quotient, DataType::Numeric(whole_decimal)))
        }
        ("width_bucket", [_, _]) => Some(cast(
            build::call("$threshold_bucket", args.to_vec()),
            DataType::Integer(None),
        )),
        ("width_bucket", [x, low, high, count]) => {
            let double = |x: &Expr| typed(x, DataType::DoublePrecision);
            let count = typed(count, DataType::Integer(None));
            let args = vec![double(x), double(low), double(high), count];
            Some(cast(
                build::call("$width_bucket", args),
                DataType::Integer(None),
            ))
        }
        // Of a literal such as 1.005, which is exact.
        ("round" | "trunc", [x, places]) => {
            numbers::exact(x).map(|x| build::call(name, vec![x, places.clone()]))
        }
        ("gcd" | "lcm" | "log" | "pow" | "power", [x, y]) => {
            let (one, other) = (numbers::exact(x), numbers::exact(y));
            (one.is_some() || other.is_some()).then(|| {
                let args = [
                    one.unwrap_or_else(|| x.clone()),
                    other.unwrap_or_else(|| y.clone()),
                ];
                build::call(name, args.to_vec())
            })
        }
        ("scale", [x]) => {
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            Some(build::call("char_length", vec![decimals(&x)]))
        }
        ("min_scale", [x]) => {
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            let significant = build::call("rtrim", vec![decimals(&x), build::text("0")]);
            Some(build::call("char_length", vec![significant]))
        }
        ("to_number", [_, template]) => {
            let scale = text_of(template).and_then(digits_after_point);
            scale.map(|scale| {
                let decimal = ExactNumberInfo::PrecisionAndScale(38, scale);
                cast(build::call(name, args.to_vec()), DataType::Numeric(decimal))
            })
        }
        ("to_hex", [x]) => numbers::integer(x).map(|x| build::call(name, vec![x])),
        ("setseed", [_]) => {
            return Err(Error::not_supported("setseed is not supported")
                .with_hint("random numbers of a query cannot be repeated"));
        }
        _ => None,
    })
}

/// The digits after the point of a decimal without sizes.
const MAX_SCALE: usize = 10;

/// The digits after the point of a number that `V` divides.
const QUOTIENT_DIGITS: i64 = 16;

/// Returns how many digits a template of a number has after its point; `None` if that takes parsing
/// it, or are more than the function returns.
fn digits_after_point(template: &str) -> Option<i64> {
    if template.contains(['"', '\\']) {
        return None;
    }
    if template.contains(['V', 'v']) {
        return Some(QUOTIENT_DIGITS);
    }
    let (_, after) = template.split_once(['.', 'D', 'd']).unwrap_or_default();
    let digits = after.chars().filter(|digit| matches!(digit, '0' | '9'));
    let digits = digits.count();
    i64::try_from(digits).ok().filter(|_| digits <= MAX_SCALE)
}

/// Returns the digits after the point of a number as text.
fn decimals(number: &Expr) -> Expr {
    let text = cast(nested(number.clone()), DataType::Text);
    build::call(
        "split_part",
        vec![text, build::text("."), build::integer(2)],
    )
}
