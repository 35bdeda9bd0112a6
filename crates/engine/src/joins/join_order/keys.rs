//! Classes of columns that the keys of a region make equal.
//!
//! Keys are transitive: `a.x = b.x AND b.x = c.x` joins `a` with `c` too, and two of the three
//! equalities imply the third. So the columns of a class need one equality for each join.

use arrow::datatypes::DataType;

use super::region::Region;
use crate::plans::estimates::{Leaves, Place};

/// Columns of different leaves that are equal in the result. Within a part of the region they are
/// equal too: each join of two parts that have columns of the class has one of its equalities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub columns: Vec<Place>,
    pub leaves: Leaves,
}

impl Class {
    fn of(columns: Vec<Place>) -> Self {
        Self {
            leaves: columns.iter().map(|place| place.leaf).collect(),
            columns,
        }
    }
}

/// Returns the classes of a region's keys. Each key is in one of them.
///
/// A key is in a class of its own if its types do not let it be transitive, or if the class that it
/// would make had two columns of one leaf: a scan does not make its own columns equal.
pub(super) fn classes(region: &Region) -> Vec<Class> {
    let data_type = |place: Place| {
        let leaf = region.leaves.get(place.leaf)?;
        let schema = leaf.schema();
        let field = schema.fields().get(place.column)?;
        Some(field.data_type().clone())
    };
    let mut merged: Vec<Class> = Vec::new();
    let mut alone: Vec<Class> = Vec::new();
    for (left, right) in &region.keys {
        let is_transitive = data_type(*left)
            .zip(data_type(*right))
            .is_some_and(|(left, right)| left == right && is_exact(&left));
        let key = Class::of(vec![*left, *right]);
        if !is_transitive {
            alone.push(key);
            continue;
        }
        let of = |place: &Place| {
            let mut classes = merged.iter();
            classes.position(|class| class.columns.contains(place))
        };
        let (of_left, of_right) = (of(left), of(right));
        if of_left.is_some() && of_left == of_right {
            continue;
        }
        let columns = |class: Option<usize>, place: &Place| {
            let class = class.and_then(|class| merged.get(class));
            class.map_or_else(|| vec![*place], |class| class.columns.clone())
        };
        let mut all = columns(of_left, left);
        all.extend(columns(of_right, right));
        let both = Class::of(all);
        if both.leaves.len() < both.columns.len() {
            alone.push(key);
            continue;
        }
        let mut place = 0;
        merged.retain(|_| {
            let is_kept = Some(place) != of_left && Some(place) != of_right;
            place += 1;
            is_kept
        });
        merged.push(both);
    }
    alone.dedup();
    merged.extend(alone);
    merged
}

/// Returns whether equal values of a type have the same bytes.
fn is_exact(data_type: &DataType) -> bool {
    !data_type.is_floating() && !data_type.is_nested()
}
