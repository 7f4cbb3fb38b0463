//! The namespaces of identifiers: how values are brought to one form, which of them link records, and how far. Each tenant
//! has the built-in ones, may change each of them but for its name, and may add its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::Private;
use serde::{Deserialize, Serialize};

use super::normalise;
use super::placeholder::is_placeholder;
use super::value::Identifier;

/// How a value is brought to one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normaliser {
    /// Outer white space is cut.
    Trim,
    /// Outer white space is cut, letters are lower case.
    Lower,
    /// Only the digits stay.
    Digits,
    /// An e-mail address.
    Email,
    /// A telephone number in E.164.
    E164,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name.
    pub name: String,
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
    /// Whether one customer alone may carry a value: a statement that would leave it with two is refused.
    #[serde(default)]
    pub unique: bool,
    /// Whether several parties may share a value, as a household shares a telephone: it then links no two of whom stronger
    /// identifiers tell that they are two.
    #[serde(default)]
    pub shared: bool,
    /// Values, in their normal form, that link nobody and are not searched.
    #[serde(default)]
    pub blocked_values: BTreeSet<Private<String>>,
    /// Counts the changes; 0: as it was built in.
    #[serde(default)]
    pub revision: u64,
    /// Whether values may be held that an earlier normaliser brought to their form.
    #[serde(default)]
    pub renormalises: bool,
}

/// How many records may carry one value before it stops linking: a switchboard's number must not join strangers.
const RECORDS_PER_VALUE: usize = 100;

