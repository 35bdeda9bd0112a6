//! Correlated subqueries as joins, wherever they stand.
//!
//! DataFusion decorrelates a scalar subquery only if it is an aggregate over equalities, EXISTS only in a filter, and LATERAL
//! only over filters. Clients' catalog queries have the others. The way here is the general one: a subquery is evaluated for all
//! distinct values of the outer columns that it reads (its *domain*) at once, then joined to the outer rows by them.
//!
//! ```text
//! SELECT a.x, (SELECT c.y FROM c WHERE c.z < a.z) FROM a
//!
//!   Projection x, __sq_1.value
//!     LeftJoin a.z IS NOT DISTINCT FROM __sq_1.outer_0
//!       a
//!       __sq_1: Aggregate by outer_0, single_value(c.y)
//!         Filter c.z < outer_0
//!           CrossJoin
//!             __domain_1: SELECT DISTINCT a.z AS outer_0 FROM a
//!             c
//! ```

mod bind;
mod single_value;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, ExprSchema, NullEquality, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Sort,
    Subquery, SubqueryAlias, lit,
};
use datafusion::optimizer::AnalyzerRule;

use bind::{Binder, Domain, bind};
use single_value::single_value;

/// The rule; it comes last, when types are known.
#[derive(Debug, Default)]
pub struct DecorrelateSubqueries;

impl AnalyzerRule for DecorrelateSubqueries {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Rewriter::default().plan(plan)
    }

    fn name(&self) -> &str {
        "decorrelate_subqueries"
    }
}

/// The same for one node of a plan, if it has EXISTS where the engine does not know it.
///
/// # Errors
/// A subquery that reads outer columns where they cannot be bound.
pub fn decorrelated_exists(node: LogicalPlan) -> Result<LogicalPlan> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= expr.exists(|expr| Ok(matches!(expr, Expr::Exists(_))))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    match found {
        true => Rewriter::default().node(node).data(),
        false => Ok(node),
    }
}

/// The same for a filter, where the engine knows EXISTS and IN but not this one's.
///
/// # Errors
/// A subquery that reads outer columns where they cannot be bound.
pub fn decorrelated_filter(filter: Filter) -> Result<LogicalPlan> {
    let mut rewriter = Rewriter::default();
    let node = LogicalPlan::Filter(filter)
        .map_expressions(|expr| expr.transform_up(|expr| rewriter.inside(expr)))
        .data()?;
    match node {
        LogicalPlan::Filter(filter) => rewriter.filter(filter, Place::Projection),
        node => Ok(node),
    }
}

#[derive(Default)]
struct Rewriter {
    /// The number of the last name that was given.
    names: usize,
}

/// The column that holds a subquery's value.
const VALUE: &str = "__subquery_value";

