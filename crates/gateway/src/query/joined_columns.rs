//! The columns of joined tables, looked up where the names of the tables do not say what a NATURAL or USING join is of.

use std::collections::HashMap;

use datafusion::logical_expr::LogicalPlan;
use futures::FutureExt;
use lakegate_dialect::postgres::{JoinedColumns, Resolution, Unknown, resolve_joins};
use lakegate_error::{Code, Error, Result};
use sqlparser::ast;

use crate::query::planners::{PlannedText, too_long};
use crate::query::planning::Planning;
use crate::session::Session;

/// Relations that are looked up for one statement.
const MAX_LOOKUPS: usize = 500;

/// What was looked up for a statement so far: relations within others are asked for again with those.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// By the text of the query that each was planned as.
    found: HashMap<String, Result<Vec<String>>>,
}

impl Session {
    /// Puts ON in the place of USING and NATURAL, and learns the columns that this takes.
    ///
    /// # Errors
    /// Those of planning a relation; more relations, or more time, than one statement may take; what
    /// [`resolve_joins`] refuses.
    pub(crate) async fn resolve_joins(
        &self,
        statement: ast::Statement,
        lookups: &mut Lookups,
    ) -> Result<ast::Statement> {
        let mut columns = JoinedColumns::default();
        let mut unknown = match resolve_joins(&statement, &columns)? {
            Resolution::Resolved(statement) => return Ok(*statement),
            Resolution::Unknown(unknown) => unknown,
        };
        let limit = self.gateway.max_planning_time;
        let learning = async {
            loop {
                for select in &unknown {
                    let found = self.look_up(select, lookups).await?;
                    columns.learn(select, found);
                }
                unknown = match resolve_joins(&statement, &columns)? {
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

    /// The columns of each relation, or why they cannot be told without what is around it.
    async fn look_up(
        &self,
        unknown: &Unknown,
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
                    let found = Box::pin(self.columns_of(query, lookups)).await;
                    lookups.found.insert(text, found.clone());
                    found
                }
            };
            match found {
                // It may be one of the query around it.
                Err(error) if error.code() != Code::ColumnNotFound => return Err(error),
                found => all.push(found),
            }
        }
        Ok(all)
    }

    async fn columns_of(&self, query: &ast::Query, lookups: &mut Lookups) -> Result<Vec<String>> {
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let planning: Planning = Box::pin(self.planning_with(statement, lookups)).await?;
        let text = PlannedText::Query(query, planning.database.clone());
        let planning = async move { planning.plan().await };
        let plan: LogicalPlan = self.plan(text, planning.boxed()).await?;
        let fields = plan.schema().fields().iter();
        Ok(fields.map(|field| field.name().clone()).collect())
    }
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
