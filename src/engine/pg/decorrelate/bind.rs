//! A subquery's plan over all values of its outer columns at once.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchemaRef, NullEquality, Result, ScalarValue, not_impl_err};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, FetchType, Join, JoinType, Limit, LogicalPlan,
    LogicalPlanBuilder, SkipType, Union, Unnest, WindowFunctionDefinition, lit,
};

/// The distinct values of the outer columns that a subquery reads.
pub struct Domain {
    /// Outer columns, with the names that they have in the domain.
    pub outer: Vec<(Column, String)>,
    plan: LogicalPlan,
    alias: String,
}

impl Domain {
    /// Of those columns of `input` that `subquery` reads.
    pub fn of(subquery: &LogicalPlan, input: &LogicalPlan, number: usize) -> Result<Self> {
        let mut outer: Vec<(Column, String)> = Vec::new();
        for expr in subquery.all_out_ref_exprs() {
            if let Expr::OuterReferenceColumn(_, column) = expr
                && input.schema().has_column(&column)
                && !outer.iter().any(|(known, _)| *known == column)
            {
                let name = format!("__outer_{number}_{}", outer.len());
                outer.push((column, name));
            }
        }
        let columns: Vec<Expr> = outer
            .iter()
            .map(|(column, name)| Expr::Column(column.clone()).alias(name.clone()))
            .collect();
        let plan = match outer.is_empty() {
            true => input.clone(),
            false => LogicalPlanBuilder::from(input.clone())
                .project(columns)?
                .distinct()?
                .build()?,
        };
        Ok(Self {
            outer,
            plan,
            alias: format!("__domain_{number}"),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.outer.is_empty()
    }
}

/// A plan over its domain.
pub struct Bound {
    pub plan: LogicalPlan,
    /// Where the domain's columns are now.
    pub columns: Vec<Column>,
    /// The index of the plan's first own column.
    pub first: usize,
}

pub struct Binder<'a> {
    domain: &'a Domain,
    copies: usize,
}

impl<'a> Binder<'a> {
    pub fn new(domain: &'a Domain) -> Self {
        Self { domain, copies: 0 }
    }

    /// The domain once more, and its columns.
    fn copy(&mut self) -> Result<(LogicalPlan, Vec<Column>)> {
        self.copies += 1;
        let alias = format!("{}_{}", self.domain.alias, self.copies);
        let plan = LogicalPlanBuilder::from(self.domain.plan.clone())
            .alias(alias.as_str())?
            .build()?;
        let columns = self
            .domain
            .outer
            .iter()
            .map(|(_, name)| Column::new(Some(alias.as_str()), name))
            .collect();
        Ok((plan, columns))
    }

    fn reads_domain(&self, plan: &LogicalPlan) -> bool {
        plan.all_out_ref_exprs().iter().any(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) => {
                self.domain.outer.iter().any(|(known, _)| known == column)
            }
            _ => false,
        })
    }

    /// An expression over the domain's columns instead of the outer ones; its name stays.
    fn expr(&self, expr: Expr, columns: &[Column]) -> Result<Expr> {
        if !expr.contains_outer() {
            return Ok(expr);
        }
        let name = expr.schema_name().to_string();
        let bound = self.unnamed(expr, columns)?;
        Ok(if bound.schema_name().to_string() == name {
            bound
        } else {
            bound.alias(name)
        })
    }

    fn unnamed(&self, expr: Expr, columns: &[Column]) -> Result<Expr> {
        expr.transform_up(|expr| {
            let place = match &expr {
                Expr::OuterReferenceColumn(_, column) => self
                    .domain
                    .outer
                    .iter()
                    .position(|(known, _)| known == column),
                _ => None,
            };
            Ok(match place.and_then(|place| columns.get(place)) {
                Some(column) => Transformed::yes(Expr::Column(column.clone())),
                None => Transformed::no(expr),
            })
        })
        .data()
    }
}

fn refs(columns: &[Column]) -> impl Iterator<Item = Expr> + '_ {
    columns.iter().cloned().map(Expr::Column)
}

