//! The temporary tables and views of one session.
//!
//! A name without a schema refers to one of them before it refers to a table of the lake. Only the
//! queries of their own session are planned with them: the query of a view in the catalog sees none,
//! and that of a temporary view sees those that were there when it was written.
//!
//! A state is never changed: a transaction block goes back to the state before it by keeping that.
//! States share the rows of tables, which are added in parts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lakegate_catalog::access::TableAccess;
use lakegate_catalog::model::names::TEMPORARY_SCHEMA;
use lakegate_catalog::model::{Table, TableInput, now};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::table::table_schema;

use super::Visible;
use super::temporary_table::{TemporaryPart, TemporaryRows};

/// The maximum number of temporary tables and views of a session.
const MAX_RELATIONS: usize = 1_000;

/// The maximum memory of their definitions, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// Estimated bytes of a definition without its columns and its query, and of a column.
const RELATION_BYTES: usize = 1024;
const COLUMN_BYTES: usize = 256;

/// The id of their schema. That of a built-in schema is negative, and -1 is taken.
pub const TEMPORARY_DATABASE: i64 = -2;

/// The first of their own ids, as [`TEMPORARY_DATABASE`].
const FIRST_ID: i64 = -2;

/// Numbers for states and definitions, which no two of any session share.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

fn next_number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The temporary tables and views of a session at one moment. Copies share what they hold.
#[derive(Debug, Clone, Default)]
pub struct Temporary {
    relations: BTreeMap<String, TemporaryRelation>,
    /// Another one for each state, in any session; 0 if there was never anything.
    version: u64,
}

/// What the end of a transaction does to a temporary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCommit {
    Keep,
    DeleteRows,
    Drop,
}

/// A temporary table or view.
#[derive(Debug, Clone)]
pub struct TemporaryRelation {
    /// Not in the catalog: its id is negative, and unique within the session.
    pub table: Arc<Table>,
    /// `None` for a view.
    pub rows: Option<TemporaryRows>,
    at_commit: AtCommit,
    /// The databases in which the query of a view looks up unqualified names.
    pub path: Vec<String>,
    /// When it was created, as one of [`NUMBERS`].
    born: u64,
    /// When a view got its query. A replaced view stays what it was to the views that read it.
    made: u64,
}

impl TemporaryRelation {
    /// Returns the table or view with the rights that its session has on it: all.
    pub fn visible(&self) -> Visible {
        Visible {
            access: TableAccess::of_session(&self.table),
            table: Arc::clone(&self.table),
            granted: None,
            withheld: false,
        }
    }

    /// Returns whether rows have the columns of this table. They may be meant for an earlier table
    /// of its name.
    ///
    /// # Errors
    ///
    /// Returns an error if the definition has a type that is not known.
    pub fn takes(&self, part: &TemporaryPart) -> Result<bool> {
        let Some(batch) = part.batches.first() else {
            return Ok(true);
        };
        let (rows, table) = (batch.schema(), table_schema(&self.table)?);
        let (rows, table) = (rows.fields(), table.fields());
        let mut pairs = rows.iter().zip(table);
        let are_alike =
            pairs.all(|(row, own)| row.name() == own.name() && row.data_type() == own.data_type());
        Ok(rows.len() == table.len() && are_alike)
    }

    fn weight(&self) -> usize {
        let query = self.table.view_original_text.as_ref();
        let columns = self.table.storage_descriptor.columns.len();
        RELATION_BYTES + COLUMN_BYTES * columns + query.map_or(0, String::len)
    }
}

impl Temporary {
    pub fn is_empty(&self) -> bool {
        self.relations.is_empty()
    }

    /// Returns the number of this state. Two with the same number are the same.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the table or view of a name. `name`: lower case.
    pub fn relation(&self, name: &str) -> Option<&TemporaryRelation> {
        self.relations.get(name)
    }

    /// Returns all tables and views, by name.
    pub fn relations(&self) -> impl Iterator<Item = &TemporaryRelation> {
        self.relations.values()
    }

    /// Returns the table or view of a name, with the rights that its session has on it: all.
    pub fn visible(&self, name: &str) -> Option<Visible> {
        self.relation(name).map(TemporaryRelation::visible)
    }

    /// Returns what the query of a view sees of these: those that were there before it was written;
    /// nothing if the view is not one of these.
    pub fn seen_by(&self, view: &Table) -> Arc<Self> {
        match self.of_id(view.id) {
            Some(view) => Arc::new(self.before(view.made)),
            None => Arc::default(),
        }
    }

    /// Returns what the query of a new view sees: its own name refers to something else.
    pub fn seen_by_new(&self, name: &str, replaces: bool) -> Arc<Self> {
        let mut seen = self.clone();
        if !replaces {
            seen.relations.remove(name);
        }
        seen.version = next_number();
        Arc::new(seen)
    }

