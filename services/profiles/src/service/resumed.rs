//! What a customer that is made of the same records as before takes up again: a merge and its split leave no trace in
//! since when it is in its segments, nor in how they grew. Who was in which at an instant stays as it was known then.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use crate::domain::derived::Earlier;
use crate::domain::profile::Record;
use crate::store::link::Link;
use crate::store::{link, segment_interval};

/// What a customer was in when it was last made of the same records; `None` where it never was.
pub(super) async fn earlier(
    tx: &Tx,
    customer: CustomerId,
    records: &[Record],
    now: Timestamp,
) -> Result<Option<Earlier>, Fault> {
    let links = link::until(tx, customer, now).await?;
    let same: BTreeSet<SubjectId> = records.iter().map(|record| record.subject).collect();
    let Some(ended) = last(&links, &same, now) else { return Ok(None) };
    segment_interval::at(tx, customer, ended.minus(Duration::from_micros(1))).await.map(Some)
}

/// When the last time ended at which a customer's links were to these subjects.
fn last(links: &[Link], same: &BTreeSet<SubjectId>, now: Timestamp) -> Option<Timestamp> {
    let turns = links.iter().flat_map(|link| [Some(link.started_at), link.ended_at]).flatten();
    let turns: BTreeSet<Timestamp> = turns.filter(|turn| *turn < now).collect();
    let mut end = now;
    for turn in turns.into_iter().rev() {
        let holds = |link: &&Link| link.started_at <= turn && link.ended_at.is_none_or(|ended| ended > turn);
        if links.iter().filter(holds).map(|link| link.subject).collect::<BTreeSet<_>>() == *same {
            return Some(end);
        }
        end = turn;
    }
    None
}
