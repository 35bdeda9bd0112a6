//! HyperLogLog: a summary of values that answers how many distinct ones there are. Its bytes are
//! those of Trino's (version 2, sparse and dense).

use datafusion::error::Result;

use super::reader::Reader;
use super::sketch::Sketch;
use crate::aggregates::function::invalid;

/// The tags of the two forms, and of the dense one before.
const SPARSE: u8 = 2;
const DENSE: u8 = 3;
const OLD_DENSE: u8 = 1;

/// The bits of a hash that a sparse entry has.
const PREFIX: u32 = 26;
/// The bits of a sparse entry that count the zeros after the prefix.
const COUNT_BITS: u32 = 6;
/// The greatest difference that a dense bucket of four bits has.
const MOST_DELTA: u8 = 15;

/// A summary of values by their hashes.
#[derive(Debug, Clone)]
pub(crate) struct HyperLogLog {
    /// 2 to the power of this is the number of buckets.
    bits: u8,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// Prefixes of hashes, and the zeros that follow: sorted and distinct up to `sorted`.
    Sparse { entries: Vec<u32>, sorted: usize },
    /// The greatest number of leading zeros in each bucket, plus 1.
    Dense(Vec<u8>),
}

impl HyperLogLog {
    /// A sketch of 2^bits buckets; `bits` is from 1 to 16.
    pub(crate) fn new(bits: u8) -> Self {
        Self {
            bits: bits.clamp(1, 16),
            form: Form::Sparse {
                entries: Vec::new(),
                sorted: 0,
            },
        }
    }

    /// The entries above which the dense form is smaller.
    fn most_entries(&self) -> usize {
        (1usize << self.bits) / 8
    }

    /// Adds a value by its hash.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        let bits = u32::from(self.bits);
        match &mut self.form {
            Form::Dense(buckets) => {
                let bucket = (hash >> (64 - bits)) as usize;
                let zeros = ((hash << bits) | (1 << (bits - 1))).leading_zeros() as u8 + 1;
                if let Some(most) = buckets.get_mut(bucket) {
                    *most = zeros.max(*most);
                }
            }
            Form::Sparse { entries, .. } => {
                let prefix = (hash >> (64 - PREFIX)) as u32;
                let zeros = ((hash << PREFIX) | (1 << (PREFIX - 1))).leading_zeros();
                entries.push((prefix << COUNT_BITS) | zeros);
                if entries.len() > 2 * self.most_entries() + 16 {
                    self.tidy();
                }
            }
        }
    }

    /// Sorts a sparse form, and makes it dense if that is smaller.
    fn tidy(&mut self) {
        let most = self.most_entries();
        let Form::Sparse { entries, sorted } = &mut self.form else {
            return;
        };
        if *sorted < entries.len() {
            // Of entries with the same prefix, the one with the most zeros is last.
            entries.sort_unstable();
            let mut kept = 0;
            for index in 0..entries.len() {
                let next = entries.get(index + 1);
                let last = next.is_none_or(|n| n >> COUNT_BITS != entries[index] >> COUNT_BITS);
                if last {
                    entries[kept] = entries[index];
                    kept += 1;
                }
            }
            entries.truncate(kept);
            *sorted = kept;
        }
        if entries.len() > most {
            self.make_dense();
        }
    }

    fn make_dense(&mut self) {
        let Form::Sparse { entries, .. } = &self.form else {
            return;
        };
        let bits = u32::from(self.bits);
        let mut buckets = vec![0u8; 1 << bits];
        for entry in entries {
            let bucket = (entry >> (32 - bits)) as usize;
            let prefix_left = PREFIX - bits;
            let mut zeros = (entry << bits).leading_zeros();
            if zeros >= prefix_left {
                zeros = prefix_left + (entry & ((1 << COUNT_BITS) - 1));
            }
            buckets[bucket] = buckets[bucket].max(zeros as u8 + 1);
        }
        self.form = Form::Dense(buckets);
    }

    /// Returns the estimated number of distinct values.
    pub(crate) fn cardinality(&mut self) -> i64 {
        self.tidy();
        let estimate = match &self.form {
            Form::Sparse { entries, .. } => {
                let all = f64::from(1u32 << PREFIX);
                all * (all / (all - entries.len() as f64)).ln()
            }
            Form::Dense(buckets) => estimated(buckets, u32::from(self.bits)),
        };
        estimate.round() as i64
    }
}

