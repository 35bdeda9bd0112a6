//! Every relation, as a client reads it.

use super::*;

/// The non-NULL values of each relation's first row, and the values other than "nothing" of its
/// rows about the sample.
///
/// To regenerate: set `LAKEGATE_UPDATE_GOLDEN=1`, then read the diff.
const WRITTEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/postgres/pg_catalog/tests/relations.txt"
);

/// A row is shown if it contains one of these values.
const SHOWN: [&str; 17] = [
    "curated",
    "analytics",
    "orders",
    "users",
    "v",
    "daily_sales",
    "analyst",
    "data_analysts",
    "100002",
    "100003",
    "100004",
    "100005",
    "100007",
    "100009",
    "16400",
    "abs",
    "sum",
];

async fn shown() -> String {
    let mut text = String::new();
    for shapes in [&PG_CATALOG, &INFORMATION_SCHEMA] {
        for shape in &shapes.relations {
            let relation = format!("{}.{}", shapes.namespace, shape.name);
            let sql = format!("SELECT * FROM {relation}");
            let (columns, rows) = run_with(&Arc::default(), &sql, &[]).await.unwrap();
            text.push_str(&relation);
            text.push('\n');
            for (place, row) in rows.iter().enumerate() {
                let cells: Vec<(&str, &str)> = columns
                    .iter()
                    .map(|column| column.rsplit('.').next().unwrap())
                    .zip(row.iter().map(String::as_str))
                    .collect();
                let about = |(column, cell): &(&str, &str)| {
                    !["relkind", "provolatile"].contains(column) && SHOWN.contains(cell)
                };
                if place > 0 && !cells.iter().any(about) {
                    continue;
                }
                let left_out: &[&str] = match place {
                    0 => &["NULL"],
                    _ => &["NULL", "", "false", "NO"],
                };
                let printed = cells.iter().filter(|(_, cell)| !left_out.contains(cell));
                let printed: Vec<String> = printed
                    .map(|(column, cell)| format!("{column}={cell}"))
                    .collect();
                text.push_str(&format!("    {}\n", printed.join(" ")));
            }
        }
    }
    text
}

#[tokio::test]
async fn every_relation_shows_what_is_written_down() {
    let shown = shown().await;
    if std::env::var_os("LAKEGATE_UPDATE_GOLDEN").is_some() {
        std::fs::write(WRITTEN, &shown).unwrap();
    }
    let written = std::fs::read_to_string(WRITTEN).unwrap();
    let mut written = written.lines();
    let mut relation = "";
    for line in shown.lines() {
        if !line.starts_with(' ') {
            relation = line;
        }
        assert_eq!(Some(line), written.next(), "{relation}");
    }
    assert_eq!(written.next(), None);
}
