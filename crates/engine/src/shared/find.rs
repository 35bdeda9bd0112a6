//! Finds the parts of a plan that are equal.
//!
//! From the top down, subtrees of one hash are compared. The first of several equal subtrees is where
//! their rows are computed: parts are looked for in it too, but not in the others.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;

use super::part::Part;
use super::standing_for;
use super::survey::{Node, Survey, reads_a_table_twice};
use crate::limits::stop::check;

/// A plan, and the parts that it reads.
pub(super) struct Divided {
    pub plan: LogicalPlan,
    /// A part comes after those that it reads.
    pub parts: Vec<(Arc<Part>, LogicalPlan)>,
}

/// Returns a plan whose equal parts are read from one place; `None` if it has none. `bound`: bytes
/// of rows that its parts keep in memory.
///
/// # Errors
///
/// Returns an error if planning must stop.
pub(super) fn divided(plan: &LogicalPlan, bound: usize) -> Result<Option<Divided>> {
    if !reads_a_table_twice(plan)? {
        return Ok(None);
    }
    let survey = Survey::of(plan)?;
    let places = survey.places()?;
    let mut firsts: Vec<usize> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        // Places are numbered in the order of their first nodes.
        if *place == Some(firsts.len()) {
            firsts.push(index);
        }
    }
    if firsts.is_empty() {
        return Ok(None);
    }
    // What a part reads is smaller than the part.
    let mut order: Vec<usize> = (0..firsts.len()).collect();
    let size = |place: &usize| firsts.get(*place).map_or(0, |first| survey.size(*first));
    order.sort_by_key(size);
    // EXPLAIN shows the numbers, which must not tell of parts behind barriers.
    let is_shown = |place: &usize| {
        let first = firsts
            .get(*place)
            .and_then(|first| survey.nodes.get(*first));
        first.is_some_and(|node| node.barrier.is_none())
    };
    let (shown, hidden): (Vec<usize>, Vec<usize>) = order.iter().copied().partition(is_shown);
    let mut numbers = vec![0; firsts.len()];
    for (number, place) in (1..).zip(shown.into_iter().chain(hidden)) {
        if let Some(known) = numbers.get_mut(place) {
            *known = number;
        }
    }
    let bound = bound / firsts.len();
    let parts: Vec<Arc<Part>> = firsts
        .iter()
        .zip(numbers)
        .filter_map(|(first, number)| {
            let schema = survey.nodes.get(*first)?.plan.schema();
            Some(Arc::new(Part::new(number, Arc::clone(schema), bound)))
        })
        .collect();
    let reader = |index: usize| {
        let place = places.get(index).copied().flatten()?;
        parts.get(place).map(standing_for)
    };
    let Some(plan) = survey.rewritten(plan.clone(), 0, reader)? else {
        return Ok(None);
    };
    let mut divided = Divided {
        plan,
        parts: Vec::new(),
    };
    for place in order {
        let (Some(part), Some(first)) = (parts.get(place), firsts.get(place)) else {
            return Ok(None);
        };
        let Some(node) = survey.nodes.get(*first) else {
            return Ok(None);
        };
        // The first node stays: the plan is that of its part.
        let below = |index: usize| reader(index).filter(|_| index != *first);
        let Some(plan) = survey.rewritten(node.plan.clone(), *first, below)? else {
            return Ok(None);
        };
        divided.parts.push((Arc::clone(part), plan));
    }
    Ok(Some(divided))
}

impl Survey {
    /// Returns for each node the number of the set of equal subtrees that it is the root of one of.
    ///
    /// # Errors
    ///
    /// Returns an error if planning must stop.
    fn places(&self) -> Result<Vec<Option<usize>>> {
        let mut alike: HashMap<(u64, Option<usize>), Vec<usize>> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if self.is_candidate(node) {
                let key = (node.hash, node.barrier);
                alike.entry(key).or_default().push(index);
            }
        }
        let mut places: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut is_gone = vec![false; self.nodes.len()];
        let mut count = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            let is_free = |other: usize| {
                places.get(other) == Some(&None) && is_gone.get(other) == Some(&false)
            };
            if !is_free(index) || !self.is_candidate(node) {
                continue;
            }
            check()?;
            let others = alike.get(&(node.hash, node.barrier));
            let equal: Vec<usize> = others
                .into_iter()
                .flatten()
                .copied()
                .filter(|other| *other > index && is_free(*other) && self.are_equal(index, *other))
                .collect();
            let is_in_more = |inner: &Node| {
                let alike = alike
                    .get(&(inner.hash, inner.barrier))
                    .into_iter()
                    .flatten();
                alike.filter(|other| is_free(**other)).count() > equal.len() + 1
            };
            if equal.is_empty() || self.passed_on(index).is_some_and(is_in_more) {
                continue;
            }
            for other in equal {
                places[other] = Some(count);
                let end = other + self.size(other);
                is_gone[other + 1..end].fill(true);
            }
            places[index] = Some(count);
            count += 1;
        }
        Ok(places)
    }
}
