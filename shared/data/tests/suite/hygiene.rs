//! What is deleted is gone from the disk, what is asked goes by an index, and what nobody waits for ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rapport_api::events::v1::Event;
use rapport_data::{Consumer, Database, Engine, Rx, Stored as _, Tx};
use rapport_harness::{Postgres, Statements, scans, shared_postgres};
use rapport_kernel::{Fault, SubjectId, TenantId};
use rapport_platform::Readiness;
use rapport_platform::config::Address;
use rstest::rstest;
use sea_orm::ConnectionTrait as _;

use crate::ground::{
    GROUP, Ground, Recorder, SERVICE, UNSETTLED, count, event, eventually, insert, line, memory, number, publish, sql,
};

async fn erase(database: &Database, tenant: TenantId, subject: SubjectId) -> Result<(), Fault> {
    let erase = move |tx: Tx| async move {
        tx.erase(&[subject]).await?;
        let text = "DELETE FROM note WHERE tenant = $1";
        tx.conn().execute_raw(sql(&tx, text, [tx.tenant().uuid().into()])).await.stored()?;
        Ok(())
    };
    database.write_erasing(tenant, erase).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_holds_what_was_erased() {
    let ground = Ground::new(Engine::Sqlite);
    let (database, tenant, subject) = (ground.open().await, TenantId::new(), SubjectId::new());
    for n in 0..600 {
        let name = format!("canary-{n}@example.com");
        let unit = move |tx: Tx| {
            let name = name.clone();
            async move { insert(&tx, &name, n).await }
        };
        database.write(tenant, unit).await.expect("up");
        publish(&database, tenant, event(subject, "canary-@example.com", 1)).await;
    }
    // Who opens it again must not copy anything out of the tables either.
    ground.instance().await;
    erase(&database, tenant, subject).await.expect("up");
    eventually("nothing is left", async || database.bus_clear().await.expect("up")).await;
    for file in std::fs::read_dir(&ground.config.folder).expect("a folder") {
        let path = file.expect("a file").path();
        let found = std::fs::read(&path).expect("readable").windows(7).filter(|bytes| *bytes == b"canary-").count();
        assert_eq!(found, 0, "{}", path.display());
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut ground = Ground::new(Engine::Sqlite);
    ground.config.folder = ground.config.folder.join("data");
    let (database, tenant) = (ground.open().await, TenantId::new());
    database.write(tenant, |tx: Tx| async move { insert(&tx, "note", 1).await }).await.expect("up");
    let rights = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(rights(&ground.config.folder), 0o700);
    for file in std::fs::read_dir(&ground.config.folder).expect("a folder") {
        let path = file.expect("a file").path();
        assert_eq!(rights(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn neither_an_erasure_nor_the_sweep_reads_a_whole_table() {
    let ground = Ground::new(Engine::Sqlite);
    let (database, tenant, subject) = (ground.open().await, TenantId::new(), SubjectId::new());
    let said = Statements::listen();
    database.write_erasing(tenant, move |tx: Tx| async move { tx.erase(&[subject]).await }).await.expect("up");
    database.relay(&ground.platform, memory(), vec![]);
    publish(&database, tenant, event(subject, "thing", 1)).await;
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    eventually("it is clear", async || database.bus_clear().await.expect("up")).await;
    drop(said.take());
    database.sweep().await.expect("up");
    database.bus_clear().await.expect("up");
    let unit = move |tx: Tx| async move { tx.erase(&[subject]).await };
    database.write_erasing(tenant, unit).await.expect("up");
    let said = said.take();
    assert!(said.iter().any(|text| text.starts_with("DELETE FROM outbox")), "{said:?}");
    let file = ground.config.folder.join(format!("{SERVICE}.db"));
    let found = scans(&file, &said, &["relay", "lease", "oldest", "outbox_pending"]).await;
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_ends_a_read_that_nobody_waits_for() {
    let ground = Ground::new(Engine::Sqlite);
    let (database, tenant, subject) = (ground.open().await, TenantId::new(), SubjectId::new());
    database.write(tenant, |tx: Tx| async move { insert(&tx, "note", 1).await }).await.expect("up");
    let endless = |rx: Rx| async move {
        let text = "WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n) \
                    SELECT count(*) FROM n, note WHERE value < at";
        rx.conn().query_one_raw(sql(&rx, text, [])).await.stored().map(drop)
    };
    let soon = database.until(Some(tokio::time::Instant::now() + Duration::from_millis(100)));
    let (one, other) = tokio::join!(soon.read(tenant, endless), soon.read(tenant, endless));
    assert!(one.is_err() && other.is_err());
    // A reader that goes on keeps the log from being emptied.
    erase(&database, tenant, subject).await.expect("up");
    eventually("the readers are out of the log", async || database.bus_clear().await.expect("up")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_ends_a_read_that_nobody_waits_for() {
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let soon = database.until(Some(tokio::time::Instant::now() + Duration::from_millis(100)));
    let slow = |rx: Rx| async move {
        let text = "SELECT pg_advisory_xact_lock(77), pg_sleep(9)::text";
        rx.conn().query_one_raw(sql(&rx, text, [])).await.stored().map(drop)
    };
    soon.read(tenant, slow).await.expect_err("too slow");
    let began = Instant::now();
    let free = async || {
        let read = |rx: Rx| async move {
            let row = rx.conn().query_one_raw(sql(&rx, "SELECT pg_try_advisory_xact_lock(77)", [])).await.stored()?;
            row.expect("a row").try_get_by_index::<bool>(0).stored()
        };
        database.read(tenant, read).await.expect("up")
    };
    eventually("the statement ended", free).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Applies ten events at once at most: more take too long.
struct Slow(Recorder);

impl Consumer for Slow {
    fn apply(&self, tx: Tx, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        if events.len() > 10 {
            return Box::pin(std::future::ready(Err(Fault::deadline())));
        }
        self.0.apply(tx, events)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_takes_too_long_is_applied_in_parts() {
    let ground = Ground::new(Engine::Sqlite);
    let (database, tenant, subject) = (ground.open().await, TenantId::new(), SubjectId::new());
    let unit = move |tx: Tx| async move {
        for revision in 1..=100 {
            tx.publish(event(subject, "thing", revision)).await?;
        }
        Ok(())
    };
    database.write(tenant, unit).await.expect("up");
    let (bus, slow) = (memory(), Arc::new(Slow(Recorder::default())));
    database.relay(&ground.platform, Arc::clone(&bus) as Arc<_>, vec![GROUP]);
    database.consume(&ground.platform, bus, GROUP, &[SERVICE], Arc::clone(&slow) as Arc<_>);
    eventually("all are applied", async || slow.0.events().len() == 100).await;
    let revisions: Vec<u64> = slow.0.events().iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (1..=100).collect::<Vec<_>>(), "in order");
    assert!(database.dead_letters(GROUP, None).await.expect("up").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_says_that_its_database_is_away_and_that_it_is_back() {
    let server = Postgres::start();
    let mut ground = Ground::new(Engine::Sqlite);
    ground.config.url = Some(Address::new(server.database("data")));
    let (database, readiness) = (ground.open().await, Readiness::new());
    database.watch(&readiness);
    server.stop();
    eventually("it is not ready", async || !readiness.is_ready()).await;
    assert_eq!(readiness.missing()[0].0, "database");
    server.start_again();
    eventually("it is ready again", async || readiness.is_ready()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasures_and_consumers_do_not_wait_for_each_other_in_a_circle() {
    let ground = Ground::new(Engine::Postgres);
    let (database, recorder) = line(&ground, memory()).await;
    let tenant = TenantId::new();
    let erases = (0..20).map(|_| async {
        let subject = SubjectId::new();
        publish(&database, tenant, event(subject, "same", 1)).await;
        let unit = move |tx: Tx| async move {
            count(&tx, "same").await?;
            tx.is_entombed(&[subject]).await?;
            tx.erase(&[subject]).await
        };
        database.write_erasing(tenant, unit).await.expect("no deadlock");
    });
    futures::future::join_all(erases).await;
    // Its figures come a little late.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(shared_postgres().execute(ground.url(), circles), "0");
    drop(recorder);
}
#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_takes_what_is_settled_and_old_and_nothing_else(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, _recorder) = line(&ground, memory()).await;
    let tenant = TenantId::new();
    for _ in 0..30 {
        publish(&database, tenant, event(SubjectId::new(), "old", 1)).await;
    }
    ground.clock.advance(Duration::from_secs(3_000));
    publish(&database, tenant, event(SubjectId::new(), "young", 1)).await;
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    database.sweep().await.expect("up");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 31);
    ground.clock.advance(Duration::from_secs(1_000));
    database.sweep().await.expect("up");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 1);
}
