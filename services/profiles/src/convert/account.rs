//! Accounts and their members between the contract and the domain.

use std::collections::BTreeMap;

use rapport_api::convert::{instant, timestamp};
use rapport_api::profiles::v1 as pb;
use rapport_kernel::{Fault, Private, Timestamp, Violations, page_size};

use super::value::{value, value_message};
use super::{add, named, observed};
use crate::domain::account::{self, Account, AccountKey, AccountKind, AccountNamed};
use crate::domain::namespace::Namespaces;
use crate::service::accounts::{Change, Draft, Effect, Listing, UNTOLD, Upsert};
use crate::service::members::{Belongs, Member};

/// That the contract's rules let something through which they do not.
fn missing() -> Fault {
    Fault::internal("what the contract requires is there once its rules hold")
}

/// What an account is, as the contract has it.
#[must_use]
pub const fn kind_message(kind: AccountKind) -> pb::AccountKind {
    match kind {
        AccountKind::Household => pb::AccountKind::Household,
        AccountKind::Company => pb::AccountKind::Company,
        AccountKind::Team => pb::AccountKind::Team,
        AccountKind::Other => pb::AccountKind::Other,
    }
}

fn kind(message: i32) -> Option<AccountKind> {
    AccountKind::ALL.into_iter().find(|kind| i32::from(kind_message(*kind)) == message)
}

fn key(message: &pb::AccountKey) -> AccountKey {
    AccountKey { source: message.source.clone(), external_id: Private::new(message.external_id.clone()) }
}

type Traits = BTreeMap<String, crate::domain::value::Value>;

fn traits(messages: &BTreeMap<String, rapport_api::common::v1::Value>, field: &str, out: &mut Violations) -> Traits {
    let traits: Traits = messages.iter().filter_map(|(name, message)| Some((name.clone(), value(message)?))).collect();
    if account::weight(&traits) > account::MOST_BYTES {
        add(out, field, "traits.size", "must be at most 64 KiB");
    }
    traits
}

/// An account to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(message: &pb::CreateAccountRequest) -> Result<Draft, Fault> {
    let mut out = rapport_api::check(message);
    let account = message.account.clone().unwrap_or_default();
    if message.account.is_some() && account.kind == i32::from(pb::AccountKind::Unspecified) {
        add(
            &mut out,
            "account.kind",
            "required",
            "must be set: an account is a household, a company, a team, or another",
        );
    }
    let traits = traits(&account.traits, "account.traits", &mut out);
    out.check()?;
    Ok(Draft {
        kind: kind(account.kind).ok_or_else(missing)?,
        name: account.name,
        traits,
        keys: account.keys.iter().map(key).collect(),
    })
}

/// What a source tells of an account.
pub fn upsert(message: &pb::UpsertAccountRequest) -> Result<Upsert, Fault> {
    let mut out = rapport_api::check(message);
    let set = traits(&message.traits, "traits", &mut out);
    for (at, name) in message.unset_traits.iter().enumerate() {
        if set.contains_key(name) {
            let text = "must not name a trait that the same call sets";
            add(&mut out, &format!("unset_traits[{at}]"), "unset_traits.apart", text);
        }
    }
    out.check()?;
    let external_id = Private::new(message.external_id.clone());
    Ok(Upsert {
        key: AccountKey { source: message.source.clone(), external_id },
        version: message.version,
        kind: kind(message.kind).ok_or_else(missing)?,
        name: message.name.clone(),
        set,
        unset: message.unset_traits.iter().cloned().collect(),
    })
}

/// What to change of an account.
pub fn update(message: &pb::UpdateAccountRequest) -> Result<Change, Fault> {
    let mut out = rapport_api::check(message);
    let account = message.account.clone().unwrap_or_default();
    if account.account_id.is_empty() {
        add(&mut out, "account.account_id", "required", "must name the account");
    }
    let all = traits(&account.traits, "account.traits", &mut out);
    let paths = message.update_mask.as_ref().map(|mask| mask.paths.clone()).filter(|paths| !paths.is_empty());
    let whole = || ["name", "traits", "keys"].map(str::to_owned).to_vec();
    let (mut name, mut whole_traits, mut keys, mut some) = (None, None, None, BTreeMap::new());
    for (at, path) in paths.unwrap_or_else(whole).iter().enumerate() {
        match (path.as_str(), path.strip_prefix("traits.")) {
            ("name", _) => name = Some(account.name.clone()),
            ("traits", _) => whole_traits = Some(all.clone()),
            ("keys", _) => keys = Some(account.keys.iter().map(key).collect()),
            (_, Some(of)) if !of.is_empty() => drop(some.insert(of.to_owned(), all.get(of).cloned())),
            _ => {
                let text = "must be name, traits, keys, or one trait, as \"traits.plan\"";
                add(&mut out, &format!("update_mask.paths[{at}]"), "update_mask.path", text);
            }
        }
    }
    out.check()?;
    Ok(Change {
        id: account.account_id.parse().map_err(|_| missing())?,
        expected: revision(&account.etag),
        name,
        traits: whole_traits,
        some,
        keys,
    })
}

/// The revision that an etag names; one that names none is never the newest.
#[must_use]
pub fn revision(etag: &str) -> Option<u64> {
    (!etag.is_empty()).then(|| etag.parse().unwrap_or(0))
}

