//! Parsing of texts into statements. A text whose plan the session keeps is not parsed again.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::{MAX_TEXT_CHARS, ParseError, Parsed, redact};

use crate::query::internal_functions;
use crate::query::planners::{PlannedText, without_strings};
use crate::session::Session;

/// The maximum length, in bytes, of a text that is parsed on the calling thread, which takes a few
/// milliseconds.
const PARSED_AT_ONCE: usize = 8192;

/// Bytes of a text, which is refused, that has too many characters whatever these are.
const TOO_LONG: usize = 4 * MAX_TEXT_CHARS + 1;

/// The maximum number of statements that a session finds by their texts.
const MAX_KNOWN: usize = 64;

/// The statements that were parsed last, as long as something else keeps them, such as a plan.
#[derive(Debug, Default)]
pub(crate) struct KnownTexts(VecDeque<Weak<Parsed>>);

impl KnownTexts {
    /// Returns the only statement of a text, if it is known.
    fn get(&self, text: &str) -> Option<Arc<Parsed>> {
        // What is behind a statement that is complete does not change it.
        let text = text.trim_end_matches([';', ' ', '\t', '\r', '\n']);
        let mut known = self.0.iter().rev().filter_map(Weak::upgrade);
        known.find(|known| known.position == 1 && known.text == text)
    }

    /// Adds the only statement of a text.
    fn add(&mut self, parsed: &Arc<Parsed>) {
        self.0.retain(|known| known.strong_count() > 0);
        if self.0.len() >= MAX_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back(Arc::downgrade(parsed));
    }
}

impl Session {
    /// Splits a text into statements. A long text is parsed on the planner threads, because it may
    /// take a second; only its own user waits meanwhile.
    ///
    /// # Errors
    /// A statement does not parse, or calls a function that is only for rewritten queries. The
    /// position in the error is that in the whole text.
    pub fn parse<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<Arc<Parsed>>>> {
        async move {
            if text.len() >= TOO_LONG {
                return self.recorded(parsed(text), text);
            }
            let known = self.state.lock().known_texts.get(text);
            if let Some(known) = known {
                return Ok(vec![known]);
            }
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

    /// Records the error of a text in the history. Keeps a text of one statement.
    fn recorded(&self, parsed: Result<Vec<Parsed>>, text: &str) -> Result<Vec<Arc<Parsed>>> {
        let parsed = parsed.inspect_err(|error| self.record_unparsed(text, error))?;
        let parsed: Vec<Arc<Parsed>> = parsed.into_iter().map(Arc::new).collect();
        if let [only] = parsed.as_slice() {
            self.state.lock().known_texts.add(only);
        }
        Ok(parsed)
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
    match internal_functions::called_in(text) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn only(text: &str) -> Arc<Parsed> {
        let mut parsed = lakegate_sql::parse(text).unwrap();
        assert_eq!(parsed.len(), 1, "{text}");
        Arc::new(parsed.remove(0))
    }

    #[test]
    fn known_statement_is_what_parsing_its_text_gives() {
        let mut texts = KnownTexts::default();
        let statements = [
            "SELECT 1",
            "SELECT 1 AS \";\"",
            "SELECT ';' ",
            " SELECT 2",
            "SELECT 3 -- ;",
            "/* ; */ SELECT 4;",
        ]
        .map(only);
        statements.iter().for_each(|parsed| texts.add(parsed));
        let mut found = 0;
        for text in [
            "SELECT 1",
            "SELECT 1;",
            "SELECT 1 ;\n; ",
            "SELECT 1 AS \";\";",
            "SELECT ';'",
            "SELECT '",
            "SELECT 2",
            " SELECT 2",
            "SELECT 3",
            "SELECT 3 -- ;",
            "SELECT 4",
            "select 1",
            "",
            ";",
        ] {
            if let Some(known) = texts.get(text) {
                assert_eq!(*known, *only(text), "{text}");
                found += 1;
            }
        }
        assert_eq!(found, 6);
        drop(statements);
        assert!(texts.get("SELECT 1").is_none(), "nothing keeps it");
    }

    #[test]
    fn known_statements_are_bounded() {
        let mut texts = KnownTexts::default();
        let kept: Vec<_> = (0..=MAX_KNOWN)
            .map(|number| only(&format!("SELECT {number}")))
            .collect();
        kept.iter().for_each(|parsed| texts.add(parsed));
        assert_eq!(texts.0.len(), MAX_KNOWN);
        assert!(texts.get("SELECT 0").is_none());
        assert!(texts.get("SELECT 1").is_some());
        drop(kept);
        texts.add(&only("SELECT 1"));
        assert_eq!(texts.0.len(), 1);
    }
}
