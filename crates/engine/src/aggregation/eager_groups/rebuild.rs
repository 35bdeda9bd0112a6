//! The plan of an aggregation whose first phase is below joins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, JoinType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, HashJoinExecBuilder, JoinOn};
use datafusion::physical_plan::projection::ProjectionExec;

use super::Operator;
use super::merged::merged;
use super::way::{Place, Step, Way, origin};

/// An operator on the way, with states in it.
struct Built {
    plan: Operator,
    /// Where the columns are that the operator had before; others were not needed.
    kept: BTreeMap<usize, usize>,
    /// The first column of the states, which are the last columns.
    states: usize,
}

impl Built {
    /// Returns a column that the operator had before.
    fn column(&self, before: usize) -> Option<PhysicalExprRef> {
        let place = self.kept.get(&before)?;
        column(&self.plan, *place)
    }

    /// Returns the places of the states.
    fn of_states(&self) -> std::ops::Range<usize> {
        self.states..self.plan.schema().fields().len()
    }
}

/// Returns what the second phase of an aggregation reads, if rows are grouped at this place of the
/// way; `None` if its columns would not be those of the first phase as it was.
///
/// # Errors
///
/// Returns an error if the operators cannot be built.
pub(super) fn states(way: &Way<'_>, place: usize) -> Result<Option<Operator>> {
    let Some(lowest) = way.places.get(place) else {
        return Ok(None);
    };
    let mut built = grouped(way, lowest)?;
    for (above, step) in way.places.iter().zip(&way.steps).take(place).rev() {
        built = match step {
            Step::Projection(projection) => shown(built, projection, &above.needed)?,
            Step::Join(join, side) => joined(&built, join, *side, &above.needed)?,
        };
    }
    let plan = match way.partial.group_expr().is_single() {
        true => projected(&built, way.partial)?,
        false => of_sets(&built, way.partial)?,
    };
    let is_same = plan.schema() == way.partial.schema();
    Ok(is_same.then_some(plan))
}

/// Returns the keys and the states as the columns of a first phase.
fn projected(built: &Built, partial: &AggregateExec) -> Result<Operator> {
    let schema = partial.schema();
    let keys = partial.group_expr().expr();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (key, name) in keys {
        let key = moved(key, &|before| built.column(before))?;
        columns.push(ProjectionExpr::new(key, name));
    }
    let names = schema.fields().iter().skip(keys.len());
    for (state, field) in built.of_states().zip(names) {
        let state = column(&built.plan, state).ok_or_else(|| lost(state))?;
        columns.push(ProjectionExpr::new(state, field.name()));
    }
    let plan = Arc::clone(&built.plan);
    let plan = ProjectionExec::try_new_with_schema_metadata(columns, plan, &schema)?;
    Ok(Arc::new(plan))
}

/// Returns a first phase for the same grouping sets, of states instead of rows.
fn of_sets(built: &Built, partial: &AggregateExec) -> Result<Operator> {
    let sets = partial.group_expr();
    let mut keys = Vec::with_capacity(sets.expr().len());
    for (key, name) in sets.expr() {
        let key = moved(key, &|before| built.column(before))?;
        keys.push((key, name.clone()));
    }
    let (nulls, groups) = (sets.null_expr().to_vec(), sets.groups().to_vec());
    let rows = partial.input().schema();
    let schema = built.plan.schema();
    let mut states = built.of_states();
    let mut functions = Vec::with_capacity(partial.aggr_expr().len());
    for function in partial.aggr_expr() {
        let count = function.state_fields()?.len();
        let own = states.by_ref().take(count);
        let own = own.map(|state| column(&built.plan, state).ok_or_else(|| lost(state)));
        let own = own.collect::<Result<Vec<_>>>()?;
        functions.push(merged(function, &rows, own, Arc::clone(&schema))?);
    }
    let plan = AggregateExec::try_new(
        AggregateMode::Partial,
        PhysicalGroupBy::new(keys, nulls, groups, true),
        functions,
        vec![None; partial.aggr_expr().len()],
        Arc::clone(&built.plan),
        schema,
    )?;
    Ok(Arc::new(plan))
}

/// The rows of a place, to be grouped.
struct Rows {
    plan: Operator,
    /// The columns that are read above, in the order of [`Place::needed`].
    keys: Vec<usize>,
    /// What arguments read, by its column of the aggregation's input.
    arguments: BTreeMap<usize, PhysicalExprRef>,
}

