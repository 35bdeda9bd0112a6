//! Operators that PostgreSQL does not have for the types of their operands are errors, and so are
//! conditions that are not booleans:
//!
//! ```text
//! id = name               operator does not exist: integer = text
//! day BETWEEN 1 AND 2     operator does not exist: date >= integer
//! id LIKE 'a%'            operator does not exist: integer ~~ unknown
//! id AND true             argument of AND must be type boolean, not type integer
//! coalesce(id, name)      COALESCE types integer and text cannot be matched
//! ```
//!
//! The engine converts one of the operands, and fails for some of the values only. An analyzer rule
//! that runs before all others, when expressions are as they were written. Where the engine has no
//! operator either, it says so while it plans, in its own words: [`planner`] is asked before.
//!
//! `pg_operator` and the implicit casts of `pg_cast` decide which operators exist. Numbers of all
//! widths count as one type, since the engine's functions return others than PostgreSQL's.

mod calls;
mod common_types;
mod operands;
mod words;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, NullEquality};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, InList, InSubquery, Like, SetComparison};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Join, JoinConstraint, LogicalPlan, Operator, Subquery, Union,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_engine::barrier::view_of;
use lakegate_engine::is_comparison;
use lakegate_error::{Code, Error, Operands, operator_not_found};

use self::calls::of_call;
use self::common_types::{of_union, of_values};
use self::operands::{Operand, ambiguous, becomes, class, is_missing, operand, shown_operand};
pub(super) use self::operands::{fits_argument, is_short, is_untyped};
use self::words::{first_word, last_word};
use super::refused_casts::type_of;
use crate::postgres::pg_catalog::overloads::OPERATORS;
use crate::postgres::pg_catalog::types::format_type;

const BOOL: i64 = 16;

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(RefusedOperators)
}

/// Returns the planner to add.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(RefusedOperators)
}

#[derive(Debug)]
struct RefusedOperators;

