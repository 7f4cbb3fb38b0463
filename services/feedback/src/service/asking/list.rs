//! Lists of invitations, and of who was not invited.

use rapport_data::{Rx, keyset};
use rapport_kernel::Fault;
use rapport_platform::Call;
use uuid::Uuid;

use super::Asking;
use crate::convert::invitation::{List, ListNot};
use crate::domain::asking::{Invitation, InvitationId, NotInvited};
use crate::service::Page;
use crate::store;
use crate::store::asking::{invitation, not_invited};

impl Asking {
    /// Lists invitations, newest first.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, asked: List) -> Result<Page<Invitation>, Fault> {
        let subjects = match &asked.customer {
            Some(customer) => Some(self.profiles.resolve(call, customer).await?.subjects),
            None => None,
        };
        let whose = asked.customer.as_ref().map(|customer| customer.key().into_inner()).unwrap_or_default();
        let bound = format!("ListInvitations|{whose}|{:?}|{:?}|{:?}", asked.survey, asked.status, asked.campaign);
        let before: Option<InvitationId> = self.page_key.open(call.tenant(), &bound, &asked.page_token)?;
        let which =
            invitation::Which { survey: asked.survey, subjects, status: asked.status, campaign: asked.campaign };
        let size = asked.page_size;
        let query = move |rx: Rx| {
            let which = which.clone();
            async move { invitation::page(&rx, &which, before, keyset::limit(size)).await }
        };
        let mut items = self.db.until(call.deadline).read(call.tenant(), query).await?;
        let more = items.len() > size;
        items.truncate(size);
        let last = items.last().filter(|_| more).map(|last| last.id);
        let next = last.map(|id| self.page_key.seal(call.tenant(), &bound, &id));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }

    /// Lists who was not invited to a survey, newest first.
    ///
    /// # Errors
    /// NOT_FOUND for the survey; INVALID_ARGUMENT for a page token that is none.
    pub async fn list_not(&self, call: &Call, asked: ListNot) -> Result<Page<NotInvited>, Fault> {
        let bound = format!("ListNotInvited|{}|{:?}|{:?}", asked.survey, asked.reason, asked.campaign);
        let before: Option<Uuid> = self.page_key.open(call.tenant(), &bound, &asked.page_token)?;
        let which = not_invited::Which { survey: asked.survey, reason: asked.reason, campaign: asked.campaign };
        let size = asked.page_size;
        let query = move |rx: Rx| {
            let which = which.clone();
            async move {
                store::survey::get(rx.conn(), rx.tenant(), which.survey).await?;
                not_invited::page(&rx, &which, before, keyset::limit(size)).await
            }
        };
        let mut items = self.db.until(call.deadline).read(call.tenant(), query).await?;
        let more = items.len() > size;
        items.truncate(size);
        let last = items.last().filter(|_| more).map(|last| last.id);
        let next = last.map(|id| self.page_key.seal(call.tenant(), &bound, &id));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }
}
