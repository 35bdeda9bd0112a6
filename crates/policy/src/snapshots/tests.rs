#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::functions_table::generate_series::GenSeriesArgs;
use datafusion::logical_expr::{LogicalPlanBuilder, col, ident, lit};
use lakegate_catalog::access::{Grant, Privilege, Resource, ScramVerifier};
use lakegate_catalog::model::{Column, DatabaseInput, StorageDescriptor, Table, TableInput};
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{Control, Metastore, SqliteStore};
use lakegate_lake::format::parquet::{ColumnCache, FooterCache};
use lakegate_lake::meter::QueryMeter;
use lakegate_lake::roots::{Backing, Roots};
use lakegate_lake::table::{LakeTable, LakeTables};

use super::*;

/// The table `d.t (a, b) PARTITIONED BY (day INT)` of text files with the partitions 1 and 2.
struct Lake {
    directory: tempfile::TempDir,
    store: SqliteStore,
    lake: Arc<QueryLake>,
    table: Arc<Table>,
}

impl Lake {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let backing = Backing::Directory {
            path: directory.path().to_owned(),
            excluded: Vec::new(),
        };
        let roots = Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap();
        let store = SqliteStore::in_memory().unwrap();
        let database = DatabaseInput {
            name: "d".to_owned(),
            ..DatabaseInput::default()
        };
        store.create_database(database, false).await.unwrap();
        let class = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
        let input = TableInput {
            name: "t".to_owned(),
            storage_descriptor: StorageDescriptor {
                columns: vec![Column::new("a", "int"), Column::new("b", "int")],
                location: Some("s3://lake/t/".to_owned()),
                serde_info: Some(lakegate_catalog::model::SerDeInfo {
                    serialization_library: Some(class.to_owned()),
                    ..Default::default()
                }),
                ..StorageDescriptor::default()
            },
            partition_keys: vec![Column::new("day", "int")],
            ..TableInput::default()
        };
        store.create_table("d", input, false).await.unwrap();
        let days = ["1", "2"].map(|day| PartitionInput::new([day])).to_vec();
        store.add_partitions("d", "t", days, false).await.unwrap();
        for (user, columns) in [("all", vec!["a", "b", "day"]), ("some", vec!["a", "day"])] {
            let verifier = ScramVerifier::with_iterations("secret", 1).unwrap();
            store.create_user(user, verifier, false).await.unwrap();
            let columns = Resource::columns("d", "t", columns);
            let grant = Grant::new(user, Privilege::Select, columns);
            store.grant(&[grant]).await.unwrap();
        }
        let lake = QueryLake {
            roots: Arc::new(roots),
            meter: Arc::new(QueryMeter::new(None)),
            footers: FooterCache::new(1 << 20),
            hot: ColumnCache::new(0),
            max_statistics_files: 0,
            max_row_bytes: 1024,
        };
        let table = store.table("d", "t").await.unwrap().unwrap();
        Self {
            directory,
            store,
            lake: Arc::new(lake),
            table,
        }
    }

    async fn view(&self, table: &Table, user: &str) -> PolicyTable {
        let table = Arc::new(table.clone());
        let loaded = LakeTables::default().load(&self.store, &table).await;
        self.granted(loaded.unwrap(), user)
    }

    fn granted(&self, table: Arc<LakeTable>, user: &str) -> PolicyTable {
        let access = self.store.snapshot().access(user).unwrap();
        let access = access.table("d", "t", &["a", "b", "day"]).unwrap();
        PolicyTable::new(table, &access).unwrap()
    }

    fn pruned(&self, plan: LogicalPlan) -> PrunedPlan {
        prune(plan, &self.lake, OpenWrites::default()).unwrap()
    }

    /// Writes a file of partition 1.
    fn write(&self, text: &str) {
        let folder = self.directory.path().join("t/day=1");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), text).unwrap();
    }
}

fn scan(table: impl TableProvider + 'static, filters: Vec<Expr>) -> LogicalPlanBuilder {
    let source = provider_as_source(Arc::new(table));
    LogicalPlanBuilder::scan_with_filters("t", source, None, filters).unwrap()
}

fn day(number: i32) -> Expr {
    col("day").eq(lit(ScalarValue::from(number)))
}

fn series() -> GenerateSeriesTable {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "value",
        DataType::Int64,
        false,
    )]));
    GenerateSeriesTable::new(schema, GenSeriesArgs::ContainsNull { name: "range" })
}

#[tokio::test]
async fn digest_is_of_the_table_its_version_the_policy_and_the_partitions() {
    let lake = Lake::new().await;
    let table = Table::clone(&lake.table);
    let altered = Table {
        version_id: table.version_id + 1,
        ..table.clone()
    };
    let digest = async |table: &Table, user: &str, filters: Vec<Expr>| {
        let plan = scan(lake.view(table, user).await, filters);
        lake.pruned(plan.build().unwrap()).digest()
    };
    let digests = [
        digest(&table, "all", vec![]).await,
        digest(&altered, "all", vec![]).await,
        digest(&table, "some", vec![]).await,
        digest(&table, "all", vec![day(1)]).await,
        digest(&table, "all", vec![day(2)]).await,
    ];
    for (place, one) in digests.iter().enumerate() {
        assert!(!digests[..place].contains(one), "{place}");
    }
    assert_eq!(digest(&table, "all", vec![]).await, digests[0]);
    let both = vec![day(1).or(day(2))];
    assert_eq!(digest(&table, "all", both).await, digests[0]);
}

