//! Functions of the catalog, by name, by signature and by number.
//!
//! ```text
//! 'now'::regproc                   the only function of the name
//! 'generate_series'::regproc       an error: there are several
//! 1067::regproc                    pg_catalog.generate_series: the name alone means several
//! 'lower(text)'::regprocedure      the function with these types of arguments
//! ```

use std::collections::HashMap;
use std::sync::LazyLock;

use lakegate_error::{Code, Error};

use crate::postgres::pg_catalog::data::{PG_PROC, StaticRow};
use crate::postgres::pg_catalog::{made, oids, types};
use crate::postgres::{quote_ident, split_name};

struct Procedures {
    by_oid: HashMap<i64, &'static StaticRow>,
    by_name: HashMap<&'static str, Vec<&'static StaticRow>>,
}

static PROCEDURES: LazyLock<Procedures> = LazyLock::new(|| {
    let mut by_name: HashMap<&str, Vec<&StaticRow>> = HashMap::new();
    for row in &PG_PROC.rows {
        let name = PG_PROC.text(row, "proname");
        by_name.entry(name).or_default().push(row);
    }
    let rows = PG_PROC.rows.iter();
    Procedures {
        by_oid: rows.map(|row| (PG_PROC.int(row, "oid"), row)).collect(),
        by_name,
    }
});

/// Returns the row of a function.
pub(super) fn by_oid(oid: i64) -> Option<&'static StaticRow> {
    PROCEDURES.by_oid.get(&oid).copied()
}

fn of_name(name: &str) -> &'static [&'static StaticRow] {
    let found = PROCEDURES.by_name.get(name);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// Returns the last part of a name without a schema, or in `pg_catalog`.
///
/// # Errors
///
/// It is not a name.
pub(super) fn own_part(name: &str) -> Result<Option<String>, Error> {
    let parts = split_name(name).ok_or_else(|| no_name(name))?;
    Ok(match parts.as_slice() {
        [name] => Some(name.clone()),
        [schema, name] if schema == "pg_catalog" => Some(name.clone()),
        _ => None,
    })
}

/// Builds the error for a text that is not a name.
pub(super) fn no_name(text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    Error::new(Code::InvalidName, "invalid name syntax")
        .with_detail(format!("the text is \"{shown}\""))
}

fn missing(name: &str) -> Error {
    let message = format!("function \"{name}\" does not exist");
    Error::new(Code::FunctionNotFound, message)
}

/// Returns the number of the only function of a name.
///
/// # Errors
///
/// The name is none of a function, or of several.
pub(super) fn named(name: &str) -> Result<i64, Error> {
    let own = own_part(name)?.ok_or_else(|| missing(name))?;
    match of_name(&own) {
        [row] => Ok(PG_PROC.int(row, "oid")),
        [] => {
            let is_known =
                lakegate_functions::is_function(&own) || made::names().any(|made| made == own);
            match is_known {
                true => Ok(oids::function(&own)),
                false => Err(missing(name)),
            }
        }
        _ => Err(Error::new(
            Code::AmbiguousFunction,
            format!("more than one function named \"{name}\""),
        )),
    }
}

/// Divides a name and the types in parentheses behind it.
///
/// # Errors
///
/// It has no parentheses.
pub(super) fn name_and_types(text: &str) -> Result<(&str, Vec<&str>), Error> {
    let (name, types) = text.split_once('(').ok_or_else(|| expected("left"))?;
    let types = types
        .trim_end()
        .strip_suffix(')')
        .ok_or_else(|| expected("right"))?;
    let mut all = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (place, c) in types.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.extend(types.get(start..place));
                start = place + 1;
            }
            _ => {}
        }
    }
    all.extend(types.get(start..));
    let all: Vec<&str> = all.into_iter().map(str::trim).collect();
    match all.as_slice() {
        [""] => Ok((name, Vec::new())),
        all if all.iter().any(|name| name.is_empty()) => {
            Err(Error::new(Code::InvalidCast, "expected a type name"))
        }
        _ => Ok((name, all)),
    }
}

