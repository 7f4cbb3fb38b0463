//! Answering questions: groups are worked out over the sets of dimensions, figures are added up in the database, and what
//! is too small to be shown is withheld.

use rapport_data::{Database, Rx};
use rapport_kernel::{Fault, TenantId};

use crate::domain::catalogue::Metric;
use crate::domain::cuts::Period;
use crate::domain::facts::Family;
use crate::domain::grouping::{Grouping, Groups, too_many};
use crate::domain::points::{self, Answer, Counted, Row};
use crate::domain::question::{Counting, Question};
use crate::store;
use crate::store::figures::{Customers, Scope};

/// Sets of dimensions of one read.
const SETS: u64 = 5_000;
/// Points of one answer: with their groups' values they fit a message.
const MOST_POINTS: usize = 10_000;

/// Answers a question; `threshold` is that of tenants that set none.
///
/// # Errors
/// UNSUPPORTED_QUERY where it names a trait that is not declared; where the database fails.
pub async fn answer(
    database: &Database,
    tenant: TenantId,
    question: &Question,
    threshold: i64,
) -> Result<Answer, Fault> {
    database.read(tenant, |rx| async move { read(&rx, question, threshold).await }).await
}

async fn read(rx: &Rx, question: &Question, configured: i64) -> Result<Answer, Fault> {
    let threshold = store::tenant_setting::threshold(rx).await?.unwrap_or(configured);
    if question.reads_traits() {
        question.check_traits(&store::declared_trait::dimensions(rx).await?)?;
    }
    let filter = question.filter.as_ref();
    let (mut grouping, mut opposite) = (Grouping::Everything, None);
    if Grouping::needs_sets(&question.axes, filter) {
        let admitted = Groups::new(&question.axes, filter);
        let left_out = filter.map(|filter| Groups::left_out(&question.axes, filter));
        (grouping, opposite) = groups(rx, admitted, left_out).await?;
    }
    let groupings = (&grouping, opposite.as_ref());
    let counted = counted(rx, question, question.period, groupings, threshold).await?;
    let baseline = match question.compare_to {
        Some(period) => Some(self::counted(rx, question, Some(period), groupings, threshold).await?),
        None => None,
    };
    let points = points::points(question, &grouping, &counted, baseline.as_ref(), threshold);
    Ok(Answer { points, erased_facts: store::cell::erased(rx).await? })
}

async fn groups(
    rx: &Rx,
    mut admitted: Groups<'_>,
    mut left_out: Option<Groups<'_>>,
) -> Result<(Grouping, Option<Grouping>), Fault> {
    let mut after = None;
    loop {
        let sets = store::dimension_set::after(rx, after, SETS).await?;
        admitted.take(&sets)?;
        left_out.as_mut().map_or(Ok(()), |left_out| left_out.take(&sets))?;
        match sets.last() {
            Some((last, _)) if sets.len() as u64 == SETS => after = Some(*last),
            _ => {
                let left_out = left_out.map(|left_out| left_out.beside(&admitted).done());
                return Ok((admitted.done(), left_out));
            }
        }
    }
}

/// The figures of a period and, where small ones are withheld, the customers behind them and behind what is left out.
async fn counted(
    rx: &Rx,
    question: &Question,
    period: Option<Period>,
    (grouping, opposite): (&Grouping, Option<&Grouping>),
    threshold: i64,
) -> Result<Counted, Fault> {
    let family = match question.metric {
        Metric::Interactions | Metric::Revenue | Metric::Customers | Metric::RepeatCustomerShare => {
            Family::Interactions
        }
        Metric::Nps => Family::Nps,
    };
    let scope = Scope { family, period, grain: question.grain, grouping };
    let rows = figures(rx, question, scope).await?;
    let mut counted = Counted { rows, ..Counted::default() };
    if question.withholds(threshold) {
        let by_currency = question.metric == Metric::Revenue;
        counted.people = store::figures::people(rx, scope, by_currency).await?;
        if let Some(grouping) = opposite {
            let left_out = store::figures::people(rx, Scope { grouping, ..scope }, by_currency).await?;
            let named = |((place, currency), people): (points::Part, i64)| {
                (grouping.values(place.0).to_vec(), place.1, currency, people)
            };
            counted.left_out = left_out.into_iter().map(named).collect();
        }
    }
    Ok(counted)
}

async fn figures(rx: &Rx, question: &Question, scope: Scope<'_>) -> Result<Vec<Row>, Fault> {
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
    if rows.len() > MOST_POINTS {
        return Err(too_many("points", MOST_POINTS));
    }
    Ok(if rows.is_empty() { points::nothing(question) } else { rows })
}
