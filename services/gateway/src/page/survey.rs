//! A respondent's way through a survey. The page remembers nothing between two requests: what is answered is held by
//! feedback, and where one is stands in the form. A page that is sent twice is taken once: its request id is made of what it
//! was shown as and what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use rapport_kernel::{Fault, Kind, RequestId};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::html::{self, Sheet};
use super::language::{Tongue, accepted, nearest};
use super::shown::{NONCE, SHOWN, Shown, TIMES};
use super::{Asked, Told, refusal};
use crate::domain::fields::{Fields, Wrong};
use crate::domain::questionnaire::{Answer, Question, Questionnaire, Taken};
use crate::domain::times;
use crate::peers::respondents::{Holder, Respondents, Submission};

/// How many questions a survey has at most, by the contract.
const QUESTIONS: usize = 100;

/// A respondent who came by a link.
pub(super) struct Visit<'a> {
    pub(super) respondents: &'a Respondents,
    pub(super) shown: &'a Shown,
    pub(super) holder: &'a Holder,
    pub(super) asked: &'a Asked,
    pub(super) token: &'a str,
}

/// What a page says of what was sent.
#[derive(Default)]
struct Said {
    wrong: BTreeMap<String, Wrong>,
    trouble: Option<Fault>,
}

/// The answers of a page, by their questions; none: taken back, or never given.
type Answers = Vec<(String, Option<Answer>)>;
/// The time spent on questions.
type Times = BTreeMap<String, Duration>;

