//! The contact ledger as those see it who contact customers: what was made, by channel, purpose and topic.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use uuid::Uuid;

use super::contact::{CHUNK, Read, of_subjects, states};
use super::{list, sql};
use crate::domain::ActionId;
use crate::domain::contact::{ContactId, ContactKind, Made};

/// An entry of the ledger.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its id; of a decision the decision's.
    pub id: ContactId,
    /// The subject it hangs on.
    pub subject: SubjectId,
    /// What was made, when, and until when it counts.
    pub made: Made,
    /// What the caller knows it by.
    pub reference: String,
    /// Of a decision the action.
    pub action: Option<ActionId>,
}

/// Where a page of a ledger starts: the entry before it.
pub type Cursor = (i64, Uuid, Uuid);

const COLUMNS: &str =
    "decision_id, subject_id, kind, channel, purpose, topic, entered_at, until_at, reference, action_id";

/// Reads the state of subjects, and then what they were contacted with since an instant: whoever commits by that state
/// may lose where it need not, but never win where it must not.
///
/// # Errors
/// As the database's.
pub async fn read(rx: &Rx, subjects: &[SubjectId], since: Timestamp) -> Result<(Read, Vec<Made>), Fault> {
    let mut read = Read { versions: subjects.iter().map(|subject| (*subject, 0)).collect(), ..Read::default() };
    for versions in read.versions.chunks_mut(CHUNK) {
        states(rx, versions).await?;
    }
    let mut made = Vec::new();
    for some in subjects.chunks(CHUNK) {
        let mut values = of_subjects(rx, some.iter().copied());
        let text = format!(
            "SELECT {COLUMNS} FROM ledger WHERE tenant = $1 AND subject_id IN ({}) AND entered_at > ${}",
            list(1, some.len()),
            values.len() + 1
        );
        values.push(since.micros().into());
        for row in rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()? {
            made.push(contact(&row)?.made);
        }
    }
    Ok((read, made))
}

/// Enters a contact.
///
/// # Errors
/// As the database's.
pub async fn enter(tx: &Tx, contact: &Contact) -> Result<(), Fault> {
    let text = "INSERT INTO ledger (tenant, subject_id, action_id, entered_at, decision_id, kind, channel, purpose, topic, \
                until_at, reference) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let made = &contact.made;
    let values = vec![
        tx.tenant().uuid().into(),
        contact.subject.uuid().into(),
        Uuid::nil().into(),
        made.at.micros().into(),
        contact.id.uuid().into(),
        made.kind.name().into(),
        made.channel.clone().into(),
        made.purpose.clone().into(),
        made.topic.clone().into(),
        made.until.map(Timestamp::micros).into(),
        contact.reference.clone().into(),
    ];
    tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored().map(drop)
}

/// Lets a contact count for good; none: there is no such one.
///
/// # Errors
/// As the database's.
pub async fn confirm(tx: &Tx, id: ContactId) -> Result<Option<Contact>, Fault> {
    let text = format!(
        "UPDATE ledger SET until_at = NULL WHERE tenant = $1 AND decision_id = $2 AND kind <> 'decision' \
         RETURNING {COLUMNS}"
    );
    let values = vec![tx.tenant().uuid().into(), id.uuid().into()];
    tx.conn().query_one_raw(sql(tx.conn(), text, values)).await.stored()?.as_ref().map(contact).transpose()
}

/// Takes a contact out of the ledger; none: there is no such one.
///
/// # Errors
/// As the database's.
pub async fn release(tx: &Tx, id: ContactId) -> Result<Option<Contact>, Fault> {
    let text =
        format!("DELETE FROM ledger WHERE tenant = $1 AND decision_id = $2 AND kind <> 'decision' RETURNING {COLUMNS}");
    let values = vec![tx.tenant().uuid().into(), id.uuid().into()];
    tx.conn().query_one_raw(sql(tx.conn(), text, values)).await.stored()?.as_ref().map(contact).transpose()
}

/// What subjects were contacted with, newest first, without reservations that expired.
///
/// # Errors
/// As the database's.
pub async fn page(
    rx: &Rx,
    subjects: &[SubjectId],
    kind: Option<ContactKind>,
    after: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Contact>, Fault> {
    let mut values = of_subjects(rx, subjects.iter().copied());
    values.push(rx.now().micros().into());
    let mut text = format!(
        "SELECT {COLUMNS} FROM ledger WHERE tenant = $1 AND subject_id IN ({}) \
         AND (until_at IS NULL OR until_at > ${})",
        list(1, subjects.len()),
        values.len()
    );
    if let Some(kind) = kind {
        values.push(kind.name().into());
        text.push_str(&format!(" AND kind = ${}", values.len()));
    }
    if let Some((at, decision, action)) = after {
        values.extend([Value::from(at), decision.into(), action.into()]);
        let count = values.len();
        text.push_str(&format!(
            " AND (entered_at, decision_id, action_id) < (${}, ${}, ${count})",
            count - 2,
            count - 1
        ));
    }
    text.push_str(&format!(" ORDER BY entered_at DESC, decision_id DESC, action_id DESC LIMIT {limit}"));
    rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()?.iter().map(contact).collect()
}

/// Where the page after an entry starts.
#[must_use]
pub fn cursor(contact: &Contact) -> Cursor {
    (contact.made.at.micros(), contact.id.uuid(), contact.action.map_or(Uuid::nil(), ActionId::uuid))
}

fn contact(row: &QueryResult) -> Result<Contact, Fault> {
    let text = |index: usize| row.try_get_by_index::<String>(index).stored();
    let kind = ContactKind::of(&text(2)?).ok_or_else(|| Fault::internal("a ledger's row holds an unknown kind"))?;
    let until: Option<i64> = row.try_get_by_index(7).stored()?;
    let action: Uuid = row.try_get_by_index(9).stored()?;
    Ok(Contact {
        id: ContactId::from_uuid(row.try_get_by_index(0).stored()?),
        subject: SubjectId::from_uuid(row.try_get_by_index(1).stored()?),
        made: Made {
            kind,
            channel: text(3)?,
            purpose: text(4)?,
            topic: text(5)?,
            at: Timestamp::from_column(row.try_get_by_index(6).stored()?),
            until: until.map(Timestamp::from_column),
        },
        reference: text(8)?,
        action: Some(action).filter(|action| !action.is_nil()).map(ActionId::from_uuid),
    })
}
