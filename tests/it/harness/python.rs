//! The clients in `tests/clients`, whose packages `./test` installs: the venv with the pinned Python
//! packages, Go, and Rust's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::lake;

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

/// Builds a command that is ended if it hangs.
pub(crate) fn patient(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", "600"])
        .arg(program.as_ref());
    command
}

/// Builds the command that runs these tests of `tests/clients` with the Python of this venv.
pub(crate) fn pytest(venv: &Path, tests: &[&str]) -> Command {
    let mut command = patient(venv.join("bin/python"));
    command
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"])
        .args(tests)
        .current_dir(clients());
    command
}

/// Builds a program of `tests/clients/go`, which links it only if it has changed since an earlier
/// run, and returns the command that runs it.
pub(crate) fn go(package: &str) -> Command {
    let go = std::env::var_os("LAKEGATE_GO").unwrap_or_else(|| "go".into());
    let program = lake::kept().join(format!("go-{}", package.trim_matches(['.', '/'])));
    let built = Command::new(&go)
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(package)
        .current_dir(clients().join("go"))
        .output()
        .expect("go is missing: run the tests with ./test, which finds or installs it");
    printed("go build", &built);
    patient(program)
}

/// Builds the program of `tests/clients/rust` and returns the command that runs it. Its folder of
/// build results is its own, because it has other features of crates that the server has too.
pub(crate) fn rust() -> Command {
    let target = cached("LAKEGATE_RUST", "lakegate-rust");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(clients().join("rust"))
        .output()
        .unwrap();
    printed("cargo build", &built);
    patient(target.join("debug/lakegate-clients"))
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
