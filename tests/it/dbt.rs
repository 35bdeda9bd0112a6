//! dbt with dbt-postgres: the project `tests/clients/dbt`, which `docs/connect/dbt.md` explains.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::harness::{Server, lake, python};

/// A process that runs dbt's commands one after the other: dbt takes longer to load than to run.
struct Dbt {
    process: Child,
    /// `None` once it was asked to end.
    commands: Option<ChildStdin>,
    printed: BufReader<ChildStdout>,
    /// Where dbt writes what it compiles, and its logs.
    work: PathBuf,
}

impl Drop for Dbt {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.process.wait();
    }
}

impl Dbt {
    fn of(server: &Server, work: &Path) -> Self {
        let venv = python::cached("LAKEGATE_DBT_VENV", "lakegate-dbt-venv");
        assert!(
            venv.join("bin/dbt").exists(),
            "{} is missing: run the tests with ./test, which installs it",
            venv.display()
        );
        let mut process = python::patient(venv.join("bin/python"))
            .arg(python::clients().join("dbt_commands.py"))
            .env("LAKEGATE_HOST", server.host())
            .env("LAKEGATE_PORT", server.port().to_string())
            .env("LAKEGATE_USER", "engineer")
            .env("LAKEGATE_PASSWORD", server.password("engineer"))
            .env("LAKEGATE_SSLROOTCERT", server.ca_file())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            commands: process.stdin.take(),
            printed: BufReader::new(process.stdout.take().unwrap()),
            process,
            work: work.to_owned(),
        }
    }

    /// Returns whether a command succeeds, and what it prints.
    fn output(&mut self, arguments: &[&str]) -> (bool, String) {
        let project = python::clients().join("dbt");
        let folder = |option: &str, path: &Path| [option.to_owned(), path.display().to_string()];
        let mut command: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        command.extend(folder("--project-dir", &project));
        command.extend(folder("--profiles-dir", &project));
        command.extend(folder("--target-path", &self.work.join("target")));
        command.extend(folder("--log-path", &self.work.join("logs")));
        let commands = self.commands.as_mut().unwrap();
        writeln!(commands, "{}", Value::from(command)).unwrap();
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let read = self.printed.read_line(&mut line).unwrap();
            assert!(read > 0, "dbt {arguments:?} ended the process\n{text}");
            match line.as_str() {
                "dbt succeeded\n" => return (true, text),
                "dbt failed\n" => return (false, text),
                _ => text += &line,
            }
        }
    }

    /// Runs a command of dbt; if anything in it fails, the test fails with all of the output.
    #[track_caller]
    fn run(&mut self, arguments: &[&str]) {
        let (is_ok, text) = self.output(arguments);
        assert!(is_ok, "dbt {arguments:?} failed\n{text}");
    }

    /// Runs a command with the orders until a day.
    #[track_caller]
    fn until(&mut self, day: &str, command: &str) {
        self.run(&[command, "--vars", &format!("{{\"until\": \"{day}\"}}")]);
    }

    #[track_caller]
    fn refused(&mut self, arguments: &[&str], message: &str) {
        let (is_ok, text) = self.output(arguments);
        assert!(!is_ok && text.contains(message), "{text}");
    }

    /// Returns one of the files that dbt writes.
    fn artifact(&self, name: &str) -> Value {
        let path = self.work.join("target").join(name);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }
}

