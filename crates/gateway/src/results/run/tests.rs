#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use datafusion::logical_expr::LogicalPlanBuilder;
use futures::TryStreamExt;
use lakegate_engine::{CpuMeter, Names, PlanSettings, metered};
use lakegate_lake::meter::{Cutoff, QueryMeter};

use super::super::{Lookup, QueryKey};
use super::*;

/// A query as a run sees it.
#[derive(Debug)]
struct Query {
    bytes: Arc<QueryMeter>,
    cpu: Arc<CpuMeter>,
    took_over: AtomicUsize,
}

impl Query {
    fn limited(limit: u64) -> Arc<Self> {
        let workgroup = "small".to_owned();
        Arc::new(Self {
            bytes: Arc::new(QueryMeter::new(Some(Cutoff { workgroup, limit }))),
            cpu: Arc::default(),
            took_over: AtomicUsize::new(0),
        })
    }

    fn took_over(&self) -> bool {
        self.took_over.load(Ordering::Relaxed) > 0
    }
}

impl Payer for Query {
    fn bytes(&self) -> &Arc<QueryMeter> {
        &self.bytes
    }

    fn cpu(&self) -> &Arc<CpuMeter> {
        &self.cpu
    }

    fn takes_over(&self) {
        self.took_over.fetch_add(1, Ordering::Relaxed);
    }
}

fn payer() -> Arc<Query> {
    Query::limited(1 << 40)
}

async fn eventually(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

fn batch(rows: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    RecordBatch::try_from_iter([("a", column)]).unwrap()
}

fn key(snapshot: u8) -> Arc<ResultKey> {
    let plan = LogicalPlanBuilder::empty(true).build().unwrap();
    let settings = PlanSettings {
        time_zone: "UTC".into(),
        search_path: vec!["d".into()],
        names: Names::Postgres,
    };
    let query = QueryKey::new(plan, settings, [0; 32]);
    Arc::new(ResultKey::new(Arc::new(query), [snapshot; 32]))
}

fn lead(lookup: Lookup) -> Arc<Run> {
    match lookup {
        Lookup::Lead(run) => run,
        other => panic!("expected to lead, got {other:?}"),
    }
}

async fn rows(reader: RunReader) -> Result<usize> {
    reader
        .into_stream()
        .try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) })
        .await
}

#[tokio::test]
async fn identical_queries_in_flight_run_once_and_the_next_one_hits() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let reader = run.reader(payer()).unwrap();
    let followers: Vec<Follower> = (0..3)
        .map(|_| match cache.lookup(&key(1), false, Instant::now()) {
            Lookup::Follow(follower) => follower,
            other => panic!("expected to follow, got {other:?}"),
        })
        .collect();
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    tokio::spawn(run.execute(
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(futures::stream::iter([Ok(batch(3)), Ok(batch(4))]))
        },
        true,
    ));
    assert_eq!(rows(reader).await.unwrap(), 7);
    for follower in followers {
        let result = follower.wait(payer()).await.unwrap().unwrap();
        assert_eq!(
            result
                .batches
                .iter()
                .map(RecordBatch::num_rows)
                .sum::<usize>(),
            7
        );
    }
    assert_eq!(started.load(Ordering::Relaxed), 1);
    assert!(matches!(
        cache.lookup(&key(1), false, Instant::now()),
        Lookup::Hit(_)
    ));
    assert!(matches!(
        cache.lookup(&key(1), true, Instant::now()),
        Lookup::Lead(_)
    ));
    assert!(matches!(
        cache.lookup(&key(2), false, Instant::now()),
        Lookup::Lead(_)
    ));
    assert!(
        cache.running.lock().is_empty(),
        "neither those that ended nor those that never began"
    );
}

#[tokio::test]
async fn failed_run_fails_its_leader_only() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let reader = run.reader(payer()).unwrap();
    let Lookup::Follow(follower) = cache.lookup(&key(1), false, Instant::now()) else {
        panic!()
    };
    let failing = async { Ok(futures::stream::iter([Err(Error::internal("cutoff"))])) };
    tokio::spawn(run.execute(failing, true));
    assert!(rows(reader).await.is_err());
    assert!(follower.wait(payer()).await.unwrap().is_none());
    assert!(matches!(
        cache.lookup(&key(1), false, Instant::now()),
        Lookup::Lead(_)
    ));
}

#[tokio::test]
async fn run_goes_on_for_a_follower_when_its_leader_leaves_and_is_charged_to_it() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let [leader, first, second] = [Query::limited(100), Query::limited(15), Query::limited(7)];
    let reader = run.reader(leader.clone()).unwrap();
    let follow = |query: &Arc<Query>| {
        let Lookup::Follow(follower) = cache.lookup(&key(1), false, Instant::now()) else {
            panic!()
        };
        Box::pin(follower.wait(query.clone()))
    };
    let (mut one, mut two) = (follow(&first), follow(&second));
    let (go, wait) = mpsc::channel::<()>(1);
    let plan = Arc::clone(&leader.bytes);
    let slow = async move {
        Ok(futures::stream::unfold(wait, move |mut wait| {
            let plan = Arc::clone(&plan);
            async move {
                wait.recv().await?;
                Some((plan.reserve(10).map(|()| batch(5)), wait))
            }
        }))
    };
    let stop = Arc::clone(run.stop());
    let task = tokio::spawn(run.execute(slow, true));
    assert!(futures::poll!(&mut one).is_pending() && futures::poll!(&mut two).is_pending());
    go.send(()).await.unwrap();
    eventually(|| leader.bytes.scanned() == 10).await;
    drop(reader);
    assert!(first.took_over() && !second.took_over() && !stop.is_stopped());
    go.send(()).await.unwrap();
    eventually(|| first.bytes.scanned() == 10).await;
    // The third read exceeds the limit of the current payer but not that of the leader, so only the
    // payer's query fails.
    go.send(()).await.unwrap();
    assert!(one.await.is_err());
    assert!(two.await.unwrap().is_none());
    task.await.unwrap();
    assert_eq!(
        [&leader, &first, &second].map(|query| query.bytes.scanned()),
        [10, 10, 0]
    );
}

