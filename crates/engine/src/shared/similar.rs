//! Makes aggregates equal that differ only in conditions on their keys, in the columns that are read
//! of them, or in conditions of joins below aggregates of all rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};

use super::fusion::fused;
use super::numbered::in_order;
use super::survey::{Survey, reads_a_table_twice};
use super::totals::totals;
use crate::limits::stop::check;

/// The most aggregates that become one.
const MOST: usize = 16;

/// Returns an optimised plan with readers of equal aggregates in the places of similar ones; `None` if
/// none are similar. Equal ones are computed once where the plan is run.
///
/// Tables are the same if they have one source, which those of a WITH have in all places. It must not
/// be optimised again: the conditions of the readers would go back to where they were.
///
/// # Errors
///
/// Returns an error if planning must stop.
pub fn with_equal_parts(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    if !reads_a_table_twice(plan)? {
        return Ok(None);
    }
    let survey = Survey::of(plan)?;
    let readers = readers(&survey)?;
    if readers.is_empty() {
        return Ok(None);
    }
    survey.rewritten(plan.clone(), 0, |index| readers.get(&index).cloned())
}

/// Returns the readers that replace subtrees, by the numbers of their roots.
fn readers(survey: &Survey) -> Result<HashMap<usize, LogicalPlan>> {
    // By the first one, since what is in it is looked at after it.
    let mut alike: BTreeMap<(Option<usize>, Vec<usize>), Vec<usize>> = BTreeMap::new();
    for (index, node) in survey.nodes.iter().enumerate() {
        if matches!(node.plan, LogicalPlan::Aggregate(_)) && survey.is_candidate(node) {
            check()?;
            let key = (node.barrier, survey.sources(index).collect());
            alike.entry(key).or_default().push(index);
        }
    }
    let mut groups: Vec<Vec<usize>> = alike.into_values().collect();
    groups.sort();
    let mut readers = HashMap::new();
    let mut is_gone = vec![false; survey.nodes.len()];
    for group in groups {
        let mut left = group;
        while let Some((first, others)) = left.split_first() {
            if others.is_empty() {
                break;
            }
            let mut one = Similar::of(survey, *first, &is_gone)?;
            let apart = one.take(others, &is_gone)?;
            for (index, reader) in one.readers()? {
                if let Some(gone) = is_gone.get_mut(index..index + survey.size(index)) {
                    gone.fill(true);
                }
                readers.insert(index, reader);
            }
            left = apart;
        }
    }
    Ok(readers)
}

/// Aggregates that become one.
struct Similar<'s> {
    survey: &'s Survey,
    members: Vec<usize>,
    /// Those of the members, with generated columns in order.
    plans: Vec<LogicalPlan>,
    one: Option<One>,
}

/// What is read instead of several aggregates.
struct One {
    plan: LogicalPlan,
    /// For each aggregate, the conditions that its rows meet, and the columns that are its own.
    parts: Vec<(Vec<Expr>, Vec<Column>)>,
}

impl One {
    /// Returns `None` if there is no such plan.
    ///
    /// # Errors
    ///
    /// Returns an error if planning must stop. Plans that do not make one stay as they are.
    fn of(plans: &[&LogicalPlan]) -> Result<Option<Self>> {
        let by_keys = fused(plans);
        check()?;
        if let Some(fused) = by_keys.ok().flatten().filter(|of| of.has_columns_of(plans)) {
            let names = plans.iter().map(|plan| plan.schema().columns());
            return Ok(Some(Self {
                plan: fused.plan,
                parts: fused.kept.into_iter().zip(names).collect(),
            }));
        }
        let of_all_rows = totals(plans);
        check()?;
        Ok(of_all_rows.ok().flatten().map(|totals| Self {
            plan: totals.plan,
            parts: totals
                .names
                .into_iter()
                .map(|names| (Vec::new(), names))
                .collect(),
        }))
    }
}

