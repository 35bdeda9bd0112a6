//! The error type of all crates; each error has a stable [`Code`] that every endpoint maps to its
//! own.

mod engine;

use std::borrow::Cow;
use std::fmt;

use datafusion::error::DataFusionError;
pub use engine::from_engine;
use lakegate_catalog::error::{CatalogError, Kind};
use lakegate_catalog::model::names::RESERVED_DATABASES;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of failure. The names are stable: `system.queries` and every protocol show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    SyntaxError,
    TableNotFound,
    ColumnNotFound,
    SchemaNotFound,
    CatalogNotFound,
    FunctionNotFound,
    AmbiguousColumn,
    UndefinedObject,
    UndefinedParameter,
    DuplicateDatabase,
    DuplicateTable,
    DuplicateColumn,
    DuplicateObject,
    ObjectInUse,
    InvalidQuery,
    DataException,
    SubqueryRows,
    TypeMismatch,
    DivisionByZero,
    InvalidCast,
    NumericOutOfRange,
    InvalidParameter,
    InvalidName,
    InvalidTable,
    InvalidView,
    NotSupported,
    PermissionDenied,
    InvalidPassword,
    SessionEnded,
    BytesScannedCutoff,
    CpuTimeLimit,
    RunTimeLimit,
    RowsReturnedLimit,
    ClientStalled,
    TooManyQueries,
    TooManyConnections,
    OutOfMemory,
    ResultTooLarge,
    TooComplex,
    OutOfSpillSpace,
    QueryCancelled,
    StatementTimeout,
    FailedTransaction,
    ActiveTransaction,
    NoActiveTransaction,
    InvalidSavepoint,
    InvalidCursor,
    InvalidPreparedStatement,
    DuplicatePreparedStatement,
    DuplicateCursor,
    FileChanged,
    ResultTypeChanged,
    ResultNotStored,
    SessionRequired,
    BadData,
    LocationRefused,
    Storage,
    ShuttingDown,
    StartingUp,
    ProtocolViolation,
    Internal,
}