#[tokio::test]
async fn follower_that_leaves_while_it_pays_passes_the_run_on() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let [leader, first, second] = [(); 3].map(|()| Query::limited(100));
    let reader = run.reader(leader.clone()).unwrap();
    let follow = || match cache.lookup(&key(1), false, Instant::now()) {
        Lookup::Follow(follower) => follower,
        other => panic!("expected to follow, got {other:?}"),
    };
    let (early, late) = (follow(), follow());
    let mut early = Box::pin(early.wait(first.clone()));
    assert!(futures::poll!(&mut early).is_pending());
    drop(reader);
    assert!(first.took_over());
    drop(early);
    leader.bytes.reserve(1).unwrap();
    // No other query was waiting, so the next one that waits takes over.
    let mut late = Box::pin(late.wait(second.clone()));
    assert!(futures::poll!(&mut late).is_pending());
    assert!(second.took_over());
    leader.bytes.reserve(10).unwrap();
    assert_eq!((first.bytes.scanned(), second.bytes.scanned()), (1, 10));
}

#[tokio::test]
async fn follower_that_left_while_it_waited_pays_nothing() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let [leader, first, second] = [(); 3].map(|()| Query::limited(100));
    let reader = run.reader(leader.clone()).unwrap();
    let follow = |query: &Arc<Query>| match cache.lookup(&key(1), false, Instant::now()) {
        Lookup::Follow(follower) => Box::pin(follower.wait(query.clone())),
        other => panic!("expected to follow, got {other:?}"),
    };
    let (mut one, mut two) = (follow(&first), follow(&second));
    assert!(futures::poll!(&mut one).is_pending() && futures::poll!(&mut two).is_pending());
    drop(one);
    drop(reader);
    assert!(!first.took_over() && second.took_over());
    leader.bytes.reserve(10).unwrap();
    assert_eq!((first.bytes.scanned(), second.bytes.scanned()), (0, 10));
    // CPU time of the plan is no longer charged to the leader either.
    metered(Arc::clone(&leader.cpu), async {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
    })
    .await;
    assert!(second.cpu.total() > leader.cpu.total() && first.cpu.total().is_zero());
}

#[tokio::test]
async fn run_that_nobody_waits_for_is_stopped() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let reader = run.reader(payer()).unwrap();
    let endless = async { Ok(futures::stream::pending::<Result<RecordBatch>>()) };
    assert!(run.is_read() && !run.stop().is_stopped());
    let task = tokio::spawn(Arc::clone(&run).execute(endless, true));
    drop(reader);
    assert!(!run.is_read() && run.stop().is_stopped());
    task.await.unwrap();
    assert!(matches!(
        cache.lookup(&key(1), false, Instant::now()),
        Lookup::Lead(_)
    ));
}

#[tokio::test]
async fn panic_of_a_run_reaches_all_that_wait_for_it() {
    let cache = ResultCache::new(1 << 20, 1 << 20);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let reader = run.reader(payer()).unwrap();
    let panicking = async {
        if true {
            panic!("a bug in an operator");
        }
        Ok(futures::stream::pending::<Result<RecordBatch>>())
    };
    assert!(tokio::spawn(run.execute(panicking, true)).await.is_err());
    assert!(rows(reader).await.is_err());
}

#[tokio::test]
async fn result_beyond_the_limit_streams_to_its_leader_and_is_not_kept() {
    let cache = ResultCache::new(1 << 20, 4096);
    let run = lead(cache.lookup(&key(1), false, Instant::now()));
    let reader = run.reader(payer()).unwrap();
    let Lookup::Follow(follower) = cache.lookup(&key(1), false, Instant::now()) else {
        panic!()
    };
    let many = async { Ok(futures::stream::iter((0..50).map(|_| Ok(batch(100))))) };
    tokio::spawn(run.execute(many, true));
    assert!(follower.wait(payer()).await.unwrap().is_none());
    assert_eq!(rows(reader).await.unwrap(), 5000);
    assert!(matches!(
        cache.lookup(&key(1), false, Instant::now()),
        Lookup::Lead(_)
    ));
}

#[tokio::test]
async fn what_outgrows_the_spool_comes_after_what_is_in_it() {
    let run = Run::new(batch(1).get_array_memory_size(), None);
    let mut stream = run.reader(payer()).unwrap().into_stream();
    assert!(futures::poll!(stream.next()).is_pending());
    // Both batches arrive before the reader looks again.
    assert!(
        run.spool(batch(1)).is_none(),
        "it is just as large as may be"
    );
    let large = run.spool(batch(1000)).unwrap();
    run.overflow.send(large).await.unwrap();
    run.end(Phase::Finished);
    let rows: Vec<usize> = stream
        .map_ok(|batch| batch.num_rows())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rows, [1, 1000]);
}

#[tokio::test]
async fn kept_result_is_replayed_whole() {
    let result = CachedResult {
        batches: [3, 1, 2].map(batch).to_vec(),
        bytes: 0,
    };
    let stream = replay(Arc::new(result)).map_ok(|batch| batch.num_rows());
    let rows: Vec<usize> = stream.take(9).try_collect().await.unwrap();
    assert_eq!(rows, [3, 1, 2]);
}
