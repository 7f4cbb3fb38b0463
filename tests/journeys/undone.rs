//! A merge and the split that takes it back, as metrics and decisions see them: while two are one, every figure and every
//! decision is as if they had been one from the start; and once they are two again, as it was before.

use std::collections::BTreeMap;

use rapport_api::common::v1::{Identifier, Value, value};
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{CreateSurveyRequest, PublishSurveyRequest, SubmitResponseRequest, Survey, SurveyKind};
use rapport_api::google::r#type::Money;
use rapport_api::metrics::v1::{Counting, Grain, MetricPoint, Period, QueryMetricRequest};
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, Cap, CreateActionRequest, DecideRequest, Decision};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::segment_service_client::SegmentServiceClient;
use rapport_api::profiles::v1::trait_service_client::TraitServiceClient;
use rapport_api::profiles::v1::*;
use rapport_tests::{Client, Shape, Suite};

use super::{id, query, until};
use crate::conformance::other_tenant;

/// The customers of the journey; the first two are merged, and are one from the start in the other tenant.
const CUSTOMERS: usize = 4;

/// A tenant, and the ids of its customers' records.
struct Tenant {
    client: Client,
    subjects: Vec<String>,
}

fn text(text: &str) -> Value {
    Value { kind: Some(value::Kind::TextValue(text.to_owned())) }
}

async fn define(client: &Client) {
    let computed = ComputedTrait {
        aggregate: ComputedAggregate::Sum.into(),
        interaction_type: "purchase".into(),
        of: "value".into(),
        currency: "EUR".into(),
        ..ComputedTrait::default()
    };
    let spent = TraitDefinition {
        name: "spent".into(),
        r#type: TraitType::Number.into(),
        computed: Some(computed),
        ..TraitDefinition::default()
    };
    let city = TraitDefinition {
        name: "city".into(),
        r#type: TraitType::Text.into(),
        metric_dimension: true,
        ..TraitDefinition::default()
    };
    let mut traits = TraitServiceClient::new(client.clone());
    for definition in [spent, city] {
        let request = CreateTraitDefinitionRequest { trait_definition: Some(definition), ..Default::default() };
        traits.create_trait_definition(request).await.expect("declared");
    }
    let segment =
        Segment { name: "regulars".into(), condition: "events.purchase.size() >= 3".into(), ..Segment::default() };
    let request = CreateSegmentRequest { segment: Some(segment), ..CreateSegmentRequest::default() };
    SegmentServiceClient::new(client.clone()).create_segment(request).await.expect("made");
    let day = Some(prost_types::Duration { seconds: 86_400, nanos: 0 });
    let cap = Some(Cap { times: 1, window: day });
    let mut actions = ActionServiceClient::new(client.clone());
    for (name, eligibility, value, cap) in [
        ("big spenders", "customer.traits.spent > 60.0", 50.0, None),
        ("regulars", "'regulars' in customer.segments", 40.0, None),
        ("letter", "customer.consents['marketing/email']", 30.0, None),
        ("of Iasi", "customer.traits.city == 'Iasi'", 20.0, None),
        ("unhappy", "customer.scores.nps <= 6.0", 15.0, None),
        ("once a day", "", 10.0, cap),
    ] {
        let action = Action {
            name: name.into(),
            kind: ActionKind::Offer.into(),
            eligibility: eligibility.into(),
            value,
            cap,
            ..Action::default()
        };
        let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
        actions.create_action(request).await.expect("created");
    }
}

/// The same facts about the same records. With `one`, the first two records carry one address.
async fn tell(client: Client, one: bool) -> Tenant {
    define(&client).await;
    let mut profiles = ProfileServiceClient::new(client.clone());
    let mut subjects = Vec::new();
    for record in 0..CUSTOMERS {
        let email = format!("{}@example.com", if one && record == 1 { 0 } else { record });
        let state = if record == 1 { ConsentState::Denied } else { ConsentState::Granted }.into();
        let request = IdentifyRequest {
            source: "crm".into(),
            external_id: record.to_string(),
            identifiers: vec![Identifier { namespace: "email".into(), value: email }],
            traits: [("city".to_owned(), text(["Iasi", "Cluj", "Iasi", "Kazan"][record]))].into(),
            consents: vec![Consent { purpose: "marketing".into(), state, ..Consent::default() }],
            observed_at: Some(prost_types::Timestamp { seconds: 1_700_000_000 + record as i64, nanos: 0 }),
            ..IdentifyRequest::default()
        };
        subjects.push(profiles.identify(request).await.expect("identified").into_inner().subject_id);
    }
    let tenant = Tenant { client, subjects };
    for (number, (record, day, channel, euros)) in [
        (0, 1, "web", 10),
        (0, 1, "shop", 20),
        (1, 2, "web", 40),
        (1, 9, "web", 5),
        (2, 3, "shop", 70),
        (3, 3, "web", 1),
    ]
    .into_iter()
    .enumerate()
    {
        tenant.buys(record, number, day, channel, euros).await;
    }
    tenant.answers(&[(0, 9), (1, 3), (1, 10), (2, 8), (3, 0)]).await;
    tenant
}

