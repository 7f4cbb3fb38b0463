//! The timeline: one row for each interaction, keyed so that a subject's history lies together, newest last.

use std::collections::HashMap;
use std::sync::Arc;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{Currency, Fault, Id, Money, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, Condition, Order, QueryOrder as _, QuerySelect as _};

use super::interaction_key;
use crate::domain::interaction::{Content, Interaction, InteractionKey};

/// Rows of one statement: far below the parameters that either engine takes.
const ROWS: usize = 1_000;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "interaction")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub occurred_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub interaction_id: Uuid,
    pub source: String,
    pub external_id: String,
    pub version: i64,
    pub revision: i64,
    pub kind: String,
    pub channel: String,
    pub touchpoint: String,
    pub stage: String,
    pub product: String,
    pub amount_micros: Option<i64>,
    pub currency: Option<String>,
    pub attributes: String,
    pub party: String,
    pub dimensions: String,
    pub recorded_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("Interaction").field("interaction_id", &self.interaction_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interaction")
    }
}

/// Those of the keys that are held, with what is held.
///
/// # Errors
/// Where the database fails.
pub async fn held(tx: &Tx, keys: &[InteractionKey]) -> Result<HashMap<InteractionKey, Interaction>, Fault> {
    let mut found = HashMap::new();
    for places in interaction_key::places(tx, keys).await?.chunks(ROWS / 4) {
        // By the whole primary key: in a table partitioned by time, one partition each.
        let one = |place: &interaction_key::Model| {
            Condition::all()
                .add(Column::SubjectId.eq(place.subject_id))
                .add(Column::OccurredAt.eq(place.occurred_at))
                .add(Column::InteractionId.eq(place.interaction_id))
        };
        let any = places.iter().fold(Condition::any(), |any, place| any.add(one(place)));
        if any.is_empty() {
            continue;
        }
        let rows = Entity::find().filter(Column::Tenant.eq(tx.tenant().uuid())).filter(any);
        for row in rows.all(tx.conn()).await.stored()? {
            let interaction = read(row)?;
            found.insert(interaction.key.clone(), interaction);
        }
    }
    Ok(found)
}

const INSERT: Bulk = Bulk {
    table: "interaction",
    columns: &[
        "tenant",
        "subject_id",
        "occurred_at",
        "interaction_id",
        "source",
        "external_id",
        "version",
        "revision",
        "kind",
        "channel",
        "touchpoint",
        "stage",
        "product",
        "amount_micros",
        "currency",
        "attributes",
        "party",
        "dimensions",
        "recorded_at",
    ],
    suffix: "",
};

/// Adds interactions that are not held.
///
/// # Errors
/// Where the database fails; a key that came to be held meanwhile is a fault that runs the unit again.
pub async fn add(tx: &Tx, interactions: &[Interaction]) -> Result<(), Fault> {
    interaction_key::add(tx, interactions).await?;
    let text =
        |of: fn(&Interaction) -> &String| Values::Texts(interactions.iter().map(|one| of(one).clone()).collect());
    let number = |of: fn(&Interaction) -> i64| Values::Numbers(interactions.iter().map(of).collect());
    let id = |of: fn(&Interaction) -> Uuid| Values::Ids(interactions.iter().map(of).collect());
    let json = |of: fn(&Interaction) -> Result<String, serde_json::Error>| {
        let texts: Result<_, _> = interactions.iter().map(of).collect();
        texts.map(Values::Texts).map_err(Fault::internal)
    };
    let amounts = interactions.iter().map(|one| one.content.value.map(|value| value.micros));
    let currencies = interactions.iter().map(|one| one.content.value.map(|value| value.currency.to_string()));
    let revisions = interactions.iter().map(|one| i64::try_from(one.revision).map_err(Fault::internal));
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), interactions.len()),
        id(|one| one.subject.uuid()),
        number(|one| one.content.occurred_at.micros()),
        id(|one| one.id.uuid()),
        text(|one| &one.key.source),
        text(|one| one.key.external_id.expose()),
        number(|one| one.version),
        Values::Numbers(revisions.collect::<Result<_, _>>()?),
        text(|one| &one.content.kind),
        text(|one| &one.content.channel),
        text(|one| &one.content.touchpoint),
        text(|one| &one.content.stage),
        text(|one| &one.content.product),
        Values::MaybeNumbers(amounts.collect()),
        Values::MaybeTexts(currencies.collect()),
        json(|one| serde_json::to_string(&one.content.attributes))?,
        json(|one| serde_json::to_string(&one.party))?,
        json(|one| serde_json::to_string(&one.dimensions))?,
        number(|one| one.recorded_at.micros()),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// Replaces an interaction by its newer version. It may lie at another time.
