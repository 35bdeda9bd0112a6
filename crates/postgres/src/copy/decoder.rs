//! From the bytes of COPY FROM to batches of rows.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::ast::{self, CopyFormat, CopyHeader};

use super::binary::Tuples;
use super::converter::Converter;
use super::fields::Fields;
use super::options::{Options, chosen};
use super::records::Records;
use super::values::Values;
use crate::params::Input;

/// The maximum number of rows of a batch.
const MAX_ROWS: usize = 8 * 1024;
/// The maximum number of values of a batch: 8 MiB of numbers.
const MAX_VALUES: usize = 1024 * 1024;
/// A batch is full when its values took so many bytes on the wire.
const FULL: usize = 4 * 1024 * 1024;
/// Bytes that take long to decode: a batch of them, or a single line or row.
const LONG: usize = 1024 * 1024;
/// The maximum number of bytes of a line or a value in the context of an error.
const SHOWN: usize = 100;

#[derive(Debug)]
struct Column {
    name: String,
    values: Values,
    force_not_null: bool,
    force_null: bool,
}

#[derive(Debug)]
enum Source {
    Lines {
        records: Records,
        fields: Fields,
        /// The header is still to come.
        header: bool,
        /// Of data that is not UTF8.
        converter: Option<Converter>,
    },
    Binary(Tuples),
}

/// Decodes what the client sends.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The table without its database, for the context of errors.
    table: String,
    options: Options,
    input: Input,
    schema: SchemaRef,
    columns: Vec<Column>,
    source: Source,
    ended: bool,
    /// Rows of the next batch.
    rows: usize,
    /// The places of those that are left out, in order.
    skipped: Vec<usize>,
    /// The number of all rows that were left out.
    all_skipped: u64,
    bytes: usize,
    max_rows: usize,
}

impl Decoder {
    /// `columns`: those of the rows that the client sends. `input`: the session's.
    ///
    /// # Errors
    ///
    /// An option names a column that is not among them; values of a column's type cannot be read.
    pub(crate) fn new(
        copy: &ast::CopyFrom,
        options: Options,
        columns: &Schema,
        input: impl Into<Input>,
    ) -> Result<Self> {
        let mut input = input.into();
        let fields = columns.fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let table = copy.table.table.clone();
        let of_table = Some(table.as_str());
        let not_null = chosen(&copy.options.force_not_null, &names, of_table)?;
        let null = chosen(&copy.options.force_null, &names, of_table)?;
        let forced = not_null.into_iter().zip(null);
        let columns = fields.iter().zip(forced);
        let columns = columns.map(|(field, (force_not_null, force_null))| {
            Ok(Column {
                name: field.name().clone(),
                values: Values::new(field)?,
                force_not_null,
                force_null,
            })
        });
        let columns: Vec<Column> = columns.collect::<Result<_>>()?;
        let source = match options.format {
            CopyFormat::Binary => Source::Binary(Tuples::new(columns.len())),
            CopyFormat::Text | CopyFormat::Csv => Source::Lines {
                records: Records::new(&options),
                fields: Fields::default(),
                header: options.header != CopyHeader::Absent,
                converter: options.encoding(input.encoding.take()).map(Converter::new),
            },
        };
        let nullable = fields
            .iter()
            .map(|field| Field::new(field.name(), field.data_type().clone(), true));
        Ok(Self {
            schema: Arc::new(Schema::new(nullable.collect::<Vec<_>>())),
            max_rows: (MAX_VALUES / columns.len().max(1)).clamp(1, MAX_ROWS),
            table,
            options,
            input,
            columns,
            source,
            ended: false,
            rows: 0,
            skipped: Vec::new(),
            all_skipped: 0,
            bytes: 0,
        })
    }

    /// Returns the number of rows that were left out because of a value.
    pub(crate) fn skipped(&self) -> u64 {
        self.all_skipped
    }

