//! The decision: funnel, then ranks drawn one after the other, each with its exact probability and its reasons.

use std::collections::BTreeMap;

use rapport_kernel::{CustomerId, Id, SubjectId, Timestamp};

use super::action::{Action, ActionId, ActionKind};
use super::arbitration::{SplitMix64, best, pick, probabilities};
use super::funnel::{Counts, Funnel, Rule, Tier, Words};
use super::policy::{Candidate, Eligibility, Policy};
use super::profile::{Datum, Profile};

/// Marks the id of a decision.
pub enum DecisionMarker {}
/// A decision's id.
pub type DecisionId = Id<DecisionMarker>;

/// What was asked. It may hold personal data (the context): there is no `Debug`.
#[derive(Clone)]
pub struct Ask {
    /// The channel of the contact.
    pub channel: String,
    /// The place within it; empty: any.
    pub placement: String,
    /// What is known of this contact.
    pub context: BTreeMap<String, Datum>,
    /// How many actions at most.
    pub count: usize,
    /// Whether nothing is committed.
    pub dry_run: bool,
    /// Whether the others are named with the rules that left them out.
    pub explain: bool,
}

/// What else a decision depends on: all that is neither in the policy, nor in the profile, nor asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The decision's id.
    pub id: DecisionId,
    /// The subject it is filed under.
    pub subject: SubjectId,
    /// The seed of the draw.
    pub seed: u64,
    /// When it is decided.
    pub at: Timestamp,
    /// γ of the inverse-gap weighting.
    pub exploration: f64,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The customer it was made for.
    pub customer: CustomerId,
    /// The subject it is filed under.
    pub subject: SubjectId,
    /// What was chosen, best first.
    pub chosen: Vec<Chosen>,
    /// Where asked: every candidate that was not chosen, by id.
    pub left_out: Vec<LeftOut>,
    /// When it was decided.
    pub at: Timestamp,
    /// The revision of the profile it was made from.
    pub profile_revision: u64,
    /// The version of the policy.
    pub policy_version: i64,
    /// The seed of its draw.
    pub seed: u64,
    /// Whether nothing was committed.
    pub dry_run: bool,
    /// The channel it was asked for.
    pub channel: String,
    /// The placement it was asked for.
    pub placement: String,
    /// How many candidates there were before the funnel.
    pub candidates: usize,
}

/// An action that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The action.
    pub action: ActionId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ActionKind,
    /// How likely it was held to be accepted.
    pub propensity: f64,
    /// Its value.
    pub value: f64,
    /// Propensity × value.
    pub priority: f64,
    /// With which probability it was drawn at its rank, given those before it.
    pub probability: f64,
    /// Why, in plain words.
    pub reasons: Vec<String>,
    /// Whether it has a cap, which the commit then must hold to.
    pub capped: bool,
}

/// A candidate that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The action.
    pub action: ActionId,
    /// Its name.
    pub name: String,
    /// Where in the funnel.
    pub tier: Tier,
    /// The rule, in plain words.
    pub rule: String,
}

/// Decides. Pure: the same arguments give the same decision.
#[must_use]
pub fn decide(policy: &Policy, profile: &Profile, counts: &Counts, ask: &Ask, draw: &Draw) -> Decision {
    Funnel::open(policy, profile, ask, draw.at).decide(profile, counts, ask, draw)
}

impl Funnel<'_> {
    /// The rest of [`decide`], once the ledger was asked for [`Funnel::capped`].
    #[must_use]
    pub fn decide(self, profile: &Profile, counts: &Counts, ask: &Ask, draw: &Draw) -> Decision {
        let policy = self.policy;
        let candidates = policy.candidates();
        let (standing, out) = self.close(counts);
        let Drawn { ranks, lost } = draw_ranks(candidates, standing, ask.count, draw);
        let chosen = ranks.iter().enumerate();
        let chosen = chosen.map(|(rank, drawn)| choose(rank, drawn, candidates, counts)).collect();
        let left_out = if ask.explain { left_out(candidates, &out, &lost, ranks.len(), ask) } else { Vec::new() };
        Decision {
            id: draw.id,
            customer: profile.customer,
            subject: draw.subject,
            chosen,
            left_out,
            at: draw.at,
            profile_revision: profile.revision,
            policy_version: policy.version,
            seed: draw.seed,
            dry_run: ask.dry_run,
            channel: ask.channel.clone(),
            placement: ask.placement.clone(),
            candidates: candidates.len(),
        }
    }
}

