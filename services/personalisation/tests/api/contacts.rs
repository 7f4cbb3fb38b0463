//! One ledger for messages, surveys and decisions: caps that hold however many reserve and decide at once, on several instances.

use rapport_api::common::v1::{CustomerRef, EraseSubjectsRequest, customer_ref::Ref};
use rapport_api::personalisation::v1::contact_cap::Window;
use rapport_api::personalisation::v1::{
    CheckContactRequest, ConfirmContactRequest, ContactBlockReason, ContactCap, ContactKind, ContactPolicy,
    GetContactPolicyRequest, ListContactsRequest, ReleaseContactRequest, ReserveContactRequest,
    UpdateContactPolicyRequest,
};
use rapport_kernel::SubjectId;

use crate::world::{World, action, ask, refusal, request_id};

fn reserve(customer: SubjectId, kind: ContactKind) -> ReserveContactRequest {
    ReserveContactRequest {
        customer: Some(CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) }),
        channel: "web".to_owned(),
        purpose: "surveys".to_owned(),
        kind: kind.into(),
        ..ReserveContactRequest::default()
    }
}

fn check(customer: SubjectId) -> CheckContactRequest {
    let ReserveContactRequest { customer, channel, purpose, kind, .. } = reserve(customer, ContactKind::Survey);
    CheckContactRequest { customer, channel, purpose, kind, ..CheckContactRequest::default() }
}

/// At most so many contacts of any sort in an hour.
async fn capped(world: &World, times: i32, kinds: &[ContactKind]) {
    let cap = ContactCap {
        name: "hourly".to_owned(),
        times,
        window: Some(Window::Rolling(prost_types::Duration { seconds: 3_600, nanos: 0 })),
        kinds: kinds.iter().map(|kind| (*kind).into()).collect(),
        ..ContactCap::default()
    };
    let policy = ContactPolicy { caps: vec![cap], ..ContactPolicy::default() };
    let request = UpdateContactPolicyRequest { policy: Some(policy), ..UpdateContactPolicyRequest::default() };
    world.contacts().update_contact_policy(request).await.expect("a policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cap_holds_however_many_reserve_and_decide_at_once_on_two_instances() {
    let world = World::on_postgres().await;
    let beside = world.beside().await;
    capped(&world, 3, &[]).await;
    world.create(action("offer")).await;
    let customer = world.customers.add(&[]);
    let calls = (0..24).map(|number| {
        let on = if number % 2 == 0 { &world } else { &beside };
        async move {
            if number % 3 == 0 {
                // Decisions take turns with reservations, but are not counted by this cap.
                drop(on.decisions().decide(ask(customer)).await);
                return false;
            }
            let kind = if number % 2 == 0 { ContactKind::Survey } else { ContactKind::Message };
            loop {
                match on.contacts().reserve_contact(reserve(customer, kind)).await {
                    Ok(answer) => return answer.into_inner().contact.is_some(),
                    Err(lost) => assert_eq!(lost.code(), tonic::Code::Aborted),
                }
            }
        }
    });
    let reserved = futures::future::join_all(calls).await;
    assert_eq!(reserved.iter().filter(|reserved| **reserved).count(), 3);
    world.stop().await;
    beside.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_counts_where_a_cap_says_so_and_the_ledger_lists_all() {
    for world in World::both().await {
        capped(&world, 2, &[ContactKind::Survey, ContactKind::Decision]).await;
        world.create(action("offer")).await;
        let customer = world.customers.add(&[]);
        world.decisions().decide(ask(customer)).await.expect("a decision");
        let first = world.contacts().reserve_contact(reserve(customer, ContactKind::Survey)).await;
        let first = first.expect("judged").into_inner().contact.expect("reserved");
        let refused = world.contacts().check_contact(check(customer)).await.expect("judged").into_inner();
        assert!(!refused.allowed);
        assert_eq!((refused.blocks[0].reason(), refused.blocks[0].rule.as_str()), (ContactBlockReason::Cap, "hourly"));
        assert_eq!(refused.next_time, refused.blocks[0].until_time);
        let request = ListContactsRequest { customer: check(customer).customer, ..ListContactsRequest::default() };
        let listed = world.contacts().list_contacts(request).await.expect("listed").into_inner().contacts;
        let kinds: Vec<_> = listed.iter().map(|one| one.kind()).collect();
        assert_eq!(kinds, [ContactKind::Survey, ContactKind::Decision]);
        // What was not made does not count; releasing it again changes nothing.
        for _ in 0..2 {
            let request = ReleaseContactRequest { contact_id: first.contact_id.clone(), ..Default::default() };
            world.contacts().release_contact(request).await.expect("released");
        }
        assert!(world.contacts().check_contact(check(customer)).await.expect("judged").into_inner().allowed);
        let gone = ConfirmContactRequest { contact_id: first.contact_id, ..Default::default() };
        assert_eq!(refusal(world.contacts().confirm_contact(gone).await).1, "RESOURCE_NOT_FOUND");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_is_made_once_confirmed_for_good_and_forgotten_with_its_customer() {
    for world in World::both().await {
        capped(&world, 1, &[]).await;
        let customer = world.customers.add(&[]);
        let request = ReserveContactRequest { request_id: request_id(), ..reserve(customer, ContactKind::Survey) };
        let first = world.contacts().reserve_contact(request.clone()).await.expect("judged").into_inner();
        let again = world.contacts().reserve_contact(request).await.expect("again").into_inner();
        assert_eq!(first, again);
        let contact = first.contact.expect("reserved");
        assert!(contact.expire_time.is_some());
        let request = ConfirmContactRequest { contact_id: contact.contact_id, ..Default::default() };
        let confirmed = world.contacts().confirm_contact(request).await.expect("confirmed").into_inner();
        assert!(confirmed.expire_time.is_none());
        let request = EraseSubjectsRequest {
            erasure_id: request_id(),
            subject_ids: vec![customer.to_string()],
            requested_at: Some(rapport_api::convert::timestamp(world.platform.clock.now())),
        };
        world.erasures().erase_subjects(request).await.expect("erased");
        assert_eq!(refusal(world.contacts().check_contact(check(customer)).await).1, "ERASED");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_changed_by_whoever_has_read_it_and_every_broken_rule_is_told() {
    let world = World::on_sqlite().await;
    let usual = world.contacts().get_contact_policy(GetContactPolicyRequest {}).await.expect("one").into_inner();
    assert!(usual.caps.is_empty() && usual.empathy.len() == 4 && usual.update_time.is_none());
    let update = |policy| UpdateContactPolicyRequest { policy: Some(policy), ..Default::default() };
    let changed = world.contacts().update_contact_policy(update(usual.clone())).await.expect("changed").into_inner();
    assert_ne!(changed.etag, usual.etag);
    assert_eq!(refusal(world.contacts().update_contact_policy(update(usual)).await).1, "STALE_ETAG");
    let cap =
        ContactCap { name: "twice".to_owned(), times: 1, window: Some(Window::Calendar(1)), ..Default::default() };
    let mut wrong = ContactPolicy { caps: vec![cap.clone(), cap], ..changed };
    wrong.empathy[0].flag = "vulnerable".to_owned();
    wrong.quiet =
        Some(rapport_api::personalisation::v1::QuietRule { zone: "Nowhere/Land".to_owned(), ..Default::default() });
    let fields = refusal(world.contacts().update_contact_policy(update(wrong)).await).2;
    let fields: Vec<_> = fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["policy.caps[1].name", "policy.empathy[0].flag", "policy.quiet.zone"]);
    world.stop().await;
}
