//! Pages in `docs/` that list what works with which client. Each client's test compares its own
//! column, or rewrites it with `LAKEGATE_UPDATE_DOCS=1`.
//!
//! The tables are between two marks. What is before and after them is written by hand.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde::Deserialize;

use super::{Server, lake, python};

/// The clients' tests run concurrently, and each writes its column.
static FILE: Mutex<()> = Mutex::new(());

const BEGIN: &str = "<!-- begin: written by tests -->\n";
const END: &str = "<!-- end: written by tests -->\n";
const REASONS: &str = "## Known limitations";

/// A page, and all names that may be on it.
pub(crate) struct Page {
    /// The path from the root of the repository.
    pub file: &'static str,
    /// The filter of the tests that write the page.
    pub tests: &'static str,
    pub tables: &'static [Table],
    /// The rows of the tables, in order.
    pub capabilities: &'static [&'static str],
}

pub(crate) struct Table {
    /// Empty if the table has none.
    pub heading: &'static str,
    /// The columns, in order.
    pub clients: &'static [&'static str],
}

/// One result of a client's test: a line of `$LAKEGATE_SHOWN`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Shown {
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
struct Contents(BTreeMap<String, Column>);

impl Page {
    /// Runs the clients' tests against the server, checks that no capability was left out, and
    /// compares the results with the page.
    pub(crate) fn run(&self, name: &str, clients: &[&str], server: &Server, mut command: Command) {
        let shown = lake::scratch().join(format!(
            "shown-{}.jsonl",
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ));
        let output = command
            .env("LAKEGATE_CONNECTION", server.connection().to_string())
            .env("LAKEGATE_SHOWN", &shown)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let printed = python::printed(name, &output);
        assert!(
            printed.contains(" passed") && !printed.contains(" skipped"),
            "{printed}"
        );
        let lines = fs::read_to_string(&shown).unwrap();
        let shown: Vec<Shown> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for client in clients {
            self.check(client, &shown);
        }
    }

    /// Compares the results of a client's tests with the page.
    pub(crate) fn check(&self, client: &str, shown: &[Shown]) {
        let seen = self.column(client, shown);
        let _lock = FILE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let text = self.text();
        let (before, written, after) = parts(&text);
        let mut contents = parse(written);
        if std::env::var_os("LAKEGATE_UPDATE_DOCS").is_some() {
            contents.0.insert(client.to_owned(), seen);
            let written = self.render(&contents);
            let text = format!("{before}{BEGIN}{written}{END}{after}");
            fs::write(self.path(), text).unwrap();
            return;
        }
        let said = contents.0.remove(client).unwrap_or_default();
        let difference = self.difference(&said, &seen);
        assert!(
            difference.is_empty(),
            "{} says something else of {client} than its tests showed:\n{difference}\
             to write it anew: LAKEGATE_UPDATE_DOCS=1 ./test {}, then read the diff",
            self.file,
            self.tests
        );
    }

