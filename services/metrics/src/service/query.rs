//! Answering questions: groups are worked out over the sets of dimensions, figures are added up in the database, and what
//! is too small to be shown is withheld.

use rapport_data::{Database, Rx};
use rapport_kernel::{Fault, TenantId};

use crate::domain::catalogue::Metric;
use crate::domain::cuts::Period;
use crate::domain::facts::Family;
use crate::domain::grouping::{Grouping, Groups, too_many};
use crate::domain::points::{self, Answer, Row};
use crate::domain::question::{Counting, Question};
use crate::store;
use crate::store::figures::{Customers, Scope};

/// Sets of dimensions of one read.
const SETS: u64 = 5_000;
/// Points of one answer: with their groups' values they fit a message.
const MOST_POINTS: usize = 10_000;

/// Answers a question.
///
/// # Errors
/// Where the database fails.
pub async fn answer(
    database: &Database,
    tenant: TenantId,
    question: &Question,
    threshold: i64,
) -> Result<Answer, Fault> {
    database.read(tenant, |rx| async move { read(&rx, question, threshold).await }).await
}

async fn read(rx: &Rx, question: &Question, threshold: i64) -> Result<Answer, Fault> {
    let filter = question.filter.as_ref();
    let grouping = if Grouping::needs_sets(&question.axes, filter) {
        groups(rx, Groups::new(&question.axes, filter)).await?
    } else {
        Grouping::Everything
    };
    let rows = figures(rx, question, question.period, &grouping).await?;
    let baseline = match question.compare_to {
        Some(period) => Some(figures(rx, question, Some(period), &grouping).await?),
        None => None,
    };
    let points = points::points(question, &grouping, &rows, baseline.as_deref(), threshold);
    Ok(Answer { points, erased_facts: store::cell::erased(rx).await? })
}

async fn groups(rx: &Rx, mut groups: Groups<'_>) -> Result<Grouping, Fault> {
    let mut after = None;
    loop {
        let sets = store::dimension_set::after(rx, after, SETS).await?;
        groups.take(&sets)?;
        match sets.last() {
            Some((last, _)) if sets.len() as u64 == SETS => after = Some(*last),
            _ => return Ok(groups.done()),
        }
    }
}

async fn figures(rx: &Rx, question: &Question, period: Option<Period>, grouping: &Grouping) -> Result<Vec<Row>, Fault> {
    let family = match question.metric {
        Metric::Interactions | Metric::Revenue | Metric::Customers | Metric::RepeatCustomerShare => {
            Family::Interactions
        }
        Metric::Nps => Family::Nps,
    };
    let scope = Scope { family, period, grain: question.grain, grouping };
    let metric = question.metric;
    let rows = match metric {
        Metric::Interactions | Metric::Revenue => points::tallied(metric, store::figures::tallies(rx, scope).await?),
        Metric::Nps if question.latest_per_customer => {
            points::tallied(metric, store::figures::latest(rx, scope).await?)
        }
        Metric::Nps => points::tallied(metric, store::figures::tallies(rx, scope).await?),
        Metric::Customers => points::counted(metric, store::figures::customers(rx, scope, Customers::All).await?),
        Metric::RepeatCustomerShare => {
            let counting = question.counting.unwrap_or(Counting::PurchaseDays);
            points::counted(metric, store::figures::customers(rx, scope, Customers::Buyers(counting)).await?)
        }
    };
    if rows.len() > MOST_POINTS { Err(too_many("points", MOST_POINTS)) } else { Ok(rows) }
}
