//! Correlated subqueries as joins, of any kind and in any place.
//!
//! DataFusion decorrelates a scalar subquery only if it is an aggregate over equalities, EXISTS and
//! IN only in a filter, LATERAL only over filters, and nothing over two levels; for some others its
//! results are wrong. The subqueries that it joins correctly are left to it ([`engine`]). Any other
//! subquery is evaluated at once for all distinct values of the outer columns that it reads, its
//! *domain*, and then joined to the outer rows by them (Neumann, Kemper: Unnesting Arbitrary
//! Queries, 2015).
//!
//! ```text
//! SELECT a.x, (SELECT c.y FROM c WHERE c.z < a.z ORDER BY c.y LIMIT 1) FROM a
//!
//!   Projection x, __subquery_2.value
//!     LeftJoin a.z IS NOT DISTINCT FROM __subquery_2.__outer_1_0
//!       a
//!       __subquery_2: Filter row <= 1
//!         Window row_number() OVER (PARTITION BY __outer_1_0 ORDER BY c.y) AS row
//!           Filter c.z < __outer_1_0
//!             CrossJoin
//!               __domain_1: SELECT DISTINCT a.z AS __outer_1_0 FROM a
//!               c
//! ```
//!
//! The domain is a second reading of the outer rows. It may have more values than the rows, which
//! then match no row, but not fewer: expressions that may differ between two readings are left out
//! ([`domain`]). Where that cannot be, the outer rows are computed once for both readers
//! ([`once`](fn@crate::shared::once)). A subquery whose filter equates all outer columns with its own
//! columns needs no domain ([`bind`]), nor does one without a table ([`inline`]).

mod bind;
mod counts;
mod domain;
mod engine;
mod grouping_sets;
mod inline;
mod lateral;
mod numbered;
mod on;
mod optional;
mod outer_aggregates;
mod places;
mod recursive;
mod sides;
mod single_value;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bind::{Binder, Bound, bind};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, JoinType, NullEquality, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    Distinct, Expr, FetchType, LogicalPlan, LogicalPlanBuilder, SkipType, Subquery, lit,
};
use datafusion::optimizer::AnalyzerRule;
use domain::Domain;
use lakegate_error::{Code, Error};
pub(crate) use optional::OptionalValues;
use places::Place;
use single_value::single_value;
use target::Target;

use crate::limits::complexity::check_nodes;
use crate::plans::expressions::{self, subquery_of};

/// The analyzer rule, which runs after type coercion and after the rule for three-valued logic.
#[derive(Debug)]
pub struct DependentJoins;

impl AnalyzerRule for DependentJoins {
    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        let has_subqueries = expressions::has(&plan, |expr| subquery_of(expr).is_some())?
            || plan.exists(|node| Ok(matches!(node, LogicalPlan::Subquery(_))))?;
        match has_subqueries {
            true => Rewriter::default().plan(counts::computed(plan, options)?),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "dependent_joins"
    }
}

/// The column that holds a subquery's value.
const VALUE: &str = "__subquery_value";

#[derive(Default)]
struct Rewriter {
    /// The number of the last generated name.
    names: usize,
}

