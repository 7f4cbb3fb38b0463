//! Background tasks: failing, stopping, finishing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rapport_kernel::Fault;
use rapport_platform::{OnFailure, Tasks};

fn tasks() -> Tasks {
    Tasks::new(&prometheus::Registry::new()).expect("tasks")
}

#[tokio::test]
async fn a_task_that_fails_or_panics_runs_again() {
    let (tasks, runs) = (tasks(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&runs);
    tasks.spawn("probe", OnFailure::Restart, move |stopping| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match run {
                0 => Err(Fault::internal("first")),
                1 => panic!("second"),
                _ => {
                    stopping.cancelled().await;
                    Ok(())
                }
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert!(tasks.stop(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn a_task_that_the_process_needs_stops_it_by_failing() {
    let tasks = tasks();
    tasks.spawn("probe", OnFailure::StopProcess, async |_| Err(Fault::internal("gone")));
    tokio::time::timeout(Duration::from_secs(1), tasks.failure()).await.expect("the process is told");
}

#[tokio::test]
async fn a_task_that_does_not_heed_is_not_waited_for_for_ever() {
    let tasks = tasks();
    tasks.spawn("probe", OnFailure::Restart, |_| std::future::pending());
    assert!(!tasks.stop(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn work_is_finished_although_its_caller_leaves() {
    let (tasks, done) = (tasks(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&done);
    let work = tasks.finish(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    assert!(tokio::time::timeout(Duration::from_millis(10), work).await.is_err(), "the caller leaves");
    assert!(tasks.stop(Duration::from_secs(1)).await);
    assert_eq!(done.load(Ordering::SeqCst), 1);
}
