//! Statements that write the rows of a query: CREATE TABLE AS, INSERT and UNLOAD;
//! and TRUNCATE and DELETE, which write none.

use std::fmt;

use sqlparser::ast;

use super::{OnCommit, PartitionValue, TableName};

/// `CREATE [OR REPLACE] TABLE [IF NOT EXISTS] t [(c, ..)] [COMMENT 'c'] [WITH (k = v, ..)] AS q
/// [WITH [NO] DATA]`, `CREATE TEMP TABLE .. AS q`, and PostgreSQL's `SELECT .. INTO [TEMP] t FROM ..`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTableAs {
    /// `Some`: it belongs to the session, and has no properties.
    pub temporary: Option<OnCommit>,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: TableName,
    /// New names of the query's columns, lower-cased. Empty: the query's own.
    pub columns: Vec<String>,
    pub comment: Option<String>,
    pub properties: Vec<WriteProperty>,
    pub query: Box<ast::Query>,
    /// `false`: the table is created empty.
    pub with_data: bool,
    /// It is written as SELECT INTO, which other dialects than PostgreSQL's do not have.
    pub select_into: bool,
}

/// `INSERT {INTO [TABLE] | OVERWRITE [TABLE|INTO]} t [AS a] [PARTITION (k = v, k2, ..)]
/// {[(c, ..)] q | DEFAULT VALUES} [RETURNING e, ..]`. DEFAULT in VALUES is NULL.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The rows take the place of those of the table.
    pub overwrite: bool,
    pub table: TableName,
    /// `PARTITION (k = v)`: keys that have one value in all rows, and are not columns of the query.
    pub fixed: Vec<PartitionValue>,
    /// `PARTITION (k)`: keys whose values are the last columns of the query, in this order.
    pub dynamic: Vec<String>,
    /// Lower case. Empty: all other columns, in the order of the table.
    pub columns: Vec<String>,
    pub query: Box<ast::Query>,
    /// DEFAULT VALUES: the query is one NULL, and stands for one in each column.
    pub only_defaults: bool,
    /// RETURNING, in PostgreSQL's dialect only: a query over the rows that are written, in place of
    /// which the table [`RETURNED`] of the schema of temporary tables stands. It has no subquery.
    pub returning: Option<Box<ast::Query>>,
}

/// The name of the table that [`Insert::returning`] reads.
pub const RETURNED: &str = "returning";

/// `UNLOAD (q) TO 's3://bucket/folder/' [WITH (k = v, ..)]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unload {
    pub query: Box<ast::Query>,
    pub location: String,
    pub properties: Vec<WriteProperty>,
}

/// `TRUNCATE [TABLE] [ONLY] t, .. [RESTART IDENTITY | CONTINUE IDENTITY] [CASCADE | RESTRICT]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Truncate {
    /// At least one.
    pub tables: Vec<TableName>,
    /// A query over no table, which does not run: the statement writes no rows.
    pub query: Box<ast::Query>,
}

/// `DELETE FROM [ONLY] t [[AS] a] [WHERE c]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub table: TableName,
    /// Lower case.
    pub alias: Option<String>,
    /// `SELECT 1 AS n [WHERE c]`, which holds the condition and does not run: the query that finds
    /// the rows depends on the table.
    pub query: Box<ast::Query>,
}

impl Delete {
    /// `None`: all rows are removed.
    pub fn condition(&self) -> Option<&ast::Expr> {
        match self.query.body.as_ref() {
            ast::SetExpr::Select(select) => select.selection.as_ref(),
            _ => None,
        }
    }
}

/// `k = v` of a WITH clause. Neither the name nor the type of the value is checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteProperty {
    /// Lower case.
    pub name: String,
    pub value: WriteValue,
}

/// The value of a [`WriteProperty`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteValue {
    Text(String),
    /// As written, with its sign.
    Number(String),
    Boolean(bool),
    /// `ARRAY['a', ..]`.
    Texts(Vec<String>),
}

/// As in a statement: `'GZIP'`, `3`, `true`, `ARRAY['a', 'b']`.
impl fmt::Display for WriteValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteValue::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            WriteValue::Number(number) => f.write_str(number),
            WriteValue::Boolean(value) => write!(f, "{value}"),
            WriteValue::Texts(texts) => {
                let quoted = texts.iter().map(|text| text.replace('\'', "''"));
                let quoted: Vec<String> = quoted.map(|text| format!("'{text}'")).collect();
                write!(f, "ARRAY[{}]", quoted.join(", "))
            }
        }
    }
}
