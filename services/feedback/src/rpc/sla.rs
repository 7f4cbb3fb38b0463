//! `rapport.feedback.v1.SlaService`.

use prost::Message as _;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::sla_service_server::SlaService;
use rapport_data::Receipt;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use crate::convert::sla as convert;
use crate::convert::ticket::{self, render};
use crate::domain::sla::{Calendar, Policy};
use crate::domain::ticket::Windows;
use crate::service::ServiceLevels;
use crate::store::sla_rule::Kept;

/// The service.
pub struct SlaRpc(pub ServiceLevels);

fn calendar_bytes(kept: &Kept<Calendar>) -> Vec<u8> {
    convert::calendar(kept).encode_to_vec()
}

fn policy_bytes(kept: &Kept<Policy>) -> Vec<u8> {
    convert::policy_message(kept).encode_to_vec()
}

#[tonic::async_trait]
impl SlaService for SlaRpc {
    async fn create_sla_calendar(
        &self,
        request: Request<proto::CreateSlaCalendarRequest>,
    ) -> Result<Response<proto::SlaCalendar>, Status> {
        unary(request, async |call, message: proto::CreateSlaCalendarRequest| {
            let (request, calendar) = convert::create_calendar(&message)?;
            let receipt = Receipt::new("CreateSlaCalendar", request, &message.encode_to_vec(), calendar_bytes);
            self.0.create_calendar(&call, receipt, calendar).await?.message(convert::calendar)
        })
        .await
    }

    async fn get_sla_calendar(
        &self,
        request: Request<proto::GetSlaCalendarRequest>,
    ) -> Result<Response<proto::SlaCalendar>, Status> {
        unary(request, async |call, message: proto::GetSlaCalendarRequest| {
            let id = convert::which::<_, Calendar>(&message, &message.calendar_id)?;
            Ok(convert::calendar(&self.0.get(&call, id).await?))
        })
        .await
    }

