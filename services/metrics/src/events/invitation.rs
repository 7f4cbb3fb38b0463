//! What an invitation contributes: whether whoever was asked answered, and whether it is known to have arrived.

use rapport_api::events::v1::InvitationChanged;
use rapport_kernel::{Fault, Timestamp};

use super::{Facts, broken, party, perhaps};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::Asked;

pub(super) fn facts(at: Timestamp, changed: InvitationChanged) -> Result<Facts, Fault> {
    // Of one to an anonymous survey nobody knows whether it was answered: counted, it would pass for one that was not.
    if changed.deleted || changed.anonymous {
        return Ok(Vec::new());
    }
    let told = changed.deliver_time.is_some();
    let asked = match changed.status.as_str() {
        "completed" => Asked::Answered { told },
        "delivered" => Asked::Reached { told: true },
        "started" | "expired" => Asked::Reached { told },
        // Nobody knows that it arrived.
        "invited" => Asked::Sent,
        // It never will.
        "cancelled" | "failed" => return Ok(Vec::new()),
        _ => return Err(broken("status")),
    };
    let invited = perhaps(changed.invite_time.as_ref(), "invite_time")?.unwrap_or(at);
    let dimensions = Dimensions::default()
        .with(Dimension::Type, &changed.kind)
        .with(Dimension::Party, party(changed.party()))
        .with(Dimension::Survey, &changed.survey_id)
        .with(Dimension::Channel, &changed.channel)
        .with(Dimension::Touchpoint, &changed.touchpoint)
        .with(Dimension::Stage, &changed.stage)
        .with(Dimension::Product, &changed.product)
        .with(Dimension::Campaign, &changed.campaign)
        .with_traits(changed.dimensions);
    // By channel, for whether deliveries are told hangs on it.
    Ok(vec![Fact::new(Family::Invitations, invited, dimensions).within(changed.channel).saying(asked)])
}
