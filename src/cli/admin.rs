//! Administration next to the server: backups and, while the server is stopped, new passwords.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lakegate_catalog::access::ScramVerifier;
use lakegate_catalog::store::{Control, SqliteStore};
use lakegate_error::{Code, Error, Result};

use super::ConfigArgs;
use super::credentials::{self, CREDENTIALS};
use super::password::random_password;
use super::serve::runtime;
use super::server::catalog_file;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct ResetPasswordArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The state directory, if there is no configuration file. For a demo lake, its `.lakegate`
    /// folder.
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The user.
    user: String,
    /// Read the password from this file; `-` is standard input.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The state directory, if there is no configuration file.
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The file to write.
    #[arg(long)]
    to: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    overwrite: bool,
}

fn state_dir(config: &ConfigArgs, state_dir: Option<PathBuf>) -> Result<PathBuf> {
    match state_dir {
        Some(state_dir) => Ok(state_dir),
        None => {
            let config = Config::load(config.config.as_deref(), BTreeMap::new())?;
            Ok(config.server.state_dir)
        }
    }
}

pub(super) fn reset_password(args: ResetPasswordArgs) -> Result<()> {
    let state_dir = state_dir(&args.config, args.state_dir)?;
    let store = SqliteStore::open_existing(catalog_file(&state_dir))?;
    let user = args.user.to_lowercase();
    if !store.snapshot().users.contains_key(&user) {
        return Err(Error::new(
            Code::UndefinedObject,
            format!("user \"{user}\" does not exist"),
        ));
    }
    let given = match &args.password_file {
        None => None,
        Some(file) if file.as_os_str() == "-" => Some(
            std::io::read_to_string(std::io::stdin())
                .map_err(|e| Error::invalid(format!("standard input: {e}")))?,
        ),
        Some(file) => Some(
            std::fs::read_to_string(file)
                .map_err(|e| Error::invalid(format!("{}: {e}", file.display())))?,
        ),
    };
    let password = match &given {
        Some(text) => text.trim_end_matches(['\n', '\r']).to_owned(),
        None => random_password(),
    };
    runtime()?.block_on(async {
        store
            .set_password(&user, ScramVerifier::in_background(&password).await?)
            .await?;
        if given.is_none() {
            println!("{password}");
        }
        Ok::<(), Error>(())
    })?;
    let remembered = credentials::remember(&state_dir, &user, &password).map_err(|error| {
        Error::new(
            error.code(),
            format!("the password is set, but {CREDENTIALS} still has the old one: {error}"),
        )
    })?;
    if remembered {
        eprintln!("the new password is also in the demo's {CREDENTIALS}");
    }
    Ok(())
}

pub(super) fn backup(args: BackupArgs) -> Result<()> {
    let state_dir = state_dir(&args.config, args.state_dir)?;
    let (store, to) = (catalog_file(&state_dir), &args.to);
    if !args.overwrite && to.exists() {
        return Err(Error::invalid(format!("{} exists already", to.display()))
            .with_hint("name another file, or say --overwrite"));
    }
    Ok(SqliteStore::backup(store, to, args.overwrite)?)
}