impl Rewriter {
    fn next(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn plan(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        plan.transform_up(|node| self.node(node)).data()
    }

    fn node(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        // Subqueries of this node first get rid of their own.
        let node = node.map_expressions(|expr| expr.transform_up(|expr| self.inside(expr)))?;
        let (node, changed) = (node.data, node.transformed);
        let rewritten = match node {
            LogicalPlan::Projection(projection) if wants(&projection.expr, Place::Projection) => {
                self.projection(projection)?
            }
            LogicalPlan::Filter(filter)
                if wants(std::slice::from_ref(&filter.predicate), Place::Filter) =>
            {
                self.filter(filter, Place::Filter)?
            }
            LogicalPlan::Aggregate(aggregate)
                if wants(&aggregate.group_expr, Place::Projection)
                    || wants(&aggregate.aggr_expr, Place::Projection) =>
            {
                self.aggregate(aggregate)?
            }
            LogicalPlan::Sort(sort)
                if sort
                    .expr
                    .iter()
                    .any(|key| wants(std::slice::from_ref(&key.expr), Place::Projection)) =>
            {
                self.sort(sort)?
            }
            LogicalPlan::Join(join) if lateral(&join.right).is_some() => self.lateral_join(join)?,
            other => {
                return Ok(Transformed::new(
                    other,
                    changed,
                    TreeNodeRecursion::Continue,
                ));
            }
        };
        Ok(Transformed::yes(rewritten))
    }

    fn inside(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        let mut inner = |subquery: Subquery| -> Result<Subquery> {
            let plan = self.plan(Arc::unwrap_or_clone(subquery.subquery))?;
            let outer_ref_columns = plan.all_out_ref_exprs();
            Ok(Subquery {
                subquery: Arc::new(plan),
                outer_ref_columns,
                spans: subquery.spans,
            })
        };
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(inner(subquery)?))
            }
            Expr::Exists(exists) => Transformed::yes(Expr::Exists(Exists {
                subquery: inner(exists.subquery)?,
                negated: exists.negated,
            })),
            Expr::InSubquery(within) => Transformed::yes(Expr::InSubquery(InSubquery {
                subquery: inner(within.subquery)?,
                expr: within.expr,
                negated: within.negated,
            })),
            other => Transformed::no(other),
        })
    }

    fn projection(&mut self, projection: Projection) -> Result<LogicalPlan> {
        let mut input = Arc::unwrap_or_clone(projection.input);
        let mut exprs = Vec::with_capacity(projection.expr.len());
        for expr in projection.expr {
            exprs.push(self.replace(expr, &mut input, Place::Projection)?);
        }
        LogicalPlanBuilder::from(input).project(exprs)?.build()
    }

    fn filter(&mut self, filter: Filter, place: Place) -> Result<LogicalPlan> {
        let mut input = Arc::unwrap_or_clone(filter.input);
        let schema = Arc::clone(input.schema());
        let predicate = self.replace(filter.predicate, &mut input, place)?;
        LogicalPlanBuilder::from(input)
            .filter(predicate)?
            .project(columns_of(&schema))?
            .build()
    }

    fn aggregate(&mut self, aggregate: Aggregate) -> Result<LogicalPlan> {
        let mut input = Arc::unwrap_or_clone(aggregate.input);
        let mut all = |exprs: Vec<Expr>, rewriter: &mut Self| -> Result<Vec<Expr>> {
            exprs
                .into_iter()
                .map(|expr| rewriter.replace(expr, &mut input, Place::Projection))
                .collect()
        };
        let group = all(aggregate.group_expr, self)?;
        let aggregates = all(aggregate.aggr_expr, self)?;
        LogicalPlanBuilder::from(input)
            .aggregate(group, aggregates)?
            .build()
    }

    fn sort(&mut self, sort: Sort) -> Result<LogicalPlan> {
        let mut input = Arc::unwrap_or_clone(sort.input);
        let schema = Arc::clone(input.schema());
        let mut keys = Vec::with_capacity(sort.expr.len());
        for mut key in sort.expr {
            key.expr = self.replace(key.expr, &mut input, Place::Projection)?;
            keys.push(key);
        }
        LogicalPlanBuilder::from(input)
            .sort_with_limit(keys, sort.fetch)?
            .project(columns_of(&schema))?
            .build()
    }

    /// An expression with its subqueries replaced by columns of `input`, which is joined with them; its name stays.
    fn replace(&mut self, expr: Expr, input: &mut LogicalPlan, place: Place) -> Result<Expr> {
        if !wants(std::slice::from_ref(&expr), place) {
            return Ok(expr);
        }
        let name = expr.schema_name().to_string();
        let replaced = expr
            .transform_down(|expr| {
                if !is_wanted(&expr, place) {
                    // What the engine does itself in a filter is left whole.
                    return Ok(Transformed::no(expr));
                }
                let value = match expr {
                    Expr::ScalarSubquery(subquery) => self.scalar(subquery, input)?,
                    Expr::Exists(Exists { subquery, negated }) => {
                        self.exists(subquery, negated, input)?
                    }
                    Expr::InSubquery(InSubquery {
                        expr,
                        subquery,
                        negated,
                    }) => {
                        let subquery = with_item_filter(*expr, subquery, input)?;
                        self.exists(subquery, negated, input)?
                    }
                    other => return Ok(Transformed::no(other)),
                };
                Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
            })
            .data()?;
        let unchanged = place == Place::Filter || replaced.schema_name().to_string() == name;
        Ok(if unchanged {
            replaced
        } else {
            replaced.alias(name)
        })
    }

    fn scalar(&mut self, subquery: Subquery, input: &mut LogicalPlan) -> Result<Expr> {
        let at_most_one = is_scalar_aggregate(&subquery.subquery);
        let (bound, domain) = self.bound(subquery, input)?;
        let value = Expr::Column(Column::from(
            bound.plan.schema().qualified_field(bound.first),
        ));
        let plan = LogicalPlanBuilder::from(bound.plan);
        let plan = match at_most_one {
            true => plan.project(named(&bound.columns, &domain).chain([value.alias(VALUE)]))?,
            false => {
                let groups: Vec<Expr> = bound.columns.iter().cloned().map(Expr::Column).collect();
                let aggregate = single_value(value).alias(VALUE);
                let columns =
                    named(&bound.columns, &domain).chain([Expr::Column(Column::from_name(VALUE))]);
                plan.aggregate(groups, vec![aggregate])?.project(columns)?
            }
        };
        self.join(input, plan.build()?, &domain)
    }

    fn exists(
        &mut self,
        subquery: Subquery,
        negated: bool,
        input: &mut LogicalPlan,
    ) -> Result<Expr> {
        let (bound, domain) = self.bound(subquery, input)?;
        let groups: Vec<Expr> = bound.columns.iter().cloned().map(Expr::Column).collect();
        let plan = LogicalPlanBuilder::from(bound.plan);
        let columns = named(&bound.columns, &domain);
        let plan = match groups.is_empty() {
            // One row or none: the same for all outer rows.
            true => plan.limit(0, Some(1))?.project([lit(true).alias(VALUE)])?,
            false => plan
                .aggregate(groups, Vec::<Expr>::new())?
                .project(columns.chain([lit(true).alias(VALUE)]))?,
        };
        let found = self.join(input, plan.build()?, &domain)?;
        Ok(if negated {
            found.is_null()
        } else {
            found.is_not_null()
        })
    }

    /// The subquery over its domain in `input`.
    fn bound(&mut self, subquery: Subquery, input: &LogicalPlan) -> Result<(bind::Bound, Domain)> {
        let domain = Domain::of(&subquery.subquery, input, self.next())?;
        let mut binder = Binder::new(&domain);
        let plan = Arc::unwrap_or_clone(subquery.subquery);
        let bound = match domain.is_empty() {
            true => bind::Bound {
                plan,
                columns: vec![],
                first: 0,
            },
            false => bind(&mut binder, plan)?,
        };
        Ok((bound, domain))
    }

    /// Joins `input` with a plan of the domain's columns and a value; gives the value.
    fn join(
        &mut self,
        input: &mut LogicalPlan,
        plan: LogicalPlan,
        domain: &Domain,
    ) -> Result<Expr> {
        let alias = format!("__subquery_{}", self.next());
        let right = LogicalPlanBuilder::from(plan)
            .alias(alias.as_str())?
            .build()?;
        let left = LogicalPlanBuilder::from(input.clone());
        let joined = match domain.is_empty() {
            true => left.join_on(right, JoinType::Left, [lit(true)])?,
            false => {
                let keys = domain
                    .outer
                    .iter()
                    .map(|(outer, _)| outer.clone())
                    .collect::<Vec<Column>>();
                let inner = domain
                    .outer
                    .iter()
                    .map(|(_, name)| Column::new(Some(alias.as_str()), name));
                let keys = (keys, inner.collect::<Vec<Column>>());
                left.join_detailed(
                    right,
                    JoinType::Left,
                    keys,
                    None,
                    NullEquality::NullEqualsNull,
                )?
            }
        };
        *input = joined.build()?;
        Ok(Expr::Column(Column::new(Some(alias), VALUE)))
    }

    fn lateral_join(&mut self, join: Join) -> Result<LogicalPlan> {
        let Some((subquery, alias)) = lateral(&join.right) else {
            return Ok(LogicalPlan::Join(join));
        };
        let domain = Domain::of(&subquery.subquery, &join.left, self.next())?;
        if domain.is_empty() || !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return Ok(LogicalPlan::Join(join));
        }
        let schema = Arc::clone(&join.schema);
        let own: Vec<Column> = subquery.subquery.schema().columns();
        let bound = bind(
            &mut Binder::new(&domain),
            subquery.subquery.as_ref().clone(),
        )?;
        let columns: Vec<Expr> = named(&bound.columns, &domain)
            .chain(own.into_iter().map(Expr::Column))
            .collect();
        let mut right = LogicalPlanBuilder::from(bound.plan).project(columns)?;
        if let Some(alias) = &alias {
            right = right.alias(alias.clone())?;
        }
        let right = right.build()?;
        let inner = domain.outer.iter().map(|(_, name)| match &alias {
            Some(alias) => Column::new(Some(alias.clone()), name),
            None => Column::from_name(name),
        });
        let keys = (
            domain
                .outer
                .iter()
                .map(|(outer, _)| outer.clone())
                .collect::<Vec<_>>(),
            inner.collect::<Vec<_>>(),
        );
        let on = join.on.into_iter().map(|(left, right)| left.eq(right));
        let filter = on.chain(join.filter).reduce(Expr::and);
        let left = LogicalPlanBuilder::from(Arc::unwrap_or_clone(join.left));
        left.join_detailed(
            right,
            join.join_type,
            keys,
            filter,
            NullEquality::NullEqualsNull,
        )?
        .project(columns_of(&schema))?
        .build()
    }
}

