//! The catalogue: which metrics there are, what each is and how it is computed.

mod texts;

use super::dimensions::Dimension;
use super::figures::{ADJUSTED_WALD, CENSUS, WILSON};

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// How many interactions.
    Interactions,
    /// What interactions were worth.
    Revenue,
    /// How many customers did something.
    Customers,
    /// Which share of the buyers came back.
    RepeatCustomerShare,
    /// The relational Net Promoter Score.
    Nps,
}

/// What the catalogue says of a metric.
pub struct Entry {
    /// How it is computed, with its edge cases.
    pub formula: &'static str,
    /// Its unit or scale.
    pub unit: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
    /// What it means in plain words: language and text.
    pub description: [(&'static str, &'static str); 4],
}

impl Metric {
    /// All, by name.
    pub const ALL: [Self; 5] =
        [Self::Customers, Self::Interactions, Self::Nps, Self::RepeatCustomerShare, Self::Revenue];

    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interactions => "interactions",
            Self::Revenue => "revenue",
            Self::Customers => "customers",
            Self::RepeatCustomerShare => "repeat_customer_share",
            Self::Nps => "nps",
        }
    }

    /// The metric of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The dimensions that its facts have, besides traits.
    #[must_use]
    pub const fn dimensions(self) -> &'static [Dimension] {
        use Dimension::{Channel, Party, Product, Stage, Survey, Touchpoint, Type};
        match self {
            Self::Interactions | Self::Revenue | Self::Customers | Self::RepeatCustomerShare => {
                &[Channel, Touchpoint, Stage, Product, Party, Type]
            }
            Self::Nps => &[Channel, Touchpoint, Stage, Product, Party, Survey],
        }
    }

    /// How its interval is computed, or that it is a census.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Interactions | Self::Revenue | Self::Customers => CENSUS,
            Self::RepeatCustomerShare => WILSON,
            Self::Nps => ADJUSTED_WALD,
        }
    }

    /// What the catalogue says of it.
    #[must_use]
    pub const fn entry(self) -> &'static Entry {
        match self {
            Self::Interactions => &texts::INTERACTIONS,
            Self::Revenue => &texts::REVENUE,
            Self::Customers => &texts::CUSTOMERS,
            Self::RepeatCustomerShare => &texts::REPEAT_CUSTOMER_SHARE,
            Self::Nps => &texts::NPS,
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
        assert_eq!(Metric::parse("csat_mean"), None);
    }

    #[test]
    fn every_metric_is_described_in_four_languages() {
        for metric in Metric::ALL {
            let entry = metric.entry();
            assert_eq!(entry.description.map(|(language, _)| language), ["en", "ru", "fa", "ro"]);
            assert!(entry.description.iter().all(|(_, text)| text.len() > 40));
            assert!([entry.formula, entry.unit, entry.source].iter().all(|text| !text.is_empty()));
        }
    }
}