///
/// # Errors
/// Where the database fails.
pub async fn replace(tx: &Tx, before: &Interaction, after: &Interaction) -> Result<(), Fault> {
    let id = (tx.tenant().uuid(), before.subject.uuid(), before.content.occurred_at.micros(), before.id.uuid());
    Entity::delete_by_id(id).exec(tx.conn()).await.stored()?;
    Entity::insert(write(tx, after)?).exec_without_returning(tx.conn()).await.stored()?;
    interaction_key::replace(tx, after).await
}

/// Where a page begins: after this interaction, in time descending.
pub type Cursor = (i64, uuid::Uuid);

/// What a page is taken from.
pub struct Filter<'a> {
    /// These subjects',
    pub subjects: &'a [SubjectId],
    /// of this kind (empty: any),
    pub kind: &'a str,
    /// at or after,
    pub start: Option<Timestamp>,
    /// before,
    pub end: Option<Timestamp>,
    /// and beyond this one.
    pub after: Option<Cursor>,
}

/// Interactions of subjects, newest first.
///
/// # Errors
/// Where the database fails.
pub async fn page(rx: &Rx, filter: Filter<'_>, limit: u64) -> Result<Vec<Interaction>, Fault> {
    let subjects = filter.subjects.iter().map(|subject| subject.uuid());
    let mut query =
        Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::SubjectId.is_in(subjects));
    if !filter.kind.is_empty() {
        query = query.filter(Column::Kind.eq(filter.kind));
    }
    if let Some(start) = filter.start {
        query = query.filter(Column::OccurredAt.gte(start.micros()));
    }
    if let Some(end) = filter.end {
        query = query.filter(Column::OccurredAt.lt(end.micros()));
    }
    if let Some((at, id)) = filter.after {
        let place = Expr::tuple([Expr::col(Column::OccurredAt), Expr::col(Column::InteractionId)]);
        query = query.filter(place.lt(Expr::tuple([Expr::val(at), Expr::val(id)])));
    }
    let query = query.order_by(Column::OccurredAt, Order::Desc).order_by(Column::InteractionId, Order::Desc);
    query.limit(limit).all(rx.conn()).await.stored()?.into_iter().map(read).collect()
}

/// The newest interactions of subjects: of some types, or of all.
///
/// # Errors
/// Where the database fails.
pub async fn newest(
    rx: &Rx,
    subjects: &[SubjectId],
    kinds: Option<&[String]>,
    recorded_by: Option<Timestamp>,
    limit: u64,
) -> Result<Vec<Interaction>, Fault> {
    let subjects = subjects.iter().map(|subject| subject.uuid());
    let mut query =
        Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::SubjectId.is_in(subjects));
    if let Some(kinds) = kinds {
        query = query.filter(Column::Kind.is_in(kinds));
    }
    if let Some(by) = recorded_by {
        query = query.filter(Column::RecordedAt.lte(by.micros()));
    }
    let query = query.order_by(Column::OccurredAt, Order::Desc).order_by(Column::InteractionId, Order::Desc);
    query.limit(limit).all(rx.conn()).await.stored()?.into_iter().map(read).collect()
}

/// A place in the whole timeline: subject, time, interaction.
pub type Place = (uuid::Uuid, i64, uuid::Uuid);

/// Where an interaction lies.
#[must_use]
pub fn place(interaction: &Interaction) -> Place {
    (interaction.subject.uuid(), interaction.content.occurred_at.micros(), interaction.id.uuid())
}

