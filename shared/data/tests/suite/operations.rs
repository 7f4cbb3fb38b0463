//! Long work: step by step, once, whoever does it; cancelled, failed, resumed, swept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::common::v1::BulkAck;
use rapport_api::google::rpc::Status;
use rapport_data::{
    Answer, Database, Engine, Job, Jobs, NewOperation, Operation, OperationFilter, Outcome, Receipt, Rx, State, Step,
    Tx, Work,
};
use rapport_kernel::{Fault, Kind, OperationId, Reason, RequestId, TenantId};
use rapport_platform::Platform;
use rapport_platform::config::Period;
use rstest::rstest;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::ground::{Ground, eventually, insert, number, value};

const KIND: &str = "CountNotes";

/// Counts to the number that it is asked for, a note a step. A step that is kept twice fails by the note's key.
#[derive(Clone)]
struct Counting {
    database: Database,
    told: Arc<Told>,
}

/// What the test says to the jobs of all instances, and sees of them.
struct Told {
    /// A step needs one of these.
    steps: Semaphore,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    pause: Mutex<Duration>,
    /// How the next steps fail, the last first.
    fails: Mutex<Vec<fn() -> Fault>>,
}

impl Told {
    fn new(steps: usize) -> Arc<Self> {
        Arc::new(Self {
            steps: Semaphore::new(steps),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            pause: Mutex::default(),
            fails: Mutex::default(),
        })
    }
    fn free() -> Arc<Self> {
        Self::new(10_000)
    }
}

impl Job for Counting {
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>> {
        Box::pin(async move {
            let told = &self.told;
            told.steps.acquire().await.expect("it is never closed").forget();
            let at_once = told.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            told.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            let fails = told.fails.lock().expect("no test panics while it holds this").pop();
            let result = match fails {
                Some(fails) => Err(fails()),
                None => self.count(&work).await,
            };
            told.at_once.fetch_sub(1, Ordering::SeqCst);
            result
        })
    }
}

impl Counting {
    async fn count(&self, work: &Work) -> Result<Step, Fault> {
        let most = u64::from_be_bytes(work.request.as_slice().try_into().map_err(Fault::internal)?);
        let next = if work.cursor.is_empty() { 0 } else { number_of(&work.cursor) } + 1;
        let (kept, cursor) = (work.clone(), next.to_be_bytes().to_vec());
        let unit = move |tx: Tx| {
            let (work, cursor) = (kept.clone(), cursor.clone());
            async move {
                insert(&tx, &format!("{} {next}", work.operation), 1).await?;
                work.keep(&tx, cursor, next, most).await
            }
        };
        self.database.write(work.tenant, unit).await?;
        if next == most {
            return Step::done(&BulkAck { accepted: next.cast_signed(), ..BulkAck::default() }, next);
        }
        let pause = *self.told.pause.lock().expect("no test panics while it holds this");
        Ok(Step::more(next.to_be_bytes(), next, most).after(pause))
    }
}

fn number_of(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

fn work(database: &Database, platform: &Platform, told: &Arc<Told>) {
    let job = Counting { database: database.clone(), told: Arc::clone(told) };
    database.run_operations(platform, Jobs::new().with(KIND, job));
}

async fn begin(database: &Database, tenant: TenantId, most: u64) -> OperationId {
    let unit = move |tx: Tx| async move { tx.begin_operation(counting(most)).await };
    database.write(tenant, unit).await.expect("up").id
}

fn counting(most: u64) -> NewOperation {
    NewOperation { kind: KIND, unit: "notes", request: most.to_be_bytes().to_vec() }
}

async fn find(database: &Database, tenant: TenantId, id: OperationId) -> Option<Operation> {
    database.read(tenant, async |rx: Rx| rx.operation(id).await).await.expect("up")
}

async fn ended(database: &Database, tenant: TenantId, id: OperationId) -> Operation {
    let until = Instant::now() + Duration::from_secs(30);
    let found = database.wait_for_operation(tenant, id, until).await.expect("up").expect("it is there");
    assert!(found.outcome.is_some(), "it ended: {found:?}");
    found
}

fn response(operation: &Operation) -> BulkAck {
    match operation.outcome.as_ref().expect("it ended") {
        Outcome::Response(response) => response.to_msg().expect("of its type"),
        Outcome::Error(_) => panic!("it failed"),
    }
}

/// The code, the reason and the text of an error.
fn error(operation: &Operation) -> (i32, String, String) {
    let Some(Outcome::Error(status)) = &operation.outcome else { panic!("it has no error") };
    let status = Status::decode(status.as_slice()).expect("a status");
    // An ErrorInfo begins with its reason: a tag, a length, the text.
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("ErrorInfo")).expect("a reason");
    let length = usize::from(info.value[1]);
    (status.code, String::from_utf8(info.value[2..2 + length].to_vec()).expect("a text"), status.message)
}

