//! Rewrites of all expressions of a plan, in which every column keeps its name, and calls of
//! functions that no session registers.

mod constants;
mod in_place;
mod search;
mod types;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Expr, GroupingSet, LogicalPlan, Operator, ScalarUDF, ScalarUDFImpl, Subquery, TryCast,
};

pub(crate) use self::constants::{applied, are_constants, made};
pub use self::types::type_of;

/// Applies `rewrite` to each expression of the plan and its subqueries, from the inside out, with
/// the schema of the expression's columns.
///
/// `concerns` selects the expressions that it may change. Most plans and most operators have none:
/// to search for them takes a fraction of the time that it takes to save names and merge schemas.
///
/// # Errors
///
/// Returns an error if a rewritten plan is invalid.
pub fn rewritten(
    plan: LogicalPlan,
    concerns: impl Fn(&Expr) -> bool,
    rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<LogicalPlan> {
    of_readers(plan, &concerns, |node| of_node(node, &concerns, &rewrite))
}

/// Applies `of` to each operator of the plan and its subqueries that has an expression that `concerns`
/// selects, from the leaves up. Results have the same columns.
///
/// # Errors
///
/// Returns the error of `of`, or an error if the plan cannot be walked.
pub(crate) fn of_readers(
    mut plan: LogicalPlan,
    concerns: impl Fn(&Expr) -> bool,
    of: impl Fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
) -> Result<LogicalPlan> {
    if has(&plan, &concerns)? {
        in_place::each(&mut plan, &concerns, &|node| of(node).data())?;
    }
    Ok(plan)
}

/// Returns whether a cast may fail for some values.
pub(crate) fn narrows(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from.is_string() => !to.is_string(),
        (from, to) if from.is_integer() && to.is_integer() => {
            from.primitive_width() > to.primitive_width()
        }
        (from, to) => from.is_numeric() && to.is_integer(),
    }
}

/// Returns the schema of the columns that an operator's expressions name.
pub(crate) fn schema_of_inputs(node: &LogicalPlan) -> DFSchemaRef {
    match node.inputs().as_slice() {
        [input] => DFSchemaRef::clone(input.schema()),
        inputs => Arc::new(merge_schema(inputs)),
    }
}

/// Applies `of` to each operator of a plan and its subqueries, from the leaves up, with whether
/// anything below the operator changed.
///
/// # Errors
///
/// Returns the error of `of`, or an error if the planning is stopped.
pub(crate) fn each_operator(
    node: LogicalPlan,
    of: &impl Fn(LogicalPlan, bool) -> Result<Transformed<LogicalPlan>>,
) -> Result<Transformed<LogicalPlan>> {
    crate::limits::stop::check()?;
    let inputs = node.map_children(|input| each_operator(input, of))?;
    let subqueries = inputs
        .data
        .map_subqueries(|subquery| each_operator(subquery, of))?;
    let is_changed = inputs.transformed || subqueries.transformed;
    let node = of(subqueries.data, is_changed)?;
    Ok(Transformed::new_transformed(
        node.data,
        is_changed || node.transformed,
    ))
}

/// Applies `rewrite` to the expressions of one operator, as [`rewritten`] does.
///
/// # Errors
///
/// Returns an error if the operator's expressions cannot be walked.
pub(crate) fn of_node(
    node: LogicalPlan,
    concerns: impl Fn(&Expr) -> bool,
    rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<Transformed<LogicalPlan>> {
    if !reads(&node, &concerns)? {
        return Ok(Transformed::no(node));
    }
    let schema = schema_of_inputs(&node);
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| match has_part(&expr, &concerns)? {
        true => named(expr, &names, &|expr| Ok(rewrite(expr, &schema))),
        false => Ok(Transformed::no(expr)),
    })
}

/// Applies `rewrite` to each expression of the plan and its subqueries, from the inside out, with
/// the schema of the expression's columns. Unlike for [`rewritten`], results may have other types:
/// the operators above see the new ones, and so do references from subqueries to columns outside.
/// Then `operator` may replace each operator; it returns `None` to keep it.
///
/// # Errors
///
/// Returns the error of `rewrite`, or an error if a rewritten plan is invalid.
pub fn retyped(
    plan: LogicalPlan,
    rewrite: &impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    operator: &impl Fn(&LogicalPlan) -> Result<Option<LogicalPlan>>,
) -> Result<LogicalPlan> {
    retyped_except(plan, |_| false, rewrite, operator)
}

/// Does what [`retyped`] does, but leaves operators that `is_kept` selects as they are, with all that
/// is below them.
///
/// # Errors
///
/// Returns the error of `rewrite`, or an error if a rewritten plan is invalid.
pub(crate) fn retyped_except(
    plan: LogicalPlan,
    is_kept: fn(&LogicalPlan) -> bool,
    rewrite: &impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    operator: &impl Fn(&LogicalPlan) -> Result<Option<LogicalPlan>>,
) -> Result<LogicalPlan> {
    retyped_node(plan, &mut Vec::new(), is_kept, rewrite, operator).data()
}

