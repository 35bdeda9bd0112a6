//! Backend messages other than rows. Formats: PostgreSQL's documentation, "Message Formats".

use bytes::{BufMut, BytesMut};
use lakegate_error::Error;
use lakegate_gateway::{Origin, TransactionStatus, Warning};

use super::encode::{Format, put_uint};
use super::types::PgType;

/// Appends a message: its type, its length, and what `body` writes.
pub(super) fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let start = out.len();
    out.put_u32(0);
    body(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a string. It ends at its first zero byte, so zero bytes in `text` are replaced by
/// spaces.
fn put_text(out: &mut BytesMut, text: &str) {
    if text.contains('\0') {
        out.put_slice(text.replace('\0', " ").as_bytes());
    } else {
        out.put_slice(text.as_bytes());
    }
    out.put_u8(0);
}

/// Messages without a body.
pub(super) mod tag {
    pub(crate) const PARSE_COMPLETE: u8 = b'1';
    pub(crate) const BIND_COMPLETE: u8 = b'2';
    pub(crate) const CLOSE_COMPLETE: u8 = b'3';
    pub(crate) const NO_DATA: u8 = b'n';
    pub(crate) const EMPTY_QUERY: u8 = b'I';
    pub(crate) const PORTAL_SUSPENDED: u8 = b's';
    pub(crate) const COPY_DONE: u8 = b'c';
}

pub(super) fn empty(out: &mut BytesMut, tag: u8) {
    message(out, tag, |_| {});
}

/// Codes of the Authentication message.
pub(super) enum Authentication<'a> {
    Ok,
    CleartextPassword,
    Sasl(&'a [&'a str]),
    SaslContinue(&'a str),
    SaslFinal(&'a str),
}

pub(super) fn authentication(out: &mut BytesMut, what: &Authentication<'_>) {
    message(out, b'R', |out| match what {
        Authentication::Ok => out.put_i32(0),
        Authentication::CleartextPassword => out.put_i32(3),
        Authentication::Sasl(mechanisms) => {
            out.put_i32(10);
            for mechanism in *mechanisms {
                put_text(out, mechanism);
            }
            out.put_u8(0);
        }
        Authentication::SaslContinue(data) => {
            out.put_i32(11);
            out.put_slice(data.as_bytes());
        }
        Authentication::SaslFinal(data) => {
            out.put_i32(12);
            out.put_slice(data.as_bytes());
        }
    });
}

/// Appends NegotiateProtocolVersion. The version is a full number, 196610 for 3.2, which is how
/// libpq reads it.
pub(super) fn negotiate_protocol_version(
    out: &mut BytesMut,
    minor: u16,
    unknown_options: &[String],
) {
    message(out, b'v', |out| {
        out.put_i32(3 << 16 | i32::from(minor));
        out.put_i32(unknown_options.len() as i32);
        for option in unknown_options {
            put_text(out, option);
        }
    });
}

pub(super) fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

pub(super) fn backend_key_data(out: &mut BytesMut, pid: i32, secret: &[u8]) {
    message(out, b'K', |out| {
        out.put_i32(pid);
        out.put_slice(secret);
    });
}

pub(super) fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    message(out, b'Z', |out| {
        out.put_u8(match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        });
    });
}

/// Appends CommandComplete. `rows`: the count that is part of the tag.
pub(super) fn command_complete(out: &mut BytesMut, tag: &str, rows: Option<u64>) {
    message(out, b'C', |out| {
        let Some(rows) = rows else {
            return put_text(out, tag);
        };
        out.put_slice(tag.as_bytes());
        // The 0 is historic: it was the OID of the inserted row.
        let between: &[u8] = if tag == "INSERT" { b" 0 " } else { b" " };
        out.put_slice(between);
        put_uint(out, rows);
        out.put_u8(0);
    });
}

/// Returns whether the tag of a statement with rows includes their count.
pub(super) fn counts_rows(tag: &str) -> bool {
    matches!(tag, "SELECT" | "INSERT" | "FETCH" | "COPY" | "MOVE")
}

pub(super) fn parameter_description(out: &mut BytesMut, oids: impl ExactSizeIterator<Item = u32>) {
    message(out, b't', |out| {
        out.put_u16(oids.len() as u16);
        for oid in oids {
            out.put_u32(oid);
        }
    });
}

pub(super) fn row_description<'a>(
    out: &mut BytesMut,
    columns: impl ExactSizeIterator<Item = (&'a str, Option<Origin>, PgType, Format)>,
) {
    message(out, b'T', |out| {
        out.put_u16(columns.len() as u16);
        for (name, origin, pg, format) in columns {
            put_text(out, name);
            out.put_u32(origin.map_or(0, |origin| origin.table));
            out.put_i16(origin.map_or(0, |origin| origin.column));
            out.put_u32(pg.oid);
            out.put_i16(pg.len);
            out.put_i32(pg.typmod);
            out.put_i16(format.code());
        }
    });
}