/// The estimate of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches"), which
/// needs no tables of biases.
fn estimated(buckets: &[u8], bits: u32) -> f64 {
    let m = buckets.len() as f64;
    let most = 64 - bits as usize;
    // How many buckets have each number of zeros.
    let mut counts = vec![0.0; most + 2];
    for &bucket in buckets {
        counts[usize::from(bucket).min(most + 1)] += 1.0;
    }
    let mut sum = m * tau(1.0 - counts[most + 1] / m);
    for count in counts[1..=most].iter().rev() {
        sum = 0.5 * (sum + count);
    }
    sum += m * sigma(counts[0] / m);
    m * m / (2.0 * std::f64::consts::LN_2) / sum
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl Sketch for HyperLogLog {
    fn merge(&mut self, mut other: Self) -> Result<()> {
        if self.bits != other.bits {
            return Err(invalid(format!(
                "HyperLogLog sketches of {} and of {} buckets cannot be merged",
                1u32 << self.bits,
                1u32 << other.bits
            )));
        }
        if let (Form::Sparse { entries, .. }, Form::Sparse { entries: more, .. }) =
            (&mut self.form, &other.form)
        {
            entries.extend_from_slice(more);
            self.tidy();
            return Ok(());
        }
        self.make_dense();
        other.make_dense();
        if let (Form::Dense(buckets), Form::Dense(others)) = (&mut self.form, &other.form) {
            for (bucket, other) in buckets.iter_mut().zip(others) {
                *bucket = (*bucket).max(*other);
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Vec<u8> {
        self.tidy();
        match &self.form {
            Form::Sparse { entries, .. } => {
                let mut bytes = Vec::with_capacity(4 + 4 * entries.len());
                bytes.extend([SPARSE, self.bits]);
                bytes.extend((entries.len() as u16).to_le_bytes());
                bytes.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
                bytes
            }
            Form::Dense(buckets) => {
                let baseline = buckets.iter().copied().min().unwrap_or(0);
                let mut bytes = Vec::with_capacity(5 + buckets.len() / 2);
                bytes.extend([DENSE, self.bits, baseline]);
                let delta = |bucket: &u8| (bucket - baseline).min(MOST_DELTA);
                bytes.extend(buckets.chunks(2).map(|pair| {
                    let right = pair.get(1).map_or(0, delta);
                    (pair.first().map_or(0, delta) << 4) | right
                }));
                let over = |(bucket, value): (usize, &u8)| {
                    let over = (value - baseline).checked_sub(MOST_DELTA)?;
                    (over > 0).then_some((bucket as u16, over))
                };
                let overflows: Vec<(u16, u8)> =
                    buckets.iter().enumerate().filter_map(over).collect();
                bytes.extend((overflows.len() as u16).to_le_bytes());
                bytes.extend(
                    overflows
                        .iter()
                        .flat_map(|(bucket, _)| bucket.to_le_bytes()),
                );
                bytes.extend(overflows.iter().map(|(_, over)| *over));
                bytes
            }
        }
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("a HyperLogLog", bytes);
        let (tag, bits) = (reader.byte()?, reader.byte()?);
        if !(1..=16).contains(&bits) {
            return Err(reader.wrong());
        }
        let form = match tag {
            SPARSE => {
                let count = usize::from(reader.short()?);
                if reader.left() != count * 4 {
                    return Err(reader.wrong());
                }
                let mut entries = Vec::with_capacity(count);
                for _ in 0..count {
                    entries.push(reader.word()?);
                }
                let most = 64 - PREFIX;
                let sound = |entry: &u32| entry & ((1 << COUNT_BITS) - 1) <= most;
                if !entries.iter().all(sound) {
                    return Err(reader.wrong());
                }
                Form::Sparse { entries, sorted: 0 }
            }
            DENSE | OLD_DENSE => {
                let baseline = reader.byte()?;
                let deltas = reader.take((1usize << bits) / 2)?;
                let mut buckets: Vec<u8> = deltas
                    .iter()
                    .flat_map(|pair| [pair >> 4, pair & MOST_DELTA])
                    .map(|delta| baseline.saturating_add(delta))
                    .collect();
                let mut add = |bucket: u16, over: u8| {
                    let value = buckets.get_mut(usize::from(bucket))?;
                    *value = value.saturating_add(over);
                    Some(())
                };
                let added = match tag {
                    DENSE => {
                        let count = usize::from(reader.short()?);
                        let places = reader.take(count * 2)?;
                        let overs = reader.take(count)?;
                        places.chunks(2).zip(overs).try_for_each(|(place, over)| {
                            let [low, high] = place else {
                                return None;
                            };
                            add(u16::from_le_bytes([*low, *high]), *over)
                        })
                    }
                    _ => {
                        let (bucket, over) = (reader.short()?, reader.byte()?);
                        match bucket < 0x8000 && over.cast_signed() > 0 {
                            true => add(bucket, over),
                            false => Some(()),
                        }
                    }
                };
                let most = 65 - bits;
                if added.is_none()
                    || reader.left() > 0
                    || buckets.iter().any(|bucket| *bucket > most)
                {
                    return Err(reader.wrong());
                }
                Form::Dense(buckets)
            }
            _ => return Err(reader.wrong()),
        };
        Ok(Self { bits, form })
    }

    fn size(&self) -> usize {
        match &self.form {
            Form::Sparse { entries, .. } => entries.capacity() * size_of::<u32>(),
            Form::Dense(buckets) => buckets.capacity(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(numbers: std::ops::Range<u64>) -> HyperLogLog {
        let mut sketch = HyperLogLog::new(12);
        for number in numbers {
            sketch.add(twox_hash::XxHash64::oneshot(0, &number.to_le_bytes()));
        }
        sketch
    }

    #[test]
    fn estimates_are_near() {
        for count in [0u64, 1, 100, 500, 600, 1000, 5000, 20_000, 1_000_000] {
            let estimate = of(0..count).cardinality() as f64;
            let error = (estimate - count as f64).abs() / (count as f64).max(1.0);
            assert!(error < 0.06, "{count}: {estimate}");
        }
    }

    #[test]
    fn parts_merge_to_the_same_sketch() {
        for (middle, end) in [(10, 30), (300, 700), (100, 9000), (5000, 20_000)] {
            let mut whole = of(0..end);
            let mut merged = HyperLogLog::read(&of(0..middle).write()).unwrap();
            let mut rest = of(middle / 2..end);
            merged
                .merge(HyperLogLog::read(&rest.write()).unwrap())
                .unwrap();
            assert_eq!(merged.write(), whole.write());
            assert_eq!(merged.cardinality(), whole.cardinality());
        }
    }

    #[test]
    fn damaged_bytes_are_errors() {
        for bytes in [of(0..50).write(), of(0..50_000).write()] {
            for length in 0..bytes.len() {
                assert!(HyperLogLog::read(&bytes[..length]).is_err());
            }
        }
        assert!(HyperLogLog::read(&[0, 12, 0, 0]).is_err());
        assert!(HyperLogLog::read(&[2, 0, 0, 0]).is_err());
        let mut few = HyperLogLog::new(11);
        assert!(few.merge(HyperLogLog::new(12)).is_err());
    }
}
