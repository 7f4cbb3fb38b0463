//! What a tenant derives of its customers: computed traits, stages and segments, compiled once for each version of them,
//! and which of them a cause can change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rapport_conditions::Program;
use rapport_kernel::Timestamp;

use super::computed::{Computation, Window};
use super::declared::TraitDefinition;
use super::derived::Derived;
use super::facts;
use super::reads::{Field, PREFERENCES, RESTRICTIONS, Reads, Touched};
use super::segment::{Lifecycle, Segment, SegmentId};
use super::survivorship::Survivorship;

/// A segment that can be evaluated.
pub struct Compiled {
    /// The segment.
    pub segment: Segment,
    /// Its condition; `None` where it does not compile any more: nobody is in it.
    pub program: Option<Program>,
    reads: Reads,
}

/// By which versions of the definitions what belongs to no segment last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The version.
    pub version: u64,
    /// By which all customers were looked at.
    pub settled: u64,
    /// By which the stages changed.
    pub stages: u64,
    /// By which the calendar of those who prefer no zone changed.
    pub calendar: u64,
    /// By which the trust in a source changed.
    pub trust: u64,
    /// By which it changed how much a text weighs in how a customer feels.
    pub sentiment: u64,
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
    of_stages: Reads,
    versions: Versions,
    /// By which version it last changed what a trait is.
    traits: BTreeMap<String, u64>,
    index: Index,
    whole: Arc<Parts>,
}

/// What is looked at of what is derived, and what must be known for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// All of it, or all that is as it was: when to look again follows from these parts alone.
    pub whole: bool,
    /// These computed traits.
    pub computed: BTreeSet<String>,
    /// The stages.
    pub stages: bool,
    /// These segments, by their places.
    pub segments: BTreeSet<usize>,
    /// What all of these read.
    pub reads: Reads,
}

/// Which segments read what, by their places.
#[derive(Default)]
struct Index {
    places: BTreeMap<SegmentId, usize>,
    kinds: BTreeMap<String, Vec<usize>>,
    timeline: Vec<usize>,
    any_event: Vec<usize>,
    traits: BTreeMap<String, Vec<usize>>,
    all_traits: Vec<usize>,
    fields: BTreeMap<Field, Vec<usize>>,
    stage: Vec<usize>,
}

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definitions").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Definitions {
    /// Compiles; what `held` has of the same text is used again. Of traits the newest declarations, those that were taken
    /// back among them (`true`).
    #[must_use]
    pub fn new(
        versions: Versions,
        declared: &[(TraitDefinition, bool)],
        lifecycle: Lifecycle,
        segments: Vec<Segment>,
        held: Option<&Self>,
    ) -> Self {
        let (mut computed, mut traits) = (BTreeMap::new(), BTreeMap::new());
        for (definition, taken_back) in declared {
            let trusted = if definition.survivorship == Survivorship::MostTrusted { versions.trust } else { 0 };
            traits.insert(definition.name.clone(), definition.changed_by.max(trusted));
            let Some(recipe) = definition.computed.as_ref().filter(|_| !taken_back) else { continue };
            let Some(computation) = Computation::new(definition.kind, recipe.clone()) else { continue };
            computed.insert(definition.name.clone(), computation);
        }
        let compile = |stage: &super::segment::Stage| (stage.name.clone(), facts::compile_stage(&stage.condition).ok());
        let stages: Vec<_> = lifecycle.stages.iter().map(compile).collect();
        let mut of_stages = Reads::default();
        stages.iter().filter_map(|(_, program)| program.as_ref()).for_each(|it| of_stages.join(&Reads::of(it)));
        let known = |segment: &Segment| {
            let held = held?;
            held.segments.get(*held.index.places.get(&segment.id)?).filter(|known| known.segment == *segment)
        };
        let compiled = |segment: Segment| match known(&segment) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Compiled::new(segment)),
        };
        let segments: Vec<Arc<Compiled>> = segments.into_iter().map(compiled).collect();
        let (version, index) = (versions.version, Index::of(&segments));
        let whole = Arc::default();
        let mut all =
            Self { version, computed, lifecycle, stages, segments, of_stages, versions, traits, index, whole };
        let (names, places) = (all.computed.keys().cloned().collect(), (0..all.segments.len()).collect());
        let mut parts = Parts { whole: true, computed: names, stages: true, segments: places, reads: Reads::default() };
        all.read(&mut parts);
        all.whole = Arc::new(parts);
        all
    }

    /// What all of them together read.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.whole.reads
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Arc<Parts> {
        Arc::clone(&self.whole)
    }

    /// The segment of an id, where there still is one.
    #[must_use]
    pub fn segment(&self, id: SegmentId) -> Option<&Arc<Compiled>> {
        self.segments.get(*self.index.places.get(&id)?)
    }

    /// The traits that are folded or computed otherwise than by a version.
    pub fn traits_since(&self, version: u64) -> impl Iterator<Item = &String> {
        self.traits.iter().filter_map(move |(name, changed_by)| (*changed_by > version).then_some(name))
    }

    /// Whether texts weigh otherwise in how a customer feels than by a version.
    #[must_use]
    pub const fn weigh_otherwise(&self, version: u64) -> bool {
        self.versions.sentiment > version
    }

    /// What can be another than before as of an instant: what reads something that was touched, and what is declared
    /// otherwise than by the version that it was derived by. Where the clock has come to an instant at which something of
    /// it could change, all of it can.
    #[must_use]
    pub fn parts(&self, touched: &Touched, before: &Derived, now: Timestamp) -> Arc<Parts> {
        if touched.everything || touched.fields.contains(&RESTRICTIONS) || before.valid_until <= now {
            return self.whole();
        }
        if touched.is_nothing() && before.version == self.version {
            return Arc::default();
        }
        let (mut touched, mut parts) = (touched.clone(), Parts::default());
        if before.version < self.version {
            touched.traits.extend(self.traits_since(before.version).cloned());
            if self.weigh_otherwise(before.version) {
                touched.join(Touched::by_score());
            }
            parts.stages = self.versions.stages > before.version;
            let changed = self.segments.iter().enumerate();
            let changed = changed.filter(|(_, compiled)| compiled.segment.changed_by > before.version);
            parts.segments = changed.map(|(place, _)| place).collect();
        }
        let turned = touched.fields.contains(&PREFERENCES) || self.versions.calendar > before.version;
        for (name, computation) in &self.computed {
            let kind = computation.recipe.kind.as_str();
            let happened = match kind {
                "" => touched.timeline || !touched.kinds.is_empty(),
                kind => touched.timeline || touched.kinds.contains(kind),
            };
            let moved = turned && matches!(computation.recipe.window, Window::Calendar(..));
            if happened || moved || touched.traits.contains(name) {
                parts.computed.insert(name.clone());
            }
        }
        touched.traits.extend(parts.computed.iter().cloned());
        parts.stages |= self.of_stages.meets(&touched);
        self.index.add(&touched, parts.stages, &mut parts.segments);
        self.read(&mut parts);
        Arc::new(parts)
    }

    /// What is declared as it was by a version, and reads nothing that is declared otherwise: of this the clock's turns since
    /// can be followed, though what is new was not looked at yet.
    #[must_use]
    pub fn steady_since(&self, version: u64) -> Arc<Parts> {
        if version >= self.version {
            return self.whole();
        }
        let mut moved = Touched::default();
        moved.traits.extend(self.traits_since(version).cloned());
        if self.weigh_otherwise(version) {
            moved.join(Touched::by_score());
        }
        let turned = self.versions.calendar > version;
        let is_steady = |(name, computation): &(&String, &Computation)| {
            let by_day = matches!(computation.recipe.window, Window::Calendar(..));
            !moved.traits.contains(*name) && (!turned || !by_day)
        };
        let computed: BTreeSet<String> = self.computed.iter().filter(is_steady).map(|(name, _)| name.clone()).collect();
        moved.traits.extend(self.computed.keys().filter(|name| !computed.contains(*name)).cloned());
        let stages = self.versions.stages <= version && !self.of_stages.meets(&moved);
        let is_steady = |compiled: &Compiled| {
            let reads = &compiled.reads;
            compiled.segment.changed_by <= version && !reads.meets(&moved) && (stages || !reads.stage)
        };
        let places = self.segments.iter().enumerate().filter(|(_, compiled)| is_steady(compiled));
        let segments = places.map(|(place, _)| place).collect();
        let mut parts = Parts { whole: true, computed, stages, segments, reads: Reads::default() };
        self.read(&mut parts);
        Arc::new(parts)
    }

    fn read(&self, parts: &mut Parts) {
        for name in &parts.computed {
            match self.computed.get(name).map(|computation| computation.recipe.kind.as_str()) {
                Some("") => parts.reads.timeline = true,
                Some(kind) => parts.reads.all_of(kind),
                None => {}
            }
        }
        if parts.stages {
            parts.reads.join(&self.of_stages);
        }
        for place in &parts.segments {
            parts.reads.join(&self.segments[*place].reads);
        }
    }
}

