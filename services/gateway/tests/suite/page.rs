//! The respondents' page, as a browser without a script sees it: over TCP, by HTTP/1.1.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rapport_api::feedback::v1::answer::Value;
use rapport_data::Engine;
use rapport_gateway::Config;
use rapport_harness::{Browser, Page};
use rstest::rstest;
use sha2::{Digest as _, Sha256};

use crate::ground::{Ground, Shape};
use crate::respondents::{CODE, NOBODYS, OVER, TOKEN};

async fn ground() -> Ground {
    Ground::new(Engine::Sqlite, Shape::InProcess).await
}

fn browser(ground: &Ground, language: &str) -> Browser {
    Browser::at(&ground.first.address, language)
}

fn path(token: &str) -> String {
    format!("/survey/{token}")
}

/// Whether everything on a page that can be filled in has a name that is read out, and an id is given once.
#[track_caller]
fn is_well_made(page: &Page) {
    let ids: Vec<_> = page.body.split(" id=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "an id is there twice: {ids:?}");
    let labels: BTreeSet<_> = page.tags("label").into_iter().filter_map(|tag| tag.get("for").cloned()).collect();
    for kind in ["input", "textarea", "select"] {
        for tag in page.tags(kind).iter().filter(|tag| tag.get("type").is_none_or(|kind| kind != "hidden")) {
            let id = tag.get("id").cloned().unwrap_or_default();
            let within = page.body.contains(&format!("<label class=\"choice\"><input type=\"radio\" id=\"{id}\""))
                || page.body.contains(&format!("<label class=\"choice\"><input type=\"checkbox\" id=\"{id}\""))
                || page.body.contains(&format!("<label class=\"point\"><input type=\"radio\" id=\"{id}\""));
            assert!(within || labels.contains(&id) || tag.contains_key("aria-label"), "{tag:?} has no label");
            for described in tag.get("aria-describedby").into_iter().flat_map(|ids| ids.split(' ')) {
                assert!(page.has_id(described), "{tag:?} is described by what is not there");
            }
        }
    }
    for tag in page.tags("fieldset") {
        for described in tag.get("aria-describedby").into_iter().flat_map(|ids| ids.split(' ')) {
            assert!(page.has_id(described), "{tag:?} is described by what is not there");
        }
    }
    for link in page.tags("a").iter().filter_map(|tag| tag.get("href")?.strip_prefix('#').map(str::to_owned)) {
        assert!(page.has_id(&link), "a link goes to #{link}, which is not there");
    }
    // One script, which is the page's own, word for word: another would not run.
    let scripts: Vec<_> =
        page.body.split("<script>").skip(1).filter_map(|part| part.split("</script>").next()).collect();
    assert!(page.body.matches("<script").count() == scripts.len() && scripts.len() <= 1);
    for script in scripts {
        let hash = STANDARD.encode(Sha256::digest(script));
        let policy = page.header("content-security-policy");
        assert!(policy.contains(&format!("script-src 'sha256-{hash}';")), "{policy}");
    }
    for forbidden in [" style=\"", " onclick", " src=", "http://", "https://"] {
        assert!(!page.says(forbidden), "it holds {forbidden}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_needs_nothing_from_anywhere_and_tells_nobody_where_one_was() {
    let ground = ground().await;
    for (method, at, status) in [
        ("GET", path(TOKEN), 200),
        ("HEAD", path(TOKEN), 200),
        ("GET", "/erase".to_owned(), 200),
        ("GET", path("unknown"), 404),
        ("GET", "/survey/a/b/c".to_owned(), 404),
        ("PUT", path(TOKEN), 405),
        ("POST", path(TOKEN), 415),
    ] {
        let page = browser(&ground, "en").send(method, &at, &[], "");
        assert_eq!(page.status, status, "{method} {at}");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("; script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"));
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
            ("content-type", "text/html; charset=utf-8"),
            ("content-language", "en"),
        ] {
            assert_eq!(page.header(name), value, "{method} {at}");
        }
        let names: Vec<_> =
            page.headers.keys().filter(|name| name.starts_with("grpc") || *name == "set-cookie").collect();
        assert_eq!(names, Vec::<&String>::new(), "{method} {at}");
        match method {
            "HEAD" => assert_eq!(page.body, ""),
            _ => is_well_made(&page),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_fills_in_every_page_has_answered_every_question() {
    let (ground, at) = (ground().await, path(TOKEN));
    let browser = browser(&ground, "en");
    let page = browser.get(&at);
    assert!(page.says("Welcome, &lt;friend&gt;.") && page.says("&lt;here&gt; &amp; &quot;there&quot;?"));
    assert!(!page.says("the staff's own name of it"), "a survey's name is for those who work with it");
    // What the next one depends on stands alone.
    assert_eq!(page.tags("fieldset").len(), 1);
    let page = browser.fill(&at, &page, &[("go", "next"), ("q-nps", "3")]);
    is_well_made(&page);
    assert!(page.says("Questions 2 to 7 of 10"), "{}", page.body);
    let second = [
        ("q-reason", "other"),
        ("q-reason-other", "the <weather>"),
        ("q-topics", "app"),
        ("q-topics", "shop"),
        ("q-mood", "-12"),
        ("q-easy", "4"),
        ("q-parts-speed", "5"),
        ("q-parts-tone", "1"),
        ("q-times-morning", "no"),
    ];
    let page = browser.fill(&at, &page, &[&[("go", "next")], second.as_slice()].concat());
    assert_eq!(page.status, 200, "{}", page.body);
    is_well_made(&page);
    assert!(!ground.world.desk.is_complete());
    let third = [
        ("go", "next"),
        ("q-order-a", "2"),
        ("q-order-b", ""),
        ("q-order-c", "1"),
        ("q-day", "2026-03-21"),
        ("q-why", "two\r\nlines"),
    ];
    let page = browser.fill(&at, &page, &third);
    assert!(page.says("Thank you") && page.says("That was all."), "{}", page.body);
    assert!(ground.world.desk.is_complete());
    let answers = ground.world.desk.answers();
    let value = |id: &str| answers.get(id).and_then(|answer| answer.value.clone());
    assert_eq!(value("nps"), Some(Value::Number(3)));
    assert_eq!(value("reason"), Some(Value::Choice("other".to_owned())));
    assert_eq!(answers["reason"].other, "the <weather>");
    assert!(matches!(value("topics"), Some(Value::Choices(all)) if all.choices == ["shop", "app"]));
    assert_eq!((value("mood"), value("easy")), (Some(Value::Number(-12)), Some(Value::Number(4))));
    assert!(
        matches!(value("parts"), Some(Value::Matrix(rows)) if rows.numbers["speed"] == 5 && rows.numbers["tone"] == 1)
    );
    assert!(
        matches!(value("times"), Some(Value::Matrix(rows)) if rows.choices.len() == 1 && rows.choices["morning"] == "no")
    );
    assert!(matches!(value("order"), Some(Value::Choices(all)) if all.choices == ["c", "a"]));
    assert_eq!(value("day"), Some(Value::Date("2026-03-21".to_owned())));
    assert_eq!(value("why"), Some(Value::Text("two\nlines".to_owned())));
    let submitted = ground.world.desk.submitted();
    assert_eq!(submitted.iter().map(|one| one.partial).collect::<Vec<_>>(), [true, true, false]);
    assert!(submitted.iter().all(|one| one.language == "en" && one.response_id.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_beside_its_question_and_above_all_and_what_was_filled_in_stays() {
    let (ground, at) = (ground().await, path(TOKEN));
    let browser = browser(&ground, "en");
    let page = browser.get(&at);
    let refused = browser.fill(&at, &page, &[("go", "next")]);
    assert_eq!(refused.status, 422);
    is_well_made(&refused);
    assert!(refused.says("<title>Error:") && refused.says("role=\"alert\"") && refused.has_id("q-nps.wrong"));
    assert!(refused.says("href=\"#q-nps.0\"") && ground.world.desk.submitted().is_empty());
    let page = browser.fill(&at, &refused, &[("go", "next"), ("q-nps", "9")]);
    let wrong =
        [("q-topics", "none"), ("q-topics", "app"), ("q-mood", "51"), ("q-parts-speed", "2"), ("q-why", "kept")];
    let refused = browser.fill(&at, &page, &[&[("go", "next")], wrong.as_slice()].concat());
    assert_eq!(refused.status, 422);
    is_well_made(&refused);
    for id in ["topics", "mood", "easy", "parts"] {
        assert!(refused.has_id(&format!("q-{id}.wrong")), "{id}: {}", refused.body);
    }
    assert!(!refused.has_id("q-times.wrong"));
    let kept = |name: &str, value: &str| {
        let tags = refused.tags("input");
        tags.iter().any(|tag| {
            tag.get("name").is_some_and(|held| held == name)
                && tag["value"] == value
                && (tag["type"] == "text" || tag.contains_key("checked"))
        })
    };
    assert!(kept("q-mood", "51") && kept("q-parts-speed", "2") && kept("q-topics", "none") && kept("q-topics", "app"));
    // What only the survey itself can refuse comes back the same way.
    let right = [("q-easy", "1"), ("q-parts-speed", "2"), ("q-parts-tone", "2"), ("go", "next")];
    let page = browser.fill(&at, &page, &right);
    let refused = browser.fill(&at, &page, &[("go", "next"), ("q-why", "a forbidden \"word\" </textarea>")]);
    assert_eq!(refused.status, 422);
    assert!(refused.has_id("q-why.wrong") && refused.says("a forbidden &quot;word&quot; &lt;/textarea&gt;"));
    is_well_made(&refused);
    assert!(!ground.world.desk.is_complete());
    // A page of another survey, or of nobody's making, begins anew.
    let page = browser.post(&at, &[("pages", "absent|nonsense"), ("go", "next"), ("q-nps", "9")]);
    assert_eq!(page.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_goes_back_goes_on_later_and_takes_an_answer_back() {
    let (ground, at) = (ground().await, path(TOKEN));
    let browser = browser(&ground, "en");
    let page = browser.fill(&at, &browser.get(&at), &[("go", "next"), ("q-nps", "2")]);
    // What is not right yet is no reason to stay.
    let page =
        browser.fill(&at, &page, &[("go", "back"), ("q-reason", "price"), ("q-mood", "999"), ("q-topics", "app")]);
    assert!(page.says("Question 1 of 10"), "{}", page.body);
    let chosen = |page: &Page, name: &str| {
        let tags = page.tags("input");
        let chosen =
            tags.into_iter().find(|tag| tag.get("name").is_some_and(|it| it == name) && tag.contains_key("checked"));
        chosen.map(|tag| tag["value"].clone())
    };
    assert_eq!(chosen(&page, "q-nps"), Some("2".to_owned()));
    let page = browser.fill(&at, &page, &[("go", "next"), ("q-nps", "2")]);
    assert_eq!((chosen(&page, "q-reason"), chosen(&page, "q-topics")), (Some("price".into()), Some("app".into())));
    // Another day, by the same link.
    let page = browser.get(&at);
    assert!(page.says("Questions 2 to 7 of 10") && chosen(&page, "q-reason") == Some("price".to_owned()));
    let rest = [("q-easy", "1"), ("q-parts-speed", "2"), ("q-parts-tone", "2"), ("q-reason", "speed")];
    drop(browser.fill(&at, &page, &[&[("go", "next")], rest.as_slice()].concat()));
    let answers = ground.world.desk.answers();
    assert!(!answers.contains_key("topics"), "nothing is ticked any more");
    assert_eq!(answers["reason"].value, Some(Value::Choice("speed".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_sent_twice_is_one_request_and_one_that_changed_is_another() {
    let (ground, at) = (ground().await, path(NOBODYS));
    let browser = browser(&ground, "en");
    let page = browser.get(&at);
    for figure in ["9", "9", "8"] {
        drop(browser.fill(&at, &page, &[("go", "next"), ("q-nps", figure)]));
    }
    drop(browser.fill(&at, &browser.get(&at), &[("go", "next"), ("q-nps", "9")]));
    let ids: Vec<_> = ground.world.desk.submitted().into_iter().map(|one| one.request_id).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3, "shown anew, it is another page");
}

/// The fields of a page's form, with what its script would have said.
fn sent<'a>(page: &'a [(String, String)], times: &'a str, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let hidden = page.iter().map(|(name, value)| (name.as_str(), if name == "times" { times } else { value.as_str() }));
    hidden.chain(fields.iter().copied()).collect()
}

#[rstest]
#[case(TOKEN)]
#[case(NOBODYS)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_page_sent_twice_is_answered_as_it_was_the_first_time(#[case] token: &str) {
    let (ground, at) = (ground().await, path(token));
    let browser = browser(&ground, "en");
    let page = browser.fill(&at, &browser.get(&at), &[("go", "next"), ("q-nps", "9")]);
    let page =
        browser.fill(&at, &page, &[("go", "next"), ("q-easy", "1"), ("q-parts-speed", "2"), ("q-parts-tone", "2")]);
    let hidden = page.hidden();
    let last = [("go", "next"), ("q-why", "so it is")];
    // Between two clicks the time goes on.
    let answers = ["", "why:1", "why:2"].map(|times| browser.post(&at, &sent(&hidden, times, &last)));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
        assert!(answer.says("Thank you") && answer.says("That was all.") && answer.says(CODE) == (token == NOBODYS));
    }
    let whole = ground.world.desk.submitted().into_iter().filter(|one| !one.partial).count();
    assert_eq!(whole, 1, "it stands once");
    // Something else than was sent is another answer, which the link to a known survey has no use left for.
    let other = browser.post(&at, &sent(&hidden, "", &[("go", "next"), ("q-why", "no, so")]));
    assert_eq!(other.status, if token == TOKEN { 410 } else { 200 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_a_question_took_is_told_where_it_is_known() {
    let (ground, at) = (ground().await, path(TOKEN));
    let browser = browser(&ground, "en");
    let times = |place: usize| ground.world.desk.submitted()[place].times.clone();
    let millis = |time: &prost_types::Duration| time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000;
    let page = browser.get(&at);
    tokio::time::sleep(Duration::from_millis(120)).await;
    // A page that comes back for what is wrong with it is the same page.
    let page = browser.fill(&at, &page, &[("go", "next")]);
    assert_eq!(page.status, 422);
    tokio::time::sleep(Duration::from_millis(120)).await;
    let page = browser.fill(&at, &page, &[("go", "next"), ("q-nps", "3")]);
    let first = times(0);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["nps"]);
    assert!(millis(&first["nps"]) >= 240, "{first:?}");
    // Of several on a page only the script knows, and only of what can be.
    let hidden = page.hidden();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second =
        [("go", "next"), ("q-reason", "price"), ("q-easy", "4"), ("q-parts-speed", "5"), ("q-parts-tone", "1")];
    let page = browser.post(&at, &sent(&hidden, "reason:30 easy:12 nps:5 absent:7 parts:x", &second));
    let told: Vec<_> = times(1).iter().map(|(id, time)| (id.clone(), millis(time))).collect();
    assert_eq!(told, [("easy".to_owned(), 12), ("reason".to_owned(), 30)]);
    // What nobody answered was looked at all the same; a time that there was not is none.
    let hidden = page.hidden();
    let back = browser.post(&at, &sent(&hidden, "day:1", &[("go", "back")]));
    assert_eq!((times(2).len(), ground.world.desk.submitted()[2].answers.len()), (1, 0));
    let hidden = back.hidden();
    let page = browser.post(&at, &sent(&hidden, "reason:999999", &[&second[..], &[("q-topics", "app")]].concat()));
    assert!(times(3).is_empty() && page.status == 200);
    // Nor is anything known of a page that was not made here.
    let mut hidden = page.hidden();
    hidden.iter_mut().filter(|(name, _)| name == "shown").for_each(|(_, value)| value.insert(0, 'A'));
    let page = browser.post(&at, &sent(&hidden, "why:1", &[("go", "next"), ("q-why", "x")]));
    assert!(page.says("Thank you") && times(4).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobodys_answer_is_gone_on_with_by_the_form_alone_and_ends_with_the_code_that_erases_it() {
    let (ground, at) = (ground().await, path(NOBODYS));
    let browser = browser(&ground, "en");
    let page = browser.fill(&at, &browser.get(&at), &[("go", "next"), ("q-nps", "9")]);
    assert!(page.hidden().contains(&("response".to_owned(), uuid::Uuid::max().to_string())));
    assert!(browser.get(&at).says("Question 1 of 9"), "the link alone tells nothing of what was answered");
    let rest = [("go", "next"), ("q-easy", "1"), ("q-parts-speed", "2"), ("q-parts-tone", "2")];
    let page = browser.fill(&at, &page, &rest);
    let page = browser.fill(&at, &page, &[("go", "next")]);
    assert!(page.says(CODE), "{}", page.body);
    is_well_made(&page);
    let submitted = ground.world.desk.submitted();
    assert!(submitted.iter().skip(1).all(|one| one.response_id == uuid::Uuid::max().to_string()));
    // By the button below it, or by hand and another day.
    assert!(browser.fill("/erase", &page, &[]).says("Your answers are erased"));
    let form = browser.get("/erase");
    is_well_made(&form);
    let missing = browser.fill("/erase", &form, &[("code", " ")]);
    assert_eq!(missing.status, 422);
    is_well_made(&missing);
    let begun = Instant::now();
    let unknown = browser.fill("/erase", &form, &[("code", "no code at all")]);
    assert!(unknown.says("Your answers are erased") && begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(ground.world.desk.erased(), [CODE, "-"], "what cannot be a code is asked for as one that is not");
}

#[rstest]
#[case("en-GB,en;q=0.9", "en", "ltr", "Your opinion")]
#[case("de,fa;q=0.3", "fa", "rtl", "نظر شما")]
#[case("ru", "en", "ltr", "Your opinion")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_is_told_in_the_language_that_suits(
    #[case] accepted: &str,
    #[case] language: &str,
    #[case] direction: &str,
    #[case] title: &str,
) {
    let (ground, at) = (ground().await, path(TOKEN));
    let page = browser(&ground, accepted).get(&at);
    assert!(page.says(&format!("<html lang=\"{language}\" dir=\"{direction}\">")), "{}", page.body);
    assert!(page.says(title) && page.header("content-language") == language);
    // The respondent's own language goes before the browser's, and what is chosen before both.
    ground.world.desk.names("fa");
    let page = browser(&ground, accepted).get(&at);
    assert!(page.says("<html lang=\"fa\" dir=\"rtl\">") && page.says("۱۰"));
    let page = browser(&ground, accepted).fill(&at, &page, &[("go", "lang:en"), ("q-nps", "7")]);
    assert!(page.says("<html lang=\"en\" dir=\"ltr\">") && page.says("value=\"7\" checked"), "{}", page.body);
    assert!(ground.world.desk.submitted().is_empty(), "to change the language is no answer");
    let page = browser(&ground, accepted).fill(&at, &page, &[("go", "next"), ("q-nps", "۷")]);
    assert!(page.says("<html lang=\"en\" dir=\"ltr\">"));
    assert_eq!(ground.world.desk.answers()["nps"].value, Some(Value::Number(7)), "in the digits of any keyboard");
    let chosen = browser(&ground, accepted).get(&format!("{at}?lang=fa"));
    assert!(chosen.says("<html lang=\"fa\" dir=\"rtl\">"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_do_not_work_are_told_so_in_the_same_time() {
    let ground = ground().await;
    let browser = browser(&ground, "ru");
    let long = "x".repeat(500);
    let unknown = ["unknown", "%D0%BF", "a.b", "-", long.as_str()];
    let cases = unknown.iter().map(|token| (*token, 404)).chain(OVER.iter().map(|(token, _)| (*token, 410)));
    for (token, status) in cases {
        for sent in [false, true] {
            let begun = Instant::now();
            let page = if sent { browser.post(&path(token), &[("q-nps", "1")]) } else { browser.get(&path(token)) };
            assert_eq!(page.status, status, "{token}");
            assert!(begun.elapsed() >= Duration::from_millis(300), "{token}: {:?}", begun.elapsed());
            assert!(page.says("<html lang=\"ru\" dir=\"ltr\">"));
            assert!(!page.says(token) || token == "-", "{token} is repeated");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_be_asked_no_more_takes_one_click_and_never_none() {
    let ground = ground().await;
    let browser = browser(&ground, "en");
    let at = format!("{}/unsubscribe", path(OVER[0].0));
    let page = browser.get(&at);
    is_well_made(&page);
    assert!(page.says("Do not ask me again"));
    assert_eq!(browser.send("HEAD", &at, &[], "").status, 200);
    assert!(ground.world.desk.unsubscribed().is_empty(), "mail programs look at links before people do");
    assert!(browser.fill(&at, &page, &[]).says("You will not be asked again"));
    // As RFC 8058 has it: either encoding, no cookie, no redirect.
    let of_form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(browser.send("POST", &at, &of_form, "List-Unsubscribe=One-Click").status, 200);
    let parts = [("content-type", "multipart/form-data; boundary=xx")];
    let body = "--xx\r\ncontent-disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--xx--\r\n";
    assert_eq!(browser.send("POST", &at, &parts, body).status, 200);
    assert_eq!(ground.world.desk.unsubscribed(), [OVER[0].0; 3]);
    assert_eq!(browser.send("POST", "/survey/unknown/unsubscribe", &of_form, "").status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_peer_asks_only_so_much_and_a_form_is_only_so_large() {
    let change = |config: &mut Config| (config.page.requests_per_second, config.page.burst) = (1, 4);
    let ground = Ground::with(Engine::Sqlite, Shape::InProcess, change).await;
    let browser = browser(&ground, "en");
    let large = format!("q-nps={}", "1".repeat(600_000));
    let of_form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(browser.send("POST", &path(TOKEN), &of_form, &large).status, 413);
    let pages: Vec<_> = (0..6).map(|_| browser.get("/erase")).collect();
    let refused: Vec<_> = pages.iter().filter(|page| page.status == 429).collect();
    assert!(!refused.is_empty() && refused.len() < 6);
    assert!(refused.iter().all(|page| page.header("retry-after") == "1" && page.says("Too many requests")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_page_is_not_served_its_paths_are_calls_like_any_other() {
    let ground = Ground::with(Engine::Sqlite, Shape::InProcess, |config| config.page.enabled = false).await;
    let page = browser(&ground, "en").get(&path(TOKEN));
    assert_eq!((page.header("content-type"), page.header("grpc-status")), ("application/grpc", "16"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_feedback_is_elsewhere_the_page_is_the_same_and_where_it_is_gone_it_says_so() {
    let ground = Ground::new(Engine::Sqlite, Shape::OverTcp).await;
    let browser = browser(&ground, "en");
    assert!(browser.get(&path(TOKEN)).says("What about nps"));
    ground.first.platform.peers.connect("feedback", vec!["http://127.0.0.1:1".to_owned()]).expect("an endpoint");
    let page = browser.get(&path(TOKEN));
    assert_eq!(page.status, 503);
    assert!(page.says("Please try again"), "{}", page.body);
}
