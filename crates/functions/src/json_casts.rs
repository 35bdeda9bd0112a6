//! Casts of JSON values: a rule replaces them by functions, because the engine sees a JSON value as
//! a text.
//!
//! ```text
//! CAST(j AS bigint)                          "$json_cast"(j, CAST(NULL AS bigint))
//! TRY_CAST(j AS bigint)                      "$try_json_cast"(j, CAST(NULL AS bigint))
//! "$cast"(j, CAST(NULL AS ARRAY(bigint)))    "$json_cast"(j, CAST(NULL AS ARRAY(bigint)))
//! ```

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, ScalarUDF, TryCast};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::rewritten;

use crate::casts;
use crate::entry::Known;
use crate::json::is_json;
use crate::scalar;

/// Runs before types are coerced, so that it sees the casts of the statement only.
#[derive(Debug)]
pub(crate) struct JsonCasts {
    cast: Arc<ScalarUDF>,
    try_cast: Arc<ScalarUDF>,
}

impl JsonCasts {
    /// Returns `None` if the library has no casts of JSON.
    pub(crate) fn new() -> Option<Self> {
        let named = |name| scalar(name, Known::Everywhere);
        Some(Self {
            cast: named("$json_cast")?,
            try_cast: named("$try_json_cast")?,
        })
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        let from_json = |expr: &Expr| {
            let field = expr.to_field(schema);
            field.is_ok_and(|(_, field)| is_json(&field))
        };
        match expr {
            Expr::Cast(Cast { expr, field }) if from_json(&expr) => {
                Transformed::yes(call(&self.cast, *expr, field))
            }
            Expr::TryCast(TryCast { expr, field }) if from_json(&expr) => {
                Transformed::yes(call(&self.try_cast, *expr, field))
            }
            Expr::ScalarFunction(ScalarFunction { func, args })
                if func.name() == casts::NAME && args.first().is_some_and(from_json) =>
            {
                Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                    func: Arc::clone(&self.cast),
                    args,
                }))
            }
            other => Transformed::no(other),
        }
    }
}

fn call(function: &Arc<ScalarUDF>, value: Expr, field: FieldRef) -> Expr {
    let null = Expr::Literal(ScalarValue::Null, None);
    let target = Expr::Cast(Cast {
        expr: Box::new(null),
        field,
    });
    Expr::ScalarFunction(ScalarFunction {
        func: Arc::clone(function),
        args: vec![value, target],
    })
}

impl AnalyzerRule for JsonCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns = |expr: &Expr| match expr {
            Expr::Cast(_) | Expr::TryCast(_) => true,
            Expr::ScalarFunction(call) => call.func.name() == casts::NAME,
            _ => false,
        };
        rewritten(plan, concerns, |expr, schema| self.rewrite(expr, schema))
    }

    fn name(&self) -> &str {
        "json_casts"
    }
}
