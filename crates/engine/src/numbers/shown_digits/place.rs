//! Where the digits of a result are calculated: above the sorts and limits of its query, from values
//! that the projection below them passes up.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Expr, ExprSchemable, Filter, Limit, LogicalPlan, Projection, Sort,
    SubqueryAlias, cast,
};

use super::exact::is_exact;
use super::function;
use super::tree::{Builder, Node};
use crate::plans::expressions;

/// The aggregate functions of a session, by name.
pub(super) type Functions = HashMap<String, Arc<AggregateUDF>>;

/// Digits of numbers whose sum never needs more than a decimal has: there are 10^10 rows at most.
const SUMMED_DIGITS: u8 = 28;

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
    let decimals = fields.filter(|(_, field)| has_fraction(field.data_type()));
    let wanted: Vec<Wanted> = decimals
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
            Some(Found { tree, leaves }) => {
                let leaves = leaves.into_iter().map(Expr::Column).collect();
                function::call(tree, leaves).alias_qualified(qualifier.cloned(), field.name())
            }
            None => Expr::Column(Column::from((qualifier, field))),
        });
    }
    Projection::try_new(columns, Arc::new(below)).map(LogicalPlan::Projection)
}

fn has_fraction(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(_, 1..))
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
            let is_column = matches!(expressions::without_alias(value), Expr::Column(_));
            if found.is_some() || (wanted.is_read && is_costly(value)) {
                continue;
            }
            let mut builder = Builder::new(input.clone(), self.functions);
            let tree = builder.node(value, false, 0);
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
            *found = Some(Found { tree, leaves });
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
        let projection = Projection::try_new(exprs, Arc::new(input))?;
        Ok(Some((LogicalPlan::Projection(projection), found)))
    }

    /// Looks for the columns that a projection passes on.
    fn passed(&mut self, projection: &Projection, wanted: &[Wanted]) -> Result<Extended> {
        let schema = projection.input.schema();
        let mut below = Vec::new();
        let mut places = Vec::new();
        for (at, wanted) in wanted.iter().enumerate() {
            let value = projection.expr.get(wanted.place);
            if let Some(Expr::Column(column)) = value.map(expressions::without_alias)
                && let Some(place) = schema.maybe_index_of_column(column)
            {
                let reads = |expr: &&Expr| expr.column_refs().contains(column);
                let readers = projection.expr.iter().filter(reads).count();
                below.push(Wanted {
                    place,
                    is_read: wanted.is_read || readers > 1,
                });
                places.push(at);
            }
        }
        let mut found: Vec<Option<Found>> = wanted.iter().map(|_| None).collect();
        if below.is_empty() {
            return Ok((LogicalPlan::clone(&projection.input), found));
        }
        match self.found(&projection.input, &below)? {
            None => Ok((LogicalPlan::clone(&projection.input), found)),
            Some((input, of_input)) => {
                for (at, of_input) in places.into_iter().zip(of_input) {
                    if let Some(found) = found.get_mut(at) {
                        *found = of_input;
                    }
                }
                Ok((input, found))
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
fn is_costly(value: &Expr) -> bool {
    let is = |part: &Expr| Ok(part.is_volatile_node() || expressions::subquery_of(part).is_some());
    value.exists(is).unwrap_or(true)
}

/// Returns a plan with the sum and the number of the values that the column at a place is the average
/// of, and these two columns. `None` of other columns.
pub(super) fn with_sums(
    plan: &LogicalPlan,
    place: usize,
    functions: &Functions,
) -> Option<(LogicalPlan, Column, Column)> {
    match plan {
        LogicalPlan::Filter(filter) => {
            let (input, sum, count) = with_sums(&filter.input, place, functions)?;
            let filter = Filter::new(filter.predicate.clone(), Arc::new(input));
            Some((LogicalPlan::Filter(filter), sum, count))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let keys = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
            let average = aggregate.aggr_expr.get(place.checked_sub(keys)?)?;
            let Expr::AggregateFunction(average) = expressions::without_alias(average) else {
                return None;
            };
            let [of] = average.params.args.as_slice() else {
                return None;
            };
            let is_plain = !average.params.distinct && average.params.order_by.is_empty();
            if average.func.name() != "avg" || !is_plain || !is_exact(of, &aggregate.input) {
                return None;
            }
            let summed = summed(of, &aggregate.input)?;
            let call = |name: &str, of: Expr| {
                let function = Arc::clone(functions.get(name)?);
                let filter = average.params.filter.clone();
                let call =
                    AggregateFunction::new_udf(function, vec![of], false, filter, vec![], None);
                Some(Expr::AggregateFunction(call))
            };
            let mut exprs = aggregate.aggr_expr.clone();
            let sum = keys + place_of(&mut exprs, call("sum", summed)?, place);
            let count = keys + place_of(&mut exprs, call("count", of.clone())?, place);
            let input = Arc::clone(&aggregate.input);
            let aggregate = Aggregate::try_new(input, aggregate.group_expr.clone(), exprs).ok()?;
            let column = |place: usize| {
                let known = place < aggregate.schema.fields().len();
                known.then(|| Column::from(aggregate.schema.qualified_field(place)))
            };
            let (sum, count) = (column(sum)?, column(count)?);
            Some((LogicalPlan::Aggregate(aggregate), sum, count))
        }
        _ => None,
    }
}

/// Returns the place of a function among others. It is added if it is none of them, with a name after
/// the column at a place.
fn place_of(exprs: &mut Vec<Expr>, call: Expr, column: usize) -> usize {
    let known = exprs
        .iter()
        .position(|expr| *expressions::without_alias(expr) == call);
    known.unwrap_or_else(|| {
        let place = exprs.len();
        exprs.push(call.alias(format!("$digits:{column}:{place}")));
        place
    })
}

/// Returns the argument of an average as one of a sum that is not exceeded.
fn summed(of: &Expr, input: &LogicalPlan) -> Option<Expr> {
    let schema = input.schema();
    match of.get_type(schema).ok()? {
        DataType::Decimal128(..=SUMMED_DIGITS, _) => Some(of.clone()),
        data_type if data_type.is_integer() => {
            let is_narrow = match of {
                Expr::Cast(cast) => matches!(
                    cast.expr.get_type(schema),
                    Ok(DataType::Int8 | DataType::Int16 | DataType::Int32)
                ),
                _ => false,
            };
            Some(match is_narrow {
                true => of.clone(),
                false => cast(
                    of.clone(),
                    DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
                ),
            })
        }
        _ => None,
    }
}
