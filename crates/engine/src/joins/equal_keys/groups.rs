//! Groups of equal values.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Case, Expr, LogicalPlan, LogicalPlanBuilder};

use super::marks::marked;
use super::{Comparable, name, put};

impl Comparable {
    /// Groups by comparable values.
    pub(super) fn grouped(self, aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
        let below = Arc::clone(aggregate.input.schema());
        let mut keys = Keys {
            schema: &below,
            comparable: self,
            found: Vec::new(),
        };
        let group_expr = aggregate.group_expr.iter().cloned();
        let group_expr = group_expr.map(|key| keys.replaced(key));
        let group_expr: Vec<Expr> = group_expr.collect::<Result<_>>()?;
        let counts = aggregate.aggr_expr.iter().cloned().map(|function| {
            function
                .transform_up(|part| Ok(self.counted(part, &below)))
                .data()
        });
        let mut functions: Vec<Expr> = counts.collect::<Result<_>>()?;
        let found = keys.found;
        if found.is_empty() {
            if functions == aggregate.aggr_expr {
                return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
            }
            let names = aggregate
                .schema
                .iter()
                .skip(aggregate.schema.fields().len() - functions.len());
            let functions = functions.into_iter().zip(names);
            let functions = functions.map(|(function, (_, field))| {
                let kept = function.schema_name().to_string() == *field.name();
                if kept {
                    function
                } else {
                    function.alias(field.name())
                }
            });
            let functions = functions.collect();
            let aggregate = Aggregate::try_new(aggregate.input, group_expr, functions)?;
            return Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)));
        }
        for (place, (key, _)) in found.iter().enumerate() {
            let first = AggregateFunction::new_udf(
                first_value_udaf(),
                vec![key.clone()],
                false,
                None,
                Vec::new(),
                None,
            );
            functions.push(Expr::AggregateFunction(first).alias(name("value", place)));
        }
        let columns = below.iter().map(Expr::from);
        let comparables = found.iter().enumerate();
        let comparables =
            comparables.map(|(place, (_, key))| key.clone().alias(name("key", place)));
        let input = LogicalPlanBuilder::from(LogicalPlan::clone(&aggregate.input))
            .project(columns.chain(comparables))?
            .build()?;
        let keys: Vec<String> = (0..found.len()).map(|place| name("key", place)).collect();
        let groups = Aggregate::try_new(Arc::new(input), group_expr, functions)?;
        let outputs = groups.schema.iter().zip(aggregate.schema.iter());
        let outputs = outputs.map(|(own, (relation, field))| {
            let column = Expr::from(own);
            let place = keys.iter().position(|key| own.1.name() == key);
            let output = match place {
                Some(place) => self.value_of(column, place, field)?,
                None if own.0 == relation && own.1.name() == field.name() => return Ok(column),
                None => column,
            };
            Ok(output.alias_qualified(relation.cloned(), field.name()))
        });
        let outputs: Vec<Expr> = outputs.collect::<Result<_>>()?;
        LogicalPlanBuilder::from(LogicalPlan::Aggregate(groups))
            .project(outputs)?
            .build()
            .map(Transformed::yes)
    }

    /// Returns a value of the group. It is NULL where the key is, as in a grouping set that leaves
    /// the key out.
    fn value_of(self, key: Expr, place: usize, field: &Field) -> Result<Expr> {
        let null = Expr::Literal(ScalarValue::try_from(field.data_type())?, None);
        let value = Expr::Column(Column::new_unqualified(name("value", place)));
        let whens = vec![(Box::new(key.is_null()), Box::new(null))];
        let value = Expr::Case(Case::new(None, whens, Some(Box::new(value))));
        Ok(match (self.0)(field) {
            Some(_) => marked(value, field),
            None => value,
        })
    }

    /// Makes `count(DISTINCT x)` count values that are not equal.
    fn counted(self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match expr {
            Expr::AggregateFunction(mut call)
                if call.params.distinct && call.func.name() == "count" =>
            {
                let mut changed = false;
                for argument in &mut call.params.args {
                    changed |= put(argument, self.groupable(argument, schema));
                }
                Transformed::new_transformed(Expr::AggregateFunction(call), changed)
            }
            expr => Transformed::no(expr),
        }
    }
}

/// Keys, and the comparable expressions that replace them.
struct Keys<'a> {
    schema: &'a DFSchema,
    comparable: Comparable,
    found: Vec<(Expr, Expr)>,
}

impl Keys<'_> {
    fn replaced(&mut self, key: Expr) -> Result<Expr> {
        match key {
            Expr::GroupingSet(_) => key
                .map_children(|key| self.replaced(key).map(Transformed::yes))
                .data(),
            key => Ok(self.column(key)),
        }
    }

    fn column(&mut self, key: Expr) -> Expr {
        let bare = key.clone().unalias();
        let known = self.found.iter().position(|(known, _)| *known == bare);
        let place = known.or_else(|| {
            let comparable = self.comparable.groupable(&bare, self.schema)?;
            self.found.push((bare, comparable));
            Some(self.found.len() - 1)
        });
        match place {
            Some(place) => Expr::Column(Column::new_unqualified(name("key", place))),
            None => key,
        }
    }
}
