//! PostgreSQL's names of types in CREATE TABLE, as drivers and tools write them.

use lakegate_error::{Code, Error, Result};

/// `numeric` without a precision: as wide as decimals are, with half of the digits behind the point.
const NUMERIC: &str = "decimal(38,18)";

/// The names of Hive's types.
const HIVE: [&str; 22] = [
    "array",
    "bigint",
    "binary",
    "boolean",
    "char",
    "date",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "long",
    "map",
    "numeric",
    "real",
    "smallint",
    "string",
    "struct",
    "timestamp",
    "tinyint",
    "varchar",
];

/// Returns the Hive type that holds the values of a type of PostgreSQL. Hive's own types stay as they
/// are.
///
/// # Errors
///
/// A type of PostgreSQL that no column of a table has; a name of no type.
pub(super) fn hive_type(column: &str, text: &str) -> Result<String> {
    if let Some(item) = text
        .strip_prefix("array<")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        return Ok(format!("array<{}>", hive_type(column, item)?));
    }
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.split_once(')')),
        None => (text, None),
    };
    let number = arguments.map(|(number, _)| number);
    let refused = |remedy: &str| {
        let shown = text.replace('"', "");
        Err(Error::new(
            Code::InvalidTable,
            format!("column \"{column}\" is of type {shown}, which no column of a table has"),
        )
        .with_hint(format!("use {remedy}")))
    };
    let known = match name {
        "text" | "json" | "jsonb" | "uuid" | "name" | "citext" | "bpchar" => "string",
        "varchar" if number.is_none() => "string",
        "char" if number.is_none() => "char(1)",
        "bytea" => "binary",
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "int",
        "int8" => "bigint",
        "float4" => "float",
        "float8" => "double",
        // PostgreSQL's FLOAT has the digits of a double unless fewer are named.
        "float" => match number.and_then(|number| number.parse::<u8>().ok()) {
            Some(1..=24) => "float",
            _ => "double",
        },
        "numeric" | "decimal" | "dec" if number.is_none() => NUMERIC,
        "timestamp" if arguments.is_some_and(|(_, zone)| zone.contains("with time zone")) => {
            return refused("timestamp, with the times in UTC");
        }
        "timestamp" | "timestamp without time zone" => "timestamp",
        "timestamptz" | "timestamp with time zone" | "timestamp with local time zone" => {
            return refused("timestamp, with the times in UTC");
        }
        "time" | "time with time zone" | "time without time zone" | "timetz" | "interval" => {
            return refused("text, or a number of seconds");
        }
        "money" => return refused("numeric(p, s)"),
        "oid" => return refused("bigint"),
        "bit" | "cidr" | "inet" | "macaddr" | "macaddr8" | "point" | "tsquery" | "tsvector"
        | "varbit" | "xml" => return refused("text"),
        "box" | "circle" | "line" | "lseg" | "path" | "pg_snapshot" | "polygon" | "refcursor"
        | "txid_snapshot" => return refused("text"),
        "daterange" | "int4range" | "int8range" | "numrange" | "tsrange" | "tstzrange" => {
            return refused("two columns, or text");
        }
        "serial" | "bigserial" | "smallserial" | "serial4" | "serial8" | "serial2" => {
            return refused("bigint, and send the numbers");
        }
        _ if !HIVE.contains(&name.split('<').next().unwrap_or_default()) => {
            let shown = name.replace('"', "");
            return Err(Error::new(
                Code::UndefinedObject,
                format!("column \"{column}\": type \"{shown}\" does not exist"),
            )
            .with_hint("use boolean, smallint, integer, bigint, real, double precision, numeric(p, s), text, varchar(n), char(n), bytea, date, timestamp, or an array of these"));
        }
        _ => return Ok(text.to_owned()),
    };
    Ok(known.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_of_postgres_have_a_hive_type() {
        for (postgres, hive) in [
            ("text", "string"),
            ("varchar", "string"),
            ("varchar(10)", "varchar(10)"),
            ("int8", "bigint"),
            ("float(53)", "double"),
            ("float(24)", "float"),
            ("float", "double"),
            ("double", "double"),
            ("numeric", "decimal(38,18)"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("timestamp without time zone", "timestamp"),
            ("timestamp(6) without time zone", "timestamp"),
            ("timestamp(3)", "timestamp"),
            ("array<text>", "array<string>"),
            ("map<string,int>", "map<string,int>"),
            ("struct<a:decimal(10,2)>", "struct<a:decimal(10,2)>"),
            ("decimal(10,2)", "decimal(10,2)"),
            ("char(2)", "char(2)"),
            ("string", "string"),
            ("bytea", "binary"),
        ] {
            assert_eq!(hive_type("c", postgres).unwrap(), hive, "{postgres}");
        }
        for postgres in [
            "timestamptz",
            "timestamp with time zone",
            "timestamp(6) with time zone",
            "interval",
            "serial",
            "array<timestamptz>",
            "time without time zone",
            "time(6) without time zone",
            "inet",
            "circle",
            "daterange",
        ] {
            let error = hive_type("c", postgres).unwrap_err();
            assert_eq!(error.code(), Code::InvalidTable, "{postgres}");
            assert!(
                error.message().contains("column \"c\" is of type"),
                "{error}"
            );
        }
        for unknown in ["txt", "array<txt>", "txt(3)", "set<int>"] {
            let error = hive_type("c", unknown).unwrap_err();
            assert_eq!(error.code(), Code::UndefinedObject, "{unknown}");
        }
    }
}
