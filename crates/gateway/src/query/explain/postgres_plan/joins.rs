//! The nodes of joins.

use std::sync::Arc;

use datafusion::common::{JoinType, NullEquality};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};

use super::build::Builder;
use super::expressions::{all, sql};
use super::numbers::{Cost, FILTER_PART, width};
use super::{Fact, Node, Role};

impl Builder<'_> {
    pub(super) fn hash_joined(&self, plan: &Arc<dyn ExecutionPlan>, join: &HashJoinExec) -> Node {
        // The left input is hashed. PostgreSQL has it on the right.
        let (built, outer) = (self.input(plan, 0), self.input(plan, 1));
        let operator = match join.null_equality() {
            NullEquality::NullEqualsNothing => "=",
            NullEquality::NullEqualsNull => "IS NOT DISTINCT FROM",
        };
        let conditions: Vec<String> = join
            .on()
            .iter()
            .map(|(left, right)| format!("({} {operator} {})", sql(right), sql(left)))
            .collect();
        let rows = self.joined_rows(plan, *join.join_type(), &outer, &built);
        let operations = outer.cost.rows + built.cost.rows;
        let width = width(&plan.schema());
        let cost = Cost::join(outer.cost, built.cost, operations, rows, width);
        let mut hash = Node::new("Hash", built.cost);
        hash.cost.startup = hash.cost.total;
        hash.ran = built.ran;
        hash.output = built.output.clone();
        let hash = hash.with_input(Role::Outer, built);
        let mut node = joined("Hash Join", *join.join_type(), cost)
            .with_fact("Hash Cond", Fact::Text(all(&conditions)));
        if let Some(filter) = join.filter() {
            node = node.with_fact("Join Filter", Fact::Text(sql(filter.expression())));
        }
        let node = node
            .with_input(Role::Outer, outer)
            .with_input(Role::Inner, hash);
        self.finished(plan, node)
    }

    pub(super) fn merge_joined(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        join: &SortMergeJoinExec,
    ) -> Node {
        let (outer, inner) = (self.input(plan, 0), self.input(plan, 1));
        let conditions = join.on().iter();
        let conditions: Vec<String> = conditions
            .map(|(left, right)| format!("({} = {})", sql(left), sql(right)))
            .collect();
        // Its outer input is the left one.
        let join_type = join.join_type().swap();
        let rows = self.joined_rows(plan, join_type, &outer, &inner);
        let operations = outer.cost.rows + inner.cost.rows;
        let inputs = [outer.cost, inner.cost];
        let cost = Cost::along(&inputs, operations, rows, width(&plan.schema()));
        let mut node = joined("Merge Join", join_type, cost)
            .with_fact("Merge Cond", Fact::Text(all(&conditions)));
        if let Some(filter) = join.filter() {
            node = node.with_fact("Join Filter", Fact::Text(sql(filter.expression())));
        }
        let node = node
            .with_input(Role::Outer, outer)
            .with_input(Role::Inner, inner);
        self.finished(plan, node)
    }

    pub(super) fn looped(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        join_type: JoinType,
        filter: Option<String>,
    ) -> Node {
        // The left input is gathered. PostgreSQL has it on the right.
        let (inner, outer) = (self.input(plan, 0), self.input(plan, 1));
        let pairs = outer.cost.rows * inner.cost.rows;
        let rows = match (self.rows(plan), &filter) {
            (Some(rows), _) => rows,
            (None, Some(_)) => (pairs * FILTER_PART).max(1.0),
            (None, None) => pairs,
        };
        let width = width(&plan.schema());
        let cost = Cost::join(outer.cost, inner.cost, pairs, rows, width);
        let mut node = joined("Nested Loop", join_type, cost);
        if let Some(filter) = filter {
            node = node.with_fact("Join Filter", Fact::Text(filter));
        }
        let node = node
            .with_input(Role::Outer, outer)
            .with_input(Role::Inner, inner);
        self.finished(plan, node)
    }

    fn joined_rows(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        join_type: JoinType,
        outer: &Node,
        built: &Node,
    ) -> f64 {
        let (outer, built) = (outer.cost.rows, built.cost.rows);
        self.rows(plan).unwrap_or(match join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => built,
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => outer,
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => outer.max(built),
        })
    }
}

/// Returns the node of a join, named as PostgreSQL names it from its outer input's side, which is
/// the right input of `join_type`.
fn joined(kind: &'static str, join_type: JoinType, cost: Cost) -> Node {
    let (word, named) = match join_type {
        JoinType::Inner => ("", "Inner"),
        JoinType::Right => ("Left ", "Left"),
        JoinType::Left => ("Right ", "Right"),
        JoinType::Full => ("Full ", "Full"),
        JoinType::RightSemi => ("Semi ", "Semi"),
        JoinType::LeftSemi => ("Right Semi ", "Right Semi"),
        JoinType::RightAnti => ("Anti ", "Anti"),
        JoinType::LeftAnti => ("Right Anti ", "Right Anti"),
        JoinType::RightMark => ("Mark ", "Mark"),
        JoinType::LeftMark => ("Right Mark ", "Right Mark"),
    };
    let label = match (kind, word) {
        (kind, "") => kind.to_owned(),
        ("Nested Loop", word) => format!("Nested Loop {word}Join"),
        (kind, word) => format!("{}{word}Join", kind.trim_end_matches("Join")),
    };
    Node::new(kind, cost)
        .labelled(label)
        .with_attribute("Join Type", named)
}
