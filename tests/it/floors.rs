//! The floors of the house: nothing imports upwards, and raw tools stay in their rooms.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Rooms of `src/`, lowest floor first; rooms of one floor do not know one another.
const FLOORS: [&[&str]; 10] = [
    &["error"],
    &["config", "lake"],
    &["engine"],
    &["view"],
    &["workgroup", "results", "telemetry"],
    &["statement"],
    &["gateway"],
    &["endpoints"],
    &["cli"],
    &["main"],
];

/// Words that stay below a floor: the lowest room that is too high for them, and why.
const TOOLS: [(&str, &str, &str); 4] = [
    (
        "ObjectStore",
        "engine",
        "bytes are counted and locations checked in lake",
    ),
    (
        "object_store",
        "engine",
        "bytes are counted and locations checked in lake",
    ),
    (
        "SessionContext",
        "endpoints",
        "an endpoint translates its protocol, the gateway plans",
    ),
    (
        "TableProvider",
        "statement",
        "tables come from a principal's view, with its policy inside",
    ),
];

/// The crates below, and what each must not depend on.
const CRATES: [(&str, &[&str]); 3] = [
    (
        "catalog",
        &[
            "lakegate",
            "lakegate-sql",
            "lakegate-demo",
            "datafusion",
            "object_store",
            "pgwire",
        ],
    ),
    (
        "sql",
        &[
            "lakegate",
            "lakegate-catalog",
            "lakegate-demo",
            "datafusion",
            "object_store",
            "pgwire",
            "rusqlite",
        ],
    ),
    (
        "demo",
        &[
            "lakegate",
            "lakegate-catalog",
            "lakegate-sql",
            "datafusion",
            "object_store",
            "pgwire",
        ],
    ),
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// A source file: its room, its path and its code without comments.
struct Source {
    room: String,
    path: PathBuf,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let place = path.strip_prefix(&root).unwrap();
                let room = place
                    .iter()
                    .next()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .trim_end_matches(".rs")
                    .to_owned();
                let code = without_comments(&fs::read_to_string(&path).unwrap())
                    // A registry of stores, which the engine hands on unopened.
                    .replace("object_store::ObjectStoreRegistry", "ObjectStoreRegistry");
                found.push(Source { room, path, code });
            }
        }
    }
    assert!(found.len() > 20, "only {} files in src", found.len());
    found
}

fn without_comments(text: &str) -> String {
    let comment = Regex::new(r"(?m)(^|\s)//.*$").unwrap();
    comment.replace_all(text, "").into_owned()
}

/// Rooms that a file names: `crate::room`, `lakegate::room`, and each head of `crate::{room::…, other::…}`.
fn named_rooms(code: &str) -> Vec<String> {
    let single = Regex::new(r"\b(?:crate|lakegate)::([a-z_]+)").unwrap();
    let mut rooms: Vec<String> = single
        .captures_iter(code)
        .map(|found| found[1].to_owned())
        .collect();
    for (start, opening) in code.match_indices("crate::{") {
        let (mut depth, mut word) = (0, String::new());
        for character in code[start + opening.len()..].chars() {
            match character {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                _ if depth == 0 => word.push(character),
                _ => {}
            }
        }
        rooms.push(word);
    }
    let head = |room: String| {
        room.trim()
            .split("::")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    rooms
        .into_iter()
        .map(head)
        .filter(|room| !room.is_empty())
        .collect()
}

/// What is wrong with one file, in a line each.
fn wrongs(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let Some(own) = floor(&source.room) else {
        return if source.room == "lib" {
            Vec::new()
        } else {
            vec![format!(
                "{path}: room '{}' has no floor in tests/it/floors.rs",
                source.room
            )]
        };
    };
    let mut wrongs = Vec::new();
    for room in named_rooms(&source.code) {
        if room == source.room {
            continue;
        }
        match floor(&room) {
            Some(other) if other > own => wrongs.push(format!(
                "{path}: '{}' imports '{room}' from above",
                source.room
            )),
            Some(other) if other == own && room != "config" => {
                wrongs.push(format!(
                    "{path}: '{}' imports its neighbour '{room}'",
                    source.room
                ));
            }
            Some(_) => {}
            None => wrongs.push(format!("{path}: 'crate::{room}' is no room")),
        }
    }
    for (tool, ceiling, reason) in TOOLS {
        let word = Regex::new(&format!(r"\b{tool}\b")).unwrap();
        if own >= floor(ceiling).unwrap() && source.room != "error" && word.is_match(&source.code) {
            wrongs.push(format!("{path}: '{}' names {tool}; {reason}", source.room));
        }
    }
    wrongs
}

#[test]
fn no_room_imports_from_above_or_uses_a_tool_past_its_room() {
    let wrongs: Vec<String> = sources().iter().flat_map(wrongs).collect();
    assert!(wrongs.is_empty(), "\n{}", wrongs.join("\n"));
}

#[test]
fn crates_below_do_not_depend_on_what_is_above() {
    for (name, forbidden) in CRATES {
        let manifest = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(name)
                .join("Cargo.toml"),
        )
        .unwrap();
        let names: Vec<&str> = manifest
            .lines()
            .filter_map(|line| line.split(['=', '.']).next())
            .map(str::trim)
            .collect();
        for other in forbidden {
            assert!(!names.contains(other), "{name} depends on {other}");
        }
    }
}

