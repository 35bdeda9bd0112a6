//! `docs/sql/functions.md`, which is generated from the pages of the functions and from the list of
//! Athena's functions in `data/athena_functions.tsv`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use crate::entries;
use crate::entry::{Entry, Known};

const HEAD: &str = "\
# Functions

Trino's functions, which Athena engine version 3 has too. They are available in every session; where
PostgreSQL has another function of the same name, `SET dialect = 'athena'` selects Trino's, and the
table says so. The [functions of DataFusion](https://datafusion.apache.org/user-guide/sql/scalar_functions.html)
and PostgreSQL's catalog functions are available too. `SHOW FUNCTIONS` lists all functions of a
session.

This page is generated from the code; each example is a test.

- [Functions by subject](#functions-by-subject)
- [Athena's functions](#athenas-functions): all of them, with how Lakegate's differ
";

/// A line of `data/athena_functions.tsv`.
struct Listed<'a> {
    name: &'a str,
    section: &'a str,
    signature: &'a str,
    base: &'a str,
    note: &'a str,
}

fn listed(text: &str) -> Vec<Listed<'_>> {
    text.lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap_or_default();
            Listed {
                name: next(),
                section: next(),
                signature: next(),
                base: next(),
                note: next(),
            }
        })
        .collect()
}

/// Escapes what Markdown's tables would take for structure.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn by_subject(out: &mut String, entries: &[Entry]) {
    let mut sections: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if let Some(page) = entry.page.filter(|page| !page.name.starts_with('$')) {
            sections.entry(page.section).or_default().push(entry);
        }
    }
    out.push_str("\n## Functions by subject\n");
    for (section, mut entries) in sections {
        entries.sort_by_key(|entry| entry.page.map(|page| page.name));
        let _ = write!(
            out,
            "\n### {section}\n\n| function | what it does | example |\n|---|---|---|\n"
        );
        for entry in entries {
            let Some(page) = entry.page else { continue };
            let dialect = match entry.known {
                Known::Everywhere => "",
                Known::Trino => " In the dialects `athena` and `trino`.",
            };
            let _ = writeln!(
                out,
                "| `{}` | {}{dialect} | `{}` = `{}` |",
                cell(page.syntax),
                cell(page.sentence),
                cell(page.example),
                cell(page.result),
            );
        }
    }
}

fn against_athena(out: &mut String, entries: &[Entry], list: &[Listed<'_>]) {
    let known: HashMap<&str, Known> = entries
        .iter()
        .flat_map(|entry| entry.names().map(|name| (name, entry.known)))
        .collect();
    out.push_str(
        "\n## Athena's functions\n\n\
         `same`: the same meaning. `dialect`: the same in the dialects `athena` and `trino`; in\n\
         `postgres` the name is PostgreSQL's function.\n\n\
         | function | subject | Lakegate |\n|---|---|---|\n",
    );
    for line in list {
        let of_library = known.get(line.name);
        let status = match (line.base, of_library) {
            (_, Some(Known::Trino)) => "dialect".to_owned(),
            ("engine" | "grammar", _) | ("library" | "differs", Some(Known::Everywhere)) => {
                "same".to_owned()
            }
            ("differs", None) => format!("differs: {}", line.note),
            _ if line.note.is_empty() => "missing".to_owned(),
            _ => format!("missing: {}", line.note),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            cell(line.signature),
            line.section,
            cell(&status)
        );
    }
}

#[test]
#[allow(clippy::unwrap_used)]
fn page_of_functions_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("data/athena_functions.tsv")).unwrap();
    let entries = entries();
    let mut page = HEAD.to_owned();
    by_subject(&mut page, entries);
    against_athena(&mut page, entries, &listed(&list));
    let path = root.join("../../docs/sql/functions.md");
    if std::env::var_os("LAKEGATE_UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/sql/functions.md is not up to date: run LAKEGATE_UPDATE_GOLDEN=1 ./test --lib page_of_functions"
    );
}
