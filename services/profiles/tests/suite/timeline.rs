//! Listing a timeline: what filters admit, pages while others write, and how it is read.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::{Interaction, InteractionContext, ListInteractionsRequest, RecordInteractionsRequest};
use rapport_data::Engine;
use rapport_harness::{Statements, sorts};
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;
use crate::merges::merge;

fn happened(who: &str, id: i64, seconds: i64) -> Interaction {
    Interaction {
        customer: Some(by_identifier("user_id", who)),
        source: "web".to_owned(),
        external_id: format!("{who}-{id}"),
        version: 1,
        r#type: "visit".to_owned(),
        occurred_at: Some(at(seconds)),
        ..Interaction::default()
    }
}

async fn import(ground: &Ground, tenant: TenantId, items: Vec<Interaction>) {
    let rows = i64::try_from(items.len()).expect("few");
    let items = stream::iter(items.into_iter().map(RecordInteractionsRequest::from));
    let acks = ground.interactions(tenant).record_interactions(items).await.expect("a stream").into_inner();
    let acks: Vec<_> = acks.map(|ack| ack.expect("it goes on").ack.expect("an acknowledgement")).collect().await;
    assert_eq!(acks.iter().map(|ack| ack.accepted).sum::<i64>(), rows, "all are taken");
}

fn of(who: &str) -> ListInteractionsRequest {
    ListInteractionsRequest { customer: Some(by_identifier("user_id", who)), ..ListInteractionsRequest::default() }
}