impl Code {
    /// The five characters of the SQLSTATE, from PostgreSQL's appendix A where it has one.
    pub fn sqlstate(self) -> &'static str {
        match self {
            Code::SyntaxError => "42601",
            Code::TableNotFound => "42P01",
            Code::ColumnNotFound => "42703",
            Code::SchemaNotFound => "3F000",
            Code::CatalogNotFound => "3D000",
            Code::FunctionNotFound => "42883",
            Code::AmbiguousColumn => "42702",
            Code::UndefinedObject => "42704",
            Code::UndefinedParameter => "42P02",
            Code::DuplicateDatabase => "42P06",
            Code::DuplicateTable => "42P07",
            Code::DuplicateColumn => "42701",
            Code::DuplicateObject => "42710",
            Code::ObjectInUse => "2BP01",
            Code::InvalidQuery => "42000",
            Code::DataException => "22000",
            Code::SubqueryRows => "21000",
            Code::TypeMismatch => "42804",
            Code::DivisionByZero => "22012",
            Code::InvalidCast => "22P02",
            Code::NumericOutOfRange => "22003",
            Code::InvalidParameter => "22023",
            Code::InvalidName => "42602",
            Code::InvalidTable => "42P16",
            Code::InvalidView => "42P17",
            Code::NotSupported => "0A000",
            Code::PermissionDenied => "42501",
            Code::InvalidPassword => "28P01",
            Code::SessionEnded => "57P01",
            Code::BytesScannedCutoff
            | Code::CpuTimeLimit
            | Code::RunTimeLimit
            | Code::RowsReturnedLimit => "54000",
            Code::TooManyQueries => "53400",
            Code::TooManyConnections => "53300",
            Code::OutOfMemory => "53200",
            Code::ResultTooLarge => "54000",
            Code::TooComplex => "54001",
            Code::OutOfSpillSpace => "53100",
            Code::QueryCancelled | Code::StatementTimeout | Code::ClientStalled => "57014",
            Code::FailedTransaction => "25P02",
            Code::ActiveTransaction => "25001",
            Code::NoActiveTransaction => "25P01",
            Code::InvalidSavepoint => "3B001",
            Code::InvalidCursor => "34000",
            Code::InvalidPreparedStatement => "26000",
            Code::DuplicatePreparedStatement => "42P05",
            Code::DuplicateCursor => "42P03",
            Code::FileChanged => "40001",
            Code::ResultTypeChanged => "0A000",
            Code::ResultNotStored | Code::SessionRequired => "55000",
            Code::BadData => "22P04",
            Code::LocationRefused => "42501",
            Code::Storage => "58030",
            Code::ShuttingDown => "57P01",
            Code::StartingUp => "57P03",
            Code::ProtocolViolation => "08P01",
            Code::Internal => "XX000",
        }
    }

    /// The stable name in `system.queries.error_code`, spelled like Trino's and Athena's error
    /// names.
    pub fn name(self) -> &'static str {
        match self {
            Code::SyntaxError => "SYNTAX_ERROR",
            Code::TableNotFound => "TABLE_NOT_FOUND",
            Code::ColumnNotFound => "COLUMN_NOT_FOUND",
            Code::SchemaNotFound => "SCHEMA_NOT_FOUND",
            Code::CatalogNotFound => "CATALOG_NOT_FOUND",
            Code::FunctionNotFound => "FUNCTION_NOT_FOUND",
            Code::AmbiguousColumn => "AMBIGUOUS_NAME",
            Code::UndefinedObject => "NOT_FOUND",
            Code::UndefinedParameter => "INVALID_PARAMETER_USAGE",
            Code::DuplicateDatabase => "SCHEMA_ALREADY_EXISTS",
            Code::DuplicateTable => "TABLE_ALREADY_EXISTS",
            Code::DuplicateColumn => "COLUMN_ALREADY_EXISTS",
            Code::DuplicateObject => "ALREADY_EXISTS",
            Code::ObjectInUse => "OBJECT_IN_USE",
            Code::InvalidQuery => "INVALID_QUERY",
            Code::DataException => "GENERIC_USER_ERROR",
            Code::SubqueryRows => "SUBQUERY_MULTIPLE_ROWS",
            Code::TypeMismatch => "TYPE_MISMATCH",
            Code::DivisionByZero => "DIVISION_BY_ZERO",
            Code::InvalidCast => "INVALID_CAST_ARGUMENT",
            Code::NumericOutOfRange => "NUMERIC_VALUE_OUT_OF_RANGE",
            Code::InvalidParameter => "INVALID_PARAMETER_USAGE",
            Code::InvalidName => "INVALID_NAME",
            Code::InvalidTable => "INVALID_TABLE_PROPERTY",
            Code::InvalidView => "INVALID_VIEW",
            Code::NotSupported => "NOT_SUPPORTED",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::InvalidPassword => "INVALID_PASSWORD",
            Code::SessionEnded => "SESSION_ENDED",
            Code::BytesScannedCutoff => "EXCEEDED_BYTES_SCANNED_CUTOFF",
            Code::CpuTimeLimit => "EXCEEDED_CPU_LIMIT",
            Code::RunTimeLimit => "EXCEEDED_RUN_TIME_LIMIT",
            Code::RowsReturnedLimit => "EXCEEDED_ROWS_RETURNED_LIMIT",
            Code::ClientStalled => "CLIENT_STALLED",
            Code::TooManyQueries => "QUERY_QUEUE_FULL",
            Code::TooManyConnections => "TOO_MANY_CONNECTIONS",
            Code::OutOfMemory => "EXCEEDED_MEMORY_LIMIT",
            Code::ResultTooLarge => "EXCEEDED_FUNCTION_MEMORY_LIMIT",
            Code::TooComplex => "QUERY_TOO_COMPLEX",
            Code::OutOfSpillSpace => "EXCEEDED_SPILL_LIMIT",
            Code::QueryCancelled => "USER_CANCELED",
            Code::StatementTimeout => "EXCEEDED_TIME_LIMIT",
            Code::FailedTransaction => "TRANSACTION_FAILED",
            Code::ActiveTransaction => "ACTIVE_TRANSACTION",
            Code::NoActiveTransaction => "NO_ACTIVE_TRANSACTION",
            Code::InvalidSavepoint => "INVALID_SAVEPOINT",
            Code::InvalidCursor => "INVALID_CURSOR",
            Code::InvalidPreparedStatement => "INVALID_PREPARED_STATEMENT",
            Code::DuplicatePreparedStatement => "DUPLICATE_PREPARED_STATEMENT",
            Code::DuplicateCursor => "DUPLICATE_CURSOR",
            Code::FileChanged => "HIVE_FILE_CHANGED",
            Code::ResultTypeChanged => "RESULT_TYPE_CHANGED",
            Code::ResultNotStored => "RESULT_NOT_STORED",
            Code::SessionRequired => "SESSION_REQUIRED",
            Code::BadData => "HIVE_BAD_DATA",
            Code::LocationRefused => "LOCATION_REFUSED",
            Code::Storage => "HIVE_FILESYSTEM_ERROR",
            Code::ShuttingDown => "SERVER_SHUTTING_DOWN",
            Code::StartingUp => "SERVER_STARTING_UP",
            Code::ProtocolViolation => "PROTOCOL_VIOLATION",
            Code::Internal => "GENERIC_INTERNAL_ERROR",
        }
    }
}

