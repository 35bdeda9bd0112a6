//! Regular expressions, in the language of Trino: Java's syntax as the library Joni reads it.
//!
//! ```text
//! syntax.rs     reads a pattern and spells it for the crate `fancy_regex`
//! escapes.rs    the escapes of a pattern: characters, and sets of characters
//! classes.rs    `[…]`
//! pattern.rs    a compiled pattern, and the search for its matches
//! template.rs   the replacement of `regexp_replace`
//! functions.rs  the functions
//! ```
//!
//! The crate hands a pattern without look-around, back references and atomic groups to
//! `regex-automata`, whose time is linear; it searches for the others by backtracking, with a limit.
//!
//! Differences from Trino: blocks (`\p{InGreek}`) and `\X` are refused, `\h`, `\v` and `\R` are
//! Java's, and `a(?i)b|c` is refused, because Java and Joni read it differently.

mod classes;
mod escapes;
mod functions;
mod pattern;
mod syntax;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use functions::entries;
pub(crate) use pattern::{Patterns, after};
