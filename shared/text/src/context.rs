//! What surrounds a word: whether it is negated, strengthened, or stands before a "but".
//!
//! Computed once for every token, in one pass over clauses, so that sentiment, emotions and the training of word
//! valences all see the same thing.

use crate::language::Language;
use crate::pack::{Function, Pack, Role};
use crate::reading::Reading;
use crate::token::{Token, TokenKind};

/// What a token's surroundings do to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Context {
    /// Under a negation.
    pub negated: bool,
    /// The factor of intensifiers and diminishers before it.
    pub scale: f32,
    /// The factor of its place: before or after a "but", in a question.
    pub weight: f32,
    /// The sentence it is in, from 0.
    pub sentence: usize,
}

/// An entry of the lexicon found in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cue {
    pub start: usize,
    pub end: usize,
    pub role: Role,
    /// The phrase holds its own negation ("не отвечают"): another one ("никто") adds nothing.
    pub settled: bool,
}

/// Every entry found, and the context of every token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub cues: Vec<Cue>,
    pub contexts: Vec<Context>,
    /// Negators under which nothing with a valence stood.
    pub idle_negators: usize,
}

/// Words that a negation reaches, function words and intensifiers not counted.
fn scope(language: Language) -> usize {
    match language {
        Language::English => 4,
        Language::Romanian => 3,
        Language::Russian | Language::Persian => 2,
    }
}

/// Turns ("but", "although") heeded in one sentence.
const MOST_TURNS: usize = 8;

/// Tokens that it reaches in all.
const FARTHEST: usize = 7;

pub(crate) fn survey(reading: &Reading<'_>, pack: &Pack) -> Surroundings {
    let cues = find_cues(reading, pack);
    let plain = Context { negated: false, scale: 1.0, weight: 1.0, sentence: 0 };
    let mut contexts = vec![plain; reading.tokens.len()];
    let idle_negators = negate(reading, pack, &cues, &mut contexts);
    strengthen(&cues, &mut contexts);
    weigh(reading, &cues, &mut contexts);
    Surroundings { cues, contexts, idle_negators }
}

fn find_cues(reading: &Reading<'_>, pack: &Pack) -> Vec<Cue> {
    let tokens = &reading.tokens;
    let mut cues = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match pack.roles.longest(tokens, at, &pack.numbers) {
            Some((end, role)) => {
                let holds = |at: usize| reading.negated[at] || pack.negators.contains(&tokens[at].form);
                let settled = end > at + 1 && role.valence != 0.0 && (at..end).any(holds);
                cues.push(Cue { start: at, end, role: *role, settled });
                at = end;
            }
            None => {
                if reading.negated[at] {
                    cues.push(Cue { start: at, end: at + 1, role: Role::default(), settled: false });
                }
                at += 1;
            }
        }
    }
    courtesies(reading, &mut cues);
    // An intensifier with a valence of its own ("terribly") is one or the other, by what follows.
    for index in 0..cues.len() {
        let cue = cues[index];
        if cue.role.scale != 0.0 && cue.role.valence != 0.0 {
            let strengthens = cues[index + 1..]
                .iter()
                .take_while(|next| next.start <= cue.end + 1)
                .any(|next| next.role.valence != 0.0 || next.role.expected != 0.0);
            let role = &mut cues[index].role;
            if strengthens { role.valence = 0.0 } else { role.scale = 0.0 }
        }
    }
    cues
}

