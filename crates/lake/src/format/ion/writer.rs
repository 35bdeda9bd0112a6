//! Ion files that are written: each row a struct, a NULL field left out unless the table says otherwise.
//!
//! ```text
//!  batch ─ Values ─▶ `ion-rs` ─▶ a stream with its own symbols ─ compressed ─▶ Upload
//!                                a member of a few MiB
//! ```
//!
//! Each member begins with a version marker, so that no state is held between two of them, and the
//! symbols that the keys of maps make are forgotten with it.

use std::ops::Range;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Datelike, Timelike};
use ion_rs::{
    Decimal, Int, IonResult, IonType, SequenceWriter, StructWriter, Timestamp, ValueWriter,
    WriteAsIon, WriteConfig, Writer, v1_0,
};
use lakegate_error::{Code, Error, Result};

use super::checks::{Counted, check, check_kind, whole};
use super::kinds::IonKind;
use super::options::{IonEncoding, IonFormat, NullForm};
use crate::format::text::write::members::{MEMBER_BYTES, MemberFile, Members, Rows};
use crate::format::text::write::values::{Values, items};
use crate::format::text::{self, MAX_ROW_BYTES};
use crate::format::{Codecs, NewFile};

/// As of text.
pub(super) const CODECS: Codecs = Codecs {
    format: "Ion",
    ..text::write::CODECS
};

/// The rows of a file.
#[derive(Debug)]
pub(super) struct IonRows {
    encoding: IonEncoding,
    form: Form,
    schema: SchemaRef,
    /// What columns are written as, of those that do not have their own types.
    kinds: Vec<Option<IonKind>>,
}

/// How values are written.
#[derive(Debug, Clone, Copy)]
struct Form {
    nulls: NullForm,
    /// Of timestamps, in minutes east of UTC.
    offset: i32,
}

/// Begins a file.
///
/// # Errors
/// Rows are not written with the table's properties; Ion has no such codec.
pub(super) fn create(format: &IonFormat, file: &NewFile<'_>) -> Result<MemberFile<IonRows>> {
    let members = Members::begin(&CODECS, file)?;
    if !format.paths.is_empty() {
        return Err(Error::not_supported(
            "a table whose columns have 'ion.<column>.path_extractor' is not written",
        )
        .with_hint("write to a table of Ion without it"));
    }
    let mut kinds = Vec::with_capacity(file.schema.fields().len());
    for field in file.schema.fields() {
        let mut all = format.written_as.iter();
        let kind = all.find(|(column, _)| column == field.name());
        let kind = kind.map(|(_, kind)| *kind);
        kind.map_or(Ok(()), |kind| kind.check(field.name(), field.data_type()))?;
        kinds.push(kind);
    }
    let rows = IonRows {
        encoding: format.encoding,
        form: Form {
            nulls: format.nulls,
            offset: format.offset,
        },
        schema: SchemaRef::clone(&file.schema),
        kinds,
    };
    Ok(MemberFile::new(rows, members))
}

