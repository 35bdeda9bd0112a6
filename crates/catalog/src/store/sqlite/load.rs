//! Reads the file into memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};

use super::state::{CachedPartitions, DatabaseEntry, Ids, State, TableEntry, TablesById};
use crate::access::{
    Authentication, ControlSnapshot, Grant, GrantedIds, Membership, Privilege, QueryLimits,
    Resource, Role, User, Workgroup,
};
use crate::error::{CatalogError, Result};
use crate::model::{Claim, Database, Parameters, StorageDescriptor, Table};
use crate::partition::{Partition, PartitionKey, Partitions};
use crate::store::OpenWrites;

/// All databases and tables, and the open writes.
pub(super) fn state(connection: &Connection) -> Result<State> {
    let mut databases = BTreeMap::new();
    let mut names = HashMap::new();
    let mut statement = connection.prepare("SELECT id, json FROM databases")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let database = Database {
            id,
            ..serde_json::from_str(&row.get::<_, String>(1)?)?
        };
        names.insert(id, database.name.clone());
        databases.insert(
            database.name.clone(),
            DatabaseEntry {
                database: Arc::new(database),
                tables: BTreeMap::new(),
            },
        );
    }
    let sql = "SELECT tables.id, database_id, tables.json, claimed, by_administrator, outer_claimed, outer_by_administrator, partitions_version, definer_id, statistics.json
               FROM tables LEFT JOIN statistics ON statistics.table_id = tables.id";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let claim = Claim {
            since: row.get(3)?,
            by_administrator: row.get(4)?,
        };
        let outer: Option<i64> = row.get(5)?;
        let outer_by_administrator = row.get(6)?;
        let database_id = row.get(1)?;
        let table = Table {
            database_id,
            definer: row.get(8)?,
            claim,
            outer_claim: outer.map(|since| Claim {
                since,
                by_administrator: outer_by_administrator,
            }),
            ..table(row.get(0)?, &row.get::<_, String>(2)?)?
        };
        let entry = names
            .get(&database_id)
            .and_then(|name| databases.get_mut(name));
        let entry = entry.ok_or_else(|| {
            CatalogError::Storage(format!("table \"{}\" has no database", table.full_name()))
        })?;
        let partitions_version = unsigned(row.get(7)?);
        let statistics = match row.get::<_, Option<String>>(9)? {
            Some(json) => Some(Arc::new(serde_json::from_str(&json)?)),
            None => None,
        };
        let name = table.name.clone();
        let table = Arc::new(table);
        entry.tables.insert(
            name,
            TableEntry {
                table,
                partitions_version,
                statistics,
                analyzed: 0,
            },
        );
    }
    let databases = databases
        .into_iter()
        .map(|(name, entry)| (name, Arc::new(entry)))
        .collect();
    Ok(State {
        version: counter(connection, "catalog")?,
        databases,
        writes: open_writes(connection)?,
        by_id: TablesById::default(),
    })
}

/// The last ids of databases and tables that were ever used.
pub(super) fn ids(connection: &Connection) -> Result<Ids> {
    let last = |table: &str| -> Result<i64> {
        // Without a row nothing has been created yet.
        let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?1";
        Ok(connection.query_row(sql, [table], |row| row.get(0))?)
    };
    Ok(Ids {
        database: last("databases")?,
        table: last("tables")?,
    })
}

/// The writes that are open as the file is opened.
fn open_writes(connection: &Connection) -> Result<OpenWrites> {
    let mut statement = connection.prepare("SELECT number FROM writes")?;
    let open = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<BTreeSet<i64>>>()?;
    let last = signed_counter(connection, "write")?;
    Ok(OpenWrites {
        tag: u32::try_from(signed_counter(connection, "write_tag")?).unwrap_or_default(),
        open: Arc::new(open),
        last,
        issued: Arc::new(AtomicI64::new(last)),
        commits: 0,
    })
}

/// A table from its row.
pub(super) fn table(id: i64, json: &str) -> Result<Table> {
    Ok(Table {
        id,
        ..serde_json::from_str(json)?
    })
}

