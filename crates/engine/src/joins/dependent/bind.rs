//! The plan of a subquery for all values of its outer columns at once.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, NullEquality, Result, TableReference};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Distinct, Expr, ExprSchemable, Filter, JoinType, LogicalPlan,
    LogicalPlanBuilder, Operator, Union, Unnest, Values,
};

use super::domain::Domain;
use super::{grouping_sets, numbered, outer_columns, refused, single_value};
use crate::plans::expressions;
use crate::shared::{once, rows_of_once};

/// A plan that is bound to its domain.
#[derive(Clone)]
pub(super) struct Bound {
    pub plan: LogicalPlan,
    /// The domain's columns in the plan.
    pub columns: Vec<Column>,
    /// The index of the plan's first own column.
    pub first: usize,
}

impl Bound {
    /// Returns the plan with other own columns.
    pub(super) fn projected(self, binder: &mut Binder<'_>, own: Vec<Expr>) -> Result<Self> {
        let mut exprs: Vec<Expr> = refs(&self.columns).collect();
        for expr in own {
            exprs.push(binder.expr(expr, &self.columns)?);
        }
        let plan = LogicalPlanBuilder::from(self.plan)
            .project(exprs)?
            .build()?;
        Ok(Self {
            plan,
            first: self.columns.len(),
            columns: self.columns,
        })
    }

    /// Returns the plan with an alias, which its columns have too.
    pub(super) fn aliased(self, alias: TableReference) -> Result<Self> {
        let columns = self.columns.iter();
        let columns = columns
            .map(|column| Column::new(Some(alias.clone()), &column.name))
            .collect();
        let plan = LogicalPlanBuilder::from(self.plan).alias(alias)?.build()?;
        Ok(Self {
            plan,
            columns,
            first: self.first,
        })
    }
}

/// Binds plans to a domain.
pub(super) struct Binder<'a> {
    pub(super) domain: &'a Domain,
    copies: usize,
    /// Whether expressions may be evaluated for values that no outer row has.
    beyond: bool,
    /// The number of the last generated name.
    pub(super) names: usize,
    /// Rows that are computed once, by the numbers of their nodes.
    once: Vec<(u64, Bound)>,
}

impl<'a> Binder<'a> {
    /// Creates a binder for a plan. A plan that raises an error for a second row is evaluated only
    /// for the values that the outer rows have.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked.
    pub(super) fn new(domain: &'a Domain, plan: &LogicalPlan) -> Result<Self> {
        let raises = |expr: &Expr| single_value::argument(expr).is_some();
        Ok(Self {
            domain,
            copies: 0,
            beyond: !expressions::has(plan, raises)?,
            names: 0,
            once: Vec::new(),
        })
    }

    /// Returns the binder for a plan whose second row is an error.
    pub(super) fn of_one_row(self) -> Self {
        Self {
            beyond: false,
            ..self
        }
    }

