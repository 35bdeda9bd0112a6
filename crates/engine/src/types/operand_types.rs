//! The types of operands of arithmetic in PostgreSQL, where the engine's are others. A text literal
//! takes a type from the other operand; the engine refuses texts. A `real` beside an integer or a
//! decimal becomes a `double precision`; the engine's result is a `real`. A literal of an integer is
//! one of 32 bits if it fits; the engine's has 64.
//!
//! ```text
//! x * '2', x - '2'                     x * CAST('2' AS INT), if x is an INT
//! day - '2024-01-01'                   day - CAST('2024-01-01' AS DATE)
//! day - other_day                      CAST(day - other_day AS INT)
//! moment + '1 day', time + '1 hour'    moment + CAST('1 day' AS INTERVAL), …
//! moment + NULL, length * NULL         with a NULL of the types of the others
//! moment + $1, length * $1             with an INTERVAL, with a DOUBLE
//! length > '1 day'                     length > CAST('1 day' AS INTERVAL)
//! b = 'no'                             b = CAST('no' AS BOOLEAN), if b is a BOOLEAN
//! length * '1.5'                       length * CAST('1.5' AS DOUBLE), if length is an INTERVAL
//! ratio * 100                          CAST(ratio AS DOUBLE) * 100, if ratio is a REAL
//! x + 1, x & 1                         x + CAST(1 AS INT), …, if x is an INT or a SMALLINT
//! items || 3                           items || CAST(3 AS INT)
//! price * 1.1                          price * 1.1 as a DECIMAL(2,1), if price is a DECIMAL
//! total + hash                         both as a DECIMAL(76,9), of a DECIMAL(38,9) and a DECIMAL(76,0)
//! price / 3                            a quotient of more digits, if price is a DECIMAL
//! NULL $numeric x                      x as a decimal of its digits; see numbers/open_numerics.rs
//! ```
//!
//! Runs while a query is planned, because the results have other types. `untyped_texts.rs` gives
//! literals types among values of one type.

