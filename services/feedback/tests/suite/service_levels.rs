//! Service levels: calendars and policies, what tickets are held to, and targets that are missed at their instant.

use std::time::Duration;

use prost_types::FieldMask;
use rapport_api::feedback::v1::{
    CreateSlaCalendarRequest, CreateSlaPolicyRequest, DeleteSlaCalendarRequest, DeleteSlaPolicyRequest,
    ListSlaPoliciesRequest, ListTicketsRequest, PreviewSlaRequest, SlaCalendar, SlaHoliday, SlaHours, SlaPolicy,
    SlaSpan, SlaWeekday, Ticket, TicketPriority, TicketStatus, UpdateSlaCalendarRequest, UpdateSlaPolicyRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::desk::{Told, get, go_to, levels, minutes, pushed, ticket, tickets};
use crate::ground::{Ground, fields, reason};

/// Nine to five, Monday to Friday, in UTC. The ground's beginning is Sunday, 2025-06-15, 15:06:40.
fn office() -> SlaCalendar {
    let hours = (1..=5).map(|weekday| SlaHours { weekday, start: "09:00".to_owned(), end: "17:00".to_owned() });
    SlaCalendar { name: "office".to_owned(), zone: "UTC".to_owned(), hours: hours.collect(), ..SlaCalendar::default() }
}

async fn calendar(ground: &Ground, tenant: TenantId, calendar: SlaCalendar) -> SlaCalendar {
    let request = CreateSlaCalendarRequest { calendar: Some(calendar), ..CreateSlaCalendarRequest::default() };
    levels(ground, tenant).create_sla_calendar(request).await.expect("a calendar").into_inner()
}

async fn policy(ground: &Ground, tenant: TenantId, policy: SlaPolicy) -> SlaPolicy {
    let request = CreateSlaPolicyRequest { policy: Some(policy), ..CreateSlaPolicyRequest::default() };
    levels(ground, tenant).create_sla_policy(request).await.expect("a policy").into_inner()
}

fn hours(hours: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: hours * 3_600, nanos: 0 })
}

fn promise(name: &str, first_response: i64, resolution: i64) -> SlaPolicy {
    let (first_response, resolution) = (hours(first_response), hours(resolution));
    SlaPolicy { name: name.to_owned(), first_response, resolution, ..SlaPolicy::default() }
}

/// Minutes from the beginning to Monday, 09:00.
const MONDAY: i64 = (86_400 - (15 * 3_600 + 6 * 60 + 40) + 9 * 3_600) / 60;

