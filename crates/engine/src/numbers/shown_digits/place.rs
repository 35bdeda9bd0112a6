//! Where the digits of a result are calculated: above the sorts and limits of its query, from values
//! that the projection below them passes up.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{
    AggregateUDF, Cast, Expr, Limit, LogicalPlan, Projection, Sort, SubqueryAlias, cast,
};

use super::function;
use super::tree::{At, Builder, Node};
use crate::plans::expressions;

/// The aggregate functions of a session, by name.
pub(super) type Functions = HashMap<String, Arc<AggregateUDF>>;

/// Returns an analysed plan whose columns show each `numeric` with the digits that PostgreSQL shows, as
/// far as these are known. The columns with other digits than their type are texts with a mark.
///
/// `functions`: the aggregate functions of the session.
///
/// # Errors
///
/// Returns an error if the columns cannot be planned.
pub fn with_shown_digits(plan: LogicalPlan, functions: &Functions) -> Result<LogicalPlan> {
    let fields = plan.schema().fields().iter().enumerate();
    let shown = fields.filter(|(_, field)| may_differ(field.data_type()));
    let wanted: Vec<Wanted> = shown
        .map(|(place, _)| Wanted {
            place,
            is_read: false,
        })
        .collect();
    if wanted.is_empty() {
        return Ok(plan);
    }
    let mut finder = Finder {
        functions,
        columns: 0,
    };
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
            Some(Found {
                tree,
                leaves,
                is_text,
            }) => {
                let leaves = leaves.into_iter().map(Expr::Column).collect();
                let digits = match is_text {
                    true => cast(function::text(tree, leaves), field.data_type().clone()),
                    false => function::number(tree, leaves),
                };
                digits.alias_qualified(qualifier.cloned(), field.name())
            }
            None => Expr::Column(Column::from((qualifier, field))),
        });
    }
    Projection::try_new(columns, Arc::new(below)).map(LogicalPlan::Projection)
}

/// Returns whether a column may have other digits than its type says: a decimal, or the text of one.
fn may_differ(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(_, 1..)) || data_type.is_string()
}

/// A column whose digits are looked for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    place: usize,
    /// Whether an operator above reads the decimal.
    is_read: bool,
}

/// How a column is calculated.
struct Found {
    tree: Node,
    /// The columns that the leaves of the tree name.
    leaves: Vec<Column>,
    /// Whether the column is a text of the number.
    is_text: bool,
}

/// A plan with more columns at its end, and how each wanted column is calculated from them.
type Extended = (LogicalPlan, Vec<Option<Found>>);

struct Finder<'a> {
    functions: &'a Functions,
    /// How many columns were added.
    columns: usize,
}

impl Finder<'_> {
    /// Returns `None` if no column is found.
    fn found(&mut self, plan: &LogicalPlan, wanted: &[Wanted]) -> Result<Option<Extended>> {
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
            _ => Ok(None),
        }
    }

    fn in_projection(
        &mut self,
        projection: &Projection,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let mut exprs = projection.expr.clone();
        let (mut input, mut found) = self.passed(projection, wanted)?;
        for column in found.iter().flatten().flat_map(|found| &found.leaves) {
            exprs.push(Expr::Column(column.clone()));
        }
        for (wanted, found) in wanted.iter().zip(&mut found) {
            let Some(value) = projection.expr.get(wanted.place) else {
                continue;
            };
            let (number, is_text) = match expressions::without_alias(value) {
                Expr::Cast(Cast { expr, field }) if field.data_type().is_string() => {
                    (expr.as_ref(), true)
                }
                number => (number, false),
            };
            let is_column = matches!(expressions::without_alias(value), Expr::Column(_));
            if found.is_some() || (wanted.is_read && is_costly(value)) {
                continue;
            }
            let mut builder = Builder::new(Arc::clone(&input), self.functions);
            let tree = builder.node(number, At::default());
            let Some(tree) = tree.filter(|_| builder.differs) else {
                continue;
            };
            input = builder.input;
            let mut leaves = Vec::with_capacity(builder.leaves.len());
            for leaf in builder.leaves {
                let name = format!("$digits:{}", self.columns);
                self.columns += 1;
                exprs.push(leaf.alias(&name));
                leaves.push(Column::new_unqualified(name));
            }
            *found = Some(Found {
                tree,
                leaves,
                is_text,
            });
            if !wanted.is_read && !is_column {
                let (qualifier, field) = projection.schema.qualified_field(wanted.place);
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
    fn passed(
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
        let mut places = Vec::new();
        for (at, wanted) in wanted.iter().enumerate() {
            let value = projection.expr.get(wanted.place);
            if let Some(Expr::Column(column)) = value.map(expressions::without_alias)
                && let Some(place) = schema.maybe_index_of_column(column)
            {
                let is_shared = readers.get(column).is_some_and(|readers| *readers > 1);
                below.push(Wanted {
                    place,
                    is_read: wanted.is_read || is_shared,
                });
                places.push(at);
            }
        }
        let mut found: Vec<Option<Found>> = wanted.iter().map(|_| None).collect();
        if below.is_empty() {
            return Ok((Arc::clone(&projection.input), found));
        }
        match self.found(&projection.input, &below)? {
            None => Ok((Arc::clone(&projection.input), found)),
            Some((input, of_input)) => {
                for (at, of_input) in places.into_iter().zip(of_input) {
                    if let Some(found) = found.get_mut(at) {
                        *found = of_input;
                    }
                }
                Ok((Arc::new(input), found))
            }
        }
    }
}

/// Returns the wanted columns with whether the expressions of an operator read them.
fn with_readers<'a>(
    wanted: &[Wanted],
    exprs: impl Iterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> Vec<Wanted> {
    let columns = exprs.flat_map(Expr::column_refs);
    let read: Vec<usize> = columns
        .filter_map(|column| schema.maybe_index_of_column(column))
        .collect();
    let wanted = wanted.iter().map(|wanted| Wanted {
        place: wanted.place,
        is_read: wanted.is_read || read.contains(&wanted.place),
    });
    wanted.collect()
}

/// Returns whether an expression should not be calculated twice, or has another value each time.
pub(super) fn is_costly(value: &Expr) -> bool {
    let is = |part: &Expr| Ok(part.is_volatile_node() || expressions::subquery_of(part).is_some());
    value.exists(is).unwrap_or(true)
}
