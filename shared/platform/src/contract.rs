//! What the stack must know of the contract: which scope a call needs, and whether it streams.
//!
//! Both come from the proto files (the access option, the descriptor set); the stack takes them as a value, so that
//! it can be tested with another contract than the suite's.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use rapport_kernel::{Fault, Verb};

/// What a call needs: `service:verb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The service part of the scope; [`BY_NAME`](rapport_api::policy::BY_NAME) where only the request itself says it.
    pub service: &'static str,
    /// The verb part of the scope.
    pub verb: Verb,
}

/// One call of the contract.
#[derive(Clone, Debug)]
pub struct Method {
    /// `package.Service/Method`, as OpenTelemetry's `rpc.method` names it.
    pub name: Arc<str>,
    /// Whether the client sends more than one message.
    pub client_streams: bool,
    /// Whether the server sends more than one message.
    pub server_streams: bool,
    /// What it needs; `None` where the contract lays down no access (health, reflection).
    pub access: Option<Access>,
    /// Its place among the contract's calls, from 0: what is kept for each call is found by it.
    pub(crate) number: usize,
}

impl Method {
    /// One message each way.
    #[must_use]
    pub const fn is_unary(&self) -> bool {
        !self.client_streams && !self.server_streams
    }
}

/// The calls that exist. Cheap to clone.
#[derive(Clone)]
pub struct Contract {
    methods: Arc<HashMap<String, Arc<Method>>>,
    descriptors: Arc<[&'static [u8]]>,
}

impl Contract {
    /// The suite's own contract.
    ///
    /// # Errors
    /// Where the generated descriptor set cannot be read, which a test of `api` excludes.
    pub fn suite() -> Result<Self, Fault> {
        Self::new(rapport_api::DESCRIPTOR_SET, |path| {
            let policy = rapport_api::policy::find(path)?;
            Some(Access { service: policy.service, verb: policy.verb })
        })
    }

    /// A contract from an encoded descriptor set and a policy: path → access.
    ///
    /// # Errors
    /// Where the descriptor set cannot be read.
    pub fn new(descriptors: &'static [u8], access: impl Fn(&str) -> Option<Access>) -> Result<Self, Fault> {
        let mut methods = HashMap::new();
        let sets = [descriptors, tonic_health::pb::FILE_DESCRIPTOR_SET];
        for set in sets {
            for file in FileDescriptorSet::decode(set).map_err(Fault::internal)?.file {
                let package = file.package().to_owned();
                for service in &file.service {
                    for method in &service.method {
                        let name = format!("{package}.{}/{}", service.name(), method.name());
                        let path = format!("/{name}");
                        let method = Method {
                            access: access(&path),
                            name: name.into(),
                            client_streams: method.client_streaming(),
                            server_streams: method.server_streaming(),
                            number: methods.len(),
                        };
                        methods.entry(path).or_insert_with(|| Arc::new(method));
                    }
                }
            }
        }
        Ok(Self { methods: Arc::new(methods), descriptors: Arc::new(sets) })
    }

    /// The call of a path (`/package.Service/Method`), if there is one.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Arc<Method>> {
        self.methods.get(path)
    }

    /// How many calls there are.
    pub(crate) fn len(&self) -> usize {
        self.methods.len()
    }

    /// The encoded descriptor sets, for reflection.
    #[must_use]
    pub fn descriptors(&self) -> &[&'static [u8]] {
        &self.descriptors
    }
}
