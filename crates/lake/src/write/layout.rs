//! How the rows of a table lie in its files: in which bucket, and in which order.
//!
//! ```text
//!  query ─▶ TableRowsExec ─▶ SortExec ─▶ SortPreservingMergeExec ─▶ PartitionedWriter
//!           columns of the    partition keys,                       one file after the other
//!           table, bucket     bucket, sort columns
//! ```
//!
//! Rows come in the order of their files, so that each bucket of a partition has one file, however
//! many there are and however large they get, and one is open at a time. The sort takes its memory
//! from the pool and spills, as that of any query.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::Table;
use lakegate_error::{Code, Error, Result};

use super::buckets::Buckets;
use super::columns::Mapping;
use crate::format::SortKey;

/// How the rows of a table lie in its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    pub(super) buckets: Option<Buckets>,
    /// What the rows of each file are sorted by.
    pub(super) sorted_by: Vec<SortKey>,
    /// The number of columns in the files, which the partition keys follow.
    data: usize,
    keys: usize,
}

impl Layout {
    /// # Errors
    /// A bucketing or sort column that is not in the files, or whose type has no bucket or no order;
    /// a number of buckets that tables do not have.
    pub fn of_table(table: &Table) -> Result<Self> {
        let storage = &table.storage_descriptor;
        let name = table.full_name();
        let mut sorted_by = Vec::with_capacity(storage.sort_columns.len());
        for sorted in &storage.sort_columns {
            let (place, data_type) = found(table, &sorted.column)?;
            if data_type.is_nested() {
                return Err(Error::not_supported(format!(
                    "table {name} is sorted by column \"{}\" of type {data_type}, which has no order",
                    sorted.column
                ))
                .with_hint("sort by columns that are no arrays, maps or rows"));
            }
            sorted_by.push(SortKey {
                column: place,
                descending: sorted.sort_order == 0,
            });
        }
        let is_bucketed = storage.number_of_buckets > 0 && !storage.bucket_columns.is_empty();
        let buckets = if is_bucketed {
            let mut columns = Vec::with_capacity(storage.bucket_columns.len());
            for column in &storage.bucket_columns {
                let (place, data_type) = found(table, column)?;
                columns.push((column.as_str(), place, data_type));
            }
            Some(Buckets::new(&name, &columns, storage.number_of_buckets)?)
        } else {
            None
        };
        Ok(Self {
            buckets,
            sorted_by,
            data: storage.columns.len(),
            keys: table.partition_keys.len(),
        })
    }

    /// Whether rows have to come in an order. All rows of one bucket need none.
    fn is_ordered(&self) -> bool {
        let buckets = self.buckets.as_ref();
        !self.sorted_by.is_empty()
            || buckets.is_some_and(|buckets| self.keys > 0 || buckets.count() > 1)
    }

    /// The columns that rows are ordered by. `schema`: the columns of the table, and behind them
    /// the bucket.
    fn ordering(&self, schema: &Schema) -> Option<LexOrdering> {
        let any = SortOptions::default();
        let keys = (self.data..self.data + self.keys).map(|place| (place, any));
        let bucket = self.buckets.iter().map(|_| (self.data + self.keys, any));
        let sorted = self.sorted_by.iter().map(|key| {
            let options = SortOptions {
                descending: key.descending,
                nulls_first: key.nulls_first(),
            };
            (key.column, options)
        });
        let places = keys.chain(bucket).chain(sorted);
        LexOrdering::new(places.filter_map(|(place, options)| {
            let name = schema.fields().get(place)?.name();
            let column = Arc::new(Column::new(name, place));
            Some(PhysicalSortExpr::new(column, options))
        }))
    }
}

/// The place and the type of a column in the files.
fn found(table: &Table, name: &str) -> Result<(usize, HiveType)> {
    let columns = &table.storage_descriptor.columns;
    let mut columns = columns.iter().enumerate();
    let found = columns.find(|(_, column)| column.name.eq_ignore_ascii_case(name));
    let Some((place, column)) = found else {
        return Err(Error::new(
            Code::InvalidTable,
            format!(
                "table {} is bucketed or sorted by column \"{name}\", which its files do not have",
                table.full_name()
            ),
        ));
    };
    let data_type = column.data_type.parse::<HiveType>();
    let data_type = data_type.map_err(|error| {
        Error::new(
            Code::InvalidTable,
            format!("column \"{name}\" of table {}: {error}", table.full_name()),
        )
    })?;
    Ok((place, data_type))
}

