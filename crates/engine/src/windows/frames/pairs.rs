//! Functions of pairs (y, x) of floating-point numbers in PostgreSQL's sessions, as `float.c` of
//! PostgreSQL calculates them. The engine's differ (`correlation.rs`, `regr.rs` and `covariance.rs` of
//! `datafusion-functions-aggregate`, 55.2):
//!
//! ```text
//!                                             PostgreSQL    the engine
//! corr, x has a NaN or an infinite number     NaN           NULL
//! regr_slope of one row whose x is NaN        NaN           NULL
//! corr of groups, of 1e9 + 1, 1e9 + 2, …      exact         without most digits
//! a sum of squares that is too large          22003         an infinite number
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    Signature,
};

use super::stacks::Queue;
use super::{AllPairs, Kind, OF_PAIRS, degrees, floats};
use crate::aggregation::aggregates::{GroupedSums, OfSums};
use crate::numbers::floats::overflow;

/// The columns of a state.
const STATE: [&str; 6] = ["count", "x", "xx", "y", "yy", "xy"];

/// Replaces a session's functions with these.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register_pairs(state: &mut SessionState) -> Result<()> {
    // The number of pairs is the engine's.
    let others = OF_PAIRS
        .into_iter()
        .filter(|(_, kind)| *kind != Kind::Count);
    for (name, kind) in others {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let function = Paired { inner, kind };
            state.register_udaf(Arc::new(AggregateUDF::new_from_impl(function)))?;
        }
    }
    Ok(())
}

/// The sums of pairs. Those of squares and products are of distances from the means.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    count: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    /// Adds a pair: Youngs and Cramer, "Some Results Relevant to Choice of Sum and Sum-of-Product
    /// Algorithms", 1971.
    ///
    /// # Errors
    ///
    /// A sum of finite numbers is too large.
    fn add(&mut self, y: f64, x: f64) -> Result<()> {
        let before = *self;
        self.count += 1.0;
        self.x += x;
        self.y += y;
        if before.count == 0.0 {
            // What is infinite or NaN has no distance from itself.
            let distance = |number: f64| if number.is_finite() { 0.0 } else { f64::NAN };
            self.xx = distance(x);
            self.yy = distance(y);
            self.xy = self.xx + self.yy;
            return Ok(());
        }
        let (of_x, of_y) = (x * self.count - self.x, y * self.count - self.y);
        let scale = 1.0 / (self.count * before.count);
        self.xx += of_x * of_x * scale;
        self.yy += of_y * of_y * scale;
        self.xy += of_x * of_y * scale;
        let given_x = before.x.is_infinite() || x.is_infinite();
        let given_y = before.y.is_infinite() || y.is_infinite();
        self.check(given_x, given_y)
    }

    /// Adds the sums of other pairs: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise
    /// Algorithm for Computing Sample Variances", 1979.
    ///
    /// # Errors
    ///
    /// A sum of finite numbers is too large.
    fn merge(&mut self, other: Self) -> Result<()> {
        if other.count == 0.0 {
            return Ok(());
        }
        if self.count == 0.0 {
            *self = other;
            return Ok(());
        }
        let before = *self;
        let of_x = before.x / before.count - other.x / other.count;
        let of_y = before.y / before.count - other.y / other.count;
        self.count += other.count;
        let parts = before.count * other.count / self.count;
        self.x += other.x;
        self.y += other.y;
        self.xx += other.xx + of_x * of_x * parts;
        self.yy += other.yy + of_y * of_y * parts;
        self.xy += other.xy + of_x * of_y * parts;
        let given_x = before.x.is_infinite() || other.x.is_infinite();
        let given_y = before.y.is_infinite() || other.y.is_infinite();
        self.check(given_x, given_y)
    }

    /// Makes sums of squares and products NaN where an infinite number was given, and fails where
    /// none was.
    fn check(&mut self, given_x: bool, given_y: bool) -> Result<()> {
        let exceeds_x = self.x.is_infinite() || self.xx.is_infinite();
        let exceeds_y = self.y.is_infinite() || self.yy.is_infinite();
        if (exceeds_x && !given_x)
            || (exceeds_y && !given_y)
            || (self.xy.is_infinite() && !given_x && !given_y)
        {
            return Err(overflow().into());
        }
        for sum in [&mut self.xx, &mut self.yy, &mut self.xy] {
            if sum.is_infinite() {
                *sum = f64::NAN;
            }
        }
        Ok(())
    }

    /// Returns the aggregate of the pairs; `None` for SQL's NULL.
    fn result(&self, kind: Kind) -> Option<f64> {
        let any = self.count > 0.0;
        let sloped = any && self.xx != 0.0;
        match kind {
            Kind::Covariance { population } => Some(self.xy / degrees(self.count, population)?),
            Kind::Correlation => (sloped && self.yy != 0.0).then(|| self.correlation()),
            Kind::Slope => sloped.then(|| self.xy / self.xx),
            Kind::Intercept => sloped.then(|| (self.y - self.x * self.xy / self.xx) / self.count),
            Kind::Determination if self.yy == 0.0 => sloped.then_some(1.0),
            Kind::Determination => sloped.then(|| (self.xy * self.xy) / (self.xx * self.yy)),
            Kind::AverageX => any.then(|| self.x / self.count),
            Kind::AverageY => any.then(|| self.y / self.count),
            Kind::SquaresX => any.then_some(self.xx),
            Kind::SquaresY => any.then_some(self.yy),
            Kind::Products => any.then_some(self.xy),
            _ => None,
        }
    }

    fn correlation(&self) -> f64 {
        let product = self.xx * self.yy;
        let root = match product == 0.0 || product.is_infinite() {
            true => self.xx.sqrt() * self.yy.sqrt(),
            false => product.sqrt(),
        };
        (self.xy / root).clamp(-1.0, 1.0)
    }

    fn columns(&self) -> [f64; 6] {
        [self.count, self.x, self.xx, self.y, self.yy, self.xy]
    }
}

