//! A version of a survey, ready to be asked: its conditions compiled, the way through it for given answers, the order of
//! what is shown in random order.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_conditions::{CompileErrors, Environment, Keys, Program, Type};
use rapport_kernel::Violations;
use uuid::Uuid;

use super::definition::{Choice, Definition, Question, QuestionType};
use crate::domain::answer::Answers;
use crate::domain::facts::{Facts, Reading, Reads, customer_fields};

/// The choice that is said in words.
pub const OTHER: &str = "other";

/// A definition, ready to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Form(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    definition: Definition,
    ways: Vec<Ways>,
    reads: Reads,
}

/// The conditions of a question.
#[derive(Debug, Default)]
struct Ways {
    show_if: Option<Program>,
    /// Where to go on; the number of questions: to the end.
    branches: Vec<(Program, usize)>,
}

impl Form {
    /// Compiles the conditions of a definition; notes what is wrong with them. None where something is.
    #[must_use]
    pub fn compile(definition: Definition, out: &mut Violations) -> Option<Self> {
        let (mut ways, mut reads, mut sound) = (Vec::new(), Reads::default(), true);
        for place in 0..definition.questions.len() {
            let (question, at) = (&definition.questions[place], format!("survey.questions[{place}]"));
            let mut compile = |source: &str, knows: usize, field: String| {
                let compiled = environment(&definition, knows).compile(source, Type::Bool);
                compiled
                    .inspect(|program| reads.note(program))
                    .map_err(|errors: CompileErrors| {
                        errors.note(&field, out);
                        sound = false;
                    })
                    .ok()
            };
            let mut way = Ways::default();
            if !question.show_if.is_empty() {
                way.show_if = compile(&question.show_if, definition.knows(place), format!("{at}.show_if"));
            }
            for (index, branch) in question.branches.iter().enumerate() {
                let end = definition.questions.len();
                // A target that there is not is noted elsewhere.
                let target = if branch.go_to.is_empty() { end } else { definition.place(&branch.go_to).unwrap_or(end) };
                let field = format!("{at}.branches[{index}].condition");
                way.branches.extend(compile(&branch.condition, place + 1, field).map(|program| (program, target)));
            }
            ways.push(way);
        }
        sound.then(|| Self(Arc::new(Inner { definition, ways, reads })))
    }

