//! The analyzer rule of Trino's dialects. It runs before all others, so that it sees the types and
//! the casts of the statement, not those of coercion.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast,
    WindowFunctionDefinition, cast,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::complexity::check_copies;
use lakegate_engine::retyped;

use super::operators::{Operators, Planned};
use super::{casts, comparisons, equality, map_keys, marks, meeting, names, nans, scalars};
use crate::arrays::types::common;
use crate::entry::Known;
use crate::json::{self, is_json, is_text};
use crate::scalar;

/// Tells whether a network, as a text, has an address.
const IN_NETWORK: &str = "is_subnet_of";

/// The most items of a list that nested values are compared with one by one. The engine compares
/// those of longer lists, in which NULL equals NULL.
const MOST_ITEMS: usize = 256;

/// Gives casts the meaning that they have in Trino.
#[derive(Debug)]
pub(crate) struct TrinoTypes {
    cast: Arc<ScalarUDF>,
    try_cast: Arc<ScalarUDF>,
    fitting: Arc<ScalarUDF>,
    equal: Arc<ScalarUDF>,
    in_network: Arc<ScalarUDF>,
    ordered_map: Arc<ScalarUDF>,
    operators: Operators,
}

impl TrinoTypes {
    /// Returns `None` if the library has no casts.
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            cast: function(crate::casts::NAME)?,
            try_cast: function(casts::TRY_CAST_NAME)?,
            fitting: function(casts::FITTING_NAME)?,
            equal: function(equality::NAME)?,
            in_network: scalar(IN_NETWORK, Known::Everywhere)?,
            ordered_map: function(map_keys::NAME)?,
            operators: Operators::new()?,
        })
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if let Some(literal) = integer(&expr) {
            return Ok(Transformed::yes(literal));
        }
        match expr {
            Expr::Cast(Cast { expr, field }) => match self.cast(&expr, &field, schema, false)? {
                Some(cast) => Ok(Transformed::yes(cast)),
                None => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
            },
            Expr::TryCast(TryCast { expr, field }) => {
                match self.cast(&expr, &field, schema, true)? {
                    Some(cast) => Ok(Transformed::yes(cast)),
                    None => Ok(Transformed::no(Expr::TryCast(TryCast { expr, field }))),
                }
            }
            Expr::ScalarFunction(call) if is_written_to_fit(&call) => {
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                    func: Arc::clone(&self.fitting),
                    args: call.args,
                })))
            }
            Expr::ScalarFunction(call) if call.func.name() == json::OF_NAME => {
                // The optimizer may replace the argument by one whose field has no mark.
                let args = call.args.into_iter().map(|arg| match arg.to_field(schema) {
                    Ok((_, field)) if marks::is_marked(&field) => marks::wrapped(arg, field),
                    _ => arg,
                });
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                    func: call.func,
                    args: args.collect(),
                })))
            }
            // Addresses are texts; Trino has no such function of other texts.
            Expr::ScalarFunction(call)
                if call.func.name() == "contains" && are_texts(&call.args, schema) =>
            {
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                    func: Arc::clone(&self.in_network),
                    args: call.args,
                })))
            }
            Expr::AggregateFunction(mut call) if call.func.name() == "sum" => {
                let widened = widen(&mut call.params.args, schema);
                let call = Expr::AggregateFunction(call);
                Ok(Transformed::new_transformed(call, widened))
            }
            Expr::AggregateFunction(mut call) if call.params.distinct => {
                let ordered = map_keys::order(&self.ordered_map, &mut call.params.args, schema);
                let call = Expr::AggregateFunction(call);
                Ok(Transformed::new_transformed(call, ordered))
            }
            Expr::WindowFunction(mut window) => {
                let is_sum = matches!(&window.fun,
                    WindowFunctionDefinition::AggregateUDF(function) if function.name() == "sum");
                let widened = is_sum && widen(&mut window.params.args, schema);
                let window = Expr::WindowFunction(window);
                Ok(Transformed::new_transformed(window, widened))
            }
            Expr::InList(list)
                if list.list.len() <= MOST_ITEMS && is_nested(&list.expr, schema) =>
            {
                check_copies(&list.expr, list.list.len())?;
                let equal = |item| self.equal.call(vec![list.expr.as_ref().clone(), item]);
                let found = disjunction(list.list.into_iter().map(equal));
                let found =
                    found.unwrap_or_else(|| Expr::Literal(ScalarValue::Boolean(Some(false)), None));
                Ok(Transformed::yes(match list.negated {
                    true => Expr::Not(Box::new(found)),
                    false => found,
                }))
            }
            Expr::ScalarFunction(call)
                if call.func.name() == "nullif"
                    && matches!(call.args.as_slice(), [one, other] if are_nested(one, other, schema)) =>
            {
                let value = call.args.first().cloned().unwrap_or_default();
                let null = Box::new(Expr::Literal(ScalarValue::Null, None));
                let cases = vec![(Box::new(self.equal.call(call.args)), null)];
                let case = Case::new(None, cases, Some(Box::new(value)));
                Ok(Transformed::yes(Expr::Case(case)))
            }
            Expr::Case(Case {
                expr: Some(operand),
                when_then_expr,
                else_expr,
            }) if when_then_expr
                .iter()
                .all(|(when, _)| are_nested(&operand, when, schema)) =>
            {
                check_copies(&operand, when_then_expr.len())?;
                let compared = when_then_expr.into_iter().map(|(when, then)| {
                    let operands = vec![operand.as_ref().clone(), *when];
                    (Box::new(self.equal.call(operands)), then)
                });
                let case = Case::new(None, compared.collect(), else_expr);
                Ok(Transformed::yes(Expr::Case(case)))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) =>
            {
                let mut operands = [*left, *right];
                let ordered = map_keys::order(&self.ordered_map, &mut operands, schema);
                let [left, right] = operands.map(Box::new);
                let compared = Expr::BinaryExpr(BinaryExpr { left, op, right });
                Ok(Transformed::new_transformed(compared, ordered))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::Eq | Operator::NotEq)
                    && are_nested(&left, &right, schema) =>
            {
                let equal = Expr::ScalarFunction(ScalarFunction {
                    func: Arc::clone(&self.equal),
                    args: vec![*left, *right],
                });
                Ok(Transformed::yes(match op {
                    Operator::NotEq => Expr::Not(Box::new(equal)),
                    _ => equal,
                }))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                Ok(match self.operators.planned(&left, op, &right, schema) {
                    Some(Planned::Call(call)) => Transformed::yes(call),
                    Some(Planned::Operands(left, right)) => {
                        let (left, right) = (Box::new(left), Box::new(right));
                        Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
                    }
                    None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
                })
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Rewrites an operator whose expressions are rewritten; `None` if nothing changes.
    fn of_operator(&self, node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if let Some(met) = meeting::of_union(&self.cast, node)? {
            let marked = marks::of_columns(&met)?;
            return Ok(Some(marked.unwrap_or(met)));
        }
        let keyed = map_keys::of_operator(&self.ordered_map, node)?;
        let node = keyed.as_ref().unwrap_or(node);
        let compared = nans::of_operator(node)?;
        Ok(match (compared, marks::of_columns(node)?) {
            // The marks are those of a projection on the same columns.
            (Some(compared), Some(marked)) => {
                Some(marked.with_new_exprs(marked.expressions(), vec![compared])?)
            }
            (compared, marked) => marked.or(compared).or(keyed),
        })
    }

    /// Returns a cast as a call, or its value; `None` if the engine's cast has the same meaning.
    fn cast(
        &self,
        value: &Expr,
        to: &FieldRef,
        schema: &DFSchema,
        attempt: bool,
    ) -> Result<Option<Expr>> {
        // A parameter has no type yet.
        let Ok((_, from)) = value.to_field(schema) else {
            return Ok(None);
        };
        if is_json(&from) || is_json(to) || from.data_type().is_null() {
            return Ok(None);
        }
        casts::check(from.data_type(), to.data_type())?;
        if !scalars::is_ours(from.data_type(), to.data_type()) {
            return Ok(None);
        }
        if let Expr::Literal(literal, _) = value
            && let Some(Some(text)) = literal.try_as_str()
            && let Some(constant) = casts::constant(text, to.data_type())
        {
            let constant = Expr::Literal(ScalarValue::try_from_array(&constant, 0)?, None);
            // To the engine, a floating-point literal is a number of no type yet, as in PostgreSQL.
            return Ok(Some(match to.data_type().is_floating() {
                true => Expr::Cast(Cast {
                    expr: Box::new(constant),
                    field: Arc::clone(to),
                }),
                false => constant,
            }));
        }
        let null = Expr::Cast(Cast {
            expr: Box::new(Expr::Literal(ScalarValue::Null, None)),
            field: Arc::clone(to),
        });
        Ok(Some(Expr::ScalarFunction(ScalarFunction {
            func: Arc::clone(if attempt { &self.try_cast } else { &self.cast }),
            args: vec![value.clone(), null],
        })))
    }
}

