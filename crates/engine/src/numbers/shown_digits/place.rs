//! Where the digits of a result are calculated: above the sorts and limits of its query, from values
//! that the projection below them passes up. `passed.rs` has the other operators between them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{
    AggregateUDF, Distinct, Expr, Limit, LogicalPlan, Projection, Sort, SubqueryAlias,
};

use super::tree::{At, Builder, Node};
use super::{function, texts};
use crate::plans::expressions;

/// The aggregate functions of a session, by name.
pub(super) type Functions = HashMap<String, Arc<AggregateUDF>>;

/// How many columns of subqueries are looked for.
const MAX_GRAFTS: usize = 64;

/// Returns an analysed plan whose columns show each `numeric` with the digits that PostgreSQL shows, as
/// far as these are known. The columns with other digits than their type are texts with a mark. The texts
/// of numbers have these digits, too.
///
/// `functions`: the aggregate functions of the session.
///
/// # Errors
///
/// Returns an error if the columns cannot be planned.
pub fn with_shown_digits(plan: LogicalPlan, functions: &Functions) -> Result<LogicalPlan> {
    let mut finder = Finder::new(functions);
    let plan = texts::with_shown_texts(plan, &mut finder)?;
    let fields = plan.schema().fields().iter().enumerate();
    let shown = fields.filter(|(_, field)| may_differ(field.data_type()));
    let wanted: Vec<Wanted> = shown.map(|(place, _)| Wanted::at(place)).collect();
    if wanted.is_empty() {
        return Ok(plan);
    }
    let Some((below, found)) = finder.found(&plan, &wanted)? else {
        return Ok(plan);
    };
    let mut trees: HashMap<usize, Found> = HashMap::new();
    for (wanted, found) in wanted.iter().zip(found) {
        if let Some(found) = found {
            trees.insert(wanted.place, found);
        }
    }
    let mut columns = Vec::with_capacity(plan.schema().fields().len());
    for (place, (qualifier, field)) in plan.schema().iter().enumerate() {
        columns.push(match trees.remove(&place) {
            Some(Found { tree, leaves, .. }) => {
                let leaves = leaves.into_iter().map(Expr::Column).collect();
                let digits = function::number(tree, leaves);
                digits.alias_qualified(qualifier.cloned(), field.name())
            }
            None => Expr::Column(Column::from((qualifier, field))),
        });
    }
    Projection::try_new(columns, Arc::new(below)).map(LogicalPlan::Projection)
}

/// Returns whether a column may have other digits than its type says.
pub(super) fn may_differ(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(_, 1..))
}

/// A column whose digits are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) place: usize,
    /// Whether an operator above reads the decimal.
    pub(super) is_read: bool,
    /// Whether it is wanted also if all its values have the digits of its type.
    pub(super) is_any: bool,
    /// Whether it is one of several values of one type, with the engine's cast to that type.
    pub(super) is_merged: bool,
}

impl Wanted {
    pub(super) fn at(place: usize) -> Self {
        Self {
            place,
            is_read: false,
            is_any: false,
            is_merged: false,
        }
    }

    /// Returns the column at a place of a plan below, which an operator reads.
    pub(super) fn read_at(place: usize) -> Self {
        Self {
            is_read: true,
            ..Self::at(place)
        }
    }
}

/// How a column is calculated.
pub(super) struct Found {
    pub(super) tree: Node,
    /// The columns that the leaves of the tree name.
    pub(super) leaves: Vec<Column>,
    /// Whether its digits differ from those of its type.
    pub(super) differs: bool,
}

/// A plan with more columns, and how each wanted column is calculated from them.
pub(super) type Extended = (LogicalPlan, Vec<Option<Found>>);

/// Finds what columns are calculated from.
pub(super) struct Finder<'a> {
    pub(super) functions: &'a Functions,
    /// How many columns were added.
    columns: usize,
    /// How many columns of subqueries are still looked for.
    grafts: usize,
}

