//! `COPY … TO STDOUT` in text, CSV and binary format. Formats: PostgreSQL's documentation of COPY,
//! "File Formats".

use bytes::{BufMut, BytesMut};
use lakegate_error::{Error, Result};
use lakegate_gateway::sql::ast::{self, CopyFormat, ForceQuote};
use lakegate_gateway::{Prepared, Rows};

use super::backend::{self, tag};
use super::connection::Connection;
use super::encode::{BatchEncoder, Format};
use super::rows::{Failed, Running, style};

/// Signature, no flags, no extension.
const BINARY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Returns the statement's COPY, if it is one.
pub(super) fn of(prepared: &Prepared) -> Option<&ast::Copy> {
    match prepared.statement()? {
        ast::Statement::Copy(copy) => Some(copy),
        _ => None,
    }
}

/// How values are written in a line.
pub(super) struct Lines {
    csv: bool,
    delimiter: u8,
    null: String,
    quote: u8,
    escape: u8,
    /// Per column: whether values other than NULL are always quoted.
    force_quote: Vec<bool>,
}

impl Lines {
    pub(super) fn new(copy: &ast::Copy, columns: &[&str]) -> Result<Self> {
        let options = &copy.options;
        let csv = copy.format == CopyFormat::Csv;
        let one_byte = |what: &str, given: &Option<String>, default: u8| match given
            .as_deref()
            .map(str::as_bytes)
        {
            None => Ok(default),
            Some([byte]) if !matches!(byte, b'\n' | b'\r') => Ok(*byte),
            Some(_) => Err(Error::invalid(format!(
                "COPY {what} must be a single one-byte character"
            ))),
        };
        let delimiter = one_byte(
            "delimiter",
            &options.delimiter,
            if csv { b',' } else { b'\t' },
        )?;
        let quote = one_byte("quote", &options.quote, b'"')?;
        let escape = one_byte("escape", &options.escape, quote)?;
        let default_null = if csv { "" } else { "\\N" };
        let null = options.null.as_deref().unwrap_or(default_null).to_owned();
        if null.contains(['\n', '\r']) || null.as_bytes().contains(&delimiter) {
            return Err(Error::invalid(
                "COPY null must not contain the delimiter or the end of a line",
            ));
        }
        if csv && delimiter == quote {
            return Err(Error::invalid("COPY delimiter and quote must be different"));
        }
        let force_quote = match &options.force_quote {
            ForceQuote::None => vec![false; columns.len()],
            ForceQuote::All => vec![true; columns.len()],
            ForceQuote::Columns(names) => columns
                .iter()
                .map(|column| names.iter().any(|name| name == column))
                .collect(),
        };
        Ok(Self {
            csv,
            delimiter,
            null,
            quote,
            escape,
            force_quote,
        })
    }

    /// Appends the value of column `n`, with the delimiter before it; `None` is NULL.
    pub(super) fn put(&self, out: &mut BytesMut, n: usize, value: Option<&[u8]>) {
        if n > 0 {
            out.put_u8(self.delimiter);
        }
        match value {
            None => out.put_slice(self.null.as_bytes()),
            Some(value) if self.csv => self.put_csv(
                out,
                value,
                self.force_quote.get(n).copied().unwrap_or(false),
            ),
            Some(value) => self.put_escaped(out, value),
        }
    }

