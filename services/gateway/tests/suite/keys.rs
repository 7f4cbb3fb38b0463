//! API keys: made within their maker's scopes, found by their hash, revoked everywhere within 5 s.

use std::time::{Duration, Instant};

use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::admin::v1::{CreateApiKeyRequest, CreateApiKeyResponse, ListApiKeysRequest, RevokeApiKeyRequest};
use rapport_api::profiles::v1::RecordInteractionsRequest;
use rapport_data::{DatabaseConfig, Engine};
use rapport_harness::Postgres;
use rapport_platform::config::Address;
use rstest::rstest;
use tonic::Code;

use crate::forwarding::{interaction, interactions};
use crate::ground::{Ground, Instance, Keyed, Shape, eventually, reason};

fn keys(keyed: Keyed) -> ApiKeyServiceClient<Keyed> {
    ApiKeyServiceClient::new(keyed)
}

fn create(scopes: &[&str]) -> CreateApiKeyRequest {
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    CreateApiKeyRequest { name: "for a test".to_owned(), scopes, ..CreateApiKeyRequest::default() }
}

async fn made(keyed: Keyed, scopes: &[&str]) -> CreateApiKeyResponse {
    keys(keyed).create_api_key(create(scopes)).await.expect("made").into_inner()
}

fn revoke(key: &CreateApiKeyResponse) -> RevokeApiKeyRequest {
    let key_id = key.api_key.as_ref().expect("a key").key_id.clone();
    RevokeApiKeyRequest { key_id, ..RevokeApiKeyRequest::default() }
}

