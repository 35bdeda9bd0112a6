//! A proxy in front of an S3 server that answers some requests with errors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Requests of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Reads an object, or a range of it.
    Get,
    Put,
    UploadPart,
    Complete,
}

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The status, and the code of S3.
    Answer(u16, &'static str),
    /// The connection ends without an answer.
    Reset,
}

#[derive(Debug)]
struct Plan {
    request: Request,
    fault: Fault,
    /// How many of the requests go well before.
    after: usize,
    /// How many fail then.
    times: usize,
}

#[derive(Default)]
struct State {
    plan: Mutex<Option<Plan>>,
    failed: AtomicUsize,
}

pub(crate) struct Faulty {
    pub endpoint: String,
    state: Arc<State>,
}

impl Faulty {
    /// `endpoint`: of the server, `http://host:port`.
    pub(crate) async fn before(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let server = endpoint.trim_start_matches("http://").to_owned();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, state) = (server.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    // A client that goes away is none of the proxy's business.
                    let _ = pass(client, &server, &state).await;
                });
            }
        });
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            state,
        }
    }

    /// From now on, `times` requests fail, once `after` have gone well.
    pub(crate) fn fail(&self, request: Request, fault: Fault, after: usize, times: usize) {
        self.state.failed.store(0, Ordering::SeqCst);
        *self.state.plan.lock().unwrap() = Some(Plan {
            request,
            fault,
            after,
            times,
        });
    }

    /// Passes everything on, and returns how many requests failed since [`Self::fail`].
    pub(crate) fn heal(&self) -> usize {
        *self.state.plan.lock().unwrap() = None;
        self.state.failed.swap(0, Ordering::SeqCst)
    }
}

impl State {
    fn fault(&self, head: &str) -> Option<Fault> {
        let mut line = head.lines().next().unwrap_or_default().split(' ');
        let (method, path) = (line.next()?, line.next()?);
        let request = match method {
            "GET" if !path.contains("list-type=") => Request::Get,
            "PUT" if path.contains("partNumber=") => Request::UploadPart,
            "PUT" => Request::Put,
            "POST" if path.contains("uploadId=") => Request::Complete,
            _ => return None,
        };
        let mut plan = self.plan.lock().unwrap();
        let plan = plan.as_mut().filter(|plan| plan.request == request)?;
        if plan.after > 0 {
            plan.after -= 1;
            return None;
        }
        if plan.times == 0 {
            return None;
        }
        plan.times -= 1;
        self.failed.fetch_add(1, Ordering::SeqCst);
        Some(plan.fault)
    }
}

/// Passes one request on, and ends the connection.
async fn pass(mut client: TcpStream, server: &str, state: &State) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().unwrap())
    });
    let whole = end + length.unwrap_or(0);
    while bytes.len() < whole {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    match state.fault(&head) {
        Some(Fault::Reset) => return Ok(()),
        Some(Fault::Answer(status, code)) => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>injected</Message></Error>"
            );
            let answer = format!(
                "HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        None => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    // The server closes after its answer, which needs no parsing then.
    let kept = head
        .trim_end()
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut request: Vec<&str> = kept.collect();
    request.push("Connection: close");
    let request = request.join("\r\n") + "\r\n\r\n";
    upstream.write_all(request.as_bytes()).await?;
    upstream.write_all(&bytes[end..whole]).await?;
    tokio::io::copy(&mut upstream, &mut client).await?;
    client.shutdown().await
}
