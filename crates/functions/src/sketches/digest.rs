//! A t-digest: a summary of numbers that answers what their quantiles are (Dunning and Ertl,
//! "Computing extremely accurate quantiles using t-digests"). Its bytes are those of Trino's.

use datafusion::error::Result;

use super::reader::Reader;
use super::sketch::Sketch;
use crate::aggregates::function::invalid;

/// How many centroids a digest has after compression, about.
const COMPRESSION: f64 = 100.0;
/// Centroids and numbers before they are compressed.
const CAPACITY: usize = 1260;
/// The only version of the bytes.
const FORMAT: u8 = 0;
/// The most centroids that bytes may have.
const MOST: usize = 1 << 20;

/// Numbers that lie near each other, by their mean.
#[derive(Debug, Clone, Copy)]
struct Centroid {
    mean: f64,
    weight: f64,
}

/// A summary of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Digest {
    compression: f64,
    min: f64,
    max: f64,
    weight: f64,
    centroids: Vec<Centroid>,
    /// Centroids at the start that are sorted and compressed.
    compressed: usize,
    /// Whether the next compression starts at the greatest: directions alternate, so that errors
    /// do not add up.
    backwards: bool,
}

impl Default for Digest {
    fn default() -> Self {
        Self {
            compression: COMPRESSION,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            weight: 0.0,
            centroids: Vec::new(),
            compressed: 0,
            backwards: false,
        }
    }
}

impl Digest {
    /// Adds a number.
    ///
    /// # Errors
    ///
    /// The number is not finite, or the weight is less than 1.
    pub(crate) fn add(&mut self, value: f64, weight: f64) -> Result<()> {
        if !value.is_finite() {
            return Err(invalid(format!(
                "a digest takes finite numbers, not {value}"
            )));
        }
        if !weight.is_finite() || weight < 1.0 {
            return Err(invalid(format!(
                "a weight must be at least 1, not {weight}"
            )));
        }
        if self.centroids.len() >= CAPACITY {
            self.compress(2.0 * self.compression);
        }
        self.centroids.push(Centroid {
            mean: value,
            weight,
        });
        self.weight += weight;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        Ok(())
    }

    fn compress(&mut self, compression: f64) {
        if self.centroids.is_empty() {
            return;
        }
        // Sorts the added ones only, then all: the sort finds the two runs.
        self.centroids[self.compressed..].sort_by(|a, b| a.mean.total_cmp(&b.mean));
        self.centroids.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        if self.backwards {
            self.centroids.reverse();
        }
        let normalizer = compression / (4.0 * (self.weight / compression).ln() + 24.0);
        let size_at = |quantile: f64| quantile * (1.0 - quantile) / normalizer;
        let (mut last, mut before) = (0, 0.0);
        let mut size_before = size_at(0.0);
        for index in 1..self.centroids.len() {
            let next = self.centroids[index];
            let current = self.centroids[last];
            let together = current.weight + next.weight;
            let quantile = ((before + together) / self.weight).min(1.0);
            if together <= self.weight * size_before.min(size_at(quantile)) {
                self.centroids[last] = Centroid {
                    mean: current.mean + (next.mean - current.mean) * next.weight / together,
                    weight: together,
                };
            } else {
                before += current.weight;
                size_before = size_at(before / self.weight);
                last += 1;
                self.centroids[last] = next;
            }
        }
        self.centroids.truncate(last + 1);
        if self.backwards {
            self.centroids.reverse();
        }
        self.backwards = !self.backwards;
        self.compressed = self.centroids.len();
    }

    /// Compresses as far as the bytes are compressed. Trino does so before it answers for an
    /// aggregate too, since its digests travel as bytes.
    pub(crate) fn settle(&mut self) {
        self.compress(self.compression);
    }

    fn ready(&mut self) {
        if self.compressed < self.centroids.len() {
            self.compress(2.0 * self.compression);
        }
    }

