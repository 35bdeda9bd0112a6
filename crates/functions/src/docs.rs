//! What a user reads about a function, in `SHOW FUNCTIONS` and in `docs/sql/functions.md`.

use datafusion::logical_expr::{DocSection, Documentation};

/// The documentation of one function. Its example is a test: the result must be what it says.
#[derive(Debug)]
pub(crate) struct Page {
    pub name: &'static str,
    /// A heading of `docs/sql/functions.md`.
    pub section: &'static str,
    /// The call with the names of its arguments, such as `split(text, delimiter[, limit])`.
    pub syntax: &'static str,
    /// One sentence, with a full stop.
    pub sentence: &'static str,
    /// An expression, without `SELECT`.
    pub example: &'static str,
    /// The example's value as `psql` shows it; `NULL` for a null.
    pub result: &'static str,
}

impl Page {
    pub(crate) fn documentation(&self) -> Documentation {
        let section = DocSection {
            include: true,
            label: self.section,
            description: None,
        };
        Documentation::builder(section, self.sentence, self.syntax)
            .with_sql_example(format!("SELECT {}\n-- {}", self.example, self.result))
            .build()
    }
}
