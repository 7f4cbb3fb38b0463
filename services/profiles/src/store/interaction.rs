//! The timeline: one row for each interaction that stands, keyed so that a subject's history lies together, newest last.
//! On Postgres it is partitioned by time, see the migration and [`cover`].

use std::collections::HashMap;
use std::sync::Arc;

use rapport_data::{Bulk, Column as Values, Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Currency, Fault, Id, Money, Private, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{Condition, Order, QueryOrder as _, QuerySelect as _, Statement, Value};

use super::interaction_key;
use crate::domain::interaction::{Content, Held, Interaction, InteractionId, InteractionKey, Tombstone};

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
    pub details: String,
    pub referrer_id: Option<Uuid>,
    pub updated_at: i64,
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
pub async fn held(rx: &Rx, keys: &[InteractionKey]) -> Result<HashMap<InteractionKey, Held>, Fault> {
    let mut found = HashMap::new();
    let (deleted, live): (Vec<_>, Vec<_>) =
        interaction_key::places(rx, keys).await?.into_iter().partition(|place| place.state == interaction_key::DELETED);
    for place in deleted {
        let tombstone = interaction_key::tombstone(place)?;
        found.insert(tombstone.key.clone(), Held::Deleted(tombstone));
    }
    for places in live.chunks(ROWS / 4) {
        // By the whole primary key: in a table partitioned by time, one partition each.
        let one = |place: &interaction_key::Model| {
            Condition::all()
                .add(Column::SubjectId.eq(place.subject_id))
                .add(Column::OccurredAt.eq(place.occurred_at))
                .add(Column::InteractionId.eq(place.interaction_id))
        };
        let any = places.iter().fold(Condition::any(), |any, place| any.add(one(place)));
        let rows = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(any);
        for row in rows.all(rx.conn()).await.stored()? {
            let interaction = read(row)?;
            found.insert(interaction.key.clone(), Held::Live(interaction));
        }
    }
    Ok(found)
}

/// An interaction by its own id; `None` where there is none, or it was deleted.
///
/// # Errors
/// Where the database fails.
pub async fn by_id(rx: &Rx, id: InteractionId) -> Result<Option<Interaction>, Fault> {
    let Some(place) = interaction_key::by_id(rx, id.uuid()).await? else { return Ok(None) };
    let Some((subject, at)) = place.subject_id.zip(place.occurred_at) else { return Ok(None) };
    let row = Entity::find_by_id((rx.tenant().uuid(), subject, at, id.uuid())).one(rx.conn()).await.stored()?;
    row.map(read).transpose()
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
        "details",
        "referrer_id",
        "updated_at",
    ],
    suffix: "",
};

/// Adds what was not held: interactions to the timeline, and the keys of all.
///
/// # Errors
/// Where the database fails; a key that came to be held meanwhile is a fault that runs the unit again.
pub async fn add(tx: &Tx, new: &[&Held]) -> Result<(), Fault> {
    interaction_key::add(tx, new).await?;
    let live = |held: &&Held| match held {
        Held::Live(interaction) => Some(interaction.clone()),
        Held::Deleted(_) => None,
    };
    insert(tx, &new.iter().filter_map(live).collect::<Vec<_>>()).await
}

