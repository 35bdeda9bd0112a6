//! Maps and sets of the values of a group: `histogram`, `map_agg`, `multimap_agg`, `map_union`,
//! `map_union_sum`, `set_agg` and `set_union`.
//!
//! A state is the result itself: a state that is merged is a map whose entries are added.

mod values;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::Result;
use lakegate_error::Error;

use self::values::{Given, Values};
use super::function::Call;
use super::gathered::{by_group, items, list_of, offsets, remaining};
use super::kept::{Index, Kept, canonical, in_group};
use super::state::{Selected, State};

/// How the arguments hold keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// A column of keys, and perhaps one of values.
    Columns,
    /// A column of maps or lists.
    Containers,
}

#[derive(Debug)]
struct Entries {
    name: &'static str,
    input: Input,
    returns: DataType,
    keys: Kept,
    index: Index,
    /// The group of each entry.
    groups_of: Vec<u32>,
    values: Values,
    /// The groups that are not NULL.
    seen: Vec<bool>,
}

/// Returns the type of maps of these keys and values.
pub(crate) fn map_of(key: &DataType, value: &DataType) -> DataType {
    let fields = Fields::from(vec![
        Field::new("key", key.clone(), false),
        Field::new("value", value.clone(), true),
    ]);
    let entries = Field::new("entries", DataType::Struct(fields), false);
    DataType::Map(Arc::new(entries), false)
}