    /// Returns one more copy of the domain, and its columns.
    ///
    /// # Errors
    ///
    /// Returns an error if two readings of the outer rows may return different values.
    pub(super) fn copy(&mut self) -> Result<(LogicalPlan, Vec<Column>)> {
        self.copies += 1;
        let alias = format!("{}_{}", self.domain.alias, self.copies);
        let plan = LogicalPlanBuilder::from(self.domain.plan()?)
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

    /// Returns a row at least for each value of the domain: those of a plan with the value in these
    /// columns, or NULLs. The columns of the domain come first.
    ///
    /// # Errors
    ///
    /// As for [`Binder::copy`].
    pub(super) fn for_each_value(
        &mut self,
        plan: LogicalPlan,
        columns: Vec<Column>,
    ) -> Result<(LogicalPlanBuilder, Vec<Column>)> {
        let (domain, of_domain) = self.copy()?;
        let keys = (of_domain.clone(), columns);
        let joined = LogicalPlanBuilder::from(domain).join_detailed(
            plan,
            JoinType::Left,
            keys,
            None,
            NullEquality::NullEqualsNull,
        )?;
        Ok((joined, of_domain))
    }

    pub(super) fn reads_domain(&self, plan: &LogicalPlan) -> Result<bool> {
        let read = outer_columns(plan)?;
        let mut known = self.domain.outer.iter();
        Ok(known.any(|(column, _)| read.contains(column)))
    }

    /// Replaces the outer columns of an expression by the domain's columns. The expression keeps
    /// its name.
    ///
    /// # Errors
    ///
    /// Returns an error if the expression cannot be rewritten.
    pub(super) fn expr(&self, expr: Expr, columns: &[Column]) -> Result<Expr> {
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

    pub(super) fn unnamed(&self, expr: Expr, columns: &[Column]) -> Result<Expr> {
        expr.transform_up(|expr| {
            let place = match &expr {
                Expr::OuterReferenceColumn(_, column) => self.place(column),
                _ => None,
            };
            Ok(match place.and_then(|place| columns.get(place)) {
                Some(column) => Transformed::yes(Expr::Column(column.clone())),
                None => Transformed::no(expr),
            })
        })
        .data()
    }

    fn place(&self, column: &Column) -> Option<usize> {
        let mut known = self.domain.outer.iter();
        known.position(|(known, _)| known == column)
    }

    /// Binds rows that are computed once. All copies of their node become copies of another one.
    fn bind_once(&mut self, number: u64, rows: LogicalPlan) -> Result<Bound> {
        if let Some((_, known)) = self.once.iter().find(|(known, _)| *known == number) {
            return Ok(known.clone());
        }
        let bound = bind(self, rows)?;
        let bound = Bound {
            plan: once(bound.plan),
            ..bound
        };
        self.once.push((number, bound.clone()));
        Ok(bound)
    }

    /// Returns a name that the plan does not have yet.
    pub(super) fn next(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{}_{what}_{}", self.domain.alias, self.names)
    }
}

pub(super) fn refs(columns: &[Column]) -> impl Iterator<Item = Expr> + '_ {
    columns.iter().cloned().map(Expr::Column)
}

pub(super) fn own_columns(plan: &LogicalPlan) -> Vec<Expr> {
    let columns = plan.schema().columns().into_iter();
    columns.map(Expr::Column).collect()
}

/// Returns whether a plan is what a SELECT without FROM reads: one row without columns.
fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(empty)
        if empty.produce_one_row && empty.schema.fields().is_empty())
}

/// Returns the rows of `plan` for each value of the domain, with the domain's columns.
///
/// # Errors
///
/// Returns an error if the plan has outer columns where they cannot be bound.
pub(super) fn bind(binder: &mut Binder<'_>, plan: LogicalPlan) -> Result<Bound> {
    if !binder.reads_domain(&plan)? {
        let (domain, columns) = binder.copy()?;
        let first = columns.len();
        let plan = match is_one_row(&plan) {
            true => domain,
            false => LogicalPlanBuilder::from(domain).cross_join(plan)?.build()?,
        };
        return Ok(Bound {
            plan,
            columns,
            first,
        });
    }
    if let Some((number, rows)) = rows_of_once(&plan) {
        return binder.bind_once(number, rows.clone());
    }
    match plan {
        LogicalPlan::Filter(filter) => bind_filter(binder, filter),
        LogicalPlan::Projection(projection) => {
            let input = bind(binder, Arc::unwrap_or_clone(projection.input))?;
            input.projected(binder, projection.expr)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            bind(binder, Arc::unwrap_or_clone(alias.input))?.aliased(alias.alias)
        }
        // A LATERAL item that does not read the tables before it.
        LogicalPlan::Subquery(subquery) => bind(binder, Arc::unwrap_or_clone(subquery.subquery)),
        LogicalPlan::Aggregate(aggregate) => bind_aggregate(binder, aggregate),
        // Only a limit depends on an order.
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            bind(binder, Arc::unwrap_or_clone(sort.input))
        }
        LogicalPlan::Limit(limit) => numbered::bind_limit(binder, limit),
        LogicalPlan::Window(window) => numbered::bind_window(binder, window),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let mut input = bind(binder, Arc::unwrap_or_clone(input))?;
            input.plan = LogicalPlanBuilder::from(input.plan).distinct()?.build()?;
            Ok(input)
        }
        LogicalPlan::Distinct(Distinct::On(distinct)) => {
            numbered::bind_distinct_on(binder, distinct)
        }
        LogicalPlan::Join(join) => super::sides::bind_join(binder, join),
        LogicalPlan::Union(union) => bind_union(binder, union),
        LogicalPlan::Unnest(unnest) => bind_unnest(binder, unnest),
        LogicalPlan::Values(values) => bind_values(binder, values),
        LogicalPlan::RecursiveQuery(query) => super::recursive::bind_recursive(binder, query),
        other => refused(&format!(
            "a correlated subquery is not supported here: {}",
            other.display()
        )),
    }
}

