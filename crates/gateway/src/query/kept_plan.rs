//! Plans that a session keeps: a statement that it runs again is not planned again.
//!
//! ```text
//!  Prepared ─ PlanSlot ─ KeptPlan ─ the plan, with its parameters
//!                  │         ├───── the analysed plan of a statement that was described, for its
//!                  │         │      first execution
//!                  │         └───── the optimised plan, for the last values of the parameters,
//!                  │                and its answer, if it is a row of literals
//!  KeptPlans ──────┘  the slots of a session, also those of texts that were not prepared
//! ```
//!
//! A kept plan is used while planning would give the same one: at the same state of the catalog, of
//! the grants and of the writes, and with the same settings. A plan that depends on more than these
//! (the time, the session, tables that are filled when they are scanned) serves one execution only,
//! that of a statement that was planned to describe it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use lakegate_dialect::postgres::Settings;
use lakegate_engine::has_expression;
use lakegate_policy::snapshots;
use lakegate_sql::Parsed;
use parking_lot::Mutex;

use crate::moment::Moment;
use crate::query::constant_row::Answer;
use crate::query::parameter_marks::{Declared, Marks};
use crate::query::plan_space::{Claim, PlanSpace};
use crate::query::planning::Planning;
use crate::query::source::QuerySource;
use crate::results::plan_bytes;
use crate::session::prepared::Prepared;

/// The maximum number of plans that a session keeps.
const MAX_PLANS: usize = 64;

/// The maximum memory of the plans that a session keeps, in bytes.
const MAX_SESSION_BYTES: usize = 16 << 20;

/// Estimated bytes of the state that a plan was made in, most of it the names of its functions.
const STATE_BYTES: usize = 128 << 10;

/// Estimated bytes of a column or of a partition value of a table.
const VALUE_BYTES: usize = 128;

/// The maximum memory of the values that an optimised plan is kept for, in bytes.
const MAX_VALUE_BYTES: usize = 16 << 10;

/// The inputs of a plan. Taken before planning, so that a concurrent change is detected.
#[derive(Debug, Clone)]
pub(crate) struct PlanInputs {
    pub moment: Moment,
    pub settings: Settings,
}

impl PlanInputs {
    fn are(&self, moment: &Moment, settings: &Settings) -> bool {
        self.are_of(moment) && self.settings == *settings
    }

    fn are_of(&self, moment: &Moment) -> bool {
        self.moment.plans_alike(moment)
            && self.moment.commits == moment.commits
            && Arc::ptr_eq(self.moment.access(), moment.access())
    }
}

/// A plan with what it was made from.
pub(crate) struct KeptPlan {
    inputs: PlanInputs,
    plan: LogicalPlan,
    planning: Planning,
    /// `None` if the plan serves one execution only.
    claim: Option<Claim>,
    /// The analysed plan, until an execution takes it.
    analysis: Mutex<Option<LogicalPlan>>,
    optimized: Mutex<Option<Optimized>>,
}

/// An optimised plan, for these values of its parameters.
struct Optimized {
    parameters: Vec<ScalarValue>,
    plan: LogicalPlan,
    answer: Option<Arc<Answer>>,
}

impl fmt::Debug for KeptPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptPlan")
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}

impl KeptPlan {
    /// `plan`: not optimised yet, and without values of its parameters.
    pub(crate) fn new(
        inputs: PlanInputs,
        plan: LogicalPlan,
        mut planning: Planning,
        space: &Arc<PlanSpace>,
    ) -> Self {
        // Versions of what a block changed are not unique.
        let may_last = inputs.settings.keeps_plans() && inputs.moment.draft.is_none();
        let bytes = may_last.then(|| bytes_if_lasting(&plan)).flatten();
        let claim = bytes.and_then(|bytes| space.claim(bytes));
        // The first execution of a plan with parameters has values for them.
        let analysis = planning.analysis.take();
        let analysis = analysis.filter(|analysis| {
            claim.is_none() || (fits_beside(&plan, analysis) && !has_parameters(&plan))
        });
        Self {
            inputs,
            plan,
            planning,
            claim,
            analysis: Mutex::new(analysis),
            optimized: Mutex::default(),
        }
    }