    fn put_csv(&self, out: &mut BytesMut, value: &[u8], force: bool) {
        let special =
            |b: &u8| *b == self.delimiter || *b == self.quote || matches!(b, b'\n' | b'\r');
        // `\.` alone on a line would end the data.
        let quoted =
            force || value == self.null.as_bytes() || value == b"\\." || value.iter().any(special);
        if !quoted {
            out.put_slice(value);
            return;
        }
        out.put_u8(self.quote);
        for byte in value {
            if *byte == self.quote || *byte == self.escape {
                out.put_u8(self.escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(self.quote);
    }

    fn put_escaped(&self, out: &mut BytesMut, value: &[u8]) {
        for byte in value {
            let letter = match byte {
                b'\\' => b'\\',
                0x08 => b'b',
                0x0c => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x0b => b'v',
                other if *other == self.delimiter => *other,
                other => {
                    out.put_u8(*other);
                    continue;
                }
            };
            out.put_slice(&[b'\\', letter]);
        }
    }
}

impl Connection {
    pub(super) async fn copy_out(&mut self, rows: Rows, copy: &ast::Copy) -> Result<(), Failed> {
        let schema = rows.schema.clone();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if names.len() > i16::MAX as usize {
            return Err(Error::not_supported("COPY of more than 32767 columns").into());
        }
        if let Some(encoding) = &copy.options.encoding
            && !encoding
                .replace(['-', '_'], "")
                .eq_ignore_ascii_case("utf8")
        {
            return Err(Error::not_supported(format!(
                "COPY in encoding {encoding} is not supported: it is always UTF8"
            ))
            .into());
        }
        let format = if copy.format == CopyFormat::Binary {
            Format::Binary
        } else {
            Format::Text
        };
        let lines = Lines::new(copy, &names)?;
        let mut running = Running::new(rows, &vec![format; names.len()], style(&self.session));
        backend::copy_out_response(&mut self.link.out, format, names.len());
        let sent = if format == Format::Binary {
            // As in Postgres, the header is sent with the first row, which psycopg relies on; a row
            // of -1 columns is the end.
            let mut head = BINARY_HEAD;
            let put = |out: &mut BytesMut, batch: &BatchEncoder<'_>, row: usize| {
                batch.put_copy_binary(out, row, std::mem::take(&mut head))
            };
            let sent = running.send(&mut self.link, None, put).await?;
            backend::message(&mut self.link.out, b'd', |out| {
                out.put_slice(if sent == 0 { BINARY_HEAD } else { &[] });
                out.put_i16(-1);
            });
            sent
        } else {
            if copy.options.header {
                backend::message(&mut self.link.out, b'd', |out| {
                    for (n, name) in names.iter().enumerate() {
                        if n > 0 {
                            out.put_u8(lines.delimiter);
                        }
                        if lines.csv {
                            lines.put_csv(out, name.as_bytes(), false)
                        } else {
                            lines.put_escaped(out, name.as_bytes())
                        }
                    }
                    out.put_u8(b'\n');
                });
            }
            let mut scratch = BytesMut::new();
            let put = |out: &mut BytesMut, n: usize, value: Option<&[u8]>| lines.put(out, n, value);
            running
                .send(&mut self.link, None, |out, batch, row| {
                    batch.put_copy_line(out, row, put, &mut scratch)
                })
                .await?
        };
        backend::empty(&mut self.link.out, tag::COPY_DONE);
        backend::command_complete(&mut self.link.out, "COPY", Some(sent));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_gateway::sql::ast::Statement;

    use super::*;

    fn line(sql: &str, values: &[Option<&str>]) -> Result<String> {
        let parsed = lakegate_gateway::sql::parse(sql).unwrap().remove(0);
        let Statement::Copy(copy) = parsed.statement else {
            panic!("not a COPY")
        };
        let lines = Lines::new(&copy, &["a", "b", "c", "d"][..values.len()])?;
        let mut out = BytesMut::new();
        for (n, value) in values.iter().enumerate() {
            lines.put(&mut out, n, value.map(str::as_bytes));
        }
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    // Expected lines: PostgreSQL 15.18.
    #[test]
    fn text_escapes_what_would_end_a_field() {
        let values = [Some("a\tb"), None, Some("c\\d\ne"), Some("")];
        assert_eq!(
            line("COPY (SELECT 1) TO STDOUT", &values).unwrap(),
            "a\\tb\t\\N\tc\\\\d\\ne\t"
        );
        assert_eq!(
            line(
                "COPY (SELECT 1) TO STDOUT (DELIMITER '|', NULL '')",
                &[Some("a|b"), None]
            )
            .unwrap(),
            "a\\|b|"
        );
    }

    #[test]
    fn csv_quotes_what_would_be_misread() {
        let values = [Some("a,b"), None, Some(""), Some("say \"hi\"")];
        assert_eq!(
            line("COPY (SELECT 1) TO STDOUT (FORMAT csv)", &values).unwrap(),
            "\"a,b\",,\"\",\"say \"\"hi\"\"\""
        );
        assert_eq!(
            line(
                "COPY (SELECT 1) TO STDOUT (FORMAT csv, FORCE_QUOTE *)",
                &[Some("x"), None]
            )
            .unwrap(),
            "\"x\","
        );
        assert_eq!(
            line(
                "COPY (SELECT 1) TO STDOUT (FORMAT csv, FORCE_QUOTE (b))",
                &[Some("x"), Some("y")]
            )
            .unwrap(),
            "x,\"y\""
        );
        assert_eq!(
            line(
                "COPY (SELECT 1) TO STDOUT (FORMAT csv, ESCAPE '\\')",
                &[Some("a\"b\\,")]
            )
            .unwrap(),
            "\"a\\\"b\\\\,\""
        );
        assert_eq!(
            line("COPY (SELECT 1) TO STDOUT (FORMAT csv)", &[Some("\\.")]).unwrap(),
            "\"\\.\""
        );
    }

    #[test]
    fn separators_are_single_characters() {
        for options in [
            "DELIMITER 'ab'",
            "FORMAT csv, QUOTE ''",
            "FORMAT csv, DELIMITER '\"'",
            "NULL 'x\ty'",
        ] {
            let sql = format!("COPY (SELECT 1) TO STDOUT ({options})");
            let Ok(parsed) = lakegate_gateway::sql::parse(&sql) else {
                continue;
            };
            let Statement::Copy(copy) = &parsed[0].statement else {
                panic!("not a COPY")
            };
            assert!(Lines::new(copy, &["a"]).is_err(), "{sql}");
        }
    }
}
