//! What the programs of `fuzz_targets/` share.

use lakegate_fuzzing::Target;

/// Runs the target of this name.
///
/// # Panics
///
/// There is none, or the input is one that the target panics on.
pub fn run(targets: &[Target], name: &str, bytes: &[u8]) {
    let target = targets.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no target is called {name}"));
    (target.accepts)(bytes);
}