    /// Whether the plan serves more than one execution.
    pub(crate) fn lasts(&self) -> bool {
        self.claim.is_some()
    }

    /// Keeps the optimised plan for these values of the parameters, instead of the one before.
    pub(crate) fn keep_optimized(&self, parameters: &[ScalarValue], plan: &LogicalPlan) {
        let values: usize = parameters.iter().map(ScalarValue::size).sum();
        if self.lasts() && values <= MAX_VALUE_BYTES && fits_beside(&self.plan, plan) {
            *self.optimized.lock() = Some(Optimized {
                parameters: parameters.to_vec(),
                plan: plan.clone(),
                answer: Answer::of(plan, &self.planning, &self.inputs).map(Arc::new),
            });
        }
    }

    fn optimized_for(&self, parameters: &[ScalarValue]) -> Option<LogicalPlan> {
        let optimized = self.optimized.lock();
        let known = optimized.as_ref();
        let known = known.filter(|optimized| optimized.parameters == parameters)?;
        Some(known.plan.clone())
    }
}

/// Returns whether the memory claimed for a plan is enough for what was made of it too: the analysed
/// plan, or the optimised one after it.
fn fits_beside(plan: &LogicalPlan, made: &LogicalPlan) -> bool {
    plan_bytes(made) <= plan_bytes(plan).saturating_mul(2)
}

fn has_parameters(plan: &LogicalPlan) -> bool {
    let is_parameter = |expr: &Expr| matches!(expr, Expr::Placeholder(_));
    !matches!(has_expression(plan, is_parameter), Ok(false))
}

/// Estimates the memory of a kept plan, in bytes; `None` if it may not be kept. Planning it and
/// running it must give the same at any time, in any session of its principal with the same
/// settings.
fn bytes_if_lasting(plan: &LogicalPlan) -> Option<usize> {
    let changes = |expr: &Expr| match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        Expr::AggregateFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        Expr::HigherOrderFunction(call) => {
            call.func.signature().volatility != Volatility::Immutable
        }
        Expr::ScalarVariable(..) => true,
        _ => false,
    };
    let tables = snapshots::tables(plan)?;
    if !matches!(has_expression(plan, changes), Ok(false)) {
        return None;
    }
    // What is made of a plan is kept if it is not larger than two of these. Tables are counted as if
    // nothing else held them: they stay in memory after their partitions have changed.
    let held = tables.iter().map(|table| table.lake_table().held_values());
    let of_tables = held.sum::<usize>().saturating_mul(VALUE_BYTES);
    let of_plans = plan_bytes(plan).saturating_mul(3);
    let bytes = STATE_BYTES
        .saturating_add(of_plans)
        .saturating_add(of_tables);
    Some(bytes).filter(|bytes| *bytes <= MAX_SESSION_BYTES / 2)
}

/// Returns a cell with an analysed plan, if there is one.
fn known(analysis: Option<LogicalPlan>) -> OnceLock<LogicalPlan> {
    analysis.map_or_else(OnceLock::new, OnceLock::from)
}

/// A slot for the plan of one statement.
#[derive(Default)]
pub(crate) struct PlanSlot(Mutex<Option<Arc<KeptPlan>>>);

impl fmt::Debug for PlanSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanSlot").finish_non_exhaustive()
    }
}

/// A plan to use again.
pub(crate) struct Reused {
    pub plan: LogicalPlan,
    /// The optimised plan, if it is known for the values of the parameters.
    pub optimized: Option<LogicalPlan>,
    pub planning: Planning,
    /// Takes the optimised plan; `None` if the plan served its only execution.
    pub kept: Option<Arc<KeptPlan>>,
}

impl PlanSlot {
    pub(crate) fn put(&self, plan: KeptPlan) {
        *self.0.lock() = Some(Arc::new(plan));
    }

