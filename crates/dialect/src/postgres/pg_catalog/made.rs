//! The functions that are made for each statement: those of its session, and those that read the
//! catalog. They are more than a hundred. A statement gets those that it calls.
//!
//! A statement that calls something unknown gets all of them: the error for it names functions with
//! a similar name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use datafusion::execution::SessionState;
use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::sqlparser::ast::{Expr, ObjectNamePart, Statement};
use lakegate_sql::walk::walk_expressions;

use super::functions::{self, Lookup, absent};
use crate::postgres::{self, SessionInfo};

/// Makes the functions of a family.
type Make = fn(&Arc<SessionInfo>, &Arc<Lookup>) -> Vec<Arc<ScalarUDF>>;

const MAKERS: [Make; 6] = [
    |session, _| postgres::functions(session),
    |_, lookup| functions::names_of_objects(lookup),
    |_, lookup| functions::descriptions(lookup),
    |_, lookup| functions::on_privileges(lookup),
    |_, lookup| functions::on_access_lists(lookup),
    |_, _| functions::about_types(),
];

/// What looks like a call, and is none of a function.
const SYNTAX: &str = "unnest";

struct Family {
    make: Make,
    /// The names of its functions.
    names: BTreeSet<String>,
}

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    let session = Arc::new(SessionInfo::default());
    let lookup = Arc::new(Lookup::complete(Arc::default(), Arc::clone(&session)));
    let family = |make: Make| {
        let made = make(&session, &lookup);
        let names = made.iter().map(|function| function.name().to_owned());
        Family {
            make,
            names: names.collect(),
        }
    };
    MAKERS.into_iter().map(family).collect()
});

/// Returns the names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let families = FAMILIES.iter();
    families.flat_map(|family| family.names.iter().map(String::as_str))
}

/// Returns the names of the functions that a rewritten statement calls, in lower case and without
/// their schemas.
pub(crate) fn called_by(statement: &Statement) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    let _ = walk_expressions(statement, |expr| {
        if let Expr::Function(function) = expr
            && let Some(ObjectNamePart::Identifier(name)) = function.name.0.last()
        {
            called.insert(name.value.to_lowercase());
        }
        ControlFlow::<()>::Continue(())
    });
    called
}

/// Makes the functions for a statement that calls these; all if that is not known.
///
/// `state`: has the functions that are not made for each statement.
pub(super) fn made_for(
    called: Option<&BTreeSet<String>>,
    state: &SessionState,
    session: &Arc<SessionInfo>,
    lookup: &Arc<Lookup>,
) -> Vec<Arc<ScalarUDF>> {
    let called = called.filter(|called| called.iter().all(|name| is_known(name, state)));
    let mut all = Vec::new();
    for family in FAMILIES.iter() {
        match called {
            None => all.extend((family.make)(session, lookup)),
            Some(called) if family.names.is_disjoint(called) => {}
            Some(called) => {
                let made = (family.make)(session, lookup).into_iter();
                all.extend(made.filter(|function| called.contains(function.name())));
            }
        }
    }
    all
}

fn is_known(name: &str, state: &SessionState) -> bool {
    name == SYNTAX
        || state.scalar_functions().contains_key(name)
        || state.higher_order_functions().contains_key(name)
        || state.aggregate_functions().contains_key(name)
        || state.window_functions().contains_key(name)
        || FAMILIES.iter().any(|family| family.names.contains(name))
        || absent(name).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    use lakegate_engine::Names;

    use super::super::register_shared;
    use super::*;
    use crate::Dialect;

    /// Returns the names of the functions that are made for a statement.
    fn made(sql: &str) -> Vec<String> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let mut statement = statements.remove(0);
        let references = Dialect::Postgres.rewrite(&mut statement).unwrap();
        let mut state = SessionStateBuilder::new().with_default_features().build();
        register_shared(&mut state, Names::Postgres).unwrap();
        let session = Arc::new(SessionInfo::default());
        let lookup = Arc::new(Lookup::complete(Arc::default(), Arc::clone(&session)));
        let made = made_for(references.called.as_ref(), &state, &session, &lookup);
        let mut names: Vec<String> = made.iter().map(|made| made.name().to_owned()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_statement_gets_the_functions_that_it_calls() {
        let cases: [(&str, &[&str]); 5] = [
            ("SELECT oid, upper(relname) FROM pg_class", &[]),
            (
                "SELECT Current_Database(), pg_catalog.version() FROM t WHERE pg_table_is_visible(x)",
                &["current_database", "pg_table_is_visible", "version"],
            ),
            ("SELECT 'orders'::regclass", &["regclass_in"]),
            (
                "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE has_table_privilege(x, 'SELECT'))",
                &["has_table_privilege"],
            ),
            // What all sessions have, and what has nothing to tell here.
            (
                "SELECT pg_get_expr(a, b), pg_current_logfile() FROM pg_attrdef",
                &[],
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(made(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_statement_that_calls_something_unknown_gets_all() {
        let all: BTreeSet<String> = names().map(str::to_owned).collect();
        let made: BTreeSet<String> = made("SELECT pg_table_is_visibel(x)").into_iter().collect();
        assert_eq!(made, all);
    }
}
