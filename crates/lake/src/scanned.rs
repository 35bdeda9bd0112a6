//! Scans whose statistics are computed once.
//!
//! The physical optimizer asks each operator again and again for its statistics, which are computed
//! from the scans up. A `FileScanConfig` copies the statistics of all its columns each time, and then
//! projects them (`datafusion-datasource`, 55.2). Delete this when it keeps what it has computed.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::{DataSource, DataSourceExec, OpenArgs};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};

/// Returns a scan of files that computes its statistics once.
pub(crate) fn scan_of(files: FileScanConfig) -> DataSourceExec {
    DataSourceExec::new(source_of(files))
}

/// Returns the source of such a scan.
pub fn source_of(files: FileScanConfig) -> Arc<dyn DataSource> {
    Scanned::of(Arc::new(files))
}

/// Returns the files that an operator scans; `None` if it scans no files.
pub fn files_of(scan: &DataSourceExec) -> Option<&FileScanConfig> {
    let source = scan.data_source();
    match source.downcast_ref::<Scanned>() {
        Some(scanned) => scanned.source.downcast_ref(),
        None => source.downcast_ref(),
    }
}

/// Returns whether nothing is known of the order and of equal columns: a scan of different columns
/// without a condition. It takes some time to find this out by projecting what is known of all columns.
fn is_plain(files: &FileScanConfig) -> bool {
    let source = files.file_source();
    let shown: &[ProjectionExpr] = match source.projection() {
        Some(shown) => shown.as_ref(),
        None => &[],
    };
    let mut seen = HashSet::new();
    let are_columns = shown.iter().all(|one| {
        let column = one.expr.downcast_ref::<Column>();
        column.is_some_and(|column| seen.insert(column.index()))
    });
    are_columns
        && files.output_ordering.is_empty()
        && files.constraints.is_empty()
        && source.filter().is_none()
}

/// A source with its statistics.
#[derive(Debug)]
struct Scanned {
    source: Arc<dyn DataSource>,
    /// Of all partitions.
    statistics: OnceLock<Arc<Statistics>>,
}

impl Scanned {
    fn of(source: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        Arc::new(Self {
            source,
            statistics: OnceLock::new(),
        })
    }
}

impl DataSource for Scanned {
    fn open(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.source.open(partition, context)
    }

    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt_as(format, f)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        least_bytes: usize,
        order: Option<LexOrdering>,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let source = self
            .source
            .repartitioned(target_partitions, least_bytes, order)?;
        Ok(source.map(Self::of))
    }

    fn output_partitioning(&self) -> Partitioning {
        self.source.output_partitioning()
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        let files = self.source.downcast_ref::<FileScanConfig>();
        let plain = files.filter(|files| is_plain(files));
        match plain.map(FileScanConfig::projected_schema) {
            Some(Ok(schema)) => EquivalenceProperties::new(schema),
            _ => self.source.eq_properties(),
        }
    }

    fn scheduling_type(&self) -> SchedulingType {
        self.source.scheduling_type()
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        if partition.is_some() {
            return self.source.partition_statistics(partition);
        }
        if let Some(known) = self.statistics.get() {
            return Ok(Arc::clone(known));
        }
        let known = self.source.partition_statistics(None)?;
        Ok(Arc::clone(self.statistics.get_or_init(|| known)))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        self.source.with_fetch(limit).map(Self::of)
    }

    fn fetch(&self) -> Option<usize> {
        self.source.fetch()
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.source.metrics()
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let source = self.source.try_swapping_with_projection(projection)?;
        Ok(source.map(Self::of))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let pushed = self.source.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation {
            filters: pushed.filters,
            updated_node: pushed.updated_node.map(Self::of),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn DataSource>>> {
        Ok(self.source.try_pushdown_sort(order)?.map(Self::of))
    }

    fn with_preserve_order(&self, preserve_order: bool) -> Option<Arc<dyn DataSource>> {
        let source = self.source.with_preserve_order(preserve_order);
        source.map(Self::of)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.source.apply_expressions(f)
    }

    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn DataSource>> {
        self.source.with_new_state(state).map(Self::of)
    }

    fn create_sibling_state(&self, config: &ConfigOptions) -> Option<Arc<dyn Any + Send + Sync>> {
        self.source.create_sibling_state(config)
    }

    fn open_with_args(&self, args: OpenArgs) -> Result<SendableRecordBatchStream> {
        self.source.open_with_args(args)
    }
}
