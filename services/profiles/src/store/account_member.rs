//! Who belongs, or belonged, to an account: of each subject what was said last. The same lies in the claims of the
//! subject's record; here it is found by the account.

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::{CHUNK, delete_subjects, uuids};
use crate::domain::account::{AccountId, AccountKind, Membership};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_member")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    pub role: String,
    pub source: String,
    pub observed_at: i64,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// What is held of a subject and an account of some kind.
fn membership(row: Model, kind: AccountKind) -> (SubjectId, Membership) {
    let membership = Membership {
        observed_at: Timestamp::from_column(row.observed_at),
        until: row.ended_at.map(Timestamp::from_column),
        since: Timestamp::from_column(row.started_at),
        account: AccountId::from_uuid(row.account_id),
        kind,
        role: row.role,
        source: row.source,
    };
    (SubjectId::from_uuid(row.subject_id), membership)
}

/// What is held of a subject and an account.
pub async fn find(rx: &Rx, subject: SubjectId, account: (AccountId, AccountKind)) -> Result<Option<Membership>, Fault> {
    let (id, kind) = account;
    let row = Entity::find_by_id((rx.tenant().uuid(), subject.uuid(), id.uuid())).one(rx.conn()).await.stored()?;
    Ok(row.map(|row| membership(row, kind).1))
}

/// The accounts that any of the subjects belongs to.
pub async fn accounts_of(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<AccountId>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let query = Entity::find().select_only().column(Column::AccountId).distinct();
        let query = query.filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::SubjectId.is_in(uuids(some)));
        let ids = query.filter(Column::EndedAt.is_null()).into_tuple::<Uuid>().all(rx.conn()).await.stored()?;
        found.extend(ids.into_iter().map(AccountId::from_uuid));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The members of an account after a subject, one more than `size`; those as well who left, where that is asked.
pub async fn page(
    rx: &Rx,
    (account, kind): (AccountId, AccountKind),
    after: Option<SubjectId>,
    former: bool,
    size: usize,
) -> Result<Vec<(SubjectId, Membership)>, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    let mut query = query.filter(Column::AccountId.eq(account.uuid()));
    if let Some(after) = after {
        query = query.filter(Column::SubjectId.gt(after.uuid()));
    }
    if !former {
        query = query.filter(Column::EndedAt.is_null());
    }
    let rows = query.order_by_asc(Column::SubjectId).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    Ok(rows.into_iter().map(|row| membership(row, kind)).collect())
}

/// Sets what is held of a subject and an account.
pub async fn put(tx: &Tx, subject: SubjectId, membership: &Membership) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        subject_id: Set(subject.uuid()),
        account_id: Set(membership.account.uuid()),
        role: Set(membership.role.clone()),
        source: Set(membership.source.clone()),
        observed_at: Set(membership.observed_at.micros()),
        started_at: Set(membership.since.micros()),
        ended_at: Set(membership.until.map(Timestamp::micros)),
    };
    let changed = [Column::Role, Column::Source, Column::ObservedAt, Column::StartedAt, Column::EndedAt];
    let key = [Column::Tenant, Column::SubjectId, Column::AccountId];
    let there = OnConflict::columns(key).update_columns(changed).to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored().map(drop)
}

/// Forgets that a subject belongs, or belonged, to accounts.
pub async fn forget(tx: &Tx, subject: SubjectId, accounts: &[AccountId]) -> Result<(), Fault> {
    if accounts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.uuid()).collect();
    let query = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
    let query = query.filter(Column::SubjectId.eq(subject.uuid())).filter(Column::AccountId.is_in(ids));
    query.exec(tx.conn()).await.stored().map(drop)
}

/// Deletes what is held of subjects; answers how many rows there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "account_member", subjects).await
}
