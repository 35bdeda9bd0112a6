//! Operators of the catalog, by name, by signature and by number.

use std::collections::HashMap;
use std::sync::LazyLock;

use lakegate_error::{Code, Error};

use super::procedures::{name_and_types, type_of};
use crate::postgres::pg_catalog::data::{PG_OPERATOR, StaticRow};
use crate::postgres::pg_catalog::types;

struct Operators {
    by_oid: HashMap<i64, &'static StaticRow>,
    by_name: HashMap<&'static str, Vec<&'static StaticRow>>,
}

static OPERATORS: LazyLock<Operators> = LazyLock::new(|| {
    let mut by_name: HashMap<&str, Vec<&StaticRow>> = HashMap::new();
    for row in &PG_OPERATOR.rows {
        let name = PG_OPERATOR.text(row, "oprname");
        by_name.entry(name).or_default().push(row);
    }
    let rows = PG_OPERATOR.rows.iter();
    Operators {
        by_oid: rows.map(|row| (PG_OPERATOR.int(row, "oid"), row)).collect(),
        by_name,
    }
});

fn of_name(name: &str) -> &'static [&'static StaticRow] {
    let found = OPERATORS.by_name.get(name);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// Returns an operator without its schema; `None` if it is one of another schema.
fn own_part(text: &str) -> Option<&str> {
    match text.trim().split_once('.') {
        None => Some(text.trim()),
        Some((schema, name)) => {
            let schema = schema.trim().trim_matches('"');
            schema
                .eq_ignore_ascii_case("pg_catalog")
                .then(|| name.trim())
        }
    }
}

fn missing(name: &str) -> Error {
    let message = format!("operator does not exist: {name}");
    Error::new(Code::FunctionNotFound, message)
}

/// Returns the number of the only operator of a name.
///
/// # Errors
///
/// The name is none of an operator, or of several.
pub(super) fn named(name: &str) -> Result<i64, Error> {
    match of_name(own_part(name).unwrap_or_default()) {
        [row] => Ok(PG_OPERATOR.int(row, "oid")),
        [] => Err(missing(name)),
        _ => Err(Error::new(
            Code::AmbiguousFunction,
            format!("more than one operator named {name}"),
        )),
    }
}

/// Returns the number of the operator with these types of operands: `+(integer,integer)`,
/// `-(NONE,integer)`.
///
/// # Errors
///
/// There is none, or a type does not exist.
pub(super) fn with_operands(signature: &str) -> Result<i64, Error> {
    let (name, operands) = name_and_types(signature)?;
    let operand = |text: &str| match text.eq_ignore_ascii_case("none") {
        true => Ok(0),
        false => type_of(text),
    };
    let [left, right] = operands.as_slice() else {
        let (code, message) = match operands.len() {
            0 | 1 => (Code::UndefinedParameter, "missing argument"),
            _ => (Code::InvalidParameter, "too many arguments"),
        };
        return Err(Error::new(code, message)
            .with_hint("write two types, NONE for a missing one: -(NONE,integer)"));
    };
    let (left, right) = (operand(left)?, operand(right)?);
    let mut rows = of_name(own_part(name).unwrap_or_default()).iter();
    let found = rows.find(|row| {
        PG_OPERATOR.int(row, "oprleft") == left && PG_OPERATOR.int(row, "oprright") == right
    });
    let found = found.ok_or_else(|| missing(signature))?;
    Ok(PG_OPERATOR.int(found, "oid"))
}

/// Returns the name of an operator, with its schema if others have the name too.
pub(super) fn name(oid: i64) -> Option<String> {
    let name = PG_OPERATOR.text(OPERATORS.by_oid.get(&oid)?, "oprname");
    Some(match of_name(name) {
        [_] => name.to_owned(),
        _ => format!("pg_catalog.{name}"),
    })
}

/// Returns the name of an operator and the numbers of the types of its operands; 0 for a missing one.
pub(super) fn parts(oid: i64) -> Option<(&'static str, [i64; 2])> {
    let row = OPERATORS.by_oid.get(&oid)?;
    let operand = |column| PG_OPERATOR.int(row, column);
    Some((
        PG_OPERATOR.text(row, "oprname"),
        [operand("oprleft"), operand("oprright")],
    ))
}

/// Returns an operator with the types of its operands: `=(integer,bigint)`.
pub(super) fn signature(oid: i64) -> Option<String> {
    let row = OPERATORS.by_oid.get(&oid)?;
    let operand = |column| match PG_OPERATOR.int(row, column) {
        0 => "NONE".to_owned(),
        oid => types::format_type(oid, None),
    };
    Some(format!(
        "{}({},{})",
        PG_OPERATOR.text(row, "oprname"),
        operand("oprleft"),
        operand("oprright")
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn operators_are_found_by_their_operands() {
        assert_eq!(with_operands("+(integer,integer)").unwrap(), 551);
        assert_eq!(with_operands("pg_catalog.+(int4, int4)").unwrap(), 551);
        assert_eq!(signature(551).as_deref(), Some("+(integer,integer)"));
        let negation = with_operands("-(none,integer)").unwrap();
        assert_eq!(signature(negation).as_deref(), Some("-(NONE,integer)"));
        for (text, code) in [
            ("+", Code::InvalidCast),
            ("+(integer)", Code::UndefinedParameter),
            ("+(integer,integer,integer)", Code::InvalidParameter),
            ("+(integer,nosuch)", Code::UndefinedObject),
            ("+(boolean,boolean)", Code::FunctionNotFound),
            ("curated.+(integer,integer)", Code::FunctionNotFound),
        ] {
            assert_eq!(with_operands(text).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn names_of_several_operators_are_ambiguous() {
        assert_eq!(named("+").unwrap_err().code(), Code::AmbiguousFunction);
        assert_eq!(named("@@@@").unwrap_err().code(), Code::FunctionNotFound);
        assert_eq!(name(96).as_deref(), Some("pg_catalog.="));
        assert_eq!(name(0), None);
        let only = named("^@").unwrap();
        assert_eq!(name(only).as_deref(), Some("^@"));
    }
}
