//! The matcher: how it is trained, what it learnt, why it says what it says.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{Fault, Private, Timestamp, Violations};
use rapport_matching::kind::Kind;
use rapport_matching::model::Model;
use rapport_matching::score::Contribution;
use rapport_matching::settings::{Field, Thresholds};

use super::{add, named};
use crate::domain::namespace::Namespaces;
use crate::domain::value::SourceRecord;
use crate::service::explain::{Explained, Side};
use crate::service::training::{Report, Request, Trained};

const KINDS: [(Kind, message::MatchKind); 15] = [
    (Kind::GivenName, message::MatchKind::GivenName),
    (Kind::Surname, message::MatchKind::Surname),
    (Kind::Name, message::MatchKind::Name),
    (Kind::Organisation, message::MatchKind::Organisation),
    (Kind::Date, message::MatchKind::Date),
    (Kind::Street, message::MatchKind::Street),
    (Kind::HouseNumber, message::MatchKind::HouseNumber),
    (Kind::Place, message::MatchKind::Place),
    (Kind::PostalCode, message::MatchKind::PostalCode),
    (Kind::Phone, message::MatchKind::Phone),
    (Kind::Email, message::MatchKind::Email),
    (Kind::Text, message::MatchKind::Text),
    (Kind::Code, message::MatchKind::Code),
    (Kind::Identifier, message::MatchKind::Identifier),
    (Kind::Exact, message::MatchKind::Exact),
];

fn large(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How to train.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn train(message: &message::TrainMatcherRequest) -> Result<Request, Fault> {
    let mut out = rapport_api::check(message);
    let or = |given: f64, usual: f64| if given == 0.0 { usual } else { given };
    let usual = Thresholds::default();
    let link = or(message.link_threshold, usual.link);
    let thresholds = Thresholds { link, review: or(message.review_threshold, usual.review.min(link)) };
    if thresholds.review > thresholds.link {
        add(&mut out, "review_threshold", "thresholds.order", "must be at most link_threshold");
    }
    let mut fields: Vec<Field> = Vec::new();
    for (at, field) in message.fields.iter().enumerate() {
        let kind = KINDS.iter().find(|(_, kind)| *kind == field.kind()).map(|(kind, _)| *kind);
        if fields.iter().any(|known| known.name == field.name) {
            add(&mut out, &format!("fields[{at}].name"), "fields.apart", "must not name a field twice");
        }
        fields.extend(kind.map(|kind| Field { name: field.name.clone(), kind }));
    }
    out.check()?;
    Ok(Request { fields, thresholds })
}

/// A trained model.
#[must_use]
pub fn matcher(trained: &Trained) -> message::Matcher {
    let Trained { version, model, report, created_at } = trained;
    let report: &Report = report;
    message::Matcher {
        version: large(*version),
        create_time: (*created_at > Timestamp::MIN).then(|| timestamp(*created_at)),
        fields: fields(model),
        link_threshold: model.settings.thresholds.link,
        review_threshold: model.settings.thresholds.review,
        prior: model.prior,
        records: large(report.records),
        sampled_records: large(report.sampled),
        random_pairs: large(report.random_pairs),
        blocked_pairs: large(report.blocked_pairs),
        expected_matches: report.expected_matches,
        expected_households: report.expected_households,
        converged: report.converged,
        rules: report
            .rules
            .iter()
            .map(|(rule, expected_matches, found_alone)| message::MatcherRule {
                rule: rule.clone(),
                expected_matches: *expected_matches,
                found_alone: *found_alone,
            })
            .collect(),
    }
}

fn fields(model: &Model) -> Vec<message::MatcherField> {
    let field = |(at, field): (usize, &Field)| {
        let learnt = &model.fields[at];
        let level = |(number, level): (usize, &rapport_matching::kind::Level)| message::MatcherLevel {
            label: level.label.to_owned(),
            m: learnt.matched[number],
            u: model.marginal(at, number),
        };
        let kind = KINDS.iter().find(|(kind, _)| *kind == field.kind).map_or(0, |(_, kind)| i32::from(*kind));
        let levels = field.kind.levels().iter().enumerate().map(level).collect();
        message::MatcherField { name: field.name.clone(), kind, levels }
    };
    model.settings.fields.iter().enumerate().map(field).collect()
}

/// Which two.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn explain(message: &message::ExplainMatchRequest, namespaces: &Namespaces) -> Result<(Side, Side), Fault> {
    let mut out = rapport_api::check(message);
    let left = side(message.left.as_ref(), "left", namespaces, &mut out);
    let right = side(message.right.as_ref(), "right", namespaces, &mut out);
    out.check()?;
    let missing = |field: &'static str| Fault::invalid_field(field, "required", "must be set");
    Ok((left.ok_or_else(|| missing("left"))?, right.ok_or_else(|| missing("right"))?))
}

fn side(message: Option<&message::MatchSide>, at: &str, namespaces: &Namespaces, out: &mut Violations) -> Option<Side> {
    match message?.side.as_ref()? {
        message::match_side::Side::Customer(customer) => {
            named(Some(customer), &format!("{at}.customer"), namespaces, out).map(Side::Customer)
        }
        message::match_side::Side::SourceRecord(record) => Some(Side::Record(SourceRecord {
            source: record.source.clone(),
            external_id: Private::new(record.external_id.clone()),
        })),
    }
}

/// Why two records look alike, or do not.
#[must_use]
pub fn explained(explained: &Explained) -> message::ExplainMatchResponse {
    let told = &explained.explanation;
    let contribution = |it: &Contribution| message::MatchContribution {
        field: it.field.clone(),
        level: it.level.unwrap_or_default().to_owned(),
        m: it.matched,
        u: it.unmatched,
        bits: it.bits,
        rarity_bits: it.rarity_bits,
    };
    message::ExplainMatchResponse {
        model_version: large(explained.version),
        subject_ids: explained.subjects.iter().map(ToString::to_string).collect(),
        prior_weight: told.prior_weight,
        contributions: told.contributions.iter().map(contribution).collect(),
        neighbourhood_bits: told.neighbourhood_bits,
        household_bits: told.household_bits,
        weight: told.weight,
        probability: told.probability,
        link_threshold: explained.thresholds.link,
        review_threshold: explained.thresholds.review,
    }
}
