//! Processor time of a query, on all threads that work for it.
//!
//! ```text
//! metered(meter, future)
//!    │ each poll
//!    ├─ start    the thread works for `meter`
//!    │             └─ tasks spawned meanwhile, by our runtimes or the engine's operators,
//!    │                are metered too
//!    └─ end      the difference of the thread's clock is charged
//! ```
//!
//! A long poll is visible while it lasts: other threads read the clock of the thread that runs it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

/// Work that lasts no longer is charged when it ends, and is not visible before.
const SHORT: Duration = Duration::from_millis(20);

/// Ticks per second in which Linux reports the times of other threads, whatever the kernel's own
/// clock.
const TICKS_PER_SECOND: u64 = 100;

/// The processor time that one query has used.
#[derive(Debug, Default)]
pub struct CpuMeter {
    /// Nanoseconds of work that has ended.
    spent: AtomicU64,
    /// The meter that is charged instead of this one, once it is set.
    successor: RwLock<Option<Arc<CpuMeter>>>,
}

impl CpuMeter {
    /// Returns the processor time so far, including work in progress.
    pub fn total(self: &Arc<Self>) -> Duration {
        // Work in progress holds its meter, and a meter holds the one that it charges. Most queries
        // ask when nothing works for them any more: they need not look at all threads.
        let is_idle = Arc::strong_count(self) == 1;
        // What was charged before the last holder let go of the meter is seen.
        fence(Ordering::Acquire);
        let open: Duration = match is_idle {
            true => Duration::ZERO,
            false => slots().iter().map(|slot| slot.open_for(self)).sum(),
        };
        Duration::from_nanos(self.spent.load(Ordering::Relaxed)) + open
    }

    /// Charges everything that is metered with this meter to `other` from now on. The time so far
    /// stays.
    pub fn pass_to(self: &Arc<Self>, other: &Arc<CpuMeter>) {
        if Arc::ptr_eq(self, other) {
            return;
        }
        for slot in slots() {
            slot.settle(self);
        }
        *self.successor.write() = Some(Arc::clone(other));
    }

    fn charge(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let successor = self.successor.read();
        let charged = successor.as_deref().unwrap_or(self);
        charged.spent.fetch_add(nanos, Ordering::Relaxed);
    }

    fn is_charged_to(&self, other: &CpuMeter) -> bool {
        let successor = self.successor.read();
        std::ptr::eq(successor.as_deref().unwrap_or(self), other)
    }
}

/// Charges the polls of a future, and of the tasks that it spawns, to a meter.
pub async fn metered<F: Future>(meter: Arc<CpuMeter>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _working = Working::begin(&meter);
        future.as_mut().poll(context)
    })
    .await
}

/// Returns the meter of the query that this thread works for at the moment.
pub fn current() -> Option<Arc<CpuMeter>> {
    SLOT.try_with(|slot| {
        slot.work
            .lock()
            .as_ref()
            .map(|work| Arc::clone(&work.meter))
    })
    .ok()
    .flatten()
}

/// One thread, as other threads see it.
#[derive(Debug)]
struct Slot {
    /// Path of the thread's clock in `/proc`; `None` if there is no such file.
    clock: Option<String>,
    work: Mutex<Option<Work>>,
}

#[derive(Debug)]
struct Work {
    meter: Arc<CpuMeter>,
    /// The thread's clock at the start of the time that is to be charged.
    from: Duration,
    began: Instant,
}

thread_local! {
    static SLOT: Arc<Slot> = Slot::of_this_thread();
}

static SLOTS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());

fn slots() -> Vec<Arc<Slot>> {
    SLOTS.lock().iter().filter_map(Weak::upgrade).collect()
}

