//! Erasure: nothing is left but a tombstone, and nothing comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_api::events::v1::{SubjectErased, event::Payload};
use rapport_data::{Engine, NewEvent, Receipt, Stored as _, Tx};
use rapport_kernel::{Fault, Reason, RequestId, SubjectId, TenantId};
use rstest::rstest;
use sea_orm::ConnectionTrait as _;

use crate::ground::{
    GAPS, GROUP, Ground, Recorder, UNSETTLED, count, event, eventually, line, memory, number, publish, sql, value,
};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_leaves_nothing_but_a_tombstone_and_stops_what_comes_late(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, memory()).await;
    let (tenant, erased, other) = (TenantId::new(), SubjectId::new(), SubjectId::new());
    recorder.fail(Some(|event| (event.aggregate_id == "poison").then(|| Fault::new(Reason::InvalidState, "no"))));
    let receipt = Receipt::new("/notes.Notes/X", Some(RequestId::new()), b"body", |_: &()| b"about her".to_vec());
    let unit = move |tx: Tx| async move {
        tx.publish(event(erased, "poison", 1)).await?;
        tx.publish(event(erased, "fine", 1)).await?;
        tx.publish(event(other, "fine too", 1)).await?;
        tx.wake_at(erased, Some(tx.now())).await
    };
    database.write_once(tenant, receipt, unit).await.expect("up");
    eventually("the poison is aside", async || database.dead_letters(GROUP, None).await.expect("up").len() == 1).await;
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    let unit = move |tx: Tx| async move {
        tx.erase(&[erased]).await?;
        tx.publish(NewEvent {
            payload: Payload::SubjectErased(SubjectErased { erasure_id: "e".to_owned() }),
            ..event(erased, "subject", 2)
        })
        .await
    };
    database.write(tenant, unit).await.expect("up");
    // The pair that is left names the other subject, and goes with the sweep.
    for (table, rows) in [("receipt", 0), ("receipt_subject", 1), ("wakeup", 0), ("dead_letter", 0)] {
        let text: &'static str = format!("SELECT count(*) FROM {table}").leak();
        assert_eq!(number(&database, text).await, rows, "{table}");
    }
    let told = |recorder: &Recorder| recorder.events().iter().any(|event| event.aggregate_id == "subject");
    eventually("the erasure itself is told", async || told(&recorder)).await;
    // What comes late, from a replay or a service that has not heard of it, is dropped; what follows comes through.
    recorder.fail(None);
    let before = recorder.events().len();
    publish(&database, tenant, event(erased, "late", 9)).await;
    publish(&database, tenant, event(other, "after", 2)).await;
    eventually("what follows comes", async || recorder.events().len() == before + 1).await;
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    assert_eq!(recorder.events().last().expect("some came").aggregate_id, "after");
    eventually("what was emptied is settled", async || database.bus_clear().await.expect("up")).await;
    assert_eq!(number(&database, GAPS).await, 0, "emptied rows keep their positions");
    let left = "SELECT count(*) FROM outbox WHERE length(body) > 0";
    assert_eq!(number(&database, left).await, 4, "her older events are gone");
    let entombed = database.read(tenant, |rx| async move { rx.is_entombed(&[erased, other]).await }).await.expect("up");
    assert_eq!(entombed, BTreeSet::from([erased]));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_erasure_comes_between_looking_for_tombstones_and_the_commit(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, subject) = (ground.open().await, TenantId::new(), SubjectId::new());
    let writes = database.write(tenant, move |tx: Tx| async move {
        assert!(tx.is_entombed(&[subject]).await?.is_empty());
        tokio::time::sleep(Duration::from_millis(300)).await;
        count(&tx, "about her").await
    });
    let erases = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let erase = move |tx: Tx| async move {
            tx.erase(&[subject]).await?;
            let text = "DELETE FROM note WHERE tenant = $1";
            tx.conn().execute_raw(sql(&tx, text, [tx.tenant().uuid().into()])).await.stored()?;
            Ok(())
        };
        database.write(tenant, erase).await
    };
    let (written, erased) = tokio::join!(writes, erases);
    written.expect("it came first");
    erased.expect("it waited");
    assert_eq!(value(&database, tenant, "about her").await, None);
}
