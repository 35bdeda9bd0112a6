//! Opens everything that a configuration names, serves on all doors, and drains when told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lakegate_catalog::store::{Control, SqliteStore};
use lakegate_config::bytes;
use lakegate_engine::{Engine, EngineOptions, machine};
use lakegate_error::{Code, Error, Result};
use lakegate_flight::FlightOptions;
use lakegate_gateway::results::ResultCache;
use lakegate_gateway::telemetry::history::History;
use lakegate_gateway::workgroup::AdmissionLimits;
use lakegate_gateway::{ConnectionLimits, DetachedLimits, Gateway, GatewayParts, Jwt};
use lakegate_http::HttpOptions;
use lakegate_lake::format::parquet::{ColumnCache, FooterCache};
use lakegate_lake::roots::{Backing, Roots, s3};
use lakegate_postgres::PostgresOptions;
use lakegate_transport::tls::{ClientAuth, ClientCertificates, ClientTrust, Tls};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection_file::{ConnectionFile, HostPort, HttpDoor};
use super::password::{private_dir, random_password, write_secret_file};
use crate::config::{Config, ResultsConfig};

/// Everything that serves, opened and not yet listening.
#[derive(Debug)]
pub(super) struct Server {
    pub gateway: Arc<Gateway>,
    pub control: Arc<dyn Control>,
    tls: Arc<Tls>,
    /// The authorities that sign clients' certificates.
    clients: Option<Arc<ClientTrust>>,
    config: Config,
}

/// The catalog's file in the state directory.
pub(super) fn catalog_file(state_dir: &Path) -> PathBuf {
    state_dir.join("catalog.db")
}