impl Code {
    /// Whether the error concerns the limits or the end of the whole query, whatever it reads.
    pub fn is_about_the_run(self) -> bool {
        matches!(
            self,
            Code::BytesScannedCutoff
                | Code::CpuTimeLimit
                | Code::RunTimeLimit
                | Code::RowsReturnedLimit
                | Code::ClientStalled
                | Code::TooManyQueries
                | Code::OutOfMemory
                | Code::OutOfSpillSpace
                | Code::TooComplex
                | Code::QueryCancelled
                | Code::StatementTimeout
                | Code::SessionEnded
                | Code::ShuttingDown
        )
    }

    /// Whether the error concerns the query and its privileges, and never the contents of a file in
    /// the lake.
    fn is_about_the_query(self) -> bool {
        matches!(
            self,
            Code::DataException
                | Code::SubqueryRows
                | Code::TypeMismatch
                | Code::DivisionByZero
                | Code::InvalidCast
                | Code::NumericOutOfRange
                | Code::InvalidParameter
                | Code::InvalidQuery
                | Code::NotSupported
                | Code::FunctionNotFound
                | Code::BytesScannedCutoff
                | Code::TooManyQueries
                | Code::OutOfMemory
                | Code::OutOfSpillSpace
                | Code::QueryCancelled
                | Code::StatementTimeout
                | Code::ShuttingDown
                | Code::SessionEnded
        )
    }
}

impl Code {
    /// Whether the error concerns a value (any text) of a column that was read.
    fn is_about_a_value(self) -> bool {
        matches!(
            self,
            Code::DataException
                | Code::DivisionByZero
                | Code::InvalidCast
                | Code::NumericOutOfRange
        )
    }
}

