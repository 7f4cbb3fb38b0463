//! What a tenant derives of its customers: computed traits, stages and segments, compiled once for each version of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rapport_conditions::Program;

use super::computed::{Computation, Window};
use super::declared::TraitDefinition;
use super::facts::{self, Reads};
use super::segment::{Lifecycle, Segment};

/// A segment that can be evaluated.
pub struct Compiled {
    /// The segment.
    pub segment: Segment,
    /// Its condition; `None` where it does not compile any more: nobody is in it.
    pub program: Option<Program>,
    reads: Reads,
}

/// What a tenant derives of its customers.
#[derive(Default)]
pub struct Definitions {
    /// Counts the changes of any of them.
    pub version: u64,
    /// Computed traits, by name.
    pub computed: BTreeMap<String, Computation>,
    /// The lifecycle as declared.
    pub lifecycle: Lifecycle,
    /// Its stages, compiled.
    pub stages: Vec<(String, Option<Program>)>,
    /// Segments, oldest first.
    pub segments: Vec<Arc<Compiled>>,
    reads: Reads,
}

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definitions").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Definitions {
    /// Compiles; what `held` has of the same text is used again.
    #[must_use]
    pub fn new(
        version: u64,
        declared: &[TraitDefinition],
        lifecycle: Lifecycle,
        segments: Vec<Segment>,
        held: Option<&Self>,
    ) -> Self {
        let mut reads = Reads::default();
        let mut computed = BTreeMap::new();
        for definition in declared {
            let Some(recipe) = &definition.computed else { continue };
            let Some(computation) = Computation::new(definition.kind, recipe.clone()) else { continue };
            match recipe.kind.as_str() {
                "" => reads.timeline = true,
                kind => drop(reads.kinds.insert(kind.to_owned())),
            }
            // Where the calendar is, the profile's preferences say.
            reads.profile |= matches!(recipe.window, Window::Calendar(..));
            computed.insert(definition.name.clone(), computation);
        }
        let compile = |stage: &super::segment::Stage| (stage.name.clone(), facts::compile_stage(&stage.condition).ok());
        let stages: Vec<_> = lifecycle.stages.iter().map(compile).collect();
        for (_, program) in &stages {
            program.iter().for_each(|program| reads.join(&Reads::of(program)));
        }
        let known: BTreeMap<_, _> =
            held.into_iter().flat_map(|held| &held.segments).map(|one| (one.segment.id, one)).collect();
        let segments: Vec<Arc<Compiled>> = segments
            .into_iter()
            .map(|segment| match known.get(&segment.id) {
                Some(known) if known.segment == segment => Arc::clone(known),
                _ => Arc::new(Compiled::new(segment)),
            })
            .collect();
        segments.iter().for_each(|segment| reads.join(&segment.reads));
        Self { version, computed, lifecycle, stages, segments, reads }
    }

    /// What all of them together read.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }
}

impl Compiled {
    fn new(segment: Segment) -> Self {
        let program = facts::compile(&segment.draft.condition).ok();
        let reads = program.as_ref().map(Reads::of).unwrap_or_default();
        Self { segment, program, reads }
    }
}
