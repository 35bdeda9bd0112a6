//! The error: what was wrong and where, and what of it a principal may see.

use std::borrow::Cow;
use std::fmt;

use crate::{Code, Misfit};

/// An error for the user: what was wrong, where, and what would be right.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    position: Option<usize>,
    /// How the operator is written that the error is about.
    operands: Option<Box<Operands>>,
    /// What does not fit about the columns that the statement writes.
    misfit: Option<Box<Misfit>>,
    hint: Option<Cow<'static, str>>,
    detail: Option<Cow<'static, str>>,
    context: Option<Cow<'static, str>>,
    query_id: Option<uuid::Uuid>,
    /// The text after `a file of curated.orders`, for a principal that may not know which file, or
    /// what it contains.
    of_a_file: Option<Cow<'static, str>>,
    /// The error as it was before [`Error::withheld`]; for the server's log only.
    full: Option<String>,
}

/// How an operator is written in the statement: its sign or first word, and the words or values next
/// to it, which are the last one of its left operand and the first one of its right operand. `None`
/// where that is not known. Also how another word is written that an error is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operands {
    pub sign: String,
    /// The line and the column where it begins, from 1 and in characters, in the text of the statement
    /// or of a part of it.
    pub place: Option<(u64, u64)>,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Longest message, in bytes: the engine quotes values, which may be large, and the history keeps
/// messages.
const MAX_MESSAGE: usize = 16 * 1024;

