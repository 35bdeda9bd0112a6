//! The snapshots of a plan: every lake table in it is bound to the files it will read.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions_table::generate_series::GenerateSeriesTable;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use futures::{StreamExt, TryStreamExt};
use lakegate_catalog::store::OpenWrites;
use sha2::{Digest, Sha256};

use super::ViewTable;
use crate::error::{Result, from_engine};
use crate::lake::scan::QueryLake;
use crate::lake::snapshot::TableSnapshot;

/// Tables of one plan that are listed at once.
const PARALLEL_TABLES: usize = 8;

/// A plan bound to the files it reads.
#[derive(Debug)]
pub struct Pinned {
    pub plan: LogicalPlan,
    /// In the plan's order, a table as often as it is scanned.
    pub tables: Vec<PinnedTable>,
    /// Every leaf has a snapshot: the plan and the snapshots decide the answer.
    pub closed: bool,
    /// No leaf reads the lake or makes rows: there are built-in tables and literals only.
    pub of_built_ins: bool,
}

#[derive(Debug, Clone)]
pub struct PinnedTable {
    pub table: ViewTable,
    pub snapshot: Arc<TableSnapshot>,
}

impl Pinned {
    /// What two plans must have in common to read the same bytes under the same policy.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for pinned in &self.tables {
            let table = &pinned.table.lake_table().table;
            digest.update(table.id.to_be_bytes());
            digest.update(table.version_id.to_be_bytes());
            digest.update(pinned.table.policy());
            pinned.snapshot.digest(&mut digest);
            digest.update([0xff]);
        }
        digest.finalize().into()
    }

    /// Bytes of all files that the plan may read.
    pub fn bytes(&self) -> u64 {
        self.tables
            .iter()
            .map(|pinned| pinned.snapshot.opened().bytes)
            .sum()
    }

    /// Whether the same digest later means the same bytes.
    pub fn is_stable(&self) -> bool {
        self.tables.iter().all(|pinned| pinned.snapshot.is_stable())
    }
}

/// Prunes and lists the tables of an optimised plan, and puts the snapshots into it.
///
/// `writes`: those that are open in the state of the catalog that the plan's names were resolved in.
///
/// Errors: a LOCATION outside the lake roots, an unknown SerDe, the store.
pub async fn pin(plan: LogicalPlan, lake: &Arc<QueryLake>, writes: &OpenWrites) -> Result<Pinned> {
    let mut scans: Vec<(ViewTable, Vec<Expr>)> = Vec::new();
    let mut closed = true;
    let mut of_built_ins = true;
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => match view_table(scan) {
                Some(table) => {
                    scans.push((table, scan.filters.clone()));
                    of_built_ins = false;
                }
                None => {
                    closed = false;
                    of_built_ins &= !makes_rows(scan);
                }
            },
            LogicalPlan::Extension(_) | LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => {
                closed = false
            }
            LogicalPlan::RecursiveQuery(_) => of_built_ins = false,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(from_engine)?;

    // A table that is scanned twice with the same filters is listed once, and so is the same in both scans.
    let mut distinct: Vec<(ViewTable, Vec<Expr>)> = Vec::new();
    for (table, filters) in &scans {
        if !distinct
            .iter()
            .any(|(other, of)| same_scan(other, of, table, filters))
        {
            distinct.push((table.clone(), filters.clone()));
        }
    }
    // Collected before they are awaited: a closure over references that lives across an await keeps the future from being `Send`.
    let listings: Vec<_> = distinct
        .iter()
        .map(|(table, filters)| async move {
            table
                .lake_table()
                .snapshot(&lake.roots, writes, filters)
                .await
                .map(Arc::new)
        })
        .collect();
    let snapshots: Vec<Arc<TableSnapshot>> = futures::stream::iter(listings)
        .buffered(PARALLEL_TABLES)
        .try_collect()
        .await?;
    let snapshot_of = |table: &ViewTable, filters: &[Expr]| {
        let index = distinct
            .iter()
            .position(|(other, of)| same_scan(other, of, table, filters))?;
        snapshots.get(index).map(Arc::clone)
    };
    let tables: Vec<PinnedTable> = scans
        .iter()
        .filter_map(|(table, filters)| {
            Some(PinnedTable {
                table: table.clone(),
                snapshot: snapshot_of(table, filters)?,
            })
        })
        .collect();

    let plan = plan
        .transform_down_with_subqueries(|node| {
            let LogicalPlan::TableScan(mut scan) = node else {
                return Ok(Transformed::no(node));
            };
            if let Some(table) = view_table(&scan)
                && let Some(snapshot) = snapshot_of(&table, &scan.filters)
            {
                scan.source =
                    provider_as_source(Arc::new(table.pinned(Arc::clone(lake), snapshot)));
                return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
            }
            Ok(Transformed::no(LogicalPlan::TableScan(scan)))
        })
        .map_err(from_engine)?
        .data;
    Ok(Pinned {
        plan,
        tables,
        closed,
        of_built_ins,
    })
}

fn same_scan(a: &ViewTable, a_filters: &[Expr], b: &ViewTable, b_filters: &[Expr]) -> bool {
    Arc::ptr_eq(a.lake_table(), b.lake_table()) && a_filters == b_filters
}

/// Whether the scan is of generate_series or range.
fn makes_rows(scan: &TableScan) -> bool {
    source_as_provider(&scan.source)
        .is_ok_and(|provider| provider.downcast_ref::<GenerateSeriesTable>().is_some())
}

fn view_table(scan: &TableScan) -> Option<ViewTable> {
    let provider = source_as_provider(&scan.source).ok()?;
    provider.downcast_ref::<ViewTable>().cloned()
}
