//! The table of invitations: what lists, cool-downs and quotas ask for in columns, the rest as JSON. Of a token the hash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{due, list, sql};
use crate::domain::asking::{Invitation, InvitationId, Past, Spot, Status};
use crate::domain::{Party, Respondent, ResponseId, SurveyId, SurveyKind};
use crate::store::{column, revision};

/// How many subjects one statement names.
const CHUNK: usize = 500;

const COLUMNS: &str = "invitation_id, survey_id, subject_id, kind, status, channel, campaign, cause, invited_at, expires_at, \
                       revision, body";

/// What is kept of it beside its columns.
#[derive(Serialize, Deserialize)]
struct Body {
    anonymous: bool,
    dimensions: BTreeMap<String, String>,
    party: Party,
    purpose: String,
    topic: String,
    spot: Spot,
    language: String,
    contact: Option<Uuid>,
    is_confirmed: bool,
    delivered_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    uses: u32,
    max_uses: u32,
    reminders: u32,
    remind_at: Option<Timestamp>,
    remind_after: Vec<Duration>,
    response: Option<ResponseId>,
    updated_at: Timestamp,
}

/// Which invitations.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// To this survey.
    pub survey: Option<SurveyId>,
    /// Of these subjects.
    pub subjects: Option<Vec<SubjectId>>,
    /// That stand so.
    pub status: Option<Status>,
    /// Of this campaign.
    pub campaign: Option<String>,
}

/// Writes a new invitation.
///
/// # Errors
/// As the database's.
pub async fn insert(tx: &Tx, invitation: &Invitation, token: [u8; 32]) -> Result<(), Fault> {
    let text = "INSERT INTO invitation (tenant, invitation_id, survey_id, subject_id, kind, status, channel, campaign, cause, \
                invited_at, expires_at, token, revision, body) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let it = invitation;
    let values = vec![
        tx.tenant().uuid().into(),
        it.id.uuid().into(),
        it.survey.uuid().into(),
        it.subject().uuid().into(),
        it.kind.name().into(),
        it.status.name().into(),
        it.channel.clone().into(),
        it.spot.campaign.clone().into(),
        it.cause.clone().into(),
        it.invited_at.micros().into(),
        it.expires_at.micros().into(),
        token.to_vec().into(),
        column(it.revision)?.into(),
        body(it)?.into(),
    ];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored()?;
    due::set(tx, it.id.uuid(), due::INVITATION, it.wakes()).await
}

/// Writes an invitation that was locked over what it was.
///
/// # Errors
/// As the database's.
pub async fn update(tx: &Tx, invitation: &Invitation) -> Result<(), Fault> {
    let text = "UPDATE invitation SET status = $3, revision = $4, body = $5 WHERE tenant = $1 AND invitation_id = $2";
    let values = vec![
        tx.tenant().uuid().into(),
        invitation.id.uuid().into(),
        invitation.status.name().into(),
        column(invitation.revision)?.into(),
        body(invitation)?.into(),
    ];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored()?;
    due::set(tx, invitation.id.uuid(), due::INVITATION, invitation.wakes()).await
}

