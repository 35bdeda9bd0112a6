//! The columns of a query that become those of new files: their names and types.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field, Schema};
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Code, Error, Result};

use super::query::renamed;
use super::types::{cast_to, has_zone, shown};

/// The columns of new files: those of a query under their own names, or under others.
///
/// # Errors
///
/// Another number of names; a column without a name, or with that of another; a type that no column
/// of a table has; partition keys that are not the last columns in this order.
pub(crate) fn check_new_columns(
    names: &[String],
    partitioned_by: &[String],
    query: &Schema,
) -> Result<Schema> {
    let own = query
        .fields()
        .iter()
        .map(|field| field.name().to_lowercase());
    let names: Vec<String> = match names.is_empty() {
        true => own.collect(),
        false => names.to_vec(),
    };
    if names.len() != query.fields().len() {
        return Err(Error::new(
            Code::TypeMismatch,
            format!(
                "{} columns are named, and the query has {}; name each of them, or none",
                names.len(),
                query.fields().len()
            ),
        ));
    }
    let mut seen = HashSet::new();
    for (place, (name, field)) in names.iter().zip(query.fields()).enumerate() {
        if name.is_empty() || name == "?column?" {
            return Err(Error::new(
                Code::InvalidName,
                format!("column {} of the query has no name", place + 1),
            )
            .with_hint("give it an alias: SELECT .. AS name"));
        }
        if !seen.insert(name) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!("the query has two columns \"{name}\""),
            )
            .with_hint("give one of them an alias: SELECT .. AS name"));
        }
        check_new_type(name, field)?;
    }
    check_keys(partitioned_by, &names)?;
    Ok(renamed(query, names.iter().map(String::as_str)))
}

/// # Errors
///
/// No column of a table is of the type.
fn check_new_type(name: &str, field: &Field) -> Result<()> {
    let data_type = field.data_type();
    if !has_zone(data_type) && HiveType::from_arrow(data_type).is_ok() {
        return Ok(());
    }
    let remedy = cast_to(data_type);
    let hint = match data_type {
        DataType::Timestamp(..) => format!(
            "write CAST(.. AS {remedy}) in the query, or ..::{remedy} in the dialect postgres: what the clock of the session shows"
        ),
        _ => format!("write CAST(.. AS {remedy}) in the query, or a cast to another type"),
    };
    Err(Error::new(
        Code::InvalidTable,
        format!(
            "column \"{name}\" is of type {}, which no column of a table has",
            shown(data_type)
        ),
    )
    .with_hint(hint))
}

/// # Errors
///
/// A key is named twice; the keys are not the last columns in this order, of which the first that is
/// not there is named.
fn check_keys(keys: &[String], names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    if let Some(twice) = keys.iter().find(|key| !seen.insert(*key)) {
        return Err(Error::new(
            Code::DuplicateColumn,
            format!("partitioned_by names column \"{twice}\" twice; name it once"),
        ));
    }
    let last = names
        .get(names.len().saturating_sub(keys.len())..)
        .unwrap_or_default();
    for (place, key) in keys.iter().enumerate() {
        if last.get(place) == Some(key) {
            continue;
        }
        if !names.contains(key) {
            return Err(Error::new(
                Code::ColumnNotFound,
                format!("partitioned_by names column \"{key}\", which the query does not have"),
            )
            .with_hint(format!("its columns are {}", names.join(", "))));
        }
        return Err(Error::new(
            Code::InvalidTable,
            format!(
                "partitioned_by names column \"{key}\", which is not in its place: the last columns of the query must be {}, in this order",
                keys.join(", ")
            ),
        ));
    }
    Ok(())
}
