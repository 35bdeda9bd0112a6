//! SQL dialects, beside the engine: the names of unnamed columns, the syntax that DataFusion's planner
//! does not take, and the system catalogs that clients query.
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
    /// The names of a query's columns, as it was sent; the engine's own are right for `None`.
    pub fn output_names(self, query: &ast::Query) -> Option<OutputNames> {
        match self {
            Self::Postgres => output_names(query),
        }
    }

    /// Wraps joins that have a name into subqueries. Comes before [`postgres::resolve_joins`].
    ///
    /// # Errors
    /// None that depend on the statement.
    pub fn enclose_joins(self, statement: &mut ast::Statement) -> Result<()> {
        match self {
            Self::Postgres => enclose_joins(statement),
        }
    }

    /// Rewrites a statement into what the engine plans, and returns what it asks of the system catalogs.
    ///
    /// # Errors
    /// A literal that its type does not accept.
    pub fn rewrite(self, statement: &mut ast::Statement) -> Result<CatalogReferences> {
        match self {
            Self::Postgres => pg_catalog::rewrite(statement),
        }
    }
}
