//! Subscripts of `jsonb`: `j['a'][0]` reads a member of an object or an item of an array. An item of
//! an array of the type `jsonb[]` has the mark of its type, which the engine does not know.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, ScalarUDF};
use lakegate_engine::arrays::item_of;
use lakegate_error::{Code, Error};

use super::comparisons::is_of_json;
use super::functions;
use super::operators::{are_in_list, is_of_jsonb};
use super::read::SUBSCRIPT;
use super::results::KEPT;

/// Plans a subscript of `jsonb` as a call.
#[derive(Debug)]
struct JsonSubscripts {
    subscript: Arc<ScalarUDF>,
    /// Marks an item.
    kept: Arc<ScalarUDF>,
}

/// Returns the planner to register, before the engine's own; `None` if its function is missing.
pub(crate) fn planner() -> Option<Arc<dyn ExprPlanner>> {
    static MADE: LazyLock<Option<Arc<JsonSubscripts>>> = LazyLock::new(|| {
        let all = functions();
        let named = |name: &str| {
            let mut found = all.iter().filter(|function| function.name() == name);
            found.next().cloned()
        };
        let [_, kept] = KEPT;
        Some(Arc::new(JsonSubscripts {
            subscript: named(SUBSCRIPT)?,
            kept: named(kept)?,
        }))
    });
    let planner = MADE.clone()?;
    Some(planner)
}

/// Returns whether the engine finds an item of `array_agg(…)` without building the array.
fn is_nth(list: &Expr, place: &Expr) -> bool {
    matches!(list, Expr::AggregateFunction(_))
        && matches!(place, Expr::Literal(ScalarValue::Int64(Some(place)), _) if *place > 0)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Code::TypeMismatch, message.into())
}

impl ExprPlanner for JsonSubscripts {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        if is_of_json(&access.expr, schema) {
            return Err(refused(
                "cannot subscript type json because it does not support subscripting",
            )
            .with_hint("cast it to jsonb, or write j -> 'a'")
            .into());
        }
        if let GetFieldAccess::ListIndex { key } = &access.field_access
            && are_in_list(&access.expr, schema)
            && !is_nth(&access.expr, key)
        {
            let item = item_of(access.expr, key.as_ref().clone());
            return Ok(PlannerResult::Planned(self.kept.call(vec![item])));
        }
        if !is_of_jsonb(&access.expr, schema) {
            return Ok(PlannerResult::Original(access));
        }
        let RawFieldAccessExpr { field_access, expr } = access;
        let key = match field_access {
            GetFieldAccess::NamedStructField { name } => Expr::Literal(name, None),
            GetFieldAccess::ListIndex { key } => *key,
            GetFieldAccess::ListRange { .. } => {
                return Err(refused("jsonb subscript does not support slices").into());
            }
        };
        let of = key.get_type(schema)?;
        if !of.is_integer() && !of.is_string() && !of.is_null() {
            return Err(
                refused(format!("subscript type {} is not supported", name_of(&of)))
                    .with_hint("jsonb subscript must be coercible to either integer or text.")
                    .into(),
            );
        }
        Ok(PlannerResult::Planned(self.subscript.call(vec![expr, key])))
    }
}

/// Returns PostgreSQL's name of a type that is not a subscript.
fn name_of(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        of if of.is_numeric() => "numeric",
        of if of.is_nested() => "anyarray",
        _ => "of this expression",
    }
}
