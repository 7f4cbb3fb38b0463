//! Keeping actions.

use rapport_api::personalisation::v1::{
    Action, CreateActionRequest, DeleteActionRequest, GetActionRequest, ListActionsRequest, UpdateActionRequest,
};
use rapport_kernel::TenantId;
use tonic::Code;

use crate::world::{World, action, capped, refusal, request_id};

fn create(action: Action) -> CreateActionRequest {
    CreateActionRequest { action: Some(action), ..CreateActionRequest::default() }
}

fn update(action: &Action) -> UpdateActionRequest {
    UpdateActionRequest { action: Some(action.clone()), ..UpdateActionRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_made_read_changed_and_deleted() {
    for world in World::both().await {
        let mut calls = world.actions();
        let wanted = Action {
            channels: vec!["web".to_owned(), "email".to_owned()],
            placements: vec!["home".to_owned()],
            eligibility: "customer.traits.plan == 'gold'".to_owned(),
            propensity: Some(0.25),
            start_time: Some(prost_types::Timestamp { seconds: 1, nanos: 1_000 }),
            ..capped("a", 3)
        };
        let made = world.create(wanted.clone()).await;
        let Action { action_id, etag, create_time, update_time, .. } = made.clone();
        assert_eq!(
            made,
            Action { action_id: action_id.clone(), etag: etag.clone(), create_time, update_time, ..wanted }
        );
        let get = GetActionRequest { action_id: action_id.clone() };
        assert_eq!(calls.get_action(get.clone()).await.expect("read").into_inner(), made);

        let changed = calls.update_action(update(&Action { value: 99.0, ..made.clone() })).await;
        let changed = changed.expect("changed").into_inner();
        assert_eq!((changed.value, &changed.action_id, changed.create_time), (99.0, &action_id, create_time));
        assert_ne!(changed.etag, etag);
        let stale = refusal(calls.update_action(update(&Action { value: 1.0, ..made })).await);
        assert_eq!((stale.0, &*stale.1), (Code::Aborted, "STALE_ETAG"));
        let same = calls.update_action(update(&changed)).await.expect("unchanged").into_inner();
        assert_eq!(same, changed, "saying what is there changes nothing");

        let delete = |etag: &str| DeleteActionRequest {
            action_id: action_id.clone(),
            etag: etag.to_owned(),
            ..DeleteActionRequest::default()
        };
        assert_eq!(refusal(calls.delete_action(delete(&etag)).await).1, "STALE_ETAG");
        calls.delete_action(delete(&changed.etag)).await.expect("deleted");
        for gone in [refusal(calls.get_action(get).await), refusal(calls.update_action(update(&changed)).await)] {
            assert_eq!((gone.0, &*gone.1), (Code::NotFound, "RESOURCE_NOT_FOUND"));
        }
        assert_eq!(refusal(calls.delete_action(delete("")).await).0, Code::NotFound);
        world.create(action("a")).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_in_an_action_is_named_at_once_and_a_conditions_with_its_place() {
    let world = World::on_sqlite().await;
    let mut calls = world.actions();
    let wrong = Action { eligibility: "customer.traits.plan ==\n  &&".to_owned(), ..action("a") };
    let (code, reason, fields) = refusal(calls.create_action(create(wrong)).await);
    assert_eq!((code, &*reason), (Code::InvalidArgument, "INVALID_CONDITION"));
    assert_eq!(fields[0].0, "action.eligibility");
    assert!(fields[0].1.starts_with("line 2, column 3: "), "{}", fields[0].1);

    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let wrong = Action {
        eligibility: "customer.shoe_size > 40".to_owned(),
        value: -1.0,
        start_time: time(10),
        end_time: time(10),
        ..action("")
    };
    let (_, reason, fields) = refusal(calls.create_action(create(wrong)).await);
    let fields: Vec<&str> = fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(reason, "INVALID_FIELD");
    for field in ["action.name", "action.value", "action.end_time", "action.eligibility"] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    let unnamed = refusal(calls.update_action(update(&action("a"))).await);
    assert_eq!(unnamed.2[0].0, "action.action_id");
    let dear = Action { eligibility: "1 + 1 == 2 && ".repeat(400) + "true", ..action("dear") };
    assert_eq!(refusal(calls.create_action(create(dear)).await).0, Code::InvalidArgument);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_belongs_to_one_action() {
    for world in World::both().await {
        let (first, second) = (world.create(action("first")).await, world.create(action("second")).await);
        let mut calls = world.actions();
        let taken = refusal(calls.create_action(create(action("first"))).await);
        assert_eq!((taken.0, &*taken.1), (Code::AlreadyExists, "RESOURCE_EXISTS"));
        let renamed = Action { name: "first".to_owned(), ..second };
        assert_eq!(refusal(calls.update_action(update(&renamed)).await).1, "RESOURCE_EXISTS");
        let kept = calls.update_action(update(&Action { value: 2.0, ..first })).await.expect("its own name");
        assert_eq!(kept.into_inner().name, "first");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_id_makes_one_action() {
    for world in World::both().await {
        let mut calls = world.actions();
        let request = CreateActionRequest { request_id: request_id(), ..create(action("once")) };
        let first = calls.create_action(request.clone()).await.expect("made").into_inner();
        assert_eq!(calls.create_action(request.clone()).await.expect("answered again").into_inner(), first);
        let other = CreateActionRequest { request_id: request.request_id, ..create(action("other")) };
        let (code, reason, _) = refusal(calls.create_action(other).await);
        assert_eq!((code, &*reason), (Code::AlreadyExists, "IDEMPOTENCY_MISMATCH"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_listed_by_name_page_by_page_each_tenant_its_own() {
    for mut world in World::both().await {
        for name in ["Delta", "alpha", "Çelik", "beta", "Alpha"] {
            world.create(action(name)).await;
        }
        let mut calls = world.actions();
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = ListActionsRequest { page_size: 2, page_token };
            let page = calls.list_actions(page).await.expect("a page").into_inner();
            names.extend(page.actions.iter().map(|action| action.name.clone()));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, ["Alpha", "Delta", "alpha", "beta", "Çelik"]);

        let first = calls.list_actions(ListActionsRequest { page_size: 1, ..ListActionsRequest::default() }).await;
        let first = first.expect("a page").into_inner();
        world.tenant = TenantId::new();
        let mut foreign = world.actions();
        assert!(
            foreign.list_actions(ListActionsRequest::default()).await.expect("empty").into_inner().actions.is_empty()
        );
        let theirs = GetActionRequest { action_id: first.actions[0].action_id.clone() };
        assert_eq!(refusal(foreign.get_action(theirs).await).0, Code::NotFound);
        let token = ListActionsRequest { page_size: 1, page_token: first.next_page_token };
        assert_eq!(refusal(foreign.list_actions(token).await).1, "INVALID_PAGE_TOKEN");
        world.stop().await;
    }
}
