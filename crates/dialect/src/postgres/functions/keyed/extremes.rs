//! `min` and `max` of these types. The engine's are of texts, and their results have no mark.
//!
//! ```text
//! planning   min(t)     a function whose result has the mark of `t`, by which operators know it
//! analysis   min(t)     first_value(t ORDER BY $inet_key(t))
//!            min(x)     the engine's, if `x` is of another type
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, LogicalPlan, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::{has_expression, retyped};

use super::{Act, Keyed, OF_ONE_TYPE, of_expr, written};
use crate::postgres::cell::marked;

/// Returns the rule that makes what is left the engine's functions. It runs after the rule of these
/// types.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(PlainExtremes)
}

/// Returns the planner to register.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(MarkedExtremes)
}

#[derive(Debug)]
struct MarkedExtremes;

impl ExprPlanner for MarkedExtremes {
    fn plan_aggregate(&self, call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        Ok(PlannerResult::Original(planned(call)))
    }
}

/// Returns a call of `min` or `max` of a column or of a function as one whose result may have a mark;
/// others as they are. What a cast, a CASE or the like is of is known when it is analyzed.
fn planned(mut call: RawAggregateExpr) -> RawAggregateExpr {
    let may_be_marked = match call.args.as_slice() {
        [Expr::Column(_)] => true,
        [Expr::ScalarFunction(of)] => !OF_ONE_TYPE.contains(&of.func.name()),
        _ => false,
    };
    if may_be_marked && matches!(call.func.name(), "min" | "max") {
        let inner = Arc::clone(&call.func);
        call.func = Arc::new(AggregateUDF::new_from_impl(Extreme { inner }));
    }
    call
}

/// Returns the call for a value of one of these types, or the engine's for others; `None` for calls of
/// other functions, and for types without a least and a greatest value.
pub(super) fn settled(call: &AggregateFunction, schema: &DFSchema) -> Option<Expr> {
    let inner = wrapped(call)?;
    let params = &call.params;
    let [value] = params.args.as_slice() else {
        return None;
    };
    let Some(of) = of_expr(value, schema) else {
        return Some(plain(call, inner));
    };
    if !has_extremes(of) {
        return None;
    }
    let key = of.call(Act::Key, vec![written(value).clone()]);
    let is_ascending = inner.name() == "min";
    Some(Expr::AggregateFunction(AggregateFunction::new_udf(
        first_value_udaf(),
        vec![value.clone()],
        false,
        params.filter.clone(),
        vec![Sort::new(key, is_ascending, false)],
        None,
    )))
}

fn has_extremes(of: Keyed) -> bool {
    match of {
        Keyed::Timetz | Keyed::Inet | Keyed::LogPosition | Keyed::RowPlace => true,
        // That of a `cidr` is an `inet`.
        Keyed::Cidr | Keyed::MacAddress => false,
        Keyed::Value(_) => false,
        Keyed::Bit | Keyed::VarBit | Keyed::Range(_) => false,
    }
}

/// Returns the engine's function that a call stands for.
fn wrapped(call: &AggregateFunction) -> Option<&Arc<AggregateUDF>> {
    let function = call.func.inner().downcast_ref::<Extreme>()?;
    Some(&function.inner)
}

fn plain(call: &AggregateFunction, inner: &Arc<AggregateUDF>) -> Expr {
    let mut call = call.clone();
    call.func = Arc::clone(inner);
    Expr::AggregateFunction(call)
}

#[derive(Debug)]
struct PlainExtremes;

impl AnalyzerRule for PlainExtremes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_wrapped = |expr: &Expr| match expr {
            Expr::AggregateFunction(call) => wrapped(call).is_some(),
            _ => false,
        };
        if !has_expression(&plan, is_wrapped)? {
            return Ok(plan);
        }
        retyped(plan, &unwrapped, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "plain_extremes"
    }
}

fn unwrapped(expr: Expr, _: &DFSchema) -> Result<Transformed<Expr>> {
    let found = match &expr {
        Expr::AggregateFunction(call) => wrapped(call).map(|inner| plain(call, inner)),
        _ => None,
    };
    Ok(match found {
        Some(plain) => Transformed::yes(plain),
        None => Transformed::no(expr),
    })
}

/// The engine's `min` or `max`, whose result has the mark of its argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let result = self.inner.return_field(fields)?;
        let of = fields.first().and_then(|field| Keyed::of_field(field));
        Ok(match of.filter(|of| has_extremes(*of)) {
            Some(of) => Arc::new(marked(Field::clone(&result), of.mark())),
            None => result,
        })
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::functions_aggregate::min_max::min_udaf;
    use datafusion::prelude::{col, lit};

    use super::*;
    use crate::postgres::{PG_TYPE, hinted_field};

    fn call(arg: Expr) -> RawAggregateExpr {
        RawAggregateExpr {
            func: min_udaf(),
            args: vec![arg],
            distinct: false,
            filter: None,
            order_by: Vec::new(),
            null_treatment: None,
        }
    }

    #[test]
    fn results_have_the_mark_of_the_argument() {
        let function = planned(call(col("t"))).func;
        let marked = |mark: &str| Arc::new(hinted_field("t", DataType::Utf8, mark));
        for (mark, expected) in [
            ("inet", Some("inet")),
            ("timetz", Some("timetz")),
            ("macaddr", None),
            ("name", None),
        ] {
            let field = function.return_field(&[marked(mark)]).unwrap();
            let found = field.metadata().get(PG_TYPE).map(String::as_str);
            assert_eq!(found, expected, "{mark}");
        }
    }

    #[test]
    fn other_calls_stay() {
        assert_eq!(planned(call(lit("a"))).func, min_udaf());
        assert_ne!(planned(call(col("t"))).func, min_udaf());
    }
}
