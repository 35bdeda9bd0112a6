//! Sketches: summaries of many values that answer approximately.
//!
//! ```text
//! Sketch, Sketches (sketch.rs)  the sketch of each group, as a State of an aggregate
//!    digest     quantiles of numbers          digests    the aggregates of it
//!    hll        numbers of distinct values    sets       the aggregates of it
//!    set_digests, theta                     digests of sets, theta sketches
//!    histogram, frequent                      numeric_histogram, approx_most_frequent
//! scalars       functions of sketches that are values
//! casts         bytes as sketches
//! ```
//!
//! A sketch as a value is bytes, whose field Arrow marks with the sketch's name.

macro_rules! pages {
    ($section:literal: $($page:ident: $name:literal, $syntax:literal, $sentence:literal, $example:literal, $result:literal;)*) => {
        $(static $page: Page = Page {
            name: $name,
            section: $section,
            syntax: $syntax,
            sentence: $sentence,
            example: $example,
            result: $result,
        };)*
    };
}

mod casts;
mod digest;
mod digests;
mod frequent;
mod histogram;
mod hll;
mod reader;
mod scalars;
mod set_digests;
mod sets;
mod sketch;
#[cfg(test)]
mod tests;
mod theta;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{ScalarUDF, TypeSignature};

use crate::aggregates::function::{Aggregate, Call, Depends, invalid, wrong_types};
use crate::aggregates::gathered::list_of;
use crate::aggregates::is_number;
use crate::aggregates::maps::map_of;
use crate::aggregates::state::State;
use crate::docs::Page;
use crate::entry::{Entry, Function};
use crate::kernel::{Kernel, Returns};

const EXTENSION: &str = "ARROW:extension:name";
const DETAIL: &str = "ARROW:extension:metadata";
const HLL: &str = "lakegate.hyperloglog";
const TDIGEST: &str = "lakegate.tdigest";
const QDIGEST: &str = "lakegate.qdigest";
const SET_DIGEST: &str = "lakegate.setdigest";

pages! { "Aggregate":
    APPROX_DISTINCT: "approx_distinct", "approx_distinct(x[, e])",
        "Returns the approximate number of distinct values, with a standard error of e or 2.3 percent.",
        "(SELECT approx_distinct(x) FROM (VALUES 1, 2, 2) t(x))", "2";
    APPROX_PERCENTILE: "approx_percentile", "approx_percentile(x[, weight], percentage)",
        "Returns the approximate number at a percentage from 0 to 1, or an array of the numbers at an array of percentages.",
        "(SELECT approx_percentile(x, 0.5) FROM (VALUES 1, 2, 3) t(x))", "2";
    APPROX_MOST_FREQUENT: "approx_most_frequent", "approx_most_frequent(buckets, value, capacity)",
        "Returns a map from the most frequent values to their approximate counts.",
        "(SELECT approx_most_frequent(2, x, 10) FROM (VALUES 'a', 'b', 'c', 'b', 'a', 'a') t(x))",
        "{a=3, b=2}";
    NUMERIC_HISTOGRAM: "numeric_histogram", "numeric_histogram(buckets, value[, weight])",
        "Returns an approximate histogram of numbers: a map from the centers of buckets to their weights.",
        "(SELECT numeric_histogram(2, x) FROM (VALUES 1, 2, 9) t(x))", "{1.5=2.0, 9.0=1.0}";
    MERGE: "merge", "merge(sketch)",
        "Returns the sketch of all values of HyperLogLog sketches, t-digests or quantile digests.",
        "(SELECT value_at_quantile(merge(d), 1) FROM (SELECT tdigest_agg(x) AS d FROM (VALUES 1, 2) t(x) GROUP BY x))",
        "2.0";
}

pages! { "HyperLogLog":
    APPROX_SET: "approx_set", "approx_set(x)",
        "Returns a HyperLogLog sketch of values.",
        "(SELECT cardinality(approx_set(x)) FROM (VALUES 1, 2, 2) t(x))", "2";
    EMPTY_APPROX_SET: "empty_approx_set", "empty_approx_set()",
        "Returns a HyperLogLog sketch of no values.",
        "empty_approx_set()", "02 0c 00 00";
}