/// Returns whether all values are texts or NULL, and the first is a text.
fn are_texts(values: &[Expr], schema: &DFSchema) -> bool {
    let is = |expr: &Expr, null: bool| {
        let of = expr.get_type(schema);
        of.is_ok_and(|of| is_text(&of) || (null && of.is_null()))
    };
    let first = values.first();
    first.is_some_and(|first| is(first, false)) && values.iter().all(|value| is(value, true))
}

/// Returns whether a value has items.
fn is_nested(value: &Expr, schema: &DFSchema) -> bool {
    let of = value.get_type(schema);
    of.is_ok_and(|of| equality::is_nested(&of))
}

/// Returns whether two values have items and a type in common.
fn are_nested(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    match (left.get_type(schema), right.get_type(schema)) {
        (Ok(left), Ok(right)) => {
            equality::is_nested(&left)
                && equality::is_nested(&right)
                && common("=", &left, &right).is_ok()
        }
        _ => false,
    }
}

/// Returns the literal that the cast of a whole number to integer makes: functions may need one.
fn integer(expr: &Expr) -> Option<Expr> {
    let Expr::Cast(Cast { expr, field }) = expr else {
        return None;
    };
    match (expr.as_ref(), field.data_type()) {
        (Expr::Literal(ScalarValue::Int64(Some(value)), _), DataType::Int32) => {
            let value = i32::try_from(*value).ok()?;
            Some(Expr::Literal(ScalarValue::Int32(Some(value)), None))
        }
        _ => None,
    }
}

