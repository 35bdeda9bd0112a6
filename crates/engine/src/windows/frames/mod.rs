//! Aggregate functions over moving frames.
//!
//! The engine subtracts the values that leave a frame. Subtraction of floating-point numbers loses
//! digits of the other numbers, an infinity or a NaN stays forever, and numbers that are all equal
//! leave a small remainder instead of 0 (`retract_batch` in `sum.rs`, `average.rs`, `variance.rs`,
//! `covariance.rs`, `correlation.rs` and `regr.rs` of `datafusion-functions-aggregate`, 55.2). This
//! module subtracts nothing: [`stacks`] combines a frame from its parts. Delete this when the
//! engine does so.
//!
//! [`emptied`] replaces a function that does not recognize an empty frame; [`determination`]
//! replaces one that is NULL where its result is 1, and [`singles`] those that are 0 where it is NaN;
//! [`bits`] adds those that the engine refuses. [`pairs`] has the functions of pairs in PostgreSQL's
//! sessions, with and without frames. [`exclusions`] has frames without some of their rows, [`offsets`]
//! those whose offsets are parameters.

mod bits;
mod corrected;
mod determination;
mod emptied;
mod exclusions;
mod moments;
mod offsets;
mod pairs;
mod singles;
mod stacks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};

pub use self::exclusions::{Exclusion, excluding, value_excluding, written_name};
use self::moments::{Moments, Pairs};
pub(crate) use self::offsets::RangeOffsets;
pub use self::offsets::{BEYOND_ALL_ROWS, offset_mark, range_mark, with_offsets};
pub(crate) use self::pairs::register_pairs;
use self::stacks::Queue;
use crate::aggregation::aggregates::as_the_inner;

/// Registers these functions in place of the engine's.
///
/// # Errors
///
/// Returns the session's error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    bits::register(state)?;
    determination::register(state)?;
    emptied::register(state)?;
    singles::register(state)?;
    for (name, kind) in OF_NUMBERS.into_iter().chain(OF_PAIRS) {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let sliding = Sliding { inner, kind };
            state.register_udaf(Arc::new(AggregateUDF::new_from_impl(sliding)))?;
        }
    }
    Ok(())
}

/// The aggregate of a frame's numbers, or of its pairs (y, x).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Average,
    Variance { population: bool },
    Deviation { population: bool },
    Covariance { population: bool },
    Correlation,
    Slope,
    Intercept,
    Count,
    Determination,
    AverageX,
    AverageY,
    SquaresX,
    SquaresY,
    Products,
}

/// The functions of numbers.
const OF_NUMBERS: [(&str, Kind); 6] = [
    ("sum", Kind::Sum),
    ("avg", Kind::Average),
    ("var", Kind::Variance { population: false }),
    ("var_pop", Kind::Variance { population: true }),
    ("stddev", Kind::Deviation { population: false }),
    ("stddev_pop", Kind::Deviation { population: true }),
];

/// The functions of pairs.
const OF_PAIRS: [(&str, Kind); 12] = [
    ("covar_samp", Kind::Covariance { population: false }),
    ("covar_pop", Kind::Covariance { population: true }),
    ("corr", Kind::Correlation),
    ("regr_slope", Kind::Slope),
    ("regr_intercept", Kind::Intercept),
    ("regr_count", Kind::Count),
    ("regr_r2", Kind::Determination),
    ("regr_avgx", Kind::AverageX),
    ("regr_avgy", Kind::AverageY),
    ("regr_sxx", Kind::SquaresX),
    ("regr_syy", Kind::SquaresY),
    ("regr_sxy", Kind::Products),
];

/// Returns the number to divide by; `None` if there are too few values.
fn degrees(count: f64, population: bool) -> Option<f64> {
    let degrees = count - if population { 0.0 } else { 1.0 };
    (degrees > 0.0).then_some(degrees)
}

impl Kind {
    fn of_pairs(self) -> bool {
        !matches!(
            self,
            Kind::Sum | Kind::Average | Kind::Variance { .. } | Kind::Deviation { .. }
        )
    }

    /// Returns the aggregate of numbers; `None` for SQL's NULL.
    fn of_numbers(self, of: &Moments) -> Option<f64> {
        let variance = |population| Some(of.squares / degrees(of.count, population)?);
        match self {
            Kind::Sum => (of.count > 0.0).then_some(of.sum),
            Kind::Average => (of.count > 0.0).then(|| of.sum / of.count),
            Kind::Variance { population } => variance(population),
            Kind::Deviation { population } => variance(population).map(f64::sqrt),
            _ => None,
        }
    }

