//! Parsing of texts into statements.

use futures::future::BoxFuture;
use std::sync::Arc;

use futures::FutureExt;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::{ParseError, Parsed, redact};

use crate::query::helpers;
use crate::query::planners::{PlannedText, without_strings};
use crate::session::Session;

/// The maximum length, in bytes, of a text that is parsed on the calling thread, which takes a few
/// milliseconds.
const PARSED_AT_ONCE: usize = 8192;

impl Session {
    /// Splits a text into statements. A long text is parsed on the planner threads, because it may
    /// take a second; only its own user waits meanwhile.
    ///
    /// # Errors
    /// A statement does not parse, or calls a function that is only for rewritten queries. The
    /// position in the error is that in the whole text.
    pub fn parse<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<Parsed>>> {
        async move {
            if text.len() <= PARSED_AT_ONCE {
                return self.recorded(parsed(text), text);
            }
            let long = text.to_owned();
            let work = async move { Ok(parsed(&long)) };
            let moment = self.moment()?;
            let planned = PlannedText::Text(text);
            let parsed = self.plan(&moment, planned, work.boxed()).await?;
            self.recorded(parsed, text)
        }
        .boxed()
    }

    /// Records the error of a text in the history.
    fn recorded(&self, parsed: Result<Vec<Parsed>>, text: &str) -> Result<Vec<Parsed>> {
        parsed.inspect_err(|error| self.record_unparsed(text, error))
    }

    /// Records a text that does not parse in the history.
    fn record_unparsed(&self, text: &str, error: &Error) {
        let Ok(moment) = self.moment() else {
            return;
        };
        let limits = moment.statement_limits(&self.settings().workgroup());
        let database = self.named_path().into_iter().next().unwrap_or_default();
        // A text that does not parse may contain a password anywhere.
        let text = without_strings(text);
        if let Ok(query) = self.submit(&text, database, limits, Arc::default()) {
            query.finish(0, Err(error));
        }
    }
}

fn parsed(text: &str) -> Result<Vec<Parsed>> {
    let parsed = lakegate_sql::parse(text).map_err(unparsed)?;
    match helpers::called_in(text) {
        Some(error) => Err(error),
        None => Ok(parsed),
    }
}

fn unparsed(e: ParseError) -> Error {
    let mut error = Error::new(Code::SyntaxError, redact(&e.message));
    if let Some(position) = e.position {
        error = error.with_position(position);
    }
    if let Some(hint) = e.hint {
        error = error.with_hint(redact(&hint));
    }
    error
}