/// Digits of the widest decimal.
const MAX_DIGITS: u8 = 38;

/// Gives the decimals of a sum as many digits as their sum has. Returns whether that changed them.
fn widen(args: &mut [Expr], schema: &DFSchema) -> bool {
    let [argument] = args else {
        return false;
    };
    match argument.get_type(schema) {
        Ok(DataType::Decimal128(digits, scale)) if digits < MAX_DIGITS => {
            let of = std::mem::take(argument);
            *argument = cast(of, DataType::Decimal128(MAX_DIGITS, scale));
            true
        }
        _ => false,
    }
}

/// Returns the function of Trino's sessions that has a name.
pub(super) fn function(name: &str) -> Option<Arc<ScalarUDF>> {
    scalar(name, Known::Trino)
}

/// Returns whether an expression is computed from many rows.
fn is_of_rows(expr: &Expr) -> bool {
    matches!(expr, Expr::AggregateFunction(_) | Expr::WindowFunction(_))
}

/// Returns whether a call truncates what a cast to varchar has written.
fn is_written_to_fit(call: &ScalarFunction) -> bool {
    call.func.name() == casts::TRUNCATED_NAME
        && matches!(call.args.first(), Some(Expr::ScalarFunction(cast))
            if [crate::casts::NAME, casts::TRY_CAST_NAME].contains(&cast.func.name()))
}

impl AnalyzerRule for TrinoTypes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if names::reads_system_catalogs(&plan)? {
            return Ok(plan);
        }
        let plan = retyped(
            plan,
            &|expr, schema| {
                let rewritten = self.rewrite(expr, schema)?;
                let rewritten = rewritten
                    .transform_data(|expr| meeting::of_values(&self.cast, expr, schema))?
                    .transform_data(|expr| nans::compared(expr, schema))?;
                Ok(match marks::marked(&rewritten.data, schema)? {
                    // The columns of aggregates and windows are marked above them.
                    Some(_) if is_of_rows(&rewritten.data) => rewritten,
                    Some(field) => Transformed::yes(marks::wrapped(rewritten.data, field)),
                    None => rewritten,
                })
            },
            &|node: &LogicalPlan| self.of_operator(node),
        )?;
        comparisons::check(&plan)?;
        Ok(plan)
    }

    fn name(&self) -> &str {
        "trino_types"
    }
}
