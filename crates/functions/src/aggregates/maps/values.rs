//! The values of the entries of maps.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use crate::aggregates::gathered::{by_group, offsets};
use crate::aggregates::kept::Kept;

/// What an entry holds besides its key.
#[derive(Debug)]
pub(super) enum Values {
    /// Nothing: the keys are a set.
    Nothing,
    Counts(Vec<i64>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    /// The value that came with the key first.
    First(Kept),
    /// All values, with the entry of each.
    All(Kept, Vec<u32>),
}

/// The values of a batch, as the entries take them.
pub(super) enum Given<'a> {
    Nothing,
    Counts(Option<&'a Int64Array>),
    Integers(Int64Array),
    Floats(Float64Array),
    Rows(arrow::row::Rows),
    /// Lists of values, of a merged state.
    Lists(&'a ListArray, arrow::row::Rows),
}

impl<'a> Given<'a> {
    pub(super) fn of(
        name: &str,
        values: &Values,
        given: Option<&'a ArrayRef>,
        merged: bool,
    ) -> Result<Given<'a>> {
        let missing = || Error::internal(format!("{name} without values"));
        Ok(match values {
            Values::Nothing => Given::Nothing,
            Values::Counts(_) if !merged => Given::Counts(None),
            Values::Counts(_) => {
                Given::Counts(Some(given.ok_or_else(missing)?.as_primitive::<Int64Type>()))
            }
            Values::Integers(_) => {
                let numbers = cast(given.ok_or_else(missing)?, &DataType::Int64)?;
                Given::Integers(numbers.as_primitive::<Int64Type>().clone())
            }
            Values::Floats(_) => {
                let numbers = cast(given.ok_or_else(missing)?, &DataType::Float64)?;
                Given::Floats(numbers.as_primitive::<Float64Type>().clone())
            }
            Values::All(kept, _) if merged => {
                let lists = given.ok_or_else(missing)?.as_list::<i32>();
                Given::Lists(lists, kept.encode(&[Arc::clone(lists.values())])?)
            }
            Values::First(kept) | Values::All(kept, _) => {
                let given = given.ok_or_else(missing)?;
                Given::Rows(kept.encode(&[Arc::clone(given)])?)
            }
        })
    }
}

impl Values {
    /// Adds the value of an item to an entry.
    pub(super) fn add(
        &mut self,
        name: &str,
        given: &Given<'_>,
        item: usize,
        entry: usize,
        new: bool,
    ) -> Result<()> {
        match (self, given) {
            (Values::Nothing, _) => {}
            (Values::Counts(counts), Given::Counts(merged)) => {
                let count = merged.map_or(1, |counts| counts.value(item));
                add_whole(name, counts, entry, new, count)?;
            }
            (Values::Integers(sums), Given::Integers(numbers)) => {
                let number = numbers.is_valid(item).then(|| numbers.value(item));
                add_whole(name, sums, entry, new, number.unwrap_or(0))?;
            }
            (Values::Floats(sums), Given::Floats(numbers)) => {
                if new {
                    sums.push(0.0);
                }
                if numbers.is_valid(item) {
                    sums[entry] += numbers.value(item);
                }
            }
            (Values::First(kept), Given::Rows(rows)) => {
                if new {
                    kept.push(rows.row(item));
                }
            }
            (Values::All(kept, entries), Given::Rows(rows)) => {
                kept.push(rows.row(item));
                entries.push(entry as u32);
            }
            (Values::All(kept, entries), Given::Lists(lists, rows)) => {
                let offsets = lists.value_offsets();
                for value in offsets[item]..offsets[item + 1] {
                    kept.push(rows.row(value as usize));
                    entries.push(entry as u32);
                }
            }
            _ => return Err(Error::internal(format!("{name} got other values")).into()),
        }
        Ok(())
    }

    /// Returns the values of entries, in this order.
    pub(super) fn of(
        &self,
        name: &str,
        entries: &[u32],
        data_type: &DataType,
    ) -> Result<Option<ArrayRef>> {
        let exact = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        Ok(Some(match self {
            Values::Nothing => return Ok(None),
            Values::Counts(numbers) | Values::Integers(numbers) => {
                let numbers = entries.iter().map(|&entry| numbers[entry as usize]);
                let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
                cast_with_options(&numbers, data_type, &exact).map_err(|_| overflow(name))?
            }
            Values::Floats(numbers) => {
                let numbers = entries.iter().map(|&entry| numbers[entry as usize]);
                let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values(numbers));
                cast(&numbers, data_type)?
            }
            Values::First(kept) => match kept.decode(entries)?.into_iter().next() {
                Some(values) => values,
                None => return Ok(None),
            },
            Values::All(kept, entry_of) => {
                // The place of each entry in the order, as if the entries were groups.
                let mut places =
                    vec![u32::MAX; entry_of.iter().max().map_or(0, |max| *max as usize + 1)];
                for (place, &entry) in entries.iter().enumerate() {
                    if let Some(of) = places.get_mut(entry as usize) {
                        *of = place as u32;
                    }
                }
                let place_of: Vec<u32> = entry_of.iter().map(|&e| places[e as usize]).collect();
                let (rows, lengths) = by_group(&place_of, entries.len());
                let Some(values) = kept.decode(&rows)?.into_iter().next() else {
                    return Ok(None);
                };
                let DataType::List(field) = data_type else {
                    return Err(Error::internal(format!("{name} returns lists")).into());
                };
                let offsets = offsets(name, &lengths)?;
                Arc::new(ListArray::try_new(
                    Arc::clone(field),
                    offsets,
                    values,
                    None,
                )?)
            }
        }))
    }

    pub(super) fn keep(&mut self, entries: &[u32]) {
        fn kept<T: Copy>(values: &mut Vec<T>, entries: &[u32]) {
            *values = entries.iter().map(|&e| values[e as usize]).collect();
        }
        match self {
            Values::Nothing => {}
            Values::Counts(numbers) | Values::Integers(numbers) => kept(numbers, entries),
            Values::Floats(numbers) => kept(numbers, entries),
            Values::First(values) => values.keep(entries),
            Values::All(values, entry_of) => {
                let most = entry_of.iter().max().map_or(0, |max| *max as usize + 1);
                let mut places = vec![u32::MAX; most];
                for (place, &entry) in entries.iter().enumerate() {
                    if let Some(of) = places.get_mut(entry as usize) {
                        *of = place as u32;
                    }
                }
                let rows: Vec<u32> = (0..entry_of.len() as u32)
                    .filter(|row| places[entry_of[*row as usize] as usize] != u32::MAX)
                    .collect();
                values.keep(&rows);
                *entry_of = rows
                    .iter()
                    .map(|&row| places[entry_of[row as usize] as usize])
                    .collect();
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Values::Nothing => 0,
            Values::Counts(numbers) | Values::Integers(numbers) => numbers.capacity() * 8,
            Values::Floats(numbers) => numbers.capacity() * 8,
            Values::First(kept) => kept.size(),
            Values::All(kept, entries) => kept.size() + entries.capacity() * size_of::<u32>(),
        }
    }
}

fn add_whole(
    name: &str,
    numbers: &mut Vec<i64>,
    entry: usize,
    new: bool,
    number: i64,
) -> Result<()> {
    if new {
        numbers.push(0);
    }
    let sum = numbers[entry].checked_add(number);
    numbers[entry] = sum.ok_or_else(|| overflow(name))?;
    Ok(())
}

fn overflow(name: &str) -> Error {
    let message = format!("a number that {name} returns is out of the range of its type");
    Error::new(Code::NumericOutOfRange, message)
}