/// Stores the hash of another token in place of the one there is.
///
/// # Errors
/// As the database's.
pub async fn set_token(tx: &Tx, id: InvitationId, token: [u8; 32]) -> Result<(), Fault> {
    let text = "UPDATE invitation SET token = $3 WHERE tenant = $1 AND invitation_id = $2 AND token <> $3";
    let values = vec![tx.tenant().uuid().into(), id.uuid().into(), token.to_vec().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// Reads an invitation.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn get(rx: &Rx, id: InvitationId) -> Result<Invitation, Fault> {
    find(rx, "invitation_id", id.uuid().into(), false).await?.ok_or_else(|| missing(id))
}

/// Reads an invitation in order to change it: nobody else changes it meanwhile.
///
/// # Errors
/// NOT_FOUND; else as the database's.
pub async fn lock(tx: &Tx, id: InvitationId) -> Result<Invitation, Fault> {
    find(tx, "invitation_id", id.uuid().into(), true).await?.ok_or_else(|| missing(id))
}

/// The invitation of a token, by its hash.
///
/// # Errors
/// As the database's.
pub async fn of_token(rx: &Rx, token: [u8; 32]) -> Result<Option<Invitation>, Fault> {
    find(rx, "token", token.to_vec().into(), false).await
}

/// The same, in order to change it.
///
/// # Errors
/// As the database's.
pub async fn lock_token(tx: &Tx, token: [u8; 32]) -> Result<Option<Invitation>, Fault> {
    find(tx, "token", token.to_vec().into(), true).await
}

fn missing(id: InvitationId) -> Fault {
    Fault::not_found("invitation", id.to_string())
}

async fn find(rx: &Rx, by: &str, value: Value, locked: bool) -> Result<Option<Invitation>, Fault> {
    // On SQLite units run one after the other.
    let lock = if locked && rx.engine() == rapport_data::Engine::Postgres { " FOR UPDATE" } else { "" };
    let text = format!("SELECT {COLUMNS} FROM invitation WHERE tenant = $1 AND {by} = $2{lock}");
    let row = rx.conn().query_one_raw(sql(rx, text, vec![rx.tenant().uuid().into(), value])).await.stored()?;
    row.as_ref().map(read).transpose()
}

/// The invitations that subjects had since an instant, or have still, as cool-downs see them.
///
/// # Errors
/// As the database's.
pub async fn past(rx: &Rx, subjects: &[SubjectId], since: Timestamp) -> Result<Vec<Past>, Fault> {
    let mut past = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
        values.extend(some.iter().map(|subject| Value::from(subject.uuid())));
        values.push(since.micros().into());
        let text = format!(
            "SELECT survey_id, kind, channel, cause, invited_at, expires_at, status FROM invitation WHERE tenant = $1 \
             AND subject_id IN ({}) AND (invited_at > ${last} OR status IN ('invited', 'delivered', 'started'))",
            list(1, some.len()),
            last = values.len()
        );
        for row in rx.conn().query_all_raw(sql(rx, text, values)).await.stored()? {
            let text = |index: usize| row.try_get_by_index::<String>(index).stored();
            let at = |index: usize| row.try_get_by_index::<i64>(index).stored().map(Timestamp::from_column);
            past.push(Past {
                survey: SurveyId::from_uuid(row.try_get_by_index(0).stored()?),
                kind: SurveyKind::of(&text(1)?).ok_or_else(unreadable)?,
                channel: text(2)?,
                cause: text(3)?,
                at: at(4)?,
                expires_at: at(5)?,
                status: Status::of(&text(6)?).ok_or_else(unreadable)?,
            });
        }
    }
    Ok(past)
}

/// How many invitations before and after one are looked at for such as it.
const NEIGHBOURS: [u64; 2] = [20, 1_000];

