//! Regular expressions of Java's syntax, as the library Joni reads it, compiled within bounds.
//!
//! ```text
//! syntax.rs     reads a pattern and spells it for the crate `fancy_regex`
//! escapes.rs    the escapes of a pattern: characters, and sets of characters
//! classes.rs    `[…]`
//! blocks.rs     blocks of Unicode by their names
//! compile.rs    compiles a spelling; what a pattern and a search may cost
//! ```
//!
//! The crate hands a pattern without look-around, back references and atomic groups to
//! `regex-automata`, whose time is linear; it searches for the others by backtracking, with a limit.
//!
//! What never happens: a pattern or a text that a client chose takes unbounded memory or time.

mod blocks;
mod classes;
mod compile;
mod escapes;
mod syntax;

pub use compile::{MAX_COMPILED, MAX_TEXT, about, check_text, compile, failed, longest, room};
pub use syntax::{Spelling, spell};
