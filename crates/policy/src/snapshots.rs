//! The snapshots of a plan: binds every lake table in it to the files that it will read.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions_table::generate_series::GenerateSeriesTable;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, TableSource};
use futures::{StreamExt, TryStreamExt};
use lakegate_catalog::store::OpenWrites;
use lakegate_engine::barrier;
use lakegate_error::{Result, from_engine};
use lakegate_lake::scan::QueryLake;
use lakegate_lake::table::{Pruned, TableSnapshot};
use sha2::{Digest, Sha256};

use super::PolicyTable;
use super::temporary_table::{TemporaryRows, TemporaryTable};

/// Tables of one plan that are listed concurrently.
const PARALLEL_TABLES: usize = 8;

/// An optimised plan whose tables are pruned but not yet listed.
#[derive(Debug)]
pub struct PrunedPlan {
    pub plan: LogicalPlan,
    /// One entry per scan of a table, in the plan's order, with the index of its read.
    scans: Vec<(PolicyTable, Vec<Expr>, usize)>,
    /// The distinct reads. A table that is scanned twice with the same filters is listed once, so
    /// both scans see the same files.
    reads: Vec<Pruned>,
    /// Open writes, whose files are not listed.
    writes: OpenWrites,
    /// Whether every leaf has a snapshot: the plan and the snapshots then determine the result.
    pub fully_snapshotted: bool,
    system_only: bool,
    held: Vec<TemporaryRows>,
}

/// A plan bound to the files it reads.
#[derive(Debug)]
pub struct SnapshotPlan {
    pub plan: LogicalPlan,
    /// One entry per scan of a table, in the plan's order.
    pub tables: Vec<SnapshotTable>,
    /// Whether no leaf reads the lake or generates rows: all are built-in tables and literals.
    pub system_only: bool,
    /// The rows of temporary tables that the plan reads. Keep them for as long as it runs: they are
    /// counted as memory of their session for as long as they are here.
    pub held: Vec<TemporaryRows>,
}

/// A table of a plan, with the files that are read of it.
#[derive(Debug, Clone)]
pub struct SnapshotTable {
    pub table: PolicyTable,
    pub snapshot: Arc<TableSnapshot>,
}

impl SnapshotPlan {
    /// Returns a digest of the files. Two plans with the same [`PrunedPlan::digest`] and the same
    /// value of this read the same bytes.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for pinned in &self.tables {
            pinned.snapshot.digest(&mut digest);
            digest.update([0xff]);
        }
        digest.finalize().into()
    }

    /// Returns the total bytes of all files that the plan may read.
    pub fn bytes(&self) -> u64 {
        self.tables
            .iter()
            .map(|pinned| pinned.snapshot.opened().bytes)
            .sum()
    }

    /// Returns whether the same digest will mean the same bytes later.
    pub fn is_stable(&self) -> bool {
        self.tables.iter().all(|pinned| pinned.snapshot.is_stable())
    }
}

