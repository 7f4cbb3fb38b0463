//! Erasures: requests in, erasures out.

use rapport_api::admin::v1 as proto;
use rapport_api::check;
use rapport_api::common::v1::{CustomerRef, Identifier, customer_ref::Ref};
use rapport_kernel::{Fault, Private, RequestId};

use super::{id, request_id, time};
use crate::domain::{Customer, Erasure, ErasureId, Receipt};

/// Whom to forget.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn erase(message: proto::EraseCustomerRequest) -> Result<(Option<RequestId>, Customer), Fault> {
    check(&message).check()?;
    let customer = match message.customer.and_then(|reference| reference.r#ref) {
        Some(Ref::CustomerId(text)) => Customer::Id(id(&text)?),
        Some(Ref::Identifier(Identifier { namespace, value })) => {
            Customer::Identifier { namespace, value: Private::new(value) }
        }
        None => return Err(Fault::internal("a customer reference was not checked")),
    };
    Ok((request_id(&message.request_id)?, customer))
}

/// The reference by which profiles is asked for a customer.
#[must_use]
pub fn customer(customer: &Customer) -> CustomerRef {
    let reference = match customer {
        Customer::Id(id) => Ref::CustomerId(id.to_string()),
        Customer::Identifier { namespace, value } => {
            Ref::Identifier(Identifier { namespace: namespace.clone(), value: value.expose().clone() })
        }
    };
    CustomerRef { r#ref: Some(reference) }
}

/// Which erasure to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetErasureRequest) -> Result<ErasureId, Fault> {
    check(message).check()?;
    id(&message.erasure_id)
}

/// An erasure as the contract has it.
#[must_use]
pub fn render(erasure: &Erasure) -> proto::Erasure {
    let state = match erasure.completed_at {
        Some(_) => proto::ErasureState::Complete,
        None => proto::ErasureState::Running,
    };
    proto::Erasure {
        erasure_id: erasure.id.to_string(),
        customer_id: erasure.customer.to_string(),
        state: state.into(),
        receipts: erasure.receipts.iter().map(receipt).collect(),
        create_time: time(erasure.created_at),
        complete_time: erasure.completed_at.and_then(time),
    }
}

fn receipt(receipt: &Receipt) -> proto::ErasureReceipt {
    proto::ErasureReceipt {
        service: receipt.service.to_owned(),
        // A count of rows that were in a database is far from the end of its type.
        deleted_rows: i64::try_from(receipt.deleted_rows).unwrap_or(i64::MAX),
        erase_time: receipt.erased_at.and_then(time),
        bus_clear: receipt.bus_clear,
    }
}
