//! Accounts, and by which the sources know them.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx, keyset};
use rapport_kernel::{Fault, Private, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, OnConflict};
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::{CHUNK, run, uuids};
use crate::domain::account::{Account, AccountId, AccountKey, AccountKind};

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    pub revision: i64,
    pub kind: String,
    pub name: String,
    pub traits: Vec<u8>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The name of a household is a person's: it prints its id only.
        f.debug_struct("Account").field("account_id", &self.account_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

mod key {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_key")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub source: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub external_id: String,
        pub account_id: Uuid,
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("AccountKey").field("account_id", &self.account_id).finish_non_exhaustive()
        }
    }

    impl std::fmt::Debug for ModelEx {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("AccountKey")
        }
    }
}

fn account(row: Model) -> Result<Account, Fault> {
    let kind = AccountKind::ALL.into_iter().find(|kind| kind.name() == row.kind);
    let traits = serde_json::from_slice(&row.traits);
    Ok(Account {
        id: AccountId::from_uuid(row.account_id),
        kind: kind.ok_or_else(|| Fault::internal("a stored account has an unknown kind"))?,
        name: row.name,
        traits: traits.map_err(|_| Fault::internal("a stored account is not readable"))?,
        keys: BTreeMap::new(),
        revision: row.revision.cast_unsigned(),
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
    })
}

/// Reads the keys of accounts into them.
async fn with_keys(rx: &Rx, rows: Vec<Model>) -> Result<Vec<Account>, Fault> {
    let mut accounts = rows.into_iter().map(account).collect::<Result<Vec<_>, _>>()?;
    let places: BTreeMap<Uuid, usize> =
        accounts.iter().enumerate().map(|(at, account)| (account.id.uuid(), at)).collect();
    let ids: Vec<Uuid> = places.keys().copied().collect();
    for some in ids.chunks(CHUNK) {
        let query = key::Entity::find().filter(key::Column::Tenant.eq(rx.tenant().uuid()));
        for row in query.filter(key::Column::AccountId.is_in(some.to_vec())).all(rx.conn()).await.stored()? {
            let key = AccountKey { source: row.source, external_id: Private::new(row.external_id) };
            if let Some(at) = places.get(&row.account_id) {
                accounts[*at].keys.insert(key, row.version);
            }
        }
    }
    Ok(accounts)
}

/// The account of an id.
pub async fn find(rx: &Rx, id: AccountId) -> Result<Option<Account>, Fault> {
    let row = Entity::find_by_id((rx.tenant().uuid(), id.uuid())).one(rx.conn()).await.stored()?;
    Ok(with_keys(rx, row.into_iter().collect()).await?.pop())
}

/// Which account a source knows so.
pub async fn of_key(rx: &Rx, key: &AccountKey) -> Result<Option<AccountId>, Fault> {
    let id = (rx.tenant().uuid(), key.source.clone(), key.external_id.expose().clone());
    let row = key::Entity::find_by_id(id).one(rx.conn()).await.stored()?;
    Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
}

/// Accounts after an id, one more than `size`; only of a kind, and only those among ids.
pub async fn page(
    rx: &Rx,
    after: Option<AccountId>,
    (kind, among): (Option<AccountKind>, Option<&[AccountId]>),
    size: usize,
) -> Result<Vec<Account>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    if let Some(after) = after {
        query = query.filter(Column::AccountId.gt(after.uuid()));
    }
    if let Some(kind) = kind {
        query = query.filter(Column::Kind.eq(kind.name()));
    }
    if let Some(among) = among {
        query = query.filter(Column::AccountId.is_in(uuids(among)));
    }
    let rows = query.order_by_asc(Column::AccountId).limit(keyset::limit(size)).all(rx.conn()).await.stored()?;
    with_keys(rx, rows).await
}

/// Sets what is held of an account, and of its keys.
pub async fn put(tx: &Tx, account: &Account) -> Result<(), Fault> {
    let traits = serde_json::to_vec(&account.traits).map_err(|_| Fault::internal("an account could not be encoded"))?;
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        account_id: Set(account.id.uuid()),
        revision: Set(account.revision.cast_signed()),
        kind: Set(account.kind.name().to_owned()),
        name: Set(account.name.clone()),
        traits: Set(traits),
        created_at: Set(account.created_at.micros()),
        updated_at: Set(account.updated_at.micros()),
    };
    let changed = [Column::Revision, Column::Name, Column::Traits, Column::UpdatedAt];
    let there = OnConflict::columns([Column::Tenant, Column::AccountId]).update_columns(changed).to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(tx.conn()).await.stored()?;
    delete_keys(tx, account.id).await?;
    let row = |(key, version): (&AccountKey, &i64)| key::ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        source: Set(key.source.clone()),
        external_id: Set(key.external_id.expose().clone()),
        account_id: Set(account.id.uuid()),
        version: Set(*version),
    };
    if !account.keys.is_empty() {
        let rows = key::Entity::insert_many(account.keys.iter().map(row));
        rows.exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

async fn delete_keys(tx: &Tx, id: AccountId) -> Result<(), Fault> {
    let those = key::Column::Tenant.eq(tx.tenant().uuid()).and(key::Column::AccountId.eq(id.uuid()));
    key::Entity::delete_many().filter(those).exec(tx.conn()).await.stored().map(drop)
}

/// Deletes an account with its keys and all that is held of its members.
pub async fn delete(tx: &Tx, id: AccountId) -> Result<(), Fault> {
    delete_keys(tx, id).await?;
    for table in ["account_member", "account"] {
        let text = format!("DELETE FROM {table} WHERE tenant = $1 AND account_id = $2");
        run(tx, &text, [tx.tenant().uuid().into(), id.uuid().into()]).await?;
    }
    Ok(())
}
