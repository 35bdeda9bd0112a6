//! Rows from the values of a stream.

use super::cursor::{Cursor, Stop, Value};
use super::fit::{Failure, Fitter};
use super::options::IonFormat;
use super::paths::{Node, Shape};
use crate::format::text::rows::{BadRow, MAX_CELLS, Rows};

/// Bytes that the texts of a row may have beyond those that are written in it: a symbol stands for a
/// text that is written elsewhere.
const MAX_SYMBOL_BYTES: usize = 32 * 1024 * 1024;

/// Reads the projected columns of rows.
#[derive(Debug)]
pub(super) struct Decoder {
    pub rows: Rows,
    /// Bytes of the texts of the last row.
    pub text_bytes: usize,
    format: IonFormat,
    root: Node,
    shapes: Vec<Shape>,
    /// For each column whether a number out of its range is an error.
    fails_on_overflow: Vec<bool>,
}

impl Decoder {
    pub(super) fn new(rows: Rows, format: &IonFormat) -> Self {
        let names: Vec<&str> = (0..rows.columns.len())
            .map(|column| rows.name(column))
            .collect();
        let root = Node::new(format, names.iter().copied());
        let fails = names.iter().map(|name| format.fails_on_overflow(name));
        let fails_on_overflow = fails.collect();
        let columns = rows.columns.iter();
        let shapes = columns.map(|column| Shape::new(&column.data_type, format));
        Self {
            root,
            shapes: shapes.collect(),
            fails_on_overflow,
            format: format.clone(),
            rows,
            text_bytes: 0,
        }
    }

    /// Appends the row of the value that the cursor stands before. `length`: of the value, in bytes.
    ///
    /// # Errors
    /// A value that its column cannot hold; nothing of the row is kept.
    pub(super) fn decode(&mut self, mut cursor: Cursor<'_>, length: usize) -> Result<(), BadRow> {
        self.text_bytes = 0;
        let read = self.row(&mut cursor, length);
        self.rows.end_row(read)
    }

    fn row(&mut self, cursor: &mut Cursor<'_>, length: usize) -> Result<(), BadRow> {
        let item = cursor.next().map_err(|stop| malformed(&stop))?;
        let Some(item) = item else {
            return Ok(());
        };
        let is_row = match item.value {
            Value::Struct | Value::Null => true,
            Value::List => self.root.is_of_lists() || !self.root.columns.is_empty(),
            _ => !self.root.columns.is_empty(),
        };
        if !is_row && !self.format.ignore_malformed {
            return Err(BadRow(
                "a row is a struct, and this value is none ('ion.ignore_malformed' = 'true' reads it as NULLs)"
                    .to_owned(),
            ));
        }
        // Paths may lead several columns to one text.
        let readers = match self.format.paths.is_empty() {
            true => 1,
            false => self.shapes.len().max(1),
        };
        let written = length.saturating_mul(readers);
        let mut reading = Reading {
            rows: &mut self.rows,
            shapes: &self.shapes,
            fails_on_overflow: &self.fails_on_overflow,
            fitter: Fitter {
                format: &self.format,
                fails_on_overflow: true,
                cells: 0,
                bytes: 0,
                max_bytes: written.saturating_add(MAX_SYMBOL_BYTES),
            },
        };
        let read = reading.visit(cursor, item.value, &self.root);
        let (cells, text_bytes) = (reading.fitter.cells, reading.fitter.bytes);
        self.rows.cells += cells;
        self.text_bytes = text_bytes;
        read
    }
}

/// One row while it is read.
struct Reading<'r> {
    rows: &'r mut Rows,
    shapes: &'r [Shape],
    fails_on_overflow: &'r [bool],
    fitter: Fitter<'r>,
}

impl Reading<'_> {
    /// Reads what a node wants of a value. Recursion is bounded by the steps of a path.
    fn visit(
        &mut self,
        cursor: &mut Cursor<'_>,
        value: Value<'_>,
        node: &Node,
    ) -> Result<(), BadRow> {
        let is_entered = node.is_inner() && value.is_container();
        if let (false, [column]) = (is_entered, node.columns.as_slice()) {
            return self.column(cursor, value, *column);
        }
        for column in &node.columns {
            self.column(&mut cursor.clone(), value.clone(), *column)?;
        }
        if !is_entered {
            return Ok(());
        }
        let (depth, format) = (cursor.depth(), self.fitter.format);
        cursor.enter().map_err(|stop| malformed(&stop))?;
        for index in 0.. {
            let item = cursor.next().map_err(|stop| malformed(&stop))?;
            let Some(item) = item else { break };
            let within = node.within(format, item.field.as_deref(), index);
            let mut within = within.peekable();
            while let Some(node) = within.next() {
                match within.peek() {
                    Some(_) => self.visit(&mut cursor.clone(), item.value.clone(), node)?,
                    None => self.visit(cursor, item.value.clone(), node)?,
                }
            }
        }
        cursor.leave_to(depth).map_err(|stop| malformed(&stop))
    }

    /// Reads a value into a column. Of several the last counts.
    fn column(
        &mut self,
        cursor: &mut Cursor<'_>,
        value: Value<'_>,
        index: usize,
    ) -> Result<(), BadRow> {
        let count = self.rows.count;
        let target = self.rows.columns.get_mut(index).zip(self.shapes.get(index));
        let Some((column, shape)) = target else {
            return Ok(());
        };
        column.truncate(count);
        self.fitter.fails_on_overflow = self.fails_on_overflow.get(index) != Some(&false);
        let put = self.fitter.put(cursor, value, column, shape);
        put.map_err(|failure| {
            let name = self.rows.name(index);
            match failure {
                Failure::Stop(stop) => malformed(&stop),
                Failure::Value {
                    shown,
                    wanted,
                    misfit,
                } => BadRow::value(name, &shown, &wanted, misfit),
                Failure::TooManyValues => BadRow(format!(
                    "column '{name}': more than {MAX_CELLS} values in one row cannot be read"
                )),
                Failure::TooManyBytes => BadRow(format!(
                    "column '{name}': symbols of one row have too long texts, more than {MAX_SYMBOL_BYTES} bytes beyond the row"
                )),
            }
        })
    }
}

/// All of the value was checked before.
fn malformed(stop: &Stop) -> BadRow {
    BadRow(stop.clone().fault().to_string())
}
