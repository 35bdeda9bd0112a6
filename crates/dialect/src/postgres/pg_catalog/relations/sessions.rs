//! The sessions that the principal may know of, and how their connections are encrypted.

use super::Input;
use crate::postgres::Cell;
use crate::postgres::pg_catalog::oids;
use crate::visible::Backend;

type Value<'a> = Option<Cell<'a>>;

pub(super) fn pg_stat_activity<'a>(input: &'a Input, row: &&'a Backend, column: &str) -> Value<'a> {
    let time = |micros: Option<i64>| micros.map_or(Cell::Null, Cell::Timestamp);
    let role = || {
        input
            .catalog
            .roles
            .iter()
            .find(|role| role.name == row.user)
    };
    Some(match column {
        "datid" => Cell::Int(oids::DATABASE),
        "datname" => Cell::text(input.session.database.as_str()),
        "pid" => Cell::Int(i64::from(row.pid)),
        "leader_pid" | "backend_xid" | "backend_xmin" => Cell::Null,
        "usesysid" => role().map_or(Cell::Null, |role| Cell::Int(role.oid)),
        "usename" => Cell::text(row.user.as_str()),
        "application_name" => Cell::text(row.application.as_str()),
        "client_addr" => Cell::optional_text(row.client_addr.as_deref()),
        "client_port" => row
            .client_port
            .map_or(Cell::Null, |port| Cell::Int(i64::from(port))),
        "backend_start" => time(row.backend_start),
        "xact_start" => time(row.xact_start),
        "query_start" => time(row.query_start),
        "state_change" => time(row.state_change),
        "wait_event_type" => Cell::optional_text(row.waits_for.map(|(kind, _)| kind)),
        "wait_event" => Cell::optional_text(row.waits_for.map(|(_, event)| event)),
        "state" => Cell::text(row.state.as_str()),
        "query_id" => row.query_id.map_or(Cell::Null, Cell::Int),
        "query" => Cell::text(row.query.as_str()),
        "backend_type" => Cell::text("client backend"),
        _ => return None,
    })
}

pub(super) fn pg_stat_ssl<'a>(row: &&'a Backend, column: &str) -> Value<'a> {
    let encryption = row.encryption.as_ref();
    Some(match column {
        "pid" => Cell::Int(i64::from(row.pid)),
        "ssl" => Cell::Bool(encryption.is_some()),
        "version" => Cell::optional_text(encryption.map(|tls| tls.version.as_str())),
        "cipher" => Cell::optional_text(encryption.map(|tls| tls.cipher.as_str())),
        "bits" => encryption.map_or(Cell::Null, |tls| Cell::Int(i64::from(tls.bits))),
        _ => return None,
    })
}

/// Returns a session's row, which says that GSSAPI is not used: it is not supported.
pub(super) fn pg_stat_gssapi<'a>(row: &&'a Backend, column: &str) -> Value<'a> {
    match column {
        "pid" => Some(Cell::Int(i64::from(row.pid))),
        _ => None,
    }
}
