//! Programs in Java with a JDBC driver that `./test` fetches.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use sha2::{Digest, Sha256};

use super::{lake, python};

/// Returns the path where `./test` puts the JDBC driver that this file of `tests/clients/jdbc`
/// names.
fn driver(pin: &str) -> PathBuf {
    let pin = fs::read_to_string(python::clients().join("jdbc").join(pin)).unwrap();
    let (_, artifact) = pin.trim().split_once(':').unwrap();
    let folder = python::cached("LAKEGATE_JDBC", "lakegate-jdbc");
    let jar = folder.join(format!("{}.jar", artifact.replace(':', "-")));
    assert!(
        jar.exists(),
        "{} is missing: run the tests with ./test, which fetches it",
        jar.display()
    );
    jar
}

/// Compiles a program of `tests/clients/jdbc` and returns the command that runs it with the driver
/// which the file `pin` names.
pub(crate) fn program(main: &str, pin: &str) -> Command {
    compiled(main, driver(pin).into_os_string())
}

/// Compiles a program that needs the libraries of `tests/clients/jdbc/libraries.xml` too, and
/// returns the command that runs it.
pub(crate) fn program_with_libraries(main: &str, pin: &str) -> Command {
    let folder = python::cached("LAKEGATE_JAVA_LIBRARIES", "lakegate-java-libraries");
    assert!(
        folder.exists(),
        "{} is missing: run the tests with ./test, which fetches it",
        folder.display()
    );
    let mut path = driver(pin).into_os_string();
    path.push(":");
    path.push(folder.join("*"));
    compiled(main, path)
}

/// Compiles a program with these libraries, unless an earlier run has, and returns the command that
/// runs it.
fn compiled(main: &str, mut path: OsString) -> Command {
    let sources = python::clients().join("jdbc");
    let program = format!("{main}.java");
    let mut hash = Sha256::new();
    hash.update(path.as_encoded_bytes());
    for file in ["libraries.xml", "Runner.java", program.as_str()] {
        hash.update(fs::read(sources.join(file)).unwrap());
    }
    let hash = u64::from_be_bytes(hash.finalize()[..8].try_into().unwrap());
    let classes = lake::kept().join(format!("{main}-{hash:016x}"));
    path.push(":");
    path.push(&classes);
    if !classes.exists() {
        let made = lake::scratch().join(main);
        let compiled = Command::new("javac")
            .arg("-d")
            .arg(&made)
            .arg("-cp")
            .arg(&path)
            .args(["Runner.java", &program])
            .current_dir(&sources)
            .output()
            .expect("javac is missing: run the tests with ./test, which installs it");
        python::printed("javac", &compiled);
        // Fails if another run has done the same meanwhile.
        let _ = fs::rename(&made, &classes);
    }
    let mut command = python::patient("java");
    command
        // The program runs for seconds: the optimizing compiler would cost more time than it saves.
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
        .arg(path)
        .arg("--add-opens=java.base/java.nio=ALL-UNNAMED")
        // The drivers interpret times without a zone in the machine's zone.
        .arg("-Duser.timezone=UTC")
        .arg(main);
    command
}
