//! The values of the outer columns that a subquery reads.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, JoinType, Result};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, Filter, Join, LogicalPlan, LogicalPlanBuilder,
    Projection, WindowFrameUnits, WindowFunctionDefinition,
};

use super::{outer_columns, refused};
use crate::limits::complexity::check_nodes;
use crate::plans::expressions;
use crate::shared::is_once;

/// The distinct values of the outer columns that a subquery reads, or all of the outer rows.
pub(super) struct Domain {
    /// Outer columns, and their names in the domain.
    pub outer: Vec<(Column, String)>,
    /// The types of the outer columns.
    pub types: Vec<DataType>,
    /// `None` if two readings of the outer rows may return different values.
    plan: Option<LogicalPlan>,
    pub alias: String,
}

impl Domain {
    /// Returns the domain of the columns of `rows` that `subquery` reads. It has all of their
    /// values, and may have more.
    ///
    /// # Errors
    ///
    /// Returns an error if the plans cannot be walked.
    pub(super) fn of(subquery: &LogicalPlan, rows: &LogicalPlan, number: usize) -> Result<Self> {
        Self::of_columns(&outer_columns(subquery)?, rows, number)
    }

    /// Returns the domain of those `columns` that `rows` has.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked, or is too large to be read twice.
    pub(super) fn of_columns(
        columns: &[Column],
        rows: &LogicalPlan,
        number: usize,
    ) -> Result<Self> {
        let own = columns
            .iter()
            .filter(|column| rows.schema().has_column(column));
        let outer = named(own.cloned().collect(), number);
        let columns: Vec<Column> = outer.iter().map(|(column, _)| column.clone()).collect();
        let plan = match outer.is_empty() {
            true => None,
            false => {
                check_nodes(rows)?;
                superset(rows, &columns)?
            }
        };
        let plan = plan.map(|values| {
            LogicalPlanBuilder::from(values)
                .project(renamed(&outer))?
                .distinct()?
                .build()
        });
        Ok(Self {
            types: types(&columns, rows)?,
            outer,
            plan: plan.transpose()?,
            alias: format!("__domain_{number}"),
        })
    }