pages! { "T-Digest":
    TDIGEST_AGG: "tdigest_agg", "tdigest_agg(x[, weight])",
        "Returns a t-digest of numbers.",
        "(SELECT value_at_quantile(tdigest_agg(x), 0.5) FROM (VALUES 1, 2, 3) t(x))", "2.0";
    VALUE_AT_QUANTILE: "value_at_quantile", "value_at_quantile(digest, quantile)",
        "Returns the approximate number of a digest at a quantile from 0 to 1.",
        "(SELECT value_at_quantile(tdigest_agg(x), 1) FROM (VALUES 1, 2, 3) t(x))", "3.0";
    VALUES_AT_QUANTILES: "values_at_quantiles", "values_at_quantiles(digest, quantiles)",
        "Returns an array of the approximate numbers of a digest at quantiles.",
        "(SELECT values_at_quantiles(tdigest_agg(x), ARRAY[0, 1]) FROM (VALUES 1, 2, 3) t(x))",
        "[1.0, 3.0]";
    QUANTILE_AT_VALUE: "quantile_at_value", "quantile_at_value(digest, x)",
        "Returns the approximate quantile, from 0 to 1, of a number in a digest.",
        "(SELECT quantile_at_value(tdigest_agg(x), 3) FROM (VALUES 1, 2, 3) t(x))", "1.0";
    DESTRUCTURE_TDIGEST: "destructure_tdigest", "destructure_tdigest(tdigest)",
        "Returns the parts of a t-digest as a row.",
        "(SELECT destructure_tdigest(tdigest_agg(x)) FROM (VALUES 1, 2) t(x))",
        "{centroid_means=[1.0, 2.0], centroid_weights=[1.0, 1.0], compression=100.0, min=1.0, max=2.0, sum=3.0, count=2}";
}

pages! { "Quantile digest":
    QDIGEST_AGG: "qdigest_agg", "qdigest_agg(x[, weight[, accuracy]])",
        "Returns a digest of numbers, from which numbers of the same type are read.",
        "(SELECT value_at_quantile(qdigest_agg(x), 0.5) FROM (VALUES 1, 2, 3) t(x))", "2";
}

/// The types of an aggregate of one argument of bytes; `what` says what they are.
pub(crate) fn one_of_bytes(name: &str, what: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null] => {
            Ok(vec![DataType::Binary])
        }
        _ => Err(wrong_types(name, what, types)),
    }
}

/// A field of a sketch; `detail` is the type of its numbers.
fn marked(name: &str, detail: Option<&str>) -> Field {
    let mut metadata = HashMap::from([(EXTENSION.to_owned(), name.to_owned())]);
    if let Some(detail) = detail {
        metadata.insert(DETAIL.to_owned(), detail.to_owned());
    }
    Field::new("", DataType::Binary, true).with_metadata(metadata)
}

fn is_quantile_digest(field: &FieldRef) -> bool {
    let name = field.metadata().get(EXTENSION);
    name.is_some_and(|name| name == QDIGEST)
}

/// The type of the numbers of a digest's field.
fn number_type(field: &FieldRef) -> DataType {
    if !is_quantile_digest(field) {
        return DataType::Float64;
    }
    match field.metadata().get(DETAIL).map(String::as_str) {
        Some("bigint") => DataType::Int64,
        Some("real") => DataType::Float32,
        _ => DataType::Float64,
    }
}

/// The type in which a digest takes numbers; `None` if they are not numbers.
fn numbers_as(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Float32 => Some(DataType::Float32),
        whole if whole.is_integer() => Some(DataType::Int64),
        other => is_number(other).then_some(DataType::Float64),
    }
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = aggregates();
    entries.extend(functions());
    entries.extend(set_digests::entries());
    entries.extend(theta::entries());
    entries.extend(casts::entries());
    // The function of arrays and maps, which other files have.
    let inner = crate::arrays::entries()
        .into_iter()
        .find_map(|entry| match entry.function {
            Function::Scalar(function) if function.name() == "cardinality" => Some(function),
            _ => None,
        });
    if let Some(inner) = inner {
        entries.push(
            Entry {
                function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(
                    scalars::Cardinality { inner },
                ))),
                known: crate::entry::Known::Trino,
                page: None,
            }
            .unlisted(),
        );
    }
    entries
}

