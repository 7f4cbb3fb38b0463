//! Patience with a busy machine: whoever only wants to look shall not lose the demo to one call that was not come to in
//! time. All that the demo tells can be told again harmlessly.

use std::time::Duration;

use indicatif::ProgressBar;
use rapport_api::common::v1::BulkAck;
use tonic::{Code, Response, Status, Streaming};

/// How often a call is made that a busy machine did not come to in time, and how long it waits the longer the more often.
const TRIES: u32 = 15;
const PAUSE: Duration = Duration::from_millis(200);

/// What a busy machine answers.
const BUSY: [Code; 3] = [Code::DeadlineExceeded, Code::Unavailable, Code::ResourceExhausted];

/// Makes a call until a busy machine comes to it.
pub(super) async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    for tries in 1..TRIES {
        match call().await {
            Err(status) if BUSY.contains(&status.code()) => tokio::time::sleep(PAUSE * tries).await,
            other => return other,
        }
    }
    call().await
}

/// Sends what `open` sends of it after so many items; where a busy machine breaks that off, it goes on after what was
/// acknowledged last. Answers how many were taken.
pub(super) async fn bulk<A>(
    what: &str,
    bar: &ProgressBar,
    ack: fn(A) -> Option<BulkAck>,
    open: impl AsyncFn(usize) -> Result<Response<Streaming<A>>, Status>,
) -> Result<i64, Status> {
    let (mut done, mut taken, mut tries) = (0, 0, 1);
    loop {
        let first = done;
        let sent = async {
            let mut acks = open(first).await?.into_inner();
            while let Some(answer) = acks.message().await? {
                let ack = ack(answer).unwrap_or_default();
                if let Some(error) = ack.errors.first() {
                    return Err(Status::internal(format!("{what} {} was refused: {}", error.index, error.message)));
                }
                bar.inc(u64::try_from(ack.accepted).unwrap_or_default());
                taken += ack.accepted;
                done = first + usize::try_from(ack.through_index + 1).unwrap_or_default();
            }
            Ok(())
        };
        match sent.await {
            Ok(()) => return Ok(taken),
            Err(status) if BUSY.contains(&status.code()) && tries < TRIES => {
                tokio::time::sleep(PAUSE * tries).await;
                tries = if done > first { 1 } else { tries + 1 };
            }
            Err(status) => return Err(status),
        }
    }
}
