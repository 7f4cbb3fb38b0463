//! Accounts: made, changed and deleted by id or by how a source knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::attach::resolve;
use super::{Profiles, again, stripe};
use crate::domain::account::{self, Account, AccountId, AccountKey, AccountKind, AccountNamed};
use crate::domain::value::{Named, Value};
use crate::events;
use crate::store::{account as stored, account_member, link};

/// In how many stripes the keys of accounts are locked.
const STRIPES: u64 = 256;

/// The version of a key by which its source has told nothing yet: each of its versions is newer.
pub const UNTOLD: i64 = -1;

/// An account to make.
#[derive(Clone)]
pub struct Draft {
    /// What it is.
    pub kind: AccountKind,
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub traits: BTreeMap<String, Value>,
    /// By which the sources know it.
    pub keys: BTreeSet<AccountKey>,
}

/// What a source tells of an account.
#[derive(Clone)]
pub struct Upsert {
    /// By which the source knows it.
    pub key: AccountKey,
    /// The source's version.
    pub version: i64,
    /// What it is.
    pub kind: AccountKind,
    /// Its name; empty: as it was.
    pub name: String,
    /// Traits to set.
    pub set: BTreeMap<String, Value>,
    /// Traits to take away.
    pub unset: BTreeSet<String>,
}

/// What an upsert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was new.
    Created,
    /// It was changed.
    Updated,
    /// This version, or a newer one, is held.
    Unchanged,
}

/// What to change of an account.
#[derive(Clone)]
pub struct Change {
    /// Which.
    pub id: AccountId,
    /// The revision as last read.
    pub expected: Option<u64>,
    /// Its name.
    pub name: Option<String>,
    /// All its traits.
    pub traits: Option<BTreeMap<String, Value>>,
    /// Single traits: to set, or to take away.
    pub some: BTreeMap<String, Option<Value>>,
    /// All its keys.
    pub keys: Option<BTreeSet<AccountKey>>,
}

/// Which accounts to list.
pub struct Listing {
    /// Those of a customer; none: all.
    pub member: Option<Named>,
    /// Those of a kind; none: all.
    pub kind: Option<AccountKind>,
    /// How many.
    pub size: usize,
}

impl Profiles {
    /// Makes an account.
    ///
    /// # Errors
    /// ALREADY_EXISTS where another account has a key.
    pub async fn create_account(
        &self,
        call: &Call,
        receipt: Receipt<Account>,
        draft: Draft,
    ) -> Result<Answer<Account>, Fault> {
        let unit = move |tx: Tx| {
            let draft = draft.clone();
            async move {
                lock_keys(&tx, draft.keys.iter()).await?;
                let account = Account {
                    id: AccountId::new(),
                    kind: draft.kind,
                    name: draft.name,
                    traits: draft.traits,
                    keys: draft.keys.into_iter().map(|key| (key, UNTOLD)).collect(),
                    revision: 1,
                    created_at: tx.now(),
                    updated_at: tx.now(),
                };
                write(&tx, account).await
            }
        };
        self.change_account(call, receipt, unit).await
    }

    /// Hears what a source tells of an account.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (INVALID_STATE) where the account is of another kind or would hold too much.
    pub async fn upsert_account(
        &self,
        call: &Call,
        receipt: Receipt<(Account, Effect)>,
        input: Upsert,
    ) -> Result<Answer<(Account, Effect)>, Fault> {
        let unit = move |tx: Tx| {
            let input = input.clone();
            async move {
                lock_keys(&tx, std::iter::once(&input.key)).await?;
                match stored::of_key(&tx, &input.key).await? {
                    Some(id) => {
                        lock(&tx, id).await?;
                        update(&tx, id, input).await
                    }
                    None => begin(&tx, input).await,
                }
            }
        };
        self.change_account(call, receipt, unit).await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); ALREADY_EXISTS where another account has a key.
    pub async fn update_account(
        &self,
        call: &Call,
        receipt: Receipt<Account>,
        change: Change,
    ) -> Result<Answer<Account>, Fault> {
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move {
                lock_keys(&tx, change.keys.iter().flatten()).await?;
                lock(&tx, change.id).await?;
                let before = found(&tx, change.id).await?;
                expect(&before, change.expected)?;
                let mut after = before.clone();
                after.name = change.name.unwrap_or(after.name);
                after.traits = change.traits.unwrap_or(after.traits);
                for (name, value) in change.some {
                    match value {
                        Some(value) => drop(after.traits.insert(name, value)),
                        None => drop(after.traits.remove(&name)),
                    }
                }
                if let Some(keys) = change.keys {
                    let version = |key: &AccountKey| before.keys.get(key).copied().unwrap_or(UNTOLD);
                    after.keys = keys.into_iter().map(|key| (key.clone(), version(&key))).collect();
                }
                if after == before { Ok(before) } else { rewrite(&tx, after).await }
            }
        };
        self.change_account(call, receipt, unit).await
    }

    /// One account.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn account(&self, call: &Call, named: &AccountNamed) -> Result<Account, Fault> {
        self.read(call, |rx| async move { find(&rx, named).await }).await
    }

    /// A page of accounts after an id.
    ///
    /// # Errors
    /// NOT_FOUND where the customer is not known.
    pub async fn accounts(
        &self,
        call: &Call,
        listing: &Listing,
        after: Option<AccountId>,
    ) -> Result<keyset::Page<Account, AccountId>, Fault> {
        let read = self.read(call, |rx| async move {
            let among = match &listing.member {
                None => None,
                Some(named) => {
                    let (_, customer) = resolve(&rx, named).await?;
                    let members = link::members(&rx, &[customer]).await?;
                    let subjects: Vec<_> = members.into_iter().map(|link| link.subject).collect();
                    Some(account_member::accounts_of(&rx, &subjects).await?)
                }
            };
            stored::page(&rx, after, (listing.kind, among.as_deref()), listing.size).await
        });
        Ok(keyset::page(read.await?, listing.size, Account::weight, |account| account.id))
    }

    async fn change_account<T, F, Fut>(&self, call: &Call, receipt: Receipt<T>, unit: F) -> Result<Answer<T>, Fault>
    where
        T: Send + Sync + 'static,
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let (database, unit) = (self.database(call), Arc::new(unit));
        again(|| {
            let (unit, receipt) = (Arc::clone(&unit), receipt.clone());
            database.write_once(call.tenant(), receipt, move |tx| unit(tx))
        })
        .await
    }
}

