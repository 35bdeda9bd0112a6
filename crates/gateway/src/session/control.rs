//! What the functions of a query change of sessions: `pg_cancel_backend`, `pg_terminate_backend` and
//! `set_config`.

use std::sync::{Arc, Weak};

use lakegate_dialect::postgres::{SessionControl, Signal};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{Set, SetScope, SetValue};

use crate::auth::session_is_over;
use crate::session::Session;
use crate::session::session_statement::is_user;

/// The session that runs a query. Plans hold this, and must not keep the session open.
#[derive(Debug)]
pub(crate) struct QueryControl(pub Weak<Session>);

impl QueryControl {
    fn session(&self) -> Result<Arc<Session>> {
        self.0
            .upgrade()
            .ok_or_else(|| Error::new(Code::SessionEnded, "the session of the query is over"))
    }
}

impl SessionControl for QueryControl {
    /// A user may stop its own sessions, and an administrator all. Another user's session answers
    /// as one that does not exist, as in `pg_stat_activity`.
    fn signal(&self, pid: i64, signal: Signal) -> Result<bool> {
        let session = self.session()?;
        let control = session.gateway.control.snapshot();
        let access = session.principal().access(&control);
        let access = access.ok_or_else(|| session_is_over(session.user()))?;
        let target = i32::try_from(pid)
            .ok()
            .and_then(|pid| session.gateway.session_of(pid));
        let target = target.filter(|target| {
            let own = target.principal().id() == session.principal().id();
            (own || access.is_administrator()) && target.is_shown()
        });
        let Some(target) = target else {
            let message = format!("PID {pid} is not a PostgreSQL server process");
            session.warn("01000", message);
            return Ok(false);
        };
        match signal {
            Signal::Cancel => target.cancel(),
            Signal::Terminate => target.terminate(),
        }
        Ok(true)
    }

    fn set(&self, name: &str, value: Option<&str>, local: bool) -> Result<String> {
        let session = self.session()?;
        let name = name.to_lowercase();
        let set = Set {
            scope: match local {
                true => SetScope::Local,
                false => SetScope::Session,
            },
            name: name.clone(),
            value: match value {
                Some(value) => SetValue::Values(vec![value.to_owned()]),
                None => SetValue::Default,
            },
        };
        session.set(&session.moment()?, &set)?;
        if is_user(&name) {
            // The session keeps its user, which the value names.
            return Ok(value.unwrap_or("none").to_owned());
        }
        let mut settings = session.settings();
        if local {
            // Outside of a block, a local value is gone with the statement, and returned anyway.
            settings.set(&name, value)?;
        }
        settings.get(&name)
    }
}
