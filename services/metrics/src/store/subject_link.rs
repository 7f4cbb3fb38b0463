//! Which customer each subject belongs to now. Merges and splits change rows here and nothing else; a subject without a
//! row is a customer of its own.

use rapport_data::{Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};

use super::ROWS;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "subject_link")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    pub customer_id: Uuid,
    pub revision: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes links (each subject once), where they are newer than what is kept.
///
/// # Errors
/// Where the database fails.
pub async fn put(tx: &Tx, links: &[(SubjectId, CustomerId, i64)]) -> Result<(), Fault> {
    for some in links.chunks(ROWS) {
        let rows = some.iter().map(|(subject, customer, revision)| ActiveModel {
            tenant: Set(tx.tenant().uuid()),
            subject_id: Set(subject.uuid()),
            customer_id: Set(customer.uuid()),
            revision: Set(*revision),
        });
        let newer = OnConflict::columns([Column::Tenant, Column::SubjectId])
            .update_columns([Column::CustomerId, Column::Revision])
            .action_and_where(Expr::cust("excluded.revision > subject_link.revision"))
            .to_owned();
        Entity::insert_many(rows).on_conflict(newer).exec_without_returning(tx.conn()).await.stored()?;
    }
    Ok(())
}

/// Deletes the links of subjects; answers how many there were.
///
/// # Errors
/// Where the database fails.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in subjects.chunks(ROWS) {
        let query = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
        let query = query.filter(Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid())));
        deleted += query.exec(tx.conn()).await.stored()?.rows_affected;
    }
    Ok(deleted)
}
