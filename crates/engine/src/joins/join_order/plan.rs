//! The plan of an order.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef, conjunction_opt};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, JoinOn, NestedLoopJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;

use super::Operator;
use super::keys::Class;
use super::region::{Condition, Region, Semi, Tree};
use crate::plans::estimates::{Leaves, Place};

/// Returns the plan of an order of a region, with the columns of the region.
///
/// # Errors
///
/// Returns an error if the operators cannot be built.
pub(super) fn built(region: &Region, classes: &[Class], tree: &Tree) -> Result<Operator> {
    let builder = Builder {
        region,
        classes,
        looked_up: region.looked_up(),
    };
    let joined = builder.part(tree)?;
    let schema = joined.plan.schema();
    let is_same = joined.columns == region.output && schema == region.schema;
    if is_same {
        return Ok(joined.plan);
    }
    let shown = region.output.iter().zip(region.schema.fields());
    let mut columns = Vec::with_capacity(region.output.len());
    for (place, field) in shown {
        columns.push(ProjectionExpr::new(joined.column(*place)?, field.name()));
    }
    let projection =
        ProjectionExec::try_new_with_schema_metadata(columns, joined.plan, &region.schema)?;
    Ok(Arc::new(projection))
}

/// A part of a plan, and where its columns come from.
struct Built {
    plan: Operator,
    leaves: Leaves,
    columns: Vec<Place>,
}

impl Built {
    fn position(&self, place: Place) -> Result<usize> {
        let mut columns = self.columns.iter();
        let position = columns.position(|column| *column == place);
        position.ok_or_else(|| lost(place))
    }

    fn field(&self, place: Place) -> Result<FieldRef> {
        let position = self.position(place)?;
        let schema = self.plan.schema();
        let field = schema.fields().get(position);
        field.cloned().ok_or_else(|| lost(place))
    }

    fn column(&self, place: Place) -> Result<PhysicalExprRef> {
        let field = self.field(place)?;
        Ok(Arc::new(Column::new(field.name(), self.position(place)?)))
    }

    fn has(&self, place: Place) -> bool {
        self.leaves.has(place.leaf)
    }
}

struct Builder<'a> {
    region: &'a Region,
    classes: &'a [Class],
    /// The leaves that semi and anti joins look rows up in.
    looked_up: Leaves,
}

