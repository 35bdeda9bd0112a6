//! Rows that cursors return, and when cursors end.

#![allow(clippy::unwrap_used)]
use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use futures::TryStreamExt;
use lakegate_engine::{SessionsMemory, Space};

use super::*;

/// Returns batches of 10 rows, from 0 to 99, and counts those taken.
fn cursor(taken: &Arc<AtomicUsize>) -> Arc<Cursor> {
    of_batches(taken, None)
}

/// Returns the same with SCROLL, in a session that may hold `bytes`.
fn scrolling(bytes: usize) -> Arc<Cursor> {
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(1_000_000, 1.0);
    let all = SessionsMemory::new(Space::of(&runtime.build().unwrap()), bytes);
    of_batches(&Arc::default(), Some(Kept::new(&all.open())))
}

fn of_batches(taken: &Arc<AtomicUsize>, kept: Option<Kept>) -> Arc<Cursor> {
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, false)]));
    let (taken, of_batch) = (Arc::clone(taken), Arc::clone(&schema));
    let batches = futures::stream::iter(0..10i64).map(move |batch| {
        taken.fetch_add(1, Ordering::Relaxed);
        let values = Int64Array::from_iter_values(batch * 10..batch * 10 + 10);
        Ok(RecordBatch::try_new(Arc::clone(&of_batch), vec![Arc::new(values)]).unwrap())
    });
    Arc::new(Cursor::of(schema, batches.boxed(), kept))
}

async fn read(stream: BatchStream) -> Vec<i64> {
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    let values = |batch: &RecordBatch| {
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    batches.iter().flat_map(values).collect()
}

#[tokio::test]
async fn rows_are_taken_as_they_are_read() {
    let taken = Arc::default();
    let cursor = cursor(&taken);
    let mut all = Arc::clone(&cursor).fetch(Wanted::next(usize::MAX)).unwrap();
    all.next().await.unwrap().unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), 1);
    let busy = Arc::clone(&cursor).fetch(Wanted::next(1)).err().unwrap();
    assert_eq!(busy.code(), Code::ObjectInUse);
    drop(all);
    assert!(
        read(cursor.fetch(Wanted::next(1)).unwrap())
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn rows_that_take_too_long_are_an_error() {
    let schema = Arc::new(Schema::empty());
    let cursor = Arc::new(Cursor::of(schema, futures::stream::pending().boxed(), None));
    let wanted = Wanted::next(1).within(Some(Duration::from_millis(1)));
    let mut rows = Arc::clone(&cursor).fetch(wanted).unwrap();
    let error = rows.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::StatementTimeout);
    drop(rows);
    let error = cursor.pass(wanted).await.unwrap_err();
    assert_eq!(error.code(), Code::StatementTimeout);
}