impl Rows for IonRows {
    /// Appends a stream.
    fn append(
        &mut self,
        columns: &[Values<'_>],
        rows: Range<usize>,
        waiting: &mut Vec<u8>,
    ) -> Result<usize> {
        match self.encoding {
            IonEncoding::Binary => {
                let config = WriteConfig::<v1_0::Binary>::new();
                let writer = Writer::<v1_0::Binary, Vec<u8>>::new(config, Vec::new());
                self.stream(writer.map_err(of_crate)?, columns, rows, waiting)
            }
            IonEncoding::Text => {
                let config = WriteConfig::<v1_0::Text>::default();
                let writer = Writer::<v1_0::Text, Vec<u8>>::new(config, Vec::new());
                self.stream(writer.map_err(of_crate)?, columns, rows, waiting)
            }
        }
    }
}

impl IonRows {
    fn stream<E: ion_rs::Encoding>(
        &self,
        mut writer: Writer<E, Vec<u8>>,
        columns: &[Values<'_>],
        rows: Range<usize>,
        waiting: &mut Vec<u8>,
    ) -> Result<usize> {
        let mut next = rows.start;
        while next < rows.end
            && (next == rows.start || waiting.len() + writer.output().len() < MEMBER_BYTES)
        {
            let mut counted = Counted::default();
            let fields = self.schema.fields().iter().zip(columns).zip(&self.kinds);
            for ((field, values), kind) in fields {
                check(values, next, self.form.offset, &mut counted)
                    .and_then(|()| check_kind(values, next, *kind, &mut counted))
                    .map_err(|unwritable| unwritable.of_column(field.name()))?;
            }
            let row = Row {
                schema: &self.schema,
                columns,
                kinds: &self.kinds,
                row: next,
                form: self.form,
            };
            let before = writer.output().len();
            writer.write(row).map_err(of_crate)?;
            // A row's bytes are known once they are in the output.
            writer.flush().map_err(of_crate)?;
            let length = writer.output().len() - before;
            if length > MAX_ROW_BYTES {
                return Err(Error::new(
                    Code::DataException,
                    format!(
                        "a row is a value of {length} bytes, and the longest one that is read has {MAX_ROW_BYTES}"
                    ),
                )
                .with_hint("write to a table of Parquet"));
            }
            next += 1;
        }
        let stream = writer.close().map_err(of_crate)?;
        match waiting.is_empty() {
            true => *waiting = stream,
            false => waiting.extend_from_slice(&stream),
        }
        // Values of text do not run into one another.
        if self.encoding == IonEncoding::Text && waiting.last().is_some_and(|last| *last != b'\n') {
            waiting.push(b'\n');
        }
        Ok(next)
    }
}

fn of_crate(error: ion_rs::IonError) -> Error {
    Error::new(
        Code::DataException,
        format!("a row cannot be written as Ion: {error}"),
    )
}

/// A row of the table.
struct Row<'a> {
    schema: &'a SchemaRef,
    columns: &'a [Values<'a>],
    kinds: &'a [Option<IonKind>],
    row: usize,
    form: Form,
}

impl WriteAsIon for Row<'_> {
    fn write_as_ion<V: ValueWriter>(&self, writer: V) -> IonResult<()> {
        let mut fields = writer.struct_writer()?;
        let columns = self.columns.iter().zip(self.kinds);
        for (field, (values, kind)) in self.schema.fields().iter().zip(columns) {
            let cell = Cell {
                values,
                row: self.row,
                form: self.form,
                kind: *kind,
            };
            if !cell.is_left_out() {
                fields.write(field.name().as_str(), cell)?;
            }
        }
        fields.close()
    }
}

/// A value of a row that [`check`] has accepted.
#[derive(Clone, Copy)]
struct Cell<'a> {
    values: &'a Values<'a>,
    row: usize,
    form: Form,
    /// `None`: its column's own, which those inside of others have.
    kind: Option<IonKind>,
}

impl<'a> Cell<'a> {
    /// Whether the value is a field that is not written.
    fn is_left_out(&self) -> bool {
        self.form.nulls == NullForm::Omit && self.values.is_null(self.row)
    }

    fn of(&self, values: &'a Values<'a>, row: usize) -> Self {
        Self {
            values,
            row,
            form: self.form,
            kind: None,
        }
    }

    fn null_type(&self) -> IonType {
        if self.form.nulls != NullForm::Typed {
            return IonType::Null;
        }
        if let Some(kind) = self.kind {
            return kind.ion_type();
        }
        match self.values {
            Values::Boolean(_) => IonType::Bool,
            Values::Int8(_) | Values::Int16(_) | Values::Int32(_) | Values::Int64(_) => {
                IonType::Int
            }
            Values::Float32(_) | Values::Float64(_) => IonType::Float,
            Values::Decimal(_) => IonType::Decimal,
            Values::Date(_) | Values::Timestamp(_) => IonType::Timestamp,
            Values::Text(_) => IonType::String,
            Values::Binary(_) => IonType::Blob,
            Values::List(..) => IonType::List,
            Values::Map(..) | Values::Struct(..) => IonType::Struct,
        }
    }
}