impl ExprPlanner for RefusedOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some(place) = logic(&expr.op) {
            let of_left = not_boolean(place, "", &expr.left, schema);
            let refused = of_left.or_else(|| not_boolean(place, place, &expr.right, schema));
            if let Some(error) = refused {
                return Err(error.into());
            }
        } else if let Some(sign) = sign_of_syntax(&expr.op) {
            if let Some(error) = ambiguous(sign, &expr.left, &expr.right) {
                let operands = operands(sign, Some(&expr.left), Some(&expr.right));
                return Err(error.with_operands(operands).into());
            }
            let (left, right) = (operand(&expr.left, schema), operand(&expr.right, schema));
            // The columns of a UNION may not have their types yet: those of its first part are texts.
            // The engine refuses arithmetic of texts, and patterns of others.
            let is_known = [left, right].iter().all(|side| side.is_other_than_text());
            let is_refused = is_known || is_arithmetic(sign) || sign.contains('~');
            if is_refused && is_missing(sign, left, right) {
                return Err(missing(sign, (left, right), (&expr.left, &expr.right)).into());
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

impl AnalyzerRule for RefusedOperators {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut refused = None;
        plan.apply_with_subqueries(|node| {
            // The query of a view has been checked, if its dialect refuses them.
            if view_of(node).is_some() {
                return Ok(TreeNodeRecursion::Jump);
            }
            let inputs = node.inputs();
            let merged;
            let schema: &DFSchema = match inputs.as_slice() {
                [input] => input.schema().as_ref(),
                inputs => {
                    merged = merge_schema(inputs);
                    &merged
                }
            };
            match node {
                LogicalPlan::Join(join) => refused = of_join(join, schema),
                LogicalPlan::Union(union) => of_union(union).map_or(Ok(()), Err)?,
                _ => {}
            }
            if refused.is_none() {
                node.apply_expressions(|expr| {
                    expr.apply(|part| {
                        refused = checked(part, schema);
                        Ok(match refused {
                            Some(_) => TreeNodeRecursion::Stop,
                            None => TreeNodeRecursion::Continue,
                        })
                    })
                })?;
            }
            Ok(match refused {
                Some(_) => TreeNodeRecursion::Stop,
                None => TreeNodeRecursion::Continue,
            })
        })?;
        match refused {
            Some(error) if !may_change(&plan)? => Err(error.into()),
            _ => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "refused_operators"
    }
}

/// Returns whether a plan has a UNION with a column that is a text, or has no type, in some parts only:
/// it may get another type later.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
fn may_change(plan: &LogicalPlan) -> Result<bool> {
    let is_open = |of: &DataType| of.is_string() || of.is_null();
    let differs = |union: &Union, column: usize| {
        let parts = union.inputs.iter();
        let mut types = parts.filter_map(|part| part.schema().fields().get(column));
        let first = types.next().map(|field| field.data_type().clone());
        first.is_some_and(|first| {
            types.any(|field| {
                let of = field.data_type();
                *of != first && (is_open(of) || is_open(&first))
            })
        })
    };
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Union(union) = node {
            found |= (0..union.schema.fields().len()).any(|column| differs(union, column));
        }
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Returns the error of an expression, without that of its parts.
fn checked(expr: &Expr, schema: &DFSchema) -> Option<Error> {
    match expr {
        Expr::BinaryExpr(binary) => of_binary(binary, schema),
        Expr::Between(between) => of_between(between, schema),
        Expr::InList(list) => of_list(list, schema),
        Expr::InSubquery(subquery) => of_subquery(subquery, schema),
        Expr::SetComparison(comparison) => of_comparison(comparison, schema),
        Expr::Like(like) => of_like(like, schema),
        Expr::Negative(value) => of_negative(value, schema),
        Expr::Not(value) => not_boolean("NOT", "NOT", value, schema),
        Expr::IsTrue(value) => not_boolean("IS TRUE", "", value, schema),
        Expr::IsNotTrue(value) => not_boolean("IS NOT TRUE", "", value, schema),
        Expr::IsFalse(value) => not_boolean("IS FALSE", "", value, schema),
        Expr::IsNotFalse(value) => not_boolean("IS NOT FALSE", "", value, schema),
        Expr::IsUnknown(value) => not_boolean("IS UNKNOWN", "", value, schema),
        Expr::IsNotUnknown(value) => not_boolean("IS NOT UNKNOWN", "", value, schema),
        Expr::Case(case) => {
            let mut conditions = case.when_then_expr.iter().map(|(when, _)| when);
            let condition =
                conditions.find_map(|when| not_boolean("CASE/WHEN", "WHEN", when, schema));
            let refused = condition.filter(|_| case.expr.is_none());
            let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let otherwise = case.else_expr.iter().map(|value| value.as_ref());
            refused.or_else(|| of_values("CASE", otherwise.chain(results), schema))
        }
        Expr::ScalarFunction(call) => of_call(call, schema),
        Expr::AggregateFunction(call) => {
            let condition = call.params.filter.as_ref()?;
            not_boolean("FILTER", "WHERE", condition, schema)
        }
        _ => None,
    }
}

fn of_binary(binary: &BinaryExpr, schema: &DFSchema) -> Option<Error> {
    let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
    match binary.op {
        Operator::And => {
            let of_left = not_boolean("AND", "", left, schema);
            of_left.or_else(|| not_boolean("AND", "AND", right, schema))
        }
        Operator::Or => {
            let of_left = not_boolean("OR", "", left, schema);
            of_left.or_else(|| not_boolean("OR", "OR", right, schema))
        }
        op => {
            let (sign, written) = signs(op)?;
            let types = (operand(left, schema), operand(right, schema));
            is_missing(sign, types.0, types.1).then(|| {
                let error = missing(sign, types, (left, right));
                error.with_operands(operands(written, Some(left), Some(right)))
            })
        }
    }
}

/// Returns the error of the keys of a join, which the planner has taken out of its condition.
fn of_join(join: &Join, schema: &DFSchema) -> Option<Error> {
    // INTERSECT and EXCEPT, whose literals have no type yet.
    if join.null_equality == NullEquality::NullEqualsNull {
        return None;
    }
    join.on.iter().find_map(|(left, right)| {
        let types = (operand(left, schema), operand(right, schema));
        if !is_missing("=", types.0, types.1) {
            return None;
        }
        Some(match join.join_constraint {
            JoinConstraint::On => missing("=", types, (left, right)),
            JoinConstraint::Using => {
                let [left, right] = [types.0.name(), types.1.name()];
                let message = format!("JOIN/USING types {left} and {right} cannot be matched");
                Error::new(Code::TypeMismatch, message)
            }
        })
    })
}

fn of_between(between: &Between, schema: &DFSchema) -> Option<Error> {
    let value = between.expr.as_ref();
    let of = operand(value, schema);
    let signs = match between.negated {
        true => ["<", ">"],
        false => [">=", "<="],
    };
    let written = match between.negated {
        true => "NOT",
        false => "BETWEEN",
    };
    let bounds = [&between.low, &between.high];
    signs.into_iter().zip(bounds).find_map(|(sign, bound)| {
        let types = (of, operand(bound, schema));
        is_missing(sign, types.0, types.1).then(|| {
            let error = missing(sign, types, (value, bound));
            error.with_operands(operands(written, Some(value), None))
        })
    })
}

fn of_list(list: &InList, schema: &DFSchema) -> Option<Error> {
    let value = list.expr.as_ref();
    let of = operand(value, schema);
    let (sign, written) = among(list.negated);
    list.list.iter().find_map(|item| {
        let types = (of, operand(item, schema));
        is_missing(sign, types.0, types.1).then(|| {
            let error = missing(sign, types, (value, item));
            error.with_operands(operands(written, Some(value), None))
        })
    })
}

fn of_subquery(subquery: &InSubquery, schema: &DFSchema) -> Option<Error> {
    let value = subquery.expr.as_ref();
    let types = (operand(value, schema), of_rows(&subquery.subquery)?);
    is_missing("=", types.0, types.1).then(|| {
        let written = among(subquery.negated).1;
        let error = missing("=", types, (value, value));
        error.with_operands(operands(written, Some(value), None))
    })
}

/// Returns the error of ANY or ALL of a subquery.
fn of_comparison(comparison: &SetComparison, schema: &DFSchema) -> Option<Error> {
    let value = comparison.expr.as_ref();
    let (sign, written) = signs(comparison.op)?;
    let types = (operand(value, schema), of_rows(&comparison.subquery)?);
    is_missing(sign, types.0, types.1).then(|| {
        let error = missing(sign, types, (value, value));
        error.with_operands(operands(written, Some(value), None))
    })
}

/// Returns what is known of the first column of a subquery, in which a literal is a text.
fn of_rows(subquery: &Subquery) -> Option<Operand> {
    let columns = subquery.subquery.schema();
    let column = columns.fields().first()?;
    let is_open = column.data_type().is_null();
    Some(match is_open {
        true => Operand::Untyped,
        false => shown_operand(type_of(column)),
    })
}

/// Returns the operator of IN, and the word that it begins with.
fn among(negated: bool) -> (&'static str, &'static str) {
    match negated {
        true => ("<>", "NOT"),
        false => ("=", "IN"),
    }
}

fn of_like(like: &Like, schema: &DFSchema) -> Option<Error> {
    let sign = match (like.negated, like.case_insensitive) {
        (false, false) => "~~",
        (true, false) => "!~~",
        (false, true) => "~~*",
        (true, true) => "!~~*",
    };
    let written = match (like.negated, like.case_insensitive) {
        (true, _) => "NOT",
        (false, false) => "LIKE",
        (false, true) => "ILIKE",
    };
    let (value, pattern) = (like.expr.as_ref(), like.pattern.as_ref());
    let types = (operand(value, schema), operand(pattern, schema));
    is_missing(sign, types.0, types.1).then(|| {
        let error = missing(sign, types, (value, pattern));
        error.with_operands(operands(written, Some(value), None))
    })
}

fn of_negative(value: &Expr, schema: &DFSchema) -> Option<Error> {
    let Operand::Typed(oid) = operand(value, schema) else {
        return None;
    };
    let is_known = OPERATORS.get("-").is_some_and(|known| {
        let mut prefixes = known.iter().filter(|(left, _)| *left == 0);
        prefixes.any(|(_, right)| class(&oid).iter().any(|of| becomes(*of, *right)))
    });
    (!is_known).then(|| {
        let error = operator_not_found(&format!("- {}", format_type(oid, None)));
        error.with_operands(operands("-", None, Some(value)))
    })
}

/// Returns the error of a condition that is of another type than boolean. `place`: as the message has
/// it. `before`: the word that the condition follows, if it does.
fn not_boolean(place: &str, before: &str, value: &Expr, schema: &DFSchema) -> Option<Error> {
    // Conditions need not be looked up, nor chains of them.
    let is_condition = match value {
        Expr::BinaryExpr(binary) => binary.op.is_logic_operator() || is_comparison(binary.op),
        Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::Like(_) => true,
        Expr::Between(_) | Expr::InList(_) | Expr::InSubquery(_) | Expr::Exists(_) => true,
        _ => false,
    };
    if is_condition {
        return None;
    }
    let found = operand(value, schema);
    if !matches!(found, Operand::Typed(oid) if oid != BOOL) {
        return None;
    }
    let message = format!(
        "argument of {place} must be type boolean, not type {}",
        found.name()
    );
    let error = Error::new(Code::TypeMismatch, message);
    Some(match first_word(value) {
        Some(sign) => error.with_operands(Operands {
            sign,
            before: (!before.is_empty()).then(|| before.to_owned()),
            ..Operands::default()
        }),
        None => error,
    })
}

/// Returns the error of an operator.
fn missing(sign: &str, types: (Operand, Operand), sides: (&Expr, &Expr)) -> Error {
    let operation = format!("{} {sign} {}", types.0.name(), types.1.name());
    let operands = operands(sign, Some(sides.0), Some(sides.1));
    operator_not_found(&operation).with_operands(operands)
}

fn operands(sign: &str, before: Option<&Expr>, after: Option<&Expr>) -> Operands {
    Operands {
        sign: sign.to_owned(),
        before: before.and_then(last_word),
        after: after.and_then(first_word),
        place: None,
    }
}

/// Returns PostgreSQL's name of an operator, and the word that it is written as.
fn signs(op: Operator) -> Option<(&'static str, &'static str)> {
    let sign = match op {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
        Operator::StringConcat => "||",
        Operator::RegexMatch => "~",
        Operator::RegexIMatch => "~*",
        Operator::RegexNotMatch => "!~",
        Operator::RegexNotIMatch => "!~*",
        Operator::LikeMatch => "~~",
        Operator::ILikeMatch => "~~*",
        Operator::NotLikeMatch => "!~~",
        Operator::NotILikeMatch => "!~~*",
        Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => return Some(("=", "IS")),
        _ => return None,
    };
    Some((sign, sign))
}

/// Returns PostgreSQL's name of an operator that is being planned.
fn sign_of_syntax(op: &BinaryOperator) -> Option<&'static str> {
    use BinaryOperator as Op;
    Some(match op {
        Op::Eq => "=",
        Op::NotEq => "<>",
        Op::Lt => "<",
        Op::LtEq => "<=",
        Op::Gt => ">",
        Op::GtEq => ">=",
        Op::Plus => "+",
        Op::Minus => "-",
        Op::Multiply => "*",
        Op::Divide => "/",
        Op::Modulo => "%",
        Op::StringConcat => "||",
        Op::PGRegexMatch => "~",
        Op::PGRegexIMatch => "~*",
        Op::PGRegexNotMatch => "!~",
        Op::PGRegexNotIMatch => "!~*",
        _ => return None,
    })
}

/// Returns the name of AND or OR.
fn logic(op: &BinaryOperator) -> Option<&'static str> {
    match op {
        BinaryOperator::And => Some("AND"),
        BinaryOperator::Or => Some("OR"),
        _ => None,
    }
}

fn is_arithmetic(sign: &str) -> bool {
    matches!(sign, "+" | "-" | "*" | "/" | "%")
}

#[cfg(test)]
mod tests;
