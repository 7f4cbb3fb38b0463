//! Headers that are understood, and those that are refused with what would be right.

use super::*;

fn arguments(what: Subject, map: &[(&str, &str)]) -> Import {
    Import {
        what,
        file: "people.csv".into(),
        address: String::new(),
        key: String::new(),
        format: None,
        source: Some("crm".into()),
        survey: None,
        map: map.iter().map(|(column, field)| ((*column).to_owned(), (*field).to_owned())).collect(),
    }
}

fn cells(cells: &[&str]) -> Content {
    Content::Cells(cells.iter().map(|cell| (*cell).to_owned()).collect())
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_a_header_lacks_is_named_and_how_to_say_it() {
    let said = |arguments: &Import, columns: &[&str]| match Mapping::new(arguments, &header(columns)) {
        Ok(_) => String::new(),
        Err(fault) => fault.message,
    };
    let known = arguments(Subject::Profiles, &[]);
    assert!(said(&known, &["external_id", "city"]).contains("--map city=trait.city"));
    assert_eq!(said(&known, &["external_id"]), "");
    let unknown = Import { source: None, ..known };
    assert!(said(&unknown, &["external_id"]).contains("--source crm"));
    assert_eq!(said(&unknown, &["external_id", "source"]), "");
    let mapped = Import { map: vec![("system".to_owned(), "source".to_owned())], ..unknown };
    assert_eq!(said(&mapped, &["external_id", "system"]), "");
}

#[test]
fn a_field_that_a_line_can_say_once_has_one_column() {
    let mapping = |columns: &[&str]| Mapping::new(&arguments(Subject::Profiles, &[]), &header(columns)).map(drop);
    let twice = mapping(&["external_id", "trait.age", "trait.age:number"]).expect_err("twice");
    assert!(twice.message.contains("several columns for trait.age,"), "{}", twice.message);
    assert!(mapping(&["external_id", "external_id"]).is_err());
    assert!(mapping(&["external_id", "identifier.email", "identifier.email"]).is_ok());
}

#[test]
fn a_field_that_json_says_twice_is_refused_where_it_would_be_a_guess() {
    let mapping = Mapping::new(&arguments(Subject::Profiles, &[]), &[]).expect("no header");
    let said = |text: &str| mapping.profile(&Content::Json(text.to_owned())).map(drop);
    for (text, field) in [
        (r#"{"external_id":"1","traits":{"dup":1,"dup":2}}"#, "traits.dup"),
        (r#"{"external_id":"1","external_id":"1"}"#, "external_id"),
        (r#"{"external_id":"1","externalId":"2"}"#, "external_id"),
        (r#"{"external_id":"1","traits":{"age":5,"age:number":"6"}}"#, "trait.age"),
    ] {
        assert_eq!(said(text), Err(Wrong::one(field, "is there twice: say it once")), "{text}");
    }
    assert_eq!(
        said(
            r#"{"external_id":"1","externalId":"1","identifiers":[{"namespace":"email","value":"a@x.example"},{"namespace":"email","value":"b@x.example"}]}"#
        ),
        Ok(())
    );
}

#[test]
fn a_record_and_the_same_line_of_json_say_the_same() {
    let columns = [
        "source",
        "external_id",
        "identifier.email",
        "First",
        "trait.age:number",
        "consent.marketing.email",
        "observed_at",
    ];
    let map = [("First", "trait.first_name")];
    let mapping = Mapping::new(&arguments(Subject::Profiles, &map), &header(&columns)).expect("a header");
    let record = cells(&["crm", "1", "a@example.com", "Anna", "41.5", "yes", "2024-05-01"]);
    let of_csv = mapping.profile(&record).expect("sound");
    let line = r#"{"source":"crm","externalId":"1","identifiers":[{"namespace":"email","value":"a@example.com"}],
        "traits":{"first_name":"Anna","age":41.5},"consents":{"marketing.email":"granted"},"observedAt":"2024-05-01T00:00:00Z"}"#;
    let of_json = mapping.profile(&Content::Json(line.to_owned())).expect("sound");
    assert_eq!(of_csv, of_json);
    assert_eq!((of_csv.traits.len(), of_csv.consents[0].channel.as_str()), (2, "email"));
}

#[test]
fn what_is_wrong_with_a_line_is_named_without_its_values() {
    let columns = ["external_id", "trait.age:number", "party", "identifier.email"];
    let mapping = Mapping::new(&arguments(Subject::Profiles, &[]), &header(&columns)).expect("a header");
    let wrong = mapping.profile(&cells(&["", "forty", "friend", "a@example.com"])).expect_err("wrong");
    let fields: Vec<&str> = wrong.0.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["trait.age:number", "party", "external_id"]);
    assert!(!format!("{wrong:?}").contains("forty") && !format!("{wrong:?}").contains("friend"));
}

#[test]
fn a_wrong_header_is_told_with_the_fields_that_there_are() {
    let refused = Mapping::new(&arguments(Subject::Profiles, &[]), &header(&["source", "Mail"])).err();
    let text = refused.expect("refused").message;
    assert!(text.contains("Mail") && text.contains("identifier.<name>") && text.contains("--map"), "{text}");
    let passed = Mapping::new(&arguments(Subject::Profiles, &[("Mail", "-")]), &header(&["source", "Mail"]));
    assert!(passed.is_ok());
}

#[test]
fn interactions_are_read_with_their_worth_and_their_customer() {
    let columns =
        ["source", "external_id", "type", "occurred_at", "customer.email", "value", "currency", "attribute.size"];
    let mapping = Mapping::new(&arguments(Subject::Interactions, &[]), &header(&columns)).expect("a header");
    let record = cells(&["shop", "1", "purchase", "2024-05-01", "a@example.com", "-19.99", "eur", "L"]);
    let found = mapping.interaction(&record).expect("sound");
    let value = found.value.clone().expect("a value");
    assert_eq!((value.currency_code.as_str(), value.units, value.nanos), ("EUR", -19, -990_000_000));
    let line = r#"{"source":"shop","externalId":"1","type":"purchase","occurredAt":"2024-05-01","attributes":{"size":"L"},
        "customer":{"identifier":{"namespace":"email","value":"a@example.com"}},"value":{"currencyCode":"EUR","units":"-19","nanos":-990000000}}"#;
    assert_eq!(mapping.interaction(&Content::Json(line.to_owned())).expect("sound"), found);
    let without = mapping.interaction(&cells(&["shop", "1", "purchase", "", "", "1", "", ""])).expect_err("wrong");
    let fields: Vec<&str> = without.0.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["value", "occurred_at", "customer"]);
}
