//! Submission: turns a statement of a session into a query in the history.

use std::sync::Arc;
use std::time::Duration;

use lakegate_dialect::postgres::Settings;
use lakegate_error::{Code, Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_sql::redact;

use crate::auth::session_is_over;
use crate::moment::Moment;
use crate::query::constant_row::AnswerSubmission;
use crate::query::life::{Query, Submission};
use crate::session::Session;
use crate::workgroup::{QueryResources, WorkgroupLimits};

/// Returns the name of the client's program, for the history.
pub(super) fn application_of(settings: &Settings) -> Option<String> {
    Some(settings.application_name()).filter(|name| !name.is_empty())
}

impl Session {
    /// Adds a statement to the history. From now on it can be cancelled.
    ///
    /// `meter`: counts the bytes that it scans.
    ///
    /// # Errors
    /// The server is shutting down; the session is over.
    pub(crate) fn submit(
        &self,
        text: &str,
        database: String,
        limits: WorkgroupLimits,
        meter: Arc<QueryMeter>,
    ) -> Result<Arc<Query>> {
        let settings = self.settings();
        let (name, timeout) = (application_of(&settings), settings.statement_timeout());
        let submission = self.submission(text, database, limits, meter, name, timeout)?;
        let events = Arc::clone(&self.gateway.events);
        let query = Query::submit(submission, events, Arc::clone(&self.gateway.running));
        self.begins(&query)?;
        Ok(query)
    }

    /// Adds a statement whose answer is known to the history, as one that has succeeded.
    ///
    /// `rows`: of the answer.
    ///
    /// # Errors
    /// As of [`Self::submit`].
    pub(crate) fn submit_answered(
        &self,
        text: &str,
        known: &AnswerSubmission,
        rows: u64,
    ) -> Result<Arc<Query>> {
        let submission = self.submission(
            text,
            known.database.clone(),
            known.limits.clone(),
            Arc::clone(&known.meter),
            known.application_name.clone(),
            known.timeout,
        )?;
        let events = Arc::clone(&self.gateway.events);
        let query = Query::unsubmitted(submission, events, Arc::clone(&self.gateway.running));
        self.begins(&query)?;
        query.finish(rows, Ok(()));
        Ok(query)
    }

    fn submission(
        &self,
        text: &str,
        database: String,
        limits: WorkgroupLimits,
        meter: Arc<QueryMeter>,
        application_name: Option<String>,
        timeout: Option<Duration>,
    ) -> Result<Submission> {
        if self.gateway.is_shutting_down() {
            return Err(Error::new(
                Code::ShuttingDown,
                "the server is shutting down and takes no new queries",
            ));
        }
        Ok(Submission {
            principal: self.principal().clone(),
            database,
            text: redact(text),
            protocol: self.protocol.name().to_owned(),
            application_name,
            timeout,
            resources: QueryResources::new(limits, meter, Arc::clone(&self.gateway.queues)),
        })
    }

    /// Makes a query the session's own, unless the session is over. Then the query has failed.
    ///
    /// # Errors
    /// The session is over.
    fn begins(&self, query: &Arc<Query>) -> Result<()> {
        self.activate(query);
        if let Err(error) = self.check_open() {
            query.finish(0, Err(&error));
            return Err(error);
        }
        // Ending a session first makes it invalid and then cancels its queries. A query that was
        // submitted after that sees the change here.
        if !self.gateway.is_current(self.principal()) {
            let error = session_is_over(&self.user);
            query.finish(0, Err(&error));
            return Err(error);
        }
        Ok(())
    }

    /// Adds a statement that was refused before its query began to the history. Returns the error
    /// to report: that of the statement, or that of the submission.
    pub(crate) fn refused(
        &self,
        moment: &Moment,
        database: String,
        text: &str,
        error: Error,
    ) -> Error {
        let limits = moment.statement_limits(&self.settings().workgroup());
        match self.submit(text, database, limits, Arc::default()) {
            Ok(query) => {
                query.finish(0, Err(&error));
                error.with_query(query.id)
            }
            Err(refusal) => refusal,
        }
    }
}
