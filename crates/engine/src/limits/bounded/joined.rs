//! `a || b || c` of texts or bytes as one function, whose result is measured before each call.
//!
//! A whole chain is one call, so that long chains do not nest.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::concat_elements::concat_elements_dyn;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::check_arguments;
use crate::plans::expressions;

/// Replaces `||` by [`Joined`], after the types of both sides are coerced.
pub(super) fn joined(operation: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
    let BinaryExpr { left, op, right } = operation;
    let data_type = (op == Operator::StringConcat)
        .then(|| type_of(&left, schema).zip(type_of(&right, schema)))
        .flatten()
        .and_then(|(left, right)| (left == right).then_some(left));
    let Some(data_type) = data_type else {
        return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
    };
    let mut args = match *left {
        Expr::ScalarFunction(ScalarFunction { func, args }) if chain(&func).is_some() => args,
        left => vec![left],
    };
    args.push(*right);
    let function = Joined::new(args.len(), data_type);
    Transformed::yes(expressions::call(function, args))
}

/// Returns the type of an expression if it is text or bytes.
fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    let data_type = match expr {
        // `get_type` would walk the whole chain again.
        Expr::ScalarFunction(call) if chain(&call.func).is_some() => {
            chain(&call.func)?.data_type.clone()
        }
        expr => expr.get_type(schema).ok()?,
    };
    matches!(
        data_type,
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
    )
    .then_some(data_type)
}

fn chain(func: &ScalarUDF) -> Option<&Joined> {
    func.inner().downcast_ref::<Joined>()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    data_type: DataType,
    signature: Signature,
}

impl Joined {
    fn new(arguments: usize, data_type: DataType) -> Self {
        Self {
            data_type,
            signature: Signature::any(arguments, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "||"
    }

    /// Returns the name of the operators that the call replaces, so that columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect();
        Ok(names.join(" || "))
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
            self.name(),
            self.data_type.clone(),
            nullable,
        )))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = crate::plans::expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        check_arguments(self.name(), &args.args, rows)?;
        let mut args = args.args.into_iter();
        let first = args
            .next()
            .ok_or_else(|| DataFusionError::Internal("|| without an operand".to_owned()))?;
        let mut joined: ArrayRef = first.into_array(rows)?;
        for arg in args {
            let arg = arg.into_array(rows)?;
            joined = concat_elements_dyn(joined.as_ref(), arg.as_ref())?;
        }
        match constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &joined, 0,
            )?)),
            false => Ok(ColumnarValue::Array(joined)),
        }
    }
}
