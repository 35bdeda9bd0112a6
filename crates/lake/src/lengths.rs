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
//! not of its texts. A condition on the column is one on the texts of files, too, if it compares a
//! `varchar(n)` with a constant of fewer than `n` characters: then what is left out decides nothing.

mod fitted;

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr as PhysicalBinary, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use lakegate_catalog::hive_type::HiveType;

use self::fitted::{Fit, fit_of, fitted};
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

    /// The conditions that are as true of the texts in files as of those of these columns.
    pub(crate) fn of_files<'f>(&self, filters: &'f [Expr]) -> Cow<'f, [Expr]> {
        if self.0.is_empty() {
            return Cow::Borrowed(filters);
        }
        let alike = |filter: &&Expr| self.is_alike(filter);
        filters.iter().filter(alike).cloned().collect()
    }

    fn is_alike(&self, filter: &Expr) -> bool {
        let mut alike = true;
        let walked = filter.apply(|part| {
            if self.is_alike_at(part) {
                return Ok(TreeNodeRecursion::Jump);
            }
            if let Expr::Column(column) = part
                && self.fit(&column.name).is_some()
            {
                alike = false;
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        alike && walked.is_ok()
    }

    fn fit_at(&self, expr: &Expr) -> Option<&Fit> {
        match expr {
            Expr::Column(column) => self.fit(&column.name),
            _ => None,
        }
    }

    /// Whether an expression is a comparison of one of these columns that [`Fit::keeps`].
    fn is_alike_at(&self, expr: &Expr) -> bool {
        match expr {
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.fit_at(inner).is_some(),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                match (left.as_ref(), right.as_ref()) {
                    (column, Expr::Literal(value, _)) => {
                        self.fit_at(column).is_some_and(|fit| fit.keeps(*op, value))
                    }
                    (Expr::Literal(value, _), column) => match (self.fit_at(column), op.swap()) {
                        (Some(fit), Some(op)) => fit.keeps(op, value),
                        _ => false,
                    },
                    _ => false,
                }
            }
            Expr::InList(InList { expr, list, .. }) => self.fit_at(expr).is_some_and(|fit| {
                list.iter().all(|item| match item {
                    Expr::Literal(value, _) => fit.keeps(Operator::Eq, value),
                    _ => false,
                })
            }),
            _ => false,
        }
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

impl Fit {
    /// Whether a comparison with a constant is as true of each text in a file as of what the column
    /// has of it.
    ///
    /// Texts are compared character by character. What is left out comes after the first `n`
    /// characters, so it decides only where the constant has all of them.
    fn keeps(&self, op: Operator, constant: &ScalarValue) -> bool {
        let Self::Varchar(most) = self else {
            return false;
        };
        let Some(Some(text)) = constant.try_as_str() else {
            return false;
        };
        let (length, most) = (text.chars().count(), *most as usize);
        match op {
            Operator::Eq
            | Operator::NotEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
            | Operator::Gt
            | Operator::LtEq => length < most,
            Operator::Lt | Operator::GtEq => length <= most,
            _ => false,
        }
    }
}

/// The condition of a scan with comparisons of the texts in files in the place of those of columns,
/// where both are alike.
///
/// # Errors
/// Those of the engine's expressions that are built anew.
pub(crate) fn of_files(condition: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    condition
        .transform_up(|expr| {
            let Some(alike) = over_file(&expr) else {
                return Ok(Transformed::no(expr));
            };
            Ok(Transformed::yes(expr.with_new_children(alike)?))
        })
        .data()
}

/// The children of a comparison with the text of a file in the place of that of a column; `None`:
/// the expression is no comparison that [`Fit::keeps`].
fn over_file(expr: &Arc<dyn PhysicalExpr>) -> Option<Vec<Arc<dyn PhysicalExpr>>> {
    let keeps = |fit: &Fit, op: Operator, constant: &Arc<dyn PhysicalExpr>| {
        let constant = constant.downcast_ref::<Literal>();
        constant.is_some_and(|constant| fit.keeps(op, constant.value()))
    };
    if let Some(binary) = expr.downcast_ref::<PhysicalBinary>() {
        let (left, op, right) = (binary.left(), *binary.op(), binary.right());
        if let Some((fit, text)) = fit_of(left) {
            return keeps(fit, op, right).then(|| vec![Arc::clone(text), Arc::clone(right)]);
        }
        let (fit, text) = fit_of(right)?;
        return keeps(fit, op.swap()?, left).then(|| vec![Arc::clone(left), Arc::clone(text)]);
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        let (fit, text) = fit_of(list.expr())?;
        let mut items = list.list().iter();
        return items.all(|item| keeps(fit, Operator::Eq, item)).then(|| {
            let items = list.list().iter().map(Arc::clone);
            std::iter::once(Arc::clone(text)).chain(items).collect()
        });
    }
    let tested = match (
        expr.downcast_ref::<IsNullExpr>(),
        expr.downcast_ref::<IsNotNullExpr>(),
    ) {
        (Some(null), _) => null.arg(),
        (_, Some(not_null)) => not_null.arg(),
        _ => return None,
    };
    fit_of(tested).map(|(_, text)| vec![Arc::clone(text)])
}

#[cfg(test)]
mod tests;