impl<'a> Finder<'a> {
    pub(super) fn new(functions: &'a Functions) -> Self {
        Self {
            functions,
            columns: 0,
            grafts: MAX_GRAFTS,
        }
    }

    /// Returns a name for a column that is added.
    pub(super) fn name(&mut self) -> String {
        let name = format!("$digits:{}", self.columns);
        self.columns += 1;
        name
    }

    /// Returns a plan that passes on what a column of it, which others read, is calculated from; `None` if
    /// that is not known, or if the column has the digits of its type.
    pub(super) fn grafted(
        &mut self,
        plan: &LogicalPlan,
        place: usize,
    ) -> Option<(LogicalPlan, Found)> {
        self.grafts = self.grafts.checked_sub(1)?;
        let wanted = [Wanted::read_at(place)];
        let (plan, mut found) = self.found(plan, &wanted).ok().flatten()?;
        Some((plan, found.pop().flatten()?))
    }

    /// Returns `None` if no column is found.
    pub(super) fn found(
        &mut self,
        plan: &LogicalPlan,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        match plan {
            LogicalPlan::Sort(sort) => {
                let schema = sort.input.schema();
                let keys = sort.expr.iter().map(|key| &key.expr);
                let wanted = with_readers(wanted, keys, schema);
                let Some((input, found)) = self.found(&sort.input, &wanted)? else {
                    return Ok(None);
                };
                let sort = Sort {
                    expr: sort.expr.clone(),
                    input: Arc::new(input),
                    fetch: sort.fetch,
                };
                Ok(Some((LogicalPlan::Sort(sort), found)))
            }
            LogicalPlan::Limit(limit) => {
                let Some((input, found)) = self.found(&limit.input, wanted)? else {
                    return Ok(None);
                };
                let limit = Limit {
                    skip: limit.skip.clone(),
                    fetch: limit.fetch.clone(),
                    input: Arc::new(input),
                };
                Ok(Some((LogicalPlan::Limit(limit), found)))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some((input, mut found)) = self.found(&alias.input, wanted)? else {
                    return Ok(None);
                };
                for found in found.iter_mut().flatten() {
                    for leaf in &mut found.leaves {
                        leaf.relation = Some(alias.alias.clone());
                    }
                }
                let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
                Ok(Some((LogicalPlan::SubqueryAlias(alias), found)))
            }
            LogicalPlan::Projection(projection) => self.in_projection(projection, wanted),
            LogicalPlan::Filter(filter) => self.in_filter(filter, wanted),
            LogicalPlan::Join(join) => self.in_join(join, wanted),
            LogicalPlan::Window(window) => self.in_window(window, wanted),
            LogicalPlan::Distinct(Distinct::All(input)) => self.in_distinct(input, wanted),
            LogicalPlan::Aggregate(aggregate) => self.in_groups(aggregate, wanted),
            LogicalPlan::Union(union) => self.in_union(union, wanted),
            LogicalPlan::Values(values) => self.in_values(values, wanted),
            _ => Ok(None),
        }
    }

