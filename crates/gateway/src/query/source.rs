//! What a query is made from.

use bytes::Bytes;
use lakegate_sql::Parsed;

/// SQL, or a plan in its place.
#[derive(Debug, Clone)]
pub enum QuerySource<S = Parsed> {
    Sql(S),
    /// A `substrait.Plan`, encoded.
    Substrait(Bytes),
}

impl QuerySource {
    /// The statement, if it is one.
    pub fn sql(&self) -> Option<&Parsed> {
        match self {
            Self::Sql(parsed) => Some(parsed),
            Self::Substrait(_) => None,
        }
    }

    /// The text that the history shows.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Sql(parsed) => parsed.text.as_str().into(),
            Self::Substrait(plan) => format!("substrait plan, {} bytes", plan.len()).into(),
        }
    }

    /// Bytes of the text or the plan.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Sql(parsed) => parsed.text.len(),
            Self::Substrait(plan) => plan.len(),
        }
    }
}