impl Builder<'_> {
    fn part(&self, tree: &Tree) -> Result<Built> {
        match tree {
            Tree::Leaf(leaf) => self.leaf(*leaf),
            Tree::Join { left, right, .. } => self.join(self.part(left)?, self.part(right)?),
        }
    }

    fn leaf(&self, leaf: usize) -> Result<Built> {
        let plan = self.region.leaves.get(leaf).cloned();
        let plan = plan.ok_or_else(|| lost(Place { leaf, column: 0 }))?;
        let columns = 0..plan.schema().fields().len();
        let columns = columns.map(|column| Place { leaf, column });
        self.pruned(Built {
            leaves: Leaves::one(leaf),
            columns: columns.collect(),
            plan,
        })
    }

    fn join(&self, left: Built, right: Built) -> Result<Built> {
        let semi_of = |part: &Built| {
            let mut semis = self.region.semis.iter();
            semis.find(|semi| part.leaves == Leaves::one(semi.leaf))
        };
        if let Some(semi) = semi_of(&right) {
            return self.semi(semi, left, right);
        }
        if let Some(semi) = semi_of(&left) {
            return self.semi(semi, right, left);
        }
        let mut on = JoinOn::new();
        for class in self.classes {
            let of_left = self.representative(class, &left);
            if let Some((of_left, of_right)) = of_left.zip(self.representative(class, &right)) {
                on.push((left.column(of_left)?, right.column(of_right)?));
            }
        }
        let both = left.leaves.with(right.leaves);
        let conditions = self.region.conditions.iter().filter(|condition| {
            self.is_tested(condition, both)
                && !self.is_tested(condition, left.leaves)
                && !self.is_tested(condition, right.leaves)
        });
        let filter = filter(conditions, &left, &right)?;
        let (left_plan, right_plan) = (left.plan, right.plan);
        let inner = JoinType::Inner;
        let plan: Operator = if !on.is_empty() {
            let nulls = NullEquality::NullEqualsNothing;
            self.hashed(left_plan, right_plan, on, filter, inner, nulls)?
        } else if filter.is_some() {
            let join = NestedLoopJoinExec::try_new(left_plan, right_plan, filter, &inner, None)?;
            Arc::new(join)
        } else {
            Arc::new(CrossJoinExec::new(left_plan, right_plan))
        };
        let mut columns = left.columns;
        columns.extend(right.columns);
        self.joined(Built {
            plan,
            leaves: both,
            columns,
        })
    }

    /// Joins rows with what a semi or an anti join looks them up in.
    fn semi(&self, semi: &Semi, rows: Built, looked_up: Built) -> Result<Built> {
        let mut on = JoinOn::with_capacity(semi.keys.len());
        for (of_rows, of_leaf) in &semi.keys {
            on.push((rows.column(*of_rows)?, looked_up.column(*of_leaf)?));
        }
        let filter = filter(semi.conditions.iter(), &rows, &looked_up)?;
        let (join_type, nulls) = (semi.join_type, semi.null_equality);
        self.joined(Built {
            plan: self.hashed(rows.plan, looked_up.plan, on, filter, join_type, nulls)?,
            leaves: rows.leaves.with(looked_up.leaves),
            columns: rows.columns,
        })
    }

    fn hashed(
        &self,
        left: Operator,
        right: Operator,
        on: JoinOn,
        filter: Option<JoinFilter>,
        join_type: JoinType,
        nulls: NullEquality,
    ) -> Result<Operator> {
        let mode = self.region.mode;
        let join = HashJoinExec::try_new(
            left, right, on, filter, &join_type, None, mode, nulls, false,
        )?;
        Ok(Arc::new(join))
    }

    fn joined(&self, joined: Built) -> Result<Built> {
        // The projection of the result comes right above the last join.
        match joined.leaves.len() == self.region.leaves.len() {
            true => Ok(joined),
            false => self.pruned(joined),
        }
    }

    /// Drops the columns that nothing above a part reads.
    fn pruned(&self, part: Built) -> Result<Built> {
        let columns = part.columns.iter().copied();
        let read: Vec<Place> = columns
            .filter(|column| self.is_read(*column, &part))
            .collect();
        if read.is_empty() || read.len() == part.columns.len() {
            return Ok(part);
        }
        let mut columns = Vec::with_capacity(read.len());
        for place in &read {
            let field = part.field(*place)?;
            columns.push(ProjectionExpr::new(part.column(*place)?, field.name()));
        }
        let plan = ProjectionExec::try_new(columns, part.plan)?;
        Ok(Built {
            plan: Arc::new(plan),
            leaves: part.leaves,
            columns: read,
        })
    }

    /// Returns whether a column of a part is read above it.
    fn is_read(&self, place: Place, part: &Built) -> bool {
        self.is_shown(place, part.leaves)
            || self.classes.iter().any(|class| {
                !part.leaves.holds(class.leaves)
                    && class.leaves.meets(part.leaves)
                    && self.representative(class, part) == Some(place)
            })
    }

    /// Returns whether a column of a part is in the result, or in a condition above the part.
    fn is_shown(&self, place: Place, part: Leaves) -> bool {
        let mut conditions = self.region.conditions.iter();
        let mut semis = self.region.semis.iter();
        self.region.shows(place)
            || semis.any(|semi| !is_joined(semi, part) && semi.compares(place))
            || conditions
                .any(|condition| !self.is_tested(condition, part) && condition.reads(place))
    }

    /// Returns the column that stands for the columns of a class in a part: they are equal there,
    /// and all but one may have been dropped.
    fn representative(&self, class: &Class, part: &Built) -> Option<Place> {
        let columns = || {
            let columns = class.columns.iter();
            columns.filter(|column| part.columns.contains(column))
        };
        let shown = columns().find(|column| self.is_shown(**column, part.leaves));
        shown.or_else(|| columns().next()).copied()
    }

    /// Returns whether a condition was tested in a part: in the first inner join that has all its
    /// columns.
    fn is_tested(&self, condition: &Condition, part: Leaves) -> bool {
        let joined = part.without(self.looked_up);
        joined.len() > 1 && joined.holds(condition.leaves)
    }
}

/// Returns conditions as the filter of a join of two parts.
fn filter<'a>(
    conditions: impl Iterator<Item = &'a Condition>,
    left: &Built,
    right: &Built,
) -> Result<Option<JoinFilter>> {
    let mut places: Vec<Place> = Vec::new();
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut indices = Vec::new();
    let mut expressions = Vec::new();
    for condition in conditions {
        for (_, place) in &condition.columns {
            if places.contains(place) {
                continue;
            }
            let (side, part) = match left.has(*place) {
                true => (JoinSide::Left, left),
                false => (JoinSide::Right, right),
            };
            let index = part.position(*place)?;
            indices.push(ColumnIndex { index, side });
            fields.push(part.field(*place)?);
            places.push(*place);
        }
        expressions.push(renumbered(condition, &places)?);
    }
    Ok(conjunction_opt(expressions)
        .map(|expression| JoinFilter::new(expression, indices, Arc::new(Schema::new(fields)))))
}

/// Returns whether a part has been joined by a semi join. What it looks rows up in is not by itself.
fn is_joined(semi: &Semi, part: Leaves) -> bool {
    part.len() > 1 && part.has(semi.leaf)
}

/// Returns the expression of a condition over a schema of these columns.
fn renumbered(condition: &Condition, places: &[Place]) -> Result<Arc<dyn PhysicalExpr>> {
    let expression = Arc::clone(&condition.expression);
    let renumbered = expression.transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let mut columns = condition.columns.iter();
        let meant = columns.find(|(index, _)| *index == column.index());
        let position = meant.and_then(|(_, place)| places.iter().position(|other| other == place));
        let position = position.ok_or_else(|| {
            DataFusionError::Internal(format!("a join condition lost its column {column}"))
        })?;
        let renumbered = Column::new(column.name(), position);
        Ok(Transformed::yes(Arc::new(renumbered) as PhysicalExprRef))
    });
    renumbered.data()
}

fn lost(place: Place) -> DataFusionError {
    let Place { leaf, column } = place;
    DataFusionError::Internal(format!("column {column} of join input {leaf} was dropped"))
}
