//! The queries behind figures. Groups are worked out beforehand, for each set of dimensions; a statement is told which set
//! is in which group (`member`), cuts time by arithmetic, and adds up. One statement for each figure: what it sees is of
//! one instant.

use std::collections::BTreeMap;

use rapport_data::{Engine, Rx, Stored as _};
use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, QueryResult, Value};

use super::record::LIVE;
use super::{sql, unreadable};
use crate::domain::cells::{Amount, Tally};
use crate::domain::cuts::{Grain, Period};
use crate::domain::facts::Family;
use crate::domain::grouping::Grouping;
use crate::domain::points::{Place, Spotted};
use crate::domain::question::Counting;
use crate::domain::reckoning::{Declared, Transfers};
use crate::domain::slots::TRANSFERRED;

/// What all queries of a question have in common.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The family of facts.
    pub family: Family,
    /// The period; `None`: all time.
    pub period: Option<Period>,
    /// How it is cut.
    pub grain: Option<Grain>,
    /// Which facts are in which group.
    pub grouping: &'a Grouping,
    /// Whether contacts that went from one to another do not count at all.
    pub untransferred: bool,
    /// Whether those who work for the company count.
    pub employees: bool,
}

/// Who counts among the customers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Customers {
    /// All with a fact.
    All,
    /// Those who bought; a part of them twice or more.
    Buyers(Counting),
}

/// What facts add up to: from cells, and from facts where a period begins or ends within an hour.
///
/// # Errors
/// Where the database fails.
pub async fn tallies(rx: &Rx, scope: Scope<'_>) -> Result<BTreeMap<Place, Tally>, Fault> {
    let mut query = Query::new(rx, scope);
    let (hours, ends) = scope.period.map_or((i64::MIN..i64::MAX, Vec::new()), Period::split);
    let mut parts = Vec::new();
    if !hours.is_empty() {
        let (from, to) = (query.bind(hours.start), query.bind(hours.end));
        parts.push(query.select(
            ("cell", ""),
            "series, slot, facts, units, micros",
            &format!("hour >= {from} AND hour < {to}"),
        ));
    }
    for end in ends {
        let within = query.within(end);
        let columns = "series, slot, CAST(1 AS BIGINT) AS facts, micros / 1000000 AS units, micros % 1000000 AS micros";
        parts.push(query.select(("fact", ""), columns, &format!("state = {LIVE} AND {within}")));
    }
    let text = format!(
        "SELECT place, cut, series, slot, CAST(SUM(facts) AS BIGINT) AS facts, CAST(SUM(units) AS BIGINT) AS units, \
         CAST(SUM(micros) AS BIGINT) AS micros FROM ({}) AS part GROUP BY place, cut, series, slot",
        parts.join(" UNION ALL ")
    );
    query.tally(&text).await
}

/// What each customer's latest fact in each group, cut and series adds up to. The order is by when they occurred, then by id.
///
/// # Errors
/// Where the database fails.
pub async fn latest(rx: &Rx, scope: Scope<'_>) -> Result<BTreeMap<Place, Tally>, Fault> {
    let mut query = Query::new(rx, scope);
    let facts = query.facts_of_customers("series, slot, occurred_at, id, line", "");
    let text = format!(
        "SELECT place, cut, series, slot, COUNT(*) AS facts, CAST(0 AS BIGINT) AS units, CAST(0 AS BIGINT) AS micros FROM \
         (SELECT place, cut, series, slot, ROW_NUMBER() OVER (PARTITION BY place, cut, series, customer \
         ORDER BY occurred_at DESC, id DESC, line DESC) AS nth FROM ({facts}) AS mine) AS ranked WHERE nth = 1 \
         GROUP BY place, cut, series, slot"
    );
    query.tally(&text).await
}

