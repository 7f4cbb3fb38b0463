//! A question: one metric over a period, cut and grouped. What the catalogue does not have is refused here.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{Fault, Reason, Timestamp, Violations};

use super::catalogue::Metric;
use super::cuts::{Grain, Period};
use super::dimensions::{Axis, Dimension};
use super::facts::Family;
use super::filter::Filter;
use super::reckoning::{Declared, Reckoning, Transfers};

/// How many cuts one answer holds at most.
pub const MOST_CUTS: i64 = 10_000;

/// How repeat purchases are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Each purchase.
    Purchases,
    /// Each day (UTC) with a purchase.
    PurchaseDays,
}

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which metric.
    pub metric: Metric,
    /// By when things occurred; `None`: all time.
    pub period: Option<Period>,
    /// How the period is cut; `None`: not.
    pub grain: Option<Grain>,
    /// What to group by.
    pub axes: Vec<Axis>,
    /// Which facts count; `None`: all.
    pub filter: Option<Filter>,
    /// The period to compare with.
    pub compare_to: Option<Period>,
    /// The group to compare with: values along some of the axes, by their names.
    pub compare_to_group: BTreeMap<String, String>,
    /// The level of intervals and tests.
    pub level: f64,
    /// How repeat purchases are counted; `None`: the metric's default.
    pub counting: Option<Counting>,
    /// Whether only each customer's latest response counts.
    pub latest_per_customer: bool,
    /// Within how many microseconds things must stay quiet; `None`: seven days.
    pub window: Option<i64>,
    /// What becomes of transferred contacts; `None`: they fail.
    pub transfers: Option<Transfers>,
    /// As of when it is told what is mature.
    pub at: Timestamp,
}

/// Within how long things must stay quiet where nothing else is declared: seven days.
const WINDOW: i64 = 7 * 86_400_000_000;

impl Question {
    /// Whether the catalogue can answer it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with reason UNSUPPORTED_QUERY; the details name each field that asks too much.
    pub fn check(&self) -> Result<(), Fault> {
        let mut violations = Violations::new();
        self.check_dimensions(&mut violations);
        match (self.grain, self.period) {
            (Some(_), None) => {
                violations.add("grain", "query.grain", "needs a period: all time cannot be cut");
            }
            (Some(grain), Some(period)) if grain.count(period) > MOST_CUTS => {
                let text = format!("the period has more than {MOST_CUTS} cuts: choose a coarser grain");
                violations.add("grain", "query.grain", text);
            }
            (Some(_) | None, _) => {}
        }
        if self.compare_to.is_some() && self.grain.is_some() {
            violations.add("compare_to", "query.compare_to", "needs grain unspecified");
        }
        self.check_options(&mut violations);
        unsupported(violations)
    }

    fn check_options(&self, violations: &mut Violations) {
        let reckoning = self.metric.reckoning();
        if self.counting.is_some() && reckoning != Reckoning::Repeats {
            violations.add("counting", "query.counting", "is for repeat_customer_share alone");
        }
        if self.latest_per_customer && !self.metric.is_answered() {
            let text = "is for what customers answer alone, as nps";
            violations.add("latest_per_customer", "query.latest_per_customer", text);
        }
        if self.window.is_some() && !reckoning.matures() {
            violations.add("window", "query.window", "is for fcr_operational, fcr_ticket and reopen_rate alone");
        }
        if self.transfers.is_some() && !reckoning.sees_transfers() {
            violations.add("transfers", "query.transfers", "is for fcr_operational and fcr_ticket alone");
        }
        if self.compare_to.is_some() && !self.compare_to_group.is_empty() {
            let text = "a point is compared with one other: a period or a group";
            violations.add("compare_to_group", "query.compare_to", text);
        }
        for name in self.compare_to_group.keys() {
            if !self.axes.iter().any(|axis| axis.name() == *name) {
                let text = format!("{name} is not grouped by: group_by must name it");
                violations.add("compare_to_group", "query.compare_to", text);
            }
        }
    }

    /// Whether those who work for the company count: what feedback tells of is customers', leads' and partners' unless the
    /// question itself names the party.
    #[must_use]
    pub fn counts_employees(&self) -> bool {
        !self.metric.is_of_outsiders() || self.names(Dimension::Party)
    }