/// Which account; `None` where the contract's rules have refused it.
fn account_named(message: Option<&pb::AccountRef>) -> Option<AccountNamed> {
    match message?.r#ref.as_ref()? {
        pb::account_ref::Ref::AccountId(id) => id.parse().ok().map(AccountNamed::Id),
        pb::account_ref::Ref::Key(of) => Some(AccountNamed::Key(key(of))),
    }
}

/// Which account to answer.
pub fn get(message: &pb::GetAccountRequest) -> Result<AccountNamed, Fault> {
    rapport_api::check(message).check()?;
    account_named(message.account.as_ref()).ok_or_else(missing)
}

/// Which accounts to list, and what a page token is bound to.
pub fn list(message: &pb::ListAccountsRequest, namespaces: &Namespaces) -> Result<(Listing, String), Fault> {
    let mut out = rapport_api::check(message);
    let member = named(message.member.as_ref(), "member", namespaces, &mut out);
    out.check()?;
    let query = match &member {
        None => format!("ListAccounts|{}", message.kind),
        Some(crate::domain::value::Named::Id(id)) => format!("ListAccounts|{}|{id}", message.kind),
        Some(crate::domain::value::Named::Identifier(of)) => {
            format!("ListAccounts|{}|{}:{}", message.kind, of.namespace, of.value.expose())
        }
    };
    Ok((Listing { member, kind: kind(message.kind), size: page_size(message.page_size)? }, query))
}

/// Which account to delete, at which revision.
pub fn delete(message: &pb::DeleteAccountRequest) -> Result<(account::AccountId, Option<u64>), Fault> {
    rapport_api::check(message).check()?;
    Ok((message.account_id.parse().map_err(|_| missing())?, revision(&message.etag)))
}

/// Who belongs to an account.
pub fn add_member(message: &pb::AddMemberRequest, now: Timestamp, namespaces: &Namespaces) -> Result<Member, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let observed_at = observed(message.observed_at.as_ref(), "observed_at", now, &mut out).unwrap_or(now);
    out.check()?;
    Ok(Member {
        account: account_named(message.account.as_ref()).ok_or_else(missing)?,
        customer: customer.ok_or_else(missing)?,
        role: message.role.clone(),
        at: message.start_time.as_ref().and_then(|at| instant(at).ok()).unwrap_or(observed_at),
        observed_at,
        source: message.source.clone(),
    })
}

/// Who belongs to an account no longer.
pub fn remove_member(
    message: &pb::RemoveMemberRequest,
    now: Timestamp,
    namespaces: &Namespaces,
) -> Result<Member, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let observed_at = observed(message.observed_at.as_ref(), "observed_at", now, &mut out).unwrap_or(now);
    out.check()?;
    Ok(Member {
        account: account_named(message.account.as_ref()).ok_or_else(missing)?,
        customer: customer.ok_or_else(missing)?,
        role: String::new(),
        at: message.end_time.as_ref().and_then(|at| instant(at).ok()).unwrap_or(observed_at),
        observed_at,
        source: message.source.clone(),
    })
}

/// Whose members, how many, and what a page token is bound to.
pub fn members(message: &pb::ListMembersRequest) -> Result<(AccountNamed, usize, String), Fault> {
    rapport_api::check(message).check()?;
    let named = account_named(message.account.as_ref()).ok_or_else(missing)?;
    let of = match &named {
        AccountNamed::Id(id) => id.to_string(),
        AccountNamed::Key(key) => format!("{}:{}", key.source, key.external_id.expose()),
    };
    Ok((named, page_size(message.page_size)?, format!("ListMembers|{}|{of}", message.include_former)))
}

/// An account.
#[must_use]
pub fn account(account: &Account) -> pb::Account {
    let key = |(key, version): (&AccountKey, &i64)| pb::AccountKey {
        source: key.source.clone(),
        external_id: key.external_id.expose().clone(),
        version: if *version == UNTOLD { 0 } else { *version },
    };
    pb::Account {
        account_id: account.id.to_string(),
        kind: kind_message(account.kind).into(),
        name: account.name.clone(),
        traits: account.traits.iter().map(|(name, value)| (name.clone(), value_message(value))).collect(),
        keys: account.keys.iter().map(key).collect(),
        revision: account.revision,
        etag: account.revision.to_string(),
        create_time: Some(timestamp(account.created_at)),
        update_time: Some(timestamp(account.updated_at)),
    }
}

/// What an upsert did.
#[must_use]
pub fn upserted((held, effect): &(Account, Effect)) -> pb::UpsertAccountResponse {
    let outcome = match effect {
        Effect::Created => pb::UpsertAccountOutcome::Created,
        Effect::Updated => pb::UpsertAccountOutcome::Updated,
        Effect::Unchanged => pb::UpsertAccountOutcome::Unchanged,
    };
    pb::UpsertAccountResponse { account: Some(account(held)), outcome: outcome.into() }
}

/// A member.
#[must_use]
pub fn member(belongs: &Belongs) -> pb::AccountMember {
    let membership = &belongs.membership;
    pb::AccountMember {
        account_id: membership.account.to_string(),
        customer_id: belongs.customer.to_string(),
        subject_id: belongs.subject.to_string(),
        role: membership.role.clone(),
        start_time: Some(timestamp(membership.since)),
        end_time: membership.until.map(timestamp),
        source: membership.source.clone(),
        observed_at: Some(timestamp(membership.observed_at)),
    }
}
