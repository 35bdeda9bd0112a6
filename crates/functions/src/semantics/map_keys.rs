//! Maps as keys of GROUP BY, DISTINCT, distinct aggregates and IS DISTINCT FROM, where the order of entries does not
//! matter. The engine compares them entry by entry, so that their entries are sorted before.
//!
//! ```text
//! SELECT DISTINCT m FROM t        SELECT DISTINCT "$ordered_map"(m) AS m FROM t
//! count(DISTINCT m)               count(DISTINCT "$ordered_map"(m))
//! m IS DISTINCT FROM n            "$ordered_map"(m) IS DISTINCT FROM "$ordered_map"(n)
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt64Array, make_comparator};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF,
    TypeSignature,
};
use lakegate_error::Error;

use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// Sorts the entries of a map.
pub(super) const NAME: &str = "$ordered_map";

static ORDERED: Page = Page {
    name: NAME,
    section: "Conversion",
    syntax: "$ordered_map(map)",
    sentence: "Sorts the entries of a map by their keys.",
    example: "\"$ordered_map\"(MAP(ARRAY[2, 1], ARRAY['b', 'a']))",
    result: "{1=a, 2=b}",
};

pub(super) fn entries() -> Vec<Entry> {
    let returns = Returns::Field(|fields| match fields {
        [map] => Ok(Arc::clone(map)),
        _ => Err(Error::internal("a map is missing").into()),
    });
    let kernel = Kernel::new(&ORDERED, vec![TypeSignature::Any(1)], returns, ordered);
    vec![Entry::scalar(kernel).in_trino().unlisted()]
}

fn ordered(call: &Call<'_>) -> Result<ArrayRef> {
    let array = &call.columns[0].array;
    let (Some(maps), DataType::Map(entries, sorted)) = (array.as_map_opt(), array.data_type())
    else {
        return Ok(Arc::clone(array));
    };
    let compare = make_comparator(maps.keys(), maps.keys(), SortOptions::default())?;
    let mut places: Vec<u64> = Vec::with_capacity(maps.entries().len());
    let mut lengths = Vec::with_capacity(maps.len());
    for (row, ends) in maps.value_offsets().windows(2).enumerate() {
        let &[start, end] = ends else { continue };
        let range = match maps.is_null(row) {
            true => 0..0,
            false => usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0),
        };
        call.work.builds(range.len().saturating_mul(8))?;
        lengths.push(range.len());
        let mut order: Vec<usize> = range.collect();
        order.sort_by(|one, other| compare(*one, *other));
        places.extend(order.into_iter().map(|place| place as u64));
    }
    let sorted_entries = take(maps.entries(), &UInt64Array::from(places), None)?;
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(entries),
        OffsetBuffer::from_lengths(lengths),
        sorted_entries.as_struct().clone(),
        maps.nulls().cloned(),
        *sorted,
    )?))
}

fn is_map(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema)
        .is_ok_and(|of| matches!(of, DataType::Map(..)))
}

/// Sorts the entries of arguments that are maps. Returns whether there are any.
pub(super) fn order(function: &Arc<ScalarUDF>, args: &mut [Expr], schema: &DFSchema) -> bool {
    let mut is_changed = false;
    for arg in args {
        if is_map(arg, schema) {
            *arg = function.call(vec![std::mem::take(arg)]);
            is_changed = true;
        }
    }
    is_changed
}

/// Sorts the entries of maps below DISTINCT and GROUP BY; `None` if there are none.
pub(super) fn of_operator(
    function: &Arc<ScalarUDF>,
    node: &LogicalPlan,
) -> Result<Option<LogicalPlan>> {
    match node {
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let Some(ordered) = with_ordered(function, input, |_| true)? else {
                return Ok(None);
            };
            let distinct = Distinct::All(Arc::new(ordered));
            Ok(Some(LogicalPlan::Distinct(distinct)))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let keys = &aggregate.group_expr;
            let is_key = |column: &Expr| keys.contains(column);
            let Some(ordered) = with_ordered(function, &aggregate.input, is_key)? else {
                return Ok(None);
            };
            let computed = aggregate.aggr_expr.clone();
            let aggregate = Aggregate::try_new(Arc::new(ordered), keys.clone(), computed)?;
            Ok(Some(LogicalPlan::Aggregate(aggregate)))
        }
        _ => Ok(None),
    }
}

/// Returns the relation with sorted entries in the keys that are maps; `None` if no key is one.
fn with_ordered(
    function: &Arc<ScalarUDF>,
    input: &Arc<LogicalPlan>,
    is_key: impl Fn(&Expr) -> bool,
) -> Result<Option<LogicalPlan>> {
    let mut is_changed = false;
    let columns: Vec<Expr> = input
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::from((qualifier, field));
            match matches!(field.data_type(), DataType::Map(..)) && is_key(&column) {
                true => {
                    is_changed = true;
                    let ordered = function.call(vec![column]);
                    ordered.alias_qualified(qualifier.cloned(), field.name().clone())
                }
                false => column,
            }
        })
        .collect();
    if !is_changed {
        return Ok(None);
    }
    LogicalPlanBuilder::from(LogicalPlan::clone(input))
        .project(columns)?
        .build()
        .map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::rows;

    #[tokio::test]
    async fn the_order_of_entries_does_not_matter() {
        let maps = "(VALUES (1, MAP(ARRAY[1, 2], ARRAY['a', 'b'])), (2, MAP(ARRAY[2, 1], ARRAY['b', 'a'])), (3, NULL), (4, MAP(ARRAY[2, 1], ARRAY['a', 'b']))) t(i, m)";
        for (query, expected) in [
            ("SELECT count(DISTINCT m) FROM T", vec!["2"]),
            (
                "SELECT count(*) FROM (SELECT DISTINCT m FROM T) q",
                vec!["3"],
            ),
            (
                "SELECT count(*) FROM T GROUP BY m ORDER BY 1",
                vec!["1", "1", "2"],
            ),
            (
                "SELECT count(*) FROM (SELECT m FROM T UNION SELECT m FROM T) q",
                vec!["3"],
            ),
        ] {
            let query = query.replace("FROM T", &format!("FROM {maps}"));
            assert_eq!(rows(&query).await.unwrap(), expected, "{query}");
        }
    }
}
