//! The statement, and what applies to every statement.

use sqlparser::ast;

use super::*;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    // Queries
    Query(Box<ast::Query>),
    Explain(Explain),
    Copy(Copy),
    // Writes
    CopyFrom(Box<CopyFrom>),
    CreateTableAs(Box<CreateTableAs>),
    Insert(Box<Insert>),
    Unload(Box<Unload>),
    Truncate(Box<Truncate>),
    Delete(Box<Delete>),
    // Databases and tables
    Use(Use),
    CreateDatabase(CreateDatabase),
    DropDatabase(DropDatabase),
    AlterDatabaseSetProperties(AlterDatabaseSetProperties),
    CreateTable(Box<CreateTable>),
    CreateTableLike(Box<CreateTableLike>),
    DropTable(DropTable),
    CreateView(CreateView),
    DropView(DropView),
    MsckRepair(MsckRepair),
    AlterTableAddPartitions(AlterTableAddPartitions),
    AlterTableDropPartitions(AlterTableDropPartitions),
    AlterTableRenamePartition(AlterTableRenamePartition),
    AlterTableAddColumns(AlterTableAddColumns),
    AlterTableReplaceColumns(AlterTableReplaceColumns),
    AlterTableColumn(AlterTableColumn),
    AlterTableSetProperties(AlterTableSetProperties),
    AlterTableUnsetProperties(AlterTableUnsetProperties),
    AlterTableSetLocation(AlterTableSetLocation),
    AlterTableSetSerdeProperties(AlterTableSetSerdeProperties),
    AlterTableRename(AlterTableRename),
    AlterTableIfExists(AlterTableIfExists),
    CreateIndex(CreateIndex),
    DropIndex(DropIndex),
    CommentOn(CommentOn),
    Analyze(Analyze),
    ShowStats(ShowStats),
    ShowDatabases(ShowDatabases),
    ShowTables(ShowTables),
    ShowViews(ShowViews),
    ShowColumns(ShowColumns),
    ShowPartitions(ShowPartitions),
    ShowCreateTable(ShowCreateTable),
    ShowCreateView(ShowCreateView),
    ShowTblProperties(ShowTblProperties),
    ShowFunctions(ShowFunctions),
    Describe(Describe),
    // Access
    CreateUser(CreateUser),
    AlterUser(AlterUser),
    DropUser(DropUser),
    CreateRole(CreateRole),
    DropRole(DropRole),
    GrantRole(GrantRole),
    RevokeRole(RevokeRole),
    Grant(Grant),
    Revoke(Revoke),
    ShowGrants(ShowGrants),
    ShowRoles(ShowRoles),
    ShowUsers,
    // Workgroups
    CreateWorkgroup(CreateWorkgroup),
    AlterWorkgroup(AlterWorkgroup),
    DropWorkgroup(DropWorkgroup),
    ShowWorkgroups,
    ShowWorkgroup(ShowWorkgroup),
    Kill(Kill),
    // Session
    Set(Set),
    SetTransaction(SetTransaction),
    /// `SET CONSTRAINTS`: the first constraint that it names, `None` for ALL.
    SetConstraints(Option<String>),
    Show(Show),
    Reset(Reset),
    Discard(Discard),
    Begin(Begin),
    Commit(EndTransaction),
    Rollback(EndTransaction),
    Savepoint(Savepoint),
    ReleaseSavepoint(Savepoint),
    RollbackTo(Savepoint),
    Prepare(Prepare),
    Execute(Execute),
    Deallocate(Deallocate),
    DescribePrepared(DescribePrepared),
    DeclareCursor(DeclareCursor),
    Fetch(Fetch),
    MoveCursor(Fetch),
    CloseCursor(CloseCursor),
    /// `UNLISTEN {c|*}`: always succeeds, since LISTEN is not supported.
    Unlisten,
    /// `LOCK TABLE … IN ACCESS SHARE MODE`: the tables. Readers need no lock.
    LockTables(Vec<TableName>),
    /// Recognised, but not supported.
    Unsupported(Unsupported),
}

/// A statement that is recognised and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The unsupported statement: `ALTER TABLE .. EXCHANGE PARTITION`.
    pub what: String,
    /// The closest supported alternative, as a clause after `use`: `ALTER TABLE .. DROP PARTITION
    /// and ADD PARTITION`.
    pub nearest: Option<String>,
}

