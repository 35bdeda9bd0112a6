//! The only entry point to the engine. An endpoint translates its protocol to calls of [`Gateway`]
//! and [`Session`], and record batches back to its protocol. Rules enforced here therefore hold for
//! every protocol.

mod auth;
pub mod detached;
mod moment;
mod query;
pub mod results;
mod session;
pub mod telemetry;
pub mod values;
pub mod workgroup;
mod write;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
pub use auth::jwt::{Algorithms, Audience, Jwt, JwtConfig, JwtKeys, is_jwt};
pub use auth::{ClientIdentity, Credentials, LoginMethod, Principal, ScramAttempt, unknown_token};
use auth::{Passwords, Throttle};
use chrono::{DateTime, Utc};
pub use detached::DetachedLimits;
use lakegate_catalog::store::{Control, Coordinator, Metastore, Stores, WriteLog};
use lakegate_dialect::Dialect;
pub use lakegate_dialect::library;
pub use lakegate_dialect::postgres::Settings;
pub use lakegate_engine::CATALOG;
use lakegate_engine::{CpuRuntime, Engine, SessionsMemory};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::format::parquet::{ColumnCache, FooterCache};
use lakegate_lake::roots::Roots;
use lakegate_lake::table::LakeTables;
use lakegate_lake::table::folders::Folders;
use lakegate_policy::snapshots::SnapshotPlan;
pub use lakegate_sql as sql;
pub use lakegate_statement::{IfExists, IfMissing, WriteRequest};
use parking_lot::Mutex;
pub use query::life::BatchStream;
pub use query::origins::{Origin, TextLength};
pub use query::parameter_marks::Marks;
pub use query::running::RunningQueries;
pub use query::source::QuerySource;
pub use query::stalled::client_stalled;
pub use query::substrait::substrait_versions;
pub use query::watch::QueryWatch;
use rand::{Rng, RngCore};
pub use session::Session;
use session::connections::Connections;
pub use session::connections::{ConnectionLimits, ConnectionSlot};
pub use session::grants::Grants;
pub use session::metadata::{Relation, RelationFilter, RelationKind};
pub use session::options::OptionError;
pub use session::prepared::{Prepared, check_weight};
pub use session::transaction::TransactionStatus;
pub use session::warnings::{Level, Warning};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
pub use write::copy::CopyIn;
pub use write::ingest::Ingestion;

use crate::query::life::Query;
use crate::query::plan_space::PlanSpace;
use crate::results::ResultCache;
use crate::telemetry::events::QueryEvents;
use crate::telemetry::history::History;
use crate::workgroup::{AdmissionLimits, PerUser, QueryPermit, Queue, Queues};

/// How the connection of a session is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Such as `TLSv1.3`.
    pub version: String,
    pub cipher: String,
    /// The length of the cipher's key.
    pub bits: i32,
}

/// The protocol that a session was opened through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Postgres,
    FlightSql,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Postgres => "postgres",
            Protocol::FlightSql => "flight_sql",
        }
    }

    /// Returns the dialect that sessions of this protocol start with.
    fn dialect(self) -> Dialect {
        match self {
            Protocol::Postgres | Protocol::FlightSql => Dialect::Postgres,
        }
    }
}

/// An authenticated client that opens a session.
#[derive(Debug, Clone)]
pub struct Login<'a> {
    pub principal: &'a Principal,
    /// The catalog, or a database that becomes the search path.
    pub database: Option<&'a str>,
    pub application_name: Option<&'a str>,
    pub client_addr: SocketAddr,
    /// `None` for a plain connection.
    pub encryption: Option<Encryption>,
    pub protocol: Protocol,
    /// Bytes of the key with which the client may cancel its query from another connection; 0 if
    /// the protocol has no such key.
    pub cancel_key_bytes: usize,
    /// Whether later calls can use this session. If not, statements that change session state fail.
    pub stateful: bool,
}

/// The outcome of a statement.
#[derive(Debug)]
pub enum Execution {
    Rows(Rows),
    Command {
        /// The command tag without the row count, such as `CREATE TABLE`.
        tag: String,
        rows: Option<u64>,
    },
}