impl Index {
    fn of(segments: &[Arc<Compiled>]) -> Self {
        let mut index = Self::default();
        for (place, compiled) in segments.iter().enumerate() {
            index.places.insert(compiled.segment.id, place);
            let reads = &compiled.reads;
            for kind in &reads.kinds {
                index.kinds.entry(kind.clone()).or_default().push(place);
            }
            for name in &reads.traits {
                index.traits.entry(name.clone()).or_default().push(place);
            }
            for field in &reads.fields {
                index.fields.entry(*field).or_default().push(place);
            }
            let some = [
                (reads.timeline, &mut index.timeline),
                (reads.sees_any(), &mut index.any_event),
                (reads.all_traits, &mut index.all_traits),
                (reads.stage, &mut index.stage),
            ];
            some.into_iter().filter(|(reads, _)| *reads).for_each(|(_, places)| places.push(place));
        }
        index
    }

    /// Adds the places of those that read something that was touched.
    fn add(&self, touched: &Touched, stages: bool, places: &mut BTreeSet<usize>) {
        let traits = touched.traits.iter().filter_map(|name| self.traits.get(name)).flatten();
        let fields = touched.fields.iter().filter_map(|field| self.fields.get(field)).flatten();
        let kinds = touched.kinds.iter().filter_map(|kind| self.kinds.get(kind)).flatten();
        places.extend(traits.chain(fields).chain(kinds));
        let some = [
            (!touched.kinds.is_empty(), &self.timeline),
            (touched.timeline, &self.any_event),
            (!touched.traits.is_empty(), &self.all_traits),
            (stages, &self.stage),
        ];
        places.extend(some.into_iter().filter(|(touched, _)| *touched).flat_map(|(_, readers)| readers));
    }
}

impl Compiled {
    fn new(segment: Segment) -> Self {
        let program = facts::compile(&segment.draft.condition).ok();
        let reads = program.as_ref().map(Reads::of).unwrap_or_default();
        Self { segment, program, reads }
    }
}
