//! The answers to calls that carried a request id, so that a retry gets the first answer.

use rapport_kernel::{RequestId, SubjectId, TenantId, Timestamp};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{run, uuids};
use crate::conn::Conn;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub request_id: Uuid,
    /// Of the method and the request.
    pub hash: Vec<u8>,
    pub answer: Vec<u8>,
    pub recorded_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The answer may hold personal data.
        f.debug_struct("Receipt").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

pub(crate) async fn find(conn: &Conn, tenant: TenantId, request: RequestId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((tenant.uuid(), request.uuid())).one(conn).await
}

pub(crate) async fn add(
    conn: &Conn,
    tenant: TenantId,
    request: RequestId,
    hash: &[u8; 32],
    answer: Vec<u8>,
    subjects: &[SubjectId],
    now: Timestamp,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        tenant: Set(tenant.uuid()),
        request_id: Set(request.uuid()),
        hash: Set(hash.to_vec()),
        answer: Set(answer),
        recorded_at: Set(now.micros()),
    };
    Entity::insert(row).exec_without_returning(conn).await?;
    for some in subjects.chunks(100) {
        let row = |at: usize| format!("($1, $2, $3, ${})", at + 4);
        let rows: Vec<String> = (0..some.len()).map(row).collect();
        let columns = "tenant, request_id, recorded_at, subject_id";
        let text = format!("INSERT INTO receipt_subject ({columns}) VALUES {}", rows.join(", "));
        let mut values = vec![tenant.uuid().into(), request.uuid().into(), now.micros().into()];
        values.extend(some.iter().map(|subject| subject.uuid().into()));
        run(conn, text, values).await?;
    }
    Ok(())
}

/// Deletes the answers that are about one of the subjects.
pub(crate) async fn erase(conn: &Conn, tenant: Uuid, subjects: &[SubjectId]) -> Result<(), DbErr> {
    let marks: Vec<String> = (0..subjects.len()).map(|at| format!("${}", at + 2)).collect();
    let about =
        format!("SELECT request_id FROM receipt_subject WHERE tenant = $1 AND subject_id IN ({})", marks.join(", "));
    let mut values = vec![tenant.into()];
    values.extend(uuids(subjects).into_iter().map(sea_orm::Value::from));
    let text = format!("DELETE FROM receipt WHERE tenant = $1 AND request_id IN ({about})");
    run(conn, text, values.clone()).await?;
    // The rest of the pairs goes with the sweep: they hold ids only, of receipts that are gone.
    let text = format!("DELETE FROM receipt_subject WHERE tenant = $1 AND subject_id IN ({})", marks.join(", "));
    run(conn, text, values).await.map(|_| ())
}