/// The order that the rows of a write come in.
#[derive(Debug)]
pub struct RowOrder {
    rows: TableRows,
    ordering: LexOrdering,
}

impl RowOrder {
    /// `mapping`: of the rows to the columns of the table. `None`: they may come in any order.
    pub fn new(layout: &Layout, mapping: &Mapping) -> Option<Self> {
        if !layout.is_ordered() {
            return None;
        }
        let buckets = layout.buckets.clone();
        let mut fields: Vec<FieldRef> = mapping.schema().fields().iter().cloned().collect();
        if buckets.is_some() {
            fields.push(Arc::new(Field::new("bucket", DataType::UInt32, false)));
        }
        let schema = Arc::new(Schema::new(fields));
        Some(Self {
            ordering: layout.ordering(&schema)?,
            rows: TableRows {
                mapping: mapping.clone(),
                buckets,
                schema,
            },
        })
    }

    /// Puts the rows of a plan in order, in one stream. They have the columns of the table, and
    /// perhaps another one behind them.
    pub fn above(self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let rows = Arc::new(TableRowsExec::new(Arc::new(self.rows), plan));
        let partitions = rows.properties.partitioning.partition_count();
        let sorted = SortExec::new(self.ordering.clone(), rows);
        if partitions <= 1 {
            return Arc::new(sorted);
        }
        let sorted = Arc::new(sorted.with_preserve_partitioning(true));
        Arc::new(SortPreservingMergeExec::new(self.ordering, sorted))
    }
}

/// What the rows of a query become.
#[derive(Debug)]
struct TableRows {
    mapping: Mapping,
    buckets: Option<Buckets>,
    /// The columns of the table, and the bucket if there is one.
    schema: SchemaRef,
}

impl TableRows {
    /// # Errors
    /// A value that does not fit its column, which is named.
    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mapped = self.mapping.apply(batch)?;
        let Some(buckets) = &self.buckets else {
            return Ok(mapped);
        };
        let bucket: ArrayRef = Arc::new(buckets.of_rows(&mapped)?);
        let columns = mapped.columns().iter().cloned().chain([bucket]);
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())
            .map_err(|error| Error::internal(format!("rows do not form a batch: {error}")))
    }
}

/// Makes the rows of a query those of a table, and finds their buckets.
#[derive(Debug)]
struct TableRowsExec {
    rows: Arc<TableRows>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl TableRowsExec {
    fn new(rows: Arc<TableRows>, input: Arc<dyn ExecutionPlan>) -> Self {
        let of_input = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&rows.schema)),
            Partitioning::UnknownPartitioning(of_input.partitioning.partition_count()),
            of_input.emission_type,
            of_input.boundedness,
        );
        Self {
            rows,
            properties: Arc::new(properties),
            input,
        }
    }
}

impl DisplayAs for TableRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rows.buckets {
            Some(buckets) => write!(f, "TableRowsExec: buckets={}", buckets.count()),
            None => f.write_str("TableRowsExec"),
        }
    }
}

impl ExecutionPlan for TableRowsExec {
    fn name(&self) -> &str {
        "TableRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("rows of a table have one input".to_owned()))?;
        Ok(Arc::new(Self::new(Arc::clone(&self.rows), input)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, recompute)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let rows = Arc::clone(&self.rows);
        let mapped = input.map_ok(move |batch| {
            let rows = Arc::clone(&rows);
            let pieces = stream::iter(rows.mapping.pieces(batch));
            pieces.map(move |piece| rows.of(&piece).map_err(DataFusionError::from))
        });
        let schema = Arc::clone(&self.rows.schema);
        let stream = RecordBatchStreamAdapter::new(schema, mapped.try_flatten());
        Ok(Box::pin(stream))
    }
}
