//! Text files that are written: rows become lines, lines are compressed in members of a few MiB.
//!
//! ```text
//!  batch ─ Values ─▶ RowWriter (delimited, json) ─▶ text ─ compressed ─▶ Upload
//!                    a line a row                   a member when it is full
//! ```
//!
//! What never happens: a row is written that reads back as another.

mod compress;
pub(in crate::format) mod delimited;
pub(in crate::format) mod members;
pub(in crate::format) mod values;

use std::fmt::Debug;
use std::ops::Range;

use lakegate_error::{Code, Error, Result};

use self::delimited::DelimitedWriter;
use self::members::{MEMBER_BYTES, MemberFile, Members, Rows};
use self::values::Values;
use super::json::JsonWriter;
use super::{MAX_ROW_BYTES, TextFormat, TextSerDe};
use crate::format::{Codec, Codecs, NewFile, not_writable};

/// GZIP is the default, as of Athena's new tables of TEXTFILE and JSON.
pub(in crate::format) const CODECS: Codecs = Codecs {
    format: "text",
    properties: &["write.compression"],
    default: Codec::Gzip,
    all: &[
        Codec::Bzip2,
        Codec::Gzip,
        Codec::Lz4,
        Codec::Snappy,
        Codec::ZSTD,
        Codec::Uncompressed,
    ],
};

/// UTF-8's byte order mark. Readers leave out one at the start of a file.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the names of files end with.
pub(super) fn extension(format: &TextFormat, codec: Codec) -> String {
    let text = match format.serde {
        TextSerDe::OpenxJson(_) | TextSerDe::HiveJson(_) => "json",
        _ => "txt",
    };
    Members::extension(text, codec)
}

/// Whether rows can be written for a SerDe. Athena does not write OpenCSVSerde's either: it reads
/// every column as a string, so that NULL and the empty string are one.
pub(super) fn is_written(serde: &TextSerDe) -> bool {
    matches!(
        serde,
        TextSerDe::OpenxJson(_) | TextSerDe::HiveJson(_) | TextSerDe::LazySimple(_)
    )
}

/// Turns rows into lines.
pub(in crate::format::text) trait RowWriter: Debug + Send {
    /// The lines that a file begins with, if it has any.
    ///
    /// # Errors
    /// A column's name that cannot be written.
    fn header(&mut self, text: &mut Vec<u8>) -> Result<()>;

    /// Appends the line of one row, with its line break. `columns`: those of the file.
    ///
    /// # Errors
    /// A value that cannot be read back, with its column and the remedy.
    fn row(&mut self, columns: &[Values<'_>], row: usize, text: &mut Vec<u8>) -> Result<()>;
}

/// Begins a file.
///
/// # Errors
/// Rows are not written for the SerDe, or not with its properties; the columns have no form in it;
/// text has no such codec.
pub(super) fn create(format: &TextFormat, file: &NewFile<'_>) -> Result<MemberFile<Lines>> {
    let members = Members::begin(&CODECS, file)?;
    let (schema, header) = (&file.schema, format.header_lines);
    let rows: Box<dyn RowWriter> = match &format.serde {
        TextSerDe::LazySimple(options) => Box::new(DelimitedWriter::new(options, schema, header)?),
        TextSerDe::OpenxJson(options) | TextSerDe::HiveJson(options) => {
            Box::new(JsonWriter::new(options, schema, header)?)
        }
        _ => return Err(not_writable(&format!("location '{}'", members.url()))),
    };
    let begun = false;
    Ok(MemberFile::new(Lines { rows, begun }, members))
}

/// The lines of a file.
#[derive(Debug)]
pub(super) struct Lines {
    rows: Box<dyn RowWriter>,
    /// Whether there is a line already.
    begun: bool,
}

impl Rows for Lines {
    fn append(
        &mut self,
        columns: &[Values<'_>],
        rows: Range<usize>,
        text: &mut Vec<u8>,
    ) -> Result<usize> {
        let mut next = rows.start;
        while next < rows.end && text.len() < MEMBER_BYTES {
            if !self.begun {
                self.rows.header(text)?;
            }
            let start = text.len();
            self.rows.row(columns, next, text)?;
            let length = text.len() - start;
            if length > MAX_ROW_BYTES {
                return Err(Error::new(
                    Code::DataException,
                    format!(
                        "a row is a line of {length} bytes, and the longest line that is read has {MAX_ROW_BYTES}"
                    ),
                )
                .with_hint("write to a table of Parquet"));
            }
            if !self.begun && text.starts_with(MARK) {
                // Another mark before it is the one that readers leave out.
                drop(text.splice(0..0, MARK.iter().copied()));
            }
            self.begun = true;
            next += 1;
        }
        Ok(next)
    }
}
