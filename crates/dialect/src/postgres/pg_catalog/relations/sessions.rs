//! The sessions that the principal may know of, how their connections are encrypted, and what the
//! own one keeps: prepared statements and cursors.

use arrow::datatypes::DataType;

use super::Input;
use crate::postgres::Cell;
use crate::postgres::pg_catalog::{oids, types};
use crate::visible::{Backend, OpenCursor, PreparedStatement};

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

pub(super) fn pg_prepared_statements<'a>(row: &&'a PreparedStatement, column: &str) -> Value<'a> {
    Some(match column {
        "name" => Cell::text(row.name.as_str()),
        "statement" => Cell::text(row.statement.as_str()),
        "prepare_time" => Cell::Timestamp(row.prepared_at),
        "parameter_types" => oids_of(&row.parameters),
        "result_types" => row.results.as_deref().map_or(Cell::Null, oids_of),
        "from_sql" => Cell::Bool(row.from_sql),
        _ => return None,
    })
}

fn oids_of(of: &[DataType]) -> Cell<'static> {
    let oids = of.iter().map(|data_type| types::of_arrow(data_type).oid);
    Cell::List(oids.map(Cell::Int).collect())
}

pub(super) fn pg_cursors<'a>(row: &&'a OpenCursor, column: &str) -> Value<'a> {
    Some(match column {
        "name" => Cell::text(row.name.as_str()),
        "statement" => Cell::text(row.statement.as_str()),
        "is_holdable" => Cell::Bool(row.hold),
        "is_binary" => Cell::Bool(row.binary),
        "is_scrollable" => Cell::Bool(row.scroll),
        "creation_time" => Cell::Timestamp(row.created_at),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn prepared_statements_have_the_oids_of_their_types() {
        let statement = PreparedStatement {
            name: "by_id".to_owned(),
            prepared_at: 7,
            parameters: vec![DataType::Int64, DataType::Utf8],
            from_sql: true,
            ..PreparedStatement::default()
        };
        let value = |column: &str| pg_prepared_statements(&&statement, column);
        assert_eq!(value("name").unwrap().as_str(), Some("by_id"));
        assert!(matches!(value("prepare_time"), Some(Cell::Timestamp(7))));
        assert!(matches!(value("from_sql"), Some(Cell::Bool(true))));
        let Some(Cell::List(oids)) = value("parameter_types") else {
            unreachable!("a list");
        };
        let oids: Vec<_> = oids.iter().map(Cell::as_int).collect();
        assert_eq!(oids, [Some(20), Some(25)]);
        // A statement without columns has none, and how often it was planned is not counted.
        assert!(matches!(value("result_types"), Some(Cell::Null)));
        assert!(value("generic_plans").is_none());
    }
}
