//! The venv with the pinned clients, which `./test` makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns where `./test` put something: the path in the variable, or this folder in `~/.cache`.
pub(crate) fn cached(variable: &str, folder: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").unwrap())
            .join(".cache")
            .join(folder),
    }
}

/// Returns `$LAKEGATE_VENV`, or `~/.cache/lakegate-venv`.
pub(crate) fn venv() -> PathBuf {
    let venv = cached("LAKEGATE_VENV", "lakegate-venv");
    assert!(
        venv.join("bin/python").exists(),
        "{} is missing: run the tests with ./test, which makes it",
        venv.display()
    );
    venv
}

pub(crate) fn program(name: &str) -> PathBuf {
    venv().join("bin").join(name)
}

pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a script of `tests/clients` and returns its output; if the script fails, the test fails
/// with all of the output.
pub(crate) fn run(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(program("python"))
        .arg(clients().join(script))
        .args(arguments)
        .envs(environment.iter().copied())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    printed(script, &output)
}

pub(crate) fn printed(what: &str, output: &Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "{what} ended with {}\n{text}",
        output.status
    );
    text
}
