//! Estimates of the rows of a part of a region, and of what joins cost.
//!
//! The rows of a set of leaves do not depend on the order in which they are joined:
//!
//! ```text
//! rows = product of the leaves' rows × shares of conditions ÷ divisors of keys
//! ```
//!
//! A class of equal columns in `n` leaves has `n - 1` divisors. The divisor of two columns is the
//! number of distinct values of the one with more of them (System R). Where the bounds of both are
//! known, it is at least the number of values that both may have: a filter on another column leaves
//! a tenth of a dimension's keys, and with them a tenth of the facts.
//!
//! Several keys between the same two leaves are seldom independent: the divisors after the first
//! count by their square root, fourth root and so on, and together they are no more than the
//! geometric mean of the leaves' rows, of which one is often the number of distinct keys.

use datafusion::common::JoinType;

use super::keys::Class;
use super::leaf::{Leaf, Values, span};
use super::leaves::Leaves;
use super::region::{Place, Region, Semi, Tree};
use super::selectivity::share;

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

/// The least share of rows that an anti join is thought to keep.
const LEAST_KEPT: f64 = 0.1;

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
    leaves: Vec<Estimated>,
    classes: Vec<Keys>,
    /// Leaves of conditions, and the logarithms of their shares.
    conditions: Vec<(Leaves, f64)>,
    /// Leaves of semi joins, and the logarithms of the shares of rows that they keep.
    semis: Vec<(usize, f64)>,
    looked_up: Leaves,
    /// How many classes two leaves have in common.
    common: Vec<Vec<usize>>,
}

#[derive(Debug)]
struct Estimated {
    rows: f64,
    whole: f64,
    width: f64,
}

/// A class with what is known of its columns, those of fewer distinct values first.
#[derive(Debug)]
struct Keys {
    leaves: Leaves,
    columns: Vec<(usize, Values)>,
}

/// A divisor of a product of rows.
#[derive(Debug)]
struct Divisor {
    leaf: usize,
    /// The leaf that it joins `leaf` with.
    with: usize,
    by: f64,
}

impl Model {
    /// Returns a model; `None` if the rows of a leaf are not known.
    pub(super) fn of(region: &Region, classes: &[Class]) -> Option<Self> {
        let leaves = leaves(region)?;
        let is_used = |place: Place| {
            let mut conditions = region.conditions.iter();
            region.shows(place)
                || region.semis.iter().any(|semi| semi.compares(place))
                || classes.iter().any(|class| class.columns.contains(&place))
                || conditions.any(|condition| {
                    let mut columns = condition.columns.iter();
                    columns.any(|(_, column)| *column == place)
                })
        };
        let estimated = leaves.iter().enumerate().map(|(number, leaf)| {
            let columns = leaf.columns.iter().enumerate();
            let used = columns.filter(|(column, _)| {
                is_used(Place {
                    leaf: number,
                    column: *column,
                })
            });
            Estimated {
                rows: leaf.rows,
                whole: leaf.whole,
                width: used.map(|(_, values)| values.width).sum::<f64>().max(1.0),
            }
        });
        let keys = classes.iter().map(|class| Keys::of(class, &leaves));
        let conditions = region.conditions.iter();
        let conditions = conditions.map(|condition| {
            let share = share(&condition.expression);
            (condition.leaves, share.ln())
        });
        let in_common = |left: usize, right: usize| {
            let both = Leaves::one(left).with(Leaves::one(right));
            let classes = classes.iter();
            classes.filter(|class| class.leaves.holds(both)).count()
        };
        let numbers = 0..leaves.len();
        let common = numbers.clone().map(|left| {
            let row = numbers.clone().map(|right| in_common(left, right));
            row.collect()
        });
        let semis = region.semis.iter();
        let semis = semis.map(|semi| (semi.leaf, kept(semi, &leaves).ln()));
        Some(Self {
            common: common.collect(),
            semis: semis.collect(),
            looked_up: region.looked_up(),
            leaves: estimated.collect(),
            classes: keys.collect(),
            conditions: conditions.collect(),
        })
    }

    /// Returns how many leaves there are.
    pub(super) fn count(&self) -> usize {
        self.leaves.len()
    }

