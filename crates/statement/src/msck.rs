//! MSCK REPAIR TABLE: registers a table's `key=value` folders as partitions.
//!
//! ```text
//!  year=2024/ ─┬─ month=07/   a partition, added if it is missing
//!              └─ tmp/        no key=value folder: reported and not listed
//!  Year=2024/                 a key in another case: a partition at that folder
//!  year=none/                 not a value of the key's type: reported
//!  .staging/                  hidden: ignored
//! ```
//!
//! All partitions are added in one transaction, and dropped in one. A repair that fails has changed
//! nothing or everything, and can be run again. It can be cancelled while it lists the lake, and
//! has then changed nothing; once a SYNC has dropped partitions, it also adds.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt;
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::{
    Partition, PartitionInput, PartitionKey, Partitions, PathMismatch, parse_partition_path,
    partition_path,
};
use lakegate_error::{Code, Result};
use lakegate_lake::roots::Location;
use lakegate_lake::table::listing;
use lakegate_sql::Statement;
use lakegate_sql::ast::{MsckMode, MsckRepair};

use super::partitions::below;
use super::{Output, StatementContext, rows};

/// Folders that are listed concurrently.
const PARALLEL_LISTS: usize = 32;

/// Lines of one kind in the answer; the rest are only counted.
const MAX_LINES: usize = 1_000;

/// The folder of a partition.
struct Found {
    values: Vec<String>,
    /// Path below the table's folder, without leading or trailing slash.
    path: String,
}

/// The lines that a repair answers with.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    skipped: usize,
}

impl Report {
    fn skip(&mut self, path: &str, why: &dyn std::fmt::Display) {
        self.skipped += 1;
        if self.skipped <= MAX_LINES {
            self.lines.push(format!("Skipped folder {path}: {why}"));
        }
    }

    /// In Hive's wording.
    fn changed(&mut self, what: &str, table: &str, names: &[String]) {
        for name in names.iter().take(MAX_LINES) {
            self.lines
                .push(format!("Repair: {what} metastore {table}:{name}"));
        }
        if names.len() > MAX_LINES {
            self.lines.push(format!(
                "Repair: {what} metastore: {} more",
                names.len() - MAX_LINES
            ));
        }
    }
}

pub(super) async fn repair(
    context: &StatementContext,
    statement: &Statement,
    repair: &MsckRepair,
) -> Result<Output> {
    let visible = context.table_to_alter(&repair.table).await?;
    let table = &visible.table;
    if table.partition_keys.is_empty() {
        let message = format!(
            "Table {} is not partitioned: there is nothing to repair",
            table.full_name()
        );
        return rows::answer_lines(statement, vec![message]);
    }
    let keys = PartitionKey::of_table(table)?;
    let location = context.roots.locate(&below(table, "")?)?;
    let mut report = Report::default();
    let found = walk(&location, &keys, &mut report).await?;
    let metastore = &context.view.metastore;
    let known = metastore
        .partitions(&table.database_name, &table.name)
        .await?;
    let gone = match repair.mode {
        MsckMode::Add => Vec::new(),
        MsckMode::Drop | MsckMode::Sync => {
            gone(context, table, &known, &found, &mut report).await?
        }
    };
    let new = match repair.mode {
        MsckMode::Drop => New::default(),
        MsckMode::Add | MsckMode::Sync => new(context, table, &known, &gone, &found, &mut report)?,
    };
    let (added, dropped) = change(context, table, &known, gone, new, &mut report).await?;
    report.lines.push(format!(
        "Repaired {}: {added} partitions added, {dropped} dropped, {} folders skipped",
        table.full_name(),
        report.skipped
    ));
    rows::answer_lines(statement, report.lines)
}