async fn insert(tx: &Tx, interactions: &[Interaction]) -> Result<(), Fault> {
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
        json(|one| serde_json::to_string(&one.content.details))?,
        Values::MaybeIds(interactions.iter().map(|one| one.content.referrer.map(|of| of.uuid())).collect()),
        number(|one| one.updated_at.micros()),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// Replaces what is held of a key. It may lie at another time then, or nowhere.
///
/// # Errors
/// Where the database fails.
pub async fn replace(tx: &Tx, before: &Held, after: &Held) -> Result<(), Fault> {
    if let Held::Live(before) = before {
        let (subject, at, id) = place(before);
        Entity::delete_by_id((tx.tenant().uuid(), subject, at, id)).exec(tx.conn()).await.stored()?;
    }
    if let Held::Live(after) = after {
        insert(tx, std::slice::from_ref(after)).await?;
    }
    interaction_key::replace(tx, after).await
}

/// Where a page begins: after this interaction, in time descending.
pub type Cursor = (i64, uuid::Uuid);

/// What a page is taken from.
#[derive(Clone, Copy)]
pub struct Filter<'a> {
    /// These subjects',
    pub subjects: &'a [SubjectId],
    /// of these kinds (none: any), and so on,
    pub kinds: &'a [String],
    /// by these channels,
    pub channels: &'a [String],
    /// at these touchpoints,
    pub touchpoints: &'a [String],
    /// at these stages,
    pub stages: &'a [String],
    /// at or after,
    pub start: Option<Timestamp>,
    /// before,
    pub end: Option<Timestamp>,
    /// and beyond this one.
    pub after: Option<Cursor>,
}

/// How many subjects one statement merges: SQLite takes five hundred parts of a compound.
const MERGED: usize = 100;

