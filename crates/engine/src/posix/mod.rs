//! Regular expressions as PostgreSQL has them, its advanced ones: `.` is any character, the longest match counts, and flags are its own.
//!
//! The engine takes patterns of the crate `regex`, whose `.` is no newline, whose `a|ab` finds `a` in `ab`, and whose flags have other
//! meanings. Here a pattern is read as PostgreSQL reads it:
//!
//! ```text
//! parse.rs      a pattern as a tree, by its flags (tree.rs)
//! spelling.rs   the tree as a pattern of the crate `regex`, which says whether and where there is a match
//! extents.rs    how long a match is and what its groups are, where those of the crate may differ
//! search.rs     a compiled pattern
//! functions.rs  the functions, which call.rs calls row by row; rule.rs: `~` and regexp_like
//! ```
//!
//! What is not PostgreSQL's: `\b` and `\B` are what they are in Athena, edges of words and not, and `$1` in a replacement is a group as
//! `\1` is. References back to a group within a pattern are refused.

mod call;
mod extents;
mod functions;
mod parse;
mod rule;
mod search;
mod spelling;
mod tree;

pub use functions::register;
pub use rule::PosixPatterns;

#[cfg(test)]
mod tests;
