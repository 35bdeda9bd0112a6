//! Aggregates whose state is a few numbers: `count_if`, `geometric_mean`, `skewness`, `kurtosis`,
//! `entropy` and `checksum`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Float64Array, Int64Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::function::{Call, invalid};
use super::hashes::hashes;
use super::state::{Selected, State};

/// The numbers of one group.
pub(crate) trait Tally: fmt::Debug + Copy + Default + Send + Sync + 'static {
    /// The columns of a state.
    const STATE: &'static [DataType];
    /// Whether rows can be taken out exactly.
    const RETRACTS: bool = false;
    /// The argument, prepared for a batch.
    type Input;

    fn input(args: &[ArrayRef]) -> Result<Self::Input>;

    fn add(&mut self, input: &Self::Input, row: usize) -> Result<()>;

    fn subtract(&mut self, _: &Self::Input, _: usize) {}

    fn merge(&mut self, other: &Self) -> Result<()>;

    fn write(tallies: &[Self]) -> Vec<ArrayRef>;

    fn read(columns: &[ArrayRef]) -> Vec<Self>;

    fn results(tallies: &[Self]) -> Result<ArrayRef>;
}

#[derive(Debug)]
struct Tallies<T>(Vec<T>);

/// Makes the states of an aggregate.
pub(crate) fn make<T: Tally>(_: &Call) -> Result<Box<dyn State>> {
    Ok(Box::new(Tallies::<T>(Vec::new())))
}

/// Returns the columns of a state.
pub(crate) fn state<T: Tally>(_: &[FieldRef], _: &Field) -> Result<Vec<Field>> {
    let types = T::STATE.iter().cloned();
    Ok(types
        .map(|data_type| Field::new("", data_type, true))
        .collect())
}

impl<T: Tally> State for Tallies<T> {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, T::default());
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let input = T::input(args)?;
        rows.each(None, |row, group| self.0[group].add(&input, row))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        for (tally, &group) in T::read(states).iter().zip(groups) {
            self.0[group].merge(tally)?;
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        T::results(&self.0[..groups])
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        Ok(T::write(&self.0[..groups]))
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        self.0.drain(..groups);
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<T>()
    }

    fn retracts(&self) -> bool {
        T::RETRACTS
    }

    fn retract(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let input = T::input(args)?;
        rows.each(None, |row, group| {
            self.0[group].subtract(&input, row);
            Ok(())
        })
    }
}

fn floats<T>(tallies: &[T], of: impl Fn(&T) -> f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(tallies.iter().map(of)))
}

fn wholes<T>(tallies: &[T], of: impl Fn(&T) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(tallies.iter().map(of)))
}

fn first(args: &[ArrayRef]) -> Result<&ArrayRef> {
    args.first()
        .ok_or_else(|| Error::internal("an aggregate without arguments").into())
}

fn numbers(args: &[ArrayRef]) -> Result<Float64Array> {
    Ok(first(args)?.as_primitive::<Float64Type>().clone())
}

/// `count_if`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count(i64);

impl Tally for Count {
    const STATE: &'static [DataType] = &[DataType::Int64];
    const RETRACTS: bool = true;
    type Input = BooleanArray;

    fn input(args: &[ArrayRef]) -> Result<BooleanArray> {
        Ok(first(args)?.as_boolean().clone())
    }

    fn add(&mut self, input: &BooleanArray, row: usize) -> Result<()> {
        self.0 += i64::from(input.value(row) && input.is_valid(row));
        Ok(())
    }

    fn subtract(&mut self, input: &BooleanArray, row: usize) {
        self.0 -= i64::from(input.value(row) && input.is_valid(row));
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.0 += other.0;
        Ok(())
    }

    fn write(tallies: &[Self]) -> Vec<ArrayRef> {
        vec![wholes(tallies, |tally| tally.0)]
    }

    fn read(columns: &[ArrayRef]) -> Vec<Self> {
        let counts = columns[0].as_primitive::<Int64Type>();
        counts
            .iter()
            .map(|count| Self(count.unwrap_or(0)))
            .collect()
    }

    fn results(tallies: &[Self]) -> Result<ArrayRef> {
        Ok(wholes(tallies, |tally| tally.0))
    }
}

/// `geometric_mean`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Logarithms {
    count: i64,
    sum: f64,
}

impl Tally for Logarithms {
    const STATE: &'static [DataType] = &[DataType::Int64, DataType::Float64];
    type Input = Float64Array;

