//! The columns of joined tables, for NATURAL and USING joins whose common columns do not follow
//! from the statement alone.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use lakegate_dialect::postgres::{JoinedColumns, Resolution, Unknown, resolve_joins as resolve_in};
use lakegate_error::{Code, Error, Result};
use sqlparser::ast;

use crate::query::planners::too_long;

/// The maximum number of relations that are looked up for one statement.
const MAX_LOOKUPS: usize = 500;

/// The relations looked up so far for a statement. A relation that contains others is looked up
/// together with them.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// By the text of the query that each relation was planned as.
    found: HashMap<String, Result<Vec<String>>>,
}

/// Plans a relation of a statement by itself.
pub(crate) trait ColumnsOf: Sync {
    /// Returns the names of the columns of a relation.
    fn columns_of<'a>(
        &'a self,
        relation: &'a ast::Query,
        lookups: &'a mut Lookups,
    ) -> BoxFuture<'a, Result<Vec<String>>>;
}

/// Replaces USING and NATURAL by ON, looking up columns as needed.
///
/// `limit`: the time limit for all lookups together.
///
/// # Errors
/// Planning a relation fails; the statement needs too many lookups or too much time; [`resolve_in`]
/// rejects the statement.
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

/// Returns the columns of each relation, or why they depend on the surrounding query.
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
            // The column may belong to the surrounding query.
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
