//! SQL dialects on top of the engine: the names of unnamed columns, the syntax that DataFusion's
//! planner does not accept, and the system catalogs that clients query.
//!
//! What never happens: a dialect that reads the lake. Its catalogs are filled from a
//! [`visible::VisibleCatalog`].

mod like;
pub mod postgres;
mod trino;
pub mod visible;

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast;
use lakegate_engine::{Library, Names};
use lakegate_error::Result;

use crate::postgres::{CatalogReferences, OutputNames, output_names, pg_catalog};

/// Returns the functions of the engine's sessions, with the rules and types of the dialects.
pub fn library() -> Library {
    Library {
        register_last: pg_catalog::register_shared,
        rules_of,
        planners_of,
        key_of,
        ..lakegate_functions::library()
    }
}

/// Returns the function that makes the keys of a field whose values do not compare as their bytes do.
fn key_of(field: &Field) -> Option<Arc<ScalarUDF>> {
    postgres::json_key_of(field).or_else(|| postgres::typed_text_key_of(field))
}

/// Returns the rules of sessions with these names, which come before all others.
fn rules_of(names: Names) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = (lakegate_functions::library().rules_of)(names);
    if names == Names::Postgres {
        rules.insert(0, postgres::refused_casts());
        rules.insert(0, postgres::refused_operators());
        rules.insert(0, postgres::recursive_types());
        rules.push(postgres::mixed_unions());
        rules.push(postgres::array_casts());
        rules.push(postgres::texts_beside_bytes());
        rules.extend(postgres::json_comparisons());
        rules.push(postgres::typed_texts());
        rules.push(postgres::extremes_rule());
        // The rules before have given further columns such types.
        rules.push(postgres::mixed_unions());
    }
    rules
}

/// Returns the planners of operators of sessions with these names, which come before the engine's.
fn planners_of(names: Names) -> Vec<Arc<dyn ExprPlanner>> {
    let mut planners = (lakegate_functions::library().planners_of)(names);
    planners.push(postgres::frame_exclusions());
    if names == Names::Postgres {
        planners.insert(0, postgres::refused_operators_planner());
        planners.extend(postgres::json_subscripts());
        planners.push(postgres::vector_subscripts());
        planners.push(postgres::byte_keywords());
        planners.push(postgres::byte_operators());
        planners.push(postgres::extracts());
        planners.push(postgres::extremes_planner());
        planners.push(postgres::joined_arrays());
    }
    planners
}

/// The dialect that a session speaks. All share one grammar and one set of functions; a dialect
/// decides where they disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    #[default]
    Postgres,
    Athena,
    Trino,
}

impl Dialect {
    /// Returns the dialect that the setting `dialect` names.
    pub fn of_name(name: &str) -> Self {
        match name {
            "athena" => Self::Athena,
            "trino" => Self::Trino,
            _ => Self::Postgres,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Athena => "athena",
            Self::Trino => "trino",
        }
    }

    /// Returns which functions the names in a query mean.
    pub fn names(self) -> Names {
        match self {
            Self::Postgres => Names::Postgres,
            Self::Athena | Self::Trino => Names::Trino,
        }
    }

    /// Returns the names of a query's columns, from the query as it was sent. `None` if the
    /// engine's own names are correct.
    pub fn output_names(self, query: &ast::Query) -> Option<OutputNames> {
        match self {
            Self::Postgres => output_names(query),
            Self::Athena | Self::Trino => trino::output_names(query),
        }
    }

    /// Rewrites a statement for the engine's planner, and returns what it uses of the system
    /// catalogs.
    ///
    /// # Errors
    ///
    /// A literal is not valid for its type, or of a type that is not supported.
    pub fn rewrite(self, statement: &mut ast::Statement) -> Result<CatalogReferences> {
        match self {
            Self::Postgres => {
                postgres::check_calls(statement)?;
                postgres::check_recursions(statement)?;
                postgres::rewrite_json(statement);
            }
            Self::Athena | Self::Trino => trino::plain_names(statement),
        }
        trino::widen(statement);
        trino::expand(statement);
        trino::rename(statement);
        trino::spell_out(statement, self != Self::Postgres);
        trino::offsets(statement, self == Self::Postgres)?;
        if self != Self::Postgres {
            trino::by_type(statement);
            trino::zoned(statement)?;
            trino::rewrite(statement)?;
        }
        trino::fields(statement);
        let references = pg_catalog::rewrite(statement, self.names())?;
        trino::arrays(statement);
        if self != Self::Postgres {
            trino::integers(statement);
        }
        Ok(CatalogReferences {
            called: Some(pg_catalog::made::called_by(statement)),
            ..references
        })
    }
}