    /// Returns the plan, if planning now would give the same one.
    pub(crate) fn take(
        &self,
        moment: &Moment,
        settings: &Settings,
        parameters: &[ScalarValue],
    ) -> Option<Reused> {
        let kept = {
            let mut slot = self.0.lock();
            let kept = slot.as_ref().map(Arc::clone)?;
            let fits = kept.inputs.are(moment, settings);
            if !fits || !kept.lasts() {
                *slot = None;
            }
            fits.then_some(kept)?
        };
        if !kept.lasts() {
            let kept = Arc::into_inner(kept)?;
            let planning = Planning {
                block_began: moment.block_began,
                analysis: known(kept.analysis.into_inner()),
                ..kept.planning
            };
            return Some(Reused {
                plan: kept.plan,
                optimized: None,
                planning: planning.begun_now(),
                kept: None,
            });
        }
        let optimized = kept.optimized_for(parameters);
        let planning = Planning {
            block_began: moment.block_began,
            analysis: known(kept.analysis.lock().take()),
            ..kept.planning.clone()
        };
        Some(Reused {
            plan: kept.plan.clone(),
            planning: match &optimized {
                Some(_) => planning,
                None => planning.begun_now(),
            },
            optimized,
            kept: Some(kept),
        })
    }

    /// Returns the row that running the statement now would give, if it is known.
    pub(crate) fn answer(
        &self,
        moment: &Moment,
        settings: &Settings,
        parameters: &[ScalarValue],
    ) -> Option<Arc<Answer>> {
        let slot = self.0.lock();
        let kept = slot.as_ref().filter(|kept| kept.lasts())?;
        let optimized = kept.optimized.lock();
        let known = optimized.as_ref();
        let known = known.filter(|known| known.parameters == parameters)?;
        let answer = known.answer.as_ref()?;
        let fits = kept.inputs.are(moment, settings);
        fits.then(|| Arc::clone(answer))
    }

    /// Whether [`Self::answer`] may return a row.
    pub(crate) fn has_answer(&self) -> bool {
        let slot = self.0.lock();
        let optimized = slot.as_ref().map(|kept| kept.optimized.lock());
        let known = optimized.as_ref().and_then(|optimized| optimized.as_ref());
        known.is_some_and(|known| known.answer.is_some())
    }

    /// Whether [`Self::take`] would return a plan, any number of times.
    fn serves(&self, moment: &Moment, settings: &Settings) -> bool {
        let slot = self.0.lock();
        let kept = slot.as_ref();
        kept.is_some_and(|kept| kept.lasts() && kept.inputs.are(moment, settings))
    }

    /// Whether the plan may serve executions at this moment, with some settings.
    fn is_current(&self, moment: &Moment) -> bool {
        let slot = self.0.lock();
        let kept = slot.as_ref();
        kept.is_some_and(|kept| kept.lasts() && kept.inputs.are_of(moment))
    }

    fn bytes(&self) -> usize {
        let slot = self.0.lock();
        let claim = slot.as_ref().and_then(|kept| kept.claim.as_ref());
        claim.map_or(0, Claim::bytes)
    }

    fn clear(&self) {
        *self.0.lock() = None;
    }
}

/// The slots of a session, the one used last at the end.
#[derive(Debug, Default)]
pub(crate) struct KeptPlans(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    slot: Arc<PlanSlot>,
    /// The statement, if it is found by its text.
    prepared: Option<Prepared>,
    /// The types and marks that the client declared for its parameters; `None` if it was not
    /// described.
    declared: Option<(Vec<Option<DataType>>, Marks)>,
}

impl Entry {
    fn is_of(&self, parsed: &Arc<Parsed>) -> bool {
        let known = self.prepared.as_ref().and_then(|known| known.source.sql());
        known.is_some_and(|known| {
            Arc::ptr_eq(known, parsed)
                || known.text == parsed.text && known.statement == parsed.statement
        })
    }

    fn is_declared(&self, declared: Declared<'_>) -> bool {
        let known = self.declared.as_ref();
        known.is_some_and(|(types, marks)| types == declared.types && marks == declared.marks)
    }

