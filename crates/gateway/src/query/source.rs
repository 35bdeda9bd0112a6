//! The source of a query: SQL or an encoded plan.

use std::sync::Arc;

use bytes::Bytes;
use lakegate_sql::Parsed;

/// SQL, or an encoded plan.
#[derive(Debug, Clone)]
pub enum QuerySource<S = Arc<Parsed>> {
    Sql(S),
    /// An encoded `substrait.Plan`.
    Substrait(Bytes),
}

impl QuerySource {
    /// Returns the statement, if the source is SQL.
    pub fn sql(&self) -> Option<&Arc<Parsed>> {
        match self {
            Self::Sql(parsed) => Some(parsed),
            Self::Substrait(_) => None,
        }
    }

    /// Returns the text to show in the history.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Sql(parsed) => parsed.text.as_str().into(),
            Self::Substrait(plan) => format!("substrait plan, {} bytes", plan.len()).into(),
        }
    }

    /// Returns the size of the text or of the plan, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Sql(parsed) => parsed.text.len(),
            Self::Substrait(plan) => plan.len(),
        }
    }
}
