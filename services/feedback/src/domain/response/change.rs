//! What becomes of a response: it is begun, gone on with, completed, corrected, tagged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapport_kernel::{Fault, Private, Reason, Timestamp, Violations};
use uuid::Uuid;

use super::{Content, MOST_TAGS, NewResponse, Origin, Respondent, Response, ResponseId, Right, Said, Touch, etag};
use crate::domain::answer::{Answers, Given, Settled};
use crate::domain::facts::{Facts, Known};
use crate::domain::measure;
use crate::domain::survey::{Bounds, Form, wrong_scale};

/// What is said by whoever answers.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// To the principal question.
    pub score: Option<i32>,
    /// To the principal question, on another scale: the figure, the scale, and whether a low one is good (`None`: as on the
    /// survey's).
    pub elsewhere: Option<(i32, (i32, i32), Option<bool>)>,
    /// To the first text question; empty: nothing, also where something was said.
    pub comment: Option<Private<String>>,
    /// To each question.
    pub answers: Vec<Said>,
}

/// What is corrected; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Correction {
    /// What is said.
    pub telling: Telling,
    /// The channel.
    pub channel: Option<String>,
    /// The touchpoint.
    pub touchpoint: Option<String>,
    /// The stage.
    pub stage: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// The campaign.
    pub campaign: Option<String>,
    /// The agent.
    pub agent: Option<Private<String>>,
    /// The team.
    pub team: Option<String>,
    /// The ticket.
    pub ticket: Option<Option<Uuid>>,
    /// The interaction.
    pub interaction: Option<Option<Uuid>>,
    /// The language.
    pub language: Option<String>,
    /// The hidden fields, all of them.
    pub hidden: Option<BTreeMap<String, Private<String>>>,
    /// The weight.
    pub weight: Option<f64>,
    /// Whether it is a test.
    pub is_test: Option<bool>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
}

/// Tags to add and to take.
#[derive(Clone, Debug, Default)]
pub struct Tagging {
    /// To add.
    pub add: BTreeSet<String>,
    /// To take.
    pub remove: BTreeSet<String>,
}

impl Telling {
    /// What is said to which question of a form.
    fn said(&self, form: &Form, out: &mut Violations) -> Vec<Said> {
        let definition = form.definition();
        let id = |place: Option<usize>| place.map(|place| definition.questions[place].id.clone());
        let one = |field: &str, question: Option<String>, value: Option<Given>, scale: Option<Bounds>| Said {
            field: field.to_owned(),
            question,
            value,
            other: Private::default(),
            scale,
        };
        let mut said = Vec::new();
        if let Some(score) = self.score {
            said.push(one("score", id(definition.principal()), Some(Given::Number(score)), None));
        } else if let Some((figure, (min, max), reversed)) = self.elsewhere {
            let own = definition.principal().and_then(|place| definition.questions[place].bounds());
            let reversed = reversed.unwrap_or(own.is_some_and(|own| own.reversed));
            let bounds = Bounds { min, max, reversed };
            if let Some(text) = wrong_scale(None, bounds) {
                out.add("source_scale", "answer.scale", text);
            }
            let foreign = (Some(bounds) != own).then_some(bounds);
            said.push(one("source_score", id(definition.principal()), Some(Given::Number(figure)), foreign));
        }
        if let Some(comment) = &self.comment {
            let value = (!comment.expose().is_empty()).then(|| Given::Text(comment.clone()));
            said.push(one("comment", id(definition.comment()), value, None));
        }
        said.extend(self.answers.iter().cloned());
        said
    }
}

/// Fails with the broken rules, where there are any; else with what else is wrong.
fn settled(mut out: Violations, settled: Result<Settled, Violations>) -> Result<Settled, Fault> {
    match settled {
        Ok(settled) => out.check().map(|()| settled),
        Err(found) => {
            for violation in found.as_slice() {
                out.add(violation.field.clone(), violation.rule, violation.description.clone());
            }
            Err(Fault::invalid(out))
        }
    }
}

/// The instant as an anonymous survey keeps it: who was there within the hour cannot be told apart.
#[must_use]
pub fn kept(at: Timestamp, anonymous: bool) -> Timestamp {
    const HOUR: i64 = 3_600_000_000;
    if anonymous { Timestamp::from_column(at.micros().div_euclid(HOUR) * HOUR) } else { at }
}

/// What may not be told where nobody can be tied to an answer.
fn check_anonymous(form: &Form, touch: &Touch, respondent: Option<bool>, external: bool, out: &mut Violations) {
    if !form.definition().anonymous {
        return;
    }
    let leads = [
        ("customer", respondent == Some(false)),
        ("ticket_id", touch.ticket.is_some()),
        ("interaction_id", touch.interaction.is_some()),
        ("external_id", external),
    ];
    for (field, _) in leads.into_iter().filter(|(_, told)| *told) {
        out.add(field, "survey.anonymous", "must be absent: the survey is anonymous");
    }
}

