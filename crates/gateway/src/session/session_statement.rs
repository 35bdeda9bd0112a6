//! Statements on the session itself: settings, transaction blocks, USE and KILL.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use lakegate_dialect::postgres::{Settings, ShownSetting, milliseconds, shown_time};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{self as sql, Statement};
use uuid::Uuid;

use crate::Execution;
use crate::moment::Moment;
use crate::session::describe_prepared;
use crate::session::named::unknown_prepared;
use crate::session::results::{command, rows, setting_schema, text_schema};
use crate::session::{Session, is_built_in};

/// The settings that BEGIN and SET TRANSACTION set until the end of a block.
pub(super) const MODES: [&str; 3] = [
    "transaction_isolation",
    "transaction_read_only",
    "transaction_deferrable",
];

impl Session {
    /// Runs COMMIT, ROLLBACK and ROLLBACK TO, which a failed block accepts too. Returns `None` for
    /// other statements.
    ///
    /// # Errors
    /// ROLLBACK TO and AND CHAIN outside of a block, or an unknown savepoint; changes of the block
    /// do not apply any more. After a COMMIT that fails the block has ended, and changed nothing.
    pub(super) async fn end_of_block(&self, statement: &Statement) -> Result<Option<Execution>> {
        let is_explicit = self.state.lock().transaction.is_explicit();
        if let Statement::Commit(end) | Statement::Rollback(end) = statement
            && !is_explicit
        {
            if end.chain {
                return Err(Error::new(
                    Code::NoActiveTransaction,
                    format!(
                        "{} AND CHAIN can only be used in transaction blocks",
                        statement.tag()
                    ),
                ));
            }
            self.warn("25P01", "there is no transaction in progress");
        }
        self.end_block(statement).await
    }

    /// Runs COMMIT, ROLLBACK and ROLLBACK TO on the open block, if any. Returns `None` for other
    /// statements.
    ///
    /// # Errors
    /// As of [`Session::end_of_block`].
    async fn end_block(&self, statement: &Statement) -> Result<Option<Execution>> {
        if let Statement::Commit(_) = statement {
            let changes = self.state.lock().transaction.changes_to_commit();
            if let Some(changes) = changes
                && let Err(error) = changes.commit().await
            {
                let mut guard = self.state.lock();
                let state = &mut *guard;
                let before = state.transaction.temporary().version();
                state.transaction.rollback(&mut state.settings);
                state.forget_plans_unless(before);
                state.cursors.end_transaction(false);
                return Err(error);
            }
        }
        if let Statement::RollbackTo(savepoint) = statement {
            let (changes, kept) = {
                let mut guard = self.state.lock();
                let state = &mut *guard;
                let before = state.transaction.temporary().version();
                let transaction = &mut state.transaction;
                let kept = transaction.rollback_to(&savepoint.name, &mut state.settings)?;
                state.forget_plans_unless(before);
                state.cursors.rollback_to(kept.cursors);
                (state.transaction.changes().cloned(), kept)
            };
            if let Some(changes) = changes {
                changes.truncate(kept.changes).await?;
            }
            return Ok(Some(command("ROLLBACK")));
        }
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let modes = MODES.map(|mode| (mode, state.settings.explicit(mode)));
        let before = state.transaction.temporary().version();
        let (tag, end) = match statement {
            Statement::Commit(end) => {
                let tag = state.transaction.commit(&mut state.settings);
                state.cursors.end_transaction(tag == "COMMIT");
                (tag, end)
            }
            Statement::Rollback(end) => {
                state.transaction.rollback(&mut state.settings);
                state.cursors.end_transaction(false);
                ("ROLLBACK", end)
            }
            _ => return Ok(None),
        };
        state.forget_plans_unless(before);
        if end.chain {
            // The next block has the modes of this one.
            state.transaction.begin(&state.settings);
            for (mode, value) in modes {
                if let Some(value) = value {
                    state.set_mode(mode, &value)?;
                }
            }
        }
        Ok(Some(command(tag)))
    }

    /// Prepares for one of several statements that a client sent in one message. They are one
    /// transaction, which [`Session::end_message`] ends, unless a block is open. What no transaction
    /// could take back stands alone: the statements before it are committed.
    ///
    /// # Errors
    /// Changes of the statements before it do not apply any more.
    pub async fn begin_in_message(&self, statement: &Statement) -> Result<()> {
        let stands_alone = statement.is_refused_in_transaction()
            || matches!(statement, Statement::Discard(sql::Discard::All));
        if stands_alone {
            return self.end_message().await;
        }
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.transaction.begin_implicit(&state.settings);
        Ok(())
    }

    /// Returns whether the statements of a message are a transaction that is open.
    pub fn is_in_message(&self) -> bool {
        self.state.lock().transaction.is_implicit()
    }

    /// Commits what the statements of one message changed, or takes it back if one of them failed.
    /// Does nothing if they are part of a block.
    ///
    /// # Errors
    /// The changes do not apply any more; then there are none.
    pub async fn end_message(&self) -> Result<()> {
        if !self.is_in_message() {
            return Ok(());
        }
        let commit = Statement::Commit(sql::EndTransaction { chain: false });
        self.end_block(&commit).await.map(|_| ())
    }

