//! Interactions that are corrected and deleted: versions and deletions in any order, masks, etags, what others hear, what
//! is left of the erased.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use rapport_api::common::v1::{CustomerRef, Value, customer_ref::Ref, value::Kind};
use rapport_api::events::v1::{Event, event::Payload};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::get_interaction_request::Ref as Which;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_api::profiles::v1::{
    DeleteInteractionRequest, GetInteractionRequest, Interaction, InteractionContext, InteractionDeletion,
    InteractionKey, ListInteractionsRequest, RecordInteractionRequest, RecordInteractionsRequest, RecordOutcome,
    UpdateInteractionRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use tonic::{Code, Response, Status};

use crate::erasure::erase;
use crate::ground::*;

fn euros(units: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".to_owned(), units, nanos: 0 })
}

fn purchase(id: &str, version: i64) -> Interaction {
    Interaction {
        customer: Some(by_identifier("user_id", "u-1")),
        source: "shop".to_owned(),
        external_id: id.to_owned(),
        version,
        r#type: "purchase".to_owned(),
        channel: "web".to_owned(),
        product: format!("v{version}"),
        occurred_at: Some(at(version)),
        value: euros(10 + version),
        ..Interaction::default()
    }
}

fn deletion(id: &str, version: i64) -> RecordInteractionsRequest {
    let deletion = InteractionDeletion { source: "shop".to_owned(), external_id: id.to_owned(), version };
    RecordInteractionsRequest { item: Some(Item::Deletion(deletion)) }
}

async fn record(ground: &Ground, tenant: TenantId, interaction: Interaction) -> (Option<Interaction>, RecordOutcome) {
    let request = RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
    let answer = ground.interactions(tenant).record_interaction(request).await.expect("recorded").into_inner();
    let outcome = answer.outcome();
    (answer.interaction, outcome)
}

async fn delete(ground: &Ground, tenant: TenantId, id: &str, version: Option<i64>) -> Result<RecordOutcome, Status> {
    let (source, external_id) = ("shop".to_owned(), id.to_owned());
    let request = DeleteInteractionRequest { source, external_id, version, ..DeleteInteractionRequest::default() };
    ground.interactions(tenant).delete_interaction(request).await.map(|answer| answer.into_inner().outcome())
}

async fn get(ground: &Ground, tenant: TenantId, id: &str) -> Result<Interaction, Status> {
    let key = InteractionKey { source: "shop".to_owned(), external_id: id.to_owned() };
    let request = GetInteractionRequest { r#ref: Some(Which::Key(key)) };
    ground.interactions(tenant).get_interaction(request).await.map(Response::into_inner)
}

async fn update(
    ground: &Ground,
    tenant: TenantId,
    interaction: Interaction,
    paths: &[&str],
) -> Result<(Interaction, RecordOutcome), Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateInteractionRequest {
        interaction: Some(interaction),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..UpdateInteractionRequest::default()
    };
    let answer = ground.interactions(tenant).update_interaction(request).await?.into_inner();
    let outcome = answer.outcome();
    Ok((answer.interaction.expect("it is shown"), outcome))
}

async fn list(ground: &Ground, tenant: TenantId, customer: CustomerRef) -> Vec<Interaction> {
    let request = ListInteractionsRequest { customer: Some(customer), ..ListInteractionsRequest::default() };
    ground.interactions(tenant).list_interactions(request).await.expect("a page").into_inner().interactions
}

/// Every order of some items.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.len() < 2 {
        return vec![items.to_vec()];
    }
    let mut found = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        for order in orders(&rest) {
            found.push([vec![first.clone()], order].concat());
        }
    }
    found
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_every_order_versions_and_deletions_leave_the_same_timeline_and_tell_the_same(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    // What is told, and what stands at the end: one case for each way in which a deletion lies among the versions.
    let cases = [
        (vec![(1, false), (2, true), (3, false), (2, true)], Some(3)),
        (vec![(1, false), (3, true), (2, false)], None),
        (vec![(2, false), (2, true), (1, false)], None),
        (vec![(0, true), (1, false)], Some(1)),
    ];
    let mut items = Vec::new();
    let mut expected = BTreeMap::new();
    for (case, (tellings, stands)) in cases.iter().enumerate() {
        for (number, order) in orders(tellings).into_iter().enumerate() {
            let id = format!("{case}-{number:02}");
            for (version, deleted) in order {
                let told = if deleted { deletion(&id, version) } else { purchase(&id, version).into() };
                items.push(told);
            }
            expected.insert(id, *stands);
        }
    }
    // Told in bulk, in pieces that cut through the tellings of one interaction.
    for piece in items.chunks(7) {
        let rows = i64::try_from(piece.len()).expect("few");
        let piece = stream::iter(piece.to_vec());
        let acks = ground.interactions(tenant).record_interactions(piece).await.expect("a stream");
        let acks: Vec<_> = acks.into_inner().collect().await;
        let taken = acks.into_iter().map(|ack| ack.expect("it goes on").ack.expect("an acknowledgement").accepted);
        assert_eq!(taken.sum::<i64>(), rows);
    }
    let request = ListInteractionsRequest {
        customer: Some(by_identifier("user_id", "u-1")),
        page_size: 1_000,
        ..ListInteractionsRequest::default()
    };
    let listed = ground.interactions(tenant).list_interactions(request).await.expect("a page").into_inner();
    let held: BTreeMap<String, i64> =
        listed.interactions.iter().map(|one| (one.external_id.clone(), one.version)).collect();
    let stands: BTreeMap<String, i64> =
        expected.iter().filter_map(|(id, stands)| Some((id.clone(), (*stands)?))).collect();
    assert_eq!(held, stands);
    assert_eq!(listed.interactions.len(), stands.len(), "each once");
    // The last that others hear of each is what stands, or that it was deleted.
    let ids: BTreeSet<String> = listed.interactions.into_iter().map(|one| one.interaction_id).collect();
    let mut last: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for _ in 0..300 {
        for event in reader.next(0).await {
            if let Some(Payload::InteractionChanged(changed)) = &event.payload {
                let held = last.entry(event.aggregate_id.clone()).or_default();
                *held = (*held).max((event.revision, changed.deleted));
            }
        }
        let live = last.iter().filter(|(_, (_, deleted))| !deleted).map(|(id, _)| id);
        if live.eq(&ids) {
            return;
        }
    }
    panic!("others hear of {last:?}, and {ids:?} stand");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_holds_against_its_version_and_below_even_where_it_came_first(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    assert_eq!(reason(delete(&ground, tenant, "a", None).await), "RESOURCE_NOT_FOUND");
    assert_eq!(delete(&ground, tenant, "a", Some(3)).await.expect("noted"), RecordOutcome::Deleted);
    assert_eq!(delete(&ground, tenant, "a", Some(3)).await.expect("known"), RecordOutcome::Unchanged);
    let (shown, outcome) = record(&ground, tenant, purchase("a", 3)).await;
    assert!(shown.is_none() && outcome == RecordOutcome::Unchanged);
    assert_eq!(reason(get(&ground, tenant, "a").await), "RESOURCE_NOT_FOUND");
    let (back, outcome) = record(&ground, tenant, purchase("a", 4)).await;
    assert_eq!(outcome, RecordOutcome::Created);
    let back = back.expect("it stands");
    assert!(get(&ground, tenant, "a").await.expect("there") == back);
    // A lower deletion does nothing; the one without a version deletes what is held.
    assert_eq!(delete(&ground, tenant, "a", Some(3)).await.expect("late"), RecordOutcome::Unchanged);
    assert_eq!(delete(&ground, tenant, "a", None).await.expect("deleted"), RecordOutcome::Deleted);
    assert!(list(&ground, tenant, by_identifier("user_id", "u-1")).await.is_empty());
    assert_eq!(record(&ground, tenant, purchase("a", 4)).await.1, RecordOutcome::Unchanged);
    // It comes back under the id that it had.
    let again = record(&ground, tenant, purchase("a", 5)).await.0.expect("it stands");
    assert_eq!(again.interaction_id, back.interaction_id);
    assert!(reason(delete(&ground, TenantId::new(), "a", None).await) == "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mask_corrects_what_it_names_and_no_more(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let number = |value: f64| Value { kind: Some(Kind::NumberValue(value)) };
    let friend = customer(&ground.record(tenant, "friend", &[("email", "friend@example.com")]).await);
    let first = Interaction {
        attributes: BTreeMap::from([("size".to_owned(), number(3.0)), ("colour".to_owned(), text("red"))]),
        emotions: BTreeMap::from([("joy".to_owned(), 0.5)]),
        sentiment: Some(0.25),
        context: Some(InteractionContext {
            device: "phone".to_owned(),
            campaign: "spring".to_owned(),
            referrer: Some(by_identifier("email", "friend@example.com")),
            url: "https://shop.example/1".to_owned(),
            ..InteractionContext::default()
        }),
        ..purchase("a", 1)
    };
    let held = record(&ground, tenant, first).await.0.expect("it stands");
    let context = held.context.clone().expect("a context");
    assert_eq!(context.referrer, Some(by_id(&friend)));
    assert_eq!((held.sentiment, held.emotions["joy"], context.device.as_str()), (Some(0.25), 0.5, "phone"));
    // By a version: a refund of part of it, another colour, no size, no device.
    let refund = Interaction {
        source: "shop".to_owned(),
        external_id: "a".to_owned(),
        version: 2,
        value: euros(4),
        channel: "ignored".to_owned(),
        attributes: BTreeMap::from([("colour".to_owned(), text("blue"))]),
        ..Interaction::default()
    };
    let mask = ["value", "attributes.colour", "attributes.size", "context.device"];
    let (changed, outcome) = update(&ground, tenant, refund.clone(), &mask).await.expect("corrected");
    assert_eq!(outcome, RecordOutcome::Updated);
    let mut expected = held.clone();
    expected.version = 2;
    expected.value = euros(4);
    expected.attributes = BTreeMap::from([("colour".to_owned(), text("blue"))]);
    expected.context = Some(InteractionContext { device: String::new(), ..context });
    expected.etag.clone_from(&changed.etag);
    expected.update_time = changed.update_time;
    assert!(changed == expected && changed.etag != held.etag);
    assert_eq!(update(&ground, tenant, refund.clone(), &mask).await.expect("known").1, RecordOutcome::Unchanged);
    // By the etag: the version stays, and the source's next one replaces it.
    let by_hand = Interaction { version: 0, etag: changed.etag.clone(), sentiment: None, ..refund.clone() };
    let (by_hand, _) = update(&ground, tenant, by_hand, &["sentiment"]).await.expect("corrected");
    assert_eq!((by_hand.version, by_hand.sentiment, by_hand.value.clone()), (2, None, euros(4)));
    let stale = Interaction { version: 0, etag: changed.etag, ..refund.clone() };
    assert_eq!(reason(update(&ground, tenant, stale, &["value"]).await), "STALE_ETAG");
    assert_eq!(record(&ground, tenant, purchase("a", 2)).await.1, RecordOutcome::Unchanged);
    assert_eq!(record(&ground, tenant, purchase("a", 3)).await.1, RecordOutcome::Updated);
    // All of it at once needs all that an interaction needs; a mask names only what can be corrected.
    let bare = Interaction { version: 9, ..refund.clone() };
    let refused = violations(update(&ground, tenant, bare, &[]).await);
    let named: Vec<&str> = refused.iter().map(|(field, _)| field.as_str()).collect();
    assert!(named.contains(&"interaction.type") && named.contains(&"interaction.occurred_at"), "{named:?}");
    assert!(!named.contains(&"interaction.customer"), "{named:?}");
    let refused = violations(update(&ground, tenant, refund.clone(), &["source", "value"]).await);
    assert_eq!(refused[0].0, "update_mask.paths[0]");
    let unversioned = violations(update(&ground, tenant, Interaction { version: 0, ..refund }, &["value"]).await);
    assert_eq!(unversioned[0].0, "interaction.version");
    let missing = Interaction { external_id: "b".to_owned(), ..purchase("b", 1) };
    assert_eq!(reason(update(&ground, tenant, missing, &["value"]).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_it_is_is_read_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let held = record(&ground, tenant, purchase("a", 1)).await.0.expect("it stands");
    // Another name, and a customer that is not known: it stays where it is, and nobody is begun.
    for (version, name) in [(2, by_identifier("user_id", "u-2")), (3, by_id(&TenantId::new().to_string()))] {
        let named = Interaction { customer: Some(name), ..purchase("a", version) };
        let (shown, outcome) = record(&ground, tenant, named).await;
        assert_eq!((shown.expect("it stands").subject_id, outcome), (held.subject_id.clone(), RecordOutcome::Updated));
    }
    let nobody = ground.get(tenant, by_identifier("user_id", "u-2")).await;
    assert_eq!(nobody.expect_err("not begun").code(), Code::NotFound);
    let unknown = Interaction { customer: Some(by_id(&TenantId::new().to_string())), ..purchase("b", 1) };
    let request = RecordInteractionRequest { interaction: Some(unknown), ..RecordInteractionRequest::default() };
    assert_eq!(reason(ground.interactions(tenant).record_interaction(request).await), "RESOURCE_NOT_FOUND");
    let context =
        InteractionContext { referrer: Some(by_id(&TenantId::new().to_string())), ..InteractionContext::default() };
    let referred = Interaction { context: Some(context), ..purchase("c", 1) };
    let request = RecordInteractionRequest { interaction: Some(referred), ..RecordInteractionRequest::default() };
    assert_eq!(reason(ground.interactions(tenant).record_interaction(request).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_hear_of_corrections_and_deletions_and_a_replay_tells_them_again(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    record(&ground, tenant, Interaction { sentiment: Some(-0.5), ..purchase("a", 1) }).await;
    record(&ground, tenant, purchase("b", 1)).await;
    delete(&ground, tenant, "b", Some(2)).await.expect("deleted");
    delete(&ground, tenant, "never", Some(2)).await.expect("noted");
    let of_interactions = |events: Vec<Event>| -> Vec<(u64, bool, Option<f64>)> {
        let told = |event: Event| match event.payload {
            Some(Payload::InteractionChanged(changed)) => Some((event.revision, changed.deleted, changed.sentiment)),
            _ => None,
        };
        let mut told: Vec<_> = events.into_iter().filter_map(told).collect();
        told.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
        // The bus delivers at least once.
        told.dedup();
        told
    };
    // How often a profile is told of on the way is no matter of this test: all is read until nothing more comes.
    let patience = Duration::from_secs(1);
    let told = of_interactions(reader.within(patience).await);
    assert_eq!(told, [(1, false, None), (1, false, Some(-0.5)), (2, true, None)]);
    assert!(ground.replay().await >= 4, "a link, a profile, an interaction and a deletion");
    let again = of_interactions(reader.within(patience).await);
    assert_eq!(again, [(1, false, Some(-0.5)), (2, true, None)]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_takes_deletions_and_referrers_along(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let referrer = ground.record(tenant, "friend", &[("email", "friend@example.com")]).await;
    let context = InteractionContext { referrer: Some(by_id(&customer(&referrer))), ..InteractionContext::default() };
    let one = record(&ground, tenant, Interaction { context: Some(context), ..purchase("a", 1) }).await.0;
    let one = one.expect("it stands");
    record(&ground, tenant, purchase("b", 1)).await;
    delete(&ground, tenant, "b", Some(2)).await.expect("deleted");
    erase(&ground, tenant, &[&referrer.subject_id]).await;
    assert!(get(&ground, tenant, "a").await.expect("there").context.is_none(), "nothing else was known of it");
    assert!(matches!(one.context.and_then(|context| context.referrer?.r#ref), Some(Ref::CustomerId(_))));
    erase(&ground, tenant, &[&one.subject_id]).await;
    assert_eq!(reason(get(&ground, tenant, "a").await), "RESOURCE_NOT_FOUND");
    // What is told anew is of somebody new: the deletion went with the one it was of.
    let (shown, outcome) = record(&ground, tenant, purchase("b", 1)).await;
    assert_eq!(outcome, RecordOutcome::Created);
    assert_ne!(shown.expect("it stands").subject_id, one.subject_id);
}
