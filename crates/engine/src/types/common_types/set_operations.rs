//! UNION, INTERSECT, EXCEPT, VALUES and IN over decimals and floating-point numbers.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, ExprSchema};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Distinct, Expr, ExprSchemable, Join, LogicalPlan, LogicalPlanBuilder, Subquery, Union,
    Values, cast,
};
use datafusion::logical_expr_common::type_coercion::binary::type_union_resolution;
use datafusion::optimizer::analyzer::type_coercion::coerce_union_schema;

use super::reals::{self, Side};
use super::{Kind, Meeting};
use crate::joins::set_operations::is_set_operation;
use crate::{plans::expressions, time};

/// Gives the values of set operations, VALUES and subqueries common types, and updates the types of
/// the nodes above them.
///
/// # Errors
///
/// Returns an error if a rewritten plan is invalid.
pub(super) fn of_one_type(plan: LogicalPlan) -> Result<LogicalPlan> {
    let (mut is_concerned, mut has_reals) = (false, false);
    plan.apply_with_subqueries(|node| {
        has_reals = has_reals || reals::are_in(node)?;
        is_concerned =
            is_concerned || concerned(node) || expressions::reads(node, super::concerns)?;
        Ok(expressions::until(has_reals))
    })?;
    if !is_concerned && !has_reals {
        return Ok(plan);
    }
    let concerns = |expr: &Expr| super::concerns(expr) || has_reals && reals::is_comparison(expr);
    let settled = |plan| settled(plan, concerns);
    let (plan, is_changed) = settled(plan)?;
    let is_outer = |expr: &Expr| matches!(expr, Expr::OuterReferenceColumn(..));
    match is_changed && expressions::has(&plan, is_outer)? {
        true => Ok(settled(with_outer_types(plan, &[])?)?.0),
        false => Ok(plan),
    }
}

/// Rewrites a plan from the inside out, because a node depends on the types of its inputs. Returns
/// whether anything changed.
fn settled(plan: LogicalPlan, concerns: impl Fn(&Expr) -> bool) -> Result<(LogicalPlan, bool)> {
    let mut is_changed = false;
    let plan = plan.transform_up_with_subqueries(|node| {
        let node = expressions::of_node(node, &concerns, super::met)?;
        is_changed |= node.transformed;
        let node = match node.data {
            node if concerned(&node) => {
                is_changed = true;
                match node {
                    LogicalPlan::Union(union) => of_union(union)?,
                    LogicalPlan::Join(join) => of_join(join)?,
                    LogicalPlan::Values(values) => LogicalPlan::Values(of_values(values)?),
                    node => node,
                }
            }
            // The types of the inputs may have changed.
            node if is_changed => node.recompute_schema()?,
            node => node,
        };
        Ok(Transformed::new_transformed(node, is_changed))
    });
    Ok((plan.data()?, is_changed))
}

/// Returns whether a node has values of different types in one column.
fn concerned(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Values(values) => meetings(values).iter().any(Option::is_some),
        // The types of the union itself are those that its first part had.
        LogicalPlan::Union(union) => {
            let parts = union.inputs.iter().map(|input| input.schema());
            differ(parts.chain([&union.schema]))
        }
        LogicalPlan::Join(join) if is_set_operation(join) => {
            differ([&join.left, &join.right].map(|part| part.schema()))
        }
        _ => false,
    }
}

/// Returns whether the schemas have columns of different types in one place.
fn differ<'a>(schemas: impl IntoIterator<Item = &'a DFSchemaRef>) -> bool {
    let types = |schema: &'a DFSchemaRef| schema.fields().iter().map(|field| field.data_type());
    let mut schemas = schemas.into_iter();
    let first = schemas.next();
    first.is_some_and(|first| schemas.any(|schema| !types(schema).eq(types(first))))
}

fn of_union(union: Union) -> Result<LogicalPlan> {
    let inputs = common(union.inputs)?;
    // If there is no common type, the engine reports the error.
    let schema = match coerce_union_schema(&inputs) {
        Ok(schema) => Arc::new(schema),
        Err(_) => union.schema,
    };
    Ok(LogicalPlan::Union(Union { inputs, schema }))
}

