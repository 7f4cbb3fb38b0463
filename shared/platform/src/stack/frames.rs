//! The frames of a gRPC request: a flag and four bytes of length before each message. A message that is too large is
//! refused by its announced length, before its bytes are taken in; what is no frame is the caller's mistake and is told
//! so (tonic would answer INTERNAL, as if the service had failed).

use rapport_api::MAX_REQUEST_BYTES;
use rapport_kernel::{Fault, Reason};

/// Where a request stands among its frames.
#[derive(Default)]
pub(super) struct Frames {
    prefix: [u8; 5],
    known: usize,
    left: usize,
    messages: bool,
    /// The call takes one message, and not none.
    one: bool,
}

impl Frames {
    /// Of a request of one message, or of a stream of them.
    pub(super) fn of(one: bool) -> Self {
        Self { one, ..Self::default() }
    }

    /// Follows the bytes that came.
    pub(super) fn check(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        while !data.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(data.len());
                self.left -= taken;
                data = &data[taken..];
                continue;
            }
            self.prefix[self.known] = data[0];
            self.known += 1;
            data = &data[1..];
            if self.known == self.prefix.len() {
                self.begin()?;
            }
        }
        Ok(())
    }

    /// Looks at the whole prefix of a message.
    fn begin(&mut self) -> Result<(), Fault> {
        let [flag, length @ ..] = self.prefix;
        if flag != 0 {
            return Err(malformed("messages are not compressed: the flag before a message must be 0"));
        }
        (self.known, self.messages) = (0, true);
        self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if self.left > MAX_REQUEST_BYTES {
            let text = format!("a message is larger than {MAX_REQUEST_BYTES} bytes");
            return Err(Fault::new(Reason::MessageTooLarge, text).with("limit", MAX_REQUEST_BYTES));
        }
        Ok(())
    }

    /// Looks at where the request ended.
    pub(super) fn end(self) -> Result<(), Fault> {
        if self.left > 0 || self.known > 0 {
            return Err(malformed("the request ended within a message"));
        }
        if self.one && !self.messages {
            return Err(malformed("the request ended before its message"));
        }
        Ok(())
    }
}

fn malformed(text: &str) -> Fault {
    Fault::new(Reason::MalformedMessage, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for size in sizes {
            bytes.push(0);
            bytes.extend_from_slice(&u32::try_from(*size).expect("small").to_be_bytes());
            bytes.extend(std::iter::repeat_n(7, *size));
        }
        bytes
    }

    proptest! {
        #[test]
        fn frames_are_followed_however_the_bytes_are_cut(sizes in prop::collection::vec(0_usize..2_000, 1..10), cut in 1_usize..700, lost in 1_usize..6) {
            let bytes = framed(&sizes);
            let mut frames = Frames::of(true);
            for chunk in bytes.chunks(cut) {
                prop_assert!(frames.check(chunk).is_ok());
            }
            let length = u32::try_from(MAX_REQUEST_BYTES + 1).expect("small").to_be_bytes();
            prop_assert!(frames.check(&[&[0], length.as_slice()].concat()).is_err());
            let mut short = Frames::of(true);
            let cut_off = &bytes[..bytes.len() - lost.min(4)];
            prop_assert!(short.check(cut_off).is_ok());
            prop_assert_eq!(short.end().map_err(|fault| fault.reason), Err(Reason::MalformedMessage));
        }

        #[test]
        fn a_flag_other_than_zero_is_refused(flag in 1_u8.., sizes in prop::collection::vec(0_usize..20, 0..3)) {
            let mut bytes = framed(&sizes);
            bytes.extend_from_slice(&[flag, 0, 0, 0, 0]);
            prop_assert_eq!(Frames::of(false).check(&bytes).map_err(|fault| fault.reason), Err(Reason::MalformedMessage));
        }
    }

    #[test]
    fn a_call_of_one_message_does_not_end_before_it() {
        assert!(Frames::of(true).end().is_err());
        assert!(Frames::of(false).end().is_ok());
    }
}
