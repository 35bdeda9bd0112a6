//! Subscripts of `int2vector`, `oidvector` and `name`, whose first item is `x[0]`. The engine has the
//! vectors as arrays, whose first item is `x[1]`, and names as texts.
//!
//! ```text
//! ('1 2'::int2vector)[0], p.proargtypes[i]     the items 1 and i + 1 of the arrays
//! t.typname[0]                                 the first byte of the text, as a "char"
//! ```

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, ScalarUDF, cast};

use super::cell::{Cell, PG_TYPE};
use super::function::PgFunction;

/// The functions that make a list of numbers such a vector.
pub(super) const INT2VECTOR: &str = "$int2vector";
pub(super) const OIDVECTOR: &str = "$oidvector";

/// The bytes of a `name` in PostgreSQL.
const NAME_BYTES: usize = 64;

/// `$name_item(name, place)`: a byte of a name.
static NAME_ITEM: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let item = PgFunction::new("$name_item", 2..=2, DataType::Utf8, |args| {
        Ok(match args {
            [name, place] => byte_of_name(name.as_str().unwrap_or_default(), place.as_int()),
            _ => Cell::Null,
        })
    });
    item.immutable().shown_as("char").into_udf()
});

/// Returns a byte of a name as a `"char"`, which is empty behind the end of the name.
fn byte_of_name(name: &str, place: Option<i64>) -> Cell<'static> {
    let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else {
        return Cell::Null;
    };
    match name.as_bytes().get(place) {
        Some(byte) if byte.is_ascii() => Cell::text(char::from(*byte).to_string()),
        Some(byte) => Cell::text(format!("\\{byte:03o}")),
        None if place < NAME_BYTES => Cell::text(""),
        None => Cell::Null,
    }
}

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
            GetFieldAccess::ListIndex { key } if is_name(&expr, schema) => {
                return Ok(PlannerResult::Planned(NAME_ITEM.call(vec![expr, *key])));
            }
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

fn is_name(expr: &Expr, schema: &DFSchema) -> bool {
    let Ok((_, field)) = expr.to_field(schema) else {
        return false;
    };
    let shown = field.metadata().get(PG_TYPE).map(String::as_str);
    field.data_type() == &DataType::Utf8 && shown == Some("name")
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

    #[test]
    fn subscripts_of_names_are_bytes() {
        let text = |text: &str| Cell::text(text.to_owned());
        for (name, place, expected) in [
            ("_int4", Some(0), text("_")),
            ("_int4", Some(4), text("4")),
            ("_int4", Some(5), text("")),
            ("é", Some(0), text("\\303")),
            ("", Some(63), text("")),
            ("a", Some(64), Cell::Null),
            ("a", Some(-1), Cell::Null),
            ("a", Some(i64::MAX), Cell::Null),
            ("a", None, Cell::Null),
        ] {
            assert_eq!(byte_of_name(name, place), expected, "{name} {place:?}");
        }
        let schema = DFSchema::try_from(Schema::new(vec![
            hinted_field("n", DataType::Utf8, "name"),
            hinted_field("t", DataType::Utf8, "varchar"),
        ]))
        .unwrap();
        assert!(is_name(&col("n"), &schema));
        assert!(!is_name(&col("t"), &schema));
    }
}
