//! Recording in bulk and reading the timeline: batches, versions, refusals, time going by, pages of any weight.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _, stream};
use rapport_api::common::v1::BulkAck;
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{
    Interaction, ListInteractionsRequest, ListInteractionsResponse, RecordInteractionsRequest,
    RecordInteractionsResponse,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::{Ground, at, by_identifier, text};

fn visit(id: &str, version: i64, seconds: i64) -> Interaction {
    Interaction {
        customer: Some(by_identifier("user_id", "u-1")),
        source: "web".to_owned(),
        external_id: id.to_owned(),
        version,
        r#type: "visit".to_owned(),
        occurred_at: Some(at(seconds)),
        ..Interaction::default()
    }
}

fn item(interaction: Interaction) -> RecordInteractionsRequest {
    RecordInteractionsRequest::from(interaction)
}

async fn import(ground: &Ground, tenant: TenantId, items: Vec<Interaction>) -> Vec<BulkAck> {
    let items = stream::iter(items.into_iter().map(item));
    let acks = ground.interactions(tenant).record_interactions(items).await.expect("a stream").into_inner();
    acks.map(|ack| ack.expect("it goes on").ack.expect("an acknowledgement")).collect().await
}

async fn page(ground: &Ground, tenant: TenantId, size: i32, token: String) -> ListInteractionsResponse {
    let customer = Some(by_identifier("user_id", "u-1"));
    let request =
        ListInteractionsRequest { customer, page_size: size, page_token: token, ..ListInteractionsRequest::default() };
    let mut client = ground.interactions(tenant).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
    client.list_interactions(request).await.expect("a page").into_inner()
}

/// All pages, newest first, and how many there were.
async fn timeline(ground: &Ground, tenant: TenantId, size: i32) -> (Vec<Interaction>, usize) {
    let (mut found, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = page(ground, tenant, size, token).await;
        found.extend(page.interactions);
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            return (found, pages);
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test]
async fn pages_hold_every_interaction_once_whatever_they_weigh_and_though_many_are_of_one_instant(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let heavy: BTreeMap<_, _> = (0..40).map(|at| (format!("a_{at}"), text(&"x".repeat(4_000)))).collect();
    let items = (0..150_i64).map(|n| {
        let attributes = if n % 4 == 0 { heavy.clone() } else { BTreeMap::new() };
        // Half of them are of one instant.
        Interaction { attributes, ..visit(&format!("v-{n:03}"), 1, if n % 2 == 0 { 0 } else { n }) }
    });
    let acks = import(&ground, tenant, items.collect()).await;
    assert_eq!(acks.last().map(|ack| ack.through_index), Some(149));
    assert_eq!(acks.iter().map(|ack| (ack.accepted, ack.rejected)).fold(0, |sum, (taken, _)| sum + taken), 150);
    for size in [1_000, 7, 1] {
        let (found, pages) = timeline(&ground, tenant, size).await;
        let ids: BTreeSet<&str> = found.iter().map(|one| one.external_id.as_str()).collect();
        assert_eq!((found.len(), ids.len()), (150, 150), "pages of {size}");
        let order: Vec<i64> = found.iter().map(|one| one.occurred_at.expect("a time").seconds).collect();
        assert!(order.is_sorted_by(|newer, older| newer >= older), "newest first");
        // Six megabytes do not go into fewer answers than three.
        assert!(pages >= if size == 1_000 { 3 } else { 150 / size as usize }, "{pages} pages of {size}");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test]
async fn a_batch_takes_the_highest_version_of_each_and_names_what_it_refuses(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut items: Vec<Interaction> = [2, 5, 3, 5].map(|version| visit("one", version, version)).into();
    // A hundred and twenty without a source's id, and one that is sound after them.
    items.extend((0..120).map(|_| Interaction { external_id: String::new(), ..visit("", 1, 0) }));
    items.push(visit("two", 1, 9));
    let acks = import(&ground, tenant, items).await;
    let (accepted, rejected) = acks.iter().fold((0, 0), |(taken, not), ack| (taken + ack.accepted, not + ack.rejected));
    assert_eq!((accepted, rejected, acks.last().map(|ack| ack.through_index)), (5, 120, Some(124)));
    let named: Vec<_> = acks.iter().flat_map(|ack| &ack.errors).collect();
    assert!(named.len() >= 100 && named.len() <= 120 && named[0].index == 4, "{} are named", named.len());
    assert!(named.iter().all(|error| error.reason == "INVALID_FIELD"
        && error.violations.iter().any(|violation| violation.field == "interaction.external_id")));
    let (found, _) = timeline(&ground, tenant, 10).await;
    let held: Vec<(&str, i64)> = found.iter().map(|one| (one.external_id.as_str(), one.version)).collect();
    assert_eq!(held, [("two", 1), ("one", 5)]);
    // Told again, nothing changes.
    let again = import(&ground, tenant, vec![visit("one", 5, 1), visit("one", 4, 2)]).await;
    assert_eq!(again.iter().map(|ack| ack.accepted).sum::<i64>(), 2);
    assert_eq!(timeline(&ground, tenant, 10).await.0, found);
}

#[tokio::test]
async fn an_item_is_judged_by_the_time_it_came_however_old_the_stream_is() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let (mut send, items) = futures::channel::mpsc::channel(1);
    let now = || Some(timestamp(ground.clock.now()));
    send.send(item(Interaction { occurred_at: now(), ..visit("first", 1, 0) })).await.expect("it is read");
    let mut acks = ground.interactions(tenant).record_interactions(items).await.expect("a stream").into_inner();
    let taken = |ack: Option<RecordInteractionsResponse>| ack.and_then(|ack| ack.ack).map(|ack| ack.accepted);
    assert_eq!(taken(acks.message().await.expect("it goes on")), Some(1));
    ground.clock.advance(Duration::from_secs(3_600));
    send.send(item(Interaction { occurred_at: now(), ..visit("second", 1, 0) })).await.expect("it is read");
    assert_eq!(taken(acks.message().await.expect("it goes on")), Some(1), "an hour later it is not of the future");
    drop(send);
    assert!(acks.message().await.expect("it ends well").is_none());
}
