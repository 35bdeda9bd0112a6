//! The kinds of failures, with what every endpoint calls them.

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
    AmbiguousFunction,
    UndefinedObject,
    UndefinedParameter,
    DuplicateDatabase,
    DuplicateTable,
    DuplicateColumn,
    DuplicateObject,
    ObjectInUse,
    FixedParameter,
    InvalidQuery,
    GroupingError,
    WindowingError,
    InvalidRecursion,
    WrongObjectType,
    DuplicateAlias,
    InvalidColumnReference,
    CannotCoerce,
    InvalidRegex,
    InvalidLimit,
    InvalidOffset,
    InvalidLogarithm,
    InvalidPower,
    InvalidBucket,
    InvalidFrameOffset,
    NullNotAllowed,
    InvalidNtile,
    InvalidNthValue,
    InvalidEscape,
    InvalidSubstring,
    LengthMismatch,
    InvalidEncoding,
    UntranslatableCharacter,
    DataException,
    SubqueryRows,
    ArraySubscript,
    JsonSubscript,
    JsonDatetime,
    JsonArgument,
    JsonSingle,
    JsonArray,
    JsonMember,
    JsonOperand,
    JsonObject,
    TypeMismatch,
    DivisionByZero,
    InvalidCast,
    InvalidDatetime,
    DatetimeOutOfRange,
    IntervalOutOfRange,
    ZoneOutOfRange,
    NumericOutOfRange,
    TextTooLong,
    NotNullViolation,
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
    BytesWrittenLimit,
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
    ReadOnlyTransaction,
    NoActiveTransaction,
    InvalidSavepoint,
    InvalidCursor,
    ForwardOnlyCursor,
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
            Code::AmbiguousFunction => "42725",
            Code::UndefinedObject => "42704",
            Code::UndefinedParameter => "42P02",
            Code::DuplicateDatabase => "42P06",
            Code::DuplicateTable => "42P07",
            Code::DuplicateColumn => "42701",
            Code::DuplicateObject => "42710",
            Code::ObjectInUse => "2BP01",
            Code::FixedParameter => "55P02",
            Code::InvalidQuery => "42000",
            Code::GroupingError => "42803",
            Code::WindowingError => "42P20",
            Code::InvalidRecursion => "42P19",
            Code::WrongObjectType => "42809",
            Code::DuplicateAlias => "42712",
            Code::InvalidColumnReference => "42P10",
            Code::CannotCoerce => "42846",
            Code::InvalidRegex => "2201B",
            Code::InvalidLimit => "2201W",
            Code::InvalidOffset => "2201X",
            Code::InvalidLogarithm => "2201E",
            Code::InvalidPower => "2201F",
            Code::InvalidBucket => "2201G",
            Code::InvalidFrameOffset => "22013",
            Code::NullNotAllowed => "22004",
            Code::InvalidNtile => "22014",
            Code::InvalidNthValue => "22016",
            Code::InvalidEscape => "22025",
            Code::InvalidSubstring => "22011",
            Code::LengthMismatch => "22026",
            Code::InvalidEncoding => "22021",
            Code::UntranslatableCharacter => "22P05",
            Code::DataException => "22000",
            Code::SubqueryRows => "21000",
            Code::ArraySubscript => "2202E",
            Code::JsonSubscript => "22033",
            Code::JsonDatetime => "22031",
            Code::JsonArgument => "22036",
            Code::JsonSingle => "22038",
            Code::JsonArray => "22039",
            Code::JsonMember => "2203A",
            Code::JsonOperand => "2203B",
            Code::JsonObject => "2203C",
            Code::TypeMismatch => "42804",
            Code::DivisionByZero => "22012",
            Code::InvalidCast => "22P02",
            Code::InvalidDatetime => "22007",
            Code::DatetimeOutOfRange => "22008",
            Code::IntervalOutOfRange => "22015",
            Code::ZoneOutOfRange => "22009",
            Code::NumericOutOfRange => "22003",
            Code::TextTooLong => "22001",
            Code::NotNullViolation => "23502",
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
            | Code::RowsReturnedLimit
            | Code::BytesWrittenLimit => "54000",
            Code::TooManyQueries => "53400",
            Code::TooManyConnections => "53300",
            Code::OutOfMemory => "53200",
            Code::ResultTooLarge => "54000",
            Code::TooComplex => "54001",
            Code::OutOfSpillSpace => "53100",
            Code::QueryCancelled | Code::StatementTimeout | Code::ClientStalled => "57014",
            Code::FailedTransaction => "25P02",
            Code::ActiveTransaction => "25001",
            Code::ReadOnlyTransaction => "25006",
            Code::NoActiveTransaction => "25P01",
            Code::InvalidSavepoint => "3B001",
            Code::InvalidCursor => "34000",
            Code::InvalidPreparedStatement => "26000",
            Code::DuplicatePreparedStatement => "42P05",
            Code::DuplicateCursor => "42P03",
            Code::FileChanged => "40001",
            Code::ResultTypeChanged => "0A000",
            Code::ResultNotStored | Code::SessionRequired | Code::ForwardOnlyCursor => "55000",
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
            Code::AmbiguousColumn | Code::AmbiguousFunction => "AMBIGUOUS_NAME",
            Code::UndefinedObject => "NOT_FOUND",
            Code::UndefinedParameter => "INVALID_PARAMETER_USAGE",
            Code::DuplicateDatabase => "SCHEMA_ALREADY_EXISTS",
            Code::DuplicateTable => "TABLE_ALREADY_EXISTS",
            Code::DuplicateColumn => "COLUMN_ALREADY_EXISTS",
            Code::DuplicateObject => "ALREADY_EXISTS",
            Code::ObjectInUse => "OBJECT_IN_USE",
            Code::FixedParameter => "PARAMETER_NOT_CHANGEABLE",
            Code::InvalidQuery => "INVALID_QUERY",
            Code::GroupingError => "EXPRESSION_NOT_AGGREGATE",
            Code::WindowingError => "INVALID_WINDOW",
            Code::InvalidRecursion => "INVALID_RECURSION",
            Code::WrongObjectType => "INVALID_OBJECT_TYPE",
            Code::DuplicateAlias => "DUPLICATE_NAME",
            Code::InvalidColumnReference => "INVALID_COLUMN_REFERENCE",
            Code::CannotCoerce => "INVALID_CAST",
            Code::InvalidRegex => "INVALID_REGULAR_EXPRESSION",
            Code::InvalidLimit => "INVALID_LIMIT_CLAUSE",
            Code::InvalidOffset => "INVALID_OFFSET_CLAUSE",
            Code::InvalidLogarithm
            | Code::InvalidPower
            | Code::InvalidBucket
            | Code::InvalidFrameOffset
            | Code::NullNotAllowed
            | Code::InvalidNtile
            | Code::InvalidNthValue
            | Code::InvalidEscape
            | Code::InvalidSubstring
            | Code::LengthMismatch
            | Code::InvalidEncoding
            | Code::UntranslatableCharacter => "INVALID_FUNCTION_ARGUMENT",
            Code::DataException => "GENERIC_USER_ERROR",
            Code::SubqueryRows => "SUBQUERY_MULTIPLE_ROWS",
            Code::ArraySubscript => "INVALID_ARRAY_SUBSCRIPT",
            Code::JsonSubscript => "INVALID_JSON_SUBSCRIPT",
            Code::JsonDatetime => "INVALID_JSON_DATETIME",
            Code::JsonArgument => "NON_NUMERIC_JSON_ITEM",
            Code::JsonSingle => "SINGLE_JSON_ITEM_REQUIRED",
            Code::JsonArray => "JSON_ARRAY_NOT_FOUND",
            Code::JsonMember => "JSON_MEMBER_NOT_FOUND",
            Code::JsonOperand => "JSON_NUMBER_NOT_FOUND",
            Code::JsonObject => "JSON_OBJECT_NOT_FOUND",
            Code::TypeMismatch => "TYPE_MISMATCH",
            Code::DivisionByZero => "DIVISION_BY_ZERO",
            Code::InvalidCast
            | Code::InvalidDatetime
            | Code::DatetimeOutOfRange
            | Code::IntervalOutOfRange
            | Code::ZoneOutOfRange
            | Code::TextTooLong => "INVALID_CAST_ARGUMENT",
            Code::NumericOutOfRange => "NUMERIC_VALUE_OUT_OF_RANGE",
            Code::NotNullViolation => "CONSTRAINT_VIOLATION",
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
            Code::BytesWrittenLimit => "EXCEEDED_BYTES_WRITTEN_LIMIT",
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
            Code::ReadOnlyTransaction => "READ_ONLY_VIOLATION",
            Code::NoActiveTransaction => "NO_ACTIVE_TRANSACTION",
            Code::InvalidSavepoint => "INVALID_SAVEPOINT",
            Code::InvalidCursor => "INVALID_CURSOR",
            Code::ForwardOnlyCursor => "CURSOR_FORWARD_ONLY",
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
                | Code::BytesWrittenLimit
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
    pub(crate) fn is_about_the_query(self) -> bool {
        self.is_of_data()
            || matches!(
                self,
                Code::SubqueryRows
                    | Code::TypeMismatch
                    | Code::InvalidQuery
                    | Code::GroupingError
                    | Code::WindowingError
                    | Code::InvalidRecursion
                    | Code::WrongObjectType
                    | Code::DuplicateAlias
                    | Code::InvalidColumnReference
                    | Code::CannotCoerce
                    | Code::InvalidLimit
                    | Code::InvalidOffset
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
    /// Whether the error is one of a row's values: a cast, a division, a range, an argument. `TRY`
    /// catches these.
    pub fn is_of_data(self) -> bool {
        self.is_about_a_value()
            || matches!(
                self,
                Code::ArraySubscript
                    | Code::JsonSubscript
                    | Code::JsonDatetime
                    | Code::JsonArgument
                    | Code::JsonSingle
                    | Code::JsonArray
                    | Code::JsonMember
                    | Code::JsonOperand
                    | Code::JsonObject
                    | Code::InvalidParameter
                    | Code::InvalidRegex
            )
    }

    /// Whether the error concerns a value (any text) of a column that was read.
    pub(crate) fn is_about_a_value(self) -> bool {
        matches!(
            self,
            Code::DataException
                | Code::DivisionByZero
                | Code::InvalidCast
                | Code::InvalidDatetime
                | Code::DatetimeOutOfRange
                | Code::IntervalOutOfRange
                | Code::ZoneOutOfRange
                | Code::NumericOutOfRange
                | Code::InvalidLogarithm
                | Code::InvalidPower
                | Code::InvalidBucket
                | Code::InvalidFrameOffset
                | Code::NullNotAllowed
                | Code::InvalidNtile
                | Code::InvalidNthValue
                | Code::InvalidEscape
                | Code::InvalidSubstring
                | Code::LengthMismatch
                | Code::InvalidEncoding
                | Code::UntranslatableCharacter
        )
    }
}
