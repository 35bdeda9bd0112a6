//! Values of window functions, for some rows after the other.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, Int64Array, NullBufferBuilder, PrimitiveArray,
    UInt64Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use crate::limits::stop::check;

/// Rows between two checks whether the query is still wanted.
const CHECKED: usize = 1 << 16;

/// Consecutive rows. The last one ends a frame.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// Whether a partition begins with the row.
    pub(super) partitions: &'a [bool],
    /// Whether a group of peers begins with the row.
    pub(super) peers: &'a [bool],
    /// Whether a frame ends with the row.
    pub(super) ends: &'a [bool],
}

impl Chunk<'_> {
    /// Returns for each row its number, whether a partition begins with it, and whether a frame ends
    /// with it.
    fn rows(&self) -> impl Iterator<Item = (usize, bool, bool)> + '_ {
        let rows = self.partitions.iter().zip(self.ends).enumerate();
        rows.map(|(row, (begins, ends))| (row, *begins, *ends))
    }
}

/// A function that is evaluated for one chunk of its input after the other.
pub(crate) trait Running: Any + Send {
    /// Returns the values for the rows of a chunk.
    ///
    /// # Errors
    ///
    /// Returns an error if the function has no value for a row, or if the query must stop.
    fn values(&mut self, chunk: &Chunk<'_>, arguments: &[ArrayRef]) -> Result<ArrayRef>;
}

/// An aggregate of the values from the beginning of a partition.
pub(crate) trait Fold: Send + 'static {
    /// The type of the argument.
    type Of: ArrowPrimitiveType;
    /// The type of the result.
    type To: ArrowPrimitiveType;

    /// Forgets all values.
    fn clear(&mut self);

    /// Adds a value that is not NULL.
    fn add(&mut self, value: <Self::Of as ArrowPrimitiveType>::Native);

    /// Returns the aggregate; `None` for SQL's NULL.
    ///
    /// # Errors
    ///
    /// Returns an error if the type does not hold it.
    fn value(&self) -> Result<Option<<Self::To as ArrowPrimitiveType>::Native>>;
}

/// Returns the function that is this aggregate; `None` if its types are others.
///
/// `of`: the type of the argument. `to`: the type of the result.
pub(crate) fn folded<F: Fold>(fold: F, of: &DataType, to: &DataType) -> Option<Box<dyn Running>> {
    let fits =
        PrimitiveArray::<F::Of>::is_compatible(of) && PrimitiveArray::<F::To>::is_compatible(to);
    if !fits {
        return None;
    }
    let to = to.clone();
    Some(Box::new(Folded { fold, to }))
}

struct Folded<F> {
    fold: F,
    to: DataType,
}

impl<F: Fold> Running for Folded<F> {
    fn values(&mut self, chunk: &Chunk<'_>, arguments: &[ArrayRef]) -> Result<ArrayRef> {
        let column = argument(arguments)?;
        let column = column
            .as_primitive_opt::<F::Of>()
            .ok_or_else(|| DataFusionError::Internal("a window of another type".to_owned()))?;
        let mut values: Vec<<F::To as ArrowPrimitiveType>::Native> =
            Vec::with_capacity(chunk.ends.len());
        let mut nulls = NullBufferBuilder::new(chunk.ends.len());
        for ((row, begins, ends), value) in chunk.rows().zip(column.iter()) {
            if row % CHECKED == 0 {
                check()?;
            }
            if begins {
                self.fold.clear();
            }
            if let Some(value) = value {
                self.fold.add(value);
            }
            if ends {
                let waiting = row + 1 - values.len();
                let value = self.fold.value()?;
                match value {
                    Some(_) => nulls.append_n_non_nulls(waiting),
                    None => nulls.append_n_nulls(waiting),
                }
                values.resize(row + 1, value.unwrap_or_default());
            }
        }
        let values = PrimitiveArray::<F::To>::try_new(values.into(), nulls.finish())?;
        Ok(Arc::new(values.with_data_type(self.to.clone())))
    }
}

fn argument(arguments: &[ArrayRef]) -> Result<&ArrayRef> {
    arguments
        .first()
        .ok_or_else(|| DataFusionError::Internal("a window without its argument".to_owned()))
}

/// `min` or `max`.
struct Extreme<T: ArrowPrimitiveType, const GREATEST: bool>(Option<T::Native>);

impl<T: ArrowPrimitiveType, const GREATEST: bool> Fold for Extreme<T, GREATEST> {
    type Of = T;
    type To = T;

    fn clear(&mut self) {
        self.0 = None;
    }

    fn add(&mut self, value: T::Native) {
        let is_more = self.0.is_none_or(|extreme| match GREATEST {
            true => value.is_gt(extreme),
            false => value.is_lt(extreme),
        });
        if is_more {
            self.0 = Some(value);
        }
    }

    fn value(&self) -> Result<Option<T::Native>> {
        Ok(self.0)
    }
}