fn of_join(mut join: Join) -> Result<LogicalPlan> {
    let (left, is_distinct) = match join.left.as_ref() {
        LogicalPlan::Distinct(Distinct::All(input)) => (Arc::clone(input), true),
        _ => (Arc::clone(&join.left), false),
    };
    if let [left, right] = common(vec![left, Arc::clone(&join.right)])?.as_slice() {
        let left = with_types_of_results(left, right)?;
        join.left = match is_distinct {
            true => Arc::new(LogicalPlan::Distinct(Distinct::All(left))),
            false => left,
        };
        join.right = Arc::clone(right);
    }
    LogicalPlan::Join(join).recompute_schema()
}

/// Returns the left side of INTERSECT or EXCEPT with the types of the result: the engine returns the
/// types of the left side, so that a date beside timestamps stays one, and NULLs become texts.
///
/// Decimals and texts keep the types that they have: the type of the result would show other digits.
fn with_types_of_results(
    left: &Arc<LogicalPlan>,
    right: &Arc<LogicalPlan>,
) -> Result<Arc<LogicalPlan>> {
    let mut left = Arc::clone(left);
    // If there is no common type, the engine reports the error.
    let Ok(schema) = coerce_union_schema(&[Arc::clone(&left), Arc::clone(right)]) else {
        return Ok(left);
    };
    for (column, field) in schema.fields().iter().enumerate() {
        let own = left.schema().fields().get(column);
        let Some(own) = own.map(|own| own.data_type().clone()) else {
            continue;
        };
        let target = field.data_type();
        let target = time::in_microseconds(target).unwrap_or_else(|| target.clone());
        let keeps_own = own == target || target.is_decimal() || target.is_string();
        if keeps_own {
            continue;
        }
        let typed = |own: &Expr| Some(cast(own.clone(), target.clone()));
        if let Some(typed) = changed(&left, column, typed)? {
            left = Arc::new(typed);
        }
    }
    Ok(left)
}

/// Returns the inputs of a set operation, with columns of one type where decimals meet
/// floating-point numbers.
fn common(mut inputs: Vec<Arc<LogicalPlan>>) -> Result<Vec<Arc<LogicalPlan>>> {
    let width = inputs
        .first()
        .map_or(0, |input| input.schema().fields().len());
    for column in 0..width {
        let kinds: Vec<Kind> = inputs.iter().map(|input| kind(input, column)).collect();
        let Some(meeting) = Meeting::of(&kinds) else {
            continue;
        };
        for (input, kind) in inputs.iter_mut().zip(kinds) {
            if let Some(changed) = changed(input, column, |own| meeting.of_operand(own, &kind))? {
                *input = Arc::new(changed);
            }
        }
    }
    Ok(inputs)
}

/// Returns, for each column of VALUES, the type that it gets because decimals meet floating-point
/// numbers or number literals; `None` if they do not.
fn meetings(values: &Values) -> Vec<Option<DataType>> {
    let columns = values.schema.fields().iter().enumerate();
    let columns = columns.map(|(column, field)| {
        if !field.data_type().is_decimal() {
            return None;
        }
        let cells = || values.values.iter().filter_map(move |row| row.get(column));
        let kinds = cells().map(|cell| kind_of_cell(cell, field.data_type()));
        let kinds: Vec<Kind> = kinds.collect();
        match Meeting::of(&kinds)? {
            Meeting::Floats => Some(DataType::Float64),
            Meeting::Decimals => {
                let types = cells().zip(&kinds);
                let types = types.filter_map(|(cell, kind)| type_of_cell(cell, field, kind));
                widest(types)
            }
        }
    });
    columns.collect()
}

fn kind_of_cell(cell: &Expr, of_column: &DataType) -> Kind {
    Kind::of(uncast(cell, of_column), &DFSchema::empty())
}

/// Returns the type that a cell of VALUES has by itself; `None` for NULL.
fn type_of_cell(cell: &Expr, field: &Field, kind: &Kind) -> Option<DataType> {
    match (kind, uncast(cell, field.data_type())) {
        (Kind::Written(number), _) => Some(number.data_type()),
        (_, Expr::Literal(value, _)) if value.is_null() => None,
        (_, own) => own.get_type(&DFSchema::empty()).ok(),
    }
}

