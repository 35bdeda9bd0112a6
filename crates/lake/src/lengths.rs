//! Columns of type `varchar(n)` and `char(n)`: other writers' files may have longer texts, of which
//! the first `n` characters are the column's. Some writers, such as Spark, fill the texts of a
//! `char(n)` with spaces up to the length, which are none of the text either. Each scan leaves all
//! this out, whatever the format, also within arrays, maps and structs.
//!
//! ```text
//!  scan ─ c: 'abcdef' ─▶ ProjectionExec: fitted(c) ─ c: 'abc' ─▶
//! ```
//!
//! The projection becomes one of the files' readers. What files and ANALYZE know of such a column is
//! not of its texts, so conditions on the column are restated for the texts of files
//! (`comparisons.rs`) where they exclude files and parts of them.

mod comparisons;
mod fitted;
mod text_length;

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use lakegate_catalog::hive_type::HiveType;

pub(crate) use self::comparisons::of_files;
pub(crate) use self::fitted::Fit;
use self::fitted::fitted;
pub use self::text_length::TextLength;
use crate::table::LakeTable;

/// The columns of files whose texts have a greatest length, by name.
#[derive(Debug)]
pub(crate) struct BoundedColumns<'a>(Vec<(&'a str, Fit)>);

impl<'a> BoundedColumns<'a> {
    pub(crate) fn of(table: &'a LakeTable) -> Self {
        let declared = table.table.storage_descriptor.columns.iter();
        let bounded = declared
            .filter(|column| names_char(&column.data_type))
            .filter(|column| table.file_schema.field_with_name(&column.name).is_ok())
            .filter_map(|column| {
                let declared = column.data_type.parse::<HiveType>().ok()?;
                Some((column.name.as_str(), Fit::of(&declared)?))
            });
        Self(bounded.collect())
    }

    fn fit(&self, name: &str) -> Option<&Fit> {
        let mut columns = self.0.iter();
        columns
            .find(|(column, _)| *column == name)
            .map(|(_, fit)| fit)
    }

    /// The rows of a scan with the texts of these columns as they are.
    ///
    /// # Errors
    /// A column is not of the declared type.
    pub(crate) fn fitted(
        &self,
        scan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan.schema();
        let mut fields = schema.fields().iter();
        if !fields.any(|field| self.fit(field.name()).is_some()) {
            return Ok(scan);
        }
        let options = Arc::new(options.clone());
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (place, field) in schema.fields().iter().enumerate() {
            let mut column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), place));
            if let Some(fit) = self.fit(field.name()) {
                let (function, options) = (fitted(fit.clone()), Arc::clone(&options));
                let call = ScalarFunctionExpr::try_new(function, vec![column], &schema, options)?;
                column = Arc::new(call);
            }
            columns.push((column, field.name().clone()));
        }
        Ok(Arc::new(ProjectionExec::try_new(columns, scan)?))
    }
}

/// Whether a type may be one of characters, or have one within it.
fn names_char(data_type: &str) -> bool {
    let mut words = data_type.as_bytes().windows(4);
    words.any(|word| word.eq_ignore_ascii_case(b"char"))
}

#[cfg(test)]
mod tests;
