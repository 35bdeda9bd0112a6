//! The options of COPY, checked as PostgreSQL does and in its order.

use std::collections::HashSet;

use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::ast::{CopyFormat, CopyHeader, CopyOptions, ForcedColumns};
use lakegate_gateway::values::{Encoding, Named, encoding_named};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Out,
    In,
}

/// The options of a COPY, with the defaults of its format.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub format: CopyFormat,
    pub header: CopyHeader,
    pub delimiter: u8,
    pub null: String,
    pub quote: u8,
    pub escape: u8,
    /// The text that stands for a column's default.
    pub default: Option<String>,
    /// Whether rows with a value that is not of its column's type are left out.
    pub ignores_errors: bool,
    /// Of the data in text and CSV format; `None` is the session's.
    encoding: Option<Named>,
}

/// Characters that cannot be the delimiter in text format, since they mean something after `\`.
const NO_DELIMITERS: &[u8] = b"\\.abcdefghijklmnopqrstuvwxyz0123456789";

impl Options {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// Options that do not exist in the format or the direction, or do not fit each other; an
    /// encoding that does not exist or is not supported.
    pub(crate) fn of(
        format: CopyFormat,
        given: &CopyOptions,
        direction: Direction,
    ) -> Result<Self> {
        let csv = format == CopyFormat::Csv;
        let binary = format == CopyFormat::Binary;
        let encoding = given.encoding.as_deref().map(named).transpose()?;
        if direction == Direction::Out && given.header == CopyHeader::Match {
            return Err(Error::not_supported(
                "cannot use \"match\" with HEADER in COPY TO",
            ));
        }
        if direction == Direction::Out && given.ignore_errors {
            return Err(Error::invalid("COPY ON_ERROR cannot be used with COPY TO"));
        }
        for (name, value) in [
            ("DELIMITER", &given.delimiter),
            ("NULL", &given.null),
            ("DEFAULT", &given.default),
        ] {
            if binary && value.is_some() {
                let why = format!("cannot specify {name} in BINARY mode");
                return Err(Error::new(Code::SyntaxError, why));
            }
        }
        let delimiter = one_byte("delimiter", &given.delimiter)?;
        let delimiter = delimiter.unwrap_or(if csv { b',' } else { b'\t' });
        if matches!(delimiter, b'\n' | b'\r') {
            return Err(Error::invalid(
                "COPY delimiter cannot be newline or carriage return",
            ));
        }
        let null = given
            .null
            .clone()
            .unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned());
        if null.contains(['\n', '\r']) {
            return Err(Error::invalid(
                "COPY null representation cannot use newline or carriage return",
            ));
        }
        if !csv && NO_DELIMITERS.contains(&delimiter) {
            return Err(Error::invalid(format!(
                "COPY delimiter cannot be \"{}\"",
                char::from(delimiter)
            )));
        }
        if binary && given.header != CopyHeader::Absent {
            return Err(Error::not_supported("cannot specify HEADER in BINARY mode"));
        }
        only_csv("quote", given.quote.is_some(), csv)?;
        let quote = one_byte("quote", &given.quote)?.unwrap_or(b'"');
        if csv && delimiter == quote {
            return Err(Error::invalid("COPY delimiter and quote must be different"));
        }
        only_csv("escape", given.escape.is_some(), csv)?;
        let escape = one_byte("escape", &given.escape)?.unwrap_or(quote);
        let out = Direction::Out;
        for (name, is_given, only) in [
            ("force quote", given.force_quote != ForcedColumns::None, out),
            (
                "force not null",
                given.force_not_null != ForcedColumns::None,
                Direction::In,
            ),
            (
                "force null",
                given.force_null != ForcedColumns::None,
                Direction::In,
            ),
        ] {
            only_csv(name, is_given, csv)?;
            if is_given && only != direction {
                let command = if only == out { "COPY TO" } else { "COPY FROM" };
                return Err(Error::not_supported(format!(
                    "COPY {name} only available using {command}"
                )));
            }
        }
        if binary && given.ignore_errors {
            let why = "only ON_ERROR STOP is allowed in BINARY mode";
            return Err(Error::new(Code::SyntaxError, why));
        }
        if null.as_bytes().contains(&delimiter) {
            return Err(Error::not_supported(
                "COPY delimiter must not appear in the NULL specification",
            ));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(Error::not_supported(
                "CSV quote character must not appear in the NULL specification",
            ));
        }
        if let Some(default) = &given.default {
            check_default(default, &null, delimiter, csv.then_some(quote), direction)?;
        }
        Ok(Self {
            format,
            header: given.header,
            ignores_errors: given.ignore_errors,
            delimiter,
            null,
            quote,
            escape,
            default: given.default.clone(),
            encoding,
        })
    }

    /// Returns the encoding of lines; `None` is UTF8. `session`: that of the session.
    pub(crate) fn encoding(&self, session: Option<&'static Encoding>) -> Option<&'static Encoding> {
        match self.encoding {
            None => session,
            Some(Named::Converted(encoding)) => Some(encoding),
            Some(Named::Same(_) | Named::Unsupported(_)) => None,
        }
    }
}

