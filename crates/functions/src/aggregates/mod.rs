//! Trino's aggregate functions that DataFusion has not, or has with another meaning.
//!
//! ```text
//! Aggregate (function.rs)  the types of a function and how its states are made
//!    State (state.rs)      the states of all groups: one implementation serves groups, windows and
//!                          moving frames
//!       best, top          max_by, min_by; the n best
//!       maps               histogram, map_agg, … over one index of all groups' keys
//!       tallies            count_if, kurtosis, checksum, …
//!       slots              any_value
//!       average            avg of decimals and reals
//!       gathered           DISTINCT and ORDER BY, around any of these
//! ```

mod alias;
mod average;
mod best;
#[cfg(test)]
mod emitted;
pub(crate) mod function;
pub(crate) mod gathered;
pub(crate) mod hashes;
pub(crate) mod kept;
pub(crate) mod maps;
mod periods;
mod slots;
pub(crate) mod state;
mod tallies;
#[cfg(test)]
mod tests;
mod top;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use maps::{map_of, multimap_of, parts};

pub(crate) use self::alias::with_alias;
use self::function::{Aggregate, Depends, plain, wrong_types};
use self::gathered::list_of;
use crate::docs::Page;
use crate::entry::Entry;

const SECTION: &str = "Aggregate";

macro_rules! pages {
    ($($page:ident: $name:literal, $syntax:literal, $sentence:literal, $example:literal, $result:literal;)*) => {
        $(static $page: Page = Page {
            name: $name,
            section: SECTION,
            syntax: $syntax,
            sentence: $sentence,
            example: $example,
            result: $result,
        };)*
    };
}

pages! {
    ANY_VALUE: "any_value", "any_value(x)",
        "Returns any value of x that is not NULL; arbitrary is another name of it.",
        "(SELECT any_value(x) FROM (VALUES NULL, 7) t(x))", "7";
    COUNT_IF: "count_if", "count_if(condition)",
        "Returns the number of rows in which a condition is true.",
        "(SELECT count_if(x > 1) FROM (VALUES 1, 2, 3) t(x))", "2";
    CHECKSUM: "checksum", "checksum(x)",
        "Returns a checksum of all values, which does not depend on their order.",
        "(SELECT checksum(x) FROM (VALUES 'a') t(x))", "fd ff aa cc 62 74 ab df";
    GEOMETRIC_MEAN: "geometric_mean", "geometric_mean(x)",
        "Returns the geometric mean of numbers.",
        "(SELECT round(geometric_mean(x), 6) FROM (VALUES 2, 8) t(x))", "4.0";
    SKEWNESS: "skewness", "skewness(x)",
        "Returns the skewness of numbers, or NULL of fewer than three.",
        "(SELECT round(skewness(x), 6) FROM (VALUES 1, 2, 6) t(x))", "0.59517";
    KURTOSIS: "kurtosis", "kurtosis(x)",
        "Returns the excess kurtosis of numbers, or NULL of fewer than four.",
        "(SELECT round(kurtosis(x), 6) FROM (VALUES 1, 2, 3, 4) t(x))", "-1.2";
    ENTROPY: "entropy", "entropy(count)",
        "Returns the entropy in bits of a distribution that is given by its counts.",
        "(SELECT entropy(c) FROM (VALUES 2, 2) t(c))", "1.0";
    MAX_BY: "max_by", "max_by(x, y[, n])",
        "Returns x of the row with the greatest y, or an array of x of the n rows with the greatest y.",
        "(SELECT max_by(x, y) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) t(x, y))", "b";
    MIN_BY: "min_by", "min_by(x, y[, n])",
        "Returns x of the row with the least y, or an array of x of the n rows with the least y.",
        "(SELECT min_by(x, y, 2) FROM (VALUES ('a', 1), ('b', 3), ('c', 2)) t(x, y))", "[a, c]";
    MAX_N: "$max_n", "$max_n(x, n)",
        "Returns an array of the n greatest values.", "", "";
    MIN_N: "$min_n", "$min_n(x, n)",
        "Returns an array of the n least values.", "", "";
    HISTOGRAM: "histogram", "histogram(x)",
        "Returns a map from each value to the number of its rows.",
        "(SELECT histogram(x) FROM (VALUES 'a', 'b', 'a') t(x))", "{a=2, b=1}";
    MAP_AGG: "map_agg", "map_agg(key, value)",
        "Returns a map of keys and values; of a key that occurs more than once, it has the first value.",
        "(SELECT map_agg(k, v) FROM (VALUES ('a', 1), ('b', 2)) t(k, v))", "{a=1, b=2}";
    MULTIMAP_AGG: "multimap_agg", "multimap_agg(key, value)",
        "Returns a map from each key to an array of all its values.",
        "(SELECT multimap_agg(k, v) FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) t(k, v))",
        "{a=[1, 3], b=[2]}";
    MAP_UNION: "map_union", "map_union(map)",
        "Returns the union of maps; a key that occurs more than once has any of its values.",
        "(SELECT map_union(m) FROM (VALUES map(ARRAY['a'], ARRAY[1]), map(ARRAY['b'], ARRAY[2])) t(m))",
        "{a=1, b=2}";
    MAP_UNION_SUM: "map_union_sum", "map_union_sum(map)",
        "Returns the union of maps, with the sum of the values of each key.",
        "(SELECT map_union_sum(m) FROM (SELECT histogram(x) AS m FROM (VALUES (1, 'a'), (2, 'a')) t(g, x) GROUP BY g))",
        "{a=2}";
    SET_AGG: "set_agg", "set_agg(x)",
        "Returns an array of the distinct values.",
        "(SELECT set_agg(x) FROM (VALUES 1, 2, 1) t(x))", "[1, 2]";
    SET_UNION: "set_union", "set_union(array)",
        "Returns an array of the distinct items of all arrays.",
        "(SELECT set_union(x) FROM (VALUES ARRAY[1, 2], ARRAY[2, 3]) t(x))", "[1, 2, 3]";
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = vec![
        Aggregate {
            page: &ANY_VALUE,
            takes: any_one,
            returns: as_first,
            state: maps::state_of_result,
            make: slots::Any::make,
            depends: Depends::Nothing,
        }
        .named(&["arbitrary"]),
        Entry::aggregate_alias("every", "bool_and"),
        Entry::aggregate_alias("listagg", "string_agg"),
        Entry::aggregate_alias("variance", "var_samp"),
        average::entry(),
        Aggregate {
            page: &COUNT_IF,
            takes: |name, types| match types {
                [DataType::Boolean | DataType::Null] => Ok(vec![DataType::Boolean]),
                _ => Err(wrong_types(name, "a boolean", types)),
            },
            returns: |_, _| Ok(Field::new("", DataType::Int64, false)),
            state: tallies::state::<tallies::Count>,
            make: tallies::make::<tallies::Count>,
            depends: Depends::Duplicates,
        }
        .entry(),
        Aggregate {
            page: &CHECKSUM,
            takes: any_one,
            returns: |_, _| Ok(Field::new("", DataType::Binary, true)),
            state: tallies::state::<tallies::Checksum>,
            make: tallies::make::<tallies::Checksum>,
            depends: Depends::Duplicates,
        }
        .entry(),
        of_numbers::<tallies::Logarithms>(&GEOMETRIC_MEAN).entry(),
        of_numbers::<tallies::Moments<true>>(&SKEWNESS).entry(),
        of_numbers::<tallies::Moments<false>>(&KURTOSIS).entry(),
        of_numbers::<tallies::Counts>(&ENTROPY).entry(),
        by(&MAX_BY, |call| match call.fields.len() {
            2 => best::greatest(call),
            _ => top::greatest_by(call),
        })
        .entry(),
        by(&MIN_BY, |call| match call.fields.len() {
            2 => best::least(call),
            _ => top::least_by(call),
        })
        .entry(),
        n_best(&MAX_N, top::greatest).entry().unlisted(),
        n_best(&MIN_N, top::least).entry().unlisted(),
    ];
    entries.extend(of_maps());
    entries
}

