//! Receipts: a call under one request id happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rapport_data::{Answer, Database, Engine, Receipt, Tx};
use rapport_kernel::{Fault, Reason, RequestId, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, count, event, number, value};

fn encode(n: &i64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

fn receipt(request: RequestId, body: &[u8]) -> Receipt<i64> {
    Receipt::new("/notes.Notes/Count", Some(request), body, encode)
}

async fn call(database: &Database, tenant: TenantId, receipt: Receipt<i64>) -> Result<Vec<u8>, Fault> {
    let answer = database.write_once(tenant, receipt, |tx: Tx| async move { count(&tx, "calls").await }).await?;
    Ok(match answer {
        Answer::Fresh(n) => encode(&n),
        Answer::Replayed(bytes) => bytes,
    })
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_with_one_request_id_are_one_effect_and_one_answer(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, request) = (ground.open().await, TenantId::new(), RequestId::new());
    let calls = (0..50).map(|_| call(&database, tenant, receipt(request, b"body")));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.expect("each is answered"), encode(&1));
    }
    assert_eq!(value(&database, tenant, "calls").await, Some(1));
    // Over two instances as well, where the database allows two.
    let (_platform, other) = ground.instance().await;
    assert_eq!(call(&other, tenant, receipt(request, b"body")).await.expect("the first answer"), encode(&1));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_is_bound_to_its_request_and_its_tenant(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, request) = (ground.open().await, TenantId::new(), RequestId::new());
    call(&database, tenant, receipt(request, b"body")).await.expect("the first");
    let fault = call(&database, tenant, receipt(request, b"another")).await.expect_err("another body");
    assert_eq!(fault.reason, Reason::IdempotencyMismatch);
    let method = Receipt::new("/notes.Notes/Other", Some(request), b"body", encode);
    assert_eq!(call(&database, tenant, method).await.expect_err("another method").reason, Reason::IdempotencyMismatch);
    assert_eq!(value(&database, tenant, "calls").await, Some(1));
    call(&database, TenantId::new(), receipt(request, b"another")).await.expect("another tenant's ids are its own");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_successes_are_kept(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, request) = (ground.open().await, TenantId::new(), RequestId::new());
    let runs = Arc::new(AtomicU32::new(0));
    let attempt = || {
        let runs = Arc::clone(&runs);
        let unit = move |tx: Tx| {
            let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                let n = count(&tx, "calls").await?;
                if first { Err(Fault::new(Reason::InvalidState, "not yet")) } else { Ok(n) }
            }
        };
        database.write_once(tenant, receipt(request, b"body"), unit)
    };
    assert_eq!(attempt().await.expect_err("the first fails").reason, Reason::InvalidState);
    assert_eq!(attempt().await.expect("the second does it"), Answer::Fresh(1));
    assert_eq!(attempt().await.expect("the third is told"), Answer::Replayed(encode(&1)));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_swept_after_their_time_and_not_before(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, request) = (ground.open().await, TenantId::new(), RequestId::new());
    let unit = |tx: Tx| async move {
        tx.about(SubjectId::new());
        tx.publish(event(SubjectId::new(), "thing", 1)).await?;
        count(&tx, "calls").await
    };
    database.write_once(tenant, receipt(request, b"body"), unit).await.expect("the first");
    assert_eq!(number(&database, "SELECT count(*) FROM receipt_subject").await, 2);
    ground.clock.advance(Duration::from_secs(47 * 3_600));
    database.sweep().await.expect("up");
    assert_eq!(call(&database, tenant, receipt(request, b"body")).await.expect("it is kept"), encode(&1));
    ground.clock.advance(Duration::from_secs(2 * 3_600));
    assert_eq!(database.sweep().await.expect("up"), 3);
    assert_eq!(number(&database, "SELECT count(*) FROM receipt").await, 0);
    assert_eq!(number(&database, "SELECT count(*) FROM receipt_subject").await, 0);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_request_id_every_call_counts(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    for n in 1..=3 {
        let receipt = Receipt::new("/notes.Notes/Count", None, b"body", encode);
        assert_eq!(call(&database, tenant, receipt).await.expect("up"), encode(&n));
    }
    assert_eq!(number(&database, "SELECT count(*) FROM receipt").await, 0);
}
