//! PostgreSQL's regular expressions, in its advanced flavor: `.` matches any character, the longest
//! match wins, and the flags are PostgreSQL's.
//!
//! DataFusion uses patterns of the crate `regex`, in which `.` does not match a newline, `a|ab`
//! finds `a` in `ab`, and flags have other meanings. Here a pattern is read as PostgreSQL reads it:
//!
//! ```text
//! parse.rs      parses a pattern and its flags into a tree (tree.rs)
//! spelling.rs   writes the tree for the crate `regex`, which finds where matches start
//! choices.rs    tells when the length and the groups that the crate finds are PostgreSQL's
//! extents.rs    finds the length and the groups of a match where they may differ
//! nodes.rs      the parts of a pattern that have groups or back references
//! search.rs     a compiled pattern
//! functions.rs  the functions, which call.rs evaluates row by row; rule.rs: `~` and regexp_like
//! ```
//!
//! Differences from PostgreSQL: `\b` and `\B` match at word edges and elsewhere, as in Athena, and
//! `$1` in a replacement is a group like `\1`.

mod call;
mod choices;
mod extents;
mod functions;
mod nodes;
mod parse;
mod rule;
mod search;
mod spelling;
mod tree;

pub(crate) use functions::{matched, register};
pub(crate) use rule::PosixPatterns;

#[cfg(test)]
mod tests;
