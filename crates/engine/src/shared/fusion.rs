//! One plan that has the rows and columns of several.
//!
//! The plans are those of one WITH or view in several places, so columns of one name are the same
//! columns in all of them. Going up from the scans, each operator is the same in all plans but for
//! its columns and conditions. The one plan has all columns, and the rows that meet the conditions of
//! at least one plan; what each plan keeps of them are conditions that pass upwards as long as their
//! columns do and rows neither multiply nor meet rows of other plans.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::{Column, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::replace_col;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, Join, LogicalPlan, Projection, SubqueryAlias,
    TableProviderFilterPushDown, TableScanBuilder, Union,
};

use super::conditions::{Conditions, adds_columns, columns, unaliased};
use super::survey::{address, are_equal};
use crate::limits::stop::check;

/// Plans that have become one.
pub(super) struct Fused {
    pub plan: LogicalPlan,
    /// For each plan, the conditions that its rows meet. Their columns are those of the one plan.
    pub kept: Vec<Vec<Expr>>,
}

impl Fused {
    /// Plans that are equal.
    fn equal(plan: &LogicalPlan, count: usize) -> Self {
        Self {
            plan: plan.clone(),
            kept: vec![Vec::new(); count],
        }
    }

    fn keeps_all(&self) -> bool {
        self.kept.iter().all(Vec::is_empty)
    }

    /// Returns whether the one plan has the columns of each plan, with their types, and those of what
    /// is kept.
    pub(super) fn has_columns_of(&self, plans: &[&LogicalPlan]) -> bool {
        let schema = self.plan.schema();
        let has_all = plans.iter().all(|plan| {
            plan.schema().iter().all(|(relation, field)| {
                let found =
                    schema.maybe_index_of_column(&Column::new(relation.cloned(), field.name()));
                found.is_some_and(|index| schema.field(index).data_type() == field.data_type())
            })
        });
        has_all
            && self
                .columns_kept()
                .iter()
                .all(|column| schema.maybe_index_of_column(column).is_some())
    }

    fn columns_kept(&self) -> BTreeSet<Column> {
        self.kept.iter().flatten().flat_map(columns).collect()
    }

    /// Returns the plan with what is kept in other names; `None` if `renamed` has none for a column.
    fn renamed(
        plan: LogicalPlan,
        kept: Vec<Vec<Expr>>,
        renamed: impl Fn(&Column) -> Option<Column>,
    ) -> Result<Option<Self>> {
        let old: BTreeSet<Column> = kept.iter().flatten().flat_map(columns).collect();
        let Some(new) = old.iter().map(renamed).collect::<Option<Vec<Column>>>() else {
            return Ok(None);
        };
        let names: HashMap<&Column, &Column> = old.iter().zip(&new).collect();
        let kept: Vec<Vec<Expr>> = kept
            .into_iter()
            .map(|kept| {
                kept.into_iter()
                    .map(|kept| replace_col(kept, &names))
                    .collect()
            })
            .collect::<Result<_>>()?;
        Ok(Some(Self { plan, kept }))
    }
}

