//! Finds the parts of a plan that are equal.
//!
//! The plan is walked once, with the subqueries of its expressions: each node gets a number, in the
//! order of the walk, and a hash of its subtree. From the top down, subtrees of one hash are then
//! compared. What is in the first of several equal subtrees is computed where that one is, so it may
//! hold, or be equal to, further ones; what is in the others is not looked at any more.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{
    Transformed, TransformedResult, TreeNode, TreeNodeRecursion, TreeNodeVisitor,
};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, Volatility};

use super::part::Part;
use super::standing_for;
use crate::barrier::view_of;
use crate::stop::check;

/// A plan, and the parts that it reads.
pub(super) struct Divided {
    pub plan: LogicalPlan,
    /// A part comes after those that it reads.
    pub parts: Vec<(Arc<Part>, LogicalPlan)>,
}

/// Returns a plan whose equal parts are read from one place; `None` if it has none. `bound`: bytes
/// of rows that its parts keep in memory.
///
/// # Errors
///
/// Returns an error if planning must stop.
pub(super) fn divided(plan: &LogicalPlan, bound: usize) -> Result<Option<Divided>> {
    if !reads_a_table_twice(plan)? {
        return Ok(None);
    }
    let mut survey = Survey::default();
    plan.visit_with_subqueries(&mut survey)?;
    let places = survey.places()?;
    let mut firsts: Vec<usize> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        // Places are numbered in the order of their first nodes.
        if *place == Some(firsts.len()) {
            firsts.push(index);
        }
    }
    if firsts.is_empty() {
        return Ok(None);
    }
    // What a part reads is smaller than the part.
    let mut order: Vec<usize> = (0..firsts.len()).collect();
    let size = |place: &usize| firsts.get(*place).map_or(0, |first| survey.size(*first));
    order.sort_by_key(size);
    let mut numbers = vec![0; firsts.len()];
    for (number, place) in (1..).zip(&order) {
        if let Some(known) = numbers.get_mut(*place) {
            *known = number;
        }
    }
    let bound = bound / firsts.len();
    let parts: Vec<Arc<Part>> = firsts
        .iter()
        .zip(numbers)
        .filter_map(|(first, number)| {
            let schema = survey.nodes.get(*first)?.plan.schema();
            Some(Arc::new(Part::new(number, Arc::clone(schema), bound)))
        })
        .collect();
    let rewriter = Rewriter {
        survey: &survey,
        places: &places,
        parts: &parts,
    };
    let Some(plan) = rewriter.rewritten(plan.clone(), 0, false)? else {
        return Ok(None);
    };
    let mut divided = Divided {
        plan,
        parts: Vec::new(),
    };
    for place in order {
        let (Some(part), Some(first)) = (parts.get(place), firsts.get(place)) else {
            return Ok(None);
        };
        let Some(node) = survey.nodes.get(*first) else {
            return Ok(None);
        };
        let Some(plan) = rewriter.rewritten(node.plan.clone(), *first, true)? else {
            return Ok(None);
        };
        divided.parts.push((Arc::clone(part), plan));
    }
    Ok(Some(divided))
}

