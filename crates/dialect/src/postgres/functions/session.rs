//! Session information: user, server and settings.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction, SessionInfo, VERSION, invalid};

fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Builds a function without arguments that returns a value of the session.
fn constant(
    name: &str,
    returns: DataType,
    session: &Arc<SessionInfo>,
    value: impl Fn(&SessionInfo) -> Cell<'static> + Send + Sync + 'static,
) -> PgFunction {
    let session = Arc::clone(session);
    PgFunction::new(name, 0..=0, returns, move |_| Ok(value(&session)))
}

fn own(text: Option<&str>) -> Cell<'static> {
    text.map_or(Cell::Null, |text| Cell::text(text.to_owned()))
}

/// Returns the value of a setting of the session.
pub(super) fn setting(session: &SessionInfo, name: &str) -> Option<String> {
    session.settings.get(name).ok()
}

/// Locks that protect nothing here: sessions only read, so each of them gets every lock.
fn advisory_locks() -> Vec<PgFunction> {
    let mut all = Vec::new();
    for shared in ["", "_shared"] {
        for name in ["pg_advisory_lock", "pg_advisory_xact_lock"] {
            let name = format!("{name}{shared}");
            all.push(PgFunction::new(&name, 1..=2, DataType::Utf8, |_| {
                Ok(Cell::text(""))
            }));
        }
        for name in [
            "pg_try_advisory_lock",
            "pg_try_advisory_xact_lock",
            "pg_advisory_unlock",
        ] {
            let name = format!("{name}{shared}");
            all.push(PgFunction::new(&name, 1..=2, DataType::Boolean, |_| {
                Ok(Cell::Bool(true))
            }));
        }
    }
    all.into_iter().map(PgFunction::volatile).collect()
}

/// Returns the snapshot of a session in which every transaction so far is over.
fn snapshot(session: &SessionInfo) -> Cell<'static> {
    let next = session.transaction + 1;
    Cell::text(format!("{next}:{next}:"))
}

/// The name of `age` where its argument is known to be the id of a transaction.
pub(in crate::postgres) const TRANSACTION_AGE: &str = "$transaction_age";

/// Builds `age` of a transaction id. `age` of one timestamp is not supported.
fn age(session: &Arc<SessionInfo>) -> PgFunction {
    let session = Arc::clone(session);
    PgFunction::new("age", 1..=1, DataType::Int32, move |args| match args {
        [Cell::Int(transaction)] => Ok(Cell::Int(session.age_of(*transaction))),
        _ => Err(Error::not_supported("age of a time is not supported")
            .with_hint("subtract it: current_date - …")
            .into()),
    })
}

/// Builds the function that says how a transaction ended. All that are over are committed: the others
/// have no ids.
fn status(name: &str, session: &Arc<SessionInfo>) -> PgFunction {
    let session = Arc::clone(session);
    PgFunction::new(name, 1..=1, DataType::Utf8, move |args| {
        let Some(transaction) = args.first().and_then(Cell::as_int) else {
            let text = args.first().and_then(Cell::to_text).unwrap_or_default();
            return Err(invalid(format!(
                "invalid input syntax for type xid8: \"{text}\""
            )));
        };
        match transaction {
            ..1 => Ok(Cell::Null),
            past if past < session.transaction => Ok(Cell::text("committed")),
            own if own == session.transaction => Ok(Cell::text("in progress")),
            _ => Err(invalid(format!(
                "transaction ID {transaction} is in the future"
            ))),
        }
    })
}

/// Builds a function that would wait.
fn sleep(name: &'static str) -> PgFunction {
    PgFunction::new(name, 1..=1, DataType::Utf8, move |_| {
        Err(invalid(format!(
            "{name} is not supported: it would hold a place in the workgroup's queue"
        )))
    })
    .volatile()
}

