//! DISTINCT and ORDER BY within a call: the rows are kept, and given to the aggregate at the end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::Result;

use super::function::{Call, too_large};
use super::kept::{Index, Kept, canonical, in_group};
use super::state::{Selected, State};

/// The rows of a call, of all groups.
#[derive(Debug)]
struct Gathered {
    call: Call,
    /// The arguments and the columns of ORDER BY.
    kept: Kept,
    types: Vec<DataType>,
    groups_of: Vec<u32>,
    /// Finds a row that is there, for DISTINCT.
    index: Option<Index>,
}

/// Makes the states of a call with DISTINCT or ORDER BY.
pub(crate) fn make(call: &Call) -> Result<Box<dyn State>> {
    let fields = call.fields.iter().map(|field| field.data_type().clone());
    let orders = call.order.iter().map(|(data_type, _)| data_type.clone());
    let types: Vec<DataType> = fields.chain(orders).collect();
    Ok(Box::new(Gathered {
        kept: Kept::new(call.name, &types)?,
        types,
        groups_of: Vec::new(),
        index: call.distinct.then(Index::default),
        call: call.clone(),
    }))
}

/// Returns the columns of a state: one list for each column.
pub(crate) fn fields(args: &[FieldRef], orders: &[FieldRef]) -> Vec<Field> {
    let columns = args.iter().chain(orders);
    columns
        .map(|field| Field::new("", list_of(field.data_type()), true))
        .collect()
}

/// Returns the type of a list of values.
pub(crate) fn list_of(data_type: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(data_type.clone(), true)))
}

/// Returns the rows of the first groups by group, and the number of rows of each.
pub(crate) fn by_group(groups_of: &[u32], groups: usize) -> (Vec<u32>, Vec<u32>) {
    let mut counts = vec![0u32; groups];
    for &group in groups_of {
        if let Some(count) = counts.get_mut(group as usize) {
            *count += 1;
        }
    }
    let mut next: Vec<u32> = Vec::with_capacity(groups);
    let mut total = 0;
    for &count in &counts {
        next.push(total);
        total += count;
    }
    let mut rows = vec![0u32; total as usize];
    for (row, &group) in groups_of.iter().enumerate() {
        if let Some(place) = next.get_mut(group as usize) {
            rows[*place as usize] = row as u32;
            *place += 1;
        }
    }
    (rows, counts)
}

/// Returns the rows that stay when the first groups go.
pub(crate) fn remaining(groups_of: &mut Vec<u32>, groups: usize) -> Vec<u32> {
    let groups = groups as u32;
    let rows: Vec<u32> = groups_of
        .iter()
        .enumerate()
        .filter(|(_, group)| **group >= groups)
        .map(|(row, _)| row as u32)
        .collect();
    *groups_of = rows
        .iter()
        .map(|&row| groups_of[row as usize] - groups)
        .collect();
    rows
}

