//! How operators between a projection and the result pass on what a column is calculated from.
//!
//! ```text
//! SELECT DISTINCT a / b               Aggregate: a / b, min($digits(a, b))
//! … GROUP BY a / b                    the same
//! SELECT a / b UNION ALL SELECT 1     Union
//!                                       Projection: a / b, $digits(a, b)
//!                                       Projection: CAST(1 AS …), $digits(1)
//! VALUES (1.5), (2.25)                Values: (1.50, '1.5'), (2.25, '2.25')
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, EmptyRelation, Expr, Filter, Join, LogicalPlan, Projection, Union, Values, Window,
};

use super::exact::is_exact;
use super::function;
use super::place::{Extended, Finder, Found, Wanted, is_costly, may_differ, with_readers};
use super::tree::{At, Builder, Node};

/// The most rows of VALUES whose cells have texts.
const MAX_ROWS: usize = 1000;

impl Finder<'_> {
    pub(super) fn in_filter(
        &mut self,
        filter: &Filter,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let predicate = std::iter::once(&filter.predicate);
        let wanted = with_readers(wanted, predicate, filter.input.schema());
        let Some((input, found)) = self.found(&filter.input, &wanted)? else {
            return Ok(None);
        };
        let filter = Filter::new(filter.predicate.clone(), Arc::new(input));
        Ok(Some((LogicalPlan::Filter(filter), found)))
    }

    /// Columns of a side that has no row for another one's are NULL, as what they are calculated from.
    pub(super) fn in_join(&mut self, join: &Join, wanted: &[Wanted]) -> Result<Option<Extended>> {
        let width = join.left.schema().fields().len();
        let has_right = match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => true,
            JoinType::LeftSemi | JoinType::LeftAnti => false,
            _ => return Ok(None),
        };
        let mut found: Vec<Option<Found>> = wanted.iter().map(|_| None).collect();
        let left = self.of_input(&join.left, wanted, &mut found, |place| {
            (place < width).then_some(place)
        })?;
        let right = match has_right {
            true => self.of_input(&join.right, wanted, &mut found, |place| {
                place.checked_sub(width)
            })?,
            false => None,
        };
        if left.is_none() && right.is_none() {
            return Ok(None);
        }
        let join = Join::try_new(
            left.unwrap_or_else(|| Arc::clone(&join.left)),
            right.unwrap_or_else(|| Arc::clone(&join.right)),
            join.on.clone(),
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        Ok(Some((LogicalPlan::Join(join), found)))
    }

    /// Looks for the wanted columns that are those of an input, which others read, and returns the
    /// input with what they are calculated from; `None` if no column is found.
    ///
    /// `place_in`: returns the place of a column in the input.
    fn of_input(
        &mut self,
        input: &LogicalPlan,
        wanted: &[Wanted],
        found: &mut [Option<Found>],
        place_in: impl Fn(usize) -> Option<usize>,
    ) -> Result<Option<Arc<LogicalPlan>>> {
        let below = wanted.iter().enumerate();
        let below = below
            .filter_map(|(at, wanted)| Some((at, Wanted::read_at(place_in(wanted.place)?))))
            .collect();
        self.passed_on(input, below, found)
    }

    /// Looks for columns of an input, and returns the input with what they are calculated from; `None` if
    /// no column is found.
    ///
    /// `below`: the columns, each with its place in `found`, which takes what is found.
    pub(super) fn passed_on(
        &mut self,
        input: &LogicalPlan,
        below: Vec<(usize, Wanted)>,
        found: &mut [Option<Found>],
    ) -> Result<Option<Arc<LogicalPlan>>> {
        if below.is_empty() {
            return Ok(None);
        }
        let (places, below): (Vec<usize>, Vec<Wanted>) = below.into_iter().unzip();
        let Some((input, of_input)) = self.found(input, &below)? else {
            return Ok(None);
        };
        for (at, of_input) in places.into_iter().zip(of_input) {
            if let Some(found) = found.get_mut(at) {
                *found = of_input;
            }
        }
        Ok(Some(Arc::new(input)))
    }

    pub(super) fn in_window(
        &mut self,
        window: &Window,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let width = window.input.schema().fields().len();
        let mut found: Vec<Option<Found>> = wanted.iter().map(|_| None).collect();
        let input = self.of_input(&window.input, wanted, &mut found, |place| {
            (place < width).then_some(place)
        })?;
        let Some(input) = input else {
            return Ok(None);
        };
        let window = Window::try_new(window.window_expr.clone(), input)?;
        Ok(Some((LogicalPlan::Window(window), found)))
    }

    pub(super) fn in_distinct(
        &mut self,
        input: &LogicalPlan,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let below: Vec<Wanted> = wanted
            .iter()
            .map(|wanted| Wanted::read_at(wanted.place))
            .collect();
        let Some((extended, of_input)) = self.found(input, &below)? else {
            return Ok(None);
        };
        let mut functions = Vec::new();
        let mut found = Vec::with_capacity(of_input.len());
        for of_input in of_input {
            let of_group = of_input.and_then(|of_input| {
                let leaves = of_input.leaves.into_iter().map(Expr::Column).collect();
                self.of_group(of_input.tree, leaves, &mut functions)
            });
            found.push(of_group);
        }
        if functions.is_empty() {
            return Ok(None);
        }
        let keys = input.schema().columns().into_iter().map(Expr::Column);
        let aggregate = Aggregate::try_new(Arc::new(extended), keys.collect(), functions)?;
        Ok(Some((LogicalPlan::Aggregate(aggregate), found)))
    }

    pub(super) fn in_groups(
        &mut self,
        aggregate: &Aggregate,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let keys = &aggregate.group_expr;
        if keys.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
            return Ok(None);
        }
        let mut input = Arc::clone(&aggregate.input);
        let mut functions = aggregate.aggr_expr.clone();
        let mut found = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let key = keys.get(wanted.place).filter(|key| !is_costly(key));
            found.push(match key {
                Some(key) => self.of_key(key, &mut input, &mut functions),
                None => None,
            });
        }
        if found.iter().all(Option::is_none) {
            return Ok(None);
        }
        let aggregate = Aggregate::try_new(input, keys.clone(), functions)?;
        Ok(Some((LogicalPlan::Aggregate(aggregate), found)))
    }

    /// Adds the text of a key of groups to the functions. `input`: what is grouped, which may get columns.
    fn of_key(
        &mut self,
        key: &Expr,
        input: &mut Arc<LogicalPlan>,
        functions: &mut Vec<Expr>,
    ) -> Option<Found> {
        let (tree, leaves) = self.differing(key, input)?;
        self.of_group(tree, leaves, functions)
    }

    /// Adds the text of a number to the functions of groups in which it has one value. Texts of a value
    /// may have different digits, such as those of 1.5 and 1.50, of which the shortest one is shown.
    fn of_group(
        &mut self,
        tree: Node,
        leaves: Vec<Expr>,
        functions: &mut Vec<Expr>,
    ) -> Option<Found> {
        let min = Arc::clone(self.functions.get("min")?);
        let text = vec![function::text(tree, leaves)];
        let call = AggregateFunction::new_udf(min, text, false, None, vec![], None);
        let name = self.name();
        functions.push(Expr::AggregateFunction(call).alias(&name));
        Some(of_text(name))
    }

    pub(super) fn in_union(
        &mut self,
        union: &Union,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        let below: Vec<Wanted> = wanted
            .iter()
            .map(|wanted| Wanted {
                is_any: true,
                is_merged: true,
                ..Wanted::read_at(wanted.place)
            })
            .collect();
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for input in &union.inputs {
            inputs.push(self.known(input, &below)?);
        }
        let mut names = Vec::with_capacity(wanted.len());
        for at in 0..wanted.len() {
            let of_inputs = inputs.iter();
            let of_inputs = of_inputs.map(|(_, found)| found.get(at).and_then(Option::as_ref));
            let of_inputs: Option<Vec<&Found>> = of_inputs.collect();
            let differs = of_inputs.is_some_and(|found| found.iter().any(|found| found.differs));
            names.push(match differs {
                true => Some(self.name()),
                false => None,
            });
        }
        if names.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(inputs.len());
        for (part, (input, found)) in union.inputs.iter().zip(inputs) {
            let columns = part.schema().columns().into_iter();
            let mut exprs: Vec<Expr> = columns.map(Expr::Column).collect();
            for (name, found) in names.iter().zip(found) {
                if let (Some(name), Some(found)) = (name, found) {
                    let leaves = found.leaves.into_iter().map(Expr::Column).collect();
                    exprs.push(function::text(found.tree, leaves).alias(name));
                }
            }
            let part = Projection::try_new(exprs, input)?;
            parts.push(Arc::new(LogicalPlan::Projection(part)));
        }
        let schema = union.schema.join(&of_texts(names.iter().flatten())?)?;
        let union = Union {
            inputs: parts,
            schema: Arc::new(schema),
        };
        let found = names.into_iter().map(|name| name.map(of_text)).collect();
        Ok(Some((LogicalPlan::Union(union), found)))
    }

    /// Looks for what columns of a plan are calculated from. Those whose values have the digits of their
    /// type are calculated from themselves.
    fn known(
        &mut self,
        plan: &Arc<LogicalPlan>,
        wanted: &[Wanted],
    ) -> Result<(Arc<LogicalPlan>, Vec<Option<Found>>)> {
        let (extended, mut found) = match self.found(plan, wanted)? {
            Some((extended, found)) => (Arc::new(extended), found),
            None => (Arc::clone(plan), wanted.iter().map(|_| None).collect()),
        };
        for (wanted, found) in wanted.iter().zip(&mut found) {
            if found.is_some() || wanted.place >= plan.schema().fields().len() {
                continue;
            }
            let column = Column::from(plan.schema().qualified_field(wanted.place));
            if is_exact(&Expr::Column(column.clone()), plan) {
                *found = Some(Found {
                    tree: Node::Leaf(0),
                    leaves: vec![column],
                    differs: false,
                });
            }
        }
        Ok((extended, found))
    }

    pub(super) fn in_values(
        &mut self,
        values: &Values,
        wanted: &[Wanted],
    ) -> Result<Option<Extended>> {
        if values.values.len() > MAX_ROWS {
            return Ok(None);
        }
        let nothing = Arc::new(LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: true,
            schema: Arc::new(DFSchema::empty()),
        }));
        let mut rows = values.values.clone();
        let mut names = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let Some(texts) = self.of_cells(values, wanted.place, &nothing) else {
                names.push(None);
                continue;
            };
            for (row, text) in rows.iter_mut().zip(texts) {
                row.push(text);
            }
            names.push(Some(self.name()));
        }
        if names.iter().all(Option::is_none) {
            return Ok(None);
        }
        let schema = values.schema.join(&of_texts(names.iter().flatten())?)?;
        let values = Values {
            schema: Arc::new(schema),
            values: rows,
        };
        let found = names.into_iter().map(|name| name.map(of_text)).collect();
        Ok(Some((LogicalPlan::Values(values), found)))
    }

    /// Returns the texts of the numbers in a column of VALUES, if they have different digits.
    fn of_cells(
        &mut self,
        values: &Values,
        place: usize,
        nothing: &Arc<LogicalPlan>,
    ) -> Option<Vec<Expr>> {
        let common = values.schema.fields().get(place)?.data_type();
        if !may_differ(common) {
            return None;
        }
        let mut differ = false;
        let mut texts = Vec::with_capacity(values.values.len());
        for row in &values.values {
            let cell = row.get(place).filter(|cell| !is_costly(cell))?;
            let mut builder = Builder::new(Arc::clone(nothing), self);
            let tree = builder.merged(cell, common, At::default())?;
            let Builder {
                leaves, differs, ..
            } = builder;
            differ |= differs;
            texts.push(function::text(tree, leaves));
        }
        differ.then_some(texts)
    }
}

/// Returns how a number is calculated from the column of its texts.
fn of_text(name: String) -> Found {
    Found {
        tree: Node::Leaf(0),
        leaves: vec![Column::new_unqualified(name)],
        differs: true,
    }
}

/// Returns the schema of columns of texts.
fn of_texts<'a>(names: impl Iterator<Item = &'a String>) -> Result<DFSchema> {
    let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
    let fields: Vec<Field> = fields.collect();
    DFSchema::from_unqualified_fields(fields.into(), HashMap::new())
}