    async fn list_sla_calendars(
        &self,
        request: Request<proto::ListSlaCalendarsRequest>,
    ) -> Result<Response<proto::ListSlaCalendarsResponse>, Status> {
        unary(request, async |call, message: proto::ListSlaCalendarsRequest| {
            let size = convert::page(&message, message.page_size)?;
            let page = self.0.list::<Calendar>(&call, size, &message.page_token).await?;
            let calendars = page.items.iter().map(convert::calendar).collect();
            Ok(proto::ListSlaCalendarsResponse { calendars, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_sla_calendar(
        &self,
        request: Request<proto::UpdateSlaCalendarRequest>,
    ) -> Result<Response<proto::SlaCalendar>, Status> {
        unary(request, async |call, message: proto::UpdateSlaCalendarRequest| {
            let (request, change) = convert::update_calendar(&message)?;
            let receipt = Receipt::new("UpdateSlaCalendar", request, &message.encode_to_vec(), calendar_bytes);
            self.0.update_calendar(&call, receipt, change).await?.message(convert::calendar)
        })
        .await
    }

    async fn delete_sla_calendar(
        &self,
        request: Request<proto::DeleteSlaCalendarRequest>,
    ) -> Result<Response<proto::DeleteSlaCalendarResponse>, Status> {
        unary(request, async |call, message: proto::DeleteSlaCalendarRequest| {
            let id = convert::which::<_, Calendar>(&message, &message.calendar_id)?;
            let request = convert::request(&message.request_id)?;
            let receipt = Receipt::new("DeleteSlaCalendar", request, &message.encode_to_vec(), |()| Vec::new());
            let answer = self.0.delete_calendar(&call, receipt, id, message.etag).await?;
            answer.message(|()| proto::DeleteSlaCalendarResponse {})
        })
        .await
    }

    async fn create_sla_policy(
        &self,
        request: Request<proto::CreateSlaPolicyRequest>,
    ) -> Result<Response<proto::SlaPolicy>, Status> {
        unary(request, async |call, message: proto::CreateSlaPolicyRequest| {
            let (request, policy) = convert::create_policy(&message)?;
            let receipt = Receipt::new("CreateSlaPolicy", request, &message.encode_to_vec(), policy_bytes);
            self.0.create_policy(&call, receipt, policy).await?.message(convert::policy_message)
        })
        .await
    }

    async fn get_sla_policy(
        &self,
        request: Request<proto::GetSlaPolicyRequest>,
    ) -> Result<Response<proto::SlaPolicy>, Status> {
        unary(request, async |call, message: proto::GetSlaPolicyRequest| {
            let id = convert::which::<_, Policy>(&message, &message.policy_id)?;
            Ok(convert::policy_message(&self.0.get(&call, id).await?))
        })
        .await
    }

    async fn list_sla_policies(
        &self,
        request: Request<proto::ListSlaPoliciesRequest>,
    ) -> Result<Response<proto::ListSlaPoliciesResponse>, Status> {
        unary(request, async |call, message: proto::ListSlaPoliciesRequest| {
            let size = convert::page(&message, message.page_size)?;
            let page = self.0.list::<Policy>(&call, size, &message.page_token).await?;
            let policies = page.items.iter().map(convert::policy_message).collect();
            Ok(proto::ListSlaPoliciesResponse { policies, next_page_token: page.next_page_token })
        })
        .await
    }

    async fn update_sla_policy(
        &self,
        request: Request<proto::UpdateSlaPolicyRequest>,
    ) -> Result<Response<proto::SlaPolicy>, Status> {
        unary(request, async |call, message: proto::UpdateSlaPolicyRequest| {
            let (request, change) = convert::update_policy(&message)?;
            let receipt = Receipt::new("UpdateSlaPolicy", request, &message.encode_to_vec(), policy_bytes);
            self.0.update_policy(&call, receipt, change).await?.message(convert::policy_message)
        })
        .await
    }

    async fn delete_sla_policy(
        &self,
        request: Request<proto::DeleteSlaPolicyRequest>,
    ) -> Result<Response<proto::DeleteSlaPolicyResponse>, Status> {
        unary(request, async |call, message: proto::DeleteSlaPolicyRequest| {
            let id = convert::which::<_, Policy>(&message, &message.policy_id)?;
            let request = convert::request(&message.request_id)?;
            let receipt = Receipt::new("DeleteSlaPolicy", request, &message.encode_to_vec(), |()| Vec::new());
            let answer = self.0.delete_policy(&call, receipt, id, message.etag).await?;
            answer.message(|()| proto::DeleteSlaPolicyResponse {})
        })
        .await
    }

    async fn get_ticket_windows(
        &self,
        request: Request<proto::GetTicketWindowsRequest>,
    ) -> Result<Response<proto::TicketWindows>, Status> {
        unary(request, async |call, _: proto::GetTicketWindowsRequest| {
            Ok(convert::windows(&self.0.windows(&call).await?))
        })
        .await
    }

    async fn update_ticket_windows(
        &self,
        request: Request<proto::UpdateTicketWindowsRequest>,
    ) -> Result<Response<proto::TicketWindows>, Status> {
        unary(request, async |call, message: proto::UpdateTicketWindowsRequest| {
            let (request, etag, lengths) = convert::update_windows(&message)?;
            let bytes = |kept: &Kept<Windows>| convert::windows(kept).encode_to_vec();
            let receipt = Receipt::new("UpdateTicketWindows", request, &message.encode_to_vec(), bytes);
            self.0.judge(&call, receipt, etag, lengths).await?.message(convert::windows)
        })
        .await
    }

    async fn preview_sla(
        &self,
        request: Request<proto::PreviewSlaRequest>,
    ) -> Result<Response<proto::PreviewSlaResponse>, Status> {
        unary(request, async |call, message: proto::PreviewSlaRequest| {
            let (key, push, at) = ticket::preview(&message, call.now)?;
            let derived = self.0.preview(&call, key, push, at).await?;
            Ok(proto::PreviewSlaResponse { sla: Some(render::sla(&derived)) })
        })
        .await
    }
}
