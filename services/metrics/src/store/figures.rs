//! The queries behind figures. Groups are worked out beforehand, for each set of dimensions; a statement is told which set
//! is in which group (`member`), cuts time by arithmetic, and adds up. One statement for each figure: what it sees is of
//! one instant.

use std::collections::BTreeMap;

use rapport_data::{Engine, Rx, Stored as _};
use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, QueryResult, Value};

use super::fact::LIVE;
use super::{sql, unreadable};
use crate::domain::cells::{Amount, Tally};
use crate::domain::cuts::{Grain, Period};
use crate::domain::facts::{Family, Slot};
use crate::domain::grouping::Grouping;
use crate::domain::points::{Part, Place};
use crate::domain::question::Counting;
use crate::domain::statistics::Share;

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
            "slot, facts, units, micros",
            &format!("hour >= {from} AND hour < {to}"),
        ));
    }
    for end in ends {
        let within = query.within(end);
        let columns = "slot, CAST(1 AS BIGINT) AS facts, micros / 1000000 AS units, micros % 1000000 AS micros";
        parts.push(query.select(("fact", ""), columns, &format!("state = {LIVE} AND {within}")));
    }
    let text = format!(
        "SELECT place, cut, slot, CAST(SUM(facts) AS BIGINT) AS facts, CAST(SUM(units) AS BIGINT) AS units, \
         CAST(SUM(micros) AS BIGINT) AS micros FROM ({}) AS part GROUP BY place, cut, slot",
        parts.join(" UNION ALL ")
    );
    query.tally(&text).await
}

/// What each customer's latest fact in each group and cut adds up to. The order is by when they occurred, then by id.
///
/// # Errors
/// Where the database fails.
pub async fn latest(rx: &Rx, scope: Scope<'_>) -> Result<BTreeMap<Place, Tally>, Fault> {
    let mut query = Query::new(rx, scope);
    let facts = query.facts_of_customers("slot, occurred_at, id", "");
    let text = format!(
        "SELECT place, cut, slot, COUNT(*) AS facts, CAST(0 AS BIGINT) AS units, CAST(0 AS BIGINT) AS micros FROM \
         (SELECT place, cut, slot, ROW_NUMBER() OVER (PARTITION BY place, cut, customer ORDER BY occurred_at DESC, id DESC) \
         AS nth FROM ({facts}) AS mine) AS ranked WHERE nth = 1 GROUP BY place, cut, slot"
    );
    query.tally(&text).await
}

/// How many customers there are, and how many of them came back.
///
/// # Errors
/// Where the database fails.
pub async fn customers(rx: &Rx, scope: Scope<'_>, who: Customers) -> Result<BTreeMap<Place, Share>, Fault> {
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
        let share = Share { part: row.try_get("", "part").stored()?, whole: row.try_get("", "whole").stored()? };
        shares.insert(place(&row)?, share);
    }
    Ok(shares)
}

/// How many customers each group and cut rests on: by currency where `by_currency` says so, else together.
///
/// # Errors
/// Where the database fails.
pub async fn people(rx: &Rx, scope: Scope<'_>, by_currency: bool) -> Result<BTreeMap<Part, i64>, Fault> {
    let mut query = Query::new(rx, scope);
    let slot = if by_currency { "slot" } else { "'' AS slot" };
    let facts = query.facts_of_customers(slot, "");
    let text = format!(
        "SELECT place, cut, slot, COUNT(DISTINCT customer) AS people FROM ({facts}) AS mine GROUP BY place, cut, slot"
    );
    let mut people = BTreeMap::new();
    for row in query.rows(&text).await? {
        let slot: String = row.try_get("", "slot").stored()?;
        let currency = match Slot::from_column(&slot).ok_or_else(|| unreadable("fact"))? {
            Slot::Money(currency) => Some(currency),
            Slot::Plain | Slot::Score(_) => None,
        };
        people.insert((place(&row)?, currency), row.try_get("", "people").stored()?);
    }
    Ok(people)
}

/// A statement in the making: its values, and what every part of it repeats.
struct Query<'a> {
    rx: &'a Rx,
    scope: Scope<'a>,
    values: Vec<Value>,
    /// Tells which set of dimensions is in which group; empty where all facts are in one.
    with: String,
}

impl<'a> Query<'a> {
    fn new(rx: &'a Rx, scope: Scope<'a>) -> Self {
        let values = vec![Value::from(rx.tenant().uuid()), Value::from(scope.family.column())];
        let mut query = Self { rx, scope, values, with: String::new() };
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
    fn bind(&mut self, value: impl Into<Value>) -> String {
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
             WHERE counted.tenant = $1 AND counted.family = $2 AND {only}{on}"
        )
    }

    /// The facts that count, each with the customer whose it is now.
    fn facts_of_customers(&mut self, columns: &str, only: &str) -> String {
        let within = self.scope.period.map_or_else(|| "1 = 1".to_owned(), |period| self.within(period));
        let customer = "COALESCE(link.customer_id, counted.subject_id) AS customer";
        let link =
            " LEFT JOIN subject_link AS link ON link.tenant = counted.tenant AND link.subject_id = counted.subject_id";
        self.select(("fact", link), &format!("{customer}, {columns}"), &format!("state = {LIVE} AND {within}{only}"))
    }

    async fn rows(self, text: &str) -> Result<Vec<QueryResult>, Fault> {
        let statement = sql(self.rx.conn(), format!("{}{text}", self.with), self.values);
        self.rx.conn().query_all_raw(statement).await.stored()
    }

    async fn tally(self, text: &str) -> Result<BTreeMap<Place, Tally>, Fault> {
        let mut tallies: BTreeMap<Place, Tally> = BTreeMap::new();
        for row in self.rows(text).await? {
            let slot: String = row.try_get("", "slot").stored()?;
            let slot = Slot::from_column(&slot).ok_or_else(|| unreadable("cell"))?;
            let amount = Amount {
                count: row.try_get("", "facts").stored()?,
                units: row.try_get("", "units").stored()?,
                micros: row.try_get("", "micros").stored()?,
            };
            tallies.entry(place(&row)?).or_default().add(slot, amount);
        }
        Ok(tallies)
    }
}

fn place(row: &QueryResult) -> Result<Place, Fault> {
    let group: i64 = row.try_get("", "place").stored()?;
    let cut: i64 = row.try_get("", "cut").stored()?;
    Ok((usize::try_from(group).map_err(|_| unreadable("member"))?, cut))
}
