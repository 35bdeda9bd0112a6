//! `docs/flight-clients.md`: what works with which client. Each client's test compares its own
//! column, or rewrites it with `LAKEGATE_UPDATE_DOCS=1`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Deserialize;

const CLIENTS: [&str; 10] = [
    "pyarrow.flight",
    "ADBC (Python)",
    "flightsql-dbapi",
    "polars",
    "pandas",
    "DuckDB",
    "ibis",
    "JDBC",
    "ADBC (Go)",
    "Rust",
];

/// The rows of the page, in order.
const CAPABILITIES: [&str; 36] = [
    "TLS with certificate verification",
    "user and password",
    "error for a wrong password",
    "token of an identity provider",
    "client certificate",
    "query",
    "result as Arrow data",
    "nested types",
    "reading a result in pieces",
    "reading partitions of a result elsewhere",
    "row limit",
    "statement that returns no rows",
    "batch of statements",
    "message and position of an error",
    "SQLSTATE of an error",
    "cancel",
    "timeout",
    "query cost in the last message",
    "prepared statement",
    "parameters of all types",
    "several rows of parameters",
    "schema of a result without execution",
    "catalogs, databases, tables",
    "columns",
    "columns without a grant are hidden",
    "table types",
    "schema of a table",
    "primary and foreign keys (always empty)",
    "type information of the server",
    "information about the server",
    "current catalog and database",
    "setSchema",
    "session settings",
    "error for a transaction",
    "bulk ingestion",
    "DBeaver's calls",
];

const HEAD: &str = "\
# Flight SQL clients

<!-- The tests in tests/it/flight_clients compare this page with their results, and write it: LAKEGATE_UPDATE_DOCS=1 ./test flight_clients -->

This page shows which features of [Arrow Flight SQL](connecting.md#arrow-flight-sql) work with each
client. Every entry is the result of a test against a live server, which runs with all other tests.
*yes*: the test passes. *no*: the test fails, for a reason under
[Known limitations](#known-limitations). No entry: the client has no call for the feature, or there
is no test. polars, pandas, DuckDB and ibis read the results of ADBC.
";

/// The clients' tests run concurrently, and each writes its column.
static FILE: Mutex<()> = Mutex::new(());

const REASONS: &str = "## Known limitations";

/// One result of a client's test: a line of `$LAKEGATE_SHOWN`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Shown {
    pub client: String,
    pub version: String,
    pub capability: String,
    /// Why the test is expected to fail; `None` if it passed.
    pub fails_because: Option<String>,
}

/// The outcome of each capability: `None` if it works, or the reason why it does not.
type Outcomes = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Column {
    version: String,
    outcomes: Outcomes,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Page(BTreeMap<String, Column>);

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/flight-clients.md")
}

/// Compares the results of a client's tests with the page.
pub(super) fn check(client: &str, shown: &[Shown]) {
    let seen = column(client, shown);
    let _lock = FILE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = fs::read_to_string(path()).unwrap_or_default();
    let mut page = parse(&text);
    if std::env::var_os("LAKEGATE_UPDATE_DOCS").is_some() {
        page.0.insert(client.to_owned(), seen);
        fs::write(path(), render(&page)).unwrap();
        return;
    }
    let said = page.0.remove(client).unwrap_or_default();
    let difference = difference(&said, &seen);
    assert!(
        difference.is_empty(),
        "docs/flight-clients.md says something else of {client} than its tests showed:\n{difference}\
         to write it anew: LAKEGATE_UPDATE_DOCS=1 ./test flight_clients, then read the diff"
    );
}

fn column(client: &str, shown: &[Shown]) -> Column {
    assert!(CLIENTS.contains(&client), "{client} is not in CLIENTS");
    let mut column = Column::default();
    for one in shown.iter().filter(|one| one.client == client) {
        assert!(
            CAPABILITIES.contains(&one.capability.as_str()),
            "{client} shows '{}', which is not in CAPABILITIES",
            one.capability
        );
        column.version.clone_from(&one.version);
        let outcome = column.outcomes.entry(one.capability.clone()).or_default();
        // One failing test of a capability is enough.
        if outcome.is_none() {
            outcome.clone_from(&one.fails_because);
        }
    }
    assert!(
        !column.outcomes.is_empty(),
        "the tests of {client} showed nothing"
    );
    column
}

fn difference(said: &Column, seen: &Column) -> String {
    let mut text = String::new();
    if said.version != seen.version {
        writeln!(text, "  version: {:?} is {:?}", said.version, seen.version).unwrap();
    }
    for row in CAPABILITIES {
        let (before, now) = (said.outcomes.get(row), seen.outcomes.get(row));
        if before != now {
            writeln!(text, "  {row}: {} is {}", described(before), described(now)).unwrap();
        }
    }
    text
}

fn described(outcome: Option<&Option<String>>) -> String {
    match outcome {
        None => "not there".to_owned(),
        Some(None) => "yes".to_owned(),
        Some(Some(why)) => format!("no ({why})"),
    }
}

fn cell(outcome: Option<&Option<String>>) -> &'static str {
    match outcome {
        None => "",
        Some(None) => "yes",
        Some(Some(_)) => "no",
    }
}

