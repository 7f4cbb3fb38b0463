//! Events that could not be applied: set aside with why, shown to an operator, and replayed when the cause is
//! mended.

use std::sync::Arc;

use prost::Message as _;
use rapport_api::events::v1::Event;
use rapport_kernel::{Fault, SubjectId, TenantId, Timestamp};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::consume::{Consumer, Known};
use crate::database::{Database, Scope, Terms};
use crate::fault::Stored as _;
use crate::tables::dead_letter::{ActiveModel, Column, Entity, Model};
use crate::unit::{Rx, Tx};

/// Letters of one look.
const BATCH: u64 = 200;

/// An event that a group could not apply. Its body, which may hold personal data, stays in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names it.
    pub id: Uuid,
    /// Whose; the nil id where the event could not be read.
    pub tenant: TenantId,
    /// What it is about, where it could be read.
    pub subject: Option<SubjectId>,
    /// The group that could not apply it.
    pub group: String,
    /// Where it came from.
    pub topic: String,
    /// Why: the last fault.
    pub reason: String,
    /// When it was set aside.
    pub recorded_at: Timestamp,
}

/// What became of replayed dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Applied now, and gone.
    pub applied: u64,
    /// Still there, with the new reason.
    pub failed: u64,
}

/// One to be set aside.
#[derive(Clone)]
pub(crate) struct Letter {
    tenant: TenantId,
    subject: Option<SubjectId>,
    group: &'static str,
    topic: &'static str,
    pub(crate) reason: String,
    body: Vec<u8>,
}

impl Letter {
    pub(crate) fn of(group: &'static str, topic: &'static str, known: &Known, fault: &Fault) -> Self {
        let (tenant, subject) = (known.tenant, Some(known.subject));
        Self { tenant, subject, group, topic, reason: format!("{fault:?}"), body: known.event.encode_to_vec() }
    }

    pub(crate) fn unreadable(group: &'static str, topic: &'static str, body: &[u8]) -> Self {
        let tenant = TenantId::from_uuid(Uuid::nil());
        Self { tenant, subject: None, group, topic, reason: "bytes that are no event".to_owned(), body: body.to_vec() }
    }

    /// The same event of the same group is one letter, however often it comes.
    fn id(&self) -> Uuid {
        let hash = Sha256::new().chain_update(self.group).chain_update([0]).chain_update(&self.body).finalize();
        Uuid::from_bytes(hash[..16].try_into().expect("sixteen bytes"))
    }

    fn row(&self, now: Timestamp) -> ActiveModel {
        ActiveModel {
            tenant: Set(self.tenant.uuid()),
            id: Set(self.id()),
            consumer: Set(self.group.to_owned()),
            topic: Set(self.topic.to_owned()),
            subject_id: Set(self.subject.map(SubjectId::uuid)),
            reason: Set(self.reason.clone()),
            body: Set(self.body.clone()),
            recorded_at: Set(now.micros()),
        }
    }
}

impl Database {
    pub(crate) async fn keep_dead_letter(&self, letter: Letter) -> Result<(), Fault> {
        let letter = Arc::new(letter);
        let keep = move |tx: Tx| {
            let letter = Arc::clone(&letter);
            async move {
                let there = OnConflict::columns([Column::Tenant, Column::Id]).do_nothing().to_owned();
                let insert = Entity::insert_many([letter.row(tx.now())]).on_conflict(there);
                insert.exec_without_returning(tx.conn()).await.stored()?;
                Ok(())
            }
        };
        self.unit(Terms { scope: Scope::System, lock: None }, keep).await
    }

    /// The dead letters of a group, oldest first; those after `after`, the last of the page before.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn dead_letters(&self, group: &str, after: Option<&DeadLetter>) -> Result<Vec<DeadLetter>, Fault> {
        let after = after.map(|letter| (letter.recorded_at.micros(), letter.id));
        let rows = self.dead_letter_rows(group, after).await?;
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Applies the dead letters of a group again, after their cause was mended; those that succeed are gone.
    ///
    /// # Errors
    /// As [`Database::write`], where the database fails; a letter that fails again stays.
    pub async fn replay_dead_letters(&self, group: &str, handler: Arc<dyn Consumer>) -> Result<Replayed, Fault> {
        let (mut replayed, mut after) = (Replayed::default(), None);
        loop {
            let rows = self.dead_letter_rows(group, after).await?;
            let Some(last) = rows.last() else { return Ok(replayed) };
            after = Some((last.recorded_at, last.id));
            for row in rows {
                match self.replay_one(row, &handler).await {
                    Ok(()) => replayed.applied += 1,
                    Err(fault) if fault.is_transient() => return Err(fault),
                    Err(_) => replayed.failed += 1,
                }
            }
        }
    }

    async fn replay_one(&self, row: Model, handler: &Arc<dyn Consumer>) -> Result<(), Fault> {
        let key = (row.tenant, row.id);
        let known = Event::decode(row.body.as_slice()).ok().and_then(Known::new);
        let known = known.ok_or_else(|| Fault::internal("bytes that are no event"))?;
        let (tenant, events) = (known.tenant, Arc::new(vec![known]));
        let handler = Arc::clone(handler);
        let unit = move |tx: Tx| {
            let (events, handler) = (Arc::clone(&events), Arc::clone(&handler));
            async move {
                let events = crate::consume::living(&tx, &events).await?;
                if !events.is_empty() {
                    handler.apply(tx.clone(), events).await?;
                }
                Entity::delete_by_id(key).exec(tx.conn()).await.stored()?;
                Ok(())
            }
        };
        let result = self.write(tenant, unit).await;
        if let Err(fault) = &result {
            let reason = format!("{fault:?}");
            let note = move |tx: Tx| {
                let reason = reason.clone();
                async move {
                    let row =
                        ActiveModel { tenant: Set(key.0), id: Set(key.1), reason: Set(reason), ..Default::default() };
                    Entity::update(row).exec(tx.conn()).await.stored()?;
                    Ok(())
                }
            };
            self.write(tenant, note).await?;
        }
        result
    }

    async fn dead_letter_rows(&self, group: &str, after: Option<(i64, Uuid)>) -> Result<Vec<Model>, Fault> {
        let group = group.to_owned();
        let read = |rx: Rx| async move {
            let mut query = Entity::find().filter(Column::Consumer.eq(group));
            if let Some((at, id)) = after {
                let same = Column::RecordedAt.eq(at).and(Column::Id.gt(id));
                query = query.filter(Column::RecordedAt.gt(at).or(same));
            }
            query.order_by_asc(Column::RecordedAt).order_by_asc(Column::Id).limit(BATCH).all(rx.conn()).await.stored()
        };
        self.system().read(read).await
    }
}

fn shown(row: Model) -> DeadLetter {
    DeadLetter {
        id: row.id,
        tenant: TenantId::from_uuid(row.tenant),
        subject: row.subject_id.map(SubjectId::from_uuid),
        group: row.consumer,
        topic: row.topic,
        reason: row.reason,
        recorded_at: Timestamp::from_column(row.recorded_at),
    }
}
