//! `lakegate serve`: serves the operator's own lake.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lakegate_error::{Error, Result};

use super::ConfigArgs;
use super::server::Server;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Write connection details to this file once all endpoints accept connections.
    #[arg(long)]
    connection_file: Option<PathBuf>,
}

pub(super) fn run(args: ServeArgs) -> Result<()> {
    let config = Config::load(args.config.config.as_deref(), BTreeMap::new())?;
    if config.lake.roots.is_empty() {
        return Err(Error::invalid(
            "no lake root is configured; [[lake.roots]] names the locations that tables may have",
        ));
    }
    runtime()?.block_on(async move {
        let server = Server::open(config).await?;
        server.first_start().await?;
        server
            .serve(|connection| {
                if let Some(at) = &connection.postgres {
                    tracing::info!(host = %at.host, port = at.port, "listening for the PostgreSQL protocol");
                }
                if let Some(at) = &connection.flight {
                    tracing::info!(host = %at.host, port = at.port, "listening for Arrow Flight SQL");
                }
                if let Some(at) = &connection.http {
                    tracing::info!(url = %at.url, "listening for HTTP");
                }
                args.connection_file
                    .map_or(Ok(()), |file| connection.write(&file))
            })
            .await
    })
}

/// Creates the runtime of the server's IO threads: endpoints, metadata, object store requests.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("lakegate-io")
        .thread_stack_size(lakegate_engine::STACK)
        .build()
        .map_err(|e| Error::internal(format!("the server's threads cannot start: {e}")))
}
