//! What a mention contributes: what it says by its rating and in words, and how long the reply took.

use rapport_api::events::v1::MentionChanged;
use rapport_kernel::{Fault, Timestamp};

use super::voice::{self, Said};
use super::{Facts, broken, party, perhaps, seconds};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::Feeling;

pub(super) fn facts(at: Timestamp, changed: MentionChanged) -> Result<Facts, Fault> {
    if changed.deleted {
        return Ok(Vec::new());
    }
    let dimensions = Dimensions::default()
        .with(Dimension::Type, &changed.kind)
        .with(Dimension::Party, party(changed.party()))
        .with(Dimension::Channel, &changed.channel)
        .with(Dimension::Touchpoint, &changed.touchpoint)
        .with(Dimension::Stage, &changed.stage)
        .with(Dimension::Product, &changed.product)
        .with_traits(changed.dimensions.clone());
    let said = Said { of: "mention", at, reading: changed.reading.as_ref(), feeling: rated(&changed)? };
    let mut facts = voice::facts(&said, &dimensions)?;
    if let Some(replied) = perhaps(changed.reply_time.as_ref(), "reply_time")? {
        facts.push(Fact::new(Family::Replies, at, dimensions).saying(seconds(at, replied)));
    }
    Ok(facts)
}

/// What its rating says: 4 and 5 of 1 to 5 are good, 1 and 2 bad; of any other scale the quarters at its ends.
fn rated(changed: &MentionChanged) -> Result<Option<Feeling>, Fault> {
    let Some(rating) = changed.rating else { return Ok(None) };
    let place = (rating - changed.rating_min) / (changed.rating_max - changed.rating_min);
    if !(0.0..=1.0).contains(&place) {
        return Err(broken("rating"));
    }
    Ok(Some(if place >= 0.75 {
        Feeling::Good
    } else if place <= 0.25 {
        Feeling::Bad
    } else {
        Feeling::Neutral
    }))
}