impl Tenant {
    async fn buys(&self, record: usize, number: usize, day: i64, channel: &str, units: i64) {
        let interaction = Interaction {
            customer: Some(id(&self.subjects[record])),
            source: "shop".into(),
            external_id: number.to_string(),
            version: 1,
            r#type: "purchase".into(),
            channel: channel.into(),
            occurred_at: Some(prost_types::Timestamp { seconds: 1_700_000_000 + day * 86_400, nanos: 0 }),
            value: Some(Money { currency_code: "EUR".into(), units, nanos: 0 }),
            ..Interaction::default()
        };
        let request = RecordInteractionRequest { request_id: String::new(), interaction: Some(interaction) };
        InteractionServiceClient::new(self.client.clone()).record_interaction(request).await.expect("recorded");
    }

    async fn answers(&self, scores: &[(usize, i32)]) {
        let mut surveys = SurveyServiceClient::new(self.client.clone());
        let survey =
            Survey { name: "NPS".into(), kind: SurveyKind::Nps.into(), question: "?".into(), ..Survey::default() };
        let request = CreateSurveyRequest { request_id: String::new(), survey: Some(survey) };
        let survey_id = surveys.create_survey(request).await.expect("created").into_inner().survey_id;
        let request = PublishSurveyRequest { survey_id: survey_id.clone(), ..PublishSurveyRequest::default() };
        surveys.publish_survey(request).await.expect("published");
        for (record, score) in scores {
            let request = SubmitResponseRequest {
                survey_id: survey_id.clone(),
                customer: Some(id(&self.subjects[*record])),
                score: Some(*score),
                channel: "mail".into(),
                ..SubmitResponseRequest::default()
            };
            ResponseServiceClient::new(self.client.clone()).submit_response(request).await.expect("submitted");
        }
    }

    /// Every figure that can be asked, by what it was asked.
    async fn figures(&self, groupings: &[&[&str]]) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let day = |day: i64| Some(prost_types::Timestamp { seconds: 1_700_000_000 + day * 86_400, nanos: 0 });
        let of_purchases = Some(Period { start_time: day(0), end_time: day(21) });
        let of = |metric: &str| QueryMetricRequest { metric: metric.to_owned(), ..QueryMetricRequest::default() };
        for asked in [
            of("interactions"),
            of("revenue"),
            of("customers"),
            of("repeat_customer_share"),
            QueryMetricRequest { counting: Counting::PurchaseDays.into(), ..of("repeat_customer_share") },
            of("nps"),
            QueryMetricRequest { latest_per_customer: true, ..of("nps") },
            QueryMetricRequest { grain: Grain::Day.into(), period: of_purchases, ..of("customers") },
            QueryMetricRequest { grain: Grain::Week.into(), period: of_purchases, ..of("revenue") },
        ] {
            for group_by in groupings {
                let group_by = group_by.iter().map(|name| (*name).to_owned()).collect();
                let request = QueryMetricRequest { group_by, ..asked.clone() };
                let mut points: Vec<String> =
                    query(&self.client, request.clone()).await.into_iter().map(|point| shown(&point)).collect();
                points.sort();
                found.insert(format!("{request:?}"), points);
            }
        }
        found
    }

    /// What would be done for each record's customer, and why.
    async fn decisions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for subject in &self.subjects {
            let request = DecideRequest {
                customer: Some(id(subject)),
                channel: "web".into(),
                count: 10,
                dry_run: true,
                explain: true,
                ..DecideRequest::default()
            };
            found.push(decided(&self.decide(request).await));
        }
        found
    }

    async fn decide(&self, request: DecideRequest) -> Decision {
        DecisionServiceClient::new(self.client.clone()).decide(request).await.expect("decided").into_inner()
    }

    /// Waits until figures and decisions are as expected: they follow, they do not come with the facts.
    async fn looks_like(
        &self,
        what: &str,
        groupings: &[&[&str]],
        expected: &(BTreeMap<String, Vec<String>>, Vec<String>),
    ) {
        until(what, || async {
            let (figures, decisions) = (self.figures(groupings).await, self.decisions().await);
            let differs = figures.iter().find(|(asked, points)| expected.0.get(*asked) != Some(points));
            if let Some((asked, points)) = differs {
                eprintln!("{what}: {asked}: {points:?}, expected {:?}", expected.0.get(asked));
            } else if decisions != expected.1 {
                eprintln!("{what}: {decisions:#?}, expected {:#?}", expected.1);
            }
            differs.is_none() && decisions == expected.1
        })
        .await;
    }
}

