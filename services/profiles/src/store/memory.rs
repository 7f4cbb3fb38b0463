//! What feedback told, item by item: what a customer's memory is made of. An item's row stays when it is deleted, without
//! a word, so that what was told before is known to be older.

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::Value;
use uuid::Uuid;

use super::{CHUNK, delete_subjects, marks, rows};
use crate::domain::memory::{Item, Matter, Source};

const ITEMS: Bulk = Bulk {
    table: "memory",
    columns: &["tenant", "item_id", "subject_id", "revision", "occurred_at", "source", "sentiment", "matter"],
    suffix: "ON CONFLICT (tenant, item_id) DO UPDATE SET subject_id = excluded.subject_id, \
             revision = excluded.revision, occurred_at = excluded.occurred_at, source = excluded.source, \
             sentiment = excluded.sentiment, matter = excluded.matter WHERE excluded.revision > memory.revision",
};

/// Takes what was told; of each item the highest revision stays. Answers whose items were taken from them: a ticket may
/// turn out to be somebody else's.
pub async fn put(tx: &Tx, told: &[Item]) -> Result<Vec<SubjectId>, Fault> {
    // One statement touches no row twice.
    let mut newest = BTreeMap::<Uuid, &Item>::new();
    for one in told {
        let held = newest.entry(one.id).or_insert(one);
        if held.revision < one.revision {
            *held = one;
        }
    }
    let items: Vec<&Item> = newest.values().copied().collect();
    let mut left = Vec::new();
    for some in items.chunks(CHUNK) {
        let text = format!(
            "SELECT item_id, subject_id FROM memory WHERE tenant = $1 AND item_id IN ({})",
            marks(2, some.len())
        );
        let ids = some.iter().map(|item| Value::from(item.id));
        for row in rows(tx, &text, std::iter::once(Value::from(tx.tenant().uuid())).chain(ids)).await? {
            let (id, subject): (Uuid, Uuid) = (row.try_get_by_index(0).stored()?, row.try_get_by_index(1).stored()?);
            let subject = SubjectId::from_uuid(subject);
            if newest.get(&id).is_some_and(|item| item.subject != subject) {
                left.push(subject);
            }
        }
        let columns = vec![
            Column::same_id(tx.tenant().uuid(), some.len()),
            Column::Ids(some.iter().map(|item| item.id).collect()),
            Column::Ids(some.iter().map(|item| item.subject.uuid()).collect()),
            Column::Numbers(some.iter().map(|item| item.revision.cast_signed()).collect()),
            Column::Numbers(some.iter().map(|item| item.at.micros()).collect()),
            Column::Texts(some.iter().map(|item| item.source.name().to_owned()).collect()),
            Column::MaybeReals(some.iter().map(|item| item.sentiment).collect()),
            Column::Texts(some.iter().map(|item| item.matter.name().to_owned()).collect()),
        ];
        ITEMS.insert(tx.conn(), columns).await?;
    }
    Ok(left)
}

/// What was told of subjects by an instant, as it stands now.
pub async fn of(rx: &Rx, subjects: &[SubjectId], until: Timestamp) -> Result<Vec<Item>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let text = format!(
            "SELECT item_id, subject_id, revision, occurred_at, source, sentiment, matter FROM memory \
             WHERE tenant = $1 AND occurred_at <= $2 AND (sentiment IS NOT NULL OR matter <> '') \
             AND subject_id IN ({})",
            marks(3, some.len())
        );
        let first = [Value::from(rx.tenant().uuid()), Value::from(until.micros())];
        let ids = some.iter().map(|subject| Value::from(subject.uuid()));
        for row in rows(rx, &text, first.into_iter().chain(ids)).await? {
            let (source, matter): (String, String) =
                (row.try_get_by_index(4).stored()?, row.try_get_by_index(6).stored()?);
            let unreadable = || Fault::internal("an item's row holds an unknown word");
            found.push(Item {
                id: row.try_get_by_index(0).stored()?,
                subject: SubjectId::from_uuid(row.try_get_by_index(1).stored()?),
                revision: row.try_get_by_index::<i64>(2).stored()?.cast_unsigned(),
                at: Timestamp::from_column(row.try_get_by_index(3).stored()?),
                source: Source::of(&source).ok_or_else(unreadable)?,
                sentiment: row.try_get_by_index(5).stored()?,
                matter: Matter::of(&matter).ok_or_else(unreadable)?,
            });
        }
    }
    Ok(found)
}

/// Deletes what was told of subjects; answers how many rows there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "memory", subjects).await
}