/// How many customers came back, and how many there are.
///
/// # Errors
/// Where the database fails.
pub async fn customers(rx: &Rx, scope: Scope<'_>, who: Customers) -> Result<BTreeMap<Place, (i64, i64)>, Fault> {
    let mut query = Query::new(rx, scope);
    let day = Grain::Day.expression();
    let (only, came_back) = match who {
        Customers::All => ("", "COUNT(*) > 1"),
        Customers::Buyers(Counting::Purchases) => (" AND purchase", "COUNT(*) > 1"),
        Customers::Buyers(Counting::PurchaseDays) => (" AND purchase", "MIN(day) < MAX(day)"),
    };
    let facts = query.facts_of_customers(&format!("{day} AS day"), only);
    let text = format!(
        "SELECT place, cut, COUNT(*) AS whole, CAST(SUM(repeats) AS BIGINT) AS part FROM \
         (SELECT place, cut, customer, CASE WHEN {came_back} THEN 1 ELSE 0 END AS repeats FROM ({facts}) AS mine \
         GROUP BY place, cut, customer) AS people GROUP BY place, cut"
    );
    let mut shares = BTreeMap::new();
    for row in query.rows(&text).await? {
        shares.insert(place(&row)?, (row.try_get("", "part").stored()?, row.try_get("", "whole").stored()?));
    }
    Ok(shares)
}

/// How many customers have a fact of either of two families.
///
/// # Errors
/// Where the database fails.
pub async fn customers_of(rx: &Rx, scope: Scope<'_>, other: Family) -> Result<BTreeMap<Place, i64>, Fault> {
    let mut query = Query::new(rx, scope);
    let one = query.facts_of_customers("1 AS one", "");
    query.family = query.bind(other.column());
    let two = query.facts_of_customers("1 AS one", "");
    let text = format!(
        "SELECT place, cut, COUNT(DISTINCT customer) AS whole FROM ({one} UNION ALL {two}) AS mine GROUP BY place, cut"
    );
    counted(&query.rows(&text).await?, "whole")
}

/// How many facts there are.
///
/// # Errors
/// Where the database fails.
pub async fn facts(rx: &Rx, scope: Scope<'_>) -> Result<BTreeMap<Place, i64>, Fault> {
    Ok(tallies(rx, scope).await?.into_iter().map(|(place, tally)| (place, tally.count())).collect())
}

/// How many of how many, and of how many customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parted {
    /// How many there are.
    pub whole: i64,
    /// How many of them are meant.
    pub part: i64,
    /// Of how many customers they are.
    pub people: i64,
}

/// First contacts, and those that were not followed by another on the issue. All contacts on the issue are looked at,
/// whatever the period and groups; two at one instant are one.
///
/// # Errors
/// Where the database fails.
pub async fn first_contacts(rx: &Rx, scope: Scope<'_>, declared: Declared) -> Result<BTreeMap<Place, Parted>, Fault> {
    let mut query = Query::new(rx, scope);
    let window = query.bind(declared.window);
    let near = |when: &str| {
        format!(
            "EXISTS (SELECT 1 FROM fact AS near WHERE near.tenant = $1 AND near.thread = counted.thread \
             AND near.state = {LIVE} AND near.family = $2 AND {when})"
        )
    };
    let first = format!(
        " AND NOT {}",
        near(&format!("near.occurred_at < counted.occurred_at AND near.occurred_at >= counted.occurred_at - {window}"))
    );
    let again =
        near(&format!("near.occurred_at > counted.occurred_at AND near.occurred_at <= counted.occurred_at + {window}"));
    let failed = match declared.transfers {
        Transfers::Fail => format!("slot = '{TRANSFERRED}' OR {again}"),
        Transfers::Allow | Transfers::LeaveOut => again,
    };
    // Tickets that were opened by one contact on one issue tell of it once.
    let columns = format!("counted.thread, occurred_at, CASE WHEN {failed} THEN 1 ELSE 0 END AS failed");
    let facts = query.facts_of_customers(&columns, &first);
    let text = format!(
        "SELECT place, cut, COUNT(*) AS whole, CAST(SUM(1 - failed) AS BIGINT) AS part, \
         COUNT(DISTINCT customer) AS people FROM (SELECT place, cut, thread, occurred_at, customer, \
         MAX(failed) AS failed FROM ({facts}) AS mine GROUP BY place, cut, thread, occurred_at, customer) AS contacts \
         GROUP BY place, cut"
    );
    query.parts(&text).await
}

