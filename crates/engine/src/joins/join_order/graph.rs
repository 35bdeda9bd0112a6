//! Which parts of a region can be joined.

use super::keys::Class;
use super::region::Region;
use crate::plans::estimates::Leaves;

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

    /// Returns how many pairs of connected parts can be joined at the least: those along a tree of
    /// edges. A part of it with `n` edges is a pair of parts in `n` ways.
    pub(super) fn least_pairs(&self) -> f64 {
        let edges = |leaf: usize| self.near.get(leaf).copied().unwrap_or_default();
        // Most pairs are those around a leaf with many neighbours.
        let Some(root) = (0..self.near.len()).max_by_key(|leaf| edges(*leaf).len()) else {
            return 0.0;
        };
        let mut tree = vec![Branch::new(root, 0)];
        let mut reached = Leaves::one(root);
        let mut next = 0;
        while let Some(leaf) = tree.get(next).map(|branch| branch.leaf) {
            let below = edges(leaf).without(reached);
            tree.extend(below.ascending().map(|leaf| Branch::new(leaf, next)));
            reached = reached.with(below);
            next += 1;
        }
        let mut pairs = 0.0;
        // Leaves come after the ones above them.
        while let Some(branch) = tree.pop() {
            pairs += branch.edges;
            if let Some(above) = tree.get_mut(branch.above) {
                above.edges = above.edges * (1.0 + branch.parts)
                    + above.parts * (branch.edges + branch.parts);
                above.parts *= 1.0 + branch.parts;
            }
        }
        pairs
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

/// A leaf of a tree of edges, with what is below it.
struct Branch {
    leaf: usize,
    /// The place of the leaf above.
    above: usize,
    /// Connected parts of which it is the highest leaf.
    parts: f64,
    /// The edges in all of them.
    edges: f64,
}

impl Branch {
    fn new(leaf: usize, above: usize) -> Self {
        Self {
            leaf,
            above,
            parts: 1.0,
            edges: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the pairs of a graph of these edges.
    fn pairs(count: usize, edges: &[(usize, usize)]) -> f64 {
        let mut graph = Graph {
            near: vec![Leaves::default(); count],
            wide: Vec::new(),
        };
        for (one, other) in edges {
            graph.connect(*one, Leaves::one(*other));
            graph.connect(*other, Leaves::one(*one));
        }
        graph.least_pairs()
    }

    #[test]
    fn pairs_along_a_tree_are_counted() {
        assert_eq!(pairs(0, &[]), 0.0);
        assert_eq!(pairs(1, &[]), 0.0);
        assert_eq!(pairs(2, &[(0, 1)]), 1.0);
        // A chain, a star, and a star with a longer ray.
        assert_eq!(pairs(4, &[(0, 1), (1, 2), (2, 3)]), 10.0);
        assert_eq!(pairs(4, &[(3, 0), (3, 1), (3, 2)]), 12.0);
        assert_eq!(pairs(5, &[(3, 0), (3, 1), (3, 2), (2, 4)]), 25.0);
        // Of a triangle, two edges.
        assert_eq!(pairs(3, &[(0, 1), (1, 2), (2, 0)]), 4.0);
        // What is not connected is not in the tree.
        assert_eq!(pairs(4, &[(0, 1), (1, 2)]), 4.0);
    }
}
