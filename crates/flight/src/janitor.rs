//! What nobody uses any more is forgotten from time to time: sessions, tickets, statements, results; and streams that nobody reads end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Door;

const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(door: Arc<Door>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => door.tidy_up(),
        }
    }
}

impl Door {
    fn tidy_up(&self) {
        let ended = self
            .sessions
            .sweep(|session| !self.gateway.is_current(&session.principal));
        for session in ended {
            self.end_session(&session);
        }
        self.tickets.sweep();
        self.statements.sweep();
        for polled in self.polled.sweep() {
            polled.cancel();
        }
        self.lanes.stop_stalled(self.options.stall_timeout);
    }
}
