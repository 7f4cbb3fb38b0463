//! Units of work: all or nothing, each for itself, answered after the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Kind, Reason, TenantId};
use rapport_platform::config::Period;
use rstest::rstest;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::ground::{Ground, count, insert, sql, value};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_fails_or_panics_takes_back_only_itself(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let units = (0..60).map(|n| {
        let unit = move |tx: Tx| async move {
            insert(&tx, &format!("note {n}"), n).await?;
            match n % 3 {
                0 => Err(Fault::new(Reason::InvalidState, "no")),
                1 => panic!("a mistake in a unit"),
                _ => Ok(()),
            }
        };
        let database = database.clone();
        async move { database.write(tenant, unit).await }
    });
    for (n, result) in (0_i64..).zip(futures::future::join_all(units).await) {
        match n % 3 {
            0 => assert_eq!(result.expect_err("it failed").reason, Reason::InvalidState),
            1 => assert_eq!(result.expect_err("it panicked").reason, Reason::Internal),
            _ => result.expect("it did nothing wrong"),
        }
        assert_eq!(value(&database, tenant, &format!("note {n}")).await, (n % 3 == 2).then_some(n));
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leaves_only_after_the_commit(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let writers = (0..100).map(|n| {
        let database = database.clone();
        async move {
            let name = format!("note {n}");
            let written = name.clone();
            let unit = move |tx: Tx| {
                let name = written.clone();
                async move { insert(&tx, &name, n).await }
            };
            database.write(tenant, unit).await.expect("up");
            // Another connection sees only what is committed.
            assert_eq!(value(&database, tenant, &name).await, Some(n));
        }
    });
    futures::future::join_all(writers).await;
    if engine == Engine::Sqlite {
        let groups = ground.platform.metrics.gather().into_iter().find(|m| m.name() == "rapport_database_group_units");
        let groups = groups.expect("it is registered").get_metric()[0].get_histogram().get_sample_count();
        assert!(groups < 100, "units share commits: {groups} for 100");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_whose_caller_goes_away_still_completes(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let (begun, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (in_begun, in_goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
    let unit = move |tx: Tx| {
        let (begun, goes_on) = (Arc::clone(&in_begun), Arc::clone(&in_goes_on));
        async move {
            insert(&tx, "first", 1).await?;
            begun.notify_one();
            goes_on.notified().await;
            insert(&tx, "second", 2).await
        }
    };
    tokio::select! {
        _ = database.write(tenant, unit) => panic!("it waits"),
        () = begun.notified() => {}
    }
    goes_on.notify_one();
    crate::ground::eventually("the unit completes", async || value(&database, tenant, "second").await == Some(2)).await;
    assert_eq!(value(&database, tenant, "first").await, Some(1));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_kept_beyond_its_unit_is_dead(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let kept = database.write(tenant, |tx: Tx| async move { Ok(tx) }).await.expect("up");
    insert(&kept, "too late", 1).await.expect_err("its unit is over");
    assert_eq!(value(&database, tenant, "too late").await, None);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_is_kept_while_the_unit_goes_on(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let hurried = database.until(Some(Instant::now() + Duration::from_millis(150)));
    let began = Instant::now();
    let unit = |tx: Tx| async move {
        sleep(Duration::from_secs(4)).await;
        insert(&tx, "late", 1).await
    };
    let fault = hurried.write(tenant, unit).await.expect_err("too slow");
    assert_eq!(fault.kind(), Kind::Deadline);
    assert!(began.elapsed() < Duration::from_secs(3));
    if engine == Engine::Sqlite {
        crate::ground::eventually("it completes", async || value(&database, tenant, "late").await.is_some()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_with_the_deadline_on_postgres() {
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let hurried = database.until(Some(Instant::now() + Duration::from_millis(150)));
    let sleeps = |tx: Tx| async move {
        tx.conn().execute_unprepared("SELECT pg_sleep(5)").await.stored()?;
        Ok(())
    };
    assert_eq!(hurried.write(tenant, sleeps).await.expect_err("too slow").kind(), Kind::Deadline);
    let hurried = database.until(Some(Instant::now() + Duration::from_millis(150)));
    let sleeps = |rx: rapport_data::Rx| async move {
        rx.conn().execute_unprepared("SELECT pg_sleep(5)").await.stored()?;
        Ok(())
    };
    assert_eq!(hurried.read(tenant, sleeps).await.expect_err("too slow").kind(), Kind::Deadline);
    // The connections that were left in the middle are not lent out again as they are.
    for _ in 0..40 {
        assert_eq!(value(&database, tenant, "none").await, None);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_that_deadlock_are_run_again(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    for name in ["a", "b"] {
        database.write(tenant, move |tx: Tx| async move { count(&tx, name).await }).await.expect("up");
    }
    let runs = Arc::new(AtomicU32::new(0));
    let crossing = |first: &'static str, second: &'static str| {
        let (database, runs) = (database.clone(), Arc::clone(&runs));
        async move {
            let unit = move |tx: Tx| {
                let runs = Arc::clone(&runs);
                async move {
                    runs.fetch_add(1, Ordering::Relaxed);
                    count(&tx, first).await?;
                    sleep(Duration::from_millis(100)).await;
                    count(&tx, second).await
                }
            };
            database.write(tenant, unit).await
        }
    };
    let (one, other) = tokio::join!(crossing("a", "b"), crossing("b", "a"));
    one.expect("it is run again");
    other.expect("it is run again");
    assert_eq!((value(&database, tenant, "a").await, value(&database, tenant, "b").await), (Some(3), Some(3)));
    assert!(engine == Engine::Sqlite || runs.load(Ordering::Relaxed) > 2, "they did deadlock");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_exclude_units_of_one_tenant(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let inside = Arc::new(AtomicBool::new(false));
    let units = (0..20).map(|n| {
        let (database, inside) = (database.clone(), Arc::clone(&inside));
        async move {
            let unit = move |tx: Tx| {
                let inside = Arc::clone(&inside);
                async move {
                    let mut keys = vec!["one".to_owned(), "two".to_owned()];
                    if n % 2 == 0 {
                        keys.reverse();
                    }
                    tx.lock(&keys).await?;
                    assert!(!inside.swap(true, Ordering::SeqCst), "two at once");
                    sleep(Duration::from_millis(3)).await;
                    inside.store(false, Ordering::SeqCst);
                    Ok(())
                }
            };
            database.write(tenant, unit).await
        }
    });
    for result in futures::future::join_all(units).await {
        result.expect("none waits for ever");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_after_units_were_outlasted_holds_what_they_wrote() {
    // On SQLite there is nobody to outlast: what was committed before a read was written by units that had ended.
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let begun = Arc::new(Notify::new());
    let under_way = {
        let (database, begun) = (database.clone(), Arc::clone(&begun));
        async move {
            let unit = move |tx: Tx| {
                let begun = Arc::clone(&begun);
                async move {
                    tx.lock(&["it".to_owned()]).await?;
                    insert(&tx, "it", 7).await?;
                    begun.notify_one();
                    sleep(Duration::from_millis(200)).await;
                    Ok(())
                }
            };
            database.write(tenant, unit).await
        }
    };
    let look = async {
        begun.notified().await;
        let outlast = |rx: Rx| async move { rx.outlast(&["another".to_owned(), "it".to_owned()]).await };
        database.read(tenant, outlast).await.expect("it ends");
        value(&database, tenant, "it").await
    };
    let (written, seen) = tokio::join!(under_way, look);
    written.expect("written");
    assert_eq!(seen, Some(7));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_time_never_takes_all_connections_and_waits_for_its_turn(#[case] engine: Engine) {
    let mut ground = Ground::new(engine);
    (ground.config.readers, ground.config.acquire) = (3, Period::millis(200));
    let (database, tenant) = (ground.open().await, TenantId::new());
    let slow = (0..8).map(|_| {
        database.read(tenant, |_| async {
            sleep(Duration::from_millis(300)).await;
            Ok(())
        })
    });
    let call = async {
        sleep(Duration::from_millis(100)).await;
        let hurried = database.until(Some(Instant::now() + Duration::from_secs(10)));
        hurried.read(tenant, |_| async { Ok(()) }).await
    };
    let (slow, call) = tokio::join!(futures::future::join_all(slow), call);
    call.expect("one is kept for it");
    for read in slow {
        read.expect("it waits longer than a call may");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_unavailable_in_time() {
    let mut ground = Ground::new(Engine::Sqlite);
    (ground.config.queue, ground.config.acquire) = (1, Period::millis(50));
    let (database, tenant) = (ground.open().await, TenantId::new());
    let release = Arc::new(Notify::new());
    let waits = {
        let release = Arc::clone(&release);
        move |_: Tx| {
            let release = Arc::clone(&release);
            async move {
                release.notified().await;
                Ok(())
            }
        }
    };
    let first = database.write(tenant, waits);
    let others = async {
        sleep(Duration::from_millis(50)).await;
        let write = || database.write(tenant, |tx: Tx| async move { count(&tx, "n").await.map(|_| ()) });
        let began = Instant::now();
        let (one, two, three) = tokio::join!(write(), write(), async {
            sleep(Duration::from_millis(200)).await;
            release.notify_one();
            Ok::<(), Fault>(())
        });
        three.expect("it only waits");
        assert!(began.elapsed() < Duration::from_secs(2));
        [one, two]
    };
    let (first, others) = tokio::join!(first, others);
    first.expect("it was let go on");
    let refused: Vec<Fault> = others.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "one found a place in the queue");
    assert_eq!(refused[0].kind(), Kind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_goes_on_after_a_failed_statement_is_not_called_done() {
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let unit = |tx: Tx| async move {
        insert(&tx, "note", 1).await?;
        let again = insert(&tx, "note", 2).await;
        assert!(again.is_err(), "the name is taken");
        Ok(())
    };
    assert_eq!(database.write(tenant, unit).await.expect_err("nothing was kept").kind(), Kind::Internal);
    assert_eq!(value(&database, tenant, "note").await, None);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_run_beside_a_unit_and_do_not_see_it(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let release = Arc::new(Notify::new());
    let inside = Arc::clone(&release);
    let unit = move |tx: Tx| {
        let release = Arc::clone(&inside);
        async move {
            insert(&tx, "note", 1).await?;
            release.notified().await;
            Ok(())
        }
    };
    let reads = async {
        sleep(Duration::from_millis(50)).await;
        let read = timeout(Duration::from_millis(400), value(&database, tenant, "note")).await;
        assert_eq!(read.expect("a read does not wait for a unit"), None);
        release.notify_one();
    };
    let (written, ()) = tokio::join!(database.write(tenant, unit), reads);
    written.expect("up");
    assert_eq!(value(&database, tenant, "note").await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_cannot_write() {
    let ground = Ground::new(Engine::Sqlite);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let write = |rx: rapport_data::Rx| async move {
        let text = "INSERT INTO note (tenant, name, value) VALUES ($1, 'x', 1)";
        rx.conn().execute_raw(sql(&rx, text, [rx.tenant().uuid().into()])).await.stored()?;
        Ok(())
    };
    database.read(tenant, write).await.expect_err("readers only read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_file_does_not_grow_without_bound() {
    let ground = Ground::new(Engine::Sqlite);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let log = ground.config.folder.join("notes.db-wal");
    let log = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let mut largest = 0;
    for round in 0..40 {
        let unit = move |tx: Tx| async move {
            for n in 0..100 {
                insert(&tx, &format!("{round} {n} {}", "x".repeat(8_000)), n).await?;
            }
            Ok(())
        };
        database.write(tenant, unit).await.expect("up");
        largest = largest.max(log());
    }
    assert!(largest < 100 * 1024 * 1024, "{largest}");
    crate::ground::eventually("it is small again", async || {
        database.write(tenant, |tx: Tx| async move { count(&tx, "n").await }).await.expect("up");
        log() <= 5 * 1024 * 1024
    })
    .await;
}