/// `plan` for each value of the domain, whose columns come with it.
///
/// Errors: the plan holds outer columns where they cannot be bound, such as a window's input or a recursive query.
pub fn bind(binder: &mut Binder<'_>, plan: LogicalPlan) -> Result<Bound> {
    if !binder.reads_domain(&plan) {
        let (domain, columns) = binder.copy()?;
        let first = columns.len();
        let plan = LogicalPlanBuilder::from(domain).cross_join(plan)?.build()?;
        return Ok(Bound {
            plan,
            columns,
            first,
        });
    }
    match plan {
        LogicalPlan::Filter(filter) => {
            let input = bind(binder, Arc::unwrap_or_clone(filter.input))?;
            let predicate = binder.unnamed(filter.predicate, &input.columns)?;
            let plan = LogicalPlanBuilder::from(input.plan)
                .filter(predicate)?
                .build()?;
            Ok(Bound { plan, ..input })
        }
        LogicalPlan::Projection(projection) => {
            let input = bind(binder, Arc::unwrap_or_clone(projection.input))?;
            let mut exprs: Vec<Expr> = refs(&input.columns).collect();
            for expr in projection.expr {
                exprs.push(binder.expr(expr, &input.columns)?);
            }
            let first = input.columns.len();
            let plan = LogicalPlanBuilder::from(input.plan)
                .project(exprs)?
                .build()?;
            Ok(Bound {
                plan,
                columns: input.columns,
                first,
            })
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = bind(binder, Arc::unwrap_or_clone(alias.input))?;
            let columns = input
                .columns
                .iter()
                .map(|column| Column::new(Some(alias.alias.clone()), &column.name))
                .collect();
            let plan = LogicalPlanBuilder::from(input.plan)
                .alias(alias.alias)?
                .build()?;
            Ok(Bound {
                plan,
                columns,
                first: input.first,
            })
        }
        // A LATERAL item that reads no table beside it.
        LogicalPlan::Subquery(subquery) => bind(binder, Arc::unwrap_or_clone(subquery.subquery)),
        LogicalPlan::Aggregate(aggregate) => bind_aggregate(binder, aggregate),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            let mut input = bind(binder, Arc::unwrap_or_clone(sort.input))?;
            let mut keys = sort.expr;
            for key in &mut keys {
                key.expr = binder.unnamed(key.expr.clone(), &input.columns)?;
            }
            input.plan = LogicalPlanBuilder::from(input.plan).sort(keys)?.build()?;
            Ok(input)
        }
        LogicalPlan::Limit(limit) => bind_limit(binder, limit),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let mut input = bind(binder, Arc::unwrap_or_clone(input))?;
            input.plan = LogicalPlanBuilder::from(input.plan).distinct()?.build()?;
            Ok(input)
        }
        LogicalPlan::Join(join) => bind_join(binder, join),
        LogicalPlan::Union(union) => bind_union(binder, union),
        LogicalPlan::Unnest(unnest) => bind_unnest(binder, unnest),
        other => not_impl_err!(
            "a correlated subquery is not supported here: {}",
            other.display()
        ),
    }
}

fn bind_aggregate(binder: &mut Binder<'_>, aggregate: Aggregate) -> Result<Bound> {
    let whole = aggregate.group_expr.is_empty();
    let own: Vec<Column> = aggregate.schema.columns();
    let counts: Vec<bool> = aggregate.aggr_expr.iter().map(is_count).collect();
    let input = bind(binder, Arc::unwrap_or_clone(aggregate.input))?;
    let mut groups: Vec<Expr> = refs(&input.columns).collect();
    for expr in aggregate.group_expr {
        groups.push(binder.expr(expr, &input.columns)?);
    }
    let aggregates: Vec<Expr> = aggregate
        .aggr_expr
        .into_iter()
        .map(|expr| binder.expr(expr, &input.columns))
        .collect::<Result<_>>()?;
    let grouped = LogicalPlanBuilder::from(input.plan)
        .aggregate(groups, aggregates)?
        .build()?;
    if !whole {
        let first = input.columns.len();
        return Ok(Bound {
            plan: grouped,
            columns: input.columns,
            first,
        });
    }
    // An aggregate without groups has a row for a value of the domain that has no rows: NULL, or a count of 0.
    let (domain, columns) = binder.copy()?;
    let keys = (columns.clone(), input.columns);
    let joined = LogicalPlanBuilder::from(domain).join_detailed(
        grouped,
        JoinType::Left,
        keys,
        None,
        NullEquality::NullEqualsNull,
    )?;
    let values = own
        .into_iter()
        .zip(counts)
        .map(|(column, count)| match count {
            true => {
                let name = column.name.clone();
                let value = Expr::Column(column);
                let zero = lit(ScalarValue::Int64(Some(0)));
                datafusion::functions::core::expr_fn::coalesce(vec![value, zero]).alias(name)
            }
            false => Expr::Column(column),
        });
    let first = columns.len();
    let exprs: Vec<Expr> = refs(&columns).chain(values).collect();
    let plan = joined.project(exprs)?.build()?;
    Ok(Bound {
        plan,
        columns,
        first,
    })
}

fn is_count(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_count(&alias.expr),
        Expr::AggregateFunction(function) => function.func.name() == "count",
        _ => false,
    }
}

