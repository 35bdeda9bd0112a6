//! The functions of Trino's language, as Athena engine version 3 has them, where neither DataFusion
//! nor the engine has one of the same name and meaning.
//!
//! ```text
//! a family's file ─ entries() ─▶ library ─ register ─▶ a session's functions
//!    Kernel   a scalar function: a static Page (its documentation) and a body over columns
//!    Work     stops with the query, bounds what is built
//! ```
//!
//! What never happens: a function that a cancelled query waits for, or one that builds a value
//! larger than the engine's bounds. Both are the task of [`work::Work`], which every loop calls.

mod aggregates;
mod arrays;
mod binary;
mod bitwise;
mod columns;
mod dates;
mod docs;
mod entry;
mod geospatial;
mod ip;
mod json;
mod kernel;
mod lambdas;
mod maps;
mod math;
mod regexps;
mod sketches;
#[cfg(test)]
mod testing;
mod text;
mod urls;
mod work;

use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use entry::{Entry, Function, Known};
use lakegate_engine::Names;

/// Returns every function.
fn entries() -> Vec<Entry> {
    let families: [fn() -> Vec<Entry>; 15] = [
        aggregates::entries,
        arrays::entries,
        binary::entries,
        bitwise::entries,
        dates::entries,
        geospatial::entries,
        ip::entries,
        json::entries,
        lambdas::entries,
        maps::entries,
        math::entries,
        regexps::entries,
        sketches::entries,
        text::entries,
        urls::entries,
    ];
    families.iter().flat_map(|family| family()).collect()
}

/// Adds the functions to a session's.
///
/// # Errors
///
/// The session cannot register a function, or lacks the one that a name stands for.
pub fn register(state: &mut SessionState, names: Names) -> Result<()> {
    for entry in entries() {
        if entry.known == Known::Trino && names == Names::Postgres {
            continue;
        }
        match entry.function {
            Function::Scalar(function) => {
                state.register_udf(function)?;
            }
            Function::Aggregate(function) => {
                state.register_udaf(function)?;
            }
            Function::HigherOrder(function) => {
                state.register_higher_order_function(function)?;
            }
            Function::Alias { name, of } => {
                let function = state.udf(of)?.as_ref().clone().with_aliases([name]);
                state.register_udf(function.into())?;
            }
            Function::AggregateAlias { name, of } => {
                let function = state.udaf(of)?.as_ref().clone().with_aliases([name]);
                state.register_udaf(function.into())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;
    use crate::testing::value;

    #[tokio::test]
    async fn every_example_returns_what_its_page_says() {
        let mut wrong = Vec::new();
        for page in entries().iter().filter_map(|entry| entry.page) {
            let shown = value(page.example).await;
            let shown = shown.unwrap_or_else(|error| format!("error: {error}"));
            if shown != page.result {
                wrong.push(format!("{}: {} = {shown}", page.name, page.example));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_page_is_one_sentence_of_one_function() {
        let mut names = HashSet::new();
        for page in entries().iter().filter_map(|entry| entry.page) {
            assert!(names.insert(page.name), "{} is there twice", page.name);
            assert!(page.sentence.ends_with('.'), "{}", page.name);
            assert!(page.syntax.starts_with(page.name), "{}", page.name);
        }
    }
}
