//! What joins join, their *leaves*, by number: sets of leaves as bits, and columns.

use std::hash::Hasher;
use std::iter::from_fn;

/// The most leaves that joins may have. Twice as many bits as a word has cost little, and a
/// query of more joins is not a query of a person.
pub(crate) const MOST_LEAVES: usize = u128::BITS as usize;

/// A column of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub leaf: usize,
    pub column: usize,
}

/// A set of leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Leaves(u128);

impl Leaves {
    /// Returns the set of one leaf, which is less than [`MOST_LEAVES`].
    pub(crate) fn one(leaf: usize) -> Self {
        Self(1_u128.checked_shl(leaf as u32).unwrap_or_default())
    }

    /// Returns the set of a leaf and all leaves of lower numbers.
    pub(crate) fn up_to(leaf: usize) -> Self {
        let Self(one) = Self::one(leaf);
        Self(one | one.wrapping_sub(1))
    }

    /// Returns the set of the first leaves.
    pub(crate) fn first(count: usize) -> Self {
        match count.checked_sub(1) {
            None => Self::default(),
            Some(last) => Self::up_to(last),
        }
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the leaves that are in both sets.
    pub(crate) fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns whether a leaf is in both sets.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether all leaves of the other set are in this one.
    pub(crate) fn holds(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub(crate) fn has(self, leaf: usize) -> bool {
        self.meets(Self::one(leaf))
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn lowest(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize)
    }

    /// Returns the leaves, lowest number first.
    pub(crate) fn ascending(self) -> impl Iterator<Item = usize> {
        let mut rest = self;
        from_fn(move || {
            let leaf = rest.lowest()?;
            rest = rest.without(Self::one(leaf));
            Some(leaf)
        })
    }

    /// Returns the leaves, highest number first.
    pub(crate) fn descending(self) -> impl Iterator<Item = usize> {
        let mut rest = self;
        from_fn(move || {
            let leaf = rest.0.checked_ilog2()? as usize;
            rest = rest.without(Self::one(leaf));
            Some(leaf)
        })
    }

    /// Returns all subsets but the empty one. A subset comes before the sets that hold it.
    pub(crate) fn subsets(self) -> impl Iterator<Item = Self> {
        let mut last = 0_u128;
        from_fn(move || {
            last = last.wrapping_sub(self.0) & self.0;
            (last != 0).then_some(Self(last))
        })
    }
}

impl FromIterator<usize> for Leaves {
    fn from_iter<I: IntoIterator<Item = usize>>(leaves: I) -> Self {
        let leaves = leaves.into_iter().map(Self::one);
        leaves.fold(Self::default(), Self::with)
    }
}

/// Hashes sets of leaves, of which the search for an order looks up thousands.
#[derive(Debug, Default)]
pub(crate) struct LeavesHasher(u64);

impl Hasher for LeavesHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, leaves: u128) {
        // An odd number without a pattern spreads each bit over both halves of the product.
        const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15;
        let (low, high) = (leaves as u64, (leaves >> 64) as u64);
        let product = u128::from(self.0 ^ low ^ high.rotate_left(32)) * SPREAD;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn hashes_of_sets_differ_at_both_ends() {
        let hasher = BuildHasherDefault::<LeavesHasher>::default();
        let all = Leaves::from_iter([0, 1, 2, 3, 40, 63, 64, 65, 100, MOST_LEAVES - 1]);
        let hashes: Vec<u64> = all.subsets().map(|set| hasher.hash_one(set)).collect();
        let distinct = |hashes: Vec<u64>| hashes.into_iter().collect::<HashSet<u64>>().len();
        assert_eq!(distinct(hashes.clone()), 1023);
        // A table finds its entries by these bits.
        let low = hashes.iter().map(|hash| hash % 4096).collect();
        assert!(distinct(low) > 800);
        let high = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(distinct(high) > 120);
    }

    #[test]
    fn sets_are_walked_in_order() {
        let set = Leaves::from_iter([0, 5, MOST_LEAVES - 1]);
        assert_eq!(set.ascending().collect::<Vec<_>>(), [0, 5, MOST_LEAVES - 1]);
        assert_eq!(
            set.descending().collect::<Vec<_>>(),
            [MOST_LEAVES - 1, 5, 0]
        );
        assert_eq!(set.len(), 3);
        assert_eq!(Leaves::default().lowest(), None);
        assert_eq!(Leaves::first(MOST_LEAVES).len(), MOST_LEAVES);
        assert_eq!(Leaves::first(0).len(), 0);
        assert_eq!(Leaves::up_to(MOST_LEAVES - 1), Leaves::first(MOST_LEAVES));
        assert!(Leaves::up_to(5).holds(Leaves::first(6)));
        assert!(!Leaves::up_to(5).has(6));
    }

    #[test]
    fn each_subset_comes_once_and_after_its_own_subsets() {
        let set = Leaves::from_iter([1, 4, 9]);
        let subsets: Vec<Leaves> = set.subsets().collect();
        assert_eq!(subsets.len(), 7);
        for (place, subset) in subsets.iter().enumerate() {
            assert!(set.holds(*subset));
            assert!(
                !subsets
                    .iter()
                    .take(place)
                    .any(|earlier| earlier.holds(*subset))
            );
        }
        assert_eq!(Leaves::default().subsets().count(), 0);
    }
}