/// Whether so many customers or more were invited to a survey just as one was: on the same channel, about the same, in the same
/// language. Those that were invited shortly before and after it are looked at, as those of its wave were.
///
/// # Errors
/// As the database's.
pub async fn is_one_of(rx: &Rx, many: usize, held: &Invitation) -> Result<bool, Fault> {
    // Tickets and interactions are each one's own, and no anonymous answer tells them.
    let alike = |spot: &Spot| Spot { ticket: None, interaction: None, ..spot.clone() };
    let about = alike(&held.spot);
    for limit in NEIGHBOURS {
        let mut subjects = BTreeSet::new();
        for (side, order) in [("<=", "DESC"), (">", "ASC")] {
            let text = format!(
                "SELECT {COLUMNS} FROM invitation WHERE tenant = $1 AND survey_id = $2 AND invited_at {side} $3 \
                 ORDER BY invited_at {order} LIMIT {limit}"
            );
            let values = vec![rx.tenant().uuid().into(), held.survey.uuid().into(), held.invited_at.micros().into()];
            let rows = rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?;
            for one in rows.iter().map(read) {
                let one = one?;
                let same = one.channel == held.channel && one.language == held.language && alike(&one.spot) == about;
                if same && one.status.counts() {
                    subjects.insert(one.subject());
                }
            }
        }
        if subjects.len() >= many {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many invitations count to a survey's quota, up to it; and when the first of them was.
///
/// # Errors
/// As the database's.
pub async fn counted(
    rx: &Rx,
    survey: SurveyId,
    since: Option<Timestamp>,
    quota: u64,
) -> Result<(u64, Option<Timestamp>), Fault> {
    let text = format!(
        "SELECT COUNT(*), MIN(invited_at) FROM (SELECT invited_at FROM invitation WHERE tenant = $1 AND survey_id = $2 \
         AND status NOT IN ('cancelled', 'failed') AND invited_at > $3 ORDER BY invited_at DESC LIMIT {quota}) AS counted"
    );
    let since = since.unwrap_or(Timestamp::MIN);
    let values = vec![rx.tenant().uuid().into(), survey.uuid().into(), since.micros().into()];
    let row = rx.conn().query_one_raw(sql(rx, text, values)).await.stored()?;
    let row = row.ok_or_else(|| Fault::internal("a count counted nothing"))?;
    let count = u64::try_from(row.try_get_by_index::<i64>(0).stored()?).map_err(Fault::internal)?;
    let first: Option<i64> = row.try_get_by_index(1).stored()?;
    Ok((count, first.map(Timestamp::from_column)))
}

/// A page of invitations before one, newest first: ids sort by the time of their making.
///
/// # Errors
/// As the database's.
pub async fn page(rx: &Rx, which: &Which, before: Option<InvitationId>, limit: u64) -> Result<Vec<Invitation>, Fault> {
    let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
    let mut text = format!("SELECT {COLUMNS} FROM invitation WHERE tenant = $1");
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        text.push_str(&format!(" AND {condition} ${}", values.len()));
    };
    if let Some(survey) = which.survey {
        and("survey_id =", survey.uuid().into());
    }
    if let Some(status) = which.status {
        and("status =", status.name().into());
    }
    if let Some(campaign) = &which.campaign {
        and("campaign =", campaign.clone().into());
    }
    if let Some(before) = before {
        and("invitation_id <", before.uuid().into());
    }
    if let Some(subjects) = &which.subjects {
        text.push_str(&format!(" AND subject_id IN ({})", list(values.len(), subjects.len())));
        values.extend(subjects.iter().map(|subject| Value::from(subject.uuid())));
    }
    text.push_str(&format!(" ORDER BY invitation_id DESC LIMIT {limit}"));
    rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?.iter().map(read).collect()
}

/// The invitations after an id, in the order of ids.
///
/// # Errors
/// As the database's.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Invitation>, Fault> {
    let text = format!(
        "SELECT {COLUMNS} FROM invitation WHERE tenant = $1 AND invitation_id > $2 ORDER BY invitation_id LIMIT {limit}"
    );
    let values = vec![rx.tenant().uuid().into(), after.into()];
    rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?.iter().map(read).collect()
}

/// Deletes invitations.
///
/// # Errors
/// As the database's.
pub async fn delete(tx: &Tx, ids: &[InvitationId]) -> Result<(), Fault> {
    for some in ids.chunks(CHUNK) {
        let places = list(1, some.len());
        for table in [
            "DELETE FROM invitation WHERE tenant = $1 AND invitation_id",
            "DELETE FROM asking_due WHERE tenant = $1 AND item_id",
        ] {
            let mut values: Vec<Value> = vec![tx.tenant().uuid().into()];
            values.extend(some.iter().map(|id| Value::from(id.uuid())));
            tx.conn().execute_raw(sql(tx, format!("{table} IN ({places})"), values)).await.stored()?;
        }
    }
    Ok(())
}

fn unreadable() -> Fault {
    Fault::internal("an invitation's row holds an unknown word")
}

fn body(it: &Invitation) -> Result<String, Fault> {
    let body = Body {
        anonymous: it.anonymous,
        dimensions: it.respondent.dimensions.clone(),
        party: it.respondent.party,
        purpose: it.purpose.clone(),
        topic: it.topic.clone(),
        spot: it.spot.clone(),
        language: it.language.clone(),
        contact: it.contact,
        is_confirmed: it.is_confirmed,
        delivered_at: it.delivered_at,
        started_at: it.started_at,
        completed_at: it.completed_at,
        uses: it.uses,
        max_uses: it.max_uses,
        reminders: it.reminders,
        remind_at: it.remind_at,
        remind_after: it.remind_after.clone(),
        response: it.response,
        updated_at: it.updated_at,
    };
    serde_json::to_string(&body).map_err(Fault::internal)
}

fn read(row: &QueryResult) -> Result<Invitation, Fault> {
    let text = |index: usize| row.try_get_by_index::<String>(index).stored();
    let id = |index: usize| row.try_get_by_index::<Uuid>(index).stored();
    let at = |index: usize| row.try_get_by_index::<i64>(index).stored().map(Timestamp::from_column);
    // What is wrong in it is not told: it is private.
    let body: Body = serde_json::from_str(&text(11)?).map_err(|_| unreadable())?;
    let subject = SubjectId::from_uuid(id(2)?);
    Ok(Invitation {
        id: InvitationId::from_uuid(id(0)?),
        survey: SurveyId::from_uuid(id(1)?),
        kind: SurveyKind::of(&text(3)?).ok_or_else(unreadable)?,
        anonymous: body.anonymous,
        respondent: Respondent { subject, anonymous: false, dimensions: body.dimensions, party: body.party },
        status: Status::of(&text(4)?).ok_or_else(unreadable)?,
        channel: text(5)?,
        purpose: body.purpose,
        topic: body.topic,
        spot: body.spot,
        cause: text(7)?,
        language: body.language,
        contact: body.contact,
        is_confirmed: body.is_confirmed,
        invited_at: at(8)?,
        expires_at: at(9)?,
        delivered_at: body.delivered_at,
        started_at: body.started_at,
        completed_at: body.completed_at,
        uses: body.uses,
        max_uses: body.max_uses,
        reminders: body.reminders,
        remind_at: body.remind_at,
        remind_after: body.remind_after,
        response: body.response,
        revision: revision(row.try_get_by_index(10).stored()?)?,
        updated_at: body.updated_at,
    })
}
