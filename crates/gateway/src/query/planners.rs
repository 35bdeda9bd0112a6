//! Planning: on threads of its own, for a bounded time, and within the places of the user.

use std::sync::Arc;
use std::time::Duration;

use lakegate_engine::{Stop, metered};
use lakegate_error::{Code, Error, Result};
use sqlparser::ast;

use crate::Gateway;
use crate::moment::Moment;
use crate::query::life::{Query, Unfinished, timed_out};
use crate::session::Session;

/// Plannings of one user at once; the others of the same user wait. So statements that take long to plan keep only their own user waiting.
pub(crate) const PERMITS_OF_USER: usize = 8;

impl Gateway {
    /// Plans on a thread of its own. Dropping the future stops the planning.
    ///
    /// `stop`: of this planning alone. `held`: until its thread is done.
    ///
    /// # Errors
    /// Those of the work; it takes longer than any planning may.
    pub(crate) async fn plan<T: Send + 'static>(
        &self,
        user: &str,
        stop: &Arc<Stop>,
        held: impl Send + 'static,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let limit = self.max_planning_time;
        let planning = async {
            let permit = self.planning_permits.admit(user).await;
            let held = (permit, held);
            self.engine.planners().plan(stop, held, work).await
        };
        tokio::select! {
            biased;
            reason = stop.stopped() => Err(reason),
            planned = planning => planned,
            () = tokio::time::sleep(limit) => {
                let error = too_long(limit);
                stop.stop(error.clone());
                Err(error)
            }
        }
    }

    /// Plans for a query: its CPU time counts, and stopping it stops the planning.
    ///
    /// # Errors
    /// Those of the work; it takes longer than any planning may.
    pub(crate) async fn plan_for<T: Send + 'static>(
        &self,
        query: &Arc<Query>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let stop = Arc::new(Stop::default());
        let work = metered(Arc::clone(&query.resources.cpu), work);
        let user = &query.principal().user;
        self.plan(user, &stop, query.working(), work).await
    }
}

/// Bytes that the history shows of a text that does not parse.
const SHOWN_BYTES: usize = 64 * 1024;

/// Planning of what is not a query yet and takes longer than this is put into the history, where it can
/// be found and killed.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// What is planned, as the history shows it.
#[derive(Debug, Clone)]
pub(crate) enum PlannedText<'a> {
    /// One that does not parse may hold a password in any place.
    Text(&'a str),
    /// With the database that it is in.
    Query(&'a ast::Query, String),
    Substrait(String),
}

impl PlannedText<'_> {
    fn shown(&self) -> (String, String) {
        match self {
            Self::Text(text) => (without_strings(text), String::new()),
            Self::Query(query, database) => (query.to_string(), database.clone()),
            Self::Substrait(database) => ("a Substrait plan".to_owned(), database.clone()),
        }
    }
}

impl Session {
    /// Plans what is not a query yet, such as a statement that is prepared. What cancels the session's query stops it too, and where it
    /// takes long, it is a query of the history for as long as it does.
    ///
    /// # Errors
    /// Those of the work; it takes longer than any planning may, or than the session's statements may.
    pub(crate) async fn plan<T: Send + 'static>(
        &self,
        moment: &Moment,
        text: PlannedText<'_>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let stop = Arc::new(Stop::default());
        let timeout = {
            let mut state = self.state.lock();
            state.planning = Some(Arc::clone(&stop));
            state.settings.statement_timeout()
        };
        let planning = self.gateway.plan(&self.user, &stop, (), work);
        let planning = async {
            match timeout {
                None => planning.await,
                Some(timeout) => match tokio::time::timeout(timeout, planning).await {
                    Ok(planned) => planned,
                    Err(_) => Err(timed_out(timeout)),
                },
            }
        };
        let planned = self.shown(moment, &text, planning).await;
        self.state.lock().planning = None;
        planned
    }

    /// Waits for the planning, which is a query of the history once it takes long. Killing that query ends it.
    async fn shown<T>(
        &self,
        moment: &Moment,
        text: &PlannedText<'_>,
        planning: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut planning = Box::pin(planning);
        tokio::select! {
            biased;
            planned = &mut planning => return planned,
            () = tokio::time::sleep(SHOWN_AFTER) => {}
        }
        let (text, database) = text.shown();
        let limits = moment.statement_limits(&self.settings().workgroup());
        let query: Arc<Query> = self.submit(&text, database, limits, Arc::default())?;
        let _unfinished = Unfinished::guard(&query);
        // Dropping the planning stops it.
        let planned = tokio::select! {
            biased;
            reason = query.stopped() => Err(reason),
            planned = planning => planned,
        };
        query.finish(0, planned.as_ref().map(|_| ()));
        planned
    }
}

pub(crate) fn too_long(limit: Duration) -> Error {
    Error::new(
        Code::StatementTimeout,
        format!(
            "canceling statement: planning it takes longer than {} ms, the most that queries.max_planning_time allows",
            limit.as_millis()
        ),
    )
    .with_hint("split it into simpler statements, or ask for a higher limit")
}

/// The text, cut if it is long, without the content of anything in single quotes.
pub(crate) fn without_strings(text: &str) -> String {
    let text = text
        .get(..text.floor_char_boundary(SHOWN_BYTES))
        .unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    for (index, part) in text.split('\'').enumerate() {
        shown.push_str(if index % 2 == 1 { "'***'" } else { part });
    }
    shown
}
