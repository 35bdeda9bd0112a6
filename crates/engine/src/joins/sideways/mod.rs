//! Rows that a join or a filter drops are dropped where they are decoded.
//!
//! A hash join tells the scans of its probe side which keys there are on its build side, by a
//! dynamic filter. DataFusion moves it down through joins, filters and groupings, and the scans
//! leave out files, row groups and pages by it. Where the keys are spread over the files, this
//! leaves out nothing: all columns of all rows are decoded, grouped and probed.
//!
//! ```text
//! HashJoinExec: p_partkey = l_partkey          few parts
//!   FilterExec: part
//!   AggregateExec: by l_partkey                avg(l_quantity) of these parts only
//!     DataSourceExec: lineitem                 l_partkey of all rows, l_quantity of few
//!       predicate=DynamicFilter [ … ], filters_rows=if_few_keys
//! ```
//!
//! [`RowFilters`] chooses the scans that evaluate their conditions on rows, before they decode other
//! columns. DataFusion's setting for this, `pushdown_filters`, is for all scans, and most queries of
//! TPC-H are slower with it: a row is tested twice, and rows that pass are decoded in small runs. So
//! a scan is chosen only if other columns or a grouping can be spared, and if few rows are left.
//! Statistics decide this only; joins and filters above test the rows again, so that a scan may
//! leave out any part of the rows that fail, and no others:
//!
//! - DataFusion moves a filter only to where a row that fails it, or a group all of whose rows fail
//!   it, has no part in the result (`gather_filters_for_pushdown` of each operator).
//! - Until a join has read its build side its filter is true for all rows.
//! - A scan with a limit is not chosen: it would count the rows that are left.
//! - A scan below a barrier is not chosen: which bytes are read would depend on rows that a view
//!   leaves out and for which a condition of its reader is true.
//!
//! A join has read its build side when the scan opens its first file. If the keys are few, are a
//! small part of a range that the scan's keys fill, or are expected to be few, the scan then
//! filters rows ([`FilterRows::IfFewKeys`]).
//!
//! `passages/` lets filters of joins through more operators, before. `values.rs` estimates how many
//! keys there are.
//!
//! What can be evaluated on rows, and in which files, is decided by
//! [`ParquetFiles`](lakegate_lake::format::parquet::ParquetFiles). Delete this when DataFusion
//! chooses by itself (apache/datafusion#22883).

mod passages;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use lakegate_lake::format::parquet::{FilterRows, KeyFilter, ParquetFiles};
use lakegate_lake::scanned::{files_of, source_of};

pub(crate) use self::passages::guard as with_passages;
use self::values::{distinct, index, without_exchanges};
use crate::barrier::view_of_operator;
use crate::limits::stop::check;
use crate::optimize::with_remembered_statistics;
use crate::plans::estimates::Estimate;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// The share of rows that a filter leaves of a chosen scan, at most.
const FEW_OF_FILTER: f64 = 0.02;

/// Bytes of a row that a join spares, at least, if nothing but decoding is spared.
const WIDE_OF_JOIN: f64 = 8.0;

/// Bytes of a row that a filter spares, at least.
const WIDE_OF_FILTER: f64 = 64.0;

/// Rows for each number between the least and the greatest key, from which on most of these numbers
/// are taken to be keys.
const ROWS_OF_NUMBER: f64 = 4.0;

/// The physical rule.
#[derive(Debug)]
pub(crate) struct RowFilters {
    /// Rows of a chosen scan, at least.
    least_rows: f64,
}

impl Default for RowFilters {
    fn default() -> Self {
        Self {
            least_rows: 65_536.0,
        }
    }
}

impl PhysicalOptimizerRule for RowFilters {
    fn optimize(&self, plan: Operator, _: &ConfigOptions) -> Result<Operator> {
        // Build sides are estimated for each of their keys.
        with_remembered_statistics(plan, |plan| self.filtered(plan))
    }

