//! A region of a plan: inner, semi and anti joins, column-only projections between them, and what
//! they join.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{HigherOrderFunctionExpr, PhysicalExpr, split_conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode,
};
use datafusion::physical_plan::projection::ProjectionExec;

use super::Operator;
use crate::plans::estimates::{Leaves, MOST_LEAVES, Place};

/// The most operators of a region, so that walking it takes little of the stack.
const MOST_OPERATORS: usize = 4 * MOST_LEAVES;

/// A condition of a join that is not an equality of two columns. No part of it is one of AND.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub expression: Arc<dyn PhysicalExpr>,
    /// The indices of columns in the expression, and the columns that they mean.
    pub columns: Vec<(usize, Place)>,
    pub leaves: Leaves,
}

impl Condition {
    /// Returns whether this is one of the columns of the condition.
    pub(super) fn reads(&self, place: Place) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|(_, column)| *column == place)
    }
}

/// A semi or an anti join. It keeps some rows of one leaf or several, whatever they are joined with
/// before or after: so it can be at any place above the leaves that it reads.
#[derive(Debug, Clone)]
pub(super) struct Semi {
    /// What rows are looked up in. Its columns are not seen above.
    pub leaf: usize,
    /// `LeftSemi` or `LeftAnti`.
    pub join_type: JoinType,
    /// Columns of other leaves, and columns of `leaf`.
    pub keys: Vec<(Place, Place)>,
    /// Conditions that a pair of rows has to fulfil, too. All of them are tested in this join.
    pub conditions: Vec<Condition>,
    pub null_equality: NullEquality,
    /// The other leaves that it reads.
    pub reads: Leaves,
}

impl Semi {
    /// Returns whether this is one of the columns that the join compares.
    pub(super) fn compares(&self, place: Place) -> bool {
        let mut keys = self.keys.iter();
        let mut conditions = self.conditions.iter();
        keys.any(|(one, other)| *one == place || *other == place)
            || conditions.any(|condition| condition.reads(place))
    }
}

/// The order in which leaves are joined. The left side is the one that a hash table is built of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    Leaf(usize),
    Join {
        left: Box<Tree>,
        right: Box<Tree>,
        /// Whether the sides are joined by equal columns.
        is_keyed: bool,
    },
}

/// Joins whose order can be chosen.
#[derive(Debug)]
pub(super) struct Region {
    pub leaves: Vec<Operator>,
    /// Columns that are equal.
    pub keys: Vec<(Place, Place)>,
    pub conditions: Vec<Condition>,
    pub semis: Vec<Semi>,
    pub output: Vec<Place>,
    pub schema: SchemaRef,
    /// The mode of the hash joins.
    pub mode: PartitionMode,
    /// The order of the plan as it is.
    pub tree: Tree,
}

/// What an operator is for a region.
pub(super) enum Step<'a> {
    Join(Join<'a>),
    /// A projection that computes nothing.
    Columns {
        input: &'a Operator,
        columns: Vec<usize>,
    },
    Leaf,
}

/// A join whose place can be chosen.
pub(super) struct Join<'a> {
    /// `Inner`, `LeftSemi` or `LeftAnti`.
    join_type: JoinType,
    left: &'a Operator,
    right: &'a Operator,
    keys: Vec<(usize, usize)>,
    filter: Option<&'a JoinFilter>,
    projection: Option<&'a [usize]>,
    null_equality: NullEquality,
    /// `None`: not a hash join.
    mode: Option<PartitionMode>,
}

impl<'a> Join<'a> {
    /// Returns a join of all pairs of rows.
    fn of_all(left: &'a Operator, right: &'a Operator) -> Self {
        Self {
            join_type: JoinType::Inner,
            left,
            right,
            keys: Vec::new(),
            filter: None,
            projection: None,
            null_equality: NullEquality::NullEqualsNothing,
            mode: None,
        }
    }

    /// Returns whether both sides are in the region. A semi or an anti join has only its left side
    /// in it.
    pub(super) fn is_inner(&self) -> bool {
        self.join_type == JoinType::Inner
    }
}

