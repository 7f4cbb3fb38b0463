//! `rapport.profiles.v1.AccountService`.

use prost::Message as _;
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::account_service_server::AccountService;
use rapport_kernel::PageKey;
use rapport_platform::rpc::unary;
use tonic::{Request, Response, Status};

use super::receipt;
use crate::convert::account as convert;
use crate::service::Profiles;
use crate::service::members::{Added, Removed};

/// The account calls.
pub struct AccountRpc {
    /// What they work on.
    pub profiles: Profiles,
    /// Seals the tokens of pages.
    pub page_key: PageKey,
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn create_account(
        &self,
        request: Request<pb::CreateAccountRequest>,
    ) -> Result<Response<pb::Account>, Status> {
        unary(request, async |call, message: pb::CreateAccountRequest| {
            let draft = convert::create(&message)?;
            let encode = |account: &_| convert::account(account).encode_to_vec();
            let receipt = receipt("CreateAccount", &message.request_id, &message, encode);
            self.profiles.create_account(&call, receipt, draft).await?.message(convert::account)
        })
        .await
    }

    async fn upsert_account(
        &self,
        request: Request<pb::UpsertAccountRequest>,
    ) -> Result<Response<pb::UpsertAccountResponse>, Status> {
        unary(request, async |call, message: pb::UpsertAccountRequest| {
            let input = convert::upsert(&message)?;
            let encode = |outcome: &_| convert::upserted(outcome).encode_to_vec();
            let receipt = receipt("UpsertAccount", &message.request_id, &message, encode);
            self.profiles.upsert_account(&call, receipt, input).await?.message(convert::upserted)
        })
        .await
    }

    async fn get_account(&self, request: Request<pb::GetAccountRequest>) -> Result<Response<pb::Account>, Status> {
        unary(request, async |call, message| {
            let named = convert::get(&message)?;
            Ok(convert::account(&self.profiles.account(&call, &named).await?))
        })
        .await
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        unary(request, async |call, message: pb::ListAccountsRequest| {
            let rules = self.profiles.rules(&call).await?;
            let (listing, query) = convert::list(&message, &rules.namespaces)?;
            let after = self.page_key.open(call.tenant(), &query, &message.page_token)?;
            let page = self.profiles.accounts(&call, &listing, after).await?;
            let next = page.next.map(|next| self.page_key.seal(call.tenant(), &query, &next));
            let accounts = page.items.iter().map(convert::account).collect();
            Ok(pb::ListAccountsResponse { accounts, next_page_token: next.unwrap_or_default() })
        })
        .await
    }

    async fn update_account(
        &self,
        request: Request<pb::UpdateAccountRequest>,
    ) -> Result<Response<pb::Account>, Status> {
        unary(request, async |call, message: pb::UpdateAccountRequest| {
            let change = convert::update(&message)?;
            let encode = |account: &_| convert::account(account).encode_to_vec();
            let receipt = receipt("UpdateAccount", &message.request_id, &message, encode);
            self.profiles.update_account(&call, receipt, change).await?.message(convert::account)
        })
        .await
    }

    async fn delete_account(
        &self,
        request: Request<pb::DeleteAccountRequest>,
    ) -> Result<Response<pb::DeleteAccountResponse>, Status> {
        unary(request, async |call, message: pb::DeleteAccountRequest| {
            let (id, expected) = convert::delete(&message)?;
            let render = |_: &Removed| pb::DeleteAccountResponse {};
            let receipt = receipt("DeleteAccount", &message.request_id, &message, |_: &Removed| Vec::new());
            self.profiles.delete_account(&call, receipt, id, expected).await?.message(render)
        })
        .await
    }

    async fn add_member(&self, request: Request<pb::AddMemberRequest>) -> Result<Response<pb::AccountMember>, Status> {
        unary(request, async |call, message: pb::AddMemberRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = convert::add_member(&message, call.now, &rules.namespaces)?;
            let render = |added: &Added| convert::member(&added.belongs);
            let encode = |added: &Added| convert::member(&added.belongs).encode_to_vec();
            let receipt = receipt("AddMember", &message.request_id, &message, encode);
            self.profiles.add_member(&call, receipt, input).await?.message(render)
        })
        .await
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<pb::RemoveMemberResponse>, Status> {
        unary(request, async |call, message: pb::RemoveMemberRequest| {
            let rules = self.profiles.rules(&call).await?;
            let input = convert::remove_member(&message, call.now, &rules.namespaces)?;
            let receipt = receipt("RemoveMember", &message.request_id, &message, |done| removed(done).encode_to_vec());
            self.profiles.remove_member(&call, receipt, input).await?.message(removed)
        })
        .await
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        unary(request, async |call, message: pb::ListMembersRequest| {
            let (named, size, query) = convert::members(&message)?;
            let after = self.page_key.open(call.tenant(), &query, &message.page_token)?;
            let page = self.profiles.members(&call, (&named, message.include_former), after, size).await?;
            let next = page.next.map(|next| self.page_key.seal(call.tenant(), &query, &next));
            let members = page.items.iter().map(convert::member).collect();
            Ok(pb::ListMembersResponse { members, next_page_token: next.unwrap_or_default() })
        })
        .await
    }
}

fn removed(done: &Removed) -> pb::RemoveMemberResponse {
    pb::RemoveMemberResponse { removed: i32::try_from(done.removed).unwrap_or(i32::MAX) }
}
