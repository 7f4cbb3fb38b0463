//! The policy of the whole contract: each call is refused without its scope, and let through with it.

use http::Request;
use rapport_api::admin::v1::CreateApiKeyRequest;
use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::policy::{self, BY_NAME, Policy};
use rapport_data::Engine;
use rapport_kernel::Verb;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::Service as _;

use crate::ground::{Ground, OPERATOR, Shape};

/// Calls a path with an empty message, as a client that knows nothing of the contract.
async fn raw(ground: &Ground, path: &str, key: &str) -> Option<Status> {
    let request = Request::post(format!("http://gateway{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::new(http_body_util::Full::new(bytes::Bytes::from_static(&[0, 0, 0, 0, 0]))))
        .expect("a request");
    let Ok(answer) = ground.first.gateway.service.clone().call(request).await;
    Status::from_header_map(answer.headers())
}

fn reason(status: Option<&Status>) -> Option<String> {
    Some(status?.get_error_details().error_info()?.reason.clone())
}

async fn key(ground: &Ground, scopes: Vec<String>) -> String {
    let tenant = ground.tenant().await;
    let request = CreateApiKeyRequest { name: "all but one".to_owned(), scopes, ..CreateApiKeyRequest::default() };
    let mut keys = ApiKeyServiceClient::new(ground.first.of(&tenant));
    keys.create_api_key(request).await.expect("made").into_inner().secret
}

/// Every scope but those that let one make a call.
fn all_but(policy: &Policy) -> Vec<String> {
    let services = ["profiles", "feedback", "personalisation", "metrics", "admin"];
    let lesser = match policy.verb {
        Verb::Read => None,
        Verb::Write => Some("read"),
        Verb::Admin => Some("write"),
    };
    let others = services.iter().filter(|service| **service != policy.service);
    let own = lesser.filter(|_| services.contains(&policy.service)).map(|verb| format!("{}:{verb}", policy.service));
    others.map(|service| format!("{service}:admin")).chain(own).collect()
}

const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Read => "read",
        Verb::Write => "write",
        Verb::Admin => "admin",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_refused_without_its_scope_and_passes_with_it() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let mut checked = 0;
    // Those whose request says the service have a test of their own.
    let plain = |policy: &&Policy| !["internal", BY_NAME].contains(&policy.service);
    for policy in policy::all().iter().filter(plain) {
        let path = policy.path;
        let without = key(&ground, all_but(policy)).await;
        let refused = raw(&ground, path, &without).await;
        assert_eq!(refused.as_ref().map(Status::code), Some(Code::PermissionDenied), "{path}");
        assert_eq!(reason(refused.as_ref()).as_deref(), Some("MISSING_SCOPE"), "{path}");
        let with = match policy.service {
            "operator" => OPERATOR.to_owned(),
            service => key(&ground, vec![format!("{service}:{}", verb(policy.verb))]).await,
        };
        let passed = raw(&ground, path, &with).await;
        assert_ne!(passed.map(|status| status.code()), Some(Code::PermissionDenied), "{path}");
        checked += 1;
    }
    assert!(checked > 30, "{checked} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_among_services_and_calls_that_do_not_exist_are_answered_alike() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    let secret = tenant.secret.expose();
    let absent = ["/rapport.profiles.v1.ProfileService/Absent", "/rapport.absent.v1.Service/Call", "/", "/metrics"];
    let internal = policy::all().iter().filter(|policy| policy.service == "internal").map(|policy| policy.path);
    let mut seen = 0;
    for path in internal.chain(absent) {
        let refused = raw(&ground, path, secret).await.expect("it is refused");
        assert_eq!((refused.code(), refused.message()), (Code::Unimplemented, "there is no such call"), "{path}");
        assert_eq!(reason(Some(&refused)).as_deref(), Some("UNKNOWN_CALL"), "{path}");
        let stranger = raw(&ground, path, "rk_x").await.expect("it is refused");
        assert_eq!(stranger.code(), Code::Unauthenticated, "{path}: a stranger learns nothing");
        seen += 1;
    }
    assert!(seen >= absent.len() + 2);
}
