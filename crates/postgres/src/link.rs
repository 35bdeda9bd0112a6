//! A connection's bytes: framing, buffers, back-pressure, and detection of disconnected clients.
//!
//! There is one task per connection, and no lock. While a statement runs, [`Link::run`] polls it
//! together with the socket's read side: pipelined input is kept (up to [`PIPELINE`]), and a
//! disconnect is noticed at once. Writing waits for the client ([`Link::flush`]), which slows a
//! scan down to the client's pace.

mod counted;

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use lakegate_error::{Code, Error};
use lakegate_gateway::values::Encoding;
use lakegate_transport::accept::Shutdown;
use lakegate_transport::io::Io;
use tokio::io::{AsyncWrite, Interest};
use tokio::time::{Sleep, sleep};
use tokio_util::io::poll_read_buf;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use self::counted::Dropped;
use super::inbox::Share;
use super::{client_text, frontend};

/// Bytes that a client may send ahead while a statement runs.
const PIPELINE: usize = 256 * 1024;
/// Output is buffered up to this many bytes before it is written. TLS takes 64 KiB at once; the rest
/// leaves room for the row that passes the limit, which would be a write of its own.
pub(super) const WRITE_AT: usize = 60 * 1024;
/// A buffer that grew beyond this for a long row is released, in bytes.
const KEEP: usize = 1024 * 1024;
/// How often the socket is checked for a disconnect while nothing more may be read from it.
const CLOSED_CHECK: Duration = Duration::from_millis(500);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client closed it, or it broke.
    Gone,
    /// The server is stopping, or the session was terminated.
    ShuttingDown,
    /// The client has sent nothing for as long as the session allows: the SQLSTATE and the last
    /// message.
    Idle(&'static str, Error),
    /// The framing is lost; the error is the last message.
    Lost(Error),
}

/// A message after start-up: its type and its body without the length.
#[derive(Debug)]
pub(super) struct Frame {
    pub tag: u8,
    pub body: Bytes,
    /// Why the body was not kept. It is empty then.
    pub refused: Option<Error>,
}

/// Polls a statement and catches its panics, in this crate or in the engine: they end only its
/// connection, and the client gets an error.
fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Ended>> {
    std::panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))).map_or_else(
        |_| {
            let error =
                Error::internal("the statement met a defect of the server, which is in its log");
            Poll::Ready(Err(Ended::Lost(error)))
        },
        |polled| polled.map(Ok),
    )
}

pub(super) struct Link {
    stream: Io,
    peer: SocketAddr,
    input: BytesMut,
    /// Output that is not yet written.
    pub out: BytesMut,
    /// The encoding of the session's texts; `None` is UTF8.
    pub encoding: Option<&'static Encoding>,
    /// The longest message that is accepted.
    max_message: usize,
    /// The memory of what the client has sent. None is counted before it has authenticated.
    share: Option<Share>,
    /// Bytes of the message that is being answered.
    message: usize,
    /// Bytes of the values that wait for their execution.
    values: usize,
    dropped: Option<Dropped>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Cancelled when the connection's session is terminated.
    terminated: CancellationToken,
    termination: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_off: Pin<Box<WaitForCancellationFutureOwned>>,
    closed_check: Pin<Box<Sleep>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Wraps a connection. The shutdown ends it when it is idle, or at any time once connections
    /// are cut off.
    pub(crate) fn new(stream: Io, peer: SocketAddr, shutdown: &Shutdown) -> Self {
        let terminated = CancellationToken::new();
        Self {
            stream,
            peer,
            input: BytesMut::new(),
            out: BytesMut::new(),
            encoding: None,
            // Raised once the client has authenticated.
            max_message: frontend::MAX_STARTUP,
            share: None,
            message: 0,
            values: 0,
            dropped: None,
            // Tokens of its own: each statement asks for them, and asking takes a token's lock.
            stopping: Box::pin(shutdown.stopping().child_token().cancelled_owned()),
            termination: Box::pin(terminated.clone().cancelled_owned()),
            terminated,
            cut_off: Box::pin(shutdown.cut_off().child_token().cancelled_owned()),
            closed_check: Box::pin(sleep(CLOSED_CHECK)),
        }
    }

    pub(crate) fn allow_messages_of(&mut self, bytes: usize) {
        self.max_message = bytes;
    }