impl Visit<'_> {
    /// The page to begin with, or to go on with.
    pub(super) async fn open(&self) -> Result<Told, Fault> {
        let form = self.form(None, None).await?;
        let pages: Vec<Vec<String>> = form.resume().iter().map(|page| names(page)).collect();
        if pages.is_empty() {
            // Of a survey in which there is nothing to be asked of this respondent.
            let nothing = (Vec::new(), Times::new());
            return self.finish(form, nothing, &pages, &Fields::default(), Uuid::new_v4().as_bytes()).await;
        }
        let fields = held(&form);
        Ok(self.draw(&form, &pages, &fields, &Said::default()))
    }

    /// The page after what was sent.
    pub(super) async fn go_on(&self, fields: &Fields, sent: &[u8]) -> Result<Told, Fault> {
        let response = Some(fields.one("response")).filter(|text| Uuid::try_parse(text).is_ok());
        // Sent twice, the last page is answered as it was the first time, whatever became of the link by that.
        let form = self.form(response, Some(request("whole", sent))).await?;
        if let Some(taken) = &form.taken {
            return Ok(thanks(&form, taken));
        }
        let mut pages = read(fields.one("pages"));
        let Some(page) = pages.last().map(|page| shown(&form, page)).filter(|page| !page.is_empty()) else {
            // A form that this page did not make.
            return self.open().await;
        };
        let go = fields.one("go");
        if let Some(language) = go.strip_prefix("lang:") {
            let there = nearest(&form.languages, language).cloned().unwrap_or_else(|| form.language.clone());
            let told = self.respondents.questionnaire(self.holder, &there, response, None).await?;
            return Ok(self.draw(&told, &pages, fields, &Said::default()));
        }
        let (answers, wrong) = taken(&form, &page, fields);
        let times = self.times(&page, fields);
        if go == "back" {
            // What is not right yet is left out, and asked for again on the way forth.
            let form = self.keep(form, (answers, times), sent).await?;
            pages.pop();
            pages.retain(|page| !shown(&form, page).is_empty());
            if pages.is_empty() {
                pages = form.resume().first().map(|page| names(page)).into_iter().collect();
            }
            let fields = held(&form);
            return Ok(self.draw(&form, &pages, &fields, &Said::default()));
        }
        if !wrong.is_empty() {
            return Ok(self.draw(&form, &pages, fields, &Said { wrong, trouble: None }));
        }
        let before: BTreeSet<&str> = seen(&pages[..pages.len() - 1]);
        if form.ends_with(&before, &page) {
            return self.finish(form, (answers, times), &pages, fields, sent).await;
        }
        let (asked, again) = (names_of(&answers), form.language.clone());
        let form = match self.keep(form, (answers, times), sent).await {
            Ok(form) => form,
            Err(fault) => {
                let form = self.respondents.questionnaire(self.holder, &again, response, None).await?;
                return self.troubled(&form, &pages, fields, (&asked, fault));
            }
        };
        let seen = seen(&pages);
        let next = names(&form.next(&seen));
        if next.is_empty() {
            return self.finish(form, (Vec::new(), Times::new()), &pages, fields, sent).await;
        }
        pages.push(next);
        let fields = held(&form);
        Ok(self.draw(&form, &pages, &fields, &Said::default()))
    }

    /// The questionnaire in the language that was chosen, else that of the respondent, else the one the browser likes best,
    /// else the survey's own; or what the request was answered with, where it was taken.
    async fn form(&self, response: Option<&str>, request: Option<RequestId>) -> Result<Questionnaire, Fault> {
        let chosen = self.asked.chosen.as_str();
        let form = self.respondents.questionnaire(self.holder, chosen, response, request).await?;
        if form.taken.is_some() {
            return Ok(form);
        }
        let wanted = match chosen {
            "" if form.language_is_named => nearest(&form.languages, &form.language),
            "" => accepted(&form.languages, &self.asked.accepted),
            chosen => nearest(&form.languages, chosen),
        };
        match wanted.cloned().or_else(|| form.languages.first().cloned()) {
            Some(wanted) if wanted != form.language => {
                self.respondents.questionnaire(self.holder, &wanted, response, None).await
            }
            _ => Ok(form),
        }
    }

    /// The time that was spent on the questions of a page.
    fn times(&self, page: &[&Question], fields: &Fields) -> Times {
        let page: Vec<&str> = page.iter().map(|question| question.id.as_str()).collect();
        let took = self.shown.since(self.holder.tenant(), self.token, fields);
        times::spent(fields.one(TIMES), &page, took)
    }

    /// Keeps the answers of a page, and returns what is asked after them.
    async fn keep(
        &self,
        form: Questionnaire,
        (answers, times): (Answers, Times),
        sent: &[u8],
    ) -> Result<Questionnaire, Fault> {
        let answers = changed(&form, answers);
        if answers.is_empty() && times.is_empty() {
            return Ok(form);
        }
        let submission = |form: &Questionnaire, answers, times, request| Submission {
            request,
            answers,
            partial: true,
            response: form.response.clone().filter(|_| form.anonymous),
            language: form.language.clone(),
            times,
        };
        let request = request("page", sent);
        let taken = self.respondents.submit(self.holder, submission(&form, answers.clone(), times, request)).await?;
        let response = form.anonymous.then_some(taken.response.as_str());
        let after = self.respondents.questionnaire(self.holder, &form.language, response, None).await?;
        // A page that was sent before, left by the browser's own way back and changed meanwhile, is taken again.
        let answers = changed(&after, answers);
        if answers.is_empty() {
            return Ok(after);
        }
        let request = RequestId::from_uuid(Uuid::new_v4());
        self.respondents.submit(self.holder, submission(&after, answers, Times::new(), request)).await?;
        self.respondents.questionnaire(self.holder, &form.language, response, None).await
    }

    /// Takes the whole answer.
    async fn finish(
        &self,
        form: Questionnaire,
        (answers, times): (Answers, Times),
        pages: &[Vec<String>],
        fields: &Fields,
        sent: &[u8],
    ) -> Result<Told, Fault> {
        let answers = changed(&form, answers);
        let asked = names_of(&answers);
        let submission = Submission {
            request: request("whole", sent),
            answers,
            partial: false,
            response: form.response.clone().filter(|_| form.anonymous),
            language: form.language.clone(),
            times,
        };
        match self.respondents.submit(self.holder, submission).await {
            Ok(taken) => Ok(thanks(&form, &taken)),
            Err(fault) => self.troubled(&form, pages, fields, (&asked, fault)),
        }
    }

    /// The page again, with what the survey does not take; or the question that is still to be answered.
    fn troubled(
        &self,
        form: &Questionnaire,
        pages: &[Vec<String>],
        fields: &Fields,
        (asked, fault): (&[String], Fault),
    ) -> Result<Told, Fault> {
        let is_lost = matches!(fault.kind(), Kind::NotFound | Kind::Precondition);
        if is_lost || pages.is_empty() {
            return Err(fault);
        }
        let mut wrong = BTreeMap::new();
        for violation in fault.details.violations.as_slice() {
            if let Some((question, what)) = meant(&violation.field, asked) {
                wrong.insert(question, what);
            }
        }
        let here = pages.last().map(|page| page.as_slice()).unwrap_or_default();
        if wrong.is_empty() {
            return Ok(self.draw(form, pages, fields, &Said { wrong, trouble: Some(fault) }));
        }
        if wrong.keys().all(|question| here.contains(question)) {
            return Ok(self.draw(form, pages, fields, &Said { wrong, trouble: None }));
        }
        let mut pages = pages.to_vec();
        pages.push(wrong.keys().cloned().collect());
        // Another page than the one that was sent.
        let fields = fields.clone().without(&[NONCE, SHOWN, TIMES]);
        Ok(self.draw(form, &pages, &fields, &Said { wrong, trouble: None }))
    }

    /// A page of questions. One that comes back is the same page: it was shown when it was shown first, and what could not be
    /// taken is the same request when it is sent again.
    fn draw(&self, form: &Questionnaire, pages: &[Vec<String>], fields: &Fields, said: &Said) -> Told {
        let (tenant, token) = (self.holder.tenant(), self.token);
        let (nonce, sealed) = match self.shown.since(tenant, token, fields) {
            Some(_) => (fields.one(NONCE).to_owned(), fields.one(SHOWN).to_owned()),
            None => {
                let nonce = Uuid::new_v4().simple().to_string();
                (nonce.clone(), self.shown.now(tenant, token, &nonce))
            }
        };
        let tongue = Tongue::of(&form.language);
        let questions = pages.last().map(|page| shown(form, page)).unwrap_or_default();
        let before = seen(&pages[..pages.len().saturating_sub(1)]);
        let trouble = said.trouble.as_ref().map(|fault| refusal(fault));
        let status = match (&trouble, said.wrong.is_empty()) {
            (Some((status, _)), _) => *status,
            (None, true) => StatusCode::OK,
            (None, false) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let html = html::sheet(&Sheet {
            tongue: &tongue,
            token,
            form,
            pages,
            questions: &questions,
            fields,
            wrong: &said.wrong,
            trouble: trouble.map(|(_, say)| say(tongue.words)),
            nonce: &nonce,
            shown: &sealed,
            last: form.ends_with(&before, &questions),
        });
        Told { status, html, language: tongue.language, extra: None }
    }
}

