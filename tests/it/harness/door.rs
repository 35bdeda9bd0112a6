//! The doors, for tests that apply to each of them.

use std::fmt;

use super::client::{Client, Failure};
use super::{Server, flight_link::FlightLink};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Postgres,
    Flight,
}

/// Used in names of objects that a test creates on a shared server.
impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Door::Postgres => "postgres",
            Door::Flight => "flight",
        })
    }
}

impl Door {
    /// Connects one of the demo's users to the catalog's database.
    pub(crate) async fn connect(self, server: &Server, user: &str) -> Client {
        let password = server.password(user);
        self.connect_as(server, user, password, "awsdatacatalog")
            .await
    }

    pub(crate) async fn connect_as(
        self,
        server: &Server,
        user: &str,
        password: &str,
        database: &str,
    ) -> Client {
        match self.try_connect(server, user, password, database).await {
            Ok(client) => client,
            Err(error) => panic!(
                "{user} cannot connect to {database} by {self}: {error:?}\n{}",
                server.log()
            ),
        }
    }

    pub(crate) async fn try_connect(
        self,
        server: &Server,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Client, Failure> {
        match self {
            Door::Postgres => server.try_connect(user, password, database).await,
            Door::Flight => Ok(Client::flying(
                FlightLink::open(server, user, password, database).await?,
            )),
        }
    }
}

/// Makes one test per door of each `async fn(Door)`. The compiler reports a function that is not
/// listed as unused.
macro_rules! through_each_door {
    ($($test:ident),+ $(,)?) => {
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::harness::Door::Postgres).await;
                }
            )+
        }
        mod flight {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::harness::Door::Flight).await;
                }
            )+
        }
    };
}

pub(crate) use through_each_door;
