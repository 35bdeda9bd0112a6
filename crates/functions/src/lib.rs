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
//! larger than the engine's bounds. Both are the task of `work::Work`, which every loop calls.

mod aggregates;
mod arrays;
mod attempt;
mod binary;
mod bitwise;
mod casts;
mod columns;
mod dates;
mod docs;
mod entry;
mod geospatial;
mod ip;
mod json;
mod json_casts;
mod kernel;
mod lambdas;
mod maps;
mod math;
#[cfg(test)]
mod reference;
mod regexps;
mod semantics;
mod sketches;
mod system;
#[cfg(test)]
mod testing;
mod text;
mod unnest;
mod unnest_rows;
mod urls;
mod windows;
mod work;

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::AnalyzerRule;
use entry::{Entry, Function, Known};
use json_casts::JsonCasts;
use lakegate_engine::{Library, Names};
use semantics::{Operators, TrinoTypes};
use unnest_rows::UnnestedRows;

pub use json::{JsonMisfit, JsonPath, JsonPathItems};
pub use semantics::{CommonType, of_one_type};
pub use text::{lower_letter, type_name, upper_letter};

/// Returns every function. Sessions share them.
fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let families: [fn() -> Vec<Entry>; 21] = [
            unnest::entries,
            attempt::entries,
            casts::entries,
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
            semantics::entries,
            sketches::entries,
            text::entries,
            urls::entries,
            system::entries,
            windows::entries,
        ];
        families.iter().flat_map(|family| family()).collect()
    });
    &ENTRIES
}

/// Returns the library as the engine takes it.
pub fn library() -> Library {
    Library {
        register,
        register_last: |_, _| Ok(()),
        rules,
        rules_of,
        planners_of,
        measures_itself,
        key_of: |_| None,
    }
}

/// Returns the scalar function of a name in the sessions that know it so.
fn scalar(name: &str, known: Known) -> Option<Arc<ScalarUDF>> {
    entries().iter().find_map(|entry| match &entry.function {
        Function::Scalar(function) if entry.known == known && function.name() == name => {
            Some(Arc::clone(function))
        }
        _ => None,
    })
}

/// Returns whether a function is one of the library's: another one may have its name.
fn measures_itself(function: &ScalarUDF) -> bool {
    static TYPES: LazyLock<HashMap<&str, TypeId>> = LazyLock::new(|| {
        let scalars = entries().iter().filter_map(|entry| match &entry.function {
            Function::Scalar(function) => Some((function.name(), type_of(function))),
            _ => None,
        });
        scalars.collect()
    });
    TYPES.get(function.name()) == Some(&type_of(function))
}

fn type_of(function: &ScalarUDF) -> TypeId {
    let function: &dyn Any = function.inner().as_ref();
    function.type_id()
}

/// Returns the rules that come before the engine's own.
fn rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    JsonCasts::new()
        .map(|rule| Arc::new(rule) as _)
        .into_iter()
        .collect()
}

/// Returns the rules of sessions with these names, which come before all others.
fn rules_of(names: Names) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    match names {
        Names::Postgres => Vec::new(),
        Names::Trino => TrinoTypes::new()
            .map(|rule| Arc::new(rule) as _)
            .into_iter()
            .collect(),
    }
}

/// Returns the planners of operators of sessions with these names.
fn planners_of(names: Names) -> Vec<Arc<dyn ExprPlanner>> {
    match names {
        Names::Postgres => Vec::new(),
        Names::Trino => Operators::new()
            .map(|planner| Arc::new(planner) as _)
            .into_iter()
            .collect(),
    }
}

/// Adds the functions to a session's.
///
/// # Errors
///
/// The session cannot register a function, or lacks the one that a name stands for.
fn register(state: &mut SessionState, names: Names) -> Result<()> {
    if names == Names::Trino {
        state.register_relation_planner(Arc::new(UnnestedRows))?;
    }
    if names == Names::Postgres {
        windows::register_in_postgres(state)?;
    }
    for entry in entries() {
        if entry.known == Known::Trino && names == Names::Postgres {
            continue;
        }
        match &entry.function {
            Function::Scalar(function) => {
                // Some functions are made for a time zone.
                let of_session = function.inner().with_updated_config(state.config_options());
                state.register_udf(of_session.map_or_else(|| Arc::clone(function), Arc::new))?;
            }
            Function::Aggregate(function) => {
                state.register_udaf(Arc::clone(function))?;
            }
            Function::HigherOrder(function) => {
                state.register_higher_order_function(Arc::clone(function))?;
            }
            Function::AggregateAlias { name, of } => {
                let function = aggregates::with_alias(state.udaf(of)?, name);
                state.register_udaf(Arc::new(function))?;
            }
            Function::OfSession { register, .. } => register(state)?,
        }
    }
    Ok(())
}

/// Returns whether the library has a function of this name, in lower case.
pub fn is_function(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<&str>> =
        LazyLock::new(|| entries().iter().flat_map(Entry::names).collect());
    NAMES.contains(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