/// Returns the decimal that has room for values of all these types; `None` if there is none.
fn widest(types: impl Iterator<Item = DataType>) -> Option<DataType> {
    let mut types = types.filter(|data_type| *data_type != DataType::Null);
    let first = types.next()?;
    let widest = types.try_fold(first, |widest, next| {
        if widest == next {
            return Some(widest);
        }
        type_union_resolution(&[widest, next])
    });
    widest.filter(DataType::is_decimal)
}

/// Returns a cell of VALUES without the cast to the column's type that was added when the statement
/// was read. A user's own cast to that type may be one of a text, which stays.
fn uncast<'a>(cell: &'a Expr, data_type: &DataType) -> &'a Expr {
    match cell {
        Expr::Cast(Cast { expr, field }) if field.data_type() == data_type => {
            match expr.get_type(&DFSchema::empty()) {
                Ok(own) if own.is_numeric() => expr,
                _ => cell,
            }
        }
        cell => cell,
    }
}

fn of_values(values: Values) -> Result<Values> {
    let meetings = meetings(&values);
    if meetings.iter().all(Option::is_none) {
        return Ok(values);
    }
    let columns = values.schema.iter().zip(&meetings);
    let columns = columns.map(|((relation, field), meeting)| match meeting {
        Some(data_type) => {
            let field = field.as_ref().clone().with_data_type(data_type.clone());
            (relation.cloned(), Arc::new(field))
        }
        None => (relation.cloned(), Arc::clone(field)),
    });
    let schema =
        DFSchema::new_with_metadata(columns.collect(), values.schema.as_ref().metadata().clone())?;
    let rows = values.values.into_iter().map(|row| {
        let cells = row.into_iter().zip(&meetings).zip(values.schema.fields());
        let cells = cells.map(|((cell, meeting), field)| match meeting {
            Some(data_type) => cell_of_type(&cell, field.data_type(), data_type),
            None => cell,
        });
        cells.collect()
    });
    Ok(Values {
        values: rows.collect(),
        schema: Arc::new(schema),
    })
}

/// Returns a cell of VALUES as a value of a type that its column gets.
fn cell_of_type(cell: &Expr, of_column: &DataType, data_type: &DataType) -> Expr {
    let own = match kind_of_cell(cell, of_column) {
        Kind::Written(number) if data_type.is_decimal() => Expr::Literal(number, None),
        _ => uncast(cell, of_column).clone(),
    };
    match own.get_type(&DFSchema::empty()) {
        Ok(of) if of == *data_type => own,
        _ => cast(own, data_type.clone()),
    }
}

/// Gives both sides of `expr IN (subquery)` one type: changes `expr`, and returns the new subquery.
/// `None` if nothing changes.
pub(super) fn compared(
    expr: &mut Expr,
    subquery: &Arc<LogicalPlan>,
    schema: &DFSchema,
) -> Option<Arc<LogicalPlan>> {
    let as_it_is = || Arc::clone(subquery);
    let first = subquery.schema().fields().first()?;
    let sides = [Side::of(expr, schema), Side::of_type(first.data_type())];
    if Side::meet(sides.into_iter()) {
        let double = |expr: &Expr| Some(cast(expr.clone(), DataType::Float64));
        if sides.first() == Some(&Side::Real) {
            *expr = cast(std::mem::take(expr), DataType::Float64);
            return Some(as_it_is());
        }
        return changed(subquery, 0, double).ok()?.map(Arc::new);
    }
    let kinds = [Kind::of(expr, schema), kind(subquery, 0)];
    let meeting = Meeting::of(&kinds)?;
    let [operand, column] = kinds;
    if let Some(operand) = meeting.of_operand(expr, &operand) {
        *expr = operand;
    }
    let changed = changed(subquery, 0, |own| meeting.of_operand(own, &column)).ok()?;
    Some(changed.map_or_else(as_it_is, Arc::new))
}

