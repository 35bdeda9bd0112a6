//! `pg_catalog` and `information_schema` for one session: relations filled from what its principal
//! may see, and the functions that clients call about them.
//!
//! Invariants: no result depends on the text of a known query, and no row is about something that
//! was not granted.
//!
//! ```text
//! let references = pg_catalog::rewrite(&mut statement, names)?;          // Postgres' syntax to the engine's
//! let system = PgCatalog::open(session, source, &references).await?;
//! built_in.extend(system.schemas());                                     // before the session state is built
//! system.install(&mut state, &references, keeps)?;                       // functions, operators
//! let plan = system.finish(state.statement_to_plan(statement).await?)?;  // numbers as names, where visible
//! let plan = pg_catalog::without_empty_relations(plan)?;                 // before it is optimised
//! let plan = pg_catalog::narrowed(state.optimize(&plan)?)?;              // reads what the joins need
//! ```

mod data;
mod functions;
mod narrow;
pub mod oids;
mod pins;
pub(crate) mod privileges;
mod provider;
pub(crate) mod relations;
mod shape;
pub(crate) mod types;

use std::sync::{Arc, LazyLock};

use datafusion::catalog::SchemaProvider;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Statement;
use lakegate_engine::Names;
use lakegate_error::Error;

use self::functions::{ABOUT_COLUMNS, ABOUT_NAMES, ABOUT_TABLES, Lookup, absent};
pub use self::narrow::{narrowed, without_empty_relations};
use self::provider::SystemSchema;
pub use self::provider::system_columns;
use self::shape::{INFORMATION_SCHEMA, PG_CATALOG, Shapes};
pub(super) use self::shape::{SYSTEM_COLUMNS, table_of_call};
use crate::postgres::functions::coalesce;
use crate::postgres::{
    self, CatalogReferences, PG_TYPE, SessionInfo, ShownAsNames, SystemRelations,
};
use crate::visible::{CatalogSource, Columns, Needs, Pins, Texts, VisibleCatalog};

static SYSTEM_RELATIONS: LazyLock<SystemRelations> = LazyLock::new(|| {
    PG_CATALOG
        .relations
        .iter()
        .map(|shape| (shape.name, shape.oid))
        .collect()
});

/// The schema's name.
pub const SCHEMA: &str = "pg_catalog";

/// Returns whether an unqualified name refers to a relation of `pg_catalog`, unless a table of the
/// lake has that name.
pub fn has_relation(name: &str) -> bool {
    SYSTEM_RELATIONS.contains_key(name)
}

/// Rewrites Postgres' syntax in place, and returns what the statement uses of the catalog.
/// `functions` says which functions the names of calls mean.
///
/// # Errors
///
/// A literal is not valid for its type.
pub fn rewrite(statement: &mut Statement, functions: Names) -> Result<CatalogReferences, Error> {
    postgres::rewrite(statement, &SYSTEM_RELATIONS, ABOUT_COLUMNS, functions)
}

/// The system schemas and functions of one query.
#[derive(Debug)]
pub struct PgCatalog {
    session: Arc<SessionInfo>,
    source: Arc<dyn CatalogSource>,
    lookup: Arc<Lookup>,
    names: ShownAsNames,
    asks_the_catalog: bool,
    system_columns: bool,
}

impl PgCatalog {
    /// Fetches from the source only what the query's functions look up; relations fetch their rows
    /// when they are scanned.
    ///
    /// # Errors
    ///
    /// The source fails.
    pub async fn open(
        session: Arc<SessionInfo>,
        source: Arc<dyn CatalogSource>,
        references: &CatalogReferences,
    ) -> Result<Self> {
        let about_names = |name: &String| ABOUT_NAMES.contains(&name.as_str());
        let catalog = match references.functions.iter().any(about_names) {
            true => source.visible(&lookup_needs(references)).await?,
            false => Arc::new(VisibleCatalog::default()),
        };
        let lookup = Arc::new(Lookup::new(catalog, Arc::clone(&session)));
        let names = ShownAsNames::new(functions::names_by_type(&lookup));
        Ok(Self {
            session,
            source,
            lookup,
            names,
            asks_the_catalog: asks_the_catalog(references),
            system_columns: references.system_columns,
        })
    }

