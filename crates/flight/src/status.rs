//! Errors in gRPC's form: a code, a message with its hint, and machine-readable `google.rpc.Status`
//! details.

use std::collections::BTreeMap;

use bytes::Bytes;
use lakegate_error::{Code, Error};
use lakegate_proto::google::rpc;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Code as Grpc, Status};

/// The maximum bytes of a message; longer ones are cut. Messages are sent in headers, and some
/// clients accept at most 8 KiB of headers.
const MAX_MESSAGE: usize = 1_500;

pub(super) fn code_of(code: Code) -> Grpc {
    match code {
        Code::SyntaxError
        | Code::AmbiguousColumn
        | Code::AmbiguousFunction
        | Code::InvalidQuery
        | Code::GroupingError
        | Code::WindowingError
        | Code::InvalidRecursion
        | Code::WrongObjectType
        | Code::DuplicateAlias
        | Code::InvalidColumnReference
        | Code::CannotCoerce
        | Code::InvalidRegex
        | Code::InvalidLimit
        | Code::InvalidOffset
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
        | Code::DataException
        | Code::SubqueryRows
        | Code::ArraySubscript
        | Code::JsonSubscript
        | Code::JsonDatetime
        | Code::JsonArgument
        | Code::JsonSingle
        | Code::JsonArray
        | Code::JsonMember
        | Code::JsonOperand
        | Code::JsonObject
        | Code::TypeMismatch
        | Code::DivisionByZero
        | Code::InvalidCast
        | Code::InvalidDatetime
        | Code::DatetimeOutOfRange
        | Code::IntervalOutOfRange
        | Code::ZoneOutOfRange
        | Code::NumericOutOfRange
        | Code::TextTooLong
        | Code::NotNullViolation
        | Code::InvalidParameter
        | Code::UndefinedParameter
        | Code::InvalidName
        | Code::InvalidTable
        | Code::InvalidView
        | Code::ProtocolViolation => Grpc::InvalidArgument,
        Code::TableNotFound
        | Code::ColumnNotFound
        | Code::SchemaNotFound
        | Code::CatalogNotFound
        | Code::FunctionNotFound
        | Code::UndefinedObject
        | Code::InvalidCursor
        | Code::InvalidPreparedStatement => Grpc::NotFound,
        Code::DuplicateDatabase
        | Code::DuplicateTable
        | Code::DuplicateColumn
        | Code::DuplicateObject
        | Code::DuplicatePreparedStatement
        | Code::DuplicateCursor => Grpc::AlreadyExists,
        Code::NotSupported => Grpc::Unimplemented,
        Code::PermissionDenied | Code::LocationRefused => Grpc::PermissionDenied,
        Code::InvalidPassword | Code::SessionEnded => Grpc::Unauthenticated,
        Code::BytesScannedCutoff
        | Code::CpuTimeLimit
        | Code::RowsReturnedLimit
        | Code::BytesWrittenLimit
        | Code::TooManyQueries
        | Code::TooManyConnections
        | Code::OutOfMemory
        | Code::ResultTooLarge
        | Code::TooComplex
        | Code::OutOfSpillSpace => Grpc::ResourceExhausted,
        Code::QueryCancelled | Code::ClientStalled => Grpc::Cancelled,
        Code::StatementTimeout | Code::RunTimeLimit => Grpc::DeadlineExceeded,
        Code::ObjectInUse
        | Code::FixedParameter
        | Code::ForwardOnlyCursor
        | Code::FailedTransaction
        | Code::ActiveTransaction
        | Code::ReadOnlyTransaction
        | Code::NoActiveTransaction
        | Code::InvalidSavepoint
        | Code::ResultTypeChanged
        | Code::ResultNotStored
        | Code::SessionRequired => Grpc::FailedPrecondition,
        Code::FileChanged => Grpc::Aborted,
        Code::BadData => Grpc::DataLoss,
        Code::Storage | Code::ShuttingDown | Code::StartingUp => Grpc::Unavailable,
        Code::Internal => Grpc::Internal,
    }
}

