//! Other people with other traits: German, Russian and Persian names, addresses of mail and companies, three traits or
//! two; and what there is little to learn from. With the defaults, without labels, through the customary names alone.

use crate::people::Random;
use crate::quality::{Outcome, outcome};
use rapport_matching::pairs::Blocked;
use rapport_matching::record::PreparedRecord;
use rapport_matching::score::{Scorer, probability};
use rapport_matching::settings::{Schema, Settings};
use rapport_matching::train::{Options, Untrainable, train};

/// Given names, surnames and towns of one language.
type Language = [&'static [&'static str]; 3];

const GERMAN: Language = [
    &[
        "Anna", "Jürgen", "Käthe", "Björn", "Sabine", "Günther", "Petra", "Jörg", "Klaus", "Uwe", "Sören", "Heike",
        "Ute",
    ],
    &["Müller", "Weiß", "Schäfer", "Krüger", "Köhler", "Großmann", "Fischer", "Wagner", "Becker", "Hofmann", "Lehmann"],
    &["Köln", "München", "Düsseldorf", "Berlin", "Hamburg", "Gießen"],
];
const RUSSIAN: Language = [
    &["Александр", "Мария", "Дмитрий", "Ольга", "Сергей", "Юлия", "Пётр", "Наталья", "Фёдор", "Ирина", "Анастасия"],
    &["Иванов", "Смирнов", "Кузнецов", "Попов", "Щербаков", "Журавлёв", "Хохлов", "Цветков", "Морозов", "Соколов"],
    &["Москва", "Казань", "Самара", "Омск", "Пермь", "Уфа"],
];
const PERSIAN: Language = [
    &["محمد", "فاطمه", "علی", "زهرا", "حسین", "مریم", "رضا", "سارا", "مهدی", "نرگس", "کاوه", "شیرین"],
    &["محمدی", "حسینی", "احمدی", "کریمی", "رضایی", "موسوی", "جعفری", "یزدانی", "طاهری", "میرزایی"],
    &["تهران", "مشهد", "اصفهان", "شیراز", "تبریز", "کرج"],
];

