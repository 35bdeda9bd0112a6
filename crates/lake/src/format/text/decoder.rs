//! From a text format to the decoder of its lines.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use lakegate_error::{Result, from_engine};

use super::json::{Dialect, JsonDecoder};
use super::lazy_simple::LazySimpleDecoder;
use super::matching::{Compiled, MatchDecoder};
use super::open_csv::OpenCsvDecoder;
use super::rows::{Places, RowDecoder, Rows};
use super::{TextFormat, TextSerDe};

/// A decoder of the columns `projection` (indices into `file_schema`, ascending). `places`: where
/// in a line the columns of `file_schema` are, for formats that know them by position. `compiled`:
/// of this format and this projection alone.
///
/// # Errors
/// A column type that the SerDe cannot read, named; a pattern that is not valid.
pub(super) fn decoder(
    format: &TextFormat,
    file_schema: &SchemaRef,
    projection: &[usize],
    places: &Places,
    compiled: &Compiled,
) -> Result<Box<dyn RowDecoder>> {
    let fields: Vec<usize> = projection.iter().map(|column| places.of(*column)).collect();
    let projected = file_schema
        .project(projection)
        .map_err(|e| from_engine(e.into()))?;
    let rows = Rows::new(&Arc::new(projected))?;
    Ok(match &format.serde {
        TextSerDe::OpenxJson(options) => Box::new(JsonDecoder::new(rows, options, Dialect::Openx)),
        // Of AWS's logs, a column of text may hold any JSON value, as openx reads it.
        TextSerDe::CloudTrail(options) => Box::new(JsonDecoder::new(rows, options, Dialect::Openx)),
        TextSerDe::HiveJson(options) => Box::new(JsonDecoder::new(rows, options, Dialect::Hive)),
        TextSerDe::OpenCsv(options) => Box::new(OpenCsvDecoder::new(rows, options, &fields)?),
        TextSerDe::LazySimple(options) => {
            let last = places.width(file_schema.fields().len()).saturating_sub(1);
            Box::new(LazySimpleDecoder::new(rows, options, &fields, last))
        }
        TextSerDe::Regex(options) => {
            let seen = file_schema.fields().len();
            let width = places.width(seen);
            Box::new(MatchDecoder::regex(
                rows, options, &fields, width, seen, compiled,
            )?)
        }
        TextSerDe::Grok(options) => Box::new(MatchDecoder::grok(rows, options, compiled)?),
    })
}