/// The nodes, if all of them are of one kind.
macro_rules! all_are {
    ($plans:expr, $kind:ident) => {
        $plans
            .iter()
            .map(|plan| match plan {
                LogicalPlan::$kind(node) => Some(node),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
    };
}

/// Returns one plan instead of several; `None` if there is none. Its columns may be more.
///
/// # Errors
///
/// Returns an error if planning must stop, or if an operator cannot be made.
pub(super) fn fused(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    check()?;
    let Some((first, others)) = plans.split_first() else {
        return Ok(None);
    };
    if others.iter().all(|other| are_equal(first, other)) {
        return Ok(Some(Fused::equal(first, plans.len())));
    }
    if plans
        .iter()
        .any(|plan| matches!(plan, LogicalPlan::Filter(_)))
    {
        return filters(plans);
    }
    if plans
        .iter()
        .any(|plan| matches!(plan, LogicalPlan::Projection(_)))
    {
        return projections(plans);
    }
    match first {
        LogicalPlan::TableScan(_) => scans(plans),
        LogicalPlan::SubqueryAlias(_) => aliases(plans),
        LogicalPlan::Join(_) => joins(plans),
        LogicalPlan::Aggregate(_) => aggregates(plans),
        LogicalPlan::Union(_) => unions(plans),
        _ => Ok(None),
    }
}

fn scans(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let Some(scans) = all_are!(plans, TableScan) else {
        return Ok(None);
    };
    let Some(first) = scans.first() else {
        return Ok(None);
    };
    let are_alike = scans.iter().all(|scan| {
        address(&scan.source) == address(&first.source)
            && scan.table_name == first.table_name
            && scan.statistics_requests == first.statistics_requests
            && scan.fetch.is_none()
    });
    let filters: Vec<Vec<&Expr>> = scans
        .iter()
        .map(|scan| scan.filters.iter().collect())
        .collect();
    let (true, Some(conditions)) = (are_alike, Conditions::of(&filters)) else {
        return Ok(None);
    };
    let schema = first.source.schema();
    let mut wanted = BTreeSet::new();
    for scan in &scans {
        match &scan.projection {
            Some(columns) => wanted.extend(columns.iter().copied()),
            None => wanted.extend(0..schema.fields().len()),
        }
    }
    for column in conditions.own.iter().flatten().flat_map(columns) {
        let Ok(index) = schema.index_of(column.name()) else {
            return Ok(None);
        };
        wanted.insert(index);
    }
    let either = conditions.either();
    let mut filters = conditions.common;
    let mut above = None;
    if let Some(either) = either {
        let supported = first.source.supports_filters_pushdown(&[&either])?;
        let supported = supported.first();
        if supported != Some(&TableProviderFilterPushDown::Exact) {
            above = Some(either.clone());
        }
        if supported.is_some_and(|of| *of != TableProviderFilterPushDown::Unsupported) {
            filters.push(either);
        }
    }
    let scan = TableScanBuilder::new(first.table_name.clone(), Arc::clone(&first.source))
        .with_projection(Some(wanted.into_iter().collect()))
        .with_filters(filters)
        .with_statistics_requests(first.statistics_requests.clone())
        .build()?;
    let mut plan = LogicalPlan::TableScan(scan);
    if let Some(condition) = above {
        plan = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?);
    }
    Ok(Some(Fused {
        plan,
        kept: conditions.own,
    }))
}

/// Filters, and plans without one in the places of others.
fn filters(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let mut inputs = Vec::new();
    let mut predicates = Vec::new();
    for plan in plans {
        match plan {
            LogicalPlan::Filter(filter) => {
                inputs.push(filter.input.as_ref());
                predicates.push(split_conjunction(&filter.predicate));
            }
            other => {
                inputs.push(*other);
                predicates.push(Vec::new());
            }
        }
    }
    let Some(input) = fused(&inputs)? else {
        return Ok(None);
    };
    // What a scan has tested is tested again where the scan may leave rows in.
    for (predicates, kept) in predicates.iter_mut().zip(&input.kept) {
        predicates.extend(kept);
    }
    let Some(conditions) = Conditions::of(&predicates) else {
        return Ok(None);
    };
    let either = conditions.either();
    let mut plan = match input.plan {
        // The scan has it above it.
        LogicalPlan::Filter(filter) if Some(&filter.predicate) == either.as_ref() => {
            Arc::unwrap_or_clone(filter.input)
        }
        plan => plan,
    };
    let predicate = either.into_iter().chain(conditions.common.iter().cloned());
    if let Some(predicate) = conjunction(predicate) {
        plan = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?);
    }
    Ok(Some(Fused {
        plan,
        kept: conditions.own,
    }))
}

