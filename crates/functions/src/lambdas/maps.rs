//! Lambdas over the entries of maps.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, UInt32Builder};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use datafusion::common::HashMap;
use datafusion::error::Result;
use datafusion::logical_expr::ValueOrLambda;

use super::SECTION;
use super::call::{Call, Definition, Items, Known, Parameter, Parameters, entry};
use super::items::{condition, first};
use crate::arrays::keys::{Keys, with_keys};
use crate::arrays::lists::{Ends, Maps, size};
use crate::arrays::types::{common, map_type, map_types, mismatch};
use crate::docs::Page;
use crate::entry::Entry;
use crate::maps::check_keys;

static FILTER: Definition = Definition {
    page: &Page {
        name: "map_filter",
        section: SECTION,
        syntax: "map_filter(map, (key, value) -> condition)",
        sentence: "Returns the entries of a map for which a condition is true.",
        example: "map_filter(map(ARRAY[1, 2], ARRAY['a', 'b']), (k, v) -> k > 1)",
        result: "{2=b}",
    },
    takes: "vl",
    coerced: maps,
    parameters: of_entries,
    returns: |name, values, lambdas| {
        condition(name, lambdas)?;
        let (key, value) = map_types(name, &first(values))?;
        Ok(map_type(key, value))
    },
    body: filter,
};

static KEYS: Definition = Definition {
    page: &Page {
        name: "transform_keys",
        section: SECTION,
        syntax: "transform_keys(map, (key, value) -> key)",
        sentence: "Returns a map with the keys that a lambda makes of each entry.",
        example: "transform_keys(map(ARRAY[1, 2], ARRAY['a', 'b']), (k, v) -> k * 10)",
        result: "{10=a, 20=b}",
    },
    takes: "vl",
    coerced: maps,
    parameters: of_entries,
    returns: |name, values, lambdas| {
        let (_, value) = map_types(name, &first(values))?;
        Ok(map_type(first(lambdas), value))
    },
    body: |call| transform(call, true),
};

static VALUES: Definition = Definition {
    page: &Page {
        name: "transform_values",
        section: SECTION,
        syntax: "transform_values(map, (key, value) -> value)",
        sentence: "Returns a map with the values that a lambda makes of each entry.",
        example: "transform_values(map(ARRAY[1, 2], ARRAY[10, 20]), (k, v) -> k + v)",
        result: "{1=11, 2=22}",
    },
    takes: "vl",
    coerced: maps,
    parameters: of_entries,
    returns: |name, values, lambdas| {
        let (key, _) = map_types(name, &first(values))?;
        Ok(map_type(key, first(lambdas)))
    },
    body: |call| transform(call, false),
};

static ZIP: Definition = Definition {
    page: &Page {
        name: "map_zip_with",
        section: SECTION,
        syntax: "map_zip_with(map, other, (key, value, other_value) -> value)",
        sentence: "Returns a map of the keys of two maps, with what a lambda makes of the values of both, NULL in place of missing ones.",
        example: "map_zip_with(map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b'], ARRAY[3]), (k, v, w) -> v + coalesce(w, 0))",
        result: "{a=1, b=5}",
    },
    takes: "vvl",
    coerced: |name, types| match types {
        [left, right] => {
            let (left, right) = (map_types(name, left)?, map_types(name, right)?);
            let key = common(name, &left.0, &right.0)?;
            Ok(vec![map_type(key.clone(), left.1), map_type(key, right.1)])
        }
        _ => Err(mismatch(name, "two maps", &DataType::Null)),
    },
    parameters: of_entries,
    returns: |name, values, lambdas| {
        let (key, _) = map_types(name, &first(values))?;
        Ok(map_type(key, first(lambdas)))
    },
    body: zip_with,
};

pub(super) fn entries() -> Vec<Entry> {
    let definitions = [&FILTER, &KEYS, &VALUES, &ZIP];
    definitions.into_iter().map(entry).collect()
}

/// Makes all values maps.
fn maps(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let types = types.iter().map(|of| {
        let (key, value) = map_types(name, of)?;
        Ok(map_type(key, value))
    });
    types.collect()
}

/// The parameters of the only lambda: a key of the first map, and a value of each map.
fn of_entries(_: usize, known: &Known) -> Result<Parameters> {
    let mut types = Vec::new();
    for argument in known {
        if let ValueOrLambda::Value(map) = argument {
            let (key, value) = map_types("a lambda", map)?;
            if types.is_empty() {
                types.push(key);
            }
            types.push(value);
        }
    }
    Ok(Parameters::All(vec![types]))
}

fn argument(call: &Call<'_>, index: usize) -> Result<Maps> {
    let (key, value) = map_types(call.name, call.type_of(index))?;
    Maps::of(&call.values[index], &key, &value)
}

