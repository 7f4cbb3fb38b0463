//! Plain values: traits, parties, consents.

use rapport_api::common::v1::{Party as PartyMessage, TextList, Value as ValueMessage, value::Kind};
use rapport_api::convert::{instant, timestamp};
use rapport_api::profiles::v1::{Consent as ConsentMessage, ConsentState as ConsentStateMessage};
use rapport_kernel::{Private, Timestamp, Violations};

use super::standing::is_language;
use super::{add, observed};
use crate::domain::claims::{Consent, ConsentState};
use crate::domain::value::{Number, Party, Value};

/// A value; `None` where the contract's rules have refused it.
#[must_use]
pub fn value(message: &ValueMessage) -> Option<Value> {
    Some(match message.kind.as_ref()? {
        Kind::BoolValue(value) => Value::Bool(*value),
        Kind::NumberValue(value) => Value::Number(Number::new(*value)?),
        Kind::TextValue(text) => Value::Text(text.clone()),
        Kind::TimeValue(at) => Value::Time(instant(at).ok()?),
        Kind::ListValue(list) => {
            // A list has no order, and says nothing twice.
            let mut texts = list.values.clone();
            texts.sort_unstable();
            texts.dedup();
            Value::List(texts)
        }
    })
}

/// A value as the contract has it.
#[must_use]
pub fn value_message(value: &Value) -> ValueMessage {
    let kind = match value {
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.get()),
        Value::Text(text) => Kind::TextValue(text.clone()),
        Value::Time(at) => Kind::TimeValue(timestamp(*at)),
        Value::List(texts) => Kind::ListValue(TextList { values: texts.clone() }),
    };
    ValueMessage { kind: Some(kind) }
}

/// A party; `None` where nothing was said.
#[must_use]
pub fn party(message: i32) -> Option<Party> {
    match PartyMessage::try_from(message).ok()? {
        PartyMessage::Unspecified => None,
        PartyMessage::Customer => Some(Party::Customer),
        PartyMessage::Lead => Some(Party::Lead),
        PartyMessage::Partner => Some(Party::Partner),
        PartyMessage::Employee => Some(Party::Employee),
    }
}

/// A party as the contract has it.
#[must_use]
pub const fn party_message(party: Party) -> PartyMessage {
    match party {
        Party::Customer => PartyMessage::Customer,
        Party::Lead => PartyMessage::Lead,
        Party::Partner => PartyMessage::Partner,
        Party::Employee => PartyMessage::Employee,
    }
}

/// A consent's state as the contract has it.
#[must_use]
pub fn state_message(state: Option<ConsentState>) -> i32 {
    let message = match state {
        None => ConsentStateMessage::Unspecified,
        Some(ConsentState::Granted) => ConsentStateMessage::Granted,
        Some(ConsentState::Denied) => ConsentStateMessage::Denied,
    };
    message.into()
}

/// A consent that `source` took down, at `then` where it does not say when.
pub fn consent(
    message: &ConsentMessage,
    source: &str,
    (then, now): (Timestamp, Timestamp),
    at: &str,
    out: &mut Violations,
) -> Option<Consent> {
    if !is_language(&message.language) {
        add(out, &format!("{at}.language"), "bcp47", "must be a language tag (BCP 47), as lv or pt-BR, or empty");
    }
    let state = match ConsentStateMessage::try_from(message.state).ok()? {
        ConsentStateMessage::Unspecified => return None,
        ConsentStateMessage::Granted => ConsentState::Granted,
        ConsentStateMessage::Denied => ConsentState::Denied,
    };
    let observed_at = match &message.observed_at {
        None => then,
        given => observed(given.as_ref(), &format!("{at}.observed_at"), now, out)?,
    };
    Some(Consent {
        observed_at,
        state,
        purpose: message.purpose.clone(),
        channel: message.channel.clone(),
        source: source.to_owned(),
        wording_version: message.wording_version.clone(),
        language: message.language.clone(),
        proof: Private::new(message.proof.clone()),
    })
}
