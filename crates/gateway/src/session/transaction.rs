//! Transaction blocks: changes of settings, of the catalog and of temporary tables and views that
//! are kept or taken back together.
//! A block rejects statements after an error, as drivers expect.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use lakegate_error::{Code, Error, Result};

use lakegate_dialect::postgres::Settings;
use lakegate_policy::Temporary;

use crate::session::changes::Changes;

/// The maximum number of savepoints per block.
const MAX_SAVEPOINTS: usize = 1_000;

/// The maximum number of parameters that a block sets with SET LOCAL.
const MAX_LOCALS: usize = 1_000;

/// The transaction status that clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InTransaction,
    Failed,
}

/// The transaction block that a session is in, if any, and what only blocks of the session take
/// back.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    block: Option<Block>,
    temporary: Arc<Temporary>,
}

#[derive(Debug)]
struct Block {
    failed: bool,
    /// Several statements of one message, without a BEGIN among them.
    implicit: bool,
    /// A query has begun in the block.
    queried: bool,
    began: DateTime<Utc>,
    /// The settings to restore on ROLLBACK.
    before: Settings,
    /// What ROLLBACK restores.
    temporary: Arc<Temporary>,
    /// The latest last.
    savepoints: Vec<Savepoint>,
    /// `None`: no statement of the block could have changed the catalog yet.
    changes: Option<Arc<Changes>>,
    /// The values that SET LOCAL replaced, restored at the end of the block however it ends.
    locals: Locals,
}

/// Names of settings and their values.
type Locals = Arc<Vec<(String, Option<String>)>>;

#[derive(Debug)]
struct Savepoint {
    name: String,
    settings: Settings,
    locals: Locals,
    temporary: Arc<Temporary>,
    before: Before,
}

/// What a session had when a savepoint was made.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Before {
    /// The number of changes of the catalog.
    pub(crate) changes: usize,
    /// The number of cursors that were ever opened.
    pub(crate) cursors: u64,
}

impl Transaction {
    pub(crate) fn status(&self) -> TransactionStatus {
        match &self.block {
            None => TransactionStatus::Idle,
            Some(block) if block.failed => TransactionStatus::Failed,
            Some(_) => TransactionStatus::InTransaction,
        }
    }

    /// Returns when the open block began.
    pub(crate) fn began(&self) -> Option<DateTime<Utc>> {
        self.block.as_ref().map(|block| block.began)
    }

    /// Checks that statements are accepted.
    ///
    /// # Errors
    /// The block has failed and accepts nothing but its end.
    pub(crate) fn check(&self) -> Result<()> {
        if self.status() == TransactionStatus::Failed {
            return Err(aborted());
        }
        Ok(())
    }

    /// Checks that no block is open.
    ///
    /// # Errors
    /// A block is open, in which this statement cannot run.
    pub(crate) fn check_outside(&self, tag: &str) -> Result<()> {
        if self.block.is_some() {
            return Err(Error::new(
                Code::ActiveTransaction,
                format!("{tag} cannot run inside a transaction block"),
            )
            .with_hint("it takes effect at once: use autocommit, or COMMIT first"));
        }
        Ok(())
    }

    /// Begins a block. Returns whether one was open already. The block of a message becomes one of
    /// the session, with what the message did before.
    pub(crate) fn begin(&mut self, settings: &Settings) -> bool {
        if let Some(block) = &mut self.block {
            return !std::mem::take(&mut block.implicit);
        }
        self.open(settings, false);
        false
    }

    /// Begins the block of the statements of one message, unless a block is open.
    pub(crate) fn begin_implicit(&mut self, settings: &Settings) {
        if self.block.is_none() {
            self.open(settings, true);
        }
    }