fn shown(point: &MetricPoint) -> String {
    let value = point.value.map(|value| format!("{value:.9}"));
    let interval = point.interval.as_ref().map(|it| format!("{:.9} {:.9}", it.lower, it.upper));
    let start = point.start_time.as_ref().map(|at| at.seconds);
    let MetricPoint { group, n, method, currency, distribution, suppressed, .. } = point;
    format!("{group:?} {start:?} {value:?} {n} {interval:?} {method} {currency} {distribution:?} {suppressed}")
}

/// A decision without what is another each time.
fn decided(decision: &Decision) -> String {
    let chosen = decision.actions.iter().map(|it| {
        let figures = [it.propensity, it.value, it.priority, it.probability].map(|figure| format!("{figure:.9}"));
        // The two tenants made their actions a moment apart.
        let reasons: Vec<_> = it.reasons.iter().filter(|reason| !reason.starts_with("it is valid from")).collect();
        format!("{} {figures:?} {reasons:?}", it.name)
    });
    let left = decision.left_out.iter().map(|it| format!("not {}: {:?} {}", it.name, it.tier(), it.rule));
    chosen.chain(left).collect::<Vec<_>>().join("\n")
}

async fn what_a_merge_changes_a_split_takes_back(shape: Shape) {
    // Groups of one and two are what this is about: nothing is suppressed.
    let suite = Suite::start_with(shape, &[("metrics.suppression_threshold", "0")]);
    let two = tell(suite.client().await, false).await;
    let one = tell(other_tenant(&suite).await, true).await;
    // The first of them has had today's: while they are one, so has the other.
    for tenant in [&two, &one] {
        until("the cap is reached", || async {
            let request = DecideRequest {
                customer: Some(id(&tenant.subjects[0])),
                channel: "web".into(),
                count: 10,
                ..Default::default()
            };
            let decision = tenant.decide(request).await;
            !decision.actions.is_empty() && decision.actions.iter().all(|action| action.name != "once a day")
        })
        .await;
    }
    let plain: [&[&str]; 3] = [&[], &["channel"], &["party", "channel"]];
    let all = [&plain[..], &[&["trait.city"], &["trait.city", "channel"]]].concat();
    let before = settled(&two, &all).await;
    let whole = settled(&one, &plain).await;
    assert_ne!(before.1[0], before.1[1], "they are told apart");

    let mut profiles = ProfileServiceClient::new(two.client.clone());
    let request = MergeProfilesRequest {
        target: Some(id(&two.subjects[0])),
        sources: vec![id(&two.subjects[1])],
        ..MergeProfilesRequest::default()
    };
    profiles.merge_profiles(request).await.expect("merged");
    two.looks_like("as if they had been one from the start", &plain, &whole).await;

    let record = SourceRecord { source: "crm".into(), external_id: "1".into() };
    let request = SplitProfileRequest {
        customer: Some(id(&two.subjects[0])),
        source_records: vec![record],
        ..SplitProfileRequest::default()
    };
    profiles.split_profile(request).await.expect("split");
    two.looks_like("as it was before", &all, &before).await;
    // And so it stays: nothing comes late that changes it again.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    two.looks_like("as it was before, still", &all, &before).await;
}

/// What a tenant shows when all that was told has arrived.
async fn settled(tenant: &Tenant, groupings: &[&[&str]]) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    until("all facts have arrived", || async {
        let n = async |metric: &str| super::total(&tenant.client, metric).await;
        n("interactions").await.0 == Some(6.0) && n("nps").await.1 == 5
    })
    .await;
    let mut last = (tenant.figures(groupings).await, tenant.decisions().await);
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        let now = (tenant.figures(groupings).await, tenant.decisions().await);
        if now == last {
            return now;
        }
        last = now;
    }
}

#[tokio::test]
async fn what_a_merge_changes_a_split_takes_back_embedded() {
    what_a_merge_changes_a_split_takes_back(Shape::Embedded).await;
}

#[tokio::test]
async fn what_a_merge_changes_a_split_takes_back_in_production() {
    what_a_merge_changes_a_split_takes_back(Shape::Production).await;
}
