//! Set digests: summaries of sets of which the number of values, and that of the values of two of
//! them, are known. `make_set_digest`, `merge_set_digest` and the functions of their results.
//!
//! A digest has the least hashes of the values, with how often each occurred, and a HyperLogLog for
//! sets with more values. Its bytes are those of Trino's.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Builder, Int16Array, Int64Array, Int64Builder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::Error;

use super::histogram::maps;
use super::hll::HyperLogLog;
use super::reader::Reader;
use super::sets::{murmur, number_or_text};
use super::sketch::{Sketch, Sketches, Summary, state, written};
use super::{SET_DIGEST, digests, marked, one_of_bytes};
use crate::aggregates::function::{Aggregate, Depends};
use crate::aggregates::maps::map_of;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

/// The hashes that a digest keeps.
const MOST_HASHES: usize = 8192;
/// The buckets of the HyperLogLog, as a power of two.
const BITS: u8 = 11;
/// The version of the bytes.
const FORMAT: u8 = 1;
/// Bytes of a hash and its count in memory, with the tree's share.
const ENTRY: usize = 24;

pages! { "Set digest":
    MAKE: "make_set_digest", "make_set_digest(x)",
        "Returns a digest of the set of values.",
        "(SELECT cardinality(make_set_digest(x)) FROM (VALUES 1, 2, 2) t(x))", "2";
    MERGE: "merge_set_digest", "merge_set_digest(digest)",
        "Returns the digest of the values of all digests.",
        "(SELECT cardinality(merge_set_digest(d)) FROM (SELECT make_set_digest(x) AS d FROM (VALUES 1, 2, 2) t(x) GROUP BY x))",
        "2";
    INTERSECTION: "intersection_cardinality", "intersection_cardinality(digest, digest)",
        "Returns the approximate number of values that two sets have in common.",
        "(SELECT intersection_cardinality(make_set_digest(x), make_set_digest(y)) FROM (VALUES (1, 2), (2, 3), (3, 4)) t(x, y))",
        "2";
    JACCARD: "jaccard_index", "jaccard_index(digest, digest)",
        "Returns the approximate similarity of two sets, from 0 to 1.",
        "(SELECT jaccard_index(make_set_digest(x), make_set_digest(x)) FROM (VALUES 1, 2) t(x))",
        "1.0";
    HASH_COUNTS: "hash_counts", "hash_counts(digest)",
        "Returns a map from the hashes of a digest to how often each occurred.",
        "(SELECT hash_counts(make_set_digest(x)) FROM (VALUES 1, 1, 1, 2, 2) t(x))",
        "{-2447670524089286488=2, 19144387141682250=3}";
}

pub(super) fn entries() -> Vec<Entry> {
    let two = || vec![TypeSignature::Exact(vec![DataType::Binary; 2])];
    vec![
        Aggregate {
            page: &MAKE,
            takes: number_or_text,
            returns,
            state,
            make: |call| Ok(Sketches::boxed(Made { name: call.name })),
            depends: Depends::Duplicates,
        }
        .entry(),
        Aggregate {
            page: &MERGE,
            takes: |name, types| one_of_bytes(name, "a set digest", types),
            returns,
            state,
            make: |call| Ok(digests::Merged::<SetDigest>::make(call)),
            depends: Depends::Duplicates,
        }
        .entry(),
        Entry::scalar(Kernel::new(
            &INTERSECTION,
            two(),
            Returns::Type(DataType::Int64),
            |call| {
                let mut counts = Int64Builder::with_capacity(call.rows);
                pairs(call, |pair| {
                    counts.append_option(match pair {
                        Some((a, b)) => Some(a.in_common(b)?),
                        None => None,
                    });
                    Ok(())
                })?;
                Ok(Arc::new(counts.finish()))
            },
        )),
        Entry::scalar(Kernel::new(
            &JACCARD,
            two(),
            Returns::Type(DataType::Float64),
            |call| {
                let mut indices = Float64Builder::with_capacity(call.rows);
                pairs(call, |pair| {
                    indices.append_option(pair.map(|(a, b)| a.similarity(&b)));
                    Ok(())
                })?;
                Ok(Arc::new(indices.finish()))
            },
        )),
        Entry::scalar(Kernel::new(
            &HASH_COUNTS,
            vec![TypeSignature::Exact(vec![DataType::Binary])],
            Returns::Type(map_of(&DataType::Int64, &DataType::Int16)),
            hash_counts,
        )),
    ]
}

fn returns(_: &str, _: &[FieldRef]) -> Result<Field> {
    Ok(marked(SET_DIGEST, None))
}

