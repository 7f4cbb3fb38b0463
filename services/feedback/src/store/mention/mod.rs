//! Mentions: written whole, with what lists are made by in columns of their own.

pub mod gone;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, Condition, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::text_reading::{self, Source};
use super::{column, revision};
use crate::domain::Respondent;
use crate::domain::mention::{Gone, Kind, Mention, MentionId, MentionKey, Owner, Reply, Told};
use crate::domain::reading::{Reading, Tone};

/// How many ids one statement names.
const CHUNK: usize = 500;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mention")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub mention_id: Uuid,
    pub key_id: Uuid,
    pub source: String,
    pub subject_id: Uuid,
    pub customer_id: Option<Uuid>,
    pub kind: String,
    pub place: String,
    pub product: String,
    pub language: String,
    pub rating: Option<f64>,
    pub said_at: i64,
    pub replied_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mention").field("mention_id", &self.mention_id).finish_non_exhaustive()
    }
}

/// What no column tells.
#[derive(Serialize, Deserialize)]
struct Body {
    external_id: Private<String>,
    owner: Owner,
    told: Told,
    replies: Vec<Reply>,
    reading: Option<Reading>,
}

fn row(tx: &Tx, mention: &Mention) -> Result<ActiveModel, Fault> {
    let Respondent { subject, anonymous, dimensions, party } = mention.respondent.clone();
    let body = Body {
        external_id: mention.key.external_id.clone(),
        owner: Owner { anonymous, dimensions, party },
        told: mention.told.clone(),
        replies: mention.replies.clone(),
        reading: mention.reading.clone(),
    };
    let body = serde_json::to_vec(&body).map_err(|_| Fault::internal("a mention could not be encoded"))?;
    let (told, read) = (&mention.told, mention.reading.as_ref());
    Ok(ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        mention_id: Set(mention.id.uuid()),
        key_id: Set(mention.key.hash(tx.tenant())),
        source: Set(mention.key.source.clone()),
        subject_id: Set(subject.uuid()),
        customer_id: Set(mention.customer.map(CustomerId::uuid)),
        kind: Set(told.kind.name().to_owned()),
        place: Set(told.place.clone()),
        product: Set(told.product.clone()),
        language: Set(read.map(|read| read.language.clone()).unwrap_or_default()),
        rating: Set(told.rating.map(crate::domain::mention::Rating::share)),
        said_at: Set(told.said_at.micros()),
        replied_at: Set(mention.replied_at().map(Timestamp::micros)),
        created_at: Set(mention.created_at.micros()),
        updated_at: Set(mention.updated_at.micros()),
        revision: Set(column(mention.revision)?),
        body: Set(body),
    })
}

fn mention(row: &Model) -> Result<Mention, Fault> {
    // What serde says of it may hold what was written.
    let body: Body =
        serde_json::from_slice(&row.body).map_err(|_| Fault::internal("a mention's row is not readable"))?;
    let Owner { anonymous, dimensions, party } = body.owner;
    Ok(Mention {
        id: MentionId::from_uuid(row.mention_id),
        key: MentionKey { source: row.source.clone(), external_id: body.external_id },
        respondent: Respondent { subject: SubjectId::from_uuid(row.subject_id), anonymous, dimensions, party },
        customer: row.customer_id.map(CustomerId::from_uuid),
        told: body.told,
        replies: body.replies,
        reading: body.reading,
        revision: revision(row.revision)?,
        created_at: Timestamp::from_column(row.created_at),
        updated_at: Timestamp::from_column(row.updated_at),
    })
}

fn of_tenant(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()))
}

/// One mention.
pub async fn find(rx: &Rx, id: MentionId) -> Result<Option<Mention>, Fault> {
    let row = of_tenant(rx).filter(Column::MentionId.eq(id.uuid())).one(rx.conn()).await.stored()?;
    row.as_ref().map(mention).transpose()
}

/// One mention, in order to change it: nobody else changes it meanwhile.
pub async fn lock(tx: &Tx, id: MentionId) -> Result<Option<Mention>, Fault> {
    let query = of_tenant(tx).filter(Column::MentionId.eq(id.uuid())).lock_exclusive();
    query.one(tx.conn()).await.stored()?.as_ref().map(mention).transpose()
}

/// The mention of a hash, likewise.
pub async fn lock_key(tx: &Tx, key: Uuid) -> Result<Option<Mention>, Fault> {
    let query = of_tenant(tx).filter(Column::KeyId.eq(key)).lock_exclusive();
    query.one(tx.conn()).await.stored()?.as_ref().map(mention).transpose()
}

