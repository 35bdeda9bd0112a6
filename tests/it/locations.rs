//! A LOCATION must be under a lake root; otherwise an error names it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::Server;
use crate::harness::files::{Folder, Values, batch, parquet};

#[tokio::test]
async fn locations_outside_the_lake_are_refused_by_name() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin.run("CREATE DATABASE refused").await;
    for location in [
        "file:///etc/",
        "/etc/",
        "s3://datalake/../../etc/",
        "s3://datalake/curated/../../../etc/",
        "s3://datalake/%2e%2e/%2e%2e/etc/",
        "s3://datalake2/curated/orders/",
        "s3://other-bucket/curated/",
        "S3://OTHER/curated/",
        "http://example.com/data/",
        "https://datalake.s3.amazonaws.com/curated/",
        "s3a://other-bucket/x/",
        "hdfs://namenode/x/",
        "s3://",
        "s3:///curated/",
        "s3://datalake@other-bucket/x/",
        "s3://other-bucket:datalake/x/",
        "nonsense",
        "",
    ] {
        let sql = format!(
            "CREATE EXTERNAL TABLE refused.t (id INT) STORED AS PARQUET LOCATION '{location}'"
        );
        let failure = admin.fails(&sql).await;
        assert_eq!(failure.code, "42501", "{location}: {failure:?}");
        assert!(
            failure
                .message
                .starts_with(&format!("location '{location}' is")),
            "{failure:?}"
        );
    }
    assert_eq!(admin.text("SHOW TABLES IN refused").await, "");
    let server_dir = server.dir.display();
    let climbing = format!("file://{server_dir}/../");
    let failure = admin
        .fails(&format!(
            "CREATE EXTERNAL TABLE refused.t (id INT) STORED AS PARQUET LOCATION '{climbing}'"
        ))
        .await;
    assert_eq!(failure.code, "42501");
    failure.names(&[&climbing, "could leave the folder"]);
}

#[tokio::test]
async fn every_statement_that_takes_a_location_refuses_one_outside() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "inside");
    admin
        .run(&format!(
            "CREATE DATABASE refused_later;
             CREATE EXTERNAL TABLE refused_later.t (id INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             ALTER TABLE refused_later.t ADD PARTITION (p = 1)",
            folder.location
        ))
        .await;
    for sql in [
        "ALTER TABLE refused_later.t SET LOCATION 's3://other-bucket/x/'",
        "ALTER TABLE refused_later.t PARTITION (p = 1) SET LOCATION 's3://other-bucket/x/'",
        "ALTER TABLE refused_later.t ADD PARTITION (p = 2) LOCATION 's3://other-bucket/x/'",
        "CREATE DATABASE refused_db LOCATION 's3://other-bucket/x/'",
        "GRANT DATA_LOCATION ON 's3://other-bucket/x/' TO analyst",
    ] {
        let failure = admin.fails(sql).await;
        assert_eq!(failure.code, "42501", "{sql}: {failure:?}");
        assert_eq!(
            failure.message,
            "location 's3://other-bucket/x/' is not under a configured lake root"
        );
    }
}

#[tokio::test]
async fn links_that_lead_out_of_a_location_are_not_followed() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let outside = tempfile::tempdir().unwrap();
    let secret = parquet(&batch(&[("id", Values::Int(&[666]))]), 10);
    let honest = parquet(&batch(&[("id", Values::Int(&[1]))]), 10);
    fs::write(outside.path().join("secret.parquet"), &secret).unwrap();
    fs::create_dir(outside.path().join("deep")).unwrap();
    fs::write(outside.path().join("deep/secret.parquet"), &secret).unwrap();

    let folder = Folder::new(server, "links");
    let within = folder.put("elsewhere/secret.parquet", &secret);
    for (name, link, to) in [
        (
            "file",
            "link.parquet",
            outside.path().join("secret.parquet"),
        ),
        ("folder", "link", outside.path().to_owned()),
        ("file_within", "link.parquet", within.clone()),
        ("folder_within", "link", within.parent().unwrap().to_owned()),
    ] {
        folder.put(&format!("{name}/honest.parquet"), &honest);
        symlink(to, folder.path.join(name).join(link)).unwrap();
    }
    symlink(outside.path(), folder.path.join("itself")).unwrap();
    symlink(within.parent().unwrap(), folder.path.join("another_name")).unwrap();

    admin.run("CREATE DATABASE links").await;
    let create = |name: &str| {
        let table = name.replace('/', "_");
        let location = &folder.location;
        format!(
            "CREATE EXTERNAL TABLE links.{table} (id BIGINT) STORED AS PARQUET LOCATION '{location}{name}/'"
        )
    };
    for name in ["itself", "itself/deep"] {
        let failure = admin.fails(&create(name)).await;
        assert_eq!(failure.code, "42501", "{name}: {failure:?}");
        failure.names(&["a symbolic link leads out of its lake root"]);
    }
    for name in ["file", "folder", "file_within", "folder_within"] {
        admin.run(&create(name)).await;
        let failure = admin.fails(&format!("SELECT id FROM links.{name}")).await;
        assert_eq!(failure.code, "42501", "{name}: {failure:?}");
        failure.names(&["a symbolic link leads out of its"]);
    }
    // A location that is itself a link within the lake resolves to the folder that it points to.
    admin.run(&create("another_name")).await;
    assert_eq!(
        admin.value("SELECT id FROM links.another_name").await,
        "666"
    );
}

