//! Tests every cell of `tests/data/access_matrix.txt`: which privilege allows which statement.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow_flight::sql::{
    CommandGetDbSchemas, CommandGetTables, CommandStatementIngest, TableDefinitionOptions,
    TableExistsOption, TableNotExistOption,
};
use futures::future::join_all;
use tonic::Status;

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::flight::status;
use crate::harness::{Client, Door, Flight, Server};

const MATRIX: &str = include_str!("../data/access_matrix.txt");
const PASSWORD: &str = "a long enough secret";
/// The grants of each column of the matrix, in order.
const GRANTED: [&str; 8] = ["", "T", "F", "O", "TF", "TO", "FO", "TFO"];
/// SQLSTATEs of refusals: a missing privilege, an object that does not exist for the user, and a
/// table that cannot be replaced because its folder holds another table.
const REFUSALS: [&str; 5] = ["42501", "42P01", "3F000", "42704", "42P16"];

/// One column of the matrix: a user with its grants, and tables of its own.
struct Case {
    door: Door,
    granted: &'static str,
    user: String,
    database: String,
    folder: Folder,
    admin: Client,
    client: Client,
    flight: Flight,
}

impl Case {
    async fn new(server: &Server, door: Door, granted: &'static str) -> Case {
        let name = format!("matrix_{door}_{}", granted.to_lowercase());
        let folder = Folder::new(server, &name);
        let admin = server.connect("admin").await;
        let rows = batch(&[("id", Values::Int(&[1]))]);
        folder.put("f/p=1/one.parquet", parquet(&rows, 10));
        let (user, f) = (format!("{name}_user"), format!("{}f/", folder.location));
        admin
            .run_each(&[
                &format!("CREATE USER {user} WITH PASSWORD '{PASSWORD}'"),
                &format!("CREATE DATABASE {name} LOCATION '{}own/'", folder.location),
                &format!("CREATE DATABASE {name}_other"),
                &format!("CREATE EXTERNAL TABLE {name}_other.other (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{f}'"),
                &format!("ALTER TABLE {name}_other.other ADD PARTITION (p = 1)"),
                &format!("GRANT SELECT ON TABLE {name}_other.other TO reader"),
                &format!("GRANT DATA_LOCATION ON '{f}' TO reader"),
            ])
            .await;
        if granted.contains('F') {
            let free = format!("{}free/", folder.location);
            for location in [&f, &free] {
                let grant =
                    format!("GRANT DATA_LOCATION ON '{location}' TO {user} WITH GRANT OPTION");
                admin.run(&grant).await;
            }
        }
        if granted.contains('O') {
            let grant =
                format!("GRANT ALL ON TABLE {name}_other.other TO {user} WITH GRANT OPTION");
            admin.run(&grant).await;
        }
        let client = door
            .connect_as(server, &user, PASSWORD, "awsdatacatalog")
            .await;
        let mut flight = server.flight_anonymous().await;
        flight.sql.handshake(&user, PASSWORD).await.unwrap();
        let case = Case {
            door,
            granted,
            user,
            database: name,
            folder,
            admin,
            client,
            flight,
        };
        case.reset().await;
        case
    }

    /// Restores the tables and grants that each line starts from.
    async fn reset(&self) {
        let (database, user) = (&self.database, &self.user);
        let run = async |sql: String| self.admin.run(&sql).await;
        for table in ["t", "made", "renamed"] {
            run(format!("DROP TABLE IF EXISTS {database}.{table}")).await;
        }
        run(format!("DROP DATABASE IF EXISTS {database}_made CASCADE")).await;
        run(format!("CREATE EXTERNAL TABLE {database}.t (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}f/'", self.folder.location)).await;
        run(format!("ALTER TABLE {database}.t ADD PARTITION (p = 1)")).await;
        if self.granted.contains('T') {
            run(format!(
                "GRANT ALL ON TABLE {database}.t TO {user} WITH GRANT OPTION"
            ))
            .await;
            run(format!(
                "GRANT CREATE TABLE ON DATABASE {database} TO {user}"
            ))
            .await;
            run(format!("GRANT CREATE DATABASE ON CATALOG TO {user}")).await;
        }
    }

    /// Runs a line and returns whether it succeeded.
    async fn attempt(&self, line: &str) -> bool {
        let (database, location) = (&self.database, &self.folder.location);
        let line = line
            .replace("{t}", &format!("{database}.t"))
            .replace("{other}", &format!("{database}_other.other"))
            .replace("{db}", database)
            .replace("{own}", &format!("{location}own/"))
            .replace("{free}", &format!("{location}free/"))
            .replace("{f}", &format!("{location}f/"));
        if let Some(call) = line.strip_prefix("flight ") {
            return self.call(call).await;
        }
        match self.client.try_rows(&line).await {
            Ok(_) => true,
            Err(failure) => {
                let known = REFUSALS.contains(&failure.code.as_str());
                assert!(
                    known,
                    "{} {}: {line}\n  {failure:?}",
                    self.door, self.granted
                );
                false
            }
        }
    }