/// Returns what an operator is for a region.
pub(super) fn step(plan: &Operator) -> Step<'_> {
    let join = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let keys = join.on().iter();
        let keys = keys.map(|(left, right)| index(left).zip(index(right)));
        let keys: Option<Vec<_>> = keys.collect();
        let Some(keys) = keys else {
            return Step::Leaf;
        };
        let is_movable = match join.join_type() {
            JoinType::Inner => join.null_equality() == NullEquality::NullEqualsNothing,
            JoinType::LeftSemi | JoinType::LeftAnti => !join.null_aware,
            _ => false,
        };
        if !is_movable || join.fetch().is_some() {
            return Step::Leaf;
        }
        Join {
            join_type: *join.join_type(),
            left: join.left(),
            right: join.right(),
            keys,
            filter: join.filter(),
            projection: join.projection.as_deref(),
            null_equality: join.null_equality(),
            mode: Some(*join.partition_mode()),
        }
    } else if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        if *join.join_type() != JoinType::Inner {
            return Step::Leaf;
        }
        Join {
            filter: join.filter(),
            projection: join.projection().as_deref(),
            ..Join::of_all(join.left(), join.right())
        }
    } else if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
        Join::of_all(join.left(), join.right())
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let columns = projection.expr().iter().map(|column| index(&column.expr));
        let columns: Option<Vec<usize>> = columns.collect();
        return match columns {
            Some(columns) => Step::Columns {
                input: projection.input(),
                columns,
            },
            None => Step::Leaf,
        };
    } else {
        return Step::Leaf;
    };
    match join.filter.is_none_or(is_movable) {
        true => Step::Join(join),
        false => Step::Leaf,
    }
}

