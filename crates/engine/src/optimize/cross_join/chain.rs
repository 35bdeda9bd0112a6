//! A chain of inner joins, and the order in which its parts are joined.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::utils::can_hash;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, Join, JoinConstraint, LogicalPlan, Operator,
    Projection, and, build_join_schema,
};

use crate::plans::expressions::subquery_of;

/// The maximum number of equalities that are compared with each other.
const MAX_KEYS: usize = 256;

/// Inner joins below one another, and the equalities that may be their keys.
pub(super) struct Chain<'a> {
    /// What is joined, from left to right.
    parts: Vec<&'a LogicalPlan>,
    /// Equal pairs, each once.
    keys: Keys<'a>,
    null_equality: NullEquality,
    /// Whether the keys are too many.
    is_too_long: bool,
}

impl<'a> Chain<'a> {
    /// Returns the chain that an operator begins; `None` if it is no inner join.
    ///
    /// `predicate`: the condition of the filter above it.
    pub(super) fn of(top: &'a LogicalPlan, predicate: Option<&'a Expr>) -> Option<Self> {
        let null_equality = inner(top)?.null_equality;
        let mut chain = Self {
            parts: Vec::new(),
            keys: Keys::default(),
            null_equality,
            is_too_long: false,
        };
        let mut equalities = predicate.map_or(0, count);
        chain.take(top, &mut equalities);
        chain.is_too_long = equalities > MAX_KEYS;
        if !chain.is_too_long {
            predicate.into_iter().for_each(|of| chain.keys.extend(of));
        }
        Some(chain)
    }

    /// Adds the parts and the keys of a plan. `equalities`: is increased by the keys that it has.
    fn take(&mut self, plan: &'a LogicalPlan, equalities: &mut usize) {
        let Some(join) = inner(plan) else {
            self.parts.push(plan);
            return;
        };
        *equalities += join.on.len();
        if *equalities <= MAX_KEYS {
            let pairs = join.on.iter();
            pairs.for_each(|(left, right)| self.keys.add(left, right));
        }
        self.take(&join.left, equalities);
        self.take(&join.right, equalities);
    }

    /// Returns the order in which the parts are joined; `None` if it is for the rule to find.
    ///
    /// # Errors
    ///
    /// Returns an error if a key has no type.
    pub(super) fn order(&self) -> Result<Option<Order>> {
        if self.is_too_long {
            return Ok(None);
        }
        let Some(keys) = self.placed()? else {
            return Ok(None);
        };
        let Some(first) = self.parts.first() else {
            return Ok(None);
        };
        let mut schema = Arc::clone(first.schema());
        let mut is_joined = vec![false; self.parts.len()];
        if let Some(is_first_joined) = is_joined.first_mut() {
            *is_first_joined = true;
        }
        let mut rest: Vec<usize> = (1..self.parts.len()).collect();
        let mut steps = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let mut found = (0, Vec::new());
            for (place, part) in rest.iter().enumerate() {
                let on = between(&keys, &is_joined, *part, &schema)?;
                if !on.is_empty() {
                    found = (place, on);
                    break;
                }
            }
            let (place, on) = found;
            let part = rest.remove(place);
            let Some(right) = self.parts.get(part) else {
                return Ok(None);
            };
            let joined = build_join_schema(&schema, right.schema(), &JoinType::Inner)?;
            schema = Arc::new(joined);
            if let Some(is_part_joined) = is_joined.get_mut(part) {
                *is_part_joined = true;
            }
            steps.push(Step {
                part,
                on,
                schema: Arc::clone(&schema),
            });
        }
        Ok(Some(Order {
            steps,
            null_equality: self.null_equality,
        }))
    }

    /// Returns the keys with the parts that have their columns; `None` if a column is in several
    /// parts, or a key has a subquery.
    fn placed(&self) -> Result<Option<Vec<Key<'a>>>> {
        let mut keys = Vec::with_capacity(self.keys.0.len());
        for &(left, right) in &self.keys.0 {
            let is_of_subquery = |part: &Expr| Ok(subquery_of(part).is_some());
            if left.exists(is_of_subquery)? || right.exists(is_of_subquery)? {
                return Ok(None);
            }
            let (Some(left), Some(right)) = (self.side(left), self.side(right)) else {
                return Ok(None);
            };
            keys.push(Key { left, right });
        }
        Ok(Some(keys))
    }

    /// Returns one side of a key; `None` if a column is in several parts.
    fn side(&self, expr: &'a Expr) -> Option<Side<'a>> {
        let columns = expr.column_refs();
        let mut parts = Vec::with_capacity(columns.len());
        let mut is_known = !columns.is_empty();
        for column in columns {
            let parts_of_chain = self.parts.iter().enumerate();
            let mut having =
                parts_of_chain.filter(|(_, part)| part.schema().is_column_from_schema(column));
            match (having.next(), having.next()) {
                (Some((part, _)), None) => parts.push(part),
                (None, _) => is_known = false,
                (Some(_), Some(_)) => return None,
            }
        }
        Some(Side {
            expr,
            parts: is_known.then_some(parts),
        })
    }
}

