//! What changes in a session while it is open.

use std::collections::HashMap;
use std::sync::Arc;

use lakegate_dialect::postgres::Settings;
use lakegate_engine::Stop;
use lakegate_error::{Code, Error, Result};
use lakegate_policy::Temporary;

use crate::query::kept_plan::KeptPlans;
use crate::query::life::Query;
use crate::session::cursors::Cursors;
use crate::session::named::Kept;
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
}
