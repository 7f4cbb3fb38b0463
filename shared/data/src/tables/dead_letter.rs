//! The events that a group could not apply, with why, until somebody mends the cause and replays them.

use rapport_kernel::SubjectId;
use sea_orm::entity::prelude::*;

use super::uuids;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letter")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub consumer: String,
    pub topic: String,
    pub subject_id: Option<Uuid>,
    /// The fault's reason and cause: never personal data.
    pub reason: String,
    pub body: Vec<u8>,
    pub recorded_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body is an event, and holds personal data.
        f.debug_struct("DeadLetter").field("id", &self.id).field("reason", &self.reason).finish_non_exhaustive()
    }
}

pub(crate) fn of_subjects(tenant: Uuid, subjects: &[SubjectId]) -> sea_orm::Condition {
    sea_orm::Condition::all().add(Column::Tenant.eq(tenant)).add(Column::SubjectId.is_in(uuids(subjects)))
}