use arrow::datatypes::{DECIMAL256_MAX_PRECISION, DataType, IntervalUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::numbers::{decimal_places, decimal_texts, integer_literals, open_numerics, quotients};
use crate::{plans::expressions, time::negation, types::common_types};

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// How many operators an operand may begin with: its type is found by walking all of them, for each
/// operator of a chain again.
const MAX_CHAIN: usize = 64;

/// Gives the operands their types. Not for Trino's dialects, where texts are an error and a `real`
/// stays one.
#[derive(Debug)]
pub(crate) struct OperandTypes;

impl ExprPlanner for OperandTypes {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if negation::is_negation(&expr.op) {
            return negation::planned(expr.right, schema).map(PlannerResult::Planned);
        }
        if integer_literals::is_mark(&expr.op) {
            return MarkedLiterals.plan_binary_op(expr, schema);
        }
        if open_numerics::is_mark(&expr.op) {
            let decimal = open_numerics::planned(expr.right, schema);
            return Ok(PlannerResult::Planned(decimal));
        }
        if expr.op == BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(RawBinaryExpr {
                op: expr.op,
                left: integer_literals::narrowed(expr.left),
                right: integer_literals::narrowed(expr.right),
            }));
        }
        if is_bitwise(&expr.op) {
            let (left, right) = with_integers(expr.left, expr.right, schema);
            let op = expr.op;
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        if !is_arithmetic(&expr.op) && !is_comparison(&expr.op) {
            return Ok(PlannerResult::Original(expr));
        }
        let RawBinaryExpr {
            op,
            mut left,
            mut right,
        } = expr;
        let is_calculated = is_arithmetic(&op) && op != BinaryOperator::PGExp;
        right = crate::types::open_operands::typed(&op, right, &left, schema);
        if op != BinaryOperator::Divide {
            left = crate::types::open_operands::typed(&op, left, &right, schema);
        }
        if is_calculated {
            if let Some(null) = null_beside(&right, &op, &left, schema) {
                right = null;
            } else if op != BinaryOperator::Divide
                && let Some(null) = null_beside(&left, &op, &right, schema)
            {
                left = null;
            }
        }
        // A text takes the type of the literal, which it would hide.
        let are_texts = (text_of(&left).is_some(), text_of(&right).is_some());
        match are_texts {
            (true, false) if is_calculated => right = integer_literals::narrowed(right),
            (false, true) if is_calculated => left = integer_literals::narrowed(left),
            _ => {}
        }
        let (first, second) = (text_of(&left), text_of(&right));
        let typed_left = first.filter(|_| second.is_none());
        let typed_left = typed_left.and_then(|text| typed(text, &op, &right, schema));
        let typed_right = second.filter(|_| first.is_none());
        let typed_right = typed_right.and_then(|text| typed(text, &op, &left, schema));
        let is_typed = typed_left.is_some() || typed_right.is_some();
        let (mut left, mut right) = (typed_left.unwrap_or(left), typed_right.unwrap_or(right));
        if !is_typed && is_calculated {
            (left, right) = widened(left, right, schema);
            (left, right) = exact(left, right, schema);
            (left, right) = with_integers(left, right, schema);
        }
        if matches!(op, BinaryOperator::Plus | BinaryOperator::Minus) {
            (left, right) = widest(left, right, schema);
        }
        if op == BinaryOperator::Minus && is_date(&left, schema) && is_date(&right, schema) {
            let days = BinaryExpr::new(Box::new(left), Operator::Minus, Box::new(right));
            let days = cast(Expr::BinaryExpr(days), DataType::Int32);
            return Ok(PlannerResult::Planned(days));
        }
        if let Some(rounded) = rounded(&op, &left, &right, schema) {
            return Ok(PlannerResult::Planned(rounded));
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// Plans the literals that the dialect marks, and nothing else. Sessions of an engine do so already.
#[derive(Debug)]
pub struct MarkedLiterals;

impl ExprPlanner for MarkedLiterals {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if !integer_literals::is_mark(&expr.op) {
            return Ok(PlannerResult::Original(expr));
        }
        Ok(PlannerResult::Planned(
            match common_types::written(&expr.right) {
                Some(number) => Expr::Literal(number, None),
                None => integer_literals::narrowed(expr.right),
            },
        ))
    }
}

fn is_date(expr: &Expr, schema: &DFSchema) -> bool {
    is_short(expr) && matches!(expressions::type_of(expr, schema), Ok(DataType::Date32))
}

/// Returns a literal that has no type yet.
fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Returns the literal as a value; `None` if it stays a text.
fn typed(text: &str, op: &BinaryOperator, beside: &Expr, schema: &DFSchema) -> Option<Expr> {
    if !is_short(beside) {
        return None;
    }
    let beside = expressions::type_of(beside, schema).ok()?;
    let data_type = type_beside(op, &beside)?;
    if matches!(data_type, DataType::Decimal128(..)) {
        // The digits decide the type, and those of other decimals are kept.
        let number = decimal_texts::number(text.trim())?;
        return Some(Expr::Literal(number, None));
    }
    let literal = Expr::Literal(text.into(), None);
    Some(cast(literal, data_type))
}

/// Returns a NULL without a type as one of the type that the operator takes beside a time or an
/// interval; `None` for other operands.
fn null_beside(
    operand: &Expr,
    op: &BinaryOperator,
    beside: &Expr,
    schema: &DFSchema,
) -> Option<Expr> {
    let is_null = matches!(operand, Expr::Literal(ScalarValue::Null, _));
    if !is_null || !is_short(beside) {
        return None;
    }
    let beside = expressions::type_of(beside, schema)
        .ok()
        .filter(DataType::is_temporal)?;
    let data_type = type_beside(op, &beside)?;
    Some(cast(operand.clone(), data_type))
}

/// Makes a `real` that is beside an integer or a decimal a `double precision`.
fn widened(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    if !is_short(&left) || !is_short(&right) {
        return (left, right);
    }
    let is_exact = |of: &DataType| of.is_integer() || of.is_decimal();
    match (
        expressions::type_of(&left, schema),
        expressions::type_of(&right, schema),
    ) {
        (Ok(DataType::Float32), Ok(other)) if is_exact(&other) => {
            (cast(left, DataType::Float64), right)
        }
        (Ok(other), Ok(DataType::Float32)) if is_exact(&other) => {
            (left, cast(right, DataType::Float64))
        }
        _ => (left, right),
    }
}

/// Makes a number literal that is beside a decimal the decimal that is written.
fn exact(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    let is_decimal = |expr: &Expr| {
        let data_type = is_short(expr).then(|| expressions::type_of(expr, schema));
        matches!(data_type, Some(Ok(DataType::Decimal128(..))))
    };
    if let Some(number) = common_types::written(&left) {
        return match is_decimal(&right) {
            true => (Expr::Literal(number, None), right),
            false => (left, right),
        };
    }
    match common_types::written(&right) {
        Some(number) if is_decimal(&left) => (left, Expr::Literal(number, None)),
        _ => (left, right),
    }
}

/// Gives decimals whose sum would need more digits than the widest decimal has that decimal, with the
/// fractional digits of both. A number with too many others is an error then.
fn widest(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    if !is_short(&left) || !is_short(&right) {
        return (left, right);
    }
    let type_of = |operand: &Expr| {
        let of_call = decimal_places::type_of_call(operand, schema);
        of_call.or_else(|| expressions::type_of(operand, schema).ok())
    };
    let (Some(one), Some(other)) = (type_of(&left), type_of(&right)) else {
        return (left, right);
    };
    let digits = |of: &DataType| match of {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((i16::from(*precision) - i16::from(*scale), *scale))
        }
        _ => None,
    };
    let (Some((whole, places)), Some((other_whole, other_places))) = (digits(&one), digits(&other))
    else {
        return (left, right);
    };
    let places = places.max(other_places);
    let needed = whole.max(other_whole) + i16::from(places);
    if needed <= i16::from(DECIMAL256_MAX_PRECISION) {
        return (left, right);
    }
    let to = DataType::Decimal256(DECIMAL256_MAX_PRECISION, places);
    (cast(left, to.clone()), cast(right, to))
}