/// Returns the kind of a relation's column.
fn kind(plan: &LogicalPlan, column: usize) -> Kind {
    let Some(field) = plan.schema().fields().get(column) else {
        return Kind::Other;
    };
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.get(column) {
            Some(expr) => Kind::of(expr, projection.input.schema()),
            None => Kind::Other,
        },
        LogicalPlan::SubqueryAlias(alias) => kind(&alias.input, column),
        LogicalPlan::Filter(filter) => kind(&filter.input, column),
        LogicalPlan::Sort(sort) => kind(&sort.input, column),
        LogicalPlan::Limit(limit) => kind(&limit.input, column),
        LogicalPlan::Distinct(Distinct::All(input)) => kind(input, column),
        LogicalPlan::Union(union) => {
            let mut kinds = union.inputs.iter().map(|input| kind(input, column));
            match kinds.all(|kind| matches!(kind, Kind::Written(_) | Kind::Other)) {
                true => Kind::Other,
                false => of_type(field.data_type()),
            }
        }
        LogicalPlan::Values(values) => {
            let mut cells = values.values.iter().filter_map(|row| row.get(column));
            match cells.all(super::is_written) {
                true => Kind::Other,
                false => of_type(field.data_type()),
            }
        }
        _ => of_type(field.data_type()),
    }
}

fn of_type(data_type: &DataType) -> Kind {
    match data_type {
        data_type if data_type.is_decimal() => Kind::Decimal,
        data_type if data_type.is_floating() => Kind::Float,
        _ => Kind::Other,
    }
}

/// Returns a relation with one column changed by `change`, under its old name; `None` if nothing
/// changes.
fn changed(
    plan: &Arc<LogicalPlan>,
    column: usize,
    change: impl Fn(&Expr) -> Option<Expr>,
) -> Result<Option<LogicalPlan>> {
    let columns = plan.schema().iter().enumerate();
    let mut is_changed = false;
    let columns = columns.map(|(at, (relation, field))| {
        let own = Expr::from((relation, field));
        match (at == column).then(|| change(&own)).flatten() {
            Some(changed) => {
                is_changed = true;
                changed.alias_qualified(relation.cloned(), field.name())
            }
            None => own,
        }
    });
    let columns: Vec<Expr> = columns.collect();
    if !is_changed {
        return Ok(None);
    }
    let plan = LogicalPlanBuilder::from(LogicalPlan::clone(plan)).project(columns)?;
    plan.build().map(Some)
}

/// Updates the types of outer columns, which keep the type that they had when the statement was
/// read. `outer` has the schemas of the outer queries, the innermost last.
fn with_outer_types(plan: LogicalPlan, outer: &[DFSchemaRef]) -> Result<LogicalPlan> {
    let beside = |outer: &[DFSchemaRef], schema: DFSchemaRef| {
        let mut outer = outer.to_vec();
        outer.push(schema);
        outer
    };
    let plan = match plan {
        // The right side of a LATERAL join reads the columns of the left side.
        LogicalPlan::Join(mut join) => {
            let left = with_outer_types(Arc::unwrap_or_clone(join.left), outer)?;
            let outer = beside(outer, Arc::clone(left.schema()));
            join.left = Arc::new(left);
            join.right = Arc::new(with_outer_types(Arc::unwrap_or_clone(join.right), &outer)?);
            LogicalPlan::Join(join)
        }
        plan => {
            let inputs =
                plan.map_children(|input| with_outer_types(input, outer).map(Transformed::yes));
            inputs.data()?
        }
    };
    let inner = beside(outer, Arc::new(merge_schema(&plan.inputs())));
    let within = |subquery: Subquery| -> Result<Subquery> {
        let plan = with_outer_types(Arc::unwrap_or_clone(subquery.subquery), &inner)?;
        Ok(Subquery {
            subquery: Arc::new(plan),
            ..subquery
        })
    };
    let plan = plan.map_expressions(|expr| {
        expr.transform_down(|expr| {
            Ok(Transformed::yes(match expr {
                Expr::OuterReferenceColumn(field, column) => {
                    let is_of =
                        |schema: &&DFSchemaRef| schema.maybe_index_of_column(&column).is_some();
                    let of = outer.iter().rev().find(is_of);
                    let found = of.and_then(|schema| schema.field_from_column(&column).ok());
                    Expr::OuterReferenceColumn(found.cloned().unwrap_or(field), column)
                }
                Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(within(subquery)?),
                Expr::Exists(mut exists) => {
                    exists.subquery = within(exists.subquery)?;
                    Expr::Exists(exists)
                }
                Expr::InSubquery(mut membership) => {
                    membership.subquery = within(membership.subquery)?;
                    Expr::InSubquery(membership)
                }
                Expr::SetComparison(mut comparison) => {
                    comparison.subquery = within(comparison.subquery)?;
                    Expr::SetComparison(comparison)
                }
                expr => expr,
            }))
        })
    });
    plan.data()?.recompute_schema()
}
