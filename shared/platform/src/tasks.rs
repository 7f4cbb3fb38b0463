//! Background tasks: each has a name, and says what happens when it fails. Nothing else in the suite spawns.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};
use rapport_kernel::Fault;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument as _;

/// The first pause before a failed task runs again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: what comes back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A task that ran this long starts its pauses anew.
const HEALTHY: Duration = Duration::from_secs(30);

/// What happens when a task fails or panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It runs again, after a pause that doubles from 100 ms to 2 s.
    Restart,
    /// The process stops: it cannot do its work without this task.
    StopProcess,
}

/// The tasks of a process. Cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    tracker: TaskTracker,
    stopping: CancellationToken,
    failed: CancellationToken,
    running: IntGaugeVec,
    failures: IntCounterVec,
}

impl Tasks {
    /// No tasks yet; their gauges go to `registry`.
    ///
    /// # Errors
    /// Where the registry holds metrics of these names already.
    pub fn new(registry: &prometheus::Registry) -> Result<Self, Fault> {
        let running = Opts::new("rapport_task_running", "How many background tasks of a name run.");
        let running = IntGaugeVec::new(running, &["task"]).map_err(Fault::internal)?;
        let failures = Opts::new("rapport_task_failures_total", "How often a background task failed or panicked.");
        let failures = IntCounterVec::new(failures, &["task"]).map_err(Fault::internal)?;
        registry.register(Box::new(running.clone())).map_err(Fault::internal)?;
        registry.register(Box::new(failures.clone())).map_err(Fault::internal)?;
        let (tracker, stopping, failed) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        Ok(Self(Arc::new(Inner { tracker, stopping, failed, running, failures })))
    }

    /// Starts a task that runs until it answers `Ok`, or until the token it is given is cancelled and it heeds it.
    pub fn spawn<F, Fut>(&self, name: &str, policy: OnFailure, f: F)
    where
        F: Fn(CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let (this, name) = (self.clone(), name.to_owned());
        let span = tracing::error_span!(parent: None, "task", task = name);
        let task = async move {
            let running = this.0.running.with_label_values(&[&name]);
            running.inc();
            this.keep_running(&name, policy, &f).await;
            running.dec();
        };
        self.0.tracker.spawn(task.instrument(span));
    }

    /// Runs work to its end even where the caller goes away meanwhile: a write that must not stop half way.
    ///
    /// # Errors
    /// What the work answers; INTERNAL where it panics.
    pub async fn finish<T, Fut>(&self, work: Fut) -> Result<T, Fault>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let work = self.0.tracker.spawn(work.in_current_span());
        work.await.unwrap_or_else(|why| Err(Fault::internal(why)))
    }

    /// Does work beside whoever asks for it: it ends where what this answers is dropped.
    pub fn beside<T, Fut>(&self, work: Fut) -> AbortOnDropHandle<T>
    where
        T: Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        AbortOnDropHandle::new(self.0.tracker.spawn(work.in_current_span()))
    }

    /// Cancelled when the last call is answered and tasks shall end. (Endless streams heed `Platform::drain`.)
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Ends when a task of the policy [`OnFailure::StopProcess`] has failed.
    pub async fn failure(&self) {
        self.0.failed.cancelled().await;
    }

    /// Tells all tasks to stop, and waits for them. Answers whether all ended in time.
    pub async fn stop(&self, within: Duration) -> bool {
        self.0.stopping.cancel();
        self.0.tracker.close();
        tokio::time::timeout(within, self.0.tracker.wait()).await.is_ok()
    }

    async fn keep_running<F, Fut>(&self, name: &str, policy: OnFailure, f: &F)
    where
        F: Fn(CancellationToken) -> Fut,
        Fut: Future<Output = Result<(), Fault>>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            // The closure is called within the guarded block: it may panic as well.
            let run = AssertUnwindSafe(async { f(self.stopping()).await }).catch_unwind().await;
            let cause = match run {
                Ok(Ok(())) => return,
                Ok(Err(fault)) => format!("{fault:?}"),
                Err(_) => "it panicked".to_owned(),
            };
            self.0.failures.with_label_values(&[name]).inc();
            if self.0.stopping.is_cancelled() {
                return tracing::warn!(cause, "a background task failed while the process stops");
            }
            match policy {
                OnFailure::StopProcess => {
                    tracing::error!(cause, "a background task that the process needs failed");
                    return self.0.failed.cancel();
                }
                OnFailure::Restart => {
                    if started.elapsed() > HEALTHY {
                        pause = FIRST_PAUSE;
                    }
                    tracing::error!(cause, ?pause, "a background task failed; it runs again after a pause");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.0.stopping.cancelled() => return,
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}