pub(super) fn functions(session: &Arc<SessionInfo>) -> Vec<PgFunction> {
    let text = || DataType::Utf8;
    let user =
        |name: &str| constant(name, text(), session, |s| own(Some(&s.user))).shown_as("name");
    let database =
        |name: &str| constant(name, text(), session, |s| own(Some(&s.database))).shown_as("name");
    let mut all = vec![
        age(session),
        age(session).renamed(TRANSACTION_AGE),
        constant("version", text(), session, |_| Cell::text(VERSION)),
        user("current_user"),
        user("session_user"),
        user("user"),
        user("getpgusername"),
        user("current_role"),
        user("system_user").shown_as("text"),
        database("current_database"),
        database("current_catalog"),
        constant("current_schema", text(), session, |s| {
            own(s.search_path.first().map(String::as_str))
        })
        .shown_as("name"),
        constant("pg_backend_pid", DataType::Int32, session, |s| {
            Cell::Int(i64::from(s.backend_pid))
        }),
        constant("pg_postmaster_start_time", timestamp(), session, |s| {
            Cell::Timestamp(s.server_start)
        }),
        constant("pg_conf_load_time", timestamp(), session, |s| {
            Cell::Timestamp(s.server_start)
        }),
        constant("inet_server_addr", text(), session, |s| {
            own(s.server_addr.as_deref())
        })
        .shown_as("inet"),
        constant("inet_client_addr", text(), session, |s| {
            own(s.client_addr.as_deref())
        })
        .shown_as("inet"),
        constant("inet_server_port", DataType::Int32, session, |s| {
            s.server_port
                .map_or(Cell::Null, |p| Cell::Int(i64::from(p)))
        }),
        constant("inet_client_port", DataType::Int32, session, |s| {
            s.client_port
                .map_or(Cell::Null, |p| Cell::Int(i64::from(p)))
        }),
        constant("pg_is_in_recovery", DataType::Boolean, session, |_| {
            Cell::Bool(false)
        }),
        constant(
            "pg_is_wal_replay_paused",
            DataType::Boolean,
            session,
            |_| Cell::Bool(false),
        ),
        constant("pg_my_temp_schema", DataType::Int64, session, |s| {
            Cell::Int(s.temporary_schema.unwrap_or(0))
        })
        .shown_as("oid"),
        constant("txid_current", DataType::Int64, session, |s| {
            Cell::Int(s.transaction)
        }),
        constant("pg_current_xact_id", DataType::Int64, session, |s| {
            Cell::Int(s.transaction)
        })
        .shown_as("xid8"),
        constant("pg_current_snapshot", text(), session, snapshot),
        constant("txid_current_snapshot", text(), session, snapshot),
        constant("txid_current_if_assigned", DataType::Int64, session, |_| {
            Cell::Null
        }),
        constant(
            "pg_current_xact_id_if_assigned",
            DataType::Int64,
            session,
            |_| Cell::Null,
        )
        .shown_as("xid8"),
        constant("getdatabaseencoding", text(), session, |_| {
            Cell::text("UTF8")
        })
        .shown_as("name"),
        constant("pg_client_encoding", text(), session, |s| {
            match setting(s, "client_encoding").as_deref() {
                None | Some("UNICODE") => Cell::text("UTF8"),
                Some(name) => Cell::text(name.to_owned()),
            }
        })
        .shown_as("name"),
    ];
    all.extend(["txid_status", "pg_xact_status"].map(|name| status(name, session)));
    let of = Arc::clone(session);
    let current_schemas = PgFunction::new("current_schemas", 1..=1, texts(), move |args| {
        let implicit = args[0].as_bool().unwrap_or(false)
            && !of.search_path.iter().any(|name| name == "pg_catalog");
        let first = implicit.then_some("pg_catalog".to_owned());
        Ok(Cell::texts(
            first.into_iter().chain(of.search_path.iter().cloned()),
        ))
    });
    all.push(current_schemas.shown_as("name[]"));
    let of = Arc::clone(session);
    all.push(PgFunction::new(
        "current_setting",
        1..=2,
        text(),
        move |args| {
            let name = args[0].to_text().unwrap_or_default();
            match setting(&of, &name) {
                Some(value) => Ok(Cell::text(value)),
                None if args.get(1).and_then(Cell::as_bool) == Some(true) => Ok(Cell::Null),
                None => Err(Error::new(
                    Code::UndefinedObject,
                    format!("unrecognized configuration parameter \"{name}\""),
                )
                .into()),
            }
        },
    ));
    let of = Arc::clone(session);
    all.push(
        PgFunction::new("pg_advisory_unlock_all", 0..=0, DataType::Utf8, move |_| {
            // There are no locks.
            let _ = &of;
            Ok(Cell::text(""))
        })
        .volatile(),
    );
    all.extend(advisory_locks());
    let of = Arc::clone(session);
    all.push(PgFunction::new(
        "pg_settings_get_flags",
        1..=1,
        texts(),
        move |args| {
            let name = args[0].to_text().unwrap_or_default();
            // No setting is treated in one of the ways that flags stand for.
            Ok(match setting(&of, &name) {
                Some(_) => Cell::List(vec![]),
                None => Cell::Null,
            })
        },
    ));
    all.extend(["pg_sleep", "pg_sleep_for", "pg_sleep_until"].map(sleep));
    all
}
