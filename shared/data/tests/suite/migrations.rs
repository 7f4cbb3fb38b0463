//! Migrations: instances that start together, and one that is older than its database.

use rapport_data::{Engine, Tx};
use rapport_harness::shared_postgres;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::{Ground, insert};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_together_migrate_once(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let opened = futures::future::join_all((0..6).map(|_| ground.instance())).await;
    let tenant = TenantId::new();
    for (n, (_platform, database)) in (0..).zip(&opened) {
        let unit = move |tx: Tx| async move { insert(&tx, &format!("note {n}"), n).await };
        database.write(tenant, unit).await.expect("each serves");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_one_server_start_together_though_they_share_roles() {
    let grounds: Vec<Ground> = (0..4).map(|_| Ground::new(Engine::Postgres)).collect();
    futures::future::join_all(grounds.iter().map(Ground::open)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_ahead_is_served_all_the_same() {
    let ground = Ground::new(Engine::Postgres);
    ground.open().await;
    let ahead = "INSERT INTO migration (name, applied_at) VALUES ('notes_0099_of_the_next_version', 'now')";
    shared_postgres().execute(ground.url(), ahead);
    ground.open().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_no_superuser_migrates_and_serves() {
    let ground = Ground::new(Engine::Postgres);
    let database = ground.url().rsplit('/').next().expect("a URL ends with its database").to_owned();
    let role = format!("owner_{database}");
    let server = shared_postgres();
    server.execute(ground.url(), &format!("CREATE ROLE {role} LOGIN CREATEROLE; GRANT ALL ON SCHEMA public TO {role}"));
    // Roles that other databases' migrations made are an administrator's: they are granted once.
    for name in ["rapport_notes_app", "rapport_notes_system"] {
        let make = format!("DO $$ BEGIN CREATE ROLE {name} NOLOGIN; EXCEPTION WHEN OTHERS THEN NULL; END $$");
        server.execute(ground.url(), &make);
        server.execute(ground.url(), &format!("GRANT {name} TO {role}"));
    }
    let mut ground = ground;
    ground.config.url = Some(rapport_platform::config::Address::new(server.url_as(&role, &database)));
    let database = ground.open().await;
    let tenant = TenantId::new();
    database.write(tenant, |tx: Tx| async move { insert(&tx, "note", 1).await }).await.expect("it serves");
}