#[test]
fn a_wrong_import_and_a_misplaced_tool_are_found() {
    let source = |room: &str, code: &str| Source {
        room: room.to_owned(),
        path: PathBuf::from(room),
        code: without_comments(code),
    };
    for (room, code) in [
        ("lake", "use crate::engine::Engine;"),
        ("engine", "use crate::{error::Result, view::{View, Other}};"),
        ("view", "use crate::{\n    lake::Lake,\n    gateway,\n};"),
        ("results", "fn f() { crate::telemetry::record() }"),
        ("endpoints", "let context = SessionContext::new();"),
        ("view", "fn f(store: Arc<dyn ObjectStore>) {}"),
        ("gateway", "use object_store::path::Path;"),
        ("attic", ""),
    ] {
        assert_eq!(wrongs(&source(room, code)).len(), 1, "{room}: {code}");
    }
    for (room, code) in [
        (
            "gateway",
            "use crate::{error::Result, view::{View, gateway}};",
        ),
        (
            "lake",
            "// use crate::engine::Engine;\nuse object_store::ObjectStore; use crate::lake::X; use crate::config::Y;",
        ),
        ("engine", "SessionContext::new()"),
    ] {
        assert_eq!(
            wrongs(&source(room, code)),
            Vec::<String>::new(),
            "{room}: {code}"
        );
    }
}

#[test]
fn no_test_is_ignored_without_a_reason() {
    // Written in two pieces, as this file is read too.
    let marker = format!("#[{}", "ignore");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests", "catalog", "sql", "demo"] {
        let mut folders = vec![root.join(folder)];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(
                        text.split(&marker)
                            .skip(1)
                            .all(|rest| rest.starts_with(" = \"")),
                        "{} ignores a test and does not say why",
                        path.display()
                    );
                }
            }
        }
    }
}

/// Else `cargo test` after `cargo build` compiles the engine a second time, for many minutes.
#[test]
fn server_and_tests_share_one_build_of_their_dependencies() {
    let tree = |edges: &str, selection: &[&str]| -> Vec<String> {
        let output = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--prefix",
                "none",
                "--format",
                "{p} {f}",
                "--edges",
                edges,
            ])
            .args(selection)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| line.trim_end_matches(" (*)").to_owned())
            .collect()
    };
    let tests = tree("normal,build,dev", &["--workspace"]);
    let differing: Vec<String> = tree("normal,build", &["--package", "lakegate"])
        .into_iter()
        .filter(|line| !tests.contains(line))
        .collect();
    assert!(
        differing.is_empty(),
        "tests ask for other features of: {differing:?}"
    );
}
