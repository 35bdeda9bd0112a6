//! COPY .. TO STDOUT.

use bytes::{BufMut, BytesMut};
use lakegate_error::{Error, Result};
use lakegate_gateway::Rows;
use lakegate_gateway::sql::ast::{self, CopyFormat, CopyHeader, ForceQuote};

use super::BINARY_HEAD;
use super::options::{Direction, Options, chosen};
use crate::backend::{self, tag};
use crate::connection::Connection;
use crate::encode::{BatchEncoder, Format};
use crate::rows::{Failed, Running, style};

/// How values are written in a line.
pub(crate) struct Lines {
    options: Options,
    /// Per column: whether values other than NULL are always quoted.
    force_quote: Vec<bool>,
}

impl Lines {
    /// # Errors
    ///
    /// The options do not fit each other, or name columns that are not there.
    pub(crate) fn new(copy: &ast::Copy, columns: &[&str]) -> Result<Self> {
        let options = Options::of(copy.format, &copy.options, Direction::Out)?;
        let force_quote = match &copy.options.force_quote {
            ForceQuote::None => vec![false; columns.len()],
            ForceQuote::All => vec![true; columns.len()],
            ForceQuote::Columns(names) => chosen(names, columns, None)?,
        };
        Ok(Self {
            options,
            force_quote,
        })
    }

    fn csv(&self) -> bool {
        self.options.format == CopyFormat::Csv
    }

    /// Appends the value of column `n`, with the delimiter before it; `None` is NULL.
    pub(crate) fn put(&self, out: &mut BytesMut, n: usize, value: Option<&[u8]>) {
        if n > 0 {
            out.put_u8(self.options.delimiter);
        }
        match value {
            None => out.put_slice(self.options.null.as_bytes()),
            Some(value) if self.csv() => self.put_csv(
                out,
                value,
                self.force_quote.get(n).copied().unwrap_or(false),
            ),
            Some(value) => self.put_escaped(out, value),
        }
    }

    fn put_csv(&self, out: &mut BytesMut, value: &[u8], force: bool) {
        let Options {
            delimiter,
            quote,
            escape,
            ref null,
            ..
        } = self.options;
        let special = |b: &u8| *b == delimiter || *b == quote || matches!(b, b'\n' | b'\r');
        // `\.` alone on a line would end the data.
        let ends = self.force_quote.len() == 1 && value == b"\\.";
        let quoted = force || ends || value == null.as_bytes() || value.iter().any(special);
        if !quoted {
            out.put_slice(value);
            return;
        }
        out.put_u8(quote);
        for byte in value {
            if *byte == quote || *byte == escape {
                out.put_u8(escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(quote);
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
                other if *other == self.options.delimiter => *other,
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
    pub(crate) async fn copy_out(&mut self, rows: Rows, copy: &ast::Copy) -> Result<(), Failed> {
        let schema = rows.schema.clone();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if names.len() > i16::MAX as usize {
            return Err(Error::not_supported("COPY of more than 32767 columns").into());
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
            if lines.options.header == CopyHeader::Line {
                backend::message(&mut self.link.out, b'd', |out| {
                    for (n, name) in names.iter().enumerate() {
                        if n > 0 {
                            out.put_u8(lines.options.delimiter);
                        }
                        if lines.csv() {
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
        // Next to another value it ends nothing.
        assert_eq!(
            line(
                "COPY (SELECT 1) TO STDOUT (FORMAT csv)",
                &[Some("\\."), Some("x")]
            )
            .unwrap(),
            "\\.,x"
        );
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        for options in [
            "DELIMITER 'ab'",
            "FORMAT csv, QUOTE ''",
            "FORMAT csv, DELIMITER '\"'",
            "NULL 'x\ty'",
            "FORMAT csv, FORCE_QUOTE (zz)",
            "FORMAT csv, FORCE_NULL (a)",
            "ENCODING 'latin1'",
        ] {
            let sql = format!("COPY (SELECT 1) TO STDOUT ({options})");
            let parsed = lakegate_gateway::sql::parse(&sql).unwrap();
            let Statement::Copy(copy) = &parsed[0].statement else {
                panic!("not a COPY")
            };
            assert!(Lines::new(copy, &["a"]).is_err(), "{sql}");
        }
    }
}