    /// Returns a leaf as a part.
    pub(super) fn leaf(&self, leaf: usize) -> Part {
        let known = self.leaves.get(leaf);
        Part {
            leaves: Leaves::one(leaf),
            rows: known.map_or(1.0, |leaf| leaf.rows),
            width: known.map_or(1.0, |leaf| leaf.width),
            cost: 0.0,
        }
    }

    /// Returns the rows of a set of leaves.
    pub(super) fn rows(&self, leaves: Leaves) -> f64 {
        let mut kept = 0.0;
        let mut joined = leaves;
        // By itself, the leaf of a semi join is a leaf as others.
        for (leaf, share) in self.semis.iter().filter(|(leaf, _)| leaves.has(*leaf)) {
            if leaves.len() > 1 {
                joined = joined.without(Leaves::one(*leaf));
                kept += share;
            }
        }
        self.joined_rows(joined, kept)
    }

    /// Returns the rows of a set of leaves, of which semi joins keep a share of this logarithm.
    fn joined_rows(&self, leaves: Leaves, kept: f64) -> f64 {
        let known = leaves.ascending().filter_map(|leaf| self.leaves.get(leaf));
        // Logarithms, because the product of many leaves may be no number.
        let mut rows: f64 = known.map(|leaf| leaf.rows.ln()).sum::<f64>() + kept;
        for (of, share) in &self.conditions {
            if leaves.holds(*of) {
                rows += share;
            }
        }
        let mut divisors = Vec::new();
        for class in &self.classes {
            if class.leaves.common(leaves).len() > 1 {
                rows += self.divide(class, leaves, &mut divisors);
            }
        }
        let pair = |divisor: &Divisor| (divisor.leaf, divisor.with);
        divisors.sort_by(|one, other| {
            let by_size = || other.by.total_cmp(&one.by);
            pair(one).cmp(&pair(other)).then_with(by_size)
        });
        for group in divisors.chunk_by(|one, other| pair(one) == pair(other)) {
            rows -= self.together(group);
        }
        rows.exp().max(1.0)
    }

    /// Adds the divisors of a class within a set of leaves. Returns the logarithm of the share of
    /// rows whose keys are not NULL.
    fn divide(&self, class: &Keys, leaves: Leaves, divisors: &mut Vec<Divisor>) -> f64 {
        let mut present = 0.0;
        let mut earlier: Vec<usize> = Vec::new();
        let mut joined: Option<Values> = None;
        let columns = class.columns.iter();
        for (leaf, values) in columns.filter(|(leaf, _)| leaves.has(*leaf)) {
            present += values.present.max(f64::MIN_POSITIVE).ln();
            joined = Some(match joined {
                None => *values,
                Some(before) => {
                    let (both, by) = before.joined(values);
                    let in_common = |other: &usize| {
                        let row = self.common.get(*leaf);
                        row.and_then(|row| row.get(*other)).copied()
                    };
                    let with = earlier.iter().copied().max_by_key(in_common);
                    divisors.push(Divisor {
                        leaf: *leaf,
                        with: with.unwrap_or(*leaf),
                        by,
                    });
                    both
                }
            });
            earlier.push(*leaf);
        }
        present
    }

    /// Returns the logarithm of the divisor of several keys between the same leaves. The largest is
    /// the first.
    fn together(&self, group: &[Divisor]) -> f64 {
        let mut power = 1.0;
        let mut product = 0.0;
        for divisor in group {
            product += divisor.by.ln() * power;
            power /= 2.0;
        }
        let Some(largest) = group.first() else {
            return product;
        };
        if group.len() == 1 {
            return product;
        }
        let whole = |leaf: usize| self.leaves.get(leaf).map_or(1.0, |leaf| leaf.whole);
        let mean = f64::midpoint(whole(largest.leaf).ln(), whole(largest.with).ln());
        product.min(mean.max(largest.by.ln()))
    }

