//! `rapport.profiles.v1.ContextService`: what the other services ask.

use rapport_api::profiles::v1::context_service_server::ContextService;
use rapport_api::profiles::v1::{GetContextRequest, GetContextResponse};
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::{answer, request as ask};
use crate::service::Profiles;

/// The service.
pub struct ContextRpc(pub Profiles);

#[tonic::async_trait]
impl ContextService for ContextRpc {
    async fn get_context(&self, request: Request<GetContextRequest>) -> Result<Response<GetContextResponse>, Status> {
        unary(request, async |call, message| {
            let rules = self.0.rules(&call).await?;
            let (named, min_revision) = ask::context(&message, &rules.namespaces)?;
            let (subject, profile) = self.0.get_with_subject(&call, &named, min_revision).await?;
            if message.ids_only {
                return Ok(answer::context_ids(subject, &profile));
            }
            Ok(answer::context(subject, &profile, &rules.declared))
        })
        .await
    }
}
