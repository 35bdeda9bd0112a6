//! A physical plan as EXPLAIN prints it: the engine's text without the files that the principal may
//! not know.
//!
//! A path contains the values of all partition keys. For a table with hidden columns or keys,
//! EXPLAIN prints how many files a scan has, but not which. Columns need no such care, because the
//! plan contains only granted ones. Of a view that the principal may not look into, EXPLAIN prints
//! the name.

use std::fmt;
use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::physical_plan::metrics::MetricType;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use lakegate_engine::barrier;
use lakegate_lake::format::sight_of;
use lakegate_lake::scanned::files_of;
use lakegate_lake::sight::Sight;

use crate::query::explain::options::PlanNode;

/// Returns the inputs of an operator that the principal may know.
fn shown_inputs(plan: &Arc<dyn ExecutionPlan>) -> Vec<&Arc<dyn ExecutionPlan>> {
    match barrier::view_of_operator(plan.as_ref()) {
        Some(_) => Vec::new(),
        None => plan.children(),
    }
}

/// Returns the text of a plan with `count(*)` as it is written; the engine counts a constant.
pub(crate) fn with_stars(text: &str) -> String {
    let text = text.replace("count(Int64(1))", "count(*)");
    text.replace("count(*) AS count(*)", "count(*)")
}

/// Prints a plan: the root first, each node indented by two more spaces than its parent.
pub(crate) struct PlanText {
    pub verbose: bool,
    /// Whether to print metrics, of a plan that has run.
    pub metrics: bool,
}

impl PlanText {
    pub(crate) fn lines(&self, plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
        let mut lines = Vec::new();
        self.node(plan, 0, &mut lines);
        lines
    }

    /// Returns the plan as a tree.
    pub(crate) fn tree(&self, plan: &Arc<dyn ExecutionPlan>) -> PlanNode {
        let inputs = shown_inputs(plan).into_iter().map(|child| self.tree(child));
        PlanNode::new(&self.text(plan), inputs.collect())
    }

    fn node(&self, plan: &Arc<dyn ExecutionPlan>, depth: usize, lines: &mut Vec<String>) {
        let text = self.text(plan);
        // A literal may contain line breaks.
        let indent = "  ".repeat(depth);
        lines.extend(text.lines().map(|line| format!("{indent}{line}")));
        for child in shown_inputs(plan) {
            self.node(child, depth + 1, lines);
        }
    }

    /// Returns the text of one operator.
    fn text(&self, plan: &Arc<dyn ExecutionPlan>) -> String {
        let format = match self.verbose {
            true => DisplayFormatType::Verbose,
            false => DisplayFormatType::Default,
        };
        let mut text = match hidden_files(plan) {
            Some(scan) => without_files(scan, format),
            None => with_stars(&Node(plan.as_ref(), format).to_string()),
        };
        if self.metrics {
            let metrics = plan.metrics().map(|metrics| {
                metrics
                    .filter_by_metric_types(&[MetricType::Summary, MetricType::Dev])
                    .aggregate_by_name()
                    .sorted_for_display()
                    .timestamps_removed()
                    .to_string()
            });
            text.push_str(&format!(", metrics=[{}]", metrics.unwrap_or_default()));
        }
        text
    }
}

struct Node<'a>(&'a dyn ExecutionPlan, DisplayFormatType);

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as(self.1, f)
    }
}

struct Scan<'a>(&'a FileScanConfig, DisplayFormatType);

impl fmt::Display for Scan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DataSource::fmt_as(self.0, self.1, f)
    }
}

/// Returns the scan if the principal may not know its file names. This includes scans of unknown
/// file sources.
fn hidden_files(plan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    let scan = plan.downcast_ref::<DataSourceExec>()?;
    let config = files_of(scan)?;
    let source = config.file_source();
    let sight = sight_of(source.as_ref());
    (!sight.is_some_and(Sight::is_whole)).then_some(config)
}

/// Formats a scan as `DataSourceExec: file_groups={2 groups: 5 files}, projection=[a], …`.
fn without_files(scan: &FileScanConfig, format: DisplayFormatType) -> String {
    let groups = scan.file_groups.len();
    let files: usize = scan.file_groups.iter().map(|group| group.len()).sum();
    let count = |number: usize, name: &str| match number {
        1 => format!("1 {name}"),
        more => format!("{more} {name}s"),
    };
    let mut bare = scan.clone();
    bare.file_groups = Vec::new();
    let text = Scan(&bare, format).to_string();
    let rest = text.strip_prefix("file_groups={0 groups: []}");
    format!(
        "DataSourceExec: file_groups={{{}: {}}}{}",
        count(groups, "group"),
        count(files, "file"),
        rest.unwrap_or_default()
    )
}
