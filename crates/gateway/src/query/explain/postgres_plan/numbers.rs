//! The numbers of a plan: estimates of rows, widths and costs, and measurements.
//!
//! Costs are in PostgreSQL's unit, the reading of one page of 8 KiB, with its default weights of a
//! row and of an operator. A node costs at least as much as its inputs together, a LIMIT too. The
//! estimates follow from statistics of granted columns only.

use arrow::datatypes::{DataType, FieldRef, IntervalUnit, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;
use datafusion::physical_plan::repartition::RepartitionExec;
use lakegate_engine::is_hidden_order;

const PAGE_BYTES: f64 = 8192.0;
const PAGE_COST: f64 = 1.0;
const ROW_COST: f64 = 0.01;
const OPERATOR_COST: f64 = 0.0025;

/// Rows of a relation of which nothing is known, as PostgreSQL assumes of a function.
pub(super) const UNKNOWN_ROWS: f64 = 1000.0;
/// The part of the rows that PostgreSQL assumes to pass a filter of which nothing is known.
pub(super) const FILTER_PART: f64 = 1.0 / 3.0;
/// Groups that PostgreSQL assumes of keys of which nothing is known.
pub(super) const UNKNOWN_GROUPS: f64 = 200.0;
/// Items that PostgreSQL assumes of an array of which nothing is known.
pub(super) const UNKNOWN_ITEMS: f64 = 10.0;

/// The maximum estimate of rows, as in PostgreSQL: products of such estimates are finite.
const MAX_ROWS: f64 = 1e100;

/// Estimates of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// Until the first row.
    pub startup: f64,
    pub total: f64,
    pub rows: f64,
    /// Bytes of a row.
    pub width: usize,
}

impl Cost {
    /// A node that gives `rows` at no cost of its own.
    pub(super) fn free(rows: f64, width: usize) -> Self {
        Self {
            startup: 0.0,
            total: 0.0,
            rows,
            width,
        }
    }

    /// The scan of a relation.
    pub(super) fn scan(rows: f64, width: usize) -> Self {
        let rows = rows.min(MAX_ROWS);
        let pages = (rows * width as f64 / PAGE_BYTES).ceil();
        Self {
            startup: 0.0,
            total: pages * PAGE_COST + rows * ROW_COST,
            rows,
            width,
        }
    }

    /// The same rows after `operations` for each of them.
    pub(super) fn worked(mut self, operations: f64) -> Self {
        self.total += self.rows * operations * OPERATOR_COST;
        self
    }

    /// The rows of an input that are kept or made of its rows.
    pub(super) fn giving(mut self, rows: f64, width: usize) -> Self {
        self.rows = rows.min(MAX_ROWS);
        self.width = width;
        self
    }

    /// The cost of a node that reads its inputs to their ends before it returns its first row.
    /// `operations`: on all of their rows.
    pub(super) fn after(inputs: &[Cost], operations: f64, rows: f64, width: usize) -> Self {
        let rows = rows.min(MAX_ROWS);
        let startup = total(inputs) + operations * OPERATOR_COST;
        Self {
            startup,
            total: startup + rows * ROW_COST,
            rows,
            width,
        }
    }

    /// A node that gives rows while it reads them.
    pub(super) fn along(inputs: &[Cost], operations: f64, rows: f64, width: usize) -> Self {
        let rows = rows.min(MAX_ROWS);
        let startup = inputs.iter().map(|input| input.startup);
        Self {
            startup: startup.fold(0.0, f64::max),
            total: total(inputs) + operations * OPERATOR_COST + rows * ROW_COST,
            rows,
            width,
        }
    }

    /// A join of the rows that `outer` gives, one after another, with those of `inner`, which are
    /// gathered first.
    pub(super) fn join(outer: Cost, inner: Cost, operations: f64, rows: f64, width: usize) -> Self {
        let along = Self::along(&[outer, inner], operations, rows, width);
        Self {
            startup: outer.startup + inner.total,
            ..along
        }
    }

    /// A node whose subqueries run before it.
    pub(super) fn with_subquery(mut self, subquery: Cost) -> Self {
        self.startup += subquery.total;
        self.total += subquery.total;
        self
    }
}

fn total(inputs: &[Cost]) -> f64 {
    inputs.iter().map(|input| input.total).sum()
}

