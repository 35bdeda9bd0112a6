//! The container image and the systemd unit, as far as they can be checked without running them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use lakegate::config::Config;
use serde_json::Value;

use crate::harness::Server;
use crate::harness::server::BINARY;

/// Where both install the server.
const INSTALLED: &str = "/usr/local/bin/lakegate";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn toml(file: &str) -> Value {
    let text = read(file);
    Figment::from(Toml::string(&text)).extract().unwrap()
}

/// Returns the instructions of the Dockerfile: a keyword and its arguments, on one line.
fn instructions() -> Vec<(String, String)> {
    let lines: Vec<String> = read("Dockerfile")
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(str::to_owned)
        .collect();
    lines
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .map(|(word, arguments)| (word.to_owned(), arguments.trim().to_owned()))
        .collect()
}

/// Returns the arguments of each instruction of a kind.
fn all_of(kind: &str) -> Vec<String> {
    let all: Vec<String> = instructions()
        .into_iter()
        .filter(|(word, _)| word == kind)
        .map(|(_, arguments)| arguments)
        .collect();
    assert!(!all.is_empty(), "the Dockerfile has no {kind}");
    all
}

fn one_of(kind: &str) -> String {
    let [one] = all_of(kind).try_into().unwrap();
    one
}

/// Parses an argument in the form of a JSON array, which runs without a shell.
fn exec_form(arguments: &str) -> Vec<String> {
    serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"))
}

/// Returns the sources that the image copies.
fn copied_sources() -> Vec<String> {
    all_of("COPY")
        .iter()
        .filter(|arguments| !arguments.starts_with("--from="))
        .flat_map(|arguments| {
            let mut paths: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
            paths.pop();
            paths
        })
        .collect()
}

/// Returns the values of a setting of the unit.
fn unit(setting: &str) -> Vec<String> {
    read("packaging/lakegate.service")
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| *name == setting)
        .map(|(_, value)| value.to_owned())
        .collect()
}

fn one_unit(setting: &str) -> String {
    let [one] = unit(setting).try_into().unwrap();
    one
}