/// A limit holds for each value of the domain: rows are numbered within it.
fn bind_limit(binder: &mut Binder<'_>, limit: Limit) -> Result<Bound> {
    let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
        (limit.get_skip_type()?, limit.get_fetch_type()?)
    else {
        return not_impl_err!("a correlated subquery with a computed LIMIT is not supported");
    };
    let keys = match limit.input.as_ref() {
        LogicalPlan::Sort(sort) => sort.expr.clone(),
        _ => vec![],
    };
    let input = bind(binder, Arc::unwrap_or_clone(limit.input))?;
    let mut order = keys;
    for key in &mut order {
        key.expr = binder.unnamed(key.expr.clone(), &input.columns)?;
    }
    let function = WindowFunctionDefinition::WindowUDF(row_number_udwf());
    let mut number = Expr::from(WindowFunction::new(function, vec![]))
        .partition_by(refs(&input.columns).collect());
    if !order.is_empty() {
        number = number.order_by(order);
    }
    let number = number.build()?;
    let name = number.schema_name().to_string();
    let all: Vec<Expr> = input
        .plan
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let place = Expr::Column(Column::from_name(name));
    // The rows' numbers are unsigned, and types are settled by now.
    let number_of = |rows: usize| lit(u64::try_from(rows).unwrap_or(u64::MAX));
    let mut kept = place.clone().gt(number_of(skip));
    if let Some(fetch) = fetch {
        kept = kept.and(place.lt_eq(number_of(skip.saturating_add(fetch))));
    }
    let plan = LogicalPlanBuilder::from(input.plan)
        .window([number])?
        .filter(kept)?
        .project(all)?
        .build()?;
    Ok(Bound {
        plan,
        columns: input.columns,
        first: input.first,
    })
}

fn bind_join(binder: &mut Binder<'_>, join: Join) -> Result<Bound> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return not_impl_err!(
            "a correlated subquery over a {} join is not supported",
            join.join_type
        );
    }
    let left = bind(binder, Arc::unwrap_or_clone(join.left))?;
    let right_bound = binder.reads_domain(&join.right);
    let (right, right_columns) = match right_bound {
        true => {
            let right = bind(binder, Arc::unwrap_or_clone(join.right))?;
            (right.plan, right.columns)
        }
        false => (Arc::unwrap_or_clone(join.right), vec![]),
    };
    let on = join.on.into_iter().map(|(left, right)| left.eq(right));
    let mut filters = Vec::new();
    for filter in on.chain(join.filter) {
        filters.push(binder.unnamed(filter, &left.columns)?);
    }
    let filter = filters.into_iter().reduce(Expr::and);
    let keys: (Vec<Column>, Vec<Column>) = match right_bound {
        true => (left.columns.clone(), right_columns),
        false => (vec![], vec![]),
    };
    let builder = LogicalPlanBuilder::from(left.plan);
    let plan = match (keys.0.is_empty(), filter) {
        (true, None) if join.join_type == JoinType::Inner => builder.cross_join(right)?,
        (true, filter) => {
            builder.join_on(right, join.join_type, [filter.unwrap_or_else(|| lit(true))])?
        }
        (false, filter) => builder.join_detailed(
            right,
            join.join_type,
            keys,
            filter,
            NullEquality::NullEqualsNull,
        )?,
    };
    Ok(Bound {
        plan: plan.build()?,
        columns: left.columns,
        first: left.first,
    })
}

fn bind_union(binder: &mut Binder<'_>, union: Union) -> Result<Bound> {
    let names: Vec<String> = binder
        .domain
        .outer
        .iter()
        .map(|(_, name)| name.clone())
        .collect();
    let mut all: Option<LogicalPlanBuilder> = None;
    for input in union.inputs {
        let own = own_columns(input.schema());
        let bound = bind(binder, Arc::unwrap_or_clone(input))?;
        let keys = refs(&bound.columns)
            .zip(&names)
            .map(|(column, name)| column.alias(name.clone()));
        let plan = LogicalPlanBuilder::from(bound.plan)
            .project(keys.chain(own).collect::<Vec<Expr>>())?
            .build()?;
        all = Some(match all {
            Some(all) => all.union(plan)?,
            None => LogicalPlanBuilder::from(plan),
        });
    }
    let Some(all) = all else {
        return not_impl_err!("a union of nothing");
    };
    let columns: Vec<Column> = names.into_iter().map(Column::from_name).collect();
    let first = columns.len();
    Ok(Bound {
        plan: all.build()?,
        columns,
        first,
    })
}

fn own_columns(schema: &DFSchemaRef) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

fn bind_unnest(binder: &mut Binder<'_>, unnest: Unnest) -> Result<Bound> {
    let input = bind(binder, Arc::unwrap_or_clone(unnest.input))?;
    let plan = LogicalPlanBuilder::from(input.plan)
        .unnest_columns_with_options(unnest.exec_columns, unnest.options)?
        .build()?;
    Ok(Bound { plan, ..input })
}
