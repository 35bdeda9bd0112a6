//! One NaN and one zero, where the engine distinguishes several.
//!
//! The engine orders floating-point numbers by their bits (IEEE's total order), and treats -0 as 0
//! only in comparisons, joins and groups. A NaN whose sign bit is set, which processors return for
//! `inf - inf` and negation makes of any NaN, is then the least number and not equal to another
//! NaN; and 0 and -0 are two partitions of a window and two values to CASE, `nullif`, a long IN
//! list and an aggregate of distinct values, and a sort does not compare their next key.
//!
//! An analyzer rule that runs after type coercion puts [`Canonical`] around expressions that make
//! such a NaN, and around values that are compared by their bits.
//!
//! ```text
//! a * b - c              canonical(a * b - c)                   NaN only; a result keeps its -0
//! PARTITION BY x         PARTITION BY canonical(x)
//! ORDER BY x, y          ORDER BY canonical(x), y               not the last key
//! CASE x WHEN 0 THEN …   CASE canonical(x) WHEN canonical(0) …
//! ```
//!
//! Delete this when the engine compares numbers in one way everywhere (apache/datafusion, total
//! order of floats, 55.2).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{InList, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{
    BinaryExpr, Case, Cast, ColumnarValue, Distinct, Expr, ExprSchemable, LogicalPlan,
    ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, SortExpr, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Puts [`Canonical`] around the expressions that need it.
#[derive(Debug)]
pub(crate) struct CanonicalFloats;

impl AnalyzerRule for CanonicalFloats {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        sorted(expressions::rewritten(plan, concerns, rewritten)?)
    }

    fn name(&self) -> &str {
        "canonical_floats"
    }
}

fn concerns(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => expressions::is_arithmetic(binary.op),
        Expr::AggregateFunction(call) => call.params.distinct || call.params.order_by.len() > 1,
        Expr::Case(case) => case.expr.is_some(),
        Expr::ScalarFunction(call) => compares(call.func.name()),
        expr => matches!(
            expr,
            Expr::Negative(_) | Expr::WindowFunction(_) | Expr::InList(_)
        ),
    }
}

/// Returns whether a function compares by bits.
fn compares(function: &str) -> bool {
    matches!(
        function,
        "nullif"
            | "array_distinct"
            | "array_except"
            | "array_has"
            | "array_intersect"
            | "array_union"
    )
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if expressions::is_arithmetic(op) => {
            // The left operand may be a long chain, and to get its type takes a walk.
            let float = is_float(&right, schema) && is_float(&left, schema);
            if !float {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            }
            // The outermost call of a chain is enough: the sign of a NaN changes no later result.
            let (left, right) = (Box::new(bare(*left)), Box::new(bare(*right)));
            let result = Expr::BinaryExpr(BinaryExpr { left, op, right });
            Transformed::yes(canonical(result, false))
        }
        Expr::Negative(inner) if is_float(&inner, schema) => {
            let result = Expr::Negative(Box::new(bare(*inner)));
            Transformed::yes(canonical(result, false))
        }
        Expr::WindowFunction(mut window) if keys_are_float(&window, schema) => {
            let params = &mut window.params;
            for key in &mut params.partition_by {
                compared(key, schema);
            }
            for sort in &mut params.order_by {
                compared(&mut sort.expr, schema);
            }
            Transformed::yes(Expr::WindowFunction(window))
        }
        Expr::AggregateFunction(mut call) if call.params.distinct => {
            let float = call.params.args.iter().any(|arg| is_float(arg, schema));
            let args = call.params.args.iter_mut();
            args.for_each(|arg| compared(arg, schema));
            // The order must still be by the argument.
            let orders = call.params.order_by.iter_mut();
            orders.for_each(|order| compared(&mut order.expr, schema));
            Transformed::new_transformed(Expr::AggregateFunction(call), float)
        }
        // What is WITHIN GROUP is the argument, too.
        Expr::AggregateFunction(mut call) if !call.func.supports_within_group_clause() => {
            let changed = earlier_keys(&mut call.params.order_by, schema);
            Transformed::new_transformed(Expr::AggregateFunction(call), changed)
        }
        Expr::Case(Case {
            expr: Some(mut operand),
            mut when_then_expr,
            else_expr,
        }) => {
            let float = is_float(&operand, schema);
            if float {
                compared(&mut operand, schema);
                for (when, _) in &mut when_then_expr {
                    compared(when, schema);
                }
            }
            let case = Expr::Case(Case::new(Some(operand), when_then_expr, else_expr));
            Transformed::new_transformed(case, float)
        }
        Expr::InList(InList {
            mut expr,
            mut list,
            negated,
        }) => {
            // Only a bare expression can prune by statistics, so it stays bare if no item may be
            // zero.
            let zero = is_float(&expr, schema) && list.iter().any(may_be_zero);
            if zero {
                compared(&mut expr, schema);
                list.iter_mut().for_each(|item| compared(item, schema));
            }
            let in_list = Expr::InList(InList::new(expr, list, negated));
            Transformed::new_transformed(in_list, zero)
        }
        Expr::ScalarFunction(mut call) if compares(call.func.name()) => {
            let float = call.args.iter().any(|arg| is_float(arg, schema));
            call.args.iter_mut().for_each(|arg| compared(arg, schema));
            Transformed::new_transformed(Expr::ScalarFunction(call), float)
        }
        expr => Transformed::no(expr),
    }
}