/// Runs the server with a missing configuration file: errors about arguments are reported before
/// the error about the file.
fn assert_arguments_are_accepted(arguments: &[String], environment: &[(&str, &str)]) {
    let output = Command::new(BINARY)
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let stderr = text(&output);
    assert!(
        output.status.code() == Some(1) && stderr.contains("/no/such/lakegate.toml does not exist"),
        "{arguments:?}: {stderr}"
    );
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the default addresses of the doors, by section of the configuration.
fn default_doors() -> [(&'static str, SocketAddr); 3] {
    let Config {
        postgres,
        flight,
        http,
        ..
    } = Config::default();
    [
        ("postgres", postgres.listen.0.unwrap()),
        ("flight", flight.listen.0.unwrap()),
        ("http", http.listen.0.unwrap()),
    ]
}

#[test]
fn toolchain_is_a_release_of_the_manifests_rust_version() {
    let version = &toml("Cargo.toml")["workspace"]["package"]["rust-version"];
    let channel = &toml("rust-toolchain.toml")["toolchain"]["channel"];
    let (version, channel) = (version.as_str().unwrap(), channel.as_str().unwrap());
    assert!(
        channel == version || channel.starts_with(&format!("{version}.")),
        "rust-toolchain.toml has {channel}, Cargo.toml has {version}"
    );
    let builder = &all_of("FROM")[0];
    assert!(
        builder.starts_with(&format!("rust:{version}-")),
        "the image is built with {builder}, Cargo.toml has {version}"
    );
}

#[test]
fn image_copies_files_that_are_there_and_that_dockerignore_lets_through() {
    let ignore = read(".dockerignore");
    let let_through: Vec<&str> = ignore
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(ignore.lines().any(|line| line == "*"), "{ignore}");
    for path in copied_sources() {
        assert!(
            root().join(&path).exists(),
            "the Dockerfile copies {path}, which is not there"
        );
        let top = path.split('/').next().unwrap();
        assert!(
            let_through.contains(&top),
            ".dockerignore keeps {path} from the Dockerfile, which copies it"
        );
    }
    for path in let_through {
        assert!(
            copied_sources()
                .iter()
                .any(|copied| copied.split('/').next() == Some(path)),
            ".dockerignore lets {path} through, which the Dockerfile does not copy"
        );
    }
}

/// Cargo refuses a manifest whose members, benches or tests are missing.
#[test]
fn image_copies_all_that_the_manifests_name() {
    let temp = tempfile::tempdir().unwrap();
    for path in copied_sources() {
        let link = temp.path().join(&path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(root().join(&path), link).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version=1"])
        .current_dir(temp.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: Vec<&str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    assert!(packages.contains(&"lakegate"), "{packages:?}");
}

#[test]
fn image_takes_the_server_from_the_profile_that_it_builds() {
    let build = all_of("RUN")
        .into_iter()
        .find(|command| command.starts_with("cargo build"))
        .unwrap();
    let profile = build
        .split_whitespace()
        .skip_while(|word| *word != "--profile")
        .nth(1)
        .unwrap();
    let profiles = &toml("Cargo.toml")["profile"];
    assert!(
        profiles.get(profile).is_some(),
        "Cargo.toml has no profile {profile}"
    );
    let workdir = &all_of("WORKDIR")[0];
    let copied = format!("--from=builder {workdir}/target/{profile}/lakegate {INSTALLED}");
    assert!(all_of("COPY").contains(&copied), "no COPY {copied}");
}

#[test]
fn image_starts_with_arguments_that_the_server_accepts() {
    let mut command = exec_form(&one_of("ENTRYPOINT"));
    command.extend(exec_form(&one_of("CMD")));
    assert_eq!(command[0], INSTALLED);
    let missing = [("LAKEGATE_CONFIG", "/no/such/lakegate.toml")];
    assert!(one_of("ENV").contains("LAKEGATE_CONFIG="));
    assert_arguments_are_accepted(&command[1..], &missing);
}

#[test]
fn image_exposes_the_doors_at_their_default_ports_on_all_addresses() {
    let ports = default_doors().map(|(_, at)| at.port().to_string());
    assert_eq!(one_of("EXPOSE"), ports.join(" "));
    let configuration = toml("packaging/container.toml");
    for (door, at) in default_doors() {
        let listen = configuration[door]["listen"].as_str().unwrap();
        assert_eq!(listen, format!("0.0.0.0:{}", at.port()), "{door}");
    }
}

#[test]
fn image_keeps_the_state_and_the_lake_in_its_volumes() {
    let configuration = toml("packaging/container.toml");
    let lake = configuration["lake"]["roots"][0]["url"].as_str().unwrap();
    let volumes = exec_form(&one_of("VOLUME"));
    assert_eq!(volumes[0], configuration["server"]["state_dir"]);
    assert_eq!(format!("file://{}/", volumes[1]), lake);
    let copied = format!(
        "packaging/container.toml {}",
        one_of("ENV")
            .split_whitespace()
            .find_map(|variable| variable.strip_prefix("LAKEGATE_CONFIG="))
            .unwrap()
    );
    assert!(all_of("COPY").contains(&copied), "no COPY {copied}");
}

#[test]
fn configuration_of_the_image_is_one_that_a_server_starts_with() {
    let temp = tempfile::tempdir().unwrap();
    let at = |folder: &str| temp.path().join(folder).display().to_string();
    fs::create_dir(at("lake")).unwrap();
    let roots = format!("[{{url=\"file://{}/\"}}]", at("lake"));
    let mut server = Server::serve(
        temp.path(),
        &root().join("packaging/container.toml"),
        &[
            ("LAKEGATE_SERVER__STATE_DIR", at("state").as_str()),
            ("LAKEGATE_LAKE__ROOTS", roots.as_str()),
            ("LAKEGATE_POSTGRES__LISTEN", "127.0.0.1:0"),
            ("LAKEGATE_FLIGHT__LISTEN", "127.0.0.1:0"),
            ("LAKEGATE_HTTP__LISTEN", "127.0.0.1:0"),
        ],
    );
    let url = server.connection()["http"]["url"].as_str().unwrap();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    assert!(is_healthy(port), "{}", server.log());
    server.signal("TERM");
    assert!(server.wait().success(), "{}", server.log());
    assert!(!is_healthy(port), "healthy without a server");
}

/// Returns the result of the image's HEALTHCHECK for a server whose HTTP door is at `port`.
fn is_healthy(port: u16) -> bool {
    let check = one_of("HEALTHCHECK");
    let command = exec_form(check.split_once("CMD").unwrap().1);
    let [_, _, (_, http)] = default_doors();
    let place = format!("/dev/tcp/127.0.0.1/{}", http.port());
    assert!(command.iter().any(|word| word.contains(&place)), "{check}");
    let at = |word: &String| word.replace(&place, &format!("/dev/tcp/127.0.0.1/{port}"));
    let words: Vec<String> = command.iter().map(at).collect();
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    output.status.success()
}

#[test]
fn unit_starts_with_arguments_that_the_server_accepts() {
    let command = one_unit("ExecStart");
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words.remove(0), INSTALLED);
    let configuration = words.last_mut().unwrap();
    assert!(configuration.ends_with("/lakegate.toml"), "{command}");
    *configuration = "/no/such/lakegate.toml".to_owned();
    assert_arguments_are_accepted(&words, &[]);
}

#[test]
fn unit_gives_the_server_time_to_drain() {
    let stop = one_unit("TimeoutStopSec");
    let seconds: u64 = stop.strip_suffix('s').unwrap().parse().unwrap();
    let grace = Config::default().server.grace_period;
    assert!(
        Duration::from_secs(seconds) >= grace + Duration::from_secs(10),
        "the unit stops after {stop}, queries may go on for {grace:?}"
    );
    assert_eq!(one_unit("KillSignal"), "SIGTERM");
    assert_eq!(one_of("STOPSIGNAL"), "SIGTERM");
}

#[test]
fn unit_confines_the_server() {
    for (setting, value) in [
        ("User", "lakegate"),
        ("StateDirectory", "lakegate"),
        ("StateDirectoryMode", "0700"),
        ("WorkingDirectory", "/var/lib/lakegate"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
    ] {
        assert_eq!(one_unit(setting), value, "{setting}");
    }
    // The server reads /proc/meminfo.
    assert!(unit("ProcSubset").is_empty());
}

/// Checks the unit with systemd, if it is installed.
#[test]
fn unit_is_one_that_systemd_takes() {
    let is_installed = Command::new("systemd-analyze").arg("--version").output();
    if is_installed.is_err() {
        println!("systemd-analyze is not installed: the unit was not verified");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let verify = |text: &str| -> (bool, String) {
        let file: PathBuf = temp.path().join("lakegate.service");
        fs::write(&file, text).unwrap();
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&file)
            .output()
            .unwrap();
        // Only lines about this unit: the machine's own units may have faults too.
        let all = self::text(&output);
        let own = all.lines().filter(|line| line.contains("lakegate.service"));
        let own: Vec<&str> = own.collect();
        (output.status.success(), own.join("\n"))
    };
    // systemd checks whether the program exists.
    let unit = read("packaging/lakegate.service").replace(INSTALLED, BINARY);
    assert_eq!(verify(&unit), (true, String::new()));
    // A misspelt setting would be reported.
    let (_, report) = verify(&unit.replace("ProtectSystem=", "ProtectSystems="));
    assert!(report.contains("ProtectSystems"), "{report}");
}