/// Projections, and plans without one in the places of others.
fn projections(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let mut inputs = Vec::new();
    let mut outputs: Vec<Vec<(Column, Expr)>> = Vec::new();
    for plan in plans {
        let columns = plan.schema().columns();
        let (input, exprs) = match plan {
            LogicalPlan::Projection(projection) => {
                (projection.input.as_ref(), projection.expr.clone())
            }
            other => (*other, columns.iter().cloned().map(Expr::Column).collect()),
        };
        inputs.push(input);
        outputs.push(columns.into_iter().zip(exprs).collect());
    }
    let Some(input) = fused(&inputs)? else {
        return Ok(None);
    };
    let mut all: Vec<(Column, Expr)> = Vec::new();
    for (column, expr) in outputs.iter().flatten() {
        match all.iter().find(|(known, _)| known == column) {
            Some((_, known)) if known == expr => {}
            Some(_) => return Ok(None),
            None => all.push((column.clone(), expr.clone())),
        }
    }
    // Expressions may fail for rows of the other plans.
    let is_everywhere =
        |output: &(Column, Expr)| outputs.iter().all(|of_one| of_one.contains(output));
    let may_fail = |output: &(Column, Expr)| !matches!(unaliased(&output.1), Expr::Column(_));
    if !input.keeps_all()
        && all
            .iter()
            .any(|output| may_fail(output) && !is_everywhere(output))
    {
        return Ok(None);
    }
    let mut names: HashMap<Column, Column> = HashMap::new();
    for column in input.columns_kept() {
        let passed = |(_, expr): &&(Column, Expr)| *unaliased(expr) == Expr::Column(column.clone());
        let output = match all.iter().find(passed) {
            Some((output, _)) => output.clone(),
            None if all.iter().any(|(output, _)| output.name == column.name) => return Ok(None),
            None => {
                all.push((column.clone(), Expr::Column(column.clone())));
                column.clone()
            }
        };
        names.insert(column, output);
    }
    let exprs = all.into_iter().map(|(_, expr)| expr).collect();
    let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input.plan))?);
    Fused::renamed(plan, input.kept, |column| names.get(column).cloned())
}

fn aliases(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let Some(aliases) = all_are!(plans, SubqueryAlias) else {
        return Ok(None);
    };
    let Some(alias) = aliases.first().map(|first| &first.alias) else {
        return Ok(None);
    };
    if aliases.iter().any(|other| other.alias != *alias) {
        return Ok(None);
    }
    let inputs: Vec<&LogicalPlan> = aliases.iter().map(|of| of.input.as_ref()).collect();
    let Some(input) = fused(&inputs)? else {
        return Ok(None);
    };
    // Columns of one name would be renamed.
    let mut names = BTreeSet::new();
    if !input
        .plan
        .schema()
        .fields()
        .iter()
        .all(|field| names.insert(field.name()))
    {
        return Ok(None);
    }
    let plan = SubqueryAlias::try_new(Arc::new(input.plan), alias.clone())?;
    let in_alias = |column: &Column| Some(Column::new(Some(alias.clone()), column.name()));
    Fused::renamed(LogicalPlan::SubqueryAlias(plan), input.kept, in_alias)
}

fn joins(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let Some(joins) = all_are!(plans, Join) else {
        return Ok(None);
    };
    let Some(first) = joins.first() else {
        return Ok(None);
    };
    let are_alike = joins.iter().all(|join| {
        join.on == first.on
            && join.filter == first.filter
            && join.join_type == first.join_type
            && join.join_constraint == first.join_constraint
            && join.null_equality == first.null_equality
            && join.null_aware == first.null_aware
    });
    if !are_alike {
        return Ok(None);
    }
    let left: Vec<&LogicalPlan> = joins.iter().map(|join| join.left.as_ref()).collect();
    let right: Vec<&LogicalPlan> = joins.iter().map(|join| join.right.as_ref()).collect();
    let Some(left) = fused(&left)? else {
        return Ok(None);
    };
    let Some(right) = fused(&right)? else {
        return Ok(None);
    };
    // Rows of one plan must not meet those of another, nor stand for them.
    let passes = match first.join_type {
        JoinType::Inner => left.keeps_all() || right.keeps_all(),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            right.keeps_all()
        }
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            left.keeps_all()
        }
        JoinType::Full => left.keeps_all() && right.keeps_all(),
    };
    if !passes {
        return Ok(None);
    }
    let kept = match left.keeps_all() {
        true => right.kept,
        false => left.kept,
    };
    let plan = Join::try_new(
        Arc::new(left.plan),
        Arc::new(right.plan),
        first.on.clone(),
        first.filter.clone(),
        first.join_type,
        first.join_constraint,
        first.null_equality,
        first.null_aware,
    )?;
    Ok(Some(Fused {
        plan: LogicalPlan::Join(plan),
        kept,
    }))
}

