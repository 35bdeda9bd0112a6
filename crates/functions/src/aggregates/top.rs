//! The n greatest or least: `max(x, n)`, `min(x, n)`, `max_by(x, y, n)` and `min_by(x, y, n)`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;
use lakegate_engine::stop;

use super::function::{Call, invalid};
use super::gathered::{items, lists};
use super::slots::decoded;
use super::state::{Selected, State};

/// The most values of a group, as in Trino.
const MOST: i64 = 10_000;

/// A key in whose order the best is greatest, and the value.
type Item = Reverse<(Box<[u8]>, Box<[u8]>)>;

#[derive(Debug)]
struct Top {
    name: &'static str,
    n: usize,
    least: bool,
    /// Whether the values are ordered by another argument.
    by: bool,
    types: [DataType; 2],
    keys: RowConverter,
    values: RowConverter,
    groups: Vec<BinaryHeap<Item>>,
    bytes: usize,
}

/// `max(x, n)`.
pub(crate) fn greatest(call: &Call) -> Result<Box<dyn State>> {
    top(call, false, false)
}

/// `min(x, n)`.
pub(crate) fn least(call: &Call) -> Result<Box<dyn State>> {
    top(call, true, false)
}

/// `max_by(x, y, n)`.
pub(crate) fn greatest_by(call: &Call) -> Result<Box<dyn State>> {
    top(call, false, true)
}

/// `min_by(x, y, n)`.
pub(crate) fn least_by(call: &Call) -> Result<Box<dyn State>> {
    top(call, true, true)
}

fn top(call: &Call, least: bool, by: bool) -> Result<Box<dyn State>> {
    let n = call.whole(1 + usize::from(by))?;
    let name = call.name.trim_start_matches('$').trim_end_matches("_n");
    if !(1..=MOST).contains(&n) {
        return Err(invalid(format!(
            "the number of values of {name} must be from 1 to {MOST}, not {n}"
        )));
    }
    let types = [call.data_type(0), call.data_type(usize::from(by))];
    let options = SortOptions {
        descending: least,
        nulls_first: true,
    };
    let key = SortField::new_with_options(types[1].clone(), options);
    Ok(Box::new(Top {
        name: call.name,
        n: n as usize,
        least,
        by,
        keys: RowConverter::new(vec![key])?,
        values: RowConverter::new(vec![SortField::new(types[0].clone())])?,
        types,
        groups: Vec::new(),
        bytes: 0,
    }))
}

/// Makes a NaN the worst key: arrow orders one with a sign before all numbers.
fn with_worst_nan(array: &ArrayRef, least: bool) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let nan = if least { f64::NAN } else { -f64::NAN };
            let numbers = array.as_primitive::<Float64Type>();
            Arc::new(numbers.unary::<_, Float64Type>(|x| if x.is_nan() { nan } else { x + 0.0 }))
        }
        DataType::Float32 => {
            let nan = if least { f32::NAN } else { -f32::NAN };
            let numbers = array.as_primitive::<Float32Type>();
            Arc::new(numbers.unary::<_, Float32Type>(|x| if x.is_nan() { nan } else { x + 0.0 }))
        }
        _ => Arc::clone(array),
    }
}

/// The bytes of an item in a heap, which grows by doubling.
fn bytes_of(item: &Item) -> usize {
    item.0.0.len() + item.0.1.len() + 2 * size_of::<Item>()
}

impl Top {
    fn add(
        &mut self,
        x: &ArrayRef,
        y: &ArrayRef,
        mut rows: impl FnMut(&mut dyn FnMut(usize, usize) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let keys = self
            .keys
            .convert_columns(&[with_worst_nan(y, self.least)])?;
        let values = self.values.convert_columns(std::slice::from_ref(x))?;
        let nulls = y.logical_nulls();
        let (n, bytes, groups) = (self.n, &mut self.bytes, &mut self.groups);
        rows(&mut |row, group| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                return Ok(());
            }
            let key = keys.row(row).data();
            let heap = &mut groups[group];
            if heap.len() >= n {
                match heap.peek() {
                    Some(worst) if key > worst.0.0.as_ref() => {
                        *bytes -= bytes_of(worst);
                        heap.pop();
                    }
                    _ => return Ok(()),
                }
            }
            let item = Reverse((Box::from(key), Box::from(values.row(row).data())));
            *bytes += bytes_of(&item);
            heap.push(item);
            Ok(())
        })
    }

    /// Returns a column of lists: the values or the keys, best first.
    fn listed(&self, groups: usize, keys: bool) -> Result<ArrayRef> {
        let mut items: Vec<Option<&[u8]>> = Vec::new();
        let mut lengths = Vec::with_capacity(groups);
        for heap in &self.groups[..groups] {
            stop::check()?;
            let mut sorted: Vec<&Item> = heap.iter().collect();
            sorted.sort();
            lengths.push(sorted.len() as u32);
            items.extend(sorted.iter().map(|item| {
                Some(match keys {
                    true => item.0.0.as_ref(),
                    false => item.0.1.as_ref(),
                })
            }));
        }
        let (converter, data_type) = match keys {
            true => (&self.keys, &self.types[1]),
            false => (&self.values, &self.types[0]),
        };
        let values = decoded(self.name, converter, data_type, &items)?;
        lists(self.name, values, &lengths)
    }
}

impl State for Top {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, BinaryHeap::new);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let (Some(x), Some(y)) = (args.first(), args.get(usize::from(self.by))) else {
            return Ok(());
        };
        self.add(x, y, |take| rows.each(None, take))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let (Some(x), Some(y)) = (states.first(), states.get(usize::from(self.by))) else {
            return Ok(());
        };
        let rows = Selected {
            groups,
            filter: None,
        };
        let (x_items, y_items) = (items(x, &rows)?, items(y, &rows)?);
        // Both lists of a state have the same length; their items follow each other alike.
        let (x, y) = (x.as_list::<i32>().values(), y.as_list::<i32>().values());
        let x_rows = x_items.iter().map(|(item, _)| u64::from(*item));
        let x_rows: arrow::array::UInt64Array = x_rows.collect();
        let y_rows = y_items.iter().map(|(item, _)| u64::from(*item));
        let y_rows: arrow::array::UInt64Array = y_rows.collect();
        let x = arrow::compute::take(x, &x_rows, None)?;
        let y = arrow::compute::take(y, &y_rows, None)?;
        self.add(&x, &y, |take| {
            for (row, (_, group)) in x_items.iter().enumerate() {
                take(row, *group as usize)?;
            }
            Ok(())
        })
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        self.listed(groups, false)
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        let mut columns = vec![self.listed(groups, false)?];
        if self.by {
            columns.push(self.listed(groups, true)?);
        }
        Ok(columns)
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        for heap in self.groups.drain(..groups) {
            self.bytes -= heap.iter().map(bytes_of).sum::<usize>();
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.groups.capacity() * size_of::<BinaryHeap<Item>>()
    }
}
