//! `max_by(x, y)` and `min_by(x, y)`: the value of `x` where `y` is greatest or least.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;

use super::function::Call;
use super::slots::{Slots, slots};
use super::state::{Selected, State};

/// No row of the batch.
const NO_ROW: u32 = u32::MAX;

/// Keys whose order is that of the values, the best one greatest.
#[derive(Debug)]
enum Keys {
    /// The keys of numbers and times, which fit 64 bits. `None` for a group without a row.
    Numbers { least: bool, best: Vec<Option<u64>> },
    /// The others, in arrow's row format.
    Rows {
        converter: RowConverter,
        best: Vec<Option<Box<[u8]>>>,
        bytes: usize,
    },
}

/// The keys of one batch.
enum Batch {
    Numbers(Vec<u64>),
    Rows(arrow::row::Rows),
}

#[derive(Debug)]
struct Best {
    keys: Keys,
    x: Box<dyn Slots>,
    y: Box<dyn Slots>,
    /// The best row of the batch, by group.
    row_of: Vec<u32>,
    pairs: Vec<(usize, usize)>,
}

pub(crate) fn greatest(call: &Call) -> Result<Box<dyn State>> {
    best(call, false)
}

pub(crate) fn least(call: &Call) -> Result<Box<dyn State>> {
    best(call, true)
}

fn best(call: &Call, least: bool) -> Result<Box<dyn State>> {
    let by = call.data_type(1);
    let keys = match numbered(&by) {
        true => Keys::Numbers {
            least,
            best: Vec::new(),
        },
        false => {
            let options = SortOptions {
                descending: least,
                nulls_first: true,
            };
            let field = SortField::new_with_options(by.clone(), options);
            Keys::Rows {
                converter: RowConverter::new(vec![field])?,
                best: Vec::new(),
                bytes: 0,
            }
        }
    };
    Ok(Box::new(Best {
        keys,
        x: slots(call.name, &call.data_type(0))?,
        y: slots(call.name, &by)?,
        row_of: Vec::new(),
        pairs: Vec::new(),
    }))
}

fn numbered(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
            | T::Date32
            | T::Date64
            | T::Time32(_)
            | T::Time64(_)
            | T::Timestamp(..)
            | T::Duration(_)
    )
}

/// The key of a whole number.
fn whole(number: i64) -> u64 {
    (number as u64) ^ (1 << 63)
}

/// The key of a floating-point number; that of NaN is less than all others.
fn float(number: f64) -> u64 {
    if number.is_nan() {
        return 0;
    }
    let bits = (number + 0.0).to_bits();
    match bits >> 63 {
        0 => bits | (1 << 63),
        _ => !bits,
    }
}

/// Returns the keys of numbers, for the greatest or the least to be the best.
fn keys_of(array: &ArrayRef, least: bool) -> Result<Vec<u64>> {
    use DataType as T;
    let turned = |key: u64| if least { !key } else { key };
    // NaN is the worst in both directions.
    let of_float = |x: f64| match x.is_nan() {
        true => 0,
        false => turned(float(x)),
    };
    macro_rules! keys {
        ($t:ty) => {
            array
                .as_primitive::<$t>()
                .values()
                .iter()
                .map(|x| turned(whole(i64::from(*x))))
                .collect()
        };
    }
    Ok(match array.data_type() {
        T::Int8 => keys!(Int8Type),
        T::Int16 => keys!(Int16Type),
        T::Int32 => keys!(Int32Type),
        T::UInt8 => keys!(UInt8Type),
        T::UInt16 => keys!(UInt16Type),
        T::UInt32 => keys!(UInt32Type),
        T::Int64 => keys!(Int64Type),
        T::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().values().iter();
            values.map(|x| turned(*x)).collect()
        }
        T::Float32 => {
            let values = array.as_primitive::<Float32Type>().values().iter();
            values.map(|x| of_float(f64::from(*x))).collect()
        }
        T::Float64 => {
            let values = array.as_primitive::<Float64Type>().values().iter();
            values.map(|x| of_float(*x)).collect()
        }
        T::Date32 | T::Time32(_) => {
            let days = arrow::compute::cast(array, &T::Int32)?;
            return keys_of(&days, least);
        }
        _ => {
            let whole = arrow::compute::cast(array, &T::Int64)?;
            return keys_of(&whole, least);
        }
    })
}