/// Returns whether an operator is an inner join with a key whose side has columns of several parts.
/// Where one of them is joined later than the other side, the key is of no join.
pub(super) fn has_wide_key(plan: &LogicalPlan) -> bool {
    inner(plan).is_some_and(|join| {
        let mut keys = join.on.iter();
        keys.any(|(left, right)| is_wide(left, &join.left) || is_wide(right, &join.right))
    })
}

/// Returns whether the columns of an expression are in several parts of a chain.
fn is_wide(expr: &Expr, chain: &LogicalPlan) -> bool {
    let columns = expr.column_refs();
    columns.len() > 1
        && inner(chain).is_some_and(|join| {
            let mut sides = [&join.left, &join.right].into_iter();
            let side = sides.find(|side| {
                let mut columns = columns.iter();
                columns.all(|column| side.schema().is_column_from_schema(column))
            });
            side.is_none_or(|side| is_wide(expr, side))
        })
}

/// Returns an inner join.
fn inner(plan: &LogicalPlan) -> Option<&Join> {
    match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => Some(join),
        _ => None,
    }
}

/// A side of an equality.
struct Side<'a> {
    expr: &'a Expr,
    /// The places of the parts that have its columns; `None` if it has no columns, or one of them is
    /// in no part.
    parts: Option<Vec<usize>>,
}

impl Side<'_> {
    fn is_of(&self, is_one: impl Fn(usize) -> bool) -> bool {
        let parts = self.parts.as_ref();
        parts.is_some_and(|parts| parts.iter().all(|part| is_one(*part)))
    }
}

struct Key<'a> {
    left: Side<'a>,
    right: Side<'a>,
}

