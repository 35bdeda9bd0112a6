//! Finds the sort that decides the order of an operator's input, and carries its keys up to there.
//!
//! The order passes projections, aliases of relations, filters, limits, views, windows without keys,
//! and set-returning functions ([`sets`]). A key that is not a column of the sort's input is computed once below the sort, so that a
//! volatile key has one value for each row. A projection that leaves out a key gets a hidden column
//! for it.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Distinct, DistinctOn, Expr, LogicalPlan, Projection, Sort, SortExpr, SubqueryAlias, Window,
};

use super::{has, sets};
use crate::barrier::view_of;
use crate::plans::expressions::without_alias;

/// A plan whose rows have an order.
pub(super) struct Ordered {
    /// The plan, with the keys among its columns.
    pub(super) plan: LogicalPlan,
    /// The order, by columns of the plan. Not empty.
    pub(super) keys: Vec<SortExpr>,
}

/// Makes names of hidden columns, which differ within a plan.
#[derive(Debug, Default)]
pub(super) struct HiddenNames(usize);

impl HiddenNames {
    pub(super) fn next(&mut self) -> String {
        self.0 += 1;
        format!("{HIDDEN}{}", self.0)
    }
}

/// What the names of hidden columns begin with.
const HIDDEN: &str = "__order_";

