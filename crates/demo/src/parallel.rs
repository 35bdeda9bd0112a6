//! Runs numbered tasks on all cores. A task may depend on its number, but never on its thread.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::Progress;
use crate::error::{Error, Result};

/// Runs the tasks `0..tasks` and returns what each thread collected, in no particular order. The
/// first error stops the rest. `progress` is called for every finished task, on the calling thread.
pub(crate) fn run<S: Send>(
    phase: &'static str,
    tasks: usize,
    new_state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<S>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next_task = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let (finished, finished_tasks) = mpsc::channel();

    let run_worker = |finished: mpsc::Sender<()>| -> Result<S> {
        let mut state = new_state();
        while !stopped.load(Ordering::Relaxed) {
            let task = next_task.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                break;
            }
            if let Err(error) = work(&mut state, task) {
                stopped.store(true, Ordering::Relaxed);
                return Err(error);
            }
            // The receiver lives as long as the scope below.
            let _ = finished.send(());
        }
        Ok(state)
    };

    thread::scope(|scope| {
        let mut workers = Vec::new();
        for number in 0..cores.min(tasks) {
            let finished = finished.clone();
            let run_worker = &run_worker;
            let worker = thread::Builder::new()
                .name(format!("demo-{number}"))
                .spawn_scoped(scope, move || run_worker(finished))
                .map_err(|error| {
                    stopped.store(true, Ordering::Relaxed);
                    Error::Worker(error.to_string())
                })?;
            workers.push(worker);
        }
        drop(finished);

        let total = tasks as u64;
        progress(Progress {
            phase,
            done: 0,
            total,
        });
        for (done, ()) in (1..).zip(finished_tasks) {
            progress(Progress { phase, done, total });
        }
        workers
            .into_iter()
            .map(|worker| match worker.join() {
                Ok(result) => result,
                Err(_) => Err(Error::Worker(format!(
                    "a thread of the phase {phase} panicked"
                ))),
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn every_task_runs_once_and_progress_ends_at_the_total() {
        let mut seen = Vec::new();
        let states = run(
            "orders",
            50,
            Vec::new,
            |state, task| {
                state.push(task);
                Ok(())
            },
            &mut |progress| seen.push(progress.done),
        )
        .unwrap();
        let mut tasks = states.concat();
        tasks.sort_unstable();
        assert_eq!(tasks, (0..50).collect::<Vec<usize>>());
        assert_eq!(seen, (0..=50).collect::<Vec<u64>>());
    }

    #[test]
    fn an_error_in_one_task_is_the_error_of_the_phase() {
        let result = run(
            "orders",
            50,
            || (),
            |(), task| {
                if task == 7 {
                    Err(Error::Tpcds("seven".into()))
                } else {
                    Ok(())
                }
            },
            &mut |_| {},
        );
        assert!(matches!(result, Err(Error::Tpcds(message)) if message == "seven"));
    }
}
