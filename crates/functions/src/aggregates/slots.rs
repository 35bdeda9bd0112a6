//! One value for each group.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;

use super::function::{Call, too_large};
use super::kept::of_types;
use super::state::{Selected, State};

/// One value for each group, NULL until it is set.
pub(crate) trait Slots: fmt::Debug + Send + Sync {
    fn resize(&mut self, groups: usize);

    /// Sets the values of groups to those of rows of `array`: pairs of a group and a row.
    fn set(&mut self, array: &ArrayRef, pairs: &[(usize, usize)]) -> Result<()>;

    fn values(&self, groups: usize) -> Result<ArrayRef>;

    fn forget(&mut self, groups: usize);

    fn size(&self) -> usize;
}

/// Returns slots for values of a type.
pub(crate) fn slots(name: &'static str, data_type: &DataType) -> Result<Box<dyn Slots>> {
    macro_rules! numbers {
        ($t:ty) => {
            Box::new(Numbers::<$t> {
                data_type: data_type.clone(),
                values: Vec::new(),
                set: Vec::new(),
            })
        };
    }
    use DataType as T;
    Ok(match data_type {
        T::Int8 => numbers!(Int8Type),
        T::Int16 => numbers!(Int16Type),
        T::Int32 => numbers!(Int32Type),
        T::Int64 => numbers!(Int64Type),
        T::Float32 => numbers!(Float32Type),
        T::Float64 => numbers!(Float64Type),
        T::Date32 => numbers!(Date32Type),
        T::Decimal128(..) => numbers!(Decimal128Type),
        T::Timestamp(TimeUnit::Microsecond, _) => numbers!(TimestampMicrosecondType),
        T::Timestamp(TimeUnit::Millisecond, _) => numbers!(TimestampMillisecondType),
        T::Timestamp(TimeUnit::Nanosecond, _) => numbers!(TimestampNanosecondType),
        _ => Box::new(Encoded {
            name,
            data_type: data_type.clone(),
            converter: RowConverter::new(vec![SortField::new(data_type.clone())])?,
            values: Vec::new(),
            bytes: 0,
        }),
    })
}

/// Numbers, dates and times.
struct Numbers<T: ArrowPrimitiveType> {
    data_type: DataType,
    values: Vec<T::Native>,
    set: Vec<bool>,
}

impl<T: ArrowPrimitiveType> fmt::Debug for Numbers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbers").finish_non_exhaustive()
    }
}

impl<T: ArrowPrimitiveType> Slots for Numbers<T> {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, T::Native::default());
        self.set.resize(groups, false);
    }

    fn set(&mut self, array: &ArrayRef, pairs: &[(usize, usize)]) -> Result<()> {
        let array = array.as_primitive::<T>();
        for &(group, row) in pairs {
            self.set[group] = array.is_valid(row);
            self.values[group] = array.value(row);
        }
        Ok(())
    }

    fn values(&self, groups: usize) -> Result<ArrayRef> {
        let values = ScalarBuffer::from(self.values[..groups].to_vec());
        let nulls = NullBuffer::from(&self.set[..groups]);
        let array = PrimitiveArray::<T>::try_new(values, Some(nulls))?;
        Ok(Arc::new(array.with_data_type(self.data_type.clone())))
    }

    fn forget(&mut self, groups: usize) {
        self.values.drain(..groups);
        self.set.drain(..groups);
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.set.capacity()
    }
}

/// Values of other types, in arrow's row format.
#[derive(Debug)]
struct Encoded {
    name: &'static str,
    data_type: DataType,
    converter: RowConverter,
    values: Vec<Option<Box<[u8]>>>,
    bytes: usize,
}

impl Slots for Encoded {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn set(&mut self, array: &ArrayRef, pairs: &[(usize, usize)]) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let indexes: arrow::array::UInt64Array = pairs.iter().map(|(_, row)| *row as u64).collect();
        let chosen = arrow::compute::take(array, &indexes, None)?;
        let nulls = chosen.logical_nulls();
        let rows = self.converter.convert_columns(&[chosen])?;
        for (index, &(group, _)) in pairs.iter().enumerate() {
            let value = match nulls.as_ref().is_none_or(|nulls| nulls.is_valid(index)) {
                true => Some(Box::from(rows.row(index).data())),
                false => None,
            };
            let slot = &mut self.values[group];
            let before = slot.as_ref().map_or(0, |value| value.len());
            self.bytes -= before;
            self.bytes += value.as_deref().map_or(0, |value: &[u8]| value.len());
            *slot = value;
        }
        Ok(())
    }

    fn values(&self, groups: usize) -> Result<ArrayRef> {
        let values = self.values[..groups].iter();
        let values: Vec<Option<&[u8]>> = values.map(Option::as_deref).collect();
        decoded(self.name, &self.converter, &self.data_type, &values)
    }

    fn forget(&mut self, groups: usize) {
        let forgotten = self.values.drain(..groups);
        self.bytes -= forgotten.flatten().map(|value| value.len()).sum::<usize>();
    }

    fn size(&self) -> usize {
        self.bytes + self.values.capacity() * size_of::<Option<Box<[u8]>>>()
    }
}

/// Returns values in arrow's row format as an array.
pub(crate) fn decoded(
    name: &str,
    converter: &RowConverter,
    data_type: &DataType,
    values: &[Option<&[u8]>],
) -> Result<ArrayRef> {
    let null = converter.convert_columns(&[arrow::array::new_null_array(data_type, 1)])?;
    let null = null.row(0).data();
    let bytes = values.iter().map(|value| value.unwrap_or(null).len());
    if i32::try_from(bytes.fold(0usize, usize::saturating_add)).is_err() {
        return Err(too_large(name));
    }
    let parser = converter.parser();
    let rows = values
        .iter()
        .map(|value| parser.parse(value.unwrap_or(null)));
    let columns = converter.convert_rows(rows)?;
    let columns = of_types(columns, std::slice::from_ref(data_type))?;
    let array = columns.into_iter().next();
    array.ok_or_else(|| lakegate_error::Error::internal("a row without a column").into())
}

/// The first value of each group that is not NULL.
#[derive(Debug)]
pub(crate) struct Any {
    slots: Box<dyn Slots>,
    pairs: Vec<(usize, usize)>,
    /// The groups that have a value.
    marks: Vec<bool>,
}

impl Any {
    pub(crate) fn make(call: &Call) -> Result<Box<dyn State>> {
        Ok(Box::new(Self {
            slots: slots(call.name, &call.data_type(0))?,
            pairs: Vec::new(),
            marks: Vec::new(),
        }))
    }
}

impl State for Any {
    fn resize(&mut self, groups: usize) {
        self.slots.resize(groups);
        self.marks.resize(groups, false);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let Some(array) = args.first() else {
            return Ok(());
        };
        self.pairs.clear();
        let nulls = array.logical_nulls();
        rows.each(nulls.as_ref(), |row, group| {
            if !self.marks[group] {
                self.marks[group] = true;
                self.pairs.push((group, row));
            }
            Ok(())
        })?;
        self.slots.set(array, &self.pairs)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let filter = None;
        self.update(states, &Selected { groups, filter })
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        self.slots.values(groups)
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.slots.values(groups)?])
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        self.slots.forget(groups);
        self.marks.drain(..groups);
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self.slots.size()
            + self.marks.capacity()
            + self.pairs.capacity() * size_of::<(usize, usize)>()
    }
}
