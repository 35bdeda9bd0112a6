//! Functions that compare their arguments, and values of one type.

use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_error::{Code, Error};

use super::common_types::of_values;
use super::operands::{Operand, is_missing, operand};
use super::{missing, operands};
use crate::postgres::pg_catalog::types::by_oid;

/// Returns the error of a call, without that of its arguments.
pub(super) fn of_call(call: &ScalarFunction, schema: &DFSchema) -> Option<Error> {
    let name = call.func.name();
    match (name, call.args.as_slice()) {
        ("coalesce", values) => of_values("COALESCE", values.iter(), schema),
        ("greatest", values) => of_values("GREATEST", values.iter(), schema),
        ("least", values) => of_values("LEAST", values.iter(), schema),
        ("make_array", values) => of_values("ARRAY", values.iter(), schema),
        ("nullif", [left, right]) => {
            let types = (operand(left, schema), operand(right, schema));
            is_missing("=", types.0, types.1).then(|| {
                let error = missing("=", types, (left, right));
                error.with_operands(operands(name, None, Some(left)))
            })
        }
        (ANY | ALL, [Expr::Literal(op, None), value, array]) => {
            let sign = match op.try_as_str().flatten()? {
                "!=" => "<>",
                sign => sign,
            };
            of_quantified(sign, value, array, schema)
        }
        _ => None,
    }
}

/// Returns the error of ANY or ALL of an array.
fn of_quantified(sign: &str, value: &Expr, array: &Expr, schema: &DFSchema) -> Option<Error> {
    let Operand::Typed(array) = operand(array, schema) else {
        return None;
    };
    let written = || operands(sign, Some(value), None);
    let of_array = by_oid(array).filter(|known| known.category == "A");
    let Some(of_array) = of_array else {
        let message = "op ANY/ALL (array) requires array on right side";
        let error = Error::new(Code::WrongObjectType, message);
        return Some(error.with_operands(written()));
    };
    let types = (operand(value, schema), Operand::Typed(of_array.element));
    is_missing(sign, types.0, types.1)
        .then(|| missing(sign, types, (value, value)).with_operands(written()))
}
