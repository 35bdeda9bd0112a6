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
//! system.additions(&state, &references, names).install(&mut state)?;      // functions, operators
//! let plan = system.finish(state.statement_to_plan(statement).await?)?;  // numbers as names, where visible
//! system.read_constants(&plan).await?;                                   // 'orders'::regclass
//! let plan = pg_catalog::without_empty_relations(plan)?;                 // before it is optimised
//! let plan = pg_catalog::narrowed(state.optimize(&plan)?)?;              // reads what the joins need
//! system.read_tables(&plan).await?;                                      // what functions are about
//! ```

mod asked;
mod data;
mod empty;
mod few;
mod functions;
mod literals;
pub(crate) mod made;
mod narrow;
pub mod oids;
pub(crate) mod overloads;
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
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::sql::sqlparser::ast::Statement;
use lakegate_engine::Names;
use lakegate_error::Error;

use self::asked::Asked;
pub use self::empty::{has_no_rows, without_empty_relations};
pub use self::few::reads_few_rows;
use self::functions::{ABOUT_COLUMNS, ABOUT_NAMES, ABOUT_SIZES, ABOUT_TABLES, Lookup, absent};
pub(super) use self::functions::{
    IDENTIFY_OBJECTS, is_reserved, objects as object_columns, tells_type,
};
pub use self::functions::{object_number, type_name};
pub use self::narrow::narrowed;
use self::provider::SystemSchema;
pub use self::provider::system_columns;
use self::shape::{INFORMATION_SCHEMA, PG_CATALOG, Shapes};
pub(super) use self::shape::{SYSTEM_COLUMNS, table_of_call};
use crate::postgres::functions::coalesce;
use crate::postgres::{
    self, CatalogReferences, PG_TYPE, SessionInfo, ShownAsNames, SystemRelations,
};
use crate::visible::{CatalogSource, Columns, Needs, Pins, VisibleCatalog};

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
    asks_the_catalog: bool,
    /// Whether the statement casts to types that are marks, which may be those of its results.
    casts_to_marks: bool,
    system_columns: bool,
}

impl PgCatalog {
    /// Fetches from the source only what the query's functions look up besides tables: these are
    /// fetched with the plan, and relations fetch their rows when they are scanned.
    ///
    /// # Errors
    ///
    /// The source fails.
    pub async fn open(
        session: Arc<SessionInfo>,
        source: Arc<dyn CatalogSource>,
        references: &CatalogReferences,
    ) -> Result<Self> {
        let calls = |some: &[&str]| {
            let mut called = references.functions.iter();
            called.any(|name| some.contains(&name.as_str()))
        };
        let session_info = Arc::clone(&session);
        let lookup = match calls(ABOUT_COLUMNS) {
            true => {
                let catalog = source.visible(&lookup_needs(references)).await?;
                Lookup::complete(catalog, session_info)
            }
            false => {
                let catalog = match calls(ABOUT_NAMES) {
                    true => source.visible(&without_tables()).await?,
                    false => Arc::new(VisibleCatalog::default()),
                };
                Lookup::late(
                    catalog,
                    session_info,
                    Arc::clone(&source),
                    calls(ABOUT_SIZES),
                )
            }
        };
        let lookup = Arc::new(lookup);
        Ok(Self {
            session,
            source,
            lookup,
            asks_the_catalog: asks_the_catalog(references),
            casts_to_marks: references.functions.iter().any(|name| makes_marks(name)),
            system_columns: references.system_columns,
        })
    }

    /// Reads the tables that functions with constant arguments are about, before a plan is
    /// optimised.
    ///
    /// # Errors
    ///
    /// The source fails; the plan cannot be walked.
    pub async fn read_constants(&self, plan: &LogicalPlan) -> Result<()> {
        let asked = asked::constants(plan)?;
        self.lookup.read_constants(asked).await
    }

    /// Reads the tables that the functions of an optimised plan are about, before it runs.
    ///
    /// # Errors
    ///
    /// The source fails; the plan cannot be walked.
    pub async fn read_tables(&self, plan: &LogicalPlan) -> Result<()> {
        let asked = narrow::asked_by(plan)?;
        self.lookup.read_of_plan(asked).await
    }