/// Few plans read a table twice, and others have no equal parts.
fn reads_a_table_twice(plan: &LogicalPlan) -> Result<bool> {
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
fn address(source: &Arc<dyn TableSource>) -> usize {
    Arc::as_ptr(source).cast::<()>().addr()
}

/// The nodes of a plan, numbered in the order of the walk.
#[derive(Default)]
struct Survey {
    nodes: Vec<Node>,
    /// The nodes that the walk is in.
    open: Vec<usize>,
}

struct Node {
    plan: LogicalPlan,
    parent: Option<usize>,
    /// The number after the last one of the subtree.
    end: usize,
    hash: u64,
    /// The table that is scanned.
    source: Option<usize>,
    /// The nearest barrier above. EXPLAIN shows what is outside of a barrier, which must not tell of
    /// what is inside.
    barrier: Option<usize>,
    /// Whether all that it computes may be computed once for several readers.
    can_be_shared: bool,
    /// Whether it computes more than a reader could read again.
    is_costly: bool,
    has_scan: bool,
    /// Whether something above runs it several times, or is no query.
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
    fn size(&self, index: usize) -> usize {
        self.nodes.get(index).map_or(0, |node| node.end - index)
    }

    /// Returns for each node the number of the set of equal subtrees that it is the root of one of.
    ///
    /// # Errors
    ///
    /// Returns an error if planning must stop.
    fn places(&self) -> Result<Vec<Option<usize>>> {
        let mut alike: HashMap<(u64, Option<usize>), Vec<usize>> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if self.is_candidate(node) {
                let key = (node.hash, node.barrier);
                alike.entry(key).or_default().push(index);
            }
        }
        let mut places: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut is_gone = vec![false; self.nodes.len()];
        let mut count = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            let is_free = |other: usize| {
                places.get(other) == Some(&None) && is_gone.get(other) == Some(&false)
            };
            if !is_free(index) || !self.is_candidate(node) {
                continue;
            }
            check()?;
            let others = alike.get(&(node.hash, node.barrier));
            let equal: Vec<usize> = others
                .into_iter()
                .flatten()
                .copied()
                .filter(|other| *other > index && is_free(*other) && self.are_equal(index, *other))
                .collect();
            let is_in_more = |inner: &Node| {
                let alike = alike
                    .get(&(inner.hash, inner.barrier))
                    .into_iter()
                    .flatten();
                alike.filter(|other| is_free(**other)).count() > equal.len() + 1
            };
            if equal.is_empty() || self.passed_on(index).is_some_and(is_in_more) {
                continue;
            }
            for other in equal {
                places[other] = Some(count);
                let end = other + self.size(other);
                is_gone[other + 1..end].fill(true);
            }
            places[index] = Some(count);
            count += 1;
        }
        Ok(places)
    }

    fn is_candidate(&self, node: &Node) -> bool {
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
    fn passed_on(&self, index: usize) -> Option<&Node> {
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

    fn are_equal(&self, one: usize, other: usize) -> bool {
        if self.size(one) != self.size(other) {
            return false;
        }
        let sources = |first: usize| {
            let nodes = self.nodes.iter().skip(first).take(self.size(first));
            nodes.map(|node| node.source)
        };
        let plan = |index: usize| self.nodes.get(index).map(|node| &node.plan);
        let (Some(a), Some(b)) = (plan(one), plan(other)) else {
            return false;
        };
        sources(one).eq(sources(other)) && a.schema() == b.schema() && a == b
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

/// Puts readers in the places of the shared parts.
struct Rewriter<'a> {
    survey: &'a Survey,
    places: &'a [Option<usize>],
    parts: &'a [Arc<Part>],
}

impl Rewriter<'_> {
    /// Returns a plan whose first node has the number `first`; `None` if this walk is not that of the
    /// survey. `is_part`: the first node stays, because the plan is that of its part.
    fn rewritten(
        &self,
        plan: LogicalPlan,
        first: usize,
        is_part: bool,
    ) -> Result<Option<LogicalPlan>> {
        let mut next = first;
        let mut is_lost = false;
        let rewritten = plan
            .transform_down_with_subqueries(|plan| {
                let index = next;
                next += 1;
                let place = self.places.get(index).copied().flatten();
                let part = place.and_then(|place| self.parts.get(place));
                let part = part.filter(|_| !(is_part && index == first));
                let (Some(part), Some(node)) = (part, self.survey.nodes.get(index)) else {
                    return Ok(Transformed::no(plan));
                };
                if node.plan != plan {
                    is_lost = true;
                    return Ok(Transformed::no(plan));
                }
                next = node.end;
                Ok(Transformed::yes(standing_for(part)))
            })
            .data()?;
        Ok((!is_lost).then_some(rewritten))
    }
}
