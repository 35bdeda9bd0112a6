//! Shared by the programs of `fuzz_targets/`.

use lakegate_fuzzing::Target;

/// Runs the target with this name.
///
/// # Panics
///
/// There is no such target, or the target panics on the input.
pub fn run(targets: &[Target], name: &str, bytes: &[u8]) {
    let target = targets.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no target is called {name}"));
    (target.accepts)(bytes);
}
