//! Regular expressions, in the language of Trino: Java's syntax as the library Joni reads it.
//!
//! ```text
//! pattern.rs    a compiled pattern, and the search for its matches
//! template.rs   the replacement of `regexp_replace`
//! functions.rs  the functions
//! ```
//!
//! [`lakegate_regexps`] reads their syntax and compiles them within bounds.
//!
//! Differences from Trino: `\X` is refused, `\h`, `\v` and `\R` are
//! Java's, and `a(?i)b|c` is refused, because Java and Joni read it differently.

mod functions;
mod pattern;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use functions::entries;
pub(crate) use pattern::{Patterns, after};