/// What a record may state: name, value.
type Values = Vec<(&'static str, String)>;

fn pick(random: &mut Random, of: &[&str]) -> String {
    of[random.skewed(of.len() as u64) as usize].to_owned()
}

/// A syllable made of its number: names of which there are many.
fn word(random: &mut Random, many: u64) -> String {
    let number = random.skewed(many);
    let letters = [b"bdfgklmnprst".as_slice(), b"aeiou", b"lmnrst", b"aeio", b"nrskt"];
    let mut left = number.wrapping_mul(2_654_435_761) % (12 * 5 * 6 * 4 * 5);
    let mut made = String::new();
    for some in letters {
        made.push(char::from(some[(left % some.len() as u64) as usize]));
        left /= some.len() as u64;
    }
    made
}

fn person(random: &mut Random) -> Values {
    let [given, surname, city] = match random.below(3) {
        0 => GERMAN,
        1 => RUSSIAN,
        _ => PERSIAN,
    };
    vec![
        ("first_name", pick(random, given)),
        ("last_name", pick(random, surname)),
        ("city", pick(random, city)),
        ("birthday", format!("{}-{:02}-{:02}", 1940 + random.below(65), 1 + random.below(12), 1 + random.below(28))),
        ("phone", format!("+49{:09}", random.below(1_000_000_000))),
        ("email", format!("{}{}@mail.example", word(random, 3_000), random.below(100))),
    ]
}

fn contact(random: &mut Random) -> Values {
    let (given, surname) = (word(random, 300), word(random, 3_000));
    let domain = ["mail.example", "post.example"][random.below(2) as usize];
    vec![
        ("full_name", format!("{given} {surname}")),
        ("email", format!("{given}.{surname}{}@{domain}", random.below(100))),
        ("phone", format!("+1{:09}", random.below(1_000_000_000))),
        ("company", format!("{} Inc", word(random, 200))),
    ]
}

fn sparse(random: &mut Random) -> Values {
    let mut all = person(random);
    all.retain(|(name, _)| matches!(*name, "first_name" | "last_name" | "birthday"));
    all[0].1 = word(random, 400);
    all[1].1 = word(random, 3_000);
    all
}

/// The same, typed in again: left out, a letter lost, names in each other's place, a prefix written otherwise.
fn again(values: &Values, random: &mut Random) -> Values {
    let mut values = values.clone();
    if random.chance(4) && values[0].0 == "first_name" {
        let first = std::mem::take(&mut values[0].1);
        values[0].1 = std::mem::replace(&mut values[1].1, first);
    }
    for (name, value) in &mut values {
        match random.below(12) {
            0 => value.clear(),
            1 if value.chars().count() > 3 => {
                let lost = 1 + random.below(value.chars().count() as u64 - 2) as usize;
                *value = value.chars().enumerate().filter(|(at, _)| *at != lost).map(|(_, letter)| letter).collect();
            }
            2 if *name == "phone" => *value = format!("00{}", &value[1..]),
            _ => {}
        }
    }
    values
}

/// About `count` records; so many percent of the people are recorded again, up to three times.
fn made(
    count: usize,
    seed: u64,
    twice: u64,
    one: fn(&mut Random) -> Values,
) -> (Vec<u64>, Vec<PreparedRecord>, Schema) {
    let mut random = Random(seed);
    let (mut ids, mut all) = (Vec::new(), Vec::new());
    for id in 0.. {
        if all.len() >= count {
            break;
        }
        let first = one(&mut random);
        let more = if random.chance(twice) { 1 + random.below(3) } else { 0 };
        let copies: Vec<Values> = (0..more).map(|_| again(&first, &mut random)).collect();
        ids.extend(std::iter::repeat_n(id, copies.len() + 1));
        all.extend(copies.into_iter().chain([first]));
    }
    let names = all[0].iter().map(|(name, _)| *name);
    let schema = Schema::new(Settings::by_name(names)).expect("good settings");
    let ready =
        |values: &Values| PreparedRecord::new(&schema, values.iter().map(|(name, value)| (*name, value.as_str())));
    let records = all.iter().map(ready).collect();
    (ids, records, schema)
}

#[test]
fn people_of_other_languages_and_with_other_traits_are_found_again() {
    for (what, one, precision, recall) in [
        ("three languages", person as fn(&mut Random) -> Values, 0.99, 0.94),
        ("contacts of companies", contact, 0.99, 0.94),
        ("two names and a birthday", sparse, 0.99, 0.7),
    ] {
        let (ids, records, schema) = made(2_000, 31, 30, one);
        let Outcome { found, right, true_pairs } = outcome(&ids, &records, &schema, 0.99);
        println!("{what}: precision {:.4} recall {:.4}", right / found, right / true_pairs);
        assert!(right / found >= precision, "{what}: precision {right} / {found}");
        assert!(right / true_pairs >= recall, "{what}: recall {right} / {true_pairs}");
    }
}

#[test]
fn strangers_stay_apart_however_few_they_are_and_however_common_their_names() {
    for (count, one) in [(50, person as fn(&mut Random) -> Values), (50, sparse), (2_000, person), (2_000, contact)] {
        let (ids, records, schema) = made(count, 32, 0, one);
        let Outcome { found, true_pairs, .. } = outcome(&ids, &records, &schema, 0.99);
        assert_eq!(true_pairs, 0.0);
        assert!(found * 500.0 <= count as f64, "{found} of {count}");
    }
}

#[test]
fn records_that_are_all_alike_teach_nothing_and_break_nothing() {
    for count in [2, 50, 199] {
        let schema = Schema::new(Settings::by_name(["first_name", "last_name", "city"])).expect("good settings");
        let same = PreparedRecord::new(&schema, [("first_name", "Anna"), ("last_name", "Weiß"), ("city", "Köln")]);
        let records = vec![same; count];
        let (model, _) = train(&schema, &records, Options::default()).expect("trained");
        let scorer = Scorer::new(model).expect("usable");
        let all = Blocked::new(&schema, &records, usize::MAX).pairs.len();
        assert_eq!(all, count * (count - 1) / 2);
        assert!(probability(scorer.weight(&records[0], &records[1])).is_finite());
        // More than two hundred of them are compared with nobody: then there is nothing to learn from.
        let crowd = vec![records[0].clone(); 200 + count];
        let refused = train(&schema, &crowd, Options::default()).expect_err("too many");
        assert_eq!(refused, Untrainable::Crowded(200 + count, 200));
    }
    let (_, records, schema) = made(1, 33, 0, person);
    assert_eq!(train(&schema, &records, Options::default()).expect_err("alone"), Untrainable::TooFewRecords);
}
