//! LIMIT, DISTINCT ON and window functions apply to each value of the domain, within which rows are
//! numbered.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::{
    DistinctOn, Expr, ExprFunctionExt, FetchType, Limit, LogicalPlan, LogicalPlanBuilder,
    Projection, SkipType, Sort, SubqueryAlias, Window, WindowFunctionDefinition, cast, lit,
};

use super::bind::{Binder, Bound, bind, own_columns, refs};
use super::{counts, refused};

/// Binds `LIMIT`, together with the order below it.
///
/// # Errors
///
/// Returns an error if the limit is neither a constant nor of parameters, or the input cannot be
/// bound.
pub(super) fn bind_limit(binder: &mut Binder<'_>, limit: Limit) -> Result<Bound> {
    let count = match (limit.get_skip_type()?, limit.get_fetch_type()?) {
        (SkipType::Literal(skip), FetchType::Literal(fetch)) => Count::Known { skip, fetch },
        _ if counts::has_parameter(&limit)? => Count::Asked {
            skip: limit.skip.clone(),
            fetch: limit.fetch.clone(),
        },
        _ => return refused("a correlated subquery with a computed LIMIT is not supported"),
    };
    // A projection or an alias keeps the order and the number of rows.
    match limit.input.as_ref() {
        LogicalPlan::Projection(list) if !list.expr.iter().any(Expr::is_volatile) => {
            let (skip, input) = (limit.skip, Arc::clone(&list.input));
            let below = Limit {
                skip,
                fetch: limit.fetch,
                input,
            };
            let list = Projection::try_new_with_schema(
                list.expr.clone(),
                Arc::new(LogicalPlan::Limit(below)),
                Arc::clone(&list.schema),
            )?;
            return bind(binder, LogicalPlan::Projection(list));
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let (name, input) = (alias.alias.clone(), Arc::clone(&alias.input));
            let below = Limit {
                skip: limit.skip,
                fetch: limit.fetch,
                input,
            };
            let alias = SubqueryAlias::try_new(Arc::new(LogicalPlan::Limit(below)), name)?;
            return bind(binder, LogicalPlan::SubqueryAlias(alias));
        }
        _ => {}
    }
    let (keys, input) = match Arc::unwrap_or_clone(limit.input) {
        LogicalPlan::Sort(Sort {
            expr,
            input,
            fetch: None,
        }) => (expr, Arc::unwrap_or_clone(input)),
        input => (vec![], input),
    };
    let input = bind(binder, input)?;
    let order = bound_keys(binder, keys, &input.columns)?;
    let partition = refs(&input.columns).collect();
    numbered(binder, input, partition, order, count)
}

/// Binds `DISTINCT ON`, which keeps the first row of each group.
///
/// # Errors
///
/// Returns an error if the input cannot be bound.
pub(super) fn bind_distinct_on(binder: &mut Binder<'_>, distinct: DistinctOn) -> Result<Bound> {
    let schema = Arc::clone(&distinct.schema);
    let input = bind(binder, Arc::unwrap_or_clone(distinct.input))?;
    let mut partition: Vec<Expr> = refs(&input.columns).collect();
    for expr in distinct.on_expr {
        partition.push(binder.unnamed(expr, &input.columns)?);
    }
    let order = bound_keys(
        binder,
        distinct.sort_expr.unwrap_or_default(),
        &input.columns,
    )?;
    let count = Count::Known {
        skip: 0,
        fetch: Some(1),
    };
    let first = numbered(binder, input, partition, order, count)?;
    let mut exprs: Vec<Expr> = refs(&first.columns).collect();
    let own = exprs.len();
    for (expr, (relation, field)) in distinct.select_expr.into_iter().zip(schema.iter()) {
        let expr = binder.unnamed(expr, &first.columns)?;
        exprs.push(expr.alias_qualified(relation.cloned(), field.name()));
    }
    let plan = LogicalPlanBuilder::from(first.plan)
        .project(exprs)?
        .build()?;
    Ok(Bound {
        plan,
        columns: first.columns,
        first: own,
    })
}