/// Returns the index of an expression that is a column.
fn index(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

/// Returns whether a filter gives the same for a pair of rows wherever it is evaluated, and whether
/// its columns can be numbered anew.
fn is_movable(filter: &JoinFilter) -> bool {
    let mut is_movable = true;
    let walked = filter.expression().apply(|part| {
        // The bodies of lambdas number their columns in another way.
        is_movable &= !part.is_volatile_node() && !part.is::<HigherOrderFunctionExpr>();
        Ok(match is_movable {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    let mut indices = filter.column_indices().iter();
    is_movable && walked.is_ok() && indices.all(|index| index.side != JoinSide::None)
}

impl Region {
    /// Returns the region below and including an operator; `None` if there is no order to choose,
    /// or if the region is too large.
    ///
    /// # Errors
    ///
    /// Returns an error if an operator names a column that its input does not have.
    pub(super) fn of(root: &Operator) -> Result<Option<Self>> {
        if !has_a_choice(root) {
            return Ok(None);
        }
        let mut reader = Reader::default();
        let (tree, output) = reader.read(root)?;
        let Some(mode) = reader.mode else {
            return Ok(None);
        };
        Ok(Some(Self {
            leaves: reader.leaves,
            keys: reader.keys,
            conditions: reader.conditions,
            semis: reader.semis,
            output,
            schema: root.schema(),
            mode,
            tree,
        }))
    }

    /// Returns the leaves that semi and anti joins look rows up in.
    pub(super) fn looked_up(&self) -> Leaves {
        self.semis.iter().map(|semi| semi.leaf).collect()
    }

    /// Returns whether a column is part of the result.
    pub(super) fn shows(&self, place: Place) -> bool {
        self.output.contains(&place)
    }
}

/// Returns whether a region has more than two leaves, and not too many.
fn has_a_choice(root: &Operator) -> bool {
    let (mut leaves, mut operators) = (0, 0);
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        operators += 1;
        match step(node) {
            Step::Join(join) if join.is_inner() => {
                open.extend([join.left, join.right]);
            }
            Step::Join(join) => {
                leaves += 1;
                open.push(join.left);
            }
            Step::Columns { input, .. } => open.push(input),
            Step::Leaf => leaves += 1,
        }
        if leaves > MOST_LEAVES || operators > MOST_OPERATORS {
            return false;
        }
    }
    leaves > 2
}

/// What was read of a region so far.
#[derive(Default)]
struct Reader {
    leaves: Vec<Operator>,
    keys: Vec<(Place, Place)>,
    conditions: Vec<Condition>,
    semis: Vec<Semi>,
    mode: Option<PartitionMode>,
}

impl Reader {
    /// Reads an operator. Returns its order, and where its columns come from.
    fn read(&mut self, plan: &Operator) -> Result<(Tree, Vec<Place>)> {
        match step(plan) {
            Step::Leaf => {
                let (leaf, places) = self.leaf(plan);
                Ok((Tree::Leaf(leaf), places))
            }
            Step::Columns { input, columns } => {
                let (tree, places) = self.read(input)?;
                Ok((tree, picked(&places, &columns)?))
            }
            Step::Join(join) => {
                let (left, mut places) = self.read(join.left)?;
                let right = match join.join_type {
                    JoinType::Inner => {
                        let (right, of_right) = self.read(join.right)?;
                        self.keys.extend(keys(&join, &places, &of_right)?);
                        let conditions = conditions(join.filter, &places, &of_right)?;
                        self.conditions.extend(conditions);
                        places.extend(of_right);
                        right
                    }
                    _ => Tree::Leaf(self.read_semi(&join, &places)?),
                };
                self.mode = self.mode.or(join.mode);
                if let Some(projection) = join.projection {
                    places = picked(&places, projection)?;
                }
                let tree = Tree::Join {
                    left: Box::new(left),
                    right: Box::new(right),
                    is_keyed: !join.keys.is_empty(),
                };
                Ok((tree, places))
            }
        }
    }

    /// Adds a leaf. Returns its number, and its columns.
    fn leaf(&mut self, plan: &Operator) -> (usize, Vec<Place>) {
        let leaf = self.leaves.len();
        self.leaves.push(Arc::clone(plan));
        let columns = 0..plan.schema().fields().len();
        (leaf, columns.map(|column| Place { leaf, column }).collect())
    }

    /// Reads the right side of a semi or an anti join, which is a leaf whatever it is. Returns its
    /// number.
    fn read_semi(&mut self, join: &Join<'_>, left: &[Place]) -> Result<usize> {
        let (leaf, right) = self.leaf(join.right);
        let keys = keys(join, left, &right)?;
        let conditions = conditions(join.filter, left, &right)?;
        let of_keys: Leaves = keys.iter().map(|(left, _)| left.leaf).collect();
        let of_conditions = conditions.iter().map(|condition| condition.leaves);
        let reads = of_conditions.fold(of_keys, Leaves::with);
        self.semis.push(Semi {
            leaf,
            join_type: join.join_type,
            keys,
            conditions,
            null_equality: join.null_equality,
            reads: reads.without(Leaves::one(leaf)),
        });
        Ok(leaf)
    }
}

/// Returns the keys of a join, of the columns of its sides.
fn keys(join: &Join<'_>, left: &[Place], right: &[Place]) -> Result<Vec<(Place, Place)>> {
    let keys = join.keys.iter();
    let keys =
        keys.map(|(of_left, of_right)| Ok((place(left, *of_left)?, place(right, *of_right)?)));
    keys.collect()
}

/// Returns the conditions of a filter, of the columns of the sides of its join.
fn conditions(
    filter: Option<&JoinFilter>,
    left: &[Place],
    right: &[Place],
) -> Result<Vec<Condition>> {
    let Some(filter) = filter else {
        return Ok(Vec::new());
    };
    let mut of_filter = Vec::with_capacity(filter.column_indices().len());
    for index in filter.column_indices() {
        of_filter.push(match index.side {
            JoinSide::Left => place(left, index.index)?,
            JoinSide::Right => place(right, index.index)?,
            JoinSide::None => return Err(no_column(index.index)),
        });
    }
    let conditions = split_conjunction(filter.expression()).into_iter();
    let conditions = conditions.map(|expression| {
        let columns = collect_columns(expression);
        let indices: BTreeSet<usize> = columns.iter().map(Column::index).collect();
        let columns = indices.into_iter();
        let columns = columns.map(|index| Ok((index, place(&of_filter, index)?)));
        let columns: Vec<(usize, Place)> = columns.collect::<Result<_>>()?;
        Ok(Condition {
            expression: Arc::clone(expression),
            leaves: columns.iter().map(|(_, place)| place.leaf).collect(),
            columns,
        })
    });
    conditions.collect()
}

fn place(places: &[Place], index: usize) -> Result<Place> {
    places.get(index).copied().ok_or_else(|| no_column(index))
}

fn picked(places: &[Place], columns: &[usize]) -> Result<Vec<Place>> {
    let picked = columns.iter().map(|column| place(places, *column));
    picked.collect()
}

fn no_column(index: usize) -> DataFusionError {
    DataFusionError::Internal(format!("a joined input has no column {index}"))
}