    /// Returns the databases in which the query of a temporary view looks up unqualified names.
    pub fn path_of(&self, view: &Table) -> Option<&[String]> {
        self.of_id(view.id).map(|view| view.path.as_slice())
    }

    fn of_id(&self, id: i64) -> Option<&TemporaryRelation> {
        let mut relations = self.relations.values();
        relations.find(|relation| relation.table.id == id)
    }

    fn before(&self, made: u64) -> Self {
        let relations = self.relations.iter();
        let seen = relations.filter(|(_, relation)| relation.born < made);
        Self {
            relations: seen
                .map(|(name, relation)| (name.clone(), relation.clone()))
                .collect(),
            version: next_number(),
        }
    }

    /// Returns the state with a view, which may take the place of another.
    ///
    /// `path`: the databases in which its query looks up unqualified names.
    ///
    /// # Errors
    ///
    /// The session has too many, or their definitions are too large.
    pub fn with_view(&self, input: TableInput, path: Vec<String>) -> Result<Self> {
        let replaced = self.relations.get(&input.name);
        let made = next_number();
        let relation = TemporaryRelation {
            born: replaced.map_or(made, |replaced| replaced.born),
            made,
            path,
            table: Arc::new(self.table_of(input)?),
            rows: None,
            at_commit: AtCommit::Keep,
        };
        self.with(relation)
    }

    /// Returns the state with a table, which takes the place of one of its name.
    ///
    /// # Errors
    ///
    /// As [`Self::with_view`].
    pub fn with_table(
        &self,
        input: TableInput,
        rows: Option<TemporaryPart>,
        at_commit: AtCommit,
    ) -> Result<Self> {
        let made = next_number();
        let relation = TemporaryRelation {
            born: made,
            made,
            path: Vec::new(),
            table: Arc::new(self.table_of(input)?),
            rows: Some(TemporaryRows::of(rows)),
            at_commit,
        };
        self.with(relation)
    }

    /// Returns the state with other rows of a table; `None` if there is no such table.
    ///
    /// `change`: returns the new rows from those before.
    pub fn with_rows(
        &self,
        name: &str,
        change: impl FnOnce(&TemporaryRows) -> TemporaryRows,
    ) -> Option<Self> {
        let mut next = self.clone();
        let relation = next.relations.get_mut(name)?;
        let rows = relation.rows.as_ref()?;
        relation.rows = Some(change(rows));
        next.version = next_number();
        Some(next)
    }

    /// Returns the state after the end of a transaction; `None` if it is the same.
    pub fn committed(&self) -> Option<Self> {
        let changes = |relation: &TemporaryRelation| match relation.at_commit {
            AtCommit::Keep => false,
            AtCommit::DeleteRows => relation.rows.as_ref().is_some_and(|rows| rows.count() > 0),
            AtCommit::Drop => true,
        };
        if !self.relations().any(changes) {
            return None;
        }
        let mut next = self.clone();
        let relations = &mut next.relations;
        relations.retain(|_, relation| relation.at_commit != AtCommit::Drop);
        for relation in relations.values_mut() {
            if relation.at_commit == AtCommit::DeleteRows {
                relation.rows = Some(TemporaryRows::default());
            }
        }
        next.version = next_number();
        Some(next)
    }

    /// Returns the table of an input, with the id of the one of its name or a free one.
    ///
    /// # Errors
    ///
    /// The session has too many.
    fn table_of(&self, input: TableInput) -> Result<Table> {
        let known = self.relations.get(&input.name);
        let id = match known {
            Some(known) => known.table.id,
            None => self.free_id()?,
        };
        let mut table = Table::of_input(input, TEMPORARY_SCHEMA, now());
        table.id = id;
        table.database_id = TEMPORARY_DATABASE;
        Ok(table)
    }

