//! Answering questions: groups are worked out over the sets of dimensions, facts are counted in the database, figures
//! reckoned from the counts, and what is too small to be shown is withheld.

use std::collections::BTreeMap;

use rapport_data::keyset::{Page, limit, page};
use rapport_data::{Database, Rx};
use rapport_kernel::{Fault, Reason, TenantId};

use crate::domain::cuts::Period;
use crate::domain::dimensions::{Axis, Dimension};
use crate::domain::facts::Family;
use crate::domain::figures::Figure;
use crate::domain::grouping::{Grouping, Groups, too_many};
use crate::domain::listing::{Cursor, Listed};
use crate::domain::points::{self, Answer, Counted, Place, Row, Spotted};
use crate::domain::question::{Counting, Question};
use crate::domain::reckoning::{Part, Reckoning, Transfers};
use crate::domain::statistics::rates::Rate;
use crate::store;
use crate::store::figures::{Customers, Parted, Scope};
use crate::store::listing::Only;

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

/// The facts behind one point, a page of them: `group` is its place among the values along the question's axes.
///
/// # Errors
/// FAILED_PRECONDITION where the point is withheld; UNSUPPORTED_QUERY where it names a trait that is not declared; where the
/// database fails.
pub async fn facts(
    database: &Database,
    tenant: TenantId,
    (question, group, series): (&Question, &[String], Option<&str>),
    (after, size): (Option<Cursor>, usize),
    threshold: i64,
) -> Result<Page<Listed, Cursor>, Fault> {
    let reading = |rx: Rx| async move {
        let (grouping, points) = reckoned(&rx, question, threshold).await?;
        let mut behind = points.iter().filter(|point| point.group == group);
        if behind.any(|point| point.told.is_none() && series.is_none_or(|series| series == point.series)) {
            return Err(withheld());
        }
        let only_group = grouping.only(group);
        let (mature, _) = question.matured(question.period);
        let Some(period) = mature else { return Ok(Page { items: Vec::new(), next: None }) };
        let scope = scope(question, question.family(), period, &only_group);
        let reckoning = question.metric.reckoning();
        let only = Only {
            series,
            purchases: reckoning == Reckoning::Repeats,
            worth: reckoning == Reckoning::Sums && series.is_none(),
        };
        let rows = store::listing::after(&rx, scope, only, after.as_ref(), limit(size)).await?;
        Ok(page(rows, size, |_| 200, Listed::cursor))
    };
    database.read(tenant, reading).await
}

fn withheld() -> Fault {
    let text = "the point rests on too few customers, or would give such a one away: so would the facts behind it";
    let mut fault = Fault::new(Reason::InvalidState, text);
    fault.details.precondition = Some(("SUPPRESSED", "point".to_owned()));
    fault
}

async fn read(rx: &Rx, question: &Question, configured: i64) -> Result<Answer, Fault> {
    let (_, points) = reckoned(rx, question, configured).await?;
    Ok(Answer { points, erased_facts: store::cell::erased(rx).await? })
}

async fn reckoned(rx: &Rx, question: &Question, configured: i64) -> Result<(Grouping, Vec<points::Point>), Fault> {
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
    Ok((grouping, points))
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

fn scope<'a>(question: &Question, family: Family, period: Period, grouping: &'a Grouping) -> Scope<'a> {
    let untransferred =
        question.metric.reckoning().sees_transfers() && question.declared().transfers == Transfers::LeaveOut;
    let period = (period != Period::ALL).then_some(period);
    Scope { family, period, grain: question.grain, grouping, untransferred, employees: question.counts_employees() }
}