    /// Reads all tables if a plan has functions about tables. For a plan that becomes part of
    /// another one.
    ///
    /// # Errors
    ///
    /// The source fails; the plan cannot be walked.
    pub async fn read_all(&self, plan: &LogicalPlan) -> Result<()> {
        match asked::has_calls(plan)? {
            true => self.lookup.read_of_plan(Asked::everything()).await,
            false => Ok(()),
        }
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

    /// Returns the functions of the session and of its catalog that the statement calls, and the
    /// operators on untyped literals. `names`: those of the functions of the session. `state`: has the
    /// functions that all sessions share.
    ///
    /// The operators are only for statements that read the catalog: other queries are planned
    /// unchanged.
    pub fn additions(
        &self,
        state: &SessionState,
        references: &CatalogReferences,
        names: Names,
    ) -> Additions {
        let called = references.called.as_ref();
        let made = made::made_for(called, state, &self.session, &self.lookup).into_iter();
        let mut functions: Vec<_> = made.filter(|made| is_registered(made, names)).collect();
        for name in &references.functions {
            if let Some(function) = absent(name)
                && !keeps(names, name)
                && !functions.iter().any(|made| is_named(made, name))
                && state.udf(name).is_err()
            {
                functions.push(function);
            }
        }
        let operators = asks_the_catalog(references).then(postgres::planner);
        Additions {
            functions,
            operators,
        }
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
        match self.asks_the_catalog || self.casts_to_marks || is_shown {
            true => ShownAsNames::new(functions::names_by_type(&self.lookup)).finish(plan),
            false => Ok(plan),
        }
    }
}

/// What a statement needs in its state that others do not.
#[derive(Debug)]
pub struct Additions {
    functions: Vec<Arc<ScalarUDF>>,
    operators: Option<Arc<dyn ExprPlanner>>,
}

impl Additions {
    /// Returns whether the state may stay as it is.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.operators.is_none()
    }

    /// Registers them in the state of the statement.
    ///
    /// # Errors
    ///
    /// The engine rejects a function or the operators.
    pub fn install(self, state: &mut SessionState) -> Result<()> {
        for function in self.functions {
            state.register_udf(function)?;
        }
        match self.operators {
            Some(operators) => state.register_expr_planner(operators),
            None => Ok(()),
        }
    }
}

/// Registers the functions and operators that are the same for all sessions, in the states that those
/// of sessions with these names are copies of.
///
/// # Errors
///
/// The engine rejects a function or the operators.
pub(crate) fn register_shared(state: &mut SessionState, names: Names) -> Result<()> {
    for function in postgres::shared_functions() {
        if is_registered(function, names) {
            state.register_udf(Arc::clone(function))?;
        }
    }
    if !keeps(names, coalesce::COALESCE) {
        coalesce::register(state)?;
    }
    if !keeps(names, coalesce::ARRAY) {
        coalesce::register_array(state)?;
    }
    if let Some(operators) = postgres::json_operators() {
        state.register_expr_planner(operators)?;
    }
    state.register_expr_planner(postgres::typed_text_operators())
}

/// Returns whether sessions with these names get a function. Registering one replaces those that have
/// its other names.
fn is_registered(function: &ScalarUDF, names: Names) -> bool {
    let mut others = function.aliases().iter();
    !keeps(names, function.name()) && !others.any(|name| keeps(names, name))
}

fn is_named(function: &ScalarUDF, name: &str) -> bool {
    function.name() == name || function.aliases().iter().any(|alias| alias == name)
}

/// Returns whether sessions with these names have another function of this name.
fn keeps(names: Names, function: &str) -> bool {
    names == Names::Trino && lakegate_functions::is_function(function)
}

/// Returns whether a statement reads system relations or calls functions about objects or the
/// server.
fn asks_the_catalog(references: &CatalogReferences) -> bool {
    let asks = |name: &String| name.starts_with("pg_") || ABOUT_NAMES.contains(&name.as_str());
    references.system_relations || references.functions.iter().any(asks)
}

/// Returns whether a function is one of those that casts to types without a type of the engine are.
fn makes_marks(function: &str) -> bool {
    function.starts_with('$') && function.ends_with("_in")
}

/// Databases and roles only.
fn without_tables() -> Needs {
    Needs {
        tables: Pins::none(),
        ..Needs::default()
    }
}

/// Returns what is read for a statement that calls functions about columns.
fn lookup_needs(references: &CatalogReferences) -> Needs {
    // Whether a description has a table's schema depends on other tables of the name.
    let about_columns =
        |name: &String| ABOUT_COLUMNS.contains(&name.as_str()) && name != "pg_describe_object";
    let about_tables = |name: &String| ABOUT_TABLES.contains(&name.as_str());
    let about_sizes = |name: &String| ABOUT_SIZES.contains(&name.as_str());
    let row_counts = references.functions.iter().any(about_sizes);
    let Some(objects) = &references.objects else {
        return Needs {
            columns: Columns::All,
            row_counts,
            ..Needs::default()
        };
    };
    // The type of a table's rows has the table's name.
    let table = |oid: &i64| oids::of_table(*oid).map_or(*oid, |of_rows| of_rows.relation);
    let ids = objects.iter().map(table).filter_map(oids::table_id);
    let pins = Pins {
        table_ids: Some(ids.collect()),
        ..Pins::default()
    };
    let mut called = references
        .functions
        .iter()
        .filter(|name| about_tables(name));
    Needs {
        // The only functions are about tables that are known.
        tables: match called.all(about_columns) {
            true => pins.clone(),
            false => Pins::default(),
        },
        columns: Columns::Of(pins),
        row_counts,
        ..Needs::default()
    }
}

#[cfg(test)]
mod tests;
