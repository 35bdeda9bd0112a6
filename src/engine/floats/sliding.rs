//! `sum`, `avg` and the like of floating-point numbers over frames that move.
//!
//! The engine subtracts what leaves a frame. An infinity or a NaN stays in the sum for ever then, and a large number takes the
//! digits of small ones with it (`retract_batch` in `sum.rs`, `average.rs` and `variance.rs` of `datafusion-functions-aggregate`,
//! 55.2). Here the numbers of the frame are kept, and added up anew when one of these has left. Delete this when the engine
//! does so.

use std::collections::VecDeque;
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

use super::as_the_inner;

/// A number that leaves takes digits with it if what is left is smaller by more than this.
const LARGER: f64 = 1e6;

pub fn register(state: &mut SessionState) -> Result<()> {
    for (name, kind) in [
        ("sum", Kind::Sum),
        ("avg", Kind::Average),
        ("var_samp", Kind::Variance { population: false }),
        ("var_pop", Kind::Variance { population: true }),
        ("stddev", Kind::Deviation { population: false }),
        ("stddev_pop", Kind::Deviation { population: true }),
    ] {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let sliding = Sliding { inner, kind };
            state.register_udaf(Arc::new(AggregateUDF::new_from_impl(sliding)))?;
        }
    }
    Ok(())
}

/// What is made of the numbers of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Average,
    Variance { population: bool },
    Deviation { population: bool },
}

/// The engine's function but for moving frames.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sliding {
    inner: Arc<AggregateUDF>,
    kind: Kind,
}

impl AggregateUDFImpl for Sliding {
    as_the_inner!();

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let floats = args.return_field.data_type() == &DataType::Float64
            && matches!(args.expr_fields, [field] if field.data_type() == &DataType::Float64);
        if !floats || args.is_distinct {
            return self.inner.create_sliding_accumulator(args);
        }
        Ok(Box::new(Frame::new(self.kind)))
    }
}

/// The numbers of a frame, NULLs left out.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    values: VecDeque<f64>,
    moments: Moments,
    /// A number has left that cannot be subtracted.
    stale: bool,
}

/// Sums that numbers can be added to and taken from, as far as rounding allows.
#[derive(Debug, Default)]
struct Moments {
    count: f64,
    sum: f64,
    mean: f64,
    /// Of the squares of distances from the mean.
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    fn remove(&mut self, value: f64) {
        if self.count <= 1.0 {
            *self = Self::default();
            return;
        }
        self.count -= 1.0;
        self.sum -= value;
        let distance = value - self.mean;
        self.mean -= distance / self.count;
        self.squares -= distance * (value - self.mean);
    }

    /// `None`: SQL's NULL.
    fn result(&self, kind: Kind) -> Option<f64> {
        let variance = |population: bool| {
            let degrees = self.count - if population { 0.0 } else { 1.0 };
            // Rounding may leave a little less than nothing; NaN stays NaN.
            let squares = if self.squares < 0.0 {
                0.0
            } else {
                self.squares
            };
            (degrees > 0.0).then(|| squares / degrees)
        };
        match kind {
            Kind::Sum => (self.count > 0.0).then_some(self.sum),
            Kind::Average => (self.count > 0.0).then(|| self.sum / self.count),
            Kind::Variance { population } => variance(population),
            Kind::Deviation { population } => variance(population).map(f64::sqrt),
        }
    }
}

impl Frame {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            values: VecDeque::new(),
            moments: Moments::default(),
            stale: false,
        }
    }
}

fn numbers(columns: &[ArrayRef]) -> Result<impl Iterator<Item = f64> + '_> {
    let column = columns
        .first()
        .and_then(|column| column.as_primitive_opt::<Float64Type>())
        .ok_or_else(|| DataFusionError::Internal("a frame of another type".to_owned()))?;
    Ok(column.iter().flatten())
}

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in numbers(values)? {
            self.values.push_back(value);
            self.moments.add(value);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in numbers(values)? {
            self.values.pop_front();
            self.moments.remove(value);
            let (size, left) = (value.abs(), self.moments.sum.abs());
            self.stale |= !value.is_finite() || size > LARGER * left && size > 0.0;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.stale {
            self.moments = Moments::default();
            for value in &self.values {
                self.moments.add(*value);
            }
            self.stale = false;
        }
        Ok(ScalarValue::Float64(self.moments.result(self.kind)))
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
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }
}
