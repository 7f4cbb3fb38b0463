//! The lengths by which tickets are judged: a tenant's own, for what comes after they were said.

use rapport_api::feedback::v1::{
    FirstContactResolution, GetTicketWindowsRequest, Ticket, TicketStatus, TicketWindows, UpdateTicketWindowsRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::desk::{go_to, levels, pushed, ticket};
use crate::ground::{Ground, fields, reason};

const DAY: i64 = 24 * 60;

fn days(days: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: days * 86_400, nanos: 0 })
}

fn update(windows: TicketWindows) -> UpdateTicketWindowsRequest {
    UpdateTicketWindowsRequest { windows: Some(windows), ..UpdateTicketWindowsRequest::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_says_how_long_a_contact_is_a_repetition_and_a_solution_unripe(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 60 * DAY);
    let (customer, _) = ground.profiles.customer(tenant);
    let solved = |name: &'static str, day: i64, topic: &str| Ticket {
        customer: Some(customer.clone()),
        topic: topic.to_owned(),
        ..ticket(&ground, name, 1, day * DAY, TicketStatus::Solved)
    };
    let first = pushed(&ground, tenant, solved("T-1", 30, "billing")).await;
    let apart = pushed(&ground, tenant, solved("T-2", 50, "billing")).await;
    assert_ne!(first.issue_id, apart.issue_id, "twenty days are more than seven");
    let unripe = pushed(&ground, tenant, solved("T-3", 58, "app")).await;
    assert_eq!(unripe.first_contact_resolution(), FirstContactResolution::Immature);

    let mut levels = levels(&ground, tenant);
    let unsaid = levels.get_ticket_windows(GetTicketWindowsRequest {}).await.expect("lengths").into_inner();
    assert_eq!((unsaid.repetition, unsaid.first_contact, unsaid.revision), (days(7), days(7), 0));
    let month = TicketWindows { repetition: days(30), etag: unsaid.etag.clone(), ..TicketWindows::default() };
    let said = levels.update_ticket_windows(update(month.clone())).await.expect("said").into_inner();
    assert_eq!((said.repetition, said.first_contact, said.revision), (days(30), days(7), 1));
    assert_eq!(reason(levels.update_ticket_windows(update(month)).await), "STALE_ETAG");
    let short = TicketWindows { first_contact: days(1), ..TicketWindows::default() };
    let said = levels.update_ticket_windows(update(short)).await.expect("said").into_inner();
    assert_eq!((said.repetition, said.first_contact, said.revision), (days(30), days(1), 2));
    assert_eq!(levels.get_ticket_windows(GetTicketWindowsRequest {}).await.expect("lengths").into_inner(), said);

    let late = pushed(&ground, tenant, solved("T-4", 59, "billing")).await;
    assert_eq!(late.issue_id, first.ticket_id, "by now all of them are about one issue");
    let ripe = pushed(&ground, tenant, Ticket { version: 2, ..solved("T-3", 58, "app") }).await;
    assert_eq!(ripe.first_contact_resolution(), FirstContactResolution::FirstContact);

    let wrong = TicketWindows { repetition: days(0), first_contact: days(400), ..TicketWindows::default() };
    let mut named = fields(levels.update_ticket_windows(update(wrong)).await);
    named.sort();
    assert_eq!(named, ["windows.first_contact", "windows.repetition"]);
    let other = crate::desk::levels(&ground, TenantId::new()).get_ticket_windows(GetTicketWindowsRequest {}).await;
    assert_eq!(other.expect("lengths").into_inner().revision, 0, "another tenant's are its own");
}