/// Returns the rows of a place. What a projection above it computes for arguments is computed once.
fn rows(way: &Way<'_>, place: &Place<'_>) -> Result<Rows> {
    let mut arguments = BTreeMap::new();
    for before in &way.read {
        let origin = place.origins.get(*before).and_then(Option::as_ref);
        let origin = origin.ok_or_else(|| lost(*before))?;
        arguments.insert(*before, Arc::clone(origin));
    }
    let plan = Arc::clone(place.plan);
    let keys = place.needed.iter().copied();
    if arguments.values().all(|argument| argument.is::<Column>()) {
        return Ok(Rows {
            plan,
            keys: keys.collect(),
            arguments,
        });
    }
    let mut columns = Vec::with_capacity(keys.len() + arguments.len());
    for key in keys.clone() {
        columns.push(own_column(&plan, key)?);
    }
    let input = way.partial.input().schema();
    for (before, argument) in &arguments {
        let field = input.fields().get(*before);
        let name = field.ok_or_else(|| lost(*before))?.name();
        columns.push(ProjectionExpr::new(Arc::clone(argument), name));
    }
    let plan: Operator = Arc::new(ProjectionExec::try_new(columns, plan)?);
    let keys: Vec<usize> = (0..keys.len()).collect();
    for (place, argument) in (keys.len()..).zip(arguments.values_mut()) {
        *argument = column(&plan, place).ok_or_else(|| lost(place))?;
    }
    Ok(Rows {
        plan,
        keys,
        arguments,
    })
}

/// Groups the rows of a place by the columns that are read above it.
fn grouped(way: &Way<'_>, place: &Place<'_>) -> Result<Built> {
    let partial = way.partial;
    let rows = rows(way, place)?;
    let schema = rows.plan.schema();
    let mut keys = Vec::with_capacity(rows.keys.len());
    for key in &rows.keys {
        let key = own_column(&rows.plan, *key)?;
        keys.push((key.expr, key.alias));
    }
    let own = |before: usize| rows.arguments.get(&before).map(Arc::clone);
    let mut functions = Vec::with_capacity(partial.aggr_expr().len());
    for function in partial.aggr_expr() {
        let arguments = function.expressions();
        let arguments = arguments.iter().map(|argument| moved(argument, &own));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        functions.push(of_arguments(function, arguments, &schema)?);
    }
    let filters = partial.filter_expr().iter().map(|filter| {
        let filter = filter.as_ref();
        filter.map(|filter| moved(filter, &own)).transpose()
    });
    let states = keys.len();
    let plan = AggregateExec::try_new(
        AggregateMode::Partial,
        PhysicalGroupBy::new_single(keys),
        functions,
        filters.collect::<Result<Vec<_>>>()?,
        rows.plan,
        schema,
    )?;
    let kept = place.needed.iter().enumerate();
    Ok(Built {
        plan: Arc::new(plan),
        kept: kept.map(|(place, before)| (*before, place)).collect(),
        states,
    })
}

/// Returns a function of other arguments, of the same types.
fn of_arguments(
    function: &AggregateFunctionExpr,
    arguments: Vec<PhysicalExprRef>,
    schema: &SchemaRef,
) -> Result<Arc<AggregateFunctionExpr>> {
    let udaf = AggregateUDF::clone(function.fun());
    let built = AggregateExprBuilder::new(Arc::new(udaf), arguments)
        .schema(Arc::clone(schema))
        .alias(function.name())
        .human_display(function.human_display().unwrap_or_default())
        .with_ignore_nulls(function.ignore_nulls())
        .build()?;
    Ok(Arc::new(built))
}

/// Returns an operator in the place of a projection, with the columns that are needed above. A
/// projection that computes some of them is made again.
fn shown(below: Built, projection: &ProjectionExec, needed: &BTreeSet<usize>) -> Result<Built> {
    let mut kept = BTreeMap::new();
    let mut columns = Vec::with_capacity(needed.len());
    for place in needed {
        let shown = projection.expr().get(*place);
        let shown = shown.ok_or_else(|| lost(*place))?;
        let own = moved(&shown.expr, &|before| below.column(before))?;
        if let Some(own) = own.downcast_ref::<Column>() {
            kept.insert(*place, own.index());
        }
        columns.push(ProjectionExpr::new(own, shown.alias.clone()));
    }
    if kept.len() == needed.len() {
        return Ok(Built { kept, ..below });
    }
    let states = columns.len();
    for state in below.of_states() {
        columns.push(own_column(&below.plan, state)?);
    }
    let kept = needed.iter().enumerate();
    Ok(Built {
        kept: kept.map(|(place, before)| (*before, place)).collect(),
        plan: Arc::new(ProjectionExec::try_new(columns, below.plan)?),
        states,
    })
}