fn aggregates(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let Some(aggregates) = all_are!(plans, Aggregate) else {
        return Ok(None);
    };
    let Some(first) = aggregates.first() else {
        return Ok(None);
    };
    let has_sets = first
        .group_expr
        .iter()
        .any(|expr| matches!(expr, Expr::GroupingSet(_)));
    if has_sets
        || aggregates
            .iter()
            .any(|other| other.group_expr != first.group_expr)
    {
        return Ok(None);
    }
    let inputs: Vec<&LogicalPlan> = aggregates.iter().map(|of| of.input.as_ref()).collect();
    let Some(input) = fused(&inputs)? else {
        return Ok(None);
    };
    let mut calls: Vec<Expr> = Vec::new();
    for call in aggregates.iter().flat_map(|of| &of.aggr_expr) {
        if !calls.contains(call) {
            calls.push(call.clone());
        }
    }
    // Calls may fail where another plan's rows are all that is asked for.
    let is_everywhere = |call: &Expr| aggregates.iter().all(|of| of.aggr_expr.contains(call));
    if !calls
        .iter()
        .all(|call| is_everywhere(call) || adds_columns(call, input.plan.schema()))
    {
        return Ok(None);
    }
    if !input.keeps_all() {
        // A group is of one plan's rows only if the conditions are on its keys.
        let is_key = |column: &Column| {
            let is_it = |expr: &Expr| matches!(expr, Expr::Column(key) if key == column);
            first.group_expr.iter().any(is_it)
        };
        let kept = input.columns_kept();
        let is_of_one_key = kept.len() == 1 && kept.iter().all(is_key);
        if !is_of_one_key || !calls.iter().all(is_everywhere) {
            return Ok(None);
        }
    }
    let plan = Aggregate::try_new(Arc::new(input.plan), first.group_expr.clone(), calls)?;
    Ok(Some(Fused {
        plan: LogicalPlan::Aggregate(plan),
        kept: input.kept,
    }))
}

fn unions(plans: &[&LogicalPlan]) -> Result<Option<Fused>> {
    let Some(unions) = all_are!(plans, Union) else {
        return Ok(None);
    };
    let Some(first) = unions.first() else {
        return Ok(None);
    };
    let width = first.inputs.len();
    if unions
        .iter()
        .any(|of| of.inputs.len() != width || of.schema != first.schema)
    {
        return Ok(None);
    }
    let columns = first.schema.columns();
    let mut inputs = Vec::new();
    let mut kept: Option<Vec<Vec<Expr>>> = None;
    for place in 0..width {
        let of_place: Vec<&LogicalPlan> = unions
            .iter()
            .filter_map(|of| of.inputs.get(place))
            .map(Arc::as_ref)
            .collect();
        let Some(input) = fused(&of_place)? else {
            return Ok(None);
        };
        // Columns have places here, not names.
        let names = input.plan.schema().columns();
        if of_place.iter().any(|of| of.schema().columns() != names) {
            return Ok(None);
        }
        let in_union = |column: &Column| {
            let at = names.iter().position(|name| name == column)?;
            columns.get(at).cloned()
        };
        let Some(input) = Fused::renamed(input.plan, input.kept, in_union)? else {
            return Ok(None);
        };
        match &kept {
            Some(kept) if *kept != input.kept => return Ok(None),
            _ => kept = Some(input.kept),
        }
        inputs.push(Arc::new(input.plan));
    }
    let plan = LogicalPlan::Union(Union {
        inputs,
        schema: Arc::clone(&first.schema),
    });
    Ok(kept.map(|kept| Fused { plan, kept }))
}
