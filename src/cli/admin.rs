//! What is done while the server is stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lakegate_catalog::store::{Control, SqliteStore};

use super::ConfigArgs;
use super::password::random_password;
use super::serve::runtime;
use super::server::{catalog_file, verifier};
use crate::config::Config;
use crate::error::{Code, Error, Result};

#[derive(Debug, clap::Args)]
pub struct ResetPasswordArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The state directory, where there is no configuration file; for a demo lake its `.lakegate` folder.
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The user.
    user: String,
    /// Take the password from a file instead; `-` is standard input.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The state directory, where there is no configuration file.
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The file to write.
    to: PathBuf,
}

fn open_store(config: &ConfigArgs, state_dir: Option<PathBuf>) -> Result<SqliteStore> {
    let state_dir = match state_dir {
        Some(state_dir) => state_dir,
        None => {
            Config::load(config.config.as_deref(), BTreeMap::new())?
                .server
                .state_dir
        }
    };
    Ok(SqliteStore::open_existing(catalog_file(&state_dir))?)
}

pub fn reset_password(args: ResetPasswordArgs) -> Result<()> {
    let store = open_store(&args.config, args.state_dir)?;
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
            .set_password(&user, verifier(&password).await?)
            .await?;
        if given.is_none() {
            println!("{password}");
        }
        Ok(())
    })
}

pub fn backup(args: BackupArgs) -> Result<()> {
    let store = open_store(&args.config, args.state_dir)?;
    runtime()?.block_on(async { Ok(store.backup_to(&args.to).await?) })
}