/// The interactions of all subjects after a place, in the table's own order.
///
/// # Errors
/// Where the database fails.
pub async fn after(rx: &Rx, after: Option<Place>, limit: u64) -> Result<Vec<Interaction>, Fault> {
    let mut query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    if let Some((subject, at, id)) = after {
        let columns = [Column::SubjectId, Column::OccurredAt, Column::InteractionId].map(Expr::col);
        query = query.filter(Expr::tuple(columns).gt(Expr::tuple([Expr::val(subject), Expr::val(at), Expr::val(id)])));
    }
    let order = [Column::SubjectId, Column::OccurredAt, Column::InteractionId];
    let query = order.into_iter().fold(query, |query, column| query.order_by(column, Order::Asc));
    query.limit(limit).all(rx.conn()).await.stored()?.into_iter().map(read).collect()
}

/// Forgets the interactions of subjects; answers how many there were.
///
/// # Errors
/// Where the database fails.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let subjects: Vec<_> = subjects.iter().map(|subject| subject.uuid()).collect();
    interaction_key::erase(tx, &subjects).await?;
    let rows =
        Entity::delete_many().filter(Column::Tenant.eq(tx.tenant().uuid())).filter(Column::SubjectId.is_in(subjects));
    Ok(rows.exec(tx.conn()).await.stored()?.rows_affected)
}

fn write(tx: &Tx, interaction: &Interaction) -> Result<ActiveModel, Fault> {
    let content = &interaction.content;
    Ok(ActiveModel {
        tenant: Set(tx.tenant().uuid()),
        subject_id: Set(interaction.subject.uuid()),
        occurred_at: Set(content.occurred_at.micros()),
        interaction_id: Set(interaction.id.uuid()),
        source: Set(interaction.key.source.clone()),
        external_id: Set(interaction.key.external_id.expose().clone()),
        version: Set(interaction.version),
        revision: Set(i64::try_from(interaction.revision).map_err(Fault::internal)?),
        kind: Set(content.kind.clone()),
        channel: Set(content.channel.clone()),
        touchpoint: Set(content.touchpoint.clone()),
        stage: Set(content.stage.clone()),
        product: Set(content.product.clone()),
        amount_micros: Set(content.value.map(|value| value.micros)),
        currency: Set(content.value.map(|value| value.currency.to_string())),
        attributes: Set(serde_json::to_string(&content.attributes).map_err(Fault::internal)?),
        party: Set(serde_json::to_string(&interaction.party).map_err(Fault::internal)?),
        dimensions: Set(serde_json::to_string(&interaction.dimensions).map_err(Fault::internal)?),
        recorded_at: Set(interaction.recorded_at.micros()),
    })
}

fn read(row: Model) -> Result<Interaction, Fault> {
    let currency = row.currency.as_deref().map(str::parse::<Currency>).transpose().map_err(Fault::internal)?;
    let value = row.amount_micros.zip(currency).map(|(micros, currency)| Money { currency, micros });
    Ok(Interaction {
        id: Id::from_uuid(row.interaction_id),
        subject: SubjectId::from_uuid(row.subject_id),
        key: InteractionKey { source: row.source, external_id: Private::new(row.external_id) },
        version: row.version,
        revision: u64::try_from(row.revision).map_err(Fault::internal)?,
        content: Arc::new(Content {
            kind: row.kind,
            channel: row.channel,
            touchpoint: row.touchpoint,
            stage: row.stage,
            product: row.product,
            occurred_at: Timestamp::from_column(row.occurred_at),
            value,
            attributes: serde_json::from_str(&row.attributes).map_err(|_| unreadable())?,
        }),
        party: serde_json::from_str(&row.party).map_err(|_| unreadable())?,
        dimensions: serde_json::from_str(&row.dimensions).map_err(|_| unreadable())?,
        recorded_at: Timestamp::from_column(row.recorded_at),
    })
}

/// serde's text could quote what it read: it is not passed on.
fn unreadable() -> Fault {
    Fault::internal("a stored interaction cannot be read")
}
