//! The nodes of a plan, in the order of one walk.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{
    Transformed, TransformedResult, TreeNode, TreeNodeRecursion, TreeNodeVisitor,
};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, Volatility};

use crate::barrier::view_of;
use crate::limits::stop::check;

/// Few plans read a table twice, and others have no equal parts.
pub(super) fn reads_a_table_twice(plan: &LogicalPlan) -> Result<bool> {
    let mut seen = HashSet::new();
    let mut again = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && !seen.insert(address(&scan.source))
        {
            again = true;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(again)
}

/// Tells tables apart, which plans do not compare: tables of one name may have different grants.
pub(super) fn address(source: &Arc<dyn TableSource>) -> usize {
    Arc::as_ptr(source).cast::<()>().addr()
}

/// Returns whether plans are equal and read the same tables, which plans do not compare.
pub(super) fn are_equal(one: &LogicalPlan, other: &LogicalPlan) -> bool {
    one.schema() == other.schema() && one == other && sources(one) == sources(other)
}

fn sources(plan: &LogicalPlan) -> Option<Vec<usize>> {
    let mut sources = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            sources.push(address(&scan.source));
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .ok()?;
    Some(sources)
}

/// The nodes of a plan, numbered in the order of the walk.
#[derive(Default)]
pub(super) struct Survey {
    pub nodes: Vec<Node>,
    /// The nodes that the walk is in.
    open: Vec<usize>,
}

pub(super) struct Node {
    pub plan: LogicalPlan,
    parent: Option<usize>,
    /// The number after the last one of the subtree.
    end: usize,
    pub hash: u64,
    /// The table that is scanned.
    pub source: Option<usize>,
    /// The nearest barrier above. EXPLAIN shows what is outside of a barrier, which must not tell of
    /// what is inside.
    pub barrier: Option<usize>,
    /// Whether all that it computes may be computed once for several readers.
    can_be_shared: bool,
    /// Whether it computes more than a reader could read again.
    is_costly: bool,
    has_scan: bool,
    /// Whether something above runs it several times, or is not a query.
    is_blocked: bool,
}

impl<'n> TreeNodeVisitor<'n> for Survey {
    type Node = LogicalPlan;

    fn f_down(&mut self, plan: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        check()?;
        let index = self.nodes.len();
        let parent = self.open.last().copied();
        let above = parent.and_then(|parent| self.nodes.get(parent));
        let barrier = above.and_then(|above| match view_of(&above.plan) {
            Some(_) => parent,
            None => above.barrier,
        });
        let is_blocked = above.is_some_and(|above| above.is_blocked || !is_query(&above.plan));
        let source = match plan {
            LogicalPlan::TableScan(scan) => Some(address(&scan.source)),
            _ => None,
        };
        let mut hasher = DefaultHasher::new();
        std::mem::discriminant(plan).hash(&mut hasher);
        source.hash(&mut hasher);
        let mut is_repeatable = true;
        plan.apply_expressions(|root| {
            root.hash(&mut hasher);
            root.apply(|expr| {
                is_repeatable &= !varies(expr);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        self.nodes.push(Node {
            plan: plan.clone(),
            parent,
            end: index + 1,
            hash: hasher.finish(),
            source,
            barrier,
            can_be_shared: is_repeatable && is_query(plan),
            is_costly: is_costly(plan),
            has_scan: source.is_some(),
            is_blocked,
        });
        self.open.push(index);
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        let end = self.nodes.len();
        let Some(node) = self.open.pop().and_then(|index| self.nodes.get_mut(index)) else {
            return Ok(TreeNodeRecursion::Continue);
        };
        node.end = end;
        let (parent, hash) = (node.parent, node.hash);
        let (can_be_shared, is_costly, has_scan) =
            (node.can_be_shared, node.is_costly, node.has_scan);
        if let Some(above) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            let mut hasher = DefaultHasher::new();
            (above.hash, hash).hash(&mut hasher);
            above.hash = hasher.finish();
            above.can_be_shared &= can_be_shared;
            above.is_costly |= is_costly;
            above.has_scan |= has_scan;
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

impl Survey {
    /// Walks a plan, with the subqueries of its expressions.
    ///
    /// # Errors
    ///
    /// Returns an error if planning must stop.
    pub(super) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut survey = Self::default();
        plan.visit_with_subqueries(&mut survey)?;
        Ok(survey)
    }

    /// The number of nodes of a subtree.
    pub(super) fn size(&self, index: usize) -> usize {
        self.nodes.get(index).map_or(0, |node| node.end - index)
    }

    /// Returns whether no node of a subtree is gone.
    pub(super) fn is_whole(&self, index: usize, is_gone: &[bool]) -> bool {
        let nodes = is_gone.get(index..index + self.size(index));
        nodes.is_some_and(|nodes| !nodes.contains(&true))
    }

    /// The tables that a subtree scans, in the order of the walk.
    pub(super) fn sources(&self, index: usize) -> impl Iterator<Item = usize> {
        let nodes = self.nodes.iter().skip(index).take(self.size(index));
        nodes.filter_map(|node| node.source)
    }

    /// Returns whether a subtree may be computed once for several readers.
    pub(super) fn is_candidate(&self, node: &Node) -> bool {
        node.can_be_shared
            && node.is_costly
            && node.has_scan
            && !node.is_blocked
            && !matches!(node.plan, LogicalPlan::Subquery(_))
            && !self.is_limited(node)
            && !self.is_in_region(node)
    }

    /// Returns what the operators that only rename, drop and compute columns read: it may be shared
    /// by more readers than these operators.
    pub(super) fn passed_on(&self, index: usize) -> Option<&Node> {
        let mut nodes = self.nodes.iter().skip(index).peekable();
        nodes.next_if(|node| renames(&node.plan))?;
        while nodes.next_if(|node| renames(&node.plan)).is_some() {}
        nodes.next().filter(|node| self.is_candidate(node))
    }

    /// Returns whether a plan is a part of inner joins: the best order of all of them may differ from
    /// place to place, and so does what their filters leave of each table.
    fn is_in_region(&self, node: &Node) -> bool {
        let mut core = &node.plan;
        loop {
            core = match core {
                LogicalPlan::Projection(next) => next.input.as_ref(),
                LogicalPlan::SubqueryAlias(next) => next.input.as_ref(),
                LogicalPlan::Filter(next) => next.input.as_ref(),
                _ => break,
            };
        }
        let mut above = node.parent.and_then(|parent| self.nodes.get(parent));
        while let Some(next) = above
            && (renames(&next.plan) || matches!(next.plan, LogicalPlan::Filter(_)))
        {
            above = next.parent.and_then(|parent| self.nodes.get(parent));
        }
        is_inner_join(core) && above.is_some_and(|above| is_inner_join(&above.plan))
    }

    /// Returns whether only the first rows are read: computing them alone may cost much less.
    fn is_limited(&self, node: &Node) -> bool {
        let mut above = node.parent.and_then(|parent| self.nodes.get(parent));
        while let Some(next) = above
            && renames(&next.plan)
        {
            above = next.parent.and_then(|parent| self.nodes.get(parent));
        }
        above.is_some_and(|above| matches!(above.plan, LogicalPlan::Limit(_)))
    }

    pub(super) fn are_equal(&self, one: usize, other: usize) -> bool {
        let plan = |index: usize| self.nodes.get(index).map(|node| &node.plan);
        let (Some(a), Some(b)) = (plan(one), plan(other)) else {
            return false;
        };
        self.size(one) == self.size(other)
            && self.sources(one).eq(self.sources(other))
            && a.schema() == b.schema()
            && a == b
    }

    /// Returns the subtree of node `first`, whose plan is `plan`, with other plans in the places of
    /// nodes; `None` if this walk is not that of the survey.
    ///
    /// # Errors
    ///
    /// Returns the errors of the walk.
    pub(super) fn rewritten(
        &self,
        plan: LogicalPlan,
        first: usize,
        instead: impl Fn(usize) -> Option<LogicalPlan>,
    ) -> Result<Option<LogicalPlan>> {
        let mut next = first;
        let mut is_lost = false;
        let rewritten = plan
            .transform_down_with_subqueries(|plan| {
                let index = next;
                next += 1;
                let (Some(other), Some(node)) = (instead(index), self.nodes.get(index)) else {
                    return Ok(Transformed::no(plan));
                };
                if node.plan != plan {
                    is_lost = true;
                    return Ok(Transformed::no(plan));
                }
                next = node.end;
                Ok(Transformed::new(other, true, TreeNodeRecursion::Jump))
            })
            .data()?;
        Ok((!is_lost).then_some(rewritten))
    }
}

/// Returns whether an operator is part of a query that is run once.
fn is_query(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_) => true,
        LogicalPlan::Subquery(subquery) => subquery.outer_ref_columns.is_empty(),
        LogicalPlan::Extension(_) => view_of(plan).is_some(),
        // The steps of a recursive query are run again and again.
        LogicalPlan::RecursiveQuery(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => false,
    }
}

fn is_costly(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Aggregate(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Distinct(_)
    )
}

/// Returns whether an operator only renames, drops and computes columns.
fn renames(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_)
    )
}

fn is_inner_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.join_type == JoinType::Inner)
}

/// Returns whether an expression may differ between two readings of the same rows.
fn varies(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Volatile,
        Expr::HigherOrderFunction(call) => call.func.signature().volatility == Volatility::Volatile,
        Expr::AggregateFunction(call) => call.func.signature().volatility == Volatility::Volatile,
        Expr::WindowFunction(call) => call.fun.signature().volatility == Volatility::Volatile,
        Expr::OuterReferenceColumn(..) | Expr::Placeholder(_) => true,
        _ => false,
    }
}