impl Response {
    /// Begins a response, and completes it where all is told.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every violation.
    pub fn begin(
        id: ResponseId,
        (form, version): (&Form, u32),
        new: NewResponse,
        respondent: Respondent,
        known: Option<&Known>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut out = Violations::new();
        let definition = form.definition();
        check_anonymous(form, &new.touch, Some(respondent.anonymous), new.origin.is_some(), &mut out);
        check_times(form, &new.times, &mut out);
        let times = new.times.iter().map(|(question, time)| (question.clone(), spent(0, *time, definition.anonymous)));
        let known = known.filter(|_| !form.reads().is_empty()).map(|known| form.reads().of(known));
        let facts = Facts { hidden: new.hidden, known, touch: new.touch };
        let said = new.telling.said(form, &mut out);
        let taken = settled(out, form.settle(Answers::default(), &said, &facts, !new.partial))?;
        let anonymous = definition.anonymous;
        let answered_at = new.answered_at.unwrap_or(now);
        let started_at = new.started_at.or(new.partial.then_some(answered_at)).filter(|_| !anonymous);
        let id_of = |place: Option<usize>| place.map(|place| definition.questions[place].id.clone());
        let content = Content {
            measures: measure::measures(definition, &taken.answers),
            answers: taken.answers,
            principal: id_of(definition.principal()),
            comment: id_of(definition.comment()),
            hidden: facts.hidden,
            known: facts.known,
            times: times.collect(),
            reading: None,
            customer: None,
        };
        Ok(Self {
            id,
            survey: new.survey,
            version,
            kind: definition.kind,
            respondent,
            complete: !new.partial,
            content,
            touch: facts.touch,
            origin: new.origin,
            weight: new.weight.unwrap_or(1.0),
            is_test: new.is_test,
            aside: new.right == Right::Aside,
            tags: new.tags,
            started_at,
            answered_at: kept(answered_at, anonymous),
            completed_at: (!new.partial && !anonymous).then_some(answered_at),
            revision: 1,
            created_at: kept(now, anonymous),
            updated_at: kept(now, anonymous),
        })
    }

    /// Goes on with a partial response.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is complete; INVALID_ARGUMENT with every violation.
    pub fn go_on(mut self, form: &Form, new: NewResponse, now: Timestamp) -> Result<Self, Fault> {
        if self.complete {
            let text = "the response is complete: it can be corrected, not gone on with";
            let fault = Fault::new(Reason::InvalidState, text);
            return Err(fault.precondition("RESPONSE_STATE", self.id.to_string()));
        }
        let mut out = Violations::new();
        if new.survey != self.survey {
            out.add("survey_id", "response.survey", "must be the survey of the response that is gone on with");
        }
        if new.version != 0 && new.version != self.version {
            out.add("survey_version", "response.version", "must be the version that the response was begun with");
        }
        let is_other = |told: &Origin| {
            let same = |held: &Origin| held.source == told.source && held.external_id == told.external_id;
            !self.origin.as_ref().is_some_and(same)
        };
        if new.origin.as_ref().is_some_and(is_other) {
            let text = "must be that of the response that is gone on with, or absent";
            out.add("external_id", "response.external_id", text);
        }
        if self.aside && !new.partial && new.right == Right::Own {
            let text = "must be given: the response that is gone on with was begun by the token of an invitation";
            out.add("invitation_token", "response.invitation", text);
        }
        self.aside &= new.right != Right::Claimed;
        self.touch.fill(new.touch);
        check_anonymous(form, &self.touch, None, false, &mut out);
        check_times(form, &new.times, &mut out);
        self.content.hidden.extend(new.hidden);
        for (question, time) in new.times {
            let held = self.content.times.entry(question).or_default();
            *held = spent(*held, time, form.definition().anonymous);
        }
        self.tags.extend(new.tags);
        check_tags(&self.tags, "tags", &mut out);
        self.weight = new.weight.unwrap_or(self.weight);
        self.is_test |= new.is_test;
        self.complete = !new.partial;
        let said = new.telling.said(form, &mut out);
        self.settle(form, &said, out)?;
        let (anonymous, at) = (form.definition().anonymous, new.answered_at.unwrap_or(now));
        self.started_at = new.started_at.or(self.started_at).filter(|_| !anonymous);
        self.answered_at = kept(at, anonymous);
        self.completed_at = (self.complete && !anonymous).then_some(at);
        self.changed(anonymous, now);
        Ok(self)
    }

