//! Observations: what subjects said, append-only. Profiles are folds of them, at any instant.

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{QueryOrder as _, QuerySelect as _};

use super::{CHUNK, delete_subjects, uuids};
use crate::domain::claims::Statement;

#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "observation")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub observed_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub observation_id: Uuid,
    pub recorded_at: i64,
    pub about: i16,
    pub body: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("Observation").field("observation_id", &self.observation_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observation")
    }
}

/// What a subject said at once.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Who.
    pub subject: SubjectId,
    /// When the source knew it.
    pub observed_at: Timestamp,
    /// When we did.
    pub recorded_at: Timestamp,
    /// What.
    pub statement: Statement,
}

/// What a history is listed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Consents.
    Consents,
    /// Preferences.
    Preferences,
}

impl About {
    /// Its bit in the column.
    const fn bit(self) -> i16 {
        match self {
            Self::Consents => 1,
            Self::Preferences => 2,
        }
    }

    fn bits(statement: &Statement) -> i16 {
        let of = |about: Self, is_empty: bool| if is_empty { 0 } else { about.bit() };
        of(Self::Consents, statement.consents.is_empty()) | of(Self::Preferences, statement.preferences.is_empty())
    }
}

fn encoded(statement: &Statement) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(statement).map_err(|_| Fault::internal("a statement could not be encoded"))
}

/// Whether the subject has said just this at just that time before.
pub async fn is_known(
    rx: &Rx,
    subject: SubjectId,
    observed_at: Timestamp,
    statement: &Statement,
) -> Result<bool, Fault> {
    let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
    let query = query.filter(Column::SubjectId.eq(subject.uuid())).filter(Column::ObservedAt.eq(observed_at.micros()));
    let body = encoded(statement)?;
    Ok(query.all(rx.conn()).await.stored()?.iter().any(|row| row.body == body))
}

/// What subjects had said, as far as it was recorded by an instant.
pub async fn of_subjects(rx: &Rx, subjects: &[SubjectId], by: Timestamp) -> Result<Vec<Observation>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let query = query.filter(Column::SubjectId.is_in(uuids(some))).filter(Column::RecordedAt.lte(by.micros()));
        for row in query.all(rx.conn()).await.stored()? {
            found.push(observation(row)?);
        }
    }
    Ok(found)
}

fn observation(row: Model) -> Result<Observation, Fault> {
    let statement = serde_json::from_slice(&row.body);
    Ok(Observation {
        subject: SubjectId::from_uuid(row.subject_id),
        observed_at: Timestamp::from_column(row.observed_at),
        recorded_at: Timestamp::from_column(row.recorded_at),
        statement: statement.map_err(|_| Fault::internal("a stored statement could not be decoded"))?,
    })
}

/// Where an observation stands in a history.
pub type Place = (i64, Uuid);

/// What subjects said about a thing, the newest first, from a place on (itself among them); at most `limit`.
pub async fn history(
    rx: &Rx,
    subjects: &[SubjectId],
    about: About,
    from: Option<Place>,
    limit: u64,
) -> Result<Vec<(Place, Observation)>, Fault> {
    let mut found = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let query = Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid()));
        let mut query = query.filter(Column::SubjectId.is_in(uuids(some))).filter(Column::About.gt(0));
        query = query.filter(Expr::col(Column::About).bit_and(about.bit()).ne(0));
        if let Some((at, id)) = from {
            let place = Expr::tuple([Expr::col(Column::ObservedAt), Expr::col(Column::ObservationId)]);
            query = query.filter(place.lte(Expr::tuple([Expr::val(at), Expr::val(id)])));
        }
        let query = query.order_by_desc(Column::ObservedAt).order_by_desc(Column::ObservationId).limit(limit);
        for row in query.all(rx.conn()).await.stored()? {
            found.push(((row.observed_at, row.observation_id), observation(row)?));
        }
    }
    found.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

const INSERT: Bulk = Bulk {
    table: "observation",
    columns: &["tenant", "subject_id", "observed_at", "observation_id", "recorded_at", "about", "body"],
    suffix: "",
};

/// Adds observations.
pub async fn add(tx: &Tx, observations: &[Observation]) -> Result<(), Fault> {
    let number = |of: fn(&Observation) -> i64| Values::Numbers(observations.iter().map(of).collect());
    let columns = vec![
        Values::same_id(tx.tenant().uuid(), observations.len()),
        Values::Ids(observations.iter().map(|it| it.subject.uuid()).collect()),
        number(|it| it.observed_at.micros()),
        Values::Ids(observations.iter().map(|_| Uuid::now_v7()).collect()),
        number(|it| it.recorded_at.micros()),
        Values::Smalls(observations.iter().map(|it| About::bits(&it.statement)).collect()),
        Values::Bytes(observations.iter().map(|it| encoded(&it.statement)).collect::<Result<_, _>>()?),
    ];
    INSERT.insert(tx.conn(), columns).await
}

/// Deletes all that subjects said; answers how many rows there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_subjects(tx, "observation", subjects).await
}
