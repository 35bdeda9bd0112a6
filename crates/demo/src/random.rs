//! Repeatable randomness.
//!
//! Every day, customer and product has a generator of its own, so that they can be made in any
//! order and on any thread. Only integer arithmetic and the operations that IEEE 754 rounds exactly
//! (`+ - * /` and square roots) are used: the data are the same on every machine.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The generator of one object: `stream` is its kind, `index` its number.
    pub(crate) fn of(stream: Stream, index: u64) -> Self {
        let mut outer = Self((stream as u64).wrapping_mul(GOLDEN_GAMMA));
        Self(
            outer
                .next()
                .wrapping_add(index.wrapping_mul(0xd134_2543_de82_ef95)),
        )
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound - 1`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 0 to just under 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) };
        items[self.below(N as u64) as usize]
    }
}

/// The kinds of objects that have generators. The numbers determine the data and must not change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Customer = 1,
    Address = 2,
    User = 3,
    Product = 4,
    DayWeight = 5,
    Orders = 6,
    OrderDetails = 7,
    CustomerRank = 8,
    ProductRank = 9,
}

/// Draws an index with a probability in proportion to its weight, in constant time (Walker's alias
/// method in Vose's form).
#[derive(Debug)]
pub(crate) struct Weighted {
    /// Per slot: the chance to stay, and where to go otherwise.
    slots: Vec<(f64, u32)>,
}

impl Weighted {
    /// Weights are above zero and there are fewer than 2^32 of them.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut rest: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let mut slots = vec![(1.0, 0_u32); weights.len()];
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..rest.len()).partition(|&index| rest[index] < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            slots[poor] = (rest[poor], rich as u32);
            rest[rich] -= 1.0 - rest[poor];
            if rest[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { slots }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let slot = random.below(self.slots.len() as u64) as usize;
        let (stay, alias) = self.slots[slot];
        if random.unit() < stay {
            slot as u32
        } else {
            alias
        }
    }
}

/// The numbers from 0 to `count - 1`, shuffled.
pub(crate) fn permutation(stream: Stream, count: u32) -> Vec<u32> {
    let mut random = Random::of(stream, 0);
    let mut numbers: Vec<u32> = (0..count).collect();
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, random.below(last as u64 + 1) as usize);
    }
    numbers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn splitmix64_gives_the_published_sequence() {
        // The first values for the seed 1234567, as in the reference implementation.
        let mut random = Random(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn weighted_draws_follow_the_weights() {
        let weighted = Weighted::new(&[1.0, 2.0, 5.0]);
        let mut random = Random::of(Stream::Orders, 1);
        let mut counts = [0_u32; 3];
        for _ in 0..80_000 {
            counts[weighted.draw(&mut random) as usize] += 1;
        }
        for (count, expected) in counts.into_iter().zip([10_000, 20_000, 50_000]) {
            assert!(count.abs_diff(expected) < 600, "{counts:?}");
        }
    }

    #[test]
    fn a_permutation_has_every_number_once() {
        let mut numbers = permutation(Stream::CustomerRank, 1000);
        assert_ne!(numbers, (0..1000).collect::<Vec<u32>>());
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1000).collect::<Vec<u32>>());
    }
}
