//! A lake with users for the tests of this crate: statements run as SQL text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use lakegate_catalog::access::{ADMINISTRATORS, ScramVerifier};
use lakegate_catalog::model::Table;
use lakegate_catalog::store::{Control, Metastore, SqliteStore};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::roots::{Backing, Roots};
use lakegate_lake::table::LakeTables;
use lakegate_lake::table::folders::Folders;
use lakegate_policy::View;
use tempfile::TempDir;

use super::{Output, StatementContext, columns, execute};

pub(super) struct Lake {
    directory: TempDir,
    pub store: Arc<SqliteStore>,
    roots: Arc<Roots>,
}

impl Lake {
    /// `s3://lake/` on an empty directory, the administrator `admin`, the users `ann` and `ben`,
    /// the database `sales`.
    pub(crate) async fn new() -> Lake {
        let directory = tempfile::tempdir().unwrap();
        let backing = Backing::Directory {
            path: directory.path().to_owned(),
            excluded: Vec::new(),
        };
        let roots = Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap();
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        for user in ["admin", "ann", "ben"] {
            let verifier = ScramVerifier::with_iterations("old secret", 1).unwrap();
            store.create_user(user, verifier, false).await.unwrap();
        }
        store.grant_role(ADMINISTRATORS, "admin").await.unwrap();
        let lake = Lake {
            directory,
            store,
            roots: Arc::new(roots),
        };
        lake.ok("CREATE DATABASE sales").await;
        lake
    }

    /// With `sales.orders (id, email) PARTITIONED BY (day DATE)`, Parquet under
    /// `s3://lake/orders/`.
    pub(crate) async fn with_orders() -> Lake {
        let lake = Lake::new().await;
        lake.ok(
            "CREATE EXTERNAL TABLE sales.orders (id INT, email STRING COMMENT 'of the customer')
                 PARTITIONED BY (day DATE) STORED AS PARQUET LOCATION 's3://lake/orders/'",
        )
        .await;
        lake
    }

    /// A session with the search path `sales, stock`.
    pub(crate) async fn context(&self, user: &str) -> StatementContext {
        self.context_on(user, ["sales", "stock"]).await
    }

    /// A session with a search path of its own.
    pub(crate) async fn context_on(&self, user: &str, path: [&str; 2]) -> StatementContext {
        let view = View {
            access: self.store.snapshot().access(user).unwrap(),
            metastore: Arc::clone(&self.store) as _,
            control: Arc::clone(&self.store) as _,
            tables: LakeTables::default(),
            folders: Folders::new(Arc::clone(&self.roots)),
            sealed_by: None,
            temporary: Arc::default(),
        };
        let names = path.map(str::to_owned);
        StatementContext {
            path: view.search_path(&names).await.unwrap(),
            view,
            control: Arc::clone(&self.store) as _,
            coordinator: Arc::clone(&self.store) as _,
            write_log: Arc::clone(&self.store) as _,
            roots: Arc::clone(&self.roots),
            before_commit: crate::BeforeCommit::default(),
            notices: crate::Notices::default(),
        }
    }

    /// Runs statements as a user, each with the rights of its own moment; returns the last answer.
    pub(crate) async fn run(&self, user: &str, sql: &str) -> Result<Output> {
        let mut last = Output::Command;
        for parsed in lakegate_sql::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}")) {
            last = execute(&self.context(user).await, &parsed.statement).await?;
            match &last {
                Output::Rows { batch } => {
                    assert_eq!(Some(batch.schema()), columns(&parsed.statement))
                }
                Output::Command => assert_eq!(None, columns(&parsed.statement)),
            }
        }
        Ok(last)
    }

    /// Runs statements as the administrator.
    pub(crate) async fn ok(&self, sql: &str) {
        self.ok_as("admin", sql).await;
    }

    pub(crate) async fn ok_as(&self, user: &str, sql: &str) {
        if let Err(error) = self.run(user, sql).await {
            panic!("{sql}: {error}");
        }
    }

    pub(crate) async fn fails(&self, user: &str, sql: &str) -> Error {
        match self.run(user, sql).await {
            Ok(_) => panic!("{sql} did not fail"),
            Err(error) => error,
        }
    }

    /// Statements on `sales.orders` that ann may run with ALTER on it if she sees all columns: she
    /// is granted ALTER, and not the column `email`, whose name she does not read.
    pub(crate) async fn needs_alter_and_all_columns(&self, statements: &[&str]) {
        for sql in statements {
            let hidden = self.fails("ann", sql).await;
            assert_eq!(hidden.code(), Code::TableNotFound, "{sql}");
        }
        self.ok("GRANT SELECT (id) ON TABLE orders TO ann; GRANT ALTER ON TABLE orders TO ann")
            .await;
        for sql in statements {
            let error = self.fails("ann", sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
            assert!(!error.to_string().contains("email"), "{sql}: {error}");
        }
    }

    /// The answer as text: one line per row, values separated by `|`, `NULL` for null.
    pub(crate) async fn text(&self, user: &str, sql: &str) -> String {
        let batch = match self.run(user, sql).await {
            Ok(Output::Rows { batch }) => batch,
            other => panic!("{sql}: {other:?}"),
        };
        let options = FormatOptions::default().with_null("NULL");
        let formatters: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        let lines: Vec<String> = (0..batch.num_rows())
            .map(|row| {
                let values: Vec<String> = formatters
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect();
                values.join("|")
            })
            .collect();
        lines.join("\n")
    }

    pub(crate) async fn table(&self, name: &str) -> Arc<Table> {
        self.store.table("sales", name).await.unwrap().unwrap()
    }

    /// Creates folders below the lake root, each with a file in it.
    pub(crate) fn folders(&self, paths: &[&str]) {
        for path in paths {
            let folder = self.directory.path().join(path);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("file"), "x").unwrap();
        }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.directory.path()
    }
}