/// `outer`: the schemas outside of the subqueries that the node is in, the nearest last.
fn retyped_node(
    node: LogicalPlan,
    outer: &mut Vec<DFSchemaRef>,
    is_kept: fn(&LogicalPlan) -> bool,
    rewrite: &impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    operator: &impl Fn(&LogicalPlan) -> Result<Option<LogicalPlan>>,
) -> Result<Transformed<LogicalPlan>> {
    crate::limits::stop::check()?;
    if is_kept(&node) {
        return Ok(Transformed::no(node));
    }
    let node = node.map_children(|input| retyped_node(input, outer, is_kept, rewrite, operator))?;
    let inputs_changed = node.transformed;
    let mut node = node.data;
    let schema = schema_of_inputs(&node);
    outer.push(schema);
    let subqueries =
        node.map_subqueries(|subquery| retyped_node(subquery, outer, is_kept, rewrite, operator));
    let schema = outer.pop();
    let subqueries = subqueries?;
    node = subqueries.data;
    let schema = schema.unwrap_or_else(|| Arc::new(DFSchema::empty()));
    let names = NamePreserver::new(&node);
    let current = |field: &FieldRef, column: &Column| {
        let schemas = outer.iter().rev();
        let mut found = schemas.filter_map(|schema| schema.field_from_column(column).ok());
        found.next().filter(|new| *new != field).map(Arc::clone)
    };
    let rewrite = |expr: Expr| match expr {
        Expr::OuterReferenceColumn(field, column) => match current(&field, &column) {
            Some(field) => Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column))),
            None => Ok(Transformed::no(Expr::OuterReferenceColumn(field, column))),
        },
        expr => rewrite(expr, &schema),
    };
    // The cells of VALUES have no names, and later rules look for the casts that they are.
    let are_cells = matches!(node, LogicalPlan::Values(_));
    let expressions = node.map_expressions(|expr| match are_cells {
        true => expr.transform_up(rewrite),
        false => named(expr, &names, &rewrite),
    })?;
    let changed = inputs_changed || subqueries.transformed || expressions.transformed;
    let node = match changed {
        true => expressions.data.recompute_schema()?,
        false => expressions.data,
    };
    if let Some(node) = operator(&node)? {
        return Ok(Transformed::yes(node));
    }
    Ok(Transformed::new_transformed(node, changed))
}

/// Returns whether the plan or its subqueries have an expression that `concerns` selects.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub fn has(plan: &LogicalPlan, concerns: impl Fn(&Expr) -> bool) -> Result<bool> {
    has_any(plan, &|_: &LogicalPlan| false, &concerns)
}

/// Returns whether the plan or its subqueries have an expression that `may` selects, and then
/// `concerns` with the schema of the expression's columns. [`retyped`] asks the same of each operator,
/// but takes the plan apart for it.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn has_typed(
    plan: &LogicalPlan,
    may: impl Fn(&Expr) -> bool,
    concerns: impl Fn(&Expr, &DFSchema) -> bool,
) -> Result<bool> {
    has_operator(plan, |node| {
        if !reads(node, &may)? {
            return Ok(false);
        }
        let schema = schema_of_inputs(node);
        reads(node, |expr| may(expr) && concerns(expr, &schema))
    })
}

/// Returns whether the plan or its subqueries have an operator that `is` selects, or an expression
/// that `concerns` selects.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn has_any(
    plan: &LogicalPlan,
    is: &impl Fn(&LogicalPlan) -> bool,
    concerns: &impl Fn(&Expr) -> bool,
) -> Result<bool> {
    let mut found = false;
    // Subqueries are looked for together with what is searched: most rules begin with a search.
    plan.apply(|node| {
        found = is(node);
        if !found {
            node.apply_expressions(|expr| {
                found = search::exists(expr, &mut |part: &Expr| {
                    Ok(concerns(part)
                        || match subquery_of(part) {
                            Some(subquery) => has_any(&subquery.subquery, is, concerns)?,
                            None => false,
                        })
                })?;
                Ok(until(found))
            })?;
        }
        Ok(until(found))
    })?;
    Ok(found)
}

/// Returns the subquery that an expression is.
pub(crate) fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(within) => Some(&within.subquery),
        Expr::SetComparison(compared) => Some(&compared.subquery),
        _ => None,
    }
}

/// Returns whether the plan or its subqueries have a column or an expression that is selected.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub fn has_values(
    plan: &LogicalPlan,
    column: impl Fn(&Field) -> bool,
    concerns: impl Fn(&Expr) -> bool,
) -> Result<bool> {
    let has_column = |node: &LogicalPlan| node.schema().fields().iter().any(|field| column(field));
    has_any(plan, &has_column, &concerns)
}

/// Returns whether the plan or its subqueries have an operator that `is` selects.
///
/// # Errors
///
/// Returns the error of `is`.
pub fn has_operator(
    plan: &LogicalPlan,
    mut is: impl FnMut(&LogicalPlan) -> Result<bool>,
) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found = is(node)?;
        Ok(until(found))
    })?;
    Ok(found)
}

