//! The function that calculates the digits of numbers, a row at a time.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array,
    StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float32Type, Float64Type, i256};
use arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_error::{Code, Error};

use super::tree::Node;
use super::value::{Digits, Fault, Written};
use crate::plans::expressions;

/// The name of the function, as EXPLAIN shows it.
const NAME: &str = "$digits";

/// The metadata of a text that PostgreSQL's endpoint shows as a `numeric`.
const MARK: (&str, &str) = ("pg.type", "numeric");

/// Returns a call that makes texts of the numbers that a tree calculates, with the mark of numbers.
/// `leaves`: the values that its leaves name.
pub(super) fn number(tree: Node, leaves: Vec<Expr>) -> Expr {
    call(tree, leaves, true)
}

/// Returns the same call without the mark.
pub(super) fn text(tree: Node, leaves: Vec<Expr>) -> Expr {
    call(tree, leaves, false)
}

fn call(tree: Node, leaves: Vec<Expr>, is_marked: bool) -> Expr {
    let function = ShownDigits {
        tree,
        is_marked,
        signature: Signature::any(leaves.len(), Volatility::Immutable),
    };
    expressions::call(function, leaves)
}

/// The digits of numbers that are calculated of its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ShownDigits {
    tree: Node,
    /// Whether PostgreSQL's endpoint shows the texts as numbers.
    is_marked: bool,
    signature: Signature,
}

impl ScalarUDFImpl for ShownDigits {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = Field::new(self.name(), DataType::Utf8, true);
        Ok(Arc::new(match self.is_marked {
            true => {
                let mark = (MARK.0.to_owned(), MARK.1.to_owned());
                field.with_metadata(HashMap::from([mark]))
            }
            false => field,
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constants = expressions::are_constants(&args.args);
        let rows = if constants { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows));
        let leaves: Vec<Leaf> = arrays
            .map(|array| Leaf::of(&array?))
            .collect::<Result<_>>()?;
        let mut texts = StringBuilder::new();
        for row in 0..rows {
            texts.append_option(shown(&self.tree, &leaves, row)?);
        }
        expressions::made(Arc::new(texts.finish()), constants)
    }
}

/// Returns the digits of a row; `None` if they are NULL.
fn shown(tree: &Node, leaves: &[Leaf], row: usize) -> Result<Option<String>> {
    // A text that is not calculated with may have any number of digits.
    if let Node::Leaf(place) = tree
        && let Some(leaf) = leaves.get(*place)
        && let Some(written) = leaf.written(row)
    {
        return Ok(Some(written?.text()));
    }
    Ok(calculated(tree, leaves, row)?.map(Digits::text))
}

fn calculated(node: &Node, leaves: &[Leaf], row: usize) -> Result<Option<Digits>> {
    match node {
        Node::Leaf(place) => match leaves.get(*place) {
            Some(leaf) => leaf.number(row),
            None => Ok(None),
        },
        Node::Negative(operand) => match calculated(operand, leaves, row)? {
            Some(number) => number.negated().map(Some).ok_or_else(too_large),
            None => Ok(None),
        },
        Node::Absolute(operand) => match calculated(operand, leaves, row)? {
            Some(number) if number.value.is_negative() => {
                number.negated().map(Some).ok_or_else(too_large)
            }
            number => Ok(number),
        },
        Node::Calculated(op, left, right) => {
            let left = calculated(left, leaves, row)?;
            let right = calculated(right, leaves, row)?;
            let (Some(left), Some(right)) = (left, right) else {
                return Ok(None);
            };
            let divides = matches!(op, Operator::Divide | Operator::Modulo);
            if divides && right.value == i256::ZERO {
                return Err(ArrowError::DivideByZero.into());
            }
            let result = match op {
                Operator::Plus => left.plus(right),
                Operator::Minus => left.minus(right),
                Operator::Multiply => left.times(right),
                Operator::Divide => left.divided(right),
                _ => left.rest(right),
            };
            result.map(Some).ok_or_else(too_large)
        }
        Node::Spread(spread, places) => {
            let mut numbers = [None; 3];
            for (number, place) in numbers.iter_mut().zip(places) {
                *number = match leaves.get(*place) {
                    Some(leaf) => leaf.number(row)?,
                    None => None,
                };
            }
            let [Some(count), Some(sum), Some(squares)] = numbers else {
                return Ok(None);
            };
            let fewest = if spread.population { 1 } else { 2 };
            if count.value < i256::from_i128(fewest) {
                return Ok(None);
            }
            let result = variance(count, sum, squares, spread.population);
            let result = match spread.deviation {
                true => result.and_then(Digits::root),
                false => result,
            };
            result.map(Some).ok_or_else(too_large)
        }
        Node::First(nodes) => {
            for node in nodes {
                let number = calculated(node, leaves, row)?;
                if number.is_some() {
                    return Ok(number);
                }
            }
            Ok(None)
        }
        Node::Extreme(wanted, nodes) => {
            let mut found: Option<Digits> = None;
            for node in nodes {
                let Some(number) = calculated(node, leaves, row)? else {
                    continue;
                };
                found = match found {
                    Some(found) if compared(number, found)? != *wanted => Some(found),
                    _ => Some(number),
                };
            }
            Ok(found)
        }
        Node::Unless(value, other) => {
            let value = calculated(value, leaves, row)?;
            let other = calculated(other, leaves, row)?;
            match (value, other) {
                (Some(value), Some(other)) if compared(value, other)?.is_eq() => Ok(None),
                (value, _) => Ok(value),
            }
        }
        Node::Case(branches, otherwise) => {
            for (condition, branch) in branches {
                if leaves.get(*condition).is_some_and(|leaf| leaf.is_true(row)) {
                    return calculated(branch, leaves, row);
                }
            }
            match otherwise {
                Some(otherwise) => calculated(otherwise, leaves, row),
                None => Ok(None),
            }
        }
    }
}

fn compared(number: Digits, other: Digits) -> Result<Ordering> {
    number.compared(other).ok_or_else(too_large)
}

/// Returns a variance as `numeric_stddev_internal` of `numeric.c` does; `None` if it has too many digits.
fn variance(count: Digits, sum: Digits, squares: Digits, population: bool) -> Option<Digits> {
    let deviations = count.times(squares)?.minus(sum.times(sum)?)?;
    if deviations.value <= i256::ZERO {
        return Some(Digits::new(0, 0));
    }
    let others = match population {
        true => count,
        false => count.minus(Digits::new(1, 0))?,
    };
    deviations.divided(count.times(others)?)
}

fn too_large() -> datafusion::error::DataFusionError {
    Error::new(
        Code::NumericOutOfRange,
        "a number of more than 76 digits is calculated",
    )
    .with_hint("cast to double precision, or to a numeric of fewer digits")
    .into()
}

/// The values of an argument.
enum Leaf {
    Null,
    Decimals(Decimal128Array, u32),
    Doubles(Float64Array),
    Reals(Float32Array),
    Texts(StringArray),
    Booleans(BooleanArray),
}

impl Leaf {
    fn of(array: &ArrayRef) -> Result<Self> {
        match array.data_type() {
            DataType::Null => Ok(Self::Null),
            DataType::Boolean => Ok(Self::Booleans(array.as_boolean().clone())),
            DataType::Float64 => Ok(Self::Doubles(array.as_primitive::<Float64Type>().clone())),
            DataType::Float32 => Ok(Self::Reals(array.as_primitive::<Float32Type>().clone())),
            DataType::Decimal128(_, scale @ 0..) => {
                let decimals = array.as_primitive::<Decimal128Type>().clone();
                Ok(Self::Decimals(decimals, u32::from(scale.unsigned_abs())))
            }
            of if of.is_integer() => {
                let decimals = cast(array, &DataType::Decimal128(20, 0))?;
                let decimals = decimals.as_primitive::<Decimal128Type>().clone();
                Ok(Self::Decimals(decimals, 0))
            }
            of if of.is_string() => {
                let texts = cast(array, &DataType::Utf8)?;
                Ok(Self::Texts(texts.as_string::<i32>().clone()))
            }
            other => Err(Error::internal(format!("{NAME} of {other}")).into()),
        }
    }