/// Makes the literals of integers beside integers of 32 bits or less ones of 32 bits.
///
/// The type of a long chain of operators is not looked up: a literal of 32 bits beside one of another
/// type is converted as one of 64 bits is.
fn with_integers(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    use DataType::{Int8, Int16, Int32, Null};
    integer_literals::beside(left, right, |operand| match is_short(operand) {
        true => matches!(
            expressions::type_of(operand, schema),
            Ok(Int8 | Int16 | Int32 | Null)
        ),
        false => true,
    })
}

/// Returns a quotient or a product of decimals whose digits are not those of the engine's.
fn rounded(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    if !matches!(op, BinaryOperator::Divide | BinaryOperator::Multiply)
        || !is_short(left)
        || !is_short(right)
    {
        return None;
    }
    let types = (
        expressions::type_of(left, schema).ok()?,
        expressions::type_of(right, schema).ok()?,
    );
    quotients::planned(op, (left, &types.0), (right, &types.1))
}

/// Plans an operation whose operands have become decimals after it was planned. `None` if it stays as
/// it is.
pub(crate) fn of_decimals(binary: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let op = match binary.op {
        Operator::Plus => BinaryOperator::Plus,
        Operator::Minus => BinaryOperator::Minus,
        Operator::Multiply => BinaryOperator::Multiply,
        Operator::Divide => BinaryOperator::Divide,
        Operator::Modulo => BinaryOperator::Modulo,
        _ => return None,
    };
    let (own_left, own_right) = (binary.left.as_ref(), binary.right.as_ref());
    if !is_short(own_left) || !is_short(own_right) {
        return None;
    }
    let (left, right) = match (
        expressions::type_of(own_left, schema),
        expressions::type_of(own_right, schema),
    ) {
        (Ok(DataType::Float64), Ok(DataType::Decimal128(..))) => {
            (of_exact_parts(own_left, schema, MAX_CHAIN), None)
        }
        (Ok(DataType::Decimal128(..)), Ok(DataType::Float64)) => {
            (None, of_exact_parts(own_right, schema, MAX_CHAIN))
        }
        _ => (None, None),
    };
    let is_changed = left.is_some() || right.is_some();
    let left = left.unwrap_or_else(|| own_left.clone());
    let right = right.unwrap_or_else(|| own_right.clone());
    match rounded(&op, &left, &right, schema) {
        None if is_changed => {
            let calculated = BinaryExpr::new(Box::new(left), binary.op, Box::new(right));
            Some(Expr::BinaryExpr(calculated))
        }
        planned => planned,
    }
}

