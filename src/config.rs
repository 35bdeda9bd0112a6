//! The server's configuration: a file, overridden by the environment, overridden by flags.
//!
//! Every setting is also an environment variable: `LAKEGATE_` and its path in capitals with `__`
//! between the parts, such as `LAKEGATE_ENGINE__MEMORY_LIMIT=8GiB`. Lists are written as in TOML.
//!
//! A section is declared in a file here, or in the crate that it configures. [`mod@reference`]
//! lists all sections.

mod auth;
#[cfg(test)]
mod documents;
mod engine;
mod history;
mod lake;
mod queries;
pub mod reference;
mod results;
mod server;
mod tls;
mod validate;

use std::collections::BTreeMap;
use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
pub use lakegate_config::Listen;
use lakegate_error::{Error, Result};
pub use lakegate_flight::FlightConfig;
pub use lakegate_http::HttpConfig;
pub use lakegate_lake::roots::RootConfig;
pub use lakegate_postgres::PostgresConfig;
use serde::{Deserialize, Serialize};

pub use self::auth::AuthConfig;
pub use self::engine::EngineConfig;
pub use self::history::HistoryConfig;
pub use self::lake::LakeConfig;
pub use self::queries::QueriesConfig;
pub use self::results::ResultsConfig;
pub use self::server::ServerConfig;
pub use self::tls::TlsConfig;

/// The configuration of the server, a field for each section of its file.
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

impl Config {
    /// Reads and validates the configuration.
    ///
    /// # Errors
    ///
    /// The file does not exist or is not TOML; a setting is unknown or has an invalid value. The
    /// message names the setting.
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::result_large_err)]
    use bytesize::ByteSize;

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
