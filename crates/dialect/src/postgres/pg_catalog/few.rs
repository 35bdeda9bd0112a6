//! Whether a plan reads few rows of the catalog, so that it takes less time in one thread than to be
//! divided among several.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;

use super::narrow::system_table;

/// Rows of VALUES.
const MOST_VALUES: usize = 1000;

/// Returns whether an optimised plan that is [narrowed](super::narrowed) reads system relations, of
/// which it needs few rows, and nothing else.
///
/// # Errors
///
/// The plan cannot be walked.
pub fn reads_few_rows(plan: &LogicalPlan) -> Result<bool> {
    let (mut has_few, mut has_others) = (false, false);
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => match system_table(scan) {
                Some(table) if table.has_few_rows(&scan.filters) => has_few = true,
                _ => has_others = true,
            },
            LogicalPlan::Values(values) => has_others |= values.values.len() > MOST_VALUES,
            LogicalPlan::RecursiveQuery(_) => has_others = true,
            _ => {}
        }
        Ok(match has_others {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(has_few && !has_others)
}