impl Slot {
    fn of_this_thread() -> Arc<Self> {
        // `<process>/task/<thread>`
        let link = std::fs::read_link("/proc/thread-self").ok();
        let slot = Arc::new(Self {
            clock: link.map(|link| format!("/proc/{}/stat", link.display())),
            work: Mutex::default(),
        });
        let mut slots = SLOTS.lock();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    /// Returns the time that work in progress has used, if it is charged to this meter.
    fn open_for(&self, meter: &CpuMeter) -> Duration {
        let work = self.work.lock();
        work.as_ref()
            .filter(|work| work.began.elapsed() > SHORT && work.meter.is_charged_to(meter))
            .map(|work| self.used(work).0)
            .unwrap_or_default()
    }

    /// Charges the time that work in progress has used, if it is metered with this meter.
    fn settle(&self, meter: &Arc<CpuMeter>) {
        let mut work = self.work.lock();
        if let Some(work) = work
            .as_mut()
            .filter(|work| work.began.elapsed() > SHORT && Arc::ptr_eq(&work.meter, meter))
        {
            let (used, now) = self.used(work);
            meter.charge(used);
            work.from = now;
        }
    }

    /// Returns the time that the work of another thread has used, and that thread's clock. Without
    /// a clock, the work has used all the time since it began.
    fn used(&self, work: &Work) -> (Duration, Duration) {
        let clock = self.clock.as_deref().and_then(clock_of);
        let now = clock.unwrap_or_else(|| work.from + work.began.elapsed());
        (now.saturating_sub(work.from), now.max(work.from))
    }
}

/// Returns the clock of a thread: user and system time, the 14th and 15th field of its `stat`.
fn clock_of(file: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(file).ok()?;
    // The second field is a name, which may contain any character.
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    let ticks = ticks()?.checked_add(ticks()?)?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Returns the clock of this thread.
fn own_clock() -> Duration {
    ThreadTime::try_now().map_or(Duration::ZERO, |time| time.as_duration())
}

/// The time in which this thread works for a meter, until it is dropped.
struct Working(Option<Arc<Slot>>);

impl Working {
    fn begin(meter: &Arc<CpuMeter>) -> Self {
        let slot = SLOT.try_with(Arc::clone).ok();
        let begun = slot.filter(|slot| {
            let mut work = slot.work.lock();
            // Nested work is charged with the outer work.
            let free = work.is_none();
            if free {
                *work = Some(Work {
                    meter: Arc::clone(meter),
                    from: own_clock(),
                    began: Instant::now(),
                });
            }
            free
        });
        Self(begun)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let work = self.0.as_ref().and_then(|slot| slot.work.lock().take());
        if let Some(work) = work {
            work.meter.charge(own_clock().saturating_sub(work.from));
        }
    }
}

/// Meters the tasks that the engine's operators spawn.
struct Inherit;

impl JoinSetTracer for Inherit {
    fn trace_future(
        &self,
        future: BoxFuture<'static, Box<dyn Any + Send>>,
    ) -> BoxFuture<'static, Box<dyn Any + Send>> {
        match current() {
            Some(meter) => metered(meter, future).boxed(),
            None => future,
        }
    }

    fn trace_block(
        &self,
        block: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> Box<dyn FnOnce() -> Box<dyn Any + Send> + Send> {
        match current() {
            Some(meter) => Box::new(move || {
                let _working = Working::begin(&meter);
                block()
            }),
            None => block,
        }
    }
}

/// Meters the tasks that the engine spawns from now on. One call per process is enough.
pub(crate) fn meter_what_the_engine_spawns() {
    // This only fails if it is done already.
    let _ = set_join_set_tracer(&Inherit);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::common::runtime::{JoinSet, SpawnedTask};

    use super::*;

    /// Uses this thread for `time`, by its own clock.
    fn busy(time: Duration) {
        let start = own_clock();
        while own_clock() - start < time {
            std::hint::black_box((0..1000).sum::<u64>());
        }
    }

    const PIECE: Duration = Duration::from_millis(60);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn time_of_all_that_is_spawned_is_counted() {
        meter_what_the_engine_spawns();
        let meter = Arc::new(CpuMeter::default());
        let work = metered(Arc::clone(&meter), async {
            busy(PIECE);
            let task = SpawnedTask::spawn(async {
                // Spawned by a spawned task.
                SpawnedTask::spawn_blocking(|| busy(PIECE)).await.unwrap();
                busy(PIECE);
            });
            let mut set = JoinSet::new();
            set.spawn(async { busy(PIECE) });
            set.spawn_blocking(|| busy(PIECE));
            task.await.unwrap();
            while set.join_next().await.is_some() {}
        });
        tokio::spawn(work).await.unwrap();
        let total = meter.total();
        assert!(total >= PIECE * 5, "{total:?} of five pieces");
        assert!(total < PIECE * 8, "{total:?} of five pieces");
    }

    #[tokio::test]
    async fn waiting_and_the_work_of_others_are_not_counted() {
        let meter = Arc::new(CpuMeter::default());
        metered(Arc::clone(&meter), tokio::time::sleep(PIECE)).await;
        busy(PIECE);
        assert!(meter.total() < PIECE, "{:?}", meter.total());
        assert!(current().is_none());
    }

    #[tokio::test]
    async fn poll_that_does_not_end_is_seen_from_elsewhere() {
        let meter = Arc::new(CpuMeter::default());
        let (seen, watched) = std::sync::mpsc::channel::<()>();
        let watcher = std::thread::spawn({
            let meter = Arc::clone(&meter);
            move || {
                while meter.total() < PIECE {
                    std::thread::sleep(Duration::from_millis(5));
                }
                seen.send(()).unwrap();
            }
        });
        metered(Arc::clone(&meter), async {
            // Within one poll. Without a readable clock, it would not end.
            while watched.try_recv().is_err() {
                busy(Duration::from_millis(1));
            }
        })
        .await;
        watcher.join().unwrap();
        assert!(meter.total() >= PIECE);
    }

    #[tokio::test]
    async fn meter_that_is_passed_on_charges_the_other_from_then_on() {
        let (first, second) = (Arc::new(CpuMeter::default()), Arc::new(CpuMeter::default()));
        metered(Arc::clone(&first), async {
            busy(PIECE);
            first.pass_to(&second);
            busy(PIECE * 2);
        })
        .await;
        metered(Arc::clone(&first), async { busy(PIECE) }).await;
        // The clocks of other threads are read in hundredths of seconds.
        let slack = Duration::from_millis(30);
        assert!(
            first.total() + slack >= PIECE && first.total() < PIECE * 2,
            "{first:?}"
        );
        assert!(second.total() + slack >= PIECE * 3, "{second:?}");
    }

    #[tokio::test]
    async fn work_within_work_is_counted_once() {
        let meter = Arc::new(CpuMeter::default());
        let inner = metered(Arc::clone(&meter), async { busy(PIECE) });
        metered(Arc::clone(&meter), inner).await;
        assert!(meter.total() < PIECE * 2, "{:?}", meter.total());
    }
}
