//! The plan made to describe a prepared statement, kept for its first execution.
//!
//! Drivers prepare a statement, ask for its columns, and run it once; without this, each query
//! would be planned twice. A session keeps one such plan, that of the statement prepared last.

use std::fmt;
use std::sync::{Arc, Weak};

use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::Settings;
use parking_lot::Mutex;

use crate::moment::Moment;
use crate::query::planning::Planning;

/// The inputs of a plan. Taken before planning, so that a concurrent change is detected.
#[derive(Debug)]
pub(crate) struct PlanInputs {
    pub moment: Moment,
    pub settings: Settings,
}

impl PlanInputs {
    fn are(&self, moment: &Moment, settings: &Settings) -> bool {
        self.moment.plans_alike(moment) && self.settings == *settings
    }
}

#[derive(Debug)]
pub(crate) struct KeptPlan {
    pub inputs: PlanInputs,
    pub plan: LogicalPlan,
    pub planning: Planning,
}

/// A slot for the plan of one prepared statement.
#[derive(Default)]
pub(crate) struct PlanSlot(Mutex<Option<KeptPlan>>);

impl fmt::Debug for PlanSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanSlot").finish_non_exhaustive()
    }
}

impl PlanSlot {
    pub(crate) fn new(plan: KeptPlan) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(plan))))
    }

    /// Takes the plan, if planning now would give the same one.
    pub(crate) fn take(
        &self,
        moment: &Moment,
        settings: &Settings,
    ) -> Option<(LogicalPlan, Planning)> {
        let kept = self.0.lock().take()?;
        if !kept.inputs.are(moment, settings) {
            return None;
        }
        let mut planning = kept.planning;
        // now() is the time at which the statement runs, not at which it was prepared.
        planning.state.mark_start_execution();
        Some((kept.plan, planning))
    }
}

/// The slot that a session filled last; filling another empties it.
#[derive(Debug, Default)]
pub(crate) struct LastSlot(Weak<PlanSlot>);

impl LastSlot {
    pub(crate) fn replace(&mut self, slot: &Arc<PlanSlot>) {
        let last = std::mem::replace(&mut self.0, Arc::downgrade(slot));
        if let Some(last) = last.upgrade() {
            last.0.lock().take();
        }
    }
}