fn shortened(mut message: Cow<'static, str>) -> Cow<'static, str> {
    let bytes = message.len();
    if bytes > MAX_MESSAGE {
        let end = message.floor_char_boundary(MAX_MESSAGE);
        let text = message.to_mut();
        text.truncate(end);
        text.push_str(&format!(" … ({bytes} bytes)"));
        text.shrink_to_fit();
    }
    message
}

impl Error {
    /// An error with a message, of which at most 16 KiB are kept.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: shortened(message.into()),
            position: None,
            operands: None,
            misfit: None,
            hint: None,
            detail: None,
            context: None,
            query_id: None,
            of_a_file: None,
            full: None,
        }))
    }

    /// An error that is a defect of the server.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// An error for what the server does not do.
    pub fn not_supported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotSupported, message)
    }

    /// An error for a value that a parameter, a setting or a function does not take.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidParameter, message)
    }

    /// `hint`: what would be right.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// `detail`: what more is known of the cause.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// `context`: where in the client's data the error occurred: `COPY t, line 3, column a: "x"`.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<Cow<'static, str>>) -> Self {
        self.0.context = Some(shortened(context.into()));
        self
    }

    /// `position`: in characters from the start of what the client sent, from 1.
    #[must_use]
    pub fn with_position(mut self, position: usize) -> Self {
        self.0.position = Some(position);
        self
    }

    /// Says how the operator is written, so that its position can be told from those of others.
    #[must_use]
    pub fn with_operands(mut self, operands: Operands) -> Self {
        self.0.operands = Some(Box::new(operands));
        self
    }

    /// Says what does not fit about the columns that the statement writes, as data.
    #[must_use]
    pub fn with_misfit(mut self, misfit: Misfit) -> Self {
        self.0.misfit = Some(Box::new(misfit));
        self
    }

    /// The failed query, if it was recorded in the history.
    #[must_use]
    pub fn with_query(mut self, id: uuid::Uuid) -> Self {
        self.0.query_id = Some(id);
        self
    }

    /// Marks the error as being about a file. A principal that may not see all of the file's table
    /// gets `a file of`, the table and `rest`, which must contain nothing of the file's path or
    /// content: for example ` cannot be read as Parquet`.
    #[must_use]
    pub fn of_a_file(mut self, rest: impl Into<Cow<'static, str>>) -> Self {
        self.0.of_a_file = Some(rest.into());
        self
    }

    /// The error without what could reveal hidden columns or partitions: paths of files, values of
    /// partition keys, pieces of lines. It occurred in `place`, such as `a file of curated.orders`.
    ///
    /// Errors about the query keep their message: it comes from columns that the principal may
    /// select.
    #[must_use]
    pub fn withheld(mut self, place: &str) -> Self {
        if self.0.full.is_some() {
            return self;
        }
        let rest = match (self.0.of_a_file.take(), self.0.code) {
            (Some(rest), _) => rest,
            (None, Code::FileChanged) => " changed while the query was reading it".into(),
            (None, Code::Storage) => " cannot be fetched from its store".into(),
            (None, code)
                if code.is_about_the_query()
                    && (code.is_about_a_value() || !self.0.message.contains("://")) =>
            {
                self.0.full = self
                    .0
                    .detail
                    .take()
                    .map(|detail| format!("{self}; {detail}"));
                return self;
            }
            (None, _) => " cannot be read".into(),
        };
        self.0.full = Some(match self.0.detail.take() {
            Some(detail) => format!("{self}; {detail}"),
            None => self.0.message.to_string(),
        });
        self.0.misfit = None;
        self.0.message = format!("{place}{rest}").into();
        self.0.hint = Some(match self.0.code {
            Code::FileChanged => "run the query again".into(),
            _ => "an administrator finds more in the server's log, by the query's id".into(),
        });
        self
    }

    /// The error of a query that runs below a view, as a user may see it that cannot read what the
    /// view reads: without names of hidden tables and columns, and without values. Errors about
    /// limits and cancellation keep their message. `view`: `database.view`.
    #[must_use]
    pub fn of_view(mut self, view: &str) -> Self {
        if self.0.code.is_about_the_run() {
            return self;
        }
        let problem = match self.0.code {
            Code::DivisionByZero => "division by zero",
            Code::InvalidCast
            | Code::InvalidDatetime
            | Code::DatetimeOutOfRange
            | Code::IntervalOutOfRange
            | Code::ZoneOutOfRange => "a value cannot be cast",
            Code::NumericOutOfRange => "a number is out of range",
            Code::SubqueryRows => "a subquery returns more than one row",
            Code::FileChanged => "a file changed while it was read; run the query again",
            Code::Storage => "a file cannot be fetched from its store",
            Code::BadData => "a file cannot be read",
            _ => "its query cannot be evaluated",
        };
        let full = self.0.full.take().unwrap_or_else(|| self.to_string());
        self.0.full = Some(match self.0.detail.take() {
            Some(detail) => format!("{full}; {detail}"),
            None => full,
        });
        self.0.of_a_file = None;
        self.0.position = None;
        self.0.operands = None;
        self.0.misfit = None;
        self.0.message = format!("view {view}: {problem}").into();
        self.0.hint = Some(
            "an administrator finds more in the server's log, by the query's id; the user that made the view can run its query"
                .into(),
        );
        self
    }

    /// Keeps another error as what was withheld, for the server's log.
    #[must_use]
    pub fn caused_by(mut self, hidden: &Error) -> Self {
        self.0.full = Some(
            hidden
                .full()
                .map_or_else(|| hidden.to_string(), str::to_owned),
        );
        self
    }

    /// What was withheld from the principal; for the server's log only.
    pub fn full(&self) -> Option<&str> {
        self.0.full.as_deref()
    }

    /// The stable code, which each endpoint maps to a code of its protocol.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The error with the code, the message and the hint of `other`.
    #[must_use]
    pub fn said_by(mut self, other: Error) -> Self {
        let other = *other.0;
        self.0.code = other.code;
        self.0.message = other.message;
        if other.hint.is_some() {
            self.0.hint = other.hint;
        }
        self
    }

    pub(crate) fn reworded(mut self, reword: impl Fn(&str) -> String) -> Self {
        self.0.message = shortened(reword(&self.0.message).into());
        self
    }

    /// The missing column, if that is the error.
    pub fn missing_column(&self) -> Option<&str> {
        let named = self.message().strip_prefix("column \"")?;
        let name = named.strip_suffix("\" does not exist")?;
        (self.code() == Code::ColumnNotFound).then_some(name)
    }

    /// The ambiguous column, if that is the error.
    pub fn ambiguous_column(&self) -> Option<&str> {
        let named = self.message().strip_prefix("column reference \"")?;
        let name = named.strip_suffix("\" is ambiguous")?;
        (self.code() == Code::AmbiguousColumn).then_some(name)
    }

    /// What was wrong, in lower case and without a full stop.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    pub fn operands(&self) -> Option<&Operands> {
        self.0.operands.as_deref()
    }

    pub fn misfit(&self) -> Option<&Misfit> {
        self.0.misfit.as_deref()
    }

    /// What would be right.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// What more is known of the cause.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    pub fn query_id(&self) -> Option<uuid::Uuid> {
        self.0.query_id
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withheld_error_tells_neither_file_nor_content_but_the_log_has_both() {
        let place = "a file of curated.orders";
        let damaged = Error::new(Code::BadData, "file s3://l/day=2/x line 3: 'secret' is bad")
            .with_hint("remove s3://l/day=2/x")
            .of_a_file(" line 3: malformed JSON")
            .withheld(place);
        assert_eq!(
            damaged.message(),
            "a file of curated.orders line 3: malformed JSON"
        );
        assert!(!damaged.hint().unwrap_or_default().contains("s3://"));
        assert!(damaged.full().is_some_and(|full| full.contains("secret")));
        // Errors without a mark are withheld too.
        for code in [
            Code::Storage,
            Code::Internal,
            Code::LocationRefused,
            Code::FileChanged,
        ] {
            let error = Error::new(code, "s3://l/day=2/x").with_detail("day=2");
            let error = error.withheld(place).withheld("twice");
            assert!(error.message().starts_with(place), "{error}");
            assert!(error.detail().is_none());
            assert_eq!(error.full(), Some("s3://l/day=2/x; day=2"));
        }
        let unmarked = Error::not_supported("file s3://l/day=2/x is encrypted").withheld(place);
        assert_eq!(
            unmarked.message(),
            "a file of curated.orders cannot be read"
        );
        let cast = Error::new(Code::InvalidCast, "'X' is no integer").with_detail("in day=2/x");
        let cast = cast.withheld(place);
        assert_eq!((cast.message(), cast.detail()), ("'X' is no integer", None));
    }

    #[test]
    fn error_of_a_view_has_no_columns_of_the_query_below_it() {
        let error = Error::new(Code::DuplicateColumn, "column \"secret\" is named twice");
        let column = "secret".to_owned();
        let error = error.with_misfit(Misfit::Twice { column });
        assert!(error.misfit().is_some());
        assert_eq!(error.of_view("d.v").misfit(), None);
    }

    #[test]
    fn messages_are_bounded() {
        let long = Error::invalid("ü".repeat(100_000));
        assert!(long.message().len() < MAX_MESSAGE + 100);
        assert!(long.message().ends_with(" … (200000 bytes)"));
        assert_eq!(Error::invalid("short").message(), "short");
    }
}
