//! Values as keys that are compared and hashed fast, whatever their type is.
//!
//! Numbers, dates and times become words, texts and bytes are read in place, and rows, arrays and
//! maps become Arrow's row format. NaN equals NaN and is greater than all numbers; 0.0 equals -0.0.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, Float32Array, Float64Array, ListArray,
    MapArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::HashSet;
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

/// Keys of all values of an array. The key of a NULL means nothing.
#[derive(Debug)]
pub(crate) enum Keys {
    Words(Vec<u64>),
    Wide(Vec<u128>),
    Bytes(BinaryArray),
    Views(BinaryViewArray),
    Rows(Rows),
}

impl Keys {
    /// # Errors
    ///
    /// Values of the type cannot be compared.
    pub(crate) fn of(values: &ArrayRef) -> Result<Self> {
        const SIGN: u64 = 1 << 63;
        let signed = |value: i64| (value as u64) ^ SIGN;
        Ok(match values.data_type() {
            DataType::Null => Self::Words(vec![0; values.len()]),
            DataType::Boolean => {
                let booleans = values.as_boolean();
                let words = (0..booleans.len()).map(|at| u64::from(booleans.value(at)));
                Self::Words(words.collect())
            }
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Duration(_) => {
                let values = cast(values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>().values();
                Self::Words(values.iter().map(|value| signed(*value)).collect())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                let values = cast(values, &DataType::UInt64)?;
                Self::Words(values.as_primitive::<UInt64Type>().values().to_vec())
            }
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                let values = cast(values, &DataType::Float64)?;
                let values = values.as_primitive::<Float64Type>().values();
                let words = values.iter().map(|value| {
                    let bits = canonical64(*value).to_bits();
                    if bits & SIGN == 0 { bits | SIGN } else { !bits }
                });
                Self::Words(words.collect())
            }
            DataType::Decimal128(..) => {
                let values = values.as_primitive::<Decimal128Type>().values();
                let words = values.iter().map(|value| (*value as u128) ^ (1 << 127));
                Self::Wide(words.collect())
            }
            DataType::Utf8 => Self::Bytes(values.as_string::<i32>().clone().into()),
            DataType::Binary => Self::Bytes(values.as_binary::<i32>().clone()),
            DataType::Utf8View => Self::Views(values.as_string_view().clone().to_binary_view()),
            DataType::BinaryView => Self::Views(values.as_binary_view().clone()),
            data_type => {
                let values = canonical(values)?;
                let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
                Self::Rows(converter.convert_columns(&[values])?)
            }
        })
    }
}

/// Evaluates an expression with a function from indexes to keys, for each kind of keys.
macro_rules! with_keys {
    ($keys:expr, |$at:ident| $body:expr) => {
        match &$keys {
            $crate::arrays::keys::Keys::Words(words) => {
                let $at = |index: usize| words[index];
                $body
            }
            $crate::arrays::keys::Keys::Wide(words) => {
                let $at = |index: usize| words[index];
                $body
            }
            $crate::arrays::keys::Keys::Bytes(bytes) => {
                let $at = |index: usize| bytes.value(index);
                $body
            }
            $crate::arrays::keys::Keys::Views(bytes) => {
                let $at = |index: usize| bytes.value(index);
                $body
            }
            $crate::arrays::keys::Keys::Rows(rows) => {
                let $at = |index: usize| rows.row(index);
                $body
            }
        }
    };
}
pub(crate) use with_keys;

/// Evaluates an expression with two such functions, of keys of values of one type.
macro_rules! with_both_keys {
    ($keys:expr, $others:expr, |$at:ident, $other:ident| $body:expr) => {{
        use $crate::arrays::keys::Keys;
        match (&$keys, &$others) {
            (Keys::Words(words), Keys::Words(others)) => {
                let ($at, $other) = (|at: usize| words[at], |at: usize| others[at]);
                $body
            }
            (Keys::Wide(words), Keys::Wide(others)) => {
                let ($at, $other) = (|at: usize| words[at], |at: usize| others[at]);
                $body
            }
            (Keys::Bytes(bytes), Keys::Bytes(others)) => {
                let ($at, $other) = (|at: usize| bytes.value(at), |at: usize| others.value(at));
                $body
            }
            (Keys::Views(bytes), Keys::Views(others)) => {
                let ($at, $other) = (|at: usize| bytes.value(at), |at: usize| others.value(at));
                $body
            }
            (Keys::Rows(rows), Keys::Rows(others)) => {
                let ($at, $other) = (|at: usize| rows.row(at), |at: usize| others.row(at));
                $body
            }
            _ => Err($crate::arrays::keys::of_two_types()),
        }
    }};
}
pub(crate) use with_both_keys;

/// A fault of a function: it compares values that it did not cast to one type.
pub(crate) fn of_two_types() -> DataFusionError {
    DataFusionError::Internal("keys of two types were compared".to_owned())
}

fn canonical64(value: f64) -> f64 {
    // Adding zero makes -0.0 a positive zero.
    if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    }
}

fn canonical32(value: f32) -> f32 {
    if value.is_nan() {
        f32::NAN
    } else {
        value + 0.0
    }
}

