//! Tenants: made by the operator alone.

use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::admin::v1::tenant_service_client::TenantServiceClient;
use rapport_api::admin::v1::{CreateTenantRequest, GetTenantRequest, ListApiKeysRequest, ListTenantsRequest};
use rapport_data::Engine;
use rapport_gateway::Admin;
use rstest::rstest;

use crate::ground::{Ground, OPERATOR, Shape, platform, reason};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_makes_tenants_whose_first_key_works_at_once(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let mut tenants = TenantServiceClient::new(ground.first.keyed(OPERATOR));
    let make = |name: &str| CreateTenantRequest { name: name.to_owned(), ..CreateTenantRequest::default() };
    let made = tenants.create_tenant(make("Tea & Co")).await.expect("made").into_inner();
    let (tenant, key) = (made.tenant.expect("a tenant"), made.api_key.expect("a key"));
    assert_eq!(key.scopes, ["*:admin"]);
    let mut keys = ApiKeyServiceClient::new(ground.first.keyed(&made.secret));
    let listed = keys.list_api_keys(ListApiKeysRequest::default()).await.expect("its own").into_inner().api_keys;
    assert!(listed == [key]);

    assert_eq!(reason(tenants.create_tenant(make("Tea & Co")).await), "RESOURCE_EXISTS");
    assert_eq!(reason(tenants.create_tenant(make("")).await), "INVALID_FIELD");
    let get = |tenant_id: &str| GetTenantRequest { tenant_id: tenant_id.to_owned() };
    assert!(tenants.get_tenant(get(&tenant.tenant_id)).await.expect("it is there").into_inner() == tenant);
    let other = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(reason(tenants.get_tenant(get(other)).await), "RESOURCE_NOT_FOUND");

    let mut of_tenant = TenantServiceClient::new(ground.first.keyed(&made.secret));
    assert_eq!(reason(of_tenant.create_tenant(make("Mine")).await), "MISSING_SCOPE", "a tenant's key makes no tenants");
    let mut of_operator = ApiKeyServiceClient::new(ground.first.keyed(OPERATOR));
    let refused = of_operator.list_api_keys(ListApiKeysRequest::default()).await;
    assert_eq!(reason(refused), "MISSING_SCOPE", "the operator's key reads no tenant's data");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_listed_by_name_and_the_command_line_sees_the_same(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    // As beside a running suite.
    let admin = Admin::open(&platform(), &ground.config).await.expect("the database opens");
    for name in ["b", "c", "a", "e", "d"] {
        admin.create_tenant(name).await.expect("made");
    }
    assert!(admin.find_tenant("c").await.expect("the database is up").is_some());
    assert!(admin.find_tenant("z").await.expect("the database is up").is_none());
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTenantsRequest { page_size: 2, page_token };
        let mut tenants = TenantServiceClient::new(ground.first.keyed(OPERATOR));
        let page = tenants.list_tenants(request).await.expect("a page").into_inner();
        listed.extend(page.tenants.into_iter().map(|tenant| tenant.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, ["a", "b", "c", "d", "e"]);
}
