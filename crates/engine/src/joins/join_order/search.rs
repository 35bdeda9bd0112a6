//! The search for the cheapest order.
//!
//! [`best`] finds it by dynamic programming over the connected parts of the graph, bushy orders
//! included, in the order of DPhyp (G. Moerkotte and T. Neumann, "Dynamic Programming Strikes
//! Back", SIGMOD 2008): each pair of connected parts that can be joined is looked at once, after
//! all pairs within the two. [`greedy`] joins the pair of the fewest rows each time (L. Fegaras, "A
//! New Heuristic for Optimizing Large Queries", DEXA 1998), for graphs with too many pairs.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::graph::Graph;
use super::model::{Model, Part, is_build};
use super::region::Tree;
use crate::limits::stop::check;
use crate::plans::estimates::{Leaves, LeavesHasher};

/// The most pairs of parts that are looked at: some milliseconds.
const MOST_PAIRS: usize = 10_000;

/// The most sets of neighbours that are looked at, of which some are not parts.
const MOST_STEPS: usize = 100_000;

/// The cheapest order of each part that was looked at.
#[derive(Debug)]
pub(super) struct Table {
    best: HashMap<Leaves, Best, BuildHasherDefault<LeavesHasher>>,
}

#[derive(Debug, Clone, Copy)]
struct Best {
    part: Part,
    /// What is joined last, the build side first; `None` for a leaf.
    sides: Option<(Leaves, Leaves)>,
}

impl Table {
    fn of_leaves(model: &Model) -> Self {
        let leaves = (0..model.count()).map(|leaf| {
            let part = model.leaf(leaf);
            (part.leaves, Best { part, sides: None })
        });
        Self {
            best: leaves.collect(),
        }
    }

    fn has(&self, part: Leaves) -> bool {
        self.best.contains_key(&part)
    }

    /// Looks at a join of two parts, and keeps it if it is the cheapest of its leaves so far.
    fn consider(&mut self, model: &Model, left: Leaves, right: Leaves) {
        let (Some(left), Some(right)) = (self.best.get(&left), self.best.get(&right)) else {
            return;
        };
        let (left, right) = (left.part, right.part);
        let leaves = left.leaves.with(right.leaves);
        let known = self.best.get(&leaves).map(|best| best.part);
        let rows = known.map_or_else(|| model.rows(leaves), |part| part.rows);
        let is_keyed = model.is_keyed(left.leaves, right.leaves);
        let part = model.joined(&left, &right, rows, is_keyed);
        if known.is_some_and(|known| known.cost <= part.cost) {
            return;
        }
        let sides = match is_build(&left, &right) {
            true => (left.leaves, right.leaves),
            false => (right.leaves, left.leaves),
        };
        let sides = Some(sides);
        self.best.insert(leaves, Best { part, sides });
    }

    /// Returns what is estimated of a part; `None` if it was not looked at.
    pub(super) fn part(&self, part: Leaves) -> Option<Part> {
        self.best.get(&part).map(|best| best.part)
    }

    /// Returns the cheapest order of a part; `None` if none was found.
    pub(super) fn tree(&self, model: &Model, part: Leaves) -> Option<Tree> {
        let best = self.best.get(&part)?;
        let Some((left, right)) = best.sides else {
            return part.lowest().map(Tree::Leaf);
        };
        Some(Tree::Join {
            left: Box::new(self.tree(model, left)?),
            right: Box::new(self.tree(model, right)?),
            is_keyed: model.is_keyed(left, right),
        })
    }
}

/// Returns the cheapest orders; `None` if there are too many pairs to look at.
pub(super) fn best(model: &Model, graph: &Graph) -> Option<Table> {
    if graph.least_pairs() > MOST_PAIRS as f64 {
        return None;
    }
    let mut search = Search {
        model,
        graph,
        table: Table::of_leaves(model),
        pairs: 0,
        steps: 0,
    };
    for leaf in (0..model.count()).rev() {
        let part = Leaves::one(leaf);
        search.join(part)?;
        search.grow(part, Leaves::up_to(leaf), None)?;
    }
    Some(search.table)
}

