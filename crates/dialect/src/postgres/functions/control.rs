//! Functions that change sessions: `set_config`, `pg_cancel_backend` and `pg_terminate_backend`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction, SessionControl, SessionInfo, Signal, invalid};

pub(super) fn functions(session: &Arc<SessionInfo>) -> Vec<PgFunction> {
    let mut all = signals(session);
    all.push(set_config(session));
    all
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