/// What is said out of politeness is no praise: an opening "bună", the thanks that end a request.
fn courtesies(reading: &Reading<'_>, cues: &mut [Cue]) {
    let tokens = &reading.tokens;
    let asks = cues.iter().any(|cue| cue.role.function == Function::Request)
        || tokens.iter().any(|token| matches!(token.kind, TokenKind::End { asks, .. } if asks > 0));
    // A last sentence of nothing but thanks, said quietly.
    let last = tokens.iter().rposition(|token| token.is_word()).unwrap_or(0);
    let closing = tokens[..last].iter().rposition(|token| matches!(token.kind, TokenKind::End { .. }));
    let quiet = closing.filter(|&end| {
        let exclaimed =
            tokens[last..].iter().any(|token| matches!(token.kind, TokenKind::End { exclaims, .. } if exclaims > 0));
        last - end <= 3 && !exclaimed && !tokens[end..].iter().any(|token| token.kind == TokenKind::Picture)
    });
    let complains = cues.iter().any(|cue| cue.role.valence <= -1.5);
    for cue in cues {
        let closes = quiet.is_some_and(|end| cue.start > end);
        let opens = cue.start == 0 && tokens.get(cue.end).is_some_and(|next| is_break(next.kind));
        match cue.role.function {
            Function::Greeting if opens => cue.role.valence = 0.0,
            Function::Thanks if asks || closes => cue.role.valence *= 0.1,
            // "Thank you that my time was wasted."
            Function::Thanks if complains && accuses(tokens, cue.end) => cue.role.valence *= 0.4,
            _ => {}
        }
    }
}

/// "Thank you that …": what follows is what the thanks are for, in earnest or not.
fn accuses(tokens: &[Token], after: usize) -> bool {
    let next = tokens[after..].iter().take(2).find(|token| token.is_word());
    next.is_some_and(|token| matches!(token.form.as_str(), "что" | "ca" | "که" | "that"))
}

/// "That", which joins what is said to the saying.
fn is_conjunction(token: &Token) -> bool {
    matches!(token.form.as_str(), "что" | "будто" | "ca" | "که" | "that")
}

fn is_break(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Pause | TokenKind::End { .. })
}

fn negate(reading: &Reading<'_>, pack: &Pack, cues: &[Cue], contexts: &mut [Context]) -> usize {
    let mut idle = 0;
    let contrasts: Vec<usize> =
        cues.iter().filter(|cue| cue.role.function == Function::Contrast).map(|cue| cue.start).collect();
    for cue in cues {
        let own = reading.negated[cue.start];
        if own && reading.language != Language::Persian {
            contexts[cue.start].negated = true;
            continue;
        }
        let reached = match cue.role.function {
            Function::Negator => forward(reading, pack, cues, cue.end, &contrasts),
            Function::NegatorAfter if says(reading, pack, cue) => forward(reading, pack, cues, cue.end, &contrasts),
            Function::NegatorAfter => backward(reading, pack, cue.start, &contrasts),
            _ if own && says(reading, pack, cue) => forward(reading, pack, cues, cue.end, &contrasts),
            _ if own => backward(reading, pack, cue.start, &contrasts).start..cue.end,
            _ => continue,
        };
        let meets =
            |other: &Cue| reached.contains(&other.start) && (other.role.valence != 0.0 || other.role.expected != 0.0);
        let first = cues.partition_point(|other| other.end <= reached.start);
        if !cues[first..].iter().take(FARTHEST + 1).any(meets) {
            idle += 1;
        }
        contexts[reached].iter_mut().for_each(|context| context.negated = true);
    }
    for cue in cues.iter().filter(|cue| cue.settled) {
        contexts[cue.start..cue.end].iter_mut().for_each(|context| context.negated = false);
    }
    idle
}

/// Whether a Persian verb that negates itself is one of saying or thinking, or leads to one ("I cannot say …"): what it
/// negates then follows it.
fn says(reading: &Reading<'_>, pack: &Pack, cue: &Cue) -> bool {
    let is_opinion = |at: usize| reading.tokens.get(at).is_some_and(|token| pack.is_opinion(&token.form));
    is_opinion(cue.end) || cue.start.checked_sub(1).is_some_and(is_opinion)
}