    /// Returns the outer rows themselves, with all of their columns.
    ///
    /// # Errors
    ///
    /// Returns an error if the rows cannot be projected, or their plan is too large.
    pub(super) fn rows(rows: &LogicalPlan, number: usize) -> Result<Self> {
        check_nodes(rows)?;
        let columns = rows.schema().columns();
        let types = types(&columns, rows)?;
        let outer = named(columns, number);
        let plan = LogicalPlanBuilder::from(rows.clone())
            .project(renamed(&outer))?
            .build()?;
        Ok(Self {
            types,
            outer,
            plan: Some(plan),
            alias: format!("__rows_{number}"),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outer.is_empty()
    }

    /// Returns whether two readings of the outer rows may return different values.
    pub(super) fn may_differ(&self) -> bool {
        self.plan.is_none() && !self.is_empty()
    }

    /// Returns the plan of the values.
    ///
    /// # Errors
    ///
    /// Returns an error if two readings of the outer rows may return different values.
    pub(super) fn plan(&self) -> Result<LogicalPlan> {
        match &self.plan {
            Some(plan) => Ok(plan.clone()),
            None => refused(
                "a correlated subquery reads values that may differ from one reading of the outer rows to the next",
            ),
        }
    }
}

fn types(columns: &[Column], rows: &LogicalPlan) -> Result<Vec<DataType>> {
    let fields = columns.iter();
    let fields = fields.map(|column| rows.schema().field_from_column(column));
    fields
        .map(|field| field.map(|field| field.data_type().clone()))
        .collect()
}

fn named(columns: Vec<Column>, number: usize) -> Vec<(Column, String)> {
    let places = columns.into_iter().enumerate();
    places
        .map(|(place, column)| (column, format!("__outer_{number}_{place}")))
        .collect()
}

fn renamed(outer: &[(Column, String)]) -> Vec<Expr> {
    let columns = outer.iter();
    columns
        .map(|(column, name)| Expr::Column(column.clone()).alias(name.clone()))
        .collect()
}

/// Returns a plan of these columns alone with at least the rows of `plan`, duplicates aside, that
/// reads as little as possible. `None` if a second reading may return other values.
fn superset(plan: &LogicalPlan, needed: &[Column]) -> Result<Option<LogicalPlan>> {
    if needed.is_empty() {
        return whole(plan, needed);
    }
    match plan {
        LogicalPlan::Limit(limit) => superset(&limit.input, needed),
        LogicalPlan::Sort(sort) => superset(&sort.input, needed),
        LogicalPlan::Distinct(Distinct::All(input)) => superset(input, needed),
        LogicalPlan::SubqueryAlias(alias) => {
            let mut inner = Vec::new();
            let mut outer = Vec::new();
            for column in needed {
                let place = alias.schema.index_of_column(column)?;
                let below = Column::from(alias.input.schema().qualified_field(place));
                outer.push(
                    Expr::Column(below.clone())
                        .alias_qualified(column.relation.clone(), column.name.clone()),
                );
                inner.push(below);
            }
            projected(superset(&alias.input, &inner)?, outer)
        }
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            of_exprs(plan, expr, input, needed)
        }
        // The rows that are kept are some of those that are read.
        LogicalPlan::Distinct(Distinct::On(distinct)) => {
            of_exprs(plan, &distinct.select_expr, &distinct.input, needed)
        }
        LogicalPlan::Filter(filter) => of_filter(filter, needed),
        LogicalPlan::Window(window) if has_all(&window.input, needed) => {
            superset(&window.input, needed)
        }
        LogicalPlan::Aggregate(aggregate) => match keys(aggregate, needed)? {
            Some(keys) if !keys.iter().any(has_subquery) => {
                let columns = columns_of(&keys);
                match columns.is_empty() {
                    true => whole(plan, needed),
                    false => projected(superset(&aggregate.input, &columns)?, keys),
                }
            }
            _ => whole(plan, needed),
        },
        LogicalPlan::Join(join) => of_join(plan, join, needed),
        plan => whole(plan, needed),
    }
}

/// Returns the columns of the unchanged plan, if each reading returns the same rows.
fn whole(plan: &LogicalPlan, needed: &[Column]) -> Result<Option<LogicalPlan>> {
    match is_exact(plan)? {
        false => Ok(None),
        true => {
            let columns = needed.iter().cloned().map(Expr::Column).collect();
            projected(Some(plan.clone()), columns)
        }
    }
}

fn projected(plan: Option<LogicalPlan>, exprs: Vec<Expr>) -> Result<Option<LogicalPlan>> {
    let plan = plan.map(|plan| LogicalPlanBuilder::from(plan).project(exprs)?.build());
    plan.transpose()
}

/// Returns the superset of a plan whose columns are these expressions over its input.
fn of_exprs(
    plan: &LogicalPlan,
    own: &[Expr],
    input: &LogicalPlan,
    needed: &[Column],
) -> Result<Option<LogicalPlan>> {
    let mut exprs = Vec::new();
    for column in needed {
        let place = plan.schema().index_of_column(column)?;
        let Some(expr) = own.get(place) else {
            return Ok(None);
        };
        let expr = expr.clone();
        exprs.push(match &expr {
            Expr::Column(_) | Expr::Alias(_) => expr,
            _ => expr.alias_qualified(column.relation.clone(), column.name.clone()),
        });
    }
    if exprs.iter().any(Expr::is_volatile) {
        return Ok(None);
    }
    let columns = columns_of(&exprs);
    if columns.is_empty() || exprs.iter().any(has_subquery) {
        return whole(plan, needed);
    }
    projected(superset(input, &columns)?, exprs)
}

fn of_filter(filter: &Filter, needed: &[Column]) -> Result<Option<LogicalPlan>> {
    let conjuncts = split_conjunction(&filter.predicate).into_iter();
    let kept: Vec<Expr> = conjuncts
        .filter(|conjunct| !has_subquery(conjunct) && !conjunct.is_volatile())
        .cloned()
        .collect();
    let mut columns = needed.to_vec();
    for column in columns_of(&kept) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    // The condition only leaves out rows that are left out again above.
    match superset(&filter.input, &columns)? {
        Some(input) => {
            let mut plan = LogicalPlanBuilder::from(input);
            if let Some(predicate) = kept.into_iter().reduce(Expr::and) {
                plan = plan.filter(predicate)?;
            }
            let columns: Vec<Expr> = needed.iter().cloned().map(Expr::Column).collect();
            Ok(Some(plan.project(columns)?.build()?))
        }
        None if columns.len() > needed.len() => superset(&filter.input, needed),
        None => Ok(None),
    }
}

fn of_join(plan: &LogicalPlan, join: &Join, needed: &[Column]) -> Result<Option<LogicalPlan>> {
    let (left, right) = (has_all(&join.left, needed), has_all(&join.right, needed));
    match join.join_type {
        JoinType::Left if left => return superset(&join.left, needed),
        JoinType::Right if right => return superset(&join.right, needed),
        _ => {}
    }
    if is_exact(plan)? {
        return whole(plan, needed);
    }
    match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark if left => {
            return superset(&join.left, needed);
        }
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark if right => {
            return superset(&join.right, needed);
        }
        JoinType::Inner => {}
        _ => return Ok(None),
    }
    let filter = join.filter.clone();
    let filter = filter.filter(|filter| !has_subquery(filter) && !filter.is_volatile());
    let mut conditions: Vec<Expr> = filter.iter().cloned().collect();
    for (left, right) in &join.on {
        conditions.extend([left.clone(), right.clone()]);
    }
    let mut columns = needed.to_vec();
    for column in columns_of(&conditions) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let of = |side: &LogicalPlan| -> Vec<Column> {
        let own = columns.iter();
        own.filter(|column| side.schema().has_column(column))
            .cloned()
            .collect()
    };
    let (of_left, of_right) = (of(&join.left), of(&join.right));
    let (Some(left), Some(right)) = (
        superset(&join.left, &of_left)?,
        superset(&join.right, &of_right)?,
    ) else {
        return Ok(None);
    };
    let join = Join::try_new(
        left.into(),
        right.into(),
        join.on.clone(),
        filter,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    let columns = needed.iter().cloned().map(Expr::Column).collect();
    projected(Some(LogicalPlan::Join(join)), columns)
}

/// Returns the keys of a GROUP BY that the columns are; `None` if a column is not a key.
fn keys(aggregate: &Aggregate, needed: &[Column]) -> Result<Option<Vec<Expr>>> {
    if aggregate
        .group_expr
        .iter()
        .any(|key| matches!(key, Expr::GroupingSet(_)) || key.is_volatile())
    {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for column in needed {
        let place = aggregate.schema.index_of_column(column)?;
        let Some(key) = aggregate.group_expr.get(place) else {
            return Ok(None);
        };
        keys.push(match key {
            Expr::Column(_) | Expr::Alias(_) => key.clone(),
            key => key
                .clone()
                .alias_qualified(column.relation.clone(), column.name.clone()),
        });
    }
    Ok(Some(keys))
}

fn has_all(plan: &LogicalPlan, columns: &[Column]) -> bool {
    columns
        .iter()
        .all(|column| plan.schema().has_column(column))
}

fn columns_of(exprs: &[Expr]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for expr in exprs {
        for column in expr.column_refs() {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
    }
    columns.sort();
    columns
}

fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
        ))
    })
    .unwrap_or(true)
}

