//! The part of the catalog visible to a session's principal, as the source of `pg_catalog` and
//! `information_schema`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use arrow::datatypes::Schema;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::error::{DataFusionError, Result as EngineResult};
use lakegate_catalog::access::{ADMINISTRATORS, ColumnSelection, ControlSnapshot};
use lakegate_catalog::model::names::TEMPORARY_SCHEMA;
use lakegate_catalog::model::{Table, TableStatistics, ViewDefinition};
use lakegate_dialect::postgres::pg_catalog::type_name;
use lakegate_dialect::visible::{
    Backend, BackendEncryption, CatalogSource, MeasuredColumn, Needs, TableKind, TablePrivileges,
    VisibleCatalog, VisibleColumn, VisibleDatabase, VisibleRole, VisibleTable,
};
use lakegate_engine::CATALOG;
use lakegate_error::{Code, Result};
use lakegate_lake::table::table_schema;
use lakegate_policy::{TEMPORARY_DATABASE, TemporaryRows, Visible};
use uuid::Uuid;

use crate::moment::Moment;
use crate::session::Session;
use crate::session::activity::Activity;
use crate::telemetry::system::queries_schema;
use crate::{Gateway, TransactionStatus};

/// Built-in databases and tables have negative ids.
const SYSTEM_DATABASE: i64 = -1;
const QUERIES_TABLE: i64 = -1;

/// The first OID of users and roles, whose ids come from one sequence.
const FIRST_ROLE: i64 = 16_384;

/// The catalog as visible to one session.
pub(crate) struct SessionCatalog {
    pub session: Weak<Session>,
    pub gateway: Arc<Gateway>,
    pub moment: Moment,
    /// The names of all tables, once the statement has asked for them. Functions and relations ask
    /// for the same.
    pub names: OnceLock<Arc<VisibleCatalog>>,
}

impl fmt::Debug for SessionCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCatalog")
            .field("user", &self.moment.access().user())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CatalogSource for SessionCatalog {
    async fn visible(&self, needs: &Needs) -> EngineResult<Arc<VisibleCatalog>> {
        let all_names = *needs == Needs::default();
        if let Some(names) = self.names.get().filter(|_| all_names) {
            return Ok(Arc::clone(names));
        }
        let collected = self.collect(needs).await;
        let visible = collected.map(Arc::new).map_err(DataFusionError::from)?;
        if all_names {
            // Another part of the plan may have asked at the same time.
            let _ = self.names.set(Arc::clone(&visible));
        }
        Ok(visible)
    }
}