/// The instant so many seconds after Monday, 09:00.
fn monday(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: 1_750_064_400 + seconds, nanos: 0 }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_due_in_the_company_s_hours_and_missed_at_its_instant(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let calendar_id = calendar(&ground, tenant, office()).await.calendar_id;
    let made = policy(&ground, tenant, SlaPolicy { calendar_id: calendar_id.clone(), ..promise("all", 1, 10) }).await;
    let held = pushed(&ground, tenant, ticket(&ground, "T-1", 1, 0, TicketStatus::Open)).await;
    let sla = held.sla.expect("it is held to something");
    assert_eq!((sla.policy_id, sla.calendar_id), (made.policy_id, calendar_id));
    let (first, resolution) = (sla.first_response.expect("promised"), sla.resolution.expect("promised"));
    assert_eq!(first.due_time, Some(monday(3_600)), "the weekend does not count");
    assert_eq!(resolution.due_time, Some(monday(86_400 + 2 * 3_600)), "nor does the night");
    assert_eq!((first.breach_time, first.settle_time), (None, None));

    let mut events = Told::of(&ground);
    events.until("the ticket", |told| told.states.len() == 1).await;
    ground.clock.set(rapport_api::convert::instant(&monday(3_600)).expect("in range"));
    let began = std::time::Instant::now();
    events.until("the breach", |told| told.all.len() == 2).await;
    // Within a second, but that others may be at work on the machine.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let (event, state) = events.all.last().expect("two were told");
    assert_eq!(event.revision, 2);
    let missed = state.first_response_target.as_ref().expect("a target");
    assert_eq!((missed.breach_time, missed.settle_time), (Some(monday(3_600)), None));
    assert_eq!(state.resolution_target.as_ref().and_then(|target| target.breach_time), None);
    let breached = |breached| ListTicketsRequest { breached: Some(breached), ..ListTicketsRequest::default() };
    for (asked, count) in [(true, 1), (false, 0)] {
        let listed = tickets(&ground, tenant).list_tickets(breached(asked)).await.expect("a page").into_inner();
        assert_eq!(listed.tickets.len(), count);
    }
    // An answer that comes late, and tells that it was in time, takes the breach back.
    let first_response_time = Some(monday(3_599));
    let told = Ticket { first_response_time, ..ticket(&ground, "T-1", 2, 0, TicketStatus::Open) };
    let first = pushed(&ground, tenant, told).await.sla.and_then(|sla| sla.first_response).expect("a target");
    assert_eq!((first.breach_time, first.settle_time), (None, Some(monday(3_599))));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_to_the_solution_stands_still_while_the_customer_is_to_answer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    policy(&ground, tenant, promise("all", 1, 2)).await;
    go_to(&ground, 1_000);
    let states = [(1, 0, TicketStatus::Open), (2, 30, TicketStatus::Pending), (3, 400, TicketStatus::OnHold)];
    pushed(&ground, tenant, ticket(&ground, "T-1", states[0].0, states[0].1, states[0].2)).await;
    let waiting = pushed(&ground, tenant, ticket(&ground, "T-1", 2, 30, TicketStatus::Pending)).await;
    let target = waiting.sla.and_then(|sla| sla.resolution).expect("a target");
    assert_eq!((target.due_time, target.breach_time), (None, None));
    let held = pushed(&ground, tenant, ticket(&ground, "T-1", 3, 400, states[2].2)).await;
    let target = held.sla.and_then(|sla| sla.resolution).expect("a target");
    assert_eq!((target.due_time, target.breach_time), (Some(minutes(&ground, 490)), Some(minutes(&ground, 490))));
    let solved = pushed(&ground, tenant, ticket(&ground, "T-1", 4, 450, TicketStatus::Solved)).await;
    let sla = solved.sla.expect("a level");
    assert_eq!(sla.resolution_duration, Some(prost_types::Duration { seconds: 80 * 60, nanos: 0 }));
    let target = sla.resolution.expect("a target");
    assert_eq!((target.breach_time, target.settle_time), (None, Some(minutes(&ground, 450))));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_rule_is_felt_by_open_tickets_at_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = calendar(&ground, tenant, office()).await;
    let calendar_id = made.calendar_id.clone();
    policy(&ground, tenant, SlaPolicy { calendar_id: calendar_id.clone(), position: 9, ..promise("all", 1, 10) }).await;
    let held = pushed(&ground, tenant, ticket(&ground, "T-1", 1, 0, TicketStatus::Open)).await;
    let solved = pushed(&ground, tenant, ticket(&ground, "T-2", 1, 0, TicketStatus::Solved)).await;
    let holiday = SlaHoliday {
        date: "06-16".to_owned(),
        hours: vec![SlaSpan { start: "12:00".to_owned(), end: "12:30".to_owned() }],
        ..SlaHoliday::default()
    };
    let changed = SlaCalendar { holidays: vec![holiday], ..made };
    let update = UpdateSlaCalendarRequest {
        calendar: Some(SlaCalendar { name: "not looked at".to_owned(), ..changed }),
        update_mask: Some(FieldMask { paths: vec!["holidays".to_owned()] }),
        ..UpdateSlaCalendarRequest::default()
    };
    let updated = levels(&ground, tenant).update_sla_calendar(update.clone()).await.expect("changed").into_inner();
    assert_eq!((updated.name.as_str(), updated.revision, updated.hours.len()), ("office", 2, 5));
    assert_eq!(reason(levels(&ground, tenant).update_sla_calendar(update).await), "STALE_ETAG");
    let due = |state: &rapport_api::events::v1::TicketChanged| {
        state.first_response_target.as_ref().and_then(|target| target.due_time)
    };
    let mut events = Told::of(&ground);
    let tuesday = monday(86_400 + 1_800);
    events.until("the holiday", |told| told.state(&held).and_then(due) == Some(tuesday)).await;
    // One that its condition holds for takes it over from the general one.
    let urgent = SlaPolicy { condition: "priority == 'urgent'".to_owned(), ..promise("urgent", 1, 1) };
    policy(&ground, tenant, urgent).await;
    let risen = ticket(&ground, "T-1", 2, 0, TicketStatus::Open);
    let risen = Ticket { priority: TicketPriority::Urgent.into(), ..risen };
    let sla = pushed(&ground, tenant, risen).await.sla.expect("a level");
    assert_eq!(sla.first_response.and_then(|target| target.due_time), Some(minutes(&ground, 60)), "around the clock");
    assert_eq!(get(&ground, tenant, "T-2").await.revision, solved.revision, "what is solved keeps what it had");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_and_policies_are_checked_named_once_and_bound_to_each_other(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut desk = levels(&ground, tenant);
    let span = |start: &str, end: &str| SlaHours {
        weekday: SlaWeekday::Monday.into(),
        start: start.to_owned(),
        end: end.to_owned(),
    };
    let wrong = SlaCalendar {
        zone: "Mars/Olympus".to_owned(),
        hours: vec![span("09:00", "12:00"), span("11:00", "13:00"), span("10:00", "09:00")],
        holidays: vec![SlaHoliday { date: "02-30".to_owned(), ..SlaHoliday::default() }],
        ..office()
    };
    let create =
        |calendar| CreateSlaCalendarRequest { calendar: Some(calendar), ..CreateSlaCalendarRequest::default() };
    let mut broken = fields(desk.create_sla_calendar(create(wrong)).await);
    broken.sort_unstable();
    assert_eq!(broken, ["calendar.holidays[0].date", "calendar.hours", "calendar.hours[2].end", "calendar.zone"]);
    let made = calendar(&ground, tenant, office()).await;
    assert_eq!(reason(desk.create_sla_calendar(create(office())).await), "RESOURCE_EXISTS");
    let new = |policy| CreateSlaPolicyRequest { policy: Some(policy), ..CreateSlaPolicyRequest::default() };
    let nothing = SlaPolicy { name: "nothing".to_owned(), ..SlaPolicy::default() };
    assert_eq!(fields(desk.create_sla_policy(new(nothing)).await), ["policy"]);
    let condition = SlaPolicy { condition: "priority > 3".to_owned(), ..promise("p", 1, 1) };
    assert_eq!(reason(desk.create_sla_policy(new(condition)).await), "INVALID_CONDITION");
    let lost = SlaPolicy { calendar_id: rapport_kernel::RequestId::new().to_string(), ..promise("p", 1, 1) };
    assert_eq!(reason(desk.create_sla_policy(new(lost)).await), "RESOURCE_NOT_FOUND");
    let bound = SlaPolicy { calendar_id: made.calendar_id.clone(), ..promise("p", 1, 1) };
    let bound = policy(&ground, tenant, bound).await;
    let delete = DeleteSlaCalendarRequest { calendar_id: made.calendar_id, ..DeleteSlaCalendarRequest::default() };
    assert_eq!(reason(desk.delete_sla_calendar(delete.clone()).await), "INVALID_STATE");
    let paths = vec!["calendar_id".to_owned(), "resolution".to_owned()];
    let update = UpdateSlaPolicyRequest {
        policy: Some(SlaPolicy { policy_id: bound.policy_id.clone(), ..SlaPolicy::default() }),
        update_mask: Some(FieldMask { paths }),
        ..UpdateSlaPolicyRequest::default()
    };
    let freed = desk.update_sla_policy(update).await.expect("changed").into_inner();
    assert_eq!((freed.calendar_id.as_str(), freed.first_response, freed.resolution), ("", hours(1), None));
    desk.delete_sla_calendar(delete).await.expect("nobody uses it");
    let listed = desk.list_sla_policies(ListSlaPoliciesRequest::default()).await.expect("a page").into_inner();
    assert!(listed.policies == vec![freed.clone()]);
    let delete = DeleteSlaPolicyRequest { policy_id: freed.policy_id, ..DeleteSlaPolicyRequest::default() };
    desk.delete_sla_policy(delete).await.expect("deleted");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_can_be_tried_without_pushing_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, MONDAY);
    let calendar_id = calendar(&ground, tenant, office()).await.calendar_id;
    let made = policy(&ground, tenant, SlaPolicy { calendar_id, ..promise("all", 4, 9) }).await;
    let tried = ticket(&ground, "T-1", 1, 0, TicketStatus::Open);
    let request = PreviewSlaRequest { ticket: Some(tried), at: Some(monday(5 * 3_600)) };
    let sla = levels(&ground, tenant).preview_sla(request).await.expect("a level").into_inner().sla.expect("a level");
    assert_eq!(sla.policy_id, made.policy_id);
    let first = sla.first_response.expect("promised");
    assert_eq!((first.due_time, first.breach_time), (Some(monday(4 * 3_600)), Some(monday(4 * 3_600))));
    assert_eq!(sla.resolution.and_then(|target| target.due_time), Some(monday(86_400 + 3_600)));
    let none = tickets(&ground, tenant).list_tickets(ListTicketsRequest::default()).await.expect("a page");
    assert!(none.into_inner().tickets.is_empty());
}
