//! Estimates of the rows that joins of several operators have.
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

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::physical_expr::PhysicalExpr;

use super::conditions::share;
use super::leaves::{Leaves, Place};
use super::operator::{Estimate, Values, span};

/// The least share of rows that an anti join is thought to keep.
const LEAST_KEPT: f64 = 0.1;

/// What the estimates come from.
#[derive(Debug)]
pub(crate) struct Joined {
    leaves: Vec<Estimate>,
    /// The logarithms of the leaves' rows.
    rows: Vec<f64>,
    classes: Vec<Keys>,
    /// Leaves of conditions, and the logarithms of their shares.
    conditions: Vec<(Leaves, f64)>,
    /// What semi joins look rows up in, and the logarithms of the shares of rows that they keep.
    semis: Vec<(usize, f64)>,
    /// How many classes two leaves have in common.
    common: Vec<Vec<usize>>,
}

/// A class with what is known of its columns, those of fewer distinct values first.
#[derive(Debug)]
struct Keys {
    leaves: Leaves,
    columns: Vec<KeyColumn>,
}

/// A column of a class.
#[derive(Debug)]
struct KeyColumn {
    leaf: usize,
    values: Values,
    /// The logarithm of the share of rows that are not NULL.
    present: f64,
}

/// A divisor of a product of rows.
#[derive(Debug)]
struct Divisor {
    leaf: usize,
    /// The leaf that it joins `leaf` with.
    with: usize,
    by: f64,
}

impl Joined {
    /// Returns the estimates for leaves that are joined by classes of equal columns, and by
    /// conditions of these leaves.
    ///
    /// A semi or an anti join is given by the leaf that it looks rows up in, its type, and its keys:
    /// columns of other leaves, and columns of that leaf. Its conditions are not estimated.
    pub(crate) fn new<'a>(
        leaves: Vec<Estimate>,
        classes: impl Iterator<Item = &'a [Place]>,
        conditions: impl Iterator<Item = (Leaves, &'a Arc<dyn PhysicalExpr>)>,
        semis: impl Iterator<Item = (usize, JoinType, &'a [(Place, Place)])>,
    ) -> Self {
        let classes: Vec<Keys> = classes.map(|class| Keys::of(class, &leaves)).collect();
        let conditions = conditions.map(|(of, condition)| (of, share(condition).ln()));
        let semis =
            semis.map(|(leaf, join_type, keys)| (leaf, kept(join_type, keys, &leaves).ln()));
        let in_common = |left: usize, right: usize| {
            let both = Leaves::from_iter([left, right]);
            let classes = classes.iter();
            classes.filter(|class| class.leaves.holds(both)).count()
        };
        let numbers = 0..leaves.len();
        let common = numbers.clone().map(|left| {
            let row = numbers.clone().map(|right| in_common(left, right));
            row.collect()
        });
        Self {
            common: common.collect(),
            conditions: conditions.collect(),
            semis: semis.collect(),
            classes,
            rows: leaves.iter().map(|leaf| leaf.rows.ln()).collect(),
            leaves,
        }
    }

    /// Returns the rows of a set of leaves.
    pub(crate) fn rows(&self, leaves: Leaves) -> f64 {
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
        let known = leaves.ascending().filter_map(|leaf| self.rows.get(leaf));
        // Logarithms, because the product of many leaves may be no number.
        let mut rows = known.sum::<f64>() + kept;
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
        for column in columns.filter(|column| leaves.has(column.leaf)) {
            let leaf = column.leaf;
            present += column.present;
            joined = Some(match joined {
                None => column.values,
                Some(before) => {
                    let (both, by) = before.joined(&column.values);
                    let in_common = |other: &usize| {
                        let row = self.common.get(leaf);
                        row.and_then(|row| row.get(*other)).copied()
                    };
                    let with = earlier.iter().copied().max_by_key(in_common);
                    divisors.push(Divisor {
                        leaf,
                        with: with.unwrap_or(leaf),
                        by,
                    });
                    both
                }
            });
            earlier.push(leaf);
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

    /// Returns whether a class has columns of both sets of leaves.
    pub(crate) fn is_keyed(&self, left: Leaves, right: Leaves) -> bool {
        let mut classes = self.classes.iter();
        classes.any(|class| class.leaves.meets(left) && class.leaves.meets(right))
    }

    /// Returns the share of all pairs of rows that the conditions of two sets of leaves leave, those
    /// of one of them aside.
    pub(crate) fn share_of_pairs(&self, left: Leaves, right: Leaves) -> f64 {
        let both = left.with(right);
        let conditions = self.conditions.iter();
        let conditions =
            conditions.filter(|(of, _)| both.holds(*of) && !left.holds(*of) && !right.holds(*of));
        conditions.map(|(_, share)| share).sum::<f64>().exp()
    }
}

/// Returns the share of rows that a semi or an anti join keeps: as many as there are keys to be
/// found of those that there are, by the most selective key.
fn kept(join_type: JoinType, keys: &[(Place, Place)], leaves: &[Estimate]) -> f64 {
    let values = |place: Place| leaves.get(place.leaf)?.columns.get(place.column);
    let shares = keys.iter().filter_map(|(of_rows, of_leaf)| {
        let (of_rows, of_leaf) = (values(*of_rows)?, values(*of_leaf)?);
        let all = of_rows.domain.max(of_leaf.domain);
        Some(of_rows.present * (of_leaf.distinct / all).min(1.0))
    });
    let found = shares.fold(1.0, f64::min);
    match join_type {
        JoinType::LeftAnti => (1.0 - found).max(LEAST_KEPT),
        _ => found.max(f64::MIN_POSITIVE),
    }
}

impl Keys {
    fn of(class: &[Place], leaves: &[Estimate]) -> Self {
        let known = class.iter().filter_map(|place| {
            let leaf = leaves.get(place.leaf)?;
            let values = *leaf.columns.get(place.column)?;
            Some(KeyColumn {
                leaf: place.leaf,
                present: values.present.max(f64::MIN_POSITIVE).ln(),
                values,
            })
        });
        let mut columns: Vec<KeyColumn> = known.collect();
        let whole = |leaf: usize| leaves.get(leaf).map_or(0.0, |leaf| leaf.whole);
        columns.sort_by(|one, other| {
            let by_count = one.values.distinct.total_cmp(&other.values.distinct);
            by_count
                .then_with(|| whole(one.leaf).total_cmp(&whole(other.leaf)))
                .then(one.leaf.cmp(&other.leaf))
        });
        Self {
            leaves: class.iter().map(|place| place.leaf).collect(),
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
