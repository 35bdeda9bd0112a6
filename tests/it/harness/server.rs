//! One `lakegate` process under test.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::PATIENCE;
use super::client::{self, Client, Failure};
use super::lake::{self, Options};
use super::tls::Tls;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_lakegate");

/// Runs "$@" until the test process ends, in whatever way: its end of the pipe closes then. A file
/// that grows beyond a limit is an error of the write, and does not end the process.
const WATCHED: &str = r#"
exec 3<&0
trap '' XFSZ
"$@" 3<&- </dev/null & server=$!
{ read -r _ <&3; kill -9 $server; } 2>/dev/null & watcher=$!
wait $server; status=$?
kill $watcher 2>/dev/null
exit $status
"#;

pub(crate) struct Server {
    shell: Child,
    connection: Value,
    tls: Tls,
    /// The lake's folder, mapped to `s3://datalake/`; for `serve`, the folder of the configuration.
    pub dir: PathBuf,
    files: PathBuf,
    _temp: Option<TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The watcher kills the server when the pipe closes.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Server {
    /// Returns the server of the whole test binary: the demo at scale 0.01. Tests may change only
    /// objects that they create.
    pub(crate) fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::copied(&Options::default(), &[]))
    }

    /// Starts a demo server for one test, on a copy of the demo lake at scale 0.001.
    pub(crate) fn private(environment: &[(&str, &str)]) -> Server {
        Server::copied(&Options::small(), environment)
    }

    pub(crate) fn copied(options: &Options, environment: &[(&str, &str)]) -> Server {
        let temp = lake::copy(options);
        let dir = temp.path().join("lake");
        let mut server = Server::demo(&dir, options, environment);
        server._temp = Some(temp);
        server
    }

    /// Runs `lakegate demo` on a folder that outlives the server.
    pub(crate) fn demo(dir: &Path, options: &Options, environment: &[(&str, &str)]) -> Server {
        Self::try_demo(dir, options, environment)
            .unwrap_or_else(|error| panic!("lakegate demo did not start: {error}"))
    }

    pub(crate) fn try_demo(
        dir: &Path,
        options: &Options,
        environment: &[(&str, &str)],
    ) -> Result<Server, String> {
        let mut arguments = vec![
            "demo".to_owned(),
            "--dir".to_owned(),
            dir.to_str().unwrap().to_owned(),
        ];
        arguments.extend(options.arguments());
        for door in ["--postgres-port", "--flight-port", "--http-port"] {
            arguments.extend([door.to_owned(), "0".to_owned()]);
        }
        Self::start(dir, &arguments, environment)
    }

    /// Runs `lakegate serve` with a configuration file; its listeners should be on port 0.
    pub(crate) fn serve(dir: &Path, configuration: &Path, environment: &[(&str, &str)]) -> Server {
        let arguments = ["serve", "--config", configuration.to_str().unwrap()].map(str::to_owned);
        Self::start(dir, &arguments, environment)
            .unwrap_or_else(|error| panic!("lakegate serve did not start: {error}"))
    }

    fn start(
        dir: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
    ) -> Result<Server, String> {
        let files = tempfile::Builder::new()
            .prefix("run")
            .tempdir_in(lake::scratch())
            .unwrap()
            .keep();
        let connection_file = files.join("connection.json");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", WATCHED, "sh", BINARY])
            .args(arguments)
            .arg("--connection-file")
            .arg(&connection_file);
        let shell = shell
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(File::create(files.join("stdout")).unwrap())
            .stderr(File::create(files.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut server = Server {
            shell,
            connection: Value::Null,
            tls: Tls::none(),
            dir: dir.to_owned(),
            files,
            _temp: None,
        };
        let start = Instant::now();
        while !connection_file.exists() {
            if let Some(status) = server.shell.try_wait().unwrap() {
                return Err(format!("exited with {status}\n{}", server.log()));
            }
            if start.elapsed() > PATIENCE * 5 {
                return Err(format!(
                    "no connection file after {:?}\n{}",
                    PATIENCE * 5,
                    server.log()
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        server.connection =
            serde_json::from_str(&fs::read_to_string(&connection_file).unwrap()).unwrap();
        // With a certificate of their own, users know which CA to trust.
        server.tls = match server.connection["tls"]["ca_file"].as_str() {
            Some(ca_file) => Tls::trusting(Path::new(ca_file)),
            None => Tls::none(),
        };
        Ok(server)
    }

    /// Runs a command of the binary until it ends.
    pub(crate) fn command(arguments: &[&str], stdin: &str) -> (ExitStatus, String, String) {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that needs no input may have ended before it could read any.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status, text(&output.stdout), text(&output.stderr))
    }

    pub(crate) fn connection(&self) -> &Value {
        &self.connection
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.files.join("stdout")).unwrap()
    }

    /// Returns everything that the server has printed.
    pub(crate) fn log(&self) -> String {
        format!(
            "{}{}",
            self.stdout(),
            fs::read_to_string(self.files.join("stderr")).unwrap()
        )
    }

    pub(crate) fn pid(&self) -> u32 {
        self.connection["pid"].as_u64().unwrap().try_into().unwrap()
    }

    /// Returns the memory that the process uses, in bytes, as reported by Linux.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn host(&self) -> &str {
        self.connection["postgres"]["host"].as_str().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.connection["postgres"]["port"]
            .as_u64()
            .unwrap()
            .try_into()
            .unwrap()
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) fn ca_file(&self) -> &str {
        self.connection["tls"]["ca_file"].as_str().unwrap()
    }

    pub(crate) fn password(&self, user: &str) -> &str {
        let users = self.connection["users"].as_array().unwrap();
        let user = users
            .iter()
            .find(|u| u["name"] == user)
            .unwrap_or_else(|| panic!("no user {user} in {users:?}"));
        user["password"].as_str().unwrap()
    }

    /// Records a user that the test has created.
    pub(crate) fn knows(&mut self, user: &str, password: &str) {
        let user = serde_json::json!({"name": user, "password": password});
        self.connection["users"].as_array_mut().unwrap().push(user);
    }

    /// Returns a libpq connection string for one of the users.
    pub(crate) fn dsn(&self, user: &str, database: &str) -> String {
        format!(
            "host={} port={} user={user} password={} dbname={database} sslmode=verify-full sslrootcert={}",
            self.host(),
            self.port(),
            self.password(user),
            self.ca_file()
        )
    }

    pub(crate) fn config(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> tokio_postgres::Config {
        client::config(self.host(), self.port(), user, password, database)
    }

    /// Connects one of the demo's users to the catalog's database.
    #[track_caller]
    pub(crate) fn connect(&self, user: &str) -> impl Future<Output = Client> {
        let password = self.password(user).to_owned();
        async move { self.connect_as(user, &password, "awsdatacatalog").await }
    }

    /// Connects one of the demo's users to a Glue database.
    pub(crate) async fn connect_to(&self, user: &str, database: &str) -> Client {
        self.connect_as(user, self.password(user), database).await
    }

    pub(crate) async fn connect_as(&self, user: &str, password: &str, database: &str) -> Client {
        match self.try_connect(user, password, database).await {
            Ok(client) => client,
            Err(error) => panic!(
                "{user} cannot connect to {database}: {error:?}\n{}",
                self.log()
            ),
        }
    }

    pub(crate) async fn try_connect(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Client, Failure> {
        Client::connect(&self.config(user, password, database), self.tls.clone()).await
    }

    /// Sends a GET to the HTTP door; returns status and body.
    pub(crate) fn http_get(&self, path: &str) -> (u16, String) {
        let url = self.connection["http"]["url"].as_str().unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default();
        (status, body)
    }

    /// Sends a signal. `signal`: as in kill(1), `TERM` or `KILL`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.pid().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the process to end on its own.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.shell.try_wait().unwrap() {
                return status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the server still runs\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGKILL and waits for the process to end.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.wait();
    }
}

/// Runs `lakegate serve` with a state folder under `dir` and the given `[[lake.roots]]`; returns it
/// with its administrator's client.
pub(crate) async fn serving(dir: &Path, roots: &str) -> (Server, Client) {
    let configuration = dir.join("lakegate.toml");
    let state = dir.join("state");
    let text = format!(
        "[server]\nstate_dir = {state:?}\n[postgres]\nlisten = \"127.0.0.1:0\"\n[flight]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n{roots}"
    );
    fs::write(&configuration, text).unwrap();
    let mut server = Server::serve(dir, &configuration, &[]);
    let password = fs::read_to_string(state.join("initial-admin-password")).unwrap();
    server.knows("admin", password.trim());
    let admin = server.connect("admin").await;
    (server, admin)
}
