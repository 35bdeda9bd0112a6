//! Theta sketches of Apache DataSketches, which tables' statistics hold: `theta_sketch_cardinality`
//! and `theta_sketch_union`.
//!
//! ```text
//! byte 0  longs of the head: 1, with a count 2, with a threshold 3
//!      1  version, 3        2  family: 3 is compact, 1 and 2 are hash tables
//!      4  size of the hash table, as a power of two
//!      5  flags             6  hash of the seed, 2 bytes
//!      8  number of hashes, 4 bytes           16  threshold, 8 bytes
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::reader::Reader;
use super::sketch::{Sketch, state};
use super::{digests, one_of_bytes};
use crate::aggregates::function::{Aggregate, Depends, invalid};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// The hashes that a union has at most.
const NOMINAL: usize = 4096;
/// Bytes of a hash in memory, with the tree's share.
const ENTRY: usize = 16;

const VERSION: u8 = 3;
const COMPACT: u8 = 3;

const IS_BIG_ENDIAN: u8 = 1;
const IS_READ_ONLY: u8 = 2;
const IS_EMPTY: u8 = 4;
const IS_COMPACT: u8 = 8;
const IS_ORDERED: u8 = 16;
const IS_SINGLE: u8 = 32;

pages! { "Theta sketch":
    CARDINALITY: "theta_sketch_cardinality", "theta_sketch_cardinality(sketch)",
        "Returns the approximate number of distinct values of a theta sketch.",
        "theta_sketch_cardinality(from_hex('02030300001A93CC020000000000000001000000000000000200000000000000'))",
        "2.0";
    UNION: "theta_sketch_union", "theta_sketch_union(sketch)",
        "Returns the theta sketch of the values of all sketches.",
        "(SELECT theta_sketch_cardinality(theta_sketch_union(from_hex(x))) FROM (VALUES '01030300003A93CC0100000000000000', '01030300003A93CC0200000000000000') t(x))",
        "2.0";
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::scalar(Kernel::new(
            &CARDINALITY,
            vec![TypeSignature::Exact(vec![DataType::Binary])],
            Returns::Type(DataType::Float64),
            cardinality,
        )),
        Aggregate {
            page: &UNION,
            takes: |name, types| one_of_bytes(name, "a theta sketch", types),
            returns: |_, _| Ok(Field::new("", DataType::Binary, true)),
            state,
            make: |call| Ok(digests::Merged::<Theta>::make(call)),
            depends: Depends::Nothing,
        }
        .entry(),
    ]
}

/// The hashes below a threshold.
#[derive(Debug, Clone)]
struct Theta {
    hashes: BTreeSet<i64>,
    /// From 1 to `i64::MAX`, where the sketch has all hashes.
    threshold: i64,
    /// The hash of the hashes' seed; `None` of an empty sketch.
    seed: Option<u16>,
    is_empty: bool,
}

impl Theta {
    fn estimate(&self) -> f64 {
        let share = self.threshold as f64 / i64::MAX as f64;
        self.hashes.len() as f64 / share
    }

    /// Lowers the threshold to the least hash that is too many.
    fn cut(&mut self) {
        while self.hashes.len() > NOMINAL
            && let Some(least) = self.hashes.pop_last()
        {
            self.threshold = least;
        }
    }
}

impl Sketch for Theta {
    fn merge(&mut self, other: Self) -> Result<()> {
        if let (Some(a), Some(b)) = (self.seed, other.seed)
            && a != b
        {
            return Err(invalid(
                "theta sketches whose hashes have other seeds cannot be merged",
            ));
        }
        self.seed = self.seed.or(other.seed);
        self.is_empty &= other.is_empty;
        if other.threshold < self.threshold {
            self.threshold = other.threshold;
            // The hashes from the threshold on.
            let _ = self.hashes.split_off(&self.threshold);
        }
        let below = other.hashes.range(..self.threshold);
        self.hashes.extend(below);
        self.cut();
        Ok(())
    }

