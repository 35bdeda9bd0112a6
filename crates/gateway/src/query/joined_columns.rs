//! The columns of joined tables, looked up where the names of the tables do not say what a NATURAL or USING join is of.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use lakegate_dialect::postgres::{JoinedColumns, Resolution, Unknown, resolve_joins as resolve_in};
use lakegate_error::{Code, Error, Result};
use sqlparser::ast;

use crate::query::planners::too_long;

/// Relations that are looked up for one statement.
const MAX_LOOKUPS: usize = 500;

/// What was looked up for a statement so far: relations within others are asked for again with those.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// By the text of the query that each was planned as.
    found: HashMap<String, Result<Vec<String>>>,
}

/// Plans a relation of a statement by itself.
pub(crate) trait ColumnsOf: Sync {
    /// The names of the columns of a relation.
    fn columns_of<'a>(
        &'a self,
        relation: &'a ast::Query,
        lookups: &'a mut Lookups,
    ) -> BoxFuture<'a, Result<Vec<String>>>;
}

/// Replaces USING and NATURAL by ON, and looks up the columns that this takes.
///
/// `limit`: for all look-ups together.
///
/// # Errors
/// Those of planning a relation; more relations, or more time, than one statement may take; what
/// [`resolve_in`] refuses.
pub(crate) async fn resolve_joins(
    statement: ast::Statement,
    relations: &impl ColumnsOf,
    lookups: &mut Lookups,
    limit: Duration,
) -> Result<ast::Statement> {
    let mut columns = JoinedColumns::default();
    let mut unknown = match resolve_in(&statement, &columns)? {
        Resolution::Resolved(statement) => return Ok(*statement),
        Resolution::Unknown(unknown) => unknown,
    };
    let learning = async {
        loop {
            for select in &unknown {
                let found = look_up(select, relations, lookups).await?;
                columns.learn(select, found);
            }
            unknown = match resolve_in(&statement, &columns)? {
                Resolution::Resolved(statement) => return Ok(*statement),
                Resolution::Unknown(unknown) => unknown,
            };
        }
    };
    match tokio::time::timeout(limit, learning).await {
        Ok(learned) => learned,
        Err(_) => Err(too_long(limit)),
    }
}

/// The columns of each relation, or why they are not known without the query around it.
async fn look_up(
    unknown: &Unknown,
    relations: &impl ColumnsOf,
    lookups: &mut Lookups,
) -> Result<Vec<Result<Vec<String>>>> {
    let mut all = Vec::with_capacity(unknown.relations.len());
    for relation in &unknown.relations {
        let Some(query) = relation else {
            all.push(Err(dependent()));
            continue;
        };
        let text = query.to_string();
        let found = match lookups.found.get(&text) {
            Some(found) => found.clone(),
            None => {
                if lookups.found.len() >= MAX_LOOKUPS {
                    return Err(too_many());
                }
                let found = relations.columns_of(query, lookups).await;
                lookups.found.insert(text, found.clone());
                found
            }
        };
        match found {
            // The column may belong to the query around it.
            Err(error) if error.code() != Code::ColumnNotFound => return Err(error),
            found => all.push(found),
        }
    }
    Ok(all)
}

fn dependent() -> Error {
    Error::not_supported("NATURAL JOIN with a LATERAL table is not supported")
        .with_hint("name the common columns: JOIN … USING (…)")
}

fn too_many() -> Error {
    Error::new(
        Code::TooComplex,
        format!(
            "the statement joins more than {MAX_LOOKUPS} tables by NATURAL, or by USING after other joins"
        ),
    )
    .with_hint("split it into simpler statements, or join with ON")
}
