//! Columns of type `char(n)`: some writers, such as Spark, fill their texts with spaces up to the
//! length. These are none of the text: each scan leaves them out, whatever the format.
//!
//! ```text
//!  scan ─ c: 'ab   ' ─▶ ProjectionExec: rtrim(c) ─ c: 'ab' ─▶
//! ```
//!
//! The projection becomes one of the files' readers. What files and ANALYZE know of such a column is
//! not of its texts, so conditions on it exclude no files.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::functions::string::rtrim;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use lakegate_catalog::hive_type::HiveType;

use crate::table::LakeTable;

/// The columns of files that are `char(n)`.
#[derive(Debug)]
pub(crate) struct CharColumns<'a>(Vec<&'a str>);

impl<'a> CharColumns<'a> {
    pub(crate) fn of(table: &'a LakeTable) -> Self {
        let declared = table.table.storage_descriptor.columns.iter();
        let is_char = |data_type: &str| {
            let start = data_type.trim_start().get(..4);
            start.is_some_and(|start| start.eq_ignore_ascii_case("char"))
                && matches!(data_type.parse::<HiveType>(), Ok(HiveType::Char(_)))
        };
        let chars = declared
            .filter(|column| is_char(column.data_type.as_str()))
            .map(|column| column.name.as_str())
            .filter(|name| table.file_schema.field_with_name(name).is_ok());
        Self(chars.collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// The conditions that name none of these columns.
    pub(crate) fn without<'f>(&self, filters: &'f [Expr]) -> Cow<'f, [Expr]> {
        if self.0.is_empty() {
            return Cow::Borrowed(filters);
        }
        let names_none = |filter: &&Expr| {
            let columns = filter.column_refs();
            !columns.iter().any(|column| self.has(&column.name))
        };
        filters.iter().filter(names_none).cloned().collect()
    }

    /// The rows of a scan with the texts of these columns as they are.
    ///
    /// # Errors
    /// A column is no text.
    pub(crate) fn trimmed(
        &self,
        scan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan.schema();
        if !schema.fields().iter().any(|field| self.has(field.name())) {
            return Ok(scan);
        }
        let options = Arc::new(options.clone());
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (place, field) in schema.fields().iter().enumerate() {
            let mut column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), place));
            if self.has(field.name()) {
                let options = Arc::clone(&options);
                let trimmed = ScalarFunctionExpr::try_new(rtrim(), vec![column], &schema, options)?;
                column = Arc::new(trimmed);
            }
            columns.push((column, field.name().clone()));
        }
        Ok(Arc::new(ProjectionExec::try_new(columns, scan)?))
    }
}