fn render(page: &Page) -> String {
    let mut text = format!("{HEAD}\n");
    let mut line = |name: &str, cells: &dyn Fn(&str) -> String| {
        let cells: Vec<String> = CLIENTS.iter().map(|client| cells(client)).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | ")).unwrap();
    };
    line("", &|client| client.to_owned());
    line("---", &|_| "---".to_owned());
    let version = |client: &str| page.0.get(client).map(|column| column.version.clone());
    line("version", &|client| version(client).unwrap_or_default());
    let outcome = |client: &str, row: &str| page.0.get(client)?.outcomes.get(row);
    for row in CAPABILITIES {
        if CLIENTS.iter().any(|client| outcome(client, row).is_some()) {
            line(row, &|client| cell(outcome(client, row)).to_owned());
        }
    }
    write!(text, "\n{REASONS}\n").unwrap();
    for client in CLIENTS {
        let reasons = CAPABILITIES
            .into_iter()
            .filter_map(|row| Some((row, outcome(client, row)?.as_ref()?)));
        let reasons: Vec<_> = reasons.collect();
        if !reasons.is_empty() {
            write!(text, "\n### {client}\n\n").unwrap();
            for (row, why) in reasons {
                writeln!(text, "- {row}: {why}").unwrap();
            }
        }
    }
    text
}

fn parse(text: &str) -> Page {
    let mut page = Page::default();
    let mut clients: Vec<String> = Vec::new();
    let mut client = String::new();
    for line in text.lines() {
        if let Some(cells) = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |")) {
            let mut cells = cells.split(" | ").map(str::trim);
            let name = cells.next().unwrap_or_default();
            if clients.is_empty() {
                clients = cells.map(str::to_owned).collect();
                continue;
            }
            for (client, cell) in clients.iter().zip(cells) {
                if cell.is_empty() || name == "---" {
                    continue;
                }
                let column = page.0.entry(client.clone()).or_default();
                if name == "version" {
                    cell.clone_into(&mut column.version);
                } else {
                    let why = (cell != "yes").then(String::new);
                    column.outcomes.insert(name.to_owned(), why);
                }
            }
        } else if let Some(name) = line.strip_prefix("### ") {
            name.clone_into(&mut client);
        } else if let Some(reason) = line.strip_prefix("- ")
            && let Some((row, why)) = reason.split_once(": ")
            && let Some(column) = page.0.get_mut(&client)
        {
            column.outcomes.insert(row.to_owned(), Some(why.to_owned()));
        }
    }
    page
}

/// Fails after manual edits of the page, and after a capability was renamed.
#[test]
fn page_is_as_it_would_be_written() {
    if std::env::var_os("LAKEGATE_UPDATE_DOCS").is_some() {
        return;
    }
    let text = fs::read_to_string(path()).unwrap();
    assert_eq!(
        text,
        render(&parse(&text)),
        "docs/flight-clients.md is written by tests: LAKEGATE_UPDATE_DOCS=1 ./test flight_clients"
    );
}

#[test]
fn page_survives_being_written_and_read() {
    let shown = |capability: &str, why: Option<&str>| Shown {
        client: "JDBC".to_owned(),
        version: "1.2".to_owned(),
        capability: capability.to_owned(),
        fails_because: why.map(str::to_owned),
    };
    let lines = [
        shown("query", None),
        shown("row limit", Some("it counts: badly")),
        shown("row limit", None),
    ];
    let mut page = Page::default();
    page.0.insert("JDBC".to_owned(), column("JDBC", &lines));
    assert_eq!(parse(&render(&page)), page);
    let now = column("JDBC", &lines[..1]);
    assert_eq!(
        difference(&page.0["JDBC"], &now),
        "  row limit: no (it counts: badly) is not there\n"
    );
}
