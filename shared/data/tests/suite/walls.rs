//! Row-level security: even a query that forgets the tenant cannot cross.

use rapport_data::{Database, Engine, Rx, Stored as _, Tx};
use rapport_harness::{Postgres, shared_postgres};
use rapport_kernel::{Fault, Kind, TenantId};
use rapport_platform::config::Address;
use sea_orm::ConnectionTrait as _;
use tokio::time::{Duration, Instant, sleep};

use crate::ground::{Ground, insert, sql, value};

async fn notes_seen(database: &Database, tenant: TenantId) -> Result<i64, Fault> {
    let careless = |rx: Rx| async move {
        let row = rx.conn().query_one_raw(sql(&rx, "SELECT count(*) FROM note", [])).await.stored()?;
        row.expect("an aggregate answers a row").try_get_by_index(0).stored()
    };
    database.read(tenant, careless).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_forgets_the_tenant_sees_and_writes_only_its_own() {
    let ground = Ground::new(Engine::Postgres);
    let (database, one, other) = (ground.open().await, TenantId::new(), TenantId::new());
    database.write(one, |tx: Tx| async move { insert(&tx, "a", 1).await }).await.expect("up");
    assert_eq!(notes_seen(&database, one).await.expect("up"), 1);
    assert_eq!(notes_seen(&database, other).await.expect("up"), 0);
    let foreign = move |tx: Tx| async move {
        let text = "INSERT INTO note (tenant, name, value) VALUES ($1, 'b', 2)";
        tx.conn().execute_raw(sql(&tx, text, [one.uuid().into()])).await.stored()?;
        Ok(())
    };
    database.write(other, foreign).await.expect_err("a row of another tenant");
    let careless =
        |tx: Tx| async move { Ok(tx.conn().execute_unprepared("DELETE FROM note").await.stored()?.rows_affected()) };
    assert_eq!(database.write(other, careless).await.expect("up"), 0);
    assert_eq!(value(&database, one, "a").await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_owns_nothing_and_cannot_lift_the_wall() {
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant) = (ground.open().await, TenantId::new());
    for attempt in [
        "ALTER TABLE note DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON note",
        "CREATE TABLE mine (n int)",
        "SET LOCAL row_security = off; DELETE FROM note",
        "UPDATE relay SET settled = 99",
    ] {
        let unit = move |tx: Tx| async move {
            insert(&tx, "x", 1).await?;
            tx.conn().execute_unprepared(attempt).await.stored()?;
            Ok(())
        };
        assert!(database.write(tenant, unit).await.is_err(), "{attempt}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_works_on_its_golden_list_only() {
    let ground = Ground::new(Engine::Postgres);
    let database = ground.open().await;
    let tables = database.system().tables().await.expect("up");
    let golden = [
        "dead_letter",
        "inbox",
        "known_tenant",
        "lease",
        "operation",
        "outbox",
        "receipt",
        "receipt_subject",
        "relay",
        "wakeup",
    ];
    assert_eq!(tables, golden);
    let look = |rx: Rx| async move {
        rx.conn().query_one_raw(sql(&rx, "SELECT count(*) FROM note", [])).await.stored()?;
        Ok(())
    };
    database.system().read(look).await.expect_err("notes are not on it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reused_connection_never_shows_the_tenant_before() {
    let mut ground = Ground::new(Engine::Postgres);
    ground.config.readers = 2;
    let database = ground.open().await;
    let tenants: Vec<TenantId> = (0..5).map(|_| TenantId::new()).collect();
    for (n, tenant) in (0..).zip(&tenants) {
        for note in 0..=n {
            let name = format!("note {note}");
            let unit = move |tx: Tx| {
                let name = name.clone();
                async move { insert(&tx, &name, 1).await }
            };
            database.write(*tenant, unit).await.expect("up");
        }
    }
    let reads = (0..200_usize).map(|n| {
        let (database, tenant) = (database.clone(), tenants[n * 7 % 5]);
        async move { (n * 7 % 5, notes_seen(&database, tenant).await.expect("up")) }
    });
    for (n, seen) in futures::future::join_all(reads).await {
        assert_eq!(seen, i64::try_from(n).expect("small") + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_a_wall_is_not_served() {
    let ground = Ground::new(Engine::Postgres);
    ground.open().await;
    shared_postgres().execute(ground.url(), "CREATE TABLE forgotten (tenant uuid, x int)");
    let fault = ground.try_open().await.err().expect("a table has no wall");
    assert!(format!("{fault:?}").contains("forgotten"), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_went_away_is_unavailable_and_back_within_three_seconds() {
    let server = Postgres::start();
    let mut ground = Ground::new(Engine::Postgres);
    ground.config.url = Some(Address::new(server.database("data")));
    let (database, one, other) = (ground.open().await, TenantId::new(), TenantId::new());
    database.write(one, |tx: Tx| async move { insert(&tx, "a", 1).await }).await.expect("up");
    assert_eq!(notes_seen(&database, one).await.expect("up"), 1);
    server.kill();
    for _ in 0..5 {
        assert_eq!(notes_seen(&database, one).await.expect_err("it is away").kind(), Kind::Unavailable);
        let write = database.write(one, |tx: Tx| async move { insert(&tx, "b", 1).await });
        let fault = write.await.expect_err("it is away");
        assert_eq!(fault.kind(), Kind::Unavailable, "{fault:?}");
        assert!(fault.details.retry_after.is_some());
    }
    server.start_again();
    let back = Instant::now();
    while notes_seen(&database, one).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(20)).await;
    }
    database.write(one, |tx: Tx| async move { insert(&tx, "c", 1).await }).await.expect("it is back");
    assert_eq!(notes_seen(&database, one).await.expect("up"), 2);
    assert_eq!(notes_seen(&database, other).await.expect("up"), 0, "no connection kept the tenant before");
    ground.platform.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_costs_a_call_no_more_than_its_deadline() {
    let server = Postgres::start();
    let mut ground = Ground::new(Engine::Postgres);
    ground.config.url = Some(Address::new(server.database("data")));
    let (database, tenant) = (ground.open().await, TenantId::new());
    assert_eq!(notes_seen(&database, tenant).await.expect("up"), 0);
    server.pause();
    let began = Instant::now();
    let hurried = database.until(Some(began + Duration::from_millis(300)));
    assert_eq!(notes_seen(&hurried, tenant).await.expect_err("it hangs").kind(), Kind::Deadline);
    let write = hurried.write(tenant, |tx: Tx| async move { insert(&tx, "a", 1).await });
    assert_eq!(write.await.expect_err("it hangs").kind(), Kind::Deadline);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.resume();
    let back = Instant::now();
    while notes_seen(&database, tenant).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(20)).await;
    }
}
