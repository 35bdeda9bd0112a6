//! The file that tells programs how to connect. Written once all endpoints accept connections.

use std::path::{Path, PathBuf};

use lakegate_engine::CATALOG;
use lakegate_error::{Error, Result};
use serde::Serialize;

use super::password::write_file;

#[derive(Debug, Serialize)]
pub(super) struct ConnectionFile {
    pub postgres: Option<HostPort>,
    pub flight: Option<HostPort>,
    pub http: Option<HttpDoor>,
    pub tls: TlsFiles,
    pub catalog: &'static str,
    pub users: Vec<UserEntry>,
    pub pid: u32,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct HostPort {
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Serialize)]
pub(super) struct HttpDoor {
    pub url: String,
}

#[derive(Debug, Serialize)]
pub(super) struct TlsFiles {
    /// The authority of a generated certificate; `None` for the operator's own certificate.
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub(super) struct UserEntry {
    pub name: String,
    pub password: String,
    pub roles: Vec<String>,
}

impl ConnectionFile {
    pub(super) fn new() -> Self {
        Self {
            postgres: None,
            flight: None,
            http: None,
            tls: TlsFiles { ca_file: None },
            catalog: CATALOG,
            users: Vec::new(),
            pid: std::process::id(),
        }
    }

    /// Writes the file so that only its owner can read it, because it may contain passwords.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::internal(format!("the connection file: {e}")))?;
        write_file(file, &format!("{text}\n"), 0o600)
    }
}
