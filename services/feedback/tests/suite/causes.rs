//! Mentions are followed up like all that customers say: by what they say now, from when the rule was there.

use std::time::Duration;

use rapport_api::events::v1::event::Payload;
use rapport_api::feedback::v1::{
    CreateFollowUpRuleRequest, DeleteMentionRequest, DeleteResponseRequest, FollowUp, FollowUpCancellation,
    FollowUpCauseType, FollowUpEventType, FollowUpHelp, FollowUpKind, FollowUpRule, FollowUpStatus,
    ListFollowUpsRequest, Mention, MentionKind, MentionRating, RecordMentionRequest, ReplyToMentionRequest,
    UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::Ground;
use crate::loops::{Told, follow_ups, get, history, list, make, resolve, rule, submit, until};

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

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_resolved_is_not_judged_by_what_turned_out_to_be_wrong(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Detractors", "response.kind == 'nps' && response.score <= 6")).await;
    for is_deleted in [true, false] {
        let (customer, subject) = ground.profiles.customer(tenant);
        let first = submit(&ground, tenant, &survey, &customer, 2).await;
        ground.clock.advance(Duration::from_secs(1));
        let second = submit(&ground, tenant, &survey, &customer, 6).await;
        let theirs = |found: &[FollowUp]| found.iter().find(|one| one.subject_id == subject.to_string()).cloned();
        let two = |found: &[FollowUp]| theirs(found).is_some_and(|one| one.causes.len() == 2);
        let one = theirs(&until(&ground, tenant, "both are its causes", two).await).expect("it is there");
        follow_ups(&ground, tenant).resolve_follow_up(resolve(&one, "Late")).await.expect("resolved");
        ground.clock.advance(Duration::from_secs(1));
        submit(&ground, tenant, &survey, &customer, 4).await;
        let helped = |help: FollowUpHelp| move |found: &[FollowUp]| theirs(found).is_some_and(|one| one.help() == help);
        until(&ground, tenant, "from 2 to 4", helped(FollowUpHelp::Better)).await;
        let wrong = async |response_id: String| {
            if is_deleted {
                let delete = DeleteResponseRequest { response_id, ..DeleteResponseRequest::default() };
                ground.responses(tenant).delete_response(delete).await.expect("deleted");
            } else {
                let right = UpdateResponseRequest { response_id, score: Some(8), ..UpdateResponseRequest::default() };
                ground.responses(tenant).update_response(right).await.expect("corrected");
            }
        };
        // One that is corrected, and causes it still, counts as it is now.
        let right =
            UpdateResponseRequest { response_id: first.clone(), score: Some(4), ..UpdateResponseRequest::default() };
        ground.responses(tenant).update_response(right).await.expect("corrected");
        until(&ground, tenant, "from 4 to 4", helped(FollowUpHelp::Same)).await;
        wrong(first).await;
        until(&ground, tenant, "from 6 to 4", helped(FollowUpHelp::Worse)).await;
        wrong(second).await;
        let none = |found: &[FollowUp]| theirs(found).is_some_and(|one| one.causes.is_empty());
        until(&ground, tenant, "nothing caused it", none).await;
        let left = get(&ground, tenant, &one).await;
        assert_eq!((left.status(), left.help()), (FollowUpStatus::Resolved, FollowUpHelp::Unspecified));
        assert!(left.score_before.is_none() && left.score_after.is_some_and(|score| score.score == 4));
        let withdrawn = i32::from(FollowUpEventType::CauseWithdrawn);
        let lines = history(&ground, tenant, &one).await;
        assert_eq!(lines.iter().filter(|line| **line == withdrawn).count(), 2, "{lines:?}");
        told.until("follow_up", &one.follow_up_id, |payload| {
            matches!(payload, Payload::FollowUpChanged(state) if state.score_before.is_none() && state.status == "resolved")
        })
        .await;
    }
}