/// All partitions of a table; `None` if it has been dropped meanwhile.
pub(super) fn partitions(
    connection: &Connection,
    table: &Table,
) -> Result<Option<CachedPartitions>> {
    let sql = "SELECT partitions_version FROM tables WHERE id = ?1";
    let version: i64 = match connection.query_row(sql, [table.id], |row| row.get(0)) {
        Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
        other => other?,
    };
    let mut descriptors: HashMap<i64, Arc<StorageDescriptor>> = HashMap::new();
    let mut statement =
        connection.prepare("SELECT id, json FROM descriptors WHERE table_id = ?1")?;
    let mut rows = statement.query([table.id])?;
    while let Some(row) = rows.next()? {
        descriptors.insert(
            row.get(0)?,
            Arc::new(serde_json::from_str(&row.get::<_, String>(1)?)?),
        );
    }
    let sql = "SELECT vals, location, descriptor_id, parameters, created FROM partitions WHERE table_id = ?1 ORDER BY key";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([table.id])?;
    let mut items = Vec::new();
    // Equal parameters share one allocation.
    let mut shared: HashMap<String, Arc<Parameters>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let descriptor = descriptors.get(&row.get(2)?);
        let storage_descriptor = descriptor.cloned().ok_or_else(|| {
            CatalogError::Storage(format!(
                "a partition of \"{}\" has no storage descriptor",
                table.full_name()
            ))
        })?;
        let location: Option<String> = row.get(1)?;
        let parameters = match row.get::<_, Option<String>>(3)? {
            None => None,
            Some(json) => Some(match shared.get(&json) {
                Some(parameters) => Arc::clone(parameters),
                None => {
                    let parameters: Arc<Parameters> = Arc::new(serde_json::from_str(&json)?);
                    shared.insert(json, Arc::clone(&parameters));
                    parameters
                }
            }),
        };
        items.push(Arc::new(Partition {
            values: values(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
            storage_descriptor,
            parameters,
            creation_time: time(row.get(4)?),
            own_location: location.map(Into::into),
        }));
    }
    let keys = PartitionKey::of_table(table)?;
    let set = Arc::new(Partitions {
        version: unsigned(version),
        keys,
        items,
    });
    Ok(Some(CachedPartitions { set, descriptors }))
}

/// A partition's values from their column.
pub(super) fn values(json: &str) -> Result<Box<[Box<str>]>> {
    Ok(serde_json::from_str(json)?)
}

/// Users, roles, memberships, grants, workgroups, settings and vacated folders.
pub(super) fn control(connection: &Connection) -> Result<ControlSnapshot> {
    let mut snapshot = ControlSnapshot {
        version: counter(connection, "control")?,
        ..ControlSnapshot::default()
    };
    let mut statement = connection
        .prepare("SELECT id, name, kind, verifier, default_workgroup, created, disabled, session_epoch, authentication FROM principals")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name, created) = (row.get(0)?, row.get::<_, String>(1)?, time(row.get(5)?));
        if row.get::<_, String>(2)? == "role" {
            snapshot
                .roles
                .insert(name.clone(), Arc::new(Role { id, name, created }));
        } else {
            let verifier = row.get::<_, String>(3)?.parse()?;
            let method: String = row.get(8)?;
            let authentication = Authentication::of_name(&method).ok_or_else(|| {
                CatalogError::Storage(format!(
                    "user \"{name}\" has the unknown authentication \"{method}\""
                ))
            })?;
            let user = User {
                id,
                name: name.clone(),
                verifier,
                authentication,
                default_workgroup: row.get(4)?,
                disabled: row.get(6)?,
                session_epoch: row.get(7)?,
                created,
            };
            snapshot.users.insert(name, Arc::new(user));
        }
    }
    let sql = "SELECT r.name, m.name FROM memberships s JOIN principals r ON r.id = s.role_id JOIN principals m ON m.id = s.member_id";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        snapshot.memberships.insert(Membership {
            role: row.get(0)?,
            member: row.get(1)?,
        });
    }
    (snapshot.grants, snapshot.granted) = grants(connection)?;
    snapshot.vacated = Arc::new(super::vacated::load(connection)?);
    let sql = "SELECT id, name, description, state, bytes_scanned_cutoff_per_query, created, max_staleness_ms,
                      cpu_time_limit_ms, run_time_limit_ms, rows_returned_limit, bytes_written_limit FROM workgroups";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let workgroup = Workgroup {
            id: row.get(0)?,
            name: row.get(1)?,
            description: row.get(2)?,
            state: row.get::<_, String>(3)?.parse()?,
            bytes_scanned_cutoff_per_query: row.get::<_, Option<i64>>(4)?.map(unsigned),
            created: time(row.get(5)?),
            max_staleness: Duration::from_millis(unsigned(row.get(6)?)),
            limits: QueryLimits {
                cpu_time: optional(row, 7)?.map(Duration::from_millis),
                run_time: optional(row, 8)?.map(Duration::from_millis),
                rows_returned: optional(row, 9)?,
                bytes_written: optional(row, 10)?,
            },
        };
        snapshot
            .workgroups
            .insert(workgroup.name.clone(), Arc::new(workgroup));
    }
    let mut statement = connection.prepare("SELECT key, value FROM settings")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        snapshot.settings.insert(row.get(0)?, row.get(1)?);
    }
    Ok(snapshot)
}

