//! Partitions: added, dropped, changed and found.

use lakegate_catalog::CatalogError;
use lakegate_catalog::partition::{
    Comparison, HIVE_DEFAULT_PARTITION, PartitionInput, PartitionPredicate,
};
use lakegate_catalog::store::Metastore;

use super::support::table;
use super::{add, all, found, values, version, with_orders};

conformance!(
    partitions_are_added_all_or_none,
    partitions_are_dropped_and_changed,
    a_renamed_partition_keeps_its_files,
    partitions_are_found_by_predicate,
    partitions_outside_of_the_folder_are_claimed,
);

async fn partitions_are_added_all_or_none(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Ulm"], ["02023", "Bonn"]]).await;
    let inputs = |years: [&str; 3]| {
        let inputs = years.map(|year| PartitionInput::new([year, "Ulm"]));
        inputs.to_vec()
    };
    let error = store
        .add_partitions("sales", "orders", inputs(["2025", "soon", "2026"]), true)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition key \"year\": \"soon\" is not a value of type int; use a whole number from -2147483648 to 2147483647"
    );
    let error = store
        .add_partitions("sales", "orders", inputs(["2025", "2024", "2026"]), false)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition \"sales.orders/year=2024/city=Ulm\" already exists"
    );
    let added = store
        .add_partitions("sales", "orders", inputs(["2025", "2024", "2025"]), true)
        .await
        .unwrap();
    assert_eq!((added.added, added.existing), (1, vec![1, 2]));
    assert_eq!(
        all(store).await,
        [
            "year=02023/city=Bonn",
            "year=2024/city=Ulm",
            "year=2025/city=Ulm"
        ]
    );
    let plain = table("plain", &[("a", "int")], &[]);
    store.create_table("sales", plain, false).await.unwrap();
    let refused = store
        .add_partitions("sales", "plain", vec![PartitionInput::new(["1"])], false)
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "table \"sales.plain\" is not partitioned"
    );
    assert!(store.partitions("sales", "plain").await.unwrap().is_empty());
}

async fn partitions_are_dropped_and_changed(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2022", "Ulm"], ["02023", "Ulm"], ["2024", "Ulm"]]).await;
    // Values are compared by their type.
    let gone = [values(["2023", "Ulm"])];
    let dropped = store.drop_partitions("sales", "orders", &gone, false);
    assert_eq!(dropped.await.unwrap(), 1);
    let error = store.drop_partitions("sales", "orders", &gone, false);
    assert!(matches!(error.await, Err(CatalogError::NotFound { .. })));
    let none = store.drop_partitions("sales", "orders", &gone, true);
    assert_eq!(none.await.unwrap(), 0);
    let dropped = [values(["2022", "Ulm"]), values(["1999", "Ulm"])];
    let added = ["2024", "2025"].map(|year| PartitionInput::new([year, "Ulm"]));
    let (dropped, added) = store
        .change_partitions("sales", "orders", &dropped, added.to_vec())
        .await
        .unwrap();
    assert_eq!((dropped, added.added, added.existing), (1, 1, vec![0]));
    assert_eq!(
        all(store).await,
        ["year=2024/city=Ulm", "year=2025/city=Ulm"]
    );
    let moved = PartitionInput::at(["02024", "Ulm"], "s3://lake/orders/moved/");
    store
        .update_partitions("sales", "orders", vec![moved])
        .await
        .unwrap();
    let partitions = store.partitions("sales", "orders").await.unwrap();
    let moved = partitions.get(&["2024", "Ulm"]).unwrap().unwrap();
    assert_eq!(moved.location(&partitions.keys), "s3://lake/orders/moved/");
    let missing = vec![PartitionInput::new(["1999", "Ulm"])];
    let error = store.update_partitions("sales", "orders", missing).await;
    assert!(matches!(error, Err(CatalogError::NotFound { .. })));
}

async fn a_renamed_partition_keeps_its_files(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2023", "Ulm"], ["2024", "Ulm"]]).await;
    let (from, to) = (values(["2023", "Ulm"]), values(["2024", "Ulm"]));
    let taken = store.rename_partition("sales", "orders", &from, &to).await;
    assert!(matches!(taken, Err(CatalogError::AlreadyExists { .. })));
    let to = values(["2022", "Ulm"]);
    let missing = store.rename_partition("sales", "orders", &to, &from).await;
    assert!(matches!(missing, Err(CatalogError::NotFound { .. })));
    store
        .rename_partition("sales", "orders", &from, &to)
        .await
        .unwrap();
    let partitions = store.partitions("sales", "orders").await.unwrap();
    let renamed = partitions.get(&to).unwrap().unwrap();
    assert_eq!(
        renamed.location(&partitions.keys),
        "s3://lake/orders/year=2023/city=Ulm/"
    );
    assert!(partitions.get(&from).unwrap().is_none());
}

async fn partitions_are_found_by_predicate(store: &dyn Metastore) {
    with_orders(store).await;
    add(
        store,
        &[
            ["998", "Ulm"],
            ["2023", "Bonn"],
            ["02024", "Ulm"],
            [HIVE_DEFAULT_PARTITION, "Ulm"],
        ],
    )
    .await;
    let year = |op, value: &str| PartitionPredicate::all().and("Year", op, value);
    let since = found(store, year(Comparison::GreaterOrEqual, "2023")).await;
    assert_eq!(since, ["year=2023/city=Bonn", "year=02024/city=Ulm"]);
    let before = found(
        store,
        year(Comparison::Less, "2024").and("city", Comparison::Equal, "Ulm"),
    );
    assert_eq!(before.await, ["year=998/city=Ulm"]);
    assert_eq!(all(store).await.len(), 4);
    let unknown = PartitionPredicate::all().and("month", Comparison::Equal, "1");
    let refused = store.partitions_matching("sales", "orders", &unknown).await;
    assert!(matches!(refused, Err(CatalogError::InvalidInput(_))));
    // A part has the version of the whole.
    let one = year(Comparison::Equal, "998");
    let part = store.partitions_matching("sales", "orders", &one);
    let part = part.await.unwrap();
    assert_eq!(part.len(), 1);
    assert_eq!(part.version, version(store).await.partitions);
}

async fn partitions_outside_of_the_folder_are_claimed(store: &dyn Metastore) {
    with_orders(store).await;
    let add = |input| store.add_partitions("sales", "orders", vec![input], false);
    let inside = PartitionInput::at(["2023", "Ulm"], "s3://lake/orders/elsewhere/");
    add(inside).await.unwrap();
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(orders.outer_claim.is_none());
    let outside = PartitionInput::at(["2024", "Ulm"], "s3://lake/orders-2/");
    add(outside).await.unwrap();
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(
        orders
            .outer_claim
            .is_some_and(|claim| claim.by_administrator)
    );
}
