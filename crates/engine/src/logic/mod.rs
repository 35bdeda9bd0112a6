//! Three-valued logic, and the rows that reach a condition or an expression that may fail.

pub(crate) mod conjunctions;
pub(crate) mod guarded_cases;
pub(crate) mod guarded_filters;
pub(crate) mod guarded_logic;
pub(crate) mod in_lists;
pub(crate) mod joined_booleans;
mod matching;
pub mod quantified;
mod quick_texts;
pub(crate) mod subqueries;