/// Finds the tables of an optimised plan, and prunes them.
///
/// `writes`: the writes that were open in the catalog state that resolved the plan's names.
///
/// # Errors
///
/// A LOCATION is outside the lake roots, or a SerDe is unknown.
pub fn prune(plan: LogicalPlan, lake: &QueryLake, writes: OpenWrites) -> Result<PrunedPlan> {
    let mut found: Vec<(PolicyTable, Vec<Expr>)> = Vec::new();
    let mut fully_snapshotted = true;
    let mut system_only = true;
    let mut held = Vec::new();
    plan.apply_with_subqueries(|node| {
        match reads(node) {
            Reads::Nothing => {}
            Reads::Table(table, scan) => {
                found.push((table, scan.filters.clone()));
                system_only = false;
            }
            Reads::Other => fully_snapshotted = false,
        }
        let rows = temporary_rows(node);
        system_only &= rows.is_none();
        held.extend(rows);
        system_only &= match node {
            LogicalPlan::TableScan(scan) => !makes_rows(scan),
            LogicalPlan::RecursiveQuery(_) => false,
            _ => true,
        };
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(from_engine)?;

    let mut scans: Vec<(PolicyTable, Vec<Expr>, usize)> = Vec::new();
    let mut reads: Vec<Pruned> = Vec::new();
    for (table, filters) in found {
        let read = match read_of(&scans, &table, &filters) {
            Some(read) => read,
            None => {
                reads.push(table.pruned(&lake.roots, &filters)?);
                reads.len() - 1
            }
        };
        scans.push((table, filters, read));
    }
    Ok(PrunedPlan {
        plan,
        scans,
        reads,
        writes,
        fully_snapshotted,
        system_only,
        held,
    })
}

impl PrunedPlan {
    /// Returns a digest of the reads. Two plans with the same value read the same partitions of the
    /// same tables under the same policy.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for (table, _, read) in &self.scans {
            let catalog = &table.lake_table().table;
            digest.update(catalog.id.to_be_bytes());
            digest.update(catalog.version_id.to_be_bytes());
            digest.update(table.policy());
            if let Some(pruned) = self.reads.get(*read) {
                pruned.digest(&mut digest);
            }
            digest.update([0xff]);
        }
        digest.finalize().into()
    }

    /// Lists the tables, and puts their snapshots into the plan.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn list(self, lake: &Arc<QueryLake>) -> Result<SnapshotPlan> {
        // Collected before they are awaited: a closure over references that is held across an await
        // would make the future not `Send`.
        let writes = &self.writes;
        let listings: Vec<_> = self
            .reads
            .into_iter()
            .map(|pruned| async move { pruned.list(writes).await.map(Arc::new) })
            .collect();
        let snapshots: Vec<Arc<TableSnapshot>> = futures::stream::iter(listings)
            .buffered(PARALLEL_TABLES)
            .try_collect()
            .await?;
        let scans = self.scans;
        let snapshot_of = |table: &PolicyTable, filters: &[Expr]| {
            let read = read_of(&scans, table, filters)?;
            snapshots
                .get(read)
                .map(|snapshot| (read, Arc::clone(snapshot)))
        };
        // Equal reads have one table, by which the engine finds equal parts of the plan.
        let mut sources: HashMap<usize, Arc<dyn TableSource>> = HashMap::new();
        let tables: Vec<SnapshotTable> = scans
            .iter()
            .filter_map(|(table, _, read)| {
                Some(SnapshotTable {
                    table: table.clone(),
                    snapshot: snapshots.get(*read).map(Arc::clone)?,
                })
            })
            .collect();
        let plan = self
            .plan
            .transform_down_with_subqueries(|node| {
                let LogicalPlan::TableScan(mut scan) = node else {
                    return Ok(Transformed::no(node));
                };
                if let Some(table) = policy_table(&scan)
                    && let Some((read, snapshot)) = snapshot_of(&table, &scan.filters)
                {
                    let source = sources.entry(read).or_insert_with(|| {
                        provider_as_source(Arc::new(table.pinned(Arc::clone(lake), snapshot)))
                    });
                    scan.source = Arc::clone(source);
                    return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
                }
                Ok(Transformed::no(LogicalPlan::TableScan(scan)))
            })
            .map_err(from_engine)?
            .data;
        Ok(SnapshotPlan {
            plan,
            tables,
            system_only: self.system_only,
            held: self.held,
        })
    }
}

/// Returns the index of an equal read that is already known: of the same table, by what may be read
/// of it and reported of its files. Partition values are those of the granted keys.
fn read_of(
    scans: &[(PolicyTable, Vec<Expr>, usize)],
    table: &PolicyTable,
    filters: &[Expr],
) -> Option<usize> {
    let same = |(other, of, _): &&(PolicyTable, Vec<Expr>, usize)| {
        Arc::ptr_eq(other.lake_table(), table.lake_table())
            && other.policy() == table.policy()
            && other.sealed_view() == table.sealed_view()
            && of == filters
            && other.hidden_columns().eq(table.hidden_columns())
    };
    scans.iter().find(same).map(|(_, _, read)| *read)
}

/// Returns the lake tables of a plan, one for each scan, or `None` if it has other leaves, or
/// operators of which it is not known what they read.
pub fn tables(plan: &LogicalPlan) -> Option<Vec<PolicyTable>> {
    let mut found = Vec::new();
    let mut has_others = false;
    let walked = plan.apply_with_subqueries(|node| {
        match reads(node) {
            Reads::Nothing => {}
            Reads::Table(table, _) => found.push(table),
            Reads::Other => {
                has_others = true;
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    (walked.is_ok() && !has_others).then_some(found)
}

/// What an operator of a plan reads besides its inputs.
enum Reads<'a> {
    Nothing,
    Table(PolicyTable, &'a TableScan),
    /// A table that is not a lake table, or something that is not known.
    Other,
}

fn reads(node: &LogicalPlan) -> Reads<'_> {
    match node {
        LogicalPlan::TableScan(scan) => match policy_table(scan) {
            Some(table) => Reads::Table(table, scan),
            None => Reads::Other,
        },
        LogicalPlan::Extension(_) if barrier::view_of(node).is_some() => Reads::Nothing,
        LogicalPlan::Extension(_) | LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => {
            Reads::Other
        }
        _ => Reads::Nothing,
    }
}

/// Returns whether the scan is of generate_series or range.
fn makes_rows(scan: &TableScan) -> bool {
    source_as_provider(&scan.source)
        .is_ok_and(|provider| provider.downcast_ref::<GenerateSeriesTable>().is_some())
}

/// Returns the rows of the temporary table that an operator scans.
fn temporary_rows(node: &LogicalPlan) -> Option<TemporaryRows> {
    let LogicalPlan::TableScan(scan) = node else {
        return None;
    };
    let provider = source_as_provider(&scan.source).ok()?;
    let table = provider.downcast_ref::<TemporaryTable>()?;
    Some(table.rows().clone())
}

fn policy_table(scan: &TableScan) -> Option<PolicyTable> {
    let provider = source_as_provider(&scan.source).ok()?;
    provider.downcast_ref::<PolicyTable>().cloned()
}

#[cfg(test)]
mod tests;