/// Puts one zero into the sorts of a plan.
fn sorted(plan: LogicalPlan) -> Result<LogicalPlan> {
    let sorts_by_several = |node: &LogicalPlan| {
        Ok(match node {
            LogicalPlan::Sort(sort) => sort.expr.len() > 1,
            LogicalPlan::Distinct(Distinct::On(distinct)) => distinct
                .sort_expr
                .as_ref()
                .is_some_and(|keys| keys.len() > 1),
            _ => false,
        })
    };
    if !expressions::has_operator(&plan, sorts_by_several)? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Sort(mut sort) => {
            let changed = earlier_keys(&mut sort.expr, sort.input.schema());
            Ok(Transformed::new_transformed(
                LogicalPlan::Sort(sort),
                changed,
            ))
        }
        LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
            let schema = distinct.input.schema();
            let keys = distinct.sort_expr.as_deref_mut().unwrap_or_default();
            let changed = earlier_keys(keys, schema);
            let distinct = LogicalPlan::Distinct(Distinct::On(distinct));
            Ok(Transformed::new_transformed(distinct, changed))
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

/// Puts one zero into the keys of a sort that others follow: rows whose last key is equal come in
/// any order. Returns whether there are such keys.
fn earlier_keys(keys: &mut [SortExpr], schema: &DFSchema) -> bool {
    let Some((_, earlier)) = keys.split_last_mut() else {
        return false;
    };
    let mut changed = false;
    for key in earlier {
        if is_float(&key.expr, schema) {
            compared(&mut key.expr, schema);
            changed = true;
        }
    }
    changed
}

/// Returns the numbers with one NaN and one zero. Other values are returned unchanged.
///
/// # Errors
///
/// Returns an error if the numbers cannot be cast.
pub(crate) fn one_zero(numbers: &ArrayRef) -> Result<ArrayRef> {
    Canonical::new(true).array(numbers)
}

fn is_float(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    // `get_type` would walk the whole chain again.
    as_canonical(expr).is_some()
        || expr
            .get_type(schema)
            .is_ok_and(|kind| kind.is_floating() || are_lists(&kind))
}

/// Returns whether values are arrays of floating-point numbers, at any depth.
pub(crate) fn are_lists(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => item.data_type().is_floating() || are_lists(item.data_type()),
        _ => false,
    }
}

fn keys_are_float(window: &WindowFunction, schema: &DFSchema) -> bool {
    let params = &window.params;
    let orders = params.order_by.iter().map(|sort| &sort.expr);
    let mut keys = params.partition_by.iter().chain(orders);
    keys.any(|key| is_float(key, schema))
}

fn may_be_zero(item: &Expr) -> bool {
    match item {
        Expr::Literal(ScalarValue::Float64(value), _) => value.is_some_and(|value| value == 0.0),
        Expr::Literal(ScalarValue::Float32(value), _) => value.is_some_and(|value| value == 0.0),
        Expr::Cast(Cast { expr, .. }) => may_be_zero(expr),
        Expr::Literal(ScalarValue::Int64(value), _) => *value == Some(0),
        _ => true,
    }
}

fn as_canonical(expr: &Expr) -> Option<&Canonical> {
    match expr {
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref::<Canonical>(),
        _ => None,
    }
}

/// Returns the expression without [`Canonical`] around it.
fn bare(expr: Expr) -> Expr {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, mut args })
            if func.inner().downcast_ref::<Canonical>().is_some() && args.len() == 1 =>
        {
            args.swap_remove(0)
        }
        expr => expr,
    }
}

/// Puts [`Canonical`], with one zero, around a float that is compared by its bits.
fn compared(expr: &mut Expr, schema: &DFSchema) {
    if is_float(expr, schema) {
        let inner = std::mem::take(expr);
        *expr = canonical(bare(inner), true);
    }
}

fn canonical(expr: Expr, zeros: bool) -> Expr {
    expressions::call(Canonical::new(zeros), vec![expr])
}

/// A floating-point number with the one NaN, and if `zeros` with the one zero.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Canonical {
    zeros: bool,
    signature: Signature,
}

impl Canonical {
    pub(super) fn new(zeros: bool) -> Self {
        Self {
            zeros,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }

    fn array(&self, array: &ArrayRef) -> Result<ArrayRef> {
        Ok(match array.data_type() {
            DataType::Float64 => Arc::new(
                array
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(|value| match value {
                        value if value.is_nan() => f64::NAN,
                        value if self.zeros && value == 0.0 => 0.0,
                        value => value,
                    }),
            ),
            DataType::Float32 => Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(|value| match value {
                        value if value.is_nan() => f32::NAN,
                        value if self.zeros && value == 0.0 => 0.0,
                        value => value,
                    }),
            ),
            // f32 holds every value of f16.
            DataType::Float16 => cast(
                &self.array(&cast(array, &DataType::Float32)?)?,
                &DataType::Float16,
            )?,
            DataType::List(item) => {
                let list = array.as_list::<i32>();
                Arc::new(ListArray::try_new(
                    Arc::clone(item),
                    list.offsets().clone(),
                    self.array(list.values())?,
                    list.nulls().cloned(),
                )?)
            }
            _ => Arc::clone(array),
        })
    }
}

impl ScalarUDFImpl for Canonical {
    fn name(&self) -> &str {
        "canonical"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(expressions::name_of_first(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(match args.arg_fields.first() {
            Some(field) => Arc::new(Field::new(
                self.name(),
                field.data_type().clone(),
                field.is_nullable(),
            )),
            None => Arc::new(Field::new(self.name(), DataType::Null, true)),
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| self.array(values))
    }
}
