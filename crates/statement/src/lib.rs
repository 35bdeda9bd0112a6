//! The catalog statements, one file per family. Queries go to the engine and never come here.
//!
//! ```text
//!  Statement ─ execute ─▶ rights ─▶ databases, tables, alter, partitions, msck ─▶ Metastore
//!                           │       principals, grants, workgroups ────────────▶ Control
//!                           ├─────▶ show, describe, create_table_text ─────────▶ rows
//!                           └─────▶ write ─▶ plans of writes, which the gateway runs
//! ```
//!
//! Every statement checks `rights` before it changes or reveals anything. Invariants: an error
//! never distinguishes a name that the principal may not see from one that does not exist; no
//! LOCATION outside the lake roots is stored; no password is stored or shown in plain text.

mod alter;
mod alter_column;
mod analyze;
mod comments;
mod create_like;
mod create_table_text;
mod databases;
mod describe;
mod functions;
mod grants;
mod indexes;
mod locations;
mod locks;
mod msck;
mod notices;
mod partition_filter;
mod partitions;
mod pattern;
mod postgres_types;
mod principals;
mod projections;
mod properties;
mod rights;
mod rows;
mod show;
mod show_stats;
mod storage;
mod tables;
mod temporary;
#[cfg(test)]
mod testing;
mod views;
mod workgroups;
mod write;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;

pub use analyze::AnalyzePlan;
use arrow::array::RecordBatch;
pub use functions::show_functions;
use lakegate_catalog::store::{Control, Coordinator, WriteLog};
use lakegate_error::{Error, Result};
use lakegate_lake::roots::Roots;
use lakegate_policy::{SearchPath, View};
use lakegate_sql::Statement;
pub use notices::Notices;
pub use rows::columns;
pub use show_stats::{EstimatedColumn, show_estimates};
pub use temporary::{
    NewTemporary, TemporaryChange, TemporaryWrite, check_temporary_name, temporary_exists,
};
pub use views::{create_view, temporary_view};
pub use write::{
    Found, IfExists, IfMissing, QueryWrite, RemovalPlan, ReturnedRows, UnloadPlan, WritePlan,
    WriteRequest, clear_discarded,
};

/// The principal, the moment and the services that a statement runs with.
#[derive(Debug, Clone)]
pub struct StatementContext {
    /// What the principal may see and do.
    pub view: View,
    pub control: Arc<dyn Control>,
    pub coordinator: Arc<dyn Coordinator>,
    pub write_log: Arc<dyn WriteLog>,
    pub roots: Arc<Roots>,
    /// The databases in which unqualified names are looked up.
    pub path: SearchPath,
    pub before_commit: BeforeCommit,
    pub notices: Notices,
}

impl StatementContext {
    /// Called before a statement's first change: it can be cancelled until then, and never stops
    /// halfway.
    ///
    /// # Errors
    ///
    /// The statement was cancelled.
    fn commits(&self) -> Result<()> {
        self.before_commit.0.as_ref().map_or(Ok(()), |ask| ask())
    }
}

type Ask = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// A hook called before a statement makes its first change; it can refuse.
#[derive(Clone, Default)]
pub struct BeforeCommit(Option<Ask>);

impl BeforeCommit {
    pub fn asking(ask: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }
}

impl std::fmt::Debug for BeforeCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BeforeCommit")
    }
}

/// The result of a statement.
#[derive(Debug, Clone)]
pub enum Output {
    /// Success without rows; [`Statement::tag`] is the command tag.
    Command,
    /// Rows with the schema of [`columns`].
    Rows { batch: RecordBatch },
}

