//! How the command line's own helpers (the demo, the bench) reach the suite: as any client does, over TCP with a key.

use std::time::Duration;

use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

/// A channel that shows an API key with every call.
pub type Client = InterceptedService<Channel, Key>;

/// Puts the API key on every call.
#[derive(Clone)]
pub struct Key(MetadataValue<Ascii>);

impl Interceptor for Key {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Connects to the gateway at `address` (host:port).
///
/// # Errors
/// UNAVAILABLE where nobody answers there.
pub async fn connect(address: &str, key: &str) -> Result<Client, Status> {
    let mut value = MetadataValue::try_from(format!("Bearer {key}"))
        .map_err(|_| Status::unauthenticated("the API key has characters that no key has"))?;
    value.set_sensitive(true);
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|why| Status::invalid_argument(why.to_string()))?
        .tcp_nodelay(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .connect_timeout(Duration::from_secs(5));
    let channel = endpoint.connect().await.map_err(|why| Status::unavailable(why.to_string()))?;
    Ok(InterceptedService::new(channel, Key(value)))
}
