//! Accumulators of the engine whose results are corrected.

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;

/// Returns a result that is right, given the engine's result and its accumulator.
pub(super) type Correct = fn(ScalarValue, &mut dyn Accumulator) -> Result<ScalarValue>;

/// Returns the engine's accumulator with results that `correct` corrects.
pub(super) fn corrected(inner: Box<dyn Accumulator>, correct: Correct) -> Box<dyn Accumulator> {
    Box::new(Corrected { inner, correct })
}

#[derive(Debug)]
struct Corrected {
    inner: Box<dyn Accumulator>,
    correct: Correct,
}

impl Accumulator for Corrected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        (self.correct)(value, self.inner.as_mut())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}
