//! A Flight SQL client for tests that read like transcripts: run this, expect these rows, fail like
//! this.

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use arrow_flight::decode::DecodedPayload;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use futures::{StreamExt, TryStreamExt};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use super::Server;
use super::tls::Tls;

/// A connection with the credentials that its calls carry.
#[derive(Clone)]
pub(crate) struct Flight {
    pub sql: FlightSqlServiceClient<Channel>,
}

/// The result of a DoGet.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub batches: Vec<RecordBatch>,
    /// The JSON metadata of the last message.
    pub usage: Value,
}

impl Fetched {
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let rows = self.batches.iter().flat_map(|batch| {
            (0..batch.num_rows()).map(|row| {
                let cells = batch.columns().iter();
                cells
                    .map(|column| array_value_to_string(column, row).unwrap())
                    .collect()
            })
        });
        rows.collect()
    }

    pub(crate) fn value(&self) -> String {
        let rows = self.rows();
        assert_eq!((rows.len(), rows[0].len()), (1, 1), "{rows:?}");
        rows[0][0].clone()
    }
}

/// Returns the gRPC status of an error; every error from the server has one.
pub(crate) fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => Status::unknown(other.to_string()),
    }
}

impl Server {
    /// Opens a connection over verified TLS, without credentials.
    pub(crate) async fn flight_channel(&self) -> Channel {
        self.flight_over(self.tls()).await.unwrap()
    }

    pub(crate) async fn flight_over(&self, tls: &Tls) -> Result<Channel, tonic::transport::Error> {
        let door = &self.connection()["flight"];
        let host = door["host"].as_str().unwrap().to_owned();
        let port = u16::try_from(door["port"].as_u64().unwrap()).unwrap();
        let config = tls.http2();
        let connector = tower::service_fn(move |_: Uri| {
            let (host, config) = (host.clone(), config.clone());
            async move {
                let tcp = TcpStream::connect((host.as_str(), port)).await?;
                tcp.set_nodelay(true)?;
                let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
                let tls = TlsConnector::from(config).connect(name, tcp).await?;
                Ok::<_, std::io::Error>(TokioIo::new(tls))
            }
        });
        Endpoint::from_static("http://lakegate")
            .connect_with_connector(connector)
            .await
    }

    /// Returns the URI that drivers connect to.
    pub(crate) fn flight_uri(&self) -> String {
        let door = &self.connection()["flight"];
        format!(
            "grpc+tls://{}:{}",
            door["host"].as_str().unwrap(),
            door["port"]
        )
    }

    pub(crate) async fn flight_anonymous(&self) -> Flight {
        Flight::over(self.flight_channel().await)
    }

    /// Logs in by Handshake: all calls are in one session.
    pub(crate) async fn flight(&self, user: &str) -> Flight {
        let mut flight = self.flight_anonymous().await;
        let password = self.password(user).to_owned();
        flight.sql.handshake(user, &password).await.unwrap();
        assert!(
            flight.sql.token().is_some(),
            "the handshake gave a bearer token"
        );
        flight
    }

    /// Sends Basic credentials with each call: every call has its own session.
    pub(crate) async fn flight_basic(&self, user: &str) -> Flight {
        let mut flight = self.flight_anonymous().await;
        flight.with_basic(user, self.password(user), true);
        flight
    }
}

impl Flight {
    /// Wraps a channel without credentials.
    pub(crate) fn over(channel: Channel) -> Self {
        let inner = FlightServiceClient::new(channel).max_decoding_message_size(usize::MAX);
        Self {
            sql: FlightSqlServiceClient::new_from_inner(inner),
        }
    }

    pub(crate) fn with_bearer(&mut self, token: &str) {
        self.sql
            .set_header("authorization", format!("Bearer {token}"));
    }

    /// Logs in by Handshake, and returns the authorization header of the answer.
    pub(crate) async fn handshake(&mut self, user: &str, password: &str) -> Result<String, Status> {
        let mut request = tonic::Request::new(futures::stream::iter([HandshakeRequest::default()]));
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        request
            .metadata_mut()
            .insert("authorization", basic.parse().unwrap());
        let answer = self.sql.inner_mut().handshake(request).await?;
        let header = answer.metadata().get("authorization").unwrap();
        let header = header.to_str().unwrap().to_owned();
        let responses: Vec<HandshakeResponse> = answer.into_inner().try_collect().await?;
        assert_eq!(responses.len(), 1);
        assert_eq!(responses[0].payload, header.as_bytes());
        Ok(header)
    }

    /// Builds a request with the session's token, for calls that the client has no method for.
    pub(crate) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let token = format!("Bearer {}", self.sql.token().unwrap());
        request
            .metadata_mut()
            .insert("authorization", token.parse().unwrap());
        request
    }

    pub(crate) fn with_basic(&mut self, user: &str, password: &str, padded: bool) {
        let plain = format!("{user}:{password}");
        let encoded = if padded {
            STANDARD.encode(plain)
        } else {
            STANDARD_NO_PAD.encode(plain)
        };
        self.sql
            .set_header("authorization", format!("Basic {encoded}"));
    }

    pub(crate) async fn info(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        self.sql.execute(sql.to_owned(), None).await.map_err(status)
    }

    /// Returns the only ticket of a statement.
    pub(crate) async fn ticket(&mut self, sql: &str) -> Result<Ticket, Status> {
        let info = self.info(sql).await?;
        assert_eq!(info.endpoint.len(), 1);
        assert!(
            info.endpoint[0].location.is_empty(),
            "fetched where it was asked for"
        );
        Ok(info.endpoint[0].ticket.clone().unwrap())
    }

    pub(crate) async fn fetch(&mut self, ticket: Ticket) -> Result<Fetched, Status> {
        let stream = self.sql.do_get(ticket).await.map_err(status)?;
        let mut decoded = stream.into_inner();
        let mut fetched = Fetched {
            batches: Vec::new(),
            usage: Value::Null,
        };
        while let Some(message) = decoded.next().await {
            let message = message.map_err(status)?;
            fetched.usage = serde_json::from_slice(&message.app_metadata()).unwrap_or(Value::Null);
            if let DecodedPayload::RecordBatch(batch) = message.payload {
                fetched.batches.push(batch);
            }
        }
        Ok(fetched)
    }

    pub(crate) async fn try_run(&mut self, sql: &str) -> Result<Fetched, Status> {
        let ticket = self.ticket(sql).await?;
        self.fetch(ticket).await
    }

    #[track_caller]
    pub(crate) fn run(&mut self, sql: &str) -> impl Future<Output = Fetched> {
        let caller = std::panic::Location::caller();
        async move {
            self.try_run(sql)
                .await
                .unwrap_or_else(|status| panic!("{caller}: {sql}\n  {status:?}"))
        }
    }

    /// Returns the error of a statement that must fail.
    #[track_caller]
    pub(crate) fn fails(&mut self, sql: &str) -> impl Future<Output = Status> {
        let caller = std::panic::Location::caller();
        async move {
            match self.try_run(sql).await {
                Ok(fetched) => panic!("{caller}: {sql}\n  should fail, but gave {fetched:?}"),
                Err(status) => status,
            }
        }
    }

    /// Returns the bodies of an action's answer.
    pub(crate) async fn act(
        &mut self,
        name: &str,
        body: Vec<u8>,
    ) -> Result<Vec<bytes::Bytes>, Status> {
        let answer = self
            .sql
            .do_action(Action::new(name, body))
            .await
            .map_err(status)?;
        let results: Vec<arrow_flight::Result> = answer.try_collect().await?;
        Ok(results.into_iter().map(|result| result.body).collect())
    }
}