/// Returns what computes the same values as an accumulator of DataFusion for the `min` or `max` of
/// integers, decimals, dates or timestamps.
///
/// `of`: the type of the argument. `to`: the type of the result.
pub(super) fn extreme(
    accumulator: &(dyn Accumulator + 'static),
    of: &DataType,
    to: &DataType,
) -> Option<Box<dyn Running>> {
    let accumulator: &dyn Any = accumulator;
    let is_greatest = accumulator.is::<MaxAccumulator>();
    if !is_greatest && !accumulator.is::<MinAccumulator>() {
        return None;
    }
    macro_rules! extreme {
        ($t:ty) => {
            match is_greatest {
                true => folded(Extreme::<$t, true>(None), of, to),
                false => folded(Extreme::<$t, false>(None), of, to),
            }
        };
    }
    match to {
        DataType::Int8 => extreme!(Int8Type),
        DataType::Int16 => extreme!(Int16Type),
        DataType::Int32 => extreme!(Int32Type),
        DataType::Int64 => extreme!(Int64Type),
        DataType::UInt8 => extreme!(UInt8Type),
        DataType::UInt16 => extreme!(UInt16Type),
        DataType::UInt32 => extreme!(UInt32Type),
        DataType::UInt64 => extreme!(UInt64Type),
        DataType::Decimal128(..) if of == to => extreme!(Decimal128Type),
        DataType::Date32 => extreme!(Date32Type),
        DataType::Date64 => extreme!(Date64Type),
        DataType::Timestamp(TimeUnit::Second, _) => extreme!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => extreme!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => extreme!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => extreme!(TimestampNanosecondType),
        _ => None,
    }
}

/// `count` of the values that are not NULL.
#[derive(Default)]
pub(super) struct Counted {
    count: i64,
}

impl Running for Counted {
    fn values(&mut self, chunk: &Chunk<'_>, arguments: &[ArrayRef]) -> Result<ArrayRef> {
        let nulls = argument(arguments)?.logical_nulls();
        let mut values = Vec::with_capacity(chunk.ends.len());
        for (row, begins, ends) in chunk.rows() {
            if row % CHECKED == 0 {
                check()?;
            }
            if begins {
                self.count = 0;
            }
            self.count += i64::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
            if ends {
                values.resize(row + 1, self.count);
            }
        }
        Ok(Arc::new(Int64Array::from(values)))
    }
}

/// A function that numbers the rows of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Row,
    Rank,
    DenseRank,
}

/// The numbers of the last row.
pub(super) struct Numbered {
    number: Number,
    row: u64,
    rank: u64,
    dense_rank: u64,
}

impl Numbered {
    pub(super) fn new(number: Number) -> Self {
        Self {
            number,
            row: 0,
            rank: 0,
            dense_rank: 0,
        }
    }
}

impl Running for Numbered {
    fn values(&mut self, chunk: &Chunk<'_>, _: &[ArrayRef]) -> Result<ArrayRef> {
        let mut values = Vec::with_capacity(chunk.ends.len());
        for ((row, begins, _), is_no_peer) in chunk.rows().zip(chunk.peers) {
            if row % CHECKED == 0 {
                check()?;
            }
            if begins {
                (self.row, self.dense_rank) = (0, 0);
            }
            self.row += 1;
            if *is_no_peer {
                self.rank = self.row;
                self.dense_rank += 1;
            }
            values.push(match self.number {
                Number::Row => self.row,
                Number::Rank => self.rank,
                Number::DenseRank => self.dense_rank,
            });
        }
        Ok(Arc::new(UInt64Array::from(values)))
    }
}

/// Values that are scalars at a time.
const PIECE: usize = 4096;

/// An aggregate by its accumulator, which is given the rows that each frame adds to the one before
/// it.
pub(super) struct Stepwise {
    function: Arc<AggregateFunctionExpr>,
    accumulator: Box<dyn Accumulator>,
}

impl Stepwise {
    /// `accumulator`: a new one of the function.
    pub(super) fn new(
        function: Arc<AggregateFunctionExpr>,
        accumulator: Box<dyn Accumulator>,
    ) -> Self {
        Self {
            function,
            accumulator,
        }
    }
}

impl Running for Stepwise {
    fn values(&mut self, chunk: &Chunk<'_>, arguments: &[ArrayRef]) -> Result<ArrayRef> {
        let mut made: Vec<ArrayRef> = Vec::new();
        let mut values: Vec<ScalarValue> = Vec::new();
        let mut count = 0;
        // The place of the value of each row.
        let mut places: Vec<u64> = Vec::with_capacity(chunk.ends.len());
        for (row, begins, ends) in chunk.rows() {
            if begins {
                self.accumulator = self.function.create_accumulator()?;
            }
            if !ends {
                continue;
            }
            check()?;
            let added = places.len();
            let columns = arguments.iter();
            let columns = columns.map(|column| column.slice(added, row + 1 - added));
            let columns: Vec<ArrayRef> = columns.collect();
            self.accumulator.update_batch(&columns)?;
            places.resize(row + 1, count);
            count += 1;
            values.push(self.accumulator.evaluate()?);
            // A scalar takes more memory than a value of an array.
            if values.len() == PIECE {
                made.push(ScalarValue::iter_to_array(std::mem::take(&mut values))?);
            }
        }
        if !values.is_empty() || made.is_empty() {
            made.push(ScalarValue::iter_to_array(values)?);
        }
        let made: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
        let values = concat(&made)?;
        Ok(match count == places.len() as u64 {
            true => values,
            false => take(values.as_ref(), &UInt64Array::from(places), None)?,
        })
    }
}
