//! What is known of a record before its first statement: sources do not always tell in order.

use rapport_data::Tx;
use rapport_kernel::{Fault, Timestamp};

use crate::domain::claims::{Claims, Statement};
use crate::domain::value::SourceRecord;
use crate::store::source_deletion;

/// That its source deleted the record, where it told that first.
#[derive(Default)]
pub(super) struct Before(Option<(Statement, Timestamp)>);

impl Before {
    pub(super) async fn of(tx: &Tx, name: &SourceRecord) -> Result<Self, Fault> {
        let told = source_deletion::of_names(tx, std::slice::from_ref(name)).await?;
        Ok(told.get(name).map(|at| Self::deleted(&name.source, *at)).unwrap_or_default())
    }

    pub(super) fn deleted(source: &str, at: Timestamp) -> Self {
        Self(Some((Statement { deleted_by: Some(source.to_owned()), ..Statement::default() }, at)))
    }

    /// What the record claims by it: nothing, nor what it states late.
    pub(super) fn claims(&self) -> Claims {
        Claims::told(self.0.iter().map(|(statement, at)| (statement, *at)))
    }

    /// What was said, and when.
    pub(super) fn said(&self) -> impl Iterator<Item = (Statement, Timestamp)> {
        self.0.clone().into_iter()
    }

    /// From now on it is the subject's.
    pub(super) async fn settle(&self, tx: &Tx, name: &SourceRecord) -> Result<(), Fault> {
        if self.0.is_none() {
            return Ok(());
        }
        source_deletion::forget(tx, std::slice::from_ref(name)).await
    }
}
