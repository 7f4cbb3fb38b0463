//! Restraint: samples that stay, cool-downs exact at the instant.

use std::time::Duration;

use proptest::prelude::*;
use rapport_kernel::{CustomerId, Timestamp, Violations};
use uuid::Uuid;

use super::*;
use crate::domain::facts::Known;
use crate::domain::{Party, Respondent, Survey, SurveyKind, SurveyState, Touch};

fn survey(asking: Asking) -> Survey {
    Survey {
        id: SurveyId::new(),
        name: "s".to_owned(),
        description: String::new(),
        kind: SurveyKind::Nps,
        party: Party::Customer,
        state: SurveyState::Open,
        version: 1,
        revision: 1,
        created_at: Timestamp::MIN,
        updated_at: Timestamp::MIN,
        published_at: Some(Timestamp::MIN),
        closed_at: None,
        asking,
    }
}

fn customer() -> Customer {
    Customer {
        id: CustomerId::new(),
        party: Party::Customer,
        known: Known::default(),
        preferred: Vec::new(),
        namespaces: vec!["email".to_owned()],
    }
}

fn past(survey: &Survey, at: Timestamp, status: Status) -> Past {
    let expires_at = at.plus(Duration::from_secs(3_600));
    Past {
        survey: survey.id,
        kind: survey.kind,
        channel: "email".to_owned(),
        cause: String::new(),
        at,
        expires_at,
        status,
    }
}

fn judged(survey: &Survey, customer: &Customer, past: &[Past], at: Timestamp) -> Result<Vec<String>, Refusal> {
    let form = AskForm::compile(&survey.asking, &mut Violations::new()).expect("it compiles");
    let spot = Spot::default();
    let candidate = Candidate { survey, form: &form, customer, past, channel: "", spot: &spot, cause: "" };
    judge(candidate, at)
}

fn invitation() -> Invitation {
    Invitation {
        id: InvitationId::new(),
        survey: SurveyId::new(),
        kind: SurveyKind::Nps,
        anonymous: false,
        respondent: Respondent {
            subject: SubjectId::new(),
            anonymous: false,
            dimensions: Default::default(),
            party: Party::Customer,
        },
        status: Status::Invited,
        channel: "email".to_owned(),
        purpose: PURPOSE.to_owned(),
        topic: String::new(),
        spot: Spot::default(),
        cause: String::new(),
        language: String::new(),
        contact: None,
        is_confirmed: false,
        invited_at: AT,
        expires_at: AT.plus(USUAL_LIFE),
        delivered_at: None,
        started_at: None,
        completed_at: None,
        uses: 0,
        max_uses: 1,
        reminders: 0,
        remind_at: None,
        remind_after: Vec::new(),
        response: None,
        revision: 1,
        updated_at: AT,
    }
}

const AT: Timestamp = Timestamp::from_column(1_750_000_000_000_000);

#[test]
fn a_cool_down_ends_at_the_very_instant() {
    let day = Duration::from_secs(86_400);
    let moment = Duration::from_micros(1);
    let cool = |asking: Asking, other: SurveyKind| {
        let survey = survey(asking);
        let mut elsewhere = survey.clone();
        (elsewhere.id, elsewhere.kind) = (SurveyId::new(), other);
        (survey, elsewhere)
    };
    let own = Asking { cool_down: Some(day), ..Asking::default() };
    let kind = Asking { kind_cool_down: Some(day), ..Asking::default() };
    let all = Asking { overall_cool_down: Some(day), ..Asking::default() };
    for (asking, other, same) in
        [(own, SurveyKind::Nps, true), (kind, SurveyKind::Nps, false), (all, SurveyKind::Csat, false)]
    {
        let (survey, elsewhere) = cool(asking, other);
        let held = past(if same { &survey } else { &elsewhere }, AT, Status::Completed);
        let refused = judged(&survey, &customer(), std::slice::from_ref(&held), AT.plus(day).minus(moment));
        assert_eq!(refused, Err(Refusal { reason: Reason::CoolDown, retry: Some(AT.plus(day)) }));
        assert_eq!(judged(&survey, &customer(), &[held], AT.plus(day)), Ok(vec!["email".to_owned()]));
    }
    let (survey, elsewhere) = cool(Asking { kind_cool_down: Some(day), ..Asking::default() }, SurveyKind::Csat);
    assert!(judged(&survey, &customer(), &[past(&elsewhere, AT, Status::Completed)], AT).is_ok(), "of another kind");
}

#[test]
fn what_failed_or_was_withdrawn_cools_nobody_down_but_the_channel_rests() {
    let survey = survey(Asking { cool_down: Some(Duration::from_secs(86_400)), ..Asking::default() });
    assert!(judged(&survey, &customer(), &[past(&survey, AT, Status::Cancelled)], AT).is_ok());
    let failed = past(&survey, AT, Status::Failed);
    let refused = judged(&survey, &customer(), std::slice::from_ref(&failed), AT);
    assert_eq!(refused, Err(Refusal { reason: Reason::Unreachable, retry: Some(AT.plus(CHANNEL_REST)) }));
    assert!(judged(&survey, &customer(), &[failed], AT.plus(CHANNEL_REST)).is_ok());
}

#[test]
fn whoever_has_an_open_invitation_is_not_invited_for_the_same_reason() {
    let survey = survey(Asking::default());
    let open = past(&survey, AT, Status::Delivered);
    let refused = judged(&survey, &customer(), std::slice::from_ref(&open), AT);
    assert_eq!(refused, Err(Refusal { reason: Reason::AlreadyInvited, retry: Some(open.expires_at) }));
    let other = Past { cause: "ticket/1".to_owned(), ..open };
    assert!(judged(&survey, &customer(), &[other], AT).is_ok());
}