#[tokio::test]
async fn what_is_scanned_twice_alike_is_read_once() {
    let lake = Lake::new().await;
    let view = lake.view(&lake.table, "all").await;
    let other = lake.view(&lake.table, "all").await;
    let plan = [
        (view.clone(), day(1)),
        (view.clone(), day(2)),
        (view.clone(), day(1)),
        (other, day(1)),
    ]
    .into_iter()
    .map(|(view, filter)| scan(view, vec![filter]).build().unwrap())
    .reduce(|left, right| {
        let left = LogicalPlanBuilder::from(left);
        left.union(right).unwrap().build().unwrap()
    });
    lake.write("1");
    let unlisted = lake.pruned(plan.unwrap());
    let reads: Vec<usize> = unlisted.scans.iter().map(|(_, _, read)| *read).collect();
    assert_eq!((reads, unlisted.reads.len()), (vec![0, 1, 0, 2], 3));
    let pinned = unlisted.list(&lake.lake).await.unwrap();
    let files: Vec<usize> = pinned
        .tables
        .iter()
        .map(|pinned| pinned.snapshot.files().count())
        .collect();
    assert_eq!(files, [1, 0, 1, 1]);
    assert_eq!(pinned.bytes(), 3);
    assert!(!pinned.is_stable(), "it was written just now");
    let mut sources = Vec::new();
    let walked = pinned.plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            sources.push(Arc::clone(&scan.source));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.unwrap();
    let is_first = |source: &Arc<dyn TableSource>| Arc::ptr_eq(source, &sources[0]);
    let firsts: Vec<bool> = sources.iter().map(is_first).collect();
    assert_eq!(firsts, [true, false, true, false]);
}

#[tokio::test]
async fn what_is_granted_or_reported_otherwise_is_read_apart() {
    let lake = Lake::new().await;
    let all = lake.view(&lake.table, "all").await;
    let some = lake.granted(Arc::clone(all.lake_table()), "some");
    let sealed = all.clone().sealed_by("d.v".into());
    let plan = [all, some.clone(), sealed, some]
        .into_iter()
        .map(|view| {
            let scan = scan(view, vec![day(1)]);
            scan.project([col("a")]).unwrap().build().unwrap()
        })
        .reduce(|left, right| {
            let left = LogicalPlanBuilder::from(left);
            left.union(right).unwrap().build().unwrap()
        });
    let pruned = lake.pruned(plan.unwrap());
    let reads: Vec<usize> = pruned.scans.iter().map(|(_, _, read)| *read).collect();
    assert_eq!(reads, [0, 1, 2, 1]);
}

#[tokio::test]
async fn files_decide_the_digest_and_whether_it_holds() {
    let lake = Lake::new().await;
    let listed = async || {
        let view = lake.view(&lake.table, "all").await;
        let unlisted = lake.pruned(scan(view, vec![]).build().unwrap());
        unlisted.list(&lake.lake).await.unwrap()
    };
    let empty = listed().await;
    assert!(empty.is_stable() && empty.bytes() == 0);
    assert_eq!(empty.digest(), listed().await.digest());
    lake.write("1");
    let written = listed().await;
    assert!(!written.is_stable());
    assert_ne!(empty.digest(), written.digest());
    let folder: &Path = lake.directory.path();
    let file = std::fs::File::options()
        .write(true)
        .open(folder.join("t/day=1/file"))
        .unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    file.set_modified(old).unwrap();
    let aged = listed().await;
    assert!(aged.is_stable());
    assert_ne!(written.digest(), aged.digest());
}

