//! The codec of every generated client and server. It differs from tonic's in one thing: bytes that are no message of
//! the call's type are the caller's mistake (INVALID_ARGUMENT), not ours (tonic answers INTERNAL).

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec as TonicCodec, DecodeBuf, Decoder as TonicDecoder};
use tonic_prost::ProstEncoder;
use tonic_types::{ErrorDetails, StatusExt};

use rapport_kernel::Reason;

/// Encodes `T`, decodes `U`.
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> TonicCodec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Decoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }
    fn decoder(&mut self) -> Self::Decoder {
        Decoder(PhantomData)
    }
}

/// Decodes messages of type `U`.
pub struct Decoder<U>(PhantomData<U>);

impl<U: Message + Default> TonicDecoder for Decoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // What exactly is wrong with the bytes is not told: prost's text can quote what it read.
        U::decode(bytes).map(Some).map_err(|_| malformed())
    }
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// What bytes get that are no message.
fn malformed() -> Status {
    let reason = Reason::MalformedMessage;
    let details = ErrorDetails::with_error_info(reason.name(), "rapport", [] as [(String, String); 0]);
    let message =
        "the bytes are not a message of this call's type (damaged, nested too deep, or text that is not UTF-8)";
    Status::with_error_details(tonic::Code::InvalidArgument, message, details)
}
