//! Which customer holds a subject that was another's before; and which customers such subjects left, of which what hangs on
//! customers is still to be looked at again. The clock reads the latter over all tenants.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};

use super::sql::{Clause, rows, run};
use super::{column, revision};

/// How many ids one statement names.
const CHUNK: usize = 500;

/// A customer that holds a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The customer.
    pub customer: CustomerId,
    /// As of which revision of it.
    pub revision: u64,
}

/// A customer that a subject left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The subject.
    pub subject: SubjectId,
    /// The customer.
    pub customer: CustomerId,
    /// The revision of its next customer with which that was.
    pub revision: u64,
}

/// The holders of subjects, as far as these changed hands.
pub async fn of(rx: &Rx, subjects: &[SubjectId]) -> Result<BTreeMap<SubjectId, Holder>, Fault> {
    let mut found = BTreeMap::new();
    for some in subjects.chunks(CHUNK) {
        let mut those = Clause::of(rx);
        those.among("subject_id", some.iter().map(|subject| subject.uuid()));
        for row in those.select(rx, "subject_id, customer_id, revision", "subject_holder", "").await? {
            let customer = CustomerId::from_uuid(row.try_get_by_index(1).stored()?);
            let holder = Holder { customer, revision: revision(row.try_get_by_index(2).stored()?)? };
            found.insert(SubjectId::from_uuid(row.try_get_by_index(0).stored()?), holder);
        }
    }
    Ok(found)
}

/// Notes who holds a subject; what is known as of a later revision stays.
pub async fn put(tx: &Tx, subject: SubjectId, holder: Holder) -> Result<(), Fault> {
    let text = "INSERT INTO subject_holder (tenant, subject_id, customer_id, revision) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (tenant, subject_id) DO UPDATE SET customer_id = excluded.customer_id, \
                revision = excluded.revision WHERE subject_holder.revision < excluded.revision";
    let (customer, revision) = (holder.customer.uuid(), column(holder.revision)?);
    let values = vec![tx.tenant().uuid().into(), subject.uuid().into(), customer.into(), revision.into()];
    run(tx, text, values).await.map(drop)
}

/// Notes that a subject left a customer: what hangs on either is to be looked at again.
pub async fn leave(tx: &Tx, left: Left) -> Result<(), Fault> {
    let text = "INSERT INTO subject_left (tenant, subject_id, customer_id, revision, due_at) VALUES ($1, $2, $3, $4, $5) \
                ON CONFLICT (tenant, subject_id, customer_id) DO UPDATE SET due_at = excluded.due_at, revision = \
                CASE WHEN subject_left.revision < excluded.revision THEN excluded.revision ELSE subject_left.revision END";
    let values = vec![
        tx.tenant().uuid().into(),
        left.subject.uuid().into(),
        left.customer.uuid().into(),
        column(left.revision)?.into(),
        tx.now().micros().into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// Subjects that left customers, those first that did so longest ago: over all tenants.
pub async fn due(rx: &Rx, limit: u32) -> Result<Vec<(TenantId, SubjectId)>, Fault> {
    let text = "SELECT tenant, subject_id FROM subject_left WHERE due_at <= $1 ORDER BY due_at, subject_id LIMIT $2";
    let found = rows(rx, text, vec![rx.now().micros().into(), i64::from(limit).into()]).await?;
    let read = |row: &sea_orm::QueryResult| {
        let tenant = TenantId::from_uuid(row.try_get_by_index(0).stored()?);
        Ok((tenant, SubjectId::from_uuid(row.try_get_by_index(1).stored()?)))
    };
    found.iter().map(read).collect()
}

/// The customers that subjects left, where that is still to be looked at.
pub async fn left(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<Left>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut those = Clause::of(rx);
        those.among("subject_id", some.iter().map(|subject| subject.uuid()));
        for row in those.select(rx, "subject_id, customer_id, revision", "subject_left", "").await? {
            found.push(Left {
                subject: SubjectId::from_uuid(row.try_get_by_index(0).stored()?),
                customer: CustomerId::from_uuid(row.try_get_by_index(1).stored()?),
                revision: revision(row.try_get_by_index(2).stored()?)?,
            });
        }
    }
    Ok(found)
}

/// Notes that this was looked at; where the subject left the customer once more since, it is looked at once more.
pub async fn settle(tx: &Tx, left: &[Left]) -> Result<(), Fault> {
    for one in left {
        let mut those = Clause::of(tx);
        those.and("subject_id = {}", one.subject.uuid());
        those.and("customer_id = {}", one.customer.uuid());
        those.and("revision <= {}", column(one.revision)?);
        those.delete(tx, "subject_left").await?;
    }
    Ok(())
}

/// Looks at subjects later.
pub async fn put_off(tx: &Tx, subjects: &[SubjectId], until: Timestamp) -> Result<(), Fault> {
    let text = "UPDATE subject_left SET due_at = $3 WHERE tenant = $1 AND subject_id = $2";
    for subject in subjects {
        run(tx, text, vec![tx.tenant().uuid().into(), subject.uuid().into(), until.micros().into()]).await?;
    }
    Ok(())
}

/// Forgets subjects; answers how many rows that were.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut rows = 0;
    for some in subjects.chunks(CHUNK) {
        for table in ["subject_holder", "subject_left"] {
            let mut those = Clause::of(tx);
            those.among("subject_id", some.iter().map(|subject| subject.uuid()));
            rows += those.delete(tx, table).await?;
        }
    }
    Ok(rows)
}
