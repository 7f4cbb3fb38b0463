//! What the conditions of follow-up rules read; it is documented at `FollowUpService`.

use std::sync::LazyLock;

use rapport_conditions::{
    Activation, CompileErrors, Environment, Map, Object, Program, Timestamp as Instant, Type, Value,
};

use super::cause::{Content, MentionSays, ResponseSays, Says, TicketSays, Words};
use crate::domain::facts::{Customer, Known, customer_fields};

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let text = |name: &'static str| (name, Type::String);
    let cause = [
        text("type"),
        text("party"),
        text("channel"),
        text("touchpoint"),
        text("stage"),
        text("product"),
        text("campaign"),
        text("agent"),
        text("team"),
        text("language"),
        ("anonymous", Type::Bool),
        ("dimensions", Type::map(Type::String)),
    ];
    let response = [
        text("survey_id"),
        text("kind"),
        ("score", Type::Int),
        ("answers", Type::map(Type::Int)),
        ("measures", Type::map(Type::Int)),
    ];
    let ticket = [
        text("kind"),
        text("topic"),
        text("status"),
        text("priority"),
        ("breached", Type::Bool),
        ("reopens", Type::Int),
        ("transfers", Type::Int),
        ("contacts", Type::Int),
    ];
    let mention = [text("kind"), text("place"), ("rating", Type::Double), ("share", Type::Double)];
    let words = [
        text("language"),
        ("sentiment", Type::Double),
        ("effort", Type::Double),
        ("emotions", Type::map(Type::Double)),
        ("topics", Type::map(Type::Double)),
        ("competitors", Type::list(Type::String)),
    ];
    Environment::builder()
        .variable("cause", Type::object("cause", cause))
        .variable("response", Type::object("response", response))
        .variable("ticket", Type::object("ticket", ticket))
        .variable("mention", Type::object("mention", mention))
        .variable("promise", Type::object("promise", [text("status")]))
        .variable("text", Type::object("text", words))
        .variable("customer", Type::object("customer", customer_fields()))
        .without_now()
        .build()
});

/// The place of the variable that only profiles knows.
const CUSTOMER: usize = 6;

/// Checks a rule's condition and compiles it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(source: &str) -> Result<Program, CompileErrors> {
    ENVIRONMENT.compile(source, Type::Bool)
}

/// Whether a condition reads what only profiles knows.
#[must_use]
pub fn reads_customer(program: &Program) -> bool {
    program.inputs().iter().any(|input| input.variable == CUSTOMER)
}

/// What a condition reads of one cause.
pub struct Reading<'a> {
    cause: Here<'a>,
    words: Option<Said<'a>>,
    promise: Option<Standing<'a>>,
    customer: Option<Customer<'a>>,
}

impl<'a> Reading<'a> {
    /// Of a cause, and of its customer as far as it is known.
    #[must_use]
    pub fn new(content: &'a Content, known: Option<&'a Known>) -> Self {
        let promise = match &content.says {
            Says::Promise(status) => Some(Standing(status)),
            Says::Response(_) | Says::Ticket(_) | Says::Mention(_) => None,
        };
        let words = content.words.as_ref().map(Said);
        Self { cause: Here(content), words, promise, customer: known.map(Customer::new) }
    }

    /// Whether a condition holds. There is no now in it: any instant will do.
    #[must_use]
    pub fn holds(&self, program: &Program) -> bool {
        program.matches(self, Instant::MAX).value
    }
}

impl Activation for Reading<'_> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        let says = &self.cause.0.says;
        match (index, says) {
            (0, _) => Some(Value::Object(&self.cause)),
            (1, Says::Response(response)) => Some(Value::Object(response)),
            (2, Says::Ticket(ticket)) => Some(Value::Object(ticket)),
            (3, Says::Mention(mention)) => Some(Value::Object(mention)),
            (4, _) => self.promise.as_ref().map(|promise| Value::Object(promise)),
            (5, _) => self.words.as_ref().map(|words| Value::Object(words)),
            (CUSTOMER, _) => self.customer.as_ref().map(|customer| Value::Object(customer)),
            _ => None,
        }
    }
}

struct Here<'a>(&'a Content);

impl Object for Here<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let content = self.0;
        let text = match index {
            0 => match &content.says {
                Says::Response(_) => "response",
                Says::Ticket(_) => "ticket",
                Says::Mention(_) => "mention",
                Says::Promise(_) => "promise",
            },
            1 => content.party.name(),
            2 => &content.place.channel,
            3 => &content.place.touchpoint,
            4 => &content.place.stage,
            5 => &content.place.product,
            6 => &content.campaign,
            7 => &content.agent,
            8 => &content.team,
            9 => &content.language,
            10 => return Some(Value::Bool(content.anonymous)),
            11 => return Some(Value::Map(&content.dimensions)),
            _ => return None,
        };
        Some(Value::String(text))
    }
}

impl Object for ResponseSays {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::String(&self.survey)),
            1 => Some(Value::String(&self.kind)),
            2 => self.score.as_ref().map(|score| Value::Int(score.value.into())),
            3 => Some(Value::Map(&self.answers)),
            4 => Some(Value::Map(&self.measures)),
            _ => None,
        }
    }
}

impl Object for TicketSays {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let progress = &self.progress;
        Some(match index {
            0 => Value::String(&self.kind),
            1 => Value::String(&self.topic),
            2 => Value::String(&progress.status),
            3 => Value::String(&progress.priority),
            4 => Value::Bool(progress.breached),
            5 => Value::Int(progress.reopens),
            6 => Value::Int(progress.transfers),
            7 => Value::Int(progress.contacts),
            _ => return None,
        })
    }
}

impl Object for MentionSays {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::String(&self.kind)),
            1 => Some(Value::String(&self.place)),
            2 => self.rating.map(Value::Double),
            3 => self.share.map(Value::Double),
            _ => None,
        }
    }
}

struct Standing<'a>(&'a str);

impl Object for Standing<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        (index == 0).then_some(Value::String(self.0))
    }
}

struct Said<'a>(&'a Words);

impl Object for Said<'_> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        let words = self.0;
        match index {
            0 => Some(Value::String(&words.language)),
            1 => words.sentiment.map(Value::Double),
            2 => words.effort.map(Value::Double),
            3 => Some(Value::Map(&words.emotions as &dyn Map)),
            4 => Some(Value::Map(&words.topics as &dyn Map)),
            5 => Some(Value::List(&words.competitors)),
            _ => None,
        }
    }
}
