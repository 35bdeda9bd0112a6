//! What of one table one user may see and do.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

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

/// What of one table one user may see and do. A user who may do nothing with it has no
/// `TableAccess`: for that user the table does not exist.
///
/// Every listing shows [`TableAccess::visible_columns`] and nothing else; a query sees those of
/// them that are in `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAccess {
    /// The columns that may be queried.
    pub select: ColumnSelection,
    /// DESCRIBE was granted. Seeing the table does not need it: any other right shows it too.
    pub describe: bool,
    pub insert: bool,
    pub delete: bool,
    pub alter: bool,
    pub drop: bool,
    pub(super) visible: Vec<String>,
}

impl TableAccess {
    /// The columns that exist for the user, in the table's order: the selectable ones if SELECT is
    /// granted on some columns only, else all of them.
    pub fn visible_columns(&self) -> &[String] {
        &self.visible
    }

    /// Whether a column (lower case) exists for the user.
    pub fn is_visible(&self, column: &str) -> bool {
        match &self.select {
            // The common case, without a scan of a wide table's names.
            ColumnSelection::Some(columns) => columns.contains(column),
            _ => self.visible.iter().any(|visible| visible == column),
        }
    }

    /// Whether a column (lower case) may be queried.
    pub fn can_select(&self, column: &str) -> bool {
        self.select.contains(column) && self.is_visible(column)
    }

    /// Whether every visible column may be queried and none is hidden by a column grant.
    pub fn selects_all(&self) -> bool {
        self.select == ColumnSelection::All
    }

    /// Takes away what needs rights on another table too, since files of this one belong to that one. `other`: what the same user may
    /// do with it.
    ///
    /// Columns do not count one by one: that they are called alike does not make them the same in a file.
    pub fn limit(&mut self, other: Option<&TableAccess>) {
        if !other.is_some_and(TableAccess::selects_all) {
            self.select = ColumnSelection::None;
            // The names of its partitions would show, and a narrower definition could become a wider one.
            self.alter = false;
        }
        self.insert &= other.is_some_and(|other| other.insert);
        self.delete &= other.is_some_and(|other| other.delete);
    }

    /// SHA-256 of everything above: two principals with the same digest see and may do the same
    /// with the same table. The same in every process and version of this crate that has the same
    /// fields.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"lakegate table access 1\0");
        let flags = [
            self.describe,
            self.insert,
            self.delete,
            self.alter,
            self.drop,
        ];
        hash.update(flags.map(u8::from));
        match &self.select {
            ColumnSelection::All => hash.update([0]),
            ColumnSelection::None => hash.update([1]),
            ColumnSelection::Some(columns) => {
                hash.update([2]);
                hash_names(&mut hash, columns.iter());
            }
        }
        hash_names(&mut hash, self.visible.iter());
        hash.finalize().into()
    }
}

/// Lengths first, so that no two lists of names hash alike.
fn hash_names<'a>(hash: &mut Sha256, names: impl ExactSizeIterator<Item = &'a String>) {
    hash.update((names.len() as u64).to_be_bytes());
    for name in names {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
    }
}
