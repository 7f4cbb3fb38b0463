//! What a promise contributes: whether it was kept.

use rapport_api::events::v1::PromiseChanged;
use rapport_kernel::Timestamp;

use super::{Facts, party};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::Answer;

pub(super) fn facts(at: Timestamp, changed: PromiseChanged) -> Facts {
    let kept = match changed.status.as_str() {
        "kept" => true,
        "broken" => false,
        // Open, withdrawn or deleted: it says nothing, or nothing yet.
        _ => return Vec::new(),
    };
    if changed.deleted {
        return Vec::new();
    }
    let dimensions = Dimensions::default()
        .with(Dimension::Party, party(changed.party()))
        .with(Dimension::Channel, &changed.channel)
        .with(Dimension::Touchpoint, &changed.touchpoint)
        .with(Dimension::Stage, &changed.stage)
        .with(Dimension::Product, &changed.product)
        .with(Dimension::Agent, &changed.agent)
        .with(Dimension::Team, &changed.team)
        .with_traits(changed.dimensions);
    vec![Fact::new(Family::Promises, at, dimensions).saying(Answer::yes(kept))]
}
