//! Accounts and their members, through merges, splits, erasures, and in whatever order they are told.

use std::collections::BTreeMap;

use prost_types::FieldMask;
use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::profiles::v1::{
    Account, AccountKey, AccountKind, AccountMember, AccountRef, AddMemberRequest, CreateAccountRequest,
    DeleteAccountRequest, DeleteSourceRecordRequest, GetAccountRequest, GetProfileRequest, ListAccountsRequest,
    ListMembersRequest, Profile, RemoveMemberRequest, SplitProfileRequest, UpdateAccountRequest, UpsertAccountRequest,
    account_ref::Ref,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;
use tonic::Response;

use crate::ground::*;
use crate::merges::merge;

fn of(id: &str) -> Option<AccountRef> {
    Some(AccountRef { r#ref: Some(Ref::AccountId(id.to_owned())) })
}

fn key(external_id: &str) -> AccountKey {
    AccountKey { source: "crm".to_owned(), external_id: external_id.to_owned(), version: 0 }
}

async fn company(ground: &Ground, tenant: TenantId, name: &str) -> Account {
    let account = Account {
        kind: AccountKind::Company.into(),
        name: name.to_owned(),
        keys: vec![key(name)],
        traits: [("plan".to_owned(), text("gold")), ("city".to_owned(), text("Riga"))].into(),
        ..Account::default()
    };
    let request = CreateAccountRequest { request_id: String::new(), account: Some(account) };
    ground.accounts(tenant).create_account(request).await.expect("made").into_inner()
}

fn adds(account: &str, customer: &str, role: &str, seconds: i64) -> AddMemberRequest {
    AddMemberRequest {
        account: of(account),
        customer: Some(by_id(customer)),
        role: role.to_owned(),
        observed_at: Some(at(seconds)),
        source: "crm".to_owned(),
        ..AddMemberRequest::default()
    }
}

fn removes(account: &str, customer: &str, seconds: i64) -> RemoveMemberRequest {
    RemoveMemberRequest {
        account: of(account),
        customer: Some(by_id(customer)),
        observed_at: Some(at(seconds)),
        source: "crm".to_owned(),
        ..RemoveMemberRequest::default()
    }
}

async fn members(ground: &Ground, tenant: TenantId, account: &str, former: bool) -> Vec<AccountMember> {
    let mut request =
        ListMembersRequest { account: of(account), include_former: former, page_size: 1, page_token: String::new() };
    let mut found = Vec::new();
    loop {
        let page = ground.accounts(tenant).list_members(request.clone()).await.expect("a page").into_inner();
        found.extend(page.members);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return found;
        }
    }
}

fn roles(profile: &Profile) -> BTreeMap<String, String> {
    profile.accounts.iter().map(|held| (held.account_id.clone(), held.role.clone())).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_belong_through_merges_and_splits_until_they_leave_or_are_erased(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (home, firm) =
        (company(&ground, tenant, "home").await.account_id, company(&ground, tenant, "firm").await.account_id);
    let anna = customer(&ground.record(tenant, "1", &[]).await);
    let bert = customer(&ground.record(tenant, "2", &[]).await);
    let mut accounts = ground.accounts(tenant);
    let made = accounts.add_member(adds(&home, &anna, "mother", 1)).await.expect("added").into_inner();
    assert_eq!((made.customer_id.as_str(), made.role.as_str()), (&*anna, "mother"));
    accounts.add_member(adds(&firm, &bert, "buyer", 1)).await.expect("added");
    let held = ground.get(tenant, by_id(&anna)).await.expect("there");
    assert_eq!((held.revision, roles(&held)), (2, [(home.clone(), "mother".to_owned())].into()));
    assert_eq!(held.accounts[0].kind(), AccountKind::Company);
    let before = ground.clock.now();
    ground.wait(10);
    ground.profiles(tenant).merge_profiles(merge(&anna, &[&bert])).await.expect("merged");
    let one = ground.get(tenant, by_id(&bert)).await.expect("there");
    assert_eq!(roles(&one), [(home.clone(), "mother".to_owned()), (firm.clone(), "buyer".to_owned())].into());
    assert_eq!(members(&ground, tenant, &firm, false).await[0].customer_id, anna, "the customer of now");
    // What is told of the customer now hangs on the subject that it names.
    accounts.add_member(adds(&firm, &anna, "owner", 2)).await.expect("added");
    let split = SplitProfileRequest {
        customer: Some(by_id(&anna)),
        source_records: vec![named("2")],
        ..SplitProfileRequest::default()
    };
    ground.profiles(tenant).split_profile(split).await.expect("split");
    let (anna_now, bert_now) = (
        ground.get(tenant, by_id(&anna)).await.expect("there"),
        ground.get(tenant, by_id(&bert)).await.expect("there"),
    );
    assert_eq!(roles(&anna_now), [(home.clone(), "mother".to_owned()), (firm.clone(), "owner".to_owned())].into());
    assert_eq!(roles(&bert_now), [(firm.clone(), "buyer".to_owned())].into());
    let past = GetProfileRequest {
        customer: Some(by_id(&bert)),
        as_of: Some(timestamp(before)),
        ..GetProfileRequest::default()
    };
    let past = ground.profiles(tenant).get_profile(past).await.expect("known").into_inner();
    assert_eq!(roles(&past), [(firm.clone(), "buyer".to_owned())].into());
    let request = ListAccountsRequest { member: Some(by_id(&anna)), ..ListAccountsRequest::default() };
    let mine = accounts.list_accounts(request).await.expect("a page").into_inner().accounts;
    assert_eq!(mine.iter().map(|it| it.account_id.as_str()).collect::<Vec<_>>(), [&*home, &*firm]);
    // Whoever is erased belongs to nothing.
    let erase = EraseSubjectsRequest {
        erasure_id: uuid::Uuid::now_v7().to_string(),
        subject_ids: vec![bert.clone()],
        requested_at: Some(at(0)),
    };
    ground.erasures(tenant).erase_subjects(erase).await.expect("erased");
    assert_eq!(members(&ground, tenant, &firm, true).await.len(), 1);
    // Of a deleted account nobody is a member.
    let gone = DeleteAccountRequest { account_id: firm.clone(), ..DeleteAccountRequest::default() };
    accounts.delete_account(gone).await.expect("deleted");
    let left = ground.get(tenant, by_id(&anna)).await.expect("there");
    assert_eq!(roles(&left), [(home, "mother".to_owned())].into());
    assert_eq!(reason(accounts.get_account(GetAccountRequest { account: of(&firm) }).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(accounts.add_member(adds(&firm, &anna, "", 9)).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_last_holds_in_whatever_order_it_comes(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let account = company(&ground, tenant, "firm").await.account_id;
    let mut accounts = ground.accounts(tenant);
    // buyer at 1, gone at 3, owner at 5, gone at 7: told in every order.
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        for told in 1..=4 {
            let who = customer(&ground.record(tenant, &format!("{order:?}{told}"), &[]).await);
            for step in &order[..told] {
                match step {
                    0 => drop(accounts.add_member(adds(&account, &who, "buyer", 1)).await.expect("added")),
                    1 => drop(accounts.remove_member(removes(&account, &who, 3)).await.expect("removed")),
                    2 => drop(accounts.add_member(adds(&account, &who, "owner", 5)).await.expect("added")),
                    _ => drop(accounts.remove_member(removes(&account, &who, 7)).await.expect("removed")),
                }
            }
            let last = order[..told].iter().max().expect("told");
            let expected = [Some("buyer"), None, Some("owner"), None][*last];
            let held = ground.get(tenant, by_id(&who)).await.expect("there");
            assert_eq!(roles(&held).get(&account).map(String::as_str), expected, "{order:?} {told}");
        }
    }
    let now = members(&ground, tenant, &account, false).await;
    assert!(now.iter().all(|member| member.end_time.is_none() && !member.role.is_empty()));
    assert_eq!(members(&ground, tenant, &account, true).await.len(), 16);
    // An identifier that nobody carries begins a record.
    let new = AddMemberRequest { customer: Some(by_identifier("user_id", "u-9")), ..adds(&account, "", "", 1) };
    let added = accounts.add_member(new).await.expect("added").into_inner();
    let found = ground.get(tenant, by_identifier("user_id", "u-9")).await.expect("there");
    assert_eq!((found.customer_id, found.accounts.len()), (added.customer_id, 1));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_told_by_sources_and_changed_by_people_and_each_change_is_published(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (mut accounts, mut reader) = (ground.accounts(tenant), ground.reader());
    let upsert = |version: i64, name: &str, set: &[(&str, &str)]| UpsertAccountRequest {
        source: "crm".to_owned(),
        external_id: "a-1".to_owned(),
        version,
        kind: AccountKind::Household.into(),
        name: name.to_owned(),
        traits: set.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
        ..UpsertAccountRequest::default()
    };
    let first = accounts.upsert_account(upsert(0, "Berg", &[("city", "Riga")])).await.expect("told").into_inner();
    assert_eq!(first.outcome().as_str_name(), "UPSERT_ACCOUNT_OUTCOME_CREATED");
    let newer = accounts.upsert_account(upsert(5, "", &[("plan", "gold")])).await.expect("told").into_inner();
    assert_eq!(newer.outcome().as_str_name(), "UPSERT_ACCOUNT_OUTCOME_UPDATED");
    let held = newer.account.expect("an account");
    assert_eq!((held.name.as_str(), held.traits.len(), held.revision, held.keys[0].version), ("Berg", 2, 2, 5));
    for version in [5, 4, 0] {
        let late = accounts.upsert_account(upsert(version, "Tal", &[])).await.expect("told").into_inner();
        assert_eq!(late.outcome().as_str_name(), "UPSERT_ACCOUNT_OUTCOME_UNCHANGED");
        assert_eq!(late.account.as_ref(), Some(&held));
    }
    let other = UpsertAccountRequest { kind: AccountKind::Team.into(), ..upsert(9, "", &[]) };
    assert_eq!(reason(accounts.upsert_account(other).await), "INVALID_STATE");
    let change = |etag: &str, paths: &[&str]| UpdateAccountRequest {
        account: Some(Account {
            account_id: held.account_id.clone(),
            etag: etag.to_owned(),
            name: "Berg-Tal".to_owned(),
            traits: [("floor".to_owned(), text("3"))].into(),
            keys: vec![key("a-2")],
            ..Account::default()
        }),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        ..UpdateAccountRequest::default()
    };
    assert_eq!(reason(accounts.update_account(change("1", &["name"])).await), "STALE_ETAG");
    let some = change("2", &["traits.city", "traits.floor", "name"]);
    let changed = accounts.update_account(some).await.expect("changed").into_inner();
    assert_eq!(changed.traits.keys().collect::<Vec<_>>(), ["floor", "plan"]);
    assert_eq!(
        (changed.name.as_str(), changed.etag.as_str(), changed.keys[0].external_id.as_str()),
        ("Berg-Tal", "3", "a-1")
    );
    let all = accounts.update_account(change("", &[])).await.expect("changed").into_inner();
    assert_eq!((all.traits.len(), all.keys.len(), all.keys[0].external_id.as_str()), (1, 1, "a-2"));
    let by_key = GetAccountRequest { account: Some(AccountRef { r#ref: Some(Ref::Key(key("a-2"))) }) };
    assert_eq!(accounts.get_account(by_key).await.expect("there").into_inner(), all);
    let wrong = accounts.update_account(change("", &["kind", "traits."])).await;
    assert_eq!(violations(wrong).len(), 2);
    let nothing = CreateAccountRequest { account: Some(Account::default()), ..CreateAccountRequest::default() };
    let nothing = violations(accounts.create_account(nothing).await);
    assert_eq!(nothing.first().map(|(field, _)| field.as_str()), Some("account.kind"));
    let twin = CreateAccountRequest { request_id: uuid::Uuid::new_v4().to_string(), account: Some(all.clone()) };
    assert_eq!(reason(accounts.create_account(twin).await), "RESOURCE_EXISTS");
    let request_id = uuid::Uuid::new_v4().to_string();
    let once = CreateAccountRequest {
        request_id,
        account: Some(Account { kind: AccountKind::Company.into(), ..Account::default() }),
    };
    let made = accounts.create_account(once.clone()).await.expect("made").into_inner();
    assert_eq!(accounts.create_account(once).await.expect("the same").into_inner(), made);
    let list = |kind: AccountKind| ListAccountsRequest { kind: kind.into(), ..ListAccountsRequest::default() };
    let listed = async |kind| ground.accounts(tenant).list_accounts(list(kind)).await.map(Response::into_inner);
    assert_eq!(listed(AccountKind::Company).await.expect("a page").accounts, std::slice::from_ref(&made));
    assert_eq!(listed(AccountKind::Unspecified).await.expect("a page").accounts, [all.clone(), made]);
    assert_eq!(
        reason(ground.accounts(TenantId::new()).get_account(GetAccountRequest { account: of(&all.account_id) }).await),
        "RESOURCE_NOT_FOUND"
    );
    let events = reader.next(5).await;
    let told: Vec<_> = events.iter().filter(|event| event.aggregate_id == all.account_id).collect();
    assert_eq!(told.iter().map(|event| event.revision).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(matches!(&told[3].payload, Some(Payload::AccountChanged(changed)) if changed.name == "Berg-Tal"));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_source_said_of_members_leaves_with_its_record_and_what_others_said_stays(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (home, firm) =
        (company(&ground, tenant, "home").await.account_id, company(&ground, tenant, "firm").await.account_id);
    let anna = customer(&ground.identify(tenant, states("1", &[], 1)).await);
    let mut accounts = ground.accounts(tenant);
    accounts.add_member(adds(&home, &anna, "mother", 2)).await.expect("added");
    let by_shop = AddMemberRequest { source: "shop".to_owned(), ..adds(&firm, &anna, "buyer", 2) };
    accounts.add_member(by_shop).await.expect("added");
    let deletion = DeleteSourceRecordRequest {
        source: "crm".to_owned(),
        external_id: "1".to_owned(),
        observed_at: Some(at(10)),
        ..DeleteSourceRecordRequest::default()
    };
    let left = ground.profiles(tenant).delete_source_record(deletion).await.expect("heard").into_inner();
    assert_eq!(roles(&left), [(firm.clone(), "buyer".to_owned())].into());
    assert!(members(&ground, tenant, &home, true).await.is_empty());
    assert_eq!(members(&ground, tenant, &firm, false).await.len(), 1);
    // What it said before and is told late is not heard; what it says since is.
    accounts.add_member(adds(&home, &anna, "aunt", 9)).await.expect("told");
    assert!(members(&ground, tenant, &home, false).await.is_empty());
    accounts.add_member(adds(&home, &anna, "sister", 11)).await.expect("told");
    let now = ground.get(tenant, by_id(&anna)).await.expect("there");
    assert_eq!(now.accounts.len(), 2);
    assert_eq!(members(&ground, tenant, &home, false).await[0].role, "sister");
}
