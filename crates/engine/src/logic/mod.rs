//! Three-valued logic, and the rows that reach a condition or an expression that may fail.

/// Compares, hashes and shows a physical expression as the one in its field `written`, which it takes the
/// place of.
macro_rules! as_written {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.written.eq(&other.written)
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.written.hash(state);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.written.fmt(f)
            }
        }
    };
}

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
