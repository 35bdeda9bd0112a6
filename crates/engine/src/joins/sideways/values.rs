//! How many distinct values a column has, by estimates.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::Operator;
use crate::plans::estimates::Estimate;

/// Operators that are looked at for one column.
const MOST_OPERATORS: usize = 24;

/// How many distinct values a column has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distinct {
    pub left: f64,
    /// Without the filters and joins below.
    pub all: f64,
}

/// Returns the estimate for a column of an operator; `None` if no statistics tell.
///
/// A column has no values but those of the columns that it comes from, and that an inner join found
/// equal to it: the least estimate of these is the best.
pub(super) fn distinct(plan: &Operator, column: usize) -> Option<Distinct> {
    let mut estimate: Option<Distinct> = None;
    let mut open = vec![(plan, column)];
    for place in 0..MOST_OPERATORS {
        let Some((plan, column)) = open.pop() else {
            break;
        };
        let origins = origins(plan, column);
        // Statistics are computed from the inputs up: those of the operators between tell no more.
        let tells = place == 0
            || origins.is_empty()
            || plan.is::<FilterExec>()
            || plan.is::<AggregateExec>();
        open.extend(origins);
        if !tells {
            continue;
        }
        let known = Estimate::of(plan);
        let Some(values) = known.and_then(|leaf| leaf.columns.get(column).copied()) else {
            continue;
        };
        let before = estimate.unwrap_or(Distinct {
            left: f64::INFINITY,
            all: 0.0,
        });
        estimate = Some(Distinct {
            left: before.left.min(values.distinct),
            all: before.all.max(values.distinct),
        });
    }
    estimate
}

/// Returns the columns that a column of an operator has its values from. Barriers are not looked
/// through.
pub(super) fn origins(plan: &Operator, column: usize) -> Vec<(&Operator, usize)> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return of_join(join, column);
    }
    let origin = if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let expression = projection.expr().get(column);
        let origin = expression.and_then(|column| index(&column.expr));
        origin.map(|origin| (projection.input(), origin))
    } else if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let origin = picked(filter.projection().as_deref(), column);
        origin.map(|origin| (filter.input(), origin))
    } else if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let key = aggregate.group_expr().expr().get(column);
        let origin = key.and_then(|(key, _)| index(key));
        origin.map(|origin| (aggregate.input(), origin))
    } else {
        let input = without_exchanges(plan);
        (!Arc::ptr_eq(input, plan)).then_some((input, column))
    };
    origin.into_iter().collect()
}

fn of_join(join: &HashJoinExec, column: usize) -> Vec<(&Operator, usize)> {
    use JoinType as J;
    let Some(column) = picked(join.projection.as_deref(), column) else {
        return Vec::new();
    };
    let of_left = join.left().schema().fields().len();
    let of_right = join.right().schema().fields().len();
    let (is_left, column) = match join.join_type() {
        J::Inner | J::Left | J::Right | J::Full => match column.checked_sub(of_left) {
            Some(right) => (false, right),
            None => (true, column),
        },
        J::LeftSemi | J::LeftAnti => (true, column),
        J::RightSemi | J::RightAnti => (false, column),
        J::LeftMark if column < of_left => (true, column),
        J::RightMark if column < of_right => (false, column),
        J::LeftMark | J::RightMark => return Vec::new(),
    };
    let (side, other) = match is_left {
        true => (join.left(), join.right()),
        false => (join.right(), join.left()),
    };
    let mut origins = vec![(side, column)];
    if matches!(join.join_type(), J::Inner | J::LeftSemi | J::RightSemi) {
        for (left, right) in join.on() {
            let (own, equal) = match is_left {
                true => (left, right),
                false => (right, left),
            };
            if index(own) == Some(column)
                && let Some(equal) = index(equal)
            {
                origins.push((other, equal));
            }
        }
    }
    origins
}

/// Returns the column of the input that a projection of columns has in a place.
pub(super) fn picked(projection: Option<&[usize]>, place: usize) -> Option<usize> {
    match projection {
        Some(columns) => columns.get(place).copied(),
        None => Some(place),
    }
}

/// Returns what is below operators that pass on all rows as they are.
pub(super) fn without_exchanges(plan: &Operator) -> &Operator {
    let mut below = plan;
    loop {
        let passes = below.is::<CooperativeExec>()
            || below.is::<RepartitionExec>()
            || (below.is::<CoalescePartitionsExec>() && below.fetch().is_none())
            || (below.is::<SortExec>() && below.fetch().is_none());
        let input = below.children().into_iter().next();
        match input {
            Some(input) if passes => below = input,
            _ => return below,
        }
    }
}

/// Returns the index of an expression that is a column.
pub(super) fn index(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{physical_plan, with_physical_rules};

    /// Returns the estimate for the first column of a query.
    async fn first(sql: &str) -> Distinct {
        let plan = physical_plan(&with_physical_rules(), sql).await;
        distinct(&plan, 0).unwrap()
    }

    const FOUR: &str = "(VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')) f(k, x)";
    const TWO: &str = "(VALUES (1, 1), (2, 2)) t(j, y)";

    #[tokio::test]
    async fn an_inner_join_leaves_the_values_of_both_sides() {
        for sql in [
            format!("SELECT k, x, y FROM {FOUR} JOIN {TWO} ON k = j"),
            format!("SELECT j, x, y FROM {FOUR} JOIN {TWO} ON k = j"),
            format!("SELECT k, x FROM {FOUR} WHERE k IN (SELECT j FROM {TWO})"),
            format!("SELECT k, count(*) FROM {FOUR} JOIN {TWO} ON k = j GROUP BY k"),
        ] {
            let estimate = first(&sql).await;
            assert!(estimate.left <= 2.0, "{sql}: {estimate:?}");
            assert!(estimate.all >= 4.0, "{sql}: {estimate:?}");
        }
    }

    #[tokio::test]
    async fn an_outer_or_anti_join_does_not() {
        for sql in [
            format!("SELECT k, y FROM {FOUR} LEFT JOIN {TWO} ON k = j"),
            format!("SELECT k, y FROM {TWO} RIGHT JOIN {FOUR} ON k = j"),
        ] {
            let estimate = first(&sql).await;
            assert!(estimate.left >= 4.0, "{sql}: {estimate:?}");
        }
        let sql =
            format!("SELECT k FROM {FOUR} WHERE NOT EXISTS (SELECT 1 FROM {TWO} WHERE j = k)");
        assert!(first(&sql).await.all <= 4.0, "{sql}");
    }

    #[tokio::test]
    async fn a_computed_column_comes_from_no_other() {
        let sql = format!("SELECT k + 1, x FROM {FOUR} ORDER BY x");
        let estimate = first(&sql).await;
        assert!((estimate.left - estimate.all).abs() < 0.5, "{estimate:?}");
    }
}
