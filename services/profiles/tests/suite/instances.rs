//! Two instances over one Postgres and one Redis: whoever watches goes from one to the other with a token, also when one
//! of them dies, and is told everything once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rapport_api::profiles::v1::{
    SegmentChangeKind, WatchProfilesRequest, WatchProfilesResponse, WatchSegmentRequest, WatchSegmentResponse,
};
use rapport_harness::Wire;
use rapport_kernel::TenantId;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};

use crate::ground::*;
use crate::imports::Dice;
use crate::lives::index;
use crate::segments::{segments, wants};

/// How long a watcher waits for a message: one comes at least every five seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const CUSTOMERS: usize = 12;
const ROUNDS: u64 = 30;

/// An instance with a runtime of its own, so that it can die in the midst of everything.
struct Instance {
    ground: Arc<Ground>,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    wires: [Wire; 2],
}

impl Instance {
    async fn new(base: &Shared) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (runtime, (base, wires)) = (runtime.expect("a runtime"), base.by_wire());
        let ground = runtime.spawn(async move { Ground::over(&base).await }).await.expect("it starts");
        Self { ground: Arc::new(ground), handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)), wires }
    }

    /// As by kill -9: nothing is finished, nothing released.
    fn dies(&self) {
        if let Some(runtime) = self.runtime.lock().expect("whole").take() {
            runtime.shutdown_background();
            // The kernel closes what a dead process had open.
            self.wires.iter().for_each(Wire::cut);
        }
    }

    fn is_dead(&self) -> bool {
        self.runtime.lock().expect("whole").is_none()
    }

    /// Says of its half of the customers, by turns, that they are gold and that they are not; and when half is said.
    fn writes(&self, tenant: TenantId, half: usize) -> (JoinHandle<()>, oneshot::Receiver<()>) {
        let (ground, (sender, half_way)) = (Arc::clone(&self.ground), oneshot::channel());
        let mut sender = Some(sender);
        let writing = self.handle.spawn(async move {
            for round in 0..ROUNDS {
                if let Some(sender) = sender.take_if(|_| round == ROUNDS / 2) {
                    let _ = sender.send(());
                }
                for number in (0..CUSTOMERS).filter(|number| number % 2 == half) {
                    let tier = if round % 2 == 0 { "gold" } else { "none" };
                    let request = states(&format!("c{number}"), &[("tier", tier)], round.cast_signed());
                    ground.identify(tenant, request).await;
                }
            }
        });
        (writing, half_way)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.dies();
    }
}

/// A message of a stream, and where to go on after it.
trait Message: Send + 'static + Sized {
    fn token(&self) -> String;
    fn open(
        ground: Arc<Ground>,
        tenant: TenantId,
        segment: String,
        token: String,
    ) -> impl Future<Output = Result<Streaming<Self>, Status>> + Send;
}

impl Message for WatchProfilesResponse {
    fn token(&self) -> String {
        self.resume_token.clone()
    }
    async fn open(ground: Arc<Ground>, tenant: TenantId, _: String, token: String) -> Result<Streaming<Self>, Status> {
        let request = WatchProfilesRequest { resume_token: token, ..WatchProfilesRequest::default() };
        Ok(ground.profiles(tenant).watch_profiles(request).await?.into_inner())
    }
}

impl Message for WatchSegmentResponse {
    fn token(&self) -> String {
        self.resume_token.clone()
    }
    async fn open(ground: Arc<Ground>, tenant: TenantId, id: String, token: String) -> Result<Streaming<Self>, Status> {
        let request = WatchSegmentRequest { segment_id: id, resume_token: token };
        Ok(segments(&ground, tenant).watch_segment(request).await?.into_inner())
    }
}