/// A stream of result rows. Dropping it cancels the query.
pub struct Rows {
    pub schema: SchemaRef,
    /// The columns of tables that the columns are. Empty if that is not known.
    pub origins: Arc<[Option<Origin>]>,
    /// `SELECT`, `FETCH`, `SHOW`, `EXPLAIN` …
    pub tag: &'static str,
    pub stream: BatchStream,
    pub query_id: Option<Uuid>,
    /// The query that produces the rows; `None` for SHOW, FETCH and the like.
    pub query: Option<QueryWatch>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("schema", &self.schema)
            .field("tag", &self.tag)
            .field("query_id", &self.query_id)
            .finish_non_exhaustive()
    }
}

/// A task on the query threads. Dropping it aborts the task.
pub type Work = AbortOnDropHandle<()>;

/// The parts that a [`Gateway`] is built from.
#[derive(Debug)]
pub struct GatewayParts {
    pub engine: Engine,
    pub roots: Arc<Roots>,
    pub footers: FooterCache,
    /// Columns of files that are read often.
    pub hot: ColumnCache,
    pub stores: Stores,
    pub results: Arc<ResultCache>,
    /// Limits on concurrent and queued queries over the lake.
    pub admission: AdmissionLimits,
    pub history: Arc<History>,
    /// Validates the tokens of an identity provider, if one is configured.
    pub jwt: Option<Jwt>,
    pub connections: ConnectionLimits,
    /// Limits on the resources of queries that run without a client.
    pub detached: DetachedLimits,
    /// How long a query that holds a permit waits for a client that stopped reading or sending.
    pub max_stall: Duration,
    pub max_statistics_files: usize,
    /// The time limit for planning a statement. Planning that takes longer fails.
    pub max_planning_time: Duration,
    /// The maximum size of a row of a text file, in bytes after decompression.
    pub max_row_bytes: usize,
    /// The maximum bytes of the temporary tables of one session.
    pub temporary_memory: usize,
    /// The maximum resident memory of the process, in bytes.
    pub process_memory_limit: u64,
}

/// The server's state, and the only entry point for endpoints. One for each process.
#[derive(Debug)]
pub struct Gateway {
    engine: Engine,
    roots: Arc<Roots>,
    footers: FooterCache,
    hot: ColumnCache,
    tables: LakeTables,
    folders: Folders,
    metastore: Arc<dyn Metastore>,
    write_log: Arc<dyn WriteLog>,
    control: Arc<dyn Control>,
    coordinator: Arc<dyn Coordinator>,
    results: Arc<ResultCache>,
    queues: Arc<Queues>,
    events: Arc<QueryEvents>,
    planning_permits: PerUser,
    plans: Arc<PlanSpace>,
    max_planning_time: Duration,
    history: Arc<History>,
    max_statistics_files: usize,
    max_row_bytes: usize,
    max_stall: Duration,
    connections: Arc<Connections>,
    detached: detached::Detached,
    temporary: Arc<SessionsMemory>,
    memory: query::memory::MemoryGuard,
    sessions: Mutex<HashMap<i32, std::sync::Weak<Session>>>,
    running: Arc<RunningQueries>,
    throttle: Throttle,
    passwords: Passwords,
    jwt: Option<Jwt>,
    closing: CancellationToken,
    started_at: DateTime<Utc>,
}

impl Gateway {
    /// Makes the gateway of its parts. It accepts sessions at once.
    pub fn new(parts: GatewayParts) -> Arc<Self> {
        let folders = Folders::new(Arc::clone(&parts.roots));
        let detached = detached::Detached::new(parts.detached, parts.engine.space());
        let temporary = SessionsMemory::new(parts.engine.space(), parts.temporary_memory);
        Arc::new(Self {
            engine: parts.engine,
            roots: parts.roots,
            footers: parts.footers,
            hot: parts.hot,
            tables: LakeTables::default(),
            folders,
            metastore: parts.stores.metastore,
            write_log: parts.stores.write_log,
            control: parts.stores.control,
            coordinator: parts.stores.coordinator,
            results: parts.results,
            queues: Arc::new(Queues::new(parts.admission)),
            events: Arc::new(QueryEvents::new(vec![Arc::clone(&parts.history) as _])),
            planning_permits: PerUser::new(query::planners::PERMITS_OF_USER),
            plans: Arc::default(),
            max_planning_time: parts.max_planning_time,
            history: parts.history,
            max_statistics_files: parts.max_statistics_files,
            max_row_bytes: parts.max_row_bytes,
            max_stall: parts.max_stall,
            connections: Connections::new(parts.connections),
            detached,
            temporary,
            memory: query::memory::MemoryGuard::new(parts.process_memory_limit),
            sessions: Mutex::default(),
            running: Arc::default(),
            throttle: Throttle::default(),
            passwords: Passwords::new(),
            jwt: parts.jwt,
            closing: CancellationToken::new(),
            started_at: Utc::now(),
        })
    }