/// The table is over curated.orders and was made by a user with the right to read that table.
/// Revoking the right also revokes access through this table.
#[tokio::test]
async fn table_over_the_folder_of_another_does_not_outlive_the_rights_on_that_one() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "guests");
    let rows = batch(&[("id", Values::Int(&[1])), ("secret", Values::Int(&[42]))]);
    folder.put("data/one.parquet", parquet(&rows, 10));
    for user in ["guest_maker", "guest_friend"] {
        let create = format!("CREATE USER {user} WITH PASSWORD 'a long enough secret'");
        admin.run(&create).await;
    }
    let location = format!("{}data/", folder.location);
    admin
        .run_each(&[
            "CREATE DATABASE guests",
            "CREATE DATABASE guest_lab",
            &format!("CREATE EXTERNAL TABLE guests.data (id BIGINT, secret BIGINT) STORED AS PARQUET LOCATION '{location}'"),
            "GRANT CREATE TABLE ON DATABASE guest_lab TO guest_maker",
            "GRANT SELECT ON TABLE guests.data TO guest_maker",
        ])
        .await;
    let maker = server
        .connect_as("guest_maker", "a long enough secret", "awsdatacatalog")
        .await;
    let friend = server
        .connect_as("guest_friend", "a long enough secret", "awsdatacatalog")
        .await;
    let create = format!(
        "CREATE EXTERNAL TABLE guest_lab.mine (secret BIGINT) STORED AS PARQUET LOCATION '{location}'"
    );
    let failure = maker.fails(&create).await;
    assert_eq!(failure.code, "42501");
    assert_eq!(
        failure.message,
        format!("permission denied for location '{location}': DATA_LOCATION is needed")
    );
    admin
        .run(&format!(
            "GRANT DATA_LOCATION ON '{location}' TO guest_maker"
        ))
        .await;
    maker.run(&create).await;
    let select = "SELECT secret FROM guest_lab.mine";
    assert_eq!(maker.value(select).await, "42");
    assert_eq!(
        maker
            .fails("GRANT SELECT ON TABLE guest_lab.mine TO guest_friend")
            .await
            .code,
        "42501"
    );
    admin
        .run("GRANT SELECT ON TABLE guest_lab.mine TO guest_friend")
        .await;
    for revoke in [
        "GRANT SELECT (id) ON TABLE guests.data TO guest_friend",
        "REVOKE SELECT ON TABLE guests.data FROM guest_maker",
        "GRANT SELECT (id) ON TABLE guests.data TO guest_maker",
    ] {
        admin.run(revoke).await;
        let client = if revoke.contains("guest_friend") {
            &friend
        } else {
            &maker
        };
        for sql in [
            select,
            "SELECT count(*) FROM guest_lab.mine",
            "EXPLAIN SELECT * FROM guest_lab.mine",
        ] {
            let failure = client.fails(sql).await;
            assert_eq!(failure.code, "42501", "{revoke}; {sql}");
            assert!(!failure.text().contains("guests"), "{failure:?}");
        }
    }
    admin
        .run("GRANT SELECT ON TABLE guests.data TO guest_friend")
        .await;
    assert_eq!(friend.value(select).await, "42");
    assert_eq!(friend.value("SELECT secret FROM guests.data").await, "42");
}

#[tokio::test]
async fn table_functions_and_file_names_do_not_open_files() {
    let admin = Server::shared().connect("admin").await;
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/lakegate-copy.csv'",
        "COPY curated.orders FROM '/etc/passwd'",
        "CREATE TABLE x AS SELECT * FROM '/etc/passwd'",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    ] {
        let failure = admin.fails(sql).await;
        assert!(
            ["42P01", "42883", "0A000", "42601", "42501"].contains(&failure.code.as_str()),
            "{sql}: {failure:?}"
        );
    }
}
