//! Functions in the place of operators of numbers, which fail where the engine's operators do not.
//!
//! ```text
//! a + b - c      +-(a, b, c)      one function for a whole chain, so that long chains do not nest
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ExprSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};

use super::{checked, floats};
use crate::plans::expressions;

/// Returns the type of an operand. Does not walk a chain, whose type takes a walk of all its
/// operands otherwise.
pub(crate) fn type_of(operand: &Expr, schema: &dyn ExprSchema) -> Option<DataType> {
    let chain = match operand {
        Expr::ScalarFunction(call) => chain(&call.func),
        _ => None,
    };
    match chain {
        Some(chain) => Some(chain.data_type.clone()),
        None => operand.get_type(schema).ok(),
    }
}

/// Returns `left op right` as a call, for integers or floating-point numbers of one type. A left
/// operand that is a chain goes on.
pub(crate) fn call(left: Expr, op: Operator, right: Expr, data_type: DataType) -> Expr {
    let (mut ops, mut args) = match left {
        Expr::ScalarFunction(ScalarFunction { func, args }) => match chain(&func) {
            Some(chain) => (chain.ops.clone(), args),
            None => {
                let call = Expr::ScalarFunction(ScalarFunction { func, args });
                (Vec::new(), vec![call])
            }
        },
        left => (Vec::new(), vec![left]),
    };
    ops.push(op);
    args.push(right);
    expressions::call(Chain::new(ops, data_type), args)
}

fn chain(func: &ScalarUDF) -> Option<&Chain> {
    func.inner().downcast_ref::<Chain>()
}

/// Returns the least and the greatest result that a chain of whole numbers may have, if no step of it
/// can be out of the range of its type; `None` otherwise, and for other functions.
///
/// `of`: the least and the greatest value of an operand, if they are known and it cannot fail.
pub(crate) fn bounds(
    call: &ScalarFunctionExpr,
    of: &mut dyn FnMut(&PhysicalExprRef) -> Option<(i128, i128)>,
) -> Option<(i128, i128)> {
    let chain = chain(call.fun())?;
    let range = range(&chain.data_type)?;
    let mut operands = call.args().iter();
    let mut known = of(operands.next()?)?;
    for (op, operand) in chain.ops.iter().zip(operands) {
        known = bounds_of_step(*op, known, of(operand)?)?;
        if known.0 < range.0 || known.1 > range.1 {
            return None;
        }
    }
    Some(known)
}

/// Returns the least and the greatest number of a type; `None` for a type of others.
pub(crate) fn range(data_type: &DataType) -> Option<(i128, i128)> {
    Some(match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

fn bounds_of_step(
    op: Operator,
    (least, greatest): (i128, i128),
    (least_right, greatest_right): (i128, i128),
) -> Option<(i128, i128)> {
    match op {
        Operator::Plus => {
            let sum = least.checked_add(least_right)?;
            Some((sum, greatest.checked_add(greatest_right)?))
        }
        Operator::Minus => {
            let difference = least.checked_sub(greatest_right)?;
            Some((difference, greatest.checked_sub(least_right)?))
        }
        Operator::Multiply => {
            let one = least.checked_mul(least_right)?;
            let two = least.checked_mul(greatest_right)?;
            let three = greatest.checked_mul(least_right)?;
            let four = greatest.checked_mul(greatest_right)?;
            let least = one.min(two).min(three).min(four);
            Some((least, one.max(two).max(three).max(four)))
        }
        _ => None,
    }
}

/// `a op b op c …` from left to right, for numbers of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Chain {
    /// The operators, as EXPLAIN shows them.
    name: String,
    ops: Vec<Operator>,
    data_type: DataType,
    signature: Signature,
}

impl Chain {
    fn new(ops: Vec<Operator>, data_type: DataType) -> Self {
        Self {
            name: ops.iter().map(ToString::to_string).collect(),
            signature: Signature::any(ops.len() + 1, Volatility::Immutable),
            ops,
            data_type,
        }
    }
}

impl ScalarUDFImpl for Chain {
    fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the operators that the call replaces, so that columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let mut args = args.iter();
        let mut name = args
            .next()
            .map(|first| first.schema_name().to_string())
            .unwrap_or_default();
        for (op, arg) in self.ops.iter().zip(args) {
            name.push_str(&format!(" {op} {}", arg.schema_name()));
        }
        Ok(name)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(
            &self.name,
            self.data_type.clone(),
            nullable,
        )))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut args = args.args.into_iter();
        let mut value = args.next().ok_or_else(|| {
            DataFusionError::Internal(format!("operators {} without an operand", self.name))
        })?;
        for (op, arg) in self.ops.iter().zip(args) {
            value = match self.data_type.is_floating() {
                true => floats::calculated(*op, &value, &arg)?,
                false => checked::calculated(*op, &value, &arg, &self.data_type)?,
            };
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_bounds_of_all_pairs() {
        use Operator as O;
        let step = bounds_of_step;
        assert_eq!(step(O::Plus, (-3, 5), (1, 2)), Some((-2, 7)));
        assert_eq!(step(O::Minus, (-3, 5), (1, 2)), Some((-5, 4)));
        assert_eq!(step(O::Multiply, (-3, 5), (-7, 2)), Some((-35, 21)));
        assert_eq!(step(O::Multiply, (-3, -2), (-7, -1)), Some((2, 21)));
        assert_eq!(step(O::Divide, (1, 2), (1, 2)), None);
        assert_eq!(step(O::Plus, (0, i128::MAX), (0, 1)), None);
        assert_eq!(step(O::Minus, (i128::MIN, 0), (0, 1)), None);
        assert_eq!(step(O::Multiply, (0, i128::MAX), (0, 2)), None);
        let wide = (i64::MIN.into(), i64::MAX.into());
        let (least, greatest) = step(O::Multiply, wide, wide).unwrap_or_default();
        assert_eq!((least, greatest), (-(1_i128 << 126) + (1 << 63), 1 << 126));
    }

    #[test]
    fn only_whole_numbers_have_a_range() {
        assert_eq!(range(&DataType::UInt8), Some((0, 255)));
        let all = range(&DataType::Int64);
        assert_eq!(all, Some((i64::MIN.into(), i64::MAX.into())));
        assert_eq!(range(&DataType::Float64), None);
        assert_eq!(range(&DataType::Decimal128(10, 0)), None);
    }
}
