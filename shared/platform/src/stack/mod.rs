//! The one stack around every service, in this order, outermost first:
//!
//! **catch panic → request id → trace → metrics → shed → deadline → caller → ahead** → the service.
//!
//! Why this order: a panic anywhere below becomes an answer; every later layer can name the request; what is
//! refused is still traced and counted; a call that is shed costs no timer; a caller that nobody waits for is not
//! verified; only a service's own streams hold anything that must not wait for a reader. The type [`Outer`] spells the order, and a test holds it. The gateway takes [`outer`] and puts its own
//! authentication in the place of [`caller`].

mod ahead;
mod body;
pub mod caller;
pub mod deadline;
mod frames;
pub mod measure;
pub mod panic;
pub mod passage;
pub mod request_id;
pub mod shed;
mod stacked;
pub mod trace;

use tokio_util::sync::CancellationToken;

pub use ahead::WorkAhead;
pub use body::End;
pub(crate) use body::{code_in, refuse};
pub use caller::CheckCaller;
pub use deadline::KeepDeadline;
pub use measure::Measure;
pub use panic::CatchPanic;
pub use passage::Passage;
pub use request_id::{NameRequest, RequestId};
pub use shed::Shed;
pub use stacked::{Answer, Inner, Stacked};
pub use trace::Trace;

use crate::platform::Platform;
use crate::routes::Routes;

/// All layers but the innermost, around a service that says who calls.
pub type Outer<S> = CatchPanic<NameRequest<Trace<Measure<Shed<KeepDeadline<S>>>>>>;

/// The stack around a service's routes.
#[must_use]
pub fn stack(routes: Routes, platform: &Platform) -> Stacked {
    Stacked::new(outer(CheckCaller::new(WorkAhead::new(routes, platform), platform), platform))
}

/// All layers but `caller`: for a service that finds out for itself who calls (the gateway).
#[must_use]
pub fn outer<S: Inner>(service: S, platform: &Platform) -> Outer<S> {
    outer_until(service, platform, platform.drain.ending())
}

/// [`outer`] with another moment at which streamed answers end: health and reflection do not ask who calls, and
/// their streams need not be waited for.
pub(crate) fn outer_until<S: Inner>(service: S, platform: &Platform, ending: CancellationToken) -> Outer<S> {
    let deadline = KeepDeadline::new(service, platform, ending);
    let measured = Measure::new(Shed::new(deadline, platform), platform);
    CatchPanic::new(NameRequest::new(Trace::new(measured, platform)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_stand_in_the_stated_order() {
        let name = std::any::type_name::<Outer<CheckCaller<WorkAhead<Routes>>>>();
        let layers: Vec<_> = name.split('<').filter_map(|part| part.rsplit("::").next()).collect();
        let stated =
            ["CatchPanic", "NameRequest", "Trace", "Measure", "Shed", "KeepDeadline", "CheckCaller", "WorkAhead"];
        assert_eq!(layers[..stated.len()], stated);
    }
}
