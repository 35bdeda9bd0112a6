//! Rows that cursors return, and when cursors end.

#![allow(clippy::unwrap_used)]
use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use futures::TryStreamExt;

use super::*;

/// Returns batches of 10 rows, from 0 to 99, and counts those taken.
fn cursor(taken: &Arc<AtomicUsize>) -> Arc<Cursor> {
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, false)]));
    let (taken, of_batch) = (Arc::clone(taken), Arc::clone(&schema));
    let batches = futures::stream::iter(0..10i64).map(move |batch| {
        taken.fetch_add(1, Ordering::Relaxed);
        let values = Int64Array::from_iter_values(batch * 10..batch * 10 + 10);
        Ok(RecordBatch::try_new(Arc::clone(&of_batch), vec![Arc::new(values)]).unwrap())
    });
    Arc::new(Cursor::of(schema, batches.boxed()))
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
    let cursor = Arc::new(Cursor::of(schema, futures::stream::pending().boxed()));
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

#[test]
fn cursors_end_with_what_opened_them() {
    let mut cursors = Cursors::default();
    let open = |cursors: &mut Cursors, name: &str, hold: bool, in_block: bool| {
        let schema = Arc::new(Schema::empty());
        let cursor = Cursor {
            hold,
            ..Cursor::of(schema, futures::stream::empty().boxed())
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