/// All namespaces of a tenant, with what normalising needs to know.
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
        let namespace = |name: &str, normaliser, strong, rank, values_per_customer| Namespace {
            name: name.to_owned(),
            normaliser,
            strong,
            rank,
            values_per_customer,
            records_per_value: RECORDS_PER_VALUE,
            unique: false,
            shared: false,
            blocked_values: BTreeSet::new(),
            revision: 0,
            renormalises: false,
        };
        let all = vec![
            namespace("customer_number", Normaliser::Trim, true, 10, 1),
            namespace("user_id", Normaliser::Trim, true, 15, 3),
            namespace("loyalty_card", Normaliser::Trim, true, 20, 3),
            namespace("email", Normaliser::Email, true, 30, 5),
            Namespace { shared: true, ..namespace("phone", Normaliser::E164, true, 40, 5) },
            namespace("device_id", Normaliser::Trim, false, 80, 0),
            namespace("anonymous_id", Normaliser::Trim, false, 90, 0),
        ];
        Self { all, region }
    }

    /// These, with what a tenant changed or added.
    #[must_use]
    pub fn with(mut self, own: impl IntoIterator<Item = Namespace>) -> Self {
        for namespace in own {
            match self.all.iter_mut().find(|held| held.name == namespace.name) {
                Some(held) => *held = namespace,
                None => self.all.push(namespace),
            }
        }
        self.all.sort_by(|a, b| (a.rank, &a.name).cmp(&(b.rank, &b.name)));
        self
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

    /// The one of a name, if its values only tie an anonymous visitor to who it turned out to be.
    #[must_use]
    pub fn weak(&self, name: &str) -> Option<&Namespace> {
        self.find(name).filter(|namespace| !namespace.strong)
    }

    /// An identifier in its normal form. One that stands for no value keeps its own; [`Namespaces::is_blocked`] knows it.
    ///
    /// # Errors
    /// Which field is wrong (`namespace` or `value`) and what it must be; never the value itself.
    pub fn normalise(&self, name: &str, value: &str) -> Result<Identifier, Refusal> {
        let namespace = self.find(name).ok_or_else(|| {
            let known: Vec<_> = self.all.iter().map(|namespace| namespace.name.as_str()).collect();
            Refusal {
                field: "namespace",
                rule: "namespace.known",
                text: format!("must be one of {}", known.join(", ")),
            }
        })?;
        let value = match self.form(namespace, value) {
            Err(_) if !value.trim().is_empty() && is_placeholder(value, namespace.normaliser) => {
                Ok(value.trim().to_owned())
            }
            other => other,
        };
        match value {
            Ok(value) => Ok(Identifier { namespace: name.to_owned(), value: Private::new(value) }),
            Err(text) => Err(Refusal { field: "value", rule: "identifier.form", text: text.to_owned() }),
        }
    }

    fn form(&self, namespace: &Namespace, value: &str) -> Result<String, &'static str> {
        match namespace.normaliser {
            Normaliser::Trim => normalise::trim(value),
            Normaliser::Lower => normalise::lower(value),
            Normaliser::Digits => normalise::digits(value),
            Normaliser::Email => normalise::email(value),
            Normaliser::E164 => normalise::phone(value, self.region.as_ref()),
        }
    }

    /// Whether an identifier in its normal form is one that links nobody and is not searched: it stands for no value, or
    /// the tenant blocked it.
    #[must_use]
    pub fn is_blocked(&self, identifier: &Identifier) -> bool {
        self.find(&identifier.namespace).is_some_and(|namespace| {
            namespace.blocked_values.contains(&identifier.value)
                || is_placeholder(identifier.value.expose(), namespace.normaliser)
        })
    }

    /// An identifier that a record carries, as it counts today: in today's form, and none where it is blocked or has no
    /// form today. What a record said is kept as it said it, so that a change of the rules can be taken back.
    #[must_use]
    pub fn effective<'a>(&self, identifier: &'a Identifier) -> Option<Cow<'a, Identifier>> {
        let Some(namespace) = self.find(&identifier.namespace) else { return Some(Cow::Borrowed(identifier)) };
        if self.is_blocked(identifier) {
            return None;
        }
        if !namespace.renormalises {
            return Some(Cow::Borrowed(identifier));
        }
        let value = self.form(namespace, identifier.value.expose()).ok()?;
        if &value == identifier.value.expose() {
            return Some(Cow::Borrowed(identifier));
        }
        let identifier = Identifier { namespace: identifier.namespace.clone(), value: Private::new(value) };
        (!self.is_blocked(&identifier)).then_some(Cow::Owned(identifier))
    }

    /// Those of some identifiers, each with an instant, that count today; of two that have become one, the earlier.
    #[must_use]
    pub fn effective_of<'a>(
        &self,
        carried: impl IntoIterator<Item = (&'a Identifier, rapport_kernel::Timestamp)>,
    ) -> BTreeMap<Identifier, rapport_kernel::Timestamp> {
        let mut counted = BTreeMap::new();
        for (identifier, at) in carried {
            if let Some(identifier) = self.effective(identifier) {
                let held = counted.entry(identifier.into_owned()).or_insert(at);
                *held = (*held).min(at);
            }
        }
        counted
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
        let own = Namespace { name: "vat_id".to_owned(), rank: 12, ..namespaces.all()[0].clone() };
        let namespaces = namespaces.with([own]);
        assert_eq!(namespaces.all()[1].name, "vat_id");
        assert_eq!(namespaces.all().len(), 8);
    }

    #[test]
    fn what_stands_for_nothing_is_blocked_though_it_has_no_form() {
        let namespaces = Namespaces::default();
        for (name, value) in
            [("email", "unknown"), ("phone", "0000000000"), ("user_id", "null"), ("email", "test@x.org")]
        {
            let identifier = namespaces.normalise(name, value).expect("it is kept");
            assert!(namespaces.is_blocked(&identifier) && namespaces.effective(&identifier).is_none(), "{value}");
        }
        assert!(namespaces.normalise("email", " ").is_err(), "nothing at all is no value");
    }

    #[test]
    fn a_changed_normaliser_makes_values_that_were_two_one_and_back() {
        let namespaces = Namespaces::default();
        let user = |value: &str| namespaces.normalise("user_id", value).expect("a value");
        let (one, other) = (user("U-1"), user("u-1"));
        let lower = Namespace {
            normaliser: Normaliser::Lower,
            renormalises: true,
            ..namespaces.find("user_id").expect("built in").clone()
        };
        let changed = namespaces.clone().with([lower]);
        assert_eq!(changed.effective(&one), changed.effective(&other));
        assert_ne!(namespaces.effective(&one), namespaces.effective(&other));
    }
}