/// An error for the user: what was wrong, where, and what would be right.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    position: Option<usize>,
    hint: Option<Cow<'static, str>>,
    detail: Option<Cow<'static, str>>,
    query_id: Option<uuid::Uuid>,
    /// The text after `a file of curated.orders`, for a principal that may not know which file, or
    /// what it contains.
    of_a_file: Option<Cow<'static, str>>,
    /// The error as it was before [`Error::withheld`]; for the server's log only.
    full: Option<String>,
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
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: shortened(message.into()),
            position: None,
            hint: None,
            detail: None,
            query_id: None,
            of_a_file: None,
            full: None,
        }))
    }

    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, message)
    }

    pub fn not_supported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotSupported, message)
    }

    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidParameter, message)
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// `position`: in characters from the start of what the client sent, from 1.
    #[must_use]
    pub fn with_position(mut self, position: usize) -> Self {
        self.0.position = Some(position);
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
            Code::InvalidCast => "a value cannot be cast",
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

    pub fn code(&self) -> Code {
        self.0.code
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

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
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

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let code = match &error {
            CatalogError::NotFound {
                kind: Kind::Database,
                ..
            } => Code::SchemaNotFound,
            CatalogError::NotFound {
                kind: Kind::Table, ..
            } => Code::TableNotFound,
            CatalogError::NotFound {
                kind: Kind::Column, ..
            } => Code::ColumnNotFound,
            CatalogError::NotFound { .. } => Code::UndefinedObject,
            CatalogError::AlreadyExists {
                kind: Kind::Database,
                ..
            } => Code::DuplicateDatabase,
            CatalogError::AlreadyExists {
                kind: Kind::Table, ..
            } => Code::DuplicateTable,
            CatalogError::AlreadyExists {
                kind: Kind::Column, ..
            } => Code::DuplicateColumn,
            CatalogError::AlreadyExists { .. } => Code::DuplicateObject,
            CatalogError::InvalidInput(_) => Code::InvalidParameter,
            CatalogError::NotEmpty { .. } => Code::ObjectInUse,
            CatalogError::Conflict { .. } => Code::FileChanged,
            CatalogError::Locked { .. }
            | CatalogError::NewerSchema { .. }
            | CatalogError::Storage(_) => Code::Storage,
        };
        Error::new(code, error.to_string())
    }
}

/// Carries an [`Error`] through the engine and back, with its code.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// Finds the [`Error`] that a library's error carries as its source.
pub fn find(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours.clone());
        }
        // An error that passes through the engine twice is shared, and hides its source.
        if let Some(DataFusionError::Shared(shared)) = error.downcast_ref::<DataFusionError>() {
            return find(shared.as_ref());
        }
        next = error.source();
    }
    None
}

/// The engine's schema for names without a database. No database can have this name, since names
/// contain no `/`.
pub const UNQUALIFIED: &str = "/";

/// The same message whether the table is missing or not granted.
pub fn table_not_found(name: &str) -> Error {
    let shown = name.replace('"', "");
    let hint = match shown.split_once('.') {
        Some((schema, _)) if RESERVED_DATABASES.contains(&schema) => built_in_hint(schema),
        Some((database, _)) => format!("SHOW TABLES IN {database} lists those you may see"),
        // Unqualified names of that form are looked up in pg_catalog.
        None if shown.starts_with("pg_") => built_in_hint("pg_catalog"),
        None => "SHOW TABLES lists those you may see".to_owned(),
    };
    Error::new(
        Code::TableNotFound,
        format!("relation \"{shown}\" does not exist"),
    )
    .with_hint(hint)
}

/// The hint for a built-in schema, which SHOW TABLES does not list.
pub fn built_in_hint(schema: &str) -> String {
    format!(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{schema}' tells what is in it"
    )
}

/// The same message whether the column is missing or not granted.
pub fn column_not_found(name: &str) -> Error {
    Error::new(
        Code::ColumnNotFound,
        format!("column \"{}\" does not exist", name.replace('"', "")),
    )
}

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
    fn messages_are_bounded() {
        let long = Error::invalid("ü".repeat(100_000));
        assert!(long.message().len() < MAX_MESSAGE + 100);
        assert!(long.message().ends_with(" … (200000 bytes)"));
        assert_eq!(Error::invalid("short").message(), "short");
    }

    #[test]
    fn hint_about_a_missing_table_is_a_statement_that_works() {
        for (name, hint) in [
            ("curated.x", "SHOW TABLES IN curated"),
            ("x", "SHOW TABLES lists"),
            ("pg_catalog.pg_x", "table_schema = 'pg_catalog'"),
            ("pg_x", "table_schema = 'pg_catalog'"),
            (
                "information_schema.x",
                "table_schema = 'information_schema'",
            ),
            ("system.x", "table_schema = 'system'"),
        ] {
            let error = table_not_found(name);
            assert!(
                error.hint().is_some_and(|shown| shown.contains(hint)),
                "{name}: {error:?}"
            );
        }
    }
}
