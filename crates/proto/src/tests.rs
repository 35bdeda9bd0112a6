//! Expected bytes are literals, written by hand from the formats, so that changes of a definition
//! or of the compiler are noticed.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use prost::Message;

use crate::arrow::flight::protocol::session_option_value::{OptionValue, StringListValue};
use crate::arrow::flight::protocol::set_session_options_result::{Error, ErrorValue};
use crate::arrow::flight::protocol::{
    CloseSessionRequest, CloseSessionResult, GetSessionOptionsRequest, GetSessionOptionsResult,
    SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult, close_session_result,
};
use crate::athena::column::Nullable;
use crate::athena::{Column, ResultMetadata};
use crate::google::rpc::{ErrorInfo, Status};

/// Checks that the message encodes to these bytes and the bytes decode to this message. Decoding
/// truncated bytes may fail but must not panic.
fn is<M: Message + Default + PartialEq + Debug>(message: &M, bytes: &[u8]) {
    assert_eq!(
        message.encode_to_vec().escape_ascii().to_string(),
        bytes.escape_ascii().to_string(),
        "{message:?}"
    );
    assert_eq!(M::decode(bytes).as_ref(), Ok(message));
    for end in 0..bytes.len() {
        let _ = M::decode(&bytes[..end]);
    }
}

fn option(value: OptionValue) -> SessionOptionValue {
    SessionOptionValue {
        option_value: Some(value),
    }
}

fn text(value: &str) -> SessionOptionValue {
    option(OptionValue::StringValue(value.to_owned()))
}

#[test]
fn option_values_are_those_of_flight() {
    is(&text("curated"), b"\x0a\x07curated");
    is(&option(OptionValue::BoolValue(true)), b"\x10\x01");
    is(
        &option(OptionValue::Int64Value(-2)),
        b"\x19\xfe\xff\xff\xff\xff\xff\xff\xff",
    );
    is(
        &option(OptionValue::DoubleValue(1.5)),
        b"\x21\x00\x00\x00\x00\x00\x00\xf8\x3f",
    );
    let values = vec!["raw".to_owned(), "curated".to_owned()];
    is(
        &option(OptionValue::StringListValue(StringListValue { values })),
        b"\x2a\x0e\x0a\x03raw\x0a\x07curated",
    );
}

/// A value that is 0 or empty sets an option; no value unsets it.
#[test]
fn empty_values_differ_from_no_value() {
    is(&SessionOptionValue { option_value: None }, b"");
    is(&text(""), b"\x0a\x00");
    is(&option(OptionValue::BoolValue(false)), b"\x10\x00");
    is(
        &option(OptionValue::Int64Value(0)),
        b"\x19\x00\x00\x00\x00\x00\x00\x00\x00",
    );
    is(
        &option(OptionValue::StringListValue(StringListValue::default())),
        b"\x2a\x00",
    );
}

#[test]
fn options_travel_in_the_order_of_their_names() {
    let session_options = [
        ("workgroup".to_owned(), SessionOptionValue::default()),
        (
            "batch_size".to_owned(),
            option(OptionValue::Int64Value(1_000)),
        ),
        ("schema".to_owned(), text("curated")),
    ];
    let bytes = b"\x0a\x17\x0a\x0abatch_size\x12\x09\x19\xe8\x03\x00\x00\x00\x00\x00\x00\
        \x0a\x13\x0a\x06schema\x12\x09\x0a\x07curated\
        \x0a\x0b\x0a\x09workgroup";
    let set = SetSessionOptionsRequest {
        session_options: session_options.clone().into(),
    };
    is(&set, bytes);
    let got = GetSessionOptionsResult {
        session_options: session_options.into(),
    };
    is(&got, bytes);
}

/// Other encoders write the value of an entry even if it is empty, and the name after it.
#[test]
fn entries_are_read_in_either_order() {
    let bytes = b"\x0a\x0d\x0a\x09workgroup\x12\x00\x0a\x09\x12\x03\x0a\x01v\x0a\x02ab";
    let read = SetSessionOptionsRequest::decode(&bytes[..]).unwrap();
    let expected = [
        ("ab".to_owned(), text("v")),
        ("workgroup".to_owned(), SessionOptionValue::default()),
    ];
    assert_eq!(read.session_options, expected.into());
}