/// Runs a statement of the catalog. It commits by itself, and a failed one changed nothing.
///
/// # Errors
/// A name that does not exist for the principal; a missing privilege, which is named with those that can
/// grant it; a LOCATION that is not under a lake root; what the catalog refuses;
/// [`Code::NotSupported`](lakegate_error::Code) for a statement that is not one of the catalog.
pub fn execute<'a>(
    context: &'a StatementContext,
    statement: &'a Statement,
) -> BoxFuture<'a, Result<Output>> {
    async move {
        // The others change nothing, or first list the lake, which may take long.
        if columns(statement).is_none() {
            context.commits()?;
        }
        match statement {
            Statement::CreateDatabase(create) => databases::create(context, create).await,
            Statement::DropDatabase(drop) => databases::drop(context, drop).await,
            Statement::AlterDatabaseSetProperties(alter) => {
                databases::set_properties(context, alter).await
            }
            Statement::CreateTable(create) => tables::create(context, create).await,
            Statement::CreateTableLike(create) => create_like::create(context, create).await,
            Statement::DropTable(drop) => tables::drop(context, drop).await,
            Statement::CreateIndex(create) => indexes::create(context, create).await,
            Statement::DropIndex(drop) => indexes::drop(drop),
            Statement::DropView(drop) => views::drop(context, drop).await,
            Statement::AlterTableRename(rename) => tables::rename(context, rename).await,
            Statement::MsckRepair(repair) => msck::repair(context, statement, repair).await,
            Statement::AlterTableAddPartitions(add) => partitions::add(context, add).await,
            Statement::AlterTableDropPartitions(drop) => partitions::drop(context, drop).await,
            Statement::AlterTableRenamePartition(rename) => {
                partitions::rename(context, rename).await
            }
            Statement::AlterTableAddColumns(alter) => alter::add_columns(context, alter).await,
            Statement::AlterTableReplaceColumns(alter) => {
                alter::replace_columns(context, alter).await
            }
            Statement::AlterTableColumn(alter) => alter_column::change(context, alter).await,
            Statement::CommentOn(comment) => comments::comment(context, comment).await,
            Statement::AlterTableSetProperties(alter) => {
                alter::set_properties(context, alter).await
            }
            Statement::AlterTableUnsetProperties(alter) => {
                alter::unset_properties(context, alter).await
            }
            Statement::AlterTableSetLocation(alter) => alter::set_location(context, alter).await,
            Statement::AlterTableSetSerdeProperties(alter) => {
                alter::set_serde(context, alter).await
            }
            Statement::AlterTableIfExists(alter) => alter::if_exists(context, alter).await,
            Statement::ShowDatabases(show) => show::databases(context, statement, show).await,
            Statement::ShowTables(show) => show::tables(context, statement, show).await,
            Statement::ShowViews(show) => show::views(context, statement, show).await,
            Statement::ShowColumns(show) => show::columns(context, statement, show).await,
            Statement::ShowPartitions(show) => partitions::show(context, statement, show).await,
            Statement::ShowCreateTable(show) => {
                create_table_text::show(context, statement, show).await
            }
            Statement::ShowCreateView(show) => views::show_create(context, statement, show).await,
            Statement::ShowTblProperties(show) => {
                show::table_properties(context, statement, show).await
            }
            Statement::ShowStats(show) => show_stats::show(context, statement, show).await,
            Statement::Describe(describe) => describe::describe(context, statement, describe).await,
            Statement::CreateUser(create) => principals::create_user(context, create).await,
            Statement::AlterUser(alter) => principals::alter_user(context, alter).await,
            Statement::DropUser(drop) => principals::drop_user(context, drop).await,
            Statement::CreateRole(create) => principals::create_role(context, create).await,
            Statement::DropRole(drop) => principals::drop_role(context, drop).await,
            Statement::GrantRole(grant) => principals::grant_role(context, grant).await,
            Statement::RevokeRole(revoke) => principals::revoke_role(context, revoke).await,
            Statement::Grant(grant) => grants::grant(context, grant).await,
            Statement::Revoke(revoke) => grants::revoke(context, revoke).await,
            Statement::ShowGrants(show) => grants::show(context, statement, show).await,
            Statement::ShowRoles(show) => principals::show_roles(context, statement, show),
            Statement::ShowUsers => principals::show_users(context, statement),
            Statement::CreateWorkgroup(create) => workgroups::create(context, create).await,
            Statement::AlterWorkgroup(alter) => workgroups::alter(context, alter).await,
            Statement::DropWorkgroup(drop) => workgroups::drop(context, drop).await,
            Statement::ShowWorkgroups => workgroups::show_all(context, statement),
            Statement::ShowWorkgroup(show) => workgroups::show(context, statement, show),
            other => Err(Error::not_supported(format!(
                "{} is not supported",
                other.tag()
            ))),
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::testing::Lake;
    use super::*;

    fn sendable<T: Send>(future: T) -> T {
        future
    }

    #[tokio::test]
    async fn statements_run_on_any_thread_and_others_are_not_taken() {
        let lake = Lake::new().await;
        let context = lake.context("admin").await;
        let parsed = lakegate_sql::parse("SHOW DATABASES; SELECT 1; BEGIN").unwrap();
        assert!(
            sendable(execute(&context, &parsed[0].statement))
                .await
                .is_ok()
        );
        for other in &parsed[1..] {
            let refused = execute(&context, &other.statement).await.unwrap_err();
            assert_eq!(refused.code(), lakegate_error::Code::NotSupported);
        }
    }
}
