//! `rapport call`: any call of the contract from the command line, JSON in and out. A newcomer has no gRPC client yet.

use std::io::Write as _;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use rapport_kernel::{Fault, Reason};
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::cli::Call;
use crate::client::connect;

/// Makes the call and prints each message of the answer on standard output.
///
/// # Errors
/// What is wrong with the call's name or its JSON, or what the suite answered.
pub async fn call(arguments: &Call) -> Result<(), Fault> {
    let pool = DescriptorPool::decode(rapport_api::DESCRIPTOR_SET).map_err(Fault::internal)?;
    let method = find(&pool, &arguments.method)?;
    let mut json = serde_json::Deserializer::from_str(&arguments.body);
    let message = DynamicMessage::deserialize(method.input(), &mut json).map_err(|why| {
        Fault::new(Reason::InvalidField, format!("the body is not a {}: {why}", method.input().name()))
    })?;
    let client =
        connect(&arguments.address, &arguments.key).await.map_err(|status| rapport_platform::fault(&status))?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path.parse().map_err(Fault::internal)?;
    let mut grpc = tonic::client::Grpc::new(client).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES);
    grpc.ready().await.map_err(|why| Fault::unavailable("the suite", why))?;
    let request = Request::new(futures::stream::iter([message]));
    let answer = grpc.streaming(request, path, Dynamic(method)).await;
    let mut answers = answer.map_err(|status| refused(&status))?.into_inner();
    while let Some(answer) = answers.message().await.map_err(|status| refused(&status))? {
        let mut text = Vec::new();
        let mut out = serde_json::Serializer::pretty(&mut text);
        answer.serialize_with_options(&mut out, &SerializeOptions::new()).map_err(Fault::internal)?;
        text.push(b'\n');
        // Whoever reads may have seen enough.
        if std::io::stdout().write_all(&text).is_err() {
            break;
        }
    }
    Ok(())
}

fn find(pool: &DescriptorPool, name: &str) -> Result<MethodDescriptor, Fault> {
    let wanted = name.trim_start_matches('/').replace('/', ".");
    let methods = || pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods().find(|method| method.full_name() == wanted || method.name() == wanted).ok_or_else(|| {
        let known: Vec<_> = methods().map(|method| method.full_name().to_owned()).collect();
        Fault::new(Reason::InvalidField, format!("there is no call {name}; there are:\n  {}", known.join("\n  ")))
    })
}

/// What the suite answered, with every violation it named.
fn refused(status: &Status) -> Fault {
    let mut fault = rapport_platform::fault(status);
    for violation in fault.details.violations.as_slice().to_vec() {
        fault.message.push_str(&format!("\n  {}: {}", violation.field, violation.description));
    }
    fault
}

/// Encodes and decodes messages known only by their descriptor.
struct Dynamic(MethodDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = DynamicDecoder;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }
    fn decoder(&mut self) -> DynamicDecoder {
        DynamicDecoder(self.0.clone())
    }
}

struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(to).map_err(|why| Status::internal(why.to_string()))
    }
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

struct DynamicDecoder(MethodDescriptor);

impl Decoder for DynamicDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.output(), from).map(Some).map_err(|why| Status::internal(why.to_string()))
    }
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
