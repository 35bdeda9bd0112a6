//! Estimates of the parts of a region, and of what joins cost.

use super::keys::Class;
use super::region::{Region, Tree};
use crate::plans::estimates::{Estimate, Joined, Leaves, Place};

/// Costs, in the time that it takes to probe a small hash table with a row.
const BUILD_ROW: f64 = 2.5;
const BUILD_BYTE: f64 = 1.0 / 64.0;
const OUTPUT_ROW: f64 = 0.3;
const OUTPUT_BYTE: f64 = 1.0 / 128.0;
/// A pair of rows of a nested loop.
const PAIR: f64 = 0.2;

/// Bytes of a hash table for each row, beside the row.
const ENTRY: f64 = 16.0;
/// Bytes that caches of processors have. A probe of a much larger table takes twice as long.
const CACHE: f64 = 4_194_304.0;

/// A part of a region, joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub leaves: Leaves,
    pub rows: f64,
    /// Bytes of a row.
    pub width: f64,
    /// The cost of all joins in it.
    pub cost: f64,
}

impl Part {
    pub(super) fn bytes(&self) -> f64 {
        self.rows * self.width
    }
}

/// What the estimates come from.
#[derive(Debug)]
pub(super) struct Model {
    leaves: Vec<Part>,
    joined: Joined,
    looked_up: Leaves,
}

impl Model {
    /// Returns a model; `None` if the rows of a leaf are not known.
    pub(super) fn of(region: &Region, classes: &[Class]) -> Option<Self> {
        let known = estimates(region)?;
        let is_used = |place: Place| {
            let mut conditions = region.conditions.iter();
            region.shows(place)
                || region.semis.iter().any(|semi| semi.compares(place))
                || classes.iter().any(|class| class.columns.contains(&place))
                || conditions.any(|condition| condition.reads(place))
        };
        let leaves = known.iter().enumerate().map(|(leaf, known)| {
            let columns = known.columns.iter().enumerate();
            let used = columns.filter(|(column, _)| {
                let column = *column;
                is_used(Place { leaf, column })
            });
            Part {
                leaves: Leaves::one(leaf),
                rows: known.rows,
                width: used.map(|(_, values)| values.width).sum::<f64>().max(1.0),
                cost: 0.0,
            }
        });
        let leaves: Vec<Part> = leaves.collect();
        let classes = classes.iter().map(|class| class.columns.as_slice());
        let conditions = region.conditions.iter();
        let conditions = conditions.map(|condition| (condition.leaves, &condition.expression));
        let semis = region.semis.iter();
        let semis = semis.map(|semi| (semi.leaf, semi.join_type, semi.keys.as_slice()));
        Some(Self {
            leaves,
            joined: Joined::new(known, classes, conditions, semis),
            looked_up: region.looked_up(),
        })
    }

    /// Returns how many leaves there are.
    pub(super) fn count(&self) -> usize {
        self.leaves.len()
    }

    /// Returns a leaf as a part.
    pub(super) fn leaf(&self, leaf: usize) -> Part {
        let unknown = Part {
            leaves: Leaves::one(leaf),
            rows: 1.0,
            width: 1.0,
            cost: 0.0,
        };
        self.leaves.get(leaf).copied().unwrap_or(unknown)
    }

    /// Returns the rows of a set of leaves.
    pub(super) fn rows(&self, leaves: Leaves) -> f64 {
        self.joined.rows(leaves)
    }

    /// Returns whether keys join two parts.
    pub(super) fn is_keyed(&self, left: Leaves, right: Leaves) -> bool {
        self.is_semi(left) || self.is_semi(right) || self.joined.is_keyed(left, right)
    }

    /// Returns whether a part is what a semi join looks rows up in.
    fn is_semi(&self, part: Leaves) -> bool {
        part.len() == 1 && self.looked_up.holds(part)
    }

    /// Returns two parts as one, of so many rows.
    pub(super) fn joined(&self, left: &Part, right: &Part, rows: f64, is_keyed: bool) -> Part {
        let (build, probe) = match is_build(left, right) {
            true => (left, right),
            false => (right, left),
        };
        let width = match (self.is_semi(left.leaves), self.is_semi(right.leaves)) {
            (false, false) => left.width + right.width,
            (true, _) => right.width,
            (_, true) => left.width,
        };
        let matching = match is_keyed {
            true => {
                let table = build.bytes() + build.rows * ENTRY;
                probe.rows * (1.0 + table / (table + CACHE))
            }
            false => build.rows * probe.rows * PAIR,
        };
        let cost = build.rows * BUILD_ROW
            + build.bytes() * BUILD_BYTE
            + matching
            + rows * (OUTPUT_ROW + width * OUTPUT_BYTE);
        Part {
            leaves: left.leaves.with(right.leaves),
            rows,
            width,
            cost: left.cost + right.cost + cost,
        }
    }

    /// Returns an order with its estimates. What it joins without keys has all pairs of rows: keys
    /// that are implied would join it only in another plan.
    pub(super) fn of_tree(&self, tree: &Tree) -> Part {
        match tree {
            Tree::Leaf(leaf) => self.leaf(*leaf),
            Tree::Join {
                left,
                right,
                is_keyed,
            } => {
                let (left, right) = (self.of_tree(left), self.of_tree(right));
                let rows = match is_keyed {
                    true => self.rows(left.leaves.with(right.leaves)),
                    false => {
                        let share = self.joined.share_of_pairs(left.leaves, right.leaves);
                        (left.rows * right.rows * share).max(1.0)
                    }
                };
                self.joined(&left, &right, rows, *is_keyed)
            }
        }
    }
}

/// Returns what is known of the leaves of a region; `None` if the rows of one of them are not. What a
/// semi join looks rows up in may have any: they are then thought to be as many as those of the
/// largest leaf.
fn estimates(region: &Region) -> Option<Vec<Estimate>> {
    let known: Vec<Option<Estimate>> = region.leaves.iter().map(Estimate::of).collect();
    let rows = known.iter().flatten().map(|leaf| leaf.rows);
    let most = rows.fold(1.0, f64::max);
    let looked_up = region.looked_up();
    let leaves = known.into_iter().zip(&region.leaves).enumerate();
    let leaves = leaves.map(|(number, (leaf, plan))| {
        leaf.or_else(|| looked_up.has(number).then(|| Estimate::unknown(plan, most)))
    });
    leaves.collect()
}

/// Returns whether a hash table is built of the left one of two parts.
pub(super) fn is_build(left: &Part, right: &Part) -> bool {
    let by_bytes = left.bytes().total_cmp(&right.bytes());
    by_bytes.then(left.rows.total_cmp(&right.rows)).is_le()
}