    /// Returns what is written in a text, and the digits of a floating-point number; `None` for NULL
    /// and other values.
    fn written(&self, row: usize) -> Option<Result<Written>> {
        match self {
            Self::Texts(texts) if !texts.is_null(row) => {
                let text = texts.value(row);
                Some(Written::read(text).map_err(|fault| faulty(fault, text).into()))
            }
            Self::Doubles(values) if !values.is_null(row) => {
                Some(float(&format!("{:.14e}", values.value(row))))
            }
            Self::Reals(values) if !values.is_null(row) => {
                Some(float(&format!("{:.5e}", values.value(row))))
            }
            _ => None,
        }
    }

    fn number(&self, row: usize) -> Result<Option<Digits>> {
        if let Self::Decimals(values, scale) = self {
            let value = (!values.is_null(row)).then(|| values.value(row));
            return Ok(value.map(|value| Digits::new(value, *scale)));
        }
        match self.written(row) {
            None => Ok(None),
            Some(written) => match written? {
                Written::Word(word) => {
                    let what = match word {
                        "NaN" => "NaN",
                        _ => "an infinite value",
                    };
                    let message = format!("{what} of the type numeric is not supported");
                    let error = Error::not_supported(message);
                    Err(error.with_hint("use double precision, or NULL").into())
                }
                written => written.number().map(Some).ok_or_else(too_large),
            },
        }
    }

    fn is_true(&self, row: usize) -> bool {
        match self {
            Self::Booleans(values) => !values.is_null(row) && values.value(row),
            _ => false,
        }
    }
}

/// Reads a floating-point number in scientific notation.
fn float(scientific: &str) -> Result<Written> {
    Written::of_float(scientific).map_err(|fault| faulty(fault, scientific).into())
}

fn faulty(fault: Fault, text: &str) -> Error {
    match fault {
        Fault::Syntax => Error::new(
            Code::InvalidCast,
            format!("invalid input syntax for type numeric: \"{text}\""),
        ),
        Fault::Range => Error::new(Code::NumericOutOfRange, "value overflows numeric format")
            .with_hint("a numeric may have 1000 digits"),
    }
}