/// Invitations that were delivered, and those that were answered; of a channel on which no delivery was told, all that were
/// sent.
///
/// # Errors
/// Where the database fails.
pub async fn invitations(rx: &Rx, scope: Scope<'_>) -> Result<BTreeMap<Place, Parted>, Fault> {
    let mut query = Query::new(rx, scope);
    let facts = query.facts_of_customers("series, slot", "");
    let text = format!(
        "SELECT place, cut, COUNT(*) AS whole, CAST(SUM(CASE WHEN slot LIKE 'y%' THEN 1 ELSE 0 END) AS BIGINT) AS part, \
         COUNT(DISTINCT customer) AS people FROM (SELECT place, cut, customer, slot, \
         MAX(CASE WHEN slot LIKE '%d' THEN 1 ELSE 0 END) OVER (PARTITION BY place, cut, series) AS told \
         FROM ({facts}) AS mine) AS asked WHERE told = 0 OR slot <> 's' GROUP BY place, cut"
    );
    query.parts(&text).await
}

/// Leaves out contacts, and solutions, of tickets that went from one to another: their slots say so.
const UNTRANSFERRED: &str = " AND slot <> 't' AND slot NOT LIKE '%\"t\":true%'";

/// Leaves out what is of those who work for the company.
const OUTSIDERS: &str = " AND counted.dimensions NOT IN (SELECT id FROM dimension_set WHERE tenant = $1 AND employee)";

/// How many customers each group and cut rests on: by series where `by_series` says so, else together.
///
/// # Errors
/// Where the database fails.
pub async fn people(rx: &Rx, scope: Scope<'_>, by_series: bool) -> Result<BTreeMap<Spotted, i64>, Fault> {
    let mut query = Query::new(rx, scope);
    let series = if by_series { "series" } else { "'' AS series" };
    let facts = query.facts_of_customers(series, "");
    let text = format!(
        "SELECT place, cut, series, COUNT(DISTINCT customer) AS people FROM ({facts}) AS mine GROUP BY place, cut, series"
    );
    let mut people = BTreeMap::new();
    for row in query.rows(&text).await? {
        let series: String = row.try_get("", "series").stored()?;
        people.insert((place(&row)?, series), row.try_get("", "people").stored()?);
    }
    Ok(people)
}

/// A statement in the making: its values, and what every part of it repeats.
pub(super) struct Query<'a> {
    rx: &'a Rx,
    scope: Scope<'a>,
    values: Vec<Value>,
    /// The mark of the family that is read.
    family: String,
    /// Tells which set of dimensions is in which group; empty where all facts are in one.
    with: String,
}

impl<'a> Query<'a> {
    pub(super) fn new(rx: &'a Rx, scope: Scope<'a>) -> Self {
        let values = vec![Value::from(rx.tenant().uuid()), Value::from(scope.family.column())];
        let mut query = Self { rx, scope, values, family: "$2".to_owned(), with: String::new() };
        if let Grouping::Groups { members, .. } = scope.grouping {
            let members = members.iter().map(|(set, group)| format!("[\"{}\",{group}]", set.simple()));
            let mark = query.bind(format!("[{}]", members.collect::<Vec<_>>().join(",")));
            let rows = match rx.engine() {
                Engine::Sqlite => format!("SELECT unhex(value ->> 0), value ->> 1 FROM json_each({mark})"),
                Engine::Postgres => format!(
                    "SELECT (value ->> 0)::uuid, (value ->> 1)::bigint FROM jsonb_array_elements({mark}::jsonb)"
                ),
            };
            query.with = format!("WITH member (set_id, place) AS MATERIALIZED ({rows}) ");
        }
        query
    }

