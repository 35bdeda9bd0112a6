//! SQL/JSON paths such as `lax $.items[*]?(@.price > 10).name`.
//!
//! ```text
//! parse/        a text to a Path
//! items.rs      the items that a path finds; arithmetic and comparison
//! datetime.rs   the items that datetime() finds; template.rs: by a template
//! eval/         finds the items of a value
//! ```

mod datetime;
mod eval;
mod items;
mod parse;
mod template;

pub use eval::JsonMisfit;
pub(super) use eval::{Failure, Row, evaluate};
pub(super) use items::{Item, Num};
use template::Template;

/// A path.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::json) struct Path {
    /// Whether arrays are unwrapped, values wrapped, and missing items left out.
    lax: bool,
    /// Whether it is a `jsonpath` of PostgreSQL: its numbers are exact, in lax mode one comparison
    /// that is true decides, and `keyvalue()` names the name `key`.
    of_postgres: bool,
    root: Node,
}

impl Path {
    /// The path of a whole value.
    pub(in crate::json) fn context() -> Self {
        Self {
            lax: false,
            of_postgres: false,
            root: Node::Context,
        }
    }
}

/// What has a sequence of items as its value.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Null,
    Boolean(bool),
    Number(Num),
    Text(String),
    /// `$`
    Context,
    /// `$name`
    Variable(String),
    /// `@`
    Current,
    /// `last`
    Last,
    /// Sums and products, from left to right.
    Arithmetic(Box<Node>, Vec<(Operator, Node)>),
    Negated(Box<Node>),
    /// `+x`
    Numeric(Box<Node>),
    Accessed(Box<Node>, Vec<Accessor>),
    /// Whether a predicate is true; `null` if that is unknown.
    Judged(Box<Predicate>),
}

/// The level of the values that have no others within.
const LEAVES: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq)]
enum Accessor {
    Member(String),
    AnyMember,
    /// `..name`
    Descendant(String),
    /// `.**{2 to 4}`: what is so many levels below. The last level is [`LEAVES`], which as the first
    /// too means what is neither an array nor an object.
    Levels(u32, u32),
    /// Subscripts: one index, or the first and the last.
    Elements(Vec<(Node, Option<Node>)>),
    AnyElement,
    Filter(Predicate),
    Method(Method),
    /// `.datetime("HH24:MI")`
    Templated(Template),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Type,
    Size,
    Double,
    Ceiling,
    Floor,
    Abs,
    KeyValue,
    Datetime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is true, false or unknown.
#[derive(Debug, Clone, PartialEq)]
enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Unknown(Box<Predicate>),
    Exists(Box<Node>),
    StartsWith(Box<Node>, Box<Node>),
    /// A pattern with its flags, in the syntax of Java.
    LikeRegex(Box<Node>, String),
    Compared(Box<Node>, Comparison, Box<Node>),
}
