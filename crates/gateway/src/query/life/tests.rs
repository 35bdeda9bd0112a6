#![allow(clippy::unwrap_used)]
use super::*;
use crate::telemetry::events::QueryListener;
use crate::telemetry::history::History;
use crate::workgroup::{AdmissionLimits, Queues, WorkgroupLimits};

fn submission(timeout: Option<Duration>) -> Submission {
    let queues = Arc::new(Queues::new(AdmissionLimits::shared(4, 4)));
    let limits = WorkgroupLimits::none("primary");
    Submission {
        principal: Principal::named("u"),
        database: "d".to_owned(),
        text: "SELECT 1".to_owned(),
        protocol: "postgres".to_owned(),
        application_name: None,
        timeout,
        resources: QueryResources::new(limits, Arc::default(), queues),
    }
}

fn query(directory: &tempfile::TempDir, timeout: Option<Duration>) -> Arc<Query> {
    let history = History::open(
        &directory.path().join("history.db"),
        Duration::from_secs(3600),
    );
    let events = QueryEvents::new(vec![history.unwrap() as _]);
    Query::submit(submission(timeout), Arc::new(events), Arc::default())
}

fn killed() -> Error {
    Error::new(Code::QueryCancelled, "killed")
}

#[tokio::test]
async fn stopped_query_ends_when_nothing_works_for_it_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let query = query(&directory, None);
    let (running, one, other) = (Arc::clone(&query.running), query.working(), query.working());
    assert!(query.cancel(killed()));
    query.finish(3, Err(&killed()));
    drop(one);
    assert!(!query.record().state.is_final());
    assert_eq!(running.len(), 1);
    assert!(running.get(query.id).is_some(), "it can be killed again");
    drop(other);
    running.drained().await;
    let record = query.record();
    assert_eq!((record.state, record.rows), (QueryState::Cancelled, 3));
}

#[tokio::test]
async fn query_that_ended_by_itself_is_recorded_at_once_and_drains_with_its_last_thread() {
    let directory = tempfile::tempdir().unwrap();
    for outcome in [
        Ok(()),
        Err(Error::new(Code::DivisionByZero, "division by zero")),
    ] {
        let query = query(&directory, None);
        let working = query.working();
        query.finish(
            0,
            match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(error),
            },
        );
        assert!(query.record().state.is_final());
        assert!(
            query.running.get(query.id).is_none(),
            "there is nothing to kill"
        );
        assert!(!query.running.is_empty());
        drop(working);
        assert!(query.running.is_empty());
    }
}

#[tokio::test]
async fn what_commits_cannot_be_stopped_and_what_was_stopped_does_not_commit() {
    let directory = tempfile::tempdir().unwrap();
    let late = query(&directory, Some(Duration::from_millis(1)));
    late.commits().unwrap();
    assert!(!late.cancel(killed()));
    let work = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(7)
    };
    assert_eq!(late.step(Phase::Execution, work).await.unwrap(), 7);

    let early = query(&directory, None);
    assert!(early.cancel(killed()));
    assert_eq!(early.commits().unwrap_err().code(), Code::QueryCancelled);
}

/// Records the name and the state of each event.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(&'static str, QueryState)>>);

impl QueryListener for Heard {
    fn on(&self, event: &QueryEvent<'_>) {
        let name = match event {
            QueryEvent::Submitted(_) => "submitted",
            QueryEvent::Started(_) => "started",
            QueryEvent::Finished(_) => "finished",
        };
        self.0.lock().push((name, event.record().state));
    }
}

#[tokio::test]
async fn listeners_hear_of_each_step_once_and_of_the_first_end_alone() {
    let heard = Arc::new(Heard::default());
    let events = Arc::new(QueryEvents::new(vec![Arc::clone(&heard) as _]));
    let submission = submission(None);
    let query = Query::submit(submission, events, Arc::default());
    query.runs();
    query.finish(1, Ok(()));
    query.finish(2, Err(&killed()));
    query.runs();
    assert_eq!(
        *heard.0.lock(),
        [
            ("submitted", QueryState::Queued),
            ("started", QueryState::Running),
            ("finished", QueryState::Succeeded),
        ]
    );
}

#[tokio::test]
async fn query_that_ends_as_it_is_submitted_has_one_event() {
    let heard = Arc::new(Heard::default());
    let events = Arc::new(QueryEvents::new(vec![Arc::clone(&heard) as _]));
    let running = Arc::<RunningQueries>::default();
    let query = Query::unsubmitted(submission(None), events, Arc::clone(&running));
    assert!(heard.0.lock().is_empty() && running.is_empty());
    query.finish(1, Ok(()));
    assert_eq!(*heard.0.lock(), [("finished", QueryState::Succeeded)]);
    assert_eq!(query.record().rows, 1);
    assert!(query.is_over() && running.is_empty());
}