impl Unsupported {
    /// What PostgreSQL calls the query, `SELECT FOR UPDATE`, if it would lock rows.
    pub fn locking_query(&self) -> Option<&'static str> {
        const LOCKING: [&str; 4] = [
            "SELECT FOR UPDATE",
            "SELECT FOR NO KEY UPDATE",
            "SELECT FOR SHARE",
            "SELECT FOR KEY SHARE",
        ];
        let mut known = LOCKING.into_iter();
        known.find(|query| query.strip_prefix("SELECT ") == Some(self.what.as_str()))
    }

    /// `ALTER TABLE .. EXCHANGE PARTITION is not supported; use ALTER TABLE .. DROP PARTITION and
    /// ADD PARTITION`.
    pub fn message(&self) -> String {
        match &self.nearest {
            Some(nearest) => format!("{} is not supported; use {nearest}", self.what),
            None => format!("{} is not supported", self.what),
        }
    }
}

/// The kinds that Athena's StatementType and transaction blocks distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Changes databases, tables, partitions or workgroups, CREATE TABLE AS included.
    Ddl,
    /// Queries, EXPLAIN, COPY, INSERT, UNLOAD, TRUNCATE and DELETE.
    Dml,
    /// Shows what is in the catalog; ANALYZE and KILL.
    Utility,
    /// Settings, prepared statements, cursors.
    Session,
    Transaction,
    /// Changes users, roles and grants.
    Access,
}

