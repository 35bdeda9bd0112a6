//! Whether a file's columns can be read as the table's.

use arrow::datatypes::{DataType, SchemaRef};
use lakegate_error::{Code, Error, Result};

use super::damaged;
use super::decode::Footer;

/// Says whether a file's columns can be read as the table's.
#[derive(Debug)]
pub struct ColumnChecks {
    pub table: String,
    /// The data columns that the scan reads.
    pub columns: SchemaRef,
    /// Whether faults of other columns may be reported; they are errors then, too.
    pub whole: bool,
}

impl ColumnChecks {
    /// # Errors
    /// A column whose type in the file cannot be cast to the table's, naming table, file and both
    /// types.
    pub fn check(&self, footer: &Footer, partition: &str, file: &str) -> Result<()> {
        let of_others = self.whole.then(|| footer.faults.values().min()).flatten();
        let columns = self.columns.fields().iter();
        let mut faults = columns.filter_map(|column| footer.faults.get(column.name()));
        if let Some(fault) = faults.next().or(of_others) {
            return Err(damaged(file, fault));
        }
        for column in self.columns.fields() {
            let Ok(found) = footer.schema.field_with_name(column.name()) else {
                continue;
            };
            if !readable_as(found.data_type(), column.data_type()) {
                let partition = if partition.is_empty() {
                    String::new()
                } else {
                    format!(" of partition {partition}")
                };
                let declared = crate::type_name(column.data_type());
                let held = crate::type_name(found.data_type());
                let name = column.name();
                return Err(Error::new(
                    Code::TypeMismatch,
                    format!(
                        "column '{name}' of table {} is declared as {declared} but file {file}{partition} holds {held}",
                        self.table,
                    ),
                )
                .of_a_file(format!(
                    " holds {held} in column '{name}', which is declared as {declared}"
                ))
                .with_hint("declare the column with the file's type, or rewrite the file"));
            }
        }
        Ok(())
    }
}

/// Whether values of `file` can be cast to `table` without parsing text and without guessing.
pub(in crate::format) fn readable_as(file: &DataType, table: &DataType) -> bool {
    use DataType as T;
    let binary = |t: &T| {
        matches!(
            t,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)
        )
    };
    match (file, table) {
        (file, table) if file == table => true,
        (T::Dictionary(_, value), table) => readable_as(value, table),
        (T::Null, _) => true,
        (file, table) if table.is_string() => !file.is_nested(),
        (file, table) if binary(table) => binary(file) || file.is_string(),
        (file, table) if table.is_numeric() => file.is_numeric(),
        (T::Timestamp(..), T::Timestamp(..) | T::Date32) => true,
        (T::Date32 | T::Date64, T::Timestamp(..) | T::Date32) => true,
        (T::Time32(_) | T::Time64(_), T::Time32(_) | T::Time64(_)) => true,
        (T::List(file) | T::LargeList(file), T::List(table)) => {
            readable_as(file.data_type(), table.data_type())
        }
        (T::Map(file, _), T::Map(table, _)) => {
            let (T::Struct(file), T::Struct(table)) = (file.data_type(), table.data_type()) else {
                return false;
            };
            file.len() == 2
                && table.len() == 2
                && file
                    .iter()
                    .zip(table)
                    .all(|(file, table)| readable_as(file.data_type(), table.data_type()))
        }
        (T::Struct(file), T::Struct(table)) => table.iter().all(|field| {
            file.iter()
                .find(|found| found.name() == field.name())
                .is_none_or(|found| readable_as(found.data_type(), field.data_type()))
        }),
        _ => false,
    }
}
