//! Subqueries in the ON of a join.
//!
//! Subqueries in the ON of an inner join are conditions on its rows. An outer join keeps rows that
//! meet no condition, so its subqueries become columns of its sides:
//!
//! ```text
//! a LEFT JOIN b ON a.k = b.k AND EXISTS (SELECT … a.x …)              a is joined with the found values of a.x
//! a LEFT JOIN b ON a.k = b.k AND EXISTS (SELECT … a.x … b.y …)
//!
//!   LeftJoin a.k = b.k AND a.x IS NOT DISTINCT FROM __pairs.x AND __pairs.found
//!     a
//!     Join b.y IS NOT DISTINCT FROM __pairs.y
//!       b
//!       __pairs: all x, y, and whether the subquery finds something for them
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr,
};

use super::domain::Domain;
use super::places::Place;
use super::{Rewriter, Target, columns_of, outer_columns, refused, subquery_of};

impl Rewriter {
    pub(super) fn join_on(&mut self, mut join: Join) -> Result<LogicalPlan> {
        let Some(filter) = join.filter.take() else {
            return Ok(LogicalPlan::Join(join));
        };
        let (asking, plain): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter)
            .into_iter()
            .partition(|part| {
                part.exists(|expr| Ok(subquery_of(expr).is_some()))
                    .unwrap_or(true)
            });
        if join.join_type == JoinType::Inner {
            join.filter = conjunction(plain);
            let Some(predicate) = conjunction(asking) else {
                return Ok(LogicalPlan::Join(join));
            };
            let filter = Filter::try_new(predicate, Arc::new(LogicalPlan::Join(join)))?;
            let wanted = Place::Condition.wants(&filter.predicate, filter.input.schema())?;
            return match wanted {
                true => self.filter(filter),
                false => Ok(LogicalPlan::Filter(filter)),
            };
        }
        if !matches!(
            join.join_type,
            JoinType::Left | JoinType::Right | JoinType::Full
        ) {
            return refused("a subquery in the ON of this kind of join is not supported");
        }
        let schema = Arc::clone(&join.schema);
        let mut left = Target::new(Arc::unwrap_or_clone(join.left));
        let mut right = Target::new(Arc::unwrap_or_clone(join.right));
        let mut conditions = plain;
        for condition in asking {
            let asked = columns_of_expr(&condition)?;
            let of = |side: &Target| {
                let mut columns = asked.iter();
                columns.any(|column| side.rows.schema().has_column(column))
            };
            let (of_left, of_right) = (of(&left), of(&right));
            match (of_left, of_right) {
                (_, false) => {
                    conditions.push(self.replace(condition, &mut left, Place::Elsewhere)?);
                }
                (false, true) => {
                    conditions.push(self.replace(condition, &mut right, Place::Elsewhere)?);
                }
                (true, true) => {
                    let sides = (&mut left, &mut right);
                    conditions.extend(self.pairs(condition, &asked, sides, join.join_type)?);
                }
            }
        }
        let on = join.on.into_iter().map(|(left, right)| left.eq(right));
        conditions.extend(on);
        LogicalPlanBuilder::from(left.joined)
            .join_on(right.joined, join.join_type, conditions)?
            .project(columns_of(&schema))?
            .build()
    }

    /// Joins the side that may lack rows with all pairs of values of both sides and the result of a
    /// condition. Returns the conditions that join the other side with it.
    ///
    /// # Errors
    ///
    /// Returns an error for a FULL JOIN.
    fn pairs(
        &mut self,
        condition: Expr,
        asked: &[Column],
        (left, right): (&mut Target, &mut Target),
        kind: JoinType,
    ) -> Result<Vec<Expr>> {
        let (kept, lacking) = match kind {
            JoinType::Left => (left, right),
            JoinType::Right => (right, left),
            _ => {
                return refused(
                    "a subquery in the ON of a FULL JOIN may read columns of one side only",
                );
            }
        };
        let of_kept = self.domain_of(asked, kept)?;
        let of_lacking = self.domain_of(asked, lacking)?;
        let alias = format!("__pairs_{}", self.next());
        // The columns keep their own names, so that the condition finds them.
        let rows = LogicalPlanBuilder::from(of_kept.plan()?)
            .cross_join(of_lacking.plan()?)?
            .project(
                of_kept
                    .outer
                    .iter()
                    .chain(&of_lacking.outer)
                    .map(|(column, name)| {
                        Expr::Column(Column::new_unqualified(name))
                            .alias_qualified(column.relation.clone(), column.name.clone())
                    }),
            )?
            .build()?;
        let mut target = Target::new(rows);
        let found = self.replace(condition, &mut target, Place::Elsewhere)?;
        let names = of_kept.outer.iter().chain(&of_lacking.outer);
        let columns = names.map(|(column, name)| Expr::Column(column.clone()).alias(name.clone()));
        let pairs = LogicalPlanBuilder::from(target.joined)
            .project(columns.chain([found.alias("found")]))?
            .alias(alias.as_str())?
            .build()?;
        let equal = |domain: &Domain| -> Vec<Expr> {
            let outer = domain.outer.iter();
            outer
                .map(|(column, name)| {
                    let value = Expr::Column(Column::new(Some(alias.as_str()), name));
                    binary_expr(
                        Expr::Column(column.clone()),
                        Operator::IsNotDistinctFrom,
                        value,
                    )
                })
                .collect()
        };
        lacking.joined = LogicalPlanBuilder::from(lacking.joined.clone())
            .join_on(pairs, JoinType::Inner, equal(&of_lacking))?
            .build()?;
        let found = Expr::Column(Column::new(Some(alias.as_str()), "found"));
        let mut conditions = equal(&of_kept);
        conditions.push(found);
        Ok(conditions)
    }
}

/// Returns the columns that a condition reads, itself or in its subqueries.
///
/// # Errors
///
/// Returns an error if the condition cannot be walked.
pub(super) fn columns_of_expr(condition: &Expr) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = condition.column_refs().into_iter().cloned().collect();
    condition.apply(|expr| {
        if let Some(subquery) = subquery_of(expr) {
            columns.extend(outer_columns(&subquery.subquery)?);
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    columns.sort();
    columns.dedup();
    Ok(columns)
}
