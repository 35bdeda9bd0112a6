//! Grants → the effective rights of one user.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::table::Existing;
use super::{
    ADMINISTRATORS, By, ColumnSelection, ControlSnapshot, GrantedIds, PRIMARY_WORKGROUP, Privilege,
    PrivilegeSet, Resource, TableAccess,
};
use crate::model::Table;

/// The effective rights of one user: the union of all grants to the user and the user's roles.
/// Immutable; a change of grants creates a new [`ControlSnapshot`] and with it a new `Access`. All
/// names are lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    user: String,
    user_id: i64,
    administrator: bool,
    roles: BTreeSet<String>,
    catalog: Rights,
    databases: HashMap<String, DatabaseRights>,
    workgroups: HashMap<String, Rights>,
    /// Folders with DATA_LOCATION, and whether it may be granted on.
    locations: Vec<(String, bool)>,
}

/// What is granted on one resource, and what of it may be granted on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rights {
    held: PrivilegeSet,
    grantable: PrivilegeSet,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DatabaseRights {
    /// What `own` was granted on; 0 if nothing was.
    id: i64,
    own: Rights,
    tables: HashMap<String, TableRights>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct TableRights {
    /// What all of this was granted on.
    id: i64,
    own: Rights,
    /// Columns with SELECT, and whether it may be granted on.
    columns: HashMap<String, bool>,
}

impl Rights {
    fn add(&mut self, privileges: &[Privilege], grantable: bool) {
        let set: PrivilegeSet = privileges.iter().copied().collect();
        self.held = self.held.union(set);
        if grantable {
            self.grantable = self.grantable.union(set);
        }
    }

    fn keep_grantable(&mut self) {
        self.held = self.grantable;
    }
}

impl Access {
    /// The rights of a user as of a snapshot. An unknown user has none.
    pub(super) fn compute(snapshot: &ControlSnapshot, user: &str) -> Access {
        let roles = snapshot.roles_of(user);
        let mut access = Access {
            user: user.to_owned(),
            user_id: snapshot.users.get(user).map_or(0, |user| user.id),
            administrator: roles.contains(ADMINISTRATORS),
            roles,
            catalog: Rights::default(),
            databases: HashMap::new(),
            workgroups: HashMap::new(),
            locations: Vec::new(),
        };
        let ids = &snapshot.granted;
        for grant in &snapshot.grants {
            if grant.grantee != user && !access.roles.contains(&grant.grantee) {
                continue;
            }
            // Stored grants are valid; one that is not has no effect.
            let Ok(privileges) = grant.resource.expand(grant.privilege) else {
                continue;
            };
            let grantable = grant.with_grant_option;
            match &grant.resource {
                Resource::Catalog => access.catalog.add(&privileges, grantable),
                Resource::Database(name) => {
                    let rights = access.database_mut(name);
                    rights.id = ids.databases.get(name).copied().unwrap_or_default();
                    rights.own.add(&privileges, grantable);
                }
                Resource::Table { database, table } => {
                    let rights = access.table_mut(database, table, ids);
                    rights.own.add(&privileges, grantable);
                }
                Resource::Columns {
                    database,
                    table,
                    columns,
                } => {
                    let rights = access.table_mut(database, table, ids);
                    for column in columns {
                        *rights.columns.entry(column.clone()).or_default() |= grantable;
                    }
                }
                Resource::Workgroup(name) => access
                    .workgroups
                    .entry(name.clone())
                    .or_default()
                    .add(&privileges, grantable),
                Resource::Location(folder) => access.locations.push((folder.clone(), grantable)),
            }
        }
        access
    }

    fn database_mut(&mut self, name: &str) -> &mut DatabaseRights {
        self.databases.entry(name.to_owned()).or_default()
    }

    fn table_mut(&mut self, database: &str, table: &str, ids: &GrantedIds) -> &mut TableRights {
        let tables = &mut self.database_mut(database).tables;
        let rights = tables.entry(table.to_owned()).or_default();
        let id = ids.tables.get(&(database.to_owned(), table.to_owned()));
        rights.id = id.copied().unwrap_or_default();
        rights
    }

    /// The rights that the user may pass on: those held with grant option. An administrator may
    /// pass on everything.
    ///
    /// A view that others query runs with these rights of its definer, so that a view reveals no
    /// more than its definer could grant.
    #[must_use]
    pub fn delegable(&self) -> Access {
        let mut access = self.clone();
        if self.administrator {
            return access;
        }
        access.catalog.keep_grantable();
        access
            .workgroups
            .values_mut()
            .for_each(Rights::keep_grantable);
        access.locations.retain(|(_, grantable)| *grantable);
        for database in access.databases.values_mut() {
            database.own.keep_grantable();
            for table in database.tables.values_mut() {
                table.own.keep_grantable();
                table.columns.retain(|_, grantable| *grantable);
            }
        }
        access
    }

    /// The user's id; 0 for a user that does not exist.
    pub fn user_id(&self) -> i64 {
        self.user_id
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The principal that the user's changes are made by.
    pub fn by(&self) -> By {
        match self.administrator {
            true => By::Administrator,
            false => By::User(self.user_id),
        }
    }

    /// Whether the user is a member of [`ADMINISTRATORS`] and may do everything.
    pub fn is_administrator(&self) -> bool {
        self.administrator
    }

    /// All roles that the user is a member of, directly or through roles.
    pub fn roles(&self) -> &BTreeSet<String> {
        &self.roles
    }

    /// Whether a database exists for the user: any right on it or on something in it.
    pub fn database_visible(&self, database: &str) -> bool {
        let catalog_shows = !self.catalog.held.is_empty()
            && self.catalog.held != PrivilegeSet::from_iter([Privilege::CreateDatabase]);
        // An entry is only made for a grant.
        self.administrator || catalog_shows || self.databases.contains_key(database)
    }

    /// Whether the user holds a privilege on a database itself (or on the catalog): ALTER DATABASE,
    /// DROP DATABASE.
    pub fn on_database(&self, database: &str, privilege: Privilege) -> bool {
        self.administrator || self.database_rights(database).contains(privilege)
    }

    /// Whether the user may create databases.
    pub fn can_create_database(&self) -> bool {
        self.administrator || self.catalog.held.contains(Privilege::CreateDatabase)
    }

    /// Whether the user may create tables in a database.
    pub fn can_create_table(&self, database: &str) -> bool {
        self.on_database(database, Privilege::CreateTable)
    }

    /// Whether the user may run queries in a workgroup. Every user may in [`PRIMARY_WORKGROUP`].
    pub fn can_use_workgroup(&self, workgroup: &str) -> bool {
        self.administrator
            || workgroup == PRIMARY_WORKGROUP
            || self
                .workgroups
                .get(workgroup)
                .is_some_and(|rights| rights.held.contains(Privilege::Usage))
    }

    /// Whether the user may register a folder: DATA_LOCATION is granted on it or on one that
    /// contains it.
    ///
    /// `folder`: as [`Resource::Location`] has it.
    pub fn can_use_location(&self, folder: &str) -> bool {
        let mut granted = self.locations.iter();
        self.administrator || granted.any(|(granted, _)| folder.starts_with(granted.as_str()))
    }

    /// What the user may see and do with a table. `None`: for this user the table does not exist.
    ///
    /// Grants count by the ids of the table and its database: those on another one that had the
    /// name, when these rights were computed, do not.
    ///
    /// If SELECT is granted on some columns only, those are all that exists, whatever else is
    /// granted; a granted column that the table does not have (any more) has no effect, and does
    /// not extend to the rest of the table. Without SELECT any other right lists all columns.
    pub fn on_table(&self, table: &Arc<Table>) -> Option<TableAccess> {
        let database = self.databases.get(&table.database_name);
        let in_database = database.filter(|rights| rights.id == table.database_id);
        let rights = database
            .and_then(|rights| rights.tables.get(&table.name))
            .filter(|rights| rights.id == table.id);
        let inherited = in_database
            .map(|rights| rights.own.held)
            .unwrap_or_default();
        let all = Existing::Of(Arc::clone(table));
        self.effective(rights, inherited.union(self.catalog.held), all)
    }

    /// [`Access::on_table`] by name alone: of the table that had the name when these rights were
    /// computed. `all_columns`: its columns, partition keys included, in order.
    pub fn table(&self, database: &str, table: &str, all_columns: &[&str]) -> Option<TableAccess> {
        let rights = self
            .databases
            .get(database)
            .and_then(|rights| rights.tables.get(table));
        let all = Existing::These(all_columns.iter().map(|&name| name.to_owned()).collect());
        self.effective(rights, self.database_rights(database), all)
    }

    fn effective(
        &self,
        rights: Option<&TableRights>,
        inherited: PrivilegeSet,
        all: Existing,
    ) -> Option<TableAccess> {
        let held = if self.administrator {
            PrivilegeSet::EVERYTHING
        } else {
            let on_table = rights.map(|rights| rights.own.held).unwrap_or_default();
            on_table.union(inherited)
        };
        let restricted = rights.filter(|rights| !rights.columns.is_empty());
        let select = match restricted {
            _ if held.contains(Privilege::Select) => ColumnSelection::All,
            None => ColumnSelection::None,
            Some(rights) => {
                let mut existing = all.names();
                existing.retain(|column| rights.columns.contains_key(*column));
                let existing: BTreeSet<String> = existing.into_iter().map(str::to_owned).collect();
                ColumnSelection::Some(existing)
            }
        };
        let visible = match &select {
            ColumnSelection::Some(columns) => {
                let mut visible = all.names();
                visible.retain(|column| columns.contains(*column));
                Existing::These(visible.into_iter().map(str::to_owned).collect())
            }
            _ => all,
        };
        let access = TableAccess {
            select,
            describe: held.contains(Privilege::Describe),
            insert: held.contains(Privilege::Insert),
            delete: held.contains(Privilege::Delete),
            alter: held.contains(Privilege::Alter),
            drop: held.contains(Privilege::Drop),
            visible,
        };
        let acts = access.describe || access.insert || access.delete || access.alter || access.drop;
        (acts || access.selects_any()).then_some(access)
    }

    /// Whether the user may pass a privilege on (and revoke it): administrators may, and users that
    /// hold it there, or on what contains the resource, with grant option. For columns, SELECT with
    /// grant option on each of them.
    pub fn can_grant(&self, privilege: Privilege, resource: &Resource) -> bool {
        if self.administrator {
            return true;
        }
        let Ok(privileges) = resource.expand(privilege) else {
            return false;
        };
        privileges
            .into_iter()
            .all(|privilege| self.can_grant_one(privilege, resource))
    }

    fn can_grant_one(&self, privilege: Privilege, resource: &Resource) -> bool {
        if let Resource::Workgroup(name) = resource {
            return self
                .workgroups
                .get(name)
                .is_some_and(|rights| rights.grantable.contains(privilege));
        }
        if let Resource::Location(folder) = resource {
            let mut granted = self.locations.iter();
            return granted.any(|(granted, on)| *on && folder.starts_with(granted.as_str()));
        }
        if self.catalog.grantable.contains(privilege) {
            return true;
        }
        let (database, table, columns) = match resource {
            Resource::Database(database) => (database, None, None),
            Resource::Table { database, table } => (database, Some(table), None),
            Resource::Columns {
                database,
                table,
                columns,
            } => (database, Some(table), Some(columns)),
            Resource::Catalog | Resource::Workgroup(_) | Resource::Location(_) => return false,
        };
        let Some(in_database) = self.databases.get(database) else {
            return false;
        };
        if in_database.own.grantable.contains(privilege) {
            return true;
        }
        let Some(on_table) = table.and_then(|table| in_database.tables.get(table)) else {
            return false;
        };
        on_table.own.grantable.contains(privilege)
            || columns.is_some_and(|columns| {
                columns
                    .iter()
                    .all(|column| on_table.columns.get(column) == Some(&true))
            })
    }

    /// What is granted on a database and on the catalog that holds it.
    fn database_rights(&self, database: &str) -> PrivilegeSet {
        let own = self
            .databases
            .get(database)
            .map(|rights| rights.own.held)
            .unwrap_or_default();
        own.union(self.catalog.held)
    }
}