#[test]
fn errors_of_options_are_those_of_flight() {
    let error = |value: ErrorValue| Error {
        value: value.into(),
    };
    let result = SetSessionOptionsResult {
        errors: [
            ("a".to_owned(), error(ErrorValue::InvalidName)),
            ("b".to_owned(), error(ErrorValue::InvalidValue)),
            ("c".to_owned(), error(ErrorValue::Error)),
        ]
        .into(),
    };
    is(
        &result,
        b"\x0a\x07\x0a\x01a\x12\x02\x08\x01\
        \x0a\x07\x0a\x01b\x12\x02\x08\x02\
        \x0a\x07\x0a\x01c\x12\x02\x08\x03",
    );
    is(&SetSessionOptionsResult::default(), b"");
}

#[test]
fn closing_answers_how_far_it_is() {
    use close_session_result::Status;
    is(&GetSessionOptionsRequest {}, b"");
    is(&CloseSessionRequest {}, b"");
    let result = |status: Status| CloseSessionResult {
        status: status.into(),
    };
    is(&result(Status::Unspecified), b"");
    is(&result(Status::Closed), b"\x08\x01");
    is(&result(Status::Closing), b"\x08\x02");
    is(&result(Status::NotCloseable), b"\x08\x03");
}

/// As read by a client that is older than the server.
#[test]
fn unknown_values_of_an_enumeration_read_as_unspecified() {
    use close_session_result::Status;
    let read = CloseSessionResult::decode(&b"\x08\x63"[..]).unwrap();
    assert_eq!((read.status, read.status()), (99, Status::Unspecified));
    assert!(Status::try_from(99).is_err());
}

#[test]
fn unknown_fields_are_skipped_and_not_written_again() {
    // Fields 15 (varint), 16 (text), 17 (8 bytes) and 18 (4 bytes).
    let unknown = b"\x78\x96\x01\x82\x01\x03new\x89\x01\x01\x02\x03\x04\x05\x06\x07\x08\
        \x95\x01\x01\x02\x03\x04";
    let known = b"\x0a\x13\x0a\x06schema\x12\x09\x0a\x07curated";
    for bytes in [
        [&unknown[..], known].concat(),
        [known, &unknown[..]].concat(),
    ] {
        let read = SetSessionOptionsRequest::decode(&bytes[..]).unwrap();
        assert_eq!(read.encode_to_vec(), known);
    }
    assert!(CloseSessionRequest::decode(&unknown[..]).is_ok());
    // A kind of value that Flight may add later. Decoding it yields no value.
    let value = SessionOptionValue::decode(&b"\x32\x01x"[..]).unwrap();
    assert_eq!(value.option_value, None);
}

#[test]
fn bytes_of_no_message_are_refused() {
    let broken: [&[u8]; 6] = [
        // Truncated in a varint, in a length, in an entry.
        b"\x0a",
        b"\x0a\xff",
        b"\x0a\x05\x0a\x06schema",
        // A name that is not UTF-8.
        b"\x0a\x03\x0a\x01\xff",
        // A varint where an entry belongs.
        b"\x08\x01",
        // Field 0.
        b"\x02\x00",
    ];
    for bytes in broken {
        let read = SetSessionOptionsRequest::decode(bytes);
        assert!(read.is_err(), "{}: {read:?}", bytes.escape_ascii());
    }
    // A length beyond all memory allocates nothing.
    let huge = b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
    assert!(ResultMetadata::decode(&huge[..]).is_err());
}

#[test]
fn last_value_counts_when_there_are_two() {
    let value = SessionOptionValue::decode(&b"\x10\x01\x0a\x01x"[..]).unwrap();
    assert_eq!(value, text("x"));
}

