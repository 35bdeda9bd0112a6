//! One typed configuration: a file, then the environment, then flags, in that order.
//!
//! Every setting is also an environment variable: `LAKEGATE_` and its path in capitals with `__` between
//! the parts, such as `LAKEGATE_ENGINE__MEMORY_LIMIT=8GiB`. Lists are written as in TOML.

mod auth;
mod doors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use lakegate_error::{Error, Result};
use serde::{Deserialize, Serialize};

pub use self::auth::{Audience, AuthConfig, CertificateUser, ClientCertificates, JwtConfig};
pub use self::doors::{FlightConfig, HttpConfig, Listen, PostgresConfig};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub postgres: PostgresConfig,
    pub flight: FlightConfig,
    pub http: HttpConfig,
    pub tls: TlsConfig,
    pub auth: AuthConfig,
    pub lake: LakeConfig,
    pub engine: EngineConfig,
    pub queries: QueriesConfig,
    pub results: ResultsConfig,
    pub history: HistoryConfig,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Catalog, grants, history, certificates and spill files; created with mode 0700.
    pub state_dir: PathBuf,
    /// How long running queries may go on after SIGTERM.
    #[serde(with = "humantime_serde")]
    pub grace_period: Duration,
    /// Connections on all doors together.
    pub max_connections: usize,
    /// Of these, kept for administrators when the others are taken; default three, and of few connections no more than a quarter.
    pub reserved_connections: Option<usize>,
    /// Connections of one user; default nine tenths of those that are not reserved.
    pub max_connections_per_user: Option<usize>,
}

impl ServerConfig {
    pub fn reserved_connections(&self) -> usize {
        self.reserved_connections
            .unwrap_or_else(|| (self.max_connections / 4).min(3))
    }

    pub fn max_connections_per_user(&self) -> usize {
        let ordinary = self
            .max_connections
            .saturating_sub(self.reserved_connections());
        self.max_connections_per_user
            .unwrap_or(ordinary - ordinary / 10)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("lakegate-state"),
            grace_period: Duration::from_secs(30),
            max_connections: 500,
            reserved_connections: None,
            max_connections_per_user: None,
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM chain; with `key_file`, replaces the generated certificate and is reloaded when it changes.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Names and addresses in the generated certificate, beside localhost, 127.0.0.1 and ::1.
    pub host_names: Vec<String>,
    /// PEM certificates of the authorities that sign clients' certificates; read again when the file changes.
    pub client_ca_file: Option<PathBuf>,
    /// PEM revocation lists of these authorities, one of each that signs clients' certificates; read again when the file changes.
    pub client_crl_file: Option<PathBuf>,
    /// What in a client's certificate is the user's name.
    pub client_user: CertificateUser,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LakeConfig {
    /// The only places a LOCATION may name.
    pub roots: Vec<RootConfig>,
    /// The longest row of a JSON, CSV or delimited file, after decompression; 1 KiB to 1 GiB.
    pub max_row_size: ByteSize,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            max_row_size: ByteSize::mib(32),
        }
    }
}

/// One lake root. With `path` it is a directory; else an S3 bucket, by default the one that `url` names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RootConfig {
    /// `s3://bucket/prefix/` or `file:///folder/`.
    pub url: String,
    pub path: Option<PathBuf>,
    /// Files and folders of the directory that are never served. The state directory never is.
    pub exclude: Vec<PathBuf>,
    /// Any S3-compatible endpoint, such as `https://minio.example:9000`.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// `https://endpoint/bucket/key` (the default with an endpoint) rather than `https://bucket.endpoint/key`.
    pub path_style: Option<bool>,
    /// Credentials; else the usual AWS variables, files and instance roles.
    pub access_key_id: Option<String>,
    #[serde(skip_serializing)]
    pub secret_access_key: Option<String>,
    #[serde(skip_serializing)]
    pub session_token: Option<String>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Memory of all running queries together; default 60 % of the machine's, or of the control group's limit where that is less.
    pub memory_limit: Option<ByteSize>,
    /// Memory of the whole process; default 85 % of the same. At 90 % of it new queries are refused, at the whole the largest is cancelled.
    pub process_memory_limit: Option<ByteSize>,
    /// Disk that spilling queries may use together; default 32 GiB.
    pub spill_limit: ByteSize,
    /// Default `<state_dir>/spill`.
    pub spill_dir: Option<PathBuf>,
    /// Threads that run queries; default the machine's cores.
    pub threads: Option<usize>,
    /// Rows a batch.
    pub batch_size: usize,
    /// Decoded Parquet footers kept in memory.
    pub footer_cache: ByteSize,
    /// While a query is planned, footers are read of tables with at most this many matching files.
    pub max_statistics_files: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            memory_limit: None,
            process_memory_limit: None,
            spill_limit: ByteSize::gib(32),
            spill_dir: None,
            threads: None,
            batch_size: 8192,
            footer_cache: ByteSize::mib(256),
            max_statistics_files: 4096,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueriesConfig {
    /// Queries that run at once; default four for each thread of the engine.
    pub max_concurrent: Option<usize>,
    /// Of these, queries of one user; default three quarters, so that others find a place.
    pub max_concurrent_per_user: Option<usize>,
    /// Queries that may wait for a place; more are refused.
    pub max_queued: usize,
    /// A query whose client does not read its rows, or does not send those it ingests, for so long is ended if it holds a place.
    #[serde(with = "humantime_serde")]
    pub max_stall: Duration,
    /// A statement that takes longer to plan is an error.
    #[serde(with = "humantime_serde")]
    pub max_planning_time: Duration,
}

