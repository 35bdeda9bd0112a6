//! Plans tables with only those of their columns that a statement may name.
//!
//! ```text
//! SELECT c.relname FROM pg_class c WHERE c.oid = 1259
//!
//!   Projection: c.relname
//!     Filter: c.oid = 1259
//!       SubqueryAlias: c
//!         TableScan: pg_class projection=[oid, relname]      of 34 columns
//! ```
//!
//! The optimizer leaves out the columns that are not read too, but as its last step. Each step before
//! it looks at all columns of all tables, and DataFusion finds a column by comparing names one after
//! the other (`DFSchema::index_of_column_by_name`, 55.2).

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, SubqueryAlias, TableScan, TableScanBuilder};

/// The names of columns, in lower case.
pub type NamedColumns = Arc<HashSet<String>>;

tokio::task_local! {
    /// The names that the statement has whose tables are being planned; `None` if they are not
    /// known.
    static NAMED: Option<NamedColumns>;
}

/// Plans a statement whose tables have no other columns than these. `None`: they have all.
///
/// Plannings within one another, as of a view within a statement, each have names of their own.
pub async fn with_named_columns<T>(
    names: Option<NamedColumns>,
    planning: impl Future<Output = T>,
) -> T {
    NAMED.scope(names, planning).await
}

/// Returns the scan of a table, as the SQL planner made it, with the named columns only. Returns
/// other plans unchanged.
///
/// # Errors
///
/// Returns an error if the scan cannot be rebuilt.
pub(crate) fn narrowed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let Some(names) = NAMED.try_with(Option::clone).ok().flatten() else {
        return Ok(plan);
    };
    let scan = match &plan {
        LogicalPlan::TableScan(scan) => of_columns(scan, &names)?,
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::TableScan(scan) => of_columns(scan, &names)?,
            _ => None,
        },
        _ => None,
    };
    match (scan, plan) {
        (Some(scan), LogicalPlan::SubqueryAlias(alias)) => {
            let input = Arc::new(LogicalPlan::TableScan(scan));
            SubqueryAlias::try_new(input, alias.alias).map(LogicalPlan::SubqueryAlias)
        }
        (Some(scan), _) => Ok(LogicalPlan::TableScan(scan)),
        (None, plan) => Ok(plan),
    }
}

/// Returns a scan of the named columns; `None` if these are all. At least one stays, so that a
/// relation has columns until the optimizer drops them.
fn of_columns(scan: &TableScan, names: &HashSet<String>) -> Result<Option<TableScan>> {
    let fields = scan.projected_schema.fields();
    if scan.projection.is_some() || fields.is_empty() {
        return Ok(None);
    }
    let is_named = |name: &str| match name.chars().any(char::is_uppercase) {
        true => names.contains(&name.to_lowercase()),
        false => names.contains(name),
    };
    let places = fields.iter().enumerate();
    let places = places.filter(|(_, field)| is_named(field.name()));
    let mut places: Vec<usize> = places.map(|(place, _)| place).collect();
    if places.len() == fields.len() {
        return Ok(None);
    }
    if places.is_empty() {
        places.push(0);
    }
    let scan = TableScanBuilder::from(scan.clone()).with_projection(Some(places));
    scan.build().map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::logical_plan::builder::table_scan;
    use datafusion::logical_expr::{LogicalPlanBuilder, col};

    use super::*;

    fn table() -> LogicalPlanBuilder {
        let fields = ["a", "b", "C", "d"].map(|name| Field::new(name, DataType::Int64, true));
        table_scan(Some("t"), &Schema::new(fields.to_vec()), None).unwrap()
    }

    /// Returns the columns of a plan with these names.
    fn columns(names: &[&str], plan: LogicalPlanBuilder) -> Vec<String> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let plan = plan.build().unwrap();
        let narrow = NAMED.sync_scope(Some(Arc::new(names)), || narrowed(plan));
        let columns = narrow.unwrap().schema().columns().into_iter();
        columns.map(|column| column.flat_name()).collect()
    }

    #[test]
    fn tables_have_the_named_columns_in_their_order() {
        assert_eq!(columns(&["d", "a", "x"], table()), ["t.a", "t.d"]);
        assert_eq!(columns(&["c"], table()), ["t.C"]);
        assert_eq!(columns(&["x"], table()), ["t.a"]);
        let renamed = table().alias("r").unwrap();
        assert_eq!(columns(&["d", "b"], renamed), ["r.b", "r.d"]);
    }

    #[test]
    fn other_plans_have_all_columns() {
        let limited = table().limit(0, Some(1)).unwrap();
        assert_eq!(columns(&["a"], limited).len(), 4);
        let listed = table().project([col("a"), col("b")]).unwrap();
        assert_eq!(columns(&["a"], listed.alias("s").unwrap()).len(), 2);
        assert_eq!(columns(&["a", "b", "c", "d"], table()).len(), 4);
    }

    #[tokio::test]
    async fn plannings_within_one_another_have_their_own_names() {
        let narrow = || {
            let plan = table().build().unwrap();
            narrowed(plan).unwrap().schema().fields().len()
        };
        assert_eq!(narrow(), 4);
        let names = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            Some(Arc::new(names.collect::<HashSet<String>>()))
        };
        let outer = async {
            let view = with_named_columns(None, async {
                tokio::task::yield_now().await;
                narrow()
            });
            (view.await, narrow())
        };
        assert_eq!(with_named_columns(names(&["a", "b"]), outer).await, (4, 2));
        assert_eq!(narrow(), 4);
    }
}
