//! A text literal in a set operation takes the type of the other parts' columns in PostgreSQL. The
//! engine makes the columns texts, which are ordered otherwise, and equal to others.
//!
//! ```text
//! SELECT number FROM t UNION ALL SELECT '7'    … UNION ALL SELECT CAST('7' AS bigint)
//! SELECT '07' EXCEPT SELECT number FROM t      SELECT CAST('07' AS bigint) EXCEPT …
//! ```
//!
//! Bytes and texts of other kinds have no common type in PostgreSQL.
//!
//! An analyzer rule that runs before type coercion. Where constants are beside constants, the dialect
//! gives them types earlier; see [`untyped_texts`].

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, Projection, Union, cast, lit};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

use crate::joins::set_operations::is_set_operation;
use crate::{plans::expressions, types::untyped_texts};

/// The analyzer rule. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct UntypedColumns;

impl AnalyzerRule for UntypedColumns {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut is_concerned = false;
        plan.apply_with_subqueries(|node| {
            match node {
                LogicalPlan::Union(union) => {
                    is_concerned |= !meetings(union).is_empty();
                    refuse_bytes_beside_texts(union)?;
                }
                LogicalPlan::Join(join) => is_concerned |= !literal_keys(join).is_empty(),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !is_concerned {
            return Ok(plan);
        }
        let zone: Arc<str> = config
            .execution
            .time_zone
            .as_deref()
            .unwrap_or("UTC")
            .into();
        let keep = |expr: Expr, _: &DFSchema| Ok(Transformed::no(expr));
        expressions::retyped(plan, &keep, &|node: &LogicalPlan| match node {
            LogicalPlan::Union(union) => of_one_type(union, &zone),
            LogicalPlan::Join(join) => sides_of_one_type(join, &zone),
            _ => Ok(None),
        })
    }

    fn name(&self) -> &str {
        "untyped_columns"
    }
}

/// Refuses bytes in a column of texts, of which the engine makes the bytes of their characters.
fn refuse_bytes_beside_texts(union: &Union) -> Result<()> {
    for place in 0..union.schema.fields().len() {
        let (mut has_bytes, mut has_texts) = (false, false);
        for input in &union.inputs {
            let of = input.schema().fields().get(place).map(|of| of.data_type());
            has_bytes |= of.is_some_and(DataType::is_binary);
            // A literal is a value of the other parts' type.
            has_texts |= of.is_some_and(DataType::is_string) && literal(input, place).is_none();
        }
        if has_bytes && has_texts {
            let message = "UNION types bytea and text cannot be matched";
            return Err(Error::new(Code::TypeMismatch, message).into());
        }
    }
    Ok(())
}

/// Returns the places of columns that are text literals in some parts and have a type in others,
/// with that type.
fn meetings(union: &Union) -> Vec<(usize, DataType)> {
    let width = union.schema.fields().len();
    let meeting = |place: &usize| {
        let mut found = None;
        let mut has_literal = false;
        for input in &union.inputs {
            if literal(input, *place).is_some() {
                has_literal = true;
                continue;
            }
            match input.schema().fields().get(*place)?.data_type() {
                DataType::Null => {}
                of if of.is_string() => return None,
                of => found = found.or_else(|| Some(of.clone())),
            }
        }
        found.filter(|_| has_literal)
    };
    let meetings = (0..width).filter_map(|place| Some((place, meeting(&place)?)));
    meetings.collect()
}

/// Returns the text literal that a column of a relation is.
fn literal(input: &LogicalPlan, place: usize) -> Option<&str> {
    let LogicalPlan::Projection(projection) = input else {
        return None;
    };
    match expressions::without_alias(projection.expr.get(place)?) {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Returns the union with the literals as values of the other parts' types; `None` if nothing
/// changes.
fn of_one_type(union: &Union, zone: &Arc<str>) -> Result<Option<LogicalPlan>> {
    let mut inputs = union.inputs.clone();
    let mut is_changed = is_stale(union);
    for (place, data_type) in meetings(union) {
        for input in &mut inputs {
            if let Some(typed) = typed(input, place, &data_type, zone)? {
                *input = Arc::new(typed);
                is_changed = true;
            }
        }
    }
    if !is_changed {
        return Ok(None);
    }
    let union = Union::try_new_with_loose_types(inputs)?;
    Ok(Some(LogicalPlan::Union(union)))
}

/// Returns the columns of INTERSECT or EXCEPT that are a text literal on one side only: the place,
/// whether the literal is on the left, and the type of the other side, which is not a text.
fn literal_keys(join: &Join) -> Vec<(usize, bool, DataType)> {
    if !is_set_operation(join) {
        return Vec::new();
    }
    let of_type = |side: &LogicalPlan, place: usize| {
        let of = side.schema().fields().get(place)?.data_type();
        (!of.is_string() && !of.is_null()).then(|| of.clone())
    };
    let key = |place: usize| {
        let on_left = literal_of_side(&join.left, place).is_some();
        let on_right = literal_of_side(&join.right, place).is_some();
        match (on_left, on_right) {
            (true, false) => Some((place, true, of_type(&join.right, place)?)),
            (false, true) => Some((place, false, of_type(&join.left, place)?)),
            _ => None,
        }
    };
    (0..join.on.len()).filter_map(key).collect()
}

/// Returns the text literal that a column of a side of INTERSECT or EXCEPT is. The engine makes the
/// rows of the left side distinct, and renames sides of the same tables.
fn literal_of_side(side: &LogicalPlan, place: usize) -> Option<&str> {
    match side {
        LogicalPlan::Distinct(Distinct::All(input)) => literal_of_side(input, place),
        LogicalPlan::SubqueryAlias(alias) => literal_of_side(&alias.input, place),
        _ => literal(side, place),
    }
}

/// Returns INTERSECT or EXCEPT with the literals as values of the other side's types; `None` if
/// nothing changes.
fn sides_of_one_type(join: &Join, zone: &Arc<str>) -> Result<Option<LogicalPlan>> {
    let mut new = join.clone();
    let mut is_changed = false;
    for (place, is_left, data_type) in literal_keys(join) {
        let side = match is_left {
            true => &mut new.left,
            false => &mut new.right,
        };
        if let Some(typed) = typed_side(side, place, &data_type, zone)? {
            *side = Arc::new(typed);
            is_changed = true;
        }
    }
    match is_changed {
        true => LogicalPlan::Join(new).recompute_schema().map(Some),
        false => Ok(None),
    }
}

/// Does what [`typed`] does for a side of INTERSECT or EXCEPT.
fn typed_side(
    side: &LogicalPlan,
    place: usize,
    data_type: &DataType,
    zone: &Arc<str>,
) -> Result<Option<LogicalPlan>> {
    let input = match side {
        LogicalPlan::Distinct(Distinct::All(input)) => input,
        LogicalPlan::SubqueryAlias(alias) => &alias.input,
        _ => return typed(side, place, data_type, zone),
    };
    match typed_side(input, place, data_type, zone)? {
        Some(input) => side.with_new_exprs(Vec::new(), vec![input]).map(Some),
        None => Ok(None),
    }
}

/// Returns whether the first part had a text where it has a value of a type now: the types of a
/// union are those that its first part had.
fn is_stale(union: &Union) -> bool {
    let Some(first) = union.inputs.first() else {
        return false;
    };
    let mut types = first.schema().fields().iter().zip(union.schema.fields());
    types.any(|(new, old)| {
        let (new, old) = (new.data_type(), old.data_type());
        old.is_string() && !new.is_string() && *new != DataType::Null
    })
}

/// Returns a relation with a text literal as a value of a type; `None` if the column is none, or the
/// text has no such form.
fn typed(
    input: &LogicalPlan,
    place: usize,
    data_type: &DataType,
    zone: &Arc<str>,
) -> Result<Option<LogicalPlan>> {
    let (LogicalPlan::Projection(projection), Some(text)) = (input, literal(input, place)) else {
        return Ok(None);
    };
    let value = match untyped_texts::literal(text, data_type, Some(zone)) {
        Some(value) => value,
        // Fails with the error of the cast.
        None if data_type.is_numeric() => cast(lit(text), data_type.clone()),
        None => return Ok(None),
    };
    let mut exprs = projection.expr.clone();
    if let Some(expr) = exprs.get_mut(place) {
        *expr = match std::mem::take(expr) {
            Expr::Alias(Alias { relation, name, .. }) => value.alias_qualified(relation, name),
            other => value.alias(other.schema_name().to_string()),
        };
    }
    let projection = Projection::try_new(exprs, Arc::clone(&projection.input))?;
    Ok(Some(LogicalPlan::Projection(projection)))
}