/// That the whole answer was taken.
fn thanks(form: &Questionnaire, taken: &Taken) -> Told {
    let tongue = Tongue::of(&form.language);
    let code = taken.code.as_ref().map(|code| code.expose().as_str());
    let html = html::thanks(&tongue, &form.thanks, code);
    Told { status: StatusCode::OK, html, language: tongue.language, extra: None }
}

/// What is filled in of a questionnaire.
fn held(form: &Questionnaire) -> Fields {
    let mut fields = Fields::default();
    for question in &form.questions {
        if let Some(answer) = form.answers.get(&question.id) {
            fields.fill(question, answer);
        }
    }
    fields
}

/// The answers that were sent with a page, and what is wrong with others.
fn taken(form: &Questionnaire, page: &[&Question], fields: &Fields) -> (Answers, BTreeMap<String, Wrong>) {
    let (mut answers, mut wrong) = (Vec::new(), BTreeMap::new());
    for question in page.iter().filter(|question| form.shows(&question.id)) {
        match question.read(fields) {
            Ok(answer) => answers.push((question.id.clone(), answer)),
            Err(what) => {
                wrong.insert(question.id.clone(), what);
            }
        }
    }
    (answers, wrong)
}

/// Those that are not held so already.
fn changed(form: &Questionnaire, answers: Answers) -> Answers {
    answers.into_iter().filter(|(question, answer)| form.answers.get(question) != answer.as_ref()).collect()
}

/// The pages that a form carries.
fn read(text: &str) -> Vec<Vec<String>> {
    let page = |page: &str| page.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    text.split('|').map(page).filter(|page| !page.is_empty()).take(QUESTIONS).collect()
}

/// The questions of a page that are still asked.
fn shown<'a>(form: &'a Questionnaire, page: &[String]) -> Vec<&'a Question> {
    page.iter().filter(|id| form.shows(id)).filter_map(|id| form.question(id)).collect()
}

fn seen(pages: &[Vec<String>]) -> BTreeSet<&str> {
    pages.iter().flatten().map(String::as_str).collect()
}

fn names(page: &[&Question]) -> Vec<String> {
    page.iter().map(|question| question.id.clone()).collect()
}

fn names_of(answers: &Answers) -> Vec<String> {
    answers.iter().map(|(question, _)| question.clone()).collect()
}

/// Which question a violation is about, and what is wrong: `answers[2]` is the third that was sent, `answers["why"]` one that
/// was not, though it is required.
fn meant(field: &str, asked: &[String]) -> Option<(String, Wrong)> {
    let inner = field.strip_prefix("answers[")?.split(']').next()?;
    if let Some(name) = inner.strip_prefix('"') {
        return Some((name.trim_end_matches('"').to_owned(), Wrong::Missing));
    }
    let place: usize = inner.parse().ok()?;
    asked.get(place).map(|question| (question.clone(), Wrong::Refused))
}

/// The id of a request: the same for the same page sent with the same answers.
fn request(step: &str, sent: &[u8]) -> RequestId {
    let hash = Sha256::new().chain_update(step).chain_update([0]).chain_update(sent).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    RequestId::from_uuid(Builder::from_random_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_names_its_question() {
        let asked = ["nps".to_owned(), "why".to_owned()];
        assert_eq!(meant("answers[1].text", &asked), Some(("why".to_owned(), Wrong::Refused)));
        assert_eq!(meant("answers[\"reason\"]", &asked), Some(("reason".to_owned(), Wrong::Missing)));
        assert_eq!(meant("answers[7]", &asked), None);
        assert_eq!(meant("token", &asked), None);
    }

    #[test]
    fn the_same_page_sent_twice_is_one_request() {
        assert_eq!(request("page", b"a=1"), request("page", b"a=1"));
        assert_ne!(request("page", b"a=1"), request("whole", b"a=1"));
        assert_ne!(request("page", b"a=1"), request("page", b"a=2"));
    }

    #[test]
    fn pages_are_read_as_they_were_written() {
        assert_eq!(read("a b|c"), [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]);
        assert!(read("").is_empty() && read("||").is_empty());
    }
}
