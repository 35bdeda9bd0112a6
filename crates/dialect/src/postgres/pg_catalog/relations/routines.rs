//! Functions, their parameters, and collations, as `information_schema` has them.

use super::Input;
use super::server::{Function, functions};
use crate::postgres::Cell;
use crate::postgres::pg_catalog::data::{PG_COLLATION, PG_PROC, StaticRow};
use crate::postgres::pg_catalog::{oids, types};

type Value<'a> = Option<Cell<'a>>;

/// The bytes of a name without the zero at its end.
const NAME_BYTES: usize = 63;

/// The type `any`.
const ANY: i64 = 2276;

fn yes_no(value: bool) -> Cell<'static> {
    Cell::text(if value { "YES" } else { "NO" })
}

/// Returns the name of a function that no other one has.
fn specific_name(name: &str, oid: i64) -> String {
    let number = format!("_{oid}");
    let room = NAME_BYTES.saturating_sub(number.len());
    let name = name.get(..name.floor_char_boundary(room));
    format!("{}{number}", name.unwrap_or_default())
}

/// Returns what the standard calls a type.
fn data_type(oid: i64) -> String {
    match types::by_oid(oid) {
        Some(found) if found.element != 0 && found.len == -1 => "ARRAY".to_owned(),
        Some(found) if found.namespace != oids::PG_CATALOG => "USER-DEFINED".to_owned(),
        _ => types::format_type(oid, None),
    }
}

fn type_schema(oid: i64) -> &'static str {
    match types::by_oid(oid) {
        Some(found) if found.namespace == oids::INFORMATION_SCHEMA => "information_schema",
        _ => "pg_catalog",
    }
}

fn type_name(oid: i64) -> Cell<'static> {
    types::by_oid(oid).map_or(Cell::Null, |found| Cell::text(found.name))
}

/// Returns the functions of the session.
pub(crate) fn routines(input: &Input) -> Vec<Function<'_>> {
    functions(input)
}

pub(crate) fn routine<'a>(input: &'a Input, row: &Function<'a>, column: &str) -> Value<'a> {
    let (oid, name, kind, returns) = match row {
        Function::Fixed(row) => (
            PG_PROC.int(row, "oid"),
            PG_PROC.text(row, "proname"),
            PG_PROC.text(row, "prokind"),
            PG_PROC.int(row, "prorettype"),
        ),
        Function::Engine(name, kind) => (oids::function(name), *name, *kind, ANY),
    };
    let says = |column: &str, value: &str| match row {
        Function::Fixed(row) => PG_PROC.text(row, column) == value,
        Function::Engine(..) => false,
    };
    Some(match column {
        "specific_catalog" | "routine_catalog" | "type_udt_catalog" => {
            Cell::text(input.session.database.as_str())
        }
        "specific_schema" | "routine_schema" => Cell::text("pg_catalog"),
        "specific_name" => Cell::text(specific_name(name, oid)),
        "routine_name" => Cell::text(name),
        "routine_type" if kind == "f" => Cell::text("FUNCTION"),
        "data_type" => Cell::text(data_type(returns)),
        "type_udt_schema" => Cell::text(type_schema(returns)),
        "type_udt_name" => type_name(returns),
        "dtd_identifier" => Cell::text("0"),
        "routine_body" => Cell::text("EXTERNAL"),
        "external_language" => Cell::text("INTERNAL"),
        "parameter_style" => Cell::text("GENERAL"),
        "is_deterministic" => yes_no(says("provolatile", "i")),
        "sql_data_access" => Cell::text("MODIFIES"),
        "is_null_call" => yes_no(says("proisstrict", "t")),
        "schema_level_routine" => yes_no(true),
        "max_dynamic_result_sets" => Cell::Int(0),
        "security_type" => Cell::text("INVOKER"),
        "as_locator" | "is_udt_dependent" => yes_no(false),
        _ => Cell::Null,
    })
}

/// A parameter of a function of PostgreSQL's.
pub(crate) struct Parameter {
    function: &'static StaticRow,
    /// From 1.
    place: i64,
    mode: &'static str,
    name: &'static str,
    data_type: i64,
}

