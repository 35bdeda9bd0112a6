//! The log of a partition, and its readers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::SpillManager;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::super::log::{Log, Next};
use super::*;

/// Counts how often a task is woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Sender = tokio::sync::mpsc::UnboundedSender<Result<RecordBatch>>;

/// A log of batches that are sent, and how much memory its pool has given.
fn sent(readers: usize, bound: usize) -> (Log, Sender, Arc<RuntimeEnv>) {
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(64 << 20, 1.0);
    let runtime = runtime.build_arc().unwrap();
    let memory = MemoryConsumer::new("test").register(&runtime.memory_pool);
    let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
    let files = SpillManager::new(Arc::clone(&runtime), metrics, schema());
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let log = Log::new(readers, bound, memory, files);
    let batches = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let input: SendableRecordBatchStream =
        Box::pin(RecordBatchStreamAdapter::new(schema(), batches));
    log.start(|| Ok(input)).unwrap();
    (log, sender, runtime)
}

/// Polls a reader, which gets a batch from memory or from the input.
fn poll(log: &Log, reader: usize, task: &Arc<Task>) -> Poll<Result<Option<RecordBatch>>> {
    let waker = Waker::from(Arc::clone(task));
    log.poll(reader, &Context::from_waker(&waker)).map(|next| {
        next.map(|next| match next {
            Next::Batch(batch) => Some(batch),
            Next::File(_) | Next::End => None,
        })
    })
}

fn is_batch(polled: Poll<Result<Option<RecordBatch>>>, expected: &RecordBatch) -> bool {
    matches!(polled, Poll::Ready(Ok(Some(batch))) if batch == *expected)
}

#[test]
fn a_reader_is_woken_though_another_one_polled_last() {
    let (log, sender, _) = sent(2, LARGE);
    let readers = [log.join().unwrap(), log.join().unwrap()];
    let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
    for (reader, task) in readers.into_iter().zip(&tasks) {
        assert!(poll(&log, reader, task).is_pending());
    }
    sender.send(Ok(batch(0, 3))).unwrap();
    for task in &tasks {
        assert!(task.0.load(Ordering::Relaxed) > 0);
    }
    // The one that polled last has turned to other work.
    assert!(is_batch(poll(&log, readers[0], &tasks[0]), &batch(0, 3)));
    drop(sender);
    assert!(matches!(
        poll(&log, readers[0], &tasks[0]),
        Poll::Ready(Ok(None))
    ));
    assert!(is_batch(poll(&log, readers[1], &tasks[1]), &batch(0, 3)));
    assert!(matches!(
        poll(&log, readers[1], &tasks[1]),
        Poll::Ready(Ok(None))
    ));
}

#[test]
fn batches_are_kept_until_the_last_reader_has_passed_them_or_has_gone() {
    let (log, sender, runtime) = sent(3, LARGE);
    let held = || runtime.memory_pool.reserved();
    let task = Arc::new(Task::default());
    let (first, second) = (log.join().unwrap(), log.join().unwrap());
    for number in 0..3 {
        sender.send(Ok(batch(number, 10))).unwrap();
        assert!(is_batch(poll(&log, first, &task), &batch(number, 10)));
    }
    let all = held();
    assert!(all > 0);
    assert!(is_batch(poll(&log, second, &task), &batch(0, 10)));
    assert_eq!(held(), all, "a third reader will come");
    let third = log.join().unwrap();
    assert!(is_batch(poll(&log, third, &task), &batch(0, 10)));
    assert!(held() < all);
    assert_eq!(log.join(), None, "it would not get the first batch");
    log.leave(second);
    assert!(is_batch(poll(&log, third, &task), &batch(1, 10)));
    assert!(held() > 0);
    log.leave(third);
    assert_eq!(held(), 0);
    // What the only reader gets is not kept.
    sender.send(Ok(batch(3, 10))).unwrap();
    assert!(is_batch(poll(&log, first, &task), &batch(3, 10)));
    assert_eq!(held(), 0);
    assert!(!sender.is_closed());
    log.leave(first);
    assert!(
        sender.is_closed(),
        "the input is dropped with its last reader"
    );
}