#[test]
fn channels_are_those_with_an_address_as_the_customer_prefers_them() {
    let asking = |names: &[&str]| Asking {
        channels: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Asking::default()
    };
    let who = |preferred: &[&str], namespaces: &[&str]| Customer {
        preferred: preferred.iter().map(|name| (*name).to_owned()).collect(),
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        ..customer()
    };
    let of = |asking: &Asking, customer: &Customer, named: &str| channels(asking, customer, named).join(" ");
    assert_eq!(of(&asking(&["email", "sms", "web"]), &who(&[], &["email", "phone"]), ""), "email sms web");
    assert_eq!(of(&asking(&["email", "sms", "web"]), &who(&["sms"], &["email", "phone"]), ""), "sms email web");
    assert_eq!(of(&asking(&["email", "sms"]), &who(&["sms"], &["email"]), ""), "email");
    assert_eq!(of(&asking(&["email"]), &who(&[], &[]), ""), "");
    assert_eq!(of(&asking(&["email"]), &who(&[], &["phone"]), "sms"), "sms");
    assert_eq!(of(&asking(&[]), &who(&["web"], &["email"]), ""), "web email");
    assert_eq!(of(&asking(&[]), &who(&[], &["phone", "email"]), ""), "email sms");
    // Nobody is invited over nothing.
    assert!(channels(&asking(&[]), &who(&[""], &[]), "").is_empty());
    let (survey, nobody) = (survey(Asking::default()), who(&[""], &[]));
    assert_eq!(judged(&survey, &nobody, &[], AT), Err(Reason::Unreachable.into()));
}

#[test]
fn what_only_few_were_invited_with_is_of_no_anonymous_answer() {
    let spot = Spot { campaign: "spring".to_owned(), ticket: Some(Uuid::now_v7()), ..Spot::default() };
    let known = Invitation { spot, language: "fa".to_owned(), ..invitation() };
    let nobodys = Invitation { anonymous: true, ..known.clone() };
    let told = || Touch { stage: "service".to_owned(), ..Touch::default() };
    let whole = known.touch(told(), false);
    assert_eq!((whole.campaign.as_str(), whole.language.as_str(), whole.stage.as_str()), ("spring", "fa", "service"));
    assert_eq!((whole.ticket, whole.invitation), (known.spot.ticket, Some(known.id.uuid())));
    assert_eq!(nobodys.touch(told(), false), told());
    let shared = nobodys.touch(told(), true);
    assert_eq!(shared, Touch { ticket: None, invitation: None, ..whole });
}

#[test]
fn the_mark_of_a_token_leads_to_none_of_its_other_names() {
    use super::token::{Scope, Token};
    use rapport_kernel::{PageKey, TenantId};
    let (key, tenant) = (PageKey::new([7; 32]), TenantId::new());
    let of = |id: Uuid| Token::of(&key, Scope::Invitation, tenant, id);
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(of(one).mark(), of(one).mark());
    let names = [of(one).mark(), of(other).mark(), of(one).hash(), of(one).claim(one), of(one).claim(other)];
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
}

#[test]
fn a_token_is_read_by_its_tenant_alone_and_tells_nothing_of_others() {
    use super::token::{Scope, Token};
    use rapport_kernel::{PageKey, TenantId};
    let (key, tenant, id) = (PageKey::new([7; 32]), TenantId::new(), Uuid::now_v7());
    let token = Token::of(&key, Scope::Invitation, tenant, id);
    let text = token.text();
    assert!(text.len() > 60 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let read = Token::parse(&text).expect("it is one");
    assert_eq!((read.hash(), read.tenant), (token.hash(), tenant));
    assert_eq!(Token::expect(&text, Scope::Invitation, tenant).hash(), token.hash());
    for other in [
        Token::expect(&text, Scope::Invitation, TenantId::new()),
        Token::expect(&text, Scope::Erasure, tenant),
        Token::expect(&text[1..], Scope::Invitation, tenant),
        Token::expect("", Scope::Invitation, tenant),
    ] {
        assert_ne!(other.hash(), token.hash());
    }
    assert_ne!(Token::of(&key, Scope::Invitation, tenant, Uuid::now_v7()).hash(), token.hash());
    assert!(!format!("{token:?}").contains(&text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// A sample is near its rate, stays what it is, and a larger one holds it.
    #[test]
    fn a_sample_is_stable_near_its_rate_and_grows(rate in 0.02_f64..0.9, more in 0.0_f64..0.1) {
        let (survey, people) = (SurveyId::new(), 4_000);
        let customers: Vec<CustomerId> = (0..people).map(|_| CustomerId::new()).collect();
        let sample = |rate: f64| -> Vec<CustomerId> {
            customers.iter().copied().filter(|customer| drawn(survey, *customer) < rate).collect()
        };
        let (first, again, larger) = (sample(rate), sample(rate), sample(rate + more));
        prop_assert_eq!(&first, &again);
        prop_assert!(first.iter().all(|customer| larger.contains(customer)));
        // Five standard deviations: one in two million is further off.
        let expected = rate * f64::from(people);
        let spread = (expected * (1.0 - rate)).sqrt();
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let size = first.len() as f64;
        prop_assert!((size - expected).abs() < 5.0 * spread, "{} of {}", size, expected);
    }
}