impl Server {
    pub(super) async fn open(config: Config) -> Result<Self> {
        let state = &config.server.state_dir;
        private_dir(state)?;
        let stores = SqliteStore::open(catalog_file(state))?.stores();
        let control = Arc::clone(&stores.control);
        let threads = config
            .engine
            .threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, Into::into));
        let machine = machine::memory();
        let memory = config
            .engine
            .memory_limit
            .map_or(machine / 5 * 3, |size| size.as_u64());
        let of_process = config
            .engine
            .process_memory_limit
            .map_or(machine / 20 * 17, |size| size.as_u64());
        let spill_dir = config
            .engine
            .spill_dir
            .clone()
            .unwrap_or_else(|| state.join("spill"));
        clear_spill(&spill_dir)?;
        let engine = Engine::open(
            &EngineOptions {
                memory_limit: usize::try_from(memory).unwrap_or(usize::MAX),
                spill_dir,
                spill_limit: config.engine.spill_limit.as_u64(),
                threads,
                batch_size: config.engine.batch_size,
            },
            lakegate_gateway::library(),
        )?;
        let gateway = Gateway::new(GatewayParts {
            engine,
            roots: Arc::new(open_roots(&config).await?),
            footers: FooterCache::new(config.engine.footer_cache.as_u64()),
            hot: ColumnCache::new(
                config
                    .engine
                    .column_cache
                    .map_or(memory / 8, |size| size.as_u64()),
            ),
            stores,
            results: ResultCache::new(
                config.results.cache_size.as_u64(),
                bytes(config.results.max_entry_size),
            ),
            admission: admission(&config, threads),
            history: History::open(&state.join("history.db"), config.history.retention)?,
            jwt: match &config.auth.jwt {
                Some(jwt) => Some(Jwt::open(jwt.clone()).await?),
                None => None,
            },
            connections: ConnectionLimits {
                all: config.server.max_connections,
                reserved: config.server.reserved_connections(),
                per_user: config.server.max_connections_per_user(),
            },
            detached: detached_limits(&config.results),
            max_stall: config.queries.max_stall,
            max_statistics_files: config.engine.max_statistics_files,
            max_planning_time: config.queries.max_planning_time,
            max_row_bytes: bytes(config.lake.max_row_size),
            temporary_memory: bytes(config.engine.temporary_memory),
            process_memory_limit: of_process,
        });
        gateway.watch_memory()?;
        gateway.start_sweeper();
        gateway.recover_writes().await?;
        gateway.enforce_limits()?;
        let tls = match (&config.tls.cert_file, &config.tls.key_file) {
            (Some(certificate), Some(key)) => Tls::from_files(certificate, key)?,
            _ => Tls::generated(state, &config.tls.host_names)?,
        };
        let clients = match &config.tls.client_ca_file {
            Some(ca_file) => Some(ClientTrust::open(
                ca_file.clone(),
                config.tls.client_crl_file.clone(),
                config.tls.client_user,
            )?),
            None => None,
        };
        Ok(Self {
            gateway,
            control,
            tls,
            clients,
            config,
        })
    }

    /// At the first start of a lake, makes its administrator and leaves the password in a file of the state directory.
    pub(super) async fn first_start(&self) -> Result<()> {
        if !self.control.snapshot().users.is_empty() {
            return Ok(());
        }
        let password = random_password();
        let file = self.config.server.state_dir.join("initial-admin-password");
        write_secret_file(&file, &format!("{password}\n"))?;
        self.gateway
            .create_administrator("admin", &password)
            .await?;
        tracing::info!(file = %file.display(), "first start: user 'admin' was created; its password is in the file, change it with ALTER USER");
        Ok(())
    }

    fn clients_of(&self, wanted: ClientCertificates) -> Option<ClientAuth> {
        let trust = Arc::clone(self.clients.as_ref()?);
        let required = match wanted {
            ClientCertificates::Off => return None,
            ClientCertificates::Optional => false,
            ClientCertificates::Required => true,
        };
        Some(ClientAuth { trust, required })
    }

    fn flight_options(&self) -> FlightOptions {
        let config = &self.config.flight;
        FlightOptions {
            clients: self.clients_of(config.client_certificates),
            config: config.clone(),
            stall_timeout: self.config.queries.max_stall,
            ..FlightOptions::default()
        }
    }

    fn http_options(&self) -> HttpOptions {
        HttpOptions {
            config: self.config.http.clone(),
            ..HttpOptions::default()
        }
    }

    /// Serves until SIGTERM or SIGINT, then lets running queries end within the grace period.
    ///
    /// `ready` is called with how to connect, once all doors accept connections.
    pub(super) async fn serve(
        self,
        ready: impl FnOnce(ConnectionFile) -> Result<()>,
    ) -> Result<()> {
        let mut connection = ConnectionFile::new();
        let stop = CancellationToken::new();
        let mut doors: JoinSet<()> = JoinSet::new();
        connection.tls.ca_file = self
            .tls
            .ca_file()
            .map(|file| file.canonicalize().unwrap_or(file));
        let shared = || {
            let tls = Some(Arc::clone(&self.tls));
            (Arc::clone(&self.gateway), tls, stop.clone())
        };
        if let Some(address) = self.config.postgres.listen.0 {
            let listener = listen("postgres", address).await?;
            connection.postgres = Some(host_port(&listener)?);
            let options = PostgresOptions {
                clients: self.clients_of(self.config.postgres.client_certificates),
                config: self.config.postgres.clone(),
                ..PostgresOptions::default()
            };
            let (gateway, tls, stop) = shared();
            doors.spawn(lakegate_postgres::serve(
                listener, gateway, tls, options, stop,
            ));
        }
        if let Some(address) = self.config.flight.listen.0 {
            let listener = listen("flight", address).await?;
            connection.flight = Some(host_port(&listener)?);
            let options = self.flight_options();
            let (gateway, tls, stop) = shared();
            doors.spawn(lakegate_flight::serve(
                listener, gateway, tls, options, stop,
            ));
        }
        if let Some(address) = self.config.http.listen.0 {
            let listener = listen("http", address).await?;
            let at = host_port(&listener)?;
            connection.http = Some(HttpDoor {
                url: format!("http://{}:{}", at.host, at.port),
            });
            let options = self.http_options();
            let (gateway, tls, stop) = shared();
            doors.spawn(lakegate_http::serve(listener, gateway, tls, options, stop));
        }
        let mut terminate = signal(SignalKind::terminate()).map_err(signal_failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(signal_failed)?;
        ready(connection)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            Some(ended) = doors.join_next() => {
                ended.map_err(|e| Error::internal(format!("an endpoint failed: {e}")))?;
            }
        }
        tracing::info!(running = self.gateway.running().len(), "shutting down");
        self.gateway.begin_shutdown();
        // Told to stop a second time, it does not wait.
        let drained = tokio::select! {
            drained = tokio::time::timeout(self.config.server.grace_period, self.gateway.running().drained()) => drained.is_ok(),
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
        };
        if !drained {
            self.gateway.running().cancel_all(&Error::new(
                Code::ShuttingDown,
                "terminating connection due to administrator command",
            ));
        }
        stop.cancel();
        // Each door cuts off the connections that do not close in time.
        while doors.join_next().await.is_some() {}
        self.gateway.history().flush();
        Ok(())
    }
}

