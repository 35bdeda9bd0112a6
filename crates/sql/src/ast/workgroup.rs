//! Workgroups, and the queries that run in them.

/// A value of a workgroup option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// As written, sign included: `1048576`, `0.5`.
    Number(String),
    String(String),
    Bool(bool),
    /// `NULL`, `DEFAULT`, `NONE`, `UNLIMITED`: resets to the default.
    Default,
}

/// `CREATE WORKGROUP [IF NOT EXISTS] w [WITH (option = value, ..)]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWorkgroup {
    pub if_not_exists: bool,
    pub name: String,
    /// Lower-case names.
    pub options: Vec<(String, OptionValue)>,
}

/// `ALTER WORKGROUP w ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterWorkgroup {
    pub name: String,
    pub change: WorkgroupChange,
}

/// What ALTER WORKGROUP changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkgroupChange {
    /// `SET (option = value, ..)`, `WITH (..)`, `SET option = value`, `RESET (option, ..)`
    Set(Vec<(String, OptionValue)>),
    Enable,
    Disable,
}

/// `DROP WORKGROUP [IF EXISTS] w`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropWorkgroup {
    pub if_exists: bool,
    pub name: String,
}

/// `SHOW WORKGROUP w`, `SHOW CREATE WORKGROUP w`. (`SHOW workgroup` alone is the session's setting:
/// `Show`.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowWorkgroup {
    pub name: String,
    /// `SHOW CREATE`: shows the workgroup as a statement.
    pub create: bool,
}

/// `KILL [QUERY] 'id'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// As written; not checked to be a valid id.
    pub query_id: String,
}
