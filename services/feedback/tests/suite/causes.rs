//! Mentions are followed up like all that customers say: by what they say now, from when the rule was there.

use std::time::Duration;

use rapport_api::feedback::v1::{
    CreateFollowUpRuleRequest, DeleteMentionRequest, FollowUpCancellation, FollowUpCauseType, FollowUpKind,
    FollowUpRule, FollowUpStatus, ListFollowUpsRequest, Mention, MentionKind, MentionRating, RecordMentionRequest,
    ReplyToMentionRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::Ground;
use crate::loops::{follow_ups, list, make, resolve, rule, until};

fn rated(id: &str, version: i64, stars: f64) -> Mention {
    Mention {
        source: "reviews".to_owned(),
        external_id: id.to_owned(),
        version,
        kind: MentionKind::Review.into(),
        place: "trustpilot".to_owned(),
        product: "router".to_owned(),
        rating: Some(MentionRating { value: stars, ..MentionRating::default() }),
        ..Mention::default()
    }
}

async fn record(ground: &Ground, tenant: TenantId, mention: Mention) -> Mention {
    let request = RecordMentionRequest { mention: Some(mention), ..RecordMentionRequest::default() };
    ground.mentions(tenant).record_mention(request).await.expect("taken").into_inner().mention.expect("it is held")
}

const BAD: &str = "mention.kind == 'review' && mention.share <= 0.25";

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mention_is_followed_up_until_it_is_mended_or_gone(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (customer, subject) = ground.profiles.customer(tenant);
    let of = |mention: Mention| Mention { customer: Some(customer.clone()), ..mention };
    // Before the rule was there.
    let old = record(&ground, tenant, of(rated("old", 1, 1.0))).await;
    ground.clock.advance(Duration::from_secs(1));
    make(&ground, tenant, rule("Bad reviews", BAD)).await;
    let praise = FollowUpRule {
        kind: FollowUpKind::Praise.into(),
        ..rule("Praise", "mention.share >= 1.0 && cause.product == 'router'")
    };
    let request = CreateFollowUpRuleRequest { rule: Some(praise), ..CreateFollowUpRuleRequest::default() };
    follow_ups(&ground, tenant).create_follow_up_rule(request).await.expect("a rule");

    let bad = record(&ground, tenant, of(rated("bad", 1, 2.0))).await;
    let nobodys = record(&ground, tenant, rated("nobody", 1, 1.0)).await;
    record(&ground, tenant, of(rated("fair", 1, 3.0))).await;
    let found = until(&ground, tenant, "two are bad", |found| found.len() == 2).await;
    let theirs = found.iter().find(|one| one.subject_id == subject.to_string()).expect("the customer's");
    let cause = &theirs.causes[0];
    assert_eq!(
        (cause.r#type(), &cause.cause_id, theirs.causes.len()),
        (FollowUpCauseType::Mention, &bad.mention_id, 1)
    );
    assert_eq!((theirs.product.as_str(), theirs.customer.as_ref()), ("router", Some(&customer)));
    let other = found.iter().find(|one| one.subject_id != subject.to_string()).expect("somebody's");
    assert_eq!((&other.causes[0].cause_id, other.customer.as_ref()), (&nobodys.mention_id, None));

    // The old one changes: now it is news, and one more cause of the same.
    record(&ground, tenant, of(rated("old", 2, 1.5))).await;
    let has = |follow_up: &str, many: usize| {
        let id = follow_up.to_owned();
        move |found: &[rapport_api::feedback::v1::FollowUp]| {
            found.iter().any(|one| one.follow_up_id == id && one.causes.len() == many)
        }
    };
    until(&ground, tenant, "the old one is a cause", has(&theirs.follow_up_id, 2)).await;
    // A reply changes nothing of what is said.
    let reply = ReplyToMentionRequest {
        mention_id: bad.mention_id.clone(),
        text: "We are sorry".to_owned(),
        ..ReplyToMentionRequest::default()
    };
    ground.mentions(tenant).reply_to_mention(reply).await.expect("noted");
    let of_cause = ListFollowUpsRequest { cause_id: bad.mention_id.clone(), ..ListFollowUpsRequest::default() };
    assert_eq!(list(&ground, tenant, of_cause).await.len(), 1);
    // Its author mends it: it is withdrawn, and praised instead.
    record(&ground, tenant, of(rated("bad", 2, 5.0))).await;
    let found = until(&ground, tenant, "one is withdrawn, one is praise", |found| {
        has(&theirs.follow_up_id, 1)(found) && found.len() == 3
    })
    .await;
    let praised = found.iter().find(|one| one.kind() == FollowUpKind::Praise).expect("one");
    assert_eq!(praised.causes[0].cause_id, bad.mention_id);
    let delete = DeleteMentionRequest { mention_id: old.mention_id, ..DeleteMentionRequest::default() };
    ground.mentions(tenant).delete_mention(delete).await.expect("deleted");
    let found = until(&ground, tenant, "nothing is left", has(&theirs.follow_up_id, 0)).await;
    let over = found.iter().find(|one| one.follow_up_id == theirs.follow_up_id).expect("it is kept");
    assert_eq!((over.status(), over.cancellation()), (FollowUpStatus::Cancelled, FollowUpCancellation::CauseWithdrawn));
    // What was resolved stays so, whatever becomes of the mention.
    follow_ups(&ground, tenant).resolve_follow_up(resolve(praised, "")).await.expect("resolved");
    record(&ground, tenant, of(rated("bad", 3, 1.0))).await;
    let found = until(&ground, tenant, "it is bad once more", |found| found.len() == 4).await;
    let held = found.iter().find(|one| one.follow_up_id == praised.follow_up_id).expect("it is kept");
    assert_eq!(held.status(), FollowUpStatus::Resolved);
    let again =
        found.iter().filter(|one| one.status() == FollowUpStatus::Open && one.subject_id == subject.to_string());
    assert_eq!(again.map(|one| &one.causes[0].cause_id).collect::<Vec<_>>(), [&bad.mention_id]);
}