/// Joins states as the rows were joined, and drops the columns that nothing above needs.
fn joined(
    below: &Built,
    join: &HashJoinExec,
    side: JoinSide,
    needed: &BTreeSet<usize>,
) -> Result<Built> {
    let is_left = side == JoinSide::Left;
    let to = |before: usize| below.column(before);
    let mut on = JoinOn::with_capacity(join.on().len());
    for (left, right) in join.on() {
        on.push(match is_left {
            true => (moved(left, &to)?, Arc::clone(right)),
            false => (Arc::clone(left), moved(right, &to)?),
        });
    }
    let filter = join.filter().map(|filter| with_states(filter, side, below));
    let (left, right) = match is_left {
        true => (Arc::clone(&below.plan), Arc::clone(join.right())),
        false => (Arc::clone(join.left()), Arc::clone(&below.plan)),
    };
    let of_left = left.schema().fields().len();
    let plan = HashJoinExecBuilder::new(left, right, on, *join.join_type())
        .with_filter(filter.transpose()?)
        .with_partition_mode(*join.partition_mode())
        .with_null_equality(join.null_equality())
        .build_exec()?;
    let has_both = matches!(
        join.join_type(),
        JoinType::Inner | JoinType::Left | JoinType::Right
    );
    // The first column of either side in the result.
    let (own, other) = match (has_both, is_left) {
        (true, true) => (0, of_left),
        (true, false) => (of_left, 0),
        (false, _) => (0, 0),
    };
    let place = |before: usize| {
        let (of, column) = origin(join, before)?;
        match of == side {
            true => below.kept.get(&column).map(|place| place + own),
            false => Some(column + other),
        }
    };
    let mut places = Vec::with_capacity(needed.len());
    for before in needed {
        places.push(place(*before).ok_or_else(|| lost(*before))?);
    }
    let kept = needed.iter().enumerate();
    let kept = kept.map(|(place, before)| (*before, place)).collect();
    let states = places.len();
    places.extend(below.of_states().map(|state| state + own));
    Ok(Built {
        plan: picked(plan, &places)?,
        kept,
        states,
    })
}

/// Returns the filter of a join for a side with states.
fn with_states(filter: &JoinFilter, side: JoinSide, below: &Built) -> Result<JoinFilter> {
    let mut indices = Vec::with_capacity(filter.column_indices().len());
    for column in filter.column_indices() {
        let index = match column.side == side {
            true => below.kept.get(&column.index).copied(),
            false => Some(column.index),
        };
        indices.push(ColumnIndex {
            index: index.ok_or_else(|| lost(column.index))?,
            side: column.side,
        });
    }
    let (expression, schema) = (filter.expression(), filter.schema());
    Ok(JoinFilter::new(
        Arc::clone(expression),
        indices,
        Arc::clone(schema),
    ))
}

/// Returns an operator with these columns only.
fn picked(plan: Operator, places: &[usize]) -> Result<Operator> {
    let schema = plan.schema();
    if places.iter().copied().eq(0..schema.fields().len()) {
        return Ok(plan);
    }
    let columns = places.iter().map(|place| own_column(&plan, *place));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
}

/// Returns a column of an operator with its name.
fn own_column(plan: &Operator, place: usize) -> Result<ProjectionExpr> {
    let expression = column(plan, place).ok_or_else(|| lost(place))?;
    let schema = plan.schema();
    let field = schema.fields().get(place).ok_or_else(|| lost(place))?;
    Ok(ProjectionExpr::new(expression, field.name()))
}

/// Returns a column of an operator.
pub(super) fn column(plan: &Operator, place: usize) -> Option<PhysicalExprRef> {
    let schema = plan.schema();
    let field = schema.fields().get(place)?;
    Some(Arc::new(Column::new(field.name(), place)))
}

/// Returns an expression with its columns replaced. `to`: what is in the place of a column.
///
/// # Errors
///
/// Returns an error if nothing is in the place of one of them.
pub(super) fn moved(
    expression: &PhysicalExprRef,
    to: &dyn Fn(usize) -> Option<PhysicalExprRef>,
) -> Result<PhysicalExprRef> {
    let expression = Arc::clone(expression);
    let moved = expression.transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let other = to(column.index()).ok_or_else(|| lost(column.index()))?;
        Ok(Transformed::yes(other))
    });
    moved.data()
}

fn lost(column: usize) -> DataFusionError {
    DataFusionError::Internal(format!("column {column} below an aggregation was dropped"))
}