#[tokio::test]
async fn plans_are_closed_where_every_leaf_is_listed_and_light_where_none_makes_rows() {
    let lake = Lake::new().await;
    let built_in = || EmptyTable::new(Arc::new(Schema::empty()));
    let view = lake.view(&lake.table, "all").await;
    let plans = [
        (scan(view, vec![]), true, false),
        (LogicalPlanBuilder::empty(true), true, true),
        (scan(built_in(), vec![]), false, true),
        (scan(series(), vec![]), false, false),
        (
            scan(series(), vec![])
                .cross_join(
                    scan(built_in(), vec![])
                        .alias("u")
                        .unwrap()
                        .build()
                        .unwrap(),
                )
                .unwrap(),
            false,
            false,
        ),
        (
            LogicalPlanBuilder::empty(true)
                .explain(false, true)
                .unwrap(),
            false,
            true,
        ),
        (
            LogicalPlanBuilder::empty(true)
                .to_recursive_query(
                    "r".to_owned(),
                    LogicalPlanBuilder::empty(true).build().unwrap(),
                    false,
                )
                .unwrap(),
            true,
            false,
        ),
    ];
    for (plan, fully_snapshotted, light) in plans {
        let plan = plan.build().unwrap();
        let shown = plan.display_indent().to_string();
        assert_eq!(tables(&plan).is_some(), fully_snapshotted, "{shown}");
        let unlisted = lake.pruned(plan);
        assert_eq!(
            (unlisted.fully_snapshotted, unlisted.system_only),
            (fully_snapshotted, light),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn tables_of_a_plan_are_counted_with_what_they_hold() {
    let lake = Lake::new().await;
    let view = || lake.view(&lake.table, "all");
    let held = |plan: &LogicalPlan| {
        let tables = tables(plan).unwrap();
        let values = tables.iter().map(|table| table.lake_table().held_values());
        (tables.len(), values.sum::<usize>())
    };
    let plan = scan(view().await, vec![]).build().unwrap();
    // Three columns and two partitions.
    assert_eq!(held(&plan), (1, 5));
    let both = scan(view().await, vec![]).union(plan).unwrap();
    assert_eq!(held(&both.build().unwrap()), (2, 10));
    let none = LogicalPlanBuilder::empty(true).build().unwrap();
    assert_eq!(held(&none), (0, 0));
}

#[tokio::test]
async fn files_that_hidden_columns_rule_out_are_not_part_of_the_snapshot() {
    let lake = Lake::new().await;
    lake.write("1");
    let listed = async |user: &str, filter: Expr| {
        let view = lake
            .view(&lake.table, user)
            .await
            .with_hidden_columns("UTC");
        let unlisted = lake.pruned(scan(view, vec![filter]).build().unwrap());
        unlisted.list(&lake.lake).await.unwrap()
    };
    let path = |path: &str| ident("$path").eq(lit(format!("s3://lake/t/day=1/{path}")));
    let kept = listed("all", path("file")).await;
    let none = listed("all", path("other")).await;
    assert_eq!((kept.bytes(), none.bytes()), (1, 0));
    assert_ne!(kept.digest(), none.digest());
    let filters = [
        path("file"),
        path("file").or(day(2)),
        path("file").or(col("a").is_null()),
    ];
    let filters: Vec<&Expr> = filters.iter().collect();
    let view = lake
        .view(&lake.table, "all")
        .await
        .with_hidden_columns("UTC");
    let decided = view.supports_filters_pushdown(&filters).unwrap();
    use datafusion::logical_expr::TableProviderFilterPushDown::{Exact, Inexact};
    assert_eq!(decided, [Exact, Exact, Inexact]);
}

#[tokio::test]
async fn hidden_columns_need_the_right_to_read_every_column() {
    let lake = Lake::new().await;
    for (user, hidden) in [
        (
            "all",
            vec!["$path", "$file_size", "$file_modified_time", "$partition"],
        ),
        ("some", vec![]),
    ] {
        let view = lake.view(&lake.table, user).await;
        let own = view.schema().fields().len();
        assert_eq!(view.hidden_columns().count(), 0);
        let view = view.with_hidden_columns("UTC");
        assert_eq!(view.hidden_columns().collect::<Vec<_>>(), hidden);
        assert_eq!(view.schema().fields().len(), own + hidden.len());
    }
}

#[tokio::test]
async fn columns_are_followed_to_their_tables() {
    let lake = Lake::new().await;
    let view = lake.view(&lake.table, "some").await;
    let columns = |plan: LogicalPlanBuilder| {
        let found = crate::column_origins(&plan.build().unwrap());
        let numbers = found.iter().map(|origin| {
            let origin = origin.as_ref()?;
            assert_eq!(origin.table_id, lake.table.id);
            Some(origin.number)
        });
        numbers.collect::<Vec<_>>()
    };
    // `b` is not there: the columns that the principal sees count.
    assert_eq!(columns(scan(view.clone(), vec![])), [Some(1), Some(2)]);
    let chosen = scan(view.clone(), vec![])
        .filter(col("a").gt(lit(1)))
        .unwrap()
        .project([col("day").alias("d"), col("a") + lit(1), col("a")])
        .unwrap()
        .alias("q")
        .unwrap()
        .distinct()
        .unwrap()
        .limit(0, Some(1))
        .unwrap();
    assert_eq!(columns(chosen), [Some(2), None, Some(1)]);
    let right = scan(view.clone(), vec![]).alias("r").unwrap();
    let joined = scan(view.clone(), vec![])
        .cross_join(right.build().unwrap())
        .unwrap();
    let twice = columns(joined);
    assert_eq!(twice, [Some(1), Some(2), Some(1), Some(2)]);
    let grouped = scan(view.clone(), vec![])
        .aggregate(
            [col("day")],
            [datafusion::functions_aggregate::count::count(col("a"))],
        )
        .unwrap();
    assert_eq!(columns(grouped), [Some(2), None]);
    let other = scan(view.clone(), vec![]).build().unwrap();
    let united = scan(view.clone(), vec![]).union(other).unwrap();
    assert_eq!(columns(united), [None, None]);
    let sealed = scan(view.sealed_by("d.v".into()), vec![]);
    assert_eq!(columns(sealed), [None, None]);
}