/// The entries of all rows, whose bytes are counted.
fn entries_of(call: &Call<'_>, maps: &Maps) -> Result<Items> {
    for row in 0..call.rows {
        let range = maps.range(row).unwrap_or(0..0);
        let bytes = size(&maps.keys, range.start, range.len());
        let more = size(&maps.values, range.start, range.len());
        call.work.builds(bytes.saturating_add(more))?;
    }
    call.items(&maps.spans, maps.keys.len())
}

fn filter(call: &Call<'_>) -> Result<ArrayRef> {
    let maps = argument(call, 0)?;
    let entries = entries_of(call, &maps)?;
    let lambda = call.lambda(0, &DataType::Boolean)?;
    let parameters = [entries.of(&maps.keys), entries.of(&maps.values)];
    let kept = lambda.evaluate(&entries.rows, &parameters)?;
    let kept = kept.as_boolean();
    let mut indexes: Vec<u32> = Vec::new();
    let mut ends = Ends::new(call.rows);
    let mut place = 0;
    for row in 0..call.rows {
        let Some(range) = maps.range(row) else {
            ends.end_null();
            continue;
        };
        for entry in range {
            if kept.is_valid(place) && kept.value(place) {
                indexes.push(entry as u32);
            }
            place += 1;
        }
        ends.end(indexes.len())?;
    }
    let indexes = UInt32Array::from(indexes);
    let keys = take(&maps.keys, &indexes, None)?;
    ends.maps(keys, take(&maps.values, &indexes, None)?, call.returns)
}

/// Replaces the keys or the values.
fn transform(call: &Call<'_>, of_keys: bool) -> Result<ArrayRef> {
    let maps = argument(call, 0)?;
    let entries = entries_of(call, &maps)?;
    let (key, value) = map_types(call.name, call.returns)?;
    let lambda = call.lambda(0, if of_keys { &key } else { &value })?;
    let parameters = [entries.of(&maps.keys), entries.of(&maps.values)];
    let made = lambda.evaluate(&entries.rows, &parameters)?;
    call.work.builds(size(&made, 0, made.len()))?;
    let mut ends = Ends::new(call.rows);
    let mut own = Vec::with_capacity(call.rows);
    let mut end = 0;
    for row in 0..call.rows {
        match maps.range(row) {
            Some(range) => {
                end += range.len();
                own.push(end);
                ends.end(end)?;
            }
            None => ends.end_null(),
        }
    }
    let indexes = UInt32Array::from(entries.indexes);
    if of_keys {
        check_keys(call.name, &made, &own, &call.work)?;
        let values = take(&maps.values, &indexes, None)?;
        return ends.maps(made, values, call.returns);
    }
    ends.maps(take(&maps.keys, &indexes, None)?, made, call.returns)
}

fn zip_with(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (argument(call, 0)?, argument(call, 1)?);
    let keys = concat(&[left.keys.as_ref(), right.keys.as_ref()])?;
    let shift = left.keys.len();
    let of = Keys::of(&keys)?;
    let mut rows: Vec<u32> = Vec::new();
    let mut indexes: Vec<u32> = Vec::new();
    let (mut firsts, mut seconds) = (UInt32Builder::new(), UInt32Builder::new());
    let mut ends = Ends::new(call.rows);
    with_keys!(of, |at| {
        for row in 0..call.rows {
            let (Some(first), Some(second)) = (left.range(row), right.range(row)) else {
                call.work.step()?;
                ends.end_null();
                continue;
            };
            let bytes = size(&left.keys, first.start, first.len());
            let more = size(&right.keys, second.start, second.len());
            let places = 16 * (first.len() + second.len());
            call.work
                .builds(bytes.saturating_add(more).saturating_add(places))?;
            let mut others: HashMap<_, usize> = HashMap::default();
            for entry in second.clone() {
                others.insert(at(entry + shift), entry);
            }
            // The keys of the first map, then those that only the second one has.
            for entry in first {
                let other = others.remove(&at(entry));
                rows.push(row as u32);
                indexes.push(entry as u32);
                firsts.append_value(entry as u32);
                seconds.append_option(other.map(|entry| entry as u32));
            }
            for entry in second {
                if others.contains_key(&at(entry + shift)) {
                    rows.push(row as u32);
                    indexes.push((entry + shift) as u32);
                    firsts.append_null();
                    seconds.append_value(entry as u32);
                }
            }
            ends.end(rows.len())?;
        }
    });
    let (firsts, seconds) = (firsts.finish(), seconds.finish());
    let (_, value) = map_types(call.name, call.returns)?;
    let lambda = call.lambda(0, &value)?;
    let parameters = [
        Parameter::At(&keys, &indexes),
        Parameter::AtOrNull(&left.values, &firsts),
        Parameter::AtOrNull(&right.values, &seconds),
    ];
    let made = lambda.evaluate(&rows, &parameters)?;
    call.work.builds(size(&made, 0, made.len()))?;
    let keys = take(&keys, &UInt32Array::from(indexes), None)?;
    ends.maps(keys, made, call.returns)
}
