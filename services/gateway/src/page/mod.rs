//! The respondents' page: a survey answered in a browser by its invitation's link, without a key or a cookie, and without a script:
//! where one runs, more is known of the time that questions took, and nothing else.
//!
//! - `/survey/TOKEN`: the questions, page by page; each page that is sent is kept.
//! - `/survey/TOKEN/unsubscribe`: GET shows a button and changes nothing; POST withdraws the consent to be asked on the channel
//!   by which the link was sent, also as a mail program sends it (one click, RFC 8058).
//! - `/erase`: erases an anonymous answer by its code.
//!
//! What proves who asks is the token in the link alone, so nothing can be done in somebody's name by a page elsewhere. It is
//! written to no log: paths are never logged. It goes to no other site: the page loads nothing and sends no referrer.
//! Links that are unknown, damaged, used or too old are answered no sooner than after the same time.

mod config;
mod html;
mod language;
mod rate;
mod shown;
mod survey;
mod words;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use maud::Markup;
use rapport_kernel::{Clock, Fault, Kind, PageKey, Private, Reason};
use rapport_platform::Peers;
use rapport_platform::host::Peer;
use rapport_platform::stack::{Inner, Passage};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;

pub use config::PageConfig;

use crate::domain::fields::Fields;
use crate::peers::respondents::{Holder, Respondents};
use language::Tongue;
use rate::Rate;
use shown::{Shown, TIMES};
use words::Words;

/// What a form may measure.
const FORM_BYTES: usize = 512 * 1024;
/// How long a token may be that is looked up.
const TOKEN_BYTES: usize = 128;
/// No refusal of a token comes sooner: neither the answer's words nor its time say whether it was ever one.
const NO_SOONER: Duration = Duration::from_millis(300);
/// How a call ended, for the stack's layers. The browser does not see it.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The page.
pub(crate) struct Page {
    respondents: Respondents,
    shown: Shown,
    rate: Rate,
}