/// All that a listing answers, page by page, and how many pages there were.
async fn listed(ground: &Ground, tenant: TenantId, request: ListInteractionsRequest) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut page_token) = (Vec::new(), 0, String::new());
    loop {
        let request = ListInteractionsRequest { page_token, ..request.clone() };
        let page = ground.interactions(tenant).list_interactions(request).await.expect("a page").into_inner();
        found.extend(page.interactions.into_iter().map(|one| one.external_id));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return (found, pages);
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_admit_what_they_say_and_pages_of_few_end(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let number = |value: i32| Value { kind: Some(Kind::NumberValue(f64::from(value))) };
    let made = |n: i64| Interaction {
        r#type: ["visit", "purchase", "call"][(n % 3) as usize].to_owned(),
        channel: ["web", "shop"][(n % 2) as usize].to_owned(),
        stage: ["", "use"][(n % 5 == 0) as usize].to_owned(),
        touchpoint: format!("t{}", n % 7),
        product: format!("p{n}"),
        value: (n % 3 == 1).then(|| Money { currency_code: "EUR".to_owned(), units: n, nanos: 500_000_000 }),
        attributes: BTreeMap::from([("n".to_owned(), number(n as i32))]),
        sentiment: (n % 4 == 0).then(|| n as f64 / 1_000.0 - 0.5),
        emotions: BTreeMap::from([("joy".to_owned(), n as f64 / 1_000.0)]),
        context: Some(InteractionContext { place: format!("place {}", n % 11), ..InteractionContext::default() }),
        ..happened("u-1", n, n)
    };
    import(&ground, tenant, (0..1_000).map(made).collect()).await;
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let check = async |request: ListInteractionsRequest, admits: &dyn Fn(i64) -> bool| {
        let expected: Vec<String> = (0..1_000).rev().filter(|n| admits(*n)).map(|n| format!("u-1-{n}")).collect();
        assert!(!expected.is_empty());
        let (found, _) = listed(&ground, tenant, ListInteractionsRequest { page_size: 100, ..request }).await;
        assert_eq!(found, expected);
    };
    check(ListInteractionsRequest { types: texts(&["call", "purchase"]), ..of("u-1") }, &|n| n % 3 != 0).await;
    check(ListInteractionsRequest { channels: texts(&["shop"]), stages: texts(&["use"]), ..of("u-1") }, &|n| {
        n % 2 == 1 && n % 5 == 0
    })
    .await;
    let between = ListInteractionsRequest { start_time: Some(at(100)), end_time: Some(at(200)), ..of("u-1") };
    check(between, &|n| (100..200).contains(&n)).await;
    check(ListInteractionsRequest { touchpoints: texts(&["t3", "t4"]), ..of("u-1") }, &|n| [3, 4].contains(&(n % 7)))
        .await;
    let filtered = |filter: &str| ListInteractionsRequest { filter: filter.to_owned(), ..of("u-1") };
    check(filtered("money.EUR > 900.0 && attributes.n < 990.0"), &|n| n % 3 == 1 && (900..990).contains(&n)).await;
    check(filtered("sentiment >= 0.0"), &|n| n % 4 == 0 && n >= 500).await;
    check(filtered("emotions.joy < 0.01 || place == 'place 3' && type == 'call'"), &|n| {
        n < 10 || (n % 11 == 3 && n % 3 == 2)
    })
    .await;
    check(filtered("product in ['p7', 'p901'] && source == 'web' && external_id.startsWith('u-1')"), &|n| {
        n == 7 || n == 901
    })
    .await;
    let wrong = ground.interactions(tenant).list_interactions(filtered("colour == 'red'")).await;
    assert_eq!(reason(wrong), "INVALID_CONDITION");
    // A token is bound to the filter it was made for.
    let first = ListInteractionsRequest { page_size: 1, ..filtered("attributes.n > 1.0") };
    let token = ground.interactions(tenant).list_interactions(first).await.expect("a page").into_inner();
    let other = ListInteractionsRequest { page_token: token.next_page_token, ..filtered("attributes.n > 2.0") };
    assert_eq!(reason(ground.interactions(tenant).list_interactions(other).await), "INVALID_PAGE_TOKEN");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_meanwhile_neither_shifts_pages_nor_hides_anything(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    import(&ground, tenant, (0..300).map(|n| happened("u-1", n, n * 10)).collect()).await;
    let (mut found, mut token, mut late) = (Vec::new(), String::new(), 1_000);
    loop {
        let request = ListInteractionsRequest { page_size: 17, page_token: token, ..of("u-1") };
        let page = ground.interactions(tenant).list_interactions(request).await.expect("a page").into_inner();
        found.extend(page.interactions.into_iter().map(|one| one.external_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // Newer than all, in the midst of what was read, and of what is still to be read.
        let news = [9_000, 2_995, 15].map(|seconds| {
            late += 1;
            happened("u-1", late, seconds + late % 3)
        });
        import(&ground, tenant, news.into()).await;
    }
    let before: Vec<String> = (0..300).rev().map(|n| format!("u-1-{n}")).collect();
    let seen: Vec<String> = found.iter().filter(|id| before.contains(id)).cloned().collect();
    assert_eq!(seen, before, "each that was there, once and in order");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "nothing twice");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_records_of_a_merged_customer_are_one_timeline(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut items = Vec::new();
    // More records than one statement merges, from every part of the timeline: before all months and in many of them.
    for n in 0..130_i64 {
        let who = format!("u-{n}");
        let one =
            |k, seconds| Interaction { customer: Some(by_identifier("device_id", &who)), ..happened(&who, k, seconds) };
        items.extend((0..4).map(|k| one(k, (n * 7 + k * 13) % 50 * 86_400 * 2 - 300 * 86_400 * k * k)));
    }
    import(&ground, tenant, items.clone()).await;
    let mut customers = Vec::new();
    for n in 0..130 {
        let profile = ground.get(tenant, by_identifier("device_id", &format!("u-{n}"))).await.expect("there");
        customers.push(profile.customer_id);
    }
    for others in customers[1..].chunks(20) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        ground.profiles(tenant).merge_profiles(merge(&customers[0], &others)).await.expect("merged");
    }
    let mut expected: Vec<i64> = items.iter().map(|one| one.occurred_at.expect("an instant").seconds).collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    for size in [1_000, 33] {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let customer = Some(by_identifier("device_id", "u-77"));
            let request =
                ListInteractionsRequest { customer, page_size: size, page_token: token, ..Default::default() };
            let page = ground.interactions(tenant).list_interactions(request).await.expect("a page").into_inner();
            found.extend(page.interactions);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let order: Vec<i64> = found.iter().map(|one| one.occurred_at.expect("an instant").seconds).collect();
        assert_eq!(order, expected, "pages of {size}");
        let ids: BTreeSet<&str> = found.iter().map(|one| one.external_id.as_str()).collect();
        assert_eq!(ids.len(), items.len());
    }
}

#[tokio::test]
async fn a_page_is_read_in_the_order_in_which_it_lies() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    for who in ["u-1", "u-2", "u-3"] {
        import(&ground, tenant, (0..5).map(|n| happened(who, n, n)).collect()).await;
    }
    let mut customers = Vec::new();
    for who in ["u-1", "u-2", "u-3"] {
        customers.push(ground.get(tenant, by_identifier("user_id", who)).await.expect("there").customer_id);
    }
    let said = Statements::listen();
    let request = ListInteractionsRequest { page_size: 2, types: vec!["visit".to_owned()], ..of("u-1") };
    assert_eq!(listed(&ground, tenant, request.clone()).await.1, 3);
    ground.profiles(tenant).merge_profiles(merge(&customers[0], &[&customers[1], &customers[2]])).await.expect("one");
    assert_eq!(listed(&ground, tenant, request).await.1, 8);
    let said: BTreeSet<String> =
        said.take().into_iter().filter(|text| text.starts_with("SELECT * FROM interaction WHERE")).collect();
    assert_eq!(said.len(), 4, "the first page and the next ones, of one record and of three: {said:#?}");
    let found = sorts(&ground.folder.path().join("profiles.db"), &said).await;
    assert!(found.is_empty(), "{found:#?}");
}

/// The partitions' tests are here: nobody sees them but by what is listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_there_is_room_for_every_instant_whatever_the_clock_says() {
    let (ground, tenant) = (Ground::new(Engine::Postgres).await, TenantId::new());
    // From long ago, and from now on where the clock jumps over months, and over decades, that nobody made room for.
    let mut items = vec![happened("u-1", 0, -1_740_000_000 - 3_000 * 86_400), happened("u-1", 1, 0)];
    for (n, days) in [(2, 10), (3, 900), (4, 30), (5, 9_000), (6, 40)] {
        ground.wait(days * 86_400);
        let now = rapport_kernel::Clock::now(&*ground.clock);
        let occurred_at = Some(rapport_api::convert::timestamp(now));
        items.push(Interaction { occurred_at, ..happened("u-1", n, 0) });
        import(&ground, tenant, items.clone()).await;
    }
    // A year between the jumps, told late.
    items.push(happened("u-1", 7, 86_400 * 5_000));
    import(&ground, tenant, items.clone()).await;
    let (found, _) = listed(&ground, tenant, ListInteractionsRequest { page_size: 3, ..of("u-1") }).await;
    assert_eq!(found, ["u-1-6", "u-1-5", "u-1-7", "u-1-4", "u-1-3", "u-1-2", "u-1-1", "u-1-0"]);
}