/// A summary of a set.
#[derive(Debug, Clone)]
pub(super) struct SetDigest {
    distinct: HyperLogLog,
    /// The least hashes, with how often each occurred.
    hashes: BTreeMap<i64, i16>,
    /// The hashes that the digest keeps at most.
    most: usize,
}

impl SetDigest {
    fn new() -> Self {
        Self {
            distinct: HyperLogLog::new(BITS),
            hashes: BTreeMap::new(),
            most: MOST_HASHES,
        }
    }

    fn add(&mut self, hash: u64) {
        self.distinct.add(hash);
        self.count(hash as i64, 1);
        self.cut();
    }

    fn count(&mut self, hash: i64, times: i16) {
        let count = self.hashes.entry(hash).or_default();
        *count = count.saturating_add(times);
    }

    /// Drops the greatest hashes of too many.
    fn cut(&mut self) {
        while self.hashes.len() > self.most {
            self.hashes.pop_last();
        }
    }

    /// Whether the hashes are those of all values.
    fn is_exact(&self) -> bool {
        self.hashes.len() < self.most
    }

    pub(super) fn cardinality(&mut self) -> i64 {
        match self.is_exact() {
            true => self.hashes.len() as i64,
            false => self.distinct.cardinality(),
        }
    }

    /// Returns the Jaccard index: the share of common hashes among the least ones of both sets.
    fn similarity(&self, other: &Self) -> f64 {
        let least = self.hashes.len().min(other.hashes.len());
        let (mut left, mut right) = (self.hashes.keys(), other.hashes.keys());
        let (mut a, mut b) = (left.next(), right.next());
        let mut common = 0usize;
        for _ in 0..least {
            match (a, b) {
                (Some(x), Some(y)) if x == y => {
                    common += 1;
                    (a, b) = (left.next(), right.next());
                }
                (Some(x), Some(y)) if x < y => a = left.next(),
                (Some(_), None) => a = left.next(),
                (_, Some(_)) => b = right.next(),
                (None, None) => break,
            }
        }
        common as f64 / least as f64
    }

    /// Returns the number of values that both sets have.
    fn in_common(mut self, mut other: Self) -> Result<i64> {
        if self.is_exact() && other.is_exact() {
            let common = self.hashes.keys();
            return Ok(common
                .filter(|hash| other.hashes.contains_key(hash))
                .count() as i64);
        }
        let most = self.cardinality().min(other.cardinality());
        let similarity = self.similarity(&other);
        self.merge(other)?;
        // An estimate may be greater than the smaller set.
        let common = (similarity * self.cardinality() as f64 + 0.5).floor() as i64;
        Ok(common.min(most))
    }
}

impl Sketch for SetDigest {
    fn merge(&mut self, other: Self) -> Result<()> {
        self.distinct.merge(other.distinct)?;
        for (hash, times) in other.hashes {
            self.count(hash, times);
        }
        self.cut();
        Ok(())
    }

    fn write(&mut self) -> Vec<u8> {
        let distinct = self.distinct.write();
        let mut bytes = vec![FORMAT];
        let number = |number: usize| (number as u32).to_le_bytes();
        bytes.extend(number(distinct.len()));
        bytes.extend(distinct);
        bytes.extend(number(self.most));
        bytes.extend(number(self.hashes.len()));
        bytes.extend(self.hashes.keys().flat_map(|hash| hash.to_le_bytes()));
        bytes.extend(self.hashes.values().flat_map(|times| times.to_le_bytes()));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("a set digest", bytes);
        if reader.byte()? != FORMAT {
            return Err(reader.wrong());
        }
        let length = reader.word()? as usize;
        let distinct = HyperLogLog::read(reader.take(length)?)?;
        let most = reader.word()? as usize;
        let count = reader.word()? as usize;
        if count > most || reader.left() != count.saturating_mul(10) {
            return Err(reader.wrong());
        }
        let mut keys = Vec::with_capacity(count);
        for _ in 0..count {
            keys.push(reader.long()? as i64);
        }
        let mut hashes = BTreeMap::new();
        for key in keys {
            hashes.insert(key, reader.short()? as i16);
        }
        Ok(Self {
            distinct,
            hashes,
            most,
        })
    }

    fn size(&self) -> usize {
        self.distinct.size() + self.hashes.len() * ENTRY
    }
}

/// `make_set_digest`.
#[derive(Debug)]
struct Made {
    name: &'static str,
}

impl Summary for Made {
    type Sketch = SetDigest;
    type Input = (Vec<u64>, Option<NullBuffer>);