/// Like [`status`], for `map_err`.
pub(super) fn to_status(error: Error) -> Status {
    status(&error)
}

/// Converts an error. The trailers have `sqlstate`, `lakegate-error` and, if there is a query,
/// `lakegate-query-id`; the details have these and the hint as `google.rpc.ErrorInfo`.
pub(super) fn status(error: &Error) -> Status {
    with_code(code_of(error.code()), error)
}

/// Converts the error of a statement that cannot be prepared. ADBC reads UNIMPLEMENTED as a server
/// without prepared statements, and drops the message.
pub(super) fn not_prepared(error: &Error) -> Status {
    let code = match code_of(error.code()) {
        Grpc::Unimplemented => Grpc::InvalidArgument,
        other => other,
    };
    with_code(code, error)
}

/// Builds the status for missing, wrong or expired credentials.
pub(super) fn unauthenticated(message: &'static str) -> Status {
    status(&Error::new(Code::InvalidPassword, message))
}

fn with_code(code: Grpc, error: &Error) -> Status {
    let mut message = error.message().to_owned();
    if let Some(detail) = error.detail() {
        message = format!("{message}\nDETAIL: {detail}");
    }
    if let Some(hint) = error.hint().filter(|hint| !hint.is_empty()) {
        message = format!("{message}\nHINT: {hint}");
    }
    let message = cut(message);
    let (sqlstate, name) = (error.code().sqlstate(), error.code().name());
    let mut known = BTreeMap::from([("sqlstate".to_owned(), sqlstate.to_owned())]);
    let mut metadata = MetadataMap::new();
    metadata.insert("sqlstate", ascii(sqlstate));
    metadata.insert("lakegate-error", ascii(name));
    if let Some(id) = error.query_id() {
        known.insert("query_id".to_owned(), id.to_string());
        metadata.insert("lakegate-query-id", ascii(&id.to_string()));
    }
    if let Some(position) = error.position() {
        known.insert("position".to_owned(), position.to_string());
    }
    let info = rpc::ErrorInfo {
        reason: name.to_owned(),
        domain: "lakegate".to_owned(),
        metadata: known,
    };
    let details = rpc::Status {
        code: code.into(),
        message: message.clone(),
        details: vec![prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    let details = Bytes::from(details.encode_to_vec());
    Status::with_details_and_metadata(code, message, details, metadata)
}

fn ascii(text: &str) -> tonic::metadata::MetadataValue<tonic::metadata::Ascii> {
    // Codes and ids are ASCII.
    text.parse()
        .unwrap_or_else(|_| tonic::metadata::MetadataValue::from_static("?"))
}

fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn status_has_message_hint_sqlstate_and_query() {
        let id = uuid::Uuid::new_v4();
        let error = Error::new(Code::TableNotFound, "relation \"t\" does not exist")
            .with_hint("SHOW TABLES lists those you may see")
            .with_position(15)
            .with_query(id);
        let status = status(&error);
        assert_eq!(status.code(), Grpc::NotFound);
        assert_eq!(
            status.message(),
            "relation \"t\" does not exist\nHINT: SHOW TABLES lists those you may see"
        );
        assert_eq!(status.metadata().get("sqlstate").unwrap(), "42P01");
        let details = rpc::Status::decode(status.details()).unwrap();
        let info = rpc::ErrorInfo::decode(details.details[0].value.as_slice()).unwrap();
        assert_eq!(info.reason, "TABLE_NOT_FOUND");
        assert_eq!(info.metadata["query_id"], id.to_string());
        assert_eq!(info.metadata["position"], "15");
    }

    #[test]
    fn long_messages_fit_into_a_header() {
        let status = status(&Error::invalid("ä".repeat(10_000)));
        assert!(status.message().len() < MAX_MESSAGE + 8);
        assert!(status.message().ends_with('…'));
    }
}
