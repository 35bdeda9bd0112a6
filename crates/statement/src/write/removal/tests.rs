#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, StringViewArray};
use arrow::datatypes::{Field, Schema};
use lakegate_catalog::access::By;
use lakegate_catalog::partition::{HIVE_DEFAULT_PARTITION, PartitionInput};
use lakegate_catalog::store::{Coordinator, Metastore, WriteLog};
use lakegate_error::Code;
use lakegate_lake::write::Written;

use super::*;
use crate::QueryWrite;
use crate::testing::Lake;

async fn planned(lake: &Lake, user: &str, sql: &str) -> Result<RemovalPlan> {
    let statement = lakegate_sql::parse(sql).unwrap().remove(0).statement;
    let context = lake.context(user).await;
    match context
        .plan_query_write(&statement, &Schema::empty())
        .await?
    {
        QueryWrite::Removal(plan) => Ok(Arc::unwrap_or_clone(plan)),
        other => panic!("{sql}: {other:?}"),
    }
}

/// `sales.t (id) PARTITIONED BY (m INT, c STRING)` with partitions.
async fn with_partitions() -> Lake {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE sales.t (id INT) PARTITIONED BY (m INT, c STRING) STORED AS PARQUET LOCATION 's3://lake/t/'").await;
    let values = [
        ["7", "a"],
        ["07", "a"],
        ["8", "a"],
        ["8", HIVE_DEFAULT_PARTITION],
    ];
    let partitions = values.map(PartitionInput::new).to_vec();
    lake.store
        .add_partitions("sales", "t", partitions, false)
        .await
        .unwrap();
    lake
}

/// Rows of the query of a DELETE: how many have these values.
fn counted(rows: &[(i32, Option<&str>, i64)]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("k0", DataType::Int32, true),
        Field::new("k1", DataType::Utf8View, true),
        Field::new("n", DataType::Int64, false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(StringViewArray::from_iter(rows.iter().map(|row| row.1))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn nothing_written() -> Written {
    Written {
        rows: 0,
        files: 0,
        bytes: 0,
        partitions: Vec::new(),
    }
}

#[tokio::test]
async fn partitions_that_are_found_are_emptied_in_every_spelling_and_stay_registered() {
    let lake = with_partitions().await;
    let plan = planned(&lake, "admin", "DELETE FROM t WHERE m > 1")
        .await
        .unwrap();
    let mut found = Found::default();
    assert!(plan.removals(&found).unwrap().is_empty());
    plan.count(&mut found, &counted(&[(7, Some("a"), 3)]))
        .unwrap();
    // The second is of no partition any more.
    plan.count(&mut found, &counted(&[(8, None, 2), (9, Some("a"), 1)]))
        .unwrap();
    assert_eq!(found.rows, 6);
    let removals = plan.removals(&found).unwrap();
    assert_eq!(removals.len(), 1);
    let mut emptied = removals[0].emptied.clone();
    emptied.sort();
    assert_eq!(
        emptied,
        [["07", "a"], ["7", "a"], ["8", HIVE_DEFAULT_PARTITION]]
    );
    let id = lake.store.begin_write("sales", "t", Vec::new()).await;
    let id = id.unwrap();
    let commit = removals[0].commit(id, nothing_written(), By::Administrator);
    let commit = commit.unwrap();
    assert!(!commit.empties_rest);
    let committed = lake.store.commit_write(id, commit).await.unwrap();
    assert_eq!(committed.discarded.unwrap().locations.len(), 3);
    let now = lake.store.partitions("sales", "t").await.unwrap();
    let new = format!("/{id}/");
    let folders = now.items.iter().map(|item| item.location(&now.keys));
    let folders: Vec<String> = folders.collect();
    assert_eq!(folders.len(), 4);
    for folder in folders {
        let is_kept = folder.ends_with("m=8/c=a/");
        assert_ne!(is_kept, folder.ends_with(&new), "{folder}");
    }
}

#[tokio::test]
async fn truncate_empties_every_table_once_and_what_is_registered_meanwhile() {
    let lake = with_partitions().await;
    lake.ok(
        "CREATE EXTERNAL TABLE sales.flat (id INT) STORED AS PARQUET LOCATION 's3://lake/flat/'",
    )
    .await;
    let plan = planned(&lake, "admin", "TRUNCATE t, flat, sales.t").await;
    let plan = plan.unwrap();
    let removals = plan.removals(&Found::default()).unwrap();
    assert_eq!(removals.len(), 2);
    assert_eq!(removals[0].emptied.len(), 4);
    assert!(removals[0].empties_rest && !removals[1].empties_rest);
    let whole = planned(&lake, "admin", "DELETE FROM t").await.unwrap();
    let removals = whole.removals(&Found::default()).unwrap();
    assert!(removals[0].empties_rest);
}

#[tokio::test]
async fn a_table_without_partitions_loses_all_rows_or_none() {
    let lake = Lake::new().await;
    lake.ok(
        "CREATE EXTERNAL TABLE sales.flat (id INT) STORED AS PARQUET LOCATION 's3://lake/flat/'",
    )
    .await;
    let plan = planned(&lake, "admin", "DELETE FROM flat WHERE 1 = 1").await;
    let plan = plan.unwrap();
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let mut found = Found::default();
    for (rows, removed) in [(0, 0), (3, 1)] {
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![rows]));
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![counts]);
        plan.count(&mut found, &batch.unwrap()).unwrap();
        assert_eq!(plan.removals(&found).unwrap().len(), removed);
    }
}

#[tokio::test]
async fn removals_need_delete_on_a_table_that_is_seen_whole() {
    let lake = Lake::with_orders().await;
    let statements = [
        "TRUNCATE orders",
        "DELETE FROM orders",
        "DELETE FROM orders WHERE day = DATE '2024-01-01'",
    ];
    lake.ok("GRANT SELECT ON TABLE orders TO ann; GRANT SELECT (id, day) ON TABLE orders TO ben; GRANT DELETE ON TABLE orders TO ben").await;
    for sql in statements {
        for user in ["ann", "ben"] {
            let error = planned(&lake, user, sql).await.unwrap_err();
            assert_eq!(error.code(), Code::PermissionDenied, "{user}: {sql}");
            assert!(!error.to_string().contains("email"), "{sql}: {error}");
        }
    }
    lake.ok("GRANT DELETE ON TABLE orders TO ann").await;
    for sql in statements {
        planned(&lake, "ann", sql).await.unwrap();
    }
    lake.ok("CREATE EXTERNAL TABLE sales.days (id INT) PARTITIONED BY (n INT) STORED AS PARQUET LOCATION 's3://lake/days/' TBLPROPERTIES ('projection.enabled' = 'true', 'projection.n.type' = 'integer', 'projection.n.range' = '1,9')").await;
    for sql in ["TRUNCATE orders, days", "DELETE FROM days WHERE n = 1"] {
        let error = planned(&lake, "admin", sql).await.unwrap_err();
        assert_eq!(error.code(), Code::NotSupported, "{sql}: {error}");
        assert!(error.message().contains("sales.days"), "{sql}: {error}");
    }
}