/// Returns the parameters of the functions whose parameters are known.
pub(crate) fn parameters() -> Vec<Parameter> {
    PG_PROC.rows.iter().flat_map(parameters_of).collect()
}

fn parameters_of(function: &'static StaticRow) -> Vec<Parameter> {
    let items = |column: &str| match PG_PROC.text(function, column) {
        "\\N" => Vec::new(),
        text => text.split(',').collect::<Vec<&'static str>>(),
    };
    let (modes, names) = (items("proargmodes"), items("proargnames"));
    let mut all = items("proallargtypes");
    if all.is_empty() {
        let types = PG_PROC.text(function, "proargtypes").split_whitespace();
        all = types.collect();
    }
    let parameters = all.into_iter().zip(1..).enumerate();
    let parameters = parameters.map(|(index, (oid, place))| Parameter {
        function,
        place,
        mode: match modes.get(index) {
            Some(&("o" | "t")) => "OUT",
            Some(&"b") => "INOUT",
            _ => "IN",
        },
        name: names.get(index).copied().unwrap_or_default(),
        data_type: oid.parse().unwrap_or(0),
    });
    parameters.collect()
}

pub(crate) fn parameter<'a>(input: &'a Input, row: &Parameter, column: &str) -> Value<'a> {
    Some(match column {
        "specific_catalog" | "udt_catalog" => Cell::text(input.session.database.as_str()),
        "specific_schema" => Cell::text("pg_catalog"),
        "specific_name" => {
            let name = PG_PROC.text(row.function, "proname");
            Cell::text(specific_name(name, PG_PROC.int(row.function, "oid")))
        }
        "ordinal_position" => Cell::Int(row.place),
        "parameter_mode" => Cell::text(row.mode),
        "is_result" | "as_locator" => yes_no(false),
        "parameter_name" if !row.name.is_empty() => Cell::text(row.name),
        "data_type" => Cell::text(data_type(row.data_type)),
        "udt_schema" => Cell::text(type_schema(row.data_type)),
        "udt_name" => type_name(row.data_type),
        "dtd_identifier" => Cell::text(row.place.to_string()),
        _ => Cell::Null,
    })
}

/// Returns the collations.
pub(crate) fn collations() -> Vec<&'static str> {
    let rows = PG_COLLATION.rows.iter();
    rows.map(|row| PG_COLLATION.text(row, "collname")).collect()
}

/// Returns a value of a collation, or of the character set that it is for.
pub(crate) fn collation<'a>(input: &'a Input, name: &&'static str, column: &str) -> Value<'a> {
    Some(match column {
        "collation_catalog" => Cell::text(input.session.database.as_str()),
        "collation_schema" => Cell::text("pg_catalog"),
        "collation_name" => Cell::text(*name),
        "pad_attribute" => Cell::text("NO PAD"),
        "character_set_name" => Cell::text("UTF8"),
        _ => Cell::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions_have_their_numbers() {
        assert_eq!(specific_name("lower", 870), "lower_870");
        let long = "é".repeat(40);
        assert_eq!(specific_name(&long, 870), format!("{}_870", "é".repeat(29)));
    }

    #[test]
    fn parameters_have_modes_and_names() {
        let all = parameters();
        let of = |oid: i64| -> Vec<(i64, &str, &str, i64)> {
            let all = all.iter();
            let of = all.filter(|row| PG_PROC.int(row.function, "oid") == oid);
            of.map(|row| (row.place, row.mode, row.name, row.data_type))
                .collect()
        };
        assert_eq!(of(870), [(1, "IN", "", 25)]);
        assert!(of(1299).is_empty());
        assert_eq!(
            of(3958),
            [
                (1, "IN", "from_json", 114),
                (2, "OUT", "key", 25),
                (3, "OUT", "value", 114)
            ]
        );
    }

    #[test]
    fn types_have_names_of_the_standard() {
        assert_eq!(data_type(23), "integer");
        assert_eq!(data_type(1007), "ARRAY");
        assert_eq!(data_type(13_225), "ARRAY");
        assert_eq!(data_type(13_221), "USER-DEFINED");
        assert_eq!(type_schema(13_221), "information_schema");
        assert_eq!(type_schema(23), "pg_catalog");
    }
}