    /// Returns the number at a quantile from 0 to 1; NaN for a digest without numbers.
    pub(crate) fn value_at(&mut self, quantile: f64) -> f64 {
        self.ready();
        let (Some(first), Some(last)) = (self.centroids.first(), self.centroids.last()) else {
            return f64::NAN;
        };
        if self.centroids.len() == 1 {
            return first.mean;
        }
        // The place among all numbers in order.
        let place = quantile * self.weight;
        if place < 1.0 {
            return self.min;
        }
        if place >= self.weight - 1.0 {
            return self.max;
        }
        if place < first.weight / 2.0 {
            return between(place, (1.0, self.min), (first.weight / 2.0, first.mean));
        }
        let from_end = self.weight - place;
        if from_end <= last.weight / 2.0 && last.weight > 2.0 {
            return between(from_end, (1.0, self.max), (last.weight / 2.0, last.mean));
        }
        let mut center = first.weight / 2.0;
        for pair in self.centroids.windows(2) {
            let [left, right] = pair else {
                break;
            };
            let length = (left.weight + right.weight) / 2.0;
            if place >= center + length {
                center += length;
                continue;
            }
            // A centroid of one number is that number.
            let offset = place - center;
            if left.weight == 1.0 && offset < 0.5 {
                return left.mean;
            }
            if right.weight == 1.0 && offset >= left.weight / 2.0 {
                return right.mean;
            }
            let (start, end) = match (left.weight == 1.0, right.weight == 1.0) {
                (true, _) => (0.5, length),
                (false, true) => (0.0, left.weight / 2.0),
                (false, false) => (0.0, length),
            };
            return between(offset, (start, left.mean), (end, right.mean));
        }
        self.max
    }

    /// Returns the part of the numbers, from 0 to 1, that are less than a number or at it.
    pub(crate) fn quantile_of(&mut self, value: f64) -> f64 {
        self.ready();
        if self.centroids.is_empty() {
            return f64::NAN;
        }
        if value < self.min {
            return 0.0;
        }
        if value >= self.max {
            return 1.0;
        }
        // The weight up to each centroid's mean is that before it and half of its own.
        let (mut left, mut at) = ((0.0, self.min), 0.0);
        for centroid in &self.centroids {
            let right = (at + centroid.weight / 2.0, centroid.mean);
            if value < centroid.mean {
                return crossed(value, left, right) / self.weight;
            }
            at += centroid.weight;
            left = right;
        }
        crossed(value, left, (self.weight, self.max)) / self.weight
    }

    pub(crate) fn count(&self) -> f64 {
        self.weight
    }

    pub(crate) fn compression(&self) -> f64 {
        self.compression
    }

    /// The least and the greatest number.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.min, self.max)
    }

    /// Returns the means and weights of the centroids, in order.
    pub(crate) fn centroids(&mut self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.ready();
        self.centroids.iter().map(|c| (c.mean, c.weight))
    }
}