    /// Whether it groups or filters by a dimension.
    fn names(&self, dimension: Dimension) -> bool {
        self.axes.contains(&Axis::Dimension(dimension))
            || self.filter.as_ref().is_some_and(|filter| filter.dimensions().any(|read| read == dimension))
    }

    /// Which facts it counts.
    #[must_use]
    pub fn family(&self) -> Family {
        let entry = self.metric.entry();
        entry.by_topic.filter(|_| self.names(Dimension::Topic)).unwrap_or(entry.family)
    }

    /// What the caller declares of contacts.
    #[must_use]
    pub fn declared(&self) -> Declared {
        Declared { window: self.window.unwrap_or(WINDOW), transfers: self.transfers.unwrap_or(Transfers::Fail) }
    }

    /// What of a period is old enough to tell, and what is not yet; all of it is where nothing has to stay quiet.
    #[must_use]
    pub fn matured(&self, period: Option<Period>) -> (Option<Period>, Option<Period>) {
        let period = period.unwrap_or(Period::ALL);
        if !self.metric.reckoning().matures() {
            return (Some(period), None);
        }
        // What happened the window ago is mature: the part before the instant after it.
        let last = self.at.micros().saturating_sub(self.declared().window);
        period.parted(Timestamp::from_column(last.saturating_add(1)))
    }

    /// Whether points of fewer customers than a threshold are withheld. Counts and sums of everything, cut by time alone, are the tenant's
    /// books and tell nobody apart: they are answered whatever they rest on.
    #[must_use]
    pub fn withholds(&self, threshold: i64) -> bool {
        let books = matches!(self.metric.reckoning(), Reckoning::Count | Reckoning::Sums | Reckoning::Customers);
        threshold > 1 && (!books || !self.axes.is_empty() || self.filter.is_some())
    }

    /// Whether it names traits.
    #[must_use]
    pub fn reads_traits(&self) -> bool {
        self.axes.iter().any(|axis| matches!(axis, Axis::Trait(_)))
            || self.filter.as_ref().is_some_and(|filter| filter.traits().next().is_some())
    }

    /// Whether the traits it names are among those that are declared as dimensions.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with reason UNSUPPORTED_QUERY.
    pub fn check_traits(&self, declared: &BTreeSet<String>) -> Result<(), Fault> {
        let mut violations = Violations::new();
        let text =
            |name: &str| format!("no trait {name} is declared as a metric dimension: CreateTraitDefinition does");
        for (place, axis) in self.axes.iter().enumerate() {
            match axis {
                Axis::Trait(name) if !declared.contains(name) => {
                    violations.add(format!("group_by[{place}]"), "query.dimension", text(name));
                }
                Axis::Trait(_) | Axis::Dimension(_) => {}
            }
        }
        for name in self.filter.iter().flat_map(Filter::traits).filter(|name| !declared.contains(*name)) {
            violations.add("filter", "query.dimension", text(name));
        }
        unsupported(violations)
    }

    fn check_dimensions(&self, violations: &mut Violations) {
        let offered = self.metric.entry().dimensions;
        let names = || offered.iter().map(|dimension| dimension.name()).collect::<Vec<_>>().join(", ");
        for (place, axis) in self.axes.iter().enumerate() {
            if let Axis::Dimension(dimension) = axis
                && !offered.contains(dimension)
            {
                let text = format!("{} has no such dimension; it has {}, and traits", self.metric.name(), names());
                violations.add(format!("group_by[{place}]"), "query.dimension", text);
            }
        }
        let read = self.filter.iter().flat_map(Filter::dimensions);
        for dimension in read.filter(|dimension: &Dimension| !offered.contains(dimension)) {
            let text = format!("{} has no dimension {}; it has {}", self.metric.name(), dimension.name(), names());
            violations.add("filter", "query.dimension", text);
        }
    }
}

/// A refusal of what the catalogue does not have; nothing where there are no violations.
///
/// # Errors
/// INVALID_ARGUMENT with reason UNSUPPORTED_QUERY.
pub fn unsupported(violations: Violations) -> Result<(), Fault> {
    violations.check().map_err(|mut fault| {
        fault.reason = Reason::UnsupportedQuery;
        fault
    })
}