#[test]
fn an_input_stays_for_readers_that_will_come() {
    let (log, sender, _) = sent(2, LARGE);
    let task = Arc::new(Task::default());
    let first = log.join().unwrap();
    sender.send(Ok(batch(0, 10))).unwrap();
    assert!(is_batch(poll(&log, first, &task), &batch(0, 10)));
    log.leave(first);
    let second = log.join().unwrap();
    sender.send(Ok(batch(1, 10))).unwrap();
    for number in 0..2 {
        assert!(is_batch(poll(&log, second, &task), &batch(number, 10)));
    }
}

#[test]
fn an_error_reaches_all_readers_after_the_rows_before_it() {
    let (log, sender, _) = sent(2, LARGE);
    let task = Arc::new(Task::default());
    let readers = [log.join().unwrap(), log.join().unwrap()];
    sender.send(Ok(batch(0, 10))).unwrap();
    let error = DataFusionError::Execution("of the input".to_owned());
    sender.send(Err(error)).unwrap();
    for reader in readers {
        assert!(is_batch(poll(&log, reader, &task), &batch(0, 10)));
        let error = poll(&log, reader, &task);
        let is_same =
            matches!(&error, Poll::Ready(Err(error)) if error.to_string().contains("of the input"));
        assert!(is_same, "{error:?}");
    }
}

#[test]
fn a_panic_below_a_part_is_an_error_for_the_other_readers() {
    let panicking = Log::new(
        2,
        LARGE,
        MemoryConsumer::new("test").register(&RuntimeEnv::default().memory_pool),
        SpillManager::new(
            Arc::new(RuntimeEnv::default()),
            SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0),
            schema(),
        ),
    );
    let batches = futures::stream::poll_fn(|_| -> Poll<Option<Result<RecordBatch>>> {
        std::panic::resume_unwind(Box::new("of the input"))
    });
    let input: SendableRecordBatchStream =
        Box::pin(RecordBatchStreamAdapter::new(schema(), batches));
    panicking.start(|| Ok(input)).unwrap();
    let readers = [panicking.join().unwrap(), panicking.join().unwrap()];
    let task = Arc::new(Task::default());
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        poll(&panicking, readers[0], &task)
    }));
    assert!(polled.is_err());
    let other = poll(&panicking, readers[1], &task);
    assert!(matches!(other, Poll::Ready(Err(_))), "{other:?}");
}

#[tokio::test]
async fn readers_of_files_take_turns_and_get_each_batch_once() {
    let (log, sender, runtime) = sent(2, 0);
    let task = Arc::new(Task::default());
    let readers = [log.join().unwrap(), log.join().unwrap()];
    let count = 30;
    for number in 0..count {
        sender.send(Ok(batch(number, 5))).unwrap();
    }
    drop(sender);
    let mut got = [0, 0];
    let mut turn = 0;
    while got.iter().any(|got| *got < count) {
        // Each reads some batches ahead of the other one, or behind it.
        turn += 1;
        let (place, most) = (turn % 2, 1 + turn * 7 % 5);
        for _ in 0..most {
            if got[place] == count {
                break;
            }
            let waker = Waker::from(Arc::clone(&task));
            let next = log.poll(readers[place], &Context::from_waker(&waker));
            let Poll::Ready(Ok(next)) = next else {
                unreachable!("all batches were sent");
            };
            match next {
                Next::Batch(next) => {
                    assert_eq!(next, batch(got[place], 5));
                    got[place] += 1;
                }
                Next::File(mut stored) => {
                    for _ in 0..stored.skipped {
                        stored.batches.next().await.unwrap().unwrap();
                    }
                    for _ in 0..stored.left {
                        let next = stored.batches.next().await.unwrap().unwrap();
                        assert_eq!(next, batch(got[place], 5));
                        got[place] += 1;
                        log.passed(readers[place]);
                    }
                }
                Next::End => unreachable!("{got:?}"),
            }
        }
    }
    assert_eq!(runtime.memory_pool.reserved(), 0);
    assert_eq!(runtime.disk_manager.used_disk_space(), 0, "files are gone");
}