impl Rewriter {
    fn next(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn plan(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        plan.transform_up(|node| self.node(node)).data()
    }

    /// Rewrites the subqueries within an expression's own subquery, before that one is rewritten.
    fn inside(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        let mut inner = |subquery: Subquery| -> Result<Subquery> {
            let plan = self.plan(Arc::unwrap_or_clone(subquery.subquery))?;
            Ok(with_plan(plan, subquery.spans))
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
                subquery: with_named_cast(inner(within.subquery)?)?,
                expr: within.expr,
                negated: within.negated,
            })),
            other => Transformed::no(other),
        })
    }

    /// Replaces the subqueries of an expression by columns, which are joined with the rows of
    /// `target`. The expression keeps its name.
    fn replace(&mut self, expr: Expr, target: &mut Target, place: Place) -> Result<Expr> {
        if !place.wants(&expr, target.rows.schema())? {
            return Ok(expr);
        }
        let name = expr.schema_name().to_string();
        let replaced = expr
            .transform_down(|expr| {
                if !place.replaces(&expr, target.rows.schema())? {
                    return Ok(Transformed::no(expr));
                }
                let value = match expr {
                    Expr::ScalarSubquery(subquery) => self.scalar(subquery, target)?,
                    Expr::Exists(Exists { subquery, negated }) => {
                        self.exists(subquery, negated, target)?
                    }
                    Expr::InSubquery(mut within) => {
                        if Place::Elsewhere.wants(&within.expr, target.rows.schema())? {
                            *within.expr = self.replace(*within.expr, target, Place::Elsewhere)?;
                            // The item may read the values of its own subqueries now.
                            target.rows = target.joined.clone();
                        }
                        let rows = target.rows.schema();
                        if place.knows(&within, rows)? {
                            Expr::InSubquery(within)
                        } else {
                            let subquery = with_item_filter(*within.expr, within.subquery, rows)?;
                            self.exists(subquery, within.negated, target)?
                        }
                    }
                    other => return Ok(Transformed::no(other)),
                };
                Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
            })
            .data()?;
        let unchanged = place == Place::Condition || replaced.schema_name().to_string() == name;
        Ok(if unchanged {
            replaced
        } else {
            replaced.alias(name)
        })
    }

    fn scalar(&mut self, subquery: Subquery, target: &mut Target) -> Result<Expr> {
        if let Some(row) = inline::row(&subquery.subquery, target.rows.schema())?
            && let Some(value) = row.value()
        {
            return value;
        }
        let at_most_one = gives_one_row(&subquery.subquery)?;
        let plan = Arc::unwrap_or_clone(subquery.subquery);
        let (bound, domain) = self.bound(plan, target, at_most_one)?;
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
        self.join(target, plan.build()?, &domain)
    }

    fn exists(&mut self, subquery: Subquery, negated: bool, target: &mut Target) -> Result<Expr> {
        if let Some(row) = inline::row(&subquery.subquery, target.rows.schema())? {
            let exists = row.exists.unwrap_or(lit(true));
            return Ok(match negated {
                true => exists.is_not_true(),
                false => exists.is_true(),
            });
        }
        let plan = rows_alone(Arc::unwrap_or_clone(subquery.subquery))?;
        let (bound, domain) = self.bound(plan, target, true)?;
        let groups: Vec<Expr> = bound.columns.iter().cloned().map(Expr::Column).collect();
        let plan = LogicalPlanBuilder::from(bound.plan);
        let columns = named(&bound.columns, &domain);
        let plan = match groups.is_empty() {
            // One row or none, the same for all outer rows.
            true => plan.limit(0, Some(1))?.project([lit(true).alias(VALUE)])?,
            false => plan
                .aggregate(groups, Vec::<Expr>::new())?
                .project(columns.chain([lit(true).alias(VALUE)]))?,
        };
        let found = self.join(target, plan.build()?, &domain)?;
        Ok(if negated {
            found.is_null()
        } else {
            found.is_not_null()
        })
    }

    /// Binds a subquery to its domain of outer rows. `may_be_many`: a second row is not an error,
    /// or cannot occur.
    fn bound(
        &mut self,
        plan: LogicalPlan,
        target: &mut Target,
        may_be_many: bool,
    ) -> Result<(Bound, Domain)> {
        let mut domain = Domain::of(&plan, &target.rows, self.next())?;
        if domain.is_empty() {
            let bound = Bound {
                plan,
                columns: vec![],
                first: 0,
            };
            return Ok((bound, domain));
        }
        refuse_volatile(&plan)?;
        // Not each subquery reads the domain.
        if domain.may_differ() && bound_to(&domain, plan.clone(), may_be_many).is_err() {
            target.compute_once();
            domain = Domain::of(&plan, &target.rows, self.next())?;
        }
        let bound = bound_to(&domain, plan, may_be_many)?;
        Ok((bound, domain))
    }

    /// Returns the domain of those `columns` that the rows of `target` have, for its own plan.
    fn domain_of(&mut self, columns: &[Column], target: &mut Target) -> Result<Domain> {
        let domain = Domain::of_columns(columns, &target.rows, self.next())?;
        if !domain.may_differ() {
            return Ok(domain);
        }
        target.compute_once();
        Domain::of_columns(columns, &target.rows, self.next())
    }

    /// Joins rows with a plan of the domain's columns and a value, and returns the value.
    fn join(&mut self, target: &mut Target, plan: LogicalPlan, domain: &Domain) -> Result<Expr> {
        let alias = format!("__subquery_{}", self.next());
        let right = LogicalPlanBuilder::from(plan)
            .alias(alias.as_str())?
            .build()?;
        let left = LogicalPlanBuilder::from(target.joined.clone());
        let joined = match domain.is_empty() {
            true => left.join_on(right, JoinType::Left, [lit(true)])?,
            false => left.join_detailed(
                right,
                JoinType::Left,
                keys(domain, Some(alias.as_str())),
                None,
                NullEquality::NullEqualsNull,
            )?,
        };
        target.joined = joined.build()?;
        Ok(Expr::Column(Column::new(Some(alias), VALUE)))
    }
}

/// Binds a subquery to a domain that is not empty. `may_be_many`: as of [`Rewriter::bound`].
fn bound_to(domain: &Domain, plan: LogicalPlan, may_be_many: bool) -> Result<Bound> {
    let binder = Binder::new(domain, &plan)?;
    let mut binder = match may_be_many {
        true => binder,
        false => binder.of_one_row(),
    };
    let bound = bind(&mut binder, plan)?;
    check_nodes(&bound.plan)?;
    Ok(bound)
}

/// Returns the columns that outer rows and a plan over their domain are joined by.
fn keys(domain: &Domain, alias: Option<&str>) -> (Vec<Column>, Vec<Column>) {
    let outer = domain.outer.iter();
    outer
        .map(|(outer, name)| (outer.clone(), Column::new(alias, name)))
        .unzip()
}

