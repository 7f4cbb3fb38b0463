//! Who belongs to an account. It is said of a subject like anything else that is known of it, so it lies in the claims of
//! the subject's record: merges, splits and erasures leave it right by themselves, and the past is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Tx, keyset};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::accounts::{expect, find, lock};
use super::attach::{Wanted, attach, resolve};
use super::component::lock_customers;
use super::hear::hear;
use super::{Outcome, Profiles, Written, grew};
use crate::domain::account::{Account, AccountId, AccountNamed, Membership};
use crate::domain::claims::Statement;
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::Named;
use crate::events;
use crate::store::{account as stored, account_member, link, profile};

/// How many members an account may have that is deleted.
const MOST: usize = 1_000;

/// Who belongs to an account, or no longer does.
#[derive(Clone, Debug)]
pub struct Member {
    /// The account.
    pub account: AccountNamed,
    /// The customer.
    pub customer: Named,
    /// In which role; empty where unknown.
    pub role: String,
    /// Since when it does, or since when it does not.
    pub at: Timestamp,
    /// When the source knew it.
    pub observed_at: Timestamp,
    /// Who says so.
    pub source: String,
}

/// A membership as it is held, and whose it is now.
#[derive(Clone)]
pub struct Belongs {
    /// The subject.
    pub subject: SubjectId,
    /// The customer that holds it now.
    pub customer: CustomerId,
    /// What is held.
    pub membership: Membership,
}

/// The outcome of adding a member.
pub struct Added {
    /// What is held.
    pub belongs: Belongs,
    written: Written,
}

/// The outcome of removing members.
pub struct Removed {
    /// How many subjects belonged to it.
    pub removed: usize,
    written: Written,
}

impl Outcome for Added {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Outcome for Removed {
    fn written(&self) -> &Written {
        &self.written
    }
}

/// A page of members, and where the next starts.
pub type Page = keyset::Page<Belongs, SubjectId>;

impl Profiles {
    /// Adds a member.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn add_member(
        &self,
        call: &Call,
        receipt: Receipt<Added>,
        input: Member,
    ) -> Result<Answer<Added>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx: Tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move { add(&tx, &rules, &input).await }
        };
        self.change(call, receipt, unit).await
    }

    /// Removes a member: all its subjects that belong to the account.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn remove_member(
        &self,
        call: &Call,
        receipt: Receipt<Removed>,
        input: Member,
    ) -> Result<Answer<Removed>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx: Tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move {
                let account = locked(&tx, &input.account).await?;
                let (named, customer) = resolve(&tx, &input.customer).await?;
                tx.about(named);
                let subjects = link::members(&tx, &[customer]).await?.into_iter().map(|link| link.subject).collect();
                let mut done = Removed { removed: 0, written: Written::default() };
                end(&tx, &rules, &account, (subjects, &input), &mut done).await?;
                if account_member::find(&tx, named, (account.id, account.kind)).await?.is_none() {
                    // That it belongs to it may be told later, of a time before.
                    let said = ended(&account, &input, Some(input.at));
                    say(&tx, &rules, named, said, &mut done.written).await?;
                }
                Ok(done)
            }
        };
        self.change(call, receipt, unit).await
    }

    /// Deletes an account.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); FAILED_PRECONDITION (INVALID_STATE) where it has too many members.
    pub async fn delete_account(
        &self,
        call: &Call,
        receipt: Receipt<Removed>,
        id: AccountId,
        expected: Option<u64>,
    ) -> Result<Answer<Removed>, Fault> {
        let rules = self.rules(call).await?;
        let unit = move |tx: Tx| {
            let rules = Arc::clone(&rules);
            async move {
                let account = locked(&tx, &AccountNamed::Id(id)).await?;
                expect(&account, expected)?;
                let members = account_member::page(&tx, (id, account.kind), None, false, MOST).await?;
                if members.len() > MOST {
                    let text = format!("the account has more than {MOST} members: remove some of them first");
                    let fault = Fault::new(Reason::InvalidState, text);
                    return Err(fault.precondition("ACCOUNT_MEMBERS", id.to_string()));
                }
                let ends = Member {
                    account: AccountNamed::Id(id),
                    customer: Named::Id(CustomerId::from_uuid(id.uuid())),
                    role: String::new(),
                    at: tx.now(),
                    observed_at: tx.now(),
                    source: String::new(),
                };
                let subjects = members.into_iter().map(|(subject, _)| subject).collect();
                let mut done = Removed { removed: 0, written: Written::default() };
                end(&tx, &rules, &account, (subjects, &ends), &mut done).await?;
                stored::delete(&tx, id).await?;
                tx.publish(events::account_changed(id, account.revision + 1, tx.now(), None)).await?;
                Ok(done)
            }
        };
        self.change(call, receipt, unit).await
    }

    /// A page of an account's members after a subject.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn members(
        &self,
        call: &Call,
        (named, former): (&AccountNamed, bool),
        after: Option<SubjectId>,
        size: usize,
    ) -> Result<Page, Fault> {
        let read = self.read(call, |rx| async move {
            let account = find(&rx, named).await?;
            let rows = account_member::page(&rx, (account.id, account.kind), after, former, size).await?;
            let subjects: Vec<SubjectId> = rows.iter().map(|(subject, _)| *subject).collect();
            let links = link::current_of(&rx, &subjects).await?;
            let belongs = |(subject, membership): (SubjectId, Membership)| {
                let customer = links.get(&subject).map_or(subject, |link| link.customer);
                Belongs { subject, customer, membership }
            };
            Ok(rows.into_iter().map(belongs).collect::<Vec<_>>())
        });
        let weight = |it: &Belongs| 200 + it.membership.role.len() + it.membership.source.len();
        Ok(keyset::page(read.await?, size, weight, |it| it.subject))
    }
}