/// Returns the estimated bytes of a row.
pub(super) fn width(schema: &SchemaRef) -> usize {
    shown_fields(schema)
        .map(|field| width_of(field.data_type()))
        .sum()
}

/// Returns the columns of an operator but those that only carry the order of its rows: a view may
/// sort by what it hides.
pub(super) fn shown_fields(schema: &SchemaRef) -> impl Iterator<Item = &FieldRef> {
    let fields = schema.fields().iter();
    fields.filter(|field| !is_hidden_order(field.name()))
}

fn width_of(data_type: &DataType) -> usize {
    use DataType as T;
    match data_type {
        T::Boolean => 1,
        T::Int8 | T::UInt8 | T::Int16 => 2,
        T::UInt16 | T::Int32 | T::Float16 | T::Float32 | T::Date32 => 4,
        T::UInt32 | T::Int64 | T::UInt64 | T::Float64 | T::Date64 => 8,
        T::Time32(_) | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => 8,
        T::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => 8,
        T::Interval(IntervalUnit::MonthDayNano) => 16,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) => 16,
        T::Null => 4,
        // PostgreSQL's estimate of a text.
        _ => 32,
    }
}

/// Measurements of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ran {
    /// Milliseconds from the start of the query to the node's start and end.
    pub start: f64,
    pub end: f64,
    pub rows: u64,
}

impl Ran {
    /// Measurements of an operator whose rows and times are those of the node. `inner`: those of
    /// the operators that it passes the rows of.
    pub(super) fn around(self, inner: Option<Ran>) -> Self {
        match inner {
            None => self,
            Some(inner) => Self {
                start: self.start.min(inner.start),
                end: self.end.max(inner.end),
                rows: self.rows,
            },
        }
    }
}

/// Returns when the first operator of a plan that ran has started.
pub(super) fn began(plan: &dyn ExecutionPlan) -> Option<DateTime<Utc>> {
    let own = times(plan).map(|(start, _)| start);
    let below = plan.children().into_iter();
    let below = below.filter_map(|child| began(child.as_ref()));
    below.chain(own).min()
}

fn times(plan: &dyn ExecutionPlan) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let metrics = plan.metrics()?;
    let mut found: Option<(DateTime<Utc>, DateTime<Utc>)> = None;
    for metric in metrics.iter() {
        let time = match metric.value() {
            MetricValue::StartTimestamp(time) | MetricValue::EndTimestamp(time) => time.value(),
            _ => None,
        };
        let Some(time) = time else { continue };
        found = Some(match found {
            None => (time, time),
            Some((first, last)) => (first.min(time), last.max(time)),
        });
    }
    found
}

/// Returns the rows that an operator gave, if it counts them.
pub(super) fn rows_of(plan: &dyn ExecutionPlan) -> Option<u64> {
    let rows = plan.metrics()?.output_rows()?;
    u64::try_from(rows).ok()
}

/// As [`rows_of`], with the rows that a scan tested and left out, which the filter above it would have.
pub(super) fn rows_read(plan: &dyn ExecutionPlan) -> Option<u64> {
    let rows = rows_of(plan)?;
    let mut scan = plan;
    while scan.is::<RepartitionExec>()
        && let Some(input) = scan.children().into_iter().next()
    {
        scan = input.as_ref();
    }
    let metrics = scan.metrics().filter(|_| scan.is::<DataSourceExec>());
    let left_out = metrics.and_then(|metrics| metrics.sum_by_name("pushdown_rows_pruned"));
    let left_out = left_out.and_then(|rows| u64::try_from(rows.as_usize()).ok());
    rows.checked_add(left_out.unwrap_or(0))
}

/// Returns the measurements of an operator. `began`: when the query has started.
pub(super) fn measured(plan: &dyn ExecutionPlan, began: DateTime<Utc>) -> Option<Ran> {
    let rows = rows_of(plan)?;
    let since = |time: DateTime<Utc>| {
        let passed = (time - began).num_microseconds().unwrap_or(0);
        passed.max(0) as f64 / 1000.0
    };
    let (start, end) = match times(plan) {
        Some((start, end)) => (since(start), since(end)),
        None => (0.0, 0.0),
    };
    Some(Ran { start, end, rows })
}
