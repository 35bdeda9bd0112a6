//! Plans the relations of a statement by themselves, for the names of their columns.
//!
//! The parts of a view's query belong to the planning of the statement that names the view, and are
//! stopped with it. The parts of a session's statement come before its planning, so each is one of
//! its own.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::CatalogReferences;
use lakegate_error::Result;
use lakegate_sql::walk::walk_expressions;
use sqlparser::ast;

use crate::moment::Moment;
use crate::query::planners::PlannedText;
use crate::query::planning::plan_sql;
use crate::query::resolve::{NameScope, NameState, joined, rewritten};
use crate::query::rewrites::joined_columns::{ColumnsOf, Lookups};
use crate::query::rewrites::populated;
use crate::session::Session;

/// Expressions of a statement that is rewritten on the calling thread, which takes a few milliseconds.
const REWRITTEN_AT_ONCE: usize = 2000;

/// Returns whether the rewrite of a statement would keep other clients waiting.
fn is_long(statement: &ast::Statement) -> bool {
    let mut expressions = 0usize;
    let counted = walk_expressions(statement, |_| {
        expressions += 1;
        match expressions > REWRITTEN_AT_ONCE {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    counted.is_break()
}

/// The relations of the statements in a scope.
pub(crate) struct Relations<'a> {
    pub session: &'a Session,
    pub moment: &'a Moment,
    pub scope: &'a NameScope,
    /// Whether each relation is a planning of its own.
    pub apart: bool,
}

impl Relations<'_> {
    /// Rewrites a statement for the engine's planner. Returns it with what it uses of the system
    /// catalogs.
    ///
    /// # Errors
    /// As of [`joined`] and [`rewritten`].
    pub(crate) async fn rewritten(
        &self,
        statement: ast::Statement,
        lookups: &mut Lookups,
    ) -> Result<(ast::Statement, CatalogReferences)> {
        let statement = match self.scope.dialect {
            Dialect::Postgres => Box::pin(populated::expanded(self, statement, lookups)).await?,
            Dialect::Athena | Dialect::Trino => statement,
        };
        let limit = self.session.gateway.max_planning_time;
        let statement = joined(statement, self, lookups, limit).await?;
        let dialect = self.scope.dialect;
        match self.apart && is_long(&statement) {
            false => rewritten(dialect, statement),
            true => {
                let rewriting = async move { rewritten(dialect, statement) };
                Box::pin(self.session.apart(rewriting.boxed())).await
            }
        }
    }

    /// Rewrites a statement, and creates the state in which it can be planned.
    async fn named(
        &self,
        statement: ast::Statement,
        lookups: &mut Lookups,
    ) -> Result<(ast::Statement, NameState)> {
        let (statement, references) = self.rewritten(statement, lookups).await?;
        let named = self
            .session
            .name_state(self.moment, self.scope, &references)
            .await?;
        Ok((statement, named))
    }

    /// Plans a statement as part of the current planning.
    ///
    /// # Errors
    /// Names do not resolve, types do not match, or the engine does not support the syntax.
    pub(crate) async fn plan(
        &self,
        statement: ast::Statement,
        lookups: &mut Lookups,
    ) -> Result<(LogicalPlan, NameState)> {
        let (statement, named) = self.named(statement, lookups).await?;
        let plan = plan_sql(&named.state, &named.system, &statement, true).await?;
        Ok((plan, named))
    }

    /// Plans a query of a session's statement in a planning of its own.
    async fn plan_apart(&self, query: &ast::Query, lookups: &mut Lookups) -> Result<LogicalPlan> {
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let (statement, named) = self.named(statement, lookups).await?;
        let text = PlannedText::Query(query, named.database.clone());
        let planning = async move { plan_sql(&named.state, &named.system, &statement, true).await };
        self.session.plan(self.moment, text, planning.boxed()).await
    }
}

impl Relations<'_> {
    /// Returns the columns of a relation, which is planned by itself.
    ///
    /// # Errors
    /// As of [`Self::plan`].
    pub(super) fn schema_of<'a>(
        &'a self,
        query: &'a ast::Query,
        lookups: &'a mut Lookups,
    ) -> BoxFuture<'a, Result<SchemaRef>> {
        async move {
            let plan = match self.apart {
                true => self.plan_apart(query, lookups).await?,
                false => {
                    let statement = ast::Statement::Query(Box::new(query.clone()));
                    Box::pin(self.plan(statement, lookups)).await?.0
                }
            };
            Ok(Arc::clone(plan.schema().inner()))
        }
        .boxed()
    }
}

impl ColumnsOf for Relations<'_> {
    fn columns_of<'a>(
        &'a self,
        query: &'a ast::Query,
        lookups: &'a mut Lookups,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        async move {
            let schema = self.schema_of(query, lookups).await?;
            let fields = schema.fields().iter();
            Ok(fields.map(|field| field.name().clone()).collect())
        }
        .boxed()
    }
}