    /// Corrects it by the version that it answers. A correction that changes nothing leaves it as it is, revision and all.
    ///
    /// # Errors
    /// ABORTED for a stale etag; INVALID_ARGUMENT with every violation.
    pub fn correct(mut self, form: &Form, given: &str, right: Correction, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        let held = self.clone();
        let mut out = Violations::new();
        let said = right.telling.said(form, &mut out);
        let touch = &mut self.touch;
        let texts = [
            (&mut touch.channel, right.channel),
            (&mut touch.touchpoint, right.touchpoint),
            (&mut touch.stage, right.stage),
            (&mut touch.product, right.product),
            (&mut touch.campaign, right.campaign),
            (&mut touch.agent, right.agent.map(Private::into_inner)),
            (&mut touch.team, right.team),
            (&mut touch.language, right.language),
        ];
        for (held, right) in texts {
            right.into_iter().for_each(|right| *held = right);
        }
        touch.ticket = right.ticket.unwrap_or(touch.ticket);
        touch.interaction = right.interaction.unwrap_or(touch.interaction);
        check_anonymous(form, &self.touch, None, false, &mut out);
        self.content.hidden = right.hidden.unwrap_or(self.content.hidden);
        self.weight = right.weight.unwrap_or(self.weight);
        self.is_test = right.is_test.unwrap_or(self.is_test);
        let anonymous = form.definition().anonymous;
        if let Some(at) = right.answered_at {
            self.answered_at = kept(at, anonymous);
        }
        self.settle(form, &said, out)?;
        if self != held {
            self.changed(anonymous, now);
        }
        Ok(self)
    }

    /// Adds tags and takes tags. Where nothing changes it stays as it is.
    ///
    /// # Errors
    /// ABORTED for a stale etag; INVALID_ARGUMENT for too many.
    pub fn tag(mut self, given: &str, tagging: &Tagging, anonymous: bool, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        let held = self.tags.clone();
        self.tags.extend(tagging.add.iter().cloned());
        self.tags.retain(|tag| !tagging.remove.contains(tag));
        let mut out = Violations::new();
        check_tags(&self.tags, "add_tags", &mut out);
        out.check()?;
        if self.tags != held {
            self.changed(anonymous, now);
        }
        Ok(self)
    }

    fn settle(&mut self, form: &Form, said: &[Said], out: Violations) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.content.answers);
        let taken = settled(out, form.settle(held, said, &self.facts(), self.complete))?;
        self.content.measures = measure::measures(form.definition(), &taken.answers);
        self.content.answers = taken.answers;
        Ok(())
    }

    fn changed(&mut self, anonymous: bool, now: Timestamp) {
        self.updated_at = kept(now, anonymous);
        self.revision += 1;
    }
}

impl Touch {
    /// Takes what is told; what is not stays.
    fn fill(&mut self, told: Self) {
        let texts = [
            (&mut self.channel, told.channel),
            (&mut self.touchpoint, told.touchpoint),
            (&mut self.stage, told.stage),
            (&mut self.product, told.product),
            (&mut self.campaign, told.campaign),
            (&mut self.agent, told.agent),
            (&mut self.team, told.team),
            (&mut self.language, told.language),
        ];
        for (held, told) in texts.into_iter().filter(|(_, told)| !told.is_empty()) {
            *held = told;
        }
        self.ticket = told.ticket.or(self.ticket);
        self.interaction = told.interaction.or(self.interaction);
        self.invitation = told.invitation.or(self.invitation);
    }
}

fn check_tags(tags: &BTreeSet<String>, field: &str, out: &mut Violations) {
    if tags.len() > MOST_TAGS {
        out.add(field, "response.tags", format!("must leave the response with at most {MOST_TAGS} tags"));
    }
}

/// The longest that anybody spends on a question.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// What is held of the time spent on a question once more of it is told, in milliseconds. Nobody is told apart from others by an
/// odd time: an anonymous survey keeps whole seconds, at least one.
fn spent(held: u64, more: u64, anonymous: bool) -> u64 {
    let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
    let all = held.saturating_add(more).min(longest);
    if anonymous && all > 0 { ((all + 500) / 1_000).max(1) * 1_000 } else { all }
}

fn check_times(form: &Form, times: &BTreeMap<String, u64>, out: &mut Violations) {
    for (question, time) in times {
        let field = || format!("times[\"{question}\"]");
        if form.definition().place(question).is_none() {
            out.add(field(), "response.times", "must be of a question that this version of the survey has");
        } else if u128::from(*time) > LONGEST.as_millis() {
            out.add(field(), "response.times", "must be at most a day");
        }
    }
}