    /// Ends the connection, at any time, once the token is cancelled.
    pub(crate) fn ends_with(&mut self, terminated: &CancellationToken) {
        self.terminated = terminated.clone();
        self.termination = Box::pin(terminated.clone().cancelled_owned());
    }

    /// Converts the texts of the messages in the output from `start` on to the client's encoding.
    ///
    /// # Errors
    ///
    /// A character is not in it. The messages are taken back.
    pub(crate) fn convert(&mut self, start: usize) -> Result<(), Error> {
        match self.encoding {
            None => Ok(()),
            Some(encoding) => client_text::convert_messages(&mut self.out, start, encoding),
        }
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn stream(&self) -> &Io {
        &self.stream
    }

    /// Returns the next message. Pending output is written first.
    ///
    /// # Errors
    ///
    /// The connection ends: see [`Ended`].
    pub(crate) async fn frame(&mut self) -> Result<Frame, Ended> {
        loop {
            if let Some(frame) = self.frame_within(None).await? {
                return Ok(frame);
            }
        }
    }

    /// Returns the next message, or `None` if the client does not send one for as long as `limit`.
    /// Pending output is written first.
    ///
    /// # Errors
    ///
    /// The connection ends: see [`Ended`].
    pub(crate) async fn frame_within(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<Option<Frame>, Ended> {
        let mut idle = pin!(async {
            match limit {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        });
        loop {
            if self.terminated.is_cancelled() {
                return Err(Ended::ShuttingDown);
            }
            if let Some(frame) = self.next_frame()? {
                return Ok(Some(frame));
            }
            self.flush().await?;
            let is_read = std::future::poll_fn(|cx| {
                if let Poll::Ready(read) = self.poll_read_more(cx) {
                    return Poll::Ready(read.map(|()| true));
                }
                if self.stopping.as_mut().poll(cx).is_ready()
                    || self.termination.as_mut().poll(cx).is_ready()
                {
                    return Poll::Ready(Err(Ended::ShuttingDown));
                }
                idle.as_mut().poll(cx).map(|()| Ok(false))
            })
            .await?;
            if !is_read {
                return Ok(None);
            }
        }
    }

    /// Returns the next message of a statement that reads some, such as COPY. Pending output is
    /// written first. Like [`Link::frame`], but a server that is stopping waits for the statement.
    ///
    /// # Errors
    ///
    /// The connection ends: see [`Ended`].
    pub(crate) async fn frame_of_statement(&mut self) -> Result<Frame, Ended> {
        loop {
            if let Some(frame) = self.next_frame()? {
                return Ok(frame);
            }
            if !self.out.is_empty() {
                // Writing may have read a message meanwhile.
                self.flush().await?;
                continue;
            }
            std::future::poll_fn(|cx| {
                if self.cut_off.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(Ended::ShuttingDown));
                }
                self.poll_read_more(cx)
            })
            .await?;
        }
    }

    /// Returns whether the next message is Sync, as far as it has arrived.
    pub(crate) fn is_sync_next(&self) -> bool {
        self.input.first() == Some(&b'S')
    }

    /// Returns whether a further message has arrived in whole.
    pub(crate) fn has_frame(&self) -> bool {
        let [_, a, b, c, d, ..] = self.input[..] else {
            return false;
        };
        self.input.len() > u32::from_be_bytes([a, b, c, d]) as usize
    }

    /// Takes a complete message from the input buffer.
    fn buffered_frame(&mut self) -> Result<Option<Frame>, Ended> {
        let [tag, a, b, c, d, ..] = self.input[..] else {
            return Ok(None);
        };
        let lost = |why: String| Ended::Lost(Error::new(Code::ProtocolViolation, why));
        if !frontend::is_known(tag) && tag != b'p' {
            return Err(lost(format!("invalid frontend message type {tag}")));
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length < 4 || length > self.max_message {
            return Err(lost(format!(
                "invalid message length {length}: it must be 4 to {}",
                self.max_message
            )));
        }
        if self.input.len() < 1 + length {
            return Ok(None);
        }
        let mut message = self.input.split_to(1 + length);
        message.advance(5);
        Ok(Some(Frame {
            tag,
            body: message.freeze(),
            refused: None,
        }))
    }

    fn poll_read_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        // The length that a message declares is not reserved: the buffer grows as bytes arrive.
        self.input.reserve(8 * 1024);
        match ready!(poll_read_buf(
            Pin::new(&mut self.stream),
            cx,
            &mut self.input
        )) {
            Ok(0) | Err(_) => Poll::Ready(Err(Ended::Gone)),
            Ok(_) => Poll::Ready(Ok(())),
        }
    }

    /// Runs `future` while watching the client. If the client disconnects, or the session is
    /// terminated, the future is dropped, which cancels it.
    ///
    /// # Errors
    ///
    /// The connection ends, or the future panics: see [`Ended`].
    pub(crate) async fn run<F: Future>(&mut self, future: F) -> Result<F::Output, Ended> {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            // First: the client learns that its session was terminated, not that its query was
            // stopped for that. What waits for the future waits for the token too (`poll_watch`).
            if self.terminated.is_cancelled() {
                return Poll::Ready(Err(Ended::ShuttingDown));
            }
            match poll_caught(future.as_mut(), cx) {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => self.poll_watch(cx).map(Err),
            }
        })
        .await
    }

    /// Like [`Link::run`], but writes pending output while `future` is pending.
    ///
    /// # Errors
    ///
    /// As for [`Link::run`].
    pub(crate) async fn run_and_write<F: Future>(&mut self, future: F) -> Result<F::Output, Ended> {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            if self.terminated.is_cancelled() {
                return Poll::Ready(Err(Ended::ShuttingDown));
            }
            match poll_caught(future.as_mut(), cx) {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => match self.poll_write_out(cx) {
                    Poll::Ready(Err(ended)) => Poll::Ready(Err(ended)),
                    _ => self.poll_watch(cx).map(Err),
                },
            }
        })
        .await
    }

    /// Writes all output, waiting for the client to read it.
    ///
    /// # Errors
    ///
    /// The connection ends: see [`Ended`].
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        std::future::poll_fn(|cx| match self.poll_write_out(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => self.poll_watch(cx).map(Err),
        })
        .await?;
        if self.out.capacity() > KEEP {
            self.out = BytesMut::with_capacity(WRITE_AT);
        }
        Ok(())
    }

    /// Writes the output if there is much of it. Messages that a client has sent ahead are answered
    /// from memory, and their answers may be many times their size.
    ///
    /// # Errors
    ///
    /// The connection ends: see [`Ended`].
    pub(crate) async fn flush_if_large(&mut self) -> Result<(), Ended> {
        match self.out.len() >= WRITE_AT {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        while !self.out.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Ended::Gone)),
                Ok(written) => self.out.advance(written),
            }
        }
        self.out.clear();
        Pin::new(&mut self.stream)
            .poll_flush(cx)
            .map_err(|_| Ended::Gone)
    }

    /// Becomes ready when the client has disconnected, the session is terminated or the
    /// connections are cut off.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if self.cut_off.as_mut().poll(cx).is_ready()
            || self.termination.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Ended::ShuttingDown);
        }
        while self.input.len() < PIPELINE {
            match ready!(self.poll_read_more(cx)) {
                Ok(()) => {}
                Err(ended) => return Poll::Ready(ended),
            }
        }
        // The pipeline is full: the rest stays in the socket, which is only checked for a
        // disconnect.
        loop {
            ready!(self.closed_check.as_mut().poll(cx));
            self.closed_check.set(sleep(CLOSED_CHECK));
            let ready = self.stream.tcp().ready(Interest::READABLE).now_or_never();
            if ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed())) {
                return Poll::Ready(Ended::Gone);
            }
        }
    }

    /// Writes pending output, then closes gracefully: a socket closed with unread input is reset,
    /// and the client might not see the last message.
    pub(crate) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            let written = std::future::poll_fn(|cx| self.poll_write_out(cx)).await;
            if written.is_err()
                || tokio::io::AsyncWriteExt::shutdown(&mut self.stream)
                    .await
                    .is_err()
            {
                return;
            }
            let mut left = 1024 * 1024usize;
            while left > 0 {
                self.input.clear();
                match std::future::poll_fn(|cx| self.poll_read_more(cx)).await {
                    Ok(()) => left = left.saturating_sub(self.input.len()),
                    Err(_) => return,
                }
            }
        })
        .await;
    }
}
