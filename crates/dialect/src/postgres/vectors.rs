//! Subscripts of `int2vector` and `oidvector`, whose first item is `x[0]`. The engine has them as arrays,
//! whose first item is `x[1]`.
//!
//! ```text
//! ('1 2'::int2vector)[0], p.proargtypes[i]     the items 1 and i + 1 of the arrays
//! ```

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, cast};

use super::cell::PG_TYPE;

/// The functions that make a list of numbers such a vector.
pub(super) const INT2VECTOR: &str = "$int2vector";
pub(super) const OIDVECTOR: &str = "$oidvector";

/// Returns the planner to register, before the engine's own.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(VectorSubscripts)
}

#[derive(Debug)]
struct VectorSubscripts;

impl ExprPlanner for VectorSubscripts {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = access;
        let field_access = match field_access {
            GetFieldAccess::ListIndex { key } if is_vector(&expr, schema) => {
                GetFieldAccess::ListIndex {
                    key: Box::new(next(*key)),
                }
            }
            GetFieldAccess::ListRange {
                start,
                stop,
                stride,
            } if is_vector(&expr, schema) => GetFieldAccess::ListRange {
                start: Box::new(next(*start)),
                stop: Box::new(next(*stop)),
                stride,
            },
            other => other,
        };
        Ok(PlannerResult::Original(RawFieldAccessExpr {
            field_access,
            expr,
        }))
    }
}

fn is_vector(expr: &Expr, schema: &DFSchema) -> bool {
    let Ok((_, field)) = expr.to_field(schema) else {
        return false;
    };
    let shown = field.metadata().get(PG_TYPE).map(String::as_str);
    matches!(field.data_type(), DataType::List(_))
        && matches!(shown, Some("int2vector" | "oidvector"))
}

/// Returns the subscript behind one.
fn next(key: Expr) -> Expr {
    match key {
        Expr::Literal(ScalarValue::Int64(Some(place)), None) => {
            Expr::Literal(ScalarValue::Int64(Some(place.saturating_add(1))), None)
        }
        key => cast(key, DataType::Int64) + Expr::Literal(ScalarValue::Int64(Some(1)), None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::Schema;
    use datafusion::prelude::{col, lit};

    use super::super::cell::hinted_field;
    use super::*;

    #[test]
    fn subscripts_of_vectors_begin_with_0() {
        let list = || DataType::new_list(DataType::Int16, true);
        let schema = DFSchema::try_from(Schema::new(vec![
            hinted_field("v", list(), "int2vector"),
            hinted_field("a", list(), "int2[]"),
        ]))
        .unwrap();
        let one = || lit(1_i64);
        for (expr, key, expected) in [
            (col("v"), lit(0_i64), lit(1_i64)),
            (col("v"), lit(i64::MAX), lit(i64::MAX)),
            (col("v"), col("i"), cast(col("i"), DataType::Int64) + one()),
            (col("a"), lit(1_i64), lit(1_i64)),
        ] {
            let access = RawFieldAccessExpr {
                field_access: GetFieldAccess::ListIndex { key: Box::new(key) },
                expr,
            };
            let planned = VectorSubscripts.plan_field_access(access, &schema).unwrap();
            let key = match planned {
                PlannerResult::Original(RawFieldAccessExpr {
                    field_access: GetFieldAccess::ListIndex { key },
                    ..
                }) => Some(*key),
                _ => None,
            };
            assert_eq!(key, Some(expected));
        }
    }
}
