//! Faults: a bus that loses everything at any moment, and a Redis that is stopped, halted, slow, full or cut off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use rapport_bus::{Bus, BusConfig, Entry, MemoryBus, RedisBus, Subscription, is_lost};
use rapport_harness::{Redis, Wire, shared_redis};
use rapport_kernel::Fault;

const GROUPS: [&str; 2] = ["a", "b"];

/// A relay and its outbox, as small as they can be: what is settled, what was written, and the epoch published in.
struct Relay {
    bus: Arc<dyn Bus>,
    epoch: String,
    written: u64,
    published: u64,
    settled: u64,
}

impl Relay {
    fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, epoch: String::new(), written: 0, published: 0, settled: 0 }
    }

    /// Publishes what is due and notes what is settled, as the relay of an outbox does.
    async fn turn(&mut self) -> Result<(), Fault> {
        let epoch = self.bus.epoch("t", 0).await?;
        if epoch != self.epoch {
            (self.epoch, self.published) = (epoch, self.settled);
        }
        let due = (self.published + 1)..=self.written;
        let entries = due.map(|position| Entry { position, body: Bytes::from(position.to_string()) }).collect();
        let outcome = match self.bus.publish("t", 0, &self.epoch, entries).await {
            Ok(()) => {
                self.published = self.written;
                self.bus.settled("t", 0, &self.epoch, &GROUPS).await
            }
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(position) => self.settled = self.settled.max(position.unwrap_or(0)),
            Err(fault) if is_lost(&fault) => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }
}

/// A group that applies what it gets: how often each position, and whether any came before its predecessor.
struct Group {
    subscription: Box<dyn Subscription>,
    applied: BTreeMap<u64, u32>,
}

impl Group {
    /// Takes a batch; answers whether there was one.
    async fn turn(&mut self, max: usize, commit: bool) -> Result<bool, Fault> {
        let batch = self.subscription.next(max, Duration::ZERO).await?;
        for delivery in &batch {
            let before = delivery.position - 1;
            assert!(before == 0 || self.applied.contains_key(&before), "{} came first", delivery.position);
            assert_eq!(delivery.body, delivery.position.to_string());
            *self.applied.entry(delivery.position).or_default() += 1;
        }
        if let Some(last) = batch.last().filter(|_| commit) {
            self.subscription.commit(last.id).await?;
        }
        Ok(!batch.is_empty())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64),
    Relay,
    RestartRelay,
    Read { group: usize, max: usize, commit: bool },
    CrashReader(usize),
    LoseEverything,
    LoseEntriesOnly,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..6).prop_map(Step::Write),
        4 => Just(Step::Relay),
        1 => Just(Step::RestartRelay),
        5 => (0_usize..2, 1_usize..5, any::<bool>()).prop_map(|(group, max, commit)| Step::Read { group, max, commit }),
        1 => (0_usize..2).prop_map(Step::CrashReader),
        1 => Just(Step::LoseEverything),
        1 => Just(Step::LoseEntriesOnly),
    ]
}