/// Returns the types of the keys and values of a map.
pub(crate) fn parts(map: &DataType) -> Option<(&DataType, &DataType)> {
    match map {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let [key, value] = fields.as_ref() else {
                    return None;
                };
                Some((key.data_type(), value.data_type()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn entries(call: &Call, input: Input, key: &DataType, values: Values) -> Result<Box<dyn State>> {
    Ok(Box::new(Entries {
        name: call.name,
        input,
        returns: call.returns.data_type().clone(),
        keys: Kept::new(call.name, std::slice::from_ref(key))?,
        index: Index::default(),
        groups_of: Vec::new(),
        values,
        seen: Vec::new(),
    }))
}

/// `histogram(x)`.
pub(crate) fn histogram(call: &Call) -> Result<Box<dyn State>> {
    let counts = Values::Counts(Vec::new());
    entries(call, Input::Columns, &call.data_type(0), counts)
}

/// `map_agg(key, value)`.
pub(crate) fn map_agg(call: &Call) -> Result<Box<dyn State>> {
    let first = Values::First(Kept::new(call.name, &[call.data_type(1)])?);
    entries(call, Input::Columns, &call.data_type(0), first)
}

/// `multimap_agg(key, value)`.
pub(crate) fn multimap_agg(call: &Call) -> Result<Box<dyn State>> {
    let all = Values::All(Kept::new(call.name, &[call.data_type(1)])?, Vec::new());
    entries(call, Input::Columns, &call.data_type(0), all)
}

/// `set_agg(x)`.
pub(crate) fn set_agg(call: &Call) -> Result<Box<dyn State>> {
    let key = call.data_type(0);
    entries(call, Input::Columns, &key, Values::Nothing)
}

/// `set_union(array)`.
pub(crate) fn set_union(call: &Call) -> Result<Box<dyn State>> {
    let key = item_type(call.returns.data_type());
    entries(call, Input::Containers, &key, Values::Nothing)
}

/// `map_union(map)`.
pub(crate) fn map_union(call: &Call) -> Result<Box<dyn State>> {
    let (key, value) = part_types(call);
    let first = Values::First(Kept::new(call.name, &[value])?);
    entries(call, Input::Containers, &key, first)
}

/// `map_union_sum(map)`.
pub(crate) fn map_union_sum(call: &Call) -> Result<Box<dyn State>> {
    let (key, value) = part_types(call);
    let sums = match value.is_floating() {
        true => Values::Floats(Vec::new()),
        false => Values::Integers(Vec::new()),
    };
    entries(call, Input::Containers, &key, sums)
}

fn part_types(call: &Call) -> (DataType, DataType) {
    let parts = parts(call.returns.data_type());
    parts.map_or((DataType::Null, DataType::Null), |(key, value)| {
        (key.clone(), value.clone())
    })
}

fn item_type(list: &DataType) -> DataType {
    match list {
        DataType::List(field) => field.data_type().clone(),
        _ => DataType::Null,
    }
}

/// A state is one column of the result's type.
pub(crate) fn state_of_result(_: &[FieldRef], returns: &Field) -> Result<Vec<Field>> {
    Ok(vec![Field::new("", returns.data_type().clone(), true)])
}

impl Entries {
    /// Adds items: pairs of an index among the keys and a group.
    fn add(
        &mut self,
        keys: &ArrayRef,
        values: Option<&ArrayRef>,
        items: &[(u32, u32)],
        merged: bool,
    ) -> Result<()> {
        let keys = canonical(keys)?;
        let columns = [keys];
        let encoded = self.keys.encode(&columns)?;
        let mut hashes = vec![0; columns[0].len()];
        create_hashes(&columns, &RandomState::default(), &mut hashes)?;
        let given = Given::of(self.name, &self.values, values, merged)?;
        for &(item, group) in items {
            let item = item as usize;
            let key = encoded.row(item);
            let hash = in_group(hashes[item], group);
            let found = self.index.find(hash, |entry| {
                self.groups_of[entry] == group && self.keys.row(entry) == key
            });
            let (entry, new) = match found {
                Some(entry) => (entry, false),
                None => {
                    self.keys.push(key);
                    self.groups_of.push(group);
                    self.seen[group as usize] = true;
                    (self.index.add(hash)?, true)
                }
            };
            self.values.add(self.name, &given, item, entry, new)?;
        }
        Ok(())
    }

    fn add_containers(
        &mut self,
        containers: &ArrayRef,
        rows: &Selected<'_>,
        merged: bool,
    ) -> Result<()> {
        rows.each(containers.logical_nulls().as_ref(), |_, group| {
            self.seen[group] = true;
            Ok(())
        })?;
        let items = items(containers, rows)?;
        match containers.data_type() {
            DataType::Map(..) => {
                let map = containers.as_map();
                let (keys, values) = (Arc::clone(map.keys()), Arc::clone(map.values()));
                self.add(&keys, Some(&values), &items, merged)
            }
            _ => {
                let keys = Arc::clone(containers.as_list::<i32>().values());
                self.add(&keys, None, &items, merged)
            }
        }
    }
}

impl State for Entries {
    fn resize(&mut self, groups: usize) {
        self.seen.resize(groups, false);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let Some(keys) = args.first() else {
            return Ok(());
        };
        if self.input == Input::Containers {
            return self.add_containers(keys, rows, false);
        }
        // A map has no NULL key; a set has NULL as a value.
        let nulls = match self.values {
            Values::Nothing => None,
            _ => keys.logical_nulls(),
        };
        let mut items = Vec::with_capacity(keys.len());
        rows.each(nulls.as_ref(), |row, group| {
            items.push((row as u32, group as u32));
            Ok(())
        })?;
        self.add(keys, args.get(1), &items, false)
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let Some(state) = states.first() else {
            return Ok(());
        };
        let rows = Selected {
            groups,
            filter: None,
        };
        self.add_containers(state, &rows, true)
    }

    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef> {
        let (entries, lengths) = by_group(&self.groups_of, groups);
        let offsets = offsets(self.name, &lengths)?;
        let nulls = Some(NullBuffer::from(&self.seen[..groups]));
        let keys = self.keys.decode(&entries)?.into_iter().next();
        let keys = keys.ok_or_else(|| Error::internal("entries without keys"))?;
        match &self.returns {
            DataType::Map(field, sorted) => {
                let (DataType::Struct(fields), Some((_, value))) =
                    (field.data_type(), parts(&self.returns))
                else {
                    return Err(Error::internal("a map without entries").into());
                };
                let values = self.values.of(self.name, &entries, value)?;
                let values = values.ok_or_else(|| Error::internal("entries without values"))?;
                let items = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
                let field = Arc::clone(field);
                Ok(Arc::new(MapArray::try_new(
                    field, offsets, items, nulls, *sorted,
                )?))
            }
            DataType::List(field) => Ok(Arc::new(ListArray::try_new(
                Arc::clone(field),
                offsets,
                keys,
                nulls,
            )?)),
            other => Err(Error::internal(format!("{} returns {other}", self.name)).into()),
        }
    }

    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(groups)?])
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        let before = self.groups_of.clone();
        let entries = remaining(&mut self.groups_of, groups);
        self.keys.keep(&entries);
        self.values.keep(&entries);
        self.index.keep(&entries, |hash, place| {
            let old = before[entries[place] as usize];
            in_group(in_group(hash, old), self.groups_of[place])
        });
        self.seen.drain(..groups);
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self.keys.size()
            + self.index.size()
            + self.values.size()
            + self.groups_of.capacity() * size_of::<u32>()
            + self.seen.capacity()
    }
}

/// The type of a map of lists.
pub(crate) fn multimap_of(key: &DataType, value: &DataType) -> DataType {
    map_of(key, &list_of(value))
}
