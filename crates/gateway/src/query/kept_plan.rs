//! The plan that described a statement serves its first execution too, unless something has changed meanwhile.
//!
//! Drivers prepare a statement, ask for its columns, and run it once: without this, each query would be planned
//! twice. A session keeps one such plan, the last.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use lakegate_catalog::access::ControlSnapshot;

use crate::query::planning::Planning;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::settings::Settings;

/// A plan, and the prepared statement that it is of.
#[derive(Debug)]
pub(crate) struct Described {
    number: u64,
    basis: Basis,
    plan: LogicalPlan,
    planning: Planning,
}

/// What a plan depends on.
#[derive(Debug)]
pub(crate) struct Basis {
    control: Arc<ControlSnapshot>,
    catalog_version: u64,
    settings: Settings,
}

impl Basis {
    fn holds(&self, now: &Basis) -> bool {
        Arc::ptr_eq(&self.control, &now.control)
            && self.catalog_version == now.catalog_version
            && self.settings == now.settings
    }
}

impl Session {
    /// What plans depend on now. Taken before planning, so that a change in between is noticed.
    pub(crate) fn basis(&self) -> Basis {
        Basis {
            control: self.gateway.control.snapshot(),
            catalog_version: self.gateway.metastore.catalog_version(),
            settings: self.state.lock().settings.clone(),
        }
    }

    /// Keeps a plan for the first execution of a statement, which has the number that is returned.
    pub(crate) fn keep_plan(&self, basis: Basis, plan: LogicalPlan, planning: Planning) -> u64 {
        let mut state = self.state.lock();
        state.plans_kept += 1;
        let number = state.plans_kept;
        state.described = Some(Described {
            number,
            basis,
            plan,
            planning,
        });
        number
    }

    /// The plan of a statement, once, if planning it now would give the same.
    pub(crate) fn take_plan(&self, prepared: &Prepared) -> Option<(LogicalPlan, Planning)> {
        let number = prepared.plan?;
        let described = {
            let mut state = self.state.lock();
            state.described.take_if(|kept| kept.number == number)?
        };
        if !described.basis.holds(&self.basis()) {
            return None;
        }
        let mut planning = described.planning;
        // The time of now() is when the statement runs, not when it was prepared.
        planning.state.mark_start_execution();
        Some((described.plan, planning))
    }
}
