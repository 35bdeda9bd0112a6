//! Catalog requests of drivers.

use super::*;

async fn tables(flight: &mut Flight, asked: CommandGetTables) -> Fetched {
    let info = flight.sql.get_tables(asked).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    flight.fetch(ticket).await.unwrap()
}

#[tokio::test]
async fn scientist_is_told_of_three_columns_and_of_no_hidden_table() {
    let mut flight = Server::shared().flight("scientist").await;
    let asked = CommandGetTables {
        db_schema_filter_pattern: Some("curated".to_owned()),
        table_name_filter_pattern: Some("customers".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let fetched = tables(&mut flight, asked).await;
    let bytes = fetched.batches[0]
        .column(4)
        .as_any()
        .downcast_ref::<arrow::array::BinaryArray>()
        .unwrap();
    let schema = Schema::try_from(IpcMessage(bytes.value(0).to_vec().into())).unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["customer_id", "segment", "region"]);
    let metadata = schema.field(0).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TYPE_NAME"], "string");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TABLE_NAME"], "customers");
    let selected = flight.run("SELECT * FROM curated.customers LIMIT 1").await;
    assert_eq!(selected.batches[0].num_columns(), 3);
    let all = tables(&mut flight, CommandGetTables::default()).await;
    let listed: Vec<String> = all
        .rows()
        .into_iter()
        .map(|row| row[1..3].join("."))
        .collect();
    assert!(
        listed.contains(&"curated.customers".to_owned()),
        "{listed:?}"
    );
    assert!(
        listed.iter().all(|name| !name.starts_with("raw.")),
        "{listed:?}"
    );
}

#[tokio::test]
async fn tables_are_filtered_by_pattern_type_and_catalog() {
    let mut flight = Server::shared().flight("admin").await;
    let listed = async |flight: &mut Flight, asked: CommandGetTables| -> Vec<String> {
        let fetched = tables(flight, asked).await;
        let rows = fetched.rows().into_iter();
        rows.map(|row| row[1..].join(" ")).collect()
    };
    let pattern = |table: &str| CommandGetTables {
        table_name_filter_pattern: Some(table.to_owned()),
        ..CommandGetTables::default()
    };
    assert_eq!(
        listed(&mut flight, pattern(r"sales\_fac_")).await,
        ["analytics sales_fact TABLE"]
    );
    assert!(listed(&mut flight, pattern(r"sales\%")).await.is_empty());
    let long = format!("{}b", "%a".repeat(20_000));
    assert!(listed(&mut flight, pattern(&long)).await.is_empty());
    let system = CommandGetTables {
        table_types: vec!["SYSTEM TABLE".to_owned()],
        ..CommandGetTables::default()
    };
    assert_eq!(
        listed(&mut flight, system).await,
        ["system queries SYSTEM TABLE"]
    );
    for nowhere in [
        CommandGetTables {
            catalog: Some("no_such_catalog".to_owned()),
            ..CommandGetTables::default()
        },
        CommandGetTables {
            table_types: vec!["NO SUCH TYPE".to_owned()],
            ..CommandGetTables::default()
        },
    ] {
        assert!(listed(&mut flight, nowhere).await.is_empty());
    }
    let info = flight
        .sql
        .get_db_schemas(CommandGetDbSchemas {
            catalog: None,
            db_schema_filter_pattern: Some("cura%".to_owned()),
        })
        .await
        .unwrap();
    let fetched = flight
        .fetch(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    assert_eq!(fetched.rows(), [["awsdatacatalog", "curated"]]);
}

#[tokio::test]
async fn everything_that_a_driver_asks_for_is_answered() {
    let mut flight = Server::shared().flight("admin").await;
    let mut infos = Vec::new();
    infos.push(flight.sql.get_catalogs().await.unwrap());
    infos.push(flight.sql.get_table_types().await.unwrap());
    infos.push(flight.sql.get_sql_info(Vec::new()).await.unwrap());
    infos.push(
        flight
            .sql
            .get_xdbc_type_info(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_primary_keys(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_exported_keys(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_imported_keys(Default::default())
            .await
            .unwrap(),
    );
    infos.push(
        flight
            .sql
            .get_cross_reference(Default::default())
            .await
            .unwrap(),
    );
    let mut rows = Vec::new();
    for info in infos {
        let announced = info.clone().try_decode_schema().unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let fetched = flight.fetch(ticket).await.unwrap();
        assert_eq!(fetched.batches[0].schema().as_ref(), &announced);
        rows.push(
            fetched
                .batches
                .iter()
                .map(RecordBatch::num_rows)
                .sum::<usize>(),
        );
    }
    assert_eq!((rows[0], rows[1]), (1, 3));
    assert!(rows[2] > 80 && rows[3] > 10, "{rows:?}");
    assert_eq!(rows[4..], [0, 0, 0, 0]);
}