#[test]
fn errors_carry_their_details_as_google_defines_them() {
    let info = ErrorInfo {
        reason: "TABLE_NOT_FOUND".to_owned(),
        domain: "lakegate".to_owned(),
        metadata: [("sqlstate", "42P01"), ("position", "15")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    };
    let bytes = b"\x0a\x0fTABLE_NOT_FOUND\x12\x08lakegate\
        \x1a\x0e\x0a\x08position\x12\x0215\
        \x1a\x11\x0a\x08sqlstate\x12\x0542P01";
    is(&info, bytes);
    let status = Status {
        code: 5,
        message: "no".to_owned(),
        details: vec![prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    let head = b"\x08\x05\x12\x02no\
        \x1a\x6a\x0a\x28type.googleapis.com/google.rpc.ErrorInfo\x12\x3e";
    is(&status, &[&head[..], bytes].concat());
}

fn column(name: &str, kind: &str) -> Column {
    Column {
        catalog_name: "hive".to_owned(),
        name: name.to_owned(),
        label: name.to_owned(),
        r#type: kind.to_owned(),
        precision: None,
        scale: None,
        nullable: Nullable::Unknown.into(),
        case_sensitive: None,
    }
}

/// Columns of Athena's types; in some a field is 0, in others it is absent.
#[test]
fn columns_have_the_fields_that_athena_writes() {
    let exact = |name: &str, kind: &str, precision, scale, case_sensitive| Column {
        precision: Some(precision),
        scale: Some(scale),
        case_sensitive: Some(case_sensitive),
        ..column(name, kind)
    };
    is(
        &exact("i", "integer", 10, 0, false),
        b"\x0a\x04hive\x22\x01i\x2a\x01i\x32\x07integer\x38\x0a\x40\x00\x48\x03\x50\x00",
    );
    is(
        &exact("d", "decimal", 10, 2, false),
        b"\x0a\x04hive\x22\x01d\x2a\x01d\x32\x07decimal\x38\x0a\x40\x02\x48\x03\x50\x00",
    );
    is(
        &exact("v", "varchar", 3, 0, true),
        b"\x0a\x04hive\x22\x01v\x2a\x01v\x32\x07varchar\x38\x03\x40\x00\x48\x03\x50\x01",
    );
    is(
        &exact("b", "varbinary", 1_073_741_824, 0, false),
        b"\x0a\x04hive\x22\x01b\x2a\x01b\x32\x09varbinary\
        \x38\x80\x80\x80\x80\x04\x40\x00\x48\x03\x50\x00",
    );
    let date = Column {
        scale: Some(0),
        case_sensitive: Some(false),
        ..column("d", "date")
    };
    is(
        &date,
        b"\x0a\x04hive\x22\x01d\x2a\x01d\x32\x04date\x40\x00\x48\x03\x50\x00",
    );
    let boolean = Column {
        case_sensitive: Some(false),
        ..column("b", "boolean")
    };
    is(
        &boolean,
        b"\x0a\x04hive\x22\x01b\x2a\x01b\x32\x07boolean\x48\x03\x50\x00",
    );
    is(
        &column("m", "map"),
        b"\x0a\x04hive\x22\x01m\x2a\x01m\x32\x03map\x48\x03",
    );
}

#[test]
fn writing_statements_tell_what_they_did_even_to_no_rows() {
    let rows = Column {
        precision: Some(19),
        scale: Some(0),
        case_sensitive: Some(false),
        ..column("rows", "bigint")
    };
    let update = |count| ResultMetadata {
        query_id: "20260917_085344_00007_k6s5b".to_owned(),
        update_type: Some("UPDATE".to_owned()),
        update_count: Some(count),
        columns: vec![rows.clone()],
    };
    is(
        &update(0),
        b"\x0a\x1b20260917_085344_00007_k6s5b\x12\x06UPDATE\x18\x00\
        \x22\x22\x0a\x04hive\x22\x04rows\x2a\x04rows\x32\x06bigint\x38\x13\x40\x00\x48\x03\x50\x00",
    );
    is(
        &update(300),
        b"\x0a\x1b20260917_085344_00007_k6s5b\x12\x06UPDATE\x18\xac\x02\
        \x22\x22\x0a\x04hive\x22\x04rows\x2a\x04rows\x32\x06bigint\x38\x13\x40\x00\x48\x03\x50\x00",
    );
    let dropped = ResultMetadata {
        query_id: "20260917_085344_00007_k6s5b".to_owned(),
        update_type: Some("DROP TABLE".to_owned()),
        update_count: None,
        columns: Vec::new(),
    };
    is(
        &dropped,
        b"\x0a\x1b20260917_085344_00007_k6s5b\x12\x0aDROP TABLE",
    );
}

#[test]
fn reading_statements_have_their_columns_only() {
    let described = ResultMetadata {
        query_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        update_type: None,
        update_count: None,
        columns: vec![column("col_name", "string"), column("comment", "string")],
    };
    is(
        &described,
        b"\x0a\x2400000000-0000-4000-8000-000000000000\
        \x22\x24\x0a\x04hive\x22\x08col_name\x2a\x08col_name\x32\x06string\x48\x03\
        \x22\x22\x0a\x04hive\x22\x07comment\x2a\x07comment\x32\x06string\x48\x03",
    );
}

#[test]
fn schema_and_table_of_a_column_are_skipped() {
    let bytes = b"\x22\x0d\x12\x03sys\x1a\x01t\x22\x01i\x48\x02";
    let read = ResultMetadata::decode(&bytes[..]).unwrap();
    let [column] = &read.columns[..] else {
        unreachable!("{read:?}");
    };
    assert_eq!(column.name, "i");
    assert_eq!(column.nullable(), Nullable::Nullable);
    assert_eq!((column.precision, column.case_sensitive), (None, None));
}
