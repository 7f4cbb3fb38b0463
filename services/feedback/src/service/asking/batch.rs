//! Inviting many customers: each is invited, or there is a reason why not.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rapport_data::{Answer, Receipt};
use rapport_kernel::{CustomerId, Fault, Reason as Cause};
use rapport_platform::Call;

use super::invite::is_there;
use super::{Asking, Invited, Order, replayed};
use crate::convert::invitation::{Judged, Results, encode_invited, judged, render_invited};
use crate::domain::asking::Reason;
use crate::domain::{Customer, SurveyId};
use crate::store;

/// How many are invited at a time.
const TOGETHER: usize = 8;

impl Asking {
    /// Invites customers, each by itself; a retry finds those that were invited before.
    ///
    /// # Errors
    /// NOT_FOUND for the survey or the ticket that it is about; else as [`Asking::invite`], but for what is wrong with a customer.
    pub async fn batch(
        &self,
        call: &Call,
        receipt: Receipt<Results>,
        survey: SurveyId,
        orders: Vec<Order>,
    ) -> Result<Answer<Results>, Fault> {
        if orders.first().is_some_and(|order| order.request.is_some())
            && let Some(bytes) = replayed(&self.db, call, receipt.clone()).await?
        {
            return Ok(Answer::Replayed(bytes));
        }
        // It is one for all of them.
        let spot = orders.first().map(|order| order.spot.clone()).unwrap_or_default();
        let read = move |rx: rapport_data::Rx| {
            let spot = spot.clone();
            async move {
                is_there(&rx, &spot).await?;
                store::survey::get(rx.conn(), rx.tenant(), survey).await
            }
        };
        self.db.until(call.deadline).read(call.tenant(), read).await?;
        let doubled = self.doubled(call, &orders).await?;
        let each = orders.into_iter().zip(doubled).map(|(order, doubled)| async move {
            if doubled {
                return Ok(render_invited(&Invited::No(Reason::Duplicate.into())));
            }
            self.one(call, order).await
        });
        let results: Vec<_> = stream::iter(each).buffered(TOGETHER).try_collect().await?;
        let unit = move |_: rapport_data::Tx| {
            let results = results.clone();
            async move { Ok(Results(results)) }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    async fn one(&self, call: &Call, order: Order) -> Result<Judged, Fault> {
        let receipt = Receipt::new("BatchInvite item", order.request, order.survey.uuid().as_bytes(), encode_invited);
        match self.invite(call, receipt, order).await {
            Ok(answer) => judged(answer),
            Err(fault) => match fault.reason {
                Cause::ResourceNotFound => Ok(render_invited(&Invited::No(Reason::UnknownCustomer.into()))),
                Cause::Erased => Ok(render_invited(&Invited::No(Reason::Erased.into()))),
                _ => Err(fault),
            },
        }
    }

    /// Which of them name a customer that one before them named, by whichever name.
    async fn doubled(&self, call: &Call, orders: &[Order]) -> Result<Vec<bool>, Fault> {
        let named: Vec<Customer> = orders.iter().map(|order| order.customer.clone()).collect();
        let resolve = named.into_iter().map(|customer| async move {
            match self.profiles.resolve(call, &customer).await {
                Ok(resolved) => Ok(Some(resolved.customer)),
                Err(fault) if matches!(fault.reason, Cause::ResourceNotFound | Cause::Erased) => Ok(None),
                Err(fault) => Err(fault),
            }
        });
        let customers: Vec<Option<CustomerId>> = stream::iter(resolve).buffered(TOGETHER).try_collect().await?;
        let mut seen = BTreeSet::new();
        Ok(customers.into_iter().map(|customer| customer.is_some_and(|customer| !seen.insert(customer))).collect())
    }
}
