//! Results of functions keep the metadata of their fields, such as that a text is JSON.
//!
//! Columns that have one value in a file are replaced by it, and functions of such constants by
//! their results, without metadata: `to_json(to_json(x))` makes a text of the inner JSON then
//! (`simplifier/const_evaluator.rs` of `datafusion-physical-expr`, 55.2). Delete this when a
//! literal there has the metadata of the expression that it replaces.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_plan::PhysicalExpr;

/// Returns the expression with functions whose fields have metadata in a [`Marked`] each.
pub(super) fn marked(expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    expr.transform_up(|part| {
        if !part.is::<ScalarFunctionExpr>() {
            return Ok(Transformed::no(part));
        }
        let field = part.return_field(&Schema::empty())?;
        if field.metadata().is_empty() {
            return Ok(Transformed::no(part));
        }
        Ok(Transformed::yes(Arc::new(Marked { inner: part, field })))
    })
    .data()
}

/// An expression that is of a field, whatever replaces it.
#[derive(Debug, Clone)]
struct Marked {
    inner: Arc<dyn PhysicalExpr>,
    field: FieldRef,
}

impl PartialEq for Marked {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner) && self.field == other.field
    }
}

impl Eq for Marked {}

impl Hash for Marked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.field.hash(state);
    }
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl PhysicalExpr for Marked {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn nullable(&self, _input_schema: &Schema) -> Result<bool> {
        Ok(self.field.is_nullable())
    }

    fn return_field(&self, _input_schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let mut changed = self.as_ref().clone();
        if let Some(inner) = children.pop() {
            changed.inner = inner;
        }
        Ok(Arc::new(changed))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }

    /// A constant has no metadata, so this must not become one.
    fn is_volatile_node(&self) -> bool {
        true
    }
}