    /// Returns the aggregate of pairs, as in PostgreSQL; `None` for SQL's NULL. `least`: how many
    /// pairs make a line, if the squares of x are not 0.
    fn of_all_pairs(self, of: &Pairs, least: f64) -> Option<f64> {
        let (x, y) = (&of.x, &of.y);
        let any = of.count() > 0.0;
        let sloped = of.count() >= least && x.squares != 0.0;
        match self {
            Kind::Covariance { population } => Some(of.products / degrees(of.count(), population)?),
            Kind::Correlation => (sloped && y.squares != 0.0)
                .then(|| (of.products / (x.squares * y.squares).sqrt()).clamp(-1.0, 1.0)),
            Kind::Slope => sloped.then(|| of.products / x.squares),
            Kind::Intercept => sloped.then(|| y.mean - x.mean * of.products / x.squares),
            Kind::Determination if y.squares == 0.0 => sloped.then_some(1.0),
            Kind::Determination => {
                sloped.then(|| of.products * of.products / (x.squares * y.squares))
            }
            Kind::AverageX => any.then(|| x.sum / x.count),
            Kind::AverageY => any.then(|| y.sum / y.count),
            Kind::SquaresX => any.then_some(x.squares),
            Kind::SquaresY => any.then_some(y.squares),
            Kind::Products => any.then_some(of.products),
            _ => None,
        }
    }
}

/// The engine's function, except for moving frames.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sliding {
    inner: Arc<AggregateUDF>,
    kind: Kind,
}

impl AggregateUDFImpl for Sliding {
    as_the_inner!();

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let arguments = args.expr_fields.iter();
        let mut types = arguments.map(|field| field.data_type());
        let floats = types.all(|of| of == &DataType::Float64);
        let result = args.return_field.data_type();
        let fits = match self.kind {
            Kind::Count => result == &DataType::UInt64,
            _ => result == &DataType::Float64,
        };
        if !floats || !fits || args.is_distinct {
            return self.inner.create_sliding_accumulator(args);
        }
        Ok(match (self.kind.of_pairs(), args.expr_fields.len()) {
            (false, 1) => Box::new(Numbers {
                kind: self.kind,
                frame: Queue::new(),
            }),
            (true, 2) => Box::new(AllPairs {
                kind: self.kind,
                least: 2.0,
                frame: Queue::new(),
            }),
            _ => return self.inner.create_sliding_accumulator(args),
        })
    }
}

fn floats(columns: &[ArrayRef], index: usize) -> Result<impl Iterator<Item = Option<f64>> + '_> {
    let column = columns
        .get(index)
        .and_then(|column| column.as_primitive_opt::<Float64Type>())
        .ok_or_else(|| DataFusionError::Internal("a frame of another type".to_owned()))?;
    Ok(column.iter())
}

/// An aggregate of the numbers of a frame, without NULLs.
#[derive(Debug)]
struct Numbers {
    kind: Kind,
    frame: Queue<Moments>,
}

/// An aggregate of the pairs of a frame, without those that have a NULL.
#[derive(Debug)]
struct AllPairs {
    kind: Kind,
    /// How many pairs make a line.
    least: f64,
    frame: Queue<Pairs>,
}

/// Methods that all accumulators of frames share. Their states are never merged.
macro_rules! of_one_frame {
    () => {
        fn supports_retract_batch(&self) -> bool {
            true
        }

        fn state(&mut self) -> Result<Vec<ScalarValue>> {
            Ok(vec![self.evaluate()?])
        }

        fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
            Err(DataFusionError::Internal(
                "frames are not merged".to_owned(),
            ))
        }

        fn size(&self) -> usize {
            size_of_val(self) + self.frame.size()
        }
    };
}

impl Accumulator for Numbers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in floats(values, 0)?.flatten() {
            self.frame.push(Moments::of(value));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for _ in floats(values, 0)?.flatten() {
            self.frame.pop();
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.kind.of_numbers(&self.frame.total());
        Ok(ScalarValue::Float64(result))
    }

    of_one_frame!();
}

impl Accumulator for AllPairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for (y, x) in floats(values, 0)?.zip(floats(values, 1)?) {
            if let (Some(y), Some(x)) = (y, x) {
                self.frame.push(Pairs::of(y, x));
            }
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for (y, x) in floats(values, 0)?.zip(floats(values, 1)?) {
            if y.is_some() && x.is_some() {
                self.frame.pop();
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let total = self.frame.total();
        Ok(match self.kind {
            // A whole number, and far below 2^53.
            Kind::Count => ScalarValue::UInt64(Some(total.count() as u64)),
            kind => ScalarValue::Float64(kind.of_all_pairs(&total, self.least)),
        })
    }

    of_one_frame!();
}
