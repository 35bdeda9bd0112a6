//! The server itself: its one database, settings and functions.

use super::Input;
use crate::postgres::pg_catalog::data::{PG_PROC, StaticRow};
use crate::postgres::pg_catalog::oids;
use crate::postgres::session::PERMANENT_TRANSACTION;
use crate::postgres::{Cell, ShownSetting};

type Value<'a> = Option<Cell<'a>>;

/// `pg_enc2name`'s number of UTF8.
const UTF8: i64 = 6;

pub(super) fn pg_database<'a>(input: &'a Input, column: &str) -> Value<'a> {
    Some(match column {
        "oid" => Cell::Int(oids::DATABASE),
        "datname" => Cell::text(input.session.database.as_str()),
        "datdba" => Cell::Int(oids::OWNER),
        "encoding" => Cell::Int(UTF8),
        "datlocprovider" => Cell::text("c"),
        "datallowconn" => Cell::Bool(true),
        "datconnlimit" => Cell::Int(-1),
        "dattablespace" => Cell::Int(oids::TABLESPACE),
        "datcollate" | "datctype" => Cell::text("C"),
        // No transaction ids are used up: the oldest is the current one.
        "datfrozenxid" => Cell::Int(input.session.transaction),
        "datminmxid" => Cell::Int(PERMANENT_TRANSACTION),
        _ => return None,
    })
}

pub(super) fn pg_stat_database<'a>(input: &'a Input, column: &str) -> Value<'a> {
    Some(match column {
        "datid" => Cell::Int(oids::DATABASE),
        "datname" => Cell::text(input.session.database.as_str()),
        "numbackends" => Cell::Int(i64::try_from(input.catalog.activity.len()).unwrap_or(0)),
        // Pages of tables have no checksums here.
        "checksum_failures" => return None,
        _ => return counter(column),
    })
}

/// Returns the value of a column of statistics: 0, because nothing is counted here, but NULL for
/// times and names.
pub(super) fn counter(column: &str) -> Value<'static> {
    let is_of_an_event = column.starts_with("last_")
        || column.starts_with("stats_reset")
        || column.ends_with("_last_failure");
    (!is_of_an_event).then_some(Cell::Int(0))
}

/// Returns the value of a column of statistics of the whole server, which begin with its start.
pub(super) fn server_counter(input: &Input, column: &str) -> Value<'static> {
    match column {
        "stats_reset" => Some(Cell::Timestamp(input.session.server_start)),
        _ => counter(column),
    }
}

/// Returns the settings of the session that runs the query.
pub(super) fn settings(input: &Input) -> Vec<ShownSetting> {
    input.session.settings.all()
}

fn bound(row: &ShownSetting, of: fn(&(String, String)) -> &String) -> Cell<'static> {
    let range = row.range.as_ref();
    range.map_or(Cell::Null, |range| Cell::text(of(range).clone()))
}

pub(super) fn pg_settings(row: &ShownSetting, column: &str) -> Value<'static> {
    let value = |value: &str| Cell::text(row.in_unit(value));
    Some(match column {
        "name" => Cell::text(row.name),
        "setting" => value(&row.value),
        "boot_val" => value(row.default),
        "reset_val" => value(&row.reset_value),
        "unit" => Cell::optional_text(row.unit),
        "category" => Cell::text("Lakegate"),
        "short_desc" => Cell::text(row.description),
        "context" => Cell::text(row.context),
        "vartype" => Cell::text(row.var_type),
        "min_val" => bound(row, |(least, _)| least),
        "max_val" => bound(row, |(_, greatest)| greatest),
        "enumvals" => row
            .choices
            .map_or(Cell::Null, |choices| Cell::texts(choices.iter().copied())),
        "source" => Cell::text(if row.value == row.default {
            "default"
        } else {
            "session"
        }),
        _ => return None,
    })
}

/// A function: one of Postgres' own, or one of the engine's.
pub(crate) enum Function<'a> {
    Fixed(&'static StaticRow),
    Engine(&'a str, &'static str),
}

pub(super) fn functions(input: &Input) -> Vec<Function<'_>> {
    let fixed: std::collections::HashSet<&str> = PG_PROC
        .rows
        .iter()
        .map(|row| PG_PROC.text(row, "proname"))
        .collect();
    let engine = input
        .functions
        .iter()
        .filter(|(name, _)| !fixed.contains(name.as_str()))
        .map(|(name, kind)| Function::Engine(name, kind));
    PG_PROC
        .rows
        .iter()
        .map(Function::Fixed)
        .chain(engine)
        .collect()
}

/// The type `any`: argument and result types of a function are resolved per call.
const ANY: i64 = 2276;

/// `pg_type`: the type of the column.
pub(super) fn pg_proc<'a>(row: &Function<'a>, column: &str, pg_type: &str) -> Value<'a> {
    match (row, column) {
        (_, "pronamespace") => Some(Cell::Int(oids::PG_CATALOG)),
        (_, "proowner") => Some(Cell::Int(oids::OWNER)),
        (Function::Fixed(row), _) => PG_PROC.cell(row, column, pg_type),
        (Function::Engine(name, kind), _) => Some(match column {
            "oid" => Cell::Int(oids::function(name)),
            "proname" => Cell::text(*name),
            "prolang" => Cell::Int(12),
            "procost" => Cell::Float(1.0),
            "prorows" => Cell::Float(0.0),
            "prokind" => Cell::text(*kind),
            "provolatile" | "proparallel" => Cell::text("s"),
            "prorettype" => Cell::Int(ANY),
            "proargtypes" => Cell::List(vec![]),
            "prosrc" => Cell::text(*name),
            _ => return None,
        }),
    }
}