fn expected(side: &str) -> Error {
    Error::new(Code::InvalidCast, format!("expected a {side} parenthesis"))
        .with_hint("write the types of the arguments: lower(text)")
}

/// Returns the number of the function with these types of arguments: `lower(text)`.
///
/// # Errors
///
/// There is none, or a type does not exist.
pub(super) fn with_arguments(signature: &str) -> Result<i64, Error> {
    let (name, arguments) = name_and_types(signature)?;
    let types: Vec<String> = arguments
        .into_iter()
        .map(|argument| Ok(type_of(argument)?.to_string()))
        .collect::<Result<_, Error>>()?;
    let types = types.join(" ");
    let own = own_part(name)?.ok_or_else(|| missing(signature))?;
    let mut rows = of_name(&own).iter();
    let found = rows.find(|row| PG_PROC.text(row, "proargtypes") == types);
    let found = found.ok_or_else(|| missing(signature))?;
    Ok(PG_PROC.int(found, "oid"))
}

/// Returns the number of a type.
///
/// # Errors
///
/// There is no such type.
pub(super) fn type_of(name: &str) -> Result<i64, Error> {
    let found = types::parse_name(name).map(|found| found.oid);
    found.ok_or_else(|| {
        let message = format!("type \"{name}\" does not exist");
        Error::new(Code::UndefinedObject, message)
    })
}

/// Returns the name of a function, with its schema if others have the name too.
pub(super) fn name(oid: i64) -> Option<String> {
    let name = PG_PROC.text(by_oid(oid)?, "proname");
    Some(match of_name(name) {
        [_] => quote_ident(name),
        _ => format!("pg_catalog.{}", quote_ident(name)),
    })
}

/// Returns the types of a function's arguments, divided by this text.
fn types_of_arguments(row: &StaticRow, between: &str) -> String {
    let types = PG_PROC.text(row, "proargtypes").split_whitespace();
    let types: Vec<String> = types
        .map(|oid| types::format_type(oid.parse().unwrap_or(0), None))
        .collect();
    types.join(between)
}

/// Returns a function with the types of its arguments.
pub(super) fn signature(oid: i64) -> Option<String> {
    let row = by_oid(oid)?;
    let name = quote_ident(PG_PROC.text(row, "proname"));
    Some(format!("{name}({})", types_of_arguments(row, ",")))
}