    fn in_projection(
        &mut self,
        projection: &Projection,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let mut exprs = projection.expr.clone();
        let (mut input, mut found) = self.below(projection, wanted)?;
        for column in found.iter().flatten().flat_map(|found| &found.leaves) {
            exprs.push(Expr::Column(column.clone()));
        }
        for (wanted, found) in wanted.iter().zip(&mut found) {
            let Some(value) = projection.expr.get(wanted.place) else {
                continue;
            };
            let number = expressions::without_alias(value);
            let is_column = matches!(number, Expr::Column(_));
            if found.is_some() || (wanted.is_read && is_costly(value)) {
                continue;
            }
            let (qualifier, field) = projection.schema.qualified_field(wanted.place);
            let mut builder = Builder::new(Arc::clone(&input), self);
            let tree = match wanted.is_merged {
                true => builder.merged(number, field.data_type(), At::default()),
                false => builder.node(number, At::default()),
            };
            let Some(tree) = tree.filter(|_| builder.differs || wanted.is_any) else {
                continue;
            };
            let Builder {
                input: extended,
                leaves: values,
                differs,
                ..
            } = builder;
            input = extended;
            let mut leaves = Vec::with_capacity(values.len());
            for leaf in values {
                let name = self.name();
                exprs.push(leaf.alias(&name));
                leaves.push(Column::new_unqualified(name));
            }
            *found = Some(Found {
                tree,
                leaves,
                differs,
            });
            if !wanted.is_read && !is_column {
                let null = ScalarValue::try_new_null(field.data_type())?;
                let null = Expr::Literal(null, None);
                if let Some(own) = exprs.get_mut(wanted.place) {
                    *own = null.alias_qualified(qualifier.cloned(), field.name());
                }
            }
        }
        if found.iter().all(Option::is_none) {
            return Ok(None);
        }
        let projection = Projection::try_new(exprs, input)?;
        Ok(Some((LogicalPlan::Projection(projection), found)))
    }

    /// Looks for the columns that a projection passes on.
    fn below(
        &mut self,
        projection: &Projection,
        wanted: &[Wanted],
    ) -> Result<(Arc<LogicalPlan>, Vec<Option<Found>>)> {
        let schema = projection.input.schema();
        let mut readers: HashMap<&Column, usize> = HashMap::new();
        for column in projection.expr.iter().flat_map(Expr::column_refs) {
            *readers.entry(column).or_default() += 1;
        }
        let mut below = Vec::new();
        for (at, wanted) in wanted.iter().enumerate() {
            let value = projection.expr.get(wanted.place);
            if let Some(Expr::Column(column)) = value.map(expressions::without_alias)
                && let Some(place) = schema.maybe_index_of_column(column)
            {
                let is_shared = readers.get(column).is_some_and(|readers| *readers > 1);
                let wanted = Wanted {
                    place,
                    is_read: wanted.is_read || is_shared,
                    is_merged: false,
                    ..*wanted
                };
                below.push((at, wanted));
            }
        }
        let mut found: Vec<Option<Found>> = wanted.iter().map(|_| None).collect();
        let input = self.passed_on(&projection.input, below, &mut found)?;
        Ok((
            input.unwrap_or_else(|| Arc::clone(&projection.input)),
            found,
        ))
    }

    /// Returns the tree of a number and its leaves; `None` if its digits are those of its type, or not
    /// known. `input`: the plan of its columns, which may get more.
    pub(super) fn differing(
        &mut self,
        number: &Expr,
        input: &mut Arc<LogicalPlan>,
    ) -> Option<(Node, Vec<Expr>)> {
        let mut builder = Builder::new(Arc::clone(input), self);
        let tree = builder.node(number, At::default())?;
        let Builder {
            input: extended,
            leaves,
            differs,
            ..
        } = builder;
        if !differs {
            return None;
        }
        *input = extended;
        Some((tree, leaves))
    }
}

/// Returns the wanted columns with whether the expressions of an operator read them.
pub(super) fn with_readers<'a>(
    wanted: &[Wanted],
    exprs: impl Iterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> Vec<Wanted> {
    let columns = exprs.flat_map(Expr::column_refs);
    let read: Vec<usize> = columns
        .filter_map(|column| schema.maybe_index_of_column(column))
        .collect();
    let wanted = wanted.iter().map(|wanted| Wanted {
        is_read: wanted.is_read || read.contains(&wanted.place),
        ..*wanted
    });
    wanted.collect()
}

/// Returns whether an expression should not be calculated twice, or has another value each time.
pub(super) fn is_costly(value: &Expr) -> bool {
    let is = |part: &Expr| Ok(part.is_volatile_node() || expressions::subquery_of(part).is_some());
    value.exists(is).unwrap_or(true)
}