/// Returns the keys between what is joined and another part, with the side of the part on the right.
///
/// `schema`: the columns of what is joined.
fn between(
    keys: &[Key<'_>],
    is_joined: &[bool],
    part: usize,
    schema: &DFSchemaRef,
) -> Result<Vec<(Expr, Expr)>> {
    let before = |part: usize| is_joined.get(part) == Some(&true);
    let next = |other: usize| other == part;
    let mut on = Vec::new();
    for key in keys {
        let (left, right) = if key.left.is_of(before) && key.right.is_of(next) {
            (key.left.expr, key.right.expr)
        } else if key.right.is_of(before) && key.left.is_of(next) {
            (key.right.expr, key.left.expr)
        } else {
            continue;
        };
        if can_hash(&left.get_type(schema)?) {
            on.push((left.clone(), right.clone()));
        }
    }
    Ok(on)
}

/// Pairs of expressions that are equal. None is there twice, also not with its sides exchanged.
#[derive(Default)]
struct Keys<'a>(Vec<(&'a Expr, &'a Expr)>);

impl<'a> Keys<'a> {
    fn has(&self, left: &Expr, right: &Expr) -> bool {
        let mut pairs = self.0.iter();
        pairs.any(|&pair| is_pair(pair, (left, right)))
    }

    fn add(&mut self, left: &'a Expr, right: &'a Expr) {
        if !self.has(left, right) {
            self.0.push((left, right));
        }
    }

    /// Adds the equalities that follow from a condition.
    fn extend(&mut self, condition: &'a Expr) {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
            return;
        };
        match op {
            Operator::Eq => self.add(left, right),
            Operator::And => {
                self.extend(left);
                self.extend(right);
            }
            Operator::Or => {
                let (mut of_left, mut of_right) = (Self::default(), Self::default());
                of_left.extend(left);
                of_right.extend(right);
                for (left, right) in of_left.0 {
                    if of_right.has(left, right) {
                        self.add(left, right);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_pair(one: (&Expr, &Expr), other: (&Expr, &Expr)) -> bool {
    one == other || (one.0 == other.1 && one.1 == other.0)
}

/// Returns the number of equalities that [`Keys::extend`] compares.
fn count(condition: &Expr) -> usize {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Eq => 1,
            Operator::And | Operator::Or => count(left) + count(right),
            _ => 0,
        },
        _ => 0,
    }
}

/// The order in which the parts of a chain are joined. The first part is the first one of the chain.
pub(super) struct Order {
    steps: Vec<Step>,
    null_equality: NullEquality,
}

/// A part that is joined with those before it.
struct Step {
    /// Its place in the chain.
    part: usize,
    on: Vec<(Expr, Expr)>,
    /// The columns of the join.
    schema: DFSchemaRef,
}

impl Order {
    /// Joins the parts of the plan that the chain is of. `of_part`: rewrites a part.
    ///
    /// # Errors
    ///
    /// Returns the error of `of_part`.
    pub(super) fn apply(
        self,
        plan: LogicalPlan,
        of_part: impl Fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
    ) -> Result<Transformed<LogicalPlan>> {
        let announced = Arc::clone(plan.schema());
        let (condition, top) = match plan {
            LogicalPlan::Filter(filter) => {
                (Some(filter.predicate), Arc::unwrap_or_clone(filter.input))
            }
            other => (None, other),
        };
        let condition = condition.and_then(|condition| match self.has_keys() {
            true => self.others(condition),
            false => Some(condition),
        });
        let (mut parts, mut filters) = (Vec::new(), Vec::new());
        let is_key = |left: &Expr, right: &Expr| self.is_key(left, right);
        take_apart(top, &is_key, &mut parts, &mut filters);
        let mut joined = self.joined(parts, &announced, of_part)?;
        if !filters.is_empty() {
            let first = filters.swap_remove(0);
            let all = filters.into_iter().fold(first, and);
            joined = LogicalPlan::Filter(Filter::try_new(all, Arc::new(joined))?);
        }
        if let Some(condition) = condition {
            joined = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(joined))?);
        }
        Ok(Transformed::yes(joined))
    }

    fn has_keys(&self) -> bool {
        self.steps.iter().any(|step| !step.on.is_empty())
    }

    /// Returns a condition without the equalities that are keys; `None` if nothing is left.
    fn others(&self, condition: Expr) -> Option<Expr> {
        match condition {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Eq,
                right,
            }) if self.is_key(&left, &right) => None,
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: op @ (Operator::And | Operator::Or),
                right,
            }) => match (self.others(*left), self.others(*right)) {
                (Some(left), Some(right)) => Some(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(left),
                    op,
                    Box::new(right),
                ))),
                // A side of OR of which nothing is left is true.
                (left, right) if op == Operator::And => left.or(right),
                _ => None,
            },
            condition => Some(condition),
        }
    }

    fn is_key(&self, left: &Expr, right: &Expr) -> bool {
        let mut pairs = self.steps.iter().flat_map(|step| &step.on);
        pairs.any(|(of, with)| is_pair((of, with), (left, right)))
    }

    /// `parts`: those of the chain, in its order. `announced`: the columns of the result.
    fn joined(
        self,
        parts: Vec<LogicalPlan>,
        announced: &DFSchemaRef,
        of_part: impl Fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
    ) -> Result<LogicalPlan> {
        let mut parts: Vec<Option<LogicalPlan>> = parts.into_iter().map(Some).collect();
        let mut part = |place: usize| -> LogicalPlan {
            let found = parts.get_mut(place).and_then(Option::take);
            found.unwrap_or_default()
        };
        let of_part = |plan: LogicalPlan| -> Result<(Transformed<LogicalPlan>, bool)> {
            let before = Arc::clone(plan.schema());
            let part = of_part(plan)?;
            let is_same = !part.transformed || before == *part.data.schema();
            Ok((part, is_same))
        };
        let (mut left, mut is_left_same) = of_part(part(0))?;
        let last = self.steps.len().saturating_sub(1);
        for (place, step) in self.steps.into_iter().enumerate() {
            let (right, is_right_same) = of_part(part(step.part))?;
            let is_changed = left.transformed || right.transformed;
            let mut join = Join {
                left: Arc::new(left.data),
                right: Arc::new(right.data),
                on: step.on,
                filter: None,
                join_type: JoinType::Inner,
                join_constraint: JoinConstraint::On,
                schema: Arc::clone(&step.schema),
                null_equality: self.null_equality,
                null_aware: false,
            };
            // What `recompute_schema` does, without computing the same schema again.
            if is_changed {
                let keys = join.on.into_iter();
                let keys = keys.map(|(of_left, of_right)| (of_left.unalias(), of_right.unalias()));
                join.on = keys.collect();
            }
            if !(is_left_same && is_right_same) {
                let (of_left, of_right) = (join.left.schema(), join.right.schema());
                let schema = build_join_schema(of_left, of_right, &JoinType::Inner)?;
                join.schema = Arc::new(schema);
            }
            let expected = match place == last {
                true => announced,
                false => &step.schema,
            };
            let plan = match *expected == join.schema {
                true => LogicalPlan::Join(join),
                false => LogicalPlan::Projection(Projection::new_from_schema(
                    Arc::new(LogicalPlan::Join(join)),
                    Arc::clone(expected),
                )),
            };
            left = Transformed::yes(plan);
            is_left_same = true;
        }
        Ok(left.data)
    }
}

/// Adds the parts of a chain from left to right, and the conditions of its joins from the top.
///
/// `is_key`: whether the sides of an equality are a key of the new joins. The keys of the old ones that
/// are not become conditions.
fn take_apart(
    plan: LogicalPlan,
    is_key: &dyn Fn(&Expr, &Expr) -> bool,
    parts: &mut Vec<LogicalPlan>,
    filters: &mut Vec<Expr>,
) {
    match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            filters.extend(join.filter);
            let keys = join.on.into_iter();
            let others = keys.filter(|(left, right)| !is_key(left, right));
            filters.extend(others.map(|(left, right)| left.eq(right)));
            take_apart(Arc::unwrap_or_clone(join.left), is_key, parts, filters);
            take_apart(Arc::unwrap_or_clone(join.right), is_key, parts, filters);
        }
        plan => parts.push(plan),
    }
}
