//! Namespaces.

use rapport_api::profiles::v1 as message;

use crate::domain::namespace::{Namespace, Namespaces, Normaliser};

/// The namespaces, in rank order.
#[must_use]
pub fn namespaces(namespaces: &Namespaces) -> message::ListNamespacesResponse {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let namespace = |namespace: &Namespace| message::Namespace {
        name: namespace.name.to_owned(),
        normaliser: match namespace.normaliser {
            Normaliser::Trim => message::Normaliser::Trim,
            Normaliser::Email => message::Normaliser::Email,
            Normaliser::E164 => message::Normaliser::E164,
        }
        .into(),
        strong: namespace.strong,
        rank: i32::from(namespace.rank),
        values_per_customer: count(namespace.values_per_customer),
        records_per_value: count(namespace.records_per_value),
    };
    message::ListNamespacesResponse { namespaces: namespaces.all().iter().map(namespace).collect() }
}
