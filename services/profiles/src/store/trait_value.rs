//! The traits of customers in columns of their kind: what the sieve of a search asks. What it lets through is decided on by
//! the profile itself. Texts are cut, and compared as such: nothing that matches is left out for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_conditions::{Comparison, Constant, Kind, Sieve, SieveSchema};
use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{CustomerId, Fault};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait as _};
use sea_orm::{Condition, QuerySelect as _, QueryTrait as _};

use super::candidates::{Leaf, Test};
use super::{CHUNK, delete_customers, profile};
use crate::domain::profile::Profile;
use crate::domain::value::Value as Held;

/// How much of a text is kept here, in characters.
const TEXT: usize = 128;

#[sea_orm::model]
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trait_value")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// 0; of the further texts of a list 1, 2, …
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i32,
    pub number: Option<f64>,
    pub text: Option<String>,
    pub instant: Option<i64>,
    pub flag: Option<bool>,
    /// One text of a list.
    pub item: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The row holds personal data: it prints its id only.
        f.debug_struct("TraitValue").field("customer_id", &self.customer_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ModelEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TraitValue")
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

/// The rows of a trait.
fn rows(tenant: Uuid, customer: CustomerId, name: &str, value: &Held) -> Vec<Model> {
    let customer_id = customer.uuid();
    let row = |place: i32| Model {
        tenant,
        customer_id,
        name: name.to_owned(),
        place,
        number: None,
        text: None,
        instant: None,
        flag: None,
        item: None,
    };
    match value {
        Held::Bool(flag) => vec![Model { flag: Some(*flag), ..row(0) }],
        Held::Number(number) => vec![Model { number: Some(number.get()), ..row(0) }],
        Held::Text(text) => vec![Model { text: Some(cut(text)), ..row(0) }],
        Held::Time(at) => vec![Model { instant: Some(at.micros()), ..row(0) }],
        Held::List(texts) if texts.is_empty() => vec![row(0)],
        Held::List(texts) => (0..).zip(texts).map(|(at, text)| Model { item: Some(cut(text)), ..row(at) }).collect(),
    }
}

/// What is held of customers: the rows of each trait, in their places.
pub(super) type Rows = BTreeMap<(Uuid, String), Vec<Model>>;

const PUT: Bulk = Bulk {
    table: "trait_value",
    columns: &["tenant", "customer_id", "name", "place", "number", "text", "instant", "flag", "item"],
    suffix: "ON CONFLICT (tenant, customer_id, name, place) DO UPDATE SET number = excluded.number, text = \
             excluded.text, instant = excluded.instant, flag = excluded.flag, item = excluded.item",
};

/// Sets the rows of customers, of whom these are held: writes what differs.
pub(super) async fn set(tx: &Tx, live: &[Arc<Profile>], mut held: Rows) -> Result<(), Fault> {
    let tenant = tx.tenant().uuid();
    let (mut added, mut gone) = (Vec::new(), BTreeMap::<Uuid, Vec<String>>::new());
    for profile in live {
        for (name, said) in &profile.traits {
            let wanted = rows(tenant, profile.customer, name, &said.value);
            match held.remove(&(profile.customer.uuid(), name.clone())) {
                Some(before) if before == wanted => continue,
                // The others are written over.
                Some(before) if before.len() > wanted.len() => {
                    gone.entry(profile.customer.uuid()).or_default().push(name.clone());
                }
                Some(_) | None => {}
            }
            added.extend(wanted);
        }
    }
    for (customer, name) in held.into_keys() {
        gone.entry(customer).or_default().push(name);
    }
    for (customer, names) in gone {
        for some in names.chunks(CHUNK) {
            let those = Column::Tenant.eq(tenant).and(Column::CustomerId.eq(customer));
            let those = those.and(Column::Name.is_in(some.iter().map(String::as_str)));
            Entity::delete_many().filter(those).exec(tx.conn()).await.stored()?;
        }
    }
    let columns = vec![
        Values::same_id(tenant, added.len()),
        Values::Ids(added.iter().map(|row| row.customer_id).collect()),
        Values::Texts(added.iter().map(|row| row.name.clone()).collect()),
        Values::Numbers(added.iter().map(|row| i64::from(row.place)).collect()),
        Values::MaybeReals(added.iter().map(|row| row.number).collect()),
        Values::MaybeTexts(added.iter().map(|row| row.text.clone()).collect()),
        Values::MaybeNumbers(added.iter().map(|row| row.instant).collect()),
        Values::MaybeFlags(added.iter().map(|row| row.flag).collect()),
        Values::MaybeTexts(added.iter().map(|row| row.item.clone()).collect()),
    ];
    PUT.insert(tx.conn(), columns).await
}

/// Deletes the rows of customers; answers how many there were.
pub async fn delete(tx: &Tx, customers: &[CustomerId]) -> Result<u64, Fault> {
    delete_customers(tx, "trait_value", customers).await
}

/// What the conditions of searches read that columns hold.
#[must_use]
pub fn schema() -> SieveSchema {
    let kinds = [Kind::Number, Kind::Text, Kind::Time, Kind::Bool, Kind::List];
    let schema = SieveSchema::new().keys(&["traits"], &kinds).keys(&["customer", "traits"], &kinds);
    ["create_time", "update_time"]
        .into_iter()
        .fold(schema, |schema, name| schema.path(&[name], &[Kind::Time]).path(&["customer", name], &[Kind::Time]))
}

/// A sieve as a test on profiles; `None`: it lets all through. What no column tells is let through.
pub(super) fn test(rx: &Rx, sieve: &Sieve) -> Option<Test> {
    match sieve {
        Sieve::True | Sieve::Lacks { .. } => None,
        Sieve::False => Some(Test::Any(Vec::new())),
        Sieve::And(parts) => {
            let parts: Vec<Test> = parts.iter().filter_map(|part| test(rx, part)).collect();
            (!parts.is_empty()).then_some(Test::All(parts))
        }
        Sieve::Or(parts) => Some(Test::Any(parts.iter().map(|part| test(rx, part)).collect::<Option<_>>()?)),
        Sieve::Compare { path, how, value } => match (name(path)?, value) {
            (Name::Time(column), Constant::Time(at)) => {
                let is = Expr::col((profile::Entity, column)).binary(binary(*how), Expr::value(at.micros()));
                Some(Test::One(Box::new(Leaf::of_profiles(rx, Condition::all().add(is)))))
            }
            (Name::Time(_), _) => None,
            (Name::Trait(name), value) => {
                Some(of_trait(rx, name, compare(*how, value), matches!(how, Comparison::Equal)))
            }
        },
        Sieve::In { path, values } => {
            let Name::Trait(name) = name(path)? else { return None };
            let any =
                values.iter().map(|value| compare(Comparison::Equal, value)).fold(Condition::any(), Condition::add);
            Some(of_trait(rx, name, any, false))
        }
        Sieve::Holds { path, value } => match (name(path)?, value) {
            (Name::Trait(name), Constant::Text(text)) => {
                Some(of_trait(rx, name, Condition::all().add(Column::Item.eq(cut(text))), true))
            }
            _ => None,
        },
        Sieve::Has { path, .. } => match name(path)? {
            Name::Trait(name) => Some(of_trait(rx, name, Condition::all(), false)),
            Name::Time(_) => None,
        },
    }
}

/// What a path of a condition names.
enum Name<'a> {
    Trait(&'a str),
    Time(profile::Column),
}

fn name(path: &[String]) -> Option<Name<'_>> {
    let path = if path.first().is_some_and(|first| first == "customer") { &path[1..] } else { path };
    match path {
        [of, name] if of == "traits" => Some(Name::Trait(name)),
        [name] if name == "create_time" => Some(Name::Time(profile::Column::CreatedAt)),
        [name] if name == "update_time" => Some(Name::Time(profile::Column::UpdatedAt)),
        _ => None,
    }
}

