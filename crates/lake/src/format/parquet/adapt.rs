//! A query's expressions over the columns of one file.
//!
//! The engine's adapter puts casts around columns whose type in the file is another than in the
//! table, and moves them to the constants they are compared with. For columns that are
//! [converted here](super::convert) it works with the file's type; [`InTable`] is put around them
//! afterwards, and is opaque.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::PhysicalExpr;

use super::convert::{convert, is_ours};
use super::marked::marked;

/// Makes the adapter of each file.
#[derive(Debug)]
pub(crate) struct FileAdapters;

impl PhysicalExprAdapterFactory for FileAdapters {
    fn create(
        &self,
        logical_file_schema: SchemaRef,
        physical_file_schema: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let mut converted = HashMap::new();
        let fields: Vec<FieldRef> = logical_file_schema
            .fields()
            .iter()
            .map(
                |table| match physical_file_schema.field_with_name(table.name()) {
                    Ok(file) if is_ours(file, table.data_type()) => {
                        let file = Arc::new(file.clone());
                        let pair = (Arc::clone(&file), Arc::clone(table));
                        converted.insert(table.name().clone(), pair);
                        file
                    }
                    _ => Arc::clone(table),
                },
            )
            .collect();
        let seen = Schema::new_with_metadata(fields, logical_file_schema.metadata().clone());
        let file = Arc::clone(&physical_file_schema);
        let inner =
            DefaultPhysicalExprAdapterFactory.create(Arc::new(seen), physical_file_schema)?;
        Ok(Arc::new(FileAdapter {
            inner,
            file,
            converted,
        }))
    }
}

#[derive(Debug)]
struct FileAdapter {
    inner: Arc<dyn PhysicalExprAdapter>,
    file: SchemaRef,
    /// By name: the column in the file and in the table.
    converted: HashMap<String, (FieldRef, FieldRef)>,
}

impl PhysicalExprAdapter for FileAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = self.inner.rewrite(expr)?;
        if self.converted.is_empty() {
            return marked(expr);
        }
        // Upwards: what is put around a column is not visited again.
        let expr = expr.transform_up(|expr| {
            if let Some(narrowed) = self.narrowed(&expr)? {
                return Ok(Transformed::yes(narrowed));
            }
            let column = expr.downcast_ref::<Column>();
            let pair = column.and_then(|column| self.converted.get(column.name()));
            Ok(match pair {
                Some((file, table)) => Transformed::yes(Arc::new(InTable {
                    column: expr,
                    file: Arc::clone(file),
                    table: Arc::clone(table),
                })),
                None => Transformed::no(expr),
            })
        });
        marked(expr.data()?)
    }
}

impl FileAdapter {
    /// A field of a struct, where it is taken of a converted one: the field is converted in the
    /// struct's place, so that the others need not be read.
    fn narrowed(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let call = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr.as_ref());
        let Some((call, (source, keys))) =
            call.and_then(|call| Some((call, call.args().split_first()?)))
        else {
            return Ok(None);
        };
        let Some(whole) = source.downcast_ref::<InTable>() else {
            return Ok(None);
        };
        let mut file = Some(&whole.file);
        let mut table = &whole.table;
        for key in keys {
            let key = key.downcast_ref::<Literal>();
            let name = key.and_then(|key| key.value().try_as_str().flatten());
            let (Some(name), DataType::Struct(fields)) = (name, table.data_type()) else {
                return Ok(None);
            };
            let Some((_, found)) = fields.find(name) else {
                return Ok(None);
            };
            table = found;
            file = match file.map(|file| file.data_type()) {
                Some(DataType::Struct(fields)) => fields.find(name).map(|(_, field)| field),
                Some(_) => return Ok(None),
                None => None,
            };
        }
        let Some(file) = file else {
            let null = ScalarValue::try_from(table.data_type())?;
            return Ok(Some(Arc::new(Literal::new(null))));
        };
        let mut args = vec![Arc::clone(&whole.column)];
        args.extend(keys.iter().map(Arc::clone));
        let field: Arc<dyn PhysicalExpr> = Arc::new(ScalarFunctionExpr::try_new(
            Arc::new(call.fun().clone()),
            args,
            &self.file,
            Arc::new(call.config_options().clone()),
        )?);
        if file.data_type() == table.data_type() && !is_ours(file, table.data_type()) {
            return Ok(Some(field));
        }
        Ok(Some(Arc::new(InTable {
            column: field,
            file: Arc::clone(file),
            table: Arc::clone(table),
        })))
    }
}

/// A column of a file with its values as the table has them.
#[derive(Debug, Clone)]
struct InTable {
    column: Arc<dyn PhysicalExpr>,
    file: FieldRef,
    table: FieldRef,
}

impl PartialEq for InTable {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.file == other.file && self.table == other.table
    }
}

impl Eq for InTable {}

impl Hash for InTable {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.file.hash(state);
        self.table.hash(state);
    }
}

impl fmt::Display for InTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.column, self.table.data_type())
    }
}

impl InTable {
    fn converted(&self, array: &ArrayRef) -> Result<ArrayRef> {
        // The reader may give another type than the footer said, as a view in the place of a text.
        let file: Field = self.file.as_ref().clone();
        let file = if file.data_type() == array.data_type() {
            file
        } else {
            file.with_data_type(array.data_type().clone())
        };
        Ok(convert(array, &file, self.table.data_type())?)
    }
}

impl PhysicalExpr for InTable {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(self.table.data_type().clone())
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.column.nullable(input_schema)
    }

    fn return_field(&self, _input_schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.table))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = self.column.evaluate(batch)?;
        let array = values.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(self.converted(&array)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let mut changed = self.as_ref().clone();
        if let Some(column) = children.pop() {
            changed.column = column;
        }
        Ok(Arc::new(changed))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