/// The tokens that a negation before them reaches.
fn forward(
    reading: &Reading<'_>,
    pack: &Pack,
    cues: &[Cue],
    from: usize,
    contrasts: &[usize],
) -> std::ops::Range<usize> {
    let (mut counted, mut carries) = (0, false);
    let last = (from + FARTHEST).min(reading.tokens.len());
    let mut next_cue = cues.partition_point(|cue| cue.start < from);
    for at in from..last {
        let token = &reading.tokens[at];
        if carries && (token.kind == TokenKind::Pause || is_conjunction(token)) {
            // "I cannot say, that …": what is said is negated with the saying.
            carries = token.kind == TokenKind::Pause && reading.tokens.get(at + 1).is_some_and(is_conjunction);
            if carries || token.is_word() {
                continue;
            }
        }
        if is_break(token.kind) || contrasts.binary_search(&at).is_ok() || counted >= scope(reading.language) {
            return from..at;
        }
        if pack.is_opinion(&token.form) {
            (carries, counted) = (true, 0);
            continue;
        }
        while cues.get(next_cue).is_some_and(|cue| cue.start < at) {
            next_cue += 1;
        }
        let modifies = cues.get(next_cue).is_some_and(|cue| cue.start == at && cue.role.scale != 0.0);
        if !modifies && !pack.stops.contains(token.form.as_str()) {
            counted += 1;
        }
    }
    from..last
}

/// The tokens that a negation after them reaches.
fn backward(reading: &Reading<'_>, pack: &Pack, until: usize, contrasts: &[usize]) -> std::ops::Range<usize> {
    let mut counted = 0;
    let mut start = until;
    while start > 0 && until - start < FARTHEST {
        let token = &reading.tokens[start - 1];
        if is_break(token.kind) || contrasts.binary_search(&(start - 1)).is_ok() || counted >= scope(reading.language) {
            break;
        }
        counted += usize::from(!pack.stops.contains(token.form.as_str()));
        start -= 1;
    }
    start..until
}

fn strengthen(cues: &[Cue], contexts: &mut [Context]) {
    for cue in cues.iter().filter(|cue| cue.role.scale != 0.0) {
        let last = (cue.end + 2).min(contexts.len());
        for context in &mut contexts[cue.end..last] {
            context.scale = (context.scale * cue.role.scale).clamp(0.3, 2.0);
        }
    }
}

/// Weights by contrast, concession and question, sentence by sentence.
fn weigh(reading: &Reading<'_>, cues: &[Cue], contexts: &mut [Context]) {
    let tokens = &reading.tokens;
    let mut start = 0;
    let mut sentence = 0;
    let mut before = 0..0;
    let mut next_cue = 0;
    while start < tokens.len() {
        let end =
            (start..tokens.len()).find(|&at| matches!(tokens[at].kind, TokenKind::End { .. })).unwrap_or(tokens.len());
        let first_cue = next_cue;
        while cues.get(next_cue).is_some_and(|cue| cue.start < end) {
            next_cue += 1;
        }
        let turns = |cue: &&Cue| matches!(cue.role.function, Function::Contrast | Function::Concession);
        for cue in cues[first_cue..next_cue].iter().filter(turns).take(MOST_TURNS) {
            match cue.role.function {
                Function::Contrast if cue.start == start => scale_all(contexts, before.clone(), 0.6),
                Function::Contrast => {
                    scale_all(contexts, start..cue.start, 0.45);
                    scale_all(contexts, cue.end..end, 1.6);
                }
                Function::Concession => {
                    let until = (cue.end..end).find(|&at| tokens[at].kind == TokenKind::Pause).unwrap_or(end);
                    scale_all(contexts, cue.start..until, 0.5);
                }
                _ => {}
            }
        }
        if let Some(TokenKind::End { exclaims, asks }) = tokens.get(end).map(|token| token.kind) {
            let loud = 1.0 + 0.08 * f32::from(exclaims);
            let asked = if asks > 0 && exclaims == 0 { 0.5 } else { 1.0 };
            scale_all(contexts, start..end, loud * asked);
        }
        let past = (end + 1).min(tokens.len());
        contexts[start..past].iter_mut().for_each(|context| context.sentence = sentence);
        before = start..end;
        sentence += 1;
        start = end + 1;
    }
}

fn scale_all(contexts: &mut [Context], range: std::ops::Range<usize>, factor: f32) {
    let until = range.end.min(contexts.len());
    for context in contexts.get_mut(range.start..until).unwrap_or_default() {
        context.weight = (context.weight * factor).clamp(0.1, 3.0);
    }
}