/// The folders of partitions, level by level, in order of path. Folders that cannot be a partition
/// are reported and not listed.
async fn walk(table: &Location, keys: &[PartitionKey], report: &mut Report) -> Result<Vec<Found>> {
    let mut level: Vec<Folder> = vec![(table.clone(), String::new())];
    let mut found = Vec::new();
    for _ in keys {
        let lists = level.into_iter().map(children);
        let mut lists = futures::stream::iter(lists).buffered(PARALLEL_LISTS);
        let mut next = Vec::new();
        while let Some((parent, children)) = lists.next().await {
            let children = match children {
                Ok(children) => children,
                // A symbolic link that leads out of the lake.
                Err(refused) if refused.code() == Code::LocationRefused && !parent.is_empty() => {
                    report.skip(&parent, &refused);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (child, path) in children {
                match parse_partition_path(keys, &path) {
                    Ok(values) => found.push(Found { values, path }),
                    // Valid so far; deeper keys follow.
                    Err(PathMismatch::MissingKey { .. }) => next.push((child, path)),
                    Err(why) => report.skip(&path, &why),
                }
            }
        }
        level = next;
    }
    Ok(found)
}

/// A folder, and its path below the table's folder, without leading or trailing slash.
type Folder = (Location, String);

/// The subfolders of a folder, with the folder's own path.
async fn children((folder, parent): Folder) -> (String, Result<Vec<Folder>>) {
    let children = listing::folders(&folder).await.map(|paths| {
        let mut children = Vec::with_capacity(paths.len());
        for path in paths {
            let Some(name) = path.filename() else {
                continue;
            };
            let below = match parent.is_empty() {
                true => name.to_owned(),
                false => format!("{parent}/{name}"),
            };
            let root = Arc::clone(&folder.root);
            children.push((Location { root, path }, below));
        }
        children
    });
    (parent, children)
}

/// Missing partitions, and the paths of their folders.
#[derive(Default)]
struct New {
    inputs: Vec<PartitionInput>,
    paths: Vec<String>,
}

/// What is missing once the partitions without folders are dropped.
fn new(
    context: &StatementContext,
    table: &Table,
    known: &Partitions,
    gone: &[Arc<Partition>],
    found: &[Found],
    report: &mut Report,
) -> Result<New> {
    let home = context.roots.locate(&below(table, "")?)?;
    let gone: HashSet<&[Box<str>]> = gone.iter().map(|partition| &*partition.values).collect();
    let mut new = New::default();
    // If a partition has several folders, the one with the path that Hive would choose comes first.
    let is_usual = |folder: &&Found| partition_path(&known.keys, &folder.values) == folder.path;
    let (usual, unusual): (Vec<&Found>, Vec<&Found>) = found.iter().partition(is_usual);
    for folder in usual.into_iter().chain(unusual) {
        let location = below(table, &folder.path)?;
        let registered = known.get(&folder.values)?;
        if let Some(partition) = registered.filter(|known| !gone.contains(&*known.values)) {
            let registered = partition.location(&known.keys);
            if !same_folder(&registered, &location) {
                let why = format!(
                    "partition {} has another location, {registered}",
                    partition.name(&known.keys)
                );
                report.skip(&folder.path, &why);
            }
            continue;
        }
        // A folder that queries could not read: its name is not valid in a LOCATION, or it is a
        // link out of the table's folder.
        let usual = is_usual(&folder);
        if !usual || home.root.is_local() || folder.path.contains('%') {
            let located = context.roots.locate(&location);
            let readable = located.and_then(|found| home.check_below(std::iter::once(&found.path)));
            if let Err(refused) = readable {
                report.skip(&folder.path, &refused);
                continue;
            }
        }
        new.inputs.push(match usual {
            true => PartitionInput::new(folder.values.iter().cloned()),
            false => PartitionInput::at(folder.values.iter().cloned(), location),
        });
        new.paths.push(folder.path.clone());
    }
    Ok(new)
}

/// Drops and adds in one transaction. Returns the numbers of added and dropped partitions.
async fn change(
    context: &StatementContext,
    table: &Table,
    known: &Partitions,
    gone: Vec<Arc<Partition>>,
    new: New,
    report: &mut Report,
) -> Result<(usize, usize)> {
    if gone.is_empty() && new.inputs.is_empty() {
        return Ok((0, 0));
    }
    let values: Vec<Vec<String>> = gone
        .iter()
        .map(|partition| {
            let values = partition.values.iter();
            values.map(|value| value.to_string()).collect()
        })
        .collect();
    let metastore = &context.view.metastore;
    context.commits()?;
    let (dropped, added) = metastore
        .change_partitions(&table.database_name, &table.name, &values, new.inputs)
        .await?;
    let names: Vec<String> = gone
        .iter()
        .map(|partition| partition.name(&known.keys))
        .collect();
    report.changed("Dropped partition from", &table.name, &names);
    let existing: HashSet<usize> = added.existing.into_iter().collect();
    let mut names = Vec::with_capacity(added.added);
    for (position, path) in new.paths.into_iter().enumerate() {
        if existing.contains(&position) {
            report.skip(&path, &"another folder is the same partition");
        } else {
            names.push(path);
        }
    }
    report.changed("Added partition to", &table.name, &names);
    Ok((added.added, dropped))
}

/// Partitions whose folder is gone, or whose location elsewhere holds no files.
async fn gone(
    context: &StatementContext,
    table: &Table,
    known: &Partitions,
    found: &[Found],
    report: &mut Report,
) -> Result<Vec<Arc<Partition>>> {
    let folders: HashSet<String> = found
        .iter()
        .map(|folder| {
            below(table, &folder.path).map(|location| location.trim_end_matches('/').to_owned())
        })
        .collect::<Result<_>>()?;
    let mut doubtful: Vec<&Arc<Partition>> = Vec::new();
    let mut locations = Vec::new();
    for partition in &known.items {
        let location = partition.location(&known.keys);
        if folders.contains(location.trim_end_matches('/')) {
            continue;
        }
        match context.roots.locate(&location) {
            Ok(location) => {
                doubtful.push(partition);
                locations.push(location);
            }
            Err(refused) => report.skip(&partition.name(&known.keys), &refused),
        }
    }
    let listing = listing::list(None, &locations, locations.len()).await?;
    Ok(doubtful
        .into_iter()
        .zip(&listing.files)
        .filter(|(_, files)| files.is_empty())
        .map(|(partition, _)| Arc::clone(partition))
        .collect())
}

fn same_folder(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::{Code, Error};

    use super::super::testing::Lake;
    use super::super::{BeforeCommit, execute};

    #[tokio::test]
    async fn repair_that_is_stopped_has_done_nothing() {
        let lake = Lake::with_orders().await;
        lake.folders(&["orders/day=2024-01-01"]);
        lake.ok("ALTER TABLE orders ADD PARTITION (day = '2024-01-02')")
            .await;
        for mode in ["", " DROP PARTITIONS", " SYNC PARTITIONS"] {
            let sql = format!("MSCK REPAIR TABLE orders{mode}");
            let repair = lakegate_sql::parse(&sql).unwrap().remove(0).statement;
            let mut context = lake.context("admin").await;
            context.before_commit =
                BeforeCommit::asking(|| Err(Error::new(Code::QueryCancelled, "stopped")));
            let stopped = execute(&context, &repair).await;
            assert_eq!(stopped.unwrap_err().code(), Code::QueryCancelled, "{sql}");
            let partitions = lake.text("admin", "SHOW PARTITIONS orders").await;
            assert_eq!(partitions, "day=2024-01-02", "{sql}");
        }
    }

    #[tokio::test]
    async fn folders_become_partitions_and_the_rest_is_reported() {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (year INT, city STRING) STORED AS PARQUET LOCATION 's3://lake/t/'").await;
        lake.folders(&[
            "t/year=2023/city=Ulm",
            "t/year=2024/city=a%3Ab",
            "t/Year=2025/CITY=Bonn",
            "t/year=__HIVE_DEFAULT_PARTITION__/city=x",
            "t/year=2024/_tmp",
            "t/.hidden/city=no",
            "t/year=soon/city=Ulm",
            "t/other/city=Ulm",
            "t/city=Ulm/year=2023",
            "t/year=2024/nothing",
            "t/year=2026",
            "t/year=02023/city=Ulm",
            "t/YEAR=2024/city=a%3Ab",
        ]);
        let report = lake.text("admin", "MSCK REPAIR TABLE t").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t").await,
            "year=2023/city=Ulm\nyear=02023/city=Ulm\nyear=2024/city=a%3Ab\nyear=2025/city=Bonn\nyear=__HIVE_DEFAULT_PARTITION__/city=x"
        );
        assert!(
            report.contains("Repair: Added partition to metastore t:year=2024/city=a%3Ab"),
            "{report}"
        );
        for skipped in [
            "year=soon: ",
            "other: ",
            "city=Ulm: ",
            "year=2024/nothing: ",
            "YEAR=2024/city=a%3Ab: another folder is the same partition",
        ] {
            assert!(
                report.contains(&format!("Skipped folder {skipped}")),
                "{skipped} is missing in\n{report}"
            );
        }
        assert!(
            !report.contains("hidden") && !report.contains("_tmp"),
            "{report}"
        );
        assert!(
            report.ends_with("Repaired sales.t: 5 partitions added, 0 dropped, 5 folders skipped"),
            "{report}"
        );
        // A key in another case keeps its folder name.
        let bonn = lake
            .text(
                "admin",
                "DESCRIBE FORMATTED t PARTITION (year = 2025, city = 'Bonn')",
            )
            .await;
        assert!(bonn.contains("s3://lake/t/Year=2025/CITY=Bonn/"), "{bonn}");
        let again = lake.text("admin", "MSCK REPAIR TABLE t").await;
        assert!(again.contains("0 partitions added"), "{again}");
        assert!(
            again.contains("partition year=2024/city=a%3Ab has another location"),
            "{again}"
        );
    }

    #[tokio::test]
    async fn partitions_without_folder_go_only_when_asked() {
        let lake = Lake::with_orders().await;
        lake.folders(&[
            "orders/day=2024-01-01",
            "orders/day=2024-01-03",
            "elsewhere",
        ]);
        lake.ok("ALTER TABLE orders ADD PARTITION (day = '2024-01-01') PARTITION (day = '2024-01-02') PARTITION (day = '2024-01-04') LOCATION 's3://lake/elsewhere/'").await;
        lake.ok("MSCK REPAIR TABLE orders").await;
        let all = "day=2024-01-01\nday=2024-01-02\nday=2024-01-03\nday=2024-01-04";
        assert_eq!(lake.text("admin", "SHOW PARTITIONS orders").await, all);
        lake.ok("ALTER TABLE orders DROP PARTITION (day = '2024-01-03')")
            .await;
        let report = lake
            .text("admin", "MSCK REPAIR TABLE orders SYNC PARTITIONS")
            .await;
        assert!(
            report.contains("Repair: Dropped partition from metastore orders:day=2024-01-02"),
            "{report}"
        );
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS orders").await,
            "day=2024-01-01\nday=2024-01-03\nday=2024-01-04"
        );
    }

    #[tokio::test]
    async fn folder_that_links_out_of_the_lake_is_skipped() {
        let lake = Lake::with_orders().await;
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("f"), "x").unwrap();
        lake.folders(&["orders/day=2024-01-01"]);
        std::os::unix::fs::symlink(outside.path(), lake.path().join("orders/day=2024-01-02"))
            .unwrap();
        let report = lake.text("admin", "MSCK REPAIR TABLE orders").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS orders").await,
            "day=2024-01-01",
            "{report}"
        );
    }

    #[tokio::test]
    async fn table_without_keys_or_folder_has_nothing_to_repair() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE EXTERNAL TABLE plain (a INT) STORED AS PARQUET LOCATION 's3://lake/p/'")
            .await;
        assert!(
            lake.text("admin", "MSCK REPAIR TABLE plain")
                .await
                .contains("not partitioned")
        );
        assert!(
            lake.text("admin", "MSCK REPAIR TABLE orders")
                .await
                .contains("0 partitions added")
        );
    }
}
