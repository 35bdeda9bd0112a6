//! Which parts of a region can be joined.

use super::keys::Class;
use super::region::Region;
use crate::estimates::Leaves;

/// The leaves of a region as nodes. An edge joins two leaves, mostly by a key; a wide edge joins
/// two sets of leaves, which have no other edge between them.
#[derive(Debug)]
pub(super) struct Graph {
    /// The neighbours of each leaf.
    near: Vec<Leaves>,
    wide: Vec<(Leaves, Leaves)>,
}

impl Graph {
    /// Returns the graph of a region, in which all leaves are connected.
    ///
    /// Conditions of two leaves are edges only between what keys do not connect: a nested loop is
    /// seldom faster than the keys. What is not connected then either, is joined as a whole, of
    /// which the conditions of more leaves, or none at all, make a nested loop or a cross join.
    ///
    /// The leaf of a semi join has one edge: to all the leaves that the join reads. So a part that
    /// holds it and others holds them, too.
    pub(super) fn of(region: &Region, classes: &[Class]) -> Self {
        let count = region.leaves.len();
        let mut graph = Self {
            near: vec![Leaves::default(); count],
            wide: Vec::new(),
        };
        let joined = Leaves::first(count).without(region.looked_up());
        for class in classes {
            for leaf in class.leaves.ascending() {
                graph.connect(leaf, class.leaves);
            }
        }
        let by_keys = graph.components(joined);
        for condition in &region.conditions {
            let is_within = by_keys.iter().any(|part| part.holds(condition.leaves));
            if condition.leaves.len() == 2 && !is_within {
                for leaf in condition.leaves.ascending() {
                    graph.connect(leaf, condition.leaves);
                }
            }
        }
        let mut components = graph.components(joined);
        while let Some(one) = components.pop() {
            for other in &components {
                match one.lowest().zip(other.lowest()) {
                    Some((leaf, with)) if one.len() == 1 && other.len() == 1 => {
                        graph.connect(leaf, *other);
                        graph.connect(with, one);
                    }
                    _ => graph.wide.push((*other, one)),
                }
            }
        }
        for semi in &region.semis {
            let one = Leaves::one(semi.leaf);
            match semi.reads.lowest() {
                Some(leaf) if semi.reads.len() == 1 => {
                    graph.connect(leaf, one);
                    graph.connect(semi.leaf, semi.reads);
                }
                _ => graph.wide.push((semi.reads, one)),
            }
        }
        graph
    }

    fn connect(&mut self, leaf: usize, with: Leaves) {
        if let Some(near) = self.near.get_mut(leaf) {
            *near = near.with(with.without(Leaves::one(leaf)));
        }
    }

    /// Returns the sets of these leaves between which there are no edges.
    fn components(&self, mut rest: Leaves) -> Vec<Leaves> {
        let mut components = Vec::new();
        while let Some(leaf) = rest.lowest() {
            let mut component = Leaves::one(leaf);
            loop {
                let near = self.near_edges(component);
                if component.holds(near) {
                    break;
                }
                component = component.with(near);
            }
            rest = rest.without(component);
            components.push(component);
        }
        components
    }

    fn near_edges(&self, part: Leaves) -> Leaves {
        let near = part.ascending().filter_map(|leaf| self.near.get(leaf));
        near.copied().fold(Leaves::default(), Leaves::with)
    }

    /// Returns whether two parts, which have no leaf in common, can be joined.
    pub(super) fn connects(&self, left: Leaves, right: Leaves) -> bool {
        self.near_edges(left).meets(right)
            || self.wide.iter().any(|(one, other)| {
                (left.holds(*one) && right.holds(*other))
                    || (left.holds(*other) && right.holds(*one))
            })
    }

    /// Returns the neighbours of a part that are not excluded. A neighbour that is a set of leaves
    /// is represented by its first leaf.
    pub(super) fn near(&self, part: Leaves, excluded: Leaves) -> Leaves {
        let blocked = part.with(excluded);
        let mut near = self.near_edges(part).without(blocked);
        for (one, other) in &self.wide {
            for (from, to) in [(one, other), (other, one)] {
                if part.holds(*from)
                    && !to.meets(blocked)
                    && !to.meets(near)
                    && let Some(first) = to.lowest()
                {
                    near = near.with(Leaves::one(first));
                }
            }
        }
        near
    }
}
