//! Searches: what is looked for in, what was found out.

use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, Private, Violations};

use super::{note, response};
use crate::domain::response::Which;
use crate::domain::search::{MOST_DEEP, MOST_LEAVES, Misread, Query, SHORTEST_BEGINNING, Snippet};
use crate::service::responses::Hit;

/// What to look for, as it was typed and as it is meant, and among which responses.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn parse(message: proto::SearchResponsesRequest) -> Result<(Private<String>, Query, Which), Fault> {
    let mut out = check(&message);
    let query = read(&message.query, &mut out);
    let typed = Private::new(message.query.clone());
    // The rest are the filters of lists, under the same names and rules.
    let which = match response::list(filters(message)) {
        Ok(which) => Some(which),
        Err(fault) if fault.details.violations.as_slice().is_empty() => return Err(fault),
        Err(fault) => {
            for violation in fault.details.violations.as_slice() {
                note(&mut out, &violation.field, violation.rule, &*violation.description);
            }
            None
        }
    };
    out.check()?;
    let broken = || Fault::internal("a search that was refused broke no rule");
    Ok((typed, query.ok_or_else(broken)?, which.ok_or_else(broken)?))
}

fn read(text: &str, out: &mut Violations) -> Option<Query> {
    let (rule, must) = match text.parse() {
        Ok(query) => return Some(query),
        Err(Misread::Empty) => ("search.empty", "must hold a word to look for".to_owned()),
        Err(Misread::Short) => {
            ("search.beginning", format!("must have {SHORTEST_BEGINNING} letters at least before each star"))
        }
        Err(Misread::Long) => ("search.long", format!("must hold at most {MOST_LEAVES} words and phrases")),
        Err(Misread::Deep) => ("search.deep", format!("must have at most {MOST_DEEP} brackets in each other")),
    };
    note(out, "query", rule, must);
    None
}

fn filters(message: proto::SearchResponsesRequest) -> proto::ListResponsesRequest {
    proto::ListResponsesRequest {
        survey_id: message.survey_id,
        customer: message.customer,
        page_size: message.page_size,
        page_token: message.page_token,
        tags: message.tags,
        state: message.state,
        start_time: message.start_time,
        end_time: message.end_time,
        channel: message.channel,
        touchpoint: message.touchpoint,
        stage: message.stage,
        product: message.product,
        campaign: message.campaign,
        agent: message.agent,
        team: message.team,
        ticket_id: message.ticket_id,
        interaction_id: message.interaction_id,
        language: message.language,
        kind: message.kind,
        survey_version: message.survey_version,
        min_score: message.min_score,
        max_score: message.max_score,
        include_tests: message.include_tests,
        order_by: message.order_by,
        polarity: message.polarity,
        min_sentiment: message.min_sentiment,
        max_sentiment: message.max_sentiment,
        topic: message.topic,
    }
}

/// What was found, as the contract has it.
#[must_use]
pub fn render(hit: &Hit) -> proto::ResponseHit {
    proto::ResponseHit {
        response: Some(response::render(&hit.response)),
        snippets: hit.snippets.iter().map(snippet).collect(),
    }
}

fn snippet(snippet: &Snippet) -> proto::Snippet {
    // A piece is some hundred characters long.
    let number = |at: usize| i32::try_from(at).unwrap_or(i32::MAX);
    let span = |span: &std::ops::Range<usize>| proto::SnippetSpan { start: number(span.start), end: number(span.end) };
    proto::Snippet {
        question_id: snippet.place.clone(),
        text: snippet.text.expose().clone(),
        spans: snippet.spans.iter().map(span).collect(),
    }
}
