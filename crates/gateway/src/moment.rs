//! A consistent view of the server state for one statement, taken when the statement begins.
//!
//! Rights, workgroup, limits, staleness, names and the plan of a statement all come from one
//! [`Moment`], so a concurrent GRANT, ALTER WORKGROUP or commit cannot take effect for half of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lakegate_catalog::access::{
    Access, ControlSnapshot, PRIMARY_WORKGROUP, Workgroup, WorkgroupState,
};
use lakegate_catalog::model::Table;
use lakegate_catalog::store::{Coordinator, Draft, Stores};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::table::LakeTables;
use lakegate_lake::table::folders::Folders;
use lakegate_policy::{Temporary, View};

use crate::Gateway;
use crate::auth::{Principal, session_is_over};
use crate::session::changes::Changes;
use crate::telemetry::record::Owner;
use crate::workgroup::WorkgroupLimits;

/// The catalog, the grants and the write counter as one statement sees them.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// The catalog as visible to the principal.
    pub view: View,
    /// The number of commits of writes before the first name was resolved, as counted by
    /// [`OpenWrites`](lakegate_catalog::store::OpenWrites).
    pub commits: u64,
    /// Takes the changes of the statement.
    pub coordinator: Arc<dyn Coordinator>,
    /// The changes of the transaction block that the statement is in.
    pub draft: Option<Arc<dyn Draft>>,
    control: Arc<ControlSnapshot>,
    catalog_version: u64,
    /// The changes of the catalog and of control data that are visible: never lower than at an
    /// earlier moment, and higher after each change, also across restarts.
    pub changes: u64,
    /// When the transaction block began that the statement is in.
    pub block_began: Option<DateTime<Utc>>,
}

impl Gateway {
    /// Takes the moment for a statement of the principal.
    ///
    /// # Errors
    /// The session of the principal is over.
    pub(crate) fn moment(&self, principal: &Principal) -> Result<Moment> {
        self.moment_in(principal, None)
    }

    /// Takes the moment for a statement of a transaction block, which sees the block's changes.
    ///
    /// # Errors
    /// The session of the principal is over.
    pub(crate) fn moment_in(
        &self,
        principal: &Principal,
        changes: Option<&Changes>,
    ) -> Result<Moment> {
        let draft = changes.map(|changes| Arc::clone(changes.draft()));
        let (stores, tables, folders) = match &draft {
            None => (self.stores(), self.tables.clone(), self.folders.clone()),
            // What is kept by versions of tables would be found by other sessions.
            Some(draft) => (
                draft.stores(),
                LakeTables::default(),
                Folders::new(Arc::clone(&self.roots)),
            ),
        };
        // The counters are read first: comparing them later detects a change between these reads.
        let commits = stores.write_log.open_writes().commits();
        let catalog_version = stores.metastore.catalog_version();
        let committed = self.metastore.catalog_version() + self.control.snapshot().version;
        let has_own = draft.as_ref().is_some_and(|draft| draft.changes() > 0);
        let control = stores.control.snapshot();
        let access = principal
            .access(&control)
            .ok_or_else(|| session_is_over(&principal.user))?;
        Ok(Moment {
            view: View {
                access,
                metastore: stores.metastore,
                control: stores.control,
                tables,
                folders,
                sealed_by: None,
                temporary: Arc::default(),
            },
            commits,
            coordinator: stores.coordinator,
            draft,
            control,
            catalog_version,
            // Versions of a draft are not comparable with those of the catalog.
            changes: committed + u64::from(has_own),
            block_began: None,
        })
    }

    fn stores(&self) -> Stores {
        Stores {
            metastore: Arc::clone(&self.metastore),
            write_log: Arc::clone(&self.write_log),
            control: Arc::clone(&self.control),
            coordinator: Arc::clone(&self.coordinator),
        }
    }
}

impl Moment {
    pub(crate) fn access(&self) -> &Arc<Access> {
        &self.view.access
    }

