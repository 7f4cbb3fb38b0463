//! Reading profiles: hot, cold, and through the gateway.

use std::sync::Arc;

use rapport_api::profiles::v1::GetProfileRequest;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use tonic::Status;

use crate::Outcome;
use crate::load::{IN_FLIGHT, Measured, Until, drive};
use crate::people::by_id;
use crate::suite::Client;

/// Reads the profiles of customers over and over.
pub async fn hot(
    clients: &[Client],
    customers: &Arc<Vec<String>>,
    in_flight: usize,
    until: Until,
) -> Outcome<Measured> {
    let customers = Arc::clone(customers);
    drive(clients, in_flight, until, move |client, number| {
        read(client, customers[number as usize % customers.len()].clone())
    })
    .await
}

/// Reads the profile of each customer once.
pub async fn cold(clients: &[Client], customers: &Arc<Vec<String>>) -> Outcome<Measured> {
    hot(clients, customers, IN_FLIGHT, Until::Calls(customers.len() as u64)).await
}

async fn read(client: Client, customer: String) -> Result<(), Status> {
    let request = GetProfileRequest { customer: Some(by_id(&customer)), ..GetProfileRequest::default() };
    ProfileServiceClient::new(client).get_profile(request).await.map(drop)
}
