//! Made-up people with families and typing mistakes: skewed names, towns that go with their codes, households that share
//! surname, address and often a telephone. Seeded.

use rapport_matching::record::{PreparedRecord, spread};
use rapport_matching::settings::Schema;

/// The fields of a person.
pub const FIELDS: [&str; 10] =
    ["first_name", "surname", "date_of_birth", "street", "house_number", "city", "postcode", "state", "phone", "email"];

/// One record of somebody.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who it is.
    pub id: u64,
    /// The values of the fields.
    pub values: Vec<String>,
}

impl Person {
    /// Ready to be compared.
    pub fn prepare(&self, schema: &Schema) -> PreparedRecord {
        PreparedRecord::new(schema, FIELDS.into_iter().zip(self.values.iter().map(String::as_str)))
    }
}

/// Numbers from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(spread(self.0)) * u128::from(bound)) >> 64) as u64
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Of `count` values, skewed as names are.
    pub fn skewed(&mut self, count: u64) -> u64 {
        self.below(count).min(self.below(count)).min(self.below(count))
    }
}

fn word(kind: u64, number: u64) -> String {
    let mut random = Random((kind << 40) + number);
    let syllables =
        ["an", "be", "cor", "da", "el", "fin", "ga", "hol", "is", "ja", "ken", "lo", "mar", "ne", "or", "pet"];
    (0..2 + random.below(2)).map(|_| syllables[random.below(16) as usize]).collect()
}

fn phone(random: &mut Random) -> String {
    format!("04{:08}", random.below(100_000_000))
}

/// About `count` records: families of one to four, a tenth of the people recorded again with mistakes.
pub fn make(count: usize, seed: u64) -> Vec<Person> {
    let mut random = Random(seed);
    let mut people = Vec::new();
    let mut id = 0;
    while people.len() < count {
        let town = random.skewed(60);
        let (surname, landline) = (word(2, random.skewed(800)), phone(&mut random));
        let street = format!("{} {}", word(3, random.below(900)), ["street", "road", "lane"][random.below(3) as usize]);
        let house = (1 + random.below(200)).to_string();
        for _ in 0..1 + random.below(4) {
            let first = word(1, random.skewed(300));
            let values = vec![
                first.clone(),
                surname.clone(),
                format!("{}-{:02}-{:02}", 1940 + random.below(70), 1 + random.below(12), 1 + random.below(28)),
                street.clone(),
                house.clone(),
                word(4, town),
                format!("{:04}", spread(town) % 10_000),
                ["nsw", "vic", "qld"][(town % 3) as usize].to_owned(),
                if random.chance(60) { landline.clone() } else { phone(&mut random) },
                format!("{first}{}@mail.example", random.below(1_000)),
            ];
            if random.chance(10) {
                people.push(Person { id, values: again(&values, &mut random) });
            }
            people.push(Person { id, values });
            id += 1;
        }
    }
    people
}

/// The same person, typed in again.
fn again(values: &[String], random: &mut Random) -> Vec<String> {
    let mut values = values.to_vec();
    if random.chance(5) {
        values.swap(0, 1);
    }
    for value in &mut values {
        match random.below(20) {
            0 | 1 => value.clear(),
            2 if value.len() > 2 => {
                value.remove(random.below(value.len() as u64) as usize);
            }
            _ => {}
        }
    }
    values
}