fn bind_filter(binder: &mut Binder<'_>, filter: Filter) -> Result<Bound> {
    if let Some(bound) = bind_equated(binder, &filter)? {
        return Ok(bound);
    }
    let input = bind(binder, Arc::unwrap_or_clone(filter.input))?;
    let predicate = binder.unnamed(filter.predicate, &input.columns)?;
    let plan = LogicalPlanBuilder::from(input.plan)
        .filter(predicate)?
        .build()?;
    Ok(Bound { plan, ..input })
}

/// Binds a filter that equates each of the domain's columns with an expression over its own rows.
/// These expressions are the values, and the domain is not read. `None` for other filters.
fn bind_equated(binder: &mut Binder<'_>, filter: &Filter) -> Result<Option<Bound>> {
    if !binder.beyond || binder.reads_domain(&filter.input)? {
        return Ok(None);
    }
    let schema = filter.input.schema();
    let mut equals: Vec<Option<Expr>> = vec![None; binder.domain.outer.len()];
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate.clone()) {
        if let Some((column, value)) = equated(&condition)
            && let Some(place) = binder.place(&column)
            && let Some(equal @ None) = equals.get_mut(place)
            && Some(&value.get_type(schema)?) == binder.domain.types.get(place)
        {
            conditions.push(value.clone().is_not_null());
            *equal = Some(value);
        } else {
            conditions.push(condition);
        }
    }
    let Some(values) = equals.into_iter().collect::<Option<Vec<Expr>>>() else {
        return Ok(None);
    };
    let names: Vec<String> = values.iter().map(|_| binder.next("equal")).collect();
    let columns: Vec<Column> = names.iter().map(Column::new_unqualified).collect();
    let values = values.into_iter().zip(names);
    let mut exprs: Vec<Expr> = values.map(|(value, name)| value.alias(name)).collect();
    let first = exprs.len();
    exprs.extend(own_columns(&filter.input));
    let mut plan = LogicalPlanBuilder::from(filter.input.as_ref().clone()).project(exprs)?;
    for condition in conditions {
        plan = plan.filter(binder.unnamed(condition, &columns)?)?;
    }
    Ok(Some(Bound {
        plan: plan.build()?,
        columns,
        first,
    }))
}

/// Returns the column and the value of `outer = value`, if the value reads no outer column.
fn equated(condition: &Expr) -> Option<(Column, Expr)> {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = condition
    else {
        return None;
    };
    match (left.as_ref(), right.as_ref()) {
        (Expr::OuterReferenceColumn(_, column), value)
        | (value, Expr::OuterReferenceColumn(_, column))
            if !value.contains_outer() && !value.is_volatile() =>
        {
            Some((column.clone(), value.clone()))
        }
        _ => None,
    }
}