    /// Starts to enforce the limits of workgroups on queries, and `max_stall` on clients.
    ///
    /// # Errors
    /// The watchdog thread cannot be started.
    pub fn enforce_limits(&self) -> Result<()> {
        query::watchdog::watch(&self.running, self.max_stall)
    }

    /// Returns the maximum bytes of the memory that queries share.
    pub fn memory_limit(&self) -> usize {
        self.engine.space().memory_limit()
    }

    /// Opens a session for an authenticated user.
    ///
    /// # Errors
    /// The database does not exist or is not visible to the user; the server is shutting down.
    pub fn connect<'a>(
        self: &'a Arc<Self>,
        login: Login<'a>,
    ) -> BoxFuture<'a, Result<Arc<Session>>> {
        async move {
            if self.closing.is_cancelled() {
                return Err(Error::new(
                    Code::StartingUp,
                    "the database system is shutting down",
                ));
            }
            let session = {
                let mut sessions = self.sessions.lock();
                let mut random = rand::rng();
                let mut pid: i32 = random.random_range(1..i32::MAX);
                while sessions
                    .get(&pid)
                    .is_some_and(|known| known.strong_count() > 0)
                {
                    pid = random.random_range(1..i32::MAX);
                }
                let mut secret = vec![0; login.cancel_key_bytes];
                random.fill_bytes(&mut secret);
                let session = Session::open(Arc::clone(self), &login, pid, secret)?;
                sessions.insert(pid, Arc::downgrade(&session));
                session
            };
            session.use_database_of_login(login.database).await?;
            Ok(session)
        }
        .boxed()
    }

    /// Cancels the running query of the session with this key. A wrong key has no effect, and takes
    /// as long.
    pub fn cancel(&self, pid: i32, secret: &[u8]) {
        if let Some(session) = self.session_of(pid)
            && session.has_secret(secret)
        {
            session.cancel();
        }
    }

    /// Returns the session with this process id.
    fn session_of(&self, pid: i32) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock();
        sessions.get(&pid).and_then(std::sync::Weak::upgrade)
    }

    fn forget(&self, pid: i32) {
        self.sessions.lock().remove(&pid);
    }

    /// Returns the open sessions.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions
            .lock()
            .values()
            .filter_map(std::sync::Weak::upgrade)
            .collect()
    }

    /// Rejects new sessions and new queries from now on.
    pub fn begin_shutdown(&self) {
        self.closing.cancel();
    }

    /// Spawns CPU-bound work on the query threads. It runs until it is done or the returned handle
    /// is dropped. Returns `None`, and drops the work, if the threads no longer accept any.
    pub fn spawn_work(&self, work: impl Future<Output = ()> + Send + 'static) -> Option<Work> {
        self.engine.cpu().spawn(work).map(AbortOnDropHandle::new)
    }

    /// Returns whether new sessions and new queries are rejected.
    pub fn is_shutting_down(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// The queries that have not ended.
    pub fn running(&self) -> &Arc<RunningQueries> {
        &self.running
    }

    /// The record of all queries, `system.queries`.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }
}

/// What the modules of this crate share.
impl Gateway {
    /// Waits until the query may run.
    ///
    /// # Errors
    /// The queue is full; too little memory is free for another query over the lake.
    async fn admit(&self, query: &Query, queue: Queue) -> Result<QueryPermit> {
        if queue != Queue::System {
            self.memory.check(&self.running).await?;
        }
        query.resources.admit(queue, &query.principal().user).await
    }

    /// Returns the threads that a query runs on.
    fn threads(&self, query: &SnapshotPlan) -> &CpuRuntime {
        if query.system_only {
            self.engine.catalog_cpu()
        } else {
            self.engine.cpu()
        }
    }
}
