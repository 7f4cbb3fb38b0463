//! A source's record as it stands: its subject, whose it is, and what it carries; in one statement, since every statement
//! of a source begins with it.

use rapport_data::{Rx, Stored as _};
use rapport_kernel::{CustomerId, Fault, Private, SubjectId, Timestamp};
use uuid::Uuid;

use super::identifier::Carried;
use super::rows;
use super::subject::Subject;
use crate::domain::value::{Identifier, SourceRecord};

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its subject.
    pub subject: Subject,
    /// The customer that it is linked to.
    pub customer: Option<CustomerId>,
    /// What it carries.
    pub carried: Vec<Carried>,
}

/// The record of a name.
pub async fn find(rx: &Rx, name: &SourceRecord) -> Result<Option<Record>, Fault> {
    let text = "SELECT s.subject_id, s.created_at, l.customer_id, i.namespace, i.value, i.first_seen FROM subject s \
                LEFT JOIN link l ON l.tenant = s.tenant AND l.subject_id = s.subject_id AND l.ended_at IS NULL \
                LEFT JOIN identifier i ON i.tenant = s.tenant AND i.subject_id = s.subject_id \
                WHERE s.tenant = $1 AND s.source = $2 AND s.external_id = $3";
    let key = [rx.tenant().uuid().into(), name.source.clone().into(), name.external_id.expose().clone().into()];
    let mut found: Option<Record> = None;
    for row in rows(rx, text, key).await? {
        let id = SubjectId::from_uuid(row.try_get_by_index(0).stored()?);
        let created_at = Timestamp::from_column(row.try_get_by_index(1).stored()?);
        let customer = row.try_get_by_index::<Option<Uuid>>(2).stored()?.map(CustomerId::from_uuid);
        let subject = || Subject { id, name: name.clone(), created_at };
        let record = found.get_or_insert_with(|| Record { subject: subject(), customer, carried: Vec::new() });
        // A record that carries nothing is one row without an identifier.
        let Some(namespace) = row.try_get_by_index::<Option<String>>(3).stored()? else { continue };
        let value = Private::new(row.try_get_by_index::<String>(4).stored()?);
        let first_seen = Timestamp::from_column(row.try_get_by_index(5).stored()?);
        record.carried.push(Carried { subject: id, identifier: Identifier { namespace, value }, first_seen });
    }
    Ok(found)
}
