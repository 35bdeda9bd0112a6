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

use super::{checked, floats};
use crate::expressions;

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
