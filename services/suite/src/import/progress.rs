//! How an import goes, on standard error: a bar where somebody looks, now and then a plain line where it is a file.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long it is silent between two plain lines.
const SILENCE: Duration = Duration::from_secs(10);

/// How it goes.
pub enum Progress {
    /// Where somebody looks.
    Bar(ProgressBar),
    /// Where it is written to a file: of how many bytes, and when the last line was said.
    Plain(u64, Instant),
}

impl Progress {
    /// Of a file of so many bytes.
    pub fn new(bytes: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Plain(bytes, Instant::now());
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("  {bar:32} {percent:>3} % {msg} {eta}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Shows how many bytes are done, and in words what became of them.
    pub fn show(&mut self, bytes: u64, words: &str) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(bytes);
                bar.set_message(words.to_owned());
            }
            Self::Plain(all, said) => {
                if let Some(line) = plain(said, Instant::now(), (bytes, *all), words) {
                    eprintln!("{line}");
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// The next plain line, where it is time for one.
fn plain(said: &mut Instant, now: Instant, (bytes, all): (u64, u64), words: &str) -> Option<String> {
    if now.duration_since(*said) < SILENCE {
        return None;
    }
    *said = now;
    Some(format!("{} %: {words}", (bytes.min(all) * 100).checked_div(all).unwrap_or(100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_is_said_every_ten_seconds() {
        let start = Instant::now();
        let mut said = start;
        let mut at = |seconds| plain(&mut said, start + Duration::from_secs(seconds), (seconds, 40), "so far");
        assert_eq!((at(1), at(9)), (None, None));
        assert_eq!(at(10).as_deref(), Some("25 %: so far"));
        assert_eq!(at(19), None);
        assert_eq!(at(50).as_deref(), Some("100 %: so far"));
    }
}
