//! Sessions, tokens, handles and history belong to a user, not to a name, and they end when the
//! user is dropped.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{Client, Door, Failure, Server, eventually, through_each_door};

const SECRET: &str = "a long enough secret";
const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z";

/// A user for one test, and the administrator.
struct Account {
    door: Door,
    server: &'static Server,
    admin: Client,
    name: String,
}

impl Account {
    async fn new(door: Door) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = Server::shared();
        let account = Self {
            door,
            server,
            admin: door.connect(server, "admin").await,
            name: format!("account_{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        account.create().await;
        account
    }

    async fn create(&self) {
        let sql = format!("CREATE USER {} WITH PASSWORD '{SECRET}'", self.name);
        self.admin.run(&sql).await;
    }

    async fn alter(&self, how: &str) {
        let sql = format!("ALTER USER {} {how}", self.name);
        self.admin.run(&sql).await;
    }

    async fn drop(&self) {
        self.admin.run(&format!("DROP USER {}", self.name)).await;
    }

    async fn connect(&self) -> Client {
        self.door
            .connect_as(self.server, &self.name, SECRET, "awsdatacatalog")
            .await
    }

    async fn refused(&self, password: &str) -> Failure {
        let connected = self
            .door
            .try_connect(self.server, &self.name, password, "awsdatacatalog")
            .await;
        connected.err().expect("the login should fail")
    }

    /// Returns the error of a client whose session is over: PostgreSQL's code, or an unknown token.
    fn over(&self) -> &'static str {
        match self.door {
            Door::Postgres => "57P01",
            Door::Flight => "28P01",
        }
    }
}

async fn old_connection_of_a_dropped_user_does_not_come_alive_with_the_name(door: Door) {
    let account = Account::new(door).await;
    let (asked, waiting) = (account.connect().await, account.connect().await);
    let prepared = waiting.prepare("SELECT $1 || 'x'").await;
    let marked = format!("SELECT 'of the first {}'", account.name);
    asked.run(&marked).await;
    account.drop().await;
    assert_eq!(asked.fails("SELECT 1").await.code, account.over());
    account.create().await;
    for sql in ["SELECT 1", "SHOW search_path"] {
        let old = if sql == "SELECT 1" { &waiting } else { &asked };
        assert!(old.try_rows(sql).await.is_err(), "{sql}");
    }
    assert!(waiting.try_execute(&prepared, "a").await.is_err());
    let new = account.connect().await;
    new.run("SELECT 2").await;
    let seen = new.column("SELECT query FROM system.queries").await;
    assert!(seen.contains(&"SELECT 2".to_owned()), "{seen:?}");
    assert!(
        !seen.contains(&marked),
        "the history of the first: {seen:?}"
    );
    let users = "SELECT count(*) FROM system.queries WHERE user_name = '{}' AND query = '{}'";
    let users = users.replacen("{}", &account.name, 1);
    let users = users.replacen("{}", &marked.replace('\'', "''"), 1);
    assert_eq!(account.admin.value(&users).await, "1");
}

async fn disabled_user_is_out_at_once_and_comes_back_as_it_was(door: Door) {
    let account = Account::new(door).await;
    let grant = format!("GRANT SELECT ON TABLE curated.orders TO {}", account.name);
    account.admin.run(&grant).await;
    let (old, waiting) = (account.connect().await, account.connect().await);
    let query = "SELECT count(*) FROM curated.orders";
    let orders = old.value(query).await;
    account.alter("DISABLE").await;
    assert_eq!(old.fails(query).await.code, account.over());
    assert_eq!(account.refused(SECRET).await.code, "28P01");
    assert_eq!(
        account.refused(SECRET).await.message,
        account.refused("not the secret").await.message,
        "whether the password was right is not told"
    );
    let state = async || {
        let users = account.admin.rows("SHOW USERS").await;
        let mut users = users.into_iter();
        let user = users.find(|user| user[0].as_deref() == Some(account.name.as_str()));
        user.unwrap().last().unwrap().clone().unwrap()
    };
    assert_eq!(state().await, "DISABLED");
    account.alter("ENABLE").await;
    assert_eq!(state().await, "ENABLED");
    // A login from before that was not used since is over.
    assert!(waiting.try_rows(query).await.is_err());
    assert_eq!(account.connect().await.value(query).await, orders);
}

async fn sessions_end_with_a_new_password_if_asked(door: Door) {
    let account = Account::new(door).await;
    let old = account.connect().await;
    account.alter("WITH PASSWORD 'the second secret'").await;
    old.run("SELECT 1").await;
    account
        .alter(&format!("WITH PASSWORD '{SECRET}' TERMINATE SESSIONS"))
        .await;
    assert_eq!(old.fails("SELECT 1").await.code, account.over());
    let new = account.connect().await;
    new.run("SELECT 1").await;
    account.alter("TERMINATE SESSIONS").await;
    assert_eq!(new.fails("SELECT 1").await.code, account.over());
    account.connect().await.run("SELECT 1").await;
    let texts = account
        .admin
        .column("SELECT query FROM system.queries WHERE query LIKE 'ALTER USER%SESSIONS'")
        .await;
    assert!(
        texts.contains(&format!(
            "ALTER USER {} WITH PASSWORD '***' TERMINATE SESSIONS",
            account.name
        )),
        "{texts:?}"
    );
}

async fn running_query_of_a_dropped_user_is_stopped(door: Door) {
    let account = Account::new(door).await;
    let user = account.connect().await;
    let state = format!(
        "SELECT state FROM system.queries WHERE user_name = '{}' AND query LIKE '%generate_series%'",
        account.name
    );
    let (ended, ()) = tokio::join!(user.try_rows(FOREVER), async {
        eventually("the query to run", async || {
            let states = account.admin.column(&state).await;
            (states == ["RUNNING"]).then_some(())
        })
        .await;
        account.drop().await;
    });
    assert_eq!(ended.unwrap_err().code, "57P01");
    eventually("the query to end", async || {
        let states = account.admin.column(&state).await;
        (states != ["RUNNING"]).then_some(())
    })
    .await;
}

through_each_door!(
    old_connection_of_a_dropped_user_does_not_come_alive_with_the_name,
    disabled_user_is_out_at_once_and_comes_back_as_it_was,
    sessions_end_with_a_new_password_if_asked,
    running_query_of_a_dropped_user_is_stopped,
);
