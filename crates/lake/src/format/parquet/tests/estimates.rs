//! Statistics of the catalog, which may be wrong, and those that are remembered of a file.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source::{DataSource, DataSourceExec};
use lakegate_catalog::model::{
    ColumnStatistics, ColumnStatisticsData, RangeStatistics, TableStatistics, now,
};

use super::*;
use crate::scanned::files_of;

#[tokio::test]
async fn wrong_statistics_change_no_answer() {
    let mut lake = Lake::new(&[("n", "bigint")]);
    lake.put("a", file(&batch(vec![("n", ints(0..3))]), 10))
        .await;
    let n = ColumnStatistics {
        column_name: "n".to_owned(),
        column_type: "bigint".to_owned(),
        analyzed_time: now(),
        statistics_data: ColumnStatisticsData::Long {
            data: RangeStatistics {
                minimum_value: Some(100),
                maximum_value: Some(200),
                number_of_nulls: 1_000,
                number_of_distinct_values: 1,
            },
        },
    };
    let table = Arc::get_mut(&mut lake.table).unwrap();
    table.statistics = Some(Arc::new(TableStatistics {
        row_count: 1_000,
        file_bytes: 1,
        version: 0,
        analyzed_time: now(),
        columns: vec![n],
    }));
    // Without and with footers.
    for max_statistics_files in [0, 4096] {
        lake.max_statistics_files = max_statistics_files;
        for (sql, answer) in [
            ("SELECT count(*) FROM t", "3"),
            ("SELECT count(n) FROM t", "3"),
            ("SELECT min(n) FROM t", "0"),
            ("SELECT max(n) FROM t", "2"),
            ("SELECT count(DISTINCT n) FROM t", "3"),
            ("SELECT count(*) FROM t WHERE n = 1", "1"),
            ("SELECT count(*) FROM t WHERE n < 100", "3"),
            ("SELECT count(*) FROM t WHERE n IS NULL", "0"),
            ("SELECT count(*) FROM t a JOIN t b ON a.n = b.n", "3"),
        ] {
            assert_eq!(lake.rows(sql).await, [[answer]], "{sql}");
        }
    }
}

#[tokio::test]
async fn bounds_are_those_of_the_type_that_a_table_has_a_column_as() {
    let long = Lake::new(&[("n", "bigint")]);
    long.put("a", file(&batch(vec![("n", ints(0..3))]), 10))
        .await;
    let short = Lake {
        table: Lake::new(&[("n", "int")]).table,
        store: Arc::clone(&long.store),
        roots: Arc::clone(&long.roots),
        footers: long.footers.clone(),
        hot: ColumnCache::new(0),
        max_statistics_files: 4096,
    };
    for lake in [&long, &short, &short, &long] {
        for (sql, answer) in [
            ("SELECT min(n) FROM t", "0"),
            ("SELECT max(n) + 1 FROM t", "3"),
            ("SELECT count(*) FROM t WHERE n > 1", "1"),
            ("SELECT count(n) FROM t", "3"),
        ] {
            assert_eq!(lake.rows(sql).await, [[answer]], "{sql}");
        }
    }
}

#[tokio::test]
async fn a_scan_computes_its_statistics_once_and_has_the_same_properties() {
    let lake = Lake::new(&[("n", "bigint"), ("m", "bigint")]);
    let columns = vec![("n", ints(0..3)), ("m", ints(3..6))];
    lake.put("a", file(&batch(columns), 10)).await;
    let meter = Arc::new(QueryMeter::new(None));
    let (context, _) = lake.context(&meter, Vec::new()).await.unwrap();
    for sql in [
        "SELECT m FROM t WHERE n > 0",
        "SELECT m FROM t WHERE m = 4",
        "SELECT m, n FROM t",
        "SELECT m, 1 AS o FROM t",
        "SELECT m AS a, m AS b FROM t",
    ] {
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let mut scans = 0;
        plan.apply(|node| {
            if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
                // Whatever was pushed down, it is such a scan.
                let (source, files) = (scan.data_source(), files_of(scan).unwrap());
                assert_eq!(files.projected_schema().unwrap(), node.schema());
                let known = [(); 2].map(|()| source.partition_statistics(None).unwrap());
                assert!(Arc::ptr_eq(&known[0], &known[1]));
                assert_eq!(known[0], files.partition_statistics(None).unwrap());
                let properties = [source.eq_properties(), files.eq_properties()];
                let [own, of_files] = properties.map(|known| format!("{known:?}"));
                assert_eq!(own, of_files, "{sql}");
                scans += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        assert_eq!(scans, 1, "{sql}");
    }
}