fn functions() -> Vec<Entry> {
    let digest_and_number = || {
        vec![TypeSignature::Exact(vec![
            DataType::Binary,
            DataType::Float64,
        ])]
    };
    vec![
        Entry::scalar(Kernel::new(
            &EMPTY_APPROX_SET,
            vec![TypeSignature::Nullary],
            Returns::Field(scalars::set_field),
            scalars::empty_set,
        )),
        Entry::scalar(Kernel::new(
            &VALUE_AT_QUANTILE,
            digest_and_number(),
            Returns::Field(|fields| {
                Ok(Arc::new(Field::new("", scalars::value_type(fields), true)))
            }),
            scalars::value_at_quantile,
        )),
        Entry::scalar(Kernel::new(
            &VALUES_AT_QUANTILES,
            vec![TypeSignature::Any(2)],
            Returns::Field(|fields| {
                let types: Vec<DataType> = fields
                    .iter()
                    .map(|field| field.data_type().clone())
                    .collect();
                match types.as_slice() {
                    [DataType::Binary, DataType::List(_) | DataType::Null] => {
                        let values = list_of(&scalars::value_type(fields));
                        Ok(Arc::new(Field::new("", values, true)))
                    }
                    _ => Err(wrong_types(
                        "values_at_quantiles",
                        "a digest and an array of quantiles",
                        &types,
                    )),
                }
            }),
            scalars::values_at_quantiles,
        )),
        Entry::scalar(Kernel::new(
            &QUANTILE_AT_VALUE,
            digest_and_number(),
            Returns::Type(DataType::Float64),
            scalars::quantile_at_value,
        )),
        Entry::scalar(Kernel::new(
            &DESTRUCTURE_TDIGEST,
            vec![TypeSignature::Exact(vec![DataType::Binary])],
            Returns::Type(scalars::parts_type()),
            scalars::destructured,
        )),
    ]
}

fn aggregates() -> Vec<Entry> {
    let state = sketch::state;
    vec![
        Aggregate {
            page: &APPROX_DISTINCT,
            takes: |name, types| match types {
                [x] => Ok(vec![x.clone()]),
                [x, e] if is_number(e) => Ok(vec![x.clone(), DataType::Float64]),
                _ => Err(wrong_types(
                    name,
                    "a value and perhaps a standard error",
                    types,
                )),
            },
            returns: |_, _| Ok(Field::new("", DataType::Int64, true)),
            state,
            make: sets::approx_distinct,
            depends: Depends::Nothing,
        }
        .entry(),
        Aggregate {
            page: &APPROX_SET,
            takes: sets::number_or_text,
            returns: |_, _| Ok(marked(HLL, None)),
            state,
            make: sets::approx_set,
            depends: Depends::Nothing,
        }
        .entry(),
        Aggregate {
            page: &TDIGEST_AGG,
            takes: |name, types| match types.iter().all(is_number) && (1..=2).contains(&types.len())
            {
                true => Ok(vec![DataType::Float64; types.len()]),
                false => Err(wrong_types(name, "a number and perhaps a weight", types)),
            },
            returns: |_, _| Ok(marked(TDIGEST, None)),
            state,
            make: digests::bytes,
            depends: Depends::Duplicates,
        }
        .entry(),
        Aggregate {
            page: &QDIGEST_AGG,
            takes: |name, types| match types {
                [x, others @ ..] if others.len() < 3 && others.iter().all(is_number) => {
                    let error = || {
                        wrong_types(
                            name,
                            "a number, and perhaps a weight and an accuracy",
                            types,
                        )
                    };
                    let mut takes = vec![numbers_as(x).ok_or_else(error)?];
                    takes.resize(types.len(), DataType::Float64);
                    Ok(takes)
                }
                _ => Err(wrong_types(
                    name,
                    "a number, and perhaps a weight and an accuracy",
                    types,
                )),
            },
            returns: |_, fields| {
                let numbers = fields.first().map(|field| field.data_type());
                let detail = match numbers {
                    Some(DataType::Float32) => "real",
                    Some(whole) if whole.is_integer() => "bigint",
                    _ => "double",
                };
                Ok(marked(QDIGEST, Some(detail)))
            },
            state,
            make: digests::bytes,
            depends: Depends::Duplicates,
        }
        .entry(),
        percentiles(),
        Aggregate {
            page: &MERGE,
            takes: |name, types| one_of_bytes(name, "a HyperLogLog, a tdigest or a qdigest", types),
            returns: |_, fields| {
                let field = Field::new("", DataType::Binary, true);
                Ok(match fields.first() {
                    Some(first) => field.with_metadata(first.metadata().clone()),
                    None => field,
                })
            },
            state,
            make: merged,
            depends: Depends::Duplicates,
        }
        .entry(),
        Aggregate {
            page: &NUMERIC_HISTOGRAM,
            takes: |name, types| match types {
                [buckets, numbers @ ..]
                    if buckets.is_integer()
                        && (1..=2).contains(&numbers.len())
                        && numbers.iter().all(is_number) =>
                {
                    let mut takes = vec![DataType::Int64];
                    takes.resize(types.len(), DataType::Float64);
                    Ok(takes)
                }
                _ => Err(wrong_types(
                    name,
                    "a number of buckets, a number, and perhaps a weight",
                    types,
                )),
            },
            returns: |_, _| {
                let map = map_of(&DataType::Float64, &DataType::Float64);
                Ok(Field::new("", map, true))
            },
            state,
            make: histogram::make,
            depends: Depends::Duplicates,
        }
        .entry(),
        Aggregate {
            page: &APPROX_MOST_FREQUENT,
            takes: |name, types| match types {
                [buckets, value, capacity] if buckets.is_integer() && capacity.is_integer() => {
                    let value = match value.is_integer() {
                        true => DataType::Int64,
                        false => value.clone(),
                    };
                    Ok(vec![DataType::Int64, value, DataType::Int64])
                }
                _ => Err(wrong_types(
                    name,
                    "a number of buckets, a value and a capacity",
                    types,
                )),
            },
            returns: |_, fields| {
                let key = fields
                    .get(1)
                    .map_or(DataType::Null, |field| field.data_type().clone());
                Ok(Field::new("", map_of(&key, &DataType::Int64), true))
            },
            state,
            make: frequent::make,
            depends: Depends::Duplicates,
        }
        .entry(),
    ]
}