/// Returns the domain's columns under the names that they are joined by.
fn named<'a>(columns: &'a [Column], domain: &'a Domain) -> impl Iterator<Item = Expr> + 'a {
    columns
        .iter()
        .zip(&domain.outer)
        .map(|(column, (_, name))| Expr::Column(column.clone()).alias(name.clone()))
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

fn with_plan(plan: LogicalPlan, spans: datafusion::common::Spans) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans,
    }
}

/// Returns whether a subquery reads columns of outer rows, itself or in its own subqueries.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn is_correlated(subquery: &Subquery) -> Result<bool> {
    Ok(!outer_columns(&subquery.subquery)?.is_empty())
}

/// Gives a cast in IN's subquery a name of its own, because the engine has the cast and its operand
/// as columns of one relation.
fn with_named_cast(subquery: Subquery) -> Result<Subquery> {
    match subquery.subquery.as_ref() {
        LogicalPlan::Projection(list) if matches!(list.expr.as_slice(), [Expr::Cast(_)]) => {
            let cast = list.expr.iter().cloned().map(|cast| cast.alias("__cast"));
            let input = LogicalPlanBuilder::from(LogicalPlan::clone(&list.input));
            let plan = input.project(cast)?.build()?;
            Ok(with_plan(plan, subquery.spans))
        }
        _ => Ok(subquery),
    }
}

/// Returns the outer columns that a plan reads, itself or in its own subqueries.
fn outer_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    find_outer_columns(plan, &mut found)?;
    Ok(found)
}

fn find_outer_columns(plan: &LogicalPlan, found: &mut Vec<Column>) -> Result<()> {
    let inputs = plan.inputs();
    plan.apply_expressions(|expr| {
        expr.apply(|expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr
                && !found.contains(column)
            {
                found.push(column.clone());
            }
            if let Some(subquery) = subquery_of(expr) {
                for column in outer_columns(&subquery.subquery)? {
                    let own = inputs
                        .iter()
                        .any(|input| input.schema().has_column(&column));
                    if !own && !found.contains(&column) {
                        found.push(column);
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if let LogicalPlan::Join(join) = plan {
        find_outer_columns(&join.left, found)?;
        let beside = lateral::read_columns(join)?;
        for column in outer_columns(&join.right)? {
            if !beside.contains(&column) && !found.contains(&column) {
                found.push(column);
            }
        }
        return Ok(());
    }
    inputs
        .into_iter()
        .try_for_each(|input| find_outer_columns(input, found))
}

fn refused<T>(message: &str) -> Result<T> {
    Err(Error::new(Code::NotSupported, message.to_owned()).into())
}

/// Refuses volatile functions, because a subquery is evaluated once for equal outer values and not
/// once for each row.
fn refuse_volatile(plan: &LogicalPlan) -> Result<()> {
    match expressions::has(plan, Expr::is_volatile_node)? {
        true => refused("a volatile function in a correlated subquery is not supported"),
        false => Ok(()),
    }
}

/// Returns whether a plan has at most one row for each value of its domain.
fn gives_one_row(plan: &LogicalPlan) -> Result<bool> {
    Ok(match plan {
        LogicalPlan::Projection(projection) => gives_one_row(&projection.input)?,
        LogicalPlan::SubqueryAlias(alias) => gives_one_row(&alias.input)?,
        LogicalPlan::Filter(filter) => gives_one_row(&filter.input)?,
        LogicalPlan::Sort(sort) => gives_one_row(&sort.input)?,
        LogicalPlan::Limit(limit) => {
            matches!(limit.get_fetch_type()?, FetchType::Literal(Some(0 | 1)))
                || gives_one_row(&limit.input)?
        }
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    })
}

/// Returns a plan that has rows exactly if `plan` does. Its columns do not matter.
fn rows_alone(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(list) => rows_alone(Arc::unwrap_or_clone(list.input)),
        LogicalPlan::SubqueryAlias(alias) => rows_alone(Arc::unwrap_or_clone(alias.input)),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            rows_alone(Arc::unwrap_or_clone(sort.input))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => rows_alone(Arc::unwrap_or_clone(input)),
        LogicalPlan::Limit(limit) => {
            let some = matches!(limit.get_skip_type()?, SkipType::Literal(0))
                && matches!(
                    limit.get_fetch_type()?,
                    FetchType::Literal(Some(1..) | None)
                );
            match some {
                true => rows_alone(Arc::unwrap_or_clone(limit.input)),
                false => Ok(LogicalPlan::Limit(limit)),
            }
        }
        plan => Ok(plan),
    }
}

/// Returns the subquery of EXISTS for `x IN (subquery)`: its rows whose column equals `x`.
fn with_item_filter(item: Expr, subquery: Subquery, schema: &DFSchema) -> Result<Subquery> {
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
    Ok(with_plan(plan, subquery.spans))
}