/// The customers of whom a row of a trait is so.
fn of_trait(rx: &Rx, name: &str, is: Condition, in_order: bool) -> Test {
    let query = Entity::find().select_only().column(Column::CustomerId);
    let query = query.filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::Name.eq(name)).filter(is);
    Test::One(Box::new(Leaf::new(query.into_query(), (Entity, Column::CustomerId), in_order)))
}

fn compare(how: Comparison, value: &Constant) -> Condition {
    let compared = match value {
        Constant::Number(number) => Expr::col(Column::Number).binary(binary(how), Expr::value(*number)),
        Constant::Time(at) => Expr::col(Column::Instant).binary(binary(how), Expr::value(at.micros())),
        Constant::Bool(flag) => Expr::col(Column::Flag).binary(binary(how), Expr::value(*flag)),
        Constant::Text(text) => {
            // Of texts that are cut alike nothing is known but that.
            let how = match how {
                Comparison::Equal => BinOper::Equal,
                Comparison::NotEqual => return Condition::all().add(Column::Text.is_not_null()),
                Comparison::Less | Comparison::LessOrEqual => BinOper::SmallerThanOrEqual,
                Comparison::Greater | Comparison::GreaterOrEqual => BinOper::GreaterThanOrEqual,
            };
            Expr::col(Column::Text).binary(how, Expr::value(cut(text)))
        }
    };
    Condition::all().add(compared)
}

const fn binary(how: Comparison) -> BinOper {
    match how {
        Comparison::Equal => BinOper::Equal,
        Comparison::NotEqual => BinOper::NotEqual,
        Comparison::Less => BinOper::SmallerThan,
        Comparison::LessOrEqual => BinOper::SmallerThanOrEqual,
        Comparison::Greater => BinOper::GreaterThan,
        Comparison::GreaterOrEqual => BinOper::GreaterThanOrEqual,
    }
}