    fn name(&self) -> &str {
        "row_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl RowFilters {
    /// Returns the plan with the rows of scans filtered where this is worth it.
    fn filtered(&self, plan: Operator) -> Result<Operator> {
        let sources = Sources::of(&plan)?;
        if sources.joins.is_empty() && sources.filters.is_empty() {
            return Ok(plan);
        }
        Ok(self.filtered_below(&plan, &sources)?.unwrap_or(plan))
    }

    /// Returns an operator with the rows of its scans filtered; `None` if none are.
    fn filtered_below(&self, node: &Operator, sources: &Sources) -> Result<Option<Operator>> {
        if is_barrier(node) {
            return Ok(None);
        }
        if let Some(filtering) = self.filtering(node, sources)? {
            return Ok(Some(filtering));
        }
        let mut inputs = Vec::new();
        let mut is_changed = false;
        for input in node.children() {
            let changed = self.filtered_below(input, sources)?;
            is_changed |= changed.is_some();
            inputs.push(changed.unwrap_or_else(|| Arc::clone(input)));
        }
        if !is_changed {
            return Ok(None);
        }
        // The properties of a scan do not depend on how it filters.
        let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        Arc::clone(node).replace_children(inputs, keep).map(Some)
    }

    /// Returns the scan with its rows filtered; `None` if this is not worth it, or no scan.
    fn filtering(&self, node: &Operator, sources: &Sources) -> Result<Option<Operator>> {
        let Some(scan) = node.downcast_ref::<DataSourceExec>() else {
            return Ok(None);
        };
        let Some(config) = files_of(scan) else {
            return Ok(None);
        };
        let Some(files) = config.file_source().downcast_ref::<ParquetFiles>() else {
            return Ok(None);
        };
        let (Some(condition), None) = (files.filter(), config.limit) else {
            return Ok(None);
        };
        check()?;
        let schema = files.table_schema().table_schema();
        let Some(rows) = Estimate::unfiltered(&config.statistics(), schema) else {
            return Ok(None);
        };
        let read = match files.projection() {
            Some(projection) => projection.column_indices(),
            None => (0..schema.fields().len()).collect(),
        };
        let scanned = Scanned { node, rows, read };
        if scanned.rows.rows < self.least_rows {
            return Ok(None);
        }
        let when = match sources.are_few_of_filter(&scanned) {
            true => Some(FilterRows::Always),
            false => sources.by_joins(&scanned, &condition),
        };
        let Some(when) = when else {
            return Ok(None);
        };
        let mut config = config.clone();
        config.file_source = Arc::new(files.with_rows_filtered(when));
        let filtering = scan.clone().with_data_source(source_of(config));
        Ok(Some(Arc::new(filtering)))
    }
}

/// A scan of Parquet files.
struct Scanned<'a> {
    node: &'a Operator,
    /// All rows, with all columns of the table.
    rows: Estimate,
    /// The columns that are read.
    read: Vec<usize>,
}

impl Scanned<'_> {
    /// Returns the bytes of a row in the columns that are read, without these.
    fn width_without(&self, columns: &[usize]) -> f64 {
        let read = self.read.iter().filter(|column| !columns.contains(column));
        let known = read.filter_map(|column| self.rows.columns.get(*column));
        known.map(|values| values.width).sum()
    }
}

/// What the conditions of scans come from.
#[derive(Default)]
struct Sources {
    /// Joins by the ids of their dynamic filters.
    joins: HashMap<u64, Probed>,
    filters: Vec<Operator>,
}

/// A join whose build side filters its probe side.
struct Probed {
    build: Operator,
    probe: Operator,
    /// The columns of the build side that are keys; `None` for an expression.
    keys: Vec<Option<usize>>,
}