/// Interactions of subjects, newest first.
///
/// Each subject's lie in order in the primary key, and the engine merges as many such walks as there are subjects: it
/// reads about as many rows as it answers, and sorts none. (With `subject_id IN (…)` SQLite would read and sort all.)
///
/// # Errors
/// Where the database fails.
pub async fn page(rx: &Rx, filter: Filter<'_>, limit: u64) -> Result<Vec<Interaction>, Fault> {
    let mut found: Vec<Interaction> = Vec::new();
    for some in filter.subjects.chunks(MERGED) {
        let (text, values) = merge(rx, Filter { subjects: some, ..filter }, limit);
        let statement = Statement::from_sql_and_values(rx.engine().backend(), text, values);
        let rows = Entity::find().from_raw_sql(statement).all(rx.conn()).await.stored()?;
        found.extend(rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?);
    }
    if filter.subjects.len() > MERGED {
        found.sort_by_key(|one| std::cmp::Reverse((one.content.occurred_at, one.id.uuid())));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(found)
}

/// The statement of a page: a walk for each subject, merged.
fn merge(rx: &Rx, filter: Filter<'_>, limit: u64) -> (String, Vec<Value>) {
    const ORDER: &str = "ORDER BY occurred_at DESC, interaction_id DESC";
    let mut values: Vec<Value> = vec![rx.tenant().uuid().into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let which = which(filter, &mut bind);
    let walk =
        |subject: String| format!("SELECT * FROM interaction WHERE tenant = $1 AND subject_id = {subject}{which}");
    let text = match (filter.subjects, rx.engine()) {
        ([one], _) => format!("{} {ORDER} LIMIT $2", walk(bind(one.uuid().into()))),
        (several, Engine::Sqlite) => {
            let walks: Vec<String> = several.iter().map(|one| walk(bind(one.uuid().into()))).collect();
            format!("{} {ORDER} LIMIT $2", walks.join(" UNION ALL "))
        }
        (several, Engine::Postgres) => {
            let subjects: Vec<String> = several.iter().map(|one| bind(one.uuid().into())).collect();
            let (subjects, walk) = (subjects.join("), ("), walk("one.subject::uuid".to_owned()));
            format!(
                "SELECT merged.* FROM (VALUES ({subjects})) AS one (subject) CROSS JOIN LATERAL ({walk} {ORDER} \
                 LIMIT $2) AS merged {ORDER} LIMIT $2"
            )
        }
    };
    (text, values)
}

/// What a walk leaves out.
fn which(filter: Filter<'_>, bind: &mut impl FnMut(Value) -> String) -> String {
    let mut which = String::new();
    for (column, among) in [
        ("kind", filter.kinds),
        ("channel", filter.channels),
        ("touchpoint", filter.touchpoints),
        ("stage", filter.stages),
    ] {
        if !among.is_empty() {
            let among: Vec<String> = among.iter().map(|word| bind(word.clone().into())).collect();
            which.push_str(&format!(" AND {column} IN ({})", among.join(", ")));
        }
    }
    if let Some(start) = filter.start {
        which.push_str(&format!(" AND occurred_at >= {}", bind(start.micros().into())));
    }
    if let Some(end) = filter.end {
        which.push_str(&format!(" AND occurred_at < {}", bind(end.micros().into())));
    }
    if let Some((at, id)) = filter.after {
        // Told apart from the place too, the instant lets Postgres leave partitions out.
        let (at, id) = (bind(at.into()), bind(id.into()));
        which.push_str(&format!(" AND occurred_at <= {at} AND (occurred_at, interaction_id) < ({at}, {id})"));
    }
    which
}

/// The channels of a subject's newest interactions that name one, and when they occurred.
///
/// # Errors
/// Where the database fails.
pub async fn channels(rx: &Rx, subject: SubjectId, limit: u64) -> Result<Vec<(String, Timestamp)>, Fault> {
    let query = Entity::find().select_only().column(Column::Channel).column(Column::OccurredAt);
    let query = query.filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::SubjectId.eq(subject.uuid()));
    let query = query.filter(Column::Channel.ne("")).order_by(Column::OccurredAt, Order::Desc).limit(limit);
    let rows = query.into_tuple::<(String, i64)>().all(rx.conn()).await.stored()?;
    Ok(rows.into_iter().map(|(channel, at)| (channel, Timestamp::from_column(at))).collect())
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

/// Deletions that others were told of, after one, in the order of the interactions' ids.
///
/// # Errors
/// Where the database fails.
pub async fn deleted_after(rx: &Rx, id: uuid::Uuid, limit: u64) -> Result<Vec<Tombstone>, Fault> {
    interaction_key::deleted_after(rx, id, limit).await
}

/// Forgets the interactions of subjects, their deletions, and that they referred anybody; answers how many rows went.
///
/// # Errors
/// Where the database fails.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let subjects: Vec<_> = subjects.iter().map(|subject| subject.uuid()).collect();
    // Each interaction has one key, and so has each deletion.
    let keys = interaction_key::erase(tx, &subjects).await?;
    let of_tenant = || Column::Tenant.eq(tx.tenant().uuid());
    let rows = Entity::delete_many().filter(of_tenant()).filter(Column::SubjectId.is_in(subjects.iter().copied()));
    rows.exec(tx.conn()).await.stored()?;
    let referred = Entity::update_many().col_expr(Column::ReferrerId, Expr::value(Option::<Uuid>::None));
    let referred = referred.filter(of_tenant()).filter(Column::ReferrerId.is_in(subjects));
    referred.exec(tx.conn()).await.stored()?;
    Ok(keys)
}

/// Sees to it that interactions until an instant have their partition, and answers until when all have one. It is a
/// unit of its own: none that records waits for it.
///
/// # Errors
/// Where the database fails.
pub async fn cover(tx: &Tx, until: Timestamp) -> Result<Timestamp, Fault> {
    if tx.engine() == Engine::Sqlite {
        return Ok(Timestamp::MAX);
    }
    let rows = super::rows(tx, "SELECT interaction_cover($1)", [until.micros().into()]).await?;
    let row = rows.first().ok_or_else(|| Fault::internal("the function answers one row"))?;
    Ok(Timestamp::from_column(row.try_get_by_index(0).stored()?))
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
            details: serde_json::from_str(&row.details).map_err(|_| unreadable())?,
            referrer: row.referrer_id.map(SubjectId::from_uuid),
        }),
        party: serde_json::from_str(&row.party).map_err(|_| unreadable())?,
        dimensions: serde_json::from_str(&row.dimensions).map_err(|_| unreadable())?,
        recorded_at: Timestamp::from_column(row.recorded_at),
        updated_at: Timestamp::from_column(row.updated_at),
    })
}

/// serde's text could quote what it read: it is not passed on.
fn unreadable() -> Fault {
    Fault::internal("a stored interaction cannot be read")
}
