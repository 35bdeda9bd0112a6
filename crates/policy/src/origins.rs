//! The table columns that the columns of a plan are.

use datafusion::common::JoinType;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use lakegate_lake::TextLength;

use super::PolicyTable;

/// The maximum number of columns of a plan that are followed: each is looked up by its name in every
/// projection.
const MAX_COLUMNS: usize = 500;

/// A column of a table of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnOrigin {
    pub table_id: i64,
    /// From 1, among the columns that the principal sees, as in `pg_attribute`.
    pub number: i16,
    /// The length of its texts, if its type has one.
    pub length: Option<TextLength>,
}

/// Returns for each column of a plan the table's column that it is, unchanged. Empty if the plan has
/// too many columns.
///
/// Joins, subqueries and grouping pass columns on. Set operations do not, nor views behind a barrier.
pub fn column_origins(plan: &LogicalPlan) -> Vec<Option<ColumnOrigin>> {
    let columns = plan.schema().fields().len();
    if columns > MAX_COLUMNS {
        return Vec::new();
    }
    (0..columns).map(|index| origin(plan, index)).collect()
}

fn origin(plan: &LogicalPlan, index: usize) -> Option<ColumnOrigin> {
    let (mut plan, mut index) = (plan, index);
    loop {
        let next: &LogicalPlan = match plan {
            LogicalPlan::TableScan(scan) => {
                let index = match &scan.projection {
                    Some(projection) => *projection.get(index)?,
                    None => index,
                };
                let provider = source_as_provider(&scan.source).ok()?;
                return provider.downcast_ref::<PolicyTable>()?.origin(index);
            }
            LogicalPlan::Projection(projection) => {
                index = place(projection.expr.get(index)?, &projection.input)?;
                &projection.input
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => {
                index = place(distinct.select_expr.get(index)?, &distinct.input)?;
                &distinct.input
            }
            LogicalPlan::Aggregate(aggregate) => {
                index = place(aggregate.group_expr.get(index)?, &aggregate.input)?;
                &aggregate.input
            }
            LogicalPlan::Join(join) => {
                let passes = matches!(
                    join.join_type,
                    JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
                );
                if !passes {
                    return None;
                }
                match index.checked_sub(join.left.schema().fields().len()) {
                    None => &join.left,
                    Some(of_right) => {
                        index = of_right;
                        &join.right
                    }
                }
            }
            LogicalPlan::Window(window) => {
                // The columns of the input come first.
                if index >= window.input.schema().fields().len() {
                    return None;
                }
                &window.input
            }
            LogicalPlan::Filter(filter) => &filter.input,
            LogicalPlan::Sort(sort) => &sort.input,
            LogicalPlan::Limit(limit) => &limit.input,
            LogicalPlan::Distinct(Distinct::All(input)) => input,
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            _ => return None,
        };
        plan = next;
    }
}

/// Returns the place of the column that an expression is, in the input.
fn place(expr: &Expr, input: &LogicalPlan) -> Option<usize> {
    let mut expr = expr;
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    match expr {
        Expr::Column(column) => input.schema().maybe_index_of_column(column),
        _ => None,
    }
}