/// What is asked for.
enum Place<'a> {
    Survey(&'a str),
    Unsubscribe(&'a str),
    Erase,
    Nowhere,
}

/// What is answered.
pub(crate) struct Told {
    status: StatusCode,
    html: Markup,
    language: String,
    extra: Option<(HeaderName, HeaderValue)>,
}

/// A request, as the pages see it.
struct Asked {
    name: rapport_platform::stack::RequestId,
    until: Option<Instant>,
    /// The language chosen; empty: none.
    chosen: String,
    /// What the browser likes.
    accepted: String,
}

/// Whether a path is the page's.
#[must_use]
pub(crate) fn has(path: &str) -> bool {
    path == "/erase" || path.starts_with("/survey/")
}

impl Page {
    pub(crate) fn new(config: &PageConfig, peers: Peers, clock: Arc<dyn Clock>, key: PageKey) -> Self {
        let shown = Shown::new(key, Arc::clone(&clock));
        Self { respondents: Respondents::new(peers, clock), shown, rate: Rate::new(config) }
    }

    async fn told(&self, request: Request<Body>) -> Told {
        let (head, body) = request.into_parts();
        let query = Fields::new(pairs(head.uri.query().unwrap_or_default().as_bytes()));
        let mut asked = Asked {
            name: head.extensions.get::<Passage>().and_then(Passage::request_id).cloned().unwrap_or_default(),
            until: head.extensions.get::<Passage>().and_then(Passage::deadline),
            chosen: tag(query.one("lang")),
            accepted: text(&head.headers, &header::ACCEPT_LANGUAGE).to_owned(),
        };
        let connection = head.extensions.get::<Peer>().map(|Peer(address)| address.ip());
        if let Err(after) = self.rate.take(self.rate.peer(&head.headers, connection)) {
            let seconds = after.as_secs().saturating_add(1).to_string();
            let extra = HeaderValue::from_str(&seconds).ok().map(|value| (header::RETRY_AFTER, value));
            return Told { extra, ..asked.notice(StatusCode::TOO_MANY_REQUESTS, |words| words.often) };
        }
        let place = place(head.uri.path());
        match head.method {
            Method::GET | Method::HEAD => match place {
                Place::Survey(token) => Box::pin(self.survey(&asked, token, None)).await,
                Place::Unsubscribe(token) => asked.page(StatusCode::OK, |tongue| html::unsubscribe(tongue, token)),
                Place::Erase => asked.page(StatusCode::OK, |tongue| html::erase(tongue, false)),
                Place::Nowhere => asked.notice(StatusCode::NOT_FOUND, |words| words.senseless),
            },
            Method::POST => {
                let sent = match form(&head.headers, body, matches!(place, Place::Unsubscribe(_))).await {
                    Ok(sent) => sent,
                    Err(status) => return asked.notice(status, |words| words.senseless),
                };
                let (fields, same) = (Fields::new(pairs(&sent)), same(&sent));
                if !fields.one("lang").is_empty() {
                    asked.chosen = tag(fields.one("lang"));
                }
                match place {
                    Place::Survey(token) => Box::pin(self.survey(&asked, token, Some((&fields, &same)))).await,
                    Place::Unsubscribe(token) => self.unsubscribe(&asked, token).await,
                    Place::Erase => self.erase(&asked, &fields).await,
                    Place::Nowhere => asked.notice(StatusCode::NOT_FOUND, |words| words.senseless),
                }
            }
            _ => {
                let allow = HeaderValue::from_static("GET, HEAD, POST");
                let told = asked.notice(StatusCode::METHOD_NOT_ALLOWED, |words| words.senseless);
                Told { extra: Some((header::ALLOW, allow)), ..told }
            }
        }
    }

    async fn survey(&self, asked: &Asked, token: &str, sent: Option<(&Fields, &[u8])>) -> Told {
        let survey = async {
            let holder = self.holder(asked, token).await?;
            let (respondents, shown) = (&self.respondents, &self.shown);
            let visit = survey::Visit { respondents, shown, holder: &holder, asked, token };
            match sent {
                None => Box::pin(visit.open()).await,
                Some((fields, bytes)) => Box::pin(visit.go_on(fields, bytes)).await,
            }
        };
        asked.patiently(survey).await
    }

    async fn unsubscribe(&self, asked: &Asked, token: &str) -> Told {
        let refusal = async {
            let holder = self.holder(asked, token).await?;
            self.respondents.unsubscribe(&holder).await?;
            Ok(asked.notice(StatusCode::OK, |words| words.unsubscribed))
        };
        asked.patiently(refusal).await
    }

    async fn erase(&self, asked: &Asked, fields: &Fields) -> Told {
        let code = fields.one("code");
        if code.is_empty() {
            return asked.page(StatusCode::UNPROCESSABLE_ENTITY, |tongue| html::erase(tongue, true));
        }
        let begun = Instant::now();
        let erasure = async {
            let holder = self.holder(asked, code).await?;
            self.respondents.erase(&holder).await?;
            Ok(asked.notice(StatusCode::OK, |words| words.erased))
        };
        let told = asked.patiently(erasure).await;
        // Whether there was such an answer is told neither by the words nor by the time.
        tokio::time::sleep_until(begun + NO_SOONER).await;
        told
    }

    /// The holder of a token. What cannot be one is asked for all the same, as something that is none.
    async fn holder(&self, asked: &Asked, token: &str) -> Result<Holder, Fault> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let token =
            if token.len() <= TOKEN_BYTES && !token.is_empty() && token.bytes().all(sound) { token } else { "-" };
        self.respondents.holder(Private::new(token.to_owned()), asked.name.clone(), asked.until).await
    }
}

impl Asked {
    /// The language of a page that tells of no survey.
    fn tongue(&self) -> Tongue {
        if self.chosen.is_empty() { Tongue::asked(&self.accepted) } else { Tongue::of(&self.chosen) }
    }

    fn page(&self, status: StatusCode, draw: impl FnOnce(&Tongue) -> Markup) -> Told {
        let tongue = self.tongue();
        Told { status, html: draw(&tongue), language: tongue.language, extra: None }
    }

    fn notice(&self, status: StatusCode, say: impl FnOnce(&'static Words) -> [&'static str; 2]) -> Told {
        self.page(status, |tongue| html::notice(tongue, say(tongue.words)))
    }

    /// What was done; where a token is refused, not before [`NO_SOONER`].
    async fn patiently(&self, work: impl Future<Output = Result<Told, Fault>>) -> Told {
        let begun = Instant::now();
        match work.await {
            Ok(told) => told,
            Err(fault) => {
                let (status, say) = refusal(&fault);
                if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                    tokio::time::sleep_until(begun + NO_SOONER).await;
                }
                self.notice(status, say)
            }
        }
    }
}

/// What a fault is to a respondent.
fn refusal(fault: &Fault) -> (StatusCode, fn(&'static Words) -> [&'static str; 2]) {
    let (status, say): (_, fn(&'static Words) -> [&'static str; 2]) = match (fault.kind(), fault.reason) {
        (Kind::NotFound, _) => (StatusCode::NOT_FOUND, |words| words.unknown),
        (_, Reason::InvalidState)
            if fault.details.precondition.as_ref().is_some_and(|it| it.0 == "INVITATION_USED") =>
        {
            (StatusCode::GONE, |words| words.used)
        }
        (Kind::Precondition, _) => (StatusCode::GONE, |words| words.over),
        (Kind::Unavailable | Kind::Deadline | Kind::Exhausted | Kind::Aborted | Kind::Cancelled, _) => {
            (StatusCode::SERVICE_UNAVAILABLE, |words| words.busy)
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, |words| words.busy),
    };
    if status.is_server_error() {
        tracing::warn!(reason = fault.reason.name(), "a respondent's page could not be told");
    }
    (status, say)
}

