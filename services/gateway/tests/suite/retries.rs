//! Making and revoking under a request id: once, with one answer, secrets included, though no secret is stored.

use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::admin::v1::tenant_service_client::TenantServiceClient;
use rapport_api::admin::v1::{
    CreateApiKeyRequest, CreateTenantRequest, ListApiKeysRequest, ListTenantsRequest, RevokeApiKeyRequest,
};
use rapport_data::Engine;
use rstest::rstest;
use uuid::Uuid;

use crate::ground::{Ground, Instance, Keyed, OPERATOR, Shape, platform_with, reason};

fn keys(keyed: Keyed) -> ApiKeyServiceClient<Keyed> {
    ApiKeyServiceClient::new(keyed)
}

fn tenants(instance: &Instance) -> TenantServiceClient<Keyed> {
    TenantServiceClient::new(instance.keyed(OPERATOR))
}

fn create(name: &str) -> CreateApiKeyRequest {
    let scopes = vec!["admin:admin".to_owned(), "profiles:read".to_owned()];
    CreateApiKeyRequest { name: name.to_owned(), scopes, request_id: Uuid::now_v7().to_string() }
}

/// Whether a file of the database holds a text.
fn stored(ground: &Ground, text: &str) -> bool {
    let files = std::fs::read_dir(&ground.config.database.folder).expect("the folder");
    let holds = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    files.into_iter().any(|file| holds(std::fs::read(file.expect("a file").path()).expect("a file")))
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_asked_for_again_is_the_same_with_the_same_secret(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let (tenant, other) = (ground.tenant().await, ground.instance().await);
    let request = create("of a retry");
    let calls = (0..20).map(|at| {
        let instance = if at % 2 == 0 { &ground.first } else { &other };
        let (mut keys, request) = (keys(instance.of(&tenant)), request.clone());
        tokio::spawn(async move { keys.create_api_key(request).await.expect("made").into_inner() })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.expect("it ends"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let made = answers.swap_remove(0);
    let listed = keys(ground.first.keyed(&made.secret)).list_api_keys(ListApiKeysRequest::default()).await;
    assert_eq!(listed.expect("the secret is its key's").into_inner().api_keys.len(), 2, "it and the first key");
    if engine == Engine::Sqlite {
        assert!(stored(&ground, "of a retry") && !stored(&ground, &made.secret), "the secret is in the database");
    }

    // The id is that request's and that caller's; and nobody gets by it what his own key may not hand on.
    let another = CreateApiKeyRequest { name: "another".to_owned(), ..request.clone() };
    assert_eq!(reason(keys(ground.first.of(&tenant)).create_api_key(another).await), "IDEMPOTENCY_MISMATCH");
    let refused = keys(ground.first.keyed(&made.secret)).create_api_key(request.clone()).await;
    assert_eq!(reason(refused), "IDEMPOTENCY_MISMATCH");
    let stranger = ground.tenant().await;
    let own = keys(ground.first.of(&stranger)).create_api_key(request.clone()).await.expect("its own").into_inner();
    assert!(own.secret != made.secret && own.api_key != made.api_key);
    let unasked = CreateApiKeyRequest { request_id: String::new(), ..request.clone() };
    let [one, two] = [unasked.clone(), unasked].map(|request| {
        let mut keys = keys(ground.first.of(&tenant));
        async move { keys.create_api_key(request).await.expect("made").into_inner().secret }
    });
    assert_ne!(one.await, two.await, "without an id each call makes a key");
    let no_id = CreateApiKeyRequest { request_id: "once".to_owned(), ..request.clone() };
    assert_eq!(reason(keys(ground.first.of(&tenant)).create_api_key(no_id).await), "INVALID_FIELD");

    // Whoever holds the database but not the suite's keys has no secret.
    let changed = ground.instance_of(platform_with([6; 32])).await;
    assert_eq!(reason(keys(changed.of(&tenant)).create_api_key(request).await), "INVALID_STATE");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_asked_for_again_is_the_same_and_so_is_its_first_key(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let other = ground.instance().await;
    let request = CreateTenantRequest { name: "Tea & Co".to_owned(), request_id: Uuid::now_v7().to_string() };
    let made = tenants(&ground.first).create_tenant(request.clone()).await.expect("made").into_inner();
    for instance in [&ground.first, &other] {
        let again = tenants(instance).create_tenant(request.clone()).await.expect("the same answer").into_inner();
        assert!(again == made);
    }
    let listed = tenants(&other).list_tenants(ListTenantsRequest::default()).await.expect("listed").into_inner();
    assert_eq!(listed.tenants.len(), 1);
    let of_tenant = keys(other.keyed(&made.secret)).list_api_keys(ListApiKeysRequest::default()).await;
    assert_eq!(
        of_tenant.expect("its first key").into_inner().api_keys,
        made.api_key.clone().map_or(vec![], |key| vec![key])
    );
    let mismatch = CreateTenantRequest { name: "Coffee & Co".to_owned(), ..request.clone() };
    assert_eq!(reason(tenants(&ground.first).create_tenant(mismatch).await), "IDEMPOTENCY_MISMATCH");
    let named = CreateTenantRequest { request_id: Uuid::now_v7().to_string(), ..request };
    assert_eq!(reason(tenants(&ground.first).create_tenant(named).await), "RESOURCE_EXISTS");
    if engine == Engine::Sqlite {
        assert!(!stored(&ground, &made.secret), "the secret is in the database");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_is_asked_for_again_gives_its_first_answer(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    let mut of_tenant = keys(ground.first.of(&tenant));
    let made = of_tenant.create_api_key(create("to be revoked")).await.expect("made").into_inner();
    let key_id = made.api_key.expect("a key").key_id;
    let request = RevokeApiKeyRequest { key_id, request_id: Uuid::now_v7().to_string() };
    let first = of_tenant.revoke_api_key(request.clone()).await.expect("revoked").into_inner();
    assert!(first.revoke_time.is_some());
    assert!(of_tenant.revoke_api_key(request.clone()).await.expect("the same answer").into_inner() == first);
    let other = RevokeApiKeyRequest { key_id: tenant.key.id.to_string(), ..request };
    assert_eq!(reason(of_tenant.revoke_api_key(other).await), "IDEMPOTENCY_MISMATCH");
    let refused = keys(ground.first.keyed(&made.secret)).list_api_keys(ListApiKeysRequest::default()).await;
    assert_eq!(reason(refused), "KEY_REVOKED");
}