/// Returns whether the operator itself has an expression that `concerns` selects.
///
/// # Errors
///
/// Returns an error if the operator's expressions cannot be walked.
pub(crate) fn reads(node: &LogicalPlan, concerns: impl Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found = has_part(expr, &concerns)?;
        Ok(until(found))
    })?;
    Ok(found)
}

/// Returns whether an expression or a part of it is one that `concerns` selects.
fn has_part(expr: &Expr, concerns: &impl Fn(&Expr) -> bool) -> Result<bool> {
    search::exists(expr, &mut |part: &Expr| Ok(concerns(part)))
}

/// Returns how a search continues: it stops when something is found.
pub(crate) fn until(found: bool) -> TreeNodeRecursion {
    if found {
        TreeNodeRecursion::Stop
    } else {
        TreeNodeRecursion::Continue
    }
}

/// Applies `rewrite` to an expression of a node, from the inside out.
///
/// A column without an alias is named after its expression, and a column of a window also after the
/// keys that it is ordered by. The plan above refers to it by this name, so if a rewritten
/// expression has another name, the old one becomes its alias. Each key of ROLLUP, CUBE and
/// GROUPING SETS is a column.
///
/// # Errors
///
/// Returns the error of `rewrite`.
pub fn named(
    expr: Expr,
    names: &NamePreserver,
    rewrite: &impl Fn(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<Expr>> {
    let keys = |keys: Vec<Expr>| -> Result<Vec<Expr>> {
        let keys = keys.into_iter();
        keys.map(|key| named(key, names, rewrite).data()).collect()
    };
    if let Expr::GroupingSet(set) = expr {
        let set = match set {
            GroupingSet::Rollup(of) => GroupingSet::Rollup(keys(of)?),
            GroupingSet::Cube(of) => GroupingSet::Cube(keys(of)?),
            GroupingSet::GroupingSets(sets) => {
                GroupingSet::GroupingSets(sets.into_iter().map(keys).collect::<Result<_>>()?)
            }
        };
        return Ok(Transformed::yes(Expr::GroupingSet(set)));
    }
    // Most expressions are columns that stay as they are: to write their names takes longer.
    if let Expr::Column(column) = &expr {
        let column = column.clone();
        let rewritten = rewrite(expr)?;
        return Ok(match rewritten.transformed {
            true => {
                let name = names.save(&Expr::Column(column));
                rewritten.update_data(|expr| name.restore(expr))
            }
            false => rewritten,
        });
    }
    let name = names.save(&expr);
    let rewritten = expr.transform_up(rewrite)?;
    Ok(match rewritten.transformed {
        true => rewritten.update_data(|expr| name.restore(expr)),
        false => rewritten,
    })
}

/// Returns whether an operator is a comparison.
pub fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(
        op,
        Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom
    )
}

/// Returns whether an operator calculates with numbers.
pub(crate) fn is_arithmetic(op: Operator) -> bool {
    matches!(
        op,
        Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo
    )
}

/// Returns whether an operator that matches a pattern is negated, and whether it ignores case.
/// `None` for other operators.
pub(crate) fn pattern_operator(op: Operator) -> Option<(bool, bool)> {
    match op {
        Operator::RegexMatch => Some((false, false)),
        Operator::RegexIMatch => Some((false, true)),
        Operator::RegexNotMatch => Some((true, false)),
        Operator::RegexNotIMatch => Some((true, true)),
        _ => None,
    }
}

/// Returns the type that a cast is to; `None` for other expressions.
pub(crate) fn cast_type(expr: &Expr) -> Option<&DataType> {
    match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            Some(field.data_type())
        }
        _ => None,
    }
}

/// Changes the operand of a cast, if it is one that `concerns` selects.
pub(crate) fn with_operand(
    cast: Expr,
    concerns: impl Fn(&Expr) -> bool,
    changed: impl FnOnce(Expr) -> Expr,
) -> Transformed<Expr> {
    match cast {
        Expr::Cast(Cast { expr, field }) if concerns(&expr) => {
            let expr = Box::new(changed(*expr));
            Transformed::yes(Expr::Cast(Cast { expr, field }))
        }
        Expr::TryCast(TryCast { expr, field }) if concerns(&expr) => {
            let expr = Box::new(changed(*expr));
            Transformed::yes(Expr::TryCast(TryCast { expr, field }))
        }
        other => Transformed::no(other),
    }
}

/// Returns a call of a function that is not registered in a session.
pub(crate) fn call(function: impl ScalarUDFImpl + 'static, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction {
        func: Arc::new(ScalarUDF::new_from_impl(function)),
        args,
    })
}

/// Returns the name of a call's first argument. A function that a rule puts around an expression has
/// it as its name in schemas, so that columns keep their names.
pub(crate) fn name_of_first(args: &[Expr]) -> String {
    let name = args.first().map(|first| first.schema_name().to_string());
    name.unwrap_or_default()
}

/// Returns an expression without its aliases.
pub(crate) fn without_alias(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => without_alias(&alias.expr),
        expr => expr,
    }
}

#[cfg(test)]
mod tests;
