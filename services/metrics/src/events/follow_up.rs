//! What a follow-up contributes: whether the loop was closed in time, and how long that took.

use rapport_api::events::v1::FollowUpChanged;
use rapport_kernel::Fault;

use super::{Facts, party, perhaps, seconds, time};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::Answer;

pub(super) fn facts(changed: FollowUpChanged) -> Result<Facts, Fault> {
    if changed.deleted || changed.status == "cancelled" {
        return Ok(Vec::new());
    }
    let opened = time(changed.open_time.as_ref(), "open_time")?;
    let due = perhaps(changed.due_time.as_ref(), "due_time")?;
    let resolved = perhaps(changed.resolve_time.as_ref(), "resolve_time")?.filter(|_| changed.status == "resolved");
    let dimensions = Dimensions::default()
        .with(Dimension::Type, &changed.kind)
        .with(Dimension::Party, party(changed.party()))
        .with(Dimension::Channel, &changed.channel)
        .with(Dimension::Touchpoint, &changed.touchpoint)
        .with(Dimension::Stage, &changed.stage)
        .with(Dimension::Product, &changed.product)
        .with(Dimension::Agent, &changed.owner)
        .with(Dimension::Team, &changed.team)
        .with_traits(changed.dimensions);
    let in_time = resolved.is_some_and(|resolved| due.is_none_or(|due| resolved <= due));
    let mut facts = vec![Fact::new(Family::FollowUps, opened, dimensions.clone()).saying(Answer::yes(in_time))];
    if let Some(resolved) = resolved {
        facts.push(Fact::new(Family::Closings, opened, dimensions).saying(seconds(opened, resolved)));
    }
    Ok(facts)
}