/// What each model must hold when it has the orders until a day.
fn expected(day: &str) -> [(&'static str, String); 5] {
    let orders = format!("curated.orders WHERE order_date <= DATE '{day}'");
    [
        (
            "SELECT order_date, order_count, revenue FROM dbt_shop.daily_orders ORDER BY 1",
            format!("SELECT order_date, count(*), sum(total) FROM {orders} GROUP BY 1 ORDER BY 1"),
        ),
        (
            "SELECT order_date, count(*), sum(total) FROM dbt_shop.orders_by_day GROUP BY 1 ORDER BY 1",
            format!("SELECT order_date, count(*), sum(total) FROM {orders} GROUP BY 1 ORDER BY 1"),
        ),
        (
            "SELECT product_id, quantity, revenue FROM dbt_shop.product_sales ORDER BY 1",
            format!(
                "SELECT product_id, sum(quantity), sum(total) FROM {orders} GROUP BY 1 ORDER BY 1"
            ),
        ),
        // The months are times with a zone, which the table has in the time zone of the session.
        (
            "SELECT month, order_count, loaded_at <= now()::timestamp FROM dbt_shop.monthly_orders ORDER BY 1",
            format!(
                "SELECT date_trunc('month', order_date)::timestamp, count(*), true FROM {orders} GROUP BY 1 ORDER BY 1"
            ),
        ),
        (
            "SELECT sum(order_count), sum(total_spent) FROM dbt_shop.customer_value",
            format!("SELECT count(*), sum(total) FROM {orders}"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dbt_builds_tests_and_documents_its_project() {
    let server = Server::private(&[]);
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let mut dbt = Dbt::of(&server, temp.path());
    let admin = server.connect("admin").await;

    dbt.run(&["seed"]);
    let history = "SELECT count(*) FROM dbt_shop.customer_value_history";
    let mut rows = Vec::new();
    // The second time adds to the incremental models, and replaces everything else. `build` does
    // what the four commands do.
    for (day, commands) in [
        ("2024-06-30", ["run", "test", "snapshot"].as_slice()),
        ("2024-07-31", ["build"].as_slice()),
    ] {
        for command in commands {
            dbt.until(day, command);
        }
        for (found, expected) in expected(day) {
            let wanted = admin.text(&expected).await;
            assert!(wanted.len() > 1, "{expected} shows nothing");
            assert_eq!(admin.text(found).await, wanted, "{found}");
        }
        rows.push(admin.number(history).await);
        let current = format!("{history} WHERE dbt_valid_to IS NULL");
        assert_eq!(
            admin.value(&current).await,
            admin.value("SELECT count(*) FROM curated.customers").await
        );
        assert_eq!(
            admin.value("SELECT count(*) FROM dbt_shop.segments").await,
            "4"
        );
    }
    assert!(rows[1] > rows[0], "no customer has changed: {rows:?}");

    // A model with a column more: rows of runs before have NULL there.
    let changed = r#"{"until": "2024-08-31", "count_customers": true}"#;
    dbt.run(&["run", "--select", "+daily_orders", "--vars", changed]);
    let counted =
        "SELECT min(order_date), max(order_date) FROM dbt_shop.daily_orders WHERE customers > 0";
    assert_eq!(admin.text(counted).await, "2024-08-01|2024-08-31");

    dbt.run(&["run", "--full-refresh", "--select", "+orders_by_day"]);
    assert_eq!(
        admin
            .value("SELECT count(*) FROM dbt_shop.orders_by_day")
            .await,
        admin.value("SELECT count(*) FROM curated.orders").await
    );

    // A table or view of one run does not stay.
    let names = admin.column("SHOW TABLES IN dbt_shop").await;
    assert!(
        names.iter().all(|name| !name.contains("__dbt_")),
        "{names:?}"
    );

    dbt.run(&["docs", "generate"]);
    let catalog = dbt.artifact("catalog.json");
    let table = &catalog["nodes"]["model.lakegate_demo.customer_value"];
    assert_eq!(table["metadata"]["type"], "BASE TABLE", "{table}");
    assert_eq!(table["columns"]["order_count"]["type"], "bigint", "{table}");
    let comment = &table["metadata"]["comment"];
    assert!(comment.as_str().unwrap().contains("customer's"), "{table}");
    let comment = &table["columns"]["total_spent"]["comment"];
    assert!(comment.as_str().unwrap().contains("; 0 without"), "{table}");
    let view = &catalog["nodes"]["model.lakegate_demo.stg_orders"];
    assert_eq!(view["metadata"]["type"], "VIEW", "{view}");
    assert!(catalog["sources"]["source.lakegate_demo.curated.orders"].is_object());
}

#[test]
fn dbt_is_told_by_name_what_tables_of_files_do_not_have() {
    let server = Server::private(&[]);
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let mut dbt = Dbt::of(&server, temp.path());
    for (sql, message) in [
        (
            "merge into curated.users u using curated.customers c on u.customer_id = c.customer_id when matched then delete",
            "MERGE is not supported",
        ),
        (
            "update curated.users set country = null",
            "UPDATE is not supported",
        ),
    ] {
        let arguments = format!("{{\"sql\": \"{sql}\"}}");
        dbt.refused(
            &["run-operation", "run_query", "--args", &arguments],
            message,
        );
    }
}