fn bind_aggregate(binder: &mut Binder<'_>, aggregate: Aggregate) -> Result<Bound> {
    if grouping_sets::has_sets(&aggregate) {
        return grouping_sets::bind_sets(binder, aggregate);
    }
    let whole = aggregate.group_expr.is_empty();
    let own: Vec<Column> = aggregate.schema.columns();
    let schema = Arc::clone(&aggregate.schema);
    let empty: Vec<Option<Expr>> = (aggregate.aggr_expr.iter())
        .zip(schema.fields())
        .map(|(expr, field)| value_of_none(expr, field.data_type()))
        .collect::<Result<_>>()?;
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
    // An aggregate without groups has one row even for a value without rows: NULL, or a count of 0.
    let (joined, columns) = binder.for_each_value(grouped, input.columns)?;
    let values = own.into_iter().zip(empty).map(|(column, empty)| {
        let (relation, name) = (column.relation.clone(), column.name.clone());
        let value = Expr::Column(column);
        match empty {
            Some(empty) => datafusion::functions::core::expr_fn::coalesce(vec![value, empty])
                .alias_qualified(relation, name),
            None => value,
        }
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

/// Returns the value of an aggregate over no rows; `None` if it is NULL.
pub(super) fn value_of_none(
    expr: &Expr,
    kind: &arrow::datatypes::DataType,
) -> Result<Option<Expr>> {
    match expr {
        Expr::Alias(alias) => value_of_none(&alias.expr, kind),
        Expr::AggregateFunction(function) => {
            let value = function.func.default_value(kind)?;
            Ok((!value.is_null()).then(|| Expr::Literal(value, None)))
        }
        _ => Ok(None),
    }
}

fn bind_union(binder: &mut Binder<'_>, union: Union) -> Result<Bound> {
    let schema = Arc::clone(&union.schema);
    let inputs = union.inputs.into_iter().map(Arc::unwrap_or_clone);
    let mut parts = Vec::new();
    for input in inputs {
        let own: Vec<Expr> = own_columns(&input)
            .into_iter()
            .zip(schema.iter())
            .map(|(column, (relation, field))| {
                column.alias_qualified(relation.cloned(), field.name())
            })
            .collect();
        parts.push((bind(binder, input)?, own));
    }
    united(binder, parts)
}

/// Binds `VALUES` of outer columns: each row is a SELECT.
fn bind_values(binder: &mut Binder<'_>, values: Values) -> Result<Bound> {
    let mut parts = Vec::new();
    for row in values.values {
        let (domain, columns) = binder.copy()?;
        let own: Vec<Expr> = row
            .into_iter()
            .zip(values.schema.iter())
            .map(|(value, (relation, field))| {
                let value = binder.unnamed(value, &columns)?;
                Ok(value.alias_qualified(relation.cloned(), field.name()))
            })
            .collect::<Result<_>>()?;
        let first = columns.len();
        let bound = Bound {
            plan: domain,
            columns,
            first,
        };
        parts.push((bound, own));
    }
    united(binder, parts)
}

/// Returns all rows of plans that have the same columns.
fn united(binder: &mut Binder<'_>, parts: Vec<(Bound, Vec<Expr>)>) -> Result<Bound> {
    let places = 0..binder.domain.outer.len();
    let names: Vec<String> = places.map(|_| binder.next("united")).collect();
    let mut all: Option<LogicalPlanBuilder> = None;
    for (bound, own) in parts {
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
        return refused("a union of nothing");
    };
    let columns: Vec<Column> = names.into_iter().map(Column::new_unqualified).collect();
    let first = columns.len();
    Ok(Bound {
        plan: all.build()?,
        columns,
        first,
    })
}

fn bind_unnest(binder: &mut Binder<'_>, unnest: Unnest) -> Result<Bound> {
    let input = bind(binder, Arc::unwrap_or_clone(unnest.input))?;
    let plan = LogicalPlanBuilder::from(input.plan)
        .unnest_columns_with_options(unnest.exec_columns, unnest.options)?
        .build()?;
    Ok(Bound { plan, ..input })
}