/// The account, which no other unit changes or deletes meanwhile.
async fn locked(tx: &Tx, named: &AccountNamed) -> Result<Account, Fault> {
    // Whoever belongs to it is not erased meanwhile.
    tx.hold_erasures().await?;
    let id = find(tx, named).await?.id;
    lock(tx, id).await?;
    find(tx, &AccountNamed::Id(id)).await
}

async fn add(tx: &Tx, rules: &Rules, input: &Member) -> Result<Added, Fault> {
    let account = locked(tx, &input.account).await?;
    let (named, source) = (input.customer.clone(), input.source.clone());
    let wanted = Wanted { named, source, observed_at: input.observed_at };
    let (attached, mut written) = attach(tx, rules, &[wanted]).await?;
    let attached = attached.into_iter().flatten().next().ok_or_else(|| input.customer.not_found())?;
    let (subject, role) = (attached.subject, input.role.clone());
    let said = Membership { role, ..ended(&account, input, None) };
    let membership = say(tx, rules, subject, said, &mut written).await?;
    let customer = link::current(tx, subject).await?.ok_or_else(grew)?.customer;
    Ok(Added { belongs: Belongs { subject, customer, membership }, written })
}

/// What is said of a membership that ended, or that goes on.
fn ended(account: &Account, input: &Member, until: Option<Timestamp>) -> Membership {
    Membership {
        observed_at: input.observed_at,
        until,
        since: input.at,
        account: account.id,
        kind: account.kind,
        role: String::new(),
        source: input.source.clone(),
    }
}

/// Ends what subjects are held to belong to.
async fn end(
    tx: &Tx,
    rules: &Rules,
    account: &Account,
    (subjects, input): (Vec<SubjectId>, &Member),
    done: &mut Removed,
) -> Result<(), Fault> {
    let links = link::current_of(tx, &subjects).await?;
    lock_customers(tx, &links.values().map(|link| link.customer).collect::<BTreeSet<_>>()).await?;
    for subject in subjects {
        let Some(held) = account_member::find(tx, subject, (account.id, account.kind)).await? else { continue };
        let (since, role) = (held.since, held.role.clone());
        // Deleting an account is nobody's word on when they left: it ends what is held, whenever that was said.
        let observed_at =
            if input.source.is_empty() { held.observed_at.max(input.observed_at) } else { input.observed_at };
        let source = if input.source.is_empty() { held.source.clone() } else { input.source.clone() };
        let said = Membership { since, role, observed_at, source, ..ended(account, input, Some(input.at)) };
        let after = say(tx, rules, subject, said, &mut done.written).await?;
        done.removed += usize::from(held.until.is_none() && after.until.is_some());
    }
    Ok(())
}

/// Hears what is said of a subject and an account; answers what is then held.
async fn say(
    tx: &Tx,
    rules: &Rules,
    subject: SubjectId,
    said: Membership,
    written: &mut Written,
) -> Result<Membership, Fault> {
    let statement = Statement { memberships: [said.clone()].into(), ..Statement::default() };
    let heard = hear(tx, rules, subject, &statement, said.observed_at).await?;
    written.live.extend(heard.written.live);
    let held = claimed(tx, heard.profile.customer, subject).await?.remove(&said.account);
    match held {
        Some(held) => {
            account_member::put(tx, subject, &held).await?;
            Ok(held)
        }
        // The source deleted the record after it had said so: with it this ended.
        None => Ok(Membership { until: Some(said.observed_at), ..said }),
    }
}

/// What a customer's record claims of accounts.
async fn claimed(tx: &Tx, customer: CustomerId, subject: SubjectId) -> Result<BTreeMap<AccountId, Membership>, Fault> {
    let Some(profile::Row { held: Held::Live { records, .. }, .. }) = profile::find(tx, customer).await? else {
        return Err(grew());
    };
    let record = records.into_iter().find(|record| record.subject == subject).ok_or_else(grew)?;
    Ok(record.claims.memberships)
}