/// Returns the sums of each row of a state's columns.
fn sums(states: &[ArrayRef]) -> Result<impl Iterator<Item = Sums> + '_> {
    let mut columns = Vec::with_capacity(STATE.len());
    for place in 0..STATE.len() {
        columns.push(floats(states, place)?);
    }
    Ok(std::iter::from_fn(move || {
        let mut row = columns.iter_mut().map(Iterator::next);
        let mut next = || row.next().flatten().map(Option::unwrap_or_default);
        Some(Sums {
            count: next()?,
            x: next()?,
            xx: next()?,
            y: next()?,
            yy: next()?,
            xy: next()?,
        })
    }))
}

/// Returns the columns of a state.
fn states(sums: &[Sums]) -> Vec<ArrayRef> {
    let mut columns: [Vec<f64>; 6] = Default::default();
    for sums in sums {
        for (column, value) in columns.iter_mut().zip(sums.columns()) {
            column.push(value);
        }
    }
    let columns = columns.into_iter();
    columns
        .map(|column| Arc::new(Float64Array::from(column)) as ArrayRef)
        .collect()
}

/// Returns the pairs of rows; `None` where one number is NULL.
fn pairs(columns: &[ArrayRef]) -> Result<impl Iterator<Item = Option<(f64, f64)>> + '_> {
    let rows = floats(columns, 0)?.zip(floats(columns, 1)?);
    Ok(rows.map(|(y, x)| Some((y?, x?))))
}

/// A function of the session that calculates as PostgreSQL does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Paired {
    inner: Arc<AggregateUDF>,
    kind: Kind,
}

impl AggregateUDFImpl for Paired {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return self.inner.accumulator(args);
        }
        Ok(Box::new(Plain {
            kind: self.kind,
            sums: Sums::default(),
        }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return self.inner.create_sliding_accumulator(args);
        }
        Ok(Box::new(AllPairs {
            kind: self.kind,
            least: 1.0,
            frame: Queue::new(),
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            return self.inner.state_fields(args);
        }
        let fields = STATE.iter().map(|name| {
            let name = format_state_name(args.name, name);
            Arc::new(Field::new(name, DataType::Float64, false))
        });
        Ok(fields.collect())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupedSums::new(OfPairs(self.kind))))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// All rows.
#[derive(Debug)]
struct Plain {
    kind: Kind,
    sums: Sums,
}

impl Accumulator for Plain {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for (y, x) in pairs(values)?.flatten() {
            self.sums.add(y, x)?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for other in sums(states)? {
            self.sums.merge(other)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = self.sums.columns().into_iter();
        Ok(columns.map(|sum| ScalarValue::Float64(Some(sum))).collect())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.sums.result(self.kind)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The function of the pairs of each group.
struct OfPairs(Kind);

impl OfSums for OfPairs {
    type Sums = Sums;
    type Row = (f64, f64);

    fn rows(columns: &[ArrayRef]) -> Result<impl Iterator<Item = Option<(f64, f64)>>> {
        pairs(columns)
    }

    fn add(sums: &mut Sums, (y, x): (f64, f64)) -> Result<()> {
        sums.add(y, x)
    }

    fn merge(sums: &mut Sums, other: Sums) -> Result<()> {
        sums.merge(other)
    }

    fn read(states: &[ArrayRef]) -> Result<impl Iterator<Item = Sums>> {
        sums(states)
    }

    fn states(sums: &[Sums]) -> Vec<ArrayRef> {
        states(sums)
    }

    fn results(&self, sums: &[Sums]) -> Result<ArrayRef> {
        let results = sums.iter().map(|sums| sums.result(self.0));
        Ok(Arc::new(results.collect::<Float64Array>()))
    }
}

#[cfg(test)]
mod tests;
