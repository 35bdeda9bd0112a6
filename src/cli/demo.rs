//! `lakegate demo`: generates the demo lake, registers it through the gateway as its administrator,
//! and serves it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use lakegate_catalog::access::ScramVerifier;
use lakegate_demo::{DEFAULT_UNTIL, DemoOptions, Outcome, demo_users};
use lakegate_error::{Error, Result};
use lakegate_gateway::{Login, Protocol};

use super::connection_file::{ConnectionFile, UserEntry};
use super::credentials::{self, CREDENTIALS, READY, STATE};
use super::password::{private_dir, random_password, write_secret_file};
use super::serve::runtime;
use super::server::Server;
use crate::config::{Config, RootConfig};

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Folder of the lake. It is kept and reused on the next start.
    #[arg(long, default_value = "lakegate-demo")]
    dir: PathBuf,
    /// Scale of the data: 1 is about a million orders.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// The last of 366 days with orders.
    #[arg(long, default_value_t = DEFAULT_UNTIL)]
    until: NaiveDate,
    /// Add a database `tpch` with this scale factor.
    #[arg(long)]
    tpch: Option<f64>,
    /// Add a database `tpcds` with this scale factor.
    #[arg(long)]
    tpcds: Option<f64>,
    /// Port for PostgreSQL; 0 selects a free port.
    #[arg(long, default_value_t = 15432)]
    postgres_port: u16,
    /// Port for Arrow Flight SQL; 0 selects a free port.
    #[arg(long, default_value_t = 32010)]
    flight_port: u16,
    /// Port for HTTP; 0 selects a free port.
    #[arg(long, default_value_t = 8080)]
    http_port: u16,
    /// Write connection details to this file once all endpoints accept connections.
    #[arg(long)]
    connection_file: Option<PathBuf>,
}

pub(super) fn run(args: DemoArgs) -> Result<()> {
    let options = DemoOptions {
        dir: args.dir.clone(),
        scale: args.scale,
        until: args.until,
        tpch: args.tpch,
        tpcds: args.tpcds,
    };
    if generate(&options)? == Outcome::Created {
        // Earlier registrations belong to other files.
        let state = args.dir.join(STATE);
        if state.exists() {
            std::fs::remove_dir_all(&state)
                .map_err(|e| Error::invalid(format!("cannot clear {}: {e}", state.display())))?;
        }
    }
    let config = configuration(&args)?;
    runtime()?.block_on(async move {
        let server = Server::open(config).await?;
        let users = register(&server, &options).await?;
        server
            .serve(|mut connection| {
                connection.users = users;
                if let Some(file) = &args.connection_file {
                    connection.write(file)?;
                }
                greet(&connection, &args.dir);
                Ok(())
            })
            .await
    })
}

fn generate(options: &DemoOptions) -> Result<Outcome> {
    // On a terminal, one line that is overwritten; in a log, one line per phase.
    let terminal = std::io::stderr().is_terminal();
    let mut last = ("", 0);
    let outcome = lakegate_demo::generate(options, &mut |progress| {
        let percent = (progress.done * 100)
            .checked_div(progress.total)
            .unwrap_or(100);
        if (progress.phase, percent) == last {
            return;
        }
        last = (progress.phase, percent);
        match (terminal, percent) {
            (true, 100) => eprintln!("\rmaking {:<12} 100 %", progress.phase),
            (true, _) => eprint!("\rmaking {:<12} {percent:>3} %", progress.phase),
            (false, 100) => eprintln!("made {}", progress.phase),
            (false, _) => {}
        }
    });
    outcome.map_err(|e| Error::invalid(e.to_string()))
}

fn configuration(args: &DemoArgs) -> Result<Config> {
    let mut config = Config::load(None, BTreeMap::new())?;
    config.server.state_dir = args.dir.join(STATE);
    let on = |port| crate::config::Listen(Some(SocketAddr::from(([127, 0, 0, 1], port))));
    config.postgres.listen = on(args.postgres_port);
    config.flight.listen = on(args.flight_port);
    config.http.listen = on(args.http_port);
    config.lake.roots.insert(
        0,
        RootConfig {
            url: format!("s3://{}/", lakegate_demo::BUCKET),
            path: Some(args.dir.clone()),
            exclude: [CREDENTIALS, "demo.json", "demo.partial", STATE]
                .map(PathBuf::from)
                .into(),
            ..RootConfig::default()
        },
    );
    Ok(config)
}

/// Creates the users and runs the demo's statements, once. Repeats this after an interrupted start.
async fn register(server: &Server, options: &DemoOptions) -> Result<Vec<UserEntry>> {
    let ready = options.dir.join(STATE).join(READY);
    if ready.exists() {
        return credentials::read(&options.dir);
    }
    eprintln!("registering the lake");
    let users: Vec<UserEntry> = demo_users()
        .iter()
        .map(|user| UserEntry {
            name: user.name.to_owned(),
            password: random_password(),
            roles: user.roles.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let control = server.control.as_ref();
    let admin = users
        .first()
        .ok_or_else(|| Error::internal("the demo has no users"))?;
    for user in &users {
        // After an interrupted start, a user may exist with an unknown password.
        control
            .create_user(
                &user.name,
                ScramVerifier::in_background(&user.password).await?,
                true,
            )
            .await?;
        control
            .set_password(
                &user.name,
                ScramVerifier::in_background(&user.password).await?,
            )
            .await?;
    }
    let (name, password) = (&admin.name, &admin.password);
    server.gateway.create_administrator(name, password).await?;
    let principal = server.gateway.principal(&admin.name);
    let principal = principal.ok_or_else(|| Error::internal("the administrator was not made"))?;
    let login = Login {
        principal: &principal,
        database: None,
        application_name: Some("lakegate demo"),
        client_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        encryption: None,
        protocol: Protocol::Postgres,
        cancel_key_bytes: 0,
        stateful: true,
    };
    let session = server.gateway.connect(login).await?;
    for sql in lakegate_demo::setup_sql(options) {
        // After an interrupted start, the roles exist.
        if let Some(role) = sql.strip_prefix("CREATE ROLE ")
            && control.snapshot().roles.contains_key(role.trim())
        {
            continue;
        }
        session.run_to_end(&sql).await?;
    }
    for user in users.iter().skip(1) {
        for role in &user.roles {
            control.grant_role(role, &user.name).await?;
        }
    }
    session.close().await;
    credentials::write(&options.dir, &users)?;
    private_dir(&options.dir.join(STATE))?;
    write_secret_file(&ready, "")?;
    Ok(users)
}

fn greet(connection: &ConnectionFile, dir: &Path) {
    let Some(at) = &connection.postgres else {
        return;
    };
    println!(
        "the demo lake is ready; its users and passwords are in {}",
        dir.join(CREDENTIALS).display()
    );
    for user in &connection.users {
        println!("  {:<10} {}", user.name, user.roles.join(", "));
    }
    if let Some(analyst) = connection.users.iter().find(|user| user.name == "analyst") {
        let tls = match &connection.tls.ca_file {
            Some(ca) => format!("sslmode=verify-full sslrootcert={}", ca.display()),
            None => "sslmode=require".to_owned(),
        };
        println!("connect as the analyst:");
        println!(
            "  psql \"host={} port={} dbname=curated user={} password={} {tls}\"",
            at.host, at.port, analyst.name, analyst.password
        );
    }
    if let Some(at) = &connection.flight {
        println!("Arrow Flight SQL: grpc+tls://{}:{}", at.host, at.port);
    }
    if let Some(http) = &connection.http {
        println!("health: {}/health/ready", http.url);
    }
    println!("stop with Ctrl-C");
}
