//! Statistics of tables and of partitions.

use lakegate_catalog::CatalogError;
use lakegate_catalog::model::{
    BinaryStatistics, ColumnStatistics, ColumnStatisticsData, TableStatistics, now,
};
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{Metastore, TableVersion};

use super::support::table;
use super::{add, values, version, with_orders};

conformance!(
    statistics_go_with_the_table_and_its_columns,
    statistics_of_partitions_go_with_them,
);

async fn statistics_go_with_the_table_and_its_columns(store: &dyn Metastore) {
    with_orders(store).await;
    let analyzed = |columns: &[(&str, &str)]| TableStatistics {
        row_count: 3,
        file_bytes: 10,
        version: 0,
        analyzed_time: now(),
        columns: columns
            .iter()
            .map(|(name, data_type)| ColumnStatistics {
                column_name: (*name).to_owned(),
                column_type: (*data_type).to_owned(),
                analyzed_time: now(),
                statistics_data: ColumnStatisticsData::Binary {
                    data: BinaryStatistics {
                        maximum_length: Some(4),
                        average_length: Some(2.5),
                        number_of_nulls: 1,
                    },
                },
            })
            .collect(),
    };
    let known = async |name: &str| {
        let Some(table) = store.table("sales", name).await.unwrap() else {
            return (false, Vec::new());
        };
        let known = store.table_statistics(&table).await.unwrap();
        let columns = known.iter().flat_map(|known| &known.columns);
        let columns: Vec<String> = columns.map(|known| known.column_name.clone()).collect();
        (known.is_some(), columns)
    };
    assert_eq!(known("orders").await, (false, Vec::new()));
    assert_eq!(known("none").await, (false, Vec::new()));
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    for columns in [
        [("id", "string"), ("year", "int")].as_slice(),
        &[("year", "int"), ("gone", "int")],
    ] {
        store
            .update_table_statistics(&orders, analyzed(columns))
            .await
            .unwrap();
    }
    let both = vec!["year".to_owned(), "id".to_owned()];
    assert_eq!(known("orders").await, (true, both.clone()));
    let now = version(store).await;
    assert_eq!((now.table, now.analyzed), (0, 2));

    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    store
        .rename_table(&orders, "sales", "bought")
        .await
        .unwrap();
    assert_eq!(known("orders").await, (false, Vec::new()));
    assert_eq!(known("bought").await, (true, both));
    let bought = store.table("sales", "bought").await.unwrap().unwrap();
    let mut input = bought.to_input();
    input.storage_descriptor.columns[0].data_type = "int".to_owned();
    store
        .update_table("sales", input.clone(), None)
        .await
        .unwrap();
    assert_eq!(known("bought").await, (true, vec!["year".to_owned()]));
    // Files elsewhere are others.
    input.storage_descriptor.location = Some("s3://lake/elsewhere/".to_owned());
    store.update_table("sales", input, None).await.unwrap();
    assert_eq!(known("bought").await, (false, Vec::new()));

    store.drop_table("sales", "bought", false).await.unwrap();
    let keys = [("year", "int"), ("city", "string")];
    let another = table("bought", &[("id", "string")], &keys);
    store.create_table("sales", another, false).await.unwrap();
    let refused = store.update_table_statistics(&bought, analyzed(&[])).await;
    assert!(matches!(refused, Err(CatalogError::NotFound { .. })));
    assert_eq!(known("bought").await, (false, Vec::new()));
    assert_eq!(store.table_statistics(&bought).await.unwrap(), None);
}

async fn statistics_of_partitions_go_with_them(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Bern"], ["2025", "Bern"]]).await;
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    let counted = |row_count| TableStatistics {
        row_count,
        file_bytes: 10,
        version: 0,
        analyzed_time: now(),
        columns: Vec::new(),
    };
    let known = async |year: &str| {
        let values = values([year, "Bern"]);
        let found = store.partition_statistics(&orders, &values).await;
        found.unwrap().map(|known| known.row_count)
    };
    let before = version(store).await;
    for (year, rows) in [("2024", 3), ("2025", 4), ("2024", 5)] {
        store
            .update_partition_statistics(&orders, vec![(values([year, "Bern"]), counted(rows))])
            .await
            .unwrap();
    }
    let none = values(["2026", "Bern"]);
    // Of all or of none.
    let several = vec![
        (values(["2024", "Bern"]), counted(9)),
        (none.clone(), counted(1)),
    ];
    let refused = store.update_partition_statistics(&orders, several);
    assert!(matches!(refused.await, Err(CatalogError::NotFound { .. })));
    assert_eq!(
        (known("2024").await, known("2025").await),
        (Some(5), Some(4))
    );
    assert_eq!(known("2026").await, None);
    let after = version(store).await;
    assert_eq!(after.analyzed, before.analyzed + 3);
    let unchanged = TableVersion {
        analyzed: before.analyzed,
        ..after
    };
    assert_eq!(unchanged, before);
    let all = store.all_partition_statistics(&orders, 2).await.unwrap();
    let rows: Vec<u64> = all.values().map(|known| known.row_count).collect();
    assert_eq!(rows, [5, 4]);
    let too_many = store.all_partition_statistics(&orders, 1).await;
    assert!(too_many.unwrap().is_empty());
    assert_eq!(store.table_statistics(&orders).await.unwrap(), None);

    // A name changes nothing, other files do.
    let (from, to) = (values(["2025", "Bern"]), none);
    store
        .rename_partition("sales", "orders", &from, &to)
        .await
        .unwrap();
    assert_eq!((known("2025").await, known("2026").await), (None, Some(4)));
    let moved = PartitionInput::at(to, "s3://lake/elsewhere/".to_owned());
    store
        .update_partitions("sales", "orders", vec![moved])
        .await
        .unwrap();
    assert_eq!(known("2026").await, None);

    // A new column does not make it wrong, a column of another type may.
    let mut input = orders.to_input();
    let column = lakegate_catalog::model::Column::new("note", "string");
    input.storage_descriptor.columns.push(column);
    store
        .update_table("sales", input.clone(), None)
        .await
        .unwrap();
    assert_eq!(known("2024").await, Some(5));
    input.storage_descriptor.columns[0].data_type = "int".to_owned();
    store.update_table("sales", input, None).await.unwrap();
    assert_eq!(known("2024").await, None);

    store
        .update_partition_statistics(&orders, vec![(values(["2024", "Bern"]), counted(1))])
        .await
        .unwrap();
    let dropped = [values(["2024", "Bern"])];
    store
        .drop_partitions("sales", "orders", &dropped, false)
        .await
        .unwrap();
    add(store, &[["2024", "Bern"]]).await;
    assert_eq!(known("2024").await, None);
}