impl Statement {
    /// Postgres' command tag without a row count: `CREATE DATABASE`, `SELECT`.
    pub fn tag(&self) -> &'static str {
        match self {
            Statement::Query(_) => "SELECT",
            Statement::Explain(_) => "EXPLAIN",
            Statement::Copy(_) | Statement::CopyFrom(_) => "COPY",
            Statement::CreateTableAs(_) => "CREATE TABLE AS",
            Statement::Insert(_) => "INSERT",
            Statement::Unload(_) => "UNLOAD",
            Statement::Truncate(_) => "TRUNCATE TABLE",
            Statement::Delete(_) => "DELETE",
            Statement::Use(_) => "USE",
            Statement::CreateDatabase(_) => "CREATE DATABASE",
            Statement::DropDatabase(_) => "DROP DATABASE",
            Statement::AlterDatabaseSetProperties(_) => "ALTER DATABASE",
            Statement::CreateTable(_) | Statement::CreateTableLike(_) => "CREATE TABLE",
            Statement::CreateIndex(_) => "CREATE INDEX",
            Statement::DropIndex(_) => "DROP INDEX",
            Statement::CommentOn(_) => "COMMENT",
            Statement::Analyze(_) => "ANALYZE",
            Statement::DropTable(_) => "DROP TABLE",
            Statement::CreateView(_) => "CREATE VIEW",
            Statement::DropView(_) => "DROP VIEW",
            Statement::MsckRepair(_) => "MSCK REPAIR TABLE",
            Statement::AlterTableRename(rename) if rename.only_view => "ALTER VIEW",
            Statement::AlterTableAddPartitions(_)
            | Statement::AlterTableDropPartitions(_)
            | Statement::AlterTableRenamePartition(_)
            | Statement::AlterTableAddColumns(_)
            | Statement::AlterTableReplaceColumns(_)
            | Statement::AlterTableColumn(_)
            | Statement::AlterTableSetProperties(_)
            | Statement::AlterTableUnsetProperties(_)
            | Statement::AlterTableSetLocation(_)
            | Statement::AlterTableSetSerdeProperties(_)
            | Statement::AlterTableRename(_)
            | Statement::AlterTableIfExists(_) => "ALTER TABLE",
            Statement::ShowDatabases(_)
            | Statement::ShowTables(_)
            | Statement::ShowViews(_)
            | Statement::ShowColumns(_)
            | Statement::ShowPartitions(_)
            | Statement::ShowCreateTable(_)
            | Statement::ShowCreateView(_)
            | Statement::ShowTblProperties(_)
            | Statement::ShowStats(_)
            | Statement::ShowFunctions(_)
            | Statement::ShowGrants(_)
            | Statement::ShowRoles(_)
            | Statement::ShowUsers
            | Statement::ShowWorkgroups
            | Statement::ShowWorkgroup(_)
            | Statement::Show(_) => "SHOW",
            Statement::Describe(_) => "DESCRIBE",
            Statement::CreateUser(_) => "CREATE USER",
            Statement::AlterUser(_) => "ALTER USER",
            Statement::DropUser(_) => "DROP USER",
            Statement::CreateRole(_) => "CREATE ROLE",
            Statement::DropRole(_) => "DROP ROLE",
            Statement::GrantRole(_) => "GRANT ROLE",
            Statement::RevokeRole(_) => "REVOKE ROLE",
            Statement::Grant(_) => "GRANT",
            Statement::Revoke(_) => "REVOKE",
            Statement::CreateWorkgroup(_) => "CREATE WORKGROUP",
            Statement::AlterWorkgroup(_) => "ALTER WORKGROUP",
            Statement::DropWorkgroup(_) => "DROP WORKGROUP",
            Statement::Kill(_) => "KILL",
            Statement::Set(_) | Statement::SetTransaction(_) => "SET",
            Statement::SetConstraints(_) => "SET CONSTRAINTS",
            Statement::Reset(_) => "RESET",
            Statement::Discard(Discard::All) => "DISCARD ALL",
            Statement::Discard(Discard::Plans) => "DISCARD PLANS",
            Statement::Discard(Discard::Temp) => "DISCARD TEMP",
            Statement::Discard(Discard::Sequences) => "DISCARD SEQUENCES",
            Statement::Begin(Begin { start: true, .. }) => "START TRANSACTION",
            Statement::Begin(_) => "BEGIN",
            Statement::Commit(_) => "COMMIT",
            Statement::Rollback(_) | Statement::RollbackTo(_) => "ROLLBACK",
            Statement::Savepoint(_) => "SAVEPOINT",
            Statement::ReleaseSavepoint(_) => "RELEASE",
            Statement::Prepare(_) => "PREPARE",
            Statement::Execute(_) => "EXECUTE",
            Statement::Deallocate(Deallocate { name: None }) => "DEALLOCATE ALL",
            Statement::Deallocate(_) => "DEALLOCATE",
            Statement::DescribePrepared(_) => "DESCRIBE",
            Statement::DeclareCursor(_) => "DECLARE CURSOR",
            Statement::Fetch(_) => "FETCH",
            Statement::MoveCursor(_) => "MOVE",
            Statement::CloseCursor(CloseCursor { name: None }) => "CLOSE CURSOR ALL",
            Statement::CloseCursor(_) => "CLOSE CURSOR",
            Statement::Unlisten => "UNLISTEN",
            Statement::LockTables(_) => "LOCK TABLE",
            Statement::Unsupported(_) => "UNSUPPORTED",
        }
    }

    /// The query whose rows the statement writes or counts; `None` if it does not write.
    pub fn written_query(&self) -> Option<&ast::Query> {
        match self {
            Statement::CreateTableAs(create) => Some(create.query.as_ref()),
            Statement::Insert(insert) => Some(insert.query.as_ref()),
            Statement::Unload(unload) => Some(unload.query.as_ref()),
            Statement::Truncate(truncate) => Some(truncate.query.as_ref()),
            Statement::Delete(delete) => Some(delete.query.as_ref()),
            _ => None,
        }
    }

    /// The query of a statement that is one, or that writes the rows of one.
    pub(crate) fn query_mut(&mut self) -> Option<&mut ast::Query> {
        match self {
            Statement::Query(query) => Some(query.as_mut()),
            Statement::CreateTableAs(create) => Some(create.query.as_mut()),
            Statement::Insert(insert) => Some(insert.query.as_mut()),
            Statement::Unload(unload) => Some(unload.query.as_mut()),
            Statement::Truncate(truncate) => Some(truncate.query.as_mut()),
            Statement::Delete(delete) => Some(delete.query.as_mut()),
            _ => None,
        }
    }

    /// Whether an explicit transaction block refuses the statement (25001), because it could not be
    /// rolled back.
    pub fn is_refused_in_transaction(&self) -> bool {
        if let Statement::Explain(explain) = self {
            return explain.statement.is_refused_in_transaction();
        }
        matches!(
            self,
            Statement::Unload(_)
                | Statement::MsckRepair(_)
                | Statement::CreateUser(_)
                | Statement::AlterUser(_)
                | Statement::DropUser(_)
                | Statement::CreateRole(_)
                | Statement::DropRole(_)
                | Statement::GrantRole(_)
                | Statement::RevokeRole(_)
                | Statement::CreateWorkgroup(_)
                | Statement::AlterWorkgroup(_)
                | Statement::DropWorkgroup(_)
        )
    }

    /// Whether the statement makes a table or a view that belongs to the session.
    pub fn makes_temporary(&self) -> bool {
        match self {
            Statement::CreateView(create) => create.temporary,
            Statement::CreateTable(create) => create.temporary.is_some(),
            Statement::CreateTableAs(create) => create.temporary.is_some(),
            _ => false,
        }
    }

    /// Whether the statement changes the catalog, and an explicit transaction block keeps the change
    /// for its COMMIT.
    pub fn is_kept_for_commit(&self) -> bool {
        if self.makes_temporary() {
            return false;
        }
        let changes = match self {
            Statement::Explain(explain) => explain.writes(),
            Statement::Analyze(_) | Statement::CopyFrom(_) => true,
            other => {
                let kind = other.kind();
                other.written_query().is_some()
                    || matches!(kind, StatementKind::Ddl | StatementKind::Access)
            }
        };
        changes && !self.is_refused_in_transaction()
    }

    /// Whether the statement changes what is stored, so that a read-only transaction refuses it.
    pub fn is_refused_read_only(&self) -> bool {
        match self {
            Statement::Explain(explain) => explain.writes(),
            Statement::Analyze(_) => false,
            other => {
                other.is_kept_for_commit()
                    || other.is_refused_in_transaction()
                    || other.makes_temporary()
            }
        }
    }

    /// The kind of this statement.
    pub fn kind(&self) -> StatementKind {
        match self {
            Statement::Query(_)
            | Statement::Explain(_)
            | Statement::Copy(_)
            | Statement::CopyFrom(_)
            | Statement::Insert(_)
            | Statement::Unload(_)
            | Statement::Truncate(_)
            | Statement::Delete(_) => StatementKind::Dml,
            Statement::CreateDatabase(_)
            | Statement::DropDatabase(_)
            | Statement::AlterDatabaseSetProperties(_)
            | Statement::CreateTable(_)
            | Statement::CreateTableLike(_)
            | Statement::CreateTableAs(_)
            | Statement::DropTable(_)
            | Statement::CreateView(_)
            | Statement::DropView(_)
            | Statement::MsckRepair(_)
            | Statement::AlterTableAddPartitions(_)
            | Statement::AlterTableDropPartitions(_)
            | Statement::AlterTableRenamePartition(_)
            | Statement::AlterTableAddColumns(_)
            | Statement::AlterTableReplaceColumns(_)
            | Statement::AlterTableColumn(_)
            | Statement::AlterTableSetProperties(_)
            | Statement::AlterTableUnsetProperties(_)
            | Statement::AlterTableSetLocation(_)
            | Statement::AlterTableSetSerdeProperties(_)
            | Statement::AlterTableRename(_)
            | Statement::AlterTableIfExists(_)
            | Statement::CreateIndex(_)
            | Statement::DropIndex(_)
            | Statement::CommentOn(_)
            | Statement::CreateWorkgroup(_)
            | Statement::AlterWorkgroup(_)
            | Statement::DropWorkgroup(_) => StatementKind::Ddl,
            Statement::ShowDatabases(_)
            | Statement::ShowTables(_)
            | Statement::ShowViews(_)
            | Statement::ShowColumns(_)
            | Statement::ShowPartitions(_)
            | Statement::ShowCreateTable(_)
            | Statement::ShowCreateView(_)
            | Statement::ShowTblProperties(_)
            | Statement::ShowFunctions(_)
            | Statement::ShowGrants(_)
            | Statement::ShowRoles(_)
            | Statement::ShowUsers
            | Statement::ShowWorkgroups
            | Statement::ShowWorkgroup(_)
            | Statement::ShowStats(_)
            | Statement::Analyze(_)
            | Statement::Describe(_)
            | Statement::Kill(_)
            | Statement::Unsupported(_) => StatementKind::Utility,
            Statement::CreateUser(_)
            | Statement::AlterUser(_)
            | Statement::DropUser(_)
            | Statement::CreateRole(_)
            | Statement::DropRole(_)
            | Statement::GrantRole(_)
            | Statement::RevokeRole(_)
            | Statement::Grant(_)
            | Statement::Revoke(_) => StatementKind::Access,
            Statement::Use(_)
            | Statement::Set(_)
            | Statement::SetTransaction(_)
            | Statement::SetConstraints(_)
            | Statement::Show(_)
            | Statement::Reset(_)
            | Statement::Discard(_)
            | Statement::Prepare(_)
            | Statement::Execute(_)
            | Statement::Deallocate(_)
            | Statement::DescribePrepared(_)
            | Statement::DeclareCursor(_)
            | Statement::Fetch(_)
            | Statement::MoveCursor(_)
            | Statement::CloseCursor(_)
            | Statement::Unlisten
            | Statement::LockTables(_) => StatementKind::Session,
            Statement::Begin(_)
            | Statement::Commit(_)
            | Statement::Rollback(_)
            | Statement::Savepoint(_)
            | Statement::ReleaseSavepoint(_)
            | Statement::RollbackTo(_) => StatementKind::Transaction,
        }
    }
}