impl Keys {
    fn resize(&mut self, groups: usize) {
        match self {
            Keys::Numbers { best, .. } => best.resize(groups, None),
            Keys::Rows { best, .. } => best.resize(groups, None),
        }
    }

    fn batch(&self, array: &ArrayRef) -> Result<Batch> {
        Ok(match self {
            Keys::Numbers { least, .. } => Batch::Numbers(keys_of(array, *least)?),
            Keys::Rows { converter, .. } => {
                Batch::Rows(converter.convert_columns(std::slice::from_ref(array))?)
            }
        })
    }

    fn forget(&mut self, groups: usize) {
        match self {
            Keys::Numbers { best, .. } => {
                best.drain(..groups);
            }
            Keys::Rows { best, bytes, .. } => {
                let forgotten = best.drain(..groups).flatten();
                *bytes -= forgotten.map(|key| key.len()).sum::<usize>();
            }
        }
    }

    fn size(&self) -> usize {
        match self {
            Keys::Numbers { best, .. } => best.capacity() * size_of::<Option<u64>>(),
            Keys::Rows { best, bytes, .. } => {
                bytes + best.capacity() * size_of::<Option<Box<[u8]>>>()
            }
        }
    }
}

impl State for Best {
    fn resize(&mut self, groups: usize) {
        self.keys.resize(groups);
        self.x.resize(groups);
        self.y.resize(groups);
        self.row_of.resize(groups, NO_ROW);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let [x, y, ..] = args else {
            return Ok(());
        };
        let batch = self.keys.batch(y)?;
        self.pairs.clear();
        let (row_of, pairs) = (&mut self.row_of, &mut self.pairs);
        let mut found = |row: usize, group: usize| {
            if row_of[group] == NO_ROW {
                pairs.push((group, row));
            }
            row_of[group] = row as u32;
        };
        let nulls = y.logical_nulls();
        match (&mut self.keys, &batch) {
            (Keys::Numbers { best, .. }, Batch::Numbers(keys)) => {
                rows.each(nulls.as_ref(), |row, group| {
                    let key = Some(keys[row]);
                    if key > best[group] {
                        best[group] = key;
                        found(row, group);
                    }
                    Ok(())
                })?;
            }
            (Keys::Rows { best, bytes, .. }, Batch::Rows(keys)) => {
                rows.each(nulls.as_ref(), |row, group| {
                    let key = keys.row(row).data();
                    let before = best[group].as_deref();
                    if before.is_none_or(|before| key > before) {
                        *bytes += key.len();
                        *bytes -= before.map_or(0, <[u8]>::len);
                        best[group] = Some(Box::from(key));
                        found(row, group);
                    }
                    Ok(())
                })?;
            }
            _ => return Err(lakegate_error::Error::internal("keys of another kind").into()),
        }
        for (group, row) in &mut self.pairs {
            *row = self.row_of[*group] as usize;
            self.row_of[*group] = NO_ROW;
        }
        self.x.set(x, &self.pairs)?;
        self.y.set(y, &self.pairs)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let filter = None;
        self.update(states, &Selected { groups, filter })
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        self.x.values(groups)
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.x.values(groups)?, self.y.values(groups)?])
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        self.keys.forget(groups);
        self.x.forget(groups);
        self.y.forget(groups);
        self.row_of.drain(..groups);
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self.keys.size()
            + self.x.size()
            + self.y.size()
            + self.row_of.capacity() * size_of::<u32>()
            + self.pairs.capacity() * size_of::<(usize, usize)>()
    }
}