/// Mentions by their ids.
pub async fn of_ids(rx: &Rx, ids: &[Uuid]) -> Result<Vec<Mention>, Fault> {
    let mut found = Vec::new();
    for some in ids.chunks(CHUNK) {
        let rows = of_tenant(rx).filter(Column::MentionId.is_in(some.iter().copied())).all(rx.conn()).await.stored()?;
        found.extend(rows.iter().map(mention).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// Adds a mention, or replaces it by its new state.
pub async fn put(tx: &Tx, mention: &Mention) -> Result<(), Fault> {
    let row = row(tx, mention)?;
    if mention.revision == 1 {
        return Entity::insert(row).exec_without_returning(tx.conn()).await.stored().map(drop);
    }
    Entity::update(row).exec(tx.conn()).await.stored().map(drop)
}

/// Deletes a mention.
pub async fn delete(tx: &Tx, id: MentionId) -> Result<(), Fault> {
    let those = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid()));
    those.filter(Column::MentionId.eq(id.uuid())).exec(tx.conn()).await.stored().map(drop)
}

/// Mentions after one, in the order of their ids.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Mention>, Fault> {
    let query = of_tenant(rx).filter(Column::MentionId.gt(after)).order_by_asc(Column::MentionId).limit(limit);
    query.all(rx.conn()).await.stored()?.iter().map(mention).collect()
}

/// Forgets the mentions of subjects, and whose those were that are gone; answers how many rows went.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut rows = 0;
    for some in subjects.chunks(CHUNK) {
        let theirs = Column::SubjectId.is_in(some.iter().map(|subject| subject.uuid()));
        for row in of_tenant(tx).filter(theirs.clone()).all(tx.conn()).await.stored()? {
            let of = mention(&row)?;
            let gone =
                Gone { key: row.key_id, id: of.id, subject: None, revision: of.revision + 1, said_at: of.told.said_at };
            gone::add(tx, &gone).await?;
        }
        let doomed = Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid())).filter(theirs);
        rows += doomed.exec(tx.conn()).await.stored()?.rows_affected;
        gone::erase(tx, some).await?;
    }
    Ok(rows)
}

/// Which mentions.
#[derive(Clone)]
pub struct Sieve {
    /// Only those of these subjects.
    pub subjects: Option<Vec<SubjectId>>,
    /// Only these kinds; empty: all.
    pub kinds: Vec<Kind>,
    /// Only from this source; empty: all. So for those that follow.
    pub source: String,
    /// Only said there.
    pub place: String,
    /// Only about this product.
    pub product: String,
    /// Only in this language.
    pub language: String,
    /// Only those whose words were read so.
    pub tone: Tone,
    /// Only those that were replied to, or not.
    pub replied: Option<bool>,
    /// Only those rated at least so.
    pub least: Option<f64>,
    /// Only those rated at most so.
    pub most: Option<f64>,
    /// Only those said from then on.
    pub start: Option<Timestamp>,
    /// Only those said before then.
    pub end: Option<Timestamp>,
    /// The oldest first.
    pub ascending: bool,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// When its last was said.
    pub said_at: i64,
    /// Which of those of that instant.
    pub id: Uuid,
}

/// The next mentions after a place.
pub async fn page(rx: &Rx, sieve: &Sieve, after: Option<Place>, limit: u64) -> Result<Vec<Mention>, Fault> {
    let mut all = Condition::all()
        .add(text_reading::read_so(rx.tenant(), Source::Mention, ("mention", "mention_id"), &sieve.tone))
        .add_option(sieve.least.map(|least| Column::Rating.gte(least)))
        .add_option(sieve.most.map(|most| Column::Rating.lte(most)))
        .add_option(sieve.start.map(|start| Column::SaidAt.gte(start.micros())))
        .add_option(sieve.end.map(|end| Column::SaidAt.lt(end.micros())))
        .add_option(sieve.replied.map(|replied| match replied {
            true => Column::RepliedAt.is_not_null(),
            false => Column::RepliedAt.is_null(),
        }));
    if let Some(subjects) = &sieve.subjects {
        all = all.add(Column::SubjectId.is_in(subjects.iter().map(|subject| subject.uuid())));
    }
    if !sieve.kinds.is_empty() {
        all = all.add(Column::Kind.is_in(sieve.kinds.iter().map(|kind| kind.name())));
    }
    for (column, said) in [
        (Column::Source, &sieve.source),
        (Column::Place, &sieve.place),
        (Column::Product, &sieve.product),
        (Column::Language, &sieve.language),
    ] {
        all = all.add_option((!said.is_empty()).then(|| column.eq(said.as_str())));
    }
    if let Some(Place { said_at, id }) = after {
        // The first bound is what an index can start from; the second tells apart what was said at one instant.
        let (bound, later, tied) = if sieve.ascending {
            (Column::SaidAt.gte(said_at), Column::SaidAt.gt(said_at), Column::MentionId.gt(id))
        } else {
            (Column::SaidAt.lte(said_at), Column::SaidAt.lt(said_at), Column::MentionId.lt(id))
        };
        all = all.add(bound).add(Condition::any().add(later).add(tied));
    }
    let order = if sieve.ascending { sea_orm::Order::Asc } else { sea_orm::Order::Desc };
    let query = of_tenant(rx).filter(all).order_by(Column::SaidAt, order.clone()).order_by(Column::MentionId, order);
    query.limit(limit).all(rx.conn()).await.stored()?.iter().map(mention).collect()
}
