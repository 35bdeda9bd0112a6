//! A plan as PostgreSQL's EXPLAIN shows it.
//!
//! ```text
//! Limit  (cost=14.21..14.21 rows=3 width=32)
//!   ->  Sort  (cost=14.21..14.24 rows=13 width=32)
//!         Sort Key: order_id
//!         ->  Seq Scan on curated.orders  (cost=0.00..14.02 rows=13 width=32)
//!               Filter: (total > 100)
//! ```
//!
//! [`build`] makes the tree of an operator tree, with [`scans`], [`joins`] and [`aggregates`]: an
//! operator that only passes rows on, filters them or computes columns is part of the node below it,
//! as in PostgreSQL. [`print`] writes it as text, and with [`documents`] as JSON, YAML or XML. The
//! plan shows granted columns only, and neither files nor positions of columns; it ends at a view
//! that the principal may not look into.

mod aggregates;
mod build;
mod documents;
mod expressions;
mod joins;
mod numbers;
mod print;
mod scans;

use serde_json::Value;

pub(crate) use self::build::of;
pub(crate) use self::documents::Document;
use self::numbers::{Cost, Ran};
pub(crate) use self::print::{document, text};
pub(crate) use self::scans::Relation;

/// What of a plan is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub costs: bool,
    /// Whether the query ran.
    pub analyze: bool,
    /// Whether the times of nodes are shown, of a query that ran.
    pub timing: bool,
    /// Whether the columns of each node are shown.
    pub verbose: bool,
}

/// A node with its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// How a text names it: `Seq Scan on curated.orders`.
    pub label: String,
    /// PostgreSQL's type of node: `Seq Scan`.
    pub kind: String,
    /// What else JSON says of the node, such as `Strategy` and `Join Type`.
    pub attributes: Vec<(&'static str, Value)>,
    pub cost: Cost,
    /// Measurements of a query that ran; `None` if the node has none.
    pub ran: Option<Ran>,
    /// The names or expressions of the columns.
    pub output: Vec<String>,
    /// Keys, conditions and filters, in the order of their lines.
    pub facts: Vec<(&'static str, Fact)>,
    pub inputs: Vec<Input>,
}

/// A line beneath a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Text(String),
    List(Vec<String>),
    Count(u64),
}

/// What a node is to its parent.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    Outer,
    Inner,
    Member,
    /// A subquery that runs once, with its label: `InitPlan 1 (returns $0)`.
    InitPlan(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub role: Role,
    pub node: Node,
}

impl Node {
    fn new(kind: &str, cost: Cost) -> Self {
        Self {
            label: kind.to_owned(),
            kind: kind.to_owned(),
            attributes: Vec::new(),
            cost,
            ran: None,
            output: Vec::new(),
            facts: Vec::new(),
            inputs: Vec::new(),
        }
    }

    fn labelled(mut self, label: String) -> Self {
        self.label = label;
        self
    }

    fn with_attribute(mut self, name: &'static str, value: &str) -> Self {
        self.attributes.push((name, Value::from(value)));
        self
    }

    fn with_fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }

    fn with_input(mut self, role: Role, node: Node) -> Self {
        self.inputs.push(Input { role, node });
        self
    }

    /// Whether the node has a line of this name.
    fn has(&self, name: &str) -> bool {
        self.facts.iter().any(|(known, _)| *known == name)
    }
}

#[cfg(test)]
mod tests;
