//! SQL dialects on top of the engine: the names of unnamed columns, the syntax that DataFusion's
//! planner does not accept, and the system catalogs that clients query.
//!
//! What never happens: a dialect that reads the lake. Its catalogs are filled from a
//! [`visible::VisibleCatalog`].

pub mod postgres;
pub mod visible;

use datafusion::sql::sqlparser::ast;
use lakegate_error::Result;

use crate::postgres::{CatalogReferences, OutputNames, enclose_joins, output_names, pg_catalog};

/// The dialect that a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    #[default]
    Postgres,
}

impl Dialect {
    /// Returns the names of a query's columns, from the query as it was sent. `None` if the
    /// engine's own names are correct.
    pub fn output_names(self, query: &ast::Query) -> Option<OutputNames> {
        match self {
            Self::Postgres => output_names(query),
        }
    }

    /// Wraps named joins into subqueries. Call this before [`postgres::resolve_joins`].
    ///
    /// # Errors
    ///
    /// None that depend on the statement.
    pub fn enclose_joins(self, statement: &mut ast::Statement) -> Result<()> {
        match self {
            Self::Postgres => enclose_joins(statement),
        }
    }

    /// Rewrites a statement for the engine's planner, and returns what it uses of the system
    /// catalogs.
    ///
    /// # Errors
    ///
    /// A literal is not valid for its type.
    pub fn rewrite(self, statement: &mut ast::Statement) -> Result<CatalogReferences> {
        match self {
            Self::Postgres => pg_catalog::rewrite(statement),
        }
    }
}