fn admission(config: &Config, threads: usize) -> AdmissionLimits {
    let queries = &config.queries;
    let running = queries.max_concurrent.unwrap_or(threads * 4);
    let shared = AdmissionLimits::shared(running, queries.max_queued);
    AdmissionLimits {
        running_per_user: queries
            .max_concurrent_per_user
            .unwrap_or(shared.running_per_user),
        ..shared
    }
}

fn detached_limits(results: &ResultsConfig) -> DetachedLimits {
    DetachedLimits {
        memory_per_result: bytes(results.stored_memory),
        memory_per_user: bytes(results.stored_memory_per_user),
        bytes_per_result: results.max_stored_size.as_u64(),
        bytes_per_user: results.max_stored_size_per_user.as_u64(),
        runs_per_user: DetachedLimits::RUNS_PER_USER,
        runs: DetachedLimits::RUNS,
    }
}

fn signal_failed(error: std::io::Error) -> Error {
    Error::internal(format!("signals cannot be received: {error}"))
}

async fn listen(door: &str, address: std::net::SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        Error::invalid(format!(
            "the endpoint {door} cannot listen on {address}: {e}"
        ))
    })
}

fn host_port(listener: &TcpListener) -> Result<HostPort> {
    let address = listener
        .local_addr()
        .map_err(|e| Error::internal(e.to_string()))?;
    Ok(HostPort {
        host: address.ip().to_string(),
        port: address.port(),
    })
}

/// Removes what a server that was killed had spilled.
fn clear_spill(dir: &Path) -> Result<()> {
    private_dir(dir)?;
    let entries = std::fs::read_dir(dir)
        .map_err(|e| Error::invalid(format!("spill directory {}: {e}", dir.display())))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        // Only what the engine makes there: its folders are called datafusion-….
        if name.to_string_lossy().starts_with("datafusion-")
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "an old spill folder stays");
        }
    }
    Ok(())
}

async fn open_roots(config: &Config) -> Result<Roots> {
    let mut opened = Vec::with_capacity(config.lake.roots.len());
    for root in &config.lake.roots {
        let directory = |path: PathBuf| {
            let mut excluded: Vec<PathBuf> =
                root.exclude.iter().map(|name| path.join(name)).collect();
            excluded.push(config.server.state_dir.clone());
            Backing::Directory { path, excluded }
        };
        let backing = match (&root.path, root.url.strip_prefix("file://")) {
            (Some(path), _) => directory(path.clone()),
            (None, Some(path)) => directory(PathBuf::from(path)),
            (None, None) => s3::open(root, &Handle::current()).await?,
        };
        opened.push((root.url.clone(), backing));
    }
    Roots::open(opened)
}