    /// Takes bytes from the client. [`Decoder::next`] is to be called until it returns `None`
    /// before more are taken.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match &mut self.source {
            Source::Lines {
                records,
                converter: Some(converter),
                ..
            } => converter.push(bytes, records),
            Source::Lines { records, .. } => records.push(bytes),
            Source::Binary(tuples) => tuples.push(bytes),
        }
    }

    /// Whether so much is to be decoded that the thread of a connection should not do it.
    pub(crate) fn takes_long(&self) -> bool {
        let buffered = match &self.source {
            Source::Lines { records, .. } => records.buffered(),
            Source::Binary(tuples) => tuples.buffered(),
        };
        buffered >= LONG
    }

    /// Says that the client has sent all.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        match &mut self.source {
            Source::Lines {
                records,
                converter: Some(converter),
                ..
            } => converter.end(records),
            Source::Lines { records, .. } => records.end(),
            Source::Binary(tuples) => tuples.end(),
        }
    }

    /// Returns the next full batch, or after [`Decoder::end`] the rest.
    ///
    /// # Errors
    ///
    /// The data is malformed, or a value is not of its column's type: the error's context names
    /// line and column.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.rows < self.max_rows && self.bytes < FULL {
            if !self.row()? {
                return match self.ended && self.rows > 0 {
                    true => self.take().map(Some),
                    false => Ok(None),
                };
            }
        }
        self.take().map(Some)
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let columns = self.columns.iter_mut().map(|column| column.values.take());
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let no_batch =
            |error: ArrowError| Error::internal(format!("rows do not form a batch: {error}"));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(no_batch)?;
        if self.skipped.is_empty() {
            return Ok(batch);
        }
        let mut stays = vec![true; rows];
        for place in std::mem::take(&mut self.skipped) {
            if let Some(stays) = stays.get_mut(place) {
                *stays = false;
            }
        }
        filter_record_batch(&batch, &BooleanArray::from(stays)).map_err(no_batch)
    }

    /// Reads a row; returns whether there was one.
    fn row(&mut self) -> Result<bool> {
        match self.source {
            Source::Lines { .. } => self.line(),
            Source::Binary(_) => self.tuple(),
        }
    }

    fn line(&mut self) -> Result<bool> {
        let Self {
            source,
            columns,
            options,
            table,
            input,
            rows,
            skipped,
            all_skipped,
            bytes,
            ..
        } = self;
        let Source::Lines {
            records,
            fields,
            header,
            converter,
        } = source
        else {
            return Ok(false);
        };
        loop {
            let line = records.next();
            let number = records.line();
            let place = || format!("COPY {table}, line {number}");
            let Some(line) = line.map_err(|error| error.with_context(place()))? else {
                // What comes after the last whole line was not a text.
                return match converter.as_mut().and_then(Converter::take_error) {
                    Some(error) => {
                        Err(error.with_context(format!("COPY {table}, line {}", number + 1)))
                    }
                    None => Ok(false),
                };
            };
            let in_line =
                |error: Error| error.with_context(format!("{}: {}", place(), shown(&line)));
            if *header && options.header == CopyHeader::Line {
                *header = false;
                continue;
            }
            let split = fields.split(&line, options, columns.len());
            split.map_err(in_line)?;
            if *header {
                *header = false;
                check_header(fields, columns).map_err(in_line)?;
                continue;
            }
            if let Some(name) = fields.defaulted().and_then(|n| Some(&columns.get(n)?.name)) {
                let why = "unexpected default marker in COPY data";
                let error = Error::new(Code::BadData, why)
                    .with_detail(format!("Column \"{name}\" has no default value."));
                return Err(in_line(error));
            }
            if fields.len() > columns.len() {
                let why = "extra data after last expected column";
                return Err(in_line(Error::new(Code::BadData, why)));
            }
            let mut is_skipped = false;
            for (n, column) in columns.iter_mut().enumerate() {
                // As in PostgreSQL, the rest of such a row is not looked at.
                if is_skipped {
                    column.values.push_null()?;
                    continue;
                }
                let Some(field) = fields.get(n) else {
                    let why = format!("missing data for column \"{}\"", column.name);
                    return Err(in_line(Error::new(Code::BadData, why)));
                };
                let null = options.null.as_bytes();
                let field = match field {
                    None if column.force_not_null => Some(null),
                    Some(text) if column.force_null && text == null => None,
                    other => other,
                };
                let Some(text) = field else {
                    column.values.push_null()?;
                    continue;
                };
                *bytes += text.len();
                match column.values.push_text(text, *input) {
                    Err(error) if options.ignores_errors && is_of_value(&error) => {
                        column.values.push_null()?;
                        is_skipped = true;
                    }
                    pushed => pushed.map_err(|error| {
                        let at = format!("{}, column {}", place(), column.name);
                        error.with_context(format!("{at}: {}", shown(text)))
                    })?,
                }
            }
            if is_skipped {
                skipped.push(*rows);
                *all_skipped += 1;
            }
            *rows += 1;
            return Ok(true);
        }
    }

    fn tuple(&mut self) -> Result<bool> {
        let Source::Binary(tuples) = &mut self.source else {
            return Ok(false);
        };
        let row = tuples.next();
        let place = format!("COPY {}, line {}", self.table, tuples.row());
        let Some(mut row) = row.map_err(|error| match tuples.row() {
            // The header is not a line.
            0 => error,
            _ => error.with_context(place.clone()),
        })?
        else {
            return Ok(false);
        };
        self.bytes += row.len();
        for column in &mut self.columns {
            match field(&mut row) {
                None => column.values.push_null()?,
                Some(bytes) => column
                    .values
                    .push_binary(&bytes, self.input)
                    .map_err(|error| {
                        error.with_context(format!("{place}, column {}", column.name))
                    })?,
            }
        }
        self.rows += 1;
        Ok(true)
    }
}

/// Returns whether a text is not a value of its column's type, rather than no text at all.
fn is_of_value(error: &Error) -> bool {
    let state = error.code().sqlstate();
    state.starts_with("22") && state != "22021"
}

/// Takes a field of a row whose lengths were checked; `None` is NULL.
fn field(row: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(row.try_get_i32().ok()?).ok()?;
    Some(row.split_to(length.min(row.len())))
}

/// Checks that a header has the names of the columns.
///
/// # Errors
///
/// It has others.
fn check_header(fields: &Fields, columns: &[Column]) -> Result<()> {
    if fields.len() != columns.len() {
        return Err(Error::new(
            Code::BadData,
            format!(
                "wrong number of fields in header line: got {}, expected {}",
                fields.len(),
                columns.len()
            ),
        ));
    }
    for (n, column) in columns.iter().enumerate() {
        let name = fields.get(n).flatten();
        if name == Some(column.name.as_bytes()) {
            continue;
        }
        let got = match name {
            Some(name) => format!("\"{}\"", String::from_utf8_lossy(name)),
            None => "null value".to_owned(),
        };
        return Err(Error::new(
            Code::BadData,
            format!(
                "column name mismatch in header line field {}: got {got}, expected \"{}\"",
                n + 1,
                column.name
            ),
        ));
    }
    Ok(())
}

/// Returns a line or value in quotes, cut as PostgreSQL does.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let end = text.floor_char_boundary(SHOWN);
    match text.get(..end) {
        Some(start) if end < text.len() => format!("\"{start}...\""),
        _ => format!("\"{text}\""),
    }
}