impl SessionCatalog {
    /// Collects the visible part of the catalog, with the details in `needs`.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn collect(&self, needs: &Needs) -> Result<VisibleCatalog> {
        let access = self.moment.access();
        let of_ids = match &needs.tables.table_ids {
            Some(ids) if !ids.is_empty() => Some(self.moment.view.tables_of_ids(ids).await?),
            _ => None,
        };
        let mut databases = Vec::new();
        for database in self.moment.view.databases().await? {
            let tables = match needs.tables.admit_database(&database.name, database.id) {
                true => match self.tables(&database.name, needs, of_ids.as_deref()).await {
                    // It was dropped meanwhile.
                    Err(error) if error.code() == Code::SchemaNotFound => continue,
                    tables => tables?,
                },
                false => Vec::new(),
            };
            databases.push(VisibleDatabase {
                id: database.id,
                name: database.name.clone(),
                comment: database.description.clone(),
                can_create: access.can_create_table(&database.name),
                temporary: false,
                tables,
            });
        }
        if !self.moment.view.temporary.is_empty() {
            databases.push(self.temporary_database(needs)?);
        }
        databases.push(system_database(needs));
        let own = self.session.upgrade().filter(|_| needs.own);
        let (prepared, cursors) = own.map(|session| session.kept()).unwrap_or_default();
        Ok(VisibleCatalog {
            catalog: CATALOG.to_owned(),
            principal: access.user().to_owned(),
            is_admin: access.is_administrator(),
            roles: self.roles(self.moment.control()),
            databases,
            activity: if needs.activity {
                self.activity()
            } else {
                Vec::new()
            },
            prepared,
            cursors,
        })
    }

    /// Returns the tables of a database that are visible and needed. `of_ids`: the tables of all
    /// databases that have the ids that are needed, if only these are.
    async fn tables(
        &self,
        database: &str,
        needs: &Needs,
        of_ids: Option<&[Visible]>,
    ) -> Result<Vec<VisibleTable>> {
        let view = &self.moment.view;
        let wanted = |table: &Table| needs.tables.admit(database, &table.name, table.id);
        let mut found = Vec::new();
        match (of_ids, needs.tables.table_names()) {
            (Some(of_ids), _) => {
                let of_ids = of_ids.iter().filter(|visible| {
                    visible.table.database_name == database && wanted(&visible.table)
                });
                found.extend(of_ids.cloned());
            }
            (None, Some(names)) => {
                for name in names {
                    let visible = view.table(database, name).await?;
                    // A name in upper case finds the table too.
                    found.extend(
                        visible.filter(|visible| {
                            visible.table.name == *name && wanted(&visible.table)
                        }),
                    );
                }
            }
            (None, None) => found = view.tables_where(database, &wanted).await?,
        }
        let mut tables = Vec::with_capacity(found.len());
        for visible in found {
            let table = &visible.table;
            let with_columns = needs.columns.wants(database, &table.name, table.id);
            let known = match needs.row_counts || with_columns {
                true => view.metastore.table_statistics(table).await?,
                false => None,
            };
            tables.push(describe(&visible, known.as_deref(), with_columns)?);
        }
        Ok(tables)
    }

    /// Returns the schema of the session's temporary tables and views.
    fn temporary_database(&self, needs: &Needs) -> Result<VisibleDatabase> {
        let temporary = &self.moment.view.temporary;
        let mut tables = Vec::new();
        if needs
            .tables
            .admit_database(TEMPORARY_SCHEMA, TEMPORARY_DATABASE)
        {
            for relation in temporary.relations() {
                let table = &relation.table;
                if !needs.tables.admit(TEMPORARY_SCHEMA, &table.name, table.id) {
                    continue;
                }
                let with_columns = needs.columns.wants(TEMPORARY_SCHEMA, &table.name, table.id);
                let described = describe(&relation.visible(), None, with_columns)?;
                tables.push(VisibleTable {
                    row_count: relation.rows.as_ref().map(TemporaryRows::count),
                    ..described
                });
            }
        }
        Ok(VisibleDatabase {
            id: TEMPORARY_DATABASE,
            name: TEMPORARY_SCHEMA.to_owned(),
            comment: None,
            can_create: true,
            temporary: true,
            tables,
        })
    }

    /// Returns all users and roles for an administrator, and otherwise the user and the roles that
    /// it belongs to.
    fn roles(&self, control: &ControlSnapshot) -> Vec<VisibleRole> {
        let access = self.moment.access();
        let shown = |name: &str| {
            access.is_administrator() || name == access.user() || access.roles().contains(name)
        };
        let oid_of = |name: &str| {
            let id = control
                .users
                .get(name)
                .map(|user| user.id)
                .or_else(|| control.roles.get(name).map(|role| role.id));
            id.map(|id| FIRST_ROLE + id)
        };
        let role = |name: &str, is_user: bool| VisibleRole {
            oid: oid_of(name).unwrap_or(FIRST_ROLE),
            name: name.to_owned(),
            is_user,
            is_admin: name == ADMINISTRATORS || control.roles_of(name).contains(ADMINISTRATORS),
            can_login: is_user,
            member_of: control
                .memberships
                .iter()
                .filter(|membership| membership.member == name && shown(&membership.role))
                .filter_map(|membership| oid_of(&membership.role))
                .collect(),
        };
        let users = control
            .users
            .keys()
            .filter(|name| shown(name))
            .map(|name| role(name, true));
        let roles = control
            .roles
            .keys()
            .filter(|name| shown(name))
            .map(|name| role(name, false));
        users.chain(roles).collect()
    }

    /// Returns all sessions for an administrator, and otherwise those of the principal.
    fn activity(&self) -> Vec<Backend> {
        let access = self.moment.access();
        let own = self.session.upgrade();
        let mine = own.as_ref().map(|session| session.backend_pid());
        let mine_is = |session: &Session| {
            own.as_ref()
                .is_some_and(|own| own.principal().id() == session.principal().id())
        };
        let mut sessions = self.gateway.sessions();
        sessions.retain(|session| session.is_shown());
        sessions.retain(|session| access.is_administrator() || mine_is(session.as_ref()));
        sessions
            .iter()
            .map(|session| session.backend(mine == Some(session.backend_pid())))
            .collect()
    }
}