    fn bytes(&self) -> usize {
        let prepared = self.prepared.as_ref().map_or(0, Prepared::weight);
        prepared.saturating_add(self.slot.bytes())
    }
}

impl KeptPlans {
    /// Returns the statement as it was described before, if describing it now would give the same.
    pub(crate) fn described(
        &mut self,
        parsed: &Arc<Parsed>,
        declared: Declared<'_>,
        moment: &Moment,
        settings: &Settings,
    ) -> Option<Prepared> {
        let at = self.0.iter().position(|entry| {
            entry.is_declared(declared)
                && entry.is_of(parsed)
                && entry.slot.serves(moment, settings)
        })?;
        let entry = self.used(at)?;
        let mut prepared = entry.prepared.clone()?;
        prepared.source = QuerySource::Sql(Arc::clone(parsed));
        Some(prepared)
    }

    /// Returns the slot of a statement without parameters.
    pub(crate) fn slot(&mut self, parsed: &Arc<Parsed>) -> Option<Arc<PlanSlot>> {
        let at = self.0.iter().position(|entry| {
            let prepared = entry.prepared.as_ref();
            prepared.is_some_and(|prepared| prepared.parameters.is_empty()) && entry.is_of(parsed)
        })?;
        self.used(at).map(|entry| Arc::clone(&entry.slot))
    }

    /// Drops all plans. The statements that they were made for are planned again.
    pub(crate) fn clear(&mut self) {
        for entry in self.0.drain(..) {
            entry.slot.clear();
        }
    }

    /// Marks a slot as the one used last.
    pub(crate) fn touch(&mut self, slot: &Arc<PlanSlot>) {
        let at = self
            .0
            .iter()
            .position(|entry| Arc::ptr_eq(&entry.slot, slot));
        if let Some(at) = at {
            self.used(at);
        }
    }

    fn used(&mut self, at: usize) -> Option<&Entry> {
        let entry = self.0.remove(at)?;
        self.0.push_back(entry);
        self.0.back()
    }

    /// Adds a slot, and drops those that serve no execution any more, or that were not used for
    /// longest.
    ///
    /// `prepared`: the statement, if it is to be found by its text. `declared`: the types that the
    /// client declared for its parameters, if it was described.
    pub(crate) fn add(
        &mut self,
        slot: &Arc<PlanSlot>,
        prepared: Option<Prepared>,
        declared: Option<Declared<'_>>,
        moment: &Moment,
    ) {
        self.0.retain(|entry| {
            // A plan for one execution waits for it until another statement is described.
            let waits = entry.declared.is_some() && declared.is_none();
            if Arc::ptr_eq(&entry.slot, slot) {
                return false;
            }
            let stays = waits || entry.slot.is_current(moment);
            if !stays {
                entry.slot.clear();
            }
            stays
        });
        self.0.push_back(Entry {
            slot: Arc::clone(slot),
            prepared,
            declared: declared.map(|known| (known.types.to_vec(), known.marks.clone())),
        });
        let mut bytes: usize = self.0.iter().map(Entry::bytes).sum();
        while self.0.len() > 1 && (self.0.len() > MAX_PLANS || bytes > MAX_SESSION_BYTES) {
            if let Some(entry) = self.0.pop_front() {
                bytes = bytes.saturating_sub(entry.bytes());
                entry.slot.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::functions::expr_fn::{lower, now, random};
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    #[test]
    fn plans_last_unless_a_function_may_give_another_value() {
        let plan = |expr: Expr| {
            let from = LogicalPlanBuilder::empty(true);
            from.project(vec![expr]).unwrap().build().unwrap()
        };
        assert!(bytes_if_lasting(&plan(lit(1))).is_some());
        assert!(bytes_if_lasting(&plan(lower(lit("A")))).is_some());
        assert_eq!(bytes_if_lasting(&plan(now())), None);
        assert_eq!(bytes_if_lasting(&plan(lit(1.0) + random())), None);
        let large = lit("x".repeat(MAX_SESSION_BYTES / 4));
        assert_eq!(bytes_if_lasting(&plan(large)), None);
    }
}