/// The domain's columns by the names that they are joined by.
fn named<'a>(columns: &'a [Column], domain: &'a Domain) -> impl Iterator<Item = Expr> + 'a {
    columns
        .iter()
        .zip(&domain.outer)
        .map(|(column, (_, name))| Expr::Column(column.clone()).alias(name.clone()))
}

fn columns_of(schema: &DFSchemaRef) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

/// A LATERAL subquery, with its alias.
fn lateral(plan: &LogicalPlan) -> Option<(&Subquery, Option<datafusion::common::TableReference>)> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some((subquery, None)),
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((subquery, Some(alias.clone()))),
            _ => None,
        },
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The engine knows no subqueries here but uncorrelated scalar ones.
    Projection,
    /// The engine knows EXISTS and IN here.
    Filter,
}

fn is_wanted(expr: &Expr, place: Place) -> bool {
    match expr {
        Expr::ScalarSubquery(subquery) => !subquery.outer_ref_columns.is_empty(),
        Expr::Exists(_) | Expr::InSubquery(_) => place == Place::Projection,
        _ => false,
    }
}

fn wants(exprs: &[Expr], place: Place) -> bool {
    exprs.iter().any(|expr| {
        expr.exists(|expr| Ok(is_wanted(expr, place)))
            .unwrap_or(false)
    })
}

/// Whether a plan gives exactly one row for each value of its domain.
fn is_scalar_aggregate(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_scalar_aggregate(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_scalar_aggregate(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// `x IN (subquery)` as EXISTS: the subquery where its column equals `x`.
fn with_item_filter(item: Expr, subquery: Subquery, input: &LogicalPlan) -> Result<Subquery> {
    let schema = Arc::clone(input.schema());
    let item = item
        .transform_up(|expr| {
            Ok(match expr {
                Expr::Column(column) if schema.has_column(&column) => {
                    let field = Arc::clone(schema.field_from_column(&column)?);
                    Transformed::yes(Expr::OuterReferenceColumn(field, column))
                }
                other => Transformed::no(other),
            })
        })
        .data()?;
    let plan = Arc::unwrap_or_clone(subquery.subquery);
    let first = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let plan = LogicalPlanBuilder::from(plan)
        .filter(first.eq(item))?
        .build()?;
    let outer_ref_columns = plan.all_out_ref_exprs();
    Ok(Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: subquery.spans,
    })
}