/// Reads a stream of an instance until somebody hangs up, or it dies.
fn listen<M: Message>(on: &Instance, tenant: TenantId, segment: &str, token: &str) -> mpsc::Receiver<M> {
    let (sender, receiver) = mpsc::channel(1);
    let (ground, segment, token) = (Arc::clone(&on.ground), segment.to_owned(), token.to_owned());
    on.handle.spawn(async move {
        let mut stream = M::open(ground, tenant, segment, token).await.expect("it is served");
        while let Ok(Some(message)) = stream.message().await {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// Reads along, now on one instance and now on another, until it is `enough`.
async fn follow<M: Message>(
    instances: [&Instance; 2],
    (tenant, segment, begin): (TenantId, &str, String),
    mut dice: Dice,
    mut enough: impl FnMut(M) -> bool,
) {
    let mut token = begin;
    loop {
        let on = instances[index(&mut dice, 2)];
        let on = if on.is_dead() { instances[0] } else { on };
        let mut heard = listen::<M>(on, tenant, segment, &token);
        for _ in 0..=dice.below(25) {
            // Whoever listened to one that dies hears no more of it.
            let Some(message) = tokio::time::timeout(PATIENCE, heard.recv()).await.expect("it comes in time") else {
                break;
            };
            token = message.token();
            if enough(message) {
                return;
            }
        }
    }
}

/// What each customer did, in the order in which it was told.
type Heard<T> = BTreeMap<String, Vec<T>>;

fn all_are_told<T>(heard: &Heard<T>) -> bool {
    heard.len() == CUSTOMERS && heard.values().all(|told| told.len() as u64 >= ROUNDS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_goes_between_instances_of_which_one_dies_is_told_everything_once_and_in_order() {
    let base = Shared::new();
    let (stays, dies) = (Instance::new(&base).await, Instance::new(&base).await);
    let tenant = TenantId::new();
    let made = segments(&stays.ground, tenant).create_segment(wants("Gold", "traits.tier == 'gold'")).await;
    let segment = made.expect("made").into_inner().segment_id;
    let begin = listen::<WatchProfilesResponse>(&stays, tenant, &segment, "").recv().await.expect("a token").token();
    let enter = listen::<WatchSegmentResponse>(&dies, tenant, &segment, "").recv().await.expect("a token").token();
    let (mut revisions, mut flips) = (Heard::<u64>::new(), Heard::<bool>::new());
    let instances = [&stays, &dies];
    let (begin, enter) = ((tenant, &*segment, begin), (tenant, &*segment, enter));
    let profiles = follow(instances, begin.clone(), Dice(1), |message: WatchProfilesResponse| {
        if let Some(change) = message.change {
            revisions.entry(change.customer_id).or_default().push(change.revision);
        }
        all_are_told(&revisions)
    });
    let entries = follow(instances, enter, Dice(2), |message: WatchSegmentResponse| {
        if let Some(change) = message.change {
            let entered = change.kind() == SegmentChangeKind::Entered;
            flips.entry(change.customer_id).or_default().push(entered);
        }
        all_are_told(&flips)
    });
    let writing = async {
        let ((here, _), (there, half_way)) = (stays.writes(tenant, 0), dies.writes(tenant, 1));
        half_way.await.expect("it writes");
        dies.dies();
        assert!(there.await.is_err(), "it died before it was done");
        here.await.expect("written");
        // Who wrote there does not know what was done, and says it all again here: what was heard is not heard twice.
        stays.writes(tenant, 1).0.await.expect("written");
    };
    tokio::join!(writing, profiles, entries);
    let mut again = Heard::<u64>::new();
    follow([&stays, &stays], begin, Dice(3), |message: WatchProfilesResponse| {
        if let Some(change) = message.change {
            again.entry(change.customer_id).or_default().push(change.revision);
        }
        all_are_told(&again)
    })
    .await;
    let each: Vec<u64> = (1..=ROUNDS).collect();
    for told in revisions.values().chain(again.values()) {
        assert_eq!(*told, each, "every revision once, and in order");
    }
    for told in flips.values() {
        assert_eq!(*told, (0..ROUNDS).map(|round| round % 2 == 0).collect::<Vec<_>>(), "in and out by turns");
    }
}