    fn input(args: &[ArrayRef]) -> Result<Float64Array> {
        numbers(args)
    }

    fn add(&mut self, input: &Float64Array, row: usize) -> Result<()> {
        if input.is_valid(row) {
            self.count += 1;
            self.sum += input.value(row).ln();
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.count += other.count;
        self.sum += other.sum;
        Ok(())
    }

    fn write(tallies: &[Self]) -> Vec<ArrayRef> {
        vec![wholes(tallies, |t| t.count), floats(tallies, |t| t.sum)]
    }

    fn read(columns: &[ArrayRef]) -> Vec<Self> {
        let counts = columns[0].as_primitive::<Int64Type>().values();
        let sums = columns[1].as_primitive::<Float64Type>().values();
        let pairs = counts.iter().zip(sums);
        pairs.map(|(&count, &sum)| Self { count, sum }).collect()
    }

    fn results(tallies: &[Self]) -> Result<ArrayRef> {
        let means = tallies
            .iter()
            .map(|tally| (tally.count > 0).then(|| (tally.sum / tally.count as f64).exp()));
        Ok(Arc::new(means.collect::<Float64Array>()))
    }
}

/// The central moments of numbers. `THIRD`: for the skewness, otherwise for the kurtosis.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moments<const THIRD: bool> {
    n: f64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl<const THIRD: bool> Tally for Moments<THIRD> {
    const STATE: &'static [DataType] = &[
        DataType::Float64,
        DataType::Float64,
        DataType::Float64,
        DataType::Float64,
        DataType::Float64,
    ];
    type Input = Float64Array;

    fn input(args: &[ArrayRef]) -> Result<Float64Array> {
        numbers(args)
    }

    fn add(&mut self, input: &Float64Array, row: usize) -> Result<()> {
        if input.is_null(row) {
            return Ok(());
        }
        let one = Self {
            n: 1.0,
            mean: input.value(row),
            ..Self::default()
        };
        self.merge(&one)
    }

    // The formulas of Chan and of Pébay, which combine the moments of two parts.
    fn merge(&mut self, other: &Self) -> Result<()> {
        if other.n == 0.0 {
            return Ok(());
        }
        if self.n == 0.0 {
            *self = *other;
            return Ok(());
        }
        let (a, b) = (self.n, other.n);
        let n = a + b;
        let delta = other.mean - self.mean;
        let part = delta / n;
        let m2 = self.m2 + other.m2 + delta * part * a * b;
        let m3 = self.m3
            + other.m3
            + delta * part * part * a * b * (a - b)
            + 3.0 * part * (a * other.m2 - b * self.m2);
        let m4 = self.m4
            + other.m4
            + delta * part * part * part * a * b * (a * a - a * b + b * b)
            + 6.0 * part * part * (a * a * other.m2 + b * b * self.m2)
            + 4.0 * part * (a * other.m3 - b * self.m3);
        *self = Self {
            n,
            mean: self.mean + b * part,
            m2,
            m3,
            m4,
        };
        Ok(())
    }

    fn write(tallies: &[Self]) -> Vec<ArrayRef> {
        vec![
            floats(tallies, |t| t.n),
            floats(tallies, |t| t.mean),
            floats(tallies, |t| t.m2),
            floats(tallies, |t| t.m3),
            floats(tallies, |t| t.m4),
        ]
    }

    fn read(columns: &[ArrayRef]) -> Vec<Self> {
        let of =
            |column: usize, row: usize| columns[column].as_primitive::<Float64Type>().value(row);
        let rows = 0..columns[0].len();
        rows.map(|row| Self {
            n: of(0, row),
            mean: of(1, row),
            m2: of(2, row),
            m3: of(3, row),
            m4: of(4, row),
        })
        .collect()
    }

    fn results(tallies: &[Self]) -> Result<ArrayRef> {
        let results = tallies.iter().map(|t| {
            let n = t.n;
            if THIRD {
                (n >= 3.0).then(|| n.sqrt() * t.m3 / t.m2.powf(1.5))
            } else {
                (n >= 4.0).then(|| {
                    let fourth = (n - 1.0) * n * (n + 1.0) / ((n - 2.0) * (n - 3.0));
                    let normal = 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0));
                    fourth * t.m4 / (t.m2 * t.m2) - normal
                })
            }
        });
        Ok(Arc::new(results.collect::<Float64Array>()))
    }
}