impl Session {
    /// Returns the session's row of `pg_stat_activity`.
    fn backend(&self, asks_itself: bool) -> Backend {
        let Activity {
            state,
            block_began,
            query,
        } = self.activity();
        let runs = query.as_ref().filter(|query| query.completed_at.is_none());
        let (active, queued) = (
            asks_itself || runs.is_some(),
            runs.is_some_and(|query| query.queued),
        );
        let shown = match (active, state) {
            (true, _) => "active",
            (false, TransactionStatus::Idle) => "idle",
            (false, TransactionStatus::InTransaction) => "idle in transaction",
            (false, TransactionStatus::Failed) => "idle in transaction (aborted)",
        };
        // PostgreSQL's own kinds of waiting; a queue is none of them.
        let waits_for = match (active, queued) {
            (false, _) => Some(("Client", "ClientRead")),
            (true, true) => Some(("Extension", "QueryQueue")),
            (true, false) => None,
        };
        let submitted_at = query.as_ref().map(|query| query.submitted_at);
        let completed_at = query.as_ref().and_then(|query| query.completed_at);
        let changed_at = match active {
            true => submitted_at,
            false => completed_at.max(block_began),
        };
        let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
        Backend {
            pid: self.backend_pid(),
            user: self.user().to_owned(),
            application: self.settings().application_name(),
            client_addr: Some(self.client_addr().ip().to_string()),
            client_port: Some(i32::from(self.client_addr().port())),
            state: shown.to_owned(),
            waits_for,
            query_id: query.as_ref().map(|query| number_of(query.id)),
            query: query.map(|query| query.text).unwrap_or_default(),
            backend_start: micros(Some(self.opened_at())),
            xact_start: micros(block_began.or(submitted_at.filter(|_| active))),
            query_start: micros(submitted_at),
            state_change: micros(changed_at.or(Some(self.opened_at()))),
            encryption: self.encryption().map(|encryption| BackendEncryption {
                version: encryption.version.clone(),
                cipher: encryption.cipher.clone(),
                bits: encryption.bits,
            }),
        }
    }
}

/// Returns the random half of a query's id, which has more bits than PostgreSQL's.
fn number_of(query: Uuid) -> i64 {
    let (_, random) = query.as_u64_pair();
    i64::from_be_bytes(random.to_be_bytes())
}