/// Binds window functions, which see the rows of one value.
///
/// # Errors
///
/// Returns an error if the input cannot be bound.
pub(super) fn bind_window(binder: &mut Binder<'_>, window: Window) -> Result<Bound> {
    let input = bind(binder, Arc::unwrap_or_clone(window.input))?;
    let keys: Vec<Expr> = refs(&input.columns).collect();
    let columns: Vec<Expr> = own_columns(&input.plan);
    let mut all = columns;
    let mut windows = Vec::new();
    for expr in window.window_expr {
        let name = expr.schema_name().to_string();
        let expr = within(binder.unnamed(expr, &input.columns)?, &keys)?;
        let made = Column::from_name(expr.schema_name().to_string());
        all.push(Expr::Column(made).alias(name));
        windows.push(expr);
    }
    let plan = LogicalPlanBuilder::from(input.plan)
        .window(windows)?
        .project(all)?
        .build()?;
    Ok(Bound { plan, ..input })
}

/// Adds keys to the partition of a window function.
fn within(expr: Expr, keys: &[Expr]) -> Result<Expr> {
    match expr {
        Expr::Alias(alias) => {
            let inner = within(*alias.expr, keys)?;
            Ok(inner.alias_qualified(alias.relation, alias.name))
        }
        Expr::WindowFunction(mut call) => {
            let own = std::mem::take(&mut call.params.partition_by);
            call.params.partition_by = keys.iter().cloned().chain(own).collect();
            Ok(Expr::WindowFunction(call))
        }
        _ => refused("a window of something that is no function is not supported here"),
    }
}

fn bound_keys(
    binder: &Binder<'_>,
    keys: Vec<SortExpr>,
    columns: &[Column],
) -> Result<Vec<SortExpr>> {
    let keys = keys.into_iter();
    keys.map(|mut key| {
        key.expr = binder.unnamed(key.expr, columns)?;
        Ok(key)
    })
    .collect()
}

/// Which rows of each partition are kept: at most `fetch`, after `skip`.
enum Count {
    Known {
        skip: usize,
        fetch: Option<usize>,
    },
    /// Parameters are part of it. Such a plan shows the types of columns and never runs: one that
    /// runs has values in their place.
    Asked {
        skip: Option<Box<Expr>>,
        fetch: Option<Box<Expr>>,
    },
}

impl Count {
    /// Returns the condition on the number of a row, which is counted from 1.
    fn keeps(self, place: Expr) -> Expr {
        match self {
            Count::Known { skip, fetch } => {
                // Row numbers are unsigned, and types are coerced already.
                let number = |rows: usize| lit(u64::try_from(rows).unwrap_or(u64::MAX));
                let kept = place.clone().gt(number(skip));
                match fetch {
                    Some(fetch) => kept.and(place.lt_eq(number(skip.saturating_add(fetch)))),
                    None => kept,
                }
            }
            Count::Asked { skip, fetch } => {
                let place = cast(place, DataType::Int64);
                let skip = skip.map_or_else(|| lit(0_i64), |skip| *skip);
                let kept = place.clone().gt(skip.clone());
                match fetch {
                    Some(fetch) => kept.and(place.lt_eq(skip + *fetch)),
                    None => kept,
                }
            }
        }
    }
}

/// Returns the rows of each partition that the count keeps.
fn numbered(
    binder: &mut Binder<'_>,
    input: Bound,
    partition: Vec<Expr>,
    order: Vec<SortExpr>,
    count: Count,
) -> Result<Bound> {
    let function = WindowFunctionDefinition::WindowUDF(row_number_udwf());
    let mut number = Expr::from(WindowFunction::new(function, vec![])).partition_by(partition);
    if !order.is_empty() {
        number = number.order_by(order);
    }
    let name = binder.next("row");
    let all: Vec<Expr> = own_columns(&input.plan);
    let place = Expr::Column(Column::new_unqualified(&name));
    let kept = count.keeps(place);
    let plan = LogicalPlanBuilder::from(input.plan)
        .window([number.build()?.alias(name)])?
        .filter(kept)?
        .project(all)?
        .build()?;
    Ok(Bound {
        plan,
        columns: input.columns,
        first: input.first,
    })
}
