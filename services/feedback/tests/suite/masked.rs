//! Card numbers reach no table: every field of every call that can be written freely is written with one.
//!
//! The fields are found in the contract itself, so that one which is added later is looked at as well: it is masked, or said
//! here to be something that stays.

use std::collections::BTreeSet;

use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::resolve_promise_request::Which;
use rapport_api::feedback::v1::respondent_service_client::RespondentServiceClient;
use rapport_api::feedback::v1::{
    AddTicketMessageRequest, Answer, Asking, AssignFollowUpRequest, BatchInviteRequest, CancelFollowUpRequest,
    CommentFollowUpRequest, CreateFollowUpRequest, CreateFollowUpRuleRequest, CreateImprovementRequest,
    CreateSlaCalendarRequest, CreateSlaPolicyRequest, CreateSurveyRequest, FollowUpAssignment, FollowUpCauseType,
    FollowUpEscalation, FollowUpKind, FollowUpOutcome, FollowUpRule, HiddenField, ImportResponsesRequest, Improvement,
    InvitationContext, InviteCustomerRequest, ListMentionsRequest, ListResponsesRequest, Mention, MentionKind,
    PromiseResolution, PushTicketRequest, Question, QuestionType, RecordMentionRequest, ReopenFollowUpRequest,
    ReplyToMentionRequest, ResolveFollowUpRequest, ResolvePromiseRequest, SlaCalendar, SlaHoliday, SlaPolicy,
    StartFollowUpRequest, SubmitInvitedResponseRequest, SubmitResponseRequest, Survey, TagResponseRequest, Ticket,
    TicketAttachment, TicketAuthor, TicketMessage, TicketStatus, TicketStatusChange, UpdateFollowUpRuleRequest,
    UpdateImprovementRequest, UpdateResponseRequest, UpdateSlaCalendarRequest, UpdateSlaPolicyRequest,
    UpdateSurveyRequest, answer::Value, push_tickets_request::Item,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::asking::asks;
use crate::desk::{self, item, levels, tickets};
use crate::ground::{Ground, answer, by_id};
use crate::loops::{expectations, follow_ups, improvements, length, list, promise, rule};
use crate::poison::{Poison, free_fields, left_in};

fn survey() -> Survey {
    let question = |id: &str, kind: QuestionType| Question {
        question_id: id.to_owned(),
        r#type: kind.into(),
        text: "What else?".to_owned(),
        ..Question::default()
    };
    let choices = ["price", "staff"].map(|name| rapport_api::feedback::v1::Choice {
        choice_id: name.to_owned(),
        text: name.to_owned(),
        ..Default::default()
    });
    let reason = Question { other: true, choices: choices.into(), ..question("reason", QuestionType::Single) };
    let field = |name: &str, values: &[&str]| HiddenField {
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    Survey {
        question: String::new(),
        questions: vec![question("score", QuestionType::Scale), question("words", QuestionType::Text), reason],
        hidden_fields: vec![field("shop", &["12"])],
        ..asks(Asking::default())
    }
}

/// What is answered in words.
fn answers() -> Vec<Answer> {
    let to = |id: &str, value: Value, other: &str| Answer {
        question_id: id.to_owned(),
        value: Some(value),
        other: other.to_owned(),
    };
    vec![
        to("words", Value::Text("words".to_owned()), ""),
        to("reason", Value::Choice("other".to_owned()), "the weather"),
    ]
}

/// Only what is said in words beside "other" has more to say.
fn only_other(mut answers: Vec<Answer>) -> Vec<Answer> {
    answers[0].other.clear();
    answers
}

/// Surveys, their answers, and whom they ask.
async fn surveys_and_answers(ground: &Ground, tenant: TenantId, poison: &mut Poison) {
    let mut surveys = ground.surveys(tenant);
    let made = poison.in_all(&CreateSurveyRequest { survey: Some(survey()), ..CreateSurveyRequest::default() });
    let made = surveys.create_survey(made).await.expect("a draft").into_inner();
    assert!(made.name.contains("[card]"), "{}", made.name);
    let again = Survey { survey_id: made.survey_id.clone(), ..survey() };
    let again = poison.in_all(&UpdateSurveyRequest { survey: Some(again), ..UpdateSurveyRequest::default() });
    surveys.update_survey(again).await.expect("changed");
    let publish = rapport_api::feedback::v1::PublishSurveyRequest { survey_id: made.survey_id, ..Default::default() };
    let open = surveys.publish_survey(publish).await.expect("open").into_inner();

    let (customer, anna) = ground.profiles.customer(tenant);
    let whole = SubmitResponseRequest {
        customer: Some(customer),
        comment: String::new(),
        answers: answers(),
        hidden: [("shop".to_owned(), "12".to_owned())].into(),
        ..answer(&open, 3)
    };
    let mut said = poison.in_all(&whole);
    (said.answers, said.comment) = (only_other(said.answers), String::new());
    let taken = ground.responses(tenant).submit_response(said).await.expect("taken").into_inner();
    assert_eq!((taken.hidden["shop"].as_str(), taken.tags[0].as_str()), ("[card]", "card"));
    let with_comment = poison.in_all(&SubmitResponseRequest { answers: Vec::new(), ..whole.clone() });
    let with_comment = ground.responses(tenant).submit_response(with_comment).await.expect("taken").into_inner();
    assert!(with_comment.comment.contains("[card]"));

    let response_id = taken.response_id.clone();
    let hidden = whole.hidden.clone();
    let mut right = poison.in_all(&UpdateResponseRequest {
        response_id: response_id.clone(),
        comment: Some(String::new()),
        answers: answers(),
        hidden,
        ..UpdateResponseRequest::default()
    });
    (right.answers, right.comment) = (only_other(right.answers), None);
    ground.responses(tenant).update_response(right).await.expect("corrected");
    let tag = poison.in_all(&TagResponseRequest { response_id, ..TagResponseRequest::default() });
    ground.responses(tenant).tag_response(tag).await.expect("tagged");
    let mut past = ImportResponsesRequest {
        response: Some(SubmitResponseRequest {
            source: "old".to_owned(),
            external_id: "1".to_owned(),
            answered_at: Some(timestamp(ground.clock.now())),
            ..whole
        }),
        ..ImportResponsesRequest::default()
    };
    past = poison.in_all(&past);
    let inner = past.response.as_mut().expect("set");
    (inner.answers, inner.comment) = (only_other(std::mem::take(&mut inner.answers)), String::new());
    let stream = futures::stream::iter([past]);
    let mut acks = ground.responses(tenant).import_responses(stream).await.expect("a stream").into_inner();
    let ack = acks.message().await.expect("told").expect("one").ack.expect("an ack");
    assert_eq!((ack.accepted, ack.errors), (1, Vec::new()));
    // Who looks for what was said finds it by the same words.
    let product = poison.spaced.clone();
    let found = ListResponsesRequest { product, ..ListResponsesRequest::default() };
    let found = ground.responses(tenant).list_responses(found).await.expect("a page").into_inner();
    assert_eq!(found.responses.len(), 3);

    let context = Some(InvitationContext::default());
    let invite = InviteCustomerRequest {
        survey_id: open.survey_id.clone(),
        customer: Some(by_id(anna)),
        context: context.clone(),
        ..InviteCustomerRequest::default()
    };
    let invited = surveys.invite_customer(poison.in_all(&invite)).await.expect("judged").into_inner();
    let held = invited.invitation.expect("invited");
    assert_eq!(held.context.expect("about something").agent, "[card]");
    let batch = BatchInviteRequest {
        survey_id: open.survey_id.clone(),
        customers: vec![by_id(anna), ground.profiles.customer(tenant).0],
        context,
        ..BatchInviteRequest::default()
    };
    surveys.batch_invite(poison.in_all(&batch)).await.expect("judged");
    let mut by_token = poison.in_all(&SubmitInvitedResponseRequest {
        token: held.token,
        answers: answers(),
        partial: true,
        ..SubmitInvitedResponseRequest::default()
    });
    by_token.answers = only_other(by_token.answers);
    let mut respondents = RespondentServiceClient::new(ground.channel(tenant));
    respondents.submit_invited_response(by_token).await.expect("taken");
}

/// Tickets, their messages and service levels; mentions and replies.
async fn tickets_and_mentions(ground: &Ground, tenant: TenantId, poison: &mut Poison) {
    let change = TicketStatusChange {
        status: TicketStatus::Open.into(),
        time: Some(desk::minutes(ground, 0)),
        ..TicketStatusChange::default()
    };
    let ticket = |id: &str| Ticket {
        status_history: vec![change.clone()],
        ..desk::ticket(ground, id, 1, 0, TicketStatus::Open)
    };
    let said = |id: &str| TicketMessage {
        attachments: vec![TicketAttachment::default()],
        ..desk::message(ground, id, 0, TicketAuthor::Agent)
    };
    let push = |id: &str| PushTicketRequest {
        ticket: Some(ticket(id)),
        messages: vec![said("m1")],
        ..PushTicketRequest::default()
    };
    let pushed = poison.in_all(&push("1"));
    let held = tickets(ground, tenant).push_ticket(pushed).await.expect("taken").into_inner().ticket.expect("held");
    assert_eq!((held.product.as_str(), held.tags[0].as_str()), ("[card]", "[card]"));
    let more = AddTicketMessageRequest {
        ticket: Some(desk::key("1")),
        message: Some(said("m2")),
        ..AddTicketMessageRequest::default()
    };
    tickets(ground, tenant).add_ticket_message(poison.in_all(&more)).await.expect("added");
    let items = [item(Item::Push(Box::new(push("2")))), item(Item::Message(Box::new(more)))];
    let items = items.iter().map(|item| poison.in_all(item)).collect();
    let acks = desk::bulk(ground, tenant, items).await;
    assert!(acks.iter().all(|ack| ack.errors.is_empty()), "{acks:?}");

    let holiday = SlaHoliday { date: "12-25".to_owned(), ..SlaHoliday::default() };
    let hours = rapport_api::feedback::v1::SlaHours { weekday: 1, start: "09:00".to_owned(), end: "17:00".to_owned() };
    let calendar =
        SlaCalendar { zone: "UTC".to_owned(), hours: vec![hours], holidays: vec![holiday], ..SlaCalendar::default() };
    let create = CreateSlaCalendarRequest { calendar: Some(calendar.clone()), ..Default::default() };
    let made = levels(ground, tenant).create_sla_calendar(poison.in_all(&create)).await.expect("made").into_inner();
    let calendar = Some(SlaCalendar { calendar_id: made.calendar_id, ..calendar });
    let update = UpdateSlaCalendarRequest { calendar, ..UpdateSlaCalendarRequest::default() };
    levels(ground, tenant).update_sla_calendar(poison.in_all(&update)).await.expect("changed");
    let policy = SlaPolicy { resolution: length(60), ..SlaPolicy::default() };
    let create = CreateSlaPolicyRequest { policy: Some(policy.clone()), ..CreateSlaPolicyRequest::default() };
    let made = levels(ground, tenant).create_sla_policy(poison.in_all(&create)).await.expect("made").into_inner();
    let policy = Some(SlaPolicy { policy_id: made.policy_id, ..policy });
    let update = UpdateSlaPolicyRequest { policy, ..UpdateSlaPolicyRequest::default() };
    levels(ground, tenant).update_sla_policy(poison.in_all(&update)).await.expect("changed");

    let mention = |id: &str| Mention {
        source: "reviews".to_owned(),
        external_id: id.to_owned(),
        kind: MentionKind::Review.into(),
        ..Mention::default()
    };
    let record = RecordMentionRequest { mention: Some(mention("1")), ..RecordMentionRequest::default() };
    let held = ground.mentions(tenant).record_mention(poison.in_all(&record)).await.expect("taken").into_inner();
    let held = held.mention.expect("held");
    assert_eq!((held.author.as_str(), held.url.as_str()), ("[card]", "https://files.example/[card].png"));
    let reply = ReplyToMentionRequest { mention_id: held.mention_id, ..ReplyToMentionRequest::default() };
    ground.mentions(tenant).reply_to_mention(poison.in_all(&reply)).await.expect("noted");
    let place = poison.spaced.clone();
    let found = ListMentionsRequest { place, ..ListMentionsRequest::default() };
    let found = ground.mentions(tenant).list_mentions(found).await.expect("a page").into_inner();
    assert_eq!(found.mentions.len(), 1);
}

/// Rules, follow-ups, promises and improvements.
async fn loops(ground: &Ground, tenant: TenantId, poison: &mut Poison) {
    let mut desk = follow_ups(ground, tenant);
    let said = FollowUpRule {
        kind: FollowUpKind::Recovery.into(),
        cause_types: vec![FollowUpCauseType::Promise.into()],
        assignments: vec![FollowUpAssignment { owners: vec!["anna".to_owned()], ..FollowUpAssignment::default() }],
        escalations: vec![FollowUpEscalation { after: length(60), ..FollowUpEscalation::default() }],
        ..rule("", "promise.status == 'broken'")
    };
    let create = CreateFollowUpRuleRequest { rule: Some(said.clone()), ..CreateFollowUpRuleRequest::default() };
    let made = desk.create_follow_up_rule(poison.in_all(&create)).await.expect("a rule").into_inner();
    let update = Some(FollowUpRule { rule_id: made.rule_id, ..said });
    let update = UpdateFollowUpRuleRequest { rule: update, ..UpdateFollowUpRuleRequest::default() };
    desk.update_follow_up_rule(poison.in_all(&update)).await.expect("changed");
    let (customer, _) = ground.profiles.customer(tenant);
    let due = timestamp(ground.clock.now().plus(std::time::Duration::from_secs(3_600)));
    let open = CreateFollowUpRequest {
        customer: Some(customer.clone()),
        kind: FollowUpKind::Recovery.into(),
        due_time: Some(due),
        ..CreateFollowUpRequest::default()
    };
    let held = desk.create_follow_up(poison.in_all(&open)).await.expect("open").into_inner();
    assert_eq!((held.owner.as_str(), held.title.as_str()), ("[card]", "[card]"));
    let follow_up_id = held.follow_up_id;
    let id = || follow_up_id.clone();
    let assign = AssignFollowUpRequest { follow_up_id: id(), ..AssignFollowUpRequest::default() };
    desk.assign_follow_up(poison.in_all(&assign)).await.expect("assigned");
    let start = StartFollowUpRequest { follow_up_id: id(), ..StartFollowUpRequest::default() };
    desk.start_follow_up(poison.in_all(&start)).await.expect("begun");
    let comment = CommentFollowUpRequest { follow_up_id: id(), ..CommentFollowUpRequest::default() };
    desk.comment_follow_up(poison.in_all(&comment)).await.expect("said");
    let outcome = FollowUpOutcome::Recovered.into();
    let resolve = ResolveFollowUpRequest { follow_up_id: id(), outcome, ..ResolveFollowUpRequest::default() };
    desk.resolve_follow_up(poison.in_all(&resolve)).await.expect("resolved");
    let reopen = ReopenFollowUpRequest { follow_up_id: id(), ..ReopenFollowUpRequest::default() };
    desk.reopen_follow_up(poison.in_all(&reopen)).await.expect("open again");
    let cancel = CancelFollowUpRequest { follow_up_id: id(), ..CancelFollowUpRequest::default() };
    desk.cancel_follow_up(poison.in_all(&cancel)).await.expect("cancelled");
    let found = rapport_api::feedback::v1::ListFollowUpsRequest { owner: poison.spaced.clone(), ..Default::default() };
    assert_eq!(list(ground, tenant, found).await.len(), 1);

    let given = poison.in_all(&promise(ground, &customer, "p1", None));
    let given = expectations(ground, tenant).record_promise(given).await.expect("given").into_inner();
    assert_eq!((given.what.as_str(), given.agent.as_str()), ("[card]", "[card]"));
    let settle = ResolvePromiseRequest {
        which: Some(Which::PromiseId(given.promise_id)),
        resolution: PromiseResolution::Broken.into(),
        ..ResolvePromiseRequest::default()
    };
    expectations(ground, tenant).resolve_promise(poison.in_all(&settle)).await.expect("settled");

    let create = CreateImprovementRequest { improvement: Some(Improvement::default()), ..Default::default() };
    let made =
        improvements(ground, tenant).create_improvement(poison.in_all(&create)).await.expect("made").into_inner();
    let improvement = Some(Improvement { improvement_id: made.improvement_id, ..Improvement::default() });
    let update = UpdateImprovementRequest { improvement, ..UpdateImprovementRequest::default() };
    improvements(ground, tenant).update_improvement(poison.in_all(&update)).await.expect("changed");
}

#[rstest]
#[case::sqlite(Engine::Sqlite, "4111 1111 1111 1111", "4111111111111111")]
#[case::sqlite_in_persian(Engine::Sqlite, "۴۱۱۱ ۱۱۱۱ ۱۱۱۱ ۱۱۱۱", "4111-1111-1111-1111")]
#[case::postgres(Engine::Postgres, "4111 1111 1111 1111", "4111111111111111")]
#[case::postgres_in_persian(Engine::Postgres, "۴۱۱۱ ۱۱۱۱ ۱۱۱۱ ۱۱۱۱", "4111-1111-1111-1111")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_table_and_no_event_holds_a_cards_number_wherever_it_is_written(
    #[case] engine: Engine,
    #[case] spaced: &str,
    #[case] bare: &str,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut poison = Poison::new(spaced, bare);
    surveys_and_answers(&ground, tenant, &mut poison).await;
    tickets_and_mentions(&ground, tenant, &mut poison).await;
    loops(&ground, tenant, &mut poison).await;
    let missed: BTreeSet<String> = free_fields().difference(&poison.fields).cloned().collect();
    assert!(missed.is_empty(), "never written with a card's number: {missed:#?}");

    let held = left_in(&ground, engine);
    let count = |text: &str| held.windows(text.len()).filter(|part| *part == text.as_bytes()).count();
    assert!(count("[card]") > 100, "what was written is there, masked: {}", count("[card]"));
    for number in [spaced, bare, "4111111111111111"] {
        let at = held.windows(number.len()).position(|part| part == number.as_bytes());
        let around = at.map(|at| String::from_utf8_lossy(&held[at.saturating_sub(200)..at + 40]).into_owned());
        assert!(at.is_none(), "it is kept: {around:?}");
    }
}
