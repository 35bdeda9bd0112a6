//! Views: what their readers learn, what ends their reading, how clients list them, and those of
//! other programs.

mod changes;
mod foreign;
mod hostile;
mod listings;

use std::path::{Path, PathBuf};

use crate::harness::files::{Values, batch, parquet, put};
use crate::harness::server::serving;
use crate::harness::{Client, Door, Server};

const PASSWORD: &str = "a long enough secret";

/// What the views of a lake leave out.
struct Hidden {
    /// In three columns of a row in a file of visible rows.
    name: &'static str,
    amount: &'static str,
    doc: &'static str,
    divisor: i64,
    /// A partition.
    region: &'static str,
}

/// A row that breaks most expressions.
const BROKEN: Hidden = Hidden {
    name: "alpha",
    amount: "alpha",
    doc: "{alpha",
    divisor: 0,
    region: "atlantis",
};

/// A row that breaks none.
const WHOLE: Hidden = Hidden {
    name: "omega",
    amount: "40",
    doc: "{\"a\":3}",
    divisor: 7,
    region: "elbonia",
};

/// A server with `v.personnel` and views of it, which `eve` may read. `eve` may not read the table.
struct Lake {
    server: Server,
    admin: Client,
    dir: tempfile::TempDir,
}

impl Lake {
    async fn with(hidden: &Hidden) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_files(&dir.path().join("lake"), hidden);
        let (server, admin) = serving(dir.path(), &roots(dir.path())).await;
        for sql in definitions() {
            admin.run(sql).await;
        }
        Self { server, admin, dir }
    }

    async fn eve(&self, door: Door) -> Client {
        door.connect_as(&self.server, "eve", PASSWORD, "awsdatacatalog")
            .await
    }

    /// The catalog's file.
    fn catalog(&self) -> PathBuf {
        self.dir.path().join("state").join("catalog.db")
    }
}

fn roots(dir: &Path) -> String {
    let lake = dir.join("lake");
    format!("[[lake.roots]]\nurl = \"s3://datalake/\"\npath = {lake:?}\n")
}

/// Two visible rows and a hidden one in the first file, hidden ones in the second.
fn write_files(lake: &Path, hidden: &Hidden) {
    let Hidden {
        name,
        amount,
        doc,
        divisor,
        region,
    } = *hidden;
    let first = batch(&[
        ("id", Values::Int(&[1, 2, 3])),
        ("nickname", Values::Text(&["ann", "bob", name])),
        ("amount", Values::Text(&["10", "20", amount])),
        ("doc", Values::Text(&["{\"a\":1}", "{\"a\":2}", doc])),
        ("divisor", Values::Int(&[1, 2, divisor])),
        ("clearance", Values::Int(&[1, 1, 9])),
    ]);
    let second = batch(&[
        ("id", Values::Int(&[4, 5])),
        ("nickname", Values::Text(&[name, name])),
        ("amount", Values::Text(&[amount, amount])),
        ("doc", Values::Text(&[doc, doc])),
        ("divisor", Values::Int(&[divisor, divisor])),
        ("clearance", Values::Int(&[9, 9])),
    ]);
    let folder = lake.join("personnel");
    for (region, rows) in [("eu", first), (region, second)] {
        let file = folder.join(format!("region={region}/part-0.parquet"));
        put(&file, &parquet(&rows, 10));
    }
}

fn definitions() -> Vec<&'static str> {
    vec![
        "CREATE DATABASE v",
        "CREATE USER eve WITH PASSWORD 'a long enough secret'",
        "CREATE USER ann WITH PASSWORD 'a long enough secret'",
        "CREATE EXTERNAL TABLE v.personnel (id BIGINT, nickname STRING, amount STRING, doc STRING, divisor BIGINT, clearance BIGINT)
         PARTITIONED BY (region STRING) STORED AS PARQUET LOCATION 's3://datalake/personnel/'",
        "MSCK REPAIR TABLE v.personnel",
        "CREATE VIEW v.open COMMENT 'everybody' AS SELECT id, amount, doc, divisor, region FROM v.personnel WHERE region = 'eu' AND clearance < 5",
        "CREATE VIEW v.everywhere AS SELECT id, amount, divisor, region FROM v.personnel WHERE clearance < 5",
        "CREATE VIEW v.nested AS SELECT id, divisor, doc FROM v.open WHERE id < 3",
        "CREATE VIEW v.grouped AS SELECT 10 / divisor AS tenth, region, count(*) AS n FROM v.personnel WHERE clearance < 5 GROUP BY 10 / divisor, region",
        "CREATE VIEW v.ranked AS SELECT id, divisor, row_number() OVER (PARTITION BY region ORDER BY id) AS place, region FROM v.personnel WHERE clearance < 5",
        "CREATE VIEW v.either AS SELECT id, amount FROM v.personnel WHERE clearance < 5 UNION SELECT id, doc FROM v.personnel WHERE clearance < 0",
        "CREATE VIEW v.first AS SELECT id, divisor FROM v.personnel ORDER BY id LIMIT 2",
        "CREATE VIEW v.some AS SELECT id, amount, divisor FROM v.personnel WHERE clearance < 5",
        "CREATE VIEW v.secret AS SELECT nickname FROM v.personnel",
        "GRANT SELECT ON TABLE v.open TO eve",
        "GRANT SELECT ON TABLE v.everywhere TO eve",
        "GRANT SELECT ON TABLE v.nested TO eve",
        "GRANT SELECT ON TABLE v.grouped TO eve",
        "GRANT SELECT ON TABLE v.ranked TO eve",
        "GRANT SELECT ON TABLE v.either TO eve",
        "GRANT SELECT ON TABLE v.first TO eve",
        "GRANT SELECT (id, divisor) ON TABLE v.some TO eve",
    ]
}