    /// Returns whether the open block is that of the statements of one message.
    pub(crate) fn is_implicit(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.implicit)
    }

    /// Returns whether a BEGIN has opened the block.
    pub(crate) fn is_explicit(&self) -> bool {
        self.block.as_ref().is_some_and(|block| !block.implicit)
    }

    fn open(&mut self, settings: &Settings, implicit: bool) {
        self.block = Some(Block {
            failed: false,
            implicit,
            queried: false,
            began: Utc::now(),
            before: settings.clone(),
            temporary: Arc::clone(&self.temporary),
            savepoints: Vec::new(),
            changes: None,
            locals: Locals::default(),
        });
    }

    /// Returns the temporary tables and views of the session.
    pub(crate) fn temporary(&self) -> &Arc<Temporary> {
        &self.temporary
    }

    /// Changes the temporary tables and views of the session. The end of the block may take it
    /// back.
    pub(crate) fn set_temporary(&mut self, temporary: Temporary) {
        self.temporary = Arc::new(temporary);
    }

    /// Drops all temporary tables and views, those included that the end of the block would restore.
    pub(crate) fn forget_temporary(&mut self) {
        self.temporary = Arc::default();
        if let Some(block) = &mut self.block {
            block.temporary = Arc::default();
            for savepoint in &mut block.savepoints {
                savepoint.temporary = Arc::default();
            }
        }
    }

    /// Returns the changes of the catalog that the block made so far.
    pub(crate) fn changes(&self) -> Option<&Arc<Changes>> {
        self.block.as_ref()?.changes.as_ref()
    }

    /// Begins the changes of a block that has none yet. Does nothing outside of a block.
    pub(crate) fn begin_changes(&mut self, none: impl FnOnce() -> Arc<Changes>) {
        if let Some(block) = &mut self.block {
            block.changes.get_or_insert_with(none);
        }
    }

    /// Takes the changes that COMMIT makes visible: none of a failed block.
    pub(crate) fn changes_to_commit(&mut self) -> Option<Arc<Changes>> {
        let block = self.block.as_mut().filter(|block| !block.failed)?;
        block.changes.take()
    }

    pub(crate) fn fail(&mut self) {
        if let Some(block) = &mut self.block {
            block.failed = true;
        }
    }

    /// Notes that a query begins.
    pub(crate) fn queries(&mut self) {
        if let Some(block) = &mut self.block {
            block.queried = true;
        }
    }

    /// Returns whether a query has begun in the open block, if there is one.
    pub(crate) fn has_queried(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.queried)
    }

    /// Saves a setting that SET LOCAL is about to change. Returns `false` outside of a block.
    ///
    /// # Errors
    /// The block has set too many settings.
    pub(crate) fn set_local(&mut self, name: &str, settings: &Settings) -> Result<bool> {
        let Some(block) = &mut self.block else {
            return Ok(false);
        };
        // The value before the first SET LOCAL is the one to restore.
        if block.locals.iter().any(|(known, _)| known == name) {
            return Ok(true);
        }
        if block.locals.len() >= MAX_LOCALS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!("a block sets at most {MAX_LOCALS} parameters locally"),
            )
            .with_hint("COMMIT or ROLLBACK first"));
        }
        let local = (name.to_owned(), settings.explicit(name));
        Arc::make_mut(&mut block.locals).push(local);
        Ok(true)
    }

    /// Keeps the value that a setting has beyond the block, if it commits: SET after SET LOCAL.
    pub(crate) fn keep(&mut self, name: &str) {
        if let Some(block) = &mut self.block
            && block.locals.iter().any(|(known, _)| known == name)
        {
            Arc::make_mut(&mut block.locals).retain(|(known, _)| known != name);
        }
    }

    /// Keeps the values of all settings but these.
    pub(crate) fn keep_all_but(&mut self, names: &[&str]) {
        if let Some(block) = &mut self.block {
            let locals = Arc::make_mut(&mut block.locals);
            locals.retain(|(known, _)| names.contains(&known.as_str()));
        }
    }

    /// Ends the block. Returns the resulting command tag, `COMMIT` or `ROLLBACK`.
    pub(crate) fn commit(&mut self, settings: &mut Settings) -> &'static str {
        let Some(block) = self.block.take() else {
            return "COMMIT";
        };
        if block.failed {
            *settings = block.before;
            self.temporary = block.temporary;
            return "ROLLBACK";
        }
        if let Some(after) = self.temporary.committed() {
            self.set_temporary(after);
        }
        for (name, value) in block.locals.iter().rev() {
            settings.restore(name, value.clone());
        }
        "COMMIT"
    }

    pub(crate) fn rollback(&mut self, settings: &mut Settings) {
        if let Some(block) = self.block.take() {
            *settings = block.before;
            self.temporary = block.temporary;
        }
    }

    fn block(&mut self, command: &str) -> Result<&mut Block> {
        let block = self.block.as_mut().filter(|block| !block.implicit);
        block.ok_or_else(|| {
            Error::new(
                Code::NoActiveTransaction,
                format!("{command} can only be used in transaction blocks"),
            )
        })
    }

    /// Adds a savepoint. `cursors`: the number of cursors that the session ever opened.
    ///
    /// # Errors
    /// No block is open, or it has too many savepoints.
    pub(crate) fn savepoint(
        &mut self,
        name: String,
        settings: &Settings,
        cursors: u64,
    ) -> Result<()> {
        let temporary = Arc::clone(&self.temporary);
        let block = self.block("SAVEPOINT")?;
        let changes = block.changes.as_ref().map_or(0, |changes| changes.count());
        let locals = Arc::clone(&block.locals);
        let savepoints = &mut block.savepoints;
        if savepoints.len() >= MAX_SAVEPOINTS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!("a block has at most {MAX_SAVEPOINTS} savepoints"),
            )
            .with_hint("RELEASE SAVEPOINT those that are not needed any more"));
        }
        savepoints.push(Savepoint {
            name,
            settings: settings.clone(),
            locals,
            temporary,
            before: Before { changes, cursors },
        });
        Ok(())
    }

    /// Removes a savepoint and all later ones.
    ///
    /// # Errors
    /// No block is open; the savepoint does not exist.
    pub(crate) fn release(&mut self, name: &str) -> Result<()> {
        let block = self.block("RELEASE SAVEPOINT")?;
        let at = find(&block.savepoints, name)?;
        block.savepoints.truncate(at);
        Ok(())
    }

    /// Restores the settings and the temporary tables of a savepoint, which is kept. A failed block
    /// becomes usable again. Returns what stays.
    ///
    /// # Errors
    /// No block is open; the savepoint does not exist.
    pub(crate) fn rollback_to(&mut self, name: &str, settings: &mut Settings) -> Result<Before> {
        let block = self.block("ROLLBACK TO SAVEPOINT")?;
        let at = find(&block.savepoints, name)?;
        block.savepoints.truncate(at + 1);
        block.failed = false;
        let Some(savepoint) = block.savepoints.last() else {
            return Ok(Before::default());
        };
        *settings = savepoint.settings.clone();
        block.locals = Arc::clone(&savepoint.locals);
        let before = savepoint.before;
        self.temporary = Arc::clone(&savepoint.temporary);
        Ok(before)
    }
}

/// The error of statements in a failed block.
pub(crate) fn aborted() -> Error {
    Error::new(
        Code::FailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

fn find(savepoints: &[Savepoint], name: &str) -> Result<usize> {
    savepoints
        .iter()
        .rposition(|savepoint| savepoint.name == name)
        .ok_or_else(|| {
            // PostgreSQL's 3B001, invalid savepoint specification. Other protocols report an
            // undefined object.
            Error::new(
                Code::InvalidSavepoint,
                format!("savepoint \"{name}\" does not exist"),
            )
        })
}

#[cfg(test)]
mod tests;