/// Returns whether a column only carries the order of its rows, by its name.
pub fn is_hidden_order(name: &str) -> bool {
    let number = name.strip_prefix(HIDDEN);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Returns the plan with the keys of its order; `None` if no order is known.
///
/// # Errors
///
/// Returns an error if the plan cannot get the hidden columns.
pub(super) fn of(plan: &LogicalPlan, names: &mut HiddenNames) -> Result<Option<Ordered>> {
    match plan {
        LogicalPlan::Sort(sort) => of_sort(sort, names),
        LogicalPlan::Distinct(Distinct::On(distinct)) => of_distinct(distinct, names),
        LogicalPlan::Projection(list) => of_projection(list, names),
        LogicalPlan::SubqueryAlias(alias) => of_alias(alias, names),
        LogicalPlan::Unnest(unnest) => sets::of(unnest, names),
        LogicalPlan::Filter(filter) => above(plan, &filter.input, names),
        LogicalPlan::Limit(limit) => above(plan, &limit.input, names),
        LogicalPlan::Window(window) => match above(plan, &window.input, names)? {
            Some(above) if keeps_order(window, &above.keys) => Ok(Some(above)),
            _ => Ok(None),
        },
        LogicalPlan::Extension(_) if view_of(plan).is_some() => match plan.inputs().as_slice() {
            [input] => above(plan, input, names),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Returns an operator above its ordered input, whose columns it has unchanged.
fn above(
    plan: &LogicalPlan,
    input: &LogicalPlan,
    names: &mut HiddenNames,
) -> Result<Option<Ordered>> {
    let Some(below) = of(input, names)? else {
        return Ok(None);
    };
    Ok(Some(Ordered {
        plan: plan.with_new_exprs(plan.expressions(), vec![below.plan])?,
        keys: below.keys,
    }))
}

/// Returns whether a window returns its rows in the order of its input.
fn keeps_order(window: &Window, keys: &[SortExpr]) -> bool {
    window.window_expr.iter().all(|expr| {
        let Expr::WindowFunction(call) = without_alias(expr) else {
            return false;
        };
        let WindowFunction { params, .. } = call.as_ref();
        params.partition_by.is_empty() && (params.order_by.is_empty() || params.order_by == keys)
    })
}

fn of_sort(sort: &Sort, names: &mut HiddenNames) -> Result<Option<Ordered>> {
    let mut computed = Vec::new();
    let mut keys = Vec::with_capacity(sort.expr.len());
    for key in &sort.expr {
        keys.push(match &key.expr {
            Expr::Column(_) => key.clone(),
            // The same for all rows.
            Expr::Literal(..) | Expr::OuterReferenceColumn(..) => continue,
            expr => {
                let name = names.next();
                computed.push(expr.clone().unalias().alias(&name));
                key.with_expr(Expr::Column(Column::new_unqualified(name)))
            }
        });
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let mut input = Arc::clone(&sort.input);
    if !computed.is_empty() {
        let columns = input.schema().iter().map(Expr::from);
        let columns = columns.chain(computed).collect();
        input = Arc::new(LogicalPlan::Projection(Projection::try_new(
            columns, input,
        )?));
    }
    let sort = Sort {
        expr: keys.clone(),
        input,
        fetch: sort.fetch,
    };
    Ok(Some(Ordered {
        plan: LogicalPlan::Sort(sort),
        keys,
    }))
}

/// The keys of the first row of each group are its place in the order.
fn of_distinct(distinct: &DistinctOn, names: &mut HiddenNames) -> Result<Option<Ordered>> {
    let Some(order) = &distinct.sort_expr else {
        return Ok(None);
    };
    let mut exprs = distinct.select_expr.clone();
    let mut keys = Vec::with_capacity(order.len());
    for key in order {
        let name = names.next();
        exprs.push(key.expr.clone().unalias().alias(&name));
        keys.push(key.with_expr(Expr::Column(Column::new_unqualified(name))));
    }
    let distinct = DistinctOn::try_new(
        distinct.on_expr.clone(),
        exprs,
        Some(order.clone()),
        Arc::clone(&distinct.input),
    )?;
    Ok(Some(Ordered {
        plan: LogicalPlan::Distinct(Distinct::On(distinct)),
        keys,
    }))
}

fn of_projection(list: &Projection, names: &mut HiddenNames) -> Result<Option<Ordered>> {
    // It makes several rows of one.
    if has(&list.expr, |part| matches!(part, Expr::Unnest(_)))? {
        return Ok(None);
    }
    let Some(below) = of(&list.input, names)? else {
        return Ok(None);
    };
    let schema = below.plan.schema();
    let mut exprs = list.expr.clone();
    let mut keys = Vec::with_capacity(below.keys.len());
    for key in &below.keys {
        let Some(place) = place_of(&key.expr, &below.plan) else {
            return Ok(None);
        };
        let is_key = |expr: &Expr| place_of(without_alias(expr), &below.plan) == Some(place);
        keys.push(match list.expr.iter().position(is_key) {
            Some(shown) => key.with_expr(Expr::from(list.schema.qualified_field(shown))),
            None => {
                let name = names.next();
                let column = Expr::from(schema.qualified_field(place));
                exprs.push(column.alias(&name));
                key.with_expr(Expr::Column(Column::new_unqualified(name)))
            }
        });
    }
    let list = Projection::try_new(exprs, Arc::new(below.plan))?;
    Ok(Some(Ordered {
        plan: LogicalPlan::Projection(list),
        keys,
    }))
}

fn of_alias(alias: &SubqueryAlias, names: &mut HiddenNames) -> Result<Option<Ordered>> {
    let Some(below) = of(&alias.input, names)? else {
        return Ok(None);
    };
    let places = below.keys.iter();
    let places = places.map(|key| place_of(&key.expr, &below.plan));
    let Some(places) = places.collect::<Option<Vec<usize>>>() else {
        return Ok(None);
    };
    let alias = SubqueryAlias::try_new(Arc::new(below.plan), alias.alias.clone())?;
    let keys = below.keys.iter().zip(places);
    let keys = keys
        .map(|(key, place)| key.with_expr(Expr::from(alias.schema.qualified_field(place))))
        .collect();
    Ok(Some(Ordered {
        plan: LogicalPlan::SubqueryAlias(alias),
        keys,
    }))
}

/// Returns the place of a column among those of a plan; `None` for other expressions.
fn place_of(expr: &Expr, plan: &LogicalPlan) -> Option<usize> {
    match expr {
        Expr::Column(column) => plan.schema().maybe_index_of_column(column),
        _ => None,
    }
}
