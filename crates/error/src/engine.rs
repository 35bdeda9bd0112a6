//! Converts errors of the engine and of Arrow to this crate's codes.

pub(crate) mod numerics;
mod raised;

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use self::raised::raised;
use super::store::from_store;
use super::{
    Code, Error, OUTER, UNQUALIFIED, column_not_found, find, planner, similar, table_not_found,
    wording,
};

/// Converts an engine error to one with our code, without the engine's internals.
pub fn from_engine(error: DataFusionError) -> Error {
    if let Some(error) = find(&error) {
        return match error.code() {
            Code::TypeMismatch => error.reworded(wording::of_types),
            _ => error,
        };
    }
    let root = error.find_root();
    match root {
        DataFusionError::SchemaError(schema, _) => from_schema(schema),
        DataFusionError::ArrowError(arrow, _) => from_arrow(arrow),
        DataFusionError::ParquetError(parquet) => Error::new(
            Code::BadData,
            format!("a Parquet file is damaged: {parquet}"),
        ),
        DataFusionError::ObjectStore(store) => from_store(store),
        DataFusionError::IoError(io) => Error::new(Code::Storage, io.to_string()),
        DataFusionError::SQL(parser, _) => Error::new(Code::SyntaxError, parser.to_string()),
        DataFusionError::NotImplemented(what) if is_subquery_left_over(what) => {
            Error::not_supported(
                "a subquery in this place, or correlated in this way, is not supported",
            )
            .with_hint("join its tables instead")
        }
        DataFusionError::NotImplemented(what) => not_implemented(what),
        DataFusionError::ResourcesExhausted(what) => exhausted(what),
        DataFusionError::Plan(what) => from_plan(what),
        DataFusionError::Execution(what) if overflows(what) => {
            Error::new(Code::NumericOutOfRange, lower(what))
        }
        DataFusionError::Execution(what) if what.starts_with("Scalar subquery returned more") => {
            Error::new(
                Code::SubqueryRows,
                "more than one row returned by a subquery used as an expression",
            )
        }
        DataFusionError::Execution(what) if what.starts_with("Cannot access field ") => {
            Error::new(Code::InvalidQuery, lower(&wording::of_types(what)))
        }
        DataFusionError::Execution(what) => {
            raised(what).unwrap_or_else(|| Error::new(Code::DataException, lower(what)))
        }
        DataFusionError::Configuration(what) => Error::invalid(lower(what)),
        DataFusionError::Internal(what) => match unsupported(what) {
            Some(message) => Error::not_supported(message),
            None => {
                let refused = other_arguments(what).or_else(|| other_bounds(what));
                refused.unwrap_or_else(|| Error::internal(root.strip_backtrace()))
            }
        },
        DataFusionError::External(source)
            if source.to_string().starts_with("regex parse error") =>
        {
            Error::new(
                Code::InvalidRegex,
                format!(
                    "invalid regular expression: {}",
                    one_line(&source.to_string())
                ),
            )
        }
        other => Error::internal(other.strip_backtrace()),
    }
}

/// Errors that the engine reports as internal, but that mean an unsupported feature.
fn unsupported(what: &str) -> Option<String> {
    if let Some(data_type) = what.strip_prefix("Cannot run range queries on datatype: ") {
        return Some(format!(
            "RANGE with an offset over values of type {data_type} is not supported"
        ));
    }
    what.starts_with("Unexpected empty work table").then(|| {
        "a recursive query that reads itself twice, or in a subquery, is not supported".to_owned()
    })
}

/// What the engine lacks. Types that it does not know, and casts between others, are no features.
fn not_implemented(what: &str) -> Error {
    if let Some(message) = wording::misplaced(what) {
        let code = match message.starts_with("window ") {
            true => Code::WindowingError,
            false => Code::GroupingError,
        };
        return Error::new(code, message);
    }
    let is_of = |clause: &&str| what.starts_with(&format!("Unsupported {clause} expression: "));
    if let Some(clause) = ["LIMIT", "OFFSET"].into_iter().find(is_of) {
        let message = format!("{clause} of a value that a query computes is not supported");
        return Error::not_supported(message).with_hint("write the number");
    }
    // Names of types that SQL has are in capitals.
    let unknown = what.strip_prefix("Unsupported SQL type ");
    let unknown = unknown.filter(|name| {
        let mut characters = name.chars();
        characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    });
    if let Some(name) = unknown {
        let message = format!("type \"{name}\" does not exist");
        return Error::new(Code::UndefinedObject, message);
    }
    let what = wording::of_types(what);
    let cast = what.strip_prefix("Unsupported CAST from ");
    if let Some((from, to)) = cast.and_then(|types| types.split_once(" to ")) {
        let message = format!("cannot cast type {from} to {to}");
        return Error::new(Code::CannotCoerce, message);
    }
    Error::not_supported(lower(&what))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let error = column_not_found(&shown_name(field));
            match similar::hint(field, valid_fields) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => Error::new(
            Code::AmbiguousColumn,
            format!("column reference \"{}\" is ambiguous", field.name),
        )
        .with_hint("write the table's name or alias before it"),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => named_twice(name),
    }
}

