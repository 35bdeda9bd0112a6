//! Functions that change sessions, `set_config`, `pg_cancel_backend` and `pg_terminate_backend`, and
//! those about what sessions never do here: wait for each other, and send each other messages.

use std::sync::Arc;

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction, SessionControl, SessionInfo, Signal, invalid};

pub(super) fn functions(session: &Arc<SessionInfo>) -> Vec<PgFunction> {
    let mut all = signals(session);
    all.push(set_config(session));
    all.extend(apart());
    all
}

/// Functions about locks and notifications, of which sessions have none.
fn apart() -> Vec<PgFunction> {
    let pids = DataType::new_list(DataType::Int32, true);
    let nobody =
        |name: &str| PgFunction::new(name, 1..=1, pids.clone(), |_| Ok(Cell::List(Vec::new())));
    let notify = PgFunction::new("pg_notify", 2..=2, DataType::Utf8, |_| {
        Err(
            Error::not_supported("pg_notify is not supported: sessions get no notifications")
                .with_hint("repeat a query of what changes")
                .into(),
        )
    });
    let usage = "pg_notification_queue_usage";
    vec![
        nobody("pg_blocking_pids"),
        nobody("pg_safe_snapshot_blocking_pids"),
        notify.volatile(),
        PgFunction::new(usage, 0..=0, DataType::Float64, |_| Ok(Cell::Float(0.0))),
        PgFunction::new("pg_jit_available", 0..=0, DataType::Boolean, |_| {
            Ok(Cell::Bool(false))
        }),
        PgFunction::new("pg_trigger_depth", 0..=0, DataType::Int32, |_| {
            Ok(Cell::Int(0))
        }),
    ]
}

/// Returns what a function may change, or an error that names the function.
fn control<'a>(session: &'a SessionInfo, function: &str) -> Result<&'a dyn SessionControl, Error> {
    session.control.as_deref().ok_or_else(|| {
        Error::new(
            Code::PermissionDenied,
            format!("{function} cannot be called in the query of a view"),
        )
        .with_hint("call it in a statement of the session itself")
    })
}

fn set_config(session: &Arc<SessionInfo>) -> PgFunction {
    let of = Arc::clone(session);
    PgFunction::new("set_config", 3..=3, DataType::Utf8, move |args| {
        let [name, value, local] = args else {
            return Err(invalid("set_config takes three arguments"));
        };
        let Some(name) = name.to_text() else {
            return Err(invalid("SET requires a parameter name"));
        };
        let value = value.to_text();
        let local = local.as_bool() == Some(true);
        let set = control(&of, "set_config")?.set(&name, value.as_deref(), local)?;
        Ok(Cell::text(set))
    })
    .called_on_null()
    .volatile()
}

/// Functions that stop sessions by their process ids.
fn signals(session: &Arc<SessionInfo>) -> Vec<PgFunction> {
    let of = Arc::clone(session);
    let cancel = PgFunction::new("pg_cancel_backend", 1..=1, DataType::Boolean, move |args| {
        let pid = pid(args)?;
        let sent = control(&of, "pg_cancel_backend")?.signal(pid, Signal::Cancel)?;
        Ok(Cell::Bool(sent))
    });
    let of = Arc::clone(session);
    let terminate = PgFunction::new(
        "pg_terminate_backend",
        1..=2,
        DataType::Boolean,
        move |args| {
            let pid = pid(args)?;
            // A session is over at once: there is nothing to wait for.
            if args
                .get(1)
                .is_some_and(|timeout| timeout.as_int().is_none_or(|timeout| timeout < 0))
            {
                return Err(invalid("\"timeout\" must not be negative"));
            }
            let sent = control(&of, "pg_terminate_backend")?.signal(pid, Signal::Terminate)?;
            Ok(Cell::Bool(sent))
        },
    );
    vec![cancel.volatile(), terminate.volatile()]
}

/// Returns the process id among the arguments of a call.
fn pid(args: &[Cell<'static>]) -> datafusion::error::Result<i64> {
    args.first().and_then(Cell::as_int).ok_or_else(|| {
        let shown = args.first().and_then(Cell::to_text).unwrap_or_default();
        let message = format!("invalid input syntax for type integer: \"{shown}\"");
        Error::new(Code::InvalidCast, message).into()
    })
}
