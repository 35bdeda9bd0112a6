//! The command line: `serve`, `demo` and administrative commands.

mod admin;
mod connection_file;
mod credentials;
mod demo;
mod password;
mod serve;
mod server;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use lakegate_error::Result;

#[derive(Debug, Parser)]
#[command(
    name = "lakegate",
    version,
    about = "A self-hosted Athena: governed, metered SQL over a data lake"
)]
pub struct Cli {
    /// Log filter, such as `info` or `lakegate=debug,warn`.
    #[arg(long, env = "LAKEGATE_LOG", default_value = "info", global = true)]
    log: String,
    /// Write log lines as JSON.
    #[arg(long, env = "LAKEGATE_LOG_JSON", global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve your own lake.
    #[command(after_long_help = crate::config::reference::help())]
    Serve(serve::ServeArgs),
    /// Generate a demo lake, or reuse an existing one, and serve it.
    Demo(demo::DemoArgs),
    /// Set a user's password while the server is stopped. Generates and prints one unless given.
    ResetPassword(admin::ResetPasswordArgs),
    /// Copy the catalog to a file. The server may be running.
    Backup(admin::BackupArgs),
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// The configuration file.
    #[arg(long, env = "LAKEGATE_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs the command. The process exits with its result.
///
/// # Errors
///
/// Returns those of the command.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    start_log(&cli);
    log_panics();
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::ResetPassword(args) => admin::reset_password(args),
        Command::Backup(args) => admin::backup(args),
    }
}

fn start_log(cli: &Cli) {
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if cli.log_json {
        log.json().init()
    } else {
        log.init()
    }
}

/// Logs a panic as one line. The standard hook resolves a backtrace if `RUST_BACKTRACE` is set, and
/// keeps hundreds of megabytes of symbols from then on; a panic in one query must not take this
/// memory from the others.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(
            thread = thread.name(),
            at = panic.location().map(tracing::field::display),
            "panic: {}",
            panic.payload_as_str().unwrap_or("no message")
        );
    }));
}