/// Returns the name of a column without the schema of outer queries.
fn shown_name(column: &Column) -> String {
    match &column.relation {
        Some(relation) if relation.schema() == Some(OUTER) => {
            format!("{}.{}", relation.table(), column.name)
        }
        _ => column.flat_name(),
    }
}

fn named_twice(name: &str) -> Error {
    Error::new(
        Code::DuplicateColumn,
        format!("column \"{name}\" is named twice; give one an alias"),
    )
}

fn from_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => Error::new(Code::DivisionByZero, "division by zero"),
        ArrowError::ArithmeticOverflow(what) => Error::new(Code::NumericOutOfRange, lower(what)),
        ArrowError::ComputeError(what) if what.as_str() == "Timestamp out of range" => {
            Error::new(Code::DatetimeOutOfRange, lower(what))
        }
        ArrowError::ComputeError(what) if overflows(what) => {
            Error::new(Code::NumericOutOfRange, lower(what))
        }
        ArrowError::CastError(what) => from_cast(what),
        ArrowError::ParseError(what) => Error::new(Code::InvalidCast, lower(what)),
        // How Arrow reports a decimal that exceeds its precision.
        ArrowError::InvalidArgumentError(what) if what.contains(" to store in a Decimal") => {
            too_long(what)
        }
        ArrowError::ParquetError(what) => {
            Error::new(Code::BadData, format!("a Parquet file is damaged: {what}"))
        }
        // The file of a spill is written by Arrow.
        ArrowError::IoError(what, _) if what.contains("used disk space") => exhausted(what),
        ArrowError::IoError(what, _) => Error::new(Code::Storage, lower(what)),
        ArrowError::ExternalError(source) => match source.downcast_ref::<object_store::Error>() {
            Some(store) => from_store(store),
            None => Error::internal(source.to_string()),
        },
        ArrowError::ComputeError(what) => {
            let what = wording::without_kinds(what);
            raised(what).unwrap_or_else(|| Error::new(Code::DataException, lower(what)))
        }
        other => Error::new(Code::DataException, other.to_string()),
    }
}

/// Whether a function or kernel reports that a result is out of range.
fn overflows(what: &str) -> bool {
    let what = what.to_lowercase();
    ["overflow", "out of range", "exceeds the representable"]
        .iter()
        .any(|words| what.contains(words))
}

/// Distinguishes a number that the type cannot hold from text that is not a number.
fn from_cast(what: &str) -> Error {
    let number = what
        .strip_prefix("Can't cast value ")
        .and_then(|rest| rest.split_once(" to type "));
    if let Some((value, data_type)) = number {
        return out_of_range(value, data_type);
    }
    // For decimals.
    let number = what
        .strip_prefix("value of ")
        .and_then(|rest| rest.split_once(" is out of range "));
    if let Some((value, data_type)) = number {
        return out_of_range(value, data_type);
    }
    let text = what
        .strip_prefix("Cannot cast string '")
        .and_then(|rest| rest.strip_suffix(" type"))
        .and_then(|rest| rest.rsplit_once("' to value of "));
    if let Some((text, data_type)) = text
        && data_type.contains("Int")
        && is_whole(text.trim())
    {
        return out_of_range(&format!("\"{text}\""), data_type);
    }
    let decimal = text.filter(|(_, data_type)| data_type.starts_with("Decimal"));
    if let Some(error) = decimal.and_then(|(text, of)| numerics::of_text(text, of)) {
        return error;
    }
    if let Some((text, data_type)) = text.or_else(|| boolean(what)) {
        let name = wording::of_types(type_name(data_type));
        return Error::new(
            Code::InvalidCast,
            format!("invalid input syntax for type {name}: \"{text}\""),
        );
    }
    match what.contains(". Overflowing on ") {
        true => too_long(what),
        false => Error::new(Code::InvalidCast, lower(what)),
    }
}

/// Reads what Arrow says of a number that has more digits than a decimal.
fn too_long(what: &str) -> Error {
    let error = numerics::of_number(what);
    error.unwrap_or_else(|| Error::new(Code::NumericOutOfRange, lower(what)))
}

/// Reads what Arrow says of a text that is not a boolean.
fn boolean(what: &str) -> Option<(&str, &str)> {
    let rest = what.strip_prefix("Cannot cast value '")?;
    rest.strip_suffix(" type")?.rsplit_once("' to value of ")
}