/// Returns whether each reading of a plan returns the same rows.
fn is_exact(plan: &LogicalPlan) -> Result<bool> {
    let mut exact = true;
    plan.apply_with_subqueries(|node| {
        if is_once(node) {
            return Ok(TreeNodeRecursion::Jump);
        }
        let mut is_volatile = false;
        node.apply_expressions(|expr| {
            is_volatile |= expr.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })?;
        exact = match node {
            _ if is_volatile => false,
            LogicalPlan::Limit(limit) => sorts_all(&limit.input),
            LogicalPlan::Distinct(Distinct::On(_)) => false,
            LogicalPlan::Sort(sort) => sort.fetch.is_none() || sorts_all(node),
            LogicalPlan::Window(window) => {
                let schema = window.input.schema();
                let mut exprs = window.window_expr.iter();
                exprs.all(|expr| is_settled(expr, schema))
            }
            LogicalPlan::Aggregate(aggregate) => {
                let schema = aggregate.input.schema();
                let mut exprs = aggregate.aggr_expr.iter();
                exprs.all(|expr| is_of_a_set(expr, schema))
            }
            _ => true,
        };
        Ok(expressions::until(!exact))
    })?;
    Ok(exact)
}

/// Returns whether a plan sorts by all of its columns, so that rows which the order does not
/// distinguish are equal.
fn sorts_all(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Sort(sort) = plan else {
        return false;
    };
    let columns = sort.input.schema().columns().into_iter();
    let mut columns = columns.map(Expr::Column);
    columns.all(|column| sort.expr.iter().any(|key| key.expr == column))
}

/// Returns whether a window's value does not depend on the order of equal rows.
fn is_settled(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::Alias(alias) => is_settled(&alias.expr, schema),
        Expr::WindowFunction(call) => {
            let WindowFunction { fun, params } = call.as_ref();
            let frame = &params.window_frame;
            let is_of_all = frame.start_bound.is_unbounded() && frame.end_bound.is_unbounded();
            match fun {
                WindowFunctionDefinition::WindowUDF(function) => matches!(
                    function.name(),
                    "rank" | "dense_rank" | "percent_rank" | "cume_dist"
                ),
                WindowFunctionDefinition::AggregateUDF(function) => {
                    (is_of_all || frame.units != WindowFrameUnits::Rows)
                        && is_of_sets(function.name(), &params.args, schema)
                }
            }
        }
        _ => false,
    }
}

/// Returns whether an aggregate depends on the set of its rows, and not on their order.
fn is_of_a_set(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::Alias(alias) => is_of_a_set(&alias.expr, schema),
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            is_of_sets(func.name(), &params.args, schema)
        }
        _ => false,
    }
}

fn is_of_sets(name: &str, args: &[Expr], schema: &DFSchema) -> bool {
    let is_exact = |arg: &Expr| {
        let kind = arg.get_type(schema);
        kind.is_ok_and(|kind| kind.is_integer() || kind.is_decimal())
    };
    is_whole(name) || (name == "sum" && args.iter().all(is_exact))
}

/// Returns whether a function does not depend on the order of its rows even for floats.
fn is_whole(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "min"
            | "max"
            | "bool_and"
            | "bool_or"
            | "bit_and"
            | "bit_or"
            | "bit_xor"
            | "single_value"
            | "grouping"
    )
}
