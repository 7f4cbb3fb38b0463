//! Answering questions: groups are worked out over the sets of dimensions, figures are added up in the database, and what
//! is too small to be shown is withheld.

use rapport_data::{Database, Rx};
use rapport_kernel::{Fault, TenantId};

use crate::domain::catalogue::Metric;
use crate::domain::cuts::Period;
use crate::domain::facts::Family;
use crate::domain::grouping::Grouping;
use crate::domain::points::{self, Answer, Counted, Row};
use crate::domain::question::{Counting, Question};
use crate::store;
use crate::store::figures::{Customers, Scope};

/// Answers a question.
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

async fn read(rx: &Rx, question: &Question, threshold: i64) -> Result<Answer, Fault> {
    if question.reads_traits() {
        question.check_traits(&store::declared_trait::dimensions(rx).await?)?;
    }
    let filter = question.filter.as_ref();
    let (mut grouping, mut opposite) = (Grouping::Everything, None);
    if Grouping::needs_sets(&question.axes, filter) {
        let sets = store::dimension_set::all(rx).await?;
        grouping = Grouping::of(&sets, &question.axes, filter);
        opposite = filter.map(|filter| Grouping::opposite(&sets, &question.axes, filter));
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
    Ok(if rows.is_empty() { points::nothing(question) } else { rows })
}