fn of_maps() -> [Entry; 7] {
    let of = |page, takes, returns, make, depends| {
        let state = maps::state_of_result;
        Aggregate {
            page,
            takes,
            returns,
            state,
            make,
            depends,
        }
        .entry()
    };
    let map_one: fn(&str, &[DataType]) -> Result<Vec<DataType>> = |name, types| match types {
        [DataType::Map(..)] => Ok(types.to_vec()),
        [DataType::Null] => Ok(vec![map_of(&DataType::Utf8, &DataType::Utf8)]),
        _ => Err(wrong_types(name, "a map", types)),
    };
    [
        of(
            &HISTOGRAM,
            any_one,
            |_, fields| {
                let key = type_of(fields, 0);
                Ok(Field::new("", map_of(&key, &DataType::Int64), true))
            },
            maps::histogram,
            Depends::Duplicates,
        ),
        of(
            &MAP_AGG,
            key_and_value,
            |_, fields| {
                let map = map_of(&type_of(fields, 0), &type_of(fields, 1));
                Ok(Field::new("", map, true))
            },
            maps::map_agg,
            Depends::Order,
        ),
        of(
            &MULTIMAP_AGG,
            key_and_value,
            |_, fields| {
                let map = multimap_of(&type_of(fields, 0), &type_of(fields, 1));
                Ok(Field::new("", map, true))
            },
            maps::multimap_agg,
            Depends::Order,
        ),
        of(
            &MAP_UNION,
            map_one,
            map_of_first,
            maps::map_union,
            Depends::Order,
        ),
        of(
            &MAP_UNION_SUM,
            |name, types| match types {
                [map @ DataType::Map(..)]
                    if parts(map)
                        .is_some_and(|(_, value)| value.is_integer() || value.is_floating()) =>
                {
                    Ok(types.to_vec())
                }
                [DataType::Null] => Ok(vec![map_of(&DataType::Utf8, &DataType::Int64)]),
                _ => Err(wrong_types(
                    name,
                    "a map with values that are numbers",
                    types,
                )),
            },
            map_of_first,
            maps::map_union_sum,
            Depends::Duplicates,
        ),
        of(
            &SET_AGG,
            any_one,
            |_, fields| Ok(Field::new("", list_of(&type_of(fields, 0)), true)),
            maps::set_agg,
            Depends::Order,
        ),
        of(
            &SET_UNION,
            |name, types| match types {
                [DataType::List(_)] => Ok(types.to_vec()),
                [DataType::LargeList(field) | DataType::FixedSizeList(field, _)] => {
                    Ok(vec![list_of(field.data_type())])
                }
                [DataType::Null] => Ok(vec![list_of(&DataType::Null)]),
                _ => Err(wrong_types(name, "an array", types)),
            },
            |_, fields| {
                let item = match type_of(fields, 0) {
                    DataType::List(field) => plain(field.data_type()),
                    _ => DataType::Null,
                };
                Ok(Field::new("", list_of(&item), true))
            },
            maps::set_union,
            Depends::Order,
        ),
    ]
}