/// An account as a call names it.
///
/// # Errors
/// NOT_FOUND.
pub(crate) async fn find(rx: &Rx, named: &AccountNamed) -> Result<Account, Fault> {
    let id = match named {
        AccountNamed::Id(id) => *id,
        AccountNamed::Key(key) => {
            let missing = || Fault::not_found("account", format!("of {}", key.source));
            stored::of_key(rx, key).await?.ok_or_else(missing)?
        }
    };
    found(rx, id).await
}

async fn found(rx: &Rx, id: AccountId) -> Result<Account, Fault> {
    stored::find(rx, id).await?.ok_or_else(|| Fault::not_found("account", id.to_string()))
}

/// Locks an account until the unit ends. Keys are locked before, customers after.
pub(crate) async fn lock(tx: &Tx, id: AccountId) -> Result<(), Fault> {
    tx.lock(&[format!("account/{id}")]).await
}

async fn lock_keys(tx: &Tx, keys: impl Iterator<Item = &AccountKey>) -> Result<(), Fault> {
    let stripe = |key: &AccountKey| stripe(&[&key.source, key.external_id.expose()], STRIPES);
    let keys: BTreeSet<String> = keys.map(|key| format!("account_key/{}", stripe(key))).collect();
    tx.lock(&keys.into_iter().collect::<Vec<_>>()).await
}

/// Fails where the account is not at the revision the caller last read.
pub(crate) fn expect(account: &Account, expected: Option<u64>) -> Result<(), Fault> {
    if expected.is_none_or(|expected| expected == account.revision) {
        return Ok(());
    }
    let text = "the etag is not the newest: read the account again, look whether the change still fits, retry";
    Err(Fault::new(Reason::StaleEtag, text).resource("account", account.id.to_string()))
}

/// Writes an account that is new or has a new revision.
async fn write(tx: &Tx, account: Account) -> Result<Account, Fault> {
    let refused = |what: &'static str, limit: usize| {
        let text = format!("the account would hold more than {limit} {what}: let it hold less");
        Err(Fault::new(Reason::InvalidState, text).precondition("ACCOUNT_SIZE", what).with("limit", limit.to_string()))
    };
    if account.traits.len() > account::MOST_TRAITS {
        return refused("traits", account::MOST_TRAITS);
    }
    if account::weight(&account.traits) > account::MOST_BYTES {
        return refused("bytes", account::MOST_BYTES);
    }
    if account.keys.len() > account::MOST_KEYS {
        return refused("keys", account::MOST_KEYS);
    }
    for key in account.keys.keys() {
        if stored::of_key(tx, key).await?.is_some_and(|other| other != account.id) {
            let text = "another account has one of the keys: a key is of one account only";
            return Err(Fault::new(Reason::ResourceExists, text).resource("account", format!("of {}", key.source)));
        }
    }
    stored::put(tx, &account).await?;
    tx.publish(events::account_changed(account.id, account.revision, tx.now(), Some(&account))).await?;
    Ok(account)
}

async fn rewrite(tx: &Tx, account: Account) -> Result<Account, Fault> {
    write(tx, Account { revision: account.revision + 1, updated_at: tx.now(), ..account }).await
}

async fn begin(tx: &Tx, input: Upsert) -> Result<(Account, Effect), Fault> {
    let account = Account {
        id: AccountId::new(),
        kind: input.kind,
        name: input.name,
        traits: input.set,
        keys: [(input.key, input.version)].into(),
        revision: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    Ok((write(tx, account).await?, Effect::Created))
}

async fn update(tx: &Tx, id: AccountId, input: Upsert) -> Result<(Account, Effect), Fault> {
    let mut account = found(tx, id).await?;
    let told = account.keys.get(&input.key).copied();
    if told.is_some_and(|told| input.version <= told) {
        return Ok((account, Effect::Unchanged));
    }
    if account.kind != input.kind {
        let text = format!("the account is a {}: what an account is cannot change", account.kind.name());
        return Err(Fault::new(Reason::InvalidState, text).precondition("ACCOUNT_KIND", id.to_string()));
    }
    account.keys.insert(input.key, input.version);
    if !input.name.is_empty() {
        account.name = input.name;
    }
    account.traits.extend(input.set);
    account.traits.retain(|name, _| !input.unset.contains(name));
    Ok((rewrite(tx, account).await?, Effect::Updated))
}