async fn notes(database: &Database, tenant: TenantId, id: OperationId) -> Vec<u64> {
    let mut found = Vec::new();
    for n in 1..=60 {
        if value(database, tenant, &format!("{id} {n}")).await.is_some() {
            found.push(n);
        }
    }
    found
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_done_step_by_step_and_what_is_done_never_falls(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::new(0));
    let id = begin(&database, tenant, 20).await;
    let pending = find(&database, tenant, id).await.expect("it is there");
    assert_eq!((pending.state, pending.done, pending.started_at), (State::Pending, 0, None));
    work(&database, &ground.platform, &told);
    let mut before = 0;
    for _ in 0..19 {
        told.steps.add_permits(1);
        eventually("it comes further", async || {
            let found = find(&database, tenant, id).await.expect("it is there");
            assert!(found.done >= before && found.outcome.is_none());
            found.done > before
        })
        .await;
        let found = find(&database, tenant, id).await.expect("it is there");
        assert_eq!((found.state, found.total, found.unit.as_str()), (State::Running, 20, "notes"));
        before = found.done;
    }
    told.steps.add_permits(1);
    let done = ended(&database, tenant, id).await;
    assert_eq!((done.state, done.done, done.total, done.failed_tries), (State::Done, 20, 20, 0));
    assert!(done.started_at.is_some() && done.finished_at.is_some());
    assert_eq!(response(&done).accepted, 20);
    assert_eq!(notes(&database, tenant, id).await, (1..=20).collect::<Vec<_>>());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_begins_one_operation(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, request) = (ground.open().await, TenantId::new(), RequestId::new());
    let begin = || {
        let encode = |operation: &Operation| operation.id.uuid().as_bytes().to_vec();
        let receipt = Receipt::new("CountNotes", Some(request), b"3", encode);
        database.write_once(tenant, receipt, |tx: Tx| async move { tx.begin_operation(counting(3)).await })
    };
    let answers = futures::future::join_all((0..8).map(|_| begin())).await;
    let ids = answers.into_iter().map(|answer| match answer.expect("up") {
        Answer::Fresh(operation) => operation.id.uuid().as_bytes().to_vec(),
        Answer::Replayed(bytes) => bytes,
    });
    let ids: std::collections::BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(number(&database, "SELECT count(*) FROM operation").await, 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_committed_is_not_begun(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let unit = |tx: Tx| async move {
        tx.begin_operation(counting(1)).await?;
        Err::<(), _>(Fault::new(Reason::InvalidState, "the unit fails"))
    };
    database.write(tenant, unit).await.expect_err("it fails");
    assert_eq!(number(&database, "SELECT count(*) FROM operation").await, 0);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_instance_goes_on_where_a_killed_one_was(#[case] engine: Engine) {
    let mut ground = Ground::new(engine);
    ground.config.operation_lease = Period::millis(800);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let id = begin(&database, tenant, 9).await;
    // The first instance has a runtime of its own, which ends as a process does that is killed: in the middle.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (told, ground) = (Told::new(4), Arc::new(ground));
    let (first, here) = (Arc::clone(&told), Arc::clone(&ground));
    let instance = runtime.spawn(async move {
        let (platform, database) = here.instance().await;
        work(&database, &platform, &first);
        (platform, database)
    });
    let _instance = instance.await.expect("it starts");
    eventually("four steps are kept", async || notes(&database, tenant, id).await.len() == 4).await;
    runtime.shutdown_background();
    let killed = Instant::now();
    work(&database, &ground.platform, &Told::free());
    let done = ended(&database, tenant, id).await;
    assert!(killed.elapsed() > Duration::from_millis(300), "not before the lease ended");
    assert_eq!((done.state, response(&done).accepted), (State::Done, 9));
    assert_eq!(notes(&database, tenant, id).await, (1..=9).collect::<Vec<_>>());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_stops_gives_its_operations_to_another_at_once(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let (platform, other) = ground.instance().await;
    let told = Told::free();
    *told.pause.lock().expect("no panic") = Duration::from_millis(100);
    work(&other, &platform, &told);
    let id = begin(&other, tenant, 30).await;
    eventually("some steps are kept", async || notes(&database, tenant, id).await.len() > 2).await;
    assert!(platform.stop(Duration::from_secs(5)).await, "all tasks ended in time");
    let found = find(&database, tenant, id).await.expect("it is there");
    assert!(found.outcome.is_none() && found.done < 30);
    let stopped = Instant::now();
    work(&database, &ground.platform, &Told::free());
    let done = ended(&database, tenant, id).await;
    assert!(stopped.elapsed() < Duration::from_secs(10), "nobody waits for a lease: {:?}", stopped.elapsed());
    assert_eq!((done.state, done.done), (State::Done, 30));
    assert_eq!(notes(&database, tenant, id).await, (1..=30).collect::<Vec<_>>());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_share_the_work_and_never_do_a_step_twice(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, (platform, other)) = (ground.open().await, ground.instance().await);
    let told = Told::free();
    let tenants = [TenantId::new(), TenantId::new()];
    let mut begun = Vec::new();
    for n in 0..12 {
        begun.push((tenants[n % 2], begin(&database, tenants[n % 2], 6).await));
    }
    work(&database, &ground.platform, &told);
    work(&other, &platform, &told);
    for (tenant, id) in &begun {
        let done = ended(&other, *tenant, *id).await;
        // A step that ran twice would have failed by its note.
        assert_eq!((done.state, response(&done).accepted), (State::Done, 6));
        assert_eq!(notes(&database, *tenant, *id).await, (1..=6).collect::<Vec<_>>());
    }
    assert!(told.most_at_once.load(Ordering::SeqCst) <= 6, "three workers an instance");
    assert!(platform.stop(Duration::from_secs(5)).await);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_an_operation_writes_nothing_more_for_it(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::new(0));
    let id = begin(&database, tenant, 3).await;
    work(&database, &ground.platform, &told);
    let running = async || find(&database, tenant, id).await.is_some_and(|found| found.state == State::Running);
    eventually("it is taken", running).await;
    let steal = |tx: Tx| async move {
        use rapport_data::Stored as _;
        use sea_orm::ConnectionTrait as _;
        let text = "UPDATE operation SET holder = tenant, leased_until = leased_until + 60000000";
        tx.conn().execute_unprepared(text).await.stored()?;
        Ok(())
    };
    database.system().write(steal).await.expect("up");
    told.steps.add_permits(3);
    eventually("its worker tried", async || told.steps.available_permits() < 3).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(notes(&database, tenant, id).await, Vec::<u64>::new());
    assert_eq!(find(&database, tenant, id).await.expect("it is there").done, 0);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_cancelled_at_once_where_nobody_is_at_it_else_after_its_step(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::new(2));
    let cancel = async |id| database.write(tenant, move |tx: Tx| async move { tx.cancel_operation(id).await }).await;
    let pending = begin(&database, tenant, 5).await;
    assert!(cancel(pending).await.expect("up"));
    let gone = find(&database, tenant, pending).await.expect("it is there");
    assert_eq!((gone.state, error(&gone).0, error(&gone).1.as_str()), (State::Cancelled, 1, "CANCELLED"));

    work(&database, &ground.platform, &told);
    let running = begin(&database, tenant, 5).await;
    eventually("two steps are kept", async || notes(&database, tenant, running).await.len() == 2).await;
    assert!(cancel(running).await.expect("up"));
    let found = find(&database, tenant, running).await.expect("it is there");
    assert!(found.cancel_requested && found.outcome.is_none(), "it is at a step");
    told.steps.add_permits(1);
    let gone = ended(&database, tenant, running).await;
    assert_eq!((gone.state, gone.done, error(&gone).0), (State::Cancelled, 3, 1));
    assert_eq!(notes(&database, tenant, running).await, [1, 2, 3], "what was done stays");

    told.steps.add_permits(100);
    let done = begin(&database, tenant, 2).await;
    let before = ended(&database, tenant, done).await;
    assert!(cancel(done).await.expect("up"), "it is there");
    assert_eq!(find(&database, tenant, done).await.expect("it is there"), before, "and stays as it is");
    assert!(!cancel(OperationId::new()).await.expect("up"));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_tried_again_and_what_may_not_ends_the_operation(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::free());
    let fail = |how: Vec<fn() -> Fault>| *told.fails.lock().expect("no panic") = how;
    work(&database, &ground.platform, &told);
    let away: fn() -> Fault = || Fault::unavailable("a service", "a test took it away");
    fail(vec![away, away]);
    let id = begin(&database, tenant, 3).await;
    let retried = async || find(&database, tenant, id).await.is_some_and(|found| found.failed_tries > 0);
    eventually("its tries are told", retried).await;
    let done = ended(&database, tenant, id).await;
    assert_eq!((done.state, done.failed_tries, response(&done).accepted), (State::Done, 0, 3));

    fail(vec![|| Fault::new(Reason::InvalidState, "there is nothing to count").because("secret")]);
    let id = begin(&database, tenant, 3).await;
    let failed = ended(&database, tenant, id).await;
    let expected = (9, "INVALID_STATE".to_owned(), "there is nothing to count".to_owned());
    assert_eq!((failed.state, error(&failed)), (State::Failed, expected));

    fail(vec![|| panic!("a step")]);
    let id = begin(&database, tenant, 3).await;
    let failed = ended(&database, tenant, id).await;
    assert_eq!((failed.state, error(&failed).0, error(&failed).1.as_str()), (State::Failed, 13, "INTERNAL"));
    // The worker lives on.
    let id = begin(&database, tenant, 1).await;
    assert_eq!(ended(&database, tenant, id).await.state, State::Done);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_too_often_ends_the_operation(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::free());
    told.fails.lock().expect("no panic").push(|| Fault::unavailable("a service", "a test took it away"));
    let id = begin(&database, tenant, 3).await;
    let often = |tx: Tx| async move {
        use rapport_data::Stored as _;
        use sea_orm::ConnectionTrait as _;
        tx.conn().execute_unprepared("UPDATE operation SET tries = 19").await.stored().map(drop)
    };
    database.system().write(often).await.expect("up");
    work(&database, &ground.platform, &told);
    let failed = ended(&database, tenant, id).await;
    assert_eq!((failed.state, error(&failed).0), (State::Failed, 14), "with the last step's fault");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_operation_does_not_wait_for_long_ones_that_rest(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::free());
    *told.pause.lock().expect("no panic") = Duration::from_millis(700);
    work(&database, &ground.platform, &told);
    let mut long = Vec::new();
    for _ in 0..6 {
        long.push(begin(&database, tenant, 50).await);
    }
    sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    let short = begin(&database, tenant, 1).await;
    assert_eq!(ended(&database, tenant, short).await.state, State::Done);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for id in long {
        assert!(find(&database, tenant, id).await.expect("it is there").outcome.is_none());
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_with_the_operation_or_at_its_time(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, (_platform, other)) = (ground.open().await, ground.instance().await);
    let (tenant, told) = (TenantId::new(), Told::new(0));
    work(&database, &ground.platform, &told);
    let id = begin(&database, tenant, 1).await;
    let began = Instant::now();
    let until = began + Duration::from_millis(300);
    let waited = database.wait_for_operation(tenant, id, until).await.expect("up").expect("it is there");
    assert!(waited.outcome.is_none() && began.elapsed() >= Duration::from_millis(300));
    let release = async {
        sleep(Duration::from_millis(200)).await;
        told.steps.add_permits(1);
    };
    let until = Instant::now() + Duration::from_secs(20);
    let (here, there, ()) = tokio::join!(
        database.wait_for_operation(tenant, id, until),
        other.wait_for_operation(tenant, id, until),
        release
    );
    for waited in [here, there] {
        assert_eq!(waited.expect("up").expect("it is there").state, State::Done);
    }
    let absent = database.wait_for_operation(tenant, OperationId::new(), until).await.expect("up");
    assert!(absent.is_none());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenant_finds_changes_and_lists_nothing(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, other) = (ground.open().await, TenantId::new(), TenantId::new());
    let id = begin(&database, tenant, 1).await;
    assert!(find(&database, other, id).await.is_none());
    for change in [
        database.write(other, move |tx: Tx| async move { tx.cancel_operation(id).await }).await,
        database.write(other, move |tx: Tx| async move { tx.delete_operation(id).await }).await,
    ] {
        assert!(!change.expect("up"));
    }
    let list = async |tenant| {
        let none = OperationFilter::default();
        database.read(tenant, async |rx: Rx| rx.operations(&none, None, 10).await).await.expect("up").items
    };
    assert!(list(other).await.is_empty());
    assert_eq!(list(tenant).await.len(), 1);
    assert!(!find(&database, tenant, id).await.expect("it is there").cancel_requested);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_newest_first_by_kind_and_end_and_page_by_page(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let mut begun = Vec::new();
    for _ in 0..7 {
        begun.push(begin(&database, tenant, 1).await);
    }
    let cancelled = begun[2];
    database.write(tenant, move |tx: Tx| async move { tx.cancel_operation(cancelled).await }).await.expect("up");
    begun.reverse();
    let list = async |kind: Option<&str>, ended, after, size| {
        let filter = OperationFilter { kind: kind.map(str::to_owned), ended };
        let page = database.read(tenant, async |rx: Rx| rx.operations(&filter, after, size).await).await.expect("up");
        (page.items.iter().map(|operation| operation.id).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = list(None, None, None, 4).await;
    let (second, last) = list(None, None, next, 4).await;
    assert_eq!(([first, second].concat(), last), (begun.clone(), None));
    assert_eq!(list(None, Some(true), None, 10).await.0, [cancelled]);
    assert_eq!(list(Some(KIND), Some(false), None, 10).await.0.len(), 6);
    assert!(list(Some("Other"), None, None, 10).await.0.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_is_kept_for_thirty_days_and_what_was_deleted_goes_when_it_has(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, told) = (ground.open().await, TenantId::new(), Told::new(1));
    let delete = async |id| database.write(tenant, move |tx: Tx| async move { tx.delete_operation(id).await }).await;
    work(&database, &ground.platform, &told);
    let kept = begin(&database, tenant, 1).await;
    ended(&database, tenant, kept).await;
    let deleted = begin(&database, tenant, 2).await;
    assert!(delete(deleted).await.expect("up"));
    assert!(!delete(deleted).await.expect("up"), "it is gone for its caller");
    assert!(find(&database, tenant, deleted).await.is_none());
    ground.clock.advance(Duration::from_secs(29 * 24 * 60 * 60));
    assert_eq!(database.sweep().await.expect("up"), 0, "one is young, one goes on");
    told.steps.add_permits(10);
    eventually("what was deleted is done all the same", async || notes(&database, tenant, deleted).await.len() == 2)
        .await;
    let open = "SELECT count(*) FROM operation WHERE finished_at IS NULL";
    eventually("it ended", async || number(&database, open).await == 0).await;
    ground.clock.advance(Duration::from_secs(1));
    assert_eq!(database.sweep().await.expect("up"), 1);
    assert!(find(&database, tenant, kept).await.is_some());
    ground.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(database.sweep().await.expect("up"), 1);
    assert!(find(&database, tenant, kept).await.is_none());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_an_instance_does_not_know_is_left_to_others(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    let told = Told::free();
    let job = Counting { database: database.clone(), told };
    database.run_operations(&ground.platform, Jobs::new().with("Other", job));
    let id = begin(&database, tenant, 1).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(find(&database, tenant, id).await.expect("it is there").state, State::Pending);
    work(&database, &ground.platform, &Told::free());
    assert_eq!(ended(&database, tenant, id).await.state, State::Done);
    assert_eq!(Kind::Cancelled, Reason::Cancelled.kind());
}