/// Replaces the floats within nested values by ones that are equal if their bits are.
fn canonical(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Float64 => {
            let values: Float64Array = values.as_primitive::<Float64Type>().unary(canonical64);
            Arc::new(values)
        }
        DataType::Float32 => {
            let values: Float32Array = values.as_primitive::<Float32Type>().unary(canonical32);
            Arc::new(values)
        }
        DataType::List(item) => {
            let list = values.as_list::<i32>();
            let items = canonical(list.values())?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, nulls)?)
        }
        DataType::Struct(fields) => {
            let rows = values.as_struct();
            let columns = rows.columns().iter().map(canonical);
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let nulls = rows.nulls().cloned();
            let length = rows.len();
            let fields = fields.clone();
            Arc::new(StructArray::try_new_with_length(
                fields, columns, nulls, length,
            )?)
        }
        DataType::Map(entries, sorted) => {
            let maps = values.as_map();
            let of = canonical(&(Arc::new(maps.entries().clone()) as ArrayRef))?;
            let of = of.as_struct().clone();
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            let entries = Arc::clone(entries);
            Arc::new(MapArray::try_new(entries, offsets, of, nulls, *sorted)?)
        }
        _ => Arc::clone(values),
    })
}

/// Returns a function that tells which values are NaN.
pub(crate) fn nan(values: &ArrayRef) -> impl Fn(usize) -> bool + '_ {
    let doubles = values.as_primitive_opt::<Float64Type>();
    let reals = values.as_primitive_opt::<Float32Type>();
    move |index| {
        doubles.is_some_and(|values| values.value(index).is_nan())
            || reals.is_some_and(|values| values.value(index).is_nan())
    }
}

/// Checks that values that are no NULLs hold none within: whether two of them are equal, or which
/// one is greater, would be unknown.
///
/// # Errors
///
/// One does.
pub(crate) fn check_known(name: &str, values: &ArrayRef) -> Result<()> {
    if !values.data_type().is_nested() {
        return Ok(());
    }
    let Some(unknown) = unknown(values, true) else {
        return Ok(());
    };
    match unknown.contains(&true) {
        false => Ok(()),
        true => Err(Error::new(
            Code::NotSupported,
            format!("{name} cannot compare rows, arrays or maps that contain NULL"),
        )
        .into()),
    }
}

/// Which values are NULL or hold NULL; with `within`, only which are not NULL and hold NULL.
/// `None` if none does.
fn unknown(values: &ArrayRef, within: bool) -> Option<Vec<bool>> {
    let nulls = values
        .logical_nulls()
        .filter(|nulls| nulls.null_count() > 0);
    let inner: Option<Vec<bool>> = match values.data_type() {
        DataType::List(_) => {
            let list = values.as_list::<i32>();
            unknown(list.values(), false).map(|items| over(list.value_offsets(), &items))
        }
        DataType::Map(..) => {
            let maps = values.as_map();
            unknown(maps.values(), false).map(|items| over(maps.value_offsets(), &items))
        }
        DataType::Struct(_) => {
            let columns = values.as_struct().columns().iter();
            let columns = columns.filter_map(|column| unknown(column, false));
            columns.reduce(|mut all, column| {
                for (all, one) in all.iter_mut().zip(column) {
                    *all |= one;
                }
                all
            })
        }
        _ => None,
    };
    match (nulls, inner) {
        (None, inner) => inner,
        (Some(_), None) if within => None,
        (Some(nulls), None) => Some(nulls.iter().map(|valid| !valid).collect()),
        (Some(nulls), Some(mut inner)) => {
            for (inner, valid) in inner.iter_mut().zip(nulls.iter()) {
                *inner = if valid { *inner } else { !within };
            }
            Some(inner)
        }
    }
}

/// Whether a list has an item that is marked, for each list.
fn over(offsets: &[i32], items: &[bool]) -> Vec<bool> {
    let lists = offsets.windows(2).map(|ends| match ends {
        [start, end] => {
            let range = usize::try_from(*start).ok().zip(usize::try_from(*end).ok());
            let items = range.and_then(|(start, end)| items.get(start..end));
            items.is_some_and(|items| items.contains(&true))
        }
        _ => false,
    });
    lists.collect()
}

/// Keys up to which a search is faster than a hash table.
const FEW: usize = 16;
/// Capacity above which clearing a table for each row would take longer than making a new one.
const LARGE: usize = 1024;

/// A set of keys that is cleared for each row.
#[derive(Debug)]
pub(crate) struct Seen<K> {
    few: Vec<K>,
    many: HashSet<K>,
}

impl<K: Eq + Hash + Copy> Seen<K> {
    pub(crate) fn new() -> Self {
        Self {
            few: Vec::with_capacity(FEW),
            many: HashSet::default(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.few.clear();
        match self.many.capacity() > LARGE {
            true => self.many = HashSet::default(),
            false => self.many.clear(),
        }
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        match self.many.is_empty() {
            true => self.few.contains(&key),
            false => self.many.contains(&key),
        }
    }

    /// Returns whether the key was not there.
    pub(crate) fn insert(&mut self, key: K) -> bool {
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        match self.few.len() < FEW {
            true => self.few.push(key),
            false => {
                self.many.extend(self.few.iter().copied());
                self.many.insert(key);
            }
        }
        true
    }
}
