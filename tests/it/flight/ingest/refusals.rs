//! Writes that are refused: rows that do not fit the table, and users without the rights.

use super::*;

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = sales_table(server, &admin, "ing_errors").await;
    admin
        .run(&format!(
            "CREATE EXTERNAL TABLE ing_errors.lines (a STRING) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' STORED AS TEXTFILE LOCATION '{}lines/'",
            folder.location
        ))
        .await;
    let before = files(&folder.path);
    let mut flight = server.flight("admin").await;
    let days = Values::Array(Arc::new(Date32Array::from(vec![19_800])));
    let good = sales(&[19_801], &[5]);
    for (table, batches, code, parts) in [
        (
            "ing_errors.sales",
            vec![batch(&[("amount", Values::Text(&["x"])), ("day", days)])],
            "42804",
            vec!["\"amount\"", "bigint", "string"],
        ),
        (
            "ing_errors.sales",
            vec![batch(&[("amuont", Values::Int(&[1]))])],
            "42703",
            vec!["\"amuont\"", "amount, note, day"],
        ),
        (
            "ing_errors.lines",
            vec![batch(&[("a", Values::Text(&["x"]))])],
            "0A000",
            vec!["ing_errors.lines", "not written"],
        ),
        (
            "ing_errors.none",
            vec![good.clone()],
            "42P01",
            vec!["ing_errors.none"],
        ),
        (
            "system.queries",
            vec![good.clone()],
            "0A000",
            vec!["built-in"],
        ),
    ] {
        let refused = ingest(&mut flight, into(table, Mode::Append), batches)
            .await
            .unwrap_err();
        assert_eq!(
            refused.metadata().get("sqlstate").unwrap(),
            code,
            "{refused:?}"
        );
        for part in parts {
            assert!(refused.message().contains(part), "{refused:?}");
        }
    }
    // A key that cannot be a folder's name, after valid rows.
    let mut cities = into("ing_errors.cities", Mode::Create);
    cities.options = [("partition_by".to_owned(), "city".to_owned())].into();
    let named = |city: &str| batch(&[("n", Values::Int(&[1])), ("city", Values::Text(&[city]))]);
    let refused = ingest(&mut flight, cities, vec![named("Ulm"), named("")])
        .await
        .unwrap_err();
    assert!(refused.message().contains("\"city\""), "{refused:?}");
    // More columns than a table may have, for a new table and for a replaced one.
    let names: Vec<String> = (0..10_001).map(|n| format!("c{n}")).collect();
    let columns = names.iter().map(|name| (name.as_str(), Values::Int(&[1])));
    let wide = batch(&columns.collect::<Vec<_>>());
    for (table, mode) in [("wide", Mode::Create), ("sales", Mode::Replace)] {
        let table = into(&format!("ing_errors.{table}"), mode);
        let refused = ingest(&mut flight, table, vec![wide.clone()]).await;
        let refused = refused.unwrap_err();
        let said = "has 10001 columns; the most is 10000";
        assert!(refused.message().contains(said), "{refused:?}");
    }
    for (keys, key) in [("day,day", "day"), ("day,hour", "hour")] {
        let mut twice = into("ing_errors.twice", Mode::Create);
        twice.options = [("partition_by".to_owned(), keys.to_owned())].into();
        let refused = ingest(&mut flight, twice, vec![good.clone()]).await;
        let refused = refused.unwrap_err();
        let said = format!("partition key \"{key}\" is not among the columns");
        assert!(refused.message().contains(&said), "{refused:?}");
    }
    assert_eq!(
        admin.text("SHOW TABLES IN ing_errors").await,
        "lines\nsales"
    );
    assert_eq!(files(&folder.path), before);
    assert!(!folder.path.join("new/cities").exists());
}

#[tokio::test]
async fn only_who_may_insert_writes() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    sales_table(server, &admin, "ing_rights").await;
    let mut scientist = server.flight("scientist").await;
    let append = || into("ing_rights.sales", Mode::Append);
    let rows = || vec![sales(&[19_723], &[7])];
    let hidden = ingest(&mut scientist, append(), rows()).await.unwrap_err();
    assert_eq!(hidden.metadata().get("sqlstate").unwrap(), "42P01");
    admin
        .run("GRANT SELECT ON TABLE ing_rights.sales TO scientist")
        .await;
    let refused = ingest(&mut scientist, append(), rows()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("INSERT"), "{refused:?}");
    admin
        .run("GRANT INSERT ON TABLE ing_rights.sales TO scientist")
        .await;
    assert_eq!(ingest(&mut scientist, append(), rows()).await.unwrap(), 1);
    // Replacing requires the rights to delete and to alter too.
    let replace = into("ing_rights.sales", Mode::Replace);
    let refused = ingest(&mut scientist, replace, rows()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let create = into("ing_rights.mine", Mode::Create);
    let refused = ingest(&mut scientist, create.clone(), rows())
        .await
        .unwrap_err();
    assert!(refused.message().contains("CREATE_TABLE"), "{refused:?}");
    admin
        .run("GRANT CREATE TABLE ON DATABASE ing_rights TO scientist")
        .await;
    assert_eq!(ingest(&mut scientist, create, rows()).await.unwrap(), 1);
    // Users have access to the tables that they create.
    let fetched = scientist.run("SELECT amount FROM ing_rights.mine").await;
    assert_eq!(fetched.value(), "7");
    // A right that is revoked while rows arrive is missing when they would become visible.
    let (mut sender, call) = slowly(scientist, append());
    sender.send(Ok(sales(&[19_723], &[9]))).await.unwrap();
    admin
        .run("REVOKE INSERT ON TABLE ing_rights.sales FROM scientist")
        .await;
    drop(sender);
    let refused = call.await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        admin.text("SELECT sum(amount) FROM ing_rights.sales").await,
        "8"
    );
}