    fn name(&self) -> &'static str {
        self.name
    }

    fn input(&self, args: &[ArrayRef]) -> Result<Self::Input> {
        let values = args.first();
        let values = values.ok_or_else(|| Error::internal("a digest without values"))?;
        Ok((murmur(values)?, values.logical_nulls()))
    }

    fn add(
        &self,
        digest: &mut Option<SetDigest>,
        (hashes, nulls): &Self::Input,
        row: usize,
    ) -> Result<()> {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            digest.get_or_insert_with(SetDigest::new).add(hashes[row]);
        }
        Ok(())
    }

    fn results(&self, digests: &mut [Option<SetDigest>]) -> Result<ArrayRef> {
        written(self.name, digests)
    }
}

/// Reads the digest of a row of an argument; `None` for NULL.
fn digest(call: &Call<'_>, argument: usize, row: usize) -> Result<Option<SetDigest>> {
    let Some(bytes) = call.columns[argument].bytes().get(row) else {
        return Ok(None);
    };
    // Reading costs more than a step: a check for each KiB.
    for _ in 0..=bytes.len() / 1024 {
        call.work.step()?;
    }
    SetDigest::read(bytes).map(Some)
}

/// Calls `take` with the two digests of each row, if neither is NULL.
fn pairs(
    call: &Call<'_>,
    mut take: impl FnMut(Option<(SetDigest, SetDigest)>) -> Result<()>,
) -> Result<()> {
    for row in 0..call.rows {
        call.work.builds(8)?;
        let (a, b) = (digest(call, 0, row)?, digest(call, 1, row)?);
        take(a.zip(b))?;
    }
    Ok(())
}

fn hash_counts(call: &Call<'_>) -> Result<ArrayRef> {
    let (mut keys, mut values) = (Vec::<i64>::new(), Vec::<i16>::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let digest = digest(call, 0, row)?;
        valid.push(digest.is_some());
        let hashes = digest.map(|digest| digest.hashes).unwrap_or_default();
        call.work.builds(8 + 10 * hashes.len())?;
        lengths.push(hashes.len() as u32);
        keys.extend(hashes.keys());
        values.extend(hashes.values());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(keys)),
        Arc::new(Int16Array::from(values)),
    ];
    maps(
        call.name,
        call.returns,
        columns,
        &lengths,
        NullBuffer::from(valid),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{error, value};

    fn of(values: std::ops::Range<i64>) -> SetDigest {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        let mut digest = SetDigest::new();
        for hash in murmur(&values).unwrap() {
            digest.add(hash);
        }
        digest
    }

    #[test]
    fn digests_are_read_as_they_are_written() {
        for values in [0..0, 0..3, 0..20_000] {
            let mut digest = of(values);
            let bytes = digest.write();
            assert_eq!(SetDigest::read(&bytes).unwrap().write(), bytes);
            for end in [0, 1, 4, 9, bytes.len() - 1] {
                assert!(SetDigest::read(&bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn merged_parts_are_the_whole() {
        let mut parts = of(0..9000);
        parts.merge(of(9000..20_000)).unwrap();
        assert_eq!(parts.write(), of(0..20_000).write());
    }

    #[test]
    fn large_sets_are_estimated() {
        let near = |estimate: f64, exact: f64| (estimate / exact - 1.0).abs() < 0.1;
        assert!(near(of(0..50_000).cardinality() as f64, 50_000.0));
        let (a, b) = (of(0..50_000), of(25_000..75_000));
        assert!(near(a.similarity(&b), 1.0 / 3.0));
        assert!(near(a.in_common(b).unwrap() as f64, 25_000.0));
    }

    #[tokio::test]
    async fn digests_of_sql() {
        for (query, expected) in [
            (
                "(SELECT jaccard_index(make_set_digest(x), make_set_digest(y)) FROM (VALUES (1, 1), (2, 9)) t(x, y))",
                "0.5",
            ),
            (
                "(SELECT cardinality(make_set_digest(x)) FROM (VALUES 'a', NULL, 'b', 'a') t(x))",
                "2",
            ),
            (
                "(SELECT make_set_digest(x) FROM (VALUES CAST(NULL AS bigint)) t(x))",
                "NULL",
            ),
            (
                "(SELECT hash_counts(make_set_digest(x)) FROM (VALUES CAST(NULL AS bigint)) t(x))",
                "NULL",
            ),
        ] {
            assert_eq!(value(query).await.unwrap(), expected, "{query}");
        }
        let refused = error("hash_counts(to_utf8('x'))").await;
        assert!(refused.contains("set digest"), "{refused}");
    }
}
