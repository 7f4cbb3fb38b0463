//! Any order of the same statements, told once or several times, on either engine, makes the same profiles.

use rapport_data::Engine;

use crate::ground::*;
use crate::imports::Dice;
use crate::lives::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_whatever_order_and_however_often_it_is_told_the_same_is_seen_on_both_engines() {
    let (sqlite, postgres) = (Ground::new(Engine::Sqlite).await, Ground::new(Engine::Postgres).await);
    for seed in seeds(4) {
        let mut dice = Dice(seed * 7_919 + 1);
        let straight: Vec<Told> = (0..45).map(|_| told(&mut dice, true)).collect();
        let order: Vec<usize> = (0..RECORDS).collect();
        let first = World::new(&sqlite, &order).await;
        for one in straight.clone() {
            first.hear(one).await;
        }
        for ground in [&sqlite, &postgres] {
            let mut again: Vec<Told> = [straight.clone(), straight[..15].to_vec()].concat();
            let mut order = order.clone();
            dice.shuffle(&mut again);
            dice.shuffle(&mut order);
            let other = World::new(ground, &order).await;
            for one in again {
                other.hear(one).await;
            }
            alike(&format!("seed {seed}"), &first, &other).await;
        }
    }
}