    /// What it asks.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.0.definition
    }

    /// What its conditions read of the customer.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// The places of the questions that are shown after answers, in order. Answers to questions that are not shown are not
    /// there for the conditions of those after them.
    #[must_use]
    pub fn shown(&self, answers: &Answers, facts: &Facts) -> Vec<usize> {
        let questions = &self.0.definition.questions;
        let mut reading = Reading::new(&self.0.definition, answers, facts);
        let (mut shown, mut place) = (Vec::new(), 0);
        while place < questions.len() {
            let ways = &self.0.ways[place];
            if ways.show_if.as_ref().is_some_and(|program| !reading.holds(program)) {
                place += 1;
                continue;
            }
            shown.push(place);
            reading.show(place);
            let branch = ways.branches.iter().find(|(program, _)| reading.holds(program));
            place = branch.map_or(place + 1, |(_, target)| *target);
        }
        shown
    }

    /// The places among those shown that are shown whatever the right answers to some questions are (`broken`: those that were
    /// given are wrong), and whatever the hidden fields hold, where those that were told are wrong (`hidden`).
    #[must_use]
    pub fn sure(&self, shown: &[usize], broken: &BTreeSet<&str>, hidden: bool) -> Vec<usize> {
        let (mut unsure, mut unknown) = (BTreeSet::new(), broken.clone());
        for (place, (question, ways)) in self.0.definition.questions.iter().zip(&self.0.ways).enumerate() {
            let rests = |program: &Program, unknown: &BTreeSet<&str>| {
                let of_hidden = hidden && !matches!(program.keys(&["hidden"]), Keys::Only(keys) if keys.is_empty());
                of_hidden
                    || match program.keys(&["answers"]) {
                        Keys::Only(keys) => keys.iter().any(|key| unknown.contains(key)),
                        Keys::All => !unknown.is_empty(),
                    }
            };
            if ways.show_if.as_ref().is_some_and(|program| rests(program, &unknown)) {
                unsure.insert(place);
            }
            if unsure.contains(&place) {
                unknown.insert(&question.id);
            }
            if unsure.contains(&place) || ways.branches.iter().any(|(program, _)| rests(program, &unknown)) {
                let furthest = ways.branches.iter().map(|(_, target)| *target).max().unwrap_or(place);
                unsure.extend(place + 1..furthest);
            }
        }
        shown.iter().copied().filter(|place| !unsure.contains(place)).collect()
    }

    /// All places, in the order in which a response sees them: those of a group shuffled.
    #[must_use]
    pub fn order(&self, response: Uuid) -> Vec<usize> {
        let questions = &self.0.definition.questions;
        let mut order: Vec<usize> = (0..questions.len()).collect();
        for run in order.chunk_by_mut(|one, next| {
            let (one, next) = (&questions[*one].group, &questions[*next].group);
            !one.is_empty() && one == next
        }) {
            run.sort_by_key(|place| (draw(response, "", &questions[*place].id), *place));
        }
        order
    }

    /// A definition of this version, told in some language, as a response sees it.
    #[must_use]
    pub fn arranged(&self, mut told: Definition, response: Uuid) -> Definition {
        for question in &mut told.questions {
            let arranged = Self::choices(question, response);
            let list = if question.kind == QuestionType::Matrix { &mut question.rows } else { &mut question.choices };
            *list = arranged;
        }
        let mut questions: Vec<_> = told.questions.into_iter().map(Some).collect();
        told.questions =
            self.order(response).into_iter().filter_map(|place| questions.get_mut(place)?.take()).collect();
        told
    }

    /// The choices (of a matrix: the rows) in the order in which a response sees them. Fixed ones keep their place.
    #[must_use]
    pub fn choices(question: &Question, response: Uuid) -> Vec<Choice> {
        let list = if question.kind == QuestionType::Matrix { &question.rows } else { &question.choices };
        if !question.randomised {
            return list.clone();
        }
        let mut moving: Vec<&Choice> = list.iter().filter(|choice| !choice.fixed).collect();
        moving.sort_by_key(|choice| (draw(response, &question.id, &choice.id), choice.id.as_str()));
        let mut moving = moving.into_iter();
        let place = |choice: &Choice| if choice.fixed { Some(choice.clone()) } else { moving.next().cloned() };
        list.iter().filter_map(place).collect()
    }
}

/// A number that is even over responses and the same for one for ever: FNV-1a, then the finaliser of SplitMix64.
fn draw(response: Uuid, question: &str, name: &str) -> u64 {
    let bytes = response.as_bytes().iter().chain(question.as_bytes()).chain(&[0]).chain(name.as_bytes());
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// What a condition may read that knows the answers before a place.
fn environment(definition: &Definition, knows: usize) -> Environment {
    let answers = definition.questions[..knows].iter().map(|question| (question.id.clone(), answer_type(question)));
    let hidden = definition.hidden.iter().map(|field| (field.name.clone(), Type::String));
    let touch = ["channel", "touchpoint", "stage", "product", "campaign"].map(|name| (name, Type::String));
    Environment::builder()
        .variable("answers", Type::object("answers", answers))
        .variable("hidden", Type::object("hidden", hidden))
        .variable("customer", Type::object("customer", customer_fields()))
        .variable("touch", Type::object("touch", touch))
        .without_now()
        .build()
}

fn answer_type(question: &Question) -> Type {
    match question.kind {
        QuestionType::Scale | QuestionType::Statement => Type::Int,
        QuestionType::Single | QuestionType::Text => Type::String,
        QuestionType::Multiple | QuestionType::Ranking => Type::list(Type::String),
        QuestionType::Matrix if question.scale.is_some() => Type::map(Type::Int),
        QuestionType::Matrix => Type::map(Type::String),
        QuestionType::Date => Type::Timestamp,
    }
}
