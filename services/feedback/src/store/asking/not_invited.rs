//! Who was not invited, and why.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use uuid::Uuid;

use super::sql;
use crate::domain::SurveyId;
use crate::domain::asking::{NotInvited, Reason, Refusal};

/// Which of them.
#[derive(Clone, Debug)]
pub struct Which {
    /// To this survey.
    pub survey: SurveyId,
    /// For this reason.
    pub reason: Option<Reason>,
    /// Of this campaign.
    pub campaign: Option<String>,
}

/// Notes that a customer was not invited.
///
/// # Errors
/// As the database's.
pub async fn add(tx: &Tx, one: &NotInvited) -> Result<(), Fault> {
    let text = "INSERT INTO not_invited (tenant, not_invited_id, survey_id, subject_id, reason, campaign, channel, at, retry_at, \
                spot) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = vec![
        tx.tenant().uuid().into(),
        one.id.into(),
        one.survey.uuid().into(),
        one.subject.uuid().into(),
        one.refusal.reason.name().into(),
        one.spot.campaign.clone().into(),
        one.channel.clone().into(),
        one.at.micros().into(),
        one.refusal.retry.map(Timestamp::micros).into(),
        serde_json::to_string(&one.spot).map_err(Fault::internal)?.into(),
    ];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// A page of those before one, newest first: ids sort by the time of their making.
///
/// # Errors
/// As the database's.
pub async fn page(rx: &Rx, which: &Which, before: Option<Uuid>, limit: u64) -> Result<Vec<NotInvited>, Fault> {
    let mut values: Vec<Value> = vec![rx.tenant().uuid().into(), which.survey.uuid().into()];
    let mut text =
        "SELECT not_invited_id, survey_id, subject_id, reason, channel, at, retry_at, spot FROM not_invited \
                    WHERE tenant = $1 AND survey_id = $2"
            .to_owned();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        text.push_str(&format!(" AND {condition} ${}", values.len()));
    };
    if let Some(reason) = which.reason {
        and("reason =", reason.name().into());
    }
    if let Some(campaign) = &which.campaign {
        and("campaign =", campaign.clone().into());
    }
    if let Some(before) = before {
        and("not_invited_id <", before.into());
    }
    text.push_str(&format!(" ORDER BY not_invited_id DESC LIMIT {limit}"));
    rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<NotInvited, Fault> {
    let unreadable = || Fault::internal("a row of who was not invited cannot be read");
    let text = |index: usize| row.try_get_by_index::<String>(index).stored();
    let id = |index: usize| row.try_get_by_index::<Uuid>(index).stored();
    let retry: Option<i64> = row.try_get_by_index(6).stored()?;
    let reason = Reason::of(&text(3)?).ok_or_else(unreadable)?;
    Ok(NotInvited {
        id: id(0)?,
        survey: SurveyId::from_uuid(id(1)?),
        subject: SubjectId::from_uuid(id(2)?),
        refusal: Refusal { reason, retry: retry.map(Timestamp::from_column) },
        channel: text(4)?,
        at: Timestamp::from_column(row.try_get_by_index(5).stored()?),
        spot: serde_json::from_str(&text(7)?).map_err(|_| unreadable())?,
    })
}