/// Returns the statement that would make a function; `None` if there is no such function.
///
/// # Errors
///
/// It is an aggregate function.
pub(super) fn definition(oid: i64) -> Result<Option<String>, Error> {
    let Some(row) = by_oid(oid) else {
        return Ok(None);
    };
    let text = |column| PG_PROC.text(row, column);
    if text("prokind") == "a" {
        let message = format!("\"{}\" is an aggregate function", text("proname"));
        return Err(Error::new(Code::WrongObjectType, message));
    }
    let volatility = match text("provolatile") {
        "i" => " IMMUTABLE",
        "s" => " STABLE",
        _ => "",
    };
    let parallel = match text("proparallel") {
        "s" => " PARALLEL SAFE",
        "r" => " PARALLEL RESTRICTED",
        _ => "",
    };
    let strict = match text("proisstrict") {
        "t" => " STRICT",
        _ => "",
    };
    let leakproof = match text("proleakproof") {
        "t" => " LEAKPROOF",
        _ => "",
    };
    let window = match text("prokind") {
        "w" => " WINDOW",
        _ => "",
    };
    // Costs and rows that differ from those of the language.
    let cost = match text("procost") {
        "1" => String::new(),
        cost => format!(" COST {cost}"),
    };
    let rows = match text("prorows") {
        "0" | "1000" => String::new(),
        rows => format!(" ROWS {rows}"),
    };
    let support = match by_oid(PG_PROC.int(row, "prosupport")) {
        Some(support) => format!(" SUPPORT {}", PG_PROC.text(support, "proname")),
        None => String::new(),
    };
    let options = format!("{window}{volatility}{parallel}{strict}{leakproof}{cost}{rows}{support}");
    let options = match options.is_empty() {
        true => String::new(),
        false => format!("{options}\n"),
    };
    let source = text("prosrc");
    Ok(Some(format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.{}({})\n RETURNS {}\n LANGUAGE internal\n{options}AS $function${source}$function$\n",
        quote_ident(text("proname")),
        text("arguments"),
        text("result"),
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_of_one_function_have_its_number() {
        assert_eq!(named("now").unwrap(), 1299);
        assert_eq!(named(" pg_catalog . NOW ").unwrap(), 1299);
        for (text, code) in [
            ("initcap", None),
            ("lower", Some(Code::AmbiguousFunction)),
            ("generate_series", Some(Code::AmbiguousFunction)),
            ("nosuch", Some(Code::FunctionNotFound)),
            ("curated.now", Some(Code::FunctionNotFound)),
            ("now()", Some(Code::FunctionNotFound)),
            ("", Some(Code::InvalidName)),
            ("\"now", Some(Code::InvalidName)),
        ] {
            assert_eq!(named(text).err().map(|error| error.code()), code, "{text}");
        }
        // A function of Trino's has no number of PostgreSQL's.
        assert!(named("url_encode").unwrap() >= 20_000);
    }

    #[test]
    fn signatures_have_types() {
        assert_eq!(with_arguments("lower(text)").unwrap(), 870);
        assert_eq!(with_arguments("pg_catalog.lower( text )").unwrap(), 870);
        assert_eq!(with_arguments("now()").unwrap(), 1299);
        assert_eq!(
            name_and_types("f(numeric(10,2), int)").unwrap(),
            ("f", vec!["numeric(10,2)", "int"])
        );
        for (text, code) in [
            ("lower", Code::InvalidCast),
            ("lower(text", Code::InvalidCast),
            ("lower(nosuch)", Code::UndefinedObject),
            ("lower(integer)", Code::FunctionNotFound),
            ("nosuch(text)", Code::FunctionNotFound),
            ("(text)", Code::InvalidName),
            ("lower(text,)", Code::InvalidCast),
        ] {
            assert_eq!(with_arguments(text).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn names_are_qualified_where_several_functions_have_them() {
        assert_eq!(name(1299).as_deref(), Some("now"));
        assert_eq!(name(1067).as_deref(), Some("pg_catalog.generate_series"));
        assert_eq!(name(0), None);
        assert_eq!(
            signature(1066).as_deref(),
            Some("generate_series(integer,integer,integer)")
        );
    }

    #[test]
    fn definitions_are_those_of_postgresql() {
        for (signature, expected) in [
            (
                "lower(text)",
                "CREATE OR REPLACE FUNCTION pg_catalog.lower(text)\n RETURNS text\n LANGUAGE internal\n IMMUTABLE PARALLEL SAFE STRICT\nAS $function$lower$function$\n",
            ),
            (
                "generate_series(int,int)",
                "CREATE OR REPLACE FUNCTION pg_catalog.generate_series(integer, integer)\n RETURNS SETOF integer\n LANGUAGE internal\n IMMUTABLE PARALLEL SAFE STRICT SUPPORT generate_series_int4_support\nAS $function$generate_series_int4$function$\n",
            ),
            (
                "json_each(json)",
                "CREATE OR REPLACE FUNCTION pg_catalog.json_each(from_json json, OUT key text, OUT value json)\n RETURNS SETOF record\n LANGUAGE internal\n IMMUTABLE PARALLEL SAFE STRICT ROWS 100\nAS $function$json_each$function$\n",
            ),
        ] {
            let oid = with_arguments(signature).unwrap();
            assert_eq!(definition(oid).unwrap().as_deref(), Some(expected));
        }
        assert_eq!(definition(i64::MAX).unwrap(), None);
        let count = with_arguments("count()").unwrap();
        let error = definition(count).unwrap_err();
        assert_eq!(error.code(), Code::WrongObjectType);
    }
}
