//! A `real` and an integer are compared as doubles, as in PostgreSQL.
//!
//! The engine casts the integer to `real`, which has 24 bits for it, so that
//! `16777216::real = 16777217` is true.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};

use crate::plans::expressions;

/// Largest integer up to which all integers are of type `real` too.
const LARGEST_EXACT: i64 = 1 << f32::MANTISSA_DIGITS;

/// Returns whether a node has a column of type `real`, or a cast to it.
///
/// # Errors
///
/// Returns an error if the node's expressions cannot be walked.
pub(super) fn are_in(node: &LogicalPlan) -> datafusion::error::Result<bool> {
    let mut fields = node.schema().fields().iter();
    let is_cast = |expr: &Expr| matches!(expr, Expr::Cast(cast) if *cast.field.data_type() == DataType::Float32);
    Ok(fields.any(|field| *field.data_type() == DataType::Float32)
        || expressions::reads(node, is_cast)?)
}

/// Returns whether an expression is a comparison.
pub(super) fn is_comparison(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => binary.op.supports_propagation(),
        expr => matches!(expr, Expr::Between(_) | Expr::InList(_)),
    }
}

/// Casts the operands of type `real` to doubles, if another operand is an integer that may not be a
/// `real`. Returns whether anything changed.
pub(super) fn compare<'a>(
    operands: impl IntoIterator<Item = &'a mut Expr>,
    schema: &DFSchema,
) -> bool {
    let mut operands: Vec<(&mut Expr, Side)> = operands
        .into_iter()
        .map(|operand| {
            let side = Side::of(operand, schema);
            (operand, side)
        })
        .collect();
    if !Side::meet(operands.iter().map(|(_, side)| *side)) {
        return false;
    }
    for (operand, side) in &mut operands {
        if *side == Side::Real {
            **operand = cast(std::mem::take(*operand), DataType::Float64);
        }
    }
    true
}

/// An operand of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Real,
    Integer,
    Other,
}

impl Side {
    pub(super) fn of(expr: &Expr, schema: &DFSchema) -> Self {
        match expr {
            Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).map(i64::try_from) {
                Ok(Ok(number)) if number.abs() <= LARGEST_EXACT => Self::Other,
                _ => Self::of_type(&value.data_type()),
            },
            expr => expr
                .get_type(schema)
                .map_or(Self::Other, |data_type| Self::of_type(&data_type)),
        }
    }

    pub(super) fn of_type(data_type: &DataType) -> Self {
        match data_type {
            DataType::Float32 => Self::Real,
            DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64 => {
                Self::Integer
            }
            _ => Self::Other,
        }
    }

    /// Returns whether there are both a `real` and an integer among the sides.
    pub(super) fn meet(sides: impl Iterator<Item = Self> + Clone) -> bool {
        let has = |wanted| sides.clone().any(|side| side == wanted);
        has(Self::Real) && has(Self::Integer)
    }
}
