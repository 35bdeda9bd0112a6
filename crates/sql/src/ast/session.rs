//! Settings, transactions and prepared statements of a session.

use sqlparser::ast;

use super::Statement;

/// `SET [SESSION|LOCAL] name {=|TO} value, ..`; also SET TIME ZONE (`timezone`), SET NAMES
/// (`client_encoding`), SET ROLE (`role`), SET SESSION AUTHORIZATION (`session_authorization`) and
/// SET SCHEMA (`search_path`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub scope: SetScope,
    /// Lower case; dotted for engine settings: `datafusion.execution.batch_size`.
    pub name: String,
    pub value: SetValue,
}

/// The scope of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetScope {
    Session,
    /// Until the transaction ends.
    Local,
}

/// The value of SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetValue {
    Default,
    /// At least one. Unquoted words are lower-cased, strings are as written, numbers keep their
    /// sign.
    Values(Vec<String>),
}

/// `SHOW name`, `SHOW TIME ZONE`, `SHOW TRANSACTION ISOLATION LEVEL`, `SHOW ALL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// Lower case: `timezone`, `transaction_isolation`.
    Setting(String),
    All,
}

/// `RESET name`, `RESET ALL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    Setting(String),
    All,
}

/// `DISCARD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Temp,
    Sequences,
}

/// The modes of a transaction that were specified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionModes {
    pub isolation: Option<Isolation>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// Isolation levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// The value of SHOW transaction_isolation.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "read uncommitted",
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        }
    }
}

/// `SET TRANSACTION ..` or `SET SESSION CHARACTERISTICS AS TRANSACTION ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetTransaction {
    /// Applies to the session's later transactions, not to this one.
    pub session: bool,
    pub modes: TransactionModes,
}

/// `BEGIN [WORK|TRANSACTION] ..`, `START TRANSACTION ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    pub modes: TransactionModes,
    /// Written as START TRANSACTION, which is then the command tag.
    pub start: bool,
}

/// `COMMIT`/`END` or `ROLLBACK`/`ABORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTransaction {
    /// `AND CHAIN`: a new transaction begins immediately.
    pub chain: bool,
}

/// A savepoint's name, of SAVEPOINT, RELEASE or ROLLBACK TO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Savepoint {
    pub name: String,
}

/// `PREPARE n [(types)] AS s`, Athena's `PREPARE n FROM s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepare {
    pub name: String,
    pub types: Vec<ast::DataType>,
    pub statement: Box<Statement>,
    /// The statement's source.
    pub text: String,
}

/// `EXECUTE n [(p, ..)]`, Athena's `EXECUTE n USING p, ..`.
#[derive(Debug, Clone, PartialEq)]
pub struct Execute {
    pub name: String,
    pub parameters: Vec<ast::Expr>,
}

/// Athena's `DESCRIBE {INPUT|OUTPUT} n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribePrepared {
    pub side: PreparedSide,
    pub name: String,
}

/// The parameters or the columns of a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreparedSide {
    Input,
    Output,
}

/// `DEALLOCATE [PREPARE] {n|ALL}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deallocate {
    /// `None`: ALL.
    pub name: Option<String>,
}