    /// Returns the schemas `pg_catalog` and `information_schema`.
    pub fn schemas(&self) -> [(String, Arc<dyn SchemaProvider>); 2] {
        let schema = |shapes: &'static Shapes| {
            let schema = SystemSchema {
                shapes,
                source: Arc::clone(&self.source),
                session: Arc::clone(&self.session),
                system_columns: self.system_columns,
            };
            (
                shapes.namespace.to_owned(),
                Arc::new(schema) as Arc<dyn SchemaProvider>,
            )
        };
        [schema(&PG_CATALOG), schema(&INFORMATION_SCHEMA)]
    }

    /// Registers the functions but those that `keeps` selects by name, and the operators on untyped
    /// literals.
    ///
    /// The operators are only for statements that read the catalog: other queries are planned
    /// unchanged.
    ///
    /// # Errors
    ///
    /// The engine rejects a function or the operators.
    pub fn install(
        &self,
        state: &mut SessionState,
        references: &CatalogReferences,
        keeps: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for function in postgres::functions(&self.session)
            .into_iter()
            .chain(functions::functions(&self.lookup))
        {
            if !keeps(function.name()) {
                state.register_udf(function)?;
            }
        }
        for name in &references.functions {
            if let Some(function) = absent(name)
                && !keeps(name)
                && state.udf(name).is_err()
            {
                state.register_udf(function)?;
            }
        }
        if !keeps(coalesce::COALESCE) {
            coalesce::register(state)?;
        }
        if let Some(operators) = postgres::json_operators() {
            state.register_expr_planner(operators)?;
        }
        if let Some(order) = postgres::json_order() {
            state.add_analyzer_rule(order);
        }
        if !asks_the_catalog(references) {
            return Ok(());
        }
        state.register_expr_planner(postgres::planner())?;
        Ok(())
    }

    /// Returns the plan of a whole query, with the names that a client sees for `regclass` and
    /// similar types, and with casts that drop the type that their operand is shown as.
    ///
    /// # Errors
    ///
    /// The engine rejects the rewritten plan.
    pub fn finish(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        // Without such a column in the result, no client sees what a cast drops.
        let mut columns = plan.schema().fields().iter();
        let is_shown = columns.any(|column| column.metadata().contains_key(PG_TYPE));
        match self.asks_the_catalog || is_shown {
            true => self.names.finish(plan),
            false => Ok(plan),
        }
    }
}

/// Returns whether a statement reads system relations or calls functions about objects or the
/// server.
fn asks_the_catalog(references: &CatalogReferences) -> bool {
    let asks = |name: &String| name.starts_with("pg_") || ABOUT_NAMES.contains(&name.as_str());
    references.system_relations || references.functions.iter().any(asks)
}

fn lookup_needs(references: &CatalogReferences) -> Needs {
    let about_columns = |name: &String| ABOUT_COLUMNS.contains(&name.as_str());
    let columns = match &references.objects {
        _ if !references.functions.iter().any(about_columns) => Columns::None,
        Some(objects) => {
            let table_ids = objects
                .iter()
                .filter_map(|oid| oids::table_id(*oid))
                .collect();
            Columns::Of(Pins {
                table_ids: Some(table_ids),
                ..Pins::default()
            })
        }
        None => Columns::All,
    };
    let about_tables = |name: &String| ABOUT_TABLES.contains(&name.as_str());
    let called: Vec<&String> = references
        .functions
        .iter()
        .filter(|name| about_tables(name))
        .collect();
    let all = |is: &dyn Fn(&String) -> bool| called.iter().all(|name| is(name));
    let by_name = |name: &String| matches!(name.as_str(), "regclass_in" | "to_regclass");
    let tables = match (&columns, &references.relation_names) {
        (Columns::None, _) if called.is_empty() => Pins::none(),
        // The only functions are about tables that are known.
        (Columns::Of(pins), _) if all(&about_columns) => pins.clone(),
        (Columns::None, Some(names)) if all(&by_name) => Pins {
            tables: vec![Texts::These(names.clone())],
            ..Pins::default()
        },
        _ => Pins::default(),
    };
    Needs {
        tables,
        columns,
        ..Needs::default()
    }
}

#[cfg(test)]
mod tests;