impl Sources {
    /// Finds the joins with dynamic filters and the filters of a plan.
    ///
    /// # Errors
    ///
    /// Returns an error if the planning thread must stop.
    fn of(plan: &Operator) -> Result<Self> {
        let mut sources = Self::default();
        plan.apply(|node| {
            check()?;
            if is_barrier(node) {
                return Ok(TreeNodeRecursion::Jump);
            }
            if let Some(join) = node.downcast_ref::<HashJoinExec>() {
                for filter in node.dynamic_expressions_produced() {
                    let Some(id) = filter.expression_id() else {
                        continue;
                    };
                    let keys = join.on().iter().map(|(key, _)| index(key));
                    let probed = Probed {
                        build: Arc::clone(join.left()),
                        probe: Arc::clone(join.right()),
                        keys: keys.collect(),
                    };
                    sources.joins.insert(id, probed);
                }
            } else if node.is::<FilterExec>() {
                sources.filters.push(Arc::clone(node));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(sources)
    }

    /// Returns the dynamic filters of joins in the condition of a scan that would spare more than
    /// they cost, if they leave few rows; `None` if there are none.
    fn by_joins(
        &self,
        scan: &Scanned<'_>,
        condition: &Arc<dyn PhysicalExpr>,
    ) -> Option<FilterRows> {
        let mut filters = Vec::new();
        for part in split_conjunction(condition) {
            let Some(id) = part.expression_id() else {
                continue;
            };
            let Some(join) = self.joins.get(&id) else {
                continue;
            };
            let keys: Vec<Option<usize>> = part.children().into_iter().map(index).collect();
            let columns: Vec<usize> = keys.iter().copied().flatten().collect();
            let spares = scan.width_without(&columns) >= WIDE_OF_JOIN
                || is_grouped(&join.probe, scan.node).unwrap_or(false);
            if !spares {
                continue;
            }
            let pairs = join.keys.iter().zip(&keys);
            let shares = pairs.filter_map(|pair| match pair {
                (Some(build), Some(probe)) => join.share(*build, &scan.rows, *probe),
                _ => None,
            });
            filters.push(KeyFilter {
                id,
                keys: columns
                    .iter()
                    .map(|column| values_at_least(&scan.rows, *column))
                    .fold(1.0, f64::max),
                range: match columns[..] {
                    [column] => filled_range(&scan.rows, column),
                    _ => None,
                },
                share: shares.fold(1.0, f64::min),
            });
        }
        (!filters.is_empty()).then_some(FilterRows::IfFewKeys(filters))
    }

    /// Returns whether a filter above a scan leaves few rows of it, which are wide.
    ///
    /// Only conditions of columns whose bounds or distinct values are known count: of the others
    /// there are guesses.
    fn are_few_of_filter(&self, scan: &Scanned<'_>) -> bool {
        let filter = self.filters.iter().find_map(|filter| {
            let filter = filter.downcast_ref::<FilterExec>()?;
            Arc::ptr_eq(without_exchanges(filter.input()), scan.node).then_some(filter)
        });
        let Some(filter) = filter else {
            return false;
        };
        let Some(output) = Estimate::of(scan.node) else {
            return false;
        };
        let is_known = |part: &&Arc<dyn PhysicalExpr>| {
            let columns = collect_columns(part);
            let mut known = columns
                .iter()
                .map(|column| output.columns.get(column.index()));
            !columns.is_empty() && known.all(|values| values.is_some_and(|known| known.is_known))
        };
        let conditions = split_conjunction(filter.predicate()).into_iter();
        let known = conditions.filter(is_known).map(Arc::clone);
        let known = FilterExecBuilder::new(conjunction(known), Arc::clone(scan.node)).build();
        let left = known
            .ok()
            .and_then(|known| Estimate::of(&(Arc::new(known) as Operator)));
        let is_few = left.is_some_and(|left| left.rows <= output.rows * FEW_OF_FILTER);
        let tested = collect_columns(filter.predicate());
        let tested: Vec<usize> = tested.iter().map(Column::index).collect();
        let others = output.columns.iter().enumerate();
        let others = others.filter(|(column, _)| !tested.contains(column));
        is_few && others.map(|(_, values)| values.width).sum::<f64>() >= WIDE_OF_FILTER
    }
}

impl Probed {
    /// Returns the share of a scan's rows whose key is on the build side; `None` if it is not
    /// known.
    ///
    /// If the column has fewer distinct values than rows, the share of these. If filters of the
    /// build side took keys, at least the share that they left: bounds say little of a column whose
    /// values are far apart.
    fn share(&self, key: usize, rows: &Estimate, column: usize) -> Option<f64> {
        let build = distinct(&self.build, key)?;
        let of_probe = counted(rows, column).map(|probe| build.left / probe);
        let of_build = (build.left < build.all).then(|| build.left / build.all);
        match (of_probe, of_build) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        }
    }
}

fn is_barrier(plan: &Operator) -> bool {
    view_of_operator(plan.as_ref()).is_some()
}

/// Returns the distinct values of a scan's column, if they are fewer than its rows: else bounds that
/// are far apart may be all that is known.
fn counted(rows: &Estimate, column: usize) -> Option<f64> {
    let values = rows.columns.get(column)?;
    let is_counted = values.is_known && values.distinct < rows.rows * values.present;
    is_counted.then_some(values.distinct)
}

/// Returns how many distinct values a scan's column has at least, where this is a guess for a
/// column of which too little is known.
fn values_at_least(rows: &Estimate, column: usize) -> f64 {
    counted(rows, column).unwrap_or_else(|| rows.rows.sqrt())
}

/// Returns the least and the greatest of a scan's keys, if most numbers between them are keys.
fn filled_range(rows: &Estimate, column: usize) -> Option<(i64, i64)> {
    let values = rows.columns.get(column)?;
    let (least, greatest) = values.range?;
    let numbers = greatest.saturating_sub(least) as f64 + 1.0;
    let is_filled = rows.rows * values.present >= numbers * ROWS_OF_NUMBER;
    let range = i64::try_from(least).ok().zip(i64::try_from(greatest).ok());
    range.filter(|_| is_filled)
}

/// Returns whether there is a grouping between an operator and a scan below it; `None` if the scan
/// is not below it.
fn is_grouped(plan: &Operator, scan: &Operator) -> Option<bool> {
    if Arc::ptr_eq(plan, scan) {
        return Some(false);
    }
    let below = plan
        .children()
        .into_iter()
        .find_map(|input| is_grouped(input, scan))?;
    Some(below || plan.is::<AggregateExec>())
}