pub(super) fn copy_out_response(out: &mut BytesMut, format: Format, columns: usize) {
    copy_response(out, b'H', format, columns);
}

pub(super) fn copy_in_response(out: &mut BytesMut, format: Format, columns: usize) {
    copy_response(out, b'G', format, columns);
}

fn copy_response(out: &mut BytesMut, tag: u8, format: Format, columns: usize) {
    message(out, tag, |out| {
        out.put_i8(format.code() as i8);
        out.put_u16(columns as u16);
        for _ in 0..columns {
            out.put_i16(format.code());
        }
    });
}

/// Whether the error ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Fatal,
}

pub(super) fn error(out: &mut BytesMut, severity: Severity, error: &Error) {
    error_as(out, severity, error.code().sqlstate(), error);
}

/// Appends an error with an explicit SQLSTATE, where Postgres has a finer one than
/// [`lakegate_error::Code`].
pub(super) fn error_as(out: &mut BytesMut, severity: Severity, sqlstate: &str, error: &Error) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    message(out, b'E', |out| {
        let mut field = |code: u8, text: &str| {
            out.put_u8(code);
            put_text(out, text);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', sqlstate);
        field(b'M', error.message());
        if let Some(detail) = error.detail() {
            field(b'D', detail);
        }
        if let Some(hint) = error.hint() {
            field(b'H', hint);
        }
        if let Some(position) = error.position() {
            field(b'P', &position.to_string());
        }
        if let Some(context) = error.context() {
            field(b'W', context);
        }
        // Some drivers require these three fields.
        field(b'F', "lakegate");
        field(b'L', "1");
        field(b'R', error.code().name());
        out.put_u8(0);
    });
}

/// Appends a NoticeResponse.
pub(super) fn warning(out: &mut BytesMut, warning: &Warning) {
    message(out, b'N', |out| {
        let fields = [
            (b'S', warning.level.name()),
            (b'V', warning.level.name()),
            (b'C', warning.sqlstate),
            (b'M', warning.message.as_str()),
        ];
        for (code, text) in fields {
            out.put_u8(code);
            put_text(out, text);
        }
        out.put_u8(0);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;
    use lakegate_gateway::Level;

    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        out.to_vec()
    }

    #[test]
    fn messages_have_their_documented_bytes() {
        assert_eq!(
            written(|out| ready_for_query(out, TransactionStatus::Failed)),
            b"Z\0\0\0\x05E"
        );
        assert_eq!(
            written(|out| command_complete(out, "SELECT", Some(3))),
            b"C\0\0\0\x0dSELECT 3\0"
        );
        assert_eq!(
            written(|out| command_complete(out, "INSERT", Some(3))),
            b"C\0\0\0\x0fINSERT 0 3\0"
        );
        assert_eq!(
            written(|out| parameter_status(out, "a", "b")),
            b"S\0\0\0\x08a\0b\0"
        );
        assert_eq!(
            written(|out| parameter_description(out, [23].into_iter())),
            b"t\0\0\0\x0a\0\x01\0\0\0\x17"
        );
        assert_eq!(
            written(|out| authentication(out, &Authentication::Sasl(&["SCRAM-SHA-256"]))),
            b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"
        );
        assert_eq!(
            written(|out| negotiate_protocol_version(out, 2, &["_pq_.x".into()])),
            b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0"
        );
        let columns = [(
            "n",
            Some(Origin {
                table: 100_003,
                column: 2,
                length: None,
            }),
            crate::types::of_data_type(&datafusion::arrow::datatypes::DataType::Int32),
            Format::Binary,
        )];
        assert_eq!(
            written(|out| row_description(out, columns.into_iter())),
            b"T\0\0\0\x1a\0\x01n\0\0\x01\x86\xa3\0\x02\0\0\0\x17\0\x04\xff\xff\xff\xff\0\x01"
        );
    }

    #[test]
    fn warnings_are_notices() {
        let outside = Warning {
            level: Level::Warning,
            sqlstate: "25P01",
            message: "no\0block".to_owned(),
        };
        assert_eq!(
            written(|out| warning(out, &outside)),
            b"N\0\0\0\x28SWARNING\0VWARNING\0C25P01\0Mno block\0\0"
        );
    }

    #[test]
    fn errors_carry_all_that_drivers_read_and_no_zero_byte() {
        let failure = Error::new(Code::SyntaxError, "bad\0thing")
            .with_position(7)
            .with_hint("do well")
            .with_detail("more")
            .with_context("in line 3");
        let bytes = written(|out| error(out, Severity::Error, &failure));
        let text = String::from_utf8(bytes[5..].to_vec()).unwrap();
        let fields: Vec<&str> = text.split('\0').collect();
        assert_eq!(
            fields,
            [
                "SERROR",
                "VERROR",
                "C42601",
                "Mbad thing",
                "Dmore",
                "Hdo well",
                "P7",
                "Win line 3",
                "Flakegate",
                "L1",
                "RSYNTAX_ERROR",
                "",
                ""
            ]
        );
    }
}
