//! What a customer feels, in six basic kinds (Ekman's).

/// A feeling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Emotion {
    /// Joy, gratitude, delight, relief.
    Joy,
    /// Anger, annoyance, indignation.
    Anger,
    /// Sadness, disappointment, regret.
    Sadness,
    /// Fear, worry, distrust.
    Fear,
    /// Surprise, good or bad.
    Surprise,
    /// Disgust, contempt.
    Disgust,
}

impl Emotion {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Emotion; 6] =
        [Emotion::Joy, Emotion::Anger, Emotion::Sadness, Emotion::Fear, Emotion::Surprise, Emotion::Disgust];

    /// Its name, lower case, as in the data files.
    pub fn name(self) -> &'static str {
        match self {
            Emotion::Joy => "joy",
            Emotion::Anger => "anger",
            Emotion::Sadness => "sadness",
            Emotion::Fear => "fear",
            Emotion::Surprise => "surprise",
            Emotion::Disgust => "disgust",
        }
    }

    /// The emotion of that name.
    pub fn from_name(name: &str) -> Option<Emotion> {
        Emotion::ALL.into_iter().find(|emotion| emotion.name() == name)
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Emotion::Joy => 0,
            Emotion::Anger => 1,
            Emotion::Sadness => 2,
            Emotion::Fear => 3,
            Emotion::Surprise => 4,
            Emotion::Disgust => 5,
        }
    }
}

/// How strongly a text shows an emotion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmotionScore {
    /// Which one.
    pub emotion: Emotion,
    /// Above 0 and at most 1: one cue gives 0.5, each further one half of what is left.
    pub strength: f32,
}

/// How customers say that something was hard work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EffortKind {
    /// The same thing done or said again: called three times, explain everything anew.
    Repeat,
    /// Time lost: on hold for an hour, still waiting.
    Wait,
    /// Hard, confusing, impossible to find or to do.
    Struggle,
    /// Sent from one desk to another.
    Transfer,
}

impl EffortKind {
    /// All of them.
    pub const ALL: [EffortKind; 4] = [EffortKind::Repeat, EffortKind::Wait, EffortKind::Struggle, EffortKind::Transfer];

    /// Its name, lower case, as in the data files.
    pub fn name(self) -> &'static str {
        match self {
            EffortKind::Repeat => "repeat",
            EffortKind::Wait => "wait",
            EffortKind::Struggle => "struggle",
            EffortKind::Transfer => "transfer",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<EffortKind> {
        EffortKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A place where a customer says that something was hard work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffortCue {
    /// In which way.
    pub kind: EffortKind,
    /// The first byte of the words that say so.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}
