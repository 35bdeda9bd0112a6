#![allow(clippy::unwrap_used)]
use super::*;

fn query(directory: &tempfile::TempDir, timeout: Option<Duration>) -> Arc<Query> {
    let history = History::open(
        &directory.path().join("history.db"),
        Duration::from_secs(3600),
    );
    let submission = Submission {
        principal: Principal::named("u"),
        workgroup: "primary".to_owned(),
        database: "d".to_owned(),
        text: "SELECT 1".to_owned(),
        protocol: "postgres".to_owned(),
        application_name: None,
        timeout,
        limits: Limits::default(),
    };
    Query::submit(submission, Arc::default(), history.unwrap(), Arc::default())
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
