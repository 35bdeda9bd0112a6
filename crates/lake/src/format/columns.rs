//! A file's columns in the types of the table, for formats that are read here, and what they take.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field};
use datafusion::error::DataFusionError;
use lakegate_error::{Code, Error, Result, from_engine};

use super::files::OpenedFile;
use super::parquet::{convert, readable_as};

/// Which of a file's columns each column of a scan is read from.
#[derive(Debug)]
pub(super) struct Mapping {
    /// For each column of the scan: the place among the arrays that the decoder returns, and the
    /// column as the file has it. `None`: the file lacks the column, which is NULL then.
    columns: Vec<Option<(usize, Field)>>,
}

impl Mapping {
    /// # Errors
    /// A column of the file that cannot be cast to the table's.
    pub(super) fn new(file: &OpenedFile, columns: Vec<Option<(usize, Field)>>) -> Result<Self> {
        for (declared, found) in file.schema.fields().iter().zip(&columns) {
            if let Some((_, found)) = found
                && !readable_as(found.data_type(), declared.data_type())
            {
                return Err(unlike(file, declared, found.data_type()));
            }
        }
        Ok(Self { columns })
    }

    /// Rows in the table's types.
    ///
    /// # Errors
    /// A value that the table's type does not hold.
    pub(super) fn batch(
        &self,
        file: &OpenedFile,
        arrays: &[ArrayRef],
        rows: usize,
    ) -> Result<RecordBatch> {
        let declared = file.schema.fields().iter();
        let converted = declared.zip(&self.columns).map(|(declared, found)| {
            let array = found.as_ref().and_then(|(place, field)| {
                let array = arrays.get(*place)?;
                Some((array, field))
            });
            match array {
                Some((array, field)) => {
                    // The decoder may give another type than the file's schema said.
                    let field = match field.data_type().equals_datatype(array.data_type()) {
                        true => field.clone(),
                        false => field.clone().with_data_type(array.data_type().clone()),
                    };
                    convert(array, &field, declared.data_type()).map_err(|error| {
                        from_engine(DataFusionError::from(error))
                            .with_detail(format!("this came up in file {}", file.url))
                    })
                }
                None => Ok(new_null_array(declared.data_type(), rows)),
            }
        });
        let converted = converted.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&file.schema), converted, &options)
            .map_err(|error| from_engine(error.into()))
    }
}

fn unlike(file: &OpenedFile, declared: &Field, found: &DataType) -> Error {
    let partition = match file.partition.as_ref() {
        "" => String::new(),
        name => format!(" of partition {name}"),
    };
    let name = declared.name();
    let held = crate::type_name(found);
    let declared = crate::type_name(declared.data_type());
    Error::new(
        Code::TypeMismatch,
        format!(
            "column '{name}' of table {} is declared as {declared} but file {}{partition} holds {held}",
            file.table, file.url
        ),
    )
    .of_a_file(format!(
        " holds {held} in column '{name}', which is declared as {declared}"
    ))
    .with_hint("declare the column with the file's type, or rewrite the file")
}

/// Bytes of the rows themselves, where they are a part of larger arrays.
pub(super) fn bytes_of(rows: &RecordBatch) -> usize {
    let columns = rows.columns().iter().map(|column| {
        let data = column.to_data();
        data.get_slice_memory_size().unwrap_or(0)
    });
    columns.sum()
}