    /// Returns whether keys join two parts.
    pub(super) fn is_keyed(&self, left: Leaves, right: Leaves) -> bool {
        let mut classes = self.classes.iter();
        self.is_semi(left)
            || self.is_semi(right)
            || classes.any(|class| class.leaves.meets(left) && class.leaves.meets(right))
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
                    false => self.pairs(&left, &right),
                };
                self.joined(&left, &right, rows, *is_keyed)
            }
        }
    }

    /// Returns the rows of a nested loop.
    fn pairs(&self, left: &Part, right: &Part) -> f64 {
        let both = left.leaves.with(right.leaves);
        let conditions = self.conditions.iter().filter(|(of, _)| {
            both.holds(*of) && !left.leaves.holds(*of) && !right.leaves.holds(*of)
        });
        let share: f64 = conditions.map(|(_, share)| share).sum();
        (left.rows * right.rows * share.exp()).max(1.0)
    }
}

/// Returns what is known of the leaves of a region; `None` if the rows of one of them are not. What a
/// semi join looks rows up in may have any: they are then thought to be as many as those of the
/// largest leaf.
fn leaves(region: &Region) -> Option<Vec<Leaf>> {
    let known: Vec<Option<Leaf>> = region.leaves.iter().map(Leaf::of).collect();
    let rows = known.iter().flatten().map(|leaf| leaf.rows);
    let most = rows.fold(1.0, f64::max);
    let leaves = known.into_iter().zip(&region.leaves).enumerate();
    let leaves = leaves.map(|(number, (leaf, plan))| {
        let is_semi = region.semis.iter().any(|semi| semi.leaf == number);
        leaf.or_else(|| is_semi.then(|| Leaf::unknown(plan, most)))
    });
    leaves.collect()
}

/// Returns the share of rows that a semi or an anti join keeps: as many as there are keys to be found
/// of those that there are, by the most selective key. Conditions are not estimated.
fn kept(semi: &Semi, leaves: &[Leaf]) -> f64 {
    let values = |place: Place| leaves.get(place.leaf)?.columns.get(place.column);
    let keys = semi.keys.iter().filter_map(|(of_rows, of_leaf)| {
        let (of_rows, of_leaf) = (values(*of_rows)?, values(*of_leaf)?);
        let all = of_rows.domain.max(of_leaf.domain);
        Some(of_rows.present * (of_leaf.distinct / all).min(1.0))
    });
    let found = keys.fold(1.0, f64::min);
    match semi.join_type {
        JoinType::LeftAnti => (1.0 - found).max(LEAST_KEPT),
        _ => found.max(f64::MIN_POSITIVE),
    }
}

/// Returns whether a hash table is built of the left one of two parts.
pub(super) fn is_build(left: &Part, right: &Part) -> bool {
    let by_bytes = left.bytes().total_cmp(&right.bytes());
    by_bytes.then(left.rows.total_cmp(&right.rows)).is_le()
}

impl Keys {
    fn of(class: &Class, leaves: &[Leaf]) -> Self {
        let known = class.columns.iter().filter_map(|place| {
            let leaf = leaves.get(place.leaf)?;
            let values = leaf.columns.get(place.column)?;
            Some((place.leaf, *values))
        });
        let mut columns: Vec<(usize, Values)> = known.collect();
        let whole = |leaf: usize| leaves.get(leaf).map_or(0.0, |leaf| leaf.whole);
        columns.sort_by(|(one, values), (other, others)| {
            let by_count = values.distinct.total_cmp(&others.distinct);
            by_count
                .then_with(|| whole(*one).total_cmp(&whole(*other)))
                .then(one.cmp(other))
        });
        Self {
            leaves: class.leaves,
            columns,
        }
    }
}

impl Values {
    /// Returns the values of a column that is joined with one of more distinct values, and the
    /// divisor of the rows.
    fn joined(&self, more: &Self) -> (Self, f64) {
        // The number of rows says little of a column of which nothing else is known.
        let distinct = match more.is_known {
            true => more.distinct.max(self.distinct),
            false => self.distinct,
        };
        let domain = self.domain.max(more.domain);
        let ranges = self.range.zip(more.range);
        let common = ranges.map(|(one, other)| (one.0.max(other.0), one.1.min(other.1)));
        let common = common.filter(|(least, greatest)| least <= greatest);
        let shared = common.map(|range| span(range).min(domain));
        let both = Self {
            distinct,
            domain,
            range: common.or(self.range),
            is_known: self.is_known || more.is_known,
            ..*self
        };
        (both, shared.map_or(distinct, |shared| shared.max(distinct)))
    }
}