    /// Binds a value; answers its mark.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn within(&mut self, period: Period) -> String {
        let (start, end) = (self.bind(period.start.micros()), self.bind(period.end.micros()));
        format!("occurred_at >= {start} AND occurred_at < {end}")
    }

    /// The place, the cut and columns of the rows that count. The table comes before `member`, and stays there (CROSS
    /// JOIN binds SQLite's planner): the period's index leads.
    fn select(&self, (table, join): (&str, &str), columns: &str, only: &str) -> String {
        let cut = self.scope.grain.map_or_else(|| "CAST(0 AS BIGINT)".to_owned(), Grain::expression);
        let (place, member, on) = if self.with.is_empty() {
            ("CAST(0 AS BIGINT)", "", "")
        } else {
            ("member.place", " CROSS JOIN member", " AND member.set_id = counted.dimensions")
        };
        format!(
            "SELECT {place} AS place, {cut} AS cut, {columns} FROM {table} AS counted{member}{join} \
             WHERE counted.tenant = $1 AND counted.family = {} AND {only}{on}{}{}",
            self.family,
            if self.scope.untransferred { UNTRANSFERRED } else { "" },
            if self.scope.employees { "" } else { OUTSIDERS }
        )
    }

    /// The facts that count, each with the customer whose it is now.
    pub(super) fn facts_of_customers(&mut self, columns: &str, only: &str) -> String {
        let within = self.scope.period.map_or_else(|| "1 = 1".to_owned(), |period| self.within(period));
        let customer = "COALESCE(link.customer_id, counted.subject_id) AS customer";
        let link =
            " LEFT JOIN subject_link AS link ON link.tenant = counted.tenant AND link.subject_id = counted.subject_id";
        self.select(("fact", link), &format!("{customer}, {columns}"), &format!("state = {LIVE} AND {within}{only}"))
    }

    pub(super) async fn rows(self, text: &str) -> Result<Vec<QueryResult>, Fault> {
        let statement = sql(self.rx.conn(), format!("{}{text}", self.with), self.values);
        self.rx.conn().query_all_raw(statement).await.stored()
    }

    async fn parts(self, text: &str) -> Result<BTreeMap<Place, Parted>, Fault> {
        let mut found = BTreeMap::new();
        for row in self.rows(text).await? {
            let [whole, part, people] = ["whole", "part", "people"].map(|column| row.try_get("", column).stored());
            found.insert(place(&row)?, Parted { whole: whole?, part: part?, people: people? });
        }
        Ok(found)
    }

    async fn tally(self, text: &str) -> Result<BTreeMap<Place, Tally>, Fault> {
        let mut tallies: BTreeMap<Place, Tally> = BTreeMap::new();
        for row in self.rows(text).await? {
            let (series, slot) = (row.try_get("", "series").stored()?, row.try_get("", "slot").stored()?);
            let amount = Amount {
                count: row.try_get("", "facts").stored()?,
                units: row.try_get("", "units").stored()?,
                micros: row.try_get("", "micros").stored()?,
            };
            tallies.entry(place(&row)?).or_default().add(series, slot, amount);
        }
        Ok(tallies)
    }
}

fn counted(rows: &[QueryResult], column: &str) -> Result<BTreeMap<Place, i64>, Fault> {
    rows.iter().map(|row| Ok((place(row)?, row.try_get("", column).stored()?))).collect()
}

fn place(row: &QueryResult) -> Result<Place, Fault> {
    let group: i64 = row.try_get("", "place").stored()?;
    let cut: i64 = row.try_get("", "cut").stored()?;
    Ok((usize::try_from(group).map_err(|_| unreadable("member"))?, cut))
}
