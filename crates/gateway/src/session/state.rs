//! What changes in a session while it is open.

use std::collections::HashMap;
use std::sync::Arc;

use lakegate_dialect::postgres::Settings;
use lakegate_engine::Stop;
use lakegate_error::{Code, Error, Result};
use lakegate_policy::Temporary;
use lakegate_sql::ast as sql;

use crate::query::kept_plan::KeptPlans;
use crate::query::life::Query;
use crate::session::cursors::Cursors;
use crate::session::named::{Kept, unknown_prepared};
use crate::session::on_or_off;
use crate::session::parse::KnownTexts;
use crate::session::prepared::Prepared;
use crate::session::session_statement::MODES;
use crate::session::transaction::{Transaction, TransactionStatus};
use crate::session::warnings::Warning;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) transaction: Transaction,
    pub(crate) prepared: HashMap<String, Kept>,
    /// Statements that the endpoint keeps by name, for EXECUTE.
    pub(crate) shared: HashMap<String, Kept>,
    pub(crate) cursors: Cursors,
    pub(crate) kept_plans: KeptPlans,
    pub(crate) known_texts: KnownTexts,
    /// The running query, or the last one.
    pub(crate) active: Option<Arc<Query>>,
    /// Stops planning work that belongs to no query yet.
    pub(crate) planning: Option<Arc<Stop>>,
    /// Whether a message of the client is being answered, as far as the endpoint says so.
    pub(crate) is_answering: bool,
    /// Why what the message has not begun yet is not to begin.
    pub(crate) cancelled: Option<Error>,
    /// Warnings that the client has not got yet.
    pub(crate) warnings: Vec<Warning>,
}