/// `entropy`: the entropy of counts, in bits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    rows: i64,
    sum: f64,
    /// The sum of c * log2(c).
    products: f64,
}

impl Tally for Counts {
    const STATE: &'static [DataType] = &[DataType::Int64, DataType::Float64, DataType::Float64];
    type Input = Float64Array;

    fn input(args: &[ArrayRef]) -> Result<Float64Array> {
        numbers(args)
    }

    fn add(&mut self, input: &Float64Array, row: usize) -> Result<()> {
        if input.is_null(row) {
            return Ok(());
        }
        let count = input.value(row);
        if count < 0.0 {
            return Err(invalid(format!(
                "a count of entropy must not be negative, but is {count}"
            )));
        }
        self.rows += 1;
        if count > 0.0 {
            self.sum += count;
            self.products += count * count.log2();
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.rows += other.rows;
        self.sum += other.sum;
        self.products += other.products;
        Ok(())
    }

    fn write(tallies: &[Self]) -> Vec<ArrayRef> {
        vec![
            wholes(tallies, |t| t.rows),
            floats(tallies, |t| t.sum),
            floats(tallies, |t| t.products),
        ]
    }

    fn read(columns: &[ArrayRef]) -> Vec<Self> {
        let counts = columns[0].as_primitive::<Int64Type>();
        let sums = columns[1].as_primitive::<Float64Type>();
        let products = columns[2].as_primitive::<Float64Type>();
        let rows = 0..counts.len();
        rows.map(|row| Self {
            rows: counts.value(row),
            sum: sums.value(row),
            products: products.value(row),
        })
        .collect()
    }

    fn results(tallies: &[Self]) -> Result<ArrayRef> {
        // Presto returns 0 for no counts and for counts of 0.
        let results = tallies.iter().map(|t| match t.sum > 0.0 {
            true => (t.sum.log2() - t.products / t.sum).max(0.0),
            false => 0.0,
        });
        Ok(Arc::new(Float64Array::from_iter_values(results)))
    }
}

/// `checksum`: the sum of the hashes of the values, modulo 2^64.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checksum {
    /// The number of rows; a checksum without rows is NULL.
    rows: i64,
    sum: u64,
}

/// What a hash is multiplied by, and the summand of NULL.
const FACTOR: u64 = 0x9E37_79B1_85EB_CA87;

impl Tally for Checksum {
    const STATE: &'static [DataType] = &[DataType::Int64, DataType::Int64];
    const RETRACTS: bool = true;
    type Input = Vec<u64>;

    fn input(args: &[ArrayRef]) -> Result<Vec<u64>> {
        let array = first(args)?;
        let nulls = array.logical_nulls();
        let mut hashes = hashes(array)?;
        for (row, hash) in hashes.iter_mut().enumerate() {
            *hash = match nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                true => FACTOR,
                false => hash.wrapping_mul(FACTOR),
            };
        }
        Ok(hashes)
    }

    fn add(&mut self, input: &Vec<u64>, row: usize) -> Result<()> {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(input[row]);
        Ok(())
    }

    fn subtract(&mut self, input: &Vec<u64>, row: usize) {
        self.rows -= 1;
        self.sum = self.sum.wrapping_sub(input[row]);
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
        Ok(())
    }

    fn write(tallies: &[Self]) -> Vec<ArrayRef> {
        vec![
            wholes(tallies, |t| t.rows),
            wholes(tallies, |t| t.sum.cast_signed()),
        ]
    }

    fn read(columns: &[ArrayRef]) -> Vec<Self> {
        let rows = columns[0].as_primitive::<Int64Type>().values();
        let sums = columns[1].as_primitive::<Int64Type>().values();
        let pairs = rows.iter().zip(sums);
        pairs
            .map(|(&rows, &sum)| Self {
                rows,
                sum: sum.cast_unsigned(),
            })
            .collect()
    }

    fn results(tallies: &[Self]) -> Result<ArrayRef> {
        if i32::try_from(tallies.len().saturating_mul(8)).is_err() {
            let message = "checksum returns too many values at once";
            return Err(Error::new(Code::ResultTooLarge, message).into());
        }
        let mut sums = BinaryBuilder::with_capacity(tallies.len(), tallies.len() * 8);
        for tally in tallies {
            match tally.rows {
                0 => sums.append_null(),
                _ => sums.append_value(tally.sum.to_le_bytes()),
            }
        }
        Ok(Arc::new(sums.finish()))
    }
}