    /// Runs a statement on the session: settings, transactions, prepared statements and cursors.
    ///
    /// # Errors
    /// The statement fails or is not supported.
    pub(super) fn session_statement(
        &self,
        moment: &Moment,
        statement: &Statement,
    ) -> Result<Execution> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        match statement {
            Statement::Begin(begin) => {
                if state.begin(begin)? {
                    drop(guard);
                    self.warn("25001", "there is already a transaction in progress");
                }
            }
            Statement::Savepoint(savepoint) => {
                let cursors = state.cursors.opened();
                let name = savepoint.name.clone();
                state
                    .transaction
                    .savepoint(name, &state.settings, cursors)?;
            }
            Statement::ReleaseSavepoint(savepoint) => state.transaction.release(&savepoint.name)?,
            Statement::Set(set) => {
                let outside = state.is_outside();
                drop(guard);
                if outside && set.scope == sql::SetScope::Local {
                    self.warn("25P01", "SET LOCAL can only be used in transaction blocks");
                }
                self.set(moment, set)?;
            }
            Statement::SetTransaction(set) => {
                state.set_modes(set)?;
                let outside = state.is_outside();
                drop(guard);
                if outside && !set.session {
                    self.warn(
                        "25P01",
                        "SET TRANSACTION can only be used in transaction blocks",
                    );
                }
            }
            // Tables have no constraints that could be deferred.
            Statement::SetConstraints(named) => {
                let outside = state.is_outside();
                drop(guard);
                if outside {
                    self.warn(
                        "25P01",
                        "SET CONSTRAINTS can only be used in transaction blocks",
                    );
                }
                if let Some(name) = named {
                    let message = format!("constraint \"{name}\" does not exist");
                    return Err(Error::new(Code::UndefinedObject, message)
                        .with_hint("tables have no such constraints; use SET CONSTRAINTS ALL"));
                }
            }
            Statement::Show(show) => return show_settings(&state.settings, show),
            Statement::Reset(sql::Reset::All) => state.reset_all(),
            Statement::Reset(sql::Reset::Setting(name)) => {
                state.settings.set(name, None)?;
                state.transaction.keep(name);
            }
            Statement::Discard(what) => state.discard(*what)?,
            Statement::Deallocate(deallocate) => state.deallocate(deallocate.name.as_deref())?,
            Statement::DescribePrepared(describe) => {
                let prepared = state.prepared.get(&describe.name);
                let prepared = prepared.ok_or_else(|| unknown_prepared(&describe.name))?;
                return describe_prepared::describe(&prepared.statement, describe.side);
            }
            Statement::CloseCursor(close) => state.cursors.close(close.name.as_deref())?,
            Statement::Unlisten => {}
            // What a statement reads does not change while it runs.
            Statement::LockTables(_) => {
                if state.is_outside() {
                    return Err(Error::new(
                        Code::NoActiveTransaction,
                        "LOCK TABLE can only be used in transaction blocks",
                    ));
                }
            }
            other => {
                return Err(Error::not_supported(format!(
                    "{} is not supported",
                    other.tag()
                )));
            }
        }
        Ok(command(statement.tag()))
    }

    /// Sets a parameter, for SET and for other ways to set one.
    ///
    /// # Errors
    /// The parameter does not exist, cannot be set, or does not accept the value. A workgroup that
    /// is not granted counts as an invalid value.
    pub(crate) fn set(&self, moment: &Moment, set: &sql::Set) -> Result<()> {
        let value = match &set.value {
            sql::SetValue::Default => None,
            sql::SetValue::Values(values) => {
                if values.len() > 1 && takes_one(&set.name) {
                    return Err(Error::invalid(format!(
                        "SET {} takes only one argument",
                        set.name
                    )));
                }
                Some(values.join(", "))
            }
        };
        if is_user(&set.name) {
            return self.check_user(value.as_deref());
        }
        if let Some(value) = &value {
            self.check_value(moment, &set.name, value)?;
        }
        let mut guard = self.state.lock();
        let state = &mut *guard;
        // The modes of a transaction end with it.
        let is_mode = MODES.contains(&set.name.as_str());
        let is_local = set.scope == sql::SetScope::Local || is_mode;
        if let Some(value) = value.as_deref().filter(|_| is_mode) {
            state.check_mode(&set.name, value)?;
        }
        if is_local && !state.transaction.set_local(&set.name, &state.settings)? {
            // As in PostgreSQL, SET LOCAL outside of a block has no effect but its errors.
            return state.settings.clone().set(&set.name, value.as_deref());
        }
        state.settings.set(&set.name, value.as_deref())?;
        if !is_local {
            state.transaction.keep(&set.name);
        }
        Ok(())
    }

    /// Sets a parameter of the start-up packet, to whose value RESET returns.
    ///
    /// # Errors
    /// As for SET.
    pub fn start_parameter(&self, name: &str, value: &str) -> Result<()> {
        let name = name.to_lowercase();
        if is_user(&name) {
            return self.check_user(Some(value));
        }
        self.check_value(&self.moment()?, &name, value)?;
        let mut state = self.state.lock();
        let mut probe = state.settings.clone();
        probe.set(&name, Some(value))?;
        if let Some(value) = probe.explicit(&name) {
            state.settings.start_with(&name, value);
        }
        Ok(())
    }

    /// Checks that a session keeps its user.
    ///
    /// # Errors
    /// The value names another user.
    fn check_user(&self, value: Option<&str>) -> Result<()> {
        match value {
            None | Some("none" | "default") => Ok(()),
            Some(name) if name == self.user => Ok(()),
            Some(_) => Err(Error::new(
                Code::PermissionDenied,
                "a session keeps the user that it logged in with; connect as the other user",
            )),
        }
    }

    /// Checks the values of parameters that depend on grants and limits.
    ///
    /// # Errors
    /// The workgroup is not granted, or the staleness is more than the workgroup allows.
    fn check_value(&self, moment: &Moment, name: &str, value: &str) -> Result<()> {
        match name {
            "workgroup" => moment.check_workgroup(&value.to_lowercase()),
            "staleness" => self.check_staleness(moment, value),
            _ => Ok(()),
        }
    }

    /// Checks a staleness against the limit of the session's workgroup. Values that are not
    /// durations are rejected elsewhere.
    ///
    /// # Errors
    /// The workgroup does not allow this staleness.
    fn check_staleness(&self, moment: &Moment, value: &str) -> Result<()> {
        let asked = Duration::from_millis(milliseconds(value).unwrap_or(0));
        let workgroup = self.settings().workgroup();
        let allowed = moment.max_staleness(&workgroup);
        if asked <= allowed {
            return Ok(());
        }
        let shown =
            |time: Duration| shown_time(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Err(Error::invalid(format!(
            "a staleness of {} is more than workgroup \"{workgroup}\" allows, which is {}",
            shown(asked),
            shown(allowed)
        ))
        .with_hint(
            "an administrator may raise it: ALTER WORKGROUP … SET (max_staleness = '1min'), or SET workgroup to another",
        ))
    }

    /// Runs USE.
    ///
    /// # Errors
    /// The database does not exist or is not visible to the user.
    pub(super) async fn use_database(&self, moment: &Moment, name: &str) -> Result<Execution> {
        if !is_built_in(name) {
            moment.view.require_database(name).await?;
        }
        self.state.lock().settings.set("search_path", Some(name))?;
        Ok(command("USE"))
    }

    /// Runs KILL.
    ///
    /// # Errors
    /// The query is not running, or the user may not kill it; it is committing.
    pub(super) fn kill(&self, moment: &Moment, query_id: &str) -> Result<Execution> {
        let query = Uuid::parse_str(query_id.trim())
            .ok()
            .and_then(|id| self.gateway.running.get(id));
        let own = query.filter(|query| {
            query.principal().id() == self.principal().id() || moment.access().is_administrator()
        });
        let Some(query) = own else {
            return Err(Error::new(Code::UndefinedObject, format!("query \"{query_id}\" does not run"))
                .with_hint("SELECT query_id FROM system.queries WHERE state = 'RUNNING' lists those you may kill"));
        };
        let stopped = query.cancel(Error::new(
            Code::QueryCancelled,
            format!("query was killed by user \"{}\"", self.user),
        ));
        if !stopped {
            return Err(Error::new(
                Code::ObjectInUse,
                format!(
                    "query \"{}\" cannot be stopped any more: it commits what it did",
                    query.id
                ),
            )
            .with_hint("it ends by itself in a moment"));
        }
        Ok(command("KILL"))
    }
}

/// Returns whether a parameter that exists, or may exist, has one value.
fn takes_one(name: &str) -> bool {
    let exists = name.contains('.') || Settings::spelling(name).is_some();
    exists && !Settings::takes_list(name)
}

/// Returns whether the parameter is the session's user.
pub(super) fn is_user(name: &str) -> bool {
    matches!(name, "session_authorization" | "role")
}

fn show_settings(settings: &Settings, show: &sql::Show) -> Result<Execution> {
    let (schema, columns) = match show {
        sql::Show::Setting(name) => (setting_schema(name), vec![vec![settings.get(name)?]]),
        sql::Show::All => {
            let all = settings.all();
            let column =
                |pick: &dyn Fn(&ShownSetting) -> String| all.iter().map(pick).collect::<Vec<_>>();
            (
                text_schema(&["name", "setting", "description"]),
                vec![
                    column(&|row| row.name.to_owned()),
                    column(&|row| row.value.clone()),
                    column(&|row| row.description.to_owned()),
                ],
            )
        }
    };
    let columns = columns
        .into_iter()
        .map(|values| Arc::new(StringArray::from(values)) as _)
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(|e| Error::internal(format!("settings cannot be shown: {e}")))?;
    Ok(rows("SHOW", schema, vec![batch]))
}