/// All grants with the names of what they are on, and the ids behind the names. A grant on what is
/// gone is left out.
fn grants(connection: &Connection) -> Result<(Vec<Grant>, GrantedIds)> {
    // One of several grantors may have given the grant option.
    let sql = "SELECT p.name, g.kind, g.resource_id, g.column_name, g.location, g.privilege, max(g.grantable),
                      coalesce(d.name, o.name), t.name, w.name
               FROM grants g JOIN principals p ON p.id = g.grantee_id
               LEFT JOIN databases d ON g.kind = 'database' AND d.id = g.resource_id
               LEFT JOIN tables t ON g.kind IN ('table', 'column') AND t.id = g.resource_id
               LEFT JOIN databases o ON o.id = t.database_id
               LEFT JOIN workgroups w ON g.kind = 'workgroup' AND w.id = g.resource_id
               GROUP BY g.grantee_id, g.kind, g.resource_id, g.column_name, g.location, g.privilege";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut grants = BTreeSet::new();
    let mut ids = GrantedIds::default();
    let mut columns: BTreeMap<(String, String, String, bool), BTreeSet<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (grantee, with_grant_option): (String, bool) = (row.get(0)?, row.get(6)?);
        let resource = match GrantedOn::of_row(row)? {
            None => continue,
            Some(GrantedOn::Column { database, table }) => {
                ids.tables
                    .insert((database.clone(), table.clone()), row.get(2)?);
                let table = (grantee, database, table, with_grant_option);
                columns.entry(table).or_default().insert(row.get(3)?);
                continue;
            }
            Some(GrantedOn::Resource(resource)) => resource,
        };
        match &resource {
            Resource::Database(name) => {
                ids.databases.insert(name.clone(), row.get(2)?);
            }
            Resource::Table { database, table } => {
                ids.tables
                    .insert((database.clone(), table.clone()), row.get(2)?);
            }
            _ => {}
        }
        let privilege = row.get::<_, String>(5)?.parse()?;
        grants.insert(Grant {
            grantee,
            resource,
            privilege,
            with_grant_option,
        });
    }
    for ((grantee, database, table, with_grant_option), columns) in columns {
        let resource = Resource::Columns {
            database,
            table,
            columns,
        };
        grants.insert(Grant {
            grantee,
            resource,
            privilege: Privilege::Select,
            with_grant_option,
        });
    }
    Ok((grants.into_iter().collect(), ids))
}

/// What a row of `grants` is on.
enum GrantedOn {
    Resource(Resource),
    /// A column, of which several rows make one grant.
    Column {
        database: String,
        table: String,
    },
}

impl GrantedOn {
    /// `None`: what it was on is gone.
    fn of_row(row: &Row<'_>) -> Result<Option<GrantedOn>> {
        let kind: String = row.get(1)?;
        let database: Option<String> = row.get(7)?;
        let table: Option<String> = row.get(8)?;
        let resource = match (kind.as_str(), database, table) {
            ("catalog", ..) => Resource::Catalog,
            ("location", ..) => Resource::Location(row.get(4)?),
            ("database", Some(database), _) => Resource::Database(database),
            ("table", Some(database), Some(table)) => Resource::Table { database, table },
            ("column", Some(database), Some(table)) => {
                return Ok(Some(GrantedOn::Column { database, table }));
            }
            ("workgroup", ..) => match row.get::<_, Option<String>>(9)? {
                Some(workgroup) => Resource::Workgroup(workgroup),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(GrantedOn::Resource(resource)))
    }
}

fn counter(connection: &Connection, name: &str) -> Result<u64> {
    Ok(unsigned(signed_counter(connection, name)?))
}

/// A number that may be missing.
fn optional(row: &Row<'_>, index: usize) -> Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(unsigned))
}

/// For SQLite, whose integers are signed.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number that is never negative in the file.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A row of `counters`.
pub(super) fn signed_counter(connection: &Connection, name: &str) -> Result<i64> {
    let value = connection.query_row(
        "SELECT value FROM counters WHERE name = ?1",
        [name],
        |row| row.get(0),
    )?;
    Ok(value)
}

/// Milliseconds since 1970.
pub(super) fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}