/// The height at `x` of the line through two points.
fn between(x: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> f64 {
    y0 + (x - x0) / (x1 - x0) * (y1 - y0)
}

/// Where the line through two points has this height.
fn crossed(height: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> f64 {
    match y1 > y0 {
        true => x0 + (height - y0) / (y1 - y0) * (x1 - x0),
        false => x1,
    }
}

impl Sketch for Digest {
    fn merge(&mut self, mut other: Self) -> Result<()> {
        if self.centroids.len() + other.centroids.len() > CAPACITY {
            self.ready();
            other.ready();
        }
        self.centroids.extend_from_slice(&other.centroids);
        self.weight += other.weight;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if self.centroids.len() > CAPACITY {
            self.ready();
        }
        Ok(())
    }

    fn write(&mut self) -> Vec<u8> {
        self.settle();
        let mut bytes = Vec::with_capacity(37 + 16 * self.centroids.len());
        bytes.push(FORMAT);
        for number in [self.min, self.max, self.compression, self.weight] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((self.centroids.len() as u32).to_le_bytes());
        for centroid in &self.centroids {
            bytes.extend(centroid.mean.to_le_bytes());
        }
        for centroid in &self.centroids {
            bytes.extend(centroid.weight.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("a t-digest", bytes);
        if reader.byte()? != FORMAT {
            return Err(reader.wrong());
        }
        let (min, max) = (reader.double()?, reader.double()?);
        let (compression, weight) = (reader.double()?, reader.double()?);
        let count = reader.word()? as usize;
        // The bytes must be there before memory is taken for them.
        if count > MOST || reader.left() != count * 16 {
            return Err(reader.wrong());
        }
        let sound = (10.0..=1_000_000.0).contains(&compression) && weight.is_finite();
        if !sound || weight < 0.0 || (count > 0 && (min > max || min.is_nan() || max.is_nan())) {
            return Err(reader.wrong());
        }
        let mut centroids = Vec::with_capacity(count);
        for _ in 0..count {
            let mean = reader.double()?;
            centroids.push(Centroid { mean, weight: 0.0 });
        }
        for centroid in &mut centroids {
            centroid.weight = reader.double()?;
            let sound = centroid.mean.is_finite() && centroid.weight > 0.0;
            if !sound || !centroid.weight.is_finite() {
                return Err(reader.wrong());
            }
        }
        if centroids.windows(2).any(|pair| pair[0].mean > pair[1].mean) {
            return Err(reader.wrong());
        }
        Ok(Self {
            compression,
            min,
            max,
            weight,
            compressed: centroids.len(),
            centroids,
            backwards: false,
        })
    }

    fn size(&self) -> usize {
        self.centroids.capacity() * size_of::<Centroid>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(numbers: impl Iterator<Item = f64>) -> Digest {
        let mut digest = Digest::default();
        for number in numbers {
            digest.add(number, 1.0).unwrap();
        }
        digest
    }

    #[test]
    fn quantiles_of_many_numbers_are_near() {
        let mut digest = of((0..100_000).map(|n| f64::from(n * 7919 % 100_000)));
        for quantile in [0.0, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0] {
            let value = digest.value_at(quantile);
            let error = (value / 100_000.0 - quantile).abs();
            assert!(error < 0.01, "{quantile}: {value}");
            assert!((digest.quantile_of(value) - quantile).abs() < 0.01);
        }
        assert!(digest.centroids.len() < 400);
    }

    #[test]
    fn bytes_are_read_again_and_merged() {
        let mut left = of((0..1000).map(f64::from));
        let mut right = of((1000..2000).map(f64::from));
        let mut merged = Digest::read(&left.write()).unwrap();
        merged.merge(Digest::read(&right.write()).unwrap()).unwrap();
        assert_eq!(merged.count(), 2000.0);
        assert_eq!(merged.range(), (0.0, 1999.0));
        assert!((merged.value_at(0.5) - 1000.0).abs() < 20.0);
    }

    /// The hashes are of the bytes that Trino 476 returns for `tdigest_agg(x)` of 1 to so many.
    #[test]
    fn bytes_are_those_of_trino() {
        for (count, hash) in [
            (100, 4_959_834_347_720_746_504),
            (300, 7_255_292_263_562_961_798),
            (2000, 1_463_384_975_266_010_900),
        ] {
            let mut numbers = of((1..=count).map(f64::from));
            let hashed = twox_hash::XxHash64::oneshot(0, &numbers.write());
            assert_eq!(hashed, hash, "{count}");
        }
        let mut thousand = of((1..=1000).map(f64::from));
        thousand.settle();
        assert_eq!(thousand.value_at(0.01), 10.5);
        assert_eq!(thousand.value_at(0.99), 990.5);
    }

    #[test]
    fn damaged_bytes_are_errors() {
        let bytes = of((0..100).map(f64::from)).write();
        for length in 0..bytes.len() {
            assert!(Digest::read(&bytes[..length]).is_err());
        }
        let mut many = bytes.clone();
        many[33..37].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Digest::read(&many).is_err());
    }

    #[test]
    fn few_numbers_are_exact() {
        let mut digest = of([3.0, 1.0, 2.0].into_iter());
        assert_eq!(digest.value_at(0.0), 1.0);
        assert_eq!(digest.value_at(0.5), 2.0);
        assert_eq!(digest.value_at(1.0), 3.0);
        assert!(Digest::default().value_at(0.5).is_nan());
    }
}