    /// Returns the same moment for the query of a view that runs with other rights. `sealed_by`:
    /// the view that hides from the session's principal what is read. `view`: the view; the query of
    /// one in the catalog sees no table or view of the session.
    pub(crate) fn within_view(
        &self,
        view: &Table,
        access: Arc<Access>,
        sealed_by: Option<Arc<str>>,
    ) -> Self {
        let view = View {
            access,
            sealed_by,
            temporary: self.view.temporary.seen_by(view),
            ..self.view.clone()
        };
        Self {
            view,
            ..self.clone()
        }
    }

    /// Returns the same moment with other temporary tables and views.
    pub(crate) fn with_temporary(&self, temporary: Arc<Temporary>) -> Self {
        let view = View {
            temporary,
            ..self.view.clone()
        };
        Self {
            view,
            ..self.clone()
        }
    }

    pub(crate) fn control(&self) -> &ControlSnapshot {
        &self.control
    }

    /// Returns the workgroup that the user's sessions start in, unless it is the primary one.
    pub(crate) fn default_workgroup(&self) -> Option<String> {
        let user = self.control.users.get(self.access().user())?;
        user.default_workgroup.clone()
    }

    /// Whether planning at this moment gives the same plan as at the other.
    pub(crate) fn plans_alike(&self, other: &Moment) -> bool {
        let in_one_block = match (&self.draft, &other.draft) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let of_session = self.view.temporary.version() == other.view.temporary.version();
        in_one_block
            && of_session
            && Arc::ptr_eq(&self.control, &other.control)
            && self.catalog_version == other.catalog_version
    }

    /// Checks that the principal may use the workgroup.
    ///
    /// # Errors
    /// The workgroup does not exist or is not granted. The message is the same for both.
    pub(crate) fn check_workgroup(&self, name: &str) -> Result<()> {
        self.granted_workgroup(name).map(drop)
    }

    fn granted_workgroup(&self, name: &str) -> Result<&Workgroup> {
        let known = self.control.workgroups.get(name).map(Arc::as_ref);
        known
            .filter(|_| self.access().can_use_workgroup(name))
            .ok_or_else(|| {
                Error::new(
                    Code::UndefinedObject,
                    format!("workgroup \"{name}\" does not exist"),
                )
                .with_hint("SHOW WORKGROUPS lists those you may use")
            })
    }

    /// Returns the limits of a workgroup for a query over the lake.
    ///
    /// # Errors
    /// The workgroup does not exist, is not granted, or is disabled.
    pub(crate) fn query_limits(&self, name: &str) -> Result<WorkgroupLimits> {
        let workgroup = self.granted_workgroup(name)?;
        if workgroup.state == WorkgroupState::Disabled {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("workgroup \"{name}\" is disabled"),
            )
            .with_hint(format!(
                "SET workgroup = '{PRIMARY_WORKGROUP}', or ask an administrator to enable it"
            )));
        }
        Ok(WorkgroupLimits::of(workgroup))
    }

    /// Returns the limits of a workgroup for a statement that scans nothing. Such statements also
    /// run in a disabled or dropped workgroup; otherwise its users would be locked out.
    pub(crate) fn statement_limits(&self, name: &str) -> WorkgroupLimits {
        match self.control.workgroups.get(name) {
            Some(workgroup) => WorkgroupLimits::of(workgroup),
            None => WorkgroupLimits::none(name),
        }
    }

    /// Returns the maximum age of a result that queries of a workgroup may reuse although files
    /// have changed.
    pub(crate) fn max_staleness(&self, workgroup: &str) -> Duration {
        self.statement_limits(workgroup).max_staleness
    }

    /// Returns the owner whose queries the principal sees in the history.
    pub(crate) fn owner(&self, principal: &Principal) -> Owner {
        let known = self.control.users.get(&principal.user);
        Owner {
            user_id: principal.id(),
            user_name: principal.user.clone(),
            since: known.map_or_else(Utc::now, |user| user.created),
        }
    }
}