#[tokio::test]
async fn a_cursor_is_behind_what_was_asked_for() {
    let cursor = cursor(&Arc::default());
    let fetch = |count| Arc::clone(&cursor).fetch(Wanted::next(count)).unwrap();
    let pass = |count| Arc::clone(&cursor).pass(Wanted::next(count));
    assert_eq!(read(fetch(3)).await, [0, 1, 2]);
    assert_eq!(pass(10).await.unwrap(), 10);
    assert_eq!(read(fetch(2)).await, [13, 14]);
    let mut given_up = fetch(30);
    given_up.next().await.unwrap().unwrap();
    drop(given_up);
    assert_eq!(read(fetch(2)).await, [45, 46]);
    assert_eq!(read(fetch(0)).await, [0i64; 0]);
    let go = |direction| {
        let wanted = cursor.wanted(direction)?;
        Arc::clone(&cursor).fetch(wanted)
    };
    assert_eq!(read(go(FetchDirection::Relative(4)).unwrap()).await, [50]);
    assert_eq!(read(go(FetchDirection::Relative(0)).unwrap()).await, [50]);
    assert_eq!(read(go(FetchDirection::Forward(0)).unwrap()).await, [50]);
    assert_eq!(read(go(FetchDirection::Absolute(61)).unwrap()).await, [60]);
    assert!(go(FetchDirection::Absolute(61)).is_err());
    assert!(go(FetchDirection::First).is_err());
    assert_eq!(pass(usize::MAX).await.unwrap(), 39);
    assert!(read(fetch(1)).await.is_empty());
    assert!(
        read(go(FetchDirection::Forward(0)).unwrap())
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn scrolling_cursors_move_both_ways() {
    use FetchDirection as Go;
    let cursor = scrolling(100_000);
    let rows = |direction| {
        let wanted = cursor.wanted(direction).unwrap();
        read(Arc::clone(&cursor).fetch(wanted).unwrap())
    };
    for (direction, expected) in [
        (Go::Prior, Vec::<i64>::new()),
        (Go::Forward(12), (0..12).collect()),
        (Go::Relative(0), vec![11]),
        (Go::Backward(3), vec![10, 9, 8]),
        (Go::Forward(0), vec![8]),
        (Go::Next, vec![9]),
        (Go::Forward(-2), vec![8, 7]),
        (Go::Backward(-2), vec![8, 9]),
        (Go::Relative(-3), vec![6]),
        (Go::Relative(20), vec![26]),
        (Go::Absolute(3), vec![2]),
        (Go::Absolute(-100), vec![0]),
        (Go::Absolute(-101), vec![]),
        (Go::Next, vec![0]),
        (Go::Last, vec![99]),
        (Go::Next, vec![]),
        (Go::Prior, vec![99]),
        (Go::Absolute(101), vec![]),
        (Go::Backward(2), vec![99, 98]),
        (Go::BackwardAll, (0..98).rev().collect()),
        (Go::Relative(0), vec![]),
        (Go::First, vec![0]),
        (Go::ForwardAll, (1..100).collect()),
        (Go::BackwardAll, (0..100).rev().collect()),
        (Go::Absolute(i64::MIN), vec![]),
        (Go::Relative(i64::MAX), vec![]),
        (Go::Absolute(0), vec![]),
        (Go::Next, vec![0]),
    ] {
        assert_eq!(rows(direction).await, expected, "{direction:?}");
    }
    let pass = |direction| Arc::clone(&cursor).pass(cursor.wanted(direction).unwrap());
    assert_eq!(pass(Go::Absolute(50)).await.unwrap(), 1);
    assert_eq!(pass(Go::Backward(7)).await.unwrap(), 7);
    assert_eq!(pass(Go::ForwardAll).await.unwrap(), 57);
    assert_eq!(rows(Go::Prior).await, [99]);
}

#[tokio::test]
async fn scrolling_cursors_forget_rows_that_the_session_cannot_hold() {
    let cursor = scrolling(3_000);
    let go = |direction| {
        let wanted = cursor.wanted(direction).unwrap();
        Arc::clone(&cursor).fetch(wanted).unwrap()
    };
    let all = read(go(FetchDirection::ForwardAll)).await;
    assert_eq!(all, (0..100).collect::<Vec<i64>>());
    assert_eq!(
        read(go(FetchDirection::Backward(5))).await,
        [99, 98, 97, 96, 95]
    );
    let error = go(FetchDirection::First).next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::ForwardOnlyCursor);
    let error = go(FetchDirection::BackwardAll)
        .next()
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code(), Code::ForwardOnlyCursor);
    assert_eq!(read(go(FetchDirection::Next)).await, [96]);
    assert!(read(go(FetchDirection::Absolute(0))).await.is_empty());
    let error = go(FetchDirection::Next).next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::ForwardOnlyCursor);
    // Later rows are reached from there.
    assert_eq!(read(go(FetchDirection::Last)).await, [99]);
    assert!(read(go(FetchDirection::Absolute(0))).await.is_empty());
    assert!(read(go(FetchDirection::Absolute(101))).await.is_empty());
    assert_eq!(read(go(FetchDirection::Prior)).await, [99]);
}

#[test]
fn cursors_end_with_what_opened_them() {
    let mut cursors = Cursors::default();
    let open = |cursors: &mut Cursors, name: &str, hold: bool, in_block: bool| {
        let schema = Arc::new(Schema::empty());
        let cursor = Cursor {
            hold,
            ..Cursor::of(schema, futures::stream::empty().boxed(), None)
        };
        cursors.open(name, Arc::new(cursor), in_block).unwrap();
    };
    let names = |cursors: &Cursors| {
        let mut names: Vec<String> = cursors.all().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.join(" ")
    };
    open(&mut cursors, "alone", true, false);
    open(&mut cursors, "held", true, true);
    open(&mut cursors, "plain", false, true);
    let opened = cursors.opened();
    open(&mut cursors, "later", true, true);
    cursors.rollback_to(opened);
    assert_eq!(names(&cursors), "alone held plain");
    cursors.end_transaction(true);
    assert_eq!(names(&cursors), "alone held");
    open(&mut cursors, "lost", true, true);
    cursors.end_transaction(false);
    assert_eq!(names(&cursors), "alone held");
    cursors.close(Some("held")).unwrap();
    assert_eq!(names(&cursors), "alone");
}