    /// Fails after manual edits of the tables, and after a capability was renamed.
    pub(crate) fn is_as_it_would_be_written(&self) {
        if std::env::var_os("LAKEGATE_UPDATE_DOCS").is_some() {
            return;
        }
        let text = self.text();
        let (_, written, _) = parts(&text);
        assert_eq!(
            written,
            self.render(&parse(written)),
            "the tables of {} are written by tests: LAKEGATE_UPDATE_DOCS=1 ./test {}",
            self.file,
            self.tests
        );
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.file)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn clients(&self) -> impl Iterator<Item = &'static str> {
        self.tables
            .iter()
            .flat_map(|table| table.clients.iter().copied())
    }

    fn column(&self, client: &str, shown: &[Shown]) -> Column {
        assert!(
            self.clients().any(|known| known == client),
            "{client} is in no table of {}",
            self.file
        );
        let mut column = Column::default();
        for one in shown.iter().filter(|one| one.client == client) {
            assert!(
                self.capabilities.contains(&one.capability.as_str()),
                "{client} shows '{}', which is not among the capabilities of {}",
                one.capability,
                self.file
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

    fn difference(&self, said: &Column, seen: &Column) -> String {
        let mut text = String::new();
        if said.version != seen.version {
            writeln!(text, "  version: {:?} is {:?}", said.version, seen.version).unwrap();
        }
        for row in self.capabilities {
            let (before, now) = (said.outcomes.get(*row), seen.outcomes.get(*row));
            if before != now {
                writeln!(text, "  {row}: {} is {}", described(before), described(now)).unwrap();
            }
        }
        text
    }

    fn render(&self, contents: &Contents) -> String {
        let outcome = |client: &str, row: &str| contents.0.get(client)?.outcomes.get(row);
        let version = |client: &str| contents.0.get(client).map(|column| column.version.clone());
        let mut text = String::new();
        for table in self.tables {
            if !table.heading.is_empty() {
                write!(text, "\n### {}\n", table.heading).unwrap();
            }
            text.push('\n');
            let mut line = |name: &str, cells: &dyn Fn(&str) -> String| {
                let cells: Vec<String> = table.clients.iter().map(|client| cells(client)).collect();
                writeln!(text, "| {name} | {} |", cells.join(" | ")).unwrap();
            };
            line("", &|client| client.to_owned());
            line("---", &|_| "---".to_owned());
            line("version", &|client| version(client).unwrap_or_default());
            for row in self.capabilities {
                if table.clients.iter().any(|c| outcome(c, row).is_some()) {
                    line(row, &|client| cell(outcome(client, row)).to_owned());
                }
            }
        }
        let reasons: Vec<_> = self
            .clients()
            .flat_map(|client| self.capabilities.iter().map(move |row| (client, *row)))
            .filter_map(|(client, row)| Some((client, row, outcome(client, row)?.as_ref()?)))
            .collect();
        if reasons.is_empty() {
            return text;
        }
        write!(text, "\n{REASONS}\n").unwrap();
        let mut last = "";
        for (client, row, why) in reasons {
            if client != last {
                write!(text, "\n### {client}\n\n").unwrap();
                last = client;
            }
            writeln!(text, "- {row}: {why}").unwrap();
        }
        text
    }
}

/// Splits a page into what is before its tables, the tables, and what is after them.
fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text.split_once(BEGIN).expect("the page has no begin mark");
    let (written, after) = rest.split_once(END).expect("the page has no end mark");
    (before, written, after)
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

fn parse(text: &str) -> Contents {
    let mut contents = Contents::default();
    let mut clients: Vec<String> = Vec::new();
    let mut client = String::new();
    for line in text.lines() {
        if let Some(cells) = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |")) {
            let mut cells = cells.split(" | ").map(str::trim);
            let name = cells.next().unwrap_or_default();
            if name.is_empty() {
                clients = cells.map(str::to_owned).collect();
                continue;
            }
            for (client, cell) in clients.iter().zip(cells) {
                if cell.is_empty() || name == "---" {
                    continue;
                }
                let column = contents.0.entry(client.clone()).or_default();
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
            && let Some(column) = contents.0.get_mut(&client)
        {
            column.outcomes.insert(row.to_owned(), Some(why.to_owned()));
        }
    }
    contents
}

#[test]
fn page_survives_being_written_and_read() {
    let page = Page {
        file: "docs/nothing.md",
        tests: "nothing",
        tables: &[
            Table {
                heading: "",
                clients: &["JDBC", "Go"],
            },
            Table {
                heading: "More",
                clients: &["Rust"],
            },
        ],
        capabilities: &["query", "row limit"],
    };
    let shown = |client: &str, capability: &str, why: Option<&str>| Shown {
        client: client.to_owned(),
        version: "1.2".to_owned(),
        capability: capability.to_owned(),
        fails_because: why.map(str::to_owned),
    };
    let lines = [
        shown("JDBC", "query", None),
        shown("JDBC", "row limit", Some("it counts: badly")),
        shown("JDBC", "row limit", None),
        shown("Rust", "query", None),
    ];
    let mut contents = Contents::default();
    for client in ["JDBC", "Rust"] {
        contents
            .0
            .insert(client.to_owned(), page.column(client, &lines));
    }
    assert_eq!(parse(&page.render(&contents)), contents);
    let now = page.column("JDBC", &lines[..1]);
    assert_eq!(
        page.difference(&contents.0["JDBC"], &now),
        "  row limit: no (it counts: badly) is not there\n"
    );
    let text = format!("above\n{BEGIN}tables\n{END}below\n");
    assert_eq!(parts(&text), ("above\n", "tables\n", "below\n"));
}
