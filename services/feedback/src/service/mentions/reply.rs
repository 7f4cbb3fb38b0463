//! Answering mentions, and deleting them.

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, SubjectId};
use rapport_platform::Call;

use super::{Mentions, events, missing, write};
use crate::domain::etag;
use crate::domain::mention::{Gone, Mention, MentionId, ReplyId, Replying};
use crate::store::mention as store;
use crate::store::text_reading::{self, Source};

impl Mentions {
    /// Notes what the company replied, or corrects it.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; INVALID_ARGUMENT for a time before it was said; FAILED_PRECONDITION for too
    /// many.
    pub async fn reply(
        &self,
        call: &Call,
        receipt: Receipt<Mention>,
        id: MentionId,
        replying: Replying,
    ) -> Result<Answer<Mention>, Fault> {
        let (reply, readers) = (ReplyId::new(), self.readers.clone());
        let unit = move |tx: Tx| {
            let (replying, readers) = (replying.clone(), readers.clone());
            async move {
                // An erasure took the mention before, or waits: no event of it follows its erasure.
                tx.hold_erasures().await?;
                let mut held = store::lock(&tx, id).await?.ok_or_else(|| missing(id))?;
                held.reply(replying, reply, tx.now())?;
                let reader = readers.of(&tx).await?;
                let had_words = held.reading.is_some();
                held.reading = super::read(&reader, &held);
                write(&tx, &reader, &held, had_words).await?;
                Ok(held)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Deletes a mention, for ever.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: MentionId,
        given: String,
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let given = given.clone();
            async move {
                tx.hold_erasures().await?;
                let held = store::lock(&tx, id).await?.ok_or_else(|| missing(id))?;
                etag::check(held.revision, &given)?;
                store::delete(&tx, id).await?;
                text_reading::delete(&tx, Source::Mention, &[id.uuid()]).await?;
                let gone = Gone {
                    key: held.key.hash(tx.tenant()),
                    id,
                    subject: Some(held.respondent.subject),
                    revision: held.revision + 1,
                    said_at: held.told.said_at,
                };
                store::gone::add(&tx, &gone).await?;
                match events::deleted(&gone) {
                    Some(event) => tx.publish(event).await,
                    None => Ok(()),
                }
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Forgets the mentions of subjects, within the unit that erases them; answers how many rows went.
    ///
    /// # Errors
    /// As the database's.
    pub async fn erase(&self, tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
        store::erase(tx, subjects).await
    }
}