/// Returns the name of a type of Arrow in an error about a value.
fn type_name(data_type: &str) -> &str {
    match data_type {
        "Int8" => "tinyint",
        "Int16" => "smallint",
        "Int32" => "integer",
        "Int64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Boolean" => "boolean",
        "Date32" => "date",
        other if other.starts_with("Decimal") => "numeric",
        other => other,
    }
}

fn out_of_range(value: &str, data_type: &str) -> Error {
    let data_type = type_name(data_type);
    Error::new(
        Code::NumericOutOfRange,
        format!("value {value} is out of range for type {data_type}"),
    )
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn exhausted(what: &str) -> Error {
    if what.contains("disk space") || what.contains("temp_directory") {
        return Error::new(Code::OutOfSpillSpace, lower(what))
            .with_hint("the query needs more spill space than engine.spill_limit allows");
    }
    Error::new(Code::OutOfMemory, lower(what))
        .with_hint("filter earlier, select fewer columns, or raise engine.memory_limit")
}

/// Functions that are called with OVER only. Without it, the engine does not find them.
const WINDOW_FUNCTIONS: [&str; 8] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
];

fn from_plan(what: &str) -> Error {
    // The engine's last check shows the plan, with the files that it reads and what is below views.
    if what.starts_with("Plan: ") {
        return Error::internal("the engine made a plan of this query that it cannot run")
            .with_hint("an administrator finds more in the server's log, by the query's id")
            .caused_by(&Error::internal(what.to_owned()));
    }
    if let Some(name) = what
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"))
    {
        // The catalog's name is always the same: what the user wrote follows it.
        let name = match name.splitn(3, '.').collect::<Vec<_>>().as_slice() {
            [_, UNQUALIFIED, table] => (*table).to_owned(),
            [_, database, table] => format!("{database}.{table}"),
            _ => name.to_owned(),
        };
        return table_not_found(&name);
    }
    if what.contains("require unique expression names") {
        let name = what.split('"').nth(1).unwrap_or_default();
        return named_twice(name);
    }
    if let Some(rest) = what.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or_default();
        if WINDOW_FUNCTIONS.contains(&name) {
            return Error::new(
                Code::WrongObjectType,
                format!("window function {name} requires an OVER clause"),
            );
        }
        return Error::new(
            Code::FunctionNotFound,
            format!("function {name} does not exist"),
        )
        .with_hint(
            rest.split_once(".\n")
                .map(|(_, hint)| hint.to_owned())
                .unwrap_or_default(),
        );
    }
    let fault = what.split_once("Internal error: ");
    if let Some(error) = fault.and_then(|(_, fault)| other_arguments(fault)) {
        return error;
    }
    let message = wording::of_plan(what);
    if let Some(error) = planner::refused(&message) {
        return error;
    }
    let message = match message.starts_with(wording::NO_OPERATOR) {
        true => message,
        false => lower(&message),
    };
    Error::new(Code::InvalidQuery, message)
}

/// Whether the optimizer could not turn a subquery into a join, so the plan cannot run.
fn is_subquery_left_over(what: &str) -> bool {
    what.strip_prefix("Physical plan does not support logical expression ")
        .is_some_and(|rest| {
            [
                "OuterReferenceColumn",
                "ScalarSubquery",
                "Exists",
                "InSubquery",
                "SetComparison",
            ]
            .iter()
            .any(|kind| rest.starts_with(kind))
        })
}

/// A call with arguments that its function does not accept, which the engine reports as internal.
fn other_arguments(fault: &str) -> Option<Error> {
    let (name, rest) = fault.strip_prefix("Function '")?.split_once('\'')?;
    rest.starts_with(" failed to match any signature").then(|| {
        Error::new(
            Code::FunctionNotFound,
            format!("function {name} does not take arguments of these types, or as many"),
        )
        .with_hint(format!(
            "cast the arguments; SHOW FUNCTIONS LIKE '{name}' lists what it takes"
        ))
    })
}

/// A BETWEEN of values of types that cannot be compared, which the engine reports as internal.
fn other_bounds(fault: &str) -> Option<Error> {
    let rest = fault.split_once("Failed to coerce types ")?.1;
    let (types, _) = rest.split_once(" in BETWEEN expression")?;
    let (value, bound) = types.split_once(" and ")?;
    let message = format!("operator does not exist: {value} BETWEEN {bound}");
    let error = Error::new(Code::FunctionNotFound, wording::of_types(&message));
    Some(error.with_hint("cast the bounds to the type of the value"))
}

/// Message style: lower case at the start, no full stop at the end.
fn lower(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