/// `known`: what ANALYZE found of the table.
fn describe(
    visible: &Visible,
    known: Option<&TableStatistics>,
    with_columns: bool,
) -> Result<VisibleTable> {
    let (table, access) = (&visible.table, &visible.access);
    let mut described = VisibleTable {
        id: table.id,
        name: table.name.clone(),
        kind: if table.is_view() {
            TableKind::View
        } else {
            TableKind::Table
        },
        comment: table.description.clone().or_else(|| {
            let comment = table.parameters.get("comment")?;
            // Not a comment, but the mark of a view in Presto's form.
            let is_mark = table.is_view() && comment == "Presto View";
            (!is_mark).then(|| comment.clone())
        }),
        definition: None,
        columns: Vec::new(),
        privileges: TablePrivileges {
            select: access.selects_any(),
            insert: access.insert,
            update: false,
            delete: access.delete,
        },
        row_count: None,
        file_bytes: None,
    };
    // Files have the values of all columns.
    if matches!(access.select, ColumnSelection::All) && !visible.withheld {
        described.file_bytes = known.map(|known| known.file_bytes);
    }
    if described.privileges.select {
        described.row_count = known.map(|known| known.row_count);
    }
    if with_columns {
        let schema = table_schema(table)?;
        let view = match table.is_view() {
            // A definition that cannot be read is reported where the view is queried.
            true => ViewDefinition::of(table).ok(),
            false => None,
        };
        let beyond_hive = |name: &str| {
            let mut columns = view.iter().flat_map(|view| &view.columns);
            let column = columns.find(|column| column.name.eq_ignore_ascii_case(name))?;
            column.beyond_hive()
        };
        let measured = known.map(measured).unwrap_or_default();
        let data_columns = table.storage_descriptor.columns.len();
        for (index, (column, field)) in table.columns().zip(schema.fields()).enumerate() {
            if access.sees_all() || access.is_visible(&column.name) {
                let selectable = access.select.contains(&column.name);
                described.columns.push(VisibleColumn {
                    name: column.name.clone(),
                    data_type: beyond_hive(&column.name)
                        .unwrap_or_else(|| field.data_type().clone()),
                    hive_type: column.data_type.clone(),
                    comment: column.comment.clone(),
                    partition_key: index >= data_columns,
                    required: column.is_required(),
                    selectable,
                    measured: measured
                        .get(column.name.as_str())
                        .filter(|_| selectable)
                        .copied(),
                });
            }
        }
        described.definition = view
            .filter(|_| visible.shows_definition())
            .map(|view| view.sql);
    }
    Ok(described)
}

/// Returns what is known of columns, by name.
fn measured(known: &TableStatistics) -> HashMap<&str, MeasuredColumn> {
    let rows = known.row_count.max(1) as f64;
    let columns = known.columns.iter();
    let measured = columns.map(|found| {
        let measured = MeasuredColumn {
            null_fraction: (found.nulls() as f64 / rows).min(1.0),
            average_length: found.average_length(),
            distinct_values: found.distinct_values(),
        };
        (found.column_name.as_str(), measured)
    });
    measured.collect()
}

/// Returns the query of a view with these columns and no rows: what `pg_dump` writes for a view that is
/// made by the server.
fn shape_of(schema: &Schema) -> String {
    let columns = schema.fields().iter();
    let columns = columns.map(|field| format!("NULL::{} AS {}", type_name(field), field.name()));
    let columns: Vec<String> = columns.collect();
    format!("SELECT {} WHERE false", columns.join(", "))
}

/// Returns the schema `system`, which every user sees.
fn system_database(needs: &Needs) -> VisibleDatabase {
    let mut queries = VisibleTable {
        id: QUERIES_TABLE,
        name: "queries".to_owned(),
        kind: TableKind::View,
        comment: Some("Running and finished queries with their usage".to_owned()),
        privileges: TablePrivileges {
            select: true,
            ..TablePrivileges::default()
        },
        ..VisibleTable::default()
    };
    if needs.columns.wants("system", "queries", QUERIES_TABLE) {
        let schema = queries_schema();
        queries.definition = Some(shape_of(&schema));
        queries.columns = schema
            .fields()
            .iter()
            .map(|field| VisibleColumn {
                name: field.name().clone(),
                data_type: field.data_type().clone(),
                hive_type: lakegate_lake::type_name(field.data_type()),
                comment: None,
                partition_key: false,
                required: false,
                selectable: true,
                measured: None,
            })
            .collect();
    }
    VisibleDatabase {
        id: SYSTEM_DATABASE,
        name: "system".to_owned(),
        comment: Some("What Lakegate reports about itself".to_owned()),
        can_create: false,
        temporary: false,
        tables: vec![queries],
    }
}