/// The figures of a period and, where small ones are withheld, the customers behind them and behind what is left out.
async fn counted(
    rx: &Rx,
    question: &Question,
    period: Option<Period>,
    (grouping, opposite): (&Grouping, Option<&Grouping>),
    threshold: i64,
) -> Result<Counted, Fault> {
    let (mature, immature) = question.matured(period);
    let mut counted = Counted::default();
    if let Some(period) = mature {
        let scope = scope(question, question.family(), period, grouping);
        (counted.rows, counted.people) = figures(rx, question, scope).await?;
        if question.withholds(threshold) {
            let by_series = question.metric.reckoning().by_series();
            for (spotted, people) in store::figures::people(rx, scope, by_series).await? {
                counted.people.entry(spotted).or_insert(people);
            }
            if let Some(grouping) = opposite {
                let left_out = store::figures::people(rx, Scope { grouping, ..scope }, by_series).await?;
                let named = |((place, series), people): (Spotted, i64)| {
                    (grouping.values(place.0).to_vec(), place.1, series, people)
                };
                counted.left_out = left_out.into_iter().map(named).collect();
            }
        }
    }
    if let Some(period) = immature {
        let scope = scope(question, question.family(), period, grouping);
        points::with_immature(&mut counted.rows, store::figures::facts(rx, scope).await?);
        if question.withholds(threshold) {
            // A point without a value tells how many are immature, and rests on their customers.
            let people = store::figures::people(rx, scope, false).await?;
            let empty = counted.rows.iter().filter(|row| row.part.figure.n() == 0).map(|row| row.place);
            for place in empty.collect::<Vec<_>>() {
                let of = (place, String::new());
                let count = people.get(&of).copied().unwrap_or(0);
                counted.people.insert(of, count);
            }
        }
    }
    if counted.rows.len() > MOST_POINTS {
        return Err(too_many("points", MOST_POINTS));
    }
    if counted.rows.is_empty() {
        counted.rows = points::nothing(question);
    }
    Ok(counted)
}

/// The figures, and how many customers are behind them where that is known already.
async fn figures(rx: &Rx, question: &Question, scope: Scope<'_>) -> Result<(Vec<Row>, BTreeMap<Spotted, i64>), Fault> {
    let reckoning = question.metric.reckoning();
    let rows = match reckoning {
        Reckoning::Customers => {
            let customers = store::figures::customers(rx, scope, Customers::All).await?;
            points::counts(customers.into_iter().map(|(place, (_, whole))| (place, whole)).collect())
        }
        Reckoning::Repeats => {
            let counting = question.counting.unwrap_or(Counting::PurchaseDays);
            points::shares(store::figures::customers(rx, scope, Customers::Buyers(counting)).await?)
        }
        Reckoning::LastContacts => {
            return Ok(parted(store::figures::first_contacts(rx, scope, question.declared()).await?));
        }
        Reckoning::Answering => return Ok(parted(store::figures::invitations(rx, scope).await?)),
        Reckoning::Contacts => {
            let contacts = store::figures::facts(rx, scope).await?;
            let customers = store::figures::customers_of(rx, scope, Family::Interactions).await?;
            customers.into_iter().map(|(place, active)| rate(place, &contacts, active)).collect()
        }
        Reckoning::Channels => {
            let channel = Axis::Dimension(Dimension::Channel);
            let at = question.axes.iter().position(|axis| *axis == channel).unwrap_or(0);
            let rows = points::tallied(question, &store::figures::tallies(rx, scope).await?)?;
            points::of_channels(scope.grouping, at, rows)
        }
        _ if question.latest_per_customer => points::tallied(question, &store::figures::latest(rx, scope).await?)?,
        _ => points::tallied(question, &store::figures::tallies(rx, scope).await?)?,
    };
    let mut rows = rows;
    if let Some(unread) = unread(scope.family) {
        let scope = Scope { family: unread, ..scope };
        points::with_coverage(&mut rows, &store::figures::facts(rx, scope).await?);
    }
    // Figures of customers rest on those they count.
    let of_customers = matches!(reckoning, Reckoning::Customers | Reckoning::Repeats | Reckoning::Contacts);
    let counted = rows.iter().filter(|_| of_customers);
    let people = counted.map(|row| ((row.place, String::new()), row.part.figure.n())).collect();
    Ok((rows, people))
}

/// Shares, and the customers behind each.
fn parted(found: BTreeMap<Place, Parted>) -> (Vec<Row>, BTreeMap<Spotted, i64>) {
    let people = found.iter().map(|(place, of)| ((*place, String::new()), of.people)).collect();
    (points::shares(found.into_iter().map(|(place, of)| (place, (of.part, of.whole))).collect()), people)
}

/// Contacts for each hundred active customers.
#[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
fn rate(place: Place, contacts: &BTreeMap<Place, i64>, active: i64) -> Row {
    let contacts = contacts.get(&place).copied().unwrap_or(0);
    let rate = Rate { events: contacts as f64, exposed: active as f64, per: 100.0 };
    Row::new(place, Part::new(String::new(), Figure::Rate(rate, active)))
}

/// The texts in which nothing could be read, beside those in which something was.
const fn unread(family: Family) -> Option<Family> {
    match family {
        Family::Texts => Some(Family::UnreadTexts),
        Family::TextsByTopic => Some(Family::UnreadTextsByTopic),
        _ => None,
    }
}
