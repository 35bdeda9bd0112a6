//! Where the result of a call has the values of its arguments, and so which marks it should have.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable};
use lakegate_error::{Code, Error};

use super::marks::{Mark, changed, contains, is_marked, item, mark, with_item, with_mark};
use super::names;
use crate::json::{is_json, is_text};

/// Where a call's result has the values of an argument.
#[derive(Debug, Clone, Copy)]
enum Flow {
    /// It is a value of these arguments.
    Same(fn(usize) -> std::ops::Range<usize>),
    /// Its items, or the values of its map, are values of this argument.
    Items(usize),
    /// It is an item or a map's value of this argument.
    Item(usize),
    /// Its items, or the values of its map, are those of this argument.
    ItemsOf(usize),
    /// Its values are arrays of this argument's values.
    Lists(usize),
    /// Its fields are the arguments.
    Fields,
    /// The arguments are read, and none is returned.
    Reads,
}

fn flow(name: &str) -> Option<Flow> {
    Some(match name {
        "coalesce" | "greatest" | "least" | "nullif" => Flow::Same(|count| 0..count),
        "arbitrary" | "any_value" | "first_value" | "last_value" | "nth_value" | "lag" | "lead"
        | "min" | "max" | "max_by" | "min_by" => Flow::Same(|count| 0..count.min(1)),
        "make_array" | "array_agg" | "repeat" | "$max_n" | "$min_n" => Flow::Items(0),
        "map_agg" => Flow::Items(1),
        "multimap_agg" => Flow::Lists(1),
        "$map" | "map" => Flow::ItemsOf(1),
        "map_values" => Flow::ItemsOf(0),
        "$subscript" | "element_at" | "array_item" | "array_first" | "array_last"
        | "array_element" | "array_min" | "array_max" | "unnest" => Flow::Item(0),
        "struct" | "row" | "named_struct" => Flow::Fields,
        "count"
        | "typeof"
        | "arrow_typeof"
        | "get_field"
        | "$cast"
        | "$unnested"
        | "is_json_scalar"
        | "cardinality"
        | "map_keys"
        | "geometry_to_bing_tiles" => Flow::Reads,
        json if json.contains("json") => Flow::Reads,
        geometry if geometry.starts_with("st_") => Flow::Reads,
        _ => return None,
    })
}

/// Returns the mark that all values have which are not NULL.
pub(super) fn common(what: &str, fields: &[FieldRef]) -> Result<Option<Mark>> {
    let values = fields.iter().filter(|field| !field.data_type().is_null());
    let marks: Vec<Option<Mark>> = values.clone().map(|field| mark(field)).collect();
    let Some(Some(first)) = marks.iter().find(|mark| mark.is_some()) else {
        return Ok(None);
    };
    if marks.iter().all(|mark| mark.as_ref() == Some(first)) {
        return Ok(Some(first.clone()));
    }
    if !fields.iter().any(|field| is_json(field)) {
        return Ok(None);
    }
    let types: Vec<String> = values.map(|field| names::of_field(field)).collect();
    Err(Error::new(
        Code::TypeMismatch,
        format!(
            "{what} needs values of one type, not {}",
            types.join(" and ")
        ),
    )
    .with_hint("json_format writes a JSON value as a text, CAST(… AS JSON) makes one of a text")
    .into())
}

/// Returns the field that a call's result should have, if marks are missing in its own.
///
/// # Errors
///
/// The call mixes JSON values with others, or loses where they are.
pub(super) fn of_call(
    expr: &Expr,
    name: &str,
    args: &[Expr],
    schema: &DFSchema,
) -> Result<Option<FieldRef>> {
    let fields: Result<Vec<FieldRef>> = args
        .iter()
        .map(|arg| arg.to_field(schema).map(|(_, field)| field))
        .collect();
    let Ok(fields) = fields else { return Ok(None) };
    if !fields.iter().any(|field| is_marked(field)) {
        return Ok(None);
    }
    let Ok((_, own)) = expr.to_field(schema) else {
        return Ok(None);
    };
    result(name, &own, &fields)
}