async fn try_key(instance: &Instance, secret: &str) -> String {
    match keys(instance.keyed(secret)).list_api_keys(ListApiKeysRequest::default()).await {
        Ok(_) => "OK".to_owned(),
        refused => reason(refused),
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_within_its_makers_scopes_and_its_secret_is_stored_nowhere(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    let limited = made(ground.first.of(&tenant), &["admin:admin", "profiles:write"]).await;
    let within = made(ground.first.keyed(&limited.secret), &["profiles:read", "admin:write"]).await;
    assert!(within.secret.starts_with("rk_") && within.secret.len() == 46);
    for more in ["profiles:admin", "metrics:read", "*:read"] {
        let refused = keys(ground.first.keyed(&limited.secret)).create_api_key(create(&["profiles:read", more])).await;
        assert_eq!(reason(refused), "MISSING_SCOPE", "{more}");
    }
    for wrong in ["internal:read", "operator:admin", "profiles", "billing:read", ""] {
        let refused = keys(ground.first.of(&tenant)).create_api_key(create(&[wrong])).await;
        assert_eq!(reason(refused), "INVALID_FIELD", "{wrong}");
    }
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListApiKeysRequest { page_size: 2, page_token };
        let page = keys(ground.first.of(&tenant)).list_api_keys(request).await.expect("a page").into_inner();
        listed.extend(page.api_keys.into_iter().map(|key| key.key_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let id = |key: &CreateApiKeyResponse| key.api_key.as_ref().expect("a key").key_id.clone();
    assert_eq!(listed, [id(&within), id(&limited), tenant.key.id.to_string()], "newest first");
    if engine == Engine::Sqlite {
        let folder = std::fs::read_dir(&ground.config.database.folder).expect("the folder");
        for file in folder {
            let bytes = std::fs::read(file.expect("a file").path()).expect("a file");
            let secret = within.secret.as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the secret is in the database");
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_ends_at_once_here_and_within_five_seconds_elsewhere(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let (tenant, other) = (ground.tenant().await, ground.instance().await);
    let key = made(ground.first.of(&tenant), &["admin:read"]).await;
    for instance in [&ground.first, &other] {
        assert_eq!(try_key(instance, &key.secret).await, "OK");
    }
    let mut admin = keys(ground.first.of(&tenant));
    let revoked = admin.revoke_api_key(revoke(&key)).await.expect("revoked").into_inner();
    let at = Instant::now();
    assert_eq!(try_key(&ground.first, &key.secret).await, "KEY_REVOKED");
    let ask = || try_key(&other, &key.secret);
    eventually(ask, |answer| answer == "KEY_REVOKED").await;
    assert!(at.elapsed() < Duration::from_secs(5), "{:?}", at.elapsed());
    let again = admin.revoke_api_key(revoke(&key)).await.expect("twice is once").into_inner();
    assert!(again == revoked && again.revoke_time.is_some());
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_stream_ends_with_its_key_also_on_other_instances(#[case] shape: Shape) {
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let (tenant, other) = (ground.tenant().await, ground.instance().await);
    for instance in [&ground.first, &other] {
        let key = made(ground.first.of(&tenant), &["profiles:write"]).await;
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let items = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let item = || RecordInteractionsRequest::from(interaction("seen"));
        sender.send(item()).await.expect("room");
        let stream = interactions(instance.keyed(&key.secret)).record_interactions(items).await;
        let mut acks = stream.expect("opened").into_inner();
        assert!(acks.message().await.expect("it goes on").is_some());
        // Looked at again and again, it stays open while the key is good.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        sender.send(item()).await.expect("room");
        assert!(acks.message().await.expect("it goes on").is_some());
        keys(ground.first.of(&tenant)).revoke_api_key(revoke(&key)).await.expect("revoked");
        let at = Instant::now();
        let writing = tokio::spawn(async move {
            while sender.send(item()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let refused = loop {
            match acks.message().await {
                Ok(Some(_)) => assert!(at.elapsed() < Duration::from_secs(5), "it goes on writing"),
                Ok(None) => panic!("it ended without a reason"),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert_eq!(reason::<()>(Err(refused)), "KEY_REVOKED");
        assert!(at.elapsed() < Duration::from_secs(5), "{:?}", at.elapsed());
        tokio::time::timeout(Duration::from_secs(5), writing).await.expect("nothing more is taken").expect("no panic");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_tenants_key_is_not_there_and_what_is_no_key_is_refused(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let (one, other) = (ground.tenant().await, ground.tenant().await);
    let key = made(ground.first.of(&one), &["admin:read"]).await;
    let refused = keys(ground.first.of(&other)).revoke_api_key(revoke(&key)).await;
    assert_eq!(reason(refused), "RESOURCE_NOT_FOUND");
    assert_eq!(try_key(&ground.first, &key.secret).await, "OK");
    assert_eq!(try_key(&ground.first, &key.secret[..45]).await, "INVALID_CREDENTIALS");
    let unknown = format!("rk_{}", "A".repeat(43));
    for _ in 0..3 {
        assert_eq!(try_key(&ground.first, &unknown).await, "INVALID_CREDENTIALS");
    }
    for garbled in ["", "rk_", "rk_%%%", "Bearer rk_", &"x".repeat(4_000)] {
        assert_eq!(try_key(&ground.first, garbled).await, "INVALID_CREDENTIALS", "{garbled}");
    }
    let refused = ApiKeyServiceClient::new(ground.first.channel.clone());
    let refused = { refused }.list_api_keys(ListApiKeysRequest::default()).await;
    assert_eq!(reason(refused), "INVALID_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_hangs_a_known_key_works_for_seconds_and_no_longer() {
    let postgres = Postgres::start();
    let url = Some(Address::new(postgres.database("gateway")));
    let change = |config: &mut rapport_gateway::Config| {
        config.database = DatabaseConfig { url, ..DatabaseConfig::default() };
    };
    let ground = Ground::with(Engine::Sqlite, Shape::InProcess, change).await;
    let tenant = ground.tenant().await;
    let service = |instance: &Instance| {
        let mut probe = crate::forwarding::interactions(instance.of(&tenant));
        async move {
            match probe.record_interaction(crate::forwarding::record("seen")).await {
                Ok(_) => "OK".to_owned(),
                refused => reason(refused),
            }
        }
    };
    assert_eq!(service(&ground.first).await, "OK");
    postgres.pause();
    let at = Instant::now();
    assert_eq!(service(&ground.first).await, "OK", "the services need not wait for the gateway's database");
    eventually(|| service(&ground.first), |answer| answer == "DEPENDENCY_UNAVAILABLE").await;
    assert!(at.elapsed() < Duration::from_secs(15), "{:?}", at.elapsed());
    postgres.resume();
    let at = Instant::now();
    eventually(|| service(&ground.first), |answer| answer == "OK").await;
    assert!(at.elapsed() < Duration::from_secs(10), "{:?}", at.elapsed());
}