/// What was drawn at one rank.
struct Rank {
    place: usize,
    probability: f64,
    among: usize,
    best: bool,
}

struct Drawn {
    ranks: Vec<Rank>,
    /// The places of those that stood and were not drawn, with their probability at the last rank.
    lost: Vec<(usize, f64)>,
}

fn draw_ranks(candidates: &[Candidate], mut standing: Vec<usize>, count: usize, draw: &Draw) -> Drawn {
    let mut generator = SplitMix64::new(draw.seed);
    let mut priorities: Vec<f64> = standing.iter().map(|place| candidates[*place].action.priority()).collect();
    let mut ranks = Vec::with_capacity(count.min(standing.len()));
    let mut last = Vec::new();
    while ranks.len() < count {
        last = probabilities(&priorities, draw.exploration);
        let Some(at) = pick(&last, generator.uniform()) else { break };
        let best = best(&priorities) == Some(at);
        ranks.push(Rank { place: standing.remove(at), probability: last.remove(at), among: priorities.len(), best });
        // Removal keeps the order by id: the draw does not depend on how the candidates came.
        priorities.remove(at);
    }
    Drawn { ranks, lost: standing.into_iter().zip(last).collect() }
}

fn choose(rank: usize, drawn: &Rank, candidates: &[Candidate], counts: &Counts) -> Chosen {
    let candidate = &candidates[drawn.place];
    let action = &candidate.action;
    Chosen {
        action: action.id,
        name: action.draft.name.clone(),
        kind: action.draft.kind,
        propensity: action.propensity(),
        value: action.draft.value,
        priority: action.priority(),
        probability: drawn.probability,
        reasons: reasons(rank, drawn, candidate, counts.of(action.id)),
        capped: action.draft.cap.is_some(),
    }
}

/// Why a chosen action could be chosen, and why it was.
fn reasons(rank: usize, drawn: &Rank, candidate: &Candidate, had: u32) -> Vec<String> {
    let eligible = match candidate.eligibility {
        Eligibility::Condition(_) => "the condition on who may get it holds",
        Eligibility::Everybody | Eligibility::Broken => "everybody may get it",
    };
    let capped = match candidate.action.draft.cap {
        Some(cap) => format!("the customer had it {had} times, and may get it {}", Words(cap)),
        None => "it has no cap".to_owned(),
    };
    let Rank { probability, among, best, .. } = drawn;
    let from = match among {
        1 => "as the only action left".to_owned(),
        _ => format!("from {among} actions"),
    };
    let why = if *best { "it has the highest propensity × value of them" } else { "to try another than the best" };
    let why = if *among == 1 { String::new() } else { format!(": {why}") };
    let drawn = format!("drawn for place {} {from}, with probability {probability:.6}{why}", rank + 1);
    vec![fits(&candidate.action), eligible.to_owned(), capped, drawn]
}

fn fits(action: &Action) -> String {
    let until = action.draft.end.map_or_else(String::new, |end| format!(" until {end}"));
    let of = |all: &[String], every: &str| if all.is_empty() { every.to_owned() } else { all.join(", ") };
    let channels = of(&action.draft.channels, "every channel");
    let placements = of(&action.draft.placements, "every placement");
    format!("it is valid from {}{until}, for {channels} and {placements}", action.start())
}

fn left_out(
    candidates: &[Candidate],
    out: &[Option<Rule>],
    lost: &[(usize, f64)],
    ranks: usize,
    ask: &Ask,
) -> Vec<LeftOut> {
    let by_rule = candidates.iter().zip(out).filter_map(|(candidate, rule)| {
        let (action, rule) = (&candidate.action, (*rule)?);
        Some(LeftOut {
            action: action.id,
            name: action.draft.name.clone(),
            tier: rule.tier(),
            rule: rule.words(action, ask),
        })
    });
    let by_draw = lost.iter().map(|(place, probability)| {
        let action = &candidates[*place].action;
        let rule = format!("others were drawn: for place {ranks}, the last one, its probability was {probability:.6}");
        LeftOut { action: action.id, name: action.draft.name.clone(), tier: Tier::Arbitration, rule }
    });
    let mut all: Vec<LeftOut> = by_rule.chain(by_draw).collect();
    all.sort_unstable_by_key(|left| left.action);
    all
}
