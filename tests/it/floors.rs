//! The layers of the code: no crate imports from a higher layer, and low-level tools stay in their
//! crates.
//!
//! Between crates, the compiler enforces this once their manifests are right. Within the gateway's
//! crate, some modules may only import themselves.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The crates by layer, the lowest first; crates of one layer do not import each other. The last
/// one is the server's package.
const FLOORS: [&[&str]; 13] = [
    &["config", "fuzzing"],
    &["catalog", "sql", "demo", "proto"],
    &["error"],
    &["regexps"],
    &["lake", "transport"],
    &["engine"],
    &["functions"],
    &["dialect"],
    &["policy"],
    &["statement"],
    &["gateway"],
    &["postgres", "flight", "http"],
    &["server"],
];

/// The doors: they translate their protocols; the gateway decides.
const DOORS: [&str; 3] = ["postgres", "flight", "http"];
const BELOW_DOORS: [&str; 6] = [
    "gateway",
    "error",
    "transport",
    "proto",
    "config",
    "fuzzing",
];

/// Crates that must not depend on the heavy ones: they open no lake and plan nothing.
const PLAIN: [&str; 3] = ["catalog", "sql", "demo"];
const HEAVY: [&str; 3] = ["datafusion", "object_store", "pgwire"];

/// Modules of `crates/gateway` that import neither the rest of the gateway nor each other.
const ROOMS: [&str; 3] = ["workgroup", "results", "telemetry"];

/// Words that only lower layers may use: the word, the lowest crate that must not use it, and the
/// reason.
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
        "postgres",
        "an endpoint translates its protocol, the gateway plans",
    ),
    (
        "TableProvider",
        "statement",
        "tables come from a principal's view, with its policy inside",
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|crates| crates.contains(&name))
}

/// Returns the folder of a crate.
fn folder(name: &str) -> PathBuf {
    match name {
        "server" => root().to_owned(),
        _ => root().join("crates").join(name),
    }
}

/// Returns the dependencies of a manifest, including those of tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut in_dependencies = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            in_dependencies = section.trim_end_matches(']').ends_with("dependencies")
                && !section.starts_with("workspace");
        } else if in_dependencies && let Some((name, _)) = line.split_once(['=', '.']) {
            found.push(name.trim().to_owned());
        }
    }
    found
}

/// Returns what is wrong with a crate's dependencies, one line each.
fn wrong_dependencies(name: &str, manifest: &str) -> Vec<String> {
    let Some(own) = floor(name) else {
        return vec![format!("crate '{name}' has no floor in tests/it/floors.rs")];
    };
    let mut wrongs = Vec::new();
    for dependency in dependencies(manifest) {
        if PLAIN.contains(&name) && HEAVY.contains(&dependency.as_str()) {
            wrongs.push(format!("'{name}' depends on {dependency}"));
        }
        let Some(other) = dependency.strip_prefix("lakegate-") else {
            continue;
        };
        match floor(other) {
            None => wrongs.push(format!("'{name}' depends on '{other}', which has no floor")),
            Some(floor) if floor > own => {
                wrongs.push(format!("'{name}' depends on '{other}' from above"));
            }
            Some(floor) if floor == own => {
                wrongs.push(format!("'{name}' depends on its neighbour '{other}'"));
            }
            Some(_) if DOORS.contains(&name) && !BELOW_DOORS.contains(&other) => {
                wrongs.push(format!(
                    "'{name}' depends on '{other}': a door names {BELOW_DOORS:?} alone"
                ));
            }
            Some(_) => {}
        }
    }
    wrongs
}

#[test]
fn no_crate_depends_on_one_from_above() {
    let mut names = vec!["server".to_owned()];
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        names.push(entry.unwrap().file_name().into_string().unwrap());
    }
    assert!(names.len() > 10, "only {names:?}");
    let wrongs: Vec<String> = names
        .iter()
        .flat_map(|name| {
            let manifest = fs::read_to_string(folder(name).join("Cargo.toml")).unwrap();
            wrong_dependencies(name, &manifest)
        })
        .collect();
    assert!(wrongs.is_empty(), "\n{}", wrongs.join("\n"));
}

/// A source file: its crate, its path in the crate's `src`, and its code without comments.
struct Source {
    name: String,
    place: PathBuf,
    code: String,
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for name in FLOORS.iter().copied().flatten() {
        let folder = folder(name).join("src");
        for path in rust_files(&folder) {
            let code = without_comments(&fs::read_to_string(&path).unwrap())
                // A registry of stores, which the engine passes on without opening a store.
                .replace("object_store::ObjectStoreRegistry", "ObjectStoreRegistry");
            found.push(Source {
                name: (*name).to_owned(),
                place: path.strip_prefix(&folder).unwrap().to_owned(),
                code,
            });
        }
    }
    assert!(found.len() > 300, "only {} files", found.len());
    found
}

fn without_comments(text: &str) -> String {
    let comment = Regex::new(r"(?m)(^|\s)//.*$").unwrap();
    comment.replace_all(text, "").into_owned()
}

/// Returns the path of a file's module: `results/run.rs` is `[results, run]`.
fn module_of(place: &Path) -> Vec<String> {
    let mut module: Vec<String> = place
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    module
}

/// Returns the first segments of a list in braces: `a::{b, c}, d` has `a` and `d`.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut word, mut words) = (0, String::new(), Vec::new());
    for character in list.chars() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => words.push(std::mem::take(&mut word)),
            _ if depth == 0 => word.push(character),
            _ => {}
        }
    }
    words.push(word);
    let head = |word: String| {
        word.trim()
            .split("::")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    words
        .into_iter()
        .map(head)
        .filter(|head| !head.is_empty())
        .collect()
}

