//! GROUPING SETS, ROLLUP and CUBE in a correlated subquery.
//!
//! ```text
//! GROUP BY ROLLUP (a)     GROUP BY GROUPING SETS ((d, a), (d)), of the domain's column d
//! ```
//!
//! The domain's columns come first: the bits of the other keys in the grouping id stay as they are.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::common::{Result, ScalarValue};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::utils::powerset;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlanBuilder, cast};

use super::bind::{Binder, Bound, bind, refs, value_of_none};
use super::refused;

/// Returns whether an aggregate has sets of keys.
pub(super) fn has_sets(aggregate: &Aggregate) -> bool {
    let mut keys = aggregate.group_expr.iter();
    keys.any(|key| matches!(key, Expr::GroupingSet(_)))
}

/// Binds an aggregate with sets of keys.
///
/// # Errors
///
/// Returns an error if the empty set is there several times, or the input cannot be bound.
pub(super) fn bind_sets(binder: &mut Binder<'_>, aggregate: Aggregate) -> Result<Bound> {
    let sets = sets_of(&aggregate.group_expr)?;
    let empty_sets = sets.iter().filter(|set| set.is_empty()).count();
    let own = aggregate.schema.columns();
    // Keys, the grouping id, aggregates.
    let count = own.len().checked_sub(aggregate.aggr_expr.len() + 1);
    let (Some(count), 0..=1) = (count, empty_sets) else {
        return refused(
            "several empty GROUPING SETS in a correlated subquery are not supported; write them once",
        );
    };
    let schema = Arc::clone(&aggregate.schema);
    let id_type = schema.field(count).data_type().clone();
    // What a value without rows has: the row of the empty set, without keys.
    let mut of_none = vec![None; count];
    let no_keys = 1_u64
        .checked_shl(u32::try_from(count).unwrap_or(u32::MAX))
        .map_or(u64::MAX, |bit| bit - 1);
    let no_keys = ScalarValue::UInt64(Some(no_keys)).cast_to(&id_type)?;
    of_none.push(Some(Expr::Literal(no_keys, None)));
    let fields = schema.fields().iter().skip(count + 1);
    for (expr, field) in aggregate.aggr_expr.iter().zip(fields) {
        of_none.push(value_of_none(expr, field.data_type())?);
    }

    let input = bind(binder, Arc::unwrap_or_clone(aggregate.input))?;
    let mut bound = Vec::with_capacity(sets.len());
    for set in sets {
        let mut keys: Vec<Expr> = refs(&input.columns).collect();
        for key in set {
            keys.push(binder.expr(key, &input.columns)?);
        }
        bound.push(keys);
    }
    let bound = GroupingSet::GroupingSets(bound);
    if bound.distinct_expr().len() != input.columns.len() + count {
        return refused("a key that is twice in ROLLUP or CUBE is not supported here");
    }
    let aggregates: Vec<Expr> = aggregate
        .aggr_expr
        .into_iter()
        .map(|expr| binder.expr(expr, &input.columns))
        .collect::<Result<_>>()?;
    let grouped = LogicalPlanBuilder::from(input.plan)
        .aggregate(vec![Expr::GroupingSet(bound)], aggregates)?
        .build()?;

    let (joined, columns) = match empty_sets {
        0 => (LogicalPlanBuilder::from(grouped), input.columns),
        _ => binder.for_each_value(grouped, input.columns)?,
    };
    let values = own.into_iter().zip(of_none).enumerate();
    let values = values.map(|(place, (column, of_none))| {
        let (relation, name) = (column.relation.clone(), column.name.clone());
        let value = Expr::Column(column);
        let of_none = of_none.filter(|_| empty_sets > 0);
        match (place.cmp(&count), of_none) {
            // With more keys, the id may have a larger type.
            (Ordering::Equal, None) => cast(value, id_type.clone()).alias_qualified(relation, name),
            (Ordering::Equal, Some(of_none)) => {
                let id = cast(value, id_type.clone());
                coalesce(vec![id, of_none]).alias_qualified(relation, name)
            }
            (_, Some(of_none)) => coalesce(vec![value, of_none]).alias_qualified(relation, name),
            (_, None) => value,
        }
    });
    let exprs: Vec<Expr> = refs(&columns).chain(values).collect();
    Ok(Bound {
        plan: joined.project(exprs)?.build()?,
        first: columns.len(),
        columns,
    })
}

/// Returns the sets of keys. The keys are first named in the order of the aggregate's columns.
fn sets_of(keys: &[Expr]) -> Result<Vec<Vec<Expr>>> {
    let [Expr::GroupingSet(sets)] = keys else {
        return refused("a correlated subquery with such groups is not supported");
    };
    Ok(match sets {
        GroupingSet::GroupingSets(sets) => sets.clone(),
        GroupingSet::Rollup(keys) => {
            let lengths = (0..=keys.len()).rev();
            lengths
                .map(|length| keys.iter().take(length).cloned().collect())
                .collect()
        }
        GroupingSet::Cube(keys) => {
            let sets = powerset(keys)?.into_iter().rev();
            sets.map(|set| set.into_iter().cloned().collect()).collect()
        }
    })
}
