//! Functions of tables and sequences.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Value};
use lakegate_error::{Code, Error};

use super::super::build::{self, cast};
use super::super::casts;
use super::text_of;

/// Returns the replacement of a call; `None` if it stays unchanged, or is not about tables or
/// sequences.
///
/// # Errors
///
/// There is no such object.
pub(super) fn call(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    Ok(match (name, args) {
        ("nextval" | "currval", [sequence]) | ("setval", [sequence, _] | [sequence, _, _]) => {
            return Err(no_sequence(sequence));
        }
        ("regclass", [x]) => Some(relation(x)?),
        (
            "pg_get_serial_sequence"
            | "pg_indexes_size"
            | "pg_partition_root"
            | "pg_relation_filenode"
            | "pg_relation_filepath"
            | "pg_relation_size"
            | "pg_table_size"
            | "pg_total_relation_size",
            [name_of_table, others @ ..],
        ) if text_of(name_of_table).is_some() => {
            let args = std::iter::once(relation(name_of_table)?).chain(others.iter().cloned());
            Some(build::call(name, args.collect()))
        }
        _ => None,
    })
}

/// Returns the relation that a text names.
///
/// # Errors
///
/// A literal is not of the type.
fn relation(name: &Expr) -> Result<Expr, Error> {
    let mut relation = cast(name.clone(), DataType::Regclass);
    casts::rewrite(&mut relation)?;
    Ok(relation)
}

/// Returns PostgreSQL's error for a sequence that does not exist.
fn no_sequence(name: &Expr) -> Error {
    let mut named = name;
    while let Expr::Cast { expr: inner, .. } | Expr::Nested(inner) = named {
        named = inner;
    }
    let message = match named {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(name) => format!("relation \"{name}\" does not exist"),
            _ => "there are no sequences".to_owned(),
        },
        _ => "there are no sequences".to_owned(),
    };
    Error::new(Code::TableNotFound, message).with_hint(
        "there are no sequences: gen_random_uuid() makes keys, row_number() OVER () counts rows",
    )
}