/// Returns the top-level modules of its own crate that a file names, by `crate::` or by as many
/// `super::` as lead out of its own top-level module.
fn named_rooms(place: &Path, code: &str) -> Vec<String> {
    let module = module_of(place);
    let path = Regex::new(r"\b(crate|(?:super::)*super)::(\{|[a-z_]+)").unwrap();
    let mut rooms = Vec::new();
    for found in path.captures_iter(code) {
        // An inline module, such as `tests`, is one level deeper than its file, so the check is
        // strict for code outside of it.
        let up = found[1].matches("super").count();
        let leaves =
            &found[1] == "crate" || up >= module.len() + usize::from(code.contains("mod tests {"));
        if !leaves {
            continue;
        }
        if &found[2] == "{" {
            rooms.extend(heads(&code[found.get(0).unwrap().end()..]));
        } else {
            rooms.push(found[2].to_owned());
        }
    }
    rooms
}

/// Returns what is wrong with one file, one line each.
fn wrongs(source: &Source) -> Vec<String> {
    let path = source.place.display();
    let mut wrongs = Vec::new();
    let room = module_of(&source.place)
        .into_iter()
        .next()
        .filter(|room| source.name == "gateway" && ROOMS.contains(&room.as_str()));
    if let Some(room) = &room {
        for other in named_rooms(&source.place, &source.code) {
            if other != *room {
                wrongs.push(format!("{path}: '{room}' imports '{other}'"));
            }
        }
    }
    // Such a module is on the layer of the policy, below the statements.
    let own = floor(if room.is_some() {
        "policy"
    } else {
        &source.name
    })
    .unwrap();
    for (tool, ceiling, reason) in TOOLS {
        let word = Regex::new(&format!(r"\b{tool}\b")).unwrap();
        if own >= floor(ceiling).unwrap() && word.is_match(&source.code) {
            wrongs.push(format!("{path}: '{}' names {tool}; {reason}", source.name));
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
fn a_wrong_dependency_is_found() {
    let manifest =
        |dependencies: &str| format!("[package]\nname = \"x\"\n[dependencies]\n{dependencies}\n");
    for (name, dependencies) in [
        ("lake", "lakegate-engine = { workspace = true }"),
        ("engine", "lakegate-dialect.workspace = true"),
        ("lake", "lakegate-transport = { workspace = true }"),
        ("flight", "lakegate-lake = { workspace = true }"),
        ("catalog", "datafusion = { workspace = true }"),
        ("gateway", "lakegate-attic = { workspace = true }"),
    ] {
        let wrongs = wrong_dependencies(name, &manifest(dependencies));
        assert_eq!(wrongs.len(), 1, "{name}: {dependencies}");
    }
    assert_eq!(wrong_dependencies("attic", "").len(), 1);
    let right = "lakegate-gateway = { workspace = true }\n[dev-dependencies]\nlakegate-error = { workspace = true }";
    assert_eq!(
        wrong_dependencies("flight", &manifest(right)),
        Vec::<String>::new()
    );
}

#[test]
fn a_wrong_import_and_a_misplaced_tool_are_found() {
    let source = |name: &str, place: &str, code: &str| Source {
        name: name.to_owned(),
        place: PathBuf::from(place),
        code: without_comments(code),
    };
    for (name, place, code) in [
        ("gateway", "results/run.rs", "use crate::telemetry::record;"),
        (
            "gateway",
            "results/mod.rs",
            "use crate::{results::Run, session::Session};",
        ),
        ("gateway", "results/mod.rs", "use super::session::Session;"),
        (
            "gateway",
            "results/run.rs",
            "fn f() { super::super::session::run() }",
        ),
        (
            "flight",
            "service.rs",
            "let context = SessionContext::new();",
        ),
        ("policy", "table.rs", "fn f(store: Arc<dyn ObjectStore>) {}"),
        ("gateway", "run.rs", "use object_store::path::Path;"),
    ] {
        assert_eq!(
            wrongs(&source(name, place, code)).len(),
            1,
            "{place}: {code}"
        );
    }
    for (name, place, code) in [
        ("gateway", "run.rs", "use crate::{results::Run, telemetry};"),
        (
            "gateway",
            "results/run.rs",
            "use super::bill::Bill; use crate::results::Lookup;",
        ),
        (
            "lake",
            "scan.rs",
            "// use crate::engine::Engine;\nuse object_store::ObjectStore;",
        ),
        ("engine", "lib.rs", "SessionContext::new()"),
    ] {
        assert_eq!(
            wrongs(&source(name, place, code)),
            Vec::<String>::new(),
            "{place}: {code}"
        );
    }
}

#[test]
fn no_test_is_ignored_without_a_reason() {
    // In two pieces, because this file is checked too.
    let marker = format!("#[{}", "ignore");
    for folder in ["src", "tests", "crates"] {
        for path in rust_files(&root().join(folder)) {
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

/// rustdoc reads a crate as a whole to find that it has no examples: such crates say so.
#[test]
fn examples_in_documentation_are_tested() {
    let fence = Regex::new(r"^\s*//[/!] ?```(\w*)").unwrap();
    for name in FLOORS.iter().copied().flatten() {
        let manifest = fs::read_to_string(folder(name).join("Cargo.toml")).unwrap();
        if !manifest.contains("doctest = false") {
            continue;
        }
        for path in rust_files(&folder(name).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            // Every other one ends a block.
            let begins = text.lines().filter_map(|line| fence.captures(line));
            for begin in begins.step_by(2) {
                let place = path.display();
                assert_eq!(&begin[1], "text", "{place}: remove `doctest = false`");
            }
        }
    }
}

/// Otherwise `cargo test` after `cargo build` compiles the engine again, for many minutes.
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
