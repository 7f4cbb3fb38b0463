//! Declared merges and splits, and which subjects each names.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::{CHUNK, delete_subjects, run, uuids};
use crate::domain::assertion::{Assertion, AssertionId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assertion")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub assertion_id: Uuid,
    pub same: bool,
    pub survivor: Option<Uuid>,
    pub reason: String,
    pub created_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

mod named {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "assertion_subject")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub assertion_id: Uuid,
        pub is_left: bool,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// All assertions that name any of the subjects, oldest first.
pub async fn of_subjects(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<Assertion>, Fault> {
    let mut ids = BTreeSet::new();
    for some in subjects.chunks(CHUNK) {
        let query = named::Entity::find().select_only().column(named::Column::AssertionId).distinct();
        let query = query.filter(named::Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(named::Column::SubjectId.is_in(uuids(some)));
        ids.extend(query.into_tuple::<Uuid>().all(rx.conn()).await.stored()?);
    }
    by_ids(rx, &ids.into_iter().collect::<Vec<_>>()).await
}

async fn by_ids(rx: &Rx, ids: &[Uuid]) -> Result<Vec<Assertion>, Fault> {
    let mut found = BTreeMap::new();
    for some in ids.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        for row in query.filter(Column::AssertionId.is_in(some.to_vec())).all(rx.conn()).await.stored()? {
            let assertion = Assertion {
                id: AssertionId::from_uuid(row.assertion_id),
                same: row.same,
                left: BTreeSet::new(),
                right: BTreeSet::new(),
                survivor: row.survivor.map(CustomerId::from_uuid),
                reason: row.reason,
                created_at: Timestamp::from_column(row.created_at),
            };
            found.insert(row.assertion_id, assertion);
        }
        let query = named::Entity::find().filter(named::Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(named::Column::AssertionId.is_in(some.to_vec()));
        for row in query.order_by_asc(named::Column::SubjectId).all(rx.conn()).await.stored()? {
            if let Some(assertion) = found.get_mut(&row.assertion_id) {
                let side = if row.is_left { &mut assertion.left } else { &mut assertion.right };
                side.insert(SubjectId::from_uuid(row.subject_id));
            }
        }
    }
    let mut assertions: Vec<_> = found.into_values().collect();
    assertions.sort_by_key(|assertion| (assertion.created_at, assertion.id));
    Ok(assertions)
}

/// Adds an assertion.
pub async fn add(tx: &Tx, assertion: &Assertion) -> Result<(), Fault> {
    let row = ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        assertion_id: Set(assertion.id.uuid()),
        same: Set(assertion.same),
        survivor: Set(assertion.survivor.map(CustomerId::uuid)),
        reason: Set(assertion.reason.clone()),
        created_at: Set(assertion.created_at.micros()),
    };
    Entity::insert(row).exec_without_returning(tx.conn()).await.stored()?;
    let of = |side: &BTreeSet<SubjectId>, is_left: bool| {
        let row = |subject: &SubjectId| named::ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            subject_id: Set(subject.uuid()),
            assertion_id: Set(assertion.id.uuid()),
            is_left: Set(is_left),
        };
        side.iter().map(row).collect::<Vec<_>>()
    };
    let rows = [of(&assertion.left, true), of(&assertion.right, false)].concat();
    for some in rows.chunks(CHUNK) {
        named::Entity::insert_many(some.to_vec()).exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Takes subjects out of all assertions; one that then says nothing more, for a side is empty, goes as well.
pub async fn forget(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let assertions = of_subjects(tx, subjects).await?;
    let mut deleted = delete_subjects(tx, "assertion_subject", subjects).await?;
    let gone = |side: &BTreeSet<SubjectId>| side.iter().all(|subject| subjects.contains(subject));
    for assertion in assertions.iter().filter(|assertion| gone(&assertion.left) || gone(&assertion.right)) {
        let key = || [tx.tenant().uuid().into(), assertion.id.uuid().into()];
        for table in ["assertion_subject", "assertion"] {
            let text = format!("DELETE FROM {table} WHERE tenant = $1 AND assertion_id = $2");
            deleted += run(tx, &text, key()).await?;
        }
    }
    Ok(deleted)
}