    fn free_id(&self) -> Result<i64> {
        if self.relations.len() >= MAX_RELATIONS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!("a session has at most {MAX_RELATIONS} temporary tables and views"),
            )
            .with_hint("DROP those that are not needed any more, or DISCARD TEMP"));
        }
        let mut ids: Vec<i64> = self.relations().map(|known| known.table.id).collect();
        ids.sort_unstable();
        let mut free = FIRST_ID;
        for id in ids.into_iter().rev() {
            if id == free {
                free -= 1;
            }
        }
        Ok(free)
    }

    fn with(&self, relation: TemporaryRelation) -> Result<Self> {
        let mut next = self.clone();
        let name = relation.table.name.clone();
        next.relations.insert(name, relation);
        next.version = next_number();
        let weights = next.relations().map(TemporaryRelation::weight);
        if weights.sum::<usize>() > MAX_BYTES {
            return Err(Error::new(
                Code::OutOfMemory,
                format!(
                    "the definitions of the session's temporary tables and views would take more than {MAX_BYTES} bytes"
                ),
            )
            .with_hint("DROP those that are not needed any more, or DISCARD TEMP"));
        }
        Ok(next)
    }

    /// Returns the state without these. `names`: lower case.
    #[must_use]
    pub fn without<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut next = self.clone();
        for name in names {
            next.relations.remove(name);
        }
        next.version = next_number();
        next
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_catalog::model::VIRTUAL_VIEW;

    use super::*;

    fn view(name: &str) -> TableInput {
        TableInput {
            name: name.to_owned(),
            table_type: Some(VIRTUAL_VIEW.to_owned()),
            ..TableInput::default()
        }
    }

    fn made(before: &Temporary, name: &str) -> Temporary {
        before.with_view(view(name), Vec::new()).unwrap()
    }

    fn seen(state: &Temporary, name: &str) -> Vec<String> {
        let view = state.visible(name).unwrap().table;
        let seen = state.seen_by(&view);
        seen.relations()
            .map(|relation| relation.table.name.clone())
            .collect()
    }

    #[test]
    fn a_view_sees_what_was_there_when_it_was_written() {
        let state = ["a", "b", "c"]
            .iter()
            .fold(Temporary::default(), |state, name| made(&state, name));
        assert_eq!(seen(&state, "a"), Vec::<String>::new());
        assert_eq!(seen(&state, "c"), ["a", "b"]);
        // Replaced, it sees more, and those that read it still see it.
        let state = made(&state, "a");
        assert_eq!(seen(&state, "a"), ["a", "b", "c"]);
        assert_eq!(seen(&state, "b"), ["a"]);
        let of_catalog = Table::of_input(view("a"), "sales", now());
        assert!(state.seen_by(&of_catalog).is_empty());
        assert!(state.seen_by_new("a", false).relation("a").is_none());
        assert!(state.seen_by_new("a", true).relation("a").is_some());
    }

    #[test]
    fn ids_are_free_ones_and_states_have_versions_of_their_own() {
        let first = made(&Temporary::default(), "a");
        let second = made(&first, "b");
        assert_ne!(first.version(), second.version());
        assert_ne!(first.version(), Temporary::default().version());
        let id = |state: &Temporary, name: &str| state.visible(name).unwrap().table.id;
        assert_eq!((id(&second, "a"), id(&second, "b")), (-2, -3));
        let third = made(&second.without(["a"]), "c");
        assert_eq!((id(&third, "b"), id(&third, "c")), (-3, -2));
        assert!(third.visible("a").is_none());
    }

    #[test]
    fn the_end_of_a_transaction_drops_and_empties_what_says_so() {
        let table = |state: Temporary, name: &str, at_commit| {
            let input = TableInput {
                name: name.to_owned(),
                ..TableInput::default()
            };
            state.with_table(input, None, at_commit).unwrap()
        };
        let state = table(Temporary::default(), "kept", AtCommit::Keep);
        let state = table(state, "emptied", AtCommit::DeleteRows);
        assert!(state.committed().is_none());
        let state = table(state, "dropped", AtCommit::Drop);
        let after = state.committed().unwrap();
        assert!(after.relation("kept").is_some() && after.relation("emptied").is_some());
        assert!(after.relation("dropped").is_none());
        assert_ne!(after.version(), state.version());
        // A table that takes the place of another is not what views were made of.
        let state = made(&state, "v");
        assert_eq!(seen(&state, "v"), ["dropped", "emptied", "kept"]);
        let state = table(state, "kept", AtCommit::Keep);
        assert_eq!(seen(&state, "v"), ["dropped", "emptied"]);
        let same = |rows: &TemporaryRows| rows.clone();
        assert!(state.with_rows("kept", same).is_some());
        assert!(state.with_rows("v", same).is_none());
        assert!(state.with_rows("none", same).is_none());
    }

    #[test]
    fn a_session_is_bounded() {
        let mut full = Temporary::default();
        for index in 0..MAX_RELATIONS {
            full = made(&full, &format!("v{index}"));
        }
        let error = full.with_view(view("one"), Vec::new()).unwrap_err();
        assert_eq!(error.code(), Code::TooManyQueries);
        made(&full, "v7");
        let large = TableInput {
            view_original_text: Some("x".repeat(MAX_BYTES)),
            ..view("large")
        };
        let error = Temporary::default().with_view(large, Vec::new());
        assert_eq!(error.unwrap_err().code(), Code::OutOfMemory);
    }
}
