//! The codes by which authors of anonymous answers erase them: of each the hash.

use rapport_data::{Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId};
use sea_orm::{ConnectionTrait as _, Value};
use uuid::Uuid;

use super::{list, sql};
use crate::domain::{ResponseId, SurveyId};

/// Stores the code of an answer.
///
/// # Errors
/// As the database's.
pub async fn add(tx: &Tx, code: [u8; 32], response: ResponseId) -> Result<(), Fault> {
    let text = "INSERT INTO erasure_code (tenant, code, response_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let values = vec![tx.tenant().uuid().into(), code.to_vec().into(), response.uuid().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// Takes a code, and answers whose it was.
///
/// # Errors
/// As the database's.
pub async fn take(tx: &Tx, code: [u8; 32]) -> Result<Option<ResponseId>, Fault> {
    let text = "DELETE FROM erasure_code WHERE tenant = $1 AND code = $2 RETURNING response_id";
    let row = tx.conn().query_one_raw(sql(tx, text, vec![tx.tenant().uuid().into(), code.to_vec().into()])).await;
    let id = row.stored()?.map(|row| row.try_get_by_index::<Uuid>(0).stored()).transpose()?;
    Ok(id.map(ResponseId::from_uuid))
}

/// Deletes the codes of answers.
///
/// # Errors
/// As the database's.
pub async fn delete(tx: &Tx, responses: &[ResponseId]) -> Result<(), Fault> {
    for some in responses.chunks(500) {
        let mut values: Vec<Value> = vec![tx.tenant().uuid().into()];
        values.extend(some.iter().map(|id| Value::from(id.uuid())));
        let text = format!("DELETE FROM erasure_code WHERE tenant = $1 AND response_id IN ({})", list(1, some.len()));
        tx.conn().execute_raw(sql(tx, text, values)).await.stored()?;
    }
    Ok(())
}

/// Deletes all of asking that is about subjects; answers how many rows went.
///
/// # Errors
/// As the database's.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    let places = list(1, subjects.len());
    let theirs =
        |table: &str, id: &str| format!("(SELECT {id} FROM {table} WHERE tenant = $1 AND subject_id IN ({places}))");
    for text in [
        format!("DELETE FROM asking_due WHERE tenant = $1 AND item_id IN {}", theirs("invitation", "invitation_id")),
        format!("DELETE FROM asking_due WHERE tenant = $1 AND item_id IN {}", theirs("asking_task", "task_id")),
        format!("DELETE FROM invitation WHERE tenant = $1 AND subject_id IN ({places})"),
        format!("DELETE FROM asking_task WHERE tenant = $1 AND subject_id IN ({places})"),
        format!("DELETE FROM not_invited WHERE tenant = $1 AND subject_id IN ({places})"),
        // A customer has the id of one of its subjects.
        format!("DELETE FROM wave_member WHERE tenant = $1 AND customer_id IN ({places})"),
    ] {
        let mut values: Vec<Value> = vec![tx.tenant().uuid().into()];
        values.extend(subjects.iter().map(|subject| Value::from(subject.uuid())));
        deleted += tx.conn().execute_raw(sql(tx, text, values)).await.stored()?.rows_affected();
    }
    Ok(deleted)
}

/// Deletes what is held of a survey that is deleted, but for its invitations, which are told of one by one.
///
/// # Errors
/// As the database's.
pub async fn delete_survey(tx: &Tx, survey: SurveyId) -> Result<(), Fault> {
    for text in [
        "DELETE FROM asking_due WHERE tenant = $1 AND (item_id = $2 OR item_id IN \
         (SELECT task_id FROM asking_task WHERE tenant = $1 AND survey_id = $2))",
        "DELETE FROM asking_due WHERE tenant = $1 AND item_id IN \
         (SELECT operation_id FROM wave WHERE tenant = $1 AND survey_id = $2)",
        "DELETE FROM wave_member WHERE tenant = $1 AND operation_id IN \
         (SELECT operation_id FROM wave WHERE tenant = $1 AND survey_id = $2)",
        "DELETE FROM wave WHERE tenant = $1 AND survey_id = $2",
        "DELETE FROM asking_task WHERE tenant = $1 AND survey_id = $2",
        "DELETE FROM not_invited WHERE tenant = $1 AND survey_id = $2",
        "DELETE FROM invitation_use WHERE tenant = $1 AND survey_id = $2",
        "DELETE FROM erasure_code WHERE tenant = $1 AND response_id IN \
         (SELECT response_id FROM response WHERE tenant = $1 AND survey_id = $2 AND aside)",
        // Of those that count it was told, one by one, that they are deleted; of these nobody knows.
        "DELETE FROM response WHERE tenant = $1 AND survey_id = $2 AND aside",
    ] {
        tx.conn().execute_raw(sql(tx, text, vec![tx.tenant().uuid().into(), survey.uuid().into()])).await.stored()?;
    }
    Ok(())
}