impl State {
    /// Returns the statement that EXECUTE of this name runs.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Prepared>> {
        let kept = self.prepared.get(name).or_else(|| self.shared.get(name));
        kept.map(|kept| &kept.statement)
    }

    /// Checks that what is stored may be changed. `what`: the statement, for messages.
    ///
    /// # Errors
    /// The transaction block, or outside of one every statement, is read-only.
    pub(crate) fn check_writable(&self, what: &str) -> Result<()> {
        let of_block = match self.transaction.status() {
            TransactionStatus::Idle => None,
            TransactionStatus::InTransaction | TransactionStatus::Failed => {
                self.settings.explicit("transaction_read_only")
            }
        };
        let read_only = match of_block {
            Some(read_only) => read_only,
            None => self.settings.get("default_transaction_read_only")?,
        };
        if read_only == "on" {
            return Err(Error::new(
                Code::ReadOnlyTransaction,
                format!("cannot execute {what} in a read-only transaction"),
            ));
        }
        Ok(())
    }

    /// Changes the temporary tables and views of the session, and forgets the plans that were made
    /// with those before, which hold them.
    pub(crate) fn set_temporary(&mut self, temporary: Temporary) {
        self.transaction.set_temporary(temporary);
        self.kept_plans.clear();
    }

    /// Changes the temporary tables and views by a statement, which is a transaction of its own
    /// outside of a block.
    pub(crate) fn change_temporary(&mut self, next: Temporary) {
        let next = match self.transaction.status() {
            TransactionStatus::Idle => next.committed().unwrap_or(next),
            TransactionStatus::InTransaction | TransactionStatus::Failed => next,
        };
        self.set_temporary(next);
    }

    /// Forgets the plans that were made so far, if the end of a block has changed the temporary
    /// tables and views. `version`: of those before.
    pub(crate) fn forget_plans_unless(&mut self, version: u64) {
        if self.transaction.temporary().version() != version {
            self.kept_plans.clear();
        }
    }

    /// Resets all settings but the modes of the open block, beyond the block if it commits.
    pub(crate) fn reset_all(&mut self) {
        let modes = MODES.map(|mode| (mode, self.settings.explicit(mode)));
        self.settings.reset_all();
        for (mode, value) in modes {
            self.settings.restore(mode, value);
        }
        self.transaction.keep_all_but(&MODES);
    }

    /// Checks that the mode of a transaction may still change, as PostgreSQL does.
    ///
    /// # Errors
    /// A query of the open block has begun; the mode does not accept the value.
    pub(crate) fn check_mode(&self, name: &str, value: &str) -> Result<()> {
        if !self.transaction.has_queried() {
            return Ok(());
        }
        let current = self.settings.get(name)?;
        let mut after = self.settings.clone();
        after.set(name, Some(value))?;
        let changes = current != after.get(name)?;
        let why = match name {
            "transaction_isolation" if changes => {
                "SET TRANSACTION ISOLATION LEVEL must be called before any query"
            }
            "transaction_deferrable" => {
                "SET TRANSACTION [NOT] DEFERRABLE must be called before any query"
            }
            "transaction_read_only" if changes && current == "on" => {
                "transaction read-write mode must be set before any query"
            }
            _ => return Ok(()),
        };
        Err(Error::new(Code::ActiveTransaction, why))
    }

    /// Sets a mode of the open transaction block, until its end. Returns `false` outside of a block,
    /// where this does nothing.
    ///
    /// # Errors
    /// The block has set too many settings; a query of it has begun.
    pub(crate) fn set_mode(&mut self, name: &str, value: &str) -> Result<bool> {
        self.check_mode(name, value)?;
        let is_open = self.transaction.set_local(name, &self.settings)?;
        if is_open {
            self.settings.set(name, Some(value))?;
        }
        Ok(is_open)
    }

    /// Returns whether no transaction block is open.
    pub(crate) fn is_outside(&self) -> bool {
        self.transaction.status() == TransactionStatus::Idle
    }

    /// Opens a transaction block, and sets its modes. Returns whether one was open.
    ///
    /// # Errors
    /// As of [`Self::set_mode`].
    pub(super) fn begin(&mut self, begin: &sql::Begin) -> Result<bool> {
        let was_open = self.transaction.begin(&self.settings);
        let by_default = self.settings.get("default_transaction_read_only")?;
        let by_default = (!was_open && by_default == "on").then_some(true);
        if let Some(isolation) = begin.modes.isolation {
            self.set_mode("transaction_isolation", isolation.name())?;
        }
        if let Some(read_only) = begin.modes.read_only.or(by_default) {
            self.set_mode("transaction_read_only", on_or_off(read_only))?;
        }
        if let Some(deferrable) = begin.modes.deferrable {
            self.set_mode("transaction_deferrable", on_or_off(deferrable))?;
        }
        Ok(was_open)
    }

    /// Sets modes of the open transaction block, or those that later blocks begin with.
    ///
    /// # Errors
    /// As of [`Self::set_mode`].
    pub(super) fn set_modes(&mut self, set: &sql::SetTransaction) -> Result<()> {
        let modes = [
            ("isolation", set.modes.isolation.map(sql::Isolation::name)),
            ("read_only", set.modes.read_only.map(on_or_off)),
            ("deferrable", set.modes.deferrable.map(on_or_off)),
        ];
        for (mode, value) in modes {
            let Some(value) = value else { continue };
            if set.session {
                let name = format!("default_transaction_{mode}");
                self.settings.set(&name, Some(value))?;
            } else {
                self.set_mode(&format!("transaction_{mode}"), value)?;
            }
        }
        Ok(())
    }

    /// Discards what the session holds. Plans are made anew for each execution.
    ///
    /// # Errors
    /// DISCARD ALL in a transaction block.
    pub(super) fn discard(&mut self, what: sql::Discard) -> Result<()> {
        if what == sql::Discard::All {
            self.transaction.check_outside("DISCARD ALL")?;
            self.shared.clear();
            self.settings.reset_all();
            self.cursors.close(None)?;
            self.prepared.clear();
        }
        if matches!(what, sql::Discard::All | sql::Discard::Temp) {
            self.set_temporary(Temporary::default());
        }
        Ok(())
    }

    /// Removes a prepared statement, or all of them.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn deallocate(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => {
                self.prepared.clear();
                self.shared.clear();
            }
            Some(name) => {
                let removed = self.prepared.remove(name);
                removed.ok_or_else(|| unknown_prepared(name))?;
            }
        }
        Ok(())
    }
}