impl<'s> Similar<'s> {
    fn of(survey: &'s Survey, first: usize, is_gone: &[bool]) -> Result<Self> {
        let mut similar = Self {
            survey,
            members: Vec::new(),
            plans: Vec::new(),
            one: None,
        };
        let node = survey.nodes.get(first);
        if let Some(node) = node.filter(|_| survey.is_whole(first, is_gone)) {
            similar.members.push(first);
            similar.plans.push(in_order(node.plan.clone())?);
        }
        Ok(similar)
    }

    /// Adds the aggregates that fit to the members, and returns the others, both in order.
    ///
    /// All members are fused again for each addition. So many are added at once, and halves of them
    /// where they do not fit.
    fn take(&mut self, others: &[usize], is_gone: &[bool]) -> Result<Vec<usize>> {
        if others.is_empty() || self.takes(others, is_gone)? {
            return Ok(Vec::new());
        }
        if others.len() == 1 {
            return Ok(others.to_vec());
        }
        let (first, second) = others.split_at(others.len() / 2);
        let mut apart = self.take(first, is_gone)?;
        apart.extend(self.take(second, is_gone)?);
        Ok(apart)
    }

    /// Adds aggregates if all of them fit to the members.
    fn takes(&mut self, others: &[usize], is_gone: &[bool]) -> Result<bool> {
        if self.members.is_empty() || self.members.len() + others.len() > MOST {
            return Ok(false);
        }
        let (mut members, mut plans) = (self.members.clone(), self.plans.clone());
        for other in others {
            let is_within = |member: &usize| *other < member + self.survey.size(*member);
            let is_within = members.iter().any(is_within);
            let node = self.survey.nodes.get(*other);
            let Some(node) = node.filter(|_| !is_within && self.survey.is_whole(*other, is_gone))
            else {
                return Ok(false);
            };
            members.push(*other);
            plans.push(in_order(node.plan.clone())?);
        }
        let all: Vec<&LogicalPlan> = plans.iter().collect();
        let Some(one) = One::of(&all)? else {
            return Ok(false);
        };
        self.members = members;
        self.plans = plans;
        self.one = Some(one);
        Ok(true)
    }

    /// Returns what reads the one aggregate in the place of each, unless they are equal as they are.
    fn readers(&self) -> Result<Vec<(usize, LogicalPlan)>> {
        let Some(one) = &self.one else {
            return Ok(Vec::new());
        };
        let Some((first, others)) = self.members.split_first() else {
            return Ok(Vec::new());
        };
        if others
            .iter()
            .all(|other| self.survey.are_equal(*first, *other))
        {
            return Ok(Vec::new());
        }
        let mut readers = Vec::new();
        for (index, (kept, names)) in self.members.iter().zip(&one.parts) {
            let Some(node) = self.survey.nodes.get(*index) else {
                return Ok(Vec::new());
            };
            let reader = reader(&one.plan, kept, names.clone(), &node.plan)?;
            readers.push((*index, reader));
        }
        Ok(readers)
    }
}

/// Returns what reads of one plan the rows and columns of another.
///
/// `names`: those of the other plan's columns in the one plan.
fn reader(
    plan: &LogicalPlan,
    kept: &[Expr],
    names: Vec<Column>,
    other: &LogicalPlan,
) -> Result<LogicalPlan> {
    let mut input = Arc::new(plan.clone());
    if let Some(condition) = conjunction(kept.iter().cloned()) {
        input = Arc::new(LogicalPlan::Filter(Filter::try_new(condition, input)?));
    }
    if input.schema() == other.schema() {
        return Ok(Arc::unwrap_or_clone(input));
    }
    let columns = names.into_iter().zip(other.schema().columns());
    let columns = columns.map(|(name, column)| match name == column {
        true => Expr::Column(name),
        false => Expr::Column(name).alias_qualified(column.relation, column.name),
    });
    let columns = columns.collect();
    let schema = Arc::clone(other.schema());
    let columns = Projection::try_new_with_schema(columns, input, schema)?;
    Ok(LogicalPlan::Projection(columns))
}
