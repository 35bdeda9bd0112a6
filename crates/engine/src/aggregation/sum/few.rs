//! Sums of few groups.
//!
//! The rows of a batch are of a few groups then, and a value that is added to a sum waits for the one before
//! it. So every second row has sums of its own, which are added up after the batch.

use super::Summed;

/// Groups, at most.
pub(super) const FEW: usize = 16;

/// Returns the sums of groups with those of the rows of a batch, which are of these groups; `None` if one
/// overflows on the way, or there are more groups. The last ones are 0 if there are fewer.
pub(super) fn added<V: Summed>(
    sums: &[i128],
    groups: &[usize],
    values: &[V::Native],
) -> Option<[i128; FEW]> {
    if sums.len() > FEW {
        return None;
    }
    let (mut even, mut odd) = ([0_i128; FEW], [0_i128; FEW]);
    let mut overflows = false;
    let mut add = |sums: &mut [i128; FEW], group: usize, value: V::Native| {
        if let Some(sum) = sums.get_mut(group) {
            let (added, overflowed) = sum.overflowing_add(V::widened(value));
            *sum = added;
            overflows |= overflowed;
        }
    };
    let (group_pairs, value_pairs) = (groups.chunks_exact(2), values.chunks_exact(2));
    let last = (group_pairs.remainder(), value_pairs.remainder());
    for pair in group_pairs.zip(value_pairs) {
        if let ([first, second], [value, other]) = pair {
            add(&mut even, *first, *value);
            add(&mut odd, *second, *other);
        }
    }
    if let ([group], [value]) = last {
        add(&mut even, *group, *value);
    }
    for ((sum, odd), before) in even.iter_mut().zip(odd).zip(sums) {
        let (both, overflowed) = sum.overflowing_add(odd);
        let (all, overflowed_too) = both.overflowing_add(*before);
        *sum = all;
        overflows |= overflowed || overflowed_too;
    }
    (!overflows).then_some(even)
}

/// Adds the rows of each group to their number.
pub(super) fn count(counts: &mut [u64], groups: &[usize]) {
    let (mut even, mut odd) = ([0_u64; FEW], [0_u64; FEW]);
    let add = |counts: &mut [u64; FEW], group: usize| {
        if let Some(count) = counts.get_mut(group) {
            *count += 1;
        }
    };
    let pairs = groups.chunks_exact(2);
    let last = pairs.remainder();
    for pair in pairs {
        if let [first, second] = pair {
            add(&mut even, *first);
            add(&mut odd, *second);
        }
    }
    if let [group] = last {
        add(&mut even, *group);
    }
    for ((count, even), odd) in counts.iter_mut().zip(even).zip(odd) {
        *count += even + odd;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Decimal128Type, Int64Type};

    use super::*;
    use crate::testing::Random;

    #[test]
    fn sums_and_counts_are_those_of_all_rows() {
        let mut random = Random::new(5);
        for rows in [0, 1, 2, 3, 64, 1001] {
            for groups in [1, 3, FEW] {
                let before: Vec<i128> = (0..groups as i128).map(|group| group * 7 - 9).collect();
                let of: Vec<usize> = (0..rows).map(|_| random.below(groups)).collect();
                let values = of.iter().map(|_| random.below(1 << 40) as i64 - (1 << 39));
                let values: Vec<i64> = values.collect();
                let (mut sums, mut counts) = (before.clone(), vec![3_u64; groups]);
                for (group, value) in of.iter().zip(&values) {
                    sums[*group] += i128::from(*value);
                    counts[*group] += 1;
                }
                let found = added::<Int64Type>(&before, &of, &values).unwrap();
                assert_eq!(found[..groups], sums[..]);
                let mut counted = vec![3_u64; groups];
                count(&mut counted, &of);
                assert_eq!(counted, counts);
            }
        }
    }

    #[test]
    fn sums_that_overflow_on_the_way_are_left() {
        let added = |before: &[i128], values: &[i128]| {
            let groups = vec![0; values.len()];
            added::<Decimal128Type>(before, &groups, values).map(|sums| sums[0])
        };
        let most = i128::MAX;
        assert_eq!(added(&[1], &[most - 1]), Some(most));
        assert_eq!(added(&[2], &[most - 1]), None);
        assert_eq!(added(&[0], &[most, 1]), None);
        assert_eq!(added(&[0], &[most, -5, 1]), None);
        assert_eq!(added(&[0], &[i128::MIN, 5]), Some(i128::MIN + 5));
        assert_eq!(added(&[0; FEW + 1], &[1]), None);
    }
}
