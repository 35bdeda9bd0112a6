//! SQL cursors.

use sqlparser::ast;

/// `DECLARE n [BINARY] [[NO] SCROLL] CURSOR [{WITH|WITHOUT} HOLD] FOR q`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclareCursor {
    pub name: String,
    pub binary: bool,
    /// `None`: not specified.
    pub scroll: Option<bool>,
    pub hold: bool,
    pub query: Box<ast::Query>,
    /// The query's source.
    pub text: String,
}

/// `FETCH [direction] [FROM|IN] n`; `MOVE` likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    pub name: String,
    pub direction: FetchDirection,
}

/// The direction of a FETCH. `FETCH n` is `Forward(n)`; negative counts go backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchDirection {
    Next,
    Prior,
    First,
    Last,
    Absolute(i64),
    Relative(i64),
    Forward(i64),
    ForwardAll,
    Backward(i64),
    BackwardAll,
}

/// `CLOSE {n|ALL}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseCursor {
    /// `None`: ALL.
    pub name: Option<String>,
}