/// The map type of `map_union`, whatever its entries are called in the argument.
fn map_of_first(_: &str, fields: &[FieldRef]) -> Result<Field> {
    let map = type_of(fields, 0);
    let (key, value) = parts(&map).unwrap_or((&DataType::Utf8, &DataType::Utf8));
    Ok(Field::new("", map_of(key, value), true))
}

/// Returns the type of an argument, as states keep it.
fn type_of(fields: &[FieldRef], index: usize) -> DataType {
    let field = fields.get(index);
    field.map_or(DataType::Null, |field| plain(field.data_type()))
}

fn any_one(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [_] => Ok(types.to_vec()),
        _ => Err(wrong_types(name, "one value", types)),
    }
}

fn key_and_value(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [_, _] => Ok(types.to_vec()),
        _ => Err(wrong_types(name, "a key and a value", types)),
    }
}

/// A field like that of the first argument, with what marks its type.
fn as_first(_: &str, fields: &[FieldRef]) -> Result<Field> {
    let field = Field::new("", type_of(fields, 0), true);
    Ok(match fields.first() {
        Some(first) => field.with_metadata(first.metadata().clone()),
        None => field,
    })
}

/// Whether a type is one of numbers, or that of NULL.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type == &DataType::Null
}

fn of_numbers<T: tallies::Tally>(page: &'static Page) -> Aggregate {
    Aggregate {
        page,
        takes: |name, types| match types {
            [number] if is_number(number) => Ok(vec![DataType::Float64]),
            _ => Err(wrong_types(name, "a number", types)),
        },
        returns: |_, _| Ok(Field::new("", DataType::Float64, true)),
        state: tallies::state::<T>,
        make: tallies::make::<T>,
        depends: Depends::Duplicates,
    }
}

type Make = fn(&function::Call) -> Result<Box<dyn state::State>>;

/// `max_by` and `min_by`.
fn by(page: &'static Page, make: Make) -> Aggregate {
    Aggregate {
        page,
        takes: |name, types| match types {
            [x, y] => Ok(vec![x.clone(), ordered(name, y)?]),
            [x, y, n] if n.is_integer() => Ok(vec![x.clone(), ordered(name, y)?, DataType::Int64]),
            _ => Err(wrong_types(
                name,
                "a value, what orders it, and perhaps a number of values",
                types,
            )),
        },
        returns: |name, fields| match fields.len() {
            2 => as_first(name, fields),
            _ => Ok(Field::new("", list_of(&type_of(fields, 0)), true)),
        },
        state: |fields, _| {
            let (x, y) = (type_of(fields, 0), type_of(fields, 1));
            Ok(match fields.len() {
                2 => vec![Field::new("", x, true), Field::new("", y, true)],
                _ => vec![
                    Field::new("", list_of(&x), true),
                    Field::new("", list_of(&y), true),
                ],
            })
        },
        make,
        depends: Depends::Duplicates,
    }
}

/// `max(x, n)` and `min(x, n)`.
fn n_best(page: &'static Page, make: Make) -> Aggregate {
    Aggregate {
        page,
        takes: |name, types| match types {
            [x, n] if n.is_integer() => Ok(vec![ordered(name, x)?, DataType::Int64]),
            _ => Err(wrong_types(name, "a value and a number of values", types)),
        },
        returns: |_, fields| Ok(Field::new("", list_of(&type_of(fields, 0)), true)),
        state: maps::state_of_result,
        make,
        depends: Depends::Duplicates,
    }
}

/// Returns a type whose values can be ordered.
fn ordered(name: &str, data_type: &DataType) -> Result<DataType> {
    fn is_ordered(data_type: &DataType) -> bool {
        match data_type {
            DataType::Map(..) | DataType::Union(..) => false,
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::FixedSizeList(field, _) => is_ordered(field.data_type()),
            DataType::Struct(fields) => fields.iter().all(|field| is_ordered(field.data_type())),
            _ => true,
        }
    }
    match is_ordered(data_type) {
        true => Ok(data_type.clone()),
        false => Err(wrong_types(
            name,
            "values that can be ordered",
            std::slice::from_ref(data_type),
        )),
    }
}