/// Returns the offsets of lists of these lengths.
pub(crate) fn offsets(name: &str, lengths: &[u32]) -> Result<OffsetBuffer<i32>> {
    let mut offsets = Vec::with_capacity(lengths.len() + 1);
    let mut end = 0i32;
    offsets.push(end);
    for &length in lengths {
        let length = i32::try_from(length).map_err(|_| too_large(name))?;
        end = end.checked_add(length).ok_or_else(|| too_large(name))?;
        offsets.push(end);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

/// Returns the lists of these lengths; an empty one is NULL.
pub(crate) fn lists(name: &str, values: ArrayRef, lengths: &[u32]) -> Result<ArrayRef> {
    let nulls: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
    Ok(Arc::new(ListArray::try_new(
        Arc::new(Field::new_list_field(values.data_type().clone(), true)),
        offsets(name, lengths)?,
        values,
        Some(nulls),
    )?))
}

/// The items of lists, with the group of the list of each: the values, and pairs of an index among
/// them and a group.
pub(crate) fn items(lists: &ArrayRef, rows: &Selected<'_>) -> Result<Vec<(u32, u32)>> {
    let offsets: &[i32] = match lists.data_type() {
        DataType::Map(..) => lists.as_map().value_offsets(),
        _ => lists.as_list::<i32>().value_offsets(),
    };
    let mut items = Vec::new();
    rows.each(lists.nulls(), |row, group| {
        items.extend((offsets[row]..offsets[row + 1]).map(|item| (item as u32, group as u32)));
        Ok(())
    })?;
    Ok(items)
}

impl Gathered {
    fn add(&mut self, columns: &[ArrayRef], rows: &[(u32, u32)]) -> Result<()> {
        let columns: Vec<ArrayRef> = match self.index {
            Some(_) => columns.iter().map(canonical).collect::<Result<_>>()?,
            None => columns.to_vec(),
        };
        let encoded = self.kept.encode(&columns)?;
        let Some(index) = &mut self.index else {
            for &(row, group) in rows {
                self.kept.push(encoded.row(row as usize));
                self.groups_of.push(group);
            }
            return Ok(());
        };
        let mut hashes = vec![0; columns.first().map_or(0, |column| column.len())];
        create_hashes(&columns, &RandomState::default(), &mut hashes)?;
        for &(row, group) in rows {
            let new = encoded.row(row as usize);
            let hash = in_group(hashes[row as usize], group);
            let found = index.find(hash, |entry| {
                self.groups_of[entry] == group && self.kept.row(entry) == new
            });
            if found.is_none() {
                index.add(hash)?;
                self.kept.push(new);
                self.groups_of.push(group);
            }
        }
        Ok(())
    }

    /// Returns the columns of the first groups' rows by group, in order.
    fn sorted(&self, groups: usize) -> Result<(Vec<ArrayRef>, Vec<u32>)> {
        let (rows, lengths) = by_group(&self.groups_of, groups);
        let columns = self.kept.decode(&rows)?;
        if self.call.order.is_empty() {
            return Ok((columns, lengths));
        }
        let fields = self.call.order.iter().cloned();
        let converter = RowConverter::new(
            fields
                .map(|(data_type, options)| SortField::new_with_options(data_type, options))
                .collect(),
        )?;
        let keys = converter.convert_columns(&columns[self.call.fields.len()..])?;
        let mut places: Vec<usize> = (0..rows.len()).collect();
        let mut first = 0;
        for &length in &lengths {
            let group = &mut places[first..first + length as usize];
            group.sort_by(|a, b| keys.row(*a).cmp(&keys.row(*b)));
            first += length as usize;
        }
        let rows: Vec<u32> = places.iter().map(|&place| rows[place]).collect();
        Ok((self.kept.decode(&rows)?, lengths))
    }
}

impl State for Gathered {
    fn resize(&mut self, _: usize) {}

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let mut all = Vec::with_capacity(rows.groups.len());
        rows.each(None, |row, group| {
            all.push((row as u32, group as u32));
            Ok(())
        })?;
        let columns = args.get(..self.types.len()).unwrap_or(args);
        self.add(columns, &all)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let Some(first) = states.first() else {
            return Ok(());
        };
        let rows = Selected {
            groups,
            filter: None,
        };
        let mut items = items(first, &rows)?;
        let mut columns = Vec::with_capacity(states.len());
        for state in states {
            // The lists of the columns have the same lengths, but not always the same offsets.
            let list = state.as_list::<i32>();
            let (start, end) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            let length = usize::try_from(end - start).unwrap_or(0);
            let start = usize::try_from(start).unwrap_or(0);
            columns.push(list.values().slice(start, length));
        }
        let start = first.as_list::<i32>().value_offsets()[0] as u32;
        for item in &mut items {
            item.0 -= start;
        }
        self.add(&columns, &items)
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        let (mut columns, lengths) = self.sorted(groups)?;
        columns.truncate(self.call.fields.len());
        let mut state = (self.call.make)(&self.call)?;
        state.resize(groups);
        let groups_of: Vec<usize> = lengths
            .iter()
            .enumerate()
            .flat_map(|(group, &length)| std::iter::repeat_n(group, length as usize))
            .collect();
        let rows = Selected {
            groups: &groups_of,
            filter: None,
        };
        state.update(&columns, &rows)?;
        state.evaluate(groups)
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        let (rows, lengths) = by_group(&self.groups_of, groups);
        let columns = self.kept.decode(&rows)?;
        let columns = columns.into_iter();
        columns
            .map(|column| lists(self.call.name, column, &lengths))
            .collect()
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        let before = self.groups_of.clone();
        let rows = remaining(&mut self.groups_of, groups);
        self.kept.keep(&rows);
        if let Some(index) = &mut self.index {
            index.keep(&rows, |hash, place| {
                let old = before[rows[place] as usize];
                in_group(in_group(hash, old), self.groups_of[place])
            });
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let index = self.index.as_ref().map_or(0, Index::size);
        size_of_val(self) + self.kept.size() + self.groups_of.capacity() * size_of::<u32>() + index
    }
}
