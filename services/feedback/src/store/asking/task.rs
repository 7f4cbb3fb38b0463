//! Whom an event will ask, and whom it asked: a task's id is of its survey and cause, so that an event that is told again asks
//! nobody twice.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::ConnectionTrait as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{due, sql};
use crate::domain::SurveyId;
use crate::domain::asking::Spot;

/// Somebody to be asked.
#[derive(Clone, Debug)]
pub struct Task {
    /// By which survey.
    pub survey: SurveyId,
    /// Whom.
    pub subject: SubjectId,
    /// Why: what tells one occasion from another.
    pub cause: String,
    /// When.
    pub due_at: Timestamp,
    /// About what.
    pub about: About,
}

/// What somebody is to be asked about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// The channel on which it happened; empty where unknown.
    pub channel: String,
    /// What it is about.
    pub spot: Spot,
    /// The language; empty where unknown.
    pub language: String,
    /// Of a ticket: when it was solved.
    pub solved_at: Option<Timestamp>,
}

impl Task {
    /// Its id: the same for the same survey and cause.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let hash = Sha256::new().chain_update(self.survey.uuid().as_bytes()).chain_update(&self.cause).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// Notes somebody to be asked, unless that was noted before.
///
/// # Errors
/// As the database's.
pub async fn add(tx: &Tx, task: &Task) -> Result<(), Fault> {
    let text = "INSERT INTO asking_task (tenant, task_id, survey_id, subject_id, cause, due_at, body, done) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT (tenant, task_id) DO NOTHING";
    let values = vec![
        tx.tenant().uuid().into(),
        task.id().into(),
        task.survey.uuid().into(),
        task.subject.uuid().into(),
        task.cause.clone().into(),
        task.due_at.micros().into(),
        serde_json::to_string(&task.about).map_err(Fault::internal)?.into(),
    ];
    if tx.conn().execute_raw(sql(tx, text, values)).await.stored()?.rows_affected() == 1 {
        due::set(tx, task.id(), due::TASK, Some(task.due_at)).await?;
    }
    Ok(())
}

/// A task that is not done.
///
/// # Errors
/// As the database's.
pub async fn get(rx: &Rx, id: Uuid) -> Result<Option<Task>, Fault> {
    let text = "SELECT survey_id, subject_id, cause, due_at, body FROM asking_task \
                WHERE tenant = $1 AND task_id = $2 AND done = 0";
    let row = rx.conn().query_one_raw(sql(rx, text, vec![rx.tenant().uuid().into(), id.into()])).await.stored()?;
    let Some(row) = row else { return Ok(None) };
    let body: String = row.try_get_by_index(4).stored()?;
    Ok(Some(Task {
        survey: SurveyId::from_uuid(row.try_get_by_index(0).stored()?),
        subject: SubjectId::from_uuid(row.try_get_by_index(1).stored()?),
        cause: row.try_get_by_index(2).stored()?,
        due_at: Timestamp::from_column(row.try_get_by_index(3).stored()?),
        about: serde_json::from_str(&body).map_err(|_| Fault::internal("a task's row holds an unreadable body"))?,
    }))
}

/// Notes that a task is done.
///
/// # Errors
/// As the database's.
pub async fn done(tx: &Tx, id: Uuid) -> Result<(), Fault> {
    let text = "UPDATE asking_task SET done = 1 WHERE tenant = $1 AND task_id = $2";
    tx.conn().execute_raw(sql(tx, text, vec![tx.tenant().uuid().into(), id.into()])).await.stored()?;
    due::set(tx, id, due::TASK, None).await
}
