//! Erasure: every service is asked until it has forgotten, through faults and crashes.

use std::time::Duration;

use rapport_api::admin::v1::privacy_service_client::PrivacyServiceClient;
use rapport_api::admin::v1::{EraseCustomerRequest, Erasure, ErasureState, GetErasureRequest};
use rapport_api::common::v1::CustomerRef;
use rapport_data::Engine;
use rapport_gateway::Made;
use rapport_kernel::{RequestId, SubjectId};
use rstest::rstest;

use crate::ground::{Ground, Instance, Keyed, ROLES, Shape, eventually, reason};
use crate::peers::{by_email, by_id};

fn privacy(instance: &Instance, made: &Made) -> PrivacyServiceClient<Keyed> {
    PrivacyServiceClient::new(instance.of(made))
}

fn erase(customer: CustomerRef) -> EraseCustomerRequest {
    EraseCustomerRequest { customer: Some(customer), ..EraseCustomerRequest::default() }
}

async fn get(instance: &Instance, made: &Made, erasure_id: &str) -> Erasure {
    let request = GetErasureRequest { erasure_id: erasure_id.to_owned() };
    privacy(instance, made).get_erasure(request).await.expect("it is there").into_inner()
}

async fn complete(instance: &Instance, made: &Made, begun: &Erasure) -> Erasure {
    let ask = || get(instance, made, &begun.erasure_id);
    eventually(ask, |erasure| erasure.state() == ErasureState::Complete).await
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_forgotten_by_every_service_and_each_leaves_a_receipt(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::OverTcp).await;
    let (tenant, subjects) = (ground.tenant().await, vec![SubjectId::new(), SubjectId::new(), SubjectId::new()]);
    ground.world.customer("anna@example.com", subjects.clone());
    ground.world.not_clear("feedback", 2);
    let mut client = privacy(&ground.first, &tenant);
    let request_id = RequestId::new().to_string();
    let request = EraseCustomerRequest { request_id, ..erase(by_email("anna@example.com")) };
    let begun = client.erase_customer(request.clone()).await.expect("begun").into_inner();
    assert_eq!((begun.state(), begun.customer_id.as_str()), (ErasureState::Running, subjects[0].to_string().as_str()));
    let done = complete(&ground.first, &tenant, &begun).await;
    let services: Vec<_> = done.receipts.iter().map(|receipt| receipt.service.as_str()).collect();
    assert_eq!(services, ROLES);
    assert!(done.receipts.iter().all(|receipt| receipt.bus_clear && receipt.erase_time.is_some()));
    assert!(done.receipts.iter().all(|receipt| receipt.deleted_rows >= 3));
    assert!(done.complete_time.is_some());
    assert_eq!(ground.world.asked()[0], "profiles", "from then on nothing new is recorded");

    // The same request, the same customer by any of its ids: the same erasure. Its e-mail names nobody any more.
    let again = client.erase_customer(request).await.expect("the stored answer").into_inner();
    assert_eq!(again.erasure_id, begun.erasure_id);
    for subject in &subjects {
        let again = client.erase_customer(erase(by_id(*subject))).await.expect("known").into_inner();
        assert!(again == done);
    }
    assert_eq!(reason(client.erase_customer(erase(by_email("anna@example.com"))).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_a_service_that_is_away_and_survives_a_restart(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let (tenant, subject) = (ground.tenant().await, SubjectId::new());
    ground.world.customer("anna@example.com", vec![subject]);
    ground.world.fail("metrics", true);
    let request = erase(by_id(subject));
    let begun = privacy(&ground.first, &tenant).erase_customer(request.clone()).await.expect("begun").into_inner();
    let ask = || get(&ground.first, &tenant, &begun.erasure_id);
    let others = |erasure: &Erasure| erasure.receipts.iter().filter(|receipt| receipt.bus_clear).count() == 3;
    assert_eq!(eventually(ask, others).await.state(), ErasureState::Running);
    let again = privacy(&ground.first, &tenant).erase_customer(request).await.expect("it runs").into_inner();
    assert_eq!((again.erasure_id == begun.erasure_id, again.state()), (true, ErasureState::Running));
    assert!(ground.first.platform.stop(Duration::from_secs(5)).await);
    ground.world.fail("metrics", false);
    let next = ground.instance().await;
    let done = complete(&next, &tenant, &begun).await;
    assert!(done.receipts.iter().all(|receipt| receipt.deleted_rows == 1), "each row was deleted once");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_before_profiles_has_forgotten(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let (tenant, subject) = (ground.tenant().await, SubjectId::new());
    ground.world.customer("anna@example.com", vec![subject]);
    ground.world.fail("profiles", true);
    let begun =
        privacy(&ground.first, &tenant).erase_customer(erase(by_id(subject))).await.expect("begun").into_inner();
    eventually(|| async { ground.world.asked().len() }, |asked| *asked >= 3).await;
    assert!(ground.world.asked().iter().all(|service| *service == "profiles"), "{:?}", ground.world.asked());
    ground.world.fail("profiles", false);
    complete(&ground.first, &tenant, &begun).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_customers_and_foreign_erasures_are_not_there(#[case] engine: Engine) {
    let ground = Ground::new(engine, Shape::InProcess).await;
    let (tenant, foreign, subject) = (ground.tenant().await, ground.tenant().await, SubjectId::new());
    let mut client = privacy(&ground.first, &tenant);
    assert_eq!(reason(client.erase_customer(erase(by_id(subject))).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(client.erase_customer(EraseCustomerRequest::default()).await), "INVALID_FIELD");
    ground.world.customer("anna@example.com", vec![subject]);
    let begun = client.erase_customer(erase(by_id(subject))).await.expect("begun").into_inner();
    complete(&ground.first, &tenant, &begun).await;
    let mut other = privacy(&ground.first, &foreign);
    let request = GetErasureRequest { erasure_id: begun.erasure_id };
    assert_eq!(reason(other.get_erasure(request).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(other.erase_customer(erase(by_id(subject))).await), "RESOURCE_NOT_FOUND");
}
