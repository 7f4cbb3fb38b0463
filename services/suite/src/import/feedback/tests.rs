//! Lines of responses and tickets, from cells and from JSON.

use super::*;
use crate::cli::{Import, Subject};

const SURVEY: &str = "0197a000-0000-7000-8000-000000000001";

fn mapping(what: Subject, header: &[&str]) -> Mapping {
    let arguments = Import {
        what,
        file: "past.csv".into(),
        address: String::new(),
        key: String::new(),
        format: None,
        source: Some("old".to_owned()),
        survey: Some(SURVEY.to_owned()),
        map: Vec::new(),
    };
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    Mapping::new(&arguments, &header).expect("a header")
}

fn cells(cells: &[&str]) -> Content {
    Content::Cells(cells.iter().map(|cell| (*cell).to_owned()).collect())
}

#[test]
fn a_record_of_a_response_and_the_same_line_of_json_say_the_same() {
    let columns = [
        "external_id",
        "answered_at",
        "customer.email",
        "score",
        "comment",
        "answer.more",
        "answer.speed",
        "answer.why:choice",
        "hidden.order",
        "tags",
        "scale_min",
        "scale_max",
    ];
    let mapping = mapping(Subject::Responses, &columns);
    let record =
        ["1", "2024-05-01", "a@example.com", "7", "fine", "and so on", "4", "price", "12", "vip|new", "1", "10"];
    let of_csv = mapping.response(&cells(&record)).expect("sound");
    let line = r#"{"externalId":"1","answeredAt":"2024-05-01T00:00:00Z","customer":{"email":"a@example.com"},"score":7,
        "comment":"fine","answers":{"more":"and so on","speed":4,"why":{"choice":"price"}},"hidden":{"order":"12"},
        "tags":["vip","new"],"sourceScale":{"min":1,"max":10}}"#;
    let of_json = mapping.response(&Content::Json(line.to_owned())).expect("sound");
    assert_eq!(of_csv, of_json);
    let response = of_csv.response.expect("a response");
    assert_eq!((response.survey_id.as_str(), response.source.as_str()), (SURVEY, "old"));
    assert_eq!(response.answers[1].value, Some(answer::Value::Number(4)));
}

#[test]
fn times_of_a_ticket_tell_its_history() {
    let columns = ["external_id", "create_time", "solved_time", "kind", "priority", "title", "description"];
    let mapping = mapping(Subject::Tickets, &columns);
    let record = ["1", "2024-05-01", "2024-05-03 10:00", "Complaint", "urgent", "Late", "Where is it?"];
    let push = mapping.ticket(&cells(&record)).expect("sound");
    let ticket = push.ticket.expect("a ticket");
    let history: Vec<_> = ticket.status_history.iter().map(TicketStatusChange::status).collect();
    assert_eq!(history, [TicketStatus::New, TicketStatus::Solved]);
    assert_eq!((ticket.status(), ticket.kind()), (TicketStatus::Solved, TicketKind::Complaint));
    assert_eq!(ticket.update_time, ticket.status_history[1].time, "it speaks of what was then");
    assert_eq!((push.messages[0].author(), push.messages[0].time), (TicketAuthor::Customer, ticket.create_time));
    let line = r#"{"externalId":"2","createTime":"2024-05-01","status":"on-hold","messages":
        [{"externalId":"m","author":"TICKET_AUTHOR_AGENT","text":"Soon","time":"2024-05-02T00:00:00Z"}]}"#;
    let push = mapping.ticket(&Content::Json(line.to_owned())).expect("sound");
    assert_eq!(
        (push.messages[0].text.as_str(), push.ticket.expect("a ticket").status()),
        ("Soon", TicketStatus::OnHold)
    );
}

#[test]
fn what_is_wrong_is_named_without_its_values() {
    let responses = mapping(Subject::Responses, &["answered_at", "score", "answer.why:colour"]);
    let wrong = responses.response(&cells(&["yesterday", "seven", "red"])).expect_err("wrong");
    let fields: Vec<&str> = wrong.0.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["answered_at", "score", "answer.why:colour", "external_id"]);
    assert!(!format!("{wrong:?}").contains("seven"));
    let tickets = mapping(Subject::Tickets, &["external_id", "status"]);
    let line = Content::Json(
        r#"{"external_id":"1","create_time":"2024-05-01","messages":[{"text":5,"who":"Anna"}]}"#.to_owned(),
    );
    let wrong = tickets.ticket(&line).expect_err("wrong");
    assert_eq!(wrong.0, [("messages".to_owned(), AS_CONTRACT.to_owned())]);
}
