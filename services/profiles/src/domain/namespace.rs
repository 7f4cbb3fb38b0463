//! The namespaces of identifiers: how values are brought to one form, and which of them link records.

use rapport_kernel::Private;

use super::normalise;
use super::value::Identifier;

/// How a value is brought to one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normaliser {
    /// Outer white space is cut.
    Trim,
    /// An e-mail address.
    Email,
    /// A telephone number in E.164.
    E164,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: &'static str,
    /// How its values are normalised.
    pub normaliser: Normaliser,
    /// Whether a shared value links records.
    pub strong: bool,
    /// Which links are made first: lower first.
    pub rank: u16,
    /// How many values one customer may carry; 0: any number.
    pub values_per_customer: usize,
    /// How many records may carry one value before it stops linking.
    pub records_per_value: usize,
}

/// How many records may carry one value before it stops linking: a switchboard's number must not join strangers.
const RECORDS_PER_VALUE: usize = 100;

/// All namespaces, with what normalising needs to know.
#[derive(Clone, Debug)]
pub struct Namespaces {
    all: Vec<Namespace>,
    region: Option<normalise::Region>,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Namespaces {
    /// The built-in namespaces; telephone numbers without `+` are read as of `region`.
    #[must_use]
    pub fn new(region: Option<normalise::Region>) -> Self {
        let namespace = |name, normaliser, strong, rank, values_per_customer| Namespace {
            name,
            normaliser,
            strong,
            rank,
            values_per_customer,
            records_per_value: RECORDS_PER_VALUE,
        };
        let all = vec![
            namespace("customer_number", Normaliser::Trim, true, 10, 1),
            namespace("user_id", Normaliser::Trim, true, 15, 3),
            namespace("loyalty_card", Normaliser::Trim, true, 20, 3),
            namespace("email", Normaliser::Email, true, 30, 5),
            namespace("phone", Normaliser::E164, true, 40, 5),
            namespace("device_id", Normaliser::Trim, false, 80, 0),
            namespace("anonymous_id", Normaliser::Trim, false, 90, 0),
        ];
        Self { all, region }
    }

    /// The same namespaces; telephone numbers without `+` are read as of `region`.
    #[must_use]
    pub fn in_region(mut self, region: normalise::Region) -> Self {
        self.region = Some(region);
        self
    }

    /// All of them, in rank order.
    #[must_use]
    pub fn all(&self) -> &[Namespace] {
        &self.all
    }

    /// The one of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Namespace> {
        self.all.iter().find(|namespace| namespace.name == name)
    }

    /// The rank of a name; one that is no longer known comes last.
    #[must_use]
    pub fn rank(&self, name: &str) -> u16 {
        self.find(name).map_or(u16::MAX, |namespace| namespace.rank)
    }

    /// The one of a name, if its values link records.
    #[must_use]
    pub fn strong(&self, name: &str) -> Option<&Namespace> {
        self.find(name).filter(|namespace| namespace.strong)
    }

    /// An identifier in its normal form.
    ///
    /// # Errors
    /// Which field is wrong (`namespace` or `value`) and what it must be; never the value itself.
    pub fn normalise(&self, name: &str, value: &str) -> Result<Identifier, Refusal> {
        let namespace = self.find(name).ok_or_else(|| {
            let known: Vec<_> = self.all.iter().map(|namespace| namespace.name).collect();
            Refusal {
                field: "namespace",
                rule: "namespace.known",
                text: format!("must be one of {}", known.join(", ")),
            }
        })?;
        let value = match namespace.normaliser {
            Normaliser::Trim => normalise::trim(value),
            Normaliser::Email => normalise::email(value),
            Normaliser::E164 => normalise::phone(value, self.region.as_ref()),
        };
        match value {
            Ok(value) => Ok(Identifier { namespace: name.to_owned(), value: Private::new(value) }),
            Err(text) => Err(Refusal { field: "value", rule: "identifier.form", text: text.to_owned() }),
        }
    }
}

/// Why an identifier is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field of the identifier.
    pub field: &'static str,
    /// The rule's stable name.
    pub rule: &'static str,
    /// What the field must be.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_namespace_is_refused_with_those_that_exist() {
        let refusal = Namespaces::default().normalise("e_mail", "anna@example.com").expect_err("unknown");
        assert_eq!(refusal.field, "namespace");
        assert!(refusal.text.contains("email") && !refusal.text.contains("anna"));
    }

    #[test]
    fn namespaces_are_in_rank_order() {
        let namespaces = Namespaces::default();
        assert!(namespaces.all().is_sorted_by_key(|namespace| namespace.rank));
        assert!(namespaces.strong("email").is_some() && namespaces.strong("device_id").is_none());
    }
}