/// Returns the field that a call's result should have.
fn result(name: &str, own: &FieldRef, fields: &[FieldRef]) -> Result<Option<FieldRef>> {
    if is_marked(own) {
        return Ok(None);
    }
    let data_type = own.data_type();
    let mark_of = |index: usize| fields.get(index).and_then(|field| mark(field));
    let item_mark = |index: usize| mark(item(fields.get(index)?.data_type())?);
    let in_items = |mark: Option<Mark>| match mark {
        Some(mark) => changed(
            own,
            with_item(data_type, |item| with_mark(item, &mark)),
            None,
        ),
        None => None,
    };
    let found = match flow(name) {
        Some(Flow::Reads) => return Ok(None),
        Some(Flow::Same(range)) => {
            let values = fields.get(range(fields.len())).unwrap_or_default();
            let of_list = values.first().is_some_and(|first| {
                matches!(data_type, DataType::List(_)) && !first.data_type().is_nested()
            });
            match common(name, values)? {
                // `max_by(x, y, 3)` has items of x.
                Some(mark) if of_list => in_items(Some(mark)),
                mark => changed(own, data_type.clone(), mark),
            }
        }
        Some(Flow::Items(index)) => {
            let mark = match name {
                "make_array" => common("ARRAY", fields)?,
                _ => mark_of(index),
            };
            in_items(mark)
        }
        Some(Flow::Item(index)) => changed(own, data_type.clone(), item_mark(index)),
        Some(Flow::ItemsOf(index)) => in_items(item_mark(index)),
        Some(Flow::Lists(index)) => mark_of(index).and_then(|mark| {
            let lists = with_item(data_type, |list| {
                let items = with_item(list.data_type(), |item| with_mark(item, &mark));
                Arc::new(list.as_ref().clone().with_data_type(items))
            });
            changed(own, lists, None)
        }),
        Some(Flow::Fields) => match data_type {
            DataType::Struct(into) => {
                // `named_struct` has names before its values.
                let step = if name == "named_struct" { 2 } else { 1 };
                let values = fields.iter().skip(step - 1).step_by(step);
                let marked: Fields = into
                    .iter()
                    .zip(values)
                    .map(|(field, value)| match mark(value) {
                        Some(mark) => with_mark(field, &mark),
                        None => Arc::clone(field),
                    })
                    .collect();
                changed(own, DataType::Struct(marked), None)
            }
            _ => None,
        },
        None => None,
    };
    if found.is_some() {
        return Ok(found);
    }
    let loses = fields
        .iter()
        .any(|field| contains(field, &|field| is_json(field)))
        && contains(own, &|field| is_text(field.data_type()));
    match loses {
        true => Err(Error::new(
            Code::TypeMismatch,
            format!(
                "Unexpected parameters ({}) for function {name}",
                listed(fields)
            ),
        )
        .with_hint("json_format writes a JSON value as a text, and casts read its parts")
        .into()),
        false => Ok(None),
    }
}

fn listed(fields: &[FieldRef]) -> String {
    let names: Vec<String> = fields.iter().map(|field| names::of_field(field)).collect();
    names.join(", ")
}

/// Returns the field of a call with lambdas, whose bodies are among `bodies`.
pub(super) fn of_lambdas(
    expr: &Expr,
    name: &str,
    bodies: &[Expr],
    schema: &DFSchema,
) -> Result<Option<FieldRef>> {
    let fields: Vec<Option<FieldRef>> = bodies
        .iter()
        .map(|body| body.to_field(schema).ok().map(|(_, field)| field))
        .collect();
    let last = fields.last().cloned().flatten();
    let Ok((_, own)) = expr.to_field(schema) else {
        return Ok(None);
    };
    let json = |field: &FieldRef| contains(field, &|field| is_json(field));
    let Some(last) = last.filter(|_| fields.iter().flatten().any(json)) else {
        return Ok(None);
    };
    if is_marked(&own) {
        return Ok(None);
    }
    let marked = mark(&last);
    let found = match (name, marked) {
        ("$try" | "reduce", mark) => changed(&own, own.data_type().clone(), mark),
        ("transform" | "zip_with" | "transform_values" | "map_zip_with", Some(mark)) => {
            let items = with_item(own.data_type(), |item| with_mark(item, &mark));
            changed(&own, items, None)
        }
        _ => None,
    };
    let is_text_of_last = is_text(last.data_type()) && !is_json(&last);
    match found {
        Some(found) => Ok(Some(found)),
        // A body that makes a text of JSON values.
        None if is_text_of_last => Ok(None),
        None if !contains(&own, &|field| is_text(field.data_type())) => Ok(None),
        None => Err(Error::new(
            Code::NotSupported,
            format!("{name} of JSON values is not supported"),
        )
        .with_hint("cast them to other types first")
        .into()),
    }
}