/// Returns a value as a decimal that is a floating-point number for its literals only, such as
/// `count(*) * 100.0`.
fn of_exact_parts(value: &Expr, schema: &DFSchema, depth: usize) -> Option<Expr> {
    let depth = depth.checked_sub(1)?;
    if let Some(number) = common_types::written(value) {
        return Some(Expr::Literal(number, None));
    }
    match value {
        Expr::BinaryExpr(binary) if expressions::is_arithmetic(binary.op) => {
            let left = of_exact_parts(&binary.left, schema, depth)?;
            let right = of_exact_parts(&binary.right, schema, depth)?;
            let binary = BinaryExpr::new(Box::new(left), binary.op, Box::new(right));
            let planned = of_decimals(&binary, schema);
            Some(planned.unwrap_or(Expr::BinaryExpr(binary)))
        }
        value => match expressions::type_of(value, schema) {
            Ok(of) if of.is_integer() || of.is_decimal() => Some(value.clone()),
            _ => None,
        },
    }
}

fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::PGExp
    )
}

fn is_bitwise(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(op, Op::BitwiseAnd | Op::BitwiseOr | Op::PGBitwiseXor)
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq
    )
}

/// Returns whether an operand is no long chain of operators.
pub(crate) fn is_short(expr: &Expr) -> bool {
    let mut first = expr;
    for _ in 0..MAX_CHAIN {
        match first {
            Expr::BinaryExpr(binary) => first = &binary.left,
            other => match quotients::left_operand(other) {
                Some(operand) => first = operand,
                None => return true,
            },
        }
    }
    false
}

/// Returns the type of a literal beside an operand of a type; `None` if PostgreSQL has no such
/// operator, or several.
fn type_beside(op: &BinaryOperator, beside: &DataType) -> Option<DataType> {
    use BinaryOperator as Op;
    match (op, beside) {
        // The engine gives texts beside other values their types.
        (op, DataType::Interval(_) | DataType::Duration(_)) if is_comparison(op) => Some(INTERVAL),
        (op, DataType::Boolean) if is_comparison(op) => Some(DataType::Boolean),
        (op, _) if is_comparison(op) => None,
        (Op::PGExp, number) if number.is_numeric() => Some(DataType::Float64),
        (Op::PGExp, _) => None,
        (_, number) if number.is_numeric() => Some(number.clone()),
        (Op::Plus, DataType::Timestamp(..) | DataType::Time64(_)) => Some(INTERVAL),
        (Op::Minus, DataType::Timestamp(..) | DataType::Date32 | DataType::Time64(_)) => {
            Some(beside.clone())
        }
        (Op::Plus | Op::Minus, DataType::Interval(_) | DataType::Duration(_)) => Some(INTERVAL),
        (Op::Multiply | Op::Divide, DataType::Interval(_) | DataType::Duration(_)) => {
            Some(DataType::Float64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