impl WriteAsIon for Cell<'_> {
    fn write_as_ion<V: ValueWriter>(&self, writer: V) -> IonResult<()> {
        let row = self.row;
        if self.values.is_null(row) {
            return writer.write_null(self.null_type());
        }
        match self.values {
            Values::Boolean(array) => writer.write_bool(array.value(row)),
            Values::Int8(array) => writer.write_i64(array.value(row).into()),
            Values::Int16(array) => writer.write_i64(array.value(row).into()),
            Values::Int32(array) => writer.write_i64(array.value(row).into()),
            Values::Int64(array) => writer.write_i64(array.value(row)),
            Values::Float32(array) => writer.write_f32(array.value(row)),
            Values::Float64(array) => writer.write_f64(array.value(row)),
            Values::Decimal(array) if self.kind == Some(IonKind::Int) => {
                let whole = whole(array.value(row), array.scale());
                writer.write_int(&Int::from(whole.unwrap_or_default()))
            }
            Values::Decimal(array) => {
                let exponent = -i64::from(array.scale());
                writer.write_decimal(&Decimal::new(array.value(row), exponent))
            }
            Values::Date(array) => writer.write_timestamp(&date(array.value(row))?),
            Values::Timestamp(array) => {
                writer.write_timestamp(&timestamp(array.value(row), self.form.offset)?)
            }
            Values::Text(array) if self.kind == Some(IonKind::Symbol) => {
                writer.write_symbol(array.value(row))
            }
            Values::Text(array) => writer.write_string(array.value(row)),
            Values::Binary(array) if self.kind == Some(IonKind::Clob) => {
                writer.write_clob(array.value(row))
            }
            Values::Binary(array) => writer.write_blob(array.value(row)),
            Values::List(list, values) if self.kind == Some(IonKind::SExpression) => {
                let mut sexp_writer = writer.sexp_writer()?;
                for item in items(list.value_offsets(), row) {
                    sexp_writer.write(self.of(values, item))?;
                }
                sexp_writer.close()
            }
            Values::List(list, values) => {
                let mut list_writer = writer.list_writer()?;
                for item in items(list.value_offsets(), row) {
                    list_writer.write(self.of(values, item))?;
                }
                list_writer.close()
            }
            Values::Map(map, entries) => {
                let (keys, values) = &**entries;
                let Values::Text(keys) = keys else {
                    // Such a map was refused.
                    return writer.write_null(IonType::Struct);
                };
                let mut fields = writer.struct_writer()?;
                for entry in items(map.value_offsets(), row) {
                    // A key without a value is there: it is not left out.
                    fields.write(keys.value(entry), self.of(values, entry))?;
                }
                fields.close()
            }
            Values::Struct(array, values) => {
                let mut fields = writer.struct_writer()?;
                for (name, values) in array.column_names().into_iter().zip(values) {
                    let cell = self.of(values, row);
                    if !cell.is_left_out() {
                        fields.write(name, cell)?;
                    }
                }
                fields.close()
            }
        }
    }
}

/// To the day.
fn date(days: i32) -> IonResult<Timestamp> {
    let time = DateTime::from_timestamp(i64::from(days) * 86_400, 0).unwrap_or_default();
    let year = time.year().unsigned_abs();
    Timestamp::with_ymd(year, time.month(), time.day()).build()
}

/// To the microsecond. `offset`: of the clock that it is written by, in minutes east of UTC.
fn timestamp(micros: i64, offset: i32) -> IonResult<Timestamp> {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let year = time.year().unsigned_abs();
    Timestamp::with_ymd(year, time.month(), time.day())
        .with_hms(time.hour(), time.minute(), time.second())
        .with_microseconds(time.timestamp_subsec_micros())
        .localize_to_offset(offset)
        .build()
}