/// A search by dynamic programming. Its functions return `None` if it takes too long.
struct Search<'a> {
    model: &'a Model,
    graph: &'a Graph,
    table: Table,
    pairs: usize,
    steps: usize,
}

impl Search<'_> {
    /// Adds neighbours to a part in all ways. Joins each part that results: with another part if
    /// one is given, or else with all parts.
    fn grow(&mut self, part: Leaves, excluded: Leaves, with: Option<Leaves>) -> Option<()> {
        let near = self.graph.near(part, excluded);
        for more in near.subsets() {
            self.step()?;
            let grown = part.with(more);
            if !self.table.has(grown) {
                continue;
            }
            match with {
                None => self.join(grown)?,
                Some(with) if self.graph.connects(with, grown) => self.pair(with, grown)?,
                Some(_) => {}
            }
        }
        for more in near.subsets() {
            self.step()?;
            self.grow(part.with(more), excluded.with(near), with)?;
        }
        Some(())
    }

    /// Joins a part with all parts that have only leaves above its first.
    fn join(&mut self, part: Leaves) -> Option<()> {
        let Some(first) = part.lowest() else {
            return Some(());
        };
        let excluded = part.with(Leaves::up_to(first));
        let near = self.graph.near(part, excluded);
        for leaf in near.descending() {
            self.step()?;
            let other = Leaves::one(leaf);
            if self.graph.connects(part, other) {
                self.pair(part, other)?;
            }
            // Parts with lower neighbours start there.
            let lower = near.common(Leaves::up_to(leaf));
            self.grow(other, excluded.with(lower), Some(part))?;
        }
        Some(())
    }

    fn pair(&mut self, left: Leaves, right: Leaves) -> Option<()> {
        self.pairs += 1;
        if self.pairs > MOST_PAIRS {
            return None;
        }
        self.table.consider(self.model, left, right);
        Some(())
    }

    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        // The rule fails after a search that was stopped.
        (self.steps <= MOST_STEPS && check().is_ok()).then_some(())
    }
}

/// Returns an order that joins the pair of the fewest rows each time.
pub(super) fn greedy(model: &Model, graph: &Graph) -> Table {
    let mut table = Table::of_leaves(model);
    let mut parts: Vec<Leaves> = Vec::with_capacity(model.count());
    let mut pairs: Vec<Pair> = Vec::new();
    for leaf in (0..model.count()).map(Leaves::one) {
        pairs.extend(Pair::of_part(model, graph, leaf, &parts));
        parts.push(leaf);
    }
    loop {
        let fewest = pairs.iter().min_by(|one, other| {
            let by_rows = one.rows.total_cmp(&other.rows);
            by_rows.then(one.read.total_cmp(&other.read))
        });
        let Some(Pair { left, right, .. }) = fewest.copied() else {
            return table;
        };
        table.consider(model, left, right);
        let joined = left.with(right);
        parts.retain(|part| !part.meets(joined));
        pairs.retain(|pair| !pair.left.meets(joined) && !pair.right.meets(joined));
        pairs.extend(Pair::of_part(model, graph, joined, &parts));
        parts.push(joined);
    }
}

/// Two parts that can be joined.
#[derive(Debug, Clone, Copy)]
struct Pair {
    left: Leaves,
    right: Leaves,
    rows: f64,
    /// Rows of both: of two pairs that leave as many rows, the one that reads fewer is first.
    read: f64,
}

impl Pair {
    /// Returns the pairs of a part with others.
    fn of_part(
        model: &Model,
        graph: &Graph,
        right: Leaves,
        others: &[Leaves],
    ) -> impl Iterator<Item = Self> {
        let connected = others
            .iter()
            .filter(move |left| graph.connects(**left, right));
        connected.map(move |left| Self {
            left: *left,
            right,
            rows: model.rows(left.with(right)),
            read: model.rows(*left) + model.rows(right),
        })
    }
}