    fn write(&mut self) -> Vec<u8> {
        self.cut();
        let is_exact = self.threshold == i64::MAX;
        let (longs, kind) = match self.hashes.len() {
            0 if self.is_empty => (1, IS_EMPTY),
            1 if is_exact => (1, IS_SINGLE),
            _ if is_exact => (2, 0),
            _ => (3, 0),
        };
        let flags = IS_READ_ONLY | IS_COMPACT | IS_ORDERED | kind;
        let mut bytes = vec![longs, VERSION, COMPACT, 0, 0, flags];
        bytes.extend(self.seed.unwrap_or(0).to_le_bytes());
        if longs > 1 {
            bytes.extend((self.hashes.len() as u32).to_le_bytes());
            // A sampling probability of 1.
            bytes.extend(1f32.to_le_bytes());
        }
        if longs > 2 {
            bytes.extend(self.threshold.to_le_bytes());
        }
        bytes.extend(self.hashes.iter().flat_map(|hash| hash.to_le_bytes()));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("a theta sketch", bytes);
        // The upper two bits are a factor of hash tables.
        let longs = reader.byte()? & 0x3f;
        let (version, family) = (reader.byte()?, reader.byte()?);
        let _ = reader.byte()?;
        let (table, flags) = (reader.byte()?, reader.byte()?);
        let seed = reader.short()?;
        if version != VERSION {
            return Err(invalid(format!(
                "theta sketches of version {version} are not supported, but those of {VERSION}"
            )));
        }
        let is_known = (1..=COMPACT).contains(&family) && flags & IS_BIG_ENDIAN == 0;
        if !is_known || !(1..=3).contains(&longs) || table > 26 {
            return Err(reader.wrong());
        }
        let is_empty = flags & IS_EMPTY != 0;
        let mut count = usize::from(longs == 1 && !is_empty);
        if longs > 1 {
            count = reader.word()? as usize;
            // The sampling probability.
            reader.word()?;
        }
        let threshold = match longs > 2 {
            true => reader.long()? as i64,
            false => i64::MAX,
        };
        let stored = match flags & IS_COMPACT != 0 {
            true => count,
            false => 1 << table,
        };
        if threshold < 1 || count > stored || reader.left() < stored.saturating_mul(8) {
            return Err(reader.wrong());
        }
        let mut hashes = BTreeSet::new();
        for _ in 0..stored {
            let hash = reader.long()? as i64;
            // A hash table has zeros, and hashes that are not yet removed.
            if (1..threshold).contains(&hash) {
                hashes.insert(hash);
            }
        }
        Ok(Self {
            hashes,
            threshold,
            seed: (!is_empty).then_some(seed),
            is_empty,
        })
    }

    fn size(&self) -> usize {
        self.hashes.len() * ENTRY
    }
}

fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let sketches = call.columns[0].bytes();
    let mut counts = Float64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        counts.append_option(match sketches.get(row) {
            Some(bytes) => {
                for _ in 0..=bytes.len() / 1024 {
                    call.work.step()?;
                }
                Some(Theta::read(bytes)?.estimate())
            }
            None => None,
        });
    }
    Ok(Arc::new(counts.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{error, value};

    fn of(hashes: impl IntoIterator<Item = i64>, threshold: i64) -> Theta {
        Theta {
            hashes: hashes.into_iter().collect(),
            threshold,
            seed: Some(0xcc93),
            is_empty: false,
        }
    }

    #[test]
    fn sketches_are_read_as_they_are_written() {
        for mut sketch in [
            of([], 9),
            of([5], i64::MAX),
            of(1..9, i64::MAX),
            of(1..9, 10),
        ] {
            let bytes = sketch.write();
            let mut read = Theta::read(&bytes).unwrap();
            assert_eq!(read.write(), bytes);
            assert_eq!(read.estimate(), sketch.estimate());
            for end in 0..bytes.len() {
                assert!(Theta::read(&bytes[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn unions_keep_the_least_hashes() {
        let step = i64::MAX / 20_000;
        let mut union = of((1..5000).map(|n| 2 * n * step), i64::MAX);
        union
            .merge(of((1..5000).map(|n| (2 * n + 1) * step), i64::MAX))
            .unwrap();
        assert_eq!(union.hashes.len(), NOMINAL);
        assert!((union.estimate() / 20_000.0 - 1.0).abs() < 0.01);
        union.merge(of([1], 2 * step + 1)).unwrap();
        assert_eq!(union.hashes, BTreeSet::from([1, 2 * step]));
    }

    #[test]
    fn hash_tables_are_read() {
        // Four places, of which two are taken.
        let mut bytes = vec![3, VERSION, 2, 2, 2, 0, 0x93, 0xcc];
        bytes.extend([2, 0, 0, 0, 0, 0, 0x80, 0x3f]);
        bytes.extend(i64::MAX.to_le_bytes());
        for hash in [0i64, 7, 0, 9] {
            bytes.extend(hash.to_le_bytes());
        }
        assert_eq!(Theta::read(&bytes).unwrap().estimate(), 2.0);
    }

    #[tokio::test]
    async fn sketches_of_sql() {
        let empty = "theta_sketch_cardinality(from_hex('01030300001E0000'))";
        assert_eq!(value(empty).await.unwrap(), "0.0");
        let null = "theta_sketch_cardinality(NULL)";
        assert_eq!(value(null).await.unwrap(), "NULL");
        let refused = error("theta_sketch_cardinality(to_utf8('sketch'))").await;
        assert!(refused.contains("theta sketch"), "{refused}");
        let seeds = "(SELECT theta_sketch_union(from_hex(x)) FROM (VALUES '01030300003A93CC0100000000000000', '01030300003A93CD0200000000000000') t(x))";
        assert!(error(seeds).await.contains("seeds"));
    }
}