/// Checks the text that stands for defaults. `quote`: of CSV.
///
/// # Errors
///
/// It cannot be told from something else, or the rows are not read.
fn check_default(
    default: &str,
    null: &str,
    delimiter: u8,
    quote: Option<u8>,
    direction: Direction,
) -> Result<()> {
    if default.contains(['\n', '\r']) {
        return Err(Error::invalid(
            "COPY default representation cannot use newline or carriage return",
        ));
    }
    let has = |byte: u8| default.as_bytes().contains(&byte);
    let why = if direction == Direction::Out {
        "COPY DEFAULT only available using COPY FROM"
    } else if has(delimiter) {
        "COPY delimiter must not appear in the DEFAULT specification"
    } else if quote.is_some_and(has) {
        "CSV quote character must not appear in the DEFAULT specification"
    } else if default == null {
        "NULL specification and DEFAULT specification cannot be the same"
    } else {
        return Ok(());
    };
    Err(Error::not_supported(why))
}

/// Returns what the name of an encoding stands for.
fn named(encoding: &str) -> Result<Named> {
    match encoding_named(encoding) {
        Some(Named::Unsupported(name)) => Err(Error::not_supported(format!(
            "COPY in encoding {name} is not supported"
        ))),
        Some(named) => Ok(named),
        None => Err(Error::invalid(
            "argument to option \"encoding\" must be a valid encoding name",
        )),
    }
}

fn only_csv(name: &str, is_given: bool, csv: bool) -> Result<()> {
    if is_given && !csv {
        return Err(Error::not_supported(format!(
            "COPY {name} available only in CSV mode"
        )));
    }
    Ok(())
}

fn one_byte(name: &str, given: &Option<String>) -> Result<Option<u8>> {
    match given.as_deref().map(str::as_bytes) {
        None => Ok(None),
        Some([byte]) => Ok(Some(*byte)),
        Some(_) => Err(Error::not_supported(format!(
            "COPY {name} must be a single one-byte character"
        ))),
    }
}

/// Returns for each column whether an option such as FORCE_NULL is for it. `table`: of COPY FROM, for
/// messages.
///
/// # Errors
///
/// The option names a column that is not copied, or a column twice.
pub(super) fn chosen(
    forced: &ForcedColumns,
    columns: &[&str],
    table: Option<&str>,
) -> Result<Vec<bool>> {
    let named = match forced {
        ForcedColumns::None => return Ok(vec![false; columns.len()]),
        ForcedColumns::All => return Ok(vec![true; columns.len()]),
        ForcedColumns::Columns(named) => named,
    };
    let mut seen = HashSet::new();
    for name in named {
        if !columns.contains(&name.as_str()) {
            let of = table.map_or(String::new(), |table| format!(" of relation \"{table}\""));
            let why = format!("column \"{name}\"{of} does not exist");
            return Err(Error::new(Code::ColumnNotFound, why));
        }
        if !seen.insert(name) {
            let why = format!("column \"{name}\" specified more than once");
            return Err(Error::new(Code::DuplicateColumn, why));
        }
    }
    let is_named = |column: &&str| named.iter().any(|name| name == column);
    Ok(columns.iter().map(is_named).collect())
}
