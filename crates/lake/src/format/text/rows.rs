//! Rows under construction, and what every SerDe's decoder does with a line.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use lakegate_error::{Error, Result};

use super::columns::{Column, Data};
use super::scalars::Misfit;
use crate::type_name;

/// The most characters of a file's text that an error shows.
const SHOWN_CHARS: usize = 80;

/// Values that one row, or one batch, may make. A short line can stand for many NULLs
/// (`[{},{},…]`).
pub(in crate::format) const MAX_CELLS: usize = 4 << 20;

/// Turns lines into rows of the projected columns.
pub(in crate::format) trait RowDecoder: Send {
    /// Appends the row of one line, or nothing for a line that is none (a blank line of JSON).
    ///
    /// # Errors
    /// The line cannot be read; nothing of it is kept.
    fn decode(&mut self, line: &[u8]) -> Result<(), BadRow>;

    fn rows(&mut self) -> &mut Rows;

    /// Whether others should have their turn before the next line.
    fn wants_pause(&mut self) -> bool {
        false
    }
}

/// Where in a line the columns are that a principal may select, among all that the table has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Of each column; `None`: all columns of the table are there.
    fields: Option<Arc<[usize]>>,
    /// The columns of the table.
    width: usize,
}

impl Places {
    /// `fields`: the places of some of a table's `width` columns, ascending.
    pub fn some(fields: impl Into<Arc<[usize]>>, width: usize) -> Self {
        Self {
            fields: Some(fields.into()),
            width,
        }
    }

    pub(in crate::format) fn of(&self, column: usize) -> usize {
        let fields = self.fields.as_ref();
        fields.map_or(column, |fields| {
            fields.get(column).copied().unwrap_or(column)
        })
    }

    pub(in crate::format) fn width(&self, columns: usize) -> usize {
        self.fields.as_ref().map_or(columns, |_| self.width)
    }
}

/// Why a line is not a row. Its text is what an error says after the file and the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::format) struct BadRow(pub String);

impl BadRow {
    /// The text if it is about one column, which then is one that is read: it quotes no other. What
    /// is about the line may quote all of it.
    pub(in crate::format) fn of_a_column(&self) -> Option<&str> {
        self.0.starts_with("column '").then_some(self.0.as_str())
    }

    pub(in crate::format) fn value(
        column: &str,
        text: &str,
        wanted: &DataType,
        misfit: Misfit,
    ) -> Self {
        let wanted = type_name(wanted);
        let why = match misfit {
            Misfit::NotA => "is not a valid",
            Misfit::OutOfRange => "is out of the range of",
        };
        Self(format!(
            "column '{column}': '{}' {why} {wanted}",
            shown(text)
        ))
    }
}

/// The beginning of a text, on one line.
pub(in crate::format) fn shown(text: &str) -> String {
    let mut letters = text.chars();
    let mut shown: String = letters
        .by_ref()
        .take(SHOWN_CHARS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The projected columns of the rows since the last batch.
#[derive(Debug)]
pub(in crate::format) struct Rows {
    schema: SchemaRef,
    pub columns: Vec<Column>,
    pub count: usize,
    /// Values in nested columns since the last batch.
    pub cells: usize,
    /// Rows and values that were made NULL because they could not be read, since the file's start.
    pub malformed: usize,
}

impl Rows {
    pub(in crate::format) fn new(schema: &SchemaRef) -> Result<Self> {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Column::new(field.data_type()))
            .collect::<Result<_>>()?;
        Ok(Self {
            schema: Arc::clone(schema),
            columns,
            count: 0,
            cells: 0,
            malformed: 0,
        })
    }

    pub(in crate::format) fn name(&self, column: usize) -> &str {
        self.schema
            .fields()
            .get(column)
            .map_or("", |field| field.name())
    }

    /// Ends a row: columns without a value in it are NULL.
    pub(in crate::format) fn commit(&mut self) {
        for column in self
            .columns
            .iter_mut()
            .filter(|column| column.len() == self.count)
        {
            column.append_null();
        }
        self.count += 1;
    }

    /// Takes back what the unfinished row appended.
    pub(in crate::format) fn roll_back(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.count);
        }
    }

    /// Ends a row that was read, or takes back one that was not.
    pub(in crate::format) fn end_row(&mut self, read: Result<(), BadRow>) -> Result<(), BadRow> {
        match read {
            Ok(()) => self.commit(),
            Err(_) => self.roll_back(),
        }
        read
    }

    /// Checks that no column is nested. `serde`: what reads the rows, for the message.
    ///
    /// # Errors
    /// One is.
    pub(in crate::format) fn check_flat(&self, serde: &str) -> Result<()> {
        for (index, column) in self.columns.iter().enumerate() {
            if matches!(column.data, Data::List(_) | Data::Map(_) | Data::Struct(..)) {
                return Err(Error::not_supported(format!(
                    "column '{}' is {}, which {serde} cannot read; declare it as string",
                    self.name(index),
                    type_name(&column.data_type)
                )));
            }
        }
        Ok(())
    }

    pub(in crate::format) fn flush(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self
            .columns
            .iter_mut()
            .map(Column::finish)
            .collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        self.count = 0;
        self.cells = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn rows_without_columns_are_counted() {
        let mut rows = Rows::new(&Arc::new(Schema::empty())).unwrap();
        rows.commit();
        rows.commit();
        assert_eq!(rows.flush().unwrap().num_rows(), 2);
        assert_eq!(rows.flush().unwrap().num_rows(), 0);
    }

    #[test]
    fn errors_show_a_bounded_part_of_the_text_on_one_line() {
        let error = BadRow::value("a", &"x\n".repeat(10_000), &DataType::Int32, Misfit::NotA);
        assert!(
            error.to_string().chars().count() < 150 && !error.to_string().contains('\n'),
            "{error}"
        );
    }

    #[test]
    fn rolled_back_row_leaves_no_values() {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
        ]);
        let mut rows = Rows::new(&Arc::new(schema)).unwrap();
        rows.columns[0].append_null();
        rows.roll_back();
        rows.commit();
        assert_eq!(rows.flush().unwrap().num_rows(), 1);
    }
}
