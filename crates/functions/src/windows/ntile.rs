//! `ntile` of PostgreSQL's sessions, whose number of buckets may be NULL or of a row. The engine's takes
//! a constant that is not NULL (`ntile.rs` of `datafusion-functions-window`, 55.2).
//!
//! ```text
//! ntile(NULL) OVER w      NULL for each row
//! ntile(n) OVER w         NULL for the rows before the first n that is not NULL; that n counts for
//!                         all rows from there on
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt64Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    Documentation, PartitionEvaluator, Signature, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::expressions::Literal;
use lakegate_error::{Code, Error};

/// Registers the function in place of the engine's.
///
/// # Errors
///
/// The session lacks the engine's.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let inner = state.udwf("ntile")?;
    state.register_udwf(Arc::new(WindowUDF::new_from_impl(Ntile { inner })))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ntile {
    inner: Arc<WindowUDF>,
}

impl WindowUDFImpl for Ntile {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.inner.field(args)?;
        Ok(Arc::new(Field::clone(&field).with_nullable(true)))
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let count = args.input_exprs().first();
        let count = count.and_then(|count| count.downcast_ref::<Literal>());
        match count {
            Some(count) if !count.value().is_null() => self.inner.partition_evaluator_factory(args),
            _ => Ok(Box::new(ByRow)),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// The rows of one partition.
#[derive(Debug)]
struct ByRow;

impl PartitionEvaluator for ByRow {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let Some(counts) = values.first() else {
            return Err(Error::internal("ntile without an argument").into());
        };
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let counts = cast_with_options(counts, &DataType::Int64, &options)?;
        let counts = counts.as_primitive::<Int64Type>();
        let mut found = counts.iter().enumerate();
        let Some((first, count)) = found.find_map(|(row, count)| Some((row, count?))) else {
            return Ok(new_null_array(&DataType::UInt64, rows));
        };
        let count = u64::try_from(count).ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| {
            Error::new(
                Code::InvalidNtile,
                "argument of ntile must be greater than zero",
            )
        })?;
        let buckets = (0..rows as u64).map(|row| {
            let counted = row.checked_sub(first as u64)?;
            Some(bucket(counted, rows as u64, count))
        });
        Ok(Arc::new(buckets.collect::<UInt64Array>()))
    }
}

/// Returns the bucket of a row, from 1; the first row is number 0. The first buckets have one row more
/// than the others, where `rows` is no multiple of `count`, which is not 0.
fn bucket(row: u64, rows: u64, count: u64) -> u64 {
    let (size, larger) = (rows / count, rows % count);
    let in_larger = larger * (size + 1);
    match row.checked_sub(in_larger) {
        Some(behind) if size > 0 => larger + behind / size + 1,
        _ => row / (size + 1) + 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Array, Int32Array};

    use super::*;

    fn buckets(counts: Vec<Option<i32>>) -> Result<Vec<Option<u64>>> {
        let rows = counts.len();
        let counts: ArrayRef = Arc::new(Int32Array::from(counts));
        let buckets = ByRow.evaluate_all(&[counts], rows)?;
        let buckets = buckets.as_any().downcast_ref::<UInt64Array>().unwrap();
        Ok(buckets.iter().collect())
    }

    /// The results of PostgreSQL 15.
    #[test]
    fn the_first_number_counts() {
        for (counts, expected) in [
            (vec![None, None], vec![None, None]),
            (vec![], vec![]),
            (
                vec![Some(2), None, Some(9), Some(-1)],
                vec![Some(1), Some(1), Some(2), Some(2)],
            ),
            (
                vec![None, Some(2), None, Some(5)],
                vec![None, Some(1), Some(1), Some(2)],
            ),
            (vec![Some(i32::MAX), Some(1)], vec![Some(1), Some(2)]),
        ] {
            assert_eq!(buckets(counts).unwrap(), expected);
        }
        assert!(buckets(vec![None, Some(0)]).is_err());
        assert!(buckets(vec![Some(i32::MIN)]).is_err());
    }

    #[test]
    fn buckets_differ_by_one_row() {
        let all: Vec<u64> = (0..10).map(|row| bucket(row, 10, 4)).collect();
        assert_eq!(all, [1, 1, 1, 2, 2, 2, 3, 3, 4, 4]);
        let all: Vec<u64> = (0..3).map(|row| bucket(row, 3, 5)).collect();
        assert_eq!(all, [1, 2, 3]);
        assert_eq!(bucket(2, 3, u64::MAX), 3);
    }
}
