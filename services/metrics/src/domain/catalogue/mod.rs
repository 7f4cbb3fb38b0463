//! The catalogue: which metrics there are, what each is and how it is computed. An entry says all of it, in one place.

mod commerce;
mod loops;
mod scores;
mod tickets;
mod voice;

use super::dimensions::Dimension;
use super::facts::Family;
use super::figures::{ADJUSTED_WALD, BOOTSTRAP, CENSUS, Direction, ORDER_STATISTICS, POISSON, STUDENT, WILSON};
use super::reckoning::Reckoning;

/// What the catalogue says of a metric.
pub struct Entry {
    /// Its name in the contract.
    pub name: &'static str,
    /// The facts it counts.
    pub family: Family,
    /// The facts it counts where topics are grouped or filtered by; `None`: the same.
    pub by_topic: Option<Family>,
    /// How it is reckoned.
    pub reckoning: Reckoning,
    /// The dimensions that its facts have, besides traits.
    pub dimensions: &'static [Dimension],
    /// Whether more is better.
    pub direction: Direction,
    /// How it is computed, with its edge cases.
    pub formula: &'static str,
    /// Its unit or scale.
    pub unit: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
    /// What it means in plain words: language and text.
    pub description: [(&'static str, &'static str); 4],
}

/// A metric.
#[derive(Clone, Copy)]
pub struct Metric(&'static Entry);

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Metric {}

impl std::fmt::Debug for Metric {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0.name)
    }
}

impl Metric {
    /// All, by name.
    pub const ALL: [Self; 34] = [
        Self(&tickets::ANSWER_COMPLETENESS),
        Self(&scores::CES_MEAN),
        Self(&scores::CES_SHARE),
        Self(&commerce::CHANNEL_SHARE),
        Self(&tickets::COMPLAINT_RATE),
        Self(&tickets::CONTACT_RATE),
        Self(&tickets::CONTAINMENT_RATE),
        Self(&scores::CSAT_MEAN),
        Self(&scores::CSAT_TOP_BOX),
        Self(&scores::CSI),
        Self(&commerce::CUSTOMERS),
        Self(&voice::EMOTION_SHARE),
        Self(&scores::EXPECTATION_GAP),
        Self(&scores::FCR_ASKED),
        Self(&tickets::FCR_OPERATIONAL),
        Self(&tickets::FCR_TICKET),
        Self(&tickets::FIRST_RESPONSE_TIME),
        Self(&commerce::INTERACTIONS),
        Self(&loops::LOOP_CLOSED_RATE),
        Self(&loops::MENTION_REPLY_TIME),
        Self(&voice::NEGATIVE_FEEDBACK_SHARE),
        Self(&scores::NPS),
        Self(&loops::PROMISE_KEPT_RATE),
        Self(&tickets::REOPEN_RATE),
        Self(&commerce::REPEAT_CUSTOMER_SHARE),
        Self(&tickets::RESOLUTION_TIME),
        Self(&loops::RESPONSE_RATE),
        Self(&commerce::REVENUE),
        Self(&voice::SENTIMENT_INDEX),
        Self(&tickets::SLA_MET),
        Self(&scores::STATEMENT_AGREEMENT),
        Self(&loops::TIME_TO_CLOSE),
        Self(&scores::TNPS),
        Self(&tickets::UNANSWERED_SHARE),
    ];

    /// The metric of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// What the catalogue says of it.
    #[must_use]
    pub const fn entry(self) -> &'static Entry {
        self.0
    }

    /// Whether it is of customers, leads and partners, and of those who work for the company only where the question names the
    /// party: so are all that feedback tells of.
    #[must_use]
    pub const fn is_of_outsiders(self) -> bool {
        !matches!(self.0.family, Family::Interactions)
    }

    /// How it is reckoned.
    #[must_use]
    pub const fn reckoning(self) -> Reckoning {
        self.0.reckoning
    }

    /// Whether each customer's latest answer alone can be counted: it is something that customers answered.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        match self.0.family {
            Family::Nps
            | Family::Tnps
            | Family::Csat
            | Family::Ces
            | Family::Csi
            | Family::Statements
            | Family::AskedFcr
            | Family::Expectations => true,
            Family::Interactions
            | Family::Erased
            | Family::Voices
            | Family::VoicesByTopic
            | Family::Texts
            | Family::TextsByTopic
            | Family::UnreadTexts
            | Family::UnreadTextsByTopic
            | Family::Tickets
            | Family::Contacts
            | Family::Solutions
            | Family::FirstResponses
            | Family::Resolutions
            | Family::Targets
            | Family::Questions
            | Family::SelfServices
            | Family::FollowUps
            | Family::Closings
            | Family::Invitations
            | Family::Promises
            | Family::Replies => false,
        }
    }

    /// How its interval is computed, or that it is a census.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self.0.reckoning {
            Reckoning::Count | Reckoning::Sums | Reckoning::Customers => CENSUS,
            Reckoning::Repeats
            | Reckoning::Channels
            | Reckoning::LastContacts
            | Reckoning::TopBoxes
            | Reckoning::Ease
            | Reckoning::Agreement
            | Reckoning::Yes
            | Reckoning::Answering
            | Reckoning::Kind(_)
            | Reckoning::Emotions
            | Reckoning::Hurt
            | Reckoning::FirstContact
            | Reckoning::Reopened
            | Reckoning::Answered
            | Reckoning::Unanswered => WILSON,
            Reckoning::Contacts => POISSON,
            Reckoning::Recommendation | Reckoning::Expectation | Reckoning::Sentiment => ADJUSTED_WALD,
            Reckoning::Mean => STUDENT,
            Reckoning::Index => BOOTSTRAP,
            Reckoning::Times => ORDER_STATISTICS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_stand_by_name_and_are_found_by_it() {
        assert!(Metric::ALL.windows(2).all(|pair| pair[0].name() < pair[1].name()));
        assert!(Metric::ALL.into_iter().all(|metric| Metric::parse(metric.name()) == Some(metric)));
        assert_eq!(Metric::parse("churn_rate"), None);
    }

    #[test]
    fn every_metric_is_described_in_four_languages() {
        for metric in Metric::ALL {
            let entry = metric.entry();
            assert_eq!(entry.description.map(|(language, _)| language), ["en", "ru", "fa", "ro"]);
            assert!(entry.description.iter().all(|(_, text)| text.len() > 40), "{metric:?}");
            assert!([entry.formula, entry.unit, entry.source].iter().all(|text| !text.is_empty()));
            assert_eq!(entry.by_topic.is_some(), entry.dimensions.contains(&Dimension::Topic) && is_read(entry.family));
        }
    }

    const fn is_read(family: Family) -> bool {
        matches!(family, Family::Voices | Family::Texts)
    }
}
