//! The effects that were applied: an event id and a group, so that what is delivered twice takes effect once.

use rapport_kernel::{EventId, SubjectId, TenantId, Timestamp};
use sea_orm::DbErr;

use super::run;
use crate::conn::Conn;

pub(crate) async fn first_time(
    conn: &Conn,
    tenant: TenantId,
    group: &str,
    event: EventId,
    subject: Option<SubjectId>,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let text = "INSERT INTO inbox (tenant, consumer, event_id, subject_id, recorded_at) VALUES ($1, $2, $3, $4, $5) \
                ON CONFLICT DO NOTHING";
    let subject = subject.map(SubjectId::uuid);
    let values = [tenant.uuid().into(), group.into(), event.uuid().into(), subject.into(), now.micros().into()];
    Ok(run(conn, text, values).await?.rows_affected() == 1)
}