/// Runs the steps, checking after each that what is settled was applied by every group; then lets all come to rest.
async fn play(bus: Arc<dyn Bus>, lose: impl Fn(bool), steps: &[Step]) {
    let mut relay = Relay::new(Arc::clone(&bus));
    let mut groups = GROUPS.map(|name| Group { subscription: bus.subscribe("t", 0, name), applied: BTreeMap::new() });
    let up = "the bus is up";
    for step in steps {
        match step {
            Step::Write(count) => relay.written += count,
            Step::Relay => relay.turn().await.expect(up),
            Step::RestartRelay => (relay.epoch, relay.published) = (String::new(), 0),
            Step::Read { group, max, commit } => drop(groups[*group].turn(*max, *commit).await.expect(up)),
            Step::CrashReader(group) => {
                // It leaves, for the test's sake: a crash that is not told of ends with the lease.
                groups[*group].subscription.leave().await;
                groups[*group].subscription = bus.subscribe("t", 0, GROUPS[*group]);
            }
            Step::LoseEverything => lose(true),
            Step::LoseEntriesOnly => lose(false),
        }
        for group in &groups {
            assert!((1..=relay.settled).all(|position| group.applied.contains_key(&position)), "settled, not applied");
        }
    }
    for _round in 0..3 {
        relay.turn().await.expect(up);
        for group in &mut groups {
            while group.turn(1_000, true).await.expect(up) {}
        }
    }
    relay.turn().await.expect(up);
    assert_eq!(relay.settled, relay.written, "all comes to rest settled");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn config() -> BusConfig {
    BusConfig { prefix: format!("test-{}", uuid::Uuid::now_v7()), ..BusConfig::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_lost_in_memory_nothing_unapplied_is_settled_and_all_is_settled_in_the_end(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let bus = Arc::new(MemoryBus::new(&config()));
        let losing = Arc::clone(&bus);
        runtime().block_on(play(bus, |_| losing.lose_everything(), &steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_lost_in_redis_nothing_unapplied_is_settled_and_all_is_settled_in_the_end(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (config, redis) = (config(), shared_redis());
        let stream = format!("{}:bus:{{t:0}}:stream", config.prefix);
        let state = format!("{}:bus:{{t:0}}:state", config.prefix);
        let lose = |all: bool| {
            redis.command(&if all { vec!["DEL", &stream, &state] } else { vec!["DEL", &stream] });
        };
        let bus = Arc::new(RedisBus::new(&redis.url(), &config).expect("a URL"));
        runtime().block_on(play(bus, lose, &steps));
    }
}

/// Calls until it succeeds; each call must end within `bound`, and each fault must be one that passes.
async fn until_it_succeeds<T>(bound: Duration, call: impl AsyncFn() -> Result<T, Fault>) -> T {
    let start = Instant::now();
    loop {
        let called = Instant::now();
        let outcome = call().await;
        assert!(called.elapsed() < bound, "a call took {:?}", called.elapsed());
        match outcome {
            Ok(answer) => return answer,
            Err(fault) => assert!(fault.is_transient(), "{fault:?}"),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn redis_that_is_stopped_or_halted_fails_in_time_and_is_found_again() {
    let redis = Redis::start();
    let config = BusConfig { timeout_millis: 300, ..config() };
    let bus: Arc<dyn Bus> = Arc::new(RedisBus::new(&redis.url(), &config).expect("a URL"));
    let (mut relay, bound) = (Relay::new(Arc::clone(&bus)), Duration::from_secs(3));
    let mut groups = GROUPS.map(|name| Group { subscription: bus.subscribe("t", 0, name), applied: BTreeMap::new() });
    type Act = fn(&Redis);
    let faults: [(Act, Act); 3] =
        [(Redis::stop, Redis::start_again), (Redis::pause, Redis::resume), (Redis::flush, |_| ())];
    for (break_it, mend_it) in faults {
        relay.written += 5;
        relay.turn().await.expect("up");
        groups[0].turn(3, true).await.expect("up");
        break_it(&redis);
        relay.written += 5;
        for _attempt in 0..3 {
            let start = Instant::now();
            let read = [groups[0].turn(3, true).await.err(), groups[1].turn(3, true).await.err()];
            assert!(read.into_iter().chain([relay.turn().await.err()]).flatten().all(|fault| fault.is_transient()));
            // Three turns of three calls at most, each within its bound.
            assert!(start.elapsed() < 9 * bound, "{:?}", start.elapsed());
        }
        mend_it(&redis);
        until_it_succeeds(bound, async || bus.epoch("t", 0).await).await;
        let start = Instant::now();
        while relay.settled < relay.written {
            // A first call may still meet the broken connection.
            let _may_fail = relay.turn().await;
            for group in &mut groups {
                let _may_fail = group.turn(100, true).await;
            }
            assert!(start.elapsed() < Duration::from_secs(5), "it does not come to rest");
        }
        assert!(groups.iter().all(|group| group.applied.len() as u64 == relay.written), "nothing is missing");
    }
}

#[tokio::test]
async fn a_reader_that_waits_is_told_in_time_that_redis_is_gone() {
    let redis = Redis::start();
    let wire = Wire::to(redis.port());
    let config = BusConfig { timeout_millis: 300, ..config() };
    let bus = RedisBus::new(&format!("redis://127.0.0.1:{}", wire.port()), &config).expect("a URL");
    let mut subscription = bus.subscribe("t", 0, "g");
    let (start, cut) = (Instant::now(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.cut();
    });
    let (outcome, ()) = tokio::join!(subscription.next(1, Duration::from_secs(30)), cut);
    assert!(outcome.expect_err("it was cut").is_transient());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    wire.mend();
    wire.slow(Duration::from_millis(100));
    assert!(subscription.next(1, Duration::ZERO).await.expect("slow, but within the bound").is_empty());
    wire.slow(Duration::from_secs(8));
    let start = Instant::now();
    assert!(subscription.next(1, Duration::ZERO).await.expect_err("too slow").is_transient());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_full_redis_holds_the_relay_back_while_readers_go_on() {
    let redis = Redis::start_with(&[("maxmemory", "6mb"), ("maxmemory-policy", "noeviction")]);
    let bus = RedisBus::new(&redis.url(), &config()).expect("a URL");
    let epoch = bus.epoch("t", 0).await.expect("up");
    let mut position = 0;
    let fault = loop {
        let entry = Entry { position: position + 1, body: vec![1; 100_000].into() };
        match bus.publish("t", 0, &epoch, vec![entry]).await {
            Ok(()) => position += 1,
            Err(fault) => break fault,
        }
    };
    assert!(fault.is_transient() && !is_lost(&fault), "{fault:?}");
    let mut subscription = bus.subscribe("t", 0, "g");
    let mut got = 0;
    while let batch @ [.., last] = &subscription.next(10, Duration::ZERO).await.expect("reads go on")[..] {
        got += batch.len() as u64;
        subscription.commit(last.id).await.expect("commits go on");
    }
    assert_eq!(got, position, "nothing is missing");
    assert_eq!(bus.settled("t", 0, &epoch, &["g"]).await.expect("up"), Some(position));
    let entry = Entry { position: position + 1, body: vec![1; 100_000].into() };
    bus.publish("t", 0, &epoch, vec![entry]).await.expect("there is room again");
}

#[tokio::test]
async fn a_failover_that_took_the_last_entries_is_noticed_by_the_next_publish() {
    let (redis, config) = (shared_redis(), config());
    let bus = RedisBus::new(&redis.url(), &config).expect("a URL");
    let epoch = bus.epoch("t", 0).await.expect("up");
    let entries =
        |positions: &[u64]| positions.iter().map(|&position| Entry { position, body: Bytes::new() }).collect();
    bus.publish("t", 0, &epoch, entries(&[1, 2, 3])).await.expect("up");
    // The replica had not seen 3 when it took over.
    redis.command(&["HSET", &format!("{}:bus:{{t:0}}:state", config.prefix), "high", "2"]);
    let fault = bus.publish("t", 0, &epoch, entries(&[0])).await.expect_err("even a watermark tells");
    assert!(is_lost(&fault), "{fault:?}");
    assert_ne!(bus.epoch("t", 0).await.expect("up"), epoch);
}

#[tokio::test]
async fn a_tls_url_is_taken_and_a_server_without_tls_fails_in_time() {
    let url = format!("rediss://127.0.0.1:{}", shared_redis().port());
    let bus = RedisBus::new(&url, &config()).expect("a URL");
    let start = Instant::now();
    assert!(bus.epoch("t", 0).await.expect_err("no TLS there").is_transient());
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(RedisBus::new("http://example.com", &config()).is_err());
}