    async fn call(&self, call: &str) -> bool {
        let mut flight = self.flight.clone();
        let words: Vec<&str> = call.split_whitespace().collect();
        let (schema, table) = words[1].split_once('.').unwrap_or((words[1], ""));
        let (schema, table) = (schema.to_owned(), table.to_owned());
        match words[0] {
            "prepare" => {
                let prepared = flight
                    .sql
                    .prepare(format!("SELECT id FROM {}", words[1]), None);
                done(call, prepared.await.map(|_| ()).map_err(status))
            }
            "tables" => {
                let asked = CommandGetTables {
                    db_schema_filter_pattern: Some(schema),
                    table_name_filter_pattern: Some(table),
                    ..CommandGetTables::default()
                };
                let info = flight.sql.get_tables(asked).await.unwrap();
                shown(&mut flight, info).await
            }
            "schemas" => {
                let asked = CommandGetDbSchemas {
                    db_schema_filter_pattern: Some(schema),
                    ..CommandGetDbSchemas::default()
                };
                let info = flight.sql.get_db_schemas(asked).await.unwrap();
                shown(&mut flight, info).await
            }
            mode => {
                let (missing, exists) = match mode {
                    "append" => (TableNotExistOption::Fail, TableExistsOption::Append),
                    "replace" => (TableNotExistOption::Fail, TableExistsOption::Replace),
                    "create" => (TableNotExistOption::Create, TableExistsOption::Fail),
                    _ => panic!("{call} is no call of the matrix"),
                };
                let mut command = CommandStatementIngest {
                    table_definition_options: Some(TableDefinitionOptions {
                        if_not_exist: missing.into(),
                        if_exists: exists.into(),
                    }),
                    table,
                    schema: Some(schema),
                    ..CommandStatementIngest::default()
                };
                if let Some(location) = words.get(3) {
                    let option = ("location".to_owned(), (*location).to_owned());
                    command.options.extend([option]);
                }
                let rows: RecordBatch =
                    batch(&[("id", Values::Int(&[7])), ("p", Values::Int(&[1]))]);
                let rows = futures::stream::iter([Ok(rows)]);
                let written = flight.sql.execute_ingest(command, rows).await;
                done(call, written.map(|_| ()).map_err(status))
            }
        }
    }
}

fn done(call: &str, outcome: Result<(), Status>) -> bool {
    let Err(status) = outcome else {
        return true;
    };
    let code = status
        .metadata()
        .get("sqlstate")
        .map(|code| code.to_str().unwrap());
    assert!(
        code.is_some_and(|code| REFUSALS.contains(&code)),
        "{call}: {status:?}"
    );
    false
}

async fn shown(flight: &mut Flight, info: arrow_flight::FlightInfo) -> bool {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let fetched = flight.fetch(ticket).await.unwrap();
    fetched.batches.iter().any(|batch| batch.num_rows() > 0)
}

/// Returns whether a line may have changed the state that the next one starts from.
fn changes(line: &str) -> bool {
    let reads = [
        "SELECT",
        "EXPLAIN",
        "PREPARE",
        "SHOW",
        "DESCRIBE",
        "GRANT",
        "REVOKE",
        "flight prepare",
        "flight tables",
        "flight schemas",
        "flight append",
    ];
    !reads.iter().any(|read| line.starts_with(read))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_those_of_the_matrix() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    for user in ["friend", "reader"] {
        let create = format!("CREATE USER {user} WITH PASSWORD '{PASSWORD}'");
        admin.run(&create).await;
    }
    let lines: Vec<(&str, &str)> = MATRIX
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.rsplit_once('|').unwrap())
        .collect();
    let (head, lines) = lines.split_first().unwrap();
    let columns: Vec<&str> = head.1.split_whitespace().collect();
    assert_eq!(
        columns,
        GRANTED.map(|granted| if granted.is_empty() { "." } else { granted })
    );
    for door in [Door::Postgres, Door::Flight] {
        let cases = join_all(GRANTED.map(|granted| Case::new(&server, door, granted))).await;
        // Each user tries the lines in order; the users run concurrently.
        let outcomes = join_all(cases.iter().map(|case| async {
            let mut outcome = Vec::with_capacity(lines.len());
            for (line, _) in lines {
                let is_done = case.attempt(line.trim()).await;
                if is_done && changes(line) {
                    case.reset().await;
                }
                outcome.push(is_done);
            }
            outcome
        }))
        .await;
        let mut wrong = String::new();
        for (index, (line, expected)) in lines.iter().enumerate() {
            let cell = |outcome: &Vec<bool>| if outcome[index] { "+" } else { "-" };
            let found: Vec<&str> = outcomes.iter().map(cell).collect();
            let expected: Vec<&str> = expected.split_whitespace().collect();
            if found != expected {
                let (line, found, expected) = (line.trim(), found.join(" "), expected.join(" "));
                writeln!(wrong, "{line}\n  is {found}\n not {expected}").unwrap();
            }
        }
        assert!(wrong.is_empty(), "{door}:\n{wrong}");
    }
}
