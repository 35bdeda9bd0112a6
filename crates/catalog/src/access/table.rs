//! The rights of one user on one table.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::model::Table;

/// Which columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnSelection {
    /// Every column, also those that are added later.
    All,
    /// These, all of which the table has.
    Some(BTreeSet<String>),
    /// None.
    None,
}

impl ColumnSelection {
    /// Whether a column (lower case) is in.
    pub fn contains(&self, column: &str) -> bool {
        match self {
            ColumnSelection::All => true,
            ColumnSelection::Some(columns) => columns.contains(column),
            ColumnSelection::None => false,
        }
    }
}

/// The rights of one user on one table. A user without any has no `TableAccess`: for that user the
/// table does not exist.
///
/// Every listing shows [`TableAccess::visible_columns`] and nothing else; a query sees those of
/// them that are in `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAccess {
    /// The columns that may be queried.
    pub select: ColumnSelection,
    /// DESCRIBE was granted. Not needed to see the table: any other right shows it too.
    pub describe: bool,
    pub insert: bool,
    pub delete: bool,
    pub alter: bool,
    pub drop: bool,
    pub(super) visible: Existing,
}

/// The columns that exist for the user, in the table's order.
#[derive(Debug, Clone)]
pub(super) enum Existing {
    /// Every column of the table. The names are not copied: a listing makes this for each table.
    Of(Arc<Table>),
    These(Vec<String>),
}

impl Existing {
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Existing::Of(table) => table.column_names(),
            Existing::These(names) => names.iter().map(String::as_str).collect(),
        }
    }

    fn contains(&self, column: &str) -> bool {
        match self {
            Existing::Of(table) => table.columns().any(|known| known.name == column),
            Existing::These(names) => names.iter().any(|name| name == column),
        }
    }
}

impl PartialEq for Existing {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for Existing {}

impl TableAccess {
    /// All rights on a table or view that belongs to the session, and is not in the catalog.
    pub fn of_session(table: &Arc<Table>) -> Self {
        let is_table = !table.is_view();
        Self {
            select: ColumnSelection::All,
            describe: true,
            insert: is_table,
            delete: is_table,
            alter: true,
            drop: true,
            visible: Existing::Of(Arc::clone(table)),
        }
    }

    /// The columns that exist for the user, in the table's order: the selectable ones if SELECT is
    /// granted on some columns only, else all of them.
    pub fn visible_columns(&self) -> Vec<&str> {
        self.visible.names()
    }

    /// Whether any column may be queried.
    pub fn selects_any(&self) -> bool {
        match &self.select {
            ColumnSelection::All => true,
            ColumnSelection::Some(columns) => !columns.is_empty(),
            ColumnSelection::None => false,
        }
    }

    /// Whether every column of the table exists for the user.
    pub fn sees_all(&self) -> bool {
        !matches!(self.select, ColumnSelection::Some(_))
    }

    /// Whether a column (lower case) exists for the user.
    pub fn is_visible(&self, column: &str) -> bool {
        match &self.select {
            // The common case, without a scan of a wide table's names.
            ColumnSelection::Some(columns) => columns.contains(column),
            _ => self.visible.contains(column),
        }
    }

    /// Whether a column (lower case) may be queried.
    pub fn can_select(&self, column: &str) -> bool {
        self.select.contains(column) && self.is_visible(column)
    }

    /// Returns the columns that may be queried, to look up each column of a wide table.
    pub fn selected_columns(&self) -> HashSet<&str> {
        let visible = self.visible.names().into_iter();
        visible
            .filter(|column| self.select.contains(column))
            .collect()
    }

    /// Whether every visible column may be queried and none is hidden by a column grant.
    pub fn selects_all(&self) -> bool {
        self.select == ColumnSelection::All
    }

    /// Removes what needs rights on another table too, because files of this one belong to that
    /// one. `other`: the same user's rights on it.
    ///
    /// Columns do not count one by one: columns of one name need not be the same in a file.
    pub fn limit(&mut self, other: Option<&TableAccess>) {
        if !other.is_some_and(TableAccess::selects_all) {
            self.select = ColumnSelection::None;
            // DESCRIBE would show the names of its partitions, and ALTER could widen its
            // definition.
            self.alter = false;
        }
        self.insert &= other.is_some_and(|other| other.insert);
        self.delete &= other.is_some_and(|other| other.delete);
    }

    /// SHA-256 of all that a read of the table depends on: two principals with the same digest get
    /// the same answers. Rights that change no read, such as INSERT, are not in it, so that users
    /// with and without them share results.
    ///
    /// Equal in every process and version of this crate that has the same fields.
    pub fn read_digest(&self) -> [u8; 32] {
        // Every field is named, so that a new one does not compile before it is decided on here.
        let Self {
            select,
            visible,
            describe: _,
            insert: _,
            delete: _,
            alter: _,
            drop: _,
        } = self;
        let mut hash = Sha256::new();
        hash.update(b"lakegate table read 1\0");
        let mut columns = visible.names();
        columns.retain(|column| select.contains(column));
        hash_names(&mut hash, &columns);
        hash.finalize().into()
    }
}

/// Lengths first, so that no two lists of names hash alike.
fn hash_names(hash: &mut Sha256, names: &[&str]) {
    hash.update((names.len() as u64).to_be_bytes());
    for name in names {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> TableAccess {
        TableAccess {
            select: ColumnSelection::All,
            describe: false,
            insert: false,
            delete: false,
            alter: false,
            drop: false,
            visible: these(&["a", "ab", "bc", "c"]),
        }
    }

    fn these(columns: &[&str]) -> Existing {
        Existing::These(columns.iter().map(|&column| column.to_owned()).collect())
    }

    fn some(columns: &[&str]) -> ColumnSelection {
        ColumnSelection::Some(columns.iter().map(|&column| column.to_owned()).collect())
    }

    #[test]
    fn selected_columns_are_those_that_can_be_selected() {
        let columns = ["a", "ab", "bc", "c"];
        for select in [
            ColumnSelection::All,
            some(&["a", "c"]),
            ColumnSelection::None,
        ] {
            let access = TableAccess { select, ..access() };
            let selected = access.selected_columns();
            for column in columns.into_iter().chain(["d"]) {
                let known = access.can_select(column);
                assert_eq!(selected.contains(column), known, "{column}");
            }
        }
    }

    #[test]
    fn read_digest_changes_with_what_a_read_depends_on_and_with_nothing_else() {
        let same: [fn(&mut TableAccess); 6] = [
            |access| access.describe = true,
            |access| access.insert = true,
            |access| access.delete = true,
            |access| access.alter = true,
            |access| access.drop = true,
            |access| access.select = some(&["a", "ab", "bc", "c"]),
        ];
        for (place, change) in same.iter().enumerate() {
            let mut changed = access();
            change(&mut changed);
            assert_ne!(changed, access(), "{place}");
            assert_eq!(changed.read_digest(), access().read_digest(), "{place}");
        }
        let others: [fn(&mut TableAccess); 6] = [
            |access| access.select = ColumnSelection::None,
            |access| access.select = some(&["a"]),
            |access| access.select = some(&["a", "bc"]),
            |access| access.select = some(&["ab", "c"]),
            |access| access.visible = these(&["a", "ab", "bc", "c", "d"]),
            |access| access.visible = these(&["c", "bc", "ab", "a"]),
        ];
        let mut known = vec![access().read_digest()];
        for (place, change) in others.iter().enumerate() {
            let mut changed = access();
            change(&mut changed);
            let digest = changed.read_digest();
            assert!(!known.contains(&digest), "{place}");
            known.push(digest);
        }
    }
}