fn percentiles() -> Entry {
    Aggregate {
        page: &APPROX_PERCENTILE,
        takes: |name, types| {
            let takes = || {
                let (x, others) = types.split_first()?;
                let mut takes = vec![numbers_as(x)?];
                let (weights, percentage, accuracy) = match others {
                    [percentage] => (&[][..], percentage, &[][..]),
                    [weight, percentage] => (std::slice::from_ref(weight), percentage, &[][..]),
                    [weight, percentage, accuracy] => (
                        std::slice::from_ref(weight),
                        percentage,
                        std::slice::from_ref(accuracy),
                    ),
                    _ => return None,
                };
                let numbers = weights.iter().chain(accuracy);
                if !numbers.clone().all(is_number) {
                    return None;
                }
                takes.extend(weights.iter().map(|_| DataType::Float64));
                takes.push(match percentage {
                    DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                        list_of(&DataType::Float64)
                    }
                    number if is_number(number) => DataType::Float64,
                    _ => return None,
                });
                takes.extend(accuracy.iter().map(|_| DataType::Float64));
                Some(takes)
            };
            takes().ok_or_else(|| {
                wrong_types(
                    name,
                    "a number, perhaps its weight, and a percentage or an array of them",
                    types,
                )
            })
        },
        returns: |_, fields| {
            let of = |index: usize| fields.get(index).map(|field| field.data_type());
            let percentage = of(fields.len().clamp(2, 3) - 1);
            let number = of(0).cloned().unwrap_or(DataType::Float64);
            let returns = match percentage {
                Some(DataType::List(_)) => list_of(&number),
                _ => number,
            };
            Ok(Field::new("", returns, true))
        },
        state: sketch::state,
        make: digests::percentile,
        depends: Depends::Duplicates,
    }
    .entry()
}

fn merged(call: &Call) -> Result<Box<dyn State>> {
    let name = call
        .fields
        .first()
        .and_then(|field| field.metadata().get(EXTENSION));
    match name.map(String::as_str) {
        Some(HLL) => Ok(digests::Merged::<hll::HyperLogLog>::make(call)),
        Some(TDIGEST | QDIGEST) => Ok(digests::Merged::<digest::Digest>::make(call)),
        _ => Err(invalid(
            "merge takes sketches of approx_set, tdigest_agg or qdigest_agg, not other bytes",
        )),
    }
}