fn place(path: &str) -> Place<'_> {
    if path == "/erase" {
        return Place::Erase;
    }
    let Some(rest) = path.strip_prefix("/survey/") else { return Place::Nowhere };
    match rest.split_once('/') {
        None => Place::Survey(rest),
        Some((token, "")) => Place::Survey(token),
        Some((token, "unsubscribe")) => Place::Unsubscribe(token),
        Some(_) => Place::Nowhere,
    }
}

/// What a browser sent. Of a mail program's one click nothing is read but the link.
async fn form(headers: &HeaderMap, body: Body, one_click: bool) -> Result<Bytes, StatusCode> {
    let kind = text(headers, &header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !one_click && !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let sent = Limited::new(body, FORM_BYTES).collect().await.map_err(|why| {
        if why.is::<LengthLimitError>() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
    })?;
    let sent = sent.to_bytes();
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    Ok(if is_form { sent } else { Bytes::new() })
}

fn pairs(sent: &[u8]) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(sent).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// What a form says, without what differs though a page is only sent twice: the time goes on between one click and the next.
fn same(sent: &[u8]) -> Vec<u8> {
    let mut all = form_urlencoded::Serializer::new(String::new());
    all.extend_pairs(pairs(sent).filter(|(name, _)| name != TIMES));
    all.finish().into_bytes()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A language's tag (BCP 47); empty where it is none.
fn tag(text: &str) -> String {
    let sound = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let begins =
        text.split('-').next().is_some_and(|part| part.len() >= 2 && part.bytes().all(|it| it.is_ascii_alphabetic()));
    if text.len() <= 35 && begins && text.split('-').all(sound) { text.to_owned() } else { String::new() }
}

impl Inner for Page {
    type End = ();

    async fn answer(&self, request: Request<Body>) -> (Response<Body>, ()) {
        // On the heap: the layers around it hand their futures on by value, and this one holds a respondent's whole way.
        let told = Box::pin(self.told(request)).await;
        let mut answer = Response::new(Body::new(Full::new(Bytes::from(told.html.into_string()))));
        *answer.status_mut() = told.status;
        let headers = answer.headers_mut();
        headers.insert(STATUS, HeaderValue::from(code(told.status) as i32));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(language) = HeaderValue::from_str(&told.language) {
            headers.insert(header::CONTENT_LANGUAGE, language);
        }
        if let Some((name, value)) = told.extra {
            headers.insert(name, value);
        }
        (answer, ())
    }
}

/// How the stack counts an answer.
fn code(status: StatusCode) -> Code {
    match status {
        StatusCode::OK => Code::Ok,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::GONE => Code::FailedPrecondition,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::INTERNAL_SERVER_ERROR => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

/// An answer as a browser gets it, by whatever layer it was given: always a page, and always under the same policy.
pub(crate) fn for_browser(answer: Response<Body>, accepted: &str) -> Response<Body> {
    let is_page = answer.headers().contains_key(header::CONTENT_LANGUAGE);
    let (mut head, mut body) = answer.into_parts();
    if !is_page {
        // A layer of the stack refused it, in the way of gRPC.
        let tongue = Tongue::asked(accepted);
        body = Body::new(Full::new(Bytes::from(html::notice(&tongue, tongue.words.busy).into_string())));
        head.status = StatusCode::SERVICE_UNAVAILABLE;
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        head.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        head.headers.remove(header::CONTENT_LENGTH);
    }
    let of_grpc: Vec<_> = head.headers.keys().filter(|name| name.as_str().starts_with("grpc-")).cloned().collect();
    for name in of_grpc {
        head.headers.remove(name);
    }
    let policy = policy();
    for (name, value) in [
        ("content-security-policy", policy.as_str()),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-robots-tag", "noindex, nofollow, noarchive"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("vary", "accept-language"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            head.headers.insert(HeaderName::from_static(name), value);
        }
    }
    Response::from_parts(head, body)
}

/// Nothing is loaded; the page's own style is applied and its own script run, by their hashes; forms go to where they came from.
fn policy() -> String {
    let [style, script] = [html::STYLE, html::SCRIPT].map(|text| STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}