impl Default for QueriesConfig {
    fn default() -> Self {
        Self {
            max_concurrent: None,
            max_concurrent_per_user: None,
            max_queued: 1000,
            max_stall: Duration::from_secs(600),
            max_planning_time: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResultsConfig {
    /// Memory for cached results; 0 turns the cache off.
    pub cache_size: ByteSize,
    /// The largest result that is cached.
    pub max_entry_size: ByteSize,
    /// Results of queries that run without a client are stored: in memory up to this size, spilled if they are larger.
    pub stored_memory: ByteSize,
    /// Memory for the stored results of one user, at most an eighth of `engine.memory_limit`; what is more is spilled.
    pub stored_memory_per_user: ByteSize,
    /// The largest result that is stored, in memory or spilled; a larger one is read once.
    pub max_stored_size: ByteSize,
    /// Stored results of one user, in memory and spilled, at most an eighth of `engine.spill_limit`.
    pub max_stored_size_per_user: ByteSize,
}

impl Default for ResultsConfig {
    fn default() -> Self {
        Self {
            cache_size: ByteSize::mib(512),
            max_entry_size: ByteSize::mib(32),
            stored_memory: ByteSize::mib(16),
            stored_memory_per_user: ByteSize::mib(64),
            max_stored_size: ByteSize::gib(1),
            max_stored_size_per_user: ByteSize::gib(4),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// How long `system.queries` keeps a query.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(45 * 24 * 3600),
        }
    }
}

impl Config {
    /// Errors: a file that is missing or no TOML, an unknown setting, a value of the wrong kind; each by name.
    pub fn load(
        file: Option<&Path>,
        flags: BTreeMap<String, figment::value::Value>,
    ) -> Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(Error::invalid(format!(
                    "configuration file {} does not exist",
                    file.display()
                )));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // `LAKEGATE_LOG` and the like belong to the command line, not to the configuration.
        figment = figment.merge(
            Env::prefixed("LAKEGATE_")
                .filter(|key| key.as_str().contains("__"))
                .split("__"),
        );
        for (key, value) in flags {
            figment = figment.merge((key, value));
        }
        let config: Config = figment
            .extract()
            .map_err(|e| Error::invalid(format!("configuration: {e}")))?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err(Error::invalid(
                "tls.cert_file and tls.key_file belong together; set both or neither",
            ));
        }
        if let Some(jwt) = &self.auth.jwt {
            jwt.validate()?;
        }
        self.validate_client_certificates()?;
        let Self {
            flight, http, lake, ..
        } = self;
        let (kib, mib, gib) = (ByteSize::kib, ByteSize::mib, ByteSize::gib);
        for (name, size, least, most) in [
            (
                "flight.max_message_size",
                flight.max_message_size,
                kib(64),
                gib(2),
            ),
            (
                "flight.result_message_size",
                flight.result_message_size,
                kib(64),
                gib(1),
            ),
            (
                "flight.max_header_size",
                flight.max_header_size,
                kib(4),
                mib(16),
            ),
            ("http.max_header_size", http.max_header_size, kib(8), mib(1)),
            ("lake.max_row_size", lake.max_row_size, kib(1), gib(1)),
        ] {
            if !(least..=most).contains(&size) {
                return Err(Error::invalid(format!(
                    "{name} is {} bytes; it must be at least {least} and at most {most}",
                    size.as_u64()
                )));
            }
        }
        if let Some(limit) = self.engine.process_memory_limit
            && limit < mib(256)
        {
            return Err(Error::invalid(format!(
                "engine.process_memory_limit is {} bytes; it must be at least {}",
                limit.as_u64(),
                mib(256)
            )));
        }
        if let Some(location) = &self.flight.location
            && !location.starts_with("grpc")
        {
            return Err(Error::invalid(format!(
                "flight.location '{location}' is no location; write one like grpc+tls://lake.example:32010"
            )));
        }
        if self.engine.batch_size == 0
            || self.engine.threads == Some(0)
            || self.queries.max_concurrent == Some(0)
            || self.queries.max_concurrent_per_user == Some(0)
            || self.server.max_connections_per_user == Some(0)
            || self.http.max_connections == 0
        {
            return Err(Error::invalid(
                "engine.batch_size, engine.threads, queries.max_concurrent, queries.max_concurrent_per_user, \
                 server.max_connections_per_user and http.max_connections must be at least 1",
            ));
        }
        if self.server.reserved_connections() >= self.server.max_connections {
            return Err(Error::invalid(format!(
                "server.reserved_connections is {}; it must be less than server.max_connections, which is {}",
                self.server.reserved_connections(),
                self.server.max_connections
            )));
        }
        if self.queries.max_stall.is_zero() {
            return Err(Error::invalid(
                "queries.max_stall is 0; it must be at least some seconds, such as 10min",
            ));
        }
        if self.http.head_timeout.is_zero() {
            return Err(Error::invalid(
                "http.head_timeout is 0; it must be at least some seconds, such as 30s",
            ));
        }
        for root in &self.lake.roots {
            if root.path.is_some() && (root.endpoint.is_some() || root.access_key_id.is_some()) {
                return Err(Error::invalid(format!(
                    "lake root {}: path makes it a directory, so endpoint and credentials cannot be set",
                    root.url
                )));
            }
            if root.access_key_id.is_some() != root.secret_access_key.is_some() {
                return Err(Error::invalid(format!(
                    "lake root {}: access_key_id and secret_access_key belong together",
                    root.url
                )));
            }
        }
        Ok(())
    }

    fn validate_client_certificates(&self) -> Result<()> {
        let TlsConfig {
            client_ca_file: ca,
            client_crl_file: crl,
            ..
        } = &self.tls;
        if ca.is_none() && crl.is_some() {
            return Err(Error::invalid(
                "tls.client_crl_file belongs to tls.client_ca_file; set that too",
            ));
        }
        for (door, wanted, require_tls) in [
            (
                "postgres",
                self.postgres.client_certificates,
                self.postgres.require_tls,
            ),
            (
                "flight",
                self.flight.client_certificates,
                self.flight.require_tls,
            ),
        ] {
            if wanted != ClientCertificates::Off && ca.is_none() {
                return Err(Error::invalid(format!(
                    "{door}.client_certificates needs tls.client_ca_file: the authorities that sign them"
                )));
            }
            if wanted == ClientCertificates::Required && !require_tls {
                return Err(Error::invalid(format!(
                    "{door}.client_certificates is required, so {door}.require_tls cannot be off"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::result_large_err)]
    use super::*;

    #[test]
    fn environment_overrides_file_and_flags_override_both() {
        figment::Jail::expect_with(|jail| {
            jail.create_file(
                "c.toml",
                "[engine]\nbatch_size = 1\nmemory_limit = \"2GiB\"\n[postgres]\nlisten = \"none\"",
            )?;
            jail.set_env("LAKEGATE_ENGINE__BATCH_SIZE", "2");
            jail.set_env("LAKEGATE_SERVER__MAX_CONNECTIONS", "3");
            let flags = BTreeMap::from([("server.max_connections".to_owned(), 4u64.into())]);
            let config = Config::load(Some(Path::new("c.toml")), flags).unwrap();
            assert_eq!(
                (config.engine.batch_size, config.server.max_connections),
                (2, 4)
            );
            assert_eq!(config.engine.memory_limit, Some(ByteSize::gib(2)));
            assert_eq!(config.postgres.listen, Listen(None));
            Ok(())
        });
    }

    #[test]
    fn longest_row_has_bounds_that_the_error_names() {
        figment::Jail::expect_with(|jail| {
            let load = || Config::load(None, BTreeMap::new());
            let default = load().unwrap().lake.max_row_size;
            assert_eq!(
                default.as_u64(),
                lakegate_lake::format::MAX_ROW_BYTES as u64
            );
            for (text, bytes) in [("1KiB", 1 << 10), ("64KiB", 64 << 10), ("1GiB", 1 << 30)] {
                jail.set_env("LAKEGATE_LAKE__MAX_ROW_SIZE", text);
                assert_eq!(load().unwrap().lake.max_row_size.as_u64(), bytes);
            }
            for text in ["0", "1023", "1025MiB"] {
                jail.set_env("LAKEGATE_LAKE__MAX_ROW_SIZE", text);
                let error = load().unwrap_err();
                assert!(error.message().contains("lake.max_row_size"), "{error}");
            }
            Ok(())
        });
    }

    #[test]
    fn connections_are_kept_for_administrators_and_for_other_users() {
        figment::Jail::expect_with(|jail| {
            let load = || Config::load(None, BTreeMap::new());
            for (all, reserved, of_one) in [(500, 3, 448), (12, 3, 9), (4, 1, 3), (1, 0, 1)] {
                jail.set_env("LAKEGATE_SERVER__MAX_CONNECTIONS", all);
                let server = load().unwrap().server;
                assert_eq!(
                    (
                        server.reserved_connections(),
                        server.max_connections_per_user()
                    ),
                    (reserved, of_one)
                );
            }
            jail.set_env("LAKEGATE_SERVER__RESERVED_CONNECTIONS", 1);
            let error = load().unwrap_err();
            assert!(error.message().contains("reserved_connections"), "{error}");
            Ok(())
        });
    }

    #[test]
    fn unknown_setting_is_an_error_that_names_it() {
        figment::Jail::expect_with(|jail| {
            jail.create_file("c.toml", "[engine]\nbatchsize = 1\n")?;
            let error = Config::load(Some(Path::new("c.toml")), BTreeMap::new()).unwrap_err();
            assert!(error.message().contains("batchsize"), "{error}");
            Ok(())
        });
    }
}
